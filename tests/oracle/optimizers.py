#!/usr/bin/env python3
"""Optimizers in PyTorch: the parameters that tests/unit/optimizer.c must reproduce. Needs torch.

  optimizers.py FILE    20 steps of every optimizer and setting, as safetensors (tests/golden/optimizers.safetensors)

The file has, for each parameter, its starting values PARAMETER [N], gradients gradient.PARAMETER [STEPS,N], and what each case
makes of it, CASE.PARAMETER [STEPS,N]; its metadata has, for each case, "RULE AMSGRAD MOMENTUM BETA1 BETA2 EPS DECAY". Biases do
not decay; what is called late is frozen for the first steps. The learning rate is msa-backprop's, with a warm-up."""
import itertools
import math
import sys

import torch
from dmmsa_torch import save_safetensors

STEPS, WARM, FROZEN, N, LR = 20, 4, 5, 9, 0.02


class HfAdamW(torch.optim.Optimizer):
    """transformers.AdamW with correct_bias=True, which newer versions of transformers have no more."""

    def __init__(self, groups, **settings):
        super().__init__(groups, settings)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (beta1, beta2), lr = group["betas"], group["lr"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p] or {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
                self.state[p] = state
                state["step"] += 1
                state["exp_avg"].mul_(beta1).add_(p.grad, alpha=1 - beta1)
                state["exp_avg_sq"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                size = state["exp_avg_sq"].sqrt().add_(group["eps"])
                step = lr * math.sqrt(1 - beta2 ** state["step"]) / (1 - beta1 ** state["step"])
                p.addcdiv_(state["exp_avg"], size, value=-step)
                if group["weight_decay"] > 0:
                    p.add_(p, alpha=-lr * group["weight_decay"])


def cases():
    """Name, rule and settings."""
    for rule, amsgrad, decay in itertools.product(("adamw", "adam"), (False, True), (0.0, 0.3)):
        yield rule, dict(amsgrad=amsgrad, momentum=0.0, beta1=0.9, beta2=0.99, eps=1e-8, decay=decay)
    for decay in 0.0, 0.3:
        yield "hf-adamw", dict(amsgrad=False, momentum=0.0, beta1=0.9, beta2=0.99, eps=1e-3, decay=decay)
    for momentum, decay in itertools.product((0.0, 0.9), (0.0, 0.3)):
        yield "sgd", dict(amsgrad=False, momentum=momentum, beta1=0.0, beta2=0.0, eps=0.0, decay=decay)


def optimizer(rule, s, parameters):
    groups = [dict(params=[p], weight_decay=0.0 if "bias" in name else s["decay"]) for name, p in parameters.items()]
    adam = dict(lr=LR, betas=(s["beta1"], s["beta2"]), eps=s["eps"])
    if rule == "sgd":
        return torch.optim.SGD(groups, lr=LR, momentum=s["momentum"])
    if rule == "hf-adamw":
        return HfAdamW(groups, **adam)
    return {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[rule](groups, **adam, amsgrad=s["amsgrad"])


def rate(step):
    return LR * step / WARM if step < WARM else LR * (STEPS - step) / (STEPS - WARM)


def train(rule, settings, start, gradients):
    parameters = {name: torch.nn.Parameter(x.clone()) for name, x in start.items()}
    chosen, steps = optimizer(rule, settings, parameters), {name: [] for name in start}
    for step in range(STEPS):
        for group in chosen.param_groups:
            group["lr"] = rate(step)
        for name, p in parameters.items():
            p.grad = None if "late" in name and step < FROZEN else gradients[name][step].clone()
        chosen.step()
        for name, p in parameters.items():
            steps[name].append(p.detach().clone())
    return {name: torch.stack(some) for name, some in steps.items()}


torch.manual_seed(1)
start = {name: torch.randn(N) for name in ("layer.weight", "layer.bias", "late.weight")}
# Large ones first, so that AMSGrad has something to remember; the last element has none.
scale = torch.logspace(1, -2, STEPS)[:, None] * torch.logspace(0, -3, N) * (torch.arange(N) < N - 1)
gradients = {name: torch.randn(STEPS, N) * scale for name in start}
tensors, notes = dict(start), {}
tensors.update(("gradient." + name, x) for name, x in gradients.items())
for number, (rule, settings) in enumerate(cases()):
    case = f"case{number:02}"
    notes[case] = f"{rule} " + " ".join(f"{float(x):g}" for x in settings.values())
    tensors.update((f"{case}.{name}", x) for name, x in train(rule, settings, start, gradients).items())
save_safetensors(sys.argv[1], tensors, notes)
