# SPDX-License-Identifier: BSD-2-Clause
"""UDP: a reload keeps the sessions of what has not changed, and SIGTERM ends all."""

import signal
import subprocess

from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from udp import (Pair, Upstream, listeners, nothing, open_pair, open_socket, settle_turn, udp,
                 udp_test, while_stopped)


@udp_test("udp: reload: nothing has changed: the same sockets, the same sessions")
def unchanged(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": [udp(port), "udp:*:%d" % t.port()], "upstream": up.address}})
    before = listeners(d)
    check_equal(len(before), 2, "listeners")
    pairs = [open_pair(t, port, up) for _ in range(5)]
    mute = Pair(t, port, up).ask()
    for _ in range(3):
        d.reload(rules=1, listeners=2, added=0, removed=0, changed=0, failed=0)
        for p in pairs:
            p.talk()
    mute.answer()
    check_equal(listeners(d), before, "listening sockets")
    open_pair(t, port, up)
    check_equal(d.sessions(), [], "lines of sessions")


@udp_test("udp: reload: a rule added, one removed, one with other options")
def changes(t):
    up, ports = Upstream(t), [t.port() for _ in range(4)]
    same, gone, changed, new = ports
    rules = {name: {"listen": udp(port), "upstream": up.address}
             for name, port in (("same", same), ("gone", gone), ("changed", changed))}
    d = t.start(rules)
    before = listeners(d)
    pairs = {name: open_pair(t, port, up)
             for name, port in (("same", same), ("gone", gone), ("changed", changed))}
    d.reload({"same": rules["same"],
              "changed": dict(rules["changed"], max_connections=5, udp_replies=100),
              "new": {"listen": udp(new), "upstream": up.address}},
             added=1, removed=1, changed=1, failed=0)
    line = pairs["gone"].ended(d)
    check_equal((line["end"], line["rule"]), ("drained", "gone"), "the removed rule's session")
    after = listeners(d)
    check_equal({k: v for k, v in after.items() if k in before},
                {k: v for k, v in before.items() if k != "127.0.0.1:%d" % gone},
                "sockets of what stays")
    for name in ("same", "changed"):
        pairs[name].talk().lives(d)
    open_pair(t, new, up)
    s = open_socket(t, ("127.0.0.1", t.port()), connect=("127.0.0.1", gone))
    s.send(b"is anybody there?")
    try:
        check(False, "a removed rule has answered: %r" % s.recv(100))
    except ConnectionRefusedError:
        pass


@udp_test("udp: reload: a rule that is removed and comes back")
def comes_back(t):
    up, port = Upstream(t), t.port()
    rest = {"rest": {"listen": udp(t.port()), "upstream": up.address}}
    rule = {"r": {"listen": udp(port), "upstream": up.address, "max_connections": 1}}
    d = t.start(dict(rest, **rule))
    pair = open_pair(t, port, up)
    for _ in range(3):
        d.reload(rest, removed=1)
        pair.ended(d, end="drained")
        d.reload(dict(rest, **rule), added=1)
        pair.anew()
    check_equal(len(d.sessions(client=pair.name, end="drained")), 3, "its sessions so far")


def changed_upstream(t, on_change, drain="1h"):
    old, new, port, other = Upstream(t), Upstream(t), t.port(), t.port()
    rules = {"r": {"listen": udp(port), "upstream": old.address, "on_change": on_change},
             "other": {"listen": udp(other), "upstream": old.address, "on_change": on_change}}
    d = t.start(rules, daemon={"drain_timeout": drain})
    pairs, aside = [open_pair(t, port, old) for _ in range(3)], open_pair(t, other, old)
    d.reload(dict(rules, r=dict(rules["r"], upstream=new.address)), changed=1)
    open_pair(t, port, new)
    aside.talk().lives(d)
    return d, new, pairs, aside


for name_, option in (("keep", "keep"), ("drain, while there is time", "drain:1h")):
    def stays(t, option=option):
        d, _, pairs, aside = changed_upstream(t, option)
        for p in pairs:
            p.talk()
        d.reload()
        for p in (*pairs, aside):
            p.talk().lives(d)
    udp_test("udp: reload: another upstream, %s: sessions stay with theirs" % name_)(stays)

for name_, option, word, drain_ in (("kill", "kill", "killed", "1h"),
                                    ("drain takes drain_timeout", "drain", "drained", "200ms"),
                                    ("drain with a time of its own", "drain:200ms", "drained",
                                     "1h")):
    def moves(t, option=option, word=word, drain=drain_):
        d, new, pairs, aside = changed_upstream(t, option, drain)
        for p in pairs:
            check_equal(p.ended(d)["end"], word, "end of a session of the old upstream")
            p.anew(new)
        aside.talk().lives(d)
    udp_test("udp: reload: another upstream, %s: then clients go to the new one" % name_)(moves)


@udp_test("udp: reload: an upstream that ends a drained session by its silence")
def drained_by_silence(t):
    old, new, port = Upstream(t), Upstream(t), t.port()
    rule = {"listen": udp(port), "upstream": old.address, "on_change": "drain:1h",
            "udp_timeout": "1500ms"}
    d = t.start({"r": rule})
    pair = open_pair(t, port, old)
    d.reload({"r": dict(rule, upstream=new.address, udp_timeout="1h")}, changed=1)
    check_equal(pair.ended(d)["end"], "idle-timeout", "its end, by the time it began with")
    pair.anew(new)


@udp_test("udp: reload: a listener goes from one rule to another, and takes its sessions along")
def between_rules(t):
    one, two = Upstream(t), Upstream(t)
    port, a, b = t.port(), t.port(), t.port()

    def rules(first, second):
        return {"one": {"listen": [udp(a)] + first, "upstream": one.address},
                "two": {"listen": [udp(b)] + second, "upstream": two.address}}
    d = t.start(rules([udp(port)], []))
    before = listeners(d)
    pair = open_pair(t, port, one)
    d.reload(rules([], [udp(port)]), changed=2)
    check_equal(listeners(d), before, "sockets")
    pair.talk()
    late = open_pair(t, port, two)
    pair.talk().lives(d)
    d.reload(rules([udp(port)], []), changed=2)
    pair.talk().lives(d)
    late.talk().lives(d)
    open_pair(t, port, one)
    d.reload({"two": rules([], [])["two"]}, removed=1)
    check_equal((pair.ended(d)["rule"], pair.ended(d)["end"]), ("one", "drained"), "its line")
    check_equal(late.ended(d)["end"], "drained", "end of the other rule's session")


@udp_test("udp: reload: an address goes, the rule's others stay")
def one_address(t):
    up, a, b, c = Upstream(t), t.port(), t.port(), t.port()
    d = t.start({"r": {"listen": udp(a, b), "upstream": up.address}})
    at_a, at_b = open_pair(t, a, up), open_pair(t, b, up)
    d.reload({"r": {"listen": udp(b, c), "upstream": up.address}}, changed=1)
    check_equal(at_a.ended(d)["end"], "drained", "end of the session at the address that went")
    at_b.talk().lives(d)
    open_pair(t, c, up)


@udp_test("udp: reload: an address gives way to one that overlaps with it")
def overlap(t):
    up, port = Upstream(t), t.port()

    def rule(listen):
        return {"r": {"listen": listen % port, "upstream": up.address}}
    forms = ["udp:127.0.0.1:%d", "udp:*:%d", "udp:0.0.0.0:%d", "udp:127.0.0.1:%d"]
    d = t.start(rule(forms[0]))
    pair = open_pair(t, port, up)
    for form in forms[1:]:
        d.reload(rule(form), changed=1, failed=0)
        check_equal(len(listeners(d)), 1, "listeners")
        pair.ended(d, end="drained")
        pair.anew()
    check_equal(len(d.sessions(client=pair.name, end="drained")), 3, "its sessions so far")


@udp_test("udp: reload: an address gives way to itself in another way")
def another_way(t):
    """The socket is another one: it tells the interface, or others may be bound beside it."""
    up, port = Upstream(t), t.port()
    ways = [{"interface": "lo"}, {"broadcast": True, "interface": "lo"}, {"broadcast": True},
            {}, {"broadcast": True, "interface": "lo"}, {"interface": "lo"},
            {"broadcast": True}, {"interface": "lo"}, {}, {"interface": "lo"}]

    def rule(way):
        return {"r": dict({"listen": udp(port), "upstream": up.address}, **way)}
    d = t.start(rule(ways[0]))
    pair = open_pair(t, port, up)
    for way in ways[1:]:
        d.reload(rule(way), changed=1, failed=0)
        check_equal(len(listeners(d)), 1, "listeners")
        pair.ended(d, end="drained")
        pair.anew()
        before = listeners(d)
        d.reload(failed=0)
        check_equal(listeners(d), before, "sockets, when it is as it was")
        pair.talk()
    check_equal(len(d.sessions(client=pair.name, end="drained")), len(ways) - 1,
                "its sessions so far")


@udp_test("udp: reload: an address takes broadcasts from then on, and another rule beside it")
def beside_broadcasts(t):
    up, port = Upstream(t), t.port()

    def rule(interface):
        return {"listen": "udp:0.0.0.0:%d" % port, "broadcast": True, "interface": interface,
                "upstream": up.address}
    alone = {"listen": "udp:0.0.0.0:%d" % port, "upstream": up.address}
    aside = {"listen": udp(t.port()), "interface": "lo", "upstream": up.address}
    d = t.start({"aside": aside, "r": alone})
    pair = open_pair(t, port, up)
    d.reload({"aside": aside, "none": rule("none"), "r": rule("lo")}, added=1, changed=1, failed=0)
    pair.ended(d, end="drained")
    d.reload({"aside": aside, "r": alone}, removed=1, changed=1, failed=0)
    pair.anew()


@udp_test("udp: reload: a group that is bound to all addresses gives way to one of these",
          needs=("ipv6",))
def link_local_group(t):
    up, port = Upstream(t), t.port()
    group = {"r": {"listen": "udp:[ff02::fb]:%d" % port, "interface": "lo",
                   "upstream": up.address}}
    host = {"r": {"listen": "udp:[::1]:%d" % port, "upstream": up.address}}
    d = t.start(group)
    for config in (host, group, host):
        d.reload(config, changed=1, failed=0)
        check_equal(len(listeners(d)), 1, "listeners")
    Pair(t, ("::1", port), up).talk()


@udp_test("udp: reload: limits of sessions that are there: lower, higher, another on_limit")
def limits(t):
    up, port = Upstream(t), t.port()
    rule = {"listen": udp(port), "upstream": up.address}
    d = t.start({"r": rule})
    pairs = [open_pair(t, port, up) for _ in range(4)]
    d.reload({"r": dict(rule, max_connections=3)}, changed=1)
    late = Pair(t, port, up)
    late.client.send(b"too many")
    settle_turn(pairs[0])
    check(up.nothing() and nothing(late.client), "one more came in")
    for p in pairs:
        p.talk().lives(d)
    d.reload({"r": dict(rule, max_connections=5)}, changed=1)
    late.talk()
    d.reload({"r": dict(rule, max_connections=5, on_limit="evict")}, changed=1)
    last = open_pair(t, port, up)
    check_equal(pairs[0].ended(d)["end"], "evicted", "end of the one that has been silent longest")
    for p in (*pairs[1:], late, last):
        p.talk().lives(d)


@udp_test("udp: reload: a config that is no good changes nothing")
def bad(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address}})
    before, pair = listeners(d), open_pair(t, port, up)
    good = d.text
    d.reload_fails({"r": {"listen": udp(port), "upstream": "127.0.0.1:1-3"}})
    d.reload_fails({"r": {"listen": [udp(port), udp(port)], "upstream": up.address}})
    taken = open_socket(t, ("127.0.0.1", t.port()))
    d.reload({"r": {"listen": udp(port), "upstream": up.address},
              "new": {"listen": udp(taken.getsockname()[1]), "upstream": up.address}}, failed=1)
    d.reload(good)
    check_equal(listeners(d), before, "listening sockets")
    pair.talk().lives(d)


