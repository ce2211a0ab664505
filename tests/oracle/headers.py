#!/usr/bin/env python3
"""Writes parameter files whose headers would take far more memory than they are worth into a directory: NAME.safetensors, and in
NAME.line a part of what must be said of it. And one of 5,000 tensors, many.safetensors, that is as it should be."""
import json
import os
import struct
import sys

OUT = sys.argv[1]
MOST = 1 << 20  # bytes of a header


def put(name, header, line=None, data=b""):
    with open(os.path.join(OUT, name + ".safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + data)
    if line:
        with open(os.path.join(OUT, name + ".line"), "w") as f:
            f.write(line)


def filled(begin, piece, end, size=MOST):
    """A header of that size or a little less, with the piece as often as it fits."""
    return begin + piece * ((size - len(begin) - len(end)) // len(piece)) + end


put("deep", filled(b'{"a":', b"[", b""), "header, byte 7: nested deeper than 3")
put("deep-objects", filled(b"", b'{"a":', b"1"), "header, byte 15: nested deeper than 3")
for name, piece in (("objects", b"{},"), ("lists", b"[],"), ("numbers", b"1,"), ("texts", b'"",'), ("maps", b'{"":0},')):
    header = filled(b'{"a":[', piece, b"0]}")
    values = 3 + header.count(piece) * (2 if piece[:1] in b"[{" else 1)
    put(name, header, f"header of {values} values, and at most 131072 are allowed")
for name, keys, line in (("keys", 10**5, "tensor '0': dtype missing but expected F32"),
                         ("more-keys", 1 << 17, "header of 1240817 bytes in a file of 1240825, and at most 1048576 are allowed"),
                         ("million-keys", 10**6, "and at most 1048576 are allowed")):
    put(name, b"{" + b",".join(b'"%x":1' % i for i in range(keys)) + b"}", line)
put("quotes", filled(b"{", b'"\\",', b""), "header, byte")
put("unended", filled(b'{"', b"[{,\\\\", b"\\"), "header, byte")
put("long-name", filled(b'{"', b"a", b'":1}'), "dtype missing but expected F32")

entries = {f"encoder.layer.{i}.attention.output.dense.weight": {"dtype": "F32", "shape": [1, 1, 1, 1], "data_offsets": [4 * i, 4 * i + 4]}
           for i in range(5000)}
put("many", json.dumps({"__metadata__": {"brackets": "[{,\"\\" * 1000}, **entries}, separators=(",", ":")).encode(), data=bytes(20000))
