#!/usr/bin/env python3
"""A training whose steps are made of several batches, in PyTorch: the trajectory that tests/golden.bats reproduces. Needs torch.

  steps_line.py DIR    expected trajectory and last parameters, of the data and initial parameters beside it in DIR/../sims

What is said here in PyTorch's words is the line of golden.bats: groups of batches whose running sum of gradients is clipped,
a rate that falls on a plateau of the validation loss, rates and decays by modality and by name."""
import fnmatch
import json
import pickle
import sys
from pathlib import Path

import torch
from dmmsa_torch import MODS, STAGE, Dmmsa, Gdwg, by_stage, losses, save_safetensors

sys.path.insert(0, str(Path(__file__).parent.parent / "interop"))
import parameters  # noqa: E402

EPOCHS, BATCH, ACCUMULATE, CLIP, LR, DECAY, PATIENCE = 8, 5, 3, 0.05, 8e-3, 1e-3, 0


def scale(name):
    """--lr-scale 'text=.2,vision=2,*.norm1.*=.5' of msa-encode, and '*.bias=.5' of msa-decompose."""
    if STAGE(name) == "encode":
        return (0.5 if ".norm1." in name else 0.2 if name.startswith("text") else 2 if name.startswith("vision") else 1)
    return 0.5 if STAGE(name) == "decompose" and name.endswith(".bias") else 1


def decay(name):
    """--decay audio=.05 of msa-encode, .02 of msa-predict; --no-decay '*norm*.bias,mono_decoder'."""
    if fnmatch.fnmatchcase(name, "*norm*.bias") or "mono_decoder" in name:
        return 0.0
    return 0.05 if name.startswith("audio") else 0.02 if STAGE(name) == "predict" else DECAY


def read(split, at, size):
    part = slice(at, at + size)
    x = {m: torch.tensor(split[m][part]).float() for m in MODS}
    names = {"y": "regression_labels", **{m: "regression_labels_" + m[0].upper() for m in MODS}}
    return x, {key: torch.tensor(split[name][part]).float() for key, name in names.items()}


def validation(model, split, weights):
    """The weighted total, a mean over samples."""
    total, n = 0.0, len(split["id"])
    with torch.no_grad():
        for at in range(0, n, BATCH):
            x, labels = read(split, at, BATCH)
            parts = losses(model(x), labels)
            total += sum(weights[k] * float(v) for k, v in parts.items()) * len(labels["y"])
    return total / n


to = Path(sys.argv[1])
data = pickle.loads((to.parent / "sims/data.pkl").read_bytes())
to.mkdir(exist_ok=True)
shapes = {m: data["train"][m].shape for m in MODS}
model = Dmmsa({m: shapes[m][2] for m in MODS}, {m: shapes[m][1] for m in MODS}, dict(text=1, vision=1, audio=2), 32, 4, drop=0.0)
initial = {}
for stage in "encode", "decompose", "predict":
    initial.update(parameters.load(str(to.parent / f"sims/{stage}.init.safetensors"))[0])
model.load_state_dict({name: torch.tensor(x) for name, x in initial.items()})
named = list(model.named_parameters())
optimizer = torch.optim.Adam([dict(params=[p], scale=scale(name), weight_decay=decay(name)) for name, p in named], lr=LR)
line = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)  # has the rate of the line alone
schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(line, patience=PATIENCE)
gdwg, log, n, step = Gdwg(), [], len(data["train"]["id"]), 0
for epoch in range(1, EPOCHS + 1):
    weights = dict(msr=1.0, msc=1.0, **gdwg.weights)
    for number, at in enumerate(range(0, n, BATCH), 1):
        lr = line.param_groups[0]["lr"]
        x, labels = read(data["train"], at, BATCH)
        parts = losses(model(x), labels)
        total = sum(weights[k] * parts[k] for k in parts)
        total.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), CLIP)
        if number % ACCUMULATE == 0 or at + BATCH >= n:
            for group in optimizer.param_groups:
                group["lr"] = lr * group["scale"]
            optimizer.step()
            optimizer.zero_grad()
        gdwg.add(parts, len(labels["y"]))
        log.append(dict(epoch=epoch, step=step, lr=lr, weights=weights, total=float(total),
                        losses={k: float(v) for k, v in parts.items()}))
        step += 1
    schedule.step(validation(model, data["valid"], weights))
    gdwg.end_epoch()
for stage, part in by_stage(named).items():
    save_safetensors(str(to / f"{stage}.final.safetensors"), part)
x, labels = read(data["test"], 0, len(data["test"]["id"]))
with torch.no_grad():
    predictions = model(x)["y"].tolist()
with open(to / "expected.json", "w") as file:
    json.dump(dict(steps=log, test=dict(prediction=predictions, label=labels["y"].tolist())), file, indent=1)
print(f"rates: {sorted({entry['lr'] for entry in log}, reverse=True)}")
