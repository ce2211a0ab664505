#!/usr/bin/env bats
# What a data set calls by names of its own: missed with a word, read with --rename, known to a run from then on.
# shellcheck disable=SC2154,SC2030,SC2031 # run sets stderr; each test is a shell of its own
load helper

# odd_sets: from data.pkl, which msa-synth makes, odd.pkl (three names of its own) and others. In Python, `rename(keys,
# splits)` is the set by other names, write(NAME, set) a pickle.
odd_sets() {
    msa-synth --samples 24,8,8 --seed 3 -o data.pkl
    cat >sets.py <<'END'
import pickle
import numpy as np
data = pickle.load(open("data.pkl", "rb"))
def rename(keys={}, splits={}, data=data):
    return {splits.get(s, s): {keys.get(k, k): v for k, v in part.items()} for s, part in data.items()}
def write(name, data, protocol=4):
    pickle.dump(data, open(name, "wb"), protocol)
END
    "$PYTHON" -c '
from sets import *
write("odd.pkl", rename({"audio": "acoustic", "vision": "visual"}, {"valid": "val"}))'
}
names=(--rename acoustic=audio --rename visual=vision --rename val=valid)

# What a stream says of its samples, without the header.
records() {
    msa-dump --json --values "$1" | grep -v '"kind": "H"'
}

# warned WORDS: the lines on stderr of the last `run`, without what comes before the name of the file.
warned() {
    # shellcheck disable=SC2001 # of each line
    [ "$(sed 's/^msa-load: warning: [^:]*: //' <<<"$stderr")" = "$1" ] || { echo "$stderr" && return 1; }
}

@test "arrays and splits that would be missed are warned of, once each, with a remedy" {
    odd_sets
    for options in "" "--split test" "--info"; do
        # shellcheck disable=SC2086 # several
        run -0 --separate-stderr msa-load $options -o out odd.pkl
        rm out # a report does not replace a stream
        warned "'visual' (<f8 [24,12,12] in train) is not read, for no layout has this name (msa-load --rename visual=vision)
'acoustic' (<f8 [24,16,8] in train) is not read, for no layout has this name (msa-load --rename acoustic=audio)
split 'val' of 8 samples is not read, for no layout has this name (msa-load --rename val=valid)"
    done
    run -0 --separate-stderr msa-load -q -o out odd.pkl
    [ -z "$stderr" ]
}

@test "names that are known elsewhere are not known here" {
    odd_sets
    "$PYTHON" -c '
from sets import *
for part in data.values():
    n = len(part["id"])
    part["h_text"] = np.ones((n, 4, 5), "f4")
    part["label"] = np.ones((n, 1), "f4")
    part["index"] = np.ones((n, 2), "i8")
data["index"] = dict(data["test"])
write("elsewhere.pkl", data)'
    run -0 --separate-stderr msa-load --split test -o out elsewhere.pkl
    [ "$(grep -c "'h_text'" <<<"$stderr")" -eq 1 ]
    [ "$(grep -c "'label' (<f4 \[24,1\] in train)" <<<"$stderr")" -eq 1 ]
    [ "$(grep -c "split 'index' of 8 samples" <<<"$stderr")" -eq 1 ]
    [[ $stderr != *"'index' ("* ]]
}

@test "a training whose data set is touched says no name twice" {
    odd_sets
    line "msa-load --train --epochs 3 --batch 8 --rename val=valid odd.pkl |
        $PYTHON $ROOT/tests/forge.py 'import os
if kind == \"C\": os.utime(\"odd.pkl\")' | msa-encode --dim 16 --heads 2 -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-loss -q | msa-gdwg -q | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(grep -c "'visual'" <<<"$output")" -eq 1 ]
    [ "$(grep -c "'acoustic'" <<<"$output")" -eq 1 ]
}

