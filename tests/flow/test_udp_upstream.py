# SPDX-License-Identifier: BSD-2-Clause
"""UDP: upstreams that are not there, come back, are named, are UNIX sockets, or never read."""

import os
import socket

import harness
from harness import check, check_equal, wait_for
from names import Names, SlowServer
from test_edges import is_calm
from udp import (Pair, Upstream, nothing, open_pair, open_socket, over, receive,
                 session_sockets, settle_turn, udp, udp_test, while_stopped)


def two_rules(t, first, **options):
    """A rule to `first` and one to an upstream that is well, with a session."""
    well, port, other = Upstream(t), t.port(), t.port()
    d = t.start({"r": dict({"listen": udp(port), "upstream": first}, **options),
                 "well": {"listen": udp(other), "upstream": well.address}})
    return d, port, open_pair(t, other, well)


# --- nobody there ----------------------------------------------------------------------------

@udp_test("udp: nobody at the upstream: the session ends, others go on")
def refused(t):
    closed = "127.0.0.1:%d" % t.port()
    d, port, witness = two_rules(t, closed)
    for number in range(3):
        pair = Pair(t, port, None)
        pair.client.send(b"is anybody there?")
        witness.talk()
        line = pair.ended(d)
        check_equal((line["end"], line["upstream"], line["datagrams_out"]),
                    ("upstream-refused", closed, "0"), "the line")
        check(nothing(pair.client), "the client has got something")
        witness.talk()
    witness.lives(d)


@udp_test("udp: nobody at the upstream of clients that keep asking: no spinning, no flood of lines")
def keeps_asking(t):
    d, port, witness = two_rules(t, "127.0.0.1:%d" % t.port())
    clients = [Pair(t, port, None) for _ in range(20)]
    for number in range(50):
        for c in clients:
            c.client.send(b"is anybody there?")
        witness.talk()
    check(len(d.lines()) < 100 + len(clients), "%d lines in the log" % len(d.lines()))
    is_calm(d)
    d.wait_sessions(len(clients), end="upstream-refused")
    for c in clients:
        check(nothing(c.client), "a client has got something")
    witness.talk().lives(d)


def comes_back(t, host):
    up = Upstream(t, host=host)
    d, port, witness = two_rules(t, up.address)
    pair = open_pair(t, port, up)
    up.close()
    pair.client.send(b"into the void")
    line = pair.ended(d)
    check_equal((line["end"], line["datagrams_out"]), ("upstream-refused", "1"), "the line")
    up.open_again()
    pair.anew()
    check_equal(len(d.sessions(client=pair.name)), 1, "sessions of this client that have ended")
    check_equal(session_sockets(d), 2, "sockets of sessions: the witness's, and one of this client")
    witness.talk()


for host_ in ("127.0.0.1", "::1"):
    udp_test("udp: an upstream goes away and returns: %s" % host_,
             needs=("ipv6",) if host_ == "::1" else ())(
        lambda t, host=host_: comes_back(t, host))


@udp_test("udp: an upstream that returns at once finds its sessions")
def returns_at_once(t):
    """A refusal ends a session only if nothing comes after it."""
    up = Upstream(t)
    d, port, witness = two_rules(t, up.address)
    for _ in range(20):
        pair = open_pair(t, port, up)
        up.close()
        pair.client.send(b"into the void")
        settle_turn(witness)
        up.open_again()
        up.send(b"here again", pair.sender)
        if d.sessions(client=pair.name):
            continue  # this machine was too slow: it is over
        check_equal(receive(pair.client)[0], b"here again", "what the client got")
        settle_turn(witness)
        pair.talk()
        # It has its time to end, if it does not know better; another one's end tells.
        up.close()
        other = Pair(t, port, None)
        other.client.send(b"into the void")
        settle_turn(witness)
        up.open_again()
        other.ended(d, end="upstream-refused")
        pair.talk()
        if not d.sessions(client=pair.name):
            return
    raise harness.Skip("this machine is too busy")


@udp_test("udp: one client's refusal does not disturb the others of its rule")
def others(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address}})
    old = [open_pair(t, port, up) for _ in range(5)]
    up.close()
    old[0].client.send(b"into the void")
    old[0].ended(d, end="upstream-refused")
    up.open_again()
    for p in old[1:]:
        p.talk().lives(d)
    old[0].anew()


@udp_test("udp: no route to the upstream", needs=("netns",))
def no_route(t):
    d, port, witness = two_rules(t, "192.0.2.1:9")
    pair = Pair(t, port, None)
    for _ in range(20):
        pair.client.send(b"hello")
        witness.talk()
    line = pair.ended(d)
    check(line["end"] in ("connect-failed", "upstream-refused"), "its end: %s" % line[""])
    is_calm(d)
    witness.talk().lives(d)


# --- names -----------------------------------------------------------------------------------

