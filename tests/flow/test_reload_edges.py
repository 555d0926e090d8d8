# SPDX-License-Identifier: BSD-2-Clause
"""Reload where the machine, the user or the moment stands in the way."""

import os
import signal

from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from pairs import Upstream, is_refused, is_turned_away, local, open_pair
from test_config import as_nobody


@test("reload: more listeners than descriptors: some rules fail, and all is well again", ENGINE)
def descriptors(t):
    up, first = Upstream(t), t.ports(100)
    rules = {"r%d" % i: {"listen": local(first + i), "upstream": up.address} for i in range(100)}
    few = {"r0": rules["r0"]}
    d = t.start(few, files=64)
    pair = open_pair(t, first, up)
    line = d.reload(rules)
    check(int(line["failed"]) > 0 and int(line["listeners"]) < 64, "outcome: %s" % line[""])
    check_equal(int(line["added"]) + int(line["failed"]), 99, "rules added and failed")
    check_equal(len(d.listeners()), int(line["listeners"]), "listeners")
    pair.talk()
    d.reload(few, rules=1, listeners=1, failed=0)
    more = [open_pair(t, first, up) for _ in range(10)]
    for p in more + [pair]:
        p.talk()
        p.end()
    d.settle()


@test("reload: listeners that come leave fewer descriptors for sessions, none runs short", ENGINE)
def budget(t):
    up, first = Upstream(t), t.ports(20)
    rules = {"r%d" % i: {"listen": local(first + i), "upstream": up.address} for i in range(20)}
    d = t.start({"r0": rules["r0"]}, files=64)
    d.reload(rules, failed=0, listeners=20)
    pairs = []
    up.socket.setblocking(False)

    def outcome():
        try:
            return up.accept()
        except BlockingIOError:
            return d.sessions(end="no-descriptors")
    while not d.sessions(end="no-descriptors"):
        client = t.connect(("127.0.0.1", first))
        client.sendall(b"x")
        seen = wait_for(outcome, "a session, or that there are no descriptors for it")
        if not isinstance(seen, list):
            pairs.append((client, seen))
    check(3 <= len(pairs) < 40, "%d sessions with 64 descriptors" % len(pairs))
    log = d.log()
    check("Too many open files" not in log, "it ran short of descriptors")
    for pair in pairs:
        for s in pair:
            s.close()
    wait_for(lambda: len([s for s in d.sessions() if "id" in s]) >= len(pairs), "their ends")


@test("reload: a range of ports: those that stay keep their sockets", ENGINE)
def ranges(t):
    up, first = Upstream(t), t.ports(12)

    def rule(low, high):
        return {"r": {"listen": "127.0.0.1:%d-%d" % (first + low, first + high),
                      "upstream": up.address}}
    d = t.start(rule(0, 9))
    before = d.listeners()
    d.reload(rule(2, 11), changed=1, listeners=10, failed=0)
    after = d.listeners()
    for i in range(2, 10):
        check_equal(after.get(local(first + i)), before[local(first + i)], "socket of port %d" % i)
    check(is_refused(first) and is_refused(first + 1), "ports that are gone are open")
    for i in (2, 9, 10, 11):
        open_pair(t, first + i, up).end()


@test("reload: ranges with an upstream port each: only those of another port have changed", ENGINE)
def range_upstreams(t):
    low = t.ports(4)
    ups = [t.listener(("127.0.0.1", low + i)) for i in range(4)]
    port = t.ports(2)

    def rule(to):
        return {"r": {"listen": "127.0.0.1:%d-%d" % (port, port + 1), "on_change": "kill",
                      "upstream": "127.0.0.1:%d-%d" % (low + to, low + to + 1)}}
    d = t.start(rule(0))
    clients = [t.connect(("127.0.0.1", port + i)) for i in range(2)]
    others = [ups[i].accept()[0] for i in range(2)]
    d.reload(rule(0), changed=0)
    for client, other in zip(clients, others):
        client.sendall(b"x")
        check_equal(other.recv(1), b"x", "what came through")
    d.reload(rule(1), changed=1)
    d.wait_sessions(2, end="killed")
    for i in range(2):
        with t.connect(("127.0.0.1", port + i)) as client:
            client.sendall(b"%d" % i)
            with ups[i + 1].accept()[0] as other:
                check_equal(other.recv(1), b"%d" % i, "what came through")
    for other in others:
        other.close()


@test("reload: a port that needs privilege, when it has none any more", ENGINE, ("root", "netns"))
def privileged(t):
    as_nobody(t)
    up, port = Upstream(t), t.port()
    rules = {"r": {"listen": ["127.0.0.1:80", local(port)], "upstream": up.address}}
    d = t.start(rules, daemon={"user": "nobody", "group": "nogroup"})
    before = d.listeners()
    pair = open_pair(t, 80, up)
    d.reload(dict(rules, new={"listen": "127.0.0.1:81", "upstream": up.address}), failed=1,
             added=0, rules=1)
    check("CAP_NET_BIND_SERVICE" in d.log(), "the log does not say what it needs")
    d.reload({"r": dict(rules["r"], idle_timeout="1h")}, changed=1, failed=0)
    check_equal(d.listeners(), before, "listening sockets")
    open_pair(t, 80, up).end()
    pair.talk()
    pair.end()


