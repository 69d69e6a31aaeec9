"""The demo's child processes: started, killed without warning, stopped, never left behind."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from meshrelay.errors import ConfigError

# A node closes its database in well under a second; more than this is a hang.
STOP_SECONDS_MAX = 8.0
_PR_SET_PDEATHSIG = 1


def _leash() -> Callable[[], None] | None:
    """What a child runs before exec so that it dies with the demo, where the system can."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return die_with_parent


class Child:
    """One process. `witness` is the directory that is lost with the power, if it has one."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        witness: Path | None = None,
    ) -> None:
        self.name = name
        self.starts = 0
        self._argv = list(argv)
        self._log = log
        self._witness = witness
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.running else None

    async def start(self) -> None:
        """Start it; nothing happens if it runs.

        Children get their own session: Ctrl-C reaches the demo only, which then
        stops them in order.

        Raises:
            ConfigError: the program cannot be run.
        """
        if self.running:
            return
        if self._witness is not None:
            self._witness.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_leash(),
                )
            except OSError as error:
                raise ConfigError(f"{self.name}: cannot run {self._argv[0]}: {error}") from error
        self.starts += 1

    async def kill(self, lose_witness: bool) -> None:
        """SIGKILL; with `lose_witness` also what a power cut takes from memory."""
        if self._process is not None and self.running:
            self._process.kill()
            await self._process.wait()
        if lose_witness and self._witness is not None:
            for entry in self._witness.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()

    async def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process is None or not self.running:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            await self.kill(lose_witness=False)

    def last_words(self) -> str:
        """Why it ended: its own last sentence if it left one, else the last line of its log."""
        try:
            lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        except FileNotFoundError:
            return ""
        sentences = [line for line in lines if line.startswith("meshrelay: ")]
        return (sentences or lines or [""])[-1]
