#!/usr/bin/python3
"""Values and gradients of the pointwise operations for tests/07_pointwise.c. Writes 07_pointwise.safetensors beside this
file.

Case k, in double precision, has the inputs `k.a`, `k.b`, `k.c` (as many as the operation has; the condition or mask is the
last), the numbers `k.numbers`, `k.y`, the gradient at the output `k.g`, and the gradients `k.da`, `k.db`. `operation` holds
for each case the number of its operation in OPERATIONS.

Special case j (`operation_of_special`) has inputs and numbers of the same names behind `special.j.`, and results both in
single and in double precision: `.y32`, `.da32`, `.db32`, `.y64` and so on; the gradient at the output is 1."""
import numpy
import torch
from torch.nn import functional

import safetensors_writer

OPERATIONS = {
    "neg": torch.neg, "abs": torch.abs, "square": torch.square, "sqrt": torch.sqrt, "reciprocal": torch.reciprocal,
    "exp": torch.exp, "log": torch.log, "erf": torch.erf, "sin": torch.sin, "cos": torch.cos,
    "sigmoid": torch.sigmoid, "relu": torch.relu, "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"), "silu": functional.silu,
    "add_scalar": lambda x, c: x + c, "mul_scalar": lambda x, c: x * c, "pow_scalar": torch.pow,
    "clamp": torch.clamp, "leaky_relu": functional.leaky_relu, "elu": functional.elu,
    "softplus": functional.softplus,
    "sub": torch.sub, "div": torch.div, "pow": torch.pow, "maximum": torch.maximum, "minimum": torch.minimum,
    "where": lambda a, b, c: torch.where(c != 0, a, b),
    "masked_fill": lambda x, c, value: x.masked_fill(c != 0, value),
}
NUMBERS = {"add_scalar": [(0.75,)], "mul_scalar": [(-1.5,), (0,)], "pow_scalar": [(3,), (2.5,), (-1.5,), (0,), (1,)],
           "clamp": [(-1, 1), (0.5, 0.5)], "leaky_relu": [(0.01,), (0.25,)], "elu": [(1,), (1.5,)],
           "softplus": [(1,), (2.5,)], "masked_fill": [(-7.5,), (float("-inf"),)]}
POSITIVE = {"sqrt", "log", "pow_scalar", "pow"}         # the first input
NOT_ZERO = {"reciprocal", "div"}                        # the last one
ROUNDED = {"clamp", "maximum", "minimum"}               # to halves, so that there are ties
PAIRS = [
    ((), ()), ((1,), ()), ((5,), (5,)), ((5,), (1,)), ((1,), (5,)), ((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)),
    ((3, 4), (3, 1)), ((3, 1), (1, 4)), ((3, 4), ()), ((), (3, 4)), ((19, 33), (33,)), ((19, 33), (19, 1)),
    ((2, 3, 4, 5), (4, 5)), ((2, 3, 4, 5), (2, 1, 4, 1)), ((2, 1, 4, 1), (3, 1, 5)), ((1, 1, 1, 1), (7,)),
    ((2, 3, 1, 5), (2, 3, 4, 5)), ((0,), (1,)), ((0, 3), (3,)), ((2, 0), (1, 1)), ((1, 300), (3, 300)),
    ((2, 520), (2, 1)), ((520,), (2, 520)),
]
TRIPLES = [((), (), ()), ((5,), (5,), (5,)), ((3, 4), (3, 4), (4,)), ((4,), (3, 1), (3, 4)), ((), (), (3, 4)),
           ((3, 4), (), (3, 1)), ((2, 3, 4, 5), (4, 1), (2, 1, 1, 5)), ((1,), (0,), (1,)), ((2, 1, 520), (3, 1), (1,))]
MASKS = [((), ()), ((5,), (5,)), ((3, 4), (4,)), ((3, 4), (3, 1)), ((3, 4), ()), ((2, 3, 4, 5), (2, 1, 4, 1)), ((0, 3), (3,)),
         ((2, 520), (2, 1))]
SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4, 5), (0,), (3, 0), (70,)]
INFINITY, NAN = float("inf"), float("nan")
SPECIAL = [0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-40, -1e-40, 1, -1, 0.5, -0.5, 6, -6, 100, -100, 1e30, -1e30, 3e-8, -3e-8]

random = torch.Generator().manual_seed(7)


def draw(shape, name, last):
    """Numbers that a float can hold, in the operation's domain."""
    x = torch.randn(shape, generator=random)
    if name in POSITIVE and not (last and name == "pow"):
        x = x.abs() + 0.1
    if name in NOT_ZERO and last:
        x = x + 0.5 * x.sign()
    if name in ROUNDED:
        x = (2 * x).round() / 2
    return x.double()


def cases():
    for name in OPERATIONS:
        for numbers in NUMBERS.get(name, [()]):
            if name == "where":
                shapes = TRIPLES
            elif name == "masked_fill":
                shapes = MASKS
            else:
                shapes = PAIRS if name in ("sub", "div", "pow", "maximum", "minimum") else [(s,) for s in SHAPES]
            for s in shapes:
                inputs = [draw(shape, name, k == len(s) - 1) for k, shape in enumerate(s)]
                if name in ("where", "masked_fill"):
                    inputs[-1] = (torch.rand(s[-1], generator=random) < 0.5).double()
                yield name, inputs, numbers


def run(name, inputs, numbers, g=None):
    mask = inputs[-1:] if name in ("where", "masked_fill") else []
    leaves = [x.detach().clone().requires_grad_() for x in inputs[:len(inputs) - len(mask)]]
    y = OPERATIONS[name](*leaves, *mask, *numbers)
    g = torch.ones_like(y) if g is None else g(y.shape)
    y.backward(g)
    zero = [torch.zeros_like(x) if x.grad is None else x.grad for x in leaves]
    return y.detach().numpy(), g, [z.numpy() for z in zero]


def specials():
    x = torch.tensor(SPECIAL, dtype=torch.float64)
    a, b = (t.reshape(-1).contiguous() for t in torch.meshgrid(x, x, indexing="ij"))
    for name in OPERATIONS:
        for numbers in NUMBERS.get(name, [()]):
            if name == "where":
                yield name, [a, b, (torch.arange(len(a)) % 2).double()], numbers
            elif name == "masked_fill":
                yield name, [a, (b > 0).double()], numbers
            else:
                yield name, [a, b] if name in ("sub", "div", "pow", "maximum", "minimum") else [x], numbers


def main():
    names, arrays, operations, special = list(OPERATIONS), {}, [], []
    for k, (name, inputs, numbers) in enumerate(cases()):
        y, g, gradients = run(name, inputs, numbers, lambda s: torch.randn(s, generator=random).double())
        operations.append(names.index(name))
        arrays[f"{k}.y"], arrays[f"{k}.g"] = y, g.float().numpy()
        arrays[f"{k}.numbers"] = numpy.array(list(numbers) + [0] * (2 - len(numbers)), "float64")
        for letter, x in zip("abc", inputs):
            arrays[f"{k}.{letter}"] = x.float().numpy()
        for letter, d in zip("ab", gradients):
            arrays[f"{k}.d{letter}"] = d
    for j, (name, inputs, numbers) in enumerate(specials()):
        special.append(names.index(name))
        key = f"special.{j}"
        arrays[f"{key}.numbers"] = numpy.array(list(numbers) + [0] * (2 - len(numbers)), "float64")
        for letter, x in zip("abc", inputs):
            arrays[f"{key}.{letter}"] = x.numpy()
        for bits, dtype in ((32, torch.float32), (64, torch.float64)):
            y, _, gradients = run(name, [x.to(dtype) for x in inputs], numbers)
            arrays[f"{key}.y{bits}"] = y.astype("float64")
            for letter, d in zip("ab", gradients):
                arrays[f"{key}.d{letter}{bits}"] = d.astype("float64")
    arrays["operation"] = numpy.array(operations, "uint8")
    arrays["operation_of_special"] = numpy.array(special, "uint8")
    safetensors_writer.save(__file__, arrays, torch, operations=" ".join(OPERATIONS))


torch.set_num_threads(1)
main()
