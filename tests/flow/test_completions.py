# SPDX-License-Identifier: BSD-2-Clause
"""What bash, zsh and fish offer behind `penstock`, asked of the shells themselves."""

import os
import pty
import re
import subprocess
import threading

from ctl import Ctl, FakeDaemon
from harness import DEADLINE, ONCE, check, check_equal, test, wait_for
from test_api_config import option_names
from test_ctl_answers import rule, session

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = os.path.join(HERE, "..", "..", "contrib", "completions")

BASH = '''
. "$1"
COMP_WORDS=(penstock "${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_penstock
printf '%s\\n' "${COMPREPLY[@]}"
'''

FISH = '''
source $argv[1]
for line in $argv[2..]
    complete -C $line
    echo =end=
end
'''

# Whatever is added as a match is written to a file; ^] tells that all of it has been.
ZSH = '''
PROMPT= ZLE_RPROMPT_INDENT=0
fpath=(%(files)s $fpath)
autoload -Uz compinit
compinit -u -D
compadd() {
    local -a matches
    if [[ ${@[1,(i)(-|--)]} != *-[OAD]\\ * ]]; then
        builtin compadd -A matches "$@"
        (( $#matches )) && print -rl -- "${(@Q)matches}" >> %(out)s
    fi
    builtin compadd "$@"
}
told() { BUFFER=; print -r -- "--" >> %(out)s }
zle -N told
bindkey '^]' told
bindkey '^I' complete-word
print -r -- "--" >> %(out)s
'''


class World:
    """A daemon with rules and sessions, some rules of a name that a shell may make something of."""

    def __init__(self, t):
        self.t = t
        self.evil = ["*", "$(touch<%s)" % t.path("evil"), "`touch<%s`" % t.path("evil")]
        names = ["web", "wob"] + self.evil
        self.fake = FakeDaemon(t, {
            ("GET", "/v1/rules"): (200, {"rules": [rule(n) for n in names]}),
            ("GET", "/v1/sessions"): (200, {"sessions": [session(n) for n in (11, 12, 20)],
                                            "next": None})})
        self.ctl = Ctl(t, self.fake.path)
        self.words = ["--socket", self.fake.path]

    def environment(self):
        """With a home where nothing is, and ours as the penstock that is found."""
        env = self.ctl.environment(HOME=self.t.path("home"), ZDOTDIR=self.t.path("home"))
        os.makedirs(env["HOME"], exist_ok=True)
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            env[name] = env["HOME"]
        env["PATH"] = os.path.dirname(self.ctl.program) + ":" + env["PATH"]
        return env

    def check(self, complete, suffix="="):
        """complete(lists of words) gives for each a list of what is offered for the last of them;
        `suffix` behind options of a rule."""
        commands = re.findall(r"^  ([a-z-]+) +\S", self.ctl.ask("--help").split("\n\n")[1], re.M)
        options = [o + suffix for o in option_names("RULE", "BOTH", "SENT", "EACH")]
        cases = [([""], commands), (["wait"], ["wait-ready"]), (["pause", "w"], ["web", "wob"]),
                 (["remove", "we"], ["web"]), (["drain", "@@"], []), (["show", "1"], ["11", "12"]),
                 (["kill", "2"], ["20"]), (["sessions", "--so"], ["--sort"]),
                 (["sessions", "--rule", "w"], ["web", "wob"]),
                 (["kill", "--state", "half"], ["half-closed"]),
                 (["sessions", "--sort", ""], ["id", "age", "idle", "bytes"]),
                 (["add", "--option", ""], options)]
        seen = list(complete([words for words, _ in cases]))
        check_equal(len(seen), len(cases), "answers of the shell")
        for (words, expected), offered in zip(cases, seen):
            if words == [""]:
                offered = [o for o in offered if not o.startswith("-")]
            # Which is there already: some shells don't offer it again.
            offered = [o for o in offered if o != "--socket"]
            check_equal(sorted(set(offered)), sorted(expected), "behind penstock %r" % words)
        check(not os.path.exists(self.t.path("evil")), "a name was run")


@test("completions: bash", ONCE, ("bash",))
def bash(t):
    w = World(t)

    def complete(lines):
        for words in lines:
            out = subprocess.run(["bash", "--norc", "-c", BASH, "bash",
                                  os.path.join(FILES, "penstock"), *w.words, *words],
                                 env=w.environment(), stdout=subprocess.PIPE, check=True,
                                 timeout=DEADLINE).stdout
            yield out.decode().split()
    w.check(complete)


@test("completions: fish", ONCE, ("fish",))
def fish(t):
    w = World(t)

    def complete(lines):
        texts = [" ".join(["penstock", *w.words, *words]) for words in lines]
        out = subprocess.run(["fish", "--no-config", "-c", FISH,
                              os.path.join(FILES, "penstock.fish"), *texts],
                             env=w.environment(), stdout=subprocess.PIPE, check=True,
                             timeout=DEADLINE).stdout
        for part in out.decode().split("=end=\n")[:-1]:
            yield [line.split("\t")[0] for line in part.splitlines()]
    w.check(complete)
    rules = complete([["pause", ""]])
    check_equal(sorted(next(rules)), sorted(["web", "wob"] + w.evil), "all rules")


class Zsh:
    """One that waits on a terminal for what is typed."""

    def __init__(self, w):
        self.out = w.t.path("matches")
        setup = w.t.write("setup", ZSH % {"files": FILES, "out": self.out})
        self.terminal, other = pty.openpty()
        w.t.spawn(["zsh", "-f", "-i"], stdin=other, stdout=other, stderr=other,
                  env=w.environment(), start_new_session=True)
        os.close(other)
        self.seen = 0
        self.screen = b""
        threading.Thread(target=self.read, daemon=True).start()
        self.type("source %s\n" % setup)
        self.parts(1)

    def read(self):
        """It must not wait for a terminal that takes nothing."""
        try:
            while True:
                self.screen += os.read(self.terminal, 65536)
        except OSError:
            pass

    def type(self, text):
        os.write(self.terminal, text.encode())

    def parts(self, count):
        """What is in the file, once there is so much."""
        def there():
            if not os.path.exists(self.out):
                return None
            with open(self.out) as f:
                found = re.split(r"^--\n", f.read(), flags=re.M)
            return found if len(found) > count else None
        return wait_for(there, lambda: "zsh; its terminal shows: %r" % self.screen[-2000:])

    def complete(self, line):
        self.seen += 1
        self.type(line + "\t\x1d")
        return self.parts(self.seen + 1)[self.seen].splitlines()


@test("completions: zsh", ONCE, ("zsh",))
def zsh(t):
    w = World(t)
    shell = Zsh(w)

    def complete(lines):
        for words in lines:
            yield shell.complete(" ".join(["penstock", *w.words, *words]))
    w.check(complete, suffix="")
    rules = complete([["pause", ""]])
    check_equal(sorted(next(rules)), sorted(["web", "wob"] + w.evil), "all rules")
