"""Receipts: nothing counts that was not stated, and no statement counts unproved."""

from __future__ import annotations

from typing import Any

import pytest

from meshrelay.core.codec import encode
from meshrelay.core.entry import LogId
from meshrelay.core.frames import FRAME_BYTES_MAX, LINES_MAX, Haves, encode_frame
from meshrelay.core.have import (
    BLOBS_MAX,
    NO_NONCE,
    PAST_MAX,
    Have,
    Receipts,
    check_have,
    make_have,
    read_have,
)
from meshrelay.core.vector import Vector
from meshrelay.errors import FrameError, SignatureError
from tests.unit.core.city import CHUO, HQ, KITA, NETWORK, PT_MS, chain, log_of

DAY, NEXT, THIRD = b"day one.", b"day two.", b"day 3..."
KITA_5 = chain(KITA, 5)
LOG = KITA_5[0].log
CHUO_LOG = log_of(CHUO)


def holding(height: int, *more: tuple[LogId, int, bytes]) -> Vector:
    """A store with 北区's first entries."""
    vector = Vector()
    for entry in KITA_5[:height]:
        vector.advance(LOG, entry.seq, entry.id)
    for line in more:
        vector.advance(*line)
    return vector


def have(
    vector: Vector, incarnation: bytes = DAY, past: tuple[bytes, ...] = (), since: int = 0,
    stated_ms: int = PT_MS, health: dict[int, Any] | None = None,
) -> Have:  # fmt: skip
    return make_have(
        HQ, NETWORK, vector, incarnation, list(past), since, stated_ms, NO_NONCE, health or {}
    )


def lines_only(height: int, incarnation: bytes = DAY, **more: Any) -> Have:
    """A HAVE of a store that also holds what we lack: its digest never equals ours."""
    return have(holding(height, (CHUO_LOG, 9, b"z" * 32)), incarnation, **more)


def covered(*haves: Have, ours: Vector | None = None) -> int:
    receipts = Receipts()
    for each in haves:
        receipts.take(each, ours or holding(5))
    for log, seq in receipts.to_look_up:
        receipts.resolve(log, seq, KITA_5[seq - 1].id)
    return receipts.covered(HQ.public, LOG)


def test_a_statement_is_read_as_it_was_made() -> None:
    made = have(holding(3), past=(NEXT,), health={1: "0.1.0", 2: 4, 3: [1, 2, 3, 4]})

    assert read_have(made.raw) == made
    check_have(made, NETWORK)


def test_a_statement_of_another_network_does_not_verify() -> None:
    with pytest.raises(SignatureError):
        check_have(have(holding(3)), b"other network id")


def test_nobody_covers_anything_before_saying_so() -> None:
    assert Receipts().covered(HQ.public, LOG) == 0
    assert Receipts().newest(HQ.public) is None


def test_an_equal_digest_covers_all_that_we_hold() -> None:
    ours = holding(5, (CHUO_LOG, 2, b"c" * 32))
    receipts = Receipts()
    receipts.take(have(holding(5, (CHUO_LOG, 2, b"c" * 32)), since=6), ours)

    assert receipts.covered(HQ.public, LOG) == 5
    assert receipts.covered(HQ.public, CHUO_LOG) == 2
    assert receipts.moved == [(LOG, 0, 5), (CHUO_LOG, 0, 2)]


def test_a_line_at_our_height_counts_when_the_head_is_ours() -> None:
    assert covered(lines_only(5)) == 5


def test_a_line_with_another_head_counts_nothing() -> None:
    other = Vector()
    other.advance(LOG, 5, b"x" * 32)

    assert covered(have(other)) == 0


def test_a_line_below_our_height_counts_once_the_entry_was_looked_up() -> None:
    receipts = Receipts()
    receipts.take(lines_only(3), holding(5))

    assert receipts.to_look_up == [(LOG, 3)]
    assert receipts.covered(HQ.public, LOG) == 0
    receipts.resolve(LOG, 3, KITA_5[2].id)
    assert receipts.covered(HQ.public, LOG) == 3


def test_a_line_below_our_height_with_another_head_never_counts() -> None:
    receipts = Receipts()
    receipts.take(lines_only(3), holding(5))
    receipts.resolve(LOG, 3, b"x" * 32)

    assert receipts.covered(HQ.public, LOG) == 0
    assert not receipts.awaits(LOG) or receipts.covered(HQ.public, LOG) == 0


def test_a_line_above_our_height_counts_when_we_get_there() -> None:
    receipts = Receipts()
    receipts.take(lines_only(5), holding(3))

    assert receipts.awaits(LOG)
    assert receipts.covered(HQ.public, LOG) == 0
    assert receipts.stated(HQ.public, LOG) == 5
    receipts.resolve(LOG, 4, KITA_5[3].id)
    assert receipts.covered(HQ.public, LOG) == 0
    receipts.resolve(LOG, 5, KITA_5[4].id)
    assert receipts.covered(HQ.public, LOG) == 5


