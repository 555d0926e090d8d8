# SPDX-License-Identifier: BSD-2-Clause
"""Interfaces that come, go or change while rules with groups run, and such rules that come and
go."""

from api import Api, control
from harness import ONCE, check, check_equal, wait_for
from net import V4, V6, at, filters, networks, wait_members
from openmetrics import metrics
from udp import over, udp_test

PORT = 5000
LINK = "ff02::1:2:3"


def rule(to, first="eth1", second="eth2", port=PORT, **options):
    return dict({"listen": at(to, port), "interface": first,
                 "upstream": {"address": at(to, port), "interface": second}}, **options)


def each(name):
    """Decorator: function(t, group) is a test for a group of each kind."""
    def register(function):
        for kind, to in (("IPv4", V4.group), ("IPv6", V6.group), ("IPv6, of a link", LINK)):
            add = udp_test("UDP interfaces: %s, %s" % (name, kind),
                           needs=("ipv6",) if ":" in to else ())
            add(lambda t, to=to: function(t, to))
        return function
    return register


def gets_across(sender, to, receiver, port=PORT, word=b"try"):
    """Say it until it is heard; gives what was heard, and leaves nothing behind."""
    tries = [0]

    def heard():
        tries[0] += 1
        sender.send(b"%s %d" % (word, tries[0]), to, port)
        found = [d for d in receiver.waiting() if d.data.startswith(word)]
        return found[0] if found else None
    found = wait_for(heard, "%s to hear %s" % (receiver.host.name, sender.host.name))
    sender.send(word + b" marker", to, port)
    receiver.until(word + b" marker")
    return found


def own(net, to, interface):
    """Where the relay is on that interface, as others see it."""
    if to == LINK:
        return net.relay.link_local(interface)
    name = "abcdef"[int(interface[3:]) - 1]
    return (V6 if ":" in to else V4).of(name)


def asks_and_is_answered(net, to, client, receiver):
    client.send(b"question", to, PORT)
    seen = receiver.receive(b"question")
    check_equal(seen.source[0], own(net, to, "eth2"), "from whom B hears it")
    receiver.answer(seen, b"answer")
    check_equal(client.receive(b"answer").source, (own(net, to, "eth1"), PORT), "who answers")


@each("the listener's goes away and returns")
def listening(t, to):
    net = networks(t, a=1, b=1)
    d = t.start({"r": rule(to)})
    client, receiver = net.a[0].peer(ipv6=":" in to), net.b[0].member(to, PORT)
    asks_and_is_answered(net, to, client, receiver)
    for _ in range(2):
        net.relay.ip("link delete eth1")
        wait_members(d, to)
        net.join(net.relay, "eth1", "a", 1)
        net.ready()
        wait_members(d, to, "eth1")
        gets_across(client, to, receiver)
        asks_and_is_answered(net, to, client, receiver)


@udp_test("UDP interfaces: a listener of one that is not there is said to be so", ONCE)
def said(t):
    net = networks(t, a=1)
    daemon, path = control(t)
    options = {"interface": "eth9", "upstream": at(V4.of("a", 10), PORT)}
    listens = {"group": at(V4.group, PORT), "six": at(V6.group, 5001), "host": at("0.0.0.0", 5002),
               "cast": at("255.255.255.255", 5003)}
    rules = {name: dict(options, listen=listen) for name, listen in listens.items()}
    rules["some"] = dict(rules["group"], listen=at("239.9.9.9", 5004), interface=["eth9", "eth1"])
    rules["all"] = {"listen": at("0.0.0.0", 5005), "broadcast": True, "upstream": "10.9.9.9:9"}
    t.start(rules, daemon=daemon)

    def states():
        return {r["name"]: r["listeners"][0]["state"] for r in Api(path).get("/v1/rules")["rules"]}

    def become(state):
        wanted = dict({name: state for name in listens}, some="listening", all="listening")
        wait_for(lambda: states() == wanted, lambda: "all %s: %r" % (state, states()))
        m = metrics(path)
        for other in ("no-interface", "listening", "closed"):
            check_equal(m.get("penstock_listener_state", rule="group", state=other,
                              listener=at(V4.group, PORT) + "%eth9"), int(other == state), other)

    become("no-interface")
    net.join(net.relay, "eth9", "a", 9)
    net.ready()
    become("listening")
    net.relay.ip("link set eth9 down")
    become("no-interface")
    Api(path).post("/v1/rules/group/pause")
    check_equal(states()["group"], "paused", "one that is paused as well")


@each("the listener's goes down and up")
def down(t, to):
    net = networks(t, a=1, b=1)
    d = t.start({"r": rule(to)})
    client, receiver = net.a[0].peer(ipv6=":" in to), net.b[0].member(to, PORT)
    net.relay.ip("link set eth1 down")
    client.send(b"to nobody", to, PORT)
    net.relay.ip("link set eth1 up")
    if ":" in to:  # it loses them
        net.relay.ip("address replace %s/64 dev eth1" % V6.of("a"))
    net.ready()
    gets_across(client, to, receiver)
    wait_members(d, to, "eth1")
    asks_and_is_answered(net, to, client, receiver)


