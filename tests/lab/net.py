"""Hosts as network namespaces on one switch, and what a bad network does to their cables.

A host is a namespace whose `eth0` is a veth cable to the switch, a namespace of its own with two
bridges, east and west, and a trunk between them. Nothing of it is in the machine's own namespace,
so nothing of it can meet the machine's network:

    host      eth0 ---- p3 [east] ---- trunk ---- [west] p5 ---- eth0      host

    loss      nftables, at the input of each host       rate   tc tbf, both ends of a cable
    cut       the switch passes nothing of a cable      split  hosts on two bridges, trunk cut
    delay     each cable through a small program in user space (wire.py), because the kernels of
              small boards and of CI machines come without netem

Names carry the process id of the lab, so that labs can run side by side and a start can sweep
away what a lab that was killed left behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from meshrelay.cli.brokerdir import mosquitto
from meshrelay.cli.demo.processes import Child

PREFIX = "mrlab"
CABLE = "eth0"
EAST, WEST, TRUNK = "east", "west", "trunk"
TOOLS = ("ip", "bridge", "tc", "nft", "faketime")
TMPFS = Path("/dev/shm")
FAKED = "faked.txt"
HERE = Path(__file__).resolve().parents[2]
# Of one network 10.77.0.0/16; a host's number is its address.
HOSTS_MAX = 250
# What an office router holds for a slow line: a few packets, as tbf counts.
QUEUE_MS = 400
BURST_BYTES = 3200
_CLONE_NEWNET = 0x40000000


class LabError(Exception):
    """The laboratory itself failed: a tool, the kernel, a process that does not start."""


def missing() -> list[str]:
    """What this machine lacks to run a laboratory; empty when it can."""
    lacks = [] if os.geteuid() == 0 else ["root"]
    lacks += [tool for tool in TOOLS if shutil.which(tool) is None]
    return lacks if mosquitto() else [*lacks, "mosquitto"]


def run(*words: str, stdin: str | None = None) -> str:
    """One command to its end.

    Raises:
        LabError: with what the command said.
    """
    done = subprocess.run(words, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Host:
    """One machine of the laboratory; made by `Lab.add`."""

    def __init__(self, lab: Lab, name: str, number: int) -> None:
        self.name = name
        self.space = f"{lab.prefix}-{name}"
        self.address = f"10.77.0.{number}"
        self.port = f"p{number}"
        self.taps = (f"a{number}", f"b{number}")
        self.riser = f"d{number}"
        self._switch = lab.switch

    def command(self, *argv: str) -> list[str]:
        """The same command, run on this host."""
        return ["ip", "netns", "exec", self.space, *argv]

    def socket(self, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket that lives on this host, whoever uses it."""
        with _inside(self.space):
            return socket.socket(socket.AF_INET, kind)

    def cut(self) -> None:
        """Let the switch pass nothing of this cable: for the host only silence, as behind a router.

        The carrier stays, so that the moment of `mend` is the moment at which packets pass.
        """
        _pass(self._switch, self.port, False)

    def mend(self) -> None:
        _pass(self._switch, self.port, True)

    def lose(self, percent: int) -> None:
        """Drop this part of the packets that arrive, at random; 0 ends it."""
        script = "add table inet lab\ndelete table inet lab\n"
        if percent:
            script += (
                "add table inet lab\n"
                "add chain inet lab loss { type filter hook input priority 0; }\n"
                f"add rule inet lab loss iifname {CABLE} "
                f"numgen random mod 100 < {percent} counter drop\n"
            )
        run(*self.command("nft", "-f", "-"), stdin=script)

    def limit(self, up_kbit: int, down_kbit: int) -> None:
        """Bits per second, of 1000, that the cable carries each way; see `unlimit`."""
        for space, device, kbit in (
            (self.space, CABLE, up_kbit),
            (self._switch, self.port, down_kbit),
        ):
            run(
                "tc", "-n", space, "qdisc", "replace", "dev", device, "root", "tbf",
                "rate", f"{kbit}kbit", "burst", str(BURST_BYTES), "latency", f"{QUEUE_MS}ms",
            )  # fmt: skip

    def unlimit(self) -> None:
        for space, device in ((self.space, CABLE), (self._switch, self.port)):
            if "tbf" in run("tc", "-n", space, "qdisc", "show", "dev", device):
                run("tc", "-n", space, "qdisc", "del", "dev", device, "root")


