# What is known of a run: what its parameters, its log and its about.tsv say. For common.bash, which sources it.
# shellcheck shell=bash
# shellcheck disable=SC2154 # what is set there

# noted FILE: what a file of parameters has noted, in lines of KEY<tab>VALUE.
noted() {
    head -c 1048576 "$1" |
        LC_ALL=C grep -aoE '\{"__metadata__":\{("[^"]*":"([^"\]|\\.)*",?)*' |
        LC_ALL=C grep -oE '"[^"]*":"([^"\]|\\.)*"' | sed 's/^"\([^"]*\)":"\(.*\)"$/\1\t\2/; s/\\"/"/g'
}

# note FILE KEY
note() {
    noted "$1" | sed -n "s/^$2\t//p"
}

# The program whose parameters are the last of the line: head is that of pipelines/pretrain.
last_of() {
    [ -e "$1/predict.safetensors" ] && echo predict || echo head
}

# kept RUN_DIR: the row of metrics.tsv of the checkpoint whose parameters were kept: they know its number.
kept() {
    local number
    number=$(note "$1/$(last_of "$1").safetensors" checkpoint 2>/dev/null) || return 0
    awk -F '\t' -v number="$number" '$2 == "valid" && ++row == number' "$1/metrics.tsv"
}

# settings RUN_DIR: the options that determine the numbers, given or not, in lines of PROGRAM.OPTION<tab>VALUE: those
# that the commit has, and those that are noted with parameters. Values are cells (uncell), as both have them in JSON.
settings() {
    local program
    {
        msa-dump --json "$1/state.msa" | sed -n '/"kind": "C"/s/"[0-9]*:msa-\([a-z]*\)": {/\n\1 {/gp' | awk '
            match($0, /"settings": [{]/) {
                rest = substr($0, RSTART + RLENGTH)
                while (match(rest, /^(, )?"[^"]*": ("([^"\\]|\\.)*"|[^",}]*)/)) {
                    pair = substr(rest, 1, RLENGTH)
                    rest = substr(rest, RLENGTH + 1)
                    sub(/^(, )?"/, "", pair)
                    sub(/"$/, "", pair)
                    sub(/": "?/, "\t", pair)
                    gsub(/\\"/, "\"", pair)
                    print $1 "." pair
                }
            }'
        for program in encode decompose predict head; do
            [ ! -e "$1/$program.safetensors" ] || noted "$1/$program.safetensors" | sed "
                /^\(checkpoint\|family\|line\|program\|seed\|training\|version\)\t/d; s/^/$program./"
        done
    } | LC_ALL=C sort | without_hidden escape
}

# The command, but for --resume.
command_given() {
    local words=() word
    for word in "${command_line[@]}"; do
        [ "$word" = --resume ] || words+=("$word")
    done
    printf '%s\n' "$name ${words[*]@Q}"
}

# about RUN_DIR DATASET [KEY VALUE ...]: what the run is of, in RUN_DIR/about.tsv. Says nothing of time, host, or
# whether it was resumed.
about() {
    expect_data "$2"
    replace "$1/about.tsv" about_lines "$@"
}
about_lines() {
    local run=$1 data=$2 pair
    about_line 'made by' "$(msa-load --version)"
    about_line command "$(command_given)"
    about_line data "$(realpath -- "$data")"
    about_line sha256 "$data_hash"
    about_line bytes "$(stat -L -c %s "$data")"
    about_line family "$(note "$run/$(last_of "$run").safetensors" family)"
    header_of "$data" | sed -n "s/^    \([a-z_]*\) *\(<[^ ]*\[\*[^ ]*\).*/shape of \1\t\2/p"
    for ((pair = 3; pair < $#; pair += 2)); do
        about_line "${@:pair:2}"
    done
    [ -z "${diverged-}" ] || about_line 'diverged in epoch' "$diverged"
    settings "$run"
}
about_line() {
    printf '%s\t%s\n' "$1" "$(cell "$2")"
}

# watch_data DATASET: what is trained on from now on. It may be large: its hash is computed meanwhile, and does not hold
# the lock of have_alone.
watch_data() {
    [ -z "$data_seen" ] || return 0
    data_seen=$(file_at "$1")
    exec {data_hashing}< <([ -z "${lock-}" ] || exec {lock}<&-; hash_of "$1" 2>/dev/null)
}

# The hash of the data set, into data_hash: of what it was when it was first asked for, or watched.
hash_data() {
    [ -z "$data_hash" ] || return 0
    watch_data "$1"
    read -r data_hash <&"$data_hashing" || fail 1 "cannot read '$1'"
}

# expect_data DATASET: ends the script where it is not what has been trained on. A copy of the same bytes is.
expect_data() {
    hash_data "$1"
    [ "$(file_at "$1")" != "$data_seen" ] || return 0
    [ "$(hash_of "$1" 2>/dev/null)" = "$data_hash" ] ||
        fail 1 "'$1' was changed while it was being trained on: it has another SHA-256 than $data_hash"
}

# Device, inode, size and times of these files: a change of one of them alters it. Where there is none the programs say so.
file_at() {
    stat -L -c '%d %i %s %.9Y %.9Z' "$@" 2>/dev/null || echo none
}

hash_of() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

# divergence RUN_DIR: the epoch in which a training has ended since its parameters were not finite, if it has: that checkpoint
# was judged, but not committed.
divergence() {
    local committed=0
    [ ! -s "$1/state.msa" ] || committed=$(msa-dump --json "$1/state.msa" | sed -n 's/.*"kind": "C".*"checkpoint": \([0-9]*\).*/\1/p')
    [ ! -e "$1/metrics.tsv" ] || awk -F '\t' -v committed="$committed" '
        $2 == "valid" { judged++; epoch = $1; finite = !/\t-?(nan|inf)/ }
        END { if (judged > committed && !finite) print epoch }' "$1/metrics.tsv"
}

# told RUN_DIR KEY: of about.tsv; nothing where it is not there.
told() {
    local value
    [ -e "$1/about.tsv" ] || return 0
    value=$(awk -F '\t' -v key="$2" '$1 == key { print $2 }' "$1/about.tsv")
    [ -z "$value" ] || uncell "$value"
}
