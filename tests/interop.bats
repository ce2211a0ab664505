#!/usr/bin/env bats
# Python with the stock msgpack and msgpack-numpy packages reads our streams, and takes part in training.
load helper

@test "a stream read as NumPy arrays has the numbers of the pickle" {
    msa-load --split train --batch 5 "$GOLDEN/data.pkl" -o train.msa
    msa-load --split train --batch 5 -z "$GOLDEN/data.pkl" -o train.msa.gz
    "$PYTHON" - "$ROOT" "$GOLDEN" <<'END'
import gzip, pickle, sys
import numpy as np
sys.path.insert(0, sys.argv[1] + "/tests/interop")
from read_stream import frames
data = pickle.load(open(sys.argv[2] + "/data.pkl", "rb"))["train"]
for stream in open("train.msa", "rb"), gzip.open("train.msa.gz"):
    records = [body for kind, body in frames(stream) if kind == "D"]
    for name in ("text", "vision", "audio"):
        got = np.concatenate([r["tensors"][name] for r in records])
        assert got.dtype == np.float32 and (got == data[name].astype(np.float32)).all(), name
    assert (np.concatenate([r["tensors"]["label"] for r in records]) == data["regression_labels"]).all()
    assert sum((r["id"] for r in records), []) == list(data["id"])
END
}

@test "a loss stage in Python gives the golden losses, in a line that trains" {
    LIMIT=120 line "$(golden_load) | $(golden_model) | $PYTHON $ROOT/tests/interop/loss_stage.py | msa-gdwg |
        msa-metrics -q --log run/metrics.tsv | msa-backprop --lr 1e-3 --decay 1e-3 --warmup 1 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [ -z "$output" ] || { echo "$output"; false; }
    "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
    [ "$(wc -l <"$ROOT/tests/interop/loss_stage.py")" -lt 80 ]
}

@test "a loss stage in Python that fails ends the line" {
    line "$(golden_load) | $(golden_model) | $PYTHON -c 'import sys; sys.stdin.buffer.read(1000); sys.exit(7)' | msa-gdwg |
        msa-backprop"
    [ "$status" -ne 0 ]
    [ "$(grep -c '^msa-' <<<"$output")" -eq 1 ]
}

# The stage with parameters, in the place of msa-predict.
predict_stage() {
    echo "$PYTHON $ROOT/tests/interop/predict_stage.py -p run/predict.safetensors"
}

# A training line with it, working in run/, where every other checkpoint is inside a group of records; $1: more options of
# msa-load.
training() {
    echo "msa-load --train --epochs 12 --batch 5 --seed 3 --validate-every 2 --state run/state.msa ${1-} $GOLDEN/data.pkl |
        msa-encode -p run/encode.safetensors --dim 16 --heads 2 --layers text=1,vision=1,audio=1 |
        msa-decompose -p run/decompose.safetensors | $(predict_stage) | msa-loss | msa-gdwg |
        msa-metrics -q --select mae --log run/metrics.tsv | msa-backprop --lr 1e-3 --accumulate 3 --log run/steps.tsv"
}

@test "a stage with parameters in Python gives the golden trajectory; its file serves it and msa-predict" {
    echo mine >run/predict.safetensors.tmp            # of the user
    touch run/predict.safetensors.new-0123456789abcdef # left by one that was killed
    LIMIT=120 line "$(golden_load) | $(golden_encode) | $(golden_decompose) |
        $(predict_stage) --init $GOLDEN/predict.init.safetensors | msa-loss | msa-gdwg | msa-metrics -q |
        msa-backprop --lr 1e-3 --decay 1e-3 --warmup 1 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [ -z "$output" ] || { echo "$output"; false; }
    for predict in "$(predict_stage)" "msa-predict -p run/predict.safetensors"; do
        line "msa-load --split test --batch 3 $GOLDEN/data.pkl | msa-encode -p run/encode.safetensors |
            msa-decompose -p run/decompose.safetensors | $predict | msa-metrics --predictions run/predictions.tsv"
        [ "$status" -eq 0 ]
        "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
    done
    [ "$(cat run/predict.safetensors.tmp)" = mine ]
    [ ! -e run/predict.safetensors.new-0123456789abcdef ]
    [ "$(wc -l <"$ROOT/tests/interop/predict_stage.py")" -lt 120 ]
}

