# SPDX-License-Identifier: BSD-2-Clause
"""Reload: what becomes of live sessions: on_change, and the options they began with."""

import signal
import socket

import harness
from harness import ENGINE, ONCE, RELAY, check, check_equal, test, wait_for
from pairs import Upstream, is_refused, local, open_pair


def change(t, how, on_change, drain="1h"):
    """A rule with two sessions is changed as `how` says; gives the daemon and the pairs."""
    old, new, port, other = Upstream(t), Upstream(t), t.port(), t.port()
    rest = {"other": {"listen": local(other), "upstream": old.address, "on_change": on_change}}
    rule = {"listen": local(port), "upstream": old.address, "on_change": on_change}
    d = t.start(dict(rest, r=rule), daemon={"drain_timeout": drain})
    pairs = [open_pair(t, port, old) for _ in range(2)]
    aside = open_pair(t, other, old)
    if how == "removed":
        d.reload(rest, removed=1)
        check(is_refused(port), "a removed rule still listens")
    elif how == "upstream":
        d.reload(dict(rest, r=dict(rule, upstream=new.address)), changed=1)
        pairs.append(open_pair(t, port, new))
    elif how == "options":
        d.reload(dict(rest, r=dict(rule, idle_timeout="1h", max_connections=9)), changed=1)
    elif how == "moved":  # another address, the same upstream
        d.reload(dict(rest, r=dict(rule, listen=local(t.port()))), changed=1)
    d.reload()  # one that changes nothing more
    aside.talk()
    aside.end()
    check_equal(aside.line(d)["end"], "done", "end of a session of another rule")
    return d, pairs


def keep(t, how, on_change):
    d, pairs = change(t, how, on_change)
    for pair in pairs:
        pair.talk()
        pair.end()
        check_equal(pair.line(d)["end"], "done", "end of a session that is kept")


def cut(t, how, on_change, word, drain="1h"):
    """The old ones are reset; one that came after the change is not."""
    d, pairs = change(t, how, on_change, drain)
    for pair in pairs[:2]:
        pair.is_reset()
        line = pair.line(d)
        check_equal((line["end"], line["rule"]), (word, "r"), "end and rule in the log")
    for pair in pairs[2:]:
        pair.talk()
        pair.end()
        check_equal(pair.line(d)["end"], "done", "end of a session of the new upstream")


CUT = {"kill": ("kill", "killed", "1h"), "drain takes drain_timeout": ("drain", "drained", "200ms"),
       "drain with a time of its own": ("drain:200ms", "drained", "1h")}
KEEP = {"keep": "keep", "drain lets sessions end by themselves": "drain:1h"}

for how, words in (("removed", "a removed rule"), ("upstream", "a rule with another upstream")):
    for name, option in KEEP.items():
        test("on_change: %s: %s" % (words, name), ENGINE)(
            lambda t, how=how, option=option: keep(t, how, option))
    for name, rest in CUT.items():
        test("on_change: %s: %s" % (words, name), ENGINE)(
            lambda t, how=how, rest=rest: cut(t, how, *rest))
for how, words in (("options", "other options"), ("moved", "another address")):
    test("on_change: %s are no such change" % words, ENGINE)(
        lambda t, how=how: keep(t, how, "kill"))


@test("on_change: keep is the default", ONCE)
def default(t):
    up, port = Upstream(t), t.port()
    other = {"other": {"listen": local(t.port()), "upstream": up.address}}
    d = t.start(dict(other, r={"listen": local(port), "upstream": up.address}))
    pair = open_pair(t, port, up)
    d.reload(other, removed=1)
    pair.talk()
    pair.end()
    check_equal(pair.line(d)["end"], "done", "end of the session")


@test("on_change: drain ends what is there then, not a rule that comes back", ENGINE)
def came_back(t):
    up, port = Upstream(t), t.port()
    rest = {"other": {"listen": local(t.port()), "upstream": up.address}}
    rule = {"r": {"listen": local(port), "upstream": up.address, "on_change": "drain:300ms"}}
    d = t.start(dict(rest, **rule))
    old = open_pair(t, port, up)
    d.reload(rest, removed=1)
    d.reload(dict(rest, **rule), added=1)
    new = open_pair(t, port, up)
    old.is_reset()
    check_equal(old.line(d)["end"], "drained", "end of the old session")
    new.talk()
    new.end()
    check_equal(new.line(d)["end"], "done", "end of the new session")


