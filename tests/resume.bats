#!/usr/bin/env bats
# A training that is killed, at any program, as often as one likes, and resumed ends with the same bytes as one that was
# not: parameters, checkpoints, commit and logs.
load helper

# The training line, working in run/; $1: more options of msa-load. Mid-epoch checkpoints, dropout, a best one on the way.
training() {
    echo "msa-load --train --epochs ${EPOCHS:-40} --batch 5 --seed 3 --validate-every 2 --state run/state.msa ${1-} $GOLDEN/data.pkl |
        msa-encode -p run/encode.safetensors --dim 16 --heads 2 --layers text=1,vision=1,audio=1 --dropout 0.3 ${FORCE-} |
        msa-decompose -p run/decompose.safetensors ${FORCE-} | msa-predict -p run/predict.safetensors ${FORCE-} | msa-loss |
        msa-gdwg | msa-metrics -q ${SELECT---select mae} --log run/metrics.tsv | msa-backprop --lr 1e-3 ${OPTIMIZER-} --log run/steps.tsv"
}

# What is to come out, in whole/run.
undisturbed() {
    mkdir -p whole/run
    line "cd whole; $(training)"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# begin FOLDER [options of msa-load]: the line in the background, in a session of its own, whose number is in $session.
begin() {
    mkdir -p "$1/run"
    setsid timeout -k 5 60 bash -c "cd $1; $(training "${2-}")" 2>>"$1.err" 3>&- &
    session=$!
}

# Kills that program of what was begun, and waits for the rest.
kill_one() {
    local end=0
    until pkill -9 -x -s "$session" "$1"; do
        kill -0 "$session" || return 1
        sleep 0.01
    done
    wait "$session" || end=$?
    [ $end -ne 0 ]
}

# Waits until that many steps are in the log.
steps() {
    for _ in $(seq 1000); do
        [ ! -s "$1/run/steps.tsv" ] || [ "$(wc -l <"$1/run/steps.tsv")" -le "$2" ] || return 0
        sleep 0.02
    done
    return 1
}

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

# refused SED LINE: the line changed by SED cannot resume, with that message, what the unchanged one began.
refused() {
    line "cd again; $(training --resume | sed "$1")"
    [ "$status" -ne 0 ]
    [[ $output == "$2"* ]] || { echo "$output" && return 1; }
    [ "$(wc -l <<<"$output")" -eq 1 ]
    diff -r {whole,again}/run
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

# Each keeps other moments, and all of them a count of updates.
@test "killed and resumed, with each optimizer" {
    local EPOCHS=5 OPTIMIZER
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
    mkdir -p again/run
    cp whole/run/encode.safetensors.80 again/run/encode.safetensors.1
    echo half >again/run/predict.safetensors.1.tmp
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r {whole,again}/run
}

@test "nothing is committed, but there are parameters: they are not lost to a wrong --state" {
    undisturbed
    cp -a whole again
    rm again/run/state.msa
    line "cd again; $(training --resume)"
    [ "$status" -ne 0 ]
    [[ $output == "msa-encode: 'run/encode.safetensors' (or a checkpoint of it) exists, and no commit to resume it from: -f trains"* ]]
    run diff -r {whole,again}/run
    [ "$output" = "Only in whole/run: state.msa" ]
    FORCE=-f line "cd again; $(FORCE=-f training --resume)"
    [ "$status" -eq 0 ]
    diff -r {whole,again}/run
}

@test "a fresh training without -f touches nothing of an old one; with -f nothing of it is left" {
    undisturbed
    cp -a whole again
    line "cd again; $(training)"
    [ "$status" -ne 0 ]
    [[ $output == "msa-encode: 'run/encode.safetensors' (or a checkpoint of it) exists: -f trains anew and replaces it" ]]
    diff -r {whole,again}/run
    line "cd again; $(FORCE=-f EPOCHS=1 training)"
    [ "$status" -eq 0 ]
    [ "$(cd again/run && echo encode.safetensors.*)" = "encode.safetensors.1 encode.safetensors.2" ]
    mkdir -p fresh/run
    line "cd fresh; $(EPOCHS=1 training)"
    rm {fresh,again}/run/state.msa # holds the command line
    diff -r {fresh,again}/run
}

@test "with -f, a training that fails before its first step leaves the old one whole" {
    undisturbed
    cp -a whole again
    line "cd again; $(FORCE=-f training | sed 's/msa-loss/msa-loss --tasks no/')"
    [ "$status" -ne 0 ]
    diff -r {whole,again}/run
}

@test "a training cannot be resumed with other settings" {
    undisturbed
    cp -a whole again
    local began="the training that is to be resumed began with"
    refused 's/--seed 3/--seed 4/' "msa-load: $began seed 3, and not with 4"
    refused 's/--batch 5/--batch 5 --drop audio/' "msa-load: $began drop '', and not with 'audio'"
    refused 's/--batch 5/--batch 5 --label text/' "msa-load: $began label 'label', and not with 'label_text'"
    refused 's/--epochs 40/--epochs 41/' "msa-load: $began epochs 40, and not with 41"
    refused 's/--dropout 0.3/--dropout 0.4/' "msa-encode: run/encode.safetensors.80 was trained with dropout 0.3, and not with 0.4"
    refused 's/--dim 16/--dim 32/' "msa-encode: run/encode.safetensors.80 was trained with dim 16, and not with 32"
    refused 's/msa-predict/& --freeze T\*/' "msa-predict: run/predict.safetensors.80 was trained with freeze "
    refused 's/msa-gdwg/& --tau 2/' "msa-gdwg: $began tau 1, and not with 2"
    refused 's/--select mae/--select corr/' "msa-metrics: $began select 'mae', and not with 'corr'"
    refused 's/--lr 1e-3/--lr 1e-4/' "msa-backprop: $began lr 0.001, and not with 0.0001"
    refused 's/--lr 1e-3/& --optimizer sgd/' "msa-backprop: $began optimizer 'adamw', and not with 'sgd'"
    refused 's/--lr 1e-3/& --amsgrad/' "msa-backprop: $began amsgrad false, and not with true"
}

@test "nor without what it goes on from" {
    undisturbed
    cp -a whole complete
    cp -a whole again
    rm {whole,again}/run/decompose.safetensors.80
    refused '' "msa-decompose: cannot read 'run/decompose.safetensors.80': No such file or directory"
    cp complete/run/decompose.safetensors.80 whole/run
    cp complete/run/decompose.safetensors.80 again/run
    head -c 100 complete/run/state.msa | tee whole/run/state.msa >again/run/state.msa
    refused '' "msa-load: run/state.msa: cut off after 0 frames"
    cp complete/run/encode.safetensors whole/run/state.msa
    cp complete/run/encode.safetensors again/run/state.msa
    refused '' "msa-load: run/state.msa: "
    line "msa-load --train --resume $GOLDEN/data.pkl | msa-dump"
    [[ $output == *"--resume needs --state FILE"* ]]
    [ "$(cat statuses)" = "5 2 5" ]
}

@test "a log that is shorter than what was committed of it" {
    begin killed
    steps killed 20
    kill_one msa-load
    head -n 3 killed/run/steps.tsv >short
    cp short killed/run/steps.tsv
    line "cd killed; $(training --resume)"
    [ "$status" -ne 0 ]
    [[ $output == "msa-backprop: cannot go on with 'run/steps.tsv': "*" bytes but expected at least "* ]]
}

@test "two trainings at once in one place: the second waits, and fails" {
    begin killed
    steps killed 1
    until pkill -STOP -x -s "$session" msa-load; do sleep 0.01; done
    line "cd killed; $(training --resume)"
    [ "$status" -ne 0 ]
    [[ $output == *": cannot write 'run/"*"': another program is writing it" ]]
    [ "$(wc -l <<<"$output")" -eq 1 ]
    pkill -CONT -x -s "$session" msa-load
    wait "$session"
    undisturbed
    diff -r {whole,killed}/run
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
