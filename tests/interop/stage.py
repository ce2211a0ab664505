"""The loop of a stage with parameters in Python, and its way back (msa-stream(5)); predict_stage.py shows its use.

`run(name, stage)` reads the stream from stdin, writes it to stdout, and returns the exit status. It calls
  stage.header(header)      when the header has been read; changes it
  stage.record(record)      for each record; changes it
  stage.gradient(gradient)  for the gradient of the last training record; changes it
  stage.update(gradient)    after that has gone to the stage before
  stage.state()             at a checkpoint: what is to be kept, tensors included
  stage.restore(state)      after stage.header, when a killed training goes on: what state() gave
  stage.committed(control)  when a checkpoint stands, whatever happens: its control frame
of a stage with parameters,
  stage.finite()            at a checkpoint on its way down: whether all of them are finite
and, of a stage that keeps a file of its own with each checkpoint,
  stage.file(number)        where that of this checkpoint is
  stage.save(path)          at a checkpoint, after stage.state: writes it. Its length and CRC-32 go into the state, and before
                            stage.restore the file must be as they say"""
import os
import select
import socket
import struct
import sys
import time
import zlib

from read_stream import Writer, frames

NOTICE, PATIENCE = 5, 60  # seconds until it is said that nobody comes, and until that is a failure
NOBODY = "nobody takes gradients back: does the line end in msa-backprop?"


class OtherFailed(Exception):
    """Another program has failed, and has said why; args[0] is the body of its X."""


class Closed(Exception):
    """Nobody reads the output any more."""


class OtherTraining(Exception):
    """The training that is to be resumed is not this one."""


STATUSES = (OtherTraining, 2), (EOFError, 4), (ValueError, 3), (Exception, 1)


def checksum(path):
    with open(path, "rb") as file:
        data = file.read()
    return {"bytes": len(data), "crc32": zlib.crc32(data)}


def own_user(peer):
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1] == os.geteuid()


class WayBack:
    """Made when a training header has been read, before it is written: connects to the stage before, and puts an address
    for the stage behind into the header. `entry` is the program's own of the header's pipeline, `out` the stream that takes
    the header to that stage."""

    def __init__(self, header, entry, out):
        if not header.get("back"):
            raise RuntimeError("a training stream without a return address: was it kept in a file?")
        before = socket.socket(socket.AF_UNIX)
        before.connect("\0" + header["back"][1:])
        if not own_user(before):
            raise RuntimeError("the return address belongs to another user")
        self.before, self.behind, self.last = Writer(before.makefile("wb"), forgiving=True), None, True
        self.name = entry["name"]
        self.before.write("H", {"version": 1, "mode": "back", "pipeline": [entry], "last": False})
        self.listener, self.started, self.out = socket.socket(socket.AF_UNIX), time.monotonic(), out
        self.listener.bind("")  # to a name of the kernel's choice
        self.listener.listen(0)
        header["back"] = "@" + self.listener.getsockname()[1:].decode()

    def wait(self):
        """Until a peer comes; one that has closed its input never will."""
        ends = select.poll()
        ends.register(self.listener, select.POLLIN)
        ends.register(self.out.file, 0)
        for seconds in NOTICE, PATIENCE:
            left = 0 if self.out.broken else max(0, self.started + seconds - time.monotonic())
            found = dict(ends.poll(1000 * left))
            if self.listener.fileno() in found:
                return
            if found or self.out.broken:
                raise Closed
            if seconds == NOTICE:
                print(f"{self.name}: warning: {NOBODY}", file=sys.stderr)
        raise TimeoutError(NOBODY)

    def meet(self):
        """Accepts one peer, of the same user, and reads its H, unless it is there."""
        if self.behind:
            return
        peer = None
        while not peer or not own_user(peer):
            self.wait()
            peer, _ = self.listener.accept()
        self.listener.close()
        self.behind = frames(peer.makefile("rb"))
        self.last = self.next("H").get("last", False)

    def next(self, kind):
        try:
            found, body = next(self.behind)
        except (EOFError, ConnectionError) as cut:  # stages behind the peer say why, if there are any
            reason = "the next program is gone: the way back was cut"
            raise EOFError(reason) if self.last else OtherFailed({"who": self.name, "what": reason}) from cut
        if found == "X":
            raise OtherFailed(body)
        if found != kind:
            raise ValueError(f"way back: frame '{found}' but expected '{kind}'")
        return body

    def take(self, kind):
        """The next frame from behind, which must be of that kind: its body."""
        self.meet()
        return self.next(kind)

    def give(self, kind, body):
        """To the stage before."""
        self.before.write(kind, body)


