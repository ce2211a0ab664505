#!/usr/bin/env bats
# pipelines/predict: samples, of any kind of file, and text; pipelines/report: runs beside one another.
load helper
load bert_set.bash

small=(--dim 16 --heads 2 --epochs 2 --batch 8)

# A run on a data set without BERT: data.pkl and run.
plain_run() {
    msa-synth --samples 24,8,8 -o data.pkl
    done_well train data.pkl run "${small[@]}" --quiet
}

# One of text by BERT: bert.pkl, tiny, pre and run.
bert_run() {
    bert_set
    done_well pretrain bert.pkl pre --bert tiny --heads 2 --epochs 2 --lr 1e-3 --quiet
    done_well train bert.pkl run --encoders pre --epochs 2 --batch 3 --lr 1e-3 --quiet
}

# one FROM TO [PYTHON]: sample 3 of the test split by itself, as MMSA-FET keeps one; PYTHON may change it: d
one() {
    "$PYTHON" - "$@" <<'END'
import pickle, sys
test = pickle.load(open(sys.argv[1], "rb"))["test"]
d = {key: test[key][3] for key in ("text", "text_bert", "vision", "audio") if key in test}
exec("".join(sys.argv[3:]))
pickle.dump(d, open(sys.argv[2], "wb"))
END
}

# near ROW ROW: predictions of one sample, but for the last bits, which depend on what it was computed beside.
near() {
    paste <(cut -f 4- <<<"$1") <(cut -f 4- <<<"$2") | awk -F '\t' '{
        for (i = 1; i <= 9; i++) { d = $i - $(i + 9); if (d > 1e-5 || d < -1e-5) exit 1 }
        exit $2 != $11 }'
}

# --- predict ---

@test "a sample of its own length is that with padding behind it; a longer one is refused" {
    plain_run
    one data.pkl padded.pkl
    one data.pkl own.pkl 'd = {key: x[:1 + (x != 0).any(axis=1).nonzero()[0].max()] for key, x in d.items() if key != "text_bert"}'
    run ! cmp -s padded.pkl own.pkl
    done_well predict run padded.pkl
    padded=${lines[1]}
    done_well predict run own.pkl
    near "$padded" "${lines[1]}"
    one data.pkl longer.pkl 'd["vision"] = d["vision"].repeat(2, axis=0)'
    pipeline predict run longer.pkl
    [ "$status" -eq 3 ]
    [ "$output" = "msa-encode: run/encode.safetensors is for 12 frames of 'vision' at most, but 24 arrive" ]
}

@test "a data set: all its samples, with the numbers that evaluation has" {
    plain_run
    done_well predict run data.pkl
    echo "$output" >out.tsv
    [ "$(wc -l <out.tsv)" -eq 41 ]
    done_well evaluate run data.pkl all --predictions kept.tsv
    cmp out.tsv kept.tsv
    done_well predict run data.pkl --json
    [ "$(jq -s -r '.[] | [.id, .class] | @tsv' <<<"$output")" = "$(tail -n +2 out.tsv | cut -f 1,5)" ]
    msa-load --split test data.pkl -o test.msa
    done_well predict run test.msa
    [ "$output" = "$(grep -e ^id -e $'\ttest\t' out.tsv)" ]
}

@test "a sample by itself is what it is in its data set; it is called as its file; several have one head" {
    plain_run
    one data.pkl one.pkl
    one data.pkl more.pkl 'd["audio"] = d["audio"] + 1'
    done_well evaluate run data.pkl --predictions all.tsv
    done_well predict run one.pkl more.pkl ./one.pkl
    [ "${#lines[@]}" -eq 4 ]
    [ "$(cut -f 1 <<<"$output" | tr '\n' ' ')" = "id one.pkl more.pkl ./one.pkl " ]
    [ "$(cut -f 2- <<<"${lines[1]}")" = "$(cut -f 2- <<<"${lines[3]}")" ]
    [ "$(cut -f 4 <<<"${lines[1]}")" != "$(cut -f 4 <<<"${lines[2]}")" ]
    near "${lines[1]}" "$(sed -n 5p all.tsv)"
    [ -z "$(cut -f 3 <<<"${lines[1]}")" ]
    done_well predict run one.pkl more.pkl --json
    [ "$(jq -s -c 'map(.id)' <<<"$output")" = '["one.pkl","more.pkl"]' ]
}

