# SPDX-License-Identifier: BSD-2-Clause
"""Real programs that live on groups and broadcasts, across two networks: avahi (mDNS), dnsmasq and
udhcpc (DHCP)."""

import os
import select
import socket
import struct
import subprocess

from harness import Skip, check, check_equal, wait_for
from names import question
from net import V4, V6, at, members, networks, wait_members
from udp import udp_test

GROUP, GROUP6, MDNS = "224.0.0.251", "ff02::fb", 5353
AVAHI = ("avahi-daemon", "unshare")
HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = os.path.join(HERE, "../../etc/mdns-relay.conf.sample")


def publish(t, host, interfaces="eth0"):
    """Start avahi in that host, which publishes its addresses under "<host>.local"; gives the file
    of its log."""
    path = t.path("avahi.%s.log" % host.name)
    config = t.write("avahi.%s.conf" % host.name, """\
[server]
host-name=%s
domain-name=local
use-ipv4=yes
use-ipv6=yes
allow-interfaces=%s
enable-dbus=no
[wide-area]
enable-wide-area=no
[publish]
publish-hinfo=no
publish-workstation=no
publish-aaaa-on-ipv4=no
publish-a-on-ipv6=no
""" % (host.name, interfaces))
    # Its pid file has a fixed place. (In a bare chroot / is no mount, which can't be made private.)
    if subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("needs a mount namespace")
    script = ("mount --make-rprivate / && mount -t tmpfs none /run && mkdir /run/avahi-daemon && "
              "exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --file=%s" % config)
    with open(path, "wb") as log:
        child = host.spawn(["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=log)

    def is_there():
        check(child.poll() is None, "avahi ended: %s" % text_of(path))
        return "Server startup complete" in text_of(path)
    wait_for(is_there, lambda: "avahi to be there: %s" % text_of(path))
    return path


def text_of(path):
    with open(path, errors="replace") as f:
        return f.read()


def addresses(message, name):
    """The addresses of that name in a DNS message's answers (RFC 1035, RFC 3596)."""
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
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        if family and owner.lower() == name:
            found.append(socket.inet_ntop(family, message[i + 10:i + 10 + size]))
        i += 10 + size
    return found


def ask(client, host, ipv6=False):
    """Ask for the name of that host until it is answered; the answer and the addresses in it."""
    name = host.name + ".local"

    def answer():
        client.send(question(name, 28 if ipv6 else 1), GROUP6 if ipv6 else GROUP, MDNS)
        while select.select([client.socket], [], [], 1)[0]:
            d = client.take()
            if d and addresses(d.data, name):
                return d, addresses(d.data, name)
        return None
    return wait_for(answer, "an answer for %s" % name)


def relayed(first, second):
    return {"listen": at(GROUP, MDNS), "interface": first,
            "upstream": {"address": at(GROUP, MDNS), "interface": second, "ttl": 255,
                         "source_port": MDNS}}


def both_ways():
    return {"ab": relayed("eth1", "eth2"), "ba": relayed("eth2", "eth1")}


def asker(host):
    """Who is known to the others as one who speaks mDNS."""
    p = host.member(GROUP, MDNS)
    p.ttl(255)
    return p


@udp_test("mDNS: a name that avahi publishes in another network", needs=AVAHI)
def avahi(t):
    net = networks(t, a=1, b=1)
    d = t.start(both_ways())
    wait_members(d, GROUP, "eth1", "eth2")
    publish(t, net.b[0])
    seen, found = ask(asker(net.a[0]), net.b[0])
    check_equal(found, [V4.of("b", 10)], "addresses in the answer")
    check_equal((seen.source, seen.to), ((V4.of("a"), MDNS), GROUP), "how the answer came")


@udp_test("mDNS: the sample config, for who asks from a port of its own", needs=AVAHI + ("ipv6",))
def sample(t):
    net = networks(t, a=1, b=1)
    d = t.prepare('daemon = { engine = "%s"; };\n' % t.engine + text_of(SAMPLE))
    d.start()
    wait_members(d, GROUP, "eth1")
    wait_members(d, GROUP6, "eth1")
    publish(t, net.b[0])
    seen, found = ask(net.a[0].peer(), net.b[0])
    check_equal(found, [V4.of("b", 10)], "addresses in the answer")
    check_equal((seen.source, seen.to), ((V4.of("a"), MDNS), V4.of("a", 10)), "how it came")
    seen, found = ask(net.a[0].peer(ipv6=True), net.b[0], ipv6=True)
    check(V6.of("b", 10) in found, "addresses in the answer: %r" % found)
    check_equal(seen.source, (net.relay.link_local("eth1"), MDNS), "from whom it came")


@udp_test("mDNS: avahi in both networks, two relays between: each finds the other", needs=AVAHI)
def two_relays(t):
    """They announce, probe and defend their names; one that heard itself come round would see a
    conflict."""
    net = networks(t, a=2, b=2)
    second = net.host("second")
    net.join(second, "eth1", "a", 2)
    net.join(second, "eth2", "b", 2)
    net.ready()
    daemons = [t.start(both_ways())]
    with second:
        daemons.append(t.start(both_ways()))
    for d in daemons:
        wait_members(d, GROUP, "eth1", "eth2")
    logs = [publish(t, net.a[0]), publish(t, net.b[0])]
    for host, name, address in ((net.a[1], net.b[0], V4.of("b", 10)),
                                (net.b[1], net.a[0], V4.of("a", 10))):
        check_equal(ask(asker(host), name)[1], [address], "addresses in the answer")
    for path in logs:
        check("conflict" not in text_of(path).lower(), "avahi sees itself: %s" % text_of(path))


@udp_test("mDNS: avahi on the relay's host, too", needs=AVAHI)
def beside(t):
    net = networks(t, a=2, b=2)
    logs = [publish(t, net.relay, "eth1,eth2")]
    d = t.start(both_ways())
    wait_for(lambda: members(d.pid, GROUP).get("eth2", 0) > 1, "both to be members")
    logs += [publish(t, net.a[0]), publish(t, net.b[0])]
    for host, others in ((net.a[1], (net.b[0], net.a[0], net.relay)),
                         (net.b[1], (net.a[0], net.b[0], net.relay))):
        client = asker(host)
        for other in others:
            found = set(ask(client, other)[1])
            name = other.name[0] if other is not net.relay else host.name[0]
            check(found & {V4.of(name, 10), V4.of(name)}, "addresses of %s: %r"
                  % (other.name, found))
    for path in logs:
        check("conflict" not in text_of(path).lower(), "avahi sees itself: %s" % text_of(path))


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
        text = text_of(t.path("dnsmasq.log"))
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
        t.note("--- %s\n%s" % (name, text_of(t.path(name))))
    check_equal(client.returncode, 0, "status of udhcpc")
    address, server_id = text_of(t.path("lease")).split()
    check(address.startswith("10.2.0.1") and server_id == V4.of("b", 10), "the lease: %s of %s"
          % (address, server_id))
    check(address in text_of(t.path("leases")), "dnsmasq does not know the lease")
