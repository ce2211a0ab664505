#!/usr/bin/env bats
# make install, uninstall and dist: what is installed works where it is put, and without the tree it was built in.
load helper

# Make in the source's folder as a user calls it, with nothing of the make that runs the tests; this build's outputs.
make_here() {
    local san=()
    [ "${O:-.}" = . ] || san=(SAN=1)
    fresh_make -C "$ROOT" "${san[@]}" "$@"
}
fresh_make() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s "$@" >/dev/null
}

# A command without anything of this test's environment: its programs are the system's, and those of the folder $BIN.
clean() {
    env -i HOME="$HOME" PATH="${BIN:+$BIN:}/usr/bin:/bin" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
        timeout -k 5 500 "$@"
}

programs() {
    (cd "$ROOT/filters" && for file in *.c; do echo "msa-${file%.c}"; done)
}

@test "installed programs train and evaluate, also when the folder they were staged in has moved" {
    make_here install PREFIX=/usr/local DESTDIR="$PWD/the stage"
    mkdir elsewhere
    mv "the stage/usr/local" "elsewhere/msa 1"
    rm -r "the stage"
    local bin="$PWD/elsewhere/msa 1/bin" BIN
    clean "$bin/msa-synth" --samples 24,8,8 -o data.pkl
    BIN=$bin
    clean msa-train data.pkl here --dim 16 --heads 2 --epochs 2 --batch 8 >table
    grep -q '^ *test  *8 ' table
    BIN='' clean "$bin/msa-evaluate" here data.pkl valid >found
    MSA_BIN=$BUILD/bin "$ROOT/pipelines/evaluate" here data.pkl valid >expected
    cmp expected found
    clean msa-load --split test data.pkl | clean msa-encode -v --device cpu -p here/encode.safetensors -o /dev/null 2>said
    [[ $(cat said) == *"device cpu:"*" ($PWD/elsewhere/msa 1/lib/msa/msa-cpu-"*".so), "* ]]
    clean msa-train --help | grep -q '^  msa-train DATASET RUN_DIR'
    clean msa-predict-samples here data.pkl --json >found
    [ "$(jq -s length found)" -eq 40 ]
    clean msa-predict-samples --help | grep -q '^  msa-predict-samples RUN_DIR SAMPLE'
    clean msa-report here | grep -q '^here  data.pkl .*finished$'
    run -2 clean msa-train data.pkl here --bogus 1
    [ "$output" = "msa-train: '--bogus' is no option (msa-train --help)" ]
}

@test "kernels are taken from beside the installed programs, or not at all" {
    make_here install PREFIX="$PWD/usr"
    [ ! -e usr/lib/msa/msa-test.so ]
    rm usr/lib/msa/*
    msa-load --split test "$GOLDEN/data.pkl" -o test.msa
    run -6 usr/bin/msa-encode --init "$GOLDEN/encode.init.safetensors" --dim 32 --heads 4 test.msa -o out.msa
    [[ $output == *"there is no msa-cpu-"*".so beside this program" ]]
}

@test "pages are found by man" {
    make_here install PREFIX="$PWD/usr"
    for page in $(programs) msa msa-gpu msa-model msa-stream; do
        found=$(mman -M "$PWD/usr/share/man" -w "$page") # mandoc's man
        cmp "$found" "$ROOT/man/${found##*/}"
    done
    [ "$(find usr/share/man -type f | wc -l)" -eq "$(find "$ROOT/man" -type f | wc -l)" ]
}

@test "the folders are the caller's" {
    make_here install DESTDIR="$PWD/d" prefix=/opt/msa bindir=/opt/bin mandir=/opt/man datadir=/srv/share
    [ -x d/opt/bin/msa-load ]
    [ -e d/opt/lib/msa/msa-cpu-base.so ]
    [ -e d/opt/man/man7/msa.7 ]
    [ ! -e d/opt/msa ]
    msa-synth --samples 24,8,8 -o data.pkl
    clean d/opt/bin/msa-train data.pkl here --dim 16 --heads 2 --epochs 1 --quiet
    make_here uninstall DESTDIR="$PWD/d" prefix=/opt/msa bindir=/opt/bin mandir=/opt/man datadir=/srv/share
    run find d -not -type d
    [ -z "$output" ]
}

@test "everybody may read what root installs under a strict umask" {
    (umask 077 && make_here install PREFIX="$PWD/usr")
    run find usr -type f -not -perm -444 -o -type d -not -perm -555
    [ -z "$output" ]
    run find usr/bin -not -perm -555
    [ -z "$output" ]
}

@test "uninstall leaves nothing of ours, and what is not ours" {
    make_here install PREFIX="$PWD/usr"
    [ "$(find usr -not -type d | wc -l)" -gt 50 ]
    touch usr/bin/other usr/lib/msa/msa-other.so
    make_here uninstall PREFIX="$PWD/usr"
    run find usr -not -type d
    [ "$(sort <<<"$output")" = $'usr/bin/other\nusr/lib/msa/msa-other.so' ]
    rm usr/lib/msa/msa-other.so
    make_here uninstall PREFIX="$PWD/usr" # again: nothing to do but the empty folder
    run find usr -name 'msa*'
    [ -z "$output" ]
}

