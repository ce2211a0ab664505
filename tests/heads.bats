#!/usr/bin/env bats
# msa-predict: heads on f, of several modalities by themselves, classes and ranges of any head; stages without parameters.
load helper
load resume.bash

MODELS=$BATS_TEST_DIRNAME/golden/models
export PYTHONPATH=$BATS_TEST_DIRNAME/interop

# vectors MODEL NAME...: puts these tensors of the model's first batch into records.
vectors() {
    local model=$1
    shift
    echo "$PYTHON $ROOT/tests/interop/vectors_stage.py $MODELS/$model/forward0.safetensors $*"
}

# first_step MODEL DEVICE NAME...: of a golden trajectory by msa-predict and msa-loss alone, from these vectors as PyTorch makes
# them: what is made of them, and the gradients (tests/golden.bats).
first_step() {
    local model=$1 device=$2
    shift 2
    rm -rf run && mkdir run
    line "msa-load --train --epochs 2 --batch 5 --no-shuffle --validate-every 1 --state run/state.msa $MODELS/$model/data.pkl |
        $(vectors "$model" "$*") --gradients run/gradients.safetensors | $(golden_part "$model" msa-predict) --device $device |
        msa-dump -t -q --record seen.msa | $(golden_part "$model" msa-loss) --device $device |
        msa-metrics -q --select loss --patience 1 | msa-backprop --lr 0 --beta1 0"
    [ "$status $output" = "0 " ] || { echo "$output" && return 1; }
    "$PYTHON" "$ROOT/tests/golden/first_step.py" forward seen.msa "$MODELS/$model"
    [ "$model" = lmf ] || "$PYTHON" "$ROOT/tests/golden/first_step.py" gradient run "$MODELS/$model" predict
}

# What goes back to f, and through the last layer of a fusion, f = ReLU(...) or a sum: PyTorch's gradient by its bias.
gradient_of_bias() {
    "$PYTHON" - "$MODELS/$1" "$2" <<'END'
import sys
from parameters import load
golden, name = sys.argv[1:]
f, gradient = load(golden + "/forward0.safetensors")[0]["f"], load("run/gradients.safetensors")[0]["f"]
bias = load(golden + "/fuse.grad0.safetensors")[0][name].ravel()
assert abs((gradient * (f > 0 if len(bias) > 1 else 1)).sum(0) - bias).max() < 1e-6
END
}

# train FILE OPTIONS: a short training of a head on vectors of MODEL's; parameters go to run/FILE, which may be ''.
train() {
    local model=${MODEL:-mlf-dnn}
    line "msa-load --train --epochs 2 --batch 5 $MODELS/$model/data.pkl | $(vectors "$model" "${VECTORS:-f h_text h_vision h_audio}") |
        msa-predict $2 ${1:+-p run/$1} | msa-loss --tasks ${TASKS:-msr} | msa-metrics -q --log run/log.tsv | msa-backprop --lr 1e-2"
}

# What is predicted of the test split, with these options.
evaluate() {
    local model=${MODEL:-mlf-dnn}
    line "msa-load --split test $MODELS/$model/data.pkl | $(vectors "$model" "${VECTORS:-f h_text h_vision h_audio}") |
        msa-predict $1 | msa-metrics --each"
}

names() {
    "$PYTHON" -c 'import parameters, sys; print(*sorted(parameters.load(sys.argv[1])[0]))' "$1"
}

# What is killed and resumed (resume.bash).
# shellcheck disable=SC2153 # HEAD is what a test sets
training() {
    local model=${MODEL:-mlf-dnn}
    echo "msa-load --train --epochs 30 --batch 5 --seed 3 --validate-every 2 --state run/state.msa ${1-} $MODELS/$model/data.pkl |
        $(vectors "$model" "${VECTORS:-f h_text h_vision h_audio}") | msa-predict $HEAD | msa-loss --tasks ${TASKS:-msr} |
        msa-metrics -q --select loss --log run/metrics.tsv | msa-backprop --lr 1e-3 --log run/steps.tsv"
}

@test "the first step of the six golden trajectories: what heads make of PyTorch's vectors, and their gradients" {
    for device in cpu emulated; do
        for model in lf-dnn tfn mlf-dnn mtfn; do
            first_step $model $device f h_text h_vision h_audio
            gradient_of_bias $model post_fusion_layer_1.bias
        done
        first_step mfn $device f
        first_step lmf $device f h_text h_vision h_audio
        gradient_of_bias lmf fusion_bias
        [ "$(ls run)" = "$(printf '%s\n' gradients.safetensors state.msa)" ]
    done
}

