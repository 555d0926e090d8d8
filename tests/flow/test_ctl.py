# SPDX-License-Identifier: BSD-2-Clause
"""penstock and the daemon that it steers."""

import json
import os
import re
import signal
import socket

from ctl import Ctl, plain, read_line
from harness import ENGINE, ONCE, check, check_equal, receive_exactly, test, wait_for

NOBODY = 65534


class World:
    """A daemon with a control socket, a rule `web` for two sessions at a time, one `dns` of UDP;
    and penstock."""

    def __init__(self, t, **options):
        t.need("control")
        self.t = t
        self.socket = t.path("control.sock")
        self.ctl = Ctl(t, self.socket)
        self.upstream = t.listener()
        self.to = "127.0.0.1:%d" % self.upstream.getsockname()[1]
        self.port, self.udp_port, self.udp_to = t.port(), t.port(), t.port()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # takes all, and says nothing
        t.sockets.append(udp)
        udp.bind(("127.0.0.1", self.udp_to))
        self.rules = {
            "web": {"listen": "127.0.0.1:%d" % self.port, "upstream": self.to,
                    "max_connections": 2},
            "dns": {"listen": "udp:127.0.0.1:%d" % self.udp_port,
                    "upstream": "udp:127.0.0.1:%d" % self.udp_to},
        }
        self.daemon = t.start(self.rules, daemon=dict({"control": self.socket}, **options))

    def names(self, text):
        """Text with our ports called by their names."""
        for port, name in ((self.port, "WEB"), (self.udp_port, "DNS"), (self.udp_to, "DNSUP"),
                           (self.upstream.getsockname()[1], "UP")):
            text = text.replace(":%d" % port, ":" + name)
        return plain(text.replace(self.t.dir, "DIR"))

    def connect(self):
        """A client and its upstream's side, both at work."""
        client = self.t.connect(("127.0.0.1", self.port), own_port=True)
        up, _ = self.upstream.accept()
        self.t.sockets.append(up)
        client.sendall(b"x" * 2048)
        receive_exactly(up, 2048)
        up.sendall(b"y" * 5)
        receive_exactly(client, 5)
        return client, up

    def counted(self):
        """Its bytes are counted a moment after they were passed on."""
        wait_for(lambda: all(s["bytes_in"] == 2048 and s["bytes_out"] == 5
                             for s in self.ctl.json("sessions")["sessions"]), "bytes are counted")

    def live(self):
        return self.ctl.json("status")["sessions"]


def is_reset(s):
    """Has the peer reset it?"""
    try:
        return s.recv(1) is None
    except ConnectionResetError:
        return True


@test("ctl: status, rules and sessions say how it is", modes=ENGINE)
def how_it_is(t):
    w = World(t)
    out = w.names(w.ctl.ask("status"))
    check_equal(re.sub(r"\d+ booked of \d+|watching \d+", "SO MANY", out),
                "penstockd  %s, process PID, up SPAN\n"
                "sessions  0 live, 0 served, 0 refused\n"
                "rules  2, with 2 listeners\n"
                "descriptors  SO MANY\n"
                "engine  %s, SO MANY\n"
                "config  DIR/penstock-0.conf, generation 1, loaded SPAN ago\n"
                "last reload  none yet\n" % (w.ctl.json("status")["version"], t.first_engine),
                "status")
    check_equal(w.names(w.ctl.ask("sessions")),
                "ID  RULE  PROTO  STATE  CLIENT  UPSTREAM  AGE  IDLE  IN  OUT\n", "no sessions")

    client, _ = w.connect()
    w.connect()
    refused = t.connect(("127.0.0.1", w.port))
    check_equal(refused.recv(1), b"", "the third client is refused")
    w.counted()
    check_equal(w.names(w.ctl.ask("rules")),
                "RULE  STATE  LISTEN  UPSTREAM  SESSIONS  OPENED  REFUSED  FAILED  IN  OUT\n"
                "web  running  127.0.0.1:WEB  127.0.0.1:UP  2/2  2  1  0  4.0 KiB  10 B\n"
                "dns  running  udp:127.0.0.1:DNS  udp:127.0.0.1:DNSUP  0/256  0  0  0  0 B  0 B\n",
                "rules")
    first = "127.0.0.1:%d" % client.getsockname()[1]
    out = w.names(w.ctl.ask("sessions", "--rule", "web", "--limit", "1").replace(first, "CLIENT"))
    check_equal(out,
                "ID  RULE  PROTO  STATE  CLIENT  UPSTREAM  AGE  IDLE  IN  OUT\n"
                " 1  web  tcp  open  CLIENT  127.0.0.1:UP  SPAN  SPAN  2.0 KiB  5 B\n", "sessions")
    check_equal(w.names(w.ctl.ask("show", "1").replace(first, "CLIENT")),
                "id  1\nrule  web\nprotocol  tcp\nstate  open\nclient  CLIENT\n"
                "listener  127.0.0.1:WEB\nupstream  127.0.0.1:UP\nstarted  TIME\nage  SPAN\nidle  SPAN\n"
                "connected in  SPAN\nin  2.0 KiB (2048)\nout  5 B (5)\n", "show")


