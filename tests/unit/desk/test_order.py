"""Orders are listed by room while an effective copy of them is held, whatever came first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.verdict import REFUSED, WAITING
from meshrelay.desk import file, order, talk
from meshrelay.desk.kind import Item, Row
from tests.unit.core.city import CHUO, HQ, KITA, PT_MS, person, said
from tests.unit.desk.rows import MemoryRows, ended, item

KINDS = {kind.name: kind for kind in (talk.KIND, file.KIND, *order.KINDS)}
MAYOR, SATO = person("0001", HQ, 1, ("hq",)), person("1001", KITA, 2)
MAYOR_AT_CHUO = person("0001", CHUO, 1, ("hq",))


def text(words: str) -> bytes:
    return talk.encode_body(words)


ITEMS = [
    # one order that two nodes took in; one above an end that was taken before
    item(said(MAYOR, HQ, text("参集"), kind="instruction", lane=0), MAYOR),
    item(
        said(MAYOR_AT_CHUO, CHUO, text("参集"), kind="instruction", lane=0, hlc_ms=PT_MS + 5),
        MAYOR,
    ),
    item(said(MAYOR, HQ, text("災害"), kind="mode", lane=0, seq=2, message=2), MAYOR),
    ended(said(MAYOR, HQ, text("災害"), kind="mode", lane=0, seq=2, message=2), MAYOR),
    # somebody who may not; plain talk
    item(
        said(SATO, KITA, text("にせ"), kind="evacuation", lane=0, seq=3, message=3), SATO, REFUSED,
        "role",
    ),
    item(said(SATO, KITA, text("了解"), seq=4, message=4), SATO),
    # an order, and older talk under the same id, which the room shows instead
    item(said(MAYOR, HQ, text("避難"), kind="evacuation", lane=0, seq=5, message=5), MAYOR),
    item(said(MAYOR, HQ, text("避難？"), seq=1, message=5, hlc_ms=PT_MS - 9), MAYOR),
    # two orders under one id, in two rooms
    item(said(MAYOR, HQ, text("一"), kind="notice", lane=0, seq=6, message=6), MAYOR),
    item(
        said(
            MAYOR, HQ, text("二"), kind="mode", lane=0, seq=7, message=6, audience="ward:01",
            hlc_ms=PT_MS + 9,
        ),
        MAYOR,
    ),
]  # fmt: skip


def folded(items: list[Item]) -> dict[tuple[str, str], tuple[str, str, Row]]:
    rows = MemoryRows()
    for each in items:
        KINDS[each.entry.kind].fold(rows, each)
    return rows.rows


def listed(items: list[Item]) -> dict[int, tuple[str, str]]:
    """Message number: (room, kind)."""
    return {
        int(key.partition("/")[2], 16): (group, row["kind"])
        for (kind, key), (group, _, row) in folded(items).items()
        if kind == order.LIST
    }


@settings(max_examples=150, deadline=None)
@given(st.permutations(ITEMS), st.lists(st.sampled_from(ITEMS), max_size=4))
def test_any_order_of_arrival_and_any_repeat_gives_equal_rows(
    arrivals: list[Item], again: list[Item]
) -> None:
    assert folded([*arrivals, *again]) == folded(ITEMS)


def test_what_is_listed_is_an_effective_order_in_its_room() -> None:
    assert listed(ITEMS) == {
        1: ("all", "instruction"),
        5: ("all", "evacuation"),
        6: ("all", "notice"),
    }


def test_an_order_whose_log_ended_below_it_is_listed_no_more() -> None:
    first = ITEMS[2]

    assert listed([first]) == {2: ("all", "mode")}
    assert listed(ITEMS[2:4]) == {}


def test_an_order_that_waits_for_a_record_is_not_listed_yet() -> None:
    assert listed([ITEMS[0]._replace(state=WAITING)]) == {}
