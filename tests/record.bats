#!/usr/bin/env bats
# msa-dump --record, --replay, --answer: both directions of a line are kept, and one stage alone is run on what was kept.
load helper

TAIL="msa-loss | msa-gdwg | msa-metrics -q | msa-backprop --lr 1e-3"

# msa-encode with dropout, so that what is random is replayed too; its parameters go to $1.
encode() {
    golden_encode | sed "s|--dropout 0|--dropout 0.3|; s|run/encode|$1/encode|"
}

# A training line that keeps what msa-encode reads and writes in in.msa and out.msa.
record() {
    line "$(golden_load) | msa-dump -t --record in.msa | $(encode run) | msa-dump -t --record out.msa |
        $(golden_decompose) | $(golden_predict) | $TAIL"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    [ -z "$output" ]
}

# The kinds of the frames of a stream, one letter each.
kinds() {
    "$PYTHON" - "$1" <<'END_OF_PYTHON'
import os, sys
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
from read_stream import frames, opened
try:
    for kind, body in frames(opened(sys.argv[1])):
        print(kind, end="")
except EOFError:
    print("...", end="")
END_OF_PYTHON
}

@test "a training line: all frames in the order seen, each C with the one that came back" {
    record
    # in each of 4 epochs 17 samples to train on and 6 to validate, by 5
    epoch=DGDGDGDGDDCC
    [ "$(kinds out.msa)" = "H$epoch$epoch$epoch${epoch}E" ]
    "$PYTHON" - out.msa <<'END_OF_PYTHON'
import os, sys
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
from read_stream import frames, opened
all = list(frames(opened(sys.argv[1])))
header = all[0][1]
assert header["mode"] == "train" and header["back"] == ""
assert [p["name"] for p in header["pipeline"]] == ["msa-load", "msa-dump", "msa-encode", "msa-dump"]
controls = [body for kind, body in all if kind == "C"]
assert ["state" in c for c in controls] == [False, True] * 4
for (kind, record), (next_kind, gradient) in zip(all, all[1:]):
    if kind == "D" and record["train"]:
        assert next_kind == "G" and record["step"] == gradient["step"]
        assert set(gradient["tensors"]) == {"h_text", "h_vision", "h_audio"}
END_OF_PYTHON
    # what is shown of it is what is shown of the line
    msa-dump --json out.msa >kept.json
    [ "$(grep -c '"back": true' kept.json)" -eq 20 ]
    msa-dump -n 1 out.msa >first.txt
    [ "$(grep -c '^[0-9]* D' first.txt)" -eq 1 ]
    [ "$(grep -c '^back [0-9]* G' first.txt)" -eq 1 ]
}

@test "the stage alone, trained on the recording: the same bytes, and a clean --diff" {
    record
    mkdir new
    line "msa-dump --replay in.msa --record in2.msa | $(encode new) | msa-dump --answer out.msa --record out2.msa"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ -z "$output" ]
    for file in encode.safetensors encode.safetensors.3 encode.safetensors.4; do
        cmp "run/$file" "new/$file"
    done
    for side in in out; do
        run msa-dump --diff $side.msa ${side}2.msa
        [ "$status" -eq 0 ]
        [ -z "$output" ]
    done
    # another seed: --diff says so, where it begins
    rm -r new && mkdir new
    line "msa-dump --replay in.msa | $(encode new) --dropout 0.2 | msa-dump --answer out.msa --record out2.msa"
    [ "$status" -eq 0 ]
    run msa-dump --diff out.msa out2.msa
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == "note: H pipeline.argv: "* ]]
    [[ ${lines[2]} == "D tensor 'h_text': "*" in frame 1 at [0,"*"], sample video_"* ]] || { echo "$output" && false; }
}

@test "a whole line behind a recording trains as it did behind msa-load" {
    record
    mv run was
    mkdir run
    line "msa-dump --replay in.msa | $(encode run) | msa-dump -t --record out2.msa | $(golden_decompose) | $(golden_predict) | $TAIL"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    for stage in encode decompose predict; do
        cmp "run/$stage.safetensors" "was/$stage.safetensors"
    done
    run msa-dump --diff out.msa out2.msa
    [ "$status" -eq 0 ]
}

