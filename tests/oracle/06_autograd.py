#!/usr/bin/python3
"""Values and gradients of the first five operations on tensors, in double precision, for tests/06_autograd.c. Writes
06_autograd.safetensors beside this file.

Case k has the tensors `k.a`, `k.b` (not for tanh and sum), `k.y`, the gradient at the output `k.g`, and the gradients
`k.da`, `k.db`. `operation` holds, for each case, the number of its operation in OPERATIONS."""
import numpy
import torch

import safetensors_writer

OPERATIONS = ["add", "mul", "matmul", "tanh", "sum"]

PAIRS = [
    ((), ()), ((1,), ()), ((5,), (5,)), ((5,), (1,)), ((1,), (5,)), ((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)),
    ((3, 4), (3, 1)), ((3, 1), (1, 4)), ((3, 4), ()), ((), (3, 4)), ((19, 33), (33,)), ((19, 33), (19, 1)),
    ((2, 3, 4, 5), (4, 5)), ((2, 3, 4, 5), (2, 1, 4, 1)), ((2, 1, 4, 1), (3, 1, 5)), ((1, 1, 1, 1), (7,)),
    ((2, 3, 1, 5), (2, 3, 4, 5)), ((0,), (1,)), ((0, 3), (3,)), ((2, 0), (1, 1)), ((1, 300), (3, 300)),
]
PRODUCTS = [
    ((1, 1), (1, 1)), ((2, 3), (3, 4)), ((3, 3), (3, 3)), ((1, 7), (7, 5)), ((7, 1), (1, 5)), ((33, 20), (20, 17)),
    ((2, 3, 4), (4, 5)), ((2, 3, 4, 5), (5, 2)), ((0, 3), (3, 4)), ((2, 0), (0, 4)), ((2, 3), (3, 0)), ((20, 70), (70, 30)),
]
SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4, 5), (0,), (3, 0), (1000,)]


def cases():
    for name in ("add", "mul"):
        for a, b in PAIRS:
            yield name, a, b
    for a, b in PRODUCTS:
        yield "matmul", a, b
    for name in ("tanh", "sum"):
        for a in SHAPES:
            yield name, a, None


random = torch.Generator().manual_seed(6)


def draw(shape):
    """Numbers that a float can hold."""
    return torch.randn(shape, generator=random).double()


def main():
    arrays, operations = {}, []
    for k, (name, *shapes) in enumerate(cases()):
        inputs = [draw(s).requires_grad_() for s in shapes if s is not None]
        y = getattr(torch, name)(*inputs)
        g = draw(y.shape)
        y.backward(g)
        operations.append(OPERATIONS.index(name))
        arrays[f"{k}.y"], arrays[f"{k}.g"] = y.detach().numpy(), g.float().numpy()
        for letter, x in zip("ab", inputs):
            arrays[f"{k}.{letter}"], arrays[f"{k}.d{letter}"] = x.detach().float().numpy(), x.grad.numpy()
    arrays["operation"] = numpy.array(operations, "uint8")
    safetensors_writer.save(__file__, arrays, torch, operations=" ".join(OPERATIONS))


torch.set_num_threads(1)
main()
