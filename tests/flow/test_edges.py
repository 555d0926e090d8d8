# SPDX-License-Identifier: BSD-2-Clause
"""Corners of the kernel's interface, each of which once cost bytes, a clean reset or a whole CPU."""

import os
import signal
import socket
import struct
import subprocess

from harness import (ENGINE, ONCE, RELAY, Skip, check, check_equal, receive_exactly, reset, test,
                     wait_for)
from test_systemd import passed, target

MEGABYTE = 1 << 20


def rule(t, upstream, **options):
    """A rule that forwards to this listening socket, and where it listens."""
    port = t.port()
    return dict({"listen": "127.0.0.1:%d" % port, "upstream": target(upstream)}, **options), port


def session(t, upstream, port):
    client = t.connect(("127.0.0.1", port))
    other = upstream.accept()[0]
    t.sockets.append(other)
    return client, other


def is_calm(d):
    """Does it use far less than a CPU? Some turns may be slow on a busy machine: one calm one tells."""
    def calm():
        before = d.cpu_seconds()
        subprocess.run(["sleep", "1"], check=True)
        return d.cpu_seconds() - before < 0.5
    wait_for(calm, "penstockd to use less than half a CPU")


@test("a byte sent as urgent stays in the stream", RELAY)
def urgent(t):
    upstream = t.listener()
    r, port = rule(t, upstream)
    d = t.start({"r": r})
    for bulk in (0, MEGABYTE):  # after much, relay = "auto" splices
        client, other = session(t, upstream, port)
        for a, b in ((client, other), (other, client)):
            for _ in range(8 if bulk else 0):
                a.sendall(bytes(bulk))
                receive_exactly(b, bulk)
            a.sendall(b"abc")
            check_equal(receive_exactly(b, 3), b"abc", "before it")
            a.send(b"X", socket.MSG_OOB)
            check_equal(receive_exactly(b, 1), b"X", "the urgent byte")
            a.sendall(b"def")
            check_equal(receive_exactly(b, 3), b"def", "after it")
        is_calm(d)
        client.close()
        other.close()


@test("a listening socket that was shut down by another is no cause to spin", ENGINE, ("systemd",))
def shut_listener(t):
    upstream, listening = t.listener(), t.listener()
    d = passed(t, {"r": {"listen": "systemd:web", "upstream": target(upstream)}}, [listening], ["web"])
    listening.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: "end=no-descriptors" in d.log(), "a line that says that it rests")
    is_calm(d)
    check(d.log().count("end=no-descriptors") < 20, "the log is flooded")


def accept_other(upstream, ours):
    """The next session that is none of ours, or None when the kernel has given up on it."""
    upstream.settimeout(8)
    try:
        while True:
            s, peer = upstream.accept()
            if peer not in ours:
                return s
            s.close()
    except socket.timeout:
        return None


@test("a client's reset while the upstream is being connected is none of a clean end", ENGINE)
def reset_in_dial(t):
    for _ in range(5):  # the kernel may drop the connect that it is all about: then once more
        upstream = t.listener(backlog=0)
        r, port = rule(t, upstream)
        d = t.start({"r": r})
        fillers = [socket.socket() for _ in range(3)]
        for s in fillers:  # its backlog is full: the next connect hangs until one is accepted
            s.setblocking(False)
            s.connect_ex(upstream.getsockname())
        client = t.connect(("127.0.0.1", port))
        wait_for(lambda: d.sockets() > d.baseline_sockets + 1, "the connect to be under way")
        d.signal(signal.SIGSTOP)
        reset(client)
        seen = accept_other(upstream, {s.getsockname() for s in fillers})
        d.signal(signal.SIGCONT)
        for s in fillers:
            s.close()
        d.wait_sessions(1, end="client-reset")
        if seen:
            break
    check(seen, "the upstream never saw the connect")
    seen.settimeout(None)
    try:
        check_equal(seen.recv(1), None, "what the upstream sees, instead of a reset")
    except ConnectionResetError:
        pass
    seen.close()


