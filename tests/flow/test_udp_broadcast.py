# SPDX-License-Identifier: BSD-2-Clause
"""Broadcasts across networks, and listeners that are to have none."""

import socket

from harness import check, check_equal
from net import V4, at, networks
from udp import listeners, over, udp_test

PORT = 5000
ALL = "255.255.255.255"


def rule(upstream, port=PORT, host="0.0.0.0", **options):
    """A rule that takes the broadcasts of network A."""
    return dict({"listen": {"address": at(host, port), "broadcast": True, "interface": "eth1"},
                 "upstream": upstream}, **options)


def everybody(port=PORT, host=ALL, **options):
    """All of network B as an upstream."""
    return dict({"address": at(host, port), "interface": "eth2", "broadcast": True}, **options)


@udp_test("UDP broadcasts: to all of another network, and back")
def across(t):
    net = networks(t, a=2, b=2)
    d = t.start({"limited": rule(everybody()),
                 "directed": rule({"address": at("10.2.0.255", PORT + 1), "broadcast": True},
                                  PORT + 1)})
    client = net.a[0].peer()
    for port, seen_as in ((PORT, ALL), (PORT + 1, "10.2.0.255")):
        receivers = [host.peer(port) for host in net.b]
        for to in (ALL, "10.1.0.255"):
            for size in (4, 0, 1400, 4000):
                data = to.encode() * size
                client.send(data[:size], to, port)
                asked = [r.receive(data[:size]) for r in receivers]
                for seen in asked:
                    check_equal((seen.source[0], seen.to), (V4.of("b"), seen_as),
                                "from whom and to where B hears it")
            for i, r in enumerate(receivers):
                r.answer(asked[i], b"answer %d" % i)
                check_equal(client.receive(b"answer %d" % i).source, (V4.of("a"), port),
                            "who answers the client")
        check_equal([r.waiting() for r in receivers], [[], []], "what else came")


@udp_test("UDP broadcasts: to hosts, a list and a group")
def upstreams(t):
    net = networks(t, a=1, b=2)
    hosts = [V4.of("b", 10), V4.of("b", 11)]
    d = t.start({"host": rule(at(hosts[0], 7000)),
                 "list": rule([at(h, 7000) for h in hosts], PORT + 1),
                 "group": rule({"address": at(V4.group, 7000), "interface": "eth2"}, PORT + 2)})
    receivers = [host.peer(7000) for host in net.b]
    receivers[1].join(V4.group)
    client = net.a[0].peer()
    for port, reached in ((PORT, [0]), (PORT + 1, [0, 1]), (PORT + 2, [1])):
        client.send(b"to %d" % port, ALL, port)
        for i in reached:
            receivers[i].answer(receivers[i].receive(b"to %d" % port), b"answer %d" % i)
            check_equal(client.receive(b"answer %d" % i).source, (V4.of("a"), port),
                        "who answers the client")
    check_equal([r.waiting() for r in receivers], [[], []], "what else came")


@udp_test("UDP broadcasts: from a unicast listener")
def from_host(t):
    """Wake-on-LAN from afar."""
    net = networks(t, a=1, b=2)
    d = t.start({"wake": {"listen": at(V4.of("a"), PORT), "upstream": everybody(9)}})
    sleepers = [host.peer(9) for host in net.b]
    magic = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" * 16
    net.a[0].peer().send(magic, V4.of("a"), PORT)
    for s in sleepers:
        check_equal(s.receive(magic).to, ALL, "where it was sent to")


@udp_test("UDP broadcasts: a listener with broadcast = true takes unicast, too")
def unicast_too(t):
    net = networks(t, a=1, b=1)
    d = t.start({"r": rule(at(V4.of("b", 10), 7000))})
    upstream, client = net.b[0].peer(7000), net.a[0].peer()
    for to in (V4.of("a"), ALL, V4.of("a")):
        client.send(b"to " + to.encode(), to, PORT)
        upstream.answer(upstream.receive(b"to " + to.encode()), b"answer")
        check_equal(client.receive(b"answer").source, (V4.of("a"), PORT), "who answers")


