# SPDX-License-Identifier: BSD-2-Clause
"""Sessions over the control socket: listed, filtered, in pages, killed."""

import http.client
import io
import json
import socket

import harness
import udp
from api import start, wall_ms
from harness import ENGINE, Failure, check, check_equal, receive_exactly, reset, test, wait_for
from pairs import Upstream, local, open_pair
from stream import Receiver, Sender

NETWORK = "allowed: an IP address, or a network like \"192.0.2.0/24\" or \"2001:db8::/32\""
DURATION = "allowed: a whole number and ms, s, min, h or d (\"250ms\", \"10min\")"
KEYS = "allowed: rule, client, state, older, sort, after, limit"


def only(rows, **match):
    """The one row with these values."""
    found = [r for r in rows if all(r[k] == v for k, v in match.items())]
    check_equal(len(found), 1, "rows with %r among %r" % (match, rows))
    return found[0]


def sessions(api, query=""):
    page = api.get("/v1/sessions" + query)
    check_equal(sorted(page), ["next", "sessions"], "a page's members")
    return page["sessions"]


def ids(rows):
    return [r["id"] for r in rows]


def full(t):
    """A listener that answers nobody: its backlog is full."""
    s = t.listener(backlog=0)
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(s.getsockname())
        t.sockets.append(filler)
    return s


# --- shown -----------------------------------------------------------------------------------

@test("api: what is told of a session", modes=ENGINE)
def told(t):
    up, up6 = Upstream(t), Upstream(t, socket.AF_INET6 if t.isolated else socket.AF_INET)
    port, path = t.port(), t.path("in.sock")
    d, api = start(t, {"tcp": {"listen": [local(port), "unix:" + path],
                               "upstream": up.address},
                       "six": {"listen": local(port + 1), "upstream": up6.address}})
    a = open_pair(t, port, up)
    b = open_pair(t, path, up)
    c = open_pair(t, port + 1, up6)
    a.client.sendall(b"x" * 1000)
    receive_exactly(a.upstream, 1000)
    rows = sessions(api)
    check_equal(ids(rows), [1, 2, 3], "ids")
    for row in rows:
        check(row["connect_ms"] >= 0 and row["age_ms"] >= row["idle_ms"] >= 0, "times: %r" % row)
        check(abs(row["started_at_ms"] + row["age_ms"] - wall_ms()) < 60000, "since when")
        check_equal(row, {k: row[k] for k in row if k in (
            "id", "rule", "protocol", "state", "client", "listener", "upstream", "started_at_ms",
            "age_ms", "idle_ms", "connect_ms", "bytes_in", "bytes_out")}, "members")
    talked = len(b"exchange 1;")
    only(rows, rule="tcp", protocol="tcp", state="open", client="127.0.0.1:%d" % a.port,
         upstream=up.address, bytes_in=talked + 1000, bytes_out=talked)
    only(rows, rule="tcp", protocol="unix", state="open", upstream=up.address, bytes_in=talked)
    check(rows[1]["client"].startswith("unix:pid="), rows[1]["client"])
    check_equal([r["listener"] for r in rows], [local(port), "unix:" + path, local(port + 1)],
                "by which address they came")
    only(rows, rule="six", protocol="tcp", client="127.0.0.1:%d" % c.port, upstream=up6.address)
    one = api.get("/v1/sessions/1")
    check_equal({k: one[k] for k in one if not k.endswith("_ms")},
                {k: rows[0][k] for k in one if not k.endswith("_ms")}, "one alone")
    client = rows[1]["client"]
    for pair in (a, b, c):
        pair.end()
    d.settle()
    check_equal(client, d.sessions(id=2)[-1]["client"], "the client in the log")
    check_equal(sessions(api), [], "sessions when all have ended")
    api.refused_with(404, "not-found", "GET", "/v1/sessions/1", "there is no session 1")


