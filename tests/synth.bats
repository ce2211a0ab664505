#!/usr/bin/env bats
# msa-synth: what Python finds in its data sets, that they follow from the options alone, and what it refuses.
# The quoted programs are Python's.
# shellcheck disable=SC2016
load helper

# Statements about the data set FILE, which is `d`; np and the splits' names are there.
holds() {
    "$PYTHON" -W error - "$1" <<PYTHON
import pickle, sys
import numpy as np
splits = "train", "valid", "test"
with open(sys.argv[1], "rb") as f:
    d = pickle.load(f)
    assert f.read() == b""
$2
PYTHON
}

@test "Python reads what it writes: keys, types, shapes" {
    msa-synth --samples 20,6,7 -o set.pkl
    holds set.pkl '
assert [len(d[s]["id"]) for s in splits] == [20, 6, 7]
for s in splits:
    p = d[s]
    n = len(p["id"])
    assert p["text"].shape == (n, 10, 16) and p["text"].dtype == np.float32
    assert p["vision"].shape == (n, 12, 12) and p["vision"].dtype == np.float64
    assert p["audio"].shape == (n, 16, 8) and p["audio"].dtype == np.float64
    assert len(set(p["id"])) == n and all("$_$" in i for i in p["id"])
    assert p["text_bert"].shape == (n, 3, 12) and p["text_bert"].dtype == np.int64
    y = p["regression_labels"]
    assert list(p["annotations"]) == [("Negative", "Neutral", "Positive")[int(np.sign(v)) + 1] for v in y]'
}

@test "frames behind a sequence are zero, those in it are not, and the lengths say so" {
    msa-synth --samples 30,5,5 --frames audio=9 -o set.pkl
    holds set.pkl '
for s in splits:
    for key in "vision", "audio":
        x, lengths = d[s][key], np.array(d[s][key + "_lengths"])
        real = np.arange(x.shape[1]) < lengths[:, None]
        assert (np.abs(x).sum(2) > 0).tolist() == real.tolist()
        assert lengths.min() >= x.shape[1] // 2 and len(set(lengths)) > 1
assert d["train"]["audio"].shape[1] == 9'
}

@test "labels lie on the grid and in the range of the family" {
    msa-synth --samples 200,0,10 -o sims.pkl
    holds sims.pkl '
for key in "", "_T", "_V", "_A":
    y = d["train"]["regression_labels" + key]
    assert y.dtype == np.float32 and np.abs(y).max() <= 1 and len(set(y)) == 11
    assert np.abs(y * 5 - np.round(y * 5)).max() < 1e-6
assert len(d["valid"]["id"]) == 0'
    msa-synth --family mosi --samples 200,5,5 -o mosi.pkl
    holds mosi.pkl '
y = d["train"]["regression_labels"]
assert 2 < np.abs(y).max() <= 3 and "regression_labels_T" not in d["train"]'
}

@test "the joint label needs all three modalities" {
    msa-synth --samples 2000,5,5 -o set.pkl
    holds set.pkl '
p = d["train"]
y = p["regression_labels"]
alone = [np.corrcoef(p["regression_labels_" + k], y)[0, 1] ** 2 for k in "TVA"]
assert all(.25 < a < .4 for a in alone), alone
x = np.stack([p["regression_labels_" + k] for k in "TVA"] + [np.ones(2000)], 1)
rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
assert 1 - rest.var() / y.var() > .9'
}

