"""The optimizers of msa-backprop(1), for a stage with parameters in Python: what a gradient frame says is done to arrays."""
import fnmatch

import numpy as np


def spares(word, name):
    """Of no_decay: part of a name, or a pattern for the whole."""
    return fnmatch.fnmatchcase(name, word) if "*" in word else word and word in name


class Optimizer:
    """Updates a dict of arrays in place. What it keeps with each goes by PyTorch's names, in dicts of arrays too."""

    def __init__(self, parameters):
        self.parameters, self.kept = parameters, {"step": {}}

    def moment(self, kind, name):
        return self.kept.setdefault(kind, {}).setdefault(name, np.zeros_like(self.parameters[name]))

    def update(self, frame, gradients):
        """With what has been added up since the last update; unless this frame has that wait too."""
        sums = self.kept.setdefault("grad", {})
        sums.update((name, sums.get(name, 0) + g) for name, g in gradients.items())
        update, o = frame.get("update", True), frame["optimizer"]
        if "clip" in o and (update or o["clip_at"] == "batch"):
            sums.update((name, np.clip(g, -o["clip"], o["clip"])) for name, g in sums.items())
        if update:
            self.step(frame, self.kept.pop("grad"))

    def step(self, frame, gradients):
        o, rule = frame["optimizer"], {"adamw": self.adam, "adam": self.adam, "hf-adamw": self.adam, "sgd": self.sgd}
        if o["name"] not in rule:
            raise ValueError(f"the optimizer {o['name']} is not known")
        for name, p in self.parameters.items():
            decay = 0 if any(spares(word, name) for word in o["no_decay"].split(",")) else o["decay"]
            g, keep = gradients[name], 1 - frame["lr"] * decay
            if o["name"] in ("adam", "sgd"):
                g = g + decay * p
            if o["name"] == "adamw":
                p *= keep
            p -= rule[o["name"]](name, g, frame["lr"], o)
            if o["name"] == "hf-adamw":
                p *= keep

    def adam(self, name, g, lr, o):
        t = self.kept["step"][name] = self.kept["step"].get(name, 0) + 1
        m, v = self.moment("exp_avg", name), self.moment("exp_avg_sq", name)
        m += (1 - o["beta1"]) * (g - m)
        v += (1 - o["beta2"]) * (g * g - v)
        if o.get("amsgrad"):
            most = self.moment("max_exp_avg_sq", name)
            v = np.maximum(most, v, out=most)
        root = np.sqrt(1 - o["beta2"]**t)
        eps = o["eps"] / root if o["name"] == "hf-adamw" else o["eps"]
        return lr / (1 - o["beta1"]**t) * m / (np.sqrt(v) / root + eps)

    def sgd(self, name, g, lr, o):
        if o["momentum"]:
            buffer = self.moment("momentum_buffer", name)
            buffer += g - (1 - o["momentum"]) * buffer
            g = buffer
        return lr * g
