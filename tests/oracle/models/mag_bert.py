#!/usr/bin/env python3
"""MAG-BERT in PyTorch: a gate behind BERT's embeddings shifts each word by its sound and sight.

  mag_bert.py golden DIR [--seed N] [--labels sims|mosi]
  mag_bert.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
  mag_bert.py line [--set sims|mosi|mosei]
"""
import sys
import torch
from torch import nn
import torch.nn.functional as F
import large
from tiny_bert import Bert

LABELS, SEED, BERT = "sims", 2, True
INNER = ["model.bert.MAG"]


def to_words(x, words):
    """[B,L,F] -> [B,words,F]: means of ceil(L / words) frames each, the last frame repeated to fill up."""
    if x.shape[1] == words:
        return x
    each = -(-x.shape[1] // words)
    x = torch.cat([x, x[:, -1:].expand(-1, each * words - x.shape[1], -1)], 1)
    return x.unflatten(1, (words, each)).mean(2)


class Gate(nn.Module):
    def __init__(self, width, vision, audio, beta, drop):
        super().__init__()
        self.W_hv, self.W_ha = nn.Linear(vision + width, width), nn.Linear(audio + width, width)
        self.W_v, self.W_a = nn.Linear(vision, width), nn.Linear(audio, width)
        self.LayerNorm, self.dropout, self.beta = nn.LayerNorm(width), nn.Dropout(drop), beta

    def forward(self, e, v, a):
        shift = F.relu(self.W_hv(torch.cat([v, e], -1))) * self.W_v(v) + F.relu(self.W_ha(torch.cat([a, e], -1))) * self.W_a(a)
        size = shift.norm(dim=-1, keepdim=True)
        size = torch.where(size == 0, torch.ones_like(size), size)
        alpha = (self.beta * e.norm(dim=-1, keepdim=True) / (size + 1e-6)).clamp(max=1)
        return self.dropout(self.LayerNorm(e + alpha * shift))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.model = nn.Module()
        made = Bert(c["bert"], pooler=True)
        bert = self.model.bert = made.model
        width = bert.config.hidden_size
        bert.MAG = Gate(width, c["feats"]["vision"], c["feats"]["audio"], c["beta"], c["gate_dropout"])
        self.model.dropout, self.model.classifier = nn.Dropout(bert.config.hidden_dropout_prob), nn.Linear(width, 1)
        for layer in (*bert.MAG.children(), self.model.classifier):
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=bert.config.initializer_range)
                nn.init.zeros_(layer.bias)
        self.run, self.heard = made.run, None
        bert.embeddings.register_forward_hook(lambda module, args, e: bert.MAG(e, *self.heard))

    def forward(self, b):
        words = b["text_bert"].shape[-1]
        self.heard = [to_words(b[m], words) for m in ("vision", "audio")]
        f = self.run(b["text_bert"]).pooler_output
        return dict(f=f, y=self.model.classifier(self.model.dropout(f))[:, 0])


def bert_of(model):
    return [p for name, p in model.model.bert.named_parameters() if not name.startswith("MAG.")]


def stage(name):
    return "predict" if name.startswith("model.classifier.") else "encode"


def losses(out, b, epoch):
    return dict(msr=F.l1_loss(out["y"], b["label"]))


def optimizer(model, c):
    return torch.optim.Adam(model.parameters(), lr=c["lr"])


def settings(batch, lr, drop, beta=1):
    return dict(beta=beta, gate_dropout=drop, batch=batch, lr=lr)


SETS = dict(sims=settings(32, 5e-5, .1), mosi=dict(settings(32, 2e-5, .3), lengths=dict(text=50, vision=50, audio=50)),
            mosei=dict(settings(32, 1e-5, .2), lengths=dict(text=50, vision=50, audio=50)))


def small(labels):
    if labels == "sims":                                 # vision 5 frames to 6 words and audio 20: the last one is repeated
        return dict(settings(5, 1e-4, 0, .4), feats=dict(text=3, vision=7, audio=5), lengths=dict(text=6, vision=5, audio=20))
    return dict(settings(5, 1e-4, 0, .3), feats=dict(text=2, vision=4, audio=9), lengths=dict(text=8, vision=8, audio=8), aligned=True)


def line(c):
    bert, drop = ("$G/bert", 0) if "bert" in c else ("bert", .1)          # behind BERT: BERT's own
    return dict(encode=f"--bert {bert} --pool pooler --gate mag --beta {c['beta']:g} --names text=model.bert --dropout {c['gate_dropout']:g}",
                predict=f"--head linear --dropout {drop:g}",
                loss="--tasks msr --regression l1", backprop=f"{large.ADAM} --lr {c['lr']:g} --decay 0")


if __name__ == "__main__":
    large.main(sys.modules[__name__])
