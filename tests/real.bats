#!/usr/bin/env bats
# Data sets as others have them: in containers and dtypes of their own, compressed, or not data at all but what is mistaken for it.
# shellcheck disable=SC2154 # run sets stderr
load helper

# data.pkl, and a data set of the same name in folder $1: that of data.pkl, d, changed by lines of Python, $2, of protocol $3.
changed() {
    [ -e data.pkl ] || msa-synth --samples 12,6,6 -o data.pkl
    mkdir -p "$1"
    "$PYTHON" -c "import collections, pickle, sys
import numpy as np
d = pickle.load(open('data.pkl', 'rb'))
$2
pickle.dump(d, open('$1/data.pkl', 'wb'), ${3:-4})"
}

# loaded FOLDER: what msa-load makes of its data set, in FOLDER/data.msa.
loaded() {
    (cd "$1" && msa-load data.pkl -o data.msa)
}

@test "text_bert as reals is what it is as integers" {
    local bert='for s in d.values(): s["text_bert"] = np.random.default_rng(1).integers(0, 2000, (len(s["id"]), 3, 150))'
    changed whole "$bert"
    loaded whole
    for dtype in f2 f4 f8 ">f4"; do
        changed real "$bert.astype('$dtype')"
        loaded real
        cmp whole/data.msa real/data.msa
        changed real "$bert.astype('$dtype').transpose(0, 2, 1)"
        loaded real
        cmp whole/data.msa real/data.msa
    done
}

@test "a token that is none is named, with sample and element, of any dtype and order of axes" {
    local dtype value found most bert
    while read -r dtype value found most; do
        bert="for s in d.values(): s['text_bert'] = np.ones((len(s['id']), 3, 5), '$dtype')
with np.errstate(all='ignore'): d['valid']['text_bert'][2, 1, 3] = $value"
        for order in "" ".transpose(0, 2, 1)"; do
            changed other "$bert
for s in d.values(): s['text_bert'] = s['text_bert']$order"
            run -3 --separate-stderr bash -c "msa-load other/data.pkl >/dev/null"
            [ "$stderr" = "msa-load: other/data.pkl: valid: sample 2, 'text_bert', element 8: $found but expected a whole number from 0 to $most" ] ||
                { echo "$dtype $value: $stderr" && false; }
        done
    done <<END
f4 1.5 1.5 16777216
f8 -1 -1 9007199254740992
f4 np.nan nan 16777216
f4 2.0**25 3.35544e+07 16777216
f8 np.inf inf 9007199254740992
f2 4096 4096 2048
i4 -3 -3 9223372036854775807
u8 2**63 9223372036854775808 9223372036854775807
END
}

@test "dicts of collections are dicts" {
    changed plain ''
    loaded plain
    for protocol in 2 3 4 5; do
        changed other "d = collections.OrderedDict((name, collections.OrderedDict(s)) for name, s in d.items())" $protocol
        loaded other
        cmp plain/data.msa other/data.msa
        changed other "d = collections.defaultdict(dict, ((name, collections.defaultdict(list, s)) for name, s in d.items()))" $protocol
        loaded other
        cmp plain/data.msa other/data.msa
    done
    # as Python 2 writes them, with their items for an argument
    changed other "class Old:
    def __init__(self, items): self.items = items
    def __reduce__(self): return collections.OrderedDict, ([list(item) for item in self.items],)
d = Old((name, Old(s.items())) for name, s in d.items())" 2
    loaded other
    cmp plain/data.msa other/data.msa
    changed other "class Old(dict):
    def __reduce__(self): return collections.OrderedDict, ([list(item) for item in self.items()],)
for s in d.values(): s['more'] = Old(a=1, b=[2, 3], c='4')
d = {name: Old(s) for name, s in d.items()}" 2
    loaded other
    cmp plain/data.msa other/data.msa
    msa-load -q --info other/data.pkl | grep -x 'more  *dict \[3\]  *dict \[3\]  *dict \[3\]  *-'
    sed 's/test/exam/' other/data.pkl >odd # one that is not used
    run -0 --separate-stderr msa-load --info odd
    [[ $stderr == "msa-load: warning: odd: split 'exam' of 6 samples is not read: "* ]] || { echo "$stderr" && false; }
}

@test "what a function that is not used has behind it is read" {
    changed plain ''
    loaded plain
    for protocol in 2 4; do
        changed other "d = {name: {'kind': list, **s} for name, s in d.items()}" $protocol
        loaded other
        cmp plain/data.msa other/data.msa
    done
}

