# A training that is disturbed, and what it is compared with: shared by resume*.bats.
# shellcheck shell=bash disable=SC2154 # what run sets

# The training line, working in run/; $1: more options of msa-load. Mid-epoch checkpoints, dropout, a best one on the way.
training() {
    echo "msa-load --train --epochs ${EPOCHS:-40} --batch 5 --seed 3 --validate-every 2 --state run/state.msa ${1-} ${DATA:-$GOLDEN/data.pkl} |
        msa-encode -p run/encode.safetensors --dim 16 --heads 2 --layers text=1,vision=1,audio=1 --dropout 0.3 ${FORCE-} |
        msa-decompose -p run/decompose.safetensors ${FORCE-} | msa-predict -p run/predict.safetensors ${FORCE-} | msa-loss |
        msa-gdwg | msa-metrics -q ${SELECT---select mae} --log run/metrics.tsv | msa-backprop --lr 1e-3 ${OPTIMIZER-} --log run/steps.tsv"
}

# What is to come out, in whole/run. The tests of a file share it where they train on the same.
undisturbed() {
    local kept
    kept=$BATS_FILE_TMPDIR/$(training | cksum)
    if [ -z "${DATA-}" ] && [ -e "$kept" ]; then
        cp -a "$kept/." whole
        return
    fi
    mkdir -p whole/run
    line "cd whole; $(training)"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    [ -n "${DATA-}" ] || cp -a whole "$kept"
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

# A stage that runs Python before it passes training step N on: at_step N CODE.
at_step() {
    echo "$PYTHON $ROOT/tests/forge.py 'import os
if kind == \"D\" and body[\"train\"] and body[\"step\"] == $1: $2'"
}

# second_fails SHELL...: a training that another, run by this shell, wants the files of: that waits, and fails with one line.
second_fails() {
    begin killed
    steps killed 1 || return
    until pkill -STOP -x -s "$session" msa-load; do sleep 0.01; done
    line "cd killed; $* -c '$(training --resume)'"
    [ "$status" -ne 0 ] || return
    [[ $output == *": cannot write 'run/"*"': another program is writing it" ]] || return
    [ "$(wc -l <<<"$output")" -eq 1 ] || return
    pkill -CONT -x -s "$session" msa-load
    wait "$session" || return
    undisturbed || return
    diff -r {whole,killed}/run
}
