#!/usr/bin/env bats
# msa-fuse: gradients, what each way makes of frames and vectors, modalities that are missing, resuming, refusals. The numbers
# of golden lines are in models.bats.
load helper
load resume.bash

MODELS=$BATS_TEST_DIRNAME/golden/models
MEMORY='memory --hidden text=3,vision=4,audio=5 --memory 6 --width att1=7,att2=8,gamma1=9,gamma2=10'

# Puts vectors of PyTorch's into records: h_audio [B,18], h_text [B,16], h_vision [B,17], or those that are named.
vectors() {
    echo "$PYTHON $ROOT/tests/interop/vectors_stage.py $MODELS/mlf-dnn/forward0.safetensors ${*-h_audio h_text h_vision}"
}
vector_data=$MODELS/mlf-dnn/data.pkl

# A loss of f that has a gradient.
scalar_loss() {
    echo "$PYTHON $ROOT/tests/interop/scalar_stage.py f"
}

# train FILE STAGES [DATA [options of msa-load]]: a training of two epochs; the last of the stages lacks its -p FILE.
train() {
    line "msa-load --train --epochs 2 --batch 5 ${4-} ${3-$vector_data} | $2 -p $1 | $(scalar_loss) | msa-backprop --lr 1e-2"
    [ "$status $output" = "0 " ] || { echo "$output" && return 1; }
}

