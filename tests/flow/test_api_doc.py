# SPDX-License-Identifier: BSD-2-Clause
"""doc/openapi.json says what the daemon does: each path and method, each status, each member."""

import json
import os
import re

from api import Api
from harness import ENGINE, ONCE, Failure, check, check_equal, receive_exactly, test
from udp import Upstream, open_pair, udp

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
KINDS = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


class Doc:
    def __init__(self):
        with open(os.path.join(TOP, "doc", "openapi.json"), encoding="utf-8") as text:
            self.said = json.load(text)

    def operations(self):
        for path, methods in self.said["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def resolve(self, schema):
        if "$ref" in schema:
            return self.said["components"]["schemas"][schema["$ref"].split("/")[-1]]
        return schema

    def fits(self, value, schema, where):
        schema = self.resolve(schema)
        if value is None and schema.get("nullable"):
            return
        if "anyOf" in schema:
            check(any(self.is_fit(value, one) for one in schema["anyOf"]),
                  "%s is %r, which is none of what it may be" % (where, value))
            return
        kind = schema["type"]
        if not isinstance(value, KINDS[kind]) or (kind == "integer" and isinstance(value, bool)):
            raise Failure("%s is %r, which is no %s" % (where, value, kind))
        if "enum" in schema and value not in schema["enum"]:
            raise Failure("%s is %r, none of %r" % (where, value, schema["enum"]))
        if value is not None and kind == "integer" and value < schema.get("minimum", value):
            raise Failure("%s is %r" % (where, value))
        if kind == "array":
            for i, item in enumerate(value):
                self.fits(item, schema["items"], "%s[%d]" % (where, i))
        if kind == "object":
            self.members_fit(value, schema, where)

    def is_fit(self, value, schema):
        try:
            self.fits(value, schema, "it")
        except Failure:
            return False
        return True

    def members_fit(self, value, schema, where):
        known, others = schema.get("properties", {}), schema["additionalProperties"]
        missing = [m for m in schema.get("required", []) if m not in value]
        check(not missing, "%s lacks %r" % (where, missing))
        for name, member in value.items():
            if name in known:
                self.fits(member, known[name], where + "." + name)
            elif isinstance(others, dict):
                self.fits(member, others, where + "." + name)
            else:
                check(others, "%s has %r, of which nothing is said" % (where, name))

    def answer_fits(self, method, path, answer):
        responses = self.said["paths"][path][method.lower()]["responses"]
        what = "%s %s" % (method, path)
        check(str(answer.status) in responses, "%s: status %d: %r" % (what, answer.status,
                                                                      answer.body))
        kinds = responses[str(answer.status)]["content"]
        kind = answer.headers["Content-Type"].split(";")[0]
        check(kind in kinds, "%s: %s" % (what, kind))
        if kind == "application/json":
            self.fits(answer.json, kinds[kind]["schema"], what)
        return answer


def start(t):
    """A daemon with sessions of both kinds, and some that were refused."""
    tcp, datagrams = t.listener(), Upstream(t)
    rules = {"web": {"listen": "127.0.0.1:%d" % t.port(), "max_connections": 1,
                     "upstream": "127.0.0.1:%d" % tcp.getsockname()[1]},
             "dns": {"listen": udp(t.port()), "upstream": datagrams.address}}
    path = t.path("control.sock")
    d = t.start(rules, daemon={"control": path})
    where = ("127.0.0.1", int(rules["web"]["listen"].split(":")[1]))
    client = t.connect(where)
    upstream = tcp.accept()[0]
    t.sockets.append(upstream)
    client.sendall(b"hello")
    receive_exactly(upstream, 5)
    t.connect(where)  # refused: there is one
    open_pair(t, int(rules["dns"]["listen"].split(":")[-1]), datagrams)
    d.wait_sessions(0)
    return d, Api(path), rules


@test("api: what is documented is there, and nothing else", ONCE)
def all_of_it(t):
    with open(os.path.join(TOP, "src", "ops", "route.c"), encoding="utf-8") as source:
        routes = re.findall(r'\{HTTP_(\w+), "([^"]+)"', source.read())
    check_equal(sorted(routes),
                sorted((m, p) for m, p, _ in Doc().operations()), "methods and paths")


@test("api: answers are as documented", ENGINE, ("control",))
def answers(t):
    doc = Doc()
    d, api, rules = start(t)

    def ask(method, path, status=200, query="", **parts):
        target = path.format(**parts) + query
        answer = doc.answer_fits(method, path, api.ask(method, target))
        check_equal(answer.status, status, "status of %s %s" % (method, target))
        return answer.json

    for path in ("/", "/healthz", "/metrics", "/v1/status", "/v1/config", "/v1/config/diff",
                 "/v1/rules"):
        ask("GET", path)
    for name in ("page.css", "page.js", "icon.svg"):
        ask("GET", "/page/{name}", name=name)
    ask("GET", "/page/{name}", 404, name="nothing")
    for name in rules:
        ask("GET", "/v1/rules/{name}", name=name)
        for verb in ("pause", "resume", "drain", "resume"):
            ask("POST", "/v1/rules/{name}/" + verb, name=name)
    ask("GET", "/v1/rules/{name}", 404, name="nobody")
    ask("POST", "/v1/rules/{name}/pause", 404, name="nobody")
    sessions = ask("GET", "/v1/sessions")["sessions"]
    check_equal(sorted(s["protocol"] for s in sessions), ["tcp", "udp"], "sessions")
    check(ask("GET", "/v1/sessions", query="?limit=1")["next"] is not None, "there is a next page")
    for query in ("?state=lost", "?limit=0", "?client=10.0.0.1/8", "?older=soon", "?sort=name"):
        ask("GET", "/v1/sessions", 400, query)
    ask("DELETE", "/v1/sessions", 400)
    for s in sessions:
        ask("GET", "/v1/sessions/{id}", id=s["id"])
    check_equal(ask("DELETE", "/v1/sessions/{id}", id=sessions[0]["id"]), {"killed": 1}, "killed")
    for method in ("GET", "DELETE"):
        ask(method, "/v1/sessions/{id}", 404, id=sessions[0]["id"])
        ask(method, "/v1/sessions/{id}", 400, id="first")
    check_equal(ask("DELETE", "/v1/sessions", query="?all=true"), {"killed": 1}, "killed")
    ask("POST", "/v1/reload")
    rules["web"]["max_connections"] = 2
    rules["new"] = {"listen": "127.0.0.1:%d" % t.port(), "upstream": "192.0.2.1:1"}
    del rules["dns"]
    d.groups["daemon"]["log_level"] = "error"
    d.rewrite(rules)
    ask("GET", "/v1/config/diff")
    d.rewrite("rules = { web = { listen = 5; }; };\n")
    wrong = ask("POST", "/v1/reload", 422)
    check(len(wrong["errors"]) > 0, "its errors")
    check_equal(ask("GET", "/v1/config/diff", 422), wrong, "the same without a reload")


@test("api: events are as documented", ENGINE, ("control",))
def events(t):
    doc = Doc()
    d, api, rules = start(t)
    schema = doc.said["components"]["schemas"]["Event"]
    lines = api.lines("/v1/events")
    seen = [next(lines)]
    api.post("/v1/rules/web/pause")
    api.post("/v1/rules/web/resume")
    api.delete("/v1/sessions?all=true")
    api.post("/v1/reload")
    while seen[-1]["event"] != "reloaded":
        seen.append(next(lines))
    lines.close()
    for event in seen:
        doc.fits(event, schema, "an event")
    check_equal([e["event"] for e in seen],
                ["hello", "paused", "resumed", "ended", "ended", "reloaded"], "events")
