#!/usr/bin/python3
"""The workloads of 10_optim.c with PyTorch, in single precision: `10_optim.py WORKLOAD` prints nanoseconds per step and
two numbers to compare the results by, as 10_optim.c does."""
import math
import sys
import time

import torch

WIDTHS = {"mlp": (784, 256, 128, 10), "micro": (2, 16, 16, 1)}


def number(k):
    return 0.5 * math.sin(1 + k)


def prepare(net, rule):
    width, parameters, k = WIDTHS[net], [], 0
    for fan_in, fan_out in zip(width, width[1:]):
        for shape in ((fan_out, fan_in), (fan_out,)):
            count = math.prod(shape)
            p = torch.tensor([number(k + i) for i in range(count)]).view(shape).requires_grad_()
            p.grad = torch.tensor([number(7 * (k + i + 1)) for i in range(count)]).view(shape)
            parameters.append(p)
            k += count
    make = {"adam": lambda: torch.optim.Adam(parameters, lr=0.0),
            "sgd": lambda: torch.optim.SGD(parameters, lr=0.0),
            "momentum": lambda: torch.optim.SGD(parameters, lr=0.0, momentum=0.9)}
    return parameters, make[rule]()


torch.set_num_threads(1)
parameters, optimizer = prepare(*sys.argv[1].split("-"))
times, end = [], time.process_time() + 1.5
for _ in range(3):
    optimizer.step()
while time.process_time() < end:
    start = time.process_time()
    optimizer.step()
    times.append(time.process_time() - start)
print("%.6g %.17g %.17g" % (sorted(times)[len(times) // 2] * 1e9, parameters[0].view(-1)[3].item(),
                            parameters[3].view(-1)[2].item()))
