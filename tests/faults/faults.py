#!/usr/bin/env python3
"""Has each call of a program fail that can: the Nth malloc, read, write ..., for all N until none fails (fault.c). Each
time the program must end with one line and a documented status, give its memory back, and leave no file half-written; a
training must go on with --resume to the same bytes as one without a fault. Prints how many faults there were, by kind.

  faults.py BUILD alone CASE         a program, or one use of it, on files: each call fails, and in further runs all behind
                                     it too
  faults.py BUILD training PROGRAM   in a training line: each call fails
  faults.py BUILD resumed PROGRAM    in one that goes on from the middle

Allocations are many. Alone each fails, but only every 14th with all behind it; in a line some 50 to 100 of them do. With
FAULTS=all (make faults) it is each and every one, shared out to as many processes as there are processors."""
import filecmp
import itertools
import multiprocessing
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

KINDS = ["malloc", "read", "write", "fsync", "rename", "mmap", "connect", "open"]
STATUSES = {1, 6}  # of a program to which something happened; what it wrote cannot be trusted to be silent
ONE = ["--threads", "1", "--device", "cpu"]  # CUDA's runtime ends by a signal where it has no memory
COMPANIONS = sys.argv[3] == "msa-companions"  # they are in its training line alone
ALL = os.environ.get("FAULTS") == "all"
SHARES = len(os.sched_getaffinity(0)) if ALL else 1
LIMIT = 90  # seconds that a pipeline may take
os.environ["DNNL_MAX_CPU_ISA"] = "SSE41"  # most of a short run is oneDNN's compiling of products; of these the least

root = Path(__file__).resolve().parents[2]
build = Path(sys.argv[1]).resolve()
golden = root / "tests/golden/sims"
library = build / "build/obj/fault.so"


class Wrong(Exception):
    pass


def late(*_):
    raise Wrong(f"it hangs: {LIMIT} seconds")


signal.signal(signal.SIGALRM, late)


def run(commands, folder, target=None, fault=None):
    """A pipeline of argument lists. Returns the exit statuses, and what was said on standard error by each."""
    processes, said, source = [], [], subprocess.DEVNULL
    for i, command in enumerate(commands):
        environment = dict(os.environ, PATH=f"{build}/bin:{os.environ['PATH']}")
        if i == target:
            environment.update(LD_PRELOAD=str(library), MSA_FAULT=fault, MSA_FAULT_LOG=str(folder / "fault.log"))
        errors = open(folder / f"stderr.{i}", "w+")
        last = i == len(commands) - 1
        out = open(folder / "stdout", "w") if last else subprocess.PIPE
        p = subprocess.Popen(command, cwd=folder, env=environment, stdin=source, stdout=out, stderr=errors)
        if source is not subprocess.DEVNULL:
            source.close()
        source = p.stdout
        processes.append(p)
        said.append(errors)
    signal.alarm(LIMIT)  # a wait with a limit looks only every now and then
    try:
        statuses = [p.wait() for p in processes]
    finally:
        signal.alarm(0)
        for p in processes:
            p.kill()
    for i, errors in enumerate(said):
        errors.seek(0)
        said[i] = errors.read().splitlines()
        errors.close()
    return statuses, said


def fired(folder):
    """What the library noted: the call that failed, None when none did; what was leaked."""
    log = folder / "fault.log"
    text = log.read_text() if log.exists() else ""
    log.unlink(missing_ok=True)
    call = re.search("^fired (.*)$", text, re.M)
    leak = re.search("^leaked .*$", text, re.M)
    return call and call[1], leak and leak[0]


def check_end(status, lines, leak, name):
    if leak:
        raise Wrong(leak)
    lines = [x for x in lines if ": warning: " not in x]
    if status == 0 and not lines:
        return
    if status not in STATUSES:
        raise Wrong(f"status {status}: {lines}")
    if len(lines) != 1 or not lines[0].startswith(f"{name}: "):
        raise Wrong(f"status {status}, but it says {lines}")


