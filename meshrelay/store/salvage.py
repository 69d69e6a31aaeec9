"""What a damaged log.db still gives, in a new file.

Rows are read one by one around the damaged pages; only entries whose signature verifies and
records that are what their id says are taken over. What is missing becomes gaps, or lower
heights, and comes back from peers by ordinary sync. The damaged file is kept aside.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from meshrelay.core.clock import age_now
from meshrelay.core.entry import Entry, LogId, check_entry, read_entry
from meshrelay.core.events import Commit, Holes, Taken
from meshrelay.core.gaps import Gap, opened, unpack
from meshrelay.core.records import Record, read_record
from meshrelay.core.verdict import Verdict
from meshrelay.errors import RemoteProtocolError
from meshrelay.store.log import LogStore, schema_of
from meshrelay.store.seen import Mark
from meshrelay.store.sqlite import PAGE_BYTES, transaction

ASIDE = ".damaged"
# Rows read at once while nothing is wrong.
PIECE = 512
# No store numbers more entries.
NUMBER_MAX = 1 << 40
# Reads that fail before what is left is given up: peers have it, and people wait.
TRIES_MAX = 3_000
# The first bytes of every file of ours: SQLite's magic, our page size, WAL, fixed fractions.
_HEAD = b"SQLite format 3\0" + PAGE_BYTES.to_bytes(2, "big") + bytes([2, 2, 0, 64, 32, 32])


class Salvaged(NamedTuple):
    """How much was taken over."""

    entries: int
    records: int
    aside: Path


def salvage(path: Path, network: bytes) -> Salvaged:
    """Put a new log.db in the place of a damaged one.

    Raises:
        StoreError, OSError: the disk does not take the new file.
    """
    aside = path.with_name(path.name + ASIDE)
    fresh = path.with_name(path.name + ".new")
    for suffix in ("", "-wal", "-shm"):
        path.with_name(fresh.name + suffix).unlink(missing_ok=True)
        path.with_name(aside.name + suffix).unlink(missing_ok=True)
        if path.with_name(path.name + suffix).exists() and suffix != "-shm":
            _put_aside(path.with_name(path.name + suffix), aside.with_name(aside.name + suffix))
    _mend_head(aside)
    store = LogStore(fresh)
    store.load()
    store.mark_salvaged()
    try:
        with _damaged(aside) as old:
            counts = _Salvage(old, store, network).run() if old else (0, 0)
    finally:
        store.connection.close()
    for views in path.parent.glob("views.db*"):  # its places are those of the old file
        views.unlink()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(fresh, path)
    return Salvaged(*counts, aside)


def _put_aside(source: Path, target: Path) -> None:
    """A second name, so that a full card need not hold it twice."""
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _mend_head(path: Path) -> None:
    """A file of which only the first bytes are damaged can be read all the same."""
    with path.open("r+b") as file:
        file.write(_HEAD)
        for at, number in ((44, 4), (56, 1)):  # schema format, UTF-8
            file.seek(at)
            file.write(number.to_bytes(4, "big"))


@contextlib.contextmanager
def _damaged(path: Path) -> Iterator[apsw.Connection | None]:
    try:
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA writable_schema=ON")
        for name, sql in schema_of().items():
            connection.execute("UPDATE sqlite_schema SET sql=? WHERE name=?", (sql, name))
        connection.close()
        connection = apsw.Connection(str(path))
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.Error:  # not even its tables are known: everything comes from peers
        yield None
        return
    try:
        yield connection
    finally:
        connection.close()


class _Salvage:
    """One run: from an open damaged file into a new store."""

    def __init__(self, old: apsw.Connection, store: LogStore, network: bytes) -> None:
        self._run = old.execute
        self._store = store
        self._network = network
        self._seen_ms = 0
        self._tries_left = TRIES_MAX

    def run(self) -> tuple[int, int]:
        rows = self._fetch("SELECT value FROM meta WHERE key='seen'")
        with contextlib.suppress(ValueError, TypeError, AttributeError, IndexError):
            self._seen_ms = Mark.unpack(rows[0][0]).seen_ms if rows else 0
        records = [record for record in map(_sound_record, self._records()) if record]
        records.sort(key=lambda pair: pair[0])
        self._write(Commit(1, [], [record for _, record in records], None, None))
        places: dict[LogId, dict[int, int]] = {}
        for number, is_loose, entry, row in self._entries():
            if is_loose:
                orphan = Taken(entry, Verdict(row[0], row[1], row[2]), self._age(*row[3:]))
                self._write(Commit(1, [], [], None, None, orphans=[orphan]))
            else:
                places.setdefault(entry.log, {})[entry.seq] = number
        for log in sorted(places):
            self._put_log(log, places[log])
        self._put_rest()
        return sum(map(len, places.values())), len(records)

    def _write(self, commit: Commit) -> None:
        with transaction(self._store.connection):
            self._store.write(commit, 0, self._seen_ms)

    # Reading around the damage

    def _fetch(self, query: str, *values: Any) -> list[tuple[Any, ...]] | None:
        """Rows, None when one of them cannot be read."""
        if self._tries_left <= 0:
            return []
        try:
            return list(self._run(query, values))
        except (apsw.Error, UnicodeDecodeError):
            self._tries_left -= 1
            return None

    def _entries(self) -> Iterator[tuple[int, bool, Entry, tuple[Any, ...]]]:
        """(number, above an end, entry, (state, reason, missing, age)) of those that verify."""
        after, piece = 0, PIECE
        while (rows := self._after(after, piece)) is None or rows:
            if rows is None and piece > 1:
                piece //= 2
                continue
            if rows is None:
                rows = self._beyond(after)
                if not rows:
                    return
            piece = min(piece * 2, PIECE)
            for number, is_loose, raw, *row in rows:
                after = number
                entry = self._sound(raw)
                if entry is not None and _are_plain(row):
                    yield number, bool(is_loose), entry, tuple(row)

    def _after(self, number: int, limit: int) -> list[tuple[Any, ...]] | None:
        return self._fetch(
            "SELECT id, log IS NULL, raw, state, reason, missing, age, seen_ms FROM entries "
            "WHERE id>? ORDER BY id LIMIT ?", number, limit,
        )  # fmt: skip

    def _beyond(self, number: int) -> list[tuple[Any, ...]] | None:
        """The first entry that can be read behind a damaged page."""
        step = 1
        while step < NUMBER_MAX:
            rows = self._after(number + step, 1)
            if rows is not None:
                return rows
            step += 1 if step < PIECE else step
        return None

    def _sound(self, raw: Any) -> Entry | None:
        if not isinstance(raw, bytes):
            return None
        try:
            entry = read_entry(raw)
            check_entry(entry, self._network)
        except RemoteProtocolError:
            return None
        return entry

    def _records(self, prefix: bytes = b"") -> Iterator[tuple[Any, ...]]:
        """(number, id, bytes) of all that can be read, by ever longer starts of ids."""
        after = prefix + b"\xff" * (32 - len(prefix))
        rows = self._fetch(
            "SELECT number, id, raw FROM records WHERE id>=? AND id<=?", prefix, after
        )
        if rows is not None:
            yield from rows
        elif len(prefix) < 3:
            for byte in range(256):
                yield from self._records(prefix + bytes([byte]))

    # Writing what verifies

    def _put_log(self, log: LogId, numbers: dict[int, int]) -> None:
        """One log from its lowest entry to its highest, with gaps where entries are missing."""
        height, head = 0, log.first_prev
        gaps: tuple[Gap, ...] = ()
        taken: list[Taken] = []
        dropped = self._evicted(log)
        for seq in sorted(numbers):
            rows = self._fetch(
                "SELECT raw, state, reason, missing, age, seen_ms FROM entries WHERE id=?",
                numbers[seq],
            )
            if not rows:
                continue
            (row,) = rows
            entry = read_entry(row[0])
            if seq == height + 1 and entry.prev != head:
                continue
            if seq > height + 1:
                wanted = seq - 1 > dropped
                gaps = opened(gaps, Gap(height, head, seq - 1, entry.prev, wanted))
            verdict = Verdict(row[1], row[2], row[3])
            taken.append(Taken(entry, verdict, self._age(row[4], row[5])))
            height, head = seq, entry.id
            if len(taken) >= PIECE:
                self._write(Commit(1, taken, [], None, None))
                taken = []
        holes = [Holes(log, gaps)] if gaps else []
        self._write(Commit(1, taken, [], None, None, holes=holes))

    def _evicted(self, log: LogId) -> int:
        """Up to where the log was dropped for space, as far as its row still says."""
        rows = self._fetch(
            "SELECT gaps FROM logs WHERE origin=? AND incarnation=? AND lane=?", *log
        )
        with contextlib.suppress(RemoteProtocolError, TypeError):
            gaps = unpack(rows[0][0]) if rows else ()
            return max((gap.high for gap in gaps if not gap.wanted), default=0)
        return 0

    def _age(self, age: int, seen_ms: int) -> int:
        """What is known of an entry's age now: at least what this store saw pass since it came."""
        return age_now(age, seen_ms, max(self._seen_ms, seen_ms), 0) | 1

    def _put_rest(self) -> None:
        """Answers, incarnations and the counters that a peer cannot give back."""
        run = self._store.connection.execute
        for query, insert in (
            ("SELECT author, message_id, content, answer, sum FROM answers",
             "INSERT OR IGNORE INTO answers VALUES (?,?,?,?,?)"),
            ("SELECT number, incarnation, began FROM incarnations ORDER BY number",
             "INSERT OR IGNORE INTO incarnations VALUES (?,?,min(?, 0))"),
            ("SELECT key, value FROM meta WHERE key IN ('starts', 'seen') OR key LIKE 'count %'",
             "INSERT OR IGNORE INTO meta VALUES (?,?)"),
        ):  # fmt: skip
            with contextlib.suppress(apsw.Error):  # as many as can be read before a damaged page
                for row in self._run(query):
                    run(insert, row)


def _are_plain(row: list[Any]) -> bool:
    state, reason, missing, age, seen_ms = row
    return (
        isinstance(state, int)
        and isinstance(reason, str)
        and (missing is None or isinstance(missing, bytes))
        and isinstance(age, int)
        and isinstance(seen_ms, int)
    )


def _sound_record(row: tuple[Any, ...]) -> tuple[int, Record] | None:
    number, record_id, raw = row
    if not isinstance(raw, bytes):
        return None
    try:
        record = read_record(raw)
    except RemoteProtocolError:
        return None
    return (int(number), record) if record.id == record_id else None
