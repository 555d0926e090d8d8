# SPDX-License-Identifier: BSD-2-Clause
"""Reload: what becomes of listeners and of limits."""

import errno
import os
import signal
import socket
import stat
import threading

import harness
from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from pairs import Pair, Upstream, is_refused, is_turned_away, local, open_pair
from test_systemd import passed


def was_reset(error):
    """The kernel closes what came between the last accept(2) and the close(2). shutdown(2) says of a
    connection that was reset that it is not connected."""
    return isinstance(error, (ConnectionResetError, BrokenPipeError)) or \
        error.errno == errno.ENOTCONN


class Caller(threading.Thread):
    """A client that calls again and again: at the old address, and when that is refused at the new
    one, which must be there then."""

    def __init__(self, old, new):
        super().__init__(daemon=True)
        self.addresses = [old, new]
        self.ending = False
        self.served = [0, 0]
        self.error = None

    def call(self, which):
        """One exchange with an upstream that echoes."""
        try:
            with socket.create_connection(self.addresses[which], harness.DEADLINE) as s:
                s.sendall(b"hello")
                s.shutdown(socket.SHUT_WR)
                check_equal(harness.receive_exactly(s, 5), b"hello", "the echo")
        except OSError as e:
            if not was_reset(e) and not isinstance(e, ConnectionRefusedError):
                raise
            return False
        self.served[which] += 1
        return True

    def run(self):
        try:
            while not self.ending:
                if not self.call(0) and not self.call(1):
                    self.error = "neither the old address answers nor the new one"
                    return
        except (OSError, harness.Failure) as e:
            self.error = str(e)


class Echo(threading.Thread):
    """An upstream that sends back what it gets."""

    def __init__(self, t):
        super().__init__(daemon=True)
        self.upstream = Upstream(t)
        self.address = self.upstream.address
        self.start()

    def run(self):
        try:
            while True:
                s, _ = self.upstream.socket.accept()
                with s:
                    while data := s.recv(4096):
                        s.sendall(data)
        except OSError:
            pass


@test("reload: a listener moves to another address: at each moment one of them serves", ENGINE)
def moves(t):
    echo, ports = Echo(t), [t.port() for _ in range(4)]
    d = t.start({"r": {"listen": local(ports[0]), "upstream": echo.address}})
    for old, new in zip(ports, ports[1:]):
        caller = Caller(("127.0.0.1", old), ("127.0.0.1", new))
        caller.start()
        wait_for(lambda: caller.served[0] > 5, lambda: "calls at the old address; %s" %
                 caller.error)
        d.reload({"r": {"listen": local(new), "upstream": echo.address}}, listeners=1, changed=1)
        wait_for(lambda: caller.served[1] > 5 or caller.error, "calls at the new address")
        caller.ending = True
        caller.join(harness.DEADLINE)
        check(caller.error is None, caller.error)


def waiting(t, port, count):
    """Clients that are connected as far as they know; they lie in a backlog."""
    clients = []
    for i in range(count):
        clients.append(t.connect(("127.0.0.1", port)))
        clients[-1].sendall(b"%d" % i)
    return clients


def served(clients, upstream):
    """Each of them gets its session."""
    pairs = []
    for _ in clients:
        other = upstream.accept()
        which = int(other.recv(1))
        pairs.append(Pair(clients[which], other))
        pairs[-1].talk()
    return pairs


@test("reload: a listener that another rule gets keeps its backlog", ENGINE)
def moved_between_rules(t):
    one, two, a, b = Upstream(t), Upstream(t), t.port(), t.port()
    d = t.start({"a": {"listen": local(a), "upstream": one.address, "max_connections": 1,
                       "on_limit": "wait"},
                 "b": {"listen": local(b), "upstream": two.address}})
    before = d.listeners()
    first = open_pair(t, a, one)
    clients = waiting(t, a, 3)
    d.reload({"a": {"listen": local(b), "upstream": one.address},
              "b": {"listen": local(a), "upstream": two.address}}, changed=2, listeners=2)
    check_equal(d.listeners(), before, "listening sockets")
    pairs = served(clients, two)
    check(one.nobody(), "a client that waited went to the old rule's upstream")
    open_pair(t, b, one).end()
    first.talk()
    first.end()
    check_equal(first.line(d)["rule"], "a", "rule of the old session")
    for pair in pairs:
        pair.end()
        check_equal(pair.line(d)["rule"], "b", "rule of a client that waited")


