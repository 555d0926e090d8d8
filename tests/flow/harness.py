# SPDX-License-Identifier: BSD-2-Clause
"""What every flow test stands on: the list of tests, waiting, isolation, small helpers."""

import ctypes
import fcntl
import os
import re
import socket
import struct
import time

SLOW = os.environ.get("PENSTOCK_SLOW") == "1"
DEADLINE = 20.0 * (5 if SLOW else 1)

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000


class Failure(Exception):
    """What was expected and what was seen instead."""


class Skip(Exception):
    """Why a test can't run here."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def check_equal(seen, expected, what):
    if seen != expected:
        raise Failure("%s: expected %r, seen %r" % (what, expected, seen))


def wait_for(condition, what, deadline=None):
    """Wait until condition() is true and return its value. `what` may be a text or make one."""
    end = time.monotonic() + (DEADLINE if deadline is None else deadline)
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("waited in vain: %s" % (what() if callable(what) else what))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


# --- the list of tests -----------------------------------------------------------------------

TESTS = []

# What a test depends on decides how often it runs: under every engine and relay mode, under every
# engine, or once.
RELAY, ENGINE, ONCE = "relay", "engine", "once"


class Test:
    def __init__(self, name, function, modes, needs):
        self.name = name
        self.function = function
        self.modes = modes
        self.needs = needs


def add_test(name, function, modes=RELAY, needs=()):
    if any(t.name == name for t in TESTS):
        raise ValueError("two tests are called %r" % name)
    TESTS.append(Test(name, function, modes, tuple(needs)))


def test(name, modes=RELAY, needs=()):
    """Decorator: function(t) is a test; t is a Context."""
    def register(function):
        add_test(name, function, modes, needs)
        return function
    return register


# --- isolation -------------------------------------------------------------------------------

def libc_call(function, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, "%s: %s" % (function, os.strerror(code)))


def isolate():
    """Give this process a network of its own, loopback up. Returns False where that is denied."""
    try:
        libc_call("unshare", CLONE_NEWNET)
    except OSError:
        return False
    try:
        with open("/proc/sys/net/ipv4/tcp_rmem", "w") as f:
            f.write("4096 131072 6291456")  # the kernel's own default: scripts count on its size
    except OSError:
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack("16xh", fcntl.ioctl(s, 0x8913, name + bytes(2))[:18])[0]
        fcntl.ioctl(s, 0x8914, name + struct.pack("h", flags | 1))
    return True


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


# --- small helpers ---------------------------------------------------------------------------

def own_file(t, path, text):
    """Let this process (and its children) see a file of our own at `path`."""
    t.need("root")
    try:
        libc_call("unshare", CLONE_NEWNS)
        libc_call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
        ours = t.write("own" + path.replace("/", "-"), text)
        libc_call("mount", ours.encode(), path.encode(), None, MS_BIND, None)
    except OSError as e:
        raise Skip("needs a mount namespace: %s" % e)


def own_hosts(t, lines):
    """Let this process (and its children) see an /etc/hosts of our own, alone."""
    own_file(t, "/etc/hosts", "127.0.0.1 localhost\n" + "".join(l + "\n" for l in lines))


def receive_exactly(s, count):
    """`count` bytes of a blocking socket."""
    out = bytearray()
    while len(out) < count:
        part = s.recv(min(count - len(out), 1 << 18))
        if not part:
            raise Failure("end of stream after %d of %d bytes" % (len(out), count))
        out += part
    return bytes(out)


def reset(s):
    """Close with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def parse_fields(line):
    """The fields of a logfmt line."""
    fields = {}
    for key, value in re.findall(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)', line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        fields[key] = value
    return fields