@test "likely names are known in any case, others are not guessed" {
    odd_sets
    "$PYTHON" -c '
from sets import *
more = rename()
n = len(more["valid"]["id"])
more["valid"].update({"Embeddings": np.zeros((n, 3), "f2"), "my ids": np.zeros((n, 4), "u8"),
                      "flat": np.zeros(n), "other": np.zeros((n + 1, 5)), "mask": np.ones((n, 4), "?"),
                      "words": np.array([["a", "b"]] * n), "lists": [[1, 2]] * n})
write("more.pkl", more)
write("case.pkl", rename({"audio": "Audio", "vision": "OpenFace", "text": "GloVe"}, {"train": "Training", "test": "TESTING"}))
both = rename()
both["train"]["visual"], both["dev"] = both["train"]["vision"], both["valid"]
write("both.pkl", both)
many = rename()
many["train"].update({f"more{i}": np.zeros((24, 2)) for i in range(40)})
write("many.pkl", many)'
    run -0 --separate-stderr msa-load -o out.msa more.pkl
    warned "'Embeddings' (<f2 [8,3] in valid) is not read, for no layout has this name (msa-load --rename Embeddings=NAME, by a NAME of msa-load(1))
'my ids' (<u8 [8,4] in valid) is not read, for no layout has this name (msa-load --rename 'my ids=NAME', by a NAME of msa-load(1))"
    run -0 --separate-stderr msa-load -o out.msa case.pkl
    for pair in Audio=audio OpenFace=vision GloVe=text Training=train TESTING=test; do
        [ "$(grep -c "(msa-load --rename $pair)" <<<"$stderr")" -eq 1 ]
    done
    [ "$(wc -l <<<"$stderr")" -eq 5 ]
    run -0 --separate-stderr msa-load -o out.msa both.pkl
    warned "'visual' (<f8 [24,12,12] in train) is not read: 'vision' is
split 'dev' of 8 samples is not read: 'valid' is"
    run -0 --separate-stderr msa-load -o out.msa many.pkl
    [ "$(wc -l <<<"$stderr")" -eq 17 ]
    [[ $stderr == *"many.pkl: 24 more names that no layout has" ]]
}

@test "where nothing is known the one line that it fails with says what is likely" {
    odd_sets
    "$PYTHON" -c '
from sets import *
write("all.pkl", rename({k: "our_" + k for k in data["train"]}))
write("splits.pkl", rename({}, {"train": "training", "valid": "dev", "test": "testing"}))
write("keys.pkl", rename({"text": "words", "audio": "acoustic", "vision": "our_vision", "text_bert": "tokens"}))
write("none.pkl", {"training": {}, "dev": {"text": np.zeros((0, 3))}})'
    for file in all keys splits none; do
        run -3 --separate-stderr msa-load $file.pkl
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
        case $file in
        splits) [[ $stderr == *" (msa-load --rename training=train --rename dev=valid --rename testing=test)" ]] ;;
        keys) [[ $stderr == *"labels or ids alone"*" (msa-load --rename words=text --rename acoustic=audio)" ]] ;;
        *) [[ $stderr != *--rename* ]] ;;
        esac
    done
    msa-load --rename training=train --rename dev=valid --rename testing=test splits.pkl -o found.msa
    msa-load data.pkl -o known.msa
    cmp <(records found.msa) <(records known.msa)
}

@test "no layout of MMSA, MMSA-FET or ours is warned of" {
    odd_sets
    "$PYTHON" -c '
from sets import *
whole = rename()
for part in whole.values():
    n = len(part["id"])
    part.update({k: np.zeros((n, 1)) for k in ("text_lengths", "vision_lengths", "audio_lengths", "classification_labels")})
    part.update({"classification_labels_" + m: np.zeros((n, 3)) for m in "TVA"})
    part.update({"label_" + m: np.zeros((n, 1)) for m in "TVA"})
    part.update({"annotations": np.zeros((n, 2), "i4"), "align": np.zeros((n, 9, 2)), "mode": ["train"] * n})
write("whole.pkl", whole)
sample = {"audio": np.zeros((9, 25)), "vision": np.zeros((9, 171)), "text": np.zeros((9, 768), "f4"),
          "text_bert": np.ones((3, 9), "i8"), "align": [["a", 0.5, 1]] * 7,
          "config": {"text": {"model": "bert", "args": None}, "audio": {"tool": "x"}, "align": {"language": "en"},
                     "video": {"fps": 25, "args": {"gaze": False}}}}
write("sample.pkl", sample)
write("tables.pkl", {**rename(), "vocabulary": np.zeros((99, 8)), "counts": {"a": 1}, "notes": {"who": ["me"]}, "empty": {}})'
    cp "$GOLDEN/data.pkl" golden.pkl
    for file in data whole sample tables golden; do
        run -0 --separate-stderr msa-load -o out.msa "$file.pkl"
        [ -z "$stderr" ] || { echo "$stderr" && false; }
    done
    msa-load data.pkl -o kept.msa
    run -0 --separate-stderr msa-load -o out.msa kept.msa
    [ -z "$stderr" ]
}

