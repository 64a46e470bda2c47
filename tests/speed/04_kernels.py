#!/usr/bin/python3
"""The kernels of 04_kernels.c in PyTorch, one thread: `04_kernels.py WORKLOAD` prints nanoseconds per element (or per 12
bytes moved) and two numbers of the result, as 04_kernels.c does. Results go to tensors made beforehand, where PyTorch
allows it."""
import sys
import time

import torch

torch.set_num_threads(1)
torch.set_grad_enabled(False)
name, size = sys.argv[1].rsplit("-", 1)
n = {"cache": 8192, "L2": 65536, "memory": 1 << 24}[size]
i = torch.arange(n, dtype=torch.int64)
x = (i * 37 % 1009 + 1).float() / 256
z = (i * 53 % 997 + 1).float() / 512
y = torch.zeros(n)
rows, table, result = x.view(-1, 128), z.view(-1, 128), y.view(-1, 128)
nn = torch.ops.aten
WORK = {
    "exp": lambda: torch.exp(x, out=y), "tanh": lambda: torch.tanh(x, out=y), "sigmoid": lambda: torch.sigmoid(x, out=y),
    "log": lambda: torch.log(x, out=y), "erf": lambda: torch.erf(x, out=y), "sqrt": lambda: torch.sqrt(x, out=y),
    "gelu": lambda: torch._C._nn.gelu(x, out=y), "silu": lambda: torch._C._nn.silu(x, out=y),
    "relu": lambda: torch.clamp_min(x, 0, out=y), "gelu_backward": lambda: nn.gelu_backward(z, x),
    "tanh_backward": lambda: nn.tanh_backward(z, x),
    "add": lambda: torch.add(x, z, out=y), "mul": lambda: torch.mul(x, z, out=y), "div": lambda: torch.div(x, z, out=y),
    "sum": lambda: x.sum(), "dot": lambda: torch.dot(x, z), "max": lambda: x.max(),
    "softmax": lambda: torch.softmax(rows, 1), "log_softmax": lambda: torch.log_softmax(rows, 1),
    "moments": lambda: torch.var_mean(rows, 1, unbiased=False),
}
BYTES = {"gelu_backward": 16, "tanh_backward": 16, "add": 16, "mul": 16, "div": 16}
step = WORK[name]
batch = 1
while True:
    start = time.process_time()
    for _ in range(batch):
        out = step()
    if time.process_time() - start > 5e-3:
        break
    batch *= 2
times = []
for _ in range(100):
    start = time.process_time()
    for _ in range(batch):
        out = step()
    times.append((time.process_time() - start) / batch)
ns = sorted(times)[50] / n * 1e9
if size == "memory":
    ns *= 12 / BYTES.get(name, 12)
out = out[1] if name == "moments" else out
flat = out.reshape(-1)
last = flat[0] if flat.numel() == 1 else flat[n // 128 - 1] if name in ("softmax", "log_softmax", "moments") else flat[n - 1]
print("%.6g %.9g %.9g" % (ns, flat[0].item(), last.item()))
