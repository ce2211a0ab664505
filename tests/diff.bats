#!/usr/bin/env bats
# msa-dump --diff: two streams, or two parameter files, value by value.
load helper

# Two data sets that differ in one label: that of test sample 4, whose id is printed.
two_data_sets() {
    "$PYTHON" - "$GOLDEN" <<'END_OF_PYTHON'
import pickle, sys
data = pickle.load(open(sys.argv[1] + "/data.pkl", "rb"))
pickle.dump(data, open("one.pkl", "wb"))
data["test"]["regression_labels"][4] = data["train"]["regression_labels"][9] = 0.75
pickle.dump(data, open("other.pkl", "wb"))
print(data["test"]["id"][4])
END_OF_PYTHON
}

# Copies of the stream in.msa, changed by the code $2 for each frame.
forge() {
    "$PYTHON" "$ROOT/tests/forge.py" "$2" <in.msa >"$1"
}

@test "one label: the frame, the tensor, the index, both values" {
    id=$(two_data_sets)
    for set in one other; do
        msa-load --split test --batch 3 $set.pkl -o $set.msa
    done
    was=$("$PYTHON" -c "import pickle; print('%.9g' % pickle.load(open('one.pkl', 'rb'))['test']['regression_labels'][4])")
    run msa-dump --diff one.msa other.msa
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 2 ]
    [ "${lines[0]}" = "note: H pipeline.argv: one.pkl and other.pkl in frame 0 at [0,4]; 2 of 7 values differ" ]
    [[ ${lines[1]} == "D tensor 'label': $was and 0.75 in frame 2 at [1], sample $id; 1 of 8 values differ, by at most "* ]]
    run msa-dump --diff -q one.msa other.msa
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    # pipes, and gzip on one side
    run bash -c "msa-dump --diff <(msa-load --split test --batch 3 one.pkl -z) other.msa"
    [ "$status" -eq 1 ]
    [[ ${lines[1]} == "D tensor 'label': "*" in frame 2 at [1], sample $id; "* ]]
    # in another order there is more
    run bash -c "msa-dump --diff <(msa-load --split test --batch 4 one.pkl) one.msa"
    [ "$status" -eq 1 ]
    [[ $output == *"D tensor 'text': <f4[4,"*"] and <f4[3,"*" in frame 1; 2 of 2 values differ"* ]] || { echo "$output" && false; }
    [ "${lines[-2]}" = "kind: E and D in frame 3" ]
    [ "${lines[-1]}" = "frames: 4 and 5" ]
}

@test "one label: in what two training lines have read" {
    two_data_sets
    for set in one other; do
        rm -rf run && mkdir run
        line "msa-load --train --epochs 2 --batch 5 --no-shuffle $set.pkl | msa-dump -t --record $set.msa | $(golden_model) |
            msa-loss | msa-backprop --lr 1e-3"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
    done
    was=$("$PYTHON" -c "import pickle; print('%.9g' % pickle.load(open('one.pkl', 'rb'))['train']['regression_labels'][9])")
    id=$("$PYTHON" -c "import pickle; print(pickle.load(open('one.pkl', 'rb'))['train']['id'][9])")
    # in both epochs; what comes back here holds no gradient that depends on it
    run msa-dump --diff -q one.msa other.msa
    [ "$status" -eq 1 ]
    [[ $output == "D tensor 'label': $was and 0.75 in frame 3 at [4], sample $id; 2 of 46 values differ, by at most "* ]] ||
        { echo "$output" && false; }
    [ "${#lines[@]}" -eq 1 ]
}

@test "one label: in what two training lines have done" {
    two_data_sets
    for set in one other; do
        rm -rf run && mkdir run
        line "msa-load --train --epochs 1 --batch 5 --no-shuffle $set.pkl | $(golden_encode) | $(golden_decompose) |
            $(golden_predict) | msa-loss | msa-dump -t --record $set.msa | msa-backprop --lr 1e-3 --warmup 0"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
        mv run $set
    done
    run msa-dump --diff one.msa other.msa
    [ "$status" -eq 1 ]
    # the label of training sample 9 is in the second step, and everything that follows from it
    [[ $output == *"D tensor 'label': "*" and 0.75 in frame 3 at [4], sample "*"; 1 of 23 values differ"* ]] || { echo "$output" && false; }
    [[ $output == *"G tensor 'y': "*" in frame 4 at ["*", sample "* ]]
    [[ $output == *"D loss.msr: "*" in frame 3; "* ]]
    [[ $output == *"D tensor 'h_text': "*" in frame 5 at ["* ]]
    [[ $output != *"D tensor 'label_text'"* ]]
    # parameter files
    run msa-dump --diff one/predict.safetensors one/predict.safetensors
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    run msa-dump --diff one/predict.safetensors other/predict.safetensors
    [ "$status" -eq 1 ]
    [[ $output == "tensor '"*"': "*" and "*" at ["*" values differ, by at most "* ]]
    run msa-dump --diff --tolerance 1 one/predict.safetensors other/predict.safetensors
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    run msa-dump --diff one/predict.safetensors one/predict.safetensors.1
    [ "$status" -eq 1 ]
    [[ $output == *": nothing and <f4["* ]]
    run msa-dump --diff one/predict.safetensors one.msa
    [ "$status" -eq 2 ]
    [[ $output == *"'one/predict.safetensors' is a parameter file but 'one.msa' is a stream: nothing to compare" ]]
}

