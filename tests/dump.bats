#!/usr/bin/env bats
# msa-dump: every frame and tensor, their statistics, in lines and in JSON; in a line, gradients too.
load helper

# A stream of one record, written with the stock packages alone, with the tensors and keys given in Python.
stream() {
    "$PYTHON" - "$1" "${2:-}" "${3:-}" <<'END'
import struct, sys, zlib
import msgpack, msgpack_numpy, numpy as np

def frame(kind, seq, body):
    body = msgpack.packb(body, default=msgpack_numpy.encode)
    head = struct.pack("<BBHII", 1, ord(kind), 0, seq, len(body))
    return b"\xd8M" + head + struct.pack("<I", zlib.crc32(body, zlib.crc32(head))) + body

path, tensors, keys = sys.argv[1], eval("dict(%s)" % sys.argv[2]), eval("dict(%s)" % sys.argv[3])
header = {"version": 1, "mode": "eval", "schema": {}, "pipeline": [], "seed": 2**64 - 1, "future": {"a": [1, None]}}
record = {"epoch": 0, "step": 0, "split": "test", "train": False, "tensors": tensors, **keys}
with open(path, "wb") as f:
    f.write(frame("H", 0, header) + frame("D", 1, record) + frame("E", 2, {"frames": 2}))
END
}

@test "a line a frame and tensor, and their statistics" {
    stream in.msa "a=np.array([[1, 2], [3, 0]], 'f4'), b=np.array([7, -7], 'i8')" "loss={'msr': .5}, weight={'msr': 2}"
    run msa-dump in.msa
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 5 ]
    [[ ${lines[0]} == "0 H  "*"version 1"*"mode eval"*"seed 18446744073709551615"*"future {a=[1,nil]}"* ]]
    [[ ${lines[1]} == "1 D  "*"samples 2"*"epoch 0"*"step 0"*"split test"*"train false"*"loss {msr=0.5}"*"weight {msr=2}"* ]]
    [ "$(tr -s ' ' <<<"${lines[2]}")" = " a <f4[2,2] min 0 mean 1.5 max 3 deviation 1.118 zeros 1 non-finite 0" ]
    [ "$(tr -s ' ' <<<"${lines[3]}")" = " b <i8[2] min -7 mean 0 max 7 deviation 7 zeros 0 non-finite 0" ]
    [[ ${lines[4]} == "2 E  "*"frames 2" ]]
}

@test "what is not finite is counted, and left out of the rest" {
    stream in.msa "x=np.array([np.nan, 4, np.inf, -np.inf, 2]), n=np.full(5, np.nan, 'f4'), z=np.zeros((5, 0), 'f4')"
    run msa-dump in.msa
    [ "$(tr -s ' ' <<<"${lines[2]}")" = " x <f8[5] min 2 mean 3 max 4 deviation 1 zeros 0 non-finite 3" ]
    [ "$(tr -s ' ' <<<"${lines[3]}")" = " n <f4[5] min nan mean nan max nan deviation nan zeros 0 non-finite 5" ]
    [[ ${lines[4]} == *"z <f4[5,0]"* ]]
    msa-dump --json in.msa | "$PYTHON" -c "
import json, sys
x, n, z = [json.loads(line) for line in sys.stdin][1]['tensors']
assert (x['min'], x['mean'], x['max'], x['deviation'], x['non_finite']) == (2, 3, 4, 1, 3), x
assert n['mean'] is None and n['non_finite'] == 5 and z['min'] is None and z['shape'] == [5, 0]"
}

@test "statistics as NumPy has them" {
    line "msa-load --split test $GOLDEN/data.pkl -o in.msa"
    msa-dump --json --values in.msa >dump.json
    "$PYTHON" - <<'END'
import json
import numpy as np
frames = [json.loads(line) for line in open("dump.json")]
assert [f["kind"] for f in frames] == ["H", "D", "E"]
assert len(frames[1]["tensors"]) == 10
for t in frames[1]["tensors"]:
    x = np.array(t["values"]).reshape(t["shape"])
    for key, want in (("min", x.min()), ("max", x.max()), ("mean", x.mean()), ("deviation", x.std())):
        assert abs(t[key] - want) < 1e-6, (t["name"], key, want)
    assert t["zeros"] == (x == 0).sum()
END
}

@test "values: a row a sample, whole numbers whole" {
    stream in.msa "a=np.array([[.1, 2], [3, 4]], 'f4'), i=np.array([12345678901, -1])" "id=['p\$_\$1', 'q']"
    run msa-dump --values in.msa
    [ "${lines[3]}" = "        p\$_\$1: 0.100000001 2" ]
    [ "${lines[4]}" = "        q: 3 4" ]
    [ "${lines[6]}" = "        p\$_\$1: 12345678901" ]
    [ "${lines[7]}" = "        q: -1" ]
    run msa-dump --values --tensor i in.msa
    [ "${#lines[@]}" -eq 6 ]
    [[ ${lines[2]} == "    i "* ]]
    msa-dump --json --values --tensor i in.msa | grep -q '"values": \[12345678901, -1\]'
}

