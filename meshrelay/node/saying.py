"""From what a page posts to the body that is signed; every refusal says what to do."""

from __future__ import annotations

import uuid
from typing import Any

from meshrelay.core.entry import TEXT_CHARS_MAX
from meshrelay.core.records import ROLE_INSTRUCTOR
from meshrelay.desk import correction, file, note, order, pin, talk
from meshrelay.desk import room as listed
from meshrelay.desk.kind import newest_said
from meshrelay.errors import RefusedError
from meshrelay.node.about import no_message
from meshrelay.node.files import Files, too_long
from meshrelay.node.folding import KINDS
from meshrelay.node.office import Person
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.store.views import Found

# What may be corrected; an order is ended by an order.
CORRECTABLE = frozenset({talk.NAME, file.NAME, note.NAME, correction.NAME})


class Saying:
    """Knows what each kind needs of a page, and who may say what about which message."""

    def __init__(self, reading: Reading, rooms: Rooms, files: Files) -> None:
        self._reading = reading
        self._rooms = rooms
        self._files = files

    def encode(
        self, person: Person, kind: str, room: str, body: dict[str, Any], message: bytes
    ) -> tuple[str, bytes]:
        """(room, body) of a message. Raises RefusedError (see Office.post)."""
        if kind == listed.NAME:
            return self._room(person, room, body, message)
        if kind == file.NAME:
            reply_to = self._answered(person, room, body)
            encoded = self._files.encode(body, reply_to=reply_to)
        elif kind == talk.NAME:
            encoded = self._talk(person, room, body)
        elif kind == correction.NAME:
            encoded = self._correction(person, room, body)
        elif kind == pin.NAME:
            encoded = self._pin(person, room, body)
        elif kind in order.ROLES:
            encoded = talk.encode_body(text_of(body.get("text")))
        else:
            raise _unknown_kind(kind)
        refuse_role(kind, person)
        self._rooms.check_open(person, room)
        return room, encoded

    def _talk(self, person: Person, room: str, body: dict[str, Any]) -> bytes:
        text = text_of(body.get("text"))
        return talk.encode_body(text, self._answered(person, room, body))

    def _answered(
        self, person: Person, room: str, body: dict[str, Any]
    ) -> tuple[str, bytes] | None:
        """The message that a text or a file answers."""
        of = body.get("reply_to")
        return _named(self._about(person, room, of)) if of else None

    def _correction(self, person: Person, room: str, body: dict[str, Any]) -> bytes:
        found = self._about(person, room, body.get("of"))
        shown = talk.shown(found.row)
        kind = shown.get("kind", note.NAME if "unsigned" in shown else talk.NAME)
        if person.staff_id not in (found.row["author"], shown.get("taken_by")):
            raise _not_yours()
        act, reason = body.get("act"), body.get("reason")
        if kind not in CORRECTABLE or act not in correction.ACTS:
            raise _not_correctable()
        reason = reason.strip() if isinstance(reason, str) else ""
        if not 0 < len(reason) <= correction.REASON_CHARS_MAX:
            raise _no_reason()
        text = text_of(body.get("text")) if act == correction.CORRECT else ""
        return correction.encode_body(text, _named(found), act, utf8(reason))

    def _pin(self, person: Person, room: str, body: dict[str, Any]) -> bytes:
        found = self._about(person, room, body.get("of"))
        return pin.encode_body(_named(found), body.get("on") is not False)

    def _about(self, person: Person, room: str, of: object) -> Found:
        """The message of this room that a page names by {author, message_id}."""
        self._rooms.check_open(person, room)
        author = of.get("author") if isinstance(of, dict) else None
        message_id = of.get("message_id") if isinstance(of, dict) else None
        if isinstance(author, str) and isinstance(message_id, str):
            found = self._reading.find(author, message_id)
            if found is not None and found.group == room:
                return found
        raise no_message()

    def _room(
        self, person: Person, room: str, body: dict[str, Any], message: bytes
    ) -> tuple[str, bytes]:
        """A new room if `room` is empty, else a change by who may change it."""
        row = self._rooms.row(room) if room else None
        if room and row is None:
            self._rooms.check(person, room)
            raise _not_maker()
        if row is not None and not self._rooms.may_change(person, room):
            raise _not_maker()
        said = newest_said(row) if row else None
        maker = str(row["maker"]) if row else person.staff_id
        nonce = bytes(row["nonce"]) if row else message
        name = body.get("name", said["name"] if said else "")
        if not isinstance(name, str) or not 0 < len(name.strip()) <= listed.NAME_CHARS_MAX:
            raise _bad_name()
        members = self._members(body.get("members", said["members"] if said else []))
        members = members if row else sorted({*members, person.staff_id})
        closed = body.get("closed", bool(said and said["closed"])) is True
        made = listed.Room(maker, nonce, utf8(name.strip()), listed.RULE_LIST, members, closed)
        return listed.room_id(maker, nonce), listed.encode_body(made)

    def _members(self, members: object) -> list[str]:
        if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
            raise _no_person("?")
        for each in members:
            if not self._rooms.is_known(each):
                raise _no_person(each)
        found = sorted(set(members))
        if len(found) > listed.MEMBERS_MAX - 1:
            raise _too_many()
        return found


