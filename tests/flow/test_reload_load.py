# SPDX-License-Identifier: BSD-2-Clause
"""Reload: many rules, and many reloads under load."""

import harness
from harness import ENGINE, RELAY, check, check_equal, test
from pairs import Upstream, is_refused, local, open_pair
from stream import Receiver, Sender
from under_load import ROUNDS, SESSIONS, UnderLoad

RULES = 10000 if not harness.SLOW else 2000
RELOADS = 25


@test("reload: 10,000 rules of which one changes, 25 times; a busy session goes on", ENGINE)
def many_rules(t):
    up, new = Upstream(t), Upstream(t)
    first = t.ports(RULES)
    row = '    r%d = { listen = "127.0.0.1:%d"; upstream = "%s"; max_connections = 2; };\n'

    def text(changed):
        rows = [row % (i, first + i, new.address if i == changed else up.address)
                for i in range(RULES)]
        return 'daemon = { engine = "%s"; };\nrules =\n{\n%s};\n' % (t.engine, "".join(rows))
    d = t.prepare(text(-1))
    d.start()
    check_equal(d.listening, RULES, "listeners")
    before = d.listeners()
    pair = open_pair(t, first, up)
    jobs = [Sender(pair.client, 1, 1 << 40), Receiver(pair.upstream, 1),
            Sender(pair.upstream, 2, 1 << 40), Receiver(pair.client, 2)]
    for job in jobs:
        job.start()
    at, memory = 0, {}
    for number in range(1, RELOADS + 1):
        changed = number * 37 % RULES
        d.rewrite(text(changed))
        d.reload(rules=RULES, added=0, removed=0, changed=1 if number == 1 else 2, failed=0)
        open_pair(t, first + changed, new).end()
        open_pair(t, first + (changed + 1) % RULES, up).end()
        harness.wait_for(lambda: jobs[1].at > at, "the busy session to go on")
        at = jobs[1].at
        memory[number] = d.rss()
    check_equal(d.listeners(), before, "listening sockets")
    for job in jobs[1::2]:
        check(job.error is None, "the busy session: %s" % job.error)
    for job in jobs[::2]:
        job.end = 0
        job.wait()
    for s, job in ((pair.client, jobs[1]), (pair.upstream, jobs[3])):
        s.shutdown(1)
        job.wait()
        check(job.ended, "the busy session did not end well")
    check_equal((jobs[1].at, jobs[3].at), (jobs[0].at, jobs[2].at), "bytes of the busy session")
    line = pair.line(d)
    check_equal(line["end"], "done", "end of the busy session")
    if not t.features["sanitized"]:
        check(memory[RELOADS] < memory[5] * 1.15 + (1 << 20),
              "memory grows with reloads: %r" % memory)


class Crowd:
    """Rules that come, go, change and break, beside those of the load."""

    def __init__(self, t, under):
        self.t, self.u, self.d, self.rng = t, under, under.d, under.rng
        self.ups = [Upstream(t) for _ in range(3)]
        self.ports = [t.port() for _ in range(40)]
        self.taken = Upstream(t)
        self.rules = {}
        self.pairs = []

    def free(self):
        used = {r["listen"] for r in self.rules.values()}
        return [local(p) for p in self.ports if local(p) not in used]

    def rule(self):
        return {"listen": self.rng.choice(self.free()),
                "upstream": self.rng.choice(self.ups).address,
                "on_change": self.rng.choice(("keep", "kill", "drain", "drain:100ms")),
                "idle_timeout": self.rng.choice(("1h", "2h")),
                "max_connections": self.rng.randint(1, 50)}

    def change(self):
        """One of everything that an administrator may do; gives what must be said of failures."""
        what = self.rng.choice(("add", "add", "remove", "upstream", "options", "move", "swap",
                                "load", "rename"))
        names = sorted(self.rules)
        if what == "add" and len(names) < 20:
            self.rules["x%d" % self.rng.randrange(30)] = self.rule()
        elif what == "load":
            rule = self.u.rules[self.rng.choice(sorted(self.u.rules))]
            rule["idle_timeout"] = self.rng.choice(("1h", "2h"))
            rule["upstream"] = self.rng.choice(self.u.ups).address
        elif what == "rename":
            name = self.rng.choice(sorted(self.u.rules))
            self.u.rules[name[:-1] if name.endswith("x") else name + "x"] = self.u.rules.pop(name)
        elif not names:
            return
        elif what == "remove":
            for name in self.rng.sample(names, self.rng.randint(1, len(names))):
                del self.rules[name]
        elif what == "swap":
            a, b = self.rng.choice(names), self.rng.choice(names)
            one, two = self.rules[a]["listen"], self.rules[b]["listen"]
            self.rules[a] = dict(self.rules[a], listen=two)
            self.rules[b] = dict(self.rules[b], listen=one)
        else:
            name = self.rng.choice(names)
            new = self.rule()
            if what == "move":
                self.rules[name]["listen"] = new["listen"]
            elif what == "upstream":
                self.rules[name]["upstream"] = new["upstream"]
            else:
                self.rules[name]["max_connections"] = new["max_connections"]

    def wanted(self):
        return dict(self.u.rules, **self.rules)

    def turn(self):
        kind = self.rng.random()
        if kind < 0.15:
            self.d.reload_fails(self.rng.choice(("", "rules = { a = { listen = 5; }; };",
                                                 "rules = {", "unknown = 1;\n" + self.d.text)))
            return
        if kind < 0.25:
            bad = {"bad": {"listen": self.taken.address, "upstream": self.ups[0].address}}
            self.d.reload(dict(self.wanted(), **bad), failed=1, rules=len(self.wanted()))
            return
        for _ in range(self.rng.randint(1, 3)):
            self.change()
        self.d.reload(self.wanted(), failed=0, rules=len(self.wanted()),
                      listeners=len(self.wanted()))
        self.some_sessions()

    def some_sessions(self):
        """Sessions of rules that may go soon; what becomes of them is on_change's."""
        while len(self.pairs) > 20:
            self.pairs.pop(0).close()
        for name in self.rng.sample(sorted(self.rules), min(2, len(self.rules))):
            rule = self.rules[name]
            up = [u for u in self.ups if u.address == rule["upstream"]][0]
            port = int(rule["listen"].split(":")[1])
            client = self.t.connect(("127.0.0.1", port))
            client.sendall(b"x")
            self.pairs.append(client)
            self.take(up)

    def take(self, up):
        up.socket.setblocking(False)
        try:
            while True:
                self.pairs.append(up.socket.accept()[0])
        except BlockingIOError:
            pass

    def close(self):
        for s in self.pairs:
            s.close()
        for up in self.ups:
            up.socket.close()


@test("reload: 200 random ones under a load of 200 sessions: nothing lost, nothing leaked", RELAY)
def under_load(t):
    u = UnderLoad(t)
    crowd = Crowd(t, u)
    for number in range(ROUNDS):
        crowd.turn()
        if number % 20 == 0:
            u.load.check()
    crowd.close()
    u.d.reload(u.rules, failed=0)
    for port in crowd.ports:
        check(is_refused(port), "a removed rule still listens")
    report = u.finish()
    check(report["sessions"] > SESSIONS, "the load was small: %r" % report)
    u.d.settle()
