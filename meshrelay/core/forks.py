"""Forks: where two branches part, the proof of it, and logs that end.

Two valid entries for one place are the work of a stolen key. Both holders tell ids at h,
h-1, h-2, h-4 ... and then between them, until one knows the place: it sends its entry, and
whoever holds both has the proof. An end takes every log back to the same line everywhere;
what people wrote above it is kept as orphans.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshrelay.core.entry import Entry, LogId, read_entry
from meshrelay.core.events import (
    AboveRead,
    Commit,
    Effect,
    EntriesRead,
    IdsRead,
    Now,
    ReadAbove,
    ReadEntries,
    ReadIds,
    Taken,
)
from meshrelay.core.frames import LOCATE_MAX, Entries, Locate
from meshrelay.core.link import LONG_AGO, LinkState
from meshrelay.core.records import Record, make_orphan, make_proof
from meshrelay.core.state import State, send
from meshrelay.core.vector import Line

# Not a link: the machine itself wants to see an entry of its own store.
NO_LINK = 0
LOCATE_GAP_MS = 5_000
# Frames about places that one link may cost; a fork of 2^60 entries takes a dozen.
LOCATES_PER_LINK_MAX = 200


class Forks:
    """Finds the place of a fork, and takes ended logs back."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._asked_ms: dict[LogId, int] = {}
        self._theirs: dict[tuple[int, LogId], list[tuple[int, bytes]]] = {}
        self._suspects: dict[tuple[LogId, int], Entry] = {}
        self._to_show: dict[tuple[LogId, int], list[int]] = {}
        self._severing: set[LogId] = set()

    # Where

    def is_suspect(self, log: LogId) -> bool:
        """Whether the place of a fork in `log` is being located."""
        return log in self._asked_ms

    def suspected(self) -> list[LogId]:
        """Logs that fork, as far as is known here, and have no end yet."""
        return [log for log in self._asked_ms if self._state.book.end_of(log) is None]

    def locate(self, log: LogId, link: LinkState, now: Now) -> Iterator[Effect]:
        """The peer holds another branch: tell it what we hold, far apart."""
        height = self._state.vector.height(log)
        if now.mono_ms - self._asked_ms.get(log, -LONG_AGO) < LOCATE_GAP_MS or height == 0:
            return
        self._asked_ms[log] = now.mono_ms
        steps = [0, *(1 << power for power in range(61))]
        seqs = sorted({height - step for step in steps if step < height} | {1})
        yield from self._read_ids(link, log, seqs)

    def _read_ids(self, link: LinkState, log: LogId, seqs: list[int]) -> Iterator[Effect]:
        link.locates += 1
        if link.locates <= LOCATES_PER_LINK_MAX:
            yield ReadIds(link.id, log, seqs)

    def told(self, link: LinkState, frame: Locate, now: Now) -> Iterator[Effect]:
        """The peer says what it holds at some places: look at ours there."""
        ids = frame.ids[:LOCATE_MAX]
        if self._state.vector.height(frame.log) and self._state.book.end_of(frame.log) is None:
            self._asked_ms.setdefault(frame.log, now.mono_ms - LOCATE_GAP_MS)
            self._theirs[link.id, frame.log] = ids
            yield from self._read_ids(link, frame.log, [seq for seq, _ in ids])

    def ids_read(self, event: IdsRead) -> Iterator[Effect]:
        """Tell our ids, or compare them with theirs and go on between."""
        link = self._state.links.get(event.link)
        if link is None:
            return
        theirs = self._theirs.pop((link.id, event.log), None)
        if theirs is None:
            if event.ids:
                yield send(link, Locate(event.log, event.ids[:LOCATE_MAX]))
            return
        ours = dict(event.ids)
        differ = [seq for seq, entry_id in theirs if ours.get(seq, entry_id) != entry_id]
        if not differ:
            return
        high = min(differ)
        low = max((seq for seq, at in theirs if ours.get(seq) == at and seq < high), default=0)
        if high == low + 1:
            self._to_show.setdefault((event.log, high), []).append(link.id)
            yield ReadEntries(NO_LINK, event.log, high, 1)
            return
        step = max((high - low) // (LOCATE_MAX - 2), 1)
        seqs = [*range(low + 1, high, step)][: LOCATE_MAX - 1]
        yield from self._read_ids(link, event.log, [*seqs, high])

    def suspect(self, entry: Entry) -> Iterator[Effect]:
        """A verified entry for a place that we hold: compare it with ours."""
        self._suspects[entry.log, entry.seq] = entry
        yield ReadEntries(NO_LINK, entry.log, entry.seq, 1)

    def entry_read(self, event: EntriesRead) -> Iterator[Effect | Record]:
        """Our entry at a place: show it to whom it concerns, or it is half of a proof."""
        place = (event.log, event.first)
        links, theirs = self._to_show.pop(place, []), self._suspects.pop(place, None)
        if not event.held:
            return
        raw = event.held[0].raw
        for number in links:
            if number in self._state.links:
                frame = Entries(self._state.book.network, [raw], [event.held[0].age], [])
                yield send(self._state.links[number], frame)
        if theirs is not None:
            ours = read_entry(raw)
            if ours.id != theirs.id and ours.prev == theirs.prev:
                yield make_proof(ours, theirs)

    # Ends

    def sever(self) -> Iterator[Effect]:
        """Logs that stand above an end: read what leaves them."""
        for log, line in list(self._state.vector.lines.items()):
            end = self._state.book.end_of(log)
            if end is not None and line.height > end.height and log not in self._severing:
                self._severing.add(log)
                yield ReadAbove(log, end.height)

    def above_read(
        self, event: AboveRead, under_way: Iterable[Commit]
    ) -> tuple[Line, list[Entry]] | None:
        """(where the log ends, what it loses): of the disk and of commits under way."""
        end = self._state.book.end_of(event.log)
        if end is None:
            return None
        above = {entry.id: entry for entry in map(read_entry, event.raws)}
        for commit in under_way:
            for entry, _, _ in commit.entries:
                if entry.log == event.log and entry.seq > end.height:
                    above[entry.id] = entry
        return end, list(above.values())

    def severed(self, line: Line) -> None:
        """The cut is on disk."""
        self._severing.discard(line.log)
        self._asked_ms.pop(line.log, None)

    def put_back(self) -> None:
        """A commit failed: what was to be cut is not."""
        self._severing.clear()

    def orphans(self, taken: Iterable[Taken]) -> list[Taken]:
        """Those of these entries that a person wrote and no record keeps yet."""
        book = self._state.book
        return [one for one in taken if one.entry.author and make_orphan(one.entry).id not in book]
