#!/usr/bin/env python3
"""MISA in PyTorch: what modalities share, and what each has for itself.

  misa.py golden DIR [--seed N] [--labels sims|mosi]
  misa.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
  misa.py line [--set sims|mosi|mosei]
"""
import sys
from collections import OrderedDict
import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
import large
from common import MODS
from tiny_bert import Bert

LABELS, SEED, BERT = "sims", 6, True
NUMBER = dict(text=1, vision=1, audio=3)                 # MMSA calls audio's private layer private_a_3
INNER = ["vlayer_norm", "alayer_norm"]


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bertmodel = Bert(c["bert"])
        h, width = c["hidden"], dict(text=self.bertmodel.config.hidden_size)
        for m in ("vision", "audio"):
            n, width[m] = c["feats"][m], 4 * c["feats"][m]
            setattr(self, m[0] + "rnn1", nn.LSTM(n, n, bidirectional=True, batch_first=True))
            setattr(self, m[0] + "rnn2", nn.LSTM(2 * n, n, bidirectional=True, batch_first=True))
            setattr(self, m[0] + "layer_norm", nn.LayerNorm(2 * n))
        named = lambda *parts: nn.Sequential(OrderedDict(parts))
        for m in MODS:
            k = m[0]
            setattr(self, "project_" + k, named((f"project_{k}", nn.Linear(width[m], h)), ("relu", nn.ReLU()), (f"project_{k}_layer_norm", nn.LayerNorm(h))))
            setattr(self, "private_" + k, named((f"private_{k}_{NUMBER[m]}", nn.Linear(h, h)), ("sigmoid", nn.Sigmoid())))
            setattr(self, "recon_" + k, named((f"recon_{k}_1", nn.Linear(h, h))))
        self.shared = named(("shared_1", nn.Linear(h, h)), ("sigmoid", nn.Sigmoid()))
        layer = nn.TransformerEncoderLayer(h, 2, c["inner"], c["attention_dropout"], batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.fusion = named(("fusion_layer_1", nn.Linear(6 * h, 3 * h)), ("drop", nn.Dropout(c["dropout"])), ("relu", nn.ReLU()),
                            ("fusion_layer_3", nn.Linear(3 * h, 1)))

    def text(self, b):
        """The mean of BERT's last states over the tokens that the mask marks."""
        mask = b["text_bert"][:, 1].float()
        return (self.bertmodel(b["text_bert"]) * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)

    def frames(self, x, lengths, k):
        """Two bidirectional LSTMs, LayerNorm between them -> [B,4F]: last states, forward 1, forward 2, backward 1, backward 2."""
        packed = lambda s: pack_padded_sequence(s, lengths, batch_first=True, enforce_sorted=False)
        states, (one, _) = getattr(self, k + "rnn1")(packed(x))
        between = getattr(self, k + "layer_norm")(pad_packed_sequence(states, batch_first=True)[0])
        two = getattr(self, k + "rnn2")(packed(between))[1][0]
        return torch.cat([one[0], two[0], one[1], two[1]], 1)

    def forward(self, b):
        lengths = b["text_bert"][:, 1].sum(1).cpu()      # the text's, for all three
        h = dict(text=self.text(b), vision=self.frames(b["vision"], lengths, "v"), audio=self.frames(b["audio"], lengths, "a"))
        out = {"h_" + m: h[m] for m in MODS}
        for m in MODS:
            p = getattr(self, "project_" + m[0])(h[m])
            d, s = getattr(self, "private_" + m[0])(p), self.shared(p)
            out.update({"p_" + m: p, "d_" + m: d, "s_" + m: s, "r_" + m: getattr(self, "recon_" + m[0])(d + s)})
        six = torch.stack([out[f"{kind}_{m}"] for kind in "ds" for m in MODS], 1)      # [B,6,h]: private T V A, shared T V A
        f = self.transformer_encoder(six).flatten(1)
        return dict(out, f=f, y=self.fusion(f)[:, 0])


def stage(name):
    part = name.split(".")[0]
    return "fuse" if part == "transformer_encoder" else "predict" if part == "fusion" else \
        "decompose" if part.split("_")[0] in ("project", "private", "shared", "recon") else "encode"


def bert_of(model):
    return model.bertmodel.parameters()


def cmd(a, b, moments=5):
    """Central moment discrepancy of two batches: the distance of the means, and of the central moments 2..5."""
    apart = lambda x, y: (x - y).pow(2).sum().sqrt()
    mean = lambda x: x.mean(0)
    u, v = a - mean(a), b - mean(b)
    return apart(mean(a), mean(b)) + sum(apart(mean(u ** k), mean(v ** k)) for k in range(2, moments + 1))


def diff(a, b):
    """How far two batches are from orthogonal: rows centred over the batch and of length 1 (no gradient through the length)."""
    unit = lambda x: x / (x.norm(dim=1, keepdim=True).detach() + 1e-6)
    return (unit(a - a.mean(0)).T @ unit(b - b.mean(0))).pow(2).mean()


def losses(out, b, epoch):
    mse = dict(msr=F.mse_loss(out["y"], b["label"]))
    if epoch is None:                                    # MMSA validates by this alone
        return mse
    s, d = ([out[f"{kind}_{m}"] for m in MODS] for kind in "sd")
    pairs = [(0, 1), (0, 2), (1, 2)]
    return dict(mse, diff=sum(diff(d[i], s[i]) for i in range(3)) + sum(diff(d[i], d[j]) for i, j in pairs),
                cmd=sum(cmd(s[i], s[j]) for i, j in pairs) / 3,
                recon=sum(F.mse_loss(out["r_" + m], out["p_" + m]) for m in MODS) / 3)


def weights(c):
    return dict(diff=c["diff"], cmd=c["cmd"], recon=c["recon"])


def optimizer(model, c):
    return torch.optim.Adam(model.parameters(), lr=c["lr"])


def settings(hidden, inner, dropout, attention, diff, cmd, recon, clip, batch, accumulate=2, lr=1e-4):
    return dict(hidden=hidden, inner=inner, dropout=dropout, attention_dropout=attention, diff=diff, cmd=cmd, recon=recon, clip=clip,
                batch=batch, accumulate=accumulate, lr=lr)


SETS = dict(sims=settings(128, 2048, 0, .1, .3, 1, .8, 1, 64),
            mosi=settings(128, 2048, .2, .1, .1, .3, 1, .8, 16),
            mosei=settings(128, 2048, .5, .1, .3, .8, 1, .8, 64))


def small(labels):
    c = settings(10, 14, 0, 0, .3, 1, .8, .1, 5) if labels == "sims" else settings(6, 15, 0, 0, .1, .3, 1, .2, 5)
    sizes = dict(feats=dict(text=3, vision=7, audio=5), lengths=dict(text=7, vision=9, audio=12)) if labels == "sims" else \
        dict(feats=dict(text=2, vision=3, audio=6), lengths=dict(text=8, vision=11, audio=9))
    return dict(c, **sizes)


def line(c):
    bert = "$G/bert" if "bert" in c else "bert"
    return dict(encode=f"--bert {bert} --pool mean --net vision=bilstm,audio=bilstm --lengths text --names text=bertmodel.model --dropout 0",
                decompose=f"--how shared --dim {c['hidden']}", fuse=f"attention --heads 2 --inner {c['inner']} --dropout {c['attention_dropout']:g}",
                predict=f"--head mlp --hidden {3 * c['hidden']} --names fusion.fusion_layer_1,fusion.fusion_layer_3 --dropout {c['dropout']:g}",
                loss=f"--tasks msr,diff,cmd,recon --regression mse --weights diff={c['diff']:g},cmd={c['cmd']:g},recon={c['recon']:g}",
                backprop=f"{large.ADAM} --lr {c['lr']:g} --decay 0 --clip-value {c['clip']:g} --accumulate {c['accumulate']}")


if __name__ == "__main__":
    large.main(sys.modules[__name__])
