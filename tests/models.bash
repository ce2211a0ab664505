# The baselines' golden lines, as their folders say them: shared by models*.bats.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by those that load this
MODELS='lf-dnn tfn lmf mfn mlf-dnn mtfn misa mag-bert self-mm mult mult-group confede'

# model NAME: $G is its golden folder, $R that of the run, and filters[] its line, a program each.
model() {
    G=$ROOT/tests/golden/models/$1 R=$PWD/run
    export G R
    mapfile -t filters < <("$PYTHON" -c 'import json, sys; print(*json.load(open(sys.argv[1]))["notes"]["line"], sep="\n")' \
        "$G/expected.json")
}

# networks OPTIONS: what the line has between msa-load and msa-loss, with the options that a `sed` script leaves.
networks() {
    local each joined=''
    for each in "${filters[@]:1}"; do
        case $each in msa-loss*) break ;; esac
        joined+=" | $(sed -E "$1" <<<"$each")"
    done
    echo "${joined# | }"
}

# joined FILTER...: as one line.
joined() {
    local all
    all=$(printf ' | %s' "$@")
    echo "${all# | }"
}
