#!/usr/bin/env bats
# Integers of 64 bits keep their sign and all their digits: of pickles, of streams, in text and as JSON.
# shellcheck disable=SC2154 # run sets stderr
load helper

# What the sets and streams below are made by: odd.py has split(n, id), stream(tensors).
odd_numbers() {
    cat >odd.py <<'END'
import os, pickle, struct, sys, zlib
import numpy as np
import msgpack
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
MOST, ABOVE, LEAST = 2**64 - 1, 2**63, -2**63
def split(ids, **more):
    n = len(ids)
    return {"text": np.ones((n, 2, 3), "f4"), "regression_labels": np.zeros(n, "f4"), "id": ids, **more}
def write(name, part, protocol=4):
    pickle.dump({"train": part, "valid": part, "test": part}, open(name, "wb"), protocol)
def tensor(a):
    return {b"nd": True, b"type": a.dtype.str, b"kind": b"", b"shape": list(a.shape), b"data": a.tobytes()}
def frame(number, kind, body):
    body = msgpack.packb(body)
    fields = struct.pack("<BcHII", 1, kind, 0, number, len(body))
    return b"\xd8M" + fields + struct.pack("<I", zlib.crc32(body, zlib.crc32(fields))) + body
def stream(name, **tensors):
    with open(name, "wb") as f:
        f.write(frame(0, b"H", {"mode": "eval", "odd": ABOVE, "least": LEAST}))
        f.write(frame(1, b"D", {"tensors": {k: tensor(a) for k, a in tensors.items()}}))
        f.write(frame(2, b"E", {"frames": 2}))
END
}

ids() {
    msa-load --split test "$1" | msa-dump --json | "$PYTHON" -c '
import json, sys
print(*[i for f in map(json.loads, sys.stdin) if f["kind"] == "D" for i in f["id"]])'
}

@test "ids above 2^63 are what they are, as array, scalars, ints, of any protocol and byte order" {
    odd_numbers
    "$PYTHON" - <<'END'
from odd import *
ids = [0, 1, ABOVE - 1, ABOVE, ABOVE + 1, MOST]
for protocol in 2, 3, 4, 5:
    write(f"list-{protocol}.pkl", split(ids), protocol)
    for dtype in "<u8", ">u8":
        write(f"array-{protocol}-{dtype[0] == '<'}.pkl", split(np.array(ids, dtype)), protocol)
    write(f"scalars-{protocol}.pkl", split([np.uint64(i) for i in ids]), protocol)
    write(f"objects-{protocol}.pkl", split(np.array(ids, object)), protocol)
END
    for file in *.pkl; do
        run ids "$file"
        [ "$output" = "0 1 9223372036854775807 9223372036854775808 9223372036854775809 18446744073709551615" ]
    done
}

@test "the least and other integers of fewer bits stay, and what needs more than 64 is refused" {
    odd_numbers
    "$PYTHON" - <<'END'
from odd import *
write("least.pkl", split([LEAST, -1, 2**31, -2**31 - 1]))
write("array.pkl", split(np.array([LEAST, -1, 2**31, -2**31 - 1], "i8")))
write("u4.pkl", split(np.array([2**32 - 1, 2**31], "u4")))
for name, number in ("more", 2**64), ("less", LEAST - 1), ("much", 10**40):
    write(f"{name}.pkl", split([1, number]))
END
    for file in least array; do
        run ids "$file.pkl"
        [ "$output" = "-9223372036854775808 -1 2147483648 -2147483649" ]
    done
    run ids u4.pkl
    [ "$output" = "4294967295 2147483648" ]
    for file in more less much; do
        run -3 --separate-stderr msa-load "$file.pkl"
        [[ $stderr == *"bytes but expected one of 64 bits"* ]]
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done
}

@test "Python 2's ints are unsigned too" {
    odd_numbers
    "$PYTHON" - <<'END'
from odd import *
write("list.pkl", split([12345, 23456]), 2)
data = open("list.pkl", "rb").read()
assert data.count(b"M90") == data.count(b"M\xa0[") == 1
data = data.replace(b"M90", b"I18446744073709551615\n").replace(b"M\xa0[", b"I-9223372036854775808\n")
open("list.pkl", "wb").write(data)
open("more.pkl", "wb").write(data.replace(b"I1844", b"I2844"))
END
    run ids list.pkl
    [ "$output" = "18446744073709551615 -9223372036854775808" ]
    run -3 --separate-stderr msa-load more.pkl
    [[ $stderr == *"'28446744073709551615' is no integer of 64 bits"* ]]
}

