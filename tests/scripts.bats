#!/usr/bin/env bats
# What all scripts of pipelines/ hold to: empty values, pictures that cannot be drawn, files that are not theirs.
load helper

small=(--dim 16 --heads 2 --batch 8 --epochs 2 --select-after 0)

pipeline() {
    run env MSA_BIN="$BUILD/bin" timeout -k 5 200 "$ROOT/pipelines/$1" "${@:2}"
}

# --- empty values ---

# refused SCRIPT ARGUMENT...: one line of the script, status 2, and nothing begun.
refused() {
    pipeline "$@"
    [[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == *" empty ("*" --help)" ]] || { echo "$*: $status: $output" && return 1; }
    [ ! -e out ]
}

# left_alone FILE SCRIPT ARGUMENT...: FILE, which is the user's, is refused in one line, and nothing is done.
left_alone() {
    mkdir -p "$(dirname "$1")"
    [ -e "$1" ] || echo "of my own" >"$1"
    find . -type f -exec sha256sum {} + | sort >../before
    pipeline "${@:2}"
    [ "$status: $output" = "2: $2: cannot write '$1': what is there was not written by $2" ] || { echo "$1: $status: $output" && return 1; }
    find . -type f -exec sha256sum {} + | sort | cmp - ../before
    rm "$1"
}

# options SCRIPT: those of its help that take a value: a word in capitals, or one of several. (--text FILE of predict is none.)
options() {
    "$ROOT/pipelines/$1" --help | grep -v 'pipelines/predict' |
        grep -oE "(^| )--?[a-z-]+ (['A-Z][^ ]*|[a-z0-9]+\|)" | awk '{ print $1 }' | sort -u
}

