#!/usr/bin/env bats
# Evaluation with less than training had: modalities that are missing, sets without labels.
load helper

# A model of the modalities $1, in $2.
train() {
    mkdir -p "$2"
    line "msa-load --train --epochs 1 --batch 5 $GOLDEN/data.pkl | msa-encode --only $1 -p $2/encode.safetensors --dim 32 --heads 4 |
        msa-decompose -p $2/decompose.safetensors | msa-predict -p $2/predict.safetensors | msa-loss -q | msa-gdwg -q |
        msa-backprop --lr 1e-3"
    [ "$status" -eq 0 ]
}

# Up to the features; $1: options of msa-load, $2: of msa-encode.
features() {
    echo "msa-load --split test ${1-} $GOLDEN/data.pkl | msa-encode ${2-} -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors"
}

# The values of a tensor in a stream, a line a record.
values() {
    "$PYTHON" -c "import sys; sys.path.insert(0, '$ROOT/tests/interop'); from read_stream import *
for kind, body in frames(opened('$1')):
    if kind == 'D': print($2)"
}

@test "features that do not arrive count as zeros; u has the columns of those that do" {
    train text,vision,audio run
    line "$(features) | $PYTHON $ROOT/tests/forge.py 'if kind == \"D\":
            for name in \"s_audio\", \"d_audio\", \"s_text\", \"d_text\": tensors[name] = tensors[name] * 0' |
        msa-predict -p run/predict.safetensors -o zeros.msa"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    for device in cpu 'test'; do
        line "$(features "--drop audio,text") | msa-predict --device $device -p run/predict.safetensors -o missing.msa"
        [ "$status" -eq 0 ]
        [ "$output" = "msa-predict: warning: of the features that run/predict.safetensors is made for, \
s_text,s_audio,d_text,d_audio do not arrive: they count as 0" ]
        for tensor in y logits; do
            diff <(values zeros.msa "body['tensors']['$tensor'].tobytes()") <(values missing.msa "body['tensors']['$tensor'].tobytes()")
        done
        diff <(values zeros.msa "body['tensors']['u'][:, [1, 4]].tobytes()") <(values missing.msa "body['tensors']['u'].tobytes()")
    done
    [ "$(values missing.msa "body['tensors']['u'].shape[1]" | sort -u)" = 2 ]
}

@test "a u whose columns are not the features that arrive" {
    train text,vision,audio run
    line "$(features) | msa-predict -p run/predict.safetensors -o u.msa && msa-loss -o none.msa u.msa"
    [ "$status" -eq 0 ]
    forged() {
        line "$(forge "if kind == \"H\": columns = body[\"schema\"][\"u\"][\"columns\"]; $1") <u.msa | msa-loss ${2:-} >none.msa"
    }
    forged 'columns.reverse()'
    [ "$status" -eq 3 ]
    [ "$output" = "msa-loss: header: 'u': column 1 is 'd_audio' but expected 's_text'" ]
    forged 'columns[3] = "mine"'
    [ "$status" -eq 3 ]
    [ "$output" = "msa-loss: header: 'u': column 4 is 'mine' but expected 'd_text'" ]
    forged 'columns[3] = "mine"' '--tasks msr' # which says nothing of u
    [ "$status" -eq 0 ]
}

@test "any one or two of three modalities, through the whole line" {
    train text,vision,audio run
    for drop in text vision audio text,vision text,audio vision,audio; do
        line "$(features "--drop $drop") | msa-predict -q -p run/predict.safetensors | msa-loss -q |
            msa-metrics --predictions $drop.tsv"
        [ "$status" -eq 0 ]
        [[ $output == *$'\n''test         8 '* ]]
        [ "$(wc -l <$drop.tsv)" -eq 9 ]
        [ "$(sort -u $drop.tsv | wc -l)" -eq 9 ]
    done
    line "$(features "" "--only text,vision") | msa-predict -q -p run/predict.safetensors | msa-metrics --predictions only.tsv"
    [ "$status" -eq 0 ]
    cmp only.tsv audio.tsv
    run env MSA_BIN="$BUILD/bin" "$ROOT/pipelines/evaluate" run "$GOLDEN/data.pkl" --drop audio --predictions drop.tsv
    [ "$status" -eq 0 ]
    cmp drop.tsv audio.tsv
    run env MSA_BIN="$BUILD/bin" "$ROOT/pipelines/evaluate" run "$GOLDEN/data.pkl" --tsv --drop
    [ "$status" -eq 2 ]
    [ "$output" = "evaluate: '--drop' lacks its value (evaluate --help)" ]
}

