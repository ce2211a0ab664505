#!/usr/bin/env python3
"""Streams that are cut, damaged or lie, through the real programs: what each says, its status, its memory.

    hostile.py line            makes the streams that the others read, with a small training line
    hostile.py cuts            each program, its stream cut at every byte
    hostile.py flips           each bit of a small stream flipped, in msa-dump, msa-gdwg and msa-metrics
    hostile.py sample          400 random flips and cuts of recorded streams, in msa-encode, msa-metrics and msa-dump
    hostile.py gzip            a gzipped stream, cut at every byte and with every bit flipped
    hostile.py bodies          frames that claim what is not so
    hostile.py parameters      safetensors files that are none, or lie
    hostile.py surprise        a stage that writes what it reads as nobody would, but as anybody may

Works in the current folder. STRIDE=N takes every Nth case. Prints what is wrong; status 1 if anything is."""
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import zlib

import msgpack

CORRUPT, CUT = 3, 4
PATIENCE = 60  # seconds for one program
SAMPLES = 400
ROOM = 16 << 20  # memory that a program may take beyond what a good stream takes
STRIDE = int(os.environ.get("STRIDE", "1"))
ADDRESS = f"@msa-hostile-{os.getpid()}"
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


def tensor(dtype, shape, data, **others):
    return {b"nd": True, b"type": dtype, b"kind": b"", b"shape": shape, b"data": data, **others}


def floats(*shape):
    count = 1
    for size in shape:
        count *= size
    return tensor("<f4", list(shape), struct.pack(f"<{count}f", *([0.5] * count)))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


# --- programs ---


def command(program, path):
    """The command that reads a stream, and leaves nothing where it fails."""
    files = {"encode": "-p run/encode", "decompose": "-p run/decompose", "predict": "-p run/predict", "loss": "--tasks msr"}
    out = "" if program in ("dump", "metrics", "backprop") else "-o out"
    return f"msa-{program} -q {files.get(program, '')} {out} {path}".split()


