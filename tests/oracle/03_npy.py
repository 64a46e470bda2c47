#!/usr/bin/python3
"""Files as NumPy writes them, for tests/03_tensors.c. Writes 03_npy.safetensors beside this file: for each case N the
bytes of the file (file.N) and its numbers in row-major order, as float64 (values.N). Cases below `written` are what
dl_npy_write has to write from those numbers: with <f4 (file.N) and with <f8 (wide.N)."""
import io

import numpy
import torch

import safetensors_writer

random = numpy.random.RandomState(4)


def file(array, version=None):
    stream = io.BytesIO()
    numpy.lib.format.write_array(stream, array, version=version)
    return numpy.frombuffer(stream.getvalue(), dtype=numpy.uint8)


shapes = [(), (1,), (5,), (0,), (3, 4), (0, 3), (3, 0), (2, 3, 4), (2, 3, 4, 5), (1, 1, 1, 1), (17, 100), (1200,)]
written = [random.randn(*shape).astype("<f4") if shape else numpy.float32(2.5).reshape(()) for shape in shapes]
written += [numpy.array([numpy.nan, numpy.inf, -numpy.inf, -0.0, 1e-45], dtype="<f4")]
arrays = [(a, None) for a in written]
arrays += [(numpy.asfortranarray(random.randn(*shape).astype("<f4")), None) for shape in shapes[4:]]
arrays += [(numpy.asfortranarray(random.randn(40, 30, 2).astype("<f8")), None)]
for kind in ("<f8", "<i4", "<i8", "|u1", "|b1"):
    for shape in shapes:
        arrays.append((numpy.asarray(random.uniform(-200, 200, shape)).astype("<i4").astype(kind), None))
arrays += [(numpy.array([-2**31, 2**31 - 1, 16777217], dtype="<i4"), None),
           (numpy.array([-2**63, 2**63 - 1, 2**53 + 1], dtype="<i8"), None),
           (numpy.array([1e300, -1e300, 0.1, 1e-300], dtype="<f8"), None)]
arrays += [(written[4], version) for version in ((1, 0), (2, 0), (3, 0))]

tensors = {}
for number, (array, version) in enumerate(arrays):
    tensors[f"file.{number}"] = file(array, version)
    with numpy.errstate(over="ignore"):
        tensors[f"values.{number}"] = array.astype(numpy.float64)
for number, array in enumerate(written):
    tensors[f"wide.{number}"] = file(array.astype("<f8"))

safetensors_writer.save(__file__, tensors, torch, numpy=numpy.__version__, cases=str(len(arrays)),
                        written=str(len(written)))
