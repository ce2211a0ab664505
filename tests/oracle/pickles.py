#!/usr/bin/env python3
"""Writes pickles for tests/unit/data.c into a directory, made by Python and NumPy or by hand.

NAME.pkl     a dict with an array under "a", and beside it what a reader must find there:
NAME.f32 NAME.i64   its numbers in C order, NAME.text its texts, a line each
NAME.bad     there is one: the pickle must be refused; it holds a part of the error line
*.set.pkl    data sets whose numbers follow from their place (see dataset below)
cut-N.pkl    small ones, to be cut off at every byte
"""
import os
import pickle
import re
import struct
import sys

import numpy as np

OUT = sys.argv[1]
PROTOCOLS = (2, 3, 4, 5)


def path(name):
    return os.path.join(OUT, name)


def write(name, data):
    with open(path(name), "wb") as f:
        f.write(data)


def expect(name, array):
    kind = array.dtype.kind
    if kind in "fiub":
        with np.errstate(over="ignore"):
            write(name + ".f32", np.ascontiguousarray(array.astype("<f4")).tobytes())
    if kind in "iub":
        write(name + ".i64", np.ascontiguousarray(array.astype("<i8")).tobytes())
    if kind in "USO":
        texts = [t.decode() if isinstance(t, bytes) else str(t) for t in array.ravel(order="C")]
        write(name + ".text", "".join(t + "\n" for t in texts).encode())


def good(name, array):
    array = np.asarray(array)
    for protocol in PROTOCOLS:
        full = f"{name}-p{protocol}"
        write(full + ".pkl", pickle.dumps({"z": 1, "a": array, "b": [array]}, protocol))
        expect(full, array)


def bad(name, data, part):
    write(name + ".pkl", data)
    write(name + ".bad", part.encode())


def numbers(dtype, shape):
    rng = np.random.default_rng(7)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        array = rng.normal(size=shape) * 50
    elif dtype.kind == "b":
        array = rng.integers(0, 2, size=shape)
    else:
        low = 0 if dtype.kind == "u" else -100
        array = rng.integers(low, 100, size=shape)
    return array.astype(dtype)


