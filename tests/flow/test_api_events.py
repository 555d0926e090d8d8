# SPDX-License-Identifier: BSD-2-Clause
"""/v1/events: what happens is told as it happens, and nobody is waited for."""

import json
import os
import socket
import threading
import time

import harness
import udp
from api import Api, control
from harness import ENGINE, check, check_equal, test
from pairs import Upstream, is_turned_away, open_pair


class Reader:
    """One who reads events."""

    def __init__(self, t, path):
        self.connection = Api(path).begin("GET", "/v1/events")
        self.answer = self.connection.getresponse()
        check_equal((self.answer.status, self.answer.headers["Content-Type"]),
                    (200, "application/jsonl"), "the answer")
        t.sockets.append(self)
        self.next("hello")

    def line(self):
        """The next line; None: the stream has ended."""
        line = self.answer.readline()
        if not line:
            return None
        check(line.endswith(b"\n"), "a line without an end: %r" % line)
        event = json.loads(line)
        check(abs(event["at_ms"] / 1000 - time.time()) < 3600, "the time of day: %r" % event)
        return event

    def next(self, word, **fields):
        """The next event, which must be this one."""
        event = self.line()
        check(event is not None, "the stream has ended, expected was %r" % word)
        check_equal(event["event"], word, "the event %r" % event)
        for key, value in fields.items():
            check_equal(event.get(key, "missing"), value, "%s of the event %r" % (key, event))
        return event

    def close(self):
        self.answer.close()
        self.connection.close()


@test("events: of TCP sessions", ENGINE)
def tcp(t):
    daemon, path = control(t)
    up, port = Upstream(t), t.port()
    d = t.start({"web": {"listen": "127.0.0.1:%d" % port, "upstream": up.address,
                         "max_connections": 1}}, daemon=daemon)
    reader, other = Reader(t, path), Reader(t, path)
    pair = open_pair(t, port, up)
    client = "127.0.0.1:%d" % pair.port
    is_turned_away(t, port)
    pair.end()
    line = pair.line(d)
    for r in (reader, other):
        begun = r.next("opened", rule="web", protocol="tcp", client=client, state="dialling",
                       upstream=None, bytes_in=0, bytes_out=0)
        r.next("refused", rule="web", end="limit", error=None)
        ended = r.next("ended", rule="web", protocol="tcp", client=client, id=begun["id"],
                       upstream=up.address, end="done", error=None, bytes_in=11, bytes_out=11)
        check_equal(str(ended["id"]), line["id"], "the session's id")
        check(abs(begun["started_at_ms"] - ended["started_at_ms"]) < 3600 * 1000,
              "since when it is: %r, %r" % (begun, ended))
        r.close()


@test("events: of sessions that fail", ENGINE)
def failed(t):
    daemon, path = control(t)
    port, nobody = t.port(), t.port()
    t.start({"dead": {"listen": "127.0.0.1:%d" % port, "upstream": "127.0.0.1:%d" % nobody}},
            daemon=daemon)
    reader = Reader(t, path)
    try:
        t.connect(("127.0.0.1", port))
    except ConnectionResetError:
        pass  # the reset has come before connect(2) was back
    begun = reader.next("opened", rule="dead")
    reader.next("ended", rule="dead", id=begun["id"], end="connect-refused", connect_ms=None)
    reader.close()


@test("events: of datagrams", ENGINE)
def datagrams(t):
    daemon, path = control(t)
    up, port = udp.Upstream(t), t.port()
    d = t.start({"dns": {"listen": "udp:127.0.0.1:%d" % port, "upstream": up.address,
                         "max_connections": 1, "udp_timeout": "200ms"}}, daemon=daemon)
    reader = Reader(t, path)
    client, other = udp.Pair(t, port, up), udp.Pair(t, port, up)

    def burst():
        client.client.send(b"one")
        other.client.send(b"too many")
    udp.while_stopped(d)(burst)
    check_equal(up.receive()[0], b"one", "what the upstream got")
    begun = reader.next("opened", rule="dns", protocol="udp", client=client.name)
    reader.next("refused", rule="dns", client=other.name, end="limit", error=None)
    reader.next("ended", id=begun["id"], end="idle-timeout", datagrams_in=1, datagrams_out=0,
                upstream=up.address)
    reader.close()
    udp.over(d)


