#!/usr/bin/env bats
# What a training cannot be resumed with: other settings, other data, another line, a commit or logs that are not its own.
load helper
load resume.bash

export EPOCHS=2 # 8 steps, 4 checkpoints

# refused SED LINE: the line changed by SED cannot resume, with that message, what the unchanged one began.
refused() {
    line "cd again; $(training --resume | sed "$1")"
    [ "$status" -ne 0 ]
    [[ $output == "$2"* ]] || { echo "$output" && return 1; }
    [ "$(wc -l <<<"$output")" -eq 1 ]
    diff -r {whole,again}/run
}

@test "a training cannot be resumed with other settings" {
    undisturbed
    cp -a whole again
    local began="the training that is to be resumed began with"
    refused 's/--seed 3/--seed 4/' "msa-load: $began seed 3, and not with 4"
    refused 's/--batch 5/--batch 5 --drop audio/' "msa-load: $began drop '', and not with 'audio'"
    refused 's/--batch 5/--batch 5 --label text/' "msa-load: $began label 'joint', and not with 'text'"
    refused 's/--epochs 2/--epochs 3/' "msa-load: $began epochs 2, and not with 3"
    refused 's/--dropout 0.3/--dropout 0.4/' "msa-encode: run/encode.safetensors.4 was trained with dropout 0.3, and not with 0.4"
    refused 's/--dim 16/--dim 32/' "msa-encode: run/encode.safetensors.4 was trained with dim 16, and not with 32"
    refused 's/--dim 16/--dim 16 --only text,audio/' "msa-encode: run/encode.safetensors.4 was trained with modalities text,vision,audio, and not with text,audio"
    refused 's/msa-predict/& --freeze T\*/' "msa-predict: run/predict.safetensors.4 was trained with freeze "
    refused 's/msa-predict/& --lr-scale 1.0000001/' "msa-predict: run/predict.safetensors.4 was trained with lr-scale 1, and not with 1.0000001"
    refused 's/--dropout 0.3/--dropout 0.30000001/' "msa-encode: run/encode.safetensors.4 was trained with dropout 0.3, and not with 0.30000001"
    refused 's/--lr 1e-3/--lr .00100000000001/' "msa-backprop: $began lr 0.001, and not with 0.00100000000001"
    refused 's/msa-gdwg/& --tau 2/' "msa-gdwg: $began tau 1, and not with 2"
    refused 's/--select mae/--select corr/' "msa-metrics: $began select 'mae', and not with 'corr'"
    refused 's/--lr 1e-3/--lr 1e-4/' "msa-backprop: $began lr 0.001, and not with 0.0001"
    refused 's/--lr 1e-3/& --optimizer sgd/' "msa-backprop: $began optimizer 'adamw', and not with 'sgd'"
    refused 's/--lr 1e-3/& --amsgrad/' "msa-backprop: $began amsgrad false, and not with true"
    refused 's/msa-predict/& --lr-scale \*.bias=1/' "msa-predict: run/predict.safetensors.4 was trained with lr-scale 1, and not with *.bias=1"
    refused 's/msa-predict/& --decay .01/' "msa-predict: run/predict.safetensors.4 was trained without decay, and not with 0.01"
    refused 's/--lr 1e-3/& --accumulate 2/' "msa-backprop: ${began% with} without accumulate, and not with 2"
    refused 's/--lr 1e-3/& --clip-value 1/' "msa-backprop: ${began% with} without clip-value, and not with 1"
    rm -rf whole again
    OPTIMIZER='--accumulate 2' undisturbed
    cp -a whole again
    refused '' "msa-backprop: $began accumulate 2, and not without it"
    rm -rf again/run
    mkdir again/run
    line "cd again; $(training | sed 's/msa-predict/& --decay .01/')"
    [ "$status" -eq 0 ]
    rm -rf whole
    cp -a again whole
    refused '' "msa-predict: run/predict.safetensors.4 was trained with decay 0.01, and not without it"
}

