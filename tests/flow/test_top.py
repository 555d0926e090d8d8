# SPDX-License-Identifier: BSD-2-Clause
"""penstock top, on a terminal."""

import os
import re
import signal

from api import Api
from ctl import Ctl
from harness import ONCE, Skip, check, check_equal, receive_exactly, test, wait_for
from terminal import PROMPT, Terminal

OFTEN = "--interval=100ms"


class World:
    """A daemon with three rules, penstock, and a terminal."""

    def __init__(self, t, columns=80, rows=24, **environment):
        t.need("control")
        self.t = t
        self.socket = t.path("control.sock")
        self.ctl = Ctl(t, self.socket)
        if "no top" in self.ctl.run("top")[2]:
            raise Skip("built without top")
        self.api = Api(self.socket)
        self.upstream = t.listener()
        to = "127.0.0.1:%d" % self.upstream.getsockname()[1]
        self.ports = {name: t.port() for name in ("web", "api", "git")}
        self.rules = {name: {"listen": "127.0.0.1:%d" % port, "upstream": to, "max_connections": 3}
                      for name, port in self.ports.items()}
        self.daemon = t.start(self.rules, daemon={"control": self.socket})
        self.terminal = Terminal(t, self.ctl, columns, rows, **environment)

    def connect(self, name):
        client = self.t.connect(("127.0.0.1", self.ports[name]), own_port=True)
        up, _ = self.upstream.accept()
        self.t.sockets.append(up)
        return client, up

    def open(self, *args, before=""):
        """top, with its rules on the terminal."""
        self.terminal.start("top", OFTEN, *args, before=before)
        self.terminal.wait("3 of 3 rules")
        return self.terminal

    def close(self):
        """Nobody is connected to the daemon any more when a test ends."""
        self.terminal.close()

    def names(self):
        """The rules that are shown, from top to bottom."""
        return [line.split()[0] for line in self.terminal.lines()
                if line.split()[:1] and line.split()[0] in self.ports]

    def wait_names(self, *names):
        wait_for(lambda: self.names() == list(names),
                 lambda: "%s in order; it shows:\n%s" % (names, self.terminal.text()))

    def row(self, name):
        """The fields of a rule's row on 80 columns: state, sessions, in, out, refused, upstream."""
        row = re.compile(r"^%s +(\w+) .* (\d+/\d+) +(\S+) +(\S+) .* (\d\S*) "
                         r"(ok|-|failing|\d+ fail)$" % name, re.M)
        return row.search(self.terminal.wait(row.search)).groups()

    def wait_row(self, name, **fields):
        order = ("state", "sessions", "rate_in", "rate_out", "refused", "upstream")

        def is_so():
            row = dict(zip(order, self.row(name)))
            return all(row[k] == v for k, v in fields.items())

        wait_for(is_so, lambda: "%s of %s:\n%s" % (fields, name, self.terminal.text()))


def is_ended(s):
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def turned_away(w, name):
    """A client of a rule whose upstream can't be reached; it may notice at once."""
    try:
        check(is_ended(w.t.connect(("127.0.0.1", w.ports[name]))), "it is turned away")
    except ConnectionResetError:
        pass


@test("top: rules with their numbers, and rates while bytes flow", modes=ONCE)
def shows_rules(t):
    w = World(t)
    pairs = [w.connect("web") for _ in range(3)]
    refused = t.connect(("127.0.0.1", w.ports["web"]))
    check_equal(refused.recv(1), b"", "the fourth client is refused")
    term = w.open()
    w.wait_row("web", state="running", sessions="3/3", refused="1", upstream="ok")
    w.wait_row("api", state="running", sessions="0/3", rate_in="0", refused="0", upstream="-")
    client, up = pairs[0]

    def flows():
        client.sendall(b"x" * 3000)
        receive_exactly(up, 3000)
        return re.match(r"\d+(\.\d)?[KM]$", w.row("web")[2])

    wait_for(flows, "a rate")
    text = term.wait(lambda text: re.search(r"^web .*[\u2581-\u2588]", text, re.M))
    check(text.startswith("penstockd %s " % w.api.get("/v1/status")["version"]), text)
    for word in ("sessions 3 ", "engine ", "descriptors ", "config #1"):
        check(word in text, "%s:\n%s" % (word, text))
    check(all(len(line) <= 80 for line in text.split("\n")), text)
    # An upstream that nobody listens on shows.
    w.upstream.close()
    turned_away(w, "git")
    w.wait_row("git", upstream="1 fail")
    w.close()


