#!/usr/bin/python3
"""Values and gradients of the products, in double precision, for tests/07_products.c. Writes 07_products.safetensors
beside this file.

`bmm.k` has the factors a, b, the flags, the product y, the gradient at it g, and da, db. `linear.k` has x, w, bias (if
`flags` has bit 0), and for each activation f the values y.f, and gradients dx.f, dw.f, dbias.f from the common g."""
import numpy
import torch

import safetensors_writer

BATCHES = [((1,), 1, 1, 1), ((2,), 2, 3, 4), ((3,), 5, 5, 5), ((2, 3), 4, 2, 3), ((1, 1), 7, 1, 5), ((5,), 1, 6, 1),
           ((2,), 17, 19, 18), ((0,), 2, 3, 4), ((2, 0), 2, 3, 4), ((3,), 0, 2, 3), ((3,), 2, 0, 3), ((3,), 2, 3, 0),
           ((1,), 9, 20, 70)]
LAYERS = [((4,), 3), ((1,), 1), ((1, 5), 2), ((5, 4), 3), ((19, 20), 17), ((2, 3, 4), 5), ((2, 2, 3, 4), 6), ((0, 3), 4),
          ((3, 0), 2), ((3, 4), 0), ((9, 70), 33), ((100, 2), 16), ((100, 16), 1), ((2, 0, 3), 4)]
ACTIVATIONS = [lambda x: x, torch.relu, torch.tanh, torch.sigmoid]

random = torch.Generator().manual_seed(77)


def draw(shape):
    """Numbers that a float can hold."""
    return torch.randn(shape, generator=random).double()


def gradients(y, g, *inputs):
    return [d.numpy() for d in torch.autograd.grad(y, inputs, g, retain_graph=True)]


def main():
    arrays, k = {}, 0
    for lead, m, n, p in BATCHES:
        for flags in range(4):
            ta, tb = flags & 1, flags >> 1
            a = draw(lead + ((p, m) if ta else (m, p))).requires_grad_()
            b = draw(lead + ((n, p) if tb else (p, n))).requires_grad_()
            y = (a.mT if ta else a) @ (b.mT if tb else b)
            g = draw(y.shape)
            da, db = gradients(y, g, a, b)
            arrays[f"bmm.{k}.flags"] = numpy.array([flags], "uint8")
            for name, t in (("a", a), ("b", b), ("g", g)):
                arrays[f"bmm.{k}.{name}"] = t.detach().float().numpy()
            for name, t in (("y", y.detach().numpy()), ("da", da), ("db", db)):
                arrays[f"bmm.{k}.{name}"] = t
            k += 1
    arrays["bmm"], k = numpy.array([k], "int32"), 0
    for shape, out in LAYERS:
        for with_bias in range(2):
            x, w, bias = draw(shape).requires_grad_(), draw((out, shape[-1])).requires_grad_(), draw((out,)).requires_grad_()
            g = draw(shape[:-1] + (out,))
            arrays[f"linear.{k}.flags"] = numpy.array([with_bias], "uint8")
            for name, t in (("x", x), ("w", w), ("bias", bias), ("g", g)):
                arrays[f"linear.{k}.{name}"] = t.detach().float().numpy()
            for f, activation in enumerate(ACTIVATIONS):
                y = activation(torch.nn.functional.linear(x, w, bias if with_bias else None))
                arrays[f"linear.{k}.y.{f}"] = y.detach().numpy()
                names = ["dx", "dw", "dbias"][:2 + with_bias]
                for name, d in zip(names, gradients(y, g, *[x, w, bias][:2 + with_bias])):
                    arrays[f"linear.{k}.{name}.{f}"] = d
            k += 1
    arrays["linear"] = numpy.array([k], "int32")
    safetensors_writer.save(__file__, arrays, torch)


torch.set_num_threads(1)
main()
