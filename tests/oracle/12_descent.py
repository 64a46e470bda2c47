#!/usr/bin/python3
"""Least squares by NumPy's singular values, for tests/12_descent.c. Writes 12_descent.safetensors beside this file.

Case k has `a.k`, [rows, columns], `y.k`, and for the ridge number r of `ridges` the solution `w.k.r` that makes
|a w - y|^2 + ridge |w|^2 least, the shortest one if there are many; `smallest.k` is a's least singular value."""
import numpy
import torch

import safetensors_writer

SHAPES = [(1, 1), (1, 4), (4, 1), (2, 2), (5, 3), (3, 5), (7, 7), (40, 20), (20, 40), (100, 3), (3, 100), (30, 30)]
RIDGES = [0, 1e-3, 2.5]


def main():
    random = numpy.random.default_rng(12)
    arrays = {"ridges": numpy.array(RIDGES), "cases": numpy.array([len(SHAPES) + 1], "int32")}
    matrices = [random.standard_normal(shape) for shape in SHAPES]
    hard = random.standard_normal((12, 8))
    u, _, vt = numpy.linalg.svd(hard, full_matrices=False)
    matrices.append(u * numpy.logspace(0, -6, 8) @ vt)            # its square has a condition number of 1e12
    for k, a in enumerate(matrices):
        y = random.standard_normal(a.shape[0])
        u, s, vt = numpy.linalg.svd(a, full_matrices=False)
        arrays[f"a.{k}"], arrays[f"y.{k}"] = a, y
        arrays[f"smallest.{k}"] = s[-1:]
        for r, ridge in enumerate(RIDGES):
            arrays[f"w.{k}.{r}"] = vt.T @ (s / (s * s + ridge) * (u.T @ y))
    safetensors_writer.save(__file__, arrays, torch)


main()
