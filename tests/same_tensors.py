#!/usr/bin/env python3
"""Exit 0 when two safetensors files hold the same tensors to the bit, whatever their metadata.

  same_tensors.py [--checkpoint N] A B [NAME...]     with --checkpoint, A must also be of that checkpoint; with names, both
                                                     have these tensors, and the others may differ"""
import json
import struct
import sys


def read(path):
    with open(path, "rb") as f:
        raw = f.read()
    size, = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8:8 + size])
    metadata = head.pop("__metadata__", {})
    data = raw[8 + size:]
    return metadata, {name: (t["shape"], data[slice(*t["data_offsets"])]) for name, t in head.items()}



def main(arguments):
    checkpoint = None
    if arguments[0] == "--checkpoint":
        checkpoint = arguments[1]
        arguments = arguments[2:]
    (metadata, a), (_, b) = map(read, arguments[:2])
    if arguments[2:]:
        a, b = ([tensors[name] for name in arguments[2:]] for tensors in (a, b))
    return 0 if a and a == b and checkpoint in (None, metadata["checkpoint"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
