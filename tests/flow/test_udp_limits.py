# SPDX-License-Identifier: BSD-2-Clause
"""UDP: a limit is never exceeded; who comes then is dropped, or takes the place of the session that
has been silent longest; and a flood of forged sources costs no more than that."""

import socket
import struct

import harness
from harness import check, check_equal, wait_for
from udp import (Pair, Upstream, nothing, open_pair, open_socket, raise_own_limit, session_sockets,
                 settle_turn, sums, udp, udp_test, while_stopped)

IP_PKTINFO = 8


def rule_at(t, on_limit, scope, limit, **options):
    """A daemon with a limit, of the rule or of its first address alone; the ports of both
    addresses, and the upstream."""
    up, a, b = Upstream(t), t.port(), t.port()
    rule = dict({"upstream": up.address, "on_limit": on_limit, "max_connections": limit}, **options)
    rule["listen"] = [udp(a), udp(b)]
    if scope == "address":
        rule["listen"] = ({"address": udp(a), "max_connections": limit}, udp(b))
        rule["max_connections"] = 100
    return t.start({"r": rule}), a, b, up


def is_dropped(t, port, up, witness):
    """A datagram of a new client, of which the upstream must not hear, nor the client anything."""
    client = Pair(t, port, up)
    client.client.send(b"one too many")
    settle_turn(witness)
    check(up.nothing(), "it has come to the upstream")
    check(nothing(client.client), "its client was answered")
    return client


def evicted(d, *pairs):
    """Just these sessions have been ended for others so far."""
    want = sorted(p.name for p in pairs)
    wait_for(lambda: len(d.sessions(end="evicted")) >= len(want), "%d evicted" % len(want))
    check_equal(sorted(l["client"] for l in d.sessions(end="evicted")), want, "who was evicted")


def drop_test(t, scope):
    d, a, b, up = rule_at(t, "drop", scope, 3, udp_replies=4)
    ports = (a, b) if scope == "rule" else (a,)
    pairs = [open_pair(t, ports[i % len(ports)], up) for i in range(3)]
    away = [is_dropped(t, port, up, pairs[0]) for port in ports]
    check_equal(session_sockets(d), 3, "sockets of sessions")
    if scope == "address":  # the other address is none of this limit's
        open_pair(t, b, up)
    wait_for(lambda: d.sessions(end="limit"), "a line about the limit")
    # One ends (its fourth reply); its place is given away, and no other.
    for _ in range(3):
        pairs[1].answer()
    pairs[1].ended(d, end="done")
    away[0].talk()
    is_dropped(t, a, up, away[0])
    check_equal(d.sessions(end="evicted"), [], "evicted sessions")


for scope_ in ("rule", "address"):
    udp_test("udp: a limit of 3, drop: the %s's" % scope_)(
        lambda t, scope=scope_: drop_test(t, scope))


@udp_test("udp: a limit hit by 50 new clients at once, many times: never one more")
def hit_at_once(t):
    up, port = Upstream(t), t.port()
    limit = 7
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": limit,
                       "udp_replies": 1}})
    for number in range(5 if harness.SLOW else 20):
        pairs = [Pair(t, port, up) for _ in range(50)]
        for word in (b"first of ", b"second of "):
            for p in pairs:
                p.client.send(word + p.name.encode())
        # Two datagrams of each who got in; then one reply each, which ends the session.
        got = {}
        for _ in range(2 * limit):
            data, sender = up.receive()
            got.setdefault(sender, []).append(data)
        check_equal(len(got), limit, "sessions at the upstream")
        for words in got.values():
            name = words[0][len(b"first of "):]
            check_equal(words, [b"first of " + name, b"second of " + name], "of one session")
        # When this one has come, all that were sent before it have been looked at.
        last = next(p for p in pairs if p.name.encode() == name)
        last.client.send(b"last")
        data, sender = up.receive()
        check_equal(data, b"last", "what the upstream got")
        got[sender].append(data)
        check_equal(session_sockets(d), limit, "sockets of sessions")
        for sender, words in got.items():
            for _ in words:
                up.send(b"answer", sender)
        d.wait_sessions(limit * (number + 1), end="done")
        check(up.nothing(), "one more has got through")
        answered = [p for p in pairs if not nothing(p.client)]
        check_equal(len(answered), limit, "clients that were answered")
        for p in pairs:
            p.close()


def evict_test(t, scope):
    d, a, b, up = rule_at(t, "evict", scope, 3)
    other = open_pair(t, b, up) if scope == "address" else None
    one, two, three = (open_pair(t, a, up) for _ in range(3))
    one.ask()
    new = open_pair(t, a, up)  # two has been silent longest
    evicted(d, two)
    check_equal(session_sockets(d), 3 + bool(other), "sockets of sessions")
    up.send(b"word", three.sender)  # the upstream's words count as well
    check_equal(three.client.recv(100), b"word", "the upstream's word")
    newer = open_pair(t, a, up)
    evicted(d, two, one)
    three.talk()
    new.talk()
    two.anew()  # newer is the one that has been silent longest by now
    evicted(d, two, one, newer)
    line = two.ended(d)
    check_equal((line["datagrams_in"], line["datagrams_out"]), ("1", "1"), "datagrams")
    if other:
        other.talk().lives(d)
    three.talk().lives(d)
    check_equal(d.sessions(end="limit"), [], "lines about the limit")


