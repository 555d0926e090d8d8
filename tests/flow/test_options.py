# SPDX-License-Identifier: BSD-2-Clause
"""Options that are seen on sockets and in the log rather than in what a session does."""

import ctypes
import errno
import os
import socket
import subprocess

from harness import ENGINE, ONCE, Skip, check, check_equal, test, wait_for

PIDFD_OPEN, PIDFD_GETFD = 434, 438  # pidfd_open(2), pidfd_getfd(2): the same on all Linux machines


def sockets_of(d):
    """Copies of the daemon's TCP sockets, by (local port, remote port)."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(PIDFD_OPEN, d.pid, 0)
    found = {}
    for number in os.listdir("/proc/%d/fd" % d.pid):
        copy = libc.syscall(PIDFD_GETFD, pidfd, int(number), 0)
        if copy < 0 and ctypes.get_errno() == errno.EBADF:
            continue  # closed meanwhile
        if copy < 0:
            os.close(pidfd)
            raise Skip("pidfd_getfd(2): %s" % os.strerror(ctypes.get_errno()))
        try:
            s = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            continue
        if s.family == socket.AF_INET and s.type == socket.SOCK_STREAM:
            try:
                found[s.getsockname()[1], s.getpeername()[1]] = s
            except OSError:
                found[s.getsockname()[1], 0] = s
        else:
            s.close()
    os.close(pidfd)
    return found


def keepalive_of(s):
    if not s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return None
    return tuple(s.getsockopt(socket.IPPROTO_TCP, o)
                 for o in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT))


def pair(t, **options):
    """A session under these options. Gives its daemon, and functions that look at both sockets anew."""
    upstream = t.listener()
    port = t.port()
    rule = {"listen": "127.0.0.1:%d" % port,
            "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}
    rule.update(options)
    d = t.start({"r": rule})
    client = t.connect(("127.0.0.1", port))
    other, (_, from_port) = upstream.accept()
    t.sockets.append(other)

    def look(function):
        found = sockets_of(d)
        seen = (function(found[port, client.getsockname()[1]]),
                function(found[from_port, upstream.getsockname()[1]]))
        for s in found.values():
            s.close()
        return seen
    return look


@test("keepalive is on, on both sides", ENGINE, ("root",))
def keepalive_default(t):
    look = pair(t)
    wait_for(lambda: look(keepalive_of) == ((60, 10, 6), (60, 10, 6)),
             lambda: "keepalive of 60 s, 10 s, 6 on both sides: %r" % (look(keepalive_of),))


@test("keepalive_idle, keepalive_interval, keepalive_count", ENGINE, ("root",))
def keepalive_set(t):
    look = pair(t, keepalive_idle="90s", keepalive_interval=7, keepalive_count=3)
    wait_for(lambda: look(keepalive_of) == ((90, 7, 3), (90, 7, 3)),
             lambda: "keepalive of 90 s, 7 s, 3 on both sides: %r" % (look(keepalive_of),))


@test("keepalive = false", ONCE, ("root",))
def keepalive_off(t):
    # The idle timeout comes later than keepalive would have been set.
    look = pair(t, keepalive=False, idle_timeout="3s")
    seen = []
    while True:
        try:
            seen.append(look(keepalive_of))
        except KeyError:
            break
    check(set(seen) == {(None, None)}, "keepalive was on: %r" % set(seen))


@test("TCP_NODELAY on both sides", ENGINE, ("root",))
def nodelay(t):
    look = pair(t)
    check_equal(look(lambda s: bool(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))),
                (True, True), "TCP_NODELAY")


@test("backlog: as set, else the system's maximum", ONCE, ("ss",))
def backlog(t):
    first = t.ports(3)
    t.start({"r": {"listen": ({"address": "127.0.0.1:%d" % first, "backlog": 7},
                              "127.0.0.1:%d" % (first + 1)), "upstream": "127.0.0.1:1"},
             "s": {"listen": "127.0.0.1:%d" % (first + 2), "upstream": "127.0.0.1:1",
                   "backlog": 9}})
    with open("/proc/sys/net/core/somaxconn") as f:
        most = int(f.read())
    lines = subprocess.run(["ss", "-Hltn"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    seen = {int(l.split()[3].rsplit(":", 1)[1]): int(l.split()[2]) for l in lines}
    check_equal([seen[first + i] for i in range(3)], [7, most, 9], "backlogs")


def listens(port):
    with open("/proc/net/tcp") as f:
        return any(fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port
                   for fields in map(str.split, f.readlines()[1:]))


@test("log_level: a session's line is info, a refusal or a dead upstream a warning", ONCE)
def log_level(t):
    upstream = t.listener()
    port, dead = t.port(), t.port()

    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "max_connections": 1,
                       "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]},
                 "dead": {"listen": "127.0.0.1:%d" % dead, "upstream": "127.0.0.1:%d" % t.port()}},
                daemon={"log_level": "warning"}, ready=lambda: listens(port))
    first = t.connect(("127.0.0.1", port))
    upstream.accept()[0].close()
    second = t.connect(("127.0.0.1", port))
    check_equal(second.recv(1), b"", "what the second client is told")
    wait_for(lambda: "end=limit" in d.log(), "the refusal's line")
    try:
        t.connect(("127.0.0.1", dead))
    except ConnectionResetError:
        pass
    wait_for(lambda: "end=connect-refused" in d.log(), "the line of a dead upstream")
    first.close()
    d.settle()
    check("end=done" not in d.log() and "listening" not in d.log(), "info was logged")
