#!/usr/bin/env python3
"""MulT in PyTorch: every modality looks at every other one, frame by frame.

  mult.py golden DIR [--seed N] [--labels sims|mosi] [--samples N]   14: an epoch's last group of batches is incomplete
  mult.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
"""
import math, sys
import torch
from torch import nn
import torch.nn.functional as F
import large
from command import per, rates

LABELS, SEED = "mosi", 2
ORDER = dict(l="text", a="audio", v="vision")            # MMSA's letters, and the order in which results are concatenated
PAIRS = [(q, k) for q in ORDER for k in ORDER if q != k]
INNER = ["proj_l", "proj_a", "proj_v"] + [f"trans_{q}_with_{k}" for q, k in PAIRS] + [f"trans_{q}_mem" for q in ORDER]


def future(queries, keys):
    """True where query i may not see key j: j > i + |keys - queries|."""
    i, j = torch.arange(queries)[:, None], torch.arange(keys)[None, :]
    return j > i + abs(keys - queries)


class Attention(nn.Module):
    """Many heads; the projections of queries, keys and values are one stacked matrix, rows in this order."""
    def __init__(self, dim, heads, drop):
        super().__init__()
        self.heads, self.drop = heads, drop
        self.in_proj_weight, self.in_proj_bias = nn.Parameter(torch.empty(3 * dim, dim)), nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        for w in (self.in_proj_weight, self.out_proj.weight):
            nn.init.xavier_uniform_(w)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query, key, value):
        w, b = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (F.linear(x, w[i], b[i]).unflatten(-1, (self.heads, -1)).transpose(1, 2) for i, x in enumerate((query, key, value)))
        score = q / math.sqrt(q.shape[-1]) @ k.transpose(-1, -2)                        # [B,H,queries,keys]
        score = score.masked_fill(future(*score.shape[-2:]).to(score.device), -math.inf)
        return self.out_proj((F.dropout(score.softmax(-1), self.drop, self.training) @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Pre-norm. One LayerNorm serves the queries and, each by itself, what they look at."""
    def __init__(self, dim, heads, attention, relu, residual):
        super().__init__()
        self.self_attn = Attention(dim, heads, attention)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        for fc in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(fc.weight)
            nn.init.zeros_(fc.bias)
        self.layer_norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.inside, self.behind = nn.Dropout(relu), nn.Dropout(residual)

    def forward(self, x, source=None):
        norm = self.layer_norms[0]
        q = norm(x)
        k, v = (q, q) if source is None else (norm(s) for s in source)
        x = x + self.behind(self.self_attn(q, k, v))
        return x + self.behind(self.fc2(self.inside(F.relu(self.fc1(self.layer_norms[1](x))))))


class Transformer(nn.Module):
    """[B,L,d] -> [B,L,d]; `source` [B,K,d] is what every layer looks at, unchanged from layer to layer."""
    def __init__(self, dim, heads, layers, attention, c):
        super().__init__()
        self.layers = nn.ModuleList(Layer(dim, heads, attention, c["relu_dropout"], c["res_dropout"]) for _ in range(layers))
        self.layer_norm, self.drop, self.scale = nn.LayerNorm(dim), nn.Dropout(c["embed_dropout"]), math.sqrt(dim)

    def forward(self, x, source=None):
        x = self.drop(self.scale * x)
        if source is not None:                           # as key and as value: masks of dropout of their own
            source = [self.drop(self.scale * source) for _ in range(2)]
        for layer in self.layers:
            x = layer(x, source)
        return self.layer_norm(x)


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, heads, drop = c["dim"], c["heads"], c["attn_dropout"]
        self.text_drop, self.out_drop = nn.Dropout(c["text_dropout"]), nn.Dropout(c["output_dropout"])
        for m, name in ORDER.items():
            setattr(self, "proj_" + m, nn.Conv1d(c["feats"][name], d, c["kernel"][name], bias=False))
        for q, k in PAIRS:                               # dropout of attention goes by what is looked at
            setattr(self, f"trans_{q}_with_{k}", Transformer(d, heads, c["layers"], drop[ORDER[k]], c))
        for q in ORDER:
            setattr(self, f"trans_{q}_mem", Transformer(2 * d, heads, max(c["layers"], 3), drop["text"], c))
        self.proj1, self.proj2, self.out_layer = nn.Linear(6 * d, 6 * d), nn.Linear(6 * d, 6 * d), nn.Linear(6 * d, 1)

    def forward(self, b):
        x = dict(l=self.text_drop(b["text"]), a=b["audio"], v=b["vision"])
        x = {m: getattr(self, "proj_" + m)(x[m].transpose(1, 2)).transpose(1, 2) for m in ORDER}
        last = []
        for q in ORDER:
            seen = torch.cat([getattr(self, f"trans_{q}_with_{k}")(x[q], x[k]) for k in ORDER if k != q], -1)
            last.append(getattr(self, f"trans_{q}_mem")(seen)[:, -1])
        f = torch.cat(last, -1)
        return dict(f=f, y=self.out_layer(f + self.proj2(self.out_drop(F.relu(self.proj1(f)))))[:, 0])


def stage(name):
    return "predict" if name.startswith(("proj1.", "proj2.", "out_layer.")) else "fuse"


def losses(out, b, epoch):
    return dict(msr=F.l1_loss(out["y"], b["label"]))


def optimizer(model, c):
    return torch.optim.Adam(model.parameters(), lr=c["lr"])


def settings(dim, heads, layers, kernel, text, attn, relu, embed, res, out, clip, patience, batch, lr):
    three = lambda v: dict(zip(("text", "audio", "vision"), v))
    return dict(dim=dim, heads=heads, layers=layers, kernel=three(kernel), text_dropout=text, attn_dropout=three(attn), relu_dropout=relu,
                embed_dropout=embed, res_dropout=res, output_dropout=out, clip=clip, patience=patience, batch=batch, lr=lr, accumulate=8)


SETS = dict(sims=settings(50, 10, 2, (5, 1, 1), .3, (.2, .1, 0), 0, .1, .2, .1, .6, 10, 16, 2e-3),
            mosi=settings(50, 10, 4, (5, 5, 5), .5, (.3, .2, 0), 0, .2, 0, .5, .6, 5, 16, 2e-3),
            mosei=settings(30, 6, 4, (5, 1, 3), .3, (.4, 0, 0), 0, 0, 0, .5, .6, 20, 4, 5e-4))


def small(labels):
    none = (0, 0, 0)
    c = settings(4, 2, 2, (3, 1, 2), 0, none, 0, 0, 0, 0, .05, 0, 5, 1e-3) if labels == "mosi" else \
        settings(5, 5, 1, (2, 4, 1), 0, none, 0, 0, 0, 0, .02, 1, 5, 1e-3)
    sizes = dict(feats=dict(text=9, vision=5, audio=3), lengths=dict(text=7, vision=9, audio=12)) if labels == "mosi" else \
        dict(feats=dict(text=7, vision=11, audio=3), lengths=dict(text=6, vision=8, audio=9))
    return dict(c, accumulate=2, **sizes)


def line(c):
    drop = dict(text=c["text_dropout"], embed=c["embed_dropout"], **{"att-" + m: p for m, p in c["attn_dropout"].items()},
                relu=c["relu_dropout"], residual=c["res_dropout"])
    return dict(fuse=f"cross-modal --dim {c['dim']} --heads {c['heads']} --layers {c['layers']} --kernel {per(c['kernel'])} --dropout {rates(drop)}",
                predict=f"--head residual --dropout {c['output_dropout']:g}", loss="--tasks msr --regression l1",
                backprop=f"{large.ADAM.replace('constant', 'plateau')} --patience {c['patience']} --lr {c['lr']:g} --decay 0 "
                         f"--clip-value {c['clip']:g} --accumulate {c['accumulate']}")


if __name__ == "__main__":
    large.main(sys.modules[__name__])
