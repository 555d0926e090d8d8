# SPDX-License-Identifier: BSD-2-Clause
"""GET /v1/config and /v1/config/diff: the config at work, and what a reload would change."""

import ctypes
import os
import re
import signal
import struct

from api import Api, start
from harness import ENGINE, ONCE, Failure, check, check_equal, test, wait_for
from libconfig import dumped

CONTROL = ("control",)
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SAME = {"changes": False, "rules": [], "daemon": [], "errors": []}
NO_LISTEN = {"opened": [], "closed": [], "moved_in": [], "moved_out": []}


def agree(said, dump, where):
    """What the dump has is what the API says."""
    for name, value in dump.items():
        if name not in ("listen", "upstream", "address"):
            check_equal(said.get(name), value, "%s of %s" % (name, where))


def option_names(*scopes):
    with open(os.path.join(TOP, "src", "conf", "options.def"), encoding="utf-8") as table:
        return set(re.findall(r"^[A-Z]+\((?:%s), (\w+)," % "|".join(scopes), table.read(), re.M))


def rich(t):
    """Rules with all that one can have."""
    many, to = t.ports(4), t.ports(4)
    return {
        "web": {"listen": ({"address": "127.0.0.1:%d" % t.port(), "max_connections": 4,
                            "backlog": 7}, "127.0.0.1:%d" % t.port()),
                "upstream": "192.0.2.1:80", "connect_timeout": "5s", "idle_timeout": "off",
                "keepalive": False, "on_change": "drain:30s", "on_limit": "reset"},
        "many": {"listen": "127.0.0.1:%d-%d" % (many, many + 3),
                 "upstream": "192.0.2.1:%d-%d" % (to, to + 3)},
        "path": {"listen": "unix:" + t.path("in.sock"), "upstream": "192.0.2.1:80",
                 "socket_mode": "0600", "socket_owner": "root"},
        "all": {"listen": "udp:127.0.0.1:%d" % t.port(), "udp_replies": 2,
                "upstream": ({"address": "udp:192.0.2.1:5000", "interface": "lo"},
                             "udp:192.0.2.2:5000")},
    }


@test("api: the config at work is that of --dump, with every option", ONCE, CONTROL)
def as_dumped(t):
    http = ("127.0.0.1", t.port())
    d, api = start(t, rich(t), {"http": "%s:%d" % http, "drain_timeout": "90s"})
    said, dump = api.get("/v1/config"), dumped(t, d.config)
    check_equal(Api(http).get("/v1/config"), said, "what is said over TCP")
    check_equal((said["path"], said["generation"]), (d.config, 1), "path, generation")
    check_equal(set(said["daemon"]), option_names("DAEMON", "START"), "options of the daemon")
    agree(said["daemon"], dump["daemon"], "the daemon")
    check_equal([r["name"] for r in said["rules"]], list(dump["rules"]), "the rules' order")
    for rule in said["rules"]:
        name, other = rule["name"], dump["rules"][rule["name"]]
        check_equal(set(rule["options"]), option_names("RULE", "BOTH", "SENT", "EACH"),
                    "options of a rule")
        agree(rule["options"], other, name)
        for kind, ours in (("listen", rule["listen"]), ("upstream", rule["targets"])):
            theirs = other[kind] if isinstance(other[kind], list) else []
            check_equal([a["address"] for a in ours], [a["address"] for a in theirs],
                        "addresses of " + name)
            for a, b in zip(ours, theirs):
                agree(a["options"], b, name + " at " + a["address"])
        line = d.text.split("\n")[rule["line"] - 1]
        check_equal((rule["file"], line.split()[0]), (d.config, name), "where it stands")
    check_equal([r["upstream"] for r in said["rules"]][0], "192.0.2.1:80", "upstream")