@test "nor with --log left out, or given where there was none" {
    undisturbed
    cp -a whole again
    local known="the training that is to be resumed has" begun
    refused 's/--log run.metrics.tsv//' "msa-metrics: $known a log in a file: give its --log too"
    refused 's/--log run.steps.tsv//' "msa-backprop: $known a log in a file: give its --log too"
    refused 's/--log run.steps.tsv/--log \/dev\/null/' "msa-backprop: $known a log in a file: give its --log too"
    rm -rf whole again
    training() {
        ROOT=$ROOT bash -c ". '$BATS_TEST_DIRNAME/resume.bash'; training \"\$@\"" - "$@" |
            sed 's/--log run.metrics.tsv//; s/--log run.steps.tsv/--log \/dev\/null/'
    }
    undisturbed
    cp -a whole again
    refused 's/msa-metrics/& --log run\/metrics.tsv/' "msa-metrics: $known no log in a file: leave --log 'run/metrics.tsv' out"
    refused 's/--log .dev.null/--log run\/steps.tsv/' "msa-backprop: $known no log in a file: leave --log 'run/steps.tsv' out"
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r {whole,again}/run
}

@test "a log that had no row yet at the first checkpoint is one" {
    msa-synth --samples 20,0,0 -o train.pkl
    export SELECT='' DATA=../train.pkl
    undisturbed
    mkdir -p again/run
    begun=$(training)
    line "cd again; ${begun/msa-gdwg/"$(at_step 3 'os.killpg(0, 9)') | msa-gdwg"}"
    [ "$status" -ne 0 ]
    [ "$(wc -l <again/run/metrics.tsv)" -eq 1 ]
    line "cd again; $(training --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r {whole,again}/run
}

@test "nor with losses that the logs have no columns for, which is said before anything is written" {
    local mine begun
    mine=$(forge 'if kind == "D": body["loss"]["mine"] = 1.')
    mkdir -p again/run
    begun=$(training)
    line "cd again; ${begun/msa-gdwg/"$(at_step 5 'os.killpg(0, 9)') | msa-gdwg"}"
    cp -a again whole
    begun=$(training --resume)
    for expected in "msa-metrics: cannot go on with 'run/metrics.tsv': column 8 is 'acc2' but expected 'mine'" \
        "msa-backprop: cannot go on with 'run/steps.tsv': column 8 is 'w_msr' but expected 'mine'"; do
        line "cd again; ${begun/${expected%%:*}/"$mine | ${expected%%:*}"}"
        [ "$output" = "$expected" ] || { echo "$output" && return 1; }
        [[ " $(cut -d " " -f 2- again/statuses) " == *" 2 "* ]]
        rm again/statuses
        diff -r -x '.*.lock' {whole,again}/run
    done
    rm -r whole
    undisturbed
    line "cd again; $begun"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r {whole,again}/run
}

@test "nor without what it goes on from" {
    undisturbed
    cp -a whole complete
    cp -a whole again
    rm {whole,again}/run/decompose.safetensors.4
    refused '' "msa-decompose: cannot read 'run/decompose.safetensors.4': No such file or directory"
    cp complete/run/decompose.safetensors.4 whole/run
    cp complete/run/decompose.safetensors.4 again/run
    head -c 100 complete/run/state.msa | tee whole/run/state.msa >again/run/state.msa
    refused '' "msa-load: run/state.msa: the file was cut off"
    cp complete/run/encode.safetensors whole/run/state.msa
    cp complete/run/encode.safetensors again/run/state.msa
    refused '' "msa-load: cannot write 'run/state.msa': a commit may not replace a safetensors file"
    line "msa-load --train --resume $GOLDEN/data.pkl | msa-dump"
    [[ $output == *"--resume needs --state FILE"* ]]
    [ "$(cat statuses)" = "5 2 5" ]
}

