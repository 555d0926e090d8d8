# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: the rows of the benchmark."""


class Row:
    """A kind of work: what the load is told, and in what units the outcome is shown."""

    protocol = "tcp"
    options = []  # of the load, beside those of all rows

    def __init__(self, name, title, work, conns=1, idle=0, cost=0.35):
        self.name = name
        self.title = title
        self.work = work
        self.conns = conns
        self.idle = idle
        self.cost = cost  # seconds beside the window, about
        bulk = work in ("up", "down")
        self.latency = not bulk
        self.per = 1e9 if bulk else 1
        self.rate_unit = "GB/s" if bulk else "per s"
        self.cpu_unit = "s/GB" if bulk else "us each"
        self.cpu_scale = 1 if bulk else 1e6


class Datagrams(Row):
    """
    Datagrams of one size. So many are under way in all that the default receive buffer holds them
    at any size, wherever they queue: a loss is the proxy's doing. Clients take turns with the part
    that each may have.
    """

    protocol = "udp"
    flight = 64
    each = {1: 64, 16: 16, 1000: 2}
    burst = 16

    def __init__(self, work, clients, size, runs=False):
        name = "%s-%d-%d" % (work, clients, size)
        title = "%s of %d bytes, %d client%s" % (
            "Datagrams and replies" if work == "udp" else "Datagrams one way",
            size, clients, "" if clients == 1 else "s")
        if runs:
            name, title = name + "-runs", title + ", sent in runs"
        super().__init__(name, title, work, clients, cost=0.4 if clients < 100 else 1.0)
        self.latency = work == "udp"
        self.cpu_unit = "s/100k"
        self.cpu_scale = 1e5
        each = self.each[clients] if work == "udp" else self.burst
        self.options = ["--request", str(size), "--each", str(each), "--flight", str(self.flight)]
        self.options += ["--runs"] if runs else []


TCP = [
    Row("bulk-up-1", "Bulk, client to upstream, 1 stream", "up"),
    Row("bulk-up-8", "Bulk, client to upstream, 8 streams", "up", 8),
    Row("bulk-down-1", "Bulk, upstream to client, 1 stream", "down"),
    Row("bulk-down-8", "Bulk, upstream to client, 8 streams", "down", 8),
    Row("rr-1", "Request/response (64/256 bytes), 1 kept connection", "rr"),
    Row("rr-100", "Request/response, 100 kept connections", "rr", 100),
    Row("rr-400", "Request/response, 400 kept connections", "rr", 400),
    Row("conn", "Connections (connect, request, reply, close), 32 at a time", "conn", 32),
    Row("idle-5000", "Request/response on 50 connections beside 5000 idle", "rr", 50, 5000, 2.5),
    Row("memory", "Memory of an idle connection (bytes, kernel not counted)", "memory", 100, 4000,
        2.0),
]

SIZES = (64, 512, 1400)
UDP = [Datagrams("udp", clients, size) for clients in (1, 16, 1000) for size in SIZES] + \
    [Datagrams("burst", clients, size) for clients in (1, 16) for size in SIZES] + \
    [Datagrams(work, 16, 1400, runs=True) for work in ("udp", "burst")]

ALL = TCP + UDP

# Where epoll begins to cost less than select(): few busy connections beside more and more idle
CROSSING = [Row("crossing-%d" % n, "Request/response on 8 connections beside %d idle" % n, "rr", 8, n)
            for n in (0, 8, 24, 56, 120, 248, 504)]
