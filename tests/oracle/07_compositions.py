#!/usr/bin/python3
"""Three networks in PyTorch, in double precision, for tests/07_compositions.c: an LSTM over 8 steps, layer norm with causal
attention of several heads, a 3x3 convolution. Writes 07_compositions.safetensors beside this file.

Each network has its inputs and parameters `lstm.x`, `lstm.weight_ih_l0`, ..., the result `lstm.y`, the gradient at the
result `lstm.g`, and the gradients `lstm.d.x`, `lstm.d.weight_ih_l0`, ..."""
import torch

import safetensors_writer

random = torch.Generator().manual_seed(77)


def draw(*shape, scale=1.0):
    """Numbers that a float can hold."""
    return (scale * torch.randn(shape, generator=random)).double().requires_grad_()


def fill(module):
    """Parameters that a float can hold, by name."""
    module = module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(draw(*p.shape, scale=p.shape[-1] ** -0.5))
    return dict(module.named_parameters())


def lstm():
    net = torch.nn.LSTM(5, 7)
    tensors = {"x": draw(8, 3, 5), "h": draw(3, 7), "c": draw(3, 7), **fill(net)}
    y, _ = net(tensors["x"], (tensors["h"][None], tensors["c"][None]))
    return tensors, y


def attention():
    norm, net = torch.nn.LayerNorm(12), torch.nn.MultiheadAttention(12, 3, batch_first=True)
    tensors = {"x": draw(2, 9, 12), **fill(net), **{"norm." + name: p for name, p in fill(norm).items()}}
    n = norm(tensors["x"])
    future = torch.ones(9, 9, dtype=torch.bool).triu(1)
    y, _ = net(n, n, n, attn_mask=future, need_weights=False)
    return tensors, tensors["x"] + y


def conv():
    tensors = {"x": draw(2, 3, 6, 5), "weight": draw(4, 3, 3, 3, scale=0.2), "bias": draw(4)}
    return tensors, torch.nn.functional.conv2d(tensors["x"], tensors["weight"], tensors["bias"], padding=1)


def main():
    arrays = {}
    for network in (lstm, attention, conv):
        tensors, y = network()
        g = draw(*y.shape).detach()
        y.backward(g)
        name = network.__name__
        arrays[f"{name}.y"], arrays[f"{name}.g"] = y.detach().numpy(), g.float().numpy()
        for key, t in tensors.items():
            arrays[f"{name}.{key}"], arrays[f"{name}.d.{key}"] = t.detach().float().numpy(), t.grad.numpy()
    safetensors_writer.save(__file__, arrays, torch)


torch.set_num_threads(1)
main()
