#!/usr/bin/env python3
"""large.py FILE MIB [PROTOCOL]: a data set of so many MiB of numbers, 'audio' [N,400,80], nearly all of them zeros that take no
room on the disk. In protocols above 2 the first number of sample i is i + 1."""
import struct
import sys

FRAMES, WIDTH = 400, 80
SAMPLE = FRAMES * WIDTH * 8


def integer(n):
    return b"J" + struct.pack("<i", n)


def text(word):
    return b"X" + struct.pack("<I", len(word)) + word


def array(protocol, dtype, shape, size):
    """What stands before and behind `size` bytes of an array."""
    before = (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + integer(0) + b"\x85" + text(b"b") + b"\x87R("
              + integer(1) + b"(" + b"".join(map(integer, shape)) + b"t" + b"cnumpy\ndtype\n" + text(dtype)
              + b"\x89\x88\x87R(" + integer(3) + text(b"<") + b"NNN" + integer(-1) * 2 + integer(0) + b"tb\x89")
    if protocol == 2:
        return before + b"c_codecs\nencode\nX" + struct.pack("<I", size), text(b"latin1") + b"\x86Rtb"
    return before + b"\x8e" + struct.pack("<Q", size), b"tb"


def main():
    path, n = sys.argv[1], (int(sys.argv[2]) << 20) // SAMPLE
    protocol = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    with open(path, "wb") as f:
        f.write(bytes([0x80, protocol]) + b"}(" + text(b"train") + b"}(" + text(b"audio"))
        before, behind = array(protocol, b"f8", (n, FRAMES, WIDTH), n * SAMPLE)
        f.write(before)
        start = f.tell()
        if protocol != 2:
            for i in range(n):
                f.seek(start + i * SAMPLE)
                f.write(struct.pack("<d", i + 1))
        f.seek(start + n * SAMPLE)
        f.write(behind + text(b"regression_labels") + b"](" + b"".join(integer(i % 3 - 1) for i in range(n)) + b"euu.")


main()