class Line:
    """A stage, and the streams on both sides of it."""

    def __init__(self, name, stage):
        self.entry, self.stage = {"name": name, "version": "1", "argv": sys.argv[1:]}, stage
        self.out, self.back, self.checkpoint = Writer(sys.stdout.buffer), None, None

    def header(self, header):
        header.setdefault("pipeline", []).append(self.entry)
        self.key = f"{len(header['pipeline'])}:{self.entry['name']}"
        if header["mode"] == "train":
            self.out.forgiving = True
            self.back = WayBack(header, self.entry, self.out)
        self.stage.header(header)
        if header.get("resume", {}).get("checkpoint"):
            self.checkpoint = header["resume"]
            state = self.kept(self.checkpoint.get("state", {}))
            self.check_file(state)
            self.stage.restore(state)

    def check_file(self, state):
        if not hasattr(self.stage, "file"):
            return
        path = self.stage.file(self.checkpoint["checkpoint"])
        if (found := checksum(path)) != state.get("file"):
            raise ValueError(f"{path}: {found} but the commit has {state.get('file')}: the file was damaged")

    def kept(self, states):
        """What this stage gave to a checkpoint; by its name alone where others have come or gone before it."""
        named = [state for key, state in states.items() if key.partition(":")[2] == self.entry["name"]]
        if self.key not in states and len(named) != 1:
            raise OtherTraining(f"the training that is to be resumed has no {self.key}: is this another line?")
        return states.get(self.key, named[0])

    def gradient(self, record):
        gradient = self.back.take("G")
        if (gradient["epoch"], gradient["step"]) != (record["epoch"], record["step"]):
            raise ValueError(f"way back: the gradient of step {gradient['step']} but expected {record['step']}")
        self.stage.gradient(gradient)
        self.back.give("G", gradient)
        self.stage.update(gradient)

    def control(self):
        self.checkpoint = self.back.take("C")
        state = self.checkpoint.setdefault("state", {})[self.key] = self.stage.state()
        if hasattr(self.stage, "file"):
            path = self.stage.file(self.checkpoint["checkpoint"])
            self.stage.save(path)
            state["file"] = checksum(path)
        self.back.give("C", self.checkpoint)

    def frame(self, kind, body):
        if kind == "X":
            raise OtherFailed(body)
        if self.checkpoint and kind != "H":  # that it goes on means that the checkpoint stands
            self.stage.committed(self.checkpoint)
            self.checkpoint = None
        if kind == "H":
            self.header(body)
        elif kind == "D":
            self.stage.record(body)
        elif kind == "C" and self.back and hasattr(self.stage, "finite") and not self.stage.finite():
            body["finite"] = False  # msa-backprop ends the training, and the checkpoint does not come back
        if self.back and kind == "E":
            self.back.meet()  # who reads E may end before a stage behind it has come
        self.out.write(kind, body)
        if self.back and kind == "D" and body["train"]:
            self.gradient(body)
        elif self.back and kind == "C":
            self.control()
        elif self.back and kind == "E":
            self.back.give("E", self.back.take("E"))

    def fail(self, who, what):
        self.out.forgiving = True
        for way in self.out, self.back and self.back.before:
            if way and not way.ended:
                way.write("X", {"who": who, "what": what})


def run(name, stage):
    line = Line(name, stage)
    try:
        for kind, body in frames(sys.stdin.buffer):
            line.frame(kind, body)
        return 0
    except Closed:
        return 141
    except OtherFailed as failed:
        line.fail(failed.args[0].get("who", ""), failed.args[0].get("what", ""))
        return 5
    except Exception as error:
        what = f"{type(error).__name__}: {error}"[:250]
        print(f"{name}: {what}", file=sys.stderr)
        line.fail(name, what)
        return next(status for kind, status in STATUSES if isinstance(error, kind))
