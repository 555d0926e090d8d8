# SPDX-License-Identifier: BSD-2-Clause
"""The API as curl(1) sees it: each operation of doc/openapi.json on both sockets, and each error."""

import json
import os
import re
import signal
import subprocess

import harness
from api import Api, control
from harness import ONCE, check, check_equal, receive_exactly, test
from test_api_doc import TOP, Doc

NEEDS = ("control", "curl")
READERS = 128  # of events, on the TCP address


class Answer:
    """What curl got: status, headers, body, and json."""

    def __init__(self, status, head, body):
        self.status, self.body = status, body
        self.headers = dict(re.findall(r"^([\w-]+): (.*?)\r?$", head, flags=re.M))
        self.json = json.loads(body) if self.headers.get("Content-Type") == "application/json" \
            and body else None


class Curl:
    """curl, asking at `where`: a path, or (host, port)."""

    def __init__(self, t, where):
        self.t = t
        self.is_local = isinstance(where, str)
        self.way = ["--unix-socket", where] if self.is_local else ["--noproxy", "*"]
        self.base = "http://" + ("penstock" if self.is_local else "%s:%d" % where)

    def argv(self, method, target, *options):
        how = ["-I", "-o", os.devnull] if method == "HEAD" else ["-X", method]
        return ["curl", "-q", "-sS", "-g", "-w", "\n%{http_code}", "--max-time",
                "%d" % harness.DEADLINE, *self.way, *how, *options, self.base + target]

    def ask(self, method, target, *options):
        head = self.t.path("curl.head")
        done = subprocess.run(self.argv(method, target, "-D", head, *options), check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check_equal((done.returncode, done.stderr), (0, b""), "curl -X %s %s" % (method, target))
        body, _, status = done.stdout.rpartition(b"\n")
        with open(head, encoding="latin-1") as f:
            return Answer(int(status), f.read(), body)

    def refused(self, status, code, method, target, *options):
        """It is answered so, in JSON and with a reason."""
        a = self.ask(method, target, *options)
        what = "%s %.60s" % (method, target)
        check_equal(a.status, status, "status of " + what)
        check(a.json is not None, "%s: no JSON: %r" % (what, a.body))
        Doc().fits(a.json, {"$ref": "#/components/schemas/Error"}, what)
        check_equal(a.json["error"]["code"], code, "code of " + what)
        check(len(a.json["error"]["message"]) > 10, "%s: the reason: %r" % (what, a.body))
        return a


class World:
    """A daemon with a rule that has sessions and one that has none; both doors of its API."""

    def __init__(self, t, **daemon):
        self.t, self.listener, self.port = t, t.listener(), t.port()
        ours, path = control(t)
        http = ("127.0.0.1", t.port())
        upstream = "127.0.0.1:%d" % self.listener.getsockname()[1]
        rules = {"web": {"listen": "127.0.0.1:%d" % self.port, "upstream": upstream},
                 "idle": {"listen": "127.0.0.1:%d" % t.port(), "upstream": upstream}}
        self.d = t.start(rules, daemon=dict(ours, http="%s:%d" % http, **daemon))
        self.local, self.remote = Curl(t, path), Curl(t, http)
        self.http = Api(http)

    def session(self):
        """A new one; both its ends."""
        client = self.t.connect(("127.0.0.1", self.port))
        upstream = self.listener.accept()[0]
        self.t.sockets.append(upstream)
        client.sendall(b"hello")
        receive_exactly(upstream, 5)
        return client, upstream


@test("api: curl: every operation that is documented, on both sockets", ONCE, NEEDS)
def operations(t):
    doc, w = Doc(), World(t)
    asked = 0
    for method, path, _ in doc.operations():
        if path == "/v1/events":
            continue  # it does not end by itself
        name = "page.css" if path.startswith("/page") else "idle" if method == "POST" else "web"
        query = "?all=true" if (method, path) == ("DELETE", "/v1/sessions") else ""
        for curl in (w.remote, w.local):
            w.session()
            listed = doc.answer_fits("GET", "/v1/sessions", curl.ask("GET", "/v1/sessions")).json
            target = path.format(name=name, id=listed["sessions"][-1]["id"]) + query
            if method == "GET" or curl.is_local:
                answer = doc.answer_fits(method, path, curl.ask(method, target))
                check_equal(answer.status, 200, "status of %s %s" % (method, target))
                check(answer.body, "%s %s: an answer without a body" % (method, target))
            else:
                curl.refused(403, "forbidden", method, target)
            if method == "GET":
                head = curl.ask("HEAD", target)
                check_equal((head.status, head.headers["Content-Type"]),
                            (200, answer.headers["Content-Type"]), "HEAD " + target)
            asked += 1
    check(asked >= 34, "only %d were asked" % asked)
    w.local.ask("DELETE", "/v1/sessions?all=true")


@test("api: curl: events come as they happen, on both sockets", ONCE, NEEDS)
def events(t):
    doc, w = Doc(), World(t)
    schema = {"$ref": "#/components/schemas/Event"}
    readers = [t.spawn(curl.argv("GET", "/v1/events", "-N"), stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL) for curl in (w.local, w.remote)]

    def heard(reader, word):
        event = json.loads(reader.stdout.readline())
        doc.fits(event, schema, "an event")
        check_equal(event["event"], word, "the event")
    for reader in readers:
        heard(reader, "hello")
    for verb, word in (("pause", "paused"), ("resume", "resumed")):
        check_equal(w.local.ask("POST", "/v1/rules/web/" + verb).status, 200, verb)
        for reader in readers:
            heard(reader, word)
    w.d.signal(signal.SIGTERM)
    for reader in readers:
        rest = reader.communicate(timeout=harness.DEADLINE)[0].decode().split()
        check_equal(rest, ["200"], "the end of the stream, and its status")
    check_equal(w.d.wait_exit(), 0, "exit status")


def documented_errors():
    """(status, code) of each, as the manual has them."""
    with open(os.path.join(TOP, "doc", "penstock-api.7.in"), encoding="utf-8") as page:
        rows = re.findall(r"^\.B (\d{3}) ([a-z\\-]+)$", page.read(), flags=re.M)
    return {(int(status), code.replace("\\-", "-")) for status, code in rows}


@test("api: curl: each error there is, with its code and a reason", ONCE, NEEDS)
def errors(t):
    w = World(t, drain_timeout="1h")
    seen = {(500, "internal")}  # when there is no memory

    def refused(curl, status, code, method, target, *options):
        seen.add((status, code))
        return curl.refused(status, code, method, target, *options)
    large = t.write("large", bytes((64 << 10) + 1))
    for curl in (w.local, w.remote):
        refused(curl, 400, "bad-request", "GET", "/v1/sessions?limit=0")
        refused(curl, 400, "bad-request", "GET", "/v1/status?what=all")
        for target in ("/v1/rules/nobody", "/v1/sessions/999999", "/page/none", "/v2"):
            refused(curl, 404, "not-found", "GET", target)
        a = refused(curl, 405, "method-not-allowed", "DELETE", "/v1/status")
        check_equal(a.headers["Allow"], "GET, HEAD", "what is allowed")
        refused(curl, 413, "too-large", "GET", "/v1/status", "--data-binary", "@" + large)
        refused(curl, 414, "too-large", "GET", "/v1/status?x=" + "x" * (16 << 10))
    refused(w.remote, 403, "forbidden", "POST", "/v1/reload")
    refused(w.remote, 421, "forbidden", "GET", "/v1/status", "-H", "Host: penstock.example")
    readers = [w.http.begin("GET", "/v1/events") for _ in range(READERS)]
    for r in readers:
        check_equal(r.getresponse().status, 200, "status of events")
    refused(w.remote, 503, "too-many", "GET", "/v1/events")
    for r in readers:
        r.close()
    w.d.rewrite("rules = { web = { listen = 5; }; };\n")
    a = refused(w.local, 422, "conflict", "POST", "/v1/reload")
    check(a.json["errors"], "what is wrong with the config")
    refused(w.remote, 422, "conflict", "GET", "/v1/config/diff")
    ends = w.session()
    start = len(w.d.lines())
    w.d.signal(signal.SIGTERM)
    w.d.wait_line(start, "stopping")
    refused(w.local, 409, "conflict", "POST", "/v1/reload")
    for s in ends:
        s.close()
    check_equal(w.d.wait_exit(), 0, "exit status")
    check_equal(seen, documented_errors(), "the errors that there are")
