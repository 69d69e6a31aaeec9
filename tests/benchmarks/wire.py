"""Bytes on the wire and CPU seconds of processes, as the kernel counts them.

Nothing stands between the processes that are measured: bytes are what TCP carried (TLS,
MQTT and greetings included, TCP/IP headers not), read from the sockets with ss(8).
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Carried(NamedTuple):
    """One TCP connection as its dialler sees it."""

    local_port: int
    sent: int
    received: int

    @property
    def total(self) -> int:
        return self.sent + self.received


def carried(pid: int, port: int) -> list[Carried]:
    """What the process's open connections to `port` carried so far."""
    shown = subprocess.run(
        ["ss", "-tniHp", "state", "established", f"dport = :{port}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = []
    # Two lines a socket: addresses with the owner, then the counters.
    for head, counters in re.findall(r"^(\S.*)\n\s+(.*)$", shown, re.MULTILINE):
        if f"pid={pid}," not in head:
            continue
        local = re.search(r":(\d+)\s", head)
        counts = [
            re.search(rf"{name}:(\d+)", counters) for name in ("bytes_sent", "bytes_received")
        ]
        if local is None:
            raise AssertionError(f"ss prints something else: {head}")
        sent, received = (int(count[1]) if count else 0 for count in counts)
        found.append(Carried(int(local[1]), sent, received))
    return found


def the_one(pid: int, port: int) -> Carried:
    """The same where there is exactly one connection: a lost one would hide what it carried."""
    found = carried(pid, port)
    if len(found) != 1:
        raise AssertionError(f"{len(found)} connections of {pid} to port {port}, expected 1")
    return found[0]


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
