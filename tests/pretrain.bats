#!/usr/bin/env bats
# Encoders trained one by one, and what begins with them: pipelines/pretrain, pipelines/train --encoders.
load helper
load bert_set.bash

# Tiny encoders, and few epochs.
few=(--heads 2 --epochs 3 --batch 8)
small=(--dim 16 "${few[@]}")

# same ONE OTHER: all tensors of ONE are in the files OTHER... as they are there.
same() {
    "$PYTHON" - "$ROOT/tests" "$@" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
arguments, sys.argv = sys.argv, sys.argv[:1]
from same_tensors import read
one, others = read(arguments[2])[1], {}
for path in arguments[3:]:
    others |= read(path)[1]
sys.exit(not one or any(others.get(name) != x for name, x in one.items()))
END
}

# frozen FILE: the patterns that did not learn.
frozen() {
    "$PYTHON" -c '
import json, struct, sys
file = open(sys.argv[1], "rb")
print(json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))["__metadata__"]["freeze"])' "$1"
}

# learned FILE: what FILE has of the tiny BERT and otherwise than it came, a name a line.
learned() {
    "$PYTHON" - "$ROOT/tests" "$1" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
arguments, sys.argv = sys.argv, sys.argv[:1]
from same_tensors import read
before, after = read("tiny/model.safetensors")[1], read(arguments[2])[1]
for name, x in before.items():
    if after["text_encoder.extractor." + name] != x:
        print(name)
END
}

setting() {
    awk -F '\t' -v key="$2" '$1 == key { print $2 }' "$1/about.tsv"
}

@test "an encoder and a head for each modality, by its own labels; a table of all" {
    msa-synth --samples 24,8,8 -o data.pkl
    done_well pretrain data.pkl pre "${small[@]}"
    for modality in text vision audio; do
        for file in {encode,head}.safetensors{,.2,.3} state.msa steps.tsv metrics.tsv test.tsv about.tsv; do
            [ -s "pre/$modality/$file" ]
        done
        [ "$(tail -n 1 pre/$modality/steps.tsv | cut -f 1,2)" = $'3\t8' ]
        [ "$(setting pre/$modality load.label)" = $modality ]
    done
    [ "$(ls pre)" = $'about.tsv\naudio\ntext\nvision' ]
    [[ ${lines[-4]} =~ ^encoder\ +split\ +samples\ +acc2 ]]
    [[ ${lines[-1]} =~ ^audio\ +test\ +8 ]]
    done_well pretrain data.pkl quiet "${small[@]}" --quiet --only audio,vision
    [ -z "$output" ]
    [ "$(ls quiet)" = $'about.tsv\naudio\nvision' ]
    diff -r --exclude about.tsv --exclude state.msa {pre,quiet}/audio # but for their command lines
}

@test "a training goes on from them: with a learning rate of 0 its encoders are these" {
    msa-synth --samples 24,8,8 -o data.pkl
    done_well pretrain data.pkl pre "${small[@]}" --lr 1e-2 --quiet
    done_well train data.pkl run --encoders pre --epochs 1 --lr 0 --quiet
    same run/encode.safetensors pre/{text,vision,audio}/encode.safetensors
    [ ! -e run/text.safetensors ]
    done_well train data.pkl drawn "${small[@]}" --epochs 1 --lr 0 --quiet
    run ! same drawn/encode.safetensors pre/{text,vision,audio}/encode.safetensors
    [ "$(setting run 'audio encoder')" = "$(sha256sum <pre/audio/encode.safetensors | cut -d ' ' -f 1)" ]
    mkdir empty
    pipeline train data.pkl other --encoders empty
    [ "$status" -eq 1 ]
    [ "$output" = "train: no encoders in 'empty'" ]
}

@test "text by BERT: features made once, and the same numbers from the data set and from these" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny --lr 1e-2 "${few[@]}" --quiet
    [ -z "$output" ]
    [ "$(ls pre)" = $'about.tsv\naudio\ntext\ntext.msa\nvision\nvocab.txt' ]
    done_well train bert.pkl run --encoders pre --epochs 2 --batch 3 --quiet
    [ -z "$output" ]
    cmp run/text.safetensors pre/text/encode.safetensors
    cmp run/vocab.txt tiny/vocab.txt
    [ "$(msa-dump run/state.msa | grep -c 'h_text')" -eq 1 ]
    [ "$(setting run encode.dim)" = 24 ]
    for split in train valid test; do
        done_well evaluate run bert.pkl $split --tsv --predictions of-all.tsv
        of_all=$output
        done_well evaluate run pre/text.msa $split --tsv --predictions of-kept.tsv
        [ "$output" = "$of_all" ]
        cmp of-all.tsv of-kept.tsv
    done
    done_well evaluate run bert.pkl --tsv
    [ "$output" = "$(cat run/test.tsv)" ]
    done_well evaluate run bert.pkl --drop text --tsv # BERT is not needed
    [[ $output == *"s_text,d_text do not arrive: they count as 0"* ]]
    done_well evaluate run pre/text.msa --drop vision,audio --tsv # nothing is left to encode
}

