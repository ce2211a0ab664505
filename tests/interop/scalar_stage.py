#!/usr/bin/env python3
"""scalar_stage.py TENSOR...: a loss for tests, in the place of msa-loss: the sum of tensors' numbers, each times a weight
that its place gives (weights below), so that the gradient that goes back is known exactly."""
import sys

import numpy as np
from read_stream import Writer, frames


def weights(shape):
    return np.sin(1 + np.arange(np.prod(shape))).astype(np.float32).reshape(shape)


def main(names):
    out = Writer(sys.stdout.buffer)
    for kind, body in frames(sys.stdin.buffer):
        if kind == "H":
            body["pipeline"].append({"name": "scalar_stage.py", "version": "1", "argv": sys.argv[1:]})
        elif kind == "D":
            tensors = {name: body["tensors"][name] for name in names}
            body["loss"] = {"scalar": sum(float((x.astype(float) * weights(x.shape)).sum()) for x in tensors.values())}
            body["weight"] = {"scalar": 1.0}
            if body["train"]:
                body["tensors"].update({name + "@scalar": weights(x.shape) for name, x in tensors.items()})
        out.write(kind, body)
    return 5 if kind == "X" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
