"""Where the entries of a log lie in the table that they are appended to.

An index on (log, seq) that is written with every commit costs more than all the rest: each
log's next entry falls on another page. So places are written late, some thousands at once in
order; those of the newest entries are found by reading these again, and kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

# Entries between two writes of their places: 0.3 kB an entry over 96 logs; a start reads as many.
PLACE_EVERY = 4_000
SEQ_MAX = 1 << 62

_KEY = "placed"


def placed(connection: apsw.Connection) -> int:
    """The highest entry number whose place is written."""
    row = connection.execute("SELECT value FROM meta WHERE key=?", (_KEY,)).fetchone()
    return int(row[0]) if row else 0


def place(connection: apsw.Connection, upto: int) -> None:
    """Write the places of all entries up to number `upto`, inside a transaction."""
    connection.execute(
        "INSERT INTO places SELECT log, seq, id FROM entries "
        "WHERE id>? AND id<=? AND log IS NOT NULL ORDER BY log, seq",
        (placed(connection), upto),
    )
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (_KEY, upto))


class Places:
    """Finds entries by log number and seq; one for each connection that reads."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._run = connection.execute
        self._version = -1
        self._placed = self._seen = 0
        self._tail: dict[int, list[tuple[int, int]]] = {}  # log -> (seq, entry number), ascending

    def _refresh(self) -> None:
        version = self._connection.pragma("data_version")
        if version == self._version:
            return
        self._version = version
        now_placed = placed(self._connection)
        if now_placed != self._placed:
            self._placed, self._tail = now_placed, {}
            self._seen = now_placed
        rows: list[Any] = self._run(
            "SELECT id, log, seq FROM entries WHERE id>? ORDER BY id", (self._seen,)
        ).fetchall()
        for number, log, seq in rows:
            self._seen = number
            if log is not None:
                self._tail.setdefault(log, []).append((seq, number))

    def rows(
        self, log: int, low: int, high: int, columns: str, descending: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """(seq, *columns) of the entries above `low` up to `high`, in order of seq."""
        self._refresh()
        tail = [each for each in self._tail.get(log, ()) if low < each[0] <= high]
        order = "DESC" if descending else "ASC"
        found = self._run(
            f"SELECT p.seq, {columns} FROM places p CROSS JOIN entries e ON e.id = p.entry "
            f"WHERE p.log=? AND p.seq>? AND p.seq<=? ORDER BY p.seq {order}",
            (log, low, high),
        )
        if not descending:
            last = low
            for row in found:
                last = row[0]
                yield row
            yield from self._of_tail((each for each in tail if each[0] > last), columns)
            return
        lowest = high + 1
        for row in self._of_tail(reversed(tail), columns):
            lowest = row[0]
            yield row
        for row in found:
            if row[0] < lowest:  # its place was written a moment ago
                yield row

    def _of_tail(
        self, places: Iterator[tuple[int, int]], columns: str
    ) -> Iterator[tuple[Any, ...]]:
        for seq, number in places:
            query = f"SELECT {columns} FROM entries e WHERE e.id=? AND e.log IS NOT NULL"
            for row in self._run(query, (number,)):
                yield seq, *row
