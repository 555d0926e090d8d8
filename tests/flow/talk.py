# SPDX-License-Identifier: BSD-2-Clause
"""
The small language of socket calls. A script is one line of steps, run in order:

    u:listen c:connect u:accept c:send(hello) u:expect(hello) c:FIN u:expect-FIN ... end=done in=5

`c` is a client, which talks to penstock; `u` is the upstream of it. c2 and u2 are a second pair,
and so on. `d` is the daemon. Every side reads by itself all the time, unless it is paused.

    u:listen, u:unlisten     open, close the upstream's port
    u:full                   listen, with a backlog so full that no connect is answered
    c:connect                connect to penstock; c:connect(N): to the Nth listener of the rule
    c:expect-refused         connect, and be refused
    c:expect-turned(FIN)     connect, and get that (or RST) without a byte
    u:accept                 take the next connection
    u:nobody                 no connection is waiting to be taken
    X:send(TEXT)             send the text; spaces as _
    X:send(NNk), (NNM)       send that many random bytes; goes on while later steps run
    u:empty                  undo u:full: from now on connects are answered
    X:sent                   wait until the kernel has taken all of it
    X:acked                  wait until the kernel at the other end has it too (TCP)
    X:stuck                  wait until the kernel takes no more of it
    X:pause, X:resume        stop reading, read again
    X:slow(NNk)              read no more than that at a time from now on
    X:pending(N)             wait until N bytes lie unread at a paused side
    X:expect(TEXT), (NNk)    wait for the text; for so many bytes, the ones the other side sent
    X:expect-all             wait for all that the other side has queued so far
    X:drain                  take whatever has come and comes, without a look
    X:FIN                    shutdown(SHUT_WR), when all is sent
    X:RST                    close with a reset, at once
    X:close                  close(2), at once
    X:expect-FIN             wait for the end of the stream, with no byte before it
    X:expect-RST             wait for a reset, with no byte before it
    X:expect-gone            either of them, after whatever bytes
    X:quiet                  nothing has come that was not expected: byte, FIN or RST
    d:TERM, d:INT            send that signal
    d:stop, d:go             let it stand still for some steps, so that it sees them at once
    d:HUP                    reload, and wait for it
    d:upgrade                let it execute itself anew, and wait until the new program is at work
    d:swap                   only the signal for that
    d:taken                  wait until the new program is at work, after d:swap
    d:exit(N)                wait until it ends with that status
    d:logged(END)            wait for a session line with that end
    d:waiting(N)             wait until it holds N sockets more than at its start

Then what the log must say of the client's session: end=A|B, in=N, out=N, in=LOW..HIGH, in=u.got
(what u has read), out=c.got; with c2.end= for another one. No `end=`: no line is looked for.
"""

import fcntl
import os
import re
import select
import signal
import socket
import struct
import termios
import time

from harness import DEADLINE, Failure, check, check_equal, reset, wait_for
from side import Side, short, size_of

STEP = re.compile(r"([a-z]+\d*):([A-Za-z-]+)(?:\(([^)]*)\))?$|(?:(c\d*)\.)?(end|in|out)=(\S+)$")


