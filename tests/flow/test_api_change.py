# SPDX-License-Identifier: BSD-2-Clause
"""Another control socket, or none, at a reload; and the API while penstockd ends."""

import os
import signal
import socket
import subprocess

from api import Api
from harness import ENGINE, ONCE, Skip, check, check_equal, test, wait_for
from test_api import CONTROL, session, start


def change(d, **options):
    """Write these into the group `daemon`; None takes one out."""
    for name, value in options.items():
        d.groups["daemon"].pop(name, None)
        if value is not None:
            d.groups["daemon"][name] = value
    d.rewrite(d.rules)


def nobody_answers(where):
    try:
        Api(where).ask("GET", "/healthz")
    except OSError:
        return True
    return False


@test("api: the control socket goes elsewhere", ENGINE, CONTROL)
def elsewhere(t):
    d, old = start(t)
    kept = t.connect(old.where)
    client, upstream = session(t, d)
    change(d, control=t.path("new.sock"))
    check_equal(old.post("/v1/reload")["outcome"], "ok", "what the old one still answers")
    new = Api(t.path("new.sock"))
    check_equal(new.get("/v1/status")["sessions"], 1, "what the new one says")
    check(not os.path.exists(old.where), "the old one's file")
    check(nobody_answers(old.where), "the old one still answers")
    check_equal(kept.recv(1), b"", "who was connected to it is cut off in the end")
    for s in (client, upstream, kept):
        s.close()
    d.settle()


@test("api: a control socket that can't be had leaves the old one", ENGINE, CONTROL)
def not_elsewhere(t):
    d, api = start(t)
    for place, why in ((t.path("none/control.sock"), "No such file or directory"),
                       (t.write("file", ""), "the file exists and is no socket")):
        change(d, control=place)
        at = len(d.lines())
        check_equal(api.post("/v1/reload")["outcome"], "ok", "the rest of the reload")
        check_equal([l["level"] for l in d.lines()[at:] if why in l[""] and place in l[""]],
                    ["error"], "lines that say %r" % why)
        check_equal(api.get("/v1/status")["pid"], d.pid, "the old one answers")
    other = t.prepare({"daemon": {"control": t.path("other.sock")},
                       "rules": {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "h:1"}}})
    other.start()
    change(d, control=t.path("other.sock"))
    api.post("/v1/reload")
    check("another process listens on it" in d.log(), "its log")
    check_equal((api.get("/v1/status")["pid"], Api(t.path("other.sock")).get("/v1/status")["pid"]),
                (d.pid, other.pid), "who answers where")


@test("api: the control socket goes and comes", ENGINE, CONTROL)
def off_and_on(t):
    d, api = start(t)
    with_it = d.fds()
    for _ in range(3):
        change(d, control="off")
        check_equal(api.post("/v1/reload")["outcome"], "ok", "the last answer")
        check(not os.path.exists(api.where), "its file")
        wait_for(lambda: d.fds() < with_it, "its descriptor to be closed")
        change(d, control=api.where)
        d.reload()
        check_equal(api.get("/v1/status")["pid"], d.pid, "who answers")
    d.settle()


@test("api: a file that somebody has removed comes back with a reload", ENGINE, CONTROL)
def removed(t):
    d, api = start(t)
    os.unlink(api.where)
    d.reload()
    check_equal(api.get("/v1/status")["pid"], d.pid, "who answers")
    d.settle()


@test("api: the address for reading comes, changes and goes", ENGINE, CONTROL)
def http_changes(t):
    d, api = start(t)
    one, two = ("127.0.0.1", t.port()), ("127.0.0.1", t.port())
    before = d.fds()
    change(d, http="%s:%d" % one)
    api.post("/v1/reload")
    check_equal(Api(one).get("/v1/status")["pid"], d.pid, "who answers")
    change(d, http="%s:%d" % two)
    check_equal(api.post("/v1/reload")["outcome"], "ok", "the change")
    check_equal(Api(two).get("/v1/status")["pid"], d.pid, "who answers at the new address")
    check(nobody_answers(one), "the old one still answers")
    taken = "127.0.0.1:%d" % t.listener().getsockname()[1]
    change(d, http=taken)
    api.post("/v1/reload")
    check("another socket is bound to it" in d.log(), "its log")
    check_equal(Api(two).get("/v1/status")["pid"], d.pid, "it stays where it was")
    change(d, http=None)
    api.post("/v1/reload")
    check(nobody_answers(two), "it still answers")
    wait_for(lambda: d.fds() == before, "descriptors as before")


