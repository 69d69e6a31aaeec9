"""Stamps grow along every chain of cause, and no peer can carry a clock away."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.clock import (
    AHEAD_MS_MAX,
    BY_PERSON,
    COUNTER_BITS,
    EXPIRED,
    FROM_ARCHIVE,
    NTP,
    UNSURE,
    VALID,
    HybridClock,
    age_now,
    is_uncertain,
    ms_of,
    validity,
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


# Known age and expiry

SIX_HOURS_S = 6 * 3_600


def test_an_age_grows_by_the_time_its_holder_has_seen() -> None:
    assert age_now(100 << 1, 5_000, 65_000, 0) == 160 << 1


def test_an_age_over_an_unseen_span_is_a_lower_bound() -> None:
    assert age_now(100 << 1, 5_000, 65_000, 5_001) == 160 << 1 | 1
    assert age_now(100 << 1, 5_000, 65_000, 5_000) == 160 << 1


def test_a_lower_bound_stays_one() -> None:
    assert age_now(100 << 1 | 1, 5_000, 65_000, 0) & 1 == 1


def test_an_age_never_shrinks() -> None:
    assert age_now(100 << 1, 5_000, 4_000, 0) == 100 << 1


def word(*, quality: int = 1, age_s: int = 60, lower: int = 0, later_s: int = 60,
         now_quality: int = 1) -> int:  # fmt: skip
    """Validity of a six-hour order, `later_s` after its creation by the clocks."""
    age = age_s << 1 | lower
    return validity(NOON, quality, SIX_HOURS_S, NOON + later_s * 1_000, now_quality, age)


def test_a_six_hour_order_after_two_days_without_power_is_unsure_never_valid() -> None:
    """The Pi saw one minute of it, its clock says 1970 or five minutes past noon."""
    for later_s in (-1_600_000_000, 300, 172_800):
        assert word(lower=1, later_s=later_s) == UNSURE


def test_an_unbroken_age_says_valid_without_any_clock() -> None:
    assert word(later_s=-1_600_000_000) == VALID


def test_a_known_age_above_the_lifetime_says_expired_whatever_the_clocks_say() -> None:
    assert word(age_s=SIX_HOURS_S, lower=1) == EXPIRED
    assert word(age_s=SIX_HOURS_S, quality=NTP, now_quality=NTP) == EXPIRED


def test_two_good_clocks_say_valid_and_expired() -> None:
    good = {"quality": NTP, "now_quality": BY_PERSON, "lower": 1}
    assert word(**good, later_s=SIX_HOURS_S - 1) == VALID
    assert word(**good, later_s=SIX_HOURS_S) == EXPIRED


def test_one_good_clock_is_not_enough() -> None:
    assert word(quality=NTP, lower=1, later_s=172_800) == UNSURE
    assert word(now_quality=NTP, lower=1, later_s=172_800) == UNSURE
    assert word(quality=FROM_ARCHIVE, now_quality=NTP, lower=1) == UNSURE
