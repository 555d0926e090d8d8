# SPDX-License-Identifier: BSD-2-Clause
"""Groups of IPv4 and IPv6 across networks: to groups, to hosts, to many, and the way back."""

import os

from harness import check, check_equal
from net import V4, V6, Family, at, filters, networks, wait_members
from udp import over, udp_test

PORT = 5000


def both(name):
    """Decorator: function(t, v) is a test for each family."""
    def register(function):
        for v in (V4, V6):
            add = udp_test("UDP groups: %s, %s" % (name, v), needs=("ipv6",) if v is V6 else ())
            add(lambda t, v=v: function(t, v))
        return function
    return register


def from_group(v, upstream, port=PORT, **options):
    """A rule that listens to the family's group on network A."""
    return dict({"listen": at(v.group, port), "interface": "eth1", "upstream": upstream}, **options)


def group(v, port=PORT, **options):
    """The family's group on network B as an upstream."""
    return dict({"address": at(v.group, port), "interface": "eth2"}, **options)


@both("to a group in another network")
def to_group(t, v):
    net = networks(t, a=1, b=2)
    d = t.start({"r": from_group(v, group(v))})
    wait_members(d, v.group, "eth1")
    receivers = [host.member(v.group, PORT) for host in net.b]
    client = net.a[0].peer(ipv6=v is V6)
    for size in (5, 0, 1, 1400, 1472, 1473, 9000, 65000):
        data = os.urandom(size)
        client.send(data, v.group, PORT)
        for r in receivers:
            seen = r.receive(data)
            check_equal(seen.source[0], v.of("b"), "from whom B hears it")
            check_equal(seen.to, v.group, "where it was sent to")
    check_equal(receivers[0].waiting() + receivers[1].waiting(), [], "what else came")
    over(d)
    line = d.wait_sessions(1, rule="r")[0]
    check_equal(line["datagrams_in"], "8", "datagrams of the client in the log")
    check(line["client"].startswith(v.of("a", 10) if v is V4 else "[" + v.of("a", 10)),
          "the client in the log: %s" % line[""])
    wait_members(d, v.group)


@both("order and number of many")
def many(t, v):
    net = networks(t, a=1, b=1)
    d = t.start({"r": from_group(v, group(v))})
    receiver = net.b[0].member(v.group, PORT)
    client = net.a[0].peer(ipv6=v is V6)
    for start in range(0, 2000, 50):
        for i in range(start, start + 50):
            client.send(b"%d" % i, v.group, PORT)
        for i in range(start, start + 50):
            receiver.receive(b"%d" % i)
    check_equal(receiver.waiting(), [], "what else came")


@both("ttl is an upper bound and falls on the way")
def ttl(t, v):
    net = networks(t, a=1, b=1)
    d = t.start({"one": from_group(v, group(v)),
                 "eight": from_group(v, group(v, PORT + 1, ttl=8), PORT + 1),
                 "most": from_group(v, group(v, PORT + 2), PORT + 2, ttl=255)})
    receivers = [net.b[0].member(v.group, PORT + i) for i in range(3)]
    client = net.a[0].peer(ipv6=v is V6)
    for sent, expected in ((64, (1, 8, 63)), (255, (1, 8, 254)), (9, (1, 8, 8)), (5, (1, 4, 4)),
                           (2, (1, 1, 1)), (1, (1, 1, 1))):
        client.ttl(sent)
        for i in range(3):
            client.send(b"%d" % sent, v.group, PORT + i)
            check_equal(receivers[i].receive(b"%d" % sent).ttl, expected[i],
                        "TTL at B of what left A with %d, rule %d" % (sent, i))


@both("to a host and back")
def to_host(t, v):
    net = networks(t, a=2, b=1)
    d = t.start({"r": from_group(v, at(v.of("b", 10), 7000))})
    upstream = net.b[0].peer(7000, v.of("b", 10))
    clients = [host.peer(ipv6=v is V6) for host in net.a]
    asked = {}
    for word in (b"one of %d", b"two of %d"):
        for n, client in enumerate(clients):
            client.send(word % n, v.group, PORT)
            asked[client] = upstream.receive(word % n)
            check_equal(asked[client].source[0], v.of("b"), "who asks the upstream")
    for client in reversed(clients):
        for i in range(3):
            upstream.answer(asked[client], b"answer %d" % i)
            seen = client.receive(b"answer %d" % i)
            check_equal(seen.source, (v.of("a"), PORT), "who answers the client")
    over(d)
    for line in d.wait_sessions(2, rule="r"):
        check_equal((line["datagrams_in"], line["datagrams_out"]), ("2", "3"), line[""])