@test("reload: a rule gets another name: its listener, sessions and backlog go on", ENGINE)
def renamed(t):
    up, port = Upstream(t), t.port()
    rule = {"listen": local(port), "upstream": up.address, "max_connections": 1,
            "on_limit": "wait"}
    d = t.start({"a": rule})
    before = d.listeners()
    pair = open_pair(t, port, up)
    clients = waiting(t, port, 1)
    d.reload({"b": rule}, rules=1, added=1, removed=1, listeners=1)
    check_equal(d.listeners(), before, "listening sockets")
    for p in served(clients, up) + [pair]:
        p.talk()
        p.end()


@test("reload: two rules swap their addresses again and again", ENGINE)
def swap(t):
    one, two, a, b = Upstream(t), Upstream(t), t.port(), t.port()
    d = t.start({"one": {"listen": local(a), "upstream": one.address},
                 "two": {"listen": local(b), "upstream": two.address}})
    before = d.listeners()
    pairs = []
    for _ in range(4):
        a, b = b, a
        d.reload({"one": {"listen": local(a), "upstream": one.address},
                  "two": {"listen": local(b), "upstream": two.address}}, changed=2, failed=0)
        check_equal(d.listeners(), before, "listening sockets")
        pairs += [open_pair(t, a, one), open_pair(t, b, two)]
    for pair in pairs:
        pair.talk()
        pair.end()


