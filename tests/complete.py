#!/usr/bin/env python3
"""complete.py bash|zsh COMPLETION... -- TYPED: the line that a shell makes of TYPED and the Tab key.

Runs an interactive shell on a pseudo-terminal, in which Tab inserts everything that the line can be completed to, and
a second key writes the line to a file. COMPLETION is a file to source in bash, a folder for $fpath in zsh."""
import os, pty, select, sys, tempfile, time

PROMPT, WRITE, PATIENCE = b"ready>", b"\x14", 60
BASH = """PS1=ready\\>
{sources}
bind 'set enable-bracketed-paste off' '"\\t": insert-completions'
bind 'set completion-query-items 0'
bind -x '"\\C-t": printf %s "$READLINE_LINE" >"$LINE.new" && mv "$LINE.new" "$LINE"'
"""
ZSH = """PS1='ready>'
{sources}
autoload -U compinit && compinit -u -D
write() {{ print -rn -- "$BUFFER" >"$LINE.new" && mv "$LINE.new" "$LINE" }}
zle -N write && bindkey '^T' write
all() {{ _main_complete; compstate[insert]=all }}
zle -C all complete-word all && bindkey '^I' all
"""


def main(shell, *rest):
    files, typed = rest[:-2], rest[-1]
    home = tempfile.mkdtemp(dir=".")
    line = os.path.abspath(home + "/line")
    if shell == "bash":
        text = BASH.format(sources="\n".join(f"source '{f}'" for f in files))
        name, command = "bashrc", ["bash", "--noprofile", "--rcfile", home + "/bashrc", "-i"]
    else:
        text = ZSH.format(sources="fpath=(%s $fpath)" % " ".join(f"'{f}'" for f in files))
        name, command = ".zshrc", ["zsh", "-d", "-i"]
    with open(os.path.join(home, name), "w") as f:
        f.write(text)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(LINE=line, ZDOTDIR=home, TERM="dumb", HISTFILE="/dev/null")
        os.execvp(command[0], command)
    seen, sent, end = b"", False, time.monotonic() + PATIENCE
    while not os.path.exists(line):
        if time.monotonic() > end:
            sys.exit(f"no line after {PATIENCE} s; the terminal: {seen!r}")
        if select.select([terminal], [], [], 0.05)[0]:
            seen += os.read(terminal, 4096)
        if not sent and PROMPT in seen:
            os.write(terminal, typed.encode() + b"\t" + WRITE)
            sent = True
    os.kill(child, 9)
    print(open(line).read())


main(*sys.argv[1:])
