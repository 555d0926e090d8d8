# SPDX-License-Identifier: BSD-2-Clause
"""Descriptors: when there are none left, and when there are more than select() was made for."""

import re
import resource
import select
import time

from api import Connection, control
from harness import ENGINE, ONCE, Skip, check, check_equal, test, wait_for


def raise_own_limit(count):
    """Let this process, and so its daemon, have that many descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Skip("needs %d descriptors, RLIMIT_NOFILE allows %d" % (count, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Echo:
    """An upstream that counts its sessions and answers each byte with the same byte."""

    def __init__(self, t):
        self.socket = t.listener(backlog=4096)
        self.socket.setblocking(False)
        self.poll = select.epoll()
        self.poll.register(self.socket.fileno(), select.EPOLLIN)
        self.live = {}
        self.total = 0

    def address(self):
        return "127.0.0.1:%d" % self.socket.getsockname()[1]

    def turn(self, timeout=0.0):
        for fd, _ in self.poll.poll(timeout):
            if fd == self.socket.fileno():
                self.accept()
            else:
                self.answer(fd)

    def accept(self):
        while True:
            try:
                s = self.socket.accept()[0]
            except BlockingIOError:
                return
            s.setblocking(False)
            self.live[s.fileno()] = s
            self.total += 1
            self.poll.register(s.fileno(), select.EPOLLIN)

    def answer(self, fd):
        s = self.live[fd]
        try:
            data = s.recv(4096)
        except ConnectionResetError:
            data = b""
        if data:
            s.send(data)
            return
        del self.live[fd]
        s.close()

    def close(self):
        for s in self.live.values():
            s.close()
        self.live.clear()
        self.poll.close()


def answered(echo, client, byte):
    """Send a byte and wait for the same one."""
    client.setblocking(False)
    client.send(byte)
    wait_answer(echo, client, byte)


def wait_answer(echo, client, byte):
    def come():
        echo.turn()
        try:
            data = client.recv(1)
        except BlockingIOError:
            return False
        check_equal(data, byte, "the answer through penstock")
        return True
    wait_for(come, "an answer through penstock")


class Turns:
    """Counts those of a daemon's event loop, by a connection that is there before any lack."""

    def __init__(self, path):
        self.connection = path and Connection(path)
        self.count()

    def count(self):
        """How many it has made; 0 where a build can't tell."""
        if not self.connection:
            return 0
        self.connection.request("GET", "/metrics")
        text = self.connection.getresponse().read().decode()
        return int(re.search(r"^penstock_loop_lag_seconds_count (\d+)", text, re.M).group(1))

    def close(self):
        if self.connection:
            self.connection.close()


def starve(t, d, echo, addresses, turns, lack):
    """Clients come until no more is served; then penstock must be idle, quiet and recover."""
    clients = []
    for i in range(60):
        try:
            s = t.connect(addresses[i % len(addresses)])
            s.setblocking(False)
            s.send(b"%c" % (65 + i % 26))
        except (ConnectionResetError, BrokenPipeError):
            continue  # turned away at once
        clients.append((s, b"%c" % (65 + i % 26)))
    lack()
    settled = [echo.total, time.monotonic()]

    def stands():
        echo.turn(0.01)
        if echo.total != settled[0]:
            settled[:] = [echo.total, time.monotonic()]
        return time.monotonic() - settled[1] > 0.3
    wait_for(stands, "the number of sessions to settle")
    check(0 < echo.total < 60, "%d of 60 clients were served" % echo.total)

    before, begin = (turns.count(), len(d.lines())), time.monotonic()
    while time.monotonic() - begin < 1.0:
        echo.turn(0.01)
    made, said = turns.count() - before[0], len(d.lines()) - before[1]
    took = time.monotonic() - begin
    t.note("%d turns of the loop and %d lines in %.2f s" % (made, said, took))
    check(made < 100 * took, "%d turns of the loop in %.2f s" % (made, took))
    check(said < 20 * took, "%d log lines in %.2f s" % (said, took))
    turns.close()
    return clients


