# SPDX-License-Identifier: BSD-2-Clause
"""UDP: every datagram arrives as it was sent, of the same size, in the same order, both ways."""

import harness
from harness import Skip, check, check_equal
from udp import (MOST, Pair, Upstream, check_payload, listeners, open_pair, open_socket, payload,
                 receive, receive_run, send_run, series, session_sockets, sums, takes_runs, udp,
                 udp_test, while_stopped)

FAMILIES = {"IPv4": ("127.0.0.1", "127.0.0.1"), "IPv6": ("::1", "::1"),
            "IPv4 to IPv6": ("127.0.0.1", "::1"), "IPv6 to IPv4": ("::1", "127.0.0.1")}

# Every size up to 1,600 and those around what matters: MTUs, powers of two, the largest.
SIZES = sorted(set(range(1601)) | set(range(1, MOST, 997)) | {
    size + near for size in (2048, 4096, 8192, 8948, 8972, 9000, 16384, 32768, 49152, 65000, MOST)
    for near in range(-9, 10) if size + near <= MOST})


def forward(t, client="127.0.0.1", upstream=None, **options):
    """A daemon, its port, and an upstream."""
    upstream = upstream or Upstream(t)
    port = t.port()
    d = t.start({"r": dict({"listen": udp(port, host=client), "upstream": upstream.address},
                           **options)})
    return d, port, upstream


def both_ways(pair, sizes, seed, around=None):
    """A series of these sizes to the upstream, then one back."""
    def take():
        data, sender = pair.upstream.receive()
        check_equal(sender, pair.sender, "sender")
        return data
    series(pair.client.send, take, seed, sizes, around)
    series(lambda data: pair.upstream.send(data, pair.sender),
           lambda: receive(pair.client)[0], seed + 1, sizes, around)


def sizes_test(t, client, upstream):
    if ":" in client + upstream:
        t.need("ipv6")
    up = Upstream(t, host=upstream)
    d, port, _ = forward(t, client, up)
    pair = Pair(t, (client, port), up).ask()
    both_ways(pair, SIZES, 1)
    pair.lives(d)


for words, hosts in FAMILIES.items():
    udp_test("udp: all sizes, both ways: " + words)(
        lambda t, hosts=hosts: sizes_test(t, *hosts))


@udp_test("udp: all sizes, both ways: to a UNIX socket")
def unix_sizes(t):
    up = Upstream(t, t.path("up.sock"))
    _, port, _ = forward(t, "127.0.0.1", up)
    pair = Pair(t, port, up).ask()
    for number, size in enumerate(SIZES):
        pair.client.send(payload(3, number, size))
        data, sender = up.receive()
        check_equal(sender, pair.sender, "sender")
        check_payload(data, 3, number, size)
        up.send(payload(4, number, size), sender)
        check_payload(receive(pair.client)[0], 4, number, size)


@udp_test("udp: a datagram too large for the upstream's family is dropped whole, and counted",
          needs=("ipv6",))
def too_large(t):
    """IPv6 has room for 20 bytes more."""
    up = Upstream(t)
    d, port, _ = forward(t, "::1", up)
    pair = open_pair(t, ("::1", port), up)
    for size in (MOST + 1, MOST + 20):
        pair.client.send(bytes(size))
        pair.talk()
    pair.client.send(bytes(MOST))
    check_equal(len(up.receive()[0]), MOST, "size of the largest")
    pair.talk()
    d.reload({"rest": {"listen": udp(t.port()), "upstream": up.address}})
    line = pair.ended(d)
    check_equal((line.get("dropped"), line["datagrams_in"], line["datagrams_out"]),
                ("2", "5", "4"), "counters: " + line[""])


