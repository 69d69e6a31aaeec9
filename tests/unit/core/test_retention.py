"""How much a store takes in, from peers and from people, and what it drops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshrelay.core.entry import BACKGROUND, BULK, NORMAL, URGENT, LogId
from meshrelay.core.retention import (
    EVICT_DOWN_TO,
    FULL,
    LOGS_PER_ORIGIN_MAX,
    ORIGIN_FULL,
    PEERS_FULL,
    PEOPLE_FULL,
    QUOTA,
    TOO_MANY_LOGS,
    Old,
    Stock,
    choose,
    refuses_people,
    to_free,
)
from tests.unit.core.city import CHUO, KITA, log_of

QUOTA_BYTES = 1_000_000


def stock(used: int) -> Stock:
    made = Stock()
    made.used, made.quota = used, QUOTA_BYTES
    return made


def row(log: LogId, first: int, count: int, written: int, expired: bool = False) -> Iterator[Old]:
    for seq in range(first, first + count):
        yield Old(log, seq, seq.to_bytes(32, "big"), 100, written + seq, expired)


def anything(_: Old) -> bool:
    return True


@pytest.mark.parametrize(("lane", "percent"), [(3, 80), (1, 90), (0, 100)])
def test_people_are_refused_bulk_at_80_normal_at_90_urgent_at_100_percent(
    lane: int, percent: int
) -> None:
    assert not refuses_people(lane, QUOTA_BYTES * percent // 100 - 1, QUOTA_BYTES)
    assert refuses_people(lane, QUOTA_BYTES * percent // 100, QUOTA_BYTES)


@pytest.mark.parametrize("lane", [URGENT, NORMAL, BACKGROUND, BULK])
def test_peers_are_asked_no_more_before_our_own_people_are_refused(lane: int) -> None:
    assert PEERS_FULL[lane] < PEOPLE_FULL[lane]
    full = stock(QUOTA_BYTES * PEERS_FULL[lane] // 100)

    assert full.bars(log_of(KITA, lane), False) == FULL
    full.used -= 1
    assert full.bars(log_of(KITA, lane), False) is None


def test_one_origin_fills_its_quota_with_all_its_incarnations_and_nobody_elses() -> None:
    shelves = stock(0)
    share = QUOTA_BYTES * ORIGIN_FULL[NORMAL] // 100
    for number in range(4):
        shelves.add(log_of(KITA, 1, number.to_bytes(8, "big")), share // 4, True)

    assert shelves.bars(log_of(KITA, 1, b"a fresh1"), True) == QUOTA
    assert shelves.bars(log_of(KITA, 0), True) is None  # each lane has its own
    assert shelves.bars(log_of(CHUO, 1), True) is None
    shelves.add(log_of(KITA, 1), -1, False)
    assert shelves.bars(log_of(KITA, 1), False) is None


def test_an_origin_that_draws_incarnations_without_end_is_stopped() -> None:
    shelves = Stock()
    for number in range(LOGS_PER_ORIGIN_MAX):
        shelves.add(log_of(KITA, 1, number.to_bytes(8, "big")), 1, True)

    assert shelves.bars(log_of(KITA, 1, b"one more"), True) == TOO_MANY_LOGS
    assert shelves.bars(log_of(KITA, 1, bytes(8)), False) is None  # what is here goes on


def test_nothing_is_freed_while_there_is_air() -> None:
    assert to_free(QUOTA_BYTES * 70 // 100 - 1, QUOTA_BYTES) == 0
    assert to_free(QUOTA_BYTES * 8 // 10, QUOTA_BYTES) == QUOTA_BYTES * (80 - EVICT_DOWN_TO) // 100
    assert to_free(5, 0) == 0


def test_eviction_goes_by_class_then_by_age() -> None:
    bulk, reads, talk = log_of(KITA, BULK), log_of(KITA, BACKGROUND), log_of(KITA, NORMAL)
    older = log_of(CHUO, NORMAL)
    logs = {
        talk: row(talk, 1, 3, 500),
        older: row(older, 1, 3, 100, expired=True),
        reads: row(reads, 1, 3, 50),
        bulk: row(bulk, 1, 3, 900),
    }

    drops = choose(logs, 1_000, anything)

    assert [(drop.log, drop.upto, drop.size) for drop in drops] == [
        (bulk, 3, 300),  # bulk first, however new
        (older, 3, 300),  # then what has expired
        (reads, 3, 300),
        (talk, 1, 100),
    ]


def test_urgent_is_never_evicted() -> None:
    urgent = log_of(KITA, URGENT)

    assert choose({urgent: row(urgent, 1, 9, 1, expired=True)}, 10_000, anything) == []


def test_a_log_loses_only_a_first_part() -> None:
    talk = log_of(KITA, NORMAL)

    (drop,) = choose({talk: row(talk, 5, 9, 1)}, 10_000, lambda old: old.seq != 8)

    assert (drop.upto, drop.size) == (7, 300)


def test_what_may_not_go_stays_however_full_the_store_is() -> None:
    talk = log_of(KITA, NORMAL)

    assert choose({talk: row(talk, 1, 9, 1)}, 10_000, lambda old: False) == []
