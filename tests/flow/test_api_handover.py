# SPDX-License-Identifier: BSD-2-Clause
"""The control socket and the address for reading go from one process to the next."""

import http.client
import os
import signal
import socket
import threading

from api import Api, Connection
from harness import ENGINE, check, check_equal, test, wait_for
from test_api import CONTROL, session, start


class Asker:
    """Asks for /healthz again and again, each time on a connection of its own. Who is in the middle
    of a request when the process changes may be cut off, but nobody is turned away."""

    def __init__(self, where):
        self.api = Api(where)
        self.answered = 0
        self.turned_away = []
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def ask(self):
        connection = Connection(self.api.where)
        try:
            connection.connect()
        except OSError as e:
            self.turned_away.append(repr(e))
            return
        try:
            connection.request("GET", "/healthz")
            self.answered += self.api.finish(connection).status == 200
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def run(self):
        while not self.over:
            self.ask()

    def stop(self):
        """All of them were let in, and some were answered."""
        self.over = True
        self.thread.join()
        check_equal(self.turned_away, [], "turned away")
        check(self.answered > 0, "nobody was answered")


def upgrade_under_askers(d, api, askers):
    for _ in range(3):
        before = [a.answered for a in askers]
        d.upgrade()
        wait_for(lambda: all(a.answered > n for a, n in zip(askers, before)), "answers")
    for a in askers:
        a.stop()


def inode(path):
    st = os.lstat(path)
    return st.st_dev, st.st_ino, st.st_mode, st.st_uid, st.st_gid


@test("api: nobody is turned away at an upgrade", ENGINE, CONTROL)
def upgrade(t):
    port = t.port()
    d, api = start(t, {"http": "127.0.0.1:%d" % port, "control_mode": "0600"})
    client, upstream = session(t, d)
    before = inode(api.where)
    upgrade_under_askers(d, api, [Asker(api.where), Asker(("127.0.0.1", port))])
    check_equal(inode(api.where), before, "the file")
    check_equal(api.post("/v1/reload")["outcome"], "ok", "a reload")
    client.close()
    upstream.close()
    d.settle()


@test("api: the control socket in a directory of root's outlives upgrades as another user", ENGINE,
      CONTROL + ("root",))
def dropped(t):
    os.chmod(t.path("."), 0o755)
    os.mkdir(t.path("root"), 0o755)
    path = t.path("root/control.sock")
    d, _ = start(t, {"control": path, "user": "nobody"})
    api = Api(path)
    before = inode(path)
    upgrade_under_askers(d, api, [Asker(path)])
    check_equal(inode(path), before, "the file")
    check_equal(api.post("/v1/reload")["outcome"], "ok", "a reload")


@test("api: who waits in the backlog is served by the next process", ENGINE, CONTROL)
def backlog(t):
    d, api = start(t)
    d.signal(signal.SIGSTOP)
    waiting = t.connect(api.where)
    waiting.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")
    d.signal(signal.SIGUSR2)
    d.signal(signal.SIGCONT)
    answer = waiting.makefile("rb").read()
    check(b" 200 OK\r\n" in answer, "it is %r" % answer)


@test("api: an upgrade to other addresses closes the former ones", ENGINE, CONTROL)
def elsewhere(t):
    old, new = t.port(), t.port()
    d, api = start(t, {"http": "127.0.0.1:%d" % old})
    d.groups["daemon"].update(control=t.path("new.sock"), http="127.0.0.1:%d" % new)
    d.rewrite(d.rules)
    d.upgrade()
    check_equal(Api(t.path("new.sock")).get("/v1/status")["pid"], d.pid, "who answers")
    check_equal(Api(("127.0.0.1", new)).get("/v1/status")["pid"], d.pid, "who answers on TCP")
    check(not os.path.exists(api.where), "the old file")
    for address in (api.where, ("127.0.0.1", old)):
        s = socket.socket(socket.AF_UNIX if address == api.where else socket.AF_INET)
        check(s.connect_ex(address) != 0, "%r is open still" % (address,))
        s.close()


@test("api: at an upgrade a socket file of somebody else's is left alone", ENGINE, CONTROL)
def anothers(t):
    d, api = start(t, {"control_mode": "0600"})
    os.unlink(api.where)
    other = t.listener(api.where, socket.AF_UNIX)
    os.chmod(api.where, 0o640)
    before = inode(api.where)
    d.groups["daemon"]["control_mode"] = "0666"
    d.rewrite(d.rules)
    d.upgrade()
    wait_for(lambda: "another process listens on it" in d.log(), "what is wrong to be told")
    check_equal(inode(api.where), before, "the file")
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check_equal(inode(api.where), before, "the file in the end")
    other.close()


@test("api: a socket file that nobody listens on any more is replaced at an upgrade", ENGINE,
      CONTROL)
def left_behind(t):
    d, api = start(t)
    os.unlink(api.where)
    t.listener(api.where, socket.AF_UNIX).close()
    d.upgrade()
    check_equal(api.get("/v1/status")["pid"], d.pid, "who answers")
    d.signal(signal.SIGTERM)
    check_equal(d.wait_exit(), 0, "exit status")
    check(not os.path.exists(api.where), "its own file is still there")


@test("api: an upgrade with other rights gives them to the file", ENGINE, CONTROL)
def rights(t):
    d, api = start(t, {"control_mode": "0600"})
    d.groups["daemon"]["control_mode"] = "0644"
    d.rewrite(d.rules)
    d.upgrade()
    check_equal(inode(api.where)[2] & 0o777, 0o644, "its mode")
    os.unlink(api.where)
    d.upgrade()
    check_equal(api.get("/v1/status")["pid"], d.pid, "who answers when the file was removed")
