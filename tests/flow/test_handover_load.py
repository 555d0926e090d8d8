# SPDX-License-Identifier: BSD-2-Clause
"""SIGUSR2 again and again under load, and under OpenSSH."""

import os

import harness
from harness import ENGINE, RELAY, check, check_equal, test
from pairs import local
from test_real import big_file, hash_of, program, ssh_server
from test_reload_load import Crowd
from under_load import ROUNDS, SESSIONS, UnderLoad


@test("handover: 200 under a load of 200 sessions: nothing lost, nothing leaked", RELAY)
def under_load(t):
    u = UnderLoad(t)
    pid = u.d.pid
    for number in range(ROUNDS):
        u.d.upgrade()
        if number % 20 == 0:
            u.load.check()
    report = u.finish()
    check(report["sessions"] > SESSIONS, "the load was small: %r" % report)
    check_equal((u.d.pid, u.d.alive()), (pid, True), "process")
    u.d.settle()


@test("handover: between reloads under load, with other rules each time", ENGINE)
def with_reloads(t):
    """Rules come, go and change at both; sessions of theirs are kept, drained and killed."""
    u = UnderLoad(t)
    crowd = Crowd(t, u)
    for number in range(ROUNDS // 2):
        kind = u.rng.random()
        if kind < 0.4:
            crowd.turn()
        elif kind < 0.5:
            u.d.rewrite("rules = {")
            u.d.upgrade_fails(u.d.config)
        else:
            for _ in range(u.rng.randint(1, 3)):
                crowd.change()
            u.d.rewrite(crowd.wanted())
            line = u.d.upgrade()
            check_equal((line["rules"], u.d.listening), (str(len(crowd.wanted())),
                                                         len(crowd.wanted())), "rules, listeners")
            crowd.some_sessions()
        if number % 10 == 0:
            u.load.check()
    crowd.close()
    u.d.reload(u.rules, failed=0)
    u.finish()
    u.d.settle()


@test("handover: an OpenSSH session and scp of a large file live through ten", RELAY,
      ("sshd", "ssh", "scp", "ssh-keygen"))
def openssh(t):
    port, options, where = ssh_server(t)
    through = t.port()
    d = t.start({"ssh": {"listen": local(through), "upstream": local(port)}})
    session = t.spawn([program("ssh"), *options, "-p", str(through), where, "cat; echo done"],
                      stdin=-1, stdout=-1)
    size = 1 << 30 if harness.SLOW else 200 << 20
    source, digest = big_file(t, "source", size)
    scp = t.spawn([program("scp"), "-q", *options, "-P", str(through), source,
                   "%s:%s" % (where, t.path("uploaded"))])

    def uploaded():
        try:
            return os.stat(t.path("uploaded")).st_size
        except FileNotFoundError:
            return 0
    for number in range(10):
        harness.wait_for(lambda: uploaded() >= number * size // 11,
                         lambda: "scp to get to part %d: %d bytes" % (number, uploaded()),
                         harness.DEADLINE * 3)
        d.upgrade()
        word = b"word %d\n" % number
        session.stdin.write(word)
        session.stdin.flush()
        check_equal(session.stdout.readline(), word, "what ssh sends back")
    harness.wait_for(lambda: scp.poll() is not None, "scp to end", harness.DEADLINE * 3)
    check_equal(scp.returncode, 0, "exit status of scp")
    check_equal(hash_of(t.path("uploaded")), digest, "hash of the file")
    session.stdin.close()
    check_equal(session.stdout.read(), b"done\n", "the end of the ssh session")
    harness.wait_for(lambda: session.poll() is not None, "ssh to end")
    check_equal(session.returncode, 0, "exit status of ssh")
    lines = d.wait_sessions(2)
    check(all(l["end"] in ("done", "client-reset") for l in lines),
          "ends: %r" % [l[""] for l in lines])
    check(int(lines[0]["in"]) > size, "bytes of scp in the log: %s" % lines[0][""])
