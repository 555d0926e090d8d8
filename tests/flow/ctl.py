# SPDX-License-Identifier: BSD-2-Clause
"""The program penstock, run from outside; and a daemon that says whatever a test wants."""

import errno
import fcntl
import http.server
import json
import os
import pty
import re
import socketserver
import struct
import subprocess
import termios
import threading

import harness

ENVIRONMENT = ("PENSTOCK_SOCKET", "NO_COLOR", "TERM", "LC_ALL", "LC_CTYPE", "LANG", "TZ")


class Ctl:
    """penstock, speaking to `socket` (a path)."""

    def __init__(self, t, socket):
        self.t = t
        self.socket = socket
        self.program = os.environ.get("PENSTOCK") or os.path.join(os.path.dirname(t.binary),
                                                                  "penstock")
        if not os.access(self.program, os.X_OK):
            raise harness.Skip("built without penstock")

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if k not in ENVIRONMENT}
        env.update(dict({"LC_ALL": "C.UTF-8", "TERM": "xterm", "TZ": "UTC0"}, **more))
        env["PATH"] = os.path.dirname(self.t.binary) + ":" + env.get("PATH", "")
        return env

    def argv(self, *args):
        return [self.program, "--socket", self.socket] + list(args)

    def run(self, *args, env=None, **options):
        """Its exit status, standard output and standard error."""
        done = subprocess.run(self.argv(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=harness.DEADLINE,
                              env=self.environment(**(env or {})), **options)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def ask(self, *args):
        """What it prints when all is well."""
        status, out, err = self.run(*args)
        harness.check_equal((status, err), (0, ""), "penstock " + " ".join(args))
        return out

    def json(self, *args):
        return json.loads(self.ask(*args, "--json"))

    def spawn(self, *args, **options):
        """Start it; what it prints comes by a pipe."""
        return self.t.spawn(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=self.environment(), **options)

    def on_terminal(self, *args, **options):
        """Its exit status, and what a terminal gets from it."""
        child, out = self._terminal(args, None, **options)
        return child.wait(timeout=harness.DEADLINE), out

    def watched(self, *args, until, **options):
        """What a terminal gets from it up to where `until` is in it; then it is killed."""
        child, out = self._terminal(args, until, **options)
        child.kill()
        child.wait()
        return out

    def _terminal(self, args, until, columns=80, rows=24, env=None):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        child = self.t.spawn(self.argv(*args), stdin=slave, stdout=slave, stderr=slave,
                             env=self.environment(**(env or {})))
        os.close(slave)
        out = b""
        with open(master, "rb", buffering=0) as terminal:
            while until is None or until.encode() not in out:
                try:
                    part = terminal.read(65536)
                except OSError as e:
                    if e.errno != errno.EIO:  # nobody has the other end any more
                        raise
                    part = b""
                if not part:
                    break
                out += part
        return child, out.decode().replace("\r\n", "\n")


def read_line(child):
    """The next line of a spawned one; the test's own time limit ends a wait in vain."""
    return child.stdout.readline().decode()


def plain(text):
    """Without what differs from run to run: spans, process ids, ports that the kernel gave, and
    how far columns are apart."""
    text = re.sub(r"\b\d+(ms|s|m\d\ds)\b", "SPAN", text)
    text = re.sub(r"\b(process|pid=)( ?)\d+", r"\1\2PID", text)
    text = re.sub(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d|\b\d\d:\d\d:\d\d\b", "TIME", text)
    return re.sub(r"  +", "  ", text)


class FakeDaemon:
    """Answers on a UNIX socket: answers[(method, path)] is a status and a body (bytes, or what is
    JSON), or a function of the query. What was asked is in `asked`."""

    def __init__(self, t, answers):
        self.path = t.path("fake.sock")
        self.asked = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                path, _, query = self.path.partition("?")
                fake.asked.append((self.command, self.path))
                status, body = answers.get((self.command, path), (404, {"error": {
                    "code": "not-found", "message": "there is no %s here" % path}}))
                if callable(body):
                    body = body(query)
                if not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def finish_request(self, request, client_address):
                Handler(request, ("local", 0), self)

        server = Server(self.path, Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