@test("reload: a socket file that can't be made, an owner that can't be given", ONCE, ("root",))
def socket_files(t):
    as_nobody(t)
    up, path, port = Upstream(t), t.path("r.sock"), t.port()
    rule = {"listen": local(port), "upstream": up.address}
    file = {"listen": "unix:" + path, "upstream": up.address}
    os.chmod(t.dir, 0o777)
    d = t.start({"r": rule, "f": file}, daemon={"user": "nobody", "group": "nogroup"})
    pair = open_pair(t, path, up)
    os.mkdir(t.path("closed"), 0o755)
    bad = "unix:" + t.path("closed/r.sock")
    d.reload({"r": dict(rule, listen=[local(port), bad]), "f": file}, failed=1, listeners=2)
    check(bad in d.log() and "ermission denied" in d.log(), "the log does not say why")
    d.reload({"r": rule, "f": dict(file, socket_owner="daemon")})
    pair.talk()
    open_pair(t, path, up).end()
    open_pair(t, port, up).end()
    d.reload({"r": rule, "f": file}, failed=0)
    open_pair(t, path, up).end()
    pair.end()
    d.settle()


@test("reload: a socket file that someone removed is made anew by another path and back", ONCE)
def file_gone(t):
    up, path = Upstream(t), t.path("r.sock")
    d = t.start({"r": {"listen": "unix:" + path, "upstream": up.address}})
    pair = open_pair(t, path, up)
    os.unlink(path)
    d.reload({"r": {"listen": "unix:" + path + "2", "upstream": up.address}}, changed=1)
    open_pair(t, path + "2", up).end()
    d.reload({"r": {"listen": "unix:" + path, "upstream": up.address}}, changed=1)
    open_pair(t, path, up).end()
    check(not os.path.exists(path + "2"), "a removed listener's file is still there")
    pair.talk()
    pair.end()


@test("reload: on_change kills a session that is connecting", ENGINE)
def kill_connecting(t):
    full, up, port = t.listener(backlog=0), Upstream(t), t.port()
    at = full.getsockname()
    fillers = [t.connect(at)]
    rest = {"rest": {"listen": local(t.port()), "upstream": up.address}}
    d = t.start(dict(rest, r={"listen": local(port), "upstream": "127.0.0.1:%d" % at[1],
                              "on_change": "kill"}))
    clients = [t.connect(("127.0.0.1", port)) for _ in range(3)]
    wait_for(lambda: d.sockets() == d.baseline_sockets + 6, "penstockd to connect")
    d.reload(rest, removed=1)
    for client in clients:
        try:
            check_equal(client.recv(1), None, "what a killed client gets")
        except ConnectionResetError:
            pass
    d.wait_sessions(3, end="killed")
    fillers[0].close()
    d.settle()


@test("reload: a rule at its limit with clients that wait is removed, and comes back", ENGINE)
def waiting_removed(t):
    up, port = Upstream(t), t.port()
    rest = {"rest": {"listen": local(t.port()), "upstream": up.address}}
    rule = {"r": {"listen": local(port), "upstream": up.address, "max_connections": 1,
                  "on_limit": "wait"}}
    d = t.start(dict(rest, **rule))
    pair = open_pair(t, port, up)
    for _ in range(3):
        t.connect(("127.0.0.1", port))  # never taken by penstock
    d.reload(rest, removed=1)
    check(is_refused(port), "a removed rule still listens")
    d.reload(dict(rest, **rule), added=1)
    client = t.connect(("127.0.0.1", port))
    client.sendall(b"x")
    check(up.nobody(), "the limit does not count the old session")
    pair.end()
    with up.accept() as other:
        check_equal(other.recv(1), b"x", "what the waiting client sent")
        client.close()
    d.wait_sessions(2)


@test("reload: on_limit changes while clients wait", ENGINE)
def on_limit(t):
    up, port = Upstream(t), t.port()

    def rule(kind):
        return {"r": {"listen": local(port), "upstream": up.address, "max_connections": 1,
                      "on_limit": kind}}
    d = t.start(rule("wait"))
    pair = open_pair(t, port, up)
    clients = [t.connect(("127.0.0.1", port)) for _ in range(3)]
    d.reload(rule("drop"), changed=1)
    for client in clients:
        check_equal(client.recv(1), b"", "what a client gets that waited")
    is_turned_away(t, port)
    d.reload(rule("wait"), changed=1)
    late = t.connect(("127.0.0.1", port))
    late.sendall(b"y")
    pair.end()
    with up.accept() as other:
        check_equal(other.recv(1), b"y", "what the waiting client sent")
        late.close()
    d.wait_sessions(2, end="done")


@test("reload: none once it is stopping", ENGINE)
def stopping(t):
    up, port, other = Upstream(t), t.port(), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    pair = open_pair(t, port, up)
    d.signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in d.log(), "penstockd to stop")
    d.rewrite({"r": {"listen": local(other), "upstream": up.address}})
    d.signal(signal.SIGHUP)
    pair.talk()
    check(is_refused(other) and is_refused(port), "it listens again")
    pair.end()
    check_equal(d.wait_exit(), 0, "exit status")
    check("reloaded" not in d.log(), "it has reloaded")


@test("reload: a config that was named by a relative path", ONCE)
def relative(t):
    up, port, new = Upstream(t), t.port(), t.port()
    d = t.prepare({"daemon": {"engine": t.engine},
                   "rules": {"r": {"listen": local(port), "upstream": up.address}}})
    d.options["args"] = ["--config", os.path.basename(d.config)]  # it runs in the test's directory
    d.start()
    pair = open_pair(t, port, up)
    d.reload({"r": {"listen": [local(port), local(new)], "upstream": up.address}}, changed=1,
             listeners=2)
    open_pair(t, new, up).end()
    pair.talk()
    pair.end()
