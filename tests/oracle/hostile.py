#!/usr/bin/env python3
"""Writes data sets that no reader must trust into a directory: NAME.pkl, and in NAME.line a part of what msa-load must say of it.
What is wrong is in the pickle itself or in the set that it holds. None is ever loaded here, and some would do harm if one was:
they would leave a file called `executed` in that directory."""
import collections
import os
import pickle
import struct
import sys

import numpy as np

OUT = sys.argv[1]
N = 4


def put(name, data, line):
    with open(os.path.join(OUT, name + ".pkl"), "wb") as f:
        f.write(data)
    with open(os.path.join(OUT, name + ".line"), "w") as f:
        f.write(line)


def split(n=N, **change):
    part = {"text": np.ones((n, 3, 2), "f4"), "vision": np.ones((n, 2, 2)), "audio": np.ones((n, 2, 5)),
            "id": [f"v${i}" for i in range(n)], "regression_labels": np.linspace(-1, 1, n).astype("f4")}
    part.update(change)
    return {key: value for key, value in part.items() if value is not ...}


def whole(**train):
    return {"train": split(**train), "valid": split(), "test": split()}


def broken(name, line, data=None, protocol=4, **train):
    put(name, pickle.dumps(whole(**train) if data is None else data, protocol), line)


class Call:
    """What pickle writes of it calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


class State:
    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        return Call, (print,), self.state


def executing():
    victim = os.path.join(OUT, "executed")
    touch = "touch " + victim
    for protocol in range(6):
        line = "no pickle" if protocol < 2 else "global 'posix.system'"
        broken(f"system-{protocol}", line, protocol=protocol, text=Call(os.system, touch))
        broken(f"eval-{protocol}", line.replace("posix.system", "builtins.eval" if protocol > 2 else "__builtin__.eval"),
               protocol=protocol, id=[Call(eval, f"open({victim!r}, 'w')")])
    broken("exec-root", "global", Call(exec, f"open({victim!r}, 'w')"))
    broken("getattr", "global", Call(getattr, [], "append"))
    broken("state", "global '__main__.Call'", State({"a": 1}))
    broken("set", "'train' is list but expected dict", {"train": {1, 2, 3}})
    broken("bytearray", "'train' is bytes but expected dict", {"train": bytearray(5)}, 5)
    broken("complex", "global 'builtins.complex'", {"train": 1j})
    broken("ordered", "'train' is int but expected dict", collections.OrderedDict(train=1))
    broken("counter", "global 'collections.Counter'", collections.Counter(train=1))
    broken("factory", "cannot be called", Call(list, (1, 2)))
    put("ordered-of-text", b"\x80\x02ccollections\nOrderedDict\nX\x01\x00\x00\x00aR.", "OrderedDict without arguments")
    put("ordered-of-items", b"\x80\x02ccollections\nOrderedDict\n]K\x01a\x85R.", "OrderedDict: value 1 is missing or of a wrong type")
    put("ordered-of-triples", b"\x80\x02ccollections\nOrderedDict\n]](K\x01K\x02K\x03ea\x85R.", "OrderedDict: value 1 is no pair")
    put("instance", b"\x80\x02(S'" + touch.encode() + b"'\nios\nsystem\n.", "opcode")
    put("object", b"\x80\x02(cos\nsystem\nX\x02\x00\x00\x00idtR.", "global 'os.system'")
    put("obj", b"\x80\x02(cnumpy\nndarray\nX\x02\x00\x00\x00ido.", "opcode OBJ")
    put("newobj-ex", b"\x80\x04cnumpy\nndarray\n)}\x92.", "opcode NEWOBJ_EX")
    put("persistent", b"\x80\x02Pabc\n.", "opcode PERSID")
    put("persistent-binary", b"\x80\x02X\x01\x00\x00\x00aQ.", "opcode BINPERSID")
    put("extension-1", b"\x80\x02\x82\x01.", "opcode EXT1")
    put("extension-4", b"\x80\x02\x84\x01\x00\x00\x00.", "opcode EXT4")
    put("next-buffer", b"\x80\x05\x97.", "opcode NEXT_BUFFER")
    put("codecs", b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.", "latin1")
    put("codecs-dotted", b"\x80\x04\x8c\x07_codecs\x8c\x0flookup.__self__\x93.", "global '_codecs.lookup.__self__'")
    put("dotted", b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__base__\x93.", "global 'numpy.dtype.__base__'")
    put("zip", b"PK\x03\x04" + b"\0" * 60, "a zip archive but expected a pickle or a stream")
    put("safetensors", b"\x08\0\0\0\0\0\0\0{}      ", "a safetensors file but expected a pickle")


def cut():
    data = pickle.dumps(whole(), 4)
    for at in (1, 2, 3, 11, 12, 50, len(data) // 2, len(data) - 1):
        put(f"cut-{at}", data[:at], "cut off")
    put("empty", b"", "empty")
    put("text", b"id,text,label\n1,hello,0.5\n", "no pickle")
    put("zeros", b"\0" * 4096, "no pickle")
    put("random", np.random.default_rng(3).bytes(5000), "no pickle")
    put("no-end", data[:-1] + b"N0" * 50, "cut off")


def lying():
    data = pickle.dumps(whole(), 4)
    shape = b"K\x04K\x03K\x02\x87"
    assert shape in data
    for name, lie, line in (("fewer", b"K\x03K\x03K\x02\x87", "array of 72 bytes but found 96"),
                            ("more", b"K\x04K\x03M\xff\xff\x87", "but found 96"),
                            ("negative", b"K\x04K\x03J\xff\xff\xff\xff\x87", "size -1"),
                            ("scalar", b"K\x04K\x03K\x02\x86", "five values"),
                            ("real", b"K\x04K\x03G\x40\0\0\0\0\0\0\0\x87", "shape of an array")):
        put("shape-" + name, data.replace(shape, lie, 1), line)
    huge = b"\x8a\x08" + struct.pack("<q", 2**62)
    put("shape-overflow", data.replace(shape, huge + huge + huge + b"\x87", 1), "impossible")
    put("shape-huge-empty", data.replace(shape, huge + b"K\x00K\x02\x87", 1), "but found 96")
    for name, head in (("text", b"\x8d"), ("bytes", b"\x8e"), ("frame", b"\x95")):
        for size in (2**20, 2**33, 2**63, 2**64 - 1):
            put(f"long-{name}-{size}", b"\x80\x04" + head + struct.pack("<Q", size) + b"abc.", "cut off")
    put("long-integer", b"\x80\x02\x8b\xff\xff\xff\x7fabc.", "integer of 2147483647 bytes")
    put("long-name", b"\x80\x02c" + b"a" * 100000 + b"\nb\n.", "global 'aaaa")
    put("memo-far", b"\x80\x02Nr\xff\xff\xff\x7fj\xfe\xff\xff\x7f.", "memo entry 2147483646")
    put("memo-missing", b"\x80\x02j\x05\0\0\0.", "memo entry 5")
    put("no-stop", b"\x80\x04N", "cut off")
    put("no-value", b"\x80\x04.", "missing on the stack")
    put("no-mark", b"\x80\x04Nt.", "mark is missing")


def nesting():
    put("nested-lists", b"\x80\x04" + b"]" * 2000000, "1048576 values")
    put("nested-tuples", b"\x80\x04N" + b"\x85" * 2000000 + b".", "1048576 values")
    put("nested-marks", b"\x80\x04" + b"(" * 3000000, "1048576 values")
    deep = b"]" * 200000 + b"a" * 199999
    put("deep-text", b"\x80\x04}(\x8c\x05train}(\x8c\x04text" + deep + b"uu.", "'text' is list but expected an array of numbers")
    put("deep-split", b"\x80\x04}(\x8c\x05train" + deep + b"u.", "'train' is list but expected dict")
    put("doubling", b"\x80\x04]\x94" + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"e\x94" for i in range(200))
        + b".", "the pickle is list but expected dict")
    put("shared", b"\x80\x04]\x94N\x94" + b"h\x00(" + b"h\x01" * 250000 + b"e"
        + (b"h\x00(" + b"h\x01" * 400000 + b"e") * 60 + b".", "MiB")
    put("many-dicts", b"\x80\x04" + b"}" * 2000000, "1048576 values")
    put("many-duplicates", b"\x80\x04N" + b"2" * 2000000, "1048576 values")
    put("many-memo", b"\x80\x04" + b"N\x94" * 2000000, "1048576 values")
    put("full", b"\x80\x04(" + b"N\x94" * 1000000 + b"h\x00" * 48000 + b"t(" + b"h\x00" * 1000000 + b"(" * 1048000, "cut off")
    put("full-lists", b"\x80\x04]" + b"N\x94" * 500000 + b"0" * 500000 + (b"(" + b"h\x00" * 65537 + b"e") * 40, "MiB")
    small = pickle.dumps(np.float64(1), 4)
    dtype = small[small.index(b"\x8c\x05numpy"):small.index(b"C\x08")].replace(b"\x94", b"")
    put("many-dtypes", b"\x80\x04" + (dtype + b"0") * 400000, "values")
    put("many-arrays", b"\x80\x04" + b"cnumpy\nndarray\n\x940cnumpy.core.multiarray\n_reconstruct\n\x940("
        + b"h\x01h\x00K\x00\x85C\x01b\x87R" * 700000 + b"t.", "more than")


def recursive():
    train = split()
    train["text"] = train
    broken("own-text", "'vision' has 4 samples but expected 1, as 'text' has", {"train": train})
    own = []
    own.append(own)
    broken("own-label", "list but expected a number", regression_labels=[own] * N)
    broken("own-id", "train: sample 0, 'id': list but expected text or an integer", id=[own] * N)
    broken("own-list", "the pickle is list but expected dict", own)
    root = {}
    root["train"] = root
    broken("own-root", "train: 0 samples but expected one at least", root)
    data = {"train": {}}
    data["train"]["train"] = data
    broken("own-split", "train: 0 samples but expected one at least", data)
    whole_of_itself = whole()
    whole_of_itself["valid"] = whole_of_itself["train"]
    whole_of_itself["test"] = whole_of_itself["train"]["text"]
    broken("split-is-array", "'test' is ndarray but expected dict", whole_of_itself)
    put("memo-holds-itself", b"\x80\x04}\x94(\x8c\x05train}\x94(\x8c\x04text]\x94h\x02auh\x00h\x00u.", "'text' is list but expected an array of numbers")


def objects():
    rows = np.empty(N, object)
    rows[:] = [[1, 2]] * N
    broken("object-text", "'text' is object but expected an array of numbers", text=rows)
    broken("nested-text", "'text' is list but expected an array of numbers", text=[[[1., 2.]] * 3] * N)
    broken("string-text", "'text' is <U3 but expected an array of numbers", text=np.full((N, 3, 2), "1.0"))
    broken("str-text", "'id' has 2 samples but expected 1, as 'text' has", {"train": {"text": "words", "id": ["a", "b"]}})
    broken("none-text", "'vision' has 4 samples but expected 0", vision=np.ones((N, 2, 2)), text=np.ones((0, 3, 2)))
    broken("dict-text", "'text'", text={"a": 1})
    broken("text-labels", "'regression_labels' is <U1 but expected an array of numbers", regression_labels=np.array(["a"] * N))
    broken("none-label", "sample 2, 'regression_labels': None but expected a number", regression_labels=[0., 1., None, 2.])
    broken("str-label", "sample 1, 'regression_labels': str but expected a number", regression_labels=[0., "x", 1., 2.])
    broken("list-label", "sample 0, 'regression_labels': list but expected a number", regression_labels=[[0.]] * N)
    broken("object-label", "sample 3, 'regression_labels': str but expected a number",
           regression_labels=np.array([0., 1., 2., "y"], object))
    broken("array-label", "ndarray but expected a number", regression_labels=[np.zeros(3)] * N)
    broken("float-id", "'id' is <f8 but expected an array of texts or integers", id=np.zeros(N))
    broken("list-id", "train: sample 0, 'id': list but expected text or an integer", id=[[1]] * N)
    broken("none-id", "train: sample 0, 'id': None but expected text or an integer", id=[None] * N)
    broken("text-bert", "'text_bert' is <U1 but expected an array of integers", text_bert=np.full((N, 3, 5), "1"))
    for what, value in (("list", [1, 2]), ("int", 5), ("None", None), ("ndarray", np.zeros(3)), ("str", "data")):
        put("root-" + what, pickle.dumps(value, 4), f"the pickle is {what} but expected dict")
        if value is not None:
            broken("split-" + what, f"'valid' is {what} but expected dict", {"train": split(), "valid": value})


def disagreeing():
    for key in ("text", "vision", "audio", "regression_labels", "id"):
        first = "'vision' has 4 samples but expected 3, as 'text' has" if key == "text" else "has 3 samples but expected 4, as 'text' has"
        broken("short-" + key, first, **{key: split()[key][:3]})
    for key in ("text", "vision", "audio", "regression_labels"):
        broken("missing-" + key, f"train: '{key}' is not there but test has it", **{key: ...})
    for key in ("text_bert", "regression_labels_T", "regression_labels_V", "regression_labels_A"):
        value = np.ones((N, 3, 6), int) if key == "text_bert" else np.zeros(N)
        broken("short-" + key, f"'{key}' has 3 samples but expected 4, as 'text' has", **{key: value[:3]})
        broken("alone-" + key, f"test: '{key}' is not there but train has it", **{key: value})
    for letter in "TVA":
        key = "regression_labels_" + letter
        broken("label-nan-" + letter, f"train: sample 1, '{key}': nan but expected a finite number",
               {name: split(**{key: np.array([0, np.nan, 0, 0])}) for name in ("train", "valid", "test")})
    broken("bert-rows", "'text_bert' is [4,2,6] but expected [N,3,L]", text_bert=np.ones((N, 2, 6), int))
    broken("bert-flat", "'text_bert' is [4,6] but expected [N,3,L]", text_bert=np.ones((N, 6), int))
    broken("bert-longer", "valid: 'text_bert' has 6 tokens but expected 5, as in another split",
           {name: split(text_bert=np.ones((N, 3, 5 + (name == "valid")), int)) for name in ("train", "valid", "test")})
    broken("wider-text", "valid: 'text' is [4,3,2] but expected [*,3,7], as in another split", text=np.ones((N, 3, 7)))
    broken("wider-vision", "valid: 'vision' is [4,2,2] but expected [*,2,1], as in another split", vision=np.ones((N, 2, 1)))
    broken("wide-ids", "'id' has 8 values but expected one for each of 4 samples", id=np.full((N, 2), "a"))
    broken("one-label", "'regression_labels' has 1 samples but expected 4, as 'text' has", regression_labels=0.5)
    broken("wider", "valid: 'audio' is [4,2,5] but expected [*,2,6], as in another split", audio=np.ones((N, 2, 6)))
    broken("longer", "valid: 'text' is [4,3,2] but expected [*,9,2], as in another split", text=np.ones((N, 9, 2)))
    broken("flat-features", "'audio' is [4] but expected [N,L,F]", audio=np.ones(N))
    broken("deep-features", "'audio' is [4,2,2,2] but expected [N,L,F]", audio=np.ones((N, 2, 2, 2)))
    broken("no-width", "'audio' is [4,2,0] but expected [N,L,F]", audio=np.ones((N, 2, 0)))
    broken("no-frames", "'audio' is [4,0,5] but expected [N,L,F]", audio=np.ones((N, 0, 5)))
    broken("wide-labels", "has 12 values but expected one for each of 4 samples", regression_labels=np.zeros((N, 3)))
    broken("no-samples", "train, valid, test: 0 samples but expected one at least", {name: split(0) for name in ("train", "valid", "test")})
    broken("no-samples-train", "train: 0 samples but expected one at least", {"train": split(0)})
    broken("no-keys", "train, valid, test: 0 samples but expected one at least", {"train": {}, "valid": {}, "test": {}})
    broken("other-keys", "train: 0 samples but expected one at least", {"train": {"x": 1}})
    broken("no-features", "train, test: labels or ids alone, but expected 'text'",
           {name: {"id": ["a"], "regression_labels": [0.5]} for name in ("train", "test")})
    broken("other-splits", "a dict of neither splits", {"Train": split()})
    broken("empty-dict", "a dict of neither splits ('train', 'valid', 'test') nor a sample's arrays", {})
    for value in (np.nan, np.inf, -np.inf):
        labels = np.zeros(N, "f4")
        labels[2] = value
        broken(f"label-{value}".replace("--", "-minus-"), f"train: sample 2, 'regression_labels': {value} but expected a finite number", regression_labels=labels)
    broken("label-large", "inf but expected a finite number", regression_labels=np.full(N, 1e300))
    labels = [0., 1., np.nan, 0.]
    for what, labels in (("list", labels), ("objects", np.array(labels, object)), ("column", np.array(labels)[:, None])):
        broken("label-nan-" + what, "train: sample 2, 'regression_labels': nan but expected a finite number", regression_labels=labels)
    broken("id-same", "train: samples 1 and 3 are both called 'b'", id=list("abcb"))
    broken("id-same-array", "samples 0 and 1 are both called 'a'", id=np.array(list("aabc")))
    broken("id-same-number", "samples 2 and 3 are both called '7'", id=np.array([1, 2, 7, 7]))
    broken("id-same-objects", "samples 1 and 2 are both called 'a'", id=np.array(["b", "a", "a", "c"], object))
    broken("id-same-bytes", "samples 0 and 3 are both called 'a'", id=[b"a", b"b", b"c", b"a"])
    broken("long-id", "a text of 70000 letters but expected at most", id=["a", "b", "c", "d" * 70000])
    broken("wide-id", "a text of 70000 letters but expected at most", id=np.array(["a", "b", "c", "d" * 70000]))


executing()
cut()
lying()
nesting()
recursive()
objects()
disagreeing()
