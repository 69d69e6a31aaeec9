"""Gaps: jumping to a peer's floor, filling from whoever has more, and dropping for space.

A node below every connected peer's floor *jumps*: it takes the log from the floor on, and
fills what it lacks, from the upper end down, when it meets a peer that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from meshrelay.core.accept import Prepared
from meshrelay.core.entry import Entry, LogId
from meshrelay.core.events import DAMAGED, EVICTED, Damaged, Effect, Evict, Holes, Now, Taken
from meshrelay.core.following import Following
from meshrelay.core.frames import Fill
from meshrelay.core.gaps import Gap, Gaps, evicted, filled, lacks, opened, to_fill
from meshrelay.core.link import LONG_AGO, LinkState
from meshrelay.core.retention import FRESH_MS
from meshrelay.core.state import State, send
from meshrelay.core.vector import Line

# One piece of a gap is asked of one peer; of the next when nothing came for this long.
FILL_MS = 5_000
# A peer that did not answer is asked again after this; one that lacks it too after longer, for
# what it tells when it has it may be lost.
FILL_AGAIN_MS = 60_000
LACKED_AGAIN_MS = 180_000

Judged = Callable[[Entry], Taken]


class Filling:
    """Which gaps our logs have, and what is asked for them."""

    def __init__(self, state: State, following: Following) -> None:
        self._state = state
        self._following = following
        self._asked: dict[LogId, int] = {}  # when a piece of its gap was asked for
        self._tried: dict[LogId, set[int]] = {}  # links asked before a jump
        self._changing: set[LogId] = set()  # a change of its gaps is on its way to the disk

    def _gaps(self, log: LogId) -> Gaps:
        return self._state.vector.gaps.get(log, ())

    # Jumping

    def floor_told(self, link: LinkState, line: Line, now: Now) -> Iterator[Effect]:
        """The peer holds nothing of this log below its floor: ask another, or jump."""
        log = line.log
        link.floors[log] = line.floor
        taken = self._state.acceptor.taken(log)
        if line.floor <= taken or log not in link.owed or not self._following.brings(log, link):
            return
        tried = self._tried.setdefault(log, set())
        for other in self._state.links.values():
            lower = log in other.owed and other.floors.get(log, 0) <= taken
            if other is not link and lower and other.id not in tried:
                tried.add(other.id)  # once: it may announce what it never sends
                yield from self._following.follow_on(other, [log], now)
                return
        del self._tried[log]
        self._state.acceptor.jumps[log] = line.floor
        yield from self._following.want(link, [(log, line.floor + 1)], [], [], now)

    def jumped(self, entry: Entry, height: int, head: bytes) -> Holes:
        """`entry` was taken though the log stood at `height`."""
        gap = Gap(height, head, entry.seq - 1, entry.prev, wanted=True)
        self._changing.add(entry.log)
        return Holes(entry.log, opened(self._gaps(entry.log), gap))

    def may_jump(self, log: LogId) -> bool:
        """One change of a log's gaps at a time."""
        return log not in self._changing

    # Filling

    def ask(self, now: Now) -> Iterator[Effect]:
        """Ask for the next piece of each gap that is wanted."""
        for log, gaps in self._state.vector.gaps.items():
            gap = to_fill(gaps)
            asked_ms = self._asked.get(log, now.mono_ms - LONG_AGO)
            if gap is None or log in self._changing or now.mono_ms - asked_ms < FILL_MS:
                continue
            if self._state.bars(log):
                continue
            link = self._whom(log, gap, now)
            if link is not None:
                self._asked[log] = link.fills_asked[log] = now.mono_ms
                yield send(link, Fill(log, gap.low, gap.high))

    def _whom(self, log: LogId, gap: Gap, now: Now) -> LinkState | None:
        """A peer that may hold more, an archive first."""
        links = []
        for link in self._state.links.values():
            lacks_it = link.floors.get(log, 0) >= gap.high
            waited_ms = now.mono_ms - link.fills_asked.get(log, now.mono_ms - LONG_AGO)
            if not self._state.knows_later_frames(link.peer):
                continue
            if waited_ms >= (LACKED_AGAIN_MS if lacks_it else FILL_AGAIN_MS):
                links.append(link)
        links.sort(key=lambda link: link.floors.get(log, 0))
        archives = (link for link in links if self._state.is_archive(link.peer))
        return next(archives, next(iter(links), None))

    def is_lacking(self, entry: Entry) -> bool:
        """Whether it belongs into a gap."""
        return lacks(self._gaps(entry.log), entry.seq)

    def fits(self, batch: Prepared) -> bool:
        """Whether a batch ends just where a gap does, and each entry leads to the one before."""
        entries = [one.entry for one in batch.checked]
        if not entries:
            return False
        last = entries[-1]
        gap = to_fill(self._gaps(last.log))
        return (
            gap is not None
            and last.log not in self._changing
            and not self._state.book.is_above_end(last)
            and (last.seq, last.id) == (gap.high, gap.high_id)
            and gap.low < entries[0].seq
            and all(
                (entry.log, entry.seq + 1, entry.id) == (last.log, after.seq, after.prev)
                for entry, after in pairwise(entries)
            )
        )

    def holes_after(self, first: Entry, link: LinkState | None) -> Holes | None:
        """What is missing once the piece that begins with `first` is stored; None: it is of
        another branch than what we hold below the gap."""
        gaps = filled(self._gaps(first.log), first.seq, first.prev)
        if gaps is None:
            return None
        self._changing.add(first.log)
        self._asked.pop(first.log, None)  # the next piece at once, of the same peer
        if link is not None:
            link.fills_asked.pop(first.log, None)
        return Holes(first.log, gaps)

    # Losing

    def damaged(self, event: Damaged) -> Holes | None:
        """Stored bytes do not verify any more: they are kept aside and fetched again."""
        if event.log in self._changing or event.log not in self._state.vector.lines:
            return None
        gap = Gap(event.low, event.low_id, event.high, event.high_id, wanted=True)
        self._changing.add(event.log)
        gaps = opened(self._gaps(event.log), gap)
        return Holes(event.log, gaps, DAMAGED, event.low, event.high, event.size)

    def evicted(self, event: Evict) -> Holes | None:
        """The first part of a log goes, never its newest entry: a log without entries could be
        given to nobody."""
        log = event.log
        if log in self._changing or event.upto >= self._state.vector.height(log):
            return None
        self._changing.add(log)
        gaps = evicted(self._gaps(log), event.upto, event.upto_id, log.first_prev)
        return Holes(log, gaps, EVICTED, 0, event.upto, event.size)

    def may_evict(self, log: LogId, seq: int, is_expired: bool, now: Now) -> bool:
        """Whether this entry is not needed here: an archive has it, or its time is over and
        somebody else has it if it is ours.

        The word of ordinary nodes never permits the rest: three full islands would each evict
        on the other two's word.
        """
        receipts, me = self._state.receipts, self._state.signer.public
        if self._state.is_archive(me):
            return False
        if is_expired:
            return log.origin != me or any(
                receipts.has(each, log, seq) for each in receipts.signers()
            )
        return any(
            now.mono_ms - heard_ms <= FRESH_MS
            and self._state.is_archive(archive)
            and receipts.covered_by(archive, incarnation, log) >= seq
            and receipts.has(archive, log, seq)
            for archive, (incarnation, heard_ms) in self._state.fresh.items()
        )

    def ask_archives(self, now: Now) -> Iterator[Effect]:
        """What we evict must be on an archive's disk now: what was answered before is void."""
        self._state.questions += 1
        self._state.fresh.clear()
        for link in list(self._state.links.values()):
            if self._state.is_archive(link.peer):
                yield from self._following.want(link, [], [], [], now, question=True)

    # The disk

    def committed(self, holes: list[Holes]) -> None:
        """These changes are on disk."""
        for change in holes:
            self._changing.discard(change.log)
            if change.log in self._state.vector.lines:
                self._state.vector.set_gaps(change.log, change.gaps)

    def put_back(self) -> None:
        """A commit failed."""
        self._changing.clear()
