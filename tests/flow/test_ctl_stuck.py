# SPDX-License-Identifier: BSD-2-Clause
"""penstock where something does not go on: a daemon that is stopped, a terminal that takes nothing,
descriptors that are closed; and answers that only look like some."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from ctl import Ctl, FakeDaemon
from ctl_config import World
from harness import ONCE, Failure, Skip, check, check_equal, test, wait_for
from test_ctl_answers import CSI, rule, session

HUGE = 2 ** 63 - 1
LEAST = -2 ** 63


def not_penstockd(ctl):
    """The error of what is not penstockd."""
    return "penstock: %s: what answers there is not penstockd\n" % ctl.socket


@test("ctl: a daemon that is stopped is not waited for without end", modes=ONCE)
def stopped(t):
    t.need("control")
    socket = t.path("control.sock")
    ctl = Ctl(t, socket)
    rules = {"web": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}}
    daemon = t.start(rules, daemon={"control": socket})
    # What has looked already goes on, and says so.
    child = ctl.spawn("status", "--watch=100ms", "--timeout=100ms")
    check(b"penstockd" in child.stdout.readline(), "a look")
    daemon.signal(signal.SIGSTOP)
    late = "penstock: %s: penstockd does not answer " % socket
    for args in (("status",), ("rules",), ("sessions",), ("show", "1"), ("kill", "--all"),
                 ("pause", "web"), ("resume", "web"), ("drain", "web"), ("diff",), ("reload",)):
        check_equal(ctl.run(*args, "--timeout", "100ms"), (3, "", late + "in time\n"), args)
    check_equal(ctl.run("status", "--timeout", "1s"), (3, "", late + "within 1 s\n"), "status")
    check_equal(ctl.run("status"), (3, "", late + "within 10 s\n"), "unless a time is given")
    lines = iter(lambda: child.stdout.readline().decode(), "")
    check(any(line == late + "in time\n" for line in lines), "it is said")
    daemon.signal(signal.SIGCONT)
    check(any(line.startswith("penstockd ") for line in lines), "a look again")
    child.kill()


@test("ctl: bash does not wait for names from a stopped daemon", modes=ONCE, needs=("bash",))
def completion(t):
    t.need("control")
    socket = t.path("control.sock")
    ctl = Ctl(t, socket)
    daemon = t.start({"web": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
                     daemon={"control": socket})
    daemon.signal(signal.SIGSTOP)
    env = ctl.environment()
    env["PATH"] = os.path.dirname(ctl.program) + ":" + env["PATH"]
    here = os.path.dirname(os.path.abspath(__file__))
    script = '. "$1"; COMP_WORDS=(penstock --socket "$2" pause w); COMP_CWORD=4; _penstock; echo .'
    out = subprocess.run(["bash", "--norc", "-c", script, "bash",
                          os.path.join(here, "../../contrib/completions/penstock"), socket],
                         env=env, stdout=subprocess.PIPE, timeout=20).stdout
    check_equal(out, b".\n", "it has ended")
    daemon.signal(signal.SIGCONT)


@test("ctl: an error stays to be seen when --watch ends with it", modes=ONCE)
def error_stays(t):
    said = [(200, {"rules": [rule("web")]})]
    fake = FakeDaemon(t, {})
    refusal = {"error": {"code": "bad", "message": "no more of it"}}

    # The first look is answered, the next refused; and one that is refused at once.
    class Answers(dict):
        def get(self, key, default=None):
            return said.pop() if said else (400, refusal)

    os.unlink(fake.path)
    fake = FakeDaemon(t, Answers())
    for before in ("web", ""):
        status, out = Ctl(t, fake.path).on_terminal("rules", "--watch=100ms")
        check_equal(status, 2, "exit status")
        check(before in out, out)
        check(out.endswith("penstock: no more of it\n"), "nothing comes behind it: %r" % out)


@test("ctl: any JSON at all is no answer of penstockd's", modes=ONCE)
def other_json(t):
    answer = [None]
    asks = {("status",): ("GET", "/v1/status"), ("rules",): ("GET", "/v1/rules"),
            ("sessions",): ("GET", "/v1/sessions"), ("show", "1"): ("GET", "/v1/sessions/1"),
            ("reload",): ("POST", "/v1/reload"), ("diff",): ("GET", "/v1/config/diff"),
            ("kill", "1"): ("DELETE", "/v1/sessions/1"), ("kill", "--all"): ("DELETE",
                                                                              "/v1/sessions"),
            ("pause", "x"): ("POST", "/v1/rules/x/pause"),
            ("resume", "x"): ("POST", "/v1/rules/x/resume"),
            ("drain", "x"): ("POST", "/v1/rules/x/drain"),
            ("add", "x", "127.0.0.1:1", "127.0.0.1:2"): ("GET", "/v1/status"),
            ("remove", "x"): ("GET", "/v1/status")}
    fake = FakeDaemon(t, {key: (200, lambda query: answer[0]) for key in asks.values()})
    ctl = Ctl(t, fake.path)
    for args in asks:
        for answer[0] in ({}, [], {"name": "x"}):
            for more in ((), ("--json",)):
                check_equal(ctl.run(*args, *more), (3, "", not_penstockd(ctl)),
                            "%s: %r" % (args, answer[0]))
    answer[0] = {}
    status, out = ctl.on_terminal("top")
    if "no top" not in out:
        check_equal((status, out), (3, not_penstockd(ctl)), "top")


@test("ctl: a rule whose reload is answered by any JSON is taken back", modes=ONCE)
def other_json_of_add(t):
    w = World(t)
    files = w.files()
    answers = {("GET", "/v1/status"): {"config": {"path": w.main}},
               ("GET", "/v1/config/diff"): {"changes": False, "rules": [], "daemon": []},
               ("POST", "/v1/reload"): {"generation": 1}, ("GET", "/v1/rules/x"): {"state": "x"}}
    fake = FakeDaemon(t, {ask: (200, lambda query, ask=ask: said[ask])
                          for ask in answers})
    w.ctl.socket = fake.path
    for ask in answers:
        said = dict(answers)
        said[ask] = {}
        status, out, err = w.ctl.run("add", "x", w.free(), w.to)
        check_equal((status, out, err.splitlines(True)[0]), (3, "", not_penstockd(w.ctl)), ask)
        check_equal(w.files(), files, "files at %s" % (ask,))


@test("ctl: numbers of any size do no harm", modes=ONCE)
def huge(t):
    for most in (HUGE, LEAST):
        row = rule("web", sessions=most, limit=most, opened=most, bytes_in=most, bytes_out=most,
                   refused={"limit": most, "denied": most},
                   ended={"connect-failed": most, "connect-timeout": most})
        config = {"path": "/x", "generation": most, "loaded_at_ms": -most - 1,
                  "reload": {"outcome": "ok", "at_ms": -most - 1, "error": None}}
        if os.path.exists(t.path("fake.sock")):
            os.unlink(t.path("fake.sock"))
        fake = FakeDaemon(t, {
            ("GET", "/v1/status"): (200, {"started_at_ms": most, "uptime_ms": most,
                                          "config": config}),
            ("GET", "/v1/rules"): (200, {"rules": [row, row]}),
            ("GET", "/v1/sessions"): (200, {"sessions": [session(1, age_ms=most, idle_ms=most,
                                                                 bytes_in=most, bytes_out=most)],
                                            "next": None})})
        ctl = Ctl(t, fake.path)
        for args in (("status",), ("rules",), ("sessions",)):
            status, out, err = ctl.run(*args)
            check_equal((status, err), (0, ""), args)


@test("ctl: a closed descriptor is not taken for a socket", modes=ONCE)
def closed(t):
    fake = FakeDaemon(t, {("GET", "/v1/rules"): (200, {"rules": [rule("web")]}),
                          ("GET", "/v1/status"): (400, {"error": {"message": "no"}})})
    ctl = Ctl(t, fake.path)

    def run(closes, *args):
        argv = ["sh", "-c", 'exec "$@" ' + closes, "sh"] + ctl.argv(*args)
        done = subprocess.run(argv, env=ctl.environment(), stdin=subprocess.DEVNULL, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    table = ctl.ask("rules")
    check_equal(run("<&-", "rules"), (0, table, ""), "no input")
    check_equal(run("<&- 2>&-", "rules"), (0, table, ""), "nor errors")
    check_equal(run("<&- 2>&-", "status"), (2, "", ""), "whose text goes nowhere")
    lost = "penstock: standard output: Bad file descriptor\n"
    check_equal(run("<&- >&-", "rules"), (1, "", lost), "no output")
    check_equal(run(">&-", "--help"), (1, "", lost), "likewise")
    check_equal(run(">/dev/full", "--help"),
                (1, "", "penstock: standard output: No space left on device\n"), "a full disk")


def wait_writing(pid):
    """Until it waits in the kernel for its terminal to take something; where the kernel does not
    tell (proc(5), wchan), for as long as that surely takes."""
    def writes():
        with open("/proc/%d/wchan" % pid) as f:
            return f.read() in ("wait_woken", "n_tty_write")

    try:
        wait_for(writes, "it waits for its terminal", 3)
    except Failure:
        pass


class Top:
    """top on a terminal of which this is the other end, with rules that are others at each look."""

    def __init__(self, t, rules=1, columns=80, rows=24, name="web"):
        looks = [0]

        def answer(query):
            looks[0] += 1
            return {"rules": [rule("%s%d-%d" % (name, i, looks[0]), bytes_in=looks[0] * 99999)
                              for i in range(rules)]}

        if os.path.exists(t.path("fake.sock")):
            os.unlink(t.path("fake.sock"))
        fake = FakeDaemon(t, {("GET", "/v1/status"): (200, {"version": "1", "pid": 7}),
                              ("GET", "/v1/rules"): (200, answer)})
        ctl = Ctl(t, fake.path)
        if "no top" in ctl.run("top")[2]:
            raise Skip("built without top")
        self.looks = looks
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.child = t.spawn(["sh", "-c", 'ulimit -c 0; exec "$@"', "sh"] +
                             ctl.argv("top", "--interval=100ms"), stdin=self.slave,
                             stdout=self.slave, stderr=self.slave, env=ctl.environment())
        self.out = b""
        while name.encode() not in self.out:
            self.read()
        check(termios.tcgetattr(self.slave) != self.before, "the terminal is taken")

    def read(self, size=65536):
        check(select.select([self.master], [], [], 20)[0], "it writes: %r" % self.child.poll())
        self.out += os.read(self.master, size)

    def wait(self, status):
        """It ends so, and the terminal is as it was."""
        check_equal(self.child.wait(timeout=20), status, "how it ends")
        check_equal(termios.tcgetattr(self.slave), self.before, "the terminal's modes")

    def close(self):
        os.close(self.slave)
        os.close(self.master)


@test("top: a signal ends it also while its terminal takes nothing", modes=ONCE)
def stalled(t):
    ends = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    tops = [Top(t) for _ in ends]
    for top, number in zip(tops, ends):
        termios.tcflow(top.slave, termios.TCOOFF)
        wait_writing(top.child.pid)
        top.child.send_signal(number)
    for top, number in zip(tops, ends):
        top.wait(-number)
        top.close()


@test("top: a signal waits for a terminal that is slow, and gives it back", modes=ONCE)
def slow(t):
    top = Top(t, rules=60, columns=200, rows=64, name="a-name-that-is-somewhat-longer")
    os.close(top.slave)
    wait_writing(top.child.pid)
    top.child.send_signal(signal.SIGTERM)
    try:
        # Slowly, as that is what is to be seen, and not all that it waits with before it can go on.
        while top.child.poll() is None:
            top.read(512)
            time.sleep(0.03)
        while True:
            top.read()
    except OSError:
        pass  # it has the other end no more
    check_equal(top.child.wait(timeout=20), -signal.SIGTERM, "how it ends")
    check(b"\x1b[?1049l" in top.out[-100:], "its last: %r" % top.out[-100:])
    os.close(top.master)


@test("top: somebody else's alarm is nothing to it", modes=ONCE)
def alarm(t):
    top = Top(t)
    for _ in range(3):
        looks = top.looks[0]
        top.child.send_signal(signal.SIGALRM)
        while top.looks[0] < looks + 2:
            top.read()
    top.child.send_signal(signal.SIGTERM)
    top.wait(-signal.SIGTERM)
    top.close()
