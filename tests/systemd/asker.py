#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
    asker.py PATH

Ask for /healthz on the UNIX socket again and again, until the end of standard input. Prints how
often it was answered; exit status 1 when it was ever turned away.
"""

import select
import socket
import sys

answered = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        try:
            s.connect(sys.argv[1])
        except OSError as e:
            sys.exit("turned away: %s" % e)
        try:
            s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            answered += b" 200 OK" in s.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the process has changed in between
print(answered)
