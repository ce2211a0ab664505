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
import fcntl
import os
import secrets
import select
import socket
import stat
import struct
import sys
import termios
import zlib

from read_stream import Writer, frames

# Seconds: until it is said that nobody comes, and until that is a failure, both once the header has been read; how often it
# is looked.
NOTICE, PATIENCE, TICK = 5, 60, 0.02
MOST, HELLO = 16, 65536  # who have come and are not known, at a time; bytes of their first frame
TOKEN_IS = b"\xa5token\xd9 "  # as MessagePack has the key, and that 32 bytes follow
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
        address, _, token = header["back"][1:].rpartition(":")
        if not address:
            raise RuntimeError(f"{header['back']} is not an address with a token")
        before = socket.socket(socket.AF_UNIX)
        before.connect("\0" + address)
        if not own_user(before):
            raise RuntimeError("the return address belongs to another user")
        self.before, self.behind, self.last = Writer(before.makefile("wb"), forgiving=True), None, True
        self.name, self.out, self.token = entry["name"], out, secrets.token_hex(16).encode()
        self.before.write("H", {"version": 1, "mode": "back", "pipeline": [{**entry, "argv": []}], "last": False, "token": token})
        self.listener, self.waiting = socket.socket(socket.AF_UNIX), []  # those who have come, and are not known yet
        self.listener.bind("")  # to a name of the kernel's choice
        self.listener.listen(MOST)
        self.listener.setblocking(False)
        header["back"] = f"@{self.listener.getsockname()[1:].decode()}:{self.token.decode()}"

    def known(self, peer):
        """Is the first frame there, and has the token? None: not all of it. It is still to be read."""
        try:
            start = peer.recv(HELLO, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionError:
            return False
        length = struct.unpack_from("<I", start, 10)[0] + 18 if len(start) >= 18 else 18
        if start[:2] != b"\xd8M"[:len(start)] or not start or length > HELLO:
            return False
        return None if len(start) < length else secrets.compare_digest(start.partition(TOKEN_IS)[2][: len(self.token)], self.token)

    def admit(self):
        """The peer, if it has come: it knows the token. Others are sent away."""
        try:
            while True:
                self.waiting.append(self.listener.accept()[0])
        except BlockingIOError:
            pass
        for peer in self.waiting[:]:
            known = own_user(peer) and self.known(peer)
            if known:
                return peer
            if known is False or len(self.waiting) > MOST:
                self.waiting.remove(peer)
                peer.close()
        return None

    def unread(self):
        """Has the next program not read the header, which is all that has been written? It may still be starting."""
        file = self.out.file.fileno()
        return stat.S_ISFIFO(os.fstat(file).st_mode) and fcntl.ioctl(file, termios.FIONREAD, bytes(4)) != bytes(4)

    def meet(self):
        """Waits for the peer, unless it is there, and reads its H. One that has closed its input will never come."""
        waited, input_end = 0, select.poll()
        input_end.register(self.out.file, 0)
        while not self.behind:
            if peer := self.admit():
                self.listener.close()
                self.behind = frames(peer.makefile("rb"))
                self.last = self.next("H").get("last", False)
            elif self.out.broken or input_end.poll(1000 * TICK):
                raise Closed
            elif not self.unread():
                waited += TICK
                if NOTICE <= waited < NOTICE + TICK:
                    print(f"{self.name}: warning: {NOBODY}", file=sys.stderr)
                if waited >= PATIENCE:
                    raise TimeoutError(NOBODY)

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

    def survey(self):
        """No checkpoint: what is found in records that do not train goes back to msa-load."""
        self.back.give("C", self.back.take("C"))

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
        if self.back and kind != "H":
            self.back.meet()  # who reads E may end before a stage behind it has come
        self.out.write(kind, body)
        if self.back and kind == "D" and body["train"]:
            self.gradient(body)
        elif self.back and kind == "C" and body.get("survey"):
            self.survey()
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