for scope_ in ("rule", "address"):
    udp_test("udp: a limit of 3, evict: the longest silent goes: the %s's" % scope_)(
        lambda t, scope=scope_: evict_test(t, scope))


@udp_test("udp: evict: over all addresses of a rule")
def evict_over_addresses(t):
    d, a, b, up = rule_at(t, "evict", "rule", 2)
    first = open_pair(t, a, up)
    second = open_pair(t, b, up)
    open_pair(t, b, up)
    evicted(d, first)
    first.anew()
    evicted(d, first, second)


@udp_test("udp: evict: both limits hold")
def evict_both(t):
    up, a, b = Upstream(t), t.port(), t.port()
    d = t.start({"r": {"listen": ({"address": udp(a), "max_connections": 1}, udp(b)),
                       "upstream": up.address, "on_limit": "evict", "max_connections": 2}})
    at_b = open_pair(t, b, up)
    first = open_pair(t, a, up)
    second = open_pair(t, a, up)  # at_b is older, but that would not make room at this address
    evicted(d, first)
    at_b.talk()
    third = open_pair(t, b, up)
    evicted(d, first, second)
    at_b.talk()
    third.talk()
    check_equal(session_sockets(d), 2, "sockets of sessions")


@udp_test("udp: evict: those who were never answered go first")
def unanswered_first(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": 4,
                       "on_limit": "evict"}})
    old = [open_pair(t, port, up) for _ in range(2)]
    mute = [Pair(t, port, up).ask() for _ in range(2)]
    mute[0].ask()
    new = [Pair(t, port, up).ask() for _ in range(2)]
    evicted(d, *mute)
    for p in (*old, *new):
        p.lives(d)
    # When all have been answered, it is the silent one's turn again.
    for p in new:
        p.answer()
    old[1].talk()
    Pair(t, port, up).ask()
    evicted(d, *mute, old[0])


@udp_test("udp: evict: who has just talked is not the silent one, though it comes in one batch")
def evict_in_batch(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": 3,
                       "on_limit": "evict"}})
    one, two, three = (open_pair(t, port, up) for _ in range(3))
    new = Pair(t, port, up)

    def burst():
        one.client.send(b"one is here")
        new.client.send(b"new is here")
    while_stopped(d)(burst)
    check_equal(sorted(up.receive()[0] for _ in range(2)), [b"new is here", b"one is here"],
                "what the upstream got")
    evicted(d, two)
    one.talk().lives(d)
    three.talk().lives(d)


@udp_test("udp: evict: a batch of more new clients than the limit: each one's datagram is sent on")
def evict_each_other(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": 3,
                       "on_limit": "evict"}})
    clients = [Pair(t, port, up) for _ in range(20)]

    def burst():
        for c in clients:
            c.client.send(c.name.encode())
    while_stopped(d)(burst)
    check_equal(sorted(up.receive()[0] for _ in clients), sorted(c.name.encode() for c in clients),
                "what the upstream got")
    evicted(d, *clients[:-3])
    lines = d.sessions(end="evicted")
    check_equal(sums(lines, "datagrams_in", "dropped"), (len(lines), 0), "datagrams of theirs")


@udp_test("udp: evict: whoever makes many sessions does not make as many lines")
def evict_lines(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": 1,
                       "on_limit": "evict"}})
    clients = [Pair(t, port, up) for _ in range(60)]

    def burst():
        for c in clients:
            c.client.send(b"one of many")
    while_stopped(d)(burst)

    def count():
        return sum(int(l.get("count", 1)) for l in d.sessions(end="evicted"))
    wait_for(lambda: count() >= 59, "all to be counted")
    check_equal(count(), 59, "evicted sessions in the log")
    # 20 in one second; a machine that is busy may take longer.
    whole = len([l for l in d.sessions(end="evicted") if "count" not in l])
    check(20 <= whole < 59, "%d whole lines" % whole)


@udp_test("udp: evict has nothing to do with TCP sessions of the same rule")
def evict_and_tcp(t):
    up, port = Upstream(t), t.port()
    tcp = t.listener(("127.0.0.1", up.where[1]))
    d = t.start({"r": {"listen": ["127.0.0.1:%d" % port, udp(port)], "upstream": up.address,
                       "max_connections": 2, "on_limit": "evict"}})
    client = t.connect(("127.0.0.1", port))
    other = tcp.accept()[0]
    t.sockets.append(other)
    first = open_pair(t, port, up)
    second = open_pair(t, port, up)
    evicted(d, first)
    late = t.connect(("127.0.0.1", port))  # of TCP there is no eviction: closed
    try:
        check_equal(late.recv(1), b"", "what a TCP client gets at the limit")
    except ConnectionResetError:
        pass
    second.talk()
    client.sendall(b"x")
    check_equal(other.recv(1), b"x", "what comes by TCP")
    client.close()
    other.close()
    d.wait_sessions(1, end="done")


