#!/usr/bin/env bats
# Data sets that no reader must trust, and some that are only wrong: one line that says what was found, status 3, nothing executed,
# and memory that does not depend on what the file says. tests/oracle/hostile.py writes them, and what must be said of each.
load helper

# bounded MB COMMAND…: with no more memory of its own than that; a build with sanitizers takes more.
bounded() (
    [[ $BUILD == */san ]] || ulimit -d $(($1 * 1000000 / 1024))
    shift
    exec timeout -k 5 60 "$@"
)

# wrong LINE COMMAND…: the command is refused with status 3, one line that has this in it, and no output, in MB of memory.
wrong() {
    local expected=$1 code=0
    shift
    bounded "${MB:-100}" "$@" >out 2>err || code=$?
    if [ "$code" -eq 3 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -- "$expected" err && [ ! -s out ]; then
        return 0
    fi
    echo "$*: status $code, expected '$expected': $(head -c 500 err)"
    return 1
}

# Every hostile file through msa-load with these options.
all_wrong() {
    local failures=0 file
    "$PYTHON" -W ignore "$ROOT/tests/oracle/hostile.py" .
    for file in *.pkl; do
        wrong "$(cat "${file%.pkl}.line")" msa-load "$@" "$file" || failures=$((failures + 1))
    done
    [ "$failures" -eq 0 ]
    [ ! -e executed ]
    [ "$(find . -name '*.pkl' | wc -l)" -gt 170 ]
}

# The made-up data set, changed by a line of Python.
change_data() {
    [ -e data.pkl ] || msa-synth --samples 12,6,6 -o data.pkl
    "$PYTHON" -c "import pickle; import numpy as np; d = pickle.load(open('data.pkl', 'rb'))
$1
pickle.dump(d, open('changed.pkl', 'wb'), 4)"
}

@test "hostile files: loaded" {
    all_wrong
}

@test "hostile files: trained on" {
    all_wrong --train
}

@test "hostile files: --info says the same, or counts what is wrong" {
    "$PYTHON" -W ignore "$ROOT/tests/oracle/hostile.py" .
    for file in *.pkl; do
        case $file in
        label-* | id-same*) bounded 100 msa-load --info "$file" >"${file%.pkl}.out" ;;
        *) wrong "$(cat "${file%.pkl}.line")" msa-load --info "$file" ;;
        esac
    done
    grep -q '^label *train *1 *0 *0$' label-nan.out
    grep -q '^label *train *0 *0 *1$' label-minus-inf.out
    grep -q '^train *4  (1 have the id of another)$' id-same.out
    [ ! -e executed ]
}

@test "hostile files in a training line: one line, and every stage ends" {
    "$PYTHON" -W ignore "$ROOT/tests/oracle/hostile.py" .
    for file in system-4 cut-50 nested-lists own-label label-nan id-same short-audio; do
        line "msa-load --train $file.pkl | $(golden_model) | msa-loss | msa-gdwg | msa-metrics --select mae | msa-backprop"
        [ "$status" -ne 0 ]
        [ "$(cut -d " " -f 2 statuses)" -eq 3 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == "msa-load: $file.pkl: "* ]]
        [ -z "$(ls run)" ]
    done
    [ ! -e executed ]
}

@test "headers of parameter files that ask for memory: refused in little of it; one of 5,000 tensors is read" {
    local failures=0 file
    "$PYTHON" "$ROOT/tests/oracle/headers.py" .
    for file in *.line; do
        MB=40 wrong "$(cat "$file")" msa-dump --diff "${file%.line}.safetensors" "${file%.line}.safetensors" ||
            failures=$((failures + 1))
    done
    [ "$failures" -eq 0 ]
    [ "$(stat -c %s many.safetensors)" -gt 500000 ]
    bounded 40 msa-dump --diff many.safetensors many.safetensors
}

@test "a large pickle takes little memory, of any protocol; so does it as a stream" {
    for protocol in 4 2; do
        "$PYTHON" "$ROOT/tests/oracle/large.py" large.pkl 600 $protocol
        bounded 60 msa-load --split train large.pkl -o large.msa
        [ "$(stat -c %s large.msa)" -gt 300000000 ]
    done
    bounded 60 msa-load --batch 8 large.msa -o again.msa
    [ "$(stat -c %s again.msa)" -gt 300000000 ]
    bounded 60 msa-load --info large.msa >out
    grep -q '^train *2457$' out
}

