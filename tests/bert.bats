#!/usr/bin/env bats
# Text by BERT: what Hugging Face's transformers computes with the same weights (tests/oracle/bert.py made the files), and what
# a user meets on the way.
# shellcheck disable=SC2154 # run sets stderr
load helper
load bert_set.bash

setup_file() {
    export BERT=$BATS_TEST_DIRNAME/golden/bert
}

expect() {
    "$PYTHON" "$ROOT/tests/golden/first_step.py" "$@"
}

# $1: pool, then more options
test_vectors() {
    msa-load --split test "$BERT/data.pkl" | msa-encode --pool "$@" -o "$1.msa"
}

# A training line whose loss is the sum of h_text, each number times a known weight.
scalar() {
    line "msa-load --train --epochs ${EPOCHS:-1} --batch ${BATCH:-32} --no-shuffle $BERT/data.pkl | msa-encode $1 -p text |
        $PYTHON $ROOT/tests/interop/scalar_stage.py h_text | msa-backprop ${2:---lr 0 --beta1 0}"
    [ "$status" -eq 0 ] || { echo "$output"; false; }
    [ -z "$output" ]
}

vectors() {
    msa-dump --json --values --tensor h_text "$1" | jq -ce 'select(.kind == "D").tensors'
}

@test "each pool gives what transformers gives, on the CPU and on the device whose memory only kernels can touch" {
    for pool in pooler cls mean none; do
        test_vectors $pool --bert "$BERT"
        expect bert $pool.msa "$BERT" $pool
        test_vectors $pool --bert "$BERT" --device test
        expect bert $pool.msa "$BERT" $pool
    done
}

@test "gradients are those of transformers" {
    for pool in pooler mean; do
        rm -f text text.1
        scalar "--bert $BERT --pool $pool"
        expect bert_gradient text.1 "$BERT" $pool
        rm -f text text.1
        scalar "--bert $BERT --pool $pool --device test"
        expect bert_gradient text.1 "$BERT" $pool
    done
}

# Its words are halves, hence the tolerance.
@test "a file of the old names, with bert. in front and numbers that are none of the network" {
    mkdir old
    cp "$BERT/old.safetensors" old/model.safetensors
    cp "$BERT/config.json" old
    for bert in old old/model.safetensors; do
        test_vectors mean --bert $bert
        TOLERANCE=2e-3 expect bert mean.msa "$BERT" mean
    done
}

@test "what was trained needs no BERT beside it: dimensions and pool are with the parameters" {
    scalar "--bert $BERT --pool cls" "--lr 1e-3 --warmup 0"
    msa-load --split test "$BERT/data.pkl" | msa-encode -p text -o trained.msa
    msa-load --split test "$BERT/data.pkl" | msa-encode --init text --text bert --pool cls -o again.msa
    msa-load --split test "$BERT/data.pkl" | msa-encode --bert "$BERT" --pool cls -o before.msa
    [ "$(vectors trained.msa)" = "$(vectors again.msa)" ]
    [ "$(vectors trained.msa)" != "$(vectors before.msa)" ]
    run -2 --separate-stderr bash -c "msa-load --split test $BERT/data.pkl | msa-encode -p text --dim 32 -o x.msa"
    [[ "$stderr" = *"--dim: 32 given but text has 24"* ]]
}

@test "features per token of --pool none are text as any other, with padding of zeros" {
    msa-load "$BERT/data.pkl" | msa-encode --bert "$BERT" --pool none -o features.msa
    line "msa-load --train --epochs 1 features.msa | msa-encode --dim 8 --heads 2 -p frames |
        $PYTHON $ROOT/tests/interop/scalar_stage.py h_text | msa-backprop"
    [ "$status" -eq 0 ]
    # five samples of 3, 5, 7, 9 and 12 tokens of 12
    [ "$(msa-load --info --json --split test features.msa | jq .splits.test.tensors.text.padding)" -eq 24 ]
    line "msa-load --train $BERT/data.pkl | msa-encode --bert $BERT --pool none -p x | msa-backprop"
    [ "$status" -ne 0 ]
    [[ "$output" = *"--pool none makes features to keep, and does not train"* ]]
}

