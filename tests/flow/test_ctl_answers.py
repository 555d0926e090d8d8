# SPDX-License-Identifier: BSD-2-Clause
"""penstock alone: what it makes of answers, of terminals and of its command line."""

import json
import os
import re
import socket
import subprocess
import threading

from ctl import Ctl, FakeDaemon
from harness import ONCE, check, check_equal, test

NOW = 1700000000000
CSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
EVIL = "a\x1b[2J\n\u202eb\x7f\u009b31m"
SHOWN = "a\\x1b[2J\\n\\u202eb\\x7f\\u009b31m"


def rule(name, **more):
    return dict({"name": name, "state": "running", "upstream": "10.0.0.1:80", "sessions": 1,
                 "limit": 256, "opened": 3, "bytes_in": 0, "bytes_out": 12897485, "refused": {},
                 "listeners": [{"address": "127.0.0.1:80", "state": "listening"}]}, **more)


def session(number, **more):
    return dict({"id": number, "rule": "web", "protocol": "tcp", "state": "open",
                 "client": "192.0.2.7:5", "upstream": None, "started_at_ms": NOW, "age_ms": 192000,
                 "idle_ms": 7, "connect_ms": 1, "bytes_in": number, "bytes_out": 0}, **more)


def pages(count):
    """The sessions of 1 to `count`, as penstockd lists them."""
    def answer(query):
        keys = dict(k.split("=") for k in query.split("&"))
        after, limit = int(keys.get("after", 0)), int(keys["limit"])
        ids = range(after + 1, min(after + limit, count) + 1)
        return {"sessions": [session(i) for i in ids],
                "next": ids[-1] if ids and ids[-1] < count else None}
    return answer


@test("ctl: of many addresses of a rule the first, and how many more", modes=ONCE)
def many_addresses(t):
    def at(*states):
        return [{"address": "127.0.0.1:%d" % (7000 + i), "state": state}
                for i, state in enumerate(states)]
    listeners = {"two": at("listening", "closed"), "range": at(*["listening"] * 2000),
                 "odd": at("resting", "listening", "closed", "paused"), "none": []}
    fake = FakeDaemon(t, {("GET", "/v1/rules"): (200, {"rules": [
        rule(name, listeners=some) for name, some in listeners.items()]})})
    ctl = Ctl(t, fake.path)
    check_equal([re.split("  +", line)[2] for line in ctl.ask("rules").splitlines()[1:]],
                ["127.0.0.1:7000,127.0.0.1:7001(closed)", "127.0.0.1:7000 +1999",
                 "127.0.0.1:7000(resting) +3 (1 not listening)", "-"], "what it says")


@test("ctl: all pages are one list", modes=ONCE)
def one_list(t):
    fake = FakeDaemon(t, {("GET", "/v1/sessions"): (200, pages(2500))})
    ctl = Ctl(t, fake.path)
    rows = ctl.ask("sessions").splitlines()
    check_equal([int(r.split()[0]) for r in rows[1:]], list(range(1, 2501)), "ids")
    check_equal(len(fake.asked), 3, "requests")
    answer = ctl.json("sessions")
    check_equal((len(answer["sessions"]), answer["next"]), (2500, None), "as JSON")
    answer = ctl.json("sessions", "--limit", "1500")
    check_equal((len(answer["sessions"]), answer["next"]), (1500, 1500), "of which some")
    # More than the daemon puts in order at a time.
    ids = [s["id"] for s in ctl.json("sessions", "--sort", "bytes", "--limit", "1500")["sessions"]]
    check_equal(ids, list(range(2500, 1000, -1)), "the most bytes")
    ids = [s["id"] for s in ctl.json("sessions", "--sort", "bytes")["sessions"]]
    check_equal(ids, list(range(2500, 0, -1)), "all by bytes")
    fake.asked.clear()
    ctl.ask("sessions", "--sort", "bytes", "--limit", "10", "--rule", "a&b", "--client", "::/0")
    path = "/v1/sessions?rule=a%26b&client=%3A%3A%2F0&sort=bytes&limit=10"
    check_equal(fake.asked, [("GET", path)], "the few first are asked for")


