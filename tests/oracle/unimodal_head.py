#!/usr/bin/env python3
"""Hold msa-predict --head unimodal against NumPy.

  unimodal_head.py forward STREAM PARAMETERS      y of its records, by h_*
  unimodal_head.py gradient RECORDING PARAMETERS  what the first training step gives by h_* (in a recording in front of the
                                                  head) and by its parameters (the first moments of a checkpoint, with beta1
                                                  0), by finite differences of the squared error
Every number must be within 1e-4 of the largest of its tensor."""
import math
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interop"))
import parameters  # noqa: E402
from read_stream import frames  # noqa: E402

gelu = np.vectorize(lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2))), otypes=[float])


def head(p, h):
    for i in 0, 2, 4, 6:
        h = (gelu(h) if i else h) @ p[f"MLP.{i}.weight"].T + p[f"MLP.{i}.bias"]
    return h[:, 0]


def slope(loss, x, step=1e-5):
    """Of loss() by each element of x."""
    result = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        kept, sides = x[i], []
        for x[i] in kept + step, kept - step:
            sides.append(loss())
        x[i], result[i] = kept, (sides[0] - sides[1]) / (2 * step)
    return result


def check(name, got, want):
    error = np.abs(got - want).max() / np.abs(want).max()
    if got.shape != want.shape or not error <= 1e-4:
        sys.exit(f"{name}: differs by {error}")


what, stream, path = sys.argv[1:]
tensors, _ = parameters.load(path)
modality, = (name for name in ("text", "vision", "audio") if name + "_decoder.MLP.0.weight" in tensors)
p = {name.split(".", 1)[1]: x.astype(float) for name, x in tensors.items() if name.startswith(modality + "_decoder.")}
with open(stream, "rb") as file:
    bodies = [(kind, body) for kind, body in frames(file) if kind in "DG"]
record = bodies[0][1]["tensors"]
h, label = record["h_" + modality].astype(float), record["label"].astype(float)
if what == "forward":
    check("y", record["y"], head(p, h))
else:
    def loss():
        return ((head(p, h) - label) ** 2).mean()

    check("h", bodies[1][1]["tensors"]["h_" + modality], slope(loss, h))
    for name, x in p.items():
        check(name, tensors[f"exp_avg.{modality}_decoder.{name}"], slope(loss, x))
    print(f"{len(p)} parameters")
