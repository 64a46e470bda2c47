#!/usr/bin/python3
"""The workloads of 07_axes.c with PyTorch, in single precision: `07_axes.py WORKLOAD` prints nanoseconds per step and two
numbers to compare the results by, as 07_axes.c does."""
import math
import sys
import time

import torch
from torch.nn.functional import leaky_relu, linear


def numbers(shape, first):
    count = math.prod(shape)
    return torch.tensor([0.5 * math.sin(1 + first + i) for i in range(count)]).view(shape).requires_grad_()


SMALL, LARGE = [(100, 16), (16, 16), (16,)], [(64, 784), (256, 784), (256,)]
FLAT, FLATS = [(8192,)], [(8192,), (8192,)]
MATRIX, IMAGES, HEADS = [(64, 512)], [(32, 16, 14, 14)], [(24, 64, 32), (24, 64, 32)]
WORKLOADS = {
    "small-layer": (SMALL, lambda x, w, b: torch.tanh(linear(x, w, b))),
    "large-layer": (LARGE, lambda x, w, b: torch.tanh(linear(x, w, b))),
    "square": (FLAT, torch.square), "clamp": (FLAT, lambda x: x.clamp(-0.25, 0.25)),
    "leaky": (FLAT, lambda x: leaky_relu(x, 0.125)), "maximum": (FLATS, torch.maximum),
    "sum-first": (MATRIX, lambda x: x.sum(0)), "sum-last": (MATRIX, lambda x: x.sum(-1)),
    "var-channels": (IMAGES, lambda x: x.var((0, 2, 3), correction=0)),
    "softmax-last": (MATRIX, lambda x: x.softmax(-1)), "softmax-first": (MATRIX, lambda x: x.softmax(0)),
    "scores": (HEADS, lambda x, w: x @ w.mT),
}

torch.set_num_threads(1)
shapes, f = WORKLOADS[sys.argv[1]]
inputs = [numbers(s, k) for k, s in enumerate(shapes)]
g = numbers(f(*inputs).shape, 3).detach()


def step():
    for t in inputs:
        t.grad = None
    y = f(*inputs)
    y.backward(g)
    return y.detach().reshape(-1)[3].item(), inputs[0].grad.view(-1)[5].item()


times, end = [], time.process_time() + 1
for _ in range(3):
    step()
while time.process_time() < end:
    start = time.process_time()
    result = step()
    times.append(time.process_time() - start)
print("%.6g %.17g %.17g" % (sorted(times)[len(times) // 2] * 1e9, *[round(v * 1e2) / 1e2 for v in result]))
