#!/usr/bin/env python3
"""A stage of your own with parameters: what msa-predict does, in NumPy, to put where msa-predict stands. From the features
that arrive it predicts y, logits and u. In training it takes the gradients by what it has made, gives those by what it was
given, and learns; what it has learned is kept in the checkpoint, so that a killed training goes on from there."""
import argparse
import copy
import math
import os
import sys

import numpy as np
import parameters
from optimizer import Optimizer
from stage import run

FEATURES = [part + modality for part in ("s_", "d_") for modality in ("text", "vision", "audio")]
erf = np.vectorize(math.erf, otypes=[float])


def gelu(x):
    """And its slope."""
    below = (1 + erf(x / math.sqrt(2))) / 2
    return x * below, below + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


class Predict:
    """Three heads, stacks of linear layers with GELU between them (msa-model(7), Heads). All its arrays go by the names of
    msa-predict's parameters."""

    def __init__(self, options):
        self.options, self.gradients, self.inputs = options, {}, {}

    def header(self, header):
        self.features = [name for name in FEATURES if name in header["schema"]]
        if not self.features:
            raise RuntimeError("nothing to predict from: no s_* or d_* arrives")
        self.wanted = [name for name in self.features if header["schema"][name]["gradient"]]
        self.width, self.family = header["schema"][self.features[0]]["shape"][1], header["family"]
        x, d, training = len(self.features) * self.width, 2 * self.width, header["mode"] == "train"
        given = [parameters.load(path) for path in self.options.init + ([] if training else [self.options.params])]
        notes = {key: note for _, some in given for key, note in some.items()}
        self.classes = self.options.classes or int(notes.get("classes", 3))
        self.heads = {"TVA_decoder.MLP": [x, d, d // 2, d // 4, d // 8, 1], "mono_decoder.MLP": [d // 2, d // 4, d // 8, 1],
                      "TVA_classifier.MLP": [x, d, d // 2, d // 4, d // 8, self.classes]}
        rng, p = np.random.default_rng(header["seed"]), {}
        for head, widths in self.heads.items():
            for i, (n, m) in enumerate(zip(widths, widths[1:])):
                p[f"{head}.{2 * i}.weight"] = rng.uniform(-1, 1, (m, n)) / math.sqrt(n)
                p[f"{head}.{2 * i}.bias"] = rng.uniform(-1, 1, m) / math.sqrt(n)
        if not training and (lacking := set(p) - set(given[-1][0])):
            raise ValueError(f"{self.options.params}: no tensor '{min(lacking)}'")
        for some, _ in given:
            p.update((name, some[name].reshape(p[name].shape)) for name in p if name in some)
        self.parameters = {name: np.array(x, np.float32) for name, x in p.items()}
        self.optimizer = Optimizer(self.parameters)
        if training and "resume" not in header and os.path.exists(self.options.params):
            raise FileExistsError(f"'{self.options.params}' exists: training would replace it")
        for name, shape in ("y", [0]), ("logits", [0, self.classes]), ("u", [0, len(self.features)]):
            header["schema"][name] = {"dtype": "<f4", "shape": shape, "gradient": training}
        header["schema"]["u"]["columns"] = self.features

    def forward(self, head, x):
        slope, self.inputs[head] = 1, []
        for i in range(len(self.heads[head]) - 1):
            if i:
                x, slope = gelu(x)
            self.inputs[head].append((x, slope))
            x = x @ self.parameters[f"{head}.{2 * i}.weight"].T + self.parameters[f"{head}.{2 * i}.bias"]
        return x

    def backward(self, head, dy):
        for i, (x, slope) in reversed(list(enumerate(self.inputs[head]))):
            self.gradients[f"{head}.{2 * i}.weight"], self.gradients[f"{head}.{2 * i}.bias"] = dy.T @ x, dy.sum(0)
            dy = dy @ self.parameters[f"{head}.{2 * i}.weight"] * slope
        return dy

    def record(self, record):
        x = np.concatenate([record["tensors"][name] for name in self.features], 1, dtype=float)
        u = self.forward("mono_decoder.MLP", x.reshape(-1, self.width)).reshape(len(x), -1)
        self.made = {"y": self.forward("TVA_decoder.MLP", x)[:, 0], "logits": self.forward("TVA_classifier.MLP", x), "u": u}
        record["tensors"].update((name, np.float32(t)) for name, t in self.made.items())

    def gradient(self, gradient):
        by = gradient["tensors"]  # what has no gradient there has gradient 0
        dy, dlogits, du = (np.float64(by.pop(name, np.zeros_like(t))) for name, t in self.made.items())
        dx = self.backward("TVA_decoder.MLP", dy[:, None]) + self.backward("TVA_classifier.MLP", dlogits)
        dx += self.backward("mono_decoder.MLP", du.reshape(-1, 1)).reshape(dx.shape)
        dx = dict(zip(self.features, np.split(dx, len(self.features), 1)))
        by.update((name, np.float32(dx[name] + by.get(name, 0))) for name in self.wanted)

    def update(self, gradient):
        self.optimizer.update(gradient, self.gradients)

    def finite(self):
        return all(np.isfinite(x).all() for x in self.parameters.values())

    def state(self):
        return {"parameters": self.parameters, **self.optimizer.kept}

    def restore(self, state):
        state = copy.deepcopy(state)
        self.parameters.update(state.pop("parameters"))
        self.optimizer.kept = state

    def committed(self, control):  # msa-predict can evaluate with this file too
        if control.get("best", True):
            notes = {"classes": str(self.classes), "features": ",".join(self.features), "family": self.family,
                     "checkpoint": str(control["checkpoint"])}
            parameters.save(self.options.params, self.parameters, notes)


options = argparse.ArgumentParser(description=__doc__)
options.add_argument("-p", "--params", metavar="FILE", required=True, help="written in training, read in evaluation")
options.add_argument("--init", metavar="FILE", action="append", default=[], help="initial values by name; repeatable")
options.add_argument("--classes", metavar="C", type=int)
sys.exit(run("predict_stage.py", Predict(options.parse_args())))
