"""talk: what may be said, how it is shown, and when it is 要確認."""

from __future__ import annotations

import pytest

from meshrelay.core.codec import encode
from meshrelay.core.entry import TEXT_CHARS_MAX
from meshrelay.core.verdict import REFUSED, WAITING
from meshrelay.desk import talk
from meshrelay.desk.kind import Item, place
from tests.unit.core.city import CHUO, KITA, PT_MS, log_of, person, said
from tests.unit.desk.rows import MemoryRows, ended, item

SATO = person("1001", KITA)
SATO_AT_CHUO = person("1001", CHUO)


def body(text: str) -> bytes:
    return talk.encode_body(text)


def row_of(*items: Item) -> dict[str, object]:
    rows = MemoryRows()
    for each in items:
        talk.fold(rows, each)
    ((_, _, row),) = rows.rows.values()
    return row


@pytest.mark.parametrize(
    ("raw", "audience", "reason"),
    [
        (body("避難所を開けました"), "all", None),
        (body("字" * TEXT_CHARS_MAX), "all", None),
        (encode({1: "text", 2: [1, {3: b"later"}]}), "all", None),
        (body("字" * (TEXT_CHARS_MAX + 1)), "all", "schema"),
        (b"noise", "all", "schema"),
        (encode(["text"]), "all", "schema"),
        (encode({1: b"text"}), "all", "schema"),
        (encode({2: "text"}), "all", "schema"),
        (encode({}), "all", "schema"),
        (body(""), "all", "empty"),
        (body(" \n　"), "all", "empty"),
        (body("誰に？"), "", "no_room"),
    ],
)
def test_a_body_is_accepted_or_refused_by_name(
    raw: bytes, audience: str, reason: str | None
) -> None:
    assert talk.check(raw, audience) == reason


def test_a_message_is_one_row_in_its_room() -> None:
    rows = MemoryRows()
    entry = said(SATO, KITA, body("開けました"), audience="ward:01")
    talk.fold(rows, item(entry, SATO))

    (((kind, key), (group, sort, row)),) = rows.rows.items()
    assert (kind, key) == ("talk", f"1001/{1:032x}")
    assert group == "ward:01"
    assert sort == f"{entry.hlc:016x}{entry.id.hex()}"
    assert rows.carriers == {place(entry.log, 1): {(kind, key)}}
    (copy,) = row["copies"].values()
    assert (copy["text"], copy["refused"]) == ("開けました", "")
    assert talk.trouble(row) is None


def test_what_waits_for_a_record_has_no_row() -> None:
    rows = MemoryRows()
    talk.fold(rows, item(said(SATO, KITA, body("x")), SATO, WAITING, "session"))
    talk.fold(rows, item(said(SATO, KITA, body("x")), None))

    assert rows.rows == {}


def test_a_refused_message_keeps_its_text_and_says_why() -> None:
    row = row_of(item(said(SATO, KITA, body("x")), SATO, REFUSED, "lane"))

    assert talk.trouble(row) == "lane"


def test_a_message_taken_in_by_two_nodes_is_shown_once_without_trouble() -> None:
    here = said(SATO, KITA, body("同じ"))
    there = said(SATO_AT_CHUO, CHUO, body("同じ"), hlc_ms=PT_MS + 9)
    row = row_of(item(there, SATO), item(here, SATO))

    assert len(row["copies"]) == 2  # type: ignore[arg-type]
    assert talk.shown(row)["place"] == place(here.log, 1)
    assert talk.trouble(row) is None


@pytest.mark.parametrize("change", [{"audience": "ward:01"}, {"body": body("別の文")}])
def test_other_content_under_one_id_is_a_conflict(change: dict[str, object]) -> None:
    content = {"body": body("文"), "audience": "all"}
    here = said(SATO, KITA, **content)  # type: ignore[arg-type]
    there = said(SATO_AT_CHUO, CHUO, **(content | change))  # type: ignore[arg-type]

    assert talk.trouble(row_of(item(here, SATO), item(there, SATO))) == "conflict"


def test_a_refused_copy_is_no_conflict_and_is_not_shown() -> None:
    refused = said(SATO, KITA, body("別の文"), hlc_ms=PT_MS - 9)
    good = said(SATO_AT_CHUO, CHUO, body("文"))
    row = row_of(item(refused, SATO, REFUSED, "role"), item(good, SATO))

    assert talk.shown(row)["place"] == place(good.log, 1)
    assert talk.trouble(row) is None


def test_of_two_copies_the_one_with_the_trusted_clock_is_shown() -> None:
    early = said(SATO, KITA, body("文"), hlc_ms=1, quality=0)
    trusted = said(SATO_AT_CHUO, CHUO, body("文"), quality=4)

    row = row_of(item(early, SATO), item(trusted, SATO))
    assert talk.shown(row)["place"] == place(trusted.log, 1)


def test_the_same_message_id_of_two_people_is_two_messages() -> None:
    rows = MemoryRows()
    suzuki = person("1002", KITA)
    talk.fold(rows, item(said(SATO, KITA, body("佐藤")), SATO))
    talk.fold(rows, item(said(suzuki, KITA, body("鈴木"), seq=2), suzuki))

    assert len(rows.rows) == 2


def test_a_room_is_sorted_by_clock_then_entry_id() -> None:
    copies = [{"hlc": 1, "entry": "ff"}, {"hlc": 2, "entry": "00"}, {"hlc": 1 << 62, "entry": "0"}]

    assert sorted(map(talk.sort_key, copies)) == list(map(talk.sort_key, copies))
    assert place(log_of(KITA), 7).endswith(":1:7")


def test_an_orphan_keeps_its_text_and_stands_nowhere() -> None:
    entry = said(SATO, KITA, body("開けました"))
    row = row_of(item(entry, SATO), ended(entry, SATO))

    assert talk.shown(row)["text"] == "開けました"
    assert talk.trouble(row) == "fork"
    assert talk.same_places(row) == []


def test_an_effective_copy_elsewhere_wins_over_an_orphan() -> None:
    here, there = (
        said(SATO, KITA, body("文")),
        said(SATO_AT_CHUO, CHUO, body("文"), hlc_ms=PT_MS + 9),
    )
    row = row_of(ended(here, SATO, "revoked"), item(there, SATO))

    assert talk.trouble(row) is None
    assert talk.same_places(row) == [place(there.log, 1)]


def test_both_branches_of_a_fork_keep_their_texts() -> None:
    rows = MemoryRows()
    ours = said(SATO, KITA, body("本物"), message=1)
    forged = said(SATO, KITA, body("偽物"), message=2)
    for each in (item(ours, SATO), ended(forged, SATO), ended(ours, SATO)):
        talk.fold(rows, each)

    texts = {talk.shown(row)["text"]: talk.trouble(row) for _, _, row in rows.rows.values()}
    assert texts == {"本物": "fork", "偽物": "fork"}
    assert len(rows.carriers[place(ours.log, 1)]) == 2


def test_two_texts_under_one_id_in_two_branches_are_both_kept() -> None:
    row = row_of(*(ended(said(SATO, KITA, body(text)), SATO) for text in ("一", "二")))

    assert {copy["text"] for copy in row["copies"].values()} == {"一", "二"}  # type: ignore[attr-defined]
