# SPDX-License-Identifier: BSD-2-Clause
"""SIGUSR2 with another config, another program, another user: rules, limits, counters and what
becomes of sessions."""

import os
import pwd
import re
import signal
import socket

import harness
import names
from harness import ENGINE, check, check_equal, test, wait_for
from pairs import Upstream, is_refused, is_turned_away, local, open_pair
from test_config import as_nobody
from test_limits import LIMIT, Upstream as Counting, round_of_refusals, round_of_waiting


# --- the process -----------------------------------------------------------------------------

@test("handover: the same process, listeners, ids; descriptors and counters go on", ENGINE)
def same_process(t):
    up, port, path = Upstream(t), t.port(), t.path("r.sock")
    d = t.start({"r": {"listen": [local(port), "unix:" + path], "upstream": up.address}})
    before, file, pid = d.listeners(), os.stat(path), d.pid
    began = d.stat()[19]  # the start time: of the process, not of the program
    pairs = [open_pair(t, port, up), open_pair(t, path, up)]
    start = len(d.lines())
    for number in range(3):
        line = d.upgrade()
        check_equal((line["sessions"], line["listeners"]), (str(len(pairs)), "2"), "what it took")
        check_equal(d.listeners(), before, "listening sockets")
        pairs.append(open_pair(t, port, up))
        for pair in pairs:
            pair.talk()
    check_equal((d.pid, d.alive(), d.stat()[19]), (pid, True, began), "process")
    check_equal((os.stat(path).st_ino, os.stat(path).st_ctime_ns), (file.st_ino,
                                                                    file.st_ctime_ns),
                "the socket file")
    text = "\n".join(l[""] for l in d.parsed[start:])
    check(text.count("handing over") == 3 and text.count("taken over") == 3, "the log:\n" + text)
    for pair in pairs:
        pair.end()
    lines = d.wait_sessions(len(pairs))
    check_equal(sorted(int(l["id"]) for l in lines), list(range(1, len(pairs) + 1)), "ids")
    check_equal([l["end"] for l in lines], ["done"] * len(pairs), "ends")
    d.settle()
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check(not os.path.exists(path), "the socket file is left behind")


@test("handover: READY=1 and the counters in STATUS", ENGINE, ("systemd",))
def notify(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}},
                env={"WATCHDOG_USEC": "200000"})
    for _ in range(3):
        open_pair(t, port, up).end()
    live = open_pair(t, port, up)
    d.wait_sessions(3)
    d.upgrade()
    wait_for(lambda: re.search(r"\b1 sessions?, 3 served", d.notify.values("STATUS")[-1]),
             lambda: "a STATUS that goes on: %r" % d.notify.values("STATUS")[-3:])
    seen = d.notify.count("WATCHDOG=1")
    wait_for(lambda: d.notify.count("WATCHDOG=1") >= seen + 3, "WATCHDOG=1 of the new program")
    check(d.notify.count("READY=1") >= 2, "no READY=1 of the new program")
    check_equal(d.notify.count("STOPPING=1"), 0, "STOPPING=1")
    live.talk()
    live.end()


# --- another config --------------------------------------------------------------------------

@test("handover: to a config with rules added, removed and changed", ENGINE)
def other_config(t):
    old, new = Upstream(t), Upstream(t)
    ports = {name: t.port() for name in ("same", "kept", "killed", "drained", "changed", "new")}
    rules = {name: {"listen": local(port), "upstream": old.address}
             for name, port in ports.items() if name != "new"}
    rules["killed"]["on_change"] = "kill"
    rules["drained"]["on_change"] = "drain:300ms"
    d = t.start(rules)
    pairs = {name: open_pair(t, ports[name], old) for name in rules}
    d.rewrite({"same": rules["same"],
               "changed": {"listen": local(ports["changed"]), "upstream": new.address},
               "new": {"listen": local(ports["new"]), "upstream": new.address}})
    line = d.upgrade()
    check_equal((line["rules"], d.listening), ("3", 3), "rules and listeners")
    for name in ("kept", "killed", "drained"):
        check(is_refused(ports[name]), "rule %s still listens" % name)
    fresh = [open_pair(t, ports["same"], old), open_pair(t, ports["changed"], new),
             open_pair(t, ports["new"], new)]
    for name, word in (("killed", "killed"), ("drained", "drained")):
        pairs[name].is_reset()
        check_equal(pairs[name].line(d)["end"], word, "end of a session of rule " + name)
    for pair in fresh + [pairs["same"], pairs["kept"], pairs["changed"]]:
        pair.talk()
        pair.end()
        check_equal(pair.line(d)["end"], "done", "end")
    check_equal(pairs["kept"].line(d)["rule"], "kept", "rule of a session whose rule is gone")
    check_equal(pairs["changed"].line(d)["upstream"], old.address, "upstream of an old session")
    d.settle()


