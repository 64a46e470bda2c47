#!/usr/bin/python3
"""Values and gradients of the operations that move numbers, for tests/07_rearrange.c. Writes 07_rearrange.safetensors
beside this file.

Case k has the inputs `k.x0`, `k.x1`, ... (each different tensor once), the result `k.y`, the gradient at the result `k.g`,
the gradients `k.d0`, `k.d1`, ..., and `k.args`, the numbers that follow the tensors in the call. `operation` holds, for
each case, the number of its operation in OPERATIONS. The arguments are those of the functions below."""
import numpy
import torch

import safetensors_writer

OPERATIONS = {
    "permute": lambda x, *axes: x[0].permute(axes),
    "transpose": lambda x, a, b: x[0].transpose(a, b),
    "slice": lambda x, axis, start, length: x[0].narrow(axis, start, length),
    "cat": lambda x, axis, *which: torch.cat([x[k] for k in which], axis),
    "stack": lambda x, axis, *which: torch.stack([x[k] for k in which], axis),
    "expand": lambda x, *shape: x[0].expand(shape),
    "flip": lambda x, axis: x[0].flip(axis),
    "index_select": lambda x, axis, *index: x[0].index_select(axis, torch.tensor(index, dtype=torch.int64)),
    "gather": lambda x, axis, *rest: x[0].gather(axis, torch.tensor(rest[x[0].dim():], dtype=torch.int64)
                                                 .reshape(rest[:x[0].dim()])),
    "embedding": lambda x, *ids: torch.nn.functional.embedding(torch.tensor(ids, dtype=torch.int64), x[0]),
}

