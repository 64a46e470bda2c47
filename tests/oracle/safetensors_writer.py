"""Writes .safetensors files: eight bytes of header length, a JSON header, then the arrays one after the other."""
import json
import os
import struct
import subprocess

import numpy

DTYPES = {"float64": "F64", "float32": "F32", "int64": "I64", "int32": "I32", "uint8": "U8"}


def save(script, tensors, torch, **metadata):
    """Writes the dictionary of arrays beside the script, as SCRIPT.safetensors, with the strings of metadata and with
    what says where they are from: the script, PyTorch's version and its instruction set. Same contents, same bytes."""
    header, payload = {"__metadata__": {**provenance(script, torch), **metadata}}, b""
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        data = numpy.ascontiguousarray(array).tobytes()   # the widest types first, so that each begins aligned
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [len(payload), len(payload) + len(data)]}
        payload += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.splitext(os.path.abspath(script))[0] + ".safetensors"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + payload)
    print(f"{path}: {len(tensors)} arrays, {os.path.getsize(path)} bytes")


def provenance(script, torch):
    package = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "python3-torch"],
                             capture_output=True, text=True).stdout
    capability = next(line.split(":")[1].strip() for line in torch.__config__.show().splitlines()
                      if "CPU capability" in line)
    return {"script": "tests/oracle/" + os.path.basename(script), "torch": torch.__version__,
            "package": "python3-torch " + package, "cpu_capability": capability}
