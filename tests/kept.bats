#!/usr/bin/env bats
# Streams in files as data sets: samples are taken out of their records as they are, put into other batches, and trained on.
load helper

# The samples of two streams, or of one stream and one that Python makes of it, are the same: samples KEPT LOADED [PYTHON].
# PYTHON may change `want`, a dict from split and id to a dict of tensors.
samples() {
    "$PYTHON" - "$BATS_TEST_DIRNAME/interop" "$@" <<'END'
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from read_stream import frames, opened

def read(path):
    found = {}
    for kind, body in frames(opened(path)):
        if kind == "D":
            for i, name in enumerate(body["id"]):
                key = body["split"], name
                assert key not in found, key
                found[key] = {t: x[i] for t, x in body["tensors"].items()}
                found[key].update({t: np.array(body[t][i]) for t in ("raw_text",) if t in body})
    return found

want, got = read(sys.argv[2]), read(sys.argv[3])
exec(sys.argv[4] if len(sys.argv) > 4 else "")
assert list(want) == list(got), (list(want)[:5], list(got)[:5])
for key in want:
    assert list(want[key]) == list(got[key]), (key, list(want[key]), list(got[key]))
    for name, x in want[key].items():
        y = got[key][name]
        assert x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes(), (key, name)
END
}

# The tail of a training line, from msa-decompose on, into directory $1.
tail_of() {
    echo "msa-decompose --init $GOLDEN/decompose.init.safetensors -p $1/decompose.safetensors |
        msa-predict --init $GOLDEN/predict.init.safetensors -p $1/predict.safetensors | msa-loss | msa-gdwg |
        msa-metrics -q --select mae --log $1/metrics.tsv | msa-backprop --log $1/steps.tsv"
}

# failed STATUS TEXT: the last `line` ended with this status and one line that has the text.
failed() {
    [ "$status" -eq "$1" ] || { echo "status $status: $output" && return 1; }
    [[ "${#lines[@]}" -eq 1 && $output == "msa-load: "*"$2"* ]] || { echo "expected '$2': $output" && return 1; }
}

# refused STATUS TEXT PYTHON: a stream that this Python has changed is refused.
refused() {
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(forge "$3") >kept.msa"
    [ "$status" -eq 0 ]
    line "msa-load kept.msa >out.msa"
    failed "$1" "$2"
}

@test "a kept stream gives the records that the data set gives, in any batches, plain and compressed" {
    msa-load --batch 5 "$GOLDEN/data.pkl" -o direct.msa
    for options in "--batch 1" "--batch 7" "--batch 100 -z"; do
        # shellcheck disable=SC2086 # several
        msa-load $options "$GOLDEN/data.pkl" -o kept.msa
        msa-load --batch 5 kept.msa -o again.msa
        samples direct.msa again.msa
        diff <(msa-dump direct.msa | grep '^[1-9]') <(msa-dump again.msa | grep '^[1-9]')
        msa-load --split valid kept.msa -o valid.msa
        samples valid.msa valid.msa "assert len(want) == 6 and {split for split, _ in want} == {'valid'}"
    done
    [ "$(msa-dump --pipeline again.msa | wc -l)" -eq 2 ]
    [ "$(cd "${TMPDIR:-/tmp}" && find . -maxdepth 1 -name 'msa-??????' -newer "$BATS_TEST_TMPDIR/direct.msa" | wc -l)" -eq 0 ]
}

