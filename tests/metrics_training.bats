#!/usr/bin/env bats
# msa-metrics in a training: its table, and the verdict.
load helper

# Trains with the options of msa-metrics given; frames.json has what came out of it.
train() {
    line "$(golden_load) ${DATA:-} $LOAD | $(golden_model) | msa-loss | msa-gdwg | msa-metrics $1 |
        msa-dump -t --json --report frames.json | msa-backprop ${2:-}"
}

# One word a checkpoint, of the frames C on the way down: best, stop, both or -.
verdicts() {
    "$PYTHON" -c "
import json
frames = [json.loads(line) for line in open('frames.json')]
down = [f for f in frames if f['kind'] == 'C' and 'back' not in f]
print(*['+'.join(k for k in ('best', 'stop') if f[k]) or '-' for f in down])"
}

# columns FILE: of a log.
columns() {
    head -n 1 "$1" | tr '\t' ' '
}

# logged STAGE: trains with this after msa-loss. Its logs are those of a fresh training.
logged() {
    rm -rf run && mkdir run
    line "$(golden_load) | $(golden_model) | msa-loss --tasks msr,cl | $1 | msa-metrics -q --log run/metrics.tsv |
        msa-backprop --log run/steps.tsv"
    [ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "evaluation: an option for training is refused, and the other way round" {
    line "msa-load --split test $GOLDEN/data.pkl | msa-metrics --select mae"
    [ "$status" -eq 2 ]
    [[ $output == *"msa-metrics: --select is for training"* ]]
    train "--predictions p.tsv"
    [ "$status" -ne 0 ]
    [[ $output == *"msa-metrics: --predictions is for evaluation"* ]]
    [ ! -e p.tsv ]
}

@test "training: a row an epoch and split, with the means of the steps" {
    train "--log run/metrics.tsv" "--lr 1e-3 --log run/steps.tsv"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 9 ]
    [ "${lines[0]}" = "epoch  split  samples     loss     acc2       f1     acc3     acc5      mae     corr" ]
    "$PYTHON" - <<'END'
import csv
steps = list(csv.DictReader(open("run/steps.tsv"), delimiter="\t"))
rows = list(csv.DictReader(open("run/metrics.tsv"), delimiter="\t"))
assert list(rows[0]) == "epoch split samples msr msc uni cl acc2 f1 acc3 acc5 mae corr".split()
assert [(r["epoch"], r["split"], r["samples"]) for r in rows] == [
    (str(e), s, n) for e in range(1, 5) for s, n in (("train", "17"), ("valid", "6"))]
for row in rows[::2]:
    for task in ("msr", "msc", "uni", "cl"):
        mine = [float(s[task]) for s in steps if s["epoch"] == row["epoch"]]
        mean = sum(x * n for x, n in zip(mine, (5, 5, 5, 2))) / 17
        assert abs(float(row[task]) - mean) < 1e-7 * mean + 1e-9, (row, task, mean)
END
    [ "$(grep -c '"kind": "M"' frames.json)" -eq 8 ]
    [ "$(grep -c '"best"' frames.json)" -eq 0 ]
}

@test "training: in the middle of an epoch only validation is told" {
    LOAD="--validate-every 3" train "-q --log run/metrics.tsv"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(cut -f 1,2,3 run/metrics.tsv | sed -n 2,4p | tr '\t\n' '  ')" = "1 valid 6 1 train 17 1 valid 6 " ]
}

@test "training: a column for each task that the header or the first record has, with its weight for each step" {
    logged msa-gdwg
    [ "$(columns run/steps.tsv)" = "epoch step lr msr cl w_msr w_cl total" ]
    [ "$(columns run/metrics.tsv)" = "epoch split samples msr cl acc2 f1 acc3 acc5 mae corr" ]
    [ "$(awk -F '\t' 'NR > 1 && $4 != "" && $5 != ""' run/metrics.tsv | wc -l)" -eq 8 ]
    logged "$(forge 'if kind == "H": body["tasks"].insert(0, "never")
if kind == "D" and body["step"] != 1: body["loss"]["mine"], body["weight"]["mine"] = 2., 3')"
    [ "$(columns run/steps.tsv)" = "epoch step lr never msr cl mine w_never w_msr w_cl w_mine total" ]
    [ "$(columns run/metrics.tsv)" = "epoch split samples never msr cl mine acc2 f1 acc3 acc5 mae corr" ]
    [ "$(cut -f 4,7,8,11 run/steps.tsv | sed -n 2,3p | tr '\t\n' '; ')" = ";2;;3 ;;; " ]
    [ "$(sed -n 2p run/metrics.tsv | cut -f 4,7)" = $'\t2' ]
    # a source of one's own, or an old stream, names none
    logged "$(forge 'body.pop("tasks", 0)')"
    [ "$(columns run/steps.tsv)" = "epoch step lr msr cl w_msr w_cl total" ]
    [ "$(columns run/metrics.tsv)" = "epoch split samples msr cl acc2 f1 acc3 acc5 mae corr" ]
    for bad in '"msr"' '["a\tb"]' '[1]' '[str(i) for i in range(17)]'; do
        line "$(golden_load) --epochs 1 | $(golden_model | sed 's/ -p/ -f -p/g') | msa-loss |
            $(forge "if kind == \"H\": body[\"tasks\"] = $bad") | msa-backprop --log new.tsv"
        [[ " $(cut -d " " -f 2- statuses) " == *" 3 "* && ! -e new.tsv ]]
        [ "$output" = "msa-backprop: header: 'tasks' is not an array of at most 16 names, each a printable str of 1 to 128 bytes" ]
    done
}

@test "training: a task that is called as another column is refused, before there is a log" {
    local name
    for name in lr total mae w_uni; do
        line "$(golden_load) --epochs 1 | $(golden_model | sed 's/ -p/ -f -p/g') | msa-loss |
            $(forge "if kind == \"H\": body[\"tasks\"].append(\"$name\")") | msa-backprop --log new.tsv"
        [[ " $(cut -d " " -f 2- statuses) " == *" 3 "* && ! -e new.tsv ]]
        [ "$output" = "msa-backprop: header: 'tasks': '$name': a task cannot be called so: tables have another column of that name" ]
        line "$(golden_load) --epochs 1 | $(golden_model | sed 's/ -p/ -f -p/g') | msa-loss |
            $(forge "if kind == \"D\": body[\"loss\"][\"$name\"] = 1.") | msa-backprop --log new.tsv"
        [[ " $(cut -d " " -f 2- statuses) " == *" 3 "* && ! -e new.tsv ]]
        [ "$output" = "msa-backprop: frame 1: loss '$name': a task cannot be called so: tables have another column of that name" ]
    done
}

# With a learning rate of 0 no checkpoint is better than the one before.
@test "training: the first of equals is the best, and patience ends it" {
    train "-q --select mae" "--lr 0"
    [ "$(verdicts)" = "best - - -" ]
    rm run/*
    train "-q --select corr --patience 2" "--lr 0"
    [ "$status" -eq 0 ]
    [ "$(verdicts)" = "best - stop" ]
    rm run/*
    train "-q --select msr --select-after 2 --patience 1" "--lr 0"
    [ "$status" -eq 0 ]
    [ "$(verdicts)" = "best best best stop" ]
    msa-dump run/state.msa | grep -q "msa-metrics={waited=1,best=[0-9.]*,best_epoch=3,.*settings={.*select=msr,"
}

@test "training: that it is stopped early is said, and why" {
    train "--select corr --patience 2" "--lr 0"
    [ "$status" -eq 0 ]
    corr=$(awk '$2 == "valid" && $NF == "*" { print $(NF - 1) }' <<<"$output")
    [ -n "$corr" ]
    [[ ${lines[-1]} == "msa-metrics: stopped after epoch 3: corr was not larger at 2 checkpoints than at epoch 1, $corr"* ]]
    rm run/*
    train "--select loss --patience 1 --select-after 1" "--lr 0"
    [[ ${lines[-1]} =~ ^'msa-metrics: stopped after epoch 3: loss was not smaller at 1 checkpoint than at epoch 2, '[0-9.]+$ ]]
    rm run/*
    LOAD="--validate-every 1" train "--select mae --patience 1" "--lr 0"
    [[ ${lines[-1]} =~ ^'msa-metrics: stopped in epoch 1: mae was not smaller at 1 checkpoint than at epoch 1, '[0-9.]+$ ]]
    rm run/*
    line "$(golden_load) | $(golden_model) | msa-loss | $(forge 'if kind == "D" and not body["train"] and body["epoch"] > 1: body["loss"]["msr"] = float("nan")') |
        msa-metrics --select msr --select-after 1 --patience 2 | msa-backprop"
    [[ $output == *"msa-metrics: stopped after epoch 3: msr was not finite at 2 checkpoints"* ]]
    for options in "--select mae --patience 3" "-q --select mae --patience 1" "--select mae"; do # in time, quietly, never
        rm run/*
        train "$options" "--lr 0"
        [ "$status" -eq 0 ]
        [[ $output != *stopped* ]]
    done
}

@test "training: of errors and losses the smaller is better, of the rest the larger" {
    for key in mae corr uni loss; do
        rm -f run/*
        train "-q --log run/metrics.tsv --select $key" "--lr 1e-3 --warmup 0"
        "$PYTHON" - $key "$(verdicts)" <<'END'
import csv, json, sys
key, verdicts = sys.argv[1], sys.argv[2].split()
if key == "loss":
    records = [f for f in map(json.loads, open("frames.json")) if f["kind"] == "D" and f["split"] == "valid"]
    sums = [sum(f["samples"] * sum(f["loss"][k] * f["weight"][k] for k in f["loss"]) for f in records if f["epoch"] == e)
            for e in range(1, 5)]
    numbers = [-s for s in sums]
else:
    rows = [r for r in csv.DictReader(open("run/metrics.tsv"), delimiter="\t") if r["split"] == "valid"]
    numbers = [float(r[key]) if key == "corr" else -float(r[key]) for r in rows]
want = ["best" if all(x > y for y in numbers[:i]) else "-" for i, x in enumerate(numbers)]
assert verdicts == want, (key, verdicts, want)
END
    done
}

# A loss of the valid split in each of four epochs, as Python has it, judged with these options: the verdicts.
judged() {
    rm -rf run && mkdir run
    line "$(golden_load) | $(golden_model) | msa-loss | msa-gdwg |
        $(forge "if kind == \"D\" and not body[\"train\"]: body[\"loss\"][\"msr\"] = [$1][body[\"epoch\"] - 1]") |
        msa-metrics -q --select msr $2 | msa-dump -t --json --report frames.json | msa-backprop -q"
    verdicts
}

@test "training: a number that is not finite replaces none that is, also before --select-after" {
    [ "$(judged '1, 2, np.nan, 3' '--select-after 2')" = "best best - best" ]
    [ "$(judged '1, np.nan, np.inf, np.nan' '--select-after 2')" = "best - - -" ]
    [ "$(judged 'np.nan, np.inf, 3, np.nan' '')" = "best best best -" ]
    [ "$(judged 'np.nan, np.nan, -np.inf, np.nan' '--select-after 1')" = "best best best best" ]
    [ "$(judged '1, np.nan, -np.inf, 2' '--select-after 9')" = "best - - best" ]
}

@test "training: nothing to select by" {
    train "-q --select acc7"
    [[ $output == *"msa-metrics: --select: 'acc7' is none of acc2 f1 acc3 acc5 mae corr, and no loss of that name arrives"* ]]
    [ "$status" -ne 0 ]
    [ ! -e run/state.msa ]
    golden_data "del d['valid']"
    rm -f run/*
    for check in "" --check; do # before the first step
        line "msa-load --train $check --epochs 2 data.pkl | $(golden_model) | msa-loss | msa-metrics -q --select mae | msa-backprop --log run/steps.tsv"
        [[ "$(cut -d " " -f 2- statuses) " == *" 3 "* ]]
        [ "$output" = "msa-metrics: --select judges on the valid split, but the data set has no sample of it" ]
        [ -z "$(ls run)" ]
    done
    # One of version 0.1.0 says it by another name; one of one's own need not say which splits there are.
    line "msa-load --train --epochs 2 data.pkl | $(forge 'if kind == "H": body["splits"] = body.pop("samples")') | $(golden_model) | \
        msa-loss | msa-metrics -q --select mae | msa-backprop"
    [ "$output" = "msa-metrics: --select judges on the valid split, but the data set has no sample of it" ]
    line "msa-load --train --epochs 2 data.pkl | $PYTHON $ROOT/tests/forge.py 'body.pop(\"samples\", 0)' | $(golden_model) | msa-loss | \
        msa-metrics -q --select mae | msa-backprop"
    [[ "$(cut -d " " -f 2- statuses) " == *" 3 "* ]]
    [ "$output" = "msa-metrics: --select judges on the valid split, but no sample of it has come" ]
}

@test "training: --select-after that no epoch comes after" {
    for after in 3 4 99; do
        rm -f run/*
        train "--select mae --select-after $after"
        warned=$([ $after -ge 4 ] && echo 1 || echo 0)
        [ "$(grep -c "warning: --select-after $after: none of 4 epochs comes after that, so none is compared and the last is kept" <<<"$output")" -eq "$warned" ]
    done
}
