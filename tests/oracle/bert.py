#!/usr/bin/env python3
"""What Hugging Face's transformers makes of token ids, and of gradients, for msa-encode --text bert to be held against.

  bert.py golden OUT         makes tests/golden/bert: a tiny BERT with random weights, a data set, what is expected
  bert.py compare DIR DATA BIN
                             runs BIN/msa-encode and transformers on the `text_bert` of all splits of the data set DATA with
                             the BERT in DIR (some of it for gradients), and fails where they differ by more than 1e-4

Needs torch, transformers, safetensors, msgpack and msgpack-numpy. Both sides use float32 on the CPU."""
import json
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))

PREFIX = "text_encoder.extractor."
POOLS = "none", "mean", "cls", "pooler"


def pooled(model, text_bert):
    """Each of POOLS, of [B,3,L]; `none` is 0 at padding."""
    ids, mask, types = (torch.as_tensor(np.asarray(text_bert)[:, i]).long() for i in range(3))
    out = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    h, m = out.last_hidden_state, mask[:, :, None].float()
    return {"none": h * m, "mean": (h * m).sum(1) / m.sum(1), "cls": h[:, 0], "pooler": out.pooler_output}


def gradients(model, text_bert, pool):
    from scalar_stage import weights
    model.zero_grad()
    h = pooled(model, text_bert)[pool]
    (h * torch.tensor(weights(tuple(h.shape)))).sum().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


# --- the golden files ---

def tiny(seed=11):
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=60, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40,
                        max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertModel(config).eval()
    for p in model.parameters():  # far from their starting values, norms and biases too
        p.data += torch.randn_like(p) * .2
    return config, model


def token_set(samples, length, rng):
    """[samples,3,length] of every real length from 3 to `length`; two segments in the longer ones."""
    text_bert = np.zeros((samples, 3, length), np.int64)
    for i in range(samples):
        n = 3 + i * (length - 3) // max(samples - 1, 1)
        text_bert[i, 0, :n], text_bert[i, 1, :n] = rng.integers(1, 60, n), 1
        text_bert[i, 2, n * 2 // 3:n] = 1
    return text_bert


def golden(out):
    out = pathlib.Path(out)
    config, model = tiny()
    rng = np.random.default_rng(5)
    data = {}
    for split, samples in ("train", 6), ("valid", 3), ("test", 5):
        data[split] = {"text_bert": token_set(samples, 12, rng), "id": [f"{split}$_${i}" for i in range(samples)],
                       "regression_labels": rng.uniform(-3, 3, samples).astype(np.float32)}
    weights = {name: p.detach().contiguous() for name, p in model.state_dict().items()}
    old = {"bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): p.half()
           if "word_embeddings" in name else p for name, p in weights.items()}
    old["bert.embeddings.position_ids"] = torch.arange(16)[None]
    expected = {}
    with torch.no_grad():
        for pool, h in pooled(model, data["test"]["text_bert"]).items():
            expected[pool] = h.contiguous()
    for pool in "mean", "pooler":
        expected |= {f"{pool}.{name}": g for name, g in gradients(model, data["train"]["text_bert"], pool).items()
                     if not name.endswith("key.bias")}  # which is 0 but for rounding
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config.to_diff_dict() | {
        "model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": config.layer_norm_eps, "vocab_size": 60,
        "type_vocab_size": 2}, indent=1) + "\n")
    save_file(weights, out / "model.safetensors")
    save_file(old, out / "old.safetensors")
    save_file(expected, out / "expected.safetensors")
    with open(out / "data.pkl", "wb") as f:
        f.write(pickle.dumps(data, protocol=3).replace(b"numpy._core", b"numpy.core"))  # as an older NumPy writes it


# --- comparing ---

def worst(got, want, what, bound=1e-4):
    """Largest difference, of the largest number of what is expected or of 1, whichever is more."""
    error = float(np.abs(got - want).max() / max(np.abs(want).max(), 1))
    print(f"{what}: {error:.2e}")
    return error <= bound


def encoded(binaries, folder, data, pool):
    from read_stream import frames
    line = (f"set -o pipefail; {binaries}/msa-load {data} | {binaries}/msa-encode --only text --bert {folder} --pool {pool}")
    with subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE) as p:
        name = "text" if pool == "none" else "h_text"
        found = {}
        for kind, body in frames(p.stdout):
            if kind == "D":
                found.setdefault(body["split"], []).append(body["tensors"][name])
    if p.returncode:
        raise SystemExit(f"failed: {line}")
    return {split: np.concatenate(parts) for split, parts in found.items()}


def compare_values(binaries, folder, data_path, data, model):
    good = True
    for pool in POOLS:
        got = encoded(binaries, folder, data_path, pool)
        for split in data:
            text_bert = np.asarray(data[split]["text_bert"])
            with torch.no_grad():
                want = np.concatenate([pooled(model, text_bert[i:i + 64])[pool].numpy()
                                       for i in range(0, len(text_bert), 64)])
            good &= worst(got[split], want, f"{split}, {pool}, {len(want)} samples")
    return good


def compare_gradients(binaries, folder, data, model, pool, work):
    """Of a few sentences, without dropout: the first moments of a step with beta1 0 and a learning rate of 0."""
    few = {split: {key: np.asarray(data["train"][key])[:8] for key in ("text_bert", "regression_labels", "id")}
           for split in ("train", "valid")}
    with open(work / "few.pkl", "wb") as f:
        pickle.dump(few, f, protocol=4)
    shutil.copytree(folder, work / "bert", dirs_exist_ok=True)
    config = json.loads((work / "bert/config.json").read_text())
    (work / "bert/config.json").write_text(json.dumps(
        config | {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}))
    stage = pathlib.Path(__file__).resolve().parent.parent / "interop/scalar_stage.py"
    line = (f"set -o pipefail; cd {work}; {binaries}/msa-load --train --epochs 1 --no-shuffle few.pkl | "
            f"{binaries}/msa-encode --only text --bert bert --pool {pool} -f -p out | {sys.executable} {stage} h_text | "
            f"{binaries}/msa-backprop --lr 0 --beta1 0")
    subprocess.run(["bash", "-c", line], check=True)
    got, want = load_file(work / "out.1"), gradients(model, few["train"]["text_bert"], pool)
    return all([worst(got[f"exp_avg.{PREFIX}{name}"].numpy(), g.numpy(), f"gradient, {pool}, {name}")
                for name, g in want.items()])


def compare(folder, data_path, binaries):
    model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    binaries, folder = pathlib.Path(binaries).resolve(), pathlib.Path(folder).resolve()
    with open(data_path, "rb") as f:
        data = pickle.load(f)
    good = compare_values(binaries, folder, data_path, data, model)
    with tempfile.TemporaryDirectory() as work:
        for pool in "mean", "pooler":
            good &= compare_gradients(binaries, folder, data, model, pool, pathlib.Path(work))
    sys.exit(not good)


if __name__ == "__main__":
    {"golden": golden, "compare": compare}[sys.argv[1]](*sys.argv[2:])
