#!/usr/bin/env python3
"""The first training step of a golden trajectory, by one stage alone that is given what comes before it.

  first_step.py data GOLDEN FILE    a data set of the first batch: one step of training
  first_step.py vectors GOLDEN      names of the vectors that there are
  first_step.py options GOLDEN PROGRAM   that program's options in the golden line, without its files
  first_step.py check GOLDEN STAGE RUN   holds RUN against it: forward.npz, tensors of the record behind the stage, and
        STAGE.safetensors, its parameters after a step of SGD of rate 1, their largest differences at most 1e-5"""
import json
import pickle
import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))
from parameters import load

BATCH, NEAR = 5, 1e-5


class Unpickler(pickle.Unpickler):
    """Arrays of a later NumPy by this one."""

    def find_class(self, module, name):
        return super().find_class(module.replace("numpy._core", "numpy.core"), name)


def data(golden, path):
    with open(golden / "data.pkl", "rb") as file:
        splits = Unpickler(file).load()
    splits["train"] = {key: x[:BATCH] for key, x in splits["train"].items()}
    with open(path, "wb") as file:
        pickle.dump(splits, file)


def vectors(golden):
    print(*sorted(name for name in load(golden / "forward0.safetensors")[0] if re.match("h_|f$", name)))


def options(golden, program):
    line = json.loads((golden / "expected.json").read_text())["notes"]["line"]
    text = next(words for words in line if words.startswith(program + " "))
    print(re.sub(r" --init \S+| -p \S+", "", text.removeprefix(program + " ")))


def check(golden, stage, run):
    expected, found = load(golden / "forward0.safetensors")[0], np.load(f"{run}/forward.npz")
    pairs = [(name, found[name], x) for name, x in expected.items() if name in found]
    assert any(name == "y" for name, _, _ in pairs)
    if (golden / f"{stage}.grad0.safetensors").exists():
        start, end = load(golden / f"{stage}.init.safetensors")[0], load(f"{run}/{stage}.safetensors")[0]
        gradients = load(golden / f"{stage}.grad0.safetensors")[0]
        assert end.keys() == start.keys() == gradients.keys(), end.keys() ^ start.keys()
        pairs += [(name, start[name] - end[name], x) for name, x in gradients.items()]
    error, name = max((abs(a - b).max(), name) for name, a, b in pairs)
    print(f"{len(pairs)} tensors, largest difference {error:.2e} ({name})")
    return not error <= NEAR


if __name__ == "__main__":
    sys.exit({"data": data, "vectors": vectors, "options": options, "check": check}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
