# SPDX-License-Identifier: BSD-2-Clause
"""Descriptors that the limits promise: what the API and pipes take is none of these."""

import re

from api import start
from harness import ENGINE, check, check_equal, test

CONTROL = ("control",)
FILES = 120
PROMISES = "the limits promise more descriptors than can be had"


def pipes(api):
    text = api.ask("GET", "/metrics").body.decode()
    return int(re.search(r"^penstock_pipes_limit (\d+)$", text, re.M)[1])


@test("descriptors: those that the limits promise can be had, whatever else takes some", ENGINE,
      CONTROL)
def promised(t):
    up = t.listener(backlog=256)
    rules = {"web": {"listen": "127.0.0.1:%d" % t.port(),
                     "upstream": "127.0.0.1:%d" % up.getsockname()[1], "max_connections": 4}}
    d, api = start(t, rules, {"http": "127.0.0.1:%d" % t.port()}, files=FILES)
    room = api.get("/v1/status")["descriptors"]["room"]
    if t.features.get("splice") == "yes":
        check(pipes(api) > 4, "pipes at the start: %d" % pipes(api))
    most = (room - 1 - 4) // 2  # less the listener, and two for each socket of the API
    rules["web"]["max_connections"] = most + 1
    d.rewrite(rules)
    api.post("/v1/reload")
    check_equal(d.log().count(PROMISES), 1, "warnings of one that is too many")
    rules["web"]["max_connections"] = most
    d.rewrite(rules)
    api.post("/v1/reload")
    check_equal(d.log().count(PROMISES), 1, "warnings when all is there")
    check(pipes(api) == 0, "pipes then: %d" % pipes(api))
    host, port = rules["web"]["listen"].split(":")
    pairs = []
    for _ in range(most):
        client = t.connect((host, int(port)))
        pairs.append((client, up.accept()[0]))
    check_equal(api.get("/v1/status")["sessions"], most, "sessions at a time")
    for client, upstream in pairs:
        client.close()
        upstream.close()
    d.wait_sessions(most)
