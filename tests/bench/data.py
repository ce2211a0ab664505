#!/usr/bin/env python3
"""A data set of CH-SIMS's dimensions for timing: random features, text as one 768-vector a sample.

  data.py FILE SAMPLES      (of train; valid and test have one each)
"""
import pickle
import sys

import numpy as np

SHAPES = dict(text=(1, 768), vision=(55, 709), audio=(400, 33))  # frames, features


def split(rng, samples):
    data = {name: rng.standard_normal((samples, *shape), np.float32) for name, shape in SHAPES.items()}
    for name in ("", "_T", "_V", "_A"):
        data["regression_labels" + name] = rng.uniform(-1, 1, samples).astype(np.float32)
    data["id"] = [f"video_{i:04d}$_$0000" for i in range(samples)]
    return data


if __name__ == "__main__":
    path, samples = sys.argv[1], int(sys.argv[2])
    rng = np.random.default_rng(1)
    with open(path, "wb") as f:
        pickle.dump({name: split(rng, n) for name, n in (("train", samples), ("valid", 1), ("test", 1))}, f, protocol=4)
