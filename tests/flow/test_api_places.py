# SPDX-License-Identifier: BSD-2-Clause
"""Places for clients of the API, when sessions were promised all descriptors and all the places are
taken."""

from api import Api, control
from harness import ONCE, check, test, wait_for

DESCRIPTORS = 200
SPARE_MOST = DESCRIPTORS // 8  # what rules that promise too much leave
KEPT_LOCAL, KEPT_REMOTE = 8, 4


class Asker:
    """One who asks and waits for the answer."""

    def __init__(self, where):
        self.socket = Api(where).open()
        self.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.socket.setblocking(False)
        self.got = b""

    def is_answered(self):
        try:
            data = self.socket.recv(4096)
            check(data, "the connection ended after %r" % self.got)
            self.got += data
        except BlockingIOError:
            pass
        return b'"ok"' in self.got


def say_little(dribblers):
    """As long as they are there."""
    for s in dribblers:
        try:
            s.send(b"x")
        except OSError:
            pass


@test("api: who says a byte now and then does not keep others from asking", ONCE, ("control",))
def little(t):
    ours, path = control(t)
    remote = ("127.0.0.1", t.port())
    t.start({"web": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9",
                     "max_connections": 100000}},
            daemon=dict(ours, http="%s:%d" % remote), files=DESCRIPTORS)
    dribblers = [Api(path).open() for _ in range(SPARE_MOST + KEPT_LOCAL)]
    dribblers += [Api(remote).open() for _ in range(KEPT_REMOTE)]
    for s in dribblers:
        s.setblocking(False)
    askers = [Asker(path), Asker(remote)]

    def are_answered():
        say_little(dribblers)
        return all([a.is_answered() for a in askers if b'"ok"' not in a.got])
    wait_for(are_answered, lambda: "answers on both sockets: %r" % [a.got for a in askers])
    for s in dribblers + [a.socket for a in askers]:
        s.close()
