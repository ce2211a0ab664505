#!/usr/bin/env python3
"""Streams that are cut, damaged or lie, through the real programs: what each says, its status, its memory.

    hostile.py line            makes the streams that the others read, with a small training line
    hostile.py cuts            each program, its stream cut: in msa-dump at every byte, in the others, which read by the same
                               code, about the ends of frames and of their prefixes, and at every fifth byte
    hostile.py training        each stage of a training line, its stream cut: at every byte of small frames, and about the ends
                               of the others and of their prefixes
    hostile.py backs           each program of that line that joins the way back, what comes on it cut in the same places
    hostile.py flips           each bit of a small stream flipped, in msa-dump, and every seventh in msa-gdwg and msa-metrics
    hostile.py sample          400 random flips and cuts of recorded streams, in msa-encode, msa-metrics and msa-dump
    hostile.py gzip            a gzipped stream, cut at every byte and with every third bit flipped
    hostile.py bodies          frames that claim what is not so
    hostile.py parameters      safetensors files that are none, or lie

Works in the current folder. STRIDE=N takes every Nth case. Prints what is wrong; status 1 if anything is."""
import itertools
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import zlib

import msgpack
from hostile_cases import BODIES, HEADERS, PARAMETERS, RECORDS, TENSORS, floats

FAILED, CORRUPT, CUT, OTHER = 1, 3, 4, 5
ENDED = "(cut off after [0-9]+ frames|no stream: the program before ended without a word)"
PATIENCE = 60  # seconds for one program
SAMPLES = 400
ROOM = 4 << 20  # memory that a program may take beyond what a good stream takes
SANITIZED = os.environ.get("O", ".") != "."  # takes terabytes of addresses
STRIDE = int(os.environ.get("STRIDE", "1"))
VOCABULARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden/tokenizer/vocab.txt")
ADDRESS = f"@msa-hostile-{os.getpid()}:token"
problems = 0


def problem(*words):
    global problems
    problems += 1
    print(*words, flush=True)
    if problems == 20:
        sys.exit("too many problems")


# --- streams ---


def frame(kind, number, body, flags=0):
    body = body if isinstance(body, bytes) else msgpack.packb(body)
    fields = struct.pack("<BcHII", 1, kind.encode(), flags, number, len(body))
    return b"\xd8M" + fields + struct.pack("<I", 0 if flags else zlib.crc32(body, zlib.crc32(fields))) + body


def stream(frames):
    """Of (kind, body), numbered, with an end where there is none."""
    frames = list(frames)
    if frames[-1][0] not in "EX":
        frames.append(("E", {"frames": len(frames)}))
    return b"".join(frame(kind, i, body) for i, (kind, body) in enumerate(frames))


def frames(data):
    """Of a stream, as (kind, body); tensors stay maps."""
    found, at = [], 0
    while at < len(data):
        kind, length = chr(data[at + 3]), struct.unpack_from("<I", data, at + 10)[0]
        found.append((kind, msgpack.unpackb(data[at + 18 : at + 18 + length], strict_map_key=False)))
        at += 18 + length
    return found


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


# --- programs ---


def command(program, path, options=""):
    """The command that reads a stream, and leaves nothing where it fails."""
    files = {"encode": "-p run/encode", "decompose": "-p run/decompose", "fuse": "concat -p run/fuse", "predict": "-p run/predict",
             "loss": "--tasks msr", "tokenize": f"--vocab {VOCABULARY}"}
    out = "" if program in ("dump", "metrics", "backprop") else "-o out"
    return f"msa-{program} -q {options} {files.get(program, '')} {out} {path}".split()