@test "a gzipped data set is what it is inflated, in one member or more" {
    changed plain '' 4
    loaded plain
    mkdir gzipped
    gzip -c plain/data.pkl >gzipped/data.pkl
    loaded gzipped
    cmp plain/data.msa gzipped/data.msa
    { head -c 5000 plain/data.pkl | gzip && tail -c +5001 plain/data.pkl | gzip; } >gzipped/data.pkl
    loaded gzipped
    cmp plain/data.msa gzipped/data.msa
    cp gzipped/data.pkl data.pkl.gz
    msa-load --info data.pkl.gz | grep -q '^data.pkl.gz: a pickle, family sims'
    run -2 msa-load data.pkl.gz -o data.pkl.gz
    [ "$output" = "msa-load: cannot write 'data.pkl.gz': it is what is being read" ]
    cmp gzipped/data.pkl data.pkl.gz
}

@test "what stands behind gzip, and is none, is damage, and an early end is a cut" {
    msa-synth --samples 12,6,6 -o data.pkl
    msa-load data.pkl -o data.msa
    gzip data.pkl data.msa
    local behind file
    for behind in 'x' 'garbage, and more of it' '\0' '\0\0\0\0\0\0\0\0'; do
        for file in data.pkl.gz data.msa.gz; do
            { cat $file && printf '%b' "$behind"; } >longer.gz
            run -3 --separate-stderr bash -c 'msa-load longer.gz >/dev/null'
            [[ $stderr == "msa-load: longer.gz: "*"gzip: bytes behind its end" ]] || { echo "$stderr" && false; }
        done
        run -3 --separate-stderr msa-dump longer.gz
        run -3 --separate-stderr bash -c 'msa-dump <longer.gz'
        [[ $stderr == "msa-dump: "*"gzip: bytes behind its end" ]]
    done
    for size in 1 2 5 20 1000 $(($(stat -c %s data.pkl.gz) - 1)); do
        head -c "$size" data.pkl.gz >cut.gz
        run -4 --separate-stderr bash -c 'msa-load cut.gz >/dev/null'
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
    gzip -dc data.pkl.gz | head -c 9000 | gzip >short.gz
    run -3 --separate-stderr bash -c 'msa-load short.gz >/dev/null'
    [[ $stderr == *"short.gz: byte "*"cut off"* ]]
}

@test "a gzipped data set for which there is no room: what was free, and what to do" {
    msa-synth --samples 12,6,6 -o data.pkl
    gzip data.pkl
    mkdir full
    run -1 --separate-stderr bash -c "ulimit -f 1; trap '' XFSZ; TMPDIR=$PWD/full msa-load data.pkl.gz >/dev/null"
    [[ $stderr =~ ^"msa-load: cannot write a temporary file in '$PWD/full': File too large ("[0-9]+" bytes were free; TMPDIR names another folder)"$ ]]
    [ -z "$(ls full)" ]
}

@test "scripts take a gzipped data set" {
    msa-synth --samples 12,6,6 -o data.pkl
    gzip -k data.pkl
    "$ROOT/pipelines/train" data.pkl.gz run --epochs 1 --dim 16 --heads 2 --quiet >/dev/null
    "$ROOT/pipelines/evaluate" run data.pkl.gz test >gzipped
    "$ROOT/pipelines/evaluate" run data.pkl test >plain
    cmp gzipped plain
    "$ROOT/pipelines/predict" run data.pkl.gz >gzipped
    "$ROOT/pipelines/predict" run data.pkl >plain
    cmp gzipped plain
    "$ROOT/pipelines/train" data.pkl.gz run --epochs 1 --dim 16 --heads 2 --resume --quiet
}

@test "a split that is not there: the line says which are" {
    msa-synth --samples 12,6,6 -o data.pkl
    "$ROOT/pipelines/train" data.pkl run --epochs 1 --dim 16 --heads 2 --quiet >/dev/null
    run -2 --separate-stderr "$ROOT/pipelines/evaluate" run data.pkl dev
    [ "$stderr" = "evaluate: 'dev' is no split: 'data.pkl' has train, valid, test, and all is all of them" ]
    changed part 'del d["test"]'
    run -2 --separate-stderr "$ROOT/pipelines/evaluate" run part/data.pkl dev --json
    [ "$stderr" = "evaluate: 'dev' is no split: 'part/data.pkl' has train, valid, and all is all of them" ]
    run -3 --separate-stderr "$ROOT/pipelines/evaluate" run part/data.pkl test
    [[ $stderr == *"msa-load: part/data.pkl: no samples in split 'test', only in train, valid"* ]]
    run -3 --separate-stderr bash -c "msa-load --split test part/data.pkl >/dev/null"
    [ "$stderr" = "msa-load: part/data.pkl: no samples in split 'test', only in train, valid" ]
    run -2 --separate-stderr msa-load --split dev data.pkl
    [[ $stderr == *dev*"train, valid, test"* || $stderr == *dev*"train|valid|test|all"* ]]
}

