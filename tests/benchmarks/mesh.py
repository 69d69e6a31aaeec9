"""Machines on one LAN, every one linked with every other, with seeded delays and commits.

Virtual time: a frame takes some milliseconds, a commit some more, and both differ each time;
so news reaches a node from several sides at once, which is when an entry is sent in vain.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from itertools import combinations

from meshrelay.core.events import Commit, Effect, Received, Tick
from meshrelay.core.frames import Entries, decode_frame
from tests.benchmarks.frames import BODY_BYTES, node_records, note, signers
from tests.unit.core.city import TICK_MS, City, Station

FRAME_MS = (1, 15)  # a Wi-Fi LAN
COMMIT_MS = (3, 40)  # an SD card
SPAN_MS = 60_000
CALM_MS = 120_000


class LateStation(Station):
    """A station whose commits take their time."""

    mesh: Mesh

    def _carry_out(self, effect: Effect) -> None:
        super()._carry_out(effect)
        if isinstance(effect, Commit) and not self.commits_at_once:
            self.mesh.after(COMMIT_MS, self.commit)


class Mesh(City):
    """`count` stations in one virtual time; counts entries that came over links."""

    delay_ms = FRAME_MS

    def __init__(self, count: int, seed: int) -> None:
        self._dice = random.Random(seed)
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._last: dict[int, int] = {}
        self.received = 0
        self.said = 0
        keys = signers(count)
        records = node_records(keys)
        made = [LateStation(key, records) for key in keys]
        super().__init__(*made)
        for station in made:
            station.mesh = self
            station.commits_at_once = False
        self.links = 0
        for one, other in combinations(made, 2):
            self.join(one, other)
            self.links += 1

    @property
    def needed(self) -> int:
        """Every entry once at every other node."""
        return self.said * (len(self.stations) - 1)

    def after(self, span_ms: tuple[int, int], call: Callable[[], object], link: int = 0) -> None:
        """Call it within that span; what is on one link keeps its order."""
        at_ms = self.ms + self._dice.randint(*span_ms)
        if link:
            at_ms = self._last[link] = max(at_ms, self._last.get(link, 0))
        heapq.heappush(self._due, (at_ms, next(self._order), call))

    def sent(self, sender: Station, link: int, data: bytes) -> None:
        del sender
        _, receiver, end = self._ends[link]
        frame = decode_frame(data)
        if isinstance(frame, Entries):
            self.received += len(frame.raws)
        self.after(FRAME_MS, lambda: receiver.feed(Received(end, data)), end)

    def say(self, station: Station) -> None:
        """One entry of that station."""
        self.said += 1
        station.say(note(self._dice.randbytes(BODY_BYTES)))

    def run_ms(self, duration_ms: int) -> None:
        """Time passes; stations tick each at its own moment."""
        end_ms = self.ms + duration_ms
        tick_at = [self.ms + self._dice.randrange(TICK_MS) for _ in self.stations]
        while True:
            due_ms = self._due[0][0] if self._due else end_ms
            ticking = min(range(len(tick_at)), key=tick_at.__getitem__)
            if min(due_ms, tick_at[ticking]) >= end_ms:
                self.ms = end_ms
                return
            if due_ms <= tick_at[ticking]:
                self.ms, _, call = heapq.heappop(self._due)
                call()
            else:
                self.ms = tick_at[ticking]
                tick_at[ticking] += TICK_MS
                self.stations[ticking].feed(Tick())


def chatter(mesh: Mesh, entries: int) -> None:
    """Everybody says something now and then; then it is calm until all hold all."""
    mesh.run_ms(TICK_MS * 8)
    dice = random.Random(entries)
    for _ in range(entries):
        mesh.run_ms(dice.randrange(2 * SPAN_MS // entries))
        mesh.say(dice.choice(mesh.stations))
    mesh.run_ms(CALM_MS)
    held = {
        sum(line.height for line in each.machine.vector.lines.values()) for each in mesh.stations
    }
    if held != {entries}:
        raise AssertionError(f"after the calm they hold {held} of {entries} entries")