class Persistent(threading.Thread):
    """Calls one address again and again; it must never be refused."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ending, self.served, self.refused = port, False, 0, None

    def run(self):
        while not self.ending and not self.refused:
            try:
                with socket.create_connection(("127.0.0.1", self.port), harness.DEADLINE) as s:
                    s.sendall(b"hello")
                    s.shutdown(socket.SHUT_WR)
                    harness.receive_exactly(s, 5)
                self.served += 1
            except OSError as e:
                self.refused = None if was_reset(e) else str(e)
            except harness.Failure as e:
                self.refused = str(e)


@test("reload: all interfaces, one of them, and back; nobody is refused", ENGINE, ("ipv6",))
def narrower(t):
    echo, port = Echo(t), t.port()

    def works(text):
        check_equal(list(d.listeners()), [text.replace("*", "[::]")], "listeners")
        start = caller.served
        wait_for(lambda: caller.served > start + 2 or caller.refused, "calls to be served")
        check(not caller.refused, "a call: %s" % caller.refused)
    d = t.start({"r": {"listen": "*:%d" % port, "upstream": echo.address}})
    caller = Persistent(port)
    caller.start()
    works("*:%d" % port)
    for host in ("127.0.0.1", "*", "0.0.0.0", "127.0.0.1", "0.0.0.0", "*", "127.0.0.1", "[::]"):
        if host == "[::]":
            caller.ending = True
            caller.join(harness.DEADLINE)
        text = "%s:%d" % (host, port)
        d.reload({"r": {"listen": text, "upstream": echo.address}}, changed=1, failed=0)
        if host != "[::]":
            works(text)
    check_equal(list(d.listeners()), ["[::]:%d" % port], "listeners")
    check(is_refused(port), "[::] alone takes IPv4 too")


@test("reload: socket files: kept, given another mode, removed, made anew", ONCE)
def socket_files(t):
    up = Upstream(t)
    kept, gone = t.path("kept.sock"), t.path("gone.sock")
    both = {"r": {"listen": ["unix:" + kept, "unix:" + gone], "upstream": up.address,
                  "socket_mode": "0600"}}
    d = t.start(both)
    pairs = [open_pair(t, path, up) for path in (kept, gone)]
    inode = os.stat(kept).st_ino
    d.reload({"r": {"listen": "unix:" + kept, "upstream": up.address, "socket_mode": "0640"}},
             changed=1, listeners=1)
    check_equal(os.stat(kept).st_ino, inode, "inode of the kept file")
    check_equal(stat.S_IMODE(os.stat(kept).st_mode), 0o640, "mode of the kept file")
    check(not os.path.exists(gone), "the removed listener's file is still there")
    d.reload(both, changed=1, listeners=2)
    check_equal(os.stat(kept).st_ino, inode, "inode of the kept file")
    check_equal(stat.S_IMODE(os.stat(gone).st_mode), 0o600, "mode of the new file")
    pairs += [open_pair(t, path, up) for path in (kept, gone)]
    for pair in pairs:
        pair.talk()
        pair.end()
    d.settle()
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check(not os.path.exists(kept) and not os.path.exists(gone), "a socket file is left behind")


@test("reload: sockets passed by systemd are kept, and can be had again", ENGINE, ("systemd",))
def passed_sockets(t):
    up, first, second = Upstream(t), t.listener(), t.listener()
    rules = {"a": {"listen": "systemd:one", "upstream": up.address},
             "b": {"listen": "systemd:two", "upstream": up.address}}
    d = passed(t, rules, [first, second], ["one", "two"])
    before = d.listeners()
    pair = open_pair(t, first.getsockname(), up)
    d.reload(rules, rules=2, changed=0)
    d.reload(dict(rules, a=dict(rules["a"], idle_timeout="1h")), changed=1, failed=0)
    check_equal(d.listeners(), before, "listening sockets")
    for s in (first, second):
        open_pair(t, s.getsockname(), up).end()
    pair.talk()
    pair.end()


# --- limits ----------------------------------------------------------------------------------

def limited(port, upstream, limit, kind="drop"):
    return {"r": {"listen": local(port), "upstream": upstream.address, "max_connections": limit,
                  "on_limit": kind}}


@test("reload: a limit under what is live cuts nobody and refuses new ones", ENGINE)
def lowered(t):
    up, port = Upstream(t), t.port()
    d = t.start(limited(port, up, 4))
    pairs = [open_pair(t, port, up) for _ in range(4)]
    d.reload(limited(port, up, 2), changed=1)
    for live in (4, 3, 2):
        check_equal(len(pairs), live, "live sessions")
        for pair in pairs:
            pair.talk()
        is_turned_away(t, port)
        done = pairs.pop()
        done.end()
        done.line(d)
    pairs.append(open_pair(t, port, up))  # the old one and a new one together are two
    is_turned_away(t, port)
    for pair in pairs:
        pair.talk()
        pair.end()
    check(up.nobody(), "one too many at the upstream")


@test("reload: a limit that is raised lets those in who wait", ENGINE)
def raised(t):
    up, port = Upstream(t), t.port()
    d = t.start(limited(port, up, 1, "wait"))
    first = open_pair(t, port, up)
    clients = waiting(t, port, 3)
    d.reload(limited(port, up, 3, "wait"), changed=1)
    pairs = served(clients[:2], up)
    check(up.nobody(), "a fourth one came in at a limit of 3")
    first.talk()
    first.end()
    pairs += [Pair(clients[2], up.accept())]
    check_equal(pairs[-1].upstream.recv(1), b"2", "what the last one sent")
    for pair in pairs:
        pair.talk()
        pair.end()


@test("reload: a rule that went and came back counts its old sessions", ENGINE)
def came_back(t):
    up, port, other = Upstream(t), t.port(), t.port()
    rest = {"other": {"listen": local(other), "upstream": up.address}}
    d = t.start(dict(rest, **limited(port, up, 2)))
    pairs = [open_pair(t, port, up) for _ in range(2)]
    for _ in range(3):
        d.reload(rest, removed=1)
        check(is_refused(port), "a removed rule still listens")
        d.reload(dict(rest, **limited(port, up, 2)), added=1)
        is_turned_away(t, port)
    for pair in pairs:
        pair.talk()
    pairs[0].end()
    pairs[0].line(d)
    pairs[0] = open_pair(t, port, up)
    is_turned_away(t, port)
    for pair in pairs:
        pair.end()


@test("reload: an address's own limit follows it", ENGINE)
def address_limit(t):
    up, a, b = Upstream(t), t.port(), t.port()

    def rules(limit):
        return {"r": {"listen": ({"address": local(a), "max_connections": limit}, local(b)),
                      "upstream": up.address}}
    d = t.start(rules(2))
    pairs = [open_pair(t, a, up), open_pair(t, a, up)]
    is_turned_away(t, a)
    d.reload(rules(3), changed=1)
    pairs.append(open_pair(t, a, up))
    is_turned_away(t, a)
    d.reload(rules(1), changed=1)
    for pair in pairs[:2]:
        is_turned_away(t, a)
        pair.end()
        pair.line(d)
    is_turned_away(t, a)
    pairs[2].end()
    pairs[2].line(d)
    open_pair(t, a, up).end()
    open_pair(t, b, up).end()


@test("reload: clients in the backlog of a listener that goes are served first", ENGINE)
def backlog_of_the_removed(t):
    up, port, other = Upstream(t), t.port(), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address, "max_connections": 1000}})
    d.signal(signal.SIGSTOP)
    wait_for(lambda: d.state() == "T", "penstockd to stand still")
    clients = {}
    for i in range(400):  # more than it takes before the file is read
        client = t.connect(("127.0.0.1", port))
        client.sendall(b"%4d" % i)
        clients[b"%4d" % i] = client
    d.rewrite({"r": {"listen": local(other), "upstream": up.address, "max_connections": 1000}})
    start = len(d.lines())
    d.signal(signal.SIGHUP)
    d.signal(signal.SIGCONT)
    d.reloaded(start, changed=1)
    for _ in range(400):
        with up.accept() as upstream:
            name = harness.receive_exactly(upstream, 4)
            upstream.sendall(name)
            with clients.pop(name) as client:
                check_equal(harness.receive_exactly(client, 4), name, "what came back")
    check(is_refused(port), "the old address is still open")
