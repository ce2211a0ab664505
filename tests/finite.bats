#!/usr/bin/env bats
# --check-finite: the first NaN or infinity ends the line with the name of stage, tensor, step and samples.
load helper

# A data set with a NaN in the vision of training sample 7, whose id is printed, and an infinity in text of test sample 1.
nan_data() {
    "$PYTHON" - "$GOLDEN" <<'END_OF_PYTHON'
import pickle, sys
data = pickle.load(open(sys.argv[1] + "/data.pkl", "rb"))
data["train"]["vision"][7, 2, 1] = float("nan")
data["test"]["text"][1, 0, 3] = float("inf")
pickle.dump(data, open("nan.pkl", "wb"))
print(data["train"]["id"][7])
END_OF_PYTHON
}

# The line with --check-finite in each of its programs.
everywhere() {
    sed -E 's/\bmsa-[a-z]+ /&--check-finite /g' <<<"$1 "
}

@test "a NaN of the data set: the stage that reads it, and the samples" {
    id=$(nan_data)
    line "msa-load --train --no-shuffle --batch 5 --non-finite keep nan.pkl | $(golden_encode) --check-finite |
        $(golden_decompose) | $(golden_predict) | msa-loss | msa-backprop"
    [ "${#lines[@]}" -eq 1 ]
    [ "$output" = "msa-encode: epoch 1, step 1 (train): reads tensor 'vision' with nan at [2,2,1], in samples 2 '$id'" ]
    [ "$(cut -d " " -f 3 statuses)" -eq 1 ]
    line "msa-load --split test --batch 5 --non-finite keep --check-finite nan.pkl -o out.msa"
    [ "$status" -eq 1 ]
    [[ $output == "msa-load: epoch 0, step 0 (test): writes tensor 'text' with inf at [1,0,3], in samples 1 '"* ]]
    [ ! -e out.msa ]
    line "msa-load --split test --batch 5 --non-finite keep nan.pkl -o out.msa && msa-dump --check-finite out.msa >/dev/null"
    [ "$status" -eq 1 ]
    [[ $output == "msa-dump: epoch 0, step 0 (test): reads tensor 'text' with inf at [1,0,3]"* ]]
}

@test "a training that diverges: the first stage and step" {
    line "$(everywhere "$(golden_load) | $(golden_model) --lr-scale 1e6 | msa-loss | msa-gdwg | msa-metrics -q |
        msa-backprop --lr 1000 --warmup 0 --log run/steps.tsv")"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "msa-predict: epoch 1, step 1 (train): writes tensor 'y' with "*", in samples 0 'video_0001"* ]]
    [ "$(wc -l <run/steps.tsv)" -eq 2 ]
    [ "$(cut -d " " -f 5 statuses)" -eq 1 ]
}

@test "a gradient on the way back, and a loss" {
    forge="$PYTHON $ROOT/tests/forge.py"
    line "$(golden_load) | $(golden_encode) --check-finite | $(golden_decompose) | $(golden_predict) | msa-loss |
        $forge 'if kind == \"D\" and body[\"train\"] and body[\"step\"] == 2: tensors[\"s_audio@cl\"] = tensors[\"s_audio@cl\"] + np.float32([[0]] * 3 + [[np.inf], [0]])' |
        msa-backprop"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "msa-encode: epoch 1, step 2 (train): reads gradient by 'h_audio' with nan at [3,0], in samples 3 'video_"* ]]
    rm -f run/*
    line "$(golden_load) | $(golden_model) | msa-loss |
        $forge 'if kind == \"D\" and body[\"step\"] == 3: body[\"loss\"][\"uni\"] = np.inf' | msa-gdwg --check-finite | msa-backprop"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "msa-gdwg: epoch 1, step 3 (train): reads loss 'uni' with inf of samples 0 'video_"* ]]
}

@test "where all is finite, the check changes nothing" {
    line "$(golden_load) | $(golden_model) | msa-loss | msa-gdwg | msa-metrics -q | msa-backprop --log run/steps.tsv"
    mv run plain
    mkdir run
    line "$(everywhere "$(golden_load) | $(golden_model) | msa-loss | msa-gdwg | msa-metrics -q |
        msa-backprop --log run/steps.tsv")"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    for file in encode.safetensors decompose.safetensors predict.safetensors steps.tsv; do
        cmp "run/$file" "plain/$file"
    done
}
