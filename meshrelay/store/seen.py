"""The clock of seen time: how many milliseconds this store has seen pass, over all its boots.

Known age (core/clock.py) counts only time that somebody saw. A span without power is added
only when a good clock stood at both its ends; otherwise `gap_ms` says where it lies, and
every age from before it is a lower bound.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.clock import TRUSTED


class Reading(NamedTuple):
    """The machine's clocks at one moment. `boot_ms`: since boot, sleep included."""

    boot: str
    boot_ms: int
    wall_ms: int
    quality: int


class Mark(NamedTuple):
    """What is kept: a reading, and what the clock of seen time said then."""

    at: Reading
    seen_ms: int
    gap_ms: int

    def pack(self) -> str:
        """As one line of text."""
        return " ".join(str(value) for value in (*self.at, self.seen_ms, self.gap_ms))

    @staticmethod
    def unpack(line: str) -> Mark:
        """From `pack`."""
        boot, *numbers = line.split(" ")
        boot_ms, wall_ms, quality, seen_ms, gap_ms = map(int, numbers)
        return Mark(Reading(boot, boot_ms, wall_ms, quality), seen_ms, gap_ms)


class SeenClock:
    """Runs on from what was kept; give it readings of this boot only.

    `newest_ms`: when the newest stored entry came. It may be later than the mark, and time
    never runs back before it.
    """

    def __init__(self, kept: Mark | None, now: Reading, newest_ms: int) -> None:
        self.gap_ms = 0
        seen_ms = newest_ms
        if kept is not None:
            self.gap_ms = kept.gap_ms
            passed_ms = _passed_ms(kept.at, now)
            if passed_ms is not None:
                seen_ms = max(kept.seen_ms + passed_ms, newest_ms)
            else:  # the gap lies after all that was ever stored
                seen_ms = self.gap_ms = max(kept.seen_ms, newest_ms) + 1
        elif newest_ms:
            seen_ms = self.gap_ms = newest_ms + 1
        self._zero_ms = seen_ms - now.boot_ms

    def seen_ms(self, boot_ms: int) -> int:
        """Milliseconds seen until `boot_ms` of this boot."""
        return self._zero_ms + boot_ms

    def mark(self, now: Reading) -> Mark:
        """What to keep."""
        return Mark(now, self.seen_ms(now.boot_ms), self.gap_ms)


def _passed_ms(then: Reading, now: Reading) -> int | None:
    """What passed between two readings; None: nobody can say."""
    if then.boot == now.boot:
        passed_ms = now.boot_ms - then.boot_ms
    elif then.quality >= TRUSTED and now.quality >= TRUSTED:
        passed_ms = now.wall_ms - then.wall_ms
    else:
        return None
    return passed_ms if passed_ms >= 0 else None
