# A tiny BERT with its vocabulary, and a data set whose text is for it: shared by pretrain.bats, predict.bats and examples.bats.
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

# pipeline NAME ARGUMENTS...
pipeline() {
    run env MSA_BIN="$BUILD/bin" timeout -k 5 200 "$ROOT/pipelines/$1" "${@:2}"
}

# done_well NAME ARGUMENTS...: the same; fails where that does.
done_well() {
    pipeline "$@"
    [ "$status" -eq 0 ] || { echo "$*: $output" && return 1; }
}
