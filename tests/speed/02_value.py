#!/usr/bin/python3
"""The expressions of 02_value.c with PyTorch's scalar tensors: `02_value.py WORKLOAD` prints nanoseconds per operation
and two numbers to compare the results by, as 02_value.c does."""
import math
import sys
import time

import torch

H, DEGREE = 16, 500


def number(k):
    return 0.5 * math.sin(1 + k)


def leaf(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def network(activation):
    weights = [leaf(number(k)) for k in range(3 * H + 17 * H + 17)]
    x = [torch.tensor(v, dtype=torch.float64) for v in (0.8, -0.3)]

    def neuron(first, inputs):
        total = weights[first]
        for i, v in enumerate(inputs):
            total = total + weights[first + 1 + i] * v
        return total

    def step():
        for w in weights:
            w.grad = None
        h1 = [activation(neuron(3 * j, x)) for j in range(H)]
        h2 = [activation(neuron(3 * H + 17 * j, h1)) for j in range(H)]
        y = neuron(20 * H, h2)
        y.backward()
        return y.item(), weights[1].grad.item() + weights[60].grad.item()
    return step


def polynomial():
    x, coefficients = leaf(0.999), [leaf(number(k)) for k in range(DEGREE + 1)]

    def step():
        for v in [x] + coefficients:
            v.grad = None
        y = coefficients[DEGREE]
        for c in reversed(coefficients[:DEGREE]):
            y = y * x + c
        y.backward()
        return y.item(), x.grad.item() + coefficients[7].grad.item()
    return step


WORKLOADS = {"value-mlp-tanh": (642, lambda: network(torch.tanh)), "value-mlp-relu": (642, lambda: network(torch.relu)),
             "value-polynomial": (2 * DEGREE, polynomial)}

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
