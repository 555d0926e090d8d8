#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A load of sessions in the background, in a process of its own: random sizes both ways, half-closes
in both orders, some of a moment and some long with pauses. Each byte is compared with what it must
be. Nothing here ever resets, so that whatever is refused, reset, cut or stands still is a fault.

As a program: load.py JSON, with "routes" (addresses to connect to), "upstreams" (numbers of
inherited listening sockets), "sessions" (how many at a time), "seed". It opens sessions until the
end of its standard input, lets the live ones come to their end, and prints a JSON object. Faults
are also told at once, a line each on standard error.
"""

import errno
import fcntl
import heapq
import json
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import termios
import time

import harness
from stream import part

HEADER = struct.Struct("!I")
PATIENCE = harness.DEADLINE  # for a session in which no byte moves and no end comes


class Plan:
    """What one session does; index 0 is the client's side, 1 the upstream's."""

    def __init__(self, seed, number):
        rng = random.Random((seed << 32) | number)
        self.number = number
        kind = rng.random()
        if kind < 0.35:
            sizes, pauses, longest = (0, 3000), (0, 1), 0.3
        elif kind < 0.80:
            sizes, pauses, longest = (1000, 200000), (0, 4), 0.5
        elif kind < 0.87:
            sizes, pauses, longest = (500000, 3000000), (0, 2), 0.3
        else:
            sizes, pauses, longest = (1000, 60000), (8, 20), 0.6
        self.sizes = [rng.randint(*sizes) + (HEADER.size if side == 0 else 0) for side in (0, 1)]
        self.order = rng.choice(("client", "upstream", "both"))
        chunks = (700, 7001, 1 << 16, 1 << 18)
        self.chunks = [rng.choice(chunks if size < 200000 else chunks[2:]) for size in self.sizes]
        self.reads = [max(self.chunks[1 - s], 4096) for s in (0, 1)]
        # After so many bytes: wait so long before the next is sent, or read.
        self.send_pauses = [self.some(rng, pauses, longest, self.sizes[s]) for s in (0, 1)]
        self.read_pauses = [self.some(rng, (0, 1), longest, self.sizes[1 - s]) for s in (0, 1)]
        # The side that ends last sends its rest only after the end of the first.
        self.before_end = [rng.randint(HEADER.size if s == 0 else 0, self.sizes[s]) for s in (0, 1)]

    @staticmethod
    def some(rng, count, longest, size):
        return sorted((rng.randint(0, size), rng.uniform(0, longest))
                      for _ in range(rng.randint(*count)))

    def is_first(self, side):
        return self.order == "both" or self.order == ("client", "upstream")[side]

    def bytes(self, side, start, count):
        if side == 0 and start < HEADER.size:
            return HEADER.pack(self.number)[start:start + count]
        return part(self.number * 2 + side, start, min(count, 1 << 18))


class Fault(Exception):
    pass


class End:
    """One end of a session. The upstream's knows its plan from the first four bytes."""

    def __init__(self, load, side, sock, plan):
        self.load, self.side, self.socket, self.plan = load, side, sock, plan
        self.sent = self.got = 0
        self.first_bytes = b""
        self.connecting = side == 0
        self.shut = self.fin = False
        self.send_until = self.read_until = 0.0  # pauses end then
        self.moved = time.monotonic()
        self.events = 0
        self.local = ""
        sock.setblocking(False)

    def __str__(self):
        where = "client" if self.side == 0 else "upstream"
        if self.plan:
            where += " of session %d (%s first, sizes %r)" % (self.plan.number, self.plan.order,
                                                              self.plan.sizes)
        words = ["%s at %s" % (where, self.local), "sent %d" % self.sent, "got %d" % self.got]
        if self.socket:
            unread = fcntl.ioctl(self.socket, termios.FIONREAD, bytes(4))
            words.append("unread %d" % struct.unpack("i", unread)[0])
        words += [w for w, is_so in (("FIN sent", self.shut), ("FIN seen", self.fin),
                                     ("waits to read", self.events & selectors.EVENT_READ),
                                     ("waits to write", self.events & selectors.EVENT_WRITE))
                  if is_so]
        return ", ".join(words)

    def may_send(self):
        """How far it may send by now."""
        if self.plan is None:
            return 0
        if self.fin or self.plan.is_first(self.side):
            return self.plan.sizes[self.side]
        return self.plan.before_end[self.side]

    def end_pauses(self, now):
        for name in ("send_until", "read_until"):
            if getattr(self, name) <= now:
                setattr(self, name, 0.0)

    def wants(self):
        if self.connecting:
            return selectors.EVENT_WRITE
        events = 0
        if not self.fin and not self.read_until:
            events |= selectors.EVENT_READ
        if self.sent < self.may_send() and not self.send_until:
            events |= selectors.EVENT_WRITE
        return events

    def watch(self):
        if self.socket is None:
            return
        now = time.monotonic()
        self.end_pauses(now)
        events = self.wants()
        if events != self.events:
            if not self.events:
                self.load.selector.register(self.socket, events, self)
            elif not events:
                self.load.selector.unregister(self.socket)
            else:
                self.load.selector.modify(self.socket, events, self)
            self.events = events
        for until in (self.send_until, self.read_until):
            if until:
                self.load.wake(until, self)

    def close(self):
        if self.events:
            self.load.selector.unregister(self.socket)
            self.events = 0
        self.socket.close()
        self.socket = None

    def turn(self, events):
        if self.connecting:
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise Fault("connect: %s" % os.strerror(code))
            self.connecting = False
            self.local = str(self.socket.getsockname())
        if events & selectors.EVENT_READ:
            self.read()
        self.write()
        self.end()

    def read(self):
        size = self.plan.reads[self.side] if self.plan else HEADER.size - len(self.first_bytes)
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return
        self.moved = time.monotonic()
        if not data:
            self.fin = True
            other = self.plan and self.plan.sizes[1 - self.side]
            if self.plan is None or self.got < other:
                raise Fault("the stream ends after %d of %s bytes" % (self.got, other))
            return
        if self.plan is None:
            self.first_bytes += data
            if len(self.first_bytes) < HEADER.size:
                return
            self.load.identify(self, HEADER.unpack(self.first_bytes)[0])
            data = self.first_bytes
        self.compare(data)
        self.read_until = self.pause(self.plan.read_pauses[self.side], self.got)

    def compare(self, data):
        other = 1 - self.side
        at, end = self.got, self.got + len(data)
        if end > self.plan.sizes[other]:
            raise Fault("%d bytes too many" % (end - self.plan.sizes[other]))
        while at < end:
            good = self.plan.bytes(other, at, end - at)
            if data[at - self.got:at - self.got + len(good)] != good:
                raise Fault("wrong bytes after byte %d" % at)
            at += len(good)
        self.got = end

    def pause(self, pauses, at):
        until = 0.0
        while pauses and at >= pauses[0][0]:
            until = time.monotonic() + pauses.pop(0)[1]
        return 0.0 if self.load.stopping else until

    def write(self):
        while self.sent < self.may_send() and not self.send_until:
            count = min(self.plan.chunks[self.side], self.may_send() - self.sent)
            try:
                self.sent += self.socket.send(self.plan.bytes(self.side, self.sent, count))
            except BlockingIOError:
                return
            self.moved = time.monotonic()
            self.send_until = self.pause(self.plan.send_pauses[self.side], self.sent)
            if count >= 1 << 16:
                return  # others have their turn

    def end(self):
        if self.plan and not self.shut and self.sent == self.plan.sizes[self.side] \
                and (self.fin or self.plan.is_first(self.side)):
            self.socket.shutdown(socket.SHUT_WR)
            self.shut = True
            self.moved = time.monotonic()
        if self.shut and self.fin:
            self.close()
            self.load.ended(self)


