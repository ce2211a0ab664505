#!/usr/bin/env bats
# What a data set calls by names of its own: missed with a word, read with --rename.
# shellcheck disable=SC2154,SC2030,SC2031 # run sets stderr; each test is a shell of its own
load helper
load names.bash

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
        warned "'visual' (<f8 [24,12,12] in train) is not read: unknown name (msa-load --rename visual=vision)
'acoustic' (<f8 [24,16,8] in train) is not read: unknown name (msa-load --rename acoustic=audio)
split 'val' of 8 samples is not read: unknown name (msa-load --rename val=valid)"
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

@test "likely names are known in any case, others are not guessed" {
    odd_sets
    "$PYTHON" -c '
from sets import *
more = rename()
n = len(more["valid"]["id"])
more["valid"].update({"Embeddings": np.zeros((n, 3), "f2"), "my ids": np.zeros((n, 4), "u8"), "it\x27s": np.zeros((n, 4), "u8"),
                      "flat": np.zeros(n), "other": np.zeros((n + 1, 5)), "mask": np.ones((n, 4), "?"),
                      "words": np.array([["a", "b"]] * n), "lists": [[1, 2]] * n})
write("more.pkl", more)
write("case.pkl", rename({"audio": "Audio", "audio_lengths": "Acoustic lengths", "vision": "OpenFace", "text": "GloVe"}, {"train": "Training", "test": "TESTING"}))
both = rename()
both["train"]["visual"], both["dev"] = both["train"]["vision"], both["valid"]
write("both.pkl", both)
many = rename()
for part in many.values():
    part.update({f"more{i}": np.zeros((len(part["id"]), 2)) for i in range(40)})
write("many.pkl", many)'
    run -0 --separate-stderr msa-load -o out.msa more.pkl
    warned "'Embeddings' (<f2 [8,3] in valid) is not read: unknown name (msa-load --rename Embeddings=NAME, with a NAME from msa-load(1))
'my ids' (<u8 [8,4] in valid) is not read: unknown name (msa-load --rename 'my ids=NAME', with a NAME from msa-load(1))
'it's' (<u8 [8,4] in valid) is not read: unknown name (msa-load --rename 'it'\\''s=NAME', with a NAME from msa-load(1))"
    run -0 --separate-stderr msa-load -o out.msa case.pkl
    for pair in Audio=audio "'Acoustic lengths=audio_lengths'" OpenFace=vision GloVe=text Training=train TESTING=test; do
        [ "$(grep -c "(msa-load --rename $pair)" <<<"$stderr")" -eq 1 ]
    done
    [ "$(wc -l <<<"$stderr")" -eq 6 ]
    msa-load --rename Audio=audio --rename "Acoustic lengths=audio_lengths" -q case.pkl -o out.msa
    msa-dump -n 1 out.msa | grep -q '^ *audio_lengths *<i8\[\*\]$'
    run -0 --separate-stderr msa-load -o out.msa both.pkl
    warned "'visual' (<f8 [24,12,12] in train) is not read: 'vision' is
split 'dev' of 8 samples is not read: 'valid' is"
    run -0 --separate-stderr msa-load -o out.msa many.pkl
    [ "$(wc -l <<<"$stderr")" -eq 17 ]
    [[ $stderr == *"many.pkl: 24 more unknown names" ]]
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

