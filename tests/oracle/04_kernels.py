#!/usr/bin/python3
"""The kernels of chapter 4 in PyTorch, in double precision, for tests/04_oracle.c: values, and what backward makes of a
gradient. Writes 04_kernels.safetensors beside this file.

`x` and `g` are the arguments and gradients of the elementwise functions (floats), `NAME.y` and `NAME.dx` what PyTorch makes
of them; `positive` replaces x for log and sqrt. `pair.a`, `pair.b` and `add` ... `div` are arithmetic, `rows.COLS.x`,
`rows.COLS.g` and `rows.COLS.NAME.y` the functions of rows, with `.dx` for softmax and its logarithm."""
import numpy
import torch

import safetensors_writer

MAPS = {
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf,
    "relu": torch.relu, "silu": torch.nn.functional.silu,
    # PyTorch's own GELUs take 1 + erf and 1 + tanh, and lose the tail
    "gelu": lambda x: x / 2 * torch.special.erfc(-x / 2 ** 0.5),
    "gelu_tanh": lambda x: x * torch.sigmoid((8 / torch.pi) ** 0.5 * (x + 0.044715 * x ** 3)),
}
PAIRS = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}
ROWS = {
    "softmax": lambda x: torch.softmax(x, 1), "log_softmax": lambda x: torch.log_softmax(x, 1),
    "logsumexp": lambda x: torch.logsumexp(x, 1), "mean": lambda x: x.mean(1),
    "variance": lambda x: x.var(1, unbiased=False),
}
COLS = [1, 2, 7, 16, 33, 64, 65, 128, 300, 1000]

random = torch.Generator().manual_seed(4)


def draw(*shape, scale=1.0):
    """Numbers that a float can hold."""
    return (torch.randn(shape, generator=random) * scale).double()


def with_gradient(arrays, name, function, x, g):
    x = x.clone().requires_grad_()
    y = function(x)
    y.backward(g)
    arrays[f"{name}.y"], arrays[f"{name}.dx"] = y.detach().numpy(), x.grad.numpy()


def main():
    x = torch.cat([draw(400), draw(300, scale=3), draw(100, scale=0.01), torch.linspace(-5, 5, 101).double(),
                   torch.tensor([0.0, 1, -1, 4.5, -4.5]).double()]).float().double()
    g = draw(*x.shape)
    positive = x.abs() + 2.0 ** -10
    arrays = {"x": x.float().numpy(), "positive": positive.float().numpy(), "g": g.float().numpy()}
    positive = positive.float().double()
    assert torch.allclose(MAPS["gelu"](x), torch.nn.functional.gelu(x), 1e-12, 1e-15)
    assert torch.allclose(MAPS["gelu_tanh"](x), torch.nn.functional.gelu(x, approximate="tanh"), 1e-12, 1e-15)
    for name, function in MAPS.items():
        with_gradient(arrays, name, function, positive if name in ("log", "sqrt") else x, g)
    a, b = draw(500), draw(500)
    arrays["pair.a"], arrays["pair.b"] = a.float().numpy(), b.float().numpy()
    for name, function in PAIRS.items():
        arrays[name] = function(a, b).numpy()
    for cols in COLS:
        x, g = draw(3, cols, scale=4), draw(3, cols)
        arrays[f"rows.{cols}.x"], arrays[f"rows.{cols}.g"] = x.float().numpy(), g.float().numpy()
        for name, function in ROWS.items():
            if "softmax" in name:
                with_gradient(arrays, f"rows.{cols}.{name}", function, x, g)
            else:
                arrays[f"rows.{cols}.{name}.y"] = function(x).numpy()
    arrays["cols"] = numpy.array(COLS, "int32")
    safetensors_writer.save(__file__, arrays, torch)


torch.set_num_threads(1)
main()
