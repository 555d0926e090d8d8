# SPDX-License-Identifier: BSD-2-Clause
"""Where penstock listens and connects to: UNIX sockets, both families, ranges, names."""

import fcntl
import grp
import os
import pwd
import shutil
import signal
import socket
import stat

import harness
from harness import ENGINE, ONCE, check, check_equal, receive_exactly, test, wait_for


def target(upstream):
    return "127.0.0.1:%d" % upstream.getsockname()[1]


def exchange(t, d, address, target_socket, **line):
    """A whole session: hello, a late answer, a line in the log."""
    before = len(d.sessions(end="done"))
    client = t.connect(address)
    other = target_socket.accept()[0]
    other.settimeout(harness.DEADLINE)
    client.sendall(b"hello")
    client.shutdown(socket.SHUT_WR)
    check_equal(receive_exactly(other, 5), b"hello", "what came through")
    check_equal(other.recv(1), b"", "the client's FIN")
    other.sendall(b"late")
    other.close()
    check_equal(receive_exactly(client, 4), b"late", "the late answer")
    check_equal(client.recv(1), b"", "the upstream's FIN")
    client.close()
    seen = d.wait_sessions(before + 1, end="done")[-1]
    for key, value in line.items():
        check_equal(seen[key], value, "%s= in %s" % (key, seen[""]))
    return seen


def fails_to_start(t, d, *words):
    """It ends with 1, and the error has all the words."""
    d.status = 1
    d.spawn()
    check_equal(d.wait_exit(), 1, "exit status")
    for word in words:
        check(word in d.log(), "the error does not say %r" % word)


@test("UNIX listener: mode, owner and group of its file; removed at the end", ONCE)
def unix_file(t):
    upstream = t.listener()
    path = t.path("listen.sock")
    rule = {"listen": "unix:" + path, "upstream": target(upstream), "socket_mode": "0640"}
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        rule["socket_owner"] = "nobody"
        rule["socket_group"] = "nogroup"
        uid, gid = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid
    d = t.start({"r": rule})
    st = os.stat(path)
    check(stat.S_ISSOCK(st.st_mode), "no socket")
    check_equal(oct(stat.S_IMODE(st.st_mode)), "0o640", "mode")
    check_equal((st.st_uid, st.st_gid), (uid, gid), "owner and group")
    exchange(t, d, path, upstream)
    d.settle()
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check(not os.path.exists(path), "the socket file is still there")


@test("UNIX listener: mode by address, and the default", ONCE)
def unix_modes(t):
    upstream = t.listener()
    a, b = t.path("a.sock"), t.path("b.sock")
    t.start({"r": {"listen": ({"address": "unix:" + a, "socket_mode": "0600"}, "unix:" + b),
                   "upstream": target(upstream)}}, preexec=lambda: os.umask(0o077))
    check_equal(oct(stat.S_IMODE(os.stat(a).st_mode)), "0o600", "mode of the first")
    check_equal(oct(stat.S_IMODE(os.stat(b).st_mode)), "0o666",
                "mode of the second, in spite of umask")


@test("UNIX listener: a file that nobody listens on is replaced", ONCE)
def stale_file(t):
    upstream = t.listener()
    path = t.path("stale.sock")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(path)
        old.listen(1)
    check(os.path.exists(path), "the stale file went away by itself")
    d = t.start({"r": {"listen": "unix:" + path, "upstream": target(upstream)}})
    exchange(t, d, path, upstream)


@test("UNIX listener: a daemon that was killed leaves a file that the next one replaces", ONCE)
def after_kill(t):
    upstream = t.listener()
    path = t.path("again.sock")
    rules = {"r": {"listen": "unix:" + path, "upstream": target(upstream)}}
    first = t.start(rules)
    first.signal(signal.SIGKILL)
    first.wait_exit()
    first.checked = True
    check(os.path.exists(path), "the file of a killed daemon is gone")
    exchange(t, t.start(rules), path, upstream)


