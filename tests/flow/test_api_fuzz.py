# SPDX-License-Identifier: BSD-2-Clause
"""Requests as nobody should send them, to both sockets, while sessions are relayed."""

import select
import socket

import harness
from api import Api, control
from harness import ENGINE, ONCE, check, check_equal, reset, test
from under_load import UnderLoad

REQUESTS = 60 if harness.SLOW else 400
OPEN_MOST = 40  # connections at a time

# None of them may change anything for the sessions of the load, however it is mangled.
TARGETS = ("/healthz", "/v1/status", "/v1/rules", "/v1/rules/spare", "/v1/sessions?limit=3&sort=idle",
           "/v1/sessions?client=::1/128&state=open", "/v1/sessions/1", "/v1/events", "/metrics",
           "/v1/config", "/v1/config/diff", "/", "*", "http://x/v1/status", "//", "/%2e%2e/%00",
           "/v1/rules/%73pare", "/v1/rules/" + "%41" * 300, "/" + "x" * 9000, "/" + "y" * 70000)
CHANGES = (("POST", "/v1/reload"), ("POST", "/v1/rules/spare/pause"),
           ("POST", "/v1/rules/spare/resume"), ("DELETE", "/v1/sessions?rule=spare"))
METHODS = ("GET", "GET", "GET", "HEAD", "PUT", "OPTIONS", "TRACE", "CONNECT", "get", "G\0T", "",
           "M" * 5000)
VERSIONS = ("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.1.1",
            "HTTP/99999999999.1", "FTP/1.1", "")
HEADERS = ("Content-Length: 0", "Content-Length: 5", "Content-Length: -5",
           "Content-Length: 18446744073709551616", "Content-Length: 5, 6", "Content-Length: 2000000",
           "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Expect: 100-continue",
           "Connection: close", "Connection: Upgrade\r\nUpgrade: h2c", "Host: a\r\nHost: b",
           "Host: example.com", "A:" + "b" * 20000, "A: b\r\n c\r\n\td", ": x", "no colon",
           "Accept: " + "a/b;q=0." * 200, "X\0Y: Z\0", "\r\n" * 5)
