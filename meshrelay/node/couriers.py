"""Courier files at a running node: handed out, received, and taken in at the pace of the disk.

Whoever has a file for the node puts it into `couriers/incoming` (the page, or `courier read` in
another process), written aside and renamed, and finds how it goes in the `.json` beside it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import structs

from meshrelay.bearers.courier import (
    FRAME,
    HEAD_BYTES,
    MANIFEST,
    SUFFIX,
    Block,
    CourierReader,
    file_name,
    read_head,
)
from meshrelay.core.events import Now
from meshrelay.errors import FrameError, RefusedError, RemoteProtocolError
from meshrelay.node.cargo import Cargo
from meshrelay.node.courier_desk import (
    FILE_BYTES_MAX,
    CourierFile,
    Reading,
    busy,
    disk_full,
    refusal,
    too_large,
)
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.driver import Driver
from meshrelay.node.identity import Keys
from meshrelay.node.manifest import KnownRecords, read_manifest
from meshrelay.node.office import Seat
from meshrelay.node.seats import open_seat
from meshrelay.node.taking import Taking
from meshrelay.node.transit import TransitKeys, transit_keys
from meshrelay.node.unpacking import Unpacked, unpack

log = logging.getLogger("meshrelay.node")

LOOK_S = 1.0
# How often a reading's progress is told to another process.
TELL_BYTES = 1024 * 1024
# What must stay free on the node's disk for its own log.
SPARE_BYTES = 256 * 1024 * 1024
# What a process left that was killed while it brought a file, or waited for its answer.
LEFT_S = 3_600.0
# Files that wait to be read; and readings that are remembered.
WAITING_MAX = 8
READINGS_MAX = 100
_PIECE_BYTES = 256 * 1024
_ASIDE, _ANSWER = ".part", ".json"
_NAME = re.compile(r"[0-9a-f]{32}")


def incoming_of(directory: Path) -> Path:
    """Where a node looks for courier files."""
    return directory / "couriers" / "incoming"


class Couriers:
    """Implements `courier_desk.CourierDesk`; `run` reads what comes in, one file at a time."""

    def __init__(
        self,
        directory: Path,
        keys: Keys,
        driver: Driver,
        doorman: NodeDoorman,
        now: Callable[[], Now],
    ) -> None:
        self._directory = directory
        self._incoming = incoming_of(directory)
        self._keys = keys
        self._driver = driver
        self._doorman = doorman
        self._now = now
        self._known = KnownRecords(directory / "couriers")
        self._readings: dict[str, Reading] = {}
        self._received: set[str] = set()  # by the page, which asks here
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    def reading(self, reading: str) -> Reading | None:
        """See CourierDesk."""
        return self._readings.get(reading)

    # Handing out

    async def write(self, seat: Seat, to: str) -> CourierFile:
        """See CourierDesk."""
        open_seat(seat)
        if self._writing.locked():
            raise busy()
        async with self._writing:
            await self._driver.flush()
            health = dict(self._driver.machine.statements.health)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, self._make, to, self._now(), health)

    def _make(self, to: str, now: Now, health: dict[int, Any]) -> CourierFile:
        size = (self._directory / "log.db").stat().st_size  # deflated, a file is smaller
        if not self._has_room(size):
            raise disk_full()
        folder = self._incoming.parent
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            cargo = stack.enter_context(closing(Cargo(self._directory, self._keys)))
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            packed = cargo.pack(file, to, now, health, lambda done, total: None)
            file.seek(0)
            stack.pop_all()
            cargo.close()
        name = file_name(self._keys.network, self._keys.signer.public, max(now.pt_ms, 0))
        entries = sum(packed.entries)
        log.info("courier file made entries=%d bytes=%d", entries, packed.size)
        return CourierFile(name, packed.size, entries, file)

    def _has_room(self, size: int) -> bool:
        return shutil.disk_usage(self._directory).free >= size + SPARE_BYTES

    # Receiving

    async def receive(self, seat: Seat, pieces: AsyncIterator[bytes]) -> str:
        """See CourierDesk."""
        open_seat(seat)
        if sum(path.suffix != _ANSWER for path in self._incoming.glob("*")) >= WAITING_MAX:
            raise busy()
        loop = asyncio.get_running_loop()
        name = secrets.token_hex(16)
        path = self._incoming / f"{name}{SUFFIX}"
        aside = path.with_suffix(_ASIDE)
        self._incoming.mkdir(parents=True, exist_ok=True)
        file = aside.open("xb")
        try:
            size = await self._fill(file, pieces)
            await loop.run_in_executor(None, os.fsync, file.fileno())
            aside.rename(path)
        except RefusedError:
            await _let_pass(pieces)
            raise
        finally:
            file.close()
            aside.unlink(missing_ok=True)
        self._say(Reading(name, bytes_total=size))
        self._received.add(name)
        self._wake.set()
        return name

    async def _fill(self, file: BinaryIO, pieces: AsyncIterator[bytes]) -> int:
        loop = asyncio.get_running_loop()
        size, held, checked = 0, bytearray(), False
        async for piece in pieces:
            size += len(piece)
            held += piece
            if size > FILE_BYTES_MAX:
                raise too_large()
            if not checked and len(held) >= HEAD_BYTES:
                self._check_head(bytes(held[:HEAD_BYTES]))
                checked = True
            if len(held) >= _PIECE_BYTES:
                if not self._has_room(len(held)):
                    raise disk_full()
                await loop.run_in_executor(None, file.write, bytes(held))
                held.clear()
        if not checked:
            self._check_head(bytes(held))
        file.write(held)
        file.flush()
        return size

    def _check_head(self, head: bytes) -> None:
        try:
            read_head(head, self._keys.network)
        except FrameError as error:
            raise refusal(error.reason) from None

    def _say(self, reading: Reading) -> None:
        """Keep it for pages; the oldest are forgotten."""
        self._readings[reading.id] = reading
        while len(self._readings) > READINGS_MAX:
            del self._readings[next(iter(self._readings))]

    # Taking in

    async def run(self) -> None:
        """Read what comes in until cancelled."""
        with suppress(OSError):  # a full disk: then nobody can bring a file either
            self._incoming.mkdir(parents=True, exist_ok=True)
        while True:
            self._wake.clear()
            for path in sorted(self._incoming.glob(f"*{SUFFIX}"), key=lambda each: each.name):
                await self._take(path)
            self._sweep()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_S)

    def _sweep(self) -> None:
        for path in self._incoming.glob("*"):
            with suppress(OSError):
                is_left = time.time() - path.stat().st_mtime > LEFT_S
                if is_left and path.suffix in (_ANSWER, _ASIDE):
                    path.unlink()

    async def _take(self, path: Path) -> None:
        name = path.stem
        if not _NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
            return
        try:
            total = path.stat().st_size
            file = path.open("rb")
        except OSError as error:
            log.error("courier file cannot be read error=%s", error)
            return
        self._say(Reading(name, "reading", bytes_total=total))
        with file:
            await self._read(name, file)
        reading = self._readings[name]
        log.info(
            "courier file taken in state=%s code=%s new=%d known=%d refused=%d damaged=%d",
            reading.state, reading.code, reading.entries_new, reading.entries_known,
            reading.entries_refused, reading.damaged_n,
        )  # fmt: skip
        self._tell(reading)
        self._received.discard(name)
        path.unlink(missing_ok=True)

    def _tell(self, reading: Reading) -> None:
        """For another process that waits for it, if one brought it."""
        if reading.id in self._received:
            return
        path = self._incoming / f"{reading.id}{_ANSWER}"
        aside = path.with_suffix(_ASIDE)
        try:
            aside.write_bytes(msgspec.json.encode(reading))
            aside.replace(path)
        except OSError as error:
            log.warning("progress of a courier file cannot be told error=%s", error)

    async def _read(self, name: str, file: BinaryIO) -> None:
        taking = Taking(self._driver, self._readings[name])
        machine = self._driver.machine
        # The book changes while another thread opens blocks.
        sealer = TransitKeys(transit_keys(machine.book), machine.me, self._keys.box)
        loop = asyncio.get_running_loop()
        told = 0
        try:
            reader = CourierReader(file, sealer, self._keys.network)
            blocks = iter(reader)
            while True:
                found = await loop.run_in_executor(None, _next, blocks, taking.passed_ms)
                if found is None:
                    break
                block, unpacked = found
                if block.kind == MANIFEST:
                    self._begin(taking, block, reader.file_id)
                elif unpacked is not None:
                    await taking.feed(unpacked)
                taking.reading = structs.replace(taking.reading, bytes_done=block.end)
                self._say(taking.reading)
                if block.end - told >= TELL_BYTES:
                    told = block.end
                    self._tell(taking.reading)
            await taking.finish(reader)
        except RemoteProtocolError as error:
            self._refuse(taking, refusal(error.reason))
        except RefusedError as error:
            self._refuse(taking, error)
        except OSError as error:
            log.error("courier file cannot be read error=%s", error)
            self._refuse(taking, refusal("bad_seal"))
        self._say(taking.reading)

    def _begin(self, taking: Taking, block: Block, file_id: bytes) -> None:
        """The first block: who wrote it. Raises RemoteProtocolError."""
        network = self._keys.network
        manifest = read_manifest(
            block.content, lambda greeting: self._doorman.admit(greeting, None), network, file_id
        )
        self._known.keep(manifest)
        taking.begin(manifest, self._now())

    def _refuse(self, taking: Taking, error: RefusedError) -> None:
        self._driver.refused[error.code] += 1
        taking.reading = structs.replace(
            taking.reading, state="refused", code=error.code, ja=error.ja, en=error.en,
            next_ja=error.next_ja, next_en=error.next_en,
        )  # fmt: skip


async def _let_pass(pieces: AsyncIterator[bytes]) -> None:
    """Hear the rest out: a browser that is cut off while it sends shows no answer."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > FILE_BYTES_MAX:
            return


def _next(blocks: Iterator[Block], passed: int | None) -> tuple[Block, Unpacked | None] | None:
    """The next block, a frame unpacked; None at the end."""
    block = next(blocks, None)
    if block is None:
        return None
    return block, unpack(block.content, passed) if block.kind == FRAME else None