@udp_test("udp: IPv6's own largest datagram is never cut", needs=("ipv6",))
def largest_of_six(t):
    up = Upstream(t, host="::1")
    d, port, _ = forward(t, "::1", up)
    pair = open_pair(t, ("::1", port), up)
    whole = payload(5, 0, MOST + 20)
    pair.client.send(whole)
    pair.client.send(b"next")
    data, _ = up.receive()
    if data != b"next":
        check(data == whole, "%d bytes of %d have come" % (len(data), len(whole)))
        check_equal(up.receive()[0], b"next", "the datagram after it")
    pair.talk()


@udp_test("udp: order and boundaries in bursts of random sizes, both ways")
def order(t):
    rng = t.seed()
    d, port, up = forward(t)
    pair = Pair(t, port, up).ask()
    for most in (0, 20, 700, 1472, 9000, MOST):
        count = 400 if most < 9000 else 100
        both_ways(pair, [rng.randint(0, most) for _ in range(count)], rng.randrange(1000))
        # Of one size, which may go as one packet, with some between that may not.
        sizes = []
        while len(sizes) < count:
            sizes += [rng.randint(0, most)] * rng.randint(1, 40)
        both_ways(pair, sizes, rng.randrange(1000), while_stopped(d))
    pair.lives(d)


@udp_test("udp: bursts that lie there as the daemon comes, both ways at once")
def at_once(t):
    d, port, up = forward(t)
    pair = Pair(t, port, up).ask()
    stopped = while_stopped(d)
    for number in range(20):
        sizes = [[(number * 31 + i * 17 * (side + 1)) % 1400 for i in range(60)]
                 for side in (0, 1)]

        def burst():
            for i in range(60):
                pair.client.send(payload(number, i, sizes[0][i]))
                up.send(payload(number + 100, i, sizes[1][i]), pair.sender)
        stopped(burst)
        for i in range(60):
            data, sender = up.receive()
            check_equal(sender, pair.sender, "sender")
            check_payload(data, number, i, sizes[0][i])
            check_payload(receive(pair.client)[0], number + 100, i, sizes[1][i])
    pair.lives(d)


@udp_test("udp: a batch of many clients: each keeps its order and its session")
def many_clients(t):
    rng = t.seed()
    d, port, up = forward(t)
    pairs = [open_pair(t, port, up) for _ in range(20)]
    by_sender = {p.sender: (number, p) for number, p in enumerate(pairs)}
    stopped = while_stopped(d)
    for number in range(20):
        order_ = [i for i in range(len(pairs)) for _ in range(rng.randint(0, 10))]
        rng.shuffle(order_)
        sizes = [rng.choice((0, 1, 33, 33, 33, 200, 200, 300)) for _ in order_]

        def burst():
            for at, i in enumerate(order_):
                pairs[i].client.send(payload(number, at, sizes[at]))
        stopped(burst)
        left = {i: [at for at, j in enumerate(order_) if j == i] for i in range(len(pairs))}
        for _ in order_:
            data, sender = up.receive()
            check(sender in by_sender, "a datagram of no session: %r" % (sender,))
            i = by_sender[sender][0]
            check(left[i], "one datagram too many of client %d" % i)
            at = left[i].pop(0)
            check_payload(data, number, at, sizes[at])

        def answers():
            for at, i in enumerate(order_):
                up.send(payload(number + 50, at, sizes[at]), pairs[i].sender)
        stopped(answers)
        for at, i in enumerate(order_):
            check_payload(receive(pairs[i].client)[0], number + 50, at, sizes[at])
    check_equal(session_sockets(d), len(pairs), "sockets of sessions")
    for p in pairs:
        check(p.upstream.nothing(), "one datagram too many")
        p.lives(d)


@udp_test("udp: new clients in one batch, some twice")
def new_in_batch(t):
    d, port, up = forward(t)
    pairs = [Pair(t, port, up) for _ in range(30)]

    def burst():
        for word in (b"one", b"two"):
            for p in pairs:
                p.client.send(p.name.encode() + word)
    while_stopped(d)(burst)
    seen = {}
    for _ in range(60):
        data, sender = up.receive()
        seen.setdefault(sender, []).append(data)
    check_equal(sorted(seen.values()), sorted([p.name.encode() + b"one", p.name.encode() + b"two"]
                                              for p in pairs), "what has come, by session")
    check_equal(session_sockets(d), 30, "sockets of sessions")


