# SPDX-License-Identifier: BSD-2-Clause
"""The life of one test: a directory, ports, daemons; and the checks at its end."""

import errno
import os
import random
import shutil
import socket
import subprocess
import tempfile

from daemon import Daemon
from harness import DEADLINE, Skip, have_ipv6


class Context:
    """What a test function is given."""

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

    def tell(self, text):
        """Say it also when the test passes."""
        self.note(text)
        print("note: " + text)

    def need(self, feature):
        """Skip unless the build, the machine or the user has it."""
        if feature == "root":
            have = os.geteuid() == 0
        elif feature == "netns":
            have = self.isolated
        elif feature == "ipv6":
            have = have_ipv6()
        elif feature in ("systemd", "epoll", "splice", "control"):
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
        """By TCP and by UDP."""
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try:
                    with socket.socket(family, kind) as s:
                        if family == socket.AF_INET6:
                            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        if kind == socket.SOCK_STREAM:
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
        if options.get("own_port") and s.family != socket.AF_UNIX:
            # The log tells sessions by the client's port, and the kernel gives one out again.
            s.bind(("", self.port()))
        s.connect(address)
        self.sockets.append(s)
        return s

    @property
    def first_engine(self):
        """The one that a daemon begins with: "auto" only moves once there is much to watch."""
        return "select" if self.engine == "auto" else self.engine

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
