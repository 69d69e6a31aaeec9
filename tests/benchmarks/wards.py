"""Real `meshrelay node run` processes for the figures that need them."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from meshrelay.cli.demo.processes import Child
from meshrelay.node.config import load
from meshrelay.web.client import is_ready
from tests.town import Town

TMPFS = Path("/dev/shm")
READY_S_MAX = 60.0
# Finer than what is told of a start; each question costs the node under a millisecond.
READY_POLL_S = 0.02


class Wards:
    """The nodes of a town as processes. Use as `async with`; nothing of them is left after it."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.urls: dict[str, str] = {}
        self._children: dict[str, Child] = {}
        self._witnesses = Path(tempfile.mkdtemp(prefix="meshrelay-bench-", dir=TMPFS))
        for ward in town.ports:
            toml = town.directory / ward / "node.toml"
            text = toml.read_text("utf-8")
            witness = self._witnesses / ward
            toml.write_text(text.replace(f'dir = "{TMPFS}"', f'dir = "{witness}"'), "utf-8")
            self.urls[ward] = f"http://{load(toml).web.listen}"
            command = [sys.executable, "-m", "meshrelay", "node", "run", str(toml.parent)]
            self._children[ward] = Child(ward, command, toml.parent / "log.txt", witness)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for ward in self._children:
            await self.stop(ward)
        shutil.rmtree(self._witnesses)

    async def start(self, ward: str) -> float:
        """Start a node; seconds from the start of its process to `/readyz` 200."""
        child, began_s = self._children[ward], time.perf_counter()
        await child.start()
        while not await is_ready(self.urls[ward]):
            if not child.running or time.perf_counter() - began_s > READY_S_MAX:
                raise AssertionError(f"{ward} does not start: {child.last_words()}")
            await asyncio.sleep(READY_POLL_S)
        return time.perf_counter() - began_s

    async def stop(self, ward: str) -> None:
        await self._children[ward].stop()

    async def kill(self, ward: str) -> None:
        """SIGKILL; what is on the tmpfs stays, as when a process dies."""
        await self._children[ward].kill(lose_witness=False)

    def witness_dir(self, ward: str) -> Path:
        """Where that node keeps its witness."""
        directory = self._witnesses / ward
        directory.mkdir(exist_ok=True)
        return directory

    def pid(self, ward: str) -> int:
        pid = self._children[ward].pid
        if pid is None:
            raise AssertionError(f"{ward} does not run: {self._children[ward].last_words()}")
        return pid

    def resident_mb(self, ward: str) -> float:
        """VmRSS of a running node in units of 10^6 bytes."""
        return resident_mb(self.pid(ward))


def resident_mb(pid: int) -> float:
    """VmRSS of a process in units of 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError(f"process {pid} has no VmRSS")