@test("events: of reloads and of rules that are paused", ENGINE)
def steering(t):
    daemon, path = control(t)
    web = {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}
    more = {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}
    d = t.start({"web": web}, daemon=daemon)
    reader = Reader(t, path)
    d.reload({"web": web, "more": more})
    reader.next("reloaded", outcome="ok", generation=2, added=1, removed=0, changed=0, failed=0,
                error=None)
    d.reload_fails("rules = { broken")
    event = reader.next("reloaded", outcome="failed", generation=2)
    check(event["error"], "why it failed: %r" % event)
    for target, word in (("pause", "paused"), ("resume", "resumed"), ("drain", "draining")):
        Api(path).post("/v1/rules/web/" + target)
        reader.next(word, rule="web")
    reader.close()


@test("events: readers that go away, and the daemon's end", ENGINE)
def gone(t):
    daemon, path = control(t)
    up, port = Upstream(t), t.port()
    d = t.start({"web": {"listen": "127.0.0.1:%d" % port, "upstream": up.address}}, daemon=daemon)
    for _ in range(20):
        Reader(t, path).close()
    reader = Reader(t, path)
    away = Reader(t, path)
    away.close()
    open_pair(t, port, up).end()
    begun = reader.next("opened", rule="web")
    reader.next("ended", id=begun["id"])
    reader.close()
    d.settle()


# --- readers that do not read ----------------------------------------------------------------

CONNECTIONS = 5000
READERS = 500
STEP = 50  # sessions, of which the ring has room for the events
RING = 256 << 10
CLIENT_MEMORY = 32 << 10


def answer_all(listener):
    """An upstream in a thread: each connection gets what it has sent."""
    def serve():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            with s:
                while True:
                    data = s.recv(65536)
                    if not data:
                        break
                    s.sendall(data)
    listener.settimeout(None)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()


def exchange(port, number):
    text = os.urandom(8) + b"%d" % number
    with socket.create_connection(("127.0.0.1", port), harness.DEADLINE) as s:
        s.sendall(text)
        s.shutdown(socket.SHUT_WR)
        check_equal(harness.receive_exactly(s, len(text)), text, "what came back")
        check_equal(s.recv(1), b"", "the end of the stream")
    return len(text)


def stuck_reader(path):
    """One who asks and never reads; its buffer holds hardly anything."""
    s = Api(path).open()
    s.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
              b"Connection: close\r\n\r\n")
    return s


def exchange_and_read(port, count, reader):
    """So many sessions, of which a reader hears all; the bytes that were sent."""
    sent, begun, ended = 0, set(), set()
    for i in range(count):
        sent += exchange(port, i)
        while i % STEP == STEP - 1 and len(ended) <= i:
            event = reader.line()
            check(event["event"] in ("opened", "ended"), "the event %r" % event)
            (begun if event["event"] == "opened" else ended).add(event["id"])
    check_equal((len(begun), ended), (count, begun), "sessions that one hears of who reads")
    return sent


def drain(s):
    """What a reader that was stuck gets in the end."""
    data = b""
    while True:
        part = s.recv(1 << 16)
        if not part:
            return data
        data += part


@test("events: 500 readers that stop reading cost bounded memory", ENGINE)
def stuck(t):
    daemon, path = control(t)
    up, port = Upstream(t), t.port()
    answer_all(up.socket)
    udp.raise_own_limit(4 * READERS)
    d = t.start({"web": {"listen": "127.0.0.1:%d" % port, "upstream": up.address}}, daemon=daemon)
    exchange(port, 0)
    d.wait_sessions(1, end="done")
    readers = [stuck_reader(path) for _ in range(READERS)]
    t.sockets.extend(readers)
    for s in readers:
        check(s.recv(1), "the first byte of the answer")
    watching = d.rss()
    one = Reader(t, path)
    sent = exchange_and_read(port, CONNECTIONS, one)
    grown = d.rss() - watching
    one.close()
    t.note("RSS: %d KiB with %d readers, grown by %d KiB" % (watching // 1024, READERS,
                                                             grown // 1024))
    # The ring, and for each reader what is kept for a client.
    if not t.features["sanitized"]:
        check(grown < RING + READERS * CLIENT_MEMORY, "memory has grown by %d bytes" % grown)
    ended = d.wait_sessions(CONNECTIONS + 1, end="done")[1:]
    for key in ("in", "out"):
        check_equal(sum(int(l[key]) for l in ended), sent, "bytes %s" % key)
    check(b'"event":"dropped"' in drain(readers[0]), "the last line of a reader that was too slow")
    for s in readers:
        s.close()
    reader = Reader(t, path)
    exchange(port, 0)
    reader.next("ended", id=reader.next("opened", rule="web")["id"])
    reader.close()
    up.socket.close()
    d.settle()
