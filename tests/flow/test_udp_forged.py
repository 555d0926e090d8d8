# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams whose source is not what it seems, written to the wire as they are."""

import socket
import struct

from harness import check_equal
from net import V4, V6, at, networks
from udp import udp_test

PORT = 5000
ALL = "255.255.255.255"


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff or 0xffff


def frame(to, source, destination, port, data, source_port=9999):
    """An Ethernet frame with a UDP datagram over IPv6 from that source."""
    hosts = b"".join(socket.inet_pton(socket.AF_INET6, a) for a in (source, destination))
    size = 8 + len(data)
    pseudo = hosts + struct.pack("!I3xB", size, socket.IPPROTO_UDP)
    total = checksum(pseudo + struct.pack("!4H", source_port, port, size, 0) + data)
    return (to + b"\x02\0\0\0\0\x77" + struct.pack("!HIHBB", 0x86dd, 6 << 28, size, 17, 64) + hosts
            + struct.pack("!4H", source_port, port, size, total) + data)


@udp_test("UDP broadcasts: who asks without an address does not get answers to the relay's host")
def no_address(t):
    net = networks(t, a=1, b=1)
    newcomer = net.host("newcomer")
    net.link(newcomer, "eth0", "a")
    net.ready()
    ports = {PORT: at(V4.of("b", 10), 7000), PORT + 1: [at(V4.of("b", 10), 7000)] * 2}
    ports[PORT + 1][1] = at(V4.of("b", 10), 7001)
    t.start({"r%d" % port: {"listen": {"address": at("0.0.0.0", port), "broadcast": True,
                                       "interface": "eth1"}, "upstream": upstream}
             for port, upstream in ports.items()})
    # To send to 0.0.0.0 is to send to oneself: to whatever has the port there that the other chose.
    neighbour = net.relay.peer(9999, interface="eth1")
    asking, client = newcomer.peer(9999), net.a[0].peer(9999)
    upstream = net.b[0].peer(7000)
    for port in ports:
        asking.send(b"without an address", ALL, port)
        upstream.answer(upstream.receive(b"without an address"), b"answer")
        client.send(b"with an address", ALL, port)
        upstream.answer(upstream.receive(b"with an address"), b"marker")
        client.until(b"marker")
    check_equal(neighbour.waiting(), [], "what the relay's host has got")


def wire_to_relay(t, net):
    """The relay's Ethernet address on network A, and a socket that writes frames to that network."""
    link, = net.relay.ip_list("link", "show", "dev", "eth1")
    with net.a[0]:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    t.sockets.append(wire)
    wire.bind(("eth0", 0))
    return bytes.fromhex(link["address"].replace(":", "")), wire


@udp_test("UDP: forged sources, IPv4 within IPv6", needs=("ipv6",))
def mapped(t):
    net = networks(t, a=1, b=1)
    d = t.start({"r": {"listen": "udp:*:%d" % PORT, "upstream": at(V4.of("b", 10), 7000)}})
    upstream, client = net.b[0].peer(7000), net.a[0].peer(ipv6=True)
    to, wire = wire_to_relay(t, net)
    # The neighbour is known to the relay once it has asked.
    client.send(b"first", V6.of("a"), PORT)
    upstream.receive(b"first")
    wire.send(frame(to, V6.of("a", 10), V6.of("a"), PORT, b"an honest one"))
    upstream.receive(b"an honest one")
    for source in ("127.0.0.1", "10.1.0.1", "10.1.0.10", ALL, "0.0.0.0"):
        wire.send(frame(to, "::ffff:" + source, V6.of("a"), PORT, b"of " + source.encode()))
    client.send(b"marker", V6.of("a"), PORT)
    check_equal(upstream.until(b"marker"), [], "what came of forged sources")
    check_equal(d.alive(), True, "penstockd is there")


@udp_test("UDP: forged sources, listeners of the relay's own", needs=("ipv6",))
def listeners(t):
    """What they are answered would be a question again, for ever. IPv6 lets that in."""
    net = networks(t, a=1, b=1)
    d = t.start({"wild": {"listen": "udp:*:%d" % PORT, "upstream": at(V4.of("b", 10), 7000)},
                 "one": {"listen": at(V6.of("a"), PORT + 1), "upstream": at(V4.of("b", 10), 7000)},
                 # So that it looks at interfaces from the beginning on, which takes a descriptor.
                 "all": {"listen": at(ALL, PORT + 2), "upstream": at(V4.of("b", 10), 7000)}})
    upstream, client = net.b[0].peer(7000), net.a[0].peer(ipv6=True)
    to, wire = wire_to_relay(t, net)
    for port in (PORT, PORT + 1):
        client.send(b"first", V6.of("a"), port)
        upstream.receive(b"first")
        for source_port in (PORT, PORT + 1):
            wire.send(frame(to, V6.of("a"), V6.of("a"), port, b"round", source_port))
        client.send(b"marker", V6.of("a"), port)
        check_equal(upstream.until(b"marker"), [], "what came of forged sources")
    check_equal(d.alive(), True, "penstockd is there")
