"""Files of parameters: float32 arrays by name, and notes on them, in the safetensors format."""
import glob
import json
import os
import secrets

import numpy as np


def load(path):
    """The arrays of a file, and its notes."""
    with open(path, "rb") as file:
        table = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data, notes = file.read(), table.pop("__metadata__", {})
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]) for name, t in table.items()}, notes


def save(path, tensors, notes):
    """The file is written whole or not at all: until then it has a name that was new. What was killed before has left one."""
    table, at = {"__metadata__": notes}, 0
    for name, x in tensors.items():
        table[name] = {"dtype": "F32", "shape": x.shape, "data_offsets": [at, at := at + x.nbytes]}
    table = json.dumps(table).encode()
    table += b" " * (-len(table) % 8)
    for left in glob.glob(glob.escape(path) + ".new-" + "[0-9a-f]" * 16):
        os.unlink(left)
    new = f"{path}.new-{secrets.token_hex(8)}"
    with open(new, "xb") as file:
        file.write(len(table).to_bytes(8, "little") + table + b"".join(x.tobytes() for x in tensors.values()))
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