@test "what a name alone would not mend is warned of too: samples in lists, keys that are no names" {
    odd_sets
    "$PYTHON" -c '
from sets import *
def rows(part):
    return [{k: v[i] for k, v in part.items()} for i in range(len(part["id"]))]
def objects(items):
    array = np.empty(len(items), object)
    array[:] = items
    return array
def splits(name, **forms):
    write(name + ".pkl", {"train": data["train"], "test": data["test"], **forms})
some = rows(data["valid"])
splits("list", val=some)
splits("objects", dev=objects(some))
splits("byid", valid={s["id"]: s for s in some})
splits("tuples", val=[((s["text"], s["vision"]), s["regression_labels"]) for s in some])
splits("odd", **{"v" * 129: data["valid"]})
more = rename()
n = len(more["train"]["id"])
a = np.ones((n, 4, 5), "f4")
for key in ("k" * 300, "e\nf", b"\xff", "", 7, ("visual", 2), None, b"facet", "gates"):
    more["train"][key] = a > 0 if key == "gates" else a
more["train"]["ragged"] = objects(list(a))
more["train"]["others"] = list(a)
more["train"][b"audio"] = more["train"].pop("audio")
more["train"][b"text"], more["train"]["text"] = a, more["train"].pop("text")
write("keys.pkl", more)'
    dict="a split must be a dict of arrays" text="its key must be text that can be shown, of at most 128 bytes"
    while IFS='|' read -r file what; do
        run -0 --separate-stderr msa-load -o out.msa "$file.pkl"
        warned "split $what"
    done <<END
list|'val' of 8 samples is not read: $dict
objects|'dev' of 8 samples is not read: $dict
byid|'valid' of 8 samples is not read: $dict
tuples|'val' of 8 samples is not read: $dict
odd|'vvvvvvvvvvvvvvvvvvvvvvvv...' (129 bytes) of 8 samples is not read: $text
END
    run -3 --separate-stderr msa-load --split valid tuples.pkl
    [[ $stderr == *"'val' of 8 samples is not read"*"no samples in split 'valid', only in train, test" ]]
    run -0 --separate-stderr msa-load -o out.msa keys.pkl
    warned "'kkkkkkkkkkkkkkkkkkkkkkkk...' (300 bytes) (<f4 [24,4,5] in train) is not read: $text
'e?f' (<f4 [24,4,5] in train) is not read: $text
'?' (<f4 [24,4,5] in train) is not read: $text
'' (<f4 [24,4,5] in train) is not read: $text
7 (<f4 [24,4,5] in train) is not read: $text
<list> (<f4 [24,4,5] in train) is not read: $text
<None> (<f4 [24,4,5] in train) is not read: $text
'facet' (<f4 [24,4,5] in train) is not read: 'vision' is
'gates' (|b1 [24,4,5] in train) is not read: unknown name (msa-load --rename gates=NAME, with a NAME from msa-load(1))
'ragged' (object [24] in train) is not read: features must be one array of numbers
'others' (list [24] in train) is not read: features must be one array of numbers
'text' (<f4 [24,4,5] in train) is not read: another 'text' is"
}

@test "names that differ from split to split, or for labels: the error has the remedy" {
    odd_sets
    "$PYTHON" -c '
from sets import *
def mixed(name, keys):
    write(name + ".pkl", {**rename(keys), "train": data["train"]})
mixed("vision", {"vision": "visual", "text": "words"})
mixed("joint", {"regression_labels": "labels"})
write("labels.pkl", rename({"regression_labels": "Labels "}))'
    run -3 --separate-stderr msa-load vision.pkl
    [ "$stderr" = "msa-load: vision.pkl: test: 'text' is not there but train has it (msa-load --rename words=text --rename visual=vision)" ]
    run -3 --separate-stderr msa-load joint.pkl
    [ "$stderr" = "msa-load: joint.pkl: test: 'regression_labels' is not there but train has it (msa-load --rename labels=regression_labels)" ]
    run -3 --separate-stderr msa-load -q --split valid odd.pkl # names of keys would not mend it
    [ "$stderr" = "msa-load: odd.pkl: no samples in split 'valid', only in train, test (msa-load --rename val=valid)" ]
    run -3 --separate-stderr msa-load --train labels.pkl
    [ "$stderr" = "msa-load: labels.pkl: no labels to train on: 'regression_labels' (msa-load --rename 'Labels =regression_labels')" ]
    run -0 --separate-stderr msa-load labels.pkl -o out.msa
    warned "'Labels ' (<f4 [24] in train) is not read: unknown name (msa-load --rename 'Labels =regression_labels')"
    msa-load data.pkl -o known.msa
    msa-load --rename words=text --rename visual=vision vision.pkl -o found.msa
    cmp <(records found.msa) <(records known.msa)
    msa-load --rename "Labels =regression_labels" labels.pkl -o found.msa
    cmp <(records found.msa) <(records known.msa)
}

