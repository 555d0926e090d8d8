# SPDX-License-Identifier: BSD-2-Clause
"""Sessions as pairs of blocking sockets: for tests in which what happens to the daemon matters more
than what the sides say."""

import socket

import harness
from harness import check_equal, receive_exactly, wait_for


class Upstream:
    """A listening upstream and the address by which a rule names it."""

    def __init__(self, t, family=socket.AF_INET):
        self.t = t
        self.socket = t.listener(family=family)
        name = self.socket.getsockname()
        self.address = ("[%s]:%d" if family == socket.AF_INET6 else "%s:%d") % name[:2]

    def accept(self):
        s, _ = self.socket.accept()
        s.settimeout(harness.DEADLINE)
        self.t.sockets.append(s)
        return s

    def nobody(self):
        """Is no connection waiting?"""
        self.socket.setblocking(False)
        try:
            self.socket.accept()
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(harness.DEADLINE)
        return False


class Pair:
    """A session through penstock: its client and its upstream's side."""

    def __init__(self, client, upstream):
        self.client, self.upstream = client, upstream
        self.port = client.getsockname()[1] if client.family != socket.AF_UNIX else None
        self.count = 0

    def talk(self):
        """An exchange in both directions."""
        self.count += 1
        text = b"exchange %d;" % self.count
        for a, b in ((self.client, self.upstream), (self.upstream, self.client)):
            a.sendall(text)
            check_equal(receive_exactly(b, len(text)), text, "what came through")

    def end(self):
        """Ends as a good session does."""
        for a, b in ((self.client, self.upstream), (self.upstream, self.client)):
            a.shutdown(socket.SHUT_WR)
            check_equal(b.recv(1), b"", "the end of the stream")
        self.close()

    def is_reset(self):
        """Wait until both sides are reset, without a byte."""
        for s in (self.client, self.upstream):
            try:
                data = s.recv(1)
            except ConnectionResetError:
                continue
            raise harness.Failure("expected a reset, read %r" % data)
        self.close()

    def line(self, d, **match):
        """Its line in the log, with these fields."""
        match["client"] = "127.0.0.1:%d" % self.port
        return wait_for(lambda: d.sessions(**match),
                        lambda: "the line of a session: %r" % match)[-1]

    def close(self):
        self.client.close()
        self.upstream.close()


def open_pair(t, where, upstream):
    """A session that has talked. `where`: a port of 127.0.0.1, or an address."""
    client = t.connect(("127.0.0.1", where) if isinstance(where, int) else where, own_port=True)
    pair = Pair(client, upstream.accept())
    pair.talk()
    return pair


def is_refused(where):
    """Does nobody listen there?"""
    address = ("127.0.0.1", where) if isinstance(where, int) else where
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        s.settimeout(harness.DEADLINE)
        try:
            s.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
    return False


def is_turned_away(t, port):
    """A client that must be closed by penstock without a byte (the limit)."""
    try:
        client = t.connect(("127.0.0.1", port))
        check_equal(client.recv(1), b"", "what a client at the limit gets")
    except ConnectionResetError:
        pass


def local(*ports):
    """Ports as addresses to listen on."""
    return ["127.0.0.1:%d" % p for p in ports] if len(ports) > 1 else "127.0.0.1:%d" % ports[0]
