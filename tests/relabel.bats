#!/usr/bin/env bats
# msa-relabel: labels of modalities that a training makes itself. That Self-MM's line is PyTorch's, models.bats says; that it
# goes on after a kill, models_any.bats.
# shellcheck disable=SC2154 # what model sets
load helper
load models.bash

# A line of heads of modalities; $1: what stands in front of msa-relabel, $2: msa-relabel, $3: options of msa-load. The file
# seen.msa has its records.
relabelled() {
    model mlf-dnn
    rm -f run/*
    line "$(joined "${filters[@]}" | sed -E "s#msa-load #&${3-} #; s# --(log|init) [^ ]*##g
        s#\| msa-loss#| ${1:+$1 |} ${2:-msa-relabel} | msa-dump -t -q --record seen.msa &#")"
}

# NumPy goes through what was recorded, without running sums: LIMIT, and a file of labels by epoch. Says how far labels went.
replayed() {
    "$PYTHON" - "$ROOT/tests/interop" "$1" "${2-}" <<'END_OF_PYTHON'
import json, sys
sys.path[:0] = [sys.argv[1]]
import numpy as np
from read_stream import frames

limit, golden = float(sys.argv[2]), sys.argv[3]
records = [body for kind, body in frames(open("seen.msa", "rb")) if kind == "D"]
trained = [r for r in records if r["train"]]
mods = [m for m in ("text", "vision", "audio") if "f_" + m in trained[0]["tensors"]]
assert all(("label_" + m in r["tensors"]) == r["train"] for r in records for m in mods)
label, feature, centre = {}, {}, {}
nearer = lambda f, c: (np.linalg.norm(f - c[1]) - np.linalg.norm(f - c[0])) / (np.linalg.norm(f - c[0]) + 1e-8)
kept = json.load(open(golden))["notes"]["pseudo_labels"] if golden else []
for r in trained:
    t = {name: x.astype("f8") for name, x in r["tensors"].items()}
    now, epoch = {m: t["f" if m == "" else "f_" + m] for m in ["", *mods]}, r["epoch"]
    for b, i in enumerate(r["tensors"]["index"]):
        for m in ["", *mods]:
            label.setdefault(m, {}).setdefault(i, t["label"][b])
        for m in mods:
            assert abs(t["label_" + m][b] - label[m][i]) < 1e-4, (epoch, m, i, t["label_" + m][b], label[m][i])
            assert abs(t["weight_" + m][b] - np.tanh(abs(label[m][i] - label[""][i]))) < 1e-4
            if golden and epoch > 1:
                assert abs(t["label_" + m][b] - kept[epoch - 2][m][i]) < 1e-5, (epoch, m, i)
            if epoch > 1 and all(c is not None for c in centre[""] + centre[m]):
                y, d, f = t["label"][b], nearer(now[m][b], centre[m]), nearer(now[""][b], centre[""])
                made = np.clip(.5 * d / (f + 1e-8) * y + .5 * (y + d - f), -limit, limit)
                label[m][i] = (epoch - 1) / (epoch + 1) * label[m][i] + 2 / (epoch + 1) * made
    for m, x in now.items():
        feature.setdefault(m, {}).update(zip(r["tensors"]["index"], x))
        sides = [[feature[m][i] for i in feature[m] if sign * label[m][i] > 0] for sign in (1, -1)]
        centre[m] = [np.mean(side, 0) if side else None for side in sides]
print(max(abs(x - label[""][i]) for m in mods for i, x in label[m].items()))
END_OF_PYTHON
}

refused() { # STATUS MESSAGE, of msa-relabel
    [[ $output == "msa-relabel: "*"$2" ]] || { echo "$output" && return 1; }
    [[ " $(cat statuses) " == *" $1 "* ]]
}

@test "Self-MM's labels are PyTorch's, behind each epoch" {
    model self-mm
    line "$(joined "${filters[@]}" | sed "s#| msa-loss#| msa-dump -t -q --record seen.msa &#")"
    [ "$status $output" = "0 " ] || { echo "$output" && false; }
    replayed 1 "$G/expected.json"
    "$PYTHON" - "$ROOT/tests/interop" "$G/expected.json" <<'END' # behind the last one they are in the commit
import json, sys
sys.path[:0] = [sys.argv[1]]
import numpy as np
from read_stream import frames
state = next(body for kind, body in frames(open("run/state.msa", "rb")) if kind == "C")["state"]
kept = next(x for key, x in state.items() if key.endswith(":msa-relabel"))
for m, want in json.load(open(sys.argv[2]))["notes"]["pseudo_labels"][-1].items():
    if m != "epoch":
        assert np.abs(kept["labels_" + m] - want).max() < 1e-5, m
END
}

@test "labels are what NumPy makes of the records: shuffled, in place of real ones, within a limit, of two modalities" {
    for each in "1||" "0.3|msa-relabel --limit .3|" "1||--drop text"; do
        IFS='|' read -r limit program load <<<"$each"
        relabelled '' "$program" "$load --seed 4"
        [ "$status $output" = "0 " ] || { echo "$output" && false; }
        [ "$(replayed "$limit" | awk '{ print ($1 > .05) }')" -eq 1 ]
    done
}

@test "a side that no sample is on has no centre, and labels stay" {
    relabelled "$(forge 'if kind == "D": tensors["label"] = abs(tensors["label"]) + np.float32(.1)')"
    [ "$status $output" = "0 " ] || { echo "$output" && false; }
    [ "$(replayed 1)" = 0.0 ]
}

@test "the same line learns from the set's own labels without it, and evaluation passes it" {
    relabelled '' cat
    cp run/predict.safetensors own
    relabelled
    run ! cmp own run/predict.safetensors
    line "msa-load --split test $G/data.pkl | $(networks 's/ --(init|dropout|lr-scale|decay) [^ ]*//g') -o a.msa; msa-relabel a.msa -o b.msa"
    [ "$status $output" = "0 " ]
    diff <(msa-dump --json --values a.msa | grep -v '"kind": "H"') <(msa-dump --json --values b.msa | grep -v '"kind": "H"')
}

