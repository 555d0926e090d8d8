# SPDX-License-Identifier: BSD-2-Clause
"""No datagram goes in circles: rules that feed each other, in one penstock and in several."""

import os
import signal
import time
from collections import Counter

from harness import SLOW, Skip, check, check_equal, wait_for
from net import V4, V6, at, networks, wait_members
from udp import udp_test, while_stopped

PORT = 5000
ALL = "255.255.255.255"
LINK = "ff02::1:2:3"


def relayed(to, first, second, port=PORT):
    """A rule that says on the second interface what it hears on the first."""
    if to == ALL:
        return {"listen": {"address": at("0.0.0.0", port), "broadcast": True, "interface": first},
                "upstream": {"address": at(ALL, port), "broadcast": True, "interface": second}}
    return {"listen": at(to, port), "interface": first,
            "upstream": {"address": at(to, port), "interface": second, "ttl": 255}}


def facing(to):
    """Two rules, each of which says on one interface what it hears on the other."""
    return {"ab": relayed(to, "eth1", "eth2"), "ba": relayed(to, "eth2", "eth1")}


class Chatter:
    """In each of some networks a host that speaks and one that counts what it hears."""

    def __init__(self, networks, to, port=PORT):
        self.to, self.port = to, port
        self.speakers, self.listeners, self.own, self.heard = {}, {}, {}, {}
        self.said = []   # (network, datagram)
        self.times = {}  # of each datagram: {who has said it where: when first}
        for name, hosts in networks.items():
            speaker = self.speakers[name] = hosts[0].peer(ipv6=":" in to)
            speaker.ttl(255)
            self.listeners[name] = hosts[1].peer(port) if to == ALL else hosts[1].member(to, port)
            self.heard[name] = Counter()
            self.own[name] = [V4.of(name, 10), V6.of(name, 10)]
            if to == LINK:
                self.own[name].append(hosts[0].link_local())

    def say(self):
        for name, speaker in self.speakers.items():
            data = b"%d of %s" % (len(self.said), name.encode())
            self.said.append((name, data))
            speaker.send(data, self.to, self.port)

    def take(self):
        """Count what has come; how much it was."""
        new = 0
        for name, listener in self.listeners.items():
            for d in listener.waiting():
                new += 1
                is_copy = d.source[0] not in self.own[name]
                self.heard[name][d.data, is_copy] += 1
                self.times.setdefault(d.data, {}).setdefault((name, d.source), d.time)
        return new

    def talk(self, seconds, meanwhile=lambda: None):
        """All speak for so long; then wait until nobody has heard anything for a second, which
        never comes where something goes in circles."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.say()
            self.take()
            meanwhile()
            time.sleep(0.01)
        silent_since = [time.monotonic()]

        def silent():
            if self.take():
                silent_since[0] = time.monotonic()
            return time.monotonic() - silent_since[0] > 1
        wait_for(silent, lambda: "silence: %r" % [c.most_common(3) for c in self.heard.values()])
        check(len(self.said) > 20, "only %d datagrams were said" % len(self.said))

    def copies(self, network, data):
        """How many of it relays have sent to that network."""
        return self.heard[network][data, True]

    def is_late(self, data):
        """Has a relay taken so long for it that others may have forgotten it (GUARD_MS)?"""
        times = self.times[data].values()
        return max(times) - min(times) > 0.4

    def check(self, most):
        """Every datagram was heard once where it was said, and got to every other network; relays
        have sent at most so many copies of it, all in all. Where one has been so late on a busy
        machine that it was forgotten, it may go once more through each."""
        for home, data in self.said:
            copies = {name: self.copies(name, data) for name in self.heard}
            check_equal(self.heard[home][data, False], 1, "%r, heard from its speaker" % data)
            for name, count in copies.items():
                check(name == home or count > 0, "%r did not get to %s" % (data, name))
            check(sum(copies.values()) <= most * (2 if self.is_late(data) else 1),
                  "%r: copies by relays %r, more than %d" % (data, copies, most))


def one_penstock(t, to):
    net = networks(t, a=2, b=2)
    d = t.start(facing(to))
    if to != ALL:
        wait_members(d, to, "eth1", "eth2")
    chatter = Chatter({"a": net.a, "b": net.b}, to)
    chatter.talk(2)
    chatter.check(most=1)


def two_penstocks(t, to):
    net = networks(t, a=2, b=2)
    second = net.host("second")
    net.join(second, "eth1", "a", 2)
    net.join(second, "eth2", "b", 2)
    net.ready()
    daemons = [t.start(facing(to))]
    with second:
        daemons.append(t.start(facing(to)))
    for d in daemons if to != ALL else ():
        wait_members(d, to, "eth1", "eth2")
    chatter = Chatter({"a": net.a, "b": net.b}, to)
    chatter.talk(3 if SLOW else 10)
    chatter.check(most=2)


@udp_test("UDP loops: two rules that face each other, IPv4")
def rules4(t):
    one_penstock(t, V4.group)


@udp_test("UDP loops: two rules that face each other, IPv6", needs=("ipv6",))
def rules6(t):
    one_penstock(t, V6.group)


@udp_test("UDP loops: two rules that face each other, IPv6, group of a link", needs=("ipv6",))
def rules_link(t):
    one_penstock(t, LINK)


@udp_test("UDP loops: two rules that face each other, broadcasts")
def rules_broadcast(t):
    one_penstock(t, ALL)


@udp_test("UDP loops: two relays that face each other, IPv4")
def relays4(t):
    two_penstocks(t, V4.group)


@udp_test("UDP loops: two relays that face each other, IPv6", needs=("ipv6",))
def relays6(t):
    two_penstocks(t, V6.group)


@udp_test("UDP loops: two relays that face each other, IPv6, group of a link", needs=("ipv6",))
def relays_link(t):
    two_penstocks(t, LINK)


@udp_test("UDP loops: two relays that face each other, broadcasts")
def relays_broadcast(t):
    two_penstocks(t, ALL)


@udp_test("UDP loops: two rules that face each other, while penstock is made anew again and again")
def anew(t):
    net = networks(t, a=2, b=2)
    if os.environ.get("PENSTOCK_WRAPPER"):
        raise Skip("a wrapped program can't execute itself anew")
    rules = facing(V4.group)
    d = t.start(rules)
    wait_members(d, V4.group, "eth1", "eth2")
    chatter, rounds = Chatter({"a": net.a, "b": net.b}, V4.group), [0]

    def burst():
        d.signal(signal.SIGUSR2)
        for _ in range(5):
            chatter.say()

    def meanwhile():
        rounds[0] += 1
        if rounds[0] % 20 == 0:
            # It finds the signal and datagrams at once: what it says then may come round to the next.
            start = len(d.lines())
            while_stopped(d)(burst)
            d.wait_line(start, "listening")
        elif rounds[0] % 20 == 10:
            other = dict(rules, new=relayed("239.1.2.9", "eth1", "eth2", PORT + 1))
            d.reload(other if rounds[0] % 40 == 10 else rules)
    chatter.talk(3, meanwhile)
    chatter.check(most=1)


@udp_test("UDP loops: a ring of three relays")
def ring(t):
    net = networks(t, a=2, b=2, c=2)
    daemons = []
    for i, (first, second) in enumerate((("eth1", "eth2"), ("eth2", "eth3"), ("eth3", "eth1"))):
        host = net.host("relay%d" % i)
        for n, name in enumerate("abc", 1):
            net.join(host, "eth%d" % n, name, 2 + i)
        net.ready()
        with host:
            daemons.append(t.start({"r": relayed(V4.group, first, second)}))
    chatter = Chatter({"a": net.a, "b": net.b, "c": net.c}, V4.group)
    chatter.talk(2)
    chatter.check(most=3)


@udp_test("UDP loops: two groups on one network that feed each other")
def one_network(t):
    net = networks(t, a=2)
    groups = ("239.1.1.1", "239.2.2.2")
    d = t.start({name: {"listen": at(groups[i], PORT), "interface": "eth1",
                        "upstream": {"address": at(groups[1 - i], PORT), "interface": "eth1",
                                     "ttl": 255}}
                 for i, name in enumerate(("to2", "to1"))})
    chatters = [Chatter({"a": net.a}, group) for group in groups]
    chatters[0].talk(1)
    check_equal(chatters[1].take(), len(chatters[0].said), "datagrams that the other group hears")
    for home, data in chatters[0].said:
        check_equal([(c.heard["a"][data, False], c.heard["a"][data, True]) for c in chatters],
                    [(1, 0), (0, 1)], "copies of %r in the groups (of its speaker, of the relay)"
                    % data)


@udp_test("UDP loops: two penstocks with a tunnel between, both ways")
def tunnel(t):
    net = networks(t, a=2, b=2, c=1)
    ends = [net.host("left"), net.host("right")]
    daemons = []
    for i, (host, name) in enumerate(zip(ends, "ab")):
        net.join(host, "eth0", name, 5)
        net.join(host, "eth1", "c", 5 + i)
    net.ready()
    for i, host in enumerate(ends):
        with host:
            daemons.append(t.start({
                "out": {"listen": at(V4.group, PORT), "interface": "eth0",
                        "upstream": at(V4.of("c", 6 - i), 6000)},
                "in": {"listen": at(V4.of("c", 5 + i), 6000),
                       "upstream": {"address": at(V4.group, PORT), "interface": "eth0",
                                    "ttl": 255}}}))
    chatter = Chatter({"a": net.a, "b": net.b}, V4.group)
    chatter.talk(2)
    chatter.check(most=1)


@udp_test("UDP loops: who says the same thing twice is heard twice")
def twice(t):
    net = networks(t, a=1, b=1)
    d = t.start(facing(V4.group))
    receivers = [net.b[0].member(V4.group, PORT), net.a[0].member(V4.group, PORT)]
    speakers = [net.a[0].peer(), net.b[0].peer()]
    for speaker, receiver in zip(speakers, receivers):
        text = b"the same of " + speaker.host.name.encode()
        for i in range(20):
            speaker.send(text, V4.group, PORT)
        speaker.send(b"marker of " + text, V4.group, PORT)
        heard = [d.data for d in receiver.until(b"marker of " + text)]
        check_equal(heard.count(text), 20, "how often %s hears it" % receiver.host.name)


@udp_test("UDP loops: who says the same thing after another is taken for a copy, which is told")
def after_another(t):
    net = networks(t, a=2, b=1)
    d = t.start(facing(V4.group), {"log_level": "debug"})
    receiver = net.b[0].member(V4.group, PORT)
    first, second = (host.peer() for host in net.a)

    def burst():
        for speaker in (first, second):
            speaker.send(b"is anybody there?", V4.group, PORT)
    while_stopped(d)(burst)  # the second one is forgotten after a while (GUARD_MS)
    second.send(b"marker", V4.group, PORT)
    heard = [x.data for x in receiver.until(b"marker")]
    check_equal(heard.count(b"is anybody there?"), 1, "how often it is heard")
    told = wait_for(lambda: [l for l in d.lines() if "the same was heard" in l[""]], "its line")
    check(told[0]["client"].startswith(V4.of("a", 11) + ":"), "who is told: " + told[0][""])
