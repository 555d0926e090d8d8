# SPDX-License-Identifier: BSD-2-Clause
"""UDP: a client hears from the address that it has sent to, whatever the listener is bound to; and
listeners that systemd has opened."""

import socket

from harness import ENGINE, check, check_equal, test
from test_systemd import passed
from udp import (Upstream, listeners, nothing, open_pair, open_socket, receive, session_sockets,
                 udp, udp_test)


def wild(t, listen, **options):
    up, port = Upstream(t), t.port()
    d = t.start({"r": dict({"listen": listen % port, "upstream": up.address}, **options)})
    return d, port, up


def from_there(t, listen, hosts):
    d, port, up = wild(t, listen)
    pairs = [open_pair(t, (host, port), up) for host in hosts for _ in range(2)]
    for _ in range(3):
        for p in pairs:
            p.talk()
    check_equal(session_sockets(d), len(pairs), "sockets of sessions")
    for p in pairs:
        p.lives(d)


V4 = ("127.0.0.1", "127.0.0.2", "127.77.0.9", "127.255.255.254")
udp_test("udp: replies come from the address that was asked: *")(
    lambda t: from_there(t, "udp:*:%d", V4))
udp_test("udp: replies come from the address that was asked: *, both families", needs=("ipv6",))(
    lambda t: from_there(t, "udp:*:%d", V4 + ("::1",)))
udp_test("udp: replies come from the address that was asked: 0.0.0.0")(
    lambda t: from_there(t, "udp:0.0.0.0:%d", V4))
udp_test("udp: replies come from the address that was asked: [::]", needs=("ipv6",))(
    lambda t: from_there(t, "udp:[::]:%d", ("::1",)))


@udp_test("udp: [::] takes no IPv4, * does", needs=("ipv6",))
def families(t):
    d, port, up = wild(t, "udp:[::]:%d")
    pair = open_pair(t, ("::1", port), up)
    s = open_socket(t, ("127.0.0.1", t.port()), connect=("127.0.0.1", port))
    s.send(b"to IPv4")
    try:
        s.recv(1)
        check(False, "something has answered")
    except ConnectionRefusedError:
        pass
    pair.talk()
    check(up.nothing(), "it was forwarded")


@udp_test("udp: one client socket, several of our addresses: a session each", needs=("netns",))
def one_client(t):
    d, port, up = wild(t, "udp:*:%d")
    s = open_socket(t, ("127.0.0.1", t.port()))
    senders = {}
    for number in range(3):
        for host in V4:
            s.sendto(host.encode(), (host, port))
            data, sender = up.receive()
            check_equal(data, host.encode(), "what came")
            check_equal(senders.setdefault(host, sender), sender, "the session's address")
    check_equal(len(set(senders.values())), len(V4), "sessions")
    for host in reversed(V4):
        up.send(host.encode(), senders[host])
        check_equal(receive(s), (host.encode(), (host, port)), "the answer and its source")
    check_equal(session_sockets(d), len(V4), "sockets of sessions")


@udp_test("udp: answers to many clients and addresses in one turn")
def many(t):
    d, port, up = wild(t, "udp:*:%d")
    pairs = [open_pair(t, ("127.0.%d.%d" % (i % 3, i + 1), port), up) for i in range(40)]
    texts = {}
    for number in range(3):
        for p in pairs:
            text = p.text("answer").ljust(60 + number % 2)
            up.send(text, p.sender)
            texts.setdefault(p, []).append(text)
    for p in pairs:
        for text in texts[p]:
            check_equal(receive(p.client)[0], text, "what a client got")
        check(nothing(p.client), "one datagram too many")


@udp_test("udp: a client of IPv4 at * is one of IPv4 in the log", needs=("ipv6",))
def name_in_log(t):
    d, port, up = wild(t, "udp:*:%d", udp_replies=1)
    check_equal(list(listeners(d)), ["[::]:%d" % port], "listeners")
    for host in ("127.0.0.5", "::1"):
        pair = open_pair(t, (host, port), up)
        line = pair.ended(d, end="done")
        check_equal(line["client"], pair.name, "client")


@udp_test("udp: an address that is bound to alone answers too")
def bound(t):
    up, port = Upstream(t), t.port()
    hosts = ("127.0.0.1", "127.0.0.3")
    t.start({"r": {"listen": [udp(port, host=h) for h in hosts], "upstream": up.address}})
    pairs = [open_pair(t, (h, port), up) for h in hosts * 2]
    for p in pairs:
        p.talk()


@udp_test("udp: strangers who send to a session's socket are not heard")
def strangers(t):
    d, port, up = wild(t, "udp:127.0.0.1:%d")
    pair = open_pair(t, port, up)
    stranger = open_socket(t, ("127.0.0.1", t.port()))
    stranger.sendto(b"not for you", pair.sender)
    pair.talk()
    check(nothing(pair.client), "the client has got it")
    neighbour = open_socket(t, ("127.0.0.9", up.where[1]))
    neighbour.sendto(b"not for you", pair.sender)
    pair.talk()
    check(nothing(pair.client), "the client has got it")


# --- sockets that are passed -----------------------------------------------------------------

def passed_test(t, host):
    """A bound socket under LISTEN_FDS, as of ListenDatagram=."""
    up, s = Upstream(t), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                                       socket.SOCK_DGRAM)
    t.sockets.append(s)
    if host == "::":
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((host, t.port()))
    port = s.getsockname()[1]
    d = passed(t, {"r": {"listen": "systemd:dns", "upstream": up.address}}, [s], ["dns"])
    hosts = {"127.0.0.1": ["127.0.0.1"], "0.0.0.0": ["127.0.0.1", "127.0.0.7"],
             "::": ["127.0.0.1", "127.0.0.7", "::1"]}[host]
    pairs = [open_pair(t, (h, port), up) for h in hosts]
    for p in pairs:
        p.talk()
        p.lives(d)


for host_ in ("127.0.0.1", "0.0.0.0", "::"):
    udp_test("udp: a socket of systemd's ListenDatagram, bound to %s" % host_,
             needs=("systemd",) + (("ipv6",) if host_ == "::" else ()))(
        lambda t, host=host_: passed_test(t, host))


@udp_test("udp: one name of systemd's for a stream and a datagram socket", needs=("systemd",))
def both_passed(t):
    up = Upstream(t)
    tcp_up = t.listener(("127.0.0.1", up.where[1]))
    tcp = t.listener()
    port = tcp.getsockname()[1]
    s = open_socket(t, ("127.0.0.1", port))
    d = passed(t, {"r": {"listen": "systemd:dns", "upstream": up.address}}, [tcp, s],
               ["dns", "dns"])
    pair = open_pair(t, port, up)
    client = t.connect(("127.0.0.1", port))
    other = tcp_up.accept()[0]
    client.close()
    check_equal(other.recv(1), b"", "the end of the stream")
    other.close()
    d.wait_sessions(1, end="done")
    pair.talk()


@test("udp: two daemons at one address: the second one says so", ENGINE)
def taken(t):
    s = open_socket(t, ("127.0.0.1", t.port()))
    d = t.prepare({"rules": {"r": {"listen": udp(s.getsockname()[1]),
                                   "upstream": "127.0.0.1:9"}}})
    d.status = 1
    d.spawn()
    check_equal(d.wait_exit(), 1, "exit status")
    check("udp:127.0.0.1:%d" % s.getsockname()[1] in d.log(), "the log does not name the address")
