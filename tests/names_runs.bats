#!/usr/bin/env bats
# Names and family that a training was told are known to what goes on from it.
# shellcheck disable=SC2154,SC2030,SC2031 # run sets stderr; each test is a shell of its own
load helper
load names.bash

@test "a training whose data set is touched says no name twice" {
    odd_sets
    line "msa-load --train --epochs 3 --batch 8 --rename val=valid odd.pkl |
        $PYTHON $ROOT/tests/forge.py 'import os
if kind == \"C\": os.utime(\"odd.pkl\")' | msa-encode --dim 16 --heads 2 -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-loss -q | msa-gdwg -q | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(grep -c "'visual'" <<<"$output")" -eq 1 ]
    [ "$(grep -c "'acoustic'" <<<"$output")" -eq 1 ]
}

# The tail of a line, tiny; it works in folder $1.
tail_of() {
    echo "msa-encode --dim 16 --heads 2 -p $1/encode.safetensors | msa-decompose -p $1/decompose.safetensors |
        msa-predict -p $1/predict.safetensors | msa-loss | msa-gdwg | msa-metrics -q --select mae --log $1/metrics.tsv"
}

# A stage that is killed at training step N.
dies_at() {
    echo "$PYTHON $ROOT/tests/forge.py 'import os
if kind == \"D\" and body[\"train\"] and body[\"step\"] == $1: os.kill(os.getpid(), 9)'"
}

@test "a training knows names and family: --resume and --like need them no more, right names do as well" {
    odd_sets
    mkdir whole cut right
    load="msa-load --train --epochs 3 --batch 8 --family mosi"
    line "$load ${names[*]} --state whole/state.msa odd.pkl | $(tail_of whole) | msa-backprop"
    [ "$status" -eq 0 ]
    line "$load ${names[*]} --state cut/state.msa odd.pkl | $(tail_of cut) | $(dies_at 4) | msa-backprop"
    [ "$status" -ne 0 ]
    [ -e cut/encode.safetensors.1 ]
    cp -r cut/. right
    line "msa-load --train --epochs 3 --batch 8 --state cut/state.msa --resume odd.pkl | $(tail_of cut) | msa-backprop"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    for file in encode.safetensors decompose.safetensors predict.safetensors.3 metrics.tsv; do
        cmp whole/$file cut/$file
    done
    line "msa-load --train --epochs 3 --batch 8 ${names[*]} --state right/state.msa --resume --rename ids=id odd.pkl | $(tail_of right) | msa-backprop"
    [ "$(cut -d " " -f 2 statuses)" -eq 2 ]
    [[ $output == *"--rename ids=id: there is no 'ids' in odd.pkl"* ]]
    line "msa-load --train --epochs 3 --batch 8 --family sims --state right/state.msa --resume odd.pkl | $(tail_of right) | msa-backprop"
    [[ $output == *"began with family 'mosi', and not with 'sims'"* ]]

    msa-load -q --family mosi --split test data.pkl -o known.msa
    for set in odd.pkl data.pkl; do
        run -0 --separate-stderr msa-load --like whole/state.msa --split test "$set" -o found.msa
        [ -z "$stderr" ]
        cmp <(records found.msa) <(records known.msa)
        [[ $(msa-dump -n 1 found.msa) == *"family mosi"* ]]
    done
    run -0 --separate-stderr msa-load --like found.msa --family sims --info odd.pkl # what is given goes before
    [[ $output == *"family sims"* ]]
    run -1 msa-load --like nothing data.pkl
    [[ $output == *"cannot read 'nothing'"* ]]
    msa-load odd.pkl -q -o plain.msa
    run -0 --separate-stderr msa-load --like plain.msa -o out.msa odd.pkl # which was told nothing
    [ "$(wc -l <<<"$stderr")" -eq 3 ]
}

# pipeline NAME ARGUMENT...: what it prints in $output, and in $stderr; it must work.
pipeline() {
    run -0 --separate-stderr timeout -k 5 120 "$ROOT/pipelines/$1" "${@:2}"
}
small=(--dim 16 --heads 2 --epochs 2 --batch 8 --select-after 0)

@test "pipelines/train warns once; told a name, evaluate, predict and --resume know it" {
    export MSA_BIN=$BUILD/bin
    odd_sets
    "$PYTHON" -c '
from sets import *
write("acoustic.pkl", rename({"audio": "acoustic"}))'
    pipeline train acoustic.pkl missed "${small[@]}"
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ] || { echo "$stderr" && false; }
    for script in train pretrain; do
        pipeline $script acoustic.pkl never --dim 16 --heads 2 --check
        [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ] || { echo "$stderr" && false; }
    done
    pipeline train odd.pkl run "${names[@]}" "${small[@]}"
    [[ $stderr != *warning* ]]
    grep -qx $'load.rename\tacoustic=audio,val=valid,visual=vision' run/about.tsv
    grep -q $'^shape of audio\t<f4' run/about.tsv
    pipeline train data.pkl known "${small[@]}"
    for file in test.tsv metrics.tsv steps.tsv; do
        cmp run/$file known/$file
    done
    pipeline evaluate known data.pkl valid --tsv
    expected=$output
    for set in odd.pkl data.pkl; do
        pipeline evaluate run "$set" valid --tsv
        [ "$output" = "$expected" ]
        [ -z "$stderr" ]
    done
    pipeline predict known data.pkl
    expected=$output
    for set in odd.pkl data.pkl; do
        pipeline predict run "$set"
        [ "$output" = "$expected" ]
        [ -z "$stderr" ]
    done
    "$PYTHON" -c '
