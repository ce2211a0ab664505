#!/usr/bin/env bats
# Every wrong line ends by itself with one clear line and the statuses of msa(7): the root cause's own, 5 or 141 elsewhere.
load helper

TAIL="msa-loss | msa-gdwg | msa-backprop"

# one_line STATUS TEXT: the line failed with that status in one program, said TEXT in one line, and the others were silent.
one_line() {
    [ "${#lines[@]}" -eq 1 ] || { echo "expected one line: $output" && return 1; }
    [[ $output == *"$2"* ]] || { echo "expected '$2': $output" && return 1; }
    local causes=0 status programs
    read -ra programs < <(cut -d " " -f 2- statuses)
    for status in "${programs[@]}"; do
        case $status in
        "$1") causes=$((causes + 1)) ;;
        0 | 5 | 141) ;;
        *) echo "statuses: $(cat statuses)" && return 1 ;;
        esac
    done
    [ "$causes" -eq 1 ] || { echo "statuses: $(cat statuses)" && return 1; }
}

@test "a bad option, in the first, a middle and the last program" {
    line "msa-load --bogus data.pkl | $(golden_model) | $TAIL"
    one_line 2 "msa-load: unknown option '--bogus'"
    line "$(golden_load) | $(golden_encode) --bogus | $(golden_decompose) | $(golden_predict) | $TAIL"
    one_line 2 "msa-encode: unknown option '--bogus'"
    line "$(golden_load) | $(golden_model) | msa-loss --tasks msr,foo | msa-gdwg | msa-backprop"
    one_line 2 "msa-loss: --tasks: 'foo' is none of msr, msc, uni, cl"
    line "$(golden_load) | $(golden_model) | $TAIL --bogus"
    one_line 2 "msa-backprop: unknown option '--bogus'"
    line "$(golden_load) | $(golden_model) | $TAIL --optimizer hf-adamw --amsgrad"
    one_line 2 "msa-backprop: --amsgrad goes with --optimizer adamw or adam"
    line "$(golden_load) | $(golden_model) | $TAIL --momentum 0.9"
    one_line 2 "msa-backprop: --momentum goes with --optimizer sgd"
    line "$(golden_load) | $(golden_model) | msa-loss | msa-metrics --bogus | msa-backprop"
    one_line 2 "msa-metrics: unknown option '--bogus'"
}

@test "more tasks than a stream has, or a longer name: msa-gdwg takes as many, and no more" {
    local long most
    long=$(printf '%0128d' 1) most=$(seq -s , 1 15)
    line "msa-load --split test $GOLDEN/data.pkl | msa-gdwg --tasks $most,$long | msa-dump >/dev/null"
    [ "$status" -eq 0 ]
    line "msa-load --split test $GOLDEN/data.pkl | msa-gdwg --tasks $most,16,17 | msa-dump >/dev/null"
    one_line 2 "msa-gdwg: --tasks: '$most,16,17' is not a list of up to 16 names, each of up to 128 bytes"
    line "msa-load --split test $GOLDEN/data.pkl | msa-gdwg --tasks 0$long | msa-dump >/dev/null"
    one_line 2 "is not a list of up to 16 names, each of up to 128 bytes"
}

@test "a data set that is not there" {
    line "msa-load --train nothing.pkl | $(golden_model) | $TAIL"
    one_line 1 "msa-load: cannot read 'nothing.pkl'"
}

@test "a training stream into a file" {
    line "$(golden_load) | $(golden_encode) >stream.msa"
    one_line 1 "msa-encode: a training stream cannot go into a file"
    line "$(golden_load) -o stream.msa"
    one_line 1 "msa-load: a training stream cannot go into a file"
    [ ! -e stream.msa ] || [ ! -s stream.msa ]
}

@test "an evaluation stream into msa-backprop" {
    line "msa-load --split test $GOLDEN/data.pkl | msa-backprop"
    one_line 1 "msa-backprop: the stream is for evaluation"
}

@test "stages in the wrong order" {
    line "$(golden_load) | $(golden_predict) | $(golden_decompose) | $TAIL"
    one_line 1 "msa-predict: nothing to predict from"
    line "$(golden_load) | $(golden_model) | msa-backprop"
    one_line 1 "msa-backprop: frame 1: no gradient arrives"
}

@test "training over an old run, and without a place for parameters" {
    touch run/encode.safetensors
    line "$(golden_load) | $(golden_model) | $TAIL"
    one_line 1 "'run/encode.safetensors' (or a checkpoint of it) exists"
    line "$(golden_load) | msa-encode --dim 32 --heads 4 | $TAIL"
    one_line 2 "msa-encode: training needs -p FILE"
}

@test "evaluation without parameters, and with those of another width" {
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode | msa-metrics"
    one_line 2 "msa-encode: evaluation needs -p FILE"
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode --init $GOLDEN/encode.init.safetensors --dim 64 | msa-metrics"
    one_line 3 "shape [1,1,32] but expected [1,1,64]"
}

@test "a stream that two programs read" {
    line "$(golden_load) | $(golden_model) | msa-loss | tee >(cat >/dev/null) | msa-backprop"
    [ "$status" -eq 0 ]
    line "$(golden_load) | $(golden_encode) -f | $(golden_decompose) -f | $(golden_predict) -f | msa-loss |
        tee >(msa-backprop) | msa-backprop"
    # Which of them is taken is chance, so that the line ends well or not; the other has come too late, or is not heard.
    [ "$(grep -c 'msa-backprop: \(cannot reach the stage before.*each has one successor\|the stage before does not take gradients from here\)' <<<"$output")" -eq 1 ]
}