# on_terminal SCRIPT ARGUMENT...: on a terminal of its own.
on_terminal() {
    run env SHELL=/bin/bash MSA_BIN="$BUILD/bin" timeout -k 5 100 script -qec "'$ROOT/pipelines/$1' ${*:2}" /dev/null </dev/null
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# again PATH ARGUMENT...: `ablate` once more, with programs that count: how many trainings were looked at, in `looked`.
again() {
    rm -f calls
    run timeout -k 5 200 env PATH="$1" MSA_BIN="$PWD/counting" "$ROOT/pipelines/ablate" "${@:2}" --quiet
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    looked=$(grep -c -- '--train .*--resume' calls || true)
}

@test "an option of a script whose value is empty, each of them" {
    msa-synth --samples 8,4,4 -o data.pkl
    local script option count=0
    local -A operands=([train]='data.pkl out' [pretrain]='data.pkl out' [evaluate]='run data.pkl' [predict]='run data.pkl'
        [figures]='--with run' [reproduce]='other data.pkl --out out' [ablate]='data.pkl --out out' [fraction]='data.pkl --out out')
    for script in "${!operands[@]}"; do
        for option in $(options "$script"); do
            # shellcheck disable=SC2086 # words of their own
            refused "$script" ${operands[$script]} "$option" ''
            [[ $output == *"-${option##*-}: the value is empty ("* ]] || { echo "$script $option: $output" && return 1; }
            count=$((count + 1))
        done
    done
    [ "$count" -gt 60 ]
    refused pretrain data.pkl out --vision-lr ''
    refused pretrain data.pkl out --vision-lr '' --only text
    refused reproduce other data.pkl --out out --train --lr ''
    refused evaluate run data.pkl valid --predictions ''
    refused evaluate run data.pkl ''
    refused evaluate run data.pkl --quiet ''
}

@test "an operand of a script that is empty" {
    msa-synth --samples 8,4,4 -o data.pkl
    refused train '' out
    refused train data.pkl ''
    refused pretrain '' out
    refused pretrain data.pkl ''
    refused evaluate '' data.pkl
    refused evaluate run ''
    refused predict '' data.pkl
    refused predict run ''
    refused predict run --text ''
    refused report run ''
    refused curves ''
    refused figures '' --out out
    refused reproduce other '' --out out
    refused ablate '' --out out
    refused fraction '' --out out
    refused demo ''
    refused demo-paper ''
}

# --- pictures ---

# stand_in_gnuplot: one that fails, in `path`.
stand_in_gnuplot() {
    mkdir -p path
    printf '#!/bin/sh\nprintf "\\n\\"/tmp/x\\" line 7: it is broken\\n" >&2\nexit 1\n' >path/gnuplot
    chmod +x path/gnuplot
}

# without_gnuplot SCRIPT ARGUMENT...: stderr is in the file said.
without_gnuplot() {
    run timeout -k 5 200 env PATH="$PWD/path" MSA_BIN="$PWD/path" "$ROOT/pipelines/$1" "${@:2}" 2>said
}

missing="there is no 'gnuplot': Debian's package gnuplot-nox has it"

@test "no gnuplot: said once, at the start; results are whole, also when the run is resumed; with gnuplot its curves come" {
    msa-synth --samples 24,8,8 -o data.pkl
    script_path
    mkdir one two
    run env MSA_BIN="$BUILD/bin" bash -c 'cd one && exec "$@"' bash "$ROOT/pipelines/train" ../data.pkl run "${small[@]}"
    for resume in '' --resume; do
        run bash -c 'cd two && exec env PATH="$1" MSA_BIN="$1" "${@:2}" 2>said' bash "$PWD/path" \
            "$ROOT/pipelines/train" ../data.pkl run "${small[@]}" $resume
        [ "$status" -eq 0 ] || { cat two/said && return 1; }
        grep -v '^epoch \|^ ' two/said >warnings
        [ "$(cat warnings)" = "train: warning: there will be no pictures: $missing" ]
        [ "$(head -n 1 two/said)" = "$(cat warnings)" ]
        [[ ${lines[-1]} == test* && $output != *curves* ]]
        rm two/said
        cmp one/run/test.tsv two/run/test.tsv
        cmp one/run/about.tsv two/run/about.tsv
        [ ! -e two/run/curves.png ]
    done
    run env MSA_BIN="$BUILD/bin" bash -c 'cd two && exec "$@"' bash "$ROOT/pipelines/train" ../data.pkl run "${small[@]}" --resume
    [ "$status" -eq 0 ]
    diff -r one two
    run bash -c 'cd two && exec env PATH="$1" MSA_BIN="$1" "${@:2}"' bash "$PWD/path" \
        "$ROOT/pipelines/train" ../data.pkl run "${small[@]}" --resume
    [ "$status" -eq 0 ]
    diff -r one two # curves that were drawn stay
    for script in curves 'figures --out drawn'; do
        run -1 env PATH="$PWD/path" MSA_BIN="$PWD/path" bash -c "'$ROOT/pipelines/'$script one/run"
        [ "$output" = "${script%% *}: $missing" ]
    done
    [ ! -e drawn ]
}

@test "seeds and shares are told apart by all their digits" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline ablate data.pkl --out seeds --only full --seeds 4294967297,07,4294967298,7 --quiet "${small[@]}"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(cd seeds/full && echo *)" = "seed-4294967297 seed-4294967298 seed-7" ]
    pipeline fraction data.pkl --out shares --shares .5,0.50,0.5000001 --seeds 1 --quiet --dim 16 --heads 2 --pretrain --epochs 1 \
        --train --batch 8 --epochs 1 --select-after 0
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    [ "$(cd shares && echo [01]*)" = "0.5 0.5000001 1" ]
}

@test "a script that was copied without what it sources ends there" {
    cp "$ROOT/pipelines/train" .
    run ./train data.pkl run
    [ "$status" -eq 1 ]
    [[ $output == *"common.bash: No such file or directory" ]]
}