from sets import *
write("third.pkl", rename({"audio": "sound"}))'
    pipeline evaluate run third.pkl valid --rename sound=audio --tsv
    [ -z "$stderr" ]
    pipeline predict run third.pkl --rename sound=audio
    [ "$output" = "$expected" ]
    # what holds for the second sample alone is said, what holds for both once
    pipeline predict known data.pkl acoustic.pkl acoustic.pkl
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ]
    [ "$(grep -c "s_audio,d_audio do not arrive" <<<"$stderr")" -eq 1 ]
    pipeline figures --with known --out drawn --data acoustic.pkl
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ]
    rm known/about.tsv
    run ! "$ROOT/pipelines/figures" --with known --without-msc run --out drawn
    [ "$output" = "figures: 'known' has no about.tsv, which would name its data set: --data DATASET" ]
    "$PYTHON" -c '
from sets import *
write("quoted.pkl", rename({"audio": "a\"}b, c"}))'
    pipeline train quoted.pkl quoted --rename 'a"}b, c=audio' "${small[@]}"
    grep -qx $'load.rename\ta"}b, c=audio' quoted/about.tsv
    grep -qx $'load.seed\t1' quoted/about.tsv
    cp -r run again
    pipeline train odd.pkl run "${small[@]}" --resume
    [[ $stderr != *warning* ]]
    cmp run/encode.safetensors again/encode.safetensors
    pipeline train odd.pkl run "${names[@]}" "${small[@]}" --resume
    diff -r run again # the command too
}

@test "a killed pipelines/train goes on by the names that it was told" {
    odd_sets
    mkdir bin
    ln -s "$BUILD"/bin/* bin
    rm bin/msa-gdwg
    printf '#!/bin/bash\nexec %s < <("%s/bin/msa-gdwg" "$@")\n' "$(dies_at 4)" "$BUILD" >bin/msa-gdwg # nothing keeps its pipe open
    chmod +x bin/msa-gdwg
    MSA_BIN=$BUILD/bin pipeline train odd.pkl whole "${names[@]}" "${small[@]}" --epochs 3
    MSA_BIN=$PWD/bin run timeout -k 5 120 "$ROOT/pipelines/train" odd.pkl cut "${names[@]}" "${small[@]}" --epochs 3
    [ "$status" -ne 0 ]
    [ -e cut/state.msa ]
    [ ! -e cut/about.tsv ]
    MSA_BIN=$BUILD/bin pipeline train odd.pkl cut "${small[@]}" --epochs 3 --resume
    [[ $stderr != *warning* ]]
    for file in encode.safetensors predict.safetensors metrics.tsv test.tsv; do
        cmp whole/$file cut/$file
    done
}

@test "encoders, experiments and figures know the names too" {
    export MSA_BIN=$BUILD/bin
    odd_sets
    few=(--dim 16 --heads 2 --epochs 1 --batch 8)
    pipeline pretrain odd.pkl encoders "${names[@]}" "${few[@]}"
    [[ $stderr != *warning* ]]
    [ -e encoders/audio/about.tsv ]
    "$PYTHON" -c '
from sets import *
write("acoustic.pkl", rename({"audio": "acoustic"}))'
    pipeline pretrain acoustic.pkl missed "${few[@]}"
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ]
    [ ! -e missed/audio ]
    pipeline train odd.pkl run --encoders encoders --epochs 1 --batch 8
    [[ $stderr != *"is not read"* ]]
    grep -q $'^shape of vision\t' run/about.tsv
    pipeline ablate odd.pkl --encoders encoders --out ablations --only without-cl,without-msc --seeds 1 --epochs 1 --batch 8
    [[ $stderr != *"is not read"* ]]
    pipeline figures ablations --out figures
    [ -e figures/cosines.svg ]
    [ -e figures/predictions.svg ]
    pipeline reproduce other odd.pkl --out reproduced --seeds 1 "${names[@]}" "${few[@]}"
    [[ $stderr != *"is not read"* ]]
    grep -q $'^load.rename\t' reproduced/seed-1/about.tsv
    pipeline reproduce other odd.pkl --out told --seeds 1 --rename val=valid "${few[@]}"
    [ "$(grep -c "msa-load: warning: odd.pkl: 'visual'" <<<"$stderr")" -eq 1 ]
    [ "$(grep -c "is not read" <<<"$stderr")" -eq 2 ]
}
