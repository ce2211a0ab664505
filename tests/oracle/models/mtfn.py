#!/usr/bin/env python3
"""MTFN in PyTorch: TFN and a head for each modality, which learns its unimodal label.

  mtfn.py golden DIR [--seed N] [--labels sims|mosi]      mosi: the heads learn the joint label
  mtfn.py bench [--set sims] [--batch N] [--steps N] [--threads N]
"""
import sys
import command
import mlf_dnn
import tfn
from mlf_dnn import losses, optimizer, settings, stage, weights

LABELS, SEED = "sims", 13


class Model(tfn.Model):
    def __init__(self, c):
        super().__init__(c)
        self.add_heads(c["heads"], c["head_drop"])

    def forward(self, b):
        out = super().forward(b)
        return dict(out, **self.heads(out))


def small(draw):
    return dict(tfn.small(draw), heads=draw.each(4, 20), head_drop=dict(text=0, vision=0, audio=0),
                weight=dict(msr=.6, each_text=.4, each_vision=1, each_audio=0), decay=dict(text=1e-3, vision=5e-4, audio=2e-3, other=0))


def line(c):
    return dict(mlf_dnn.line(c), fuse=tfn.line(c)["fuse"], predict=mlf_dnn.with_heads(tfn.line(c)["predict"], c))


SETS = dict(sims=settings(256, 32, 256, 256, 64, (64, 4, 8), .2, .2, 64, 5e-3, (.6, .4, 0, 1), (1e-3, 1e-4, 1e-5, 0)))

if __name__ == "__main__":
    command.main(sys.modules[__name__])
