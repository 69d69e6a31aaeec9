"""A disk in memory: what survives a crash, in the order in which it was written.

It counts its own change numbers and takes logs back to their ends as log.db does, so that
the world can compare them with the machine's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from meshrelay.core.entry import Entry, LogId
from meshrelay.core.events import Commit, HeldEntry, Taken
from meshrelay.core.gaps import Gaps
from meshrelay.core.gaps import cut as cut_gaps
from meshrelay.core.vector import Cursor, Line
from meshrelay.core.verdict import REFUSED, Verdict
from meshrelay.store.seen import Mark

NOBODYS = Verdict(REFUSED, "ended")


@dataclass(slots=True)
class Row:
    """One stored entry, what it may do, and its known age when it came."""

    entry: Entry
    state: int
    reason: str
    missing: bytes | None
    age: int
    seen_ms: int

    def judged(self, verdict: Verdict) -> None:
        self.state, self.reason, self.missing = verdict[:3]


@dataclass
class Disk:
    """Rows by place, loose rows above ends, records, change numbers, and what is kept beside."""

    logs: dict[LogId, dict[int, Row]] = field(default_factory=dict)
    lines: dict[LogId, Line] = field(default_factory=dict)
    gaps: dict[LogId, Gaps] = field(default_factory=dict)
    loose: dict[bytes, Row] = field(default_factory=dict)  # above an end, by entry id
    waiting: dict[bytes, list[Entry]] = field(default_factory=dict)  # by the record they miss
    records: list[bytes] = field(default_factory=list)
    numbers: dict[LogId | bytes, int] = field(default_factory=dict)
    lanes: dict[bytes, int] = field(default_factory=dict)  # record id -> lane
    haves: list[bytes] = field(default_factory=list)
    cursors: dict[bytes, Cursor] = field(default_factory=dict)
    incarnations: list[tuple[bytes, int]] = field(default_factory=list)  # and where each began
    change: int = 0
    mark: Mark | None = None
    newest_ms: int = 0  # of seen time: when the newest entry came

    def copy(self) -> Disk:
        """An image of this disk, as of now."""
        return Disk(
            {log: {s: replace(row) for s, row in rows.items()} for log, rows in self.logs.items()},
            dict(self.lines),
            dict(self.gaps),
            {entry_id: replace(row) for entry_id, row in self.loose.items()},
            {record: list(entries) for record, entries in self.waiting.items()},
            list(self.records), dict(self.numbers), dict(self.lanes), list(self.haves),
            dict(self.cursors), list(self.incarnations), self.change, self.mark, self.newest_ms,
        )  # fmt: skip

    # Writing

    def write(self, commit: Commit, seen_ms: int) -> None:
        """One ticket, with the change numbers that a store gives it."""
        for log in dict.fromkeys(taken.entry.log for taken in commit.entries):
            self._count(log)
        for taken in commit.entries:
            entry = taken.entry
            self.logs.setdefault(entry.log, {})[entry.seq] = self._row(taken, seen_ms)
            self.lines[entry.log] = Line(entry.log, entry.seq, entry.id)
        fates = {taken.entry.id: taken.verdict for taken in commit.orphans}
        for cut in commit.cuts:
            self._cut(cut, fates)
        for taken in commit.filled:
            self.logs[taken.entry.log][taken.entry.seq] = self._row(taken, seen_ms)
        for holes in commit.holes:
            self._count(holes.log)
            self.gaps[holes.log] = holes.gaps
            rows = self.logs[holes.log]
            for seq in range(holes.low + 1, holes.high + 1):
                rows.pop(seq, None)
        for taken in commit.orphans:
            if self.find(taken.entry) is None:
                self.loose[taken.entry.id] = self._row(taken, seen_ms)
        for record in commit.records:
            self.records.append(record.raw)
            if record.lane is not None:
                self.lanes[record.id] = record.lane
                self._count(record.id)

    def _count(self, key: LogId | bytes) -> None:
        self.change += 1
        self.numbers[key] = self.change

    def _row(self, taken: Taken, seen_ms: int) -> Row:
        verdict = taken.verdict
        self.newest_ms = max(self.newest_ms, seen_ms)
        if verdict.missing is not None:
            self.waiting.setdefault(verdict.missing, []).append(taken.entry)
        return Row(taken.entry, *verdict[:3], taken.age, seen_ms)

    def _cut(self, cut: Line, fates: dict[bytes, Verdict]) -> None:
        self._count(cut.log)
        rows = self.logs.get(cut.log, {})
        self.gaps[cut.log] = cut_gaps(self.gaps.get(cut.log, ()), cut.height, cut.head)
        for seq in [seq for seq in rows if seq > cut.height]:
            row = rows.pop(seq)
            row.judged(fates.get(row.entry.id, NOBODYS))
            self.loose.setdefault(row.entry.id, row)
        if cut.height:
            self.lines[cut.log] = Line(cut.log, cut.height, cut.head)
        else:
            tables: tuple[dict[LogId, Any], ...] = (self.lines, self.logs, self.gaps)
            for table in tables:
                table.pop(cut.log, None)
            self.numbers.pop(cut.log, None)

    def judged(self, entry: Entry, verdict: Verdict) -> None:
        """A verdict changed."""
        row = self.find(entry)
        if row is not None:
            row.judged(verdict)
            if verdict.missing is not None:
                self.waiting.setdefault(verdict.missing, []).append(entry)

    # Reading

    def find(self, entry: Entry) -> Row | None:
        """The row of this entry, in its log or above its end."""
        row = self.logs.get(entry.log, {}).get(entry.seq)
        return row if row is not None and row.entry.id == entry.id else self.loose.get(entry.id)

    def rows(self) -> list[Row]:
        """Everything, loose rows last."""
        return [row for rows in self.logs.values() for row in rows.values()] + list(
            self.loose.values()
        )

    def ids(self) -> set[bytes]:
        """Entry ids of all that is held."""
        return {row.entry.id for row in self.rows()}

    def heights(self) -> dict[LogId, int]:
        """log -> height."""
        return {log: line.height for log, line in self.lines.items()}

    def at(self, log: LogId, seq: int) -> bytes | None:
        """Entry id at a place, if it is held."""
        row = self.logs.get(log, {}).get(seq)
        return row.entry.id if row else None

    def read(self, log: LogId, first: int, bytes_max: int) -> list[HeldEntry]:
        """From `first` on: at least one if held, else at most `bytes_max` bytes."""
        rows = self.logs.get(log, {})
        found: list[HeldEntry] = []
        size = 0
        while (row := rows.get(first + len(found))) is not None:
            size += len(row.entry.raw)
            if found and size > bytes_max:
                break
            found.append(HeldEntry(row.entry.raw, row.age, row.seen_ms))
        return found

    def below(self, log: LogId, low: int, high: int, bytes_max: int) -> list[HeldEntry]:
        """The last entries above `low` up to `high`; none if `high` is not held."""
        rows = self.logs.get(log, {})
        found: list[HeldEntry] = []
        size = 0
        while high > low and (row := rows.get(high)) is not None:
            size += len(row.entry.raw)
            if found and size > bytes_max:
                break
            found.append(HeldEntry(row.entry.raw, row.age, row.seen_ms))
            high -= 1
        return found[::-1]

    def above(self, log: LogId, height: int) -> list[bytes]:
        """Every entry of the log above `height`, in order."""
        rows = self.logs.get(log, {})
        return [rows[seq].entry.raw for seq in sorted(rows) if seq > height]
