#!/usr/bin/env bats
# msa-load --info: what it says of a data set is what Python finds in it.
# shellcheck disable=SC2154 # run sets stderr
load helper

# A set with all that there is to count, in set.pkl.
odd_set() {
    "$PYTHON" - "$1" <<'END'
import pickle, sys
import numpy as np
rng = np.random.default_rng(5)
def split(n):
    part = {"text": rng.normal(size=(n, 4, 3)).astype("f4"), "vision": rng.normal(size=(n, 6, 2)),
            "audio": np.asfortranarray(rng.normal(size=(n, 9, 5))), "text_bert": rng.integers(0, 9, (n, 3, 4)),
            "regression_labels": np.clip(rng.normal(size=n), -1, 1).astype("f4"), "id": [f"v{i}" for i in range(n)],
            "raw_text": np.array(["some words"] * n), "audio_lengths": [9] * n, "more": {"a": 1}, "none": None}
    if sys.argv[1] == "sims":
        for letter in "TVA":
            part["regression_labels_" + letter] = rng.choice([-1, -.8, -.2, 0, .1, .6, .8, 1], n)
    for i in range(n):
        part["audio"][i, rng.integers(1, 10):] = 0
        part["vision"][i, rng.integers(1, 7):] = 0
    part["audio"][0, 0] = 0
    return part
data = {"train": split(40), "valid": split(7), "test": split(11)}
data["train"]["vision"][3, 0, 1] = np.nan
data["train"]["vision"][4, 0, 1] = np.inf
data["test"]["audio"][2:5, 0, 0] = -np.inf
data["test"]["audio"][6, 0] = -np.inf
data["train"]["id"][5] = data["train"]["id"][30] = "v2"
data["valid"]["regression_labels"][3] = np.nan
pickle.dump(data, open("set.pkl", "wb"), 4)
END
}

# What msa-load --info --json says is what NumPy finds: check INFO.json
check() {
    "$PYTHON" - "$@" <<'END'
import json, pickle, sys
import numpy as np
info, data = json.load(open(sys.argv[1])), pickle.load(open("set.pkl", "rb"))
sims = "regression_labels_T" in data["train"]
assert info["family"] == ("sims" if sims else "mosi") and info["range"] == (1 if sims else 3), info
keys = {"regression_labels": "label", "regression_labels_T": "label_text", "regression_labels_V": "label_vision",
        "regression_labels_A": "label_audio"}

def classes(y):
    y = y[np.isfinite(y)].astype("f4")
    if sims:
        edges = np.array([-.7, -.1, .1, .7], "f4")
        names = "negative weak_negative neutral weak_positive positive".split()
        return dict(zip(names, np.bincount((y[:, None] > edges).sum(1), minlength=5).tolist()))
    return dict(zip(map(str, range(-3, 4)), np.bincount(np.clip(np.round(y), -3, 3).astype(int) + 3, minlength=7).tolist()))

def lengths(x):
    x = np.where(np.isfinite(x), x, 0).astype("f4")
    count = x.astype("f8").sum(2) != 0
    count[:, 0] = True
    n = np.sort(count.sum(1))
    quantile = lambda q: int(n[max(int(np.ceil(q * len(n) / 100)), 1) - 1])
    return {"min": int(n[0]), **{f"p{q}": quantile(q) for q in (5, 25, 50, 75, 95)}, "max": int(n[-1])}, int((~count).sum())

for name, split in data.items():
    if name not in info["splits"]:
        continue
    found = info["splits"][name]
    assert found["samples"] == len(split["id"])
    assert found["duplicate_ids"] == len(split["id"]) - len(set(split["id"])), found
    if info["format"] == "pickle":
        assert set(found["keys"]) == set(split), found["keys"]
        for key, x in split.items():
            if isinstance(x, np.ndarray):
                assert found["keys"][key]["shape"] == list(x.shape), key
                assert found["keys"][key]["dtype"] == x.dtype.str, (key, found["keys"][key])
        assert all(found["keys"][key]["tensor"] == key for key in ("id", "raw_text"))
        assert found["keys"]["none"]["dtype"] == "None" and found["keys"]["more"]["dtype"] == "dict"
    else:
        assert all(found["keys"][key] == {"dtype": "str", "shape": [found["samples"]], "tensor": key}
                   for key in ("id", "raw_text")), found["keys"]
    for key, x in split.items():
        if key not in ("text", "vision", "audio", *keys):
            continue
        t = found["tensors"][keys.get(key, key)]
        kept = info["format"] == "stream"
        assert t["nan"] == (0 if kept else np.isnan(x).sum()) and t["minus_inf"] == (0 if kept else np.isneginf(x).sum()), (key, t)
        assert t["non_finite"] == (0 if kept else (~np.isfinite(x)).sum()), (key, t)
        if key in keys:
            y = x[np.isfinite(x)]
            assert np.allclose([t["min"], t["mean"], t["max"]], [y.min(), y.mean(), y.max()], atol=1e-6), (key, t)
            assert t["histogram"] == classes(x), (key, t, classes(x))
        else:
            want, padding = lengths(x)
            assert t["lengths"] == want and t["padding"] == padding, (name, key, t, want, padding)
END
}