class Result:
    def __init__(self, program, path, stdin=None):
        process = subprocess.Popen(command(program, path), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        signal.alarm(PATIENCE)
        self.out, self.err = process.stdout.read(), process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = self.status = os.waitstatus_to_exitcode(status)
        signal.alarm(0)
        self.memory = usage.ru_maxrss << 10
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


def usual_memory(program, path):
    """Of a stream that is as it should be."""
    result = Result(program, path)
    if result.status:
        sys.exit(f"msa-{program} {path}: {result.status}: {result.err}")
    return result.memory


# --- the line ---


def listen():
    """Somebody who takes what msa-backprop sends back."""
    end = socket.socket(socket.AF_UNIX)
    end.bind("\0" + ADDRESS[1:])
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


def line():
    """The streams between the stages of a small line: in.PROGRAM, what that program reads."""
    def run(text):
        subprocess.run(["bash", "-ec", "set -o pipefail; " + text], check=True)

    ones = "text=1,vision=1,audio=1"
    run(f"mkdir -p run; msa-synth --samples 6,2,2 --frames {ones} --width {ones} -o s.pkl")
    run(f"msa-load --train --epochs 1 --batch 2 --drop vision,audio s.pkl | msa-encode -f -p run/encode --dim 8 --heads 1 --layers {ones} |"
        "msa-decompose -f -p run/decompose | msa-predict -f -p run/predict | msa-loss -q | msa-gdwg -q | tee train.msa | msa-backprop")
    run("msa-load --split test --drop vision,audio s.pkl -o in.encode; msa-encode -p run/encode in.encode -o in.decompose;"
        "msa-decompose -p run/decompose in.decompose -o in.predict; msa-predict -p run/predict in.predict -o in.loss;"
        "msa-loss -q in.loss -o in.gdwg; cp in.gdwg in.metrics; cp in.encode in.dump; cp train.msa in.backprop")


PROGRAMS = {  # and the tensors that each must have
    "encode": ["text"],
    "decompose": ["h_text"],
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
        usual_memory(program, write("whole.msa", data))
        for size in range(0, len(data), STRIDE):
            Result(program, write("cut.msa", data[:size])).refused(program, [CUT], f"cut at {size} of {len(data)}")
        print(f"msa-{program}: {len(data)} bytes")


def flipped(data, bit):
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def flips():
    data = tiny()
    for program in ("dump", "gdwg", "metrics"):
        usual_memory(program, write("whole.msa", data))
        for bit in range(0, 8 * len(data), STRIDE):
            Result(program, write("bad.msa", flipped(data, bit))).refused(program, [CORRUPT, CUT], f"bit {bit} flipped")
        print(f"msa-{program}: {8 * len(data)} bits")


def sample():
    """Through a pipe, as in a line."""
    draw = random.Random(1)
    for program in ("encode", "metrics", "dump"):
        data = read(f"in.{program}")
        usual = usual_memory(program, f"in.{program}")
        for i in range(0, SAMPLES, STRIDE):
            cut = draw.random() < 0.25
            damaged = data[: draw.randrange(len(data))] if cut else flipped(data, draw.randrange(8 * len(data)))
            with open(write("bad.msa", damaged), "rb") as f:
                result = Result(program, "-", f)
            what = f"sample {i}, " + (f"cut at {len(damaged)}" if cut else "one bit flipped")
            result.refused(program, [CUT] if cut else [CORRUPT, CUT], what)
            if result.memory > usual + ROOM:
                problem(f"{what}: msa-{program} takes {result.memory} bytes, and {usual} for a good stream")


def gzipped():
    """Bits that nothing depends on, those that fill up the last byte of each compressed frame, may pass."""
    subprocess.run(["msa-gdwg", "-z", "-o", "whole.gz", write("whole.msa", tiny())], check=True)
    data, whole, passed = read("whole.gz"), Result("dump", "whole.gz").out, 0
    for size in range(0, len(data), STRIDE):
        Result("dump", write("cut.gz", data[:size])).refused("dump", [CUT], f"gzip cut at {size} of {len(data)}")
    for bit in range(0, 8 * len(data), STRIDE):
        result = Result("dump", write("bad.gz", flipped(data, bit)))
        if result.status == 0 and result.out == whole:
            passed += 1
        else:
            result.refused("dump", [CORRUPT, CUT], f"gzip, bit {bit} flipped")
    if passed > 7 * (whole.count(b"\n") + 1):
        problem(f"{passed} flipped bits of a gzip file are not seen")
    print(f"{8 * len(data)} bits, of which {passed} do not matter")


# --- lies ---

MANY = 1 << 20  # values that a body may have


def raw(head, *rest):
    """A body of one key with these bytes as its value."""
    return b"\x81\xa1x" + bytes.fromhex(head) + b"".join(rest)


BODIES = {  # of any frame: what it is, and what is said about it
    "an array of 4 billion": (raw("dd ff ff ff ff"), "ends inside of a value"),
    "a map of 4 billion": (raw("df ff ff ff ff"), "a map of 4294967295 pairs"),
    "a str of 4 GB": (raw("db ff ff ff ff"), "a str of 4294967295 bytes, but 0 are left"),
    "a bin of 4 GB": (raw("c6 ff ff ff ff", b"abc"), "a bin of 4294967295 bytes, but 3 are left"),
    "arrays nested 9 deep": (raw("91" * 8 + "01"), "nested deeper than 8"),
    "arrays nested 100,000 deep": (raw("91" * 100000 + "01"), "nested deeper than 8"),
    "maps nested 100,000 deep": (b"\x81\xa1x" * 100000 + b"\x01", "nested deeper than 8"),
    "257 pairs": ({f"k{i}": i for i in range(257)}, "a map of 257 pairs"),
    "too many values": (raw("dd 00 10 00 00", b"\xc0" * MANY), "more than 1048576 values"),
    "a key twice": (bytes.fromhex("82 a1 78 01 a1 78 02"), "key 'x' twice"),
    "a key twice, deep inside": (raw("82 a1 79 01 c4 01 79 02"), "key 'y' twice"),
    "a key of 129 bytes": ({"k" * 129: 1}, "a key of 129 bytes"),
    "an empty key": ({"": 1}, "a key of 0 bytes"),
    "a key with an escape": ({"\x1b[2J": 1}, "a key that is not printable"),
    "a number as key": (bytes.fromhex("81 01 01"), "a key that is not a str"),
    "a bin as the first map's key": (bytes.fromhex("81 c4 01 78 01"), "a key that is not a str"),
    "a str that is not UTF-8": (raw("a2 c3 28"), "a str that is not UTF-8"),
    "byte c1": (raw("c1"), "byte c1"),
    "bytes behind the map": (bytes.fromhex("80 80"), "1 bytes behind the map"),
    "no map": (bytes.fromhex("91 01"), "not a map"),
    "half a number": (raw("cf 00 00"), "ends inside of a value"),
    **{f"extension type {head[:2]}": (raw(head), "an extension type")
       for head in ("c7 00 01", "c8 00 00 01", "c9 00 00 00 00 01", "d4 01 00", "d6 ff 00 00 00 00", "d8 4d" + " 00" * 16)},
}


def one_tensor(dtype, shape, data=b"", **others):
    return {"tensors": {"x": tensor(dtype, shape, data, **others)}}


TENSORS = {  # of a record
    "dtype O": (one_tensor("|O", [1], b"\x80\x04K\x01."), "Python objects (dtype O) are not read"),
    "kind O": (dict(tensors={"x": {**floats(1), b"kind": b"O"}}), "Python objects"),
    "dtype >f4": (one_tensor(">f4", [1], b"\0" * 4), "dtype '>f4' but expected one of"),
    "dtype <c8": (one_tensor("<c8", [1], b"\0" * 8), "dtype '<c8' but expected one of"),
    "a dtype with fields": (one_tensor([["a", "<f4"]], [1], b"\0" * 4), "dtype '' but expected one of"),
    "a kind with fields": (dict(tensors={"x": {**floats(1), b"kind": b"V"}}), "structured dtypes are not read"),
    "a shape that overflows": (one_tensor("<f8", [2**32, 2**32]), "a shape of more elements"),
    "a shape that overflows to 4": (one_tensor("<f4", [2**63, 2, 1], b"\0" * 4), "a shape of more elements"),
    "a shape that 0 hides": (one_tensor("<f4", [0, 2**62, 4]), "a shape of more elements"),
    "a negative size": (one_tensor("<f4", [-1], b"\0" * 4), "a dimension that is no whole number"),
    "a size of 1.0": (one_tensor("<f4", [1.0], b"\0" * 4), "a dimension that is no whole number"),
    "rank 9": (one_tensor("<f4", [1] * 9, b"\0" * 4), "rank 9 but at most 8"),
    "a shape that is a number": (one_tensor("<f4", 1, b"\0" * 4), "'shape' is not an array"),
    "data that are a str": (one_tensor("<f4", [1], "\0" * 4), "'data' is not a bin"),
    "data too short": (one_tensor("<f4", [2], b"\0" * 4), "4 bytes but shape [2] of <f4 is 8"),
    "data too long": (one_tensor("<f4", [1], b"\0" * 5), "5 bytes but shape [1] of <f4 is 4"),
    "no data": ({"tensors": {"x": {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [0]}}}, "is missing"),
    "nd false": (dict(tensors={"x": {**floats(1), b"nd": False}}), "'nd' is not true"),
    "a number as tensor": ({"tensors": {"x": 1}}, "not a tensor"),
    "65 tensors": ({"tensors": {f"t{i}": floats(1) for i in range(65)}}, "65 tensors but at most 64"),
    "a name of 65 bytes": ({"tensors": {"n" * 65: floats(1)}}, "a name of 65 bytes"),
}
RECORDS = {  # of a record, for those that take it apart
    "no tensors": ({"epoch": 0}, "no 'tensors'"),
    "rank 0": (one_tensor("<f4", [], b"\0" * 4), "rank 0"),
    "different samples": ({"tensors": {"x": floats(1), "z": floats(2)}}, "2 samples but expected 1"),
    "an id too many": ({"tensors": {"x": floats(1)}, "id": ["a", "b"]}, "'id' names 2 samples"),
    "an id that is a number": ({"tensors": {"x": floats(1)}, "id": [1]}, "'id' has an item that is not a str"),
    "ids that are a map": ({"tensors": {"x": floats(1)}, "id": {}}, "'id' is not an array"),
    "a loss that is a word": ({"tensors": {}, "loss": {"msr": "1"}}, "'loss' is not a map of str to numbers"),
    "a negative epoch": ({"tensors": {}, "epoch": -1}, "'epoch' is no whole number"),
    "a step of 2^64-1": ({"tensors": {}, "step": 2**64 - 1}, "'step' is no whole number"),
    "an epoch of 1.0": ({"tensors": {}, "epoch": 1.0}, "'epoch' is no whole number"),
    "a long split": ({"tensors": {}, "split": "validation"}, "'split' is not a printable str of at most 7"),
    "train is 1": ({"tensors": {}, "train": 1}, "'train' is not true or false"),
}
HEADERS = {
    "no mode": ({}, "mode ''"),
    "mode back": ({"mode": "back"}, "mode 'back'"),
    "version 2": ({"mode": "eval", "version": 2}, "'version' is not 1"),
    "a need": ({"mode": "eval", "need": ["x"]}, "needs 'x'"),
    "a negative seed": ({"mode": "eval", "seed": -1}, "'seed' is no whole number"),
    "an infinite range": ({"mode": "eval", "range": float("inf")}, "'range' is no finite number"),
    "65 tensors": ({"mode": "eval", "schema": {f"t{i}": {"dtype": "<f4", "shape": [0]} for i in range(65)}}, "a schema of 65"),
    "a schema that is an array": ({"mode": "eval", "schema": []}, "'schema' is not a map"),
    "a promise without dtype": ({"mode": "eval", "schema": {"x": {"shape": [0]}}}, "'dtype'"),
    "a promise of rank 9": ({"mode": "eval", "schema": {"x": {"dtype": "<f4", "shape": [0] * 9}}}, "'shape' is not an array"),
    "a negative promise": ({"mode": "eval", "schema": {"x": {"dtype": "<f4", "shape": [0, -1]}}}, "a dimension"),
    "a pipeline that is a map": ({"mode": "eval", "pipeline": {}}, "'pipeline' is not an array"),
    "an address that is long": ({"mode": "eval", "back": "@" * 200}, "'back' is not a printable str"),
}


def refuse(program, what, data, statuses, text):
    result = Result(program, write("bad.msa", data))
    result.refused(program, statuses, what, text)
    most = usual[program] + ROOM + 64 * len(data)
    if result.memory > most:
        problem(f"{what}: msa-{program} takes {result.memory} bytes but expected at most {most}")


usual = {}


def bodies():
    for program in ("dump", "gdwg", "encode", "metrics"):
        usual[program] = usual_memory(program, f"in.{program}")
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


def safetensors(header, data=b"", length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


ONE = b'"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
PARAMETERS = {
    "an empty file": (b"", "0 bytes"),
    "7 bytes": (b"\0" * 7, "7 bytes"),
    "a header of 2^64-1 bytes": (safetensors({}, length=2**64 - 1), "header of 18446744073709551615 bytes"),
    "a header longer than the file": (safetensors({}, length=3), "header of 3 bytes in a file of 10"),
    "a header of 1 GiB of which 10 bytes are there": (safetensors(b" " * 10, length=1 << 30), "header of 1073741824 bytes"),
    "an empty header": (safetensors(b""), "header, byte"),
    "no JSON": (safetensors(b"hello"), "header, byte"),
    "JSON that is cut off": (safetensors(b'{"x":'), "header, byte"),
    "something behind the JSON": (safetensors(b"{}{}"), "header, byte"),
    "an array": (safetensors([]), "no JSON object"),
    "nested deeply": (safetensors(b'{"x":' + b"[" * 100000 + b"]" * 100000 + b"}"), "header, byte"),
    "a name that is not UTF-8": (safetensors(b'{"\xff":1}'), "header, byte"),
    "a name with a zero": (safetensors(b'{"a\\u0000b":1}'), "header, byte"),
    "a name twice": (safetensors(b"{" + ONE + b"," + ONE + b"}", bytes(8)), "duplicate"),
    "a note twice": (safetensors(b'{"__metadata__":{"a":"1","a":"2"}}'), "duplicate"),
    "notes that are a list": (safetensors({"__metadata__": []}), "__metadata__ is no object"),
    "a note that is a number": (safetensors({"__metadata__": {"a": 1}}), "__metadata__: 'a' is no string"),
    "a tensor that is a number": (safetensors({"x": 3}), "tensor 'x'"),
    "another dtype": (safetensors({"x": entry([2], 0, 4, "BF16")}, bytes(4)), "dtype BF16 but expected F32"),
    "no shape": (safetensors({"x": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)), "its shape is no list"),
    "no offsets": (safetensors({"x": {"dtype": "F32", "shape": [1]}}, bytes(4)), "data_offsets"),
    "three offsets": (safetensors({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, bytes(8)), "data_offsets"),
    "a negative size": (safetensors({"x": entry([-1], 0, 4)}, bytes(4)), "size 0 of its shape is impossible"),
    "a size of 1.0": (safetensors({"x": entry([1.0], 0, 4)}, bytes(4)), "size 0 of its shape is impossible"),
    "a size of 2^64": (safetensors({"x": entry([2**64], 0, 4)}, bytes(4)), "header, byte"),
    "sizes that overflow": (safetensors({"x": entry([2**62, 4], 0, 0)}), "size 1 of its shape is impossible"),
    "bytes that overflow": (safetensors({"x": entry([2**62], 0, 0)}), "0 bytes but expected"),
    "rank 9": (safetensors({"x": entry([1] * 9, 0, 4)}, bytes(4)), "its shape is no list"),
    "a negative offset": (safetensors({"x": entry([1], -4, 0)}, bytes(4)), "data_offsets"),
    "an offset of 0.0": (safetensors({"x": entry([1], 0.0, 4)}, bytes(4)), "data_offsets"),
    "an end before the begin": (safetensors({"x": entry([1], 4, 0)}, bytes(4)), "data_offsets"),
    "too few bytes for the shape": (safetensors({"x": entry([2], 0, 4)}, bytes(4)), "4 bytes but expected 2 values"),
    "an end behind the file": (safetensors({"x": entry([2], 0, 8)}, bytes(4)), "tensors end at 8 of the data but expected 4"),
    "1 TiB in a file of 100 bytes": (safetensors({"x": entry([2**38], 0, 2**40)}, bytes(4)), "tensors end at 1099511627776"),
    "two that overlap": (safetensors({"x": entry([2], 0, 8), "y": entry([1], 4, 8)}, bytes(8)), "tensor 'y' starts at 4"),
    "the same bytes twice": (safetensors({"x": entry([1], 0, 4), "y": entry([1], 0, 4)}, bytes(4)), "starts at 0"),
    "a gap": (safetensors({"x": entry([1], 0, 4), "y": entry([1], 8, 12)}, bytes(12)), "tensor 'y' starts at 8"),
    "a gap before": (safetensors({"x": entry([1], 4, 8)}, bytes(8)), "tensor 'x' starts at 4"),
    "bytes behind": (safetensors({"x": entry([1], 0, 4)}, bytes(8)), "tensors end at 4"),
    "a name that commands the terminal": (safetensors({"\x1b[2J\n": entry([1], 0, 2)}, bytes(2)), "tensor '?[2J?'"),
    "none of the parameters": (safetensors({"x": entry([1], 0, 4)}, bytes(4)), "no tensor 'T_simi_proj."),
}


def parameters():
    """Files of parameters that are none, through msa-decompose."""
    usual["decompose"] = usual_memory("decompose", "in.decompose")
    os.rename("run/decompose", "whole")
    for what, (data, text) in PARAMETERS.items():
        refuse_parameters(what, data, text)
    data = read("whole")
    for size in range(0, len(data), 7 * STRIDE):
        refuse_parameters(f"cut at {size} of {len(data)}", data[:size], "run/decompose: ")


def refuse_parameters(what, data, text):
    write("run/decompose", data)
    refuse("decompose", what, read("in.decompose"), [CORRUPT], text)


# --- valid but surprising ---


def wide(v):
    """A value in the longest encoding there is, maps from their end."""
    if v is None or isinstance(v, bool):
        return msgpack.packb(v)
    if isinstance(v, int):
        return struct.pack(">Bq", 0xD3, v) if v < 2**63 else struct.pack(">BQ", 0xCF, v)
    if isinstance(v, float):
        return struct.pack(">Bd", 0xCB, v)
    if isinstance(v, str):
        return struct.pack(">BI", 0xDB, len(v.encode())) + v.encode()
    if isinstance(v, bytes):
        return struct.pack(">BI", 0xC6, len(v)) + v
    if isinstance(v, list):
        return struct.pack(">BI", 0xDD, len(v)) + b"".join(map(wide, v))
    return struct.pack(">BI", 0xDF, len(v)) + b"".join(wide(k) + wide(v[k]) for k in reversed(list(v)))


def surprised(kind, body):
    """With keys and tensors that nobody knows."""
    if kind != "E":
        body["unknown"] = {"nothing": None, "list": [-1, 2.5, [b"", "", {}]], b"bin": 2**64 - 1}
    if kind in "DG":
        samples = len(body.get("id", ()))
        for t in body["tensors"].values():
            t.pop(b"pad", None)
            t.update({b"type": t[b"type"].encode(), b"unknown": [1]})
        body["tensors"].update({"empty": tensor("|b1", [samples, 0, 3], b""), "ö d ∂": tensor("<i2", [samples], b"ab" * samples)})
    return wide(body)


def surprise():
    """Frames without CRCs."""
    number, kind = 0, None
    while kind not in ("E", "X"):
        prefix = sys.stdin.buffer.read(18)
        if len(prefix) < 18:
            sys.exit(CUT)
        kind = chr(prefix[3])
        body = sys.stdin.buffer.read(struct.unpack_from("<I", prefix, 10)[0])
        body = msgpack.unpackb(body, strict_map_key=False)
        sys.stdout.buffer.write(frame(kind, number, surprised(kind, body), flags=1))
        sys.stdout.buffer.flush()
        number += 1


if __name__ == "__main__":
    if sys.argv[1] == "cuts":
        listen()
    {"line": line, "cuts": cuts, "flips": flips, "sample": sample, "gzip": gzipped, "bodies": bodies,
     "parameters": parameters, "surprise": surprise}[sys.argv[1]]()
    sys.exit(problems > 0)
