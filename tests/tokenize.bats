#!/usr/bin/env bats
# msa-tokenize: its ids are those of Hugging Face's tokenizer (golden/tokenizer, made by oracle/tokenizer.py), of records and
# of lines; a training line does not notice it.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
load helper

vocab() {
    echo "$ROOT/tests/golden/tokenizer/vocab.txt"
}

# Writes a stream of one record with these texts, a list in Python: said TEXTS >FILE
said() {
    "$PYTHON" - "$BATS_TEST_DIRNAME/interop" "$1" <<'END'
import json, sys
sys.path.insert(0, sys.argv[1])
from read_stream import Writer
out = Writer(sys.stdout.buffer)
out.write("H", {"mode": "eval"})
texts = eval(sys.argv[2])
out.write("D", {"id": [str(i) for i in range(len(texts))], "raw_text": texts, "tensors": {}})
out.write("E", {"frames": 2})
END
}

# Runs Python over the records of a stream: records FILE PYTHON; it finds them in `records`, the header in `header`.
records() {
    "$PYTHON" - "$BATS_TEST_DIRNAME/interop" "$@" <<'END'
import json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from read_stream import frames, opened
found = list(frames(opened(sys.argv[2])))
header, records = found[0][1], [body for kind, body in found if kind == "D"]
golden = json.load(open(sys.argv[1] + "/../golden/tokenizer/expected.json"))
exec(sys.argv[3])
END
}

# failed STATUS TEXT: the last `line` ended with this status and one line that has the text.
failed() {
    [ "$status" -eq "$1" ] || { echo "status $status: $output" && return 1; }
    [[ "${#lines[@]}" -eq 1 && $output == "msa-tokenize: "*"$2"* ]] || { echo "expected '$2': $output" && return 1; }
}

@test "ids are those of transformers, upper and lower case, at any length" {
    said "[case['text'] for case in json.load(open('$ROOT/tests/golden/tokenizer/expected.json'))['cases']]" >said.msa
    for name in uncased cased; do
        for length in 2 3 7 24; do
            # shellcheck disable=SC2046 # a flag or nothing
            msa-tokenize --vocab "$(vocab)" --length $length $([ $name = uncased ] || echo --cased) said.msa -o out.msa
            records out.msa "
(record,), length = records, $length
made = record['tensors']['text_bert']
assert made.dtype == '<i8' and made.shape == (len(golden['cases']), 3, length) and len(made) > 50
for case, (ids, mask, segments) in zip(golden['cases'], made):
    want = case['$name']
    if len(want) > length:
        want = want[:length - 1] + want[-1:]
    padding = length - len(want)
    assert ids.tolist() == want + [0] * padding, (case['text'], ids.tolist(), want)
    assert mask.tolist() == [1] * len(want) + [0] * padding and not segments.any(), case['text']"
        done
    done
}

@test "all transcripts of MOSI become the text_bert that the data set has" {
    local data=$ROOT/../shared/data
    [ -e "$data/mosi.pkl" ] && [ -e "$data/bert-base-uncased-vocab.txt" ] || skip "no ../shared here"
    msa-load "$data/mosi.pkl" | msa-dump --json --values --tensor text_bert | grep -v '"kind": "H"' |
        sed 's/"bytes": [0-9]*, //' >given
    msa-load "$data/mosi.pkl" | msa-tokenize --vocab "$data/bert-base-uncased-vocab.txt" |
        msa-dump --json --values --tensor text_bert | grep -v '"kind": "H"' | sed 's/"bytes": [0-9]*, //' >made
    cmp given made
    [ "$(wc -l <made)" -eq 71 ]
}

# tokens STREAM: its text_bert, and of what samples.
tokens() {
    msa-dump --values --tensor text_bert "$1" | sed '/^1 D/,$!d; s/ [0-9]* bytes / /'
}

