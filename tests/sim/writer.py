"""The writer of one simulated node, for one life: what waits, what is on disk, what is answered."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from meshrelay.core.entry import Entry
from meshrelay.core.events import Commit, Taken
from meshrelay.core.vector import Cursor
from meshrelay.core.verdict import Verdict

if TYPE_CHECKING:
    from tests.sim.ward import Ward


class Kept(NamedTuple):
    """HAVEs and cursors on their way to the disk."""

    haves: list[bytes]
    cursors: dict[bytes, Cursor]


class Judged(NamedTuple):
    """A verdict on its way to the disk."""

    entry: Entry
    verdict: Verdict


Work = Commit | Kept | Judged


class SimWriter:
    """Puts works on the ward's disk in order, after a while; a sync takes all that waits."""

    def __init__(self, ward: Ward) -> None:
        self._ward = ward
        self._world = ward.world
        self._is_running = True
        self._works: deque[tuple[Work, int]] = deque()  # and the clock of seen time
        self._synced: deque[Commit] = deque()  # on disk, not answered yet

    def put(self, work: Work) -> None:
        """Queue a work; never blocks."""
        world = self._world
        self._works.append((work, self._ward.clock.now().seen_ms))
        if isinstance(work, Commit) and world.plant.speaks_first:
            self._synced.append(work)
            world.after(0, self._answer)
        delay_ms = world.random.randint(1, self._ward.commit_ms)
        world.after(delay_ms, lambda: self._sync(work))

    def end(self) -> None:
        """The process dies: of what waits, a first part may still have reached the disk."""
        self._is_running = False
        for _ in range(self._world.random.randint(0, len(self._works))):
            self._write(*self._works.popleft())

    def unwritten(self) -> list[Taken]:
        """Entries on their way to the disk, in order."""
        commits = [work for work, _ in self._works if isinstance(work, Commit)]
        return [each for commit in commits for each in commit.entries]

    def going(self) -> set[bytes]:
        """Ids of entries that a commit on its way to the disk drops from it."""
        commits = [work for work, _ in self._works if isinstance(work, Commit)]
        logs = self._ward.disk.logs
        return {
            row.entry.id
            for holes in (each for commit in commits for each in commit.holes)
            for seq, row in logs.get(holes.log, {}).items()
            if holes.low < seq <= holes.high
        }

    def _sync(self, upto: Work) -> None:
        """One fsync: everything queued up to `upto` is on disk, in order; then it is answered."""
        world = self._world
        if not self._is_running or all(work is not upto for work, _ in self._works):
            return
        if isinstance(upto, Commit) and world.random.random() < world.disk_failures:
            self._fail()
            return
        done: Work | None = None
        while done is not upto:
            done, seen_ms = self._works.popleft()
            self._write(done, seen_ms)
            if isinstance(done, Commit) and not world.plant.speaks_first:
                self._synced.append(done)
        # A crash may come between the sync and its answer.
        world.after(world.random.randint(0, 3), self._answer)

    def _write(self, work: Work, seen_ms: int) -> None:
        ward = self._ward
        match work:
            case Commit():
                ward.disk.write(work, seen_ms)
                for entry, *_ in work.entries:
                    ward.ever[entry.log] = max(ward.ever.get(entry.log, 0), entry.seq)
                    if work.tag is None:
                        self._world.left(entry)
            case Kept(haves, cursors):
                ward.disk.haves += haves
                ward.disk.cursors.update(cursors)
            case Judged(entry, verdict):
                ward.disk.judged(entry, verdict)

    def _fail(self) -> None:
        """The disk refused the oldest commit, and with it all that waited."""
        failed = [work for work, _ in self._works if isinstance(work, Commit)]
        self._works = deque(pair for pair in self._works if not isinstance(pair[0], Commit))
        self._ward.refused_by_disk(failed)

    def _answer(self) -> None:
        while self._synced and self._is_running:
            self._ward.answer(self._synced.popleft())
