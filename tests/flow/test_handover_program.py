# SPDX-License-Identifier: BSD-2-Clause
"""SIGUSR2 when the new program or its config is no good; other builds; snapshots that are none."""

import os
import re
import shutil
import signal
import subprocess

import harness
from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from pairs import Upstream, is_refused, local, open_pair

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "snapshots")


class Replaceable:
    """A daemon whose program is a copy in the test's directory, and a session of it."""

    def __init__(self, t):
        self.path = t.path("penstockd")
        shutil.copy2(t.binary, self.path)
        self.t, self.up, self.port = t, Upstream(t), t.port()
        self.rules = {"r": {"listen": local(self.port), "upstream": self.up.address}}
        self.d = t.start(self.rules, binary=self.path)
        self.pair = open_pair(t, self.port, self.up)

    def replace(self, source, mode=0o755):
        """As a package manager does: another file under the same name."""
        new = self.path + ".new"
        if isinstance(source, bytes):
            with open(new, "wb") as f:
                f.write(source)
        else:
            shutil.copy2(source, new)
        os.chmod(new, mode)
        os.rename(new, self.path)

    def goes_on(self):
        self.pair.talk()
        open_pair(self.t, self.port, self.up).end()
        wait_for(lambda: self.d.fds() == self.d.baseline + 2,
                 lambda: "descriptors of one session:\n" + "\n".join(self.d.fd_list()))

    def end(self):
        self.d.upgrade()
        self.goes_on()
        self.pair.end()
        check_equal(self.pair.line(self.d)["end"], "done", "end of the session")
        self.d.settle()


@test("handover: a config that is no good: not handed over, file and line named", ENGINE)
def bad_config(t):
    r = Replaceable(t)
    good = r.d.text
    r.d.rewrite("rules =\n{\n  r = { listen = 1; };\n};\n")
    r.d.upgrade_fails(r.d.config + ":3")
    r.goes_on()
    os.unlink(r.d.config)
    r.d.upgrade_fails(r.d.config)
    r.goes_on()
    r.d.rewrite(good)
    r.end()


BROKEN = {
    "is missing": (None, 0),
    "is not executable": (b"#!/bin/sh\nexit 0\n", 0o644),
    "is no program": (b"\x7fELF rubbish", 0o755),
    "fails": (b"#!/bin/sh\necho cannot load library >&2\nexit 127\n", 0o755),
    "is another, that never complains": (b"#!/bin/sh\nexit 0\n", 0o755),
    "is killed": (b"#!/bin/sh\nkill -SEGV $$\n", 0o755),
    "does not know this config": (b"#!/bin/sh\necho 'x.conf:7: unknown option' >&2\nexit 78\n",
                                  0o755),
}


def broken(t, source, mode):
    r = Replaceable(t)
    for _ in range(2):
        if source is None:
            if os.path.exists(r.path):
                os.unlink(r.path)
        else:
            r.replace(source, mode)
        r.d.upgrade_fails()
        r.goes_on()
        r.d.reload(changed=0)
    check(r.path in r.d.log(), "the program is not named in the log")
    if source and b">&2" in source:
        word = re.search(r"echo '?([^'>]*\w)", source.decode()).group(1)
        check(word in r.d.log(), "the log does not have what the program said: %s" % word)
    r.replace(t.binary)
    r.end()


for name, (source, mode) in BROKEN.items():
    test("handover: the new program %s: the old one goes on" % name, ENGINE)(
        lambda t, source=source, mode=mode: broken(t, source, mode))


@test("handover: a new program that hangs is not waited for for ever", ONCE)
def hangs(t):
    r = Replaceable(t)
    r.replace(b"#!/bin/sh\nexec sleep 1000\n")
    start = len(r.d.lines())
    r.d.signal(signal.SIGUSR2)
    for _ in range(5):  # the relay goes on meanwhile
        r.pair.talk()
        open_pair(t, r.port, r.up).end()
    line = wait_for(lambda: [l for l in r.d.lines()[start:] if l.get("msg") == "not handed over"],
                    "an end of the wait", harness.DEADLINE * 2)
    check(line, "no outcome")
    r.goes_on()
    r.replace(t.binary)
    r.end()


@test("handover: SIGTERM while the new program is being tried", ONCE)
def term_while_trying(t):
    r = Replaceable(t)
    r.replace(b"#!/bin/sh\nexec sleep 1000\n")
    r.d.signal(signal.SIGUSR2)
    r.d.signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in r.d.log(), "penstockd to stop")
    r.pair.talk()
    r.pair.end()
    check_equal(r.d.wait_exit(), 0, "exit status")


