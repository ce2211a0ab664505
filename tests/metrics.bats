#!/usr/bin/env bats
# msa-metrics: the field's numbers, their forms, assertions.
load helper

mosi() {
    paste <(printf '%s\n' label -3 -1.8 -.6 0 0 .4 1 1.6 2.4 3) \
        <(printf '%s\n' prediction -2.6 -.5 .2 -.1 .3 .5 1.5 2.5 2.2 3.7) >mosi.tsv
}

sims() {
    paste <(printf '%s\n' label -1 -.8 -.6 -.2 0 0 .2 .6 .8 1) \
        <(printf '%s\n' prediction -1.4 -.6 -.05 -.15 .05 -.2 .3 .9 .65 1.2) >sims.tsv
}

# A row with its numbers to six digits behind the point.
rounded() {
    awk '{ for (i = 3; i <= NF; i++) $i = sprintf("%.6f", $i); print }' <<<"$1"
}

# A model with the golden initial values, for evaluation.
model() {
    echo "msa-encode --init $GOLDEN/encode.init.safetensors --dim 32 --heads 4 --layers text=1,vision=1,audio=2 |
        msa-decompose --init $GOLDEN/decompose.init.safetensors | msa-predict --init $GOLDEN/predict.init.safetensors"
}

@test "the golden values of MOSI" {
    mosi
    run msa-metrics --from-tsv mosi.tsv --family mosi --tsv
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = $'split\tsamples\tacc2_has0\tf1_has0\tacc2_non0\tf1_non0\tacc5\tacc7\tmae\tcorr' ]
    [ "$(rounded "${lines[1]}")" = "all 10 0.800000 0.800000 0.875000 0.868182 0.700000 0.700000 0.530000 0.966637" ]
}

@test "the golden values of CH-SIMS" {
    sims
    run msa-metrics --from-tsv sims.tsv --family sims --tsv
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = $'split\tsamples\tacc2\tf1\tacc3\tacc5\tmae\tcorr' ]
    [ "$(rounded "${lines[1]}")" = "all 10 0.900000 0.901010 0.800000 0.500000 0.160000 0.945970" ]
}

@test "the table lines up" {
    sims
    awk 'NR == 1 { print "split\t" $0 } NR > 1 { print (NR < 7 ? "first_half" : "rest") "\t" $0 }' OFS='\t' sims.tsv >two.tsv
    run msa-metrics --from-tsv two.tsv --family sims
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "split       samples     acc2       f1     acc3     acc5      mae     corr" ]
    [ "${lines[1]}" = "first_half        5   0.8000   0.8889   0.8000   0.6000   0.1700   0.8628" ]
    [ "${lines[2]}" = "rest              5   1.0000   1.0000   0.8000   0.4000   0.1500   0.9140" ]
}

@test "JSON is one flat object a split, with null for NaN" {
    printf 'split\tlabel\tprediction\ntest\t1\t0.5\ntest\t-1\t0.5\nvalid\t1\t1\nvalid\t0\t-1\n' >two.tsv
    msa-metrics --from-tsv two.tsv --family sims --json >out.json
    "$PYTHON" - <<'END'
import json
test, valid = [json.loads(line) for line in open("out.json")]
assert list(test) == ["split", "samples", "acc2", "f1", "acc3", "acc5", "mae", "corr"], test
assert test["split"] == "test" and test["samples"] == 2 and test["acc2"] == 0.5 and test["mae"] == 1
assert test["corr"] is None and valid["corr"] == 1, (test, valid)
END
    run msa-metrics --from-tsv two.tsv --family sims --tsv
    [ "${lines[1]##*$'\t'}" = nan ]
}

@test "assertions that hold are silent" {
    mosi
    run msa-metrics --from-tsv mosi.tsv --family mosi -o out.txt \
        --assert 'mae<0.531' --assert 'mae<=0.54' --assert 'corr>.96' --assert 'acc7>=.7' --assert 'acc7<=.7'
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ -s out.txt ]
}

