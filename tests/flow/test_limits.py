# SPDX-License-Identifier: BSD-2-Clause
"""A limit of 2, hit by 50 clients at once, 100 times over: never 3 at the upstream, never fewer
than 2 while there is demand."""

import select
import socket

import harness
from harness import ENGINE, add_test, check, check_equal, test, wait_for

LIMIT = 2
CLIENTS = 50
ROUNDS = 100


def turned_away(sock):
    """How penstock has closed this client, "FIN" or "RST"; None: it has not."""
    try:
        return "bytes" if sock.recv(1) else "FIN"
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return "RST"


class Upstream:
    """Counts the sessions that are live at it, exactly."""

    def __init__(self, t):
        self.socket = t.listener()
        self.socket.setblocking(False)
        self.live = []
        self.total = 0

    def address(self):
        return "127.0.0.1:%d" % self.socket.getsockname()[1]

    def accept_all(self):
        """Take every new session; FINs of old ones that came before it are seen before it."""
        while True:
            try:
                s = self.socket.accept()[0]
            except BlockingIOError:
                return
            s.setblocking(False)
            self.drop_ended()
            self.live.append(s)
            self.total += 1
            check(len(self.live) <= LIMIT, "%d sessions at the upstream" % len(self.live))

    def drop_ended(self):
        for s in list(self.live):
            try:
                data = s.recv(64)
            except BlockingIOError:
                continue
            if not data:
                s.close()
                self.live.remove(s)

    def wait(self, count):
        """Until as many are live."""
        def reached():
            self.accept_all()
            self.drop_ended()
            if len(self.live) == count:
                return True
            select.select([self.socket, *self.live], [], [], 0.05)
            return False
        wait_for(reached, lambda: "%d sessions at the upstream, there are %d" % (count,
                                                                                 len(self.live)))

    def wait_gone(self, session):
        """Until this one has ended."""
        def gone():
            self.accept_all()
            self.drop_ended()
            return session not in self.live
        wait_for(gone, "the end of a session to reach the upstream")


def connect_all(addresses, count):
    """So many clients at once, dealt out to the addresses; nonblocking, connected."""
    clients = []
    for i in range(count):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(addresses[i % len(addresses)])
        clients.append(s)
    return clients


def close_and_wait(d, clients, upstream, ended):
    """End every session that is left, and wait until penstock has written them off."""
    for s in clients:
        s.close()
    for s in upstream.live:
        s.close()
    upstream.live.clear()
    wait_for(lambda: len([s for s in d.sessions() if "id" in s]) >= ended,
             "%d sessions to end" % ended)


def round_of_refusals(d, addresses, upstream, kind, number):
    """2 get in, the others are turned away, each in the way that was asked for."""
    clients = connect_all(addresses, CLIENTS)
    away = {}

    def all_but_two():
        upstream.accept_all()
        for s in clients:
            if s not in away:
                how = turned_away(s)
                if how:
                    away[s] = how
        return len(away) >= CLIENTS - LIMIT
    wait_for(all_but_two, lambda: "%d clients to be turned away, %d were" % (CLIENTS - LIMIT,
                                                                             len(away)))
    upstream.wait(LIMIT)
    for s in clients:
        check(s in away or turned_away(s) is None, "one more client was turned away")
    check_equal(len(away), CLIENTS - LIMIT, "clients that were turned away")
    check_equal(set(away.values()), {"RST"} if kind == "reset" else {"FIN"},
                "how clients were turned away")
    close_and_wait(d, clients, upstream, LIMIT * (number + 1))


def round_of_waiting(d, addresses, upstream, number):
    """All are served in the end, two at a time."""
    clients = connect_all(addresses, CLIENTS)
    served = 0
    while served < CLIENTS:
        upstream.wait(min(LIMIT, CLIENTS - served))
        check_equal(upstream.total - number * CLIENTS, served + len(upstream.live),
                    "sessions so far")
        # Which client it is shows in what arrives there.
        done = upstream.live[0]
        done.send(b"x")
        found = []

        def find():
            for s in select.select(clients, [], [], 0.05)[0]:
                if s.recv(1) == b"x":
                    found.append(s)
            return found
        wait_for(find, "the byte to arrive at its client")
        clients.remove(found[0])
        found[0].close()
        served += 1
        upstream.wait_gone(done)
    wait_for(lambda: len(d.sessions()) >= CLIENTS * (number + 1), "all sessions to end")


