"""What a store holds, as lines and record ids, in order of change.

A *line* is (log, height, head); the set of lines is a summary vector (Vahdat &
Becker 2000). The change number counts changes of lines and records, so that a peer
that says how far it knows us can be told just what came after.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.codec import encode
from meshrelay.core.entry import LogId
from meshrelay.core.signing import hash32

DIGEST_BYTES = 16


class Line(NamedTuple):
    """The highest entry of a log held without a gap, and its id."""

    log: LogId
    height: int
    head: bytes


class Cursor(NamedTuple):
    """How far we know a peer's store: (incarnation of the store, change number)."""

    incarnation: bytes
    change: int


NO_CURSOR = Cursor(bytes(8), 0)


class Vector:
    """The committed state of one store. Only what is on disk may be noted here."""

    def __init__(self) -> None:
        self.change = 0
        self.lines: dict[LogId, Line] = {}
        self.records: dict[bytes, int] = {}  # record id -> lane
        self._changed: dict[LogId | bytes, int] = {}  # insertion order = order of change
        self._digest: bytes | None = None

    def advance(self, log: LogId, height: int, head: bytes) -> None:
        """Note that entries up to `height` are on disk.

        Call it after the commit, never before: a node that advertises what it has
        not stored will, after a power cut, sign a second entry with the same number.
        """
        self.lines[log] = Line(log, height, head)
        self._note(log)

    def add_record(self, record_id: bytes, lane: int) -> None:
        """Note that a record is on disk. Sessions are in no digest and never come here."""
        self.records[record_id] = lane
        self._note(record_id)

    def _note(self, key: LogId | bytes) -> None:
        self.change += 1
        self._changed.pop(key, None)
        self._changed[key] = self.change
        self._digest = None

    def height(self, log: LogId) -> int:
        """Held height of a log, 0 when it is unknown."""
        line = self.lines.get(log)
        return line.height if line else 0

    def after(self, change: int) -> list[tuple[LogId | bytes, int]]:
        """(log or record id, change number) of all that changed after `change`, oldest first."""
        newest: list[tuple[LogId | bytes, int]] = []
        for key in reversed(self._changed):
            number = self._changed[key]
            if number <= change:
                break
            newest.append((key, number))
        newest.reverse()
        return newest

    def digest(self) -> bytes:
        """BLAKE2b-256 over sorted lines and record ids, cut to 16 bytes.

        Equal digests mean equal stores; how they came to be does not matter.
        """
        if self._digest is None:
            lines = sorted(
                encode([*line.log, line.height, line.head]) for line in self.lines.values()
            )
            self._digest = hash32(*lines, *sorted(self.records))[:DIGEST_BYTES]
        return self._digest
