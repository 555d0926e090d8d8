# SPDX-License-Identifier: BSD-2-Clause
"""Real programs that live on groups and broadcasts, across two networks: avahi (mDNS), dnsmasq and
udhcpc (DHCP)."""

import os
import select
import socket
import struct

from harness import check, check_equal, wait_for
from names import question
from net import V4, at, networks, wait_members
from udp import udp_test

GROUP, MDNS = "224.0.0.251", 5353
NAME = "printer-in-b.local"


def publish(t, host):
    """Start avahi in that host, which publishes its addresses under NAME."""
    config = t.write("avahi.conf", """\
[server]
host-name=%s
domain-name=local
use-ipv4=yes
use-ipv6=no
allow-interfaces=eth0
enable-dbus=no
[wide-area]
enable-wide-area=no
[publish]
publish-hinfo=no
publish-workstation=no
publish-aaaa-on-ipv4=no
""" % NAME.split(".", maxsplit=1)[0])
    # Its pid file has a fixed place.
    script = ("mount --make-rprivate / && mount -t tmpfs none /run && mkdir /run/avahi-daemon && "
              "exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --file=%s" % config)
    with open(t.path("avahi.log"), "wb") as log:
        child = host.spawn(["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=log)

    def is_there():
        with open(t.path("avahi.log")) as f:
            text = f.read()
        check(child.poll() is None, "avahi ended: %s" % text)
        return "Server startup complete" in text
    wait_for(is_there, "avahi to be there")


def addresses(message, name):
    """The addresses (A records) of that name in a DNS message's answers (RFC 1035)."""
    def skip(i):
        while message[i] and message[i] < 0xc0:
            i += 1 + message[i]
        return i + (2 if message[i] else 1)

    def text(i):
        labels = []
        while message[i]:
            if message[i] >= 0xc0:
                i = struct.unpack(">H", message[i:i + 2])[0] & 0x3fff
                continue
            labels.append(message[i + 1:i + 1 + message[i]].decode())
            i += 1 + message[i]
        return ".".join(labels)

    flags, questions, answers = struct.unpack(">3H", message[2:8])
    found, i = [], 12
    for _ in range(questions):
        i = skip(i) + 4
    for _ in range(answers if flags & 0x8000 else 0):
        owner, i = text(i), skip(i)
        kind, _, _, size = struct.unpack(">2HIH", message[i:i + 10])
        if kind == 1 and owner.lower() == name:
            found.append(socket.inet_ntoa(message[i + 10:i + 14]))
        i += 10 + size
    return found


def ask(client):
    """Ask for NAME until an answer comes, which is given."""
    def answer():
        client.send(question(NAME), GROUP, MDNS)
        while select.select([client.socket], [], [], 1)[0]:
            d = client.take()
            if d and addresses(d.data, NAME):
                return d
        return None
    return wait_for(answer, "an answer for %s" % NAME)


def mdns(first, second, **options):
    return {"listen": at(GROUP, MDNS), "interface": first,
            "upstream": dict({"address": at(GROUP, MDNS), "interface": second, "ttl": 255},
                             **options)}


@udp_test("mDNS: a name that avahi publishes in another network",
          needs=("avahi-daemon", "unshare"))
def avahi(t):
    net = networks(t, a=1, b=1)
    d = t.start({"ab": mdns("eth1", "eth2", source_port=MDNS),
                 "ba": mdns("eth2", "eth1", source_port=MDNS)})
    wait_members(d, GROUP, "eth1", "eth2")
    publish(t, net.b[0])
    client = net.a[0].member(GROUP, MDNS)
    client.ttl(255)
    seen = ask(client)
    check_equal(addresses(seen.data, NAME), [V4.of("b", 10)], "addresses in the answer")
    check_equal((seen.source, seen.to), ((V4.of("a"), MDNS), GROUP), "how the answer came")


@udp_test("mDNS: one who asks from a port of its own is answered through its session",
          needs=("avahi-daemon", "unshare"))
def legacy(t):
    net = networks(t, a=1, b=1)
    d = t.start({"ab": mdns("eth1", "eth2")})
    wait_members(d, GROUP, "eth1")
    publish(t, net.b[0])
    client = net.a[0].peer()
    client.ttl(255)
    seen = ask(client)
    check_equal(addresses(seen.data, NAME), [V4.of("b", 10)], "addresses in the answer")
    check_equal((seen.source, seen.to), ((V4.of("a"), MDNS), V4.of("a", 10)), "how the answer came")


@udp_test("mDNS: avahi in both networks, each finds the other's name",
          needs=("avahi-daemon", "unshare"))
def both_ways(t):
    """Two responders that announce, probe and defend their names, and two relays between."""
    net = networks(t, a=2, b=1)
    second = net.host("second")
    net.join(second, "eth1", "a", 2)
    net.join(second, "eth2", "b", 2)
    net.ready()
    rules = {"ab": mdns("eth1", "eth2", source_port=MDNS),
             "ba": mdns("eth2", "eth1", source_port=MDNS)}
    daemons = [t.start(rules)]
    with second:
        daemons.append(t.start(rules))
    for d in daemons:
        wait_members(d, GROUP, "eth1", "eth2")
    publish(t, net.b[0])
    client = net.a[0].member(GROUP, MDNS)
    client.ttl(255)
    check_equal(addresses(ask(client).data, NAME), [V4.of("b", 10)], "addresses in the answer")
    with open(t.path("avahi.log")) as f:
        text = f.read()
    check("conflict" not in text.lower(), "avahi sees itself: %s" % text)


@udp_test("DHCP: a lease from dnsmasq in another network", needs=("dnsmasq", "udhcpc"))
def dhcp(t):
    net = networks(t, a=1, b=1)
    newcomer = net.host("newcomer")
    net.link(newcomer, "eth0", "a")
    net.ready()

    def half(port, first, second, source):
        return {"listen": {"address": at("0.0.0.0", port), "broadcast": True, "interface": first},
                "upstream": {"address": at("255.255.255.255", port), "broadcast": True,
                             "interface": second, "source_port": source}}
    d = t.start({"ask": half(67, "eth1", "eth2", 68), "answer": half(68, "eth2", "eth1", 67)})
    with open(t.path("dnsmasq.log"), "wb") as log:
        server = net.b[0].spawn(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=0",
             "--user=root", "--group=root", "--interface=eth0", "--bind-interfaces", "--log-dhcp",
             "--log-facility=-", "--dhcp-range=10.2.0.100,10.2.0.199,1h", "--dhcp-authoritative",
             "--dhcp-leasefile=" + t.path("leases"), "--no-ping"], stdout=log, stderr=log)

    def served():
        with open(t.path("dnsmasq.log")) as f:
            text = f.read()
        check(server.poll() is None, "dnsmasq ended: %s" % text)
        return "DHCP, sockets bound" in text
    wait_for(served, "dnsmasq to serve")
    os.chmod(t.write("script", '#!/bin/sh\n[ "$1" != bound ] || echo "$ip $serverid" > %s\n'
                     % t.path("lease")), 0o755)
    with open(t.path("udhcpc.log"), "wb") as log:
        client = newcomer.spawn(["udhcpc", "-f", "-q", "-n", "-B", "-i", "eth0", "-t", "20", "-T",
                                 "1", "-s", t.path("script")], stdout=log, stderr=log)
    wait_for(lambda: client.poll() is not None, "udhcpc to end")
    for name in ("udhcpc.log", "dnsmasq.log"):
        with open(t.path(name)) as f:
            t.note("--- %s\n%s" % (name, f.read()))
    check_equal(client.returncode, 0, "status of udhcpc")
    with open(t.path("lease")) as f:
        address, server_id = f.read().split()
    check(address.startswith("10.2.0.1") and server_id == V4.of("b", 10), "the lease: %s of %s"
          % (address, server_id))
    with open(t.path("leases")) as f:
        check(address in f.read(), "dnsmasq does not know the lease")
