"""Level A by the name of each outcome; only bad bytes close a link."""

from __future__ import annotations

import pytest

from meshrelay.core import accept
from meshrelay.core.accept import Acceptor
from meshrelay.core.clock import AHEAD_MS_MAX, NTP, UNKNOWN, HybridClock, ms_of
from meshrelay.core.entry import ENTRY_BYTES_MAX, Entry, entry_aad
from meshrelay.core.events import Received
from meshrelay.core.frames import Records, encode_frame
from meshrelay.core.signing import Signer
from meshrelay.core.vector import Vector
from tests.unit.core.city import (
    CHUO,
    KITA,
    NETWORK,
    NISHINARI,
    PT_MS,
    RECORDS,
    Station,
    batch,
    book_of,
    chain,
    checked,
    note,
    two_wards,
)

DAY = b"day one."


def acceptor(signer: Signer = CHUO, *, vector: Vector | None = None) -> Acceptor:
    return Acceptor(signer, book_of(*RECORDS), vector or Vector(), HybridClock())


def outcomes(judge: Acceptor, entries: list[Entry]) -> list[int]:
    return [judge.receive(checked(entry), DAY, PT_MS) for entry in entries]


def test_entries_in_order_are_taken() -> None:
    assert outcomes(acceptor(), chain(KITA, 3)) == [accept.TAKEN] * 3


def test_what_is_taken_is_not_held_before_the_commit() -> None:
    vector = Vector()
    judge = acceptor(vector=vector)
    entries = chain(KITA, 2)
    outcomes(judge, entries)

    assert (judge.taken(entries[0].log), vector.height(entries[0].log)) == (2, 0)
    judge.committed(entries)
    assert vector.height(entries[0].log) == 2


def test_a_failed_commit_puts_taken_back() -> None:
    judge = acceptor()
    entries = chain(KITA, 2)
    outcomes(judge, entries)
    judge.put_back()

    assert judge.taken(entries[0].log) == 0
    assert outcomes(judge, entries) == [accept.TAKEN] * 2


def test_an_entry_held_already_is_replayed() -> None:
    judge = acceptor()
    first, second = chain(KITA, 2)

    assert outcomes(judge, [first, second, first, second])[2:] == [accept.HELD] * 2


def test_a_missing_entry_is_a_gap() -> None:
    judge = acceptor()
    entries = chain(KITA, 3)

    assert outcomes(judge, [entries[0], entries[2]]) == [accept.TAKEN, accept.GAP]


def test_an_entry_without_its_origins_credential_waits_for_it() -> None:
    judge = acceptor()

    assert outcomes(judge, chain(Signer(b"stranger" * 4), 1)) == [accept.NO_CREDENTIAL]


def test_other_bytes_at_the_head_are_a_fork() -> None:
    judge = acceptor()
    entries, others = chain(KITA, 1), chain(KITA, 1, text="別の第")

    assert outcomes(judge, [*entries, *others]) == [accept.TAKEN, accept.FORK]


def test_a_next_entry_on_another_branch_is_a_fork() -> None:
    judge = acceptor()
    entries, others = chain(KITA, 1), chain(KITA, 2, text="別の第")

    assert outcomes(judge, [*entries, others[1]]) == [accept.TAKEN, accept.FORK]


def test_an_unsigned_rumour_is_no_fork() -> None:
    rumour = chain(KITA, 1, network=b"other network id", text="別の第")[0]

    chuo = bring(batch(rumour.raw))
    assert chuo.refused() == chuo.closed() == ["bad_signature"]


def test_another_machine_with_our_key_is_not_followed() -> None:
    judge = acceptor(KITA)

    assert outcomes(judge, chain(KITA, 1)) == [accept.OWN_LOG]


def test_our_own_older_entries_come_back_by_sync() -> None:
    judge = acceptor(KITA)
    (entry,) = chain(KITA, 1)

    assert judge.receive(checked(entry), b"restored", PT_MS) == accept.TAKEN


def test_a_batch_is_prepared_up_to_its_first_bad_entry() -> None:
    first, second, third = chain(KITA, 3)
    broken = second.raw[:-1] + bytes([second.raw[-1] ^ 1])
    prepared = accept.prepare(batch(first.raw, broken, third.raw), NETWORK, book_of(*RECORDS))

    assert prepared is not None and prepared.error is not None
    assert prepared.error.reason == "bad_signature"
    assert [each.entry for each in prepared.checked] == [first]


