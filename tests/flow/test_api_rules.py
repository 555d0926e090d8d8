# SPDX-License-Identifier: BSD-2-Clause
"""Rules over the control socket: shown, paused, drained, resumed; over reloads and upgrades."""

import udp
from api import start
from harness import ENGINE, check, check_equal, test, wait_for
from pairs import Upstream, is_turned_away, local, open_pair


def rules(api):
    said = api.get("/v1/rules")
    check_equal(sorted(said), ["rules"], "members of the list")
    return said["rules"]


def names(api):
    return [r["name"] for r in rules(api)]


def waiting(t, port, count=1):
    """Clients that are connected, as the kernel sees it."""
    return [t.connect(("127.0.0.1", port), own_port=True) for _ in range(count)]


def served(clients, upstream):
    """All of them come through to the upstream, and talk."""
    for _ in clients:
        s = upstream.accept()
        s.sendall(b"hello")
        s.close()
    for s in clients:
        check_equal(s.recv(10), b"hello", "what a client gets")
        s.close()


def states_are(api, rule, state, *listeners):
    said = api.get("/v1/rules/" + rule)
    check_equal((said["state"], tuple(l["state"] for l in said["listeners"])), (state, listeners),
                "states of the rule and its listeners")
    check_equal([r for r in rules(api) if r["name"] == rule], [said], "the rule in the list")


# --- shown -----------------------------------------------------------------------------------

@test("api: what is told of a rule", modes=ENGINE)
def told(t):
    up, ports, path = Upstream(t), t.ports(2), t.path("in.sock")
    d, api = start(t, {
        "web": {"listen": ({"address": local(ports), "max_connections": 2}, "unix:" + path),
                "upstream": up.address, "max_connections": 5},
        "dns": {"listen": udp.udp(ports), "upstream": "backend.example:53"}})
    fresh = {"opened": 0, "bytes_in": 0, "bytes_out": 0, "datagrams_in": 0, "datagrams_out": 0,
             "dropped": 0, "ended": {}, "refused": {}, "sessions": 0}
    web = dict(fresh, name="web", state="running", upstream=up.address, limit=5, listeners=[
        {"address": local(ports), "state": "listening", "sessions": 0, "limit": 2},
        {"address": "unix:" + path, "state": "listening", "sessions": 0, "limit": None}])
    dns = dict(fresh, name="dns", state="running", upstream="backend.example:53", limit=256,
               listeners=[{"address": udp.udp(ports), "state": "listening", "sessions": 0,
                           "limit": None}])
    check_equal(rules(api), [web, dns], "rules at the start")
    a, b = open_pair(t, ports, up), open_pair(t, path, up)
    c = open_pair(t, ports, up)
    is_turned_away(t, ports)
    talked = len(b"exchange 1;")
    web.update(sessions=3, opened=3, bytes_in=3 * talked, bytes_out=3 * talked, refused={"limit": 1})
    web["listeners"][0]["sessions"] = 2
    web["listeners"][1]["sessions"] = 1
    check_equal(api.get("/v1/rules/web"), web, "with live sessions")
    a.end()
    c.client.close()
    c.upstream.close()
    check_equal(api.delete("/v1/sessions/%d" % d_id(api, b)), {"killed": 1}, "killed")
    d.settle()
    said = api.get("/v1/rules/web")
    check_equal(sum(said["ended"].values()), 3, "ends: %r" % said["ended"])
    check_equal((said["ended"]["killed"], said["sessions"], said["opened"]), (1, 0, 3), "counts")
    check_equal((said["bytes_in"], said["bytes_out"]), (3 * talked, 3 * talked), "bytes")
    check_equal(rules(api), [said, dns], "the list")


def d_id(api, pair):
    """The id of the session that came by the UNIX socket."""
    return [s["id"] for s in api.get("/v1/sessions")["sessions"] if s["protocol"] == "unix"][0]


