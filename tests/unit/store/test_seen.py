"""The clock of seen time: exact within a boot, bridged by good clocks, else a gap."""

from __future__ import annotations

import pytest

from meshrelay.core.clock import FROM_ARCHIVE, NTP, UNKNOWN, age_now
from meshrelay.store.seen import Mark, Reading, SeenClock

WALL_MS = 1_790_000_000_000
DAY_MS = 86_400_000


def reading(boot: str, boot_ms: int, wall_ms: int = WALL_MS, quality: int = NTP) -> Reading:
    return Reading(boot, boot_ms, wall_ms, quality)


def test_a_new_store_has_seen_nothing_and_has_no_gap() -> None:
    clock = SeenClock(None, reading("a", 5_000), 0)

    assert (clock.seen_ms(5_000), clock.gap_ms) == (0, 0)
    assert clock.seen_ms(5_250) == 250


def test_a_restart_within_a_boot_goes_on_exactly_whatever_the_wall_clock_says() -> None:
    kept = SeenClock(None, reading("a", 5_000), 0).mark(reading("a", 65_000))
    clock = SeenClock(kept, reading("a", 95_000, wall_ms=0, quality=UNKNOWN), 0)

    assert (clock.seen_ms(95_000), clock.gap_ms) == (90_000, 0)


def test_days_without_power_between_two_good_clocks_are_counted() -> None:
    kept = Mark(reading("a", 65_000), 60_000, 0)
    clock = SeenClock(kept, reading("b", 9_000, WALL_MS + 2 * DAY_MS), 0)

    assert (clock.seen_ms(9_000), clock.gap_ms) == (60_000 + 2 * DAY_MS, 0)


@pytest.mark.parametrize(
    ("before", "after", "wall_ms"),
    [
        (NTP, FROM_ARCHIVE, WALL_MS + DAY_MS),
        (UNKNOWN, NTP, WALL_MS + DAY_MS),
        (NTP, NTP, WALL_MS - 1),  # one of them is wrong
    ],
)
def test_days_without_power_and_a_poor_clock_are_a_gap(
    before: int, after: int, wall_ms: int
) -> None:
    kept = Mark(reading("a", 65_000, quality=before), 60_000, 0)
    clock = SeenClock(kept, reading("b", 9_000, wall_ms, after), 0)

    assert clock.seen_ms(9_000) == clock.gap_ms == 60_001


def test_every_age_from_before_a_gap_is_a_lower_bound_and_none_from_after_it() -> None:
    kept = Mark(reading("a", 65_000), 60_000, 0)
    # An entry came after the mark was kept; then the power went.
    newest_ms = 75_000
    clock = SeenClock(kept, reading("b", 0, quality=UNKNOWN), newest_ms)
    now_ms = clock.seen_ms(4_000)

    assert age_now(0, newest_ms, now_ms, clock.gap_ms) == (4 << 1 | 1)
    assert age_now(0, clock.seen_ms(0), now_ms, clock.gap_ms) == 4 << 1


def test_a_gap_is_remembered_over_later_restarts() -> None:
    kept = Mark(reading("a", 65_000), 60_000, 30_000)
    clock = SeenClock(kept, reading("a", 66_000), 0)

    assert clock.gap_ms == 30_000
    assert clock.mark(reading("a", 67_000)) == Mark(reading("a", 67_000), 62_000, 30_000)


def test_time_never_runs_back_before_the_newest_entry() -> None:
    kept = Mark(reading("a", 65_000), 60_000, 0)

    assert SeenClock(kept, reading("a", 65_100), 80_000).seen_ms(65_100) == 80_000


def test_entries_without_any_mark_lie_before_a_gap() -> None:
    clock = SeenClock(None, reading("a", 0), 500)

    assert clock.gap_ms == clock.seen_ms(0) == 501


def test_a_mark_survives_as_text() -> None:
    mark = Mark(reading("3f0c-11", 65_000), 60_000, 30_000)

    assert Mark.unpack(mark.pack()) == mark
