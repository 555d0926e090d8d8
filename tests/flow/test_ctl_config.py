# SPDX-License-Identifier: BSD-2-Clause
"""penstock diff, add and remove: rules as files in conf.d."""

import json
import os
import re
import signal
import stat
import threading

import harness
from ctl import FakeDaemon
from ctl_config import World, carries, is_refused, nobody
from daemon import config_text
from harness import ENGINE, ONCE, check, check_equal, test, wait_for

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


# --- diff ------------------------------------------------------------------------------------

@test("ctl: diff prints what a reload would change, and ends as diff(1)", modes=ENGINE)
def diff(t):
    w = World(t).start()
    check_equal(w.ctl.run("diff"), (0, "", ""), "of the same files")
    rules = w.daemon.groups["rules"]
    here, other, first = rules["web"]["listen"], w.free(), t.ports(3)
    w.write("more.conf", 'rules = { old = { listen = [ "%s", "127.0.0.1:%d-%d" ]; upstream = "%s"; '
            '}; x = { listen = [ "%s", "%s" ]; upstream = "%s"; }; };\n'
            % (w.free(), first, first + 2, w.to, here.replace(".1:", ".2:"), other, w.to))
    old = re.search(r'"(127\S+)"', w.files()[w.file("more")].decode()).group(1)
    w.daemon.reload()
    w.write("more.conf", 'rules = { new = { listen = "%s"; upstream = "u.example:1"; }; x = '
            '{ listen = ( { address = "%s"; max_connections = 3; }, "unix:@%s" ); upstream = '
            '"%s"; connect_timeout = "5s"; keepalive = false; }; };\n'
            % (other, here.replace(".1:", ".2:"), t.dir, w.to))
    groups = dict(w.daemon.groups, daemon=dict(w.daemon.groups["daemon"], group="root",
                                               log_level="warning"))
    with open(w.main, "w", encoding="utf-8") as f:
        f.write(config_text(groups))
    expected = ("+ rule new  listen %s -> u.example:1\n"
                "~ rule x\n"
                "    listen: + unix:@%s\n"
                "    listen: - %s (to another rule)\n"
                "    connect_timeout: 10s -> 5s\n"
                "    keepalive: true -> false\n"
                "    %s max_connections: unset -> 3\n"
                "- rule old  listen %s,127.0.0.1:%d-%d -> %s\n"
                "~ daemon\n"
                "    log_level: info -> warning\n"
                "    group: unset -> root (needs a restart)\n"
                % (other, t.dir, other, here.replace(".1:", ".2:"), old, first, first + 2, w.to))
    check_equal(w.ctl.run("diff"), (1, expected, ""), "what would change")
    status, out = w.ctl.on_terminal("diff")
    colours = {"+": "\033[32m", "-": "\033[31m", "~": "\033[33m"}
    check_equal((status, out), (1, "".join(
        colours[l[0]] + l + "\033[0m\n" if l[0] in colours else l + "\n"
        for l in expected.splitlines())), "on a terminal")
    check_equal(w.ctl.on_terminal("diff", "--no-color"), (1, expected), "without colours")
    status, out, err = w.ctl.run("diff", "--json")
    check_equal((status, [r["name"] for r in json.loads(out)["rules"]]), (1, ["new", "x", "old"]),
                "as JSON")
    w.write("more.conf", "rules = { x = 5; };\n")
    text = 'rule "x" must be a group: { listen = "..."; upstream = "..."; }'
    check_equal(w.ctl.run("diff"),
                (2, "", "%s:1: %s\npenstock: the config has 1 error\n" % (w.file("more"), text)),
                "errors")
    status, out, err = w.ctl.run("diff", "--json")
    check_equal((status, [e["line"] for e in json.loads(out)["errors"]]), (2, [1]), "as JSON")
    w.ctl.socket = t.path("none.sock")
    check_equal(w.ctl.run("diff")[0], 3, "with the daemon down")


# --- add and remove --------------------------------------------------------------------------

