"""Stamps grow along every chain of cause, and no peer can carry a clock away."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.clock import (
    AHEAD_MS_MAX,
    BY_PERSON,
    COUNTER_BITS,
    FROM_ARCHIVE,
    NTP,
    HybridClock,
    is_uncertain,
    ms_of,
)

NOON = 1_790_000_000_000


@settings(deadline=None)
@given(st.lists(st.integers(-1_000, NOON * 2), min_size=2, max_size=20))
def test_own_stamps_grow_whatever_the_clock_does(times: list[int]) -> None:
    clock = HybridClock()
    stamps = [clock.stamp(pt_ms) for pt_ms in times]

    assert all(a < b for a, b in pairwise(stamps))


def test_a_stamp_is_the_time_when_nothing_pushes_it() -> None:
    assert ms_of(HybridClock().stamp(NOON)) == NOON


def test_a_stamp_follows_what_it_answers() -> None:
    clock = HybridClock()
    clock.stamp(NOON)
    remote = (NOON + 30_000) << COUNTER_BITS
    clock.observe(remote, NOON)

    assert clock.stamp(NOON) > remote


def test_a_stamp_at_the_clamp_is_followed_and_one_beyond_is_not() -> None:
    for ahead, follows in ((AHEAD_MS_MAX, True), (AHEAD_MS_MAX + 1, False)):
        clock = HybridClock()
        clock.observe((NOON + ahead) << COUNTER_BITS, NOON)
        assert (ms_of(clock.stamp(NOON)) > NOON) is follows


def test_small_steps_do_not_ratchet_the_clock_away() -> None:
    clock = HybridClock()
    for step in range(1, 100):
        clock.observe((NOON + step * 50_000) << COUNTER_BITS, NOON)

    assert ms_of(clock.stamp(NOON)) <= NOON + AHEAD_MS_MAX


def test_a_new_start_goes_on_after_its_newest_own_stamp() -> None:
    newest = (NOON + 5_000) << COUNTER_BITS

    assert HybridClock(newest).stamp(NOON) > newest


def test_a_poor_or_far_ahead_time_is_marked() -> None:
    now = NOON << COUNTER_BITS

    assert is_uncertain(now, FROM_ARCHIVE, NOON)
    assert not is_uncertain(now, BY_PERSON, NOON)
    assert not is_uncertain((NOON + AHEAD_MS_MAX) << COUNTER_BITS, NTP, NOON)
    assert is_uncertain((NOON + AHEAD_MS_MAX + 1) << COUNTER_BITS, NTP, NOON)