@test "classes beside a head change nothing of it; evaluation takes all of a head from its parameters" {
    mlp="--head mlp --hidden 12,8 --activation tanh --each 6 --range -2,2 --dropout .3"
    train plain "$mlp"
    train classes "$mlp --classes 5"
    "$PYTHON" - <<'END'
from parameters import load
(plain, _), (both, notes) = load("run/plain"), load("run/classes")
assert set(both) - set(plain) == {"classes.weight", "classes.bias"} and both["classes.weight"].shape == (5, 8)
assert all((both[name] == x).all() for name, x in plain.items()), "y depends on classes"
found = {key: notes.get(key) for key in ("head", "hidden", "names", "activation", "range", "classes", "each.audio", "dropout.hidden")}
assert list(found.values()) == ["mlp", "12,8", "post_fusion_layer_2,post_fusion_layer_3,post_fusion_layer_4", "tanh", "-2,2",
                                "5", "6", "0.3"], found
END
    evaluate "-p run/plain"
    plain=$output
    evaluate "-p run/classes"
    [ "$(cut -f 1-4,7- <<<"$output")" = "$(cut -f 1-4,7- <<<"$plain")" ]
    [ "$(head -n 1 <<<"$output" | cut -f 5-)" = "$(printf 'class\tprobability\ty_text\ty_vision\ty_audio')" ]
    [ "$(cut -f 5 <<<"${lines[1]}")" != "$(cut -f 5 <<<"$plain" | sed -n 2p)" ]
    evaluate "-p run/classes ${mlp% --dropout*} --classes 5 --names post_fusion_layer_2,post_fusion_layer_3,post_fusion_layer_4"
    [ "$status" -eq 0 ]
    for wrong in "--hidden 12|--hidden: 12 given but run/plain has 12,8" "--activation relu|--activation: relu given but run/plain has tanh" \
        "--range -3,3|--range: -3,3 given but run/plain has -2,2" "--classes 5|--classes: 5 given but run/plain has none" \
        "--each text=7|--each.text: 7 given but run/plain has 6" "--head none|--head: none given but run/plain has mlp"; do
        evaluate "-p run/plain ${wrong%%|*}"
        [ "$output" = "msa-predict: ${wrong#*|}" ] || { echo "$output" && false; }
        [ "$(cut -d ' ' -f 4 statuses)" -eq 2 ]
    done
}

@test "DMMSA's heads without the classifier: the same initial values and predictions; evaluation takes it from the parameters" {
    for classes in 3 0; do
        line "msa-load --train --epochs 1 --batch 9 $GOLDEN/data.pkl | $(golden_encode) -f | $(golden_decompose) -f |
            msa-predict --classes $classes -p run/$classes | msa-loss --tasks msr | msa-backprop --lr 1e-2"
        [ "$status $output" = "0 " ] || { echo "$output" && false; }
        line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p run/encode.safetensors |
            msa-decompose -p run/decompose.safetensors | msa-predict -p run/$classes | msa-metrics --predictions run/$classes.tsv"
        [ "$status" -eq 0 ]
    done
    [ "$(names run/3 | tr ' ' '\n' | grep -v classifier)" = "$(names run/0 | tr ' ' '\n')" ]
    diff <(cut -f 1-4 run/3.tsv) <(cut -f 1-4 run/0.tsv)
    line "msa-load --split test $GOLDEN/data.pkl | msa-encode -p run/encode.safetensors |
        msa-decompose -p run/decompose.safetensors | msa-predict --classes 5 -p run/0 | msa-metrics"
    [ "$output" = "msa-predict: --classes: 5 given but run/0 has 0" ]
}

@test "MSC learns on every head: logits of its last vector, or of f" {
    while IFS='|' read -r head MODEL VECTORS width; do
        TASKS=msr,msc train "${head%% *}" "--head $head --classes 3"
        [ "$status $output" = "0 " ] || { echo "$output" && false; }
        [[ $(names "run/${head%% *}") == *"classes.bias classes.weight"* ]]
        "$PYTHON" -c 'import parameters, sys; assert parameters.load(sys.argv[1])[0]["classes.weight"].shape == (3, int(sys.argv[2]))' \
            "run/${head%% *}" "$width"
        awk -F '\t' 'NR == 1 { while ($(++at) != "msc"); } $2 == "train" { if (first) exit !($at < first); first = $at }' run/log.tsv
    done <<'END'
mlp --hidden 8|mlf-dnn|f|8
unimodal|mlf-dnn|h_text|2
linear|mlf-dnn|f|19
none|lmf|f|1
END
}

