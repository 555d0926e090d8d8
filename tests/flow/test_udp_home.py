# SPDX-License-Identifier: BSD-2-Clause
"""A host with many addresses: who asked one of them is answered from that one."""

import socket

from harness import check_equal, have_ipv6, wait_for
from net import V4, V6, at, networks
from udp import over, udp_test

PORT = 5000


def homes(t):
    """A relay with two addresses on eth1, one on eth2 and one on lo, all reached from A."""
    net = networks(t, a=2, b=1)
    net.relay.ip("address add 10.1.0.2/24 dev eth1", "address add 192.0.2.1/32 dev lo")
    for host in net.a:
        host.ip("route add 10.2.0.0/24 via 10.1.0.1", "route add 192.0.2.1 via 10.1.0.1")
    if have_ipv6():
        net.relay.ip("address add fd00:1::2/64 dev eth1", "address add fd00:99::1/128 dev lo")
        for host in net.a:
            host.ip("route add fd00:2::/64 via fd00:1::1", "route add fd00:99::1 via fd00:1::1")
    net.ready()
    return net


ADDRESSES = {"IPv4": ("10.1.0.1", "10.1.0.2", "10.2.0.1", "192.0.2.1"),
             "IPv6": ("fd00:1::1", "fd00:1::2", "fd00:2::1", "fd00:99::1")}


def connected(host, address, port):
    """A client that hears only whom it asks."""
    p = host.peer(ipv6=":" in address)
    scope = p.index if address.startswith("fe80") else 0
    p.socket.connect((address, port, 0, scope) if ":" in address else (address, port))
    return p


def ask_all(upstream, clients):
    """Each asks, and all are answered in the reverse order."""
    asked = []
    for i, client in enumerate(clients):
        client.socket.send(b"question %d" % i)
        asked.append(upstream.receive(b"question %d" % i))
    for i in reversed(range(len(clients))):
        for n in range(3):
            upstream.answer(asked[i], b"answer %d %d" % (i, n))
            clients[i].receive(b"answer %d %d" % (i, n))


def serve(t, net, listen, families):
    d = t.start({"r": {"listen": listen, "upstream": at(V4.of("b", 10), 7000)}})
    upstream = net.b[0].peer(7000)
    addresses = [a for f in families for a in ADDRESSES[f]]
    if "IPv6" in families:
        addresses.append(net.relay.link_local("eth1"))
    clients = [connected(host, a, PORT) for a in addresses for host in net.a]
    ask_all(upstream, clients)
    ask_all(upstream, clients)
    over(d)
    check_equal(len(d.wait_sessions(len(clients), rule="r")), len(clients), "sessions")


@udp_test("UDP: replies from the address that was asked, IPv4")
def ipv4(t):
    serve(t, homes(t), "udp:0.0.0.0:%d" % PORT, ("IPv4",))


@udp_test("UDP: replies from the address that was asked, IPv6", needs=("ipv6",))
def ipv6(t):
    serve(t, homes(t), "udp:[::]:%d" % PORT, ("IPv6",))


@udp_test("UDP: replies from the address that was asked, both families on one socket",
          needs=("ipv6",))
def dual(t):
    serve(t, homes(t), "udp:*:%d" % PORT, ("IPv4", "IPv6"))


@udp_test("UDP: one client's socket that asks several addresses has a session for each")
def one_client(t):
    net = homes(t)
    d = t.start({"r": {"listen": "udp:*:%d" % PORT, "upstream": at(V4.of("b", 10), 7000)}})
    upstream, client = net.b[0].peer(7000), net.a[0].peer()
    asked = []
    for a in ADDRESSES["IPv4"]:
        client.send(a.encode(), a, PORT)
        asked.append(upstream.receive(a.encode()))
    check_equal(len({seen.source for seen in asked}), len(asked), "ports that the upstream sees")
    for a, seen in reversed(list(zip(ADDRESSES["IPv4"], asked))):
        upstream.answer(seen, b"answer")
        check_equal(client.receive(b"answer").source, (a, PORT), "who answers")
    over(d)
    d.wait_sessions(len(asked), rule="r", client="%s:%d" % (V4.of("a", 10), client.port))


@udp_test("UDP: many replies at once to several addresses keep theirs", needs=("ipv6",))
def batches(t):
    """Replies of many sessions leave with one call, or as runs."""
    net = homes(t)
    d = t.start({"r": {"listen": "udp:*:%d" % PORT, "upstream": at(V4.of("b", 10), 7000)}})
    upstream = net.b[0].peer(7000)
    clients = [connected(host, a, PORT) for f in ADDRESSES for a in ADDRESSES[f] for host in net.a]
    asked = []
    for i, client in enumerate(clients):
        client.socket.send(b"question")
        asked.append(upstream.receive(b"question"))
    for n in range(10):
        for i, seen in enumerate(asked):
            for size in (100, 100, 100, 50 + i):
                upstream.answer(seen, b"%3d" % n + bytes(size - 4) + bytes([i]))
        for i, client in enumerate(clients):
            for size in (100, 100, 100, 50 + i):
                client.receive(b"%3d" % n + bytes(size - 4) + bytes([i]))


@udp_test("UDP: listeners with an interface take what comes through it")
def interface(t):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"one": {"listen": "udp:*:%d" % PORT, "interface": "eth1",
                         "upstream": at(V4.of("b", 10), 7000)},
                 "two": {"listen": "udp:0.0.0.0:%d" % (PORT + 1), "interface": ["eth1", "eth3"],
                         "upstream": at(V4.of("b", 10), 7000)}})
    upstream = net.b[0].peer(7000)
    for port, passes in ((PORT, []), (PORT + 1, [b"of c"])):
        c, a = connected(net.c[0], V4.of("c"), port), connected(net.a[0], V4.of("a"), port)
        c.socket.send(b"of c")
        a.socket.send(b"marker %d" % port)
        found = upstream.until(b"marker %d" % port)
        check_equal([x.data for x in found], passes, "what came of C")
        for seen in found:
            upstream.answer(seen, b"answer")
            c.receive(b"answer")


@udp_test("UDP: an address of many is listened on alone")
def one_address(t):
    net = homes(t)
    d = t.start({"r": {"listen": "udp:10.1.0.2:%d" % PORT, "upstream": at(V6.of("b", 10), 7000)}})
    upstream = net.b[0].peer(7000, ipv6=True)
    refused = connected(net.a[0], "10.1.0.1", PORT)
    refused.socket.send(b"to another address")
    wait_for(lambda: refused.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
             "word that nobody is there")
    client = connected(net.a[0], "10.1.0.2", PORT)
    client.socket.send(b"question")
    upstream.answer(upstream.receive(b"question"), b"answer")
    client.receive(b"answer")