# evaluate OUT STAGES [DATA [options of msa-load]]: f of the test split.
evaluate() {
    line "msa-load --split test ${4-} ${3-$vector_data} | $2 -o $1"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

# same ONE OTHER: f in these is the same, to the bit.
same() {
    "$PYTHON" - "$ROOT/tests/interop" "$@" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
from read_stream import frames
one, other = ([body["tensors"]["f"].tobytes() for kind, body in frames(open(name, "rb")) if kind == "D"] for name in sys.argv[2:])
assert one == other
END
}

# refused OPTIONS STATUS LINE [STAGE [DATA]]: msa-fuse, of vectors.
refused() {
    line "msa-load --split test ${5-$vector_data} | ${4-$(vectors)} | msa-fuse $1 -o x.msa"
    [ "$output" = "msa-fuse: $3" ] || { echo "$1: $output" && return 1; }
    [ "$(awk '{ print $NF }' statuses)" -eq "$2" ]
    [ ! -e x.msa ]
}

# Golden samples of MFN with as many frames in each modality.
aligned_data() {
    "$PYTHON" -c "import pickle, sys
class Unpickler(pickle.Unpickler):
    def find_class(self, module, name): return super().find_class(module.replace('numpy._core', 'numpy.core'), name)
data = Unpickler(open('$MODELS/mfn/data.pkl', 'rb')).load()
for split in data.values():
    for name in 'text', 'vision', 'audio': split[name] = split[name][:, :3]
    for name in [name for name in split if name.endswith('_lengths')]: split[name] = [min(n, 3) for n in split[name]]
pickle.dump(data, open('aligned.pkl', 'wb'))"
}

@test "gradients are finite differences of the loss" {
    encode='msa-encode --net dnn --hidden text=4,vision=5,audio=6 --dropout 0 -p e'
    gradient() { # DATA STAGES [NAMES]
        O=$BUILD run "$PYTHON" "$ROOT/tests/gradient" "$1" "$2 -p f | msa-predict --head mlp --activation tanh -p p |
            msa-loss --tasks msr --regression mse" "${3-}"
        [ "$status" -eq 0 ] || { echo "$2: $output" && return 1; }
    }
    gradient "$vector_data" "$encode | msa-fuse concat --out 7 --dropout .3" 'fusion_layer_1|subnet'
    gradient "$vector_data" "$encode | msa-fuse low-rank --rank 3 --out 2 --learn-weights --order text,audio" 'factor|fusion_|subnet'
    gradient "$MODELS/mfn/data.pkl" "msa-fuse $MEMORY --dropout .3" lstm
    gradient "$MODELS/mfn/data.pkl" "msa-fuse $MEMORY --dropout att1=.2,gamma2=.5 --align pool --lengths own" 'att|gamma'
}

@test "memory is what NumPy makes of it, by each way to align, over all frames and each sample's own, of three and of two" {
    aligned_data
    for way in mean none pool; do
        for lengths in all own; do
            data=$MODELS/mfn/data.pkl load=
            [ $way != none ] || data=$PWD/aligned.pkl
            [ $lengths != own ] || load='--drop text'
            run="$way.$lengths"
            train "$run" "msa-fuse $MEMORY --dropout .2 --align $way --lengths $lengths" "$data" "$load"
            evaluate "$run.f.msa" "msa-fuse memory -p $run" "$data" "$load"
            msa-load --split test "$data" -o "$run.in.msa"
        done
    done
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
import numpy as np
from parameters import load
from read_stream import frames

def record(path):
    return next(body["tensors"] for kind, body in frames(open(path, "rb")) if kind == "D")

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def lstm(p, name, x):
    """All cells of one sample, zeros first, and the last h."""
    h = c = np.zeros(p[name + ".weight_hh"].shape[1])
    cells = [c]
    for frame in x:
        i, f, g, o = np.split(p[name + ".weight_ih"] @ frame + p[name + ".bias_ih"] + p[name + ".weight_hh"] @ h + p[name + ".bias_hh"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        cells.append(c)
    return np.array(cells), h

def net(p, name, x):
    return p[name + "_fc2.weight"] @ np.maximum(p[name + "_fc1.weight"] @ x + p[name + "_fc1.bias"], 0) + p[name + "_fc2.bias"]

def pooled(x, steps):
    each = -(-len(x) // steps)
    return np.concatenate([x, np.repeat(x[-1:], each * steps - len(x), 0)]).reshape(steps, each, -1).mean(1)

def fused(p, x, way, own):
    """x: {modality: frames} of one sample, own: how many are its own."""
    first = next(iter(x))
    steps = len(x[first])
    for m in x:
        if m != first and way == "mean":
            x[m] = np.repeat(x[m][:own[m]].mean(0)[None], steps, 0)
        elif way == "pool":
            x[m] = pooled(x[m], steps)
    cells, last = zip(*(lstm(p, {"text": "lstm_l", "audio": "lstm_a", "vision": "lstm_v"}[m], x[m][:own[first]]) for m in x))
    cells, memory = np.concatenate(cells, 1), np.zeros(len(p["att2_fc2.bias"]))
    for before, now in zip(cells, cells[1:]):
        pair = np.concatenate([before, now])
        share = np.exp(net(p, "att1", pair))
        e = share / share.sum() * pair
        seen = np.concatenate([e, memory])
        memory = sigmoid(net(p, "gamma1", seen)) * memory + sigmoid(net(p, "gamma2", seen)) * np.tanh(net(p, "att2", e))
    return np.concatenate([*last, memory])

for way in "mean", "none", "pool":
    for lengths in "all", "own":
        run = f"{way}.{lengths}"
        p, notes = load(run)
        r, f = record(run + ".in.msa"), record(run + ".f.msa")
        assert notes["align"] == way and notes["lengths"] == lengths, notes
        assert notes["order"] == ("text,audio,vision" if lengths == "all" else "audio,vision"), notes
        assert not {"audio", "vision", "audio_lengths"} & f.keys() and ("text" in f) == False
        for i, got in enumerate(f["f"]):
            x = {m: r[m][i].astype("f8") for m in notes["order"].split(",")}
            own = {m: max(1, int(r[m + "_lengths"][i])) if lengths == "own" else len(x[m]) for m in x}
            want = fused({name: v.astype("f8") for name, v in p.items()}, x, way, own)
            assert np.abs(got - want).max() < 2e-6, (run, got, want)
END
}

@test "what does not arrive in evaluation counts as zeros, with a warning" {
    missing() { # HOW OPTIONS: vectors
        train run/f "$(vectors) | msa-fuse $1 $2"
        evaluate zeros.msa "$(vectors) | $(forge 'if kind == "D": tensors["h_audio"] = tensors["h_audio"] * 0') | msa-fuse $1 -p run/f"
        [ -z "$output" ]
        evaluate missing.msa "$(vectors h_text h_vision) | msa-fuse $1 -p run/f"
        [ "$output" = "msa-fuse: warning: of the vectors that run/f is made for, h_audio do not arrive: they count as 0" ]
        same zeros.msa missing.msa
        rm -r run && mkdir run
        train run/f "$(vectors h_vision h_text) | msa-fuse $1 $2" # trained on two, what is beside them passes
        evaluate two.msa "$(vectors h_text h_vision) | msa-fuse $1 -p run/f"
        evaluate three.msa "$(vectors) | msa-fuse $1 -p run/f"
        [ -z "$output" ]
        same two.msa three.msa
        rm -r run && mkdir run
    }
    missing concat '--out 5'
    missing low-rank '--rank 2 --out 3'
    missing tensor '--out 4'
    aligned_data
    train mean "msa-fuse $MEMORY" "$MODELS/mfn/data.pkl"
    train none "msa-fuse $MEMORY --align none" aligned.pkl
    for way in mean none; do
        data=$MODELS/mfn/data.pkl
        [ $way = mean ] || data=aligned.pkl
        for drop in text vision,audio; do
            zero="if kind == \"D\": [tensors.update({m: tensors[m] * 0}) for m in \"$drop\".split(\",\")]"
            # of text, which says how many steps there are, one frame of zeros is left
            [ $way.$drop != mean.text ] || zero="if kind == \"H\": body[\"schema\"][\"text\"][\"shape\"][1] = 1
if kind == \"D\": tensors[\"text\"] = tensors[\"text\"][:, :1] * 0"
            evaluate zeros.msa "$(forge "$zero") | msa-fuse memory -p $way" "$data"
            evaluate missing.msa "msa-fuse memory -p $way" "$data" "--drop $drop"
            [[ $output = "msa-fuse: warning: of the frames that $way is made for, "*" do not arrive: they count as 0" ]]
            same zeros.msa missing.msa
        done
    done
    refused "memory -p mean" 1 "nothing to fuse: none of the frames of text,audio,vision arrives" \
        "$(forge 'if kind == "H": body["schema"] = {k: v for k, v in body["schema"].items() if k not in ("text", "audio", "vision")}')"
}

@test "of a record without samples there is f of none, in training and evaluation" {
    empty=$(forge 'if kind == "D" and (not body["train"] or body["step"] == 1):
    body.update({key: [] for key in ("id", "raw_text") if key in body}, tensors={name: x[:0] for name, x in tensors.items()})')
    for device in cpu emulated; do
        for how in 'concat --out 5' 'tensor --out 4 --dropout .3' 'low-rank --rank 2 --out 3' "$MEMORY"; do
            data=$vector_data before="$(vectors) | $empty"
            [ "$how" != "$MEMORY" ] || data=$MODELS/mfn/data.pkl before=$empty
            train run/f "$before | msa-fuse $how --device $device" "$data"
            evaluate f.msa "$before | msa-fuse ${how%% *} --device $device -p run/f" "$data"
            [[ $(msa-dump f.msa) == *" f "*" <f4[0,"* ]]
            rm run/*
        done
    done
}

@test "vectors in another order: columns of the weights are, and evaluation takes it from the parameters" {
    train p "$(vectors) | msa-fuse concat --out 5 --order text,audio,vision"
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
import numpy as np
from parameters import load, save
tensors, notes = load("p")
assert (notes["order"], notes["widths"], notes["how"]) == ("text,audio,vision", "16,18,17", "concat"), notes
w = tensors["post_fusion_layer_1.weight"]
tensors["post_fusion_layer_1.weight"] = np.concatenate([w[:, 16:34], w[:, 34:], w[:, :16]], 1)
save("converted", tensors, {})
for name, order, widths in ("a", "audio,audio", "18,18"), ("b", "audio,taste", "18,16"), ("c", "audio,text", "18,0"), ("d", "audio", "18,16"):
    save(name, tensors, {"order": order, "widths": widths, "how": "concat"})
END
    for file in a b c d; do
        refused "concat -p $file" 3 "$file: 'order' and 'widths' are no modalities and their widths"
    done
    evaluate one.msa "$(vectors) | msa-fuse concat -p p"
    evaluate other.msa "$(vectors) | msa-fuse concat --out 5 -p converted" # which have noted nothing: audio,vision,text
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
from read_stream import frames
one, other = ([body["tensors"] for kind, body in frames(open(name, "rb")) if kind == "D"][0] for name in ("one.msa", "other.msa"))
assert abs(one["f"] - other["f"]).max() < 1e-6
assert (one["h_audio"] == other["h_audio"]).all() # which stays
END
}

@test "what another way has noted says nothing of this one" {
    train concat "$(vectors) | msa-fuse concat --out 5 --order audio,vision"
    train run/f "$(vectors) | msa-fuse low-rank --init concat"
    train run/m "msa-fuse $MEMORY --init concat" "$MODELS/mfn/data.pkl"
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
from parameters import load
notes, frames = load("run/f")[1], load("run/m")[1]
assert (notes["order"], notes["out"], frames["order"]) == ("audio,vision,text", "1", "text,audio,vision"), (notes, frames)
END
}

@test "rates of a modality are for its factor, and for its LSTM" {
    train run/f "$(vectors) | msa-fuse low-rank --lr-scale text=0,vision=0"
    train run/m "msa-fuse $MEMORY --lr-scale text=0,vision=0" "$MODELS/mfn/data.pkl"
    mkdir first
    train first/f "$(vectors) | msa-fuse low-rank --freeze '*'"
    train first/m "msa-fuse $MEMORY --freeze '*'" "$MODELS/mfn/data.pkl"
    "$PYTHON" - "$ROOT/tests/interop" <<'END'
import sys
sys.path[:0] = [sys.argv[1]]
from parameters import load
for name, still in ("f", {"text_factor", "video_factor"}), ("m", {"lstm_l", "lstm_v"}):
    first, last = load("first/" + name)[0], load("run/" + name)[0]
    same = {key.split(".")[0] for key in last if (first[key] == last[key]).all()}
    assert same - {"fusion_weights", "fusion_bias"} == still, same
END
}

@test "weights of LMF's ranks stay as they begin, unless they are to be learned" {
    for learn in '' --learn-weights; do
        rm -rf run && mkdir run
        train run/p "$(vectors) | msa-fuse low-rank --rank 3 $learn"
        "$PYTHON" - "$ROOT/tests/interop" <<'END' >"changed$learn"
import sys
sys.path[:0] = [sys.argv[1]]
from parameters import load
tensors, notes = load("run/p")
print(notes["learn-weights"], (tensors["fusion_bias"] == 0).all())
END
    done
    [ "$(cat changed changed--learn-weights)" = $'no True\nyes False' ]
}

# resume.bash's, of HOW
training() {
    echo "msa-load --train --epochs 20 --batch 5 --seed 3 --validate-every 2 --state run/state.msa ${1-} $MODELS/mfn/data.pkl |
        msa-encode --net dnn --hidden 6 --keep -p run/encode | msa-fuse $HOW -p run/fuse | msa-predict -p run/predict |
        msa-loss --tasks msr --regression l1 | msa-metrics -q --select mae --log run/metrics.tsv |
        msa-backprop --lr 1e-3 --log run/steps.tsv"
}

@test "a training that is killed goes on to the same bytes, and with the same settings alone" {
    for HOW in 'concat --dropout .2' "$MEMORY --dropout .2 --lengths own"; do
        rm -rf whole killed
        undisturbed
        begin killed --resume
        steps killed 11
        kill_one msa-fuse
        line "cd killed; $(training --resume)"
        [ "$status $output" = "0 " ] || { echo "$output" && false; }
        diff -r {whole,killed}/run
    done
    local file
    file=$(cd killed/run && echo fuse.?? | cut -d ' ' -f 2)
    other() { # HOW LINE
        HOW=$1 line "cd killed; $(HOW=$1 training --resume)"
        [ "$output" = "msa-fuse: run/$file was trained with $2" ] || { echo "$output" && return 1; }
    }
    other "concat" "how memory, and not with concat"
    other "$MEMORY --dropout .3 --lengths own" "dropout.att1 0.2, and not with 0.3"
    other "$MEMORY --dropout .2 --lengths own --align pool" "align mean, and not with pool"
}

@test "what does not go together is refused in a line" {
    for how in concat low-rank; do
        train $how "$(vectors) | msa-fuse $how --out 5 --order audio,text"
    done
    train memory "msa-fuse $MEMORY" "$MODELS/mfn/data.pkl"
    rm -f x.msa
    refused "" 2 "too few operands: expected HOW [FILE] (see msa-fuse --help)"
    refused "sum" 2 "'sum' is none of $(msa-fuse --help=variants | paste -s -d , | sed 's/,/, /g')"
    refused "concat --order audio,sound" 2 "--order: 'sound' is none of text, vision, audio"
    refused "concat --order audio,text,audio" 2 "--order: 'audio' is there twice"
    refused "concat --rank 3" 2 "--rank is for low-rank, not for concat"
    refused "memory --order audio" 2 "--order is for concat, tensor, low-rank, attention, not for memory"
    refused "concat --dropout att1=.2" 2 "--dropout: concat has one place, not att1|att2|gamma1|gamma2"
    refused "concat -p low-rank" 2 "concat given but low-rank has low-rank"
    "$PYTHON" -c "import sys; sys.path[:0] = ['$ROOT/tests/interop']
from parameters import load, save
save('other', load('concat')[0], {'program': 'msa-decompose', 'how': 'projectors', 'out': '4'})"
    refused "concat --order audio,text -p other" 3 "other: tensor 'post_fusion_layer_1.weight': shape [5,34] but expected [128,34]"
    refused "concat --order text,audio -p concat" 2 "--order: text,audio given but concat has audio,text"
    refused "concat --out 4 -p concat" 2 "--out: 4 given but concat has 5"
    refused "concat" 2 "evaluation needs -p FILE, the parameters"
    wider='if kind == "H": body["schema"]["h_text"]["shape"][1] = 18
if kind == "D": tensors["h_text"] = tensors["h_audio"]'
    refused "concat -p concat" 3 "concat is for 'h_text' of width 16, but it arrives with 18" "$(vectors) | $(forge "$wider")"
    refused "concat -p concat" 1 "nothing to fuse: none of the vectors of audio,text arrives" "$(vectors h_vision)"
    refused "memory --align none --init memory" 2 "--align none: 9 frames of 'text' but 8 of 'audio'; mean and pool take them" \
        cat "$MODELS/mfn/data.pkl"
    refused "memory --align pool -p memory" 2 "--align: pool given but memory has mean" cat "$MODELS/mfn/data.pkl"
}