@test "one line says what a head cannot be" {
    refused() { # OPTIONS|STATUS|LINE, with vectors f, h_text and so on unless they are named
        train p "$1"
        [[ $output = "msa-predict: $3" && $(cut -d ' ' -f 4 statuses) = "$2" ]] || { echo "$1: $output" && return 1; }
        [ ! -e run/p ]
    }
    refused "--head mlp --hidden 8,0" 2 "--hidden: '8,0' is not 1 to 8 widths from 1 to 65536"
    refused "--head mlp --hidden 1,2,3,4,5,6,7,8,9" 2 "--hidden: '1,2,3,4,5,6,7,8,9' is not 1 to 8 widths from 1 to 65536"
    refused "--head mlp --names a,b,c" 2 "--names: 'a,b,c' is not 2 names, of 1 to 128 bytes each, for 2 layers"
    refused "--head mlp --names a," 2 "--names: 'a,' is not 2 names, of 1 to 128 bytes each, for 2 layers"
    refused "--head mlp --names a,a" 2 "two parameters are called 'a.weight'"
    refused "--head mlp --range 3,-3" 2 "--range: '3,-3' is not LO,HI, two numbers from -1000000000 to 1000000000, the lower one first"
    refused "--head mlp --range 1,1.00000001" 2 "--range: '1,1.00000001' is not LO,HI, two numbers from -1000000000 to 1000000000, the lower one first"
    refused "--head mlp --range -1e10,3" 2 "--range: '-1e10,3' is not LO,HI, two numbers from -1000000000 to 1000000000, the lower one first"
    refused "--head mlp --range inf,3" 2 "--range: 'inf,3' is not LO,HI, two numbers from -1000000000 to 1000000000, the lower one first"
    refused "--head mlp --dropout text=.5" 2 "--dropout: hidden is for --head mlp, linear and residual, and text, vision and audio are for --each"
    refused "--head none --hidden 8" 2 "--hidden is for mlp, not for none"
    refused "--head none" 1 "--head none takes f for y, so f must be [B,1], but [B,19] arrives"
    refused "--head joint" 1 "nothing to predict from: no s_* or d_* arrives"
    MODEL=lmf VECTORS=f refused "--head none" 2 "-p 'run/p': these networks have no parameters"
    MODEL=lmf VECTORS=f refused "--head none --each 4" 1 "--each predicts from h_*, and none arrives that it names"
    MODEL=lmf VECTORS=f refused "--head none --dropout .5" 2 \
        "--dropout: hidden is for --head mlp, linear and residual, and text, vision and audio are for --each"
    VECTORS=h_text refused "--head mlp" 1 "nothing to predict from: no f arrives (msa-fuse makes it)"
    train '' "--head mlp"
    [ "$output" = "msa-predict: training needs -p FILE, where the parameters go" ]
    evaluate "--head mlp"
    [ "$output" = "msa-predict: evaluation needs -p FILE, the parameters" ]
}

@test "a file that has noted nothing is of the head that is named, with all that it is said to have" {
    local head='--head mlp --hidden 8 --range -3,3 --each audio=6'
    train p "$head"
    evaluate "-p run/p"
    noted=$output
    "$PYTHON" -c 'import parameters; parameters.save("run/bare", parameters.load("run/p")[0], {})'
    evaluate "-p run/bare $head"
    [ "$output" = "$noted" ]
}