@test "lines are samples: empty ones, malformed ones, the last without an end" {
    printf 'I loved it.\n\nI\r\nbad \xff\xc3 \0!\nno end' >lines.txt
    msa-tokenize --lines --vocab "$(vocab)" --batch 2 --length 10 --family mosi lines.txt -o out.msa
    records out.msa "
assert header['mode'] == 'eval' and header['family'] == 'mosi' and header['range'] == 3
assert header['schema'] == {'text_bert': {'dtype': '<i8', 'shape': [0, 3, 10], 'gradient': False}}, header
assert [r['id'] for r in records] == [['lines.txt:1', 'lines.txt:2'], ['lines.txt:3', 'lines.txt:4'], ['lines.txt:5']]
assert sum((r['raw_text'] for r in records), []) == ['I loved it.', '', 'I', 'bad ?? \ufffd!', 'no end']
assert [(r['split'], r['step'], r['train']) for r in records] == [('test', i, False) for i in range(3)]
first, empty = records[0]['tensors']['text_bert'][:, 0]
want = next(case['uncased'] for case in golden['cases'] if case['text'] == 'I loved it.')
assert first.tolist() == want + [0] * (10 - len(want)) and empty.tolist() == [2, 3] + [0] * 8, (first, empty)"
    msa-tokenize --lines --vocab "$(vocab)" <lines.txt >stdin.msa
    records stdin.msa "
assert header['family'] == '' and header['range'] == 0
assert len(records) == 1 and records[0]['tensors']['text_bert'].shape == (5, 3, 50)
assert records[0]['id'] == ['1', '2', '3', '4', '5']"
    msa-tokenize --lines --vocab "$(vocab)" lines.txt | msa-tokenize --vocab "$(vocab)" --length 10 -o again.msa # its raw_text says the same
    msa-load --batch 2 again.msa -o again2.msa
    diff <(tokens again2.msa) <(tokens out.msa)
}

@test "zeros and U+FFFD are dropped as transformers do, from lines, kept streams and pickles" {
    printf '%b\n' 'I lo\0ved it.' 'I lo\xef\xbf\xbdved\0 it.\0' '\0' '\xef\xbf\xbd' '[CL\0S] I' '\0[CLS]\0I' >lines.txt
    want='[[2, 5, 1, 5, 295, 6, 3], [2, 5, 1, 5, 295, 6, 3], [2, 3], [2, 3], [2, 129, 1, 24, 5, 3], [2, 2, 5, 3]]' # BertTokenizer's
    check() {
        records "$1" "
made = records[0]['tensors']['text_bert']
found = [[i for i, there in zip(ids.tolist(), mask) if there] for ids, mask, _ in made]
assert found == $want, found"
    }
    msa-tokenize --lines --vocab "$(vocab)" lines.txt -o out.msa
    check out.msa
    said "open('lines.txt').read().split('\n')[:-1]" >said.msa # whose zeros are zeros
    msa-tokenize --vocab "$(vocab)" said.msa -o kept.msa
    check kept.msa
    msa-load kept.msa | msa-tokenize --vocab "$(vocab)" -o again.msa
    check again.msa
    "$PYTHON" - <<'END'
import pickle
import numpy as np
texts = open("lines.txt").read().split("\n")[:-1]
for name, texts in ("list", texts), ("array", np.array(texts)), ("objects", np.array(texts, object)):
    part = {"id": [str(i) for i in range(len(texts))], "raw_text": texts, "regression_labels": np.zeros(len(texts), "f4"),
            "text": np.zeros((len(texts), 2, 3), "f4")}
    pickle.dump({"test": part}, open(name + ".pkl", "wb"))
END
    for kind in list array objects; do
        msa-load $kind.pkl | msa-tokenize --vocab "$(vocab)" -o of.msa
        check of.msa
        msa-load of.msa | msa-tokenize --vocab "$(vocab)" --compare 9 -v 2>said
        grep -q ': 0 of [56] samples' said # an array has no text that is a zero alone
    done
}