@test "--rename: the set is what it is by the known names, and --info says what becomes of a key" {
    odd_sets
    msa-load data.pkl -o known.msa
    msa-load "${names[@]}" odd.pkl -o found.msa
    cmp <(records found.msa) <(records known.msa)
    run -0 --separate-stderr msa-load "${names[@]}" --info --json odd.pkl
    [ -z "$stderr" ]
    "$PYTHON" -c '
import json, sys
splits = json.load(sys.stdin)["splits"]
assert {k: v["samples"] for k, v in splits.items()} == {"train": 24, "valid": 8, "test": 8}, splits
keys = splits["valid"]["keys"]
assert keys["acoustic"]["tensor"] == "audio" and keys["visual"]["tensor"] == "vision" and keys["text"]["tensor"] == "text"' <<<"$output"
    [[ $(msa-dump -n 1 found.msa) == *'rename ["acoustic=audio","val=valid","visual=vision"]'* ]]
}

@test "--rename of labels, ids, texts and tokens; names may be odd, and differ from split to split" {
    odd_sets
    "$PYTHON" -c '
from sets import *
other = rename({"regression_labels": "y=z", "regression_labels_T": "label_T", "id": "ids", "raw_text": "lines",
                "text_bert": "日本", "text": "words"})
write("other.pkl", other)
other["train"] = data["train"]
write("mixed.pkl", other)'
    msa-load data.pkl -o known.msa
    for file in other mixed; do
        run -0 --separate-stderr msa-load --rename y=z=regression_labels --rename label_T=regression_labels_T --rename ids=id \
            --rename lines=raw_text --rename 日本=text_bert --rename words=text "$file.pkl" -o found.msa
        [ -z "$stderr" ]
        cmp <(records found.msa) <(records known.msa)
    done
}

@test "--rename of a single sample" {
    "$PYTHON" - <<'END'
import pickle
import numpy as np
sample = {"audio": np.ones((9, 25)), "video": np.full((7, 12), 2.), "text": np.ones((9, 7), "f4"), "text_bert": np.ones((3, 9), "i8")}
pickle.dump(sample, open("sample.pkl", "wb"))
END
    run -0 --separate-stderr msa-load -o out.msa sample.pkl
    warned "'video' (<f8 [7,12]) is not read, for no layout has this name (msa-load --rename video=vision)"
    msa-load --rename video=vision sample.pkl | msa-dump --tensor vision >shown
    grep -q 'vision <f4\[1,7,12\]  min 2 ' shown
}

