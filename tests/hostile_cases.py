"""What tests/hostile.py tries: bodies of frames, and files of parameters, that claim what is not so; each with a part of the
line that must be said about it."""
import json
import struct

# --- frames ---


def tensor(dtype, shape, data, **others):
    return {b"nd": True, b"type": dtype, b"kind": b"", b"shape": shape, b"data": data, **others}


def floats(*shape):
    count = 1
    for size in shape:
        count *= size
    return tensor("<f4", list(shape), struct.pack(f"<{count}f", *([0.5] * count)))


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
    "129 tensors": ({"tensors": {f"t{i}": floats(1) for i in range(129)}}, "129 tensors but at most 128"),
    "a name of 65 bytes": ({"tensors": {"n" * 65: floats(1)}}, "a name of 65 bytes"),
}
RECORDS = {  # of a record, for those that take it apart
    "no tensors": ({"epoch": 0}, "no 'tensors'"),
    "rank 0": (one_tensor("<f4", [], b"\0" * 4), "rank 0"),
    "different samples": ({"tensors": {"x": floats(1), "z": floats(2)}}, "2 samples but expected 1"),
    "an id too many": ({"tensors": {"x": floats(1)}, "id": ["a", "b"]}, "'id' has 2 samples but expected 1"),
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
    "129 tensors": ({"mode": "eval", "schema": {f"t{i}": {"dtype": "<f4", "shape": [0]} for i in range(129)}}, "a schema of 129"),
    "a schema that is an array": ({"mode": "eval", "schema": []}, "'schema' is not a map"),
    "a promise without dtype": ({"mode": "eval", "schema": {"x": {"shape": [0]}}}, "'dtype'"),
    "a promise of rank 9": ({"mode": "eval", "schema": {"x": {"dtype": "<f4", "shape": [0] * 9}}}, "'shape' is not an array"),
    "a negative promise": ({"mode": "eval", "schema": {"x": {"dtype": "<f4", "shape": [0, -1]}}}, "a dimension"),
    "a pipeline that is a map": ({"mode": "eval", "pipeline": {}}, "'pipeline' is not an array"),
    "an address that is long": ({"mode": "eval", "back": "@" * 200}, "'back' is not a printable str"),
}


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