@test "a data set that has the name of a result is not written over" {
    mkdir run/text
    msa-synth --samples 24,8,8 -o data.pkl
    local name
    for name in run/test.tsv run/about.tsv run/vocab.txt run/curves.svg; do
        cp data.pkl $name
        pipeline train $name run "${small[@]}"
        [[ $status -eq 2 && $output == "train: cannot write '$name': it is what is being read" ]] || { echo "$status: $output" && return 1; }
        cmp data.pkl $name
        rm $name
    done
    for name in run/text.msa run/text/test.tsv; do
        cp data.pkl data.link.pkl
        ln -s "$PWD/data.link.pkl" $name
        pipeline pretrain data.link.pkl run --dim 16 --heads 2 --epochs 1 --only text
        [[ $status -eq 2 && $output == "pretrain: cannot write '$name': it is what is being read" ]] || { echo "$status: $output" && return 1; }
        cmp data.pkl data.link.pkl
        rm $name
    done
}

@test "what --init reads is not written over" {
    mkdir -p run/text
    msa-synth --samples 8,4,4 -o data.pkl
    local script name
    for name in run/text.safetensors run/test.tsv run/text.msa; do
        script=train
        [ $name != run/text.msa ] || script=pretrain
        echo parameters >$name
        pipeline $script data.pkl run --dim 16 --heads 2 -f --init data.pkl --init "$PWD/$name"
        [[ $status -eq 2 && $output == "$script: cannot write '$name': it is what is being read" ]] || { echo "$status: $output" && return 1; }
        [ "$(cat $name)" = parameters ]
        rm $name
    done
}

@test "train -f with wrong options leaves the run as it was" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline train data.pkl run "${small[@]}" --quiet
    cp -r run before
    pipeline train data.pkl run "${small[@]}" -f --heads 3
    [[ $status -eq 2 && $output == "msa-encode: "* ]] || { echo "$status: $output" && false; }
    diff -r before run
    echo mine >run/predict.safetensors.5 # refused late, by one of the programs
    cp run/predict.safetensors.5 before
    pipeline train data.pkl run "${small[@]}" -f --epochs 5
    [[ $status -eq 2 && $output == "msa-predict: "* ]] || { echo "$status: $output" && false; }
    diff -r before run
}