@test "encoders may be of different checkpoints, what stands behind them may not" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny "${few[@]}" --quiet
    done_well train bert.pkl run --encoders pre --epochs 2 --quiet
    model() {
        msa-load bert.pkl | msa-encode --only text -p "$1" | msa-encode -p "$2" | msa-decompose -p "$3" |
            msa-predict -p run/predict.safetensors.2 -o out.msa
    }
    run -0 model pre/text/encode.safetensors.3 run/encode.safetensors.2 run/decompose.safetensors.2
    [ -z "$output" ]
    run -0 model pre/text/encode.safetensors.3 run/encode.safetensors.2 run/decompose.safetensors.1
    [ "${lines[0]}" = "msa-decompose: warning: run/decompose.safetensors.1 is of checkpoint 1 but the stages before are of 2" ]
    [ "${#lines[@]}" -eq 2 ]
}

@test "of text alone: nothing is left to encode in the training either" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny "${few[@]}" --quiet --only text
    done_well train bert.pkl run --encoders pre --only text --epochs 2 --batch 3 --quiet --dropout .25
    done_well evaluate run bert.pkl --tsv
    [ "$output" = "$(cat run/test.tsv)" ]
    [ "$(setting run decompose.dropout)" = 0.25 ]
    pipeline train bert.pkl other --encoders pre --drop vision,audio --epochs 2 --layers 2
    [ "$status" -eq 2 ]
    [ "$output" = "msa-encode: --layers is for transformer, which nothing here goes through" ]
}

@test "without pre-training text goes through BERT as it came; trained along, BERT learns too" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny --pool mean "${few[@]}" --quiet
    done_well ablate bert.pkl --out out --encoders pre --seeds 1 --only without-pretraining --epochs 2 --batch 3 --lr 1e-3 --quiet
    done_well train bert.pkl along --bert tiny --pool mean --epochs 2 --batch 3 --lr 1e-3 --quiet
    [ "$(setting out/without-pretraining/seed-1 encode.pool) $(setting out/without-pretraining/seed-1 encode.dim)" = "mean 24" ]
    [ "$(setting along bert)" = "$(sha256sum <tiny/model.safetensors | cut -d ' ' -f 1)" ]
    [ -z "$(learned out/without-pretraining/seed-1/encode.safetensors.2)" ]
    learned along/encode.safetensors.2 | grep -qx encoder.layer.2.output.dense.weight
    cmp along/vocab.txt tiny/vocab.txt
    printf 'i loved it\n' | MSA_BIN=$BUILD/bin "$ROOT/pipelines/predict" along --text - --quiet >predictions
    [ "$(wc -l <predictions)" -eq 2 ]
    echo >>tiny/model.safetensors
    pipeline ablate bert.pkl --out more --encoders pre --seeds 1 --only without-pretraining --quiet
    [ "$status" -eq 1 ]
    [ "$output" = "ablate: '$PWD/tiny/model.safetensors' is not the BERT any more that 'pre/text' began with (SHA-256 in pre/text/about.tsv)" ]
}

