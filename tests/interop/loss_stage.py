#!/usr/bin/env python3
"""A stage of your own: what msa-loss does, in NumPy, to put where msa-loss stands. It adds to each record the losses of
four tasks, their weights and, in training, each loss's gradient by each tensor that it depends on (NAME@TASK). Being
forward only, it need not join the way back: msa-backprop does the rest."""
import sys

import numpy as np
from read_stream import Writer, frames

WEIGHTS = {"msr": 1.0, "msc": 1.0, "uni": 0.5, "cl": 0.5}
EDGES = {2: [0], 3: [-.1, .1], 5: [-.7, -.1, .1, .7]}  # of CH-SIMS' classes, closed on the right


def classes(label, count, family):
    if family == "sims":
        return (label[:, None] > np.float32(EDGES[count])).sum(1)
    most, rounded = count // 2, np.where(label == .5, 0, np.floor(label + np.float32(.5)))
    return (label >= 0).astype(int) if count == 2 else (np.clip(rounded, -most, most) + most).astype(int)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def smooth_l1(y, target):
    e = y - target
    return np.where(abs(e) < 1, e * e / 2, abs(e) - .5).mean(), [np.clip(e, -1, 1) / e.size]


def cross_entropy(logits, truth):
    p, true = softmax(logits), np.eye(logits.shape[1])[truth]
    return -np.log((p * true).sum(1)).mean(), [(p - true) / len(truth)]


def contrast(features, positives, tau=.5):  # Multi NT-Xent: the first feature, those like it, the others
    norm = np.maximum(np.linalg.norm(features, axis=2, keepdims=True), 1e-12)
    unit = features / norm                                             # [features,B,D]
    cosine = (unit[0] * unit[1:]).sum(2, keepdims=True)                # [features-1,B,1]
    share = softmax(cosine.T / tau).T
    like = share[:positives].sum(0)
    slope = share / (tau * len(like))                                  # of the loss, by each cosine
    slope[:positives] *= 1 - 1 / like
    anchor = (slope * (unit[1:] - cosine * unit[0]) / norm[0]).sum(0, keepdims=True)
    return -np.log(like).mean(), np.concatenate([anchor, slope * (unit[0] - cosine * unit[1:]) / norm[1:]])


def add_losses(record, family):
    tensors = record["tensors"]
    x = {name: t.astype(float) for name, t in tensors.items() if t.dtype == np.float32}
    label, present = x["label"], [m for m in ("text", "vision", "audio") if "s_" + m in x]
    targets = [label for _ in present] + [x.get("label_" + m, label) for m in present]
    truth = classes(tensors["label"], x["logits"].shape[1], family)
    tasks = {"msr": (["y"], *smooth_l1(x["y"], label)), "msc": (["logits"], *cross_entropy(x["logits"], truth)),
             "uni": (["u"], *smooth_l1(x["u"], np.stack(targets, 1)))}
    if len(present) > 1:
        names = [part + m for part in ("s_", "d_") for m in present]
        tasks["cl"] = names, *contrast(np.stack([x[name] for name in names]), len(present) - 1)
    record["loss"] = {task: float(loss) for task, (_, loss, _) in tasks.items()}
    record["weight"] = {task: WEIGHTS[task] for task in tasks}
    for task, (names, _, gradients) in tasks.items() if record["train"] else ():
        tensors.update((f"{name}@{task}", np.float32(g)) for name, g in zip(names, gradients))


out = Writer(sys.stdout.buffer)
try:
    for kind, body in frames(sys.stdin.buffer):
        if kind == "H":
            family = body["family"]
            body["tasks"] = list(WEIGHTS)[:4 if sum(name.startswith("s_") for name in body["schema"]) > 1 else 3]
            body["pipeline"].append({"name": "loss_stage.py", "version": "1", "argv": sys.argv[1:]})
        elif kind == "D":
            add_losses(body, family)
        out.write(kind, body)
except Exception as error:
    out.forgiving = True  # the cause is said, whether or not anybody reads
    out.write("X", {"who": "loss_stage.py", "what": repr(error)})
    sys.exit(f"loss_stage.py: {error!r}")
sys.exit(5 if kind == "X" else 0)  # another program has failed, and said why
