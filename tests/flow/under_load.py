# SPDX-License-Identifier: BSD-2-Clause
"""A daemon under the load of load.py, over TCP of both families and a UNIX socket, and what must
hold when it is over: nothing lost, and the log accounts for all of it."""

import os
import socket

import harness
from harness import check_equal, have_ipv6, wait_for
from load import Load
from pairs import Upstream

# Under sanitizers fewer, so that a test stays in its time.
SESSIONS = int(os.environ.get("PENSTOCK_LOAD", 60 if harness.SLOW else 200))
ROUNDS = int(os.environ.get("PENSTOCK_ROUNDS", 40 if harness.SLOW else 200))


class UnderLoad:
    def __init__(self, t, rules=None, daemon=None, **options):
        self.t = t
        self.ups = [Upstream(t), Upstream(t)]
        self.port, path = t.port(), t.path("load.sock")
        self.rules = {
            "load-tcp": {"listen": "127.0.0.1:%d" % self.port, "upstream": self.ups[0].address},
            "load-unix": {"listen": "unix:" + path, "upstream": self.ups[1].address}}
        routes = [["127.0.0.1", self.port], path]
        if have_ipv6():
            self.ups.append(Upstream(t, socket.AF_INET6))
            port = t.port()
            self.rules["load-six"] = {"listen": "[::1]:%d" % port,
                                      "upstream": self.ups[2].address}
            routes.append(["::1", port])
        for rule in self.rules.values():
            rule["max_connections"] = SESSIONS * 2
        self.d = t.start(dict(self.rules, **(rules or {})), daemon=daemon, **options)
        seed = t.seed()
        self.rng = seed
        self.load = Load(t, routes, [u.socket for u in self.ups], SESSIONS,
                         seed.randrange(1 << 31))
        wait_for(lambda: self.lines(), "the first session of the load to end")

    def lines(self):
        return [s for s in self.d.sessions() if s["rule"].startswith("load-")]

    def finish(self):
        """Let the load end, and compare its account with the log."""
        report = self.load.stop()
        wait_for(lambda: len(self.lines()) >= report["sessions"],
                 lambda: "%d lines, there are %d" % (report["sessions"], len(self.lines())))
        lines = self.lines()
        odd = [l[""] for l in lines if l["end"] != "done"]
        check_equal(odd[:5], [], "sessions of the load that did not end well")
        check_equal(len(lines), report["sessions"], "session lines")
        for key in ("in", "out"):
            check_equal(sum(int(l[key]) for l in lines), report[key], "sum of %s" % key)
        ids = [l["id"] for l in self.d.sessions() if "id" in l]
        check_equal(len(set(ids)), len(ids), "ids that are unique")
        self.t.note("%d sessions, %d + %d bytes" % (report["sessions"], report["in"],
                                                    report["out"]))
        return report