@test "a log that is shorter than what was committed of it" {
    EPOCHS=40 begin killed
    steps killed 20
    kill_one msa-load
    head -n 3 killed/run/steps.tsv >short
    cp short killed/run/steps.tsv
    line "cd killed; $(EPOCHS=40 training --resume)"
    [ "$status" -ne 0 ]
    [[ $output == "msa-backprop: cannot go on with 'run/steps.tsv': "*" bytes but expected at least "* ]]
}

@test "so it is of a training that had finished" {
    undisturbed
    cp -a whole again
    for log in metrics steps; do
        head -n 3 whole/run/$log.tsv >again/run/$log.tsv
        line "cd again; $(training --resume)"
        [ "$status" -ne 0 ]
        [[ $output == "msa-"*": cannot go on with 'run/$log.tsv': "*" bytes but expected at least "* ]]
        cp {whole,again}/run/$log.tsv
        rm again/run/$log.tsv
        line "cd again; $(training --resume)"
        [[ $output == "msa-"*": cannot go on with 'run/$log.tsv': 0 bytes but expected at least "* ]]
        cp {whole,again}/run/$log.tsv
    done
}

@test "the settings of msa-loss, which keeps nothing, are those that it began with" {
    undisturbed
    cp -a whole again
    local began="msa-loss: the training that is to be resumed began with"
    refused 's/msa-loss/& --phi 2/' "$began phi 1, and not with 2"
    refused 's/msa-loss/& --tasks msr,uni/' "$began tasks 'msr,msc,uni,cl', and not with 'msr,uni'"
    refused 's/msa-loss/& --contrast ntxent/' "$began contrast 'mntx', and not with 'ntxent'"
    refused "s|msa-loss|$PYTHON $ROOT/tests/interop/loss_stage.py|" \
        "msa-backprop: the training that is to be resumed has msa-loss as stage 5, which is not in this line"
}

@test "stages that keep something stand in the order in which it began; others come and go" {
    undisturbed
    cp -a whole again
    refused 's/msa-gdwg | \(msa-metrics .*\) | msa-backprop/\1 | msa-gdwg | msa-backprop/' \
        "msa-backprop: the training that is to be resumed has msa-metrics as stage 7, after msa-gdwg, and not before it as in this line"
    [[ "$(cat again/statuses)" == *" 2" ]]
    line "cd again; $(training --resume | sed 's/msa-gdwg/msa-dump -t --report \/dev\/null | &/')"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    diff -r {whole,again}/run
}

@test "data of the same size with another id or label" {
    msa-load -o data.msa "$GOLDEN/data.pkl"
    DATA=../data.msa undisturbed
    cp -a whole again
    other() {
        "$PYTHON" "$ROOT/tests/forge.py" "if kind == 'D' and body['split'] == '$1': $2" <data.msa >other.msa
        DATA=../other.msa refused '' "msa-load: the training that is to be resumed began with CRC-32 of $1 ids and labels "
    }
    other train "body['id'][0] = 'another'"
    other valid "body['id'].reverse()"
    other train "tensors['label'] = -tensors['label']"
    other valid "tensors['label_audio'] = tensors['label_audio'] / 2"
    other() {
        "$PYTHON" "$ROOT/tests/forge.py" "if kind == 'D' and body['split'] == '$1': $2" <data.msa >other.msa
    }
    other test "body['id'][0] = 'another'"
    DATA=../other.msa line "cd again; $(DATA=../other.msa training --resume)"
    [ "$status" -eq 0 ]
}

