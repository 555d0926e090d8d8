# SPDX-License-Identifier: BSD-2-Clause
"""watch_config: a file that is saved is read, in whatever way it is saved."""

import os
import threading
import time

from harness import ENGINE, ONCE, check, check_equal, test, wait_for
from pairs import Upstream, is_refused, local, open_pair

EXTRA = 'rules = { %s = { listen = "%s"; upstream = "%s"; }; };\n'


class Watched:
    """A daemon that watches its config."""

    def __init__(self, t, **daemon):
        self.t = t
        self.up, self.port = Upstream(t), t.port()
        self.rules = {"r": {"listen": local(self.port), "upstream": self.up.address}}
        os.mkdir(t.path("etc"))
        daemon.setdefault("watch_config", True)
        self.d = t.prepare({"daemon": dict(daemon, engine=t.engine), "rules": self.rules})
        text = self.d.text
        self.path = t.write("etc/penstock.conf", text)
        self.d.config = self.path
        self.d.options["args"] = ["--config", self.path]
        self.text = text
        self.d.start()

    def with_rule(self, name, port):
        """The config with one rule more."""
        return self.text + "\n" if name is None else self.text.replace(
            "rules = {", 'rules = {\n    %s = { listen = "%s"; upstream = "%s"; };'
            % (name, local(port), self.up.address))

    def save(self, text, path=None):
        with open(path or self.path, "w") as f:
            f.write(text)

    def replace(self, text, path=None):
        path = path or self.path
        self.save(text, path + "~new")
        os.rename(path + "~new", path)

    def extra(self, name, port):
        return EXTRA % (name, local(port), self.up.address)

    def serves(self, *ports):
        """Wait until these ports (and the first rule's) are served, and no other."""
        wanted = {local(p) for p in (self.port,) + ports}
        wait_for(lambda: set(self.d.listeners()) == wanted,
                 lambda: "listeners %r, there are %r" % (wanted, self.d.listeners()))
        for port in (self.port,) + ports:
            open_pair(self.t, port, self.up).end()
        self.d.listeners_are(len(wanted))

    def done(self):
        """The session that was there all the time, and a clean end."""
        self.pair.talk()
        self.pair.end()


def watched(name, **daemon):
    def register(function):
        def body(t):
            w = Watched(t, **daemon)
            w.pair = open_pair(t, w.port, w.up)
            function(t, w)
            w.done()
        test("watch_config: " + name, ENGINE)(body)
        return function
    return register


@watched("saved in place")
def in_place(t, w):
    for _ in range(3):
        port = t.port()
        w.save(w.with_rule("new", port))
        w.serves(port)
    w.save(w.text)
    w.serves()


@watched("a new file takes the old one's name")
def renamed(t, w):
    for _ in range(3):
        port = t.port()
        w.replace(w.with_rule("new", port))
        w.serves(port)
    w.replace(w.text)
    w.serves()


@watched("removed and written anew")
def removed(t, w):
    port = t.port()
    os.unlink(w.path)
    w.save(w.with_rule("new", port))
    w.serves(port)
    os.rename(w.path, w.path + "~")
    w.save(w.text)
    w.serves()


@watched("conf.d made later, files in it added, changed, removed")
def conf_d(t, w):
    one, two, three = t.port(), t.port(), t.port()
    folder = t.path("etc/conf.d")
    os.mkdir(folder)
    w.save(w.extra("one", one), folder + "/one.conf")
    w.serves(one)
    w.replace(w.extra("two", two), folder + "/two.conf")
    w.serves(one, two)
    w.save(w.extra("two", three), folder + "/two.conf")
    w.serves(one, three)
    os.unlink(folder + "/one.conf")
    w.serves(three)
    os.rename(folder + "/two.conf", folder + "/two.off")
    w.serves()


@watched("conf.d taken away and put back")
def conf_d_moved(t, w):
    one = t.port()
    folder = t.path("etc/conf.d")
    os.mkdir(t.path("etc/new"))
    w.save(w.extra("one", one), t.path("etc/new/one.conf"))
    os.rename(t.path("etc/new"), folder)
    w.serves(one)
    os.rename(folder, t.path("etc/old"))
    w.serves()
    os.rename(t.path("etc/old"), folder)
    w.serves(one)
    w.save(w.extra("one", one) + "\n# more\n" + w.extra("two", one).replace("rules", "x"),
           folder + "/one.conf")
    w.d.wait_line(0, "config not reloaded")
    w.serves(one)


