#!/usr/bin/env python3
"""Transformer layers in PyTorch, which tests/unit/transformer.c must reproduce. Needs torch.

  transformer.py FILE    as safetensors (tests/golden/transformer.safetensors)

Three stacks: `behind`, PyTorch's own layer with its norms behind, relu and padding; `front`, the same with its norms in front,
GELU and a causal mask; `cross`, two layers with their norms in front that look at keys and values of another length, each
from a source of its own, as those of MulT do in training. The file has STACK.x and the like, STACK.y, and
gradient.STACK.x, those by parameters too. Computed in float64 and kept as float32."""
import sys

import torch
from dmmsa_torch import save_safetensors
from torch import nn

BATCH, QUERIES, KEYS, D, HEADS, INNER = 2, 5, 7, 6, 2, 9
OFFSET = KEYS - QUERIES


def layer(first, activation):
    return nn.TransformerEncoderLayer(D, HEADS, INNER, 0, activation, norm_first=first, batch_first=True, dtype=torch.float64)


def drawn(*shape):
    return torch.randn(shape, dtype=torch.float64).float().double()


def shake(module):
    """Numbers that no default hides."""
    for p in module.parameters():
        p.data = (p.data + 0.2 * torch.randn_like(p)).float().double()


def cross(l, x, keys, values):
    mask = torch.ones(QUERIES, KEYS).triu(1 + OFFSET).bool()
    h = x + l.self_attn(l.norm1(x), l.norm1(keys), l.norm1(values), attn_mask=mask, need_weights=False)[0]
    return h + l.linear2(torch.relu(l.linear1(l.norm2(h))))


def stack(name, layers, inputs, run):
    for l in layers:
        l.train()  # else PyTorch takes a way of its own
        shake(l)
    for t in inputs.values():
        t.requires_grad_()
    y, dy = run(layers, inputs), drawn(BATCH, QUERIES, D)
    (y * dy).sum().backward()
    learned = dict(inputs)
    for i, l in enumerate(layers):
        learned.update({f"{i}.{key}": p for key, p in l.named_parameters()})
    tensors.update({f"{name}.{key}": t for key, t in learned.items()})
    tensors.update({f"{name}.y": y, f"{name}.dy": dy})
    tensors.update({f"gradient.{name}.{key}": t.grad for key, t in learned.items()})


torch.manual_seed(1)
tensors = {}
padding = torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]).bool()
causal = torch.ones(QUERIES, QUERIES).triu(1).bool()
stack("behind", [layer(False, "relu")], {"x": drawn(BATCH, QUERIES, D)},
      lambda layers, i: layers[0](i["x"], src_key_padding_mask=padding))
stack("front", [layer(True, "gelu")], {"x": drawn(BATCH, QUERIES, D)}, lambda layers, i: layers[0](i["x"], src_mask=causal))
stack("cross", [layer(True, "relu"), layer(True, "relu")],
      {"x": drawn(BATCH, QUERIES, D), "keys": drawn(BATCH, KEYS, D), "values": drawn(BATCH, KEYS, D)},
      lambda layers, i: cross(layers[1], cross(layers[0], i["x"], i["keys"], i["values"]), i["keys"], i["values"]))
save_safetensors(sys.argv[1], tensors)