class Generator:
    """What runs in the load's own process."""

    def __init__(self, config):
        self.routes = config["routes"]
        self.seed = config["seed"]
        self.rng = random.Random(self.seed)
        self.want = config["sessions"]
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.order = 0
        self.number = 0
        self.live = {}      # number: how many ends of it are left
        self.ends = set()
        self.stopping = False
        self.done = 0
        self.bytes = [0, 0]
        self.faults = []
        for fd in config["upstreams"]:
            s = socket.socket(fileno=fd)
            s.setblocking(False)
            self.selector.register(s, selectors.EVENT_READ, None)
        self.selector.register(sys.stdin, selectors.EVENT_READ, "stop")

    def fault(self, text):
        text = "%.3f %s" % (time.time(), text)
        self.faults.append(text)
        print(text, file=sys.stderr, flush=True)

    def wake(self, when, what):
        self.order += 1
        heapq.heappush(self.timers, (when, self.order, what))

    def open(self):
        """One session more."""
        plan = Plan(self.seed, self.number)
        route = self.routes[self.number % len(self.routes)]
        self.number += 1
        self.live[plan.number] = 2
        self.connect(plan, route)

    def connect(self, plan, route):
        target = route if isinstance(route, str) else tuple(route)
        family = socket.AF_UNIX if isinstance(route, str) else \
            socket.AF_INET6 if ":" in route[0] else socket.AF_INET
        s = socket.socket(family)
        end = End(self, 0, s, plan)
        code = s.connect_ex(target)
        if code == errno.EAGAIN:  # a UNIX backlog is full: the kernel does not wait for us
            s.close()
            self.wake(time.monotonic() + 0.02, (plan, route))
            return
        self.ends.add(end)
        if code not in (0, errno.EINPROGRESS):
            self.broken(end, "connect to %s: %s" % (route, os.strerror(code)))
            return
        end.watch()

    def accept(self, listening):
        while True:
            try:
                s, _ = listening.accept()
            except BlockingIOError:
                return
            end = End(self, 1, s, None)
            self.ends.add(end)
            end.watch()

    def identify(self, end, number):
        if number not in self.live:
            raise Fault("session %d has come to the upstream, which is not live" % number)
        end.plan = Plan(self.seed, number)

    def ended(self, end):
        self.ends.discard(end)
        number = end.plan.number
        self.live[number] -= 1
        if self.live[number] == 0:
            del self.live[number]
            self.done += 1
            for side in (0, 1):
                self.bytes[side] += end.plan.sizes[side]
            self.wake(time.monotonic() + self.rng.uniform(0, 0.1), None)

    def broken(self, end, text):
        others = [e for e in self.ends if e is not end and e.plan and end.plan and
                  e.plan.number == end.plan.number]
        self.fault("%s: %s; %s" % (end, text, ", ".join(str(e) for e in others)))
        self.ends.discard(end)
        if end.socket:
            end.close()
        if end.plan:
            self.live.pop(end.plan.number, None)
            for other in others:
                self.ends.discard(other)
                other.close()

    def turn(self, end, events):
        if end not in self.ends:
            return
        try:
            end.turn(events)
        except Fault as e:
            self.broken(end, str(e))
            return
        except OSError as e:
            self.broken(end, e.strerror)
            return
        end.watch()

    def stop(self):
        self.stopping = True
        self.selector.unregister(sys.stdin)
        for end in self.ends:
            end.send_until = end.read_until = 0.0

    def due(self):
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            what = heapq.heappop(self.timers)[2]
            if isinstance(what, tuple):
                self.connect(*what)
            elif what is None:
                if not self.stopping and not self.faults:
                    self.open()
            elif what in self.ends:
                what.end_pauses(now)
                self.turn(what, 0)

    def look_for_still(self):
        """Sessions of which neither end has moved for too long."""
        now = time.monotonic()
        moved = {}
        for end in self.ends:
            if end.plan:
                number = end.plan.number
                moved[number] = max(moved.get(number, 0.0), end.moved)
        for end in list(self.ends):
            last = moved[end.plan.number] if end.plan else end.moved
            if end in self.ends and now - last > PATIENCE:
                self.broken(end, "stands still")

    def run(self):
        for _ in range(self.want):
            self.open()
        checked = time.monotonic()
        while not self.stopping or self.live:
            wait = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else 1.0
            for key, events in self.selector.select(min(wait, 1.0)):
                if key.data is None:
                    self.accept(key.fileobj)
                elif key.data == "stop":
                    self.stop()
                    for end in list(self.ends):
                        self.turn(end, 0)
                else:
                    self.turn(key.data, events)
            self.due()
            if time.monotonic() - checked > 1:
                checked = time.monotonic()
                self.look_for_still()
        print(json.dumps({"sessions": self.done, "in": self.bytes[0], "out": self.bytes[1],
                          "faults": self.faults[:20]}), flush=True)