@both("a search and its answers, as SSDP has it")
def search(t, v):
    net = networks(t, a=2, b=2)
    unicast = PORT + 1
    d = t.start({"ssdp": from_group(v, group(v, ttl=4)),
                 "host": {"listen": at(v.of("a"), unicast), "upstream": group(v)}})
    devices = [host.member(v.group, PORT) for host in net.b]
    # Devices answer from ports of their own, not from the group's.
    answering = [host.peer(ipv6=v is V6) for host in net.b]
    for to, port in ((v.group, PORT), (v.of("a"), unicast)):
        clients = [host.peer(ipv6=v is V6) for host in net.a]
        asked = []
        for i, client in enumerate(clients):
            text = b"M-SEARCH * HTTP/1.1 %d %d" % (port, i)
            client.send(text, to, port)
            asked.append([device.receive(text) for device in devices])
        for i, client in enumerate(clients):
            for n, out in enumerate(answering):
                out.answer(asked[i][n], b"HTTP/1.1 200 OK %d of %d" % (n, i))
                seen = client.receive(b"HTTP/1.1 200 OK %d of %d" % (n, i))
                check_equal(seen.source, (v.of("a"), port), "who answers the client")
    over(d)
    for line in d.wait_sessions(4):
        check_equal((line["datagrams_in"], line["datagrams_out"]), ("1", "2"), line[""])


@both("of two subnets on one link, each is answered from its own")
def subnets(t, v):
    net = networks(t, a=2, b=1)
    other = Family(v.name, v.group, "10.%d.9.%d" if v is V4 else "fd00:%d:9::%d")
    net.a[1].ip("address flush dev eth0 scope global")
    for host, number, interface in ((net.relay, 1, "eth1"), (net.a[1], 10, "eth0")):
        host.ip("address add %s/%d dev %s" % (other.of("a", number), 24 if v is V4 else 64,
                                              interface))
    net.ready()
    t.start({"r": from_group(v, at(v.of("b", 10), 7000))})
    upstream = net.b[0].peer(7000, v.of("b", 10))
    for host, family in ((net.a[0], v), (net.a[1], other)):
        client = host.peer(ipv6=v is V6)
        client.send(host.name.encode(), v.group, PORT)
        upstream.answer(upstream.receive(host.name.encode()), b"answer")
        check_equal(client.receive(b"answer").source, (family.of("a"), PORT), "who answers")


@both("one to many")
def to_many(t, v):
    net = networks(t, a=1, b=3)
    d = t.start({"hosts": from_group(v, [at(v.of("b", 10), 7000), at(v.of("b", 11), 7001)]),
                 "host": {"listen": at(v.of("a"), PORT + 1),
                          "upstream": [at(v.of("b", 10), 7000), at(v.of("b", 11), 7001)]},
                 "mixed": from_group(v, ({"address": at(v.of("b", 10), 7000)}, group(v)),
                                     PORT + 2)})
    hosts = [net.b[0].peer(7000, v.of("b", 10)), net.b[1].peer(7001, v.of("b", 11))]
    stranger = net.b[2].peer(ipv6=v is V6)
    member = net.b[2].member(v.group, PORT)
    client = net.a[0].peer(ipv6=v is V6)
    for to, port, targets in ((v.group, PORT, hosts), (v.of("a"), PORT + 1, hosts),
                              (v.group, PORT + 2, [hosts[0], member])):
        for i in range(20):
            data = b"%d %d" % (port, i)
            client.send(data, to, port)
            asked = [target.receive(data) for target in targets]
        # Only targets may answer, unless one is a group: then anybody may.
        stranger.answer(asked[0], b"stranger")
        targets[0].answer(asked[0], b"first")
        seen = [d.data for d in client.until(b"first")]
        check_equal(seen, [b"stranger"] if member in targets else [], "what a stranger gets across")
        targets[1].answer(asked[1], b"second")
        check_equal(client.receive(b"second").source, (v.of("a"), port), "who answers the client")
    for p in hosts + [member]:
        check_equal(p.waiting(), [], "what else came")


