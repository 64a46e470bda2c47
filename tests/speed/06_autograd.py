#!/usr/bin/python3
"""The workloads of 06_autograd.c with PyTorch, in single precision: `06_autograd.py WORKLOAD` prints nanoseconds per
unit and two numbers to compare the results by, as 06_autograd.c does."""
import math
import sys
import time

import torch

N, IN, H, LINKS = 100, 2, 16, 500


def number(k):
    return 0.5 * math.sin(1 + k)


def rounded(value, check):
    return round(value * 1e3) / 1e3, round(check * 1e2) / 1e2


def moons():
    parameters, k = [], 0
    for shape in ((IN, H), (H,), (H, H), (H,), (H, 1), (1,)):
        count = math.prod(shape)
        parameters.append(torch.tensor([number(k + i) for i in range(count)]).view(shape).requires_grad_())
        k += count
    w1, b1, w2, b2, w3, b3 = parameters
    x = torch.tensor([number(7 * i) for i in range(N * IN)]).view(N, IN)

    def step():
        for p in parameters:
            p.grad = None
        h = torch.tanh(x @ w1 + b1)
        h = torch.tanh(h @ w2 + b2)
        y = h @ w3 + b3
        loss = (y * y).sum()
        loss.backward()
        return rounded(loss.item(), w1.grad.view(-1)[3].item() + w2.grad.view(-1)[5].item())
    return step


def chain():
    one, factor = torch.tensor([1.0], requires_grad=True), torch.tensor([0.5], requires_grad=True)
    term = torch.tensor([0.25])

    def step():
        one.grad = factor.grad = None
        y = one
        for _ in range(LINKS):
            y = y * factor + term
        y.backward()
        return rounded(y.item(), factor.grad.item())
    return step


WORKLOADS = {"moons-step": (1, moons), "tape-operation": (2 * LINKS, chain)}

torch.set_num_threads(1)
units, make = WORKLOADS[sys.argv[1]]
step = make()
times, end = [], time.process_time() + 1.5
for _ in range(3):
    step()
while time.process_time() < end:
    start = time.process_time()
    result = step()
    times.append(time.process_time() - start)
print("%.6g %.17g %.17g" % (sorted(times)[len(times) // 2] / units * 1e9, *result))
