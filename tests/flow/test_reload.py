# SPDX-License-Identifier: BSD-2-Clause
"""SIGHUP: a new config takes the place of the old one, and nobody who is connected notices."""

import os
import re
import signal
import time

from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from pairs import Upstream, is_refused, is_turned_away, local, open_pair


@test("reload: nothing has changed: the same sockets, the same session", ENGINE)
def unchanged(t):
    up, port, path = Upstream(t), t.port(), t.path("r.sock")
    d = t.start({"r": {"listen": [local(port), "unix:" + path], "upstream": up.address}})
    before, files = d.listeners(), os.stat(path)
    check_equal(len(before), 2, "listeners")
    numbers = sorted(l for l in d.fd_list() if "socket:" in l)
    pair = open_pair(t, port, up)
    for _ in range(3):
        d.reload(rules=1, listeners=2, added=0, removed=0, changed=0, failed=0)
        pair.talk()
    check_equal(d.listeners(), before, "listening sockets")
    check_equal((os.stat(path).st_ino, os.stat(path).st_ctime_ns),
                (files.st_ino, files.st_ctime_ns), "the socket file")
    for where in (port, path):
        open_pair(t, where, up).end()
    pair.end()
    check_equal(pair.line(d)["end"], "done", "end of the session")
    d.settle()
    check_equal(sorted(l for l in d.fd_list() if l in numbers), numbers, "sockets it had at first")


@test("reload: a rule added, one removed, one changed, one as it was", ENGINE)
def three_changes(t):
    up, other = Upstream(t), Upstream(t)
    same, gone, changed, new = (t.port() for _ in range(4))
    rule = {name: {"listen": local(port), "upstream": up.address}
            for name, port in (("same", same), ("gone", gone), ("changed", changed))}
    d = t.start(rule)
    before = d.listeners()
    pairs = [open_pair(t, p, up) for p in (same, gone, changed)]
    d.reload({"new": {"listen": local(new), "upstream": other.address},
              "changed": dict(rule["changed"], idle_timeout="1h", upstream=other.address),
              "same": rule["same"]},
             rules=3, listeners=3, added=1, removed=1, changed=1, failed=0)
    after = d.listeners()
    for port in (same, changed):
        check_equal(after.get(local(port)), before[local(port)], "socket of port %d" % port)
    check(is_refused(gone), "a removed rule still listens")
    pairs += [open_pair(t, same, up), open_pair(t, changed, other), open_pair(t, new, other)]
    for pair in pairs:
        pair.talk()
        pair.end()
    for pair, name in zip(pairs, ("same", "gone", "changed", "same", "changed", "new")):
        check_equal(pair.line(d)["rule"], name, "rule of a session")
        check_equal(pair.line(d)["end"], "done", "end of a session of rule %s" % name)


@test("reload: an upstream that has changed is for new clients", ENGINE)
def upstream_changed(t):
    old, new, port = Upstream(t), Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": old.address}})
    first = open_pair(t, port, old)
    d.reload({"r": {"listen": local(port), "upstream": new.address}}, changed=1)
    second = open_pair(t, port, new)
    d.reload({"r": {"listen": local(port), "upstream": old.address}}, changed=1)
    third = open_pair(t, port, old)
    for pair, upstream in ((first, old), (second, new), (third, old)):
        pair.talk()
        pair.end()
        check_equal(pair.line(d)["upstream"], upstream.address, "upstream in the log")
    check_equal([l["id"] for l in d.sessions()], ["1", "2", "3"], "ids")


# --- configs that are no good ----------------------------------------------------------------

RULE = 'r = { listen = "127.0.0.1:%d"; upstream = "127.0.0.1:9"; };\n'
BAD = {
    "a syntax error": ('rules =\n{\n' + RULE + ' s = { listen "127.0.0.1:1"; };\n};\n', 4),
    "an unknown key": ('rules =\n{\n' + RULE + ' s = { listen = "127.0.0.1:1"; upsteam = '
                       '"127.0.0.1:9"; };\n};\n', 4),
    "an address twice": ('rules =\n{\n' + RULE + ' s = { listen = "127.0.0.1:%d"; upstream = '
                         '"127.0.0.1:9"; };\n};\n', 4),
    "no file at all": (None, 0),
    "an empty file": ("", 0),
}