def _named(found: Found) -> tuple[str, bytes]:
    return found.row["author"], bytes.fromhex(found.row["id"])


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


def text_of(text: object) -> str:
    """The text of a message. Raises RefusedError `empty`, `too_long` or `bad_text`."""
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
        raise too_long(text)
    return utf8(text)


def utf8(text: str) -> str:
    """The text itself, if it can be sent. Raises RefusedError `bad_text`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad_text() from None
    return text


def bad_text() -> RefusedError:
    """Half a surrogate pair: no UTF-8."""
    return RefusedError(
        "bad_text",
        "文に使えない文字があります。",
        "The text holds characters that cannot be sent.",
        "その文字を消して、もう一度送ってください。",
        "Remove them and send again.",
        400,
    )


def refuse_role(kind: str, person: Person) -> None:
    """Refuse before signing what every node would refuse after. Raises `role`."""
    roles = KINDS[kind].rule.roles
    if not roles or not roles.isdisjoint(person.roles):
        return
    who, who_en = ("本部長", "hq")
    if ROLE_INSTRUCTOR in roles:
        who, who_en = ("本部長か指示者", "hq or instructor")
    raise RefusedError(
        "role",
        f"これを出せるのは{who}の権限を持つ人だけです。送っていません。",
        f"Only somebody with the role {who_en} can say this. It was not sent.",
        "権限のある人に頼むか、ふつうのメッセージとして送ってください。",
        "Ask somebody who may, or send it as an ordinary message.",
        403,
    )


def _unknown_kind(kind: str) -> RefusedError:
    return RefusedError(
        "unknown_kind",
        f"この機器は種類「{kind[:20]}」を送れません。",
        f"This node cannot send the kind {kind[:20]!r}.",
        "ページを読み込み直してください。",
        "Reload the page.",
        400,
    )


def _not_yours() -> RefusedError:
    return RefusedError(
        "not_yours",
        "訂正や取り消しができるのは、書いた本人だけです。",
        "Only who wrote a message can correct or withdraw it.",
        "書いた人に頼むか、返信で知らせてください。",
        "Ask its author, or say so in a reply.",
        403,
    )


def _not_correctable() -> RefusedError:
    return RefusedError(
        "not_correctable",
        "このメッセージは訂正も取り消しもできません。",
        "This message cannot be corrected or withdrawn.",
        "新しいメッセージで知らせてください。",
        "Say so in a new message.",
        400,
    )


def _no_reason() -> RefusedError:
    return RefusedError(
        "no_reason",
        "訂正・取り消しの理由がありません。",
        "There is no reason for the correction.",
        f"理由を{correction.REASON_CHARS_MAX}文字までで入れてください。",
        f"Give a reason of at most {correction.REASON_CHARS_MAX} characters.",
        400,
    )


def _not_maker() -> RefusedError:
    return RefusedError(
        "not_maker",
        "ルームを変えられるのは、作った人と登録担当者だけです。",
        "Only the maker of a room and registrars can change it.",
        "作った人に頼んでください。",
        "Ask the person who made it.",
        403,
    )


def _bad_name() -> RefusedError:
    return RefusedError(
        "room_name",
        "ルームの名前がありません。",
        "The room has no name.",
        f"名前を{listed.NAME_CHARS_MAX}文字までで入れてください。",
        f"Give it a name of at most {listed.NAME_CHARS_MAX} characters.",
        400,
    )


def _no_person(staff_id: str) -> RefusedError:
    return RefusedError(
        "no_person",
        f"職員番号「{staff_id[:30]}」の人は名簿にいません。",
        f"Nobody in the roster has the staff number {staff_id[:30]!r}.",
        "番号を確かめてください。名簿がまだ届いていないこともあります。",
        "Check the number; the roster may not have arrived yet.",
        404,
    )


def _too_many() -> RefusedError:
    return RefusedError(
        "too_many_members",
        f"人が多すぎます（{listed.MEMBERS_MAX}人まで）。",
        f"Too many people (at most {listed.MEMBERS_MAX}).",
        "区や班のルームを使うか、ルームを分けてください。",
        "Use the room of a ward or unit, or make two rooms.",
        400,
    )