def test_only_batches_of_entries_are_prepared() -> None:
    frame = encode_frame(Records([RECORDS[0].raw]))
    assert accept.prepare(frame, NETWORK, book_of(*RECORDS)) is None


def test_a_prepared_batch_is_taken_like_any_other() -> None:
    _, chuo, link = receiving()
    data = batch(GOOD[1].raw, GOOD[2].raw)
    chuo.feed(Received(link, data, accept.prepare(data, NETWORK, chuo.machine.book)))

    assert chuo.height(GOOD[0].log) == 3


def test_own_entries_are_numbered_linked_and_stamped() -> None:
    judge = acceptor(KITA)
    first, second = (judge.append(note(text), DAY, PT_MS, 3) for text in ("一", "二"))

    assert (first.seq, second.seq) == (1, 2)
    assert second.prev == first.id and second.hlc > first.hlc
    assert second.quality == 3


def test_a_mended_clock_does_not_vouch_for_stamps_that_a_wrong_hour_drove_ahead() -> None:
    kita = acceptor(KITA)
    ahead = PT_MS + 2 * AHEAD_MS_MAX
    kita.append(note("50年先"), DAY, ahead, UNKNOWN)

    after = kita.append(note("直った時計"), DAY, PT_MS, NTP)
    near = kita.append(note("追いついた"), DAY, ahead - AHEAD_MS_MAX, NTP)

    assert ms_of(after.hlc) == ahead and (after.quality, near.quality) == (UNKNOWN, NTP)


def test_one_log_of_a_commit_counts_once() -> None:
    vector = Vector()
    judge = acceptor(vector=vector)
    entries = [*chain(KITA, 3), *chain(NISHINARI, 1)]
    outcomes(judge, entries)

    assert judge.committed(entries) == {
        entries[0].log: (True, 1), entries[3].log: (True, 1),
    }  # fmt: skip
    assert vector.change == 2


# What each outcome does to the link that brought it

GOOD = chain(KITA, 3)
ALTERED = GOOD[0].raw[:-1] + bytes([GOOD[0].raw[-1] ^ 1])
FORKED = chain(KITA, 1, text="別の第")[0].raw
STRANGER = chain(Signer(b"stranger" * 4), 1)[0].raw
HUGE = KITA.sign1(bytes(ENTRY_BYTES_MAX), entry_aad(NETWORK))
OWN = chain(CHUO, 1)[0].raw
FOREIGN = batch(GOOD[0].raw, network=b"other network id")


def receiving() -> tuple[Station, Station, int]:
    """中央区 with an open link to 北区, holding 北区's first entry."""
    city, kita, chuo = two_wards()
    _, link = city.join(kita, chuo)
    city.deliver()
    city.sent(kita, link - 1, batch(GOOD[0].raw))
    city.deliver()
    assert chuo.height(GOOD[0].log) == 1
    return kita, chuo, link


def bring(data: bytes) -> Station:
    kita, chuo, link = receiving()
    assert kita.city is not None
    kita.city.sent(kita, link - 1, data)
    kita.city.deliver()
    return chuo


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("malformed", batch(b"noise")),
        ("oversize", batch(HUGE)),
        ("bad_signature", batch(GOOD[1].raw[:-1] + b"\x00")),
        ("foreign_network", FOREIGN),
    ],
)
def test_bad_bytes_close_the_link(reason: str, data: bytes) -> None:
    chuo = bring(data)

    assert chuo.refused() == [reason]
    assert chuo.closed() == [reason]


@pytest.mark.parametrize(
    ("reason", "raw"),
    [
        ("replayed", GOOD[0].raw),
        ("gap", GOOD[2].raw),
        ("no_credential", STRANGER),
        ("fork", FORKED),
        ("own_log", OWN),
    ],
)
def test_what_honest_nodes_may_bring_keeps_the_link(reason: str, raw: bytes) -> None:
    chuo = bring(batch(raw))

    assert chuo.refused() == [reason]
    assert chuo.closed() == []


def test_what_was_good_before_a_bad_entry_is_kept() -> None:
    chuo = bring(batch(GOOD[1].raw, ALTERED, GOOD[2].raw))

    assert chuo.closed() == ["bad_signature"]
    assert chuo.height(GOOD[0].log) == 2