@test("ctl: add makes a rule that carries, and remove takes it away", modes=ENGINE)
def add_remove(t):
    w = World(t).start()
    one, two, before = w.free(), w.free(), w.files()
    check_equal(w.ctl.run("add", "ssh", one + "," + two, w.to, "--max", "2", "-o",
                          "connect_timeout=5s", "--option=keepalive=off", "-o", "on_change=kill",
                          "-o", "idle_timeout=3600", preexec_fn=lambda: os.umask(0o077)),
                (0, w.said("ssh", "added", 1, 0), ""), "what it says")
    check_equal(w.files()[w.file("ssh")].decode(),
                "# By penstock add; penstock remove ssh deletes this file.\n"
                "rules = {\n"
                "    ssh = {\n"
                '        listen = [ "%s", "%s" ];\n'
                '        upstream = "%s";\n'
                "        max_connections = 2;\n"
                '        connect_timeout = "5s";\n'
                "        keepalive = false;\n"
                '        on_change = "kill";\n'
                "        idle_timeout = 3600;\n"
                "    };\n"
                "};\n" % (one, two, w.to), "its file")
    check_equal(stat.S_IMODE(os.stat(w.file("ssh")).st_mode), 0o644, "its mode")
    check_equal(stat.S_IMODE(os.stat(w.conf_d).st_mode), 0o755, "its directory's mode")
    carries(w, one)
    carries(w, two)
    check_equal(w.ctl.run("diff"), (0, "", ""), "file and daemon are at one")
    client = t.connect(("127.0.0.1", int(one.split(":")[1])))
    up = w.upstream.accept()[0]
    check_equal(w.ctl.ask("remove", "ssh"), w.said("ssh", "removed", 0, 1), "what it says")
    check_equal(w.files(), dict(before, **{w.conf_d: None}), "files")
    check(is_refused(one) and is_refused(two), "the addresses are open still")
    check_equal(w.rules()[0], "web", "the other rule")
    for s in (client, up):
        try:
            check_equal(s.recv(1), b"", "a session of it")
        except ConnectionResetError:
            pass
        s.close()
    said = json.loads(w.ctl.ask("add", "ssh", one, w.to, "--json"))
    check_equal((said["file"], said["change"], said["reload"]["added"]),
                (w.file("ssh"), "added", 1), "as JSON")
    said = json.loads(w.ctl.ask("remove", "ssh", "--json"))
    check_equal((said["change"], said["reload"]["removed"]), ("removed", 1), "as JSON")
    w.settle()


@test("ctl: a rule that can't be leaves nothing behind", modes=ONCE)
def bad_rules(t):
    w = World(t).start()
    listen, at = w.free(), w.file("x")
    for args, status, said in (
            (("8080", w.to), 1, '%s:4: rule "x": listen "8080": the port is missing, allowed: an '
             "IPv4 address, [IPv6 address] or *, then :PORT\n" % at),
            ((listen + ",", w.to), 1, '%s:4: rule "x": listen "": ' % at),
            ((listen, w.to, "--max", "0"), 1, '%s:6: rule "x": max_connections = 0 is out of range'
             % at),
            ((listen, w.to, "--max", "many"), 1, '%s:6: rule "x": max_connections = "many": must '
             "be a whole number" % at),
            ((listen, w.to, "-o", "on_limit=wiat", "-o", "keepalive=perhaps"), 1,
             '%s:6: rule "x": on_limit = "wiat" ' % at),
            ((listen, w.to, "-o", "engine=auto"), 1,
             '%s:6: rule "x": "engine" belongs in the group "daemon"\n' % at),
            ((listen, w.to, "--max", "1", "-o", "max_connections=2"), 1, "%s:7: " % at),
            ((w.daemon.groups["rules"]["web"]["listen"], w.to), 1, '%s:4: rule "x": ' % at),
            ((listen, w.to, "-o", "conect_timeout=1s"), 2, 'penstock: -o "conect_timeout=1s": '
             'unknown option "conect_timeout", the nearest known one is "connect_timeout"\n'),
            ((listen, w.to, "-o", "keepalive"), 2,
             'penstock: -o "keepalive": allowed: OPTION=VALUE\n')):
        files, generation = w.files(), w.generation()
        code, out, err = w.ctl.run("add", "x", *args)
        check_equal((code, out, err[:len(said)]), (status, "", said), "add x %s" % (args,))
        check(status == 2 or err.endswith("\npenstock: nothing was written\n"), err)
        check_equal((w.files(), w.generation()), (files, generation), "after add x %s" % (args,))
    for name in ("", "../x", ".x", "a b", "1x", "-x", "x*", "x\n", "\u00e4", "x" * 65, "a/b"):
        code, out, err = w.ctl.run("add", "--", name, listen, w.to)
        check_equal((code, out), (2, ""), "add %r" % name)
        check(err.startswith('penstock: "') and " is no name of a rule, allowed: " in err, err)
    check_equal(w.ctl.run("add", "x", listen)[0], 2, "add without an upstream")
    check_equal(w.ctl.ask("add", "x" * 64, listen, w.to), w.said("x" * 64, "added", 1, 0), "long")
    w.settle()