@test("ctl: sessions can be picked and put in order", modes=ONCE)
def picked(t):
    w = World(t)
    client, up = w.connect()
    w.connect()
    w.counted()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.sockets.append(udp)
    udp.connect(("127.0.0.1", w.udp_port))
    udp.send(b"q")
    wait_for(lambda: w.live() == 3, "three sessions")

    def ids(*args):
        return [s["id"] for s in w.ctl.json("sessions", *args)["sessions"]]

    check_equal(ids(), [1, 2, 3], "all")
    check_equal(ids("--rule", "web"), [1, 2], "of a rule")
    check_equal(ids("--client", "127.0.0.0/8", "--limit", "2"), [1, 2], "of a network")
    check_equal(ids("--client", "192.0.2.0/24"), [], "of another")
    check_equal(ids("--older", "1h"), [], "old ones")
    check_equal(ids("--sort", "bytes"), [1, 2, 3], "the most bytes")
    check_equal(ids("--sort", "bytes", "--limit", "1"), [1], "of which the first")
    check_equal(ids("--sort", "idle")[-1], 3, "the least idle")
    client.shutdown(socket.SHUT_WR)
    check_equal(up.recv(1), b"", "a FIN is passed on")
    check_equal(ids("--state", "half-closed"), [1], "half closed")
    out = w.ctl.ask("show", "3")
    check("datagrams in   1\n" in out and "protocol       udp\n" in out, out)
    w.ctl.ask("kill", "--rule", "dns")  # it would not end by itself for a while


@test("ctl: kill ends the sessions that are meant", modes=ONCE)
def kills(t):
    w = World(t)
    client, up = w.connect()
    check_equal(w.ctl.ask("kill", "1"), "1 session killed\n", "kill ID")
    check(is_reset(client) and is_reset(up), "both sides see a reset")
    check_equal(w.ctl.run("kill", "1"), (1, "", "penstock: there is no session 1\n"), "kill again")
    check_equal(w.ctl.run("show", "1"), (1, "", "penstock: there is no session 1\n"), "show it")

    w.connect()
    w.connect()
    check_equal(w.ctl.ask("kill", "--rule", "dns"), "0 sessions killed\n", "of another rule")
    check_equal(w.ctl.ask("kill", "--rule", "web", "--client", "192.0.2.0/24"),
                "0 sessions killed\n", "of another client")
    check_equal(w.live(), 2, "live sessions")
    check_equal(w.ctl.ask("kill", "--rule", "web", "--client", "127.0.0.1"),
                "2 sessions killed\n", "of rule and client")
    w.connect()
    check_equal(w.ctl.ask("kill", "--all"), "1 session killed\n", "all")
    check_equal(w.ctl.json("kill", "--all"), {"killed": 0}, "as JSON")
    usage = "penstock: kill needs an ID, or --rule, --client, --state or --older, or --all\n"
    for args in ((), ("1", "--all"), ("--rule", "web", "--all"), ("1", "--rule", "web")):
        check_equal(w.ctl.run("kill", *args), (2, "", usage), "kill %s" % (args,))