def sweep(once, share):
    """once(fault) runs with a fault; it returns None when it did not come to pass. Returns how many of each kind did, and
    what was wrong, which ends a kind."""
    faults, wrong = Counter(), []
    for kind, plus in [(kind, plus) for kind in KINDS for plus in ([""] if once.in_line else ["", "+"])]:
        for n in itertools.islice(once.numbers(kind, plus), share, None, SHARES):
            fault = f"{kind}:{n}{plus}"
            try:
                if not once(fault):
                    break
            except Wrong as e:
                wrong.append(f"{fault}: {e}")
                break
            faults[kind + plus] += 1
    return faults, wrong


# --- a program alone, on files ---

def files(folder):
    return sorted(p.name for p in folder.iterdir() if not re.match(r"stderr|stdout|fault\.log", p.name))


class Alone:
    """A command that makes the file `out` of what lies in a folder."""
    in_line = False

    def numbers(self, kind, plus):
        """Which calls of a kind fail."""
        return itertools.count(1, (14 if plus else self.step) if kind == "malloc" and not ALL else 1)

    def __init__(self, folder, command, log=False, step=1):
        """`step` is how many calls of malloc lie between two that fail in a sample."""
        self.folder, self.command, self.log, self.step = folder, command, log, step
        self.out = folder / "out"
        statuses, said = run([command], folder)
        if statuses != [0] or not self.out.exists():
            raise Wrong(f"without a fault: {statuses} {said}")
        self.expected = self.out.read_bytes()
        self.files = files(folder)

    def __call__(self, fault):
        self.out.write_bytes(b"old")
        statuses, said = run([self.command], self.folder, 0, fault)
        call, leak = fired(self.folder)
        try:
            check_end(statuses[0], said[0], leak, self.command[0])
            whole = {self.expected} if statuses[0] == 0 else {self.expected, b"old"}
            if not self.log and self.out.read_bytes() not in whole:
                raise Wrong(f"status {statuses[0]}, and the file is another one")
            if files(self.folder) != self.files:
                raise Wrong(f"there is {set(files(self.folder)) ^ set(self.files)}")
        except Wrong as e:
            raise Wrong(f"{call}: {e}") from None
        finally:
            self.tidy()
        return call

    def tidy(self):
        """Removes what a program that crashed has left, such as its lock: it would be held against the next run."""
        for name in set(files(self.folder)) - set(self.files):
            (self.folder / name).unlink()


def golden_words(model, program):
    """What a program gets in the line of a golden model, without where it writes; nothing where it is not in it."""
    line = json.loads((MODELS / model / "expected.json").read_text())["notes"]["line"]
    words = [shlex.split(text) for text in line if text.startswith(program + " ")]
    words = [word.replace("$G", str(MODELS / model)) for word in words[0][1:]] if words else []
    return words[:words.index("-p")] if "-p" in words else words


# Variants that the line of a training does not have: program, variant -> its arguments, and what it reads.
BERT = root / "tests/golden/bert"
MODELS = root / "tests/golden/models"
SUBNETS = ["--init", str(MODELS / "lf-dnn/encode.init.safetensors"), "--lengths", "own", "--net"]
VARIANTS = {("msa-encode", "bert"): (["--only", "text", "--bert", str(BERT), "--pool", "mean"], "tokens.msa"),
            ("msa-encode", "dnn"): (SUBNETS + ["dnn", "--only", "vision", "--hidden", "10"], "lf-dnn.encode"),
            ("msa-encode", "lstm"): (SUBNETS + ["lstm", "--only", "text", "--hidden", "9", "--out", "15"], "lf-dnn.encode"),
            ("msa-encode", "bilstm"): (["--only", "audio", "--net", "bilstm", "--lengths", "text", "--init",
                                        str(MODELS / "misa/encode.init.safetensors")], "misa.encode"),
            ("msa-decompose", "shared"): (golden_words("misa", "msa-decompose"), "misa.decompose"),
            ("msa-predict", "unimodal"): (["--head", "unimodal", "--init", "head.st"], "text.msa"),
            ("msa-predict", "mlp"): (golden_words("mtfn", "msa-predict"), "mtfn.predict"),
            ("msa-predict", "residual"): (golden_words("mult", "msa-predict"), "mult.predict"),
            ("msa-predict", "none"): (["--head", "none", "--range", "-3,3"], "lmf.predict"),
            ("msa-predict", "linear"): (golden_words("mag-bert", "msa-predict"), "mag-bert.predict"),
            ("msa-loss", "each"): (["--tasks", "msr,each"], "mtfn.loss")}
