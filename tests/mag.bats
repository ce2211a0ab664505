#!/usr/bin/env bats
# BERT with MAG-BERT's gate: which modalities it takes in, what it makes, and what it cannot. That its golden line is PyTorch's,
# models.bats says; what is inside, tests/unit/inner.c.
load helper

G=$BATS_TEST_DIRNAME/golden/models/mag-bert
DATA=$G/data.pkl
ENCODE="msa-encode --bert $G/bert --gate mag --beta .5"

# train [OPTIONS of msa-encode [of msa-load [of msa-predict]]]
train() {
    rm -f run/*
    line "msa-load --train --epochs 2 --batch 6 ${2-} $DATA | $ENCODE ${1-} -p run/encode | msa-predict --head linear ${3-} -p run/predict |
        msa-loss --tasks msr | msa-backprop --optimizer adam --lr 1e-3"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# f of the test split: [OPTIONS [of msa-load]]
fused() {
    # shellcheck disable=SC2086 # several
    msa-load --split test ${2-} "$DATA" | msa-encode -q -p run/encode ${1-} |
        msa-dump --json --values --tensor f | jq -c 'select(.kind == "D").tensors'
}

refused() { # LINE STATUS MESSAGE: msa-encode fails
    line "$1"
    [[ $output = "msa-encode: $3" && " $(cat statuses) " = *" $2 "* ]] || { echo "$1: $output" && return 1; }
}

names() {
    "$PYTHON" -c 'import parameters, sys; print(*sorted(n for n in parameters.load(sys.argv[1])[0] if "MAG" in n))' run/encode
}
export PYTHONPATH=$BATS_TEST_DIRNAME/interop

@test "gradients are finite differences of the loss, of a gate for one modality too" {
    O=$BUILD run -0 "$PYTHON" "$ROOT/tests/gradient" "$DATA" "$ENCODE --only text,vision -p e | msa-predict --head linear -p p |
        msa-loss --tasks msr --regression mse" 'MAG|classifier|pooler'
}

@test "a gate is for what arrives, and for what --only names; evaluation has the parameters' one" {
    train
    [[ $(names) == *W_a.*W_h*W_v.* ]]
    train '' '--drop audio'
    mag=text_encoder.extractor.MAG
    [ "$(names)" = "$(printf "$mag.%s " LayerNorm.{bias,weight} W_hv.{bias,weight} W_v.{bias,weight} | sed 's/ $//')" ]
    one=$(fused '' '--drop audio')
    [ -n "$one" ]
    [ "$(fused)" = "$one" ] # and audio passes
    line "msa-load --split test $DATA | msa-encode -p run/encode | msa-dump"
    [[ $output == *"    audio "* && $output != *"    vision "* && $output != *h_text* ]]
    train '--only text,vision'
    [[ $(names) != *W_a* ]]
}

@test "beta is how long a shift may be: of 0 it makes no difference what is seen and heard" {
    train '--beta 0'
    seen=$(fused)
    run -0 fused '' '--drop audio'
    [ "$output" = "$seen" ]
    train
    seen=$(fused)
    run -0 fused '' '--drop audio'
    [ "$output" != "$seen" ]
    run -0 fused '--beta .5 --gate mag'
    [ "$output" = "$seen" ]
}

@test "frames are standardized; vectors of words are features; what is taken in may stay" {
    train '' --standardize
    "$PYTHON" -c 'import parameters; p = parameters.load("run/encode")[0]
assert {f"text_encoder.extractor.MAG.{m}.standardize.{x}" for m in ("vision", "audio") for x in ("mean", "scale")} <= set(p)'
    line "msa-load --split test $DATA | msa-encode -p run/encode --pool none | msa-dump"
    [[ $output == *"text [6,6,16]"* || $output == *"text "*"6,16]"* ]] || { echo "$output" && false; }
    line "msa-load --split test $DATA | msa-encode -p run/encode --keep | msa-dump"
    [[ $output == *text_bert*audio_lengths* ]] || { echo "$output" && false; }
}

@test "a classifier beside the head, dropout in front of both, and the same bytes again" {
    train '--dropout .2' '--seed 4' '--classes 3 --dropout .3'
    mkdir one && cp run/encode run/predict one
    train '--dropout .2' '--seed 4' '--classes 3 --dropout .3'
    cmp one/encode run/encode
    cmp one/predict run/predict
    train '--dropout .2' '--seed 4' '--classes 3'
    run ! cmp one/predict run/predict
}

@test "one line says what cannot be" {
    load="msa-load --train --epochs 1 $DATA |"
    end="-p e | msa-predict -p p | msa-loss --tasks msr | msa-backprop"
    refused "$load msa-encode --bert $G/bert --beta .5 $end" 2 "--beta is for --gate mag"
    refused "$load $ENCODE --net vision=lstm $end" 2 "--net vision=lstm, but --gate takes vision into BERT"
    refused "$load msa-encode --gate mag $end" 2 "--gate is for bert, not for transformer"
    refused "${load/--train/--train --drop vision,audio} $ENCODE $end" 1 "--gate mag: no vision and no audio to shift words by arrives"
    refused "$load $ENCODE --only text $end" 1 "--gate mag: no vision and no audio to shift words by arrives"
    refused "$load msa-encode --bert $G/bert --only text --dropout .5 $end" 2 \
        "--dropout: BERT's is that of its config.json; without --gate there is no other"
    train
    test="msa-load --split test $DATA |"
    refused "$test msa-encode -p run/encode --beta .4 -o x" 2 "--beta: 0.4 given but run/encode has 0.5"
    refused "$test $(forge 'if kind == "H": body["schema"]["audio"]["shape"][2] = 4') | msa-encode -p run/encode -o x" 3 \
        "run/encode is for 5 features in a frame of 'audio', but 4 arrive"
    refused "${test/test/test --drop vision,audio} msa-encode -p run/encode -o x" 0 \
        "warning: of the frames that run/encode is made for, vision,audio do not arrive: they count as 0"
    for note in 'gate=both|'"run/bad: 'gate' is 'both' but expected mag" 'beta=many|'"run/bad: 'beta' is 'many' but expected a number from 0 to 1e+06"; do
        "$PYTHON" -c 'import parameters, sys; p, notes = parameters.load("run/encode")
key, _, value = sys.argv[1].partition("=")
parameters.save("run/bad", p, {**notes, key: value})' "${note%%|*}"
        refused "$test msa-encode -p run/bad -o x" 3 "${note#*|}"
    done
}