@test "the same command twice: no difference, with the way back in the header, and as bytes of gzip" {
    msa-load --split valid --batch 2 "$GOLDEN/data.pkl" -o in.msa
    msa-load --split valid --batch 2 "$GOLDEN/data.pkl" -z -o in.msa.gz
    forge back.msa 'if kind == "H": body["back"] = "@abcde"; body["pipeline"] = []'
    for other in in.msa in.msa.gz back.msa; do
        run msa-dump --diff in.msa $other
        [ "$status" -eq 0 ]
        [ -z "$output" ]
    done
    # -v tells that something was compared
    run msa-dump --diff -v in.msa back.msa
    [ "$status" -eq 0 ]
    [[ $output == *"D tensor 'audio': "*" equal"* ]]
    [[ $output == *"note: H pipeline.name: msa-load and nothing"* ]] || [[ $output == *"note: H pipeline"*"nothing"* ]]
    [[ $output != *"H back"* ]]
}

@test "what is not a number of a tensor: keys, ids, losses, structure" {
    msa-load --split valid --batch 2 "$GOLDEN/data.pkl" -o in.msa
    # EXPECTED LINE, CODE
    while IFS='|' read -r expected code; do
        forge out.msa "$code"
        run msa-dump --diff in.msa out.msa
        [ "$status" -eq 1 ] || { echo "$code: status $status" && false; }
        # shellcheck disable=SC2053 # a pattern
        [[ $output == $expected ]] || { printf '%s\n' "$code: $expected" "$output" && false; }
    done <<'END_OF_CASES'
H seed: 1 and 2 in frame 0, by 1 (relative 0.5)|if kind == "H": body["seed"] = 2
H schema.audio.shape: * in frame 0 at [[]2]; 1 of 3 values differ, by at most *|if kind == "H": body["schema"]["audio"]["shape"][2] = 9
H schema.audio: {*} and nothing in frame 0|if kind == "H": del body["schema"]["audio"]
H future: nothing and {a=1} in frame 0|if kind == "H": body["future"] = {"a": 1}
D id: * and * in frame 2 at [[]1]; 1 of 6 values differ|if kind == "D" and body["step"] == 1: body["id"][1] = "else"
D train: false and true in frame 2; 1 of 3 values differ|if kind == "D" and body["step"] == 1: body["train"] = True
D loss: nothing and {msr=0.5} in frame 3|if kind == "D" and body["step"] == 2: body["loss"] = {"msr": .5}
D tensor 'audio': <f4[[]2,*] and nothing in frame 3; 1 of * values differ|if kind == "D" and body["step"] == 2: del tensors["audio"]
D tensor 'extra': nothing and <i8[[]2] in frame 1; 3 of 3 values differ|if kind == "D": tensors["extra"] = np.arange(2)
D tensor 'label': <f4[[]2] and <f8[[]2] in frame 1; 3 of 3 values differ|if kind == "D": tensors["label"] = tensors["label"].astype("f8")
END_OF_CASES
}

@test "damaged streams: what was compared before, and the status of the damage" {
    msa-load --split test --batch 2 "$GOLDEN/data.pkl" -o in.msa
    forge out.msa 'if kind == "D" and body["step"] == 1: tensors["label"] = tensors["label"] + np.float32(1)'
    head -c -40 out.msa >cut.msa
    run msa-dump --diff -q in.msa cut.msa
    [ "$status" -eq 4 ]
    [[ ${lines[0]} == "D tensor 'label': "*" in frame 2 at [0], sample "* ]] || { echo "$output" && false; }
    [[ ${lines[1]} == "msa-dump: cut.msa: cut off after "* ]]
    run msa-dump --diff in.msa "$GOLDEN/data.pkl"
    [ "$status" -eq 3 ]
    run msa-dump --diff in.msa nothing.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: cannot read 'nothing.msa': No such file or directory" ]
    run msa-dump --diff in.msa
    [ "$status" -eq 2 ]
    run msa-dump in.msa in.msa
    [ "$status" -eq 2 ]
    run msa-dump --tolerance 1 in.msa
    [ "$status" -eq 2 ]
}

