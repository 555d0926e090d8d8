# SPDX-License-Identifier: BSD-2-Clause
"""UDP under load, and what is changed meanwhile: no session is lost, and no datagram."""

import os

import harness
from harness import check, check_equal, have_ipv6, wait_for
from udp import (Upstream, listeners, open_pair, over, session_sockets, sums, udp, udp_test,
                 while_stopped)
from udp_load import PATIENCE, Load

ROUNDS = int(os.environ.get("PENSTOCK_ROUNDS", 20 if harness.SLOW else 100))


def dropped(d):
    """How many datagrams the kernel has dropped at its sockets, as their buffers were full."""
    ours, total = "\n".join(d.fd_list()), 0
    for name in ("udp", "udp6"):
        with open("/proc/%d/net/%s" % (d.pid, name)) as f:
            rows = [row.split() for row in f.readlines()[1:]]
        total += sum(int(row[-1]) for row in rows if "socket:[%s]" % row[9] in ours)
    return total


class UnderLoad:
    """A daemon with rules load-*, and clients of theirs. All that is under way at a time fits into
    the buffer of one socket, so that none has to be lost."""

    def __init__(self, t, rules=None, clients=16, window=2, patience=PATIENCE,
                 **options):
        self.t = t
        self.ups = [Upstream(t), Upstream(t)]
        ports = [t.port(), t.port()]
        self.rules = {"load-0": {"listen": udp(ports[0]), "upstream": self.ups[0].address},
                      "load-1": {"listen": "udp:*:%d" % ports[1],
                                 "upstream": self.ups[1].address}}
        routes = [["127.0.0.1", ports[0]], ["127.0.0.3", ports[1]]]
        if have_ipv6():
            self.ups.append(Upstream(t, host="::1"))
            ports.append(t.port())
            self.rules["load-2"] = {"listen": udp(ports[2], host="::1"),
                                    "upstream": self.ups[2].address}
            routes += [["::1", ports[2]], ["::1", ports[1]]]
        self.clients = clients
        self.d = t.start(dict(self.rules, **(rules or {})), **options)
        self.rng = t.seed()
        self.load = Load(t, routes, [u.socket for u in self.ups], clients, window,
                         self.rng.randrange(1 << 31), patience)
        wait_for(lambda: session_sockets(self.d) >= clients, "sessions of the load")

    def overwhelm(self):
        """The daemon stands still until the kernel has had to drop some at its listeners."""
        before = dropped(self.d)
        while_stopped(self.d)(lambda: wait_for(lambda: dropped(self.d) > before,
                                               "a buffer of the daemon's to be full"))

    def finish(self, loses=False):
        """Let the load end, and compare its account with the log. `loses`: some, not none."""
        report = self.load.stop()
        self.t.tell("%(sent)d datagrams, %(lost)d of them lost" % report)
        check(report["answered"] > 0, "nothing was answered")
        check_equal([l[""] for l in self.d.sessions() if l["rule"].startswith("load-")], [],
                    "sessions that ended")
        over(self.d)
        lines = [l for l in self.d.sessions() if l["rule"].startswith("load-")]
        check_equal(len(lines), self.clients, "sessions of the load")
        check_equal(sums(lines, "datagrams_in", "datagrams_out"),
                    (report["arrived"], report["answered"]),
                    "datagrams at the upstream and back, by the log")
        check((report["lost"] > 0) == loses, "%(lost)d of %(sent)d datagrams were lost" % report)
        return report


class Aside:
    """A rule with clients of its own, which comes and goes."""

    def __init__(self, t):
        self.t, self.up = t, Upstream(t)
        self.ports = [t.port() for _ in range(3)]
        self.pairs = []

    def rule(self, rng):
        ports = rng.sample(self.ports, rng.randint(1, 3))
        return {"listen": udp(*ports), "upstream": self.up.address,
                "max_connections": rng.randint(50, 300), "on_limit": rng.choice(["drop", "evict"])}

    def talk(self, d):
        """Whatever the last reload has left must work."""
        for name in listeners(d):
            port = int(name.rsplit(":", 1)[1])
            if port in self.ports:
                open_pair(self.t, port, self.up).close()


@udp_test("udp: SIGHUP under full traffic: no session is lost, and no datagram")
def hup(t):
    u, aside = UnderLoad(t), Aside(t)
    for number in range(ROUNDS):
        if u.rng.random() < 0.2:
            u.d.reload(dict(u.rules))
        elif u.rng.random() < 0.1:
            u.d.reload_fails("rules = {")
        else:
            rules = dict(u.rules, aside=aside.rule(u.rng))
            for name in u.rules:
                if u.rng.random() < 0.3:
                    rules[name] = dict(rules[name], max_connections=u.rng.randint(50, 300),
                                       udp_timeout="%dmin" % u.rng.randint(1, 60))
            u.d.reload(rules, failed=0)
            aside.talk(u.d)
        if number % 10 == 0:
            u.load.check()
    u.finish()


@udp_test("udp: under load without a break, with clients that come and go")
def alone(t):
    aside = Aside(t)
    u = UnderLoad(t, {"aside": {"listen": udp(*aside.ports), "upstream": aside.up.address,
                                "udp_replies": 1}}, clients=32, window=1)
    for _ in range(ROUNDS):
        aside.talk(u.d)
    u.load.check()
    u.d.wait_sessions(3 * ROUNDS, rule="aside", end="done")
    u.finish()


@udp_test("udp: more than the buffers hold: some are lost, but nothing else")
def too_much(t):
    u = UnderLoad(t, clients=64, window=24, patience=0.1)
    aside = Aside(t)
    u.overwhelm()
    for _ in range(ROUNDS // 4):
        u.d.reload(dict(u.rules, aside=aside.rule(u.rng)), failed=0)
    u.load.check()
    u.finish(loses=True)
