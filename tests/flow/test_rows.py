# SPDX-License-Identifier: BSD-2-Clause
"""TCP as penstock promises it: what happens to one side, and what the other then sees."""

import socket

import harness
from harness import add_test
from talk import Talk, address_text, place, run_script

TCP = ("4-4", "6-6")
ANY = ("4-4", "6-6", "u-u", "4-u", "u-4", "a-a")


def script(name, text, over=("4-4",), modes=harness.RELAY, needs=(), **config):
    for pair in over:
        def function(t, pair=pair):
            run_script(t, text, pair, **config)
        add_test(name + ("" if pair == "4-4" else " (%s)" % pair), function, modes, needs)


OPEN = "u:listen c:connect u:accept "
BUSY = OPEN + "c:send(up) u:expect(up) u:send(down) c:expect(down) "
DONE = "c:FIN u:expect-FIN u:FIN c:expect-FIN "

# --- FIN -------------------------------------------------------------------------------------

script("client FIN first, then a late reply",
       OPEN + "c:send(hello) u:expect(hello) c:FIN u:expect-FIN u:send(late) c:expect(late) u:FIN "
       "c:expect-FIN end=done in=5 out=4", ANY)
script("upstream FIN first, then a late request",
       OPEN + "u:send(hello) c:expect(hello) u:FIN c:expect-FIN c:send(late) u:expect(late) c:FIN "
       "u:expect-FIN end=done in=4 out=5", ANY)
script("both FINs at once",
       BUSY + "c:FIN u:FIN c:expect-FIN u:expect-FIN end=done in=2 out=4", ANY)
script("FIN without a byte, client first", OPEN + DONE + "end=done in=0 out=0", ANY)
script("FIN without a byte, upstream first",
       OPEN + "u:FIN c:expect-FIN c:FIN u:expect-FIN end=done in=0 out=0")
script("client FIN before the upstream accepts",
       "u:listen c:connect c:send(hello) c:FIN u:accept u:expect(hello) u:expect-FIN u:send(bye) "
       "u:FIN "
       "c:expect(bye) c:expect-FIN end=done in=5 out=3", ("4-4", "u-u"))
script("bytes before a FIN wait for a stopped upstream",
       OPEN + "u:pause c:send(200k) c:FIN u:pending(1) u:resume u:expect(200k) u:expect-FIN u:FIN "
       "c:expect-FIN end=done in=204800 out=0", ANY)
script("bytes before a FIN wait for a stopped client",
       OPEN + "c:pause u:send(200k) u:FIN c:pending(1) c:resume c:expect(200k) c:expect-FIN c:FIN "
       "u:expect-FIN end=done in=0 out=204800", ANY)
script("a long answer after the client's FIN",
       OPEN + "c:send(get) c:FIN u:expect(get) u:expect-FIN u:send(5M) c:expect(5M) u:FIN "
       "c:expect-FIN "
       "end=done in=3 out=5242880", ("4-4", "u-u"))
script("a long request after the upstream's FIN",
       OPEN + "u:send(go) u:FIN c:expect(go) c:expect-FIN c:send(5M) u:expect(5M) c:FIN "
       "u:expect-FIN "
       "end=done in=5242880 out=2", ("4-4", "u-u"))
script("both ways at once, and backpressure in both",
       OPEN + "c:pause u:pause c:send(32M) u:send(32M) c:stuck u:stuck c:resume u:resume "
       "c:expect-all "
       "u:expect-all " + DONE + "end=done in=33554432 out=33554432", ANY)
script("one direction stopped, the other goes on",
       OPEN + "u:pause c:send(32M) c:stuck u:send(5M) c:expect(5M) u:resume u:expect-all " + DONE +
       "end=done in=33554432 out=5242880", ("4-4", "u-u"))
script("FIN of one direction passes while the other is stopped",
       OPEN + "c:pause u:send(32M) u:stuck c:send(req) u:expect(req) c:FIN u:expect-FIN c:resume "
       "c:expect-all u:FIN c:expect-FIN end=done in=3 out=33554432", ("4-4", "u-u"))