@test("UNIX listener: of many that start at once on a stale file one gets it", ONCE)
def many_starters(t):
    upstream = t.listener()
    path = t.path("wanted.sock")
    for _ in range(12):
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(path)
        many = [t.prepare({"rules": {"r": {"listen": "unix:" + path,
                                           "upstream": target(upstream)}}}) for _ in range(8)]
        go, gate = os.pipe()  # all wait for its end before they become penstockd
        starter = 'read x < /proc/self/fd/%d; exec "$@"' % go
        for d in many:
            d.options["wrapper"] = ["/bin/sh", "-c", starter, "sh"]
            d.options["pass_fds"] = (go,)
            d.spawn()
        os.close(gate)
        os.close(go)
        wait_for(lambda: sum(not d.alive() for d in many) >= 7, "all but one to end")
        winners = [d for d in many if d.alive()]
        check_equal(len(winners), 1, "how many live")
        for d in many:
            if d not in winners:
                d.status = 1
                check_equal(d.wait_exit(), 1, "exit status")
                check("another process listens on it" in d.log(), "the error is not clear")
        wait_for(lambda: "listening" in winners[0].log(), "the one that lives to be ready")
        client = t.connect(path)
        client.sendall(b"hello")
        while upstream.accept()[0].recv(5) != b"hello":
            pass  # the look that one of the others took
        client.close()
        winners[0].signal(signal.SIGTERM)
        check_equal(winners[0].wait_exit(), 0, "exit status of the one that lived")
        check(not os.path.exists(path), "the socket file is still there")
        check(not os.path.exists(path + ".lock"), "the lock file is still there")


@test("UNIX listener: who keeps its lock is not waited for without end", ONCE)
def lock_is_kept(t):
    path = t.path("kept.sock")
    with open(path + ".lock", "w") as lock:
        lock.write("someone's")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        d = t.prepare({"rules": {"r": {"listen": "unix:" + path, "upstream": "127.0.0.1:9"}}})
        fails_to_start(t, d, path, "penstock-0.conf:", "lock")
        check(not os.path.exists(path), "a socket file was made without the lock")
    d = t.start({"r": {"listen": "unix:" + path, "upstream": "127.0.0.1:9"}})
    with open(path + ".lock") as lock:
        check_equal(lock.read(), "someone's", "the lock file of someone else")


