"""Opening log.db at a start: a damaged one is salvaged first."""

from __future__ import annotations

import logging
from pathlib import Path

import apsw

from meshrelay.core.gaps import Gaps
from meshrelay.core.signing import hash32
from meshrelay.errors import ConfigError, RemoteProtocolError
from meshrelay.store.log import Loaded, LogStore, schema_of
from meshrelay.store.places import placed

log = logging.getLogger("meshrelay.store")

MARK = ".unreadable"
# How SQLite says that a page, the head or the name of a table is not what was written.
DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError)


def mark_damaged(path: Path) -> None:
    """A page could not be read: the next start does not wait to find it again."""
    path.with_name(path.name + MARK).touch()


def open_store(path: Path, network: bytes) -> tuple[LogStore, Loaded]:
    """The store, its lines, and what else a start needs; after a salvage if it is damaged.

    Raises:
        ConfigError: another format, or the disk does not let it be opened.
        StoreError, OSError: the disk does not take what was salvaged.
    """
    mark = path.with_name(path.name + MARK)
    opened = None if mark.exists() else _sound(path)
    if opened is None:
        from meshrelay.store.salvage import salvage  # not a line of it in a sound node's memory

        log.error("store damaged: taking over what can be read path=%s", path)
        saved = salvage(path, network)
        log.warning(
            "store salvaged entries=%d records=%d aside=%s", saved.entries, saved.records,
            saved.aside,
        )  # fmt: skip
        mark.unlink(missing_ok=True)
        store = LogStore(path)
        opened = store, store.load()
        store.count("salvaged", 1)
    return opened


def _sound(path: Path) -> tuple[LogStore, Loaded] | None:
    """The store if nothing at its head is wrong, else None."""
    try:
        store = LogStore(path)
    except ConfigError as error:
        if isinstance(error.__cause__, DAMAGED) or _is_ours(path):
            return None
        raise
    try:
        tables = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
        if not schema_of().items() <= dict(store.connection.execute(tables)).items():
            return None
        loaded = store.load()
        if _heads_are_right(store, loaded) and _records_are_right(store):
            return store, loaded
    except (*DAMAGED, RemoteProtocolError, TypeError, UnicodeDecodeError):
        pass  # a page, a name of a table, or a value is not what was written
    store.connection.close()
    return None


def _is_ours(path: Path) -> bool:
    """Whether a file of another format by its head has just our tables: then its head is wrong."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        found = {str(name): str(sql) for name, sql in rows}
    except apsw.Error:
        return False
    return schema_of().items() <= found.items()


def _records_are_right(store: LogStore) -> bool:
    rows = store.connection.execute("SELECT id, raw FROM records")
    return all(hash32(raw) == record_id for record_id, raw in rows)


def _are_gaps_of(gaps: Gaps, height: int) -> bool:
    """Whether they lie below the height, one above the other."""
    ends = [end for gap in gaps for end in (gap.low, gap.high)]
    return ends == sorted(ends) and (not ends or ends[-1] <= height)


def _heads_are_right(store: LogStore, loaded: Loaded) -> bool:
    """Whether each log ends as its line says, unless its newest entry is in a gap."""
    run = store.connection.execute
    at = placed(store.connection)
    heads = {(store.number(line.log), line.height) for line, _ in loaded.lines}
    tail = {
        (log, seq): hash32(raw)
        for log, seq, raw in run("SELECT log, seq, raw FROM entries WHERE id>?", (at,))
        if (log, seq) in heads
    }
    for line, _ in loaded.lines:
        gaps = loaded.gaps.get(line.log, ())
        if not _are_gaps_of(gaps, line.height):
            return False
        if gaps and gaps[-1].high == line.height:
            continue
        number = store.number(line.log)
        query = "SELECT id FROM logs WHERE origin=? AND incarnation=? AND lane=?"
        if run(query, line.log).fetchone() != (number,):  # the index says something else
            return False
        head = tail.get((number, line.height))
        if head is None:
            row = run(
                "SELECT e.raw FROM places p JOIN entries e ON e.id=p.entry "
                "WHERE p.log=? AND p.seq=?", (number, line.height),
            ).fetchone()  # fmt: skip
            head = hash32(row[0]) if row else b""
        if head != line.head:
            return False
    return True