@test "not a stream, no stream, half a stream" {
    line "echo hello there | msa-dump"
    [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
    [ "${#lines[@]}" -eq 1 ]
    line "msa-loss </dev/null | msa-metrics"
    one_line 4 "msa-loss: stdin: no stream"
    msa-load --split test "$GOLDEN/data.pkl" -o whole.msa
    head -c 5000 whole.msa >half.msa
    line "msa-encode --init $GOLDEN/encode.init.safetensors --dim 32 --heads 4 half.msa -o out.msa"
    one_line 4 "msa-encode: half.msa: cut off"
    [ ! -e out.msa ]
}

@test "a downstream that has seen enough" {
    line "msa-load $GOLDEN/data.pkl | msa-dump -n 1"
    [ "$status" -eq 0 ] || [ "$status" -eq 141 ]
    line "$(golden_load) | $(golden_encode) | head -c 100 >/dev/null"
    [ "$status" -eq 141 ] || [ "$status" -eq 5 ]
    [ -z "$output" ]
    rm -f run/*
    LIMIT=20 line "$(golden_load) | $(golden_model) | msa-loss | sleep 2" # waits for input when its output closes
    [ "$status" -eq 141 ] || [ "$status" -eq 5 ]
    [ -z "$output" ]
}

# All at once: nobody takes gradients back.
@test "a line that does not end in msa-backprop says so after 5 seconds and fails after --wait" {
    local i=0 each all=("$(golden_load) | cat >/dev/null" "$(golden_load) | $(golden_encode) >/dev/null"
        "$(golden_load) | $(golden_encode) | $(golden_decompose) | cat >/dev/null"
        "msa-load --train ../large.pkl | msa-dump -t --report all.txt | cat >/dev/null")
    msa-synth --samples 64,8,8 --frames text=50 --width text=400 -o large.pkl # a record fills the pipe
    for each in "${all[@]}"; do
        i=$((i + 1))
        mkdir -p "$i/run"
        (
            cd "$i"
            SECONDS=0
            status=0
            # shellcheck disable=SC2001 # a pattern
            timeout 60 bash -c "set -o pipefail; $(sed "s/msa-[a-z]*/& --wait 9/g" <<<"$each")" 2>err || status=$?
            echo "$status $SECONDS" >result
        ) &
    done
    wait
    for j in $(seq $i); do
        read -r status seconds <"$j/result"
        [ "$status" -ne 0 ]
        [ "$seconds" -ge 8 ]
        [ "$seconds" -lt 40 ]
        [ "$(wc -l <"$j/err")" -eq 2 ]
        [ "$(grep -c "warning: nobody takes gradients back" "$j/err")" -eq 1 ]
        tail -1 "$j/err" | grep -q "nobody takes gradients back: does the line end in msa-backprop?"
    done
}

@test "a program that has not read the header may take longer than --wait to start" {
    line "$(golden_load) --epochs 1 --wait 4 | { sleep 6; $(golden_encode); } | $(golden_decompose) --wait 4 |
        $(golden_predict) | msa-loss | { sleep 6; msa-backprop; }"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ -z "$output" ]
    rm -f run/*
    line "$(golden_load) --wait 1 | sleep 3" # and who never reads it ends the line
    [ "$status" -eq 141 ]
    [ -z "$output" ]
}

@test "an address of the old form, without a token, is refused with one line" {
    line "$(golden_load) | $(forge_old_address) | $(golden_encode) |
        $(golden_decompose) | $(golden_predict) | msa-loss | msa-backprop"
    [ "$(cut -d " " -f 4 statuses)" -eq 1 ]
    [[ $output == "msa-encode: cannot reach the stage before at @"*": not an address with a token (is that stage of version 0.1.0?)"* ]]
    [ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "strangers on the way back are counted, not said one by one; errors do not tell the token" {
    cat >strangers.py <<'END'
import os, re, socket, sys
name = re.search(rb"@([0-9a-f]+):", os.read(0, 65536))[1]
for _ in range(20):
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(b"\0" + name)
        stranger.send(b"G" * 18)
sys.stdin.buffer.read()
END
    line "$(golden_load) --wait 8 | $PYTHON strangers.py"
    [ "$(cut -d " " -f 2 statuses)" -eq 1 ]
    [ "${lines[0]}" = "msa-load: warning: a program that does not know its token was refused on the way back" ]
    [[ ${lines[1]} == "msa-load: warning: nobody takes gradients back"* ]]
    [ "${lines[2]}" = "msa-load: warning: 20 programs were refused on the way back" ]
    [[ ${lines[3]} == "msa-load: nobody takes gradients back"* ]]
    [ "${#lines[@]}" -eq 4 ]
    line "$(forge 'if kind == "H": body["back"] = "@gone:secret"' | sed "s|^|$(golden_load) --wait 2 \| |") | $(golden_encode)"
    [[ $output == *"msa-encode: cannot reach the stage before at @gone: Connection refused"* ]]
    [[ $output != *secret* ]]
}
