# SPDX-License-Identifier: BSD-2-Clause
"""UDP: SIGUSR2: the program executes itself anew, and no session notices."""

import signal

import harness
from harness import ENGINE, check, check_equal, test, wait_for
from names import Names, SlowServer
from test_udp_load import ROUNDS, Aside, UnderLoad
from udp import (Pair, Upstream, listeners, nothing, open_pair, raise_own_limit, receive,
                 session_sockets, settle_turn, udp, udp_test, while_stopped)


def forward(t, **options):
    up, port = Upstream(t), t.port()
    return t.start({"r": dict({"listen": udp(port), "upstream": up.address}, **options)}), port, up


@udp_test("udp: handover: sessions, listeners and counters go on")
def goes_on(t):
    up, unix = Upstream(t), Upstream(t, t.path("up.sock"))
    port, wild, other = t.port(), t.port(), t.port()
    d = t.start({"r": {"listen": [udp(port), "udp:*:%d" % wild], "upstream": up.address},
                 "u": {"listen": udp(other), "upstream": unix.address}})
    before = listeners(d)
    pairs = [open_pair(t, port, up) for _ in range(5)]
    pairs += [open_pair(t, ("127.0.0.%d" % i, wild), up) for i in range(1, 6)]
    pairs += [open_pair(t, other, unix) for _ in range(3)]
    mute = Pair(t, port, up).ask()
    for _ in range(3):
        line = d.upgrade()
        check_equal((line["sessions"], line["listeners"]), (str(len(pairs) + 1), "3"),
                    "what it took")
        check_equal(listeners(d), before, "listening sockets")
        for p in pairs:
            p.talk()
        mute.ask()
    mute.answer()
    new = open_pair(t, port, up)
    d.reload({"rest": {"listen": udp(t.port()), "upstream": up.address}})
    for p in pairs:
        line = p.ended(d, end="drained")
        check_equal((line["datagrams_in"], line["datagrams_out"]), ("4", "4"), "datagrams")
    check_equal(mute.ended(d)["datagrams_in"], "4", "datagrams of a client without an answer")
    check_equal(sorted(int(l["id"]) for l in d.sessions()), list(range(1, len(pairs) + 3)), "ids")
    check_equal(new.ended(d)["id"], str(len(pairs) + 2), "id of a session begun afterwards")


@udp_test("udp: handover: datagrams that come meanwhile lie in the sockets")
def meanwhile(t):
    d, port, up = forward(t)
    pairs = [open_pair(t, port, up) for _ in range(4)]
    for number in range(10):
        def burst():
            d.signal(signal.SIGUSR2)
            for i in range(15):
                for p in pairs:
                    p.client.send(b"%d %d" % (number, i))
                    up.send(b"back %d %d" % (number, i), p.sender)
        start = len(d.lines())
        while_stopped(d)(burst)
        check_equal(d.wait_line(start, "taken over", "not handed over")["msg"], "taken over",
                    "outcome")
        d.wait_line(start, "listening")
        got = {p.sender: [] for p in pairs}
        for _ in range(15 * len(pairs)):
            data, sender = up.receive()
            got[sender].append(data)
        for p in pairs:
            check_equal(got[p.sender], [b"%d %d" % (number, i) for i in range(15)], "what came")
            for i in range(15):
                check_equal(receive(p.client)[0], b"back %d %d" % (number, i), "what came back")
    for p in pairs:
        p.lives(d)


@udp_test("udp: handover: udp_timeout goes on")
def timeout(t):
    d, port, up = forward(t, udp_timeout="3s")
    pair = open_pair(t, port, up)
    d.upgrade()
    d.upgrade()
    line = pair.ended(d)
    check_equal((line["end"], line["datagrams_in"], line["datagrams_out"]),
                ("idle-timeout", "1", "1"), "the line")
    check(int(line["ms"]) >= 3000, "it has ended after %s ms" % line["ms"])
    pair.anew()


@udp_test("udp: handover: udp_replies counts on")
def replies(t):
    d, port, up = forward(t, udp_replies=3)
    pair = open_pair(t, port, up)
    d.upgrade()
    pair.answer()
    d.upgrade()
    pair.lives(d)
    pair.answer()
    line = pair.ended(d)
    check_equal((line["end"], line["datagrams_out"]), ("done", "3"), "the line")


@udp_test("udp: handover: limits count on, and who is evicted is who would have been")
def limits(t):
    up, a, b = Upstream(t), t.port(), t.port()
    rule = {"upstream": up.address, "max_connections": 4}
    d = t.start({"drop": dict(rule, listen=udp(a)),
                 "evict": dict(rule, listen=udp(b), on_limit="evict")})
    drop = [open_pair(t, a, up) for _ in range(4)]
    evict = [open_pair(t, b, up) for _ in range(2)]
    mute = [Pair(t, b, up).ask() for _ in range(2)]
    evict[0].talk()
    d.upgrade()
    late = Pair(t, a, up)
    late.client.send(b"too many")
    settle_turn(drop[0])
    check(up.nothing() and nothing(late.client), "one more came in")
    for number, gone in enumerate((mute[0], mute[1], evict[1])):
        open_pair(t, b, up)
        line = gone.ended(d)
        check_equal(line["end"], "evicted", "end of number %d" % number)
        check_equal(len(d.sessions(end="evicted")), number + 1, "evicted so far")
        d.upgrade()
    evict[0].talk().lives(d)
    check_equal(session_sockets(d), 8, "sockets of sessions")