# same A B GLOB: the tensors of both files whose names match, stripped of the network's prefix, are the same
same() {
    "$PYTHON" - "$ROOT" "$@" <<'END'
import fnmatch, sys
sys.path.insert(0, sys.argv[1] + "/tests")
sys.argv, (_, a, b, glob) = sys.argv[:1], sys.argv[1:]
from same_tensors import read
a, b = ({name.removeprefix("text_encoder.extractor."): x for name, x in read(path)[1].items()} for path in (a, b))
names = fnmatch.filter(a, glob)
sys.exit(not names or any(a[name] != b[name] for name in names))
END
}

@test "parameters that match a glob stay as they are: all epochs, or the first N" {
    EPOCHS=3 scalar "--bert $BERT --pool mean --freeze text_encoder.extractor.encoder.layer.[01].* --freeze '*embeddings*@2'" \
        "--lr 1e-3 --warmup 0"
    same "$BERT/model.safetensors" text.3 "encoder.layer.[01].*"
    same "$BERT/model.safetensors" text.2 "embeddings.*"
    run ! same "$BERT/model.safetensors" text.2 "encoder.layer.2.output.dense.weight"
    run ! same "$BERT/model.safetensors" text.3 "embeddings.word_embeddings.weight"
    [ "$(msa-load --split test "$BERT/data.pkl" | msa-encode -p text | msa-dump --json | jq -c 'select(.kind == "D") | [.tensors[].name]')" \
        = '["label","index","h_text"]' ]
}

# An optimizer counts the updates of each parameter: those that begin later, as if they were the first.
@test "a run that is frozen for its first epochs begins as one that is not" {
    EPOCHS=1 scalar "--bert $BERT --pool mean --freeze *LayerNorm*" "--lr 1e-3 --warmup 0 --schedule constant"
    mv text.1 first
    rm text
    EPOCHS=2 scalar "--bert $BERT --pool mean --freeze *LayerNorm* --freeze *@1" "--lr 1e-3 --warmup 0 --schedule constant"
    same "$BERT/model.safetensors" text.1 "*encoder*"
    same first text.2 "encoder.*"
}

@test "numbers that the network has no row for" {
    "$PYTHON" - "$BERT" <<'END'
import pickle, sys
for name, row, number in ("id", 0, 60), ("type", 2, 2):
    data = pickle.load(open(sys.argv[1] + "/data.pkl", "rb"))
    data["test"]["text_bert"][2, row, 1] = number
    pickle.dump(data, open(name + ".pkl", "wb"))
END
    for name in id type; do
        run -3 --separate-stderr bash -c "set -o pipefail; msa-load --split test $name.pkl | msa-encode --bert $BERT -o x.msa"
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
        [[ "$stderr" = *"frame 1, tensor 'text_bert': sample 2, token 1: "* ]]
    done
}