@test "each false assertion is a line, after the table, and the status is 1" {
    mosi
    run msa-metrics --from-tsv mosi.tsv --family mosi --assert 'mae<.5' --assert 'corr>0.9' --assert 'acc7>.7'
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 4 ]
    [[ ${lines[1]} == "all "* ]]
    [ "${lines[2]}" = "msa-metrics: assertion failed: all: mae 0.53 < .5" ]
    [ "${lines[3]}" = "msa-metrics: assertion failed: all: acc7 0.7 > .7" ]
    printf 'label\tprediction\n1\t1\n0\t1\n' >constant.tsv
    run msa-metrics --from-tsv constant.tsv --family mosi --assert 'corr<2'
    [ "$status" -eq 1 ]
    [[ $output == *"assertion failed: all: corr nan < 2" ]]
}

@test "options that make no sense" {
    mosi
    while IFS='|' read -r options text; do
        # shellcheck disable=SC2086
        run msa-metrics $options
        [ "$status" -eq 2 ] && [ "$output" = "msa-metrics: $text" ] || { echo "$options: $output" && return 1; }
    done <<'END'
--from-tsv mosi.tsv|--from-tsv needs --family sims|mosi
--from-tsv mosi.tsv --family mosi stream.msa|--from-tsv takes the place of a stream: leave the operand out
--from-tsv mosi.tsv --family mosi --each|--from-tsv reads predictions: leave --each out
--each -t|--each prints where the stream would go: leave -t out
--from-tsv mosi.tsv --family mosi --json --tsv|--json and --tsv exclude each other
--from-tsv mosi.tsv --family mosi --log log.tsv|--log is for training, but nothing is trained here
--from-tsv mosi.tsv --family mosi --patience 3|--patience needs --select KEY
--from-tsv mosi.tsv --family mosi --assert mae=1|--assert: 'mae=1' is not KEY<NUMBER (or <=, >, >=)
--from-tsv mosi.tsv --family mosi --assert <1|--assert: '<1' is not KEY<NUMBER (or <=, >, >=)
--from-tsv mosi.tsv --family mosi --assert mae<x|--assert: 'x' is not a number
--from-tsv mosi.tsv --family mosi --assert acc2>0|--assert: 'acc2' is none of acc2_has0 f1_has0 acc2_non0 f1_non0 acc5 acc7 mae corr, and no loss of that name arrives
END
}

@test "a family that is not the stream's is warned of" {
    line "$(golden_load) | $(golden_model) | msa-loss -q | msa-gdwg -q | msa-backprop"
    [ "$status" -eq 0 ]
    line "msa-load --split test $GOLDEN/data.pkl | $(golden_model | sed 's/--init [^ ]*//g') | msa-metrics --family mosi -o scores"
    [ "$output" = "msa-metrics: warning: --family mosi, but the stream is of family sims: labels and predictions are on different scales" ] ||
        { echo "$output" && false; }
}

@test "labels that are not finite are read too, and make every metric nan" {
    printf 'label\tprediction\nnan\t1\n1\t1\n' >labels.tsv
    run msa-metrics --from-tsv labels.tsv --family mosi --json
    [ "$status" -eq 0 ]
    [[ $output == *"1 of 2 labels are not finite"*'"mae":null'* || $output == *"1 of 2 labels are not finite"*'"mae": null'* ]]
}

