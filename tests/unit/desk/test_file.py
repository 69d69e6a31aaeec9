"""file: what may be said, how it is listed, and who is asked for which room."""

from __future__ import annotations

from itertools import permutations

import pytest

from meshrelay.core.codec import encode
from meshrelay.core.entry import ENTRY_BYTES_MAX, TEXT_CHARS_MAX
from meshrelay.core.manifest import BLOB_BYTES_MAX
from meshrelay.core.verdict import REFUSED, WAITING
from meshrelay.desk import file, talk
from meshrelay.desk.kind import Item
from tests.unit.core.city import CHUO, KITA, person, said
from tests.unit.desk.rows import MemoryRows, ended, item

SATO = person("1001", KITA)
SATO_AT_CHUO = person("1001", CHUO)


def png(width: int, height: int, size: int = 100) -> bytes:
    head = b"\x89PNG\r\n\x1a\n" + bytes([0, 0, 0, 13]) + b"IHDR"
    return (head + width.to_bytes(4, "big") + height.to_bytes(4, "big")).ljust(size, b"\0")


def jpeg(height: int, width: int, size: int = 100, before: bytes = b"") -> bytes:
    sides = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return (b"\xff\xd8" + before + b"\xff\xc0\0\x11\x08" + sides).ljust(size, b"\0")


PNG = png(100, 80)
EXIF = b"\xff\xe1\0\x0aExif\0\0\0\0"
BRIDGE = file.File("橋の様子", "橋.jpg", "image/jpeg", 3_000_000, b"b" * 32, PNG)
RIVER = BRIDGE._replace(name="川.jpg", blob=b"r" * 32)
BLOB, OTHER = BRIDGE.blob.hex(), RIVER.blob.hex()
KEY = f"1001/{1:032x}"


def body(**change: object) -> bytes:
    return file.encode_body(BRIDGE._replace(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "audience", "reason"),
    [
        (body(), "all", None),
        (body(text=""), "all", None),
        (body(thumbnail=b""), "all", None),
        (body(thumbnail=png(144, 108, file.THUMBNAIL_BYTES_MAX)), "all", None),
        (body(thumbnail=jpeg(512, 512, before=EXIF + b"\xff\xff\xc4\0\x03.")), "all", None),
        (encode(dict(enumerate(BRIDGE, 1)) | {7: "later"}), "all", None),
        (body(), "", "no_room"),
        (body(text="字" * (TEXT_CHARS_MAX + 1)), "all", "schema"),
        (body(name=""), "all", "schema"),
        (body(name=" "), "all", "schema"),
        (body(name="n" * (file.FILE_NAME_CHARS_MAX + 1)), "all", "schema"),
        (body(media_type="t" * (file.MEDIA_TYPE_CHARS_MAX + 1)), "all", "schema"),
        (body(size=0), "all", "schema"),
        (body(size=BLOB_BYTES_MAX + 1), "all", "schema"),
        (body(size=True), "all", "schema"),
        (body(blob=b"b" * 31), "all", "schema"),
        (body(thumbnail=b"<svg onload=alert(1)>"), "all", "schema"),
        (body(thumbnail=png(144, 108, file.THUMBNAIL_BYTES_MAX + 1)), "all", "schema"),
        (body(thumbnail=png(513, 10)), "all", "schema"),
        (body(thumbnail=png(0, 10)), "all", "schema"),
        (body(thumbnail=PNG[:8] + bytes(50)), "all", "schema"),
        (body(thumbnail=jpeg(60_000, 60_000, before=EXIF)), "all", "schema"),
        (body(thumbnail=b"\xff\xd8" + EXIF), "all", "schema"),
        (body(thumbnail=b"\xff\xd8\xff\xe1\0\0" * 9), "all", "schema"),
        (body(thumbnail=b"\xff\xd8\xff\xda" + jpeg(9, 9)), "all", "schema"),
        (encode({1: "text"}), "all", "schema"),
        (encode([]), "all", "schema"),
        (b"noise", "all", "schema"),
    ],
)
def test_a_body_is_accepted_or_refused_by_name(
    raw: bytes, audience: str, reason: str | None
) -> None:
    assert file.check(raw, audience) == reason


