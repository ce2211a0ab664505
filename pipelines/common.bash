# What the scripts beside it share; they source it.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8 # of all that is called: numbers have points, order is that of bytes, text is UTF-8
export MSA_END_WITH_PARENT=${MSA_END_WITH_PARENT-1} # a script that is ended takes the programs of its line along
unset CDPATH          # with it cd prints
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${0##*/} # train, or msa-train where that is a link to it
PATH=${MSA_BIN:-$here/../bin}:$PATH # the programs; MSA_BIN: others than those beside the scripts
command_line=("$@")
# shellcheck source-path=SCRIPTDIR source=text.bash
. "$here/text.bash"
# shellcheck source-path=SCRIPTDIR source=arguments.bash
. "$here/arguments.bash"
# shellcheck source-path=SCRIPTDIR source=results.bash
. "$here/results.bash"
# shellcheck source-path=SCRIPTDIR source=about.bash
. "$here/about.bash"
data_hash='' data_seen='' # of the data set: hash_data, watch_data
quiet=''
compute=() # options of programs that compute: --device, --threads and --precision
said=()    # options of msa-load: what is said of the data set, --rename and --like

# Prints the comment at the top of the script, and exits.
usage() {
    awk -v name="$name" 'NR == 1 { next } !/^#/ { exit }
        { sub(/^# ?/, "") }
        name ~ /^msa-/ { sub(/^  pipelines\/[a-z-]+/, "  " name) }
        { print }' "$0"
    exit "$1"
}

# fail STATUS MESSAGE
fail() {
    say "$name: $2" >&2
    exit "$1"
}

# warn MESSAGE: unless --quiet was given.
warn() {
    [ -n "${quiet[*]-}" ] || say "$name: warning: $1" >&2
}

# What the scripts call besides dirname and readlink, without which none begins, and Debian's package of each, in minbase or in
# tests/setup.
tools=(awk:mawk cmp:diffutils {flock,setpriv}:util-linux grep:grep sed:sed
    {basename,cat,chmod,cut,head,ls,mkdir,mktemp,mv,realpath,rm,sha256sum,sleep,sort,stat,tail,touch,tr}:coreutils)
gnuplot=gnuplot:gnuplot-nox # draws pictures, without which results are whole
programs=(msa-{load,tokenize,encode,decompose,predict,loss,gdwg,metrics,backprop,dump,synth})

# lacking COMMAND:PACKAGE: whether it is not there, and a sentence that says so.
lacking() {
    ! command -v "${1%:*}" >/dev/null && echo "there is no '${1%:*}': Debian's package ${1#*:} has it"
}

# needs COMMAND:PACKAGE...
needs() {
    local command said
    for command; do
        ! said=$(lacking "$command") || fail 1 "$said"
    done
}

# All that a script may call is looked for at once: much of it has its turn after hours of training.
have_all() {
    local program
    needs "${tools[@]}"
    for program in "${programs[@]}"; do
        command -v "$program" >/dev/null ||
            fail 1 "there is no '$program': make builds it, and MSA_BIN is its folder if not $here/../bin"
    done
}

# Says at once, not after hours, that there will be no pictures; the reason goes to `undrawable`.
expect_pictures() {
    ! undrawable=$(lacking "$gnuplot") || warn "there will be no pictures: $undrawable"
}

# pictures COMMAND...: runs what draws some; that it cannot is a warning.
pictures() {
    local said
    [ -z "$undrawable" ] || return 0
    said=$("$@" 2>&1) || warn "not all pictures are drawn: ${said%%$'\n'*}"
}

# run_script NAME ARGUMENT...: the script beside this one, which ends when this one does.
run_script() {
    setpriv --pdeathsig TERM -- "$here/$1" "${@:2}"
}

# For use behind a pipeline, `a | b || cause "${PIPESTATUS[@]}"`: ends the script with the status of the program that
# failed, not of those that stopped because it did (4: input cut off, 5: another failed, 141: nobody reads). One that a
# signal has ended could not say so: it is named, from `stages`, which has nothing for a function that names its own.
cause() {
    local status other=1 number=0
    for status; do
        case $status in
        0) ;;
        4 | 5 | 141) other=$status ;;
        *)
            killed "${stages[number]-}" "$status"
            exit "$status"
            ;;
        esac
        number=$((number + 1))
    done
    exit "$other"
}

