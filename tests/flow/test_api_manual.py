# SPDX-License-Identifier: BSD-2-Clause
"""doc/penstock-api.7.in says what the daemon does: each path, each event and its members, each
metric and its type; and names no metric that there is not."""

import json
import os
import re

from api import Api, control, start
from harness import ONCE, check, check_equal, test
from openmetrics import SUFFIXES, metrics
from pairs import Upstream, is_turned_away, open_pair

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc")


def manual():
    """Its text, without the marks of roff."""
    with open(os.path.join(DOC, "penstock-api.7.in"), encoding="utf-8") as page:
        text = page.read()
    text = re.sub(r"^\.SH ", "=", text, flags=re.M)
    text = re.sub(r'^\.[A-Z]+ ?|"', "", text, flags=re.M).replace("\\-", "-")
    return re.sub(r"\\f[BIRP]", "", text)


def part(text, heading):
    """From a heading to the next of its rank."""
    found = re.search(r"^=%s$(.*?)(?=^=)" % heading, text, flags=re.M | re.S)
    check(found, "the manual has no %s" % heading)
    return found.group(1)


def words(text):
    return set(re.findall(r"[a-z][a-z0-9_-]*", text))


@test("api: the manual names each path and method", ONCE)
def paths(t):
    with open(os.path.join(DOC, "openapi.json"), encoding="utf-8") as text:
        said = json.load(text)["paths"]
    there = {(m.upper(), p) for p, methods in said.items() for m in methods}
    named = set(re.findall(r"^(GET|POST|DELETE) (/\S*)$", part(manual(), "REQUESTS"), flags=re.M))
    check_equal(named, there, "methods and paths")


@test("api: the manual names each member of an answer", ONCE)
def members(t):
    with open(os.path.join(DOC, "openapi.json"), encoding="utf-8") as text:
        schemas = json.load(text)["components"]["schemas"]
    named = words(manual())
    for name in ("Error", "ConfigError", "Health", "Status", "Rule", "Rules", "Listener", "Session",
                 "Sessions", "Killed", "Reloaded", "Config", "ConfigRule", "ConfigAddress", "ConfigDiff",
                 "RuleChange", "OptionChange", "DaemonChange"):
        lacks = set(schemas[name]["properties"]) - named
        check_equal(lacks, set(), "members of %s that the manual lacks" % name)
    for code in schemas["Error"]["properties"]["error"]["properties"]["code"]["enum"]:
        check(code in named, "the manual lacks the code %s" % code)


@test("api: the manual names each metric, and no other", ONCE, ("control",))
def each_metric(t):
    daemon, path = control(t)
    t.start({"web": {"listen": ({"address": "127.0.0.1:%d" % t.port(), "max_connections": 3},),
                     "upstream": "127.0.0.1:9"},
             "dns": {"listen": "udp:127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
            daemon=daemon)
    m, text = metrics(path), part(manual(), "METRICS")
    series = {}  # the name that is written: its type
    for f in m.families.values():
        suffix = SUFFIXES[f.kind][0] if f.kind != "histogram" else ""
        series[f.name + suffix] = f.kind
    named = set(re.findall(r"\b(?:penstock|process)_[a-z_]+", text))
    check_equal(named, set(series), "metrics")
    for line in text.splitlines():
        kind = re.search(r"\((gauge|counter|histogram|info)s?\b", line)
        for name in re.findall(r"\bpenstock_[a-z_]+", line):
            check(kind and kind.group(1) == series[name],
                  "%s is a %s, the manual says %r" % (name, series[name], line))
    rules, listeners = 2, 2
    count = sum(len(f.samples) for f in m.families.values())
    check(count <= 50 + rules * 90 + listeners * 8, "%d series" % count)


@test("api: the manual names the labels of metrics and what they may be", ONCE, ("control",))
def labels(t):
    daemon, path = control(t)
    port = t.port()
    t.start({"web": {"listen": "127.0.0.1:%d" % port, "upstream": "127.0.0.1:9"}}, daemon=daemon)
    m, named = metrics(path), words(part(manual(), "METRICS"))
    for f in m.families:
        for one in m.labels_of(f):
            for label, value in one.items():
                check(label in named or label == "le", "the manual lacks the label %s" % label)
                if label in ("state", "direction", "engine"):
                    check(value in named, "the manual lacks %s=%s" % (label, value))


@test("api: the manual names each event and its members", ONCE, ("control",))
def events(t):
    with open(os.path.join(DOC, "openapi.json"), encoding="utf-8") as text:
        event = json.load(text)["components"]["schemas"]["Event"]
    named = words(part(manual(), "EVENTS"))
    lacks = set(event["properties"]["event"]["enum"]) - named
    check_equal(lacks, set(), "events that the manual lacks")
    up, port = Upstream(t), t.port()
    _, api = start(t, {"web": {"listen": "127.0.0.1:%d" % port, "upstream": up.address,
                               "max_connections": 1}})
    lines = api.lines("/v1/events")
    seen = [next(lines)]
    pair = open_pair(t, port, up)
    is_turned_away(t, port)
    pair.end()
    Api(api.where).post("/v1/rules/web/pause")
    Api(api.where).post("/v1/reload")
    while seen[-1]["event"] != "reloaded":
        seen.append(next(lines))
    lines.close()
    named = words(manual())
    check_equal({e["event"] for e in seen},
                {"hello", "opened", "refused", "ended", "paused", "reloaded"}, "events")
    for e in seen:
        check_equal(set(e) - named, set(), "members of %r that the manual lacks" % e)
