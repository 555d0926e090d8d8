# SPDX-License-Identifier: BSD-2-Clause
"""One end of a session in the small language of talk.py: what it has sent, read and seen."""

import re
import select
import socket

from harness import Failure

RESETS = (ConnectionResetError, BrokenPipeError)


def size_of(text):
    """The number of bytes that "64k" or "3M" stand for; None for a text."""
    m = re.match(r"(\d+)([kM])$", text or "")
    return int(m.group(1)) << (10 if m.group(2) == "k" else 20) if m else None


def short(data):
    return repr(bytes(data[:40])) + ("... (%d bytes)" % len(data) if len(data) > 40 else "")


class Side:
    """One end of a session."""

    def __init__(self, name, sock):
        self.name = name
        self.peer = None
        self.socket = sock
        sock.setblocking(False)
        self.local = sock.getsockname()
        self.sent = bytearray()   # all that was ever queued to send
        self.taken = 0            # how much of it the kernel has
        self.got = bytearray()    # all that was ever read
        self.seen = 0             # how much of it was expected
        self.paused = False
        self.chunk = 1 << 18      # most to read at a time
        self.draining = False
        self.fin = False
        self.rst = False

    def ended(self):
        return self.fin or self.rst

    def state(self):
        words = ["got %d, of them %d expected" % (len(self.got), self.seen),
                 "queued %d, of them %d taken" % (len(self.sent), self.taken)]
        words += [w for w in ("fin", "rst", "paused") if getattr(self, w)]
        if self.socket is None:
            words.append("closed")
        if len(self.got) > self.seen:
            words.append("next: " + short(self.got[self.seen:]))
        return "%s: %s" % (self.name, "; ".join(words))

    def interest(self):
        events = 0
        if not self.paused and not self.ended():
            events |= select.POLLIN
        if self.taken < len(self.sent) and not self.rst:
            events |= select.POLLOUT
        return events

    def write(self):
        while self.taken < len(self.sent) and not self.rst and self.socket:
            try:
                part = memoryview(self.sent)[self.taken:self.taken + (1 << 18)]
                count = self.socket.send(part)
                part.release()
                self.taken += count
            except BlockingIOError:
                return
            except RESETS:
                self.rst = True

    def read(self):
        while not self.paused and not self.fin and self.socket:
            try:
                data = self.socket.recv(self.chunk)
            except BlockingIOError:
                return
            except RESETS:
                self.rst = True
                continue
            if not data:
                if not self.rst:
                    self.fin = True
                return
            self.got += data
            if self.peer is not None:
                start = len(self.got) - len(data)
                if self.peer.sent[start:len(self.got)] != data:
                    raise Failure("%s read bytes that %s did not send, somewhere after byte %d: %s"
                                  % (self.name, self.peer.name, start, short(data)))
            if self.chunk < 1 << 18 and not self.rst:  # after a reset: all that is still there
                return

    def pump(self, events):
        if events & (select.POLLERR | select.POLLHUP):
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.rst = True
        self.write()
        self.read()
