#!/usr/bin/env bats
# Samples with companions: surveys, what is found in them and drawn from that, and what a line with them must not lose.
load helper
load models.bash

export PYTHONPATH=$BATS_TEST_DIRNAME/interop

# shellcheck disable=SC2154 # what model sets
# The golden line with companions drawn at random, initial values of its own and dropout; $1: more options of msa-load.
training() {
    joined "${filters[@]}" | sed -E "s/ --init [^ ]*//g; s/ --dropout 0/ --dropout 0.3/g
        s/--no-shuffle/--seed 3 --validate-every 2 ${1-}/; s/--draw first/--draw ${DRAW:-random}/"
}

ok() {
    line "$1"
    [ "$status" -eq 0 ] || { echo "$1: $output" && return 1; }
}

# Puts a forgery, or a program, in front of a program: before NAME CODE, of the line on stdin.
before() {
    sed "s#| msa-$1 #| $PYTHON $ROOT/tests/forge.py '$2' &#"
}
recorded() {
    sed "s#| msa-$1 #| msa-dump -t -q --record $1.msa &#"
}

# wrong PLACE:STATUS LINE MESSAGE: that program of the line fails, with that status and message.
wrong() {
    line "$2"
    [[ $output == *"$3"* ]] || { echo "$output" && return 1; }
    [ "$(cut -d ' ' -f "$((${1%:*} + 1))" statuses)" -eq "${1#*:}" ] || { cat statuses && return 1; }
}

setup_line() {
    model confede
    rm -rf run && mkdir run
}

