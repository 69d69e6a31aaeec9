"""correction, pin, room: what their bodies may say."""

from __future__ import annotations

import pytest

from meshrelay.core.codec import encode
from meshrelay.desk import correction, pin, room, talk
from meshrelay.desk.kind import pair_people, pair_room

OF = ("1001", bytes(16))
MADE = room.Room("1001", bytes(16), "橋の班", room.RULE_LIST, ["1001", "1002"], False)
HERE = room.room_id("1001", bytes(16))


def corrected(**change: object) -> bytes:
    words: dict[str, object] = {
        "text": "北口",
        "of": OF,
        "act": "correct",
        "reason": "書きまちがい",
    }
    return correction.encode_body(**{**words, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (corrected(), None),
        (corrected(act="withdraw", text=""), None),
        (corrected(act="false", text=""), None),
        (corrected(text=" "), "empty"),
        (corrected(act="delete"), "schema"),
        (corrected(reason=""), "schema"),
        (corrected(reason="理" * (correction.REASON_CHARS_MAX + 1)), "schema"),
        (corrected(of=("1001", bytes(15))), "schema"),
        (corrected(of=("", bytes(16))), "schema"),
        (encode({1: "text", 3: "correct", 4: "why"}), "schema"),
        (encode([]), "schema"),
        (b"noise", "schema"),
    ],
)
def test_a_correction_is_accepted_or_refused_by_name(body: bytes, reason: str | None) -> None:
    assert correction.check(body, "all") == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (pin.encode_body(OF, True), None),
        (pin.encode_body(OF, False), None),
        (encode({1: list(OF), 2: 1}), "schema"),
        (encode({2: True}), "schema"),
        (b"noise", "schema"),
    ],
)
def test_a_pin_is_accepted_or_refused_by_name(body: bytes, reason: str | None) -> None:
    assert pin.check(body, "all") == reason


@pytest.mark.parametrize("kind", [correction, pin])
def test_what_is_said_about_a_message_is_said_in_a_room(kind: object) -> None:
    body = corrected() if kind is correction else pin.encode_body(OF, True)

    assert kind.check(body, "") == "no_room"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "audience", "reason"),
    [
        (room.encode_body(MADE), HERE, None),
        (room.encode_body(MADE._replace(members=[], closed=True)), HERE, None),
        (room.encode_body(MADE), "all", "no_room"),
        (room.encode_body(MADE._replace(maker="1002")), HERE, "no_room"),
        (room.encode_body(MADE._replace(nonce=b"n" * 16)), HERE, "no_room"),
        (room.encode_body(MADE._replace(name=" ")), HERE, "schema"),
        (room.encode_body(MADE._replace(name="名" * 41)), HERE, "schema"),
        (room.encode_body(MADE._replace(rule="all")), HERE, "schema"),
        (room.encode_body(MADE._replace(members=["1"] * 301)), HERE, "schema"),
        (room.encode_body(MADE._replace(members=[1])), HERE, "schema"),  # type: ignore[list-item]
        (room.encode_body(MADE._replace(closed=1)), HERE, "schema"),  # type: ignore[arg-type]
        (b"noise", HERE, "schema"),
    ],
)
def test_a_room_is_accepted_or_refused_by_name(
    body: bytes, audience: str, reason: str | None
) -> None:
    assert room.check(body, audience) == reason


def test_the_room_of_two_people_is_one_room_whoever_names_it() -> None:
    assert pair_room("1002", "1001") == pair_room("1001", "1002")
    assert pair_people(pair_room("1002", "1001")) == ("1001", "1002")


@pytest.mark.parametrize(
    "name", ["all", "pair:", "pair:a", "pair:a+a", "pair:b+a", "pair:+a", "a+b"]
)
def test_no_other_name_is_a_pairs_room(name: str) -> None:
    assert pair_people(name) == ()


def test_a_reply_is_a_talk_and_a_malformed_one_is_a_talk_without_it() -> None:
    assert talk.check(talk.encode_body("了解", OF), "all") is None
    assert talk.check(encode({1: "了解", 2: "?"}), "all") is None
