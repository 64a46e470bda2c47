#!/usr/bin/python3
"""What torch.nn.Linear and torch.nn.init draw, and twenty steps of a first training, for tests/09_network.c. Writes
09_network.safetensors beside this file. Fashion-MNIST is read from $DLFS_DATA, else where Debian's package puts it.

Case k of the layers, [in, out, with bias] = `layer.k`, all drawn one after the other from one seed, has `layer.k.weight`,
`layer.k.bias`; `layer.next` is drawn behind them. Case k of the initialisations has `init.k`, its kind as a number of KINDS,
two arguments, and the seed, in `init.k.what`, and the next uniform draw in `init.k.next`. `losses.s.float` and
`losses.s.double` are those of twenty steps from seed s; metadata `digest.s` is a digest of all first weights."""
import gzip
import os

os.environ["ATEN_CPU_CAPABILITY"] = "avx2"           # long normal draws depend on it in the last bits
import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import safetensors_writer

LAYERS = [(0, 3, 1), (4, 3, 1), (1, 1, 1), (7, 5, 0), (3, 0, 1), (17, 9, 1), (2, 30, 1), (64, 1, 0), (5, 4, 1)]
KINDS = ["xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal"]
SHAPES = [(1, 1), (3, 4), (20, 7), (7, 20), (4, 3, 5), (6, 4, 3, 3), (16, 16), (2, 30)]
ARGUMENTS = {"xavier": [(1, 0), (5 / 3, 0), (0.25, 0)], "kaiming": [(0, 0), (0, 1), (5 ** 0.5, 0), (0.01, 1)],
             "orthogonal": [(1, 0), (0.5, 0)]}
arrays, digests = {}, {}


def digest(array):
    """64-bit FNV-1a, over 32-bit words instead of bytes, its halves mixed after each."""
    h = 0xcbf29ce484222325
    for word in array.reshape(-1).view("<u4").tolist():
        h = (h ^ word) * 0x100000001b3 & 0xffffffffffffffff
        h ^= h >> 32
    return h


def layers():
    torch.manual_seed(9)
    for k, (inputs, outputs, bias) in enumerate(LAYERS):
        layer = nn.Linear(inputs, outputs, bias=bool(bias))
        arrays[f"layer.{k}"] = numpy.array([inputs, outputs, bias], "int32")
        for name, p in layer.named_parameters():
            arrays[f"layer.{k}.{name}"] = p.detach().numpy()
    arrays["layer.next"] = torch.rand(1).numpy()
    arrays["layers"] = numpy.array([len(LAYERS)], "int32")


def inits():
    k = 0
    for kind in KINDS:
        for shape in SHAPES:
            for first, second in ARGUMENTS[kind.split("_")[0]]:
                torch.manual_seed(100 + k)
                w = torch.empty(shape)
                init = getattr(nn.init, kind + "_")
                if kind.startswith("kaiming"):
                    init(w, a=first, mode=("fan_in", "fan_out")[second])
                else:
                    init(w, gain=first)
                arrays[f"init.{k}"] = w.numpy()
                arrays[f"init.{k}.what"] = numpy.array([KINDS.index(kind), first, second, 100 + k], "float64")
                arrays[f"init.{k}.next"] = torch.rand(1).numpy()
                k += 1
    arrays["inits"] = numpy.array([k], "int32")


def read(name, skip):
    folder = os.environ.get("DLFS_DATA") or "/usr/share/datasets/fashion-mnist"
    with gzip.open(os.path.join(folder, name)) as file:
        return torch.from_numpy(numpy.frombuffer(file.read(), "uint8", offset=skip).copy())


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def digest_of(parameters):
    return f"{digest(torch.cat([p.detach().flatten() for p in parameters]).numpy()):016x}"


def train(data, seed, dtype):
    torch.manual_seed(seed)
    model = Network()
    digests[f"digest.{seed}"] = digest_of(model.parameters())
    model = model.to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, y in DataLoader(data, batch_size=64, shuffle=True):
        loss = nn.functional.cross_entropy(model(x.to(dtype)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if len(losses) == 20:
            return numpy.array(losses)


def main():
    layers()
    inits()
    images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28).float() / 255
    labels = read("train-labels-idx1-ubyte.gz", 8).long()
    for seed in (1, 2, 3):
        arrays[f"losses.{seed}.float"] = train(TensorDataset(images, labels), seed, torch.float32)
        arrays[f"losses.{seed}.double"] = train(TensorDataset(images, labels), seed, torch.float64)
    safetensors_writer.save(__file__, arrays, torch, **digests)


torch.set_num_threads(1)
main()