def good_ones():
    for dtype in ("f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split()):
        for order in "<>":
            good(f"{dtype}-{'le' if order == '<' else 'be'}", numbers(order + dtype, (5, 3, 4)))
    good("b1", numbers("?", (3, 7)))
    good("fortran", np.asfortranarray(numbers("f8", (6, 5, 4))))
    good("fortran-be", np.asfortranarray(numbers(">f4", (6, 5))))
    good("transposed", numbers("i4", (6, 5, 4)).transpose(0, 2, 1))
    good("one", numbers("f4", ()))
    good("flat", numbers("i2", (9,)))
    good("long", numbers("f8", (70, 40, 9)))
    good("long-fortran", np.asfortranarray(numbers("f4", (40, 50))))
    good("extremes", np.array([[np.nan, np.inf, -np.inf], [1e300, -0.0, 5e-324]]))
    good("int-extremes", np.array([-2**63, 2**63 - 1, 0]))
    good("text", np.array([["ab", "ünïcode"], ["日本語 😀", ""]]))
    good("text-be", np.array(["ab", "日本語 😀"]).astype(">U9"))
    good("text-fortran", np.asfortranarray([["ab", "c", "de"], ["f", "gh", "ijk"]]))
    good("bytes", np.array([b"ab", b"c", b""]))
    good("objects", np.asfortranarray(np.array([["video$_$1", "é"], ["x", 12]], dtype=object)))
    k_order()


def k_order():
    """What newer versions of NumPy write for axes in any order: by hand, as this version may not."""
    base = numbers("f4", (2, 3, 4))
    data = pickle.dumps(bytearray(base.tobytes()), 5)[2:-1]
    dtype = pickle.dumps(base.dtype, 4)[2:-1]
    axes = (2, 0, 1)
    body = (b"\x80\x05}\x8c\x01a\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer\x93("
            + data + dtype + b"K\x02K\x03K\x04\x87\x8c\x01K" + bytes(sum(([75, a] for a in axes), [])) + b"\x87tRs.")
    write("k-order.pkl", body)
    expect("k-order", base.transpose(axes))


def by_hand():
    """Values that no pickler here would write, but others do."""
    surrogate = np.array(["a\ud800b", "\x00"], dtype="U3")
    write("surrogate.pkl", pickle.dumps({"a": surrogate}, 4))
    write("surrogate.text", "a\ufffdb\n\n".encode())
    beyond = pickle.dumps({"a": np.array(["ab"])}, 4).replace(b"b\0\0\0", b"\0\0\x11\0")
    write("beyond.pkl", beyond)
    write("beyond.text", "a\ufffd\n".encode())
    # Python 2: its str are bytes, its int beyond 32 bits lines of text
    old = (b"\x80\x02}q\x00U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
           b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02i8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
           b"\x89T\x10\x00\x00\x00" + struct.pack("<qq", 5, -6) + b"tbsU\x01bI12345678901\ns.")
    write("python2.pkl", old)
    write("python2.i64", struct.pack("<qq", 5, -6))


def scalars():
    value = {"f": np.float64(0.1), "h": np.float16(1.5), "i": np.int32(-7), "u": np.uint8(200), "t": np.bool_(True),
             "s": np.str_("日本"), "n": None, "l": 2**40, "m": -(2**63), "r": -2.5, "e": {}, "d": {"k": [1, (2, "x")]}}
    for protocol in PROTOCOLS:
        if protocol >= 4:
            value["set"] = {1, 2}, frozenset("ab")
        write(f"scalars-p{protocol}.val", pickle.dumps(value, protocol))


class Call:
    def __init__(self, function, *args):
        self.what = function, args

    def __reduce__(self):
        return self.what


def evil():
    victim = path("executed")
    for protocol in PROTOCOLS:
        bad(f"system-p{protocol}", pickle.dumps({"a": Call(os.system, "touch " + victim)}, protocol), "global")
        bad(f"eval-p{protocol}", pickle.dumps(Call(eval, f"open({victim!r}, 'w')"), protocol), "global")
    bad("instance", b"\x80\x02(S'x'\nios\nsystem\n.", "opcode STRING")
    bad("inst", b"\x80\x02(ios\nsystem\n.", "opcode INST")
    bad("newobj", b"\x80\x02cnumpy\nndarray\n)\x81.", "opcode NEWOBJ")
    bad("persistent", b"\x80\x02X\x01\x00\x00\x00aQ.", "opcode BINPERSID")
    bad("extension", b"\x80\x02\x82\x01.", "opcode EXT1")
    bad("ndarray-called", b"\x80\x02cnumpy\nndarray\n)R.", "cannot be called")
    bad("text-called", b"\x80\x02X\x01\x00\x00\x00a)R.", "cannot be called")
    bad("name-escapes", b"\x80\x02cos\x1b[2J\nsystem\n.", "'os?[2J.system'")


def wrong_arrays():
    array = numbers("f8", (4, 3))
    right = pickle.dumps({"a": array}, 4)
    bad("short-data", right.replace(b"K\x04K\x03\x86", b"K\x05K\x03\x86"), "array of 120 bytes but found 96")
    bad("negative", right.replace(b"K\x04K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86"), "size -1")
    huge = b"\x8a\x08" + struct.pack("<q", 2**62)
    bad("overflow", right.replace(b"K\x04K\x03\x86", huge + huge + b"\x86"), "impossible")
    bad("item-overflow", right.replace(b"K\x04K\x03\x86", huge + b"K\x01\x86"), "elements of 8 bytes")
    bad("rank", right.replace(b"K\x04K\x03\x86", b"(" + b"K\x01" * 9 + b"t"), "9 axes")
    bad("complex", pickle.dumps({"a": np.zeros(3, "c16")}, 4), "dtype 'c16'")
    bad("longdouble", pickle.dumps({"a": np.zeros(3, "g")}, 4), "dtype 'f16'")
    bad("record", pickle.dumps({"a": np.zeros(3, "i4,f4")}, 4), "dtype 'V8'")
    bad("date", pickle.dumps({"a": np.zeros(3, "M8[s]")}, 4), "dtype 'M8'")
    two = pickle.dumps({"a": array}, 2)
    bad("not-latin1", two.replace(b"\xc2", b"\xe2", 1), "not their latin1")
    bad("one-more-latin1", re.sub(b"\xc2.", b"ab", two, count=1, flags=re.DOTALL), "not their latin1")
    bad("long-latin1", two.replace(b"K\x04K\x03\x86", b"K\x04K\x02\x86"), "in a text of")
    buffers = []
    bad("out-of-band", pickle.dumps({"a": array}, 5, buffer_callback=buffers.append), "NEXT_BUFFER")


def limits():
    bad("empty", b"", "empty")
    bad("no-pickle", b"\x1f\x8bnot a pickle", "no pickle")
    bad("protocol0", pickle.dumps({"a": 1}, 0), "no pickle")
    bad("protocol6", b"\x80\x06N.", "protocol 6")
    bad("no-opcode", b"\x80\x04\xff.", "0xff")
    bad("underflow", b"\x80\x04a.", "missing on the stack")
    bad("no-mark", b"\x80\x04t.", "mark is missing")
    bad("below-mark", b"\x80\x04](a.", "missing on the stack")
    bad("no-memo", b"\x80\x04h\x07.", "memo entry 7")
    bad("far-memo", b"\x80\x04Nr\xff\xff\xff\xffj\xfe\xff\xff\xff.", "memo entry 4294967294 is not there")
    bad("odd-dict", b"\x80\x04}(Nu.", "no value")
    bad("append-to-dict", b"\x80\x04}Na.", "no list")
    bad("frame", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.", "cut off")
    bad("lying-text", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.", "cut off")
    bad("lying-bytes", b"\x80\x04B\xff\xff\xff\xffab.", "cut off")
    bad("long-long", b"\x80\x04\x8a\x09" + b"\1" * 9 + b".", "integer of 9 bytes")
    bad("long-line", b"\x80\x02I" + b"9" * 30 + b"\n.", "no integer")
    bad("many-values", b"\x80\x04" + b"N" * (2**20 + 9) + b".", "1048576 values")
    bad("many-marks", b"\x80\x04" + b"(" * (2**20 + 9) + b".", "1048576 values")
    bad("many-duplicates", b"\x80\x04N" + b"2" * (2**20 + 9) + b".", "1048576 values")
    doubling = b"\x80\x04]\x94N\x94" + b"h\x00(" + b"h\x01" * 250000 + b"e"
    bad("memory", doubling + (b"h\x00(" + b"h\x01" * 400000 + b"e") * 60 + b".", "MiB")
    bad("memory-objects", b"\x80\x04]\x94(" + b"N" * 4000 + b"e" + objects_of(4000) + b".", "MiB")


def objects_of(n):
    """An array of objects, built again and again from one list, which is memo entry 0."""
    dtype = pickle.dumps(np.dtype(object), 4)[2:-1].replace(b"\x94", b"")
    dtype = dtype[dtype.index(b"\x8c"):]
    build = b"(K\x01M" + struct.pack("<H", n) + b"\x85h\x01\x89h\x00tb"
    return (b"0" + dtype + b"\x940cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
            + build * 3000)


def recursive():
    """Nothing to refuse, but nothing to follow without end either."""
    own = []
    own.append(own)
    table = {"a": np.arange(3), "own": own}
    table["self"] = table
    for protocol in PROTOCOLS:
        write(f"recursive-p{protocol}.pkl", pickle.dumps(table, protocol))
        expect(f"recursive-p{protocol}", table["a"])
    deep = b"]" * 300000 + b"a" * 299999
    array = pickle.dumps(np.arange(3), 4)[11:-1]
    write("deep.pkl", b"\x80\x04}(\x8c\x01a" + array + b"\x8c\x01d" + deep + b"u.")
    expect("deep", np.arange(3))


# ---- Data sets: text[split][i,t,f] = 1000 split + 100 i + 10 t + f, vision 1 more, audio 2 more ----

SIZES = (5, 3, 4)


def features(split, n, frames, width, offset, dtype):
    i, t, f = np.ogrid[:n, :frames, :width]
    return (1000 * split + 100 * i + 10 * t + f + offset).astype(dtype)


def split_of(split, unimodal, lists):
    n = SIZES[split]
    index = np.arange(n)
    part = {"text": features(split, n, 3, 4, 0, "f4"), "vision": features(split, n, 2, 5, 1, "f8"),
            "audio": np.asfortranarray(features(split, n, 4, 2, 2, "f8")),
            "text_bert": features(split, n, 3, 6, 0, "i8"),
            "vision_lengths": [i % 3 for i in range(n)], "audio_lengths": (index * 3 % 5).astype("u8"), "raw_text": np.array([f"word {split}, {i}" for i in range(n)]),
            "id": np.array([f"v{split}$_${i}" for i in range(n)]),
            "regression_labels": (index * .2 - .4).astype("f4")}
    if unimodal:
        for k, letter in enumerate("TVA"):
            part["regression_labels_" + letter] = (index * .1 + k).astype("f4")
    if lists:
        part["id"] = list(part["id"].tolist())
        part["regression_labels"] = [float(x) for x in part["regression_labels"]]
        part["text_bert"] = part["text_bert"].transpose(0, 2, 1)
    return part


def dataset(unimodal=False, lists=False, change=None):
    data = {name: split_of(i, unimodal, lists) for i, name in enumerate(("train", "valid", "test"))}
    if change:
        change(data)
    return data


def datasets():
    for protocol in PROTOCOLS:
        write(f"sims-p{protocol}.set.pkl", pickle.dumps(dataset(unimodal=True), protocol))
        write(f"mosi-p{protocol}.set.pkl", pickle.dumps(dataset(lists=True), protocol))

    def broken(name, change):
        write(name + ".set.pkl", pickle.dumps(dataset(change=change), 4))

    def short_audio(data):
        data["train"]["audio"] = data["train"]["audio"][:4]

    def wide_valid(data):
        data["valid"]["vision"] = np.zeros((3, 2, 6))

    def no_text(data):
        del data["test"]["text"]

    def empty_valid(data):
        data["valid"] = {key: value[:0] for key, value in data["valid"].items()}
        del data["test"]

    def no_labels(data):
        for part in data.values():
            del part["regression_labels"], part["id"]

    def infinite(data):
        data["train"]["audio"][1, 2, 1] = -np.inf
        data["train"]["vision"][1, 1, 3] = np.nan
        data["train"]["text"][1, 0, 2] = -np.inf

    def one_frame(data):
        for part in data.values():
            part["vision"] = part["vision"][:, 0]

    def padded(data):
        data["train"]["vision"] = np.zeros((5, 2, 5))
        data["train"]["vision"][:, 0, 0] = [1, 2, 3, 4, 5]
        data["train"]["vision"][2, 1] = [7, 0, 0, 0, -3]

    broken("short-audio", short_audio)
    broken("wide-valid", wide_valid)
    broken("no-text", no_text)
    def lengths(key, change):
        """A change of the lengths of the valid split, [0, 1, 2]."""
        def set_lengths(data):
            data["valid"][key] = change(data["valid"][key])
        return set_lengths

    def other_lengths(data):
        for part in data.values():
            n = len(part["text"])
            part["vision_lengths"] = np.array([7, 2, True, 0, 5][:n], "O")
            part["audio_lengths"] = np.array([[0], [2**64 - 1], [4], [1], [3]][:n], "u8")
            part["text_lengths"] = np.array([0.0, 1, 3, 2, 1e9][:n])

    def no_audio(data):
        for part in data.values():
            del part["audio"]
        data["valid"]["audio_lengths"] = "of what?"

    broken("other-lengths", other_lengths)
    broken("no-audio", no_audio)
    broken("negative-length", lengths("vision_lengths", lambda x: [x[0], -1, x[2]]))
    broken("negative-lengths", lengths("audio_lengths", lambda x: x.astype("i4") - 2))
    broken("broken-length", lengths("audio_lengths", lambda x: np.array([0, 1, 2.5])))
    broken("nan-length", lengths("vision_lengths", lambda x: [x[0], x[1], float("nan")]))
    broken("text-length", lengths("vision_lengths", lambda x: [x[0], "1", x[2]]))
    broken("texts-for-lengths", lengths("audio_lengths", lambda x: np.array(["0", "1", "2"])))
    broken("many-lengths", lengths("audio_lengths", lambda x: np.zeros((3, 2), "i8")))
    broken("few-lengths", lengths("vision_lengths", lambda x: x[:2]))
    broken("lengths-of-some", lengths("vision_lengths", lambda x: None))
    broken("empty-valid", empty_valid)
    broken("no-labels", no_labels)
    broken("infinite", infinite)
    broken("one-frame", one_frame)
    broken("padded", padded)
    flat = {"text": features(2, 1, 3, 4, 0, "f4")[0], "audio": features(2, 1, 4, 2, 2, "f8")[0].tolist(),
            "vision": features(2, 1, 2, 5, 1, "f8")[0], "text_bert": features(2, 1, 3, 6, 0, "i8")[0],
            "config": {"text": {"model": "bert"}}}
    flat["audio"] = np.array(flat["audio"])
    write("flat.set.pkl", pickle.dumps(flat, 5))
    write("no-set.set.pkl", pickle.dumps({"other": 1}, 4))
    write("list.set.pkl", pickle.dumps([1, 2], 4))


def to_cut():
    for protocol in PROTOCOLS:
        write(f"cut-{protocol}.cut", pickle.dumps({"a": np.arange(4.0).reshape(2, 2), "b": [1, "x", 2.5, np.str_("y")]},
                                                  protocol))


good_ones()
by_hand()
scalars()
evil()
wrong_arrays()
limits()
recursive()
datasets()
to_cut()