class Result:
    """Of a program with at most that much memory, where it fails for want of more. (What it has taken cannot be told
    from outside: the largest size of a process counts that of the one it was forked from.)"""

    def __init__(self, program, path, stdin=None, options="", memory=None):
        limit = ["prlimit", f"--data={memory}"] if memory and not SANITIZED else []
        process = subprocess.Popen(limit + command(program, path, options), stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        signal.alarm(PATIENCE)
        self.out, self.err = process.stdout.read(), process.stderr.read().decode(errors="replace")
        self.status = process.wait()
        signal.alarm(0)
        self.left = os.path.exists("out")
        if self.left:
            os.unlink("out")

    def refused(self, program, statuses, what, text=""):
        """It failed with one of these statuses and one line, and left nothing."""
        lines = self.err.splitlines()
        if self.status not in statuses:
            problem(f"{what}: msa-{program} ends with {self.status} but expected {statuses}: {self.err.strip()}")
        elif len(lines) != 1 or not lines[0].startswith(f"msa-{program}: ") or text not in lines[0]:
            problem(f"{what}: msa-{program} says '{self.err.strip()}' but expected one line with '{text}'")
        elif self.left or (program == "metrics" and self.out):
            problem(f"{what}: msa-{program} left something")


def accept(program, path, options=""):
    """A stream that is as it should be."""
    result = Result(program, path, options=options)
    if result.status:
        sys.exit(f"msa-{program} {path}: {result.status}: {result.err}")


def most_memory(program, path, options=""):
    """For a damaged stream: the least with which the program reads this one, which is as it should be, and ROOM."""
    accept(program, path, options)
    least, most = 0, 1 << 30
    while most - least > ROOM >> 4 and not SANITIZED:
        half = (least + most) // 2
        if Result(program, path, options=options, memory=half).status:
            least = half
        else:
            most = half
    return most + ROOM


# --- the line ---


def listen():
    """Somebody who takes what msa-backprop sends back."""
    end = socket.socket(socket.AF_UNIX)
    end.bind("\0" + ADDRESS[1:].partition(":")[0])
    end.listen(8)

    def take():
        while True:
            peer = end.accept()[0]
            while peer.recv(1 << 16):
                pass
            peer.close()

    threading.Thread(target=take, daemon=True).start()


def small(program):
    """What the program reads, without what it does not need: few bytes to cut."""
    needs, kept = PROGRAMS[program], []
    for kind, body in frames(read(f"in.{program}")):
        if kind == "H":
            body = {k: v for k, v in body.items() if k in ("mode", "family", "schema", "steps", "epochs", "back")}
            body["schema"] = {k: v for k, v in body["schema"].items() if k in needs}
            body["back"] = ADDRESS if body["mode"] == "train" else ""
        if kind == "D":
            body["tensors"] = {k: v for k, v in body["tensors"].items() if k in needs}
        if kind in "HDC" and kind not in (k for k, _ in kept):
            kept.append((kind, body))
    return stream(kept)


def tiny():
    """A stream that is good for all that do not compute."""
    header = {"mode": "eval", "family": "mosi", "schema": {"y": {"dtype": "<f4", "shape": [0], "gradient": False}}}
    record = {"id": ["a"], "tensors": {"y": floats(1), "label": floats(1)}}
    return stream([("H", header), ("D", record), ("C", {"epoch": 1})])


TRAINING = {  # a line that trains: a stage, and its arguments
    "encode": "-f -p run/encode.t --dim 8 --heads 1 --layers text=1,vision=1,audio=1",
    "decompose": "-f -p run/decompose.t",
    "predict": "-f -p run/predict.t",
    "loss": "-q",
    "gdwg": "-q",
    "metrics": "-q --select mae --log run/metrics.tsv",
    "dump": "-t --report run/report",
    "backprop": "--log run/steps.tsv",
}


LOAD = "--train --epochs 1 --batch 6 --drop vision,audio s.pkl"  # of that line


def line():
    """The streams between the stages of a small line: in.PROGRAM, what that program reads, and of one that trains
    both.PROGRAM, both directions before it."""
    def run(text):
        subprocess.run(["bash", "-ec", "set -o pipefail; " + text], check=True)

    ones = "text=1,vision=1,audio=1"
    run(f"mkdir -p run; msa-synth --samples 6,2,2 --frames {ones} --width {ones} -o s.pkl")
    run(f"msa-load --train --epochs 1 --batch 2 --drop vision,audio s.pkl | msa-encode -f -p run/encode --dim 8 --heads 1 --layers {ones} |"
        "msa-decompose -f -p run/decompose | msa-predict -f -p run/predict | msa-loss -q | msa-gdwg -q | tee train.msa | msa-backprop")
    run(f"msa-load --train --epochs 1 --batch 2 --drop vision,audio s.pkl | msa-encode -f -p run/encode --dim 8 --heads 1 --layers {ones} |"
        "msa-fuse concat --out 8 -f -p run/fuse | msa-predict -f -p run/head | msa-loss -q --tasks msr | msa-backprop")
    run(f"msa-load {LOAD} | " + " | ".join(
        f"msa-dump -t --record both.{program} | msa-{program} {arguments}" for program, arguments in TRAINING.items()))
    run("msa-load --split test --drop vision,audio s.pkl -o in.encode; msa-encode -p run/encode in.encode -o in.decompose;"
        "msa-decompose -p run/decompose in.decompose -o in.predict; msa-predict -p run/predict in.predict -o in.loss;"
        "msa-loss -q in.loss -o in.gdwg; cp in.gdwg in.metrics; cp in.encode in.dump; cp in.decompose in.fuse; cp in.encode in.tokenize; cp train.msa in.backprop")


PROGRAMS = {  # and the tensors that each must have
    "tokenize": [],
    "encode": ["text"],
    "decompose": ["h_text"],
    "fuse": ["h_text"],
    "predict": ["s_text", "d_text"],
    "loss": ["y", "label"],
    "gdwg": [],
    "metrics": ["y", "label"],
    "dump": ["text"],
    "backprop": ["y", "y@msr"],
}


# --- cut and damaged ---


def cuts():
    for program in PROGRAMS:
        data = small(program)
        accept(program, write("whole.msa", data))
        sizes = range(len(data)) if program == "dump" else sorted({*places(data, small=0), *range(0, len(data), 5)})
        for size in sizes[::STRIDE]:
            Result(program, write("cut.msa", data[:size])).refused(program, [CUT], f"cut at {size} of {len(data)}")
        print(f"msa-{program}: {len(sizes)} places in {len(data)} bytes")


NO_TOKEN = "0" * 32


def hello(token):
    return "H", {"mode": "back", "last": True, "token": token}


BEGIN = len(frame("H", 0, hello(NO_TOKEN)[1]))


def directions(recording):
    """What went forward in it, as a stream whose way back leads here, and what came back."""
    ways, before = ([], [hello(NO_TOKEN)]), None
    for kind, body in frames(read(recording)):
        if kind == "H":
            body["back"] = ADDRESS
        came_back = kind == "G" or kind == before == "C"
        if kind != "E":
            ways[came_back].append((kind, body))
        before = None if came_back else kind
    return map(stream, ways)


def places(data, small=100):
    """Where it is cut, in order: at every byte of small frames, about the ends of the others and of their prefixes."""
    found, at = set(), 0
    while at < len(data):
        end = at + 18 + struct.unpack_from("<I", data, at + 10)[0]
        found.update(range(at, end) if end - at < small else
                     (at, at + 1, at + 2, at + 10, at + 17, at + 18, at + 19, (at + end) // 2, end - 1))
        at = end
    return sorted(found)


def started(program, arguments):
    signal.alarm(PATIENCE)
    pipe = subprocess.PIPE
    return subprocess.Popen(["msa-" + program, *arguments.split()], stdin=pipe, stdout=pipe, stderr=pipe)


def ended(process):
    """Its status, and what it said."""
    signal.alarm(PATIENCE)
    said = process.stderr.read().decode()
    status = process.wait()
    signal.alarm(0)
    return status, said


def train(program, data, answers):
    """A stage of a training line reads this, and msa-dump behind it answers as in a recording.
    Returns of both (status, stderr)."""
    stage = started(program, TRAINING[program])
    behind = subprocess.Popen(["msa-dump", "--answer", answers], stdin=stage.stdout, stderr=subprocess.PIPE)
    stage.stdin.write(data)
    stage.stdin.close()
    stage.stdout.close()
    return ended(stage), ended(behind)


def training():
    """All but the last, whose stream is cut like any other, by cuts()."""
    for program, following in itertools.pairwise(TRAINING):
        (data, _), answers = directions(f"both.{program}"), f"both.{following}"
        if (whole := train(program, data, answers)) != ((0, ""), (0, "")):
            sys.exit(f"msa-{program}, not cut: {whole}")
        left = set(os.listdir("run"))
        for size in places(data)[::STRIDE]:
            (status, said), behind = train(program, data[:size], answers)
            what = f"training cut at {size} of {len(data)}: msa-{program}"
            if status != CUT or behind != (OTHER, "") or not re.fullmatch(f"msa-{program}: stdin: {ENDED}.*\n", said):
                problem(f"{what} ends with {status}: {said.strip()}, and msa-dump behind it with {behind}")
            if more := set(os.listdir("run")) - left:
                problem(f"{what} leaves {more}")
        print(f"msa-{program}: {len(places(data))} places in {len(data)} bytes")


def answered(program, arguments, data, back):
    """A program of a training line reads this, and gets these bytes on its way back, with its token in place of none.
    Returns its (status, stderr)."""
    stage, peer = started(program, arguments), socket.socket(socket.AF_UNIX)
    stage.stdin.write(data)
    stage.stdin.close()
    prefix = stage.stdout.read(18)
    header = msgpack.unpackb(stage.stdout.read(struct.unpack_from("<I", prefix, 10)[0]))
    address, _, token = header["back"][1:].rpartition(":")
    known = stream([hello(token)])[:BEGIN]
    peer.connect("\0" + address)
    peer.sendall((known + back[BEGIN:])[:len(back)])
    peer.close()
    stage.stdout.read()
    return ended(stage)


def backs():
    for program, following in itertools.pairwise(["load", *TRAINING]):
        if program == "loss":  # does not join
            continue
        arguments, data = TRAINING.get(program, LOAD), b"" if program == "load" else next(directions(f"both.{program}"))
        _, back = directions(f"both.{following}")
        if (whole := answered(program, arguments, data, back)) != (0, ""):
            sys.exit(f"msa-{program}, not cut: {whole}")
        for size in 1, 17, BEGIN - 1:  # not yet a peer that knows its token
            status, said = answered(program, arguments + " --wait 1 -q", data, back[:size])
            if status != FAILED or not said.startswith(f"msa-{program}: nobody takes gradients back"):
                problem(f"way back cut at {size}: msa-{program} ends with {status}: {said.strip()}")
        for size in [size for size in places(back) if size >= BEGIN][::STRIDE]:
            status, said = answered(program, arguments, data, back[:size])
            if status != CUT or not re.fullmatch(f"msa-{program}: the next program is gone: the way back was cut\n", said):
                problem(f"way back cut at {size} of {len(back)}: msa-{program} ends with {status}: {said.strip()}")
        print(f"msa-{program}: {len(places(back))} places in {len(back)} bytes")


def flipped(data, bit):
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def flips():
    data = tiny()
    for program in ("dump", "gdwg", "metrics"):
        memory = most_memory(program, write("whole.msa", data))
        bits = range(0, 8 * len(data), STRIDE if program == "dump" else max(STRIDE, 7))
        for bit in bits:
            result = Result(program, write("bad.msa", flipped(data, bit)), memory=memory)
            result.refused(program, [CORRUPT, CUT], f"bit {bit} flipped")
        print(f"msa-{program}: {len(bits)} bits")


def damages(draw, data, count):
    """Random ones: what it is, the bytes, and the statuses of who reads them."""
    for i in range(0, count, STRIDE):
        if draw.random() < 0.25:
            size = draw.randrange(len(data))
            yield f"sample {i}, cut at {size}", data[:size], [CUT]
        else:
            bit = draw.randrange(8 * len(data))
            yield f"sample {i}, bit {bit} flipped", flipped(data, bit), [CORRUPT, CUT]


def sample():
    """Through a pipe, as in a line."""
    draw = random.Random(1)
    for program in ("encode", "metrics", "dump"):
        memory = most_memory(program, f"in.{program}")
        for what, damaged, statuses in damages(draw, read(f"in.{program}"), SAMPLES):
            with open(write("bad.msa", damaged), "rb") as f:
                Result(program, "-", f, memory=memory).refused(program, statuses, what)


def gzipped():
    """Bits that nothing depends on, those that fill up the last byte of each compressed frame, may pass."""
    subprocess.run(["msa-gdwg", "-z", "-o", "whole.gz", write("whole.msa", tiny())], check=True)
    data, whole, passed = read("whole.gz"), Result("dump", "whole.gz").out, 0
    for size in range(0, len(data), STRIDE):
        Result("dump", write("cut.gz", data[:size])).refused("dump", [CUT], f"gzip cut at {size} of {len(data)}")
    bits = range(0, 8 * len(data), max(STRIDE, 3))
    for bit in bits:
        result = Result("dump", write("bad.gz", flipped(data, bit)))
        if result.status == 0 and result.out == whole:
            passed += 1
        else:
            result.refused("dump", [CORRUPT, CUT], f"gzip, bit {bit} flipped")
    if passed > 7 * (whole.count(b"\n") + 1):
        problem(f"{passed} flipped bits of a gzip file are not seen")
    print(f"{len(bits)} bits, of which {passed} do not matter")


# --- lies ---

def refuse(program, what, data, statuses, text):
    result = Result(program, write("bad.msa", data), memory=most[program] + 64 * len(data))
    result.refused(program, statuses, what, text)


most = {}


def bodies():
    for program in ("dump", "gdwg", "encode", "metrics"):
        most[program] = most_memory(program, f"in.{program}")
        header = frames(read(f"in.{program}"))[0]
        for what, (body, text) in BODIES.items():
            for kind in "DCM" if program != "dump" else "D":
                refuse(program, f"{what} in {kind}", stream([header, (kind, body)]), [CORRUPT], "frame 1: body: " + text)
            refuse(program, f"{what} in H", stream([("H", body)]), [CORRUPT], "frame 0: body: " + text)
        for what, (body, text) in {**TENSORS, **({} if program == "dump" else RECORDS)}.items():
            refuse(program, what, stream([header, ("D", body)]), [CORRUPT], text)
        for what, (body, text) in HEADERS.items() if program != "dump" else ():
            refuse(program, what, stream([("H", body)]), [CORRUPT], text)
        prefixes(program, header)


def prefixes(program, header):
    """Frames whose prefix lies; a frame of 1 GiB of which 10 bytes are there is a stream cut off."""
    def lie(what, text, offset, value, statuses=(CORRUPT,), checksum=True):
        good, bad = frame("H", 0, header[1]), bytearray(frame("D", 1, {"tensors": {}}))
        bad[offset : offset + len(value)] = value
        if checksum:
            bad[14:18] = struct.pack("<I", zlib.crc32(bad[18:], zlib.crc32(bad[2:14])))
        refuse(program, what, good + bytes(bad), list(statuses), text)

    lie("a body of 1 GiB", "cut off after 1 frames", 10, struct.pack("<I", 1 << 30), [CUT])
    lie("a body of 4 GiB", "at most 1073741824 are allowed", 10, b"\xff" * 4)
    lie("no body", "without a body", 10, bytes(4))
    lie("number 2", "number 2 but expected 1", 6, b"\x02")
    lie("version 2", "version 2", 2, b"\x02")
    lie("kind Q", "kind 51 ('Q')", 3, b"Q")
    lie("a second header", "kind 48 ('H')", 3, b"H")
    lie("an unknown flag", "unknown flags 0002", 4, b"\x02")
    lie("a CRC that is not to be checked", "flagged to be without CRC", 4, b"\x01")
    lie("a wrong CRC", "CRC ", 14, b"\0\0\0\0", checksum=False)
    if program != "dump":
        refuse(program, "a gradient", stream([header, ("G", {"tensors": {}})]), [CORRUPT], "frame 1: kind 'G'")
    refuse(program, "an end that miscounts", stream([header, ("E", {"frames": 7})]), [CORRUPT], "whose 'frames' is not 1")
    refuse(program, "bytes behind the end", stream([header, ("E", {"frames": 1})]) + b"\0", [CORRUPT], "bytes behind the end")


# --- parameters ---


def parameters():
    """Files of parameters that are none, through msa-decompose."""
    most["decompose"] = most_memory("decompose", "in.decompose")
    os.rename("run/decompose", "whole")
    for what, (data, text) in PARAMETERS.items():
        refuse_parameters(what, data, text)
    data = read("whole")
    for size in range(0, len(data), 7 * STRIDE):
        refuse_parameters(f"cut at {size} of {len(data)}", data[:size], "run/decompose: ")


def refuse_parameters(what, data, text):
    write("run/decompose", data)
    refuse("decompose", what, read("in.decompose"), [CORRUPT], text)


if __name__ == "__main__":
    if sys.argv[1] in ("cuts", "training", "backs"):
        listen()
    {"line": line, "cuts": cuts, "training": training, "backs": backs, "flips": flips, "sample": sample, "gzip": gzipped,
     "bodies": bodies, "parameters": parameters}[sys.argv[1]]()
    sys.exit(problems > 0)
