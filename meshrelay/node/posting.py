"""What a page may send: checked, signed, stored once; every refusal says what to do."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from meshrelay.core.codec import encode
from meshrelay.core.entry import TEXT_CHARS_MAX, AuthorPart, Draft, Entry, sign_author_part
from meshrelay.core.signing import hash32
from meshrelay.core.sync import Machine
from meshrelay.desk import talk
from meshrelay.errors import RefusedError
from meshrelay.node.clock import Clock
from meshrelay.node.driver import Driver
from meshrelay.node.folding import KINDS
from meshrelay.node.office import Posted, Seat
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.node.seats import OpenSeat
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader

# A node that rebuilds its views answers all the same, after this long.
SHOWN_TRIES_MAX = 10
SHOWN_TRY_S = 0.1

Subscribe = Callable[[Callable[[], None]], Callable[[], None]]


class Posting:
    """Takes in messages: the same id with the same content has the same answer, for ever."""

    def __init__(
        self, machine: Machine, store: LogStore, reader: LogReader, driver: Driver, clock: Clock,
        rooms: Rooms, reading: Reading, subscribe: Subscribe,
    ) -> None:  # fmt: skip
        self._machine = machine
        self._store = store
        self._reader = reader
        self._driver = driver
        self._clock = clock
        self._rooms = rooms
        self._reading = reading
        self._subscribe = subscribe
        self._under_way: dict[tuple[str, bytes], asyncio.Task[Posted]] = {}

    async def post(
        self,
        seat: Seat,
        kind: str,
        room: str,
        body: dict[str, Any],
        message_id: str,
        created_ms: int | None,
    ) -> Posted:
        """See Office.post."""
        if not isinstance(seat, OpenSeat) or not seat.open:
            raise closed_seat()
        message = read_message_id(message_id)
        encoded = refuse_body(kind, body)
        self._rooms.check(seat.person, room)
        content = hash32(encode([kind, room, encoded]))
        key = (seat.person.staff_id, message)
        while key in self._under_way:  # a commit under way goes on, whoever waits for it
            await asyncio.wait([self._under_way[key]])
        kept = self._reader.answer(*key)
        if kept is not None:
            if kept[0] != content:
                raise taken_id()
            return msgspec.json.decode(kept[1], type=Posted)
        if self._machine.me in self._machine.book.revoked:
            raise revoked_node()
        storing = asyncio.get_running_loop().create_task(
            self._store_message(seat, kind, room, encoded, key, content, created_ms)
        )
        self._under_way[key] = storing
        storing.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(storing)

    async def _store_message(
        self,
        seat: OpenSeat,
        kind: str,
        room: str,
        body: bytes,
        key: tuple[str, bytes],
        content: bytes,
        created_ms: int | None,
    ) -> Posted:
        rule = KINDS[kind]
        machine = self._machine
        now_ms = self._clock.now_ms()
        # A page's clock is nobody's: it may only say how long its text waited in the outbox.
        created = min(created_ms, now_ms) if created_ms else now_ms
        part = AuthorPart(
            key[1], seat.session.id, created, self._clock.quality(),
            machine.book.roster_serial(), room, "", body,
        )  # fmt: skip
        author = sign_author_part(
            seat.signer, machine.book.network, machine.me, rule.lane, rule.lifetime_s, kind, part
        )
        draft = Draft(rule.lane, kind, rule.lifetime_s, author, b"")
        answer: list[Posted] = []

        def beside(entry: Entry, at_ms: int) -> None:
            posted = Posted(key[0], str(uuid.UUID(bytes=key[1])), entry.id.hex(), room, at_ms, None)
            answer.append(posted)
            self._store.keep_answer(key[0], key[1], content, msgspec.json.encode(posted))

        await self._driver.submit([draft], [], beside)
        await self._until_shown(key)
        return answer[0]

    async def _until_shown(self, key: tuple[str, bytes]) -> None:
        """The commit is what counts; but whoever reloads the room should see the message."""
        author, message = key
        for _ in range(SHOWN_TRIES_MAX):
            if self._reading.find(author, message.hex()) is not None:
                return
            shown = asyncio.Event()
            unsubscribe = self._subscribe(shown.set)
            try:
                async with asyncio.timeout(SHOWN_TRY_S):
                    await shown.wait()
            except TimeoutError:
                continue
            finally:
                unsubscribe()


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


def revoked_node() -> RefusedError:
    """Nobody would take what this node signs."""
    return RefusedError(
        "node_revoked",
        "この機器は失効しています。ここから送ったものは届きません。",
        "This machine was revoked: nobody takes what it sends.",
        "別の機器のページから送り、情報システム担当に知らせてください。",
        "Send from another machine's page, and tell IT.",
        403,
    )
