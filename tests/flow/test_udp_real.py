# SPDX-License-Identifier: BSD-2-Clause
"""Real programs through penstock, over UDP: dig and dnsmasq, iperf3, socat, OpenVPN, WireGuard."""

import json
import os
import signal
import socket
import subprocess

import harness
from harness import ONCE, Skip, check, check_equal, wait_for
from net import networks
from stream import Receiver, Sender
from test_real import program, run, server
from udp import Upstream, open_socket, over, payload, receive, sums, udp, udp_test

QUERIES = 1000 if harness.SLOW else 10000


def wait_bound(port, pid="self"):
    """Until somebody in that process's network has bound that UDP port."""
    def bound():
        rows = []
        for name in ("udp", "udp6"):
            with open("/proc/%s/net/%s" % (pid, name)) as f:
                rows += f.readlines()[1:]
        return any(row.split()[1].endswith(":%04X" % port) for row in rows)
    wait_for(bound, "UDP port %d to be bound" % port)


# --- DNS -------------------------------------------------------------------------------------

def start_dnsmasq(t, *options):
    """Gives its port, by TCP and UDP."""
    port = t.port()
    server(t, port, program("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null",
           "--pid-file=", "--user=root", "--group=root", "--no-resolv", "--no-hosts",
           "--bind-interfaces", "--listen-address=127.0.0.1", "--port=%d" % port,
           "--cache-size=10", *options)
    return port


@udp_test("udp: dig and dnsmasq: 10,000 queries, each answered", needs=("dig", "dnsmasq", "root"))
def dns(t):
    hosts = {"h%d.test" % i: "10.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255)
             for i in range(1, QUERIES + 1)}
    t.write("hosts", "".join("%s %s\n" % (a, n) for n, a in hosts.items()))
    to, port = start_dnsmasq(t, "--addn-hosts=" + t.path("hosts"), "--local=/test/"), t.port()
    d = t.start({"dns": {"listen": [udp(port), "127.0.0.1:%d" % port],
                         "upstream": "127.0.0.1:%d" % to, "udp_replies": 1}})
    names, digs = list(hosts), 4
    for i in range(digs):
        batch = t.write("batch-%d" % i, "".join(n + " A\n" for n in names[i::digs]))
        with open(t.path("out-%d" % i), "wb") as out:
            # Each from an address of its own: dig allows others to be bound to its port.
            t.spawn([program("dig"), "-r", "-b", "127.0.0.%d" % (i + 2), "@127.0.0.1", "-p",
                     str(port), "+notcp", "+tries=1", "+time=20", "+noall", "+answer", "-f", batch],
                    stdout=out, stderr=subprocess.STDOUT)
    running = t.children[-digs:]
    wait_for(lambda: all(p.poll() is not None for p in running), "dig to end",
             harness.DEADLINE * 4)
    seen = {}
    for i in range(digs):
        with open(t.path("out-%d" % i)) as out:
            for line in out:
                words = line.split()
                check(len(words) == 5 and words[3] == "A", "dig says: %s" % line)
                seen[words[0].rstrip(".")] = words[4]
    check_equal(len(seen), QUERIES, "names that were answered")
    check(seen == hosts, "other addresses than they have")
    # Two that have come from one port within a moment may be one session.
    over(d)
    check_equal({l["end"] for l in d.sessions()}, {"done"}, "ends")
    check_equal(sums(d.sessions(), "datagrams_in", "datagrams_out"), (QUERIES, QUERIES),
                "datagrams")


@udp_test("udp: dig: an answer too long for UDP comes over TCP, by the same rule",
          needs=("dig", "dnsmasq", "root"))
def dns_by_tcp(t):
    texts = ["part-%d-" % i + "x" * 200 for i in range(6)]
    to, port = start_dnsmasq(t, "--edns-packet-max=4096",
                            "--txt-record=big.test," + ",".join(texts)), t.port()
    d = t.start({"dns": {"listen": [udp(port), "127.0.0.1:%d" % port],
                         "upstream": "127.0.0.1:%d" % to, "udp_replies": 1}})
    dig = [program("dig"), "-r", "@127.0.0.1", "-p", str(port), "+short", "big.test", "TXT"]
    want = " ".join('"%s"' % x for x in texts) + "\n"
    check_equal(run(*dig, "+bufsize=4096").decode(), want, "the answer by UDP")
    check_equal(run(*dig, "+noedns").decode(), want, "the answer by TCP in the end")
    lines = sorted(d.wait_sessions(3), key=lambda l: int(l["id"]))
    check_equal(["datagrams_in" in l for l in lines], [True, True, False], "by UDP")
    check(int(lines[0]["out"]) > 1200 and int(lines[2]["out"]) > 1200, "bytes of the answers")


# --- iperf3 ----------------------------------------------------------------------------------

@udp_test("udp: iperf3: both directions", needs=("iperf3",))
def iperf(t):
    to, port = t.port(), t.port()
    server(t, to, program("iperf3"), "-s", "-p", str(to), "-B", "127.0.0.1")
    d = t.start({"r": {"listen": ["127.0.0.1:%d" % port, udp(port)],
                       "upstream": "127.0.0.1:%d" % to}})
    command = [program("iperf3"), "-u", "-c", "127.0.0.1", "-p", str(port), "-b", "20M", "-l",
               "1200", "-n", "1M", "-J"]
    for extra in ([], ["-R"], ["-P", "4"], ["-P", "4", "-R"], ["--bidir"],
                  ["-l", "64", "-n", "64K", "-b", "2M"]):
        def transfer():
            out = subprocess.run(command + extra, stdout=subprocess.PIPE,
                                 timeout=harness.DEADLINE * 3).stdout
            # The server takes a moment to be ready for the next test.
            busy = (b"busy running a test", b"unable to receive control message")
            result = json.loads(out)
            return None if any(b in out for b in busy) and not result.get("intervals") else result
        result = wait_for(transfer, "iperf3's server to be ready")
        check("error" not in result, "iperf3 %s: %s" % (extra, result.get("error")))
        total = result["end"]["sum"]
        t.note("iperf3 %s: %d packets, %d lost" % (extra, total["packets"], total["lost_packets"]))
        check(total["packets"] > 100, "iperf3 %s: %d packets" % (extra, total["packets"]))
        check(total["lost_packets"] < total["packets"] / 2, "iperf3 %s: %d packets, %d lost"
              % (extra, total["packets"], total["lost_packets"]))
    d.reload({"rest": {"listen": udp(t.port()), "upstream": "127.0.0.1:9"}})
    lines = [l for l in d.sessions() if "datagrams_in" in l]
    check(len(lines) >= 6 + 2 * 3, "%d sessions of datagrams" % len(lines))
    moved_in, moved_out = sums(lines, "datagrams_in", "datagrams_out")
    check(moved_in > 1000 and moved_out > 1000, "%d and %d datagrams" % (moved_in, moved_out))


# --- socat -----------------------------------------------------------------------------------

@udp_test("udp: socat as client and as server", needs=("socat",))
def socat(t):
    to, port = t.port(), t.port()
    t.spawn([program("socat"), "UDP4-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork" % to, "PIPE"])
    wait_bound(to)
    d = t.start({"r": {"listen": udp(port), "upstream": "127.0.0.1:%d" % to}})
    clients = [t.spawn([program("socat"), "-", "UDP4:127.0.0.1:%d" % port], stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE) for _ in range(5)]
    for number in range(100):
        for i, c in enumerate(clients):
            line = b"line %d of %d\n" % (number, i)
            c.stdin.write(line)
            c.stdin.flush()
            check_equal(c.stdout.readline(), line, "what came back")
    check_equal(d.sessions(), [], "lines of live sessions")
    d.reload({"rest": {"listen": udp(t.port()), "upstream": "127.0.0.1:9"}})
    check_equal(sums(d.wait_sessions(5), "datagrams_in", "datagrams_out"), (500, 500),
                "datagrams")


@udp_test("udp: socat before and behind: sizes and order, both ways", needs=("socat",))
def socat_chain(t):
    """client, socat, penstock, socat, upstream."""
    up, first, through, last = Upstream(t), t.port(), t.port(), t.port()
    for port, to in ((last, up.where[1]), (first, through)):
        t.spawn([program("socat"), "-b", "65536",
                 "UDP4-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork" % port, "UDP4:127.0.0.1:%d" % to])
        wait_bound(port)
    t.start({"r": {"listen": udp(through), "upstream": "127.0.0.1:%d" % last}})
    client = open_socket(t, ("127.0.0.1", t.port()), connect=("127.0.0.1", first))
    for number in range(300):
        data = payload(1, number, 1 + number * 7919 % 9000)  # socat takes an empty one for the end
        client.send(data)
        seen, sender = up.receive()
        check(seen == data, "datagram %d of %d bytes: %d have come" % (number, len(data),
                                                                       len(seen)))
        data = payload(2, number, 1 + number * 104729 % 9000)
        up.send(data, sender)
        seen = receive(client)[0]
        check(seen == data, "datagram %d of %d bytes back: %d have come" % (number, len(data),
                                                                            len(seen)))


# --- tunnels ---------------------------------------------------------------------------------

INNER = {"server": "10.99.0.1", "client": "10.99.0.2"}


class Tunnel:
    """A host in each of two networks between which nobody routes, and penstock between them."""

    def __init__(self, t, port):
        try:
            os.close(os.open("/dev/net/tun", os.O_RDWR))
        except OSError as e:
            raise Skip("needs /dev/net/tun: %s" % e) from None
        self.t, self.net, self.port = t, networks(t, a=1, b=1), port
        self.client, self.server = self.net.a[0], self.net.b[0]
        with self.server:
            self.listening = socket.create_server(("", 7))
        self.listening.settimeout(harness.DEADLINE)
        t.sockets.append(self.listening)
        self.d = t.start({"vpn": {"listen": "udp:10.1.0.1:%d" % port,
                                  "upstream": "10.2.0.10:%d" % port}})

    def has_link(self, host, name):
        return name in [link["ifname"] for link in host.ip_list("link")]

    def answers(self):
        """Does the server answer through it?"""
        try:
            with self.client:
                socket.create_connection((INNER["server"], 7), 1).close()
        except OSError:
            return False
        self.listening.accept()[0].close()
        return True

    def accept_from(self, near):
        """Those before it were given up while the tunnel did not carry yet."""
        while True:
            far, peer = self.listening.accept()
            if peer == near.getsockname():
                return far
            far.close()

    def transfer(self, size):
        """A stream of TCP through it, each way."""
        with self.client:
            near = socket.create_connection((INNER["server"], 7), harness.DEADLINE)
        far = self.accept_from(near)
        self.t.sockets += [near, far]
        for a, b, seed in ((near, far, 1), (far, near, 2)):
            a.settimeout(harness.DEADLINE)
            b.settimeout(harness.DEADLINE)
            sender, receiver = Sender(a, seed, size), Receiver(b, seed, size)
            sender.start()
            receiver.start()
            sender.wait()
            check_equal(receiver.wait(), size, "bytes through the tunnel")

    def check(self):
        size = (2 if harness.SLOW else 10) << 20
        self.transfer(size)
        self.d.upgrade()  # and it lives on
        self.transfer(1 << 20)
        check_equal(self.d.sessions(), [], "lines of live sessions")
        self.d.reload({"rest": {"listen": udp(self.t.port()), "upstream": "127.0.0.1:9"}})
        line = self.d.wait_sessions(1, rule="vpn")[0]
        check(int(line["in"]) > size and int(line["out"]) > size, "its bytes: %s" % line[""])


@udp_test("udp: OpenVPN through it", ONCE, ("openvpn", "openssl", "netns", "root"))
def openvpn(t):
    tunnel = Tunnel(t, 1194)
    run(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "1", "-subj", "/CN=vpn.test", "-keyout", t.path("key.pem"), "-out",
        t.path("cert.pem"))
    os.chmod(t.path("key.pem"), 0o600)

    def start(host, side, *options):
        other = INNER["client" if side == "server" else "server"]
        log = open(t.path("openvpn-" + side), "wb")
        t.sockets.append(log)
        return host.spawn([program("openvpn"), "--dev", "tun0", "--dev-type", "tun", "--ifconfig",
                           INNER[side], other, "--tls-" + side, "--dh", "none",
                           "--ca", t.path("cert.pem"), "--cert", t.path("cert.pem"),
                           "--key", t.path("key.pem"), "--proto", "udp", "--ping", "1", *options],
                          stdout=log, stderr=subprocess.STDOUT)
    ends = [start(tunnel.server, "server", "--lport", "1194")]
    wait_bound(1194, ends[0].pid)
    ends.append(start(tunnel.client, "client", "--nobind", "--remote", "10.1.0.1", "1194"))

    def up():
        for side, p in zip(("server", "client"), ends):
            if p.poll() is not None:
                with open(t.path("openvpn-" + side)) as f:
                    check(False, "OpenVPN has ended: %s" % f.read()[-2000:])
        return tunnel.answers()
    wait_for(up, "the tunnel to carry")
    tunnel.check()


@udp_test("udp: WireGuard through it", ONCE, ("wg", "netns", "root"))
def wireguard(t):
    tunnel = Tunnel(t, 51820)
    keys = {}
    for side in INNER:
        private = run(program("wg"), "genkey")
        keys[side] = run(program("wg"), "pubkey", stdin=private).decode().strip()
        os.chmod(t.write("key-" + side, private), 0o600)
    started = []

    def start(host, side, *peer):
        # Those of wireguard-go are known by their name, whatever namespace they are in.
        name = "wg%s%d" % (side[0], os.getpid())
        other = "client" if side == "server" else "server"
        with host:
            made = subprocess.run([program("ip"), "link", "add", name, "type", "wireguard"],
                                  stderr=subprocess.DEVNULL)
        if made.returncode != 0:
            if not program("wireguard-go"):
                raise Skip("needs WireGuard in the kernel, or wireguard-go")
            started.append((host.spawn([program("wireguard-go"), "-f", name]), name))
            wait_for(lambda: tunnel.has_link(host, name) and
                     os.path.exists("/var/run/wireguard/%s.sock" % name), "wireguard-go to start")
        with host:
            run(program("wg"), "set", name, "private-key", t.path("key-" + side), *peer[:2],
                "peer", keys[other], "allowed-ips", INNER[other] + "/32", *peer[2:])
        host.ip("address add %s peer %s dev %s" % (INNER[side], INNER[other], name),
                "link set %s mtu 1420 up" % name)
    try:
        start(tunnel.server, "server", "listen-port", "51820")
        start(tunnel.client, "client", "listen-port", "0", "endpoint", "10.1.0.1:51820",
              "persistent-keepalive", "1")
        wait_for(tunnel.answers, "the tunnel to carry")
        tunnel.check()
    finally:
        for child, name in started:
            child.send_signal(signal.SIGTERM)
            child.wait()
            if os.path.exists("/var/run/wireguard/%s.sock" % name):
                os.unlink("/var/run/wireguard/%s.sock" % name)
