"""The folds' side of the writer: arrivals of log.db become rows of views.db."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from meshrelay.core.entry import LogId, read_author_part, read_entry
from meshrelay.core.records import RecordBook
from meshrelay.core.verdict import NOT_THEIRS, UNKNOWN_KIND
from meshrelay.desk import receipts, talk
from meshrelay.desk.kind import Item, Kind, Rows
from meshrelay.errors import FrameError
from meshrelay.store.log import LogReader, Stored
from meshrelay.store.views import Views

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (talk.KIND, receipts.KIND)}
RULES = {name: kind.rule for name, kind in KINDS.items()}
BATCH = 500


class Folder:
    """Runs in the writer's thread after each commit; a rebuild is the same, from 0."""

    def __init__(
        self, views: Views, path: Path, book: RecordBook, incarnation: bytes,
        changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._views = views
        self._reader = LogReader(path)
        self._book = book
        self._incarnation = incarnation
        self._changed = changed
        self._covered: list[tuple[LogId, int, int]] = []
        self._at = views.position()[1]

    def covered(self, ranges: list[tuple[LogId, int, int]]) -> None:
        """Receipts grew: rows carried there changed for pages."""
        self._covered += ranges

    def run(self) -> bool:
        """Fold one batch; True if there may be more. Commits go between batches."""
        arrivals = self._reader.arrivals_after(self._at, BATCH)
        covered, self._covered = self._covered, []
        if not arrivals and not covered:
            return False
        with self._views.batch():
            for stored in arrivals:
                self._fold(stored)
            for log, low, high in covered:
                name = f"{log.origin.hex()}:{log.incarnation.hex()}:{log.lane}"
                self._views.touch_range(name, low, high)
            self._at = arrivals[-1].number if arrivals else self._at
            self._views.reached(self._incarnation, self._at)
        self._changed()
        return len(arrivals) == BATCH

    def _fold(self, stored: Stored) -> None:
        entry = read_entry(stored.raw)
        kind = KINDS.get(entry.kind)
        if kind is None or stored.state == UNKNOWN_KIND:
            return  # stored, relayed and counted; this software cannot show it
        part = person = None
        if entry.author:
            try:
                part = read_author_part(entry.author)
            except FrameError:
                return  # refused at level B: nobody to tell it to
            session = self._book.session(part.session)
            if session is not None and stored.reason not in NOT_THEIRS:
                person = self._book.staff.get(session.staff)
        rows: Rows = self._views
        item = Item(entry, stored.state, stored.reason, part, person, stored.at_ms)
        kind.fold(rows, item)

    def close(self) -> None:
        self._reader.close()
        self._views.close()