# learn OPTIMIZER PREDICT FILE: the losses of each step of three epochs.
learn() {
    rm -rf run && mkdir run
    line "msa-load --train --epochs 3 --batch 5 --no-shuffle $GOLDEN/data.pkl | $(golden_encode) | $(golden_decompose) |
        $2 --init $GOLDEN/predict.init.safetensors | msa-loss | msa-backprop --lr 1e-2 --warmup 0 --optimizer $1 --log $3"
}

@test "a stage with parameters in Python learns as msa-predict does, with each optimizer" {
    for optimizer in "adamw --amsgrad --beta2 0.5 --decay 0.1" "adam --decay 0.1" "hf-adamw --eps 1e-6 --decay 0.1" \
        "sgd --momentum 0.9 --decay 0.1" "adam --accumulate 2 --decay 0.1 --no-decay 'TVA*.weight'" \
        "sgd --accumulate 2 --clip-value 0.01" "adam --accumulate 3 --clip-value 0.02 --clip-at update"; do
        learn "$optimizer" "msa-predict -p run/predict.safetensors" c.tsv
        [ "$status" -eq 0 ]
        learn "$optimizer" "$(predict_stage)" python.tsv
        [ "$status" -eq 0 ]
        paste c.tsv python.tsv | awk -F '\t' 'NR > 1 { for (i = 1; i <= NF / 2; i++) { d = $i - $(i + NF / 2)
            if (d * d > 1e-8 * $i * $i) { print; exit 1 } } } END { if (NR < 10) exit 1 }'
    done
}

@test "a stage with parameters in Python, and programs around it, are killed, and resumed: the same bytes as if they had not been" {
    mkdir -p whole/run killed/run
    line "cd whole; $(training)"
    [ "$status" -eq 0 ]
    cd killed
    local at program session
    while read -r at program; do
        touch begun
        setsid timeout -k 5 60 bash -c "$(training --resume)" 2>err 3>&- &
        session=$!
        until [ run/steps.tsv -nt begun ] && [ "$(wc -l <run/steps.tsv)" -gt "$at" ]; do sleep 0.02; done
        pkill -9 -x -s "$session" "$program"
        wait "$session" || true
        [ "$(wc -l <run/steps.tsv)" -lt 49 ]
        grep -E '^(msa-|predict_stage.py:)' err >said
        [ "$(wc -l <said)" -eq 1 ] || { echo "$program: $(cat err)" && return 1; }
    done <<<"5 python3
        11 msa-decompose
        12 msa-loss
        20 msa-load
        30 python3
        34 msa-backprop"
    for _ in 1 2; do # the second time there is nothing left to do
        line "$(training --resume)"
        [ "$status" -eq 0 ]
        diff -r ../whole/run run
    done
}