@test "a BERT in several files, and one in another format" {
    bert_set
    split_bert tiny split
    cp tiny/vocab.txt split
    local files=(split/model.safetensors.index.json split/model-0000{1,2}-of-00002.safetensors)
    done_well pretrain bert.pkl pre --bert split --pool mean "${few[@]}" --quiet --only text
    done_well pretrain bert.pkl whole --bert tiny --pool mean "${few[@]}" --quiet --only text
    cmp pre/text/test.tsv whole/text/test.tsv
    [ "$(setting pre/text bert)" = "$(cat "${files[@]}" | sha256sum | cut -d ' ' -f 1)" ]
    done_well ablate bert.pkl --out out --encoders pre --seeds 1 --only without-pretraining --epochs 2 --batch 3 --quiet
    cp "${files[1]}" kept
    truncate -s +1 "${files[1]}"
    pipeline ablate bert.pkl --out more --encoders pre --seeds 1 --only without-pretraining --quiet
    [ "$status" -eq 1 ]
    [ "$output" = "ablate: '$PWD/${files[0]}' is not the BERT any more that 'pre/text' began with (SHA-256 in pre/text/about.tsv)" ]
    mv kept "${files[1]}"
    rm "${files[2]}"
    pipeline train bert.pkl new --bert split
    [ "$status" -eq 1 ]
    [ "$output" = "train: --bert: there is no '${files[2]}'" ]
    rm split/model*
    touch split/pytorch_model.bin
    for bert in split split/pytorch_model.bin; do
        pipeline train bert.pkl new --bert $bert
        [ "$status" -eq 3 ]
        [ "$output" = "train: --bert: 'split/pytorch_model.bin' is not read: msa-encode(1), Text by BERT, says how it becomes model.safetensors" ]
    done
    [ ! -e new ]
}

@test "standardized or not: encoders and what follows must agree" {
    msa-synth --samples 24,8,8 -o data.pkl
    done_well pretrain data.pkl pre "${small[@]}" --quiet --standardize
    pipeline train data.pkl agreed --encoders pre --epochs 1
    [ "$status" -eq 1 ]
    [ ! -e agreed ]
    [ "$output" = "train: pre/text has load.standardize true, and this has false: give both --standardize, or none" ]
    done_well train data.pkl agreed --encoders pre --epochs 1 --standardize --quiet
}

@test "two at once in one place: the second waits 5 seconds, and fails; so it does where another user has that folder" {
    msa-synth --samples 24,8,8 -o data.pkl
    mkdir pre
    exec {lock}<pre
    flock "$lock"
    for script in pretrain train; do
        pipeline $script data.pkl pre "${small[@]}" --quiet
        [ "$status: $output" = "1: $script: cannot write 'pre': another program is writing it" ]
    done
    exec {lock}<&-
    [ -z "$(ls pre)" ]
}

# The folder is entered, so that the command lines are the same. The programs stand still meanwhile, however fast they are.
@test "a script that was killed, and whose programs go on: its folder is theirs; resumed after they have ended, the same bytes" {
    msa-synth --samples 24,8,8 -o data.pkl
    local session pretrain=(env MSA_BIN="$BUILD/bin" "$ROOT/pipelines/pretrain" ../data.pkl pre "${small[@]}" --epochs 100
        --only 'vision,audio' --quiet)
    mkdir whole killed
    (cd whole && "${pretrain[@]}")
    (cd killed && exec setsid "${pretrain[@]}") 3>&- &
    session=$!
    until [ "$(wc -l <killed/pre/vision/steps.tsv)" -gt 20 ]; do
        kill -0 $session
        sleep 0.01
    done 2>/dev/null
    pkill -STOP -s $session
    kill -9 $session # the script alone
    wait $session || true
    run bash -c 'cd killed && exec "$@" --resume' bash "${pretrain[@]}"
    [ "$status: $output" = "1: pretrain: cannot write 'pre': another program is writing it" ]
    pkill -CONT -s $session
    flock -w 100 killed/pre true
    [ ! -e killed/pre/audio ]
    (cd killed && "${pretrain[@]}" --resume)
    diff -r whole killed
}

@test "without the text.msa that they were left with, encoders are refused; the encoders of an older version will do" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny "${few[@]}" --quiet
    cp -r pre before
    rm pre/text.msa
    pipeline train bert.pkl run --encoders pre --epochs 1 --quiet
    [ "$status" -eq 1 ]
    [ "$output" = "train: there is no 'pre/text.msa', which 'pre/text' was left with (pipelines/pretrain --resume makes it)" ]
    done_well pretrain bert.pkl pre --bert tiny "${few[@]}" --quiet --resume
    diff -r pre before
    sed -i '/^text.msa\t/d' pre/text/about.tsv # it noted none
    done_well pretrain bert.pkl pre --bert tiny "${few[@]}" --quiet --resume
    diff -r pre before
    done_well train bert.pkl run --encoders pre --epochs 1 --quiet
}

@test "an experiment started again makes what has gone of text and its words" {
    bert_set
    local reproduce=(other bert.pkl --out out --bert tiny --seeds 1 --heads 2 --epochs 1 --batch 8 --quiet)
    done_well reproduce "${reproduce[@]}"
    cp -r out before
    for file in encoders/seed-1/{text.msa,vocab.txt} seed-1/{text.safetensors,vocab.txt}; do
        rm "out/$file"
        done_well reproduce "${reproduce[@]}"
        diff -r out before
    done
}

