"""Folded in any order, the rows are equal: in memory and in views.db."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.records import ROLE_REGISTRAR
from meshrelay.core.verdict import EFFECTIVE, REFUSED
from meshrelay.desk import correction, file, pin, receipts, room, talk
from meshrelay.desk.kind import MEMBER, Item, Row, pair_room
from meshrelay.store.views import ViewReader, Views
from tests.unit.core.city import CHUO, HQ, KITA, PT_MS, log_of, person, said
from tests.unit.desk.rows import MemoryRows, ended, item, shown

KINDS = {
    kind.name: kind
    for kind in (talk.KIND, receipts.KIND, file.KIND, correction.KIND, pin.KIND, room.KIND)
}
SATO, SUZUKI = person("1001", KITA), person("1002", KITA, 2)
CHIEF = person("0001", HQ, 3, roles=(ROLE_REGISTRAR,))
PAIR = pair_room("1002", "1001")
NONCE = bytes(16)
ROOM = {"kind": "room", "audience": room.room_id("1001", NONCE)}
ROOM_2, ROOM_3 = ROOM | {"hlc_ms": PT_MS + 2}, ROOM | {"hlc_ms": PT_MS + 3}
SATO_AT_CHUO, SATO_AT_HQ = person("1001", CHUO), person("1001", HQ)


def text(words: str) -> bytes:
    return talk.encode_body(words)


def photo(blob: bytes) -> bytes:
    return file.encode_body(file.File("橋", "橋.jpg", "image/jpeg", 9, blob * 32, b""))


def reply(to: int) -> bytes:
    return talk.encode_body("了解です", ("1001", to.to_bytes(16, "big")))


def corrected(of: int) -> bytes:
    return correction.encode_body(
        "正しくは北口", ("1001", of.to_bytes(16, "big")), correction.CORRECT, "書きまちがい"
    )


def pinned(on: bool) -> bytes:
    return pin.encode_body(("1001", (1).to_bytes(16, "big")), on)


def made(members: list[str], closed: bool = False) -> bytes:
    return room.encode_body(room.Room("1001", NONCE, "橋の班", room.RULE_LIST, members, closed))


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
    # a reply, in the room of two people; somebody else's word lists it to nobody
    item(said(SATO, KITA, reply(1), message=10, seq=7, audience=PAIR), SATO),
    item(said(SATO_AT_CHUO, CHUO, reply(1), message=10, seq=8, audience=PAIR), SATO),
    item(said(CHIEF, HQ, text("本部から"), message=11, seq=9, audience="pair:a+b"), CHIEF),
    # corrections of one message: two, one of them ended; one id about two messages
    item(said(SATO, KITA, corrected(1), message=12, seq=8, kind="correction"), SATO),
    item(said(SATO, KITA, corrected(1), message=13, seq=9, kind="correction"), SATO),
    ended(said(SATO, KITA, corrected(1), message=13, seq=9, kind="correction"), SATO),
    item(said(SATO_AT_CHUO, CHUO, corrected(2), message=12, seq=9, kind="correction"), SATO),
    item(
        said(SATO_AT_HQ, HQ, corrected(2), message=14, seq=3, kind="correction"), SATO, REFUSED,
        "role",
    ),
    # pinned, let go of and pinned again by others; the last word is an orphan
    item(said(SATO, KITA, pinned(True), message=15, seq=10, kind="pin"), SATO),
    item(
        said(SUZUKI, KITA, pinned(False), message=5, seq=11, kind="pin", hlc_ms=PT_MS + 9), SUZUKI
    ),
    item(said(SATO_AT_CHUO, CHUO, pinned(True), message=16, seq=10, kind="pin"), SATO),
    item(
        said(SATO, KITA, pinned(True), message=17, seq=12, kind="pin", hlc_ms=PT_MS + 20), SATO
    ),
    ended(
        said(SATO, KITA, pinned(True), message=17, seq=12, kind="pin", hlc_ms=PT_MS + 20), SATO
    ),
    # a room: begun, changed by its maker, by a registrar, by who may not, closed above an end
    item(said(SATO, KITA, made(["1001", "1002"]), message=18, seq=13, **ROOM), SATO),
    item(said(SATO, KITA, made(["1001", "1003"]), message=19, seq=14, **ROOM_3), SATO),
    item(said(CHIEF, HQ, made(["1001", "1004"]), message=1, seq=10, **ROOM_2), CHIEF),
    item(said(SUZUKI, KITA, made(["1002"]), message=6, seq=15, hlc_ms=PT_MS + 5, **ROOM), SUZUKI),
    item(said(SATO, KITA, made([], True), message=20, seq=16, hlc_ms=PT_MS + 7, **ROOM), SATO),
    ended(said(SATO, KITA, made([], True), message=20, seq=16, hlc_ms=PT_MS + 7, **ROOM), SATO),
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
            for kind in (*KINDS, file.BY_BLOB, MEMBER)
            for found in reader.changed_after(kind, 0, 99)
        ]
        reader.close()
    return sorted(rows, key=lambda row: row[:2])


@settings(max_examples=15, deadline=None)
@given(st.permutations(ITEMS))
def test_views_folded_in_any_order_hold_equal_rows(order: list[Item]) -> None:
    rows = on_disk(order)

    assert rows == on_disk(ITEMS)
    assert len(rows) == len({row[:2] for row in rows}) == 35


def test_the_conflict_is_marked_and_the_copy_is_not() -> None:
    rows = MemoryRows()
    fold(rows, ITEMS)
    by_key = {key: row for (kind, key), (_, _, row) in rows.rows.items() if kind == "talk"}

    assert talk.trouble(by_key[f"1001/{1:032x}"]) is None
    assert talk.trouble(by_key[f"1001/{2:032x}"]) == "conflict"
    assert talk.trouble(by_key[f"1002/{2:032x}"]) is None
    assert {each.state for each in ITEMS} == {EFFECTIVE, REFUSED}


def groups(rows: MemoryRows, kind: str) -> set[str]:
    return {group for (each, _), (group, _, _) in rows.rows.items() if each == kind}


def test_the_latest_entry_of_maker_or_registrar_names_the_members() -> None:
    rows = MemoryRows()
    fold(rows, ITEMS)
    listed = {key.split("\n")[1] for kind, key in rows.rows if kind == MEMBER and "list:" in key}

    assert listed == {"1001", "1003"}
    assert groups(rows, MEMBER) == {"1001", "1002", "1003"}  # two of them as a pair


def test_the_newest_word_pins_or_lets_go_and_an_orphan_says_nothing() -> None:
    rows = MemoryRows()
    fold(rows, ITEMS)

    assert groups(rows, pin.NAME) == {""}


def test_a_correction_is_listed_under_what_it_is_about_unless_it_was_ended_or_refused() -> None:
    rows = MemoryRows()
    fold(rows, ITEMS)
    listed = sorted(key for kind, key in rows.rows if kind == correction.NAME)

    assert listed == [f"1001/{12:032x}:1001/{of:032x}" for of in (1, 2)]
