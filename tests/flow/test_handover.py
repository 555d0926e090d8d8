# SPDX-License-Identifier: BSD-2-Clause
"""SIGUSR2: the program executes itself anew, with a session in each stage, and neither side can
tell."""

from harness import ENGINE
from test_rows import ANY, BUSY, DONE, OPEN, TCP, script

TALK = "c:send(more) u:expect(more) u:send(again) c:expect(again) "


def handover(name, text, *args, **options):
    script("handover: " + name, text, *args, **options)


handover("an idle session", BUSY + "d:upgrade " + TALK + DONE + "end=done in=6 out=9", ANY)
handover("a session without a byte", OPEN + "d:upgrade " + TALK + DONE + "end=done in=4 out=5")
handover("again and again", BUSY + "d:upgrade " * 5 + TALK + "d:upgrade " + TALK + DONE +
         "end=done in=10 out=14", ANY)
handover("reloads between", BUSY + "d:HUP d:upgrade d:HUP " + TALK + "d:upgrade " + DONE +
         "end=done in=6 out=9")
handover("two signals at once", BUSY + "d:swap d:swap d:taken " + TALK + DONE +
         "end=done in=6 out=9")

# --- bytes under way -------------------------------------------------------------------------

handover("in the middle of a transfer both ways",
         OPEN + "c:send(24M) u:send(24M) u:expect(1M) d:upgrade c:expect(4M) d:upgrade "
         "u:expect(8M) d:upgrade c:expect-all u:expect-all " + DONE +
         "end=done in=25165824 out=25165824", ANY)
handover("both ways stopped by backpressure",
         OPEN + "c:pause u:pause c:send(32M) u:send(32M) c:stuck u:stuck d:upgrade d:upgrade "
         "c:resume u:resume c:expect-all u:expect-all " + DONE +
         "end=done in=33554432 out=33554432", ANY)
handover("a stopped upstream, the other way goes on",
         OPEN + "u:pause c:send(32M) c:stuck d:upgrade u:send(5M) c:expect(5M) d:upgrade u:resume "
         "u:expect-all " + DONE + "end=done in=33554432 out=5242880", ("4-4", "u-u"))
handover("a stopped client, the other way goes on",
         OPEN + "c:pause u:send(32M) u:stuck d:upgrade c:send(5M) u:expect(5M) d:upgrade c:resume "
         "c:expect-all " + DONE + "end=done in=5242880 out=33554432", ("4-4", "u-u"))
handover("bytes that come while it changes",
         BUSY + "d:stop c:send(1M) u:send(1M) d:swap d:go d:taken c:expect(1M) u:expect(1M) " +
         DONE + "end=done in=1048578 out=1048580", ANY)

# --- half-closed -----------------------------------------------------------------------------

handover("the client has ended",
         OPEN + "c:send(req) c:FIN u:expect(req) u:expect-FIN d:upgrade u:send(5M) c:expect(1M) "
         "d:upgrade c:expect-all u:FIN c:expect-FIN end=done in=3 out=5242880", ANY)
handover("the upstream has ended",
         OPEN + "u:send(bye) u:FIN c:expect(bye) c:expect-FIN d:upgrade c:send(5M) u:expect(1M) "
         "d:upgrade u:expect-all c:FIN u:expect-FIN end=done in=5242880 out=3", ANY)
handover("a client's FIN behind bytes that a stopped upstream has not taken",
         OPEN + "u:pause c:send(3M) c:FIN u:pending(1) d:upgrade u:resume u:expect(3M) "
         "u:expect-FIN u:send(late) u:FIN c:expect(late) c:expect-FIN end=done in=3145728 out=4")
handover("an upstream's FIN behind bytes that a stopped client has not taken",
         OPEN + "c:pause u:send(3M) u:FIN c:pending(1) d:upgrade c:resume c:expect(3M) "
         "c:expect-FIN c:send(late) c:FIN u:expect(late) u:expect-FIN end=done in=4 out=3145728")
handover("both FINs behind bytes",
         OPEN + "c:pause u:pause c:send(3M) u:send(3M) c:FIN u:FIN d:upgrade d:upgrade c:resume "
         "u:resume c:expect-all u:expect-all c:expect-FIN u:expect-FIN "
         "end=done in=3145728 out=3145728", ("4-4", "6-6"))
handover("both FINs come while it changes",
         BUSY + "d:stop c:send(200k) c:FIN u:send(200k) u:FIN d:swap d:go d:taken c:expect(200k) "
         "u:expect(200k) c:expect-FIN u:expect-FIN end=done in=204802 out=204804",
         ("4-4", "6-6"))

