# SPDX-License-Identifier: BSD-2-Clause
"""Handovers that can't be: no manager to give to, a program that can't read, a start that would fail."""

import os
import signal
import socket
import subprocess
import sys

from daemon import config_text
from harness import ENGINE, ONCE, Failure, Skip, check, check_equal, receive_exactly, test, wait_for
from pairs import Upstream, local, open_pair
from test_handover_program import SAMPLES, Replaceable
from test_systemd import passed


@test("a restart that is announced where there is no service manager is a stop", ENGINE)
def no_manager(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}},
                daemon={"drain_timeout": 0}, notify=False)
    pair = open_pair(t, port, up)
    pair.talk()
    d.signal(signal.SIGUSR1)
    wait_for(lambda: "SIGUSR1" in d.log(), "a line about SIGUSR1")
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    pair.is_reset()  # a cut stream must not end as if it were whole
    check_equal(pair.line(d)["end"], "shutdown", "end of the session")
    check("not handed over" in d.log(), "nothing is said of it")


@test("an announcement alone changes nothing", ENGINE)
def only_announced(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    pair = open_pair(t, port, up)
    d.signal(signal.SIGUSR1)
    wait_for(lambda: "SIGUSR1" in d.log(), "a line about SIGUSR1")
    pair.talk()
    open_pair(t, port, up).end()
    pair.end()


@test("--check tells whether it can read the snapshots of a former program", ONCE)
def check_version(t):
    path = t.write("c.conf", 'rules = { r = { listen = "127.0.0.1:1"; upstream = "127.0.0.1:2"; }; };')
    for version, status in (("1", 0), ("2", 0), ("3", 0), ("4", 69), ("0", 69), ("x", 69)):
        env = dict(os.environ, PENSTOCK_HANDOVER_VERSION=version)
        run = subprocess.run([t.binary, "--check", "--config", path], env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check_equal(run.returncode, status, "status for version " + version)
        check(("takes over from version %s\n" % version in run.stdout) == (status == 0) and
              (status == 0 or "version %s " % version in run.stderr), "it says %r" % run.stderr)


@test("handover: arguments that would keep the new program from starting are noticed before", ONCE,
      ("systemd",))
def arguments(t):
    up, port = Upstream(t), t.port()
    listener = t.listener()
    text = 'rules = { r = { listen = "systemd:web"; upstream = "%s"; }; };' % up.address
    config = t.path("c.conf")
    t.write("c.conf", text)
    d = passed(t, text, [listener], ["web"],
               args=["--config", config, "--exit-idle-time", "1h"])
    pair = open_pair(t, listener.getsockname()[1], up)
    t.write("c.conf", text.replace("systemd:web", local(port)))
    d.upgrade_fails("--exit-idle-time")
    pair.talk()
    t.write("c.conf", text)
    d.upgrade()
    pair.talk()
    pair.end()


@test("handover: with a snapshot that can't be read listeners are kept, connections reset", ENGINE)
def unreadable(t):
    up, port = Upstream(t), t.port()
    listener = t.listener(("127.0.0.1", port))
    client = t.connect(("127.0.0.1", port))
    inherited, _ = listener.accept()
    snapshot = os.memfd_create("rubbish")
    os.write(snapshot, b"rubbish")
    d = t.prepare({"daemon": {"engine": t.engine},
                   "rules": {"r": {"listen": local(port), "upstream": up.address}}},
                  pass_fds=[snapshot, listener.fileno(), inherited.fileno()],
                  env={"PENSTOCK_HANDOVER": str(snapshot)})
    d.start()
    os.close(snapshot)
    try:
        check_equal(client.recv(1), None, "what comes instead of a reset")
    except ConnectionResetError:
        pass
    # as the duplicate in the service manager's store does, ours does no harm to it
    check_equal(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1, "it listens")
    open_pair(t, port, up).end()


def but_for_check(t, then):
    """A program that is ours at --check, and else does this."""
    return ('#!/bin/sh\ncase "$*" in *--check*) exec %s "$@";; esac\n%s\n'
            % (t.binary, then)).encode()


@test("handover: a new program that dies before it has taken over leaves no stream that looks whole",
      ENGINE)
def dies(t):
    r = Replaceable(t)
    r.d.status = -signal.SIGSEGV
    r.replace(but_for_check(t, "kill -SEGV $$"))
    r.d.signal(signal.SIGUSR2)
    r.d.wait_exit()
    r.pair.is_reset()


@test("handover: a start that can't even read what it was passed resets the connections", ONCE,
      ("systemd",))
def can_not_start(t):
    r = Replaceable(t)
    r.d.status = 1
    r.replace(but_for_check(t, 'LISTEN_PID=$$ LISTEN_FDS=1000000 exec %s "$@"' % t.binary))
    r.d.signal(signal.SIGUSR2)
    r.d.wait_exit()
    r.pair.is_reset()


@test("handover: after it, and after one that failed, a stream ends with all that was sent", ENGINE)
def ends_after(t):
    r = Replaceable(t)
    pairs = [r.pair]
    r.replace(b"#!/no/interpreter\n")  # it is noticed before; so is what fails at once
    r.d.upgrade_fails()
    r.replace(t.binary)
    r.d.upgrade()
    pairs.append(open_pair(t, r.port, r.up))
    for pair in pairs:
        text = os.urandom(1 << 20)
        pair.client.shutdown(socket.SHUT_WR)
        check_equal(pair.upstream.recv(1), b"", "the end of the stream")
        pair.upstream.sendall(text)
        pair.upstream.close()
        pair.line(r.d, end="done")  # the rest is for the kernel to deliver
        check(receive_exactly(pair.client, len(text)) == text, "other bytes came through")
        check_equal(pair.client.recv(1), b"", "the end of the stream")


# --- users that are none ---------------------------------------------------------------------

def with_user(d, **who):
    d.rewrite(d.groups["rules"], daemon=dict(d.groups.get("daemon", {}), **who))


@test("handover: to a user or group that does not exist: noticed before, by root", ONCE, ("root",))
def no_such_user(t):
    r = Replaceable(t)
    for who in ("user", "group"):
        with_user(r.d, **{who: "nobdy-at-all"})
        r.d.upgrade_fails("no such " + who)
        r.goes_on()
        del r.d.groups["daemon"][who]
    r.d.rewrite(r.rules)
    r.end()


@test("handover: to a user or group that does not exist: who isn't root stays who he is", ONCE,
      ("root",))
def no_longer_a_user(t):
    up, port = Upstream(t), t.port()
    os.chmod(t.dir, 0o777)
    d = t.start({"r": {"listen": local(port), "upstream": up.address}}, daemon={"user": "nobody"})
    pair = open_pair(t, port, up)
    ids = d.status_field("Uid"), d.status_field("Gid"), d.status_field("Groups")
    for who in ("user", "group"):
        with_user(d, **{who: "nobdy-at-all"})
        d.upgrade()
        pair.talk()
        check("no such " + who in d.log(), "nothing is said of it")
        check_equal((d.status_field("Uid"), d.status_field("Gid"), d.status_field("Groups")), ids,
                    "who it is")
        del d.groups["daemon"][who]
    open_pair(t, port, up).end()
    pair.end()


class Manager:
    """A service manager that stores descriptors (sd_notify(3))."""

    def __init__(self, t):
        self.path = t.path("manager")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        t.sockets.append(self.socket)
        self.socket.setblocking(False)
        self.socket.bind(self.path)
        self.store = []  # names and sockets

    def read(self):
        """All that has come."""
        while True:
            try:
                text, fds, _, _ = socket.recv_fds(self.socket, 65536, 253)
            except BlockingIOError:
                return True
            said = dict(l.split("=", 1) for l in text.decode().split("\n") if "=" in l)
            name = said.get("FDNAME")
            if "FDSTOREREMOVE" in said:
                self.store = [(n, s) for n, s in self.store if n != name]
            for fd in fds:
                if "FDSTORE" in said:
                    self.store.append((name, os.fdopen(fd, "rb", buffering=0)))
                else:
                    os.close(fd)

    def take_over(self, d):
        """Restart: all is handed over."""
        d.signal(signal.SIGUSR1)
        d.signal(signal.SIGTERM)
        wait_for(lambda: self.read() and not d.alive(), "penstockd to end")
        self.read()
        check("handed over" in d.log() and "not handed over" not in d.log(), "the outcome")

    def start(self, t, config):
        return passed(t, config_text(config), [f for _, f in self.store], [n for n, _ in self.store])


@test("restart: a start that can't be leaves the connections to the next one", ENGINE,
      ("systemd", "root"))
def next_start(t):
    up, port, manager = Upstream(t), t.port(), Manager(t)
    config = {"daemon": {"engine": t.engine},
              "rules": {"r": {"listen": local(port), "upstream": up.address}}}
    d = t.start(config["rules"], notify=False, env={"NOTIFY_SOCKET": manager.path})
    pair = open_pair(t, port, up)
    manager.take_over(d)
    for _ in range(2):
        try:
            manager.start(t, dict(config, daemon={"user": "nobdy-at-all"}))
        except Failure:
            t.daemons[-1].status = 1
        check("no such user" in t.daemons[-1].log(), "it has started, or failed for another reason")
    d = manager.start(t, config)
    d.baseline -= 2  # the session was there when it was ready
    d.baseline_sockets -= 2
    manager.store.clear()
    pair.talk()
    open_pair(t, port, up).end()
    pair.end()


@test("handover: an engine that the new build does not have is no reason to end", ONCE)
def no_such_engine(t):
    if t.features.get("epoll") == "yes":
        raise Skip("needs a build without epoll")
    up, port = Upstream(t), t.port()
    snapshot = os.memfd_create("snapshot")
    with open(os.path.join(SAMPLES, "v2-empty.bin"), "rb") as f:
        os.write(snapshot, f.read())
    d = t.prepare({"daemon": {"engine": "epoll"},
                   "rules": {"r": {"listen": local(port), "upstream": up.address}}},
                  pass_fds=[snapshot], env={"PENSTOCK_HANDOVER": str(snapshot)})
    d.start()
    os.close(snapshot)
    check("no epoll" in d.log(), "nothing is said of it")
    open_pair(t, port, up).end()


# As a program would find it whose config language is not the same any more.
REWRITES = """
import os, struct, sys, zlib
fd = int(os.environ["PENSTOCK_HANDOVER"].split(":")[0])
os.lseek(fd, 0, os.SEEK_SET)
with open(fd, "rb", closefd=False) as f:
    block = bytearray(f.read())
at = block.index(b"upstream", 24)
block[at:at + 8] = b"downward"
block[20:24] = struct.pack("<I", zlib.crc32(block[24:]))
new = os.memfd_create("rewritten")
os.write(new, block)
os.dup2(new, fd)
os.execv(sys.argv[1], sys.argv[1:])
"""


@test("handover: a former config that is not understood: listeners are kept, connections reset",
      ENGINE)
def former_config(t):
    r = Replaceable(t)
    rewrites = t.write("rewrites.py", REWRITES)
    listeners = r.d.listeners()
    r.replace(but_for_check(t, 'exec %s %s %s "$@"' % (sys.executable, rewrites, t.binary)))
    start = len(r.d.lines())
    r.d.signal(signal.SIGUSR2)
    line = r.d.wait_line(start, "what was handed over is lost", "taken over", "not handed over")
    check_equal(line.get("error"), "its config is not understood", "the outcome")
    r.d.wait_line(start, "listening")
    r.pair.is_reset()
    check_equal(r.d.listeners(), listeners, "the listening sockets")
    open_pair(t, r.port, r.up).end()
