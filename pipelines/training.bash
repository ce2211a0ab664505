# Options of a training, for train and pretrain, which source it behind common.bash.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # they use what is set here, and common.bash sets the rest

# What goes to each program of the line, and what the script itself wants to know.
no_options() {
    load=() said=() encode=() decompose=() predict=() loss=() metrics=() backprop=() compute=() quiet=() inits=()
    epochs='' batch='' select='' after='' lr='' warmup='' decay='' family=auto resume='' force='' check=''
}

# take_options NAME VALUE NAME VALUE FLAG ...: sorts options of a training by program. What is none goes to the script:
# other_flag FLAG fails if it does not know it either, other_option OPTION VALUE ends the script.
take_options() {
    while [ $# -gt 0 ]; do
        taken=1
        case $1 in
        -f) force=-f ;;
        --quiet) quiet=(-q) ;;
        --resume) resume=--resume ;;
        --check) check=--check ;;
        --standardize | --no-shuffle) load+=("$1") ;;
        *) other_flag "$1" || taken=2 ;;
        esac
        if [ $taken -eq 2 ]; then
            [ $# -ge 2 ] || fail 2 "'$1' is no option, or lacks its value ($name --help)"
            has_value "$1" "$2"
            case $1 in
            --epochs) epochs=$2 ;;
            --batch) batch=$2 ;;
            --family) family=$2 ;;
            --lr) lr=$2 ;;
            --warmup) warmup=$2 ;;
            --decay) decay=$2 ;;
            --rename) said+=("$1" "$2") ;;
            --seed | --drop | --fraction | --validate-every) load+=("$1" "$2") ;;
            --dim | --heads | --layers | --only | --net) encode+=("$1" "$2") ;;
            --dropout)
                takes msa-encode "$1" "$2"
                encode+=("$1" "$2")
                [[ $2 == *=* ]] || decompose+=("$1" "$2") # by modality it is the encoders'
                ;;
            --init) encode+=("$1" "$2") decompose+=("$1" "$2") predict+=("$1" "$2") inits+=("$2") ;;
            --device | --threads | --precision) take_compute "$1" "$2" ;;
            --patience) metrics+=("$1" "$2") ;;
            --schedule | --accumulate | --clip-value | --clip-at) backprop+=("$1" "$2") ;;
            --plateau-patience) backprop+=(--patience "$2") ;;
            *) other_option "$1" "$2" ;;
            esac
        fi
        shift $taken
    done
}

# by_bert alone|beside|before: text goes through BERT, alone or beside other modalities, or has been through it before, and
# nothing is left to encode. BERT has sizes and dropout of its own: what `encode` says of these is for the others; before, the
# dropout of all is that of what stands behind.
by_bert() {
    local told=("${encode[@]}") value i
    encode=()
    for ((i = 0; i < ${#told[@]}; i += 2)); do
        value=${told[i + 1]}
        case ${told[i]}-$1 in
        --dropout-before) [[ $value == *=* ]] || continue ;;
        --heads-alone | --layers-alone | --dropout-alone | --net-alone) continue ;;
        --layers-beside | --dropout-beside | --net-beside)
            [[ $value == *=* ]] || value=vision=$value,audio=$value
            value=$(sed -E 's/(^|,)text=[^,]*//; s/^,//' <<<"$value")
            [ -n "$value" ] || continue
            ;;
        esac
        encode+=("${told[i]}" "$value")
    done
}

# ended STATUS...: ends the script after the line of a training that failed, as cause does. But where msa-backprop, the last,
# has ended it since it diverged, and it has left parameters in $run, these are evaluated: `diverged`, and the script ends then.
ended() {
    [ -z "${old[*]-}" ] || forget_old || true
    [ "${!#}" -ne 1 ] || [ "$(file_at "$run/metrics.tsv")" = "${log_seen-}" ] || diverged=$(divergence "$run")
    if [ -n "${diverged-}" ]; then
        [ ! -e "$run/encode.safetensors" ] || return 0
        say "$name: '$run' has no parameters: there is nothing to evaluate" >&2
    fi
    cause "$@"
}

# expect_test DATASET: whether it has a test split, into `tested`; that it has none is said at once, not after hours.
expect_test() {
    tested=1
    has_split "$1" test || { tested='' && warn "there is no test split to evaluate"; }
}

# spare_inits OUTPUT...: as spare, for each file that --init reads.
spare_inits() {
    local file
    for file in "${inits[@]}"; do
        spare "$file" "$@"
    done
}

# have_alone DIR: another script, or programs that one left behind when it was killed, may train there; as these do it waits
# for 5 seconds. The programs of this one hold the lock too.
have_alone() {
    mkdir -p "$1"
    exec {lock}<"$1"
    flock -w 5 "$lock" || fail 1 "cannot write '$1': another program is writing it"
}

