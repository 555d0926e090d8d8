# SPDX-License-Identifier: BSD-2-Clause
"""A terminal that a test looks at and types on: tmux, with a shell in it."""

import os
import shlex
import subprocess

import harness
from harness import Failure, wait_for

PROMPT = "ready$"


class Terminal:
    """A shell on a terminal of its own. The server of tmux is our child and ends with the test."""

    def __init__(self, t, ctl, columns=80, rows=24, **environment):
        t.need("tmux")
        self.t = t
        self.ctl = ctl
        self.socket = t.path("tmux.sock")
        env = ctl.environment(PS1=PROMPT, SHELL="/bin/sh", **environment)
        env.pop("TMUX", None)
        t.spawn(["tmux", "-S", self.socket, "-D", "-f", "/dev/null"], env=env)
        wait_for(lambda: os.path.exists(self.socket), "tmux is there")
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "exec bash --norc --noprofile -i")
        self.wait(PROMPT)

    def tmux(self, *args):
        done = subprocess.run(["tmux", "-S", self.socket, "-u"] + list(args),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=harness.DEADLINE)
        if done.returncode != 0:
            raise Failure("tmux %s: %s" % (" ".join(args), done.stdout.decode()))
        return done.stdout.decode()

    def close(self):
        self.tmux("kill-server")

    # --- what it shows -------------------------------------------------------------------------

    def text(self):
        return self.tmux("capture-pane", "-p")

    def lines(self):
        return self.text().split("\n")

    def coloured(self):
        """With the sequences (ECMA-48) that make it look so."""
        return self.tmux("capture-pane", "-p", "-e")

    def is_clean(self):
        """Is it as a shell wants it: on the first screen, with a cursor?"""
        return self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").strip() == "0 1"

    def wait(self, what):
        """Until it shows a text, or a condition of its text is true, and isn't in the middle of
        something. Returns the text."""
        seen = ""

        def shown():
            nonlocal seen
            before, seen = seen, self.text()
            return before == seen and (what(seen) if callable(what) else what in seen)

        wait_for(shown, lambda: "%s; it shows:\n%s" % (what, seen))
        return seen

    def wait_words(self, words):
        """As wait(), wherever the lines are broken."""
        return self.wait(lambda text: words in " ".join(text.split()))

    # --- what is typed -------------------------------------------------------------------------

    def keys(self, *keys):
        """By tmux's names: Enter, Up, C-c; or a character."""
        self.tmux("send-keys", *keys)

    def write(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def start(self, *args, before=""):
        """Run penstock, with words (of the shell) before it; when it ends that is said."""
        self.write("clear")
        self.keys("Enter")
        self.wait(lambda text: "ended=" not in text)
        words = " ".join(shlex.quote(a) for a in self.ctl.argv(*args))
        self.write("%s %s; echo ended=$?" % (before, words))
        self.keys("Enter")

    def shell(self, command):
        """What a command of the shell prints."""
        path = self.t.path("said")
        self.write("%s > %s.part 2>&1; mv %s.part %s" % (command, path, path, path))
        self.keys("Enter")
        wait_for(lambda: os.path.exists(path), "the shell runs " + command)
        with open(path) as f:
            said = f.read()
        os.unlink(path)
        return said
