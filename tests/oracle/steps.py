#!/usr/bin/env python3
"""How PyTorch makes an optimizer step of several batches: the parameters that tests/unit/steps.c must reproduce. Needs torch.

  steps.py FILE    20 batches of each case, as safetensors (tests/golden/steps.safetensors)

The file has, for each parameter, its starting values PARAMETER [N], gradients gradient.PARAMETER [STEPS,N], and what each case
makes of it, CASE.PARAMETER [STEPS,N]; its metadata has, for each case, "RULE ACCUMULATE CLIP AT RATES DECAYS SPARED": the last
three are as --lr-scale and --decay of a stage and --no-decay have them, "-" if there is none. An epoch has EPOCH batches, and
its last group what is left; the learning rate falls with each batch to 0."""
import fnmatch
import itertools
import sys

import torch
from dmmsa_torch import save_safetensors

STEPS, EPOCH, N, LR, DECAY = 20, 7, 9, 0.02, 0.1
MODALITIES = dict(text="layer.weight", vision="layer.bias")


def cases():
    """Rule, batches in a group, the limit of a gradient (0: none), and when it is clipped."""
    for rule, (accumulate, (clip, at)) in itertools.product(
            ("adamw", "adam", "sgd"), itertools.product((1, 3), ((0.0, "batch"), (0.5, "batch"), (0.5, "update")))):
        if (accumulate, clip) != (1, 0.0):  # tests/oracle/optimizers.py
            yield rule, accumulate, clip, at, "-", "-", "-"
    for rule in "adamw", "adam", "sgd":
        yield rule, 2, 0.0, "batch", "*=3,*.bias=0.5", "text=0.3,layer.w*=0.02,vision=0.4", "-"
        yield rule, 1, 0.0, "batch", "vision=0", "0.5", "layer.b*s,*.gain"
        yield rule, 1, 0.0, "batch", "0.25", "-", "weight,*bia"


def updates(step, accumulate):
    of_epoch = step % EPOCH + 1
    return of_epoch % accumulate == 0 or of_epoch == EPOCH


def share(shares, name, otherwise):
    """The last that is for this parameter."""
    for pair in reversed(shares.split(",") if shares != "-" else []):
        key, _, number = pair.rpartition("=")
        if MODALITIES.get(key) == name or fnmatch.fnmatchcase(name, key or "*"):
            return float(number)
    return otherwise


def spared(words, name):
    return any(fnmatch.fnmatchcase(name, word) if "*" in word else word in name for word in words.split(","))


def train(rule, accumulate, clip, at, rates, decays, words, start, gradients):
    parameters = {name: torch.nn.Parameter(x.clone()) for name, x in start.items()}
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}[rule]
    groups = [dict(params=[p], name=name, weight_decay=0 if spared(words, name) else share(decays, name, DECAY))
              for name, p in parameters.items()]
    chosen, steps = kind(groups, lr=LR), {name: [] for name in start}
    for step in range(STEPS):
        for name, p in parameters.items():
            (p * gradients[name][step]).sum().backward()  # which adds to p.grad
        if clip and (at == "batch" or updates(step, accumulate)):
            torch.nn.utils.clip_grad_value_(parameters.values(), clip)
        if updates(step, accumulate):
            for group in chosen.param_groups:
                group["lr"] = LR * (STEPS - step) / STEPS * share(rates, group["name"], 1)
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
    notes[f"case{number:02}"] = "{} {} {:g} {} {} {} {}".format(*case)
    tensors.update((f"case{number:02}.{name}", x) for name, x in train(*case, start, gradients).items())
save_safetensors(sys.argv[1], tensors, notes)
