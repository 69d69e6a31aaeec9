"""The running demo: directories, processes and cables under one roof."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from meshrelay.cli.demo.build import NetworkPlan, broker_command, make_node_dirs
from meshrelay.cli.demo.cables import Cable
from meshrelay.cli.demo.layout import (
    BROKER,
    CABLES,
    HOST,
    PLACES,
    Place,
    Ports,
)
from meshrelay.cli.demo.people import DemoPerson
from meshrelay.cli.demo.processes import Child
from meshrelay.errors import ConfigError, RefusedError
from meshrelay.node.witness import is_tmpfs
from meshrelay.web.client import is_ready

# Five processes start at once on a small machine; more than this means one is stuck.
READY_SECONDS_MAX = 40.0
READY_POLL_SECONDS = 0.1
# A stopped process is seen at once; a port is sometimes free a moment later.
BROKER_POLL_SECONDS = 0.05
# Witness files must be on a tmpfs (trust in them ends with the power).
TMPFS = Path("/dev/shm")
NODE_COMMAND = (sys.executable, "-m", "meshrelay", "node", "run")


class Town:
    """Four nodes, a broker and seven cables. Use as `async with`.

    Entering makes every directory and starts everything; leaving stops every
    process and removes every file, except below `keep` when one was given.
    `node_command` starts a node when a directory is appended to it.

    Raises:
        ConfigError: on entry, when something cannot start.
    """

    def __init__(
        self,
        ports: Ports,
        plan: NetworkPlan,
        keep: Path | None = None,
        node_command: Sequence[str] = NODE_COMMAND,
    ) -> None:
        self.ports = ports
        self.plan = plan
        self.cables = {
            spec.name: Cable(spec.name, HOST, ports.cable(spec), ports.cable_target(spec))
            for spec in CABLES
        }
        self.children: dict[str, Child] = {}
        self.people: tuple[DemoPerson, ...] = ()
        self.directory = Path()
        self._to_remove: list[Path] = []
        self._keep = keep
        self._node_command = tuple(node_command)
        self.witnesses = Path()
        self._locks: dict[str, asyncio.Lock] = {}

    def url(self, place: Place) -> str:
        return self.ports.url(place)

    async def __aenter__(self) -> Town:
        async with AsyncExitStack() as leaving:
            leaving.push_async_callback(self._leave)
            self._make_directories()
            # Not in a thread: a cancelled thread would go on writing into what we remove.
            self.people = make_node_dirs(self.directory, self.ports, self.plan, self.witnesses)
            self._hire()
            for cable in self.cables.values():
                await cable.heal()
            for child in self.children.values():
                await child.start()
            await self.wait_ready()
            self._leaving = leaving.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leaving.aclose()

    def _make_directories(self) -> None:
        if not is_tmpfs(TMPFS):
            raise ConfigError(f"{TMPFS} is not a tmpfs; a node needs one for its witness")
        if self._keep is None:
            self.directory = self._temporary(None)
        else:
            self.directory = self._keep.resolve()
            try:
                self.directory.mkdir(parents=True, exist_ok=True)
                if any(self.directory.iterdir()):
                    raise ConfigError(f"--keep {self.directory}: expected an empty directory")
            except OSError as error:
                raise ConfigError(
                    f"--keep {self.directory}: cannot be written ({error.strerror}); "
                    "expected a directory that is new or empty"
                ) from error
        self.witnesses = self._temporary(TMPFS)

    def _temporary(self, below: Path | None) -> Path:
        try:
            made = Path(tempfile.mkdtemp(prefix="meshrelay-demo-", dir=below))
        except OSError as error:
            where = below or "the directory for temporary files"
            raise ConfigError(f"{where} cannot be written: {error.strerror}") from error
        self._to_remove.append(made)
        return made

    def _hire(self) -> None:
        logs = self.directory / "logs"
        logs.mkdir()
        self.children[BROKER] = Child(
            BROKER, broker_command(self.directory, self.ports), logs / "broker.log"
        )
        for place in PLACES:
            self.children[place.key] = Child(
                place.key,
                [*self._node_command, str(self.directory / place.key)],
                logs / f"{place.key}.log",
                self.witnesses / place.key,
            )
        self._locks = {name: asyncio.Lock() for name in self.children}

    async def _leave(self) -> None:
        await asyncio.gather(*(child.stop() for child in self.children.values()))
        await asyncio.gather(*(cable.cut() for cable in self.cables.values()))
        while self._to_remove:
            shutil.rmtree(self._to_remove.pop())

    async def wait_ready(self, timeout_s: float = READY_SECONDS_MAX) -> None:
        """Wait until every process answers.

        Raises:
            ConfigError: one ended or does not answer in time; the sentence has its last words.
        """
        try:
            async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as waits:
                for name in self.children:
                    waits.create_task(self._wait_one(name))
        except* ConfigError as errors:
            raise ConfigError(str(errors.exceptions[0])) from None
        except* TimeoutError:
            raise ConfigError(f"the demo did not get ready in {timeout_s:.0f} s") from None

    async def _wait_one(self, name: str) -> None:
        child = self.children[name]
        while not await self._answers(name):
            if not child.running:
                raise ConfigError(f"{name} ended at start: {child.last_words()}")
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _answers(self, name: str) -> bool:
        if name != BROKER:
            place = next(place for place in PLACES if place.key == name)
            return await is_ready(self.url(place))
        try:
            _, writer = await asyncio.open_connection(HOST, self.ports.broker)
        except OSError:
            return False
        writer.close()
        return True

    async def cut(self, names: Sequence[str]) -> None:
        await asyncio.gather(*(self.cables[name].cut() for name in names))

    async def heal(self, names: Sequence[str]) -> None:
        await asyncio.gather(*(self.cables[name].heal() for name in names))

    async def kill(self, name: str, lose_witness: bool) -> None:
        """SIGKILL a process; `lose_witness` is a power cut, without it a crash."""
        async with self._locks[name]:
            await self.children[name].kill(lose_witness)

    async def start(self, name: str, wait: bool = True) -> None:
        """Start a process that was killed.

        Raises:
            RefusedError: it ended again, with its last words.
        """
        async with self._locks[name]:
            await self.children[name].start()
            if not wait:
                return
            try:
                async with asyncio.timeout(READY_SECONDS_MAX):
                    await self._wait_one(name)
            except (ConfigError, TimeoutError) as error:
                raise RefusedError(
                    "no_start",
                    f"{name} を起動できません: {error}",
                    f"{name} does not start: {error}",
                    "もう一度押してください。",
                    "Press again.",
                    503,
                ) from error
