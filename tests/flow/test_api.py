# SPDX-License-Identifier: BSD-2-Clause
"""The control socket and the address for reading: what is answered there, and to whom."""

import os
import pwd
import stat
import time

import harness
from api import Api
from harness import ENGINE, ONCE, check, check_equal, receive_exactly, test, wait_for

CONTROL = ("control",)


def start(t, daemon=None, **options):
    """A daemon with one rule, its upstream, and its API."""
    upstream = t.listener()
    rules = {"web": {"listen": "127.0.0.1:%d" % t.port(),
                     "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}}
    path = t.path("control.sock")
    d = t.start(rules, daemon=dict({"control": path}, **(daemon or {})), **options)
    d.rules = rules
    d.upstream = upstream
    return d, Api(path)


def session(t, d):
    """Both ends of one."""
    client = t.connect(("127.0.0.1", int(d.rules["web"]["listen"].split(":")[1])))
    upstream = d.upstream.accept()[0]
    t.sockets.append(upstream)
    client.sendall(b"hello")
    check_equal(receive_exactly(upstream, 5), b"hello", "what the upstream got")
    return client, upstream


def more(t, d):
    """Its rules and one more."""
    d.rules = dict(d.rules, **{"more%d" % len(d.rules): {
        "listen": "127.0.0.1:%d" % t.port(), "upstream": d.rules["web"]["upstream"]}})
    return d.rules


@test("api: the status is right, and changes", ENGINE, CONTROL)
def status_is_right(t):
    before = int(time.time() * 1000)
    d, api = start(t)
    s = api.get("/v1/status")
    check_equal(sorted(s), sorted(["version", "pid", "started_at_ms", "uptime_ms", "engine",
                                   "watched", "sessions", "served", "refused", "rules",
                                   "listeners", "descriptors", "config"]), "its members")
    check_equal((s["pid"], s["engine"], s["sessions"], s["served"], s["refused"], s["rules"],
                 s["listeners"]), (d.pid, t.first_engine, 0, 0, 0, 1, 1), "the status")
    check(before - 1 <= s["started_at_ms"] <= int(time.time() * 1000), "when it started: %r" % s)
    check(0 < s["descriptors"]["booked"] < s["descriptors"]["room"], "descriptors: %r" % s)
    config = s["config"]
    check_equal((config["path"], config["generation"]), (d.config, 1), "the config")
    check_equal(config["reload"], {"outcome": "none", "at_ms": None, "error": None,
                                   "failed": 0, "failed_rules": [],
                                   "failed_options": []}, "reload")
    client, upstream = session(t, d)
    s = api.get("/v1/status")
    check_equal((s["sessions"], s["served"]), (1, 0), "with a session")
    client.close()
    upstream.close()
    d.wait_sessions(1)
    later = api.get("/v1/status")
    check_equal((later["sessions"], later["served"]), (0, 1), "when it has ended")
    check(later["uptime_ms"] >= s["uptime_ms"], "the time goes back")
    check_equal(api.get("/healthz"), {"status": "ok"}, "health")


@test("api: every answer in JSON says that it is not to be kept", ENGINE, CONTROL)
def headers_are_there(t):
    _, api = start(t)
    for method, target in (("GET", "/v1/status"), ("GET", "/nowhere"), ("PUT", "/v1/status"),
                           ("GET", "/v1/status?x"), ("POST", "/v1/reload")):
        a = api.ask(method, target)
        for name, value in (("Content-Type", "application/json"), ("Cache-Control", "no-store"),
                            ("X-Content-Type-Options", "nosniff")):
            check_equal(a.headers[name], value, "%s of %s %s" % (name, method, target))
    a = api.ask("HEAD", "/v1/status")
    check_equal((a.status, a.body), (200, b""), "HEAD")


@test("api: unknown paths, methods and keys are refused with what is allowed", ENGINE, CONTROL)
def errors(t):
    _, api = start(t)
    for target in ("/page", "/v1", "/v1/", "/v1/statusx", "/v1/status/", "/V1/status", "//v1/status",
                   "/v1/rules/a/b", "/v1/rules/", "/v1/rules/%", "/v1/rules/%0", "/v1/rules/%zz",
                   "/v1/rules/%00", "/v1/rules/a%00", "/v1/rules/" + "x" * 300):
        api.refused(404, "not-found", "GET", target)
    api.refused(404, "not-found", "POST", "/v1/nothing", "/v1/nothing")
    for method, target, allowed in (("POST", "/v1/status", "GET, HEAD"),
                                    ("OPTIONS", "/v1/status", "GET, HEAD"),
                                    ("GET", "/v1/reload", "POST"),
                                    ("HEAD", "/v1/reload", "POST"),
                                    ("PUT", "/v1/sessions", "GET, HEAD, DELETE")):
        a = api.ask(method, target)
        check_equal((a.status, a.headers["Allow"]), (405, allowed), "%s %s" % (method, target))
        if method != "HEAD":
            check_equal(a.json["error"]["code"], "method-not-allowed", "its code")
    api.refused(400, "bad-request", "GET", "/v1/status?rule=a", '"rule"', "allowed: nothing")
    api.refused(400, "bad-request", "POST", "/v1/reload?now=1", '"now"')
    for query in ("rule=a&rule=b", "rule=web&rule=web", "rule=web&limit=1&rule=", "rule&rule"):
        api.refused(400, "bad-request", "GET", "/v1/sessions?" + query, 'has "rule" twice',
                    "allowed: once")
    api.refused(400, "bad-request", "DELETE", "/v1/sessions?all=true&all=true", '"all"')
    check_equal(api.get("/v1/rules/%77e%62")["name"], "web", "a name in percent-encoding")


@test("api: a reload answers when it is over", ENGINE, CONTROL)
def reload_answers(t):
    d, api = start(t)
    d.rewrite(more(t, d))
    got = api.post("/v1/reload")
    check_equal(got, {"outcome": "ok", "generation": 2, "added": 1, "removed": 0, "changed": 0,
                      "failed": 0, "errors": []}, "the answer")
    d.listeners_are(2)
    s = api.get("/v1/status")
    check_equal((s["rules"], s["listeners"], s["config"]["generation"],
                 s["config"]["reload"]["outcome"], s["config"]["reload"]["error"]),
                (2, 2, 2, "ok", None), "the status")
    check_equal(s["config"]["loaded_at_ms"], s["config"]["reload"]["at_ms"], "when it was")
    asked = [l for l in d.lines() if l.get("msg") == "asked on the control socket"]
    check_equal([(l["method"], l["path"], l["uid"], l["pid"]) for l in asked],
                [("POST", "/v1/reload", str(os.getuid()), str(os.getpid()))], "the log")


@test("api: the log tells which sessions somebody wanted to end", ENGINE, CONTROL)
def kill_is_logged(t):
    d, api = start(t)
    api.ask("DELETE", "/v1/sessions?rule=web&client=192.0.2.0%2F24&older=1h")
    line = wait_for(lambda: [l for l in d.lines() if l.get("method") == "DELETE"], "its line")[0]
    check_equal((line["path"], line["query"]),
                ("/v1/sessions", "rule=web&client=192.0.2.0/24&older=1h"), "what was asked")


@test("api: a reload with errors tells them, and changes nothing", ENGINE, CONTROL)
def reload_fails(t):
    d, api = start(t)
    client, upstream = session(t, d)
    good = d.text
    d.rewrite('daemon = {\n control = "%s";\n typo = 1; };\nrules = {\n web = 5; };\n'
              % t.path("control.sock"))
    a = api.ask("POST", "/v1/reload")
    check_equal((a.status, a.json["error"]["code"]), (422, "conflict"), "status and code")
    check_equal([(e["file"], e["line"], e["warning"]) for e in a.json["errors"]],
                [(d.config, 3, False), (d.config, 5, False)], "the errors' places")
    check("typo" in a.json["errors"][0]["text"] and "web" in a.json["errors"][1]["text"],
          "the errors: %r" % a.json["errors"])
    s = api.get("/v1/status")["config"]
    check_equal((s["generation"], s["reload"]["outcome"], s["reload"]["error"]),
                (1, "failed", a.json["error"]["message"]), "the status")
    check_equal(a.json["error"]["message"], "%s:3: %s" % (d.config, a.json["errors"][0]["text"]),
                "the message")
    client.sendall(b"on")
    check_equal(receive_exactly(upstream, 2), b"on", "the session goes on")
    d.rewrite(good)
    check_equal(api.post("/v1/reload")["generation"], 2, "generation when it is mended")
    check_equal(api.get("/v1/status")["config"]["reload"]["error"], None, "no error any more")


@test("api: a config that is no UTF-8 is told of in JSON", ONCE, CONTROL)
def reload_fails_strangely(t):
    d, api = start(t)
    with open(d.config, "wb") as f:
        f.write(b'daemon = { engine = "\xff\xfe"; };\nrules = {};\n')
    a = api.ask("POST", "/v1/reload")
    check_equal(a.status, 422, "status")
    check('"??"' in a.json["errors"][0]["text"], "the errors: %r" % a.json["errors"])


@test("api: warnings of a config come with a reload that is well", ONCE, CONTROL)
def reload_warns(t):
    d, api = start(t)
    d.rewrite({"web": dict(d.rules["web"], udp_replies=1)})
    got = api.post("/v1/reload")
    check_equal([(e["warning"], "udp_replies" in e["text"]) for e in got["errors"]],
                [(True, True)], "the warnings")


@test("api: many ask for a reload at once", ENGINE, CONTROL)
def reloads_at_once(t):
    d, api = start(t)
    for i in range(5):
        d.rewrite(more(t, d))
        asked = [api.begin("POST", "/v1/reload") for _ in range(8)]
        answers = [api.finish(c) for c in asked]
        check_equal([a.status for a in answers], [200] * 8, "status of all")
        # Whoever asked after the file was written is answered by a reload that read it.
        check_equal([a.json["outcome"] for a in answers], ["ok"] * 8, "outcome of all")
        check_equal(api.get("/v1/status")["rules"], 2 + i, "rules")
        check_equal(max(a.json["generation"] for a in answers),
                    api.get("/v1/status")["config"]["generation"], "the last generation")
    d.listeners_are(6)


@test("api: who asks for a reload and goes away harms nobody", ENGINE, CONTROL)
def reload_given_up(t):
    d, api = start(t)
    for _ in range(10):
        asked = [api.begin("POST", "/v1/reload") for _ in range(4)]
        for c in asked[::2]:
            c.close()
        check_equal([api.finish(c).status for c in asked[1::2]], [200, 200], "the others")
    check_equal(api.get("/v1/status")["config"]["reload"]["outcome"], "ok", "the outcome")


@test("api: descriptors after 200 requests are those of before", ENGINE, CONTROL)
def nothing_leaks(t):
    port = t.port()
    d, api = start(t, {"http": "127.0.0.1:%d" % port})
    booked = api.get("/v1/status")["descriptors"]["booked"]
    for i in range(200):
        where = (api, Api(("127.0.0.1", port)))[i % 2]
        where.ask(("GET", "POST", "PUT")[i % 3], ("/v1/status", "/x", "/v1/reload")[i // 3 % 3])
    d.settle()
    wait_for(lambda: api.get("/v1/status")["descriptors"]["booked"] == booked,
             lambda: "%d booked, as before; now %r" % (booked, api.get("/v1/status")))
    d.settle()


# --- who may what ----------------------------------------------------------------------------

def as_user(uid, gid, groups, work):
    """The text that `work` returns in a process of that user."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            os.write(w, str(work()).encode())
        except OSError as e:
            os.write(w, type(e).__name__.encode())
        except BaseException as e:  # pylint: disable=broad-except
            os.write(w, repr(e).encode())
        finally:
            os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return text


@test("api: who may read, and who may steer", ONCE, CONTROL + ("root",))
def rights(t):
    first, second = pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("nobody").pw_uid
    d, api = start(t, {"control_mode": "0666", "control_owner": "daemon", "control_group": "2002"})
    st = os.stat(api.where)
    check_equal((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (first, 2002, 0o666), "the file")

    def may(uid, gid=3000, groups=(), method="POST", target="/v1/reload"):
        return as_user(uid, gid, list(groups), lambda: api.ask(method, target).status)
    check_equal(may(2000, method="GET", target="/v1/status"), "200", "a stranger reads")
    check_equal(may(2000), "403", "a stranger steers")
    check_equal(may(2000, method="DELETE", target="/v1/sessions?all=true"), "403", "... and kills")
    check_equal((may(first), may(2000, 2002), may(2000, 3000, (2002,))), ("200",) * 3,
                "the owner, the group, and as one of several groups")
    message = as_user(2000, 3000, [], lambda: api.ask("POST", "/v1/reload").json["error"]["message"])
    check("root" in message and "owner" in message, "it says %r" % message)

    # The rights change with the config, without a new socket.
    before = os.stat(api.where).st_ino
    d.groups["daemon"].update(control_mode="0640", control_owner="nobody")
    d.rewrite(d.rules)
    api.post("/v1/reload")
    st = os.stat(api.where)
    check_equal((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode), st.st_ino),
                (second, 2002, 0o640, before), "the file after the change")
    check_equal((may(second), may(first), may(first, 2002)),
                ("200", "PermissionError", "PermissionError"), "after the change")


@test("api: without rights of a group only the owner steers", ONCE, CONTROL + ("root",))
def group_without_rights(t):
    _, api = start(t, {"control_mode": "0606", "control_group": "2002"})
    check_equal(as_user(2000, 3000, [2002], lambda: api.ask("GET", "/healthz").status),
                "PermissionError", "a group that may not write can't even connect")
    check_equal(as_user(2000, 3000, [], lambda: api.ask("POST", "/v1/reload").status), "403",
                "whoever else can")


@test("api: penstockd's own user may steer", ONCE, CONTROL + ("root",))
def own_user(t):
    os.mkdir(t.path("its"))
    os.chown(t.path("its"), 65534, 65534)
    path = t.path("its/control.sock")
    start(t, {"control": path, "user": "nobody", "control_mode": "0666"})
    api = Api(path)
    check_equal(os.stat(path).st_uid, 0, "made before the user changes")
    check_equal(as_user(65534, 65534, [], lambda: api.ask("POST", "/v1/reload").status), "200",
                "its user")
    check_equal(as_user(2000, 3000, [], lambda: api.ask("POST", "/v1/reload").status), "403",
                "another")


# --- on TCP ----------------------------------------------------------------------------------

@test("api: on TCP there is only reading", ENGINE, CONTROL)
def tcp_reads(t):
    port = t.port()
    d, local = start(t, {"http": "127.0.0.1:%d" % port})
    api = Api(("127.0.0.1", port))
    check_equal(api.get("/v1/status")["pid"], d.pid, "its pid")
    check_equal(api.get("/v1/rules/web")["name"], "web", "its rule")
    check_equal(api.ask("HEAD", "/v1/status").status, 200, "HEAD")
    for method, target in (("POST", "/v1/reload"), ("POST", "/v1/rules/web/pause"),
                           ("DELETE", "/v1/sessions/1"), ("GET", "/v1/reload"),
                           ("PUT", "/v1/rules/web/drain")):
        a = api.refused(403, "forbidden", method, target, "for reading")
        check_equal(a.headers["Cache-Control"], "no-store", "its Cache-Control")
    a = api.refused(405, "method-not-allowed", "PUT", "/v1/sessions")
    check_equal(a.headers["Allow"], "GET, HEAD", "what is allowed")
    check_equal(local.get("/v1/status")["config"]["generation"], 1, "nothing was reloaded")


@test("api: on TCP no name but localhost is answered", ENGINE, CONTROL)
def host_names(t):
    port = t.port()
    start(t, {"http": "127.0.0.1:%d" % port})
    api = Api(("127.0.0.1", port))
    for host in ("127.0.0.1:%d" % port, "127.0.0.1", "localhost", "LOCALHOST:9", "[::1]:80",
                 "[2001:db8::1]", "192.0.2.1:1"):
        check_equal(api.ask("GET", "/healthz", Host=host).status, 200, "status for " + host)
    for host in ("evil.example", "evil.example:%d" % port, "127.0.0.1.evil.example",
                 "localhost.evil.example", "127.0.0.1:80:90", "[::1", "::1", "[::1]x", "0", "", " ",
                 "127.1", "localhost:x"):
        api.refused(421, "forbidden", "GET", "/healthz", "localhost", Host=host)
    control = Api(t.path("control.sock"))
    check_equal(control.ask("GET", "/healthz", Host="penstock").status, 200, "the control socket")


@test("api: an address that can't be had keeps it from starting", ONCE, CONTROL)
def address_taken(t):
    taken = t.listener()
    path = t.path("control.sock")
    d = t.prepare({"daemon": {"control": path, "http": "127.0.0.1:%d" % taken.getsockname()[1]},
                   "rules": {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "h:1"}}})
    d.status = 1
    d.spawn()
    d.wait_exit()
    check("http" in d.log() and "another socket is bound to it" in d.log(), "its log")
    check(not os.path.exists(path), "the control socket's file was left")


# --- the control socket's file ---------------------------------------------------------------

@test("api: of two daemons at one path the first keeps it", ENGINE, CONTROL)
def second_daemon(t):
    d, api = start(t)
    second = t.prepare({"daemon": {"control": api.where},
                        "rules": {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "h:1"}}})
    second.status = 1
    second.spawn()
    second.wait_exit()
    check("control" in second.log() and "another process listens on it" in second.log(),
          "the second one's log")
    check_equal(api.get("/v1/status")["pid"], d.pid, "who answers")


@test("api: a file that is no socket is left alone", ONCE, CONTROL)
def other_file(t):
    path = t.write("precious", "text")
    d = t.prepare({"daemon": {"control": path},
                   "rules": {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "h:1"}}})
    d.status = 1
    d.spawn()
    d.wait_exit()
    check("the file exists and is no socket" in d.log(), "its log")
    with open(path, encoding="ascii") as f:
        check_equal(f.read(), "text", "the file")


def pid_that_answers(api):
    """Once somebody does."""
    def asked():
        try:
            return api.get("/v1/status")["pid"]
        except OSError:
            return None
    return wait_for(asked, "an answer on %s" % api.where)


@test("api: the file goes with the daemon, and one left behind is replaced", ENGINE, CONTROL)
def restart(t):
    d, api = start(t, notify=False)  # a manager's socket would hold its listeners
    baseline = d.baseline
    d.finish()
    check(not os.path.exists(api.where), "the file was left")
    d.checked = False
    d.start()
    check_equal(pid_that_answers(api), d.pid, "who answers after a restart")
    d.process.kill()
    d.process.wait()
    check(os.path.exists(api.where), "who is killed removes nothing")
    d.start()
    check_equal(pid_that_answers(api), d.pid, "who answers after a kill")
    d.baseline = baseline


@test("api: after an upgrade the socket answers again", ENGINE, CONTROL)
def upgrade(t):
    d, api = start(t, {"http": "127.0.0.1:%d" % t.port()})
    client, upstream = session(t, d)
    kept = api.begin("GET", "/v1/status")
    idle = t.connect(api.where)
    before = api.get("/v1/status")
    for _ in range(3):
        d.upgrade()
        check_equal(pid_that_answers(api), d.pid, "who answers")
        s = api.get("/v1/status")
        check_equal((s["pid"], s["sessions"], s["rules"]), (d.pid, 1, 1), "the status")
    check(s["started_at_ms"] >= before["started_at_ms"], "when the program began")
    check_equal(idle.recv(1), b"", "connections of before end")
    kept.close()
    client.sendall(b"on")
    check_equal(receive_exactly(upstream, 2), b"on", "the session goes on")
    check_equal(api.post("/v1/reload")["outcome"], "ok", "it can be steered")


@test("api: at its default place it is taken when that is there", ENGINE, CONTROL + ("root",))
def default_place(t):
    own_run(t)
    rules = {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "192.0.2.1:1"}}
    d = t.start(rules)
    said = "there is no directory for the control socket /run/penstock/control.sock, and so none"
    check_equal(d.log().count(said), 1, "it is said that there is none")
    d.reload()
    check_equal(d.log().count(said), 1, "but not at a reload")
    os.mkdir("/run/penstock")
    start_at = len(d.lines())
    d.reload()
    api = Api("/run/penstock/control.sock")
    wait_for(lambda: os.path.exists(api.where), "the socket's file")
    check_equal(api.get("/v1/status")["pid"], d.pid, "who answers")
    d.baseline += 1
    check("control" not in "\n".join(l[""] for l in d.lines()[start_at:]), "nothing to say")

    second = t.start({"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "192.0.2.1:1"}})
    lines = [l for l in second.lines() if "control" in l[""]]
    check_equal([(l["level"], "another process listens on it" in l[""]) for l in lines],
                [("warning", True)], "what the second one says")
    check_equal(api.get("/v1/status")["pid"], d.pid, "who answers still")


def own_run(t):
    """An empty /run for this process and its children."""
    try:
        harness.libc_call("unshare", harness.CLONE_NEWNS)
        harness.libc_call("mount", None, b"/", None, harness.MS_REC | harness.MS_PRIVATE, None)
        harness.libc_call("mount", b"tmpfs", b"/run", b"tmpfs", 0, None)
    except OSError as e:
        raise harness.Skip("needs a mount namespace: %s" % e)
    t.note("/run is empty")
