#!/usr/bin/env bats
# msa-dump --where nonfinite and --npy: the first number that went wrong, and tensors as files of NumPy's.
load helper

# A data set with an infinity in the text of test sample 4 and NaN in its vision; the sample's id is printed.
wrong_data() {
    "$PYTHON" - "$GOLDEN" <<'END_OF_PYTHON'
import pickle, sys
data = pickle.load(open(sys.argv[1] + "/data.pkl", "rb"))
data["test"]["text"][4, 1, 2] = float("inf")
data["test"]["vision"][4:, 0, 0] = float("nan")
pickle.dump(data, open("wrong.pkl", "wb"))
print(data["test"]["id"][4])
END_OF_PYTHON
}

@test "--where nonfinite: frame, tensor, place, sample" {
    id=$(wrong_data)
    line "msa-load --split test --batch 3 --non-finite keep wrong.pkl -o in.msa"
    run msa-dump --where nonfinite in.msa
    [ "$status" -eq 1 ]
    [ "$output" = "frame 2 (D): epoch 0, step 1 (test): tensor 'text' with inf at [1,1,2], in samples 1 '$id'" ]
    run msa-dump --where nonfinite --tensor vision in.msa
    [ "$status" -eq 1 ]
    [[ $output == "frame 2 (D): epoch 0, step 1 (test): tensor 'vision' with nan at [1,0,0], in samples 1 '$id', 2 '"* ]]
    run msa-dump --where nonfinite --tensor label in.msa
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    run msa-dump --where nonfinite -n 1 in.msa
    [ "$status" -eq 0 ]
    run msa-dump --where nonfinite --report found.txt in.msa
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    grep -q "^frame 2 " found.txt
    run msa-dump --where nowhere in.msa
    [ "$status" -eq 2 ]
}