@test "a gnuplot that fails: one warning, and results are whole; curves alone fails, and leaves what was drawn" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline train data.pkl run "${small[@]}" --quiet
    sha256sum run/* >before
    stand_in_gnuplot
    PATH=$PWD/path:$PATH pipeline curves run
    [ "$status: $output" = "1: curves: cannot draw 'run/curves': gnuplot: it is broken" ]
    sha256sum --quiet -c before
    for resume in '' --resume; do
        PATH=$PWD/path:$PATH pipeline train data.pkl other "${small[@]}" $resume
        [ "$status" -eq 0 ]
        [ "$(grep -v '^epoch \|^ \|^split \|^test ' <<<"$output")" = \
            "train: warning: not all pictures are drawn: curves: cannot draw 'other/curves': gnuplot: it is broken" ]
        [ -s other/test.tsv ]
        [ -s other/about.tsv ]
    done
}

@test "an experiment without gnuplot ends with its table; started again with it, only the curves come" {
    msa-synth --samples 24,8,8 -o data.pkl
    script_path
    local ablate=(ablate data.pkl --out out --seeds 1 "${small[@]}" --only classes-2)
    without_gnuplot "${ablate[@]}"
    [ "$status" -eq 0 ]
    [ "$(grep -v '^---' <<<"$output")" != "" ]
    [ -s out/table.tsv ]
    sha256sum out/*/*/*.tsv out/table.* >before
    pipeline "${ablate[@]}" --quiet
    [ "$status" -eq 0 ]
    [ -s out/full/seed-1/curves.png ]
    [ -s out/classes-2/seed-1/curves.svg ]
    sha256sum --quiet -c before
    msa-synth --samples 24,8,8 --seed 2 -o data.pkl
    pipeline "${ablate[@]}"
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "ablate: 'out/full/seed-1' was trained on other data: out/full/seed-1/about.tsv has their SHA-256" ]
}

# logs WHERE VALUE: those of a run, where its numbers are that.
logs() {
    mkdir -p "$1"
    printf 'epoch\tstep\tlr\tmsr\tw_uni\ttotal\n1\t0\t0\t%s\t%s\t%s\n2\t1\t0\t1\t1\t%s\n' "$2" "$2" "$2" "${3-$2}" >"$1/steps.tsv"
    printf 'epoch\tsplit\tsamples\tmsr\tmae\n1\tvalid\t8\t%s\t%s\n2\tvalid\t8\t%s\t%s\n' "$2" "$2" "${3-$2}" "$2" >"$1/metrics.tsv"
}

@test "curves of what is not finite: gaps; where nothing is finite there is nothing to draw" {
    for value in nan -nan inf -inf; do
        logs run $value 1.5
        pipeline curves run
        [ "$status: $output" = "0: " ] || { echo "$output" && return 1; }
        logs run $value
        sed -i 's/^2\t1\t0\t1\t1/2\t1\t0\tnan\tnan/' run/steps.tsv
        pipeline curves run
        [ "$status: $output" = "1: curves: cannot draw 'run/curves': nothing in the logs is finite" ]
        logs finite 1
        pipeline figures --with run --without-msc finite --out drawn --data data.pkl
        [ "$status" -eq 1 ]
        [ "${lines[0]}" = "figures: cannot draw 'drawn/weights': neither weights nor losses are finite" ]
        [ "${lines[1]}" = "figures: cannot draw 'drawn/mae': no MAE is finite" ]
    done
}

# --- files ---

@test "a file of the user's that is called as a result is left alone, whichever script would write it" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline train data.pkl ready "${small[@]}" --quiet
    [ "$status" -eq 0 ]
    rm -f ready/curves.*
    mkdir in && cd in
    local file
    for file in test.tsv about.tsv curves.png curves.svg vocab.txt tokenizer_config.json text.safetensors; do
        left_alone run/$file train ../data.pkl run "${small[@]}"
        left_alone run/$file train ../data.pkl run "${small[@]}" -f
        left_alone run/$file train ../data.pkl run "${small[@]}" --resume
    done
    for file in about.tsv text.msa vocab.txt audio/test.tsv text/about.tsv; do
        left_alone pre/$file pretrain ../data.pkl pre "${small[@]}"
    done
    for file in png svg; do
        left_alone ../ready/curves.$file curves ../ready
        left_alone out/mae.$file figures ../ready --out out
    done
    left_alone out/with.tsv figures ../ready --out out
    left_alone out/table.tsv reproduce other ../data.pkl --out out "${small[@]}"
    left_alone out/table.md ablate ../data.pkl --out out "${small[@]}"
    left_alone out/table.tsv fraction ../data.pkl --out out "${small[@]}"
    left_alone demo/report.html demo-paper demo
    left_alone demo/figures/mae.svg demo-paper demo
    mkfifo run/test.tsv
    pipeline train ../data.pkl run "${small[@]}"
    [[ $status -eq 2 && -p run/test.tsv ]]
    # a stream of one's own, and what another script has left
    msa-load ../data.pkl -o text.msa
    mv text.msa pre
    left_alone pre/text.msa pretrain ../data.pkl pre "${small[@]}"
    cp ../ready/about.tsv pre
    left_alone pre/about.tsv pretrain ../data.pkl pre "${small[@]}"
    mkdir theirs && mv ../ready theirs/run
    pipeline demo theirs
    [ "$status: $output" = "2: demo: cannot write 'theirs/run': it is not of a demo" ]
    pipeline train ../data.pkl theirs --encoders theirs "${small[@]}"
    [ "$status" -ne 0 ]
    mkdir -p enc/text && cp theirs/run/encode.safetensors enc/text
    for file in enc enc/text; do
        pipeline train ../data.pkl $file --encoders enc "${small[@]}"
        [ "$status: $output" = "2: train: cannot write '$file': it is what is being read" ]
    done
}

# replace FILE COMMAND...: of common.bash.
replace() {
    # shellcheck disable=SC2016 # the inner shell expands it
    bash -c '. "$1/pipelines/common.bash" --help; replace "${@:2}"' bash "$ROOT" "$@"
}

@test "a file is replaced whole or not at all; what a killed script left goes, but nothing that is in use or another's" {
    umask 027
    echo old >file
    touch file.tmp .file.msa-mine
    run -3 replace file bash -c 'echo half; exit 3'
    [ "$(cat file)" = old ]
    # shellcheck disable=SC2016 # the inner shell expands it
    run ! replace file bash -c 'echo half; kill -9 "$PPID"'
    [ "$(find . -name '.file.msa-??????' | wc -l)" -eq 1 ]
    touch .file.msa-locked
    exec {lock}<.file.msa-locked
    flock "$lock"
    replace file echo new
    [ "$(cat file)" = new ]
    [ "$(stat -c %a file)" = 640 ]
    [ "$(find . -name '*file*' | sort | xargs)" = './.file.msa-locked ./.file.msa-mine ./file ./file.tmp' ]
    exec {lock}<&-
    replace file echo newer
    [ ! -e .file.msa-locked ]
}

@test "files of the user beside those of a run are left alone" {
    msa-synth --samples 24,8,8 -o data.pkl
    mkdir out
    for file in run/{about,test,curves,table}.tmp out/{table.tmp,table.md.tmp,report.tmp,new.pkl}; do
        echo mine >"$file"
    done
    sha256sum run/* out/* >before
    pipeline train data.pkl run "${small[@]}" --quiet
    [ "$status" -eq 0 ]
    pipeline ablate data.pkl --out out --seeds 1 "${small[@]}" --only full --quiet
    [ "$status" -eq 0 ]
    sha256sum --quiet -c before
    [ -z "$(find run out -name '.*')" ]
}

@test "the demos leave a data set alone that is not theirs" {
    mkdir demo
    msa-synth --samples 24,8,8 -o demo/data.pkl
    sha256sum demo/data.pkl >before
    for script in demo demo-paper; do
        pipeline $script demo
        [ "$status" -eq 1 ]
        [ "${lines[-1]}" = "$script: 'demo/data.pkl' is not the data set that is made here: move it away, or name another folder" ]
        sha256sum --quiet -c before
        [ "$(ls -A demo)" = data.pkl ]
    done
}

@test "a demo begins where its run is empty, and where its data set has gone" {
    mkdir -p demo/run old/run
    msa-synth --samples '600,150,150' --seed 1 -o data.pkl
    printf 'sha256\t%s\n' "$(sha256sum <data.pkl | cut -d ' ' -f 1)" >old/run/about.tsv
    for folder in demo old; do
        # as far as its data set, which cannot be written
        ln -s "$PWD/nowhere/data.pkl" $folder/data.pkl
        pipeline demo $folder
        [ "$status" -eq 1 ]
        [[ ${lines[0]} == "--- a data set with planted sentiment: $folder/data.pkl" && ${lines[1]} == "msa-synth: "* ]]
        rm $folder/data.pkl
    done
    printf 'sha256\t%064d\n' 1 >old/run/about.tsv
    pipeline demo old
    [ "$status: $output" = "2: demo: cannot write 'old/run': it is not of a demo" ]
}

# --- a copy of a script, links, and what is write-protected ---

@test "a copy of a script under another name goes on with what the script has trained, and the script with that of the copy" {
    msa-synth --samples 24,8,8 -o data.pkl
    cp -r "$ROOT/pipelines" copy
    cp copy/train copy/mytrain
    cp copy/pretrain copy/mypretrain
    export MSA_BIN=$BUILD/bin
    run -0 copy/mytrain data.pkl run "${small[@]}" --quiet
    run -0 copy/train data.pkl run "${small[@]}" --quiet --resume
    run -0 copy/mytrain data.pkl run "${small[@]}" --quiet --resume
    run -0 copy/train data.pkl run "${small[@]}" --quiet -f
    run -0 copy/mytrain data.pkl run "${small[@]}" --quiet -f
    run -0 copy/mypretrain data.pkl pre --dim 16 --heads 2 --epochs 1 --only audio --quiet
    run -0 copy/pretrain data.pkl pre --dim 16 --heads 2 --epochs 1 --only audio --quiet --resume
    run -0 copy/mypretrain data.pkl pre --dim 16 --heads 2 --epochs 1 --only audio --quiet -f
    # what the other trains is none of theirs
    run -0 copy/train data.pkl run "${small[@]}" --quiet -f
    for script in copy/pretrain copy/mypretrain; do
        run $script data.pkl run --dim 16 --heads 2 --epochs 1 --only audio --quiet
        [ "$status: $output" = "2: ${script#copy/}: cannot write 'run/about.tsv': what is there was not written by ${script#copy/}" ]
    done
    run -0 copy/pretrain data.pkl pre --dim 16 --heads 2 --epochs 1 --only audio --quiet -f
    for script in copy/train copy/mytrain; do
        run $script data.pkl pre "${small[@]}" --quiet -f
        [ "$status: $output" = "2: ${script#copy/}: cannot write 'pre/about.tsv': what is there was not written by ${script#copy/}" ]
    done
}

@test "results that are write-protected are not replaced; links are followed" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline train data.pkl run "${small[@]}" --quiet
    [ "$status" -eq 0 ]
    local file
    for file in test.tsv about.tsv curves.png; do
        chmod a-w run/$file
        sha256sum run/* >before
        pipeline train data.pkl run "${small[@]}" --lr 1e-2 --quiet -f
        [ "$status: $output" = "1: train: cannot write 'run/$file': it is write-protected" ]
        sha256sum --quiet -c before
        chmod u+w run/$file
    done
    chmod a-w run/curves.svg
    pipeline curves run
    [ "$status: $output" = "1: curves: cannot write 'run/curves.svg': it is write-protected" ]
    chmod u+w run/curves.svg
    mkdir elsewhere
    mv run/test.tsv elsewhere
    cp elsewhere/test.tsv expected
    sed -i '2s/[0-9]/9/g' elsewhere/test.tsv
    ln -s ../elsewhere/test.tsv run/test.tsv
    pipeline train data.pkl run "${small[@]}" --quiet --resume
    [ "$status" -eq 0 ]
    [ -L run/test.tsv ]
    cmp elsewhere/test.tsv expected
    [ "$(ls -A elsewhere)" = test.tsv ]
    ln -s elsewhere/new link # to what is not there yet
    replace link echo new
    [[ -L link && $(cat elsewhere/new) == new ]]
}

# --- what is said while it trains ---

@test "on a terminal trainings say how far they are; with --quiet, or in the background, or in a pipe they do not" {
    msa-synth --samples 24,8,8 -o data.pkl
    on_terminal train data.pkl shown "${small[@]}"
    [[ $output == *$'\repoch 1/2  step '* ]] || { echo "$output" && return 1; }
    on_terminal pretrain data.pkl pre --dim 16 --heads 2 --epochs 2 --only audio
    [[ $output == *$'\repoch 1/2  step '* ]]
    on_terminal train data.pkl quiet "${small[@]}" --quiet
    [ -z "$output" ]
    run env SHELL=/bin/bash MSA_BIN="$BUILD/bin" timeout -k 5 100 script -qec \
        "set -m; '$ROOT/pipelines/train' data.pkl behind ${small[*]} & wait" /dev/null </dev/null
    [[ $status -eq 0 && $output == *"curves: behind/curves.png"* && $output != *"  step "* ]] || { echo "$output" && return 1; }
    pipeline train data.pkl piped "${small[@]}"
    [[ $status -eq 0 && $output != *"  step "* ]]
}

@test "values of a data set that are not finite are said once, and before the training" {
    msa-synth --samples 24,8,8 -o data.pkl
    "$PYTHON" -c '
import pickle
d = pickle.load(open("data.pkl", "rb"))
for split in "train", "test":
    d[split]["audio"][3, 0, :2] = float("nan")
pickle.dump(d, open("data.pkl", "wb"))'
    for script in "train data.pkl run --select-after 0" "pretrain data.pkl pre --only audio"; do
        # shellcheck disable=SC2086 # words of their own
        pipeline $script --dim 16 --heads 2 --batch 8 --epochs 2
        [ "$status" -eq 0 ]
        [ "${lines[0]}" = "msa-load: warning: data.pkl: 4 values were not finite and became 0" ] || { echo "$output" && return 1; }
        [ "$(grep -c warning <<<"$output")" -eq 1 ]
    done
}

# --- what is there already ---

@test "-f with --resume: a training that has ended is as it was" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline train data.pkl run "${small[@]}" --quiet
    [ "$status" -eq 0 ]
    cp -r run before
    pipeline train data.pkl run "${small[@]}" --quiet -f --resume
    [ "$status: $output" = "0: " ] || { echo "$status: $output" && return 1; }
    diff -r --exclude about.tsv run before
    [ "$(diff run/about.tsv before/about.tsv | grep -c '^<')" -eq 1 ] # the command
    pipeline pretrain data.pkl pre --dim 16 --heads 2 --epochs 1 --only audio,vision --quiet
    pipeline pretrain data.pkl pre --dim 16 --heads 2 --epochs 1 --only audio,vision --quiet -f --resume
    [ "$status: $output" = "0: " ]
}

@test "train -f that fails, and whose parent does not ask how: nothing of it stays, and no lock" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline train data.pkl run "${small[@]}" --quiet
    echo mine >run/predict.safetensors.5 # refused late, by one of the programs
    MSA_BIN=$BUILD/bin timeout -k 5 100 "$PYTHON" - "$ROOT/pipelines/train" data.pkl run "${small[@]}" --quiet -f --epochs 5 <<'END'
import os, subprocess, sys, time
script = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL, start_new_session=True)
ended = os.waitid(os.P_PID, script.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
assert ended.si_status == 2, ended
subprocess.run(["flock", "-w", "20", "run", "true"], check=True)

def alive():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, _, _, session = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()[:4]
        except OSError:
            continue
        if int(session) == script.pid and state != "Z":
            yield pid

end = time.monotonic() + 20
while any(alive()):
    assert time.monotonic() < end, list(alive())
    time.sleep(0.05)
END
}

@test "one of two pictures that was removed is drawn anew; without gnuplot none is named that is not there" {
    msa-synth --samples 24,8,8 -o data.pkl
    pipeline train data.pkl run "${small[@]}" --quiet
    for file in png svg; do
        cp run/curves.$file kept
        rm run/curves.$file
        script_path
        run env PATH="$PWD/path" MSA_BIN="$PWD/path" "$ROOT/pipelines/train" data.pkl run "${small[@]}" --resume
        [[ $status -eq 0 && $output != *"curves: "* ]]
        pipeline train data.pkl run "${small[@]}" --resume
        [[ $status -eq 0 && $output == *"curves: run/curves.png and run/curves.svg"* ]]
        cmp run/curves.$file kept
    done
}

@test "an experiment looks once at a training that was touched, and not for want of gnuplot; a picture that went is drawn" {
    msa-synth --samples 24,8,8 -o data.pkl
    local ablate=(data.pkl --out out --seeds 1 "${small[@]}" --only full)
    script_path
    counting_bin msa-load
    pipeline ablate "${ablate[@]}" --quiet
    [ "$status" -eq 0 ]
    touch -d '2 hours ago' out/full/seed-1/*
    touch -d '1 hour ago' out/full/seed-1/metrics.tsv
    again "$PATH" "${ablate[@]}"
    [ "$looked" -eq 1 ]
    again "$PATH" "${ablate[@]}"
    [ "$looked" -eq 0 ]
    for file in png svg; do
        rm out/full/seed-1/curves.$file
        again "$PWD/path" "${ablate[@]}"
        [ "$looked" -eq 0 ]
        again "$PATH" "${ablate[@]}"
        [ "$looked" -eq 1 ]
        [ -s out/full/seed-1/curves.$file ]
    done
    again "$PATH" "${ablate[@]}"
    [ "$looked" -eq 0 ]
}