@test "files that are not there, or empty, beside either kind" {
    msa-load --split test --batch 2 "$GOLDEN/data.pkl" -o in.msa
    cp "$GOLDEN/predict.init.safetensors" p.safetensors
    : >empty
    for file in in.msa p.safetensors; do
        for pair in "nothing $file" "$file nothing"; do
            line "msa-dump --diff $pair"
            [ "$status" -eq 1 ]
            [ "$output" = "msa-dump: cannot read 'nothing': No such file or directory" ]
        done
        for pair in "empty $file" "$file empty"; do
            line "msa-dump --diff $pair"
            [ "$status" -eq 4 ]
            [ "$output" = "msa-dump: empty: no stream: the file is empty" ]
        done
    done
    run msa-dump --diff p.safetensors "$GOLDEN/data.pkl"
    [ "$status" -eq 3 ]
    [[ $output == "msa-dump: $GOLDEN/data.pkl: frame 0: not a stream, but a pickle: "* ]] || { echo "$output" && false; }
    head -c 100 p.safetensors >short.safetensors
    run msa-dump --diff p.safetensors short.safetensors
    [ "$status" -eq 3 ]
    [[ $output == "msa-dump: short.safetensors: "* ]]
    line "msa-dump --diff - - <in.msa"
    [ "$status" -eq 2 ]
    [ "$output" = "msa-dump: stdin cannot be compared with itself" ]
    line "msa-dump --diff in.msa - <in.msa"
    [ "$status" -eq 0 ]
}

@test "--tensor and -n: what is compared; what cannot be asked for" {
    msa-load --split test --batch 2 "$GOLDEN/data.pkl" -o in.msa
    forge out.msa 'if kind == "D" and body["step"] == 1: body["split"] = "else"; tensors["label"] = tensors["label"] + np.float32(1); tensors["audio"] = tensors["audio"] + np.float32(1)'
    run msa-dump --diff out.msa in.msa
    [ "${#lines[@]}" -eq 3 ]
    run msa-dump --diff --tensor label,text in.msa out.msa
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "D tensor 'label': "* ]]
    run msa-dump --diff --tensor text in.msa out.msa
    [ "$status" -eq 0 ]
    run msa-dump --diff --tensor txet in.msa out.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: no tensor 'txet' on either side: nothing compared" ]
    run msa-dump --diff --tensor text,txet in.msa out.msa
    [ "$status" -eq 0 ]
    [ "$output" = "msa-dump: warning: --tensor: no tensor 'txet' on either side" ]
    # records behind the last one asked for are not even read
    head -c -40 out.msa >cut.msa
    run msa-dump --diff -n 1 in.msa cut.msa
    [ "$status" -eq 0 ]
    run msa-dump --diff -n 2 in.msa cut.msa
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 3 ]
    # parameters
    cp "$GOLDEN/predict.init.safetensors" a.safetensors
    cp a.safetensors b.safetensors
    "$PYTHON" - <<'END_OF_PYTHON'
import json, struct
data = bytearray(open("b.safetensors", "rb").read())
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + size])
name = sorted(name for name in header if name != "__metadata__")[0]
data[8 + size + header[name]["data_offsets"][0]] ^= 1
open("b.safetensors", "wb").write(data)
print(name, file=open("changed", "w"), end="")
print(sorted(name for name in header if name != "__metadata__")[1], file=open("same", "w"), end="")
END_OF_PYTHON
    run msa-dump --diff --tensor "$(cat changed)" a.safetensors b.safetensors
    [ "$status" -eq 1 ]
    [[ $output == "tensor '$(cat changed)': "*" 1 of "* ]]
    run msa-dump --diff --tensor "$(cat same)" a.safetensors b.safetensors
    [ "$status" -eq 0 ]
    run msa-dump --diff -n 1 a.safetensors b.safetensors
    [ "$status" -eq 2 ]
    for option in --values --json --pipeline "--npy arrays" "--where nonfinite"; do
        line "msa-dump --diff $option in.msa out.msa"
        [ "$status" -eq 2 ] || { echo "$option: $output" && false; }
    done
    [ ! -e arrays ]
}

@test "-n: the gradient of the last record still belongs to it" {
    line "$(golden_load) | $(golden_encode) | msa-dump -t --record in.msa | $(golden_decompose) | $(golden_predict) | msa-loss |
        msa-backprop"
    [ "$status" -eq 0 ]
    forge out.msa 'if kind == "G" and body["step"] == 1: tensors["h_text"] = tensors["h_text"] + np.float32(1)'
    run msa-dump --diff -n 1 in.msa out.msa
    [ "$status" -eq 0 ]
    run msa-dump --diff -n 2 in.msa out.msa
    [ "$status" -eq 1 ]
    [[ $output == "G tensor 'h_text': "*" in frame 4 at [0,0], sample "* ]] || { echo "$output" && false; }
}
