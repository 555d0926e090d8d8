# SPDX-License-Identifier: BSD-2-Clause
"""Names of upstreams, resolved by a real dnsmasq while penstock runs."""

import socket

from harness import ENGINE, ONCE, check, check_equal, libc_call, test, wait_for
from names import Greeters, Names, SlowServer, ask, rest

ONE, TWO = "127.0.1.1", "127.0.1.2"


def rule(t, name, port, **options):
    return dict({"listen": "127.0.0.1:%d" % t.port(), "upstream": "%s:%d" % (name, port)}, **options)


def port_of(rule_):
    return int(rule_["listen"].rsplit(":", 1)[1])


def one_rule(t, name, *hosts, **options):
    """A daemon that forwards to `name`, where `hosts` are upstreams. Returns it and its port."""
    r = rule(t, name, Greeters(t, *hosts).port, **options)
    return t.start({"rule": r}), port_of(r)


def becomes(t, port, who):
    wait_for(lambda: ask(t, port) == who, "%s to answer" % who)


@test("a name's target changes when its TTL ends", ENGINE)
def _(t):
    names = Names(t)
    names.serve("--local-ttl=1", "--host-record=a.test,%s" % ONE)
    d, port = one_rule(t, "a.test", ONE, TWO)
    check_equal(ask(t, port), ONE, "who answers")
    names.serve("--local-ttl=1", "--host-record=a.test,%s" % TWO)
    becomes(t, port, TWO)
    wait_for(lambda: any(s["upstream"].startswith(TWO + ":") for s in d.sessions(end="done")),
             "a line that names the new target")


@test("an answer is kept for its TTL, and asked for once", ENGINE)
def _(t):
    names = Names(t)
    names.serve("--local-ttl=3600", "--host-record=a.test,%s" % ONE)
    _, port = one_rule(t, "a.test", ONE, TWO)
    for _ in range(20):
        check_equal(ask(t, port), ONE, "who answers")
    check_equal(names.queries("a.test"), 1, "queries")
    names.serve("--local-ttl=3600", "--host-record=a.test,%s" % TWO)
    check_equal(ask(t, port), ONE, "who answers, by the answer that is kept")


@test("a TTL of 0 is asked for each time", ONCE)
def _(t):
    names = Names(t)
    names.serve("--local-ttl=0", "--host-record=a.test,%s" % ONE)
    _, port = one_rule(t, "a.test", ONE, TWO)
    for _ in range(5):
        check_equal(ask(t, port), ONE, "who answers")
    check_equal(names.queries("a.test"), 5, "queries")
    names.serve("--local-ttl=0", "--host-record=a.test,%s" % TWO)
    check_equal(ask(t, port), TWO, "who answers")


@test("a name that does not resolve resets clients, until it does", ENGINE)
def _(t):
    names = Names(t)
    names.serve("--local=/test/")
    d, port = one_rule(t, "a.test", ONE)
    check_equal(ask(t, port), "reset", "what a client sees")
    d.wait_sessions(1, end="resolve-failed")
    names.serve("--local=/test/", "--host-record=a.test,%s" % ONE)
    becomes(t, port, ONE)


@test("a name without a name server resets clients, until there is one", ENGINE)
def _(t):
    names = Names(t)
    d, port = one_rule(t, "a.test", ONE, connect_timeout="500ms")
    check_equal(ask(t, port), "reset", "what a client sees")
    wait_for(lambda: d.sessions(end="resolve-failed"), "a line with end=resolve-failed")
    names.serve("--host-record=a.test,%s" % ONE)
    becomes(t, port, ONE)


