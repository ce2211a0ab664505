#!/usr/bin/env bats
# What any line can do, the baselines' can: modalities that are missing, sets without labels, recordings, a stage in
# Python in between, kills.
load helper
load models.bash

# shellcheck disable=SC2154 # what model sets
# The line with initial values of its own and dropout; $1: options of msa-load, $2: epochs.
trained() {
    joined "${filters[@]}" | sed -E "s/ --init [^ ]*//g; s/ --dropout 0/ --dropout 0.3/g
        s|--epochs 4|--epochs ${2:-2}|; s|--no-shuffle|--seed 3 ${1-}|"
}

# The line's networks behind test's records; $1: options of msa-load.
evaluated() {
    echo "msa-load --split test --batch 3 ${1-} ${DATA:-$G/data.pkl} | $(networks 's/ --(init|dropout|lr-scale|decay) [^ ]*//g')"
}

ok() {
    line "$1"
    [ "$status" -eq 0 ] || { echo "$1: $output" && return 1; }
}

# The line's options that are for text alone are left out.
without_bert() {
    mapfile -t filters < <(printf '%s\n' "${filters[@]}" | sed -E 's/ --(bert|pool|names text=)[^ ]*( [^- ][^ ]*)?//g')
}

# Puts a forgery in front of a program: before NAME CODE, of the line on stdin.
before() {
    sed "s#| msa-$1 #| $PYTHON $ROOT/tests/forge.py '$2' &#"
}

@test "trained and judged on two modalities" {
    for name in $MODELS; do
        for drop in text audio; do
            model "$name"
            rm -f run/*
            [ $drop != text ] || without_bert
            [ "$name $drop" != 'mag-bert text' ] || continue # its gate is for words
            ok "$(trained "--drop $drop" 1 | sed "s/,each_$drop=[0-9.]*//; s/each_$drop=[0-9.]*,//")"
            ok "$(evaluated "--drop $drop") | msa-metrics --predictions run/predictions.tsv"
            [[ $output != *warning* ]] || { echo "$output" && false; }
            [ "$(wc -l <run/predictions.tsv)" -eq 9 ]
        done
    done
}

@test "a modality that is missing in evaluation counts as zeros, with a warning" {
    for name in $MODELS; do
        model "$name"
        rm -f run/*
        ok "$(trained '' 1)"
        tensor=h_audio reader=fuse zeros=' * 0' header=''
        [ "$name" != misa ] || reader=decompose
        [ "$name" != mag-bert ] || tensor=audio reader=encode
        [ "$name" != confede ] || tensor='s_audio d_audio' reader=predict
        case $name in
        mfn) tensor=audio ;;
        mult*) tensor=audio zeros='[:, :1] * 0' header='if kind == "H": body["schema"]["audio"]["shape"][1] = 1' ;; # one frame of them
        esac
        ok "$(evaluated | before $reader "if kind == \"D\": tensors.update({name: tensors[name]$zeros for name in \"$tensor\".split()})" |
            before $reader "$header") | msa-metrics --predictions zeros.tsv"
        ok "$(evaluated '--drop audio') | msa-metrics --predictions missing.tsv"
        [[ $output == *"warning: "*audio*" as "* ]] || { echo "$output" && false; }
        diff <(cut -f 1-4 zeros.tsv) <(cut -f 1-4 missing.tsv)
    done
}

@test "without text MAG-BERT has no words to shift, in training and in evaluation" {
    model mag-bert
    line "$(trained '--drop text' 1)"
    [ "$output" = "msa-encode: --gate mag shifts words of text, and no 'text_bert' arrives" ]
    ok "$(trained '' 1)"
    line "$(evaluated '--drop text' | sed "s# --bert [^ ]*##; s/ --gate.*--names [^ ]*//") >/dev/null"
    [ "$output" = "msa-encode: $R/encode.safetensors is for --gate mag, which shifts words of text, and no 'text_bert' arrives" ]
}

@test "a set without labels is predicted" {
    for name in $MODELS; do
        model "$name"
        rm -f run/*
        ok "$(trained '' 1)"
        unlabelled "$G/data.pkl"
        ok "$(evaluated) | msa-metrics --predictions labelled.tsv"
        DATA=unlabelled.pkl ok "$(DATA=unlabelled.pkl evaluated) | msa-metrics --predictions p.tsv"
        diff <(cut -f 1,2,4 p.tsv) <(cut -f 1,2,4 labelled.tsv)
    done
}

@test "numbers are checked, and a number that is not finite is found where it is made" {
    model mtfn
    ok "$(trained '' 1 | sed 's/ | msa-/ --check-finite&/g')"
    rm -f run/*
    line "$(trained '' 1 | before fuse 'if kind == "D" and body["step"] == 2: tensors["h_text"] = tensors["h_text"] * np.inf' |
        sed 's/msa-fuse [a-z]*/& --check-finite/')"
    [ "$status" -ne 0 ]
    [[ $output == "msa-fuse: "*"h_text"* ]] || { echo "$output" && false; }
}

# alone INPUT PROGRAM ANSWER: that stage of the line on what it was given, answered as it was.
alone() {
    local each
    for each in "${filters[@]}"; do
        case $each in "msa-$2 "*) ok "msa-dump --replay $1 | $(filters=("$each") trained) | msa-dump --answer $3" ;; esac
    done
}

@test "a stage in Python changes nothing; on recordings each stage alone gives the same bytes" {
    for name in mfn mtfn misa self-mm mult; do
        model "$name"
        rm -rf run was && mkdir run
        ok "$(trained)"
        mv run was && mkdir run
        ok "$(trained | before predict '' | sed 's# | msa-\(decompose\|fuse\|predict\|loss\)# | msa-dump -t --record \1.msa&#g')"
        stages='fuse predict'
        [ "$name" != misa ] || stages="decompose $stages"
        for stage in $stages; do
            cmp {was,run}/"$stage.safetensors"
        done
        rm -rf run && mkdir run
        [ "$name" != misa ] || alone decompose.msa decompose fuse.msa
        alone fuse.msa fuse predict.msa
        alone predict.msa predict loss.msa
        for stage in $stages; do
            cmp {was,run}/"$stage.safetensors"
        done
    done
}

# Kills a program of the line, in front of a step in an epoch's middle.
killing() {
    before loss "if kind == \"D\" and body[\"train\"] and body[\"step\"] == $2: import os; os.system(\"pkill -9 -x -s %d $1\" % os.getsid(0))"
}

@test "each network is killed in mid-training, and resumed: the same bytes, running statistics too" {
    for name in mfn mtfn lmf misa mag-bert self-mm mult confede; do
        model "$name"
        rm -rf run whole && mkdir run
        ok "$(trained '' 4)"
        mv run whole
        for each in encode companions decompose fuse predict relabel; do
            [[ " $(joined "${filters[@]}")" == *" msa-$each "* ]] || continue
            mkdir run
            trained '' 4 | killing "msa-$each" 10 >killed.bash
            ok "! setsid -w bash -o pipefail killed.bash"
            ok "$(trained --resume 4)"
            diff -r whole run
            rm -r run
        done
    done
}