@test("api: the states of a session", modes=ENGINE)
def states(t):
    up, nobody, ports = Upstream(t), full(t), t.ports(2)
    d, api = start(t, {
        "r": {"listen": local(ports), "upstream": up.address},
        "d": {"listen": local(ports + 1), "upstream": "127.0.0.1:%d" % nobody.getsockname()[1]}})
    dialling = t.connect(("127.0.0.1", ports + 1))
    half, opened, flushed = [open_pair(t, ports, up) for _ in range(3)]
    half.client.shutdown(socket.SHUT_WR)
    check_equal(half.upstream.recv(1), b"", "the end of the stream")
    flushed.upstream.setblocking(False)
    try:  # until nothing goes any more: its client does not read
        while flushed.upstream.send(bytes(1 << 20)):
            pass
    except BlockingIOError:
        pass
    reset(flushed.upstream)
    wait_for(lambda: sessions(api, "?state=flushing"), "a session that is flushed")
    rows = sessions(api)
    waits = only(rows, state="dialling")
    check_equal((waits["upstream"], waits["connect_ms"], waits["rule"]), (None, None, "d"),
                "what a session has that dials")
    check_equal(only(rows, state="half-closed")["client"], "127.0.0.1:%d" % half.port, "half-closed")
    check_equal(only(rows, state="open")["client"], "127.0.0.1:%d" % opened.port, "open")
    for state in ("dialling", "half-closed", "open"):
        check_equal(ids(sessions(api, "?state=" + state)), [only(rows, state=state)["id"]], state)
    check(api.delete("/v1/sessions?all=true")["killed"] >= 3, "killed in any state")
    all_reset([dialling, opened.client, opened.upstream])
    d.settle()


@udp.udp_test("api: what is told of a session of datagrams")
def datagrams(t):
    up, port = udp.Upstream(t), t.port()
    d, api = start(t, {"dns": {"listen": udp.udp(port), "upstream": up.address}})
    pair = udp.open_pair(t, port, up).ask()
    row = only(sessions(api), rule="dns")
    check_equal((row["protocol"], row["state"], row["client"], row["upstream"]),
                ("udp", "open", pair.name, up.address), "the session")
    check_equal((row["datagrams_in"], row["datagrams_out"], row["dropped"]), (2, 1, 0), "datagrams")
    check_equal(ids(sessions(api, "?client=127.0.0.1&state=open")), [row["id"]], "filtered")
    check_equal(api.delete("/v1/sessions/%d" % row["id"]), {"killed": 1}, "killed")
    pair.ended(d, end="killed")
    pair.anew()
    check_equal(ids(sessions(api)), [row["id"] + 1], "the next one")


# --- filters ---------------------------------------------------------------------------------

@test("api: sessions by filters", modes=ENGINE)
def filters(t):
    up, ports = Upstream(t), t.ports(2)
    d, api = start(t, {"a": {"listen": local(ports), "upstream": up.address},
                       "b": {"listen": local(ports + 1), "upstream": up.address}})
    pairs = {}
    for host in ("127.0.0.1", "127.0.0.2", "127.1.0.1"):
        for rule, port in (("a", ports), ("b", ports + 1)):
            client = socket.create_connection(("127.0.0.1", port), source_address=(host, 0))
            t.sockets.append(client)
            up.accept()
            pairs[rule, host] = wait_for(lambda: [r for r in sessions(api) if r["client"] ==
                                                  "%s:%d" % client.getsockname()],
                                         "the session")[0]["id"]
    rows = sorted(pairs.values())

    def means(query, *expected):
        check_equal(ids(sessions(api, query)), sorted(pairs[e] for e in expected), query)
    a, b = [[(rule, h) for _, h in pairs if _ == rule] for rule in "ab"]
    means("?rule=a", *a)
    means("?rule=b", *b)
    means("?client=127.0.0.2", ("a", "127.0.0.2"), ("b", "127.0.0.2"))
    means("?client=127.0.0.0/24&rule=a", ("a", "127.0.0.1"), ("a", "127.0.0.2"))
    means("?client=127.0.0.0%2F8&older=0", *pairs)
    means("?client=::/0")
    means("?client=::ffff:127.1.0.0/112", ("a", "127.1.0.1"), ("b", "127.1.0.1"))
    means("?older=1h")
    means("?older=1d&rule=a")
    means("?state=open&rule=a&client=127.1.0.1&older=off", ("a", "127.1.0.1"))
    means("?state=dialling")
    wait_for(lambda: len(sessions(api, "?older=1ms")) == 6, "all to be older than 1 ms")
    check_equal(ids(sessions(api, "?sort=id")), rows, "by id")
    check_equal(ids(sessions(api, "?after=%d&limit=2" % rows[1])), rows[2:4], "a page")
    for key in ("age", "idle", "bytes"):
        check_equal(sorted(ids(sessions(api, "?sort=" + key))), rows, "by " + key)