@test "what no stage uses is passed over, whatever there is of it; what else there is is as without it" {
    for kind in "lists 2" "lists 3" "lists 4" "lists 5" "tuples 4" "dicts 4" "words 2" "objects 4" "scalars 4" "arrays 2" \
        "shared 2" "shared 5"; do
        # shellcheck disable=SC2086 # two arguments
        "$PYTHON" "$ROOT/tests/oracle/unused.py" $kind
        (cd with && bounded 60 msa-load data.pkl -o data.msa 2>err)
        [ ! -s with/err ]
        (cd without && msa-load data.pkl -o data.msa)
        cmp with/data.msa without/data.msa || { echo "$kind" && false; }
    done
    "$PYTHON" "$ROOT/tests/oracle/unused.py" lists 4
    bounded 60 msa-load --info with/data.pkl >out
    grep -q "^align  *list  *\[24000\]" out || { cat out && false; }
}

@test "a pickle that ends inside of what no stage uses is what Python makes of it" {
    mkdir with without
    msa-synth --samples 12,6,6 -o with/data.pkl
    "$PYTHON" - <<'END'
import pickle
with open("with/data.pkl", "rb") as f:
    data = pickle.load(f)
inner = pickle.dumps(data, 2)
with open("without/data.pkl", "wb") as f:
    f.write(inner)
with open("with/data.pkl", "wb") as f:  # {"junk": and then another dict
    f.write(inner[:2] + b"}(X\x04\0\0\0junk" + inner[2:])
END
    for each in with without; do (cd $each && msa-load data.pkl -o data.msa); done
    cmp with/data.msa without/data.msa
}

@test "too many values of what is used: the line says where" {
    msa-synth --samples 12,6,6 -o data.pkl
    change_data 'd["valid"]["raw_text"] = [list(range(1000, 201000)) for i in range(6)]'
    wrong "more than 1048576 values" msa-load changed.pkl
    grep -qE "^msa-load: changed.pkl: byte [0-9]+: valid: sample 5, 'raw_text': more than 1048576 values\$" err || { cat err && false; }
    change_data 'd["test"]["id"] = tuple(range(1100000))'
    wrong "test: 'id': more than 1048576 values" msa-load changed.pkl
}

@test "the first batch comes before the rest is read: of its file the program has seen a little" {
    for protocol in 4 2; do
        "$PYTHON" "$ROOT/tests/oracle/large.py" large.pkl 600 $protocol
        "$PYTHON" - <<'END'
import os, re, subprocess
load = subprocess.Popen(["msa-load", "--split", "train", "large.pkl"], stdout=subprocess.PIPE)
assert len(load.stdout.read(300000)) == 300000  # then the pipe is full, and msa-load waits
seen = int(re.search(r"RssFile:\s+(\d+) kB", open(f"/proc/{load.pid}/status").read())[1])
load.stdout.close()
load.wait()
assert seen < 60000, f"{seen} kB of the file"
END
    done
}

@test "data that the parameters are not for" {
    msa-synth --samples 12,6,6 -o data.pkl
    line "msa-load --train --epochs 1 data.pkl | msa-encode -p run/e --dim 16 --heads 2 | msa-decompose -p run/d |
        msa-predict -p run/p | msa-loss | msa-backprop"
    [ "$status" -eq 0 ]
    local modality width expected
    while read -r modality width expected; do
        change_data "for s in d.values(): s['$modality'] = s['$modality'].repeat(2, axis=2)"
        line "msa-load changed.pkl | msa-encode -p run/e -o out.msa"
        [ "$status" -eq 3 ]
        [ "$output" = "msa-encode: run/e is for $width features in a frame of '$modality', but $expected arrive" ]
        [ ! -e out.msa ]
    done <<<"text 16 32
        vision 12 24
        audio 8 16"
    change_data 'for s in d.values(): s["text"] = s["text"].repeat(2, axis=1)'
    line "msa-load changed.pkl | msa-encode -p run/e | msa-metrics"
    [ "$status" -eq 3 ] || [ "$status" -eq 5 ]
    [ "$output" = "msa-encode: run/e is for 10 frames of 'text' at most, but 20 arrive" ]
}