@test "an evaluation: the stage reads the recording, and gives the same records" {
    line "$(golden_load) | $(golden_model) | $TAIL"
    encode="msa-encode -p run/encode.safetensors"
    line "msa-load --split test --batch 3 $GOLDEN/data.pkl | msa-dump -t --record in.msa.gz | $encode |
        msa-dump -t --record out.msa -o passed.msa"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(od -An -tx1 -N2 in.msa.gz)" = " 1f 8b" ]
    msa-dump -t -z --record packed.msa in.msa.gz -o /dev/null
    [ "$(od -An -tx1 -N2 packed.msa)" = " 1f 8b" ]
    msa-dump --diff in.msa.gz packed.msa
    $encode in.msa.gz -o again.msa
    line "msa-dump --replay in.msa.gz | $encode -o played.msa"
    [ "$status" -eq 0 ]
    cmp out.msa passed.msa
    for file in again.msa played.msa; do
        # behind the header all bytes are those that were recorded
        "$PYTHON" -c "
import struct, sys
a, b = (open(path, 'rb').read() for path in sys.argv[1:])
behind = lambda s: s[18 + struct.unpack('<I', s[10:14])[0]:]
assert behind(a) == behind(b) and len(behind(a)) > 1000" out.msa $file
        run msa-dump --diff out.msa $file
        [ "$status" -eq 0 ]
        [ -z "$output" ]
    done
}

@test "a run that fails: the recording ends with the failure" {
    line "$(golden_load) | $(golden_encode) | msa-dump -t --record kept.msa | $(golden_decompose) | $(golden_predict) |
        msa-loss | $PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"step\"] == 3: del tensors[\"y@msr\"], body[\"id\"]; body[\"weight\"] = 1' |
        msa-backprop"
    [ "$status" -ne 0 ]
    [ "$(kinds kept.msa)" = HDGDGDGDX ] || { kinds kept.msa && false; }
    run msa-dump kept.msa
    [ "$status" -eq 5 ]
    [[ ${lines[-1]} == "8 X "*"msa-backprop: frame 4: 'weight' is not a map" ]] || { echo "$output" && false; }
    # the stage sees again what it saw, to the last record
    mkdir new
    line "msa-dump --replay kept.msa | $(golden_decompose | sed 's|-p run|-p new|') | msa-dump --answer kept.msa"
    [[ $output == "msa-dump: kept.msa: ends before the answer to step 3 of epoch 1: msa-dump: "*"msa-backprop: frame 4: "* ]] ||
        { echo "$output" && false; }
    [ "${#lines[@]}" -eq 1 ]
    # the program before has gone
    line "msa-load --split test --batch 3 $GOLDEN/data.pkl | $PYTHON $ROOT/tests/forge.py 'if kind == \"E\": exit(1)' |
        msa-dump -t --record kept.msa >/dev/null"
    [ "$(kinds kept.msa)" = HDDDX ] || { kinds kept.msa && false; }
    line "msa-dump --replay kept.msa | msa-dump >/dev/null"
    [ "$output" = "msa-dump: warning: kept.msa ends with a failure: msa-dump: stdin: cut off after 4 frames, without an end (E) or an error (X)" ]
    [ "$(cut -d ' ' -f 2- statuses)" = "5 5" ]
}

@test "a run that is killed: the recording is cut after a frame" {
    for file in kept.msa kept.msa.gz; do
        rm -rf run && mkdir run
        # stops where the first gradient has been recorded: msa-loss, which joins no way back, is a program that kills
        line "$(golden_load) | $(golden_encode) | (echo \$BASHPID >pid; exec msa-dump -t --record $file) | $(golden_decompose) |
            $(golden_predict) | msa-loss |
            $PYTHON $ROOT/tests/forge.py 'if kind == \"D\" and body[\"step\"] == 2: import os; os.kill(int(open(\"pid\").read()), 9)' |
            msa-backprop"
        [ "$(cut -d ' ' -f 4 statuses)" -eq 137 ]
        [ "$(kinds $file)" = HDGDGD... ]
        run msa-dump $file
        [ "$status" -eq 4 ]
        [ "$(grep -c '^back [0-9]* G' <<<"$output")" -eq 2 ]
        [[ ${lines[-1]} == "msa-dump: $file: cut off after 6 frames"* ]]
    done
}