def test_a_lying_height_pins_nothing_for_others() -> None:
    lying = Vector()
    lying.advance(LOG, (1 << 63) - 1, b"x" * 32)
    receipts = Receipts()
    receipts.take(have(lying), holding(5))

    assert receipts.covered(HQ.public, LOG) == 0
    assert receipts.moved == []


def test_a_newer_statement_with_fewer_lines_takes_nothing_back() -> None:
    later = lines_only(5, since=5, stated_ms=PT_MS + 60_000)

    assert later.lines == lines_only(5).lines[1:]
    assert covered(lines_only(5), later) == 5


def test_an_older_statement_is_no_news() -> None:
    receipts = Receipts()
    new, old = lines_only(5, stated_ms=PT_MS + 1), lines_only(3)
    receipts.take(new, holding(5))

    assert not receipts.is_news(new)
    assert not receipts.is_news(old)


def test_an_older_statement_that_proves_more_is_news() -> None:
    receipts = Receipts()
    receipts.take(lines_only(5, since=5, stated_ms=PT_MS + 1), holding(5))

    assert receipts.is_news(lines_only(5))


def test_a_newer_incarnation_that_names_the_old_replaces_it() -> None:
    """The archive's card was restored: what it now holds counts, and no more."""
    before, after = lines_only(5), lines_only(3, NEXT, past=(DAY,), stated_ms=PT_MS + 1)

    assert covered(before, after) == 3


def test_a_replaced_incarnation_is_no_news_any_more() -> None:
    receipts = Receipts()
    receipts.take(lines_only(3, NEXT, past=(DAY,)), holding(5))

    assert not receipts.is_news(lines_only(5))


def test_a_newer_incarnation_that_told_only_changes_does_not_replace_the_old_yet() -> None:
    changes = lines_only(5, NEXT, past=(DAY,), since=5, stated_ms=PT_MS + 1)

    assert covered(lines_only(3), changes) == 3  # the holder did not say that it lost them
    assert covered(lines_only(3), changes, lines_only(3, NEXT, past=(DAY,))) == 3


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_unrelated_incarnations_only_what_both_cover_counts(turn: int) -> None:
    both = [lines_only(5), lines_only(3, THIRD)]

    assert covered(*both[::turn]) == 3


def test_an_incarnation_that_says_nothing_of_a_log_covers_nothing_of_it() -> None:
    assert covered(lines_only(5), have(holding(0, (CHUO_LOG, 9, b"z" * 32)), THIRD)) == 0


def test_what_is_passed_on_is_what_is_still_the_newest_word() -> None:
    receipts = Receipts()
    all_lines = lines_only(3)
    newer = lines_only(5, stated_ms=PT_MS + 1)
    idle = have(
        holding(5, (CHUO_LOG, 9, b"z" * 32)), since=6, stated_ms=PT_MS + 2
    )  # no lines: only an hour
    for each in (all_lines, newer, idle):
        receipts.take(each, holding(5))

    assert receipts.kept(newer.signer, newer.incarnation) == [newer, idle]
    assert receipts.newest(HQ.public) == idle


def test_receipts_know_who_spoke_and_of_what() -> None:
    receipts = Receipts()
    receipts.take(lines_only(3), holding(5))

    assert list(receipts.signers()) == [HQ.public]
    assert receipts.logs_stated(HQ.public) == {LOG, CHUO_LOG}


def test_a_statement_says_at_most_its_newest_lines_and_fits_a_frame() -> None:
    vector = Vector()
    most = (1 << 63) - 1
    for number in range(LINES_MAX + 50):
        vector.advance(LogId(number.to_bytes(32, "big"), DAY, 3), most, b"h" * 32)
    full = make_have(
        HQ, NETWORK, vector, DAY, [NEXT] * (PAST_MAX + 9), 0, PT_MS, NO_NONCE,
        dict.fromkeys(range(20), "x" * 40),
    )  # fmt: skip

    assert len(full.lines) == LINES_MAX and len(full.past) == PAST_MAX
    assert full.lines[-1].log.origin == (LINES_MAX + 49).to_bytes(32, "big")
    assert read_have(full.raw) == full
    assert len(encode_frame(Haves([full.raw]))) <= FRAME_BYTES_MAX


GOOD: list[Any] = [HQ.public, DAY, 1, [], 1, b"d" * 16, 0, [], PT_MS, NO_NONCE, {}, [b"b" * 32]]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"k"), (1, b"i"), (2, -1), (3, [b"short"]), (3, [DAY] * (PAST_MAX + 1)), (4, -1),
        (5, b"d" * 15), (6, True), (7, [[1]]), (7, None), (8, 1 << 48), (9, b"n"), (10, []),
        (10, {64: 1}), (10, {-1: 1}), (10, {1: "x" * 41}), (10, {1: [0] * 9}), (10, {1: [-1]}),
        (11, {}), (11, [b"b" * 31]), (11, [b"b" * 32] * (BLOBS_MAX + 1)), (11, None),
        (10, {1: b"raw"}),
    ],
)  # fmt: skip
def test_a_field_outside_its_limit_is_malformed(at: int, value: Any) -> None:
    fields = [*GOOD[:at], value, *GOOD[at + 1 :]]

    with pytest.raises(FrameError) as refused:
        read_have(HQ.sign1(encode(fields), b"meshrelay/have/1" + NETWORK))
    assert refused.value.reason == "malformed"