@test "--where in a training line: over gradients and losses too, and the line goes on" {
    forge="$PYTHON $ROOT/tests/forge.py"
    line "$(golden_load) | $(golden_encode) | msa-dump -t --where nonfinite | $(golden_decompose) | $(golden_predict) | msa-loss |
        $forge 'if kind == \"D\" and body[\"train\"] and body[\"step\"] == 2: tensors[\"s_audio@cl\"] = tensors[\"s_audio@cl\"] + np.float32([[0]] * 3 + [[np.inf], [0]])' |
        msa-backprop"
    [[ $output == "back frame 3 (G): epoch 1, step 2 (train): gradient by 'h_"*"' with nan at [3,0], in samples 3 'video_"* ]] ||
        { echo "$output" && false; }
    [ "$(grep -c '^back \|^frame ' <<<"$output")" -eq 1 ]
    # It goes on to the checkpoint, where msa-backprop ends what has become of such a gradient.
    [[ ${lines[-1]} == "msa-backprop: epoch 1, step 4: parameters are not finite: "* ]]
    rm -f run/*
    line "$(golden_load) | $(golden_model) | msa-loss | $forge 'if kind == \"D\" and body[\"step\"] == 3: body[\"loss\"][\"uni\"] = np.inf' |
        msa-dump -t --where nonfinite --record kept.msa | msa-backprop"
    [[ $output == "frame 4 (D): epoch 1, step 3 (train): loss 'uni' with inf of samples 0 'video_"* ]] || { echo "$output" && false; }
    [ "$(cut -d ' ' -f 2- statuses)" = "0 0 0 0 0 0 1 0" ]
    # a recording tells the same
    run msa-dump --where nonfinite kept.msa
    [ "$status" -eq 1 ]
    [[ $output == "frame 7 (D): epoch 1, step 3 (train): loss 'uni' with inf of samples 0 'video_"* ]]
}

@test "--where: frames that are no records" {
    # EXPECTED LINE|KIND|BODY
    while IFS='|' read -r expected kind body; do
        "$PYTHON" - "$kind" "$body" <<'END_OF_PYTHON'
import os, sys
import numpy as np
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
from read_stream import Writer
nan, inf = np.nan, np.inf
header = {"version": 1, "mode": "eval"}
kind, body = sys.argv[1], eval(sys.argv[2])
w = Writer(open("in.msa", "wb"))
w.write("H", header | body if kind == "H" else header)
w.write("D", {"tensors": {"a": np.ones(2)}})
if kind != "H":
    w.write(kind, body)
w.write("E", {"frames": w.number})
END_OF_PYTHON
        run msa-dump --where nonfinite in.msa
        [ "$output" = "$expected" ] || { echo "$body: $output" && false; }
        [ "$status" -eq "$([ -z "$expected" ] && echo 0 || echo 1)" ]
        run msa-dump --where nonfinite --tensor a in.msa
        [ "$status" -eq 0 ]
        [ -z "$output" ]
    done <<'END_OF_CASES'
frame 2 (C): 'state.4:msa-gdwg.first' with nan at [1]|C|{"epoch": 1, "state": {"3:a": {"n": 1}, "4:msa-gdwg": {"x": .5, "first": np.array([1, nan])}}}
frame 2 (C): 'state.2:a[1].x' with -inf|C|{"state": {"2:a": [{"x": 1.0}, {"x": -inf}]}}
frame 2 (C): 'state.2:a' with inf|C|{"state": {"2:a": np.array(inf)}}
|C|{"state": {"2:a": np.ones(3), "3:b": [1.5, "nan"]}}
frame 2 (M): 'loss.msr' with nan|M|{"split": "test", "loss": {"msr": nan}, "metrics": {"corr": nan}}
frame 2 (M): 'metrics.mae' with inf|M|{"metrics": {"corr": nan, "mae": inf}, "loss": {"msr": 1.0}}
|M|{"split": "test", "metrics": {"corr": nan}, "loss": {"msr": 1.0}}
frame 2 (C): 'metrics.corr' with nan|C|{"metrics": {"corr": nan}}
frame 0 (H): 'standardize.text.scale' with inf at [0,2]|H|{"standardize": {"text": {"scale": np.array([[1, 2, inf]])}}}
END_OF_CASES
}

@test "--npy: every tensor as NumPy reads it, in the order of frames" {
    msa-load --split test --batch 3 "$GOLDEN/data.pkl" -o in.msa
    run msa-dump --npy arrays in.msa
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    "$PYTHON" - <<'END_OF_PYTHON'
import os, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
from read_stream import frames
expected = {f"{number:08}-{kind}-{name}.npy": x
            for number, (kind, body) in enumerate(frames(open("in.msa", "rb")))
            for name, x in body.get("tensors", {}).items()}
found = {p.name: np.load(p, allow_pickle=False) for p in Path("arrays").iterdir()}
assert len(found) == 3 * 10 and found.keys() == expected.keys(), found.keys() ^ expected.keys()
for name, x in expected.items():
    assert found[name].dtype == x.dtype and found[name].shape == x.shape and found[name].tobytes() == x.tobytes(), name
assert Path("arrays/00000001-D-audio.npy").stat().st_size % 4 == 0
END_OF_PYTHON
    run msa-dump --npy some -n 1 --tensor label,audio --report - in.msa
    [ "$(ls some)" = "00000001-D-audio.npy
00000001-D-label.npy" ]
    [ "${#lines[@]}" -gt 3 ]
}

@test "--npy: all dtypes, no dimensions, empty ones; names lead nowhere else" {
    "$PYTHON" - <<'END_OF_PYTHON'
import os, sys
import numpy as np
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
from read_stream import Writer
w = Writer(open("in.msa", "wb"))
w.write("H", {"version": 1, "mode": "eval"})
tensors = {d.strip("<|"): np.arange(2).astype(d) for d in "<f4 <f8 <f2 <i8 <i4 <i2 |i1 <u8 <u4 <u2 |u1 |b1".split()}
tensors |= {"../../escaped": np.ones(2, "f4"), "/etc/x": np.ones(2), "..": np.ones(2), "a%2Fb": np.zeros(2), "a/b": np.ones(2),
            "e": np.zeros((2, 0, 3)), "d" * 64: np.zeros((2,) + (1,) * 7, "i2"), "/" * 64: np.ones(2)}
w.write("D", {"tensors": tensors})
w.write("G", {"epoch": 1, "step": 0, "tensors": {"scalar": np.array(2.5)}})
w.write("E", {"frames": 3})
w.file.close()
import pickle; pickle.dump(tensors, open("tensors.pkl", "wb"))
END_OF_PYTHON
    mkdir inside
    run msa-dump --npy inside/arrays in.msa
    [ "$status" -eq 0 ]
    [ "$(ls inside)" = arrays ]
    "$PYTHON" - <<'END_OF_PYTHON'
import pickle
import numpy as np
from pathlib import Path
from urllib.parse import unquote
tensors = pickle.load(open("tensors.pkl", "rb"))
files = list(Path("inside/arrays").iterdir())
assert len(files) == len(tensors) + 1
for file in files:
    x, name = np.load(file), unquote(file.name[11:-4])
    if name == "scalar":
        assert file.name.startswith("00000002-G-") and x.shape == () and x == 2.5
        continue
    assert x.dtype == tensors[name].dtype and (x == tensors[name]).all() and x.shape == tensors[name].shape, name
END_OF_PYTHON
    run msa-dump --npy nowhere/arrays in.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: cannot write 'nowhere/arrays': No such file or directory" ]
    run msa-dump --npy in.msa in.msa
    [ "$status" -eq 1 ]
    [[ $output == "msa-dump: cannot write 'in.msa/00000001-D-"*": Not a directory" ]]
}

@test "--npy in a training line: gradients under the numbers of a recording" {
    line "$(golden_load) | $(golden_encode) | msa-dump -t --npy arrays --record kept.msa -n 2 | $(golden_decompose) | $(golden_predict) |
        msa-loss | msa-backprop"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    msa-dump --npy again -n 2 kept.msa
    diff -r arrays again
    [ -e arrays/00000004-G-h_text.npy ]
    [ ! -e arrays/00000005-D-h_text.npy ]
}
