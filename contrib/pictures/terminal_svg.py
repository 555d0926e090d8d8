# SPDX-License-Identifier: BSD-2-Clause
"""What a terminal shows, as `tmux capture-pane -e` gives it (ECMA-48), made an SVG: text as text."""

import re
import unicodedata
from html import escape

SIZE, WIDE, HIGH, EDGE = 14, 8.43, 18, 14  # a font of 14px has columns of 0.602 times that
INK, PAPER = "#d7dae0", "#16181d"
COLOURS = {30: "#3b4048", 31: "#f0717a", 32: "#8fc97a", 33: "#e0b060", 34: "#6aaef0",
           35: "#c58fe0", 36: "#5cc4d0", 37: INK}


class Style:
    """How the next characters look."""

    def __init__(self):
        self.apply([0])

    def apply(self, codes):
        for code in codes:
            if code == 0:
                self.colour, self.paper = None, None
                self.bold = self.faint = self.underlined = self.reverse = False
            elif code == 1:
                self.bold = True
            elif code == 2:
                self.faint = True
            elif code == 22:
                self.bold = self.faint = False
            elif code in (4, 24):
                self.underlined = code == 4
            elif code in (7, 27):
                self.reverse = code == 7
            elif 30 <= code <= 37:
                self.colour = COLOURS[code]
            elif 90 <= code <= 97:
                self.colour = COLOURS[code - 60]
            elif code == 39:
                self.colour = None
            elif 40 <= code <= 47:
                self.paper = COLOURS[code - 10]
            elif code == 49:
                self.paper = None

    def key(self):
        """Ink, paper (None: as all), attributes."""
        ink, paper = self.colour or INK, self.paper
        if self.reverse:
            ink, paper = self.paper or PAPER, self.colour or INK
        return ink, paper, self.bold, self.faint, self.underlined


def width(character):
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def runs(line):
    """(column, text, columns, style) of what looks the same."""
    style, column, out = Style(), 0, []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            style.apply([int(c or 0) for c in part[2:-1].split(";")])
        elif part:
            columns = sum(width(c) for c in part)
            out.append((column, part, columns, style.key()))
            column += columns
    return out


def draw_run(row, column, text, columns, key):
    ink, paper, bold, faint, underlined = key
    x, y = EDGE + column * WIDE, EDGE + row * HIGH
    out = ""
    if paper:
        out += '<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>\n' % (
            x, y, columns * WIDE, HIGH, paper)
    if underlined:
        out += '<rect x="%.1f" y="%d" width="%.1f" height="1" fill="%s" opacity="0.5"/>\n' % (
            x, y + HIGH - 2, columns * WIDE, ink)
    for words in re.finditer(r"\S+(?: \S+)*", text):
        body = words.group()
        lead = sum(width(c) for c in text[:words.start()])
        inner = sum(width(c) for c in body)
        out += '<text x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s%s%s>%s' \
            "</text>\n" % (x + lead * WIDE, y + HIGH - 5, inner * WIDE,
                           "" if ink == INK else ' fill="%s"' % ink,
                           ' font-weight="bold"' if bold else "",
                           ' opacity="0.55"' if faint else "", escape(body))
    return out


def svg(screen, columns, title):
    """A picture of the screen's lines."""
    lines = screen.split("\n")
    wide, high = columns * WIDE + 2 * EDGE, len(lines) * HIGH + 2 * EDGE
    out = ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
           'role="img">\n<title>%s</title>\n<rect width="100%%" height="100%%" rx="8" fill="%s"/>\n'
           '<g font-family="monospace" font-size="%d" fill="%s">\n'
           % (wide, high, wide, high, escape(title), PAPER, SIZE, INK))
    for row, line in enumerate(lines):
        for run in runs(line):
            out += draw_run(row, *run)
    return out + "</g>\n</svg>\n"