@test "what a sample does not have is 0, which is said once" {
    plain_run
    one data.pkl silent.pkl 'del d["audio"]'
    done_well predict run silent.pkl silent.pkl --drop vision
    [ "${#lines[@]}" -eq 4 ]
    [ "$(grep -c "s_vision,s_audio,d_vision,d_audio do not arrive: they count as 0" <<<"$output")" -eq 1 ]
    one data.pkl whole.pkl
    done_well predict run silent.pkl whole.pkl silent.pkl --quiet
    [ "$(cut -f 7- <<<"${lines[0]}")" = "$(tr ' ' '\t' <<<"s_text s_vision s_audio d_text d_vision d_audio")" ]
    [ "${lines[1]}" = "${lines[3]}" ]
    [[ $(cut -f 7- <<<"${lines[1]}") =~ ^[-0-9.e]+$'\t'[-0-9.e]+$'\t\t'[-0-9.e]+$'\t'[-0-9.e]+$'\t'$ ]]
    cut -f 7- <<<"${lines[2]}" >rest
    done_well predict run whole.pkl
    [ "$(cut -f 7- <<<"${lines[1]}")" = "$(<rest)" ]
    done_well predict run silent.pkl --quiet
    [ "${#lines[@]}" -eq 2 ]
}

@test "samples of another shape than the model is for, and runs that are none, are one line" {
    plain_run
    check() {
        local expected=$1
        shift
        pipeline predict "$@"
        [ "$status $output" = "$expected" ] || { echo "$status $output" && return 1; }
    }
    one data.pkl wide.pkl 'import numpy as np; d["audio"] = np.ones((16, 9))'
    pipeline predict run wide.pkl
    [ "$status" -eq 3 ]
    [ "${#lines[@]}" -eq 1 ]
    [ "$output" = "msa-encode: run/encode.safetensors is for 8 features in a frame of 'audio', but 9 arrive" ]
    check "1 predict: no trained model in 'data.pkl': it has no predict.safetensors" data.pkl run
    check "1 msa-load: cannot read 'none.pkl': No such file or directory" run none.pkl
    check "1 predict: the text of 'run' does not go through BERT: there is nothing to make of words" run --text -
    check "2 predict: what is to be predicted? (predict --help)" run --json
    check "2 predict: '--epochs' is no option (predict --help)" run data.pkl --epochs 3
    check "2 predict: '--drop' lacks its value (predict --help)" run data.pkl --drop
    check "2 msa-encode: --device: 'foo' is none of auto|cpu[:base|:v3|:v4]|cuda[:N]" run data.pkl --device foo
    check "2 msa-encode: --threads: 'x' is not a number from 0 to 4096" run data.pkl --threads x
    pipeline evaluate run data.pkl --device foo
    [ "$status $output" = "2 msa-encode: --device: 'foo' is none of auto|cpu[:base|:v3|:v4]|cuda[:N]" ]
}

@test "lines of text, through the encoder and the vocabulary that the run has kept" {
    bert_run
    rm -r tiny pre
    run env MSA_BIN="$BUILD/bin" bash -c "echo 'I loved it' | '$ROOT/pipelines/predict' run --text - --quiet"
    [ "$status" -eq 0 ]
    alone=${lines[1]}
    printf 'I hated the film.\nI LOVED it' >said.txt
    done_well predict run --text said.txt
    [ "${#lines[@]}" -eq 4 ]
    [[ $output == *"s_vision,s_audio,d_vision,d_audio do not arrive: they count as 0"* ]]
    [ "$(grep -c warning <<<"$output")" -eq 1 ]
    done_well predict run --text said.txt --quiet
    near "${lines[2]}" "$alone"
    run ! near "${lines[1]}" "$alone"
    # each is called as nothing else is
    tail -n 1 said.txt >more.txt
    done_well predict run --text said.txt more.txt --quiet
    [ "$(cut -f 1 <<<"$output" | tr '\n' ' ')" = "id said.txt:1 said.txt:2 more.txt:1 " ]
    near "${lines[3]}" "$alone"
    # the same as the tokens in a data set
    "$PYTHON" -c '
import numpy as np, pickle
tokens = np.zeros((3, 12), "i8")
tokens[0, :5], tokens[1, :5] = [2, 5, 6, 8, 3], 1
pickle.dump({"text_bert": tokens}, open("one.pkl", "wb"))'
    done_well predict run one.pkl --quiet
    near "${lines[1]}" "$alone"
    done_well predict run bert.pkl --drop vision,audio --quiet
    [ "${#lines[@]}" -eq 15 ]
}

@test "what is to be said of a line is said while the next is waited for" {
    bert_run
    mkfifo lines
    MSA_BIN=$BUILD/bin timeout -k 5 100 "$ROOT/pipelines/predict" run --text - <lines >predicted 2>said 3>&- &
    exec {typed}>lines
    echo 'I loved it' >&"$typed"
    for _ in $(seq 1000); do
        [ ! -s said ] || break
        sleep 0.02
    done
    [[ $(cat said) == "msa-predict: warning: "*" s_vision,s_audio,d_vision,d_audio do not arrive: they count as 0" ]] || { cat said && return 1; }
    exec {typed}>&-
    wait $!
    [ "$(wc -l <predicted)" -eq 2 ]
    [ "$(wc -l <said)" -eq 1 ]
}