@test("handover: the program was replaced by the same one", ENGINE)
def replaced(t):
    r = Replaceable(t)
    for _ in range(3):
        r.replace(t.binary)
        r.d.upgrade()
        exe = os.readlink("/proc/%d/exe" % r.d.pid)
        check_equal(exe, r.path, "the program at work")
        r.goes_on()
    r.end()


def version_of(program):
    run = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=True, text=True)
    return run.stdout.splitlines()[0].split()[1]


def another_version(t):
    """The build in PENSTOCKD_OTHER; without, a copy of ours that calls itself another version."""
    if os.environ.get("PENSTOCKD_OTHER"):
        return os.environ["PENSTOCKD_OTHER"]
    ours = version_of(t.binary).encode()
    theirs = ours[:-1] + (b"9" if ours[-1:] != b"9" else b"8")
    with open(t.binary, "rb") as f:
        program = f.read()
    path = t.path("other")
    with open(path, "wb") as f:
        f.write(program.replace(ours + b"\0", theirs + b"\0"))
    os.chmod(path, 0o755)
    return path


@test("handover: to another version and back", ENGINE)
def other_version(t):
    other = another_version(t)
    check(version_of(t.binary) != version_of(other), "both say %s" % version_of(other))
    r = Replaceable(t)
    for program in (other, t.binary, other):
        r.replace(program)
        r.d.upgrade()
        r.goes_on()
    check("from=%s" % version_of(other) in r.d.log(), "the version is not told")
    r.replace(t.binary)
    r.end()


# --- snapshots -------------------------------------------------------------------------------

def fresh(t, content, name):
    """A start with a snapshot that can't be used; gives the daemon."""
    up, port = Upstream(t), t.port()
    fd = os.memfd_create(name)
    os.write(fd, content)
    d = t.prepare({"daemon": {"engine": t.engine},
                   "rules": {"r": {"listen": local(port), "upstream": up.address}}},
                  pass_fds=[fd], env={"PENSTOCK_HANDOVER": str(fd)})
    d.start()
    os.close(fd)
    check(not any("memfd:" + name in link for link in d.fd_list()), "the snapshot is still open")
    warned = [l for l in d.lines() if l.get("level") in ("warning", "error")]
    open_pair(t, port, up).end()
    with open("/proc/%d/environ" % d.pid, "rb") as f:
        check(b"PENSTOCK_HANDOVER" in f.read(), "the test has not set the variable")
    d.upgrade()
    d.baseline = d.fds()  # what the snapshot's rules had needed is gone
    open_pair(t, port, up).end()
    return warned


DAMAGED = {
    "nothing": b"", "garbage": b"garbage" * 1000, "only the magic": b"PENSTOCK",
    "zeros": bytes(100000),
}
for name in ("damaged.bin", "v0-old.bin", "v4-future.bin"):
    DAMAGED[name] = name


def damaged(t, content):
    if isinstance(content, str):
        with open(os.path.join(SAMPLES, content), "rb") as f:
            content = f.read()
    warned = fresh(t, content, "damaged")
    check(warned, "nothing is said of a snapshot that can't be used")


for name, content in DAMAGED.items():
    test("handover: a snapshot that can't be used (%s): a fresh start that says so" % name, ONCE)(
        lambda t, content=content: damaged(t, content))


@test("handover: a good snapshot of sockets that are not there: a fresh start", ONCE)
def no_sockets(t):
    for sample in ("v1-empty.bin", "v1-sessions.bin", "v2-empty.bin", "v2-sessions.bin", "v3-empty.bin",
                   "v3-sessions.bin"):
        with open(os.path.join(SAMPLES, sample), "rb") as f:
            fresh(t, f.read(), sample)


@test("handover: a descriptor that is none in PENSTOCK_HANDOVER: a fresh start", ONCE)
def no_descriptor(t):
    for value in ("999", "-1", "x", "", "1", "99999999999999999999"):
        up, port = Upstream(t), t.port()
        d = t.prepare({"rules": {"r": {"listen": local(port), "upstream": up.address}}},
                      env={"PENSTOCK_HANDOVER": value})
        d.start()
        open_pair(t, port, up).end()
        d.settle()
        d.signal(signal.SIGTERM)
        check_equal(d.wait_exit(), 0, "exit status")
        check(is_refused(port), "it still listens")
