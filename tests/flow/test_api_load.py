# SPDX-License-Identifier: BSD-2-Clause
"""Many who ask, and many to tell of, while sessions are relayed."""

import re
import socket

import harness
import udp
from api import Answer, Api, control, start
from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from openmetrics import OPENMETRICS, Metrics
from pairs import Upstream, open_pair
from under_load import UnderLoad

CLIENTS = 50
ROUNDS = 4 if harness.SLOW else 8
TARGETS = ("/v1/status", "/v1/rules", "/v1/sessions", "/metrics")


class Poller:
    """A client with a connection that stays."""

    def __init__(self, api, number, rules):
        self.connection = api.begin("GET", "/healthz")
        check_equal(Answer(self.connection.getresponse()).status, 200, "the first answer")
        self.number, self.rules = number, sorted(rules)

    def ask(self, turn):
        self.target = TARGETS[(self.number + turn) % len(TARGETS)]
        if self.target == "/v1/sessions" and turn % 2:
            self.target += "?limit=1000&sort=idle"
        self.connection.request("GET", self.target, headers={"Accept": OPENMETRICS})

    def look(self):
        """The answer is whole, and says what can be."""
        a = Answer(self.connection.getresponse())
        check_equal(a.status, 200, "status of " + self.target)
        if self.target == "/metrics":
            found = re.findall(r'^penstock_sessions\{rule="(.*)"\} [0-9]+$', a.text, flags=re.M)
            check_equal(sorted(found), self.rules, "rules in metrics")
            if self.number < 4:  # to read all of it takes long
                Metrics(a.text)
        elif self.target == "/v1/status":
            check_equal(a.json["rules"], len(self.rules), "rules")
        elif self.target == "/v1/rules":
            check_equal(sorted(r["name"] for r in a.json["rules"]), self.rules, "rules")
        else:
            ids = [s["id"] for s in a.json["sessions"]]
            check_equal(len(set(ids)), len(ids), "sessions that are told of once")


@test("api: 50 clients ask while a load is relayed", ENGINE, ("control",))
def polled(t):
    ours, path = control(t)
    port = t.port()
    u = UnderLoad(t, daemon=dict(ours, http="127.0.0.1:%d" % port))
    wheres = (Api(path), Api(("127.0.0.1", port)))
    pollers = [Poller(wheres[i % 2], i, u.rules) for i in range(CLIENTS)]
    for turn in range(ROUNDS):
        for p in pollers:
            p.ask(turn)
        for p in pollers:
            p.look()
        u.load.check()
    for p in pollers:
        p.connection.close()
    u.finish()
    u.d.settle()


# --- many sessions ---------------------------------------------------------------------------

MANY = 1500 if harness.SLOW else 9000
PAGE = 250 if harness.SLOW else 1000
BURST = 100  # datagrams that a receive buffer holds with ease


class Crowd:
    """Clients of datagrams, each with a session; it costs penstockd one descriptor."""

    def __init__(self, t, api, port, upstream):
        self.t, self.api, self.port, self.upstream = t, api, port, upstream
        self.ids = {}  # socket: id of its session
        self.last = 0  # id

    def come(self, count):
        """So many more, each with where the upstream finds it. They get their ids in turn."""
        new = []
        while len(new) < count:
            some = [self.one() for _ in range(min(BURST, count - len(new)))]
            for i, s in enumerate(some):
                s.send(b"%d" % i)
            peers = dict(self.upstream.recvfrom(100) for _ in some)
            new += [(s, peers[b"%d" % i]) for i, s in enumerate(some)]
        for s, _ in new:
            self.last += 1
            self.ids[s] = self.last
        return new

    def one(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(harness.DEADLINE)
        self.t.sockets.append(s)
        s.connect(("127.0.0.1", self.port))
        return s

    def go(self, s):
        """A client whose session is ended."""
        check_equal(self.api.delete("/v1/sessions/%d" % self.ids.pop(s)), {"killed": 1}, "killed")


@test("api: thousands of sessions in pages while others come and go", ENGINE, ("control",))
def pages(t):
    rng = t.seed()
    many = MANY // 3 if t.engine == "select" else MANY  # each turn looks at all of them
    udp.raise_own_limit(2 * many + 500)
    upstream, port = udp.Upstream(t), t.port()
    d, api = start(t, {"r": {"listen": udp.udp(port), "upstream": upstream.address,
                             "max_connections": many + 2000, "udp_timeout": "1h"}},
                   files=many + 3000)
    crowd = Crowd(t, api, port, upstream.socket)
    stays = crowd.come(many)
    goes = [s for s, _ in rng.sample(stays, many // 10)]
    known = set(crowd.ids.values()) - {crowd.ids[s] for s in goes}
    seen, query = [], ""
    while query is not None:
        page = api.get("/v1/sessions?limit=%d%s" % (PAGE, query))
        seen += [s["id"] for s in page["sessions"]]
        query = None if page["next"] is None else "&after=%d" % page["next"]
        for _ in range(20):
            crowd.go(goes.pop())
        goes += [s for s, _ in crowd.come(10)]
        sock, peer = rng.choice([p for p in stays if p[0] in crowd.ids])
        upstream.socket.sendto(b"back", peer)
        check_equal(sock.recv(100), b"back", "what a client gets meanwhile")
    check_equal(seen, sorted(set(seen)), "each id once, in order")
    check_equal(known - set(seen), set(), "sessions that lived through and are not listed")
    check_equal(api.get("/v1/status")["sessions"], len(crowd.ids), "live sessions")
    check_equal(api.delete("/v1/sessions?all=true"), {"killed": len(crowd.ids)}, "killed")
    d.settle()


@test("api: readers leave sessions their descriptors, and sessions leave some for who steers", ONCE,
      ("control",))
def descriptors(t):
    up, port, reading = Upstream(t), t.port(), t.port()
    _, api = start(t, {"r": {"listen": "127.0.0.1:%d" % port, "upstream": up.address,
                             "max_connections": 200}},
                   daemon={"http": "127.0.0.1:%d" % reading}, files=160)
    room = api.get("/v1/status")["descriptors"]["room"]
    idle = [t.connect(("127.0.0.1", reading)) for _ in range(room)]
    pairs = [open_pair(t, port, up) for _ in range(20)]
    for s in idle:
        s.close()
    clients = [t.connect(("127.0.0.1", port)) for _ in range(room)]

    def all_booked():
        booked = api.get("/v1/status")["descriptors"]["booked"]
        return booked >= room - 1
    wait_for(all_booked, "sessions to have every descriptor")
    check(Api(api.where).delete("/v1/sessions?all=true")["killed"] > len(pairs), "killed")
    for s in clients:
        s.close()