# --- resets ----------------------------------------------------------------------------------

handover("a client's reset afterwards",
         BUSY + "d:upgrade c:RST u:expect-RST end=client-reset in=2 out=4", TCP)
handover("an upstream's reset afterwards",
         BUSY + "d:upgrade u:RST c:expect-RST end=upstream-reset in=2 out=4", TCP)
handover("a client's reset while it changes",
         BUSY + "d:stop c:RST d:swap d:go u:expect-RST end=client-reset in=2 out=4", TCP)
handover("a reset behind the client's FIN",
         BUSY + "c:FIN u:expect-FIN d:upgrade c:RST u:expect-RST end=client-reset", TCP)
handover("the last bytes before an upstream's reset are on their way",
         OPEN + "c:pause u:send(300k) u:acked u:RST c:pending(1) d:upgrade c:resume "
         "c:expect(300k) c:expect-RST end=upstream-reset out=307200")
handover("an upstream's reset, and a client that takes nothing for long",
         OPEN + "c:pause u:send(32M) u:stuck u:RST d:upgrade d:logged(upstream-reset) c:resume "
         "c:drain c:expect-RST end=upstream-reset in=0")
handover("a client's reset, and an upstream that takes nothing",
         OPEN + "u:pause c:send(32M) c:stuck c:RST d:upgrade d:logged(client-reset) u:resume "
         "u:drain u:expect-RST end=client-reset out=0")

# --- before the relay ------------------------------------------------------------------------

FULL = "u:full c:connect d:waiting(2) "
handover("connecting to an upstream that answers later",
         FULL + "c:send(hello) d:upgrade d:upgrade u:empty u:accept u:expect(hello) " + DONE +
         "end=done in=5 out=0", ("4-4", "u-4"))
handover("connecting to an upstream that never answers",
         FULL + "d:upgrade c:expect-RST end=connect-timeout", rule={"connect_timeout": "2s"})
handover("connecting to an upstream that goes away",
         FULL + "d:upgrade u:unlisten c:expect-RST end=connect-refused")
handover("connecting, and the client has ended",
         FULL + "c:send(hello) c:FIN d:upgrade u:empty u:accept u:expect(hello) u:expect-FIN "
         "u:send(late) c:expect(late) u:FIN c:expect-FIN end=done in=5 out=4")
handover("connecting, and the client is reset afterwards",
         FULL + "d:upgrade c:RST d:logged(client-reset) end=client-reset in=0 out=0")
handover("a client waits in the backlog at the limit",
         "u:listen c:connect u:accept c2:connect c2:send(two) d:upgrade u:nobody " + TALK + DONE +
         "u2:accept u2:expect(two) d:upgrade c2:FIN u2:expect-FIN u2:FIN c2:expect-FIN "
         "end=done c2.end=done c2.in=3", modes=ENGINE,
         rule={"max_connections": 1, "on_limit": "wait"})
handover("clients come while it changes",
         "u:listen d:stop c:connect c:send(one) c2:connect c2:send(two) d:swap d:go d:taken "
         "u:accept u2:accept u:expect(one) u2:expect(two) " + DONE +
         "c2:FIN u2:expect-FIN u2:FIN c2:expect-FIN end=done c2.end=done", TCP, ENGINE)

# --- timers and signals ----------------------------------------------------------------------

handover("idle_timeout goes on", BUSY + "d:upgrade d:logged(idle-timeout) c:expect-RST "
         "u:expect-RST end=idle-timeout in=2 out=4", modes=ENGINE, rule={"idle_timeout": "1s"})
handover("half_close_timeout goes on",
         BUSY + "c:FIN u:expect-FIN d:upgrade d:logged(half-close-timeout) c:expect-RST "
         "u:expect-RST end=half-close-timeout in=2 out=4", modes=ENGINE,
         rule={"half_close_timeout": "1s"})
handover("SIGTERM afterwards", BUSY + "d:upgrade d:TERM c:expect-refused " + TALK + DONE +
         "d:exit(0) end=done", modes=ENGINE)
handover("none while it is stopping", BUSY + "d:TERM d:swap " + TALK + DONE + "d:exit(0) end=done",
         modes=ENGINE)
handover("SIGTERM at the same time", BUSY + "d:stop d:swap d:TERM d:go c:expect-refused " + TALK +
         DONE + "d:exit(0) end=done", modes=ENGINE)