@test "one line says what it cannot go on with" {
    header() { # PYTHON STATUS MESSAGE; in front of msa-fuse, so that msa-relabel stands behind a stage that waits for others
        model mlf-dnn
        line "$(joined "${filters[@]}" | sed -E "s# --log [^ ]*##g; s#\| msa-fuse#| $(forge "if kind == \"H\": $1") &#
            s#\| msa-loss#| msa-relabel &#")"
        refused "$2" "$3"
        rm -f run/*
    }
    record() {
        relabelled "$(forge "if kind == \"D\" and body[\"step\"] == 2: $1")"
        refused 3 "frame 3$2"
    }
    line "msa-load --train --epochs 1 $GOLDEN/data.pkl | $(golden_model) | msa-relabel | msa-loss | msa-backprop"
    refused 1 "no f arrives (msa-fuse makes it), which labels are made from"
    rm -f run/*
    model mlf-dnn
    line "$(joined "${filters[@]}" | sed -E "s/ --each [^ ]*//; s#\| msa-loss#| msa-relabel &#")"
    refused 1 "no f_MODALITY arrives (msa-predict --each makes it): there is nothing to label"
    rm -f run/*
    header 'body["schema"].pop("label")' 1 "no labels arrive: there is nothing to make others from"
    header 'body["schema"].pop("index")' 1 "no 'index' arrives, by which samples are known again"
    header 'body.pop("samples"), body.pop("splits", 0)' 1 "the header does not say how many samples train has"
    header 'body["samples"]["train"] = 1 << 40' 1 "for each of 1099511627776 training samples: a checkpoint holds 134217728"
    header 'body.pop("range")' 2 "the range of labels is not known: give --limit"
    record 'tensors["index"] = tensors["index"] * 0 + 7' ", tensor 'index': sample 1 has number 7, as another of the record"
    record 'tensors["index"] = tensors["index"] + 17' ", tensor 'index': [0] is 27 but expected a number from 0, below the 17 samples of split 'train'"
    relabelled "$(forge 'kind == "H" and body["samples"].update(valid=99); kind == "D" and body["step"] == 2 and (body.update(split="valid"), tensors.update(index=tensors["index"] + 17))')"
    refused 3 "frame 3, tensor 'index': sample 0 has number 27 of 17"
    record 'tensors["f_audio"] = tensors["f_audio"] * np.nan' ", tensor 'f_audio': sample 0: nan but expected a number"
    record 'tensors["label"] = tensors["label"] + np.inf' ", tensor 'label': sample 0: inf but expected a number"
    record 'del tensors["label"]' ", tensor 'label': not there, but the header promised it"
}

@test "a training that is resumed has the same limit, and a bank of its size" {
    resumed() { # OPTIONS [PYTHON], of msa-relabel and for headers in front of msa-fuse
        line "$(joined "${filters[@]}" | sed -E "s#msa-load #&--resume #; s# --(log|init) [^ ]*##g; s#\| msa-loss#| msa-relabel ${1-} &#
            s#\| msa-fuse#| $(forge "if kind == \"H\": ${2-pass}") &#")"
    }
    relabelled
    model mlf-dnn
    resumed "--limit 2"
    [[ $output == "msa-relabel: the training that is to be resumed began "*limit* ]] || { echo "$output" && false; }
    resumed '' 'body["samples"]["train"] -= 1'
    [[ $output == "msa-relabel: "*"'known'"* ]] || { echo "$output" && false; }
    resumed
    [ "$status $output" = "0 " ] || { echo "$output" && false; }
}
