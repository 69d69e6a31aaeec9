"""The node's clock: whose word counts, and what the store has seen pass."""

from __future__ import annotations

from meshrelay.core.clock import BY_PERSON, FROM_ARCHIVE, NTP, RESTORED, UNKNOWN
from meshrelay.node.clock import Clock, Hardware

WALL_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


class Bench(Hardware):
    """Clocks that a test sets."""

    def __init__(self, wall_ms: int = WALL_MS, boot: str = "boot 1") -> None:
        self.boot = boot
        self.wall = wall_ms
        self.up = 10_000
        self.ntp = False

    def wall_ms(self) -> int:
        return self.wall

    def boot_ms(self) -> int:
        return self.up

    def is_synchronized(self) -> bool:
        return self.ntp

    def pass_ms(self, duration_ms: int) -> None:
        self.up += duration_ms
        self.wall += duration_ms


def test_a_clock_says_how_far_it_can_be_trusted() -> None:
    ntp = Bench()
    ntp.ntp = True

    assert Clock(False, hardware=ntp).quality() == NTP
    assert Clock(True, hardware=Bench()).quality() == BY_PERSON
    assert Clock(False, hardware=Bench()).quality() == RESTORED
    assert Clock(False, hardware=Bench(wall_ms=5_000)).quality() == UNKNOWN


def test_an_archives_time_is_followed_and_runs_on_whatever_is_done_to_the_wall_clock() -> None:
    bench = Bench(wall_ms=5_000)
    clock = Clock(False, hardware=bench)
    clock.adopt(WALL_MS)
    bench.pass_ms(HOUR_MS)
    bench.wall = 0

    assert (clock.now_ms(), clock.quality()) == (WALL_MS + HOUR_MS, FROM_ARCHIVE)


def test_an_archives_time_does_not_move_a_good_clock() -> None:
    clock = Clock(True, hardware=Bench())
    clock.adopt(WALL_MS + HOUR_MS)

    assert (clock.now_ms(), clock.quality()) == (WALL_MS, BY_PERSON)


def test_a_wall_clock_that_a_time_server_sets_later_wins() -> None:
    bench = Bench(wall_ms=5_000)
    clock = Clock(False, hardware=bench)
    clock.adopt(WALL_MS - HOUR_MS)
    bench.pass_ms(1_000)
    bench.wall, bench.ntp = WALL_MS, True

    assert (clock.now_ms(), clock.quality()) == (WALL_MS, NTP)


def test_the_sync_machine_is_told_what_the_store_has_seen() -> None:
    bench = Bench()
    kept = Clock(True, hardware=bench).mark()
    bench.pass_ms(2_000)
    now = Clock(True, kept, 0, bench).now()

    assert (now.pt_ms, now.quality, now.seen_ms, now.gap_ms) == (WALL_MS + 2_000, 3, 2_000, 0)


def test_a_boot_with_a_poor_clock_is_a_gap_even_if_an_archive_tells_the_time_later() -> None:
    kept = Clock(True, hardware=Bench()).mark()
    clock = Clock(False, kept, 40_000, Bench(boot="boot 2"))
    clock.adopt(WALL_MS)

    assert clock.now().gap_ms == clock.now().seen_ms == 40_001