@both("of several interfaces, to several")
def interfaces(t, v):
    net = networks(t, a=1, b=1, c=1, d=1)
    d = t.start({"in": {"listen": at(v.group, PORT), "interface": ["eth1", "eth2"],
                        "upstream": group(v, PORT + 1, interface=["eth3", "eth4"])}})
    wait_members(d, v.group, "eth1", "eth2")
    receivers = [host.member(v.group, PORT + 1) for host in (net.c[0], net.d[0])]
    outside = [host.member(v.group, PORT + 1) for host in (net.a[0], net.b[0])]
    for name, host in (("a", net.a[0]), ("b", net.b[0])):
        client = host.peer(ipv6=v is V6)
        client.send(b"of " + name.encode(), v.group, PORT)
        for r, network in zip(receivers, "cd"):
            seen = r.receive(b"of " + name.encode())
            check_equal(seen.source[0], v.of(network), "from whom %s hears it" % network)
            r.answer(seen, b"answer of " + network.encode())
            seen = client.receive(b"answer of " + network.encode())
            check_equal(seen.source, (v.of(name), PORT), "who answers the client")
    check_equal([p.waiting() for p in receivers + outside], [[]] * 4, "what else came")


@both("what another interface hears is not taken")
def other_interface(t, v):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"r": from_group(v, group(v, interface="eth3"))})
    # Somebody else on the relay's host is a member where the rule is not.
    other = net.relay.member(v.group, PORT, "eth2")
    receiver = net.c[0].member(v.group, PORT)
    net.b[0].peer(ipv6=v is V6).send(b"of b", v.group, PORT)
    other.receive(b"of b")
    net.a[0].peer(ipv6=v is V6).send(b"of a", v.group, PORT)
    check_equal(receiver.until(b"of a"), [], "what came of B")


@both("a source port of its own choice")
def source_port(t, v):
    net = networks(t, a=2, b=1)
    d = t.start({"r": from_group(v, group(v, source_port=5353))})
    receiver = net.b[0].member(v.group, PORT)
    clients = [host.peer(ipv6=v is V6) for host in net.a]
    for i in range(3):
        for n, client in enumerate(clients):
            client.send(b"%d %d" % (i, n), v.group, PORT)
            seen = receiver.receive(b"%d %d" % (i, n))
            check_equal(seen.source, (v.of("b"), 5353), "from whom B hears it")
            receiver.answer(seen, b"to nobody")
    over(d)
    for line in d.wait_sessions(2, rule="r"):
        check_equal((line["datagrams_in"], line["datagrams_out"]), ("3", "0"), line[""])


@both("of listed sources alone")
def sources(t, v):
    net = networks(t, a=3, b=1)
    ssm = "232.1.2.3" if v is V4 else "ff35::8000:1"
    listed = [v.of("a", 10), v.of("a", 12)]
    out = group(v)
    d = t.start({"one": {"listen": at(ssm, PORT), "interface": "eth1", "source": listed[0],
                         "upstream": out},
                 "two": {"listen": at(ssm, PORT + 1), "interface": "eth1", "source": listed,
                         "upstream": out}})
    wait_members(d, ssm, "eth1")
    check_equal(filters(d.pid, ssm), {("eth1", a) for a in listed}, "the kernel's filters")
    receiver = net.b[0].member(v.group, PORT)
    clients = [host.peer(ipv6=v is V6) for host in net.a]
    for port, passes in ((PORT, [0]), (PORT + 1, [0, 2])):
        for i in (1, 2, 0):
            clients[i].send(b"%d from %d" % (port, i), ssm, port)
        clients[0].send(b"marker %d" % port, ssm, port)
        seen = sorted(d.data for d in receiver.until(b"marker %d" % port))
        check_equal(seen, [b"%d from %d" % (port, i) for i in passes], "what came")


@both("without an interface the routes lead")
def routes(t, v):
    net = networks(t, a=1, b=1)
    # Other ones than would be tried first.
    prefix = "%s/32" if v is V4 else "%s/128"
    second = v.group[:-1] + "9"
    net.relay.ip(*["route add multicast %s dev %s%s" % (
        prefix % to, interface, "" if v is V4 else " table local")
        for to, interface in ((v.group, "eth2"), (second, "eth1"))])
    d = t.start({"r": {"listen": at(v.group, PORT), "upstream": at(second, PORT + 1)}})
    wait_members(d, v.group, "eth2")
    receiver, client = net.a[0].member(second, PORT + 1), net.b[0].peer(ipv6=v is V6)
    client.send(b"question", v.group, PORT)
    receiver.answer(receiver.receive(b"question"), b"answer")
    check_equal(client.receive(b"answer").source, (v.of("b"), PORT), "who answers the client")


