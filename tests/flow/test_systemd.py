# SPDX-License-Identifier: BSD-2-Clause
"""What penstockd says to a service manager, and the sockets that it is given."""

import json
import os
import re
import shutil
import signal
import socket
import time

from daemon import NotifySocket
from harness import ENGINE, ONCE, check, check_equal, receive_exactly, test, wait_for


def forward(t, client, upstream, text):
    """One exchange over a fresh session; gives both ends."""
    other = upstream.accept()[0]
    t.sockets.append(other)
    client.sendall(text)
    check_equal(receive_exactly(other, len(text)), text, "what came through")
    return client, other


def target(upstream):
    return "127.0.0.1:%d" % upstream.getsockname()[1]


@test("READY, STATUS with live counts, STOPPING", ENGINE, ("systemd",))
def notify(t):
    upstream = t.listener()
    port = t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "upstream": target(upstream)}})
    check_equal(d.notify.count("READY=1"), 1, "READY=1")
    check(d.notify.values("STATUS"), "READY came without a STATUS")

    def status(count):
        return any(re.search(r"\b%d sessions?\b" % count, s) for s in d.notify.values("STATUS"))
    pairs = [forward(t, t.connect(("127.0.0.1", port)), upstream, b"x") for _ in range(3)]
    wait_for(lambda: status(3), lambda: "a STATUS with 3 sessions: %r" % d.notify.values("STATUS"))
    seen = len(d.notify.values("STATUS"))
    for _ in range(200):
        client, other = forward(t, t.connect(("127.0.0.1", port)), upstream, b"y")
        client.close()
        other.close()
    d.wait_sessions(200, end="done")
    wait_for(lambda: any("200 served" in s for s in d.notify.values("STATUS")),
             lambda: "a STATUS with 200 served: %r" % d.notify.values("STATUS")[-1])
    check(len(d.notify.values("STATUS")) - seen < 100, "STATUS is not rate-limited")
    check_equal(d.notify.count("STOPPING=1"), 0, "STOPPING=1 before the end")
    check_equal(d.notify.count("WATCHDOG=1"), 0, "WATCHDOG=1 though nobody asked for it")
    for pair in pairs:
        for s in pair:
            s.close()
    d.settle()
    d.signal(signal.SIGTERM)
    wait_for(lambda: d.notify.count("STOPPING=1") == 1, "STOPPING=1")
    check_equal(d.wait_exit(), 0, "exit status")
    check_equal(d.notify.count("READY=1"), 1, "READY=1 in the end")


@test("READY comes only when every listener is bound", ONCE, ("systemd",))
def ready_is_late(t):
    taken = t.listener()
    d = t.prepare({"rules": {"r": {"listen": ["127.0.0.1:%d" % t.port(), target(taken)],
                                   "upstream": "127.0.0.1:9"}}})
    d.status = 1
    d.spawn()
    check_equal(d.wait_exit(), 1, "exit status")
    check_equal(d.notify.count("READY=1"), 0, "READY=1 of a daemon that could not start")


@test("WATCHDOG=1 comes from a live loop, and none from a stopped one", ENGINE, ("systemd",))
def watchdog(t):
    upstream = t.listener()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % t.port(), "upstream": target(upstream)}},
                env={"WATCHDOG_USEC": "200000"})
    wait_for(lambda: d.notify.count("WATCHDOG=1") >= 5, "WATCHDOG=1")
    d.signal(signal.SIGSTOP)
    wait_for(lambda: d.state() == "T", "penstockd to stand still")
    seen = d.notify.count("WATCHDOG=1")
    time.sleep(0.6)  # three times what the manager allows; there is nothing to wait for
    check_equal(d.notify.count("WATCHDOG=1"), seen, "WATCHDOG=1 of a stopped process")
    d.signal(signal.SIGCONT)
    wait_for(lambda: d.notify.count("WATCHDOG=1") >= seen + 3, "WATCHDOG=1 again")


@test("a watchdog that is meant for another process is none of ours", ONCE, ("systemd",))
def foreign_watchdog(t):
    upstream = t.listener()
    port = t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "upstream": target(upstream)}},
                env={"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"})
    client, other = forward(t, t.connect(("127.0.0.1", port)), upstream, b"x")
    wait_for(lambda: len(d.notify.values("STATUS")) >= 2, "a second STATUS")
    check_equal(d.notify.count("WATCHDOG=1"), 0, "WATCHDOG=1")
    client.close()
    other.close()


