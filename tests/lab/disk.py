"""What a node's disk really holds, asked of the file and not of the node."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from meshrelay.core.signing import hash32


class Disk:
    """The ids of the entries in one node's log.db; each `look` reads what was added since."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "log.db"
        self._ids: set[str] = set()
        self._newest = 0

    def look(self) -> frozenset[str] | None:
        """Entry ids in hex; None while a killed node has left the file to be recovered."""
        try:
            connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
            try:
                rows = connection.execute(
                    "SELECT id, raw FROM entries WHERE id > ? ORDER BY id", (self._newest,)
                ).fetchall()
            finally:
                connection.close()
        except sqlite3.OperationalError:
            return None
        for number, raw in rows:
            self._newest = number
            self._ids.add(hash32(raw).hex())
        return frozenset(self._ids)
