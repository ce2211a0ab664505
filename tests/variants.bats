#!/usr/bin/env bats
# Programs that are tables of variants: which options go with which, values by modality, and what parameters are called.
load helper

SMALL='--dim 16 --heads 2 --layers 1'

# refused OPTIONS LINE: msa-encode, with golden samples.
refused() {
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode $1 -o x.msa >/dev/null"
    [ "$output" = "msa-encode: $2" ] || { echo "$1: $output" && return 1; }
    [ "$(cut -d ' ' -f 3 statuses)" -eq 2 ]
}

# A training of two steps, with these options of msa-encode.
train() {
    line "msa-load --train --epochs 1 --batch 20 --no-shuffle $GOLDEN/data.pkl | msa-encode -p run/encode $SMALL $1 |
        msa-decompose -p run/decompose | msa-predict -p run/predict | msa-loss | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

evaluate() {
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p run/encode ${1-} | msa-decompose -p run/decompose |
        msa-predict -p run/predict | msa-metrics --predictions $2"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

names_in() {
    "$PYTHON" -c 'import sys; sys.path.insert(0, sys.argv[2]); import parameters
print(*parameters.load(sys.argv[1])[0], sep="\n")' "$1" "$ROOT/tests/interop" | sort
}

@test "no program has two options of one name, in whatever table" {
    for program in "$BUILD"/bin/msa-*; do
        "$program" --help=names >names
        [ "$(wc -l <names)" -gt 10 ]
        [ -z "$(sort names | uniq -d)" ] || { echo "$program: $(sort names | uniq -d)" && return 1; }
    done
}

@test "help and completion have what the table has: each variant, what it reads, adds and takes" {
    output=$(msa-encode --help | tr -s ' \n' ' ')
    [[ "$output" = *'--net transformer:'*'reads a modality [B,L,F], adds h_MODALITY'*'--heads N'*'--net bert:'*'--bert DIR'*'common options:'* ]]
    run msa-loss --help
    for task in msr msc uni cl; do
        [[ "$output" = *"--tasks $task:"* ]]
    done
    msa-predict --help=bash | grep -q "joint unimodal mlp none linear residual auto"
}

@test "an option that no chosen network takes is refused by name" {
    refused "--text features --bert $GOLDEN" "--bert is for bert, not for transformer"
    refused "--text features --pool cls" "--pool is for bert, not for transformer"
    refused "--net gru" "--net: 'gru' is none of auto|transformer|bert|dnn|lstm|bilstm"
    refused "--net vision=bert $SMALL" "--net: bert is for text, not for vision"
    refused "--text bert --only vision" "--text bert, but --only vision leaves text out"
    refused "--dropout taste=.5" "--dropout: 'taste' is none of text|vision|audio"
    refused "--dropout text=.5,text=.6" "--dropout: 'text' is there twice"
    line "msa-load --train $GOLDEN/data.pkl | msa-loss --tasks msr --tau-m .3 >/dev/null"
    [ "${lines[0]}" = "msa-loss: --tau-m is for cl, not for msr" ]
    line "msa-load --train $GOLDEN/data.pkl | msa-loss --tasks cl --regression l1 --weights cl=2 >/dev/null"
    [ "${lines[0]}" = "msa-loss: --regression is for msr, uni, each, not for cl" ]
}

@test "where everything has been encoded already, options of networks are refused by name" {
    train ''
    msa-load --split test "$GOLDEN/data.pkl" | msa-encode -p run/encode -o vectors.msa
    msa-encode -p run/encode vectors.msa >again.msa
    while read -r option networks; do
        line "msa-encode -p run/encode $option vectors.msa >/dev/null"
        [ "$status" -eq 2 ]
        [ "$output" = "msa-encode: ${option%%=*} is for $networks, which nothing here goes through" ]
    done <<'END'
--heads=2 transformer
--dropout=.1 transformer, bert, dnn, lstm, bilstm
--dim=16 transformer, bert
--layers=text=1 transformer
--out=text=1 lstm
END
}

# What a stage begins with does not say what it is.
@test "a head, and a network of frames, follow from the options where a training begins" {
    line "msa-load --train --epochs 1 --label text $GOLDEN/data.pkl | msa-encode -p run/encode $SMALL --only text |
        msa-predict --head unimodal -p run/predict | msa-loss --tasks msr | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ]
    mv run text && mkdir run
    line "msa-load --train --epochs 1 $GOLDEN/data.pkl | msa-encode -p run/encode $SMALL --init text/encode |
        msa-decompose -p run/decompose | msa-predict -p run/predict --init text/predict | msa-loss | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    names_in run/predict | grep -q '^TVA_decoder'
}

@test "values by modality are the modality's alone" {
    train "--layers audio=2 --dropout vision=0,audio=0,text=0"
    mv run plain && mkdir run
    train "--layers audio=2 --dropout 0"
    cmp <(names_in plain/encode) <(names_in run/encode)
    [ "$(names_in run/encode | grep -c 'audio_encoder.*layers.1.norm1.weight')" -eq 1 ]
    [ "$(names_in run/encode | grep -c 'text_encoder.*layers.1.norm1.weight')" -eq 0 ]
}

@test "parameters are called as --names says, which evaluation knows from them" {
    train ''
    evaluate '' plain.tsv
    names_in run/encode >plain.names
    mv run plain && mkdir run
    train '--names text=model.words,audio=model.sound'
    evaluate '' other.tsv
    names_in run/encode >other.names
    diff <(sed 's/^text_encoder/model.words/; s/^audio_encoder/model.sound/' plain.names | sort) other.names
    evaluate '--names text=model.words' said.tsv
    cmp other.tsv said.tsv
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p run/encode --names text=words -o x.msa"
    [ "$output" = "msa-encode: --names text=words given but run/encode has model.words" ]
    [ "$(cut -d ' ' -f 3 statuses)" -eq 2 ]
    local long
    long=$(printf '%0129d' 0)
    refused "--names audio=$long" "--names: a prefix of 129 bytes for audio but expected at most 128, printable"
    refused "--names audio=$(printf "a\1b")" "--names: a prefix of 3 bytes for audio but expected at most 128, printable"
}

@test "BERT's weights are called as the parameters that a training begins with" {
    local bert=$ROOT/tests/golden/bert
    for given in '--names text=words' '--init old/encode --pool pooler'; do
        line "msa-load --train --epochs 1 $bert/data.pkl | msa-encode -p run/encode --only text --bert $bert --pool mean $given |
            msa-predict --head unimodal -p run/predict | msa-loss --tasks msr | msa-metrics -q | msa-backprop"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
        names_in run/encode | grep -q '^words.pooler.dense.weight' || [[ $given = --names* ]]
        names_in run/encode | grep -q '^words.embeddings'
        mv run old && mkdir run
    done
}

@test "two networks cannot have the same names" {
    line "msa-load --train --epochs 1 $GOLDEN/data.pkl | msa-encode -p run/encode $SMALL --names model >/dev/null"
    [ "$output" = "msa-encode: two parameters are called 'model.encoder.pos_encoder.cls_token'" ]
    [ -z "$(ls run)" ]
}

# Files know which network they are of; what another network is to begin with is not called by its names.
@test "parameters of BERT, and text as features: neither is taken for the other" {
    local bert=$ROOT/tests/golden/bert
    line "msa-load --train --epochs 1 $bert/data.pkl | msa-encode -p run/encode --only text --bert $bert --pool mean |
        msa-predict --head unimodal -p run/predict | msa-loss --tasks msr | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ]
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p run/encode -o x.msa >/dev/null"
    [ "${lines[-1]}" = "msa-encode: nothing to encode: no text, vision or audio arrives that run/encode has parameters for" ]
    line "msa-load --split test $bert/data.pkl | msa-encode -p run/encode --text bert --net text=transformer -o x.msa >/dev/null"
    [ "$output" = "msa-encode: --net text=transformer given but run/encode has bert" ]
    [ "$(cut -d ' ' -f 3 statuses)" -eq 2 ]
    line "msa-load --split test $bert/data.pkl | msa-encode --bert $bert --text bert --net text=transformer -o x.msa >/dev/null"
    [ "$output" = "msa-encode: --text bert, but --net text=transformer" ]
    [ "$(cut -d ' ' -f 3 statuses)" -eq 2 ]
    mv run old && mkdir run
    train "--dim 24 --only text --net text=transformer --init old/encode"
    names_in run/encode | grep -q '^text_encoder.encoder.pos_encoder'
    mv run frames && mkdir run
    line "msa-load --train --epochs 1 $bert/data.pkl | msa-encode -p run/encode --only text --bert $bert --init frames/encode |
        msa-predict --head unimodal -p run/predict | msa-loss --tasks msr | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ]
    names_in run/encode | grep -q '^text_encoder.extractor.embeddings'
}
