# SPDX-License-Identifier: BSD-2-Clause
"""A penstockd at work in a network of its own: rules in several states, clients and upstreams with
traffic, for pictures. Addresses are of the ranges that are set aside for documentation."""

import asyncio
import math
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PUBLIC, PUBLIC6 = "203.0.113.10", "2001:db8::10"
CLIENTS = ["192.0.2.%d" % i for i in range(11, 40)] + ["198.51.100.%d" % i for i in range(20, 40)]
UPSTREAMS = ["10.0.0.%d" % i for i in (1, 5, 20, 21, 30, 40, 53)]
PAGE = "127.0.0.1:8000"
CONFIG_FILE = "/etc/penstock/penstock.conf"

CONFIG = """
daemon   = { control = "%(dir)s/control.sock"; http = "127.0.0.1:9090"; };
defaults = { connect_timeout = "2s"; };
rules =
{
    web     = { listen = [ "203.0.113.10:80", "[2001:db8::10]:80" ]; upstream = "10.0.0.20:8080"; };
    api     = { listen = "203.0.113.10:443"; upstream = "10.0.0.21:8443"; max_connections = 64; };
    mqtt    = { listen = "203.0.113.10:1883"; upstream = "10.0.0.30:1883"; max_connections = 100; };
    dns     = { listen = "udp:203.0.113.10:53"; upstream = "10.0.0.53:53"; };
    ssh     = { listen = "203.0.113.10:2222"; upstream = "10.0.0.5:22"; max_connections = 2; };
    backup  = { listen = "203.0.113.10:873"; upstream = "10.0.0.40:873"; };
    mail    = { listen = "203.0.113.10:25"; upstream = "10.0.0.40:25"; };
    legacy  = { listen = "203.0.113.10:8081"; upstream = "10.0.0.1:80"; };
    console = { listen = "127.0.0.1:8000"; upstream = "127.0.0.1:9090"; };
};
"""


def own_network():
    """Begin anew in a network of its own, and with an /etc that may be written to and is gone at the
    end; there needs no root for that where the kernel lets users do it (user_namespaces(7))."""
    if os.environ.get("PENSTOCK_SCENE") != "1":
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.execvpe("unshare", ["unshare", "--net", "--mount"] + user + [sys.executable] + sys.argv,
                   dict(os.environ, PENSTOCK_SCENE="1"))
    own_etc()
    commands = ["link set lo up"] + ["addr add %s/32 dev lo" % a
                                     for a in [PUBLIC] + CLIENTS + UPSTREAMS]
    commands += ["addr add %s/128 dev lo nodad" % PUBLIC6]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


def own_etc():
    above = tempfile.mkdtemp(prefix="penstock-scene-")
    subprocess.run(["mount", "-t", "tmpfs", "scene", above], check=True)
    upper, work = os.path.join(above, "upper"), os.path.join(above, "work")
    os.mkdir(upper)
    os.mkdir(work)
    subprocess.run(["mount", "-t", "overlay", "scene", "/etc", "-o",
                    "lowerdir=/etc,upperdir=%s,workdir=%s" % (upper, work)], check=True)
    subprocess.run(["umount", "--lazy", above], check=True)  # /etc goes on with it
    os.rmdir(above)
    os.makedirs(os.path.dirname(CONFIG_FILE), exist_ok=True)


class Wave:
    """Bytes a second that rise and fall."""

    def __init__(self, dice, mean):
        self.dice, self.mean = dice, mean
        self.length, self.phase = dice.uniform(18, 60), dice.uniform(0, 7)

    def at(self, now):
        swing = 1 + .7 * math.sin(self.phase + 2 * math.pi * now / self.length)
        return self.mean * swing * self.dice.uniform(.8, 1.2)


