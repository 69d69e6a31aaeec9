"""Keeping the store: its room, what is dropped for space, and rows looked at again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from meshrelay.core.clock import EXPIRED, age_now, ms_of, validity
from meshrelay.core.entry import LogId, read_author_part, read_entry
from meshrelay.core.events import AskArchives, Evict, HeldEntry, Now, Room
from meshrelay.core.retention import Old, choose, to_free
from meshrelay.core.sync import Machine
from meshrelay.errors import DamagedError, FrameError
from meshrelay.node.clock import Clock
from meshrelay.node.driver import Driver
from meshrelay.node.room import StoreRoom
from meshrelay.store.reader import LogReader

log = logging.getLogger("meshrelay.node")

MEASURE_S = 1.0
# Dropped in one piece: about 40 ms of the event loop on a Pi.
EVICT_BYTES = 256 * 1024
# After asking the archives, before their HAVEs count.
ANSWER_S = 1.0
# Nothing could go: perhaps an archive is in reach by then.
FRUITLESS_S = 15.0
# 64 KiB a second: a full store of 4 GB is looked through in 18 hours, for 1 % of a Pi.
SCRUB_BYTES, SCRUB_S = 64 * 1024, 1.0
SCRUB_REST_S = 600.0


class Keeping:
    """Background work on the store, on the event loop, in small pieces."""

    def __init__(
        self, machine: Machine, reader: LogReader, driver: Driver, clock: Clock, room: StoreRoom
    ) -> None:
        self._machine = machine
        self._reader = reader
        self._driver = driver
        self._clock = clock
        self.room = room

    def measure(self) -> None:
        """Tell the machine how full the store is."""
        self.room.measure(self._reader.used())
        self._driver.step(Room(self.room.used, self.room.quota))

    async def run(self) -> None:
        """Measure, and make room when there is little, until cancelled."""
        rest_s = 0.0
        while True:
            self.measure()
            rest_s = max(rest_s - MEASURE_S, 0.0)
            if to_free(self.room.used, self.room.quota) and not rest_s:
                rest_s = 0.0 if await self._make_room() else FRUITLESS_S
            await asyncio.sleep(MEASURE_S)

    async def _make_room(self) -> int:
        """Drop what may go, in pieces; returns its bytes."""
        self._driver.step(AskArchives())
        await asyncio.sleep(ANSWER_S)
        dropped = 0
        while to_free(self.room.used, self.room.quota):
            size = self._evict()
            if not size:
                break
            dropped += size
            await self._driver.written()
            self.measure()
            await asyncio.sleep(0)
        if dropped:
            log.info("dropped for space bytes=%d", dropped)
            await self._forget_arrivals()
        return dropped

    def _evict(self) -> int:
        """Drop one piece; returns its bytes, 0 when nothing may go."""
        now = self._clock.now()
        logs = {lg: self._olds(lg, now) for lg in self._machine.vector.lines}
        size = 0
        for drop in choose(
            logs,
            EVICT_BYTES,
            lambda old: self._machine.may_evict(old.log, old.seq, old.is_expired, now),
        ):
            self._driver.step(Evict(*drop))
            size += drop.size
        return size

    def _olds(self, lg: LogId, now: Now) -> Iterator[Old]:
        """What of a log might go, from its floor up; not the newest of it, which names the log."""
        upto = self._machine.vector.height(lg)
        for seq, held in self._reader.from_lowest(lg):
            if seq < upto:
                yield _old(lg, seq, held, now)

    async def _forget_arrivals(self) -> None:
        """Arrivals of what was dropped."""
        after: int | None = 0
        while after is not None:
            after = await self._driver.written(
                lambda store, at=after: store.forget_arrivals(at)  # type: ignore[misc]
            )

    async def scrub(self) -> None:
        """Read everything again, slowly, for ever: a damaged row is found before it is needed."""
        while True:
            for lg in list(self._machine.vector.lines):
                await self._scrub_log(lg)
            await asyncio.sleep(SCRUB_REST_S)

    async def _scrub_log(self, lg: LogId) -> None:
        at = 1
        while (line := self._machine.vector.lines.get(lg)) and at <= line.height:
            try:
                held = self._reader.read(lg, at, SCRUB_BYTES)
            except DamagedError as error:
                self._driver.damaged(error)
                held = []
            at = at + len(held) if held else self._reader.next_held(lg, at)
            await asyncio.sleep(SCRUB_S)


def _old(lg: LogId, seq: int, held: HeldEntry, now: Now) -> Old:
    entry = read_entry(held.raw)
    created_ms, quality = ms_of(entry.hlc), entry.quality
    if entry.author:
        try:
            part = read_author_part(entry.author)
            created_ms, quality = part.created_ms, part.quality
        except FrameError:  # refused at level B, stored all the same
            pass
    age = age_now(held.age, held.seen_ms, now.seen_ms, now.gap_ms)
    word = validity(created_ms, quality, entry.lifetime_s, now.pt_ms, now.quality, age)
    return Old(lg, seq, entry.id, len(held.raw), entry.hlc, word == EXPIRED)
