"""The folds' side of the writer: arrivals of log.db become rows of views.db."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.book import RecordBook
from meshrelay.core.entry import LogId, check_entry, read_author_part, read_entry
from meshrelay.core.events import Taken
from meshrelay.core.verdict import NOT_THEIRS, UNKNOWN_KIND
from meshrelay.desk import board, correction, event, file, note, order, pin, receipts, room, talk
from meshrelay.desk.kind import Item, Kind, Rows
from meshrelay.errors import FrameError, RemoteProtocolError
from meshrelay.store.reader import LogReader, Stored
from meshrelay.store.views import Views

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        talk.KIND,
        note.KIND,
        file.KIND,
        receipts.KIND,
        correction.KIND,
        pin.KIND,
        room.KIND,
        board.KIND,
        event.KIND,
        *order.KINDS,
    )
}
RULES = {name: kind.rule for name, kind in KINDS.items()}
# Commits go between batches: one takes about 20 ms here, 60 ms on a Pi.
BATCH = 200
# Committed entries that wait for a fold as they are, about 4 MB; more are read again.
FRESH_MAX = 2_000


class _Fresh(NamedTuple):
    number: int
    item: Item | None


class Folder:
    """Runs in the writer's thread after commits; a rebuild is the same, from 0."""

    def __init__(
        self, views: Views, path: Path, book: RecordBook, incarnation: bytes,
        changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._views = views
        self._reader = LogReader(path)
        self._book = book
        self._incarnation = incarnation
        self._changed = changed
        self._covered: deque[tuple[LogId, int, int]] = deque()
        self._gone: deque[tuple[LogId, int]] = deque()
        self._fresh: deque[_Fresh] = deque()
        self.at = views.position()[1]
        self.damaged: Callable[[int], None] = lambda _: None

    def take(self, first: int, taken: list[Taken], at_ms: int, seen_ms: int) -> None:
        """What this commit stores, from arrival number `first` on: it need not be read again."""
        if len(self._fresh) + len(taken) > FRESH_MAX:
            return
        for number, (entry, verdict, age) in enumerate(taken, first):
            person = None if verdict.reason in NOT_THEIRS else verdict.person
            item = Item(
                entry, verdict.state, verdict.reason, verdict.part, person, at_ms, age, seen_ms,
                ended=False,
            )  # fmt: skip
            self._fresh.append(_Fresh(number, item))

    def covered(self, ranges: list[tuple[LogId, int, int]]) -> None:
        """Receipts grew: rows carried there changed for pages."""
        for log, low, high in ranges:
            cuts = [*range(low, high, BATCH), high]
            self._covered += [(log, cuts[n], cuts[n + 1]) for n in range(len(cuts) - 1)]

    def forget(self, log: LogId, upto: int) -> None:
        """Entries of `log` up to `upto` were dropped for space: what only they carry goes."""
        self._gone.append((log, upto))

    def run(self) -> bool:
        """Fold one batch; True if there may be more. Commits go between batches."""
        arrivals = self._next()
        if not arrivals and not self._covered and not self._gone:
            return False
        with self._views.batch():
            for _, item in arrivals:
                if item is not None:
                    self._fold(item)
            if self._covered:
                log, low, high = self._covered.popleft()
                self._views.touch_range(_name(log), low, high)
            if self._gone:
                log, upto = self._gone.popleft()
                self._views.forget(_name(log), upto, receipts.NAME)
            self.at = arrivals[-1].number if arrivals else self.at
            self._views.reached(self._incarnation, self.at)
        self._changed()
        # Behind what came from memory the disk may have more: verdicts that changed.
        return bool(arrivals or self._fresh or self._covered or self._gone)

    def _next(self) -> list[_Fresh]:
        """The next arrivals: from memory, or what memory lacks from the disk."""
        fresh = self._fresh
        while fresh and fresh[0].number <= self.at:
            fresh.popleft()
        batch: list[_Fresh] = []
        while fresh and len(batch) < BATCH and fresh[0].number == self.at + 1 + len(batch):
            batch.append(fresh.popleft())
        if batch:
            return batch
        return [
            _Fresh(stored.number, self._item(stored))
            for stored in self._reader.arrivals_after(self.at, BATCH)
            if not fresh or stored.number < fresh[0].number
        ]

    def _item(self, stored: Stored) -> Item | None:
        """None: the row is not what was written, and is judged again or fetched again."""
        if not stored.is_sound:
            self.damaged(stored.entry)
            return None
        try:
            entry = read_entry(stored.raw)
            check_entry(entry, self._book.network)
        except RemoteProtocolError:
            return None
        part = person = None
        if entry.author:
            try:
                part = read_author_part(entry.author)
            except FrameError:
                part = None  # refused at level B: nobody to tell it to
        session = self._book.session(part.session) if part is not None else None
        if session is not None and stored.reason not in NOT_THEIRS:
            person = self._book.staff.get(session.staff)
        return Item(
            entry, stored.state, stored.reason, part, person, stored.at_ms, stored.age,
            stored.seen_ms, bool(stored.ended),
        )  # fmt: skip

    def _fold(self, item: Item) -> None:
        kind = KINDS.get(item.entry.kind)
        if kind is None or item.state == UNKNOWN_KIND or (item.entry.author and item.part is None):
            return  # stored, relayed and counted; this software cannot show it
        rows: Rows = self._views
        kind.fold(rows, item)

    def close(self) -> None:
        self._reader.close()
        self._views.close()


def _name(log: LogId) -> str:
    return f"{log.origin.hex()}:{log.incarnation.hex()}:{log.lane}"
