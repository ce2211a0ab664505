#!/usr/bin/env bats
# Labels that are not of the family that a set is taken for, and parameters of another.
# shellcheck disable=SC2154,SC2030,SC2031 # run sets stderr; each test is a shell of its own
load helper

# label_sets: from data.pkl, which msa-synth makes, sets of other labels. In Python, scaled(FACTOR, KEYS) is data.pkl with
# these labels times that, write(NAME, set) a pickle.
label_sets() {
    msa-synth --samples 24,8,8 --seed 3 -o data.pkl
    cat >sets.py <<'END'
import pickle
import numpy as np
data = pickle.load(open("data.pkl", "rb"))
joint, single = "regression_labels", ["regression_labels_" + m for m in "TVA"]
def scaled(factor, keys, splits=("train", "valid", "test")):
    return {s: {k: v * factor if k in keys and s in splits else v for k, v in part.items()} for s, part in data.items()}
def without(data, keys):
    return {s: {k: v for k, v in part.items() if k not in keys} for s, part in data.items()}
def count(data, splits, most):
    return sum(int((np.abs(part[k]) > most).sum()) for s, part in data.items() for k in (joint, *single)
               if s in splits and k in part)
def write(name, data):
    pickle.dump(data, open(name, "wb"), 4)
END
}

@test "labels outside of the family's range are counted once, with the farthest and a remedy" {
    label_sets
    "$PYTHON" -c '
from sets import *
for name, keys in ("all", [joint, *single]), ("joint", [joint]), ("vision", single[1:2]):
    write(name + ".pkl", scaled(2.5, keys))
    print(count(scaled(2.5, keys), ("train", "valid", "test"), 1), count(scaled(2.5, keys), ("test",), 1),
          file=open(name, "w"))'
    for name in all joint vision; do
        read -r all test <"$name"
        for options in "--split all" "--info" "--split test" "--train --check"; do
            n=$all
            [[ $options != *test ]] || n=$test
            # shellcheck disable=SC2086 # several
            run -0 --separate-stderr bash -c "msa-load $options $name.pkl | true"
            [[ $stderr =~ ^"msa-load: warning: $name.pkl: $n label"s?" outside -1 to 1, the range of family sims; the farthest from 0 is "-?[0-9.]+" (labels as in MOSI or MOSEI: --family mosi)"$ ]] ||
                { echo "$options: $stderr" && false; }
        done
        run -0 --separate-stderr msa-load -q "$name.pkl" -o out
        [ -z "$stderr" ]
        run -0 --separate-stderr msa-load --family mosi "$name.pkl" -o out
        [ -z "$stderr" ]
    done
}

@test "labels at the ends of the range are inside, those of no family have no remedy, kept streams are looked at too" {
    label_sets
    "$PYTHON" -c '
from sets import *
write("three.pkl", without(scaled(3, [joint]), single))
write("four.pkl", without(scaled(4, [joint]), single))
write("seven.pkl", scaled(7, [joint], ("valid",)))
edge = scaled(1, [])
edge["test"][joint] = np.where(np.arange(8) % 2, np.float32(1.0000001), np.float32(-1))
write("edge.pkl", edge)'
    for file in data three edge "$GOLDEN/data"; do
        run -0 --separate-stderr msa-load "${file%.pkl}.pkl" -o out
        [ -z "$stderr" ] || { echo "$stderr" && false; }
    done
    run -0 --separate-stderr msa-load four.pkl -o four.msa
    [[ $stderr == "msa-load: warning: four.pkl: "*" labels outside -3 to 3, the range of family mosi; the farthest from 0 is "*4 ]]
    run -0 --separate-stderr msa-load four.msa -o out
    [[ $stderr == "msa-load: warning: four.msa: "*" labels outside -3 to 3, "* ]]
    run -0 --separate-stderr msa-load seven.pkl -o out
    [[ $stderr == *"labels outside -1 to 1, the range of family sims; the farthest from 0 is "* && $stderr != *"--family mosi"* ]]
    run -0 --separate-stderr msa-load --split train seven.pkl -o out
    [ -z "$stderr" ]
}

@test "msa-metrics --from-tsv: labels outside of the family that is given" {
    printf 'label\tprediction\n0.5\t0.25\n-2\t1\n1\t0\n' >p.tsv
    run -0 --separate-stderr msa-metrics --from-tsv p.tsv --family sims
    [ "$stderr" = "msa-metrics: warning: p.tsv: 1 label outside -1 to 1, the range of family sims; the farthest from 0 is -2 (labels as in MOSI or MOSEI: --family mosi)" ]
    run -0 --separate-stderr msa-metrics --from-tsv p.tsv --family mosi
    [ -z "$stderr" ]
    run -0 --separate-stderr msa-metrics -q --from-tsv p.tsv --family sims
    [ -z "$stderr" ]
}

# A tiny model of data.pkl in run/.
trained() {
    line "msa-load -q --train --epochs 1 --batch 8 data.pkl | msa-encode --dim 16 --heads 2 -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-loss | msa-backprop"
    [ "$status" -eq 0 ]
}

