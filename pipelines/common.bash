# What the scripts beside it share; they source it.
# shellcheck shell=bash
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${0##*/} # train, or msa-train where that is a link to it
PATH=${MSA_BIN:-$here/../bin}:$PATH # the programs; MSA_BIN: others than those beside the scripts
command_line=("$@")

# Prints the comment at the top of the script, and exits.
usage() {
    awk -v name="$name" 'NR == 1 { next } !/^#/ { exit }
        { sub(/^# ?/, "") }
        name ~ /^msa-/ { sub(/^  pipelines\/[a-z]+/, "  " name) }
        { print }' "$0"
    exit "$1"
}

# fail STATUS MESSAGE
fail() {
    echo "$name: $2" >&2
    exit "$1"
}

# For use behind a pipeline, `a | b || cause "${PIPESTATUS[@]}"`: ends the script with the status of the program that
# failed, not of those that stopped because it did (4: input cut off, 5: another failed, 141: nobody reads).
cause() {
    local status other=1
    for status; do
        case $status in
        0) ;;
        4 | 5 | 141) other=$status ;;
        *) exit "$status" ;;
        esac
    done
    exit "$other"
}

# The header of a data set's stream, as msa-dump shows it.
header_of() {
    { msa-load --split train --batch 1 "$1" 2>/dev/null || msa-load --batch 1 "$1" 2>/dev/null; } |
        msa-dump -n 1 2>/dev/null || true
}

# has DATASET TENSOR
has() {
    header_of "$1" | grep -q "^    $2 "
}

# has_split DATASET SPLIT: are there samples in it?
has_split() {
    local said
    said=$(msa-load --split "$2" "$1" 2>&1 >/dev/null) || true
    [[ $said != *"no samples in split '$2'" ]]
}

# number_in FILE KEY: a whole number of a small JSON file.
number_in() {
    sed -n 's/.*"'"$2"'": *\([0-9]*\).*/\1/p' "$1"
}

# encode_text RUN_DIR DATASET: the stage that makes h_text where the run's model was trained on one that had been made
# before, and the data set does not have it already; else nothing happens to the stream.
encode_text() {
    if [ ! -e "$1/text.safetensors" ] || has "$2" h_text; then
        cat
    else
        msa-encode --only text -p "$1/text.safetensors"
    fi
}

# about RUN_DIR DATASET: what the run is of, in RUN_DIR/about.tsv. The same whether it was resumed or not.
about() {
    local words=() word
    for word in "${command_line[@]}"; do
        [ "$word" = --resume ] || words+=("$word")
    done
    {
        printf 'made by\t%s\n' "$(msa-load --version)"
        printf 'command\t%s %s\n' "$name" "${words[*]@Q}"
        printf 'data\t%s\n' "$(realpath "$2")"
        printf 'sha256\t%s\n' "$(sha256sum <"$2" | cut -d ' ' -f 1)"
        printf 'bytes\t%s\n' "$(stat -L -c %s "$2")"
        header_of "$2" | sed -n "s/^    \\([a-z_]*\\) *\\(<[^ ]*\\[\\*[^ ]*\\).*/shape of \\1\\t\\2/p"
    } >"$1/about.tmp"
    mv "$1/about.tmp" "$1/about.tsv"
}
