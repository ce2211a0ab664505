#!/usr/bin/env python3
"""A stage of a training line: text that arrives as one vector a sample, [B,1,D], goes on as h_text [B,D].

It only renames what the data give, so it takes no part in the way back.
"""
import struct
import sys
import zlib

import msgpack

PREFIX = struct.Struct("<2s2BHIII")  # fixext 16 of type 'M', version, kind, flags, seq, body length, CRC


def rename(kind, body):
    if kind == b"H":
        entry = body["schema"].pop("text")
        entry["shape"] = [entry["shape"][0], entry["shape"][2]]
        body["schema"]["h_text"] = entry
    elif kind == b"D":
        tensor = body["tensors"].pop("text")
        tensor[b"shape"] = [tensor[b"shape"][0], tensor[b"shape"][2]]
        body["tensors"]["h_text"] = tensor


def frames(stream):
    while head := stream.read(PREFIX.size):
        magic, version, kind, flags, seq, length, _ = PREFIX.unpack(head)
        yield magic, version, bytes([kind]), flags, seq, stream.read(length)


for magic, version, kind, flags, seq, body in frames(sys.stdin.buffer):
    if kind in b"HD":
        body = msgpack.unpackb(body, strict_map_key=False)
        rename(kind, body)
        body = msgpack.packb(body)
    head = PREFIX.pack(magic, version, kind[0], flags, seq, len(body), 0)
    crc = zlib.crc32(body, zlib.crc32(head[2:14]))
    sys.stdout.buffer.write(head[:14] + struct.pack("<I", crc))
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()
