#!/usr/bin/python3
"""The workloads of 11_training.c with PyTorch, written as its users write them: `11_training.py serve` answers each line,
the name of a workload, with nanoseconds per step and two losses to compare the work by, as 11_training.c does."""
import gzip
import math
import os
import sys
import time

FASHION = "/usr/share/datasets/fashion-mnist"
FIRST_STEPS = 20

name = sys.stdin.readline().strip()
kind, batch, *rest = name.split("-")
batch, threads = int(batch), int(rest[0]) if rest else 1
for variable in ("OMP_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ[variable] = str(threads)                  # before torch is imported
import numpy as np                                       # noqa: E402
import torch                                             # noqa: E402
import torch.nn.functional as F                          # noqa: E402
from torch import nn                                     # noqa: E402

torch.set_num_threads(threads)


def network(*widths):
    torch.manual_seed(0)
    layers = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def descend(loss, optimizer):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss


def moons():
    def point(i):
        t, noise, up = 3.14159265358979 * i / batch, 0.1 * math.sin(37 * i), i % 2 == 0
        return ((math.cos(t) if up else 1 - math.cos(t)) + noise, (math.sin(t) if up else 0.5 - math.sin(t)) - noise)
    x = torch.tensor([point(i) for i in range(batch)])
    y = torch.tensor([[1.0 if i % 2 == 0 else -1.0] for i in range(batch)])
    model = network(2, 16, 16, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        squares = sum((p * p).sum() for p in model.parameters())
        return descend(F.relu(1 - y * model(x)).mean() + 1e-4 * squares, optimizer)
    return step


def fashion():
    def read(stem, skip):
        with gzip.open(os.path.join(FASHION, stem)) as file:
            return np.frombuffer(file.read(), np.uint8, offset=skip)
    x = torch.from_numpy(read("train-images-idx3-ubyte.gz", 16).astype(np.float32).reshape(-1, 784)) / 255
    y = torch.from_numpy(read("train-labels-idx1-ubyte.gz", 8).astype(np.int64))
    model = network(784, 256, 128, 10)
    if kind == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    at = 0

    def step():
        nonlocal at
        at = (at + batch) % (len(x) - batch)
        return descend(F.cross_entropy(model(x[at:at + batch]), y[at:at + batch]), optimizer)

    def epoch():
        for rows in torch.randperm(len(x)).split(batch):
            loss = descend(F.cross_entropy(model(x[rows]), y[rows]), optimizer)
        return loss

    @torch.no_grad()
    def infer():
        return model(x[:batch])[-1, -1]
    return {"epoch": epoch, "infer": infer}.get(kind, step)


clock = time.process_time if threads == 1 else time.perf_counter


def repeat(step, n):
    start = clock()
    for _ in range(n):
        step()
    return clock() - start


def measure(step):
    n = 1
    time.sleep(0.1)
    while True:                                          # warms up
        seconds = repeat(step, n)
        if seconds >= 0.1:
            break
        n *= 2
    n = math.ceil(n * 0.5 / seconds)
    return repeat(step, n) / n * 1e9


step = moons() if kind == "micro" else fashion()
first = check = step().item()
for _ in range(FIRST_STEPS - 1 if kind != "epoch" else 0):
    check = step().item()
if kind == "epoch":                                      # the orders differ
    first = check = 0
while name:
    print("%.6g %.9g %.9g" % (measure(step), first, check), flush=True)
    name = sys.stdin.readline().strip()