@test("on_change: kill in the middle of a transfer", RELAY)
def kill_busy(t):
    up, port = Upstream(t), t.port()
    rest = {"other": {"listen": local(t.port()), "upstream": up.address}}
    d = t.start(dict(rest, r={"listen": local(port), "upstream": up.address,
                              "on_change": "kill"}))
    pair = open_pair(t, port, up)
    for s in (pair.client, pair.upstream):
        s.setblocking(False)
        try:
            while True:
                s.send(bytes(1 << 18))
        except BlockingIOError:
            pass
    d.reload(rest, removed=1)
    line = pair.line(d)
    check_equal(line["end"], "killed", "end of the session")
    for s in (pair.client, pair.upstream):
        s.settimeout(harness.DEADLINE)
        try:
            while s.recv(1 << 18):
                pass
            check(False, "a cut stream looks whole")
        except ConnectionResetError:
            pass


# --- options of live sessions ----------------------------------------------------------------

@test("reload: a live session has the idle_timeout that it began with", ENGINE)
def idle_timeout(t):
    up, port = Upstream(t), t.port()
    rule = {"listen": local(port), "upstream": up.address}
    d = t.start({"r": dict(rule, idle_timeout="2s")})
    old = open_pair(t, port, up)
    d.reload({"r": rule}, changed=1)
    new = open_pair(t, port, up)
    old.is_reset()
    check_equal(old.line(d)["end"], "idle-timeout", "end of the old session")
    d.reload({"r": dict(rule, idle_timeout="2s")}, changed=1)
    third = open_pair(t, port, up)
    third.is_reset()
    check_equal(third.line(d)["end"], "idle-timeout", "end of the third session")
    new.talk()
    new.end()
    check_equal(new.line(d)["end"], "done", "end of the second session")


@test("reload: a session that is connecting goes on to where it was going", ENGINE, ("root",))
def connecting(t):
    """Its upstream does not answer yet; the new one would."""
    old, new, port = t.listener(backlog=0), Upstream(t), t.port()
    at = old.getsockname()
    fillers = [t.connect(at)]  # the backlog of 0 holds one
    fillers.append(socket.socket())
    fillers[-1].setblocking(False)
    fillers[-1].connect_ex(at)
    t.sockets.append(fillers[-1])
    rule = {"listen": local(port), "upstream": "127.0.0.1:%d" % at[1]}
    d = t.start({"r": rule})
    client = t.connect(("127.0.0.1", port))
    wait_for(lambda: d.sockets() == d.baseline_sockets + 2, "penstockd to connect")
    d.reload({"r": dict(rule, upstream=new.address)}, changed=1)
    open_pair(t, port, new).end()
    client.sendall(b"old")
    ours = {s.getsockname() for s in fillers}
    while True:
        s, peer = old.accept()
        if peer not in ours:
            break
        s.close()
    check_equal(s.recv(3), b"old", "what the old upstream gets")
    s.close()
    client.close()
    wait_for(lambda: len(d.sessions(upstream="127.0.0.1:%d" % at[1])) == 1, "its line")


@test("reload: log_level and log_format take effect at once", ONCE, ("systemd",))
def log_options(t):
    up, port = Upstream(t), t.port()
    rules = {"r": {"listen": local(port), "upstream": up.address}}
    d = t.start(rules)

    def quiet_reload(level, number):
        d.rewrite(rules, daemon=dict(d.groups["daemon"], log_level=level))
        d.signal(signal.SIGHUP)
        wait_for(lambda: d.notify.count("READY=1") == number, "READY=1")
    quiet_reload("error", 2)
    silent = open_pair(t, port, up)
    silent.end()
    wait_for(lambda: any("1 served" in s for s in d.notify.values("STATUS")),
             lambda: "a STATUS with the session: %r" % d.notify.values("STATUS")[-1:])
    quiet_reload("info", 3)
    spoken = open_pair(t, port, up)
    spoken.end()
    spoken.line(d)
    check_equal(len(d.sessions()), 1, "session lines")
    quiet_reload("debug", 4)
    d.reload(changed=0)