# --- runs of datagrams as one packet ---------------------------------------------------------

# (size of each, how many, size of the last)
RUNS = ((1, 1, 1), (1, 2, 1), (64, 50, 3), (512, 64, 512), (1400, 40, 7), (1472, 44, 1472),
        (9000, 7, 100), (32000, 2, 1500), (1200, 1, 1100))


def run_of(number, size, count, last):
    return [payload(number, i, last if i == count else size) for i in range(count + 1)]


def runs_test(t, host, gro):
    up = Upstream(t, host=host)
    d, port, _ = forward(t, host, up)
    pair = Pair(t, (host, port), up).ask()
    if gro and not (takes_runs(up.socket) and takes_runs(pair.client)):
        raise Skip("needs UDP_GRO")
    for number, (size, count, last) in enumerate(RUNS):
        want = run_of(number, size, count - 1, last)
        for take, send in ((up.socket, lambda data, size: send_run(pair.client, data, size)),
                           (pair.client, lambda data, size: send_run(up.socket, data, size,
                                                                     pair.sender))):
            try:
                send(b"".join(want), size)
            except OSError as e:
                raise Skip("needs UDP_SEGMENT: %s" % e) from None
            got = []
            while len(got) < len(want):
                got += receive_run(take)
            check_equal([len(x) for x in got], [len(x) for x in want], "sizes of a run")
            check(got == want, "bytes of a run of %d times %d" % (count, size))
        pair.talk()
    pair.close()
    d.reload({"rest": {"listen": udp(t.port()), "upstream": up.address}})
    line = pair.ended(d)
    total = sum(c for _, c, _ in RUNS)
    check_equal((line["datagrams_in"], line["datagrams_out"]),
                (str(total + len(RUNS) + 1), str(total + len(RUNS))), "datagrams counted")


for host_, words in (("127.0.0.1", "IPv4"), ("::1", "IPv6")):
    for gro_, which in ((False, "one by one"), (True, "as runs")):
        udp_test("udp: senders of runs (UDP_SEGMENT), received %s: %s" % (which, words),
                 needs=("ipv6",) if words == "IPv6" else ())(
            lambda t, host=host_, gro=gro_: runs_test(t, host, gro))


@udp_test("udp: runs of several clients in a batch, among single datagrams")
def runs_of_many(t):
    d, port, up = forward(t)
    pairs = [open_pair(t, port, up) for _ in range(8)]
    want = {}

    def burst():
        for number in range(3):
            for i, p in enumerate(pairs):
                run = run_of(i, 100 + i, 6, 50)
                single = payload(i, 99, 100 + i if number else 0)
                try:
                    send_run(p.client, b"".join(run), 100 + i)
                except OSError as e:
                    raise Skip("needs UDP_SEGMENT: %s" % e) from None
                p.client.send(single)
                want.setdefault(p.sender, []).extend(run + [single])
    while_stopped(d)(burst)
    got = {}
    for _ in range(sum(len(w) for w in want.values())):
        data, sender = up.receive()
        got.setdefault(sender, []).append(data)
    for p in pairs:
        check_equal([len(x) for x in got.get(p.sender, [])], [len(x) for x in want[p.sender]],
                    "sizes of a client's datagrams")
        check(got[p.sender] == want[p.sender], "bytes of a client's datagrams")


# --- what the log says -----------------------------------------------------------------------

