# SPDX-License-Identifier: BSD-2-Clause
"""SIGUSR2 where the machine is short of something, among other signals, and with sockets that
others have passed."""

import os
import select
import signal
import socket

from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from pairs import Upstream, is_refused, local, open_pair
from test_systemd import passed


def fill(t, d, up, port):
    """As many sessions as there are descriptors for, and the client who has to wait."""
    pairs = []
    before = len(d.sessions(end="no-descriptors"))
    while len(pairs) < 100:
        client = called(t, port)
        wait_for(lambda: select.select([up.socket], [], [], 0)[0] or
                 len(d.sessions(end="no-descriptors")) > before, "a session, or that there is none")
        if not select.select([up.socket], [], [], 0)[0]:
            return pairs, client
        pairs.append((client, take(up)))
    return pairs, None


def called(t, port):
    client = t.connect(("127.0.0.1", port))
    client.sendall(b"x")
    return client


def take(up):
    """The upstream's side of who has said x."""
    other = up.accept()
    check_equal(other.recv(1), b"x", "what came through")
    return other


def close(pairs):
    for pair in pairs:
        for s in pair:
            s.close()


@test("handover: with all descriptors in use: nothing is lost, and as many can be had", ENGINE)
def descriptors(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}}, files=64)
    pairs, late = fill(t, d, up, port)
    count = len(pairs)
    check(5 < count < 32, "%d sessions with 64 descriptors" % count)
    for _ in range(3):
        d.upgrade()
        for client, other in pairs:
            client.sendall(b"yes")
            check_equal(other.recv(3), b"yes", "what came through")
    close(pairs)
    close([(late, take(up))])
    d.wait_sessions(count + 1, end="done")
    d.settle()
    close([(client, take(up)) for client in [called(t, port) for _ in range(count)]])


@test("handover: sockets passed by systemd go on", ENGINE, ("systemd",))
def passed_sockets(t):
    up, first, second = Upstream(t), t.listener(), t.listener()
    rules = {"a": {"listen": "systemd:one", "upstream": up.address},
             "b": {"listen": "systemd:two", "upstream": up.address}}
    d = passed(t, rules, [first, second], ["one", "two"])
    before = d.listeners()
    pairs = [open_pair(t, s.getsockname(), up) for s in (first, second)]
    for _ in range(3):
        d.upgrade()
        check_equal(d.listeners(), before, "listening sockets")
        d.reload(dict(rules, a=dict(rules["a"], idle_timeout="1h")), failed=0)
        pairs += [open_pair(t, s.getsockname(), up) for s in (first, second)]
    for pair in pairs:
        pair.talk()
        pair.end()
    d.settle()


@test("handover: among many other signals", ENGINE)
def signals(t):
    up, new, port = Upstream(t), Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    pair = open_pair(t, port, up)
    for number in range(200):
        d.signal((signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP)[number % 4])
        if number == 150:
            d.rewrite({"r": {"listen": local(port), "upstream": new.address}}, rename=True)
        if number % 20 == 0:
            pair.talk()
    d.signal(signal.SIGHUP)

    def in_force():
        with t.connect(("127.0.0.1", port)):
            return not new.nobody()
    wait_for(in_force, "the new config to be in force")
    d.reload(changed=0)
    d.upgrade()
    pair.talk()
    pair.end()


@test("handover: a reload that is under way is not forgotten", ENGINE)
def reload_under_way(t):
    up, new, port = Upstream(t), Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    pairs = []
    for number in range(10):
        target = (new, up)[number % 2]
        d.rewrite({"r": {"listen": local(port), "upstream": target.address}})
        start = len(d.lines())
        d.signal(signal.SIGHUP)
        d.signal(signal.SIGUSR2)
        d.wait_line(start, "taken over")
        d.wait_line(start, "listening")
        d.reload(changed=0)
        pairs.append(open_pair(t, port, target))
    for pair in pairs:
        pair.talk()
        pair.end()