@test("api: rules stand in the order of the config", modes=ENGINE)
def order(t):
    up, first = Upstream(t), t.ports(40)

    def some(*numbers):
        return {"r%d" % n: {"listen": local(first + n), "upstream": up.address} for n in numbers}
    d, api = start(t, some(3, 1, 2))
    check_equal(names(api), ["r3", "r1", "r2"], "at the start")
    pair = open_pair(t, first + 1, up)
    d.reload(some(2, 5, 3, 4))
    check_equal(names(api), ["r2", "r5", "r3", "r4", "r1"], "the removed one comes last")
    states_are(api, "r1", "removed")
    for verb in ("pause", "resume", "drain"):
        api.refused_with(409, "conflict", "POST", "/v1/rules/r1/" + verb,
                         "the rule \"r1\" is in the config no more, and lets nobody in")
    pair.talk()
    check_equal(api.get("/v1/rules/r1")["sessions"], 1, "its sessions")
    pair.end()
    wait_for(lambda: names(api) == ["r2", "r5", "r3", "r4"], "the removed rule to be gone")
    api.refused_with(404, "not-found", "GET", "/v1/rules/r1", "there is no rule \"r1\"")
    many = list(range(39, -1, -1))
    d.reload(some(*many))
    check_equal(names(api), ["r%d" % n for n in many], "many")


@test("api: a list of thousands of rules is whole", modes=ENGINE)
def many(t):
    count = 3000
    d, api = start(t, {
        "rule-%d" % n: {"listen": "unix:" + t.path("%d.sock" % n), "upstream": "127.0.0.1:9"}
        for n in range(count)}, files=10000)
    check_equal(names(api), ["rule-%d" % n for n in range(count)], "names")


@test("api: rules that are not there", modes=ENGINE)
def wrong(t):
    d, api = start(t, {"r": {"listen": local(t.port()), "upstream": "127.0.0.1:9"}})
    for name, shown in (("x", "x"), ("R", "R"), ("rr", "rr"), ("%72%20", "r "), ("%22", "\""),
                        ("%3Cb%3E", "<b>"), ("%C3%A4", "\u00e4"), ("%FF", "?")):
        api.refused_with(404, "not-found", "GET", "/v1/rules/" + name,
                         "there is no rule \"%s\"" % shown)
        for verb in ("pause", "resume", "drain"):
            api.refused_with(404, "not-found", "POST", "/v1/rules/%s/%s" % (name, verb),
                             "there is no rule \"%s\"" % shown)
    check_equal(api.get("/v1/rules/%72")["name"], "r", "a name that is written otherwise")
    check_equal(api.get("/v1/rules/r")["state"], "running", "its state")


# --- steered ---------------------------------------------------------------------------------

@test("api: a paused rule lets clients wait, and serves them when it is resumed", modes=ENGINE)
def paused(t):
    up, ports = Upstream(t), t.ports(2)
    d, api = start(t, {"r": {"listen": local(ports, ports + 1), "upstream": up.address},
                       "o": {"listen": "unix:" + t.path("o.sock"), "upstream": up.address}})
    before = open_pair(t, ports, up)
    said = api.post("/v1/rules/r/pause")
    check_equal((said["name"], said["state"], said["sessions"]), ("r", "paused", 1), "the answer")
    check_equal(api.post("/v1/rules/r/pause"), said, "paused once more")
    states_are(api, "r", "paused", "paused", "paused")
    states_are(api, "o", "running", "listening")
    clients = waiting(t, ports, 5) + waiting(t, ports + 1, 5)
    before.talk()
    open_pair(t, t.path("o.sock"), up).end()
    check(up.nobody(), "a client of a paused rule came through")
    check_equal(api.get("/v1/rules/r")["opened"], 1, "sessions that have begun")
    said = api.post("/v1/rules/r/resume")
    check_equal((said["state"], said["refused"]), ("running", {}), "the answer")
    served(clients, up)
    before.talk()
    before.end()
    states_are(api, "r", "running", "listening", "listening")
    check_equal(len([l for l in d.lines() if l.get("msg") == "paused"]), 1, "lines of the pause")
    d.settle()


@test("api: a rule at its limit stays paused when a place becomes free", modes=ENGINE)
def at_limit(t):
    up, port = Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": local(port), "upstream": up.address,
                             "max_connections": 1, "on_limit": "wait"}})
    pair = open_pair(t, port, up)
    clients = waiting(t, port)
    wait_for(lambda: api.get("/v1/rules/r")["listeners"][0]["state"] == "waiting", "it to wait")
    api.post("/v1/rules/r/pause")
    states_are(api, "r", "paused", "paused")
    pair.end()
    wait_for(lambda: api.get("/v1/rules/r")["sessions"] == 0, "the place to be free")
    states_are(api, "r", "paused", "paused")
    check(up.nobody(), "a client of a paused rule came through")
    api.post("/v1/rules/r/resume")
    served(clients, up)
    d.settle()


