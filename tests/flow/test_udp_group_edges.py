# SPDX-License-Identifier: BSD-2-Clause
"""Groups and broadcasts at the edges: batches, limits, targets that are not there, privileges."""

import os
import socket
from collections import Counter

from harness import check, check_equal, have_ipv6, wait_for
from net import V4, V6, at, networks, wait_members
from test_systemd import passed
from udp import udp_test, while_stopped

PORT = 5000
ALL = "255.255.255.255"


def to_group(v=V4, interface="eth2", **options):
    return dict({"address": at(v.group, PORT), "interface": interface}, **options)


def from_group(upstream, v=V4, **options):
    return dict({"listen": at(v.group, PORT), "interface": "eth1", "upstream": upstream},
                **options)


@udp_test("UDP groups: many at once keep their order and each its TTL")
def mixed_ttl(t):
    net = networks(t, a=2, b=1)
    d = t.start({"r": from_group([to_group(ttl=255)["address"], at(V4.of("b", 10), 7000)],
                                 ttl=255)})
    net.relay.ip("route add multicast 239.1.2.3/32 dev eth2")
    group, host = net.b[0].member(V4.group, PORT), net.b[0].peer(7000, V4.of("b", 10))
    clients = [h.peer() for h in net.a]
    ttls = [5, 5, 9, 9, 9, 1, 64, 64, 2, 255] * 8

    def burst():
        for i, ttl in enumerate(ttls):
            for n, client in enumerate(clients):
                client.ttl(ttl)
                client.send(b"%d %d" % (n, i), V4.group, PORT)
    for _ in range(3):
        while_stopped(d)(burst)
        seen = [group.receive() for _ in range(len(ttls) * 2)]
        for n in range(2):
            of = [(x.data, x.ttl) for x in seen if x.data.startswith(b"%d " % n)]
            check_equal(of, [(b"%d %d" % (n, i), max(ttl - 1, 1)) for i, ttl in enumerate(ttls)],
                        "datagrams and TTLs of client %d" % n)
        seen = [host.receive() for _ in range(len(ttls) * 2)]
        for n in range(2):
            of = [x.data for x in seen if x.data.startswith(b"%d " % n)]
            check_equal(of, [b"%d %d" % (n, i) for i in range(len(ttls))], "what the host gets")
        check_equal({x.ttl for x in seen}, {64}, "TTLs of what goes to a host")


@udp_test("UDP: some of many are not there, the others are served")
def missing_targets(t):
    net = networks(t, a=1, b=2)
    d = t.start({"r": from_group([at(a, 7000) for a in (
        V4.of("b", 10), "198.51.100.1", V4.of("b", 99), V4.of("b", 11))])})
    # At .10 nobody listens, to the second no route leads, at .99 is no host.
    alive, client = net.b[1].peer(7000), net.a[0].peer()
    for i in range(50):
        client.send(b"%d" % i, V4.group, PORT)
        alive.answer(alive.receive(b"%d" % i), b"answer %d" % i)
        client.receive(b"answer %d" % i)
    check_equal(d.sessions(), [], "sessions that have ended")
    late = net.b[0].peer(7000)
    client.send(b"now it is there", V4.group, PORT)
    late.answer(late.receive(b"now it is there"), b"answer of the other")
    client.receive(b"answer of the other")


@udp_test("UDP groups: limits hold, and sessions of targets come and go")
def limits(t):
    net = networks(t, a=3, b=1)
    rules = {"ab": from_group(to_group(), max_connections=1, on_limit="evict"),
             "ba": {"listen": at(V4.group, PORT), "interface": "eth2", "max_connections": 1,
                    "upstream": to_group(interface="eth1")}}
    d = t.start(rules)
    receiver, own = net.b[0].member(V4.group, PORT), net.a[2].member(V4.group, PORT)
    clients = [h.peer() for h in net.a[:2]]
    for i in range(40):
        data = b"%d" % i
        clients[i % 2].send(data, V4.group, PORT)
        seen = receiver.receive(data)
        receiver.answer(seen, b"answer " + data)
        clients[i % 2].receive(b"answer " + data)
        check_equal(own.receive(data).source[0], V4.of("a", 10 + i % 2), "from whom A hears it")
    check_equal(receiver.waiting() + own.waiting(), [], "what else came")
    ends = Counter(l["end"] for l in d.sessions(rule="ab"))
    check_equal(ends, {"evicted": 39}, "ends of sessions")
    d.reload({"ab": dict(rules["ab"], on_limit="drop", max_connections=1), "ba": rules["ba"]})
    clients[1].send(b"has the place", V4.group, PORT)
    clients[0].send(b"has none", V4.group, PORT)
    clients[1].send(b"marker", V4.group, PORT)
    check_equal([x.data for x in receiver.until(b"marker")], [b"has the place"], "what came")
    d.wait_sessions(1, rule="ab", end="limit")


