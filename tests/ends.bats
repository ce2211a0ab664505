#!/usr/bin/env bats
# Each end of a program has its line, whatever brings it about: a library, a signal, a limit of the process, another program.
# shellcheck disable=SC2030,SC2031,SC2154 # each test is a shell of its own, and run sets stderr
load helper
load bert_set.bash

# A training line whose msa-encode is begun as said.
training() {
    line "msa-load --threads 1 --train --epochs ${EPOCHS-1} --batch 16 data.pkl | $1 msa-encode --dim 16 --heads 2 -p run/encode ${2-} |
        msa-decompose --threads 1 -p run/decompose | msa-predict --threads 1 -p run/predict | msa-loss --threads 1 | msa-gdwg |
        msa-metrics -q | msa-backprop"
}

# A library is made to end msa-encode so, in the third product that is oneDNN's, of several threads.
dies() {
    [ "$BUILD" = "$ROOT" ] || skip "the sanitizer takes signals"
    msa-synth --samples 40,8,8 -o data.pkl
    training "MSA_FAULT=$1:3 LD_PRELOAD=$BUILD/build/obj/fault.so" '--threads 2 --dim 128'
    [ "$output" = "msa-encode: $2" ] || { echo "$output" && false; }
    [ "$(cat statuses)" = "5 5 $3 5 5 5 5 5 5" ] || { cat statuses && false; }
}

@test "a library that aborts: one line, status 6, and the neighbours are told" {
    dies abort "a library that it uses gave up (abort): is there too little memory?" 6
}

@test "a library that ends the process: likewise" {
    dies exit "a library that it uses ended it (exit): are there too few threads, or too little memory?" 6
}

@test "a crash: one line, its signal, and the neighbours are told" {
    dies crash "crashed (SIGSEGV): a fault of this program, or of a library with too little memory or stack" 139
}

@test "threads are begun before anything is computed, and where they cannot be there is a line" {
    msa-synth --samples 8,8,8 -o data.pkl
    [ "$BUILD" = "$ROOT" ] || skip "the sanitizer begins threads of its own"
    training "MSA_FAULT=thread:2 LD_PRELOAD=$BUILD/build/obj/fault.so" '--threads 4 --device cpu:base'
    [ "$output" = "msa-encode: device 'cpu-base' cannot be used: cannot begin 4 threads: Resource temporarily unavailable" ]
    [ "$(cat statuses)" = "5 5 6 5 5 5 5 5 5" ]
}

@test "threads that have begun stay, in loops long and short" {
    [ "$BUILD" = "$ROOT" ] || skip "the sanitizer begins threads of its own"
    msa-synth --samples 40,8,8 -o data.pkl
    training "MSA_FAULT=thread:1000 MSA_FAULT_LOG=log LD_PRELOAD=$BUILD/build/obj/fault.so" '--threads 5 --dim 128 --layers 1'
    [ "$status" -eq 0 ]
    grep -qx "calls 8" log # four to try, and those of the loops
}

@test "variables of OpenMP do not change bytes, or the program says so" {
    msa-synth --samples 40,8,8 -o data.pkl
    training '' '--threads 2'
    [ "$status" -eq 0 ]
    msa-load --split test -o test.msa data.pkl
    encode() {
        run --separate-stderr env "$@" msa-encode --threads 2 --device cpu:base -p run/encode -o out.msa test.msa
    }
    encode NONE=1
    mv out.msa plain.msa
    for variable in OMP_DYNAMIC=true OMP_NUM_THREADS=1 OMP_MAX_ACTIVE_LEVELS=0 OMP_NESTED=true OMP_STACKSIZE=1B OMP_STACKSIZE=9999G; do
        encode "$variable"
        [ "$status $stderr" = "0 " ]
        cmp out.msa plain.msa
    done
    encode OMP_THREAD_LIMIT=1
    [ "$status" -eq 6 ]
    [ "$stderr" = "msa-encode: device 'cpu-base' cannot be used: OMP_THREAD_LIMIT allows 1 of 2 threads (--threads)" ]
}

