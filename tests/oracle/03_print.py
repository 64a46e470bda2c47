#!/usr/bin/python3
"""What NumPy prints for arrays of many kinds, for tests/03_tensors.c: as float32, and widened to float64. Writes
03_print.safetensors beside this file: arrays case.N, and the metadata float32.N and float64.N, which are the texts."""
import numpy
import torch

import safetensors_writer

nan, inf = numpy.nan, numpy.inf
random = numpy.random.RandomState(3)
cases = [
    # single numbers
    0.0, -0.0, 1.0, -1.5, 3.14159274, 1e-4, 0.0001234, 9.99e-5, 1e-10, 1e15, 1e16, 1.5e16, 16777216.0, 67108872.0, 1e8,
    nan, inf, -inf, 1.2345679e-38, 3.4028235e38, 1e-45, 0.1,
    # vectors
    [], [1], [-1], [0, 0, 0], [-0.0, 0.0], [1, 2, 3], [1.5, 2, 3.25], [-1.5, 22, 3.25], [0.1, 0.2, 0.3],
    [1e-4, 1], [1.1e-4, 0.1], [9e-5, 0.01], [1e-4, 0.1001], [1, 1000], [1, 1001], [1e8, 1e8], [99999992, 1e6],
    [67108872, 67108880], [33554436, 1e6], [1e-5], [1e10, 2e10], [1e-45, 1], [3.4028235e38, -1], [1.5e-30, 2.25e30],
    [1 / 3, 2 / 3], [1 / 3, -200 / 3], [0.001953125, 1], [0.005859375, 1], [123456.789, 200], [0.12345678, 0.1],
    [0.99999999, 0.5], [5e-9, 1], [1e-30] * 3,
    # not finite
    [nan], [inf], [-inf], [nan, inf, -inf], [nan, 1], [inf, 1.5], [-inf, 1.5, 100], [nan, 123456], [nan, 1e-10],
    [-inf, 1e30, 1], [nan, 0.5, -inf], [inf, -1e-30],
    # lines
    list(range(30)), list(range(200)), [x / 7 for x in range(100)], [-x * 1e-9 for x in range(50)],
    [12345.678] * 40, [0.5] * 19, [0.5] * 25, [1e5 + 0.5] * 9, [x * 1e20 for x in range(20)], [nan] * 40, [7.0] * 1000,
    list(range(1001)), [nan] + [0.0] * 1500, [1e-12] + [1.0] * 2000, [1.0] * 5 + [1e9] + [1.0] * 2000,
    [x + 0.5 for x in range(1200)], [1 / 3] * 5000, 2.0 ** numpy.arange(-149, 128), 2.0 ** numpy.arange(-30, 27),
    10.0 ** numpy.arange(-45, 38),
    # matrices and more
    numpy.zeros((0, 3)), numpy.zeros((3, 0)), numpy.zeros((2, 3)), numpy.arange(12).reshape(3, 4),
    numpy.arange(24).reshape(2, 3, 4) / 8, numpy.arange(48).reshape(2, 2, 3, 4) - 20, numpy.eye(5),
    numpy.arange(60).reshape(2, 30) * 0.37, numpy.zeros((40, 40)), numpy.arange(6000).reshape(60, 100) / 9,
    numpy.arange(1200).reshape(2, 600), numpy.arange(1200).reshape(600, 2), numpy.arange(1200).reshape(3, 4, 100),
    numpy.arange(2401).reshape(7, 7, 7, 7), numpy.arange(1296).reshape(6, 6, 6, 6), numpy.arange(1001).reshape(1, 1001),
    numpy.arange(1001).reshape(1001, 1), numpy.ones((1, 1, 1, 1)), numpy.zeros((1, 2, 0, 2)),
    random.randn(5, 5), random.randn(3, 17), random.randn(50, 50), random.randn(30) * 1e-3, random.rand(4, 4) * 1e5,
    random.randn(3, 3) * numpy.array([1, 1e4, 1e-4]), random.rand(2, 3, 20), random.rand(1000), random.rand(8, 9, 10, 11),
    random.randint(-999, 999, (9, 9)), random.randint(0, 2, (20, 20)), random.standard_cauchy(200),
]

tensors, texts = {}, {}
for number, case in enumerate(cases):
    with numpy.errstate(all="ignore"):
        array = numpy.asarray(case, dtype=numpy.float32)
    tensors[f"case.{number}"] = array
    texts[f"float32.{number}"] = str(array)
    texts[f"float64.{number}"] = str(array.astype(numpy.float64))
# bit patterns from all over the floats
patterns = random.randint(0, 2**32, 5000, dtype=numpy.uint64).astype(numpy.uint32).view(numpy.float32)
powers = 2.0 ** numpy.arange(-149, 128).astype(numpy.float32)       # with unequal distances to their neighbours
tensors["patterns"] = numpy.concatenate([patterns[numpy.isfinite(patterns)], powers, -powers]).astype(numpy.float32)
texts["patterns.float32"] = "\n".join(str(x) for x in tensors["patterns"])
texts["patterns.float64"] = "\n".join(str(x) for x in tensors["patterns"].astype(numpy.float64))

safetensors_writer.save(__file__, tensors, torch, numpy=numpy.__version__, cases=str(len(cases)), **texts)
