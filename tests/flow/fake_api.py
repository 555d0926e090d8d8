# SPDX-License-Identifier: BSD-2-Clause
"""What a browser takes for penstockd: the files of the page as they are, and answers that a test
makes up, such as a daemon could never give."""

import http.server
import json
import os
import threading
import urllib.parse

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGE = os.path.join(TOP, "src", "page")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript",
         ".svg": "image/svg+xml"}


def rule(name, **members):
    return dict({"name": name, "state": "running", "upstream": "10.0.0.5:22", "sessions": 0,
                 "listeners": [{"address": "127.0.0.1:22", "state": "listening", "sessions": 0,
                                "limit": None}],
                 "limit": 256, "opened": 0, "bytes_in": 0, "bytes_out": 0, "datagrams_in": 0,
                 "datagrams_out": 0, "dropped": 0, "ended": {}, "refused": {}}, **members)


def session(number, **members):
    return dict({"id": number, "rule": "web", "protocol": "tcp", "state": "open",
                 "client": "192.0.2.1:%d" % (1024 + number), "upstream": "10.0.0.5:22",
                 "started_at_ms": 1700000000000, "age_ms": 1000, "idle_ms": 0, "connect_ms": 1,
                 "bytes_in": 0, "bytes_out": 0}, **members)


def status(**members):
    return dict({"version": "0.1.0", "pid": 7, "started_at_ms": 1700000000000, "uptime_ms": 5000,
                 "engine": "select", "watched": 3, "sessions": 0, "served": 0, "refused": 0,
                 "rules": 1, "listeners": 1, "descriptors": {"booked": 1, "room": 100},
                 "config": {"path": "/etc/penstock/penstock.conf", "generation": 1,
                            "loaded_at_ms": 1700000000000,
                            "reload": {"outcome": "none", "at_ms": None, "error": None}}},
                **members)


class FakeApi:
    """Serves until close(). `status`, `rules` and `sessions` may be changed at any time; events are
    what tell() is given. `asked`: the queries for sessions; `streams`: who reads events; `held`:
    who waits for the status, of which nothing is said while `gate` is cleared."""

    def __init__(self):
        self.status, self.rules, self.sessions = status(), [rule("web")], []
        self.asked, self.streams, self.events = [], 0, []
        self.gate, self.held = threading.Event(), 0
        self.gate.set()
        self.changed = threading.Condition()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                fake.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def tell(self, *events):
        with self.changed:
            self.events += events
            self.changed.notify_all()

    # --- answers ---------------------------------------------------------------------------

    def answer(self, handler):
        target = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(target.query))
        if target.path == "/v1/events":
            self.stream(handler)
        elif target.path.startswith("/v1/"):
            self.send(handler, "application/json",
                      json.dumps(self.said(target.path, query)).encode())
        else:
            name = os.path.basename(target.path) or "index.html"
            with open(os.path.join(PAGE, name), "rb") as f:
                self.send(handler, TYPES[os.path.splitext(name)[1]], f.read())

    def wait(self):
        with self.changed:
            self.held += 1
        self.gate.wait()
        with self.changed:
            self.held -= 1

    def said(self, path, query):
        if path == "/v1/status":
            self.wait()
            return self.status
        if path == "/v1/rules":
            return {"rules": self.rules}
        self.asked.append(query)
        size = int(query["limit"])
        found = [s for s in self.sessions if s["id"] > int(query.get("after", 0))]
        return {"sessions": found[:size],
                "next": found[size - 1]["id"] if len(found) > size else None}

    @staticmethod
    def send(handler, kind, body):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        # Without the daemon's policy for scripts, which would hide that one was injected.
        handler.end_headers()
        handler.wfile.write(body)

    def stream(self, handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/jsonl")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        with self.changed:
            self.streams += 1
            at = len(self.events)
        try:
            hello = {"event": "hello", "at_ms": 1700000000000, "version": "0.1.0", "pid": 7}
            handler.wfile.write(json.dumps(hello).encode() + b"\n")
            while True:
                with self.changed:
                    self.changed.wait(0.1)
                    lines, at = self.events[at:], len(self.events)
                # An empty line would be no event; a reader that has gone is noticed by writing.
                text = "".join(json.dumps(e) + "\n" for e in lines)
                handler.wfile.write(text.encode() or b" ")
        except OSError:
            pass
        finally:
            with self.changed:
                self.streams -= 1
