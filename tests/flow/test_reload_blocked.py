# SPDX-License-Identifier: BSD-2-Clause
"""Reload of a config that can't be read to its end: nothing else waits for it."""

import os
import signal

from harness import ENGINE, check, check_equal, test, wait_for
from pairs import Upstream, local, open_pair


@test("reload: a pipe in conf.d is an error, not waited for; SIGTERM ends it in order", ENGINE)
def pipe_in_conf_d(t):
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}})
    pair = open_pair(t, port, up)
    folder = os.path.join(os.path.dirname(d.config), "conf.d")
    os.mkdir(folder)
    os.mkfifo(folder + "/a.conf")
    d.reload_fails(None, "a.conf: this is no regular file")
    os.unlink(folder + "/a.conf")
    d.reload()
    os.mkfifo(folder + "/a.conf")
    d.signal(signal.SIGHUP)
    d.signal(signal.SIGTERM)
    d.wait_line(0, "stopping")
    pair.talk()
    pair.end()
    check_equal(d.wait_exit(), 0, "exit status")


def reads(d, path):
    """Has penstockd the file open?"""
    return any(line.endswith(" " + path) for line in d.fd_list())


def start_and_block(t, **daemon):
    """A daemon with a session, in the middle of a reload that does not end: the config is a pipe
    now, which is open, but nothing comes."""
    up, port = Upstream(t), t.port()
    d = t.start({"r": {"listen": local(port), "upstream": up.address}}, daemon=daemon)
    pair = open_pair(t, port, up)
    os.rename(d.config, d.config + "~")
    os.mkfifo(d.config)
    pipe = os.open(d.config, os.O_RDWR)
    d.signal(signal.SIGHUP)
    wait_for(lambda: reads(d, d.config), "penstockd to open its config")
    return d, pair, pipe


@test("reload: a config that blocks holds up neither sessions nor SIGTERM", ENGINE)
def blocked(t):
    d, pair, pipe = start_and_block(t, drain_timeout="1h")
    pair.talk()
    d.signal(signal.SIGHUP)
    d.signal(signal.SIGTERM)
    d.wait_line(0, "stopping")
    pair.talk()
    check(d.alive(), "it did not wait for its session")
    pair.end()
    check_equal(d.wait_exit(), 0, "exit status")
    check("stopped" in d.log(), "no orderly end in the log")
    os.close(pipe)


@test("reload: a config that comes at last, when it is stopping already", ENGINE)
def blocked_for_a_while(t):
    d, pair, pipe = start_and_block(t, drain_timeout="1h")
    d.signal(signal.SIGTERM)
    d.wait_line(0, "stopping")
    with open(d.config + "~", "rb") as f:
        os.write(pipe, f.read())
    os.close(pipe)
    wait_for(lambda: not reads(d, d.config), "the reader to end")
    pair.talk()
    pair.end()
    check_equal(d.wait_exit(), 0, "exit status")
    check("reloaded" not in d.log(), "it was reloaded after all")