@test "a bad file is told by line and column" {
    check() {
        run msa-metrics --from-tsv bad.tsv --family mosi
        [ "$status" -eq "$1" ] && [ "$output" = "msa-metrics: $2" ] || { echo "$output" && return 1; }
    }
    printf 'label\tprediction\n1\t2\n1\tx\n' >bad.tsv
    check 3 "bad.tsv: line 3, column 'prediction': 'x' is not a number"
    printf 'label\tprediction\n\t2\n' >bad.tsv
    check 3 "bad.tsv: line 2, column 'label': '' is not a number"
    printf 'label\tprediction\nnone\t2\n' >bad.tsv
    check 3 "bad.tsv: line 2, column 'label': 'none' is not a number"
    printf 'label\tprediction\n1\n' >bad.tsv
    check 3 "bad.tsv: line 2: 1 cells but expected 2, as line 1 has"
    printf 'label\tguess\n1\t2\n' >bad.tsv
    check 3 "bad.tsv: line 1: no column 'prediction'"
    printf 'id\tlabel\tprediction\tlabel\n1\t1\t2\t3\n' >bad.tsv
    check 3 "bad.tsv: line 1: two columns are called 'label'"
    printf 'label\tprediction\tx\tx\r\n1\t2\t3\t4\r\n' >bad.tsv
    check 3 "bad.tsv: line 1: two columns are called 'x'"
    printf 'label\tprediction\n1\t2\n' | iconv -t UTF-16 >bad.tsv
    check 3 "bad.tsv: text in UTF-16 but expected UTF-8"
    printf '\x80\4\x95\0.' >bad.tsv
    check 3 "bad.tsv: a pickle but expected text"
    : >bad.tsv
    check 3 "bad.tsv: empty: expected a line of column names"
    printf 'label\tprediction\n' >bad.tsv
    check 1 "no samples arrived"
    rm bad.tsv
    check 1 "cannot read 'bad.tsv': No such file or directory"
}

@test "columns by name, in any order, from a pipe, with another system's line ends and byte order mark" {
    mosi
    { printf '\xef\xbb\xbf' && sed 's/$/\t\t\r/' mosi.tsv && printf '\r\n\n'; } >marked.tsv # some columns have no name
    [ "$(msa-metrics --from-tsv marked.tsv --family mosi)" = "$(msa-metrics --from-tsv mosi.tsv --family mosi)" ]
    msa-metrics --from-tsv - --family mosi <marked.tsv >/dev/null
    awk '{ print $2, NR, $1 "\r" }' OFS='\t' mosi.tsv | sed '1s/1/id/' >other.tsv
    line "msa-metrics --from-tsv - --family mosi --assert 'mae<.531' --assert 'mae>.529' <other.tsv"
    [ "$status" -eq 0 ]
    awk '{ for (i = 0; i < 300; i++) printf "%s\t", i; print $0 }' mosi.tsv >wide.tsv
    msa-metrics --from-tsv wide.tsv --family mosi --assert 'mae<.531' --assert 'mae>.529' -o wide
}

@test "evaluation: the predictions, scored again, give the same numbers" {
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(model) | msa-metrics --tsv --predictions p.tsv >one.tsv"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(cut -f 1,2 one.tsv | tr '\t\n' '  ')" = "split samples train 17 valid 6 test 8 " ]
    [ "$(head -n 1 p.tsv | tr '\t' ' ')" = "id split label prediction class probability \
s_text s_vision s_audio d_text d_vision d_audio" ]
    msa-metrics --from-tsv p.tsv --family sims --tsv >two.tsv
    cmp one.tsv two.tsv
    "$PYTHON" - "$GOLDEN/data.pkl" <<'END'
import pickle, sys
data = pickle.load(open(sys.argv[1], "rb"))
want = [(i, s, float(y)) for s in ("train", "valid", "test") for i, y in zip(data[s]["id"], data[s]["regression_labels"])]
rows = [line.rstrip("\n").split("\t") for line in open("p.tsv")][1:]
assert len(rows) == len(want)
for (i, s, y), row in zip(want, rows):
    assert row[:2] == [str(i), s] and abs(float(row[2]) - y) < 1e-6, row
END
}

# each FAMILY PREDICTION LOGITS U: a record of one sample, as some stage may write it; u is of text's two features. NAMES, MORE:
# others than these, and other tensors.
each() {
    "$PYTHON" - "$BATS_TEST_DIRNAME/interop" "$@" >one.msa <<'END'
import os, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from read_stream import Writer
out, (family, *numbers) = Writer(sys.stdout.buffer), sys.argv[2:]
y, logits, u = (np.array(eval(text), "f4") for text in numbers)
tensors = {"y": y, "logits": logits, "u": u, **eval("{%s}" % os.environ.get("MORE", ""))}
schema = {name: {"dtype": "<f4", "shape": [0, *x.shape[1:]], "gradient": False} for name, x in tensors.items()}
names = eval(os.environ.get("NAMES", "['s_text', 'd_text']"))
schema["u"].update({"columns": names} if names else {})
out.write("H", {"mode": "eval", "family": family, "schema": schema})
out.write("D", {"epoch": 0, "step": 0, "split": "test", "train": False,
                "id": [os.environ.get("ID", r"a\tb").encode().decode("unicode_escape")],
                "tensors": tensors})
out.write("E", {"frames": 2})
END
    msa-metrics --each --json one.msa
}