def test_elements_of_a_later_version_are_ignored() -> None:
    later = read_have(HQ.sign1(encode([*GOOD, "later"]), b"meshrelay/have/1" + NETWORK))

    check_have(later, NETWORK)
    assert later.change == 1 and later.blobs == [b"b" * 32]


def test_a_have_of_a_software_without_blobs_is_read_and_told_apart() -> None:
    earlier = read_have(HQ.sign1(encode(GOOD[:11]), b"meshrelay/have/1" + NETWORK))

    assert earlier.change == 1 and earlier.blobs is None


def test_after_any_number_of_restarts_the_old_words_end() -> None:
    """An archive that drew more incarnations than a HAVE can name covers what it states now."""
    ours, receipts = Vector(), Receipts()
    chain = [bytes([n]) * 8 for n in range(1, PAST_MAX + 5)]
    ours.advance(log_of(KITA), 5, b"5" * 32)
    for number in (1, len(chain)):
        have = make_have(
            HQ,
            NETWORK,
            ours,
            chain[number - 1],
            chain[: number - 1],
            0,
            PT_MS + number,
            NO_NONCE,
            {},
        )
        receipts.take(read_have(have.raw), ours)
        ours.advance(log_of(KITA), 50, b"6" * 32)

    assert receipts.covered(HQ.public, log_of(KITA)) == 50


def test_what_the_holder_lost_is_told_as_moved_back() -> None:
    full, restored, receipts = Vector(), Vector(), Receipts()
    full.advance(log_of(KITA), 50, b"6" * 32)
    restored.advance(log_of(KITA), 5, b"5" * 32)
    receipts.take(make_have(HQ, NETWORK, full, DAY, [], 0, PT_MS, NO_NONCE, {}), full)
    receipts.moved.clear()
    receipts.take(
        make_have(HQ, NETWORK, restored, b"restored", [DAY], 0, PT_MS, NO_NONCE, {}), full
    )

    assert receipts.moved == [(log_of(KITA), 0, 50)]


# Brief answers


def brief(incarnation: bytes, holds: Vector, stated_ms: int = PT_MS + 99) -> Have:
    made = make_have(HQ, NETWORK, holds, incarnation, [], 0, stated_ms, b"a nonce.", {2: 4}, True)
    return read_have(made.raw)


def take(receipts: Receipts, one: Have, ours: Vector) -> None:
    """Learn from it and look up what it claims below our height."""
    receipts.take(one, ours)
    for log, seq in receipts.to_look_up:
        receipts.resolve(log, seq, KITA_5[seq - 1].id)


def test_a_brief_answer_is_small() -> None:
    past = [bytes([number]) * 8 for number in range(40)]
    made = make_have(HQ, NETWORK, holding(5), DAY, past, 0, PT_MS, b"a nonce.", {2: 4}, True)

    assert len(made.raw) <= 200
    assert (made.number, made.past, made.lines) == (0, [], [])


def test_a_brief_answer_covers_by_its_digest_once_its_incarnation_is_known() -> None:
    receipts, ours = Receipts(), holding(5)
    assert not receipts.is_news(brief(DAY, ours))

    take(receipts, lines_only(3), ours)
    assert receipts.is_news(brief(DAY, ours))
    receipts.take(brief(DAY, ours), ours)
    assert receipts.covered(HQ.public, LOG) == 5
    assert receipts.tips()[HQ.public, DAY] == lines_only(3).change


def test_a_brief_answer_with_another_digest_covers_nothing() -> None:
    receipts, ours = Receipts(), holding(5)
    take(receipts, lines_only(3), ours)
    receipts.take(brief(DAY, holding(2)), ours)

    assert receipts.covered(HQ.public, LOG) == 3


def test_a_brief_answer_ends_no_incarnation() -> None:
    assert not brief(DAY, holding(1)).supersedes(lines_only(3, b"another."))
    assert not lines_only(3, b"another.").supersedes(brief(DAY, holding(1)))


def test_what_a_store_stated_is_asked_of_that_very_store() -> None:
    receipts = Receipts()
    take(receipts, lines_only(3), holding(5))

    assert receipts.covered_by(HQ.public, DAY, LOG) == 3
    assert receipts.covered_by(HQ.public, b"restored", LOG) == 0


def test_a_statement_covers_all_when_the_reader_becomes_equal_later() -> None:
    """The archive spoke before our own last entries were on disk, and then was silent."""
    receipts = Receipts()
    receipts.take(have(holding(5), since=99), holding(2))
    assert receipts.covered(HQ.public, LOG) == 0

    receipts.level(holding(4))
    assert receipts.covered(HQ.public, LOG) == 0
    receipts.level(holding(5))
    assert receipts.covered(HQ.public, LOG) == 5
    assert (LOG, 0, 5) in receipts.moved