@udp_test("udp: an upstream with a name")
def name(t):
    names = Names(t)
    names.serve("--local-ttl=3600")
    up = Upstream(t)
    d, port, witness = two_rules(t, "up.penstock.test:%d" % up.where[1], udp_replies=2)
    pair = open_pair(t, port, up).answer()
    large = Pair(t, port, up)  # the name is known: nothing has to be kept
    large.client.send(bytes(60000))
    data, large.sender = up.receive()
    check_equal(len(data), 60000, "size of a first datagram")
    large.answer().answer()
    check_equal(pair.ended(d, end="done")["upstream"], up.address, "upstream in the line")
    for _ in range(5):
        open_pair(t, port, up)
    check_equal(names.queries("up.penstock.test"), 2, "queries: ours and penstock's")
    witness.talk()


@udp_test("udp: a name with two addresses, of which the first one refuses", needs=("ipv6",))
def two_addresses(t):
    names = Names(t)
    names.serve("--host-record=two.test,127.0.0.1,::1", "--local-ttl=3600")
    up = Upstream(t)
    d, port, witness = two_rules(t, "two.test:%d" % up.where[1])
    pair = Pair(t, port, up).until_heard()
    line = d.sessions(client=pair.name)[0]
    check_equal((line["end"], line["upstream"]), ("upstream-refused", "[::1]:%d" % up.where[1]),
                "the session before")
    # The next ones begin with the one that has been found.
    open_pair(t, port, up)
    witness.talk()


@udp_test("udp: a name that does not resolve, until it does")
def no_such_name(t):
    names = Names(t)
    names.serve("--local=/test/", "--local-ttl=0")
    up = Upstream(t)
    d, port, witness = two_rules(t, "late.test:%d" % up.where[1])
    pair = Pair(t, port, up)
    pair.client.send(b"hello?")
    line = pair.ended(d)
    check_equal((line["end"], line["datagrams_in"], line.get("dropped")),
                ("resolve-failed", "0", "1"), "the line: " + line[""])
    check(nothing(pair.client), "the client has got something")
    witness.talk()
    names.serve("--local=/test/", "--local-ttl=0", "--host-record=late.test,127.0.0.1")
    pair.until_heard(b"hello again").answer()