@test "lines and vocabularies with a byte order mark, in CR LF, with empty lines at the end" {
    printf 'I loved it.\nI\n\n' >lines.txt
    msa-tokenize --lines --vocab "$(vocab)" --batch 1 lines.txt -o plain.msa
    records plain.msa "assert [r['raw_text'] for r in records] == [['I loved it.'], ['I'], ['']]" # of lines the empty last one is one
    { printf '\xef\xbb\xbf' && sed 's/$/\r/' lines.txt; } >marked.txt
    { printf '\xef\xbb\xbf' && sed 's/$/\r/' "$(vocab)" && printf '\r\n\n'; } >vocab.txt
    cp marked.txt lines.txt
    msa-tokenize --lines --vocab vocab.txt --batch 1 lines.txt -o marked.msa
    records marked.msa "assert [r['raw_text'] for r in records] == [['I loved it.'], ['I'], ['']]"
    diff <(tokens plain.msa) <(tokens marked.msa)
    iconv -t UTF-16 lines.txt >wide.txt
    line "msa-tokenize --lines --vocab vocab.txt wide.txt >out"
    failed 3 "wide.txt: text in UTF-16 but expected UTF-8"
    line "msa-tokenize --lines --vocab vocab.txt <wide.txt >out"
    failed 3 "stdin: text in UTF-16 but expected UTF-8"
    line "msa-tokenize --lines --vocab wide.txt lines.txt >out"
    failed 3 "wide.txt: text in UTF-16 but expected UTF-8"
}

@test "a line goes on when its record is full" {
    mkfifo in
    msa-tokenize --lines --vocab "$(vocab)" --batch 1 in >out.msa &
    exec 9>in
    echo one >&9
    for _ in $(seq 100); do
        [ "$(msa-dump out.msa 2>/dev/null | grep -c '^1 D')" -eq 1 ] && break
        sleep 0.1
    done
    [ "$(msa-dump out.msa 2>/dev/null | grep -c '^1 D')" -eq 1 ]
    exec 9>&-
    wait $!
}

@test "text_bert of a data set is replaced, and the rest passes" {
    msa-load --split test "$GOLDEN/data.pkl" | msa-tokenize --vocab "$(vocab)" -o before.msa
    msa-tokenize --vocab "$(vocab)" --length 12 before.msa -o after.msa
    msa-tokenize --vocab "$(vocab)" --length 12 after.msa -o twice.msa
    for file in after twice; do
        records $file.msa "
before = [body for kind, body in frames(opened('before.msa')) if kind in 'HD']
assert len(records) == len(before) - 1 > 0
assert header['schema']['text_bert'] == {'dtype': '<i8', 'shape': [0, 3, 12], 'gradient': False}
assert header['schema'].keys() == before[0]['schema'].keys()
for old, new in zip(before[1:], records):
    assert old.keys() == new.keys() and old['raw_text'] == new['raw_text'] and old['id'] == new['id']
    assert old['tensors'].keys() == new['tensors'].keys()
    assert new['tensors']['text_bert'].shape == (len(old['id']), 3, 12)
    for name in old['tensors'].keys() - {'text_bert'}:
        assert old['tensors'][name].tobytes() == new['tensors'][name].tobytes(), name"
    done
}

@test "a text that is missing is an empty one" {
    "$PYTHON" - "$GOLDEN/data.pkl" <<'END'
import pickle, sys
data = pickle.load(open(sys.argv[1], "rb"))
texts = ["I loved it", None, float("nan"), ""]
data["test"]["raw_text"] = (texts * len(data["test"]["id"]))[:len(data["test"]["id"])]
pickle.dump(data, open("missing.pkl", "wb"))
END
    msa-load --split test missing.pkl | msa-tokenize --vocab "$(vocab)" --length 12 -o missing.msa
    records missing.msa "
ids = np.concatenate([record['tensors']['text_bert'] for record in records])
assert (ids[1] == ids[2]).all() and (ids[1] == ids[3]).all() and (ids[:, 1].sum(axis=1)[:4] == [6, 2, 2, 2]).all(), ids"
}

@test "a training with it in the line ends with the same bytes, and is resumed" {
    local tail
    tail="$(golden_model) | msa-loss | msa-gdwg | msa-metrics -q --select mae --log run/metrics.tsv | msa-backprop --log run/steps.tsv"
    line "$(golden_load) | $tail"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    mv run plain && mkdir run
    line "$(golden_load) | msa-tokenize --vocab '$(vocab)' | $tail"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    for file in metrics.tsv steps.tsv {encode,decompose,predict}.safetensors{,.4}; do
        cmp "plain/$file" "run/$file"
    done
    line "$(golden_load) --resume | msa-tokenize --vocab '$(vocab)' | $tail" # there is nothing left to do
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    line "$(golden_load) | msa-tokenize --vocab nowhere | $(golden_model) -f | msa-loss | msa-backprop"
    [ "$output" = "msa-tokenize: cannot read 'nowhere': No such file or directory" ]
    [ "$(cut -d ' ' -f 3 statuses)" -eq 1 ]
}

