# SPDX-License-Identifier: BSD-2-Clause
"""One measurement: one proxy, one row, in a network namespace and a cgroup of their own."""

import ctypes
import fcntl
import glob
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import traceback

import peers

CLONE_NEWNET = 0x40000000
SETUP_SECONDS = 30  # that a load may take beside its warm-up and window


class Failed(Exception):
    """Says why a measurement came to nothing."""


def raise_loopback():
    request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, request)  # SIOCSIFFLAGS


def enter_namespace():
    """A fresh stack for each measurement: no TIME_WAIT left over from the one before."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return False
    raise_loopback()
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as out:
        out.write("10000 65535")
    return True


def ksoftirqd_sched(cpu):
    """Where the kernel counts the run time of a CPU's softirq thread, or None."""
    for comm in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(comm, encoding="ascii") as text:
                if text.read().strip() == "ksoftirqd/%d" % cpu:
                    path = os.path.join(os.path.dirname(comm), "schedstat")
                    return path if os.path.exists(path) else None
        except (OSError, UnicodeDecodeError):
            continue
    return None


class Cgroup:
    """A group of processes whose CPU time is counted, those that have ended included."""

    def __init__(self):
        self.path = None
        for parent, stat in self.hierarchies():
            path = os.path.join(parent, "penstock-bench-%d" % os.getpid())
            try:
                os.mkdir(path)
            except OSError:
                continue
            if os.path.exists(os.path.join(path, stat)):
                self.path = path
                self.cpu_file = os.path.join(path, stat)
                return
            os.rmdir(path)
        raise Failed("no cgroup can be made here to count the CPU time in")

    @staticmethod
    def hierarchies():
        found = []
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            for line in mounts:
                _, where, kind, flags = line.split()[:4]
                if kind == "cgroup2":
                    found.insert(0, (where, "cpu.stat"))
                elif kind == "cgroup" and "cpuacct" in flags.split(","):
                    found.append((where, "cpuacct.usage"))
        return found

    def join(self):
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write("0")

    def pids(self):
        with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as procs:
            return [int(line) for line in procs]

    def remove(self):
        """Ends what is still in the group (only what we started can be) and removes it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            pids = self.pids()
            if not pids:
                break
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.01)


def prepare(cpu, cgroup=None):
    """What a child does before its exec: its CPU, its group, all the descriptors it may have;
    and it goes when we go."""
    libc = ctypes.CDLL(None)

    def run():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.sched_setaffinity(0, {cpu})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if cgroup:
            cgroup.join()
    return run


def listening(port, protocol):
    """Whether someone listens there; asked of the kernel, for a probe would be a connection."""
    state = {"tcp": "0A", "udp": "07"}[protocol]
    with open("/proc/net/" + protocol, encoding="ascii") as table:
        return any(":%04X 00000000:0000 %s" % (port, state) in line for line in table)


class Running:
    """A proxy that is up, with all that it forks, until the end of the with block."""

    def __init__(self, proxy, protocol, cpu):
        self.directory = tempfile.mkdtemp(prefix="penstock-bench-")
        self.cgroup = None
        self.process = None
        try:
            self.cgroup = Cgroup()
            self.start(proxy.command(self.directory, protocol), protocol, cpu)
        except BaseException:
            self.close()
            raise

    def start(self, command, protocol, cpu):
        self.output = open(os.path.join(self.directory, "output"), "w+b")
        self.process = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT,
                                        preexec_fn=prepare(cpu, self.cgroup))
        deadline = time.monotonic() + 5
        while not listening(peers.LISTEN, protocol):
            if self.process.poll() is not None:
                raise Failed("would not start: " + (self.said() or self.fate()))
            if time.monotonic() > deadline:
                raise Failed("did not listen within 5 s: " + self.said())
            time.sleep(0.005)

    def said(self):
        self.output.seek(0)
        lines = self.output.read(65536).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def fate(self):
        """How the proxy ended, if it did; given a moment, as its end is seen by others first."""
        try:
            code = self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            return ""
        if code < 0:
            return "the proxy died of %s" % signal.Signals(-code).name
        return "the proxy exited with status %d" % code

    def memory(self):
        """Private memory and proportional share of all its processes, in bytes."""
        totals = {"Private_Dirty": 0, "Pss": 0}
        for pid in self.cgroup.pids():
            try:
                with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as rollup:
                    for line in rollup:
                        key, _, rest = line.partition(":")
                        if key in totals:
                            totals[key] += int(rest.split()[0]) * 1024
            except (OSError, ValueError):
                continue
        return totals

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.cgroup:
            self.cgroup.remove()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Load:
    """The load generator, which speaks JSON, a line at a time."""

    def __init__(self, binary, cpu, args, patience):
        self.deadline = time.monotonic() + patience
        self.process = subprocess.Popen([binary] + args, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, preexec_fn=prepare(cpu))

    def line(self):
        left = max(0, self.deadline - time.monotonic())
        waiting = select.poll()
        waiting.register(self.process.stdout, select.POLLIN)
        if not waiting.poll(left * 1000):
            raise Failed("the load did not end in time")
        text = self.process.stdout.readline()
        if not text:
            raise Failed("the load ended without a word (status %s)" % self.process.wait())
        answer = json.loads(text)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def go_on(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def timed_args(setup, row, running, window, warm):
    port = peers.LISTEN if running else peers.UPSTREAM
    args = [row.work, "--connect", "127.0.0.1:%d" % port,
            "--listen", "127.0.0.1:%d" % peers.UPSTREAM,
            "--conns", str(row.conns), "--idle", str(row.idle),
            "--warm", str(int(warm * 1000)), "--window", str(int(window * 1000))] + \
        row.options
    if running:
        args += ["--cpu-file", running.cgroup.cpu_file]
        if setup.sched_file:
            args += ["--sched-file", setup.sched_file]
    return args


def drive_timed(setup, row, running, window, warm=None):
    args = timed_args(setup, row, running, window, min(0.2, window / 3) if warm is None else warm)
    with Load(setup.load, setup.load_cpu, args, window + SETUP_SECONDS) as load:
        return load.line()


def drive_memory(setup, row, running, idle):
    args = ["rr", "--connect", "127.0.0.1:%d" % peers.LISTEN,
            "--listen", "127.0.0.1:%d" % peers.UPSTREAM,
            "--conns", str(row.conns), "--idle", str(idle), "--hold"]
    with Load(setup.load, setup.load_cpu, args, 2 * SETUP_SECONDS) as load:
        load.line()
        base = running.memory()
        load.go_on()
        load.line()
        full = running.memory()
        return {"idle": idle, "private": (full["Private_Dirty"] - base["Private_Dirty"]) / idle,
                "pss": (full["Pss"] - base["Pss"]) / idle,
                "whole": full["Private_Dirty"] / (row.conns + idle)}


def measure(setup, proxy, row, window, idle):
    if proxy.kind == "direct":
        if row.work == "memory":
            raise Failed("no proxy")
        return drive_timed(setup, row, None, window)
    with Running(proxy, row.protocol, setup.proxy_cpu) as running:
        try:
            if row.work == "memory":
                return drive_memory(setup, row, running, idle)
            return drive_timed(setup, row, running, window)
        except Failed as error:
            fate = running.fate()
            raise Failed("%s; %s" % (error, fate) if fate else str(error)) from error


def measured(setup, work):
    try:
        if not setup.shared_network:
            enter_namespace()
        return work()
    except (Failed, peers.Unavailable) as error:
        return {"error": str(error)}
    except Exception:  # told to the parent, which shows it beside the row
        return {"error": traceback.format_exc().strip().splitlines()[-1]}


def in_child(setup, work):
    """What work() gives, a dict, or why it gives nothing; done in a child, whose namespace goes
    away with it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            with os.fdopen(writer, "w") as out:
                json.dump(measured(setup, work), out)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else {"error": "the measurement ended without a word"}


def run(setup, proxy, row, window, idle=0):
    """One measurement. Returns a dict, maybe an error."""
    return in_child(setup, lambda: measure(setup, proxy, row, window, idle))