def limit_test(t, kind, scope):
    first, second = t.port(), t.port()
    addresses = [("127.0.0.1", first), ("127.0.0.1", second)]
    texts = ["127.0.0.1:%d" % first, "127.0.0.1:%d" % second]
    upstream = Upstream(t)
    free = Upstream(t)
    rules = {}
    if scope == "rule":
        rules["r"] = {"listen": texts, "max_connections": LIMIT}
    else:
        rules["r"] = {"listen": ({"address": texts[0], "max_connections": LIMIT}, texts[1]),
                      "max_connections": 100}
        addresses = addresses[:1]
    rules["r"].update({"upstream": upstream.address(), "on_limit": kind})
    rules["free"] = {"listen": "127.0.0.1:%d" % t.port(), "upstream": free.address()}
    d = t.start(rules)
    for number in range(ROUNDS if not harness.SLOW else ROUNDS // 10):
        if kind == "wait":
            round_of_waiting(d, addresses, upstream, number)
        else:
            round_of_refusals(d, addresses, upstream, kind, number)
    check_equal(upstream.live, [], "sessions at the upstream in the end")


for kind in ("drop", "reset", "wait"):
    for scope in ("rule", "address"):
        add_test("a limit of 2 hit by 50 clients, 100 times: %s, per %s" % (kind, scope),
                 lambda t, kind=kind, scope=scope: limit_test(t, kind, scope), ENGINE)


def two_limits(t):
    """The rule's and the address's limit hold at once."""
    a, b = t.port(), t.port()
    upstream = t.listener()
    d = t.start({"r": {"listen": ({"address": "127.0.0.1:%d" % a, "max_connections": 1},
                                  "127.0.0.1:%d" % b),
                       "upstream": "127.0.0.1:%d" % upstream.getsockname()[1],
                       "max_connections": 3, "on_limit": "reset"}})

    def try_one(port):
        """A session (client, upstream), or None when it was reset."""
        try:
            c = t.connect(("127.0.0.1", port))
        except ConnectionResetError:
            return None
        found = select.select([c, upstream], [], [], harness.DEADLINE)[0]
        check(found, "neither served nor turned away")
        if upstream in found:
            return c, upstream.accept()[0]
        try:
            c.recv(1)
        except ConnectionResetError:
            return None
        raise harness.Failure("turned away without RST")

    at_a = try_one(a)
    check(at_a is not None, "the first client was turned away")
    check(try_one(a) is None, "a second one came in at an address with a limit of 1")
    at_b = [try_one(b), try_one(b)]
    check(None not in at_b, "the rule's limit of 3 was reached too early")
    check(try_one(b) is None, "a fourth one came in at a rule with a limit of 3")
    for s in at_a:
        s.close()
    d.wait_sessions(1, end="done")
    at_b.append(try_one(b))
    check(at_b[-1] is not None, "the place that became free was not given")
    check(try_one(a) is None, "the rule's limit does not hold at the first address")
    for pair in at_b:
        for s in pair:
            s.close()


add_test("both limits hold: the rule's and the address's", two_limits, ENGINE)


@test("who waits at a limit is told of", ENGINE)
def waiting_is_logged(t):
    upstream = t.listener()
    port = t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "max_connections": 1, "on_limit": "wait",
                       "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}})
    first = t.connect(("127.0.0.1", port))
    other = upstream.accept()[0]
    check_equal(len(d.sessions(end="limit")), 0, "lines about a limit that nobody has met")
    second = t.connect(("127.0.0.1", port))
    line = d.wait_sessions(1, end="limit")[0]
    check("wait in the backlog" in line[""], "it says %r" % line[""])
    first.close()
    other.close()
    upstream.accept()[0].close()
    second.close()
