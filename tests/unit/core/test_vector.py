"""A summary vector: equal digests are equal stores, and a number says what came after."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.entry import LogId
from meshrelay.core.sync import restore_vector
from meshrelay.core.vector import DIGEST_BYTES, STEPS_MAX, Line, Vector, bucket_of
from tests.unit.core.city import CHUO, HQ, KITA, log_of

KITA_LOG, CHUO_LOG, HQ_LOG = log_of(KITA), log_of(CHUO), log_of(HQ, 0)


def vector_of(*changes: tuple[object, int, bytes]) -> Vector:
    vector = Vector()
    for log, height, head in changes:
        vector.advance(log, height, head)  # type: ignore[arg-type]
    return vector


def test_a_digest_does_not_tell_the_order_of_arrival() -> None:
    one = vector_of((KITA_LOG, 1, b"a" * 32), (CHUO_LOG, 2, b"b" * 32), (KITA_LOG, 3, b"c" * 32))
    two = vector_of((KITA_LOG, 3, b"c" * 32), (CHUO_LOG, 2, b"b" * 32))

    assert one.digest() == two.digest()
    assert len(one.digest()) == DIGEST_BYTES


def test_another_height_head_log_or_record_is_another_digest() -> None:
    base = vector_of((KITA_LOG, 1, b"a" * 32))
    with_record = vector_of((KITA_LOG, 1, b"a" * 32))
    with_record.add_record(b"r" * 32)
    others = [
        Vector(),
        vector_of((KITA_LOG, 2, b"a" * 32)),
        vector_of((KITA_LOG, 1, b"b" * 32)),
        vector_of((CHUO_LOG, 1, b"a" * 32)),
        vector_of((KITA_LOG._replace(incarnation=b"restored"), 1, b"a" * 32)),
        with_record,
    ]

    digests = {base.digest(), *(other.digest() for other in others)}

    assert len(digests) == 1 + len(others)


def test_a_digest_follows_every_change() -> None:
    vector = vector_of((KITA_LOG, 1, b"a" * 32))
    before = vector.digest()
    vector.advance(KITA_LOG, 2, b"b" * 32)

    assert vector.digest() != before


def test_what_changed_after_a_number_comes_oldest_first_and_once() -> None:
    vector = vector_of((KITA_LOG, 1, b"a" * 32), (CHUO_LOG, 1, b"b" * 32))
    vector.add_record(b"r" * 32)
    vector.advance(KITA_LOG, 2, b"c" * 32)

    assert vector.change == 4
    assert vector.after(0) == [(CHUO_LOG, 2), (b"r" * 32, 3), (KITA_LOG, 4)]
    assert vector.after(3) == [(KITA_LOG, 4)]
    assert vector.after(4) == []


def test_an_unknown_log_has_height_zero() -> None:
    assert Vector().height(KITA_LOG) == 0


KEYS = st.sampled_from([KITA_LOG, CHUO_LOG, HQ_LOG, b"r" * 32, b"s" * 32])
STEPS = st.lists(st.tuples(KEYS, st.integers(1, 9)), max_size=20)


@settings(deadline=None)
@given(STEPS)
def test_a_vector_read_from_disk_goes_on_where_it_stood(steps: list[tuple[object, int]]) -> None:
    vector = Vector()
    for key, height in steps:
        if isinstance(key, bytes):
            vector.add_record(key)
        else:
            vector.advance(key, height, b"h" * 32)  # type: ignore[arg-type]
    numbers = dict(vector.after(0))
    lines: list[tuple[Line, int]] = [(line, numbers[log]) for log, line in vector.lines.items()]
    records = [(key, number) for key, number in numbers.items() if isinstance(key, bytes)]

    again = restore_vector(lines, records)

    assert (again.change, again.digest(), again.after(0)) == (
        vector.change,
        vector.digest(),
        vector.after(0),
    )


# Buckets, cuts, and how a log came to its height


def test_equal_stores_have_equal_buckets_and_one_difference_shows_in_one() -> None:
    rows = [(LogId(bytes([n]) * 32, b"day one.", 1), 1, b"a" * 32) for n in range(200)]
    one, other = vector_of(*rows), vector_of(*reversed(rows))
    assert one.bucket_digests() == other.bucket_digests()

    other.add_record(b"r" * 32)
    pairs = zip(one.bucket_digests(), other.bucket_digests(), strict=True)
    assert [number for number, (a, b) in enumerate(pairs) if a != b] == [bucket_of(b"r" * 32)]


def test_a_bucket_names_what_falls_into_it() -> None:
    vector = vector_of((KITA_LOG, 1, b"a" * 32))
    vector.add_record(b"r" * 32)

    assert vector.bucket(bucket_of(b"r" * 32))[1] == [b"r" * 32]
    assert vector.bucket(bucket_of(KITA_LOG))[0] == [Line(KITA_LOG, 1, b"a" * 32)]


def test_a_cut_is_a_change_and_gives_the_digest_of_a_store_that_never_went_higher() -> None:
    vector = vector_of((KITA_LOG, 2, b"b" * 32), (CHUO_LOG, 1, b"c" * 32))
    vector.cut(Line(KITA_LOG, 1, b"a" * 32))

    assert vector.change == 3 and vector.height(KITA_LOG) == 1
    assert vector.digest() == vector_of((CHUO_LOG, 1, b"c" * 32), (KITA_LOG, 1, b"a" * 32)).digest()


def test_a_cut_to_nothing_removes_the_log() -> None:
    vector = vector_of((KITA_LOG, 2, b"b" * 32))
    vector.cut(Line(KITA_LOG, 0, KITA_LOG.first_prev))

    assert vector.digest() == Vector().digest()
    assert vector.after(0) == [] and vector.change == 2


def test_what_came_after_a_change_is_known_by_its_first_seq() -> None:
    vector = vector_of((KITA_LOG, 3, b"a" * 32), (CHUO_LOG, 1, b"b" * 32), (KITA_LOG, 9, b"c" * 32))

    assert vector.firsts_after(0) == {KITA_LOG: 1, CHUO_LOG: 1}
    assert vector.firsts_after(1) == {CHUO_LOG: 1, KITA_LOG: 4}
    assert vector.firsts_after(3) == {}


def test_what_was_read_from_the_disk_or_is_long_past_is_not_remembered() -> None:
    vector = vector_of((KITA_LOG, 3, b"a" * 32))
    vector.forget_steps()
    assert vector.firsts_after(0) is None and vector.firsts_after(1) == {}

    for height in range(4, 4 + STEPS_MAX + 1):
        vector.advance(KITA_LOG, height, b"b" * 32)
    assert vector.firsts_after(1) is None
    assert vector.firsts_after(2) == {KITA_LOG: 5}


def test_a_change_number_whose_row_is_gone_is_not_used_twice() -> None:
    assert restore_vector([], [], 7).change == 7