@test "counts of a pickle are NumPy's, of both families; of one split too" {
    for family in sims mosi; do
        odd_set $family
        msa-load --info --json set.pkl >info.json
        check info.json
        [ "$(wc -l <info.json)" -eq 1 ]
        msa-load --info --json --split test set.pkl -o test.json
        check test.json
        "$PYTHON" -c 'import json; assert list(json.load(open("test.json"))["splits"]) == ["test"]'
    done
    msa-load --info --json --family sims set.pkl | grep -q '"family": "sims"'
}

@test "counts of a kept stream are those of the set it was made of, plain and compressed" {
    odd_set mosi
    "$PYTHON" -c 'import pickle; d = pickle.load(open("set.pkl", "rb"))
for s in d.values(): s["id"] = ["v%d" % i for i in range(len(s["id"]))]; s["regression_labels"][3] = 0
pickle.dump(d, open("set.pkl", "wb"), 4)'
    msa-load -q --batch 7 set.pkl -o kept.msa
    msa-load -q -z set.pkl -o kept.gz
    for file in kept.msa kept.gz; do
        msa-load --info --json $file >info.json
        check info.json
    done
    line "msa-load --info kept.gz | head -n 9"
    [ "${lines[0]}" = "kept.gz: a stream, family mosi (labels from -3 to 3)" ]
    [[ "${lines[5]}" =~ ^key\ +train\ +valid\ +test\ +tensor$ ]]
    [[ "${lines[6]}" =~ ^text\ +\<f4\ \[40,4,3\]\ +\<f4\ \[7,4,3\]\ +\<f4\ \[11,4,3\]\ +text$ ]]
}

@test "tables for people, that fit and hold no control characters" {
    odd_set sims
    msa-load --info set.pkl >table
    grep -qx 'train       40  (2 have the id of another)' table
    grep -q '^not finite  split  nan  inf  -inf$' table
    grep -q '^vision      train    1    1     0$' table
    grep -q '^length  split  frames  padding  min  5%  25%  50%  75%  95%  max$' table
    [ "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' table)" -le 120 ]
    "$PYTHON" -c 'import pickle; d = pickle.load(open("set.pkl", "rb"))
for s in d.values(): s["\033[2J" + "x" * 200] = s["é日本"] = 1; s.update({"key%d" % i: i for i in range(1000)})
pickle.dump(d, open("set.pkl", "wb"), 4)'
    msa-load --info set.pkl >table
    run ! grep -q $'\033' table
    grep -q '^and [0-9]* more$' table
    grep -q '^é日本' table
    msa-load --info --json set.pkl | "$PYTHON" -c 'import json, sys; assert json.load(sys.stdin)["keys_left_out"] > 1000'
}

