# SPDX-License-Identifier: BSD-2-Clause
"""penstock top and a daemon that says whatever a test wants: many rules and sessions, odd names."""

import re
import unicodedata
from urllib.parse import parse_qs

from ctl import Ctl, FakeDaemon
from harness import ONCE, Skip, check, check_equal, test, wait_for
from terminal import Terminal

STATUS = {
    "version": "9.8", "pid": 7, "started_at_ms": 1000, "uptime_ms": 5000, "engine": "epoll",
    "watched": 1, "sessions": 3, "served": 4, "refused": 5, "rules": 2, "listeners": 2,
    "descriptors": {"booked": 10, "room": 100},
    "config": {"path": "/x", "generation": 12, "loaded_at_ms": 1000,
               "reload": {"outcome": "ok", "at_ms": 3000, "error": None}},
}


def rule(name, **more):
    return dict({"name": name, "state": "running",
                 "listeners": [{"address": "a:1", "state": "listening", "sessions": 0,
                                "limit": None}],
                 "upstream": "u:2", "sessions": 1, "limit": 10, "opened": 1, "bytes_in": 0,
                 "bytes_out": 0, "datagrams_in": 0, "datagrams_out": 0, "dropped": 0, "ended": {},
                 "refused": {}}, **more)


def session(number):
    return {"id": number, "rule": "web", "protocol": "tcp", "state": "open",
            "client": "192.0.2.%d:%d" % (number % 250, number), "upstream": "u:2",
            "started_at_ms": 1000, "age_ms": 100000 - number, "idle_ms": 0, "connect_ms": 1,
            "bytes_in": number, "bytes_out": number}


class World:
    """A daemon that says `rules`, and has `count` sessions of each."""

    def __init__(self, t, rules, count=0, **environment):
        self.limits = []
        self.queries = []
        self.ctl = Ctl(t, t.path("fake.sock"))
        if "no top" in self.ctl.run("top")[2]:
            raise Skip("built without top")
        answers = {("GET", "/v1/status"): (200, STATUS),
                   ("GET", "/v1/rules"): (200, lambda query: {"rules": rules}),
                   ("GET", "/v1/sessions"): (200, lambda query: self.sessions(query, count))}
        self.answers = answers
        FakeDaemon(t, answers)
        self.terminal = Terminal(t, self.ctl, **environment)
        self.terminal.start("top", "--interval=100ms")
        self.terminal.wait("%d of %d rules" % (len(rules), len(rules)))

    def sessions(self, query, count):
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        self.queries.append(asked)
        shown = min(int(asked["limit"]), count)
        return {"sessions": [session(n + 1) for n in range(shown)],
                "next": shown if shown < count else None}


@test("top: of 10,000 sessions only the first are asked for", modes=ONCE)
def many_sessions(t):
    w = World(t, [rule("web", sessions=10000, limit=20000)], 10000)
    term = w.terminal
    term.keys("Enter")
    text = term.wait("web: running, ")
    check("of 10000 sessions" in text, text)
    check(all(int(q["limit"]) <= 100 and q["rule"] == "web" and q["sort"] == "id"
              for q in w.queries), "what was asked for: %s" % w.queries)
    for _ in range(8):
        term.keys("NPage")
    term.wait(lambda text: re.search(r"^ +113 ", text, re.M))
    check(max(int(q["limit"]) for q in w.queries) <= 300, "asked for: %s" % w.queries)
    term.keys("End")
    term.wait(lambda text: re.search(r"^ *1000 ", text, re.M))
    term.wait("1000 of 10000 sessions (the first 1000 are looked at)")
    term.keys("Home")
    term.wait(lambda text: re.search(r"^ +1 192", text, re.M))
    # The daemon sorts, and filters by address; here it is filtered by text.
    term.keys("b")
    wait_for(lambda: w.queries[-1]["sort"] == "bytes", "sorted by the daemon")
    term.write("/192.0.2.0/24")
    wait_for(lambda: w.queries[-1].get("client") == "192.0.2.0/24", "filtered by the daemon")
    term.keys("Escape")
    term.write("/.2.77:77")
    term.wait("web: running, 1 of 10000 sessions")
    check("client" not in w.queries[-1], "filtered here")
    check(max(int(q["limit"]) for q in w.queries) == 1000, "no more than 1000 at a time")
    term.close()


