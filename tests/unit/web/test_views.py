"""What a message looks like: desk.md's delivery table, days, names, ages."""

from __future__ import annotations

import pytest
from msgspec import structs

from meshrelay.node.office import Message, Ward
from meshrelay.web import views
from tests.office_fake import NOW_MS

WARDS = {"01": Ward("01", "北区", "Kita"), "02": Ward("02", "中央区", "Chuo")}
MESSAGE = Message(
    "1001", "佐藤 花子", "01", "01900000-0000-7000-8000-000000000001", "talk", "all",
    {"text": "揺れました"}, NOW_MS, NOW_MS, False, False, "01", "node", 0, 0, 2, True, True, None,
    "a", 1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "○区の機器 既読 0/2"),
        ({"place": "wards", "wards_n": 3}, "◐他の区 3 既読 0/2"),
        ({"place": "archive"}, "●本部 既読 0/2"),
        ({"place": "archive", "wards_n": 2}, "●本部 ◐他の区 2 既読 0/2"),
        ({"read_n": 2, "members_n": None}, "○区の機器 既読 2/?"),
        ({"trouble": "conflict"}, "▲要確認 ○区の機器 既読 0/2"),
        ({"trouble": "fork"}, "○区の機器 既読 0/2"),
        ({"place": "wards", "wards_n": 0}, "○区の機器 既読 0/2"),
        ({"place": "node", "wards_n": 2}, "○区の機器 既読 0/2"),
    ],
)
def test_the_words_say_what_the_receipts_allow(change: dict[str, object], words: str) -> None:
    marks = views.delivery_marks(structs.replace(MESSAGE, **change), "ja")

    assert " ".join(mark.shape + mark.text for mark in marks) == words


def test_the_same_words_exist_in_english() -> None:
    marks = views.delivery_marks(structs.replace(MESSAGE, place="archive", wards_n=2), "en")

    assert [mark.text for mark in marks] == ["HQ", "Other wards 2", "Read 0/2"]


def test_a_late_or_uncertain_message_says_so() -> None:
    theirs = structs.replace(MESSAGE, mine=False, late=True, clock_uncertain=True)

    assert views.bubbles([theirs], WARDS, "ja")[0].flags == ("遅れて届いた", "時刻不確か")


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({"expiry": "expired"}, ("期限切れ",)),
        ({"expiry": "unsure", "kind": "evacuation"}, ("避難", "期限を確認できません")),
        ({"expiry": "unsure"}, ()),
        ({"trouble": "fork"}, ("分岐（別の記録あり）",)),
        ({"trouble": "revoked", "late": True}, ("遅れて届いた", "失効した機器経由")),
        ({"trouble": "fork", "mine": True}, ("分岐（別の記録あり）",)),
        ({"trouble": "conflict"}, ("要確認",)),
        ({"trouble": "role"}, ("要確認",)),
    ],
)
def test_what_must_not_simply_be_believed_says_why(
    change: dict[str, object], flags: tuple[str, ...]
) -> None:
    message = structs.replace(MESSAGE, **({"mine": False} | change))

    assert views.bubbles([message], WARDS, "ja")[0].flags == flags


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"expiry": "expired"}, []),
        ({"expiry": "unsure", "kind": "evacuation"}, ["Ask the author."]),
        ({"expiry": "unsure"}, []),
        ({"trouble": "fork"}, ["Ask the author by another way"]),
        (
            {"trouble": "revoked", "expiry": "unsure", "kind": "mode"},
            ["machine that was revoked", "power"],
        ),
    ],
)
def test_a_message_in_doubt_says_what_to_do(change: dict[str, object], words: list[str]) -> None:
    sentences = views.advice(structs.replace(MESSAGE, **change), "en")

    assert len(sentences) == len(words)
    assert all(each in sentence for each, sentence in zip(words, sentences, strict=True))


@pytest.mark.parametrize("body", [{}, {"text": 7}, {"text": None}])
def test_a_body_this_page_does_not_know_is_shown_as_unknown(body: dict[str, object]) -> None:
    bubble = views.bubbles([structs.replace(MESSAGE, body=body)], WARDS, "ja")[0]

    assert (bubble.known, bubble.text) == (False, "この機器では表示できません")


def test_a_day_line_stands_where_the_citys_day_changes() -> None:
    before = structs.replace(MESSAGE, created_ms=1_794_927_599_000)  # 23:59:59 in Osaka
    after = structs.replace(MESSAGE, created_ms=1_794_927_600_000)  # midnight

    drawn = views.bubbles([before, after, after], WARDS, "ja")

    assert [b.day for b in drawn] == ["11月17日（火）", "11月18日（水）", None]
    assert [b.follows for b in drawn] == [False, False, True]
    assert drawn[1].time == "00:00"


def test_the_line_of_unread_stands_once_above_the_first() -> None:
    read = structs.replace(MESSAGE, mine=False)
    unread = structs.replace(read, read_by_me=False)

    drawn = views.bubbles([read, unread, unread], WARDS, "ja")

    assert [b.first_unread for b in drawn] == [False, True, False]


def test_an_unknown_ward_is_shown_by_its_code() -> None:
    bubble = views.bubbles([structs.replace(MESSAGE, author_ward="9\u202e9")], WARDS, "ja")[0]

    assert bubble.ward == "99"


def test_a_link_keeps_hostile_ids_in_their_segment() -> None:
    hostile = structs.replace(MESSAGE, room="unit:A/B", author="../x", message_id="?#")

    assert views.bubbles([hostile], WARDS, "ja")[0].href == (
        "/rooms/unit%3AA%2FB/who/..%2Fx/%3F%23"
    )


def test_todays_time_is_short_and_another_days_is_a_date() -> None:
    assert views.short_time(NOW_MS, NOW_MS) == "20:06"
    assert views.short_time(NOW_MS - 86_400_000, NOW_MS) == "11/17"