@test("api: sessions in another order", modes=ENGINE)
def order(t):
    up, port = Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": local(port), "upstream": up.address}})
    pairs = [open_pair(t, port, up) for _ in range(6)]
    for i, count in enumerate((500, 100, 600, 300, 200, 400)):
        pairs[i].client.sendall(bytes(count))
        receive_exactly(pairs[i].upstream, count)
    check_equal(ids(sessions(api, "?sort=bytes")), [3, 1, 6, 4, 5, 2], "by bytes")
    check_equal(ids(sessions(api, "?sort=bytes&limit=2")), [3, 1], "the first two")
    ages = [r["started_at_ms"] for r in sessions(api, "?sort=age")]
    check_equal(len(ages), 6, "by age")
    wait_for(lambda: all(r["idle_ms"] > 5 for r in sessions(api)), "some idle time")
    pairs[0].talk()
    rows = sessions(api, "?sort=idle")
    check_equal((len(rows), rows[-1]["id"]), (6, 1), "who has just talked comes last")


@test("api: queries for sessions that are wrong", modes=ENGINE)
def wrong(t):
    port = t.port()
    d, api = start(t, {"r": {"listen": local(port), "upstream": "127.0.0.1:9"}})
    for query, message in {
            "limit=0": "limit: \"0\" is none, allowed: 1 to 100000",
            "limit=": "limit: \"\" is none, allowed: 1 to 100000",
            "limit=-1": "limit: \"-1\" is none, allowed: 1 to 100000",
            "limit=100001": "limit: \"100001\" is none, allowed: 1 to 100000",
            "limit=1001&sort=age":
                "limit: \"1001\" is none, allowed: 1 to 1000 (with sort=id: more)",
            "limit=18446744073709551617":
                "limit: \"18446744073709551617\" is none, allowed: 1 to 100000",
            "after=x": "after: \"x\" is no id, allowed: a whole number",
            "after=1&sort=bytes": "after: pages go by id, allowed: sort=id",
            "sort=name": "sort: \"name\" is none, allowed: \"id\", \"age\", \"idle\", \"bytes\"",
            "state=done": "state: \"done\" is none, allowed: \"dialling\", \"open\", "
                          "\"half-closed\", \"flushing\"",
            "client=localhost": "client: \"localhost\" is no IP address, " + NETWORK,
            "client=127.0.0.1/8": "client: \"127.0.0.1/8\" has bits behind its prefix, "
                                  "allowed: \"127.0.0.0/8\"",
            "client=::1/129": "client: \"::1/129\" has no such prefix, allowed: /0 to /128",
            "older=5m": "older: \"5m\": unknown unit, " + DURATION,
            "rule=": "rule: it is empty, allowed: the name of a rule",
            "rules=r": "the query has an unknown \"rules\", " + KEYS}.items():
        api.refused_with(400, "bad-request", "GET", "/v1/sessions?" + query, message)
    api.refused_with(404, "not-found", "GET", "/v1/sessions?rule=x", "there is no rule \"x\"")
    for text in ("x", "-1", "+1", "1.0", "18446744073709551616", "1%20"):
        shown = text.replace("%20", " ")
        for method in ("GET", "DELETE"):
            api.refused_with(400, "bad-request", method, "/v1/sessions/" + text,
                             "\"%s\" is no id, allowed: a whole number" % shown)
    for method in ("GET", "DELETE"):
        api.refused_with(404, "not-found", method, "/v1/sessions/7", "there is no session 7")
    for query, message in {
            "": "which sessions? allowed: rule, client, state, older, or all=true",
            "?all=1": "all: \"1\" is none, allowed: \"true\"",
            "?all=true&rule=r": "all: it leaves none out, allowed: alone",
            "?older=1w": "older: \"1w\": unknown unit, " + DURATION,
            "?limit=1": "the query has an unknown \"limit\", "
                        "allowed: rule, client, state, older, all"}.items():
        api.refused_with(400, "bad-request", "DELETE", "/v1/sessions" + query, message)
    api.refused_with(404, "not-found", "DELETE", "/v1/sessions?rule=x", "there is no rule \"x\"")
    check_equal(api.delete("/v1/sessions?rule=r"), {"killed": 0}, "nobody there")