@udp.udp_test("api: a paused rule of datagrams drops those of new clients")
def paused_datagrams(t):
    up, port = udp.Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": udp.udp(port), "upstream": up.address}})
    known, new = udp.open_pair(t, port, up), udp.Pair(t, port, up)
    check_equal(api.post("/v1/rules/r/pause")["state"], "paused", "the answer")
    new.client.send(b"unheard")
    refused = wait_for(lambda: api.get("/v1/rules/r")["refused"], "the client to be refused")
    check_equal(refused, {"paused": 1}, "refused")
    known.talk()
    check(up.nothing(), "a new client came through")
    check_equal(api.get("/v1/rules/r")["opened"], 1, "sessions that have begun")
    check_equal(api.post("/v1/rules/r/resume")["state"], "running", "the answer")
    new.talk()
    known.talk()


@test("api: a drained rule ends its sessions when their time is over", modes=ENGINE)
def drained(t):
    up, ports = Upstream(t), t.ports(2)
    d, api = start(t, {"r": {"listen": local(ports), "upstream": up.address},
                       "o": {"listen": local(ports + 1), "upstream": up.address}},
                   daemon={"drain_timeout": "100ms"})
    pairs, other = [open_pair(t, ports, up) for _ in range(3)], open_pair(t, ports + 1, up)
    check_equal(api.post("/v1/rules/r/drain")["state"], "draining", "the answer")
    clients = waiting(t, ports, 3)
    for pair in pairs:
        pair.is_reset()
        pair.line(d, end="drained")
    states_are(api, "r", "draining", "paused")
    check_equal(api.get("/v1/rules/r")["ended"], {"drained": 3}, "counted")
    other.talk()
    check(up.nobody(), "a client of a draining rule came through")
    api.post("/v1/rules/r/resume")
    served(clients, up)
    other.end()
    d.settle()


@test("api: sessions of a draining rule can be given their time back", modes=ENGINE)
def drained_not(t):
    up, port = Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": local(port), "upstream": up.address}},
                   daemon={"drain_timeout": "1h"})
    pair = open_pair(t, port, up)
    for verb, state in (("drain", "draining"), ("drain", "draining"), ("pause", "paused"),
                        ("drain", "draining"), ("resume", "running"), ("resume", "running")):
        check_equal(api.post("/v1/rules/r/" + verb)["state"], state, verb)
        pair.talk()
    open_pair(t, port, up).end()
    pair.end()
    d.settle()


@test("api: a reload leaves a rule paused", modes=ENGINE)
def reloaded(t):
    up, ports = Upstream(t), t.ports(2)

    def rules_with(**options):
        return {"r": dict({"listen": local(ports), "upstream": up.address}, **options)}
    d, api = start(t, rules_with())
    api.post("/v1/rules/r/pause")
    clients = waiting(t, ports, 2)
    d.reload(rules_with())
    states_are(api, "r", "paused", "paused")
    d.reload(rules_with(max_connections=7))
    states_are(api, "r", "paused", "paused")
    d.reload(rules_with(listen=local(ports, ports + 1)))
    states_are(api, "r", "paused", "paused", "paused")
    clients += waiting(t, ports + 1, 2)
    check(up.nobody(), "a client of a paused rule came through")
    api.post("/v1/rules/r/resume")
    served(clients, up)
    d.settle()


@test("api: an upgrade leaves a rule paused, and draining", modes=ENGINE)
def upgraded(t):
    up, ports = Upstream(t), t.ports(2)
    d, api = start(t, {"p": {"listen": local(ports), "upstream": up.address},
                       "d": {"listen": local(ports + 1), "upstream": up.address}},
                   daemon={"drain_timeout": "1h"})
    pairs = [open_pair(t, ports, up), open_pair(t, ports + 1, up)]
    api.post("/v1/rules/p/pause")
    api.post("/v1/rules/d/drain")
    clients = waiting(t, ports, 2) + waiting(t, ports + 1, 2)
    d.upgrade()
    states_are(api, "p", "paused", "paused")
    states_are(api, "d", "draining", "paused")
    check_equal([s["id"] for s in api.get("/v1/sessions")["sessions"]], [1, 2], "sessions")
    for pair in pairs:
        pair.talk()
    check(up.nobody(), "a client of a paused rule came through")
    api.post("/v1/rules/p/resume")
    api.post("/v1/rules/d/resume")
    served(clients, up)
    for pair in pairs:
        pair.end()
    d.settle()
