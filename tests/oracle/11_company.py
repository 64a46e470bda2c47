#!/usr/bin/python3
"""What a user of PyTorch would write for the program mlp: the same network, the same optimiser without a schedule, and
the same seed. Writes 11_company.safetensors for tests/11_company.c: the initial weights (of large matrices every 16th
row, but the checksums of all, in the order of their names), the labels of the first 20 batches, and the losses of the
first 20 steps. With --seeds N it trains N networks for 10 epochs and prints a table; with
--parting it lays the losses of an epoch side by side."""
import gzip
import os
import subprocess
import sys
import zlib

import numpy
import torch

import safetensors_writer

PLACE = "/usr/share/datasets/fashion-mnist/"


def read(images, labels):
    with gzip.open(PLACE + images) as f:
        x = numpy.frombuffer(f.read(), numpy.uint8, offset=16).reshape(-1, 784)
    with gzip.open(PLACE + labels) as f:
        y = numpy.frombuffer(f.read(), numpy.uint8, offset=8)
    return torch.utils.data.TensorDataset(torch.from_numpy(x.astype(numpy.float32) / 255),
                                          torch.from_numpy(y.astype(numpy.int64)))


def begin(seed, train):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 128), torch.nn.ReLU(),
                                torch.nn.Linear(128, 10))
    loader = torch.utils.data.DataLoader(train, batch_size=64, shuffle=True)
    return model, loader, torch.optim.Adam(model.parameters(), lr=1e-3)


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def record(train):
    model, loader, optimizer = begin(7, train)
    tensors = {f"fc{i // 2 + 1}.{name}": p.detach().numpy().copy() for i in (0, 2, 4)
               for name, p in model[i].named_parameters()}
    tensors["crc"] = numpy.array([zlib.crc32(tensors[name].tobytes()) for name in sorted(tensors)])
    tensors["fc1.weight"] = tensors["fc1.weight"][::16].copy()      # every 16th row: the file shall stay small
    tensors["fc2.weight"] = tensors["fc2.weight"][::16].copy()
    losses, labels = [], []
    for x, y in loader:
        losses.append(step(model, optimizer, x, y))
        labels.append(y.numpy().astype(numpy.uint8))
        if len(losses) == 20:
            break
    tensors["loss"] = numpy.array(losses)
    tensors["label"] = numpy.stack(labels)
    safetensors_writer.save(__file__, tensors, torch)


def table(train, test, seeds):
    print(f"# /usr/bin/python3 tests/oracle/11_company.py --seeds {seeds}; threads 1")
    print("seed\tloss\taccuracy")
    accuracies = []
    x, y = test.tensors
    for seed in range(seeds):
        model, loader, optimizer = begin(seed, train)
        for _ in range(10):
            total = sum(step(model, optimizer, a, b) * len(b) for a, b in loader)
        with torch.no_grad():
            accuracies.append((model(x).argmax(1) == y).double().mean().item())
        print(f"{seed}\t{total / len(train):.6f}\t{accuracies[-1]:.4f}", flush=True)
    print(f"mean\t\t{numpy.mean(accuracies):.4f}\ndeviation\t\t{numpy.std(accuracies, ddof=1):.4f}")


def parting(train):
    """The losses of an epoch's steps: of the program mlp, of PyTorch, and of PyTorch with the pixels in another order.
    To $RESULTS/parting-first.tsv, the first step at which the first and the last differ from PyTorch's by 1e-5."""
    def epoch(order):
        model, loader, optimizer = begin(7, train)
        with torch.no_grad():
            model[0].weight.copy_(model[0].weight[:, order].clone())
        return [step(model, optimizer, x[:, order], y) for x, y in loader]

    straight = epoch(torch.arange(784))
    permuted = epoch(torch.from_numpy(numpy.random.RandomState(1).permutation(784)))
    log = subprocess.run(["build/mlp", "--threads", "1", "--seed", "7", "--schedule", "constant", "--epochs", "1", "--trace", "938"],
                         capture_output=True, text=True, check=True).stdout
    ours = [float(line.split("\t")[1]) for line in log.splitlines() if line.startswith("# ")]
    print("# /usr/bin/python3 tests/oracle/11_company.py --parting; seed 7; threads 1\nstep\tours\tpytorch\tpermuted")
    for i, losses in enumerate(zip(ours, straight, permuted)):
        print(i + 1, *(f"{x:.9g}" for x in losses), sep="\t")
    with open(os.environ.get("RESULTS", "figures/results") + "/parting-first.tsv", "w") as f:
        print("# /usr/bin/python3 tests/oracle/11_company.py --parting; seed 7; threads 1\nrun\tstep\tlast", file=f)
        for name, run in ("ours", ours), ("permuted", permuted):
            apart = [abs(x - y) / y for x, y in zip(run, straight)]
            first = next(i + 1 for i, x in enumerate(apart) if x > 1e-5)
            print(f"{name}\t{first}\t{numpy.mean(apart[-100:]):.4f}", file=f)


torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
training = read("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
if len(sys.argv) == 3 and sys.argv[1] == "--seeds":
    table(training, read("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"), int(sys.argv[2]))
elif sys.argv[1:] == ["--parting"]:
    parting(training)
else:
    record(training)