@test "--check looks at the ids and labels of every split" {
    odd_sets
    "$PYTHON" -c '
from sets import *
for split in data:
    for key, values in {"id": ["same"] * 8, "regression_labels": [np.nan] * 8, "regression_labels_T": [9.] + [0.] * 7}.items():
        part = {k: v[:8] for k, v in data[split].items()}
        write(f"{split}.{key}.pkl", {**data, split: {**part, key: np.array(values)}})'
    for split in train valid test; do
        run -3 --separate-stderr msa-load --train --check $split.id.pkl
        [[ $stderr == *": $split: samples 0 and 1 are both called 'same', but expected an id of its own for each" ]]
        run -3 --separate-stderr msa-load --train --check $split.regression_labels.pkl
        [[ $stderr == *": $split: sample 0, 'regression_labels': nan but expected a finite number" ]]
        run -0 --separate-stderr bash -c "msa-load --train --check $split.regression_labels_T.pkl | true"
        [[ $stderr == *": 1 label outside -1 to 1, the range of family sims; the farthest from 0 is 9" ]]
    done
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
    warned "'video' (<f8 [7,12]) is not read: unknown name (msa-load --rename video=vision)"
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
    line "msa-load data.pkl | $forge '
for map in (body.get(\"schema\", {}), body.get(\"tensors\", {})):
    for name, other in ((\"audio\", \"h_acoustic\"), (\"vision\", \"s_visual\"), (\"label\", \"labels\")):
        if name in map: map[other] = map.pop(name)' >kept.msa"
    run -3 --separate-stderr msa-load --train kept.msa
    [ "$stderr" = "msa-load: kept.msa: no labels to train on: 'label' (msa-load --rename h_acoustic=h_audio --rename s_visual=s_vision --rename labels=label)" ]
    msa-load -q --split test kept.msa -o part.msa
    run -3 --separate-stderr msa-load -q --split valid part.msa
    [ "$stderr" = "msa-load: part.msa: no samples in split 'valid', only in test" ]
    run -0 --separate-stderr msa-load kept.msa -o out.msa
    [ "$(grep -c "^msa-load: warning: kept.msa: no stage reads tensor '.*' by this name (msa-load --rename .*=.*)" <<<"$stderr")" -eq 3 ]
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

@test "--rename of a known name: what is read by another is not read by its own" {
    odd_sets
    "$PYTHON" -c '
from sets import *
blind = {s: {k: v for k, v in part.items() if not k.startswith("vision")} for s, part in data.items()}
write("blind.pkl", blind)
write("seen.pkl", rename({"text": "vision"}, data=blind))
write("train.pkl", {"train": data["train"]})
write("test.pkl", {"test": data["train"]})'
    msa-load blind.pkl -o blind.msa
    msa-load train.pkl -o train.msa
    while read -r option from to; do
        msa-load "$to.pkl" -o known.msa
        for set in "$from.pkl" "$from.msa"; do
            run -0 --separate-stderr msa-load --rename "$option" "$set" -o found.msa
            [ -z "$stderr" ]
            cmp <(same_order found.msa) <(same_order known.msa)
            msa-load --like found.msa "$set" -o again.msa
            cmp <(same_order again.msa) <(same_order known.msa)
        done
    done <<'END'
text=vision blind seen
train=test train test
END
}

# The records of a stream, with tensors in the order of their names.
same_order() {
    records "$1" | jq -cS 'del(.frame)'
}

@test "--rename of kept streams that have both names: refused if it is given, and not done if it was told" {
    odd_sets
    forge="$PYTHON $ROOT/tests/forge.py"
    "$PYTHON" -c '
from sets import *
write("sound.pkl", rename({"audio": "sound"}))'
    msa-load "${names[@]}" -o like.msa odd.pkl
    msa-load -q --rename sound=audio -o sound.msa sound.pkl
    for which in "" not; do
        line "msa-load --batch 4 data.pkl | $forge '
if body.get(\"split\") == \"valid\" and $which tensors[\"index\"][0]: body[\"split\"] = \"val\"' >two.msa"
        [ "$status" -eq 0 ]
        run -2 --separate-stderr msa-load --rename val=valid two.msa
        [ "$stderr" = "msa-load: --rename val=valid: two.msa has 'valid' too" ]
        run -3 --separate-stderr msa-load --like like.msa two.msa
        [[ $stderr == *": split 'val' is 'valid' by an earlier run's --rename, but 'valid' is there too" ]] || { echo "$stderr" && false; }
    done
    line "msa-load data.pkl | $forge '
for map in (body.get(\"schema\", {}), body.get(\"tensors\", {})):
    if \"audio\" in map: map[\"acoustic\"] = map[\"sound\"] = map.pop(\"audio\")' >two.msa"
    [ "$status" -eq 0 ]
    msa-load --like like.msa --like sound.msa -q two.msa -o found.msa
    [ "$(sounds found.msa)" = "audio sound" ]
    msa-load --like like.msa --rename sound=audio -q two.msa -o found.msa
    [ "$(sounds found.msa)" = "acoustic audio" ]
    line "msa-load data.pkl | $forge '
for map in (body.get(\"schema\", {}), body.get(\"tensors\", {})):
    if \"audio\" in map: map[\"acoustic\"] = map[\"audio\"]
body.get(\"schema\", {}).pop(\"audio\", None)' >two.msa"
    run -3 --separate-stderr msa-load --rename acoustic=audio two.msa
    [[ $stderr == *"tensor 'audio' is in records, but the header's 'acoustic' is renamed to 'audio'" ]] || { echo "$stderr" && false; }
}

# The tensors of a stream that may be audio.
sounds() {
    msa-dump --json "$1" | jq -r 'select(.kind == "D").tensors[].name' | grep -xE 'acoustic|audio|sound' | sort -u | xargs
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