# What msa-load is given beside -q, since look_at has said what there is to say: without it, progress goes to a terminal.
show_progress() {
    local pgrp terminal
    progress=()
    [ -z "${quiet[*]}" ] && [ -t 2 ] || return 0
    read -r pgrp terminal < <(sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 3,6) || true # in the foreground?
    [ "$pgrp" != "$terminal" ] || progress=(--progress always)
}

# instead_of RESULT...: the line. With -f these results of an old training go when its parameters do: when the whole line has
# made a step. Until then a program may still refuse.
instead_of() {
    local old=() seen log_seen forgetting
    log_seen=$(file_at "$run/metrics.tsv")
    if [ -n "$force" ]; then
        old=("$@") seen=$(file_at "$run"/{state.msa,encode.safetensors})
        until forget_old || [ ! -e /proc/$$/exe ]; do sleep 0.1; done &>/dev/null {lock}<&- & # a zombie has none
        forgetting=$!
    fi
    diverged=''
    show_progress
    line
    if [ -n "$force" ]; then
        forget_old || kill "$forgetting" || true # no step was made: --resume found a training that had ended
        wait "$forgetting" || true
    fi
}
forget_old() {
    [ "$(file_at "$run"/{state.msa,encode.safetensors})" != "$seen" ] && rm -f "${old[@]}"
}

# try LINE: a function that runs the line of a training in $run, as --check has it: in a folder that goes away. Where it
# fails the script ends, with one line: that of the script itself, which comes last, else of a program that knows why.
try() {
    local check=--check quiet=(-q) progress=() resume='' run error last status=0
    run=$(scratch)
    error=$(trap 'rm -rf "$run"' EXIT && "$1" 2>&1) || status=$?
    [ "$status" -eq 0 ] && return
    last=${error##*$'\n'}
    [[ $last = "$name: "* ]] || last=${error%%$'\n'*}
    say "$last" >&2
    exit "$status"
}

# files_of_weights FILE: the file, and if it is an index, those that it names, in order.
files_of_weights() {
    echo "$1"
    [[ $1 == *.safetensors.index.json && -r $1 ]] || return 0
    grep -oE -- ': *"[^"/]*\.safetensors"' "$1" | sed 's/.*"\(.*\)"/\1/' | sort -u | while IFS= read -r file; do
        echo "$(dirname -- "$1")/$file"
    done
}

# hash_of_weights FILE: of all these files, one after the other.
hash_of_weights() {
    local files
    mapfile -t files < <(files_of_weights "$1")
    cat "${files[@]}" | hash_of /dev/stdin
}

# find_bert PATH: a folder as transformers write it, or a file of weights, or an index of several, with its config.json beside
# it. What is wrong with them otherwise the programs say.
find_bert() {
    bert_dir=$1 bert_weights=$1/model.safetensors
    [ -d "$1" ] || bert_dir=$(dirname "$1") bert_weights=$1
    [ -e "$bert_weights" ] || [ ! -e "$bert_weights.index.json" ] || bert_weights+=.index.json
    local file
    for file in "$bert_dir"/{pytorch_model.bin,pytorch_model.bin.index.json,tf_model.h5,flax_model.msgpack}; do
        [ -e "$bert_weights" ] && [ ! "$bert_weights" -ef "$file" ] || [ ! -e "$file" ] ||
            fail 3 "--bert: '$file' is not read: msa-encode(1), Text by BERT, says how it becomes model.safetensors"
    done
    while IFS= read -r file; do
        [ -r "$file" ] || fail 1 "--bert: there is no '$file'"
    done < <(files_of_weights "$bert_weights")
    [ -r "$bert_dir/config.json" ] ||
        fail 1 "--bert: '$1' has no config.json: expected a folder with config.json and model.safetensors, or the latter beside the former"
    expect_utf8 "$bert_dir/config.json"
}

# number_in FILE KEY: a whole number of a small JSON file.
number_in() {
    sed -n 's/.*"'"$2"'" *: *\([0-9]*\).*/\1/p' "$1"
}

# from_bert: what about.tsv says of it, into `from`.
from_bert() {
    from+=(bert "$(hash_of_weights "$bert_weights")" 'bert at' "$(realpath -s -- "$bert_weights")")
}

no_option() {
    fail 2 "'$1' is no option ($name --help)"
}

# The family that a data set's stream names; nothing where there is none: the line will tell what is wrong.
family_of() {
    [ "$family" = auto ] || { printf '%s\n' "$family" && return; }
    header_of "$1" | sed -n 's/^0 H .*  family \([a-z]*\).*/\1/p'
}
