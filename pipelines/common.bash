# What the scripts beside it share; they source it. shellcheck shell=bash
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${0##*/} # train, or msa-train where that is a link to it
PATH=${MSA_BIN:-$here/../bin}:$PATH # the programs; MSA_BIN: others than those beside the scripts

# Prints the comment at the top of the script, and exits.
usage() {
    awk -v name="$name" 'NR == 1 { next } !/^#/ { exit }
        { sub(/^# ?/, "") }
        name ~ /^msa-/ { sub(/^  pipelines\/[a-z]+/, "  " name) }
        { print }' "$0"
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