@test "notes of a file that no training makes are one line" {
    train p "--head mlp --hidden 8 --range -2,2 --each audio=6"
    cp run/p good
    noted() { # KEY VALUE LINE [VECTORS]
        "$PYTHON" -c 'import parameters, sys
tensors, notes = parameters.load("good")
notes[sys.argv[1]] = sys.argv[2]
parameters.save("run/p", tensors, notes)' "$1" "$2"
        VECTORS=${4-} evaluate "-p run/p -q"
        [[ $output = "msa-predict: $3" && $(cut -d ' ' -f 4 statuses) -eq 3 ]] || { echo "$output" && return 1; }
    }
    noted hidden 8, "run/p: 'hidden': '8,' is not 1 to 8 widths from 1 to 65536"
    noted hidden 9999999 "run/p: 'hidden': '9999999' is not 1 to 8 widths from 1 to 65536"
    noted names a "run/p: 'names': 'a' is not 2 names, of 1 to 128 bytes each, for 2 layers"
    noted activation sine "run/p: 'activation' is 'sine', which is not known"
    noted range 2 "run/p: 'range': '2' is not LO,HI, two numbers from -1000000000 to 1000000000, the lower one first"
    noted each.audio 0 "run/p: 'each.audio' is '0' but expected a number from 1 to 65536"
    noted each.audio 7 "run/p: tensor 'post_audio_layer_1.weight': shape [6,18] but expected [7,18]"
    noted each.text 6 "run/p: no tensor 'post_text_layer_1.weight', expected with shape [6,16]"
    noted each.text 6 "run/p: no tensor 'post_text_layer_1.weight' of two dimensions" f
    noted classes 5 "run/p: no tensor 'classes.weight', expected with shape [5,8]"
}

@test "auto is mlp where f arrives, as wide as that; in evaluation f must arrive, and has its width" {
    VECTORS=f train p ''
    [ "$status $output" = "0 " ] || { echo "$output" && false; }
    [ "$(names run/p)" = "post_fusion_layer_2.bias post_fusion_layer_2.weight post_fusion_layer_3.bias \
post_fusion_layer_3.weight" ]
    VECTORS=h_text evaluate "-p run/p"
    [ "$output" = "msa-predict: nothing to predict from: no f arrives (msa-fuse makes it)" ]
    MODEL=lmf VECTORS=f evaluate "-p run/p -q"
    [ "$output" = "msa-predict: run/p: tensor 'post_fusion_layer_2.weight': shape [19,19] but expected [19,1]" ]
    [ "$(cut -d ' ' -f 4 statuses)" -eq 3 ]
}

@test "without parameters a stage evaluates by itself, f for y or between bounds" {
    local MODEL=lmf VECTORS=f
    evaluate "--head none"
    [ "$status" -eq 0 ]
    cut -f 4 <<<"$output" | tail -n +2 >plain
    evaluate "--head none --range -1,1 --threads 1"
    cut -f 4 <<<"$output" | tail -n +2 | paste plain - |
        awk '{ d = 2 / (1 + exp(-$1)) - 1 - $2; n++; if (d > 1e-6 || d < -1e-6) exit 1 } END { exit n != 8 }'
}

@test "a training of heads is killed and goes on to the same bytes, with or without parameters" {
    killed() {
        rm -rf whole killed
        undisturbed
        begin killed --resume
        steps killed 30
        kill_one msa-predict
        [ -e killed/run/state.msa ]
        line "cd killed; $(training --resume)"
        [ "$status $output" = "0 " ] || { echo "$output" && return 1; }
        diff -r {whole,killed}/run
    }
    HEAD="--head mlp --hidden 8 --activation gelu --each 6 --dropout .3 --classes 3 -p run/p" TASKS=msr,msc,each killed
    HEAD="--head none" MODEL=lmf VECTORS=f killed
    [ "$(ls killed/run)" = "$(printf '%s\n' metrics.tsv state.msa steps.tsv)" ]
}

@test "what is resumed must have the head that it had, with parameters or without" {
    local MODEL=lmf VECTORS=f
    HEAD="--head none"
    line "$(training | sed 's/--epochs 30/--epochs 2/')"
    [ "$status" -eq 0 ]
    other() {
        HEAD=$1 line "$(HEAD=$1 training --resume | sed 's/--epochs 30/--epochs 2/')"
        [[ $output = "msa-predict: $2" && $(cut -d ' ' -f 4 statuses) -eq 2 ]] || { echo "$output" && return 1; }
    }
    other "--head none --range -1,1" "what is to be resumed was trained without range, and not with -1,1"
    other "--head none --classes 3 -p run/p" "what is to be resumed has no parameters here, and now there are some"
    rm -r run && mkdir run
    HEAD="--head none --classes 3 -p run/p" TASKS=msr,msc line "$(HEAD="--head none --classes 3 -p run/p" training | sed 's/--epochs 30/--epochs 2/')"
    [ "$status" -eq 0 ]
    other "--head none" "what is to be resumed has parameters here, and now there are none"
}
