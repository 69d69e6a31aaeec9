"""What a log lacks below its height: opened, filled, evicted, cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core import gaps
from meshrelay.core.gaps import Gap, Gaps
from meshrelay.errors import FrameError

FIRST_PREV = b"f" * 32


def an_id(seq: int) -> bytes:
    """The id of entry `seq`; of 0 what seq 1 carries as prev."""
    return seq.to_bytes(32, "big") if seq else FIRST_PREV


def gap(low: int, high: int, wanted: bool = True) -> Gap:
    return Gap(low, an_id(low), high, an_id(high), wanted)


def test_the_floor_is_the_upper_end_of_the_highest_gap() -> None:
    assert gaps.floor_of(()) == 0
    assert gaps.floor_of((gap(0, 4, False), gap(9, 12))) == 12


def test_a_hole_spans_what_may_never_have_been_held() -> None:
    assert gaps.hole_of((gap(0, 4, False),)) is None
    assert gaps.hole_of((gap(0, 4, False), gap(9, 12), gap(20, 21))) == (9, 21)


def test_two_gaps_that_touch_become_one() -> None:
    assert gaps.opened((gap(3, 5),), gap(5, 9)) == (gap(3, 9),)
    assert gaps.opened((gap(3, 5), gap(8, 9)), gap(5, 8)) == (gap(3, 9),)


def test_what_was_evicted_is_not_wanted_again_because_a_damaged_row_touches_it() -> None:
    assert gaps.opened((gap(0, 5, False),), gap(5, 6)) == (gap(0, 5, False), gap(5, 6))


def test_a_gap_is_filled_from_its_upper_end_down() -> None:
    one = (gap(10, 50),)

    left = gaps.filled(one, 31, an_id(30))

    assert left == (gap(10, 30),)
    assert gaps.filled(left, 11, an_id(10)) == ()


def test_the_highest_wanted_gap_is_filled_first() -> None:
    both = (gap(0, 4), gap(10, 12), gap(20, 22, False))

    assert gaps.to_fill(both) == gap(10, 12)


def test_what_leads_to_another_branch_fills_nothing() -> None:
    assert gaps.filled((gap(10, 50),), 11, b"x" * 32) is None


def test_what_lies_outside_the_gap_fills_nothing() -> None:
    assert gaps.filled((gap(10, 50),), 10, an_id(9)) is None
    assert gaps.filled((gap(10, 50),), 51, an_id(50)) is None
    assert gaps.filled((), 1, FIRST_PREV) is None


def test_eviction_gives_up_the_gaps_that_it_reaches() -> None:
    assert gaps.evicted((gap(3, 5),), 9, an_id(9), FIRST_PREV) == (gap(0, 9, False),)
    assert gaps.evicted((gap(3, 20), gap(30, 31)), 9, an_id(9), FIRST_PREV) == (
        gap(0, 20, False),
        gap(30, 31),
    )


def test_a_cut_takes_gaps_with_it() -> None:
    assert gaps.cut((gap(3, 5), gap(8, 20)), 10, an_id(10)) == (gap(3, 5), gap(8, 10))
    assert gaps.cut((gap(3, 5),), 3, an_id(3)) == ()


def test_a_log_in_too_many_pieces_is_joined_from_below() -> None:
    many: Gaps = ()
    for number in range(gaps.GAPS_MAX + 5):
        many = gaps.opened(many, gap(10 * number + 1, 10 * number + 2))

    assert len(many) == gaps.GAPS_MAX
    assert many[0] == gap(1, 52)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 9), st.booleans()), max_size=12))
def test_gaps_are_read_as_they_were_packed_and_never_overlap(
    pieces: list[tuple[int, int, bool]],
) -> None:
    found: Gaps = ()
    for low, length, wanted in pieces:
        if not any(gaps.lacks(found, seq) for seq in range(low, low + length + 2)):
            found = gaps.opened(found, gap(low, low + length, wanted))

    assert gaps.unpack(gaps.pack(found)) == found
    assert all(one.high <= two.low for one, two in pairwise(found))


@pytest.mark.parametrize("data", [b"\x81\x85\x00\x00\x00\x00\x00", b"\x81\x01", b"\xff", b"\x01"])
def test_a_damaged_list_of_gaps_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        gaps.unpack(data)