@test "a tensor that is asked for and in no frame: one warning" {
    msa-load --split test --batch 4 "$GOLDEN/data.pkl" -o in.msa
    for options in "" "--values" "--json" "-n 1" "-t -o out.msa" "--npy arrays" "--where nonfinite"; do
        # shellcheck disable=SC2086 # several
        run -0 --separate-stderr msa-dump $options --tensor lable,text,txet in.msa
        grep -qx "msa-dump: warning: --tensor: no frame has 'lable', 'txet'" <<<"$stderr"
        # shellcheck disable=SC2086
        run -0 --separate-stderr msa-dump $options --tensor label,text,text in.msa
        [[ $stderr != *warning* ]]
    done
    run -0 --separate-stderr msa-dump -q --tensor lable in.msa
    [ -z "$stderr" ]
    run -0 --separate-stderr msa-dump --pipeline --tensor lable in.msa
    [ -z "$stderr" ]
}

@test "values: what was said stands behind them, by sample" {
    stream in.msa "a=np.zeros(2)" "id=['p', 'q'], raw_text=['I loved it.', '\x1b[2J']"
    run msa-dump --values in.msa
    [ "${lines[5]}" = "    raw_text" ]
    [ "${lines[6]}" = "        p: I loved it." ]
    [ "${lines[7]}" = "        q: ?[2J" ]
    run ! grep -q raw_text < <(msa-dump in.msa)
    run ! grep -q raw_text < <(msa-dump --values --tensor a in.msa)
}

@test "text from outside cannot command the terminal" {
    stream in.msa "a=np.zeros(1)" "id=['\x1b[2J'], note='\x1b]0;x\x07'"
    run msa-dump --values in.msa
    [ "$status" -eq 0 ]
    [[ $output != *$'\x1b'* ]]
    [[ $output != *$'\x07'* ]]
}

@test "the pipeline that made a stream" {
    line "msa-load --split test --batch 3 '$GOLDEN/data.pkl' | msa-encode --init '$GOLDEN/encode.init.safetensors' --dim 32 \
        --heads 4 --layers text=1,vision=1,audio=2 --keep | msa-dump --pipeline"
    [ "$(cut -d ' ' -f 4 statuses)" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == "msa-load "*" --split test --batch 3 $GOLDEN/data.pkl" ]]
    [[ ${lines[1]} == "msa-encode "*" --keep" ]]
    cp "$GOLDEN/data.pkl" "it's a set.pkl"
    line "msa-load \"it's a set.pkl\" | msa-dump --pipeline"
    [[ $output == "msa-load "*" 'it'\\''s a set.pkl'" ]]
}

@test "-n stops the line, but with -t only the report" {
    run bash -c "msa-load --batch 1 $GOLDEN/data.pkl | msa-dump -n 2; echo \${PIPESTATUS[1]}"
    [ "$(grep -c '^[0-9]* D' <<<"$output")" -eq 2 ]
    [ "${lines[-1]}" = 0 ]
    line "msa-load --batch 1 $GOLDEN/data.pkl | msa-dump -t -n 2 --report report.txt | msa-dump --json >after.json"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^[0-9]* D' report.txt)" -eq 2 ]
    [ "$(grep -c '"kind": "D"' after.json)" -eq 31 ]
    [ "$(grep -c '^[0-9]* E' report.txt)" -eq 0 ]
}

@test "-t changes nothing but the header" {
    line "msa-load --batch 4 $GOLDEN/data.pkl -o in.msa && msa-dump -t in.msa -o out.msa 2>report.txt"
    [ "$status" -eq 0 ]
    cmp <(msa-dump --json --values in.msa | tail -n +2) <(msa-dump --json --values out.msa | tail -n +2)
    cmp <(msa-dump in.msa) report.txt
}

