#!/usr/bin/python3
"""The data set MNIST-1D, after its description and with NumPy's draws, for tests/12_mnist1d.c. Writes 12_mnist1d.safetensors
beside this file: `shapes`, [10, 12]; of the set from seed 42 the first examples `x`, all `labels`, and in the metadata a
digest of all 200,000 numbers, and `after`, the uniform number drawn behind them; `small`: all of the set with one example of each digit, from seed 7."""
import numpy
import torch

import safetensors_writer

DRAWN = ["5 6 6.5 6.75 7 7 7 7 6.75 6.5 6 5", "5 3 3 3.4 3.8 4.2 4.6 5 5.4 5.8 5 5", "5 6 6.5 6.5 6 5.25 4.75 4 3.5 3.5 4 5",
         "5 6 6.5 6.5 6 5 5 6 6.5 6.5 6 5", "5 4.4 3.8 3.2 2.6 2.6 5 5 5 5 5 5", "5 3 3 3 3 5 6 6.5 6.5 6 4.5 5",
         "5 4 3.5 3.25 3 3 3 3 3.25 3.5 4 5", "5 7 7 6.6 6.2 5.8 5.4 5 4.6 4.2 5 5", "5 4 3.5 3.5 4 5 5 4 3.5 3.5 4 5",
         "5 4 3.5 3.5 4 5 5 5 5 4.7 4.3 5"]


def shapes():
    x = numpy.array([[float(word) for word in line.split()] for line in DRAWN])
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    return (x - x[:, :1]) / 6


def interpolate(x, n):
    return numpy.interp(numpy.linspace(0, 1, n), numpy.linspace(0, 1, len(x)), x)


def smooth(x):
    weight = numpy.exp(-0.5 * (numpy.arange(-8, 9) / 2.0) ** 2)
    return numpy.convolve(numpy.pad(x, 8, mode="symmetric"), weight / weight.sum(), "valid")


def signal(shape, random):
    x = numpy.concatenate([shape + 1e-8, numpy.zeros(36 + int(random.rand() * 25))])
    x = interpolate(x, 72) * (1 + 0.4 * (random.rand() - 0.5))
    x = numpy.roll(x, random.choice(48))
    noise = smooth(0.25 * random.randn(72))
    x = numpy.where(x == 0, noise, x) + 0.02 * random.randn(72)
    return interpolate(x - 0.75 * (random.rand() - 0.5) * numpy.linspace(-0.5, 0.5, 72), 40)


def make(each, seed):
    random = numpy.random.RandomState(seed)
    x = numpy.array([signal(shape, random) for shape in shapes() for _ in range(each)])
    order = random.permutation(10 * each)
    return ((x - x.mean()) / x.std())[order].astype("float32"), (order // each).astype("uint8"), random.rand()


def digest(array):
    """64-bit FNV-1a, over 32-bit words instead of bytes, its halves mixed after each."""
    h = 0xcbf29ce484222325
    for word in array.reshape(-1).view("<u4").tolist():
        h = (h ^ word) * 0x100000001b3 & 0xffffffffffffffff
        h ^= h >> 32
    return h


def main():
    x, labels, after = make(500, 42)
    small, small_labels, _ = make(1, 7)
    safetensors_writer.save(__file__, {"shapes": shapes(), "x": x[:50], "labels": labels, "small": small,
                                       "small_labels": small_labels, "after": numpy.array([after])}, torch, digest=f"{digest(x):016x}")


main()
