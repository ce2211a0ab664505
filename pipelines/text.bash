# Text from outside, such as what another's run holds, and names of files: how it is shown, and how tables have it (msa(7)). For
# common.bash, which sources it.
# shellcheck shell=bash
# shellcheck disable=SC2154 # what is set there

# without_hidden '?' | without_hidden escape: standard input, in whose lines each character that programs do not show either is
# '?', or escaped; so is each byte that is not UTF-8. Tabs stay.
without_hidden() {
    LC_ALL=C awk -v how="$1" '
        BEGIN {
            for (i = 1; i < 256; i++) number[sprintf("%c", i)] = i
            more = "[\200-\277]"
            whole = "[\001-\010\013-\037\177]|[\302-\337]" more "|(\340[\240-\277]|[\341-\354\356\357]" more "|\355[\200-\237])" more \
                "|(\360[\220-\277]|[\361-\363]" more "|\364[\200-\217])" more more
            hidden = "^([\001-\037\177]|\302[\200-\237]|\330\234|\342\200[\213\216\217\250-\256]|\342\201[\240-\257]" \
                "|\357\273\277|\357\277[\271-\273])$"
        }
        function byte(text, i) { return number[substr(text, i, 1)] }
        function code(text) {
            if (length(text) == 1) return byte(text, 1)
            if (length(text) == 2) return (byte(text, 1) - 192) * 64 + byte(text, 2) - 128
            return (byte(text, 1) - 224) * 4096 + (byte(text, 2) - 128) * 64 + byte(text, 3) - 128
        }
        # What is between whole characters: of bytes above ASCII it has only those that are part of none.
        function broken(text, i, out) {
            if (text !~ /[\200-\377]/) return text
            for (i = 1; i <= length(text); i++)
                out = out (byte(text, i) < 128 ? substr(text, i, 1) : how == "?" ? how : sprintf("\\x%02x", byte(text, i)))
            return out
        }
        /[^\t -~]/ {
            gsub(whole, "\n&\n")
            pieces = split($0, piece, "\n")
            $0 = ""
            for (i = 1; i <= pieces; i++)
                $0 = $0 (i % 2 ? broken(piece[i]) : piece[i] !~ hidden ? piece[i] : how == "?" ? how : sprintf("\\u%04x", code(piece[i])))
        }
        { print }'
}

# shown: lines as people are to see them; their tabs stay.
shown() {
    tr '\0' '?' | without_hidden '?'
}

# say TEXT: a line of it, as it is to be seen. One that needs no change needs no other program either.
say() {
    local line=${1//[$'\n\t']/?}
    case $line in
    *[!\ -~]*) printf '%s\n' "$line" | shown ;;
    *) printf '%s\n' "$line" ;;
    esac
}

# cell TEXT: as one cell of a table has it, which uncell reads.
cell() {
    local text=${1//\\/\\\\}
    text=${text//$'\n'/\\n}
    printf '%s\n' "${text//$'\t'/\\t}" | without_hidden escape
}

# uncell TEXT
uncell() {
    printf '%b\n' "$1"
}
