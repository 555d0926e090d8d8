# SPDX-License-Identifier: BSD-2-Clause
"""UDP: random clients, addresses, replies, reloads and handovers, compared with a naive model of
which sessions there must be, and which must have been evicted."""

import harness
from harness import check, check_equal, wait_for
from udp import Pair, Upstream, over, session_sockets, sums, udp, udp_test

STEPS = 300 if harness.SLOW else 2000


class Model:
    """The sessions of a rule with two addresses, longest silent first."""

    def __init__(self, rule_limit, limits):
        self.rule_limit, self.limits = rule_limit, limits
        self.live = []        # (pair, address)
        self.answered = set()
        self.evicted = []

    def at(self, address):
        return [s for s in self.live if s[1] == address]

    def touch(self, session):
        self.live.remove(session)
        self.live.append(session)

    def evict(self, sessions):
        unanswered = [s for s in sessions if s not in self.answered]
        gone = (unanswered or sessions)[0]
        self.live.remove(gone)
        self.answered.discard(gone)
        self.evicted.append(gone[0].name)
        gone[0].sender = None

    def ask(self, session):
        """Is it a new one?"""
        if session in self.live:
            self.touch(session)
            return False
        if len(self.at(session[1])) >= self.limits[session[1]]:
            self.evict(self.at(session[1]))
        if len(self.live) >= self.rule_limit:
            self.evict(self.live)
        self.live.append(session)
        return True

    def answer(self, session):
        self.touch(session)
        self.answered.add(session)


def model_test(t, between):
    rng = t.seed()
    up, ports = Upstream(t), [t.port(), t.port()]
    rules = {"r": {"listen": ({"address": udp(ports[0]), "max_connections": 4}, udp(ports[1])),
                   "upstream": up.address, "max_connections": 7, "on_limit": "evict"}}
    d = t.start(rules, {"log_level": "debug"})  # a line for each that was evicted
    model = Model(7, {ports[0]: 4, ports[1]: 7})
    sessions = [(Pair(t, port, up), port) for port in ports for _ in range(7)]
    asked = answers = 0
    for number in range(STEPS):
        kind = rng.random()
        if kind < 0.6 or not model.live:
            # Some come often, some seldom.
            session = sessions[min(rng.randrange(len(sessions)), rng.randrange(len(sessions)))]
            is_new = model.ask(session)
            session[0].ask()
            asked += 1
            # The port of one that was evicted for it may have become its own.
            others = {s[0].sender for s in model.live if s is not session}
            check(not is_new or session[0].sender not in others, "a session of somebody else")
        else:
            session = rng.choice(model.live)
            model.answer(session)
            session[0].answer()
            answers += 1
        if number % 20 == 0:
            between(d, rng)
            wait_for(lambda: len(d.sessions(end="evicted")) >= len(model.evicted), "evictions")
            check_equal([l["client"] for l in d.sessions()], model.evicted, "who was evicted")
            check_equal(session_sockets(d), len(model.live), "sockets of sessions")
    check(len(model.evicted) > STEPS / 20, "hardly anybody was evicted")
    live = sorted(s[0].name for s in model.live)
    over(d)
    check_equal(sorted(l["client"] for l in d.sessions(end="drained")), live, "who was left")
    check_equal(sums(d.sessions(), "datagrams_in", "datagrams_out", "dropped"),
                (asked, answers, 0), "datagrams")


udp_test("udp: sessions and evictions as in a naive model")(
    lambda t: model_test(t, lambda d, rng: None))
udp_test("udp: sessions and evictions as in a naive model: with reloads")(
    lambda t: model_test(t, lambda d, rng: d.reload()))
udp_test("udp: sessions and evictions as in a naive model: with handovers")(
    lambda t: model_test(t, lambda d, rng: d.upgrade() if rng.random() < 0.5 else d.reload()))
