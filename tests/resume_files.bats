#!/usr/bin/env bats
# Files that a commit goes with: damaged ones are not gone on from, nor are those of another training.
# shellcheck disable=SC2030,SC2031,SC2086 # each test has what it exports for itself; names without spaces
load helper
load resume.bash

export EPOCHS=2 # 8 steps, 4 checkpoints

# refused STATUS PLACE PATTERN [SED]: the line, changed by SED, does not go on with what is in again/run, because of the
# program in that place, which says a line that begins so; and touches nothing.
refused() {
    rm -rf before
    cp -a again/run before
    line "cd again; $(training --resume | sed "${4-}")"
    # shellcheck disable=SC2053 # a pattern
    [[ $output == $3* ]] || { echo "$output" && return 1; }
    [ "$(wc -l <<<"$output")" -eq 1 ]
    [ "$(cut -d ' ' -f $(($2 + 1)) again/statuses)" -eq "$1" ]
    diff -r before again/run
}

anew() {
    rm -rf again
    cp -a whole again
}

# flip FILE PLACE: another bit at that byte, from the end where it is negative.
flip() {
    "$PYTHON" - "$@" <<'END'
import sys
path, place = sys.argv[1], int(sys.argv[2])
data = bytearray(open(path, "rb").read())
data[place] ^= 4
open(path, "wb").write(data)
END
}

stages() {
    echo "2 encode
3 decompose
4 predict"
}

@test "a bit that has changed in a checkpoint, wherever in the file: exit 3" {
    undisturbed
    local at stage place file
    while read -r at stage; do
        file=run/$stage.safetensors.4
        for place in -1 -1000 -20000 800; do
            anew
            flip again/$file $place
            refused 3 "$at" "msa-$stage: $file: * bytes with CRC-32 * but the commit has *: the file was damaged"
        done
        anew
        head -c -4 whole/$file >again/$file
        refused 3 "$at" "msa-$stage: $file: "
        anew
        echo >>again/$file
        refused 3 "$at" "msa-$stage: $file: "
        anew
        sed -i 's/"training":"./"training":"x/' again/$file
        refused 3 "$at" "msa-$stage: $file: *: the file was damaged"
        anew
        cp {whole,again}/run/$stage.safetensors.3
        cp whole/run/$stage.safetensors.3 again/$file
        refused 3 "$at" "msa-$stage: $file: *: the file was damaged"
    done < <(stages)
}

@test "a bit that has changed in the best parameters, which are of an earlier checkpoint: exit 3" {
    export OPTIMIZER="--lr 0" # later ones are no better
    undisturbed
    local at stage
    while read -r at stage; do
        anew
        flip again/run/$stage.safetensors -1000
        refused 3 "$at" "msa-$stage: run/$stage.safetensors: *: the file was damaged"
        anew
        rm again/run/$stage.safetensors
        refused 1 "$at" "msa-$stage: cannot read 'run/$stage.safetensors': No such file"
    done < <(stages)
    anew
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ]
    diff -r {whole,again}/run
}

# other FOLDER SED: what another training leaves there.
other() {
    rm -rf "$1"
    mkdir -p "$1/run"
    line "cd $1; $(training | sed "$2")"
    [ "$status" -eq 0 ]
}

# mixed ENCODE DECOMPOSE PREDICT: evaluates these parameters together; with Q=-q the second stage prints no warning.
mixed() {
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p $1 | msa-decompose ${Q-} -p $2 | msa-predict -p $3 | msa-metrics -o scores"
    [ "$status" -eq 0 ]
}

