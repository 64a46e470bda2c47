#!/usr/bin/python3
"""Values and gradients of the losses, in double precision, for tests/08_loss.c, and the orders in which PyTorch's
DataLoader gives out its examples, for tests/08_dataset.c. Writes 08_loss.safetensors beside this file.

Case k of the losses of two numbers has `k.x`, `k.t`, `k.y`, and the gradients `k.dx`, `k.dt` of 1.5 y; `k.c` is Huber's
delta. `loss` holds the number of its loss in LOSSES. Case k of the cross-entropy is named `ce.k`: `x`, `label`, `y`, `dx`,
and `weight`, `options` = [label smoothing, ignore index or 1e9]; `nll.k` and `cos.k` are alike. `order.k` is an order for
`order.k.what` = [n, seed, batch, shuffle, drop_last, epochs]."""
import numpy
import torch
from torch.nn import functional

import safetensors_writer

LOSSES = ["mse", "l1", "huber", "hinge", "bce", "kl"]
SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4, 5), (300,), (17, 9)]

random = torch.Generator().manual_seed(8)
arrays = {}


def draw(shape, scale=1):
    """Numbers that a float can hold."""
    return (scale * torch.randn(shape, generator=random)).float().double()


def uniform(shape):
    return torch.rand(shape, generator=random).double()


def loss(name, x, t, c):
    if name == "huber":
        return functional.huber_loss(x, t, delta=c)
    if name == "hinge":
        return (1 - t * x).clamp(min=0).mean()
    if name == "bce":
        return functional.binary_cross_entropy_with_logits(x, t)
    if name == "kl":
        return functional.kl_div(x, t, reduction="batchmean")
    return getattr(functional, name + "_loss")(x, t)


def targets(name, shape):
    if name == "hinge":
        return 2.0 * torch.randint(2, shape, generator=random).double() - 1
    if name == "bce":
        return (uniform(shape) * 4).round() / 4 if len(shape) > 1 else torch.randint(2, shape, generator=random).double()
    if name == "kl":
        return (uniform(shape) + 0.01).float().double()
    return draw(shape)


def pairs():
    numbers, k = [], 0
    for name in LOSSES:
        for shape in SHAPES[1 if name == "kl" else 0:]:
            for scale in (1, 20):
                c = float(numpy.float32(0.7 * scale))
                x, t = draw(shape, scale).requires_grad_(), targets(name, shape).requires_grad_()
                y = loss(name, x, t, c)
                (1.5 * y).backward()
                arrays.update({f"{k}.x": x.detach().float().numpy(), f"{k}.t": t.detach().float().numpy(),
                               f"{k}.c": numpy.array(c, "float32"), f"{k}.y": y.detach().numpy(),
                               f"{k}.dx": x.grad.numpy(), f"{k}.dt": t.grad.numpy()})
                numbers.append(LOSSES.index(name))
                k += 1
    arrays["loss"] = numpy.array(numbers, "uint8")


def entropies():
    k = 0
    for n, classes in ((1, 1), (1, 10), (7, 2), (19, 10), (64, 10), (5, 300)):
        for scale in (1, 30):
            for smoothing in (0.0, 0.125, 1.0):
                for weighted in (False, True):
                    for ignore in (None, -100, 0):
                        if n * classes > 500 and (smoothing == 1.0 or ignore == 0 or scale == 1):
                            continue
                        x = draw((n, classes), scale).requires_grad_()
                        label = torch.randint(classes, (n,), generator=random)
                        if ignore == -100:
                            label[1::3] = -100
                        weight = (uniform((classes,)) + 0.1).float().double() if weighted else None
                        y = functional.cross_entropy(x, label, weight, label_smoothing=smoothing,
                                                     ignore_index=-100 if ignore is None else ignore)
                        if not torch.isfinite(y):       # no row remains
                            continue
                        (1.5 * y).backward()
                        arrays.update({f"ce.{k}.x": x.detach().float().numpy(), f"ce.{k}.label": label.int().numpy(),
                                       f"ce.{k}.y": y.detach().numpy(), f"ce.{k}.dx": x.grad.numpy(),
                                       f"ce.{k}.options": numpy.array([smoothing, 1e9 if ignore is None else ignore])})
                        if weighted:
                            arrays[f"ce.{k}.weight"] = weight.float().numpy()
                        k += 1
    arrays["ce"] = numpy.array(k, "int32")


def picks():
    for k, (n, classes) in enumerate(((1, 1), (5, 3), (64, 10))):
        x = draw((n, classes)).requires_grad_()
        label = torch.randint(classes, (n,), generator=random)
        y = functional.nll_loss(x, label)
        (1.5 * y).backward()
        arrays.update({f"nll.{k}.x": x.detach().float().numpy(), f"nll.{k}.label": label.int().numpy(),
                       f"nll.{k}.y": y.detach().numpy(), f"nll.{k}.dx": x.grad.numpy()})


def angles():
    for k, shape in enumerate(((1,), (5,), (3, 4), (2, 3, 7), (2, 2, 3, 4), (4, 100))):
        a, b, g = draw(shape).requires_grad_(), draw(shape).requires_grad_(), draw(shape[:-1])
        y = functional.cosine_similarity(a, b, dim=-1)
        y.backward(g)
        arrays.update({f"cos.{k}.a": a.detach().float().numpy(), f"cos.{k}.b": b.detach().float().numpy(),
                       f"cos.{k}.g": g.float().numpy(), f"cos.{k}.y": y.detach().numpy(),
                       f"cos.{k}.da": a.grad.numpy(), f"cos.{k}.db": b.grad.numpy()})


def orders():
    """Draws from the global generator follow, so that it is known to be where PyTorch's is."""
    for k, what in enumerate(((1, 1, 1, 1, 0, 2), (10, 5, 3, 1, 0, 3), (10, 5, 3, 1, 1, 3), (10, 5, 3, 0, 0, 2),
                              (1797, 42, 64, 1, 0, 2), (64, 7, 64, 1, 1, 2), (5, 9, 8, 1, 0, 2))):
        n, seed, batch, shuffle, drop_last, epochs = what
        torch.manual_seed(seed)
        loader = torch.utils.data.DataLoader(list(range(n)), batch_size=batch, shuffle=bool(shuffle), drop_last=bool(drop_last))
        order = [int(i) for _ in range(epochs) for b in loader for i in b]
        arrays[f"order.{k}.what"] = numpy.array(what, "int32")
        arrays[f"order.{k}"] = numpy.array(order, "int32")
        arrays[f"order.{k}.next"] = torch.rand(3).numpy()


torch.set_num_threads(1)
pairs()
entropies()
picks()
angles()
orders()
safetensors_writer.save(__file__, arrays, torch, losses=" ".join(LOSSES))