@test "each sample: its class by the name that the family has for it, softmax, columns of u by their features" {
    each sims '[0.25]' '[[1, 2, 0]]' '[[0.5, -0.75]]' >out.json
    "$PYTHON" - <<'END'
import json, math
row = json.load(open("out.json"))
assert math.isclose(row.pop("probability"), 1 / (1 + math.exp(-1) + math.exp(-2)), rel_tol=1e-8)
assert row == {"id": "a\tb", "split": "test", "prediction": 0.25, "class": "neutral", "s_text": 0.5, "d_text": -0.75}, row
END
    NAMES=None each sims '[0.25]' '[[1, 2, 0]]' '[[0.5, -0.75]]' >/dev/null
    [ "$(msa-metrics --each one.msa | head -n 1 | cut -f 7- | tr '\t' ' ')" = "u.1 u.2" ]
    MORE='"y_text": y + 1, "y_far": np.zeros((1, 2), "f4"), "z": y' each sims '[0.25]' '[[1, 2, 0]]' '[[0.5, -0.75]]' >/dev/null
    [ "$(msa-metrics --each one.msa | cut -f 7- | tr '\t\n' ' |')" = "s_text d_text y_text|0.5 -0.75 1.25|" ]
    while IFS='|' read -r family logits class; do
        [ "$(each "$family" '[0]' "[[$logits]]" '[[0, 0]]' | jq -r '.class')" = "$class" ] || { echo "$class" && return 1; }
    done <<'END'
sims|1, 0|not positive
sims|0, 1|positive
sims|0, 0, 0, 1, 0|weakly positive
mosi|1, 0|negative
mosi|0, 1|not negative
mosi|0, 0, 1|positive
mosi|1, 0, 0, 0, 0|-2
mosi|0, 0, 0, 0, 0, 0, 1|3
mosi|0, 0, 0, 1|3
|0, 1|1
END
}

@test "each sample: what there is not is empty, and what is no number is said" {
    NAMES=None each sims "[float('nan')]" "[[0, float('inf')]]" '[[1, 2, float("nan")]]' >one.json
    [ "$(jq -c 'del(.["u.1"], .["u.2"]) | keys' one.json)" = '["id","prediction","split","u.3"]' ]
    [ "$(jq -n -c '[inputs.prediction]' < <(msa-metrics --each --json one.msa))" = '[null]' ]
    [ "$(msa-metrics --each one.msa | tail -n 1)" = $'a\\u0009b\ttest\t\tnan\t\t\t1\t2\tnan' ]
    [[ $(ID='a\0\0b' each sims '[0.5]' '[[0, 1]]' '[[1, 2]]') == '{"id": "a\u0000\u0000b",'* ]]
    [ "$(msa-metrics --each one.msa | tail -n 1 | cut -f 1)" = 'a\u0000\u0000b' ]
}

@test "a column of u that is called as another column of predictions is refused" {
    local name
    for name in label prediction s_text y_text; do
        NAMES="['s_text', '$name']" MORE='"y_text": y' each sims '[0]' '[[0, 1]]' '[[1, 2]]' >one.json 2>err || true
        line "msa-metrics --each one.msa"
        [ "$status" -eq 3 ]
        [ "$output" = "msa-metrics: header: 'u': a column is called '$name', as another column of predictions" ]
        line "msa-metrics --predictions p.tsv one.msa"
        [[ $status -eq 3 && ! -e p.tsv ]]
    done
}

