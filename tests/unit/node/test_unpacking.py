"""What passed on the way, and what of a block the machine is to hear."""

from __future__ import annotations

import pytest

from meshrelay.core.clock import AHEAD_MS_MAX, BY_PERSON, FROM_ARCHIVE, NTP
from meshrelay.core.codec import encode
from meshrelay.core.events import Now
from meshrelay.core.frames import Entries, Haves, Hello, Records, decode_frame, encode_frame
from meshrelay.core.vector import NO_CURSOR
from meshrelay.node.unpacking import older, passed_ms, unpack

WRITTEN_MS = 1_795_000_000_000
AGE_MAX = (1 << 40) - 1


def now(after_ms: int, quality: int = NTP) -> Now:
    return Now(0, WRITTEN_MS + after_ms, quality)


@pytest.mark.parametrize(
    ("written", "read", "after_ms", "passed"),
    [
        (NTP, NTP, 90_000, 90_000),
        (BY_PERSON, BY_PERSON, 0, 0),
        (NTP, NTP, -AHEAD_MS_MAX, 0),  # clocks differ by a little
        (NTP, NTP, -AHEAD_MS_MAX - 1, None),
        (FROM_ARCHIVE, NTP, 90_000, None),
        (NTP, FROM_ARCHIVE, 90_000, None),
    ],
)
def test_two_good_clocks_tell_how_long_a_file_was_under_way(
    written: int, read: int, after_ms: int, passed: int | None
) -> None:
    assert passed_ms(WRITTEN_MS, written, now(after_ms, read)) == passed


@pytest.mark.parametrize(
    ("age", "passed", "after"),
    [
        (0, 0, 0),
        (20 << 1, 3_999, 23 << 1),
        (20 << 1 | 1, 3_000, 23 << 1 | 1),
        (20 << 1, None, 20 << 1 | 1),
        (AGE_MAX - 1, 10_000, AGE_MAX - 1),
        (AGE_MAX, 1 << 60, AGE_MAX),
    ],
)
def test_an_age_grows_by_the_way_and_stays_an_age(age: int, passed: int | None, after: int) -> None:
    assert older(age, passed) == after


def test_statements_and_records_are_heard_as_they_are() -> None:
    for frame in (Haves([b"have"]), Records([b"record"])):
        assert unpack(encode_frame(frame), None) == (encode_frame(frame), False, [])


def test_a_batch_of_none_is_heard_and_counts_nothing() -> None:
    empty = encode_frame(Entries(bytes(16), [], [], []))

    assert unpack(empty, 5_000) == (empty, False, [])
    assert decode_frame(empty) == Entries(bytes(16), [], [], [])


def test_what_only_a_link_says_and_what_later_versions_say_is_not_heard() -> None:
    hello = encode_frame(Hello(1, bytes(8), 0, bytes(16), NO_CURSOR, 0, bytes(4)))

    for content in (hello, encode([99, b"chunk"])):
        assert unpack(content, 0) == (None, False, [])


@pytest.mark.parametrize("content", [b"", b"\xff", encode([4, bytes(16), b"?"]), encode([5, 1])])
def test_nonsense_is_told_from_what_is_later(content: bytes) -> None:
    assert unpack(content, 0) == (None, True, [])
