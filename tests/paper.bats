#!/usr/bin/env bats
# The scripts of the paper's experiments: reproduce, ablate, fraction, figures, demo-paper.
load helper

small=(--dim 16 --heads 2 --layers 'text=1,vision=1,audio=1' --batch 8)
both=(--seeds '1,12' --quiet)

# An experiment's data, and encoders of both seeds.
setup_file() {
    load helper
    setup_ready
    msa-synth --samples 24,8,24 -o data.pkl
    msa-synth --samples 24,8,24 --family mosi -o mosi.pkl
    for seed in 1 12; do
        MSA_BIN=$BUILD/bin "$ROOT/pipelines/pretrain" data.pkl "encoders/seed-$seed" --seed $seed "${small[@]}" --epochs 1 --quiet
    done
}

pipeline() {
    ln -sf "$BATS_FILE_TMPDIR"/ready/{data.pkl,mosi.pkl,encoders} .
    run env MSA_BIN="$BUILD/bin" timeout -k 5 300 "$ROOT/pipelines/$1" "${@:2}"
}

table() {
    "$PYTHON" "$ROOT/tests/paper_table.py" "$@"
}

# Until a log has that many lines.
wait_for() {
    for _ in $(seq 1000); do
        [ ! -s "$1" ] || [ "$(wc -l <"$1")" -lt "$2" ] || return 0
        sleep 0.02
    done
    return 1
}

# wrong STATUS MESSAGE SCRIPT ARGUMENT...: one line, and nothing is begun.
wrong() {
    pipeline "${@:3}"
    [ "$status: $output" = "$1: $2" ] || { echo "$status: $output" && return 1; }
    [ ! -e out ]
}

@test "reproduce: mean and sample deviation over the seeds, beside the paper's row" {
    pipeline reproduce sims data.pkl --out all "${both[@]}" -j 2 "${small[@]}" --pretrain --epochs 1 --train --epochs 2
    [ "$status" -eq 0 ]
    table all 1,12 DMMSA=all
    for seed in 1 12; do
        grep -q -- "'--seed' '$seed' .*'--epochs' '1'" "all/encoders/seed-$seed/about.tsv"
        grep -q -- "'--encoders' 'all/encoders/seed-$seed' '--seed' '$seed' .*'--epochs' '2'" "all/seed-$seed/about.tsv"
        [ -s "all/encoders/seed-$seed/audio/encode.safetensors" ]
        [ -s "all/seed-$seed/curves.svg" ]
    done
    [[ ${lines[0]} =~ ^model\ +seeds\ +Acc-2\ +F1\ +Acc-3\ +Acc-5\ +MAE\ +Corr$ ]]
    [[ ${lines[1]} =~ ^DMMSA\ +2\ .*\ ±\  ]]
    [[ ${lines[2]} =~ ^\ \ in\ the\ paper\ +5\ +-\ +-\ +69.63\ +46.92\ +0.3778\ +0.66$ ]]
    grep -qx '| in the paper | 5 | - | - | 69.63 | 46.92 | 0.3778 | 0.66 |' all/table.md
}

@test "reproduce: MOSEI has settings of its own; another set has no row of the paper" {
    pipeline reproduce mosei mosi.pkl --out mosei --seeds 3 --quiet --dim 16 --heads 2 \
        --pretrain --text-epochs 1 --vision-epochs 1 --audio-epochs 1
    [ "$status" -eq 0 ]
    [[ ${lines[2]} =~ in\ the\ paper\ +5\ +82.63\ +83.04\ +86.27\ +86.21\ +-\ +53.91\ +0.527\ +0.777$ ]]
    [ "$(tail -n 1 mosei/seed-3/steps.tsv | cut -f 1,2)" = $'6\t17' ] # batches of 8
    grep -q "'--layers' 'vision=3,audio=3' .* '--validate-every' '100'" mosei/seed-3/about.tsv
    grep -aq 'audio_encoder.encoder.transformer_encoder.layers.2.norm1' mosei/seed-3/encode.safetensors
    grep -q $'^DMMSA\tmae\t1\t[0-9.]*\t-\t0.527\t-\t-\t-$' mosei/table.tsv
    pipeline reproduce other mosi.pkl --out other --seeds 3 --quiet --dim 16 --heads 2 --epochs 1
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    [[ $output != *paper* ]]
}

