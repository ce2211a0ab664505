# Shared by what measures: the seconds between lines, what is in the middle of many, PyTorch.
# shellcheck shell=bash
export LC_ALL=C.UTF-8 # numbers have points, EPOCHREALTIME's too

# The seconds between the lines of stdin, without the first N.
intervals() {
    while read -r _; do echo "$EPOCHREALTIME"; done | awk -v skip="$1" 'NR > skip { printf "%.6f\n", $1 - last } { last = $1 }'
}

# Of the first column of a file.
median() {
    sort -n "$1" | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'
}

# The smallest number of a column, the first unless said.
fastest() {
    sort -n -k "${2:-1}" "$1" | awk -v column="${2:-1}" 'NR == 1 { print $column }'
}

# The seconds that spans cover, those that several do counted once: lines "BEGIN END" in nanoseconds, of which awk's numbers
# hold the last 15 digits.
covered() {
    sort -n | awk '
        function low(time) { return substr(time, length(time) - 14) + 0 }
        { from = low($1); to = low($2) }
        to > end { all += to - (from > end ? from : end); end = to }
        END { printf "%.9f\n", 1e-9 * all }'
}

# A Python that has torch, installed into build/venv (3 GB) where it is not there yet.
torch_python() {
    [ -x build/venv/bin/pip ] || python3 -m venv build/venv
    build/venv/bin/python -c 'import torch' 2>/dev/null || build/venv/bin/pip install --quiet torch numpy
    echo build/venv/bin/python
}
