"""log.db: entries, records and all that a rebuild of the views cannot give back.

One connection writes (the writer's thread); readers have their own, read-only
(`reader.py`). The change numbers that lines and records get here are the same that the
sync machine gives them after `Committed`: both count logs in order of first occurrence in
a commit, then cuts, then records with a lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import apsw

from meshrelay.core.entry import Entry, LogId, read_entry
from meshrelay.core.events import DAMAGED, Commit, Holes, Taken
from meshrelay.core.gaps import Gaps, pack, unpack
from meshrelay.core.gaps import cut as cut_gaps
from meshrelay.core.retention import Stock
from meshrelay.core.vector import Cursor, Line
from meshrelay.core.verdict import REFUSED
from meshrelay.store.places import PLACE_EVERY, SEQ_MAX, place, placed
from meshrelay.store.seen import Mark
from meshrelay.store.sqlite import connect, ensure_schema, transaction
from meshrelay.store.sums import sum_of

VERSION = 3
# Why an entry without an author, above an end, acts no more; one with an author says which end.
ENDED = "ended"
NOBODYS = (REFUSED, ENDED, None)
HAVES_PER_SIGNER_MAX = 64
# Arrivals looked at in one write: some milliseconds on a Pi.
ARRIVALS_PIECE = 2_000
ADDRESSES_MAX = 64


class Loaded(NamedTuple):
    """What a start needs besides records; entries are not read."""

    lines: list[tuple[Line, int]]
    gaps: dict[LogId, Gaps]
    stock: Stock
    head_hlc: dict[LogId, int]
    incarnations: list[tuple[bytes, int]]  # and the change number at which each began
    haves: list[bytes]
    cursors: dict[bytes, Cursor]
    change: int
    mark: Mark | None
    seen_ms: int  # when the newest entry came, by the mark's clock
    is_salvaged: bool  # no incarnation may be continued


def _schema() -> str:
    return resources.files("meshrelay.store").joinpath("schema.sql").read_text("utf-8")


def schema_of() -> dict[str, str]:
    """Table or index -> how a sound store has it written down."""
    memory = apsw.Connection(":memory:")
    memory.execute(_schema())
    rows = memory.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    found = {str(name): str(sql) for name, sql in rows}
    memory.close()
    return found


class LogStore:
    """The writing side; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path, durable=True)
        ensure_schema(self.connection, path, _schema(), VERSION)
        self._logs: dict[LogId, int] = {}
        self._change = 0
        self._record_number = 0
        self._entry = 0
        self._arrival = 0
        self._placed = 0

    def load(self) -> Loaded:
        """Read the table of lines and what else survives a restart."""
        run = self.connection.execute
        lines, head_hlc, gaps, stock = [], {}, {}, Stock()
        for number, *log_fields, height, head, change, hlc, size, packed in run(
            "SELECT id, origin, incarnation, lane, height, head, change, hlc, bytes, gaps FROM logs"
        ):
            log = LogId(*log_fields)
            self._logs[log] = number
            stock.add(log, size, True)
            if packed is not None:
                gaps[log] = unpack(packed)
            head_hlc[log] = hlc
            lines.append((Line(log, height, head), change))
        self._record_number, newest = run("SELECT count(*), max(change) FROM records").get
        self._entry, self._arrival = self._numbers()
        self._placed = placed(self.connection)
        changes = [change for _, change in lines] + [newest or 0]
        removed = run("SELECT value FROM meta WHERE key='change'").fetchone()
        self._change = max([*changes, *(removed or ())], default=0)
        mark = run("SELECT value FROM meta WHERE key='seen'").fetchone()
        seen = run("SELECT seen_ms FROM entries ORDER BY id DESC LIMIT 1").fetchone()
        return Loaded(
            lines,
            gaps,
            stock,
            head_hlc,
            list(run("SELECT incarnation, began FROM incarnations ORDER BY number")),
            [row[0] for row in run("SELECT raw FROM haves ORDER BY number")],
            {p: Cursor(i, c) for p, i, c in run("SELECT peer, incarnation, change FROM cursors")},
            self._change,
            Mark.unpack(mark[0]) if mark else None,
            seen[0] if seen else 0,
            self._is_salvaged(),
        )

    def _numbers(self) -> tuple[int, int]:
        """The highest numbers of entries and arrivals that were ever given."""
        run = self.connection.execute
        kept = run("SELECT value FROM meta WHERE key='numbers'").fetchone()
        entry, arrival = map(int, kept[0].split()) if kept else (0, 0)
        newest = run("SELECT coalesce(max(id), 0) FROM entries").get
        return max(newest, entry), max(
            run("SELECT coalesce(max(number), 0) FROM arrivals").get, arrival
        )

    def records(self) -> Iterator[bytes]:
        """Every record, in the order taken. One at a time: a city's roster is most of them."""
        run = self.connection.execute
        for (record_id,) in run("SELECT id FROM records ORDER BY number"):
            yield run("SELECT raw FROM records WHERE id=?", (record_id,)).get

    def record_changes(self) -> Iterator[tuple[bytes, int]]:
        """(id, change number) of every record that has a lane, in order of change."""
        yield from self.connection.execute(
            "SELECT id, change FROM records WHERE lane IS NOT NULL ORDER BY change"
        )

    def add_incarnation(self, incarnation: bytes) -> int:
        """Draw a new one before anything is written under it; returns where it began.

        A salvaged store begins at 0: its change numbers are others than peers' cursors know.
        """
        run = self.connection.execute
        with transaction(self.connection):
            began = 0 if self._is_salvaged() else self._change
            run("INSERT INTO incarnations (incarnation, began) VALUES (?,?)", (incarnation, began))
            run("DELETE FROM meta WHERE key='salvaged'")
        return began

    def mark_salvaged(self) -> None:
        """What this node wrote last may be missing: whatever its witness says, it must go on
        under a new incarnation, or it would sign a second entry with the same number."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('salvaged', 1)")

    def _is_salvaged(self) -> bool:
        found = self.connection.execute("SELECT 1 FROM meta WHERE key='salvaged'")
        return found.fetchone() is not None

    def count_start(self) -> int:
        """1 at the first start of this store, and one more at each."""
        run = self.connection.execute
        run("INSERT OR IGNORE INTO meta VALUES ('starts', 0)")
        run("UPDATE meta SET value = value + 1 WHERE key = 'starts'")
        return int(run("SELECT value FROM meta WHERE key = 'starts'").get)

    def is_vouched(self, boot: str, saved_ns: int) -> bool:
        """Whether somebody's word on the clock, saved at `saved_ns`, was given in this boot.

        The word of an earlier boot lapses: a power cut comes between. Saving it again renews it.
        """
        run = self.connection.execute
        kept = run("SELECT value FROM meta WHERE key='vouched'").fetchone()
        if kept is not None and kept[0].endswith(f" {saved_ns}"):
            return bool(kept[0] == f"{boot} {saved_ns}")
        run("INSERT OR REPLACE INTO meta VALUES ('vouched', ?)", (f"{boot} {saved_ns}",))
        return True

    def keep_swept(self, revocations: int) -> None:
        """Verdicts are right for so many revocations of people."""
        run = self.connection.execute
        run("INSERT OR REPLACE INTO meta VALUES ('swept', ?)", (revocations,))

    def keep_mark(self, mark: Mark) -> None:
        """Where the clock of seen time stands."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('seen', ?)", (mark.pack(),))

    def number(self, log: LogId) -> int:
        """The row of a log that is here."""
        return self._logs[log]

    @property
    def change(self) -> int:
        """The change number of what was written last."""
        return self._change

    def write(self, commit: Commit, at_ms: int, seen_ms: int) -> int:
        """Everything of one ticket, inside the writer's transaction.

        Returns the arrival number of the first of `commit.entries`; the others follow it.
        """
        first = self._arrival + 1
        self._advance(commit.entries)
        self._insert(commit.entries, at_ms, seen_ms)
        rare = commit.cuts or commit.orphans or commit.holes
        if rare or self._entry - self._placed >= PLACE_EVERY:
            self._place()
        if commit.cuts or commit.orphans:
            fates = {taken.entry.raw: taken for taken in commit.orphans}
            for cut in commit.cuts:
                self._cut(cut, fates, at_ms)
            for taken in commit.orphans:
                self._keep_orphan(taken, at_ms, seen_ms)
        if commit.holes:
            self._insert(commit.filled, at_ms, seen_ms)
            self._place()
            for holes in commit.holes:
                self._set_gaps(holes, sum(len(one.entry.raw) for one in commit.filled), at_ms)
        for record in commit.records:
            change = 0
            if record.lane is not None:
                self._change += 1
                change = self._change
            self._record_number += 1
            self.connection.execute(
                "INSERT OR REPLACE INTO records VALUES (?,?,?,?,?)",
                (record.id, record.lane, record.raw, change, self._record_number),
            )
        return first

    def _place(self) -> None:
        """Write the places of all entries: what looks below a height finds them complete."""
        place(self.connection, self._entry)
        self._placed = self._entry

    def _held(self, number: int | None, low: int, high: int) -> list[tuple[int, bytes]]:
        """(entry number, bytes) of entries above `low` up to `high`; their places are written."""
        query = (
            "SELECT e.id, e.raw FROM places p CROSS JOIN entries e ON e.id = p.entry "
            "WHERE p.log=? AND p.seq>? AND p.seq<=? ORDER BY p.seq"
        )
        return list(self.connection.execute(query, (number, low, high)))

    def _advance(self, entries: list[Taken]) -> None:
        run = self.connection.execute
        sizes: dict[LogId, int] = {}
        last: dict[LogId, Entry] = {}
        for entry, _, _ in entries:
            sizes[entry.log] = sizes.get(entry.log, 0) + len(entry.raw)
            last[entry.log] = entry
        for log, entry in last.items():
            self._change += 1
            row = (entry.seq, entry.id, self._change, entry.hlc, sizes[log])
            if log in self._logs:
                run(
                    "UPDATE logs SET height=?, head=?, change=?, hlc=?, bytes=bytes+? WHERE id=?",
                    (*row, self._logs[log]),
                )
            else:
                run(
                    "INSERT INTO logs (origin, incarnation, lane, height, head, change, hlc, bytes)"
                    " VALUES (?,?,?,?,?,?,?,?)",
                    (*log, *row),
                )
                self._logs[log] = self.connection.last_insert_rowid()

    def _set_gaps(self, change: Holes, filled: int, at_ms: int) -> None:
        """What a log lacks from now on; rows that go with it, go."""
        run = self.connection.execute
        self._change += 1
        number = self._logs.get(change.log)
        if change.why:
            rows = [(entry,) for entry, _ in self._held(number, change.low, change.high)]
            if change.why == DAMAGED:
                self.connection.executemany(
                    "INSERT INTO quarantine (log, seq, raw, at_ms) "
                    f"SELECT log, seq, raw, {at_ms:d} FROM entries WHERE id=?",
                    rows,
                )
            self.connection.executemany("DELETE FROM entries WHERE id=?", rows)
            self._displace(number, change.low, change.high)
            numbers = f"{self._entry} {self._arrival}"  # no number is given twice
            run("INSERT OR REPLACE INTO meta VALUES ('numbers', ?)", (numbers,))
            counted = change.high - change.low
            self.count(change.why, counted)
        run(
            "UPDATE logs SET gaps=?, change=?, bytes=bytes+? WHERE id=?",
            (pack(change.gaps), self._change, filled - change.size, number),
        )

    def _displace(self, number: int | None, low: int, high: int) -> None:
        self.connection.execute(
            "DELETE FROM places WHERE log=? AND seq>? AND seq<=?", (number, low, high)
        )

    def count(self, what: str, more: int) -> None:
        """Add to a counter that outlives every start: what was evicted, what was damaged."""
        run = self.connection.execute
        run("INSERT OR IGNORE INTO meta VALUES (?, 0)", (f"count {what}",))
        run("UPDATE meta SET value = value + ? WHERE key = ?", (more, f"count {what}"))

    def forget_arrivals(self, after: int) -> int | None:
        """Drop arrivals of entries that are gone, a piece at a time; where to go on."""
        run = self.connection.execute
        last = run(
            "SELECT max(number) FROM (SELECT number FROM arrivals WHERE number>? "
            "ORDER BY number LIMIT ?)",
            (after, ARRIVALS_PIECE),
        ).get
        if last is None:
            return None
        run(
            "DELETE FROM arrivals WHERE number>? AND number<=? AND entry NOT IN "
            "(SELECT id FROM entries)",
            (after, last),
        )
        return int(last)

    def limit(self, bytes_max: int) -> None:
        """The file grows no further than this (I7); what is there already stays."""
        size = self.connection.pragma("page_size")
        self.connection.pragma("max_page_count", max(bytes_max // size, 1))

    def _insert(self, entries: list[Taken], at_ms: int, seen_ms: int) -> None:
        if not entries:
            return
        first = self._entry + 1
        self._entry += len(entries)
        self.connection.executemany(
            "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                (number, self._logs.get(entry.log), entry.seq, entry.raw, verdict.state,
                 verdict.reason, verdict.missing, age, seen_ms,
                 sum_of(*verdict[:3], age, seen_ms))
                for number, (entry, verdict, age) in enumerate(entries, first)
            ],
        )  # fmt: skip
        self._arrive(range(first, self._entry + 1), at_ms)

    def _arrive(self, entries: Iterable[int], at_ms: int) -> None:
        rows = [
            (number, entry, at_ms, sum_of(number, entry, at_ms))
            for number, entry in enumerate(entries, self._arrival + 1)
        ]
        self._arrival += len(rows)
        self.connection.executemany("INSERT INTO arrivals VALUES (?,?,?,?)", rows)

    def _cut(self, cut: Line, fates: dict[bytes, Taken], at_ms: int) -> None:
        """Take a log back to a line; what stood above it arrives once more, as ended."""
        run = self.connection.execute
        self._change += 1
        number = self._logs.get(cut.log, -1)
        above = self._held(number, cut.height, SEQ_MAX)
        for entry, raw in above:
            fate = fates.get(raw)
            verdict = fate.verdict[:3] if fate else NOBODYS
            run("UPDATE entries SET log=NULL WHERE id=?", (entry,))
            self._set_verdict(entry, *verdict)
        self._displace(number, cut.height, SEQ_MAX)
        self._arrive([entry for entry, *_ in above], at_ms)
        size = sum(len(raw) for _, raw in above)
        kept = run("SELECT gaps FROM logs WHERE id=?", (number,)).fetchone()
        gaps = pack(cut_gaps(unpack(kept[0]), cut.height, cut.head)) if kept else None
        run(
            "UPDATE logs SET height=?, head=?, change=?, bytes=bytes-?, gaps=? WHERE id=?",
            (cut.height, cut.head, self._change, size, gaps, number),
        )
        for _, raw in self._held(number, cut.height - 1, cut.height):
            run("UPDATE logs SET hlc=? WHERE id=?", (read_entry(raw).hlc, number))
        if not cut.height:  # no row is left that would tell the change number
            run("DELETE FROM logs WHERE id=?", (number,))
            run("INSERT OR REPLACE INTO meta VALUES ('change', ?)", (self._change,))
            self._logs.pop(cut.log, None)

    def _keep_orphan(self, taken: Taken, at_ms: int, seen_ms: int) -> None:
        """Store what is not here: neither taken out by an end, nor in its log until the cut."""
        entry, verdict, age = taken
        if self._orphaned(entry.seq, entry.raw) is None and not self._is_in_log(entry):
            self._entry += 1
            self.connection.execute(
                "INSERT INTO entries VALUES (?,NULL,?,?,?,?,?,?,?,?)",
                (
                    self._entry,
                    entry.seq,
                    entry.raw,
                    *verdict[:3],
                    age,
                    seen_ms,
                    sum_of(*verdict[:3], age, seen_ms),
                ),
            )
            self._arrive([self._entry], at_ms)

    def _is_in_log(self, entry: Entry) -> bool:
        held = self._held(self._logs.get(entry.log), entry.seq - 1, entry.seq)
        return [raw for _, raw in held] == [entry.raw]

    def _orphaned(self, seq: int, raw: bytes) -> tuple[int, str, bytes | None] | None:
        """The verdict on an entry that is kept outside every log, None if it is not."""
        row: tuple[int, str, bytes | None] | None = self.connection.execute(
            "SELECT state, reason, missing FROM entries WHERE log IS NULL AND seq=? AND raw=?",
            (seq, raw),
        ).fetchone()
        return row

    def rejudged(
        self, entry: int, state: int, reason: str, missing: bytes | None, at_ms: int
    ) -> None:
        """A verdict changed: the entry arrives once more for the folds."""
        self._set_verdict(entry, state, reason, missing)
        self._arrive([entry], at_ms)

    def _set_verdict(self, entry: int, state: int, reason: str, missing: bytes | None) -> None:
        run = self.connection.execute
        for age, seen_ms in run("SELECT age, seen_ms FROM entries WHERE id=?", (entry,)).fetchall():
            run(
                "UPDATE entries SET state=?, reason=?, missing=?, sum=? WHERE id=?",
                (state, reason, missing, sum_of(state, reason, missing, age, seen_ms), entry),
            )

    def keep_answer(self, author: str, message_id: bytes, content: bytes, answer: bytes) -> None:
        """What a message id was answered, with what it stood for."""
        self.connection.execute(
            "INSERT INTO answers VALUES (?,?,?,?,?)",
            (author, message_id, content, answer, sum_of(author, message_id, content, answer)),
        )

    def keep_have(self, signer: bytes, raw: bytes) -> None:
        """A HAVE to start with next time."""
        run = self.connection.execute
        run("INSERT INTO haves (signer, raw) VALUES (?,?)", (signer, raw))
        run(
            "DELETE FROM haves WHERE signer=? AND number NOT IN "
            "(SELECT number FROM haves WHERE signer=? ORDER BY number DESC LIMIT ?)",
            (signer, signer, HAVES_PER_SIGNER_MAX),
        )

    def keep_cursor(self, peer: bytes, cursor: Cursor) -> None:
        """How far we know a peer's store."""
        self.connection.execute("INSERT OR REPLACE INTO cursors VALUES (?,?,?)", (peer, *cursor))

    def keep_address(self, host: str, port: int, peer: bytes) -> None:
        """Where a peer was reached last."""
        run = self.connection.execute
        run(
            "INSERT OR REPLACE INTO addresses VALUES (?,?,?,"
            "(SELECT 1 + coalesce(max(number), 0) FROM addresses))",
            (host, port, peer),
        )
        run(
            "DELETE FROM addresses WHERE number <= (SELECT max(number) FROM addresses) - ?",
            (ADDRESSES_MAX,),
        )