def test_the_fullest_body_that_a_node_takes_fits_an_entry() -> None:
    text = "字" * ((file.BODY_BYTES_MAX - 8_500) // 3)
    full = body(text=text, thumbnail=png(144, 108, file.THUMBNAIL_BYTES_MAX))
    entry = said(SATO, KITA, full, kind="file", lane=3, summary="要" * 140, audience="u" * 80)

    assert file.BODY_BYTES_MAX - 300 < len(full) <= file.BODY_BYTES_MAX
    assert len(entry.raw) <= ENTRY_BYTES_MAX


def folded(*items: Item) -> MemoryRows:
    rows = MemoryRows()
    for each in items:
        file.fold(rows, each)
    return rows


def photo(raw: bytes = body(), **more: object) -> Item:
    return item(said(SATO, KITA, raw, kind="file", lane=3, **more), SATO)  # type: ignore[arg-type]


def named(rows: MemoryRows) -> dict[str, list[str]]:
    """Blob -> rooms, as a node asks for who may have it."""
    return {
        group: row["rooms"]
        for (kind, _), (group, _, row) in rows.rows.items()
        if kind == file.BY_BLOB and row["rooms"]
    }


def test_a_file_is_a_message_in_its_room_and_listed_there_and_under_its_blob() -> None:
    rows = folded(photo(audience="ward:01"))
    message, listed = rows.rows["talk", KEY], rows.rows[file.NAME, KEY]
    shown = talk.shown(message[2])

    assert (shown["kind"], shown["text"]) == ("file", "橋の様子")
    assert shown["file"]["name"] == "橋.jpg" and shown["file"]["thumbnail"] == PNG
    assert message[:2] == listed[:2] and listed[0] == "ward:01"
    assert named(rows) == {BLOB: ["ward:01"]}


def test_a_file_may_answer_a_message() -> None:
    answer = folded(photo(body(reply_to=("1002", bytes(16))))).rows["talk", KEY]
    odd = folded(photo(body(reply_to=("1002", b"short")))).rows["talk", KEY]

    assert talk.shown(answer[2])["of"] == f"1002/{bytes(16).hex()}"
    assert "of" not in talk.shown(odd[2])


def test_a_file_without_a_word_is_shown_without_one() -> None:
    message = folded(photo(body(text=""))).rows["talk", KEY]

    assert talk.shown(message[2])["text"] == ""


@pytest.mark.parametrize("reason", ["role", "schema"])
def test_a_refused_file_is_listed_nowhere(reason: str) -> None:
    entry = said(SATO, KITA, body(), kind="file", lane=3)
    rows = folded(item(entry, SATO, REFUSED, reason))

    assert named(rows) == {} and (file.NAME, KEY) not in rows.rows
    assert talk.trouble(rows.rows["talk", KEY][2]) == reason


def test_what_waits_for_a_record_names_no_blob() -> None:
    entry = said(SATO, KITA, body(), kind="file", lane=3)

    assert folded(item(entry, SATO, WAITING, "session")).rows == {}


def test_an_end_below_it_takes_a_file_off_the_lists() -> None:
    entry = said(SATO, KITA, body(), kind="file", lane=3)
    for order in permutations([item(entry, SATO), ended(entry, SATO)]):
        rows = folded(*order)
        assert named(rows) == {} and (file.NAME, KEY) not in rows.rows
        assert (file.BY_BLOB, f"{BLOB}:{KEY}") in rows.rows


def test_two_files_under_one_message_id_are_a_conflict_and_both_may_be_had() -> None:
    first = photo()
    other = said(
        SATO_AT_CHUO, CHUO, file.encode_body(RIVER), kind="file", lane=3, audience="ward:02"
    )
    for order in permutations([first, item(other, SATO)]):
        rows = folded(*order)
        assert named(rows) == {BLOB: ["all"], OTHER: ["ward:02"]}
        assert talk.trouble(rows.rows["talk", KEY][2]) == "conflict"


def test_one_file_taken_in_at_two_wards_is_no_conflict() -> None:
    there = said(SATO_AT_CHUO, CHUO, body(), kind="file", lane=3)
    rows = folded(photo(), item(there, SATO))

    assert talk.trouble(rows.rows["talk", KEY][2]) is None
    assert named(rows) == {BLOB: ["all"]}