@test "the words: another vocabulary, upper case, a length; none at all" {
    bert_run
    echo 'I LOVED it it' >said.txt
    done_well predict run --text said.txt --quiet
    usual=$output
    sed 's/^loved$/LOVED/' run/vocab.txt >cased.txt
    done_well predict run --text said.txt --quiet --vocab cased.txt --cased
    sed -i 's/^i$/I/' cased.txt
    done_well predict run --text said.txt --quiet --vocab cased.txt --cased
    [ "$output" = "$usual" ]
    cp cased.txt tiny/vocab.txt # as BERT says it
    echo '{"do_lower_case": false}' >tiny/tokenizer_config.json
    done_well pretrain bert.pkl pre --bert tiny --heads 2 --epochs 2 --lr 1e-3 --quiet --only text --resume
    done_well train bert.pkl run --encoders pre --epochs 2 --batch 3 --lr 1e-3 --quiet --resume
    done_well predict run --text said.txt --quiet
    [ "$output" = "$usual" ]
    done_well predict run --text said.txt --quiet --length 5
    [ "$output" != "$usual" ]
    rm run/vocab.txt
    pipeline predict run --text said.txt
    [ "$status $output" = "1 predict: there is no 'run/vocab.txt', the vocabulary of BERT: --vocab FILE" ]
}

@test "a line whose BERT was trained with the rest predicts text too" {
    bert_set
    cp tiny/vocab.txt run
    line "msa-load --train --epochs 1 bert.pkl | msa-encode --bert tiny --heads 2 -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors | msa-predict -p run/predict.safetensors | msa-loss | msa-backprop"
    [ "$status" -eq 0 ]
    echo 'I loved it' >said.txt
    done_well predict run --text said.txt --json --quiet
    [ "$(jq -c 'keys' <<<"$output")" = '["class","d_text","id","prediction","probability","s_text","split"]' ]
}

