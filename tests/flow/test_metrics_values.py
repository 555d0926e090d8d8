# SPDX-License-Identifier: BSD-2-Clause
"""/metrics says the same as the API and the log."""

import udp
from api import Api, control
from harness import ONCE, check, check_equal, test, wait_for
from openmetrics import metrics
from pairs import Upstream, open_pair


def from_status(s):
    return {"penstock_descriptors_booked": s["descriptors"]["booked"],
            "penstock_descriptors_limit": s["descriptors"]["room"],
            "penstock_loop_watched_descriptors": s["watched"],
            "penstock_config_generation": s["config"]["generation"],
            "penstock_config_loaded_timestamp_seconds": s["config"]["loaded_at_ms"] / 1000,
            "penstock_config_last_reload_timestamp_seconds": s["config"]["reload"]["at_ms"] / 1000,
            "process_start_time_seconds": s["started_at_ms"] / 1000}


@test("metrics: what the status says", ONCE)
def as_status(t):
    daemon, path = control(t)
    api = Api(path)
    up, port = Upstream(t), t.port()
    rules = {"web": {"listen": "127.0.0.1:%d" % port, "upstream": up.address}}
    d = t.start(rules, daemon=daemon)
    d.reload(rules)  # so that it is another time
    pairs = [open_pair(t, port, up) for _ in range(3)]
    seen = [None, None]

    def same():
        """Who asks is counted, too, and who has asked before may be there still."""
        seen[0] = from_status(api.get("/v1/status"))
        m = metrics(path)
        seen[1] = {name: m.get(name) for name in seen[0]}
        return seen[0] == seen[1]
    wait_for(same, lambda: "metrics that say what the status does: %r, %r" % (seen[1], seen[0]))
    check(seen[1]["penstock_descriptors_booked"] > 2 * len(pairs), "sessions' descriptors")
    check(seen[1]["penstock_loop_watched_descriptors"] > 2 * len(pairs), "sessions' watches")
    check(seen[1]["process_start_time_seconds"]
          < seen[1]["penstock_config_loaded_timestamp_seconds"], "the reload was after the start")


@test("metrics: datagrams for an upstream that never reads", ONCE)
def dropped(t):
    daemon, path = control(t)
    up, port = udp.Upstream(t, where=t.path("up.sock")), t.port()
    d = t.start({"u": {"listen": udp.udp(port), "upstream": up.address}}, daemon=daemon)
    pair = udp.Pair(t, port, up)
    sent = [0]

    def counts():
        m = metrics(path)
        return (m.get("penstock_relayed_datagrams_total", rule="u", direction="in"),
                m.get("penstock_dropped_datagrams_total", rule="u"))

    def dropping():
        pair.client.send(bytes(4000))
        sent[0] += 1
        return counts()[1] > 0
    wait_for(dropping, "the upstream's queue to be full")
    wait_for(lambda: sum(counts()) == sent[0],
             lambda: "each of %d datagrams to be counted: %r" % (sent[0], counts()))
    before = counts()
    check_equal(Api(path).delete("/v1/sessions?all=true"), {"killed": 1}, "the session")
    line = pair.ended(d, end="killed")
    check_equal((int(line["datagrams_in"]), int(line["dropped"])), before, "the line in the log")
    check_equal(counts(), before, "what is kept of it")