@test("UNIX listener: its file is never changed through a link", ONCE, ("root", "strace"))
def never_through_link(t):
    """Whoever owns the directory puts a link in the place of the file, right after bind(2)."""
    nobody = pwd.getpwnam("nobody")
    for i, extra in enumerate(({}, {"socket_owner": "nobody"}, {"socket_group": "nogroup"})):
        precious = t.write("precious-%d" % i, "data")
        os.chmod(precious, 0o600)
        path = t.path("listen-%d.sock" % i)
        d = t.prepare({"rules": {"r": dict(extra, listen="unix:" + path, socket_mode="0666",
                                           upstream="127.0.0.1:9")}},
                      wrapper=[shutil.which("strace"), "-D", "-qq", "-o", "/dev/null",
                               "-e", "trace=bind", "-e", "inject=bind:delay_exit=500000"],
                      # its search for leaks can't be traced
                      env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        d.spawn()
        wait_for(lambda: os.path.exists(path), "the socket file")
        check_equal(oct(stat.S_IMODE(os.lstat(path).st_mode)), "0o0" if extra else "0o666",
                    "mode of the new file")
        os.symlink(precious, path + ".link")
        os.rename(path + ".link", path)
        wait_for(lambda: not d.alive() or "listening" in d.log(), "penstockd to start or to end")
        st = os.stat(precious)
        check_equal((oct(stat.S_IMODE(st.st_mode)), st.st_uid, st.st_gid), ("0o600", 0, 0),
                    "mode, owner and group of the link's target")
        st = os.lstat(path) if os.path.lexists(path) else st
        check(nobody.pw_uid != st.st_uid and nobody.pw_gid != st.st_gid, "the link was given away")
        if d.alive():
            d.signal(signal.SIGTERM)
            check_equal(d.wait_exit(), 0, "exit status")
        d.checked = True


@test("UNIX listener: a file that somebody listens on is left alone", ONCE)
def live_file(t):
    path = t.path("live.sock")
    other = socket.socket(socket.AF_UNIX)
    other.bind(path)
    other.listen(5)
    inode = os.stat(path).st_ino
    d = t.prepare({"rules": {"r": {"listen": "unix:" + path, "upstream": "127.0.0.1:9"}}})
    fails_to_start(t, d, path, "penstock-0.conf:", "listens")
    check_equal(os.stat(path).st_ino, inode, "the socket file")
    client = t.connect(path)
    other.settimeout(harness.DEADLINE)
    # The first connection may be the look that penstockd took.
    peers = [other.accept()[0]]
    client.sendall(b"x")
    peers[0].settimeout(harness.DEADLINE)
    if not peers[0].recv(1):
        peers.append(other.accept()[0])
        check_equal(peers[1].recv(1), b"x", "what came to the live listener")
    other.close()


@test("UNIX listener: a file that is no socket is left alone", ONCE)
def no_socket(t):
    path = t.write("precious", "data")
    d = t.prepare({"rules": {"r": {"listen": "unix:" + path, "upstream": "127.0.0.1:9"}}})
    fails_to_start(t, d, path, "penstock-0.conf:")
    with open(path) as f:
        check_equal(f.read(), "data", "the file")


@test("UNIX listener: another's file of the same name is not removed at the end", ONCE)
def foreign_file(t):
    path = t.path("mine.sock")
    d = t.start({"r": {"listen": "unix:" + path, "upstream": "127.0.0.1:9"}})
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        d.signal(signal.SIGTERM)
        check_equal(d.wait_exit(), 0, "exit status")
        check(os.path.exists(path), "penstockd removed a file that it did not make")


@test("UNIX listener: no such directory", ONCE)
def no_directory(t):
    d = t.prepare({"rules": {"r": {"listen": "unix:%s/none/x.sock" % t.dir,
                                   "upstream": "127.0.0.1:9"}}})
    d.spawn()
    d.status = d.wait_exit()
    check(d.status in (1, 78), "exit status %d" % d.status)
    check("none/x.sock" in d.log() and "penstock-0.conf:" in d.log(), "the error does not name it")


@test("UNIX listener: owner that does not exist", ONCE)
def no_owner(t):
    d = t.prepare({"rules": {"r": {"listen": "unix:" + t.path("x.sock"),
                                   "socket_owner": "no-such-user", "upstream": "127.0.0.1:9"}}})
    d.spawn()
    d.status = d.wait_exit()
    check(d.status in (1, 78), "exit status %d" % d.status)
    check("no-such-user" in d.log() or "socket_owner" in d.log(), "the error does not say which")
    check(not os.path.exists(t.path("x.sock")), "the socket file is left behind")


@test("abstract sockets on both sides, named in the log", ENGINE)
def abstract(t):
    upstream = socket.socket(socket.AF_UNIX)
    upstream.settimeout(harness.DEADLINE)
    upstream.bind("\0penstock-up-%d" % os.getpid())
    upstream.listen(5)
    t.sockets.append(upstream)
    d = t.start({"r": {"listen": "unix:@penstock-down-%d" % os.getpid(),
                       "upstream": "unix:@penstock-up-%d" % os.getpid()}})
    line = exchange(t, d, "\0penstock-down-%d" % os.getpid(), upstream,
                    upstream="unix:@penstock-up-%d" % os.getpid())
    check("pid=%d" % os.getpid() in line["client"] and "uid=%d" % os.getuid() in line["client"],
          "the client is not told: %s" % line[""])


@test("port ranges: each port to its own", ENGINE)
def ranges(t):
    first, up = t.ports(5), t.ports(5)
    upstreams = [t.listener(("127.0.0.1", up + i)) for i in range(5)]
    d = t.start({"many": {"listen": "127.0.0.1:%d-%d" % (first, first + 4),
                          "upstream": "127.0.0.1:%d-%d" % (up, up + 4)}})
    for i in (0, 4, 2, 1, 3):
        exchange(t, d, ("127.0.0.1", first + i), upstreams[i], upstream="127.0.0.1:%d" % (up + i))


@test("port ranges: many to one", ENGINE)
def many_to_one(t):
    first = t.ports(3)
    upstream = t.listener()
    d = t.start({"many": {"listen": "127.0.0.1:%d-%d" % (first, first + 2),
                          "upstream": target(upstream)}})
    for i in range(3):
        exchange(t, d, ("127.0.0.1", first + i), upstream)


@test("* listens on both families", ENGINE, ("ipv6",))
def dual_stack(t):
    port = t.port()
    upstream = t.listener()
    d = t.start({"both": {"listen": "*:%d" % port, "upstream": target(upstream)}})
    line = exchange(t, d, ("127.0.0.1", port), upstream)
    check(line["client"].startswith("127.0.0.1:"),
          "an IPv4 client is logged as %s" % line["client"])
    line = exchange(t, d, ("::1", port), upstream)
    check(line["client"].startswith("[::1]:"), "an IPv6 client is logged as %s" % line["client"])


@test("an IPv6 wildcard leaves IPv4 alone", ENGINE, ("ipv6",))
def v6only(t):
    port = t.port()
    six, four = t.listener(), t.listener()
    d = t.start({"six": {"listen": "[::]:%d" % port, "upstream": target(six)},
                 "four": {"listen": "0.0.0.0:%d" % port, "upstream": target(four)}})
    exchange(t, d, ("::1", port), six, rule="six")
    exchange(t, d, ("127.0.0.1", port), four, rule="four")


@test("one rule, many kinds of addresses", ENGINE, ("ipv6",))
def mixed(t):
    port, path = t.port(), t.path("mixed.sock")
    upstream = t.listener(family=socket.AF_INET6)
    up = "[::1]:%d" % upstream.getsockname()[1]
    d = t.start({"r": {"listen": ["127.0.0.1:%d" % port, "tcp:[::1]:%d" % port, "unix:" + path],
                       "upstream": up}})
    for address in (("127.0.0.1", port), ("::1", port), path):
        exchange(t, d, address, upstream, upstream=up)


@test("names: /etc/hosts, both families", ENGINE, ("root", "ipv6"))
def names(t):
    harness.own_hosts(t, ["127.0.0.1 four.test", "::1 six.test", "::1 both.test",
                          "127.0.0.1 both.test"])
    four = t.listener()
    port = four.getsockname()[1]
    six = t.listener(("::1", port), socket.AF_INET6)
    ports = [t.port() for _ in range(3)]
    d = t.start({name: {"listen": "127.0.0.1:%d" % ports[i], "upstream": "%s.test:%d" % (name,
                                                                                         port)}
                 for i, name in enumerate(("four", "six", "both"))})
    exchange(t, d, ("127.0.0.1", ports[0]), four, upstream="127.0.0.1:%d" % port)
    exchange(t, d, ("127.0.0.1", ports[1]), six, upstream="[::1]:%d" % port)
    harness.reset(t.connect(("127.0.0.1", ports[2])))
    wait_for(lambda: d.sessions(rule="both"), "a session of the name with both families")
    six.close()
    exchange(t, d, ("127.0.0.1", ports[2]), four, upstream="127.0.0.1:%d" % port)


@test("localhost resolves without a name server", ENGINE)
def localhost(t):
    port = t.port()
    upstream = t.listener()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port,
                       "upstream": "localhost:%d" % upstream.getsockname()[1]}})
    exchange(t, d, ("127.0.0.1", port), upstream)


@test("a name that does not resolve leaves other rules alone, and costs nothing once it is over",
      ENGINE)
def bad_name(t):
    upstream = t.listener()
    good, bad = t.port(), t.port()
    d = t.start({"good": {"listen": "127.0.0.1:%d" % good, "upstream": target(upstream)},
                 "bad": {"listen": "127.0.0.1:%d" % bad, "upstream": "no-such-host.invalid:9",
                         "connect_timeout": "2s"}})
    waiting = []
    for _ in range(20):
        try:
            waiting.append(t.connect(("127.0.0.1", bad)))
        except ConnectionResetError:
            pass  # as fast as that
    exchange(t, d, ("127.0.0.1", good), upstream)
    for s in waiting:
        try:
            data = s.recv(1)
        except ConnectionResetError:
            continue
        check(False, "a client of the bad name read %r instead of RST" % data)
    exchange(t, d, ("127.0.0.1", good), upstream)
    check_equal(len([s for s in d.sessions(rule="bad") if s["end"] in
                     ("resolve-failed", "connect-timeout")]), 20, "lines of the bad name")