BODIES = (b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhel", b"ffffffffffffffffff\r\nx",
          b"-1\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"5;x=y\r\nhello\r\n0\r\n", bytes(3000))


def request(rng, is_local):
    if is_local and rng.random() < 0.2:
        method, target = rng.choice(CHANGES)
    else:
        method, target = rng.choice(METHODS), rng.choice(TARGETS)
    lines = ["%s %s %s" % (method, target, rng.choice(VERSIONS))]
    if rng.random() < 0.8:
        lines.append("Host: localhost")
    lines += [rng.choice(HEADERS) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    if rng.random() < 0.03:
        lines += ["H%d: %d" % (i, i) for i in range(3000)]
    text = "\r\n".join(lines + ["", ""]).encode()
    if rng.random() < 0.1:
        text = text.replace(b"\r\n", b"\n")
    return text + rng.choice(BODIES)


def mangle(rng, text):
    """Some bytes changed, put in or taken out, never in what tells the method and the target."""
    head = text.find(b" HTTP")
    out = bytearray(text)
    for _ in range(rng.choice((0, 0, 1, 2, 8))):
        at = rng.randrange(head if head >= 0 else len(out), len(out) + 1)
        how = rng.randrange(3)
        if how == 0:
            out[at:at + 1] = bytes([rng.randrange(256)])
        elif how == 1:
            out[at:at] = rng.choice((b"\0", b"\r\n", b"\n", b"%", b"\xff", b" ", b"\r\n\r\n"))
        else:
            del out[at:at + rng.randrange(20)]
    return bytes(out)


class Asker:
    """One connection, on which something is sent somehow."""

    def __init__(self, where, parts):
        self.socket = Api(where).open()
        self.socket.setblocking(False)
        self.parts = parts
        self.got = b""
        self.ended = False

    def turn(self):
        """Send a part, take what has come."""
        try:
            if self.parts:
                sent = self.socket.send(self.parts[0])
                self.parts[0] = self.parts[0][sent:]
                if not self.parts[0]:
                    self.parts.pop(0)
        except BlockingIOError:
            pass
        except OSError:
            self.parts = []
        try:
            data = self.socket.recv(1 << 16)
            self.ended = not data
            self.got = (self.got + data)[:64]
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True

    def leave(self, rng):
        """In one of the ways; what has been answered must be HTTP."""
        if self.got:
            check(self.got[:7] == b"HTTP/1.", "an answer that begins with %r" % self.got)
        if rng.random() < 0.3:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        if rng.random() < 0.3 and self.socket.family == socket.AF_INET:
            reset(self.socket)
        else:
            self.socket.close()


def parts_of(rng, is_local):
    text = b"".join(mangle(rng, request(rng, is_local)) for _ in range(rng.choice((1, 1, 1, 2, 5))))
    if rng.random() < 0.1:
        return [text[i:i + 1] for i in range(min(len(text), 50))] + [text[50:]]
    if rng.random() < 0.5:
        cuts = sorted(rng.randrange(len(text) + 1) for _ in range(4))
        cuts = [0] + cuts + [len(text)]
        return [text[a:b] for a, b in zip(cuts, cuts[1:]) if a < b]
    return [text]


def let_loose(rng, wheres):
    """All the requests; the number of those that were answered."""
    askers, answered = [], 0
    for i in range(REQUESTS):
        which = rng.randrange(2)
        askers.append(Asker(wheres[which], parts_of(rng, which == 0)))
        for a in askers:
            a.turn()
        while len(askers) >= (1 if i == REQUESTS - 1 else OPEN_MOST) or \
                (askers and rng.random() < 0.5):
            a = askers.pop(rng.randrange(len(askers)))
            select.select([a.socket], [], [], 0.01)
            a.turn()
            answered += bool(a.got)
            a.leave(rng)
    return answered


@test("api: mangled requests on both sockets do no harm", ENGINE, ("control",))
def mangled(t):
    ours, path = control(t)
    port = t.port()
    u = UnderLoad(t, {"spare": {"listen": "unix:" + t.path("spare.sock"),
                                "upstream": "127.0.0.1:9"}},
                  daemon=dict(ours, http="127.0.0.1:%d" % port))
    wheres = (path, ("127.0.0.1", port))
    answered = let_loose(u.rng, wheres)
    t.note("%d requests, %d answered" % (REQUESTS, answered))
    check(answered > REQUESTS // 10, "only %d of %d are answered" % (answered, REQUESTS))
    for where in wheres:
        check_equal(Api(where).get("/healthz"), {"status": "ok"}, "health at %s" % (where,))
    u.load.check()
    u.finish()
    u.d.settle()
    check_equal([l[""] for l in u.d.lines() if l.get("level") == "error"], [], "errors in the log")


def status_of(where, request):
    """What the first line of the answer says; the answer may come before all has been sent."""
    with Api(where).open() as s:
        try:
            s.sendall(request)
        except OSError:
            pass
        got = b""
        while len(got) < 12:
            data = s.recv(12 - len(got))
            if not data:
                break
            got += data
    return got.decode("latin-1")


@test("api: a long line is answered, whatever it asks for", ONCE, ("control",))
def long_lines(t):
    ours, path = control(t)
    port = t.port()
    t.start({"web": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
            daemon=dict(ours, http="127.0.0.1:%d" % port))
    for where in path, ("127.0.0.1", port):
        for keys in 1, 30, 62:
            query = "&".join("k%d" % i for i in range(keys)) + "="
            for size in list(range(1000, 34000, 1000)) + [16384, 16385]:
                target = ("/v1/status?" + query).ljust(size, "x")
                request = "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target
                check_equal(status_of(where, request.encode()),
                            "HTTP/1.1 %d" % (400 if size <= 16384 else 414),
                            "the answer to %d keys in %d bytes at %s" % (keys, size, where))
