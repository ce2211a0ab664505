#!/usr/bin/env bats
# What make says it can do, and where it finds sources.
load helper

# As a user calls it, with nothing of the make that runs the tests.
make_in() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u SAN make --no-print-directory -C "$@"
}

@test "make help lists all targets, and those that the documents name are among them" {
    make_in "$ROOT" help >text
    sed '/^$/,$d; s/ .*//' text | sort >listed
    make_in "$ROOT" -p -n help | sed -n 's/^\.PHONY: //p' | tr ' ' '\n' | sort >targets
    [ "$(wc -l <targets)" -gt 20 ]
    diff targets listed
    # shellcheck disable=SC2016 # the README's backquotes
    grep -ohE '(`|^    |^\.It Ql |^\.Ic )make [a-z][a-z-]+' "$ROOT"/README.md "$ROOT"/man/* | sed 's/.* //' | sort -u >named
    [ "$(wc -l <named)" -gt 10 ]
    run grep -vxFf listed named
    [ -z "$output" ] || { echo "no targets: $output" && return 1; }
}

@test "sources are found in folders of any depth; a program is what stands in filters itself" {
    cp -r "$ROOT"/{Makefile,filters,kernels,tests} .
    find filters -name '*.c' -delete
    mkdir -p common/a/b filters/load/c
    touch common/a/b/deep.c filters/load.c filters/load/variant.c filters/load/c/deep.c
    make_in . -n CUDA_HOME= all >commands
    grep -o 'ar rcsP .*' commands >archive
    [ "$(cat archive)" = "ar rcsP build/obj/libmsa.a $(echo build/obj/{common/a/b/deep,filters/load/{c/deep,variant}}.o)" ]
    [ "$(grep -o 'bin/msa-[^ ";]*' commands | sort -u)" = bin/msa-load ]
}