@each("the upstream's goes away and returns")
def upstream(t, to):
    net = networks(t, a=1, b=1)
    d = t.start({"r": rule(to)})
    client, receiver = net.a[0].peer(ipv6=":" in to), net.b[0].member(to, PORT)
    asks_and_is_answered(net, to, client, receiver)
    net.relay.ip("link delete eth2")
    for i in range(10):
        client.send(b"to nobody", to, PORT)
    net.join(net.relay, "eth2", "b", 1)
    net.ready()
    gets_across(client, to, receiver)
    asks_and_is_answered(net, to, client, receiver)
    check_equal(len(d.sessions()), 0, "sessions that have ended")
    over(d)
    line, = d.wait_sessions(1)
    check(int(line.get("dropped", 0)) >= 10, "what was dropped: %s" % line[""])


@each("both get other addresses")
def other_addresses(t, to):
    net = networks(t, a=1, b=1)
    d = t.start({"r": rule(to)})
    client, receiver = net.a[0].peer(ipv6=":" in to), net.b[0].member(to, PORT)
    asks_and_is_answered(net, to, client, receiver)
    for interface, name in (("eth1", "a"), ("eth2", "b")):
        net.relay.ip("address flush dev %s scope global" % interface,
                     "address add %s/24 broadcast + dev %s" % (V4.of(name, 7), interface),
                     "address add %s/64 dev %s" % (V6.of(name, 7), interface))
    net.ready()
    family = V6 if ":" in to else V4
    wanted = [net.relay.link_local(i) for i in ("eth1", "eth2")] if to == LINK else [
        family.of("a", 7), family.of("b", 7)]
    seen = gets_across(client, to, receiver)
    check_equal(seen.source[0], wanted[1], "from whom B hears it")
    wait_members(d, to, "eth1")
    client.send(b"question", to, PORT)
    receiver.answer(receiver.receive(b"question"), b"answer")
    check_equal(client.receive(b"answer").source, (wanted[0], PORT), "who answers")


@each("they come after penstock")
def later(t, to):
    net = networks(t, a=1, b=1)
    net.relay.ip("link delete eth1", "link delete eth2")
    d = t.start({"r": rule(to)})
    wait_for(lambda: any("eth1" in l[""] for l in d.lines()), "word that eth1 is not there")
    client, receiver = net.a[0].peer(ipv6=":" in to), net.b[0].member(to, PORT)
    net.join(net.relay, "eth1", "a", 1)
    wait_members(d, to, "eth1")
    client.send(b"too early", to, PORT)
    net.join(net.relay, "eth2", "b", 1)
    net.ready()
    gets_across(client, to, receiver)
    asks_and_is_answered(net, to, client, receiver)


@each("one of two goes away, the other is used on")
def one_of_two(t, to):
    net = networks(t, a=1, b=1, c=1, d=1)
    d = t.start({"r": rule(to, ["eth1", "eth2"], ["eth3", "eth4"])})
    clients = [h[0].peer(ipv6=":" in to) for h in (net.a, net.b)]
    receivers = [h[0].member(to, PORT) for h in (net.c, net.d)]
    net.relay.ip("link delete eth1", "link delete eth3")
    wait_members(d, to, "eth2")
    for i in range(20):
        clients[1].send(b"%d" % i, to, PORT)
        receivers[1].receive(b"%d" % i)
    net.join(net.relay, "eth1", "a", 1)
    net.join(net.relay, "eth3", "c", 1)
    net.ready()
    wait_members(d, to, "eth1", "eth2")
    for n, client in enumerate(clients):
        for r in receivers:
            gets_across(client, to, r, word=b"%d to %s" % (n, r.host.name.encode()))


@udp_test("UDP interfaces: sources are listened to again")
def source(t):
    net = networks(t, a=2, b=1)
    ssm = "232.1.2.3"
    d = t.start({"r": {"listen": at(ssm, PORT), "interface": "eth1", "source": V4.of("a", 10),
                       "upstream": at(V4.of("b", 10), PORT)}})
    for _ in range(2):
        wait_for(lambda: filters(d.pid, ssm) == {("eth1", V4.of("a", 10))}, "the kernel's filter")
        net.relay.ip("link delete eth1")
        wait_members(d, ssm)
        net.join(net.relay, "eth1", "a", 1)
        net.ready()
    wait_for(lambda: filters(d.pid, ssm) == {("eth1", V4.of("a", 10))}, "the kernel's filter")
    receiver = net.b[0].peer(PORT)
    net.a[1].peer().send(b"of another", ssm, PORT)
    check_equal(gets_across(net.a[0].peer(), ssm, receiver).source[0], V4.of("b"), "from whom")


