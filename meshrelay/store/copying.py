"""A second log.db: copied while the node writes the first, and looked through without trust."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from meshrelay.core.entry import LogId, read_entry
from meshrelay.core.gaps import Gaps, unpack
from meshrelay.core.records import read_record
from meshrelay.core.vector import Line
from meshrelay.errors import ConfigError, FrameError, StoreError
from meshrelay.store.places import SEQ_MAX, Places
from meshrelay.store.seen import Mark
from meshrelay.store.sqlite import CACHE_KIB, connect

# 1 MiB a step; between two steps `tell` may wait, or end it all by raising.
STEP_PAGES = 256
# One snapshot is read to its end, and the node's WAL cannot start again below it (proof.md I7).
WAL_BYTES_MAX = 4 * 1024 * 1024
# Looking through as many takes about 2 ms.
PIECE = 100

# What is done of how much, in a unit that only fits itself.
Tell = Callable[[int, int], None]


class Contents(NamedTuple):
    """What a log.db holds, once everything in it was found to fit together."""

    entries: int
    lines: dict[LogId, Line]
    gaps: dict[LogId, Gaps]
    records: set[bytes]
    seen_ms: int  # its clock of seen time, at most some minutes behind (store/seen.py)


def copy_log(source: Path, target: Path, tell: Tell) -> bool:
    """Copy a log.db as it is at this moment into a new file; the node may be writing.

    Nothing is synced: that is for the caller, after the snapshot was let go. False: so much was
    written meanwhile that the snapshot had to be let go; what `target` holds is no copy.

    Raises:
        OSError: `target` cannot be written.
        StoreError: `source` is damaged.
    """
    try:
        with (
            closing(connect(source, durable=False, readonly=True)) as read,
            closing(apsw.Connection(str(target))) as write,
        ):
            write.pragma("journal_mode", "off")
            write.pragma("synchronous", "off")
            write.pragma("cache_size", -CACHE_KIB)
            return _copy(read, write, source.with_name(source.name + "-wal"), tell)
    except ConfigError as error:
        raise StoreError(str(error)) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreError(f"{source}: is damaged: {error}") from error
    except apsw.FullError as error:
        raise OSError(errno.ENOSPC, "no space left", str(target)) from error
    except apsw.Error as error:
        raise OSError(errno.EIO, str(error), str(target)) from error


def _copy(read: apsw.Connection, write: apsw.Connection, wal: Path, tell: Tell) -> bool:
    read.execute("BEGIN")
    try:
        read.execute("SELECT 1 FROM meta LIMIT 1").fetchall()  # the snapshot begins here
        wal_bytes_max = max(_size(wal), WAL_BYTES_MAX)
        with write.backup("main", read, "main") as backup:
            while not backup.done:
                backup.step(STEP_PAGES)
                tell(backup.page_count - backup.remaining, backup.page_count)
                if _size(wal) > wal_bytes_max and not backup.done:
                    return False
    finally:
        read.execute("END")
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def log_bytes(database: Path) -> int:
    """How large a copy of a log.db will be; what is in its WAL comes on top, at most."""
    return _size(database) + _size(database.with_name(database.name + "-wal"))


@contextmanager
def _still(path: Path) -> Iterator[apsw.Connection]:
    """A file that nobody writes, on a medium that perhaps nobody can write."""
    uri = path.absolute().as_uri() + "?immutable=1"
    try:
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        with closing(apsw.Connection(uri, flags=flags)) as connection:
            yield connection
    except (apsw.CantOpenError, apsw.IOError) as error:
        raise OSError(errno.EIO, str(error), str(path)) from error
    except apsw.Error as error:
        raise StoreError(f"{path.name} is damaged: {error}") from error
    except FrameError as error:
        raise StoreError(f"{path.name} holds something that is no entry or record") from error


def look_through(path: Path, tell: Tell) -> Contents:
    """Every page, every entry against the one after it, every record against its id.

    Signatures are not verified: whoever wrote the file did that, and signed the file.

    Raises:
        OSError: it cannot be read at all.
        StoreError: something does not fit, and what.
    """
    with _still(path) as connection:
        found = connection.pragma("integrity_check")
        if found != "ok":
            raise StoreError(f"{path.name} is damaged: {found}")
        run = connection.execute
        count = _Count(tell, int(run("SELECT count(*) FROM entries").get))
        count.done = int(run("SELECT count(*) FROM entries WHERE log IS NULL").get)
        lines: dict[LogId, Line] = {}
        gaps: dict[LogId, Gaps] = {}
        places = Places(connection)
        for number, line, lacking in _logs(connection):
            _follow(places, number, line, lacking, count)
            lines[line.log], gaps[line.log] = line, lacking
        if count.done != count.total:
            raise StoreError(f"{path.name} is damaged: entries of a log that is not there")
        records = set()
        for record_id, raw in run("SELECT id, raw FROM records"):
            if read_record(raw).id != record_id:
                raise StoreError(f"{path.name} is damaged: a record is not what its id says")
            records.add(record_id)
        mark = run("SELECT value FROM meta WHERE key='seen'").fetchone()
        return Contents(
            count.total, lines, gaps, records, Mark.unpack(mark[0]).seen_ms if mark else 0
        )


class _Count:
    """Entries looked at, told in pieces."""

    def __init__(self, tell: Tell, total: int) -> None:
        self.total, self.done = total, 0
        self._tell = tell

    def one(self) -> None:
        self.done += 1
        if not self.done % PIECE or self.done == self.total:
            self._tell(self.done, self.total)


def _logs(connection: apsw.Connection) -> Iterator[tuple[int, Line, Gaps]]:
    query = "SELECT id, origin, incarnation, lane, height, head, gaps FROM logs"
    for number, *log, height, head, packed in connection.execute(query):
        yield number, Line(LogId(*log), height, head), unpack(packed)


def _follow(places: Places, number: int, line: Line, gaps: Gaps, count: _Count) -> None:
    """Check one log from its first entry to its head, over the gaps whose ends it knows."""
    lane, over = line.log.lane, {gap[:2]: gap[2:4] for gap in gaps}

    def after(place: tuple[int, bytes]) -> tuple[int, bytes]:
        while place in over:
            place = over.pop(place)
        return place

    at = after((0, line.log.first_prev))
    for _, raw in places.rows(number, 0, SEQ_MAX, "e.raw"):
        entry = read_entry(raw)
        if (entry.log, entry.seq - 1, entry.prev) != (line.log, *at):
            raise StoreError(f"an entry of lane {lane} does not follow number {at[0]}")
        at = after((entry.seq, entry.id))
        count.one()
    if at != (line.height, line.head) or over:
        raise StoreError(f"a log of lane {lane} does not end as its line says")


def urgent_records(path: Path) -> list[bytes]:
    """Credentials of issuers and nodes, revocations: enough to know whose word counts.

    Raises OSError and StoreError as `look_through` does.
    """
    with _still(path) as connection:
        query = "SELECT raw FROM records WHERE lane=0 ORDER BY number"
        return [raw for (raw,) in connection.execute(query)]


class Loss(NamedTuple):
    """What only the store has that is about to be replaced."""

    entries: int
    own: int
    records: int


def lost(database: Path, instead: Contents, me: bytes) -> Loss:
    """What would be lost if `instead` took the place of a stopped node's log.db.

    Raises:
        StoreError: it cannot be read, so nobody can say.
    """
    try:
        with closing(connect(database, durable=False, readonly=True)) as connection:
            missing = [
                (line.log, _missing(line, gaps, instead)) for _, line, gaps in _logs(connection)
            ]
            own = sum(count for log, count in missing if log.origin == me)
            records = {each for (each,) in connection.execute("SELECT id FROM records")}
    except (apsw.Error, ConfigError, FrameError) as error:
        raise StoreError(f"{database}: cannot be read: {error}") from error
    return Loss(sum(count for _, count in missing), own, len(records - instead.records))


def _missing(line: Line, gaps: Gaps, instead: Contents) -> int:
    """How many entries of this log are not in the other store; a fork counts whole."""
    held, other = _spans(line.height, gaps), instead.lines.get(line.log)
    count = sum(high - low for low, high in held)
    if other is None or (other.height == line.height and other.head != line.head):
        return count
    there = _spans(other.height, instead.gaps[line.log])
    both = (min(a[1], b[1]) - max(a[0], b[0]) for a in held for b in there)
    return count - sum(max(each, 0) for each in both)


def _spans(height: int, gaps: Gaps) -> list[tuple[int, int]]:
    """(low, high) of what is held: every seq above `low` up to `high`."""
    ends = [0, *(end for gap in gaps for end in (gap.low, gap.high)), height]
    return list(zip(ends[::2], ends[1::2], strict=True))
