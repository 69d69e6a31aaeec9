"""read: which entries were on whose screen, packed into ranges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.codec import encode
from meshrelay.core.entry import ENTRY_BYTES_MAX
from meshrelay.core.verdict import REFUSED
from meshrelay.desk import receipts
from meshrelay.desk.kind import place
from tests.unit.core.city import CHUO, KITA, PT_MS, log_of
from tests.unit.desk.rows import SESSION, MemoryRows, ended, item, shown

LOG = log_of(KITA)
ROW = ["1001", *LOG, [[1, 3]], SESSION]


def seen(*spans: list[Any]) -> list[Any]:
    """A row about these spans."""
    return [*ROW[:4], [*spans], SESSION]


SATO, SUZUKI = (receipts.Who(staff_id, SESSION) for staff_id in ("1001", "1002"))


@settings(deadline=None)
@given(
    st.sets(
        st.tuples(
            st.sampled_from([SATO, SUZUKI]), st.sampled_from([LOG, log_of(CHUO)]),
            st.integers(1, 60),
        ),
        max_size=80,
    )
)  # fmt: skip
def test_what_was_displayed_comes_back(displayed: set[Any]) -> None:
    body = receipts.encode_body("all", list(displayed))
    again = receipts.decode_body(body)

    assert again is not None
    assert set(again) == displayed and len(again) == len(displayed)
    assert receipts.check(body, "") is None


def test_a_screenful_is_one_range_and_small() -> None:
    body = receipts.encode_body("all", [(SATO, LOG, seq) for seq in range(1, 251)])

    assert len(body) < 120 < ENTRY_BYTES_MAX


@pytest.mark.parametrize(
    "fields",
    [
        None, {}, [], ["all"], [1, []], ["字" * 81, []], ["all", [ROW[:4]]], ["all", [ROW[:5]]],
        *(
            ["all", [row]]
            for row in (
                [*ROW[:5], b"short"], [1, *ROW[1:]], ["1001", b"short", *ROW[2:]],
                [*ROW[:3], 4, [], SESSION], seen([1]), seen([0, 1]), seen([2, 1]), seen([1, "2"]),
                seen([1, receipts.SEQS_MAX + 1]), seen([1, 600], [1_000, 1_600]),
            )
        ),
    ],
)  # fmt: skip
def test_another_schema_is_refused(fields: Any) -> None:
    assert receipts.check(encode(fields), "") == "schema"


def test_noise_is_refused() -> None:
    assert receipts.check(b"noise", "") == "schema"


def test_a_thousand_seqs_pass() -> None:
    assert receipts.check(encode(["all", [seen([1, receipts.SEQS_MAX])]]), "") is None


def test_elements_of_a_later_version_are_ignored() -> None:
    assert receipts.check(encode(["all", [ROW], "later"]), "") is None


def test_the_earliest_time_wins_whatever_came_first() -> None:
    early, late = (
        shown(("1001", LOG, 1), seq=seq, at_ms=PT_MS + seq) for seq in (1, 2)
    )  # fmt: skip
    for order in ([early, late], [late, early]):
        rows = MemoryRows()
        for entry in order:
            receipts.fold(rows, item(entry))
        ((group, sort, row),) = rows.rows.values()
        assert (group, sort) == (place(LOG, 1), "1001")
        assert (row["person"], row["at"]) == ("1001", PT_MS + 1)


def test_the_message_changes_for_pages_once() -> None:
    rows = MemoryRows()
    for seq in (1, 2):
        receipts.fold(rows, item(shown(("1001", LOG, 1), seq=seq)))

    assert rows.touched == [place(LOG, 1)]


def test_a_refused_entry_reads_nothing() -> None:
    rows = MemoryRows()
    receipts.fold(rows, item(shown(("1001", LOG, 1)), None, REFUSED, "lane"))

    assert rows.rows == {}


def test_what_an_end_took_out_has_read_nothing() -> None:
    rows = MemoryRows()
    early, late = (shown(("1001", LOG, 1), seq=seq, at_ms=PT_MS + seq) for seq in (1, 2))
    for each in (item(early), item(late), ended(early)):
        receipts.fold(rows, each)
    ((_, _, row),) = rows.rows.values()
    assert row["at"] == PT_MS + 2

    receipts.fold(rows, ended(late))
    assert rows.rows == {}
    assert rows.touched == [place(LOG, 1)] * 3
