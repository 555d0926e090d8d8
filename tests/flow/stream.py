# SPDX-License-Identifier: BSD-2-Clause
"""Streams of random-looking bytes, any part of which can be made and checked without keeping it."""

import random
import threading

import harness

PERIOD = 1000003  # a prime, so that no block size of any buffer divides it
BLOCK = random.Random(20260704).randbytes(PERIOD)
TWICE = memoryview(BLOCK + BLOCK)


def part(seed, start, count):
    """Bytes start .. start + count of the stream called `seed`; count at most PERIOD."""
    at = (seed * 7919 + start) % PERIOD
    return TWICE[at:at + count]


class Sender(threading.Thread):
    """Sends `count` bytes of a stream over a blocking socket."""

    def __init__(self, sock, seed, count, start=0):
        super().__init__(daemon=True)
        self.socket, self.seed, self.count, self.at = sock, seed, count, start
        self.end = start + count
        self.error = None

    def run(self):
        try:
            while self.at < self.end:
                self.at += self.socket.send(part(self.seed, self.at, min(1 << 18,
                                                                         self.end - self.at)))
        except OSError as e:
            self.error = e

    def wait(self):
        self.join(harness.DEADLINE * 3)
        harness.check(not self.is_alive(), "sender stands still after %d bytes" % self.at)
        harness.check(self.error is None, "sender: %s" % self.error)


class Receiver(threading.Thread):
    """Reads to the end of the stream, or `count` bytes; checks each, hashes all if asked to."""

    def __init__(self, sock, seed, count=None, digest=None):
        super().__init__(daemon=True)
        self.socket, self.seed, self.count, self.digest = sock, seed, count, digest
        self.at = 0
        self.ended = False
        self.error = None

    def run(self):
        try:
            while self.count is None or self.at < self.count:
                data = self.socket.recv(min(1 << 18, (self.count or 1 << 62) - self.at))
                if not data:
                    self.ended = True
                    return
                if data != part(self.seed, self.at, len(data)):
                    self.error = "wrong bytes after byte %d" % self.at
                    return
                if self.digest:
                    self.digest.update(data)
                self.at += len(data)
        except OSError as e:
            self.error = e

    def wait(self):
        self.join(harness.DEADLINE * 3)
        harness.check(not self.is_alive(), "receiver stands still after %d bytes" % self.at)
        harness.check(self.error is None, "receiver: %s" % self.error)
        return self.at