@test "reproduce: killed in either part and started again, it ends with the same bytes; ended, it trains nothing" {
    local arguments=(other ../data.pkl --out out "${both[@]}" -j 2 "${small[@]}" --epochs 30)
    mkdir one two
    ln -s "$BATS_FILE_TMPDIR/ready/data.pkl" .
    (cd one && MSA_BIN=$BUILD/bin "$ROOT/pipelines/reproduce" "${arguments[@]}" >table)
    cd two
    for log in encoders/seed-12/vision/steps.tsv seed-1/steps.tsv; do
        MSA_BIN=$BUILD/bin setsid timeout -k 5 120 "$ROOT/pipelines/reproduce" "${arguments[@]}" 3>&- 2>/dev/null &
        session=$!
        wait_for "out/$log" 10
        pkill -9 -s "$session"
        wait "$session" || true
        [ ! -e out/table.tsv ]
    done
    MSA_BIN=$BUILD/bin "$ROOT/pipelines/reproduce" "${arguments[@]}" >table
    diff -r ../one .
    find . -name 'steps.tsv' -newer table >before
    run env PATH="$PATH" MSA_BIN="$BUILD/bin" "$ROOT/pipelines/reproduce" "${arguments[@]}"
    [ "$output" = "$(cat table)" ]
    [ -z "$(find out -name '*.tsv' -newer before -not -name table.tsv)" ]
    diff -r ../one/out out
}

@test "ablate: each is its edit of the line; differences are held against the deviation of the seeds" {
    pipeline ablate data.pkl --out out --encoders encoders "${both[@]}" -j 2 --epochs 2 --batch 8 --lr 1e-2 --as sims
    [ "$status" -eq 0 ]
    local name models=() names=(full without-msc without-cl without-gdwg ntxent ntxent-pml confede classes-2 classes-5
        without-pretraining)
    for name in "${names[@]}"; do
        models+=("$name=out/$name")
    done
    table out 1,12 "${models[@]}"
    # What was logged: columns of the tasks, weights.
    [ "$(sed -n '1p' out/without-msc/seed-1/steps.tsv | cut -f 4-6)" = $'msr\tuni\tcl' ]
    [ "$(sed -n '1p' out/without-cl/seed-1/steps.tsv | cut -f 4-6)" = $'msr\tmsc\tuni' ]
    [ "$(sed -n '2p' out/confede/seed-1/steps.tsv | cut -f 10,11)" = $'0.01\t0.1' ]
    local cl=()
    for name in full ntxent ntxent-pml; do
        cl+=("$(sed -n '2p' "out/$name/seed-1/steps.tsv" | cut -f 7)")
    done
    [ "${cl[0]}" != "${cl[1]}" ]
    [ "${cl[1]}" != "${cl[2]}" ]
    for name in "${names[@]}"; do
        [[ $name == without-pretraining || $(cat "out/$name/seed-12/about.tsv") == *"'--encoders' 'encoders/seed-12' "* ]]
    done
    [[ $(cat out/without-pretraining/seed-1/about.tsv) != *--encoders* ]]
    grep -q -- "'--no-gdwg'" out/without-gdwg/seed-1/about.tsv
    [[ $output == *"  in the paper "*"68.41"*"  in the paper "*"69.41"*"  in the paper "*"69.32"* ]]
}

@test "ablate: --only, then more; a run that was trained otherwise is left alone" {
    pipeline ablate mosi.pkl --out out "${both[@]}" "${small[@]}" --epochs 1 --only classes-7
    [ "$status" -eq 0 ]
    table out 1,12 full=out/full classes-7=out/classes-7
    sha256sum out/*/*/* >before
    pipeline ablate mosi.pkl --out out --seeds 1 "${small[@]}" --epochs 1 --only classes-7,without-cl
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "--- out/without-cl/seed-1" ]
    [[ ${lines[2]} =~ ^full\ +1\ .*\ -$ ]]
    [[ ${lines[3]} == without-cl*"one seed: no deviation" ]]
    sha256sum --quiet -c before
    pipeline ablate mosi.pkl --out out --seeds 1 "${small[@]}" --epochs 2 --only classes-7
    [ "$status" -eq 1 ]
    [ "$output" = "ablate: 'out/full/seed-1' was trained with other options: out/full/seed-1/about.tsv has them" ]
    sha256sum --quiet -c before
}