@test "the lists of both rules and the rows of each batch are PyTorch's" {
    setup_line
    ok "$(joined "${filters[@]}" | recorded companions | recorded decompose)"
    rm run/*
    mv companions.msa released.msa
    ok "$(joined "${filters[@]}" | sed 's/--rule released/--rule meant/' | recorded companions)"
    "$PYTHON" - "$G/expected.json" <<'END'
import json, sys
import numpy as np
from read_stream import frames
notes = json.load(open(sys.argv[1]))["notes"]
read = lambda path: list(frames(open(path, "rb")))
for rule, path in ("released", "released.msa"), ("meant", "companions.msa"):
    answers = [c for kind, c in read(path) if kind == "C" and "companions" in c]
    assert [c["epoch"] for c in answers] == [1, 3] and all(c["every"] == 2 and c["companions"].shape == (18, 3, 10) for c in answers)
    for found, expected in list(zip(answers, notes["surveys"]))[:1 if rule == "meant" else 2]: # what is trained differs then
        for lists, of in zip(found["companions"], expected[rule]):
            assert [[j for j in one if j >= 0] for one in lists.tolist()] == [of["alike"], of["opposite"], of["deceptive"]], (rule, lists, of)
before, behind = read("released.msa"), read("decompose.msa")
surveys = [d for kind, d in before if kind == "D" and d["split"] == "survey"]
assert [d["tensors"]["index"].tolist() for d in surveys[:4]] == [list(range(at, min(at + 5, 18))) for at in (0, 5, 10, 15)]
assert len(surveys) == 8 and not any(d["train"] for d in surveys)
trained = [d for kind, d in behind if kind == "D" and d["train"]]
assert [d["tensors"]["index"].tolist()[len(d["id"]) // 7:] for d in trained] == notes["companions"]
assert all(d["group"] == 7 and len(d["id"]) == (35 if d["step"] % 4 < 3 else 21) for d in trained)
assert not any("survey" in d or d.get("split") == "survey" for _, d in behind), "a survey behind msa-companions"
assert before[0][1]["need"] == ["survey"] and behind[0][1]["need"] == []
END
}

@test "of each list as many as are wanted, none twice; a short list goes round, and an empty one is the sample" {
    setup_line
    ok "$(training | sed 's/--every 2/--every 1 --keep 3 --rule meant/' | recorded companions | recorded decompose)"
    "$PYTHON" - <<'END'
from read_stream import frames
lists, short, empty = None, 0, 0
rows = {d["step"]: (d["tensors"]["index"].tolist(), len(d["id"]) // 7) for kind, d in frames(open("decompose.msa", "rb")) if kind == "D" and d["train"]}
for kind, body in frames(open("companions.msa", "rb")):
    if kind == "C" and "companions" in body:
        lists = body["companions"].tolist()
    if kind != "D" or not body["train"]:
        continue
    index, count = rows[body["step"]]
    assert len(set(index[:count])) == count
    for i, sample in enumerate(index[:count]):
        for k in range(3):
            found, two = [j for j in lists[sample][k] if j >= 0], index[count + 6 * i + 2 * k:][:2]
            assert sample not in found
            short, empty = short + (len(found) == 1), empty + (not found)
            assert set(two) == ({sample} if not found else set(two) & set(found)) and (len(set(two)) == 2 or len(found) < 2), (two, found)
assert short, "no list is short"
END
    mv decompose.msa was.msa && rm run/*
    ok "$(training | sed 's/--every 2/--every 1 --keep 3 --rule meant/' | recorded companions | recorded decompose)"
    run -0 msa-dump --diff was.msa decompose.msa
}

@test "a part of the data: companions are of what is taken" {
    setup_line
    ok "$(training '--fraction .5' | recorded decompose)"
    "$PYTHON" - <<'END'
from read_stream import frames
index = [d["tensors"]["index"].tolist() for kind, d in frames(open("decompose.msa", "rb")) if kind == "D" and d["train"]]
taken = {i for one in index[:2] for i in one[:len(one) // 7]}
assert len(taken) == 9 and all(set(one) <= taken for one in index), (taken, index)
END
}

# Ends the line with a signal in front of what the code finds, in front of msa-companions.
dies() {
    before companions "if $1: import os; os.system(\"pkill -9 -x -s %d msa-$2\" % os.getsid(0))"
}

@test "killed in a survey, behind it, and in an epoch's middle, and resumed: the same bytes" {
    setup_line
    ok "$(training)"
    mv run whole
    while IFS='|' read -r each code; do
        mkdir run
        training | dies "$code" "$each" >killed.bash
        ok "! setsid -w bash -o pipefail killed.bash"
        ok "$(training --resume)"
        diff -r whole run
        rm -r run
    done <<'END'
companions|kind == "D" and body["split"] == "survey" and body["epoch"] == 1
encode|kind == "D" and body["split"] == "survey" and body["epoch"] == 3 and body["step"] == 2
companions|kind == "C" and body.get("survey") and body["epoch"] == 3
load|kind == "D" and body["train"] and body["step"] == 8
companions|kind == "D" and body["train"] and body["step"] == 11
END
}

@test "on recordings the stages before and behind a survey's end give the same bytes" {
    setup_line
    ok "$(training | recorded encode | recorded companions | recorded decompose)"
    mv run whole && mkdir run
    ok "msa-dump --replay encode.msa | $(filters=("${filters[1]}") training) | msa-dump --answer companions.msa"
    cmp {whole,run}/encode.safetensors
    ok "msa-dump --replay companions.msa | ${filters[2]} | msa-dump -t -q --record again.msa | msa-dump --answer decompose.msa"
    "$PYTHON" - <<'END'
from read_stream import frames
records = lambda path: [(d["step"], d["tensors"]["h_text"].tobytes()) for kind, d in frames(open(path, "rb")) if kind == "D"]
assert records("again.msa") == records("decompose.msa")
END
}

@test "a stage in Python takes a survey for no checkpoint" {
    setup_line
    ok "$(training | recorded decompose)"
    mv run whole && mkdir run
    mv decompose.msa was.msa
    cat >stage_of_nothing.py <<'END'
import sys
import stage
class Nothing:
    def __getattr__(self, name):
        return lambda *_: {} if name == "state" else True
    def file(self, checkpoint):
        return f"nothing.{checkpoint:d}"
    def save(self, path):
        open(path, "w")
sys.exit(stage.run("nothing", Nothing()))
END
    ok "$(training | sed "s#| msa-companions#| $PYTHON stage_of_nothing.py &#" | recorded decompose)"
    for each in whole/*.safetensors; do
        cmp "$each" "run/${each##*/}"
    done
    [ "$(find . -maxdepth 1 -name 'nothing.*' | wc -l)" -eq 8 ]
}