@test("ctl: an address in use undoes the rule, and says why", modes=ONCE)
def in_use(t):
    w = World(t).start()
    listener = t.listener()
    taken = "127.0.0.1:%d" % listener.getsockname()[1]
    why = ("%s:4: rule \"x\": cannot listen on %s: Address already in use: another socket is bound "
           "to it; the rule is left out\n" % (w.file("x"), taken))
    w.unchanged(("add", "x", taken, w.to), 1,
                why + 'penstock: penstockd could not open the rule "x"\n'
                "penstock: nothing was changed\n")
    check_equal(w.ctl.run("diff"), (0, "", ""), "diff")
    listener.close()
    w.ctl.ask("add", "x", taken, w.to)
    carries(w, taken)
    w.settle()


@test("ctl: rules that are elsewhere are left alone", modes=ONCE)
def elsewhere(t):
    w = World(t).start()
    a, b = w.free(), w.free()
    w.write("pair.conf", 'rules = {\n pair = { listen = "%s"; upstream = "%s"; };\n'
            ' b = { listen = "%s"; upstream = "%s"; }; };\n' % (a, w.to, b, w.to))
    w.write("taken.conf", "# no rule\n")
    w.daemon.reload()
    with open(w.main, encoding="utf-8") as f:
        line = 1 + [l.split()[:1] for l in f].index(["web"])
    w.unchanged(("add", "web", w.free(), w.to), 1,
                'penstock: there is a rule "web" already: %s:%d\n' % (w.main, line))
    w.unchanged(("add", "pair", w.free(), w.to), 1,
                'penstock: there is a rule "pair" already: %s:2\n' % w.file("pair"))
    w.unchanged(("add", "taken", w.free(), w.to), 1,
                "penstock: %s: there is such a file already\n" % w.file("taken"))
    w.unchanged(("remove", "web"), 1, 'penstock: the rule "web" stands at %s:%d, not in a file of '
                "its own: delete it there, and reload\n" % (w.main, line))
    w.unchanged(("remove", "b"), 1, 'penstock: the rule "b" stands at %s:3, not in a file of its '
                "own: delete it there, and reload\n" % w.file("pair"))
    w.unchanged(("remove", "pair"), 1, 'penstock: the rule "pair" stands at %s:2 together with '
                "others: delete it there, and reload\n" % w.file("pair"))
    w.unchanged(("remove", "none"), 1, 'penstock: there is no rule "none" in %s, or in conf.d '
                "beside it\n" % w.main)
    with open(w.main, "w", encoding="utf-8") as f:
        f.write('daemon = { control = "%s"; };\n' % w.ctl.socket)
    os.unlink(w.file("pair"))
    os.unlink(w.file("taken"))
    none = ('%s: there is no rule, needed is one at least: rules = { NAME = { listen = "..."; '
            'upstream = "..."; }; };\n' % w.main)
    status, _, err = w.ctl.run("add", "last", a, w.to)
    check_equal((status, err.splitlines(True)[0]), (1, none), "all others would go")
    check_equal(w.ctl.ask("add", "first", a, w.to, "--config", t.write("empty.conf", "")),
                "%s: rule first, added\npenstockd runs with %s: it was not reloaded\n"
                % (t.path("conf.d/first.conf"), w.main), "the first one of an empty config")
    w.write("last.conf", 'rules = { last = { listen = "%s"; upstream = "%s"; }; };\n' % (a, w.to))
    w.daemon.reload()
    w.unchanged(("remove", "last"), 1, none + "penstock: nothing was deleted\n")
    w.settle()


