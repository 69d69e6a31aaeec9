"""Records that somebody brings to a running node: `records import` adds them to its enrolment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from meshrelay.core.book import RecordBook
from meshrelay.core.records import Record
from meshrelay.errors import ConfigError, RemoteProtocolError
from meshrelay.node.driver import Driver
from meshrelay.node.identity import load_keys

log = logging.getLogger("meshrelay.node")

LOOK_S = 2.0
# Verifying as many takes the event loop about 10 ms here.
PIECE = 200


class Enrolling:
    """Looks at `enrolment.cbor` and takes in what is new there."""

    def __init__(self, directory: Path, driver: Driver) -> None:
        self._directory = directory
        self._driver = driver
        self._seen = self._look()

    def _look(self) -> tuple[int, int]:
        try:
            found = (self._directory / "enrolment.cbor").stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_size

    async def run(self) -> None:
        """Look until cancelled; a file that cannot be used is told in the log, once."""
        while True:
            await asyncio.sleep(LOOK_S)
            seen = self._look()
            if seen == self._seen:
                continue
            self._seen = seen
            try:
                await self._take()
            except (ConfigError, RemoteProtocolError) as error:
                log.error("enrolment.cbor is not taken in error=%s", error)

    async def _take(self) -> None:
        loop, book = asyncio.get_running_loop(), self._driver.machine.book
        keys = await loop.run_in_executor(None, load_keys, self._directory)
        new = [record for record in keys.records() if record.id not in book]
        parents = {each for record in new for each in book.parents_of(record)}
        held = [book.by_id[each] for each in book.chain_of(parents)]
        await loop.run_in_executor(None, _verify, book.network, held, new)
        for start in range(0, len(new), PIECE):
            await self._driver.submit([], new[start : start + PIECE])
            await asyncio.sleep(0)
        log.info("records taken in count=%d", len(new))


def _verify(network: bytes, held: Sequence[Record], new: Sequence[Record]) -> None:
    """Raises RemoteProtocolError if one does not verify: then none is taken."""
    book = RecordBook(network)
    for record in (*held, *new):
        book.add(record)
