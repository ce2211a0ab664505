#!/usr/bin/env bats
# Streams and parameter files that are well formed but not what they promise: each is refused with one line, status 3, and no
# kernel runs on them.
load helper

LOAD="msa-load --split test --batch 3 \$GOLDEN/data.pkl"
ENCODE="msa-encode --init \$GOLDEN/encode.init.safetensors --dim 32 --heads 4 --layers text=1,vision=1,audio=2"
DECOMPOSE="msa-decompose --init \$GOLDEN/decompose.init.safetensors"
PREDICT="msa-predict --init \$GOLDEN/predict.init.safetensors"
TRAIN="msa-load --train --epochs 1 --batch 5 \$GOLDEN/data.pkl"

# Stages that run this Python on records, on the header.
forge_records() {
    forge "if kind == \"D\": $1"
}
forge_header() {
    forge "if kind == \"H\": $1"
}

# refused TEXT: the line failed with status 3 in one program, whose one line on stderr has the text.
refused() {
    [[ " $(cut -d " " -f 2- statuses) " == *" 3 "* ]] || { echo "statuses: $(cat statuses): $output" && return 1; }
    [[ "${#lines[@]}" -eq 1 && $output == *"$1"* ]] || { echo "expected '$1': $output" && return 1; }
}

@test "tensors of a record that are not as the header promised" {
    line "$LOAD | $ENCODE | $(forge_records 'tensors["h_text"] = np.ones((B, 20000), "f4")') | $DECOMPOSE >/dev/null"
    refused "msa-decompose: frame 1, tensor 'h_text': <f4 [3,20000] but the header promised <f4 [3,32]"
    line "$LOAD | $(forge_records 'tensors["audio"] = tensors["audio"][:, :4]') | $ENCODE >/dev/null"
    refused "msa-encode: frame 1, tensor 'audio': <f4 [3,4,"
    line "$LOAD | $ENCODE | $DECOMPOSE | $(forge_records 'tensors["d_audio"] = tensors["d_audio"].astype("f8")') | $PREDICT >/dev/null"
    refused "msa-predict: frame 1, tensor 'd_audio': <f8 [3,16] but the header promised <f4 [3,16]"
    line "$LOAD | $ENCODE | $(forge_records 'del tensors["h_vision"]') | $DECOMPOSE >/dev/null"
    refused "msa-decompose: frame 1, tensor 'h_vision': not there, but the header promised it"
}

@test "what msa-loss computes on is checked too" {
    local -A wrong=([y]='(B, 5000)' [logits]='(B, 1)' [u]='(B, 7)' [s_text]='(B, 90000)' [label]='(B, 2)' [label_audio]='(B, 2)')
    line "$LOAD | $ENCODE | $DECOMPOSE | $PREDICT -o whole.msa"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    for name in "${!wrong[@]}"; do
        line "$(forge_records "tensors[\"$name\"] = np.ones(${wrong[$name]}, \"f4\")") <whole.msa | msa-loss >/dev/null"
        refused "msa-loss: frame 1, tensor '$name': <f4 [3,"
    done
    line "$(forge_records 'tensors["y"] = np.ones((B, 2), "f4")') <whole.msa | msa-metrics"
    refused "msa-metrics: frame 1, tensor 'y': <f4 [3,2] but the header promised <f4 [3]"
}

@test "standardization that is not done is no secret" {
    line "$TRAIN | $(golden_encode) | $(forge_header 'body["standardize"] = {"h_audio": {}}') | $(golden_decompose) | $(golden_predict) |
        msa-loss | msa-backprop"
    [ "$output" = "msa-decompose: 'h_audio' is to be standardized (msa-load --standardize), which its network here does not do" ] ||
        { echo "$output" && false; }
    [ "$(cut -d ' ' -f 5 statuses)" -eq 2 ]
    line "msa-load --train --standardize \$GOLDEN/data.pkl | $(forge_header 'body["schema"]["audio"]["gradient"] = True') | $(golden_model) |
        msa-loss | msa-backprop"
    [ "$output" = "msa-encode: standardize of 'audio': no gradient goes back through it" ] || { echo "$output" && false; }
    [ "$(cut -d ' ' -f 4 statuses)" -eq 1 ]
}

