"""Notices, events and documents: who may edit, what is current, in any order of arrival."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.codec import encode
from meshrelay.core.entry import ENTRY_BYTES_MAX, TEXT_CHARS_MAX, Entry
from meshrelay.core.records import ROLE_HQ, ROLE_REGISTRAR
from meshrelay.core.verdict import REFUSED
from meshrelay.desk import board, event, file, talk, versions
from meshrelay.desk.kind import Item, Row
from tests.unit.core.city import CHUO, HQ, KITA, PT_MS, Person, person, said
from tests.unit.desk.rows import MemoryRows, ended, item

SATO, SUZUKI = person("1001", KITA), person("1002", KITA, 2)
SATO_AT_CHUO = person("1001", CHUO)
YAMADA = person("1009", KITA, 3, roles=(ROLE_REGISTRAR,))
MAYOR = person("0001", HQ, 4, roles=(ROLE_HQ,))
KINDS = {kind.name: kind for kind in (board.KIND, event.KIND, file.KIND, talk.KIND)}
FIRST = ("1001", (1).to_bytes(16, "big"))
PAPER = f"all\n1001/{1:032x}"
PHOTO = board.Attachment("橋.jpg", "image/jpeg", 9, b"b" * 32)
DRILL = event.Event(
    "訓練", "長靴で", "2026-11-20T09:00+09:00", "2026-11-20T11:30+09:00", "講堂", False
)


def notice(title: str, *replaces: Entry, **more: object) -> bytes:
    named = {"replaces": [each.id for each in replaces], "first": FIRST} if replaces else {}
    return board.encode_body(board.Notice(title, "本文", **{**named, **more}))  # type: ignore[arg-type]


def posted(who: Person, body: bytes, n: int, kind: str = "board", **more: object) -> Entry:
    origin = {"0001": HQ}.get(who.staff.content.staff_id, KITA)  # type: ignore[union-attr]
    values = {"seq": n, "message": n, "hlc_ms": PT_MS + n, "kind": kind, **more}
    return said(who, origin, body, **values)  # type: ignore[arg-type]


A = posted(SATO, notice("断水", files=[PHOTO]), 1)
A_AT_CHUO = said(SATO_AT_CHUO, CHUO, notice("断水", files=[PHOTO]), seq=1, kind="board")
B = posted(SATO, notice("断水(訂正)", A), 2)
C = posted(YAMADA, notice("断水 午後まで", A, pin=True), 3)
BY_OTHER = posted(SUZUKI, notice("うその断水", A), 4)
SETTLED = posted(SATO, notice("断水 夕方まで", B, C, withdrawn=True), 5)
ELSEWHERE = posted(SATO, notice("よそ", A), 6, audience="ward:01")
UNPINNED = posted(MAYOR, notice("断水 夜まで", SETTLED, pin=False), 7)
E1 = posted(SATO, event.encode_body(DRILL), 8, "event")
E2 = posted(
    SUZUKI, event.encode_body(DRILL._replace(replaces=[E1.id], first=("1001", b"8" * 16))), 9,
    "event",
)  # fmt: skip
F1 = posted(
    SATO, file.encode_body(file.File("", "表.csv", "text/csv", 9, b"b" * 32, b"")), 10, "file",
    lane=3,
)  # fmt: skip
F2_BODY = file.File(
    "直した", "表.csv", "text/csv", 9, b"c" * 32, b"", [F1.id], ("1001", (10).to_bytes(16, "big"))
)
F2 = posted(MAYOR, file.encode_body(F2_BODY), 11, "file", lane=3)
# one message id under which its author signed a notice, a file and a text
MIXED = [
    posted(SATO, notice("三つ", files=[PHOTO]), 12),
    posted(
        SATO_AT_CHUO, file.encode_body(F2_BODY._replace(name="別.csv", replaces=None, first=None)),
        13, "file", message=12, lane=3, hlc_ms=PT_MS + 90,
    ),
    posted(SATO, talk.encode_body("文"), 14, "talk", message=12, hlc_ms=PT_MS - 9),
]  # fmt: skip

ITEMS = [
    item(A, SATO), item(A_AT_CHUO, SATO), item(B, SATO), item(C, YAMADA), item(BY_OTHER, SUZUKI),
    item(SETTLED, SATO), item(ELSEWHERE, SATO), item(UNPINNED, MAYOR), ended(UNPINNED, MAYOR),
    item(E1, SATO), item(E2, SUZUKI), item(F1, SATO), item(F2, MAYOR),
    *(item(each, SATO) for each in MIXED),
    item(posted(SATO, notice("拒まれた", A), 15), SATO, REFUSED, "role"),
]  # fmt: skip


def folded(*items: Item) -> MemoryRows:
    rows = MemoryRows()
    for each in items:
        KINDS[each.entry.kind].fold(rows, each)
    return rows


def shown(rows: MemoryRows, paper: str = PAPER, name: str = "board") -> list[str]:
    """The titles of what is current, newest first."""
    found = rows.rows[name, paper][2]["versions"]
    messages = [rows.rows["talk", key][2] for key in versions.current(found)]
    return [str(talk.shown(each)["text"]) for each in messages]


def found(rows: MemoryRows, paper: str = PAPER, name: str = "board") -> dict[str, Row]:
    kept: dict[str, Row] = rows.rows[name, paper][2]["versions"]
    return kept


@settings(max_examples=150, deadline=None)
@given(st.permutations(ITEMS), st.lists(st.sampled_from(ITEMS), max_size=4))
def test_any_order_of_arrival_gives_equal_rows(order: list[Item], again: list[Item]) -> None:
    one, other = folded(*ITEMS), folded(*order, *again)

    assert (one.rows, one.carriers) == (other.rows, other.carriers)


def test_what_nobody_replaced_is_current_and_two_edits_at_once_both_are() -> None:
    a, b, c = item(A, SATO), item(B, SATO), item(C, YAMADA)

    assert shown(folded(a)) == ["断水"]
    assert shown(folded(b, a)) == ["断水(訂正)"]
    assert shown(folded(c, a, b)) == ["断水 午後まで", "断水(訂正)"]
    assert shown(folded(a, b, c, item(SETTLED, SATO))) == ["断水 夕方まで"]


def test_an_edit_by_somebody_who_may_not_is_a_notice_of_their_own() -> None:
    for order in permutations([item(A, SATO), item(BY_OTHER, SUZUKI)]):
        rows = folded(*order)
        assert shown(rows) == ["断水"]
        assert shown(rows, f"all\n1002/{4:032x}") == ["うその断水"]


def test_an_edit_from_another_room_replaces_nothing() -> None:
    rows = folded(item(A, SATO), item(ELSEWHERE, SATO))

    assert shown(rows) == ["断水"]
    assert rows.rows["board", f"ward:01\n1001/{1:032x}"][0] == "ward:01"


def test_what_an_end_takes_away_replaces_nothing() -> None:
    for order in permutations([item(A, SATO), item(B, SATO), ended(B, SATO)]):
        assert shown(folded(*order)) == ["断水"]


def test_a_notice_without_an_effective_version_stands_in_no_room() -> None:
    rows = folded(item(A, SATO), ended(A, SATO))

    assert rows.rows["board", PAPER] == ("", "", {"versions": {}})


def test_an_edit_names_either_entry_of_a_message_that_two_nodes_took_in() -> None:
    edit = posted(SATO, notice("断水(訂正)", A_AT_CHUO), 2)
    items = [item(A, SATO), item(A_AT_CHUO, SATO), item(edit, SATO)]

    for order in permutations(items):
        assert shown(folded(*order)) == ["断水(訂正)"]


def test_two_edits_at_once_have_one_number_and_what_settles_them_the_next() -> None:
    rows = folded(item(A, SATO), item(B, SATO), item(C, YAMADA), item(SETTLED, SATO))
    numbers = versions.numbers(found(rows))

    assert [numbers[f"{who}/{n:032x}"] for who, n in (("1001", 1), ("1001", 2), ("1009", 3))] == [
        1, 2, 2,
    ]  # fmt: skip
    assert numbers[f"1001/{5:032x}"] == 3


def test_a_version_whose_earlier_ones_are_not_here_is_not_the_first() -> None:
    assert versions.numbers(found(folded(item(B, SATO)))) == {f"1001/{2:032x}": 2}


def test_a_pin_counts_from_a_registrar_or_hq_only_and_the_newest_word_wins() -> None:
    own = item(posted(SATO, notice("断水", pin=True), 1), SATO)
    pinned, edited = item(C, YAMADA), item(posted(SATO, notice("断水(訂正)", C), 5), SATO)
    gone = item(posted(SATO, notice("断水(訂正)", C, withdrawn=True), 5), SATO)
    unpinned = item(UNPINNED, MAYOR)

    assert not board.is_pinned(found(folded(own)))
    assert board.is_pinned(found(folded(item(A, SATO), pinned)))
    assert board.is_pinned(found(folded(item(A, SATO), pinned, edited)))
    assert not board.is_pinned(found(folded(item(A, SATO), pinned, gone)))
    assert not board.is_pinned(found(folded(item(A, SATO), unpinned, pinned, edited)))


def test_a_pinned_notice_stands_above_newer_ones() -> None:
    plain, pinned = folded(item(SETTLED, SATO)), folded(item(C, YAMADA))

    assert pinned.rows["board", PAPER][1] > plain.rows["board", PAPER][1]


def test_an_event_is_sorted_by_its_end() -> None:
    rows = folded(item(E1, SATO))
    room, sort, _ = rows.rows["event", f"all\n1001/{8:032x}"]

    assert room == "all" and sort.startswith("2026-11-20T11:30+09:00")


def test_a_file_and_what_replaced_it_are_one_document_and_both_stay_listed_as_files() -> None:
    rows = folded(item(F2, MAYOR), item(F1, SATO))
    document = found(rows, f"all\n1001/{10:032x}", file.DOCUMENT)

    assert versions.current(document) == [f"0001/{11:032x}"]
    assert len([1 for kind, _ in rows.rows if kind == file.NAME]) == 2


def test_the_files_of_a_notice_are_listed_under_their_blobs_and_in_no_list_of_files() -> None:
    rows = folded(item(A, SATO))
    copy = file.copy_of(rows.rows["talk", f"1001/{1:032x}"][2], PHOTO.blob.hex())

    assert rows.rows[file.BY_BLOB, f"{PHOTO.blob.hex()}:1001/{1:032x}"][2]["rooms"] == ["all"]
    assert copy is not None and file.named(copy, PHOTO.blob.hex())["name"] == "橋.jpg"
    assert file.copy_of(rows.rows["talk", f"1001/{1:032x}"][2]) is None
    assert not [1 for kind, _ in rows.rows if kind == file.NAME]


def test_another_text_under_one_id_and_title_is_a_conflict() -> None:
    body = board.encode_body(board.Notice("断水", "別の本文"))
    other = said(SATO_AT_CHUO, CHUO, body, kind="board")
    rows = folded(item(A, SATO), item(other, SATO))

    assert talk.trouble(rows.rows["talk", f"1001/{1:032x}"][2]) == "conflict"


def test_the_oldest_versions_fall_off_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "VERSIONS_MAX", 2)
    for order in permutations([item(A, SATO), item(B, SATO), item(SETTLED, SATO)]):
        assert sorted(found(folded(*order))) == [f"1001/{2:032x}", f"1001/{5:032x}"]


IDS = [b"e" * 32]
EDIT = {5: IDS, 6: ["1001", b"m" * 16]}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({1: "題", 2: "本文"}, None),
        ({1: "題" * versions.TITLE_CHARS_MAX, 2: "字" * TEXT_CHARS_MAX}, None),
        ({1: "題", 2: "", 3: [list(PHOTO)] * board.FILES_MAX, 4: True, **EDIT, 7: True}, None),
        ({1: "題", 2: "", 8: "later"}, None),
        ({1: " ", 2: ""}, "empty"),
        ({1: "題" * (versions.TITLE_CHARS_MAX + 1), 2: ""}, "schema"),
        ({1: "題"}, "schema"),
        ({1: "題", 2: "", 3: [list(PHOTO)] * (board.FILES_MAX + 1)}, "schema"),
        ({1: "題", 2: "", 3: [[*PHOTO, 1]]}, "schema"),
        ({1: "題", 2: "", 3: [["", *PHOTO[1:]]]}, "schema"),
        ({1: "題", 2: "", 3: [[*PHOTO[:2], 0, b"b" * 32]]}, "schema"),
        ({1: "題", 2: "", 3: [[*PHOTO[:3], b"b"]]}, "schema"),
        ({1: "題", 2: "", 4: 1}, "schema"),
        ({1: "題", 2: "", 5: IDS}, "schema"),
        ({1: "題", 2: "", 6: EDIT[6]}, "schema"),
        ({1: "題", 2: "", **EDIT, 5: []}, "schema"),
        ({1: "題", 2: "", **EDIT, 5: IDS * (versions.REPLACES_MAX + 1)}, "schema"),
        ({1: "題", 2: "", **EDIT, 5: [b"short"]}, "schema"),
        ({1: "題", 2: "", **EDIT, 6: ["1001"]}, "schema"),
        ({1: "題", 2: "", 7: "yes"}, "schema"),
        ([], "schema"),
    ],
)
def test_a_notice_is_accepted_or_refused_by_name(fields: object, reason: str | None) -> None:
    assert board.check(encode(fields), "all") == reason


def drill(**more: object) -> bytes:
    return event.encode_body(DRILL._replace(**more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (drill(), None),
        (drill(withdrawn=True, replaces=IDS, first=FIRST), None),
        (drill(start="2026-11-20T00:00+09:00", end="2026-11-21T00:00+09:00", all_day=True), None),
        (drill(title=""), "empty"),
        (drill(all_day=True), "schema"),
        (drill(end=DRILL.start), "schema"),
        (drill(end="2026-11-20T08:59+09:00"), "schema"),
        (drill(start="2026-11-20T09:00"), "schema"),
        (drill(start="2026-11-20T00:00Z"), "schema"),
        (drill(start="2026-11-20T09:00:00+09:00"), "schema"),
        (drill(start="2026-02-30T09:00+09:00"), "schema"),
        (drill(start="1999-11-20T09:00+09:00"), "schema"),
        (drill(end="2100-01-01T00:00+09:00"), "schema"),
        (drill(start="20261120T0900+0900"), "schema"),
        (drill(place="字" * (event.PLACE_CHARS_MAX + 1)), "schema"),
        (drill(replaces=IDS), "schema"),
        (encode({1: "訓練"}), "schema"),
        (b"noise", "schema"),
    ],
)
def test_an_event_is_accepted_or_refused_by_name(body: bytes, reason: str | None) -> None:
    assert event.check(body, "all") == reason
    assert event.check(drill(), "") == "no_room"


def test_what_is_not_so_said_of_versions_leaves_a_file_a_file() -> None:
    odd = file.File("", "表.csv", "text/csv", 9, b"b" * 32, b"", [b"short"], FIRST)
    raw = file.encode_body(odd)

    assert file.check(raw, "all") is None
    assert ("document", f"all\n1001/{10:032x}") in folded(
        item(posted(SATO, raw, 10, "file", lane=3), SATO)
    ).rows


def test_beside_every_name_and_file_half_of_an_entry_is_left_for_the_text() -> None:
    full = notice("題" * versions.TITLE_CHARS_MAX, *[A] * versions.REPLACES_MAX, files=[PHOTO] * 8)
    entry = posted(SATO, full, 2, audience="u" * 80)

    assert len(entry.raw) < ENTRY_BYTES_MAX // 2
