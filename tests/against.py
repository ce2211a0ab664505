#!/usr/bin/env python3
"""The comparisons of tests/against: what the programs of an older commit have left, and what those of this tree have.

  against.py compare OLD NEW NOTES [PATTERN...]   all files of two folders, or those of these names
  against.py until STEP                           a stage that passes frames on, and is killed before training step STEP

Streams are compared frame by frame, parameters tensor by tensor, both to the bit and by msa-dump --diff too; tables column by
column, as text; other files byte by byte. Frames, records, parameters and tables may have gained keys, tensors and columns, but
lost none. For each sort of files there is a line, "ok" or "not ok", and below it what differs first. To the file NOTES goes what
was gained, and what may be another: who made a stream, the states of programs in checkpoints, and the texts by which one
training is known from another."""
import fnmatch
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "interop"))
from read_stream import Writer, frames, opened
from same_tensors import read as parameters

SHOWN = 3  # files of a sort that differ
# Places of values that may be another.
FREE = re.compile(r"^H\.(back|pipeline\[\d+\]\.(version|argv.*))$|^C\.state\.|\.(training|line|checkpoint_line)$"
                  r"|^metadata\.version$|^about\.(made by|text\.msa|\w+ encoder)")
# The same among the lines of msa-dump --diff, which calls what one side does not have "nothing".
FREE_LINES = re.compile(r"note: |(back )?C state\.|[^:]*: nothing and |metadata (training|line|version): ")


class Comparison:
    """Of one sort of files: what differs, what is noted, how much was compared."""

    def __init__(self):
        self.differences, self.notes, self.files, self.values = {}, set(), 0, 0

    def differs(self, place, old, new):
        if FREE.search(place):
            self.note("another", place)
        else:
            self.differences.setdefault(self.file, []).append(f"{place}: {shortly(old)} and {shortly(new)}")

    def note(self, what, place):
        self.notes.add(f"{what}: " + re.sub(r"\b[0-9]+", "N", place))

    def compare(self, place, old, new):
        """Two values: tensors to the bit, maps by the keys that the old one has."""
        if isinstance(old, dict) and isinstance(new, dict):
            for key in old:
                if place == "about" and key == "loss.weights" and old["loss.tasks"] == ["msr"]:
                    self.note("of the tasks that are computed", f"{place}.{key}")
                elif key in new:
                    self.compare(f"{place}.{key}", old[key], new[key])
                elif place == "column" and not any(old[key]):
                    self.note("gone, without a value", f"{place}.{key}")
                elif place == "about" and key in ("loss.contrast", "loss.tau-m") and old["loss.tasks"] == ["msr"]:
                    self.note("gone, of a task that is not computed", f"{place}.{key}")
                else:
                    self.differs(f"{place}.{key}", "there", "not there")
            for key in new.keys() - old.keys():
                self.note("gained", f"{place}.{key}")
        elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
            for i, pair in enumerate(zip(old, new)):
                self.compare(f"{place}[{i}]", *pair)
        else:
            self.values += 1
            if bits(old) != bits(new):
                self.differs(place, old, new)

    def streams(self, old, new):
        pairs = [list(frames(opened(path))) for path in (old, new)]
        kinds = ["".join(kind for kind, _ in stream) for stream in pairs]
        if kinds[0] != kinds[1] or kinds[0][-1] != "E":
            self.differs("frames", *kinds)
        for (kind, a), (_, b) in zip(*pairs):
            self.compare(kind, a, b)
        self.ask_dump(old, new)

    def parameters(self, old, new):
        (was, tensors), (now, others) = map(parameters, (old, new))
        self.compare("metadata", was, now)
        self.compare("tensor", tensors, others)
        self.ask_dump(old, new)

    def ask_dump(self, old, new):
        """What msa-dump finds, of which all that counts is a difference here too."""
        found = subprocess.run(["msa-dump", "--diff", old, new], capture_output=True, text=True)
        lines = [line for line in found.stdout.splitlines() if not FREE_LINES.match(line)]
        if found.stderr or found.returncode not in (0, 1):
            lines.append(f"status {found.returncode} {found.stderr.strip()}")
        if lines:
            self.differences.setdefault(self.file, []).insert(0, f"msa-dump --diff: {lines[0]}")

    def tables(self, old, new):
        a, b = map(columns, (old, new))
        self.compare("about" if old.name == "about.tsv" else "column", a, b)

    def others(self, old, new):
        if old.suffix in (".svg", ".png"):
            self.note("a picture, of tables that are compared", old.name)
        else:
            self.compare("bytes", old.read_bytes(), new.read_bytes())


def bits(value):
    """What two values have in common when they are the same to the bit."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return np.float64(value).tobytes()
    return type(value), value


def shortly(value):
    text = repr(value.ravel()[:3].tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 60 else text[:60] + "..."


def columns(path):
    """A table by the names of its columns, of which one without any value may go; about.tsv by those of its lines."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    if path.name == "about.tsv":
        return {row[0]: row[1:] for row in rows}
    return {name: [row[i] if i < len(row) else None for row in rows[1:]] for i, name in enumerate(rows[0])}


def sort_of(path):
    if path.suffix == ".msa":
        return "streams"
    if ".safetensors" in path.name:
        return "parameters"
    return "tables" if path.suffix == ".tsv" else "others"


def files_of(folder, patterns):
    return {path.relative_to(folder) for path in folder.rglob("*")
            if path.is_file() and any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)}


def compare(old, new, notes, *patterns):
    old, new = Path(old), Path(new)
    there = [files_of(folder, patterns or ["*"]) for folder in (old, new)]
    sorts = {}
    for file in sorted(there[0] | there[1]):
        sort = sorts.setdefault(sort_of(file), Comparison())
        sort.file = file
        if file not in there[0]:
            sort.note("gained", f"file {file}")
        elif file not in there[1]:
            sort.differs("file", "there", "not there")
        else:
            sort.files += 1
            getattr(sort, sort_of(file))(old / file, new / file)
    for name, sort in sorted(sorts.items()):
        same = not sort.differences and sort.values
        print(f"{'ok' if same else 'not ok'} {name}, {sort.files} files, {sort.values} values")
        for file, lines in list(sort.differences.items())[:SHOWN]:
            print(f"{file}: {len(lines)} differ: {lines[0]}")
        if len(sort.differences) > SHOWN:
            print(f"and {len(sort.differences) - SHOWN} more files")
    with open(notes, "a") as file:
        file.writelines(f"{line}\n" for line in sorted(set().union(*(sort.notes for sort in sorts.values()))))
    if not sorts:
        print("not ok nothing to compare")


def until(step):
    out = Writer(sys.stdout.buffer)
    for kind, body in frames(sys.stdin.buffer):
        if kind == "D" and body["train"] and body["step"] == int(step):
            os.kill(os.getpid(), signal.SIGKILL)
        out.write(kind, body)


if __name__ == "__main__":
    {"compare": compare, "until": until}[sys.argv[1]](*sys.argv[2:])