@test "features of another data set are refused; trained anew without encoders, a run forgets theirs" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny "${few[@]}" --quiet
    "$PYTHON" -c 'import pickle; d = pickle.load(open("bert.pkl", "rb")); d["more"] = 1; pickle.dump(d, open("other.pkl", "wb"))'
    pipeline train other.pkl run --encoders pre
    [ "$status" -eq 1 ]
    [ "$output" = "train: 'pre/text.msa' was not made of 'other.pkl' (SHA-256 of both in pre/text/about.tsv): pretrain on that" ]
    done_well train bert.pkl run --encoders pre --epochs 1 --quiet
    done_well train bert.pkl run --dim 16 --heads 2 --epochs 1 --quiet -f
    [ ! -e run/text.safetensors ]
    [ ! -e run/vocab.txt ]
    done_well evaluate run bert.pkl
}

# The folder is entered, so that the command lines, which text.msa has in its header, are the same.
@test "killed in any modality, and resumed: the same bytes in every file" {
    bert_set
    export MSA_BIN=$BUILD/bin
    local modality session pretrain=("$ROOT/pipelines/pretrain" ../bert.pkl pre --bert ../tiny --heads 2 --epochs 100
        --batch 3 --lr 1e-3 --quiet)
    mkdir whole killed
    (cd whole && "${pretrain[@]}")
    for modality in text vision audio; do
        touch begun
        (cd killed && exec setsid "${pretrain[@]}" --resume) 3>&- &
        session=$!
        until [ "$(wc -l <killed/pre/$modality/steps.tsv)" -gt 20 ]; do
            kill -0 $session
            sleep 0.01
        done 2>/dev/null
        pkill -9 -s $session
        wait $session || true
        [ ! -e killed/pre/$modality/about.tsv ]
        [ $modality != audio ] || [ -z "$(find killed/pre/text.msa killed/pre/text/*.tsv -newer begun)" ] # that was done
    done
    (cd killed && "${pretrain[@]}" --resume)
    diff -r whole killed
    rm killed/pre/text.msa killed/pre/audio/test.tsv # as if killed in front of it
    sed -i '2s/[0-9]/9/g' killed/pre/text/test.tsv
    (cd killed && "${pretrain[@]}" --resume)
    diff -r whole killed
    # what is damaged is not gone on with, though all was done
    head -c -9 whole/pre/text.msa >killed/pre/text.msa
    run bash -c 'cd killed && exec "$@" --resume' bash "${pretrain[@]}"
    [ "$status: $output" = "3: pretrain: 'pre/text.msa' is not what this has made (SHA-256 in pre/text/about.tsv): \
without it, it is made anew" ]
    run bash -c 'cd killed && exec "$@"' bash "$ROOT/pipelines/train" ../bert.pkl run --encoders pre --quiet
    [ "$status: $output" = "1: train: 'pre/text.msa' was not made of '../bert.pkl' (SHA-256 of both in pre/text/about.tsv): \
pretrain on that" ]
    cp whole/pre/text.msa killed/pre
    file=killed/pre/text/encode.safetensors.100
    printf x | dd of="$file" bs=1 seek="$(($(stat -c %s "$file") - 3))" conv=notrunc status=none
    run bash -c 'cd killed && exec "$@" --resume' bash "${pretrain[@]}"
    [[ $status -eq 3 && $output == "msa-encode: "* ]] || { echo "$status: $output" && return 1; }
}

@test "options of one modality, and of all" {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny "${few[@]}" --text-epochs 2 --vision-lr 0.5 --audio-optimizer sgd \
        --audio-seed 7 --text-pool mean --decay 0 --accumulate 2 --vision-accumulate 3 --audio-clip-value .5 --quiet
    [ "$(setting pre/text load.epochs) $(setting pre/vision load.epochs)" = "2 3" ]
    [ "$(setting pre/vision backprop.lr) $(setting pre/audio backprop.lr)" = "0.5 0.0001" ]
    [ "$(setting pre/audio backprop.optimizer) $(setting pre/audio load.seed)" = "sgd 7" ]
    [ "$(setting pre/vision backprop.optimizer) $(setting pre/vision backprop.amsgrad)" = "adam true" ]
    [ "$(setting pre/text backprop.optimizer) $(setting pre/text encode.pool)" = "hf-adamw mean" ]
    [ "$(setting pre/text backprop.decay)$(setting pre/audio backprop.no-decay)" = 0.0 ]
    [ "$(setting pre/text backprop.accumulate) $(setting pre/vision backprop.accumulate)" = "2 3" ]
    [ "$(setting pre/audio backprop.clip-value)$(setting pre/text backprop.clip-value)" = 0.5 ]
    # what follows a modality's option is not taken for its value
    done_well pretrain bert.pkl pre --bert tiny --heads 2 --epochs 1 --batch 3 --text-lr 1e-3 -f --quiet
    [ "$(setting pre/audio load.epochs)" = 1 ]
}