@test("api: rules that could not change are at work as they were", ONCE, CONTROL)
def stayed(t):
    rules = {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "192.0.2.1:1"}}
    d, api = start(t, rules)
    taken = "127.0.0.1:%d" % t.listener().getsockname()[1]
    old = rules["a"]["listen"]
    rules["a"] = {"listen": taken, "upstream": "192.0.2.1:2"}
    d.rewrite(rules)
    told = api.post("/v1/reload")
    check_equal((told["failed"], [e["warning"] for e in told["errors"]]), (1, [False]), "failed")
    check("cannot listen on " + taken in told["errors"][0]["text"], "why: %r" % told["errors"])
    check_equal(api.get("/v1/status")["config"]["reload"]["failed_rules"], ["a"], "which")
    (rule,) = api.get("/v1/config")["rules"]
    check_equal((rule["listen"][0]["address"], rule["upstream"]), (old, "192.0.2.1:1"), "the rule")
    check_equal(api.get("/v1/config/diff")["rules"],
                [{"name": "a", "change": "changed", "options": [],
                  "listen": dict(NO_LISTEN, opened=[taken], closed=[old]),
                  "upstream": {"old": "192.0.2.1:1", "new": "192.0.2.1:2"}}], "what would change")


@test("api: what a reload would change is told, and is what it changes", ENGINE, CONTROL)
def told(t):
    first, up = t.ports(10), "192.0.2.1:80"
    at = "127.0.0.1:%d"
    rules = {"stays": {"listen": at % t.port(), "upstream": up},
             "goes": {"listen": at % t.port(), "upstream": up},
             "range": {"listen": (at % first + "-%d" % (first + 9),), "upstream": up},
             "gives": {"listen": [at % t.port(), at % t.port()], "upstream": up}}
    d, api = start(t, rules)
    check_equal(api.get("/v1/config/diff"), SAME, "of the same files")
    new = {"stays": rules["stays"],
           "range": {"listen": ({"address": at % first + "-%d" % (first + 4), "backlog": 5},
                                at % (first + 5)), "upstream": "192.0.2.1:81",
                     "connect_timeout": "7s", "max_connections": 3},
           "gives": dict(rules["gives"], listen=rules["gives"]["listen"][0]),
           "takes": {"listen": rules["gives"]["listen"][1], "upstream": up}}
    d.groups["daemon"].update(log_level="debug", user="root")
    d.rewrite(new)
    diff = api.get("/v1/config/diff")
    options = [("max_connections", None, 256, 3), ("connect_timeout", None, "10s", "7s"),
               ("backlog", at % first + "-%d" % (first + 4), 0, 5)]
    check_equal(diff["rules"], [
        {"name": "range", "change": "changed",
         "options": [dict(zip(("name", "address", "old", "new"), o)) for o in options],
         "listen": dict(NO_LISTEN, closed=["127.0.0.1:%d-%d" % (first + 6, first + 9)]),
         "upstream": {"old": up, "new": "192.0.2.1:81"}},
        {"name": "gives", "change": "changed", "options": [], "upstream": None,
         "listen": dict(NO_LISTEN, moved_out=[rules["gives"]["listen"][1]])},
        {"name": "takes", "change": "added", "options": [], "upstream": {"old": None, "new": up},
         "listen": dict(NO_LISTEN, moved_in=[rules["gives"]["listen"][1]])},
        {"name": "goes", "change": "removed", "options": [], "upstream": {"old": up, "new": None},
         "listen": dict(NO_LISTEN, closed=[rules["goes"]["listen"]])}], "rules")
    check_equal(diff["daemon"], [
        {"name": "log_level", "needs_restart": False, "old": "info", "new": "debug"},
        {"name": "user", "needs_restart": True, "old": None, "new": "root"}], "daemon")
    check_equal((diff["changes"], api.get("/v1/config")["generation"]), (True, 1), "nothing yet")
    done = api.post("/v1/reload")
    check_equal([done[k] for k in ("added", "removed", "changed", "failed")], [1, 1, 2, 0],
                "what the reload has changed")
    left = [c for c in diff["daemon"] if c["needs_restart"]]
    check_equal(api.get("/v1/config/diff"), dict(SAME, changes=True, daemon=left), "after it")
    d.reload(changed=0)


