"""views.db: the disposable read model. Rows written by folds, read by pages.

It remembers the store (incarnation, arrival number) up to which it has folded, in the
same transaction as the rows. A mismatch means: throw it away and fold again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec

from meshrelay.errors import ConfigError
from meshrelay.store.sqlite import connect, ensure_schema, transaction

VERSION = 5
UNSEEN_AMONG = 2_000
# Rows are appended, and whoever points at one does it by number: a message is written in four
# small places and one long one.
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE rows (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, grp TEXT NOT NULL,
  sort TEXT NOT NULL, changed INTEGER NOT NULL, value BLOB NOT NULL
);
CREATE UNIQUE INDEX rows_by_key ON rows (kind, key);
CREATE INDEX rows_by_group ON rows (kind, grp, sort);
CREATE INDEX rows_by_change ON rows (kind, changed);
CREATE TABLE logs (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE carriers (
  log INTEGER NOT NULL, seq INTEGER NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (log, seq, row)
) WITHOUT ROWID;
CREATE INDEX carriers_by_row ON carriers (row);
"""

Row = dict[str, Any]


class Found(NamedTuple):
    """A row as pages read it."""

    key: str
    group: str
    sort: str
    changed: int
    row: Row


class Views:
    """The writing side: what folds see. Used by the writer's thread only."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False)
        ensure_schema(self._connection, path, SCHEMA, VERSION)
        self._run = self._connection.execute
        self._changed = int(self._meta("changed", 0))
        self._logs: dict[str, int] = dict(self._run("SELECT name, id FROM logs"))

    def _meta(self, key: str, default: Any) -> Any:
        row = self._run("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return row[0] if row else default

    def position(self) -> tuple[bytes, int]:
        """(incarnation, arrival number) folded so far."""
        return self._meta("incarnation", b""), int(self._meta("arrival", 0))

    def clear(self, life: bytes) -> None:
        """Begin again as another life: cursors that pages hold are void."""
        with transaction(self._connection):
            for table in ("rows", "carriers", "logs", "meta"):
                self._run(f"DELETE FROM {table}")
            self._logs.clear()
            self._run("INSERT INTO meta VALUES ('life', ?)", (life,))
        self._changed = 0

    def batch(self) -> Any:
        """One transaction of folds; end it with `reached`."""
        return transaction(self._connection)

    def reached(self, incarnation: bytes, arrival: int) -> None:
        """Note the position inside the batch."""
        for key, value in (
            ("incarnation", incarnation),
            ("arrival", arrival),
            ("changed", self._changed),
        ):
            self._run("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    # What folds use (desk.kind.Rows)

    def get(self, kind: str, key: str) -> Row | None:
        found = self._run("SELECT value FROM rows WHERE kind=? AND key=?", (kind, key)).fetchone()
        return msgspec.msgpack.decode(found[0]) if found else None

    def put(self, kind: str, key: str, group: str, sort: str, row: Row) -> None:
        self._changed += 1
        self._run(
            "INSERT INTO rows (kind, key, grp, sort, changed, value) VALUES (?,?,?,?,?,?) "
            "ON CONFLICT (kind, key) DO UPDATE SET grp=excluded.grp, sort=excluded.sort, "
            "changed=excluded.changed, value=excluded.value",
            (kind, key, group, sort, self._changed, msgspec.msgpack.encode(row)),
        )

    def drop(self, kind: str, key: str) -> None:
        self._run("DELETE FROM rows WHERE kind=? AND key=?", (kind, key))

    def carry(self, place: str, kind: str, key: str) -> None:
        name, _, seq = place.rpartition(":")
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = len(self._logs) + 1
            self._run("INSERT INTO logs VALUES (?,?)", (log, name))
        self._run(
            "INSERT OR IGNORE INTO carriers SELECT ?, ?, id FROM rows WHERE kind=? AND key=?",
            (log, int(seq), kind, key),
        )

    def touch(self, place: str) -> None:
        log, _, seq = place.rpartition(":")
        self.touch_range(log, int(seq) - 1, int(seq))

    def touch_range(self, log: str, low: int, high: int) -> None:
        """Rows carried by entries of `log` in (low, high] changed for pages."""
        rows = self._run(
            "SELECT DISTINCT row FROM carriers WHERE log=? AND seq>? AND seq<=?",
            (self._logs.get(log), low, high),
        ).fetchall()
        for (row,) in rows:  # a number each: pages page through changes by number
            self._changed += 1
            self._run("UPDATE rows SET changed=? WHERE id=?", (self._changed, row))

    def forget(self, log: str, upto: int, seen_kind: str) -> None:
        """Rows that only entries of `log` up to `upto` carry go, with who has seen them."""
        number = self._logs.get(log)
        gone = (number, upto)
        run = self._run
        for (seq,) in run(
            "SELECT DISTINCT seq FROM carriers WHERE log=? AND seq<=?", gone
        ).fetchall():
            run("DELETE FROM rows WHERE kind=? AND grp=?", (seen_kind, f"{log}:{seq}"))
        rows = run("SELECT DISTINCT row FROM carriers WHERE log=? AND seq<=?", gone).fetchall()
        run("DELETE FROM carriers WHERE log=? AND seq<=?", gone)
        for row in rows:
            run(
                "DELETE FROM rows WHERE id=? AND NOT EXISTS (SELECT 1 FROM carriers WHERE row=id)",
                row,
            )

    def close(self) -> None:
        self._connection.close()


class ViewReader:
    """What pages read; the event loop's own connection."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False, readonly=True)
        self._run = self._connection.execute

    def life(self) -> str:
        """Names this life of the read model; cursors of another are void."""
        row = self._run("SELECT value FROM meta WHERE key='life'").fetchone()
        return row[0].hex() if row else "0"

    def changed(self) -> int:
        """The newest change number."""
        row = self._run("SELECT value FROM meta WHERE key='changed'").fetchone()
        return int(row[0]) if row else 0

    def get(self, kind: str, key: str) -> Found | None:
        """One row."""
        row = self._run(
            f"SELECT {_FIELDS} FROM rows WHERE kind=? AND key=?", (kind, key)
        ).fetchone()
        return _found(row) if row else None

    def newest(self, kind: str, group: str, before: str | None, limit: int) -> list[Found]:
        """The newest rows of a group below sort key `before`, ascending."""
        rows = self._run(
            f"SELECT {_FIELDS} FROM rows WHERE kind=? AND grp=? AND sort<? "
            "ORDER BY sort DESC LIMIT ?",
            (kind, group, before or "~", limit),
        ).fetchall()
        return [_found(row) for row in reversed(rows)]

    def above(self, kind: str, group: str, after: str, limit: int) -> list[Found]:
        """The rows of a group above sort key `after`, ascending."""
        rows = self._run(
            f"SELECT {_FIELDS} FROM rows WHERE kind=? AND grp=? AND sort>? ORDER BY sort LIMIT ?",
            (kind, group, after, limit),
        )
        return [_found(row) for row in rows.fetchall()]

    def changed_after(self, kind: str, changed: int, limit: int) -> list[Found]:
        """Rows that changed after this number, in order of change."""
        rows = self._run(
            f"SELECT {_FIELDS} FROM rows WHERE kind=? AND changed>? ORDER BY changed, key LIMIT ?",
            (kind, changed, limit),
        ).fetchall()
        return [_found(row) for row in rows]

    def group(self, kind: str, group: str) -> list[Found]:
        """All rows of a group."""
        rows = self._run(f"SELECT {_FIELDS} FROM rows WHERE kind=? AND grp=?", (kind, group))
        return [_found(row) for row in rows.fetchall()]

    def keys(self, kind: str, group: str) -> list[str]:
        """The sort keys of a group, without decoding rows."""
        query = "SELECT sort FROM rows WHERE kind=? AND grp=?"
        return [row[0] for row in self._run(query, (kind, group))]

    def latest(self, kind: str, prefix: str, limit: int) -> list[Found]:
        """Rows whose key begins with `prefix`, the greatest keys first."""
        rows = self._run(
            f"SELECT {_FIELDS} FROM rows WHERE kind=? AND key>=? AND key<? "
            "ORDER BY key DESC LIMIT ?",
            (kind, prefix, prefix + "~", limit),
        ).fetchall()
        return [_found(row) for row in rows]

    def last_sort(self, kind: str, group: str) -> str:
        """The greatest sort key of a group, "" if it is empty."""
        query = "SELECT coalesce(max(sort), '') FROM rows WHERE kind=? AND grp=?"
        return str(self._run(query, (kind, group)).get)

    def containing(
        self, kind: str, group: str, needles: Sequence[bytes], before: str, limit: int
    ) -> list[Found]:
        """The newest rows of a group, below sort key `before`, whose stored bytes hold a needle.

        Compares bytes in SQLite, so that a room of 100,000 is read in a blink; whoever asks
        looks again whether the words stand where they are searched.
        """
        hit = " OR ".join("instr(value, ?)" for _ in needles)
        rows = self._run(
            f"SELECT {_FIELDS} FROM rows WHERE kind=? AND grp=? AND sort<? AND ({hit}) "
            "ORDER BY sort DESC LIMIT ?",
            (kind, group, before, *needles, limit),
        ).fetchall()
        return [_found(row) for row in rows]

    def unseen(self, kind: str, group: str, seen_kind: str, person: str, limit: int) -> int:
        """How many rows of a group have no `seen_kind` row of this person on any carrier.

        Counted among the newest UNSEEN_AMONG: a badge must not read a room of a million.
        """
        own = f"{person}/"
        count = self._run(
            "SELECT count(*) FROM (SELECT 1 FROM (SELECT id, key FROM rows WHERE kind=? AND grp=? "
            "ORDER BY sort DESC LIMIT ?) r WHERE substr(r.key, 1, ?) <> ? AND NOT EXISTS "
            "(SELECT 1 FROM carriers c JOIN logs l ON l.id=c.log "
            "JOIN rows s ON s.kind=? AND s.key = l.name || ':' || c.seq || ':' || ? "
            "WHERE c.row=r.id) LIMIT ?)",
            (kind, group, UNSEEN_AMONG, len(own), own, seen_kind, person, limit),
        ).get
        return int(count)

    def count(self, kind: str) -> int:
        """How many rows of a kind there are."""
        return int(self._run("SELECT count(*) FROM rows WHERE kind=?", (kind,)).get)

    def close(self) -> None:
        self._connection.close()


_FIELDS = "key, grp, sort, changed, value"


def _found(row: tuple[Any, ...]) -> Found:
    key, group, sort, changed, value = row
    return Found(key, group, sort, changed, msgspec.msgpack.decode(value))


def open_views(path: Path, incarnations: list[bytes], newest_arrival: int, life: bytes) -> Views:
    """Open the read model, or begin it again (as `life`) when it is not of this log.

    `incarnations`: all of the log's store, oldest first.
    """
    try:
        views = Views(path)
        incarnation, arrival = views.position()
    except (ConfigError, apsw.Error, OSError):  # damaged, or of another version
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        views = Views(path)
        incarnation, arrival = b"", 0
    if (incarnation and incarnation not in incarnations) or arrival > newest_arrival or not arrival:
        views.clear(life)
    return views
