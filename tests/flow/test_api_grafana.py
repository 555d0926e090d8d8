# SPDX-License-Identifier: BSD-2-Clause
"""contrib/grafana/penstock.json is about what there is, in words that Prometheus takes."""

import http.client
import json
import os
import re
import urllib.parse

import harness
from api import control
from harness import ONCE, check, check_equal, test, wait_for
from openmetrics import SUFFIXES, metrics
from test_api_metrics import query, start_prometheus

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "grafana")
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$rule": ".*"}


def dashboard():
    with open(os.path.join(PLACE, "penstock.json"), encoding="utf-8") as text:
        return json.load(text)


def expressions():
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def replaced(text):
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    check("$" not in text, "a variable of which nothing is known: %s" % text)
    return text


def start(t):
    daemon, path = control(t)
    address = "127.0.0.1:%d" % t.port()
    t.start({"web": {"listen": ({"address": "127.0.0.1:%d" % t.port(), "max_connections": 3},),
                     "upstream": "127.0.0.1:9"},
             "dns": {"listen": "udp:127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
            daemon=dict(daemon, http=address))
    return path, address


@test("grafana: panels have places and sources of their own", ONCE)
def panels(t):
    d = dashboard()
    check_equal([v["name"] for v in d["templating"]["list"]], ["datasource", "instance", "rule"],
                "variables")
    check_equal(len({p["id"] for p in d["panels"]}), len(d["panels"]), "ids of panels")
    taken = set()
    for p in d["panels"]:
        g = p["gridPos"]
        check(g["x"] + g["w"] <= 24, "%s is too wide" % p["title"])
        place = {(x, y) for x in range(g["x"], g["x"] + g["w"])
                 for y in range(g["y"], g["y"] + g["h"])}
        check(not place & taken, "%s lies over another" % p["title"])
        taken |= place
        for target in p.get("targets", []):
            check_equal(target["datasource"]["uid"], "${datasource}", "source of " + p["title"])
            check("$instance" in target["expr"], "%s is of all instances" % p["title"])


@test("grafana: the dashboard is about metrics that there are", ONCE, ("control",))
def named(t):
    path, _ = start(t)
    there = {f.name + suffix for f in metrics(path).families.values() for suffix in SUFFIXES[f.kind]}
    text = json.dumps(dashboard())
    names = set(re.findall(r"\b(?:penstock|process)_[a-z_]+", text))
    check(len(names) > 20, "metrics on the dashboard: %r" % names)
    check_equal(names - there, set(), "metrics on the dashboard that are not there")


def refusal(port, text):
    """Why the server does not take it; None: it does."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.DEADLINE)
    try:
        c.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
        answer = json.loads(c.getresponse().read())
    finally:
        c.close()
    return None if answer["status"] == "success" else answer


@test("grafana: a Prometheus server takes every expression", ONCE, ("prometheus", "control"))
def taken(t):
    _, address = start(t)
    server, port = start_prometheus(t, address)
    wait_for(lambda: query(port, "penstock_sessions{rule=\"web\"}") == 0, "the first scrape",
             3 * harness.DEADLINE)
    for title, text in expressions():
        text = replaced(text)
        check_equal(refusal(port, text), None, "%s: %s" % (title, text))
        if "rate(" not in text and "!=" not in text:
            check(query(port, text) is not None, "%s: nothing is found by %s" % (title, text))
    server.terminate()
    server.wait()
