#!/usr/bin/python3
"""The kernels of 04_kernels.c in PyTorch: `04_kernels.py WORKLOAD` prints nanoseconds per element and two numbers of the
result, as 04_kernels.c does; `04_kernels.py serve` answers each line of its input so. Results go to tensors made
beforehand, where PyTorch allows it."""
import sys
import time

import torch

torch.set_grad_enabled(False)
nn = torch.ops.aten


def work(name, n):
    i = torch.arange(n, dtype=torch.int64)
    x = (i * 37 % 1009 + 1).float() / 256
    z = (i * 53 % 997 + 1).float() / 512
    y = torch.zeros(n)
    rows = x.view(-1, 128)
    return {
        "exp": lambda: torch.exp(x, out=y), "tanh": lambda: torch.tanh(x, out=y), "sigmoid": lambda: torch.sigmoid(x, out=y),
        "log": lambda: torch.log(x, out=y), "erf": lambda: torch.erf(x, out=y), "sqrt": lambda: torch.sqrt(x, out=y),
        "gelu": lambda: torch._C._nn.gelu(x, out=y), "silu": lambda: torch._C._nn.silu(x, out=y),
        "relu": lambda: torch.clamp_min(x, 0, out=y), "gelu_backward": lambda: nn.gelu_backward(z, x),
        "tanh_backward": lambda: nn.tanh_backward(z, x),
        "add": lambda: torch.add(x, z, out=y), "mul": lambda: torch.mul(x, z, out=y), "div": lambda: torch.div(x, z, out=y),
        "sum": lambda: x.sum(), "dot": lambda: torch.dot(x, z), "max": lambda: x.max(),
        "softmax": lambda: torch.softmax(rows, 1), "log_softmax": lambda: torch.log_softmax(rows, 1),
        "moments": lambda: torch.var_mean(rows, 1, unbiased=False),
    }[name]


def answer(workload):
    name, size, *two = workload.split("-")
    n = {"cache": 8192, "L2": 65536, "memory": 1 << 24}[size]
    clock = time.perf_counter if two else time.process_time
    torch.set_num_threads(2 if two else 1)
    step = work(name, n)
    batch, times = 1, []
    while len(times) < 25:
        start = clock()
        for _ in range(batch):
            out = step()
        took = clock() - start
        if times or took > 2e-3:
            times.append(took / batch)
        else:
            batch *= 2
    out = out[1] if name == "moments" else out
    flat = out.reshape(-1)
    last = flat[0] if flat.numel() == 1 else flat[n // 128 - 1] if name in ("softmax", "log_softmax", "moments") else flat[n - 1]
    return "%.6g %.9g %.9g" % (sorted(times)[12] / n * 1e9, flat[0].item(), last.item())


if sys.argv[1] == "serve":
    for line in sys.stdin:
        print(answer(line.strip()), flush=True)
else:
    print(answer(sys.argv[1]))
