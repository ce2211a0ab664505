#!/usr/bin/env bats
# The baselines as lines: PyTorch's trajectories, first forward passes and first gradients, on each device.
load helper
load models.bash

# The whole line of the model, and test's predictions by what it has left.
train() {
    rm -f run/*
    line "$(joined "${filters[@]}" | sed "s/ | msa-/ --device $1&/g")"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ -z "$output" ]
    line "msa-load --split test --batch 3 $G/data.pkl | $(networks 's/ --(init|dropout|lr-scale|decay) [^ ]*//g') |
        msa-metrics --predictions run/predictions.tsv"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "golden trajectories, on the CPU" {
    for name in $MODELS; do
        model "$name"
        train cpu
        "$PYTHON" "$ROOT/tests/oracle/compare.py" "$G" run
    done
}

@test "golden trajectories, by the GPU's kernels without a GPU" {
    for name in $MODELS; do
        model "$name"
        train emulated
        "$PYTHON" "$ROOT/tests/oracle/compare.py" "$G" run
    done
}

@test "golden trajectories, on a GPU" {
    for name in $MODELS; do
        model "$name"
        rm -f run/*
        line "$(joined "${filters[@]}" | sed "s/ | msa-/ --device cuda&/g")"
        [[ $output != *"device 'cuda' cannot be used"* ]] || skip "no GPU"
        [ "$status" -eq 0 ]
        "$PYTHON" "$ROOT/tests/oracle/compare.py" "$G" run
    done
}

@test "what stays frozen keeps its initial values, to the bit" {
    model lmf
    train cpu
    "$PYTHON" "$ROOT/tests/same_tensors.py" "$G/fuse.init.safetensors" run/fuse.safetensors fusion_weights fusion_bias
    model mtfn # audio's head has the weight 0
    train cpu
    "$PYTHON" "$ROOT/tests/same_tensors.py" "$G/predict.init.safetensors" run/predict.safetensors \
        post_audio_layer_{1,2,3}.{weight,bias}
}

# With beta1 0 the first moment in the checkpoint behind the first step is its gradient; the line fails in front of the second,
# so that it is still there. In a training BatchNorm takes the batch's own statistics.
@test "first forward passes and first gradients" {
    local second='if kind == "D" and body["train"] and body["step"] == 1: raise SystemExit(1)'
    local tolerance
    for name in $MODELS; do
        case $name in mult*) tolerance=3e-5 ;; *) tolerance=1e-5 ;; esac # PyTorch's numbers of MulT are that far from float64's
        for device in cpu emulated; do
            model "$name"
            rm -f run/*
            line "$(joined "${filters[@]}" | sed -E "s/ \| msa-/ --device $device&/g; s/ --(decay|log|clip-value|accumulate) [^ ]*//g
                s/msa-load /&--validate-every 1 /; s/ --lr [^ ]*/ --decay 0 --beta1 0/
                s#\| msa-loss#| msa-dump -t --record forward.msa | $PYTHON $ROOT/tests/forge.py '$second' &#")"
            [ "$status" -ne 0 ]
            "$PYTHON" "$ROOT/tests/golden/first_step.py" forward forward.msa "$G"
            TOLERANCE=$tolerance "$PYTHON" "$ROOT/tests/golden/first_step.py" gradient run "$G"
        done
    done
}

@test "two runs, same bytes" {
    for name in mtfn mfn misa mult; do
        for each in one other; do
            model "$name"
            filters[0]=${filters[0]/--no-shuffle/--seed 5}
            filters=("${filters[@]/--dropout 0/--dropout 0.3}")
            R=$PWD/$each
            mkdir -p "$R"
            rm -f "$R"/*
            line "$(joined "${filters[@]}")"
            [ "$status" -eq 0 ] || { echo "$output" && false; }
        done
        for each in one/*.safetensors; do
            cmp "$each" "other/${each##*/}"
        done
        diff <(cut -f 1-4 one/steps.tsv) <(cut -f 1-4 other/steps.tsv)
    done
}
