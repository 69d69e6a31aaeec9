"""What a page may send: checked, signed, stored once; every refusal says what to do."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from meshrelay.core.entry import AuthorPart, Draft, Entry, sign_author_part
from meshrelay.core.records import NAME_CHARS_MAX
from meshrelay.core.signing import hash32
from meshrelay.core.sync import Machine
from meshrelay.desk import file, note
from meshrelay.errors import RefusedError
from meshrelay.node.clock import Clock
from meshrelay.node.driver import Driver
from meshrelay.node.files import Files
from meshrelay.node.folding import KINDS
from meshrelay.node.office import Person, Posted, Seat
from meshrelay.node.reading import Reading
from meshrelay.node.room import StoreRoom
from meshrelay.node.rooms import Rooms
from meshrelay.node.saying import Saying, read_message_id, text_of
from meshrelay.node.seats import OpenSeat, card_revoked, open_seat
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader

# A node that rebuilds its views answers all the same, after this long.
SHOWN_TRIES_MAX = 10
SHOWN_TRY_S = 0.1

Subscribe = Callable[[Callable[[], None]], Callable[[], None]]
Key = tuple[str, bytes]  # author (of a note the node), message id


class Posting:
    """Takes in messages: the same id with the same content has the same answer, for ever."""

    def __init__(
        self, machine: Machine, store: LogStore, reader: LogReader, driver: Driver, clock: Clock,
        rooms: Rooms, reading: Reading, room: StoreRoom, files: Files, subscribe: Subscribe,
    ) -> None:  # fmt: skip
        self._machine = machine
        self._store = store
        self._reader = reader
        self._driver = driver
        self._clock = clock
        self._rooms = rooms
        self._reading = reading
        self._room = room
        self._files = files
        self._saying = Saying(reading, rooms, files)
        self._subscribe = subscribe
        self._under_way: dict[Key, asyncio.Task[Posted]] = {}

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

        def said(person: Person, message: bytes) -> tuple[str, bytes]:
            return self._saying.encode(person, kind, room, body, message)

        posted = await self.post_said(seat, kind, [room, body], said, message_id, created_ms)
        if kind == file.NAME:
            self._files.posted(body["blob"])
        return posted

    async def post_said(
        self,
        seat: Seat,
        kind: str,
        asked: object,
        said: Callable[[Person, bytes], tuple[str, bytes]],
        message_id: str,
        created_ms: int | None,
    ) -> Posted:
        """Post what `said` makes, room and body, for this person and message id, or refuses.

        `asked`: all that the page asked for; asked again, it has its answer whatever changed since.
        """
        taken = open_seat(seat)
        message = read_message_id(message_id)
        key = (taken.person.staff_id, message)
        machine = self._machine

        def draft() -> tuple[str, Draft]:
            room, encoded = said(taken.person, message)
            rule = KINDS[kind]
            now_ms = self._clock.now_ms()
            # A page's clock is nobody's: it may only say how long its text waited in the outbox.
            created = min(created_ms, now_ms) if created_ms else now_ms
            part = AuthorPart(
                message, taken.session.id, created, self._clock.quality(),
                machine.book.roster_serial(), room, "", encoded,
            )  # fmt: skip
            author = sign_author_part(
                taken.signer, machine.book.network, machine.me, rule.lane, rule.lifetime_s, kind,
                part,
            )  # fmt: skip
            return room, Draft(rule.lane, kind, rule.lifetime_s, author, b"")

        return await self._once(taken, key, [kind, asked], draft)

    async def post_note(
        self, seat: Seat, room: str, text: str, source: str, source_name: str, message_id: str
    ) -> Posted:
        """See Office.post_note."""
        taken = open_seat(seat)
        message = read_message_id(message_id)
        words = (text, source, source_name.strip())
        key = (self._machine.me.hex(), message)

        def draft() -> tuple[str, Draft]:
            text_of(text)
            refuse_source(source, source_name)
            self._rooms.check_open(taken.person, room)
            serial = self._machine.book.roster_serial()
            said = note.Note(message, room, *words, taken.person.staff_id, serial)
            kind = KINDS[note.NAME]
            body = note.encode_body(said)
            return room, Draft(kind.lane, kind.name, kind.lifetime_s, b"", body)

        return await self._once(taken, key, [note.NAME, room, *words], draft)

    async def _once(
        self,
        seat: OpenSeat,
        key: Key,
        asked: object,
        make: Callable[[], tuple[str, Draft]],
    ) -> Posted:
        """Store what `make` makes, or give the answer that this id had before."""
        content = _hash_of(asked)
        while key in self._under_way:  # a commit under way goes on, whoever waits for it
            await asyncio.wait([self._under_way[key]])
        kept = self._reader.answer(*key)
        if kept is not None:
            if kept[0] != content:
                raise taken_id()
            return msgspec.json.decode(kept[1], type=Posted)
        if self._machine.me in self._machine.book.revoked:
            raise revoked_node()
        if seat.revoked:
            raise card_revoked()
        room, draft = make()
        try:
            self._room.refuse(draft.lane)
        except RefusedError as refused:
            self._driver.refused[refused.code] += 1
            raise
        storing = asyncio.get_running_loop().create_task(
            self._store_message(key, content, room, draft)
        )
        self._under_way[key] = storing
        storing.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(storing)

    async def _store_message(self, key: Key, content: bytes, room: str, draft: Draft) -> Posted:
        answer: list[Posted] = []

        def beside(entry: Entry, at_ms: int) -> None:
            posted = Posted(key[0], str(uuid.UUID(bytes=key[1])), entry.id.hex(), room, at_ms, None)
            answer.append(posted)
            self._store.keep_answer(key[0], key[1], content, msgspec.json.encode(posted))

        await self._driver.submit([draft], [], beside)
        await self._until_shown(key)
        return answer[0]

    async def _until_shown(self, key: Key) -> None:
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


def _hash_of(asked: object) -> bytes:
    return hash32(json.dumps(msgspec.to_builtins(asked), sort_keys=True).encode())


def refuse_source(source: str, source_name: str) -> None:
    """Refuse a note that does not say where its words come from. Raises `bad_source`."""
    if source in note.SOURCES and source_name.isprintable() and len(source_name) <= NAME_CHARS_MAX:
        return
    raise RefusedError(
        "bad_source",
        "どこからの内容か(窓口・紙・電話)と、名前を確かめてください。",
        "Say where the words come from (walk_in, paper, phone), and check the name.",
        f"名前は{NAME_CHARS_MAX}文字までです。",
        f"A name has at most {NAME_CHARS_MAX} characters.",
        400,
    )


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
