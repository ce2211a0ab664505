#!/usr/bin/env python3
"""A data set for timing: random features of CH-SIMS's dimensions, text as one 768-vector a sample; or, with SET, of that
family's, with audio and vision averaged over frames.

  data.py FILE SAMPLES [sims|mosi|mosei]      (SAMPLES of train; valid and test have one each)
"""
import pickle
import sys

import numpy as np

POOLED = dict(text=(1, 768), vision=(55, 709), audio=(400, 33))  # frames, features
SETS = dict(sims=dict(text=(39, 768), vision=(1, 709), audio=(1, 33)),
            mosi=dict(text=(50, 768), vision=(1, 20), audio=(1, 5)),
            mosei=dict(text=(50, 768), vision=(1, 35), audio=(1, 74)))


def split(rng, samples, shapes):
    data = {name: rng.standard_normal((samples, *shape), np.float32) for name, shape in shapes.items()}
    for name in ("", "_T", "_V", "_A"):
        data["regression_labels" + name] = rng.uniform(-1, 1, samples).astype(np.float32)
    data["id"] = [f"video_{i:04d}$_$0000" for i in range(samples)]
    return data


if __name__ == "__main__":
    path, samples = sys.argv[1], int(sys.argv[2])
    shapes = SETS[sys.argv[3]] if len(sys.argv) > 3 else POOLED
    rng = np.random.default_rng(1)
    with open(path, "wb") as f:
        pickle.dump({name: split(rng, n, shapes) for name, n in (("train", samples), ("valid", 1), ("test", 1))}, f, protocol=4)