@test "parameters of another family: one warning, which names both; none where they are of one" {
    label_sets
    "$PYTHON" -c '
from sets import *
write("mosi.pkl", without(scaled(3, [joint]), single))
write("none.pkl", without(scaled(3, []), [joint, *single]))'
    trained
    model="msa-encode -p run/encode.safetensors | msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors"
    line "msa-load --split test mosi.pkl | $model | msa-metrics -o scores"
    [ "$status" -eq 0 ]
    [ "$output" = "msa-encode: warning: run/encode.safetensors was trained on family sims, but the data set is of family mosi: labels and predictions are on different scales (msa-load --family says what a data set is of)" ]
    for set in data.pkl none.pkl; do
        line "msa-load --split test $set | $model | msa-metrics --each -o scores"
        [ "$status" -eq 0 ]
        [ -z "$output" ]
    done
    # Of features that were kept too, by the first that finds it, and anew by the stages of another line.
    line "msa-load --split test mosi.pkl | msa-encode -q -p run/encode.safetensors -o kept.msa"
    line "msa-decompose -p run/decompose.safetensors kept.msa | msa-predict -p run/predict.safetensors | msa-metrics -o scores"
    [[ $output == "msa-decompose: warning: run/decompose.safetensors was trained on family sims, "* ]] # it has not been said
    [ "${#lines[@]}" -eq 1 ]
    line "msa-load --split test mosi.pkl | msa-encode -p run/encode.safetensors -o kept.msa"
    line "msa-decompose -p run/decompose.safetensors kept.msa | msa-predict -p run/predict.safetensors | msa-metrics -o scores"
    [ -z "$output" ]
    line "msa-load kept.msa | msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-metrics -o scores"
    [[ $output == "msa-decompose: warning: run/decompose.safetensors was trained on family sims, but the data set is of family mosi: "* ]]
    [ "${#lines[@]}" -eq 1 ]
    # Parameters to begin with may be of another: that is what transfer is.
    line "msa-load -q --train --epochs 1 --batch 8 mosi.pkl | msa-encode --dim 16 --heads 2 --init run/encode.safetensors -p new.safetensors |
        msa-decompose -p new2.safetensors | msa-predict -p new3.safetensors | msa-loss | msa-backprop"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "a family that was given is the run's: evaluate, predict and --resume are told nothing" {
    export MSA_BIN=$BUILD/bin
    label_sets
    "$PYTHON" -c '
from sets import *
write("three.pkl", scaled(3, [joint, *single]))'
    small=(--dim 16 --heads 2 --epochs 2 --batch 8 --select mae --select-after 0)
    run -0 --separate-stderr "$ROOT/pipelines/train" three.pkl run --family mosi "${small[@]}"
    [[ $stderr != *warning* ]]
    cp -r run before
    run -0 --separate-stderr "$ROOT/pipelines/evaluate" run three.pkl --tsv
    [ -z "$stderr" ]
    [ "$output" = "$(cat run/test.tsv)" ]
    run -0 --separate-stderr "$ROOT/pipelines/evaluate" run three.pkl --family sims --tsv
    [[ $stderr == *"labels outside -1 to 1"*"was trained on family mosi, but the data set is of family sims"* ]]
    run -0 --separate-stderr "$ROOT/pipelines/evaluate" run three.pkl --family sims --tsv --quiet
    [ -z "$stderr" ]
    run -0 --separate-stderr "$ROOT/pipelines/predict" run three.pkl
    [ -z "$stderr" ]
    run -0 --separate-stderr "$ROOT/pipelines/train" three.pkl run "${small[@]}" --resume
    [[ $stderr != *warning* ]]
    cmp run/predict.safetensors before/predict.safetensors
    run -0 --separate-stderr "$ROOT/pipelines/train" three.pkl guessed "${small[@]}"
    [ "$(grep -c "labels outside -1 to 1" <<<"$stderr")" -eq 1 ]
    # what is so of test alone is said too, before the training
    "$PYTHON" -c '
from sets import *
write("test.pkl", scaled(3, [joint], ["test"]))
for name, key, value in ("nan.pkl", joint, float("nan")), ("twice.pkl", "id", data["test"]["id"][1]):
    part = dict(data["test"])
    part[key] = part[key].copy()
    part[key][0] = value
    write(name, {**data, "test": part})'
    for script in "train test.pkl new --epochs 1" "train test.pkl never --check" "pretrain test.pkl never --check"; do
        # shellcheck disable=SC2086 # words of their own
        run -0 --separate-stderr "$ROOT/pipelines/"$script --dim 16 --heads 2
        [ "$(grep -c "labels outside -1 to 1" <<<"$stderr")" -eq 1 ]
    done
    for set in nan twice; do
        for script in train pretrain; do
            run -3 "$ROOT/pipelines/$script" $set.pkl never "${small[@]}"
            [[ ${#lines[@]} -eq 1 && $output == "msa-load: $set.pkl: test: "* ]] || { echo "$output" && return 1; }
        done
    done
    [ ! -e never ]
}
