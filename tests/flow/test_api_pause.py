# SPDX-License-Identifier: BSD-2-Clause
"""Rules paused, drained and resumed over the control socket; over reloads and handovers."""

from api import Api
from harness import ENGINE, check_equal, test, wait_for
from pairs import Upstream, open_pair

CONTROL = ("control",)


class Steered:
    """A daemon with one rule, and its API."""

    def __init__(self, t, **options):
        self.t, self.up, self.port = t, Upstream(t), t.port()
        self.control = t.path("control.sock")
        self.api = Api(self.control)
        self.d = t.start(self.rules(**options), daemon=self.daemon())

    def daemon(self):
        return {"control": self.control, "drain_timeout": "1h"}

    def rules(self, **options):
        return {"r": dict(options, listen="127.0.0.1:%d" % self.port, upstream=self.up.address)}

    def order(self, word, state):
        check_equal(self.api.post("/v1/rules/r/" + word)["state"], state, "after " + word)

    def state_is(self, state):
        check_equal(self.api.get("/v1/rules/r")["state"], state, "the rule's state")

    def pair(self):
        return open_pair(self.t, self.port, self.up)

    def waiting(self):
        """A client that the kernel has let in, and nobody else."""
        client = self.t.connect(("127.0.0.1", self.port))
        client.sendall(b"let me in")
        self.nobody_new()
        return client

    def nobody_new(self):
        wait_for(lambda: self.d.state() == "S", "penstockd to sleep")
        rule = self.api.get("/v1/rules/r")
        check_equal((rule["opened"], rule["refused"]), (1, {}), "clients so far")

    def served(self, client):
        upstream = self.up.accept()
        check_equal(upstream.recv(9), b"let me in", "what the upstream got")
        client.close()
        upstream.close()


@test("pause: clients wait, sessions go on, over a reload and a handover", ENGINE, CONTROL)
def paused(t):
    s = Steered(t)
    pair = s.pair()
    s.order("pause", "paused")
    s.order("pause", "paused")
    clients = [s.waiting()]
    s.d.reload(s.rules(max_connections=7), changed=1)
    clients.append(s.waiting())
    pair.talk()
    s.d.upgrade()
    s.state_is("paused")
    clients.append(s.waiting())
    pair.talk()
    s.order("resume", "running")
    for client in clients:
        s.served(client)
    pair.end()


@test("pause: draining goes on over a handover, and is lifted", ENGINE, CONTROL)
def drained(t):
    s = Steered(t)
    pair = s.pair()
    s.order("drain", "draining")
    client = s.waiting()
    s.d.upgrade()
    s.state_is("draining")
    s.nobody_new()
    pair.talk()
    s.order("resume", "running")
    s.served(client)
    pair.talk()
    pair.end()


@test("pause: draining ends what is left", ENGINE, CONTROL)
def drained_at_once(t):
    s = Steered(t)
    s.d.rewrite(s.rules(), daemon=dict(s.daemon(), drain_timeout="100ms"))
    s.d.reload()  # the rule has not changed: its daemon has
    pair = s.pair()
    s.order("drain", "draining")
    wait_for(lambda: s.d.sessions(end="drained"), "the session to end")
    wait_for(lambda: s.api.get("/v1/rules/r")["ended"] == {"drained": 1}, "its rule to count it")
    pair.client.close()
    pair.upstream.close()
