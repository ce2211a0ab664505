# A tiny BERT with its vocabulary, and a data set whose text is for it: shared by bert.bats, pretrain.bats, predict.bats and
# examples.bats.
# shellcheck shell=bash disable=SC2154 # what run sets

# Makes tiny/ (BERT) and bert.pkl (ids of its vocabulary, vision and audio) here.
bert_set() {
    mkdir tiny
    cp "$ROOT"/tests/golden/bert/{config.json,model.safetensors} tiny
    printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' i loved hated it the film . '##s' '##ed' >tiny/vocab.txt
    seq -f 'word%g' 15 60 >>tiny/vocab.txt
    "$PYTHON" - "$ROOT/tests/golden/bert/data.pkl" bert.pkl <<'END'
import pickle, sys
import numpy as np
data, rng = pickle.load(open(sys.argv[1], "rb")), np.random.default_rng(3)
for split in data.values():
    samples = len(split["id"])
    split["vision"] = rng.normal(size=(samples, 6, 4)).astype("f4")
    split["audio"] = rng.normal(size=(samples, 7, 5)).astype("f4")
pickle.dump(data, open(sys.argv[2], "wb"))
END
}

# split_bert FROM TO: FROM/model.safetensors in TO, in two files with an index.
split_bert() {
    mkdir "$2"
    cp "$1/config.json" "$2"
    "$PYTHON" - "$1" "$2" <<'END'
import json, struct, sys
raw = open(sys.argv[1] + "/model.safetensors", "rb").read()
size, = struct.unpack("<Q", raw[:8])
head, data = json.loads(raw[8:8 + size]), raw[8 + size:]
names, where = sorted(set(head) - {"__metadata__"}), {}
for i, part in enumerate((names[::2], names[1::2])):
    file, out, entries = f"model-0000{i + 1}-of-00002.safetensors", b"", {"__metadata__": {"format": "pt"}}
    for name in part:
        begin, end = head[name]["data_offsets"]
        entries[name], where[name] = head[name] | {"data_offsets": [len(out), len(out) + end - begin]}, file
        out += data[begin:end]
    text = json.dumps(entries).encode()
    open(f"{sys.argv[2]}/{file}", "wb").write(struct.pack("<Q", len(text)) + text + out)
json.dump({"metadata": {"total_size": len(data)}, "weight_map": where}, open(sys.argv[2] + "/model.safetensors.index.json", "w"))
END
}

# pipeline NAME ARGUMENTS...
pipeline() {
    run env MSA_BIN="$BUILD/bin" timeout -k 5 200 "$ROOT/pipelines/$1" "${@:2}"
}

# done_well NAME ARGUMENTS...: the same; fails where that does.
done_well() {
    pipeline "$@"
    [ "$status" -eq 0 ] || { echo "$*: $output" && return 1; }
}
