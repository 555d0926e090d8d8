# SPDX-License-Identifier: BSD-2-Clause
"""The address that a session's datagrams are sent from is lost: the client, who knows nothing of
it and goes on, gets an answer again."""

import signal

from harness import check_equal, wait_for
from net import V4, V6, at, networks
from udp import over, udp_test, while_stopped

PORT, TO = 5000, 7000


def set_out(t, family):
    """A client that has been answered, through a rule to B."""
    net = networks(t, a=1, b=1)
    d = t.start({"r": {"listen": at(family.of("a"), PORT),
                       "upstream": at(family.of("b", 10), TO), "max_connections": 1000}})
    client, upstream = (h[0].peer(p, ipv6=family is V6) for h, p in ((net.a, 0), (net.b, TO)))
    ask(client, family, upstream, family.of("b"))
    return net, d, client, upstream


def ask(client, family, upstream, source):
    client.send(b"question", family.of("a"), PORT)
    seen = upstream.receive(b"question")
    check_equal(seen.source[0], source, "from where it was sent")
    upstream.answer(seen, b"answer")
    client.receive(b"answer")


def asks_until_answered(client, family, upstream):
    """Gives from where the one was sent that was answered."""
    def answered():
        client.send(b"again", family.of("a"), PORT)
        for seen in upstream.waiting():
            try:
                upstream.answer(seen, b"heard " + seen.source[0].encode())
            except OSError:  # a new IPv6 address is not used at once, and for another there is no way
                pass
        return client.take()
    return wait_for(answered, "an answer").data.split()[1].decode()


def lose(net, family):
    """B's side of the relay has another address from here on."""
    net.relay.ip("address del %s/%d dev eth2" % (family.of("b"), 64 if family is V6 else 24),
                 "address add %s/%d dev eth2" % (family.of("b", 7), 64 if family is V6 else 24))


def each(name):
    def register(function):
        for kind, family in (("IPv4", V4), ("IPv6", V6)):
            add = udp_test("UDP, an address is lost: %s, %s" % (name, kind),
                           needs=("ipv6",) if family is V6 else ())
            add(lambda t, family=family: function(t, family))
        return function
    return register


@each("the next datagram goes from the new one")
def replaced(t, family):
    net, d, client, upstream = set_out(t, family)
    lose(net, family)
    check_equal(asks_until_answered(client, family, upstream), family.of("b", 7), "from where")
    first = d.wait_sessions(1)[0]
    check_equal((first["end"], first["out"]), ("address-gone", "6"), "the end")
    over(d)


@each("also when another process has gone on meanwhile")
def handed_over(t, family):
    net, d, client, upstream = set_out(t, family)

    def both():
        lose(net, family)
        d.signal(signal.SIGUSR2)
    start = len(d.lines())
    while_stopped(d)(both)
    d.wait_line(start, "listening")
    check_equal(asks_until_answered(client, family, upstream), family.of("b", 7), "from where")


@each("sessions that have nothing to do with it go on")
def others(t, family):
    net, d, client, upstream = set_out(t, family)
    length = 64 if family is V6 else 24
    net.relay.ip("address add %s/%d dev eth2" % (family.of("b", 8), length),
                 "address add %s/%d dev eth1" % (family.of("a", 8), length))
    net.relay.ip("address del %s/%d dev eth2" % (family.of("b", 8), length),
                 "address del %s/%d dev eth1" % (family.of("a", 8), length))
    other = net.a[0].peer(ipv6=family is V6)
    for _ in range(5):
        ask(client, family, upstream, family.of("b"))
        ask(other, family, upstream, family.of("b"))
    check_equal(len(d.sessions()), 0, "sessions that have ended")
    over(d)
    check_equal(len(d.wait_sessions(2)), 2, "sessions")


@udp_test("UDP, an address is lost: of many sessions each ends, answered or not")
def many(t):
    net, d, client, upstream = set_out(t, V4)
    others = [net.a[0].peer(10000 + i) for i in range(700)]
    for peer in others:
        peer.send(b"hello", V4.of("a"), PORT)
        upstream.receive(b"hello")
    lose(net, V4)
    lines = d.wait_sessions(len(others) + 1)
    check_equal({line["end"] for line in lines}, {"address-gone"}, "the ends")
    check_equal(asks_until_answered(client, V4, upstream), V4.of("b", 7), "from where")
    over(d)


@udp_test("UDP, an address is lost: but the routes send from it all the same")
def no_interface_has_it(t):
    """All of 203.0.113.0/24 is local, and no interface has an address of it."""
    net = networks(t, a=1, b=1)
    net.relay.ip("route add local 203.0.113.0/24 dev lo",
                 "route add 10.9.0.0/24 via %s src 203.0.113.7" % V4.of("b", 10))
    net.b[0].ip("address add 10.9.0.1/24 dev lo", "route add 203.0.113.0/24 via %s" % V4.of("b"))
    d = t.start({"r": {"listen": at(V4.of("a"), PORT), "upstream": at("10.9.0.1", TO)}})
    client, upstream = net.a[0].peer(), net.b[0].peer(TO, "10.9.0.1")
    ask(client, V4, upstream, "203.0.113.7")
    net.relay.ip("address add %s/24 dev eth1" % V4.of("a", 8),
                 "address del %s/24 dev eth1" % V4.of("a", 8))
    ask(client, V4, upstream, "203.0.113.7")
    check_equal(len(d.sessions()), 0, "sessions that have ended")


@udp_test("UDP: an upstream's interface that is not there is a warning, and soon")
def no_interface(t):
    net = networks(t, a=1, b=1)
    d = t.start({"r": {"listen": at(V4.of("a"), PORT),
                       "upstream": {"address": at(V4.of("b", 10), TO), "interface": "nosuch0"}}})
    client = net.a[0].peer()
    client.send(b"question", V4.of("a"), PORT)
    line, = d.wait_sessions(1)
    check_equal((line["level"], line["end"], line["error"]),
                ("warning", "connect-failed", "No such device"), "its line")


@udp_test("UDP: a broadcast address as an upstream that is not said to be one")
def not_said(t):
    net = networks(t, a=1, b=1)
    d = t.start({"r": {"listen": at(V4.of("a"), PORT), "upstream": at("10.2.0.255", TO)}})
    client = net.a[0].peer()
    client.send(b"question", V4.of("a"), PORT)
    line, = d.wait_sessions(1)
    check_equal((line["end"], line["error"]),
                ("connect-failed",
                 "Permission denied (a broadcast address needs broadcast = true)"), "its line")
