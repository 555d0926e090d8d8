# SPDX-License-Identifier: BSD-2-Clause
"""What penstockd --dump prints, as Python values."""

import re
import subprocess

TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+)|(true|false)|([A-Za-z*][\w*-]*)|(.))')


class Reader:
    def __init__(self, text):
        self.tokens = [m for m in TOKEN.finditer(text) if m.group(0).strip()]
        self.at = 0

    def take(self, char):
        """Is that next? Then it is behind us."""
        if self.at < len(self.tokens) and self.tokens[self.at].group(5) == char:
            self.at += 1
            return True
        return False

    def value(self):
        if self.take("{"):
            return self.group("}")
        for begin, end in (("(", ")"), ("[", "]")):
            if self.take(begin):
                items = []
                while not self.take(end):
                    items.append(self.value())
                    self.take(",")
                return items
        text, number, flag, _, _ = self.tokens[self.at].groups()
        self.at += 1
        if text is not None:
            return re.sub(r"\\(.)", r"\1", text)
        return int(number) if number else flag == "true"

    def group(self, end=None):
        """The settings to the end, by their names."""
        found = {}
        while self.at < len(self.tokens) and not (end and self.take(end)):
            name = self.tokens[self.at].group(4)
            self.at += 1
            assert self.take("="), name
            found[name] = self.value()
            self.take(";")
        return found


def dumped(t, config):
    """The effective config of the file at `config`."""
    text = subprocess.run([t.binary, "--dump", "--config", config], stdout=subprocess.PIPE,
                          check=True).stdout
    return Reader(text.decode()).group()