script("bulk, then chat, then bulk again",
       OPEN + "c:send(8M) u:expect(8M) c:send(a) u:expect(a) u:send(b) c:expect(b) c:send(c) "
       "u:expect(c) "
       "c:send(8M) u:expect(8M) " + DONE + "end=done in=16777218 out=1")

# --- RST of the client -----------------------------------------------------------------------

script("client RST at once", OPEN + "c:RST u:expect-RST end=client-reset in=0 out=0", TCP)
script("client RST after bytes both ways", BUSY + "c:RST u:expect-RST end=client-reset in=2 "
       "out=4", TCP)
script("client RST after its own FIN",
       OPEN + "c:send(up) u:expect(up) c:FIN u:expect-FIN c:RST u:expect-RST end=client-reset "
       "in=2 out=0",
       TCP)
script("client RST after the upstream's FIN",
       OPEN + "u:send(down) c:expect(down) u:FIN c:expect-FIN c:RST u:expect-RST end=client-reset "
       "out=4",
       TCP)
script("client RST after bulk",
       OPEN + "c:send(8M) u:expect(8M) c:RST u:expect-RST end=client-reset in=8388608 out=0")
script("client RST while the upstream does not read",
       OPEN + "u:pause c:send(32M) c:stuck c:RST d:logged(client-reset) u:resume u:drain "
       "u:expect-RST "
       "end=client-reset in=1..33554432 out=0", TCP)
script("client RST while it does not read",
       OPEN + "c:pause u:send(32M) u:stuck c:RST u:expect-RST end=client-reset in=0 "
       "out=1..33554432")
script("client RST after its own FIN while it does not read",
       OPEN + "c:pause c:send(up) c:FIN u:expect(up) u:expect-FIN u:send(32M) u:stuck c:RST "
       "u:expect-RST "
       "end=client-reset in=2 out=1..33554432")
script("client RST after the upstream's FIN while the upstream does not read",
       OPEN + "u:pause u:FIN c:expect-FIN c:send(32M) c:stuck c:RST d:logged(client-reset) "
       "u:resume "
       "u:drain u:expect-RST end=client-reset out=0")
script("client RST after its own FIN while the upstream does not read",
       OPEN + "u:pause c:send(200k) c:FIN u:pending(1) c:RST d:logged(client-reset) u:resume "
       "u:drain "
       "u:expect-RST end=client-reset out=0")
script("client RST while the upstream is being connected",
       "u:full c:connect c:RST d:logged(client-reset) end=client-reset in=0 out=0", TCP)
script("client close with unread bytes is a reset",
       OPEN + "c:pause u:send(down) c:pending(4) c:close u:expect-RST end=client-reset out=4",
       ("4-4", "u-4"))
script("client close, then the upstream sends",
       OPEN + "c:close u:expect-FIN u:send(late) u:expect-RST end=client-reset in=0", ("4-4",
       "u-4"))
script("client RST with a UNIX upstream", BUSY + "c:RST u:expect-gone end=client-reset in=2 out=4",
       ("4-u",))

# --- RST of the upstream ---------------------------------------------------------------------

script("upstream RST at once", OPEN + "u:RST c:expect-RST end=upstream-reset in=0 out=0", TCP)
script("upstream RST after bytes both ways",
       BUSY + "u:RST c:expect-RST end=upstream-reset in=2 out=4", TCP)
script("upstream RST after its own FIN",
       OPEN + "u:send(down) c:expect(down) u:FIN c:expect-FIN u:RST c:expect-RST "
       "end=upstream-reset out=4",
       TCP)
script("upstream RST after the client's FIN",
       OPEN + "c:send(up) u:expect(up) c:FIN u:expect-FIN u:RST c:expect-RST end=upstream-reset "
       "in=2", TCP)
