"""Records that somebody brings to a running node: `records import` adds them to its enrolment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from meshrelay.core.book import RecordBook
from meshrelay.core.records import Record
from meshrelay.errors import ConfigError, RemoteProtocolError
from meshrelay.node.driver import Driver
from meshrelay.node.identity import Keys, load_keys

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
                await self.take()
            except (ConfigError, RemoteProtocolError) as error:
                log.error("enrolment.cbor is not taken in error=%s", error)

    async def take(self) -> None:
        """Submit what is new: all of it, or nothing if one record does not verify.

        Read once for each step, for it may be a city's roster: as objects more than the node.

        Raises:
            ConfigError: the file is damaged, or a record in it does not verify.
        """
        loop, book, seen = asyncio.get_running_loop(), self._driver.machine.book, self._look()
        keys = await loop.run_in_executor(None, load_keys, self._directory)
        known = frozenset(book.by_id)
        count, parents = await loop.run_in_executor(None, _count, keys, known)
        if not count:
            return
        held = [book.by_id[each] for each in book.chain_of(parents)]
        try:
            await loop.run_in_executor(None, _verify, keys, held, known)
        except RemoteProtocolError as error:
            raise ConfigError(f"{keys.enrolment}: {error}") from error
        if self._look() != seen:  # another file than was verified; its turn comes
            return
        new = _new(keys, known)
        while piece := list(islice(new, PIECE)):
            await self._driver.submit([], piece)
            await asyncio.sleep(0)
        log.info("records taken in count=%d", count)


def _new(keys: Keys, known: frozenset[bytes]) -> Iterator[Record]:
    return (record for record in keys.records() if record.id not in known)


def _count(keys: Keys, known: frozenset[bytes]) -> tuple[int, set[bytes]]:
    """How many are new, and what they hang from."""
    count, parents = 0, set[bytes]()
    for record in _new(keys, known):
        count += 1
        parents.update(RecordBook.parents_of(record))
    return count, parents


def _verify(keys: Keys, held: Iterable[Record], known: frozenset[bytes]) -> None:
    book = RecordBook(keys.network)
    for record in chain(held, _new(keys, known)):
        book.add(record)
