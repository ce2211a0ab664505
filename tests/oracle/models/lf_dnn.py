#!/usr/bin/env python3
"""LF-DNN in PyTorch: each modality's vector, concatenated, through three Linear layers.

  lf_dnn.py golden DIR [--seed N] [--labels sims|mosi]
  lf_dnn.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
"""
import sys
import torch
from torch import nn
import torch.nn.functional as F
import command
from subnets import Encoders, concat, encode_options, l1 as losses, stage

LABELS, SEED = "mosi", 7


class Model(Encoders):
    def __init__(self, c):
        super().__init__(c)
        self.fusion_drop = nn.Dropout(c["drop"]["fusion"])
        self.chain("post_fusion_layer_", sum(self.width.values()), c["post"], c["post"], 1)

    def forward(self, b):
        h = self.encode(b)
        f = F.relu(self.post_fusion_layer_1(self.fusion_drop(concat(h))))
        return dict(h, f=f, y=self.post_fusion_layer_3(F.relu(self.post_fusion_layer_2(f)))[:, 0])


def optimizer(model, c):
    return torch.optim.Adam(model.parameters(), lr=c["lr"], weight_decay=c["decay"])


def small(draw):
    return dict(feats=draw.each(5, 14), lengths=draw.each(4, 13), hidden=draw.each(6, 19), text_out=draw(5, 19), post=draw(5, 19),
                drop=dict(vision=0, audio=0, fusion=0), lr=1e-3, decay=1e-3)


def line(c):
    return dict(encode=encode_options(c), fuse=f"concat --order audio,vision,text --out {c['post']} --dropout {c['drop']['fusion']:g}",
                predict=f"--head mlp --hidden {c['post']}", loss="--tasks msr", backprop=f"--lr {c['lr']:g} --decay {c['decay']:g}")


def settings(t, a, v, text_out, post, drop, fusion, batch, lr, decay):
    return dict(hidden=dict(text=t, audio=a, vision=v), text_out=text_out, post=post, drop=dict(vision=drop, audio=drop, fusion=fusion),
                batch=batch, lr=lr, decay=decay)


SETS = dict(sims=settings(128, 32, 128, 256, 32, .3, .5, 128, 5e-3, 5e-3),
            mosi=settings(128, 16, 128, 256, 128, .2, .2, 128, 1e-3, 1e-2),
            mosei=settings(128, 32, 128, 128, 128, .2, .2, 64, 2e-3, 1e-3))

if __name__ == "__main__":
    command.main(sys.modules[__name__])