@test "a loss that is called as another column of tables is refused" {
    local name
    for name in mae f1 samples loss w_msr; do
        line "msa-load --split test --batch 3 $GOLDEN/data.pkl | $(model) | msa-loss --tasks msr |
            $(forge "if kind == \"D\": body[\"loss\"][\"$name\"] = 1.") | msa-metrics --json"
        [ "$status" -eq 3 ]
        [ "$output" = "msa-metrics: frame 1: loss '$name': a task cannot be called so: tables have another column of that name" ]
    done
}

@test "each sample: the same as --predictions; records are told as they come, and can be judged too" {
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(model) -o pred.msa"
    msa-metrics --each --predictions kept.tsv pred.msa >out.tsv
    cmp out.tsv kept.tsv
    msa-metrics --each -o other.tsv pred.msa >none
    cmp other.tsv out.tsv
    [ ! -s none ]
    msa-metrics --each --json pred.msa | jq -r '[.id, .split, .class] | @tsv' | cmp - <(tail -n +2 out.tsv | cut -f 1,2,5)
    [ "$(msa-metrics --from-tsv out.tsv --family sims)" = "$(msa-metrics pred.msa)" ]
    run msa-metrics --each --assert 'mae<0' -o out.tsv pred.msa
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == "msa-metrics: assertion failed: train: mae "* ]]
    # without its end: what has come is there
    run -4 --separate-stderr bash -c 'head -c -100 pred.msa | msa-metrics --each'
    [ "${#lines[@]}" -ge 17 ]
}

@test "a prediction that is not finite: every metric of its split is nan, and one warning counts them" {
    for bad in nan NaN inf -inf +Inf Infinity -NAN; do
        for family in mosi sims; do
            $family
            sed -i "3s/\t.*/\t$bad/" $family.tsv
            msa-metrics --from-tsv $family.tsv --family $family --json >out 2>err
            [ "$(jq -c '[.[]] | [.[1], (.[2:] | length), (.[2:] | unique)]' <out)" = "[10,$([ $family = mosi ] && echo 8 || echo 6),[null]]" ]
            [ "$(<err)" = "msa-metrics: warning: all: 1 of 10 predictions are not finite: all its metrics are nan" ]
            run msa-metrics -q --from-tsv $family.tsv --family $family --assert 'mae<9' --assert 'mae>=0'
            [ "$status" -eq 1 ]
            [ "${lines[-1]}" = "msa-metrics: assertion failed: all: mae nan >= 0" ]
        done
    done
    for bad in na infinite 0x1p3 1e999 '+ nan' nan0 ''; do
        printf 'label\tprediction\n1\t%s\n' "$bad" >bad.tsv
        run -3 msa-metrics --from-tsv bad.tsv --family mosi
        [ "$output" = "msa-metrics: bad.tsv: line 2, column 'prediction': '$bad' is not a number" ]
    done
}

@test "evaluation: only the split in which they are, and what --predictions writes --from-tsv reads" {
    line "msa-load --batch 4 $GOLDEN/data.pkl | $(model) | $(forge 'if kind == "D" and body["split"] == "valid":
        tensors["y"] = np.float32([-np.nan, np.inf, -np.inf, .5])[:B]') >pred.msa"
    for form in "" --tsv --json; do
        msa-metrics $form --predictions p.tsv pred.msa >out 2>err
        [ "$(<err)" = "msa-metrics: warning: valid: 5 of 6 predictions are not finite: all its metrics are nan" ]
        [ "$(grep -c 'nan\|null' out)" -eq 1 ]
        [ "$(awk -F '\t' '$2 == "valid" { print $4 }' p.tsv | tr '\n' ' ')" = "nan inf -inf 0.5 nan inf " ]
        table=$(<out)
        [ "$(msa-metrics -q $form --from-tsv p.tsv --family sims)" = "$table" ]
        msa-metrics --from-tsv p.tsv --family sims >out 2>err
        [ "$(<err)" = "msa-metrics: warning: valid: 5 of 6 predictions are not finite: all its metrics are nan" ]
    done
    msa-metrics --each --json pred.msa >out 2>err
    [ "$(jq -c 'select(.split == "valid") | .prediction' out | tr '\n' ' ')" = "null null null 0.5 null null " ]
    [ "$(<err)" = "msa-metrics: warning: valid: 5 of 6 predictions are not finite: all its metrics are nan" ]
    msa-metrics -q --each pred.msa >each.tsv
    cmp each.tsv p.tsv
    golden_data "[d[s].pop(k) for s in d for k in list(d[s]) if k.startswith(('regression', 'classification'))]"
    line "msa-load --split test data.pkl | $(model) | $(forge 'if kind == "D": tensors["y"] = np.full_like(tensors["y"], np.nan)') |
        msa-metrics --each >out.tsv"
    [ "$output" = "msa-metrics: warning: test: 8 of 8 predictions are not finite" ]
}

