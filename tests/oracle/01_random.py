#!/usr/bin/python3
"""What PyTorch's CPU generator draws, for tests/01_reading.c: digests of a million draws of each kind that is bit-equal,
the first few of them, and some normal draws themselves. Writes 01_random.safetensors beside this file."""
import os

os.environ["ATEN_CPU_CAPABILITY"] = "avx2"           # long normal draws depend on it in the last bits
import numpy
import torch

import safetensors_writer

N = 1_000_000
SEED = 5


def digest(array):
    """64-bit FNV-1a, over 32-bit words instead of bytes, its halves mixed after each."""
    h = 0xcbf29ce484222325
    for word in array.reshape(-1).view("<u4").tolist():
        h = (h ^ word) * 0x100000001b3 & 0xffffffffffffffff
        h ^= h >> 32
    return h


tensors, digests = {}, {}


def million(name, draw, seed=SEED):
    """Digest and first eight of what draw() gives after manual_seed(seed)."""
    torch.manual_seed(seed)
    x = draw().numpy()
    tensors[name + ".first"] = x[:8].copy()
    digests[name] = f"{digest(x):016x}"


def few(name, draw, seed=SEED):
    torch.manual_seed(seed)
    tensors[name] = draw().numpy()


for bound in (2, 10, 1000, 2**31 + 11, 2**32 - 1, 2**32, 10**18 + 9):
    million(f"below.{bound}", lambda: torch.randint(bound, (N,)))
million("u64", lambda: torch.empty(N, dtype=torch.int64).random_())
million("uniform", lambda: torch.rand(N))
million("uniform.double", lambda: torch.rand(N, dtype=torch.float64))
for low, high in ((-0.1, 0.3), (-1 / 28, 1 / 28), (1e-3, 1e6), (7, 7)):
    million(f"uniform.{numpy.float32(low):.9g}.{numpy.float32(high):.9g}", lambda: torch.empty(N).uniform_(low, high))
million("permutation", lambda: torch.randperm(N).int())
for p in (0, 0.1, 0.5, 0.9, 1):
    million(f"bernoulli.{p:g}", lambda: torch.empty(N).bernoulli_(p))

# What a seed is: its low 32 bits.
for seed in (0, SEED, 2**32 + 7, 2**63 + 12345, 2**64 - 1):
    million(f"seed.{seed}", lambda: torch.empty(N, dtype=torch.int64).random_(), seed)

# Normals, fewer than 16 at a time: one by one, in pairs of which the second waits in the generator.
few("normal.15", lambda: torch.randn(15))
few("normal.serial", lambda: torch.cat([torch.randn(k) for k in (1, 2, 3, 15, 7, 1, 8, 15)]))
few("normal.double", lambda: torch.randn(15, dtype=torch.float64))
million("normal.serial", lambda: torch.cat([torch.randn(k) for k in [1, 4, 5] * (N // 10)]))
few("normal.15.scaled", lambda: torch.empty(15).normal_(3, 0.7))

# Normals, 16 and more at a time.
few("normal.4096", lambda: torch.randn(4096))
for n in (16, 17, 31, 32, 100):
    few(f"normal.{n}", lambda: torch.randn(n))
few("normal.100.scaled", lambda: torch.empty(100).normal_(3, 0.7))


def mixture():
    """Everything drawn from one stream, so that each kind must leave the generator where PyTorch leaves it."""
    parts = []
    for _ in range(3):
        parts += [torch.randn(1), torch.rand(3), torch.randperm(7).float(), torch.randn(20), torch.randn(1),
                  torch.rand(1, dtype=torch.float64).float(), torch.empty(5).bernoulli_(0.3), torch.randn(3),
                  torch.randint(100, (2,)).float(), torch.randint(2**40, (1,)).float(),
                  torch.empty(4).uniform_(-2, 3), torch.randperm(1).float()]
    return torch.cat(parts)


few("mixture", mixture)

safetensors_writer.save(__file__, tensors, torch, seed=str(SEED), draws=str(N),
                        **{"digest." + kind: digests[kind] for kind in digests})