@test "what is said shows the hidden number of text, in the ids of the vocabulary as in words" {
    msa-synth --samples 500,5,5 --bert bert -o set.pkl
    holds set.pkl '
words = open("bert/vocab.txt").read().split("\n")[:-1]
assert words[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] and len(set(words)) == len(words)
first, last = words.index("atrocious"), words.index("perfect")
p = d["train"]
ids, mask, segments = p["text_bert"].transpose(1, 0, 2)
assert not segments.any() and ((ids != 0) == mask).all()
shown = []
for row, n, raw, x in zip(ids, mask.sum(1), p["raw_text"], p["text"]):
    assert [words[i] for i in row[:n]] == ["[CLS]"] + raw.split(" ") + ["[SEP]"]
    assert n - 2 == (np.abs(x).sum(1) > 0).sum()
    valences = [i - (first + last) / 2 for i in row if first <= i <= last]
    assert len(valences) == -(-(n - 2) // 3)
    shown.append(np.mean(valences))
assert np.corrcoef(shown, p["regression_labels_T"])[0, 1] > .95
assert abs(np.corrcoef(shown, p["regression_labels_V"])[0, 1]) < .15'
}

@test "msa-tokenize makes of the words the ids that are there" {
    msa-synth --samples 5,5,40 --bert bert -o set.pkl
    msa-load --split test set.pkl -o given.msa
    msa-tokenize --vocab bert/vocab.txt --length 12 -o made.msa given.msa
    for stream in given made; do
        msa-dump --json --values --tensor text_bert $stream.msa | jq -c 'select(.kind == "D").tensors' >$stream.json
    done
    [ -s given.json ]
    cmp given.json made.json
}

@test "--calm: a joint label of 0, which every modality tells, and no label of a modality" {
    msa-synth --samples 2000,5,5 -o plain.pkl
    msa-synth --samples 2000,5,5 --calm 0.3 --bert bert -o calm.pkl
    holds calm.pkl '
p = d["train"]
plain = pickle.load(open("plain.pkl", "rb"))["train"]
calm = plain["regression_labels"] != p["regression_labels"]
assert (p["regression_labels"][calm] == 0).all() and .2 < calm.mean() < .3
for k in "TVA":
    assert (p["regression_labels_" + k] == plain["regression_labels_" + k]).all()
for k in "text", "vision", "audio":
    added = (p[k] - plain[k]).astype(float)
    real = np.abs(plain[k]).sum(2) > 0
    norms = np.sqrt((added**2).sum(2))
    assert np.allclose(norms[calm], 8 * real[calm], atol=1e-4)
    assert np.allclose(added[calm][:1, :1], added[calm][:, :1], atol=1e-4)
hedged = np.array(["maybe" in t or "perhaps" in t or "somehow" in t for t in p["raw_text"]])
assert hedged[calm].mean() > .5
assert not hedged[(p["regression_labels"] != 0)].any()'
}

@test "the BERT follows from the seed, and trains in a line" {
    msa-synth --samples 60,10,10 --bert one -o set.pkl
    msa-synth --samples 60,10,10 --bert two -o set.pkl
    msa-synth --samples 60,10,10 --seed 2 --bert other -o other.pkl
    [ "$(ls one)" = $'config.json\nmodel.safetensors\nvocab.txt' ]
    diff -r one two
    cmp one/config.json other/config.json
    run -1 cmp -s one/model.safetensors other/model.safetensors
    mkdir trained
    line "msa-load --train --epochs 1 set.pkl | msa-encode --bert one -p trained/e --heads 4 | msa-decompose -p trained/d |
        msa-predict -p trained/p | msa-loss -q | msa-gdwg | msa-backprop"
    [ "$status" -eq 0 ]
    line "msa-load set.pkl | msa-encode -p trained/e | msa-dump --tensor h_text"
    [[ $output = *h_text* ]]
}

@test "a folder for the BERT that cannot be made is an error" {
    run -1 msa-synth --samples 3,3,3 --bert missing/bert -o set.pkl
    [ "$output" = "msa-synth: cannot make 'missing/bert': No such file or directory" ]
    [ ! -e set.pkl ]
}

@test "the same options give the same bytes, to a file or a pipe; another seed others" {
    msa-synth --samples 9,3,3 -o a.pkl
    msa-synth --samples 9,3,3 >b.pkl
    cmp a.pkl b.pkl
    msa-synth --samples 9,3,3 --seed 2 >c.pkl
    run cmp -s a.pkl c.pkl
    [ "$status" -eq 1 ]
}

@test "msa-load reads it, empty splits left out" {
    msa-synth --samples 9,0,4 -o set.pkl
    msa-load set.pkl >set.msa
    msa-load --split test --batch 2 set.pkl >test.msa
    run msa-load --split valid set.pkl
    [ "$status" -ne 0 ]
    msa-synth --samples 1,1,1 --frames text=1489 --width text=1 -o long.pkl # the longest text that is read
    msa-load long.pkl >long.msa
}

@test "wrong options are refused, and leave no file" {
    for options in "--samples 0,0,0" "--samples 500000,9999,9999" "--samples 3,4" "--samples 3,4,5,6" "--samples 3,4,x" "--frames video=3" "--frames text=0" \
        "--frames text=1490" "--width audio=x" "--noise -1" "--calm x" "--family cmu" "-z"; do
        # shellcheck disable=SC2086
        run msa-synth $options -o set.pkl
        [ "$status" -eq 2 ]
        [ ! -e set.pkl ]
    done
}

@test "a terminal is refused, a closed pipe is silent" {
    script -qec true /dev/null || skip "no pseudo-terminals here"
    run script -qec "msa-synth" /dev/null
    [ "$status" -eq 2 ]
    [[ $output == *"not written to a terminal"* ]]
    line "msa-synth --samples 20000,5,5 | head -c 100 >/dev/null"
    [ "$status" -eq 141 ]
    [ -z "$output" ]
}
