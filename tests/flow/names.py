# SPDX-License-Identifier: BSD-2-Clause
"""A world of names for one test: /etc/resolv.conf and /etc/hosts of its own, a real dnsmasq, a name
server that answers when it is told to, and upstreams that say who they are."""

import os
import socket
import struct
import threading

import harness
from harness import Failure, Skip, check, libc_call, wait_for


def question(name, kind=1):
    """A DNS query (RFC 1035 section 4) for an A record."""
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack(">6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


def kind_of(query):
    end = query.index(b"\0", 12) + 5
    return struct.unpack(">H", query[end - 4:end - 2])[0]


def a_answer(query, address, ttl):
    """The answer to such a query: the address; none for any other type."""
    end = query.index(b"\0", 12) + 5
    kind = kind_of(query)
    header = query[:2] + struct.pack(">5H", 0x8180, 1, 1 if kind == 1 else 0, 0, 0)
    record = b"\xc0\x0c" + struct.pack(">2HIH", 1, 1, ttl, 4) + socket.inet_aton(address)
    return header + query[12:end] + (record if kind == 1 else b"")


class SlowServer:
    """A name server that keeps every query until answer() is called."""

    def __init__(self, t, host):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))
        self.socket.setblocking(False)
        self.kept = []
        t.sockets.append(self.socket)

    def asked(self):
        """How many queries lie here."""
        while True:
            try:
                self.kept.append(self.socket.recvfrom(4096))
            except BlockingIOError:
                return len(self.kept)

    def answer(self, address, ttl=3600, kinds=(1, 28)):
        """Answer queries of these types (A, AAAA); others are dropped."""
        self.asked()
        for query, client in self.kept:
            if kind_of(query) in kinds:
                self.socket.sendto(a_answer(query, address, ttl), client)
        self.kept = []


class Names:
    def __init__(self, t):
        self.t = t
        t.need("root")
        t.need("netns")
        t.need("dnsmasq")
        try:
            libc_call("unshare", harness.CLONE_NEWNS)
            libc_call("mount", None, b"/", None, harness.MS_REC | harness.MS_PRIVATE, None)
            for name in ("hosts", "resolv.conf"):
                path = t.write(name, "")
                libc_call("mount", path.encode(), b"/etc/" + name.encode(), None, harness.MS_BIND,
                          None)
        except OSError as e:
            raise Skip("needs a mount namespace: %s" % e)
        self.dnsmasq = {}
        self.hosts()
        self.resolv_conf("127.0.0.53")

    def hosts(self, *lines):
        self.t.write("hosts", "".join(l + "\n" for l in ("127.0.0.1 localhost",) + lines))

    def resolv_conf(self, *servers):
        self.t.write("resolv.conf", "".join("nameserver %s\n" % s for s in servers))

    def serve(self, *options, host="127.0.0.53"):
        """(Re)start dnsmasq at that address, with these options, and wait until it answers."""
        self.stop(host)
        argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=",
                "--user=root", "--group=root", "--no-resolv", "--no-hosts", "--bind-interfaces",
                "--listen-address=" + host, "--log-queries=extra",
                "--log-facility=" + self.t.path("dnsmasq.log"),
                "--host-record=up.penstock.test,127.0.0.1"] + list(options)
        environment = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        child = self.t.spawn(argv, env=environment)
        self.dnsmasq[host] = child

        def answers():
            if child.poll() is not None:
                raise Failure("dnsmasq ended with status %d" % child.returncode)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.2)
                try:
                    s.connect((host, 53))
                    s.send(question("up.penstock.test"))
                    return s.recv(512)
                except OSError:
                    return None
        wait_for(answers, "dnsmasq to answer")

    def stop(self, host="127.0.0.53"):
        child = self.dnsmasq.pop(host, None)
        if child:
            child.kill()
            child.wait()

    def queries(self, name, kind="A"):
        """How often dnsmasq was asked for it."""
        with open(self.t.path("dnsmasq.log")) as f:
            return sum(" query[%s] %s from " % (kind, name) in line for line in f)


class Greeters:
    """Upstreams at several addresses and one port: each says its address and ends."""

    def __init__(self, t, *hosts, family=socket.AF_INET):
        self.port = t.port()
        for host in hosts:
            s = t.listener((host, self.port), family)
            s.settimeout(None)
            threading.Thread(target=self.serve, args=(s, host), daemon=True).start()

    @staticmethod
    def serve(listening, host):
        while True:
            try:
                s, _ = listening.accept()
                with s:
                    s.sendall(host.encode())
            except OSError:
                if listening.fileno() < 0:
                    return


def rest(s):
    """What a client reads until the end: the text, or "reset" when it ends so, without a byte."""
    got = b""
    try:
        while True:
            part = s.recv(4096)
            if not part:
                break
            got += part
    except ConnectionResetError:
        check(got == b"", "reset after %r" % got)
        return "reset"
    finally:
        s.close()
    return got.decode()


def ask(t, port):
    """One session through penstock at that port: who answers, or "reset"."""
    try:
        return rest(t.connect(("127.0.0.1", port)))
    except ConnectionResetError:
        return "reset"
