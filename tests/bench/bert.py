#!/usr/bin/env python3
"""BERT in PyTorch, for tests/bench/bert to be held against.

  bert.py make DIR base|mini DATA SAMPLES TOKENS   a BERT of that size with random weights, and a data set of random ids
  bert.py forward DIR DATA BATCH THREADS           prints the seconds of each batch
  bert.py train DIR DATA BATCH THREADS             the same of a training step: mean over tokens, a head D-D/2-D/4-D/8-1,
                                                   squared error, AdamW, dropout as configured
Batches are cut to their longest sample. float32 on the CPU."""
import json
import pathlib
import pickle
import sys
import time

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

SIZES = {"base": dict(), "mini": dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)}


def make(folder, size, data, samples, tokens):
    folder, rng = pathlib.Path(folder), np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    model = BertModel(BertConfig(**SIZES[size]))
    save_file({name: p.contiguous() for name, p in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    sets = {}
    for split, n in ("train", int(samples)), ("valid", 1), ("test", 1):
        text_bert = np.ones((n, 3, int(tokens)), np.int64)
        text_bert[:, 0], text_bert[:, 2] = rng.integers(1000, 30000, (n, int(tokens))), 0
        sets[split] = {"text_bert": text_bert, "id": [f"{split}$_${i}" for i in range(n)],
                       "regression_labels": rng.uniform(-3, 3, n).astype(np.float32)}
    with open(data, "wb") as f:
        pickle.dump(sets, f, protocol=4)


def batches(data, size):
    with open(data, "rb") as f:
        split = pickle.load(f)["train"]
    text_bert, labels = np.asarray(split["text_bert"]), torch.tensor(np.asarray(split["regression_labels"], np.float32))
    for at in range(0, len(text_bert), int(size)):
        ids, mask, types = (torch.as_tensor(text_bert[at:at + int(size), i]).long() for i in range(3))
        longest = int(mask.sum(1).max())
        yield ids[:, :longest], mask[:, :longest], types[:, :longest], labels[at:at + int(size)]


def load(folder, threads):
    torch.set_num_threads(int(threads))
    return BertModel.from_pretrained(folder)


def forward(folder, data, size, threads):
    model = load(folder, threads).eval()
    with torch.no_grad():
        for ids, mask, types, _ in batches(data, size):
            began = time.perf_counter()
            model(input_ids=ids, attention_mask=mask, token_type_ids=types)
            print(f"{time.perf_counter() - began:.4f}", flush=True)


def train(folder, data, size, threads):
    model = load(folder, threads).train()
    d = model.config.hidden_size
    head = torch.nn.Sequential(*(x for a, b in ((1, 2), (2, 4), (4, 8)) for x in (torch.nn.Linear(d // a, d // b), torch.nn.GELU())),
                               torch.nn.Linear(d // 8, 1))
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=1e-4)
    for ids, mask, types, labels in batches(data, size):
        began = time.perf_counter()
        h = model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        m = mask[:, :, None].float()
        loss = torch.nn.functional.mse_loss(head((h * m).sum(1) / m.sum(1))[:, 0], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"{time.perf_counter() - began:.4f}", flush=True)


if __name__ == "__main__":
    {"make": make, "forward": forward, "train": train}[sys.argv[1]](*sys.argv[2:])