@test "tensors of every dtype and shape pass, and ids; what is of the batch stays behind" {
    local add='
if kind == "H": body["schema"]["x_audio"] = {"dtype": "<f8", "shape": [0, 2, 1, 3], "gradient": True}
if kind == "D":
    for i, t in enumerate("f8 f2 i8 i4 i2 i1 u8 u4 u2 u1 ?".split()):
        tensors["t%d" % i] = np.arange(B * i).reshape(B, i).astype(t)
    tensors["x_audio"] = np.random.default_rng(B).normal(size=(B, 2, 1, 3))
    tensors["y@msr"] = np.ones(B, "f4")
    body["loss"] = body["weight"] = {"msr": 1.0}
    body["id"][0] += "é日本"
    body["raw_text"][0] = "Ça va, 日本?"'
    line "msa-load --batch 3 $GOLDEN/data.pkl | $(forge "$add") >kept.msa"
    [ "$status" -eq 0 ]
    msa-load --batch 8 kept.msa -o again.msa
    samples kept.msa again.msa "for one in want.values(): del one['y@msr']
for one in want.values(): one['x_audio'] = one.pop('x_audio')
order = list(next(iter(got.values())))
want = {key: {name: one[name] for name in order} for key, one in want.items()}
assert len(order) == 23, order"
    msa-dump again.msa >shown
    run grep -c 'loss\|weight\|@' shown
    [ "$output" -eq 0 ]
    msa-load --drop audio,text kept.msa -o dropped.msa
    samples kept.msa dropped.msa "assert not any(word in name for one in got.values() for name in one for word in ('x_', '_bert', 'raw_'))
want = {key: {name: one[name] for name in one if name not in ('audio', 'audio_lengths', 'text', 'raw_text', 'x_audio', 'y@msr')} for key, one in want.items()}
got = {key: {name: got[key][name] for name in one} for key, one in want.items()}"
    msa-load --split all --seed 4 kept.msa | msa-dump -n 1 | head -n 1 | grep -q 'family sims  range 1  seed 4'
}

