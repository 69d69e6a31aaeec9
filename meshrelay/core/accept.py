"""Level A of acceptance: what a log takes. Nothing else may stop a log.

*Taken* is given to the writer, *held* is committed. Only held entries are ever
announced, sent or stated; a failed commit puts taken back.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import Draft, Entry, LogId, check_entry, make_entry, read_entry
from meshrelay.core.records import RecordBook
from meshrelay.core.signing import Signer
from meshrelay.core.vector import Vector

TAKEN, HELD, GAP, NO_CREDENTIAL, FORK, OWN_LOG = range(6)


class Outcome(NamedTuple):
    """What became of one received entry."""

    result: int
    entry: Entry


class Acceptor:
    """Heads of all logs, own and others': verifies, links, and numbers entries."""

    def __init__(
        self, signer: Signer, book: RecordBook, vector: Vector, clock: HybridClock
    ) -> None:
        self._signer = signer
        self._book = book
        self._vector = vector
        self._clock = clock
        self._taken: dict[LogId, tuple[int, bytes]] = {}
        self.forked: set[LogId] = set()

    def taken(self, log: LogId) -> int:
        """Height given to the writer, committed or not."""
        return self._head(log)[0]

    def _head(self, log: LogId) -> tuple[int, bytes]:
        taken = self._taken.get(log)
        if taken is not None:
            return taken
        line = self._vector.lines.get(log)
        return (line.height, line.head) if line else (0, log.first_prev)

    def receive(self, raw: bytes, own_incarnation: bytes, pt_ms: int) -> Outcome:
        """Judge one entry from a peer at level A.

        Raises:
            FrameError, SignatureError: malformed, oversize or badly signed: close the link.
        """
        entry = read_entry(raw)
        log = entry.log
        height, head = self._head(log)
        if entry.seq <= height:
            fork = entry.seq == height and entry.id != head
            return Outcome(self._fork(entry) if fork else HELD, entry)
        if log.origin not in self._book.nodes:
            return Outcome(NO_CREDENTIAL, entry)
        if not self.is_next(entry, height):
            check_entry(entry, self._book.network)
            return Outcome(GAP, entry)
        if entry.prev != head:
            return Outcome(self._fork(entry), entry)
        check_entry(entry, self._book.network)
        if log.origin == self._signer.public and log.incarnation == own_incarnation:
            return Outcome(OWN_LOG, entry)
        self._taken[log] = (entry.seq, entry.id)
        self._clock.observe(entry.hlc, pt_ms)
        return Outcome(TAKEN, entry)

    def is_next(self, entry: Entry, height: int) -> bool:
        """Logs are contiguous: only the next number is taken."""
        return entry.seq == height + 1

    def _fork(self, entry: Entry) -> int:
        check_entry(entry, self._book.network)  # an unsigned rumour is no fork
        self.forked.add(entry.log)
        return FORK

    def append(self, draft: Draft, incarnation: bytes, pt_ms: int, quality: int) -> Entry:
        """Number, stamp and sign an entry of our own."""
        log = LogId(self._signer.public, incarnation, draft.lane)
        height, head = self._head(log)
        hlc = self._clock.stamp(pt_ms)
        entry = make_entry(
            self._signer, self._book.network, log, height + 1, head, hlc, quality, draft
        )
        self._taken[log] = (entry.seq, entry.id)
        return entry

    def committed(self, entries: list[Entry]) -> dict[LogId, bool]:
        """Move *held* up to these entries; returns log -> whether the log is new here."""
        last: dict[LogId, Entry] = {entry.log: entry for entry in entries}
        moved = {}
        for log, entry in last.items():
            moved[log] = log not in self._vector.lines
            self._vector.advance(log, entry.seq, entry.id)
            if self._taken.get(log) == (entry.seq, entry.id):
                del self._taken[log]
        return moved

    def put_back(self) -> None:
        """A commit failed: nothing taken since is on disk."""
        self._taken.clear()