@test "fraction: encoders and fusion of each share, or of given encoders" {
    pipeline fraction mosi.pkl --out out "${both[@]}" -j 2 --as mosei --shares .5,0.1 "${small[@]}" --epochs 1
    [ "$status" -eq 0 ]
    table out 1,12 1=out/1 0.5=out/0.5 0.1=out/0.1
    [[ $output == *"  in the paper "*"53.91"*"  in the paper "*"52.18"* ]]
    [ "$(awk '$2 == "train" { print $3 }' out/1/seed-1/metrics.tsv)" -eq 24 ]
    [ "$(awk '$2 == "train" { print $3 }' out/0.5/seed-1/metrics.tsv)" -eq 12 ]
    [ "$(awk '$2 == "train" { print $3 }' out/0.5/encoders/seed-12/audio/metrics.tsv)" -eq 12 ]
    pipeline fraction data.pkl --out other --seeds 1 --quiet --shares .5 --encoders encoders --epochs 1
    [ "$status" -eq 0 ]
    [ ! -e other/0.5/encoders ]
    grep -q "'--encoders' 'encoders/seed-1'" other/0.5/seed-1/about.tsv
}

@test "figures: SVG and PNG of an ablation of one epoch; the cosines are those of the features" {
    pipeline ablate data.pkl --out out --seeds 12 "${small[@]}" --epochs 1 --only without-msc,without-cl --quiet
    pipeline figures out --out figures --seed 12
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    [ -z "$output" ] || { echo "$output" && return 1; }
    for figure in mae cosines predictions weights; do
        [ "$(head -c 8 figures/$figure.png | od -An -tx1)" = " 89 50 4e 47 0d 0a 1a 0a" ]
        "$PYTHON" -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' figures/$figure.svg
    done
    grep -q 'without MSC (circle: 0\.[0-9]* at epoch 1)' figures/mae.svg
    grep -q '>1.00<' figures/cosines.svg
    msa-load --split test data.pkl | msa-encode -p out/without-cl/seed-12/encode.safetensors |
        msa-decompose -p out/without-cl/seed-12/decompose.safetensors | msa-dump --npy arrays >/dev/null
    "$PYTHON" - <<'END'
import glob, numpy
names = [kind + modality for kind in "sd" for modality in ("_text", "_vision", "_audio")]
rows = [line.rstrip("\n").split("\t") for line in open("figures/without-cl.tsv")]
assert rows[0] == ["", "Ts", "Vs", "As", "Td", "Vd", "Ad"] and [row[0] for row in rows] == rows[0], rows
x = numpy.stack([numpy.concatenate([numpy.load(f) for f in sorted(glob.glob(f"arrays/*-{name}.npy"))]) for name in names])
x = x.astype(float) / numpy.linalg.norm(x, axis=2, keepdims=True)
expected = numpy.einsum("and,bnd->ab", x, x) / x.shape[1]
found = numpy.array([[float(value) for value in row[1:]] for row in rows[1:]])
assert numpy.abs(found - expected).max() < 6e-5, (found, expected)
END
    pipeline figures out/without-cl/seed-12 out/full/seed-12 out/without-msc/seed-12 --out same
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    diff -r figures same
    pipeline figures out/full/seed-12 out/full/seed-12 --out same
    [ "$status" -eq 2 ]
    [ "$output" = "figures: 'out/full/seed-12' and 'out/full/seed-12' have one place (figures --help)" ]
    pipeline figures --with out/full/seed-12 --out few --data data.pkl
    [ "$status" -eq 0 ]
    [ "$(ls few)" = $'weights.png\nweights.svg' ]
    pipeline figures --with nowhere --out few
    [ "$status" -eq 1 ]
    [ "$output" = "figures: cannot read 'nowhere/metrics.tsv'" ]
}