@test "a state with a value of another type or out of its range" {
    undisturbed
    cp -a whole again
    wrong() {
        "$PYTHON" "$ROOT/tests/forge.py" "if kind == 'C': $2" <whole/run/state.msa >again/run/state.msa
        line "cd again; $(training --resume)"
        [ "$output" = "$3" ] || { echo "$2: $output" && return 1; }
        [ "$(cut -d ' ' -f $(($1 + 1)) again/statuses)" -eq 3 ]
    }
    local state="header: the state to be resumed:" commit="msa-load: run/state.msa: frame 1:"
    wrong 1 "body['best'] = 1" "$commit 'best' is not true or false"
    wrong 1 "body['stop'] = 'no'" "$commit 'stop' is not true or false"
    wrong 1 "body['finite'] = 0" "$commit 'finite' is not true or false"
    wrong 1 "body['state'] = []" "$commit 'state' is not a map"
    wrong 1 "body['step'] = 9" "$commit not the commit of a training: 'step' is 9 but expected 1 to 8"
    wrong 1 "body['step'] = 7.0" "$commit 'step' is no whole number from 1"
    wrong 1 "del body['step']" "$commit not the commit of a training: 'step' is 0 but expected 1 to 8"
    wrong 1 "body['epoch'] = 3" "$commit not the commit of a training: 'epoch' is 3 but expected 1 to 2"
    wrong 1 "body['checkpoint'] = 9" "$commit not the commit of a training: 'checkpoint' is 9 but expected 1 to 8"
    wrong 1 "body['state']['msa-gdwg'] = {}" "msa-load: $state a key is not NUMBER:PROGRAM"
    wrong 6 "body['state']['6:msa-gdwg'] = []" "msa-gdwg: $state 'msa-gdwg' is no map"
    wrong 6 "body['state']['6:msa-gdwg']['tasks'] = 1" "msa-gdwg: $state 'tasks' is no map"
    wrong 6 "body['state']['6:msa-gdwg']['tasks']['cl'] = 1" "msa-gdwg: $state 'sum' is no number"
    wrong 6 "body['state']['6:msa-gdwg']['steps'] = 1e300" "msa-gdwg: $state 'steps' is no whole number from 0 to 2^53"
    wrong 7 "body['state']['7:msa-metrics']['splits'] = 1" "msa-metrics: $state 'splits' is no map"
    wrong 7 "body['state']['7:msa-metrics']['best'] = True" "msa-metrics: $state 'best' is no number"
    wrong 7 "body['state']['7:msa-metrics']['waited'] = -1" "msa-metrics: $state 'waited' is no whole number from 0 to 2^53"
    wrong 7 "body['state']['7:msa-metrics']['numbered'] = 1" "msa-metrics: $state 'numbered' is no true or false"
    wrong 8 "body['state']['8:msa-backprop']['kept'] = -1" "msa-backprop: $state 'kept' is no whole number from 0 to 2^53"
    wrong 8 "body['state']['8:msa-backprop']['log'] = 2**60" "msa-backprop: $state 'log' is no whole number from 0 to 2^53"
}

@test "of two stages of one program each goes on as itself, or the training does not" {
    twice() { training "$@" | sed 's/msa-gdwg/msa-gdwg --tasks msr,msc | msa-gdwg/'; }
    mkdir -p whole/run
    line "cd whole; $(twice)"
    [ "$status" -eq 0 ]
    cp -a whole again
    line "cd again; $(twice --resume)"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
    local known="the training that is to be resumed has"
    look='msa-dump -t --report \/dev\/null'
    line "cd again; $(twice --resume | sed "s/msa-loss/$look | &/")"
    [ "$status" -ne 0 ]
    [ "$output" = "msa-gdwg: $known 2 times msa-gdwg, and other programs before them: which of them is stage 7?" ]
    line "cd again; $(twice --resume | sed "s/msa-gdwg --tasks msr,msc |/& $look |/")"
    [ "$output" = "msa-gdwg: $known 2 times msa-gdwg, and other programs before them: which of them is stage 8?" ]
    line "cd again; $(twice --resume | sed 's/| msa-gdwg |/|/')"
    [[ $output == "msa-backprop: $known msa-gdwg as stage "*", which is not in this line" ]]
    diff -r {whole,again}/run
}
