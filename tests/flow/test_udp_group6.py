# SPDX-License-Identifier: BSD-2-Clause
"""What only IPv6 has: groups of a link, link-local addresses, and one family as the way for the
other."""

from harness import check_equal
from net import V4, V6, at, networks, wait_members
from udp import over, udp_test

LINK = "ff02::1:2:3"
OTHER = "ff02::1:2:4"
PORT = 5000


def from_link(upstream, port=PORT, address=LINK, **options):
    return dict({"listen": at(address, port), "interface": "eth1", "upstream": upstream}, **options)


def to_link(port=PORT, address=LINK, interface="eth2", **options):
    return dict({"address": at(address, port), "interface": interface}, **options)


@udp_test("UDP groups of a link: to one of another link, and back", needs=("ipv6",))
def link_to_link(t):
    net = networks(t, a=2, b=2)
    d = t.start({"r": from_link(to_link())})
    wait_members(d, LINK, "eth1")
    receivers = [host.member(LINK, PORT) for host in net.b]
    clients = [host.peer(ipv6=True) for host in net.a]
    asked = {}
    for client in clients:
        for size in (5, clients.index(client), 1452, 9000):
            data = bytes([clients.index(client)]) * size
            client.send(data, LINK, PORT)
            for r in receivers:
                seen = asked[client, r] = r.receive(data)
                check_equal(seen.source[0], net.relay.link_local("eth2"), "from whom B hears it")
                check_equal((seen.to, seen.ttl), (LINK, 1), "where it was sent to, hop limit")
    for client in clients:
        for r in receivers:
            r.answer(asked[client, r], b"answer")
            check_equal(client.receive(b"answer").source, (net.relay.link_local("eth1"), PORT),
                        "who answers the client")
    over(d)
    for line in d.wait_sessions(2, rule="r"):
        check_equal((line["datagrams_in"], line["datagrams_out"]), ("4", "2"), line[""])


@udp_test("UDP groups of a link: several interfaces, each by itself", needs=("ipv6",))
def several(t):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"r": {"listen": at(LINK, PORT), "interface": ["eth1", "eth2"],
                       "upstream": to_link(interface="eth3")}})
    wait_members(d, LINK, "eth1", "eth2")
    receiver = net.c[0].member(LINK, PORT)
    for host, interface in ((net.a[0], "eth1"), (net.b[0], "eth2")):
        client = host.peer(ipv6=True)
        client.send(interface.encode(), LINK, PORT)
        receiver.answer(receiver.receive(interface.encode()), b"answer")
        check_equal(client.receive(b"answer").source, (net.relay.link_local(interface), PORT),
                    "who answers the client")


@udp_test("UDP groups of a link: two rules on one port keep theirs apart", needs=("ipv6",))
def one_port(t):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"one": from_link(to_link(PORT + 1)),
                 "two": from_link(to_link(PORT + 2), address=OTHER),
                 "c": from_link(to_link(PORT + 3), interface="eth3")})
    # Somebody else on the relay's host has joined a third group on that port, and that of a rule
    # on an interface that the rule does not listen on.
    third = net.relay.member("ff02::1:2:5", PORT, "eth1")
    third.join(LINK, "eth2")
    out = [net.b[0].member(LINK, PORT + i) for i in (1, 2, 3)]
    a, c = net.a[0].peer(ipv6=True), net.c[0].peer(ipv6=True)
    a.send(b"third group", "ff02::1:2:5", PORT)
    third.receive(b"third group")
    net.b[0].peer(ipv6=True).send(b"other interface", LINK, PORT)
    third.receive(b"other interface")
    a.send(b"first", LINK, PORT)
    a.send(b"second", OTHER, PORT)
    c.send(b"of c", LINK, PORT)
    for i, (sender, address) in enumerate(((a, LINK), (a, OTHER), (c, LINK))):
        sender.send(b"marker", address, PORT)
        check_equal([d.data for d in out[i].until(b"marker")],
                    [(b"first", b"second", b"of c")[i]], "what comes through rule %d" % i)


