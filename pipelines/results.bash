# What scripts write, and what they must not write over. For common.bash, which sources it.
# shellcheck shell=bash
# shellcheck disable=SC2154 # what is set there

# spare INPUT OUTPUT...: what is read is none of what is written, whatever they are called.
spare() {
    local output
    for output in "${@:2}"; do
        [ ! "$1" -ef "$output" ] || fail 2 "cannot write '$output': it is what is being read"
    done
}

# What results begin with, by name or else by the end of the name: patterns, in which zero bytes do not count. An about.tsv
# may be of any copy of a script, but not of its `sibling`, which trains something else.
declare -A begins=([about.tsv]=$'made by\t*\ncommand\t' [test.tsv]=$'split\tsamples'
    [table.tsv]=$'model\tmetric\tseeds\t' [table.md]='| model | seeds |' [with.tsv]=$'\t[TVA][sd]' [without-cl.tsv]=$'\t[TVA][sd]'
    [report.html]='<!DOCTYPE html>*<title>DMMSA on made-up data</title>' [state.msa]=$'\xd8M'
    [png]=$'\x89PNG\r\n\x1a\n\rIHDR*bKGD\xff\xff\xff' [svg]='<\?xml *<desc>Produced by GNUPLOT')

# begun_by_us FILE: whether it begins as such. Others are copies, and ours in the folder of a run, or of its encoder of text.
begun_by_us() {
    local LC_ALL=C folder=${1%/*} file=${1##*/} start
    local pattern=${begins[$file]-${begins[${file##*.}]-}}
    if [ -z "$pattern" ]; then
        for file in "$folder"/{,text/}{about.tsv,state.msa}; do
            [ ! -s "$file" ] || ! begun_by_us "$file" || return 0
        done
        return 1
    fi
    start=$(head -c 512 "$1" 2>/dev/null | tr -d '\0')
    # shellcheck disable=SC2053 # it is a pattern
    [[ $start == $pattern* && $start != *$'\ncommand\t'?(msa-)"${sibling-}"' '* ]]
}

# own RESULT...: ends the script where one would take the place of what it has not written, before anything is written.
own() {
    local file
    for file; do
        [ -e "$file" ] || continue
        if [ ! -f "$file" ] || { [ -s "$file" ] && ! begun_by_us "$file"; }; then
            fail 2 "cannot write '$file': what is there was not written by $name"
        fi
        [[ $(stat -L -c %A "$file") == *w* ]] || fail 1 "cannot write '$file': it is write-protected"
    done
}

# replace FILE COMMAND...: what the command prints becomes the content of FILE, or of what it is a link to, all of it at once, or
# nothing does; a FILE that has this content already is left alone. Until then it has a name that was new, and a lock; what is
# found under such a name without a lock was left by a script that was killed.
replace() (
    at=$(realpath -m -- "$1") || exit
    mark=$(dirname "$at")/.${at##*/}.msa-
    for left in "$mark"??????; do
        { exec {held}<"$left"; } 2>/dev/null || continue # it has just gone
        ! flock -n "$held" || rm -f "$left"
        exec {held}<&-
        unset held
    done
    until [ "${new-}" -ef "/dev/fd/${held-}" ]; do # it may be taken for one that was left, until it has the lock
        new=$(mktemp "${mark}XXXXXX")
        exec {held}>>"$new"
        # Only a script that removes what was left can hold a new file, and at once lets go of it.
        flock -w 5 "$held" || fail 1 "cannot write '$1': another program is writing it"
    done
    trap 'rm -f "$new"' EXIT
    "${@:2}" >"$new"
    ! cmp -s "$new" "$at" || return 0
    chmod '=rw' "$new" # as umask says
    mv -fT "$new" "$at"
)

# scratch: a new folder for what goes away again, by its whole path, whatever TMPDIR begins with.
scratch() {
    local folder
    folder=$(mktemp -d) && realpath -- "$folder"
}

# make_data FILE OPTION OF msa-synth...: the same bytes again, or a file that was not there; any other is left alone.
make_data() {
    if [ ! -e "$1" ]; then
        msa-synth "${@:2}" -o "$1"
    elif ! msa-synth "${@:2}" | cmp -s - "$1"; then
        fail 1 "'$1' is not the data set that is made here: move it away, or name another folder"
    fi
}