def fill(manager):
    """Until nothing more goes in."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        while True:
            try:
                s.sendto(b"FILL=1", manager.path)
            except BlockingIOError:
                return


def deaf_manager(t):
    """A manager that does not read, and a daemon under it; its port and upstream."""
    manager = NotifySocket(t.path("deaf"))
    t.sockets.append(manager)
    fill(manager)
    upstream = t.listener()
    port = t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "upstream": target(upstream)}},
                notify=False, env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"})
    d.baseline = None  # a descriptor may be open for an attempt at any time
    return manager, d, port, upstream


@test("a manager that does not read keeps no session and no SIGTERM waiting", ENGINE,
      ("systemd",))
def manager_is_deaf(t):
    _, d, port, upstream = deaf_manager(t)
    for _ in range(300):
        client, other = forward(t, t.connect(("127.0.0.1", port)), upstream, b"x")
        client.close()
        other.close()
    d.wait_sessions(300, end="done")
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")


@test("READY, WATCHDOG and STOPPING reach a manager that reads late", ENGINE, ("systemd",))
def manager_is_late(t):
    manager, d, port, upstream = deaf_manager(t)
    wait_for(lambda: manager.count("READY=1"), "READY=1")
    wait_for(lambda: manager.count("WATCHDOG=1") >= 3, "WATCHDOG=1")
    client, other = forward(t, t.connect(("127.0.0.1", port)), upstream, b"x")
    fill(manager)
    d.signal(signal.SIGTERM)
    wait_for(lambda: re.search(r"msg\W+stopping", d.log()), "penstockd to stop")
    wait_for(lambda: manager.count("STOPPING=1"), "STOPPING=1")
    client.close()
    other.close()
    check_equal(d.wait_exit(), 0, "exit status")
    for line in ("READY=1", "STOPPING=1"):
        check_equal(manager.count(line), 1, line)


# --- sockets that are passed -----------------------------------------------------------------

def passed(t, rules, sockets, names, **options):
    """A daemon that is given sockets as sd_listen_fds(3) has it. `rules` may be a whole config."""
    blockers = []  # the numbers from 3 on must not be something that the start itself uses
    while not blockers or blockers[-1] < 12:
        blockers.append(os.open("/dev/null", os.O_RDONLY))

    def place():
        high = [os.dup(s.fileno()) for s in sockets]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
    wrapper = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
    config = {"daemon": {"engine": t.engine}, "rules": rules} if isinstance(rules, dict) else rules
    d = t.prepare(config, wrapper=wrapper, preexec=place, pass_fds=range(3, 3 + len(sockets)),
                  env=dict({"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(names)},
                           **options.pop("env", {})), **options)
    try:
        d.start()
    finally:
        for fd in blockers:
            os.close(fd)
    return d


@test("sockets passed by hand, found by name", ENGINE, ("systemd",))
def listen_fds(t):
    one, two = t.listener(), t.listener()
    first, second, third = t.listener(), t.listener(), t.listener()
    d = passed(t, {"a": {"listen": "systemd:first", "upstream": target(one)},
                   "b": {"listen": ["systemd:second", "127.0.0.1:%d" % t.port()],
                         "upstream": target(two)}},
               [second, first, third], ["second", "first", "second"])
    for listener, upstream, rule in ((first, one, "a"), (second, two, "b"), (third, two, "b")):
        client, other = forward(t, t.connect(listener.getsockname()), upstream, b"hello")
        client.close()
        other.close()
        wait_for(lambda: d.sessions(rule=rule, end="done"), "the line of rule %s" % rule)
    check_equal(len(d.wait_sessions(2, rule="b")), 2, "sessions of rule b")


@test("a passed UNIX socket", ONCE, ("systemd",))
def listen_unix(t):
    upstream = t.listener()
    path = t.path("passed.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(5)
    d = passed(t, {"a": {"listen": "systemd:web", "upstream": target(upstream)}}, [listener],
               ["web"])
    client, other = forward(t, t.connect(path), upstream, b"hello")
    client.close()
    other.close()
    d.wait_sessions(1, end="done")
    d.settle()
    d.signal(signal.SIGTERM)
    d.wait_exit()
    check(os.path.exists(path), "the manager's socket file was removed")


@test("a socket that nobody passed is an error", ONCE)
def not_passed(t):
    d = t.prepare({"rules": {"a": {"listen": "systemd:web", "upstream": "127.0.0.1:9"}}})
    d.status = 1
    d.spawn()
    check(d.wait_exit() in (1, 78), "exit status %d" % d.process.returncode)
    d.status = d.process.returncode
    log = d.log()
    check("web" in log and "a" in log, "the error does not name the socket")


@test("a limit holds on a passed socket", ONCE, ("systemd",))
def passed_limit(t):
    upstream, listener = t.listener(), t.listener()
    passed(t, {"a": {"listen": ({"address": "systemd:web", "max_connections": 1},),
                     "on_limit": "reset", "upstream": target(upstream)}}, [listener], ["web"])
    client, other = forward(t, t.connect(listener.getsockname()), upstream, b"hello")
    try:
        data = t.connect(listener.getsockname()).recv(1)
    except ConnectionResetError:
        data = None
    check_equal(data, None, "what the second client got")
    client.close()
    other.close()


@test("systemd-socket-activate with two names", ENGINE, ("systemd", "systemd-socket-activate"))
def socket_activate(t):
    web, ssh = t.listener(), t.listener()
    ports = t.port(), t.port()
    d = t.prepare({"daemon": {"engine": t.engine},
                   "rules": {"web": {"listen": "systemd:web", "upstream": target(web)},
                             "ssh": {"listen": "systemd:ssh", "upstream": target(ssh)}}})
    d.options["wrapper"] = [shutil.which("systemd-socket-activate"),
                            "--listen=127.0.0.1:%d" % ports[0], "--listen=127.0.0.1:%d" % ports[1],
                            "--fdname=web:ssh", "--setenv=NOTIFY_SOCKET=" + d.notify.path]
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            d.options["wrapper"].append("--setenv=%s=%s" % (name, os.environ[name]))
    d.spawn()

    def listening():
        try:
            with socket.create_connection(("127.0.0.1", ports[1])):
                return True
        except ConnectionRefusedError:
            return False
    wait_for(listening, "systemd-socket-activate to listen")  # this client also starts penstockd
    wait_for(lambda: d.notify.count("READY=1"), "READY=1")
    d.baseline = None
    ssh.accept()[0].close()
    wait_for(lambda: len(d.sessions()) == 1, "the session of the first client to end")
    base = d.fds()
    for port, upstream, rule in ((ports[0], web, "web"), (ports[1], ssh, "ssh")):
        client, other = forward(t, t.connect(("127.0.0.1", port)), upstream, b"hello")
        client.shutdown(socket.SHUT_WR)
        check_equal(other.recv(1), b"", "the end of the stream")
        other.sendall(b"late")
        other.close()
        check_equal(receive_exactly(client, 4), b"late", "the late answer")
        client.close()
    line = wait_for(lambda: d.sessions(rule="web", end="done"), "the line of rule web")[0]
    check_equal((line["in"], line["out"]), ("5", "4"), line[""])
    wait_for(lambda: d.fds() == base, "descriptors back to where they were")
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check_equal(d.notify.count("STOPPING=1"), 1, "STOPPING=1")


@test("log lines carry their priority when standard error is the journal", ONCE)
def journal_prefix(t):
    upstream = t.listener()
    port = t.port()
    d = t.prepare({"daemon": {"log_target": "stderr"},
                   "rules": {"r": {"listen": "127.0.0.1:%d" % port, "upstream": target(upstream)}}})
    open(d.log_path, "w").close()
    st = os.stat(d.log_path)
    d.options["env"] = {"JOURNAL_STREAM": "%d:%d" % (st.st_dev, st.st_ino)}
    d.start()
    client, other = forward(t, t.connect(("127.0.0.1", port)), upstream, b"x")
    client.close()
    other.close()
    d.wait_sessions(1, end="done")
    for line in d.log().splitlines():
        check(re.match(r"<[3-7]>", line), "no priority: %s" % line)
        check("time=" not in line, "the journal has the time itself: %s" % line)


@test("JSON lines", ONCE)
def json_lines(t):

    upstream = t.listener()
    port = t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port, "upstream": target(upstream)}},
                daemon={"log_format": "json"}, notify=t.features.get("systemd") == "yes")
    client, other = forward(t, t.connect(("127.0.0.1", port)), upstream, b"hello")
    client.close()
    other.close()

    def session():
        lines = [json.loads(l) for l in d.log().splitlines() if l.startswith("{")]
        return [l for l in lines if "end" in l]
    line = wait_for(session, "the session's line")[0]
    check_equal((line["rule"], line["end"], line["in"], line["out"]), ("r", "done", 5, 0),
                str(line))
