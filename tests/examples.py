#!/usr/bin/env python3
"""examples.py ROOT BIN OUT: every example of the man pages (ROOT/man), of the programs' --help (BIN) and of
ROOT/README.md, each as a script of its own in OUT: .sh, or .py where it is Python.

An example is a display (.Bd, .Dl, .D1) in the EXAMPLES of a page, a display elsewhere in which a line begins with one of
the programs, an indented block of the README, and a line below "examples:" of --help. What is in none of the scripts
has its reason in EXEMPT. Anything else is run as it stands, but for three things:

- Parts of a line are completed to the usual line. `... | msa-loss | ...` gets before and behind it what stands there
  in LINE; NAME_stage.py takes the place of msa-NAME.
- What it makes is not there before: the parameters that a command is to train, and a folder that it makes, are removed
  in front of it (--resume excepted).
- It is small: two epochs, one seed, and encoders 16 wide unless the example says how wide, or begins with others."""
import pathlib, re, subprocess, sys

EXEMPT = {
    "README.md: make demo": "the demo is in tests/pipelines.bats, and make check is what runs this",
    "README.md: make install": "tests/install.bats",
    "README.md: pipelines/train unaligned_39.pkl run --device cuda": "it wants a GPU; tests/gpu.bats",
    "README.md: ./run tests/gpu/check": "it is in what make bundle has made; tests/gpu.bats",
    "msa-stream.5: msa-load -> a -> b -> msa-loss -> msa-backprop      frames H D C M E": "a picture",
    "msa-model.7: CH-SIMS  msa-load --batch 32 --epochs 50": "a table of options, not a line",
}
LINE = {
    "load": ("msa-load --train data.pkl", "msa-load --split test data.pkl"),
    "encode": ("msa-encode -p new/encode", "msa-encode -p run/encode.safetensors"),
    "decompose": ("msa-decompose -p new/decompose", "msa-decompose -p run/decompose.safetensors"),
    "predict": ("msa-predict -p new/predict", "msa-predict -p run/predict.safetensors"),
    "loss": ("msa-loss", None),
    "gdwg": ("msa-gdwg", None),
    "metrics": ("msa-metrics", "msa-metrics"),
    "backprop": ("msa-backprop", None),
}
# The same where msa-fuse stands in the line.
FUSED = {
    "load": LINE["load"],
    "encode": LINE["encode"],
    "fuse": ("msa-fuse concat -p new/fuse", "msa-fuse concat -p run/fuse.safetensors"),
    "predict": LINE["predict"],
    "loss": ("msa-loss --tasks msr --regression l1", None),
    "metrics": LINE["metrics"],
    "backprop": LINE["backprop"],
}
# And where it is behind MISA's decomposition.
SHARED = {
    "load": LINE["load"],
    "encode": LINE["encode"],
    "decompose": ("msa-decompose --how shared --dim 16 -p new/decompose", None),
    "fuse": ("msa-fuse attention -p new/fuse", None),
    "predict": ("msa-predict --head mlp -p new/predict", None),
    "loss": ("msa-loss --tasks msr,diff,cmd,recon", None),
    "metrics": LINE["metrics"],
    "backprop": LINE["backprop"],
}
# The first command that fails ends a script; 141 is that of a program whose reader has seen enough (msa-dump -n).
START = "set -uo pipefail\ntrap 'status=$?; [ $status -eq 141 ] || exit $status' ERR\n"
STAGE = r"msa-({0})\b|\b({0})_stage\.py".format("|".join(LINE | FUSED))
PROGRAM = re.compile(r"\s*(msa-[a-z]+|pipelines/[a-z]+)( |$)")


# --- finding them ---

def plain(line):
    """A line of a literal display as it is read."""
    if line.startswith(".") or re.search(r"\\[^e&-]", line):
        raise SystemExit(f"in an example: '{line}' is more than this reads")
    return re.sub(r"\\(.)", lambda escape: {"e": "\\", "&": "", "-": "-"}[escape[1]], line)


def displays(page):
    """(section, text) of each display of a page."""
    section, block = "", None
    for line in page.read_text().splitlines():
        if line.startswith(".Sh "):
            section = line[4:]
        elif line.startswith(".Bd "):
            block = []
        elif line == ".Ed":
            yield section, "\n".join(block)
            block = None
        elif line.startswith((".Dl ", ".D1 ")):
            yield section, line[4:]
        elif block is not None:
            block.append(line)


def page_examples(page):
    for section, text in displays(page):
        if section == "EXAMPLES" or any(map(PROGRAM.match, text.splitlines())):
            yield "\n".join(map(plain, text.splitlines()))


def help_examples(program):
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    rest = text.partition("\nexamples:\n")[2].partition("\nsee also:")[0]
    return re.findall(r"^  (\S.*)$", rest, re.MULTILINE)


