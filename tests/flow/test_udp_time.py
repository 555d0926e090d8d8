# SPDX-License-Identifier: BSD-2-Clause
"""UDP: how a session ends by itself: silence, and as many replies as were agreed on."""

import time

import harness
from harness import check, check_equal, wait_for
from udp import (Pair, Upstream, nothing, open_pair, receive, session_sockets, sums, udp,
                 udp_test, while_stopped)


def forward(t, **options):
    up, port = Upstream(t), t.port()
    return t.start({"r": dict({"listen": udp(port), "upstream": up.address}, **options)}), port, up


@udp_test("udp: silence ends a session, and the next datagram begins another")
def expiry(t):
    d, port, up = forward(t, udp_timeout="2s")
    pair = open_pair(t, port, up)
    line = pair.ended(d)
    check_equal((line["end"], line["datagrams_in"], line["datagrams_out"]),
                ("idle-timeout", "1", "1"), "the line")
    check(int(line["ms"]) >= 2000, "it has ended after %s ms" % line["ms"])
    check_equal(session_sockets(d), 0, "sockets of sessions")
    pair.sender = None
    pair.talk()
    d.wait_sessions(2, client=pair.name, end="idle-timeout")


@udp_test("udp: silence ends a session that was never answered")
def never_answered(t):
    d, port, up = forward(t, udp_timeout="300ms")
    pair = Pair(t, port, up).ask()
    line = pair.ended(d, end="idle-timeout")
    check_equal((line["datagrams_in"], line["datagrams_out"]), ("1", "0"), "datagrams")


def refreshed(t, step):
    """Nothing but `step` for much longer than udp_timeout: it lives. Where this machine did not let
    us be regular enough that tells nothing; then once more, with more time."""
    for timeout in (800, 2000, 6000):
        d, port, up = forward(t, udp_timeout="%dms" % timeout)
        pair = Pair(t, port, up).ask()
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < timeout / 1000 * 2.5:
                time.sleep(timeout / 1000 / 20)
                step(pair)
            pair.lives(d)
        except harness.Failure as e:
            failure = e
            continue
        line = pair.ended(d)
        check_equal(line["end"], "idle-timeout", "its end, in silence")
        check(int(line["ms"]) >= timeout * 2.5, "it has ended after %s ms" % line["ms"])
        return line
    raise failure


@udp_test("udp: the client's datagrams alone keep a session alive")
def by_client(t):
    line = refreshed(t, lambda pair: pair.ask())
    check_equal(line["datagrams_out"], "0", "replies")


@udp_test("udp: the upstream's datagrams alone keep a session alive")
def by_upstream(t):
    line = refreshed(t, lambda pair: pair.answer())
    check_equal(line["datagrams_in"], "1", "datagrams of the client")


@udp_test("udp: empty datagrams keep a session alive")
def by_empty(t):
    def step(pair):
        pair.client.send(b"")
        check_equal(pair.upstream.receive(), (b"", pair.sender), "what the upstream got")
    line = refreshed(t, step)
    check_equal(line["in"], str(len("question of %s, 1" % line["client"])), "bytes of the client")


@udp_test("udp: sessions of different ages end each in their time")
def ages(t):
    up, short, long_ = Upstream(t), t.port(), t.port()
    d = t.start({"short": {"listen": udp(short), "upstream": up.address, "udp_timeout": "2s"},
                 "long": {"listen": udp(long_), "upstream": up.address}})
    keep = [open_pair(t, long_, up) for _ in range(3)]
    go = [open_pair(t, short, up) for _ in range(20)]
    d.wait_sessions(len(go), rule="short", end="idle-timeout")
    for p in keep:
        p.talk().lives(d)
    check_equal(session_sockets(d), len(keep), "sockets of sessions")


# --- udp_replies -----------------------------------------------------------------------------