@test "what BERT learns: all of it behind the head's third; of CH-SIMS its last layer and pooler" {
    bert_set
    local all='text_encoder.extractor.*'
    done_well pretrain bert.pkl mosi --bert tiny "${few[@]}" --quiet --only text
    [ "$(frozen mosi/text/encode.safetensors)" = "$all@1" ]
    done_well pretrain bert.pkl sims --bert tiny "${few[@]}" --quiet --only text --family sims --lr 1e-3 --warmup 0
    [ "$(frozen sims/text/encode.safetensors)" = "$all@1 text_encoder.extractor.embeddings.* \
text_encoder.extractor.encoder.layer.0.* text_encoder.extractor.encoder.layer.1.*" ]
    learned sims/text/encode.safetensors.3 >names
    [ -s names ]
    run ! grep -qvE '^(encoder\.layer\.2|pooler)\.' names
    done_well pretrain bert.pkl other --bert tiny "${few[@]}" --quiet --only text --tune last --head-epochs 2
    [[ "$(frozen other/text/encode.safetensors)" == "$all@2 "*.layer.1.\* ]]
    done_well pretrain bert.pkl both --bert tiny --heads 2 --epochs 1 --batch 8 --lr 1e-3 --warmup 0 --quiet --only text --head-epochs 1
    [ -z "$(learned both/text/encode.safetensors.1)" ]
    done_well pretrain bert.pkl both --bert tiny --heads 2 --epochs 1 --batch 8 --lr 1e-3 --warmup 0 --quiet --only text --head-epochs 0 -f
    [ -n "$(learned both/text/encode.safetensors.1)" ]
}

@test "the family's settings" {
    bert_set
    # shellcheck disable=SC2086 # a row of numbers
    check() {
        local family=$1 modality
        done_well pretrain bert.pkl $family --family $family --bert tiny --heads 2 --patience 1 --lr 0 --quiet
        shift
        for modality in text vision audio; do
            [ "$(setting $family/$modality load.epochs) $(setting $family/$modality load.batch) \
$(setting $family/$modality backprop.warmup)" = "$1" ] || { echo "$family $modality, not $1" && return 1; }
            shift
        done
    }
    check sims "150 64 5.0" "300 64 10.0" "300 64 10.0"
    check mosi "200 128 5.0" "100 128 5.0" "100 128 10.0"
}

@test "options that are none, and a data set without what is wanted" {
    bert_set
    check() {
        local expected=$1
        shift
        pipeline pretrain "$@"
        [ "$status $output" = "$expected" ] || { echo "$status $output" && return 1; }
    }
    check "2 pretrain: '--tasks' is no option (pretrain --help)" bert.pkl pre --tasks msr
    check "2 pretrain: '--bogus' is no option (pretrain --help)" bert.pkl pre --text-bogus 3
    check "2 pretrain: '--bogus' is no option (pretrain --help)" bert.pkl pre --vision-bogus 3 --only audio
    check "2 pretrain: '--epochs' is no option, or lacks its value (pretrain --help)" bert.pkl pre --epochs
    check "2 pretrain: '--only' lacks its value (pretrain --help)" bert.pkl pre --only
    check "2 pretrain: --only: 'video' is no modality (text, vision or audio)" bert.pkl pre --only video
    check "2 pretrain: --tune: 'first' is neither all nor last" bert.pkl pre --bert tiny --tune first
    check "1 pretrain: bert.pkl has no features of text" bert.pkl pre --only text
    check "2 pretrain: '--vision-only' is no option (pretrain --help)" bert.pkl pre --vision-only audio
    check "2 pretrain: --pool, --head-epochs and --tune are of --bert (pretrain --help)" bert.pkl pre --pool mean
    check "1 pretrain: --bert: there is no 'nope'" bert.pkl pre --bert nope
    msa-load bert.pkl --drop text -o wordless.msa
    check "1 pretrain: 'wordless.msa' has no text_bert for --bert (msa-tokenize makes it)" wordless.msa pre --bert tiny
}