def readme_examples(readme):
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", readme.read_text(), re.MULTILINE):
        yield re.sub(r"^    ", "", block, flags=re.MULTILINE).strip("\n")


# --- making them whole ---

def commands(text):
    """The commands of a script, some of more than one line."""
    return re.findall(r"(?:[^\n]*[|\\]\n)*[^\n]*\n?", text)


def usual(line, training, names):
    """These stages of a line, without those that it has in training alone."""
    parts = (line[name][0 if training else 1] for name in names)
    return [part for part in parts if part]


def complete(command):
    """`... | A | ...` with the stages before and behind."""
    names = ["".join(found) for found in re.findall(STAGE, command)]
    front = re.match(r"\.\.\. \| ", command)
    back = re.search(r" \| \.\.\.$", command)
    training = "--train" in command or not {"fuse", "loss", "gdwg", "backprop"}.isdisjoint(names)
    shared = "recon" in command or {"decompose", "fuse"} <= set(names)
    line = SHARED if shared else FUSED if "fuse" in names else LINE
    order = list(line)
    if names and front:
        before = usual(line, training, order[:order.index(names[0])])
        command = " | ".join(before + [command[front.end():]])
    if names and back:
        behind = usual(line, training, order[order.index(names[-1]) + 1:])
        command = " | ".join([command[:-len(back[0])]] + behind)
    if "..." in command:
        raise SystemExit(f"this part of a line cannot be completed: {command}")
    return command


def trains(command):
    return re.search("msa-load --train|pipelines/((pre)?train|reproduce|ablate)|msa-dump --replay", command)


def small(command):
    if not trains(command):
        return command
    command = re.sub(r"--(text-)?epochs \d+", r"--\1epochs 2", command)
    command = re.sub(r"--seeds (\d+)[\d,]*", r"--seeds \1", command)
    command = re.sub(r"msa-load --train(?!.*--epochs)", "msa-load --train --epochs 2", command)
    command = re.sub(r"msa-encode(?![^|]*--(dim|bert|net))", "msa-encode --dim 16 --heads 2", command)
    command = re.sub(r"(pipelines/((pre)?train \S+|reproduce \S+|ablate) \S+)", r"\1 --epochs 2", command)
    return re.sub(r"(pipelines/(pre)?train \S+ \S+)(?!.*--(bert|encoders))", r"\1 --dim 16 --heads 2", command)


def clear(command):
    """Removes what must not be there when the command begins."""
    names = re.findall(r"mkdir (\S+)", command)
    if trains(command) and "--resume" not in command:
        names += re.findall(r" -p (\S+)", command) + re.findall(r"pipelines/(?:pre)?train \S+ (\S+)", command)
    return "".join(f"rm -rf {name} {name}.[0-9]*\n" for name in names)


def script(text):
    whole = (small(complete(command)) for command in commands(text))
    return START + "".join(clear(command) + command for command in whole) + "\nexit 0\n"


# --- writing them ---

def sources(root, programs):
    for page in sorted(root.glob("man/*.[0-9]")):
        yield page.name, list(page_examples(page))
    for program in sorted(programs.glob("msa-*")):
        yield program.name + "--help", help_examples(program)
    yield "README.md", list(readme_examples(root / "README.md"))


def check_mentions(root, programs):
    """Options that the text gives a program (.Ic msa-NAME --OPTION, or the same in the README's backquotes) exist."""
    for source in sorted(root.glob("man/*.[0-9]")) + [root / "README.md"]:
        for name, rest in re.findall(r"(?:^\.Ic |`)(msa-[a-z]+)( [^`\n]*--[^`\n]*)", source.read_text(), re.MULTILINE):
            known = subprocess.run([programs / name, "--help=names"], check=True, capture_output=True, text=True).stdout
            for option in re.findall(r" (--[a-z0-9-]+)", rest):
                if option not in known.split():
                    raise SystemExit(f"{source.name}: {name} has no option {option}")


def main(root, programs, out):
    root, programs, out = map(pathlib.Path, (root, programs, out))
    check_mentions(root, programs)
    exempt = set(EXEMPT)
    for source, examples in sources(root, programs):
        if not examples and source not in ("msa-model.7", "msa-stream.5"):
            raise SystemExit(f"{source} has no examples")
        for number, text in enumerate(examples, 1):
            key = f"{source}: " + re.split(r" {3,}#|\n", text)[0]
            if key in EXEMPT:
                exempt.discard(key)
            elif text.startswith("import "):
                (out / f"{source}-{number}.py").write_text(text + "\n")
            else:
                (out / f"{source}-{number}.sh").write_text(script(text))
    if exempt:
        raise SystemExit(f"exempt, but no example: {sorted(exempt)}")


main(*sys.argv[1:])
