# SPDX-License-Identifier: BSD-2-Clause
"""A daemon with a control socket, and JSON asked there."""

import http.client
import json
import socket
import time

import harness
from harness import Skip, check_equal


class Connection(http.client.HTTPConnection):
    """To a UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=harness.DEADLINE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Steered:
    """What answers at a control socket."""

    def __init__(self, path):
        self.path = path

    @staticmethod
    def start(t, rules, daemon=None, **options):
        """A daemon and its control socket."""
        if t.features.get("control") != "yes":
            raise Skip("built without the control socket")
        path = t.path("control.sock")
        return t.start(rules, daemon=dict(daemon or {}, control=path), **options), Steered(path)

    def open(self):
        """A connection of which nothing has been said yet."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(harness.DEADLINE)
        s.connect(self.path)
        return s

    def ask(self, method, target):
        """The answer's status and what its JSON says."""
        c = Connection(self.path)
        try:
            c.request(method, target, headers={"Connection": "close"})
            r = c.getresponse()
            text = r.read()
            check_equal(r.headers["Content-Type"], "application/json", "the answer's type")
            return r.status, json.loads(text)
        finally:
            c.close()

    def good(self, method, target):
        status, said = self.ask(method, target)
        check_equal(status, 200, "status of %s %s, which says %r" % (method, target, said))
        return said

    def get(self, target):
        return self.good("GET", target)

    def post(self, target):
        return self.good("POST", target)

    def delete(self, target):
        return self.good("DELETE", target)

    def refused(self, method, target, status, code, message):
        """It must be answered so."""
        check_equal(self.ask(method, target),
                    (status, {"error": {"code": code, "message": message}}),
                    "the answer to %s %s" % (method, target))

    @staticmethod
    def wall_ms():
        return int(time.time() * 1000)
