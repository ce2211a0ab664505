#!/usr/bin/env bats
# What MISA adds to the programs: encoders over as many frames as text has, features shared and apart, their fusion and their
# losses. That its golden line is PyTorch's, models.bats says.
load helper

DATA=$BATS_TEST_DIRNAME/golden/models/misa/data.pkl
ENCODE='msa-encode --net bilstm --hidden text=2,audio=3 --lengths text --dropout .3 -p run/encode'
DECOMPOSE='msa-decompose --how shared --dim 6 -p run/decompose'
FUSE='msa-fuse attention --inner 9 --dropout .2 -p run/fuse'
PREDICT='msa-predict --head mlp --hidden 7 -p run/predict'
LOSSES='msa-loss --tasks msr,diff,cmd,recon --regression mse'

# train [options of msa-load [of msa-loss]]: an epoch, recorded behind msa-loss.
train() {
    rm -f run/*
    line "msa-load --train --epochs 1 --batch 6 --no-shuffle ${1-} $DATA | $ENCODE | $DECOMPOSE | $FUSE | $PREDICT |
        $LOSSES ${2-} | msa-dump -t -q --record seen.msa | ${3-}msa-backprop --lr 1e-2"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# evaluate OUT [options of msa-load]: the test split through the networks, which keep what they read.
evaluate() {
    line "msa-load --split test ${2-} $DATA | ${3-cat} | msa-encode --keep -p run/encode | msa-decompose -p run/decompose |
        msa-fuse attention -p run/fuse -o $1"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# refused LINE STATUS MESSAGE: its last program fails.
refused() {
    line "$1 -o x.msa"
    [[ $output = *"$3" ]] || { echo "$1: $output" && return 1; }
    [ "$(awk '{ print $NF }' statuses)" -eq "$2" ]
}

without_tokens='if kind == "H": body["schema"].pop("text_bert")
elif tensors: tensors.pop("text_bert")'

@test "gradients are finite differences of the loss, but for diff, whose norm has none" {
    gradient() { # NETWORKS LOSS NAMES
        O=$BUILD run -0 "$PYTHON" "$ROOT/tests/gradient" "$DATA" "${1//run\//} | msa-predict --head mlp --activation tanh -p p |
            msa-loss --regression mse $2" "$3"
    }
    gradient "$ENCODE | $DECOMPOSE | $FUSE" '--tasks msr,recon' 'rnn|layer_norm|private|recon'
    gradient "${ENCODE/lengths text/lengths own} --only text,audio | $DECOMPOSE | $FUSE" '--tasks msr,cmd' 'project|shared|transformer'
}

@test "networks are what NumPy makes of them: tokens, frames of text or own ones say which count; three modalities, and two" {
    train
    evaluate tokens.msa
    evaluate frames.msa '' "$(forge "$without_tokens")"
    evaluate own.msa '--drop text'
    [[ $output == "msa-decompose: warning: of the vectors that run/decompose is made for, h_text do not arrive: they count as 0" ]]
    evaluate short.msa '' "$(forge 'if kind == "H": body["schema"]["audio"]["shape"][1] = 3
elif tensors: tensors["audio"] = tensors["audio"][:, :3]; tensors.pop("audio_lengths")
if kind == "H": body["schema"].pop("audio_lengths")')" # a text has more tokens
    "$PYTHON" - "$ROOT/tests/interop" tokens frames own short <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
import numpy as np
from parameters import load
from read_stream import frames

MODS = "text", "vision", "audio"
p, notes = {}, {}
for stage in "encode", "decompose", "fuse":
    q, notes[stage] = load("run/" + stage)
    p |= {name: x.astype("f8") for name, x in q.items()}
assert notes["encode"]["names.audio"] == "a" and notes["encode"]["lengths"] == "text" and notes["fuse"]["order"] == "text,vision,audio", notes

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def lstm(name, x, end):
    w, u, b, c = (p[f"{name}.{which}_l0{end}"] for which in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, cell, all = np.zeros(u.shape[1]), 0, []
    for frame in x:
        i, f, g, o = np.split(w @ frame + b + u @ h + c, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(cell)
        all.append(h)
    return np.array(all)

def norm(name, x):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[name + ".weight"] + p[name + ".bias"]

def layer(name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]

def encode(m, x):
    one, two = lstm(m[0] + "rnn1", x, ""), lstm(m[0] + "rnn1", x[::-1], "_reverse")[::-1]
    z = norm(m[0] + "layer_norm", np.concatenate([one, two], 1))
    return np.concatenate([one[-1], lstm(m[0] + "rnn2", z, "")[-1], two[0], lstm(m[0] + "rnn2", z[::-1], "_reverse")[-1]])

def decompose(m, h):
    k = m[0]
    x = norm(f"project_{k}.project_{k}_layer_norm", np.maximum(layer(f"project_{k}.project_{k}", h), 0))
    d, s = sigmoid(layer(f"private_{k}.private_{k}_{3 if k == 'a' else 1}", x)), sigmoid(layer("shared.shared_1", x))
    return {"p": x, "d": d, "s": s, "r": layer(f"recon_{k}.recon_{k}_1", d + s)}

def attend(x, heads=2):
    name = "transformer_encoder.layers.0."
    q, k, v = np.split(x @ p[name + "self_attn.in_proj_weight"].T + p[name + "self_attn.in_proj_bias"], 3, 1)
    size, seen = q.shape[1] // heads, []
    for at in range(0, q.shape[1], size):
        e = np.exp(q[:, at:at + size] @ k[:, at:at + size].T / np.sqrt(size))
        seen.append(e / e.sum(1, keepdims=True) @ v[:, at:at + size])
    z = norm(name + "norm1", x + layer(name + "self_attn.out_proj", np.concatenate(seen, 1)))
    return norm(name + "norm2", z + layer(name + "linear2", np.maximum(layer(name + "linear1", z), 0)))

def close(got, want, what):
    assert np.abs(got - want).max() < 2e-5 * max(np.abs(want).max(), .1), (what, got, want)

for run in sys.argv[2:]:
    r = next(body["tensors"] for kind, body in frames(open(run + ".msa", "rb")) if kind == "D")
    for i in range(len(r["f"])):
        found = {}
        for m in MODS:
            if run == "own":
                n = int(r[m + "_lengths"][i]) if m != "text" else 0
            elif run == "frames":
                n = 1 + max([0, *np.flatnonzero(r["text"][i].sum(1))])
            else:
                n = int(r["text_bert"][i, 1].sum())
            h = encode(m, r[m][i, :max(n, 1)].astype("f8")) if m in r else np.zeros(8)
            if m in r:
                close(r["h_" + m][i], h, (run, m))
            found[m] = decompose(m, h)
            for kind, x in found[m].items():
                close(r[f"{kind}_{m}"][i], x, (run, kind, m))
        x = np.array([found[m][kind] for kind in "ds" for m in MODS])
        close(r["f"][i], attend(x).ravel(), (run, "f"))
END
}

@test "losses are what NumPy makes of them, of three modalities and of two; one sample has no gradient, nor have equal features" {
    train
    mv seen.msa three.msa
    train '--drop vision'
    mv seen.msa two.msa
    train '--batch 1'
    mv seen.msa one.msa
    equal='if kind == "D": tensors["d_text"] = tensors["d_text"] * 0 + .5; tensors["s_text"] = tensors["s_audio"]'
    PREDICT="$(forge "$equal") | $PREDICT" train
    mv seen.msa equal.msa
    train '' '--recon-target fixed'
    mv seen.msa fixed.msa
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
import numpy as np
from read_stream import frames

def records(path):
    return [body for kind, body in frames(open(path + ".msa", "rb")) if kind == "D" and body["train"]]

def unit(x):
    x = x - x.mean(0)
    return x / (np.sqrt((x * x).sum(1, keepdims=True)) + 1e-6)

def diff(x, z):
    return ((unit(x).T @ unit(z)) ** 2).mean()

def cmd(x, z):
    length = lambda v: np.sqrt((v * v).sum())
    moment = lambda v, k: ((v - v.mean(0)) ** k).mean(0)
    return length(x.mean(0) - z.mean(0)) + sum(length(moment(x, k) - moment(z, k)) for k in range(2, 6))

for path in "three", "two", "one", "equal", "fixed":
    for body in records(path):
        t = {name: x.astype("f8") for name, x in body["tensors"].items()}
        mods = [m for m in ("text", "vision", "audio") if "s_" + m in t]
        assert len(mods) == 2 + (path != "two")
        pairs = [(a, b) for i, a in enumerate(mods) for b in mods[i + 1:]]
        want = {"diff": sum(diff(t["d_" + m], t["s_" + m]) for m in mods) + sum(diff(t["d_" + a], t["d_" + b]) for a, b in pairs),
                "cmd": np.mean([cmd(t["s_" + a], t["s_" + b]) for a, b in pairs]),
                "recon": np.mean([((t["r_" + m] - t["p_" + m]) ** 2).mean() for m in mods])}
        for task, loss in want.items():
            assert abs(body["loss"][task] - loss) < 1e-5 * loss + 1e-9, (path, task, body["loss"], want)
        assert all(np.isfinite(x).all() for x in t.values()), path
        for m in mods:
            assert ("p_" + m + "@recon" in t) == (path != "fixed")
            assert path != "one" or not t[f"d_{m}@diff"].any() and not t[f"s_{m}@diff"].any()
        if path == "one":
            assert want["diff"] == 0 and want["cmd"] > 0 and np.abs(t["s_text@cmd"]).max() > 0
END
}

# same ONE OTHER: f in these is the same, to the bit.
same() {
    rm -rf one other
    msa-dump -q --tensor f --npy one "$1" >/dev/null
    msa-dump -q --tensor f --npy other "$2" >/dev/null
    [ -n "$(find one -name '*.npy')" ]
    diff -r one other
}

@test "features that do not arrive count as zeros, with a warning; a modality beside those of the training passes" {
    fused() { # OUT [STAGE in front of msa-decompose [and behind it]]
        line "msa-load --split test $DATA | msa-encode -p run/encode | ${2-cat} | msa-decompose -p run/decompose | ${3-cat} |
            msa-fuse attention -p run/fuse -o $1"
        [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    }
    train
    fused zeros.msa cat "$(forge 'if kind == "D": tensors["d_audio"] = tensors["s_audio"] = tensors["s_audio"] * 0')"
    [ -z "$output" ]
    fused missing.msa cat "$(forge 'for name in "d_audio", "s_audio":
    if kind == "H": body["schema"].pop(name)
    elif tensors: tensors.pop(name)')"
    [ "$output" = "msa-fuse: warning: of the features that run/fuse is made for, d_audio do not arrive: they count as 0
msa-fuse: warning: of the features that run/fuse is made for, s_audio do not arrive: they count as 0" ]
    same zeros.msa missing.msa
    train '--drop vision'
    fused two.msa
    [ -z "$output" ]
    fused three.msa "$(forge 'if kind == "H": body["schema"]["h_vision"] = body["schema"]["h_text"]
elif tensors: tensors["h_vision"] = tensors["h_text"]')"
    [ -z "$output" ]
    same two.msa three.msa
}

@test "its tasks are weighed, and judged by msr alone; a record without samples passes" {
    train '' '' 'msa-gdwg --tasks diff,cmd,recon --stage-steps 1 | msa-metrics -q --select msr | '
    rm run/*
    line "msa-load --train --epochs 1 --batch 6 --no-shuffle $DATA | $(forge 'if kind == "D" and body["step"] == 1:
    body.update({key: [] for key in ("id", "raw_text") if key in body}, tensors={n: x[:0] for n, x in tensors.items()})') |
        $ENCODE --check-finite | $DECOMPOSE | $FUSE | $PREDICT | $LOSSES | msa-backprop --lr 1e-2 --log steps.tsv"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    run ! grep -i nan steps.tsv
}

@test "what does not fit is refused, with one line" {
    train
    features="msa-load --split test $DATA | msa-encode -p run/encode | msa-decompose -p run/decompose"
    vectors="msa-load --split test $DATA | msa-encode -p run/encode"
    refused "$features | $(forge 'if kind == "H": body["schema"].pop("s_audio")') | msa-fuse attention --order text -p run/fuse" 2 \
        "--order: text given but run/fuse has text,vision,audio"
    refused "$features | msa-fuse attention --heads 3 -p run/fuse" 2 "--heads: 3 given but run/fuse has 2"
    refused "$vectors | msa-decompose --how projectors -p run/decompose" 2 "--how: projectors given but run/decompose has shared"
    refused "$vectors | msa-decompose --dim 7 -p run/decompose" 2 "--dim: 7 given but run/decompose has 6"
    refused "$vectors | msa-decompose --dropout .1 -p run/decompose" 2 "--dropout is for projectors, not for shared"
    refused "msa-load --split test $DATA | msa-decompose -p run/decompose" 1 \
        "nothing to decompose: no h_text, h_vision or h_audio arrives that run/decompose has parameters for"
    refused "$features | msa-loss --tasks recon --recon-target other" 2 "--recon-target: 'other' is none of trained|fixed"
    refused "$features | $(forge 'if kind == "H": body["schema"].pop("p_audio")') | msa-loss --tasks recon" 1 \
        "task recon: 'r_audio' arrives without 'p_audio'"
    refused "$vectors | msa-loss --tasks recon" 1 \
        "task recon: no r_MODALITY arrives (does msa-decompose --how shared stand before?)"
    refused "$vectors | msa-loss --tasks diff,cmd" 0 "msa-loss: warning: task cmd is left out: it compares the similarity features of two modalities"
    untrained() { # STAGES STATUS MESSAGE: the last of them fails, in training
        line "msa-load --train --epochs 1 $DATA | ${ENCODE/-p/-f -p} | ${DECOMPOSE/-p/-f -p} | $1 -p run/new | msa-backprop"
        [ "$output" = "msa-fuse: $3" ] || { echo "$1: $output" && return 1; }
        [ "$(awk '{ print $(NF - 1) }' statuses)" -eq "$2" ]
    }
    untrained "msa-fuse attention --heads 4" 2 "--heads 4: features are of width 6, which is no multiple"
    untrained "$(forge 'if kind == "H": body["schema"].pop("s_audio")') | msa-fuse attention" 1 "'d_audio' arrives without 's_audio'"
    untrained "$(forge 'if kind == "H": body["schema"]["s_audio"]["shape"][1] = 5') | msa-fuse attention" 3 \
        "header: 's_audio' is of width 5 but 'd_text' of 6"
}
