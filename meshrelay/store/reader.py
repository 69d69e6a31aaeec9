"""Reading log.db: a read-only connection that sees what is committed and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from meshrelay.core.entry import LogId, prev_of
from meshrelay.core.events import HeldEntry
from meshrelay.core.gaps import Gaps, unpack
from meshrelay.core.signing import hash32
from meshrelay.core.vector import Line
from meshrelay.core.verdict import UNKNOWN_KIND
from meshrelay.errors import DamagedError, StoreError
from meshrelay.store.places import SEQ_MAX, Places
from meshrelay.store.sqlite import connect, failure
from meshrelay.store.sums import sum_of

_HELD = "e.raw, e.age, e.seen_ms"


class Stored(NamedTuple):
    """One stored entry as folds need it. `ended`: an end took it out of its log. `is_sound`: what
    this node wrote beside it is as it was written."""

    number: int
    raw: bytes
    state: int
    reason: str
    at_ms: int
    age: int
    seen_ms: int
    ended: int
    entry: int
    is_sound: bool


class LogReader:
    """A read-only view of committed entries; one per thread.

    What an end has taken out of a log is never returned as an entry of that log.
    """

    def __init__(self, path: Path, failed: Callable[[StoreError], None] | None = None) -> None:
        self._connection = connect(path, durable=False, readonly=True)
        self._failed = failed
        self._places = Places(self._connection)

    def _run(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Raises StoreError when the disk fails, after telling whom it concerns."""
        with self._told():
            return self._connection.execute(query, values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except apsw.Error as error:
            failed = failure(error)
            if self._failed is not None:
                self._failed(failed)
            raise failed from error

    def _rows(
        self, log: LogId, low: int, high: int, columns: str, descending: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """(seq, *columns) of the entries of a log above `low` up to `high`."""
        query = "SELECT id FROM logs WHERE origin=? AND incarnation=? AND lane=?"
        number = self._run(query, log).fetchone()
        if number is None:
            return iter(())
        return self._told_rows(self._places.rows(number[0], low, high, columns, descending))

    def _told_rows(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        with self._told():
            yield from rows

    def read(self, log: LogId, first: int, bytes_max: int) -> list[HeldEntry]:
        """Entries from `first` on, up to a gap: at least one if held, else at most `bytes_max`
        bytes.

        Raises:
            DamagedError: the first of them is not what was stored (what comes before a damaged
                one is returned).
        """
        held: list[HeldEntry] = []
        size = 0
        for seq, *row in self._rows(log, first - 1, SEQ_MAX, _HELD):
            if seq != first + len(held):
                break
            size += len(row[0])
            if held and size > bytes_max:
                break
            held.append(HeldEntry(*row))
        return self._sound(log, first, held)

    def below(self, log: LogId, low: int, high: int, bytes_max: int) -> list[HeldEntry]:
        """The last entries above `low` up to `high`, in order; none if `high` is not held.

        Raises:
            DamagedError: the last of them is not what was stored (what comes above a damaged
                one is returned).
        """
        held: list[HeldEntry] = []
        size = 0
        for seq, *row in self._rows(log, low, high, _HELD, descending=True):
            if seq != high - len(held):
                break
            size += len(row[0])
            if held and size > bytes_max:
                break
            held.append(HeldEntry(*row))
        named = self.named(log, high) if held else None
        for number, one in enumerate(held):
            if hash32(one.raw) != named:
                if not number:
                    raise DamagedError(log, high)
                del held[number:]
                break
            named = prev_of(one.raw)
        return held[::-1]

    def _sound(self, log: LogId, first: int, held: list[HeldEntry]) -> list[HeldEntry]:
        """Those of `held` (seqs from `first` on) up to the first that the chain disowns."""
        for number, one in enumerate(held):
            after = held[number + 1].raw if number + 1 < len(held) else None
            named = prev_of(after) if after else self.named(log, first + number)
            if hash32(one.raw) != named:
                if not number:
                    raise DamagedError(log, first)
                return held[:number]
        return held

    def named(self, log: LogId, seq: int) -> bytes | None:
        """The id of an entry by what comes after it: the next entry, the line, or a gap."""
        after = self.at(log, seq + 1)
        if after is not None:
            return prev_of(after)
        height, head = self.line(log)
        if height == seq:
            return head
        return next((gap.low_id for gap in self._gaps(log) if gap.low == seq), None)

    def gap_id(self, log: LogId, seq: int) -> bytes | None:
        """The id of an entry that begins or ends a gap."""
        for gap in self._gaps(log):
            for end, entry_id in ((gap.low, gap.low_id), (gap.high, gap.high_id)):
                if end == seq:
                    return entry_id
        return None

    def _gaps(self, log: LogId) -> Gaps:
        row = self._run(
            "SELECT gaps FROM logs WHERE origin=? AND incarnation=? AND lane=?", log
        ).fetchone()
        return unpack(row[0]) if row else ()

    def line(self, log: LogId) -> tuple[int, bytes]:
        """(height, head) of a log, (0, its first prev) when it is not here."""
        row: tuple[int, bytes] | None = self._run(
            "SELECT height, head FROM logs WHERE origin=? AND incarnation=? AND lane=?", log
        ).fetchone()
        return row or (0, log.first_prev)

    def from_lowest(self, log: LogId) -> Iterator[tuple[int, HeldEntry]]:
        """(seq, entry) of what is held of a log, from the lowest on."""
        for seq, *row in self._rows(log, 0, SEQ_MAX, _HELD):
            yield seq, HeldEntry(*row)

    def next_held(self, log: LogId, after: int) -> int:
        """The lowest seq above `after` that is held; one past the height when none is."""
        found = next(self._rows(log, after, SEQ_MAX, "1"), None)
        return int(found[0]) if found is not None else max(self.line(log)[0], after) + 1

    def used(self) -> int:
        """Bytes of log.db that hold something."""
        pages = self._connection.pragma("page_count") - self._connection.pragma("freelist_count")
        return int(pages * self._connection.pragma("page_size"))

    def counted(self, what: str) -> int:
        """A counter of LogStore.count."""
        row = self._run("SELECT value FROM meta WHERE key=?", (f"count {what}",)).fetchone()
        return int(row[0]) if row else 0

    def at(self, log: LogId, seq: int) -> bytes | None:
        """One entry's bytes."""
        row = next(self._rows(log, seq - 1, seq, "e.raw"), None)
        return row[1] if row else None

    def ids(self, log: LogId, seqs: list[int]) -> list[tuple[int, bytes]]:
        """(seq, entry id) of those of `seqs` that are held."""
        found = ((seq, self.at(log, seq)) for seq in seqs)
        return [(seq, hash32(raw)) for seq, raw in found if raw is not None]

    def above(self, log: LogId, height: int) -> list[bytes]:
        """Every entry of the log above `height`, in order."""
        return [raw for _, raw in self._rows(log, height, SEQ_MAX, "e.raw")]

    def piece_above(self, log: LogId, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """(entry number, bytes) of the next entries of the log above `seq`, in order."""
        rows = islice(self._rows(log, seq, SEQ_MAX, "e.id, e.raw"), limit)
        return [(number, raw) for _, number, raw in rows]

    def swept(self) -> int:
        """For how many revocations of people the stored verdicts are right."""
        row = self._run("SELECT value FROM meta WHERE key='swept'").fetchone()
        return int(row[0]) if row else 0

    def lines(self) -> list[Line]:
        """Every log held, and how far."""
        query = "SELECT origin, incarnation, lane, height, head FROM logs ORDER BY id"
        return [Line(LogId(*log), height, head) for *log, height, head in self._run(query)]

    def records(self) -> list[bytes]:
        """Every record held, in the order in which they were taken."""
        return [row[0] for row in self._run("SELECT raw FROM records ORDER BY number")]

    def in_logs(self) -> Iterator[bytes]:
        """Every entry that stands in a log, in the order of arrival."""
        for row in self._run("SELECT raw FROM entries WHERE log IS NOT NULL ORDER BY id"):
            yield row[0]

    def waiting_for(self, record_ids: list[bytes]) -> list[tuple[int, bytes]]:
        """(entry number, bytes) of entries whose verdict waits for one of these records."""
        found: list[tuple[int, bytes]] = []
        for record_id in record_ids:
            rows = self._run("SELECT id, raw FROM entries WHERE missing=?", (record_id,))
            found += [(number, raw) for number, raw in rows]
        return found

    def unknown(self) -> list[tuple[int, bytes]]:
        """(entry number, bytes) of entries of a kind that this store's software did not know."""
        # The literal lets SQLite use the partial index.
        rows = self._run(f"SELECT id, raw FROM entries WHERE state = {UNKNOWN_KIND}")
        return [(number, raw) for number, raw in rows]

    def missing(self) -> list[bytes]:
        """Records for which some stored entry waits."""
        query = "SELECT DISTINCT missing FROM entries WHERE missing IS NOT NULL"
        return [row[0] for row in self._run(query)]

    def arrivals_after(self, number: int, limit: int) -> list[Stored]:
        """What arrived, or was judged anew, after arrival `number`."""
        query = (
            "SELECT a.number, e.raw, e.state, e.reason, a.at_ms, e.age, e.seen_ms, e.log IS NULL, "
            "e.id, e.missing, e.sum, a.sum FROM arrivals a JOIN entries e ON e.id = a.entry "
            "WHERE a.number > ? ORDER BY a.number LIMIT ?"
        )
        rows = self._run(query, (number, limit))
        found = []
        for *row, missing, entry_sum, arrival_sum in rows:
            stored = Stored._make([*row, True])
            told = (stored.state, stored.reason, missing, stored.age, stored.seen_ms)
            came = (stored.number, stored.entry, stored.at_ms)
            is_sound = sum_of(*told) == entry_sum and sum_of(*came) == arrival_sum
            found.append(stored._replace(is_sound=is_sound))
        return found

    def raw(self, entry: int) -> bytes | None:
        """The bytes of an entry by its number."""
        row = self._run("SELECT raw FROM entries WHERE id=?", (entry,)).fetchone()
        return row[0] if row else None

    def newest_arrival(self) -> int:
        """Number of the newest arrival, 0 if none."""
        return int(self._run("SELECT coalesce(max(number), 0) FROM arrivals").get)

    def answer(self, author: str, message_id: bytes) -> tuple[bytes, bytes] | None:
        """(content, answer) kept for a message id."""
        row = self._run(
            "SELECT content, answer, sum FROM answers WHERE author=? AND message_id=?",
            (author, message_id),
        ).fetchone()
        if row is None or sum_of(author, message_id, *row[:2]) != row[2]:
            return None
        return row[0], row[1]

    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) where peers were reached, newest first."""
        query = "SELECT host, port FROM addresses ORDER BY number DESC"
        return [(host, port) for host, port in self._run(query)]

    def count(self) -> int:
        """How many entries are stored, those above an end included."""
        return int(self._run("SELECT coalesce(max(id), 0) FROM entries").get)

    def close(self) -> None:
        self._connection.close()
