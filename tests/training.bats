#!/usr/bin/env bats
# Training lines: long epochs, ablations by editing the line, checkpoints, options that change what is learned.
load helper

# A small data set of made-up clips; more training samples with an argument.
make_data() {
    msa-synth --seed 3 --samples "${1:-64},16,16" --frames text=4,vision=5,audio=6 --width text=8,vision=6,audio=5 -o data.pkl
}

SMALL="--dim 16 --heads 2 --layers text=1,vision=1,audio=1"

model() {
    echo "msa-encode -p run/encode.safetensors $SMALL | msa-decompose -p run/decompose.safetensors |
        msa-predict -p run/predict.safetensors"
}

# column NAME: the values of that column of run/steps.tsv, a line each.
column() {
    awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR > 1 { print $at }' run/steps.tsv
}

@test "an epoch of 2,000 steps" {
    make_data 2000
    LIMIT=240 line "msa-load --train --epochs 1 --batch 1 data.pkl | $(model) | msa-loss | msa-gdwg |
        msa-metrics -q | msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [ "$(column step | tail -1)" -eq 1999 ]
}

@test "validation is read, and under way, while the last step has no gradient yet; the checkpoint is not" {
    make_data 8
    run --separate-stderr timeout -k 5 60 "$PYTHON" - "$ROOT/tests/interop" <<'END_OF_PYTHON'
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from read_stream import frames
load = subprocess.Popen("msa-load -q --train --batch 8 --wait 4".split() + ["data.pkl"], stdout=subprocess.PIPE)
print(*(kind + body.get("split", "") for kind, body in frames(load.stdout)))
END_OF_PYTHON
    [ "$output" = 'H Dtrain Dvalid Dvalid X' ] || { echo "$output" && false; }
}

@test "training lowers the loss" {
    make_data 256
    line "msa-load --train --epochs 8 --batch 16 data.pkl | $(model) | msa-loss | msa-gdwg | msa-metrics -q |
        msa-backprop --lr 2e-3 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    column total | awk 'NR <= 16 { first += $1 } NR > 112 { last += $1 } END { exit !(last < 0.8 * first) }'
}

@test "ablation: without msa-gdwg the weights are msa-loss's" {
    make_data
    line "msa-load --train --epochs 3 --batch 16 data.pkl | $(model) | msa-loss --weights uni=.3,cl=.2 | msa-metrics -q |
        msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [ "$(column w_uni | sort -u)" = 0.3 ]
    [ "$(column w_cl | sort -u)" = 0.2 ]
}

@test "with msa-gdwg they sum to 1, and move from the third epoch on" {
    make_data
    line "msa-load --train --epochs 4 --batch 16 data.pkl | $(model) | msa-loss | msa-gdwg --tau .1 | msa-metrics -q |
        msa-backprop --lr 1e-3 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    paste <(column w_uni) <(column w_cl) | awk '{ d = $1 + $2 - 1; if (d * d > 1e-16) exit 1 }'
    [ "$(column w_uni | head -8 | sort -u)" = 0.5 ]
    [ "$(column w_uni | sed -n 9p)" != 0.5 ]
    [ "$(column w_uni | sed -n '9,12p' | sort -u | wc -l)" -eq 1 ]
}

@test "ablation: without the contrastive task it has no columns, and weights stay" {
    make_data
    line "msa-load --train --epochs 2 --batch 16 data.pkl | $(model) | msa-loss --tasks msr,msc,uni | msa-gdwg | msa-metrics -q |
        msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [[ $output == "msa-gdwg: warning: fewer than two of the tasks uni,cl arrive"* ]]
    [ "$(head -n 1 run/steps.tsv)" = $'epoch\tstep\tlr\tmsr\tmsc\tuni\tw_msr\tw_msc\tw_uni\ttotal' ]
    [ "$(column w_uni | sort -u)" = 0.5 ]
}

@test "ablation: text alone" {
    make_data
    line "msa-load --train --epochs 2 --batch 16 data.pkl | $(model | sed 's/msa-encode/& --only text/') | msa-loss | msa-gdwg |
        msa-metrics -q | msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [[ $output == *"task cl is left out"* ]]
    line "msa-load --split test data.pkl | msa-encode -p run/encode.safetensors | msa-decompose -p run/decompose.safetensors |
        msa-predict -p run/predict.safetensors | msa-metrics --json"
    [ "$status" -eq 0 ]
    [[ $output == *'"mae":'* ]]
}

