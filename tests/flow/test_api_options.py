# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's own options over reloads and upgrades: what could not change is told, and stays."""

import os

from api import Api, start
from harness import ENGINE, ONCE, check, check_equal, test

CONTROL = ("control",)


def changed(d, **options):
    """The config with other options of the daemon; None takes one out."""
    for name, value in options.items():
        if value is None:
            d.groups["daemon"].pop(name, None)
        else:
            d.groups["daemon"][name] = value
    d.rewrite(d.groups["rules"])


def one_rule(t):
    return {"web": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}}


def has_failed(api, told, option, why):
    """A reload's answer, and whatever else tells of it."""
    (error,) = told["errors"]
    check_equal((told["outcome"], told["failed"], error["warning"]), ("ok", 1, False), "outcome")
    check(error["text"].startswith(option + " ") and why in error["text"] and error["line"] > 0,
          "the error: %r" % error)
    status = api.get("/v1/status")["config"]["reload"]
    check_equal((status["failed"], status["failed_rules"], status["failed_options"]),
                (1, [], [option]), "the status")
    check(b"penstock_config_last_reload_successful 0\n" in api.ask("GET", "/metrics").body,
          "the metric")
    check_equal([c["name"] for c in api.get("/v1/config/diff")["daemon"]], [option], "the diff")


@test("api: a control socket that can't be had is told, and the one before stays", ENGINE, CONTROL)
def control_fails(t):
    d, api = start(t, one_rule(t))
    path = d.groups["daemon"]["control"]
    changed(d, control=t.path("nowhere/control.sock"))
    has_failed(api, api.post("/v1/reload"), "control", "No such file or directory")
    check_equal(api.get("/v1/config")["daemon"]["control"], path, "at work")
    os.mkdir(t.path("nowhere"))
    check_equal(api.post("/v1/reload")["failed"], 0, "failed once it can be had")
    moved = Api(t.path("nowhere/control.sock"))
    check_equal(moved.get("/v1/status")["config"]["reload"]["failed_options"], [], "then")
    check_equal(moved.get("/v1/config/diff")["changes"], False, "changes then")


@test("api: an address for HTTP that is taken is told", ENGINE, CONTROL)
def http_fails(t):
    d, api = start(t, one_rule(t))
    taken = t.listener()
    changed(d, http="127.0.0.1:%d" % taken.getsockname()[1])
    has_failed(api, api.post("/v1/reload"), "http", "another socket is bound to it")
    check_equal(api.get("/v1/config")["daemon"]["http"], None, "at work")
    taken.close()
    check_equal(api.post("/v1/reload")["failed"], 0, "failed once it is free")
    changed(d, http=None)
    check_equal(api.post("/v1/reload")["failed"], 0, "failed without it")


@test("api: what only a start changes is told, and is to be changed until then", ONCE, CONTROL)
def late(t):
    d, api = start(t, one_rule(t))
    engine = "epoll" if d.groups["daemon"]["engine"] == "select" else "select"
    before = d.groups["daemon"]["engine"]
    changed(d, engine=engine)
    told = api.post("/v1/reload")
    check_equal([(e["warning"], e["text"]) for e in told["errors"]],
                [(True, "engine takes effect with the next start")], "errors")
    (change,) = api.get("/v1/config/diff")["daemon"]
    check_equal((change["name"], change["needs_restart"], change["old"], change["new"]),
                ("engine", True, before, engine), "the diff")
    check_equal(api.get("/v1/config")["daemon"]["engine"], before, "at work")
    check_equal(api.post("/v1/reload")["failed"], 0, "failed")
    changed(d, engine=before)
    check_equal((api.post("/v1/reload")["errors"], api.get("/v1/config/diff")["changes"]),
                ([], False), "as it was")


def rights(path):
    st = os.stat(path)
    return st.st_uid, st.st_gid, "%o" % (st.st_mode & 0o777)


@test("api: an owner and a group that are taken out of the config have no right any more", ONCE,
      CONTROL + ("root",))
def revoked(t):
    inside = t.path("in.sock")
    rules = {"web": {"listen": "unix:" + inside, "upstream": "127.0.0.1:9", "socket_mode": "0660",
                     "socket_owner": "nobody", "socket_group": "2002"}}
    d, api = start(t, rules, {"control_owner": "nobody", "control_group": "2002"})
    nobody = rights(inside)[0]
    check_equal((rights(api.where), rights(inside)), ((nobody, 2002, "660"),) * 2, "at first")
    for name in ("socket_owner", "socket_group"):
        del rules["web"][name]
    changed(d, control_owner=None, control_group=None)
    check_equal(api.post("/v1/reload")["failed"], 0, "failed")
    own = (os.geteuid(), os.getegid(), "660")
    check_equal((rights(api.where), rights(inside)), (own, own), "then")


@test("api: the control socket goes on over an upgrade though its group is not known", ONCE,
      CONTROL + ("root",))
def unknown_group(t):
    d, api = start(t, one_rule(t))
    changed(d, control_group="no-such-group")
    api.post("/v1/reload")
    d.upgrade()
    check_equal(api.get("/healthz"), {"status": "ok"}, "health")
    check("there is no such group as control_group" in d.log().split("handed over")[-1],
          "it is not logged")


@test("api: the config's path is told from the root", ONCE, CONTROL)
def path(t):
    d, api = start(t, one_rule(t), args=["--config", "penstock-0.conf"])
    for _ in range(2):
        for target in ("/v1/status", "/v1/config"):
            said = api.get(target)
            check_equal(said.get("config", said)["path"], d.config, target)
        check_equal(api.get("/v1/config/diff")["changes"], False, "what a reload would change")
        d.upgrade()


@test("reload: the first error is told with its place", ONCE, CONTROL)
def place(t):
    d, api = start(t, one_rule(t))
    d.rewrite('daemon = { control = "%s"; };\nrules = {\n  web = 5;\n};\n' %
              d.groups["daemon"]["control"])
    check_equal(api.ask("POST", "/v1/reload").status, 422, "status")
    error = api.get("/v1/status")["config"]["reload"]["error"]
    check(error.startswith("%s:3: " % d.config), "the error: %r" % error)