@test "--rename of kept streams: tensors and splits" {
    odd_sets
    forge="$PYTHON $ROOT/tests/forge.py"
    line "msa-load data.pkl | $forge '
for name, other in ((\"audio\", \"acoustic\"), (\"vision\", \"visual\")):
    for map in (body.get(\"schema\", {}), body.get(\"tensors\", {})):
        if name in map: map[other] = map.pop(name)
if body.get(\"split\") == \"valid\": body[\"split\"] = \"val\"' >odd.msa"
    [ "$status" -eq 0 ]
    run -3 --separate-stderr msa-load odd.msa
    [[ $stderr == *"split 'val' but expected train, valid or test" ]]
    run -0 --separate-stderr msa-load --rename val=valid -o out.msa odd.msa
    warned "no stage reads tensor 'acoustic' by this name (msa-load --rename acoustic=audio)
no stage reads tensor 'visual' by this name (msa-load --rename visual=vision)"
    run -0 --separate-stderr msa-load "${names[@]}" odd.msa -o found.msa
    [ -z "$stderr" ]
    msa-load data.pkl -o known.msa
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from read_stream import frames, opened
def read(path):
    return [body for kind, body in frames(opened(path)) if kind == "D"]
for one, other in zip(read("found.msa"), read("known.msa"), strict=True):
    assert one["id"] == other["id"] and one["split"] == other["split"]
    assert set(one["tensors"]) == set(other["tensors"])
    assert all((x == other["tensors"][k]).all() for k, x in one["tensors"].items())
END
    # What was renamed in it once may be said again.
    run -0 --separate-stderr msa-load "${names[@]}" found.msa -o out.msa
    [ -z "$stderr" ]
    run -2 --separate-stderr msa-load "${names[@]}" --rename facet=text found.msa
    run -2 --separate-stderr msa-load --rename text=audio known.msa
    [[ $stderr == *"--rename text=audio: known.msa has 'audio' too" ]]
    run -2 --separate-stderr msa-load --rename audio=regression_labels known.msa
    [[ $stderr == *"'regression_labels' is not read from a stream" ]]
}

@test "--rename: what is wrong with it" {
    odd_sets
    while IFS='|' read -r options expected; do
        # shellcheck disable=SC2086 # several
        run -2 --separate-stderr msa-load $options odd.pkl
        [ "$stderr" = "msa-load: --rename$expected" ] || { echo "$options: $stderr" && false; }
        # shellcheck disable=SC2086
        run -2 --separate-stderr msa-load --info $options odd.pkl
        [ -z "$output" ]
    done <<'END'
--rename acoustic|: 'acoustic' is not OLD=NEW
--rename =audio|: '=audio' is not OLD=NEW
--rename acoustic=|: 'acoustic=' is not OLD=NEW
--rename acoustic=sound| acoustic=sound: 'sound' is no name that is read (msa-load(1), Names)
--rename acoustic=annotations| acoustic=annotations: 'annotations' is no name that is read (msa-load(1), Names)
--rename acoustic=visual| acoustic=visual: 'visual' is no name that is read (msa-load(1), Names)
--rename acustic=audio| acustic=audio: there is no 'acustic' in odd.pkl
--rename val=audio| val=audio: there is no 'val' in odd.pkl
--rename acoustic=valid| acoustic=valid: there is no 'acoustic' in odd.pkl
--rename acoustic=text| acoustic=text: odd.pkl has 'text' too
--rename val=test| val=test: odd.pkl has 'test' too
--rename acoustic=label| acoustic=label: 'label' is not read from a pickle
--rename text=text| text=text: both names are the same
--rename acoustic=audio --rename visual=audio| visual=audio: --rename acoustic=audio is given too
--rename acoustic=audio --rename acoustic=vision| acoustic=vision: --rename acoustic=audio is given too
END
}

# The tail of a line, tiny; it works in folder $1.
tail_of() {
    echo "msa-encode --dim 16 --heads 2 -p $1/encode.safetensors | msa-decompose -p $1/decompose.safetensors |
        msa-predict -p $1/predict.safetensors | msa-loss | msa-gdwg | msa-metrics -q --select mae --log $1/metrics.tsv"
}

# A stage that is killed at training step N.
dies_at() {
    echo "$PYTHON $ROOT/tests/forge.py 'import os
if kind == \"D\" and body[\"train\"] and body[\"step\"] == $1: os.kill(os.getpid(), 9)'"
}

@test "a training knows names and family: --resume and --like need them no more, right names do as well" {
    odd_sets
    mkdir whole cut right
    load="msa-load --train --epochs 3 --batch 8 --family mosi"
    line "$load ${names[*]} --state whole/state.msa odd.pkl | $(tail_of whole) | msa-backprop"
    [ "$status" -eq 0 ]
    line "$load ${names[*]} --state cut/state.msa odd.pkl | $(tail_of cut) | $(dies_at 4) | msa-backprop"
    [ "$status" -ne 0 ]
    [ -e cut/encode.safetensors.1 ]
    cp -r cut/. right
    line "msa-load --train --epochs 3 --batch 8 --state cut/state.msa --resume odd.pkl | $(tail_of cut) | msa-backprop"
    [ "$status" -eq 0 ] && [ -z "$output" ]
    for file in encode.safetensors decompose.safetensors predict.safetensors.3 metrics.tsv; do
        cmp whole/$file cut/$file
    done
    line "msa-load --train --epochs 3 --batch 8 ${names[*]} --state right/state.msa --resume --rename ids=id odd.pkl | $(tail_of right) | msa-backprop"
    [ "$(cut -d " " -f 2 statuses)" -eq 2 ]
    [[ $output == *"--rename ids=id: there is no 'ids' in odd.pkl"* ]]
    line "msa-load --train --epochs 3 --batch 8 --family sims --state right/state.msa --resume odd.pkl | $(tail_of right) | msa-backprop"
    [[ $output == *"began with family 'mosi', and not with 'sims'"* ]]

    msa-load -q --family mosi --split test data.pkl -o known.msa
    for set in odd.pkl data.pkl; do
        run -0 --separate-stderr msa-load --like whole/state.msa --split test "$set" -o found.msa
        [ -z "$stderr" ]
        cmp <(records found.msa) <(records known.msa)
        [[ $(msa-dump -n 1 found.msa) == *"family mosi"* ]]
    done
    run -0 --separate-stderr msa-load --like found.msa --family sims --info odd.pkl # what is given goes before
    [[ $output == *"family sims"* ]]
    run -1 msa-load --like nothing data.pkl
    [[ $output == *"cannot read 'nothing'"* ]]
    msa-load odd.pkl -q -o plain.msa
    run -0 --separate-stderr msa-load --like plain.msa -o out.msa odd.pkl # which was told nothing
    [ "$(wc -l <<<"$stderr")" -eq 3 ]
}

# pipeline NAME ARGUMENT...: what it prints in $output, and in $stderr; it must work.
pipeline() {
    run -0 --separate-stderr timeout -k 5 120 "$ROOT/pipelines/$1" "${@:2}"
}
small=(--dim 16 --heads 2 --epochs 2 --batch 8 --select-after 0)

@test "pipelines/train warns once; told a name, evaluate, predict and --resume know it" {
    export MSA_BIN=$BUILD/bin
    odd_sets
    "$PYTHON" -c '
from sets import *
write("acoustic.pkl", rename({"audio": "acoustic"}))'
    pipeline train acoustic.pkl missed "${small[@]}"
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ] || { echo "$stderr" && false; }
    for script in train pretrain; do
        pipeline $script acoustic.pkl never --dim 16 --heads 2 --check
        [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ] || { echo "$stderr" && false; }
    done
    pipeline train odd.pkl run "${names[@]}" "${small[@]}"
    [[ $stderr != *warning* ]]
    grep -qx $'load.rename\tacoustic=audio,val=valid,visual=vision' run/about.tsv
    grep -q $'^shape of audio\t<f4' run/about.tsv
    pipeline train data.pkl known "${small[@]}"
    for file in test.tsv metrics.tsv steps.tsv; do
        cmp run/$file known/$file
    done
    pipeline evaluate known data.pkl valid --tsv
    expected=$output
    for set in odd.pkl data.pkl; do
        pipeline evaluate run "$set" valid --tsv
        [ "$output" = "$expected" ] && [ -z "$stderr" ]
    done
    pipeline predict known data.pkl
    expected=$output
    for set in odd.pkl data.pkl; do
        pipeline predict run "$set"
        [ "$output" = "$expected" ] && [ -z "$stderr" ]
    done
    "$PYTHON" -c '
from sets import *
write("third.pkl", rename({"audio": "sound"}))'
    pipeline evaluate run third.pkl valid --rename sound=audio --tsv
    [ -z "$stderr" ]
    pipeline predict run third.pkl --rename sound=audio
    [ "$output" = "$expected" ]
    # what holds for the second sample alone is said, what holds for both once
    pipeline predict known data.pkl acoustic.pkl acoustic.pkl
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ]
    [ "$(grep -c "s_audio,d_audio do not arrive" <<<"$stderr")" -eq 1 ]
    pipeline figures --with known --out drawn --data acoustic.pkl
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ]
    rm known/about.tsv
    run ! "$ROOT/pipelines/figures" --with known --without-msc run --out drawn
    [ "$output" = "figures: 'known' has no about.tsv, which would name its data set: --data DATASET" ]
    "$PYTHON" -c '
from sets import *
write("quoted.pkl", rename({"audio": "a\"}b, c"}))'
    pipeline train quoted.pkl quoted --rename 'a"}b, c=audio' "${small[@]}"
    grep -qx $'load.rename\ta"}b, c=audio' quoted/about.tsv
    grep -qx $'load.seed\t1' quoted/about.tsv
    cp -r run again
    pipeline train odd.pkl run "${small[@]}" --resume
    [[ $stderr != *warning* ]]
    cmp run/encode.safetensors again/encode.safetensors
    pipeline train odd.pkl run "${names[@]}" "${small[@]}" --resume
    diff -r run again # the command too
}

@test "a killed pipelines/train goes on by the names that it was told" {
    odd_sets
    mkdir bin
    ln -s "$BUILD"/bin/* bin
    rm bin/msa-gdwg
    printf '#!/bin/sh\n"%s/bin/msa-gdwg" "$@" | %s\n' "$BUILD" "$(dies_at 4)" >bin/msa-gdwg
    chmod +x bin/msa-gdwg
    MSA_BIN=$BUILD/bin pipeline train odd.pkl whole "${names[@]}" "${small[@]}" --epochs 3
    MSA_BIN=$PWD/bin run timeout -k 5 120 "$ROOT/pipelines/train" odd.pkl cut "${names[@]}" "${small[@]}" --epochs 3
    [ "$status" -ne 0 ]
    [ -e cut/state.msa ] && [ ! -e cut/about.tsv ]
    MSA_BIN=$BUILD/bin pipeline train odd.pkl cut "${small[@]}" --epochs 3 --resume
    [[ $stderr != *warning* ]]
    for file in encode.safetensors predict.safetensors metrics.tsv test.tsv; do
        cmp whole/$file cut/$file
    done
}

@test "encoders, experiments and figures know the names too" {
    export MSA_BIN=$BUILD/bin
    odd_sets
    few=(--dim 16 --heads 2 --epochs 1 --batch 8)
    pipeline pretrain odd.pkl encoders "${names[@]}" "${few[@]}"
    [[ $stderr != *warning* ]]
    [ -e encoders/audio/about.tsv ]
    "$PYTHON" -c '
from sets import *
write("acoustic.pkl", rename({"audio": "acoustic"}))'
    pipeline pretrain acoustic.pkl missed "${few[@]}"
    [ "$(grep -c "msa-load: warning: acoustic.pkl: 'acoustic'" <<<"$stderr")" -eq 1 ]
    [ ! -e missed/audio ]
    pipeline train odd.pkl run --encoders encoders --epochs 1 --batch 8
    [[ $stderr != *"is not read"* ]]
    grep -q $'^shape of vision\t' run/about.tsv
    pipeline ablate odd.pkl --encoders encoders --out ablations --only without-cl,without-msc --seeds 1 --epochs 1 --batch 8
    [[ $stderr != *"is not read"* ]]
    pipeline figures ablations --out figures
    [ -e figures/cosines.svg ] && [ -e figures/predictions.svg ]
    pipeline reproduce other odd.pkl --out reproduced --seeds 1 "${names[@]}" "${few[@]}"
    [[ $stderr != *"is not read"* ]]
    grep -q $'^load.rename\t' reproduced/seed-1/about.tsv
    pipeline reproduce other odd.pkl --out told --seeds 1 --rename val=valid "${few[@]}"
    [ "$(grep -c "msa-load: warning: odd.pkl: 'visual'" <<<"$stderr")" -eq 1 ]
    [ "$(grep -c "is not read" <<<"$stderr")" -eq 2 ]
}
