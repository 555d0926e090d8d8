# SPDX-License-Identifier: BSD-2-Clause
"""Real clients and servers through penstock: OpenSSH, curl and nginx, iperf3, redis."""

import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess

import harness
from harness import check, check_equal, test, wait_for

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"


def program(name):
    return shutil.which(name, path=PATH)


def run(*argv, stdin=None):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, input=stdin,
                       timeout=harness.DEADLINE * 3)
    check(p.returncode == 0, "%s: status %d\n%s\n%s" % (" ".join(argv), p.returncode,
                                                       p.stdout[-2000:].decode("utf-8", "replace"),
                                                       p.stderr[-2000:].decode("utf-8", "replace")))
    return p.stdout


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def server(t, port, *argv):
    """Start a server in the foreground and wait until it answers."""
    log = open(t.path("server.log"), "ab")
    child = t.spawn(argv, stdout=log, stderr=log, env=dict(os.environ, PATH=PATH))

    def up():
        with open(log.name) as f:
            check(child.poll() is None, "%s ended: %s" % (argv[0], f.read()[-2000:]))
        return answers(port)
    wait_for(up, "%s to answer" % argv[0])
    log.close()


def big_file(t, name, size):
    """A file of random bytes; gives its path and hash."""
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with open(t.path(name), "wb") as f:
        for i in range(size >> 20):
            part = block[i * 4099 % len(block):] + block[:i * 4099 % len(block)]
            f.write(part)
            digest.update(part)
    return t.path(name), digest.hexdigest()


