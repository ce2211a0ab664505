#!/usr/bin/env python3
"""A stage that writes what it reads as nobody would, but as anybody may: the longest encodings, maps from their end, keys and
tensors that nobody knows, frames without CRCs. No program may compute anything else from it."""
import signal
import struct
import sys

import msgpack
from hostile import CUT, frame
from hostile_cases import tensor


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


signal.signal(signal.SIGPIPE, signal.SIG_DFL)
surprise()
