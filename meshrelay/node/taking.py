"""One courier file on its way into the machine, at the pace of the disk."""

from __future__ import annotations

import asyncio

from msgspec import structs

from meshrelay.bearers.courier import CourierReader
from meshrelay.core.events import Now
from meshrelay.core.signing import KEY_BYTES
from meshrelay.node.courier_desk import Reading, refusal
from meshrelay.node.driver import Driver
from meshrelay.node.manifest import Manifest
from meshrelay.node.unpacking import Unpacked, passed_ms

# So many frames wait for the writer: enough for one commit, a megabyte at most.
FRAMES_UNDER_WAY = 16


class Taking:
    """One file on its way into the machine; frames wait while FRAMES_UNDER_WAY are not on disk."""

    def __init__(self, driver: Driver, reading: Reading) -> None:
        self.reading = reading
        self.passed_ms: int | None = None
        self._driver = driver
        self._writer = bytes(KEY_BYTES)
        self._opened = 0
        self._bad_frames = 0
        self._room = asyncio.Semaphore(FRAMES_UNDER_WAY)

    def begin(self, manifest: Manifest, now: Now) -> None:
        """Who wrote it is proven."""
        self._opened += 1
        self._writer = manifest.writer
        self.passed_ms = passed_ms(manifest.written_ms, manifest.quality, now)
        node = self._driver.machine.book.nodes.get(manifest.writer)
        self.reading = structs.replace(
            self.reading,
            node_name=node.name if node else manifest.writer.hex()[:8],
            ward=node.ward if node else "",
            ward_name=node.ward_name if node else "",
            to=manifest.to,
            written_ms=manifest.written_ms,
            passed_ms=self.passed_ms,
        )

    async def feed(self, unpacked: Unpacked) -> None:
        """Give one frame to the machine and count what became of it."""
        self._opened += 1
        if unpacked.frame is None:
            self._bad_frames += unpacked.malformed
            return
        await self._room.acquire()
        machine, refused = self._driver.machine, self._driver.refused
        taken = sum(machine.acceptor.taken(each) for each in unpacked.logs)
        known, records = refused["replayed"], len(machine.book.by_id)
        self._driver.heard(self._writer, unpacked.frame, self._room.release, "courier")
        new = max(sum(machine.acceptor.taken(each) for each in unpacked.logs) - taken, 0)
        known = refused["replayed"] - known
        old = self.reading
        self.reading = structs.replace(
            old,
            entries_new=old.entries_new + new,
            entries_known=old.entries_known + known,
            entries_refused=old.entries_refused + len(unpacked.entries) - new - known,
            records_new=old.records_new + len(machine.book.by_id) - records,
        )
        await asyncio.sleep(0)

    async def finish(self, reader: CourierReader) -> None:
        """Wait until all of it is on disk.

        Raises:
            RefusedError: no block could be opened.
        """
        self._driver.refused.update(reader.damage)
        damaged = reader.damage.total() + self._bad_frames
        if not self._opened:
            keyless = reader.damage.keys() == {"unknown_transit_key"}
            reason = "unknown_transit_key" if keyless else "bad_seal" if damaged else "empty"
            raise refusal(reason)
        for _ in range(FRAMES_UNDER_WAY):
            await self._room.acquire()
        await self._driver.flush()
        whole = reader.whole and not self._bad_frames
        self.reading = structs.replace(self.reading, state="done", whole=whole, damaged_n=damaged)