@test "an empty split" {
    change_data 'd["valid"] = {key: x[:0] for key, x in d["valid"].items()}'
    wrong "changed.pkl: no samples in split 'valid'" msa-load --split valid changed.pkl
    msa-load changed.pkl | msa-dump | grep -c 'split valid' | grep -qx 0
    change_data 'd["train"] = {key: x[:0] for key, x in d["train"].items()}'
    wrong "changed.pkl: no samples in split 'train'" msa-load --train changed.pkl
    change_data 'del d["test"]'
    wrong "changed.pkl: no samples in split 'test'" msa-load --split test changed.pkl
    change_data 'd = {name: {key: x[:0] for key, x in s.items()} for name, s in d.items()}'
    wrong "changed.pkl: train, valid, test: 0 samples but expected one at least" msa-load changed.pkl
}

@test "a set without labels is predicted, but not trained on" {
    msa-synth --samples 12,6,6 -o data.pkl
    MSA_BIN="$BUILD/bin" "$ROOT/pipelines/train" data.pkl model --dim 16 --heads 2 --epochs 1 --quiet
    change_data 'd = {name: {key: x for key, x in s.items() if "label" not in key} for name, s in d.items()}'
    MSA_BIN="$BUILD/bin" run "$ROOT/pipelines/evaluate" model changed.pkl --predictions some.tsv
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "msa-metrics: warning: no labels arrive: there is nothing to judge against" ]
    [[ "${#lines[@]}" -eq 3 && ${lines[2]} =~ ^test\ +6$ ]]
    MSA_BIN="$BUILD/bin" "$ROOT/pipelines/evaluate" model data.pkl --predictions all.tsv >table
    cmp <(cut -f 1,2,4 all.tsv) <(cut -f 1,2,4 some.tsv)
    [ "$(cut -f 3 some.tsv | sort -u)" = $'\nlabel' ]
    wrong "changed.pkl: no labels to train on: 'regression_labels'" msa-load --train changed.pkl
    msa-load changed.pkl -o changed.msa # nor as a kept stream
    MSA_BIN="$BUILD/bin" "$ROOT/pipelines/evaluate" model changed.msa --predictions kept.tsv -q >table
    cmp some.tsv kept.tsv
    wrong "changed.msa: no labels to train on: 'label'" msa-load --train changed.msa
    line "msa-load --split test changed.pkl | msa-encode -p model/encode.safetensors |
        msa-decompose -p model/decompose.safetensors | msa-predict -p model/predict.safetensors | msa-loss | msa-metrics -q"
    [ "$status" -eq 0 ]
    [[ $output == *"msa-loss: warning: no labels arrive: left out are msr, msc, uni"* ]]
}

@test "lengths above the frames that there are become these, with a word; others are refused" {
    change_data 'd["test"]["audio_lengths"][:2] = [900, 17]; d["train"]["vision_lengths"][11] = 13; d["test"]["text_lengths"] = [0] * 6
d["train"]["text_lengths"] = d["valid"]["text_lengths"] = np.ones(12)[:6]; d["train"]["text_lengths"] = np.ones((12, 1), "?")'
    run -0 --separate-stderr msa-load --split test changed.pkl -o out.msa
    # shellcheck disable=SC2154 # run sets it
    diff - <<<"$stderr" <(echo "msa-load: warning: changed.pkl: 1 of 'vision_lengths' were above 12, the frames of 'vision', and became 12
msa-load: warning: changed.pkl: 2 of 'audio_lengths' were above 16, the frames of 'audio', and became 16")
    msa-dump --values --tensor audio_lengths out.msa | grep -A 2 '<i8\[6\]' | tail -n 2 | cut -d : -f 2 | tr -d ' ' | diff - <(printf '16\n16\n')
    [ "$(msa-load -q --info --json changed.pkl | jq -r '.splits.test.keys | .text_lengths.tensor, .audio_lengths.tensor')" = "text_lengths
audio_lengths" ]
    change_data 'd["test"]["audio_lengths"][2] = -1'
    wrong "changed.pkl: test: sample 2, 'audio_lengths': -1 but expected a whole number from 0" msa-load --split train changed.pkl
    wrong "changed.pkl: test: sample 2, 'audio_lengths': -1 but expected a whole number from 0" msa-load --info changed.pkl
}

@test "labels and ids of splits that are not used do not matter; an id may come again in another split" {
    change_data 'd["test"]["regression_labels"][:] = np.nan; d["test"]["id"][:] = "same"; d["valid"]["id"][0] = d["train"]["id"][0]'
    msa-load --split train changed.pkl -o out.msa
    msa-load --split valid changed.pkl -o out.msa
    wrong "test: sample 0, 'regression_labels': nan but expected a finite number" msa-load changed.pkl
}
