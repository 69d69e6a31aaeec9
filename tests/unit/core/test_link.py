"""One link: what is sent next, how much, and who may be patient with whom."""

from __future__ import annotations

import pytest

from meshrelay.core.entry import BULK, LANES, NORMAL, URGENT
from meshrelay.core.frames import BATCH_BYTES_MAX
from meshrelay.core.link import (
    GRANT_BYTES_FIRST,
    GRANT_BYTES_MAX,
    GRANT_BYTES_MIN,
    LEASE_MS,
    LEASE_URGENT_MS,
    Lease,
    LinkState,
)
from tests.unit.core.city import CHUO, HQ, KITA, log_of


def link() -> LinkState:
    return LinkState(1, KITA.public, "lan", False, False, 0)


def test_the_most_urgent_lane_is_served_first() -> None:
    here = link()
    for lane in (BULK, NORMAL, URGENT):
        here.wake(log_of(KITA, lane))

    order = []
    while (log := here.next_log(LANES)) is not None:
        order.append(log.lane)
        here.sleep(log)
    assert order == [URGENT, NORMAL, BULK]


def test_logs_of_one_lane_take_turns() -> None:
    here = link()
    logs = [log_of(signer) for signer in (KITA, CHUO, HQ)]
    for log in logs:
        here.wake(log)

    assert [here.next_log(LANES) for _ in range(6)] == logs * 2


def test_a_withdrawn_log_is_not_sent() -> None:
    here = link()
    here.standing[log_of(KITA)] = 1
    here.wake(log_of(KITA))
    here.withdraw(log_of(KITA))

    assert here.next_log(LANES) is None and not here.standing


def test_a_batch_is_bounded_by_the_grant_and_by_the_frame() -> None:
    here = link()
    here.window, here.under_way = 150, 100
    assert here.batch_bytes() == 50
    here.under_way = 0
    assert here.batch_bytes() == 75
    here.window = GRANT_BYTES_MAX
    assert here.batch_bytes() == BATCH_BYTES_MAX


def granted(bytes_per_second: int, rounds: int = 20) -> int:
    """The grant after some rounds in which the link carried all it was granted."""
    here, now_ms = link(), 0
    for _ in range(rounds):
        here.used = here.grant
        now_ms += max(here.grant * 1000 // bytes_per_second, 1)
        here.next_grant(now_ms)
    return here.grant


def test_a_grant_is_a_quarter_second_of_the_measured_rate() -> None:
    assert granted(1_000_000) == pytest.approx(250_000, rel=0.01)


def test_a_grant_never_leaves_its_bounds() -> None:
    assert granted(1_000) == GRANT_BYTES_MIN
    assert granted(1_000_000_000) == GRANT_BYTES_MAX


def test_a_grant_at_most_doubles_and_keeps_its_size_when_nothing_came() -> None:
    here = link()
    here.grant = here.used = GRANT_BYTES_MIN

    assert here.next_grant(1) == (2 * GRANT_BYTES_MIN, GRANT_BYTES_MIN)
    assert here.next_grant(5_000) == (2 * GRANT_BYTES_MIN, 0)


def test_a_new_grant_is_due_when_half_is_used() -> None:
    here = link()
    here.used = GRANT_BYTES_FIRST // 2 - 1
    assert not here.needs_grant()
    here.used += 1
    assert here.needs_grant()


def test_an_urgent_lease_is_shorter() -> None:
    assert Lease(URGENT, 0, 100).until_ms == 100 + LEASE_URGENT_MS
    assert Lease(NORMAL, 0, 100).until_ms == 100 + LEASE_MS


def test_a_log_that_moves_is_noted_for_the_end_of_its_term() -> None:
    here = link()
    lease = here.leases[log_of(KITA)] = Lease(NORMAL, 0, 0)
    lease.fruitless = 2
    here.took(log_of(KITA), 9_000)

    assert (lease.moved, lease.fruitless) == (True, 0)


def test_a_term_is_twice_as_long_after_a_fruitless_one() -> None:
    lease = Lease(NORMAL, 0, 0)
    for lease.fruitless in (1, 2, 3):
        lease.renew(0, 1_000)
        assert lease.until_ms == 1_000 + 2 * LEASE_MS


def test_a_peer_that_drips_is_slow_and_a_narrow_line_is_not() -> None:
    lease = Lease(NORMAL, 500, 0)

    assert lease.is_slow(500 + 9_999)
    assert not lease.is_slow(500 + 10_000)


def test_bulk_is_patient_while_a_higher_lane_moves() -> None:
    here = link()
    here.took(log_of(KITA, NORMAL), 5_000)

    assert here.higher_lane_moved(BULK, 4_000)
    assert not here.higher_lane_moved(NORMAL, 4_000)
    assert not here.higher_lane_moved(BULK, 6_000)
