# SPDX-License-Identifier: BSD-2-Clause
"""UDP and the service manager's store: restarts, crashes, and configs that change in between."""

import signal
import socket

from daemon import config_text
from harness import check, check_equal, wait_for
from test_handover_odd import Manager
from test_systemd import passed
from udp import (Pair, Upstream, listeners, nothing, open_pair, receive, session_sockets, udp,
                 udp_test)

NEEDS = ("systemd",)


def config(t, rules):
    return {"daemon": {"engine": t.engine}, "rules": rules}


def begin(t, rules):
    """A daemon under a service manager that keeps what it is given."""
    manager = Manager(t)
    d = t.start(rules, notify=False, env={"NOTIFY_SOCKET": manager.path})
    wait_for(lambda: manager.read() and any(n.startswith(".l") for n, _ in manager.store),
             "the listeners in the store")
    return d, manager


def without_sessions(d):
    """What it has now but for the sessions is what it must have in the end."""
    d.baseline = d.fds() - session_sockets(d)
    d.baseline_sockets = d.sockets() - session_sockets(d)


def start_again(t, manager, rules):
    """The next process, which goes on telling the manager."""
    d = passed(t, config_text(config(t, rules)), [f for _, f in manager.store],
               [n for n, _ in manager.store], notify=False, env={"NOTIFY_SOCKET": manager.path})
    without_sessions(d)
    return d


def crash(d, manager):
    d.signal(signal.SIGKILL)
    d.status = -signal.SIGKILL
    check_equal(d.wait_exit(), -signal.SIGKILL, "exit status")
    manager.read()


@udp_test("udp: restart: sessions and listeners go on, and what came meanwhile", needs=NEEDS)
def restart(t):
    up, one, wild = Upstream(t), t.port(), t.port()
    rules = {"r": {"listen": [udp(one), "udp:*:%d" % wild], "upstream": up.address}}
    d, manager = begin(t, rules)
    before = listeners(d)
    pairs = [open_pair(t, one, up) for _ in range(5)]
    pairs += [open_pair(t, ("127.0.0.%d" % i, wild), up) for i in range(1, 6)]
    mute = Pair(t, one, up).ask()
    new = Pair(t, one, up)
    for _ in range(3):
        manager.take_over(d)
        for p in pairs:
            p.client.send(b"early question")
            up.send(b"early answer", p.sender)
        d = start_again(t, manager, rules)
        check_equal(listeners(d), before, "listening sockets")
        check_equal(session_sockets(d), len(pairs) + 1, "sessions")
        for p in pairs:
            check_equal(receive(p.client)[0], b"early answer", "what the client got")
        check_equal(sorted(up.receive()[1] for _ in pairs), sorted(p.sender for p in pairs),
                    "who has asked")
        for p in pairs + [mute]:
            p.ask()
        manager.read()
    mute.answer()
    new.talk()
    d.reload({"rest": {"listen": udp(t.port()), "upstream": up.address}})
    for p in pairs:
        line = p.ended(d, end="drained")
        check_equal((line["datagrams_in"], line["datagrams_out"]), ("7", "4"), "datagrams")
    check_equal(sorted(int(l["id"]) for l in d.sessions()), list(range(1, len(pairs) + 3)), "ids")


@udp_test("udp: SIGKILL: what was sent meanwhile is answered by the next process", needs=NEEDS)
def killed(t):
    up, port, wild = Upstream(t), t.port(), t.port()
    rules = {"r": {"listen": [udp(port), "udp:*:%d" % wild], "upstream": up.address}}
    d, manager = begin(t, rules)
    before = listeners(d)
    for number in range(3):
        pair = open_pair(t, port, up)
        crash(d, manager)
        clients = [Pair(t, port, up), Pair(t, wild, up)]
        for c in clients:
            c.client.send(b"meanwhile")
        pair.client.send(b"meanwhile")
        d = start_again(t, manager, rules)
        check_equal(listeners(d), before, "listening sockets")
        for _ in range(3):
            data, sender = up.receive()
            check_equal(data, b"meanwhile", "what the upstream got")
            up.send(b"answer", sender)
        for c in clients + [pair]:
            check_equal(receive(c.client)[0], b"answer", "what the client got")
        without_sessions(d)
        manager.read()


