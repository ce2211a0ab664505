#!/usr/bin/env bats
# What measures: that it says when its figures are not to be relied on, and where growth stops being linear. No test depends
# on a time.

load helper

# honest RATE RATE WORK OWN: a measurement between two rates, while all work was so much of 1000 ticks, and our own.
honest() {
    bash -c '. "$1/tests/bench/common.bash"
        rates=("$2" "$3") times=("5000 700 30" "6000 $((700 + $4)) $((30 + $5))")
        product_rate() { echo "${rates[now]}"; }
        processor_time() { echo "${times[now]}"; }
        now=0 && honest_begin 2 && now=1 && honest_end' bash "$ROOT" "$@"
}

@test "a machine that nobody else has used is not warned of" {
    run --separate-stderr honest 100e9 95.4e9 640 600
    [ "$output" = $'product: 100 GFLOP/s before, threads: 2\nproduct: 95 GFLOP/s after; others had 4 % of the processors' ]
    [ -z "$stderr" ]
}

@test "a rate that has changed either way, and others at work, are a line of warning" {
    local case
    for case in '100e9 89e9 600 600' '89e9 100e9 600 600' '100e9 100e9 660 600'; do
        # shellcheck disable=SC2086 # words
        run --separate-stderr honest $case
        [ "${#lines[@]}" -eq 2 ]
        [ "$stderr" = 'warning: the machine was busy, or its speed changed: measure again before you rely on these figures' ]
    done
}

@test "processor time is all, what of it was work, and what of that was this script's and its children's" {
    # shellcheck disable=SC2016 # the inner shell expands it
    run -0 bash -c '. "$1/tests/bench/common.bash"
        read -r _ work own < <(processor_time)
        sh -c "i=0; while [ \$i -lt 300000 ]; do i=\$((i + 1)); done"
        read -r all work_after own_after < <(processor_time)
        echo "$((all > work_after)) $((work_after > work)) $((own_after > own))"' bash "$ROOT"
    [ "$output" = '1 1 1' ]
}

@test "growth is linear until a unit costs more than it has before" {
    # shellcheck source=tests/bench/common.bash
    . "$ROOT/tests/bench/common.bash"
    [ "$(printf '%s\n' '8 5' '16 4' '32 4.9' | stops_linear batch time 'a sample' 1.25)" = 'time: linear up to batch 32, the last' ]
    [ "$(printf '%s\n' '8 5' '16 4' '32 4.9' '64 6' '128 9' | stops_linear batch time 'a sample' 1.25)" = \
        'time: linear up to batch 32; at 64 a sample costs 1.50 times what it does at 16' ]
    [ "$(stops_linear cat time 'a relay' 1.25 </dev/null)" = 'time: too little to tell' ]
}

@test "growth: a row for each size, and what is above and below" {
    [ "${O:-.}" = . ] || skip "it measures the build without sanitizers"
    export SIZE=8 STEPS=1 TURNS=1 BATCH=2 FRAMES=3 THREADS=1
    run --separate-stderr "$ROOT/tests/bench/growth" batch=2,3 frames=4 threads tee=0,1 cat=2
    [ "$status" -eq 0 ]
    [ "$(grep -cE '^ +[0-9]+ +[0-9]+\.[0-9]+ ' <<<"$output")" -eq 8 ] # cat has a row without any too
    [ "$(grep -cE '^(time|memory): ' <<<"$output")" -eq 10 ]
    [ "$(grep -cE '^ +[0-9]+ .* msa-[a-z]+$' <<<"$output")" -eq 8 ]
    [[ ${lines[0]} =~ ^product:.*before ]]
    [[ ${lines[-1]} =~ ^product:.*after ]]
    [ ! -e "$ROOT/build/bench-growth" ]
    run -2 "$ROOT/tests/bench/growth" depth
    [ "$output" = "growth: no table 'depth': expected batch, frames, threads, tee or cat" ]
}
