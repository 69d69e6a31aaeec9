"""log.db: entries, records and all that a rebuild of the views cannot give back.

One connection writes (the writer's thread); readers have their own, read-only. The
change numbers that lines and records get here are the same that the sync machine
gives them after `Committed`: both count logs in order of first occurrence in a
commit, then records with a lane.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.entry import LogId
from meshrelay.core.events import Commit
from meshrelay.core.vector import Cursor, Line
from meshrelay.core.verdict import UNKNOWN_KIND
from meshrelay.store.sqlite import connect, ensure_schema

VERSION = 1
HAVES_PER_SIGNER_MAX = 64
ADDRESSES_MAX = 64


class Loaded(NamedTuple):
    """What a start needs; entries are not read."""

    lines: list[tuple[Line, int]]
    head_hlc: dict[LogId, int]
    records: list[tuple[bytes, int | None, bytes, int]]  # id, lane, raw, change; in order taken
    incarnations: list[bytes]
    haves: list[bytes]
    cursors: dict[bytes, Cursor]
    change: int


class Stored(NamedTuple):
    """One stored entry as folds need it."""

    number: int
    raw: bytes
    state: int
    reason: str
    at_ms: int


class LogStore:
    """The writing side; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        schema = resources.files("meshrelay.store").joinpath("schema.sql").read_text("utf-8")
        self.connection = connect(path, durable=True)
        ensure_schema(self.connection, path, schema, VERSION)
        self._logs: dict[LogId, int] = {}
        self._change = 0
        self._record_number = 0

    def load(self) -> Loaded:
        """Read the table of lines, the records and what else survives a restart."""
        run = self.connection.execute
        lines, head_hlc = [], {}
        for number, *log_fields, height, head, change, hlc in run(
            "SELECT id, origin, incarnation, lane, height, head, change, hlc FROM logs"
        ):
            log = LogId(*log_fields)
            self._logs[log] = number
            head_hlc[log] = hlc
            lines.append((Line(log, height, head), change))
        records = list(run("SELECT id, lane, raw, change FROM records ORDER BY number"))
        self._record_number = len(records)
        changes = [change for _, change in lines] + [change for *_, change in records]
        self._change = max(changes, default=0)
        return Loaded(
            lines,
            head_hlc,
            records,
            [row[0] for row in run("SELECT incarnation FROM incarnations ORDER BY number")],
            [row[0] for row in run("SELECT raw FROM haves ORDER BY number")],
            {p: Cursor(i, c) for p, i, c in run("SELECT peer, incarnation, change FROM cursors")},
            self._change,
        )

    def add_incarnation(self, incarnation: bytes) -> None:
        """Draw a new one before anything is written under it."""
        self.connection.execute("INSERT INTO incarnations (incarnation) VALUES (?)", (incarnation,))

    def count_start(self) -> int:
        """1 at the first start of this store, and one more at each."""
        run = self.connection.execute
        run("INSERT OR IGNORE INTO meta VALUES ('starts', 0)")
        run("UPDATE meta SET value = value + 1 WHERE key = 'starts'")
        return int(run("SELECT value FROM meta WHERE key = 'starts'").get)

    def write(self, commit: Commit, at_ms: int) -> None:
        """Everything of one ticket, inside the writer's transaction."""
        run = self.connection.execute
        last = {entry.log: entry for entry, _ in commit.entries}
        for log, entry in last.items():
            self._change += 1
            row = (entry.seq, entry.id, self._change, entry.hlc)
            if log in self._logs:
                run(
                    "UPDATE logs SET height=?, head=?, change=?, hlc=? WHERE id=?",
                    (*row, self._logs[log]),
                )
            else:
                run(
                    "INSERT INTO logs (origin, incarnation, lane, height, head, change, hlc) "
                    "VALUES (?,?,?,?,?,?,?)",
                    (*log, *row),
                )
                self._logs[log] = self.connection.last_insert_rowid()
        if commit.entries:
            first = self._next_entry()
            self.connection.executemany(
                "INSERT INTO entries VALUES (?,?,?,?,?,?,?)",
                [
                    (first + n, self._logs[entry.log], entry.seq, entry.raw, verdict.state,
                     verdict.reason, verdict.missing)
                    for n, (entry, verdict) in enumerate(commit.entries)
                ],
            )  # fmt: skip
            self.connection.executemany(
                "INSERT INTO arrivals (entry, at_ms) VALUES (?,?)",
                [(first + n, at_ms) for n in range(len(commit.entries))],
            )
        for record in commit.records:
            change = 0
            if record.lane is not None:
                self._change += 1
                change = self._change
            self._record_number += 1
            run(
                "INSERT OR REPLACE INTO records VALUES (?,?,?,?,?)",
                (record.id, record.lane, record.raw, change, self._record_number),
            )

    def _next_entry(self) -> int:
        return int(self.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM entries").get)

    @property
    def change(self) -> int:
        """The change number of what was written last."""
        return self._change

    def rejudged(
        self, entry: int, state: int, reason: str, missing: bytes | None, at_ms: int
    ) -> None:
        """A verdict changed: the entry arrives once more for the folds."""
        run = self.connection.execute
        run(
            "UPDATE entries SET state=?, reason=?, missing=? WHERE id=?",
            (state, reason, missing, entry),
        )
        run("INSERT INTO arrivals (entry, at_ms) VALUES (?,?)", (entry, at_ms))

    def keep_answer(self, author: str, message_id: bytes, content: bytes, answer: bytes) -> None:
        """What a message id was answered, with what it stood for."""
        self.connection.execute(
            "INSERT INTO answers VALUES (?,?,?,?)", (author, message_id, content, answer)
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


class LogReader:
    """A read-only view of committed entries; one per thread."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False, readonly=True)
        self._logs: dict[LogId, int] = {}

    def _log(self, log: LogId) -> int:
        number = self._logs.get(log)
        if number is None:
            row = self._connection.execute(
                "SELECT id FROM logs WHERE origin=? AND incarnation=? AND lane=?", log
            ).fetchone()
            if row is None:
                return -1
            number = self._logs[log] = int(row[0])
        return number

    def read(self, log: LogId, first: int, bytes_max: int) -> list[bytes]:
        """Entries from `first` on: at least one if held, else at most `bytes_max` bytes."""
        raws: list[bytes] = []
        size = 0
        for (raw,) in self._connection.execute(
            "SELECT raw FROM entries WHERE log=? AND seq>=? ORDER BY seq", (self._log(log), first)
        ):
            size += len(raw)
            if raws and size > bytes_max:
                break
            raws.append(raw)
        return raws

    def at(self, log: LogId, seq: int) -> bytes | None:
        """One entry's bytes."""
        row = self._connection.execute(
            "SELECT raw FROM entries WHERE log=? AND seq=?", (self._log(log), seq)
        ).fetchone()
        return row[0] if row else None

    def waiting_for(self, record_ids: list[bytes]) -> list[tuple[int, bytes]]:
        """(entry number, bytes) of entries whose verdict waits for one of these records."""
        found: list[tuple[int, bytes]] = []
        for record_id in record_ids:
            rows = self._connection.execute(
                "SELECT id, raw FROM entries WHERE missing=?", (record_id,)
            )
            found += [(number, raw) for number, raw in rows]
        return found

    def unknown(self) -> list[tuple[int, bytes]]:
        """(entry number, bytes) of entries of a kind that this store's software did not know."""
        rows = self._connection.execute(
            "SELECT id, raw FROM entries WHERE state=?", (UNKNOWN_KIND,)
        )
        return [(number, raw) for number, raw in rows]

    def missing(self) -> list[bytes]:
        """Records for which some stored entry waits."""
        query = "SELECT DISTINCT missing FROM entries WHERE missing IS NOT NULL"
        return [row[0] for row in self._connection.execute(query)]

    def arrivals_after(self, number: int, limit: int) -> list[Stored]:
        """What arrived, or was judged anew, after arrival `number`."""
        query = (
            "SELECT a.number, e.raw, e.state, e.reason, a.at_ms FROM arrivals a "
            "JOIN entries e ON e.id = a.entry WHERE a.number > ? ORDER BY a.number LIMIT ?"
        )
        return [Stored(*row) for row in self._connection.execute(query, (number, limit))]

    def newest_arrival(self) -> int:
        """Number of the newest arrival, 0 if none."""
        return int(self._connection.execute("SELECT coalesce(max(number), 0) FROM arrivals").get)

    def answer(self, author: str, message_id: bytes) -> tuple[bytes, bytes] | None:
        """(content, answer) kept for a message id."""
        return self._connection.execute(
            "SELECT content, answer FROM answers WHERE author=? AND message_id=?",
            (author, message_id),
        ).fetchone()

    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) where peers were reached, newest first."""
        query = "SELECT host, port FROM addresses ORDER BY number DESC"
        return [(host, port) for host, port in self._connection.execute(query)]

    def count(self) -> int:
        """How many entries are held."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM entries").get)

    def close(self) -> None:
        self._connection.close()
