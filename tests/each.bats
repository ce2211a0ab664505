#!/usr/bin/env bats
# Heads of single modalities, msa-predict --each, and the tasks that train them, msa-loss --tasks each.
load helper

MODELS=$BATS_TEST_DIRNAME/golden/models
HEAD="msa-predict --head mlp --hidden 8 --each text=6,audio=5"

vectors() {
    echo "$PYTHON $ROOT/tests/interop/vectors_stage.py $MODELS/mlf-dnn/forward0.safetensors $*"
}

# train LOSS [STAGE]: a training of the heads by these options of msa-loss, with a stage before it; the rest of the line is as
# WEIGH, SELECT and VECTORS say, its data those of CH-SIMS unless DATA says others.
train() {
    line "msa-load --train --epochs 2 --batch 5 ${LOAD-} ${DATA:-$MODELS/mlf-dnn/data.pkl} | $(vectors "${VECTORS:-f h_text h_audio}") |
        ${PREDICT:-$HEAD} -p run/p.safetensors -f | ${2:+$2 |} msa-loss $1 | ${WEIGH:+$WEIGH |}
        $(forge 'if kind in "HD": __import__("json").dump([body.get(k) for k in ("tasks", "loss", "weight")], open(f"run/{kind}." + body.get("split", "H"), "w"))') |
        msa-metrics -q --log run/metrics.tsv ${SELECT-} | msa-backprop --lr 1e-3 --log run/steps.tsv"
}

well() {
    train "$@"
    [ "$status $output" = "0 " ] || { echo "$status $output" && return 1; }
}

columns() { head -n 1 "run/$1.tsv" | tr '\t' ' '; }

# kept STAGE: what msa-loss makes of the predictions of valid, as NumPy keeps it, is in kept.npz.
kept() {
    line "msa-load --split valid --batch 4 ${DATA:-$MODELS/mlf-dnn/data.pkl} | $(vectors f h_text h_audio) |
        $HEAD -q -p run/p.safetensors | ${1:+$1 |} msa-loss --tasks msr,each --regression l1 -o kept.msa"
    [ "$status $output" = "0 " ] || { echo "$status $output" && return 1; }
}

# losses EXPRESSION: each_text of each record of kept.msa is that, where y, label and so on are the record's tensors.
losses() {
    "$PYTHON" - "$ROOT/tests/interop" "$1" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from read_stream import frames, opened
import numpy as np
records = [body for kind, body in frames(opened("kept.msa")) if kind == "D"]
assert len(records) == 2
for r in records:
    expected = eval(sys.argv[2], {"np": np}, dict(r["tensors"]))
    found = r["loss"].get("each_text")
    assert found == expected or abs(found - expected) < 1e-6, (found, expected)
    assert {*r["loss"]} == {*r["weight"]} and "each_audio" in r["loss"]
END
}

@test "each is a task for each modality that a head predicts from; weights, logs and weighers have them by name" {
    well "--tasks msr,each --weights each=.5,each_text=.2"
    [ "$(jq -c '.[0]' run/H.H)" = '["msr","each_text","each_audio"]' ]
    [ "$(jq -c '.[2]' run/D.train)" = '{"msr":1,"each_text":0.2,"each_audio":0.5}' ]
    [ "$(columns steps)" = "epoch step lr msr each_text each_audio w_msr w_each_text w_each_audio total" ]
    [[ "$(columns metrics)" = "epoch split samples msr each_text each_audio "* ]]
    awk -F '\t' 'NR > 1 { d = $10 - ($4 + .2 * $5 + .5 * $6); if (d > 1e-6 || d < -1e-6 || $7 != 1 || $9 != .5) exit 1 }' run/steps.tsv
    WEIGH="msa-gdwg --stage-steps 1 --tasks each_text,each_audio" SELECT="--select loss" well "--tasks each,msr"
    awk -F '\t' 'NR > 1 { d = $8 + $9 - 1; if (d > 1e-6 || d < -1e-6 || (NR > 3 && $8 == .5)) exit 1 }' run/steps.tsv || { cat run/steps.tsv && false; }
    SELECT="--select each_audio" well "--tasks each_audio"
    [ "$(columns steps)" = "epoch step lr each_audio w_each_audio total" ]
    # those that each_audio alone has nothing to do with have not moved
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from parameters import load
last = load("run/p.safetensors.1")[0]
assert {name.split("_")[2] for name, x in last.items() if name.startswith("exp_avg.") and x.any()} == {"audio"}
END
}

@test "one line says which tasks cannot be" {
    fails() {
        train "$1"
        [[ $output = "msa-loss: $3" && $(cut -d ' ' -f 5 statuses) -eq $2 ]] || { echo "$output" && return 1; }
    }
    fails "--tasks msr,each_vision" 1 "task each_vision: no 'y_vision' arrives (does msa-predict stand before?)"
    fails "--tasks each_smell" 2 "--tasks: 'each_smell' is none of msr, msc, uni, cl, each, each_text, each_vision, each_audio, diff, cmd, recon"
    fails "--weights each_smell=1" 2 "--weights: 'each_smell' is none of msr, msc, uni, cl, each, each_text, each_vision, each_audio, diff, cmd, recon"
    PREDICT="msa-predict --head mlp" fails "--tasks msr,each" 1 "task each: nothing arrives that it reads, y_MODALITY [B], \
label_MODALITY or label [B], and weight_MODALITY [B] if it arrives"
    train "--tasks each" "$(forge 'if kind == "H": body["schema"]["weight_text"] = body["schema"]["y"]
if kind == "D": tensors["weight_text"] = np.full(B, np.nan, "f4")')"
    [ "$output" = "msa-loss: frame 1, tensor 'weight_text': sample 0 is nan but expected a number" ] || { echo "$output" && false; }
}

