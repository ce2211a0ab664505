#!/usr/bin/env python3
"""A data set for timing: random features of a family's dimensions, text as one 768-vector a sample with the frames of audio
and vision, or text with its tokens, and audio and vision averaged over frames.

  data.py FILE SAMPLES sims|mosi|mosei frames|tokens      (SAMPLES of train; valid and test have one each)
"""
import pickle
import sys

import numpy as np

SETS = dict(sims=dict(text=(39, 768), vision=(55, 709), audio=(400, 33)),  # frames, features
            mosi=dict(text=(50, 768), vision=(500, 20), audio=(375, 5)),
            mosei=dict(text=(50, 768), vision=(500, 35), audio=(500, 74)))
AVERAGED = dict(frames={"text"}, tokens={"vision", "audio"})


def split(rng, samples, shapes):
    data = {name: rng.standard_normal((samples, *shape), np.float32) for name, shape in shapes.items()}
    for name in ("", "_T", "_V", "_A"):
        data["regression_labels" + name] = rng.uniform(-1, 1, samples).astype(np.float32)
    data["id"] = [f"video_{i:04d}$_$0000" for i in range(samples)]
    return data


if __name__ == "__main__":
    path, samples = sys.argv[1], int(sys.argv[2])
    averaged = AVERAGED[sys.argv[4]]
    shapes = {name: (1 if name in averaged else frames, width) for name, (frames, width) in SETS[sys.argv[3]].items()}
    rng = np.random.default_rng(1)
    with open(path, "wb") as f:
        pickle.dump({name: split(rng, n, shapes) for name, n in (("train", samples), ("valid", 1), ("test", 1))}, f, protocol=4)