@test "a small stack: enough, or a line" {
    [ "$BUILD" = "$ROOT" ] || skip "a sanitizer needs more"
    msa-synth --samples 8,8,8 -o data.pkl
    run -0 bash -c 'ulimit -Ss 64; msa-load --split test data.pkl >/dev/null' # it may have more
    [ -z "$output" ]
    for size in 32 64 128; do
        run -1 bash -c "ulimit -s $size; msa-load --split test data.pkl >/dev/null"
        [ "$output" = "msa-load: the stack is limited to $((size * 1024)) bytes but expected at least 262144 (ulimit -s)" ]
    done
    run -0 bash -c 'ulimit -s 256; msa-load --split test data.pkl >/dev/null && msa-tokenize --help >/dev/null'
    [ -z "$output" ]
}

@test "the least stack is enough beside the largest environment" {
    [ "$BUILD" = "$ROOT" ] || skip "a sanitizer needs more"
    msa-synth --samples 40,8,8 -o data.pkl
    LONG=$(head -c 110000 /dev/zero | tr '\0' x)
    export LONG
    ulimit -s 256
    training "" '--threads 1'
    [ "$(cat statuses)" = "0 0 0 0 0 0 0 0 0" ] || { echo "$output" && false; }
}

@test "oneDNN that cannot be opened: one line, status 6; small products do without it" {
    msa-synth --samples 40,8,8 -o data.pkl
    mkdir broken
    echo 'no library' >broken/libdnnl.so.2
    training "LD_LIBRARY_PATH=$PWD/broken" '--device cpu:base --threads 2 --dim 128'
    [ "$output" = "msa-encode: device cpu:base: oneDNN cannot be opened: $PWD/broken/libdnnl.so.2: file too short" ]
    [ "$(cat statuses)" = "5 5 6 5 5 5 5 5 5" ]
    [ -z "$(ls run)" ]
    training "LD_LIBRARY_PATH=$PWD/broken" '--device cpu:base --threads 2'
    [ "$(cat statuses)" = "0 0 0 0 0 0 0 0 0" ]
}

@test "--precision bf16: where oneDNN or the processor has no such products one line, status 6" {
    msa-synth --samples 40,8,8 -o data.pkl
    if ! grep -qw avx512_bf16 /proc/cpuinfo; then
        run -6 bash -c 'msa-load data.pkl | msa-encode -q --device cpu --precision bf16 -p encode'
        [[ $output == "msa-encode: device cpu:"*": --precision bf16 needs a processor with AVX512-BF16" ]]
        skip "this processor has no AVX512-BF16, which it says"
    fi
    training ONEDNN_MAX_CPU_ISA=AVX2 '--device cpu:base --threads 2 --dim 128 --precision bf16'
    [ "$output" = "msa-encode: device cpu:base:bf16: oneDNN: a product in bfloat16 is not there on this processor, or as ONEDNN_MAX_CPU_ISA limits it" ]
    [ "$(cat statuses)" = "5 5 6 5 5 5 5 5 5" ]
    training "" '--device cpu --threads 2 --dim 128 --precision bf16'
    [ "$(cat statuses)" = "0 0 0 0 0 0 0 0 0" ]
    grep -q "\"device\":\"cpu:[a-z0-9]*:bf16\"" run/encode
}

@test "a file that may not grow: the write fails with its reason, and what was there stays" {
    msa-synth --samples 200,8,8 -o data.pkl
    msa-load --split test data.pkl -o kept.msa
    cp kept.msa before.msa
    run -1 bash -c 'ulimit -f 20; msa-load data.pkl -o kept.msa'
    [ "$output" = "msa-load: cannot write kept.msa: File too large" ]
    cmp kept.msa before.msa
    [ "$(ls -A)" = $'before.msa\ndata.pkl\nkept.msa\nrun' ]
}

@test "no processor time left: one line, its signal, and the neighbours are told" {
    [ "$BUILD" = "$ROOT" ] || skip "the sanitizer takes signals"
    msa-synth --samples 40,8,8 -o data.pkl
    EPOCHS=1000 training "bash -c 'ulimit -S -t 1 && exec \"\$@\"' bash"
    [ "$output" = "msa-encode: the processor time that it may take is used up (ulimit -t)" ] || { echo "$output" && false; }
    [ "$(cat statuses)" = "5 5 152 5 5 5 5 5 5" ] || { cat statuses && false; }
}