# unimodal MODALITY [options of msa-backprop]: an encoder learns from its own modality's labels; LOOK: a stage before the head.
unimodal() {
    echo "msa-load --train --epochs ${EPOCHS-8} --batch 16 --label $1 data.pkl |
        msa-encode --only $1 -p run/$1.safetensors $SMALL | ${LOOK-} msa-predict --head unimodal -p run/head.safetensors |
        msa-loss --tasks msr --regression mse | msa-metrics -q --select mae | msa-backprop ${*:2} --log run/steps.tsv"
}

@test "an encoder learns from its own modality alone; fusion begins with it" {
    make_data 128
    for modality in text vision audio; do
        line "$(unimodal $modality --lr 5e-3 --optimizer adam --amsgrad)"
        [ "$status" -eq 0 ] && [ -z "$output" ] || { echo "$output" && false; }
        column msr | awk 'NR <= 8 { first += $1 } NR > 56 { last += $1 } END { exit !(last < 0.8 * first) }'
        [ "$(head -n 1 run/steps.tsv)" = $'epoch\tstep\tlr\tmsr\tw_msr\ttotal' ]
        line "msa-load --split test --label $modality data.pkl | msa-encode -p run/$modality.safetensors |
            msa-predict -p run/head.safetensors -o $modality.msa && msa-metrics --json $modality.msa"
        [ "$status" -eq 0 ]
        [[ $output == *'"mae":'* ]]
        "$PYTHON" "$ROOT/tests/oracle/unimodal_head.py" forward $modality.msa run/head.safetensors
        msa-dump -n 1 $modality.msa >shown
        grep -q " y  *<f4\[\*\]" shown
        run ! grep -q 'logits\|^ *u ' shown
        rm run/head.*
    done
    local init="--init run/text.safetensors --init run/vision.safetensors --init run/audio.safetensors"
    line "msa-load --train --epochs 1 --batch 16 data.pkl | $(model | sed "s|msa-encode|& $init --freeze '*'|") | msa-loss | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import parameters
whole, _ = parameters.load("run/encode.safetensors")
parts = [parameters.load(f"run/{modality}.safetensors")[0] for modality in ("text", "vision", "audio")]
assert len(whole) == sum(len(part) for part in parts) and all((whole[name] == x).all() for part in parts for name, x in part.items())
END
}

@test "the gradients of the unimodal head, by finite differences" {
    make_data 16
    local EPOCHS=1 LOOK="msa-dump -t --record seen.msa -q |"
    line "$(unimodal audio --lr 0 --beta1 0)"
    [ "$status" -eq 0 ]
    "$PYTHON" "$ROOT/tests/oracle/unimodal_head.py" gradient seen.msa run/head.safetensors.1
}

@test "the unimodal head wants one vector, and its own parameters" {
    make_data 16
    local EPOCHS=1
    line "$(unimodal text)"
    [ "$status" -eq 0 ]
    line "msa-load --split test data.pkl | msa-predict --init run/head.safetensors --head unimodal -o out.msa"
    [ "$output" = "msa-predict: nothing to predict from: no h_* arrives" ]
    line "msa-load --split test data.pkl | msa-encode $SMALL --init run/text.safetensors --only text |
        msa-predict -p run/head.safetensors --head joint -o out.msa"
    [ "$output" = "msa-predict: --head: joint given but run/head.safetensors has unimodal" ]
    [ "$(cut -d " " -f 4 statuses)" -eq 2 ]
    line "$(unimodal text | sed 's/--only text//;s/ -p / -f -p /g')"
    [ "$output" = "msa-predict: --head unimodal predicts from one h_*, but h_text and h_vision arrive: msa-encode --only makes one" ]
}

