# SPDX-License-Identifier: BSD-2-Clause
"""Configs, good and bad, and the users that penstockd runs as."""

import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess

import harness
from daemon import SANITIZER
from harness import ONCE, Skip, add_test, check, check_equal, receive_exactly, test

EX_USAGE, EX_CONFIG = 64, 78


def call(t, *args, stdin=None, wrapper=()):
    """Run penstockd with these arguments to its end: status, standard output, standard error."""
    p = subprocess.run([*wrapper, t.binary, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       input=stdin or b"", timeout=harness.DEADLINE, cwd=t.dir)
    out, err = (x.decode("utf-8", "replace") for x in (p.stdout, p.stderr))
    t.note("$ penstockd %s\nstatus %d\n%s%s" % (" ".join(args), p.returncode, out[:3000],
                                                err[:3000]))
    check(not SANITIZER.search(err), "a sanitizer's report")
    return p.returncode, out, err


RULE = 'listen = "127.0.0.1:9"; upstream = "127.0.0.1:10";'

# What is wrong: the config, the line (0: none is asked for), words that the error must have.
BAD = {
    "empty file": ("", 0, ["rules"]),
    "no rules": ("daemon = { };\n", 0, ["rules"]),
    "empty rules": ("rules = { };\n", 0, ["rules"]),
    "unclosed bracket": ("rules = {\n  a = { %s };\n" % RULE, 0, ["penstock-0.conf:"]),
    "no semicolon or brace": ("rules = { a = { listen = ; }; };\n", 1, []),
    "rules is a string": ('rules = "all";\n', 1, ["rules"]),
    "a rule is a number": ("rules =\n{\n  a = 5;\n};\n", 3, ["a"]),
    "wrong type: limit": ("rules = { a = { %s\n max_connections = \"many\"; }; };\n" % RULE, 2,
                          ["max_connections"]),
    "wrong type: listen": ('rules = { a = {\n listen = 5; upstream = "127.0.0.1:1"; }; };\n', 2,
                           ["listen"]),
    "wrong type: flag": ("rules = { a = { %s\n keepalive = 3; }; };\n" % RULE, 2, ["keepalive"]),
    "negative limit": ("rules = { a = { %s\n max_connections = -1; }; };\n" % RULE, 2,
                       ["max_connections"]),
    "limit of 0": ("rules = { a = { %s\n max_connections = 0; }; };\n" % RULE, 2,
                   ["max_connections"]),
    "huge limit": ("rules = { a = { %s\n max_connections = 99999999999L; }; };\n" % RULE, 2,
                   ["max_connections"]),
    "a number that fits nothing": ("rules = { a = { %s\n max_connections = "
                                   "99999999999999999999999; "
                                   "}; };\n" % RULE, 0, []),
    "negative duration": ("rules = { a = { %s\n connect_timeout = -5; }; };\n" % RULE, 2,
                          ["connect_timeout"]),
    "bad duration": ("rules = { a = { %s\n connect_timeout = \"5 parsecs\"; }; };\n" % RULE, 2,
                     ["connect_timeout"]),
    "bad choice": ("rules = { a = { %s\n on_limit = \"panic\"; }; };\n" % RULE, 2,
                   ["on_limit", "drop", "reset", "wait"]),
    "bad mode": ("rules = { a = { %s\n socket_mode = \"rw\"; }; };\n" % RULE, 2, ["socket_mode"]),
    "bad engine": ("daemon = { engine = \"warp\"; };\nrules = { a = { %s }; };\n" % RULE, 1,
                   ["engine", "select", "epoll", "auto"]),
    "unknown key in a rule": ("rules = { a = { %s\n max_conections = 5; }; };\n" % RULE, 2,
                              ["max_conections", "max_connections"]),
    "unknown key in daemon": ("daemon = {\n  log_levle = \"info\"; };\nrules = { a = { %s }; };\n"
                              % RULE, 2, ["log_levle", "log_level"]),
    "unknown key at the top": ("rulez = { };\nrules = { a = { %s }; };\n" % RULE, 1,
                               ["rulez", "rules"]),
    "a daemon's key in a rule": ("rules = { a = { %s\n drain_timeout = 5; }; };\n" % RULE, 2,
                                 ["drain_timeout"]),
    "no listen": ('rules = { a = { upstream = "127.0.0.1:1"; }; };\n', 1, ["listen"]),
    "no upstream": ('rules = { a = { listen = "127.0.0.1:1"; }; };\n', 1, ["upstream"]),
    "a rule twice": ("rules = {\n a = { %s };\n a = { %s };\n};\n" % (RULE, RULE), 3, ["a"]),
    "a key twice": ("rules = { a = { %s\n backlog = 1;\n backlog = 2; }; };\n" % RULE, 3,
                    ["backlog"]),
    "listen on port 0": ('rules = { a = {\n listen = "127.0.0.1:0"; upstream = "127.0.0.1:1"; }; '
                         '};\n',
                         2, ["127.0.0.1:0"]),
    "port 65536": ('rules = { a = {\n listen = "127.0.0.1:65536"; upstream = "127.0.0.1:1"; }; '
                   '};\n',
                   2, ["65536"]),
    "upstream port 0": ('rules = { a = { listen = "127.0.0.1:1";\n upstream = "127.0.0.1:0"; }; '
                        '};\n',
                        2, ["127.0.0.1:0"]),
    "no port": ('rules = { a = {\n listen = "127.0.0.1"; upstream = "127.0.0.1:1"; }; };\n', 2,
                ["127.0.0.1"]),
    "bad IPv6 address": ('rules = { a = {\n listen = "[::zz]:1"; upstream = "127.0.0.1:1"; }; '
                         '};\n', 2,
                         ["[::zz]:1"]),
    "a range backwards": ('rules = { a = {\n listen = "127.0.0.1:20-10"; upstream = '
                          '"127.0.0.1:1"; }; '
                          '};\n', 2, ["20-10"]),
    "ranges of unlike length": ('rules = { a = { listen = "127.0.0.1:10-20";\n upstream = '
                                '"127.0.0.1:10-15"; }; };\n', 0, ["10-15"]),
    "UNIX path that is too long": ('rules = { a = {\n listen = "unix:/%s"; upstream = '
                                   '"127.0.0.1:1"; }; '
                                   '};\n' % ("x" * 200), 2, ["unix:/"]),
    "empty UNIX path": ('rules = { a = {\n listen = "unix:"; upstream = "127.0.0.1:1"; }; };\n',
                        2, []),
    "upstream that can't be one": ('rules = { a = { listen = "127.0.0.1:1";\n upstream = "*:80"; '
                                   '}; '
                                   '};\n', 2, ["*:80"]),
    "one address in two rules": ("rules = {\n a = { %s };\n b = { %s };\n};\n" % (RULE, RULE), 3,
                                 ["a", "b", "127.0.0.1:9", "2"]),
    "one address twice in a range": ('rules = {\n a = { listen = "127.0.0.1:5-10"; upstream = '
                                     '"127.0.0.1:1"; };\n b = { %s };\n};\n' % RULE, 3,
                                     ["127.0.0.1:9"]),
    "on_change that is none": ('rules = { a = { %s\n on_change = "drain:never"; }; };\n' % RULE, 2,
                               ["a", "on_change", "drain:never", "keep", "kill"]),
    "on_change with too long a time": ('rules = { a = { %s\n on_change = "drain:25h"; }; };\n' % RULE,
                                       2, ["drain:25h", "drain:1d"]),
    "persist that is none": ('rules = { a = { %s\n persist = "always"; }; };\n' % RULE, 2,
                             ["persist", "always", "restart", "crash"]),
    "watch_config that is none": ('daemon = {\n watch_config = 1; };\nrules = { a = { %s }; };\n'
                                  % RULE, 2, ["watch_config", "true", "false"]),
    "exit_idle_time with a listener of our own": (
        'daemon = {\n exit_idle_time = "1h"; };\nrules = { s = { listen = "systemd:s"; '
        'upstream = "h:1"; };\n a = { %s }; };\n' % RULE, 2,
        ["exit_idle_time", '"a"', "127.0.0.1:9", "systemd:"]),
    "1 MB line": ("x" * 1000000 + " }", 1, []),
    "1 MB string": ('rules = { a = {\n listen = "%s"; upstream = "127.0.0.1:1"; }; };\n'
                    % ("x" * 1000000), 2, []),
    "1000 brackets": ("a = " + "( " * 1000, 0, []),
}


def bad(t, text, line, words):
    path = t.write("penstock-0.conf", text)
    for job in (["--check"], ["--dump"], []):
        status, _, err = call(t, "--config", path, *job)
        check_equal(status, EX_CONFIG, "exit status of penstockd %s" % " ".join(job))
        check(len(err) < 5000, "an error of %d bytes" % len(err))
        if line:
            check("%s:%d:" % (path, line) in err, "the error does not name line %d" % line)
        for word in words:
            check(word in err, "the error does not say %r" % word)


for name, (text, line, words) in BAD.items():
    add_test("bad config: " + name,
             lambda t, text=text, line=line, words=words: bad(t, text, line, words), ONCE)


@test("bad config: binary rubbish", ONCE)
def rubbish(t):
    rng = random.Random(7)
    for size in (1, 16, 300, 65536):
        bad(t, rng.randbytes(size), 0, [])
    bad(t, b"rules = { a = { listen = \"\0\"; }; };\n", 0, [])


@test("bad config: every error is told, in the order of the file", ONCE)
def every_error(t):
    path = t.write("penstock-0.conf", """\
daemon = { log_level = "loud"; };
rules =
{
    one = { listen = "127.0.0.1:70000"; upstream = "127.0.0.1:1"; };
    two = { listen = "127.0.0.1:2"; };
    three = { listen = "127.0.0.1:3"; upstream = "127.0.0.1:1"; max_connections = -5; };
};
""")
    status, _, err = call(t, "--config", path, "--check")
    check_equal(status, EX_CONFIG, "exit status")
    lines = [int(n) for n in re.findall(re.escape(path) + r":(\d+): ", err)]
    check_equal(lines, [1, 4, 5, 6], "lines of the errors")


@test("bad config: missing file, a directory, an unreadable file", ONCE)
def no_file(t):
    for path in (t.path("none.conf"), t.dir, "/dev/null/x"):
        for job in (["--check"], []):
            status, _, err = call(t, "--config", path, *job)
            check_equal(status, EX_CONFIG, "exit status")
            check(path in err, "the error does not name the file")
    path = t.write("secret.conf", "rules = { a = { %s }; };\n" % RULE)
    os.chmod(path, 0)
    wrapper = as_nobody(t) if os.geteuid() == 0 else ()
    status, _, err = call(t, "--config", path, wrapper=wrapper)
    check_equal(status, EX_CONFIG, "exit status")
    check(path in err and "ermission" in err, "the error does not say why")


@test("conf.d is read in name order; a rule twice names both places", ONCE)
def conf_d(t):
    main = t.write("penstock.conf", 'defaults = { backlog = 7; };\nrules = { a = { %s }; '
                                    '};\n' % RULE)
    os.mkdir(t.path("conf.d"))
    t.write("conf.d/20-b.conf", 'rules = { c = { listen = "127.0.0.1:12"; upstream = '
                                '"127.0.0.1:1"; }; '
            '};\n')
    t.write("conf.d/10-a.conf", 'rules = { b = { listen = "127.0.0.1:11"; upstream = '
                                '"127.0.0.1:1"; }; '
            '};\n')
    t.write("conf.d/.hidden.conf", "rubbish")
    t.write("conf.d/other.txt", "rubbish")
    status, out, _ = call(t, "--config", main, "--dump")
    check_equal(status, 0, "exit status")
    check_equal(re.findall(r"^\s+([abc])\s*=", out, re.M), ["a", "b", "c"], "rules")
    t.write("conf.d/30-again.conf", '\nrules = { a = { listen = "127.0.0.1:13"; upstream = '
            '"127.0.0.1:1"; }; };\n')
    status, _, err = call(t, "--config", main, "--check")
    check_equal(status, EX_CONFIG, "exit status")
    check("30-again.conf:2:" in err and "penstock.conf:2" in err, "not both places are named")


@test("--check prints the descriptor budget", ONCE)
def budget(t):
    text = "rules = { a = { %s max_connections = %d; }; };\n"
    status, out, err = call(t, "--check", "--config", t.write("small.conf", text % (RULE, 10)))
    check_equal((status, err), (0, ""), "status and errors of a small config")
    check(re.search(r"\b21\b", out), "10 sessions and a listener promise 21 descriptors")
    status, out, err = call(t, "--check", "--config", t.write("big.conf", text % (RULE, 1000000)))
    check_equal(status, 0, "exit status with a warning")
    check("2000001" in out and "warning" in err, "no warning for more than can be had")


@test("--dump can be read again, and gives the same", ONCE)
def round_trip(t):
    path = t.write("full.conf", """\
daemon = { engine = "select"; log_level = "debug"; drain_timeout = "90s"; };
defaults = { connect_timeout = "1500ms"; relay = "copy"; keepalive = false; };
rules =
{
    plain = { listen = "0.0.0.0:2222"; upstream = "10.0.0.5:22"; max_connections = 2; };
    web = { listen = [ "[::]:80", "unix:/run/web.sock" ]; upstream = "backend.example:8080";
            socket_mode = "0600"; relay = "splice"; };
    admin = { listen = ( { address = "127.0.0.1:9000"; max_connections = 4; backlog = 9; },
                         "[::1]:9000" );
              upstream = "unix:/run/a b\\"c.sock"; on_limit = "wait"; idle_timeout = "1h"; };
    act = { listen = "systemd:web"; upstream = "127.0.0.1:8080"; };
    many = { listen = "127.0.0.1:7000-7009"; upstream = "10.0.0.9:8000-8009"; };
    both = { listen = "*:81"; upstream = "unix:@abstract"; half_close_timeout = 0; };
};
""")
    status, first, err = call(t, "--dump", "--config", path)
    check_equal((status, err), (0, ""), "status and errors")
    for word in ("1500ms", "plain", "unix:@abstract", "splice", "0600"):
        check(word in first, "the dump does not have %r" % word)
    again = t.write("again.conf", first)
    status, second, err = call(t, "--dump", "--config", again)
    check_equal((status, err), (0, ""), "status and errors of the dump")
    check_equal(second, first, "the dump of the dump")
    status, through, _ = call(t, "--dump", "--config", "/dev/stdin", stdin=first.encode())
    check_equal((status, through), (0, first), "the dump read from standard input")
    check_equal(call(t, "--check", "--config", again)[0], 0, "status of --check of the dump")


@test("--dump of the options of reload", ONCE)
def round_trip_of_reload(t):
    path = t.write("reload.conf", """\
daemon = { watch_config = true; exit_idle_time = 90; };
defaults = { on_change = "drain:30"; };
rules =
{
    a = { listen = "systemd:a"; upstream = "192.0.2.1:1"; persist = "crash"; };
    b = { listen = "systemd:b"; upstream = "192.0.2.1:1"; on_change = "kill"; };
};
""")
    status, first, err = call(t, "--dump", "--config", path)
    check_equal((status, err), (0, ""), "status and errors")
    for name, values in (("watch_config", ["true"]), ("exit_idle_time", ['"90s"']),
                         ("on_change", ['"drain:30s"', '"kill"']),
                         ("persist", ['"crash"', '"restart"'])):
        check_equal(re.findall(r"^\s+%s = (.*);$" % name, first, re.M), values, name)
    status, second, err = call(t, "--dump", "--config", t.write("again.conf", first))
    check_equal((status, err, second), (0, "", first), "the dump of the dump")


@test("errors of a config reach the journal with their priority", ONCE, ("systemd",))
def journal_priority(t):
    path = t.write("bad.conf", "rules = { a = { listen = \"127.0.0.1:0\"; upstream = \"a:1\"; }; };\n")
    with open(t.path("journal"), "w+") as journal:
        at = os.fstat(journal.fileno())
        environment = dict(os.environ, JOURNAL_STREAM="%d:%d" % (at.st_dev, at.st_ino))
        run = subprocess.run([t.binary, "--config", path], stderr=journal, env=environment,
                             check=False)
        check_equal(run.returncode, EX_CONFIG, "exit status")
        journal.seek(0)
        lines = journal.read().splitlines()
    check(lines and all(l.startswith("<3>%s:1: " % path) for l in lines), "it says %r" % lines)


@test("wrong usage, --help, --version, a full disk", ONCE)
def usage(t):
    for args in (["--frobnicate"], ["extra"], ["--config"]):
        check_equal(call(t, *args)[0], EX_USAGE, "exit status")
    status, out, _ = call(t, "--help")
    check(status == 0 and "--check" in out and "--dump" in out, "--help")
    check_equal(call(t, "--check", "--dump")[0], EX_USAGE, "exit status of --check --dump")
    status, out, _ = call(t, "--version")
    check(status == 0 and re.search(r"penstockd? \d+\.\d+", out), "--version")
    with open("/dev/full", "w") as full:
        p = subprocess.run([t.binary, "--version"], stdout=full, stderr=subprocess.PIPE,
                           timeout=harness.DEADLINE)
    check_equal(p.returncode, 1, "exit status with a full disk")


# --- errors that show only when it starts ----------------------------------------------------

def fails(t, d, *words):
    d.status = 1
    d.spawn()
    check_equal(d.wait_exit(), 1, "exit status")
    for word in words:
        check(word in d.log(), "the error does not say %r" % word)


@test("an address that is not ours, a port in use: file and line are named, each of them", ONCE)
def cannot_bind(t):
    taken = t.listener()
    port = taken.getsockname()[1]
    text = """\
rules =
{
    fine = { listen = "127.0.0.1:%d"; upstream = "127.0.0.1:1"; };
    busy = { listen = "127.0.0.1:%d"; upstream = "127.0.0.1:1"; };
    away = {
        listen = "192.0.2.77:%d";
        upstream = "127.0.0.1:1";
    };
};
""" % (t.port(), port, t.port())
    d = t.prepare(text)
    fails(t, d, "penstock-0.conf:4", "penstock-0.conf:6", "busy", "away", "127.0.0.1:%d" % port,
          "192.0.2.77")
    check_equal(call(t, "--check", "--config", d.config)[0], 0, "--check binds nothing")


def as_nobody(t):
    """A command that runs another as an unprivileged user."""
    t.need("root")
    t.need("setpriv")
    wrapper = [shutil.which("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups",
               "--inh-caps=-all"]
    if subprocess.run(wrapper + ["test", "-x", t.binary], check=False).returncode != 0:
        raise Skip("nobody can't run %s" % t.binary)
    return wrapper


@test("a port that needs privilege", ONCE, ("root", "netns"))
def privileged(t):
    d = t.prepare({"rules": {"r": {"listen": "127.0.0.1:80", "upstream": "127.0.0.1:1"}}},
                  wrapper=as_nobody(t))
    fails(t, d, "penstock-0.conf:", "127.0.0.1:80", "CAP_NET_BIND_SERVICE")


def serves(t, d, address, upstream):
    client = t.connect(address)
    other = upstream.accept()[0]
    client.sendall(b"hello")
    check_equal(receive_exactly(other, 5), b"hello", "what came through")
    client.close()
    other.close()
    d.wait_sessions(1, end="done")


@test("runs as an unprivileged user", ONCE, ("root",))
def unprivileged(t):
    upstream, port = t.listener(), t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port,
                       "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}},
                       wrapper=as_nobody(t))
    check_equal(d.status_field("Uid")[0], str(pwd.getpwnam("nobody").pw_uid), "Uid")
    serves(t, d, ("127.0.0.1", port), upstream)


@test("binds port 80 as root, then becomes the user it was told", ONCE, ("root", "netns"))
def drops(t):
    upstream = t.listener()
    path = t.path("drop.sock")
    os.chmod(t.dir, 0o777)
    d = t.start({"r": {"listen": ["127.0.0.1:80", "unix:" + path],
                       "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}},
                daemon={"user": "nobody", "group": "nogroup"},
                preexec=lambda: os.setgroups([0, 4, 27]))
    nobody = pwd.getpwnam("nobody")
    check_equal(set(d.status_field("Uid")), {str(nobody.pw_uid)}, "Uid")
    check_equal(set(d.status_field("Gid")), {str(nobody.pw_gid)}, "Gid")
    check(not {"0", "4", "27"} & set(d.status_field("Groups")), "groups of root are kept")
    check_equal(int(d.status_field("CapEff")[0], 16), 0, "capabilities")
    serves(t, d, ("127.0.0.1", 80), upstream)
    d.settle()
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check(not os.path.exists(path), "the socket file is still there")


@test("a user given by number has the groups of its name", ONCE, ("root",))
def numeric_user(t):
    who = pwd.getpwnam("daemon")
    with open("/etc/group") as f:
        harness.own_file(t, "/etc/group", f.read() + "penstock-test:x:4711:daemon\n")
    seen = []
    for user in (who.pw_name, str(who.pw_uid)):
        d = t.start({"r": {"listen": "127.0.0.1:%d" % t.port(), "upstream": "127.0.0.1:9"}},
                    daemon={"user": user})
        seen.append(sorted(d.status_field("Groups")))
        check_equal(set(d.status_field("Uid")), {str(who.pw_uid)}, "Uid of user %s" % user)
    check("4711" in seen[0], "the user has not the group that lists it: %s" % seen[0])
    check_equal(seen[1], seen[0], "groups of the user given by number")


@test("a user or group that does not exist: a warning of --check, an error at the start", ONCE,
      ("root",))
def no_user(t):
    for option in "user", "group":
        d = t.prepare("""\
daemon = { log_level = "info";
           %s = "no-such"; };
rules = { r = { listen = "127.0.0.1:%d"; upstream = "127.0.0.1:1"; }; };
""" % (option, t.port()))
        status, _, err = call(t, "--check", "--config", d.config)
        check_equal(status, 0, "exit status with a warning")
        place = os.path.basename(d.config) + ":2: "
        check(place + "warning: daemon: %s" % option in err, "no warning with the place")
        d.spawn()
        d.status = d.wait_exit()
        check_equal(d.status, 1, "exit status")
        check(place + option in d.log() and "there is no such " + option in d.log(),
              "the error does not say what")


@test("SIGHUP ends nothing", ONCE)
def sighup(t):
    upstream, port = t.listener(), t.port()
    d = t.start({"r": {"listen": "127.0.0.1:%d" % port,
                       "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}})
    client = t.connect(("127.0.0.1", port))
    other = upstream.accept()[0]
    d.signal(signal.SIGHUP)
    harness.wait_for(lambda: "reloaded" in d.log(), "a word on the reload in the log")
    client.sendall(b"x")
    check_equal(receive_exactly(other, 1), b"x", "what came through")
    client.close()
    other.close()


@test("standard error that nobody reads does not stop it", ONCE)
def stuck_log(t):
    upstream, port = t.listener(), t.port()
    d = t.prepare({"daemon": {"log_level": "debug"},
                   "rules": {"r": {"listen": "127.0.0.1:%d" % port,
                                   "upstream": "127.0.0.1:%d" % upstream.getsockname()[1]}}},
                  wrapper=["/bin/sh", "-c", 'exec "$@" 2>"$PIPE"', "sh"])
    pipe = t.path("pipe")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    d.options["env"] = {"PIPE": pipe}
    d.spawn()
    harness.wait_for(lambda: can_connect(port), "penstockd to listen")
    upstream.accept()[0].close()
    for _ in range(1500):
        client = socket.create_connection(("127.0.0.1", port))
        other = upstream.accept()[0]
        client.close()
        other.close()
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    os.close(reader)


def can_connect(port):
    try:
        with socket.create_connection(("127.0.0.1", port)):
            return True
    except ConnectionRefusedError:
        return False