@test "what cannot be tokenized: one line and a status" {
    line "msa-tokenize --lines </dev/null >out"
    failed 2 "--vocab FILE is missing"
    line "msa-load $GOLDEN/data.pkl | msa-tokenize --vocab '$(vocab)' --batch 3 >out"
    failed 2 "--batch and --family go with --lines"
    line "msa-tokenize --vocab '$(vocab)' --length 1 --lines </dev/null >out"
    failed 2 "--length: '1' is not a number from 2"
    line "msa-load --drop text $GOLDEN/data.pkl | msa-tokenize --vocab '$(vocab)' >out"
    failed 1 "frame 1: no 'raw_text' arrives: the data set has none"
    line "msa-tokenize --vocab '$(vocab)' --lines </dev/null >out"
    failed 3 "stdin: no samples: there is no line in it"
    line "msa-tokenize --vocab '$(vocab)' --lines nothing.txt >out"
    failed 1 "cannot read 'nothing.txt': No such file or directory"
    line "msa-tokenize --vocab '$(vocab)' --lines . >out"
    failed 3 ".: a folder but expected text"
    line "head -c 2000000 /dev/zero | msa-tokenize --vocab '$(vocab)' --lines >out"
    failed 3 "stdin: line 1: longer than 1048576 bytes"
    line "yes | msa-tokenize --vocab '$(vocab)' --lines --length 1000 --max-frame 100000 >out"
    failed 1 "a record of 32 samples, 1000 tokens each, is larger than --max-frame"
    printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\nother\nword\n' >twice.txt
    line "echo one | msa-tokenize --vocab twice.txt --lines >out"
    failed 3 "twice.txt: line 7: 'word' again, as in line 5"
    printf '[PAD]\n[UNK]\n[CLS]\n' >short.txt
    line "echo one | msa-tokenize --vocab short.txt --lines >out"
    failed 3 "short.txt: none of its 3 lines is '[SEP]'"
    msa-synth --samples 4,4,4 --bert bert -o data.pkl
    expected=" but expected a vocabulary, a token a line, as BERT's vocab.txt"
    for what in "bert=a folder" "bert/model.safetensors=a safetensors file" "data.pkl=a pickle"; do
        line "echo one | msa-tokenize --vocab ${what%=*} --lines >out"
        failed 3 "${what%=*}: ${what#*=}$expected"
        line "msa-tokenize --vocab '$(vocab)' --lines ${what%=*} >out"
        failed 3 "${what%=*}: ${what#*=} but expected text"
    done
    line "msa-tokenize --vocab '$(vocab)' --lines <data.pkl >out"
    failed 3 "/dev/stdin: a pickle but expected text"
    line "echo one | msa-tokenize --vocab bert/config.json --lines >out"
    failed 3 "bert/config.json: none of its 1 lines is '[PAD]': JSON but expected a token a line"
}

@test "an endless text ends when nobody reads on" {
    line "yes | msa-tokenize --vocab '$(vocab)' --lines | head -c 100000 >some"
    [ "$(cut -d ' ' -f 3 statuses)" -eq 141 ]
    [ -z "$output" ]
}

# A set with text_bert by bert/vocab.txt, and a BERT of the same size with the same words in another order.
two_vocabularies() {
    msa-synth --samples 24,8,8 --bert bert -o data.pkl
    cp -r bert other
    { head -n 5 bert/vocab.txt && tail -n +6 bert/vocab.txt | tac; } >other/vocab.txt
}

# compared LINE: what --compare says, in $stderr; nothing goes to stdout, and the status is 0.
compared() {
    run -0 --separate-stderr bash -c "$1"
    [ -z "$output" ]
}