@test "what is mistaken for data is named, as a data set and as a stream" {
    local bytes what
    while IFS='|' read -r bytes what; do
        printf '%b%050d' "$bytes" 0 >odd
        run -3 --separate-stderr bash -c "msa-load odd >/dev/null"
        [[ $stderr == "msa-load: odd: $what"* && ${#stderr_lines[@]} -eq 1 ]] || { echo "$stderr" && false; }
        run -3 --separate-stderr bash -c "msa-dump <odd"
        [[ $stderr == *"not a stream, but $what"* && ${#stderr_lines[@]} -eq 1 ]] || { echo "$stderr" && false; }
    done <<'END'
version https://git-lfs.github.com/spec/v1\n|a Git LFS pointer (git lfs pull gets the data)
<!DOCTYPE html>|an HTML page (a login or an error, perhaps)
\n <!Doctype HTML>|an HTML page
<?xml version=|an XML page
{\n "train": 1|JSON
\xef\xbb\xbfid|text with a byte order mark (UTF-8)
{"train": 1|JSON
PK\x03\x04|a zip archive
Rar!\x1a\x07|a RAR archive
7z\xbc\xaf\x27\x1c|a 7z archive
\x28\xb5\x2f\xfd|a zstd archive
\xfd7zXZ|an xz archive
BZh9|a bzip2 archive
\x04\x22\x4d\x18|an lz4 archive
\x89HDF\r\n\x1a\n|an HDF5 file
END
    changed plain '' 2
    sed 's/$/\r/' plain/data.pkl >odd
    run -3 --separate-stderr bash -c "msa-load odd >/dev/null"
    [[ $stderr == *"seems to have been copied as text)" ]] || { echo "$stderr" && false; }
}

@test "what came in the place of a file is named wherever one is read" {
    local bytes what expected command
    msa-synth --samples 4,4,4 --bert bert -o data.pkl
    msa-load --split test data.pkl -o test.msa
    cp -r bert bare
    rm bare/model.safetensors
    while IFS='|' read -r bytes what; do
        printf '%b%050d' "$bytes" 0 >odd
        cp -r bert weights
        cp odd weights/model.safetensors
        cp -r bert config
        cp odd config/config.json
        cp -r bare index
        cp odd index/model.safetensors.index.json
        while IFS='|' read -r expected command; do
            run -3 --separate-stderr bash -c "$command >out"
            [[ $stderr == "msa-"*": $what but expected $expected"* && ${#stderr_lines[@]} -eq 1 ]] || { echo "$command: $stderr" && false; }
        done <<'END'
parameters|msa-encode -p odd test.msa
parameters|msa-encode --init odd test.msa
parameters|msa-encode --bert weights --only text test.msa
text|msa-encode --bert config --only text test.msa
text|msa-encode --bert index --only text test.msa
a BERT|msa-encode --bert odd --only text test.msa
a vocabulary|msa-tokenize --lines --vocab odd </dev/null
text|msa-tokenize --lines --vocab bert/vocab.txt odd
text|msa-tokenize --lines --vocab bert/vocab.txt <odd
text|cat odd | msa-tokenize --lines --vocab bert/vocab.txt
text|msa-metrics --family sims --from-tsv odd
END
        rm -r weights config index
    done <<'END'
version https://git-lfs.github.com/spec/v1|a Git LFS pointer (git lfs pull gets the data)
<html lang="en">|an HTML page (a login or an error, perhaps)
\x1f\x8b\x08\x00|a gzip archive
PK\x03\x04|a zip archive
\x28\xb5\x2f\xfd|a zstd archive
\xfd7zXZ|an xz archive
END
    for command in "msa-encode -p odd" "msa-encode --bert odd --only text"; do
        iconv -t UTF-16 bert/vocab.txt >odd
        run -3 --separate-stderr bash -c "$command test.msa"
        [[ $stderr == "msa-encode: odd: text with a byte order mark (UTF-16) but expected "* ]] || { echo "$stderr" && false; }
    done
    gzip -c data.pkl | gzip >odd
    run -3 --separate-stderr msa-load --info odd
    [ "$stderr" = "msa-load: odd: a gzip archive but expected a pickle or a stream" ]
}
