#!/usr/bin/env python3
"""Self-MM in PyTorch: heads a modality that learn from labels it makes itself.

  self_mm.py golden DIR [--seed N] [--labels sims|mosi]
  self_mm.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
  self_mm.py line [--set sims|mosi|mosei]
"""
import sys
import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence
import large
import subnets
from command import per, rates
from common import MODS
from subnets import VIDEO
from tiny_bert import Bert

LABELS, SEED, BERT = "sims", 8, True
TAV = ("text", "audio", "vision")


class LastState(subnets.LastState):
    """The same over a sample's own frames, with dropout on the last hidden state."""
    def __init__(self, feat, width, out, drop):
        super().__init__(feat, width, out)
        self.dropout = nn.Dropout(drop)

    def forward(self, x, lengths):
        last = self.rnn(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))[1][0][0]
        return self.linear_1(self.dropout(last))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.text_model = Bert(c["bert"])
        width = dict(c["out"], text=self.text_model.config.hidden_size)
        for m in ("audio", "vision"):
            setattr(self, VIDEO[m] + "_model", LastState(c["feats"][m], c["lstm"][m], c["out"][m], c["lstm_dropout"]))
        sizes = {"fusion": (sum(width.values()), c["post"]["fusion"])}
        sizes.update({VIDEO[m]: (width[m], c["post"][m]) for m in MODS})
        for part, (a, n) in sizes.items():
            for i, (rows, columns) in enumerate(((n, a), (n, n), (1, n)), 1):
                setattr(self, f"post_{part}_layer_{i}", nn.Linear(columns, rows))
        self.drop = c["post_dropout"]

    def head(self, part, x, drop):
        """[B,D] -> the feature [B,n] and the prediction [B]."""
        one, two, three = (getattr(self, f"post_{part}_layer_{i}") for i in (1, 2, 3))
        f = F.relu(one(F.dropout(x, drop, self.training)))
        return f, three(F.relu(two(f)))[:, 0]

    def forward(self, b):
        h = dict(text=self.text_model(b["text_bert"])[:, 0])
        for m in ("vision", "audio"):
            h[m] = getattr(self, VIDEO[m] + "_model")(b[m], b[m + "_lengths"])
        out = {"h_" + m: h[m] for m in MODS}
        out["f"], out["y"] = self.head("fusion", torch.cat([h[m] for m in TAV], -1), self.drop["fusion"])
        for m in MODS:
            out["f_" + m], out["y_" + m] = self.head(VIDEO[m], h[m], self.drop[m])
        if hasattr(self, "bank") and self.training:
            out.update(self.bank.labels(b["index"]))
        return out


class Bank:
    """Labels of every training sample by each modality, and the features that they are made from."""
    def __init__(self, joint, widths, high):
        """joint [N]: labels; widths {modality, or fusion: n}; high: labels stay within +-high."""
        self.label, self.high = {k: joint.clone() for k in widths}, high
        self.feature = {k: torch.zeros(len(joint), n) for k, n in widths.items()}
        self.center, self.smallest = {}, dict(delta=9e9, label=9e9)         # how near the run came to a division by 0, a flip

    def labels(self, rows):
        """What a batch learns from: the labels as they are now, and how much each counts."""
        out = {"label_" + m: self.label[m][rows] for m in MODS}
        return dict(out, **{"weight_" + m: torch.tanh((out["label_" + m] - self.label["fusion"][rows]).abs()) for m in MODS})

    def see(self, out, rows, epoch):
        """Behind a batch's backward pass: new labels (from the second epoch on) by the centres of the batch before; then its
        features; then the centres, over the whole training set."""
        now = {k: out["f" if k == "fusion" else "f_" + k].detach() for k in self.label}
        if epoch > 1:
            nearer = {k: self.nearer(k, f) for k, f in now.items()}
            joint, d = self.label["fusion"][rows], nearer["fusion"]
            self.smallest["delta"] = min(self.smallest["delta"], float(d.abs().min()))
            for m in MODS:
                new = (0.5 * nearer[m] / (d + 1e-8) * joint + 0.5 * (joint + nearer[m] - d)).clamp(-self.high, self.high)
                self.label[m][rows] = (epoch - 1) / (epoch + 1) * self.label[m][rows] + 2 / (epoch + 1) * new
                self.smallest["label"] = min(self.smallest["label"], float(self.label[m][rows].abs().min()))
        for k, f in now.items():
            self.feature[k][rows] = f
            self.center[k] = [self.feature[k][side].mean(0) for side in (self.label[k] > 0, self.label[k] < 0)]

    def nearer(self, k, f):
        """[B]: how much nearer the positive centre is than the negative one, in units of the former distance."""
        to_positive, to_negative = ((f - c).norm(dim=-1) for c in self.center[k])
        return (to_negative - to_positive) / (to_positive + 1e-8)