# --- the end ---------------------------------------------------------------------------------

def block(d):
    """The config is a pipe now, which is open, but nothing comes."""
    os.rename(d.config, d.config + "~")
    os.mkfifo(d.config)
    return os.open(d.config, os.O_RDWR)


def reads(d):
    return any(line.endswith(" " + d.config) for line in d.fd_list())


@test("api: while a reload goes on the others are answered, and a stop ends it", ENGINE, CONTROL)
def busy(t):
    d, api = start(t, {"drain_timeout": "1h"})
    client, upstream = session(t, d)
    pipe = block(d)
    waiting = [api.begin("POST", "/v1/reload") for _ in range(3)]
    wait_for(lambda: reads(d), "penstockd to open its config")
    check_equal(api.get("/v1/status")["config"]["reload"]["outcome"], "busy", "the outcome")
    waiting.append(api.begin("POST", "/v1/reload"))
    check_equal(api.get("/v1/status")["config"]["generation"], 1, "the generation")
    gone = api.begin("POST", "/v1/reload")
    check_equal(api.get("/healthz"), {"status": "ok"}, "health")
    gone.close()

    d.signal(signal.SIGTERM)
    for c in waiting:
        a = api.finish(c)
        check_equal((a.status, "about to end" in a.json["error"]["message"]), (500, True),
                    "what those who wait are told: %r" % a.json)
    api.refused(409, "conflict", "POST", "/v1/reload", "about to end")
    check_equal(api.get("/v1/status")["sessions"], 1, "it answers while it drains")
    client.close()
    upstream.close()
    check_equal(d.wait_exit(), 0, "exit status")
    check(not os.path.exists(api.where), "the file was left")
    os.close(pipe)


@test("api: a reload asked for while one goes on reads the files again", ENGINE, CONTROL)
def once_more(t):
    d, api = start(t)
    text = d.text
    pipe = block(d)
    first = api.begin("POST", "/v1/reload")
    wait_for(lambda: reads(d), "penstockd to open its config")
    second = api.begin("POST", "/v1/reload")
    check_equal(api.get("/v1/status")["config"]["reload"]["outcome"], "busy", "the outcome")
    os.rename(d.config, d.config + "-pipe")
    os.rename(d.config + "~", d.config)
    os.write(pipe, (text + "nonsense").encode())
    os.close(pipe)
    check_equal(api.finish(first).status, 422, "who read the pipe")
    a = api.finish(second)
    check_equal((a.status, a.json and a.json.get("generation")), (200, 2), "who read the file")


@test("api: who shuts its side behind a request gets the answer that comes later", ENGINE, CONTROL)
def shut(t):
    d, api = start(t)
    for version in ("1.0", "1.1"):
        s = t.connect(api.where)
        s.sendall(b"POST /v1/reload HTTP/%s\r\nHost: x\r\n\r\n" % version.encode())
        s.shutdown(socket.SHUT_WR)
        answer = s.makefile("rb").read()
        check(b" 200 OK\r\n" in answer and answer.endswith(b"}\n"), "it is %r" % answer)
    d.settle()


@test("api: a build without it says so", ONCE)
def none(t):
    if t.features.get("control") == "yes":
        raise Skip("built with the control socket")
    rules = {"a": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "192.0.2.1:1"}}
    for daemon in ({"control": t.path("control.sock")}, {"http": "127.0.0.1:%d" % t.port()}):
        d = t.prepare({"daemon": daemon, "rules": rules})
        run = subprocess.run([t.binary, "--check", "--config", d.config], check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check_equal((run.returncode, b"this build has no control socket" in run.stderr),
                    (78, True), "--check says %r" % run.stderr)
        d.status = 1
        d.spawn()
        d.wait_exit()
        check("this build has no control socket" in d.log(), "its log")
    for daemon in ({"control": "off"}, {"control_mode": "0600"}):
        d = t.start(rules, daemon=daemon)
        check("control" not in d.log(), "its log")
        d.finish()