@test "headers that promise what cannot be" {
    line "$LOAD | $(forge_header 'body["schema"]["audio"]["shape"] = [0, 8, 0]') | msa-encode --init $GOLDEN/encode.init.safetensors --dim 32 >/dev/null"
    refused "header: 'audio' is <f4 [0,8,0] but expected <f4 of rank 3, dimensions from 1 to 65536"
    line "$LOAD | $ENCODE | $(forge_header 'body["schema"]["h_text"]["shape"] = [0, 1]') | msa-decompose --init $GOLDEN/decompose.init.safetensors >/dev/null"
    refused "header: 'h_text' is of width 1"
    line "$LOAD | $ENCODE | $DECOMPOSE | $PREDICT | $(forge_header 'body["schema"]["s_audio"]["shape"] = [0, 8]') | msa-loss >/dev/null"
    refused "header: 's_audio' is of width 8 but 's_text' of 16"
    line "$TRAIN | $(forge_header 'body["standardize"] = {"audio": {"mean": np.zeros(6, "f4")}}') | $(golden_model) | msa-loss | msa-backprop"
    refused "msa-encode: standardize of 'audio': one of mean and scale is missing"
    line "$TRAIN | $(forge_header 'body["standardize"] = {"audio": {}}') | $(golden_model) | msa-loss | msa-backprop"
    refused "msa-encode: standardize of 'audio': mean and scale are missing"
    line "$TRAIN | $(golden_model | sed 's/ -p/ -f -p/g') | msa-loss | $(forge_header 'body["steps"] = body["epochs"] = 2**62') | msa-backprop"
    refused "msa-backprop: header: 4611686018427387904 steps"
}

@test "headers that promise more than there is make nobody take memory for it" {
    line "$TRAIN | $(forge_header 'body["schema"]["audio"]["shape"] = [0, 8, 2**31]') | msa-encode -p run/encode.safetensors >/dev/null"
    refused "header: 'audio' is <f4 [0,8,2147483648] but expected <f4 of rank 3, dimensions from 1 to 65536"
    line "$TRAIN | $(golden_model) | msa-loss | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    # 65536 features of width 32 would be 8 MB; with sanitizers memory is another matter
    [ "${O:-.}" != . ] || ulimit -d 60000
    line "$LOAD | $(forge_header 'body["schema"]["audio"]["shape"] = [0, 8, 2**16]') | msa-encode --threads 1 -p run/encode.safetensors >/dev/null"
    refused "run/encode.safetensors is for 6 features in a frame of 'audio', but 65536 arrive"
    line "$LOAD | $ENCODE | $(forge_header 'body["schema"]["h_text"]["shape"] = [0, 2**16]') | msa-decompose --threads 1 -p run/decompose.safetensors >/dev/null"
    refused "run/decompose.safetensors: tensor 'T_simi_proj."
}

@test "gradients of a loss that are not like its tensors" {
    line "$TRAIN | $(golden_model) | msa-loss | $(forge 'if kind == "D" and body["train"]: tensors["y@msr"] = np.ones((B, 2), "f4")') |
        msa-backprop"
    refused "msa-predict: way back: frame 1, tensor 'y': <f4 [5,2] but expected <f4 [5]"
    line "$TRAIN | $(golden_model | sed 's/ -p/ -f -p/g') | msa-loss |
        $(forge_records 'tensors.update({"@x": np.ones(B, "f4"), "q@msr": np.ones((B, 5000), "f4")})') | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "a training record that a program between hides" {
    LIMIT=20 line "$TRAIN | $(forge 'if kind == "D" and body["step"] == 1: body["train"] = False') | $(golden_model) | msa-loss |
        msa-backprop"
    refused "msa-load: way back: frame 2: a gradient of step 2 but expected one of step 1"
}

@test "a checkpoint without a number is not saved" {
    line "$TRAIN | $(golden_model) | msa-loss | $(forge 'if kind == "C": del body["checkpoint"]') | msa-backprop"
    refused "msa-predict: way back: a control without the number of its checkpoint"
    [ "$(ls run)" = "" ]
}

@test "records without samples change nothing" {
    local empty='if kind == "D" and body["step"] == 1: body.update({"id": [], "raw_text": [], "tensors": {k: v[:0] for k, v in tensors.items()}})'
    line "$TRAIN | $(forge "$empty") | $(golden_model) | msa-loss | msa-gdwg --stage-steps 1 | msa-metrics -q --log run/metrics.tsv |
        msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(wc -l <run/steps.tsv)" -eq 5 ]
    run ! grep -q nan run/steps.tsv run/metrics.tsv
}

# spoiled KEY VALUE: spoiled.safetensors, the parameters of a training with another value in their metadata.
spoiled() {
    "$PYTHON" - "$1" "$2" <<'END'
import json, struct, sys
whole = open("run/encode.safetensors", "rb").read()
size = struct.unpack("<Q", whole[:8])[0]
header = json.loads(whole[8:8 + size])
header["__metadata__"][sys.argv[1]] = sys.argv[2]
header = json.dumps(header).encode()
open("spoiled.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + whole[8 + size:])
END
}

@test "parameter files whose notes are impossible" {
    line "$TRAIN | $(golden_model) | msa-loss | msa-metrics -q | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    for note in heads=0 heads=-4 dim=x layers.text=49 layers.text=999999999999999999999; do
        spoiled "${note%=*}" "${note#*=}"
        line "$LOAD | msa-encode -p spoiled.safetensors >/dev/null"
        refused "spoiled.safetensors: '${note%=*}' is '${note#*=}' but expected a number from 1 to"
    done
}
