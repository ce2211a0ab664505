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
    [ -z "$output" ]
    "$PYTHON" "$ROOT/tests/oracle/compare.py" "$GOLDEN" run
    [ "$(wc -l <"$ROOT/tests/interop/loss_stage.py")" -lt 80 ]
}

@test "a loss stage in Python that fails ends the line" {
    line "$(golden_load) | $(golden_model) | $PYTHON -c 'import sys; sys.stdin.buffer.read(1000); sys.exit(7)' | msa-gdwg |
        msa-backprop"
    [ "$status" -ne 0 ]
    [ "$(grep -c '^msa-' <<<"$output")" -eq 1 ]
}