@test "a BERT that is none" {
    mkdir bad
    cp "$BERT/model.safetensors" bad
    check() {
        run -3 --separate-stderr bash -c "set -o pipefail; msa-load --split test $BERT/data.pkl | msa-encode --bert bad -o x.msa"
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
        [[ "$stderr" = *"$1"* ]] || { echo "$stderr"; false; }
    }
    echo '{"hidden_size": 24' >bad/config.json
    check "bad/config.json: no JSON object"
    : >bad/config.json
    check "bad/config.json: no JSON object"
    printf '{"hidden_size": 24\0\0}' >bad/config.json
    check "bad/config.json: no JSON object"
    { printf '\xef\xbb\xbf' && sed 's/$/\r/' "$BERT/config.json"; } >bad/config.json # is one
    msa-load --split test "$BERT/data.pkl" | msa-encode --bert bad --pool mean -o x.msa
    msa-load --split test "$BERT/data.pkl" | msa-encode --bert "$BERT" --pool mean -o y.msa
    msa-dump --diff x.msa y.msa
    iconv -t UTF-16 "$BERT/config.json" >bad/config.json
    check "bad/config.json: text in UTF-16 but expected UTF-8"
    jq '.hidden_act = "relu"' "$BERT/config.json" >bad/config.json
    check "'hidden_act' is \"relu\" but expected \"gelu\""
    local wrong
    for wrong in '.model_type = "roberta"' '.position_embedding_type = "relative_key"' '.is_decoder = true' \
        '.add_cross_attention = true' '.pruned_heads = {"0":[1]}' '.quantization_config = {"bits":8}'; do
        jq "$wrong" "$BERT/config.json" >bad/config.json
        check "bad/config.json: '$(cut -d ' ' -f 1 <<<"${wrong#.}")' is $(jq -c "$wrong | ${wrong%% *}" "$BERT/config.json") but expected "
    done
    jq 'del(.model_type) | .architectures = ["RobertaForMaskedLM"]' "$BERT/config.json" >bad/config.json
    check "bad/config.json: 'architectures' is [\"RobertaForMaskedLM\"] but expected one of BERT"
    jq 'del(.num_hidden_layers)' "$BERT/config.json" >bad/config.json
    check "'num_hidden_layers' is missing but expected a number from 1 to 48"
    jq '.num_attention_heads = 5' "$BERT/config.json" >bad/config.json
    check "'hidden_size' 24 is no multiple of 'num_attention_heads' 5"
    jq '.vocab_size = 61' "$BERT/config.json" >bad/config.json
    check "word_embeddings.weight': shape [60,24] but expected [61,24]"
    jq '.num_hidden_layers = 4' "$BERT/config.json" >bad/config.json
    check "no tensor 'text_encoder.extractor.encoder.layer.3."
    jq '.max_position_embeddings = 11' "$BERT/config.json" >bad/config.json
    check "but expected [11,24]"
    rm bad/model.safetensors
    check_other() {
        touch "bad/$1"
        for bert in bad "bad/$1"; do
            run -3 --separate-stderr bash -c "set -o pipefail; msa-load --split test $BERT/data.pkl | msa-encode --bert $bert -o x.msa"
            [ "$stderr" = "msa-encode: bad/$1: $2 weights, which are not read: msa-encode(1), Text by BERT, says how they become \
model.safetensors" ] || { echo "$stderr"; false; }
        done
        rm "bad/$1"
    }
    check_other pytorch_model.bin "PyTorch's pickled"
    check_other pytorch_model.bin.index.json "PyTorch's pickled"
    check_other tf_model.h5 "TensorFlow's"
    check_other bert_model.ckpt.index "TensorFlow's"
    check_other flax_model.msgpack "Flax's"
    run -1 --separate-stderr bash -c "set -o pipefail; msa-load --split test $BERT/data.pkl | msa-encode --bert bad -o x.msa"
    [[ "$stderr" = *"cannot read 'bad/model.safetensors': No such file or directory"* ]]
}

@test "what is given for a BERT or parameters and is neither" {
    echo words >vocab.txt
    check() {
        run "$1" --separate-stderr bash -c "set -o pipefail; msa-load --split test $BERT/data.pkl | msa-encode $3 -o x.msa"
        [ "$stderr" = "msa-encode: $2" ] || { echo "$stderr"; false; }
    }
    expected="a BERT: a folder with config.json and model.safetensors, or that file"
    check -3 "vocab.txt: text but expected $expected" "--bert vocab.txt"
    check -3 "$BERT/config.json: text but expected $expected" "--bert $BERT/config.json"
    check -3 "$BERT/data.pkl: a pickle but expected $expected" "--bert $BERT/data.pkl"
    check -1 "cannot read 'nowhere': No such file or directory" "--bert nowhere"
    mkdir empty
    check -1 "cannot read 'empty/config.json': No such file or directory" "--bert empty"
    for option in "--init" "-p"; do
        check -3 "empty: a folder but expected parameters, a safetensors file" "--bert $BERT $option empty"
        check -3 "vocab.txt: text but expected parameters, a safetensors file" "--bert $BERT $option vocab.txt"
    done
    mkdir pre
    run -1 --separate-stderr "$ROOT/pipelines/pretrain" "$BERT/data.pkl" pre --bert vocab.txt
    [ "$stderr" = "pretrain: --bert: 'vocab.txt' has no config.json: expected a folder with config.json and model.safetensors, or the latter beside the former" ]
    cp -r "$BERT" wide
    iconv -t UTF-16 "$BERT/config.json" >wide/config.json
    run -3 --separate-stderr "$ROOT/pipelines/pretrain" "$BERT/data.pkl" pre --bert wide
    [ "$stderr" = "pretrain: wide/config.json: text in UTF-16 but expected UTF-8" ]
}

@test "a BERT in several files gives what it gives in one" {
    split_bert "$BERT" split
    test_vectors pooler --bert "$BERT"
    mv pooler.msa whole.msa
    for bert in split split/ split/model.safetensors.index.json; do
        test_vectors pooler --bert $bert
        [ "$(vectors pooler.msa)" = "$(vectors whole.msa)" ]
    done
    (cd split && test_vectors pooler --bert model.safetensors.index.json)
    [ "$(vectors split/pooler.msa)" = "$(vectors whole.msa)" ]
    # with the old names, and numbers that are none of the network, which are in the index too
    mkdir old
    cp "$BERT/config.json" old
    cp "$BERT/old.safetensors" old/model.safetensors
    split_bert old oldsplit
    test_vectors mean --bert old
    mv mean.msa whole.msa
    test_vectors mean --bert oldsplit
    [ "$(vectors mean.msa)" = "$(vectors whole.msa)" ]
}

@test "none of these files is written over, and others beside them may be" {
    split_bert "$BERT" split
    msa-load --split test "$BERT/data.pkl" >in.msa
    for file in model-0000{1,2}-of-00002.safetensors model.safetensors.index.json config.json; do
        for bert in split split/model.safetensors.index.json; do
            run -2 msa-encode --bert $bert -o "split/$file" in.msa
            [ "$output" = "msa-encode: cannot write 'split/$file': it is what is being read" ]
        done
    done
    msa-encode --bert split -o split/more.msa in.msa
    msa-encode --bert split -o split/more.msa in.msa
}

@test "an index that lies, or leads elsewhere" {
    split_bert "$BERT" whole
    cp "$BERT/model.safetensors" elsewhere.safetensors
    local index=model.safetensors.index.json one=model-00001-of-00002.safetensors two=model-00002-of-00002.safetensors
    # $1: what jq makes of the index; $2: the status, $3: the line
    check() {
        rm -rf bad
        cp -r whole bad
        jq "$1" whole/$index >bad/$index
        refused "$2" "$3"
    }
    refused() {
        run "-$1" --separate-stderr bash -c "set -o pipefail; msa-load --split test $BERT/data.pkl | msa-encode --bert bad -o x.msa"
        [ "$stderr" = "msa-encode: $2" ] || { echo "$stderr"; false; }
        [ ! -e x.msa ]
    }
    local name=embeddings.LayerNorm.bias file
    for file in '"../elsewhere.safetensors"' "\"$PWD/elsewhere.safetensors\"" '"more/../model.safetensors"' '"config.json"' '""' 3 null; do
        check ".weight_map.\"$name\" = $file" 3 "bad/$index: tensor '$name' is in $file but expected a .safetensors file beside the index"
    done
    check ".weight_map.\"$name\" = \"more.safetensors\"" 1 "bad/$index: tensor '$name' is in 'bad/more.safetensors', which is not there"
    check ".weight_map.\"$name\" = \"$two\"" 3 "bad/$two: no tensor '$name', which 'bad/$index' says is there"
    check '.weight_map.more = "'$one'"' 3 "bad/$one: no tensor 'more', which 'bad/$index' says is there"
    for map in '{}' '[]' 'null' '"x"'; do
        check ".weight_map = $map" 3 "bad/$index: no 'weight_map' that says which tensor is in which file"
    done
    check '[.]' 3 "bad/$index: no JSON object of at most 1 MiB"
    cp whole/$index bad
    cp whole/$two bad/$one
    refused 3 "bad/$one: no tensor '$name', which 'bad/$index' says is there"
    cp whole/$one bad
    cp whole/$one bad/more.safetensors # all of it is in two of the files
    jq ".weight_map.\"$name\" = \"more.safetensors\"" whole/$index >bad/$index
    refused 3 "bad/more.safetensors: tensor 'text_encoder.extractor.$name' is in 'bad/$one' too"
    cp whole/$index bad
    : >bad/$two
    refused 3 "bad/$two: 0 bytes are no safetensors file"
}

# Where a training begins with someone's BERT, none of it is drawn in silence.
@test "a BERT without a pooler is trained with another pool, and not with a pooler that is drawn" {
    mkdir part
    cp "$BERT/config.json" part
    "$PYTHON" - "$BERT" <<'END'
import json, struct, sys
raw = open(sys.argv[1] + "/model.safetensors", "rb").read()
size, = struct.unpack("<Q", raw[:8])
head, data, out = json.loads(raw[8:8 + size]), raw[8 + size:], b""
head = {name: t for name, t in head.items() if "pooler" not in name and name != "__metadata__"}
for t in head.values():
    begin, end = t["data_offsets"]
    t["data_offsets"] = len(out), len(out) + end - begin
    out += data[begin:end]
text = json.dumps(head).encode()
open("part/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + out)
END
    line "msa-load --train --epochs 1 $BERT/data.pkl | msa-encode --bert part -p text |
        $PYTHON $ROOT/tests/interop/scalar_stage.py h_text | msa-backprop"
    [ "$status" -ne 0 ]
    [[ "$output" = *"msa-encode: part: no tensor 'text_encoder.extractor.pooler.dense.weight': this BERT has no pooler, \
and needs --pool cls or --pool mean"* ]]
    [ ! -e text ]
    scalar "--bert part --pool cls"
}

@test "options that need others" {
    check() {
        run "-$1" --separate-stderr bash -c "set -o pipefail; msa-load --split test $2 | msa-encode $3 -o x.msa"
        [[ "$stderr" = *"$4"* ]] || { echo "$stderr"; false; }
    }
    check 2 "$BERT/data.pkl" "--text bert" "--text bert needs --bert DIR, or parameters that are of one"
    check 2 "$GOLDEN/data.pkl" "--only text --text features --bert $BERT" "--bert is for bert, not for transformer"
    check 1 "$BERT/data.pkl" "--bert $BERT --only vision" "nothing to encode: no text, vision or audio arrives of those that --only names"
    check 1 "$BERT/data.pkl" "--pool cls --only vision" "nothing to encode: no text, vision or audio arrives of those that --only names"
    scalar "--bert $BERT --pool cls"
    check 2 "$BERT/data.pkl" "-p text --pool mean" "--pool: mean given but text has cls"
    mkdir other
    cp "$BERT/model.safetensors" other
    jq '.num_attention_heads = 2' "$BERT/config.json" >other/config.json
    check 2 "$BERT/data.pkl" "-p text --bert other" "--bert: its config is "
    check 2 "$BERT/data.pkl" "--bert $BERT --dim 32" "--dim 32, but BERT's vectors are of width 24"
    check 1 "$GOLDEN/data.pkl" "--bert $BERT" "no 'text_bert' arrives"
    check 2 "$BERT/data.pkl" "--bert $BERT --freeze nothing*" "--freeze: 'nothing*' matches no parameter"
}
