#!/usr/bin/env python3
"""vectors_stage.py FILE NAME... [--gradients OUT]: puts vectors into records, in the place of the stages that would make them:
these tensors of a safetensors file, as many of their rows as there are samples, from the first one on and again from there. A
gradient with respect to each is wanted; OUT gets those of the first step."""
import argparse
import os
import sys

import numpy as np
import parameters
from stage import run


class Vectors:
    def __init__(self, options):
        tensors, _ = parameters.load(options.file)
        self.vectors, self.out = {name: tensors[name] for name in options.names}, options.gradients

    def header(self, header):
        for name, x in self.vectors.items():
            header["schema"][name] = {"dtype": "<f4", "shape": [0, *x.shape[1:]], "gradient": header["mode"] == "train"}

    def record(self, record):
        rows = len(record["id"])
        for name, x in self.vectors.items():
            record["tensors"][name] = x[np.arange(rows) % len(x)]

    def gradient(self, gradient):
        if self.out and not os.path.exists(self.out):
            found = {name: x for name, x in gradient["tensors"].items() if name in self.vectors}
            parameters.save(self.out, found, {})

    def update(self, gradient):
        pass

    def state(self):
        return {}

    def restore(self, state):
        pass

    def committed(self, control):
        pass


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file")
    arguments.add_argument("names", nargs="+")
    arguments.add_argument("--gradients")
    sys.exit(run("vectors_stage.py", Vectors(arguments.parse_args())))
