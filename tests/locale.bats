#!/usr/bin/env bats
# Scripts write the same bytes in every locale, and call nothing but what they say that they call.
load helper
load bert_set.bash

small=(--dim 16 --heads 2 --batch 8 --epochs 2 --select-after 0)

# A locale with a decimal comma, and with letters I and i that are no pair.
setup_file() {
    localedef -i tr_TR -f UTF-8 "$BATS_FILE_TMPDIR/tr_TR.UTF-8" >"$BATS_FILE_TMPDIR/said" 2>&1 || true
}

# need LOCALE: skips the test where it is none, but the C that programs fall back to.
need() {
    [[ $1 == C* ]] || [ "$(LOCPATH=$BATS_FILE_TMPDIR LC_ALL=$1 locale decimal_point 2>&1)" = , ] ||
        skip "no $1: $(tail -n 1 "$BATS_FILE_TMPDIR/said")"
}

# here LOCALE COMMAND...: in the folder `here`, and without a variable of ours. Where there is a decimal comma gnuplot is told so.
here() {
    local path=$PWD/path home=$PWD/home.$1
    mkdir -p "$home"
    [[ $1 != tr* ]] || echo 'set decimalsign ","' >"$home/.gnuplot"
    (cd here && timeout -k 5 300 env -i PATH="$path" MSA_BIN="$path" HOME="$home" LOCPATH="$BATS_FILE_TMPDIR" LC_ALL="$1" \
        ASAN_OPTIONS="${ASAN_OPTIONS-}" "${@:2}") || echo "${*:2}: status $?" >>failed
}

# same FUNCTION LOCALE...: it leaves the same in the folder `here`, and prints the same, in these locales as in C.UTF-8.
same() {
    local locale
    script_path
    ln -sf "$(command -v gnuplot)" path
    for locale in C.UTF-8 "${@:2}"; do
        need "$locale"
        mkdir here
        "$1" "$locale" >"printed.$locale" 2>&1
        [ ! -e failed ] || { cat "printed.$locale" failed && return 1; }
        mv here "in.$locale"
        diff "printed.C.UTF-8" "printed.$locale" || return
        diff -r "in.C.UTF-8" "in.$locale" || return
    done
}

# Those that train once, and those for what they leave.
everyday() {
    local form
    msa-synth --samples 24,8,8 -o here/data.pkl
    here "$1" "$ROOT/pipelines/train" data.pkl läuft "${small[@]}"
    here "$1" "$ROOT/pipelines/train" data.pkl other "${small[@]}" --lr 0.5e-3
    here "$1" "$ROOT/pipelines/curves" läuft
    for form in --json --tsv --quiet; do
        here "$1" "$ROOT/pipelines/evaluate" läuft data.pkl all $form --assert 'mae<0.95'
    done
    here "$1" "$ROOT/pipelines/predict" läuft data.pkl
    here "$1" "$ROOT/pipelines/predict" läuft data.pkl --json
    for form in '' --tsv --markdown; do
        here "$1" "$ROOT/pipelines/report" läuft other $form
    done
}

# Those of the paper, which demo-paper calls all: reproduce, ablate, fraction, figures. Their trainings are those of `everyday`
# and done once; all that is made of these is made anew.
paper() {
    local demo=("$ROOT/pipelines/demo-paper" paper --dim 16 --heads 2 --epochs 1)
    if [ ! -e trained ]; then
        here C.UTF-8 "${demo[@]}" >trained.txt 2>&1
        cp -a here/paper trained
    fi
    cp -aT trained here/paper
    rm -r here/paper/{report.html,figures,*/table.*}
    here "$1" "$ROOT/pipelines/demo" demo
    here "$1" "${demo[@]}"
    ls here/paper/{reproduce,ablate,fraction}/table.tsv here/paper/figures/*.svg
}

# Without a script.
programs() {
    msa-synth --samples 24,8,8 -o here/data.pkl
    here "$1" bash -c 'msa-load --train --epochs 2 --batch 8 --fraction 0.8 data.pkl | msa-encode -p e --dim 16 --heads 2 --dropout 0.25 |
        msa-decompose -p d | msa-predict -p p | msa-loss --weights uni=0.25 | msa-gdwg | msa-metrics --log metrics.tsv |
        msa-backprop --lr 0.5e-3 --log steps.tsv'
    here "$1" bash -c 'msa-load data.pkl | msa-encode -p e | msa-decompose -p d | msa-predict -p p |
        msa-metrics --predictions predictions.tsv --assert "mae<0.95" && msa-metrics --from-tsv predictions.tsv --family sims'
    here "$1" msa-load --info data.pkl
}

# Text, in letters that a locale may change.
text() {
    (cd here && bert_set)
    here "$1" "$ROOT/pipelines/pretrain" bert.pkl vor --bert tiny --only text --epochs 3 --pool cls --seed 2
    here "$1" "$ROOT/pipelines/train" bert.pkl run --encoders vor --only text --epochs 1
    printf 'I HATED IT, DİLARA ıslak\nI loved the film ✓\n' | here "$1" "$ROOT/pipelines/predict" run --text -
}

@test "train, curves, evaluate, predict and report, with a decimal comma and another i, and without UTF-8" {
    same everyday C tr_TR.UTF-8
    grep -q 'test  *8  *0\.[0-9]*' printed.C.UTF-8
}

@test "the programs by themselves" {
    same programs C tr_TR.UTF-8
    grep -q '0\.[0-9]' in.C.UTF-8/steps.tsv
}

@test "what measures" {
    need tr_TR.UTF-8
    # shellcheck disable=SC2016 # the inner shell expands it
    LOCPATH=$BATS_FILE_TMPDIR LC_ALL=tr_TR.UTF-8 run -0 bash -c '. "$1/tests/bench/common.bash"
        (echo && sleep 0.01 && echo) | intervals 1; printf "2.5\n1.5\n" | tee numbers | median /dev/stdin; fastest numbers' bash "$ROOT"
    [[ $output =~ ^0\.[0-9]+$'\n2\n1.5'$ ]] || { echo "$output" && return 1; }
}

@test "text, and pretrain: a locale does not change its letters" {
    same text C tr_TR.UTF-8
}

@test "demo and the paper's experiments in a locale with a decimal comma" {
    [ "${O:-.}" = . ] || skip "its scripts do what they did in the build without sanitizers"
    same paper tr_TR.UTF-8
}

@test "every script is in a test of this file" {
    local script
    for script in "$ROOT"/pipelines/*; do
        [[ $script == *.bash ]] || grep -q "\b${script##*/}\b" "$ROOT/tests/locale.bats"
    done
}
