#!/usr/bin/env python3
"""Operations by element, by row and by matrix in PyTorch: a chain of them that tests/unit/ops_golden.c must reproduce. Needs torch.

  ops.py FILE    as safetensors (tests/golden/ops.safetensors)

The file has the inputs, the results that the chain names on its way, and gradient.INPUT of each input that has one. Computed
in float64 and kept as float32, so that what a test finds is its own rounding."""
import sys

import torch
from dmmsa_torch import save_safetensors

BATCH, WORDS, D, OUT = 2, 3, 5, 4
ROWS = BATCH * WORDS


def norm(x, at_zero):
    """The Euclidean norm of each row, at_zero where all of it is 0; no gradient there."""
    length = torch.linalg.vector_norm(x, dim=1)
    return torch.where(length == 0, torch.full_like(length, at_zero), length)


def draw():
    x = {name: torch.randn(shape, dtype=torch.float64) for name, shape in {
        "e": (ROWS, D), "v": (ROWS, D), "row": (D,), "column": (ROWS,), "number": (1,), "w": (BATCH, OUT, D),
        "target": (BATCH * D * OUT,), "weight": (BATCH * D * OUT,)}.items()}
    x["v"][1] = 0  # a row of zeros
    x["weight"].abs_()
    return {name: t.float().double() for name, t in x.items()}


def chain(x):
    r = {}
    # MAG-BERT's gate: how far what is beside the words may move them.
    r["gated"] = torch.relu(x["e"] * x["row"] + 0.1) * x["v"]
    r["share"] = (0.3 * norm(x["e"], 0) / (norm(r["gated"], 1) + 1e-6)).clamp(max=1)
    r["words"] = x["e"] + r["gated"] * r["share"][:, None] + x["number"]
    # A number a row, one for all, a row; a square, and a quotient by a row.
    r["moved"] = torch.sigmoid((r["words"] + x["column"][:, None]) * x["number"] + x["row"])
    r["likely"] = torch.softmax((r["moved"] * r["moved"] / (x["row"] + 4)).clamp(0.05, 0.19) * 9, dim=1)
    # To other matrices, and back.
    words = r["likely"].view(BATCH, WORDS, D)
    r["scores"] = words @ x["w"].mT
    r["back"] = words.mT @ r["scores"]
    y, target, weight = r["back"].reshape(-1), x["target"], x["weight"]
    smooth = torch.nn.functional.smooth_l1_loss(y, target, reduction="none", beta=0.7)
    r["loss"] = (weight * (y - target).abs()).mean() + 0.5 * (weight * (y - target).square()).mean() + (weight * smooth).mean()
    return r


torch.manual_seed(1)
inputs = draw()
learned = [name for name in inputs if name not in ("target", "weight")]
for name in learned:
    inputs[name].requires_grad_()
results = chain(inputs)
results["loss"].backward()
results["loss"] = results["loss"].view(1)
tensors = {**inputs, **results, **{"gradient." + name: inputs[name].grad for name in learned}}
save_safetensors(sys.argv[1], tensors)