VARIANTS |= {("msa-loss", task): (["--tasks", task], "misa.loss") for task in ("diff", "cmd", "recon")}
FUSED = {"concat": "lf-dnn", "tensor": "tfn", "low-rank": "lmf", "memory": "mfn", "attention": "misa", "cross-modal": "mult"}  # as these models have it
VARIANTS |= {("msa-fuse", how): (golden_words(model, "msa-fuse"), f"{model}.fuse") for how, model in FUSED.items()}
LINE = {"msa-encode": ["transformer"], "msa-decompose": ["projectors"], "msa-predict": ["joint"],
        "msa-loss": ["msr", "msc", "uni", "cl"]}


# Programs that the line of a training does not have.
ASIDE = ["msa-companions", "msa-dump", "msa-fuse", "msa-relabel", "msa-synth", "msa-tokenize"]


def check_cases(alone):
    """Each program in bin/ has a case alone (but msa-backprop, which is nothing without a line), and stands in the line of a
    training or is said not to; each variant that a program lists has a case; each case has a test."""
    names = [command[0] for command in training(False)]
    tests = (root / "tests/faults_alone.bats").read_text()
    for name in sorted(alone):
        if not re.search(rf'faults "?{re.escape(name.removeprefix("msa-"))}"?;', tests):
            raise Wrong(f"{name} has a case, but no test in tests/faults_alone.bats")
    for program in sorted((build / "bin").glob("msa-*")):
        if program.name not in names + ASIDE:
            raise Wrong(f"{program.name} is neither in training() nor in ASIDE")
        if program.name != "msa-backprop" and program.name not in [name.split()[0] for name in alone]:
            raise Wrong(f"{program.name} has no case in alone()")
        listed = subprocess.run([program, "--help=variants"], capture_output=True, text=True, check=True).stdout.split()
        cases = LINE.get(program.name, []) + [v for p, v in VARIANTS if p == program.name]
        if sorted(listed) != sorted(cases):
            raise Wrong(f"{program.name} has the variants {listed}, but there are cases for {cases}")


def variants(work, data):
    """name -> the case of a variant that the line does not have."""
    cases = {}
    for (program, variant), (arguments, source) in VARIANTS.items():
        folder = work / f"{program} {variant}"
        folder.mkdir()
        if source == "tokens.msa":
            make(["msa-load", "--split", "test", str(BERT / "data.pkl")], folder / source)
        elif (MODELS / source.split(".")[0]).is_dir():
            make_golden(folder, source)
        else:
            make_unimodal(folder, data)
        cases[f"{program} {variant}"] = Alone(folder, [program, *ONE, *arguments, source, "-o", "out"], step=9)
    return cases


def make(command, path):
    with open(path, "wb") as to:
        subprocess.run([str(build / "bin" / command[0])] + command[1:], stdout=to, check=True)


def make_golden(folder, source):
    """MODEL.PROGRAM: what msa-PROGRAM reads in the line of a golden model, of its test data."""
    model, reader = source.split(".")
    reads = folder / "records"
    make(["msa-load", "--split", "test", str(MODELS / model / "data.pkl")], reads)
    for program in ("encode", "decompose", "fuse", "predict"):
        words = golden_words(model, f"msa-{program}")
        if program == reader:
            break
        if words:
            make([f"msa-{program}", *ONE, *words, str(reads)], folder / program)
            reads = folder / program
    reads.rename(folder / source)