@test("api: options of upstream addresses, and ports that lead elsewhere", ONCE, CONTROL)
def otherwise(t):
    first, to = t.ports(3), t.ports(2)
    rules = {"all": {"listen": "udp:127.0.0.1:%d" % t.port(),
                     "upstream": ({"address": "udp:239.1.2.3:5000", "ttl": 1},)},
             "two": {"listen": "127.0.0.1:%d-%d" % (first, first + 1),
                     "upstream": "192.0.2.1:%d-%d" % (to, to + 1)}}
    d, api = start(t, rules)
    rules["all"]["upstream"] = ({"address": "udp:239.1.2.3:5000", "ttl": 9},)
    rules["two"]["listen"] = "127.0.0.1:%d-%d" % (first + 1, first + 2)
    d.rewrite(rules)
    a, two = api.get("/v1/config/diff")["rules"]
    check_equal(a["options"], [{"name": "ttl", "address": "239.1.2.3:5000", "old": 1, "new": 9}],
                "options")
    check_equal(two["upstream"], {k: rules["two"]["upstream"] for k in ("old", "new")}, "upstream")
    check_equal(two["listen"], dict(NO_LISTEN, opened=["127.0.0.1:%d" % (first + 2)],
                                    closed=["127.0.0.1:%d" % first]), "listen")


@test("api: a long config that is read slowly is that of one moment", ENGINE, CONTROL)
def long_one(t):
    def make(count, up):
        return {"r%d" % i: {"listen": "unix:@%s-%d" % (t.dir, i), "upstream": up,
                            "max_connections": 1}
                for i in range(count)}

    d, api = start(t, make(600, "192.0.2.1:1"))
    slow = api.begin("GET", "/v1/config")
    fast = [api.begin("GET", "/v1/config/diff") for _ in range(3)]
    d.reload(make(1, "192.0.2.1:2"))
    check_equal(len(api.get("/v1/config")["rules"]), 1, "the one at work now")
    rules = api.finish(slow).json["rules"]
    check_equal([r["name"] for r in rules], ["r%d" % i for i in range(600)], "names")
    check_equal({r["upstream"] for r in rules}, {"192.0.2.1:1"}, "upstreams")
    for c in fast:
        check_equal(api.finish(c).status, 200, "status of a diff")
    d.rewrite(make(600, "192.0.2.1:3"))
    slow = [api.begin("GET", "/v1/config/diff") for _ in range(4)]
    check_equal(api.get("/healthz"), {"status": "ok"}, "health")
    slow.pop().close()
    for c in slow:
        diff = api.finish(c).json
        check_equal([r["change"] for r in diff["rules"]], ["changed"] + ["added"] * 599, "changes")
    d.settle()


# --- readings --------------------------------------------------------------------------------

def block(d):
    """The config is a pipe now, which is open, but nothing comes."""
    os.rename(d.config, d.config + "~")
    os.mkfifo(d.config)
    return os.open(d.config, os.O_RDWR)


def unblock(d, pipe, text):
    """The files are back, and who has the pipe reads this from it."""
    os.rename(d.config, d.config + "-pipe")
    os.rename(d.config + "~", d.config)
    os.write(pipe, text.encode())
    os.close(pipe)


def reads(d):
    return any(line.endswith(" " + d.config) for line in d.fd_list())


def one(t, **daemon):
    return start(t, {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "192.0.2.1:1"}},
                 daemon)


@test("api: who asks while files are read waits for the next reading", ENGINE, CONTROL)
def shared(t):
    d, api = one(t)
    text, before = d.text, d.fds()
    pipe = block(d)
    first = api.begin("GET", "/v1/config/diff")
    wait_for(lambda: reads(d), "penstockd to open its config")
    others = [api.begin("GET", "/v1/config/diff") for _ in range(5)]
    others.pop().close()
    check_equal(api.get("/v1/status")["config"]["generation"], 1, "what is answered meanwhile")
    check_equal(sum(line.endswith(" " + d.config) for line in d.fd_list()), 1, "readings at a time")
    unblock(d, pipe, text + "nonsense")
    check_equal(api.finish(first).status, 422, "who read the pipe")
    for c in others:
        check_equal(api.finish(c).json, SAME, "who read the files")
    wait_for(lambda: d.fds() == before, "descriptors as before")


class Openings:
    """How often a file is opened (inotify(7))."""

    OPEN, CLOSE = 0x20, 0x10

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        # With what comes between, as the same twice in a row may be told once.
        watch = libc.inotify_add_watch(self.fd, path.encode(), self.OPEN | self.CLOSE)
        check(self.fd >= 0 and watch >= 0, "inotify: %s" % os.strerror(ctypes.get_errno()))
        self.seen = 0

    def count(self):
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            data = b""
        masks = [mask for _, mask, _, _ in struct.iter_unpack("=iIII", data)]
        self.seen += sum(bool(mask & self.OPEN) for mask in masks)
        return self.seen


