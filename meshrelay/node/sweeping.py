"""After somebody's credential was revoked: what they said above its lines is judged anew.

It may be long ago and much, so it is done in pieces beside everything else. How many
revocations are done is stored behind the last verdict: a start goes on where a kill came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set

from meshrelay.core.entry import LogId, read_author_part, read_entry
from meshrelay.core.records import STAFF_REVOKED, Session
from meshrelay.core.sync import Machine
from meshrelay.core.verdict import Verdict
from meshrelay.errors import FrameError
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader

# One piece takes about 20 ms here: most entries are somebody else's.
PIECE = 200


class Sweeping:
    """Puts verdicts of revoked people's stored entries right."""

    def __init__(
        self,
        machine: Machine,
        reader: LogReader,
        put: Callable[[int, Verdict], None],
        write: Callable[[Callable[[LogStore], None]], None],
    ) -> None:
        self._machine = machine
        self._reader = reader
        self._put = put
        self._write = write
        self._woken = asyncio.Event()
        self._done: set[bytes] = set()
        if reader.swept() == self._revocations():
            self._done.update(machine.book.struck)
        else:
            self._woken.set()

    def _revocations(self) -> int:
        return sum(len(each) for each in self._machine.book.struck.values())

    def wake(self) -> None:
        """A revocation has been committed."""
        self._woken.set()

    async def run(self) -> None:
        """Sweep whenever there is something new, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            count = self._revocations()
            staff = self._machine.book.struck.keys() - self._done
            origins = self._origins_of(staff)
            for log in list(self._machine.vector.lines):
                if log.origin in origins:
                    await self._sweep(log, origins[log.origin])
            self._done |= staff
            self._write(lambda store, count=count: store.keep_swept(count))  # type: ignore[misc]

    def _origins_of(self, staff: Set[bytes]) -> dict[bytes, set[bytes]]:
        """Nodes at which these people logged in: node key -> who."""
        origins: dict[bytes, set[bytes]] = {}
        for record in self._machine.book:
            content = record.content
            if isinstance(content, Session) and content.staff in staff:
                origins.setdefault(content.origin, set()).add(content.staff)
        return origins

    async def _sweep(self, log: LogId, staff: set[bytes]) -> None:
        book = self._machine.book
        at = min(book.staff_end(each, log) or 0 for each in staff)
        while piece := self._reader.piece_above(log, at, PIECE):
            for number, raw in piece:
                entry = read_entry(raw)
                at = entry.seq
                if entry.author and self._author_of(entry.author) in staff:
                    verdict = self._machine.judge(entry)
                    if verdict.reason == STAFF_REVOKED:
                        self._put(number, verdict)
            await asyncio.sleep(0)

    def _author_of(self, author: bytes) -> bytes | None:
        try:
            session = self._machine.book.session(read_author_part(author).session)
        except FrameError:
            return None
        return session.staff if session is not None else None