@test "in a training line: gradients, and the same parameters" {
    for stage in cat "msa-dump -t --report report.txt"; do
        rm -f run/*
        line "$(golden_load) | $(golden_encode) | $stage | $(golden_decompose) | $(golden_predict) | msa-loss | msa-gdwg |
            msa-metrics -q | msa-backprop --lr 1e-3"
        [ "$status" -eq 0 ] && [ -z "$output" ] || { echo "$output" && return 1; }
        cksum <run/encode.safetensors >>sums
    done
    [ "$(sort -u sums | wc -l)" -eq 1 ]
    [ "$(grep -c '^back [0-9]* G' report.txt)" -eq 16 ]
    [ "$(grep -c '^back [0-9]* C' report.txt)" -eq 4 ]
    [ "$(grep -c '^back [0-9]* E' report.txt)" -eq 1 ]
    [ "$(grep -c '^[0-9]* C' report.txt)" -eq 4 ]
    # 16 gradients by h_text, all of them of numbers
    awk '/^[^ ]/ { g = /^back/ } g && $1 == "h_text"' report.txt >h.txt
    [ "$(grep -c 'non-finite 0$' h.txt)" -eq 16 ]
    [ "$(wc -l <h.txt)" -eq 16 ]
    # in msa-gdwg's place M frames come by
    rm -f run/*
    line "$(golden_load) | $(golden_model) | msa-loss | msa-metrics -q --select mae | msa-dump -t --json --report r.json -n 1 |
        msa-backprop"
    [ "$status" -eq 0 ]
    [ "$("$PYTHON" -c "import json; print(*[json.loads(l)['kind'] for l in open('r.json')])")" = "H D G" ]
}

@test "a committed state" {
    line "$(golden_load) | $(golden_model) | msa-loss | msa-gdwg | msa-backprop"
    run msa-dump run/state.msa
    [ "$status" -eq 0 ]
    [[ $output == *"1 C "*"epoch 4"*"checkpoint 4"*"state {"*"msa-gdwg={"*"stage=4"*"2 E "* ]]
}

@test "the failure of a program before is shown" {
    line "msa-load nothing.pkl 2>error.txt | msa-dump"
    [ "$(cut -d ' ' -f 2- statuses)" = "1 5" ]
    [[ $output == "0 X  "*"msa-load: cannot read 'nothing.pkl': No such file or directory" ]]
}

@test "damaged streams: what came before is shown, and the status says what is wrong" {
    line "msa-load --batch 8 $GOLDEN/data.pkl -o in.msa"
    head -c -5 in.msa >cut.msa
    run msa-dump cut.msa
    [ "$status" -eq 4 ]
    [ "$(grep -c '^[0-9]* D' <<<"$output")" -eq 5 ]
    "$PYTHON" -c "b = bytearray(open('in.msa', 'rb').read()); b[-200] ^= 1; open('bad.msa', 'wb').write(b)"
    run msa-dump bad.msa
    [ "$status" -eq 3 ]
    [ "$(grep -c '^[0-9]* D' <<<"$output")" -eq 4 ]
    stream in.msa "a={b'nd': True, b'type': '<f4', b'kind': b'', b'shape': [3], b'data': b'12345678'}"
    run msa-dump in.msa
    [ "$status" -eq 3 ]
    [[ $output == *"msa-dump: in.msa: frame 1, tensor 'a': "* ]]
    run msa-dump --json in.msa
    [ "$status" -eq 3 ]
    [[ $output == *"tensor 'a'"* ]]
    run msa-dump nothing.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: cannot read 'nothing.msa': No such file or directory" ]
}

@test "a report nobody reads any more ends it" {
    run bash -c "msa-dump --json --values <(msa-load --batch 1 $GOLDEN/data.pkl) | head -n 1 >first; echo \${PIPESTATUS[0]}"
    [ "$output" = 141 ] && grep -q '"kind": "H"' first
    # In the middle of a frame that no pipe has room for.
    msa-synth -o set.pkl
    msa-load --batch 600 -o large.msa set.pkl
    run -141 --separate-stderr bash -c "msa-dump --json --values large.msa | head -n 1 >first; exit \${PIPESTATUS[0]}"
    [ -z "$stderr" ]
}

@test "what is read is not written over, under whatever name" {
    line "msa-load --batch 4 $GOLDEN/data.pkl -o in.msa"
    cp in.msa was.msa
    ln in.msa hard.msa
    ln -s in.msa soft.msa
    # ARGUMENTS
    while read -r arguments; do
        line "msa-dump $arguments"
        [ "$status" -eq 2 ] || { echo "$arguments: $status $output" && false; }
        [[ $output == "msa-dump: cannot write '"*".msa': it is what is being read" ]] || { echo "$arguments: $output" && false; }
        cmp in.msa was.msa
    done <<'END_OF_CASES'
-o in.msa in.msa
-o ./in.msa in.msa
-o hard.msa in.msa
--report soft.msa in.msa
--report in.msa soft.msa
-o in.msa <in.msa
-o hard.msa - <soft.msa
-t --report in.msa in.msa -o other.msa
-t --record soft.msa in.msa -o other.msa
--replay --record hard.msa in.msa -o other.msa
--diff -o in.msa in.msa was.msa
--diff --report hard.msa was.msa in.msa
-t in.msa -o in.msa
-t -o soft.msa <hard.msa
END_OF_CASES
}

@test "-o and --report say where the report goes, and that there is one" {
    line "msa-load --batch 4 $GOLDEN/data.pkl -o in.msa"
    msa-dump in.msa >report.txt
    msa-dump --npy arrays -o first.txt in.msa
    msa-dump -t --record kept.msa --report second.txt -o other.msa in.msa
    cmp first.txt report.txt
    cmp second.txt report.txt
    run msa-dump -t --record kept.msa -o other.msa in.msa
    [ -z "$output" ]
}