@test "labels and features of uint64 are positive, in a record and in --info" {
    odd_numbers
    "$PYTHON" - <<'END'
from odd import *
n = {"text": np.full((2, 2, 3), MOST, "u8")}
write("array.pkl", split(["a", "b"], **n, **{"regression_labels": np.array([ABOVE, MOST], "u8")}))
write("list.pkl", split(["a", "b"], **n, **{"regression_labels": [ABOVE, MOST]}))
write("scalars.pkl", split(["a", "b"], **n, **{"regression_labels": [np.uint64(ABOVE), np.uint64(MOST)]}))
END
    for file in array list scalars; do
        run --separate-stderr bash -c "msa-load -q --split test $file.pkl | msa-dump --tensor label,text"
        [[ $output == *"label <f4[2]      min 9.2234e+18  mean 1.3835e+19  max 1.8447e+19 "* ]]
        [[ $output == *"text  <f4[2,2,3]  min 1.8447e+19 "* ]]
        run --separate-stderr msa-load -q --info --json "$file.pkl"
        "$PYTHON" -c '
import json, sys
label = json.load(sys.stdin)["splits"]["test"]["tensors"]["label"]
assert abs(label["min"] / 2**63 - 1) < 1e-6 and abs(label["max"] / 2**64 - 1) < 1e-6 and label["histogram"]["3"] == 2, label' <<<"$output"
    done
}

@test "a token above 2^63 is named, and not taken for a negative one" {
    odd_numbers
    "$PYTHON" - <<'END'
from odd import *
tokens = np.ones((2, 3, 4), "u8")
write("whole.pkl", split(["a", "b"], text_bert=tokens))
tokens[1, 0, 2] = ABOVE
write("above.pkl", split(["a", "b"], text_bert=tokens))
write("turned.pkl", split(["a", "b"], text_bert=np.ascontiguousarray(tokens.transpose(0, 2, 1))))
END
    msa-load whole.pkl >whole.msa
    for file in above turned; do
        run -3 --separate-stderr bash -c "msa-load $file.pkl >/dev/null"
        [ "$stderr" = "msa-load: $file.pkl: train: sample 1, 'text_bert', element 2: 9223372036854775808 but expected a whole number from 0 to 9223372036854775807" ]
    done
}

@test "msa-dump shows integers of 64 bits with all digits, and positive" {
    odd_numbers
    "$PYTHON" -c '
from odd import *
stream("one.msa", u=np.array([0, 2**53 + 1, ABOVE, MOST], "u8"), i=np.array([LEAST, -2**53 - 1, 2**53 + 1, ABOVE - 1], "i8"))
stream("other.msa", u=np.array([0, 2**53 + 1, ABOVE, MOST - 1], "u8"), i=np.array([LEAST, -2**53 - 1, 2**53, ABOVE - 1], "i8"))'
    run msa-dump --values one.msa
    [[ $output == *"odd=9223372036854775808"* || $output == *"odd 9223372036854775808"* ]]
    [[ $output == *"u <u8[4]  min 0           mean 6.9"* ]]
    for number in 9007199254740993 9223372036854775808 18446744073709551615 -9223372036854775808 -9007199254740993 \
        9223372036854775807; do
        [[ $output == *" $number"$'\n'* ]]
    done
    msa-dump --json --values one.msa | "$PYTHON" -c '
import json, sys
head, record = [json.loads(line) for line in sys.stdin][:2]
t = {x["name"]: x["values"] for x in record["tensors"]}
assert t["i"] == [-2**63, -2**53 - 1, 2**53 + 1, 2**63 - 1], t
assert t["u"] == [0, 2**53 + 1, 2**63, 2**64 - 1], t
assert head["odd"] == 2**63 and head["least"] == -2**63 and type(head["odd"]) is int, head'
    # all else is written as without such a number
    msa-dump --json one.msa | sed -n 1p | sed 's/9223372036854775808,/1,/' >large
    "$PYTHON" "$ROOT/tests/forge.py" "if kind == 'H': body['odd'] = 1" <one.msa | msa-dump --json | sed -n 1p |
        sed -E 's/"bytes": [0-9]+/"bytes": '"$(jq .bytes large)"'/' | diff - large
    run -1 msa-dump --diff one.msa other.msa
    [[ $output == *"18446744073709551615"*"18446744073709551614"* ]]
    [[ $output == *"9007199254740993"*"9007199254740992"* ]]
    msa-dump --npy folder one.msa >/dev/null
    "$PYTHON" -c '
import glob, numpy as np
a, b = [np.load(f) for f in sorted(glob.glob("folder/*.npy"))]
assert {str(x.dtype): int(x.max()) for x in (a, b)} == {"uint64": 2**64 - 1, "int64": 2**63 - 1}'
    msa-dump --where nonfinite one.msa >where # they are finite
    [ ! -s where ]
}