# --- completion --------------------------------------------------------------------------------------

# completes SHELL TYPED LINE: what Tab makes of it.
completes() {
    local found
    found=$("$PYTHON" "$ROOT/tests/complete.py" "$1" "${places[@]}" -- "$2") || return 1
    [ "${found% }" = "${3% }" ] || { echo "$1: '$2' became '$found', expected '$3'" && return 1; }
}

completion() {
    "$PYTHON" -c 'import pty; pty.openpty()' || skip "no pseudo-terminals here"
    make_here install PREFIX="$PWD/usr"
    touch 'some data.pkl'
}

@test "bash completes options, the words they take, and files" {
    completion
    for program in $(programs); do
        bash -n "usr/share/bash-completion/completions/$program"
    done
    places=(usr/share/bash-completion/completions/*)
    completes bash 'msa-load --spl' 'msa-load --split'
    completes bash 'msa-load --split t' 'msa-load --split test train'
    completes bash 'msa-load --split=t' 'msa-load --split=test train'
    completes bash 'msa-load --split some' 'msa-load --split some'
    completes bash 'msa-load --epochs ' 'msa-load --epochs '
    completes bash 'msa-encode --device c' 'msa-encode --device cpu cuda'
    completes bash 'msa-encode --l' 'msa-encode --layers --lengths --lr-scale'
    completes bash 'msa-load som' 'msa-load some\ data.pkl'
    completes bash 'msa-load --state som' 'msa-load --state some\ data.pkl'
    completes bash 'msa-load -o som' 'msa-load -o some\ data.pkl'
    completes bash 'msa-load --state=som' 'msa-load --state=some\ data.pkl'
    completes bash 'msa-load x | msa-loss --contrast m' 'msa-load x | msa-loss --contrast mntx'
    completes bash 'msa-synth --samp' 'msa-synth --samples'
    completes bash 'msa-fuse --dropout .2 low' 'msa-fuse --dropout .2 low-rank'
    completes bash 'msa-fuse concat --ord' 'msa-fuse concat --order'
    completes bash 'msa-fuse concat som' 'msa-fuse concat some\ data.pkl'
}

@test "zsh completes options, the words they take, and files" {
    command -v zsh >/dev/null || skip "no zsh here"
    completion
    for program in $(programs); do
        zsh -n "usr/share/zsh/site-functions/_$program"
    done
    places=(usr/share/zsh/site-functions)
    completes zsh 'msa-load --spl' 'msa-load --split='
    completes zsh 'msa-load --split t' 'msa-load --split test train'
    completes zsh 'msa-load --split=t' 'msa-load --split=test --split=train'
    completes zsh 'msa-load --epochs ' 'msa-load --epochs '
    completes zsh 'msa-encode --device c' 'msa-encode --device cpu cuda'
    completes zsh 'msa-encode --init x --init y --ini' 'msa-encode --init x --init y --init='
    completes zsh 'msa-load som' 'msa-load some\ data.pkl'
    completes zsh 'msa-load -o som' 'msa-load -o some\ data.pkl'
    completes zsh 'msa-load --state=som' 'msa-load --state=some\ data.pkl'
    completes zsh 'msa-load x | msa-loss --contrast m' 'msa-load x | msa-loss --contrast mntx'
    completes zsh 'msa-fuse --dropout .2 low' 'msa-fuse --dropout .2 low-rank'
    completes zsh 'msa-fuse concat som' 'msa-fuse concat some\ data.pkl'
}

@test "every option of every program is completed" {
    for program in $(programs); do
        "$program" --help=bash >bash
        "$program" --help=zsh >zsh
        while read -r option; do
            grep -q -- " ${option}[ ']" bash
            grep -q -- "[ ,']${option}[=}']" zsh
        done < <("$program" --help=names)
    done
}

# --- the archive ---------------------------------------------------------------------------------

@test "make dist: the same bytes everywhere, and a source that builds and is tested without git" {
    [ "${O:-.}" = . ] || skip "the archive is that of the plain build"
    [ "$(git -C "$ROOT" rev-parse --show-toplevel 2>/dev/null)" = "$ROOT" ] || skip "not a repository"
    git clone -q "$ROOT" one
    git clone -q "$ROOT" two
    local version
    version=$(msa-load --version | cut -d ' ' -f 2)
    fresh_make -C one dist
    touch two/README.md
    (umask 077 && TZ=Asia/Tokyo fresh_make -C two dist)
    cmp "one/msa-$version.tar.gz" "two/msa-$version.tar.gz"
    tar xzf "one/msa-$version.tar.gz"
    mkdir none
    printf '#!/bin/sh\ntouch "%s"\nexit 1\n' "$PWD/none/called" >none/git
    chmod +x none/git
    cd "msa-$version"
    local BIN="$BATS_TEST_TMPDIR/none"
    clean make -s -j 2 CFLAGS=-O0 CUDA_HOME= all build/obj/unit/options >/dev/null
    clean prove -j 2 --exec tests/run build/obj/unit/options tests/synth.bats tests/interop.bats
    [ ! -e "$BIN/called" ]
}
