# A data set with names of its own: shared by names*.bats.
# shellcheck shell=bash disable=SC2034

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
