# SPDX-License-Identifier: BSD-2-Clause
"""A daemon whose config penstock changes: for test_ctl_config*.py."""

import os
import socket

from ctl import Ctl
from harness import check_equal, receive_exactly

NOBODY = 65534


class World:
    """A daemon with a rule `web`, its config in a directory of its own, and penstock."""

    def __init__(self, t, directory="etc", **daemon):
        t.need("control")
        self.t = t
        self.dir = t.path(directory)
        self.conf_d = os.path.join(self.dir, "conf.d")
        self.main = os.path.join(self.dir, "penstock.conf")
        self.ctl = Ctl(t, t.path("control.sock"))
        self.upstream = t.listener()
        self.to = "127.0.0.1:%d" % self.upstream.getsockname()[1]
        os.mkdir(self.dir)
        self.daemon = t.prepare({"daemon": dict({"control": self.ctl.socket}, **daemon),
                                 "rules": {"web": {"listen": self.free(), "upstream": self.to}}},
                                args=["--config", self.main])
        os.rename(self.daemon.config, self.main)
        self.daemon.config = self.main

    def start(self):
        self.daemon.start()
        return self

    def free(self):
        return "127.0.0.1:%d" % self.t.port()

    def write(self, name, text):
        os.makedirs(self.conf_d, exist_ok=True)
        with open(os.path.join(self.conf_d, name), "w", encoding="utf-8") as f:
            f.write(text)

    def files(self):
        """All that is beside the config, and what is in it."""
        found = {}
        for at, dirs, names in os.walk(self.dir):
            for name in dirs:
                found[os.path.join(at, name)] = None
            for name in names:
                with open(os.path.join(at, name), "rb") as f:
                    found[os.path.join(at, name)] = f.read()
        return found

    def file(self, rule):
        return os.path.join(self.conf_d, rule + ".conf")

    def rules(self):
        return [r["name"] for r in self.ctl.json("rules")["rules"]]

    def generation(self):
        return self.ctl.json("status")["config"]["generation"]

    def said(self, rule, change, added, removed):
        """What a change that went well prints."""
        return ("%s: rule %s, %s\nreloaded: %d added, %d removed, 0 changed, 0 failed "
                "(generation %d)\n" % (self.file(rule), rule, change, added, removed,
                                       self.generation()))

    def unchanged(self, args, status, err, **options):
        """It fails so, and nothing is other than before."""
        files, rules = self.files(), self.rules()
        check_equal(self.ctl.run(*args, **options), (status, "", err), "penstock %s" % (args,))
        check_equal(self.files(), files, "files after penstock %s" % (args,))
        check_equal(self.rules(), rules, "rules after penstock %s" % (args,))

    def settle(self):
        """The listeners that there are now are as many as there should be."""
        self.daemon.reload(changed=0)


def carries(w, listen):
    """A client there reaches the upstream."""
    host, port = listen.split(":")
    client = w.t.connect((host, int(port)))
    up = w.upstream.accept()[0]
    client.sendall(b"hello")
    check_equal(receive_exactly(up, 5), b"hello", "what the upstream got")
    client.close()
    up.close()


def is_refused(listen):
    host, port = listen.split(":")
    with socket.socket() as s:
        return s.connect_ex((host, int(port))) != 0


def nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
