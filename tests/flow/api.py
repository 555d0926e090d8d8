# SPDX-License-Identifier: BSD-2-Clause
"""The API of a penstockd, asked on its control socket or on its address for reading."""

import http.client
import json
import socket
import time

import harness
from harness import Failure, Skip, check_equal


def control(t):
    """The group `daemon` of a config with a control socket of the test's own, and its path."""
    if t.features.get("control") != "yes":
        raise Skip("built without the control socket")
    path = t.path("control.sock")
    return {"control": path}, path


def start(t, rules, daemon=None, **options):
    """A daemon with a control socket, and its API there."""
    ours, path = control(t)
    return t.start(rules, daemon=dict(daemon or {}, **ours), **options), Api(path)


def wall_ms():
    return int(time.time() * 1000)


class Connection(http.client.HTTPConnection):
    """To a UNIX socket's path, or to (host, port)."""

    def __init__(self, where):
        super().__init__("localhost", timeout=harness.DEADLINE)
        self.where = where

    def connect(self):
        if isinstance(self.where, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.where)
        else:
            self.sock = socket.create_connection(self.where, timeout=self.timeout)


class Answer:
    """status, headers, body (bytes), text, and json: what the body says."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")
        self.json = None
        if self.body and self.headers["Content-Type"] == "application/json":
            self.json = json.loads(self.body)


class Api:
    def __init__(self, where):
        self.where = where

    def open(self):
        """A connection of which nothing has been said yet."""
        connection = Connection(self.where)
        connection.connect()
        return connection.sock

    def begin(self, method, target, **headers):
        """Ask, and don't wait for the answer: finish() does."""
        connection = Connection(self.where)
        connection.request(method, target, headers=headers)
        return connection

    @staticmethod
    def finish(connection):
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def ask(self, method, target, **headers):
        return self.finish(self.begin(method, target, **headers))

    def good(self, method, target):
        """What the JSON of the answer says, which must be 200."""
        a = self.ask(method, target)
        if a.status != 200:
            raise Failure("%s %s: status %d, it says %r" % (method, target, a.status, a.body))
        return a.json

    def get(self, target):
        return self.good("GET", target)

    def post(self, target):
        return self.good("POST", target)

    def delete(self, target):
        return self.good("DELETE", target)

    def refused(self, status, code, method, target, *words, **headers):
        """It is answered so, and these words are in its message. Returns the answer."""
        a = self.ask(method, target, **headers)
        what = "%s %s" % (method, target)
        check_equal(a.status, status, "status of " + what)
        check_equal(a.json and a.json["error"]["code"], code, "code of " + what)
        for word in words:
            if word not in a.json["error"]["message"]:
                raise Failure("%s: the message %r does not say %r"
                              % (what, a.json["error"]["message"], word))
        return a

    def refused_with(self, status, code, method, target, message):
        """It is answered so, with this message and nothing else."""
        a = self.ask(method, target)
        check_equal((a.status, a.json), (status, {"error": {"code": code, "message": message}}),
                    "the answer to %s %s" % (method, target))

    def lines(self, target):
        """The lines of an endless answer as they come, each as what its JSON says."""
        connection = self.begin("GET", target)
        try:
            response = connection.getresponse()
            check_equal(response.status, 200, "status of GET " + target)
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()
