"""room ルーム: a room whose members somebody listed; its latest entry says who they are.

Body: {1: maker's staff id, 2: nonce, 3: name, 4: rule, 5: members, 6: closed}. The id of the room
is a hash of maker and nonce, so nobody can begin a room in another's name; changes have effect
from its maker and from registrars only. The standing rooms (全庁, ward, unit, 本部長) need none.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.codec import encode, is_bytes, is_text
from meshrelay.core.entry import LIFETIME_S_MAX, MESSAGE_ID_BYTES, NORMAL
from meshrelay.core.records import ROLE_REGISTRAR
from meshrelay.core.signing import hash32
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk
from meshrelay.desk.kind import (
    AUTHOR_CHARS_MAX,
    MEMBER,
    Item,
    Kind,
    Row,
    Rows,
    newest_said,
    note_member,
    note_said,
    numbered,
    place,
)

NAME = "room"
LIST = "list:"
RULE_LIST = "list"
NAME_CHARS_MAX = 40
MEMBERS_MAX = 300


class Room(NamedTuple):
    """What one entry says of its room. `rule`: `list`, the only one that needs an entry."""

    maker: str
    nonce: bytes
    name: str
    rule: str
    members: list[str]
    closed: bool


def room_id(maker: str, nonce: bytes) -> str:
    """The room that `maker` began with `nonce`."""
    return LIST + hash32(encode([maker, nonce])).hex()[:32]


def encode_body(room: Room) -> bytes:
    """The body of a room entry."""
    return encode(dict(enumerate(room, 1)))


def decode_body(body: bytes) -> Room | None:
    """The room, or None when the body is not of this schema."""
    values = numbered(body, len(Room._fields))
    if values is None:
        return None
    room = Room(*values)
    good = (
        is_text(room.maker, AUTHOR_CHARS_MAX)
        and is_bytes(room.nonce, MESSAGE_ID_BYTES)
        and is_text(room.name, NAME_CHARS_MAX)
        and room.name.strip()
        and room.rule == RULE_LIST
        and type(room.members) is list
        and len(room.members) <= MEMBERS_MAX
        and all(is_text(each, AUTHOR_CHARS_MAX) for each in room.members)
        and type(room.closed) is bool
    )
    return room if good else None


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None."""
    room = decode_body(body)
    if room is None:
        return "schema"
    return None if audience == room_id(room.maker, room.nonce) else "no_room"


def fold(rows: Rows, item: Item) -> None:
    """A row among the room's messages, one for the room, one for each of its members."""
    part, person = item.part, item.person
    if part is None or person is None:
        return
    room = decode_body(part.body)
    if room is None or part.audience != room_id(room.maker, room.nonce):
        talk.fold(rows, item, {"kind": NAME, "room": ""})  # refused: stands in no room
        return
    said = {"kind": NAME, "text": room.name, "members": len(room.members), "closed": room.closed}
    talk.fold(rows, item, said)
    may = person.staff_id == room.maker or ROLE_REGISTRAR in person.roles
    key = part.audience
    row = rows.get(NAME, key) or {"maker": room.maker, "nonce": room.nonce, "said": {}}
    before = _members(row)
    if may:
        note_said(row, item, {
            "sort": f"{item.entry.hlc:016x}{item.entry.id.hex()}",
            "name": room.name,
            "members": sorted(set(room.members)),
            "closed": room.closed,
        })  # fmt: skip
    rows.put(NAME, key, "", "", row)
    rows.carry(place(item.entry.log, item.entry.seq), NAME, key)
    after = _members(row)
    for each in sorted(before - after):
        rows.drop(MEMBER, f"{key}\n{each}")
    for each in sorted(after - before):
        note_member(rows, key, each)


def _members(row: Row) -> set[str]:
    said = newest_said(row)
    return set(said["members"]) if said else set()


KIND = Kind(
    NAME,
    Rule(frozenset({NORMAL}), False, frozenset(), check),
    NORMAL,
    LIFETIME_S_MAX[NORMAL],
    fold,
)