@udp_test("UDP groups: more than the system allows are told, and tried again")
def memberships(t):
    net = networks(t, a=1, b=1, c=1, d=1)
    net.relay.sysctl({"ipv4/igmp_max_memberships": "2"})
    d = t.start({"r": {"listen": at(V4.group, PORT), "interface": ["eth1", "eth2", "eth3"],
                       "upstream": to_group(interface="eth4")}})
    wait_members(d, V4.group, "eth1", "eth2")
    line = wait_for(lambda: [l for l in d.lines() if l.get("msg") == "cannot join"],
                    "word that eth3 can't be joined")[0]
    check("igmp_max_memberships" in line["error"] and line["interface"] == "eth3", line[""])
    receiver = net.d[0].member(V4.group, PORT)
    for host in (net.a[0], net.b[0]):
        host.peer().send(host.name.encode(), V4.group, PORT)
        receiver.receive(host.name.encode())
    net.relay.sysctl({"ipv4/igmp_max_memberships": "20"})
    wait_members(d, V4.group, "eth1", "eth2", "eth3")


@udp_test("UDP groups: without privileges, after interfaces came and went")
def no_privileges(t):
    net = networks(t, a=1, b=1)
    rules = {"group": from_group(to_group(source_port=1900)),
             "all": {"listen": {"address": at("0.0.0.0", 67), "broadcast": True},
                     "interface": "eth1",
                     "upstream": {"address": at(ALL, 67), "broadcast": True,
                                  "interface": "eth2"}}}
    d = t.start(rules, {"user": "nobody"})
    check(int(d.status_field("Uid")[0]) != 0, "it is root still")
    for _ in range(2):
        wait_members(d, V4.group, "eth1")
        receivers = [net.b[0].member(V4.group, PORT), net.b[0].peer(67)]
        client = net.a[0].peer()

        def arrives(receiver, to, port):
            client.send(b"try", to, port)
            return receiver.waiting()
        wait_for(lambda: arrives(receivers[0], V4.group, PORT), "the group's to arrive")
        wait_for(lambda: arrives(receivers[1], ALL, 67), "broadcasts to arrive")
        for r in receivers:
            r.socket.close()
        for i, name in enumerate("ab", 1):
            net.relay.ip("link delete eth%d" % i)
            net.join(net.relay, "eth%d" % i, name, 1)
        net.ready()


@udp_test("UDP groups: a socket that was passed, bound to a group", needs=("systemd",))
def passed_socket(t):
    net = networks(t, a=1, b=1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.sockets.append(s)
    s.bind((V4.group, PORT))
    net.relay.ip("route add multicast %s/32 dev eth1" % V4.group)
    # systemd binds, but does not join.
    d = passed(t, {"r": {"listen": "systemd:group", "upstream": at(V4.of("b", 10), 7000)}}, [s],
               ["group"])
    wait_members(d, V4.group, "eth1")
    upstream, client = net.b[0].peer(7000), net.a[0].peer()
    client.send(b"question", V4.group, PORT)
    upstream.answer(upstream.receive(b"question"), b"answer")
    check_equal(client.receive(b"answer").source, (V4.of("a"), PORT), "who answers")


@udp_test("UDP groups: large ones, in parts, many at once")
def large(t):
    net = networks(t, a=1, b=1)
    d = t.start({"r4": from_group(to_group()), "r6": from_group(to_group(V6), V6)}
                if have_ipv6() else {"r4": from_group(to_group())})
    for v in (V4, V6) if have_ipv6() else (V4,):
        receiver, client = net.b[0].member(v.group, PORT), net.a[0].peer(ipv6=v is V6)
        sent = [os.urandom(size) for size in (65000, 3, 20000, 0, 1473, 40000)]

        def burst():
            for data in sent:
                client.send(data, v.group, PORT)
        while_stopped(d)(burst)
        for data in sent:
            receiver.receive(data)
