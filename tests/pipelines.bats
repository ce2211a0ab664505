#!/usr/bin/env bats
# The scripts of pipelines/: train, evaluate, curves, demo. See predict.bats and pretrain.bats for the others.
load helper

# Tiny data, its family's defaults otherwise (dropout, shuffling).
small=(--dim 16 --heads 2 --epochs 2 --batch 8)

data() {
    msa-synth --samples 24,8,8 --family "${1:-sims}" -o data.pkl
}

pipeline() {
    local script=$1
    shift
    run env MSA_BIN="$BUILD/bin" timeout -k 5 100 "$ROOT/pipelines/$script" "$@"
}

@test "train leaves parameters, logs and curves, and prints the table of test" {
    data
    counting_bin msa-decompose
    run env MSA_BIN="$PWD/counting" "$ROOT/pipelines/train" data.pkl run "${small[@]}"
    [ "$status" -eq 0 ]
    [ "$(wc -l <calls)" -eq 2 ] # it is trained, and evaluated once
    for file in encode decompose predict; do
        [ -s "run/$file.safetensors" ]
        [ -s "run/$file.safetensors.2" ]
    done
    [ "$(wc -l <run/steps.tsv)" -eq 7 ]
    [ "$(wc -l <run/metrics.tsv)" -eq 5 ]
    [ "$(head -c 8 run/curves.png | od -An -tx1)" = " 89 50 4e 47 0d 0a 1a 0a" ]
    grep -q 'Metrics on the valid split' run/curves.svg
    [[ $output =~ split\ +samples\ +acc2\ +f1\ +acc3\ +acc5\ +mae\ +corr ]]
    [[ ${lines[-1]} =~ ^test\ +8\ +0\.[0-9]{4}\  ]]
    [ "${lines[-3]}" = "curves: run/curves.png and run/curves.svg" ]
}

@test "the family's defaults: 50 epochs of 32 for CH-SIMS, 25 of 16 for MOSI" {
    data sims
    pipeline train data.pkl sims --dim 16 --heads 2 --quiet
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(tail -n 1 sims/steps.tsv | cut -f 1,2)" = $'50\t49' ]
    data mosi
    pipeline train data.pkl mosi --dim 16 --heads 2 --quiet
    [ "$status" -eq 0 ]
    [ "$(tail -n 1 mosi/steps.tsv | cut -f 1,2)" = $'25\t49' ]
    pipeline train data.pkl other --family sims --epochs 1 --dim 16 --heads 2 --quiet
    [ "$(tail -n 1 other/steps.tsv | cut -f 1,2)" = $'1\t0' ]
    head -n 1 other/metrics.tsv | grep -q acc3
}

@test "how a step is made: groups, clipping, a plateau with a patience of its own" {
    data
    pipeline train data.pkl run "${small[@]}" --accumulate 2 --clip-value 0.5 --clip-at update --schedule plateau \
        --plateau-patience 3 --select mae --select-after 0 --patience 7 --quiet
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(sed -n 's/^\(backprop\|metrics\)\.\(accumulate\|clip-value\|clip-at\|schedule\|patience\)\t/\1 \2 /p' run/about.tsv)" = \
        "backprop accumulate 2
backprop clip-at update
backprop clip-value 0.5
backprop patience 3
backprop schedule plateau
metrics patience 7" ] || { cat run/about.tsv && false; }
    pipeline train data.pkl other "${small[@]}" --plateau-patience x
    [ "$status" -eq 2 ]
    [[ $output == "msa-backprop: --patience: 'x' is not "* ]] || { echo "$output" && false; }
}

@test "the same seed gives the same bytes, another seed others" {
    data
    pipeline train data.pkl one "${small[@]}" --seed 5 --quiet
    [ "$status" -eq 0 ]
    pipeline train data.pkl elsewhere/two "${small[@]}" --seed 5 --quiet
    [ "$status" -eq 0 ]
    pipeline train data.pkl three "${small[@]}" --seed 6 --quiet
    for file in steps.tsv metrics.tsv {encode,decompose,predict}.safetensors{,.1,.2}; do
        cmp "one/$file" "elsewhere/two/$file"
        run cmp -s "one/$file" "three/$file"
        [ "$status" -eq 1 ]
    done
}

