"""What a page may send, checked before anything is signed; every refusal says what to do."""

from __future__ import annotations

import uuid
from typing import Any

from meshrelay.core.entry import TEXT_CHARS_MAX
from meshrelay.desk import talk
from meshrelay.errors import RefusedError


def read_message_id(text: str) -> bytes:
    """The 16 bytes of a UUIDv7 (RFC 9562). Raises RefusedError `bad_id`."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        value = None
    if value is None or value.version != 7 or str(value) != text.lower():
        raise RefusedError(
            "bad_id",
            "メッセージ番号の形式が違います。",
            "The message id is not a UUIDv7.",
            "ページを読み込み直してから、もう一度送ってください。",
            "Reload the page and send again.",
            400,
        )
    return value.bytes


def refuse_body(kind: str, body: dict[str, Any]) -> bytes:
    """Encode the body of a kind that people send.

    Raises:
        RefusedError: `unknown_kind`, `empty` or `too_long`.
    """
    if kind != talk.NAME:
        raise RefusedError(
            "unknown_kind",
            f"この機器は種類「{kind[:20]}」を送れません。",
            f"This node cannot send the kind {kind[:20]!r}.",
            "ページを読み込み直してください。",
            "Reload the page.",
            400,
        )
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        raise RefusedError(
            "empty",
            "文がありません。",
            "There is no text.",
            "文を書いてから送ってください。",
            "Write something, then send.",
            400,
        )
    if len(text) > TEXT_CHARS_MAX:
        raise RefusedError(
            "too_long",
            f"文が長すぎます({len(text)}文字、{TEXT_CHARS_MAX}文字まで)。",
            f"The text is too long ({len(text)} characters, at most {TEXT_CHARS_MAX}).",
            "2つに分けて送ってください。",
            "Send it in two parts.",
            400,
        )
    try:
        return talk.encode_body(text)
    except UnicodeEncodeError:
        raise RefusedError(
            "bad_text",
            "文に使えない文字があります。",
            "The text holds characters that cannot be sent.",
            "その文字を消して、もう一度送ってください。",
            "Remove them and send again.",
            400,
        ) from None


def taken_id() -> RefusedError:
    """The same message id came with other content."""
    return RefusedError(
        "id_taken",
        "同じ番号で別の内容のメッセージがすでにあります。",
        "Another message with the same id is already stored.",
        "内容を確かめ、新しいメッセージとして送ってください。",
        "Check the text and send it as a new message.",
        409,
    )


def closed_seat() -> RefusedError:
    """The person is not logged in here any more."""
    return RefusedError(
        "seat_closed",
        "ログインが終わっています。",
        "You are logged out.",
        "もう一度ログインしてください。書いたものは残っています。",
        "Log in again. What you wrote is kept.",
        401,
    )