@both("a program on the relay's own host is heard, too")
def own_host(t, v):
    net = networks(t, a=1, b=1)
    d = t.start({"ab": from_group(v, group(v)),
                 "ba": {"listen": at(v.group, PORT), "interface": "eth2",
                        "upstream": {"address": at(v.group, PORT), "interface": "eth1"}}})
    wait_members(d, v.group, "eth1", "eth2")
    receiver, beside = net.b[0].member(v.group, PORT), net.a[0].member(v.group, PORT)
    for port in (0, PORT):  # also from the group's own port, as with multicast DNS
        client = net.relay.peer(port, interface="eth1", ipv6=v is V6)
        for i in range(10):
            data = b"%d of %d" % (i, port)
            client.send(data, v.group, PORT)
            seen = receiver.receive(data)
            check_equal(beside.receive(data).source, (v.of("a"), client.port), "who said it")
        receiver.answer(seen, b"answer")
        if port == 0:
            client.receive(b"answer")
    check_equal(receiver.waiting() + beside.waiting(), [], "what else came")


@both("a member hears neither other groups nor what is sent to the host")
def others(t, v):
    net = networks(t, a=1, b=1)
    second = v.group[:-1] + "9"
    d = t.start({"r": from_group(v, group(v, PORT + 1))})
    # Somebody else on the relay's host has joined another group, and one has the port for hosts.
    neighbour = net.relay.member(second, PORT, "eth1")
    receiver = net.b[0].member(v.group, PORT + 1)
    client = net.a[0].peer(ipv6=v is V6)
    client.send(b"to another group", second, PORT)
    client.send(b"to the host", v.of("a"), PORT)
    client.send(b"marker", v.group, PORT)
    check_equal(receiver.until(b"marker"), [], "what came of others")
    neighbour.receive(b"to another group")


@both("one rule that joins two networks by one group")
def reflector(t, v):
    net = networks(t, a=2, b=2)
    d = t.start({"r": {"listen": at(v.group, PORT), "interface": ["eth1", "eth2"],
                       "upstream": {"address": at(v.group, PORT),
                                    "interface": ["eth1", "eth2"]}}})
    wait_members(d, v.group, "eth1", "eth2")
    beside, across = net.a[1].member(v.group, PORT), net.b[1].member(v.group, PORT)
    a, b = net.a[0].peer(ipv6=v is V6), net.b[0].peer(ipv6=v is V6)
    a.send(b"from A", v.group, PORT)
    check_equal(beside.receive(b"from A").source[0], v.of("a", 10), "from whom A hears A")
    check_equal(across.receive(b"from A").source[0], v.of("b"), "from whom B hears A")
    b.send(b"from B", v.group, PORT)
    check_equal(across.receive(b"from B").source[0], v.of("b", 10), "from whom B hears B")
    check_equal(beside.receive(b"from B").source[0], v.of("a"), "from whom A hears B")
    check_equal(beside.waiting() + across.waiting(), [], "what else came")


@both("what came by the interface that the routes name is not sent back there")
def reflected(t, v):
    net = networks(t, a=2, b=2)
    net.relay.ip("route add multicast %s dev eth1 table local" % v.group)
    d = t.start({"r": {"listen": at(v.group, PORT), "interface": ["eth1", "eth2"],
                       "upstream": at(v.group, PORT)}})
    wait_members(d, v.group, "eth1", "eth2")
    beside, across = net.a[1].member(v.group, PORT), net.b[1].member(v.group, PORT)
    a, b = net.a[0].peer(ipv6=v is V6), net.b[0].peer(ipv6=v is V6)
    a.send(b"from A", v.group, PORT)
    check_equal(beside.receive(b"from A").source[0], v.of("a", 10), "from whom A hears A")
    b.send(b"from B", v.group, PORT)
    check_equal(across.receive(b"from B").source[0], v.of("b", 10), "from whom B hears B")
    check_equal(beside.receive(b"from B").source[0], v.of("a"), "from whom A hears B")
    check_equal(beside.waiting() + across.waiting(), [], "what else came")
