# SPDX-License-Identifier: BSD-2-Clause
"""
Several hosts on one machine: each is a network namespace, each network a bridge, with veth pairs
between them. Namespaces have no names: they live as long as this process holds them (and those that
it has started, which are killed with it), and with them goes all that is in them.
"""

import json
import os
import select
import socket
import struct
import subprocess
import time

import harness
from harness import Failure, check, libc_call, wait_for

# Of linux/in.h and linux/in6.h; Python knows only some of them.
IP_PKTINFO, IP_TTL, IP_RECVTTL, IP_MULTICAST_ALL = 8, 2, 12, 49
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_GROUP = 39, 42
IPV6_MULTICAST_ALL, IPV6_RECVPKTINFO, IPV6_PKTINFO = 29, 49, 50
IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT = 51, 52

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

SETTINGS = {
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/icmp_echo_ignore_broadcasts": "1",
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/default/router_solicitations": "0",
}


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def plain(host):
    """An address without the name of its interface."""
    return host.split("%")[0]


class Host:
    """A network namespace. `with host:` is to be there: sockets opened and programs started within
    stay there."""

    def __init__(self, t, name, namespace):
        self.t = t
        self.name = name
        self.namespace = namespace  # a descriptor
        self.before = []

    def __enter__(self):
        self.before.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        libc_call("setns", self.namespace, harness.CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        back = self.before.pop()
        libc_call("setns", back, harness.CLONE_NEWNET)
        os.close(back)

    @property
    def path(self):
        return "/proc/%d/fd/%d" % (os.getpid(), self.namespace)

    def ip(self, *commands, may_fail=False):
        """Run these commands of ip(8)."""
        with self:
            p = subprocess.run(["ip", "-batch", "-"], input="\n".join(commands).encode(),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=dict(os.environ, PATH=PATH))
        check(may_fail or p.returncode == 0, "ip of %s: %s: %s" % (self.name, commands, p.stdout))

    def ip_list(self, *words):
        """What `ip -json -details` tells."""
        with self:
            out = subprocess.run(["ip", "-json", "-details", *words], stdout=subprocess.PIPE,
                                 check=True, env=dict(os.environ, PATH=PATH)).stdout
        return json.loads(out or b"[]")

    def sysctl(self, settings):
        """Set those of net."""
        with self:
            for name, value in settings.items():
                try:
                    with open("/proc/sys/net/" + name, "w") as f:
                        f.write(value)
                except OSError:
                    pass  # without IPv6

    def index(self, interface):
        with self:
            return socket.if_nametoindex(interface)

    def link_local(self, interface="eth0"):
        """Its IPv6 address of that link."""
        for link in self.ip_list("-6", "address", "show", "dev", interface):
            for a in link.get("addr_info", []):
                if a.get("scope") == "link":
                    return a["local"]
        raise Failure("%s has no link-local address on %s" % (self.name, interface))

    def spawn(self, argv, **options):
        """Start a program here; it is killed with the test."""
        options.setdefault("env", dict(os.environ, PATH=PATH))
        with self:
            return self.t.spawn(argv, **options)

    def peer(self, port=0, host="", interface="eth0", ipv6=False):
        """A UDP socket, bound to that address; what it sends to groups and broadcast addresses
        leaves through that interface."""
        with self:
            return Peer(self, port, host, interface, ipv6 or ":" in host)

    def member(self, group, port, interface="eth0", source=None):
        """One that is a member of that group."""
        p = self.peer(port, interface=interface, ipv6=":" in group)
        p.join(group, interface, source)
        return p


class Datagram:
    """One that was received: data, source (host, port), to (host), ttl, interface (an index), time
    (in seconds, as the kernel had it)."""

    def __init__(self, data, source):
        self.data, self.source = data, source
        self.to = self.ttl = self.interface = self.time = None

    def __repr__(self):
        return "%r from %s:%d to %s ttl %s" % (self.data[:60], *self.source, self.to, self.ttl)


class Peer:
    """See Host.peer()."""

    def __init__(self, host, port, address, interface, is_ipv6):
        self.host = host
        self.interface = interface
        self.index = socket.if_nametoindex(interface)
        self.family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
        s = self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        host.t.sockets.append(s)
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        except PermissionError:  # root of a user namespace
            pass
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if is_ipv6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
            scope = self.index if address.startswith(("fe80", "ff02")) else 0
            s.bind((address, port, 0, scope))
        else:
            s.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            s.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            s.bind((address, port))
        self.port = s.getsockname()[1]

    def ttl(self, value):
        """Of what it sends to groups."""
        if self.family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, value)
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, value)

    def join(self, group, interface="eth0", source=None):
        """Be a member of that group; with a source, of what that one sends alone."""
        index = self.host.index(interface)
        if source is not None:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP,
                                   socket.inet_aton(group) + socket.inet_aton(self._own(interface))
                                   + socket.inet_aton(source))
            return
        level = socket.IPPROTO_IPV6 if self.family == socket.AF_INET6 else socket.IPPROTO_IP
        if self.family == socket.AF_INET6:
            address = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0,
                                  socket.inet_pton(socket.AF_INET6, group), 0)
        else:
            address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(group))
        self.socket.setsockopt(level, MCAST_JOIN_GROUP,
                               struct.pack("@I4x", index) + address.ljust(128, b"\0"))

    def _own(self, interface):
        for link in self.host.ip_list("-4", "address", "show", "dev", interface):
            return link["addr_info"][0]["local"]
        raise Failure("%s has no address on %s" % (self.host.name, interface))

    def send(self, data, host, port):
        """To a group, a broadcast or a link-local address it leaves through our interface."""
        is_ipv6 = self.family == socket.AF_INET6
        if is_ipv6:
            scope = self.index if host.startswith(("fe80", "ff")) else 0
            self.socket.sendto(data, (host, port, 0, scope))
        elif host.endswith(".255") or 224 <= int(host.split(".")[0]) <= 239:
            info = struct.pack("=I4s4s", self.index, bytes(4), bytes(4))
            self.socket.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, (host, port))
        else:
            self.socket.sendto(data, (host, port))

    def answer(self, d, data):
        """To whom `d` came from."""
        self.send(data, *d.source)

    def take(self):
        """The next datagram, or None when none is there."""
        try:
            data, control, _, source = self.socket.recvmsg(65536, 256)
        except (BlockingIOError, ConnectionRefusedError):
            return None
        d = Datagram(data, (plain(source[0]), source[1]))
        for level, kind, value in control:
            if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                d.interface, d.to = struct.unpack("=I4x4s", value)
                d.to = socket.inet_ntoa(d.to)
            elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
                d.to, d.interface = struct.unpack("=16sI", value)
                d.to = socket.inet_ntop(socket.AF_INET6, d.to)
            elif (level, kind) in ((socket.IPPROTO_IP, IP_TTL),
                                   (socket.IPPROTO_IPV6, IPV6_HOPLIMIT)):
                d.ttl, = struct.unpack("=i", value)
            elif (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("@ll", value)
                d.time = seconds + nanoseconds / 1e9
        return d

    def waiting(self):
        """All that are there."""
        return list(iter(self.take, None))

    def receive(self, expected=None):
        """The next one, which must be that."""
        end = time.monotonic() + harness.DEADLINE
        d = self.take()
        while d is None:
            left = end - time.monotonic()
            check(left > 0, "%s waited in vain for %r at port %d"
                  % (self.host.name, expected or "a datagram", self.port))
            select.select([self.socket], [], [], left)
            d = self.take()
        check(expected is None or d.data == expected,
              "%s at port %d: expected %r, seen %r" % (self.host.name, self.port, expected, d))
        return d

    def until(self, marker):
        """All that come before that one."""
        found = []
        while True:
            d = self.receive()
            if d.data == marker:
                return found
            found.append(d)


class Net:
    def __init__(self, t):
        t.need("root")
        t.need("netns")
        t.need("ip")
        self.t = t
        self.hosts = {}
        # The host that the test (and so penstockd) runs in unless told otherwise.
        self.relay = Host(t, "relay", os.open("/proc/thread-self/ns/net",
                                              os.O_RDONLY | os.O_CLOEXEC))
        self.relay.sysctl(SETTINGS)
        self.hosts["relay"] = self.relay
        self.switches = self._namespace("switches")
        self.switches.sysctl({"ipv6/conf/default/disable_ipv6": "1"})
        self.links = 0
        self.hardware = {}

    def _namespace(self, name):
        with self.relay:
            libc_call("unshare", harness.CLONE_NEWNET)
            fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        host = Host(self.t, name, fd)
        host.sysctl(SETTINGS)
        host.ip("link set lo up")
        return host

    def host(self, name):
        self.hosts[name] = self._namespace(name)
        return self.hosts[name]

    def network(self, name):
        self.switches.ip("link add net-%s type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
                         % name, "link set net-%s up" % name)

    def link(self, host, interface, network, *addresses):
        """Give that host an interface to that network, with these addresses ("10.0.0.1/24"). It
        has always the same hardware address there, as others remember that."""
        self.links += 1
        port = "port%d" % self.links
        hardware = self.hardware.setdefault((host, interface), "02:00:00:00:00:%02x" % self.links)
        host.ip("link add %s address %s type veth peer name %s netns %s"
                % (interface, hardware, port, self.switches.path))
        self.switches.ip("link set %s master net-%s up" % (port, network))
        host.ip("link set %s up" % interface, *["address add %s dev %s%s" % (
            a, interface, "" if ":" in a else " broadcast +") for a in addresses])

    def join(self, host, interface, network, number):
        """The same with the addresses of that number (see Family)."""
        ipv6 = [V6.of(network, number) + "/64"] if harness.have_ipv6() else []
        self.link(host, interface, network, V4.of(network, number) + "/24", *ipv6)

    def ready(self):
        """Wait until every link carries and every address may be used."""
        wait_for(self._is_ready, "the links to carry")

    def _is_ready(self):
        for port in self.switches.ip_list("link"):
            data = port.get("linkinfo", {}).get("info_slave_data")
            if data is not None and data["state"] != "forwarding":
                return False
        for host in self.hosts.values():
            for link in host.ip_list("address"):
                if link.get("link_type") == "ether" and "UP" in link["flags"]:
                    if link["operstate"] != "UP":
                        return False
                    if any(a.get("tentative") for a in link["addr_info"]):
                        return False
        return True


def networks(t, **counts):
    """networks(t, a=1, b=2): networks A and B with so many hosts each: net.a[0] and net.b[0],
    net.b[1]. The relay's host is the first of each, on eth1, eth2 and so on. Nobody routes: what
    gets across has been relayed."""
    net = Net(t)
    for number, (name, count) in enumerate(counts.items(), 1):
        net.network(name)
        net.join(net.relay, "eth%d" % number, name, 1)
        setattr(net, name, [])
        for i in range(10, 10 + count):
            host = net.host("%s%d" % (name, i))
            net.join(host, "eth0", name, i)
            getattr(net, name).append(host)
    net.ready()
    return net


class Family:
    """How hosts are called in one address family, and a group of it."""

    def __init__(self, name, group, form):
        self.name, self.group, self.form = name, group, form

    def of(self, network, host=1):
        """The relay's address in that network, or of the host of that number: net.a[0] is 10."""
        return self.form % ("abcdef".index(network) + 1, host)

    def __str__(self):
        return self.name


V4 = Family("IPv4", "239.1.2.3", "10.%d.0.%d")
V6 = Family("IPv6", "ff15::1:2:3", "fd00:%d::%d")


def at(host, port):
    """As configs have it."""
    return ("udp:[%s]:%d" if ":" in host else "udp:%s:%d") % (host, port)


# --- what the kernel says of memberships ---------------------------------------------------------

def members(pid, group):
    """The interfaces on which somebody in the namespace of that process has joined it, and how
    many have."""
    found, interface = {}, None
    if ":" in group:
        wanted = socket.inet_pton(socket.AF_INET6, group).hex()
        with open("/proc/%d/net/igmp6" % pid) as f:
            for row in map(str.split, f):
                if row[2] == wanted:
                    found[row[1]] = int(row[3])
        return found
    wanted = "%08X" % struct.unpack("=I", socket.inet_aton(group))[0]
    with open("/proc/%d/net/igmp" % pid) as f:
        for line in f.readlines()[1:]:
            row = line.split()
            if line[0].isdigit():
                interface = row[1].rstrip(":")
            elif row[0] == wanted:
                found[interface] = int(row[1])
    return found


def wait_members(d, group, *interfaces):
    """Wait until penstockd's host is a member on these and no others."""
    def are_so():
        if d.notify:
            d.notify.poll()  # a socket on its way to the manager is open still
        return sorted(members(d.pid, group)) == sorted(interfaces)
    wait_for(are_so, lambda: "members of %s on %r: they are on %r" % (group, interfaces,
                                                                     members(d.pid, group)))


def filters(pid, group):
    """The senders that memberships of it name: {(interface, sender)}."""
    family = family_of(group)
    wanted, name = socket.inet_pton(family, group).hex(), "mcfilter6"
    if family == socket.AF_INET:
        wanted, name = "0x" + wanted, "mcfilter"
    found = set()
    with open("/proc/%d/net/%s" % (pid, name)) as f:
        for row in map(str.split, f):
            if row[2] == wanted and int(row[4]):
                sender = bytes.fromhex(row[3].replace("0x", ""))
                found.add((row[1], socket.inet_ntop(family, sender)))
    return found