CASES = [
    ("permute", [()], []), ("permute", [(5,)], [0]), ("permute", [(5,)], [-1]), ("permute", [(3, 4)], [1, 0]),
    ("permute", [(3, 4)], [-2, -1]), ("permute", [(33, 47)], [1, 0]), ("permute", [(2, 3, 4)], [2, 0, 1]),
    ("permute", [(2, 3, 4)], [1, 2, 0]), ("permute", [(2, 3, 4, 5)], [0, 2, 1, 3]), ("permute", [(2, 3, 4, 5)], [3, 2, 1, 0]),
    ("permute", [(2, 3, 4, 5)], [1, -1, 0, 2]), ("permute", [(2, 3, 4, 5)], [2, 3, -4, 1]), ("permute", [(2, 0, 3)], [1, 2, 0]),
    ("permute", [(1, 1, 7)], [2, 1, 0]), ("permute", [(17, 2, 19)], [2, 1, 0]),
    ("transpose", [(5,)], [0, 0]), ("transpose", [(3, 4)], [0, 1]), ("transpose", [(3, 4)], [-1, 1]),
    ("transpose", [(2, 3, 4)], [-1, -2]), ("transpose", [(2, 3, 4)], [0, 2]), ("transpose", [(2, 3, 4, 5)], [1, 2]),
    ("transpose", [(2, 3, 4, 5)], [-1, 0]), ("transpose", [(0, 3)], [0, 1]), ("transpose", [(40, 21)], [0, 1]),
    ("slice", [(5,)], [0, 1, 3]), ("slice", [(5,)], [-1, 0, 5]), ("slice", [(5,)], [0, 5, 0]), ("slice", [(3, 4)], [1, 1, 2]),
    ("slice", [(3, 4)], [0, 2, 1]), ("slice", [(2, 3, 4)], [1, 1, 2]), ("slice", [(2, 3, 4)], [-1, 3, 1]),
    ("slice", [(2, 3, 4, 5)], [1, 0, 2]), ("slice", [(2, 3, 4, 5)], [-2, 1, 3]), ("slice", [(2, 3, 4, 5)], [3, 4, 1]),
    ("slice", [(0, 4)], [1, 1, 2]), ("slice", [(3, 0)], [0, 1, 1]), ("slice", [(3, 40)], [1, 7, 20]),
    ("cat", [(3,)], [0, 0]), ("cat", [(3,), (2,)], [0, 0, 1]), ("cat", [(3, 4), (3, 2)], [1, 0, 1]),
    ("cat", [(3, 4), (2, 4), (1, 4)], [0, 0, 1, 2]), ("cat", [(3, 4), (3, 1)], [-1, 0, 1, 0, 0]), ("cat", [(2, 3, 4)], [1, 0, 0, 0]),
    ("cat", [(2, 3, 4), (2, 0, 4)], [1, 1, 0, 1]), ("cat", [(2, 3, 4, 5), (2, 3, 1, 5)], [-2, 1, 0]),
    ("cat", [(2, 3, 4, 5), (2, 3, 4, 7)], [3, 0, 1]), ("cat", [(0, 3), (0, 2)], [1, 0, 1]), ("cat", [(1,)] * 12, [0] + list(range(12))),
    ("stack", [()], [0, 0, 0]), ("stack", [(), ()], [-1, 0, 1]), ("stack", [(3,), (3,)], [0, 0, 1]), ("stack", [(3,), (3,)], [1, 1, 0]),
    ("stack", [(3,), (3,)], [-1, 0, 1, 0]), ("stack", [(3, 4), (3, 4)], [1, 0, 1]), ("stack", [(2, 3, 4), (2, 3, 4)], [2, 0, 1, 1]),
    ("stack", [(2, 3, 4), (2, 3, 4)], [-4, 0, 1]), ("stack", [(2, 3, 4)], [3, 0]), ("stack", [(0, 3), (0, 3)], [1, 0, 1]),
    ("stack", [(2, 3)] * 9, [1] + list(range(9))),
    ("expand", [()], [3]), ("expand", [()], []), ("expand", [(1,)], [4]), ("expand", [(3,)], [2, 3]), ("expand", [(3, 1)], [3, 5]),
    ("expand", [(3, 1)], [2, 3, 4]), ("expand", [(1, 3, 1)], [2, 3, 4]), ("expand", [(2, 1, 4, 1)], [2, 3, 4, 5]),
    ("expand", [(4, 1)], [2, 3, 4, 1]), ("expand", [(1, 3)], [0, 3]), ("expand", [(3, 4)], [3, 4]), ("expand", [(1, 2)], [40, 2]),
    ("flip", [(5,)], [0]), ("flip", [(1,)], [0]), ("flip", [(3, 4)], [0]), ("flip", [(3, 4)], [-1]), ("flip", [(2, 3, 4)], [1]),
    ("flip", [(2, 3, 4, 5)], [-3]), ("flip", [(2, 3, 4, 5)], [2]), ("flip", [(2, 3, 4, 5)], [-1]), ("flip", [(0, 3)], [0]),
    ("flip", [(3, 0)], [0]), ("flip", [(2, 5, 9)], [1]),
    ("index_select", [(5,)], [0, 4, 0, 4, 4]), ("index_select", [(5,)], [0]), ("index_select", [(3, 4)], [0, 2, 1]),
    ("index_select", [(3, 4)], [1, 3, 3, 0, 1, 3]), ("index_select", [(2, 3, 4)], [1, 0, 2, 2, 2]), ("index_select", [(2, 3, 4)], [-1, 1]),
    ("index_select", [(2, 3, 4, 5)], [-2, 3, 3, 0]), ("index_select", [(2, 3, 4, 5)], [0, 1, 1]), ("index_select", [(2, 3, 4, 5)], [-1, 4, 0, 4]),
    ("index_select", [(0, 4)], [1, 2, 2]), ("index_select", [(3, 0)], [0, 2, 2]), ("index_select", [(4, 20)], [0] + [1, 3, 1] * 20),
    ("gather", [(5,)], [0, 3, 4, 4, 0]), ("gather", [(5,)], [-1, 0]), ("gather", [(3, 4)], [1, 3, 1, 0, 3, 3]),
    ("gather", [(3, 4)], [0, 2, 4, 2, 1, 0, 0, 2, 2, 2, 0]), ("gather", [(3, 4)], [-1, 2, 3, 0, 0, 0, 1, 2, 3]),
    ("gather", [(3, 4)], [0, 5, 2] + [2, 0, 1, 1, 1, 0, 2, 0, 2, 1]), ("gather", [(3, 2, 2)], [0, 1, 2, 2, 2, 0, 2, 1]),
    ("gather", [(2, 3, 4)], [1, 2, 2, 3] + [0, 1, 2, 2, 2, 2, 1, 0, 1, 0, 0, 1]), ("gather", [(2, 3, 4)], [2, 1, 3, 2] + [3, 3, 0, 1, 2, 2]),
    ("gather", [(2, 3, 2, 3)], [1, 2, 2, 2, 3] + [2, 0, 1, 2, 2, 2, 0, 0, 1, 1, 1, 0] * 2),
    ("gather", [(2, 3, 2, 3)], [-1, 2, 2, 2, 1] + [2, 0, 1, 2, 2, 2, 0, 0]),
    ("gather", [(2, 2, 3, 2)], [0, 1, 2, 3, 2] + [1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0]),
    ("gather", [(2, 2, 3, 2)], [2, 2, 1, 4, 2] + [1, 2, 1, 1, 0, 0, 2, 0, 1, 1, 1, 2, 2, 2, 2, 0]), ("gather", [(3, 4)], [1, 0, 2]),
    ("gather", [(3, 4)], [1, 3, 0]),
    ("embedding", [(5, 3)], [4]), ("embedding", [(5, 3)], [1, 1, 4, 0, 1]), ("embedding", [(5, 3)], []), ("embedding", [(1, 1)], [0, 0]),
    ("embedding", [(5, 0)], [1, 2]), ("embedding", [(7, 33)], [6, 0, 6, 3, 3, 3, 6]),
]

random = torch.Generator().manual_seed(7)


def draw(shape):
    """Numbers that a float can hold."""
    return torch.randn(shape, generator=random).double()


def main():
    arrays, operations = {}, []
    for k, (name, shapes, args) in enumerate(CASES):
        inputs = [draw(s).requires_grad_() for s in shapes]
        y = OPERATIONS[name](inputs, *args)
        g = draw(y.shape)
        y.backward(g)
        operations.append(list(OPERATIONS).index(name))
        arrays[f"{k}.y"], arrays[f"{k}.g"] = y.detach().numpy(), g.float().numpy()
        arrays[f"{k}.args"] = numpy.array(args, "int32")
        for i, x in enumerate(inputs):
            arrays[f"{k}.x{i}"], arrays[f"{k}.d{i}"] = x.detach().float().numpy(), x.grad.numpy()
    arrays["operation"] = numpy.array(operations, "uint8")
    arrays["inputs"] = numpy.array([len(shapes) for _, shapes, _ in CASES], "uint8")
    safetensors_writer.save(__file__, arrays, torch, operations=" ".join(OPERATIONS))


torch.set_num_threads(1)
main()