@udp_test("UDP broadcasts: a listener bound to a broadcast address")
def bound(t):
    net = networks(t, a=1, b=1)
    t.start({"all": rule(at(V4.of("b", 10), 7000), host=ALL),
             "net": rule(at(V4.of("b", 10), 7000), PORT + 1, host="10.1.0.255")})
    upstream, client = net.b[0].peer(7000), net.a[0].peer()
    for to, port in ((ALL, PORT), ("10.1.0.255", PORT + 1)):
        other = "10.1.0.255" if to == ALL else ALL
        for address in (other, V4.of("a"), to):
            client.send(address.encode(), address, port)
        seen = upstream.receive(to.encode())
        upstream.answer(seen, b"answer")
        check_equal(client.receive(b"answer").source, (V4.of("a"), port), "who answers")


@udp_test("UDP broadcasts: TTL falls on the way")
def ttl(t):
    net = networks(t, a=1, b=1)
    t.start({"r": rule(everybody())})
    receiver, client = net.b[0].peer(PORT), net.a[0].peer()
    for sent, expected in ((64, 63), (255, 254), (7, 6), (2, 1), (1, 1)):
        client.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, sent)
        client.send(b"%d" % sent, ALL, PORT)
        check_equal(receiver.receive(b"%d" % sent).ttl, expected, "TTL of what left with %d" % sent)


@udp_test("UDP broadcasts: a host listed after a broadcast gets the TTL of any unicast")
def ttl_of_host(t):
    net = networks(t, a=1, b=1)
    t.start({"r": rule((everybody(), at(V4.of("b", 10), 7000)))})
    all_of_b, host, client = net.b[0].peer(PORT), net.b[0].peer(7000), net.a[0].peer()
    with open("/proc/sys/net/ipv4/ip_default_ttl") as f:
        usual = int(f.read())
    client.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)
    for data in (b"first", b"second"):
        client.send(data, ALL, PORT)
        check_equal(all_of_b.receive(data).ttl, 6, "TTL of the broadcast")
        check_equal(host.receive(data).ttl, usual, "TTL of what the host gets")


@udp_test("UDP broadcasts: only on its interface")
def interface(t):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"one": rule(everybody()),
                 "two": dict(rule(everybody()), listen={
                     "address": at("0.0.0.0", PORT + 1), "broadcast": True,
                     "interface": ["eth1", "eth3"]})})
    receivers = [net.b[0].peer(PORT)]
    a, c = net.a[0].peer(), net.c[0].peer()
    for port, passes in ((PORT, []), (PORT + 1, [b"of c"])):
        witness = net.relay.peer(port, interface="eth3") if port == PORT else None
        c.send(b"of c", ALL, port)
        if witness:
            witness.receive(b"of c")
        c.send(b"of c, to the host", V4.of("c"), port)
        if passes:
            check_equal(receivers[0].receive(b"of c").source[0], V4.of("b"), "from whom")
            passes = [b"of c, to the host"]
        a.send(b"marker %d" % port, ALL, port)
        seen = [x.data for x in receivers[0].until(b"marker %d" % port)]
        check_equal(seen, passes, "what came of C")


@udp_test("UDP broadcasts: listeners without broadcast = true take none")
def none(t):
    net = networks(t, a=1, b=1)
    ports = {"0.0.0.0": PORT, "*": PORT + 1}
    d = t.start({"r%d" % p: {"listen": at(host, p), "upstream": at(V4.of("b", 10), 7000)}
                 for host, p in ports.items()})
    upstream, client = net.b[0].peer(7000), net.a[0].peer()
    for port in ports.values():
        witness = net.relay.peer(port + 10, interface="eth1")
        for to in (ALL, "10.1.0.255", "224.0.0.1"):
            client.send(b"broadcast", to, port)
            client.send(b"broadcast", to, port + 10)
            if to != "224.0.0.1":
                witness.receive(b"broadcast")
        client.send(b"marker %d" % port, V4.of("a"), port)
        check_equal(upstream.until(b"marker %d" % port), [], "what came of broadcasts")
    over(d)
    check_equal(len(d.wait_sessions(2)), 2, "sessions")