@test("handover: no child is left behind, nor the snapshot, nor its variable", ENGINE)
def nothing_left(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    good = d.text
    pair = open_pair(t, port, up)
    for text in (good, "rubbish {", good):
        d.rewrite(text)
        (d.upgrade if text == good else d.upgrade_fails)()
        with open("/proc/%d/task/%d/children" % (d.pid, d.pid)) as f:
            check_equal(f.read().split(), [], "children")
        check(not any("memfd" in link for link in d.fd_list()), "the snapshot is still open")
        pair.talk()
    pair.end()
    d.settle()


@test("handover: a config that was named by a relative path; conf.d; watch_config", ENGINE)
def relative(t):
    up, ports = Upstream(t), [t.port() for _ in range(3)]
    d = t.prepare({"daemon": {"engine": t.engine, "watch_config": True},
                   "rules": {"r": {"listen": local(ports[0]), "upstream": up.address}}})
    d.options["args"] = ["--config", os.path.basename(d.config)]  # it runs in the test's directory
    os.mkdir(t.path("conf.d"))
    extra = 'rules = { x%d = { listen = "%s"; upstream = "%s"; }; };\n'
    d.start()
    pair = open_pair(t, ports[0], up)
    d.upgrade()
    for number, port in enumerate(ports[1:]):
        start = len(d.lines())
        t.write("conf.d/%d.conf" % number, extra % (number, local(port), up.address))
        wait_for(lambda: local(port) in d.listeners(), "the saved file to be read")
        d.wait_line(start, "reloaded")
        d.upgrade()
        open_pair(t, port, up).end()
    check_equal(len(d.listeners()), 3, "listeners")
    pair.talk()
    pair.end()


@test("handover: a listener whose socket file was removed, one whose file is another's", ONCE)
def socket_files(t):
    up, gone, taken = Upstream(t), t.path("gone.sock"), t.path("taken.sock")
    port = t.port()
    d = t.start({"r": {"listen": ["unix:" + gone, "unix:" + taken, local(port)],
                       "upstream": up.address}})
    pairs = [open_pair(t, path, up) for path in (gone, taken)]
    os.unlink(gone)
    os.unlink(taken)
    other = socket.socket(socket.AF_UNIX)
    other.bind(taken)
    t.sockets.append(other)
    d.upgrade()
    for pair in pairs + [open_pair(t, port, up)]:
        pair.talk()
        pair.end()
    d.settle()
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check(os.path.exists(taken), "another's socket file was removed")


@test("handover: an address that the new config can't have: the rule stays as it was", ENGINE)
def address_in_use(t):
    old, new, taken, port = Upstream(t), Upstream(t), Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": old.address}})
    pair = open_pair(t, port, old)
    d.rewrite({"r": {"listen": [local(port), taken.address], "upstream": new.address},
               "new": {"listen": local(t.port()), "upstream": new.address}})
    start = len(d.lines())
    d.upgrade()
    errors = [l[""] for l in d.parsed[start:] if l["level"] == "error"]
    check(len(errors) == 1 and "rule r" in errors[0] and taken.address in errors[0],
          "errors: %r" % errors)
    pair.talk()
    open_pair(t, port, old).end()
    d.upgrade()
    open_pair(t, port, old).end()
    taken.socket.close()
    d.reload(changed=1, failed=0)
    open_pair(t, port, new).end()
    pair.talk()
    pair.end()


@test("handover: a rule left out once its address was in use is there after it", ENGINE)
def left_out(t):
    up, taken, port = Upstream(t), Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    wanted = {"r": {"listen": local(port), "upstream": up.address},
              "late": {"listen": taken.address, "upstream": up.address}}
    d.reload(wanted, failed=1)
    d.upgrade()
    check_equal(len(d.listeners()), 1, "listeners")
    taken.socket.close()
    d.upgrade()
    open_pair(t, int(taken.address.split(":")[1]), up).end()
    d.reload({"r": wanted["r"]}, removed=1)
    check(is_refused(int(taken.address.split(":")[1])), "a removed rule still listens")
    d.upgrade()
    open_pair(t, port, up).end()
    d.settle()
