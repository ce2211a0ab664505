#!/usr/bin/env python3
"""Recordings of a training line that are damaged: whoever reads them must notice, and nobody may end well.

Works in a folder where hostile.py line has been. STRIDE=N takes every Nth case. Prints what is wrong; status 1 if anything is."""
import random
import subprocess
import sys

import hostile
from hostile import PATIENCE, Result, damages, most_memory, problem, read, write

SAMPLES = 100
OTHER = 5
WHOLE = "recorded.msa"


def record():
    """Where the answers to records hold tensors."""
    line = "msa-load --train --epochs 1 --batch 2 --drop vision,audio s.pkl | " \
        "msa-encode -f -p run/encode --dim 8 --heads 1 --layers text=1,vision=1,audio=1 | msa-decompose -f -p run/decompose | " \
        f"msa-dump -t --record {WHOLE} | msa-predict -f -p run/predict | msa-loss -q | msa-gdwg -q | msa-metrics -q | msa-backprop"
    subprocess.run(["bash", "-ec", "set -o pipefail; " + line], check=True)


def replay(recording, answers):
    """Statuses of the two ends of a line with no stage between them, and what they say."""
    line = 'msa-dump -q --replay "$0" | msa-dump -q --answer "$1"; echo "${PIPESTATUS[*]}"'
    ran = subprocess.run(["bash", "-c", line, recording, answers], capture_output=True, text=True, timeout=PATIENCE)
    return [int(status) for status in ran.stdout.split()], ran.stderr.splitlines()


def replay_refused(what, damaged, statuses, side):
    """The end that reads what is damaged says so, in the only line; the other one has been told."""
    recordings = [WHOLE, WHOLE]
    recordings[side] = damaged
    found, said = replay(*recordings)
    if found[side] not in statuses or found[1 - side] != OTHER:
        problem(f"{what}: {('--replay', '--answer')[side]} of it: statuses {found}, but expected one of {statuses} and {OTHER}: {said}")
    elif len(said) != 1 or not said[0].startswith(f"msa-dump: {damaged}: "):
        problem(f"{what}: {('--replay', '--answer')[side]} of it says {said} but expected one line that names it")


def recordings():
    record()
    most = {options: most_memory("dump", WHOLE, options) for options in ("", f"--diff {WHOLE}")}
    if replay(WHOLE, WHOLE) != ([0, 0], []):
        problem("the whole recording cannot be replayed:", replay(WHOLE, WHOLE))
    for what, damaged, statuses in damages(random.Random(2), read(WHOLE), SAMPLES):
        bad = write("bad.msa", damaged)
        for options, memory in most.items():
            result = Result("dump", bad, options=options, memory=memory)
            result.refused("dump", statuses, f"{what}, with '{options}'", f"{bad}: ")
        for side in (0, 1):
            replay_refused(what, bad, statuses, side)


if __name__ == "__main__":
    recordings()
    sys.exit(hostile.problems > 0)
