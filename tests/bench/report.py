# SPDX-License-Identifier: BSD-2-Clause
"""From measurements to medians, ratios and tables."""

import statistics

EXPLAINED = """\
Medians over the rounds; ± is half the distance between the best and the worst round (of one round
nothing can be said: ±?). /direct and /best are ratios to the direct connection's figure and to the
best peer's (the best that is not penstock; each column has its own). CPU is all that the proxy's
processes spent in the window, ended ones included, and the softirq thread of its CPU, per unit of
work; direct has no proxy. proxy and load are the parts of one CPU that each used: where load is
near 100%, the rate is the load's limit; where both are far below, the machine was disturbed.
Datagrams are counted where they arrive, requests and replies alike, and every one is looked at: a
proxy that cuts, merges, changes or misdirects a datagram has an error here and no figures. p99 is
of a datagram and its reply, with up to 64 under way. Sent in runs: clients and upstream hand their
datagrams to the kernel as QUIC does, some as one packet (UDP_SEGMENT); a proxy may take them so.
"""


class Figure:
    """A median over rounds, with its noise: half the distance between the extremes, of it."""

    def __init__(self, values):
        self.values = values
        self.median = statistics.median(values)
        self.noise = (max(values) - min(values)) / 2 / self.median if self.median else 0.0

    def json(self):
        return {"median": self.median, "noise": self.noise, "rounds": self.values}


class Entry:
    """What one proxy did in one row: figures by name, or the reason why there are none."""

    def __init__(self, proxy, row, samples, errors):
        self.proxy = proxy
        self.notes = []
        self.figures = {}
        self.error = None
        self.unfit = set()  # figures that no one is to be compared with
        if not samples:
            self.error = errors[-1] if errors else "not measured: out of time"
            return
        if errors:
            self.fault("failed in %d of %d rounds: %s"
                       % (len(errors), len(errors) + len(samples), errors[-1]))
        if row.work == "memory":
            self.of_memory(row, samples)
        else:
            self.of_time(row, samples)

    def fault(self, note, figures=("rate", "cpu", "p99", "private", "whole")):
        """It did not do all that was asked: its figures are shown, and are nobody's measure."""
        self.notes.append(note)
        self.unfit.update(figures)

    def of_memory(self, row, samples):
        for name in ("private", "pss", "whole"):
            self.figures[name] = Figure([s[name] for s in samples])
        if samples[0]["idle"] != row.idle:
            self.fault("over %d connections, as it failed at %d: %s"
                       % (samples[0]["idle"], row.idle, samples[0]["why"]))
        if self.median("private") < self.median("whole") / 20:
            self.fault("allocates beforehand: see the whole", ["private"])

    def of_time(self, row, samples):
        self.figures["rate"] = Figure([s["units"] / row.per / s["seconds"] for s in samples])
        self.figures["load"] = Figure([s["load_cpu"] / s["seconds"] for s in samples])
        if self.proxy.kind != "direct":
            spent = [s["cpu"] + s["softirq"] for s in samples]
            self.figures["cpu"] = Figure([c * row.per / s["units"]
                                          for c, s in zip(spent, samples)])
            self.figures["busy"] = Figure([c / s["seconds"] for c, s in zip(spent, samples)])
        if row.latency:
            self.figures["p99"] = Figure([s["p99_us"] for s in samples])
        failed = sum(s["failed"] for s in samples)
        if failed:
            self.fault("%d connections ended before their reply" % failed)
        lost = sum(s["idle_lost"] for s in samples)
        if lost:
            self.fault("%d idle connections were ended" % lost)
        self.of_datagrams(samples)

    def of_datagrams(self, samples):
        """Losing some is allowed, but told."""
        sent, lost, disordered, empty = (sum(s[k] for s in samples)
                                         for k in ("sent", "lost", "disordered", "empty"))
        if lost:
            self.notes.append("%s%% lost" % plain(100 * lost / sent))
        if empty:
            self.notes.append("%s empty datagrams of its own for each client's"
                              % plain(empty / sent))
        if disordered:
            self.notes.append("%s%% out of order" % plain(100 * disordered / sent))

    def median(self, name):
        return self.figures[name].median if name in self.figures else None


