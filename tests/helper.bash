# Shared by all bats files: programs on PATH, an empty working folder, the golden line.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
export LC_ALL=C.UTF-8 # numbers have points in what the tests call too

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
    BUILD=$(cd "$ROOT" && cd "${O:-.}" && pwd)
    GOLDEN=$ROOT/tests/golden/sims
    PYTHON=/usr/bin/python3
    [ -x $PYTHON ] || PYTHON=python3
    PATH=$BUILD/bin:$PATH
    export ROOT GOLDEN PYTHON PATH
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir run
}

# For setup_file: the folder $BATS_FILE_TMPDIR/ready, which is set up as that of a test, for what all tests of the file need.
setup_ready() {
    local BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR/ready
    mkdir "$BATS_TEST_TMPDIR"
    setup
}

# counting_bin PROGRAM: the folder `counting` with all programs, of which this one writes a line into `calls` for each call.
counting_bin() {
    mkdir counting
    ln -s "$BUILD"/bin/* counting
    rm "counting/$1"
    printf '#!/bin/sh\necho "$*" >>"%s/calls"\nexec "%s" "$@"\n' "$PWD" "$BUILD/bin/$1" >"counting/$1"
    chmod +x "counting/$1"
}

# Runs a command line with pipefail; a hang is a failure. Its output is in $output, its exit status in $status; the file
# statuses has both the line's and each program's.
line() {
    # shellcheck disable=SC2016 # the inner shell expands it
    run timeout -k 5 "${LIMIT:-180}" bash -c "set -o pipefail; $1"'
        echo "$? ${PIPESTATUS[*]}" >statuses; exit "$(cut -d " " -f 1 statuses)"'
}

# What scripts say that they call, in lines of COMMAND:PACKAGE.
script_tools() {
    # shellcheck disable=SC2016 # the inner shell expands it
    bash -c '. "$1/pipelines/common.bash" --help; printf "%s\n" "${tools[@]}"' bash "$ROOT"
}

# script_path COMMAND...: the folder `path` with all of that, the programs, and a shell; but without these commands.
script_path() {
    local tool
    mkdir -p path
    while IFS=: read -r tool _; do
        ln -sf "$(command -v "$tool")" path
    done < <(script_tools)
    ln -sf "$(command -v bash)" "$(command -v env)" "$(command -v dirname)" "$(command -v readlink)" "$BUILD"/bin/* path
    [ $# -eq 0 ] || (cd path && rm "$@")
}

# The same of a program as it was before addresses had tokens, which goes after two seconds.
forge_old_address() {
    forge 'if kind == "H": body["back"] = body["back"].split(":")[0]
else: __import__("time").sleep(2); exit()'
}

# A pipe without a reader, as the descriptor $unread.
open_unread() {
    local pipe both
    pipe=$(mktemp -u -p .)
    mkfifo "$pipe"
    exec {both}<>"$pipe"
    exec {unread}>"$pipe" {both}>&-
}

# python_without_reader SCRIPT ARGUMENT...: on standard input, writing where nobody reads: no word, and status 141, whether or
# not Python keeps back what it writes.
python_without_reader() {
    local given unbuffered status
    given=$(mktemp -p .)
    cat >"$given"
    open_unread
    for unbuffered in '' 1; do
        status=0
        PYTHONUNBUFFERED=$unbuffered timeout -k 5 60 "$PYTHON" "$@" <"$given" 1>&"$unread" 2>said || status=$?
        [[ $status -eq 141 && ! -s said ]] || { echo "$*: $status: $(cat said)" && return 1; }
    done
    exec {unread}>&-
}

# The last four stages of a golden training line, from msa-encode on; options of msa-encode and msa-backprop may be added.
golden_encode() {
    echo "msa-encode --init $GOLDEN/encode.init.safetensors -p run/encode.safetensors --dim 32 --heads 4 \
        --layers text=1,vision=1,audio=2 --dropout 0 ${DEVICE:+--device $DEVICE}"
}
golden_decompose() {
    echo "msa-decompose --init $GOLDEN/decompose.init.safetensors -p run/decompose.safetensors --dropout 0 \
        ${DEVICE:+--device $DEVICE}"
}
golden_predict() {
    echo "msa-predict --init $GOLDEN/predict.init.safetensors -p run/predict.safetensors ${DEVICE:+--device $DEVICE}"
}
golden_model() {
    echo "$(golden_encode) | $(golden_decompose) | $(golden_predict)"
}
golden_load() {
    echo "msa-load --train --epochs 4 --batch 5 --no-shuffle --state run/state.msa $GOLDEN/data.pkl"
}

# golden_part MODEL PROGRAM: that program in the golden line of a small model, working in run/.
golden_part() {
    # shellcheck disable=SC2016 # these are the line's
    "$PYTHON" -c 'import json, sys
golden, program = sys.argv[1:]
line = json.load(open(golden + "/expected.json"))["notes"]["line"]
print(next(part for part in line if part.startswith(program)).replace("$G", golden).replace("$R", "run"))' \
        "$ROOT/tests/golden/models/$1" "$2"
}

# A program that passes a stream on, changed by Python: tests/forge.py.
forge() {
    printf "%s '%s/forge.py' '%s'" "$PYTHON" "$BATS_TEST_DIRNAME" "$1"
}

# golden_data CODE: data.pkl, the golden data set changed by a line of Python.
golden_data() {
    "$PYTHON" -c "import pickle; d = pickle.load(open('$GOLDEN/data.pkl', 'rb')); $1; pickle.dump(d, open('data.pkl', 'wb'))"
}

# unlabelled FILE: that data set without labels of any kind, as unlabelled.pkl.
unlabelled() {
    "$PYTHON" - "$1" <<'END_OF_PYTHON'
import pickle, sys
import numpy.core.multiarray
for name in "numpy.core", "numpy.core.multiarray": # what later versions of NumPy call _core
    sys.modules.setdefault(name.replace("core", "_core", 1), sys.modules[name])
data = pickle.load(open(sys.argv[1], "rb"))
for split in data.values():
    for key in [k for k in split if k.startswith(("regression", "classification"))]:
        del split[key]
pickle.dump(data, open("unlabelled.pkl", "wb"))
END_OF_PYTHON
}