@test("top: keys sort, turn round and filter", modes=ONCE)
def sorts(t):
    w = World(t)
    for name, count in (("web", 1), ("api", 3), ("git", 2)):
        for _ in range(count):
            w.connect(name)
    term = w.open()
    w.wait_names("web", "api", "git")
    term.keys("s")
    w.wait_names("api", "git", "web")
    term.keys("R")
    w.wait_names("web", "git", "api")
    term.keys("n")
    w.wait_names("api", "git", "web")
    term.keys("c")
    w.wait_names("web", "api", "git")
    term.write("/gx")
    term.wait("0 of 3 rules")
    term.keys("BSpace")
    w.wait_names("git")
    term.keys("Enter")
    term.wait("Filter: g (Esc clears it)")
    term.keys("Enter")
    term.wait("git: running, 2 of 2 sessions")
    term.keys("Escape")
    term.wait("1 of 3 rules")
    term.keys("Escape")
    w.wait_names("web", "api", "git")
    term.keys("Space")
    term.wait("FROZEN")
    w.connect("web")
    wait_for(lambda: w.api.get("/v1/status")["sessions"] == 7, "another session")
    check_equal(w.row("web")[1], "1/3", "it stays as it was")
    term.keys("Space")
    w.wait_row("web", sessions="2/3")
    term.keys("?")
    term.wait("Any key closes this")
    term.keys("q")
    term.wait("3 of 3 rules")
    w.close()


@test("top: a session is killed when the answer is yes", modes=ONCE)
def kills(t):
    w = World(t)
    first, _ = w.connect("web")
    second, second_up = w.connect("web")
    term = w.open()
    term.keys("Enter")
    me = "127.0.0.1:%d" % first.getsockname()[1]
    term.wait("web: running, 2 of 2 sessions")
    term.wait(lambda text: re.search(r"^ +1 %s 127\.0\S+ +open " % re.escape(me), text, re.M))
    for answer in ("Enter", "n", "Escape", "Up"):
        term.keys("k")
        term.wait("End session 1 of web? [y/N]")
        term.keys(answer)
        term.wait("Nothing was done.")
    check_equal(w.api.get("/v1/status")["sessions"], 2, "sessions")
    # What was typed before the question is no answer to it.
    term.keys("k", "y")
    term.wait("End session 1 of web? [y/N]")
    term.keys("y")
    term.wait("1 session ended.")
    check(is_ended(first), "the client sees the end")
    term.wait("web: running, 1 of 1 sessions")
    second.sendall(b"x")
    check_equal(receive_exactly(second_up, 1), b"x", "the other goes on")

    term.keys("q")
    term.wait("3 of 3 rules")
    term.keys("k")
    term.wait("End all sessions of web (1 now)? [y/N]")
    term.keys("y")
    check(is_ended(second), "its client sees the end")
    w.wait_row("web", sessions="0/3")
    term.keys("k")
    term.wait("There is no session to end.")
    w.close()


@test("top: a rule is paused and resumed, the config reloaded, when the answer is yes", modes=ONCE)
def pauses(t):
    w = World(t)
    term = w.open()
    term.keys("Down")
    term.keys("p")
    term.wait("Pause api? New clients will wait, sessions go on. [y/N]")
    term.keys("Enter")
    term.wait("Nothing was done.")
    check_equal(w.api.get("/v1/rules/api")["state"], "running", "its state")
    term.keys("p")
    term.wait("[y/N]")
    term.keys("y")
    w.wait_row("api", state="paused")
    check_equal(w.api.get("/v1/rules/api")["state"], "paused", "its state")
    term.keys("p")
    term.wait("Resume api")
    term.keys("y")
    w.wait_row("api", state="running")
    check_equal(w.api.get("/v1/rules/api")["state"], "running", "its state")

    term.keys("r")
    term.wait("Reload the config? [y/N]")
    term.keys("y")
    term.wait("Reloaded: 0 added, 0 removed, 0 changed, 0 failed.")
    term.wait("config #2")
    with open(w.daemon.config, "a") as f:
        f.write("nonsense = 1;\n")
    term.keys("r")
    term.wait("Reload the config? [y/N]")
    term.keys("y")
    term.wait("nonsense")
    term.wait("reload failed")
    w.close()


