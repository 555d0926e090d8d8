# SPDX-License-Identifier: BSD-2-Clause
"""UDP: what seldom happens: clients that are gone, addresses that vanish, no descriptors, networks
with small packets, empty datagrams."""

from harness import Skip, check, check_equal
from net import networks
from test_edges import is_calm
from test_real import program, run
from udp import (MOST, Pair, Upstream, check_payload, nothing, open_pair,
                 open_socket, over, payload, receive, send_run, series, session_sockets,
                 settle_turn, udp, udp_test, while_stopped)


def forward(t, **options):
    up, port = Upstream(t), t.port()
    return t.start({"r": dict({"listen": udp(port), "upstream": up.address}, **options)}), port, up


@udp_test("udp: a session that begins with an empty datagram, and has no others")
def empty(t):
    d, port, up = forward(t)
    pair = Pair(t, port, up)
    for _ in range(3):
        pair.client.send(b"")
    for _ in range(3):
        data, pair.sender = up.receive()
        check_equal(data, b"", "what the upstream got")
        up.send(b"", pair.sender)
    for _ in range(3):
        check_equal(receive(pair.client)[0], b"", "what the client got")
    over(d)
    line = pair.ended(d)
    check_equal([line[k] for k in ("in", "out", "datagrams_in", "datagrams_out")],
                ["0", "0", "3", "3"], "counters")


@udp_test("udp: a session that begins with the largest datagram, or with a run of them")
def large_first(t):
    d, port, up = forward(t)
    pair = Pair(t, port, up)
    pair.client.send(payload(1, 0, MOST))
    data, pair.sender = up.receive()
    check_payload(data, 1, 0, MOST)
    pair.talk()
    runs = Pair(t, port, up)
    want = [payload(2, i, 1400) for i in range(45)]
    try:
        send_run(runs.client, b"".join(want), 1400)
    except OSError as e:
        raise Skip("needs UDP_SEGMENT: %s" % e) from None
    for i in range(len(want)):
        data, runs.sender = up.receive()
        check_payload(data, 2, i, 1400)
    runs.talk()


@udp_test("udp: replies to a client that is gone are in nobody's way")
def client_gone(t):
    d, port, up = forward(t)
    gone, witness = open_pair(t, port, up), open_pair(t, port, up)
    gone.close()
    for number in range(200):
        up.send(b"is anybody there?", gone.sender)
        if number % 20 == 0:
            witness.talk()
    witness.talk().lives(d)
    is_calm(d)
    check_equal(session_sockets(d), 2, "sockets of sessions")


@udp_test("udp: a client that comes back from the same port has its session still")
def client_back(t):
    d, port, up = forward(t)
    pair = open_pair(t, port, up)
    where = pair.client.getsockname()
    pair.close()
    pair.client = open_socket(t, where, connect=("127.0.0.1", port))
    pair.talk().lives(d)


@udp_test("udp: a reply too large for the client's family is dropped whole, and counted",
          needs=("ipv6",))
def reply_too_large(t):
    up, port = Upstream(t, host="::1"), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address}})
    pair = open_pair(t, port, up)

    def burst():
        for size in (100, MOST + 20, 200):
            up.send(bytes(size), pair.sender)
    while_stopped(d)(burst)
    for size in (100, 200):
        check_equal(len(receive(pair.client)[0]), size, "size of a reply")
    pair.talk()
    over(d)
    line = pair.ended(d)
    check_equal((line.get("dropped"), line["datagrams_out"]), ("1", "4"), "counters: " + line[""])


@udp_test("udp: an address of ours that vanishes: replies from it are dropped, until it is back",
          needs=("netns", "root", "ip"))
def address_vanishes(t):
    address = ("10.77.0.1/32", "dev", "lo")
    run(program("ip"), "address", "add", *address)
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": "udp:*:%d" % port, "upstream": up.address}})
    pair = open_pair(t, ("10.77.0.1", port), up, source=("127.0.0.1", t.port()))
    witness = open_pair(t, port, up)
    run(program("ip"), "address", "del", *address)

    def burst():
        for sender in (pair.sender, witness.sender) * 3:
            up.send(b"word", sender)
    while_stopped(d)(burst)
    for _ in range(3):
        check_equal(receive(witness.client)[0], b"word", "what the other one got")
    settle_turn(witness)
    check(nothing(pair.client), "its client got a reply from elsewhere")
    is_calm(d)
    run(program("ip"), "address", "add", *address)
    pair.answer()
    over(d)
    line = pair.ended(d)
    check_equal((line.get("dropped"), line["datagrams_out"]), ("3", "2"), "counters: " + line[""])


@udp_test("udp: on_limit of TCP's means drop for UDP")
def limits_of_tcp(t):
    for kind in ("reset", "wait"):
        d, port, up = forward(t, on_limit=kind, max_connections=1)
        first, second = open_pair(t, port, up), Pair(t, port, up)
        second.client.send(b"too many")
        settle_turn(first)
        check(up.nothing() and nothing(second.client), "one more came in, or was answered")
        is_calm(d)
        first.talk().lives(d)