@test "samples that MMSA-FET has made" {
    local data=$ROOT/../shared/data name
    [ -e "$data/feature_aligned.pkl" ] || skip "no ../shared here"
    for name in aligned unaligned; do
        "$PYTHON" - "$data/feature_$name.pkl" <<'END'
import pickle, sys
import numpy as np
sample, rng, n = pickle.load(open(sys.argv[1], "rb")), np.random.default_rng(1), 6
split = {key: np.stack([sample[key]] * n) + rng.normal(size=(n, *sample[key].shape)) for key in ("text", "vision", "audio")}
split |= {"regression_labels": rng.uniform(-3, 3, n), "id": [str(i) for i in range(n)]}
pickle.dump({"train": split, "valid": split}, open("data.pkl", "wb"))
END
        done_well train data.pkl $name "${small[@]}" --quiet
        done_well predict $name "$data/feature_$name.pkl" --json
        [ "$(jq -r '.id' <<<"$output")" = "$data/feature_$name.pkl" ]
        [ "$(jq 'keys | length' <<<"$output")" -eq 11 ]
    done
    pipeline predict aligned "$data/feature_unaligned.pkl"
    [ "$status" -eq 3 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "predictions that nobody reads end silently" {
    plain_run
    msa-load data.pkl | msa-encode -p run/encode.safetensors | msa-decompose -p run/decompose.safetensors |
        msa-predict -p run/predict.safetensors -o predicted.msa
    for form in --each '--each --json' --tsv; do
        # shellcheck disable=SC2086 # options
        "$PYTHON" - msa-metrics $form predicted.msa <<'END'
import os, subprocess, sys
reading, writing = os.pipe()
os.close(reading)
done = subprocess.run(sys.argv[1:], stdout=writing, stderr=subprocess.PIPE)
assert (done.returncode, done.stderr) == (141, b""), done
END
    done
}

# --- report ---

@test "runs beside one another: what differs, the best epoch, valid and test" {
    plain_run
    done_well train data.pkl other "${small[@]}" --epochs 3 --seed 4 --lr 1e-2 --tasks msr,msc --quiet
    done_well report run other/ --tsv
    echo "$output" >out.tsv
    "$PYTHON" - <<'END'
import csv
def rows(path):
    return list(csv.DictReader(open(path), delimiter="\t"))
found = rows("out.tsv")
settings = ["backprop.lr", "load.epochs", "loss.contrast", "loss.tasks", "loss.tau-m", "loss.weights"]
assert list(found[0]) == ["run", "data", "seed", "epochs", "best", *settings, "by", "valid", *rows("run/test.tsv")[0]][:13] + \
    [*rows("run/test.tsv")[0]][2:] + ["state"], list(found[0])
for row, seed, epochs in zip(found, "14", "23"):
    test = rows(row["run"] + "/test.tsv")[0]
    valid = [r for r in rows(row["run"] + "/metrics.tsv") if r["split"] == "valid" and r["epoch"] == row["best"]][0]
    assert all(row[key] == test[key] for key in list(test)[2:]), (row, test)
    assert row["valid"] == valid[row["by"]] and row["by"] == "acc2"
    assert (row["seed"], row["epochs"], row["load.epochs"], row["state"]) == (seed, epochs, epochs, "finished")
assert [found[1][key] for key in settings] == ["0.01", "3", "", "msr,msc", "", "msr=1,msc=1"]
END
    counting_bin msa-dump
    run env MSA_BIN="$PWD/counting" "$ROOT/pipelines/report" run other --tsv
    [ "$output" = "$(cat out.tsv)" ]
    [ "$(wc -l <calls)" -eq 4 ] # settings and state of each, once
    done_well train data.pkl summed "${small[@]}" --select loss --select-after 0 --quiet
    done_well report summed --tsv
    [[ $(head -n 1 <<<"$output" | cut -f 6,7) == $'by\tvalid' && $(cut -f 6,7 <<<"${lines[1]}") =~ ^loss$'\t'[0-9.]+$ ]]
    done_well report run
    [[ ${lines[0]} =~ ^run\ +data\ +seed\ +epochs\ +best\ +by\ +valid\ +acc2\ .*state$ ]]
    [[ ${lines[1]} =~ ^run\ +data.pkl\ +1\ +2\ .*\ acc2\ +0\.[0-9]{4}\ .*finished$ ]]
    done_well report run other --markdown
    [ "${#lines[@]}" -eq 4 ]
    [[ ${lines[1]} =~ ^\|(---\|)+$ ]]
    [ "$(tr -dc '|\n' <<<"$output" | sort -u | wc -l)" -eq 1 ]
}

@test "a run that was killed says so, and shows nothing of a test; encoders can be compared too" {
    plain_run
    MSA_BIN=$BUILD/bin setsid timeout 60 "$ROOT/pipelines/train" data.pkl run --dim 16 --heads 2 --epochs 4000 -f --quiet 3>&- &
    until [ "$(wc -l <run/metrics.tsv)" -gt 8 ]; do sleep 0.02; done
    pkill -9 -s $!
    wait $! || true
    done_well report run --tsv
    [[ ${lines[1]} == *$'\tnot finished, of 4000 epochs' ]]
    run ! grep -q acc3 <<<"${lines[0]}"
    done_well pretrain data.pkl pre "${small[@]}" --only text,audio --quiet
    done_well report pre/text pre/audio --tsv
    [[ ${lines[0]} == *$'\tload.label\t'* ]]
    pipeline report run nowhere
    [ "$status $output" = "1 report: no training in 'nowhere': steps.tsv is missing" ]
    mkdir begun
    touch begun/steps.tsv
    done_well report pre/text begun pre/audio --tsv
    [[ ${lines[0]} == *$'\tload.label\t'* && ${lines[0]} != *$'\tload.epochs\t'* ]]
    [[ ${lines[2]} =~ ^begun$'\t'+"no checkpoint yet"$ ]]
    pipeline report
    [ "$status" -eq 2 ]
}

@test "about.tsv: the data set and all settings, the same wherever and whenever" {
    plain_run
    mkdir elsewhere
    (cd elsewhere && MSA_BIN=$BUILD/bin "$ROOT/pipelines/train" ../data.pkl run "${small[@]}" --quiet)
    diff <(grep -v ^command run/about.tsv) <(grep -v ^command elsewhere/run/about.tsv)
    (cd elsewhere && MSA_BIN=$BUILD/bin "$ROOT/pipelines/train" ../data.pkl run "${small[@]}" --quiet --resume)
    diff <(grep -v ^command run/about.tsv) <(grep -v ^command elsewhere/run/about.tsv)
    run ! grep -q -e --resume elsewhere/run/about.tsv
    for row in "made by.$(msa-load --version)" "data.$PWD/data.pkl" "sha256.$(sha256sum <data.pkl | cut -d ' ' -f 1)" \
        "bytes.$(stat -c %s data.pkl)" "family.sims" "shape of audio.<f4\[\*,16,8\]" "load.seed.1" "load.batch.8" \
        "load.epochs.2" "load.train samples.24" "backprop.lr.0.0001" "metrics.select.acc2" "loss.tasks.msr,msc,uni,cl" \
        "gdwg.tau.1.0" "encode.dim.16" "encode.threads.[0-9]*" "predict.device.cpu:.*" "predict.classes.3"; do
        grep -q "^$row\$" run/about.tsv || { echo "no '$row'" && cat run/about.tsv && return 1; }
    done
}
