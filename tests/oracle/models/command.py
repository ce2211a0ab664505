"""The two commands of a small model's reference, for its file to run as `command.main(sys.modules[__name__])`:

  NAME.py golden DIR [--seed N] [--labels sims|mosi] [--samples N]
      a small data set, initial values and the trajectory of a training in DIR; sizes are drawn from the seed, no two of a
      model alike, and expected.json's notes hold them and the line of filters that must give the same numbers
  NAME.py bench [--set sims|mosi|mosei] [--batch N] [--steps N] [--threads N]
      time training steps at MMSA's full size, dropout on, on random data (audio and vision averaged over frames
      beforehand, as MMSA's loader leaves them)
  NAME.py line [--set sims|mosi|mosei]
      the filters that train it at that size, a line each, with the options that say so

The file has `Model(c)`, c being a dict of sizes, dropout and training settings; `SETS` {set: c} as MMSA sets them;
`small(draw)` a little c; `line(c)` {filter: its options}; `stage`, `losses`, `optimizer(model, c)`; and, where needed,
`weights(c)` {task: weight}, `FROZEN` names that are never updated, `aligned(labels)`. LABELS and SEED are those of its
folder in tests/golden/models/."""
import argparse, os, time
import numpy as np
import torch
from common import MODS, make_data, perturb, trajectory

FRAMES = dict(sims=dict(text=(39, 768), vision=(55, 709), audio=(400, 33)),
              mosi=dict(text=(50, 768), vision=(500, 20), audio=(375, 5)),
              mosei=dict(text=(50, 768), vision=(500, 35), audio=(500, 74)))


class Draw:
    """Small whole numbers, each once."""
    def __init__(self, seed):
        self.rng, self.drawn = np.random.default_rng((seed, 1)), set()

    def __call__(self, low, high):
        n = int(self.rng.choice([k for k in range(low, high + 1) if k not in self.drawn]))
        self.drawn.add(n)
        return n

    def each(self, low, high):
        return {m: self(low, high) for m in MODS}


def per(d):
    """{text: 3, audio: 4} as an option's value: text=3,audio=4."""
    return ",".join(f"{k}={v:g}" for k, v in d.items())


def rates(d):
    """{text: 0.3, audio: 0} as a value of --dropout; 0 where nothing is dropped."""
    return per(d) if any(d.values()) else "0"


def shell(options, stages):
    """The filters of the line that trains from a golden folder $G into a folder $R; nobody judges, so the last parameters stay."""
    line = ["msa-load --train --epochs 4 --batch 5 --no-shuffle --state $R/state.msa $G/data.pkl"]
    for name in ("encode", "fuse", "predict"):
        if name in options:
            files = f" --init $G/{name}.init.safetensors -p $R/{name}.safetensors" if name in stages else ""
            line.append(f"msa-{name} {options[name]}{files}")
    return line + [f"msa-loss {options['loss']} --regression l1", "msa-metrics -q --log $R/metrics.tsv",
                   f"msa-backprop --optimizer adam --warmup 0 --schedule constant --no-decay '' {options['backprop']} --log $R/steps.tsv"]


def golden(m, a):
    os.makedirs(a.dir, exist_ok=True)
    c = m.small(Draw(a.seed))
    aligned = getattr(m, "aligned", lambda labels: False)(a.labels)
    if aligned:
        c["lengths"] = dict.fromkeys(MODS, c["lengths"]["text"])
    data = make_data(f"{a.dir}/data.pkl", a.seed, a.labels, c["feats"], c["lengths"], aligned, sizes=(a.samples or 17, 6, 8))
    torch.manual_seed(a.seed)
    model = m.Model(c)
    perturb(model)
    stages = {m.stage(name) for name, _ in model.named_parameters()}
    w = m.weights(c) if hasattr(m, "weights") else {}
    log, _ = trajectory(a.dir, data, model, m.stage, m.losses, lambda net: m.optimizer(net, c), weights=lambda epoch: w,
                        frozen=getattr(m, "FROZEN", ()), notes=dict(labels=a.labels, seed=a.seed, settings=c, line=shell(m.line(c), stages)))
    print(f"{len(log)} steps, last total loss {log[-1]['total']:.6f}")


def batch_of(c, batch):
    frames = {k: (c["lengths"][k] if k == "text" else 1, f) for k, f in c["feats"].items()}
    b = {k: torch.randn(batch, *shape) for k, shape in frames.items()}
    b.update({name: torch.rand(batch) * 2 - 1 for name in ("label", *("label_" + k for k in MODS))})
    return b


def bench(m, a, batch_of=batch_of):
    if a.threads:
        torch.set_num_threads(a.threads)
    frames = FRAMES[a.set]
    c = dict(feats={k: f for k, (_, f) in frames.items()}, lengths={k: l for k, (l, _) in frames.items()}, **m.SETS[a.set])
    batch = a.batch or c["batch"]
    model, b = m.Model(c).train(), getattr(m, "batch_of", batch_of)(c, batch)
    w = m.weights(c) if hasattr(m, "weights") else {}
    opt, times = m.optimizer(model, c), []
    for _ in range(a.steps + 2):
        start = time.perf_counter()
        total = sum(w.get(k, 1.0) * v for k, v in m.losses(model(b), b, 1).items())
        opt.zero_grad(); total.backward(); opt.step()
        times.append(time.perf_counter() - start)
    times = sorted(times[2:])
    padding = {k: 1 - float((b[k].abs().sum(-1) > 0).float().mean()) for k in MODS if k in b}
    print(" ".join(f"padding_{k}={v:.2f}" for k, v in padding.items()), f"set={a.set} batch={batch} threads={torch.get_num_threads()} "
          f"torch={torch.__version__} median_s={times[len(times) // 2]:.4f} min_s={times[0]:.4f}")


def line(m, a):
    c = m.SETS[a.set]
    options = m.line(c)
    print(f"msa-load --batch {c['batch']}")
    for name in ("encode", "fuse", "predict"):
        if name in options:
            print(f"msa-{name} {options[name]}")
    print(f"msa-loss {options['loss']} --regression l1")
    print(f"msa-backprop --optimizer adam --warmup 0 --schedule constant --no-decay '' {options['backprop']}")


def main(m, golden=golden, bench=bench, line=line):
    p = argparse.ArgumentParser(description=m.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(required=True)
    g = sub.add_parser("golden"); g.set_defaults(run=golden)
    g.add_argument("dir"); g.add_argument("--seed", type=int, default=m.SEED); g.add_argument("--labels", choices=("sims", "mosi"), default=m.LABELS)
    g.add_argument("--samples", type=int, help="of train")
    b = sub.add_parser("bench"); b.set_defaults(run=bench)
    b.add_argument("--set", choices=m.SETS, default="sims"); b.add_argument("--batch", type=int)
    b.add_argument("--steps", type=int, default=5); b.add_argument("--threads", type=int)
    o = sub.add_parser("line"); o.set_defaults(run=line); o.add_argument("--set", choices=m.SETS, default="sims")
    a = p.parse_args()
    a.run(m, a)
