#!/usr/bin/env bats
# A training that is killed, at any program, as often as one likes, and resumed ends with the same bytes as one that was
# not: parameters, checkpoints, commit and logs.
load helper
load resume.bash

# killed NAME: killed in the 3rd of 40 epochs and, resumed, twice about the 14th.
killed() {
    undisturbed
    local at
    for at in 10 55 57; do
        begin killed --resume
        steps killed $at
        kill_one "$1"
    done
    line "cd killed; $(training --resume) -v"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    diff -r {whole,killed}/run
}

# killed_at STEP...: killed before that training step, in run of killedSTEP; and resumed.
killed_at() {
    local at whole
    undisturbed
    whole=$(training)
    for at in "$@"; do
        mkdir -p "killed$at/run"
        line "cd killed$at; ${whole/msa-loss/"$(at_step "$at" 'os._exit(1)') | msa-loss"}"
        [ "$status" -ne 0 ] || return
        between "$at" || return
        line "cd killed$at; $(training --resume)"
        [ "$status" -eq 0 ] || { echo "$output" && return 1; }
        diff -r whole/run "killed$at/run" || return
    done
}

@test "msa-load is killed" { killed msa-load; }
@test "msa-encode is killed" { killed msa-encode; }
@test "msa-decompose is killed" { killed msa-decompose; }
@test "msa-predict is killed" { killed msa-predict; }
@test "msa-loss is killed" { killed msa-loss; }
@test "msa-gdwg is killed" { killed msa-gdwg; }
@test "msa-metrics is killed" { killed msa-metrics; }
@test "msa-backprop is killed" { killed msa-backprop; }

@test "the whole group is killed" {
    undisturbed
    for at in 3 33 71; do
        begin killed --resume
        steps killed $at
        pkill -9 -s "$session" msa-
        wait "$session" || true
    done
    line "cd killed; $(training --resume)"
    [ "$status" -eq 0 ]
    diff -r {whole,killed}/run
}

@test "a resumed training goes on where it was: it does not compute again what is committed" {
    begin killed
    steps killed 30
    kill_one msa-loss
    line "cd killed; $(training "--resume -v" | sed 's/msa-loss/& | msa-dump -t --report seen/')"
    [ "$status" -eq 0 ]
    [[ $output == *"msa-load: going on from checkpoint "*", step "* ]]
    local step
    step=$(sed -n 's/.*, step \([0-9]*\).*/\1/p' <<<"$output")
    [ "$step" -ge 26 ]
    [ "$(grep -m 1 -o '^[0-9]* D .*' killed/seen | grep -o 'step [0-9]*')" = "step $step" ]
}

@test "one that has finished is left as it is: exit 0" {
    undisturbed
    cp -a whole again
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    diff -r {whole,again}/run
    line "cd again; $(training "--resume -v")"
    [ "$status" -eq 0 ]
    [ "$output" = "msa-load: nothing is left to do: the training has ended with checkpoint 80, step 160" ]
}

@test "killed between the last commit and the end: the best parameters still come to their place" {
    SELECT='' undisturbed
    [ -s whole/run/predict.safetensors ]
    cp -a whole again
    rm again/run/{encode,predict}.safetensors
    SELECT='' line "cd again; $(SELECT='' training --resume)"
    [ "$status" -eq 0 ]
    diff -r {whole,again}/run
}

@test "killed before the first commit: what was saved of it does not matter" {
    undisturbed
    mkdir -p again/run first/run
    local whole
    whole=$(training)
    line "cd first; ${whole/msa-gdwg/"$(at_step 2 'os._exit(1)') | msa-gdwg"}"
    [ "$status" -ne 0 ]
    cp {first,again}/run/encode.safetensors.1
    touch again/run/.predict.safetensors{,.1}.lock
    echo half >again/run/.predict.safetensors.1.msa-0123abcd.tmp
    echo half >again/run/.predict.safetensors.msa-0123abcd.tmp
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r {whole,again}/run
}

@test "two trainings at once in one place: the second waits, and fails" {
    second_fails bash
}

@test "a stage that only looks may be put into the line that is resumed" {
    begin killed
    steps killed 20
    kill_one msa-gdwg
    undisturbed
    line "cd killed; $(training --resume | sed 's/msa-decompose/msa-dump -t --report seen | &/')"
    [ "$status" -eq 0 ]
    rm {whole,killed}/run/state.msa # numbers the stages
    diff -r {whole,killed}/run
}

@test "pipelines/train --resume, after all of it was killed" {
    msa-synth --samples 24,8,8 -o data.pkl
    export MSA_BIN=$BUILD/bin
    local train=("$ROOT/pipelines/train" ../data.pkl run --dim 16 --heads 2 --epochs 40 --batch 8 --quiet)
    mkdir whole killed
    (cd whole && "${train[@]}")
    (cd killed && exec setsid "${train[@]}") 3>&- &
    session=$!
    steps killed 30
    pkill -9 -s "$session"
    wait "$session" || true
    [ ! -e killed/run/curves.png ]
    (cd killed && "${train[@]}" --resume)
    rm {whole,killed}/run/curves.*
    diff -r {whole,killed}/run
}

# Each keeps other moments, and all of them a count of updates.
@test "killed and resumed, with each optimizer" {
    # shellcheck disable=SC2034 # training reads them
    local EPOCHS=20 OPTIMIZER
    for OPTIMIZER in "--amsgrad" "--optimizer adam" "--optimizer adam --amsgrad" "--optimizer hf-adamw --eps 1e-6" \
        "--optimizer sgd" "--optimizer sgd --momentum 0.9"; do
        rm -rf whole killed
        undisturbed
        begin killed
        steps killed 9
        kill_one msa-predict
        line "cd killed; $(training --resume)"
        [ "$status" -eq 0 ] || { echo "$OPTIMIZER: $output" && false; }
        diff -r {whole,killed}/run
    done
}

# Killed where a group of records has begun, and its checkpoint has been committed: before the third step, or the seventh.
@test "killed and resumed inside a group of records" {
    # shellcheck disable=SC2034 # training reads them
    local EPOCHS=3 OPTIMIZER="--accumulate 3 --clip-value .01 --optimizer adam"
    between() { grep -q 'grad\.' "killed$1/run/encode.safetensors.$(($1 / 2))"; }
    killed_at 2 6
}

# Where some checkpoints have been counted, and after the rate has fallen.
@test "killed and resumed inside a plateau" {
    # shellcheck disable=SC2034 # training reads them
    local EPOCHS=6 OPTIMIZER="--schedule plateau --patience 0 --lr 5e-2"
    between() { msa-dump --values "killed$1/run/state.msa" >"state$1" && grep -q plateau "state$1"; }
    killed_at 8 14 20
    [ "$(cut -f 3 whole/run/steps.tsv | tail -n 1)" != 0.05 ]
}