@test "training: predictions that are not finite are said once a split, with the epoch" {
    line "$(golden_load) | $(golden_model) | msa-loss | msa-gdwg |
        $(forge 'if kind == "D" and not body["train"] and body["epoch"] > 1:
            tensors["y"] = np.where(np.arange(B) == 1, np.inf, tensors["y"]).astype("f4")') |
        msa-metrics --log run/metrics.tsv | msa-backprop"
    [ "$status" -eq 0 ]
    [ "$(grep warning <<<"$output")" = "msa-metrics: warning: epoch 2, valid: 1 of 6 predictions are not finite: all its metrics are nan" ]
    [ "$(awk -F '\t' 'NR > 1 { print $2 ($8 == "nan" && $9 == "nan" && $12 == "nan") }' run/metrics.tsv | tr '\n' ' ')" = \
        "train0 valid0 train0 valid1 train0 valid1 train0 valid1 " ]
}

@test "evaluation: losses stand behind the metrics" {
    line "msa-load --split test --batch 3 $GOLDEN/data.pkl | $(model) | msa-loss --tasks msr,uni | msa-metrics --json >out.json"
    [ "$status" -eq 0 ]
    "$PYTHON" -c "
import json
row = json.load(open('out.json'))
assert list(row) == ['split', 'samples', 'acc2', 'f1', 'acc3', 'acc5', 'mae', 'corr', 'msr', 'uni'], row"
    line "msa-load --split test $GOLDEN/data.pkl | $(model) | msa-loss | msa-metrics --assert 'loss<0' --assert 'msr<0' -o out.txt"
    [ "$status" -eq 1 ]
    [[ ${lines[0]} == *"test: loss "* ]]
    [[ ${lines[1]} == *"test: msr "* ]]
}

@test "evaluation: -t passes the stream on, and the table goes to stderr" {
    line "msa-load --split test $GOLDEN/data.pkl | $(model) -o in.msa && msa-metrics -t in.msa 2>table.txt >out.msa"
    [ "$status" -eq 0 ]
    [[ $(tail -n 1 table.txt) == "test "* ]]
    msa-dump --json in.msa | grep '"D"' >in.json
    msa-dump --json out.msa | grep '"D"' >out.json
    cmp in.json out.json
}

@test "a set without labels is predicted, not judged" {
    golden_data "[d[s].pop(k) for s in d for k in list(d[s]) if k.startswith(('regression', 'classification'))]"
    line "msa-load --split test data.pkl | $(model) | msa-metrics --predictions p.tsv"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[0]}" = "msa-metrics: warning: no labels arrive: there is nothing to judge against" ]
    [ "${lines[1]}" = "split  samples" ]
    [ "${lines[2]}" = "test         8" ]
    [ "$(awk -F '\t' 'NR > 1 && $2 == "test" && $3 == "" && $4 != ""' p.tsv | wc -l)" -eq 8 ]
    line "msa-load --split test data.pkl | $(model) | msa-metrics -q --assert 'mae<9'"
    [ "$status" -eq 1 ]
    [ "$output" = "msa-metrics: --assert: no labels arrive to judge 'mae' against" ]
}

@test "a stream that nothing has predicted from" {
    line "msa-load --split test $GOLDEN/data.pkl | msa-metrics"
    [ "$status" -eq 1 ]
    [ "$output" = "msa-metrics: no 'y' arrives (does msa-predict stand before?)" ]
}
