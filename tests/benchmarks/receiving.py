"""Two receivers of entries: machine and store on one thread, and the node's whole driver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from meshrelay.core.book import RecordBook
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import LogId
from meshrelay.core.events import Commit, Committed, LinkUp, Now, Received, Refused, Submit, Tick
from meshrelay.core.have import Receipts
from meshrelay.core.records import Record
from meshrelay.core.signing import Signer
from meshrelay.core.sync import Machine
from meshrelay.core.vector import Vector
from meshrelay.errors import StoreError
from meshrelay.node.clock import Clock
from meshrelay.node.config import WitnessSection
from meshrelay.node.driver import Driver
from meshrelay.node.folding import RULES, Folder
from meshrelay.node.witness import Witness
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from meshrelay.store.sqlite import transaction
from meshrelay.store.views import open_views

INCARNATION = b"receiver"
# As many frames as the largest grant (1 MiB) lets a peer have on the way.
FRAMES_ON_THE_WAY = 32


class Receiver:
    """A ward's machine and store that take in what another ward sends, on one thread."""

    def __init__(self, directory: Path, signer: Signer, records: Sequence[Record], peer: bytes,
                 network: bytes, fold: bool) -> None:  # fmt: skip
        self.store = LogStore(directory / "log.db")
        self.store.load()
        self.book = RecordBook(network)
        self.machine = Machine(
            signer, self.book, RULES, INCARNATION, [], Vector(), HybridClock(), Receipts(), {},
            b"n" * 8,
        )  # fmt: skip
        self.refused: list[str] = []
        self._waiting: list[Commit] = []
        self._fold: Callable[[], bool] | None = None
        if fold:
            views = open_views(directory / "views.db", [INCARNATION], 0, b"life")
            path = directory / "log.db"
            self.folder = Folder(views, path, self.book, INCARNATION, lambda: None)
            self._fold = self.folder.run
        self._feed(Submit([], list(records), 1))
        self._commit()
        self._feed(LinkUp(1, peer, "lan", False, False))

    def _feed(self, event: Submit | LinkUp | Received | Tick | Committed) -> None:
        now = Now(int(time.monotonic() * 1000), time.time_ns() // 1_000_000, 4)
        for effect in self.machine.handle(event, now):
            if isinstance(effect, Commit):
                self._waiting.append(effect)
            elif isinstance(effect, Refused):
                self.refused.append(effect.reason)

    def take(self, frames: Sequence[bytes]) -> None:
        """One batch: frames in, one FULL commit, told to the machine."""
        for frame in frames:
            self._feed(Received(1, frame))
        self._commit()
        self._feed(Tick())

    def _commit(self) -> None:
        works, self._waiting = self._waiting, []
        at_ms = time.time_ns() // 1_000_000
        with transaction(self.store.connection):
            for work in works:
                first = self.store.write(work, at_ms, 0)
                if self._fold is not None:
                    self.folder.take(first, work.entries, at_ms, 0)
        for work in works:
            self._feed(Committed(work.ticket))
        while self._fold is not None and self._fold():
            pass

    def close(self) -> None:
        if self._fold is not None:
            self.folder.close()
        self.store.connection.close()


class _Peer:
    """A link on which nothing is sent: the frames come from the benchmark."""

    bearer, lossy, remote = "lan", False, "benchmark"

    def __init__(self, peer: bytes) -> None:
        self.peer = peer

    def send(self, frame: bytes) -> None:
        del frame

    def close(self, reason: str) -> None:
        raise AssertionError(f"the link was closed: {reason}")


class WholeNode:
    """The same through the node's own driver: writer thread, witness and folds beside."""

    def __init__(self, directory: Path, signer: Signer, records: Sequence[Record], peer: bytes,
                 network: bytes) -> None:  # fmt: skip
        self.store = LogStore(directory / "log.db")
        self.store.load()
        book = RecordBook(network)
        machine = Machine(
            signer, book, RULES, INCARNATION, [], Vector(), HybridClock(), Receipts(), {}, b"n" * 8
        )
        path = directory / "log.db"
        views = open_views(directory / "views.db", [INCARNATION], 0, b"life")
        self._arrivals = LogReader(path)  # for the writer's thread
        self._folder = Folder(views, path, book, INCARNATION, self._folded)
        self._reader = LogReader(path)
        self._witness = Witness(Path(WitnessSection().dir), network, signer.public)
        self._link = _Peer(peer)
        self._records = list(records)
        self._machine = machine
        self._loop = asyncio.get_running_loop()
        self._level = asyncio.Event()
        self.stored_s = 0.0  # what `take` took until all was on disk, folds left aside
        self.driver = Driver(
            machine, self.store, self._reader, self._witness, Clock(True), self._folder, _ended,
            _fail,
        )  # fmt: skip

    def _folded(self) -> None:
        if self._folder.at == self._arrivals.newest_arrival():
            self._loop.call_soon_threadsafe(self._level.set)

    async def start(self) -> None:
        self.driver.start()
        await self.driver.submit([], self._records)
        self.driver.up(self._link)

    async def take(self, frames: Sequence[bytes]) -> None:
        """All frames in, committed and folded."""
        window = asyncio.Semaphore(FRAMES_ON_THE_WAY)
        left = len(frames)
        stored = asyncio.Event()

        def done() -> None:
            nonlocal left
            left -= 1
            window.release()
            if left == 0:  # the folds of this last commit come next
                self._level.clear()
                stored.set()

        start_s = time.perf_counter()
        for frame in frames:
            await window.acquire()
            self.driver.frame(self._link, frame, done)
            await asyncio.sleep(0)
        await stored.wait()
        self.stored_s += time.perf_counter() - start_s
        await self._level.wait()

    def close(self) -> None:
        self.driver.close()
        self._folder.close()
        self._arrivals.close()
        self._reader.close()
        self.store.connection.close()
        self._witness.close()
        self._witness.path.unlink(missing_ok=True)


def _ended(log: LogId) -> None:
    raise AssertionError(f"lane {log.lane} was ended")


def _fail(error: StoreError) -> None:
    raise error