@udp_test("udp: SIGKILL, and a config that wants other addresses", needs=NEEDS + ("ipv6",))
def killed_and_changed(t):
    """The manager still has the old sockets when the new ones are bound."""
    up, port = Upstream(t), t.port()
    hosts = ["0.0.0.0", "127.0.0.1", "*", "127.0.0.2", "[::]", "[::1]", "*", "0.0.0.0"]

    def rules(host):
        return {"r": {"listen": "udp:%s:%d" % (host, port), "upstream": up.address}}
    d, manager = begin(t, rules(hosts[0]))
    for host in hosts[1:]:
        crash(d, manager)
        d = start_again(t, manager, rules(host))
        to = {"*": "127.0.0.3", "0.0.0.0": "127.0.0.3", "[::]": "::1"}.get(host, host.strip("[]"))
        open_pair(t, (to, port), up)
        manager.read()
        open_pair(t, (to, port), up)


@udp_test("udp: an address that comes back before the manager has closed its socket", needs=NEEDS)
def comes_back(t):
    up, port, other = Upstream(t), t.port(), t.port()
    rest = {"listen": udp(other), "upstream": up.address}

    def rules(host):
        return {"r": {"listen": "udp:%s:%d" % (host, port), "upstream": up.address}, "rest": rest}
    d, manager = begin(t, rules("127.0.0.1"))
    for host in ("127.0.0.1", "0.0.0.0", "127.0.0.1", "127.0.0.1"):
        d.reload({"rest": rest}, failed=0)
        d.reload(rules(host), failed=0)
        open_pair(t, port, up)
    for host in ("0.0.0.0", "127.0.0.1", "0.0.0.0"):
        d.reload(rules(host), failed=0)
        open_pair(t, port, up)
    check(len([n for n, _ in manager.store if n.startswith(".l")]) == 1, "the manager has read")
    manager.read()
    open_pair(t, port, up)
    crash(d, manager)
    check_equal(len([n for n, _ in manager.store if n.startswith(".l")]), 1, "parcels of listeners")
    d = start_again(t, manager, rules("0.0.0.0"))
    open_pair(t, port, up)


@udp_test("udp: a stop that nobody has announced: the next process listens on the same sockets",
          needs=NEEDS)
def stopped(t):
    up, port = Upstream(t), t.port()
    rules = {"r": {"listen": udp(port), "upstream": up.address}}
    d, manager = begin(t, rules)
    before = listeners(d)
    pair = open_pair(t, port, up)
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    pair.ended(d, end="shutdown")
    manager.read()
    pair.client.send(b"meanwhile")
    d = start_again(t, manager, rules)
    check_equal(listeners(d), before, "listening sockets")
    data, sender = up.receive()
    check_equal(data, b"meanwhile", "what the upstream got")
    check(sender != pair.sender, "it is the same session")
    check(nothing(up.socket), "the upstream got more")
    without_sessions(d)
    manager.read()


def activated(t, host, family):
    """What makes somebody start us lies in the socket before we can ask whence it came."""
    s = socket.socket(family, socket.SOCK_DGRAM)
    t.sockets.append(s)
    s.bind((host, t.port()))
    port = s.getsockname()[1]
    up = Upstream(t)
    pair = Pair(t, port, up)
    pair.client.send(b"wake up")
    d = passed(t, {"r": {"listen": "systemd:dns", "upstream": up.address}}, [s], ["dns"])
    data, pair.sender = up.receive()
    check_equal(data, b"wake up", "what was waiting")
    up.send(b"awake", pair.sender)
    check_equal(receive(pair.client)[0], b"awake", "the answer")
    pair.talk()
    without_sessions(d)


for host_, family_ in (("127.0.0.1", socket.AF_INET), ("0.0.0.0", socket.AF_INET),
                       ("::", socket.AF_INET6)):
    udp_test("udp: the datagram that has started us is forwarded: %s" % host_,
             needs=NEEDS + (("ipv6",) if family_ == socket.AF_INET6 else ()))(
        lambda t, h=host_, f=family_: activated(t, h, f))