@test "index is the place in the set that is loaded, and below its samples; lengths pass; a stream of 0.1.0 has neither" {
    # index_of STREAM: of each record, split and index.
    index_of() {
        "$PYTHON" -c '
import sys
sys.path.insert(0, sys.argv[1])
from read_stream import frames
for kind, body in frames(open(sys.argv[2], "rb")):
    if kind == "H":
        samples = body["samples"]
        print(*(f"{k}={n}" for k, n in samples.items()), "splits" in body)
    if kind == "D":
        index = body["tensors"]["index"]
        assert index.dtype == "<i8" and (index < samples[body["split"]]).all()
        print(body["split"], *index)' "$BATS_TEST_DIRNAME/interop" "$1"
    }
    msa-load --batch 6 --split valid "$GOLDEN/data.pkl" -o valid.msa
    diff <(index_of valid.msa) - <<<"train=17 valid=6 test=8 False
valid 0 1 2 3 4 5"
    # Samples that somebody has drawn, in an order of their own.
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(forge 'if kind == "D": tensors.update({name: x[::-2].copy() for name, x in tensors.items()})
if kind == "D": body.update({key: body[key][::-2] for key in ("id", "raw_text")})') >drawn.msa"
    msa-load --batch 9 drawn.msa -o again.msa
    diff <(index_of again.msa) - <<<"train=9 valid=3 test=4 False
train 0 1 2 3 4 5 6 7 8
valid 0 1 2
test 0 1 2 3"
    samples drawn.msa again.msa "assert 'audio_lengths' in next(iter(got.values()))
for one in [*want.values(), *got.values()]: del one['index']"
    line "msa-load --train --fraction 0.3 --epochs 1 --batch 9 $GOLDEN/data.pkl | head -c 100000 >train.msa"
    msa-load --batch 17 --split train "$GOLDEN/data.pkl" -o whole.msa
    "$PYTHON" -c '
import sys
sys.path.insert(0, sys.argv[1])
from read_stream import frames
ids = next(body for kind, body in frames(open("whole.msa", "rb")) if kind == "D")["id"]
stream = frames(open("train.msa", "rb"))
assert next(stream)[1]["samples"] == {"train": 17, "valid": 6, "test": 8}
_, body = next(stream)
index = body["tensors"]["index"]
assert body["train"] and len(index) == 6 and [ids[i] for i in index] == body["id"], (index, body["id"])
assert list(index) != sorted(index)' "$BATS_TEST_DIRNAME/interop"
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(forge 'if kind == "H": body["splits"] = body.pop("samples")
for which in [body["schema"]] if kind == "H" else [tensors] if kind == "D" else []:
    for name in "index", "vision_lengths", "audio_lengths": del which[name]') >old.msa"
    [ "$status" -eq 0 ]
    msa-load --batch 9 old.msa -o again.msa
    diff <(index_of again.msa | head -n 1) - <<<"train=17 valid=6 test=8 False"
    samples old.msa again.msa "for one in got.values(): del one['index']"
    # One of a stage of one's own may be anything.
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(forge 'if kind == "H": body["schema"]["index"] = {"dtype": "<f4", "shape": [0, 2], "gradient": True}
if kind == "D": tensors["index"] = np.ones((B, 2), "f4")') >odd.msa"
    msa-load --batch 9 odd.msa -o again.msa
    diff <(index_of again.msa | tail -n 1) - <<<"test 0 1 2 3 4 5 6 7"
}

@test "--label: a modality's label in the place of the joint one, which stays where there is no other" {
    msa-load "$GOLDEN/data.pkl" -o plain.msa
    for label in text vision audio; do
        msa-load --label $label "$GOLDEN/data.pkl" -o label.msa
        samples plain.msa label.msa "assert any(one['label'] != one['label_$label'] for one in want.values())
for one in want.values(): one['label'] = one['label_$label']"
        msa-load --label $label plain.msa -o kept.msa
        samples label.msa kept.msa
    done
    msa-synth --family mosi --samples 9,3,3 -o joint.pkl
    line "msa-load joint.pkl >plain.msa && msa-load --label text joint.pkl >label.msa"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    samples plain.msa label.msa
    line "msa-load -v --label text joint.pkl >label.msa"
    [[ $output == *"msa-load: joint.pkl has no labels of text: the joint ones stay"* ]]
}

@test "training on kept features is training behind an encoder that is frozen" {
    mkdir one two three
    line "msa-load --train --epochs 3 --batch 5 --no-shuffle --state one/state.msa $GOLDEN/data.pkl |
        msa-encode --init $GOLDEN/encode.init.safetensors -p one/encode.safetensors --dim 32 --heads 4 \
        --layers text=1,vision=1,audio=2 --dropout 0 --freeze '*' | $(tail_of one)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    msa-load --batch 5 "$GOLDEN/data.pkl" | msa-encode -p one/encode.safetensors -z -o features.msa.gz
    for again in two three; do # computed once, they serve many runs
        line "msa-load --train --epochs 3 --batch 5 --no-shuffle --state $again/state.msa features.msa.gz | $(tail_of $again)"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
        for file in {decompose,predict}.safetensors{,.2,.3} metrics.tsv steps.tsv; do
            cmp "one/$file" "$again/$file"
        done
    done
    line "msa-load --split test features.msa.gz | msa-decompose -p two/decompose.safetensors |
        msa-predict -p two/predict.safetensors | msa-metrics --predictions kept.tsv"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ] # no warning of checkpoints that differ
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p one/encode.safetensors |
        msa-decompose -p two/decompose.safetensors | msa-predict -p two/predict.safetensors | msa-metrics -q --predictions all.tsv"
    [ "$status" -eq 0 ]
    paste <(cut -f 1-4 kept.tsv) <(cut -f 1-4 all.tsv) | awk -F '\t' 'NR > 1 { d = $4 - $8; if ($1 != $5 || d > 1e-5 || d < -1e-5) exit 1 }'
}

@test "the samples of each epoch are shuffled, all of them, and --fraction draws some" {
    msa-load --batch 4 "$GOLDEN/data.pkl" -o kept.msa
    for set in "$GOLDEN/data.pkl" kept.msa; do # the same order, whatever file they come from
        line "msa-load --train --epochs 2 --batch 5 --seed 9 $set | msa-encode -p e --dim 16 --heads 2 | msa-decompose -p d |
            msa-predict -p p | msa-loss | msa-backprop --log $(basename "$set").tsv -q; rm -f e* d p d.? p.?"
        [ "$status" -eq 0 ] || { echo "$output" && false; }
    done
    cmp data.pkl.tsv kept.msa.tsv
    line "msa-load --train --epochs 2 --batch 5 kept.msa | msa-dump -t --values --tensor label --report seen |
        msa-encode -p e --dim 16 --heads 2 | msa-decompose -p d | msa-predict -p p | msa-loss | msa-backprop"
    [ "$status" -eq 0 ]
    msa-load --train --epochs 1 --fraction 0.4 kept.msa | "$PYTHON" -c '
import sys
sys.path.insert(0, sys.argv[1])
from read_stream import frames
for kind, body in frames(sys.stdin.buffer):
    if kind == "D":
        assert len(body["id"]) == len(set(body["id"])) == 7, body["id"]
        break' "$BATS_TEST_DIRNAME/interop"
}

@test "what the header says goes on; --standardize and --family of now win" {
    msa-load --standardize --family mosi "$GOLDEN/data.pkl" -o kept.msa
    msa-load kept.msa | msa-dump -n 1 >shown
    grep -q 'family mosi  range 3' shown
    grep -q standardize shown
    msa-load --family sims kept.msa | msa-dump -n 1 | grep -q 'family sims  range 1'
    line "msa-load $GOLDEN/data.pkl | $(forge 'if kind == "H": body["family"] = ""; body["mine"] = 5') >kept.msa"
    msa-load kept.msa | msa-dump -n 1 >shown
    grep -q 'family sims  range 1' shown
    grep -q 'mine 5' shown
    line "msa-load $GOLDEN/data.pkl | $(forge 'if kind == "H": body["family"] = "cmu"') >kept.msa"
    line "msa-load kept.msa >out.msa"
    failed 1 "the stream names family 'cmu', which is neither sims nor mosi"
    line "msa-load $GOLDEN/data.pkl | msa-encode --init $GOLDEN/encode.init.safetensors --dim 32 --heads 4 -o h.msa"
    line "msa-load --standardize h.msa >out.msa"
    failed 1 "--standardize: no 'text', 'vision' or 'audio' in h.msa"
}

@test "a cut stream is 4, a damaged one 3 or seems cut: one line, and no record" {
    msa-load --split test --batch 3 "$GOLDEN/data.pkl" -o plain
    gzip -k plain
    "$PYTHON" - <<'END'
import subprocess
for name in "plain", "plain.gz":
    whole = open(name, "rb").read()
    def check(data, *statuses):
        open("bad", "wb").write(data)
        r = subprocess.run(["msa-load", "bad"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        assert r.returncode in statuses and r.stderr.count(b"\n") == 1 and r.stderr.startswith(b"msa-load: "), (name, len(data), r)
        assert b"label" not in r.stdout, "a record"
    for n in [1, 2, 17, 18, 19, *range(20, len(whole), 301), len(whole) - 1]:
        check(whole[:n], 4)
    for bit in range(0, 8 * len(whole), 2003):
        if name == "plain.gz" and bit < 80:
            continue  # gzip's header, most of which means nothing
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        check(bytes(data), 3, 4)  # a greater length, of a frame or inflated, makes it seem cut
    check(whole + b"xyz", 3)
END
}

@test "streams that are no data set" {
    refused 1 "kept.msa: a recording of a training, whose epochs repeat the samples" 'if kind == "H": body["mode"] = "train"'
    refused 3 "frame 0: mode 'back' but expected a stream of records" 'if kind == "H": body["mode"] = "back"'
    refused 3 "frame 1: split 'dev' but expected train, valid or test" 'if kind == "D": body["split"] = "dev"'
    refused 3 "frame 1, tensor 'audio': not there, but the header promised it" 'if kind == "D": del tensors["audio"]'
    refused 3 "frame 3, tensor 'text': <f8 [4," 'if kind == "D" and body["step"] == 2: tensors["text"] = tensors["text"].astype("f8")'
    refused 3 "frame 2, tensor 'new': not in the records before" 'if kind == "D" and body["step"] == 1: tensors["new"] = np.ones(B)'
    refused 3 "frame 2: 'raw_text' is not there, but in the records before" 'if kind == "D" and body["step"] == 1: del body["raw_text"]'
    refused 3 "frame 2: 'raw_text' is there, but not in the records before" 'if kind == "D" and body["step"] == 0: del body["raw_text"]'
    refused 3 "frame 1: 'raw_text' has 1 samples but expected 4" 'if kind == "D": body["raw_text"] = ["alone"]'
    refused 3 "frame 1: 'raw_text' has an item that is not a str" 'if kind == "D": body["raw_text"] = [1] * B'
    refused 3 "frame 1: 4000000000 samples in a body of" 'if kind == "D": del body["id"], body["raw_text"]; body["tensors"] = {"x": np.ones((4000000000, 0))}
if kind == "H": body["schema"] = {}'
    refused 3 "kept.msa: no samples" 'if kind == "D": body["id"] = body["raw_text"] = []; body["tensors"] = {name: x[:0] for name, x in tensors.items()}'
    refused 3 "header: 'label' is <f4 [0,1] but expected <f4 of rank 1" 'if kind == "H": body["schema"]["label"]["shape"] = [0, 1]
if kind == "D": tensors["label"] = tensors["label"][:, None]'
    refused 3 "train: samples 0 and 4 are both called 'same'" 'if kind == "D": body["id"][0] = "same"'
    refused 3 "valid: sample 0, 'label': nan but expected a finite number" 'if kind == "D" and body["split"] == "valid": tensors["label"] = tensors["label"] * np.nan'
    line "msa-load --split valid kept.msa >out.msa"
    failed 3 "valid: sample 0, 'label': nan"
    line "msa-load --split train kept.msa >out.msa" # a split that is not used may have any
    [ "$status" -eq 0 ]
    line "msa-load kept.msa --split test --non-finite fail | $(forge 'if kind == "D": tensors["audio"] = tensors["audio"] * np.nan') >kept2.msa"
    [ "$status" -eq 0 ]
    line "msa-load kept2.msa --non-finite fail | cat >kept3.msa"
    line "msa-load kept3.msa >out.msa"
    failed 3 "the stream is not whole, for a program failed: msa-load: kept2.msa: test: sample 0, 'audio', frame 0, feature 0: nan"
}

@test "streams that are less than ours, but a data set" {
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(forge 'if kind == "D": del body["split"], body["id"], body["step"]') >kept.msa"
    msa-load kept.msa -o out.msa
    msa-dump out.msa | grep -c 'split test' | grep -qx 1
    msa-dump --json out.msa | grep -q '"test/30"'
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(forge 'if kind == "H": body["schema"] = {}') >kept.msa"
    msa-load --batch 4 kept.msa -o out.msa
    samples kept.msa out.msa
}

@test "a temporary file that cannot be: one line, 1" {
    msa-load -z "$GOLDEN/data.pkl" -o kept.gz
    TMPDIR=$PWD/nowhere line "msa-load kept.gz >out.msa"
    failed 1 "cannot write a temporary file in '$PWD/nowhere': No such file or directory"
    mkdir full
    line "(ulimit -f 1; trap '' XFSZ; TMPDIR=$PWD/full msa-load kept.gz >/dev/null)"
    failed 1 "cannot write a temporary file in '$PWD/full': File too large ("
    [ -z "$(ls full)" ]
}
