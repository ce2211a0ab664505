#!/usr/bin/env bats
# What msa-synth(1) promises of its data: the three modalities together are far better than each alone, and calm is
# learned by classes.
load helper

# of_json KEY: its number in $output.
of_json() {
    grep -o "\"$1\": *[0-9.]*" <<<"$output" | grep -o '[0-9.]*$'
}

# judged [--only MODALITY]: trains the line of the man page with that option of msa-encode, for EPOCHS and with TASKS where
# those are set, judges the test split.
judged() {
    rm -rf run && mkdir run
    LIMIT=200 line "msa-load --train --epochs ${EPOCHS:-20} data.pkl | msa-encode -p run/e --dim 32 --heads 4 \
        --layers text=1,vision=1,audio=1 --dropout 0.1 $* | msa-decompose -p run/d --dropout 0.1 |
        msa-predict -p run/p | msa-loss -q --tasks ${TASKS:-msr,msc,uni,cl} | msa-gdwg -q | msa-metrics -q --select mae | msa-backprop --lr 1e-3"
    [ "$status" -eq 0 ]
    line "msa-load --split test data.pkl | msa-encode -p run/e | msa-decompose -p run/d | msa-predict -p run/p | msa-metrics --json"
    [ "$status" -eq 0 ]
    mae=$(of_json mae)
    corr=$(of_json corr)
    acc3=$(of_json acc3)
    echo "$*: mae $mae corr $corr acc3 $acc3"
}

@test "together, and each alone" {
    msa-synth -o data.pkl
    judged
    awk -v mae="$mae" -v corr="$corr" 'BEGIN { exit !(mae < 0.20 && corr > 0.90) }'
    for modality in text vision audio; do
        judged --only $modality
        awk -v mae="$mae" -v corr="$corr" 'BEGIN { exit !(mae > 0.40 && corr < 0.56) }'
    done
}

@test "calm samples, with the classification task and without" {
    msa-synth --calm 0.3 --noise 1 -o data.pkl
    export EPOCHS=12
    judged
    with=$mae
    awk -v acc3="$acc3" 'BEGIN { exit !(acc3 > 0.72) }'
    TASKS=msr,uni,cl judged
    awk -v acc3="$acc3" -v with="$with" -v without="$mae" 'BEGIN { exit !(acc3 < 0.70 && with < without - 0.01) }'
}