# --- many ------------------------------------------------------------------------------------

def all_pages(api, limit, between=lambda: None):
    """The ids on all pages."""
    seen, query = [], ""
    while True:
        page = api.get("/v1/sessions?limit=%d%s" % (limit, query))
        check(len(page["sessions"]) <= limit, "more than the limit")
        seen += ids(page["sessions"])
        if page["next"] is None:
            return seen
        query = "&after=%d" % page["next"]
        between()


@test("api: pages while sessions come and go", modes=ENGINE)
def pages(t):
    rng = t.seed()
    up, port = Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": local(port), "upstream": up.address,
                             "max_connections": 2000}})
    stays, goes = [], []

    def come(where):
        where.append(open_pair(t, port, up))

    for _ in range(120):
        come(rng.choice((stays, goes)))
    old = {"127.0.0.1:%d" % p.port for p in stays}
    rows = sessions(api, "?limit=1000")
    known = {r["id"] for r in rows if r["client"] in old}
    check_equal(len(known), len(stays), "sessions that stay")

    def change():
        for _ in range(rng.randrange(6)):
            if goes and rng.random() < 0.6:
                pair = goes.pop(rng.randrange(len(goes)))
                if rng.random() < 0.5:
                    pair.end()
                else:
                    reset(pair.client)
                    pair.upstream.close()
            else:
                come(goes)

    for limit in (1, 7, 50):
        seen = all_pages(api, limit, change)
        check_equal(seen, sorted(set(seen)), "each id once, in order")
        check(known <= set(seen), "lost: %r" % (known - set(seen)))
    for pair in stays + goes:
        pair.close()
    d.settle()


def crowd(t, port, listener, count):
    """So many sessions, both their ends."""
    ends = []
    for _ in range(count):
        ends.append(t.connect(("127.0.0.1", port)))
        ends.append(listener.accept()[0])
        t.sockets.append(ends[-1])
    return ends


def all_reset(ends):
    for s in ends:
        s.settimeout(harness.DEADLINE)
        try:
            data = s.recv(1)
        except ConnectionResetError:
            continue
        raise Failure("expected a reset, read %r" % data)


COUNT = 2000
BULK = 128 << 20


@test("api: 2,000 sessions listed while a transfer runs, then killed", modes=ENGINE)
def many(t):
    udp.raise_own_limit(3 * COUNT)
    up, bulk, port = Upstream(t), Upstream(t), t.ports(2)
    d, api = start(t, {"r": {"listen": local(port), "upstream": up.address,
                             "max_connections": 3000},
                       "bulk": {"listen": local(port + 1), "upstream": bulk.address}},
                   files=4 * COUNT)
    client = t.connect(("127.0.0.1", port + 1))
    receiver = Receiver(bulk.accept(), 5, BULK)
    sender = Sender(client, 5, BULK)
    ends = crowd(t, port, up.socket, COUNT)
    receiver.start()
    sender.start()
    lists = 0
    while receiver.is_alive() or lists < 3:
        rows = sessions(api, "?limit=100000")
        check_equal(ids(rows), list(range(1, COUNT + 2)), "ids")
        check_equal(len(sessions(api, "?sort=idle&limit=1000")), 1000, "the 1,000 most idle")
        check_equal(ids(sessions(api, "?rule=bulk&limit=5000")), [1], "of the other rule")
        lists += 1
    sender.wait()
    receiver.wait()
    wait_for(lambda: api.get("/v1/sessions/1")["bytes_in"] == BULK, "the count of bytes")
    check_equal(all_pages(api, 333), list(range(1, COUNT + 2)), "in pages")
    check_equal(api.delete("/v1/sessions?rule=r"), {"killed": COUNT}, "killed")
    all_reset(ends)
    check_equal(ids(sessions(api)), [1], "who is left")
    check_equal(len(d.wait_sessions(COUNT, end="killed")), COUNT, "lines in the log")
    check_equal(api.get("/v1/rules/r")["ended"], {"killed": COUNT}, "counted")
    check_equal(api.delete("/v1/sessions?all=true"), {"killed": 1}, "all")
    d.settle()


