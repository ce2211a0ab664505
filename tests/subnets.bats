#!/usr/bin/env bats
# The encoders of the small models, and which frames of a sample count.
load helper

SMALL='lf-dnn tfn lmf mlf-dnn mtfn'

# The msa-encode of a golden line, working in run/.
golden_subnets() {
    G=$ROOT/tests/golden/models/$1 "$PYTHON" -c 'import json, os
golden = os.environ["G"]
line = json.load(open(golden + "/expected.json"))["notes"]["line"]
print(next(part for part in line if part.startswith("msa-encode")).replace("$G", golden).replace("$R", "run"))'
}

@test "the first forward pass of the small models is PyTorch's, on the CPU and by the GPU's kernels" {
    for model in $SMALL; do
        for device in cpu emulated; do
            rm -rf run && mkdir run
            line "msa-load --train --epochs 1 --batch 5 --no-shuffle $ROOT/tests/golden/models/$model/data.pkl |
                $(golden_subnets "$model") --device $device | msa-dump -t -q --record seen.msa |
                $PYTHON $ROOT/tests/interop/scalar_stage.py h_text h_vision h_audio | msa-backprop --lr 0"
            [ "$status" -eq 0 ] || { echo "$output" && false; }
            [ -z "$output" ] || { echo "$output" && false; }
            "$PYTHON" "$ROOT/tests/golden/first_step.py" encode seen.msa "$ROOT/tests/golden/models/$model"
        done
    done
}