def hooks(model, train, c, notes):
    model.bank = Bank(torch.tensor(train["regression_labels"]).float(), dict(fusion=c["post"]["fusion"], **{m: c["post"][m] for m in MODS}), c["high"])
    notes["order"] = ["forward", "labels and weights of the batch's samples as they are", "losses", "backward",
                      "from epoch 2: new labels of the batch's samples, by the centres that the batch before left",
                      "the batch's features into the bank", "centres over all training samples, by their labels now",
                      "update of parameters, when a group of batches is full"]
    notes["pseudo_labels"], notes["smallest"] = [], model.bank.smallest

    def after(out, b, epoch):
        model.bank.see(out, b["index"], epoch)
        if int(b["index"][-1]) == len(train["id"]) - 1:
            notes["pseudo_labels"].append(dict(epoch=epoch, **{m: model.bank.label[m].tolist() for m in MODS}))
    return dict(after=after)


def stage(name):
    return "encode" if "_model." in name else "fuse" if name.startswith("post_fusion_layer_1.") else "predict"


def bert_of(model):
    return model.text_model.parameters()


def losses(out, b, epoch):
    l1 = dict(msr=F.l1_loss(out["y"], b["label"]))
    if epoch is None:                                    # MMSA validates by this alone
        return l1
    if "label_text" not in out:                          # bench: any labels
        out = dict(out, **{f"{k}_{m}": b["label"] for k in ("label", "weight") for m in MODS})
    return dict(l1, **{f"each_{m}": (out["weight_" + m] * (out["y_" + m] - out["label_" + m]).abs()).mean() for m in MODS})


def optimizer(model, c):
    """BERT that decays, BERT that does not (biases and LayerNorm), audio, vision, everything else (biases decay)."""
    groups = {k: [] for k in ("text", "text still", "audio", "vision", "other")}
    for n, p in model.named_parameters():
        owner = [m for m in MODS if n.startswith(VIDEO[m] + "_model.")] or ["other"]
        still = owner == ["text"] and ("bias" in n or "LayerNorm" in n)
        groups["text still" if still else owner[0]].append(p)
    return torch.optim.Adam([dict(params=ps, lr=c["rate"][k.split()[0]], weight_decay=0 if " " in k else c["decay"][k])
                             for k, ps in groups.items()])


def settings(rate, decay, vision_lstm, post, drop, high, batch, accumulate=4, audio_lstm=16, out=(16, 32)):
    named = lambda keys, v: dict(zip(keys, v))
    return dict(rate=named(("text", "audio", "vision", "other"), rate), decay=named(("text", "audio", "vision", "other"), decay),
                lstm=dict(audio=audio_lstm, vision=vision_lstm), out=named(("audio", "vision"), out), lstm_dropout=0,
                post=named(("fusion", *TAV), post), post_dropout=named(("fusion", *TAV), drop), high=high, batch=batch, accumulate=accumulate)


SETS = dict(sims=settings((5e-5, 5e-3, 5e-3, 1e-3), (1e-3, 1e-2, 1e-2, 1e-3), 64, (128, 64, 16, 32), (0, .1, .1, 0), 1, 32),
            mosi=settings((5e-5, 5e-3, 5e-3, 1e-3), (1e-3, 1e-3, 1e-3, 1e-3), 32, (128, 32, 16, 32), (0, .1, .1, 0), 3, 16),
            mosei=settings((5e-5, 5e-3, 1e-4, 1e-3), (1e-3, 0, 0, 1e-2), 32, (128, 32, 16, 32), (.1, 0, 0, 0), 3, 32))


def small(labels):
    none = (0, 0, 0, 0)
    if labels == "sims":
        c = settings((1e-4, 2e-3, 1e-3, 5e-4), (1e-2, 2e-2, 3e-2, 5e-3), 7, (9, 6, 5, 8), none, 1, 5, 2, 4, (3, 5))
        return dict(c, feats=dict(text=2, vision=6, audio=5), lengths=dict(text=7, vision=6, audio=9))
    c = settings((1e-4, 1e-3, 3e-3, 6e-4), (2e-2, 0, 1e-2, 3e-2), 5, (7, 4, 9, 6), none, 3, 5, 2, 8, (7, 3))
    return dict(c, feats=dict(text=3, vision=4, audio=7), lengths=dict(text=9, vision=8, audio=5))


def line(c):
    base, bert = c["rate"]["other"], "$G/bert" if "bert" in c else "bert"
    scale, decay = {m: c["rate"][m] / base for m in MODS}, {m: c["decay"][m] for m in MODS}
    return dict(encode=f"--bert {bert} --pool cls --net vision=lstm,audio=lstm --lengths own "
                       f"--names text=text_model.model,vision=video_model,audio=audio_model --hidden {per(c['lstm'])} --out {per(c['out'])} "
                       f"--dropout {c['lstm_dropout']:g} --lr-scale {per(scale)} --decay {per(decay)}",
                fuse=f"concat --order text,audio,vision --out {c['post']['fusion']} --dropout {c['post_dropout']['fusion']:g}",
                predict=f"--head mlp --hidden {c['post']['fusion']} --each {per({m: c['post'][m] for m in MODS})} "
                        f"--dropout {rates({m: c['post_dropout'][m] for m in MODS})}",
                relabel=f"--limit {c['high']}", loss="--tasks msr,each --regression l1",
                backprop=f"{large.ADAM} --lr {base:g} --decay {c['decay']['other']:g} --no-decay 'text_model.*bias,text_model.*LayerNorm*' "
                         f"--accumulate {c['accumulate']}")


if __name__ == "__main__":
    large.main(sys.modules[__name__])