@test "a frozen stage keeps its parameters; lr-scale 0 too" {
    make_data
    line "msa-load --train --epochs 2 --batch 16 data.pkl | msa-encode -p run/encode.safetensors $SMALL --freeze '*' |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors --lr-scale 0 | msa-loss | msa-gdwg | msa-metrics -q | msa-backprop --lr 1e-2 --warmup 0 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    mkdir other
    line "msa-load --train --epochs 1 --batch 64 data.pkl | $(model | sed 's|run/|other/|g') | msa-loss | msa-metrics -q |
        msa-backprop --lr 0"
    "$PYTHON" "$ROOT/tests/same_tensors.py" run/encode.safetensors other/encode.safetensors
    "$PYTHON" "$ROOT/tests/same_tensors.py" run/predict.safetensors other/predict.safetensors
    run ! "$PYTHON" "$ROOT/tests/same_tensors.py" run/decompose.safetensors other/decompose.safetensors
}

# The loss msr of the valid split, a line each; it changes when parameters do.
valid_losses() {
    awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "msr") at = i } $2 == "valid" { print $at }' run/metrics.tsv
}

@test "groups of records: an update with the last of each, and with the last of an epoch, before it is validated" {
    make_data
    line "msa-load --train --epochs 2 --batch 13 --validate-every 1 data.pkl | $(model) | msa-loss |
        msa-metrics -q --log run/metrics.tsv | msa-backprop --lr 1e-2 --warmup 0 --accumulate 3 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [ "$(valid_losses | uniq -c | awk '{ print $1 }' | xargs)" = "2 2 3 2 1" ] || { valid_losses && false; }
    [ "$(column lr | uniq | wc -l)" -eq 10 ] # of records
}

@test "clipped gradients: no number of an update is larger" {
    make_data
    local sgd="msa-backprop --optimizer sgd --lr 1 --warmup 0 --schedule constant --decay 0"
    train() {
        line "msa-load --train --epochs 1 --batch 32 data.pkl | $(model | sed "s|run/|$1/|g") | msa-loss |
            msa-metrics -q | $sgd $2"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
    }
    mkdir start batch update
    train start '--lr 0'
    train batch '--accumulate 2 --clip-value .001'
    train update '--accumulate 2 --clip-value .001 --clip-at update'
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import parameters
start, batch, update = (parameters.load(f"{folder}/predict.safetensors")[0] for folder in ("start", "batch", "update"))
for some in batch, update:
    assert .0009 < max(abs(some[name] - x).max() for name, x in start.items()) < .0011
assert any((batch[name] != x).any() for name, x in update.items())
END
    line "$sgd --clip-at update"
    [ "$status" -eq 2 ]
    [ "$output" = "msa-backprop: --clip-at goes with --clip-value" ]
    line "$sgd --patience 10" # as much as is usual
    [ "$status" -eq 2 ]
    [ "$output" = "msa-backprop: --patience goes with --schedule plateau" ]
}

@test "on a plateau of the validation loss the rate falls to a tenth, after as many checkpoints as patience bears" {
    make_data
    line "msa-load --train --epochs 10 --batch 32 --validate-every 1 data.pkl | $(model) | msa-loss --tasks msr |
        msa-metrics -q --log run/metrics.tsv | msa-backprop -v --schedule plateau --patience 1 --lr 2e-2 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    paste <(valid_losses) <(column lr) | awk '
        BEGIN { best = "inf" + 0; lr = .02 }
        { rate = (NR <= 2) ? lr * (NR - 1) / 2 : lr; if (($2 - rate) ^ 2 > 1e-18) { print; exit bad = 1 } }
        $1 < best * (1 - 1e-4) { best = $1; waited = 0; next }
        ++waited > 1 { lr /= 10; waited = 0; fallen++ }
        END { exit bad || fallen < 2 }'
    [ "$(grep -c "^msa-backprop: epoch .* step .*: the loss of validation is on a plateau: the rate falls to " <<<"$output")" -ge 2 ]
}

