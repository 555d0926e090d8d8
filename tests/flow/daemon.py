# SPDX-License-Identifier: BSD-2-Clause
"""penstockd as seen from outside: its process, log, notifications, descriptors, memory and CPU."""

import os
import re
import resource
import signal
import socket
import struct
import subprocess

import harness

SANITIZER = re.compile(
    r"(Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|runtime error:|"
    r"ERROR SUMMARY: [1-9]|definitely lost: [1-9]")

# Ends of idle pipes that penstockd may keep for the next transfer.
PIPES_KEPT = 64


def to_config(value, depth=0):
    """A Python value in libconfig's syntax."""
    pad = "    " * (depth + 1)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    if isinstance(value, list):
        return "[ %s ]" % ", ".join(to_config(v, depth) for v in value)
    if isinstance(value, tuple):
        return "( %s )" % ", ".join(to_config(v, depth + 1) for v in value)
    rows = ["%s%s = %s;\n" % (pad, k, to_config(v, depth + 1)) for k, v in value.items()]
    return "{\n%s%s}" % ("".join(rows), "    " * depth)


def config_text(config):
    return "".join("%s = %s;\n" % (k, to_config(v)) for k, v in config.items())


class NotifySocket:
    """The manager's end of sd_notify(3)."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.messages = []

    def poll(self):
        """All messages so far, each a list of its lines."""
        while True:
            try:
                self.messages.append(self.socket.recv(65536).decode().split("\n"))
            except BlockingIOError:
                return self.messages

    def count(self, line):
        return sum(line in m for m in self.poll())

    def values(self, key):
        return [l[len(key) + 1:] for m in self.poll() for l in m if l.startswith(key + "=")]

    def close(self):
        self.socket.close()


class Daemon:
    """One penstockd. Options: args, env, notify (False: none), files (soft and hard limit of
    descriptors), wrapper (a command before ours), pass_fds, preexec, ready (tells it instead of the
    log, where that is silent), binary (another one than the run's)."""

    def __init__(self, t, number, config, **options):
        self.t = t
        self.options = options
        self.groups = {} if isinstance(config, (str, bytes)) else dict(config)
        self.text = config if isinstance(config, (str, bytes)) else config_text(config)
        self.config = t.write("penstock-%d.conf" % number, self.text)
        os.chmod(self.config, 0o644)
        self.log_path = t.path("log-%d" % number)
        self.parsed = []       # lines of the log that were read already
        self.parsed_bytes = 0
        self.process = None
        self.checked = False
        self.baseline = None  # descriptors when it was ready
        self.baseline_sockets = None
        self.listening = 0    # how many listeners are in the baselines
        self.status = None  # what must be its exit status; None: 0
        self.notify = None
        if options.get("notify", t.features.get("systemd") == "yes"):
            self.notify = NotifySocket(t.path("notify-%d" % number))

    # --- its life ----------------------------------------------------------------------------

    def binary(self):
        return self.options.get("binary", self.t.binary)

    def command(self):
        extra = os.environ.get("PENSTOCK_WRAPPER", "").split()
        args = self.options.get("args", ["--config", self.config])
        return self.options.get("wrapper", []) + extra + [self.binary()] + args

    def spawn(self):
        """Start without waiting for anything."""
        env = dict(os.environ)
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS",
                     "LISTEN_PID", "LISTEN_FDNAMES", "JOURNAL_STREAM"):
            env.pop(name, None)
        if self.notify:
            env["NOTIFY_SOCKET"] = self.notify.path
        env.update(self.options.get("env", {}))

        def before_exec():
            if "files" in self.options:
                limit = self.options["files"]
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            if "preexec" in self.options:
                self.options["preexec"]()

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                pass_fds=self.options.get("pass_fds", ()), preexec_fn=before_exec, cwd=self.t.dir)

    def start(self):
        self.spawn()
        harness.wait_for(self._ready, self._not_ready)
        self.baseline = self.fds()
        self.baseline_sockets = self.sockets()
        found = [l for l in self.lines() if l.get("msg") == "listening"]
        self.listening = int(found[-1]["listeners"]) if found else 0

    def _ready(self):
        if self.process.poll() is not None:
            raise harness.Failure("penstockd ended with status %d before it was ready"
                                  % self.process.returncode)
        if self.notify and not self.notify.count("READY=1"):
            return False
        if "ready" in self.options:
            return self.options["ready"]()
        # Logged last: until then a descriptor may be open for the notification.
        return re.search(r"msg\W+listening", self.log())

    def _not_ready(self):
        return "penstockd to be ready"

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self):
        harness.wait_for(lambda: not self.alive(), "penstockd to end")
        return self.process.returncode

    def settle(self):
        """Wait until it holds no more descriptors than when it started."""
        harness.wait_for(lambda: self.fds() == self.baseline,
                         lambda: "descriptors back to where they were: %d at the start, now %d\n%s"
                         % (self.baseline, self.fds(), "\n".join(self.fd_list())))
        harness.wait_for(lambda: self.pipes() <= PIPES_KEPT,
                         lambda: "no more than %d pipe ends, there are %d" % (PIPES_KEPT,
                                                                              self.pipes()))

    def finish(self):
        """Nothing left behind, a clean end, no sanitizer's report."""
        if self.process is None or self.checked:
            return
        self.checked = True
        if self.alive() and self.baseline is not None:
            self.settle()
            self.signal(signal.SIGTERM)
        status = self.wait_exit()
        harness.check_equal(status, self.status or 0, "exit status of penstockd")
        self.check_output()

    def check_output(self):
        found = SANITIZER.search(self.log())
        harness.check(not found, "a sanitizer's report: %s" % (found and found.group(0)))

    def kill(self):
        if self.process is not None and self.alive():
            self.process.kill()
            self.process.wait()
        if self.notify:
            self.notify.close()

    # --- changing it while it runs -----------------------------------------------------------

    def rewrite(self, config, rename=False, **groups):
        """Another config in the same place: rules (the other groups stay, unless given), or the
        file's text. With rename it takes the file's place at once, as many editors do."""
        if isinstance(config, dict):
            self.groups.update(groups, rules=config)
            config = config_text(self.groups)
        self.text = config
        name = os.path.basename(self.config)
        new = self.t.write(name + ".new" if rename else name, config)
        os.chmod(new, 0o644)
        os.rename(new, self.config)

    def wait_line(self, start, *messages):
        """The first line from line `start` of the log on that has one of these messages."""
        at = [start]

        def found():
            self.lines()
            while at[0] < len(self.parsed):
                at[0] += 1
                if self.parsed[at[0] - 1].get("msg") in messages:
                    return self.parsed[at[0] - 1]
            harness.check(self.alive(), "penstockd has ended")
            return None
        return harness.wait_for(found, "a line with msg=%s" % " or ".join(messages))

    def reload(self, config=None, **expected):
        """SIGHUP, with this config; wait for its outcome, check these fields of its line and
        give it."""
        if config is not None:
            self.rewrite(config)
        start = len(self.lines())
        self.signal(signal.SIGHUP)
        return self.reloaded(start, **expected)

    def reloaded(self, start, **expected):
        """As above, once something has made it reload."""
        line = self.wait_line(start, "reloaded", "config not reloaded")
        harness.check_equal(line["msg"], "reloaded", "outcome of the reload")
        for key, value in expected.items():
            harness.check_equal(line.get(key), str(value), "%s of the reload" % key)
        self.listeners_are(int(line["listeners"]))
        return line

    def reload_fails(self, config=None, *words):
        """As above, with a config that must be refused; these words tell why."""
        if config is not None:
            self.rewrite(config)
        start = len(self.lines())
        self.signal(signal.SIGHUP)
        line = self.wait_line(start, "reloaded", "config not reloaded")
        harness.check_equal(line["msg"], "config not reloaded", "outcome of the reload")
        text = "\n".join(l[""] for l in self.parsed[start:])
        for word in words:
            harness.check(word in text, "the log of the reload does not say %r:\n%s" % (word, text))
        return line

    def upgrade(self):
        """SIGUSR2; wait until the new program is at work, and give its line of what it took."""
        if os.environ.get("PENSTOCK_WRAPPER"):
            raise harness.Skip("a wrapped program can't execute itself anew")
        start = len(self.lines())
        self.signal(signal.SIGUSR2)
        line = self.wait_line(start, "taken over", "not handed over")
        harness.check_equal(line["msg"], "taken over", "outcome of the handover")
        harness.check_equal(line.get("lost"), "0", "sessions lost in the handover")
        ready = self.wait_line(start, "listening")
        self.listeners_are(int(ready["listeners"]))
        return dict(line, rules=ready["rules"])

    def upgrade_fails(self, *words):
        """As above, of a handover that must not be."""
        if os.environ.get("PENSTOCK_WRAPPER"):
            raise harness.Skip("a wrapped program can't execute itself anew")
        start = len(self.lines())
        self.signal(signal.SIGUSR2)
        line = self.wait_line(start, "taken over", "not handed over")
        harness.check_equal(line["msg"], "not handed over", "outcome of the handover")
        text = "\n".join(l[""] for l in self.parsed[start:])
        for word in words:
            harness.check(word in text, "the log does not say %r:\n%s" % (word, text))

    def listeners_are(self, count):
        """So many of its descriptors are listeners from now on."""
        if self.baseline is not None:
            self.baseline += count - self.listening
            self.baseline_sockets += count - self.listening
        self.listening = count

    def listeners(self):
        """The listening sockets that it has open: {address: inode}."""
        ours = {int(m) for m in re.findall(r"socket:\[(\d+)\]", "\n".join(self.fd_list()))}
        found = {}
        for family, name in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
            for row in self._net(name):
                if row[3] == "0A" and int(row[9]) in ours:
                    host, port = row[1].split(":")
                    words = [int(host[i:i + 8], 16) for i in range(0, len(host), 8)]
                    text = socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words))
                    form = "[%s]:%d" if family == socket.AF_INET6 else "%s:%d"
                    found[form % (text, int(port, 16))] = int(row[9])
        for row in self._net("unix"):
            if int(row[3], 16) & 0x10000 and int(row[6]) in ours:
                found["unix:" + row[7]] = int(row[6])
        return found

    def _net(self, name):
        with open("/proc/%d/net/%s" % (self.pid, name)) as f:
            return [row.split() for row in f.readlines()[1:]]

    # --- what it says ------------------------------------------------------------------------

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def lines(self):
        """The log's lines as fields, each with the whole line under ""."""
        with open(self.log_path, "rb") as f:
            f.seek(self.parsed_bytes)
            new = f.read()
        new = new[:new.rfind(b"\n") + 1]
        self.parsed_bytes += len(new)
        for line in new.decode("utf-8", "replace").splitlines():
            self.parsed.append(dict(harness.parse_fields(line), **{"": line}))
        return self.parsed

    def sessions(self, **match):
        """The lines of sessions and refused clients whose fields are as given."""
        wanted = [(k, str(v)) for k, v in match.items()]
        return [fields for fields in self.lines()
                if "end" in fields and all(fields.get(k) == v for k, v in wanted)]

    def wait_sessions(self, count, **match):
        return harness.wait_for(
            lambda: (lambda s: s if len(s) >= count else None)(self.sessions(**match)),
            lambda: "%d session lines with %r, there are %d" % (count, match,
                                                                len(self.sessions(**match))))

    def report(self):
        text = self.text if isinstance(self.text, str) else repr(self.text)
        if len(text) > 4000:
            text = text[:2000] + "\n...\n" + text[-1000:]
        log = self.log() if os.path.exists(self.log_path) else ""
        if len(log) > 8000:
            log = log[:3000] + "\n...\n" + log[-5000:]
        status = self.process and self.process.poll()
        return "--- config\n%s\n--- log of penstockd (status %s)\n%s---" % (text, status, log)

    # --- what it uses ------------------------------------------------------------------------

    def fd_list(self):
        out = []
        for name in os.listdir("/proc/%d/fd" % self.pid):
            try:
                out.append(name + " " + os.readlink("/proc/%d/fd/%s" % (self.pid, name)))
            except OSError:
                pass
        return out

    def fds(self):
        """How many descriptors it has open, but for the epoll set, which may come under way, the
        pipes that are kept for the next transfer, and the config on its way to a manager who does
        not read."""
        return sum("eventpoll" not in link and "pipe:" not in link and "penstock-config" not in link
                   for link in self.fd_list())

    def pipes(self):
        return sum("pipe:" in link for link in self.fd_list())

    def sockets(self):
        return sum("socket:" in link for link in self.fd_list())

    def stat(self):
        """The fields of proc(5)'s stat from the state on."""
        with open("/proc/%d/stat" % self.pid) as f:
            return f.read().rsplit(")", 1)[1].split()

    def state(self):
        """R: it runs, or wants to. S: it sleeps. T: it is stopped."""
        return self.stat()[0]

    def cpu_seconds(self):
        fields = self.stat()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        """Resident memory in bytes."""
        return int(self.status_field("VmRSS")[0]) * 1024

    def status_field(self, name):
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith(name + ":"):
                    return line.split()[1:]
        raise harness.Failure("/proc/PID/status has no %s" % name)
