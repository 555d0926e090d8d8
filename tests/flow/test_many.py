# SPDX-License-Identifier: BSD-2-Clause
"""500 sessions at once, of random sizes, pauses and endings; the log accounts for every byte."""

import heapq
import selectors
import socket
import struct
import time

import harness
from harness import check, check_equal, test
from stream import part

SESSIONS = 500
ENDINGS = ("client-fin", "upstream-fin", "both", "client-rst", "upstream-rst", "client-close",
           "upstream-close")
RESETS = (ConnectionResetError, BrokenPipeError)


class Plan:
    """What one session is going to do."""

    def __init__(self, number, rng):
        self.number = number
        self.ending = rng.choice(ENDINGS)
        # Every session begins with its number, by which the upstream knows it.
        self.sizes = {"c": 4 + self.size(rng), "u": self.size(rng)}
        self.chunks = {side: rng.choice((1 << 10, 7001, 1 << 16, 1 << 18)) for side in "cu"}
        for side in "cu":
            if self.sizes[side] < 3000 and rng.random() < 0.3:
                self.chunks[side] = rng.randint(1, 50)
        self.pauses = {side: sorted(rng.randrange(1 << 20) for _ in range(rng.randint(0, 3)))
                       for side in "cu"}
        self.naps = [rng.uniform(0, 0.05) for _ in range(8)]
        # How far a side that breaks off gets.
        breaker = self.ending[0]
        self.cut = rng.randint(4 if breaker == "c" else 0, self.sizes[breaker]) \
            if self.ending.endswith(("rst", "close")) else None

    def size(self, rng):
        kind = rng.random()
        if kind < 0.15:
            return 0
        if kind < 0.5:
            return rng.randint(1, 3000)
        if kind < 0.9:
            return rng.randint(3000, 150000)
        return rng.randint(150000, 1500000)

    def breaks(self, side):
        return self.cut is not None and self.ending[0] == side

    def first(self, side):
        """May this side end before it has seen the end of the other?"""
        return self.ending == "both" or self.ending[0] == side or self.cut is not None

    def byte_range(self, side, start, count):
        if side == "c" and start < 4:
            return struct.pack("!I", self.number)[start:min(4, start + count)]
        return part(self.number * 2 + (side == "u"), start, min(count, 1 << 18))