@udp_test("udp: more clients than descriptors: dropped, calm, and served when some are free")
def no_descriptors(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": udp(port), "upstream": up.address, "max_connections": 1000,
                       "udp_replies": 2}}, files=64)
    clients = [Pair(t, port, up) for _ in range(100)]
    for c in clients:
        c.client.send(c.name.encode())
    d.wait_sessions(1, end="no-descriptors")
    by_name = {c.name: c for c in clients}
    # What one sends who has a session comes after all that was sent before.
    data, sender = up.receive()
    first = by_name[data.decode()]
    first.client.send(b"last")
    served = {}
    while data != b"last":
        served[by_name[data.decode()]] = sender
        data, sender = up.receive()
    for c, c.sender in served.items():
        up.send(b"one", c.sender)
        check_equal(receive(c.client)[0], b"one", "reply")
    check(0 < len(served) < 64, "%d of 100 were served" % len(served))
    check_equal(session_sockets(d), len(served), "sockets of sessions")
    is_calm(d)
    check(len(d.sessions(end="no-descriptors")) < 20, "a line for each that was refused")
    for c in (*served, first, first):
        up.send(b"two", c.sender)
        check_equal(receive(c.client)[0], b"two", "reply")
    d.wait_sessions(len(served), end="done")
    for c in clients[-5:]:
        c.sender = None
        c.talk()


# --- real networks ---------------------------------------------------------------------------

class Across:
    """A client in one network, the upstream in another, with packets of 1,500 bytes."""

    def __init__(self, t, near=False):
        """`near`: the client is on penstock's own host, where packets may be large."""
        self.net = networks(t, a=1, b=1)
        self.port = 5000
        with self.net.b[0]:
            self.up = Upstream(t, ("10.2.0.10", self.port))
        listen = "127.0.0.1" if near else "10.1.0.1"
        self.d = t.start({"r": {"listen": "udp:%s:%d" % (listen, self.port),
                                "upstream": self.up.address}})
        with self.net.relay if near else self.net.a[0]:
            self.pair = open_pair(t, (listen, self.port), self.up,
                                  source=("127.0.0.1" if near else "10.1.0.10", 7000))

    def back(self, data):
        self.up.send(data, self.pair.sender)


@udp_test("udp: through a network of 1,500 bytes: all sizes, in fragments",
          needs=("netns", "root", "ip"))
def fragments(t):
    a = Across(t)
    sizes = sorted({0, 1, 1471, 1472, 1473, 2952, 2953, 9000, 30000, MOST - 1, MOST} |
                   set(range(5, 20000, 611)))
    series(a.pair.client.send, lambda: a.up.receive()[0], 1, sizes)
    series(a.back, lambda: receive(a.pair.client)[0], 2, sizes)
    a.pair.talk().lives(a.d)


def run_across(t, near, size, count, last):
    """Runs of datagrams both ways; from near those that the next network can't carry as a run."""
    a = Across(t, near)

    def there(want):
        send_run(a.pair.client, b"".join(want), size)

    def back(want):
        if near:
            for data in want:
                a.back(data)
        else:
            send_run(a.up.socket, b"".join(want), size, a.pair.sender)
    for number in range(3):
        want = [payload(number, i, size if i < count - 1 else last) for i in range(count)]
        for send, take in ((there, lambda: a.up.receive()[0]),
                           (back, lambda: receive(a.pair.client)[0])):
            try:
                send(want)
            except OSError as e:
                raise Skip("needs UDP_SEGMENT: %s" % e) from None
            for i, data in enumerate(want):
                check_payload(take(), number, i, len(data))
        a.pair.talk()
    a.pair.lives(a.d)
    over(a.d)
    line = a.pair.ended(a.d)
    check("dropped" not in line, "some were dropped: " + line[""])


udp_test("udp: runs of datagrams from network to network", needs=("netns", "root", "ip"))(
    lambda t: run_across(t, False, 1400, 40, 77))
udp_test("udp: runs of datagrams larger than the packets of the next network",
         needs=("netns", "root", "ip"))(
    lambda t: run_across(t, True, 8000, 8, 500))


@udp_test("udp: a network that goes away and returns", needs=("netns", "root", "ip"))
def network_gone(t):
    a = Across(t)
    a.net.relay.ip("link set eth2 down")
    for _ in range(20):
        a.pair.client.send(b"into the void")
    is_calm(a.d)
    a.net.relay.ip("link set eth2 up")
    a.net.ready()
    a.pair.until_heard(b"again").talk()


@udp_test("udp: replies go as the routes say, not back where the question came from",
          needs=("netns", "root", "ip"))
def other_way_back(t):
    """The client's host is in both networks, and has an address of its own that this machine
    reaches through the other one than that through which the client sends."""
    net = networks(t, a=1, b=0)
    host = net.a[0]
    net.join(host, "eth1", "b", 10)
    net.ready()
    # It must not be found where it is not.
    host.sysctl({"ipv4/conf/all/arp_ignore": "1", "ipv4/conf/all/arp_announce": "2"})
    host.ip("address add 10.9.0.1/32 dev lo", "route add 10.77.0.1 via 10.1.0.1")
    net.relay.ip("address add 10.77.0.1/32 dev lo", "route add 10.9.0.1 via 10.2.0.10")
    up, port = Upstream(t), t.port()
    t.start({"r": {"listen": "udp:*:%d" % port, "upstream": up.address}})
    with host:
        pair = Pair(t, ("10.77.0.1", port), up, source=("10.9.0.1", 7000))
    pair.talk().talk()
