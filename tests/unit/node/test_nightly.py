"""When a copy is due, by a clock that is right and by one that nobody set."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from meshrelay.core.events import Now
from meshrelay.node.backup import Stamp
from meshrelay.node.nightly import DAY_MS, is_due

JST = timezone(timedelta(hours=9))
HOUR = 2


@pytest.fixture(autouse=True)
def osaka() -> Iterator[None]:
    """The machine's time zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=JST).timestamp() * 1000)


def last(made: str, quality: int = 4, seen_ms: int = 0) -> Stamp:
    return Stamp(b"", "", at(made), quality, seen_ms, 0, 0, 0, b"")


def now(text: str, quality: int = 4, seen_ms: int = 0) -> Now:
    return Now(0, at(text), quality, seen_ms)


def test_a_stick_without_a_copy_gets_one_at_once() -> None:
    assert is_due(None, now("2026-11-23 14:00"), HOUR)
    assert is_due(None, now("1970-01-01 14:00", quality=0), HOUR)


@pytest.mark.parametrize(
    ("made", "here", "due"),
    [
        ("2026-11-22 02:00", "2026-11-22 23:59", False),
        ("2026-11-22 02:00", "2026-11-23 01:59", False),
        ("2026-11-22 02:00", "2026-11-23 02:00", True),
        ("2026-11-23 01:59", "2026-11-23 02:00", True),
        ("2026-11-23 02:01", "2026-11-23 02:02", False),
        ("2026-11-01 12:00", "2026-11-23 01:00", True),
    ],
)
def test_with_a_clock_that_somebody_set_it_is_the_hour_of_the_night(
    made: str, here: str, due: bool
) -> None:
    assert is_due(last(made), now(here), HOUR) is due
    assert is_due(last(made, quality=2), now(here, quality=3), HOUR) is due


@pytest.mark.parametrize(("then", "here"), [(1, 4), (4, 1), (0, 0)])
def test_without_one_it_is_a_day_that_this_node_saw_pass(then: int, here: int) -> None:
    made = last("2026-11-22 02:00", then, seen_ms=5_000)

    assert not is_due(made, now("2030-01-01 12:00", here, 5_000), HOUR)
    assert not is_due(made, now("2030-01-01 12:00", here, 4_999 + DAY_MS), HOUR)
    assert is_due(made, now("1970-01-01 12:00", here, 5_000 + DAY_MS), HOUR)


def test_a_copy_of_a_day_to_come_holds_up_the_next_for_one_day_only() -> None:
    made = last("2050-01-01 02:00", seen_ms=5_000)

    assert not is_due(made, now("2026-11-23 03:00", 4, 4_999 + DAY_MS), HOUR)
    assert is_due(made, now("2026-11-23 03:00", 4, 5_000 + DAY_MS), HOUR)


def test_a_store_that_is_behind_its_copy_gets_a_new_one() -> None:
    assert is_due(last("2026-11-22 02:00", 0, 5_000), now("2026-11-22 02:00", 0, 4_000), HOUR)
