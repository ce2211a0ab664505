#!/usr/bin/env bats
# A stage killed in mid-training ends the whole line, with one message and a status that is not 0.
load helper

# killed NAME: trains without end in sight, kills that program, checks what the line says.
killed() {
    rm -rf run && mkdir run
    # shellcheck disable=SC2016 # the inner shell expands the last two lines
    setsid timeout -k 5 60 bash -c "set -o pipefail; msa-load --train --epochs 100000 --batch 5 $GOLDEN/data.pkl |
        ${MODEL:-$(golden_model)} | msa-loss | msa-gdwg | msa-metrics -q | msa-backprop --log run/steps.tsv"'
        echo "$? ${PIPESTATUS[*]}" >statuses; exit "$(cut -d " " -f 1 statuses)"' 2>err &
    local session=$!
    until [ -s run/steps.tsv ] && [ "$(wc -l <run/steps.tsv)" -gt 20 ]; do sleep 0.02; done
    pkill -9 -x -s "$session" "$1"
    local status=0
    wait $session || status=$?
    [ "$status" -ne 0 ]
    grep -E '^(msa-|predict_stage.py:)' err >said
    [ "$(wc -l <said)" -eq 1 ] || { echo "$1: $(cat err)" && return 1; }
    grep -q -e 'cut off after' -e 'is gone: the way back was cut' said
    [ "$(cut -d ' ' -f 2- statuses | tr ' ' '\n' | grep -c '^137$')" -eq 1 ]
    [ "$(cut -d ' ' -f 2- statuses | tr ' ' '\n' | grep -c '^4$')" -eq 1 ]
}

@test "msa-load is killed" { killed msa-load; }
@test "msa-encode is killed" { killed msa-encode; }
@test "msa-decompose is killed" { killed msa-decompose; }
@test "msa-predict is killed" { killed msa-predict; }
@test "msa-loss is killed" { killed msa-loss; }
@test "msa-gdwg is killed" { killed msa-gdwg; }
@test "msa-metrics is killed" { killed msa-metrics; }
@test "msa-backprop is killed" { killed msa-backprop; }

@test "a stage in Python is killed, and those around it" {
    MODEL="$(golden_encode) | $(golden_decompose) | $PYTHON $ROOT/tests/interop/predict_stage.py -p run/predict.safetensors"
    for program in msa-decompose python3 msa-loss msa-backprop; do
        killed $program
    done
}
