# What reproduce, ablate and fraction share, which source it behind common.bash and training.bash: their arguments, and
# trainings side by side, each of which is done once.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # they use what is set here, and common.bash sets the rest

# take_arguments OPTIONS ARGUMENT...: a value for each of OPTIONS that is there goes to `given`. The other words are
# options of a training: of the pre-training behind --pretrain, of the fusion behind --train, of both before these.
take_arguments() {
    local own=" $1 " part=both word of_data='^--((text|vision|audio)-)?(rename|family|standardize)$'
    shift
    declare -gA given=()
    for word in $own; do
        given[$word]=''
    done
    pretrain=() train=() quiet=''
    while [ $# -gt 0 ]; do
        case $1 in
        --pretrain | --train)
            [ -v "given[--bert]" ] || fail 2 "'$1': nothing is pre-trained here ($name --help)"
            part=$1
            ;;
        -f | --resume | --seed | --check) fail 2 "'$1' is for single trainings ($name --help)" ;;
        --quiet) quiet=--quiet ;;
        *)
            if [ "$part" = both ] && [[ $own == *" $1 "* ]]; then
                has_value "${@:1:2}"
                path=$2
                [[ $1 != --@(out|bert|encoders) ]] || as_path "$2"
                given[$1]=$path
                shift
            else
                [[ $part == both || ! $1 =~ $of_data ]] || fail 2 "'$1' is of the data set: it goes before --pretrain and --train"
                [ "$part" = --train ] || pretrain+=("$1")
                [ "$part" = --pretrain ] || train+=("$1")
            fi
            ;;
        esac
        shift
    done
    out=${given[--out]} encoders=${given[--encoders]-} jobs=${given[-j]:-1} seeds=${given[--seeds]:-1,12,123,1234,12345}
    [ -z "${given[--bert]-}" ] || pretrain=(--bert "${given[--bert]}" "${pretrain[@]}")
}

# check_arguments DATASET: now, and not after days of training.
check_arguments() {
    local seed
    has_operands "$1"
    data=$1 family=auto
    [ -n "$out" ] || fail 2 "--out DIR is missing ($name --help)"
    own "$out"/table.{tsv,md}
    [[ $seeds =~ ^[0-9]+(,[0-9]+)*$ ]] || fail 2 "--seeds: '$seeds' is no list of numbers"
    for seed in ${seeds//,/ }; do
        takes msa-load --seed "$seed"
    done
    [[ $jobs =~ ^[1-9][0-9]*$ ]] || fail 2 "-j: '$jobs' is no number of trainings"
    seeds=$(tr , '\n' <<<"$seeds" | sed 's/^0*\([0-9]\)/\1/' | awk '!seen[$0]++') # as text: awk's numbers are rounded
    first_seed=${seeds%%$'\n'*}
    use_settings "${given[--as]-}"
    [ -z "$encoders" ] || [ -d "$encoders" ] || fail 1 "there is no folder '$encoders'"
    said=()
    take_said "${train[@]}"
    [ -z "$encoders" ] || said_of "$(encoders_for "$first_seed")"/{text,vision,audio}
    family=$(value_of --family "${train[@]}")
    : "${family:=auto}"
    family=$(family_of "$data")
    if [ -z "$family" ]; then
        msa-load "${said[@]}" "$data" >/dev/null || exit # says what is wrong
        fail 1 "'$data' has no labels to train on"
    fi
    look_before
    case ${given[--as]-}-$family in
    sims-mosi | mos*-sims) fail 1 "'$data' is of the family $family, and so not ${given[--as]}" ;;
    esac
    has_split "$data" test || fail 1 "'$data' has no test split to judge by"
    [ -n "$encoders" ] || check_pretraining
    hash_data "$data"
    expect_pictures
}

# What a training would say of the data set if it were not quiet.
look_before() {
    local from
    look_at "$data" --family "$family"
    { value_of --bert "${pretrain[@]}" && value_of --bert "${train[@]}"; } | sort -u | while read -r from; do
        [ -z "$from" ] || { find_bert "$from" && compare_words "$bert_dir" "$data"; }
    done
}

# Where encoders are to be trained here, their lines, and whether the fusion can go on from them.
check_pretraining() {
    [ -v "given[--bert]" ] || return 0
    run_script pretrain "$data" "$out" "${pretrain[@]}" --check --quiet
}

# check_training SEED [options]: the line of train_once.
check_training() {
    local from option value begin=()
    from=$(encoders_for "$1")
    if [ -n "$from" ]; then
        begin=(--encoders "$from")
    elif [ -n "${given[--bert]-}" ]; then
        begin=(--bert "${given[--bert]}" --pool cls)
    fi
    for option in --dim --heads; do # those of encoders that are yet to be trained
        value=$([ -n "$from" ] || value_of "$option" "${pretrain[@]}")
        begin+=(${value:+"$option" "$value"})
    done
    run_script train "$data" "$out" "${begin[@]}" --seed "$1" "${train[@]}" "${@:2}" --check --quiet
}

