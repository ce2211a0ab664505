#!/usr/bin/env python3
"""ConFEDE in PyTorch: DMMSA's network under the objective that DMMSA took it from, six companions beside each sample; encoders,
decomposition and heads are ../dmmsa_torch.py's.

  confede.py golden DIR [--seed N] [--labels sims|mosi]
  confede.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
  confede.py line [--set sims|mosi|mosei]
"""
import pickle, sys
import numpy as np
import torch
import torch.nn.functional as F
import large
from command import per
from common import MODS, take
from dmmsa_torch import Dmmsa, SETS as SHAPES, STAGE as stage, optimizer as adamw

LABELS, SEED = "sims", 4
GROUP = 7                                                # a sample and its companions: 2 alike, 2 opposite, 2 deceptive


class Model(Dmmsa):
    def __init__(self, c):
        super().__init__(c["feats"], c["lengths"], c["layers"], c["dim"], c["heads"], drop=c["dropout"], pooled=c.get("pooled", ()))
        del self.TVA_classifier

    def forward(self, b):
        h = {m: b[m] if m in self.pooled else getattr(self, m + "_encoder")(b[m]) for m in MODS}
        out = {"h_" + m: h[m] for m in MODS}
        for kind in ("simi", "dissimi"):
            out.update({f"{'s' if kind == 'simi' else 'd'}_{m}": getattr(self, f"{m[0].upper()}_{kind}_proj")(h[m]) for m in MODS})
        six = [out[f"{kind}_{m}"] for kind in "sd" for m in MODS]
        out["y"] = self.TVA_decoder(torch.cat(six, -1)).squeeze(-1)
        out["u"] = torch.stack([self.mono_decoder(z).squeeze(-1) for z in six], 1)
        return out


