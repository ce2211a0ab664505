#!/usr/bin/env python3
"""DMMSA in PyTorch: the numbers the filters must reproduce.

A plain, single-process statement of the model of msa-model(7) (fusion training), written for
checking, not for speed. Needs torch and numpy; reads and writes safetensors by itself.

  dmmsa_torch.py golden DIR [--seed N] [--labels sims|mosi]
      make a small data set, initial parameters and the expected trajectory in DIR
  dmmsa_torch.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N] [--device D]
                       [--precision f32,tf32,bf16] [--compile f32,tf32,bf16]
      time one training step of the full-size model on random data, for each precision

Names of parameters are ConFEDE's, so its checkpoints and ours are interchangeable.
"""
import argparse, json, os, pickle, struct, sys, time
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

MODS = ("text", "vision", "audio")          # order T, V, A everywhere, as in ConFEDE


# --- safetensors, both ways (float32 only) -------------------------------------------------
def save_safetensors(path, tensors, meta=None):
    head, off, blobs = {}, 0, []
    if meta:
        head["__metadata__"] = {k: str(v) for k, v in meta.items()}
    for name in sorted(tensors):
        a = np.ascontiguousarray(tensors[name].detach().cpu().numpy().astype("<f4"))
        head[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [off, off + a.nbytes]}
        off += a.nbytes
        blobs.append(a.tobytes())
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


# --- the model ------------------------------------------------------------------------------
class Positions(nn.Module):
    """Linear F->D, a learned CLS in front, learned positions, dropout."""
    def __init__(self, feat, length, dim, drop):
        super().__init__()
        self.cls_token = nn.Parameter(torch.ones(1, 1, dim))
        self.proj = nn.Linear(feat, dim)
        self.position_embeddings = nn.Parameter(torch.zeros(1, length + 1, dim))
        self.dropout = nn.Dropout(drop)

    def forward(self, x):
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), self.proj(x)), 1)
        return self.dropout(x + self.position_embeddings)


class Stack(nn.Module):
    def __init__(self, feat, length, dim, heads, layers, drop):
        super().__init__()
        self.pos_encoder = Positions(feat, length, dim, drop)
        layer = nn.TransformerEncoderLayer(dim, heads, dim, drop, activation="gelu", batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x, pad):
        return self.transformer_encoder(self.pos_encoder(x), src_key_padding_mask=pad)


class Encoder(nn.Module):
    """Post-norm transformer; LayerNorm; mean over all positions, CLS and padding included."""
    def __init__(self, feat, length, dim, heads, layers, drop):
        super().__init__()
        self.encoder = Stack(feat, length, dim, heads, layers, drop)
        self.layernorm = nn.LayerNorm(dim)

    @staticmethod
    def padding(x):
        """True where a frame's features sum to exactly 0; frame 0 and the CLS slot never are."""
        pad = x.sum(-1) == 0
        pad[:, 0] = False
        return torch.cat((pad[:, :1], pad), 1)

    def forward(self, x):
        return self.layernorm(self.encoder(x, self.padding(x))).mean(1)


class Projector(nn.Module):
    def __init__(self, dim, out, drop):
        super().__init__()
        self.fc = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, out), nn.Tanh(), nn.Dropout(drop))

    def forward(self, x):
        return self.fc(x)


class Head(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        layers = []
        for a, b in zip(sizes, sizes[1:-1]):
            layers += [nn.Linear(a, b), nn.GELU()]
        self.MLP = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))

    def forward(self, x):
        return self.MLP(x)


