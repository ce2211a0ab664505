#!/usr/bin/env bats
# Text from outside that commands a terminal, turns the direction of writing or breaks a table: how programs show it.
load helper

# What is in none of what is shown, but for ends of lines and tabs of tables: of each kind one, and both of its ends.
hidden() {
    "$PYTHON" - "$@" <<'END'
import sys
ends = [(0, 8), (0xb, 0x1f), (0x7f, 0x9f), (0x61c, 0x61c), (0x200b, 0x200b), (0x200e, 0x200f), (0x2028, 0x202e), (0x2060, 0x206f),
        (0xfeff, 0xfeff), (0xfff9, 0xfffb)]
for path in sys.argv[1:]:
    text = open(path, "rb").read().decode("utf-8", "surrogateescape")
    found = {"U+%04X" % ord(c) for c in text if any(a <= ord(c) <= b for a, b in ends) or 0xdc80 <= ord(c) <= 0xdcff}
    if found: print(path, *sorted(found))
END
}

# evil_set: evil.pkl, whose ids and texts have all of it, and ids, a JSON array of those of a split.
evil_set() {
    "$PYTHON" - <<'END'
import json, pickle
import numpy as np
ids = ["a\x9b31mRED\x9d0;title\x9c", "a\x7fb", "a\u202egpj.exe", "a\x85b\u2028c\u2029d", "a\tb\nc\r\x1b[31md", "a\ufeff\u200bb",
       "a\u061c\u200e\u200f\u2066\u2069\ufff9b", "a\u200db \u4e2d\u6587 \\u202e"]
def split():
    frames = {name: np.ones((len(ids), 4, 3), "f4") for name in ("text", "vision", "audio")}
    return {"id": ids, "raw_text": ids, "annotations": ids, "regression_labels": np.linspace(-1, 1, len(ids)).astype("f4"), **frames}
pickle.dump({name: split() for name in ("train", "valid", "test")}, open("evil.pkl", "wb"), 4)
json.dump(ids, open("ids", "w"))
END
}

# predicted DATASET: y.msa, its test split with predictions, which are 0.
predicted() {
    line "msa-load --split test $1 | $(forge 'if tensors: tensors["y"] = np.zeros(B, "f4")
elif kind == "H": body["schema"]["y"] = {"dtype": "<f4", "shape": [0], "gradient": False}') >y.msa"
    [ "$status" -eq 0 ]
}

# shows COMMAND: both what it prints and what it says, also where it fails, is shown.
shows() {
    bash -c "$1" >out 2>err </dev/null || true
    [ -s out ] || [ -s err ] || { echo "$1: nothing" && return 1; }
    [ -z "$(hidden out err)" ] || { echo "$1: $(hidden out err)" && return 1; }
}

evil=$'a\xc2\x9b31m\xe2\x80\xaeb\x1b[2J\xe2\x80\xa8\x7f\xefc'
shown='a?31m?b?[2J???c'

@test "ids and texts in all that shows samples" {
    evil_set
    local predict="msa-encode --dim 8 --heads 2 -p run/e | msa-decompose -p run/d | msa-predict -p run/p"
    msa-load --train --epochs 1 --batch 8 evil.pkl | msa-encode --dim 8 --heads 2 -p run/e | msa-decompose -p run/d |
        msa-predict -p run/p | msa-loss | msa-gdwg | msa-backprop -q
    predict="msa-load --split test evil.pkl | ${predict//--dim 8 --heads 2/}"
    shows "$predict | msa-metrics --each"
    shows "$predict | msa-metrics --each --json"
    shows "msa-load --split test evil.pkl | msa-dump --values"
    shows "msa-load --split test evil.pkl | msa-dump --json --values"
    shows "msa-load --info evil.pkl"
    shows "msa-load --info --json evil.pkl"
    shows "msa-load --split test evil.pkl >one.msa; msa-load --split valid evil.pkl >other.msa; msa-dump --diff one.msa other.msa"
    shows "msa-load evil.pkl | $(forge 'tensors and tensors.update(text=tensors["text"] * np.nan)') | msa-dump --where nonfinite"
    shows "msa-load evil.pkl | $(forge 'tensors and tensors.update(text=tensors["text"] * np.nan)') | msa-dump --check-finite"
}

@test "ids that are escaped, as JSON and in a table, are those that went in" {
    evil_set
    predicted evil.pkl
    msa-metrics --each --json y.msa >each.json
    msa-metrics --each y.msa >each.tsv
    msa-dump --json y.msa >dump.json
    "$PYTHON" - <<'END'
import json
ids = json.load(open("ids"))
assert [json.loads(line)["id"] for line in open("each.json")] == ids
assert json.loads(open("dump.json").readlines()[1])["id"] == ids
rows = open("each.tsv", newline="").read().split("\n")[1:-1]
assert [json.loads('"%s"' % row.split("\t")[0]) for row in rows] == ids
END
}