@udp_test("UDP broadcasts: two rules share a port on two interfaces")
def shared(t):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"a": rule(everybody(PORT + 1)),
                 "c": {"listen": {"address": at("0.0.0.0", PORT), "broadcast": True,
                                  "interface": "eth3"}, "upstream": everybody(PORT + 2)}})
    receivers = [net.b[0].peer(PORT + 1), net.b[0].peer(PORT + 2)]
    clients = [(net.a[0].peer(), V4.of("a"), receivers[0]),
               (net.c[0].peer(), V4.of("c"), receivers[1])]
    # What is sent to the host comes to one of the sockets, whichever rule it is for.
    for _ in range(2):
        for client, relay, receiver in clients:
            for to in (ALL, relay):
                data = b"to " + to.encode()
                client.send(data, to, PORT)
                receiver.answer(receiver.receive(data), b"answer")
                check_equal(client.receive(b"answer").source, (relay, PORT), "who answers")
    stranger = net.b[0].peer()
    stranger.send(b"by an interface of neither", V4.of("b"), PORT)
    clients[0][0].send(b"marker", ALL, PORT)
    receivers[0].receive(b"marker")
    check_equal([r.waiting() for r in receivers], [[], []], "what else came")
    check(d.alive(), "penstockd has ended")


@udp_test("UDP broadcasts: one rule that joins two networks")
def reflected(t):
    net = networks(t, a=2, b=2)
    both = ["eth1", "eth2"]
    d = t.start({"r": {"listen": {"address": at("0.0.0.0", PORT), "broadcast": True,
                                  "interface": both},
                       "upstream": {"address": at(ALL, PORT), "broadcast": True,
                                    "interface": both}}})
    beside, across = net.a[1].peer(PORT), net.b[1].peer(PORT)
    a, b = net.a[0].peer(), net.b[0].peer()
    a.send(b"from A", ALL, PORT)
    check_equal(beside.receive(b"from A").source[0], V4.of("a", 10), "from whom A hears A")
    check_equal(across.receive(b"from A").source[0], V4.of("b"), "from whom B hears A")
    b.send(b"from B", "10.2.0.255", PORT)
    check_equal(across.receive(b"from B").source[0], V4.of("b", 10), "from whom B hears B")
    check_equal(beside.receive(b"from B").source[0], V4.of("a"), "from whom A hears B")
    check_equal(beside.waiting() + across.waiting(), [], "what else came")
    # To the host alone it has been said to nobody else.
    a.send(b"to the relay", V4.of("a"), PORT)
    check_equal(beside.receive(b"to the relay").source[0], V4.of("a"), "from whom A hears it")
    check_equal(across.receive(b"to the relay").source[0], V4.of("b"), "from whom B hears it")


@udp_test("UDP broadcasts: the address of a network needs broadcast = true")
def undeclared(t):
    net = networks(t, a=1, b=1)
    upstream = at(V4.of("b", 10), 7000)
    rules = {"r": rule(upstream, PORT + 1)}
    d = t.start(rules)
    d.reload(dict(rules, all={"listen": at("10.1.0.255", PORT), "upstream": upstream}))
    check("needs broadcast = true" in d.log(), "it is not said what is missing")
    check(not any("10.1.0.255" in a for a in listeners(d)), "it is listened on")
    declared = {"address": at("10.1.0.255", PORT), "broadcast": True}
    d.reload(dict(rules, all={"listen": declared, "upstream": upstream}))
    receiver = net.b[0].peer(7000)
    net.a[0].peer().send(b"to all", "10.1.0.255", PORT)
    receiver.receive(b"to all")