script("upstream RST behind bytes",
       OPEN + "u:send(last_words) u:acked u:RST c:expect(last_words) c:expect-RST "
       "end=upstream-reset in=0 out=10", TCP)
script("upstream RST behind many bytes",
       OPEN + "u:send(8M) u:acked u:RST c:expect(8M) c:expect-RST end=upstream-reset in=0 "
       "out=8388608")
script("upstream RST behind bytes for a client that does not read yet",
       OPEN + "c:pause u:send(300k) u:acked u:RST c:pending(1) c:resume c:expect(300k) "
       "c:expect-RST "
       "end=upstream-reset in=0 out=307200", TCP)
script("upstream RST behind bytes for a client that reads slowly",
       OPEN + "c:slow(1k) u:send(300k) u:acked u:RST c:expect(300k) c:expect-RST "
       "end=upstream-reset in=0 out=307200")
script("upstream RST behind bytes after the client's FIN",
       OPEN + "c:FIN u:expect-FIN c:pause u:send(300k) u:acked u:RST c:resume c:expect(300k) "
       "c:expect-RST "
       "end=upstream-reset in=0 out=307200")
script("upstream RST after both FINs, behind bytes for a client that does not read yet",
       OPEN + "c:pause u:send(300k) u:acked u:close c:pending(1) d:stop c:send(late) c:FIN d:go "
       "c:resume c:expect(300k) c:expect-gone end=upstream-reset|done in=4 out=307200", TCP)
script("client RST after both FINs, behind bytes for an upstream that does not read yet",
       OPEN + "u:pause c:send(100k) c:acked c:close u:pending(1) d:stop u:send(late) u:FIN d:go "
       "u:resume u:expect(100k) u:expect-gone end=client-reset|done in=102400 out=4", TCP)
script("upstream RST for a client that never reads again",
       OPEN + "c:pause u:send(32M) u:stuck u:RST d:logged(upstream-reset) c:resume c:drain "
       "c:expect-RST "
       "end=upstream-reset in=0 out=1..33554432")
script("upstream RST while it does not read",
       OPEN + "u:pause c:send(32M) c:stuck u:RST c:expect-RST end=upstream-reset out=0", TCP)
script("upstream RST after its own FIN while it does not read",
       OPEN + "u:pause u:FIN c:expect-FIN c:send(32M) c:stuck u:RST c:expect-RST "
       "end=upstream-reset out=0")
script("upstream close with unread bytes is a reset",
       OPEN + "u:pause c:send(up) u:pending(2) u:close c:expect-RST end=upstream-reset in=2",
       ("4-4", "4-u"))
script("upstream close, then the client sends",
       OPEN + "u:close c:expect-FIN c:send(late) c:expect-RST end=upstream-reset out=0", ("4-4",
       "4-u"))
script("upstream RST with a UNIX client", BUSY + "u:RST c:expect-gone end=upstream-reset in=2 "
       "out=4",
       ("u-4",))

# --- no connection ---------------------------------------------------------------------------

script("upstream refuses", "c:expect-turned(RST) end=connect-refused in=0 out=0", TCP,
       modes=harness.ENGINE)
script("upstream refuses a client that has sent",
       "c:connect c:send(hello) c:expect-RST end=connect-refused out=0", modes=harness.ENGINE)
script("UNIX upstream that is not there", "c:expect-turned(RST) end=connect-refused|connect-failed",
       ("4-u", "4-a"), modes=harness.ENGINE)
script("UNIX client, upstream refuses", "c:connect c:expect-gone end=connect-refused", ("u-4",),
       modes=harness.ENGINE)
script("upstream refuses, later it works",
       "c:expect-turned(RST) end=connect-refused u:listen c2:connect u2:accept c2:send(hi) "
       "u2:expect(hi) "
       "c2:FIN u2:expect-FIN u2:FIN c2:expect-FIN c2.end=done c2.in=2", modes=harness.ENGINE)