@test "parameters of two trainings that are evaluated together: one warning, whatever differs" {
    undisturbed
    mixed whole/run/encode.safetensors.4 whole/run/decompose.safetensors.4 whole/run/predict.safetensors.4
    [ -z "$output" ]
    local e=run/encode.safetensors.4 d=run/decompose.safetensors.4 p=run/predict.safetensors.4 change
    for change in 's/msa-gdwg/& --tau 2/' 's/msa-decompose/& --freeze T\*/'; do
        other strange "$change"
        mixed whole/$e strange/$d whole/$p
        [ "$output" = "msa-decompose: warning: strange/$d is of another training than the parameters of the stages before" ] ||
            { echo "$output" && false; }
        mixed whole/$e strange/$d strange/$p
        [ "${#lines[@]}" -eq 1 ]
        Q=-q mixed whole/$e strange/$d strange/$p
        [ "$output" = "msa-predict: warning: strange/$p is of another training than the parameters of the stages before" ]
    done
    mixed whole/$e strange/run/decompose.safetensors.3 strange/run/predict.safetensors.3
    [ "$output" = "msa-decompose: warning: strange/run/decompose.safetensors.3 is of checkpoint 3 but the stages before are of 4" ]
    # settings by which checkpoints are selected leave them as they are
    other strange 's/--select mae/--select corr/'
    mixed whole/$e strange/$d whole/$p
    [ -z "$output" ]
    # a stage of one's own that does not say of what training it is
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import parameters
tensors, notes = parameters.load("whole/run/decompose.safetensors.4")
del notes["line"]
parameters.save("own.safetensors", tensors, notes)
END
    mixed whole/$e own.safetensors whole/$p
    [ -z "$output" ]
}

@test "checkpoints of another training under this commit, one or all: exit 2" {
    undisturbed
    local change at stage file
    for change in 's/--seed 3/--seed 4/' 's/--lr 1e-3/--lr 2e-3/' 's/--dropout 0.3/--dropout 0.2/' 's/msa-loss/& --phi 2/' \
        's/--batch 5/& --no-shuffle/'; do
        other strange "$change"
        while read -r at stage; do
            file=$stage.safetensors.4
            anew
            cp {strange,again}/run/$file
            refused 2 "$at" "msa-$stage: run/$file is of another training than the commit: "
        done < <(stages)
        mixed strange/run/encode.safetensors.4 again/run/decompose.safetensors.4 again/run/predict.safetensors.4
        [ "$output" = "msa-decompose: warning: again/run/decompose.safetensors.4 is of another training than the parameters of the stages before" ] ||
            { echo "$change: $output" && false; }
        anew
        cp strange/run/*.safetensors* again/run
        refused 2 2 "msa-encode: run/encode.safetensors.4 is of another training than the commit: "
    done
    # a commit of another training with the files of this one
    anew
    cp {strange,again}/run/state.msa
    refused 2 2 "msa-encode: run/encode.safetensors.4 is of another training than the commit: " 's/--batch 5/& --no-shuffle/'
    refused 2 1 "msa-load: the training that is to be resumed began with no-shuffle true, and not with false"
}

@test "other initial values: exit 2" {
    other first 's/--seed 3/--seed 5/'
    other second 's/--seed 3/--seed 6/'
    mkdir init
    cp first/run/encode.safetensors init/one
    cp second/run/encode.safetensors init/two
    cp first/run/encode.safetensors init/copy
    training() {
        echo "msa-load --train --epochs 2 --batch 5 --seed 3 --state run/state.msa ${1-} $GOLDEN/data.pkl |
            msa-encode -p run/encode.safetensors --dim 16 --heads 2 --layers text=1,vision=1,audio=1 --init ../init/one |
            msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-loss |
            msa-metrics -q | msa-backprop"
    }
    undisturbed
    anew
    local began="the training that is to be resumed began with other initial values (--init)"
    refused 2 2 "msa-encode: $began" 's/init.one/init\/two/'
    refused 2 2 "msa-encode: $began" 's/--init [^ ]*//'
    refused 2 4 "msa-predict: $began" 's/msa-predict/& --init ..\/first\/run\/predict.safetensors/'
    line "cd again; $(training --resume | sed 's/init.one/init\/copy/')"
    [ "$status" -eq 0 ]
    diff -r {whole,again}/run
}