@udp_test("udp: the line of a session")
def line_of_session(t):
    d, port, up = forward(t)
    pair = Pair(t, port, up).ask()
    for size in (0, 1, 1000, MOST):
        pair.client.send(bytes(size))
        check_equal(len(up.receive()[0]), size, "size")
    for size in (0, 700):
        up.send(bytes(size), pair.sender)
        check_equal(len(receive(pair.client)[0]), size, "size")
    pair.lives(d)
    d.reload({"rest": {"listen": udp(t.port()), "upstream": up.address}}, removed=1)
    line = pair.ended(d)
    first = len("question of %s, 1" % pair.name)
    want = {"rule": "r", "id": "1", "client": pair.name, "upstream": up.address, "end": "drained",
            "in": str(first + 1001 + MOST), "out": "700", "datagrams_in": "5",
            "datagrams_out": "2"}
    check_equal({k: line.get(k) for k in want}, want, "fields of the line")
    check("ms" in line and "connect_ms" in line, "no times in the line: %s" % line[""])
    check("dropped" not in line, "dropped= though nothing was: %s" % line[""])


@udp_test("udp: descriptors are back when sessions have ended")
def descriptors(t):
    d, port, up = forward(t, udp_replies=1)
    for _ in range(5):
        pairs = [Pair(t, port, up).ask() for _ in range(40)]
        check_equal(d.fds(), d.baseline + 40, "descriptors of 40 sessions")
        for p in pairs:
            p.answer()
            p.close()
        d.settle()
    check_equal(sums(d.wait_sessions(200, end="done"), "datagrams_in", "datagrams_out"),
                (200, 200), "datagrams of all")


@udp_test("udp: TCP and UDP of one rule at one port")
def mixed(t):
    up = Upstream(t)
    tcp = t.listener(("127.0.0.1", up.where[1]))
    port = t.port()
    d = t.start({"dns": {"listen": ["127.0.0.1:%d" % port, udp(port)], "upstream": up.address}})
    check_equal(sorted(listeners(d)) + sorted(d.listeners()), ["127.0.0.1:%d" % port] * 2,
                "listeners")
    pair = open_pair(t, port, up)
    client = t.connect(("127.0.0.1", port))
    other = tcp.accept()[0]
    t.sockets.append(other)
    client.sendall(b"by TCP")
    check_equal(harness.receive_exactly(other, 6), b"by TCP", "what came by TCP")
    pair.talk()
    other.close()
    check_equal(client.recv(1), b"", "the end of the stream")
    client.close()
    line = d.wait_sessions(1, end="done")[0]
    check("datagrams_in" not in line, "datagrams of a TCP session: %s" % line[""])
    pair.talk()
    pair.lives(d)


@udp_test("udp: the upstream's scheme may be written out")
def scheme(t):
    up, port = Upstream(t), t.port()
    t.start({"r": {"listen": udp(port), "upstream": "udp:" + up.address}})
    open_pair(t, port, up)


@udp_test("udp: ranges of ports: each to its own, and many to one")
def ranges(t):
    count = 10
    first, to = t.ports(count), t.ports(count)
    many, one = t.ports(count), Upstream(t)
    ups = [Upstream(t, ("127.0.0.1", to + i)) for i in range(count)]
    t.start({"each": {"listen": "udp:127.0.0.1:%d-%d" % (first, first + count - 1),
                      "upstream": "127.0.0.1:%d-%d" % (to, to + count - 1)},
             "many": {"listen": "udp:127.0.0.1:%d-%d" % (many, many + count - 1),
                      "upstream": one.address}})
    for i in range(count):
        open_pair(t, first + i, ups[i])
        open_pair(t, many + i, one)
    # One socket of a client to several: it gets each answer from where it has sent to.
    s = open_socket(t, ("127.0.0.1", t.port()))
    for i in range(count):
        s.sendto(b"%d" % i, ("127.0.0.1", many + i))
        data, sender = one.receive()
        one.send(data, sender)
        check_equal(receive(s), (b"%d" % i, ("127.0.0.1", many + i)), "answer")