@test("ctl: a rule is paused, resumed and drained", modes=ENGINE)
def steers(t):
    w = World(t, drain_timeout="1h")
    client, up = w.connect()
    check_equal(w.ctl.ask("pause", "web"), "web: paused, 1 session\n", "pause")
    waiting = t.connect(("127.0.0.1", w.port))
    waiting.sendall(b"hello")
    check_equal(w.names(w.ctl.ask("rules")).split("\n")[1].split("  ")[1:3],
                ["paused", "127.0.0.1:WEB"], "its row")
    client.sendall(b"goes on")
    check_equal(receive_exactly(up, 7), b"goes on", "its session goes on")
    check_equal(w.live(), 1, "nobody was let in")
    check_equal(w.ctl.ask("resume", "web"), "web: running, 1 session\n", "resume")
    late, _ = w.upstream.accept()
    t.sockets.append(late)
    check_equal(receive_exactly(late, 5), b"hello", "who waited is let in")
    check_equal(w.ctl.ask("drain", "web"), "web: draining, 2 sessions\n", "drain")
    check_equal(w.ctl.json("resume", "web")["state"], "running", "as JSON")
    check_equal(w.ctl.run("pause", "wob"), (1, "", 'penstock: there is no rule "wob"\n'), "unknown")


@test("ctl: reload tells what has changed", modes=ONCE)
def reloads(t):
    w = World(t)
    d = w.daemon

    def write(text):
        with open(d.config, "w") as f:
            f.write(text)

    def rule(name, port, more=""):
        return '%s = { listen = "127.0.0.1:%d"; upstream = "%s"; %s};\n' % (name, port, w.to, more)

    head = 'daemon = { control = "%s"; engine = "%s"; };\n' % (w.socket, t.engine)
    other, taken = t.port(), t.listener().getsockname()[1]
    good = head + "rules = { %s%s};\n" % (rule("web", w.port, "max_connections = 3; "),
                                          rule("more", other))
    write(good)
    check_equal(w.ctl.ask("reload"),
                "reloaded: 1 added, 1 removed, 1 changed, 0 failed (generation 2)\n", "a reload")
    check_equal(w.ctl.json("reload")["generation"], 3, "as JSON")

    write(good + "x = 1;\nrules_ = 2;\n")
    status, out, err = w.ctl.run("reload")
    lines = err.split("\n")
    check_equal((status, out), (1, ""), "a reload with errors")
    check(lines[0].startswith(d.config + ":5: ") and lines[1].startswith(d.config + ":6: "), err)
    check(lines[-2].startswith("penstock: "), err)
    status, out, err = w.ctl.run("reload", "--json")
    check_equal(([e["line"] for e in json.loads(out)["errors"]], status), ([5, 6], 1), "as JSON")
    check("failed SPAN ago: " in plain(w.ctl.ask("status")), "status says that it failed")

    write(head + "rules = { %s%s};\n" % (rule("web", w.port), rule("more", taken)))
    status, out, err = w.ctl.run("reload")
    check_equal(status, 1, "a rule that could not change")
    check_equal(err, '%s:3: rule "more": cannot listen on 127.0.0.1:%d: Address already in use: '
                "another socket is bound to it; the rule stays as it was\n"
                "penstock: 1 rule or option could not change\n" % (d.config, taken), "reload")


