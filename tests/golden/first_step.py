#!/usr/bin/env python3
"""Hold the first forward pass, or the first gradient, against PyTorch's.

  first_step.py forward STREAM GOLDEN    the tensors of GOLDEN in the first record
  first_step.py encode STREAM GOLDEN     of these, h_* alone
  first_step.py gradient RUN GOLDEN [STAGE]   the first moments in RUN/STAGE.safetensors.1, the gradient of that stage, or of
                                         each of GOLDEN's; of what is frozen there is none
  first_step.py bert STREAM GOLDEN POOL  the first record's text, or h_text, as BERT makes it
  first_step.py bert_gradient FILE.1 GOLDEN POOL
Every number must be within 1e-5 of the largest of its tensor (or of 1e-3, for tensors of tiny numbers); with TOLERANCE in
the environment within that."""
import json
import os
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interop"))
from read_stream import frames  # noqa: E402


def tensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    size, = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8:8 + size])
    head.pop("__metadata__", None)
    return {name: np.frombuffer(raw[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]], "<f4")
            .reshape(t["shape"]) for name, t in head.items()}


def forward(stream, golden):
    with open(stream, "rb") as f:
        record = next(body for kind, body in frames(f) if kind == "D")
    return record["tensors"], tensors(f"{golden}/forward0.safetensors")


def encode(stream, golden):
    got, want = forward(stream, golden)
    return got, {name: x for name, x in want.items() if name.startswith("h_")}


def bert(stream, golden, pool):
    with open(stream, "rb") as f:
        record = next(body for kind, body in frames(f) if kind == "D")
    name = "text" if pool == "none" else "h_text"
    return {pool: record["tensors"][name]}, {pool: tensors(f"{golden}/expected.safetensors")[pool]}


def bert_gradient(path, golden, pool):
    moments, want = tensors(path), tensors(f"{golden}/expected.safetensors")
    got = {name.removeprefix("exp_avg.text_encoder.extractor."): x for name, x in moments.items()}
    return got, {name.removeprefix(pool + "."): x for name, x in want.items() if name.startswith(pool + ".")}


def gradient(run, golden, stage="*"):
    got, want = {}, {}
    for gradients in Path(golden).glob(stage + ".grad0.safetensors"):
        moments = tensors(f"{run}/{gradients.name.split('.')[0]}.safetensors.1")
        got |= {name: moments["exp_avg." + name] for name in moments if "exp_avg." + name in moments}
        want |= tensors(gradients)
    frozen = json.loads(Path(golden, "expected.json").read_text()).get("frozen", [])
    return got, {name: x for name, x in want.items() if name not in frozen}


looks = {"forward": forward, "encode": encode, "gradient": gradient, "bert": bert, "bert_gradient": bert_gradient}
got, want = looks[sys.argv[1]](*sys.argv[2:])
errors = {}
for name, ref in want.items():
    if name not in got or got[name].shape != ref.shape:
        sys.exit(f"{name}: is missing or has another shape")
    errors[name] = np.abs(got[name] - ref).max() / max(np.abs(ref).max(), 1e-3)
worst = max(errors, key=errors.get)
print(f"{len(errors)} tensors, largest difference {errors[worst]:.2e} ({worst})")
sys.exit(0 if errors[worst] <= float(os.environ.get("TOLERANCE", 1e-5)) else 1)
