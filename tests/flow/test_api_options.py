# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's own options over reloads and upgrades: what could not change is told, and stays."""

import os

from api import Api, control, start
from harness import ENGINE, ONCE, check, check_equal, test
from test_api import own_run

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
    (error,) = [e for e in told["errors"] if not e["warning"]]
    check_equal((told["outcome"], told["failed"]), ("ok", 1), "outcome")
    check(error["text"].startswith(option.split("_")[0] + " ") and why in error["text"],
          "the error: %r" % error)
    is_told(api, option)


def is_told(api, option):
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


def lacks(t, d, api, option, at_work):
    """It could not be had at an upgrade, and is tried again at the next reload."""
    d.upgrade()
    is_told(api, option)
    check_equal(api.get("/v1/config")["daemon"][option], at_work, "at work")
    check_equal(api.post("/v1/reload")["failed"], 1, "failed still")
    is_told(api, option)


@test("api: what can't be had at an upgrade is told then and later, and tried again", ENGINE,
      CONTROL)
def upgraded_without(t):
    d, api = start(t, one_rule(t))
    taken = t.listener()
    changed(d, http="127.0.0.1:%d" % taken.getsockname()[1])
    lacks(t, d, api, "http", None)
    taken.close()
    check_equal(api.post("/v1/reload")["failed"], 0, "failed once it is free")
    check_equal(api.get("/v1/config/diff")["changes"], False, "changes then")
    taken = t.listener()
    rules = d.groups["rules"]
    rules["other"] = {"listen": "127.0.0.1:%d" % taken.getsockname()[1],
                      "upstream": "127.0.0.1:9"}
    changed(d, http=None)
    d.upgrade()
    status = api.get("/v1/status")["config"]["reload"]
    check_equal((status["failed"], status["failed_rules"], status["failed_options"]),
                (1, ["other"], []), "the status")


@test("api: at the default place a socket may be missing, but not be other than the config", ONCE,
      CONTROL + ("root",))
def at_default_place(t):
    own_run(t)
    os.mkdir("/run/penstock")
    d = t.start(one_rule(t))
    api = Api("/run/penstock/control.sock")
    changed(d, control_group="no-such-group")
    has_failed(api, api.post("/v1/reload"), "control_group", "no such group")
    check_equal(api.get("/v1/config")["daemon"]["control_group"], None, "at work")
    changed(d, control_group=None, control=t.path("control.sock"))
    check_equal(api.post("/v1/reload")["failed"], 0, "failed when it is elsewhere")
    api = Api(t.path("control.sock"))
    os.rmdir("/run/penstock")
    changed(d, control=None)
    has_failed(api, api.post("/v1/reload"), "control", "No such file or directory")
    check_equal(api.get("/v1/config")["daemon"]["control"], api.where, "at work")


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
    named = dict(rules["web"])
    without = {k: v for k, v in named.items() if k not in ("socket_owner", "socket_group")}
    own = (os.geteuid(), os.getegid(), "660")
    for change in (lambda: api.post("/v1/reload"), d.upgrade):
        rules["web"] = without
        changed(d, control_owner=None, control_group=None)
        change()
        check_equal(api.get("/v1/status")["config"]["reload"]["failed"], 0, "failed")
        check_equal((rights(api.where), rights(inside)), (own, own), "then")
        rules["web"] = named
        changed(d, control_owner="nobody", control_group="2002")
        check_equal(api.post("/v1/reload")["failed"], 0, "failed")
        check_equal((rights(api.where), rights(inside)), ((nobody, 2002, "660"),) * 2, "again")


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


@test("api: what a reload would change is read where a reload reads it", ONCE,
      CONTROL + ("root",))
def locked(t):
    os.makedirs(t.path("top/in"))
    ours, where = control(t)
    d = t.prepare({"daemon": dict(ours, user="nobody"), "rules": one_rule(t)},
                  args=["--config", "penstock.conf"], preexec=lambda: os.chdir(t.path("top/in")))
    os.chmod(t.path("top/in"), 0o755)
    t.write("top/in/penstock.conf", d.text)
    os.chmod(t.path("top"), 0o700)
    os.chmod(t.path("top/in/penstock.conf"), 0o644)
    d.start()
    api = Api(where)
    check_equal((api.post("/v1/reload")["outcome"], api.get("/v1/config/diff")["changes"]),
                ("ok", False), "a reload, and what it would change")


@test("reload: the first error is told with its place", ONCE, CONTROL)
def place(t):
    d, api = start(t, one_rule(t))
    d.rewrite('daemon = { control = "%s"; };\nrules = {\n  web = 5;\n};\n' %
              d.groups["daemon"]["control"])
    check_equal(api.ask("POST", "/v1/reload").status, 422, "status")
    error = api.get("/v1/status")["config"]["reload"]["error"]
    check(error.startswith("%s:3: " % d.config), "the error: %r" % error)
