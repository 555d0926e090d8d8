#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Sessions that stay: this program is the client and the upstream of all of them, so that it sees
whatever happens to one on both sides. It never connects again: a session that ends before its time
is a fault.

    sessions.py CLIENT_PORT UPSTREAM_PORT COUNT

Of ten sessions six move bytes both ways; one's client has ended its stream and one's upstream has;
one's client does not read, and one's upstream does not, and both are full to the brim. Every byte
is compared with what was sent.

It answers commands, a line each:
    moved   when bytes have come through everywhere where they can, since the command
    finish  let the readers read; when every byte is there, end the sessions: with a FIN of each
            side after the other, or a reset of either side, which has to arrive at the other
    let-go  at once: from now on sessions may end
    cut     when every session has been ended from the middle, seen from both sides
    reset   the same; and what was cut off has been reset, so that it does not look whole
The answer is "ok" and what was seen, or "fault" and what is wrong.
"""

import os
import random
import resource
import selectors
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))

from stream import part

HEADER = struct.Struct("!I")
PATIENCE = 40.0
CHUNK = 32 << 10
SMALL_BUFFER = 16 << 10


class Fault(Exception):
    pass


class End:
    """One side of a session: 0 the client's, 1 the upstream's. What it sends is its own stream."""

    def __init__(self, session, side, sock):
        self.session, self.side, self.socket = session, side, sock
        self.sent = self.got = self.seen = 0
        self.target = None          # send so much and no more
        self.reads = True
        self.shut = self.fin = self.reset = False
        self.blocked = False        # the last attempt to send found no room
        sock.setblocking(False)

    def __str__(self):
        return "%s of session %d (%s), sent %d, got %d" % (
            ("client", "upstream")[self.side], self.session.number, self.session.kind, self.sent,
            self.got)

    def other(self):
        return self.session.ends[1 - self.side]

    def send(self, count):
        if self.shut or self.reset:
            return
        if self.target is not None:
            count = min(count, self.target - self.sent)
        data = part(self.session.number * 2 + self.side, self.sent, count)
        try:
            self.sent += self.socket.send(data) if count > 0 else 0
            self.blocked = False
        except BlockingIOError:
            self.blocked = True
        except ConnectionError as e:
            self.lost(e.strerror)

    def receive(self):
        if self.reset:
            return  # sending has told so, and reading would tell something else
        try:
            data = self.socket.recv(1 << 17)
        except BlockingIOError:
            return
        except ConnectionError as e:
            self.lost(e.strerror)
            return
        if not data:
            self.fin = True
            self.session.look_at_end(self)
            return
        other = self.other()
        if data != bytes(part(self.session.number * 2 + other.side, self.got, len(data))):
            raise Fault("%s: wrong bytes" % self)
        self.got += len(data)

    def lost(self, why):
        self.reset = True
        self.session.look_at_end(self, why)

    def shutdown(self):
        self.socket.shutdown(socket.SHUT_WR)
        self.shut = True

    def close_with_reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Session:
    def __init__(self, number):
        self.number = number
        self.kind = {6: "client ended", 7: "upstream ended", 8: "client full",
                     9: "upstream full"}.get(number % 10, "both ways")
        self.how = ("client first", "upstream first", "client resets",
                    "upstream resets")[number // 10 % 4]
        self.ends = [None, None]
        self.cut = self.over = False

    def shut_early(self):
        return {"client ended": 0, "upstream ended": 1}.get(self.kind)

    def deaf(self):
        return {"client full": 0, "upstream full": 1}.get(self.kind)

    def look_at_end(self, end, why="the stream ends"):
        """An end that nobody has asked for."""
        if self.cut or self.over:
            return
        if end.fin and not end.reset and end.other().shut and end.got == end.other().sent:
            return
        raise Fault("%s: %s" % (end, why))

    def flows(self):
        """Ends that are to receive something by and by."""
        return [e for e in self.ends if not e.other().shut and e.reads]


class Load:
    def __init__(self, client_port, upstream_port, count):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.port = client_port
        self.listening = socket.create_server(("127.0.0.1", upstream_port), backlog=4096)
        self.selector = selectors.DefaultSelector()
        self.sessions = [Session(n) for n in range(count)]
        self.random = random.Random(count)
        self.pumping = False

    def watch(self, end):
        self.selector.register(end.socket, selectors.EVENT_READ, end)

    def forget(self, end):
        if end.socket in self.selector.get_map():
            self.selector.unregister(end.socket)

    def turn(self):
        for key, _ in self.selector.select(0.005):
            end = key.data
            end.receive()
            if end.fin or end.reset:
                self.forget(end)
        if self.pumping:
            for session in self.random.sample(self.sessions, min(8, len(self.sessions))):
                for end in session.ends:
                    end.send(self.random.randint(1, CHUNK))

    def until(self, condition, what):
        limit = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > limit:
                raise Fault("in vain: %s" % what())
            self.turn()

    # --- steps ---

    def open(self):
        for session in self.sessions:
            s = socket.socket()
            if session.deaf() == 0:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            s.settimeout(PATIENCE)
            s.connect(("127.0.0.1", self.port))
            s.sendall(HEADER.pack(session.number))
            session.ends[0] = End(session, 0, s)
        self.listening.settimeout(PATIENCE)
        for _ in self.sessions:
            s, _ = self.listening.accept()
            s.settimeout(PATIENCE)
            header = s.recv(HEADER.size, socket.MSG_WAITALL)
            session = self.sessions[HEADER.unpack(header)[0]]
            session.ends[1] = End(session, 1, s)
        for session in self.sessions:
            for end in session.ends:
                if session.deaf() == end.side:
                    end.reads = False
                else:
                    self.watch(end)
        self.pumping = True
        self.moved()
        for session in self.sessions:
            if session.shut_early() is not None:
                session.ends[session.shut_early()].shutdown()
        self.until(lambda: not self.not_full() and not self.not_ended(),
                   lambda: "%d are not full, %d have not ended" % (len(self.not_full()),
                                                                    len(self.not_ended())))

    def not_full(self):
        """Those that would take more, and they get it."""
        ends = [s.ends[1 - s.deaf()] for s in self.sessions if s.deaf() is not None]
        for end in ends:
            end.send(CHUNK)
        return [e for e in ends if not e.blocked]

    def not_ended(self):
        return [s for s in self.sessions
                if s.shut_early() is not None and not s.ends[1 - s.shut_early()].fin]

    def moved(self):
        waiting = [e for s in self.sessions for e in s.flows()]
        for end in waiting:
            end.seen = end.got
        self.until(lambda: all(e.got > e.seen for e in waiting),
                   lambda: "no byte for %s" % [str(e) for e in waiting if e.got <= e.seen][:3])
        return "%d of %d directions" % (len(waiting), 2 * len(self.sessions))

    def finish(self):
        ends = [e for s in self.sessions for e in s.ends]
        for session in self.sessions:
            if session.deaf() is not None:
                end = session.ends[session.deaf()]
                end.reads = True
                self.watch(end)
        for end in ends:
            if not end.shut:
                end.target = end.sent + self.random.randint(1, CHUNK)
        self.until(lambda: all((e.shut or e.sent == e.target) and e.other().got == e.sent
                               for e in ends),
                   lambda: "not all there: %s" % [str(e) for e in ends
                                                   if e.other().got != e.sent][:3])
        self.pumping = False
        for session in self.sessions:
            self.end(session)
        fins, resets = (sum(getattr(e, name) for e in ends) for name in ("fin", "reset"))
        return "%d bytes, %d FINs, %d resets" % (sum(e.got for e in ends), fins, resets)

    def end(self, session):
        first, second = session.ends
        if session.how.startswith("upstream"):
            first, second = second, first
        if session.how.endswith("resets"):
            session.over = True
            self.forget(first)
            first.close_with_reset()
            self.until(lambda: second.reset or self.is_reset(second),
                       lambda: "no reset for %s" % second)
            return
        for end in (first, second):
            if not end.shut:
                end.shutdown()
            self.until(lambda: end.other().fin, lambda: "no FIN for %s" % end.other())

    def is_reset(self, end):
        """Behind a FIN that was read before, a reset is only an error of the socket."""
        if end.fin and end.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            end.reset = True
        return end.reset

    def let_go(self):
        for session in self.sessions:
            session.cut = True
        return ""

    def cut(self):
        self.pumping = False
        ends = [e for s in self.sessions for e in s.ends]
        for end in ends:
            if not end.reads:
                self.watch(end)
        self.until(lambda: all(e.fin or e.reset for e in ends),
                   lambda: "still there: %s" % [str(e) for e in ends
                                                 if not e.fin and not e.reset][:3])
        fins, resets = (sum(getattr(e, name) for e in ends) for name in ("fin", "reset"))
        return "%d FINs, %d resets" % (fins, resets)

    def reset(self):
        seen = self.cut()
        for session in self.sessions:
            for end in session.ends:
                if end.fin and not end.other().shut:
                    raise Fault("%s: a FIN that nobody has sent" % end)
        return seen

    # --- commands ---

    def run(self):
        commands = {"moved": self.moved, "finish": self.finish, "let-go": self.let_go,
                    "cut": self.cut, "reset": self.reset}
        try:
            self.open()
            print("ok", flush=True)
            commands_in = selectors.DefaultSelector()
            commands_in.register(sys.stdin, selectors.EVENT_READ)
            while True:
                if not commands_in.select(0):
                    self.turn()
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                print("ok", commands[line.strip()](), flush=True)
        except (Fault, OSError) as e:
            print("fault", e, flush=True)
            sys.exit(1)


Load(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])).run()
