#!/usr/bin/env bats
# What measures says when its figures are not to be relied on. No test depends on a time.

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