@udp_test("udp: evict: a rule whose sessions are all of TCP has nobody to give away")
def nobody_to_evict(t):
    up, port = Upstream(t), t.port()
    tcp = t.listener(("127.0.0.1", up.where[1]))
    d = t.start({"r": {"listen": ["127.0.0.1:%d" % port, udp(port)], "upstream": up.address,
                       "max_connections": 1, "on_limit": "evict"}})
    client = t.connect(("127.0.0.1", port))
    other = tcp.accept()[0]
    s = Pair(t, port, up)
    s.client.send(b"too many")
    d.wait_sessions(1, end="limit")
    check(up.nothing(), "it has come to the upstream")
    client.close()
    other.close()
    d.wait_sessions(1, end="done")
    s.talk()


# --- floods ----------------------------------------------------------------------------------

class Flood:
    """Datagrams from as many sources as are asked for, each of 127.0.0.0/8, from one socket."""

    def __init__(self, t, port):
        self.socket = open_socket(t, ("0.0.0.0", t.port()))
        self.to = ("127.0.0.1", port)
        self.count = 0

    def send(self, count):
        for _ in range(count):
            self.count += 1
            host = socket.inet_aton("127.%d.%d.%d" % (1 + self.count // 60000,
                                                      self.count // 250 % 240,
                                                      1 + self.count % 250))
            info = struct.pack("=i4s4s", 0, host, bytes(4))
            self.socket.sendmsg([b"flood"], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, self.to)


def flood_test(t, on_limit):
    """20,000 sources; 50 sessions of 200 have been answered before."""
    limit, known = 200, 50
    up, port = Upstream(t), t.port()
    total = 2000 if harness.SLOW else 20000
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": limit,
                       "on_limit": on_limit}})
    pairs = [open_pair(t, port, up) for _ in range(known)]
    senders = {p.sender for p in pairs}
    flood = Flood(t, port)
    rss = None
    came = 0
    for number in range(total // 100):
        flood.send(100)
        # One of the known talks between: nothing is in its way.
        p = pairs[number % known]
        text = p.text("question")
        p.client.send(text)
        while True:
            data, sender = up.receive()
            if sender == p.sender:
                check_equal(data, text, "what the upstream got")
                break
            check(sender not in senders, "a stranger in a known session")
            came += 1
        p.answer()
        check(session_sockets(d) <= limit, "more sockets than the limit")
        check(d.fds() <= d.baseline + limit, "more descriptors than the limit")
        if number == total // 1000:
            rss = d.rss()
    grown = d.rss() - rss
    check(t.features["sanitized"] or grown < 4 << 20, "the flood has cost %d KiB" % (grown >> 10))
    while not up.nothing():
        came += 1
    for p in pairs:
        p.lives(d)
        p.talk()
    check_equal(session_sockets(d), limit, "sockets of sessions")
    lines = d.sessions(end="evicted")
    if on_limit == "evict":
        check(came > total // 2, "only %d of %d have come" % (came, total))
        check_equal(sums(lines, "datagrams_out"), (0,), "replies of evicted sessions")
    else:
        check_equal(len(lines), 0, "evicted sessions")
        refused = sum(int(l.get("count", 1)) for l in d.sessions(end="limit"))
        check(refused > 0, "no line about the limit")
        check(len(d.sessions(end="limit")) < total // 100, "a line for each that was refused")


for on_limit_ in ("drop", "evict"):
    udp_test("udp: a flood of forged sources, %s: bounded, known sessions go on" % on_limit_)(
        lambda t, on_limit=on_limit_: flood_test(t, on_limit))


@udp_test("udp: 5,000 sessions at a time, each answered, none mixed up")
def five_thousand(t):
    count = 1000 if harness.SLOW else 5000
    raise_own_limit(20000)
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": count}},
                files=20000)
    clients = []
    for i in range(count):
        clients.append(open_socket(t, ("127.1.%d.%d" % (i // 250, 1 + i % 250), 20000),
                                   connect=("127.0.0.1", port)))
    senders = {}
    for number in range(2):
        for at in range(0, count, 50):
            group = range(at, min(at + 50, count))
            for i in group:
                clients[i].send(struct.pack("!2I", number, i))
            for _ in group:
                data, sender = up.receive()
                check_equal(senders.setdefault(sender, data[4:]), data[4:], "who is whose session")
                up.send(data + b"!", sender)
            for i in group:
                check_equal(clients[i].recv(100), struct.pack("!2I", number, i) + b"!", "answer")
    check_equal(len(senders), count, "sessions at the upstream")
    check_equal(session_sockets(d), count, "sockets of sessions")
    # All at once, in any order, out of the upstream's own will.
    order = list(senders)
    t.seed().shuffle(order)
    for sender in order:
        up.send(senders[sender], sender)
    for i, s in enumerate(clients):
        check_equal(s.recv(100), struct.pack("!I", i), "what a client got")
    check_equal([l[""] for l in d.sessions()][:3], [], "lines of live sessions")
