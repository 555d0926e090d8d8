# SPDX-License-Identifier: BSD-2-Clause
"""/metrics: what it says is what has happened, in the formats that Prometheus and its tools read."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import urllib.parse

import harness
import udp
from api import Api, control
from daemon import config_text
from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from openmetrics import OPENMETRICS, PLAIN, SUFFIXES, metrics
from pairs import Upstream, is_turned_away, open_pair
from test_systemd import passed


def numbers_are(m, expected, **labels):
    for name, number in expected.items():
        check_equal(m.get(name, **labels), number, "%s %r" % (name, labels))


def wait_number(path, number, name, **labels):
    """Scrape until a series has that value; the whole scrape."""
    seen = [None]

    def there():
        m = metrics(path)
        seen[0] = m.get(name, **labels)
        return m if seen[0] == number else None
    return wait_for(there, lambda: "%s %r to be %r, it is %r" % (name, labels, number, seen[0]))


@test("metrics: counts of TCP sessions", ENGINE)
def tcp_counts(t):
    daemon, path = control(t)
    up, port = Upstream(t), t.port()
    d = t.start({"web": {"listen": ({"address": "127.0.0.1:%d" % port, "max_connections": 3},),
                         "upstream": up.address, "max_connections": 2},
                 "dead": {"listen": "127.0.0.1:%d" % t.port(),
                          "upstream": "127.0.0.1:%d" % t.port()}}, daemon=daemon)
    first, second = open_pair(t, port, up), open_pair(t, port, up)
    is_turned_away(t, port)
    second.client.sendall(b"x" * 1000)
    harness.receive_exactly(second.upstream, 1000)
    second.end()
    d.wait_sessions(1, end="done")
    m = metrics(path)
    talked = 2 * len("exchange 1;")
    numbers_are(m, {"penstock_sessions": 1, "penstock_sessions_limit": 2,
                    "penstock_sessions_opened_total": 2,
                    "penstock_connect_duration_seconds_count": 2,
                    "penstock_session_duration_seconds_count": 1,
                    "penstock_dropped_datagrams_total": None}, rule="web")
    numbers_are(m, {"penstock_relayed_bytes_total": talked + 1000}, rule="web", direction="in")
    numbers_are(m, {"penstock_relayed_bytes_total": talked}, rule="web", direction="out")
    numbers_are(m, {"penstock_sessions_ended_total": 1}, rule="web", end="done")
    numbers_are(m, {"penstock_sessions_ended_total": 0}, rule="web", end="connect-refused")
    numbers_are(m, {"penstock_clients_refused_total": 1}, rule="web", reason="limit")
    numbers_are(m, {"penstock_clients_refused_total": 0}, rule="dead", reason="limit")
    numbers_are(m, {"penstock_listener_sessions": 1, "penstock_listener_sessions_limit": 3},
                rule="web", listener="127.0.0.1:%d" % port)
    first.end()
    d.wait_sessions(2, end="done")
    numbers_are(metrics(path), {"penstock_sessions": 0,
                                "penstock_connect_duration_seconds_count": 2,
                                "penstock_session_duration_seconds_count": 2}, rule="web")


@test("metrics: counts of datagrams", ENGINE)
def udp_counts(t):
    daemon, path = control(t)
    up, port = udp.Upstream(t), t.port()
    listen = "udp:127.0.0.1:%d" % port
    d = t.start({"dns": {"listen": listen, "upstream": up.address,
                         "max_connections": 1}}, daemon=daemon)
    pair = udp.open_pair(t, ("127.0.0.1", port), up)
    pair.talk()
    other = udp.open_socket(t, family=socket.AF_INET)
    other.sendto(b"too many", ("127.0.0.1", port))
    m = wait_number(path, 1, "penstock_clients_refused_total", rule="dns", reason="limit")
    numbers_are(m, {"penstock_sessions": 1, "penstock_sessions_opened_total": 1,
                    "penstock_dropped_datagrams_total": 0}, rule="dns")
    for direction in ("in", "out"):
        check(m.get("penstock_relayed_datagrams_total", rule="dns", direction=direction) >= 2,
              "datagrams %s" % direction)
    numbers_are(m, {"penstock_listener_sessions": 1}, rule="dns", listener=listen)
    udp.over(d)


@test("metrics: of the daemon, its loop and process", ENGINE)
def daemon_figures(t):
    daemon, path = control(t)
    d = t.start({"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
                daemon=daemon)
    idle = len(d.fd_list())
    metrics(path)  # a turn of the loop is counted when it is over
    m = metrics(path)
    check_equal(m.labels_of("penstock_loop_engine"), [{"engine": t.first_engine}], "the engine")
    version = subprocess.run([t.binary, "--version"], stdout=subprocess.PIPE, check=True)
    check_equal(m.labels_of("penstock_build"),
                [{"version": version.stdout.decode().split()[1]}], "the version")
    numbers_are(m, {"penstock_config_generation": 1, "penstock_config_last_reload_successful": 1,
                    "penstock_config_last_reload_timestamp_seconds": None})
    numbers_are(m, {"penstock_rules": 1}, state="running")
    for name in ("penstock_descriptors_booked", "penstock_descriptors_limit",
                 "penstock_loop_lag_seconds_count", "penstock_loop_watched_descriptors",
                 "process_cpu_seconds_total", "process_resident_memory_bytes", "process_max_fds",
                 "process_open_fds", "process_start_time_seconds",
                 "penstock_config_loaded_timestamp_seconds"):
        check((m.get(name) or 0) > 0, "%s is %r" % (name, m.get(name)))
    wait_for(lambda: metrics(path).get("process_open_fds") == idle + 1,
             "one descriptor more than without who asks, the one before having left")
    check(m.get("penstock_host_listen_overflows_total") is not None, "backlog overflows")
    before = m.get("process_cpu_seconds_total")
    wait_for(lambda: metrics(path).get("process_cpu_seconds_total") > before, "CPU time to grow")


@test("metrics: backlogs that overflow", ONCE, ("netns",))
def overflows(t):
    daemon, path = control(t)
    t.start({"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}}, daemon=daemon)
    before = metrics(path).get("penstock_host_listen_overflows_total")
    full = t.listener(backlog=0)
    clients = []

    def overflowing():
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(full.getsockname())
        clients.append(s)
        return metrics(path).get("penstock_host_listen_overflows_total") > before
    try:
        wait_for(overflowing, "the kernel to count an overflow")
    finally:
        for s in clients:
            s.close()


@test("metrics: a reload, rules that go and come back", ENGINE)
def reloads(t):
    daemon, path = control(t)
    up, port, other = Upstream(t), t.port(), t.port()
    web = {"listen": "127.0.0.1:%d" % port, "upstream": up.address}
    rest = {"listen": "127.0.0.1:%d" % other, "upstream": up.address}
    d = t.start({"web": web, "rest": rest}, daemon=daemon)
    pair = open_pair(t, port, up)
    d.reload({"rest": rest})
    m = metrics(path)
    numbers_are(m, {"penstock_config_generation": 2, "penstock_config_last_reload_successful": 1})
    check(m.get("penstock_config_last_reload_timestamp_seconds") > 0, "time of the reload")
    numbers_are(m, {"penstock_rule_state": 1}, rule="web", state="removed")
    numbers_are(m, {"penstock_sessions": 1}, rule="web")
    pair.talk()
    d.reload({"rest": rest, "web": web})
    m = metrics(path)
    numbers_are(m, {"penstock_rule_state": 1}, rule="web", state="running")
    numbers_are(m, {"penstock_sessions": 1, "penstock_sessions_opened_total": 1}, rule="web")
    pair.end()
    d.wait_sessions(1, end="done")
    wait_number(path, 0, "penstock_sessions", rule="web")
    d.reload({"rest": rest})
    wait_number(path, None, "penstock_sessions", rule="web")
    m = metrics(path)
    check(not any(l.get("rule") == "web" for f in m.families for l in m.labels_of(f)),
          "a rule that is gone has series")
    d.reload_fails("rules = { broken")
    numbers_are(metrics(path), {"penstock_config_generation": 4,
                                "penstock_config_last_reload_successful": 0})


@test("metrics: a reload after which a rule is not as the config says", ENGINE)
def partly(t):
    daemon, path = control(t)
    up, taken = Upstream(t), t.listener()
    web = {"listen": "127.0.0.1:%d" % t.port(), "upstream": up.address}
    d = t.start({"web": web}, daemon=daemon)
    d.reload({"web": dict(web, listen="127.0.0.1:%d" % taken.getsockname()[1])}, failed=1)
    numbers_are(metrics(path), {"penstock_config_last_reload_successful": 0})
    reload = Api(path).get("/v1/status")["config"]["reload"]
    check_equal((reload["outcome"], reload["failed"]), ("ok", 1), "what became of it")
    d.reload({"web": web}, failed=0)
    numbers_are(metrics(path), {"penstock_config_last_reload_successful": 1})


@test("metrics: a rule that is paused", ENGINE)
def paused(t):
    daemon, path = control(t)
    port = t.port()
    t.start({"web": {"listen": "127.0.0.1:%d" % port, "upstream": "127.0.0.1:9"}}, daemon=daemon)
    Api(path).post("/v1/rules/web/pause")
    m = metrics(path)
    numbers_are(m, {"penstock_rule_state": 1}, rule="web", state="paused")
    numbers_are(m, {"penstock_rule_state": 0}, rule="web", state="running")
    numbers_are(m, {"penstock_rules": 1}, state="paused")
    numbers_are(m, {"penstock_listener_state": 1}, rule="web", state="paused",
                listener="127.0.0.1:%d" % port)


@test("metrics: a path that needs escaping", ONCE)
def escaping(t):
    daemon, path = control(t)
    odd = "unix:" + t.path('a"b\\c.sock')
    t.start({"odd": {"listen": odd, "upstream": "127.0.0.1:9"}}, daemon=daemon)
    numbers_are(metrics(path), {"penstock_listener_sessions": 0}, rule="odd", listener=odd)


@test("metrics: sockets passed under one name are told apart", ONCE, ("systemd",))
def same_name(t):
    daemon, path = control(t)
    sockets = [t.listener(), t.listener()]
    passed(t, config_text({"daemon": dict(daemon, engine=t.engine),
                           "rules": {"web": {"listen": "systemd:web", "upstream": "127.0.0.1:9"}}}),
           sockets, ["web", "web"])
    m = metrics(path)
    for label in ("systemd:web", "systemd:web#2"):
        numbers_are(m, {"penstock_listener_sessions": 0}, rule="web", listener=label)
    check_equal(len(m.labels_of("penstock_listener_sessions")), 2, "listeners")


@test("metrics: which format is asked for", ONCE)
def formats(t):
    daemon, path = control(t)
    t.start({"web": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
            daemon=daemon)
    prometheus = ("application/openmetrics-text;version=1.0.0,"
                  "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5")
    for accept, kind in ((prometheus, OPENMETRICS), ("Application/OpenMetrics-Text", OPENMETRICS),
                         ("text/plain", PLAIN), ("*/*", PLAIN), ("text/html,*/*;q=0.8", PLAIN)):
        a = Api(path).ask("GET", "/metrics", Accept=accept)
        check_equal((a.status, a.headers["Content-Type"]), (200, kind), "Accept: " + accept)
        check_equal("# UNIT" in a.text, kind == OPENMETRICS, "units, for Accept: " + accept)
        check(a.text.endswith("# EOF\n"), "the text's end")
    a = Api(path).ask("HEAD", "/metrics")
    check_equal((a.status, a.headers["Content-Type"], a.text), (200, PLAIN, ""),
                "the answer to HEAD")


@test("metrics: promtool finds nothing to complain of", ONCE, ("promtool",))
def promtool(t):
    daemon, path = control(t)
    up, port = Upstream(t), t.port()
    t.start({"web": {"listen": "127.0.0.1:%d" % port, "upstream": up.address},
             "dns": {"listen": "udp:127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
            daemon=daemon)
    open_pair(t, port, up).end()
    out = subprocess.run(["promtool", "check", "metrics"],
                         input=Api(path).ask("GET", "/metrics").body,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=harness.DEADLINE)
    check_equal((out.returncode, out.stdout.decode()), (0, ""), "what promtool says")


# --- a real server -------------------------------------------------------------------------------

def start_prometheus(t, target):
    """Prometheus that scrapes `target` each second; its process and port."""
    port = t.port()
    config = t.write("prometheus.yml", "global:\n  scrape_interval: 1s\nscrape_configs:\n"
                     "  - job_name: penstock\n    static_configs:\n"
                     "      - targets: ['%s']\n" % target)
    log = open(t.path("prometheus.log"), "wb")
    server = t.spawn([shutil.which("prometheus"), "--config.file=" + config,
                      "--storage.tsdb.path=" + t.path("tsdb"),
                      "--web.listen-address=127.0.0.1:%d" % port], stdout=log, stderr=log)
    log.close()
    return server, port


def query(port, text):
    """The value of an instant query; None: it has none, or nobody answers yet."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.DEADLINE)
    try:
        c.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
        answer = json.loads(c.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        c.close()
    found = answer.get("data", {}).get("result", [])
    return float(found[0]["value"][1]) if found else None


@test("metrics: a Prometheus server scrapes them", ONCE, ("prometheus",))
def prometheus(t):
    daemon, path = control(t)
    address = "127.0.0.1:%d" % t.port()
    up, port = Upstream(t), t.port()
    d = t.start({"web": {"listen": "127.0.0.1:%d" % port, "upstream": up.address}},
                daemon=dict(daemon, http=address))
    pair = open_pair(t, port, up)
    server, asked = start_prometheus(t, address)
    patience = 3 * harness.DEADLINE
    for text, number in (("up", 1), ('penstock_sessions{rule="web"}', 1),
                         ("penstock_sessions_opened_total", 1),
                         ('sum by (rule) (penstock_relayed_bytes_total)', 22)):
        wait_for(lambda: query(asked, text) == number,
                 lambda: "%s to be %d, it is %r" % (text, number, query(asked, text)), patience)
    pair.end()
    d.wait_sessions(1, end="done")
    wait_for(lambda: query(asked, 'penstock_sessions{rule="web"}') == 0, "the end to be seen",
             patience)
    server.terminate()
    server.wait()


@test("metrics: the alert rules are about what there is", ONCE, ("promtool",))
def alerts(t):
    daemon, path = control(t)
    t.start({"web": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
            daemon=daemon)
    place = os.path.join(os.path.dirname(__file__), "..", "..", "contrib", "prometheus")
    out = subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=place,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.DEADLINE)
    check_equal(out.returncode, 0, "what promtool says: %s" % out.stdout.decode())
    with open(os.path.join(place, "penstock.rules.yml"), encoding="utf-8") as f:
        named = set(re.findall(r"\bpenstock_[a-z_]+", f.read()))
    check(len(named) > 5, "series in the alert rules: %r" % named)
    there = {f.name + suffix for f in metrics(path).families.values() for suffix in SUFFIXES[f.kind]}
    check_equal(named - there, set(), "series in the alert rules that are not there")
