"""Holds table.tsv and table.md of an experiment against the runs that they are of, with Python's arithmetic.

paper_table.py DIR SEEDS MODEL=FOLDER...: FOLDER has seed-N/test.tsv for each of SEEDS; the first model is the one that
others are held against.
"""
import csv
import math
import pathlib
import statistics
import sys

folder, seeds, models = pathlib.Path(sys.argv[1]), sys.argv[2].split(","), [m.split("=") for m in sys.argv[3:]]


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file, delimiter="\t"))


def close(found, expected):
    assert math.isclose(float(found), expected, rel_tol=1e-6, abs_tol=1e-6), (found, expected)


def runs(where):
    """{metric: values by seed}, accuracies in per cent."""
    values = {}
    for seed in seeds:
        (row,) = rows(pathlib.Path(where) / f"seed-{seed}" / "test.tsv")
        for metric, value in row.items():
            if metric not in ("split", "samples"):
                scale = 1 if metric in ("mae", "corr") else 100
                values.setdefault(metric, []).append(scale * float(value))
    return values


def verdict(metric, difference, bound):
    worse = difference if metric == "mae" else -difference
    return "worse" if worse > bound else "better" if -worse > bound else "within"


table = {(row["model"], row["metric"]): row for row in rows(folder / "table.tsv")}
text = (folder / "table.md").read_text()
first = runs(models[0][1])
assert len(table) == len(models) * len(first), table.keys()
for model, where in models:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {model} |")]
    for metric, values in runs(where).items():
        row = table[model, metric]
        assert int(row["seeds"]) == len(seeds)
        if any(map(math.isnan, values + first[metric])):  # the correlation with a constant
            assert row["verdict"] == "-" and (row["mean"] == "nan") == any(map(math.isnan, values)), row
            continue
        mean, deviation = statistics.mean(values), statistics.stdev(values)
        digits = 4 if metric in ("mae", "corr") else 2
        close(row["mean"], mean)
        close(row["deviation"], deviation)
        assert f"| {float(row['mean']):.{digits}f} ± {float(row['deviation']):.{digits}f} |" in line, (metric, line)
        if model == models[0][0]:
            assert row["difference"] == row["bound"] == row["verdict"] == "-", row
            continue
        difference = mean - statistics.mean(first[metric])
        bound = math.hypot(deviation, statistics.stdev(first[metric]))
        close(row["difference"], difference)
        close(row["bound"], bound)
        if abs(abs(difference) - bound) > 1e-6:
            assert row["verdict"] == verdict(metric, difference, bound), row
        if row["verdict"] != "within":
            assert f"{difference:+.{digits}f}" in line.split("|")[-2], (metric, line)
    if {table[model, metric]["verdict"] for metric in first} <= {"within", "-"} and model != models[0][0]:
        assert "| within the deviation of the seeds |" in line, line
