"""Folded in any order, the rows are equal: in memory and in views.db."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.verdict import EFFECTIVE, REFUSED
from meshrelay.desk import file, receipts, talk
from meshrelay.desk.kind import Item, Row
from meshrelay.store.views import ViewReader, Views
from tests.unit.core.city import CHUO, HQ, KITA, PT_MS, log_of, person, said
from tests.unit.desk.rows import MemoryRows, ended, item, shown

KINDS = {"talk": talk.KIND, "read": receipts.KIND, "file": file.KIND}
SATO, SUZUKI = person("1001", KITA), person("1002", KITA, 2)
SATO_AT_CHUO, SATO_AT_HQ = person("1001", CHUO), person("1001", HQ)


def text(words: str) -> bytes:
    return talk.encode_body(words)


def photo(blob: bytes) -> bytes:
    return file.encode_body(file.File("橋", "橋.jpg", "image/jpeg", 9, blob * 32, b""))


ITEMS = [
    # one message that two nodes took in
    item(said(SATO, KITA, text("開けた"), seq=1), SATO, arrived_ms=1),
    item(said(SATO_AT_CHUO, CHUO, text("開けた"), hlc_ms=PT_MS + 9), SATO, arrived_ms=2),
    # a conflict: one id, other text, other room; and a copy that is refused
    item(said(SATO, KITA, text("一案"), message=2, seq=2, hlc_ms=PT_MS + 1), SATO, arrived_ms=3),
    item(
        said(SATO_AT_CHUO, CHUO, text("二案"), message=2, seq=2, audience="ward:01"), SATO,
        arrived_ms=4,
    ),
    item(said(SATO_AT_HQ, HQ, text("三案"), message=2, hlc_ms=5), SATO, REFUSED, "role", 5),
    # the same id by somebody else is another message; a poor clock is shown last
    item(said(SUZUKI, KITA, text("鈴木"), message=2, seq=3), SUZUKI, arrived_ms=6),
    item(said(SATO_AT_HQ, HQ, text("開けた"), seq=2, hlc_ms=7, quality=0), SATO, arrived_ms=7),
    # a fork: both branches' texts as orphans, one of them taken before; one is also at HQ
    item(said(SUZUKI, KITA, text("枝一"), message=3, seq=4), SUZUKI, arrived_ms=8),
    ended(said(SUZUKI, KITA, text("枝一"), message=3, seq=4), SUZUKI),
    ended(said(SUZUKI, KITA, text("枝二"), message=4, seq=4, hlc_ms=PT_MS + 2), SUZUKI),
    ended(said(SATO, KITA, text("開けた"), seq=5), SATO, "revoked"),
    # a photo under one id with another one, and with a text that is shown before it
    item(said(SATO, KITA, photo(b"b"), message=9, seq=6, kind="file", lane=3), SATO),
    item(
        said(
            SATO_AT_CHUO, CHUO, photo(b"r"), message=9, seq=7, kind="file", lane=3,
            audience="ward:01",
        ),
        SATO,
    ),
    item(said(SATO_AT_HQ, HQ, text("写真ではない"), message=9, seq=8, hlc_ms=3), SATO),
    ended(said(SATO, KITA, photo(b"b"), message=9, seq=6, kind="file", lane=3), SATO),
    # what was read, in overlapping words
    item(shown(("1002", log_of(KITA), 1), ("1002", log_of(KITA), 2), seq=1, at_ms=PT_MS + 50)),
    item(shown(("1002", log_of(KITA), 2), ("1001", log_of(KITA), 3), seq=2, at_ms=PT_MS + 40)),
    item(shown(("1002", log_of(CHUO), 1), seq=3, at_ms=PT_MS + 60)),
]  # fmt: skip


def fold(rows: MemoryRows | Views, items: list[Item]) -> None:
    for each in items:
        KINDS[each.entry.kind].fold(rows, each)


def in_memory(items: list[Item]) -> object:
    rows = MemoryRows()
    fold(rows, items)
    return rows.rows, rows.carriers


@settings(max_examples=150, deadline=None)
@given(st.permutations(ITEMS))
def test_any_order_of_arrival_gives_equal_rows(order: list[Item]) -> None:
    assert in_memory(order) == in_memory(ITEMS)


@settings(deadline=None)
@given(st.permutations(ITEMS), st.lists(st.sampled_from(ITEMS), max_size=5))
def test_what_arrives_twice_changes_nothing(order: list[Item], again: list[Item]) -> None:
    assert in_memory([*order, *again]) == in_memory(ITEMS)


def on_disk(items: list[Item]) -> list[tuple[str, str, str, str, Row]]:
    with TemporaryDirectory() as directory:
        views = Views(Path(directory) / "views.db")
        with views.batch():
            fold(views, items)
            views.reached(b"day one.", len(items))
        views.close()
        reader = ViewReader(Path(directory) / "views.db")
        rows = [
            (kind, found.key, found.group, found.sort, found.row)
            for kind in (*KINDS, file.BY_BLOB)
            for found in reader.changed_after(kind, 0, 99)
        ]
        reader.close()
    return sorted(rows, key=lambda row: row[:2])


@settings(max_examples=15, deadline=None)
@given(st.permutations(ITEMS))
def test_views_folded_in_any_order_hold_equal_rows(order: list[Item]) -> None:
    rows = on_disk(order)

    assert rows == on_disk(ITEMS)
    assert len(rows) == len({row[:2] for row in rows}) == 13


def test_the_conflict_is_marked_and_the_copy_is_not() -> None:
    rows = MemoryRows()
    fold(rows, ITEMS)
    by_key = {key: row for (kind, key), (_, _, row) in rows.rows.items() if kind == "talk"}

    assert talk.trouble(by_key[f"1001/{1:032x}"]) is None
    assert talk.trouble(by_key[f"1001/{2:032x}"]) == "conflict"
    assert talk.trouble(by_key[f"1002/{2:032x}"]) is None
    assert {each.state for each in ITEMS} == {EFFECTIVE, REFUSED}