@test "too many open files: the line says so" {
    msa-synth --samples 8,8,8 -o data.pkl
    msa-load --split test -o test.msa data.pkl
    for most in 4 5 6 7; do # with 3 the loader finds no library
        for command in "msa-load data.pkl -o kept.msa" "msa-dump test.msa" "msa-dump test.msa -o dumped.txt" "msa-loss -z test.msa"; do
            run bash -c "exec 3>&-; ulimit -n $most; $command >/dev/null"
            [[ "$status" -eq 0 || "$output" = *"Too many open files"* || "$output" = *"no 'y' arrives"* ]] ||
                { echo "$most: $status: $output" && false; }
        done
    done
}

# What a training of so many epochs takes of memory at one time, by stage, with a checkpoint after each.
peaks() {
    local stage
    rm -rf run log.*
    mkdir run
    stage() {
        echo "MSA_FAULT=write:1000000000 MSA_FAULT_LOG=log.$1 LD_PRELOAD=$BUILD/build/obj/fault.so msa-$1"
    }
    line "$(stage load) --train --epochs $1 --batch 8 --state run/state.msa data.pkl |
        $(stage encode) --threads 1 --dim 8 --heads 2 --layers text=1,vision=1,audio=1 -p run/encode |
        $(stage decompose) --threads 1 -p run/decompose | $(stage predict) --threads 1 -p run/predict | $(stage loss) --threads 1 |
        $(stage gdwg) | $(stage metrics) -q --log run/metrics.tsv --select mae | $(stage backprop) --log run/steps.tsv"
    [ "$status" -eq 0 ]
    for stage in load encode decompose predict loss gdwg metrics backprop; do
        echo "$stage $(sed -n 's/^peak //p' "log.$stage")"
    done
}

@test "no stage takes more memory with each checkpoint" {
    [ "$BUILD" = "$ROOT" ] || skip "the allocator is the sanitizer's"
    msa-synth --samples 8,4,4 -o data.pkl
    peaks 20 >few
    peaks 60 >many
    [ "$(grep -c ' [0-9]' few)" -eq 8 ]
    diff few many
}

@test "a descriptor that others share stays as it was" {
    msa-synth --samples 8,8,8 -o data.pkl
    cat >look.py <<'P'
import fcntl, os, subprocess, sys, time
read, write = os.pipe()
p = subprocess.Popen(sys.argv[1:], stdout=write)
os.set_blocking(read, True)
os.read(read, 1)  # it has begun, and waits for gradients
blocking = os.get_blocking(write)
p.kill()
p.wait()
print(blocking, os.get_blocking(write))
P
    [ "$("$PYTHON" look.py msa-load --train data.pkl)" = "True True" ]
}

# cut FILE COMMAND: FILE is emptied while COMMAND reads it, whose stream another program reads.
cut_short() {
    line "$2 | { head -c 200000; : >$1; cat; } | msa-dump -q >/dev/null"
    [ "$output" = "${2%% *}: ${1//$'\u202e'/?}: became shorter while it was read" ] || { echo "$2: $output" && false; }
    [ "$(cat statuses)" = "5 3 0 5" ] || { cat statuses && false; }
}

@test "a mapped file that becomes shorter: the run fails in order, and so do those behind" {
    msa-synth --samples 8,8,1500 -o data.pkl
    msa-load --split test --batch 8 data.pkl -o kept.msa
    cp data.pkl live.pkl
    cut_short live.pkl "msa-load --split test --batch 8 live.pkl"
    cp kept.msa live.msa
    cut_short live.msa "msa-load --batch 4 live.msa"
    cp kept.msa live.msa
    cut_short live.msa "msa-load --no-crc --batch 4 live.msa"
    mv data.pkl $'li\u202eve.pkl'
    cut_short $'li\u202eve.pkl' $'msa-load --split test --batch 8 li\u202eve.pkl'
}

@test "a vocabulary that becomes shorter: likewise" {
    printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' word >vocab.txt
    line "{ yes word | head -n 40000; : >vocab.txt; yes word | head -n 40000; } | msa-tokenize --lines --vocab vocab.txt -o out.msa"
    [ "$output" = "msa-tokenize: vocab.txt: became shorter while it was read" ]
    [ "$status" -eq 3 ]
    [ ! -e out.msa ]
}