class Load:
    """The same as a test sees it. `routes`: addresses as connect() takes them; `upstreams`:
    listening sockets, which are the load's from now on."""

    def __init__(self, t, routes, upstreams, sessions=200, seed=1):
        numbers = [s.fileno() for s in upstreams]
        config = {"routes": routes, "upstreams": numbers, "sessions": sessions, "seed": seed}
        self.errors = open(t.path("load.err"), "w+")
        self.output = open(t.path("load.out"), "w+")
        t.sockets += [self.errors, self.output]
        self.process = t.spawn([sys.executable, os.path.abspath(__file__), json.dumps(config)],
                               stdin=subprocess.PIPE, stdout=self.output, stderr=self.errors,
                               pass_fds=numbers)

    def check(self):
        """Nothing has gone wrong so far."""
        self.errors.seek(0)
        text = self.errors.read(4000)
        harness.check(not text, "the load: %s" % text)
        harness.check(self.process.poll() is None, "the load has ended")

    def stop(self):
        """Let it come to its end; gives "sessions", "in" and "out" of all of them."""
        self.check()
        self.process.stdin.close()
        harness.wait_for(lambda: self.process.poll() is not None, "the load to end",
                         harness.DEADLINE * 2)
        self.errors.seek(0)
        text = self.errors.read(4000)
        harness.check(not text, "the load: %s" % text)
        self.output.seek(0)
        report = json.load(self.output)
        harness.check(report["sessions"] > 0, "the load had no session")
        return report


if __name__ == "__main__":
    Generator(json.loads(sys.argv[1])).run()
