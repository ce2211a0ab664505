#!/usr/bin/env python3
"""A stage of the timed line: text that comes as one vector a sample, [B,1,D], goes on as h_text [B,D].

It only renames what the data give, so it takes no part in the way back. Needs tests/interop on PYTHONPATH.
"""
import sys

from read_stream import Writer, frames

out = Writer(sys.stdout.buffer)
for kind, body in frames(sys.stdin.buffer):
    if kind == "H":
        text = body["schema"].pop("text")
        body["schema"]["h_text"] = dict(text, shape=[text["shape"][0], text["shape"][2]])
    elif kind == "D":
        body["tensors"]["h_text"] = body["tensors"].pop("text")[:, 0]
    out.write(kind, body)
