# SPDX-License-Identifier: BSD-2-Clause
"""penstock add, remove and check when something is in their way."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import threading

import harness
from ctl import FakeDaemon
from ctl_config import World, nobody
from harness import ONCE, check, check_equal, test

OTHERS = ("penstock: the files have other changes, which penstockd would take in as well: look at "
          "penstock diff, and penstock reload first\n")


def default_signals():
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def without_reader(w, *args):
    """Its exit status when what it says has no reader."""
    reader, writer = os.pipe()
    os.close(reader)
    child = w.t.spawn(w.ctl.argv(*args), stdout=writer, stderr=writer, env=w.ctl.environment(),
                      preexec_fn=default_signals)
    os.close(writer)
    return child.wait(timeout=harness.DEADLINE)


class Fake:
    """A daemon that answers each POST /v1/reload, and each look at rule x, by the next of what it
    was given; HANG is no answer. `asked` is set when one hangs."""

    HANG = object()

    def __init__(self, w, reloads, rules=()):
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.answers = {"reload": list(reloads), "rules": list(rules)}
        rule, reloaded = {"name": "x", "state": "running"}, {"generation": 2}
        fake = FakeDaemon(w.t, {
            ("GET", "/v1/status"): (200, {"config": {"path": w.main}}),
            ("GET", "/v1/config/diff"): (200, {"changes": False, "rules": [], "daemon": []}),
            ("GET", "/v1/rules/x"): (200, lambda _: self.next("rules", rule)),
            ("POST", "/v1/reload"): (200, lambda _: self.next("reload", reloaded))})
        w.ctl.socket = fake.path
        self.w, self.fake = w, fake

    def next(self, which, otherwise):
        answer = self.answers[which].pop(0) if self.answers[which] else otherwise
        if answer is self.HANG:
            self.asked.set()
            self.go_on.wait(harness.DEADLINE)
            return otherwise
        return answer

    def count(self, *asked):
        return self.fake.asked.count(asked)

    def interrupted(self, number, *args):
        """Its standard error when it is sent a signal as the answer hangs, and ends by that."""
        child = self.w.ctl.spawn(*args, preexec_fn=default_signals)
        check(self.asked.wait(harness.DEADLINE), "it asks")
        child.send_signal(number)
        out, err = child.communicate(timeout=harness.DEADLINE)
        self.go_on.set()
        check_equal((child.returncode, out), (-number, b""), "its end: %r" % err)
        return err.decode()


@test("ctl: who says something to nobody leaves nothing half done", modes=ONCE)
def no_reader(t):
    w = World(t).start()
    listener = t.listener()
    files = w.files()
    check_equal(without_reader(w, "add", "x", "127.0.0.1:%d" % listener.getsockname()[1], w.to),
                -signal.SIGPIPE, "add ends by the signal")
    check_equal((w.files(), w.rules()), (files, ["web"]), "afterwards")
    check_equal(w.ctl.run("diff"), (0, "", ""), "diff")


@test("ctl: who says something to nobody deletes a file for good", modes=ONCE)
def no_reader_of_remove(t):
    w = World(t)
    w.write("x.conf", 'rules = { x = { listen = "%s"; upstream = "%s"; }; };\n' % (w.free(), w.to))
    Fake(w, [{"generation": 2, "errors": [
        {"file": "f", "line": 1, "text": "t", "warning": True}]}],
         [{"state": "removed"}])
    check_equal(without_reader(w, "remove", "x"), -signal.SIGPIPE, "remove ends by the signal")
    check_equal(os.listdir(w.conf_d), [], "files")


@test("ctl: a file that may not grow is an error, and is not left behind", modes=ONCE)
def no_room(t):
    w = World(t).start()
    status, _, err = w.ctl.run("add", "x", w.free(), w.to,
                               preexec_fn=lambda: resource.setrlimit(
                                   resource.RLIMIT_FSIZE, (16, 16)))
    check_equal((status, err), (1, "penstock: %s: can't be written: File too large\n"
                                % w.file("x")), "add")
    check(not os.path.exists(w.conf_d), "something is left")


def failing_sync(w, which, error, *args):
    """Run it so that its fsync(2) of that number fails: its exit status, output and errors."""
    env = w.ctl.environment()
    env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # can't, when traced
    done = subprocess.run(["strace", "-qq", "-o", w.t.path("trace"), "-e", "trace=fsync", "-e",
                           "inject=fsync:error=%s:when=%d" % (error, which)] + w.ctl.argv(*args),
                          env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=harness.DEADLINE)
    with open(w.t.path("trace"), encoding="utf-8") as f:
        check_equal(f.read().count("(INJECTED)"), 1, "fsyncs that failed: %r" % (done,))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@test("ctl: a directory that can't be brought to the disk is as before", modes=ONCE,
      needs=("strace",))
def no_sync(t):
    w = World(t).start()
    w.ctl.ask("add", "x", w.free(), w.to)
    files = w.files()
    for which, args, what in ((1, ("remove", "x"), "deleted"),
                              (1, ("add", "y", w.free(), w.to), "written"),
                              (2, ("add", "y", w.free(), w.to), "written")):
        check_equal(failing_sync(w, which, "EIO", *args),
                    (1, "", "penstock: %s: can't be %s: Input/output error\n"
                     % (w.file(args[1]), what)), "%s %d" % (args, which))
        check_equal((w.files(), w.ctl.ask("diff")), (files, ""), "%s %d" % (args, which))
    # Where directories have nothing to bring there, and where what has been undone stays so.
    check_equal(failing_sync(w, 2, "EINVAL", "add", "y", w.free(), w.to),
                (0, w.said("y", "added", 1, 0), ""), "add")
    check_equal(failing_sync(w, 1, "EINVAL", "remove", "y"),
                (0, w.said("y", "removed", 0, 1), ""), "remove")
    check_equal(failing_sync(w, 2, "EIO", "remove", "x"),
                (0, w.said("x", "removed", 0, 1), ""), "a file that is away")
    check_equal(os.listdir(w.conf_d), [], "files")


@test("ctl: what is undone is reloaded, also if it can't be brought to the disk", modes=ONCE,
      needs=("strace",))
def undone_without_sync(t):
    w = World(t)
    fake = Fake(w, [], [{"state": "removed"}])
    os.mkdir(w.conf_d)
    files = w.files()
    said = 'penstock: penstockd could not %s the rule "x"\npenstock: nothing was changed\n'
    check_equal(failing_sync(w, 3, "EIO", "add", "x", w.free(), w.to), (1, "", said % "open"),
                "add")
    check_equal((w.files(), fake.count("POST", "/v1/reload")), (files, 2), "files, and reloads")
    w.write("x.conf", 'rules = { x = { listen = "%s"; upstream = "%s"; }; };\n' % (w.free(), w.to))
    files = w.files()
    check_equal(failing_sync(w, 2, "EIO", "remove", "x"), (1, "", said % "close"), "remove")
    check_equal((w.files(), fake.count("POST", "/v1/reload")), (files, 4), "files, and reloads")


@test("ctl: a look at the rule that is never answered can be interrupted", modes=ONCE)
def rule_hangs(t):
    w = World(t)
    fake = Fake(w, [], [Fake.HANG])
    files = w.files()
    err = fake.interrupted(signal.SIGTERM, "add", "x", w.free(), w.to)
    check_equal(err, "penstock: interrupted\npenstock: nothing was changed\n", "what it says")
    check_equal(w.files(), files, "files")


@test("ctl: a reload back that is never answered can be interrupted", modes=ONCE)
def reload_back_hangs(t):
    w = World(t)
    fake = Fake(w, [{"generation": 2}, Fake.HANG], [{"state": "removed"}])
    files = w.files()
    err = fake.interrupted(signal.SIGQUIT, "add", "x", w.free(), w.to)
    check_equal(err, 'penstock: penstockd could not open the rule "x"\npenstock: the files are as '
                "they were, but penstockd has not reloaded: interrupted\n", "what it says")
    check_equal(w.files(), files, "files")


@test("ctl: a signal that is ignored interrupts nothing", modes=ONCE)
def ignored(t):
    w = World(t)
    fake = Fake(w, [Fake.HANG])

    def ignore():
        default_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    child = w.ctl.spawn("add", "x", w.free(), w.to, preexec_fn=ignore)
    check(fake.asked.wait(harness.DEADLINE), "it asks")
    child.send_signal(signal.SIGHUP)
    fake.go_on.set()
    _, err = child.communicate(timeout=harness.DEADLINE)
    check_equal((child.returncode, err), (0, b""), "its end")
    check_equal(os.listdir(w.conf_d), ["x.conf"], "files")


@test("ctl: a conf.d that is a link to nothing is an error", modes=ONCE)
def dangling(t):
    w = World(t).start()
    os.symlink(t.path("nowhere"), w.conf_d)
    said = "penstock: %s: it is a link to what is not there\n" % w.conf_d
    for args in (("add", "x", w.free(), w.to), ("remove", "web")):
        check_equal(w.ctl.run(*args), (1, "", said), args)
    check(stat.S_ISLNK(os.lstat(w.conf_d).st_mode), "it is another now")
    os.mkdir(t.path("nowhere"))
    w.ctl.ask("add", "x", w.free(), w.to)
    check_equal(os.listdir(t.path("nowhere")), ["x.conf"], "where it leads to")
    w.settle()


@test("ctl: add and remove take in no other changes of the files", modes=ONCE)
def pending(t):
    w = World(t).start()
    w.ctl.ask("add", "y", w.free(), w.to)
    w.write("z.conf", 'rules = { z = { listen = "%s"; upstream = "%s"; }; };\n' % (w.free(), w.to))
    w.unchanged(("add", "x", w.free(), w.to), 1, OTHERS)
    w.unchanged(("remove", "y"), 1, OTHERS)
    check_equal(w.ctl.ask("remove", "z").splitlines()[0], w.file("z") + ": rule z, removed",
                "the changed one itself")
    with open(w.main, encoding="utf-8") as f:
        text = f.read()
    # What a reload leaves as it is takes part in none, other options do.
    late = "%s:1: warning: group takes effect with the next start\n" % w.main
    for option, status, err in (('group = "root"', 0, late), ('log_level = "debug"', 1, OTHERS)):
        with open(w.main, "w", encoding="utf-8") as f:
            f.write(text.replace("daemon = {", "daemon = { %s;" % option, 1))
        code, _, said = w.ctl.run("add", "of-" + option[:3], w.free(), w.to)
        check_equal((code, said), (status, err), option)
    w.ctl.ask("reload")
    w.ctl.ask("add", "x", w.free(), w.to)
    w.settle()


@test("ctl: a rule that could not be opened doesn't hinder others", modes=ONCE)
def left_out(t):
    w = World(t).start()
    listener, other = t.listener(), t.listener()
    w.write("z.conf", 'rules = { z = { listen = "127.0.0.1:%d"; upstream = "%s"; }; };\n'
            % (listener.getsockname()[1], w.to))
    check_equal(w.ctl.run("reload")[0], 1, "the rule is left out")
    reload = w.ctl.json("status")["config"]["reload"]
    check_equal((reload["failed"], reload["failed_rules"]), (1, ["z"]), "rules that failed")
    check("but 1 rule or option could not change" in w.ctl.ask("status"), w.ctl.ask("status"))
    check_equal(w.ctl.run("add", "x", w.free(), w.to)[0], 0, "another one")
    check_equal(w.rules(), ["web", "x"], "rules")
    # What somebody is in the middle of is taken in no more than otherwise.
    with open(w.main, encoding="utf-8") as f:
        text = f.read()
    for old, new in ((w.to, "127.0.0.1:9"), ("daemon = {", 'daemon = { log_level = "debug";')):
        with open(w.main, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new, 1))
        w.unchanged(("add", "v", w.free(), w.to), 1, OTHERS)
        w.unchanged(("remove", "x"), 1, OTHERS)
    with open(w.main, "w", encoding="utf-8") as f:
        f.write(text)
    status, _, err = w.ctl.run("add", "y", "127.0.0.1:%d" % other.getsockname()[1], w.to)
    check_equal((status, err.splitlines()[-1]), (1, "penstock: the files are as they were, and "
                                                 "penstockd has reloaded them"), err)
    check_equal(w.ctl.run("remove", "x")[0], 0, "remove")
    check_equal(w.ctl.run("remove", "z"), (0, w.said("z", "removed", 0, 0), ""), "the one itself")
    w.settle()


@test("ctl: an option that could not change doesn't hinder rules", modes=ONCE)
def left_option(t):
    w = World(t).start()
    taken = t.listener()
    with open(w.main, encoding="utf-8") as f:
        text = f.read()
    http = 'daemon = { http = "127.0.0.1:%d";' % taken.getsockname()[1]
    with open(w.main, "w", encoding="utf-8") as f:
        f.write(text.replace("daemon = {", http, 1))
    w.unchanged(("add", "x", w.free(), w.to), 1, OTHERS)
    check_equal(w.ctl.run("reload")[0], 1, "the option is left as it was")
    reload = w.ctl.json("status")["config"]["reload"]
    check_equal((reload["failed"], reload["failed_options"]), (1, ["http"]), "what failed")
    check_equal(w.ctl.run("add", "x", w.free(), w.to)[0], 0, "add")
    with open(w.main, "w", encoding="utf-8") as f:
        f.write(text.replace("daemon = {", http + ' log_level = "debug";', 1))
    w.unchanged(("remove", "x"), 1, OTHERS)
    with open(w.main, "w", encoding="utf-8") as f:
        f.write(text)
    w.ctl.ask("reload")
    w.ctl.ask("remove", "x")
    w.settle()


@test("ctl: what is warned of is said once", modes=ONCE)
def warned(t):
    w = World(t)
    w.daemon.options["args"] = ["--config", os.path.relpath(w.main, t.dir)]
    w.start()
    effect = ('%s:6: warning: rule "x": udp_timeout has no effect, the rule has no udp: address to '
              "listen on\n" % w.file("x"))
    added = ("add", "x", w.free(), w.to, "-o", "udp_timeout=5s")
    check_equal(w.ctl.run(*added), (0, w.said("x", "added", 1, 0), effect), "add")
    check_equal(w.ctl.run("add", "y", w.free(), w.to), (0, w.said("y", "added", 1, 0), effect),
                "another")
    # What the reload alone has found is told as well.
    with open(w.main, encoding="utf-8") as f:
        text = f.read()
    with open(w.main, "w", encoding="utf-8") as f:
        f.write(text.replace("daemon = {", 'daemon = { group = "root";', 1))
    status, _, err = w.ctl.run("remove", "y")
    check_equal((status, err.count(effect), len(err.splitlines())), (0, 1, 2), err)
    check(err.endswith("warning: group takes effect with the next start\n"), err)
    check_equal(w.ctl.run("remove", "x")[0], 0, "remove")
    w.settle()


@test("ctl: a config that is a link, by a relative path, has its conf.d beside the link",
      modes=ONCE)
def linked(t):
    w = World(t)
    os.mkdir(t.path("v2"))
    os.rename(w.main, t.path("v2/p.conf"))
    os.symlink("../v2/p.conf", w.main)
    w.daemon.options["args"] = ["--config", os.path.relpath(w.main, t.dir)]
    w.start()
    check_equal(w.ctl.ask("add", "x", w.free(), w.to), w.said("x", "added", 1, 0), "add")
    check_equal(os.listdir(t.path("v2")), ["p.conf"], "beside what it leads to")
    out = w.ctl.ask("add", "y", w.free(), w.to, "--config", t.path("v2/p.conf"))
    check(out.endswith("\npenstockd runs with %s: it was not reloaded\n" % w.main), out)
    w.settle()


@test("ctl: another config with the same conf.d as the one at work is left alone", modes=ONCE)
def shared(t):
    w = World(t).start()
    w.ctl.ask("add", "y", w.free(), w.to)
    beside = t.write("etc/other.conf", "rules = { };\n")
    os.mkdir(t.path("far"))
    os.symlink(w.conf_d, t.path("far/conf.d"))
    far = t.write("far/p.conf", "rules = { };\n")
    for other in (beside, far, t.path("etc/none.conf")):
        for args in (("add", "x", w.free(), w.to), ("remove", "y")):
            w.unchanged(args + ("--config", other), 1,
                        "penstock: %s: penstockd runs with %s, which has the same conf.d: a rule "
                        "would come or go there, too\n" % (other, w.main))
    w.settle()


@test("ctl: a path that is not UTF-8 is told in JSON all the same", modes=ONCE)
def not_utf8(t):
    w = World(t)
    there = t.path("caf") + os.fsdecode(b"\351")
    config = os.path.join(there, "p.conf")
    os.mkdir(there)
    shutil.copy(w.main, config)
    told = {"file": t.path("caf?/conf.d/x.conf"), "reload": None}
    check_equal(w.ctl.json("add", "x", w.free(), w.to, "--config", config),
                dict(told, change="added"), "add")
    check_equal(os.listdir(os.path.join(there, "conf.d")), ["x.conf"], "files")
    # One that runs with it, which it can't say either.
    w.daemon.options["args"] = ["--config", config]
    w.start()
    check_equal(w.ctl.json("remove", "x", "--config", config), dict(told, change="removed"),
                "remove")
    check_equal(w.ctl.ask("add", "y", w.free(), w.to, "--config", config),
                "%s: rule y, added\npenstockd's config can't be found from here: it was not "
                "reloaded (if this is it: penstock reload)\n"
                % (t.path("caf\\xe9/conf.d/y.conf")), "as text")


@test("ctl: what config is at work is not made up when that can't be found", modes=ONCE)
def not_found(t):
    w = World(t)
    fake = FakeDaemon(t, {("GET", "/v1/status"): (200, {
        "pid": os.getpid(), "config": {"path": "nowhere/p.conf"}})})
    w.ctl.socket = fake.path
    said = ("%s: rule x, %s\npenstockd's config can't be found from here: it was not reloaded (if "
            "this is it: penstock reload)\n")
    check_equal(w.ctl.ask("add", "x", w.free(), w.to, "--config", w.main),
                said % (w.file("x"), "added"), "add")
    check_equal(w.ctl.ask("remove", "x", "--config", w.main), said % (w.file("x"), "removed"),
                "remove")
    check_equal(set(fake.asked), {("GET", "/v1/status")}, "what is asked")
    files = w.files()
    check_equal(w.ctl.run("add", "x", w.free(), w.to),
                (1, "", "penstock: penstockd's config can't be found from here: name it with "
                 "--config FILE\n"), "where it is not said either")
    check_equal(w.files(), files, "files")


@test("ctl: check finds a config by a relative path, or says that it can't", modes=ONCE)
def check_relative(t):
    w = World(t)
    w.daemon.options["args"] = ["--config", os.path.relpath(w.main, t.dir)]
    w.start()
    out = w.ctl.ask("check")
    check(out.startswith(w.main + ": ok, 1 rules, "), out)
    w.write("bad.conf", "rules = 3;\n")
    status, _, err = w.ctl.run("check")
    check(status == 78 and err.startswith(w.conf_d + "/bad.conf:1: "), "%d: %s" % (status, err))
    w.ctl.socket = FakeDaemon(t, {("GET", "/v1/status"): (200, {
        "pid": w.daemon.process.pid, "config": {"path": "nowhere/p.conf"}})}).path
    check_equal(w.ctl.run("check"), (1, "", "penstock: penstockd's config can't be found from "
                                     "here: name it with --config FILE\n"), "no such directory")


@test("ctl: check says when it can't ask which config is at work", modes=ONCE, needs=("root",))
def check_denied(t):
    w = World(t).start()
    said = "penstock: the default config is checked, which may not be that of penstockd\n"
    os.chmod(w.ctl.socket, 0o600)
    _, _, err = w.ctl.run("check", preexec_fn=nobody)
    check(err.startswith("penstock: %s: permission denied" % w.ctl.socket), err)
    check_equal(err.splitlines(True)[1], said, "what is checked")
    w.daemon.signal(signal.SIGTERM)
    w.daemon.wait_exit()
    check(said not in w.ctl.run("check")[2], "there is nobody to ask")
