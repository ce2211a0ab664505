#!/usr/bin/env bats
# A few commands under valgrind, where it is there: no memory that was not written is read, none is lost.
load helper

# clean STATUS COMMAND...: ends so, and valgrind has nothing to say.
clean() {
    local expected=$1
    shift
    run timeout 300 valgrind --quiet --error-exitcode=99 --leak-check=full "$@"
    [ "$status" -eq "$expected" ] || { echo "$*: $status: $output" && return 1; }
    [[ $output != *==* ]] || { echo "$*: $output" && return 1; }
}

# Sanitizers and valgrind exclude each other.
needs_valgrind() {
    ENCODE="msa-encode --threads 1 --init $GOLDEN/encode.init.safetensors --dim 32 --heads 4 --layers text=1,vision=1,audio=2"
    command -v valgrind >/dev/null || skip "valgrind is not installed"
    [ "${O:-.}" = . ] || skip "this build has sanitizers"
}

@test "an evaluation, stage by stage" {
    needs_valgrind
    clean 0 msa-load --split test --batch 8 "$GOLDEN/data.pkl" -o a.msa
    # shellcheck disable=SC2086 # a program and its options
    clean 0 $ENCODE a.msa -z -o b.msa.gz
    clean 0 msa-decompose --threads 1 --init "$GOLDEN/decompose.init.safetensors" b.msa.gz -o c.msa
    clean 0 msa-predict --threads 1 --init "$GOLDEN/predict.init.safetensors" c.msa -o d.msa
    clean 0 msa-loss --threads 1 d.msa -o e.msa
    clean 0 msa-gdwg e.msa -o f.msa
    clean 0 msa-dump --json f.msa -o /dev/null
    clean 0 msa-metrics f.msa
}

@test "streams and files that are refused" {
    needs_valgrind
    msa-load --split test "$GOLDEN/data.pkl" -o whole.msa
    head -c 3000 whole.msa >cut.msa
    "$PYTHON" -c "b = bytearray(open('whole.msa', 'rb').read()); b[900] ^= 4; open('bad.msa', 'wb').write(b)"
    for program in "msa-dump" "msa-gdwg -o out" "$ENCODE -o out"; do
        # shellcheck disable=SC2086
        clean 4 $program cut.msa
        # shellcheck disable=SC2086
        clean 3 $program bad.msa
    done
    for pickle in evil recursive cut nest; do
        clean 3 msa-load "$ROOT/tests/fuzz/corpus/pickle/$pickle" -o out
    done
    for file in overlap gap deep duplicate length-lies; do
        clean 3 msa-encode --threads 1 -p "$ROOT/tests/fuzz/corpus/safetensors/$file" whole.msa -o out
    done
}
