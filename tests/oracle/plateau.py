#!/usr/bin/env python3
"""What PyTorch's ReduceLROnPlateau makes of losses: the rates that tests/unit/plateau.c must reproduce. Needs torch.

  plateau.py FILE    losses and rates, tab-separated (tests/golden/plateau.tsv)

A line for each loss of each case: the patience, with which a case begins anew, the loss, and the rate after it."""
import math
import random
import sys

import torch

START, LOSSES = 2e-3, 80


def losses():
    """Falling by about what counts as lower, with stretches of noise, which the last is, and one NaN."""
    best = 1.5
    for i in range(LOSSES):
        best *= 1 - random.choice((0, 5e-5, 1e-4, 2e-4, 1e-2)) if i % 12 < 6 and i < 30 else 1
        yield math.nan if i == 10 else best * (1 + (random.random() < 0.5) * random.random() * 1e-3)


random.seed(1)
with open(sys.argv[1], "w") as file:
    print("patience", "loss", "rate", sep="\t", file=file)
    for patience in (0, 1, 5, 10):
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=START)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=patience)
        for loss in losses():
            schedule.step(loss)
            print(patience, f"{loss:.17g}", f"{optimizer.param_groups[0]['lr']:.17g}", sep="\t", file=file)