@test("ctl: what is elsewhere a steering character is text", modes=ONCE)
def hostile(t):
    refusal = {"error": {"code": "not-found", "message": "no " + EVIL}}
    errors = {"error": {"code": "conflict", "message": EVIL},
              "errors": [{"file": EVIL, "line": 3, "text": EVIL, "warning": False},
                         {"file": "f", "line": 0, "text": EVIL, "warning": True}]}
    row = rule(EVIL, state="paused", upstream=EVIL, listeners=[{"address": EVIL, "state": EVIL}])
    event = session(1, event="ended", at_ms=NOW, end=EVIL, error=EVIL, rule=EVIL, client=EVIL)
    fake = FakeDaemon(t, {
        ("GET", "/v1/status"): (200, {"version": EVIL, "engine": EVIL, "config": {
            "path": EVIL, "reload": {"outcome": EVIL, "error": EVIL}}}),
        ("GET", "/v1/rules"): (200, {"rules": [row]}),
        ("GET", "/v1/sessions"): (200, {"sessions": [session(1, rule=EVIL, client=EVIL)],
                                        "next": None}),
        ("GET", "/v1/sessions/1"): (200, session(1, rule=EVIL, upstream=EVIL)),
        ("POST", "/v1/rules/x/pause"): (200, row),
        ("POST", "/v1/rules/x/drain"): (404, refusal),
        ("POST", "/v1/reload"): (422, errors),
        ("GET", "/v1/events"): (200, (json.dumps(event) + "\n\x1b[2J\n").encode()),
    })
    ctl = Ctl(t, fake.path)
    for args in (("status",), ("rules",), ("sessions",), ("show", "1"), ("pause", "x"),
                 ("drain", "x"), ("reload",), ("tail",)):
        status, out, err = ctl.run(*args)
        check(SHOWN in out + err, "%s: %r %r" % (args, out, err))
        for text in (out, err):
            check(all(c == "\n" or c.isprintable() for c in text), "%s: %r" % (args, text))
        status, out = ctl.on_terminal(*args, columns=400)
        check(SHOWN in out, "%s: %r" % (args, out))
        check(all(c == "\n" or c.isprintable() for c in CSI.sub("", out)), "%s: %r" % (args, out))
        check(set(CSI.findall(out)) <= {"\x1b[%dm" % n for n in (0, 1, 2, 31, 32, 33)},
              "%s: %r" % (args, out))
    for args in (("rules",), ("sessions",), ("show", "1"), ("pause", "x")):
        status, out = ctl.on_terminal(*args, "--json")
        check(all(c == "\n" or " " <= c <= "~" for c in out), "%s --json: %r" % (args, out))
        check_equal(json.loads(out), json.loads(ctl.run(*args, "--json")[1]), args)
    check_equal(json.loads(ctl.run("rules", "--json")[1]), {"rules": [row]}, "the same as it was")


@test("ctl: what is no answer of penstockd's is not taken for one", modes=ONCE)
def strange(t):
    bodies = {"text": (200, b"hello"), "empty": (200, b""), "html": (404, b"<html>"),
              "cut": (200, b'{"rules": ['), "moved": (301, {}), "server": (502, b"")}
    for name, answer in bodies.items():
        fake_path = os.path.join(t.dir, "fake.sock")
        if os.path.exists(fake_path):
            os.unlink(fake_path)
        ctl = Ctl(t, FakeDaemon(t, {("GET", "/v1/rules"): answer}).path)
        check_equal(ctl.run("rules"),
                    (3, "", "penstock: %s: what answers there is not penstockd\n" % ctl.socket),
                    name)
    # Pages that go round in circles, or don't say where they go.
    for last in ({"sessions": [session(1)], "next": 1}, {"sessions": [session(1)]}):
        os.unlink(fake_path)
        circle = [{"sessions": [session(1)], "next": 1}, last]
        ctl = Ctl(t, FakeDaemon(t, {("GET", "/v1/sessions"): (
            200, lambda query: circle["after" in query])}).path)
        check_equal(len(ctl.json("sessions")["sessions"]), 2, "sessions of two pages")
    # Answers of the right form and the wrong kind, which must do no harm.
    os.unlink(fake_path)
    odd = [1, "x", None, [], {}, {"rules": 3}, {"rules": [1, "x", None, [], {}]},
           {"rules": [rule("x", sessions="many", refused=3, listeners={"a": 1})]}]
    ctl = Ctl(t, FakeDaemon(t, {("GET", "/v1/rules"): (200, lambda query: odd[0])}).path)
    while odd:
        status, out, err = ctl.run("rules")
        check(status in (0, 3), "%r: %s %s %s" % (odd.pop(0), status, out, err))


