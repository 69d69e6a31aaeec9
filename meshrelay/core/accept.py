"""Level A of acceptance: what a log takes. Nothing else may stop a log.

*Taken* is given to the writer, *held* is committed. Only held entries are ever
announced, sent or stated; a failed commit puts taken back.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.book import RecordBook
from meshrelay.core.clock import AHEAD_MS_MAX, UNKNOWN, HybridClock, ms_of
from meshrelay.core.entry import Draft, Entry, LogId, check_entry, make_entry, read_entry
from meshrelay.core.frames import Entries, decode_frame, may_be_entries
from meshrelay.core.signing import Signer
from meshrelay.core.vector import Line, Vector
from meshrelay.core.verdict import Authorship, authorship
from meshrelay.errors import RemoteProtocolError

TAKEN, HELD, GAP, NO_CREDENTIAL, FORK, OWN_LOG, ENDED, JUMPED = range(8)


class Checked(NamedTuple):
    """One received entry whose own signature is good."""

    entry: Entry
    author: Authorship | None
    age: int


class Prepared(NamedTuple):
    """A batch with every signature verified, up to the first bad entry.

    `error`: what that entry, or the frame, is: for the machine to raise.
    """

    network: bytes
    checked: list[Checked]
    error: RemoteProtocolError | None


def prepare(data: bytes, network: bytes, book: RecordBook) -> Prepared | None:
    """Do what costs time for an ENTRIES frame; None for any other frame.

    Pure, and safe on any thread while the machine works: it only looks sessions up in
    `book`, and what it does not find there is looked up again by the judge.
    """
    if not may_be_entries(data):
        return None
    try:
        frame = decode_frame(data)
    except RemoteProtocolError as error:
        return Prepared(network, [], error)
    return check_all(frame, network, book) if isinstance(frame, Entries) else None


def check_all(frame: Entries, network: bytes, book: RecordBook) -> Prepared:
    """Verify every entry of a batch: its own signature, and the author's where it can."""
    checked: list[Checked] = []
    try:
        for raw, entry_id, age in zip(frame.raws, frame.ids, frame.ages, strict=True):
            entry = read_entry(raw, entry_id)
            check_entry(entry, network)
            checked.append(Checked(entry, authorship(entry, book), age))
    except RemoteProtocolError as error:
        return Prepared(frame.network, checked, error)
    return Prepared(frame.network, checked, None)


class Acceptor:
    """Heads of all logs, own and others': links and numbers verified entries."""

    def __init__(
        self, signer: Signer, book: RecordBook, vector: Vector, clock: HybridClock
    ) -> None:
        self._signer = signer
        self._book = book
        self._vector = vector
        self._clock = clock
        self._taken: dict[LogId, tuple[int, bytes]] = {}
        self.jumps: dict[LogId, int] = {}  # log -> floor of everybody who has it

    def taken(self, log: LogId) -> int:
        """Height given to the writer, committed or not."""
        return self.head(log)[0]

    def head(self, log: LogId) -> tuple[int, bytes]:
        taken = self._taken.get(log)
        if taken is not None:
            return taken
        line = self._vector.lines.get(log)
        return (line.height, line.head) if line else (0, log.first_prev)

    def receive(self, entry: Entry, own_incarnation: bytes, pt_ms: int) -> int:
        """Judge one entry from a peer at level A; its own signature is verified."""
        log = entry.log
        if log.origin not in self._book.nodes:
            return NO_CREDENTIAL
        if self._book.is_above_end(entry):
            return ENDED
        height, head = self.head(log)
        if entry.seq <= height:
            return FORK if entry.seq == height and entry.id != head else HELD
        jumps = self.jumps.get(log, 0) == entry.seq - 1 > height
        if not self.is_next(entry, height) and not jumps:
            return GAP
        if entry.prev != head and not jumps:
            return FORK
        if log.origin == self._signer.public and log.incarnation == own_incarnation:
            return OWN_LOG
        self._taken[log] = (entry.seq, entry.id)
        self._clock.observe(entry.hlc, pt_ms)
        return JUMPED if jumps else TAKEN

    def is_next(self, entry: Entry, height: int) -> bool:
        """Logs are contiguous: only the next number is taken."""
        return entry.seq == height + 1

    def append(self, draft: Draft, incarnation: bytes, pt_ms: int, quality: int) -> Entry:
        """Number, stamp and sign an entry of our own."""
        log = LogId(self._signer.public, incarnation, draft.lane)
        height, head = self.head(log)
        hlc = self._clock.stamp(pt_ms)
        if ms_of(hlc) > pt_ms + AHEAD_MS_MAX:  # stamps only grow: this one is a worse clock's
            quality = UNKNOWN
        entry = make_entry(
            self._signer, self._book.network, log, height + 1, head, hlc, quality, draft
        )
        self._taken[log] = (entry.seq, entry.id)
        return entry

    def committed(self, entries: list[Entry]) -> dict[LogId, tuple[bool, int]]:
        """Move *held* up to these entries; returns log -> (new here, first seq of them)."""
        first: dict[LogId, int] = {}
        last: dict[LogId, Entry] = {}
        for entry in entries:
            first.setdefault(entry.log, entry.seq)
            last[entry.log] = entry
        moved = {}
        for log, entry in last.items():
            moved[log] = (log not in self._vector.lines, first[log])
            self._vector.advance(log, entry.seq, entry.id)
            if self._taken.get(log) == (entry.seq, entry.id):
                del self._taken[log]
        return moved

    def cut(self, line: Line, height: int) -> None:
        """An end is known; the log, held up to `height`, goes back to `line`."""
        if height > line.height:
            self._taken[line.log] = (line.height, line.head)

    def cut_committed(self, line: Line) -> None:
        """The disk holds nothing of the log above `line` any more."""
        self._vector.cut(line)
        self._taken.pop(line.log, None)

    def put_back(self) -> None:
        """A commit failed: nothing taken since is on disk."""
        self._taken.clear()