# killed PROGRAM STATUS: says by which signal, where it was one.
killed() {
    local signal
    [ -n "$1" ] && [ "$2" -gt 128 ] && signal=$(kill -l "$2" 2>/dev/null) || return 0
    [ "$signal" != KILL ] || signal+=', as the kernel does where memory is short'
    echo "$name: $1 was killed by SIG$signal" >&2
}

# take_compute OPTION VALUE: what all programs that compute are given. One of them says here where it is wrong, and not
# each of the line.
take_compute() {
    takes msa-encode "$@"
    compute+=("$@")
}

# standardized WORD...: whether an option among them asks for it, as parameters note it.
standardized() {
    [[ " $* " == *" --standardize "* ]] && echo true || echo false
}

# takes PROGRAM OPTION VALUE: ends the script, and the program says why, where it does not.
takes() {
    "$@" --version >/dev/null || exit
}

# header_of DATASET [options of msa-load]: the header of its stream, as msa-dump shows it.
header_of() {
    { msa-load --batch 1 "${said[@]}" "$@" | msa-dump -n 1; } 2>/dev/null || true
}

# has DATASET TENSOR [options of msa-load]
has() {
    local header
    header=$(header_of "$1" "${@:3}")
    grep -q "^    $2 " <<<"$header"
}

# has_split DATASET SPLIT: are there samples in it?
has_split() {
    local error
    error=$({ msa-load -q --split "$2" --batch 1 "${said[@]}" "$1" | head -c 1 >/dev/null; } 2>&1) || true
    [[ $error != *"no samples in split '$2'"* ]] # a remedy may follow
}

# look_at DATASET [options of msa-load]: says at once what there is to say of it, of all its splits and values, and ends the
# script where one of them cannot be read.
look_at() {
    local stages=(msa-load)
    msa-load ${quiet:+-q} --no-crc "${said[@]}" "${@:2}" "$1" >/dev/null || cause $? # which nothing reads
}

# said_once: from standard input to standard error, each line as soon as it comes, but none twice. (An awk may wait for more.)
said_once() {
    local line
    local -A seen=()
    while IFS= read -r line || [ -n "$line" ]; do
        [ -n "${seen["x$line"]-}" ] || printf '%s\n' "$line" >&2
        seen["x$line"]=1
    done
}

# compare_words BERT_DIR DATASET [options of msa-load]: warns where its text_bert is mostly not what the vocabulary beside BERT
# gives.
compare_words() {
    local cased=() status stages=(msa-{load,tokenize})
    [ -z "${quiet:+-q}" ] && [ -e "$1/vocab.txt" ] && has "${@:2:1}" text_bert "${@:3}" || return 0
    ! is_cased "$1" || cased=(--cased)
    msa-load -q --batch 20 --drop vision,audio "${said[@]}" "${@:2}" |
        msa-tokenize --vocab "$1/vocab.txt" "${cased[@]}" --compare 20 || {
        status=("${PIPESTATUS[@]}")
        [ "${status[1]}" -eq 0 ] || cause "${status[@]}"
    }
}

# said_of RUN_DIR...: what was said to these trainings of their data set is said here too.
said_of() {
    local run
    for run; do
        [ ! -e "$run/state.msa" ] || said+=(--like "$run/state.msa")
    done
}

# expect_utf8 FILE: ends the script where it is text in UTF-16, as its byte order mark says, in which no key would be found.
expect_utf8() {
    local LC_ALL=C mark=''
    IFS= read -r -n 2 mark <"$1" || true
    [[ $mark != $'\xff\xfe' && $mark != $'\xfe\xff' ]] || fail 3 "$1: text in UTF-16 but expected UTF-8"
}