def make_unimodal(folder, data):
    """text.msa has h_text alone, and head.st is a head for it."""
    program = {name: str(build / "bin" / f"msa-{name}") for name in ("load", "encode", "predict", "loss", "backprop")}
    encode = f"{program['encode']} --only text --dim 16 --heads 2 --layers 1"
    subprocess.run(["bash", "-c", f"""set -e -o pipefail; cd '{folder}'
        {program['load']} --train --epochs 1 --batch 20 '{data}' | {encode} -p text.st |
            {program['predict']} --head unimodal -p head.st | {program['loss']} --tasks msr | {program['backprop']}
        {program['load']} --split test '{data}' | {program['encode']} -p text.st -o text.msa"""], check=True)


def alone(work):
    """name -> the case; of a line with the parameters of a training."""
    whole = train(work)
    steps = [["msa-load", "--split", "all", "--batch", "20", str(golden / "data.pkl")],
             ["msa-encode", *ONE, "-p", str(whole / "encode.st")],
             ["msa-decompose", *ONE, "-p", str(whole / "decompose.st")],
             ["msa-predict", *ONE, "-p", str(whole / "predict.st")], ["msa-loss", *ONE], ["msa-gdwg"]]
    cases, source = {}, None
    for step in steps:
        folder = work / step[0]
        folder.mkdir()
        if source:
            shutil.copy(source, folder / "in.msa")
        case = Alone(folder, step + (["in.msa"] if source else []) + ["-o", "out"])
        cases[step[0]] = case
        source = work / f"{step[0]}.msa"
        source.write_bytes(case.expected)
    data, kept = str(golden / "data.pkl"), str(work / "kept.msa.gz")
    subprocess.run([str(build / "bin/msa-load"), "-z", "--batch", "9", data, "-o", kept], check=True)
    vocabulary = str(root / "tests/golden/tokenizer/vocab.txt")
    last = {"msa-load --info": ["--info", "-o", "out", data],
            "msa-load --info --json": ["--info", "--json", "--split", "test", "-o", "out", data],
            "msa-load --info of a gzipped stream": ["--info", "-o", "out", kept],
            "msa-load of a gzipped stream": ["--batch", "20", "--mean", "vision", "-o", "out", kept],
            "msa-load to a gzipped stream": ["-z", "--batch", "20", "-o", "out", data],
            "msa-companions": ["-o", "out", "in.msa"],
            "msa-tokenize": ["--vocab", vocabulary, "-o", "out", "in.msa"],
            "msa-relabel": ["-o", "out", "in.msa"],
            "msa-metrics": ["--json", "-o", "out", "--predictions", "p.tsv", "in.msa"],
            "msa-dump": ["--json", "-n", "1", "-o", "out", "in.msa"],
            "msa-synth": ["--samples", "3,2,2", "--bert", "bert", "-o", "out"]}
    for name, arguments in last.items():
        folder = work / name
        folder.mkdir()
        shutil.copy(source, folder / "in.msa")
        cases[name] = Alone(folder, [name.split()[0]] + arguments, log=name == "msa-dump")
    cases |= variants(work, data)
    check_cases(cases)
    return cases


# --- a program in a training line ---

def training(resume):
    return [["msa-load", "--train", "--epochs", "2", "--batch", "9", "--seed", "3", "--state", "state.msa"] +
            (["--group", "4"] if COMPANIONS else []) + (["--resume"] if resume else []) + [str(golden / "data.pkl")],
            ["msa-encode", "-p", "encode.st", "--dim", "16", "--heads", "2", "--layers", "text=1,vision=1,audio=1"] + ONE,
            *([["msa-companions"] + ONE] if COMPANIONS else []), ["msa-decompose", "-p", "decompose.st"] + ONE, ["msa-predict", "-p", "predict.st"] + ONE,
            ["msa-loss"] + ONE, ["msa-gdwg"],
            ["msa-metrics", "-q", "--select", "mae", "--log", "metrics.tsv"], ["msa-backprop", "--log", "steps.tsv"]]