@test("a slow name server delays its own names only", ENGINE)
def _(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.serve("--server=/slow.test/127.0.0.54", "--local-ttl=0", "--host-record=a.test,%s" % ONE)
    greeters = Greeters(t, ONE, TWO)
    slow_rule = rule(t, "x.slow.test", greeters.port, connect_timeout="1min")
    fast_rule = rule(t, "a.test", greeters.port)
    plain_rule = rule(t, TWO, greeters.port)
    t.start({"slow": slow_rule, "fast": fast_rule, "plain": plain_rule})
    waiting = t.connect(("127.0.0.1", port_of(slow_rule)))
    wait_for(slow.asked, "the slow server to be asked")
    for _ in range(10):
        check_equal(ask(t, port_of(fast_rule)), ONE, "who answers for the other name")
        check_equal(ask(t, port_of(plain_rule)), TWO, "who answers for an address")
    waiting.setblocking(False)
    try:
        check(False, "the slow rule's client got %r" % waiting.recv(1))
    except BlockingIOError:
        pass
    waiting.setblocking(True)
    slow.answer(TWO)
    check_equal(rest(waiting), TWO, "who answers at last")


@test("a name server that never answers is given up on", ENGINE)
def _(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    d, port = one_rule(t, "a.test", ONE, connect_timeout="300ms")
    check_equal(ask(t, port), "reset", "what a client sees")
    check(slow.asked(), "it was not asked")
    d.wait_sessions(1, end="resolve-failed")


@test("a name server that drops AAAA queries does not use up connect_timeout", ONCE)
def _(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    _, port = one_rule(t, "a.test", ONE)
    client = t.connect(("127.0.0.1", port))
    wait_for(lambda: slow.asked() >= 2, "A and AAAA to be asked")
    slow.answer(ONE, kinds=(1,))
    check_equal(rest(client), ONE, "who answers")


@test("clients of one name at a time are one query", ENGINE)
def _(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    _, port = one_rule(t, "a.test", ONE, connect_timeout="1min")
    clients = [t.connect(("127.0.0.1", port)) for _ in range(100)]
    wait_for(lambda: slow.asked() >= 2, "A and AAAA to be asked")
    clients += [t.connect(("127.0.0.1", port)) for _ in range(100)]
    check_equal(len({query[:2] for query, _ in slow.kept}), 2, "queries, not counting repeats")
    slow.answer(ONE)
    for c in clients:
        check_equal(rest(c), ONE, "who answers")


@test("clients that leave while their name is resolved leave nothing", ENGINE)
def _(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    d, port = one_rule(t, "a.test", ONE, connect_timeout="1min")
    clients = [t.connect(("127.0.0.1", port)) for _ in range(20)]
    wait_for(slow.asked, "the server to be asked")
    for c in clients[::2]:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        c.close()
    d.wait_sessions(10, end="client-reset")
    slow.answer(ONE)
    for c in clients[1::2]:
        check_equal(rest(c), ONE, "who answers")


@test("/etc/hosts counts, and each change at once", ENGINE)
def _(t):
    names = Names(t)
    names.serve("--host-record=in-hosts.test,127.0.1.9")
    names.hosts("%s in-hosts.test" % ONE)
    _, port = one_rule(t, "in-hosts.test", ONE, TWO)
    check_equal(ask(t, port), ONE, "who answers")
    names.hosts("%s in-hosts.test" % TWO)
    check_equal(ask(t, port), TWO, "who answers")
    check_equal(names.queries("in-hosts.test"), 0, "queries")


@test("localhost is the loopback address, also without /etc/hosts", ENGINE)
def _(t):
    Names(t)
    libc_call("mount", b"none", b"/etc", b"tmpfs", 0, None)  # our own, and empty
    with open("/etc/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.53\n")
    _, port = one_rule(t, "localhost", "127.0.0.1")
    check_equal(ask(t, port), "127.0.0.1", "who answers")


@test("every address of a name is tried", ENGINE)
def _(t):
    names = Names(t)
    names.serve("--host-record=a.test,%s,::1" % TWO)
    names.hosts("%s b.test" % ONE, "127.0.1.3 b.test", "%s b.test" % TWO)
    greeters = Greeters(t, TWO)
    rules = {"dns": rule(t, "a.test", greeters.port), "hosts": rule(t, "b.test", greeters.port)}
    d = t.start(rules)
    for r in rules.values():
        for _ in range(5):
            check_equal(ask(t, port_of(r)), TWO, "who answers")
    check_equal(len(d.wait_sessions(10, end="done", upstream="%s:%d" % (TWO, greeters.port))), 10,
                "lines that name the address that answered")


@test("no address of a name answers", ONCE)
def _(t):
    names = Names(t)
    names.hosts("%s a.test" % ONE, "%s a.test" % TWO)
    d, port = one_rule(t, "a.test")
    check_equal(ask(t, port), "reset", "what a client sees")
    d.wait_sessions(1, end="connect-refused")


@test("an answer too long for a datagram comes over TCP", ENGINE)
def _(t):
    names = Names(t)
    names.serve(*["--host-record=many.test,127.0.2.%d" % i for i in range(1, 60)])
    r = rule(t, "many.test", Greeters(t, "0.0.0.0").port)
    t.start({"rule": r})
    for _ in range(3):
        check_equal(ask(t, port_of(r)), "0.0.0.0", "who answers")
    check(names.queries("many.test") >= 2, "it was not asked for over TCP")


@test("a known address stays in use while name servers fail", ENGINE)
def _(t):
    names = Names(t)
    names.serve("--local-ttl=1", "--host-record=a.test,%s" % ONE)
    d, port = one_rule(t, "a.test", ONE, TWO)
    check_equal(ask(t, port), ONE, "who answers")
    names.stop()

    def noticed():
        check_equal(ask(t, port), ONE, "who answers meanwhile")
        return "the last known addresses stay in use" in d.log()
    wait_for(noticed, "a warning that the name servers fail")
    check_equal(ask(t, port), ONE, "who answers after it")
    names.serve("--local-ttl=1", "--host-record=a.test,%s" % TWO)
    becomes(t, port, TWO)
    check_equal(d.log().count("the last known addresses stay in use"), 1, "warnings")
    check_equal(d.log().count("the name servers answer again"), 1, "lines about their return")


@test("a new resolv.conf is used at once, also by those who wait", ENGINE)
def _(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    names.serve("--host-record=a.test,%s" % ONE)
    _, port = one_rule(t, "a.test", ONE, connect_timeout="1min")
    first = t.connect(("127.0.0.1", port))
    wait_for(slow.asked, "the old server to be asked")
    names.resolv_conf("127.0.0.53")
    check_equal(ask(t, port), ONE, "who answers the second client")
    check_equal(rest(first), ONE, "who answers the first")
