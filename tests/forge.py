#!/usr/bin/env python3
"""A stage that falsifies: runs the code of its argument on each frame, with the frame's `kind` and `body`, the `tensors` and the
number of samples `B` of a record, and NumPy as `np`. The stream is as valid as before, only not what its header says."""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "interop"))
from read_stream import Writer, frames

code, out = compile(sys.argv[1], "forgery", "exec"), Writer(sys.stdout.buffer)
for kind, body in frames(sys.stdin.buffer):
    exec(code, {"kind": kind, "body": body, "tensors": body.get("tensors"), "B": len(body.get("id", ())), "np": np})
    out.write(kind, body)
