#!/usr/bin/env bats
# The encoders of the small models: PyTorch's numbers, which frames of a sample count, and their mean before the pipe.
load helper
load resume.bash

SMALL=$BATS_TEST_DIRNAME/golden/models
NETS='--net text=lstm,vision=dnn,audio=dnn --hidden text=9,vision=10,audio=16 --out text=15'

# A loss of the vectors that has a gradient with respect to each.
scalar_loss() {
    echo "$PYTHON $ROOT/tests/interop/scalar_stage.py ${1-h_text h_vision h_audio}"
}

# train RUN [options of msa-load [of msa-encode]]: three epochs of records of 4 and, the last one, 1.
train() {
    mkdir -p "$1"
    line "msa-load --train --epochs 3 --batch 4 ${2-} $SMALL/lf-dnn/data.pkl | msa-encode $NETS --device cpu ${3-} -p $1/encode |
        $(scalar_loss) | msa-backprop --lr 1e-2 --log $1/steps.tsv"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    [ -z "$output" ] || { echo "$output" && return 1; }
}

# The vectors of the test split, in a file; options of msa-load, and of msa-encode.
vectors() {
    line "msa-load --split test ${2-} $SMALL/lf-dnn/data.pkl | msa-encode ${3--p run/encode} -o $1"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# refused OPTIONS STATUS LINE: msa-encode, with samples of a small model.
refused() {
    line "msa-load --split test $SMALL/lf-dnn/data.pkl | msa-encode $1 -o x.msa"
    [ "$output" = "msa-encode: $3" ] || { echo "$1: $output" && return 1; }
    [ "$(cut -d ' ' -f 3 statuses)" -eq "$2" ]
}

@test "the first forward pass of each small model is PyTorch's, on the CPU and by the GPU's kernels" {
    for model in lf-dnn tfn lmf mlf-dnn mtfn; do
        for device in cpu emulated; do
            rm -rf run && mkdir run
            line "msa-load --train --epochs 1 --batch 5 --no-shuffle $SMALL/$model/data.pkl |
                $(golden_part "$model" msa-encode) --device $device | msa-dump -t -q --record seen.msa | $(scalar_loss) | msa-backprop"
            [ "$status" -eq 0 ] || { echo "$output" && false; }
            [ -z "$output" ] || { echo "$output" && false; }
            "$PYTHON" "$ROOT/tests/golden/first_step.py" encode seen.msa "$SMALL/$model"
        done
    done
}

@test "gradients are finite differences of the loss, with dropout, of all frames and of each sample's own" {
    for lengths in all own; do
        O=$BUILD run -0 "$PYTHON" "$ROOT/tests/gradient" "$SMALL/mtfn/data.pkl" \
            "msa-encode --net text=lstm,vision=dnn,audio=dnn --hidden 16 --lengths $lengths --dropout .3 -p e |
                msa-decompose -p d --dropout 0 | msa-predict -p p | msa-loss" '_subnet\.'
    done
}

@test "evaluation by the running statistics, and frames that count: their own or all, as NumPy has it" {
    train run
    train own '' '--lengths own'
    for run in run own; do
        vectors $run/h.msa '' "-p $run/encode --keep"
    done
    line "$(forge 'if kind == "H": body["schema"] = {k: v for k, v in body["schema"].items() if not k.endswith("lengths")}
elif tensors: [tensors.pop(name) for name in [*tensors] if name.endswith("lengths")]') <own/h.msa >frames.msa"
    mkdir words
    line "$(forge 'bert = np.zeros((8, 3, 4), "i8")
bert[:, 1] = np.arange(4) < np.arange(8)[:, None] % 5
if kind == "H": body["schema"]["text_bert"] = {"dtype": "<i8", "shape": [0, 3, 4]}
elif tensors: tensors["text_bert"] = bert') <own/h.msa | msa-encode -p own/encode --keep -o words/h.msa"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    msa-encode -p own/encode frames.msa -o found.msa
    "$PYTHON" - "$ROOT/tests" <<'END'
import sys
sys.path[:0] = [sys.argv[1] + "/interop"]
import numpy as np
from parameters import load
from read_stream import frames

def record(path):
    return next(body for kind, body in frames(open(path, "rb")) if kind == "D")["tensors"]

def layer(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]

def dnn(p, name, x, lengths):
    x = np.array([sample[:n].mean(0) for sample, n in zip(x, lengths)])
    x = (x - p[name + ".norm.running_mean"]) / np.sqrt(p[name + ".norm.running_var"] + 1e-5)
    x = x * p[name + ".norm.weight"] + p[name + ".norm.bias"]
    for i in 1, 2, 3:
        x = np.maximum(layer(p, f"{name}.linear_{i}", x), 0)
    return x

def lstm(p, name, x, lengths):
    w, u, b, c = (p[f"{name}.rnn.{which}_l0"] for which in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    last = []
    for sample, n in zip(x, lengths):
        h = cell = np.zeros(u.shape[1])
        for frame in sample[:n]:
            i, f, g, o = np.split(w @ frame + b + u @ h + c, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(cell)
        last.append(h)
    return layer(p, name + ".linear_1", np.array(last))

def close(got, want):
    assert np.abs(got - want).max() < 1e-5 * np.abs(want).max(), (got, want)

for path, run in ("run/h.msa", "run"), ("own/h.msa", "own"), ("words/h.msa", "own"):
    r, (p, notes) = record(path), load(run + "/encode")
    p = {name: x.astype("f8") for name, x in p.items()}
    assert notes["lengths"] == ("own" if run == "own" else "all")
    found = {m: 1 + np.array([max([0, *np.flatnonzero(x.sum(1))]) for x in r[m]]) for m in ("text", "vision", "audio")}
    if path == "words/h.msa":
        found["text"] = np.maximum(r["text_bert"][:, 1].sum(1), 1)
    else:
        assert len(set(found["text"])) > 2
    for m, net in ("text", lstm), ("vision", dnn), ("audio", dnn):
        if m != "text":
            assert (found[m] == r[m + "_lengths"]).all()
        length = found[m] if run == "own" else np.full(len(r[m]), r[m].shape[1])
        close(r["h_" + m], net(p, m.replace("vision", "video") + "_subnet", r[m], length))
own, again = record("own/h.msa"), record("found.msa")
assert all((own[name] == again[name]).all() for name in again if name.startswith("h_"))
END
}

@test "a modality that does not arrive is not encoded; the others are as before" {
    train run
    vectors all.msa
    for drop in text vision,audio; do
        vectors some.msa "--drop $drop"
        "$PYTHON" - "$ROOT/tests/interop" "$drop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
from read_stream import frames
one, other = ([body["tensors"] for kind, body in frames(open(name, "rb")) if kind == "D"][0] for name in ("all.msa", "some.msa"))
gone = {"h_" + name for name in sys.argv[2].split(",")}
assert {n for n in one if n[:2] == "h_"} - gone == {n for n in other if n[:2] == "h_"}
assert all((one[n] == other[n]).all() for n in other if n[:2] == "h_")
END
    done
    # trained on fewer
    line "msa-load --train --epochs 1 --batch 5 --drop vision $SMALL/lf-dnn/data.pkl | msa-encode $NETS -p few |
        $(scalar_loss "h_text h_audio") | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    vectors some.msa '' '-p few'
    [[ $(msa-dump -n 1 some.msa) == *' vision '* ]] # which passes
}

@test "frames averaged before the pipe: the same numbers, standardized or not" {
    train run
    train mean '--mean vision,audio'
    cmp {run,mean}/steps.tsv
    msa-dump --diff {run,mean}/encode
    vectors whole.msa
    vectors mean.msa '--mean vision,audio'
    vectors mixed.msa '--mean vision,audio' '-p mean/encode --lengths all'
    msa-dump --diff whole.msa mean.msa
    msa-dump --diff whole.msa mixed.msa
    train scaled '--mean vision,audio --standardize' '--lengths own'
    msa-load --split train "$SMALL/lf-dnn/data.pkl" -o frames.msa
    msa-load --split train --mean vision,audio --standardize "$SMALL/lf-dnn/data.pkl" -o means.msa
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
import numpy as np
from read_stream import frames
whole = [*frames(open("frames.msa", "rb"))][1][1]["tensors"]
read = [*frames(open("means.msa", "rb"))]
header, record = read[0][1], read[1][1]["tensors"]
for name in "vision", "audio":
    means = whole[name].mean(1)
    assert header["schema"][name]["shape"] == [0, 1, means.shape[1]]
    assert np.abs(record[name][:, 0] - means).max() < 1e-6
    assert (record[name + "_lengths"] == 1).all()
    for told, want in (header["standardize"][name]["mean"], means.mean(0)), (header["standardize"][name]["scale"], 1 / means.std(0)):
        assert np.abs(told - want).max() < 1e-5 * np.abs(want).max()
assert (record["text"] == whole["text"]).all()
END
    run -2 msa-load --mean text,sound "$SMALL/lf-dnn/data.pkl" -o x.msa
    [ "$output" = "msa-load: --mean: 'sound' is none of text, vision, audio" ]
}

@test "a feature whose mean is no number counts as 0, in training and evaluation" {
    local set
    for set in nan 0; do
        line "msa-load $SMALL/lf-dnn/data.pkl |
            $(forge "nan = np.nan
if tensors: tensors[\"vision\"] = np.array(tensors[\"vision\"]); tensors[\"vision\"][::3, ${set/nan/1}:, 2] = $set") >data.msa"
        mkdir "$set"
        line "msa-load --train --epochs 2 --batch 5 --non-finite keep data.msa | msa-encode $NETS -p $set/encode |
            $(scalar_loss) | msa-backprop --log $set/steps.tsv"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
    done
    cmp {nan,0}/steps.tsv
    msa-dump --diff {nan,0}/encode
}

# resume.bash's, of subnets; the last record of an epoch has one sample.
training() {
    echo "msa-load --train --epochs ${EPOCHS:-20} --batch 4 --seed 3 --validate-every 2 --state run/state.msa ${1-} $SMALL/lf-dnn/data.pkl |
        msa-encode --net text=lstm,vision=dnn,audio=dnn --hidden 16 --dropout .3 --lengths own --decay text=.01,vision=.02 \
            -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-loss --tasks msr |
        msa-metrics -q --select mae --log run/metrics.tsv | msa-backprop --lr 1e-3 --accumulate 2 --log run/steps.tsv"
}

@test "a training that is killed goes on with the same bytes, running statistics included, and with the same settings alone" {
    undisturbed
    for at in 7 31; do
        begin killed --resume
        steps killed $at
        kill_one msa-encode
    done
    line "cd killed; $(training --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r {whole,killed}/run
    local file
    file=$(cd killed/run && echo encode.safetensors.?? | cut -d ' ' -f 2)
    other() {
        line "cd killed; $(training --resume | sed "s/$1/$2/")"
        [ "$output" = "$3" ] || { echo "$output" && return 1; }
    }
    other '--lengths own' '--lengths all' "msa-encode: run/$file was trained with lengths own, and not with all"
    other '--hidden 16' '--hidden 16 --out text=9' "msa-encode: run/$file was trained with out.text 16, and not with 9"
    other 'run.state.msa' '& --mean vision' "msa-load: the training that is to be resumed began without mean, and not with 'vision'"
}

@test "what does not go together is refused in a line" {
    train run
    refused "--net dnn --dim 16 --init run/encode" 2 "--dim is for transformer, bert, not for dnn"
    refused "--net dnn --out 16 --init run/encode" 2 "--out is for lstm, not for dnn"
    refused "--net text=lstm,vision=dnn,audio=dnn --out vision=3 --init run/encode" 2 "--out is for lstm, not for dnn"
    refused "--hidden 9 --init run/encode --net transformer" 2 "--hidden is for dnn, lstm, bilstm, not for transformer"
    refused "--lengths own --net transformer --init run/encode" 2 "--lengths is for dnn, lstm, bilstm, not for transformer"
    refused "--net vision=lstm -p run/encode" 2 "--net vision=lstm given but run/encode has dnn"
    refused "--hidden vision=9 -p run/encode" 2 "--hidden.vision: 9 given but run/encode has 10"
    refused "--lengths own -p run/encode" 2 "--lengths: own given but run/encode has all"
    refused "--net text=lstm,vision=dnn,audio=dnn --hidden 9 --init run/encode" 3 \
        "run/encode: tensor 'video_subnet.linear_1.weight': shape [10,11] but expected [9,11]"
    line "msa-load --split test $SMALL/lmf/data.pkl | msa-encode -p run/encode -o x.msa"
    [ "$output" = "msa-encode: run/encode: tensor 'text_subnet.rnn.weight_ih_l0': shape [36,13] but expected [36,7]" ]
    train own '' '--lengths own'
    forged() { # CODE STATUS LINE
        line "msa-load --split test $SMALL/lf-dnn/data.pkl | $(forge "$1") | msa-encode -p own/encode -o x.msa"
        [ "$output" = "msa-encode: $2" ] || { echo "$output" && return 1; }
    }
    forged 'if tensors: tensors["audio_lengths"] = tensors["audio_lengths"] * 0 + 8' \
        "frame 1, tensor 'audio_lengths': sample 0: 8 frames but expected 0 to 7"
    forged 'if tensors: tensors["vision_lengths"] = -tensors["vision_lengths"] - 1' \
        "frame 1, tensor 'vision_lengths': sample 0: -4 frames but expected 0 to 6"
    forged 'if kind == "H": body["schema"]["audio_lengths"]["dtype"] = "<f4"' \
        "header: 'audio_lengths' is <f4 [0] but expected integers [*]"
    forged 'if kind == "H": body["schema"]["text_bert"] = {"dtype": "<i8", "shape": [0, 2, 4]}' \
        "header: 'text_bert' is <i8 [0,2,4] but expected integers [*,3,*]"
}
