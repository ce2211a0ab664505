#!/usr/bin/env bats
# Streams that are cut, damaged or lie, in every program that reads them, and parameter files that do: one line and status 3 or 4, nothing is left behind,
# and memory follows the bytes that came. Streams that are only unusual work.
load helper

# hostile WHAT [SCRIPT]: tests/hostile.py, or SCRIPT, in a folder with its streams. With sanitizers, which are slow, some cases of each kind.
hostile() {
    "$PYTHON" "$BATS_TEST_DIRNAME/hostile.py" line
    if [ "${O:-.}" != . ]; then export STRIDE=23; fi
    run "$PYTHON" "$BATS_TEST_DIRNAME/${2:-hostile}.py" "$1"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}
surprise() {
    printf "%s '%s/surprise.py'" "$PYTHON" "$BATS_TEST_DIRNAME"
}

@test "a stream that is cut at any byte, and in any program" { hostile cuts; }
@test "a training stream that is cut in any stage: at every byte of small frames, about the ends of the others and their prefixes" {
    hostile training
}
@test "the same of the way back" { hostile backs; }
@test "a stream with any bit flipped" { hostile flips; }
@test "400 flips and cuts of recorded streams" { hostile sample; }
@test "recordings with a bit flipped, or cut: shown, compared, replayed and as answers" { hostile all hostile_recordings; }
@test "a gzipped stream that is cut or damaged" { hostile gzip; }
@test "frames that claim what is not so" { hostile bodies; }
@test "parameter files that claim what is not so" { hostile parameters; }

@test "odd encodings, orders, keys and tensors change no result" {
    local load="msa-load --split test --batch 3 $GOLDEN/data.pkl" between="" name
    for name in plain odd; do
        [ $name = plain ] || between="$(surprise) |"
        line "$load | $between msa-encode --init $GOLDEN/encode.init.safetensors --dim 32 --heads 4 \
            --layers text=1,vision=1,audio=2 | $between msa-decompose --init $GOLDEN/decompose.init.safetensors | $between \
            msa-predict --init $GOLDEN/predict.init.safetensors | $between msa-loss | $between msa-gdwg | $between \
            tee $name.msa | msa-metrics --json >$name.json"
        [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    done
    cmp plain.json odd.json
    for name in plain odd; do
        msa-dump --json --values --tensor y,logits,u $name.msa >$name.txt
    done
    "$PYTHON" -c "
import json
plain, odd = ([json.loads(line) for line in open(name)] for name in ('plain.txt', 'odd.txt'))
values = [[{t['name']: t['values'] for t in f.get('tensors', ())} for f in frames] for frames in (plain, odd)]
assert values[0] == values[1] and 'y' in values[0][1]"
    msa-dump odd.msa | grep -q '^  *ö d ∂ *<i2\[3\]'
}

@test "odd encodings in a training line change no parameter" {
    local s
    s=$(surprise)
    line "$(golden_load) | $(golden_model) | msa-loss | msa-gdwg | msa-metrics -q --select mae | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    mv run plain && mkdir run
    line "$(golden_load) | $s | $(golden_encode) | $s | $(golden_decompose) | $s | $(golden_predict) | $s | msa-loss | $s |
        msa-gdwg | $s | msa-metrics -q --select mae | $s | msa-backprop"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    for file in encode decompose predict; do
        cmp plain/$file.safetensors run/$file.safetensors
        cmp plain/$file.safetensors.4 run/$file.safetensors.4
    done
}

@test "one sample a record, no sample, no record" {
    local load="msa-load --split test --batch" rest
    local all='if kind == "D": body.update({"id": [], "raw_text": [], "tensors": {k: v[:0] for k, v in tensors.items()}})'
    rest="msa-encode --init $GOLDEN/encode.init.safetensors --dim 32 --heads 4 --layers text=1,vision=1,audio=2 |
        msa-decompose --init $GOLDEN/decompose.init.safetensors | msa-predict --init $GOLDEN/predict.init.safetensors | msa-loss |
        msa-gdwg | msa-dump -t --report report.txt | msa-metrics --json"
    line "$load 1 $GOLDEN/data.pkl | $rest >one.json"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    line "$load 100 $GOLDEN/data.pkl | $rest >all.json"
    "$PYTHON" -c "
import json
one, all = json.load(open('one.json')), json.load(open('all.json'))
assert one.keys() == all.keys() and all
for key in all:
    assert one[key] == all[key] or abs(one[key] - all[key]) < 1e-5, (key, one[key], all[key])"
    line "$load 3 $GOLDEN/data.pkl | $PYTHON '$BATS_TEST_DIRNAME/forge.py' '$all' | $rest"
    [ "$output" = "msa-metrics: no samples arrived" ]
    grep -q 'y  *<f4\[0\]' report.txt
    msa-load --split test "$GOLDEN/data.pkl" -o whole.msa
    "$PYTHON" - "$BATS_TEST_DIRNAME" <<'END'
import sys
sys.path.insert(0, sys.argv[1] + "/interop")
from read_stream import Writer, frames
(_, header), *_ = frames(open("whole.msa", "rb"))
w = Writer(open("none.msa", "wb"))
w.write("H", header)
w.write("E", {"frames": 1})
END
    line "cat none.msa | $rest"
    [ "$output" = "msa-metrics: no samples arrived" ]
    [ "$(cut -d ' ' -f 2- statuses)" = "0 0 0 0 0 0 0 1" ]
}

@test "a header with as many keys as fit is passed on, and refused by a program that would add one" {
    local fill='body.update({f"key{i}": i for i in range(256 - len(body))})' forge="$BATS_TEST_DIRNAME/forge.py"
    line "msa-load --split test $GOLDEN/data.pkl | $PYTHON '$forge' 'if kind == \"H\": $fill' | msa-gdwg | msa-dump"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    line "msa-load --split test $GOLDEN/data.pkl | $PYTHON '$forge' 'if kind == \"H\": del body[\"need\"]; $fill' | msa-gdwg -o out"
    [ "$output" = "msa-gdwg: a map of 257 pairs, with those of this program, but at most 256 fit" ]
    [ ! -e out ]
}