@test("top: fits any size of the terminal", modes=ONCE)
def resizes(t):
    w = World(t)
    w.connect("web")
    term = w.open()
    term.resize(120, 40)
    term.wait(lambda text: "ADDRESS" in text and "q quit" in text.split("\n")[39])
    term.resize(60, 15)
    text = term.wait(lambda text: "ADDRESS" not in text and "Enter open" in text.split("\n")[14])
    check(re.search(r"^web .* 1/3 ", text, re.M), text)
    term.resize(20, 5)
    term.wait("too small: 20x5")
    term.keys("k")  # what can't be seen is not asked
    term.resize(1, 1)
    term.wait(lambda text: text.strip() in ("~", "t", ""))
    term.resize(80, 24)
    text = term.wait("3 of 3 rules")
    check("[y/N]" not in text, text)
    w.wait_row("web", sessions="1/3")
    term.keys("Enter")
    for columns, rows in ((40, 6), (200, 12), (50, 50), (80, 24)):
        term.resize(columns, rows)
        term.wait(lambda text: "web: running, 1 of 1 sessions" in text
                  and "Esc back" in text.split("\n")[rows - 1])
    w.close()


@test("top: the daemon may go away and come back", modes=ONCE)
def survives(t):
    w = World(t)
    client, up = w.connect("web")
    client.sendall(b"x" * 100000)
    receive_exactly(up, 100000)
    term = w.open()
    # It may also hang: keys go on.
    w.daemon.signal(signal.SIGSTOP)
    term.wait_words("No answer, trying again.")
    term.keys("?")
    term.wait("Any key closes this")
    term.keys("x")
    w.daemon.signal(signal.SIGCONT)
    term.wait(lambda text: "3 of 3 rules" in text and "No answer" not in text)
    client.close()
    up.close()
    w.daemon.signal(signal.SIGTERM)
    w.daemon.wait_exit()
    text = term.wait("No answer, trying again.")
    check("NO ANSWER" in text and w.names() == ["web", "api", "git"], text)
    last = t.start(w.rules, daemon={"control": w.socket})
    text = term.wait(lambda text: "NO ANSWER" not in text and "No answer" not in text)
    w.wait_row("web", sessions="0/3", rate_in="0", rate_out="0")
    check(not re.search(r" -\d", text), text)
    client, up = w.connect("web")
    w.wait_row("web", sessions="1/3", upstream="ok")
    # Its first session is not the first of the next one.
    term.keys("Enter")
    term.wait("web: running, 1 of 1 sessions")
    term.keys("k")
    term.wait("End session 1 of web? [y/N]")
    client.close()
    up.close()
    last.signal(signal.SIGTERM)
    last.wait_exit()
    t.start(w.rules, daemon={"control": w.socket})
    w.connect("web")
    term.keys("y")
    term.wait(lambda text: "1 session ended" not in text and "[y/N]" not in text)
    check_equal(w.api.get("/v1/status")["sessions"], 1, "sessions")
    w.close()


@test("top: without a daemon, or a terminal, it says so", modes=ONCE)
def down(t):
    w = World(t)
    status, out, err = w.ctl.run("top")
    check_equal((status, out, err), (2, "", "penstock: top needs a terminal; see penstock rules "
                                     "--watch, and --json for programs\n"), "without a terminal")
    status, out, err = w.ctl.run("top", "--interval", "5ms")
    check(status == 2 and "--interval \"5ms\": allowed: 100ms to 1d" in err, err)
    w.daemon.signal(signal.SIGTERM)
    w.daemon.wait_exit()
    w.terminal.start("top")
    text = w.terminal.wait("ended=3")
    check("penstock: %s: " % w.socket in text.replace("\n", ""), text)
    w.terminal.start("top", before="TERM=no-such-terminal")
    w.terminal.wait("ended=3")
    w.close()


