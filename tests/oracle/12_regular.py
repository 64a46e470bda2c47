#!/usr/bin/python3
"""torch.nn.functional.dropout, AveragedModel and SGD's weight decay, for tests/12_regular.c. Writes
12_regular.safetensors beside this file.

Dropout, for float (f) and double (d): inputs `TYPE.x.S` of shape number S, gradients `TYPE.g.S` of the result; after
manual_seed(12), in the order of `p`, results `TYPE.y.S.C` and gradients `TYPE.dx.S.C`; `TYPE.next.S` is drawn at the end.
Averages: parameters `step` [steps, 12], means after each update `mean` (all alike) and `ema.D` (decay of `decay`).
Decay: `w.T` after 1, 10, 50 steps of SGD with weight_decay, `penalty.T` with the penalty in the loss, both double."""
import numpy
import torch
from torch.optim.swa_utils import AveragedModel

import safetensors_writer

SHAPES = [(7,), (3, 5), (2, 3, 33), (0, 4)]
P = [0.5, 0.0, 0.2, 1.0, 0.9]
DECAYS = [0.5, 0.9, 0.999]
arrays = {"p": numpy.array(P), "decay": numpy.array(DECAYS)}


def dropout(name, dtype):
    for s, shape in enumerate(SHAPES):
        torch.manual_seed(s)
        x = torch.randn(shape, dtype=dtype, requires_grad=True)
        g = torch.randn(shape, dtype=dtype)
        arrays[f"{name}.x.{s}"], arrays[f"{name}.g.{s}"] = x.detach().numpy(), g.numpy()
        torch.manual_seed(12)
        for c, p in enumerate(P):
            y = torch.nn.functional.dropout(x, p)
            x.grad = None
            y.backward(g)
            arrays[f"{name}.y.{s}.{c}"], arrays[f"{name}.dx.{s}.{c}"] = y.detach().numpy(), x.grad.numpy()
        arrays[f"{name}.next.{s}"] = torch.rand(1).numpy()


class Parameters(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(3, 4))


def averages():
    torch.manual_seed(3)
    steps = torch.randn(20, 3, 4)
    model = Parameters()
    kinds = {"mean": AveragedModel(model)}
    for d, decay in enumerate(DECAYS):
        kinds[f"ema.{d}"] = AveragedModel(model, avg_fn=lambda a, p, n, decay=decay: torch.lerp(a, p, 1 - decay))
    seen = {name: [] for name in kinds}
    for step in steps:
        model.w.data.copy_(step)
        for name, average in kinds.items():
            average.update_parameters(model)
            seen[name].append(average.module.w.detach().clone().flatten())
    arrays["step"] = steps.flatten(1).numpy()
    for name, means in seen.items():
        arrays[name] = torch.stack(means).numpy()


def decay():
    torch.manual_seed(4)
    x, t = torch.randn(9, 5).double(), torch.randn(9, 2).double()
    start = torch.randn(2, 5)
    arrays["start"], arrays["inputs"], arrays["targets"] = start.numpy(), x.float().numpy(), t.float().numpy()
    for name, in_step in (("w", 0.3), ("penalty", 0.0)):
        w = torch.nn.Parameter(start.double())
        optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.5, weight_decay=in_step)
        for step in range(1, 51):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(x.float().double() @ w.T, t.float().double())
            if not in_step:
                loss = loss + 0.15 * (w ** 2).sum()
            loss.backward()
            optimizer.step()
            if step in (1, 10, 50):
                arrays[f"{name}.{step}"] = w.detach().numpy().copy()


dropout("f", torch.float32)
dropout("d", torch.float64)
averages()
decay()
safetensors_writer.save(__file__, arrays, torch)
