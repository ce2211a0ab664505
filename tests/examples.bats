#!/usr/bin/env bats
# Every example of the man pages, of the programs' --help and of the README works; tests/examples.py says what is done
# to make a script of each.
load helper
load bert_set.bash

# What an example finds: a data set, a run that has been trained on it, a BERT, and what the text around the examples
# calls by other names.
setup_file() {
    load helper
    load bert_set.bash
    export READY=$BATS_FILE_TMPDIR/ready SCRIPTS=$BATS_FILE_TMPDIR/scripts
    mkdir "$SCRIPTS"
    setup_ready
    export MSA_BIN=$BUILD/bin
    "$PYTHON" "$ROOT/tests/examples.py" "$ROOT" "$BUILD/bin" "$SCRIPTS"
    mkdir new
    msa-synth --samples 300,60,60 -o data.pkl
    msa-synth --samples 40,10,10 --family mosi -o unaligned_39.pkl
    bert_set
    mv tiny minilm
    cp unaligned_39.pkl mosi.pkl
    "$PYTHON" - data.pkl unaligned_39.pkl mosi.pkl <<'END'
import pickle, sys
import numpy as np
for path in sys.argv[1:]:
    data, rng = pickle.load(open(path, "rb")), np.random.default_rng(4)
    for split in data.values():
        ids = rng.integers(1, 60, (len(split["id"]), 12))
        split["text_bert"] = np.stack([ids, np.ones_like(ids), np.zeros_like(ids)], 1)
    pickle.dump(data, open(path, "wb"))
    names = {"vision": "visual", "audio": "acoustic", "valid": "val"}
    odd = {names.get(split, split): {names.get(key, key): x for key, x in part.items()} for split, part in data.items()}
    pickle.dump(odd, open("odd.pkl", "wb"))
END
    "$ROOT/pipelines/train" data.pkl run --dim 32 --heads 4 --layers text=1,vision=1,audio=1 --dropout 0.1 --lr 1e-3 \
        --epochs 12 --quiet
    "$ROOT/pipelines/evaluate" run data.pkl --predictions predictions.tsv >/dev/null
    cp run/*.safetensors .
    msa-load --train --epochs 1 data.pkl | msa-dump -t --record in.msa |
        msa-encode -p one.safetensors --dim 16 --heads 2 | msa-dump -t --record out.msa |
        msa-decompose -p two.safetensors | msa-predict -p three.safetensors | msa-loss | msa-backprop
    msa-load data.pkl | tee one.msa >other.msa
    cp -r run one
    cp -r run other
    ln -s "$ROOT/pipelines" "$ROOT/tests" .
    cp "$ROOT/tests/golden/tokenizer/vocab.txt" .
    mkdir path && ln -s "$(command -v "$PYTHON")" path/python3 # one that has the packages
}

# each PATTERN RUN: RUN SCRIPT for each script of that name, in a folder of its own. Says all that fail.
each() {
    local file failed=0
    for file in "$SCRIPTS"/$1; do
        rm -rf "$BATS_TEST_TMPDIR/here"
        cp -r "$READY" "$BATS_TEST_TMPDIR/here"
        cd "$BATS_TEST_TMPDIR/here" || return
        "$2" "$file" >said 2>&1 </dev/null && continue
        failed=1
        echo "--- ${file##*/} fails:"
        cat "$file" said
    done
    return $failed
}
shell() {
    PATH=$PWD/path:$PATH timeout -k 5 200 bash "$1"
}

@test "the examples of the man pages" {
    [ "$(find "$SCRIPTS" -name 'msa*.[0-9]-*.sh' | wc -l)" -ge 20 ]
    each 'msa*.[0-9]-*.sh' shell
}

@test "the examples of --help" {
    each '*--help-*.sh' shell
}

@test "the examples of the README" {
    each 'README.md-*.sh' shell
}

# A stage that passes everything on: its output is the stream, whatever bytes that takes.
python_stage() {
    msa-load --split test data.pkl -o given.msa
    timeout -k 5 60 "$PYTHON" "$1" <given.msa >passed.msa
    # All but the sizes of frames, which depend on padding.
    msa-dump --json --values given.msa | sed 's/"bytes": [0-9]*, //' >given.json
    msa-dump --json --values passed.msa | sed 's/"bytes": [0-9]*, //' | diff given.json - || return
    python_without_reader "$1" <given.msa
}
@test "the examples in Python" {
    each '*.py' python_stage
}

# --- that nothing is passed over ---

# Extracts from a copy of the source in which `sed -i EDIT FILE` has been done.
edited() {
    rm -rf source scripts
    mkdir source scripts
    cp -r "$ROOT/man" "$ROOT/README.md" source
    sed -i "$1" "source/$2"
    run -"${3:-0}" "$PYTHON" "$ROOT/tests/examples.py" source "$BUILD/bin" scripts
}

@test "an example that is new is run, and fails when it is wrong" {
    edited '/^\.Sh EXAMPLES/a .Dl msa-load --split tset data.pkl' man/msa-load.1
    SCRIPTS=$PWD/scripts
    run each 'msa-load.1-4.sh' shell # behind those of the description
    [ "$status" -eq 1 ]
    [[ $output == *"msa-load.1-4.sh fails"*"'tset' is none of"* ]]
}

@test "an example that cannot be made whole, and an exemption of nothing, are errors" {
    edited 's/^    pipelines\/evaluate .*/    ... | tee | .../' README.md 1
    [[ $output == "this part of a line cannot be completed: ... | tee | ..." ]]
    edited 's/^    make demo .*/    make all/' README.md 1
    [[ $output == *"exempt, but no example"* ]]
    edited 's/^msa-load --split valid .*/.Ic msa-load/' man/msa-load.1 1
    [[ $output == "in an example: '.Ic msa-load' is more than this reads" ]]
    edited 's/msa-loss --contrast /msa-loss --kontrast /' README.md 1
    [[ $output == "README.md: msa-loss has no option --kontrast" ]]
    edited '/^\.Sh EXAMPLES/,/^\.Sh EXIT/{/^\.[BE]d/d}' man/msa-gdwg.1 1
    [[ $output == "msa-gdwg.1 has no examples" ]]
}
