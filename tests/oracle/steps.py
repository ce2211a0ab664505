#!/usr/bin/env python3
"""How PyTorch makes an optimizer step of several batches: the parameters that tests/unit/steps.c must reproduce. Needs torch.

  steps.py FILE    20 batches of each case, as safetensors (tests/golden/steps.safetensors)

The file has, for each parameter, its starting values PARAMETER [N], gradients gradient.PARAMETER [STEPS,N], and what each case
makes of it, CASE.PARAMETER [STEPS,N]; its metadata has, for each case, "RULE ACCUMULATE CLIP AT". An epoch has EPOCH batches, and
its last group what is left; the learning rate falls with each batch to 0."""
import itertools
import sys

import torch
from dmmsa_torch import save_safetensors

STEPS, EPOCH, N, LR, DECAY = 20, 7, 9, 0.02, 0.1


def cases():
    """Rule, batches in a group, the limit of a gradient (0: none), and when it is clipped."""
    for rule, (accumulate, (clip, at)) in itertools.product(
            ("adamw", "adam", "sgd"), itertools.product((1, 3), ((0.0, "batch"), (0.5, "batch"), (0.5, "update")))):
        if (accumulate, clip) != (1, 0.0):  # tests/oracle/optimizers.py
            yield rule, accumulate, clip, at


def updates(step, accumulate):
    of_epoch = step % EPOCH + 1
    return of_epoch % accumulate == 0 or of_epoch == EPOCH


def train(rule, accumulate, clip, at, start, gradients):
    parameters = {name: torch.nn.Parameter(x.clone()) for name, x in start.items()}
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}[rule]
    chosen, steps = kind(parameters.values(), lr=LR, weight_decay=DECAY), {name: [] for name in start}
    for step in range(STEPS):
        for name, p in parameters.items():
            (p * gradients[name][step]).sum().backward()  # which adds to p.grad
        if clip and (at == "batch" or updates(step, accumulate)):
            torch.nn.utils.clip_grad_value_(parameters.values(), clip)
        if updates(step, accumulate):
            chosen.param_groups[0]["lr"] = LR * (STEPS - step) / STEPS
            chosen.step()
            chosen.zero_grad()
        for name, p in parameters.items():
            steps[name].append(p.detach().clone())
    return {name: torch.stack(some) for name, some in steps.items()}


torch.manual_seed(1)
start = {name: torch.randn(N) for name in ("layer.weight", "layer.bias")}
gradients = {name: torch.randn(STEPS, N) for name in start}
tensors, notes = dict(start), {}
tensors.update(("gradient." + name, x) for name, x in gradients.items())
for number, case in enumerate(cases()):
    notes[f"case{number:02}"] = "{} {} {:g} {}".format(*case)
    tensors.update((f"case{number:02}.{name}", x) for name, x in train(*case, start, gradients).items())
save_safetensors(sys.argv[1], tensors, notes)
