#!/usr/bin/env bats
# On a machine that is set up anew: the environment in which continuous integration runs, and what a script calls.
load helper

@test ".ci/run: nothing of the caller's environment but where home and programs are; ends as its tests do" {
    mkdir -p clone/.ci
    cp "$ROOT/.ci/run" clone/.ci
    # shellcheck disable=SC2016 # the shell of make expands it
    printf 'check-all:\n\t@env | cut -d = -f 1 | grep -v "^MAKE\\|^MFLAGS" | sort\n\t@cat\n\t@echo "Result: FAIL" && exit 1\n' >clone/Makefile
    PYTHONUNBUFFERED=1 LC_ALL=C O=elsewhere MAKEFLAGS=-i run bash clone/.ci/run </dev/null
    [ "$status" -eq 2 ] # make's
    [[ $output == $'HOME\nLANG\nPATH\n'*$'Result: FAIL\n'* ]] || { echo "$output" && return 1; }
    [[ $output != *PYTHON* && $output != *LC_ALL* && $output != *O=* ]]
}

@test "what scripts call is in tests/setup, or on every Debian" {
    script_tools >list
    [ "$(wc -l <list)" -gt 10 ]
    local package setup
    setup=$(sed -n '/^packages="/,/^"/p' "$ROOT/tests/setup")
    for package in $(cut -d : -f 2 list | sort -u) gnuplot-nox; do
        grep -qw -- "$package" <<<"$setup" ||
            [ "$(dpkg-query -W -f '${Essential}' "$package")" = yes ] || [ "$(dpkg-query -W -f '${Priority}' "$package")" = required ]
    done
}

@test "what scripts call is the list of what they look for, no less and no more" {
    local package command
    # shellcheck disable=SC2016 # the inner shell expands it
    bash -c '. "$1/pipelines/common.bash" --help; printf "%s\n" "${tools[@]%:*}" "${programs[@]}"' bash "$ROOT" >list
    printf '%s\n' dirname readlink >>list # without which no script begins
    for package in bsdextrautils coreutils diffutils findutils grep gzip mawk sed util-linux; do
        dpkg -L $package 2>/dev/null || true # one that is not on every Debian
    done | sed -n 's/.*\/s\?bin\///p' | while read -r command; do
        [[ $(type -t "$command") == @(builtin|keyword) ]] || echo "$command"
    done >known
    printf '%s\n' awk "$BUILD"/bin/* | sed 's/.*\///' >>known # awk: a link of no package
    grep -hv '^ *#' "$ROOT"/pipelines/* | sed -E 's/\<(then|do|else|exec) /; /g' | grep -oE '(^|[|(;&{!]) *[a-z][a-z0-9-]*( +[^]=[(?+ ]|$)' |
        sed 's/ *[^ ]\?$//; s/.*[^a-z0-9-]//' | sort -u | grep -xFf known >called
    [ "$(wc -l <called)" -gt 20 ]
    sort list | diff - called
}

@test "a command that is missing is said at the start, in every script" {
    local tool script
    msa-synth --samples 8,4,4 -o data.pkl
    for tool in $(script_tools | cut -d : -f 1) msa-metrics msa-dump msa-synth; do
        script_path "$tool"
        run -1 env PATH="$PWD/path" MSA_BIN="$PWD/path" "$ROOT/pipelines/train" data.pkl out --dim 16 --heads 2
        [[ ${#lines[@]} -eq 1 && $output == "train: there is no '$tool': "* ]] || { echo "$output" && return 1; }
        [ ! -e out ]
    done
    script_path sha256sum
    for script in "$ROOT"/pipelines/*; do
        [[ $script != *.bash ]] || continue
        run -1 env PATH="$PWD/path" MSA_BIN="$PWD/path" "$script" data.pkl out
        [ "$output" = "${script##*/}: there is no 'sha256sum': Debian's package coreutils has it" ] || { echo "$output" && return 1; }
    done
}

@test "columns for people are as wide as their characters, not their bytes" {
    # shellcheck disable=SC2016 # the inner shell expands it
    run -0 bash -c '. "$1/pipelines/common.bash" --help; printf "Corr\tMAE\n0.5 ± 0.1\t1 ± 2\nä\t-\n" | aligned' bash "$ROOT"
    [ "$output" = $'Corr       MAE\n0.5 ± 0.1  1 ± 2\nä          -' ]
}