# take_said WORD...: what is said of the data set.
take_said() {
    while [ $# -gt 1 ]; do
        [ "$1" != --rename ] || said+=("$1" "$2")
        shift
    done
}

# value_of OPTION WORD...: the last one that it is given.
value_of() {
    local option=$1 value=''
    while [ $# -gt 2 ]; do
        shift
        [ "$1" != "$option" ] || value=$2
    done
    printf '%s\n' "$value"
}

# What the paper sets for this data set, and not for all of its family.
use_settings() {
    case $1 in
    '' | sims | mosi) ;;
    mosei)
        pretrain=(--layers 'vision=3,audio=3' --text-batch 64 --text-lr 1e-5 --text-epochs 150 --vision-epochs 300
            --vision-warmup 10 --vision-optimizer adamw --audio-epochs 300 --audio-optimizer adamw "${pretrain[@]}")
        train=(--layers 'vision=3,audio=3' --batch 8 --epochs 6 --validate-every 100 "${train[@]}")
        ;;
    *) fail 2 "'$1' is none of sims, mosi and mosei ($name --help)" ;;
    esac
}

# untouched RUN_DIR [options]: whether of what was whole, when about.tsv came last, nothing has been changed or removed since.
untouched() {
    local folder file files=({state.msa,steps.tsv,metrics.tsv,test.tsv,encode.safetensors})
    case $script in
    pretrain) files+=(head.safetensors) ;;
    train)
        files+=({decompose,predict}.safetensors)
        [ -n "$undrawable" ] || files+=(curves.{svg,png})
        ;;
    esac
    copied "$@" || return
    for folder in "$1" "$1"/{text,vision,audio}; do
        [ -e "$folder/about.tsv" ] || continue
        for file in "$folder"/*; do
            [[ ! $file -nt $1/about.tsv || $file == */curves.* ]] || return
        done
        [ "$script $folder" != "pretrain $1" ] || continue
        for file in "${files[@]}"; do
            [ -e "$folder/$file" ] || return
        done
    done
}

# copied RUN_DIR [options]: whether all is there that such a training leaves where text goes through BERT.
copied() {
    local from bert file
    from=$(value_of --encoders "$@") bert=$(value_of --bert "$@")
    [ -n "$from$bert" ] || return 0
    [ -n "$from" ] || { find_bert "$bert" && from=$bert_dir; }
    if [ "$script" = pretrain ]; then
        [ -n "$(told "$1/text" bert)" ] || return 0
        [ -e "$1/text.msa" ] || return
    elif [ -e "$from/text.msa" ]; then
        [ -e "$1/text.safetensors" ] || return
    fi
    for file in vocab.txt tokenizer_config.json; do
        [ ! -e "$from/$file" ] || [ -e "$1/$file" ] || return
    done
}

# once SCRIPT DATASET DIR [options]: goes on with this training. One that was whole, and has been touched, is looked at by its
# programs.
once() {
    local script=$1 run=$3
    shift
    set -- "$@" --quiet
    if [ ! -e "$run/about.tsv" ]; then
        [ -n "$quiet" ] || say "--- $run" >&2
    elif [ "$(told "$run" command)" != "$script ${*@Q}" ]; then
        fail 1 "'$run' was trained with other options: $run/about.tsv has them"
    elif [ "$(told "$run" sha256)" != "$data_hash" ]; then
        fail 1 "'$run' was trained on other data: $run/about.tsv has their SHA-256"
    elif untouched "$run" "$@"; then
        return
    fi
    run_script "$script" "$@" --resume || failed "$run" $?
    touch "$run/about.tsv" # it is of what is there now, though it may be as it was
}

# failed DIR STATUS: which training it was: -j trains several, and --quiet says nothing before.
failed() {
    fail "$2" "the training in '$1' has failed"
}

# pretrain_once SEED DIR [options], and train_once SEED DIR [options]: DIR gets a folder seed-SEED. The encoders are those
# of $encoders, which are of this seed or of all; none if it is empty.
pretrain_once() {
    once pretrain "$data" "$2/seed-$1" --seed "$1" "${pretrain[@]}" "${@:3}"
}
train_once() {
    local from
    from=$(encoders_for "$1")
    once train "$data" "$2/seed-$1" ${from:+--encoders "$from"} --seed "$1" "${train[@]}" "${@:3}"
}
encoders_for() {
    [ -n "$encoders" ] && [ -d "$encoders/seed-$1" ] && echo "$encoders/seed-$1" || echo "$encoders"
}

# begin COMMAND...: beside others, of which -j says how many there may be. Each has a process group, so that all that
# belongs to it ends with this script, however that ends but by SIGKILL.
working=()
begin() {
    [ ${#working[@]} -lt "$jobs" ] || finish_one
    set -m
    "$@" </dev/null &
    set +m
    working+=($!)
}
finish_one() {
    local first=${working[0]} status=0
    wait "$first" || status=$?
    working=("${working[@]:1}")
    [ "$status" -eq 0 ] || exit "$status"
}
finish() {
    while [ ${#working[@]} -gt 0 ]; do
        finish_one
    done
}
stop() {
    local job
    for job in "${working[@]}"; do
        kill -TERM -- "-$job" 2>/dev/null || true
    done
}
trap stop EXIT
