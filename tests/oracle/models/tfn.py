#!/usr/bin/env python3
"""TFN in PyTorch: the outer product of the three vectors, each with a 1 in front, through three Linear layers.

  tfn.py golden DIR [--seed N] [--labels sims|mosi]
  tfn.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
"""
import math, sys
import torch
from torch import nn
import torch.nn.functional as F
import command
from subnets import Encoders, encode_options, l1 as losses, outer_product, stage

LABELS, SEED = "sims", 8
LOW, HIGH = -3.0, 3.0                            # of y, whatever the labels


class Model(Encoders):
    def __init__(self, c):
        super().__init__(c)
        self.fusion_drop = nn.Dropout(c["drop"]["fusion"])
        self.chain("post_fusion_layer_", math.prod(n + 1 for n in self.width.values()), c["post"], c["post"], 1)

    def forward(self, b):
        h = self.encode(b)
        f = F.relu(self.post_fusion_layer_1(self.fusion_drop(outer_product(h))))
        z = self.post_fusion_layer_3(F.relu(self.post_fusion_layer_2(f)))[:, 0]
        return dict(h, f=f, y=LOW + (HIGH - LOW) * torch.sigmoid(z))


def optimizer(model, c):
    return torch.optim.Adam(model.parameters(), lr=c["lr"])              # no decay


def small(draw):
    return dict(hidden=dict(text=draw(4, 11), vision=draw(4, 8), audio=draw(4, 8)), text_out=draw(4, 9), post=draw(5, 14),
                feats=draw.each(5, 16), lengths=draw.each(4, 16), drop=dict(vision=0, audio=0, fusion=0), lr=1e-3)


def line(c):
    return dict(encode=encode_options(c), fuse=f"tensor --order audio,vision,text --out {c['post']} --dropout {c['drop']['fusion']:g}",
                predict=f"--head mlp --hidden {c['post']} --range {LOW:g},{HIGH:g}", loss="--tasks msr", backprop=f"--lr {c['lr']:g} --decay 0")


def settings(t, a, v, text_out, post, drop, fusion, batch, lr):
    return dict(hidden=dict(text=t, audio=a, vision=v), text_out=text_out, post=post, drop=dict(vision=drop, audio=drop, fusion=fusion),
                batch=batch, lr=lr)


SETS = dict(sims=settings(128, 32, 128, 256, 32, .4, .4, 32, 5e-4),
            mosi=settings(128, 32, 128, 32, 64, .3, .5, 32, 1e-3),
            mosei=settings(128, 16, 128, 128, 16, .4, .4, 128, 5e-3))

if __name__ == "__main__":
    command.main(sys.modules[__name__])