@udp_test("udp: handover: a refusal is not forgotten")
def refused(t):
    d, port, up = forward(t)
    pair = open_pair(t, port, up)
    up.close()
    start = len(d.lines())

    def burst():
        pair.client.send(b"into the void")
        d.signal(signal.SIGUSR2)
    while_stopped(d)(burst)
    d.wait_line(start, "taken over")
    check_equal(pair.ended(d)["end"], "upstream-refused", "its end")
    up.open_again()
    pair.anew()


@udp_test("udp: handover: while the name is being resolved")
def resolving(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    up = Upstream(t)
    d, port, _ = forward(t, upstream="a.slow.test:%d" % up.where[1], connect_timeout="1min")
    pair = Pair(t, port, up)
    for word in (b"one", b"two"):
        pair.client.send(word)
    wait_for(slow.asked, "the name server to be asked")
    d.upgrade()
    pair.client.send(b"three")

    up.socket.settimeout(0.1)
    got = []

    def all_there():
        slow.answer("127.0.0.1")
        try:
            got.append(up.socket.recvfrom(100))
        except TimeoutError:
            pass
        return len(got) >= 3
    wait_for(all_there, lambda: "three datagrams, there are %r" % got)
    check_equal([data for data, _ in got], [b"one", b"two", b"three"], "what came")
    check_equal(len({sender for _, sender in got}), 1, "sessions")


@udp_test("udp: handover: to another config")
def other_config(t):
    old, new = Upstream(t), Upstream(t)
    ports = {name: t.port() for name in ("same", "gone", "kept", "killed", "late")}
    rules = {name: {"listen": udp(port), "upstream": old.address}
             for name, port in ports.items() if name != "late"}
    rules["killed"]["on_change"] = "kill"
    d = t.start(rules)
    pairs = {name: open_pair(t, ports[name], old) for name in rules}
    rules = {name: dict(r) for name, r in rules.items() if name != "gone"}
    for name in ("kept", "killed"):
        rules[name]["upstream"] = new.address
    rules["late"] = {"listen": udp(ports["late"]), "upstream": new.address}
    d.rewrite(rules)
    d.upgrade()
    for name in ("same", "kept"):
        pairs[name].talk().lives(d)
    check_equal(pairs["gone"].ended(d)["end"], "drained", "end of a removed rule's session")
    check_equal(pairs["killed"].ended(d)["end"], "killed", "end of on_change = kill")
    pairs["killed"].anew(new)
    for name in ("kept", "late"):
        open_pair(t, ports[name], new)


@udp_test("udp: handover: one that must not be: all goes on as before")
def refused_config(t):
    d, port, up = forward(t)
    pairs, before = [open_pair(t, port, up) for _ in range(3)], listeners(d)
    good = d.text
    d.rewrite("rules = {")
    d.upgrade_fails(d.config)
    for p in pairs:
        p.talk().lives(d)
    open_pair(t, port, up)
    d.reload(good)
    d.upgrade()
    check_equal(listeners(d), before, "listening sockets")
    for p in pairs:
        p.talk().lives(d)


@udp_test("udp: handover: TCP and UDP at one port")
def mixed(t):
    up = Upstream(t)
    tcp = t.listener(("127.0.0.1", up.where[1]))
    port = t.port()
    d = t.start({"r": {"listen": ["127.0.0.1:%d" % port, udp(port)], "upstream": up.address}})
    pair = open_pair(t, port, up)
    client = t.connect(("127.0.0.1", port))
    other = tcp.accept()[0]
    t.sockets.append(other)
    line = d.upgrade()
    check_equal(line["sessions"], "2", "sessions")
    pair.talk()
    client.sendall(b"by TCP")
    check_equal(harness.receive_exactly(other, 6), b"by TCP", "what came by TCP")
    other.close()
    check_equal(client.recv(1), b"", "the end of the stream")
    client.close()
    pair.talk().lives(d)


@test("udp: handover: SIGTERM afterwards ends all", ENGINE)
def term(t):
    d, port, up = forward(t)
    pairs = [open_pair(t, port, up) for _ in range(5)]
    d.upgrade()
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check_equal(sorted(l["client"] for l in d.sessions()), sorted(p.name for p in pairs),
                "sessions in the log")


@udp_test("udp: handover: 2,000 sessions")
def thousands(t):
    count = 300 if harness.SLOW else 2000
    raise_own_limit(3 * count + 100)
    d, port, up = forward(t, max_connections=count)
    pairs = [open_pair(t, port, up) for _ in range(count)]
    line = d.upgrade()
    check_equal(line["sessions"], str(count), "sessions that it took")
    for p in pairs:
        p.talk()
    check_equal(session_sockets(d), count, "sockets of sessions")


@udp_test("udp: SIGUSR2 under full traffic: no session is lost, and no datagram")
def usr2(t):
    u, aside = UnderLoad(t), Aside(t)
    for number in range(ROUNDS // 5):
        kind = u.rng.random()
        if kind < 0.3:
            u.d.rewrite(dict(u.rules, aside=aside.rule(u.rng)))
        line = u.d.upgrade()
        check(int(line["sessions"]) >= u.clients, "sessions that it took: %s" % line[""])
        aside.talk(u.d)
        if kind > 0.7:
            u.d.reload(dict(u.rules), failed=0)
        u.load.check()
    u.finish()


@udp_test("udp: SIGUSR2 with more than the buffers hold: datagrams are lost, but no session")
def usr2_too_much(t):
    u = UnderLoad(t, clients=64, window=24, patience=0.1)
    u.overwhelm()
    for _ in range(ROUNDS // 20):
        u.d.upgrade()
        u.load.check()
    u.finish(loses=True)