@test "a plateau needs a loss of validation" {
    make_data
    line "msa-load --train --epochs 1 --batch 32 data.pkl | $(model) | msa-loss | $(forge 'if kind == "D" and not body["train"]: del body["loss"]') |
        msa-backprop --schedule plateau"
    [ "$(cut -d " " -f 8 statuses)" -eq 1 ]
    [[ $output == "msa-backprop: frame "*": no loss arrives of the valid split, which --schedule plateau looks at: does msa-loss stand before?" ]]
    rm -f run/*
    msa-synth --samples 8,0,4 -o none.pkl
    line "msa-load --train --epochs 1 none.pkl | $(model) | msa-loss | msa-backprop --schedule plateau"
    [ "$(cut -d " " -f 7 statuses)" -eq 3 ]
    [ "$output" = "msa-backprop: --schedule plateau looks at the valid split, but the data set has no sample of it" ]
}

@test "rates and decay by modality and by name: the last that is for a parameter counts" {
    make_data
    line "msa-load --train --epochs 1 --batch 16 data.pkl | msa-encode -p run/encode.safetensors $SMALL \
            --lr-scale 'text=0,*.bias=.5,vision_encoder.*=0,*.cls_token=1' |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-loss |
        msa-backprop --warmup 0 --lr 1e-2 --no-decay 'T*'"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    mkdir other
    line "msa-load --train --epochs 1 --batch 64 data.pkl | $(model | sed 's|run/|other/|g') | msa-loss | msa-backprop --lr 0"
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import parameters
(now, _), (before, _) = (parameters.load(f"{folder}/encode.safetensors") for folder in ("run", "other"))
for name, x in before.items():
    still = not name.startswith("audio") and not name.endswith((".cls_token", ".bias") if name.startswith("text") else "cls_token")
    assert (now[name] == x).all() == still, name
END
}

@test "rates and decay for what there is not are refused" {
    make_data
    # wrong STAGE OPTIONS LINE
    wrong() {
        rm -f run/*
        line "msa-load --train --epochs 1 data.pkl | $(model | sed "s|msa-$1|& $2|") | msa-loss | msa-backprop"
        [ "$output" = "msa-$1: $3" ] || { echo "$output" && false; }
        [[ " $(cat statuses) " == *" 2 "* ]]
    }
    wrong encode "--lr-scale video=2" "--lr-scale: 'video' is none of text|vision|audio, and no pattern: that has a *"
    wrong encode "--decay 'video*=2'" "--decay: 'video*' matches no parameter (the first is 'text_encoder.encoder.pos_encoder.cls_token')"
    wrong encode "--decay text=-1" "--decay: '-1' is not a number from 0 to 1000"
    wrong encode "--decay .1,text=1" "--decay: '.1' is not KEY=VALUE"
    wrong decompose "--decay text=.1" "--decay: 'text' matches no parameter (the first is 'T_simi_proj.fc.0.weight')"
}

@test "checkpoints: the last two are kept, the best one is FILE, the state is a stream" {
    make_data
    line "msa-load --train --epochs 3 --batch 32 --validate-every 1 --state run/state.msa data.pkl | $(model) | msa-loss | msa-gdwg |
        msa-metrics -q --log run/metrics.tsv | msa-backprop"
    [ "$status" -eq 0 ]
    [ "$(cd run && echo encode.safetensors*)" = "encode.safetensors encode.safetensors.5 encode.safetensors.6" ]
    line "msa-dump run/state.msa"
    [ "$status" -eq 0 ]
    [[ $output == *"checkpoint"* ]]
    [ "$(awk -F '\t' '$2 == "valid"' run/metrics.tsv | wc -l)" -eq 6 ]
}

@test "patience stops, and the best checkpoint is what stays" {
    make_data
    line "msa-load --train --epochs 50 --batch 32 data.pkl | $(model) | msa-loss | msa-gdwg |
        msa-metrics -q --select mae --patience 2 --log run/metrics.tsv | msa-backprop --lr 0"
    [ "$status" -eq 0 ]
    [ "$(awk -F '\t' '$2 == "valid"' run/metrics.tsv | wc -l)" -eq 3 ]
    "$PYTHON" "$ROOT/tests/same_tensors.py" --checkpoint 1 run/encode.safetensors run/encode.safetensors
}

@test "a fraction of the training data, the same one for the same seed" {
    make_data
    for i in 1 2; do
        line "msa-load --train --epochs 1 --batch 4 --fraction .25 --seed 5 --no-shuffle data.pkl | $(model | sed 's/ -p/ -f -p/g') |
            msa-loss | msa-metrics -q | msa-backprop --log run/steps.tsv"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
        [ "$(column step | wc -l)" -eq 4 ]
        cp run/steps.tsv "steps$i.tsv"
    done
    cmp steps1.tsv steps2.tsv
}

@test "standardization is kept with the parameters: evaluation needs no option" {
    make_data
    line "msa-load --train --epochs 1 --batch 16 --standardize data.pkl | $(model) | msa-loss | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ]
    line "msa-load --split test data.pkl | msa-encode -p run/encode.safetensors -o plain.msa"
    line "msa-load --split test --standardize data.pkl | msa-encode -p run/encode.safetensors -o again.msa"
    [ "$status" -eq 0 ]
    values() { msa-dump --values --tensor h_audio "$1" | sed -n '/ D /,$p'; }
    [ "$(values plain.msa | wc -l)" -gt 16 ]
    diff <(values plain.msa) <(values again.msa)
}

@test "standardization: a deviation below the smallest normal float is none" {
    make_data
    "$PYTHON" - "$BATS_TEST_DIRNAME/interop" <<'END'
import pickle, subprocess, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from read_stream import frames
data = pickle.load(open("data.pkl", "rb"))
tiny = np.finfo("f4").tiny # 1.2e-38, the smallest normal one
for split in data.values():
    signs = np.where(np.arange(split["audio"].shape[1]) % 2, 1, -1)
    split["audio"] = split["audio"].astype("f8")
    split["audio"][:, :, 0] = 1 + signs * 0 # constant
    split["audio"][:, :, 1] = signs * tiny / 2
    split["audio"][:, :, 2] = signs * 1e-45
    split["audio"][:, :, 3] = signs * 2 * tiny
    split["audio"][:, :, 4] = signs * 3e38
pickle.dump(data, open("tiny.pkl", "wb"))
load = subprocess.Popen(["msa-load", "--train", "--standardize", "tiny.pkl"], stdout=subprocess.PIPE)
_, header = next(frames(load.stdout))
load.stdout.close() # which ends it
load.wait()
audio = header["standardize"]["audio"]
assert np.isfinite(audio["scale"]).all() and np.isfinite(audio["mean"]).all(), audio
assert list(audio["scale"][:3]) == [1, 1, 1] and audio["scale"][3] > 1e37 and 0 < audio["scale"][4] < 1e-37, audio
END
}

@test "a parameter of the command line that differs from the file's is an error in evaluation" {
    make_data
    line "msa-load --train --epochs 1 --batch 16 data.pkl | $(model) | msa-loss | msa-metrics -q | msa-backprop"
    line "msa-load --split test data.pkl | msa-encode --heads 4 -p run/encode.safetensors | msa-dump"
    [ "$status" -ne 0 ]
    [[ $output == *"--heads: 4 given but run/encode.safetensors has 2"* ]]
}

@test "--check: what a program cannot train with is said; nothing is trained, and an old run stays as it is, with -f too" {
    make_data
    check() {
        line "msa-load --train --check --state run/state.msa data.pkl | msa-encode -p run/encode.safetensors $SMALL -f |
            msa-decompose -p run/decompose.safetensors -f | msa-predict -p run/predict.safetensors -f $2 | msa-loss | msa-gdwg |
            msa-metrics -q --select $1 --log run/metrics.tsv | msa-backprop --log run/steps.tsv"
    }
    check mae
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ -z "$(ls run)" ]
    check loss
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    check foo
    [ "$(cut -d ' ' -f 8 statuses)" -eq 2 ]
    [ "$output" = "msa-metrics: --select: 'foo' is none of acc2 f1 acc3 acc5 mae corr, and no loss of that name arrives" ]
    check mae '--classes 7'
    [ "$(cut -d ' ' -f 6 statuses)" -eq 1 ]
    [ "$output" = "msa-loss: task msc: 7 classes, but family sims has 2, 3 or 5" ]
    line "msa-load --train --epochs 1 --state run/state.msa data.pkl | $(model) | msa-loss | msa-gdwg |
        msa-metrics -q --log run/metrics.tsv | msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ]
    sha256sum run/* >before
    check mae
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    sha256sum --quiet -c before
    line "msa-load --check data.pkl >out"
    [ "$status" -eq 2 ]
    [ "$output" = "msa-load: --check, --no-shuffle, --validate-every, --fraction, --state and --group go with --train" ]
}
