#!/usr/bin/env bats
# The data set under a training: it is what it was, whatever its file is called and when it was touched, or the training
# does not go on.
# shellcheck disable=SC2030,SC2031,SC2086 # each test has what it exports for itself; names without spaces, and rows
load helper
load resume.bash

export EPOCHS=3 # 4 steps each, checkpoints every 2

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$BATS_TEST_DIRNAME/../${O:-.}/bin/msa-load" -o data.msa "$BATS_TEST_DIRNAME/golden/sims/data.pkl"
}

# changed FROM TO [SPLIT ROW]: a copy of a data set, a pickle or a kept stream, with one other feature in that row.
changed() {
    "$PYTHON" - "$ROOT/tests/interop" "$@" <<'END'
import gzip
import pickle
import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
from read_stream import Writer, frames

opened = gzip.open if sys.argv[3].endswith(".gz") else open
path, to, split, row = sys.argv[2], sys.argv[3], *(sys.argv[4:] or ("", 0))


def change(x, row):
    x = x.copy()
    x[row, 2, 1] += 1
    return x


if path.endswith(".pkl"):
    data = pickle.load(open(path, "rb"))
    if split:
        data[split]["audio"] = change(data[split]["audio"], int(row))
    pickle.dump(data, opened(to, "wb"), 4)
    sys.exit()
out = Writer(opened(to, "wb"))
seen = {}
for kind, body in frames(open(path, "rb")):
    if kind == "D":
        at = int(row) - seen.get(body["split"], 0)
        seen[body["split"]] = seen.get(body["split"], 0) + len(body["id"])
        if body["split"] == split and 0 <= at < len(body["id"]):
            body["tensors"]["audio"] = change(body["tensors"]["audio"], at)
    out.write(kind, body)
out.file.close()
END
}

# kinds: data.pkl, data.msa, and both gzipped, each as changed() writes it; and the names of these.
kinds() {
    cp "$BATS_FILE_TMPDIR/data.msa" original.msa
    cp "$GOLDEN/data.pkl" original.pkl
    changed original.pkl data.pkl
    changed original.pkl data.pkl.gz
    changed original.msa data.msa
    changed original.msa data.msa.gz
    echo "data.pkl data.pkl.gz data.msa data.msa.gz"
}

# other FILE SPLIT ROW: into other-FILE.
other() {
    local from=${1%.gz}
    changed "original.${from#data.}" "other-$1" "${@:2}"
}

# refused LINE STATUS: again/ cannot go on with $DATA, and nothing is touched.
refused() {
    rm -rf before
    cp -a again/run before
    line "cd again; $(training --resume)"
    [[ $output == "$1"* ]] || { echo "$output" && return 1; }
    [ "$(wc -l <<<"$output")" -eq 1 ]
    [ "$(cut -d ' ' -f 2 again/statuses)" -eq "$2" ]
    diff -r -x '.*.lock' before again/run
}