@test "names of files and values of options, of every program" {
    local program path=./$evil
    msa-synth --samples 4,2,2 -o data.pkl
    for program in "$BUILD"/bin/msa-*; do
        shows "$program $(printf %q "$path")"
        shows "$program --$(printf %q "$evil")"
        shows "$program --device $(printf %q "$evil")"
        shows "$program --threads $(printf %q "$evil")"
    done
    run msa-load --info "$path"
    [ "$output" = "msa-load: cannot read './$shown': No such file or directory" ] || { echo "$output" && return 1; }
    cp data.pkl "$path"
    for program in --info '--info --json'; do
        shows "msa-load $program $(printf %q "$path")"
    done
    msa-load --info "$path" | head -n 1 | grep -qF "./$shown: a pickle"
    shows "msa-load --train --epochs 1 --progress always -v $(printf %q "$path") | msa-backprop --log $(printf %q "$path").tsv"
}

@test "arguments in a header: what made a stream" {
    msa-synth --samples 4,2,2 -o data.pkl
    cp data.pkl "$evil'q"
    msa-load --split test "$evil'q" >one.msa
    shows "msa-dump --pipeline one.msa"
    [[ $(cat out) == *" '$shown'\''q'" ]] || { cat out && return 1; }
    shows "msa-dump --pipeline --json one.msa"
    shows "msa-dump one.msa"
    shows "msa-dump --json one.msa"
}

@test "a name in a stream that is not shown is refused: of a key, a tensor, a split, a family" {
    msa-synth --samples 4,2,2 -o data.pkl
    predicted data.pkl
    local character code
    for character in '\x9b' '\x7f' '\u2028' '\u202e' '\ufeff' '\u061c' '\u2066'; do
        for code in "kind == \"D\" and body.update({\"n${character}\": 1})" "if tensors: tensors[\"n${character}\"] = tensors[\"text\"]" \
            "tensors and body.update(split=\"n${character}\")" "kind == \"H\" and body.update(family=\"n${character}\")"; do
            line "$(forge "$code") <y.msa | msa-metrics 2>err"
            [[ $status -ne 0 ]] && grep -q '^msa-metrics: .*printable' err || { echo "$code: $status $(cat err)" && return 1; }
        done
    done
}

@test "predictions of anyone's: a split whose name is not shown is refused, a number that is none is shown" {
    printf 'split\tlabel\tprediction\ntest\t1\t%s\n' "$evil" >p.tsv
    run msa-metrics --family sims --from-tsv p.tsv
    [ "$status: $output" = "3: msa-metrics: p.tsv: line 2: not text in UTF-8" ]
    printf 'split\tlabel\tprediction\ntest\t1\t\xe2\x80\xae2\xc2\x9b\n' >p.tsv
    run msa-metrics --family sims --from-tsv p.tsv
    [ "$status: $output" = "3: msa-metrics: p.tsv: line 2, column 'prediction': '?2?' is not a number" ]
    printf 'split\tlabel\tprediction\nte\xe2\x80\xaest\t1\t2\n' >p.tsv
    run msa-metrics --family sims --from-tsv p.tsv
    [ "$status: $output" = "3: msa-metrics: p.tsv: line 2, column 'split': 'te?st' is not printable" ]
}

@test "parameters of anyone's: names and metadata" {
    "$PYTHON" - <<'END'
import json, struct
for name, size in ("evil", 8), ("good", 4), ("other", 4):
    head = {"__metadata__": {"dim": name + "\x9b31m\x1b[31m"}, "x\x9b\u202e": {"dtype": "F32", "shape": [1], "data_offsets": [0, size]}}
    head = json.dumps(head, ensure_ascii=False).encode()
    open(name + ".safetensors", "wb").write(struct.pack("<Q", len(head)) + head + b"\0" * size)
END
    shows "msa-dump --diff evil.safetensors good.safetensors"
    grep -qF "tensor 'x??': 8 bytes" err
    shows "msa-dump --diff good.safetensors other.safetensors"
    [[ $(cat out) == *"good?31m?[31m and other?31m?[31m"* ]] || { cat out && return 1; }
}

@test "a vocabulary with a token that is there twice" {
    printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n%b\n%b\n' '\xe2\x80\xae\x1b' '\xe2\x80\xae\x1b' >vocab.txt
    run bash -c 'msa-tokenize --lines --vocab vocab.txt --length 4 </dev/null 2>&1 >frames'
    [ "$status: $output" = "3: msa-tokenize: vocab.txt: line 6: '??' again, as in line 5" ] || { echo "$output" && return 1; }
}
