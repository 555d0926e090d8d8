# SPDX-License-Identifier: BSD-2-Clause
"""From measurements to medians, ratios and tables."""

import statistics


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
        if not samples:
            self.error = errors[-1] if errors else "not measured: out of time"
            return
        if errors:
            self.notes.append("failed in %d of %d rounds: %s"
                              % (len(errors), len(errors) + len(samples), errors[-1]))
        if row.work == "memory":
            self.of_memory(row, samples)
        else:
            self.of_time(row, samples)

    def of_memory(self, row, samples):
        self.figures["private"] = Figure([s["private"] for s in samples])
        self.figures["pss"] = Figure([s["pss"] for s in samples])
        if samples[0]["idle"] != row.idle:
            self.notes.append("over %d connections, as it failed at %d: %s"
                              % (samples[0]["idle"], row.idle, samples[0]["why"]))

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
            self.notes.append("%d connections ended before their reply" % failed)
        lost = sum(s["idle_lost"] for s in samples)
        if lost:
            self.notes.append("%d idle connections were ended" % lost)

    def median(self, name):
        return self.figures[name].median if name in self.figures else None


class Table:
    """One row of the benchmark: an entry a proxy."""

    def __init__(self, row, entries):
        self.row = row
        self.entries = entries

    def direct(self):
        return next((e for e in self.entries if e.proxy.kind == "direct"), None)

    def best_peer(self, name, kind="peer"):
        """The entry of that kind that did best by that figure, or None."""
        able = [e for e in self.entries if e.proxy.kind == kind and name in e.figures]
        if not able:
            return None
        choose = max if name == "rate" else min
        return choose(able, key=lambda e: e.median(name))

    def ratio(self, entry, name, other):
        if other is None or not entry.median(name) or not other.median(name):
            return None
        return entry.median(name) / other.median(name)

    def columns(self):
        """(heading, figure, other side of the ratio or None for the figure itself)."""
        if self.row.work == "memory":
            return [("private", "private", None), ("/best", "private", "peer"),
                    ("Pss", "pss", None)]
        columns = [(self.row.rate_unit, "rate", None), ("/direct", "rate", "direct"),
                   ("/best", "rate", "peer"),
                   ("CPU " + self.row.cpu_unit, "cpu", None), ("/best", "cpu", "peer")]
        if self.row.latency:
            columns += [("p99 us", "p99", None), ("/direct", "p99", "direct"),
                        ("/best", "p99", "peer")]
        return columns + [("proxy", "busy", None), ("load", "load", None)]

    def cell(self, entry, name, against):
        if against:
            other = self.direct() if against == "direct" else self.best_peer(name)
            ratio = self.ratio(entry, name, other)
            return "" if ratio is None else "%.2f" % ratio
        figure = entry.figures.get(name)
        if figure is None:
            return ""
        if name in ("busy", "load"):
            return "%.0f%%" % (100 * figure.median)
        scale = {"rate": 1, "cpu": self.row.cpu_scale}.get(name, 1)
        return "%s ±%.0f%%" % (plain(figure.median * scale), 100 * figure.noise)

    def lines(self):
        """Cells as text: a heading, then a line a proxy, the last cell being its notes."""
        columns = self.columns()
        yield [""] + [c[0] for c in columns] + ["notes"]
        for entry in self.entries:
            if entry.error:
                yield [entry.proxy.name] + [""] * len(columns) + [entry.error]
            else:
                yield ([entry.proxy.name] +
                       [self.cell(entry, name, against) for _, name, against in columns] +
                       ["; ".join(entry.notes)])


def plain(value):
    """Three significant digits and never an exponent."""
    if value >= 100 or value == 0:
        return "%.0f" % value
    return "%.1f" % value if value >= 10 else "%.2f" % value


def verdict_of(table, entry, name):
    """Where one of penstock's figures stands against the best peer's, the noise considered."""
    best = table.best_peer(name)
    if best is None or name not in entry.figures or not best.median(name):
        return None
    ratio = table.ratio(entry, name, best)
    if ratio is None:
        return "%s: nothing measurable; best peer %s" % (name, best.proxy.name)
    noise = entry.figures[name].noise + best.figures[name].noise
    behind = 1 / ratio - 1 if name == "rate" else ratio - 1
    word = "reached" if behind <= 0 else "within the noise" if behind <= noise else "SHORT"
    return "%s %.2f of %s's, noise %.0f%%: %s" % (name, ratio, best.proxy.name, 100 * noise, word)


def verdict(tables):
    """One line a row on penstock as it comes, and one on the best of its modes by CPU."""
    for table in tables:
        name = "private" if table.row.work == "memory" else "cpu"
        names = ["private"] if table.row.work == "memory" else ["cpu", "rate", "p99"]
        chosen = [e for e in table.entries if e.proxy.name == "penstock auto/auto"]
        best = table.best_peer(name, "penstock")
        if best and best not in chosen:
            chosen.append(best)
        for entry in chosen:
            said = [entry.error] if entry.error else \
                [v for v in (verdict_of(table, entry, n) for n in names) if v]
            yield "%s, %s: %s" % (table.row.title, entry.proxy.name,
                                  "; ".join(said) or "no peer to compare with")


EXPLAINED = """\
Medians over the rounds; ± is half the distance between the best and the worst round. /direct and
/best are ratios to the direct connection's figure and to the best peer's (not of penstock; each
column has its own best). CPU is all that the proxy's processes spent in the window, ended ones
included, and the softirq thread of its CPU, per unit of work; direct has no proxy. proxy and load
are the parts of one CPU that each used: where load is near 100%, the rate is the load's limit."""


def text(head, tables):
    out = list(head) + ["", EXPLAINED]
    for table in tables:
        lines = list(table.lines())
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
        out += ["", table.row.title]
        for line in lines:
            cells = [line[0].ljust(widths[0])]
            cells += [c.rjust(w) for c, w in zip(line[1:-1], widths[1:])]
            out.append(("  " + "  ".join(cells) + "  " + line[-1]).rstrip())
    return "\n".join(out + ["", "Against the best peer:"] + ["  " + v for v in verdict(tables)])


def markdown(head, tables):
    out = ["- " + line for line in head] + ["", EXPLAINED]
    for table in tables:
        lines = list(table.lines())
        out += ["", "#### " + table.row.title, ""]
        out.append("| " + " | ".join(lines[0]) + " |")
        out.append("|" + "---|" + "--:|" * (len(lines[0]) - 2) + "---|")
        out += ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |"
                for line in lines[1:]]
    return "\n".join(out + ["", "#### Against the best peer", ""] +
                     ["- " + v for v in verdict(tables)])


def as_json(tables):
    return {table.row.name: {
        entry.proxy.name: {"error": entry.error} if entry.error else
        dict({name: figure.json() for name, figure in entry.figures.items()}, notes=entry.notes)
        for entry in table.entries} for table in tables}