class Scene:
    def __init__(self, penstockd, config=CONFIG):
        self.dir = tempfile.mkdtemp(prefix="penstock-scene-")
        self.control = os.path.join(self.dir, "control.sock")
        self.dice = random.Random(4)
        self.tasks = []
        with open(CONFIG_FILE, "w", encoding="utf-8") as f:
            f.write(config % {"dir": self.dir})
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.daemon = subprocess.Popen([penstockd, "--config", CONFIG_FILE], stderr=log)
        while not os.path.exists(self.control):
            if self.daemon.poll() is not None:
                sys.exit("penstockd ended: see %s/log" % self.dir)
            time.sleep(.05)

    def close(self):
        self.daemon.terminate()
        self.daemon.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def go_on(self, coroutine):
        self.tasks.append(asyncio.ensure_future(coroutine))

    async def steer(self, path):
        """POST on the control socket."""
        reader, writer = await asyncio.open_unix_connection(self.control)
        writer.write(b"POST %s HTTP/1.0\r\n\r\n" % path.encode())
        answer = await reader.read()
        writer.close()
        if b" 200 " not in answer.split(b"\r\n")[0]:
            sys.exit("POST %s: %r" % (path, answer))

    # --- upstreams -----------------------------------------------------------------------------

    async def answer(self, reader, writer, share):
        """For each byte, `share` of them."""
        try:
            while data := await reader.read(65536):
                writer.write(bytes(max(int(len(data) * share), 1)))
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def serve(self, host, port, share):
        async def on_client(reader, writer):
            await self.answer(reader, writer, share)
        await asyncio.start_server(on_client, host, port, backlog=500)

    async def serve_names(self, host, port):
        class Names(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, client):
                self.transport.sendto(data * 3, client)
        await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=(host, port))

    # --- clients -------------------------------------------------------------------------------

    async def client(self, host, port, mean, seconds):
        """One that stays about so long, and another after it."""
        await asyncio.sleep(self.dice.uniform(0, 2))
        while True:
            wave, end = Wave(self.dice, mean), self.dice.uniform(.5, 1.5) * seconds
            source = None if ":" in host else (self.dice.choice(CLIENTS), 0)
            try:
                reader, writer = await asyncio.open_connection(host, port, local_addr=source)
                reading = asyncio.ensure_future(self.throw_away(reader))
                while end > 0 and not reading.done():
                    await asyncio.sleep(.25)
                    end -= .25
                    writer.write(bytes(int(wave.at(asyncio.get_running_loop().time()) / 4)))
                writer.write_eof()
                await reading
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(self.dice.uniform(.2, 2))

    @staticmethod
    async def throw_away(reader):
        while await reader.read(262144):
            pass

    async def ask_names(self, host, port, count):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        for s in sockets:
            s.setblocking(False)
            s.bind((self.dice.choice(CLIENTS), 0))
            s.connect((host, port))
        while True:
            for s in self.dice.sample(sockets, self.dice.randrange(count)):
                s.send(bytes(self.dice.randrange(30, 70)))
            await asyncio.sleep(.2)

    # --- all of it -----------------------------------------------------------------------------

    async def begin(self):
        """Traffic, until the event loop ends, which cuts it; that is no news."""
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        for host, port, share in (("10.0.0.20", 8080, 14), ("10.0.0.21", 8443, 2.5),
                                  ("10.0.0.30", 1883, .3), ("10.0.0.5", 22, 5),
                                  ("10.0.0.40", 873, .01)):
            await self.serve(host, port, share)
        await self.serve_names("10.0.0.53", 53)
        for host, port, count, mean, seconds in (
                (PUBLIC, 80, 30, 2500, 9), (PUBLIC6, 80, 8, 2500, 9), (PUBLIC, 443, 14, 9000, 6),
                (PUBLIC, 1883, 84, 250, 4000), (PUBLIC, 2222, 3, 900, 400),
                (PUBLIC, 873, 1, 350000, 70), (PUBLIC, 8081, 1, 1, 1)):
            for _ in range(count):
                self.go_on(self.client(host, port, mean, seconds))
        self.go_on(self.ask_names(PUBLIC, 53, 12))
        await self.steer("/v1/rules/mail/pause")
        await self.steer("/v1/reload")