@udp_test("udp: reload: datagrams that come meanwhile are not lost")
def meanwhile(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address}})
    pair = open_pair(t, port, up)
    for number in range(10):
        def burst():
            d.rewrite({"r": {"listen": udp(port), "upstream": up.address,
                             "max_connections": 100 + number}})
            d.signal(signal.SIGHUP)
            for i in range(20):
                pair.client.send(b"%d %d" % (number, i))
        start = len(d.lines())
        while_stopped(d)(burst)
        d.reloaded(start, changed=1)
        for i in range(20):
            check_equal(up.receive(), (b"%d %d" % (number, i), pair.sender), "what came")
    pair.lives(d)


@test("udp: --check: the limits promise more local ports than there are", ONCE)
def ports(t):
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        first, last = map(int, f.read().split())
    path = t.path("ports.conf")
    for limit, upstream, warned in ((last - first + 1, "127.0.0.1:9", False),
                                    (last - first + 2, "127.0.0.1:9", True),
                                    (last - first + 2, "unix:/none", False)):
        with open(path, "w") as f:
            f.write('rules = { r = { listen = [ "udp:127.0.0.1:7", "127.0.0.1:7" ]; '
                    'upstream = "%s"; max_connections = %d; }; };' % (upstream, limit))
        done = subprocess.run([t.binary, "--check", "--config", path], check=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        check_equal(b"ip_local_port_range" in done.stderr, warned, "is there a warning?")


# --- the end ---------------------------------------------------------------------------------

@test("udp: SIGTERM ends all sessions, each with its line", ENGINE)
def term(t):
    up, port, other = Upstream(t), t.port(), t.port()
    unix = Upstream(t, t.path("up.sock"))
    d = t.start({"r": {"listen": udp(port), "upstream": up.address},
                 "u": {"listen": udp(other), "upstream": unix.address}})
    pairs = [open_pair(t, port, up) for _ in range(20)]
    pairs += [open_pair(t, other, unix) for _ in range(3)]
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    lines = d.sessions()
    check_equal(sorted(l["client"] for l in lines), sorted(p.name for p in pairs), "clients")
    check(all(l["end"] in ("drained", "shutdown") for l in lines),
          "ends: %r" % sorted({l["end"] for l in lines}))
    check_equal([(l["datagrams_in"], l["datagrams_out"]) for l in lines], [("1", "1")] * len(pairs),
                "datagrams")


@test("udp: SIGTERM with nothing but silent sessions waits for nobody", ENGINE)
def term_at_once(t):
    """drain_timeout is for those that end by themselves; a datagram session has no end."""
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address}},
                daemon={"drain_timeout": "1h"})
    open_pair(t, port, up)
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check_equal(len(d.sessions()), 1, "lines of sessions")


@test("udp: a second SIGTERM ends it at once", ENGINE)
def term_twice(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address}},
                daemon={"drain_timeout": "1h"})
    open_pair(t, port, up)
    d.signal(signal.SIGTERM)
    wait_for(lambda: not d.alive() or "stopping" in d.log(), "penstockd to stop")
    if d.alive():
        d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check_equal(len(d.sessions()), 1, "lines of sessions")