def bad_config(t, text, line):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    good, before = d.text, d.listeners()
    pair = open_pair(t, port, up)
    for _ in range(2):
        if text is None:
            os.unlink(d.config)
        else:
            d.rewrite(text.replace("%d", str(port)))
        at = "%s:%d:" % (d.config, line) if line else d.config
        start = len(d.lines())
        failed = d.reload_fails(None, at)
        check_equal(failed["level"], "warning", "level of the outcome")
        errors = [l for l in d.parsed[start:] if l.get("level") == "error"]
        check_equal(failed["errors"], str(len(errors)), "errors in the outcome")
        check(errors and at in errors[0][""], "no error with the place")
        if d.notify:
            wait_for(lambda: any("not reloaded" in s or at in s
                                 for s in d.notify.values("STATUS")[-1:]),
                     lambda: "a STATUS that tells: %r" % d.notify.values("STATUS")[-3:])
        check_equal(d.listeners(), before, "listening sockets")
        pair.talk()
        open_pair(t, port, up).end()
        d.rewrite(good)
        d.reload(rules=1, added=0, removed=0, changed=0, failed=0)
        pair.talk()
        if d.notify:
            wait_for(lambda: not any("not reloaded" in s or at in s
                                     for s in d.notify.values("STATUS")[-1:]),
                     lambda: "a STATUS without the error: %r" % d.notify.values("STATUS")[-3:])
    pair.end()


for name, (text, line) in BAD.items():
    test("reload: %s changes nothing, is told, and a later good one works" % name, ONCE)(
        lambda t, text=text, line=line: bad_config(t, text, line))


# --- addresses that can't be had -------------------------------------------------------------

@test("reload: address in use: the rule stays as it was, the others change", ENGINE)
def address_in_use(t):
    old, new, taken = Upstream(t), Upstream(t), Upstream(t)
    stays, changes, added = t.port(), t.port(), t.port()
    d = t.start({"stays": {"listen": local(stays), "upstream": old.address, "max_connections": 2},
                 "changes": {"listen": local(changes), "upstream": old.address}})
    before = d.listeners()
    pair = open_pair(t, stays, old)
    wanted = {"stays": {"listen": [local(stays), local(added), taken.address],
                        "upstream": new.address, "max_connections": 7},
              "changes": {"listen": local(changes), "upstream": new.address}}
    start = len(d.lines())
    d.reload(wanted, rules=2, listeners=2, changed=1, failed=1)
    check_equal(d.listeners(), before, "listening sockets")
    errors = [l[""] for l in d.parsed[start:] if l["level"] == "error"]
    check_equal(len(errors), 1, "errors")
    for word in ("rule stays", "cannot listen on " + taken.address, "the rule stays as it was",
                 os.path.basename(d.config) + ":"):
        check(word in errors[0], "the error does not say %r: %s" % (word, errors[0]))
    check(is_refused(added), "one of the addresses of a rule that failed is open")
    second = open_pair(t, stays, old)
    is_turned_away(t, stays)
    open_pair(t, changes, new).end()
    for p in (pair, second):
        p.talk()
        p.end()
        p.line(d)
    # once the address is free it can be had
    taken.socket.close()
    d.reload(rules=2, listeners=4, changed=1, failed=0)
    check_equal(d.listeners()[local(stays)], before[local(stays)], "the socket it had")
    for port in (stays, added, int(taken.address.split(":")[1])):
        open_pair(t, port, new).end()


@test("reload: a new rule whose address is in use is left out", ENGINE)
def new_rule_in_use(t):
    up, taken, port, other = Upstream(t), Upstream(t), t.port(), t.port()
    rules = {"r": {"listen": local(port), "upstream": up.address}}
    d = t.start(rules)
    pair = open_pair(t, port, up)
    wanted = dict(rules, bad={"listen": taken.address, "upstream": up.address},
                  good={"listen": local(other), "upstream": up.address})
    start = len(d.lines())
    d.reload(wanted, rules=2, listeners=2, added=1, removed=0, changed=0, failed=1)
    errors = [l[""] for l in d.parsed[start:] if l["level"] == "error"]
    check(len(errors) == 1 and "rule bad" in errors[0] and "left out" in errors[0] and
          taken.address in errors[0], "errors: %r" % errors)
    open_pair(t, other, up).end()
    pair.talk()
    d.reload(rules=2, added=0, failed=1)  # it is tried again
    taken.socket.close()
    d.reload(rules=3, listeners=3, added=1, failed=0)
    open_pair(t, int(taken.address.split(":")[1]), up).end()
    pair.end()