@test("ctl: tail tells what happens, until it is enough", modes=ENGINE)
def tails(t):
    w = World(t)
    # Where the tests run in the background nobody else is to be interrupted, and so it is inherited.
    child = w.ctl.spawn("tail", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    check_equal(plain(read_line(child)).split(",")[1], " process PID\n", "the first line")
    client, up = w.connect()
    me = "127.0.0.1:%d" % client.getsockname()[1]
    check_equal(w.names(read_line(child).replace(me, "CLIENT")),
                "TIME opened  web #1 CLIENT\n", "opened")
    client.close()
    up.close()
    check_equal(w.names(read_line(child).replace(me, "CLIENT")),
                "TIME ended  web #1 CLIENT > 127.0.0.1:UP done, 2.0 KiB in, 5 B out, SPAN\n",
                "ended")
    w.ctl.ask("reload")
    check_equal(plain(read_line(child)),
                "TIME reloaded ok: 0 added, 0 removed, 0 changed, 0 failed\n", "reloaded")
    child.send_signal(signal.SIGINT)
    check_equal(child.wait(timeout=20), -signal.SIGINT, "it ends by the signal")
    check_equal(child.stderr.read(), b"", "without a word")

    # Nobody reads what it prints any more.
    child = w.ctl.spawn("tail", "--json")
    check_equal(json.loads(read_line(child))["event"], "hello", "the first event")
    child.stdout.close()
    w.connect()
    check_equal(child.wait(timeout=20), -signal.SIGPIPE, "it ends by the signal")
    check_equal(child.stderr.read(), b"", "without a word")

    # Nor where that signal is ignored, as service managers have it.
    child = w.ctl.spawn("tail", restore_signals=False)
    read_line(child)
    child.stdout.close()
    w.ctl.ask("kill", "--all")
    check_equal((child.wait(timeout=20), child.stderr.read()), (1, b""), "it ends")

    child = w.ctl.spawn("tail")
    read_line(child)
    w.daemon.signal(signal.SIGTERM)
    w.daemon.wait_exit()
    out, err = child.communicate(timeout=20)
    check_equal((child.returncode, err.decode()),
                (3, "penstock: %s: penstockd has ended the stream\n" % w.socket), "a stop")


@test("ctl: check and wait-ready do without a daemon", modes=ONCE)
def local(t):
    t.need("control")
    path = t.path("control.sock")
    ctl = Ctl(t, path)
    to = t.listener().getsockname()[1]
    d = t.prepare({"daemon": {"control": path},
                   "rules": {"r": {"listen": "127.0.0.1:%d" % t.port(),
                                   "upstream": "127.0.0.1:%d" % to}}})
    good = ctl.ask("check", "--config", d.config)
    check(good.startswith(d.config + ": ok, 1 rules, 1 addresses\n"), good)
    bad = t.write("bad.conf", "rules = 3;\n")
    status, out, err = ctl.run("check", "--config", bad)
    check(status == 78 and err.startswith(bad + ":1: "), "%d: %s" % (status, err))

    status, out, err = ctl.run("wait-ready", "--timeout", "100ms")
    check_equal((status, out), (3, ""), "nobody answers in time")
    check(err.startswith("penstock: %s: there is no such socket" % path), err)
    waiting = ctl.spawn("wait-ready", "--timeout", "off")
    d.spawn()
    check_equal(waiting.communicate(timeout=20), (b"", b""), "what it says")
    check_equal(waiting.returncode, 0, "it is ready")
    # It knows which config the daemon runs with.
    check(ctl.ask("check").startswith(d.config + ": ok"), "check asks the daemon")
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "its end")