# --- companions ----------------------------------------------------------------------------------
def lists(h, label, family):
    """For each training sample its candidates {alike, opposite, deceptive}, by position in the order of falling similarity
    (from the end where negative), and that order [N,N]. h [N,3D]: what the three encoders make of it, without dropout."""
    n = len(h)
    order = F.cosine_similarity(h[:, None], h[None], dim=-1, eps=1e-6).argsort(1, descending=True).numpy()
    label = label if family == "sims" else np.round(label)               # half to even
    reach, kept = dict(sims=(n // 2, 10), mosi=(n, 10), mosei=(n // 10, 50))[family]
    near, far = range(reach), range(-1, -reach, -1)
    same = lambda i, j: label[i] == label[order[i, j]]
    return order, lambda skip: [dict(alike=[j for j in near if not skip(i, j) and same(i, j)][:kept],
                                     opposite=[j for j in far if not skip(i, j) and not same(i, j)][:kept],
                                     deceptive=[j for j in near if not skip(i, j) and not same(i, j)][:kept]) for i in range(n)]


def as_meant(h, label, family):
    """Rows of the training set; a sample is not its own companion."""
    order, choose = lists(h, label, family)
    return [{k: [int(order[i, j]) for j in js] for k, js in found.items()} for i, found in enumerate(choose(lambda i, j: order[i, j] == i))]


def as_released(h, label, family):
    """The release takes positions in the order for rows of the training set (negative ones from its end), and so leaves out
    the wrong one as the sample itself."""
    order, choose = lists(h, label, family)
    return [{k: [j % len(order) for j in js] for k, js in found.items()} for found in choose(lambda i, j: i == j)]


def pick(found, j, i):
    """The j-th of a list that may be too short: then round again; with none, the sample itself. (The release fails there.)"""
    return found[j % len(found)] if found else i


RULES = dict(meant=as_meant, released=as_released)


def hooks(model, train, c, notes):
    arrays = {k: np.asarray(v) for k, v in train.items()}
    label, n, family = arrays["regression_labels"], len(train["id"]), notes["labels"]
    table = [None]
    notes["surveys"], notes["companions"] = [], []

    def before(epoch):
        if (epoch - 1) % c["survey"]:
            return
        model.eval()
        with torch.no_grad():
            out = model(take(train, slice(None)))
        h = torch.cat([out["h_" + m] for m in MODS], 1)
        found = {rule: choose(h, label, family) for rule, choose in RULES.items()}
        table[0] = found[c["companions"]]
        notes["surveys"].append(dict(epoch=epoch, **found))

    def fetch(split, rows):
        """Anchors, then the companions of each: the first two of each list (in training, two at random)."""
        anchors = range(n)[rows]
        beside = [pick(table[0][i][k], j, i) for i in anchors for k in ("alike", "opposite", "deceptive") for j in range(2)]
        notes["companions"].append(beside)
        return take(arrays, np.array([*anchors, *beside]))
    warm, total = -(-n // 5), -(-n // 5) * 4
    return dict(before=before, fetch=fetch, schedule=lambda step: step / warm if step < warm else max(0, (total - step) / (total - warm)))


# --- losses --------------------------------------------------------------------------------------
def contrast(out, tau=0.5):
    """NT-Xent inside each sample and between a sample and its companions: for a pair of anchor and positive,
    log(1 + sum over the anchor's negatives of e^(negative - positive)); mean over 20 pairs, then over samples."""
    z = torch.stack([out[f"{kind}_{m}"] for kind in "sd" for m in MODS], 1)             # [7B,6,D]
    anchors = len(z) // GROUP
    z = torch.cat([z[:anchors, None], z[anchors:].unflatten(0, (anchors, GROUP - 1))], 1)
    z = F.normalize(z, dim=-1, eps=1e-12)                                               # [B,7,6,D]
    cos = lambda a, b: (a * b).sum(-1) / tau
    shared, own = z[:, :, :3], z[:, :, 3:]
    between = cos(shared[:, :1], shared[:, 1:]).transpose(1, 2)                         # [B,3,6]: T V A with companions
    inside, apart = cos(shared[:, :, :1], shared[:, :, 1:]), cos(shared[:, :, :1], own)  # [B,7,2], [B,7,3]: Ts with Vs As, with Td Vd Ad
    against = lambda positive, negative: F.softplus(negative.logsumexp(-1, keepdim=True) - positive)
    text0 = torch.cat([between[:, 0, 2:], apart[:, 0]], -1)                              # the text's negatives, of both kinds
    terms = [against(between[:, 0, :2], text0), against(inside[:, 0], text0), against(between[:, 1:, :2], between[:, 1:, 2:]).flatten(1),
             against(inside[:, 1:], apart[:, 1:]).flatten(1)]
    return torch.cat(terms, 1).mean(1).mean()


def losses(out, b, epoch):
    y = b["label"]
    own = torch.stack([y, y, y] + [b.get("label_" + m, y) for m in MODS], 1)
    parts = dict(msr=F.mse_loss(out["y"], y), uni=F.mse_loss(out["u"], own))
    return parts if epoch is None else dict(parts, cl=contrast(out))


def weights(c):
    return dict(uni=0.01, cl=0.1)


def optimizer(model, c):
    return adamw(model, c["lr"], c["decay"])


def settings(layers, batch, companions="released", survey=2, dim=768, heads=8, dropout=.5, lr=1e-4, decay=1e-3):
    return dict(layers=layers, dim=dim, heads=heads, dropout=dropout, companions=companions, survey=survey, batch=batch, lr=lr, decay=decay)


SETS = {name: dict(settings(layers, batch, survey=10 if name == "sims" else 2), pooled=("text",))
        for name, (_, _, layers, batch) in SHAPES.items()}
SETS["mosei"]["lists"] = " --reach .1 --keep 50"


def small(labels):
    if labels == "sims":
        c = settings(dict(text=1, vision=1, audio=2), 5, "released", 2, 20, 4, 0, 1e-3)
        return dict(c, feats=dict(text=9, vision=7, audio=4), lengths=dict(text=6, vision=5, audio=8))
    c = settings(dict(text=1, vision=2, audio=1), 5, "meant", 2, 18, 3, 0, 1e-3, 1e-2)
    return dict(c, feats=dict(text=5, vision=6, audio=8), lengths=dict(text=7, vision=9, audio=4))


def relabel(path, data, seed):
    """Few distinct joint labels, so that every sample finds companions of each kind."""
    for split, d in data.items():
        values = np.random.default_rng((seed, 2)).permutation(np.resize([-.6, .2, .8], len(d["id"])))
        d["regression_labels"] = (values * (3 if "regression_labels_T" not in d else 1)).astype(np.float32)
    with open(path, "wb") as f:
        pickle.dump(data, f, protocol=4)


def line(c):
    drop = f"--dropout {c['dropout']:g}"
    return dict(load=f" --group 7{'' if c['dropout'] else ' --draw first'}", encode=f"--text features --dim {c['dim']} --heads {c['heads']} --layers {per(c['layers'])} {drop}",
                companions=f"--rule {c['companions']} --every {c['survey']}{c.get('lists', '')}", decompose=drop, predict="--classes 0",
                loss="--tasks msr,uni,cl --regression mse --contrast confede --tau-m .5 --weights msr=1,uni=.01,cl=.1",
                backprop=f"--optimizer adamw --warmup 1 --schedule linear --lr {c['lr']:g} --decay {c['decay']:g} --no-decay bias")


def batch_of(c, batch):
    b = large.random_batch(c, batch * GROUP)
    return dict(b, text=torch.randn(batch * GROUP, c["dim"]))


if __name__ == "__main__":
    large.main(sys.modules[__name__])