def hash_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for part in iter(lambda: f.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()


def forward(t, *targets):
    """penstockd with a rule for each port; gives it and the ports to connect to."""
    ports = [t.port() for _ in targets]
    d = t.start({"r%d" % i: {"listen": "127.0.0.1:%d" % ports[i], "upstream": "127.0.0.1:%d" % to}
                 for i, to in enumerate(targets)})
    return (d, *ports)


def ssh_server(t):
    """An sshd of our own; gives its port, the options of a client, and user@host."""
    user = pwd.getpwuid(os.geteuid())
    if os.path.basename(user.pw_shell) in ("nologin", "false"):
        raise harness.Skip("%s can't log in" % user.pw_name)
    port = t.port()
    for name in ("host", "user"):
        run(program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", t.path(name))
    shutil.copy(t.path("user.pub"), t.path("authorized"))
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    config = t.write("sshd_config", """\
ListenAddress 127.0.0.1:%d
HostKey %s
AuthorizedKeysFile %s
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
""" % (port, t.path("host"), t.path("authorized")))
    server(t, port, program("sshd"), "-D", "-e", "-f", config)
    options = ["-F", "none", "-i", t.path("user"), "-o", "BatchMode=yes", "-o",
               "IdentitiesOnly=yes",
               "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
               "-o", "LogLevel=ERROR"]
    return port, options, user.pw_name + "@127.0.0.1"


@test("OpenSSH: ssh, scp of 200 MB both ways", needs=("sshd", "ssh", "scp", "ssh-keygen"))
def openssh(t):
    port, options, where = ssh_server(t)
    d, through = forward(t, port)
    out = run(program("ssh"), *options, "-p", str(through), where, "cat; echo done",
              stdin=b"a few words\n")
    check_equal(out, b"a few words\ndone\n", "the answer of ssh")
    source, digest = big_file(t, "source", 200 << 20)
    scp = [program("scp"), "-q", *options, "-P", str(through)]
    run(*scp, source, "%s:%s" % (where, t.path("uploaded")))
    check_equal(hash_of(t.path("uploaded")), digest, "hash of the uploaded file")
    os.unlink(source)
    run(*scp, "%s:%s" % (where, t.path("uploaded")), t.path("back"))
    check_equal(hash_of(t.path("back")), digest, "hash of the file that came back")
    lines = d.wait_sessions(3)
    check(all(l["end"] in ("done", "client-reset") for l in lines),
          "ends: %r" % [l[""] for l in lines])
    check(int(lines[1]["in"]) > 200 << 20 and int(lines[2]["out"]) > 200 << 20, "counts in the log")


@test("curl: HTTP and HTTPS from nginx", needs=("nginx", "curl", "openssl"))
def web(t):
    http, https = t.port(), t.port()
    run(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "1", "-subj", "/CN=web.test", "-addext", "subjectAltName=DNS:web.test",
        "-keyout", t.path("key.pem"), "-out", t.path("cert.pem"))
    os.mkdir(t.path("www"))
    t.write("www/small", "small file\n")
    _, digest = big_file(t, "www/big", 60 << 20)
    config = t.write("nginx.conf", """\
daemon off;
master_process off;
pid %(dir)s/nginx.pid;
error_log stderr;
events { }
http {
    access_log off;
    client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p; fastcgi_temp_path %(dir)s/f;
    uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
    server {
        listen 127.0.0.1:%(http)d;
        listen 127.0.0.1:%(https)d ssl;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        root %(dir)s/www;
    }
}
""" % {"dir": t.dir, "http": http, "https": https})
    server(t, http, program("nginx"), "-p", t.dir, "-c", config, "-e", "stderr")
    d, p_http, p_https = forward(t, http, https)
    curl = [program("curl"), "-sS", "--fail", "--noproxy", "*", "--cacert", t.path("cert.pem"),
            "--resolve", "web.test:%d:127.0.0.1" % p_https,
            "--resolve", "web.test:%d:127.0.0.1" % p_http]
    for base in ("http://web.test:%d" % p_http, "https://web.test:%d" % p_https):
        check_equal(run(*curl, base + "/small"), b"small file\n", "the small file")
        # Kept alive: many requests on one connection.
        out = run(*curl, *[base + "/small"] * 50)
        check_equal(out, b"small file\n" * 50, "fifty times the small file")
        run(*curl, "-o", t.path("got"), base + "/big")
        check_equal(hash_of(t.path("got")), digest, "hash of the big file over " + base[:5])
    lines = d.wait_sessions(6)
    check(all(l["end"] in ("done", "client-reset") for l in lines),
          "ends: %r" % [l[""] for l in lines])


@test("iperf3: both directions", needs=("iperf3",))
def iperf(t):
    port = t.port()
    server(t, port, program("iperf3"), "-s", "-p", str(port), "-B", "127.0.0.1")
    d, through = forward(t, port)
    for extra in ([], ["-R"], ["-P", "4"], ["-P", "4", "-R"]):
        def transfer():
            out = run(program("iperf3"), "-c", "127.0.0.1", "-p", str(through), "-n", "128M", "-J",
                      *extra)
            # The server takes a moment to be ready for the next test; who comes before is turned
            # away, with a word or without, and has moved nothing.
            busy = (b"busy running a test", b"unable to receive control message")
            result = json.loads(out)
            return None if any(b in out for b in busy) and not result.get("intervals") else result
        result = wait_for(transfer, "iperf3's server to be ready")
        check("error" not in result, "iperf3 %s: %s" % (extra, result.get("error")))
        check(result["end"]["sum_received"]["bytes"] > 0, "iperf3 %s: nothing was received" % extra)
    d.wait_sessions(4 + 10)


@test("redis: chat, pipeline, large values", needs=("redis-server", "redis-cli"))
def redis(t):
    port = t.port()
    server(t, port, program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save",
           "",
           "--dir", t.dir, "--daemonize", "no")
    d, through = forward(t, port)
    cli = [program("redis-cli"), "-p", str(through)]
    check_equal(run(*cli, "ping"), b"PONG\n", "the answer to ping")
    value = os.urandom(3 << 20).hex().encode()
    check_equal(run(*cli, "-x", "set", "big", stdin=value), b"OK\n", "the answer to set")
    check_equal(run(*cli, "get", "big").rstrip(b"\n"), value, "the large value")
    commands = b"".join(b"INCR counter\r\n" for _ in range(20000))
    out = run(*cli, "--pipe", stdin=commands)
    check(b"errors: 0, replies: 20000" in out, "the pipeline: %s" % out.decode())
    check_equal(run(*cli, "get", "counter"), b"20000\n", "the counter")
    if program("redis-benchmark"):
        run(program("redis-benchmark"), "-p", str(through), "-q", "-n", "5000", "-c", "100", "-t",
            "set,get,lrange_100")
    wait_for(lambda: all(l["end"] in ("done", "client-reset") for l in d.sessions()), "clean ends")