class End:
    """One end of one session."""

    def __init__(self, crowd, side, sock, plan):
        self.crowd, self.side, self.socket, self.plan = crowd, side, sock, plan
        self.local = sock.getsockname()
        self.sent = self.got = 0
        self.header = bytearray()
        self.shut = self.fin = self.rst = self.napping = self.broke = False
        sock.setblocking(False)
        self.events = 0
        self.watch()

    def __str__(self):
        names = ("sent", "got", "shut", "fin", "rst", "napping", "broke")
        return " ".join("%s=%s" % (name, getattr(self, name)) for name in names)

    def wants(self):
        events = 0
        if not self.fin and not self.napping:
            events |= selectors.EVENT_READ
        if self.plan and not self.shut and self.sent < self.goal():
            events |= selectors.EVENT_WRITE
        return events

    def goal(self):
        return self.plan.cut if self.plan.breaks(self.side) else self.plan.sizes[self.side]

    def watch(self):
        events = self.wants()
        selector = self.crowd.selector
        if events == self.events:
            return
        if not self.events:
            selector.register(self.socket, events, self)
        elif not events:
            selector.unregister(self.socket)
        else:
            selector.modify(self.socket, events, self)
        self.events = events

    def close(self, reset=False):
        if self.events:
            self.crowd.selector.unregister(self.socket)
            self.events = 0
        if reset:
            harness.reset(self.socket)
        else:
            self.socket.close()
        self.crowd.left(self)

    def turn(self, events):
        if events & selectors.EVENT_READ:
            self.read()
        if self.socket.fileno() < 0:
            return
        if self.plan and (events & selectors.EVENT_WRITE or not self.shut):
            self.write()
        if self.socket.fileno() >= 0:
            self.watch()

    def read(self):
        try:
            data = self.socket.recv(max(self.plan.chunks[self.side], 4096) if self.plan
                                    else 4 - len(self.header))
        except BlockingIOError:
            return
        except RESETS:
            self.rst = True
            self.read_rest()
            self.close()
            return
        if not data:
            self.fin = True
        elif self.plan is None:
            self.header += data
            if len(self.header) == 4:
                self.crowd.identify(self, struct.unpack("!I", self.header)[0])
        else:
            self.take(data)
        if self.fin and (self.shut or self.plan is None):
            self.close()

    def read_rest(self):
        """What the kernel still holds behind an error that a send has collected."""
        while self.plan:
            try:
                data = self.socket.recv(1 << 18)
            except OSError:
                return
            if not data:
                return
            self.take(data)

    def take(self, data):
        other = "u" if self.side == "c" else "c"
        at = self.got
        while at < self.got + len(data):
            good = self.plan.byte_range(other, at, self.got + len(data) - at)
            offset = at - self.got
            check(data[offset:offset + len(good)] == good,
                  "session %d: wrong bytes at %s after byte %d" % (self.plan.number, self.side, at))
            at += len(good)
        self.got = at
        pauses = self.plan.pauses[self.side]
        if pauses and self.got >= pauses[0]:
            pauses.pop(0)
            self.napping = True
            self.crowd.wake_later(self, self.plan.naps[len(pauses)])

    def write(self):
        if self.sent < self.goal():
            count = min(self.plan.chunks[self.side], self.goal() - self.sent)
            try:
                self.sent += self.socket.send(self.plan.byte_range(self.side, self.sent, count))
            except BlockingIOError:
                return
            except RESETS:
                self.rst = True
                self.read_rest()
                self.close()
                return
        if self.sent < self.goal() or self.shut:
            return
        if self.plan.breaks(self.side):
            self.broke = True
            self.close(reset=self.plan.ending.endswith("rst"))
        elif self.fin or self.plan.first(self.side):
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.rst = True  # not connected any more
                self.read_rest()
                self.close()
                return
            self.shut = True
            if self.fin:
                self.close()


