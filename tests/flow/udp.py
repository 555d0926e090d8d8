# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams: an upstream, clients, sessions through penstock, series of datagrams whose boundaries
and order are checked, and what the kernel shows of the daemon's sockets."""

import os
import re
import resource
import signal
import socket
import struct

import harness
from harness import ENGINE, Skip, check, check_equal, wait_for
from stream import PERIOD, part

SO_RCVBUFFORCE = 33
UDP_SEGMENT, UDP_GRO = 103, 104  # udp(7)
MOST = 65507                     # the largest over IPv4
BUFFER = 8 << 20

# What may lie in a socket's buffer, of the size that it has by default, without any loss.
WINDOW = 150 << 10


def udp_test(name, modes=ENGINE, needs=()):
    """A test after which all sessions are ended, as they would live on for minutes; each must give
    its descriptors back."""
    def register(function):
        def body(t):
            function(t)
            for d in t.daemons:
                if d.process is not None and d.alive():
                    over(d)
        harness.add_test(name, body, modes, needs)
        return function
    return register


def over(d):
    """Another config, without any of the rules: their sessions end with them."""
    d.reload({"rest": {"listen": "unix:" + d.t.path("rest.sock"), "upstream": "127.0.0.1:9"}})
    d.settle()


def raise_own_limit(count):
    """Let this process, and so its daemon, have that many descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Skip("needs %d descriptors, RLIMIT_NOFILE allows %d" % (count, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def family_of(where):
    if isinstance(where, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in where[0] else socket.AF_INET


def text_of(where):
    """An address as the config and the log write it."""
    if isinstance(where, str):
        return "unix:" + where
    return ("[%s]:%d" if ":" in where[0] else "%s:%d") % tuple(where[:2])


def udp(*ports, host="127.0.0.1"):
    """Ports as addresses to listen on."""
    texts = ["udp:" + text_of((host, p)) for p in ports]
    return texts if len(texts) > 1 else texts[0]


def enlarge_buffer(s):
    try:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except PermissionError:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)


def open_socket(t, where=None, family=None, connect=None):
    """A datagram socket with a large buffer, bound and connected as told."""
    s = socket.socket(family or family_of(where if connect is None else connect),
                      socket.SOCK_DGRAM)
    s.settimeout(harness.DEADLINE)
    t.sockets.append(s)
    if s.family != socket.AF_UNIX:
        enlarge_buffer(s)
    if where is not None:
        s.bind(where)
    if connect is not None:
        s.connect(connect)
    return s


def receive(s, what="a datagram"):
    """The next datagram and from whom it is."""
    try:
        return s.recvfrom(1 << 17)
    except socket.timeout:
        raise harness.Failure("waited in vain: %s" % what) from None


def nothing(s):
    """Is no datagram there? (Nor an error of the socket.)"""
    s.setblocking(False)
    try:
        s.recv(1 << 17)
    except BlockingIOError:
        return True
    finally:
        s.settimeout(harness.DEADLINE)
    return False


def takes_runs(s):
    """Let the kernel give runs of datagrams as one; False where it can't."""
    try:
        s.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
    except OSError:
        return False
    return True


def send_run(s, data, size, to=None):
    """Many datagrams as one packet: each of `size` bytes, but the last."""
    control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))]
    check_equal(s.sendmsg([data], control, 0, *([to] if to else [])), len(data), "bytes sent")


def receive_run(s):
    """As many datagrams as the kernel gives as one; a list of them."""
    try:
        data, control, _, _ = s.recvmsg(1 << 17, 256)
    except socket.timeout:
        raise harness.Failure("waited in vain: a run of datagrams") from None
    for level, kind, value in control:
        if (level, kind) == (socket.IPPROTO_UDP, UDP_GRO):
            size = struct.unpack("=i", value[:4])[0]
            return [data[i:i + size] for i in range(0, len(data), size)]
    return [data]


# --- series of datagrams ---------------------------------------------------------------------

def payload(seed, number, size):
    """Datagram `number` of the series called `seed`."""
    return bytes(part(seed * 1000 + number * 37 % PERIOD, number, size))


def check_payload(seen, seed, number, size):
    good = payload(seed, number, size)
    if seen != good:
        raise harness.Failure("datagram %d: expected %d bytes, %d have come%s" % (
            number, size, len(seen), ", others" if len(seen) == size else ""))


def cost(size):
    """At most what it takes of a socket's buffer."""
    return 2 * size + 1280


def bursts(sizes):
    """(first, last + 1) of runs that fit into a socket's buffer together."""
    at = 0
    while at < len(sizes):
        end, room = at, WINDOW
        while end < len(sizes) and (end == at or cost(sizes[end]) <= room):
            room -= cost(sizes[end])
            end += 1
        yield at, end
        at = end


def series(send, take, seed, sizes, around=None):
    """Send datagrams of these sizes in bursts; just these must arrive, in this order. `take`:
    gives the next that has come. `around`: called with a function that sends a burst."""
    for at, end in bursts(sizes):
        def burst():
            for i in range(at, end):
                send(payload(seed, i, sizes[i]))
        (around or (lambda f: f()))(burst)
        for i in range(at, end):
            check_payload(take(), seed, i, sizes[i])


def while_stopped(d):
    """For series(): the daemon stands still while a burst is sent, and finds all of it at once."""
    def around(burst):
        d.signal(signal.SIGSTOP)
        wait_for(lambda: d.state() == "T", "penstockd to stand still")
        try:
            burst()
        finally:
            d.signal(signal.SIGCONT)
    return around