@udp_test("udp: datagrams that come while the name is being resolved are kept, in order")
def kept(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    up = Upstream(t)
    d, port, witness = two_rules(t, "a.slow.test:%d" % up.where[1], connect_timeout="1min")
    pairs = [Pair(t, port, up) for _ in range(3)]
    for number in range(4):
        for p in pairs:
            p.client.send(("%d of %s" % (number, p.name)).encode()[:number * 40])
        witness.talk()
    wait_for(slow.asked, "the name server to be asked")
    settle_turn(witness)
    check(up.nothing(), "something has come before the name was known")
    slow.answer("127.0.0.1")
    got = {}
    for _ in range(4 * len(pairs)):
        data, sender = up.receive()
        got.setdefault(sender, []).append(data)
    want = [[("%d of %s" % (n, p.name)).encode()[:n * 40] for n in range(4)] for p in pairs]
    check_equal(sorted(got.values()), sorted(want), "what has come, by session")
    for p in pairs:
        p.talk()
    check_equal(session_sockets(d) - 1, len(pairs), "sockets of sessions")


@udp_test("udp: a flood while the name is being resolved costs bounded memory")
def kept_bounded(t):
    names = Names(t)
    slow = SlowServer(t, "127.0.0.54")
    names.resolv_conf("127.0.0.54")
    up = Upstream(t)
    d, port, witness = two_rules(t, "a.slow.test:%d" % up.where[1], connect_timeout="1min")
    pair = Pair(t, port, up)
    pair.client.send(b"first")
    witness.talk()
    wait_for(slow.asked, "the name server to be asked")
    rss = d.rss()
    for _ in range(400):
        pair.client.send(bytes(60000))
        witness.talk()
    grown = d.rss() - rss
    check(t.features["sanitized"] or grown < 8 << 20, "it has cost %d KiB" % (grown >> 10))
    slow.answer("127.0.0.1")
    data, pair.sender = up.receive()
    check_equal(data, b"first", "the first datagram")
    came = 1
    pair.client.send(b"last")
    while data != b"last":
        data, _ = up.receive()
        came += 1
    up.send(b"answer", pair.sender)
    check_equal(receive(pair.client)[0], b"answer", "the answer")
    over(d)
    line = pair.ended(d)
    check_equal((int(line["datagrams_in"]), int(line["datagrams_in"]) + int(line["dropped"])),
                (came, 402), "datagrams that came, and all: " + line[""])


# --- UNIX datagram sockets -------------------------------------------------------------------

@udp_test("udp: a UNIX datagram upstream: each session has a name of its own")
def unix(t):
    up = Upstream(t, t.path("up.sock"))
    d, port, witness = two_rules(t, up.address, udp_replies=3)
    pairs = [open_pair(t, port, up) for _ in range(10)]
    check_equal(len({p.sender for p in pairs}), len(pairs), "names")
    for p in reversed(pairs):
        p.answer()
    pairs[0].answer()
    line = pairs[0].ended(d, end="done")
    check_equal((line["upstream"], line["datagrams_in"], line["datagrams_out"]),
                (up.address, "1", "3"), "the line")


@udp_test("udp: an abstract UNIX datagram upstream")
def abstract(t):
    up = Upstream(t, t.path("up.sock"))
    hidden = open_socket(t, "\0penstock-test-%d" % os.getpid())
    d, port, witness = two_rules(t, "unix:@penstock-test-%d" % os.getpid())
    up.close()
    up.socket = hidden
    open_pair(t, port, up).talk()


@udp_test("udp: a UNIX upstream that is not there, goes, and returns")
def unix_returns(t):
    path = t.path("up.sock")
    d, port, witness = two_rules(t, "unix:" + path)
    pair = Pair(t, port, None)
    pair.client.send(b"too early")
    line = pair.ended(d)
    check(line["end"] in ("connect-failed", "connect-refused", "upstream-refused"),
          "its end: %s" % line[""])
    witness.talk()
    up = Upstream(t, path)
    pair.upstream = up
    pair.talk()
    up.close()
    os.unlink(path)
    pair.client.send(b"into the void")
    d.wait_sessions(2, client=pair.name)
    check_equal(d.sessions(client=pair.name)[-1]["end"], "upstream-refused", "its end")
    up.open_again()
    pair.anew()
    witness.talk().lives(d)


# --- full buffers ----------------------------------------------------------------------------

@udp_test("udp: an upstream that never reads: dropped and counted, in nobody's way")
def never_reads(t):
    up = Upstream(t, t.path("up.sock"))
    d, port, witness = two_rules(t, up.address)
    pair = Pair(t, port, up)
    total = 300
    for number in range(total):
        pair.client.send(b"%d" % number)
        if number % 10 == 0:
            settle_turn(witness)
    settle_turn(witness)
    is_calm(d)
    data, pair.sender = up.receive()
    got = [data]
    up.socket.setblocking(False)
    try:
        while True:
            got.append(up.socket.recv(100))
    except BlockingIOError:
        up.socket.settimeout(harness.DEADLINE)
    check_equal(got, [b"%d" % n for n in range(len(got))], "those that have come")
    check(len(got) < total, "nothing was dropped: is the buffer large enough for all?")
    pair.talk()  # it goes on as soon as there is room
    d.reload({"rest": {"listen": udp(t.port()), "upstream": "127.0.0.1:9"}})
    line = pair.ended(d)
    check_equal((line["datagrams_in"], line.get("dropped")),
                (str(len(got) + 1), str(total - len(got))), "counters: " + line[""])
    check_equal(int(line["in"]), sum(len(g) for g in got) + len("question of %s, 1" % pair.name),
                "bytes: only what went")


@udp_test("udp: an upstream that reads slowly hinders neither the others nor its own replies")
def full_one_way(t):
    up = Upstream(t, t.path("up.sock"))
    d, port, witness = two_rules(t, up.address)
    pair = open_pair(t, port, up)
    for number in range(100):
        pair.client.send(b"%d" % number)
        pair.answer()
        if number % 10 == 0:
            witness.talk()
    while not up.nothing():
        pass
    pair.talk()


@udp_test("udp: a UDP upstream whose buffer is full loses its own datagrams only")
def udp_full(t):
    up = Upstream(t)
    up.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    d, port, witness = two_rules(t, up.address)
    pair = Pair(t, port, up)
    for number in range(200):
        pair.client.send(bytes(1000))
        if number % 10 == 0:
            witness.talk()
    witness.talk()
    is_calm(d)
    while not up.nothing():
        pass
    pair.talk()


def many_replies(t, **options):
    """More than the kernel's default buffer holds, while penstock stands still: who is heard to
    answer in numbers has more room."""
    up, port = Upstream(t), t.port()
    d = t.start({"r": dict({"listen": udp(port), "upstream": up.address}, **options)})
    pair = Pair(t, port, up).ask()
    for _ in range(20):
        pair.answer()

    def burst():
        for number in range(130):
            up.send(b"%d" % number + bytes(1200), pair.sender)
    while_stopped(d)(burst)
    for number in range(130):
        check_equal(receive(pair.client)[0], b"%d" % number + bytes(1200), "a reply")
    pair.talk()
    pair.lives(d)


@udp_test("udp: replies in numbers", needs=("root",))
def in_numbers(t):
    many_replies(t)


@udp_test("udp: replies in numbers, where they are counted as well", needs=("root",))
def in_counted_numbers(t):
    many_replies(t, udp_replies=100000)