def on_tcp(t):
    """The second Api is for reading."""
    port = t.port()
    d, api = one(t, http="127.0.0.1:%d" % port)
    return d, api, Api(("127.0.0.1", port))


@test("api: who asks on TCP again and again has the files read once a second", ONCE, CONTROL)
def paced(t):
    d, _, remote = on_tcp(t)
    readings = Openings(d.config)

    def together():
        """Do some who ask one after another cost one reading? Unless this takes us a second; without
        a pause the first would have his own."""
        check_equal(remote.get("/v1/config/diff"), SAME, "the answer")
        before, waiting = readings.count(), []
        for _ in range(5):
            waiting.append(remote.begin("GET", "/v1/config/diff"))
            check_equal(remote.get("/healthz"), {"status": "ok"}, "health")
        for c in waiting:
            check_equal(remote.finish(c).json, SAME, "the answer")
        return readings.count() == before + 1

    wait_for(together, "one reading for all")


@test("api: who may steer does not wait, and whoever waits on TCP is answered with him", ONCE,
      CONTROL)
def hurried(t):
    d, api, remote = on_tcp(t)

    def both():
        check_equal(remote.get("/v1/config/diff"), SAME, "the answer")
        pipe = block(d)
        waiting = remote.begin("GET", "/v1/config/diff")
        check_equal(remote.get("/healthz"), {"status": "ok"}, "health")
        local = api.begin("GET", "/v1/config/diff")
        wait_for(lambda: reads(d), "penstockd to open its config")
        check_equal(api.get("/healthz"), {"status": "ok"}, "health")
        unblock(d, pipe, d.text + "nonsense")
        # Whose reading began before the other has asked is the other's by no means.
        statuses = {api.finish(c).status for c in (local, waiting)}
        check(422 in statuses, "nobody read the pipe")
        return statuses == {422}

    wait_for(both, "one reading for both")


@test("api: a reload while files are read: they are compared with what is at work then", ENGINE,
      CONTROL)
def reload_between(t):
    d, api = one(t)
    text = d.text
    pipe = block(d)
    asked = api.begin("GET", "/v1/config/diff")
    wait_for(lambda: reads(d), "penstockd to open its config")
    os.rename(d.config, d.config + "-pipe")
    with open(d.config, "w", encoding="utf-8") as new:
        new.write(text.replace("192.0.2.1:1", "192.0.2.1:2"))
    check_equal(api.post("/v1/reload")["changed"], 1, "rules that the reload has changed")
    os.write(pipe, text.encode())
    os.close(pipe)
    check_equal(api.finish(asked).json, SAME, "the answer")


@test("api: at a stop nobody waits for files that never come", ENGINE, CONTROL)
def stop(t):
    d, api = one(t, drain_timeout="1h")
    upstream = t.listener()
    d.reload({"a": {"listen": "127.0.0.1:%d" % t.port(),
                    "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}})
    where = api.get("/v1/config")["rules"][0]["listen"][0]["address"].split(":")
    client = t.connect((where[0], int(where[1])))
    t.sockets.append(upstream.accept()[0])
    pipe = block(d)
    waiting = [api.begin("GET", "/v1/config/diff") for _ in range(3)]
    wait_for(lambda: reads(d), "penstockd to open its config")
    d.signal(signal.SIGTERM)
    for c in waiting:
        a = api.finish(c)
        check_equal((a.status, a.json["error"]["code"]), (409, "conflict"), "who waits")
    api.refused(409, "conflict", "GET", "/v1/config/diff", "about to end")
    check_equal(len(api.get("/v1/config")["rules"]), 1, "it answers while it drains")
    client.close()
    t.sockets[-1].close()
    check_equal(d.wait_exit(), 0, "exit status")
    os.close(pipe)


@test("api: a config that can't be read is told as by a reload", ONCE, CONTROL)
def unreadable(t):
    d, api = one(t)
    os.rename(d.config, d.config + "~")
    a = api.ask("GET", "/v1/config/diff")
    check_equal((a.status, [e["file"] for e in a.json["errors"]]), (422, [d.config]), "the answer")
    if "can't be read" not in a.json["error"]["message"]:
        raise Failure(a.body)
    os.rename(d.config + "~", d.config)
    check_equal(api.get("/v1/config/diff"), SAME, "when it is back")