# --- sessions --------------------------------------------------------------------------------

class Upstream:
    """A bound socket, and the address by which a rule names it. `where`: (host, port), a path, or
    nothing."""

    def __init__(self, t, where=None, host="127.0.0.1"):
        self.t = t
        self.where = where or (host, t.port())
        self.socket = open_socket(t, self.where)
        self.address = text_of(self.where)

    def receive(self, what="a datagram at the upstream"):
        return receive(self.socket, what)

    def send(self, data, to):
        self.socket.sendto(data, to)

    def nothing(self):
        return nothing(self.socket)

    def close(self):
        self.socket.close()

    def open_again(self):
        self.socket = open_socket(self.t, self.where)


class Pair:
    """A session through penstock: a client, which takes datagrams only from where it sends to, and
    what the upstream sees of it."""

    def __init__(self, t, where, upstream, source=None):
        if isinstance(where, int):
            where = ("127.0.0.1", where)
        loop = "::1" if ":" in where[0] else "127.0.0.1"
        # A port of its own, as the log tells sessions by it, and the kernel gives one out again.
        self.client = open_socket(t, source or (loop, t.port()), connect=where)
        self.upstream = upstream
        self.name = text_of(self.client.getsockname())
        self.sender = None  # where penstock sends from; another one is another session
        self.count = 0

    def text(self, side):
        self.count += 1
        return ("%s of %s, %d" % (side, self.name, self.count)).encode()

    def ask(self):
        """A datagram from the client to the upstream."""
        text = self.text("question")
        self.client.send(text)
        data, sender = self.upstream.receive(text.decode())
        check_equal(data, text, "what the upstream got")
        if self.sender is not None:
            check_equal(sender, self.sender, "the address of the session at the upstream")
        self.sender = sender
        return self

    def answer(self):
        """One back."""
        text = self.text("answer")
        self.upstream.send(text, self.sender)
        check_equal(receive(self.client, text.decode())[0], text, "what the client got")
        return self

    def talk(self):
        return self.ask().answer()

    def anew(self, upstream=None):
        """As a session that is not the one before."""
        before = self.sender
        self.sender = None
        if upstream is not None:
            self.upstream = upstream
        self.talk()
        check(self.sender != before, "it is the same session")
        return self

    def ended(self, d, **match):
        """The line of (the last of) its sessions, with these fields."""
        match["client"] = self.name
        return wait_for(lambda: d.sessions(**match),
                        lambda: "the line of a session: %r" % match)[-1]

    def lives(self, d):
        check_equal([l[""] for l in d.sessions(client=self.name) if "id" in l], [],
                    "lines of a live session")

    def until_heard(self, word=b"is anybody there?"):
        """Its client says it until the upstream hears it. Leaves nothing behind."""
        tries = [0]

        def heard():
            tries[0] += 1
            self.client.send(b"%s %d" % (word, tries[0]))
            self.upstream.socket.settimeout(0.1)
            try:
                return self.upstream.socket.recvfrom(100)[0].startswith(word)
            except socket.timeout:
                return False
            finally:
                self.upstream.socket.settimeout(harness.DEADLINE)
        wait_for(heard, "the upstream to hear %r" % word)
        self.client.send(word + b" marker")
        data = None
        while data != word + b" marker":
            data, self.sender = self.upstream.receive()
        return self

    def close(self):
        self.client.close()


def open_pair(t, where, upstream, source=None):
    """A session that has talked."""
    return Pair(t, where, upstream, source).talk()


def settle_turn(pair):
    """What a client has sent before this has had its effect: two exchanges are more than a turn of
    the daemon's loop."""
    pair.talk()
    pair.talk()


# --- what the kernel shows -------------------------------------------------------------------

def look_at_sockets(d):
    """As below, by one look."""
    ours = {int(m) for m in re.findall(r"socket:\[(\d+)\]", "\n".join(d.fd_list()))}
    found = set()
    for family, name in ((socket.AF_INET, "udp"), (socket.AF_INET6, "udp6")):
        with open("/proc/%d/net/%s" % (d.pid, name)) as f:
            rows = [row.split() for row in f.readlines()[1:]]
        for row in rows:
            if int(row[9]) in ours:
                host, port = row[1].split(":")
                words = [int(host[i:i + 8], 16) for i in range(0, len(host), 8)]
                text = socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words))
                found.add((text_of((text, int(port, 16))), row[3] == "01", int(row[9])))
    return found


def sockets_of(d):
    """Its UDP sockets: (local address, connected, inode). The kernel's list skips some and tells
    others twice while it changes, so it is read until it stays the same."""
    before, found = None, look_at_sockets(d)
    while found != before:
        before, found = found, look_at_sockets(d)
    return found


def listeners(d):
    """Those that are not connected: {address: inode}."""
    return {name: inode for name, connected, inode in sockets_of(d) if not connected}


def session_sockets(d):
    """How many are connected, to upstreams."""
    return sum(connected for _, connected, _ in sockets_of(d))


def sums(lines, *keys):
    """The sum of each of these fields over all lines."""
    return tuple(sum(int(l.get(k, 0)) for l in lines) for k in keys)


def short_path(t, name):
    """A path for a UNIX socket, and a directory that all may enter."""
    path = t.path(name)
    check(len(os.fsencode(path)) < 100, "the path is too long: %s" % path)
    return path