@test "parameters that lack a modality that arrives" {
    train text,vision,audio run
    train text,audio two
    line "$(features) | msa-predict -q -p two/predict.safetensors | msa-metrics"
    [ "$output" = "msa-predict: two/predict.safetensors: made for the features s_text,s_audio,d_text,d_audio alone, \
but there are s_vision,d_vision too" ]
    [ "$(cut -d " " -f 5 statuses)" -eq 3 ]
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p run/encode.safetensors |
        msa-decompose -q -p two/decompose.safetensors | msa-metrics"
    [ "$output" = "msa-decompose: two/decompose.safetensors: no tensor 'V_simi_proj.fc.0.weight', expected with shape [32]" ]
    [ "$(cut -d " " -f 4 statuses)" -eq 3 ]
    line "msa-load --split test --drop text,audio $GOLDEN/data.pkl | msa-encode -p two/encode.safetensors | msa-metrics"
    [ "$output" = "msa-encode: nothing to encode: no text, vision or audio arrives that two/encode.safetensors has parameters for" ]
    [ "$(cut -d " " -f 3 statuses)" -eq 1 ]
}

# What -p and --init name in haste: each is called what it is.
@test "a file that is no file of parameters, or of another program's" {
    local bert=$ROOT/tests/golden/bert/model.safetensors
    train text run
    bash -c "$(features)" >stream.msa
    cp "$GOLDEN/data.pkl" .
    printf 'PK\3\4and more' >pytorch_model.bin
    named() { # OPTION FILE LINE
        run -3 msa-predict "$1" "$2" stream.msa -o x.msa
        [ "$output" = "msa-predict: $2: $3" ] || { echo "$output" && false; }
    }
    for option in -p --init; do
        named $option stream.msa "a stream but expected parameters, a safetensors file"
        named $option data.pkl "a pickle but expected parameters, a safetensors file"
        named $option pytorch_model.bin "a zip archive but expected parameters, a safetensors file"
        named $option "$bert" "no tensor 'TVA_decoder.MLP.0.weight', expected with shape [32,32]: its metadata do not say that \
msa-predict wrote it"
        named $option run/decompose.safetensors "no tensor 'TVA_decoder.MLP.0.weight', expected with shape [32,32]: \
its metadata say that msa-decompose wrote it"
        named $option "$ROOT/tests/golden/bert/old.safetensors" "tensor 'bert.embeddings.position_ids': dtype I64 but expected \
F32, as parameters are"
    done
    run -3 msa-predict -p run stream.msa -o x.msa
    [ "$output" = "msa-predict: run: a folder but expected parameters, a safetensors file" ]
    [ ! -e x.msa ]
    line "msa-load --split test data.pkl | msa-encode -p '$bert' -o x.msa"
    [ "$output" = "msa-encode: nothing to encode: no text, vision or audio arrives that $bert has parameters for: \
its metadata do not say that msa-encode wrote it" ]
    mkdir new
    # a training may begin with what gives nothing, if it is of a program of the line: scripts give all files to all
    line "msa-load --train --epochs 1 data.pkl | msa-encode --dim 16 --heads 2 -p new/encode --init '$bert' \
        --init run/decompose.safetensors | msa-decompose -p new/decompose | msa-predict -p new/predict | msa-loss | msa-backprop"
    [ "$output" = "msa-encode: warning: $bert has no parameter of these by name, and gives none its value: \
its metadata do not say that msa-encode wrote it" ]
}

@test "a set without labels, through the whole line with losses: the predictions of the one with labels" {
    train text,vision,audio run
    unlabelled "$GOLDEN/data.pkl"
    line "$(features) | msa-predict -p run/predict.safetensors | msa-loss | msa-metrics --predictions labelled.tsv"
    [ "$status" -eq 0 ]
    line "$(features | sed "s|$GOLDEN/data.pkl|unlabelled.pkl|") | msa-predict -p run/predict.safetensors | msa-loss |
        msa-metrics --predictions p.tsv"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "msa-loss: warning: no labels arrive: left out are msr, msc, uni" ]
    [ "${lines[1]}" = "msa-metrics: warning: no labels arrive: there is nothing to judge against" ]
    diff <(cut -f 1,2,4 p.tsv) <(cut -f 1,2,4 labelled.tsv)
}
