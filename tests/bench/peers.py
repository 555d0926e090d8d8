# SPDX-License-Identifier: BSD-2-Clause
"""Who is measured, and how each is started.

Every proxy listens on 127.0.0.1:LISTEN and forwards to 127.0.0.1:UPSTREAM, in the foreground,
without logging, with room for the largest row; all else is as each comes. UDP sessions live as long
as penstock's do unless set.
"""

import os
import shutil
import subprocess

LISTEN = 5000
UPSTREAM = 5001
UDP_SECONDS = 120  # that a session without datagrams lives: udp_timeout of penstock
SESSIONS = 9000  # that each is told to admit; two descriptors each fit in a limit of 20000

HAPROXY = """\
global
    nbthread 1
    maxconn {sessions}
    maxpipes 500
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
{extra}
frontend f
    bind 127.0.0.1:{listen}
    maxconn {sessions}
    default_backend b
backend b
    server s 127.0.0.1:{upstream}
"""

NGINX = """\
{load_module}
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
user root;
pid {directory}/nginx.pid;
error_log stderr crit;
events {{
    worker_connections {files};
}}
stream {{
    access_log off;
    server {{
        listen 127.0.0.1:{listen} {how};
        proxy_pass 127.0.0.1:{upstream};
        {session};
    }}
}}
"""

# proxy_responses is left unset: then replies are not counted, and a session ends by its timeout
NGINX_HOW = {
    "tcp": {"how": "backlog=4096", "session": "proxy_timeout 1h; proxy_half_close on"},
    "udp": {"how": "udp", "session": "proxy_timeout %ds" % UDP_SECONDS},
}

PENSTOCK = """\
daemon = {{ engine = "{engine}"; log_level = "warning"; }};
rules =
{{
  bench = {{ listen = "{protocol}:127.0.0.1:{listen}"; upstream = "127.0.0.1:{upstream}";
            max_connections = {sessions}; relay = "{relay}"; }};
}};
"""


class Unavailable(Exception):
    """Says why a proxy can't be measured here."""


def find(program):
    """The full path of a program; also of those that only root has in its path."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/lib/systemd"])
    found = shutil.which(program, path=path)
    if not found:
        raise Unavailable("%s is not installed" % program)
    return found


def write(directory, name, template, **values):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as out:
        out.write(template.format(listen=LISTEN, upstream=UPSTREAM, sessions=SESSIONS,
                                  directory=directory, **values))
    return path


def output(command):
    """What a command says on either stream, or nothing when it can't be run."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, errors="replace",
                              timeout=10, check=False)
        return done.stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def packaged(package):
    """The version of an installed Debian package, or an empty string."""
    return output(["dpkg-query", "-W", "-f", "${Version}", package]).strip() \
        if shutil.which("dpkg-query") else ""


class Proxy:
    """One thing to measure: `kind` is direct, penstock or peer."""

    kind = "peer"
    protocols = ("tcp",)
    package = None
    program = None

    def __init__(self, name):
        self.name = name

    def command(self, directory, protocol):
        """The command line that starts it; may write its config into the directory."""
        raise NotImplementedError

    def version(self):
        version = packaged(self.package or self.program)
        find(self.program)
        return "%s (Debian %s)" % (self.program, version) if version else self.program


class Direct(Proxy):
    kind = "direct"
    protocols = ("tcp", "udp")

    def command(self, directory, protocol):
        return None

    def version(self):
        return "no proxy"


class Penstock(Proxy):
    kind = "penstock"

    def __init__(self, engine, relay):
        super().__init__("penstock %s/%s" % (engine, relay))
        self.engine = engine
        self.relay = relay  # of no meaning to UDP, so that it is measured with one of them
        self.protocols = ("tcp", "udp") if relay == "auto" else ("tcp",)

    @staticmethod
    def binary():
        binary = os.environ.get("PENSTOCKD", "./penstockd")
        if not os.access(binary, os.X_OK):
            raise Unavailable("%s is not there (set PENSTOCKD)" % binary)
        return os.path.abspath(binary)

    def command(self, directory, protocol):
        config = write(directory, "penstock.conf", PENSTOCK, engine=self.engine, relay=self.relay,
                       protocol=protocol)
        return [self.binary(), "--config", config]

    def version(self):
        lines = output([self.binary(), "--version"]).strip().splitlines()
        return lines[0] if lines else "unknown version"


