#!/usr/bin/env python3
"""LMF in PyTorch: TFN's tensor of weights as a sum of R outer products of factors.

  lmf.py golden DIR [--seed N] [--labels sims|mosi]
  lmf.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
"""
import sys
import torch
from torch import nn
import command
from subnets import AVT, VIDEO, Encoders, encode_options, l1 as losses, stage as owner, with_one

LABELS, SEED = "mosi", 9
FROZEN = ("fusion_weights", "fusion_bias")       # MMSA's optimizer does not get them


class Model(Encoders):
    def __init__(self, c):
        super().__init__(c)
        new = lambda *shape: nn.Parameter(nn.init.xavier_normal_(torch.empty(shape)))
        for m in AVT:
            setattr(self, VIDEO[m] + "_factor", new(c["rank"], self.width[m] + 1, 1))
        self.fusion_weights, self.fusion_bias = new(1, c["rank"]), nn.Parameter(torch.zeros(1, 1))

    def forward(self, b):
        h, z = self.encode(b), 1.0
        for m in AVT:
            z = z * torch.einsum("bi,rio->bro", with_one(h["h_" + m]), getattr(self, VIDEO[m] + "_factor"))
        f = torch.einsum("r,bro->bo", self.fusion_weights[0], z) + self.fusion_bias
        return dict(h, f=f, y=f[:, 0])


def stage(name):
    return owner(name) if "_subnet." in name else "fuse"


def optimizer(model, c):
    named = list(model.named_parameters())
    return torch.optim.Adam([dict(params=[p for n, p in named if n.endswith("_factor")], lr=c["factor_lr"]),
                             dict(params=[p for n, p in named if "_subnet." in n], lr=c["lr"])], weight_decay=c["decay"])


def small(draw):
    hidden = draw.each(6, 19)
    return dict(hidden=hidden, text_out=hidden["text"] // 2, feats=draw.each(5, 14), lengths=draw.each(4, 13), rank=draw(2, 5),
                drop=dict(vision=0, audio=0), lr=1e-3, factor_lr=5e-4, decay=1e-3)


def line(c):
    return dict(encode=encode_options(c), fuse=f"low-rank --rank {c['rank']} --lr-scale {c['factor_lr'] / c['lr']:g}", predict="--head none",
                loss="--tasks msr", backprop=f"--lr {c['lr']:g} --decay {c['decay']:g}")


def settings(t, a, v, rank, drop, batch, lr, factor_lr, decay):
    return dict(hidden=dict(text=t, audio=a, vision=v), text_out=t // 2, rank=rank, drop=dict(vision=drop, audio=drop),
                batch=batch, lr=lr, factor_lr=factor_lr, decay=decay)


SETS = dict(sims=settings(64, 16, 64, 4, .2, 64, 2e-3, 5e-4, 5e-3),
            mosi=settings(128, 16, 128, 3, .3, 64, 1e-3, 1e-3, 5e-3),
            mosei=settings(128, 16, 128, 4, .2, 32, 1e-3, 1e-3, 1e-3))

if __name__ == "__main__":
    command.main(sys.modules[__name__])