class Crowd:
    def __init__(self, upstream):
        self.selector = selectors.DefaultSelector()
        self.upstream = upstream
        upstream.setblocking(False)
        self.selector.register(upstream, selectors.EVENT_READ, None)
        self.clients, self.upstreams, self.nobody = {}, {}, []
        self.plans = {}
        self.live = 0
        self.alarms = []
        self.moved = 0  # when something last happened

    def connect(self, plan, address):
        s = socket.socket()
        s.settimeout(harness.DEADLINE)
        # An address of its own: the port of one that was reset may soon be another's.
        s.bind(("127.0.%d.%d" % (1 + plan.number // 250, 1 + plan.number % 250), 0))
        s.connect(address)
        self.plans[plan.number] = plan
        self.live += 1
        self.clients[plan.number] = End(self, "c", s, plan)

    def accept(self):
        try:
            s = self.upstream.accept()[0]
        except BlockingIOError:
            return
        self.live += 1
        self.nobody.append(End(self, "u", s, None))

    def identify(self, end, number):
        check(number in self.plans, "the upstream got a session with the number %d" % number)
        check(number not in self.upstreams, "session %d has two upstreams" % number)
        end.plan = self.plans[number]
        end.got = 4
        self.nobody.remove(end)
        self.upstreams[number] = end

    def left(self, end):
        self.live -= 1
        self.moved = time.monotonic()

    def wake_later(self, end, delay):
        heapq.heappush(self.alarms, (time.monotonic() + delay, id(end), end))

    def turn(self):
        ready = self.selector.select(0.01)
        if ready:
            self.moved = time.monotonic()
        for key, events in ready:
            if key.data is None:
                self.accept()
            elif key.data.socket.fileno() >= 0:
                key.data.turn(events)
        while self.alarms and self.alarms[0][0] <= time.monotonic():
            end = heapq.heappop(self.alarms)[2]
            end.napping = False
            if end.socket.fileno() >= 0:
                end.watch()

    def run(self, plans, address):
        for i, plan in enumerate(plans):
            self.connect(plan, address)
            if i % 50 == 0:
                self.turn()
        # Done when no end is left and the log (which the caller reads) has them all.
        self.moved = time.monotonic()
        while self.live:
            self.turn()
            check(time.monotonic() - self.moved < harness.DEADLINE, StuckText(self))

    def stuck(self):
        ends = [e for e in (*self.clients.values(), *self.upstreams.values(), *self.nobody)
                if e.socket.fileno() >= 0]
        return "%d ends are stuck, such as:\n%s" % (self.live, "\n".join(
            "%s of %s: %s" % (e.side, e.plan and vars(e.plan), e) for e in ends[:3]))


class StuckText:
    """A text that is made only when it is printed."""

    def __init__(self, crowd):
        self.crowd = crowd

    def __str__(self):
        return self.crowd.stuck()


def check_session(plan, line, client, upstream):
    """One log line against what both ends have counted."""
    sent_up, got_up = client.sent, upstream.got if upstream else 0
    sent_down, got_down = upstream.sent if upstream else 0, client.got
    log_in, log_out = int(line["in"]), int(line["out"])
    what = "session %d, %s: %s\nclient: %s\nupstream: %s" % (plan.number, plan.ending, line[""],
                                                            client, upstream)
    check(got_up <= log_in <= sent_up, "in= is wrong: " + what)
    check(got_down <= log_out <= sent_down, "out= is wrong: " + what)
    if plan.cut is None:
        check(line["end"] == "done", "end= is wrong: " + what)
        check(got_up == log_in == sent_up == plan.sizes["c"], "bytes are lost: " + what)
        check(got_down == log_out == sent_down == plan.sizes["u"], "bytes are lost: " + what)
        check(client.fin and upstream.fin and not client.rst and not upstream.rst,
              "an end that nobody sent: " + what)
    elif upstream is not None and upstream.broke and line["end"] == "upstream-reset":
        # The client reads on: all that penstock has received must reach it.
        check(got_down == log_out, "last words are lost: " + what)


@test("500 sessions of random sizes, pauses and endings")
def crowd(t):
    rng = t.seed()
    upstream = t.listener(backlog=1024)
    port = t.port()
    d = t.start({"crowd": {"listen": "127.0.0.1:%d" % port,
                           "upstream": "127.0.0.1:%d" % upstream.getsockname()[1],
                           "max_connections": 1000}})
    plans = [Plan(i, rng) for i in range(SESSIONS)]
    c = Crowd(upstream)
    c.run(plans, ("127.0.0.1", port))
    # A client that broke off at once may be gone before its upstream connection was made.
    lines = d.wait_sessions(SESSIONS)
    check_equal(len(lines), SESSIONS, "log lines")
    by_client = {line["client"]: line for line in lines}
    check_equal(len(by_client), SESSIONS, "clients in the log")
    allowed = {"client-rst": ("client-reset",), "upstream-rst": ("upstream-reset",),
               "client-close": ("client-reset", "done"), "upstream-close": ("upstream-reset",
                                                                            "done")}
    for plan in plans:
        client = c.clients[plan.number]
        line = by_client["%s:%d" % client.local]
        check(line["end"] in allowed.get(plan.ending, ("done",)),
              "session %d, %s: %s\nclient: %s\nupstream: %s"
              % (plan.number, plan.ending, line[""], client, c.upstreams.get(plan.number)))
        check_session(plan, line, client, c.upstreams.get(plan.number))