@test("ctl: what is in the way in conf.d is not followed", modes=ONCE)
def in_the_way(t):
    w = World(t).start()
    precious = t.write("precious", "precious")
    os.mkdir(w.conf_d)
    w.write(".x.conf.new", "left behind")
    os.symlink(precious, os.path.join(w.conf_d, ".y.conf.new"))
    for name in ("x", "y"):
        check_equal(w.ctl.ask("add", name, w.free(), w.to), w.said(name, "added", 1, 0), name)
    os.symlink(precious, os.path.join(w.conf_d, ".x.conf.old"))
    check_equal(w.ctl.ask("remove", "x"), w.said("x", "removed", 0, 1), "remove")
    check_equal(os.listdir(w.conf_d), ["y.conf"], "names")
    with open(precious, encoding="utf-8") as f:
        check_equal(f.read(), "precious", "what a link led to")
    os.symlink(t.path("nowhere"), w.file("z"))
    check_equal(w.ctl.run("add", "z", w.free(), w.to),
                (1, "", "penstock: %s: there is such a file already\n" % w.file("z")), "a link")
    check(not os.path.lexists(t.path("nowhere")), "it was followed")
    os.unlink(w.file("z"))
    w.settle()


@test("ctl: many at once don't get in each other's way", modes=ENGINE)
def at_once(t):
    w = World(t).start()
    same = w.free()

    def run(commands):
        children = [w.ctl.spawn(*c) for c in commands]
        done = [c.communicate(timeout=harness.DEADLINE) + (c.returncode,) for c in children]
        check(all(s in (0, 1) for _, _, s in done), done)
        return [s for _, _, s in done].count(0)

    check_equal(run([("add", "one", w.free(), w.to) for _ in range(5)]), 1, "of one name")
    check_equal(run([("add", "a%d" % i, same, w.to) for i in range(5)]), 1, "of one address")
    check_equal(run([("add", "b%d" % i, w.free(), w.to) for i in range(5)]), 5, "of their own")
    names = w.rules()
    check_equal(len(names), 8, "rules")
    check_equal(sorted(os.listdir(w.conf_d)), sorted(n + ".conf" for n in names if n != "web"),
                "files")
    check_equal(run([("remove", n) for n in names if n != "web"] + [("remove", "one")]), 7,
                "removed")
    check_equal((w.rules(), os.listdir(w.conf_d)), (["web"], []), "what is left")
    w.settle()


@test("ctl: a penstockd that watches its files never reads a half one", modes=ONCE)
def watched(t):
    w = World(t, watch_config=True).start()
    os.mkdir(w.conf_d)
    w.daemon.reload()
    listen = w.free()
    for _ in range(3):
        w.ctl.ask("add", "x", listen, w.to)
        carries(w, listen)
        w.ctl.ask("remove", "x")
        check(is_refused(listen), "it is open still")
    check("config not reloaded" not in w.daemon.log(), "its log")
    wait_for(lambda: w.ctl.json("status")["config"]["reload"]["outcome"] == "ok", "the last reload")
    w.settle()


@test("ctl: names with spaces in them, and a config by a relative path", modes=ONCE)
def spaces(t):
    w = World(t, directory='a b "c" $d')
    w.daemon.options["args"] = ["--config", os.path.relpath(w.main, t.dir)]
    w.start()
    listen = w.free()
    check_equal(w.ctl.ask("add", "x", listen, w.to).splitlines()[0],
                w.file("x") + ": rule x, added", "what it says")
    carries(w, listen)
    check_equal(w.ctl.ask("remove", "x", "--config", w.main).splitlines()[0],
                w.file("x") + ": rule x, removed", "with its path")
    w.settle()


# --- without the daemon ----------------------------------------------------------------------

@test("ctl: with the daemon down a rule waits for its start", modes=ONCE)
def down(t):
    w = World(t)
    listen = w.free()
    files = w.files()
    gone = ("penstock: %s: there is no such socket: is penstockd running (systemctl start "
            "penstockd), and is this its daemon.control?\n" % w.ctl.socket)
    hint = ("penstock: to change a config that it does not run with, name it with --config FILE\n")
    for args in (("add", "x", listen, w.to), ("remove", "x")):
        check_equal(w.ctl.run(*args), (3, "", gone + hint), args)
    check_equal(w.files(), files, "files")
    asleep = "penstockd is not running: it takes effect at its start\n"
    check_equal(w.ctl.run("add", "x", listen, w.to, "--config", w.main),
                (0, "%s: rule x, added\n%s" % (w.file("x"), asleep), ""), "add")
    w.start()
    carries(w, listen)
    w.daemon.signal(signal.SIGTERM)
    w.daemon.wait_exit()
    check_equal(json.loads(w.ctl.ask("remove", "x", "--config", w.main, "--json")),
                {"file": w.file("x"), "change": "removed", "reload": None}, "remove")
    check_equal(os.listdir(w.conf_d), [], "files")
    status, out, err = w.ctl.run("add", "x", listen, w.to, "--config", t.path("none/no.conf"))
    check_equal((status, out, err), (1, "", "penstock: %s: No such file or directory\n"
                                     % t.path("none/conf.d")), "beside nothing")