# begin_training DIR: pipelines/train in the background, until it has made some steps; its process goes to `script`.
begin_training() {
    "$ROOT/pipelines/train" data.pkl "$1" --dim 16 --heads 2 --epochs 1000000 --batch 8 --threads 1 2>said 3>&- &
    script=$!
    until [ -e "$1/steps.tsv" ] && [ "$(wc -l <"$1/steps.tsv")" -gt 5 ]; do
        sleep 0.05
        [ -e "/proc/$script" ]
    done
}

# Programs of ours that work in this folder.
working() {
    local process
    for process in /proc/[0-9]*; do
        [[ $(cat "$process/comm" 2>/dev/null) = msa-* && $(readlink "$process/cwd") = "$PWD" ]] || continue
        echo "${process#/proc/}"
    done
}

@test "a script that is killed takes its line along" {
    export MSA_BIN=$BUILD/bin
    msa-synth --samples 40,8,8 -o data.pkl
    for signal in TERM KILL HUP; do
        begin_training "$signal"
        [ "$(working | wc -l)" -eq 8 ]
        kill -"$signal" "$script"
        wait "$script" || true
        for ((end = SECONDS + 20; SECONDS < end; )); do
            [ -n "$(working)" ] || break
            sleep 0.1
        done
        [ -z "$(working)" ]
    done
}

@test "a stage that is killed is named, and its signal" {
    export MSA_BIN=$BUILD/bin
    msa-synth --samples 40,8,8 -o data.pkl
    for signal in KILL TERM; do
        begin_training "$signal"
        kill -"$signal" "$(for process in $(working); do grep -l msa-predict "/proc/$process/comm"; done | cut -d / -f 3)"
        status=0
        wait "$script" || status=$?
        [ "$status" -eq $((128 + $(kill -l $signal))) ]
        grep -q "^train: msa-predict was killed by SIG$signal" said
    done
}

# named SCRIPT PROGRAM PATTERN ARGUMENT...: this program of the script's line, one with such arguments, is killed.
named() {
    rm -rf killing
    mkdir killing
    ln -s "$BUILD"/bin/* killing
    rm "killing/$2"
    # shellcheck disable=SC2016 # that shell expands it
    printf '#!/bin/sh\ncase "$*" in %s) kill -KILL $$ ;; esac\nexec "%s" "$@"\n' "$3" "$BUILD/bin/$2" >"killing/$2"
    chmod +x "killing/$2"
    run env MSA_BIN="$PWD/killing" timeout -k 5 200 "$ROOT/pipelines/$1" "${@:4}"
    [ "$status" -eq 137 ]
    [ "$(grep -c "^$1: .* was killed" <<<"$output")" -eq 1 ] || { echo "$*: $output" && false; }
    [[ $output = *"$1: $2 was killed by SIGKILL, as the kernel does where memory is short"* ]]
}

@test "and so it is in the lines of all scripts" {
    msa-synth --samples 24,8,8 -o data.pkl
    done_well train data.pkl run --dim 16 --heads 2 --epochs 2 --batch 8 --quiet
    named evaluate msa-load '*' run data.pkl
    named evaluate msa-decompose '*-p*' run data.pkl
    named predict msa-load '*' run data.pkl
    named predict msa-encode '*-p*' run data.pkl
    named predict msa-metrics '*' run data.pkl
    named pretrain msa-loss '*--tasks*' data.pkl pre --dim 16 --heads 2 --epochs 1 --quiet
    named pretrain msa-metrics '*--tsv*' data.pkl pre --dim 16 --heads 2 --epochs 1 --quiet -f
}

@test "and where text goes through BERT" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny --heads 2 --epochs 1 --quiet
    named pretrain msa-load '*--no-crc*' bert.pkl other --bert tiny --heads 2 --epochs 1 --only text
    done_well train bert.pkl run --encoders pre --epochs 1 --batch 3 --quiet
    named evaluate msa-encode '*--only?text*' run bert.pkl
    named evaluate msa-tokenize '*--compare*' run bert.pkl
    echo 'i loved it' >lines.txt
    named predict msa-tokenize '*' run --text lines.txt
    named predict msa-encode '*--only?text*' run --text lines.txt
}
