#!/usr/bin/env python3
"""MFN in PyTorch: three LSTMs in step, attention over their cells of two steps, a gated memory.

The cells do not depend on the memory, so attention and candidate are made of all steps at once; only the memory recurs.

  mfn.py golden DIR [--seed N] [--labels sims|mosi]      sims: a length a modality; mosi: aligned
  mfn.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
"""
import sys
import torch
from torch import nn
import torch.nn.functional as F
import command
from command import per, rates
from subnets import frame_mean, l1 as losses

LABELS, SEED = "sims", 10
LETTER = dict(text="l", audio="a", vision="v")   # of the LSTMs, in the order in which their states are joined
GATES = ("att1", "att2", "gamma1", "gamma2")


def aligned(labels):
    return labels == "mosi"


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.drop, self.memory = c["drop"], c["memory"]
        for m, k in LETTER.items():
            setattr(self, "lstm_" + k, nn.LSTMCell(c["feats"][m], c["hidden"][m]))
        cells = sum(c["hidden"].values())
        two = dict.fromkeys(GATES, 2 * cells)
        two["gamma1"] = two["gamma2"] = 2 * cells + self.memory
        for g in GATES:
            self.pair(g, two[g], c["width"][g], 2 * cells if g == "att1" else self.memory)
        self.pair("out", cells + self.memory, c["width"]["out"], 1)

    def pair(self, name, *sizes):
        for i in (1, 2):
            setattr(self, f"{name}_fc{i}", nn.Linear(sizes[i - 1], sizes[i]))

    def two(self, name, x):
        """Linear, ReLU, dropout, Linear."""
        x = F.dropout(F.relu(getattr(self, name + "_fc1")(x)), self.drop[name], self.training)
        return getattr(self, name + "_fc2")(x)

    def run(self, m, x):
        """All cells [B,L+1,D], zeros first, and the last hidden state."""
        cell = getattr(self, "lstm_" + LETTER[m])
        h = c = x.new_zeros(len(x), cell.hidden_size)
        cells = [c]
        for t in range(x.shape[1]):
            h, c = cell(x[:, t], (h, c))
            cells.append(c)
        return torch.stack(cells, 1), h

    def forward(self, b):
        length = b["text"].shape[1]
        frames = {m: b[m] if m == "text" else frame_mean(b[m])[:, None].expand(-1, length, -1) for m in LETTER}
        cells, last = zip(*(self.run(m, frames[m]) for m in LETTER))
        cells = torch.cat(cells, 2)
        pair = torch.cat([cells[:, :-1], cells[:, 1:]], 2)
        attended = self.two("att1", pair).softmax(2) * pair
        candidate = torch.tanh(self.two("att2", attended))
        memory = pair.new_zeros(len(pair), self.memory)
        for e, new in zip(attended.unbind(1), candidate.unbind(1)):
            seen = torch.cat([e, memory], 1)
            keep, write = (torch.sigmoid(self.two(g, seen)) for g in ("gamma1", "gamma2"))
            memory = keep * memory + write * new
        f = torch.cat([*last, memory], 1)
        return dict(f=f, y=self.two("out", f)[:, 0])


def stage(name):
    return "predict" if name.startswith("out_") else "fuse"


def optimizer(model, c):
    return torch.optim.Adam(model.parameters(), lr=c["lr"], weight_decay=c["decay"])


def small(draw):
    return dict(lengths=draw.each(3, 9), hidden=draw.each(3, 10), memory=draw(4, 12), width={g: draw(4, 19) for g in (*GATES, "out")},
                feats=draw.each(5, 19), drop=dict.fromkeys((*GATES, "out"), 0), lr=1e-3, decay=1e-3)


def line(c):
    width, drop = ({g: c[k][g] for g in GATES} for k in ("width", "drop"))
    return dict(fuse=f"memory --hidden {per(c['hidden'])} --memory {c['memory']} --width {per(width)} --dropout {rates(drop)} --align mean",
                predict=f"--head mlp --hidden {c['width']['out']} --names out_fc1,out_fc2 --dropout {c['drop']['out']:g}", loss="--tasks msr",
                backprop=f"--lr {c['lr']:g} --decay {c['decay']:g}")


def settings(t, a, v, memory, width, drop, batch, lr, decay):
    """width, drop: of att1, att2, gamma1, gamma2, out."""
    return dict(hidden=dict(text=t, audio=a, vision=v), memory=memory, width=dict(zip((*GATES, "out"), width)),
                drop=dict(zip((*GATES, "out"), drop)), batch=batch, lr=lr, decay=decay)


SETS = dict(sims=settings(64, 16, 64, 64, (128, 128, 64, 64, 64), (.2, 0, .2, .7, .7), 32, 1e-3, 0),
            mosi=settings(256, 32, 256, 400, (32, 64, 256, 32, 128), (.2, 0, .7, .5, 0), 128, 2e-3, 0),
            mosei=settings(128, 32, 128, 128, (128, 128, 256, 256, 128), (.2, .5, .7, 0, .5), 64, 5e-4, 1e-4))

if __name__ == "__main__":
    command.main(sys.modules[__name__])
