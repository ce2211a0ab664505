# The data and lines of tests/against, which sources this: `variant` runs one by both sides, `resumed` kills and resumes it.
# shellcheck shell=bash disable=SC2154 # what that sets

# Options of most lines: small, with dropout. Of options that are given twice the last one counts.
short='load: --epochs 3 --batch 16 --seed 3'
small=("$short" 'encode: --dim 32 --heads 4 --dropout .3' 'decompose: --dropout .3')

# Of networks that are trained by themselves.
declare -A optimizer=([text]='--optimizer hf-adamw --eps 1e-6' [vision]='--optimizer adam --amsgrad')

# made_up: data sets by msa-synth of both sides, with padding and lengths; CH-SIMS's labels, MOSI's, and words with a BERT.
made_up() {
    local side
    for side in old new; do
        as $side "$work/data/$side" "msa-synth --samples 48,12,12 -o sims.pkl &&
            msa-synth --samples 48,12,12 --family mosi --seed 2 -o mosi.pkl &&
            msa-synth --samples 32,8,8 --family mosi --seed 3 --bert bert -o words.pkl"
    done
    compare msa-synth "$work"/data/{old,new}
    sims=$work/data/old/sims.pkl mosi=$work/data/old/mosi.pkl words=$work/data/old/words.pkl bert=$work/data/old/bert
}

lines() {
    local unimodal='stages: encode predict loss metrics backprop'
    variant defaults "$sims" 'load: --epochs 1'
    variant dropout "$sims" "${small[@]}"
    resumed 7
    variant no-dropout "$sims" "$short" 'encode: --dim 32 --heads 4 --dropout 0' 'decompose: --dropout 0'
    variant within-an-epoch "$mosi" "${small[@]}" 'load: --validate-every 2 --fraction .8 --no-shuffle' \
        'metrics: --patience 3 --select-after 1' 'backprop: --schedule constant --lr 1e-3'
    resumed 8 # in the third epoch, the first one with weights that GDWG has changed
    variant mosi "$mosi" "${small[@]}" 'predict: --classes 7' 'encode: --layers text=2,vision=1,audio=3'
    variant standardize "$mosi" "${small[@]}" 'load: --standardize'
    variant only "$sims" "${small[@]}" 'encode: --only text,audio'
    variant drop "$sims" "${small[@]}" 'data: --drop audio'
    variant tasks "$sims" "${small[@]}" 'loss: --tasks msr,msc,uni --regression l1 --weights msr=.7,uni=.2' \
        'gdwg: --tasks msr,uni'
    variant ntxent "$sims" "${small[@]}" 'loss: --contrast ntxent --tau-m .2 --phi .5' 'gdwg: --tau .5 --stage-steps 2'
    variant no-gdwg "$mosi" "${small[@]}" 'loss: --contrast ntxent-pml --regression mse' \
        'stages: encode decompose predict loss metrics backprop'
    resumed 8
    variant sgd "$sims" "${small[@]}" 'backprop: --optimizer sgd --momentum .9 --lr 1e-2' 'encode: --lr-scale .5 --keep'
    for modality in text vision; do # as pipelines/pretrain has it
        variant "alone-$modality" "$sims" "${small[@]}" "data: --label $modality" "encode: --only $modality" "$unimodal" \
            'predict: --head unimodal' 'loss: --tasks msr --regression mse' "backprop: ${optimizer[$modality]}"
        resumed 7
    done
    encoder=$here/old/encode.safetensors
    [ ! -e "$encoder" ] || variant encoders "$sims" "${small[@]}" "predict: --freeze '*.bias'" \
        "encode: --init ${encoder@Q} --freeze 'vision_encoder.*' --freeze 'text*@1'"
    variant bert "$words" "$short" "encode: --text bert --bert ${bert@Q} --freeze 'text_encoder.extractor.*@1'"
    variant bert-alone "$words" "$short" "encode: --only text --text bert --bert ${bert@Q} --pool mean" "$unimodal" \
        'predict: --head unimodal' 'loss: --tasks msr'
    devices
    ! wanted kept || kept
    ! wanted tokens || tokens
}

# Kernels of the processor's lower levels, and those that only tests have: emulated where both sides have built it, here and in
# build/against/COMMIT, by make lib/msa-emulated.so.
devices() {
    local device library
    for device in cpu:base cpu:v3 'test' emulated; do
        library=lib/msa-${device/:/-}.so
        [[ ! -e $root/$library || ! -e $old/$library ]] ||
            variant "device-$device" "$sims" "${small[@]}" "all: --device $device"
    done
}

# A stream that the older programs have kept is the data set.
kept() {
    local line="msa-load $compute ${mosi@Q} | msa-encode $compute -p ../encode/encode.safetensors"
    as old "$work/features/encode" "msa-load $compute --train --epochs 1 ${mosi@Q} | msa-encode $compute --dim 32 --heads 4 \
        -p encode.safetensors | msa-decompose $compute -p d.safetensors | msa-predict $compute -p p.safetensors |
        msa-loss $compute | msa-backprop $compute"
    both features "$work"/features/{old,new} "$line -o features.msa" || return 0
    compare features "$work"/features/{old,new}
    variant kept "$work/features/old/features.msa" "$short" 'stages: decompose predict loss gdwg metrics backprop'
}

# Text into ids, and into vectors by BERT as it came.
tokens() {
    both tokens "$work"/tokens/{old,new} "echo 'I loved the film, which was not as bad as I had thought.' |
        msa-tokenize $compute --lines --vocab ${bert@Q}/vocab.txt --length 12 |
        msa-encode $compute --text bert --bert ${bert@Q} --pool none -o tokens.msa" || return 0
    compare tokens "$work"/tokens/{old,new}
}

# What the scripts leave, each with its own programs, and what both say of the older run.
pipelines() {
    local options='--epochs 2 --batch 16 --threads 1 --device cpu --heads 2 --quiet' of='../../old/run' here=$work/pipelines
    both pipelines "$here"/{old,new} "\"\$PIPELINES\"/pretrain ${words@Q} encoders --bert ${bert@Q} $options --text-batch 8 &&
        \"\$PIPELINES\"/train ${words@Q} run --encoders encoders $options --dropout .3" || return 0
    compare pipelines "$here"/{old,new}
    both 'pipelines of an older run' "$here"/said/{old,new} "
        \"\$PIPELINES\"/evaluate $of ${words@Q} --predictions predictions.tsv --tsv --threads 1 --device cpu >evaluate.tsv &&
        \"\$PIPELINES\"/evaluate $of ${words@Q} all --drop audio --tsv --threads 1 --device cpu >drop.tsv &&
        \"\$PIPELINES\"/predict $of ${words@Q} --threads 1 --device cpu >predict.tsv &&
        echo 'I loved it.' | \"\$PIPELINES\"/predict $of --text - --quiet --threads 1 --device cpu >text.tsv &&
        \"\$PIPELINES\"/report $of --tsv >report.tsv" || return 0
    compare 'pipelines of an older run' "$here"/said/{old,new}
}

# given DATASET: some four steps with all defaults, and more of a small network, which is killed.
given() {
    local title=given-${1##*/} share
    share=$("${bin[new]}/msa-load" --info "$1" | awk '$1 == "train" { print ($2 > 64 ? 64 / $2 : 1); exit }')
    variant "${title%.*}-defaults" "$1" "load: --epochs 1 --batch 16 --fraction $share"
    variant "${title%.*}" "$1" "${small[@]}" "load: --fraction $share --standardize"
    resumed 8
}