@test "a commit of a format that is not known, or of none: exit 2; one that is damaged: exit 3" {
    undisturbed
    forged() {
        anew
        "$PYTHON" "$ROOT/tests/forge.py" "if kind == 'C': $1" <whole/run/state.msa >again/run/state.msa
    }
    forged "body['format'] += 1"
    refused 2 1 "msa-load: run/state.msa: a commit of format 4 but expected 3: another version has written it"
    forged "del body['format']"
    refused 2 1 "msa-load: run/state.msa: a commit of format 0 but expected 3: another version has written it"
    forged "body['format'] = '1'"
    refused 3 1 "msa-load: run/state.msa: frame 1: 'format' is no whole number from 0"
    local place
    damaged() {
        for place in 30 1000 -100 -500; do
            anew
            flip again/run/state.msa $place
            refused 3 1 "msa-load: run/state.msa: frame *: CRC "
        done
    }
    damaged
    training() { # checksums that the pipes go without are for the file all the same
        ROOT=$ROOT bash -c ". '$BATS_TEST_DIRNAME/resume.bash'; training \"\$@\"" - "$@" | sed 's/msa-load/& --no-crc/'
    }
    rm -rf whole
    undisturbed
    damaged
}

@test "a state that lacks what the format says, or has it wrong: exit 3" {
    undisturbed
    local header="header: the state to be resumed:"
    lacking() {
        anew
        "$PYTHON" "$ROOT/tests/forge.py" "if kind == 'C': s = body['state']; $2" <whole/run/state.msa >again/run/state.msa
        refused 3 "$1" "$3"
    }
    lacking 1 "del s['1:msa-load']['data']" "msa-load: $header 'data' is no map"
    lacking 1 "del s['1:msa-load']['data']['rows_crc32']" "msa-load: $header 'rows_crc32' is no CRC-32"
    lacking 1 "s['1:msa-load']['data']['bytes'] = -1" "msa-load: $header 'bytes' is no whole number from 0 to 2^53"
    lacking 1 "del s['1:msa-load']['training']" "msa-load: $header 'training' is no text"
    lacking 1 "s['1:msa-load']['training'] = 'x'" "msa-load: $header 'training' is 'x' but expected 24 digits, the last 8 being the CRC-32 of the others"
    lacking 2 "del s['2:msa-encode']['file']" "msa-encode: $header 'file' is no map"
    lacking 3 "del s['3:msa-decompose']['file']['bytes']" "msa-decompose: $header 'bytes' is no whole number from 0 to 2^53"
    lacking 4 "s['4:msa-predict']['file']['crc32'] = 2**32" "msa-predict: $header 'crc32' is no CRC-32"
    lacking 2 "del s['2:msa-encode']['training']" "msa-encode: $header 'training' is no text"
    lacking 4 "s['4:msa-predict']['training'] = '0' * 24" "msa-predict: $header 'training' is '000000000000000000000000' but"
    lacking 7 "del s['7:msa-metrics']['log_crc32']" "msa-metrics: $header 'log_crc32' is no CRC-32"
    lacking 8 "s['8:msa-backprop']['log_crc32'] = -1" "msa-backprop: $header 'log_crc32' is no CRC-32"
    lacking 8 "s['8:msa-backprop']['log_crc32'] ^= 1" "msa-backprop: cannot go on with 'run/steps.tsv': its first "
}

@test "a log that is not what it was before where it goes on: exit 3" {
    undisturbed
    other strange 's/--seed 3/--seed 4/'
    local log at
    while read -r at program log; do
        anew
        sed -i '3s/1/2/' again/run/$log
        refused 3 "$at" "msa-$program: cannot go on with 'run/$log': its first * bytes have CRC-32 * but expected "
        anew
        { cat strange/run/$log && cat whole/run/$log; } | head -c "$(stat -c %s whole/run/$log)" >again/run/$log
        refused 3 "$at" "msa-$program: cannot go on with 'run/$log': its first "
    done <<<"7 metrics metrics.tsv
        8 backprop steps.tsv"
    # what was written behind the last commit is no matter
    anew
    echo more >>again/run/steps.tsv
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ]
}
