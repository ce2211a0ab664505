#!/usr/bin/env python3
"""MLF-DNN in PyTorch: LF-DNN and a head for each modality, which learns its unimodal label.

  mlf_dnn.py golden DIR [--seed N] [--labels sims|mosi]   mosi: the heads learn the joint label
  mlf_dnn.py bench [--set sims] [--batch N] [--steps N] [--threads N]
"""
import sys
import command
import lf_dnn
from command import per, rates
from subnets import by_subnet as optimizer, l1_each as losses, stage

LABELS, SEED = "sims", 11


class Model(lf_dnn.Model):
    def __init__(self, c):
        super().__init__(c)
        self.add_heads(c["heads"], c["head_drop"])

    def forward(self, b):
        out = super().forward(b)
        return dict(out, **self.heads(out))


def weights(c):
    return c["weight"]


def small(draw):
    return dict(lf_dnn.small(draw), heads=draw.each(4, 24), head_drop=dict(text=0, vision=0, audio=0),
                weight=dict(msr=.6, each_text=.2, each_vision=.7, each_audio=.9), decay=dict(text=1e-3, vision=5e-4, audio=2e-3, other=1e-4))


def with_heads(predict, c):
    return f"{predict} --each {per(c['heads'])} --dropout {rates(c['head_drop'])}"


def line(c):
    own = {k: v for k, v in c["decay"].items() if k != "other"}
    part = lf_dnn.line(dict(c, decay=c["decay"]["other"]))
    return dict(part, encode=f"{part['encode']} --decay {per(own)}", predict=with_heads(part["predict"], c),
                loss=f"--tasks msr,each --weights {per(c['weight'])}")


def settings(t, a, v, text_out, post, heads, drop, head_drop, batch, lr, weight, decay):
    """heads: widths of text, audio, vision; weight: of msr and those; decay: of those and the rest."""
    tav = ("text", "audio", "vision")
    return dict(hidden=dict(text=t, audio=a, vision=v), text_out=text_out, post=post, heads=dict(zip(tav, heads)),
                drop=dict(vision=drop, audio=drop, fusion=head_drop), head_drop=dict.fromkeys(tav, head_drop), batch=batch, lr=lr,
                weight=dict(zip(("msr", *("each_" + m for m in tav)), weight)), decay=dict(zip((*tav, "other"), decay)))


SETS = dict(sims=settings(64, 32, 64, 32, 32, (16, 4, 32), .3, .5, 32, 2e-3, (.6, .2, .8, .8), (1e-4, 1e-3, 1e-4, 0)))

if __name__ == "__main__":
    command.main(sys.modules[__name__])
