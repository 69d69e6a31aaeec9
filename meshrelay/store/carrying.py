"""Reading log.db for a courier file: all of it at one moment, beside the node that writes."""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.entry import LogId
from meshrelay.core.gaps import Gaps, unpack
from meshrelay.core.vector import Line
from meshrelay.store.reader import LogReader
from meshrelay.store.seen import Mark


class Snapshot(NamedTuple):
    """What is committed, entries aside.

    `lines` and `records` (id, lane, change) with their change numbers, records in the order in
    which they were taken; `incarnations` with the change at which each began; `newest_ms`: when
    the newest entry came, by the clock of `mark`; `vouched`: see LogStore.is_vouched.
    """

    lines: list[tuple[Line, int]]
    gaps: dict[LogId, Gaps]
    records: list[tuple[bytes, int | None, int]]
    change: int
    haves: list[bytes]
    incarnations: list[tuple[bytes, int]]
    mark: Mark | None
    newest_ms: int
    vouched: str


class CarryReader(LogReader):
    """A reader that can tell the whole state of a store; the node may be running or stopped."""

    def snapshot(self) -> Snapshot:
        """One moment of the store. Short: a long read would keep the WAL from being cut."""
        run = self._run
        with self._connection:
            rows = list(
                run("SELECT origin, incarnation, lane, height, head, change, gaps FROM logs")
            )
            lines = [(Line(LogId(*row[:3]), row[3], row[4]), row[5]) for row in rows]
            gaps = {LogId(*row[:3]): unpack(row[6]) for row in rows if row[6] is not None}
            records = list(run("SELECT id, lane, change FROM records ORDER BY number"))
            meta = dict(run("SELECT key, value FROM meta"))
            newest = run("SELECT seen_ms FROM entries ORDER BY id DESC LIMIT 1").fetchone()
            haves = [row[0] for row in run("SELECT raw FROM haves ORDER BY number")]
            began = list(run("SELECT incarnation, began FROM incarnations ORDER BY number"))
        changes = [change for *_, change in (*lines, *records)]
        return Snapshot(
            lines,
            gaps,
            records,
            max([*changes, int(meta.get("change", 0))], default=0),
            haves,
            began,
            Mark.unpack(meta["seen"]) if "seen" in meta else None,
            newest[0] if newest else 0,
            meta.get("vouched", ""),
        )

    def record(self, record_id: bytes) -> bytes | None:
        """A record's bytes."""
        row = self._run("SELECT raw FROM records WHERE id=?", (record_id,)).fetchone()
        return row[0] if row else None