class Lab:
    """A switch and its hosts. Use as `async with`; what it made is gone after it.

    `directory` is on the disk and `tmpfs` in memory; both go with the laboratory, but for a copy
    of `directory` to look into at `keep`.
    """

    def __init__(self, keep: Path | None = None) -> None:
        self._keep = keep
        self.prefix = f"{PREFIX}-{os.getpid()}"
        self.switch = f"{self.prefix}-switch"
        self.hosts: dict[str, Host] = {}
        self.directory = Path()
        self.tmpfs = TMPFS / self.prefix
        self._wire: Child | None = None
        self._wired: list[Host] = []

    async def __aenter__(self) -> Self:
        sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.tmpfs.mkdir()
        self._space(self.switch)
        for bridge in (EAST, WEST):
            self._bridge(bridge)
        self._ip("link", "add", TRUNK, "type", "veth", "peer", "name", f"{TRUNK}2")
        for end, bridge in ((TRUNK, EAST), (f"{TRUNK}2", WEST)):
            self._ip("link", "set", end, "master", bridge, "up")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._wire is not None:
            await self._wire.stop()
        _remove(self.prefix)
        forget_faked(self.tmpfs)
        if self._keep is not None:
            shutil.copytree(self.directory, self._keep, dirs_exist_ok=True)
        for left in (self.directory, self.tmpfs):
            shutil.rmtree(left, ignore_errors=True)

    def add(self, name: str) -> Host:
        """A new host, connected to the switch."""
        number = len(self.hosts) + 1
        if number > HOSTS_MAX:
            raise LabError(f"more than {HOSTS_MAX} hosts")
        host = Host(self, name, number)
        self._space(host.space)
        peer = ("peer", "name", CABLE, "netns", host.space)
        self._ip("link", "add", host.port, "type", "veth", *peer)
        self._ip("link", "set", host.port, "master", EAST, "up")
        run("ip", "-n", host.space, "address", "add", f"{host.address}/16", "dev", CABLE)
        run("ip", "-n", host.space, "link", "set", CABLE, "up")
        run("ip", "-n", host.space, "route", "add", "224.0.0.0/4", "dev", CABLE)
        self.hosts[name] = host
        return host

    def split(self, away: Iterable[Host]) -> None:
        """These hosts on one side, all others on the other, and nothing between them."""
        for host in away:
            self._ip("link", "set", host.port, "master", WEST)
        _pass(self.switch, TRUNK, False)

    def join(self) -> None:
        """End `split`."""
        _pass(self.switch, TRUNK, True)
        for host in self.hosts.values():
            self._ip("link", "set", host.port, "master", EAST)

    async def delay(self, hosts: Sequence[Host], ms: int, jitter_ms: int, seed: int) -> None:
        """Every packet between two of `hosts` takes `ms` ± `jitter_ms` each way, in order."""
        pairs = []
        for host in hosts:
            near, far = host.taps
            self._bridge(host.riser)
            for tap, bridge in ((near, host.riser), (far, EAST)):
                self._ip("tuntap", "add", tap, "mode", "tap")
                self._ip("link", "set", tap, "master", bridge, "up")
            self._ip("link", "set", host.port, "master", host.riser)
            pairs.append(f"{near}:{far}")
        # A packet passes two wires, each of which takes half.
        numbers = (str(ms // 2), str(jitter_ms // 2), str(seed))
        program = [sys.executable, str(Path(__file__).with_name("wire.py")), *numbers, *pairs]
        log = self.directory / "wire.log"
        self._wire = Child("wire", ["ip", "netns", "exec", self.switch, *program], log)
        self._wired = list(hosts)
        await self._wire.start()

    async def undelay(self) -> None:
        """End `delay`."""
        if self._wire is None:
            return
        if not self._wire.running:
            raise LabError(f"the wire broke: {self._wire.last_words()}")
        for host in self._wired:
            self._ip("link", "set", host.port, "master", EAST)
        await self._wire.stop()
        self._wire = None
        for host in self._wired:
            for device in (*host.taps, host.riser):
                self._ip("link", "del", device)

    def _ip(self, *words: str) -> None:
        run("ip", "-n", self.switch, *words)

    def _space(self, space: str) -> None:
        run("ip", "netns", "add", space)
        run("ip", "-n", space, "link", "set", "lo", "up")

    def _bridge(self, name: str) -> None:
        # Without snooping: a bridge without a querier forgets who listens to mDNS.
        options = ("stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
        self._ip("link", "add", name, "type", "bridge", *options)
        self._ip("link", "set", name, "up")


def sweep() -> list[str]:
    """Remove what laboratories that are no more left behind; their namespaces' names."""
    names = run("ip", "netns", "list").split()
    dead = {
        prefix
        for name in [*names, *(path.name for path in TMPFS.glob(f"{PREFIX}-*"))]
        if (found := re.match(rf"({PREFIX}-(\d+))(-|$)", name))
        and not Path(f"/proc/{found[2]}").exists()
        for prefix in (found[1],)
    }
    removed = [space for prefix in sorted(dead) for space in _remove(prefix)]
    for prefix in dead:
        forget_faked(TMPFS / prefix)
        for left in (TMPFS / prefix, *Path(tempfile.gettempdir()).glob(f"{prefix}-*")):
            shutil.rmtree(left, ignore_errors=True)
    return removed


def note_faked(tmpfs: Path, pid: int) -> None:
    """Remember a process with a wrong clock: libfaketime's files outlive it when it is killed."""
    with (tmpfs / FAKED).open("a", encoding="ascii") as noted:
        noted.write(f"{pid}\n")


def forget_faked(tmpfs: Path) -> None:
    """Remove what libfaketime left of the processes noted there; they have ended."""
    noted = tmpfs / FAKED
    for pid in noted.read_text("ascii").split() if noted.exists() else ():
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            (TMPFS / name).unlink(missing_ok=True)


def _remove(prefix: str) -> list[str]:
    """Delete the namespaces of one laboratory and whoever still runs in them."""
    spaces = [name for name in run("ip", "netns", "list").split() if name.startswith(f"{prefix}-")]
    for space in spaces:
        for pid in run("ip", "netns", "pids", space).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", space)
    return spaces


def _pass(space: str, port: str, passes: bool) -> None:
    """Whether a bridge forwards what comes and goes by one of its ports (its STP state)."""
    run("bridge", "-n", space, "link", "set", "dev", port, "state", "3" if passes else "0")


@contextlib.contextmanager
def _inside(space: str) -> Iterator[None]:
    """Run the body of this thread in a namespace: what is made there stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    other = os.open(f"/run/netns/{space}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespace(libc, other)
        try:
            yield
        finally:
            _set_namespace(libc, own)
    finally:
        os.close(own)
        os.close(other)


def _set_namespace(libc: ctypes.CDLL, handle: int) -> None:
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")