@udp_test("udp: udp_replies = 1: the reply ends the session")
def one_reply(t):
    d, port, up = forward(t, udp_replies=1)
    pair = open_pair(t, port, up)
    line = pair.ended(d)
    check_equal((line["end"], line["datagrams_in"], line["datagrams_out"]), ("done", "1", "1"),
                "the line")
    wait_for(lambda: session_sockets(d) == 0, "its socket to be closed")
    up.send(b"too late", pair.sender)
    other = open_pair(t, port, up)
    other.ended(d, end="done")
    check(nothing(pair.client), "the client has got one reply more")
    pair.sender = None
    pair.talk()
    d.wait_sessions(2, client=pair.name, end="done")


@udp_test("udp: udp_replies = 3: so many for each question")
def three_replies(t):
    d, port, up = forward(t, udp_replies=3)
    pair = open_pair(t, port, up).answer().ask()
    for _ in range(3):
        pair.answer()
        pair.lives(d)
    pair.answer()
    line = pair.ended(d, end="done")
    check_equal((line["datagrams_in"], line["datagrams_out"]), ("2", "6"), "datagrams")


@udp_test("udp: udp_replies = 1: several questions at once, each with its reply")
def questions(t):
    d, port, up = forward(t, udp_replies=1)
    pair = Pair(t, port, up)

    def burst():
        for number in range(20):
            pair.client.send(b"question %d" % number)
    while_stopped(d)(burst)
    senders = [up.receive()[1] for _ in range(20)]
    check_equal(len(set(senders)), 1, "sessions")
    for number in range(20):
        pair.lives(d)
        up.send(b"reply %d" % number, senders[0])
        check_equal(receive(pair.client)[0], b"reply %d" % number, "reply")
    line = pair.ended(d, end="done")
    check_equal((line["datagrams_in"], line["datagrams_out"]), ("20", "20"), "datagrams")


@udp_test("udp: more replies at once than are wanted")
def burst_of_replies(t):
    for wanted in (1, 3):
        d, port, up = forward(t, udp_replies=wanted)
        pair = Pair(t, port, up).ask()

        def burst():
            for number in range(10):
                up.send(b"reply %d" % number, pair.sender)
        while_stopped(d)(burst)
        for number in range(wanted):
            check_equal(receive(pair.client)[0], b"reply %d" % number, "reply")
        line = pair.ended(d, end="done")
        check_equal(line["datagrams_out"], str(wanted), "replies")
        check(nothing(pair.client), "one reply too many")


def crossing(t, burst):
    """The next question comes as the reply to the one before does, with which the session is over
    unless the question is first. It must be answered either way."""
    d, port, up = forward(t, udp_replies=1)
    pair = Pair(t, port, up).ask()
    around = while_stopped(d) if burst else lambda send: send()
    for number in range(200):
        text = b"question %d" % number

        def both():
            up.send(b"reply", pair.sender)
            pair.client.send(text)
        around(both)
        check_equal(receive(pair.client)[0], b"reply", "reply")
        data, pair.sender = up.receive()
        check_equal(data, text, "what the upstream got")
    pair.answer()
    wait_for(lambda: session_sockets(d) == 0, "the last session to end")
    check_equal(sums(d.sessions(end="done"), "datagrams_in", "datagrams_out"), (201, 201),
                "datagrams")
    check_equal([l[""] for l in d.sessions() if l["end"] != "done"], [], "other ends")


udp_test("udp: a question comes as the reply to the one before does")(
    lambda t: crossing(t, False))
udp_test("udp: a question and the reply to the one before come at once")(
    lambda t: crossing(t, True))


@udp_test("udp: a question that follows right upon a reply is answered")
def follows(t):
    d, port, up = forward(t, udp_replies=1)
    pair = Pair(t, port, up)
    for number in range(500):
        pair.sender = None
        pair.talk()
    wait_for(lambda: session_sockets(d) == 0, "the last session to end")
    lines = d.sessions(end="done")
    check_equal(sums(lines, "datagrams_in", "datagrams_out"), (500, 500), "datagrams")


@udp_test("udp: udp_replies and udp_timeout at once: who is not answered expires")
def both(t):
    d, port, up = forward(t, udp_replies=2, udp_timeout="2s")
    pair = open_pair(t, port, up)
    line = pair.ended(d)
    check_equal((line["end"], line["datagrams_out"]), ("idle-timeout", "1"), "the line")
