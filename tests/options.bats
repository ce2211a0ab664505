#!/usr/bin/env bats
# What every program does with its options, as its own table has them.
load helper

@test "an empty value is refused, but where the manual says that it may be empty" {
    for program in "$BUILD"/bin/msa-*; do
        for option in $("$program" --help=names); do
            may=$("$program" --help=mdoc | awk -v option="${option#--}" '
                /^\.It/ { mine = index($0 " ", "Fl -" option " ") } mine && /^It may be empty\.$/')
            run timeout 10 "$program" "$option=" </dev/null
            echo "${program##*/} $option= '$may': $status $output"
            if [ -n "$may" ]; then
                [ "$status" -ne 2 ]
            else
                [ "$status" -eq 2 ]
            fi
        done
    done
    [ -z "$(ls -A run)" ]
    [ "$(ls -A)" = run ]
}

@test "an empty operand is refused" {
    for program in "$BUILD"/bin/msa-*; do
        run timeout 10 "$program" '' </dev/null
        echo "${program##*/}: $status $output"
        [ "$status" -eq 2 ]
    done
    run -2 --separate-stderr msa-dump ''
    # shellcheck disable=SC2154
    [ "$stderr" = "msa-dump: operand 1 is empty, but expected [FILE [OTHER]]" ]
}
