#!/usr/bin/env bats
# The golden trajectory: PyTorch's losses, weights, parameters and predictions, through the real pipeline.
load helper

train() {
    line "$(golden_load) | $(golden_model) | msa-loss ${DEVICE:+--device $DEVICE} | msa-gdwg |
        msa-metrics -q --log run/metrics.tsv | msa-backprop --lr 1e-3 --decay 1e-3 --warmup 1 --log run/steps.tsv"
}

evaluate() {
    line "msa-load --split test --batch 3 $GOLDEN/data.pkl | msa-encode -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors |
        msa-metrics --predictions run/predictions.tsv"
}

@test "the golden trajectory, on the CPU" {
    DEVICE='cpu' train
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    evaluate
    [ "$status" -eq 0 ]
    "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
}

@test "the golden trajectory, on the device whose memory only kernels can touch" {
    DEVICE='test' train
    [ "$status" -eq 0 ]
    evaluate
    "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
}

@test "the golden trajectory, by the GPU's kernels without a GPU" {
    DEVICE='emulated' train
    [ "$status" -eq 0 ]
    evaluate
    "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
}

@test "the golden trajectory, on a GPU" {
    DEVICE='cuda' train
    [[ $output != *"device 'cuda' cannot be used"* ]] || skip "no GPU"
    [ "$status" -eq 0 ]
    evaluate
    "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
}

# tests/oracle/steps_line.py says the same in PyTorch's words.
train_in_groups() {
    line "$(golden_load | sed 's/--epochs 4/--epochs 8/') |
        $(golden_encode) --lr-scale 'text=.2,vision=2,*.norm1.*=.5' --decay audio=.05 |
        $(golden_decompose) --lr-scale '*.bias=.5' | $(golden_predict) --decay .02 |
        msa-loss ${DEVICE:+--device $DEVICE} | msa-gdwg | msa-metrics -q |
        msa-backprop --optimizer adam --accumulate 3 --clip-value .05 --schedule plateau --patience 0 --lr 8e-3 --warmup 0 \
            --decay 1e-3 --no-decay '*norm*.bias,mono_decoder' --log run/steps.tsv"
}

@test "the golden trajectory of steps of several records: groups, clipping, a plateau, rates and decay by modality and name" {
    for device in cpu test emulated; do
        rm -f run/*
        DEVICE=$device train_in_groups
        [ "$status" -eq 0 ] || { echo "$output" && false; }
        evaluate
        "$PYTHON" "$ROOT/tests/oracle/compare.py" "$ROOT/tests/golden/sims-steps" run
    done
}

@test "the comparison can fail: one changed loss, one changed parameter" {
    train
    cp run/steps.tsv steps.tsv
    awk -F '\t' -v OFS='\t' 'NR == 5 { $6 *= 1.0001 } { print }' steps.tsv >run/steps.tsv
    run "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
    [ "$status" -eq 1 ]
    cp steps.tsv run/steps.tsv
    cp "$GOLDEN/predict.init.safetensors" run/predict.safetensors
    run "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
    [ "$status" -eq 1 ]
}

@test "the first forward pass" {
    line "msa-load --split train --batch 5 $GOLDEN/data.pkl | msa-encode --init $GOLDEN/encode.init.safetensors \
        --dim 32 --heads 4 --layers text=1,vision=1,audio=2 | msa-decompose --init $GOLDEN/decompose.init.safetensors |
        msa-predict --init $GOLDEN/predict.init.safetensors -o forward.msa"
    [ "$status" -eq 0 ]
    "$PYTHON" "$ROOT/tests/golden/first_step.py" forward forward.msa "$GOLDEN"
}

# With a learning rate of 0 and beta1 0 the first moment in a checkpoint is that step's gradient, and a judge without
# patience stops at the second checkpoint, while the first one is still kept.
@test "the first gradient" {
    line "$(golden_load) --validate-every 1 | $(golden_model) | msa-loss | msa-gdwg |
        msa-metrics -q --select mae --patience 1 | msa-backprop --lr 0 --beta1 0"
    [ "$status" -eq 0 ]
    "$PYTHON" "$ROOT/tests/golden/first_step.py" gradient run "$GOLDEN"
}

@test "gradients of a line are finite differences of its loss, and those that are not are found out" {
    local stages wrong
    stages='msa-encode -p e --dim 16 --heads 2 --layers text=1,vision=1,audio=1 | msa-decompose -p d | msa-predict -p p |
        msa-loss | msa-gdwg'
    O=$BUILD run -0 "$PYTHON" "$ROOT/tests/gradient" "$GOLDEN/data.pkl" "$stages"
    wrong=$(forge 'if "y@msr" in (tensors or ()): tensors["y@msr"] = tensors["y@msr"] * np.float32(1.1)')
    O=$BUILD run -1 "$PYTHON" "$ROOT/tests/gradient" "$GOLDEN/data.pkl" "$stages | $wrong"
    [[ $output == "the loss rises by "* ]]
    cp "$GOLDEN/data.pkl" "one's.pkl" # a loss without a weight, and a path that a shell must not read as it is
    stages+=" | $(forge 'if kind == "D": body.get("weight", {}).pop("cl", None)')"
    O=$BUILD run -0 "$PYTHON" "$ROOT/tests/gradient" "one's.pkl" "$stages"
}
