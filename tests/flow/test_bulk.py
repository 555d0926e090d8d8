# SPDX-License-Identifier: BSD-2-Clause
"""Many bytes: both ways at once, and towards a reader that has stopped."""

import hashlib
import os
import socket
import struct
import time

import harness
from harness import check, check_equal, test, wait_for
from stream import Receiver, Sender, part

MIB = 1 << 20


def pair(t, d, listen, upstream):
    """A session: its client and its upstream."""
    client = t.connect(listen)
    other = upstream.accept()[0]
    other.settimeout(harness.DEADLINE)
    t.sockets.append(other)
    return client, other


def simple(t, **options):
    """A daemon with one rule; gives it, its listener's address and the upstream's socket."""
    upstream = t.listener()
    port = t.port()
    rule = {"listen": "127.0.0.1:%d" % port,
            "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}
    rule.update(options.pop("rule", {}))
    return t.start({"rule": rule}, **options), ("127.0.0.1", port), upstream


def random_file(count):
    """Random bytes, and their hash."""
    data = os.urandom(count)
    return data, hashlib.sha256(data).hexdigest()


class Hashed(Receiver):
    """A receiver of any bytes, which only hashes."""

    def run(self):
        try:
            while True:
                data = self.socket.recv(1 << 18)
                if not data:
                    self.ended = True
                    return
                self.digest.update(data)
                self.at += len(data)
        except OSError as e:
            self.error = e


class Pusher(Sender):
    """A sender of bytes that are given."""

    def __init__(self, sock, data):
        super().__init__(sock, 0, len(data))
        self.data = memoryview(data)

    def run(self):
        try:
            while self.at < self.end:
                self.at += self.socket.send(self.data[self.at:self.at + (1 << 18)])
        except OSError as e:
            self.error = e


def both_ways(t, first):
    """64 MiB each way; `first` ends its direction while the other has half of its own to send."""
    size = 64 * MIB
    d, listen, upstream = simple(t)
    ends = dict(zip(("client", "upstream"), pair(t, d, listen, upstream)))
    second = "upstream" if first == "client" else "client"
    files = {name: random_file(size) for name in ends}
    half = size // 2
    readers = {name: Hashed(ends[name], 0, digest=hashlib.sha256()) for name in ends}
    early = Pusher(ends[first], files[first][0])
    late = Pusher(ends[second], files[second][0][:half])
    for thread in (*readers.values(), early, late):
        thread.start()
    early.wait()
    ends[first].shutdown(socket.SHUT_WR)
    readers[second].wait()
    late.wait()
    check(not readers[first].ended, "%s got FIN that nobody sent" % first)
    rest = Pusher(ends[second], files[second][0][half:])
    rest.start()
    rest.wait()
    ends[second].shutdown(socket.SHUT_WR)
    readers[first].wait()
    for sender, reader in ((first, second), (second, first)):
        check_equal(readers[reader].at, size, "bytes that %s read" % reader)
        check_equal(readers[reader].digest.hexdigest(), files[sender][1],
                    "hash of what %s sent" % sender)
    line = d.wait_sessions(1)[0]
    check_equal((line["end"], line["in"], line["out"]), ("done", str(size), str(size)), line[""])


@test("64 MiB both ways at once, the client ends first")
def client_first(t):
    both_ways(t, "client")


@test("64 MiB both ways at once, the upstream ends first")
def upstream_first(t):
    both_ways(t, "upstream")


def push_until_stuck(sock, total):
    """Send without waiting until the kernel takes no more for half a second; gives the count."""
    sock.setblocking(False)
    at, last = 0, time.monotonic()
    while at < total and time.monotonic() - last < 0.5:
        try:
            at += sock.send(part(1, at, min(1 << 18, total - at)))
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.005)
    sock.settimeout(harness.DEADLINE)
    return at


def stopped_reader(t, reader):
    total = 200 * MIB
    d, listen, upstream = simple(t)
    client, other = pair(t, d, listen, upstream)
    source, sink = (other, client) if reader == "client" else (client, other)
    before = d.rss()
    taken = push_until_stuck(source, total)
    check(taken < total / 4, "%d bytes were taken from the sender: no backpressure" % taken)
    grown = d.rss() - before
    if not t.features["sanitized"]:
        check(grown < 4 * MIB, "resident memory grew by %d bytes" % grown)
    rest = Sender(source, 1, total - taken, start=taken)
    got = Receiver(sink, 1, total)
    rest.start()
    got.start()
    rest.wait()
    check_equal(got.wait(), total, "bytes that the reader got")
    grown = d.rss() - before
    if not t.features["sanitized"]:
        check(grown < 4 * MIB, "resident memory grew by %d bytes after all" % grown)
    source.close()
    check_equal(sink.recv(1), b"", "the end of the stream")
    sink.close()
    line = d.wait_sessions(1)[0]
    counts = (line["in"], line["out"])
    check_equal(counts, ("0", str(total)) if reader == "client" else (str(total), "0"),
                "counts in the log")


@test("200 MB for a client that has stopped reading: memory is bounded")
def stopped_client(t):
    stopped_reader(t, "client")


@test("200 MB for an upstream that has stopped reading: memory is bounded")
def stopped_upstream(t):
    stopped_reader(t, "upstream")


@test("40 stopped readers: each costs a bounded buffer")
def many_stopped(t):
    d, listen, upstream = simple(t)
    before = d.rss()
    pairs = [pair(t, d, listen, upstream) for _ in range(40)]
    for client, other in pairs:
        # What the kernel keeps for 40 clients, and several tests at once, must not use up its share.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        other.setblocking(False)
    idle = 0
    sent = [0] * len(pairs)
    while idle < 0.5:
        moved = False
        for i, (_, other) in enumerate(pairs):
            try:
                sent[i] += other.send(part(i, sent[i], 1 << 18))
                moved = True
            except BlockingIOError:
                pass
        idle = 0 if moved else idle + 0.01
        time.sleep(0 if moved else 0.01)
    grown = d.rss() - before
    if not t.features["sanitized"]:
        check(grown < 40 * 300 * 1024 + 2 * MIB, "resident memory grew by %d bytes" % grown)
    for i, (client, other) in enumerate(pairs):
        got = Receiver(client, i, sent[i])
        got.start()
        check_equal(got.wait(), sent[i], "bytes of session %d" % i)
        client.close()
        other.close()
    d.wait_sessions(len(pairs))


@test("a busy session does not starve a chatty one")
def fairness(t):
    d, listen, upstream = simple(t)
    client, other = pair(t, d, listen, upstream)
    chat, partner = pair(t, d, listen, upstream)
    busy = Sender(client, 3, 400 * MIB)
    sink = Receiver(other, 3, 400 * MIB)
    busy.start()
    sink.start()
    rounds = 0
    while sink.at < 400 * MIB and not sink.error:
        chat.sendall(struct.pack("I", rounds))
        check_equal(harness.receive_exactly(partner, 4), struct.pack("I", rounds), "the ping")
        rounds += 1
    busy.wait()
    sink.wait()
    check(rounds > 10, "only %d rounds of chat beside 400 MiB" % rounds)
    for s in (client, other, chat, partner):
        s.close()
    wait_for(lambda: len(d.sessions()) == 2, "both sessions to end")
