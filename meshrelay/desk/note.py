"""note 署名なし: what a ward took down from somebody without a card, on paper or by telephone.

Signed by the node, so nobody vouches for whose words they are; never an order. A room shows
it among its messages, marked, with who took it down (受付者). Body: {1: message id, 2: room,
3: text, 4: source, 5: source name, 6: staff id of the receptionist, 7: roster}.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.clock import ms_of
from meshrelay.core.codec import encode, is_bytes, is_text, is_uint
from meshrelay.core.entry import (
    AUDIENCE_CHARS_MAX,
    LIFETIME_S_MAX,
    MESSAGE_ID_BYTES,
    NORMAL,
    TEXT_CHARS_MAX,
)
from meshrelay.core.records import NAME_CHARS_MAX
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk
from meshrelay.desk.kind import Item, Kind, Rows, numbered

NAME = "note"
SOURCES = ("walk_in", "paper", "phone")


class Note(NamedTuple):
    """A note as it was taken down; `roster`: highest staff serial known there."""

    message_id: bytes
    room: str
    text: str
    source: str
    source_name: str
    taken_by: str
    roster: int


def encode_body(note: Note) -> bytes:
    """The body of a note."""
    return encode(dict(enumerate(note, 1)))


def decode_body(body: bytes) -> Note | None:
    """The note, or None when the body is not of this schema."""
    values = numbered(body, len(Note._fields))
    if values is None:
        return None
    note = Note(*values)
    good = (
        is_bytes(note.message_id, MESSAGE_ID_BYTES)
        and is_text(note.room, AUDIENCE_CHARS_MAX)
        and is_text(note.text, TEXT_CHARS_MAX)
        and note.source in SOURCES
        and is_text(note.source_name, NAME_CHARS_MAX)
        and is_text(note.taken_by, NAME_CHARS_MAX)
        and is_uint(note.roster, 1 << 32)
    )
    return note if good else None


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None."""
    note = decode_body(body)
    if note is None:
        return "schema"
    if not note.text.strip():
        return "empty"
    return None if note.room else "no_room"


def fold(rows: Rows, item: Item) -> None:
    """A row among the room's messages, under the node that took it down."""
    note = decode_body(item.entry.body)
    if note is None:
        return
    words = {
        "created": ms_of(item.entry.hlc),
        "created_quality": item.entry.quality,
        "room": note.room,
        "roster": note.roster,
        "session": "",
        "text": note.text,
        "unsigned": note.source,
        "source_name": note.source_name,
        "taken_by": note.taken_by,
    }
    talk.keep(rows, item, item.entry.log.origin.hex(), note.message_id, words)


KIND = Kind(
    NAME,
    Rule(frozenset({NORMAL}), True, frozenset(), check),
    NORMAL,
    LIFETIME_S_MAX[NORMAL],
    fold,
)