@test "lines that cannot be: one of them says so, and nothing is left" {
    setup_line
    wrong 7:1 "$(training | sed 's/ | msa-companions [^|]*//')" \
        "msa-backprop: companions are to be found for samples (msa-load --group), but no stage finds them: does msa-companions stand behind msa-encode?"
    wrong 3:1 "$(training | sed 's/--group 7//; s/--draw [a-z]*//')" "msa-companions: no samples are to have companions: does msa-load have --group?"
    wrong 5:1 "$(training | sed 's/--group 7//; s/--draw [a-z]*//; s/ | msa-companions [^|]*//')" \
        "msa-loss: task cl: --contrast confede is between a sample and its companions, but none arrive (msa-load --group 7)"
    wrong 6:1 "$(training | sed 's/--group 7/--group 4/')" "msa-loss: task cl: --contrast confede is between"
    wrong 1:2 "$(training | sed 's/--group 7/--group 5/')" "msa-load: --group: 5 but expected 1, 4, 7 and so on"
    wrong 2:1 "$(training | sed -E 's/ \| (msa-encode [^|]*) \| (msa-companions [^|]*)/ | \2 | \1/')" \
        "msa-companions: no h_* arrives: does msa-encode stand before?"
    wrong 3:3 "$(training | before encode 'if kind == "H": body["need"].append("more")')" \
        "msa-encode: frame 0: the stream needs 'more', which this version does not know"
    [ -z "$(ls run)" ]
    wrong 1:2 "msa-load --group 7 $G/data.pkl" "--group go with --train"
}

@test "--check, and evaluation, which has no companions" {
    setup_line
    ok "$(training --check)"
    [ -z "$output$(ls run)" ]
    ok "$(training)"
    ok "msa-load --split test $G/data.pkl | $(networks 's/ --(init|dropout) [^ ]*//g') | msa-loss --tasks msr,cl --contrast confede | msa-metrics"
    [[ $output == *"msa-loss: warning: task cl is left out: no companions arrive"* ]]
}

@test "a training is resumed with the same companions, from a commit that has them" {
    setup_line
    training | dies 'kind == "D" and body["train"] and body["step"] == 11' encode >killed.bash
    ok "! setsid -w bash -o pipefail killed.bash"
    cp -r run was
    refused() {
        rm -rf run && cp -r was run
        wrong "$1" "$2" "$3"
    }
    refused 1:2 "$(DRAW=first training --resume)" "msa-load: the training that is to be resumed"
    refused 1:2 "$(training --resume | sed 's/--group 7/--group 4/')" "msa-load: the training that is to be resumed"
    refused 3:2 "$(training --resume | sed 's/--every 2/--every 3/')" "msa-companions: the training that is to be resumed"
    changed() {
        "$PYTHON" "$ROOT/tests/forge.py" "if kind == \"C\": state = body[\"state\"][\"1:msa-load\"]; $1" <was/state.msa >state.msa
        refused 1:3 "cp state.msa run/ && $(training --resume)" "msa-load: header: the state to be resumed: $2"
    }
    changed 'del state["companions"]' "'companions': there are none"
    changed 'state["companions"] = state["companions"][1:]' "'companions' is <i8 [17,3,10] but expected <i8 [18,3,n]"
    changed 'state["companions"] = state["companions"] + 18' "'companions' are no places from 0 to 17, each list ending in -1"
    changed 'del state["survey"]' "'survey' is no whole number from 0 to 2^53"
}