@test("api: one who lists and does not read is left alone", modes=ENGINE)
def slow_reader(t):
    udp.raise_own_limit(3 * COUNT)
    up, port = Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": local(port), "upstream": up.address,
                             "max_connections": 3000}}, files=4 * COUNT)
    ends = crowd(t, port, up.socket, COUNT)
    waiting = []
    for _ in range(5):
        s = api.open()
        s.sendall(b"GET /v1/sessions?limit=100000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        waiting.append(s)
    for s in waiting:
        check_equal(receive_exactly(s, 15), b"HTTP/1.1 200 OK", "the beginning of an answer")
    check_equal(len(sessions(api, "?limit=100000")), COUNT, "for somebody else")
    check_equal(api.delete("/v1/sessions?all=true"), {"killed": COUNT}, "killed")
    all_reset(ends)
    for s in waiting[:2]:  # they read on: what they get is whole, with those that were told of
        response = http.client.HTTPResponse(Rest(s, b"HTTP/1.1 200 OK"))
        response.begin()
        rows = json.loads(response.read())["sessions"]
        check(0 < len(rows) < COUNT, "%d rows" % len(rows))
        check_equal(ids(rows), sorted(ids(rows)), "in order")
    for s in waiting:
        s.close()
    d.settle()


class Rest:
    """A socket of which the first bytes have been read, for HTTPResponse."""

    def __init__(self, sock, first):
        self.file = sock.makefile("rb")
        self.first = first

    def makefile(self, mode):
        return io.BytesIO(self.first + self.file.read())


# --- killed ----------------------------------------------------------------------------------

@test("api: sessions killed", modes=ENGINE)
def killed(t):
    up, ports = Upstream(t), t.ports(2)
    d, api = start(t, {"a": {"listen": local(ports), "upstream": up.address},
                       "b": {"listen": local(ports + 1), "upstream": up.address}})
    a = [open_pair(t, ports, up) for _ in range(3)]
    b = [open_pair(t, ports + 1, up) for _ in range(3)]
    check_equal(api.delete("/v1/sessions/2"), {"killed": 1}, "one")
    a[1].is_reset()
    a[1].line(d, end="killed")
    api.refused_with(404, "not-found", "DELETE", "/v1/sessions/2", "there is no session 2")
    for pair in (a[0], a[2], b[0], b[1], b[2]):
        pair.talk()
    check_equal(api.delete("/v1/sessions?client=127.0.0.2"), {"killed": 0}, "another client's")
    check_equal(api.delete("/v1/sessions?rule=a&older=1d"), {"killed": 0}, "older ones")
    check_equal(api.delete("/v1/sessions?rule=a&client=127.0.0.0/8&state=open"), {"killed": 2},
                "a rule's")
    a[0].is_reset()
    a[2].is_reset()
    for pair in b:
        pair.talk()
    b[0].client.shutdown(socket.SHUT_WR)
    check_equal(b[0].upstream.recv(1), b"", "the end of the stream")
    wait_for(lambda: sessions(api, "?state=half-closed"), "one half-closed")
    check_equal(api.delete("/v1/sessions?state=half-closed"), {"killed": 1}, "by state")
    try:
        check_equal(b[0].client.recv(1), None, "what a client gets whose stream was cut")
    except ConnectionResetError:
        pass
    check_equal(api.delete("/v1/sessions?client=127.0.0.1"), {"killed": 2}, "a client's")
    b[1].is_reset()
    b[2].is_reset()
    check_equal((api.get("/v1/rules/a")["ended"], api.get("/v1/rules/b")["ended"]),
                ({"killed": 3}, {"killed": 3}), "counted")
    open_pair(t, ports, up).end()
    d.settle()


@test("api: who asks for a kill and hangs up", modes=ENGINE)
def hangs_up(t):
    udp.raise_own_limit(3 * COUNT)
    up, port = Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": local(port), "upstream": up.address,
                             "max_connections": 3000}}, files=4 * COUNT)
    ends = crowd(t, port, up.socket, COUNT)
    s = api.open()
    s.sendall(b"DELETE /v1/sessions?all=true HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: d.sessions(end="killed"), "the first to be killed")
    s.close()
    more = wait_for(lambda: api.delete("/v1/sessions?all=true"), "an answer")["killed"]
    all_reset(ends)
    lines = d.wait_sessions(COUNT, end="killed")
    check_equal(len(lines), COUNT, "lines in the log")
    check(more < COUNT, "somebody was killed before")
    check_equal(api.get("/v1/rules/r")["ended"], {"killed": COUNT}, "counted")
    d.settle()
