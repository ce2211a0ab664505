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
}
