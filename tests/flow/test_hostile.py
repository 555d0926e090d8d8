# SPDX-License-Identifier: BSD-2-Clause
"""Hostile clients and upstreams, and a bystander on the same rule who must notice nothing."""

import select
import socket
import struct
import threading

import harness
from harness import RELAY, check, check_equal, receive_exactly, reset, test, wait_for
from stream import part


class Upstream(threading.Thread):
    """
    One upstream with many tempers; the first byte of a session chooses:
    E answers every byte with the same, and FIN with FIN; N never reads again; R resets at once;
    D answers with 1 MB and resets in the middle of it; C closes at once.
    """

    def __init__(self, t):
        super().__init__(daemon=True)
        self.listener = t.listener(backlog=4096)
        self.listener.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.listener.fileno(), select.EPOLLIN)
        self.sessions = {}  # fd: [socket, temper, bytes to send]
        self.stopping = False
        self.start()

    def address(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def run(self):
        while not self.stopping:
            for fd, events in self.epoll.poll(0.05):
                if fd == self.listener.fileno():
                    self.accept()
                elif fd in self.sessions:
                    try:
                        self.serve(fd, events)
                    except (ConnectionResetError, BrokenPipeError):
                        self.drop(fd)
        for s, _, _ in self.sessions.values():
            s.close()
        self.epoll.close()

    def accept(self):
        while True:
            try:
                s = self.listener.accept()[0]
            except BlockingIOError:
                return
            s.setblocking(False)
            self.sessions[s.fileno()] = [s, None, bytearray()]
            self.epoll.register(s.fileno(), select.EPOLLIN)

    def drop(self, fd, how=socket.socket.close):
        how(self.sessions.pop(fd)[0])

    def serve(self, fd, events):
        session = self.sessions[fd]
        s, temper, out = session
        if events & select.EPOLLIN or events & select.EPOLLERR:
            data = s.recv(1 if temper is None else 1 << 16)
            if temper is None and data:
                session[1] = temper = chr(data[0])
                if self.begin(fd, s, temper, out):
                    return
                data = b""
            elif not data:
                if not out:
                    self.drop(fd)
                    return
                session[1] = temper = "last"
            if temper == "E":
                out += data
        if events & select.EPOLLHUP and not events & select.EPOLLIN:
            self.drop(fd)
            return
        self.flush(fd, s, out, temper)

    def begin(self, fd, s, temper, out):
        """Act on the first byte. True: there is nothing more to do for now."""
        if temper == "R":
            self.drop(fd, reset)
        elif temper == "C":
            self.drop(fd)
        elif temper == "D":
            s.send(part(5, 0, 1 << 19))
            self.drop(fd, reset)
        elif temper == "N":
            self.epoll.modify(fd, 0)
        else:
            return False
        return True

    def flush(self, fd, s, out, temper):
        try:
            while out:
                del out[:s.send(out[:1 << 16])]
        except BlockingIOError:
            pass
        if temper == "last":
            if out:
                self.epoll.modify(fd, select.EPOLLOUT)
            else:
                self.drop(fd)
        else:
            # Take no more than what can be answered.
            self.epoll.modify(fd, select.EPOLLOUT if out else select.EPOLLIN)


class Bystander(threading.Thread):
    """A session that pings all the while; every answer must come, and be right."""

    def __init__(self, t, address):
        super().__init__(daemon=True)
        self.socket = t.connect(address)
        self.name_in_log = "%s:%d" % self.socket.getsockname()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rounds = 0
        self.error = None
        self.leaving = threading.Event()
        self.socket.sendall(b"E")
        self.start()

    def run(self):
        try:
            while not self.leaving.is_set():
                ping = struct.pack("!Q", self.rounds)
                self.socket.sendall(ping)
                if receive_exactly(self.socket, 8) != ping:
                    self.error = "wrong answer in round %d" % self.rounds
                    return
                self.rounds += 1
                self.leaving.wait(0.0005)
        except (OSError, harness.Failure) as e:
            self.error = "round %d: %s" % (self.rounds, e)

    def finish(self, d):
        """It ends well, and the log tells its bytes."""
        seen = self.rounds
        wait_for(lambda: self.rounds > seen + 3 or self.error, "the bystander's pings")
        self.leaving.set()
        self.join(harness.DEADLINE)
        check(self.error is None, "the bystander: %s" % self.error)
        self.socket.shutdown(socket.SHUT_WR)
        check_equal(self.socket.recv(1), b"", "the end of the bystander's session")
        line = d.wait_sessions(1, client=self.name_in_log)[0]
        check_equal((line["end"], line["in"], line["out"]),
                    ("done", str(8 * self.rounds + 1), str(8 * self.rounds)), line[""])


class Scene:
    """A daemon, its upstream, a bystander."""

    def __init__(self, t, **rule):
        self.t = t
        self.upstream = Upstream(t)
        self.port = t.port()
        config = {"listen": "127.0.0.1:%d" % self.port, "upstream": self.upstream.address(),
                  "max_connections": 2000}
        config.update(rule)
        self.daemon = t.start({"r": config})
        self.bystander = Bystander(t, self.address())

    def address(self):
        return "127.0.0.1", self.port

    def client(self, first=b""):
        s = self.t.connect(self.address())
        if first:
            s.sendall(first)
        return s

    def finish(self, sessions):
        """All of them are in the log; the bystander is well."""
        d = self.daemon
        wait_for(lambda: len(d.sessions()) >= sessions,
                 lambda: "%d sessions to end, %d have" % (sessions, len(d.sessions())))
        self.bystander.finish(d)
        self.upstream.stopping = True
        self.upstream.join()
        check_equal(len(d.sessions()), sessions + 1, "sessions in the log")


def one_by_one(t, count, leave):
    scene = Scene(t)
    for i in range(count):
        s = socket.socket()
        s.settimeout(harness.DEADLINE)
        s.connect(scene.address())
        leave(s, i)
    scene.finish(count)


@test("flood: connect and close")
def connect_and_close(t):
    one_by_one(t, 2000, lambda s, i: s.close())


@test("flood: connect and reset")
def connect_and_reset(t):
    one_by_one(t, 2000, lambda s, i: reset(s))


@test("flood: one byte, then close or reset")
def byte_and_leave(t):
    def leave(s, i):
        temper = b"ENRDC"[i % 5:i % 5 + 1]
        s.sendall(temper)
        # An upstream that never reads keeps a session that was closed well for as long as it likes.
        (reset if i % 2 or temper == b"N" else socket.socket.close)(s)
    one_by_one(t, 2000, leave)


@test("300 clients that send nothing")
def silent(t):
    scene = Scene(t)
    clients = [scene.client() for _ in range(300)]
    wait_for(lambda: len(scene.upstream.sessions) >= 301, "300 silent sessions at the upstream")
    rounds = scene.bystander.rounds
    wait_for(lambda: scene.bystander.rounds > rounds + 50 or scene.bystander.error,
             "pings beside them")
    for i, s in enumerate(clients):
        (reset if i % 3 == 0 else socket.socket.close)(s)
    scene.finish(300)


@test("300 clients that end at once and wait")
def half_closed(t):
    scene = Scene(t)
    clients = [scene.client(b"N") for _ in range(300)]
    for s in clients:
        s.shutdown(socket.SHUT_WR)
    rounds = scene.bystander.rounds
    wait_for(lambda: scene.bystander.rounds > rounds + 50 or scene.bystander.error,
             "pings beside them")
    for s in clients:
        reset(s)
    scene.finish(300)


@test("10,000 bytes, one at a time")
def drip(t):
    scene = Scene(t)
    s = scene.client()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(b"E")
    data = bytes(part(9, 0, 10000))
    for i in range(len(data)):
        s.send(data[i:i + 1])
    check_equal(receive_exactly(s, len(data)), data, "what came back")
    s.shutdown(socket.SHUT_WR)
    check_equal(s.recv(1), b"", "the end of the stream")
    scene.finish(1)


@test("an upstream that accepts and never reads")
def never_reads(t):
    scene = Scene(t)
    clients = [scene.client(b"N") for _ in range(20)]
    for s in clients:
        s.setblocking(False)
        try:
            while True:
                s.send(part(1, 0, 1 << 18))
        except BlockingIOError:
            pass
    rounds = scene.bystander.rounds
    wait_for(lambda: scene.bystander.rounds > rounds + 50 or scene.bystander.error,
             "pings beside them")
    for s in clients:
        reset(s)
    scene.finish(20)


@test("an upstream that resets in the middle of its answer")
def dies(t):
    scene = Scene(t)
    for count in range(1, 101):
        s = scene.client(b"D")
        got = bytearray()
        try:
            while True:
                data = s.recv(1 << 16)
                check(data, "FIN after %d bytes of an answer that was cut by RST" % len(got))
                got += data
        except ConnectionResetError:
            pass
        check(got == part(5, 0, len(got)), "wrong bytes in the cut answer")
        # One at a time: its line is the last. Its port alone may have been an earlier client's too.
        line = scene.daemon.wait_sessions(count)[-1]
        check_equal(line["client"], "%s:%d" % s.getsockname(), "client of the last line")
        check_equal((line["end"], line["out"]), ("upstream-reset", str(len(got))), line[""])
        s.close()
    scene.finish(100)


@test("an upstream that is killed with its sessions")
def killed(t):
    scene = Scene(t)
    clients = [scene.client(b"E" + bytes(part(i, 0, 20000))) for i in range(50)]
    wait_for(lambda: len(scene.upstream.sessions) >= 51, "sessions at the upstream")
    scene.upstream.stopping = True
    scene.upstream.join()
    scene.upstream.listener.close()
    for s in clients:
        try:
            while s.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        s.close()
    # Later clients are turned away, nothing else happens.
    try:
        late = scene.client()
        check_equal(late.recv(1), None, "what a client of a dead upstream reads")
    except ConnectionResetError:
        pass
    wait_for(lambda: scene.bystander.error, "the bystander to lose its upstream")
    scene.bystander.socket.close()
    lines = scene.daemon.wait_sessions(52)
    check({line["end"] for line in lines} <= {"done", "upstream-reset", "client-reset",
                                              "connect-refused"}, "ends: %r" % lines)


@test("clients of every temper, all at once", RELAY)
def every_temper(t):
    rng = t.seed()
    scene = Scene(t, half_close_timeout="30s")
    count = 600
    live = []
    for i in range(count):
        temper = rng.choice("EEENRDC")
        s = scene.client(temper.encode())
        s.setblocking(False)
        try:
            for _ in range(rng.randint(0, 3)):
                s.send(part(i, 0, rng.choice((1, 100, 70000))))
            if rng.random() < 0.3:
                s.shutdown(socket.SHUT_WR)
            if rng.random() < 0.5:
                s.recv(rng.choice((1, 70000)))
        except (BlockingIOError, ConnectionResetError, BrokenPipeError, OSError):
            pass
        live.append((s, reset if temper == "N" else rng.choice((reset, socket.socket.close))))
        if len(live) > rng.randint(1, 200):
            s, leave = live.pop(rng.randrange(len(live)))
            leave(s)
    for s, leave in live:
        leave(s)
    scene.finish(count)