@test("ctl: who hangs up is not penstockd", modes=ONCE)
def hangs_up(t):
    path = t.path("s.sock")
    server = socket.socket(socket.AF_UNIX)
    t.sockets.append(server)
    server.bind(path)
    server.listen()
    said = [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"nonsense\r\n\r\n"]

    def serve():
        for text in said:
            s, _ = server.accept()
            s.recv(65536)
            s.sendall(text)
            s.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    ctl = Ctl(t, path)
    for text in said:
        status, out, err = ctl.run("rules")
        check_equal((status, out), (3, ""), repr(text))
        check(err.startswith("penstock: %s: " % path) and err.count("\n") == 1, err)


@test("ctl: a proxy of the environment is not asked", modes=ONCE)
def no_proxy(t):
    fake = FakeDaemon(t, {("GET", "/v1/rules"): (200, {"rules": []})})
    nowhere = "http://127.0.0.1:%d" % t.port()
    env = {name: nowhere for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")}
    status, out, err = Ctl(t, fake.path).run("rules", env=env)
    check_equal((status, err), (0, ""), "rules")


@test("ctl: tables fit a terminal, and are whole elsewhere", modes=ONCE)
def fit(t):
    long = "a-rule-with-a-name-that-has-no-end-" * 4
    rows = [rule(long), rule("\u65e5\u672c\u8a9e", state="paused"), rule("web", sessions=256)]
    fake = FakeDaemon(t, {("GET", "/v1/rules"): (200, {"rules": rows})})
    ctl = Ctl(t, fake.path)
    out = ctl.ask("rules")
    check("\x1b" not in out and long in out, "piped: %r" % out)
    check_equal(len(out.splitlines()), 4, "lines")
    for columns in (20, 40, 80, 132):
        status, out = ctl.on_terminal("rules", columns=columns)
        lines = CSI.sub("", out).splitlines()
        check_equal((status, len(lines)), (0, 4), "%d columns" % columns)
        check(all(len(l) + sum("\u3000" < c < "\ua000" for c in l) <= columns for l in lines), out)
        check("~" in lines[1], "what was cut is marked: %r" % lines[1])
    status, out = ctl.on_terminal("rules", columns=132)
    check("\x1b[32mrunning\x1b[0m" in out and "\x1b[33mpaused\x1b[0m" in out, "colours: %r" % out)
    for args, env in ((("--no-color",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})):
        status, out = ctl.on_terminal("rules", *args, env=env)
        check("\x1b" not in out and "running" in out, "no colours: %r" % out)
    # Where the locale has no such characters they are escaped.
    status, out, err = ctl.run("rules", env={"LC_ALL": "C"})
    check("\\u65e5\\u672c\\u8a9e" in out and out.isascii(), out)


@test("ctl: a look again and again asks for what can be shown", modes=ONCE)
def screenful(t):
    seen = []

    def answer(query):
        seen.append(query)
        if len(seen) < 3:
            return pages(2500)(query)
        return {"sessions": [session(1, rule="x" * 200)], "next": None} if len(seen) < 5 else b"?"

    fake = FakeDaemon(t, {("GET", "/v1/sessions"): (200, answer)})
    ctl = Ctl(t, fake.path)
    frames = ctl.watched("sessions", "--watch=100ms", columns=60, rows=10, until="not penstockd")
    frames = frames.split("\x1b[H")[1:]
    check_equal(set(seen), {"limit=10"}, "queries")
    for frame, lines in zip(frames, (9, 9, 2, 2)):
        text = CSI.sub("", frame).splitlines()
        check_equal(len(text), lines, "lines of %r" % frame)
        check(all(len(l) <= 60 for l in text), frame)
        check(frame.count("\x1b[K\n") == lines and frame.endswith("\x1b[J"), "%r" % frame)
    check("what answers there is not penstockd" in frames[4], "%r" % frames[4])


@test("ctl: a full disk is an error", modes=ONCE)
def full(t):
    fake = FakeDaemon(t, {("GET", "/v1/rules"): (200, {"rules": []})})
    ctl = Ctl(t, fake.path)
    for args in (("rules",), ("rules", "--json"), ("--help",)):
        with open("/dev/full", "w") as disk:
            child = t.spawn(ctl.argv(*args), stdout=disk, env=ctl.environment())
            check_equal(child.wait(timeout=20), 1, args)


@test("ctl: its command line", modes=ONCE)
def usage(t):
    ctl = Ctl(t, t.path("none.sock"))
    for args, said in (((), "which command?"),
                       (("frob",), 'there is no command "frob"'),
                       (("rules", "--frob"), "unrecognized option '--frob'"),
                       (("rules", "--limit", "3"), "rules has no option --limit"),
                       (("show",), "show needs ID"),
                       (("rules", "web"), 'rules: unexpected argument "web"')):
        check_equal(ctl.run(*args), (2, "", "penstock: %s\nTry 'penstock --help'.\n" % said), args)
    check_equal(ctl.run("show", "x"),
                (2, "", 'penstock: "x" is no session: its id is a number (penstock sessions)\n'),
                "show x")
    help_text = ctl.ask("--help")
    commands = re.findall(r"^  ([a-z-]+) +\S", help_text.split("\n\n")[1], re.M)
    check_equal(len(commands), 16, "commands")
    for command in commands:
        out = ctl.ask(command, "--help")
        check(out.startswith("Usage: penstock %s" % command), out)
    check(re.fullmatch(r"penstock \d\S*\n", ctl.ask("--version")), "the version")


@test("ctl: the manual has every command and option", modes=ONCE)
def manual(t):
    ctl = Ctl(t, t.path("none.sock"))
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../doc/penstock.1.in")
    with open(source) as f:
        text = f.read().replace("\\-", "-")
    options = set()
    for command in re.findall(r"^  ([a-z-]+) +\S", ctl.ask("--help").split("\n\n")[1], re.M):
        check(re.search(r"^\.(TP|TQ)\n\.B\w? .?%s\b" % command, text, re.M), command)
        options |= set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", ctl.ask(command, "--help"), re.M))
    for option in sorted(options):
        check(option in text, "the manual lacks " + option)


@test("ctl: the shells complete every command and option", modes=ONCE)
def completions(t):
    ctl = Ctl(t, t.path("none.sock"))
    here = os.path.dirname(os.path.abspath(__file__))
    words = set(re.findall(r"^  ([a-z-]+) +\S", ctl.ask("--help").split("\n\n")[1], re.M))
    for command in list(words):
        words |= set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", ctl.ask(command, "--help"), re.M))
    for name in ("penstock", "_penstock", "penstock.fish"):
        with open(os.path.join(here, "../../contrib/completions", name)) as f:
            text = f.read()
        for word in sorted(words):
            wanted = "-l %s" % word[2:] if name.endswith(".fish") and word[0] == "-" else word
            check(wanted in text, "%s lacks %s" % (name, word))


@test("ctl: bash completes names of rules", modes=ONCE, needs=("bash",))
def bash(t):
    fake = FakeDaemon(t, {("GET", "/v1/rules"): (200, {"rules": [
        rule("web"), rule("wob"), rule("*"), rule("$(touch %s)" % t.path("evil"))]})})
    ctl = Ctl(t, fake.path)
    here = os.path.dirname(os.path.abspath(__file__))
    script = ('. "$1"; COMP_WORDS=(penstock --socket "$2" "${@:3}"); '
              'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _penstock; echo "${COMPREPLY[*]}"')
    for words, expected in ((("pause", "w"), "web wob"), (("sessions", "--rule", "="), "web wob"),
                            (("sessions", "--so"), "--sort --socket"), (("wait",), "wait-ready")):
        env = ctl.environment()
        env["PATH"] = os.path.dirname(ctl.program) + ":" + env["PATH"]
        out = subprocess.run(["bash", "--norc", "-c", script, "bash",
                              os.path.join(here, "../../contrib/completions/penstock"), fake.path,
                              *words], env=env, stdout=subprocess.PIPE, timeout=20).stdout
        check_equal(out.decode(), expected + "\n", words)
    check(not os.path.exists(t.path("evil")), "a name was run")