@test "the label is the modality's, or the joint one of a set without; a record without what was promised is left out" {
    well "--tasks msr,each"
    kept
    losses 'abs(y_text - label_text).mean()'
    DATA=$MODELS/lf-dnn/data.pkl kept
    losses 'abs(y_text - label).mean()'
    kept "$(forge 'if kind == "D": del tensors["label_text"]')"
    losses 'None'
    kept "$(forge 'if kind == "H": body["schema"]["weight_text"] = body["schema"]["y"]
if kind == "D": tensors["weight_text"] = np.arange(B, dtype="f4")')"
    losses '(np.arange(len(label)) * abs(y_text - label_text)).mean()'
    kept "$(forge 'if kind == "H": body["schema"]["weight_text"] = body["schema"]["y"]')"
    losses 'abs(y_text - label_text).mean()'
}

@test "labels in training alone, as pseudo-labels are: validation has no such task, and is judged by the rest" {
    SELECT="--select loss" well "--tasks msr,each" "$(forge 'if kind == "D" and not body["train"]: del tensors["label_text"]')"
    [ "$(jq -c '.[1] | keys' run/D.train)" = '["each_audio","each_text","msr"]' ]
    [ "$(jq -c '.[1] | keys' run/D.valid)" = '["each_audio","msr"]' ]
    [ "$(cut -f 2,5 run/metrics.tsv | grep -c "^valid	$")" -eq 2 ] || { cat run/metrics.tsv && false; }
}

# What is missing.

@test "in training there is a head for what arrives; in evaluation a vector that does not counts as zeros" {
    PREDICT="msa-predict --head mlp --each 6" VECTORS="f h_audio" well "--tasks msr,each"
    [ "$(jq -c '.[0]' run/H.H)" = '["msr","each_audio"]' ]
    PREDICT="msa-predict --head mlp --each 6" well "--tasks msr,each"
    evaluate() {
        line "msa-load --split test $MODELS/mlf-dnn/data.pkl | $(vectors "$@") | msa-predict -p run/p.safetensors ${OPTIONS-} | msa-metrics --each"
    }
    evaluate f h_text h_audio h_vision
    all=$output
    evaluate f h_text
    [ "${lines[0]}" = "msa-predict: warning: of the vectors that run/p.safetensors is made for, h_audio do not arrive: they count as 0" ]
    [ "$(tail -n +2 <<<"$output" | cut -f 1-7)" = "$(cut -f 1-7 <<<"$all")" ]
    [ "$(tail -n +3 <<<"$output" | cut -f 8 | sort -u | wc -l)" -eq 1 ]
    OPTIONS='-q --each text=6' evaluate f
    [ "$status" -eq 0 ]
    [ "$(head -n 1 <<<"$output" | cut -f 7-)" = "y_text	y_audio" ]
}

@test "heads beside those of features, and of one modality; sentiment between bounds: finite differences" {
    O=$BUILD run -0 "$PYTHON" "$ROOT/tests/gradient" "$GOLDEN/data.pkl" "msa-encode -p e --dim 16 --heads 2 --layers 1 | msa-decompose -p d |
        msa-predict -p p --each text=5,audio=7 --range -2,2 --dropout text=.3 | msa-loss --tasks msr,msc,each --regression mse"
    O=$BUILD run -0 "$PYTHON" "$ROOT/tests/gradient" "$GOLDEN/data.pkl" "msa-encode -p e --dim 16 --heads 2 --layers 1 --only audio |
        msa-predict -p p --head unimodal --classes 3 --each 7 | msa-loss --tasks msr,msc,each --regression mse"
}

# Any line.

@test "without labels there are predictions, of modalities too" {
    well "--tasks msr,each"
    golden_data '[s.pop(key) for s in d.values() for key in list(s) if key.startswith("regression")]'
    line "msa-load --split test data.pkl | $(vectors f h_text h_audio) | $HEAD -p run/p.safetensors | msa-loss --tasks msr,each |
        msa-metrics --each"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "msa-loss: warning: no labels arrive: left out are msr, each_text, each_vision, each_audio" ]
    [ "$(cut -f 1-3,7- <<<"${lines[1]}")" = "id	split	label	y_text	y_audio" ]
    [ "${#lines[@]}" -eq 10 ]
}

@test "the first NaN behind a head is named, and where it comes from" {
    train "--check-finite --tasks msr,each" "$(forge 'if kind == "D" and body["step"] == 2: tensors["y_audio"] = np.full(B, np.nan, "f4")')"
    [ "$status" -ne 0 ]
    [[ $output = "msa-loss: epoch 1, step 2 (train): reads tensor 'y_audio' with nan at [0], in samples 0 "* ]] || { echo "$output" && false; }
}

@test "a line of heads is recorded, and the stage alone learns the same from the recording" {
    PREDICT="msa-dump -t --record in.msa | $HEAD --dropout .2" well "--tasks msr,each" "msa-dump -t --record out.msa"
    mkdir new
    line "msa-dump --replay in.msa | $HEAD --dropout .2 -p new/p.safetensors | msa-dump --answer out.msa"
    [ "$status $output" = "0 " ] || { echo "$output" && false; }
    cmp {run,new}/p.safetensors
}