class Training:
    in_line = True

    def __init__(self, folder, whole, target, half=None):
        """`half` is where it goes on from; None: it begins."""
        self.folder, self.whole, self.target, self.half = folder, whole, target, half
        self.name = training(False)[target][0]
        self.good = set()  # states of the folder from which a training went on well

    def numbers(self, kind, _):
        """Which calls of a kind fail."""
        return itertools.count(1, max(self.count(kind) // 50, 1) if kind == "malloc" and not ALL else 1)

    def begin(self, fault):
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.half:
            shutil.copytree(self.half, self.folder)
        else:
            self.folder.mkdir()
        return run(training(bool(self.half)), self.folder, self.target, fault)

    def __call__(self, fault):
        statuses, said = self.begin(fault)
        call, leak = fired(self.folder)
        try:
            check_end(statuses[self.target], said[self.target], leak, self.name)
            state = tuple((name, (self.folder / name).read_bytes()) for name in files(self.folder))
            if state not in self.good:
                self.resume()
            self.good.add(state)
        except Wrong as e:
            raise Wrong(f"{call}: {e}") from None
        return call

    def count(self, kind):
        """How many calls of that kind there are."""
        self.begin(f"{kind}:{10**9}")
        return int(re.search("^calls (.*)$", (self.folder / "fault.log").read_text(), re.M)[1])

    def resume(self):
        statuses, said = run(training(True), self.folder)
        if any(statuses) or any(said):
            raise Wrong(f"then, resumed: {statuses} {said}")
        names = files(self.whole)
        same, other, odd = filecmp.cmpfiles(self.whole, self.folder, names, shallow=False)
        if other or odd or files(self.folder) != names:
            raise Wrong(f"then, resumed: {other + odd} differ, {set(names) ^ set(files(self.folder))}")


def train(work):
    """The folder of one to its end."""
    whole = work / "whole"
    whole.mkdir()
    statuses, said = run(training(False), whole)
    if any(statuses):
        raise Wrong(f"without a fault: {statuses} {said}")
    return whole


def trainings(work):
    whole = train(work)
    return {command[0]: Training(work / command[0], whole, i) for i, command in enumerate(training(False))}


def resumed(work):
    """Ended in the second epoch by a failure of the last program, and gone on with."""
    cases = trainings(work)
    half = cases["msa-backprop"]
    half.begin(f"write:{half.count('write') * 2 // 3}")
    steps = [(folder / "steps.tsv").read_text().count("\n") for folder in (half.folder, half.whole)]
    if not (half.folder / "state.msa").exists() or steps[0] >= steps[1]:
        raise Wrong(f"nothing to go on with: {files(half.folder)}, {steps[0]} of {steps[1]} steps")
    fired(half.folder)
    half.folder.rename(work / "half")
    return {name: Training(work / name, case.whole, case.target, work / "half") for name, case in cases.items()}


def run_share(share):
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # what is synced to a disk takes its time
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        cases = {"alone": alone, "training": trainings, "resumed": resumed}[sys.argv[2]](Path(scratch))
        if sys.argv[3] not in cases:
            raise Wrong(f"{sys.argv[3]} {sys.argv[2]}: there is no such case, but {', '.join(cases)}")
        return sweep(cases[sys.argv[3]], share)


def main():
    with multiprocessing.get_context("fork").Pool(SHARES) as pool:
        try:
            shares = pool.map(run_share, range(SHARES))
        except Wrong as e:
            sys.exit(str(e))
    faults = sum((faults for faults, _ in shares), Counter())
    print(f"# {sys.argv[3]} {sys.argv[2]}:", faults.total(), "faults:", ", ".join(f"{k} {n}" for k, n in faults.items()))
    wrong = [line for _, lines in shares for line in lines]
    if wrong:
        sys.exit("\n".join(wrong))


main()