@udp_test("UDP groups of a link: what is sent to the host is not taken", needs=("ipv6",))
def not_the_host(t):
    net = networks(t, a=1, b=1)
    t.start({"r": from_link(to_link())})
    receiver, client = net.b[0].member(LINK, PORT), net.a[0].peer(ipv6=True)
    for to in (V6.of("a"), net.relay.link_local("eth1"), "ff02::1", OTHER):
        client.send(b"to " + to.encode(), to, PORT)
    client.send(b"marker", LINK, PORT)
    check_equal(receiver.until(b"marker"), [], "what came of others")


@udp_test("UDP groups of a link: what is sent to others on the host is left to them",
          needs=("ipv6",))
def beside(t):
    """As a resolver of mDNS is: it shares the port, and hosts ask it directly."""
    net = networks(t, a=1, b=1)
    other = net.relay.peer(PORT, interface="eth1", ipv6=True)
    t.start({"r": from_link(to_link())})
    late = net.relay.peer(PORT, V6.of("a"), interface="eth1")
    client = net.a[0].peer(ipv6=True)
    client.send(b"to its address", V6.of("a"), PORT)
    late.receive(b"to its address")
    client.send(b"of the link", net.relay.link_local("eth1"), PORT)
    other.receive(b"of the link")


@udp_test("UDP groups of a link: a host as upstream, by either address", needs=("ipv6",))
def to_host(t):
    net = networks(t, a=1, b=1)
    upstream = net.b[0].peer(7000, ipv6=True)
    local = net.b[0].link_local()
    d = t.start({"global": from_link(at(V6.of("b", 10), 7000)),
                 "local": from_link({"address": at(local, 7000), "interface": "eth2"}, PORT + 1)})
    client = net.a[0].peer(ipv6=True)
    for port, address in ((PORT, V6.of("b")), (PORT + 1, net.relay.link_local("eth2"))):
        client.send(b"to %d" % port, LINK, port)
        seen = upstream.receive(b"to %d" % port)
        check_equal(seen.source[0], address, "who asks the upstream")
        upstream.answer(seen, b"answer")
        check_equal(client.receive(b"answer").source, (net.relay.link_local("eth1"), port),
                    "who answers the client")


@udp_test("UDP groups: from one family to the other, and back", needs=("ipv6",))
def across(t):
    net = networks(t, a=1, b=1)
    rules, wanted = {}, []
    for i, (v, w) in enumerate(((V4, V6), (V6, V4))):
        rules["group%d" % i] = {
            "listen": at(v.group, PORT + i), "interface": "eth1",
            "upstream": {"address": at(w.group, PORT + i), "interface": "eth2", "ttl": 9}}
        rules["host%d" % i] = {"listen": at(v.group, PORT + 10 + i), "interface": "eth1",
                               "upstream": at(w.of("b", 10), PORT + 10 + i)}
        wanted.append((v, PORT + i, net.b[0].member(w.group, PORT + i)))
        wanted.append((v, PORT + 10 + i, net.b[0].peer(PORT + 10 + i, ipv6=w is V6)))
    d = t.start(rules)
    for v, port, receiver in wanted:
        client = net.a[0].peer(ipv6=v is V6)
        client.ttl(64)
        client.send(b"over", v.group, port)
        seen = receiver.receive(b"over")
        receiver.answer(seen, b"back")
        check_equal(client.receive(b"back").source, (v.of("a"), port), "who answers the client")


@udp_test("UDP groups: listeners for hosts take nothing that is sent to groups", needs=("ipv6",))
def hosts_only(t):
    net = networks(t, a=1, b=1)
    listens = ("udp:*:%d" % PORT, "udp:[::]:%d" % (PORT + 1))
    d = t.start({"r%d" % i: {"listen": listen, "upstream": at(V4.of("b", 10), 7000)}
                 for i, listen in enumerate(listens)})
    upstream = net.b[0].peer(7000)
    # The kernel joins the group of all hosts, and somebody else there has joined one.
    neighbour = net.relay.member(V6.group, PORT + 2, "eth1")
    neighbour.join("ff02::1", "eth1")
    client = net.a[0].peer(ipv6=True)
    for port in (PORT, PORT + 1):
        for group in ("ff02::1", V6.group):
            client.send(b"to a group", group, port)
            client.send(b"to a group", group, PORT + 2)
            neighbour.receive(b"to a group")
        client.send(b"marker %d" % port, V6.of("a"), port)
        check_equal(upstream.until(b"marker %d" % port), [], "what came of groups")
