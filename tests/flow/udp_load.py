#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Datagrams in the background, in a process of its own: clients that always have some under way, and
an upstream that sends each back. It is checked that they are those that were sent, in their order,
that each client's come from one address of penstock's (it is one session), and that none comes
twice. Lost ones are counted.

As a program: udp_load.py JSON, with "routes" (addresses to send to), "upstreams" (numbers of
inherited bound sockets), "clients" (how many), "window" (how many datagrams each has under way),
"seed", "patience" (seconds after which a client that hears nothing takes them for lost and sends
others). It goes on until the end of its standard input, waits for what is under way, and prints a
JSON object. Faults are also told at once, a line each on standard error.
"""

import json
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections import deque

import harness
from stream import part
from udp import enlarge_buffer, family_of

HEADER = struct.Struct("!II")
PATIENCE = 1.0 * (5 if harness.SLOW else 1)  # so long no others are sent, unless told


def body(client, number, size):
    return bytes(part(client * 100 + number, number, size))


class Client:
    def __init__(self, load, number, route):
        self.load, self.number = load, number
        self.rng = random.Random((load.seed << 16) | number)
        self.socket = socket.socket(family_of(route), socket.SOCK_DGRAM)
        enlarge_buffer(self.socket)
        self.socket.connect(tuple(route))
        self.socket.setblocking(False)
        self.next = 0
        self.waiting = deque()  # (number, size) of what is under way
        self.missed = deque()   # what is no longer waited for: lost, or late
        self.moved = time.monotonic()
        self.arrived = -1       # the last that the upstream has got
        self.sender = None

    def fill(self):
        """Have as many under way as agreed."""
        while len(self.waiting) < self.load.window and not self.load.stopping:
            size = self.rng.choice((0, 1, 100, 100, 100, self.rng.randint(0, 1400)))
            self.waiting.append((self.next, size))
            self.socket.send(HEADER.pack(self.number, self.next) +
                             body(self.number, self.next, size))
            self.next += 1
            self.load.sent += 1

    def read(self):
        while True:
            try:
                data = self.socket.recv(1 << 17)
            except BlockingIOError:
                return
            self.moved = time.monotonic()
            client, number = HEADER.unpack(data[:HEADER.size])
            if client != self.number:
                self.load.fault("client %d has got an answer of client %d" % (self.number, client))
                return
            size = self.take(number)
            if size is None:
                self.load.fault("client %d: answer %d twice, or out of order" % (client, number))
                return
            if data[HEADER.size:] != body(client, number, size):
                self.load.fault("client %d: answer %d has other bytes" % (client, number))
            self.load.answered += 1

    def take(self, number):
        """The size of that one, which is no longer under way; None when it was not. Those before it
        are lost: the order is kept."""
        for queue in (self.missed, self.waiting):
            while queue and queue[0][0] < number:
                queue.popleft()
            if queue and queue[0][0] == number:
                return queue.popleft()[1]
        return None

    def write_off(self, now):
        if self.waiting and now - self.moved > self.load.patience:
            self.missed += self.waiting
            self.waiting.clear()
            self.moved = now


class Generator:
    """What runs in the load's own process."""

    def __init__(self, config):
        self.seed, self.window = config["seed"], config["window"]
        self.patience = config["patience"]
        self.sent = self.answered = self.arrived = 0
        self.faults = []
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin, selectors.EVENT_READ, "stop")
        for fd in config["upstreams"]:
            s = socket.socket(fileno=fd)
            s.setblocking(False)
            self.selector.register(s, selectors.EVENT_READ, None)
        routes = config["routes"]
        self.clients = [Client(self, i, routes[i % len(routes)]) for i in range(config["clients"])]
        for c in self.clients:
            self.selector.register(c.socket, selectors.EVENT_READ, c)

    def fault(self, text):
        text = "%.3f %s" % (time.time(), text)
        self.faults.append(text)
        if len(self.faults) < 20:
            print(text, file=sys.stderr, flush=True)

    def upstream(self, s):
        """Send back what there is."""
        for _ in range(64):
            try:
                data, sender = s.recvfrom(1 << 17)
            except BlockingIOError:
                return
            client, number = HEADER.unpack(data[:HEADER.size])
            c = self.clients[client]
            self.arrived += 1
            if c.sender is None:
                c.sender = sender
            if sender != c.sender:
                self.fault("client %d has another session: at %r, before at %r" % (client, sender,
                                                                                  c.sender))
                c.sender = sender
            if number <= c.arrived:
                self.fault("client %d: datagram %d after %d at the upstream" % (client, number,
                                                                               c.arrived))
            c.arrived = number
            try:
                s.sendto(data, sender)
            except OSError as e:  # of a UNIX socket: full, or gone
                self.fault("upstream: %s" % e)

    def run(self):
        for c in self.clients:
            c.fill()
        while not self.stopping or any(c.waiting for c in self.clients):
            for key, _ in self.selector.select(0.1):
                if key.data is None:
                    self.upstream(key.fileobj)
                elif key.data == "stop":
                    self.stopping = True
                    self.patience = PATIENCE  # nothing is to come later
                    self.selector.unregister(sys.stdin)
                else:
                    key.data.read()
                    key.data.fill()
            now = time.monotonic()
            for c in self.clients:
                c.write_off(now)
                c.fill()
        print(json.dumps({"sent": self.sent, "arrived": self.arrived, "answered": self.answered,
                          "lost": self.sent - self.answered}), flush=True)


class Load:
    """The same as a test sees it."""

    def __init__(self, t, routes, upstreams, clients=16, window=2, seed=1,
                 patience=PATIENCE):
        numbers = [s.fileno() for s in upstreams]
        config = {"routes": routes, "upstreams": numbers, "clients": clients, "window": window,
                  "seed": seed, "patience": patience}
        self.errors = open(t.path("udp_load.err"), "w+")
        self.output = open(t.path("udp_load.out"), "w+")
        t.sockets += [self.errors, self.output]
        self.process = t.spawn([sys.executable, os.path.abspath(__file__), json.dumps(config)],
                               stdin=subprocess.PIPE, stdout=self.output, stderr=self.errors,
                               pass_fds=numbers)

    def check(self):
        """Nothing has gone wrong so far."""
        self.errors.seek(0)
        text = self.errors.read(4000)
        harness.check(not text, "the load: %s" % text)

    def stop(self):
        """Let it come to its end; gives its account."""
        self.check()
        harness.check(self.process.poll() is None, "the load has ended")
        self.process.stdin.close()
        harness.wait_for(lambda: self.process.poll() is not None, "the load to end",
                         harness.DEADLINE * 2)
        self.check()
        self.output.seek(0)
        return json.load(self.output)


if __name__ == "__main__":
    Generator(json.loads(sys.argv[1])).run()