script("upstream does not answer",
       "u:full c:connect c:send(hello) c:expect-RST end=connect-timeout in=0 out=0",
       modes=harness.ENGINE, rule={"connect_timeout": "300ms"})
script("client FIN while the upstream is being connected",
       "u:full c:connect c:send(hello) c:FIN u:empty u:accept u:expect(hello) u:expect-FIN "
       "u:send(bye) "
       "u:FIN c:expect(bye) c:expect-FIN end=done in=5 out=3", modes=harness.RELAY)
script("upstream's name does not resolve",
       "c:expect-turned(RST) end=resolve-failed|connect-timeout in=0 out=0", modes=harness.ENGINE,
       rule={"upstream": "no-such-host.invalid:9", "connect_timeout": "2s"})
script("upstream is unreachable",
       "c:expect-turned(RST) end=connect-failed in=0 out=0", modes=harness.ENGINE, needs=("netns",),
       rule={"upstream": "203.0.113.1:9"})


def second_address(t, first_state):
    """An upstream with two addresses of which the first does not serve."""
    harness.own_hosts(t, ["127.0.0.2 two.test", "127.0.0.1 two.test"])
    listen, target = place(t, "4", "listen"), place(t, "4", "upstream")
    d = t.start({"two": {"listen": address_text(listen), "upstream": "two.test:%d" % target[1],
                         "connect_timeout": "3s"}})
    if first_state == "full":
        busy = t.listener(("127.0.0.2", target[1]), backlog=0)
        for _ in range(6):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(busy.getsockname())
            t.sockets.append(s)
    Talk(t, OPEN + "c:send(hi) u:expect(hi) " + DONE + "end=done in=2 out=0", d, [listen],
    target).run()
    upstream = d.sessions(end="done")[0]["upstream"]
    harness.check_equal(upstream, "127.0.0.1:%d" % target[1], "upstream= in the log line")


add_test("two addresses, the first refuses", lambda t: second_address(t, "closed"), harness.ENGINE,
         ("root",))
add_test("two addresses, the first does not answer", lambda t: second_address(t, "full"),
         harness.ENGINE, ("root",))

# --- timeouts --------------------------------------------------------------------------------

script("half-closed by the client and silent",
       OPEN + "c:send(up) u:expect(up) c:FIN u:expect-FIN u:expect-RST c:expect-RST "
       "end=half-close-timeout in=2 out=0", TCP, rule={"half_close_timeout": "200ms"})
script("half-closed by the upstream and silent",
       OPEN + "u:FIN c:expect-FIN c:expect-RST u:expect-RST end=half-close-timeout in=0 out=0",
       rule={"half_close_timeout": "200ms"})
script("half_close_timeout leaves an open session alone",
       BUSY + "c2:connect u2:accept c2:FIN u2:expect-FIN c2:expect-RST u2:expect-RST c:quiet "
       "u:quiet " +
       DONE + "end=done c2.end=half-close-timeout", rule={"half_close_timeout": "200ms"})
script("half-closed towards an upstream that does not read",
       OPEN + "u:pause c:send(200k) c:FIN d:logged(half-close-timeout) c:expect-RST u:resume "
       "u:drain "
       "u:expect-gone end=half-close-timeout", rule={"half_close_timeout": "300ms"})
script("silent for idle_timeout",
       BUSY + "c:expect-RST u:expect-RST end=idle-timeout in=2 out=4", TCP,
       rule={"idle_timeout": "2s"})
script("idle_timeout with bytes that nobody takes",
       OPEN + "u:pause c:send(32M) c:stuck c:expect-RST u:resume u:drain u:expect-RST "
       "end=idle-timeout",
       rule={"idle_timeout": "1s"})

# --- limits ----------------------------------------------------------------------------------

script("at the limit: drop",
       BUSY + "c2:expect-turned(FIN) d:logged(limit) c:send(still) u:expect(still) " + DONE +
       "end=done in=7 out=4", ("4-4", "u-u"), modes=harness.ENGINE, rule={"max_connections": 1})