@test "a stage with parameters in Python where others fail: it ends silently, as they do where it fails" {
    line "$(training | sed 's/msa-backprop/& --bogus/')"
    [ "$output" = "msa-backprop: unknown option '--bogus' (see msa-backprop --help)" ]
    [[ $(cut -d " " -f 5 statuses) =~ ^(5|141)$ ]]
    rm -f run/*
    line "$(training | sed 's/msa-decompose/& --bogus/')"
    [ "$output" = "msa-decompose: unknown option '--bogus' (see msa-decompose --help)" ]
    [ "$(cut -d " " -f 5 statuses)" -eq 5 ]
    rm -f run/*
    touch run/predict.safetensors
    line "$(training)"
    [ "$output" = "predict_stage.py: FileExistsError: 'run/predict.safetensors' exists: training would replace it" ]
    [[ $(cut -d " " -f 2-4 statuses) =~ ^(5|141)\ (5|141)\ (5|141)$ ]]
    rm -f run/*
    line "$(golden_load) | $(golden_encode) | $(golden_decompose) | $(predict_stage) | head -c 100 >/dev/null"
    [ -z "$output" ] || { echo "$output"; false; }
    [ "$(cut -d " " -f 5 statuses)" -eq 141 ]
}

@test "a stage in Python refuses an address of the old form, without a token, with one line" {
    line "$(golden_load) | $(golden_encode) | $(golden_decompose) |
        $(forge_old_address) | $(predict_stage) | msa-loss | msa-backprop"
    [ "$(cut -d " " -f 6 statuses)" -eq 1 ]
    [[ $output == "predict_stage.py: RuntimeError: @"*" is not an address with a token" ]]
    [ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "a stage in Python that keeps a file of its own: not gone on from where it was damaged (3)" {
    cat >keeper.py <<'END'
import os, sys
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
from stage import run


class Keeper:
    """Counts updates, in a file."""
    updates = 0

    def header(self, header): pass
    def record(self, record): pass
    def gradient(self, gradient): pass
    def update(self, gradient): self.updates += 1
    def state(self): return {}
    def file(self, number): return f"run/keeper.{number}"
    def save(self, path): open(path, "w").write(f"{self.updates}\n")
    def restore(self, state): pass
    def committed(self, control): pass


sys.exit(run("keeper.py", Keeper()))
END
    kept() { training "$@" | sed "s|msa-loss|$PYTHON keeper.py \| &|"; }
    line "$(kept)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    file=$(echo run/keeper.*[0-9] | tr ' ' '\n' | sort -t . -k 2 -n | tail -n 1)
    line "$(kept --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    sed -i 's/^./x/' "$file"
    line "$(kept --resume)"
    [[ $output == "keeper.py: ValueError: $file: {'bytes': "*", 'crc32': "*"} but the commit has {"*"}: the file was damaged" ]]
    [ "$(cut -d " " -f 6 statuses)" -eq 3 ]
    rm "$file"
    line "$(kept --resume)"
    [[ $output == "keeper.py: FileNotFoundError: "* ]]
}

@test "Python whose reader has gone ends as silently as C" {
    local load="msa-load --split test --batch 3 $GOLDEN/data.pkl" interop=$ROOT/tests/interop
    line "$(golden_load) | $(golden_model) | msa-loss | msa-backprop"
    [ "$status" -eq 0 ]
    $load -o given.msa
    msa-encode -p run/encode.safetensors given.msa -o encoded.msa
    msa-decompose -p run/decompose.safetensors encoded.msa -o features.msa
    msa-predict -p run/predict.safetensors features.msa -o predicted.msa
    msa-synth --samples 4,2,2 --frames text=1 -o pooled.pkl
    msa-load --split test pooled.pkl -o pooled.msa
    python_without_reader "$ROOT/tests/forge.py" '' <given.msa
    python_without_reader "$ROOT/tests/surprise.py" <given.msa
    python_without_reader "$interop/read_stream.py" <given.msa
    python_without_reader "$interop/scalar_stage.py" h_text <encoded.msa
    python_without_reader "$interop/predict_stage.py" -p run/predict.safetensors <features.msa
    python_without_reader "$interop/loss_stage.py" <predicted.msa
    PYTHONPATH=$interop python_without_reader "$ROOT/tests/bench/pooled.py" <pooled.msa
    # on a full disk: one line
    for stage in 'scalar_stage.py h_text <encoded' 'predict_stage.py -p run/predict.safetensors <features' 'loss_stage.py <predicted'; do
        run -1 timeout -k 5 60 bash -c "'$PYTHON' '$interop'/$stage.msa >/dev/full"
        [ "$output" = "${stage%% *}: cannot write stdout: No space left on device" ] || { echo "$output" && return 1; }
    done
}

@test "Python that fails where nobody reads says why, and not that nobody reads" {
    open_unread
    local stage status script
    for stage in loss_stage 'predict_stage -p run/p'; do
        status=0 script=${stage%% *}
        # shellcheck disable=SC2086,SC2154 # words of their own; helper.bash sets unread
        "$PYTHON" "$ROOT/tests/interop/"${stage/stage/stage.py} <"$GOLDEN/data.pkl" 1>&"$unread" 2>said || status=$?
        [[ $status -ne 0 && $status -ne 141 ]]
        [ "$(wc -l <said)" -eq 1 ]
        grep -q "^$script.py: .*not a frame of version 1" said
    done
    exec {unread}>&-
}