@test "--compare: silent where the tokens are the vocabulary's, one warning with the first where they are not" {
    two_vocabularies
    for options in "" "--split valid" "--batch 3" "--drop vision,audio"; do
        compared "msa-load $options data.pkl | msa-tokenize --vocab bert/vocab.txt --compare 20"
        [ -z "$stderr" ]
        compared "msa-load $options data.pkl | msa-tokenize --vocab other/vocab.txt --compare 20"
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
        [[ $stderr == "msa-tokenize: warning: "*" of "*" samples have a text_bert that other/vocab.txt does not give, as if it were of another vocabulary: '"*"' is "*", but text_bert has "*" (msa-tokenize makes it anew)" ]]
    done
    compared "msa-load data.pkl | msa-tokenize -q --vocab other/vocab.txt --compare 20"
    [ -z "$stderr" ]
    msa-load data.pkl -o kept.msa
    compared "msa-tokenize --vocab bert/vocab.txt --compare 20 -v kept.msa"
    [ "$stderr" = "msa-tokenize: 0 of 20 samples have another text_bert than bert/vocab.txt gives" ]
    compared "msa-tokenize --vocab bert/vocab.txt --compare 1000 -v kept.msa"
    [[ $stderr == *": 0 of 40 samples"* ]]
    "$PYTHON" - <<'END'
import json, subprocess
words = open("other/vocab.txt").read().split("\n")
frames = subprocess.run(["msa-dump", "--json", "--values", "kept.msa"], capture_output=True, text=True).stdout.split("\n")
record = json.loads(frames[1])
ids = next(t["values"] for t in record["tensors"] if t["name"] == "text_bert")
said = subprocess.run(["msa-tokenize", "--vocab", "other/vocab.txt", "--compare", "20", "kept.msa"], capture_output=True, text=True).stderr
made = "2 " + " ".join(str(words.index(w)) for w in record["raw_text"][0].split()[:3])
there = " ".join(map(str, ids[:4]))
assert f": '{record['raw_text'][0][:60]}" in said and f"' is {made}" in said and f"but text_bert has {there}" in said, (said, made, there)
END
}

@test "--compare: padding, another length, what was cut off and missing texts are no difference" {
    two_vocabularies
    "$PYTHON" - <<'END'
import pickle
import numpy as np
data = pickle.load(open("data.pkl", "rb"))
def write(name, change):
    other = {s: dict(part) for s, part in data.items()}
    for part in other.values():
        part["text_bert"] = part["text_bert"].copy()
        part["raw_text"] = part["raw_text"].astype(object)
        change(part)
    pickle.dump(other, open(name + ".pkl", "wb"), 4)
def shorter(part):
    part["text_bert"] = part["text_bert"][:, :, :5].copy()
def without_sep(part):
    for row in part["text_bert"]:
        end = row[1].sum() - 1
        row[:2, end] = 0
def padded(part):
    part["text_bert"][:, 0][part["text_bert"][:, 1] == 0] = 9
def half(part):
    part["text_bert"][::2, 0, 1:3] = 7
def most(part):
    part["text_bert"][:, 0, 1:3][np.arange(len(part["id"])) % 3 > 0] = 7
def no_texts(part):
    part["raw_text"][:] = None
def no_tokens(part):
    del part["text_bert"]
def nothing(part):
    part["text_bert"][:] = 0
for f in shorter, without_sep, padded, half, most, no_texts, no_tokens, nothing:
    write(f.__name__, f)
END
    for file in shorter without_sep padded no_texts no_tokens; do
        compared "msa-load $file.pkl | msa-tokenize --vocab bert/vocab.txt --compare 20 -v"
        [[ $stderr == "msa-tokenize: 0 of "*" samples have another text_bert than bert/vocab.txt gives" ]] || { echo "$file: $stderr" && false; }
    done
    [[ $stderr == *": 0 of 0 "* ]]
    compared "msa-load half.pkl | msa-tokenize --vocab bert/vocab.txt --compare 20 -v"
    [[ $stderr == *": 10 of 20 samples have another"* ]]
    compared "msa-load most.pkl | msa-tokenize --vocab bert/vocab.txt --compare 20"
    [[ $stderr == *"warning: 13 of 20 samples have a text_bert"* ]]
    compared "msa-load nothing.pkl | msa-tokenize --vocab bert/vocab.txt --compare 20"
    [[ $stderr == *"warning: 20 of 20 samples"*", but text_bert has nothing "* ]]
}