def recover(d, echo, clients):
    """As served ones leave, each that waits is served in its turn."""
    while clients:
        got = None

        def one_answer():
            nonlocal got
            echo.turn()
            for pair in clients:
                try:
                    data = pair[0].recv(1)
                except BlockingIOError:
                    continue
                check_equal(data, pair[1], "the answer through penstock")
                got = pair
                return True
            return False
        wait_for(one_answer, lambda: "one of %d clients to be served" % len(clients))
        clients.remove(got)
        got[0].close()
    check(d.alive(), "penstockd is gone")


def two_rules(t, echo, files):
    """A daemon, and where its rules listen."""
    rules, addresses = {}, []
    ours, path = control(t) if t.features.get("control") == "yes" else ({}, None)
    for name in ("one", "two"):
        port = t.port()
        addresses.append(("127.0.0.1", port))
        rules[name] = {"listen": "127.0.0.1:%d" % port, "upstream": echo.address(),
                       "max_connections": 1000, "on_limit": "wait"}
    d = t.start(rules, daemon=ours, files=files)
    return d, addresses, Turns(path)


@test("more clients than descriptors: idle, quiet, and all are served in the end", ENGINE)
def budget(t):
    echo = Echo(t)
    d, addresses, turns = two_rules(t, echo, 64)
    check(any("descriptor" in line[""] for line in d.lines()),
          "no warning that the limits promise more than there is")
    recover(d, echo, starve(t, d, echo, addresses, turns, lambda: None))
    for address in addresses:
        client = t.connect(address)
        answered(echo, client, b"z")
        client.close()
    wait_for(lambda: echo.turn() or not echo.live, "the upstream's sessions to end")
    echo.close()


@test("accept fails for want of descriptors: idle, quiet, and all are served in the end", ENGINE)
def shortage(t):
    echo = Echo(t)
    d, addresses, turns = two_rules(t, echo, 512)
    first = t.connect(addresses[0])
    answered(echo, first, b"a")

    # The kernel takes away what the budget has counted on, but for four sessions.
    hard = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (len(d.fd_list()) + 8, hard))

    def lack():
        answered(echo, first, b"b")
    clients = starve(t, d, echo, addresses, turns, lack)
    # Some may have been turned away: a client that was accepted, and its upstream not to be had.
    served = []

    def sort_out():
        echo.turn()
        for s, byte in list(clients):
            try:
                data = s.recv(1)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                data = b""
            if data:
                served.append((s, byte))
            clients.remove((s, byte))
        return served
    wait_for(sort_out, "a client to be served")
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (512, hard))
    for s, _ in served:
        s.close()
    drain(echo, clients)
    answered(echo, first, b"c")
    first.close()
    for address in addresses:
        client = t.connect(address)
        answered(echo, client, b"z")
        client.close()
    wait_for(lambda: echo.turn() or not echo.live, "the upstream's sessions to end")
    echo.close()


def drain(echo, clients):
    """Until every client has had its answer or was turned away."""
    def none_left():
        echo.turn()
        for pair in list(clients):
            try:
                pair[0].recv(1)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                pass
            clients.remove(pair)
            pair[0].close()
        return not clients
    wait_for(none_left, lambda: "%d clients to be served or turned away" % len(clients))


def crowd(t, count, **daemon):
    """A daemon with `count` idle sessions."""
    raise_own_limit(2 * count + 1000)
    echo = Echo(t)
    port = t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "upstream": echo.address(),
                       "max_connections": count + 100}}, daemon=daemon, files=2 * count + 1000)
    clients = []
    while len(clients) < count:
        clients.append(t.connect(("127.0.0.1", port)))
        if len(clients) % 100 == 0:
            wait_for(lambda: echo.turn() or echo.total == len(clients),
                     lambda: "%d sessions, there are %d" % (len(clients), echo.total))
    return d, echo, clients


def leave(d, echo, clients):
    for client in clients:
        client.close()
    wait_for(lambda: echo.turn() or not echo.live, lambda: "the upstream's last %d sessions to end"
             % len(echo.live))
    d.wait_sessions(len(clients), end="done")
    echo.close()