class Table:
    """One row of the benchmark: an entry a proxy."""

    def __init__(self, row, entries):
        self.row = row
        self.entries = entries

    def best(self, name, kind="peer"):
        """The entry of that kind that did best by that figure, or None."""
        able = [e for e in self.entries
                if e.proxy.kind == kind and name in e.figures and name not in e.unfit]
        if not able:
            return None
        choose = max if name == "rate" else min
        return choose(able, key=lambda e: e.median(name))

    @staticmethod
    def ratio(entry, name, other):
        if other is None or not entry.median(name) or not other.median(name):
            return None
        return entry.median(name) / other.median(name)

    def columns(self):
        """(heading, figure, kind of the other side of a ratio; None for the figure itself)."""
        if self.row.work == "memory":
            return [("private", "private", None), ("/best", "private", "peer"),
                    ("Pss", "pss", None), ("whole process", "whole", None),
                    ("/best", "whole", "peer")]
        columns = [(self.row.rate_unit, "rate", None), ("/direct", "rate", "direct"),
                   ("/best", "rate", "peer"),
                   ("CPU " + self.row.cpu_unit, "cpu", None), ("/best", "cpu", "peer")]
        if self.row.latency:
            columns += [("p99 us", "p99", None), ("/direct", "p99", "direct"),
                        ("/best", "p99", "peer")]
        return columns + [("proxy", "busy", None), ("load", "load", None)]

    def shown(self, entry, name):
        figure = entry.figures.get(name)
        if figure is None:
            return ""
        if name in ("busy", "load"):
            return "%.0f%%" % (100 * figure.median)
        scale = self.row.cpu_scale if name == "cpu" else 1
        return plain(figure.median * scale) + \
            (" ±%.0f%%" % (100 * figure.noise) if len(figure.values) > 1 else " ±?")

    def cell(self, entry, name, kind):
        if kind is None:
            return self.shown(entry, name)
        ratio = self.ratio(entry, name, self.best(name, kind))
        return "" if ratio is None else "%.2f" % ratio

    def lines(self):
        """Cells as text: a heading, then a line a proxy, the last cell being its notes."""
        columns = self.columns()
        yield [""] + [c[0] for c in columns] + ["notes"]
        for entry in self.entries:
            if entry.error:
                yield [entry.proxy.name] + [""] * len(columns) + [entry.error]
            else:
                yield ([entry.proxy.name] +
                       [self.cell(entry, name, kind) for _, name, kind in columns] +
                       ["; ".join(entry.notes)])


def plain(value):
    """Three significant digits, at most three behind the point, and never an exponent."""
    if value >= 100 or value == 0:
        return "%.0f" % value
    if value >= 10:
        return "%.1f" % value
    return "%.2f" % value if value >= 1 else "%.3f" % value


def word(name, ratio, noise):
    """Whether a ratio to the best peer is as good, as good within the noise, or short of it."""
    behind = 1 / ratio - 1 if name == "rate" else ratio - 1
    return "" if behind <= 0 else " ~" if behind <= noise else " SHORT"


def compared(table, entry, name):
    """A cell of the summary: the figure, its ratio to the best peer's, and whose that is."""
    if entry.error or name not in entry.figures:
        return entry.error or ""
    best = table.best(name)
    ratio = table.ratio(entry, name, best)
    if ratio is None:
        return table.shown(entry, name)
    noise = entry.figures[name].noise + best.figures[name].noise
    return "%s = %.2f %s%s" % (table.shown(entry, name), ratio, best.proxy.name,
                               word(name, ratio, noise))


def summary(tables):
    """Lines of cells: each row for penstock as it comes, and for its best mode by CPU."""
    yield ["", "penstock", "rate", "CPU per unit", "p99 us"]
    for table in tables:
        memory = table.row.work == "memory"
        chosen = [e for e in table.entries if e.proxy.name == "penstock auto/auto"]
        best = table.best("private" if memory else "cpu", "penstock")
        if best and best not in chosen:
            chosen.append(best)
        for entry in chosen:
            cells = [compared(table, entry, n) for n in
                     (("private", "whole") if memory else ("rate", "cpu", "p99"))]
            if entry.error:
                cells = [entry.error]
            cells += [""] * (3 - len(cells))
            yield [table.row.title, entry.proxy.name.replace("penstock ", "")] + cells


SUMMARY_EXPLAINED = """\
Penstock as it comes (auto/auto) and in its thriftiest mode, each figure as a ratio to that of the
best peer, named. ~: behind, but by no more than the noise of the two. SHORT: behind. In the memory
row the first figure is private bytes a connection, the second the whole process's a connection.
"""


def as_text(lines):
    """Columns: the first to the left, the last as it is, those between to the right."""
    lines = list(lines)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:-1], widths[1:])]
        yield ("  " + "  ".join(cells) + "  " + line[-1]).rstrip()


def as_markdown(lines):
    lines = [[c.replace("|", "\\|") for c in line] for line in lines]
    yield "| " + " | ".join(lines[0]) + " |"
    yield "|---|" + "--:|" * (len(lines[0]) - 2) + "---|"
    for line in lines[1:]:
        yield "| " + " | ".join(line) + " |"


def text(head, tables):
    out = list(head) + ["", EXPLAINED]
    for table in tables:
        out += [table.row.title] + list(as_text(table.lines())) + [""]
    return "\n".join(out + [SUMMARY_EXPLAINED] + list(as_text(summary(tables))))


def markdown(head, tables):
    out = ["- " + line for line in head] + ["", SUMMARY_EXPLAINED]
    out += list(as_markdown(summary(tables))) + ["", EXPLAINED]
    for table in tables:
        out += ["#### " + table.row.title, ""] + list(as_markdown(table.lines())) + [""]
    return "\n".join(out).rstrip()


def as_json(tables):
    return {table.row.name: {
        entry.proxy.name: {"error": entry.error} if entry.error else
        dict({name: figure.json() for name, figure in entry.figures.items()}, notes=entry.notes)
        for entry in table.entries} for table in tables}