@test("top: who may only read is told so", modes=ONCE, needs=("root", "setpriv"))
def denied(t):
    w = World(t)
    w.connect("web")
    os.chmod(w.socket, 0o666)
    term = w.open(before="setpriv --reuid 65534 --regid 65534 --clear-groups")
    for key in "kpr":
        term.keys(key)
        term.wait("[y/N]")
        term.keys("y")
        term.wait_words("only root, penstockd's own user, and the owner of the control socket or "
                        "its group may change anything")
    check_equal([w.api.get("/v1/status")["sessions"], w.api.get("/v1/rules/web")["state"]],
                [1, "running"], "nothing has changed")
    w.close()


@test("top: leaves the terminal as it was", modes=ONCE)
def leaves(t):
    w = World(t)
    before = w.terminal.shell("stty -a")
    check(w.terminal.is_clean(), "clean before")

    def pid():
        """Of top: whose parent is the terminal's shell."""
        shell = int(w.terminal.tmux("display-message", "-p", "#{pane_pid}"))
        with open("/proc/%d/task/%d/children" % (shell, shell)) as f:
            return int(f.read().split()[0])

    def is_left(status):
        text = w.terminal.wait("ended=%s\n%s" % (status, PROMPT))
        check("of 3 rules" not in text, text)
        check(w.terminal.is_clean(), "clean after")
        check_equal(w.terminal.shell("stty -a"), before, "stty -a")

    term = w.open()
    check(not term.is_clean(), "top has another screen")
    term.keys("q")
    is_left(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        # No core of it, where cores are kept.
        w.open(before="ulimit -c 0;")
        os.kill(pid(), number)
        is_left(128 + number)
    w.open()
    term.keys("C-c")
    term.wait(lambda text: re.search(r"(\^C)?\s*ready\$", text))
    check(term.is_clean(), "clean after Ctrl-C")
    check_equal(term.shell("stty -a"), before, "stty -a")

    term = w.open()
    term.keys("/")
    term.wait("Filter:")
    term.keys("C-z")
    term.wait("Stopped")
    check(term.is_clean(), "clean while it is stopped")
    check_equal(term.shell("stty -a"), before, "stty -a while it is stopped")
    term.write("fg")
    term.keys("Enter")
    term.wait("3 of 3 rules")
    check(not term.is_clean(), "it has its screen again")
    term.keys("Escape")
    term.keys("q")
    term.wait(lambda text: "of 3 rules" not in text)
    check_equal(term.shell("stty -a"), before, "stty -a at last")
    w.close()


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10\d)[;m]")


@test("top: plain terminals, plain letters, no colours where none are wanted", modes=ONCE)
def plain(t):
    w = World(t, TERM="xterm-256color")
    w.connect("web")
    term = w.terminal

    def look(before, *args):
        w.open(*args, before=before)
        w.wait_row("web", sessions="1/3", state="running")
        seen = term.coloured()
        term.keys("q")
        term.wait("ended=0")
        check(term.is_clean(), "clean after %s" % before)
        return seen

    usual = look("TERM=xterm-256color")
    check(COLOUR.search(usual) and "\u2501" in usual, usual)
    for before, args in (("NO_COLOR=1", ()), ("TERM=vt100", ()), ("", ("--no-color",))):
        seen = look(before, *args)
        check(not COLOUR.search(seen), "%s: %r" % (before, seen))
    for before in ("TERM=xterm LC_ALL=C", "TERM=vt100 LC_ALL=C", "TERM=screen LC_ALL=C",
                   "TERM=linux"):
        seen = look(before)
        check(seen.isascii() and re.search(r"#+\.+", seen), "%s: %r" % (before, seen))
    for name, word in (("no-such-terminal", "is not known here"), ("dumb", "can't move its cursor")):
        term.start("top", before="TERM=" + name)
        text = term.wait("ended=2").replace("\n", "")
        check("(TERM=%s) %s" % (name, word) in text, "%s:\n%s" % (name, text))
    w.close()