@test("ctl: a config that the daemon doesn't run with is not reloaded", modes=ONCE)
def other_config(t):
    w = World(t).start()
    os.mkdir(t.path("other"))
    other = t.write("other/p.conf", 'rules = { r = { listen = "%s"; upstream = "%s"; }; };\n'
                    % (w.free(), w.to))
    files = w.files()
    check_equal(w.ctl.ask("add", "x", w.free(), w.to, "--config", other),
                "%s: rule x, added\npenstockd runs with %s: it was not reloaded\n"
                % (t.path("other/conf.d/x.conf"), w.main), "what it says")
    check_equal((w.files(), w.generation()), (files, 1), "the other one's")


@test("ctl: who may not write or reload changes nothing", modes=ONCE, needs=("root",))
def denied(t):
    w = World(t).start()
    os.chmod(w.ctl.socket, 0o666)
    listen = w.free()
    w.unchanged(("add", "x", listen, w.to), 1, "penstock: %s: Permission denied\n" % w.conf_d,
                preexec_fn=nobody)
    w.ctl.ask("add", "y", listen, w.to)
    free = w.free()
    w.unchanged(("add", "x", free, w.to), 1,
                "penstock: %s: can't be written: Permission denied\n" % w.file("x"),
                preexec_fn=nobody)
    w.unchanged(("remove", "y"), 1,
                "penstock: %s: can't be deleted: Permission denied\n" % w.file("y"),
                preexec_fn=nobody)
    os.chmod(w.conf_d, 0o777)
    no = ("only root, penstockd's own user, and the owner of the control socket or its group may "
          "change anything\n")
    for args in (("add", "x", free, w.to), ("remove", "y")):
        w.unchanged(args, 1, "penstock: " + no + "penstock: the files are as they were, but "
                    "penstockd has not reloaded: " + no, preexec_fn=nobody)
    w.settle()


@test("ctl: who is interrupted leaves nothing behind", modes=ONCE)
def interrupted(t):
    w = World(t)
    asked, go_on = threading.Event(), threading.Event()

    def never(_):
        asked.set()
        go_on.wait(harness.DEADLINE)
        return {}

    fake = FakeDaemon(t, {("GET", "/v1/status"): (200, {"config": {"path": w.main}}),
                          ("GET", "/v1/config/diff"): (200, {"changes": False, "rules": [],
                                                            "daemon": []}),
                          ("POST", "/v1/reload"): (200, never)})
    w.ctl.socket = fake.path
    w.write("y.conf", 'rules = { y = { listen = "%s"; upstream = "%s"; }; };\n' % (w.free(), w.to))
    files = w.files()
    for args, there in ((("add", "x", w.free(), w.to), "x"), (("remove", "y"), None)):
        asked.clear()
        child = w.ctl.spawn(*args, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        check(asked.wait(harness.DEADLINE), "it reloads")
        check(os.path.exists(w.file(there)) if there else not os.path.exists(w.file("y")), "done")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=harness.DEADLINE)
        check_equal((child.returncode, out), (-signal.SIGINT, b""), "its end: %r" % err)
        check_equal(w.files(), files, "files")
    go_on.set()


@test("ctl: the shells complete every option of a rule", modes=ONCE)
def completions(t):
    with open(os.path.join(TOP, "src", "conf", "options.def"), encoding="utf-8") as table:
        names = re.findall(r"^[A-Z]+\((?:RULE|BOTH|SENT|EACH), (\w+),", table.read(), re.M)
    check(len(names) > 20, names)
    for shell in ("penstock", "_penstock", "penstock.fish"):
        with open(os.path.join(TOP, "contrib", "completions", shell), encoding="utf-8") as f:
            words = set(re.findall(r"\w+", f.read()))
        check_equal([n for n in names if n not in words], [], "options that %s lacks" % shell)
