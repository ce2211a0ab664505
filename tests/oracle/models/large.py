"""The commands of a large model's reference, for its file to run as `large.main(sys.modules[__name__])`: those of command.py,
but that the two label families have sizes of their own, which no seed draws; that a golden folder has a tiny BERT where the
model has one, and inner0.safetensors, tensors inside a stage; and that `bench` has frames with padding, and BERT-base with
random weights.

The file has `Model(c)`, c being a dict of sizes, dropout and training settings; `SETS` {set: c} as MMSA sets them;
`small(labels)` a little c without dropout; `line(c)` {filter: its options}; `stage`, `losses`, `optimizer(model, c)`; and,
where needed, `weights(c)` {task: weight}, `BERT` (the text is tokens) with `bert_of(model)` (its parameters), `INNER` (modules
whose output inner0.safetensors shows), `hooks(model, data, c, notes)` (more arguments for common.trajectory),
`relabel(path, data, seed)` (what it changes in the data set), `batch_of(c, batch)` (random data)."""
import os
import numpy as np
import torch
import command
from common import MODS, inner, make_data, perturb, take, trajectory

FILTERS = ("encode", "companions", "decompose", "fuse", "predict", "relabel")
SIZES = (18, 6, 8)                    # batches of 5, 5, 5 and 3: two updates an epoch with --accumulate 2
ADAM = "--optimizer adam --warmup 0 --schedule constant"


def shell(options, stages):
    """The training line of a golden folder $G into a folder $R; nobody judges, so the last parameters are kept."""
    parts = [f"msa-load --train --epochs 4 --batch 5 --no-shuffle --state $R/state.msa{options.get('load', '')} $G/data.pkl"]
    for name in FILTERS:
        if name in options:
            files = f" --init $G/{name}.init.safetensors -p $R/{name}.safetensors" if name in stages else ""
            parts.append(f"msa-{name} {options[name]}{files}".replace("  ", " "))
    return parts + [f"msa-loss {options['loss']}", "msa-metrics -q --log $R/metrics.tsv",
                    f"msa-backprop {options['backprop']} --log $R/steps.tsv"]


def golden(m, a):
    os.makedirs(a.dir, exist_ok=True)
    c, tiny_bert = m.small(a.labels), None
    if getattr(m, "BERT", False):
        import tiny_bert
    data = make_data(f"{a.dir}/data.pkl", a.seed, a.labels, c["feats"], c["lengths"], c.get("aligned", False),
                     tiny_bert.WORDS if tiny_bert else 0, (a.samples or SIZES[0], *SIZES[1:]))
    if hasattr(m, "relabel"):
        m.relabel(f"{a.dir}/data.pkl", data, a.seed)
    if tiny_bert:
        tiny_bert.make(f"{a.dir}/bert", a.seed, positions=16)
        c["bert"] = f"{a.dir}/bert"
    torch.manual_seed(a.seed)
    model = m.Model(c)
    if tiny_bert:
        kept = [(p, p.detach().clone()) for p in m.bert_of(model)]
    perturb(model)
    if tiny_bert:                     # stays what bert/ holds
        with torch.no_grad():
            for p, v in kept:
                p.copy_(v)
        c["bert"] = "bert"
    stages = {m.stage(name) for name, _ in model.named_parameters()}
    notes = dict(labels=a.labels, seed=a.seed, settings={k: v for k, v in c.items() if v is not None}, line=shell(m.line(c), stages))
    more = m.hooks(model, data["train"], c, notes) if hasattr(m, "hooks") else {}
    model.train()
    if getattr(m, "INNER", ()):
        inner(a.dir, model, take(data["train"], slice(0, 5)), m.INNER)
    w = m.weights(c) if hasattr(m, "weights") else {}
    log, valid = trajectory(a.dir, data, model, m.stage, m.losses, lambda net: m.optimizer(net, c), weights=lambda epoch: w,
                            clip=c.get("clip"), clip_each=True, accumulate=c.get("accumulate", 1), plateau=c.get("patience"),
                            notes=notes, **more)
    print(f"{len(log)} steps, last total loss {log[-1]['total']:.6f}")


def random_batch(c, batch):
    """Random records with padding: a sample's text has about a third of the places (CMU-MOSI's transcripts: 15 of 50 tokens,
    deviation 9), audio and vision as large a part of their own as a uniform draw from .3 to 1; the first sample is full."""
    rng = np.random.default_rng(1)
    part = np.where(np.arange(batch) == 0, 1, rng.uniform(.3, 1, batch))
    used = {m: np.maximum(1, np.ceil(part * c["lengths"][m])).astype(int) for m in ("audio", "vision")}
    tokens = c["lengths"]["text"]
    used["text"] = np.where(np.arange(batch) == 0, tokens, np.clip(rng.normal(15, 9, batch), 4, tokens)).astype(int)
    mask = {m: (np.arange(c["lengths"][m]) < used[m][:, None]) for m in MODS}
    b = {m: torch.randn(batch, c["lengths"][m], c["feats"][m]) * torch.tensor(mask[m])[..., None] for m in MODS}
    b["label"] = torch.rand(batch) * 2 - 1
    real = torch.tensor(mask["text"]).long()
    b["text_bert"] = torch.stack([torch.randint(1000, 20000, (batch, tokens)) * real, real, torch.zeros_like(real)], 1)
    for m in ("audio", "vision"):
        b[m + "_lengths"] = torch.tensor(used[m])
    b["index"] = torch.arange(batch)
    return b


def bench(m, a):
    if getattr(m, "BERT", False):
        m.SETS[a.set]["bert"] = "chinese" if a.set == "sims" else "uncased"
    command.bench(m, a, random_batch)


def line(m, a):
    c = m.SETS[a.set]
    options = m.line(c)
    print(f"msa-load --batch {c['batch']}{options.get('load', '')}")
    for name in FILTERS:
        if name in options:
            print(f"msa-{name} {options[name]}")
    print(f"msa-loss {options['loss']}")
    print(f"msa-backprop {options['backprop']}")


def main(m):
    command.main(m, golden, bench, line)