@test("top: 1,000 rules scroll, and what is picked stays so", modes=ONCE)
def many_rules(t):
    rules = [rule("r%04d" % n, sessions=n % 7) for n in range(1000)]
    w = World(t, rules)
    term = w.terminal
    term.keys("End")
    term.wait(lambda text: "r0999" in text and "r0000" not in text)
    term.keys("PPage", "PPage")
    term.wait(lambda text: "r0967" in text and "r0999" not in text)
    term.keys("Home")
    term.wait(lambda text: "r0000" in text and "r0500" not in text)
    for _ in range(3):
        term.keys("Down")
    term.keys("R")  # the other way round, and still seen
    term.wait(lambda text: "r0003" in text and "r0004" in text and "r0020" not in text)
    term.keys("k")
    term.wait("End all sessions of r0003 (3 now)? [y/N]")
    term.keys("n")
    # Others come and go above it.
    rules[:] = [rule("new")] + rules[2:]
    term.wait("999 of 999 rules")
    term.keys("p")
    term.wait("Pause r0003?")
    term.close()


def column_of(text, line):
    """At which column of the terminal a text begins."""
    before = line[:line.index(text)]
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in before)


@test("top: names and addresses do nothing to the terminal, and columns stay aligned", modes=ONCE)
def names(t):
    odd = "x\x1b[2J\x1b]0;title\x07\n\u202e"
    w = World(t, [rule("\u65e5\u672c"), rule("caf\u00e9"), rule(odd), rule("plain", upstream=odd)])
    term = w.terminal
    text = term.wait("\\x1b[2J")
    names = ("\u65e5\u672c", "caf\u00e9", "x\\x1b", "plain")
    rows = {name: line for line in text.split("\n") for name in names if line.startswith(name)}
    check_equal(len(rows), 4, "rows:\n" + text)
    check_equal(len({column_of("running", line) for line in rows.values()}), 1,
                "columns of the state:\n" + text)
    term.resize(200, 24)
    term.wait(lambda text: text.count("\\x07\\n\\u202e") == 2)
    check(term.is_clean() is False, "top is still there")
    term.keys("Down", "Down", "k")
    text = term.wait("[y/N]")
    check("End all sessions of x\\x1b[2J" in text, text)
    term.close()


@test("top: an answer that makes no sense does no harm", modes=ONCE)
def nonsense(t):
    w = World(t, [rule("web")])
    term = w.terminal
    w.answers[("GET", "/v1/rules")] = (200, {"rules": [{}, 7, {"name": "odd", "limit": -3}]})
    term.wait(lambda text: "3 of 3 rules" in text and "\nodd " in text)
    w.answers[("GET", "/v1/rules")] = (500, {"error": {"message": "not \x1b[7m today"}})
    term.wait_words("No answer, trying again. not \\x1b[7m today")
    w.answers[("GET", "/v1/rules")] = (200, b"<html>")
    term.wait_words("what answers there is not penstockd")
    w.answers[("GET", "/v1/rules")] = (200, {"rules": [rule("web")]})
    term.wait(lambda text: "1 of 1 rules" in text and "No answer" not in text)
    term.keys("Enter")
    term.wait("web: running, 0 of 1 sessions")
    w.answers[("GET", "/v1/rules")] = (200, {"rules": []})
    term.wait("There is no rule web any more")
    term.keys("k")
    term.wait("There is no session to end.")
    term.keys("q")
    term.wait("0 of 0 rules")
    for key in ("Down", "End", "Enter", "p", "k"):
        term.keys(key)
    term.wait("There is no")
    term.keys("q")
    term.wait("ended=0")
    term.close()
