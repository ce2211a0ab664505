#!/usr/bin/env python3
"""Writes a data set twice, unused.py KIND PROTOCOL: in with/data.pkl each split has, besides, more than a million values that no
stage uses, under "align", in without/data.pkl it has not. KIND says what they are: lists as MMSA-FET writes them, or others."""
import os
import pickle
import sys

import numpy as np

KIND, PROTOCOL = sys.argv[1], int(sys.argv[2])
SAMPLES, WORDS = 24000, 50  # in the train split: 3.6 million integers


def objects(rows):
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def unused(n, part):
    pairs = [[[j, j + 1] for j in range(WORDS)] for _ in range(n)]
    if KIND == "lists":
        return pairs
    if KIND == "tuples":
        return tuple(tuple(tuple(pair) for pair in sample) for sample in pairs[:n // 2])
    if KIND == "dicts":
        return {f"v{i}": dict(enumerate(sample)) for i, sample in enumerate(pairs)}
    if KIND == "words":
        return [[f"{i} {j}" for j in range(WORDS)] for i in range(n)]
    if KIND == "objects":
        return objects(pairs)
    if KIND == "scalars":
        return [[np.int64(j) for j in range(WORDS)] for _ in range(n)]
    if KIND == "arrays":
        return [[np.arange(3), np.arange(2, dtype=">f4"), np.str_("x")] for _ in range(n)]
    # the same list under a key that is used, and in what is not
    return part["regression_labels"]


def split(n, at, other):
    rng = np.random.default_rng(at)
    part = {"id": [f"{at}${i}" for i in range(n)], "raw_text": [f"words {i}" for i in range(n)],
            "text": rng.normal(size=(n, 2, 3)).astype("f4"), "vision": rng.normal(size=(n, 1, 2)),
            "audio": rng.normal(size=(n, 1, 2)).astype(">f4"), "regression_labels": [float(i % 7) - 3 for i in range(n)]}
    return {**({"align": unused(n, part)} if other else {}), **part}


for folder in ("with", "without"):
    sizes = (SAMPLES, 200, 300) if KIND != "shared" else (200, 100, 100)
    os.makedirs(folder, exist_ok=True)
    data = {name: split(n, at, folder == "with") for at, (name, n) in enumerate(zip(("train", "valid", "test"), sizes))}
    with open(folder + "/data.pkl", "wb") as f:
        pickle.dump(data, f, PROTOCOL)