@test "demo-paper ends in one page that says whether effects came, and is the same when it is run again" {
    [ "${O:-.}" = . ] || skip "its scripts are those of the tests above, which the build with sanitizers has run"
    local options=(--dim 16 --heads 2 --epochs 1 --init '<b>&.safetensors') # its name is no element of the page
    msa-synth --samples 4,2,2 --bert bert -o other.pkl
    cp bert/model.safetensors '<b>&.safetensors'
    pipeline demo-paper demo "${options[@]}"
    [ "$status" -eq 0 ]
    "$PYTHON" - <<'END'
import re, xml.etree.ElementTree as tree
page = open("demo/report.html").read()
doctype, rest = page.split("\n", 1)
assert doctype == "<!DOCTYPE html>"
root = tree.fromstring(rest)  # written so that it is XML too: every element is closed
assert root.tag == "html" and len(root.findall(".//svg")) == 4 and len(root.findall(".//table")) == 4
ids = [element.get("id") for element in root.iter() if element.get("id")]
assert len(ids) == len(set(ids)), "an id twice"
links = [value for element in root.iter() for key, value in element.attrib.items() if key in ("href", "src")]
assert all(link[0] == "#" and link[1:] in ids for link in links) and links, links
assert not re.search(r"https?:|<script|@import|url\((?!#)", page)
assert sum("--init <b>&.safetensors" in (code.text or "") for code in root.iter("code")) == 2
rows = [[cell.text for cell in row] for row in root.find(".//table")]
assert rows[0][-1] == "so it came" and len(rows) == 7, rows
assert all(row[-1] == "yes" or row[-1].startswith("it did not: ") for row in rows[1:]), rows
END
    sha256sum demo/report.html demo/*/table.* demo/figures/* >before
    pipeline demo-paper demo "${options[@]}"
    [ "$status" -eq 0 ]
    sha256sum --quiet -c before
}

@test "train and pretrain --check: whether a line can be trained, and nothing else; a flag may be the last word" {
    export TMPDIR=$PWD/temporary
    mkdir temporary
    for script in train pretrain; do
        pipeline $script data.pkl out --dim 16 --check
        [ "$status" -eq 0 ]
        [ -z "$output" ]
        wrong 2 "msa-backprop: --lr: 'x' is not a number from 0 to 1000" $script data.pkl out --lr x --check
        wrong 2 "msa-encode: --dropout: 'x' is not a number from 0 to 0.999" $script data.pkl out --dropout x --check
        wrong 2 "$script: '--bogus' is no option ($script --help)" $script data.pkl out --bogus 1 --check
    done
    pipeline train data.pkl out --check --no-gdwg
    [ "$status" -eq 0 ]
    [ ! -e out ]
    [ -z "$(ls temporary)" ]
}

@test "values that a later part would refuse are said in one line, before anything is trained" {
    local paper=(reproduce sims data.pkl --out out)
    wrong 2 "msa-encode: --device: 'foo' is none of auto|cpu[:base|:v3|:v4]|cuda[:N]" "${paper[@]}" --device foo
    wrong 2 "msa-backprop: --lr: 'x' is not a number from 0 to 1000" "${paper[@]}" --pretrain --audio-lr x
    wrong 2 "msa-encode: --dim 768 is no multiple of --heads 5" "${paper[@]}" --pretrain --audio-heads 5
    wrong 2 "msa-metrics: --select: 'foo' is none of acc2 f1 acc3 acc5 mae corr, and no loss of that name arrives" \
        "${paper[@]}" --train --select foo
    wrong 2 "msa-encode: --dim 20 is no multiple of --heads 3" "${paper[@]}" --pretrain --dim 20 --heads 4 --train --heads 3
    wrong 1 "msa-encode: cannot read 'none': No such file or directory" "${paper[@]}" --train --init none
    for option in --standardize '--rename a=b' '--family mosi' '--audio-rename a=b'; do
        # shellcheck disable=SC2086 # words of their own
        wrong 2 "reproduce: '${option% *}' is of the data set: it goes before --pretrain and --train" "${paper[@]}" --train $option
    done
    wrong 2 "msa-loss: --tasks: 'x' is none of msr, msc, uni, cl, each, each_text, each_vision, each_audio, diff, cmd, recon" fraction data.pkl --out out --train --tasks x
    wrong 1 "msa-loss: task msc: 7 classes, but family sims has 2, 3 or 5" ablate data.pkl --out out --only without-cl,classes-7
}

@test "wrong arguments are said in one line, before anything is trained" {
    wrong 2 "reproduce: which data set? (reproduce --help)" reproduce sims
    wrong 2 "reproduce: 'cmu' is none of sims, mosi, mosei and other (reproduce --help)" reproduce cmu data.pkl --out out
    wrong 2 "reproduce: --out DIR is missing (reproduce --help)" reproduce sims data.pkl
    wrong 2 "reproduce: '--seeds' lacks its value (reproduce --help)" reproduce sims data.pkl --out out --seeds
    wrong 2 "reproduce: --seeds: '1,x' is no list of numbers" reproduce sims data.pkl --out out --seeds 1,x
    wrong 2 "msa-load: --seed: '99999999999999999999' is not a number from 0 to 9e+15" \
        reproduce sims data.pkl --out out --seeds 1,99999999999999999999
    wrong 2 "reproduce: -j: '0' is no number of trainings" reproduce sims data.pkl --out out -j 0
    wrong 2 "reproduce: '--resume' is for single trainings (reproduce --help)" reproduce sims data.pkl --out out --resume
    wrong 2 "pretrain: '--bogus' is no option (pretrain --help)" reproduce sims data.pkl --out out --bogus 1
    wrong 2 "train: '--no-gdw' is no option (train --help)" reproduce sims data.pkl --out out --train --no-gdw 1
    wrong 1 "reproduce: 'data.pkl' is of the family sims, and so not mosi" reproduce mosi data.pkl --out out
    wrong 1 "msa-load: cannot read 'none': No such file or directory" reproduce sims none --out out
    wrong 2 "ablate: '--pretrain': nothing is pre-trained here (ablate --help)" ablate data.pkl --out out --pretrain
    wrong 2 "ablate: without-pretraining: --encoders DIR is missing (ablate --help)" \
        ablate data.pkl --out out --only without-pretraining
    wrong 1 "ablate: there is no folder 'none'" ablate data.pkl --out out --encoders none
    wrong 2 "fraction: --shares: '2' is no list of numbers up to 1" fraction data.pkl --out out --shares 2
    wrong 2 "msa-load: --fraction: '0.0' is not a number from 1e-09 to 1" fraction data.pkl --out out --shares .5,0.0
    wrong 2 "fraction: 'cmu' is none of sims, mosi and mosei (fraction --help)" fraction data.pkl --out out --as cmu
    wrong 2 "figures: --out DIR is missing (figures --help)" figures x
    wrong 2 "figures: '--bogus' is no option (figures --help)" figures --bogus
    wrong 2 "figures: no model: --with RUN, or what pipelines/ablate has made (figures --help)" figures --out out
    pipeline ablate data.pkl --out out --only full,nope
    [ "$status" -eq 2 ]
    [[ $output == "ablate: --only: 'nope' is none of full, without-msc, "*", without-pretraining" ]]
    pipeline ablate data.pkl --out out --only classes-.
    [[ "$status: $output" == "2: ablate: --only: 'classes-.' is none of full, "* ]]
    msa-synth --samples 8,4,0 -o untested.pkl
    wrong 1 "ablate: 'untested.pkl' has no test split to judge by" ablate untested.pkl --out out
    "$PYTHON" -c '
import pickle
data = pickle.load(open("data.pkl", "rb"))
unlabelled = {split: {key: x for key, x in part.items() if "label" not in key} for split, part in data.items()}
pickle.dump(unlabelled, open("unlabelled.pkl", "wb"))'
    for script in 'reproduce other' ablate fraction; do
        # shellcheck disable=SC2086 # words of their own
        wrong 1 "${script% *}: 'unlabelled.pkl' has no labels to train on" $script unlabelled.pkl --out out
    done
    pipeline demo-paper --dim 3
    [ "$status" -eq 2 ]
    for script in reproduce ablate fraction figures demo-paper; do
        pipeline $script --help
        [ "$status" -eq 0 ]
        [[ $output == *"  pipelines/$script "* ]]
    done
}
