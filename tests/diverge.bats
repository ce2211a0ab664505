#!/usr/bin/env bats
# A training whose parameters become NaN or infinite ends at the next checkpoint, says what is kept, and keeps that.
load helper

model() {
    echo "msa-encode --dim 16 --heads 2 -p run/encode.safetensors $1 | msa-decompose -p run/decompose.safetensors $1 |
        ${PREDICT:-msa-predict -p run/predict.safetensors} $1"
}

# The golden training line; NaN comes in with the gradient of training step $1. $2 is msa-metrics, or what stands there.
diverging() {
    echo "msa-load --train --epochs 4 --batch 5 --seed 3 --state run/state.msa ${LOAD-} $GOLDEN/data.pkl | $(model "${3-}") |
        msa-loss | $PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"train\"] and body[\"step\"] == $1:
            tensors[\"y@msr\"] = tensors[\"y@msr\"] * np.nan' | msa-gdwg | $2 |
        msa-backprop ${LR---lr 1e-3} --log run/steps.tsv"
}

# The checkpoint that a file of parameters is of; fails where one of its numbers is not finite.
checkpoint_of() {
    "$PYTHON" - "$1" "$BATS_TEST_DIRNAME/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[2])
import numpy, parameters
tensors, notes = parameters.load(sys.argv[1])
assert tensors and all(numpy.isfinite(x).all() for x in tensors.values()), sys.argv[1]
print(notes["checkpoint"])
END
}

# The line has ended at EPOCH and STEP, and this checkpoint is kept, if there is a number.
ended_at() {
    local kept="no checkpoint" file
    [ -z "${3-}" ] || kept="checkpoint $3"
    [ "${lines[-1]}" = "msa-backprop: epoch $1, step $2: parameters are not finite: the training ends, and $kept is kept" ] ||
        { echo "$output" && return 1; }
    [ "$status" -eq 1 ]
    for file in encode decompose predict; do
        if [ -n "${3-}" ]; then
            [ "$(checkpoint_of run/$file.safetensors)" -eq "$3" ]
        else
            [ -z "$(find run -name "$file.*" -o -name state.msa)" ]
        fi
    done
}

@test "from the start: status 1, one line, no parameters, no commit; whether somebody judges or not" {
    for metrics in "msa-metrics -q --log run/metrics.tsv" "msa-metrics -q --select mae" "msa-metrics -q --select msr --select-after 3" \
        cat; do
        rm -rf run && mkdir run
        line "$(diverging 2 "$metrics")"
        ended_at 1 4
        [ "$(cut -d ' ' -f 2- statuses | tr ' ' '\n' | grep -c '^1$')" -eq 1 ]
        [ "$(wc -l <run/steps.tsv)" -eq 5 ]
        [ "$metrics" = "${metrics% --log*}" ] || [ "$(cut -f 1,2 run/metrics.tsv | tail -n 2 | tr '\t\n' '  ')" = "1 train 1 valid " ]
    done
}

@test "the first loss that is not finite is said once, with --check-finite" {
    line "$(diverging 1 "msa-metrics -q")"
    [ "${#lines[@]}" -eq 2 ]
    [ "${lines[0]}" = "msa-backprop: warning: epoch 1, step 2 (train): loss 'msr' is nan (--check-finite, given to all programs, \
names where that begins)" ]
    ended_at 1 4
    [ "$(cut -f 4,12 run/steps.tsv | tail -n 2 | tr '\t\n' '  ')" = "nan nan nan nan " ]
    rm run/*
    line "$(diverging 1 "$PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"step\"] == 0: body[\"weight\"][\"cl\"] = -np.inf'") -q"
    [ "${#lines[@]}" -eq 1 ] # -q has no warnings, but the failure
    rm run/*
    line "$(diverging 99 "$PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"step\"] == 1: body[\"loss\"][\"mine\"] = -np.inf'")"
    [ "$status" -eq 0 ]
    [[ $output == "msa-backprop: warning: epoch 1, step 1 (train): loss 'mine' is -inf ("* ]]
    rm run/* # in validation it has the number of steps that were done
    line "$(LOAD="--validate-every 3" diverging 99 "$PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"epoch\"] == 2 and \
        not body[\"train\"]: body[\"loss\"][\"mine\"] = np.nan'")"
    [[ $output == "msa-backprop: warning: epoch 2, after 6 steps (valid): loss 'mine' is nan ("* ]] || { echo "$output" && false; }
    [ "${#lines[@]}" -eq 1 ]
}

@test "a key that is never finite: all epochs, the last checkpoint is kept, and one warning" {
    metrics="$PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"split\"] == \"valid\" and body[\"epoch\"] > FIRST: \
        tensors[\"label\"] = tensors[\"label\"] * 0' | msa-metrics -q --select corr --patience 1"
    line "$(diverging 99 "${metrics/FIRST/0}")"
    [ "$status" -eq 0 ]
    [ -z "$output" ] # -q
    rm run/*
    line "$(diverging 99 "$(sed 's/FIRST/0/; s/msa-metrics -q/msa-metrics --log run\/metrics.tsv/' <<<"$metrics")")"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "msa-metrics: warning: --select corr was finite at no checkpoint: the last one is kept" ]
    [ "$(checkpoint_of run/encode.safetensors)" -eq 4 ]
    line "$(LOAD=--resume diverging 99 "$(sed 's/FIRST/0/; s/msa-metrics -q/msa-metrics --log run\/metrics.tsv/' <<<"$metrics")")"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    rm run/* # once it has been, patience counts
    line "$(diverging 99 "${metrics/FIRST/1}")"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(checkpoint_of run/encode.safetensors)" -eq 1 ]
    [ -e run/encode.safetensors.2 ]
    [ ! -e run/encode.safetensors.3 ]
}

@test "later: the last checkpoint stays committed, the best is kept; --resume comes to the same end" {
    for metrics in "msa-metrics -q --log run/metrics.tsv" "msa-metrics -q --log run/metrics.tsv --select mae" \
        "msa-metrics -q --log run/metrics.tsv --select corr --select-after 2"; do
        rm -rf run whole && mkdir run
        line "$(diverging 10 "$metrics")"
        [[ $output =~ \ checkpoint\ ([0-9])\ is\ kept$ ]]
        ended_at 3 12 "${BASH_REMATCH[1]}"
        [[ $metrics == *mae ]] || [ "${BASH_REMATCH[1]}" -eq 2 ] # nobody judges, or not yet
        [ "$(checkpoint_of run/encode.safetensors.2)" -eq 2 ]
        [ ! -e run/encode.safetensors.3 ]
        msa-dump run/state.msa | grep -q "  checkpoint 2  "
        [ "$(cut -f 1,2 run/metrics.tsv | tail -n 1)" = $'3\tvalid' ]
        said=${lines[-1]}
        cp -r run whole
        line "$(LOAD=--resume diverging 10 "$metrics")"
        [ "$status" -eq 1 ]
        [ "${lines[-1]}" = "$said" ]
        diff -r whole run
    done
}

@test "killed before that and resumed: the same line, and the same bytes" {
    metrics="msa-metrics -q --log run/metrics.tsv --select mae"
    line "$(diverging 14 "$metrics")"
    [[ $output =~ \ checkpoint\ ([0-9])\ is\ kept$ ]]
    ended_at 4 16 "${BASH_REMATCH[1]}"
    said=${lines[-1]}
    mv run whole
    for at in 3 6 11; do
        rm -rf run && mkdir run
        line "$(LOAD=--resume diverging 14 "$PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"train\"] and \
            body[\"step\"] == $at: raise OSError(\"stopped\")' | $metrics")"
        [[ $output == *stopped* ]]
        line "$(LOAD=--resume diverging 14 "$metrics")"
        [ "$status" -eq 1 ]
        [ "${lines[-1]}" = "$said" ]
        diff -r whole run
    done
}

@test "in the middle of an epoch, where one judges from the second on" {
    line "$(LOAD="--validate-every 2" diverging 9 "msa-metrics -q --log run/metrics.tsv --select corr --select-after 1")"
    [[ $output =~ \ checkpoint\ ([0-9])\ is\ kept$ ]]
    ended_at 3 10 "${BASH_REMATCH[1]}"
    [ "$(cut -f 2 run/metrics.tsv | grep -c valid)" -eq 5 ]
}

@test "an older training's parameters are gone with -f, and not kept by mistake" {
    line "$(diverging 99 "msa-metrics -q")"
    [ "$status" -eq 0 ]
    [ -e run/encode.safetensors ]
    line "$(diverging 2 "msa-metrics -q" -f)"
    ended_at 1 4
    rm -rf run && mkdir run
    line "$(diverging 99 "msa-metrics -q")"
    line "$(diverging 6 "msa-metrics -q" -f)"
    ended_at 2 8 1
}

# Each stage alone has such a parameter: the gradients of all are NaN, but the others' are not taken.
@test "each stage says it of its own, in C, and msa-metrics calls it never the best" {
    for stage in encode decompose predict predict_stage.py; do
        rm -rf run && mkdir run
        PREDICT=''
        freeze=(encode decompose predict)
        if [ "$stage" = predict_stage.py ]; then
            PREDICT="$PYTHON $ROOT/tests/interop/predict_stage.py -p run/predict.safetensors"
            freeze=(encode decompose)
        fi
        diverging 1 "msa-metrics -q ${SELECT-} | msa-dump -t --json --report frames.json" >line
        for other in "${freeze[@]}"; do
            [ "$other" = "$stage" ] || sed -i "s/ -p run\/$other.safetensors/& --freeze '*'/" line
        done
        line "$(<line)"
        ended_at 1 4
        [ "$(jq -c 'select(.kind == "C") | [.finite, .best, has("stop")]' frames.json)" = "[false,false,false]" ]
    done
    rm -rf run && mkdir run
    line "$(diverging 5 "msa-metrics -q | msa-dump -t --json --report frames.json")"
    [ "$(jq -c 'select(.kind == "C" and (has("back") | not)) | [has("finite"), .finite, .best]' frames.json | uniq | tr '\n' ' ')" = \
        "[false,null,null] [true,false,false] " ]
    rm -rf run && mkdir run
    line "$(diverging 5 "msa-metrics -q --select mae | msa-dump -t --json --report frames.json")"
    ended_at 2 8 1
    [ "$(jq -c 'select(.kind == "C" and (has("back") | not)) | [has("finite"), .finite, .best]' frames.json | uniq | tr '\n' ' ')" = \
        "[false,null,true] [true,false,false] " ]
}

@test "on a device whose memory only its own functions can touch" {
    line "$(golden_load) | $(DEVICE='test' golden_model) --lr-scale 1e6 | msa-loss | msa-gdwg | msa-metrics -q |
        msa-backprop --lr 1000 --warmup 0 -q --log run/steps.tsv"
    [ "${#lines[@]}" -eq 1 ]
    ended_at 1 4
}

# --- files with such parameters ---

# spoil FILE NAME: NaN in this parameter's last number, and in the others an infinity, if it is `all`.
spoil() {
    "$PYTHON" - "$1" "$2" "$BATS_TEST_DIRNAME/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[3])
import numpy, parameters
tensors, notes = parameters.load(sys.argv[1])
tensors = {name: x.copy() for name, x in tensors.items()}
for name, x in tensors.items():
    if name == sys.argv[2] or sys.argv[2] == "all":
        x.flat[-1] = numpy.nan
        x.flat[0] = -numpy.inf
parameters.save(sys.argv[1], tensors, notes)
END
}

@test "parameters that are not finite: evaluation says how many, and which is the first" {
    line "$(diverging 99 "msa-metrics -q")"
    spoil run/decompose.safetensors all
    spoil run/predict.safetensors TVA_decoder.MLP.2.weight
    line "msa-load --split test $GOLDEN/data.pkl | $(model) | msa-metrics"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 5 ]
    grep -qE "^msa-decompose: warning: run/decompose.safetensors: [0-9]+ of [0-9]+ parameters are not finite, the first is \
'[A-Za-z_.0-9]+' with -inf at \[0(,0)?\]$" <<<"$output"
    grep -qE "^msa-predict: warning: run/predict.safetensors: 2 of [0-9]+ parameters are not finite, the first is \
'TVA_decoder.MLP.2.weight' with -inf at \[0,0\]$" <<<"$output"
    [[ $output == *"msa-metrics: warning: test: 8 of 8 predictions are not finite: all its metrics are nan"* ]]
    # as initial values, in evaluation, in training and where it is only tried
    cp run/predict.safetensors init.safetensors
    line "msa-load --split test $GOLDEN/data.pkl | $(PREDICT="msa-predict --init init.safetensors" model |
        sed 's/decompose/& -q/') | msa-metrics -q"
    [[ ${lines[0]} == "msa-predict: warning: init.safetensors: 2 of "* ]] || { echo "$output" && return 1; }
    [ "${#lines[@]}" -eq 3 ]
    rm -rf run && mkdir run
    PREDICT="msa-predict -p run/predict.safetensors --init init.safetensors"
    line "$(LOAD=--check diverging 99 "msa-metrics -q")"
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "msa-predict: warning: init.safetensors: 2 of "* ]]
    line "$(diverging 99 "msa-metrics -q")"
    [[ ${lines[0]} == "msa-predict: warning: init.safetensors: 2 of "* ]]
    ended_at 1 4
}

# --- the scripts ---

small() {
    msa-synth --samples 24,8,8 --seed 3 -o data.pkl
    "$ROOT/pipelines/train" data.pkl first --dim 16 --heads 2 --epochs 1 --quiet
    spoil first/predict.safetensors all
    mv first/predict.safetensors nan.safetensors
}

@test "pipelines/train and pretrain: the line's status, and one line more where there is nothing to evaluate" {
    small
    run "$ROOT/pipelines/train" data.pkl out --dim 16 --heads 2 --epochs 2 --init nan.safetensors --quiet
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == "msa-backprop: epoch 1, step "*", and no checkpoint is kept" ]]
    [ "${lines[1]}" = "train: 'out' has no parameters: there is nothing to evaluate" ]
    [ "$(find out -type f | sort | tr '\n' ' ')" = "out/metrics.tsv out/steps.tsv " ]
    cp out/steps.tsv before
    run "$ROOT/pipelines/train" data.pkl out --dim 16 --heads 2 --epochs 2 --init nan.safetensors --quiet --resume
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 2 ]
    cmp out/steps.tsv before
    run "$ROOT/pipelines/report" out --tsv
    [ "${lines[1]}" = $'out\tno checkpoint: diverged' ]
    # over an old run: nothing of its results is left beside these logs
    echo words >first/vocab.txt
    run "$ROOT/pipelines/train" data.pkl first -f --dim 16 --heads 2 --epochs 2 --init nan.safetensors --quiet
    [ "$status" -eq 1 ]
    [ "$(find first -type f | sort | tr '\n' ' ')" = "first/metrics.tsv first/steps.tsv " ]
    run "$ROOT/pipelines/train" data.pkl out --check --dim 16 --heads 2 --init nan.safetensors
    [ "$status" -eq 0 ]
    run "$ROOT/pipelines/pretrain" data.pkl encoders --only audio --dim 16 --heads 2 --epochs 3 --batch 4 --lr 1000 \
        --optimizer sgd --warmup 0 --quiet
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 2 ]
    [ "${lines[1]}" = "pretrain: 'encoders/audio' has no parameters: there is nothing to evaluate" ]
}

@test "pipelines/train and pretrain: what diverges later is evaluated at the checkpoint that is kept, and ends with 1" {
    msa-synth --samples 24,8,8 --seed 3 -o data.pkl
    mkdir bin
    ln -s "$BUILD"/bin/* bin
    rm bin/msa-loss
    cat >bin/msa-loss <<END
#!/bin/sh
"$BUILD/bin/msa-loss" "\$@" | "$PYTHON" "$ROOT/tests/forge.py" 'if kind == "D" and body.get("train") and body["step"] == 7:
    tensors["y@msr"] = tensors["y@msr"] * np.nan'
END
    chmod +x bin/msa-loss
    export MSA_BIN=$PWD/bin
    for script in "train data.pkl out/audio" "pretrain data.pkl out --only audio,vision"; do
        for resume in '' --resume; do
            # shellcheck disable=SC2086 # words of their own
            run "$ROOT/pipelines/"$script --dim 16 --heads 2 --batch 8 --epochs 4 --select mae --quiet $resume
            [ "$status" -eq 1 ] || { echo "$output" && return 1; }
            [[ $output =~ ^"msa-backprop: epoch 3, step 9: parameters are not finite: the training ends, and checkpoint "[12]" is kept"$ ]]
            grep -qx $'diverged in epoch\t3' out/audio/about.tsv
            [ "$(wc -l <out/audio/test.tsv)" -eq 2 ]
        done
        [ ! -e out/vision ]
        run "$ROOT/pipelines/report" out/audio --tsv
        [[ ${lines[1]} == *$'\tdiverged in epoch 3' ]]
        [ "$(tr '\t' '\n' <<<"${lines[0]}" | grep -c '^corr$')" -eq 1 ]
        if [ "${script%% *}" = train ]; then
            MSA_BIN=$BUILD/bin run "$ROOT/pipelines/evaluate" out/audio data.pkl --tsv --quiet
            [ "$output" = "$(cat out/audio/test.tsv)" ]
        fi
        rm -r out
    done
}

@test "pipelines/predict: warns of parameters and predictions that are not finite, unless --quiet" {
    small
    cp nan.safetensors first/predict.safetensors
    "$ROOT/pipelines/predict" first data.pkl --json >out 2>err
    [ "$(grep -c '^msa-.*: warning: .* not finite' err)" -eq 4 ] # of predict, and of each split
    "$ROOT/pipelines/predict" first data.pkl --json --quiet >out 2>err
    [ ! -s err ]
    [ "$(jq -c .prediction out | sort -u)" = null ]
}

@test "tables: a run without a number leaves none to the mean, whatever awk makes of nan and inf" {
    for bad in nan -nan inf -inf; do
        rm -rf out && mkdir -p out/seed-1 out/seed-2
        printf 'split\tsamples\tacc2\tmae\ntest\t8\t0.5\t%s\n' "$bad" >out/seed-1/test.tsv
        printf 'split\tsamples\tacc2\tmae\ntest\t8\t0.75\t1\n' >out/seed-2/test.tsv
        run bash -c "set -- && declare -A given=() && out=out seeds='1 2' &&
            . '$ROOT/pipelines/common.bash' && . '$ROOT/pipelines/tables.bash' && write_tables full out"
        [ "$status" -eq 0 ]
        [ "$(cut -f 2,4,5 out/table.tsv | tail -n 2 | tr '\t\n' '  ')" = "acc2 62.5 17.6776695 mae nan - " ]
        [[ ${lines[1]} =~ ^full\ +2\ +62.50\ ±\ 17.68\ +nan$ ]]
    done
}

@test "pipelines/ablate: says which training it was, and makes no table" {
    small
    run "$ROOT/pipelines/ablate" data.pkl --out out --only without-cl --seeds 1 --dim 16 --heads 2 --epochs 2 --init nan.safetensors --quiet
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "ablate: the training in 'out/full/seed-1' has failed" ]
    [ ! -e out/table.tsv ]
}