@test("handover: sessions of rules that are gone survive more of them", ENGINE)
def gone_rules(t):
    """Each session is of another config, of which only that one session is left."""
    ups = [Upstream(t) for _ in range(4)]
    port, stays = t.port(), t.port()
    rest = {"rest": {"listen": local(stays), "upstream": ups[0].address}}
    d = t.start(dict(rest, r0={"listen": local(port), "upstream": ups[0].address,
                               "idle_timeout": "90min"}))
    pairs = []
    for number, up in enumerate(ups):
        d.reload(dict(rest, **{"r%d" % number: {"listen": local(port), "upstream": up.address,
                                                "max_connections": 3 + number}}))
        pairs.append(open_pair(t, port, up))
        d.upgrade()
    d.reload(rest, removed=1)
    for _ in range(2):
        check_equal(d.upgrade()["rules"], "1", "rules")
    for number, pair in enumerate(pairs):
        pair.talk()
        pair.end()
        line = pair.line(d)
        check_equal((line["end"], line["rule"], line["upstream"]),
                    ("done", "r%d" % number, ups[number].address), "its line")
    d.settle()


@test("handover: a drain that is under way goes on", ENGINE)
def draining(t):
    up, port = Upstream(t), t.port()
    rest = {"rest": {"listen": local(t.port()), "upstream": up.address}}
    d = t.start(dict(rest, r={"listen": local(port), "upstream": up.address,
                              "on_change": "drain:1s"}))
    pair = open_pair(t, port, up)
    d.reload(rest, removed=1)
    d.upgrade()
    pair.is_reset()
    check_equal(pair.line(d)["end"], "drained", "end of the session")


@test("handover: the idle_timeout that a session began with", ENGINE)
def old_options(t):
    up, port = Upstream(t), t.port()
    rule = {"listen": local(port), "upstream": up.address}
    d = t.start({"r": dict(rule, idle_timeout="1500ms")})
    old = open_pair(t, port, up)
    d.rewrite({"r": rule})
    d.upgrade()
    new = open_pair(t, port, up)
    d.upgrade()
    old.is_reset()
    check_equal(old.line(d)["end"], "idle-timeout", "end of the old session")
    new.talk()
    new.end()
    check_equal(new.line(d)["end"], "done", "end of the new session")


# --- limits ----------------------------------------------------------------------------------

@test("handover: limits count the sessions that were taken over", ENGINE)
def limits(t):
    up, a, b = Upstream(t), t.port(), t.port()
    d = t.start({"r": {"listen": ({"address": local(a), "max_connections": 1}, local(b)),
                       "upstream": up.address, "max_connections": 3}})
    pairs = [open_pair(t, a, up), open_pair(t, b, up)]
    d.upgrade()
    is_turned_away(t, a)
    pairs.append(open_pair(t, b, up))
    is_turned_away(t, b)
    d.upgrade()
    is_turned_away(t, b)
    for pair in pairs:
        pair.talk()
    pairs[0].end()
    pairs[0].line(d)
    pairs[0] = open_pair(t, a, up)
    is_turned_away(t, a)
    is_turned_away(t, b)
    for pair in pairs:
        pair.end()


def exact(t, kind):
    port = t.port()
    upstream = Counting(t)
    d = t.start({"r": {"listen": local(port), "upstream": upstream.address(),
                       "max_connections": LIMIT, "on_limit": kind}})
    for number in range(10):
        if kind == "wait":
            round_of_waiting(d, [("127.0.0.1", port)], upstream, number)
        else:
            round_of_refusals(d, [("127.0.0.1", port)], upstream, kind, number)
        d.upgrade()


for kind in ("reset", "wait"):
    test("handover: a limit of 2 hit by 50 clients after each of ten: %s" % kind, ENGINE)(
        lambda t, kind=kind: exact(t, kind))


# --- names -----------------------------------------------------------------------------------

@test("handover: a name that is still being resolved", ENGINE, ("root", "netns"))
def resolving(t):
    world = names.Names(t)
    world.resolv_conf("127.0.0.54")
    server = names.SlowServer(t, "127.0.0.54")
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port),
                       "upstream": "slow.penstock.test:" + up.address.split(":")[1]}})
    client = t.connect(("127.0.0.1", port))
    client.sendall(b"hello")
    wait_for(server.asked, "a query")
    d.upgrade()

    def arrived():
        if server.asked():
            server.answer("127.0.0.1")
        up.socket.settimeout(0.05)
        try:
            return up.socket.accept()[0]
        except socket.timeout:
            return None
    other = wait_for(arrived, "the session to reach its upstream")
    other.settimeout(harness.DEADLINE)
    check_equal(harness.receive_exactly(other, 5), b"hello", "what came through")
    client.close()
    other.close()
    check_equal(d.wait_sessions(1)[0]["end"], "done", "end of the session")


# --- other users -----------------------------------------------------------------------------

@test("handover: under the user it has become, with a port it could not open", ENGINE,
      ("root", "netns"))
def other_user(t):
    nobody = pwd.getpwnam("nobody")
    as_nobody(t)
    up, path = Upstream(t), t.path("drop.sock")
    os.chmod(t.dir, 0o777)
    d = t.start({"r": {"listen": ["127.0.0.1:80", "unix:" + path], "upstream": up.address}},
                daemon={"user": "nobody", "group": "nogroup"})
    before = d.listeners()
    pairs = [open_pair(t, 80, up), open_pair(t, path, up)]
    for _ in range(2):
        d.upgrade()
        check_equal(set(d.status_field("Uid")), {str(nobody.pw_uid)}, "Uid")
        check_equal(d.listeners(), before, "listening sockets")
        pairs += [open_pair(t, 80, up), open_pair(t, path, up)]
    for pair in pairs:
        pair.talk()
        pair.end()
    d.settle()
