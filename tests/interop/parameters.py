"""Files of parameters: float32 arrays by name, and notes on them, in the safetensors format."""
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
    """The file is written whole or not at all; until it is whole it has no name, and then one that nobody else has."""
    table, at = {"__metadata__": notes}, 0
    for name, x in tensors.items():
        table[name] = {"dtype": "F32", "shape": x.shape, "data_offsets": [at, at := at + x.nbytes]}
    table = json.dumps(table).encode()
    table += b" " * (-len(table) % 8)
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.tmp")
    with os.fdopen(os.open(folder or ".", os.O_TMPFILE | os.O_WRONLY, 0o666), "wb") as file:
        file.write(len(table).to_bytes(8, "little") + table + b"".join(x.tobytes() for x in tensors.values()))
        file.flush()
        os.fsync(file.fileno())
        os.link(f"/proc/self/fd/{file.fileno()}", beside, src_dir_fd=0, follow_symlinks=True)
    os.replace(beside, path)