class Dmmsa(nn.Module):
    def __init__(self, feats, lengths, layers, dim=768, heads=8, classes=3, drop=0.5, pooled=()):
        """feats, lengths, layers: {modality: n}. A modality in `pooled` arrives as [B, dim]."""
        super().__init__()
        half = dim // 2
        for m in MODS:
            if m not in pooled:
                setattr(self, m + "_encoder", Encoder(feats[m], lengths[m], dim, heads, layers[m], drop))
        for m in MODS:
            for kind in ("simi", "dissimi"):
                setattr(self, f"{m[0].upper()}_{kind}_proj", Projector(dim, half, drop))
        tail = (dim, dim // 2, dim // 4, dim // 8)
        self.TVA_decoder = Head(dim * 3, *tail, 1)
        self.TVA_classifier = Head(dim * 3, *tail, classes)
        self.mono_decoder = Head(half, dim // 4, dim // 8, 1)
        self.pooled = pooled

    def forward(self, x):
        h = {m: x[m] if m in self.pooled else getattr(self, m + "_encoder")(x[m]) for m in MODS}
        s = [getattr(self, m[0].upper() + "_simi_proj")(h[m]) for m in MODS]
        d = [getattr(self, m[0].upper() + "_dissimi_proj")(h[m]) for m in MODS]
        every = torch.cat(s + d, -1)                      # [Ts, Vs, As, Td, Vd, Ad]
        return dict(s=s, d=d, y=self.TVA_decoder(every).squeeze(-1), logits=self.TVA_classifier(every),
                    u=torch.stack([self.mono_decoder(f).squeeze(-1) for f in s + d], 1))


# --- the four losses and the weights --------------------------------------------------------
def classes_of(y, classes, family):
    edges = {("sims", 2): [0.0], ("sims", 3): [-.1, .1], ("sims", 5): [-.7, -.1, .1, .7]}
    if family == "sims":                                   # right-closed, compared in float32
        e = torch.tensor(edges[family, classes], dtype=torch.float32)
        return (y[:, None] > e).sum(1)
    if classes == 2:
        return (y >= 0).long()
    k = classes // 2                                       # 3, 5, 7: [i-.5, i+.5), but +.5 is neutral
    c = torch.floor(y.clamp(-k, k) + .5)
    c[y == .5] = 0
    return c.clamp(-k, k).long() + k


def losses(out, lab, phi=1.0, tau_m=0.5, classes=3, family="sims"):
    y = lab["y"]
    uni = torch.stack([y, y, y] + [lab.get(m, y) for m in MODS], 1)
    msr = F.smooth_l1_loss(out["y"], y, beta=phi)
    msc = F.cross_entropy(out["logits"], classes_of(y, classes, family))
    lu = F.smooth_l1_loss(out["u"], uni, beta=phi)
    ts, vs, as_ = out["s"]
    sim = lambda b: F.cosine_similarity(ts, b, dim=-1, eps=1e-12) / tau_m
    pos = torch.stack([sim(vs), sim(as_)], 1)
    neg = torch.stack([sim(b) for b in out["d"]], 1)
    cl = (torch.logsumexp(torch.cat([pos, neg], 1), 1) - torch.logsumexp(pos, 1)).mean()
    return dict(msr=msr, msc=msc, uni=lu, cl=cl)


class Gdwg:
    """lambda for the tasks it adjusts; `stage` is an epoch; losses are raw epoch means."""
    def __init__(self, tasks=("uni", "cl"), tau=1.0):
        self.tasks, self.tau, self.first = tasks, tau, None
        self.weights = {k: 1 / len(tasks) for k in tasks}
        self.sum, self.n = dict.fromkeys(tasks, 0.0), 0

    def add(self, batch_losses, samples):
        for k in self.tasks:
            self.sum[k] += float(batch_losses[k]) * samples
        self.n += samples

    def end_epoch(self):
        mean = {k: self.sum[k] / self.n for k in self.tasks}
        self.first = self.first or mean
        w = np.array([mean[k] / self.first[k] if self.first[k] > 1e-12 else 1.0 for k in self.tasks]) / self.tau
        e = np.exp(w - w.max())
        self.weights = dict(zip(self.tasks, (e / e.sum()).tolist()))
        self.sum, self.n = dict.fromkeys(self.tasks, 0.0), 0


def optimizer(model, lr, decay):
    """AdamW; everything but biases decays (ConFEDE's grouping, LayerNorm gains included)."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return torch.optim.AdamW([{"params": [p for n, p in named if "bias" not in n], "weight_decay": decay},
                              {"params": [p for n, p in named if "bias" in n], "weight_decay": 0.0}], lr=lr)


STAGE = lambda n: "encode" if "_encoder" in n else "decompose" if "_proj.fc" in n else "predict"


def by_stage(tensors):
    parts = {"encode": {}, "decompose": {}, "predict": {}}
    for n, t in tensors:
        parts[STAGE(n)][n] = t
    return parts


# --- golden trajectory ------------------------------------------------------------------------
def golden(a):
    os.makedirs(a.dir, exist_ok=True)
    rng = np.random.default_rng(a.seed)
    feats, lengths = dict(text=12, vision=10, audio=6), dict(text=7, vision=5, audio=9)
    layers, dim, heads, epochs, batch = dict(text=1, vision=1, audio=2), 32, 4, 4, 5
    R = 1.0 if a.labels == "sims" else 3.0
    data = {}
    for split, n in (("train", 17), ("valid", 6), ("test", 8)):
        d = {}
        for m in MODS:
            x = rng.standard_normal((n, lengths[m], feats[m])).astype(np.float32)
            used = rng.integers(1, lengths[m] + 1, n)
            for i, k in enumerate(used):
                x[i, k:] = 0
            d[m] = x if m == "text" else x.astype(np.float64)
            if m != "text":
                d[m + "_lengths"] = [int(k) for k in used]
        grid = lambda: np.round(rng.uniform(-R, R, n) * 5) / 5
        d["regression_labels"] = grid().astype(np.float32)
        if a.labels == "sims":
            for m in MODS:
                d["regression_labels_" + m[0].upper()] = grid().astype(np.float32)
        d["raw_text"] = np.array([f"sample {i}" for i in range(n)])
        d["id"] = np.array([f"video_{i // 3:04d}$_${i % 3:04d}" for i in range(n)])
        data[split] = d
    with open(f"{a.dir}/data.pkl", "wb") as f:
        pickle.dump(data, f, protocol=4)

    torch.manual_seed(a.seed)
    model = Dmmsa(feats, lengths, layers, dim, heads, drop=0.0)
    with torch.no_grad():                                  # break the symmetry of the defaults
        for n, p in model.named_parameters():
            if "norm" in n or "fc.0" in n or "position" in n or "bias" in n:
                p += 0.1 * torch.randn_like(p)
    for stage, part in by_stage(model.named_parameters()).items():
        save_safetensors(f"{a.dir}/{stage}.init.safetensors", part)

    take = lambda d, s: ({m: torch.tensor(d[m][s]).float() for m in MODS},
                         {"y": torch.tensor(d["regression_labels"][s]).float(),
                          **{m: torch.tensor(d["regression_labels_" + m[0].upper()][s]).float()
                             for m in MODS if "regression_labels_" + m[0].upper() in d}})
    opt, gdwg, log = optimizer(model, 1e-3, 1e-3), Gdwg(), []
    n, step, total = len(data["train"]["id"]), 0, 0
    per_epoch = -(-n // batch)
    warm, total = per_epoch, per_epoch * epochs            # 1 warm-up epoch, linear decay to 0
    for epoch in range(1, epochs + 1):
        weights = dict(msr=1.0, msc=1.0, **gdwg.weights)
        for at in range(0, n, batch):
            lr = 1e-3 * (step / warm if step < warm else max(0.0, (total - step) / (total - warm)))
            for g in opt.param_groups:
                g["lr"] = lr
            x, lab = take(data["train"], slice(at, at + batch))
            out = model(x)
            parts = losses(out, lab, family=a.labels)
            loss = sum(weights[k] * parts[k] for k in parts)
            opt.zero_grad()
            loss.backward()
            if step == 0:
                for stage, part in by_stage((k, p.grad) for k, p in model.named_parameters()).items():
                    save_safetensors(f"{a.dir}/{stage}.grad0.safetensors", part)
                save_safetensors(f"{a.dir}/forward0.safetensors",
                                 dict(y=out["y"], logits=out["logits"], u=out["u"],
                                      **{f"{k}_{m}": v for k in "sd" for m, v in zip(MODS, out[k])}))
            opt.step()
            gdwg.add(parts, len(lab["y"]))
            log.append(dict(epoch=epoch, step=step, lr=lr, weights=weights, total=float(loss),
                            losses={k: float(v) for k, v in parts.items()}))
            step += 1
        gdwg.end_epoch()
    for stage, part in by_stage(model.named_parameters()).items():
        save_safetensors(f"{a.dir}/{stage}.final.safetensors", part)
    x, lab = take(data["test"], slice(None))
    with torch.no_grad():
        pred = model.eval()(x)["y"]
    json.dump(dict(model=dict(dim=dim, heads=heads, layers=layers, classes=3, dropout=0, tau_m=.5, phi=1, tau=1),
                   train=dict(batch=batch, epochs=epochs, shuffle=False, optimizer="adamw", lr=1e-3, decay=1e-3,
                              warmup_epochs=1, schedule="linear"), labels=a.labels, steps=log,
                   test=dict(prediction=[float(v) for v in pred], label=lab["y"].tolist())),
              open(f"{a.dir}/expected.json", "w"), indent=1)
    print(f"{step} steps, last total loss {log[-1]['total']:.6f}")


# --- speed of one full-size step ----------------------------------------------------------------
SETS = dict(sims=(dict(text=768, vision=709, audio=33), dict(text=39, vision=55, audio=400), dict(text=1, vision=1, audio=2), 32),
            mosi=(dict(text=768, vision=20, audio=5), dict(text=50, vision=500, audio=375), dict(text=1, vision=2, audio=2), 16),
            mosei=(dict(text=768, vision=35, audio=74), dict(text=50, vision=500, audio=500), dict(text=1, vision=3, audio=3), 8))


def bench_one(a, batch, precision, compiled):
    """Seconds of the steps of a new model, after two that do not count."""
    feats, lengths, layers, _ = SETS[a.set]
    dev = torch.device(a.device)
    model = Dmmsa(feats, lengths, layers, pooled=("text",)).to(dev).train()
    x = {m: torch.randn(batch, lengths[m], feats[m], device=dev) for m in MODS if m != "text"}
    x["text"] = torch.randn(batch, 768, device=dev)
    lab = {"y": torch.rand(batch, device=dev) * 2 - 1}
    opt, times = optimizer(model, 1e-4, 1e-3), []
    sync = torch.cuda.synchronize if dev.type == "cuda" else (lambda: None)
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    forward = torch.compile(model) if compiled else model
    for _ in range(a.steps + 2):
        sync(); t = time.perf_counter()
        with torch.autocast(dev.type, torch.bfloat16, enabled=precision == "bf16"):
            parts = losses(forward(x), lab, family="mosi")
        opt.zero_grad(); (parts["msr"] + parts["msc"] + .5 * parts["uni"] + .5 * parts["cl"]).backward(); opt.step()
        sync(); times.append(time.perf_counter() - t)
    return sorted(times[2:])


def bench(a):
    if a.threads:
        torch.set_num_threads(a.threads)
    batch, failed = a.batch or SETS[a.set][3], False
    for precision in a.precision:
        for compiled in (False, True) if precision in a.compile else (False,):
            try:
                times = bench_one(a, batch, precision, compiled)
            except Exception as e:  # torch.compile needs a compiler, and more
                print(f"{precision}{' compiled' * compiled}: {type(e).__name__}: {e}", file=sys.stderr)
                failed = True
                continue
            print(f"set={a.set} batch={batch} precision={precision} compiled={int(compiled)} "
                  f"threads={torch.get_num_threads()} device={a.device} torch={torch.__version__} "
                  f"median_s={times[len(times) // 2]:.6f} min_s={times[0]:.6f} "
                  f"samples_per_s={batch / times[len(times) // 2]:.1f}", flush=True)
    sys.exit(failed)


def precisions(text):
    known = ("f32", "tf32", "bf16")
    if not set(text.split(",")) <= set(known):
        raise argparse.ArgumentTypeError(f"'{text}' is no list of {', '.join(known)}")
    return text.split(",")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(required=True)
    g = sub.add_parser("golden"); g.set_defaults(run=golden)
    g.add_argument("dir"); g.add_argument("--seed", type=int, default=7)
    g.add_argument("--labels", choices=("sims", "mosi"), default="sims")
    b = sub.add_parser("bench"); b.set_defaults(run=bench)
    b.add_argument("--set", choices=SETS, default="sims"); b.add_argument("--batch", type=int)
    b.add_argument("--steps", type=int, default=5); b.add_argument("--threads", type=int); b.add_argument("--device", default="cpu")
    b.add_argument("--precision", type=precisions, default=["f32"], help="of f32, tf32 and bf16, with commas")
    b.add_argument("--compile", type=precisions, default=[], help="of those, where torch.compile is timed too")
    a = p.parse_args()
    a.run(a)