@test("ctl: with the daemon down it says what helps", modes=ONCE)
def down(t):
    path = t.path("none.sock")
    ctl = Ctl(t, path)
    gone = socket.socket(socket.AF_UNIX)
    t.sockets.append(gone)
    gone.bind(t.path("gone.sock"))
    for command in (("status",), ("rules",), ("sessions",), ("show", "1"), ("kill", "--all"),
                    ("pause", "r"), ("resume", "r"), ("drain", "r"), ("reload",), ("tail",),
                    ("status", "--json"), ("sessions", "--watch")):
        check_equal(ctl.run(*command),
                    (3, "", "penstock: %s: there is no such socket: is penstockd running "
                     "(systemctl start penstockd), and is this its daemon.control?\n" % path),
                    command)
    ctl.socket = t.path("gone.sock")
    check_equal(ctl.run("status"),
                (3, "", "penstock: %s: nobody listens there: penstockd has ended, or this is not "
                 "its daemon.control (systemctl status penstockd)\n" % ctl.socket), "a dead socket")
    status, out, err = ctl.run("status", env={"PENSTOCK_SOCKET": path})
    check(ctl.socket in err, "--socket goes before PENSTOCK_SOCKET")


@test("ctl: who may not is told who may", modes=ONCE, needs=("root",))
def denied(t):
    w = World(t)

    def nobody():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    check_equal(w.ctl.run("status", preexec_fn=nobody),
                (3, "", "penstock: %s: permission denied, it is for root:root (mode 0660): use sudo"
                 "\n" % w.socket), "a closed socket")
    os.chown(w.socket, 0, 1)
    status, out, err = w.ctl.run("status", preexec_fn=nobody)
    check("root:daemon (mode 0660): be in group daemon, or use sudo" in err, err)
    os.chown(w.socket, 0, 0)
    os.chmod(t.dir, 0o700)
    check_equal(w.ctl.run("status", preexec_fn=nobody),
                (3, "", "penstock: %s: permission denied, its directory is closed to you: use "
                 "sudo\n" % w.socket), "a closed directory")
    os.chmod(t.dir, 0o755)
    # Who may connect may read, and no more.
    os.chmod(w.socket, 0o666)
    w.connect()
    check_equal(w.ctl.run("rules", "--json", preexec_fn=nobody)[0], 0, "reading")
    status, out, err = w.ctl.run("kill", "--all", preexec_fn=nobody)
    check_equal((status, out), (1, ""), "killing")
    check(err.startswith("penstock: only root, "), err)
    check_equal(w.live(), 1, "live sessions")


@test("ctl: a look again and again survives a restart", modes=ONCE)
def watches(t):
    w = World(t)
    child = w.ctl.spawn("status", "--json", "--watch=100ms")
    first = json.loads(read_line(child))
    check_equal(first["config"]["generation"], 1, "the first look")
    w.daemon.signal(signal.SIGTERM)
    w.daemon.wait_exit()
    t.start(w.rules, daemon={"control": w.socket})

    def restarted():
        return json.loads(read_line(child))["pid"] != first["pid"]

    wait_for(restarted, "a look at the next one")
    child.stdout.close()
    check_equal(child.wait(timeout=20), -signal.SIGPIPE, "it ends with its reader")


@test("ctl: names that look like something else stay names", modes=ONCE)
def names(t):
    w = World(t)
    for name in ("../status", "a/b", "web/pause", "x?y=z", "%00", "a b", "#", "\x1b[2J", "\u202e"):
        status, out, err = w.ctl.run("pause", name)
        check_equal((status, out), (1, ""), "pause %r" % name)
        check(err.startswith("penstock: there is no ") and err[:-1].isprintable(), "%r" % err)
    check_equal(w.ctl.run("pause", "--", "--all")[0], 1, "pause -- --all")
    check_equal([r["state"] for r in w.ctl.json("rules")["rules"]], ["running"] * 2, "all go on")


@test("ctl: rules tells of sessions that did not get to the upstream", modes=ONCE)
def unreached(t):
    w = World(t)
    w.upstream.close()
    for count in (1, 2):
        client = socket.socket()
        t.sockets.append(client)
        client.connect_ex(("127.0.0.1", w.port))  # it is reset, which may be told here
        w.daemon.wait_sessions(count)
    check_equal(plain(w.ctl.ask("rules")).split("\n")[1],
                "web  running  127.0.0.1:%d  %s  0/2  2  0  2  0 B  0 B" % (w.port, w.to), "web")