# is_cased DIR: does the tokenizer of a BERT that was kept there tell upper from lower case?
is_cased() {
    [ -e "$1/tokenizer_config.json" ] || return
    expect_utf8 "$1/tokenizer_config.json"
    grep -q '"do_lower_case" *: *false' "$1/tokenizer_config.json"
}

# aligned: tab-separated lines of UTF-8, as columns for people. An awk counts bytes or characters: here bytes, without those
# that continue a character.
aligned() {
    LC_ALL=C awk -F '\t' '
        function characters(text) {
            gsub(/[\200-\277]/, "", text)
            return length(text)
        }
        { for (i = 1; i <= NF; i++) {
            cell[NR, i] = $i
            taken[NR, i] = characters($i)
            if (taken[NR, i] > width[i]) width[i] = taken[NR, i] }
          columns = NF }
        END {
            for (row = 1; row <= NR; row++)
                for (i = 1; i <= columns; i++)
                    printf i < columns ? "%s%" (width[i] - taken[row, i] + 2) "s" : "%s%s\n", cell[row, i], ""
        }'
}

# rounded: metrics in lines of tab-separated columns, of four digits, and nothing empty.
rounded() {
    awk -F '\t' -v OFS='\t' '
        NR == 1 { for (i = 1; i <= NF; i++) metric[i] = $i ~ /^(valid|mae|corr|acc[0-9].*|f1.*)$/ }
        NR > 1 {
            for (i = 1; i <= NF; i++)
                if ($i == "") $i = "-"
                else if (metric[i] && $i ~ /[0-9]/) $i = sprintf("%.4f", $i)
        }
        { print }'
}

# --- a trained model ---

check_run() {
    [ -e "$1/predict.safetensors" ] || fail 1 "no trained model in '$1': it has no predict.safetensors"
}

# model RUN_DIR [options of all]: from features, or vectors of them, to predictions.
model() {
    local stages=(msa-{encode,decompose,predict})
    msa-encode -p "$1/encode.safetensors" "${compute[@]}" "${@:2}" |
        msa-decompose -p "$1/decompose.safetensors" "${compute[@]}" "${@:2}" |
        msa-predict -p "$1/predict.safetensors" "${compute[@]}" "${@:2}" || cause "${PIPESTATUS[@]}"
}

# encode_text RUN_DIR DATASET [options of msa-load]: what goes before the model where it was trained on the vectors that
# BERT had made of text, unless the data set has these already, or no text.
encode_text() {
    local stages=(msa-encode)
    if [ -e "$1/text.safetensors" ] && has "$2" text_bert "${@:3}"; then
        msa-encode ${quiet:+-q} --only text -p "$1/text.safetensors" "${compute[@]}" || cause $?
    else
        cat
    fi
}

# judge RUN_DIR DATASET [options of msa-load]: the model's metrics, as the options of msa-metrics in `metrics` have them.
# shellcheck disable=SC2154 # metrics is the caller's
judge() {
    local stages=(msa-load '' '' msa-metrics)
    msa-load "${said[@]}" "${@:3}" "$2" |
        encode_text "$@" |
        model "$1" "${quiet[@]}" |
        msa-metrics "${quiet[@]}" "${metrics[@]}" || cause "${PIPESTATUS[@]}"
}

# keep_words TO [FROM]: the files that say how text becomes tokens; those that are there, and no old ones.
keep_words() {
    local file
    [ ! "$1" -ef "${2-}" ] || return 0
    for file in vocab.txt tokenizer_config.json; do
        if [ -n "${2-}" ] && [ -e "$2/$file" ]; then
            replace "$1/$file" cat "$2/$file"
        else
            rm -f "$1/$file"
        fi
    done
}

[[ ${1-} == @(-h|--help) ]] || have_all