goes_on() {
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# before_end PROGRAM: the line, into again/, with that in front of its end.
before_end() {
    rm -rf again
    mkdir -p again/run
    local whole
    whole=$(training)
    line "cd again; ${whole/msa-backprop/"$1 | msa-backprop"}"
}

# with_step STEP CODE: in which Python does that before the end of the line has that step.
with_step() {
    before_end "$(at_step "$1" "$2")"
}

# disturbed STEP COMMAND
disturbed() {
    with_step "$1" "os.system(\"$2\")"
}

@test "another feature in a row of train or valid, in a file of the same size, before the training goes on: exit 2" {
    local kind
    for kind in $(kinds); do
        export DATA=../$kind
        rm -rf whole
        undisturbed
        rm -rf again && cp -a whole again
        for row in "train 0" "train 16" "valid 5"; do
            other "$kind" $row
            DATA=../other-$kind refused "msa-load: ../other-$kind (" 2
            [[ $output == *", CRC-32 of its train and valid rows "*") is not what the training that is to be resumed began with ("* ]]
        done
        other "$kind" test 3
        DATA=../other-$kind goes_on
        mkdir -p elsewhere
        cp "$kind" "elsewhere/moved-$kind"
        touch -d 2001-01-01 "elsewhere/moved-$kind"
        DATA=../elsewhere/moved-$kind goes_on
    done
}

@test "lengths are content: others are refused, also where there were none" {
    lengths() { # lengths PYTHON TO: of the golden data, the lengths changed.
        "$PYTHON" -c 'import pickle, sys; d = pickle.load(open(sys.argv[1], "rb"))
for part in d.values(): exec(sys.argv[2])
pickle.dump(d, open(sys.argv[3], "wb"), 4)' "$GOLDEN/data.pkl" "$@"
    }
    lengths 'part["audio_lengths"][0] = part["audio_lengths"][0] % 9 + 1' other.pkl
    lengths 'del part["audio_lengths"], part["vision_lengths"]' none.pkl
    undisturbed
    rm -rf again && cp -a whole again
    DATA=../other.pkl refused "msa-load: ../other.pkl (" 2
    export DATA=../none.pkl
    with_step 7 "os.killpg(0, 9)"
    [ -s again/run/state.msa ]
    [ "$(msa-dump --json again/run/state.msa | jq -r 'select(.kind == "C").epoch')" -eq 2 ]
    DATA=$GOLDEN/data.pkl refused "msa-load: $GOLDEN/data.pkl (" 2
}

@test "a row that --fraction leaves out may change" {
    kinds >/dev/null
    export DATA=../data.pkl
    training() {
        echo "msa-load --train --epochs 3 --batch 5 --seed 3 --state run/state.msa --fraction 0.5 ${1-} $DATA |
            msa-encode -p run/encode.safetensors --dim 16 --heads 2 | msa-decompose -p run/decompose.safetensors |
            msa-predict -p run/predict.safetensors | msa-loss | msa-metrics -q | msa-backprop"
    }
    undisturbed
    cp -a whole again
    local row fine=0
    for row in {0..16}; do
        other data.pkl train "$row"
        line "cd again; $(DATA=../other-data.pkl training --resume)"
        if [ "$status" -eq 0 ]; then
            fine=$((fine + 1))
        else
            [ "$(cut -d ' ' -f 2 again/statuses)" -eq 2 ]
        fi
    done
    [ "$fine" -eq 8 ]
}

@test "in the first epoch 64 places of the file stand for it: exit 2 where they are others" {
    local kind
    for kind in $(kinds); do
        export DATA=../$kind
        rm -rf whole
        undisturbed
        with_step 3 "os.killpg(0, 9)"
        [ "$status" -ne 0 ]
        [ -s again/run/state.msa ]
        other "$kind" valid 5
        DATA=../other-$kind refused "msa-load: ../other-$kind (" 2
        [[ $output == *", CRC-32 of its bytes "* ]]
        cp "$kind" "moved-$kind"
        touch -d 2001-01-01 "moved-$kind"
        rm "$kind"
        mv "moved-$kind" "$kind"
        goes_on
        diff -r {whole,again}/run
    done
}

@test "touched in mid-training, or a copy moved into its place: it goes on, to the same bytes" {
    local kind step
    for kind in $(kinds); do
        export DATA=../live
        cp "$kind" live
        rm -rf whole
        undisturbed
        for step in 1 6; do
            disturbed $step "touch ../live"
            [ "$status" -eq 0 ] || { echo "$output" && false; }
            diff -r {whole,again}/run
            disturbed $step "cp ../$kind ../copy; mv ../copy ../live"
            [ "$status" -eq 0 ] || { echo "$output" && false; }
            diff -r {whole,again}/run
        done
    done
}

# stopped WHY [STATUS]: by msa-load, with status 1 or that, before the next checkpoint, with a line that names the file and says why.
stopped() {
    [ "$status" -ne 0 ]
    # shellcheck disable=SC2053 # a pattern
    [[ $output == $1 ]] || { echo "$output" && return 1; }
    [ "$(wc -l <<<"$output")" -eq 1 ]
    [ "$(cut -d " " -f 2 again/statuses)" -eq "${2-1}" ]
}

@test "another one in its place in mid-training: exit 1" {
    local kind step row was="msa-load: ../live was changed while it was being trained on:"
    for kind in $(kinds); do
        export DATA=../live
        for row in "train 7" "valid 2"; do
            other "$kind" $row
            for step in 1 6; do
                cp "$kind" live
                disturbed $step "cp ../other-$kind ../copy; mv ../copy ../live"
                stopped "$was *"
                cp "$kind" live
                disturbed $step "dd if=../other-$kind of=../live conv=notrunc status=none"
                stopped "$was *"
            done
        done
        cp "$kind" live # one of other shapes: what is read is no data set any more
        msa-synth --samples 30,9,9 -o strange.pkl
        msa-load strange.pkl -o strange.msa
        disturbed 6 "dd if=../strange.${kind:5:3} of=../live conv=notrunc status=none"
        stopped "$was *"
        cp "$kind" live
        disturbed 6 "rm ../live"
        stopped "$was it is no longer there"
        cp "$kind" live
        disturbed 6 "mv ../live ../elsewhere"
        stopped "$was it is no longer there"
        cp "$kind" live
        disturbed 6 "mv ../live ../whole-$kind; head -c 2000 ../whole-$kind >../live"
        stopped "$was ../live: *"
        cp "$kind" live
        disturbed 6 "ln -sf live ../live"
        stopped "msa-load: ../live is being trained on: cannot look at it any more: Too many levels of symbolic links"
        rm live
        other "$kind" test 4
        cp "$kind" live
        disturbed 6 "cp ../other-$kind ../copy; mv ../copy ../live"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
    done
}

@test "a file that is cut while it is read: one line, and those behind end with 5" {
    kinds >/dev/null
    export DATA=../live
    local kind
    for kind in data.pkl data.msa; do
        cp $kind live
        before_end "$(forge "import os
if kind == \"C\" and body[\"checkpoint\"] == 3: os.system(\"truncate -s 0 ../live\")")"
        stopped "msa-load: ../live: became shorter while it was read" 3
    done
    msa-synth --samples 0,0,2000 -o big.pkl # more than goes into a pipe
    msa-load big.pkl -o big.msa
    for kind in pkl msa; do
        cp big.$kind cut.$kind
        line "msa-load --batch 8 cut.$kind | { head -c 50000; truncate -s 0 cut.$kind; cat; } | msa-dump --report report | cat >/dev/null"
        [ "$(cat statuses)" = "5 3 0 5 0" ]
        [ "$output" = "msa-load: cut.$kind: became shorter while it was read" ]
    done
    for kind in pkl msa; do
        line "msa-load --batch 8 big.$kind | { head -c 100000 >/dev/null; truncate -s 0 big.$kind; cat >/dev/null; }"
        [ "$(cat statuses)" = "3 3 0" ]
        [ "$output" = "msa-load: big.$kind: became shorter while it was read" ]
    done
}

@test "without --state it is looked at too" {
    kinds >/dev/null
    export DATA=../live
    training() {
        echo "msa-load --train --epochs 3 --batch 5 ${1-} $DATA |
            msa-encode -p run/encode.safetensors --dim 16 --heads 2 | msa-decompose -p run/decompose.safetensors |
            msa-predict -p run/predict.safetensors | msa-loss | msa-metrics -q | msa-backprop"
    }
    cp data.pkl live
    other data.pkl train 3
    disturbed 6 "cp ../other-data.pkl ../copy; mv ../copy ../live"
    stopped "msa-load: ../live was changed while it was being trained on: train, sample 3 ('*') is not what it was"
}
