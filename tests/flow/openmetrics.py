# SPDX-License-Identifier: BSD-2-Clause
"""A strict reader of OpenMetrics 1.0."""

import re

from api import Api
from harness import check, check_equal

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"

SUFFIXES = {"gauge": ("",), "counter": ("_total",), "info": ("_info",),
            "histogram": ("_bucket", "_count", "_sum")}
NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
LABEL = re.compile(r'(%s)="((?:[^"\\\n]|\\[\\n"])*)"' % NAME)
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)$" % NAME)


class Family:
    def __init__(self, name, kind):
        self.name = name
        self.kind = kind
        self.unit = None
        self.help = None
        self.samples = {}  # {(suffix, ((label, value), ...)): number}


def read_labels(text):
    labels = []
    while text:
        found = LABEL.match(text)
        check(found, "labels: %r" % text)
        value = re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1),
                       found.group(2))
        labels.append((found.group(1), value))
        text = text[found.end():]
        if text:
            check(text[0] == "," and len(text) > 1, "labels: %r" % text)
            text = text[1:]
    check_equal(len({k for k, _ in labels}), len(labels), "labels of different names")
    return tuple(sorted(labels))


def read_about(families, line):
    """A line that begins with "#"."""
    found = re.match(r"# (TYPE|UNIT|HELP) (%s) (.*)$" % NAME, line)
    check(found, "no such line in OpenMetrics: %r" % line)
    what, name, text = found.groups()
    if what == "TYPE":
        check(name not in families, "a second family %s" % name)
        check(text in SUFFIXES, "type %s of %s" % (text, name))
        families[name] = Family(name, text)
        return families[name]
    family = list(families.values())[-1]
    check_equal(name, family.name, "of which family this is: %r" % line)
    check(not family.samples, "%s behind the samples of %s" % (what, name))
    if what == "UNIT":
        check(family.unit is None and name.endswith("_" + text), "unit of %s: %r" % (name, text))
        family.unit = text
    else:
        check(family.help is None and text, "help of %s" % name)
        family.help = text
    return family


def read_sample(family, line):
    found = SAMPLE.match(line)
    check(found, "no sample: %r" % line)
    name, labels, number = found.groups()
    suffixes = [s for s in SUFFIXES[family.kind] if name == family.name + s]
    check(suffixes, "a sample %s in the family %s" % (name, family.name))
    key = suffixes[0], read_labels(labels or "")
    check(key not in family.samples, "a second sample %r" % line)
    family.samples[key] = float(number)


def check_histograms(family):
    """Buckets never fall, and the last one has all."""
    series = {}
    for (suffix, labels), number in family.samples.items():
        rest = tuple(l for l in labels if l[0] != "le")
        one = series.setdefault(rest, {"buckets": []})
        if suffix == "_bucket":
            bound = dict(labels)["le"]
            check("." in bound or bound == "+Inf" or "e" in bound, "a bound without a point")
            one["buckets"].append((float(bound), number))
        else:
            one[suffix] = number
    for labels, one in series.items():
        bounds = [b for b, _ in one["buckets"]]
        counts = [c for _, c in one["buckets"]]
        check_equal(bounds, sorted(set(bounds)), "bounds of %s" % family.name)
        check_equal(counts, sorted(counts), "buckets of %s %r" % (family.name, labels))
        check_equal(bounds[-1], float("inf"), "the last bound of %s" % family.name)
        check_equal(counts[-1], one["_count"], "the count of %s %r" % (family.name, labels))
        check("_sum" in one, "no sum of %s %r" % (family.name, labels))


class Metrics:
    """What an OpenMetrics text says; anything that is not right in it is a failure."""

    def __init__(self, text):
        check(text.endswith("\n# EOF\n"), "the text's end: %r" % text[-100:])
        self.families = {}
        family = None
        for line in text[:-len("# EOF\n")].splitlines():
            if line.startswith("#"):
                family = read_about(self.families, line)
            else:
                check(family, "a sample without a family: %r" % line)
                read_sample(family, line)
        for f in self.families.values():
            check(f.help, "%s has no help" % f.name)
            if f.kind == "histogram":
                check_histograms(f)

    def get(self, name, **labels):
        """The number of one series by its whole name; None: there is none."""
        key = tuple(sorted(labels.items()))
        for suffix in ("", "_total", "_info", "_bucket", "_count", "_sum"):
            family = self.families.get(name[:len(name) - len(suffix)] if suffix else name)
            if name.endswith(suffix) and family and suffix in SUFFIXES[family.kind]:
                return family.samples.get((suffix, key))
        return None

    def labels_of(self, family):
        """The labels of each of its samples."""
        return [dict(labels) for _, labels in self.families[family].samples]


def metrics(path):
    a = Api(path).ask("GET", "/metrics", Accept="application/openmetrics-text")
    check_equal((a.status, a.headers["Content-Type"]), (200, OPENMETRICS), "the answer's kind")
    return Metrics(a.text)
