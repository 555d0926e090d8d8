# SPDX-License-Identifier: BSD-2-Clause
"""What it costs the relay that somebody looks on: one penstockd under one load, of which some
windows have nobody who asks on its control socket, some one, and some many."""

import http.client
import os
import socket
import statistics
import sys
import threading
import time

import cell
import peers
import rows

ROUNDS = 5
WINDOW = 2.0  # whole seconds: each has the same number of polls
WORKS = ("rr-100", "bulk-up-8")
POLLERS = {"nobody": 0, "one": 1, "fifty": 50}  # each once a second
ALONE_S = 1.0

# What the page asks for, each second.
TARGETS = ("/v1/status", "/v1/rules", "/v1/sessions?limit=200", "/metrics")

# Rules beside the one under load; sessions of one of these, which are silent.
SIZES = {"1 rule": (0, 0), "200 rules, 1000 idle sessions": (199, 1000)}

EXPLAINED = """\
One penstockd, the same through all windows of a load and size; windows in turn, those who ask are
each there once a second and ask for %s.
CPU is all that penstockd spent in a window, answers included, per unit of the load, and /nobody the
ratio to the window without anybody of the same round: medians over the rounds, ± half the distance
between the best and the worst. Each poll: CPU of one poll (all of the requests) on a daemon that
does nothing else, and the part of a CPU that one of them a second is, which is exact where the
ratio is lost in noise.
""" % " ".join(TARGETS)

CONFIG = """\
daemon = {{ log_level = "warning"; control = "{directory}/control.sock"; }};
rules =
{{
  bench = {{ listen = "127.0.0.1:{listen}"; upstream = "127.0.0.1:{upstream}";
            max_connections = {sessions}; }};
{more}
}};
"""

RULE = """\
  r{number} = {{ listen = "unix:@penstock-bench-{number}"; upstream = "unix:@penstock-bench-up";
         max_connections = 1000; }};
"""


class Polled(peers.Penstock):
    """Penstock with so many rules more, and a control socket."""

    def __init__(self, more):
        super().__init__("auto", "auto")
        self.more = more
        self.control = None

    def command(self, directory, protocol):
        self.control = os.path.join(directory, "control.sock")
        more = "".join(RULE.format(number=i) for i in range(self.more))
        config = peers.write(directory, "penstock.conf", CONFIG, more=more)
        return [self.binary(), "--config", config]


class Idle:
    """Sessions of the first rule beside the loaded one that say nothing."""

    def __init__(self, count):
        self.sockets = []
        if count == 0:
            return
        upstream = self.keep(socket.socket(socket.AF_UNIX))
        upstream.bind("\0penstock-bench-up")
        upstream.listen(count)
        for _ in range(count):
            self.keep(socket.socket(socket.AF_UNIX)).connect("\0penstock-bench-0")
            self.keep(upstream.accept()[0])

    def keep(self, s):
        self.sockets.append(s)
        return s


class Client(http.client.HTTPConnection):
    """One who asks on a UNIX socket, on a connection that stays."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def poll(self):
        for target in TARGETS:
            self.request("GET", target)
            answer = self.getresponse()
            if answer.status != 200 or not answer.read():
                raise cell.Failed("%s: status %d" % (target, answer.status))


class Pollers:
    """So many clients that poll once a second each, evenly spread, within the with block."""

    def __init__(self, path, count):
        self.clients = [Client(path) for _ in range(count)]
        self.over = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        due = time.monotonic()
        try:
            while self.clients:
                for client in self.clients:
                    client.poll()
                    due += 1 / len(self.clients)
                    if self.over.wait(max(0, due - time.monotonic())):
                        return
        except (OSError, http.client.HTTPException, cell.Failed) as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()
        for client in self.clients:
            client.close()
        if self.error:
            raise cell.Failed("who polls: %s" % self.error)


def cpu_seconds(path):
    """As a cgroup counts it: cpu.stat or cpuacct.usage."""
    with open(path, encoding="ascii") as text:
        first = text.readline().split()
    return int(first[1]) / 1e6 if len(first) == 2 else int(first[0]) / 1e9


def cost_of_poll(running, control):
    """CPU seconds of one poll, while penstockd does nothing else."""
    client, polls = Client(control), 0
    client.poll()
    before, end = cpu_seconds(running.cgroup.cpu_file), time.monotonic() + ALONE_S
    while time.monotonic() < end:
        client.poll()
        polls += 1
    client.close()
    return (cpu_seconds(running.cgroup.cpu_file) - before) / polls


def measure(setup, row, size, rounds, window):
    """Figures of one load and one size."""
    more, idle = SIZES[size]
    proxy, samples = Polled(more), {name: [] for name in POLLERS}
    with cell.Running(proxy, "tcp", setup.proxy_cpu) as running:
        os.sched_setaffinity(0, {setup.load_cpu})
        silent = Idle(idle)
        poll = cost_of_poll(running, proxy.control)
        for number in range(rounds):
            names = list(POLLERS)[number % len(POLLERS):] + list(POLLERS)[:number % len(POLLERS)]
            for name in names:
                with Pollers(proxy.control, POLLERS[name]):
                    samples[name].append(cell.drive_timed(setup, row, running, window))
        for s in silent.sockets:
            s.close()
    return {"poll_cpu": poll, "samples": samples}


class Outcome:
    """All of it, measured when it is made."""

    def __init__(self, setup, rounds, window):
        self.figures = {}
        start = time.monotonic()
        for size in SIZES:
            for row in [r for r in rows.ALL if r.name in WORKS]:
                self.figures[row.name, size] = cell.in_child(
                    setup, lambda r=row, s=size: measure(setup, r, s, rounds, window))
                print("bench: %s, %s done, %.0f s" % (row.name, size, time.monotonic() - start),
                      file=sys.stderr, flush=True)
        self.rows = {r.name: r for r in rows.ALL}
        self.figures = {"%s, %s" % k: dict(v, row=k[0]) for k, v in self.figures.items()}

    def disturbance(self):
        """Which part of all CPUs was busy with neither proxy nor load, as a median."""
        parts = [(s["machine_cpu"] - s["cpu"] - s["softirq"] - s["load_cpu"]) / s["seconds"]
                 / os.cpu_count() for f in self.figures.values() if "samples" in f
                 for s in f["samples"]["nobody"]]
        return max(0.0, statistics.median(parts)) if parts else 0.0

    def lines(self):
        yield ["", "CPU, nobody", "one /nobody", "fifty /nobody", "proxy", "each poll", ""]
        for name, f in self.figures.items():
            if "error" in f:
                yield [name, "", "", "", "", "", f["error"]]
                continue
            row = self.rows[f["row"]]
            spent = {n: [(s["cpu"] + s["softirq"]) * row.per / s["units"] * row.cpu_scale
                         for s in samples] for n, samples in f["samples"].items()}
            busy = statistics.median((s["cpu"] + s["softirq"]) / s["seconds"]
                                     for s in f["samples"]["nobody"])
            yield [name, shown(spent["nobody"], "%.3g") + " " + row.cpu_unit] + \
                [shown([a / b for a, b in zip(spent[n], spent["nobody"])], "%.3f")
                 for n in ("one", "fifty")] + \
                ["%.0f%%" % (100 * busy),
                 "%.2f ms = %.2f%%" % (1000 * f["poll_cpu"], 100 * f["poll_cpu"]), ""]


def shown(values, form):
    median = statistics.median(values)
    return (form + " ±%.1f%%") % (median, 100 * (max(values) - min(values)) / 2 / median)