script("at the limit: reset",
       BUSY + "c2:expect-turned(RST) d:logged(limit) c:send(still) u:expect(still) " + DONE +
       "end=done in=7 out=4", TCP, modes=harness.ENGINE,
       rule={"max_connections": 1, "on_limit": "reset"})
script("at the limit: wait",
       BUSY + "c2:connect c2:send(second) c:send(still) u:expect(still) u:send(here) "
       "c:expect(here) "
       "c2:quiet u2:nobody " + DONE +
       "u2:accept u2:expect(second) c2:FIN u2:expect-FIN u2:FIN c2:expect-FIN end=done in=7 out=8 "
       "c2.end=done c2.in=6", ("4-4", "6-6"), modes=harness.ENGINE,
       rule={"max_connections": 1, "on_limit": "wait"})
for kind in ("drop", "reset", "wait"):
    script("a place is free again after a session, " + kind,
           BUSY + DONE + "d:logged(done) c2:connect u2:accept c2:RST u2:expect-RST "
           "d:logged(client-reset) "
           "c3:connect u3:accept c3:send(x) u3:expect(x) c3:FIN u3:expect-FIN u3:FIN c3:expect-FIN "
           "end=done c2.end=client-reset c3.end=done", modes=harness.ENGINE,
           rule={"max_connections": 1, "on_limit": kind})
script("a place is free again after a failed connect",
       "c:expect-turned(RST) end=connect-refused u:listen c2:connect u2:accept c2:send(x) "
       "u2:expect(x) "
       "c2:FIN u2:expect-FIN u2:FIN c2:expect-FIN c2.end=done", modes=harness.ENGINE,
       rule={"max_connections": 1})

# --- the end of the daemon -------------------------------------------------------------------

for word in ("TERM", "INT"):
    script("SIG%s: a live session goes on, nobody new comes in" % word,
           BUSY + "d:%s c2:expect-refused c:send(still) u:expect(still) u:send(here) "
           "c:expect(here) " % word +
           DONE + "d:exit(0) end=done in=7 out=8", ("4-4", "u-u"), modes=harness.ENGINE,
           daemon={"drain_timeout": "1h"})
    script("SIG%s: drain_timeout passes" % word,
           BUSY + "d:%s c:expect-gone u:expect-gone d:exit(0) end=shutdown in=2 out=4" % word,
           modes=harness.ENGINE, daemon={"drain_timeout": "300ms"})
    script("SIG%s twice" % word,
           BUSY + "d:%s c2:expect-refused d:%s c:expect-gone u:expect-gone d:exit(0) end=shutdown "
           "in=2 out=4" % (word, word), modes=harness.ENGINE, daemon={"drain_timeout": "1h"})
script("SIGTERM: a session half-closed before goes on",
       BUSY + "c:FIN u:expect-FIN d:TERM c2:expect-refused u:send(5M) c:expect(5M) u:FIN "
       "c:expect-FIN "
       "d:exit(0) end=done in=2 out=5242884", daemon={"drain_timeout": "1h"})
script("SIGTERM with drain_timeout 0", BUSY + "d:TERM c:expect-gone u:expect-gone d:exit(0) "
       "end=shutdown",
       modes=harness.ENGINE, daemon={"drain_timeout": 0})
script("SIGTERM: a cut stream does not look whole",
       OPEN + "c:pause u:send(32M) u:stuck d:TERM d:exit(0) c:resume c:drain c:expect-RST "
       "end=shutdown",
       daemon={"drain_timeout": "100ms"})
script("SIGTERM while a client waits in the backlog",
       BUSY + "c2:connect c2:send(second) c2:quiet d:TERM c2:expect-gone " + DONE + "d:exit(0) "
       "end=done",
       modes=harness.ENGINE, rule={"max_connections": 1, "on_limit": "wait"},
       daemon={"drain_timeout": "1h"})