class Haproxy(Proxy):
    program = "haproxy"

    def __init__(self, name, extra):
        super().__init__(name)
        self.extra = extra

    def command(self, directory, protocol):
        config = write(directory, "haproxy.cfg", HAPROXY, extra=self.extra)
        return [find("haproxy"), "-db", "-q", "-f", config]


class Nginx(Proxy):
    program = "nginx"
    protocols = ("tcp", "udp")
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"

    def command(self, directory, protocol):
        nginx = find("nginx")
        if os.path.exists(self.module):
            load_module = "load_module %s;" % self.module
        elif "--with-stream " in output([nginx, "-V"]):
            load_module = ""
        else:
            raise Unavailable("nginx has no stream module here (libnginx-mod-stream)")
        config = write(directory, "nginx.conf", NGINX, load_module=load_module,
                       files=2 * SESSIONS + 500, **NGINX_HOW[protocol])
        return [nginx, "-p", directory, "-c", config, "-e", "stderr"]


class Rinetd(Proxy):
    program = "rinetd"
    protocols = ("tcp", "udp")
    rules = {
        "tcp": "127.0.0.1 {listen} 127.0.0.1 {upstream}\n",
        "udp": "127.0.0.1 {listen}/udp 127.0.0.1 {upstream}/udp [timeout=%d]\n" % UDP_SECONDS,
    }

    def command(self, directory, protocol):
        config = write(directory, "rinetd.conf", self.rules[protocol])
        return [find("rinetd"), "-f", "-c", config]


class Socat(Proxy):
    """A process a session."""

    program = "socat"
    protocols = ("tcp", "udp")
    addresses = {
        "tcp": ["TCP-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096" % LISTEN,
                "TCP:127.0.0.1:%d,nodelay" % UPSTREAM],
        "udp": ["-T", str(UDP_SECONDS), "UDP4-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr" % LISTEN,
                "UDP4:127.0.0.1:%d" % UPSTREAM],
    }

    def command(self, directory, protocol):
        return [find("socat")] + self.addresses[protocol]


class SocketProxyd(Proxy):
    program = "systemd-socket-proxyd"
    package = "systemd"

    def command(self, directory, protocol):
        return [find("systemd-socket-activate"), "-l", "127.0.0.1:%d" % LISTEN,
                find(self.program), "--connections-max=%d" % SESSIONS, "127.0.0.1:%d" % UPSTREAM]


class Sslh(Proxy):
    package = "sslh"

    def __init__(self, program):
        super().__init__(program)
        self.program = program

    def command(self, directory, protocol):
        return [find(self.program), "-f", "-n", "-u", "root",
                "-P", os.path.join(directory, "sslh.pid"), "-p", "127.0.0.1:%d" % LISTEN,
                "--anyprot", "127.0.0.1:%d" % UPSTREAM]


class Pen(Proxy):
    program = "pen"

    def command(self, directory, protocol):
        return [find("pen"), "-f", "-r", "-O", "epoll", "-x", str(SESSIONS), "-c", str(SESSIONS),
                "127.0.0.1:%d" % LISTEN, "127.0.0.1:%d:%d" % (UPSTREAM, SESSIONS)]


def everyone():
    """All that is measured, in the order of the report."""
    penstocks = [Penstock("auto", "auto")]
    penstocks += [Penstock(e, r) for e in ("select", "epoll") for r in ("copy", "splice", "auto")]
    return [Direct("direct")] + penstocks + [
        Haproxy("haproxy", ""),
        # splice-auto takes fright at loads like ours and copies; this is splice for certain
        Haproxy("haproxy splice", "    option splice-request\n    option splice-response"),
        Nginx("nginx stream"),
        Rinetd("rinetd"),
        Socat("socat"),
        SocketProxyd("socket-proxyd"),
        Sslh("sslh-ev"),
        Sslh("sslh-select"),
        Pen("pen"),
    ]