class Talk:
    def __init__(self, t, text, daemon, listeners, upstream):
        self.t = t
        self.text = text
        self.daemon = daemon
        self.listeners = listeners  # addresses: (host, port) or a path
        self.upstream = upstream
        self.listening = None
        self.fillers = []
        self.accepted = []  # taken by u:empty, for the next u:accept
        self.sides = {}
        self.at = ""
        self.mark = 0  # the log's length at d:swap

    # --- running -----------------------------------------------------------------------------

    def run(self):
        steps = self.text.split()
        expectations = {}
        try:
            for number, step in enumerate(steps):
                self.at = "%s  >>> %s <<<  %s" % (" ".join(steps[:number]), step,
                                                  " ".join(steps[number + 1:]))
                m = STEP.match(step)
                if not m:
                    raise ValueError("no such step: %s" % step)
                side, verb, argument, client, key, value = m.groups()
                if key:
                    expectations.setdefault(client or "c", {})[key] = value
                else:
                    self.step(side, verb, argument)
            self.at = self.text
            for client, wanted in expectations.items():
                self.check_line(client, wanted)
        except Failure as e:
            states = "\n".join(s.state() for s in self.sides.values())
            raise Failure("%s\nscript: %s\n%s" % (e, self.at, states))
        finally:
            for s in self.sides.values():
                if s.socket:
                    s.socket.close()
            for s in self.fillers:
                s.close()
            if self.listening:
                self.listening.close()

    def step(self, name, verb, argument):
        method = getattr(self, "%s_%s" % ("daemon" if name == "d" else "do",
                                          verb.replace("-", "_")), None)
        if method is None:
            raise ValueError("no such step: %s:%s" % (name, verb))
        if name == "d":
            method(argument)
        elif verb in ("listen", "unlisten", "full", "empty", "accept", "nobody", "connect",
                      "expect-refused",
                      "expect-turned"):
            method(name, argument)
        else:
            check(name in self.sides, "%s has no connection yet" % name)
            method(self.sides[name], argument)

    def pump(self, timeout):
        """Let every side send and read what it can."""
        poll = select.poll()
        watched = {}
        for side in self.sides.values():
            if side.socket and not (side.rst and (side.paused or side.fin)):
                watched[side.socket.fileno()] = side
                poll.register(side.socket.fileno(), side.interest())
        for fd, events in poll.poll(timeout * 1000):
            side = watched[fd]
            if side.socket:
                side.pump(events)
            if side.ended() and side.interest() == 0 and not side.paused:
                time.sleep(0.001)  # POLLHUP stays; don't spin on it

    def until(self, condition, what):
        end = time.monotonic() + DEADLINE
        while True:
            self.pump(0)
            if condition():
                return
            if time.monotonic() > end:
                raise Failure("waited in vain: %s" % what)
            self.pump(0.02)

    # --- opening -----------------------------------------------------------------------------

    def family(self, address):
        if isinstance(address, str):
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in address[0] else socket.AF_INET

    def do_listen(self, _name, argument):
        s = socket.socket(self.family(self.upstream))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if s.family == socket.AF_UNIX and os.path.exists(self.upstream):
            os.unlink(self.upstream)
        s.bind(self.upstream)
        s.listen(int(argument or 128))
        s.setblocking(False)
        self.listening = s

    def do_unlisten(self, _name, _argument):
        self.listening.close()
        self.listening = None

    def do_full(self, name, _argument):
        self.do_listen(name, 1)
        # More than the backlog holds; the last ones stay unanswered, and so will ours.
        for _ in range(6):
            s = socket.socket(self.family(self.upstream))
            s.setblocking(False)
            s.connect_ex(self.upstream)
            self.fillers.append(s)

    def do_empty(self, _name, _argument):
        ours = {s.getsockname()[:2] for s in self.fillers}
        for s in self.fillers:
            s.close()
        self.fillers = []
        while True:
            try:
                s, peer = self.listening.accept()
            except BlockingIOError:
                return
            if peer[:2] in ours:
                s.close()
            else:
                self.accepted.append(s)

    def new(self, name, sock):
        side = Side(name, sock)
        self.sides[name] = side
        other = self.sides.get(("u" if name[0] == "c" else "c") + name[1:])
        if other:
            side.peer, other.peer = other, side
        return side

    def do_connect(self, name, argument):
        address = self.listeners[int(argument or 0)]
        s = socket.socket(self.family(address))
        s.settimeout(DEADLINE)
        rst = False
        try:
            s.connect(address)
        except ConnectionResetError:
            rst = True
        except OSError as e:
            raise Failure("connect to penstock at %s: %s" % (address, e))
        self.new(name, s).rst = rst

    def take(self):
        """The next connection at the upstream, or None."""
        if self.accepted:
            return self.accepted.pop(0)
        try:
            return self.listening.accept()[0]
        except BlockingIOError:
            return None

    def do_nobody(self, name, _argument):
        check(self.take() is None, "a connection for %s has come" % name)

    def do_accept(self, name, _argument):
        found = []
        self.until(lambda: found.append(self.take()) or found[-1], "a connection for %s" % name)
        self.new(name, found[-1])

    def do_expect_refused(self, _name, argument):
        def refused():
            address = self.listeners[int(argument or 0)]
            with socket.socket(self.family(address)) as s:
                s.settimeout(DEADLINE)
                try:
                    s.connect(address)
                except (ConnectionRefusedError, FileNotFoundError):
                    return True
                except ConnectionResetError:
                    pass
            return False
        self.until(refused, "%s to be refused" % address_text(self.listeners[int(argument or 0)]))

    def do_expect_turned(self, name, argument):
        self.do_connect(name, None)
        (self.do_expect_FIN if argument == "FIN" else self.do_expect_RST)(self.sides[name], None)

    # --- talking -----------------------------------------------------------------------------

    def do_send(self, side, argument):
        size = size_of(argument)
        side.sent += os.urandom(size) if size else argument.replace("_", " ").encode()
        self.pump(0)

    def do_sent(self, side, _argument):
        self.until(lambda: side.taken == len(side.sent) or side.rst,
                   "%s to have sent all" % side.name)
        check(side.taken == len(side.sent), "%s was reset before it had sent all" % side.name)

    def do_acked(self, side, _argument):
        self.do_sent(side, None)

        def queued():
            return struct.unpack("i", fcntl.ioctl(side.socket, termios.TIOCOUTQ, bytes(4)))[0]
        self.until(lambda: queued() == 0 or side.rst,
                   "all that %s sent to be acknowledged" % side.name)

    def do_stuck(self, side, _argument):
        last = [-1, time.monotonic()]

        def stands():
            if side.taken != last[0]:
                last[:] = [side.taken, time.monotonic()]
            return time.monotonic() - last[1] > 0.3
        self.until(stands, "%s to be stopped by backpressure" % side.name)
        check(side.taken < len(side.sent), "%s was never stopped: all %d bytes were taken"
              % (side.name, len(side.sent)))

    def do_pause(self, side, _argument):
        side.paused = True

    def do_resume(self, side, _argument):
        side.paused = False
        side.read()

    def do_slow(self, side, argument):
        side.chunk = size_of(argument)

    def do_pending(self, side, argument):
        def unread():
            return struct.unpack("i", fcntl.ioctl(side.socket, termios.FIONREAD, bytes(4)))[0]
        self.until(lambda: unread() >= int(argument), "%s bytes unread at %s" % (argument,
                                                                                 side.name))

    def do_expect(self, side, argument):
        size = size_of(argument)
        text = None if size else argument.replace("_", " ").encode()
        count = size or len(text)
        self.until(lambda: len(side.got) - side.seen >= count or side.ended(),
                   "%s to read %s" % (side.name, argument))
        found = side.got[side.seen:side.seen + count]
        check(len(found) == count and (text is None or found == text),
              "%s: expected %s, read %s" % (side.name, argument, short(found)))
        side.seen += count

    def do_expect_all(self, side, _argument):
        self.until(lambda: len(side.got) == len(side.peer.sent) or side.ended(),
                   "%s to read all that %s sent" % (side.name, side.peer.name))
        check_equal(len(side.got), len(side.peer.sent), "bytes that %s read" % side.name)
        side.seen = len(side.got)

    def do_drain(self, side, _argument):
        side.draining = True

    def do_FIN(self, side, _argument):
        self.do_sent(side, None)
        try:
            side.socket.shutdown(socket.SHUT_WR)
        except OSError as e:
            raise Failure("%s can't send FIN: %s" % (side.name, e))

    def do_RST(self, side, _argument):
        reset(side.socket)
        side.socket = None

    def do_close(self, side, _argument):
        side.socket.close()
        side.socket = None

    def ended_clean(self, side, what):
        self.until(lambda: side.ended(), "%s to get %s" % (side.name, what))
        if side.draining:
            side.seen = len(side.got)
        check(len(side.got) == side.seen, "%s: expected %s, but read %s first"
              % (side.name, what, short(side.got[side.seen:])))

    def do_expect_FIN(self, side, _argument):
        self.ended_clean(side, "FIN")
        check(side.fin and not side.rst, "%s: expected FIN, got RST" % side.name)

    def do_expect_RST(self, side, _argument):
        self.until(lambda: side.rst or (side.fin and self.is_last_fin(side)),
                   "%s to get RST" % side.name)
        self.ended_clean(side, "RST")
        check(side.rst, "%s: expected RST, got FIN" % side.name)

    def is_last_fin(self, side):
        """After a FIN a RST can come only while our own direction is open in TCP's eyes."""
        return side.socket.family == socket.AF_UNIX or tcp_state(side.socket) in ("TIME_WAIT",
                                                                                  "CLOSE")

    def do_expect_gone(self, side, _argument):
        self.until(lambda: side.ended(), "%s to get FIN or RST" % side.name)

    def do_quiet(self, side, _argument):
        self.pump(0)
        check(not side.ended() and len(side.got) == side.seen, "%s: something came" % side.name)

    # --- the daemon --------------------------------------------------------------------------

    def daemon_TERM(self, _argument):
        self.daemon.signal(signal.SIGTERM)

    def daemon_INT(self, _argument):
        self.daemon.signal(signal.SIGINT)

    def daemon_stop(self, _argument):
        self.daemon.signal(signal.SIGSTOP)
        self.until(lambda: self.daemon.state() == "T", "penstockd to stand still")

    def daemon_go(self, _argument):
        self.daemon.signal(signal.SIGCONT)
        self.until(lambda: self.daemon.state() == "S", "penstockd to have done all there was")

    def daemon_HUP(self, _argument):
        self.daemon.reload()

    def daemon_upgrade(self, _argument):
        self.daemon.upgrade()

    def daemon_swap(self, _argument):
        self.mark = len(self.daemon.lines())
        self.daemon.signal(signal.SIGUSR2)

    def daemon_taken(self, _argument):
        self.daemon.wait_line(self.mark, "taken over")
        self.daemon.wait_line(self.mark, "listening")

    def daemon_exit(self, argument):
        self.until(lambda: not self.daemon.alive(), "penstockd to end")
        check_equal(self.daemon.process.returncode, int(argument or 0), "exit status of penstockd")

    def daemon_logged(self, argument):
        self.until(lambda: self.daemon.sessions(end=argument), "a line with end=%s" % argument)

    def daemon_waiting(self, argument):
        base = self.daemon.baseline_sockets
        self.until(lambda: self.daemon.sockets() == base + int(argument),
                   "penstockd to hold %s sockets more" % argument)

    def check_line(self, name, wanted):
        """The log line of a client's session."""
        side = self.sides[name]
        match = {}
        if isinstance(side.local, tuple):
            host = "[%s]" if ":" in side.local[0] else "%s"
            match["client"] = (host + ":%d") % side.local[:2]
        line = wait_for(lambda: [s for s in self.daemon.sessions(**match) if "id" in s],
                        "the log line of %s (%r)" % (name, match))
        check_equal(len(line), 1, "log lines of %s" % name)
        line = line[0]
        for key, value in wanted.items():
            value = re.sub(r"([cu]\d*)\.got", lambda m: str(len(self.sides[m.group(1)].got)), value)
            seen = line.get(key, "")
            if ".." in value:
                low, high = value.split("..")
                good = seen.isdigit() and int(low) <= int(seen) <= int(high)
            else:
                good = seen in value.split("|")
            check(good, "log line of %s: expected %s=%s, seen: %s" % (name, key, value, line[""]))


def tcp_state(sock):
    names = ("?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
             "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING")
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
    return names[struct.unpack("B", info[:1])[0]]


def address_text(address):
    if isinstance(address, str):
        return "unix:" + address.replace("\0", "@")
    return ("[%s]:%d" if ":" in address[0] else "%s:%d") % address


def place(t, kind, name):
    """A free address: "4", "6" (TCP), "u" (UNIX path) or "a" (abstract)."""
    if kind == "u":
        return t.path(name + ".sock")
    if kind == "a":
        return "\0" + "penstock-%d-%s" % (os.getpid(), name)
    return ("127.0.0.1" if kind == "4" else "::1", t.port())


def run_script(t, text, over="4-4", rule=None, daemon=None, **options):
    """Run a script against a daemon of its own, over "4-4", "6-u" and so on."""
    client, upstream = over.split("-")
    if "6" in over:
        t.need("ipv6")
    listen = place(t, client, "listen")
    target = place(t, upstream, "upstream")
    config = {"listen": address_text(listen), "upstream": address_text(target)}
    config.update(rule or {})
    d = t.start({"rule": config}, daemon=daemon, **options)
    Talk(t, text, d, [listen], target).run()