@test "what cannot be recorded, replayed or answered" {
    record
    # a training recording is no training stream
    line "$(golden_decompose | sed 's|-p run|-p new|') in.msa >/dev/null"
    [ "$status" -eq 1 ]
    [[ $output == *"(msa-dump --replay plays a recording)" ]]
    mkdir new
    # answers that are of other steps, or too few
    line "msa-dump --replay in.msa | $(encode new) | msa-dump --answer <(tail -c +1 out.msa | $PYTHON $ROOT/tests/forge.py '
if kind == \"G\": body[\"step\"] += 1')"
    [[ $output == *"epoch 1, step 1 but expected 1, 0"* ]] || { echo "$output" && false; }
    rm -f new/*
    msa-load --split test "$GOLDEN/data.pkl" -o test.msa
    line "msa-dump --replay in.msa | $(encode new) | msa-dump --answer test.msa"
    [[ $output == *"msa-dump: test.msa: ends before the answer to step 0 of epoch 1" ]] || { echo "$output" && false; }
    run msa-dump --answer out.msa test.msa
    [ "$output" = "msa-dump: the stream is for evaluation: there is nothing to answer" ]
    # a recording is not lost by a wrong command
    cksum <out.msa >before
    run msa-dump -t --record test.msa test.msa -o other.msa
    [ "$status" -eq 2 ]
    [[ $output == *"cannot write 'test.msa': it is what is being read" ]]
    line "msa-dump --replay in.msa | $(encode new) -f | msa-dump --answer out.msa --record out.msa"
    [[ $output == *"cannot write 'out.msa': it is what is being read"* ]] || { echo "$output" && false; }
    line "msa-dump --replay in.msa | $(encode new) -f | msa-dump --answer out.msa --report out.msa"
    [[ $output == *"cannot write 'out.msa': it is what is being read"* ]] || { echo "$output" && false; }
    cksum <out.msa | cmp - before
    run msa-dump --answer out.msa out.msa
    [ "$status" -eq 2 ]
    run msa-dump --record x.msa in.msa
    [ "$status" -eq 2 ]
    run msa-dump -t --replay in.msa
    [ "$status" -eq 2 ]
    run msa-dump -t --record /dev/full test.msa -o other.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: cannot write /dev/full: No space left on device" ]
    [ ! -e other.msa ]
    run bash -c "msa-dump -t --record nowhere/x.msa test.msa >/dev/null"
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: cannot write 'nowhere/x.msa': No such file or directory" ]
}

@test "answers that the line has not asked for" {
    local line
    record
    line="msa-dump --replay in.msa | $(encode new) -f | msa-dump --answer other.msa"
    mkdir new
    # whole frames more, of the way back or not; frames are numbered anew
    "$PYTHON" - <<'END_OF_PYTHON'
import os, sys
sys.path.insert(0, os.environ["ROOT"] + "/tests/interop")
from read_stream import Writer, frames, opened
all = list(frames(opened("out.msa")))
last = [pair for pair in all if pair[0] == "D" and pair[1]["train"]][-1], [pair for pair in all if pair[0] == "G"][-1]
for name, more in {"answers": last, "forward": [all[-4]]}.items():
    w = Writer(open(name + ".msa", "wb"))
    for kind, body in [*all[:-1], *more]:
        w.write(kind, body)
    w.write("E", {"frames": w.number})
w = Writer(open("failed.msa", "wb"))
for kind, body in all[:-1]:
    w.write(kind, body)
w.write("X", {"who": "msa-loss", "what": "no more"})
END_OF_PYTHON
    cp forward.msa other.msa
    line "$line"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    cp answers.msa other.msa
    line "$line"
    [ "$output" = "msa-dump: other.msa: frame 50: an answer more than the line has asked for" ] || { echo "$output" && false; }
    [ "$(cut -d ' ' -f 2- statuses)" = "5 5 1" ]
    cp failed.msa other.msa
    line "$line"
    [[ $output == "msa-dump: other.msa: ends with a failure, where the line has ended well: msa-loss: no more" ]] ||
        { echo "$output" && false; }
    [ "$(cut -d ' ' -f 2- statuses)" = "5 5 1" ]
    # behind the last answer
    head -c -1 out.msa >other.msa
    line "$line"
    [[ $output == "msa-dump: other.msa: cut off after 49 frames"* ]] || { echo "$output" && false; }
    [ "$(cut -d ' ' -f 2- statuses)" = "5 5 4" ]
    { cat out.msa && echo; } >other.msa
    line "$line"
    [[ $output == "msa-dump: other.msa: frame 50: bytes behind the end of the stream" ]] || { echo "$output" && false; }
    [ "$(cut -d ' ' -f 2- statuses)" = "5 5 3" ]
}

@test "two runs do not record into one file" {
    msa-load --split test --batch 3 "$GOLDEN/data.pkl" -o in.msa
    mkfifo pipe
    msa-dump -t --record kept.msa pipe -o first.msa &
    first=$!
    exec 9>pipe
    head -c -40 in.msa >&9
    until [ "$(stat -c %s kept.msa)" -gt 0 ]; do sleep 0.01; done
    run msa-dump -t --record kept.msa in.msa -o second.msa
    [ "$status" -eq 1 ]
    [ "$output" = "msa-dump: cannot write 'kept.msa': another program is writing it" ]
    [ ! -e second.msa ]
    tail -c 40 in.msa >&9
    exec 9>&-
    wait $first
    run msa-dump --diff -q in.msa kept.msa
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}
