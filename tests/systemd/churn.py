#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
    churn.py CLIENT_PORT UPSTREAM_PORT COUNT

Sessions that come and go, so many at a time, until the end of standard input: the load of the flow
tests (tests/flow/load.py), with a listening socket for its upstream.
"""

import json
import os
import socket
import sys

port, upstream_port, count = (int(a) for a in sys.argv[1:])
upstream = socket.create_server(("127.0.0.1", upstream_port), backlog=4096)
upstream.set_inheritable(True)
load = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow", "load.py")
os.execv(sys.executable, [sys.executable, load, json.dumps(
    {"routes": [["127.0.0.1", port]], "upstreams": [upstream.fileno()], "sessions": count,
     "seed": 1})])