@watched("a bad file is told and changes nothing; the next good one holds")
def bad(t, w):
    port = t.port()
    start = len(w.d.lines())
    w.save(w.text + "rubbish {\n")
    w.d.wait_line(start, "config not reloaded")
    check(w.path + ":" in w.d.log(), "the error does not name the file")
    w.serves()
    w.save(w.with_rule("new", port))
    w.serves(port)


@watched("links to files kept elsewhere")
def links(t, w):
    folder, kept = t.path("etc/conf.d"), t.path("kept.conf")
    start = len(w.d.lines())
    os.mkdir(folder)
    w.d.reloaded(start)
    for make in (os.link, os.symlink):
        port = t.port()
        w.save(w.extra("one", port), kept)
        make(kept, folder + "/one.conf")
        w.serves(port)
        os.unlink(folder + "/one.conf")
        w.serves()


@watched("a new file that is written slowly is read when it is whole")
def slowly(t, w):
    one, two = t.port(), t.port()
    folder = t.path("etc/conf.d")
    start = len(w.d.lines())
    os.mkdir(folder)
    w.d.reloaded(start)
    start = len(w.d.lines())
    with open(folder + "/new.conf", "w") as f:
        f.write(w.extra("one", one).replace("; };\n", "; "))
        f.flush()
        time.sleep(0.5)  # nothing to wait for: nothing is to happen
        f.write('two = { listen = "%s"; upstream = "%s"; }; };\n' % (local(two), w.up.address))
    w.serves(one, two)
    found = [l["msg"] for l in w.d.lines()[start:] if "reloaded" in l.get("msg", "")]
    check("config not reloaded" not in found, "half of the file was read")


class Saver(threading.Thread):
    """Saves a file again and again, until told to end."""

    def __init__(self, w, text):
        super().__init__(daemon=True)
        self.w, self.text = w, text
        self.ending = threading.Event()

    def run(self):
        while not self.ending.wait(0.02):
            self.w.replace(self.text)


@watched("a file that is saved all the time is read all the same")
def all_the_time(t, w):
    port = t.port()
    saver = Saver(w, w.with_rule("new", port))
    saver.start()
    w.serves(port)
    check(saver.is_alive(), "it was read only when nobody saved it any more")
    saver.ending.set()
    saver.join()


@watched("other files beside it are nobody's business, SIGHUP works too")
def others(t, w):
    start = len(w.d.lines())
    w.save("rubbish", t.path("etc/other.conf"))
    w.replace("rubbish", t.path("etc/penstock.conf.bak"))
    os.unlink(t.path("etc/other.conf"))
    w.d.reload(changed=0)
    w.d.reload(changed=0)
    found = [l for l in w.d.lines()[start:] if "reloaded" in l.get("msg", "")]
    check_equal(len(found), 2, "reloads")


@test("watch_config: off, nothing is read until SIGHUP", ONCE)
def off(t):
    w = Watched(t, watch_config=False)
    port = t.port()
    start = len(w.d.lines())
    w.save(w.with_rule("new", port))
    w.replace(w.with_rule("new", port))
    open_pair(t, w.port, w.up).end()
    check(is_refused(port), "a saved file was read though nobody asked for it")
    w.d.reload(added=1)
    found = [l for l in w.d.lines()[start:] if "reloaded" in l.get("msg", "")]
    check_equal(len(found), 1, "reloads")
    open_pair(t, port, w.up).end()


@test("watch_config: switched on and off by reloads", ENGINE)
def switched(t):
    w = Watched(t, watch_config=False)
    on = w.text.replace("watch_config = false", "watch_config = true")
    check(on != w.text, "the config has no watch_config")
    one, two = t.port(), t.port()
    w.save(on)
    w.d.reload()
    w.text = on
    w.save(w.with_rule("one", one))
    w.serves(one)
    w.text = on.replace("watch_config = true", "watch_config = false")
    w.save(w.with_rule("two", two))
    w.serves(two)
    w.save(w.text)
    open_pair(t, two, w.up).end()
    w.d.reload(removed=1)
    w.serves()
