#!/usr/bin/env bats
# Tensor fusion: what it is made of, bytes that do not depend on threads, and the memory that it takes. (TFN's and MTFN's golden
# lines: models.bats.)
load helper
load resume.bash

MODELS=$BATS_TEST_DIRNAME/golden/models

# train [OPTIONS of msa-fuse]: into run, on TFN's golden data, with dropout; $WIDTHS are those of the vectors.
train() {
    echo "msa-load --train --epochs 2 --batch 5 --seed 3 --state run/state.msa $MODELS/tfn/data.pkl |
        msa-encode --net dnn --hidden ${WIDTHS:-text=8,vision=4,audio=6} --dropout 0.2 -p run/encode.safetensors |
        msa-fuse tensor --out 9 --dropout 0.4 -p run/fuse.safetensors ${1-} |
        msa-predict --head mlp --hidden 7 --range -3,3 -p run/predict.safetensors |
        msa-loss --tasks msr --regression l1 | msa-backprop --lr 1e-3 --log run/steps.tsv"
}

# shape: that of the weights in run.
shape() {
    "$PYTHON" -c "import json; f = open('run/fuse.safetensors', 'rb')
print(json.loads(f.read(int.from_bytes(f.read(8), 'little')))['post_fusion_layer_1.weight']['shape'])"
}

@test "it is made of those that --order names, two or one of them" {
    for order in text,vision audio,text text; do
        rm -f run/*
        line "$(train "--order $order")"
        [ "$status" -eq 0 ]
        line "msa-load --split test $MODELS/tfn/data.pkl | msa-encode -p run/encode.safetensors |
            msa-fuse tensor -p run/fuse.safetensors >f.msa"
        [ "$status" -eq 0 ]
        [ -z "$output" ]
        case $order in
        text,vision) [ "$(shape)" = "[9, $((9 * 5))]" ] ;;
        audio,text) [ "$(shape)" = "[9, $((7 * 9))]" ] ;;
        text) [ "$(shape)" = "[9, 9]" ] ;;
        esac
    done
}

@test "weights that would be too many are an error that says how many" {
    WIDTHS=text=127,vision=64,audio=32
    line "$(train "--out 65536")"
    [[ $output == *"msa-fuse: 'post_fusion_layer_1.weight' of 65536 x (33 x 65 x 128) numbers, and at most 2147483647 are possible"* ]]
    [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ]
}

@test "the number of threads makes no difference to any byte" {
    WIDTHS=text=60,vision=30,audio=20
    line "$(train "--threads 1")"
    [ "$status" -eq 0 ]
    mv run one
    mkdir run
    line "$(train "--threads 2")"
    [ "$status" -eq 0 ]
    diff {one,run}/steps.tsv
    run -0 msa-dump --diff {one,run}/fuse.safetensors
}

# measured COMMAND...: runs it; the most memory that it has had, in MB, is in `measured`.
measured() {
    echo "$PYTHON -c 'import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000, file=open(\"measured\", \"w\"))
sys.exit(status)' $*"
}

# Of 39.5 MB of weights; programs take some 25 besides, most of that oneDNN.
@test "training takes four times the weights' memory, saving and resuming included; evaluation takes them once" {
    [ "$BUILD" = "$ROOT" ] || skip "a sanitizer takes more"
    local line WIDTHS=text=127,vision=64,audio=32
    line=$(train "--threads 2 --out 36")
    line=${line/msa-fuse/"$(measured msa-fuse)"}
    line "${line/msa-loss/"$(at_step 5 'os._exit(1)') | msa-loss"}"
    [ "$status" -ne 0 ]
    line "${line/--state/--resume --state}"
    [ "$status" -eq 0 ]
    [ "$(shape)" = "[36, $((33 * 65 * 128))]" ]
    [ "$(cat measured)" -lt 200 ]
    line "msa-load --split test $MODELS/tfn/data.pkl | msa-encode -p run/encode.safetensors |
        $(measured msa-fuse tensor --threads 2 -p run/fuse.safetensors) >f.msa"
    [ "$status" -eq 0 ]
    [ "$(cat measured)" -lt 80 ]
}
