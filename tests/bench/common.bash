# Shared by what measures: the seconds between lines, what is in the middle of many, PyTorch, and whether the machine was idle.
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

# stops_linear TABLE WHAT UNIT FACTOR: where the cost of a unit is first more than FACTOR times the least that it was for
# sizes before; of lines "SIZE COST".
stops_linear() {
    awk -v table="$1" -v what="$2" -v unit="$3" -v factor="$4" '
        least && $2 > factor * least {
            printf "%s: linear up to %s %s; at %s %s costs %.2f times what it does at %s\n", what, table, last, $1, unit, $2 / least, at
            stopped = 1
            exit
        }
        !least || $2 < least { least = $2; at = $1 }
        { last = $1 }
        END {
            if (NR == 0) printf "%s: too little to tell\n", what
            else if (!stopped) printf "%s: linear up to %s %s, the last\n", what, table, last
        }'
}

# A Python that has torch, installed into build/venv (3 GB) where it is not there yet.
torch_python() {
    [ -x build/venv/bin/pip ] || python3 -m venv build/venv
    build/venv/bin/python -c 'import torch' 2>/dev/null || build/venv/bin/pip install --quiet torch numpy
    echo build/venv/bin/python
}

# --- an honest measurement: what the machine can do before and after it, and who else is at work meanwhile

# product_rate THREADS: the operations a second of a product of two large matrices, of SIZE rows (2048); the best of ten.
product_rate() {
    build/obj/bench/rates --device cpu --threads "$1" --size "${SIZE:-2048}" | cut -d ' ' -f 1
}

# What all processors have done since the machine was started, idling included; what of it was work, for whomever, and what
# was work of this script and of what it has waited for. In the same ticks.
processor_time() {
    awk 'NR == 1 { for (i = 2; i <= 9; i++) all += $i; work = all - $5 - $6 }
         FILENAME != "/proc/stat" { sub(/.*\) /, ""); print all, work, $12 + $13 + $14 + $15 }' /proc/stat "/proc/$$/stat"
}

# honest_begin THREADS: before the first measurement. Prints what a product of large matrices gives.
honest_begin() {
    honest_threads=$1
    honest_time=$(processor_time)
    honest_rate=$(product_rate "$1")
    awk -v rate="$honest_rate" -v threads="$1" 'BEGIN { printf "product: %.0f GFLOP/s before, threads: %d\n", rate / 1e9, threads }'
}

# After the last. Prints the same and the share of the processors that others had, and warns where the figures are not to be
# relied on: the two rates differ by more than 10 %, or others had more than 5 %.
honest_end() {
    echo "$honest_rate $(product_rate "$honest_threads") $honest_time $(processor_time)" | awk '{
        all = $6 - $3
        others = all > 0 ? 100 * ($7 - $4 - ($8 - $5)) / all : 0
        if (others < 0) others = 0
        printf "product: %.0f GFLOP/s after; others had %.0f %% of the processors\n", $2 / 1e9, others
        if ($1 < .9 * $2 || $2 < .9 * $1 || others > 5)
            print "warning: the machine was busy, or its speed changed: measure again before you rely on these figures" >"/dev/stderr"
    }'
}