@test("reload: what failed gives back what it took from a rule that goes", ENGINE)
def failed_takes_back(t):
    """b wants a's address and one in use: b fails, and a, which goes, is removed all the same."""
    up, taken, one, two = Upstream(t), Upstream(t), t.port(), t.port()
    d = t.start({"a": {"listen": local(one), "upstream": up.address},
                 "b": {"listen": local(two), "upstream": up.address}})
    pair = open_pair(t, one, up)
    d.reload({"b": {"listen": [local(two, one)[1], taken.address], "upstream": up.address}},
             rules=1, listeners=1, removed=1, failed=1)
    check(is_refused(one), "an address is open that no rule has")
    open_pair(t, two, up).end()
    pair.talk()
    pair.end()


# --- the manager -----------------------------------------------------------------------------

@test("reload: RELOADING=1, then READY=1; for a bad file too", ENGINE, ("systemd",))
def notify(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    good = d.text
    check_equal(d.notify.count("RELOADING=1"), 0, "RELOADING=1 before any")
    for number, text in enumerate((good, "rubbish {", good), 1):
        (d.reload if text == good else d.reload_fails)(d.rewrite(text))
        wait_for(lambda: d.notify.count("READY=1") == number + 1, "READY=1")
        check_equal(d.notify.count("RELOADING=1"), number, "RELOADING=1")
        order = [l for m in d.notify.poll() for l in m if l in ("RELOADING=1", "READY=1")]
        check_equal(order[1:], ["RELOADING=1", "READY=1"] * number, "order")


@test("reload: the time in RELOADING=1 is not before the signal", ENGINE, ("systemd",))
def notify_time(t):
    """Else the manager takes it for an answer to an earlier reload (sd_notify(3))."""
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    for number in range(1, 21):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        d.reload(changed=0)
        wait_for(lambda: d.notify.count("READY=1") == number + 1, "READY=1")
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        message = [m for m in d.notify.poll() if "RELOADING=1" in m][-1]
        found = re.search(r"^MONOTONIC_USEC=(\d+)$", "\n".join(message), re.M)
        check(found, "RELOADING=1 without MONOTONIC_USEC: %r" % message)
        check(before <= int(found.group(1)) <= after, "reload %d: MONOTONIC_USEC=%s is not from %d "
              "to %d" % (number, found.group(1), before, after))


@test("reload: a burst of 1,000 SIGHUPs is few reloads, and the last config holds", ENGINE)
def burst(t):
    up, new, port = Upstream(t), Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    pair = open_pair(t, port, up)
    start = len(d.lines())
    for i in range(1000):
        if i == 500:
            d.rewrite({"r": {"listen": local(port), "upstream": new.address}}, rename=True)
        d.signal(signal.SIGHUP)

    def in_force():
        with t.connect(("127.0.0.1", port)):
            return not new.nobody()
    wait_for(in_force, "the new upstream to be in force")
    d.reload(changed=0)
    outcomes = [l for l in d.lines()[start:] if l.get("msg") == "reloaded"]
    check(1 <= len(outcomes) <= 500, "%d reloads" % len(outcomes))
    check_equal(sum(int(l["changed"]) for l in outcomes), 1, "changes")
    pair.talk()
    pair.end()


@test("reload: SIGTERM in the middle of one ends penstockd", ENGINE)
def term(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    pair = open_pair(t, port, up)
    d.signal(signal.SIGHUP)
    d.signal(signal.SIGTERM)
    d.signal(signal.SIGHUP)
    wait_for(lambda: "stopping" in d.log(), "penstockd to stop")
    pair.talk()
    pair.end()
    check_equal(d.wait_exit(), 0, "exit status")
