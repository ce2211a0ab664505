#!/usr/bin/env bats
# about.tsv has the SHA-256 of the data set that was trained on, and of no other that took its place.
load helper
load bert_set.bash

# before_test COMMAND [PATTERN]: programs, of which msa-load does that when the test split is loaded, and not only looked for
# by one record: the training has ended. Or when its arguments are such.
before_test() {
    local when='*"--split test"*'
    rm -rf other-bin
    mkdir other-bin
    ln -s "$BUILD"/bin/* other-bin
    rm other-bin/msa-load
    cat >other-bin/msa-load <<END
#!/bin/sh
case "\$*" in *"--batch 1 "*) ;; ${2-$when}) $1 ;; esac
exec "$BUILD/bin/msa-load" "\$@"
END
    chmod +x other-bin/msa-load
    export MSA_BIN=$PWD/other-bin
}

train() {
    rm -rf run
    run timeout 60 "$ROOT/pipelines/train" data.pkl run --dim 16 --heads 2 --epochs 2 --batch 8 --quiet
}

pretrain() {
    rm -rf run
    run timeout 60 "$ROOT/pipelines/pretrain" data.pkl run --dim 16 --heads 2 --epochs 2 --batch 8 --quiet "$@"
}

sha256_in() {
    awk -F '\t' '$1 == "sha256" { print $2 }' "$1/about.tsv"
}

setup_files() {
    msa-synth --samples 24,8,8 --seed 1 -o data.pkl
    msa-synth --samples 24,8,8 --seed 2 -o other.pkl
    cp data.pkl original.pkl
    sha=$(sha256sum <original.pkl | cut -d ' ' -f 1)
}

@test "a data set that another takes the place of when the training has ended: no about.tsv, and exit 1" {
    setup_files
    before_test 'cp other.pkl copy; mv copy data.pkl'
    train
    [ "$status" -eq 1 ] || { echo "$output" && false; }
    [[ $output == *"train: 'data.pkl' was changed while it was being trained on: it has another SHA-256 than $sha" ]]
    [ ! -e run/about.tsv ]
    cp original.pkl data.pkl
    pretrain --only audio
    [ "$status" -eq 1 ]
    [[ $output == *"pretrain: 'data.pkl' was changed while it was being trained on: it has another SHA-256 than $sha" ]]
    [ ! -e run/about.tsv ]
    cp original.pkl data.pkl
    before_test 'printf x | dd of=data.pkl bs=1 seek=5000 conv=notrunc status=none' # the same size, in its place
    train
    [ "$status" -eq 1 ]
    [ ! -e run/about.tsv ]
}

@test "one that was touched, or moved, is the same" {
    setup_files
    before_test 'cp original.pkl copy; mv copy data.pkl'
    train
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(sha256_in run)" = "$sha" ]
    before_test 'touch data.pkl'
    train
    [ "$status" -eq 0 ]
    [ "$(sha256_in run)" = "$sha" ]
    pretrain
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(sha256_in run)" = "$sha" ]
    [ "$(sha256_in run/text)" = "$sha" ]
}

@test "features of text that would be made of another data set are not kept" {
    bert_set
    cp bert.pkl data.pkl
    before_test 'cp data.pkl copy; printf x | dd of=copy bs=1 seek=3000 conv=notrunc status=none; mv copy data.pkl' \
        '"-q --family auto data.pkl"'
    run timeout 60 "$ROOT/pipelines/pretrain" data.pkl run --bert tiny --only text --lr 1e-2 --heads 2 --epochs 1 --quiet
    [ "$status" -eq 1 ]
    [[ $output == *"pretrain: 'data.pkl' was changed while it was being trained on"* ]] || { echo "$output" && false; }
    [ ! -e run/text.msa ]
    [ ! -e run/about.tsv ]
    cp bert.pkl data.pkl
    unset MSA_BIN
    run env MSA_BIN="$BUILD/bin" timeout 60 "$ROOT/pipelines/pretrain" data.pkl run --bert tiny --only text --lr 1e-2 \
        --heads 2 --epochs 1 --quiet --resume
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ -e run/text.msa ]
}

@test "about.tsv knows nothing of checksums of the run" {
    setup_files
    train
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    run cut -f 1 run/about.tsv
    [[ $output == *"encode.dropout"* ]]
    [[ $output != *".training"* ]]
}