@test("1500 idle sessions: low and high descriptors relay", ENGINE)
def high_descriptors(t):
    d, echo, clients = crowd(t, 1500)
    numbers = [int(link.split()[0]) for link in d.fd_list()]
    check(max(numbers) > 2 * select_size(), "the largest descriptor is %d" % max(numbers))
    for i in (0, 1, 250, 505, 510, 511, 512, 513, 520, 750, 1000, 1022, 1023, 1024, 1025, 1498,
              1499):
        answered(echo, clients[i], b"%c" % (65 + i % 26))
    # Numbers that become free in the middle are used again.
    for i in range(400, 700):
        clients[i].close()
    wait_for(lambda: echo.turn() or len(d.sessions(end="done")) == 300, "300 sessions to end")
    port = clients[0].getpeername()
    for i in range(400, 700):
        clients[i] = t.connect(port)
    wait_for(lambda: echo.turn() or echo.total == 1800, "new sessions")
    for i in (0, 399, 400, 511, 512, 699, 700, 1499):
        answered(echo, clients[i], b"%c" % (97 + i % 26))
    for client in clients:
        client.close()
    wait_for(lambda: echo.turn() or not echo.live, "the upstream's sessions to end")
    d.wait_sessions(1800, end="done")
    echo.close()


def select_size():
    """FD_SETSIZE of this libc."""
    return 1024


@test("engine auto: from select to epoll with live sessions", ONCE, ("epoll",))
def auto_engine(t):
    raise_own_limit(3000)
    echo = Echo(t)
    port = t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "upstream": echo.address(),
                       "max_connections": 1000}}, daemon={"engine": "auto"})

    def has_epoll():
        return any("eventpoll" in link for link in d.fd_list())
    check(not has_epoll(), "engine auto begins with epoll")
    first = t.connect(("127.0.0.1", port))
    answered(echo, first, b"1")
    half = t.connect(("127.0.0.1", port))
    answered(echo, half, b"h")
    stopped = t.connect(("127.0.0.1", port))
    stopped.setblocking(False)
    clients = []

    def moved():
        for _ in range(20):
            clients.append(t.connect(("127.0.0.1", port)))
            clients[-1].send(b"x")
        echo.turn(0.01)
        return has_epoll()
    wait_for(moved, lambda: "epoll to come into use with %d sessions" % len(clients))
    check(len(clients) < 1000, "epoll came with %d sessions" % len(clients))
    answered(echo, first, b"2")
    answered(echo, half, b"i")
    for client in clients:
        client.setblocking(False)
        wait_answer(echo, client, b"x")
        answered(echo, client, b"y")
    leave(d, echo, clients + [first, half, stopped])


@test("2000 rules on 2000 ports", ENGINE)
def many_rules(t):
    raise_own_limit(6000)
    echo = Echo(t)
    count = 2000
    first = t.ports(count)
    d = t.start({"rule%d" % i: {"listen": "127.0.0.1:%d" % (first + i), "upstream": echo.address(),
                                "max_connections": 1} for i in range(count)}, files=6000)
    for i in list(range(0, count, 97)) + [count - 1]:
        client = t.connect(("127.0.0.1", first + i))
        answered(echo, client, b"r")
        client.close()
        wait_for(lambda: echo.turn() or d.sessions(rule="rule%d" % i, end="done"),
                 "the log line of rule%d" % i)
    echo.close()


@test("one rule, a range of 2000 ports", ONCE)
def wide_range(t):
    raise_own_limit(6000)
    echo = Echo(t)
    first = t.ports(2000)
    d = t.start({"wide": {"listen": "127.0.0.1:%d-%d" % (first, first + 1999),
                          "upstream": echo.address()}}, files=6000)
    clients = [t.connect(("127.0.0.1", first + i)) for i in (0, 1, 999, 1999)]
    for client in clients:
        answered(echo, client, b"w")
    leave(d, echo, clients)
