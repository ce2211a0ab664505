#!/usr/bin/env python3
"""Reads a stream of msa-stream(5) as NumPy arrays, with nothing but stock msgpack and msgpack-numpy.

As a module: `for kind, body in frames(file)`; the tensors of a record are NumPy arrays in body["tensors"].
As a program: one line a frame of the file that is named, or of stdin."""
import gzip
import os
import signal
import struct
import sys
import zlib

import msgpack
import msgpack_numpy

PREFIX = struct.Struct("<2sBBHIII")  # magic, version, kind, flags, number, length of the body, CRC
NO_CRC = 1


def opened(path="-"):
    """A file or, for "-", stdin; gunzipped where it is gzip's."""
    file = sys.stdin.buffer if path == "-" else open(path, "rb")
    return gzip.open(file) if file.peek(2)[:2] == b"\x1f\x8b" else file


def frames(file):
    """Yields (kind, body) of each frame, E or X last. Raises EOFError when the stream was cut off before that,
    ValueError when it is damaged."""
    number, kind = 0, None
    while kind not in ("E", "X"):
        prefix = file.read(PREFIX.size)
        if len(prefix) < PREFIX.size:
            raise EOFError(f"cut off after {number} frames")
        magic, version, kind, flags, found, length, crc = PREFIX.unpack(prefix)
        kind = chr(kind)
        if (magic, version, found) != (b"\xd8M", 1, number) or flags & ~NO_CRC or kind not in "HDCMGEX":
            raise ValueError(f"frame {number}: not a frame of version 1")
        body = file.read(length)
        if len(body) < length:
            raise EOFError(f"cut off in frame {number}")
        if not flags & NO_CRC and zlib.crc32(body, zlib.crc32(prefix[2:14])) != crc:
            raise ValueError(f"frame {number}: wrong CRC")
        yield kind, msgpack.unpackb(body, object_hook=msgpack_numpy.decode)
        number += 1


def end_as_by_sigpipe():
    """What Python does not do by itself: it ignores the signal, and complains of what it cannot write, at its exit too."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)


class Writer:
    """The way out: numbers the frames of a stream and flushes each, because the next program is waiting for it. Where nobody
    reads any more the process ends silently, with what a shell shows as 141; unless it is forgiven: then frames go nowhere.
    Where it cannot be written it ends with one line, and 1."""

    def __init__(self, file, forgiving=False):
        self.file, self.number, self.ended = file, 0, False
        self.forgiving, self.broken = forgiving, False

    def write(self, kind, body):
        if self.broken:
            return
        body = msgpack.packb(body, default=msgpack_numpy.encode)
        prefix = PREFIX.pack(b"\xd8M", 1, ord(kind), 0, self.number, len(body), 0)[:14]
        self.number, self.ended = self.number + 1, kind in ("E", "X")
        try:
            self.file.write(prefix + struct.pack("<I", zlib.crc32(body, zlib.crc32(prefix[2:]))) + body)
            self.file.flush()
        except (BrokenPipeError, ConnectionResetError):
            if not self.forgiving:
                end_as_by_sigpipe()
            self.broken = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        except OSError as error:
            print(f"{os.path.basename(sys.argv[0])}: cannot write stdout: {error.strerror}", file=sys.stderr, flush=True)
            os._exit(1)  # what is left of this frame cannot be written either


def line(number, kind, body):
    """A frame in a line: its kind, its tensors with dtype and shape, its other keys."""
    tensors = [f"{name}:{x.dtype.str}{list(x.shape)}" for name, x in body.get("tensors", {}).items()]
    others = [f"{key}={value!r}" for key, value in body.items() if key != "tensors"]
    return " ".join([f"{number} {kind}", *tensors, *others])


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for number, (kind, body) in enumerate(frames(opened(*sys.argv[1:]))):
        print(line(number, kind, body))