@test "columns stay under their heads, whatever the labels" {
    for labels in 1e38,-1e38,0.5 1e-38,12345.678,-999999.9 nan,inf,3; do
        "$PYTHON" -c 'import pickle, sys; import numpy as np
part = lambda n, y: {"vision": np.full((n, 9, 2), np.nan), "audio": np.zeros((n, 3, 2)), "regression_labels": np.resize(np.array(y, "f4"), n)}
pickle.dump({"train": part(5000, [float(y) for y in sys.argv[1].split(",")]), "test": part(3, 0.)}, open("set.pkl", "wb"))' $labels
        msa-load --info set.pkl >table
        run awk '!NF { table = "" }
            !table && /^(label|length|not finite) / { table = $1; width = length($0) }
            table { rows[table]++; if (length($0) != width) print "not as wide as its head: " $0 }
            END { if (rows["label"] != 3 || rows["length"] != 5 || rows["not"] < 3) print "missing rows" }' table
        [ -z "$output" ]
    done
}

@test "sets without labels, with one sample, with empty splits" {
    "$PYTHON" -c 'import pickle; import numpy as np
pickle.dump({"audio": np.ones((5, 2)), "text": np.ones((3, 4), "f4")}, open("flat.pkl", "wb"))
pickle.dump({"train": {"audio": np.ones((5, 3, 2))}, "valid": {"audio": np.ones((0, 3, 2))}}, open("part.pkl", "wb"))'
    msa-load --info flat.pkl >table
    grep -qx 'flat.pkl: a pickle, without labels' table
    grep -q '^test         1$' table
    grep -qx 'all values are finite' table
    msa-load --info --json part.pkl >info.json
    "$PYTHON" -c 'import json; i = json.load(open("info.json"))
assert i["family"] is None and [i["splits"][s]["samples"] for s in ("train", "valid", "test")] == [5, 0, 0], i
assert i["splits"]["valid"]["keys"]["audio"]["shape"] == [0, 3, 2], i'
}

@test "wrong uses, and closed outputs" {
    msa-synth --samples 4,2,2 -o set.pkl
    line "msa-load --json set.pkl"
    [ "$status" -eq 2 ]
    [[ $output == *"--json goes with --info" ]]
    line "msa-load --info --train set.pkl | cat"
    [ "$status" -eq 2 ]
    [ "$output" = "msa-load: --info loads nothing: leave --train out" ]
    line "msa-load --info nothing.pkl | cat" # no stream of an error follows
    [ "$status" -eq 1 ]
    [ "$output" = "msa-load: cannot read 'nothing.pkl': No such file or directory" ]
    line "msa-load --info set.pkl -o none/table"
    [ "$status" -eq 1 ]
    line "msa-load --info set.pkl >/dev/full"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    line "msa-load --info set.pkl -o table"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ -s table ]
}

@test "--gzip where no stream is written is refused" {
    local command
    msa-load --split test "$GOLDEN/data.pkl" -o test.msa
    printf 'label\tprediction\n1\t1\n' >predictions.tsv
    for command in "msa-load --info '$GOLDEN/data.pkl'" "msa-load --info --json '$GOLDEN/data.pkl' -o out" "msa-dump test.msa" \
        "msa-dump --npy out test.msa" "msa-metrics --family sims --from-tsv predictions.tsv" "msa-synth -o out"; do
        run -2 --separate-stderr bash -c "$command -z"
        [ "$stderr" = "${command%% *}: --gzip: no stream is written, and nothing else is compressed" ] || { echo "$stderr" && false; }
        [ ! -e out ]
    done
    msa-dump -t -z test.msa | gzip -t
    msa-dump -t -z --record kept.msa test.msa -o /dev/null
    msa-dump --replay kept.msa -z | gzip -t
}