@test("what the limits promise is kept, down to the last descriptor", ONCE)
def promise(t):
    files, upstream = 200, t.listener()

    def promised(count):
        text = "rules = { r = { listen = \"127.0.0.1:%d\"; upstream = \"%s\"; " \
               "max_connections = %d; relay = \"splice\"; }; };\n" % (port, target(upstream), count)
        run = subprocess.run(["prlimit", "--nofile=%d:%d" % (files, files), t.binary, "--check",
                              "--config", t.write("check.conf", text)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
        return "more descriptors than can be had" not in run.stderr
    _, port = rule(t, upstream)
    most = max(n for n in range(1, files) if promised(n))
    check(most > files // 4, "only %d sessions of %d descriptors" % (most, files))
    r = {"listen": "127.0.0.1:%d" % port, "upstream": target(upstream), "max_connections": most}
    d = t.start({"r": r}, defaults={"relay": "splice"}, files=files)
    check("more descriptors" not in d.log(), "a warning at start, and none at --check")
    # first some that splice, so that pipes are there; then as many as were promised
    for count in (10, most):
        pairs = [session(t, upstream, port) for _ in range(count)]
        for client, other in pairs:
            client.sendall(b"x" * 20000)
            check_equal(len(receive_exactly(other, 20000)), 20000, "bytes through")
        for pair in pairs:
            for s in pair:
                s.close()
        d.settle()
    check("no-descriptors" not in d.log(), "it ran out of descriptors")


@test("with no room for a single session it does not start", ONCE)
def no_room(t):
    d = t.prepare({"rules": {"r": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:1"}}},
                  files=30)
    d.status = 1
    d.spawn()
    check_equal(d.wait_exit(), 1, "exit status")
    check("can be had" in d.log() and "LimitNOFILE" in d.log(), "it does not say why")


@test("pipes that can't be had are not asked for again and again", ENGINE, ("splice", "strace", "root"))
def no_pipes(t):
    upstream = t.listener()
    r, port = rule(t, upstream)
    trace = t.path("trace")
    # beyond this limit an unprivileged user's pipes are too small to be worth having
    d = t.start({"r": r}, daemon={"user": "nobody"}, defaults={"relay": "splice"},
                wrapper=["strace", "-D", "-o", trace, "-e", "trace=pipe2,recvfrom"], notify=False,
                env={"ASAN_OPTIONS": "detect_leaks=0"})  # which can't be while it is traced
    most = int(open("/proc/sys/fs/pipe-user-pages-soft").read()) * os.sysconf("SC_PAGE_SIZE")
    stuck = []
    for _ in range(most // MEGABYTE + 8):  # each holds a pipe, with what its reader does not take
        client, other = session(t, upstream, port)
        client.setblocking(False)
        try:
            while True:
                client.send(bytes(MEGABYTE))
        except BlockingIOError:
            pass
        stuck.append((client, other))
    client, other = session(t, upstream, port)
    for _ in range(64):
        client.sendall(bytes(MEGABYTE))
        receive_exactly(other, MEGABYTE)
    client.close()
    other.close()
    d.wait_sessions(1, end="done")
    pipes = open(trace).read().count("pipe2(")
    check(pipes < len(stuck) + 40, "%d pipes were made for %d sessions" % (pipes, len(stuck) + 1))
    for pair in stuck:
        for s in pair:
            reset(s)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def syn(source, source_port, to, port):
    """A TCP SYN in an IPv4 packet (RFC 9293 section 3.1, RFC 791 section 3.1)."""
    a, b = socket.inet_aton(source), socket.inet_aton(to)

    def segment(check_sum):
        return struct.pack("!HHLLBBHHH", source_port, port, 1, 0, 5 << 4, 2, 65535, check_sum, 0)
    pseudo = a + b + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0, a, b)
    return header + segment(checksum(pseudo + segment(0)))


@test("a flood of half-open connections from forged sources", ENGINE, ("root", "netns", "ip"))
def half_open(t):
    here = "10.9.0.1"
    # All behind one gateway: neighbours are remembered in a table that all networks of the machine
    # share, and other tests run beside this one.
    for command in ("link add flood type veth peer name other",
                    "addr add %s/32 dev flood" % here,
                    "link set flood up", "link set other up",
                    "neigh add 10.8.0.1 lladdr 02:00:00:00:00:01 dev flood nud permanent",
                    "route add 10.9.0.0/16 via 10.8.0.1 dev flood onlink"):
        if subprocess.run(["ip"] + command.split(), check=False).returncode:
            raise Skip("ip %s" % command)
    for name in ("all", "lo", "flood"):
        with open("/proc/sys/net/ipv4/conf/%s/rp_filter" % name, "w") as f:
            f.write("0")
    upstream, port = t.listener(), t.port()
    d = t.start({"r": {"listen": "%s:%d" % (here, port), "upstream": target(upstream)}})

    def come():
        client = t.connect((here, port))
        other = upstream.accept()[0]
        t.sockets.append(other)
        return client, other

    def ping(client, other):
        client.sendall(b"ping")
        check_equal(receive_exactly(other, 4), b"ping", "what comes through")
    bystander = come()
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    most = 0
    for i in range(20000):
        raw.sendto(syn("10.9.%d.%d" % (1 + i % 200, 1 + i // 200 % 250), 1024 + i, here, port),
                   (here, 0))
        if i % 2000 == 0:
            ping(*bystander)
            with open("/proc/net/tcp") as f:
                most = max(most, sum(l.split()[3] == "03" for l in f))  # SYN_RECV
    raw.close()
    check(most > 50, "only %d connections were half-open" % most)
    newcomer = come()
    ping(*newcomer)
    ping(*bystander)
    is_calm(d)
    for s in bystander + newcomer:
        s.close()
    d.wait_sessions(2, end="done")
    check_equal(len(d.sessions()), 2, "sessions")


@test("signals that rotate logs elsewhere do not end it", ONCE)
def other_signals(t):
    upstream = t.listener()
    r, port = rule(t, upstream)
    d = t.start({"r": r})
    for number, word in ((signal.SIGUSR1, "SIGUSR1"), (signal.SIGHUP, "reloaded"),
                         (signal.SIGUSR2, "taken over")):
        d.signal(number)
        wait_for(lambda: word in d.log(), "a line with %s" % word)
    client, other = session(t, upstream, port)
    client.sendall(b"still here")
    check_equal(receive_exactly(other, 10), b"still here", "what comes through")
