# SPDX-License-Identifier: BSD-2-Clause
"""What every flow test stands on: the list of tests, waiting, ports, and the life of one test."""

import ctypes
import errno
import fcntl
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from daemon import Daemon

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


# --- one test --------------------------------------------------------------------------------

class Context:
    """The life of one test: a directory, ports, daemons; and the checks at its end."""

    def __init__(self, binary, features, engine, relay, isolated):
        self.binary = binary
        self.features = features
        self.engine = engine
        self.relay = relay
        self.isolated = isolated
        self.dir = tempfile.mkdtemp(prefix="penstock-flow-")
        os.chmod(self.dir, 0o755)
        self.daemons = []
        self.children = []
        self.sockets = []
        self.notes = []
        # Below the ephemeral range, so that no outgoing connection sits on a port we give out.
        self.next_port = 10000 if isolated else random.randrange(10000, 29000)

    def note(self, text):
        """Remember for the report of a failure."""
        self.notes.append(text)

    def need(self, feature):
        """Skip unless the build, the machine or the user has it."""
        if feature == "root":
            have = os.geteuid() == 0
        elif feature == "netns":
            have = self.isolated
        elif feature == "ipv6":
            have = have_ipv6()
        elif feature in ("systemd", "epoll", "splice"):
            if self.features.get(feature) != "yes":
                raise Skip("built without %s" % feature)
            return
        else:
            have = shutil.which(feature, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if not have:
            raise Skip("needs %s" % feature)

    def seed(self):
        """A random.Random whose seed is known: PENSTOCK_SEED, or a new one that is printed."""
        seed = int(os.environ.get("PENSTOCK_SEED", random.randrange(1 << 32)))
        self.note("PENSTOCK_SEED=%d" % seed)
        return random.Random(seed)

    def port(self):
        return self.ports(1)

    def ports(self, count):
        """The first of `count` consecutive free ports."""
        while True:
            first = self.next_port
            self.next_port += count
            if self.next_port > 32000:
                raise Skip("no run of %d free ports" % count)
            if all(self._free(p) for p in range(first, first + count)):
                return first

    def _free(self, port):
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            try:
                with socket.socket(family) as s:
                    if family == socket.AF_INET6:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((host, port))
            except OSError as e:
                if e.errno == errno.EADDRINUSE:
                    return False
        return True

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(self.path(name), mode) as f:
            f.write(text)
        return self.path(name)

    def listener(self, address=None, family=socket.AF_INET, backlog=1024):
        """A listening TCP socket; at a port of its own unless told one."""
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.settimeout(DEADLINE)
        loop = "127.0.0.1" if family == socket.AF_INET else "::1"
        s.bind((loop, self.port()) if address is None else address)
        s.listen(backlog)
        self.sockets.append(s)
        return s

    def connect(self, address, **options):
        """A connected client; address is (host, port) or a UNIX path."""
        if isinstance(address, str):
            s = socket.socket(socket.AF_UNIX)
        else:
            s = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        s.settimeout(DEADLINE)
        if "rcvbuf" in options:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["rcvbuf"])
        s.connect(address)
        self.sockets.append(s)
        return s

    def spawn(self, argv, **options):
        """Start a helper program; it is killed with the test."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        child = subprocess.Popen(argv, **options)
        self.children.append(child)
        return child

    def start(self, rules, daemon=None, defaults=None, **options):
        """Start penstockd under this run's engine and relay mode and wait until it is ready."""
        config = {"daemon": {"engine": self.engine}, "defaults": {"relay": self.relay}}
        config["daemon"].update(daemon or {})
        config["defaults"].update(defaults or {})
        config["rules"] = rules
        d = self.prepare(config, **options)
        d.start()
        return d

    def prepare(self, config, **options):
        """A daemon that is not started yet, for `config` (a dict, or the file's text)."""
        d = Daemon(self, len(self.daemons), config, **options)
        self.daemons.append(d)
        return d

    def finish(self):
        """What must hold after every test that has passed so far."""
        for s in self.sockets:
            s.close()
        for d in self.daemons:
            d.finish()

    def report(self):
        """Everything that helps to understand a failure."""
        out = list(self.notes)
        for d in self.daemons:
            out.append(d.report())
        return "\n".join(out)

    def cleanup(self):
        for s in self.sockets:
            s.close()
        for d in self.daemons:
            d.kill()
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def own_hosts(t, lines):
    """Let this process (and its children) see an /etc/hosts of our own, alone."""
    t.need("root")
    try:
        libc_call("unshare", CLONE_NEWNS)
        libc_call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
        hosts = t.write("hosts", "127.0.0.1 localhost\n" + "".join(l + "\n" for l in lines))
        libc_call("mount", hosts.encode(), b"/etc/hosts", None, MS_BIND, None)
    except OSError as e:
        raise Skip("needs a mount namespace: %s" % e)


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
