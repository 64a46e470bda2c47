#!/usr/bin/python3
"""Values and gradients of the operations along axes, in double precision, for tests/07_reduce.c. Writes
07_reduce.safetensors beside this file.

Shape i has the input `i.x`, which has ties, and for each set of axes (bits of `mask`) the gradients at the outputs
`i.mask.g`, and for the operations in REDUCTIONS one row each of values `i.mask.y` and gradients `i.mask.dx`. For each
axis, `i.axis.a.g` is a gradient of the input's shape, `i.axis.a.y` and `i.axis.a.dx` have a row for each operation of
ALONG; logsumexp, whose result is smaller, uses the front of its row and of g. `i.axis.a.argmax` are places. What does
not exist is NaN. The rows `special.x` hold infinities, NaN and large numbers; `special.y`, `special.dx` and
`special.argmax` are the same for them, over the last axis, REDUCTIONS before ALONG."""
import numpy
import torch

import safetensors_writer

REDUCTIONS = {
    "sum": lambda x, d: x.sum(d), "mean": lambda x, d: x.mean(d),
    "var0": lambda x, d: x.var(d, correction=0), "var1": lambda x, d: x.var(d, correction=1),
    "var2": lambda x, d: x.var(d, correction=2), "amax": lambda x, d: x.amax(d), "amin": lambda x, d: x.amin(d),
    "norm": lambda x, d: torch.linalg.vector_norm(x, dim=d),
}
ALONG = {
    "cumsum": lambda x, d: x.cumsum(d), "softmax": lambda x, d: x.softmax(d),
    "log_softmax": lambda x, d: x.log_softmax(d), "logsumexp": lambda x, d: x.logsumexp(d),
}
SHAPES = [(), (1,), (5,), (3, 4), (1, 40), (70, 1), (9, 33), (19, 16), (2, 3, 4), (3, 1, 5), (2, 3, 18), (2, 3, 2, 4),
          (2, 1, 3, 1), (1, 1, 1, 1), (2, 2, 5, 3), (0,), (0, 3), (3, 0), (2, 0, 3)]
INF, NAN = float("inf"), float("nan")
SPECIAL = [[1, INF, 2, 3], [1, -INF, 2, 3], [INF, INF, 1, 2], [-INF, -INF, -INF, -INF], [INF, -INF, 0, 1], [1, NAN, 2, NAN],
           [0, 0, 0, 0], [1e30, 1e30, 1e30, 3e30], [1e-30, 1e-30, 1e-30, -3e-30], [7, 7, 7, 7], [90, -90, 88.5, 90],
           [1000, 999, -1000, 0], [16777216, 1, 1, 1]]

random = torch.Generator().manual_seed(7)


def draw(shape):
    """Numbers that a float can hold."""
    return torch.randn(shape, generator=random).double()


def apply(f, x, d, g, size):
    """Two rows: the values, and the gradient; NaN if torch refuses."""
    x = x.detach().requires_grad_()
    try:
        y = f(x, d)
    except (IndexError, RuntimeError):
        return numpy.full(size, NAN), numpy.full(x.numel(), NAN)
    y.backward(g.reshape(-1)[:y.numel()].view(y.shape))
    row = numpy.full(size, NAN)
    row[:y.numel()] = y.detach().reshape(-1)
    return row, x.grad.numpy().reshape(-1)


def rows(operations, x, d, g, size):
    both = [apply(f, x, d, g, size) for f in operations.values()]
    return numpy.stack([b[0] for b in both]), numpy.stack([b[1] for b in both])


def main():
    arrays = {}
    for i, shape in enumerate(SHAPES):
        x = (draw(shape) * 4).round() / 4 + (draw(shape) if i % 2 else 0)
        x = x.float().double()
        arrays[f"{i}.x"] = x.float().numpy()
        for mask in range(1 if shape else 0, 2 ** len(shape)):
            d = [k for k in range(len(shape)) if mask >> k & 1]
            g = draw([n for k, n in enumerate(shape) if not mask >> k & 1])
            arrays[f"{i}.{mask}.g"] = g.float().numpy()
            arrays[f"{i}.{mask}.y"], arrays[f"{i}.{mask}.dx"] = rows(REDUCTIONS, x, d, g, g.numel())
        for axis in range(len(shape)):
            g = draw(shape)
            n = max(x.numel(), x.numel() // max(shape[axis], 1), int(numpy.prod(shape[:axis] + shape[axis + 1:])))
            g = draw((n,)) if n != x.numel() else g
            arrays[f"{i}.axis.{axis}.g"] = g.float().numpy().reshape(-1)
            arrays[f"{i}.axis.{axis}.y"], arrays[f"{i}.axis.{axis}.dx"] = rows(ALONG, x, axis, g, n)
            if shape[axis]:
                arrays[f"{i}.axis.{axis}.argmax"] = x.argmax(axis).numpy().astype("int32").reshape(-1)
    x = torch.tensor(SPECIAL, dtype=torch.float32).double()
    g = draw(x.shape)
    arrays["special.x"], arrays["special.g"] = x.float().numpy(), g.float().numpy()
    y, dx = rows(REDUCTIONS, x, [1], g, x.numel())
    z, dz = rows(ALONG, x, 1, g, x.numel())
    arrays["special.y"], arrays["special.dx"] = numpy.concatenate([y, z]), numpy.concatenate([dx, dz])
    arrays["special.argmax"] = x.argmax(1).numpy().astype("int32")
    safetensors_writer.save(__file__, arrays, torch, operations=" ".join([*REDUCTIONS, *ALONG]))


torch.set_num_threads(1)
main()