@test "a set without a test split is trained on, and that is said before; so is one with a name that is not read" {
    local script untested="warning: there is no test split to evaluate"
    msa-synth --samples 24,8,0 -o data.pkl
    pipeline train data.pkl run "${small[@]}"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "train: $untested" ]
    [ "${lines[-1]}" = "curves: run/curves.png and run/curves.svg" ]
    [ -s run/curves.png ]
    "$PYTHON" -c '
import pickle
data = pickle.load(open("data.pkl", "rb"))
for part in data.values():
    part["visual"] = part.pop("vision")
pickle.dump(data, open("odd.pkl", "wb"))'
    for script in train pretrain; do
        pipeline $script odd.pkl $script --dim 16 --heads 2 --batch 8 --epochs 1
        [ "$status" -eq 0 ] || { echo "$output" && return 1; }
        [ "$(grep 'test split' <<<"$output")" = "$script: $untested" ]
        [ "${lines[1]}" = "$script: $untested" ] # behind the name
        pipeline $script data.pkl other --dim 16 --heads 2 --check --quiet
        [ "$status: $output" = "0: " ]
    done
}

@test "evaluate: splits, JSON, predictions, assertions; one modality alone" {
    data
    pipeline train data.pkl run "${small[@]}" --quiet
    pipeline evaluate run data.pkl valid --json
    [ "$status" -eq 0 ]
    echo "$output" | "$PYTHON" -c '
import json, sys
row = json.load(sys.stdin)
assert row["split"] == "valid" and row["samples"] == 8, row
assert {"acc2", "f1", "acc3", "acc5", "mae", "corr"} <= row.keys(), row'
    pipeline evaluate run data.pkl --predictions predictions.tsv
    [ "$status" -eq 0 ]
    [ "$(wc -l <predictions.tsv)" -eq 9 ]
    pipeline evaluate run data.pkl test --assert 'mae<0'
    [ "$status" -eq 1 ]
    pipeline train data.pkl text "${small[@]}" --only text --quiet
    pipeline evaluate text data.pkl
    [ "$status" -eq 0 ]
}

@test "the exit status is that of the program that failed" {
    data
    pipeline train data.pkl run "${small[@]}" --lr x
    [ "$status" -eq 2 ]
    [[ $output == "msa-backprop: --lr: 'x' is not "* ]]
    pipeline train data.pkl run --hidden 3
    [ "$status" -eq 2 ]
    pipeline train data.pkl run --epochs
    [ "$status" -eq 2 ]
    pipeline train data.pkl
    [ "$status" -eq 2 ]
    head -c 1000 data.pkl >cut.pkl
    pipeline train cut.pkl run
    [ "$status" -eq 3 ]
    [ "${#lines[@]}" -eq 1 ]
    pipeline evaluate nowhere data.pkl
    [ "$status" -eq 1 ]
}

@test "an old run is refused, and left as it is; -f trains anew" {
    data
    pipeline train data.pkl run "${small[@]}" --quiet
    sha256sum run/* >before
    pipeline train data.pkl run "${small[@]}" --seed 2
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"exists: -f trains anew"* ]]
    sha256sum --quiet -c before
    pipeline train data.pkl run "${small[@]}" --seed 2 -f --quiet
    [ "$status" -eq 0 ]
    run sha256sum --quiet -c before
    [ "$status" -eq 1 ]
}

@test "curves of an ablation: without tasks and without a weigher" {
    data
    line "msa-load --train --epochs 2 --batch 8 data.pkl | msa-encode -p run/e --dim 16 --heads 2 |
        msa-decompose -p run/d | msa-predict -p run/p | msa-loss --tasks msr,uni |
        msa-metrics -q --log run/metrics.tsv | msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ]
    pipeline curves run
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    cut -f 1-3,8 run/steps.tsv >steps && mv steps run/steps.tsv
    cut -f 1-4 run/metrics.tsv >metrics && mv metrics run/metrics.tsv
    pipeline curves run
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    pipeline curves nowhere
    [ "$status" -eq 1 ]
    [ "$output" = "curves: cannot read 'nowhere/steps.tsv'" ]
}

@test "the demo learns, and can be run again" {
    pipeline demo first
    [ "$status" -eq 0 ]
    [ -s first/run/curves.png ]
    pipeline demo first
    [ "$status" -eq 0 ]
}