@test "--compare: what it does not go with, and inputs that fail" {
    two_vocabularies
    run -2 --separate-stderr msa-tokenize --lines --vocab bert/vocab.txt --compare 20
    [ -z "$output" ]
    run -2 --separate-stderr msa-tokenize -o out.msa --vocab bert/vocab.txt --compare 20
    run -2 --separate-stderr msa-tokenize --vocab bert/vocab.txt --compare 0
    run -5 --separate-stderr bash -c "msa-load nothing.pkl 2>/dev/null | msa-tokenize --vocab bert/vocab.txt --compare 20"
    [ -z "$output" ]
    [ -z "$stderr" ]
    msa-load data.pkl -o kept.msa
    head -c 5000 kept.msa >cut.msa
    run -4 --separate-stderr msa-tokenize --vocab bert/vocab.txt --compare 20 cut.msa
    [ -z "$output" ]
}

@test "pipelines/train and pretrain --bert say once that text_bert is of another vocabulary" {
    export MSA_BIN=$BUILD/bin
    two_vocabularies
    small=(--epochs 1 --batch 8 --select mae --select-after 0 --heads 2)
    run -0 --separate-stderr "$ROOT/pipelines/train" data.pkl run --bert bert --pool cls "${small[@]}"
    [[ $stderr != *warning* ]]
    run -0 --separate-stderr "$ROOT/pipelines/train" data.pkl run2 --bert other --pool cls "${small[@]}"
    [ "$(grep -c warning <<<"$stderr")" -eq 1 ]
    [[ $stderr == "msa-tokenize: warning: 20 of 20 samples have a text_bert that other/vocab.txt does not give"* ]]
    run -0 --separate-stderr "$ROOT/pipelines/train" data.pkl run3 --bert other --pool cls "${small[@]}" --quiet
    [ -z "$stderr" ]
    run -0 --separate-stderr "$ROOT/pipelines/pretrain" data.pkl pre --bert bert --epochs 1 --batch 8 --heads 2
    [[ $stderr != *warning* ]]
    run -0 --separate-stderr "$ROOT/pipelines/pretrain" data.pkl pre2 --bert other --epochs 1 --batch 8 --heads 2
    [ "$(grep -c 'warning: 20 of 20 samples' <<<"$stderr")" -eq 1 ]
    run -0 --separate-stderr "$ROOT/pipelines/pretrain" data.pkl pre3 --bert other --only vision,text --epochs 1 --batch 8 --heads 2
    [ "$(grep -c 'warning: 20 of 20 samples' <<<"$stderr")" -eq 1 ]
    run -0 --separate-stderr "$ROOT/pipelines/pretrain" data.pkl pre4 --bert other --only vision --epochs 1 --batch 8 --heads 2
    [[ $stderr != *warning* ]]
    run -0 --separate-stderr "$ROOT/pipelines/reproduce" other data.pkl --out out --bert other --seeds 1 --epochs 1 --batch 8 --heads 2
    [ "$(grep -c 'warning: 20 of 20 samples' <<<"$stderr")" -eq 1 ]
    run --separate-stderr "$ROOT/pipelines/reproduce" other data.pkl --out out2 --seeds 1 --pretrain --bert other --heads 3 # ends there
    [ "$(grep -c 'warning: 20 of 20 samples' <<<"$stderr")" -eq 1 ]
    run --separate-stderr "$ROOT/pipelines/ablate" data.pkl --out out3 --seeds 1 --bert other --heads 3
    [ "$(grep -c 'warning: 20 of 20 samples' <<<"$stderr")" -eq 1 ]
    # evaluation has the vocabulary of the run
    for run in run=0 run2=1; do
        run -0 --separate-stderr "$ROOT/pipelines/evaluate" "${run%=*}" data.pkl
        [ "$(grep -c 'warning: [0-9]* of [0-9]* samples have a text_bert' <<<"$stderr")" -eq "${run#*=}" ]
        run -0 --separate-stderr "$ROOT/pipelines/predict" "${run%=*}" data.pkl data.pkl
        [ "$(grep -c 'warning: 20 of 20 samples' <<<"$stderr")" -eq "${run#*=}" ]
    done
    run -0 --separate-stderr "$ROOT/pipelines/evaluate" run2 data.pkl --drop text
    [[ $stderr != *text_bert* ]]
    rm other/vocab.txt && mkdir other/vocab.txt # cannot be read
    run --separate-stderr "$ROOT/pipelines/train" data.pkl run4 --bert other --pool cls "${small[@]}" --check
    [ "$status" -ne 0 ]
    [[ $stderr == "msa-tokenize: "* ]]
}