@udp_test("UDP interfaces: broadcasts cross again after both returned")
def broadcast(t):
    net = networks(t, a=1, b=1)
    all_hosts = "255.255.255.255"
    d = t.start({"r": {
        "listen": {"address": at("0.0.0.0", PORT), "broadcast": True, "interface": "eth1"},
        "upstream": {"address": at(all_hosts, PORT), "broadcast": True, "interface": "eth2"}}})
    client, receiver = net.a[0].peer(), net.b[0].peer(PORT)
    gets_across(client, all_hosts, receiver)
    net.relay.ip("link delete eth1", "link delete eth2")
    net.join(net.relay, "eth2", "b", 1)
    net.join(net.relay, "eth1", "a", 1)
    net.ready()
    gets_across(client, all_hosts, receiver)


@each("rules with groups come and go with a reload")
def reload(t, to):
    net = networks(t, a=1, b=1)
    other = to[:-1] + "7"
    d = t.start({"r": rule(to)})
    client = net.a[0].peer(ipv6=":" in to)
    receiver, second = net.b[0].member(to, PORT), net.b[0].member(other, PORT + 1)
    client.send(b"question", to, PORT)
    asked = receiver.receive(b"question")
    for _ in range(2):
        d.reload({"r": rule(to), "new": rule(other, port=PORT + 1)})
        wait_members(d, other, "eth1")
        gets_across(client, other, second, PORT + 1)
        d.reload({"r": rule(to)})
        wait_members(d, other)
        # The session of the rule that stays lives on.
        receiver.answer(asked, b"answer")
        client.receive(b"answer")
        asks_and_is_answered(net, to, client, receiver)
    check_equal(d.sessions(rule="r"), [], "sessions of the rule that stayed")
    over(d)
    wait_members(d, to)
    d.wait_sessions(1, rule="r")


@each("a rule's interfaces and upstream change with a reload")
def change(t, to):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"r": rule(to)})
    clients = [h[0].peer(ipv6=":" in to) for h in (net.a, net.c)]
    receivers = [h[0].member(to, PORT) for h in (net.b, net.c)]
    gets_across(clients[0], to, receivers[0], word=b"first")
    d.reload({"r": rule(to, ["eth1", "eth3"])})
    wait_members(d, to, "eth1", "eth3")
    for i, client in enumerate(clients):
        gets_across(client, to, receivers[0], word=b"second %d" % i)
    d.reload({"r": rule(to, "eth1", "eth3", on_change="kill")})
    wait_members(d, to, "eth1")
    gets_across(clients[0], to, receivers[1], word=b"third")
    check(d.alive(), "penstockd has ended")


@each("memberships and sessions outlive a new program")
def upgrade(t, to):
    net = networks(t, a=1, b=1)
    d = t.start({"r": rule(to)})
    client, receiver = net.a[0].peer(ipv6=":" in to), net.b[0].member(to, PORT)
    client.send(b"before", to, PORT)
    asked = receiver.receive(b"before")
    for i in range(2):
        d.upgrade()
        wait_members(d, to, "eth1")
        receiver.answer(asked, b"late answer")
        client.receive(b"late answer")
        asks_and_is_answered(net, to, client, receiver)
    net.relay.ip("link delete eth1")
    wait_members(d, to)
    net.join(net.relay, "eth1", "a", 1)
    net.ready()
    gets_across(client, to, receiver)
    check_equal(d.sessions(), [], "sessions that have ended")
    over(d)
    wait_members(d, to)


@each("they change their names")
def names(t, to):
    net = networks(t, a=1, b=1, c=1)
    d = t.start({"r": rule(to)})
    clients = [h[0].peer(ipv6=":" in to) for h in (net.a, net.c)]
    receiver = net.b[0].member(to, PORT)
    gets_across(clients[0], to, receiver, word=b"first")
    net.relay.ip("link set eth1 down", "link set eth1 name old", "link set eth3 down",
                 "link set eth3 name eth1", "link set eth1 up", "link set old up")
    if ":" in to:  # they lose them when they are down
        net.relay.ip("address replace %s/64 dev eth1" % V6.of("c"),
                     "address replace %s/64 dev old" % V6.of("a"))
    net.ready()
    wait_members(d, to, "eth1")
    gets_across(clients[1], to, receiver, word=b"second")
    clients[0].send(b"of the old one", to, PORT)
    clients[1].send(b"marker", to, PORT)
    check_equal(receiver.until(b"marker"), [], "what came of the old one")


@each("one that comes and goes all the time")
def flapping(t, to):
    net = networks(t, a=1, b=1)
    d = t.start({"r": rule(to)})
    client, receiver = net.a[0].peer(ipv6=":" in to), net.b[0].member(to, PORT)
    for i in range(25):
        net.relay.ip("link delete eth%d" % (1 + i % 2))
        client.send(b"to nobody", to, PORT)
        net.join(net.relay, "eth%d" % (1 + i % 2), "ab"[i % 2], 1)
        for n in range(20):  # news that changes nothing
            net.relay.ip("address add 192.0.2.%d/32 dev lo" % n)
        net.relay.ip("address flush dev lo scope global to 192.0.2.0/24")
    net.ready()
    gets_across(client, to, receiver)
    wait_members(d, to, "eth1")
    asks_and_is_answered(net, to, client, receiver)
