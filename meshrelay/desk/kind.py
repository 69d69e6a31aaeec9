"""What every kind of message brings: a schema (`Rule`) and a fold over rows.

A fold gives the same rows for any order of arrival. It sees one stored entry at a
time and keeps what it needs in rows: small dicts under a key, in a group, sorted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from meshrelay.core.codec import decode, is_bytes, is_text
from meshrelay.core.entry import ENTRY_BYTES_MAX, MESSAGE_ID_BYTES, AuthorPart, Entry, LogId
from meshrelay.core.records import StaffCredential
from meshrelay.core.verdict import EFFECTIVE, Rule
from meshrelay.errors import FrameError

Row = dict[str, Any]

# A staff id, or of a note the node's key in hexadecimal.
AUTHOR_CHARS_MAX = 64


class Item(NamedTuple):
    """One stored entry with its verdict, as a fold sees it.

    `age`, `seen_ms`: the known age with which it came, and what this store had seen pass by
    then (core/clock.py). `ended`: a fork proof or a revocation ended its log below it.
    """

    entry: Entry
    state: int
    reason: str
    part: AuthorPart | None
    person: StaffCredential | None
    arrived_ms: int
    age: int
    seen_ms: int
    ended: bool


class Rows(Protocol):
    """The read model, as a fold may use it."""

    def get(self, kind: str, key: str) -> Row | None:
        """The row under this key, or None."""

    def put(self, kind: str, key: str, group: str, sort: str, row: Row) -> None:
        """Write a row; pages are told that it changed."""

    def drop(self, kind: str, key: str) -> None:
        """Remove a row, if it is there."""

    def carry(self, place: str, kind: str, key: str) -> None:
        """Note that the entry at `place` carries this row: receipts for it change the row."""

    def touch(self, place: str) -> None:
        """Tell pages that what the entry at `place` carries has changed."""


class Kind(NamedTuple):
    """One kind: its rule for level B and its fold."""

    name: str
    rule: Rule
    lane: int
    lifetime_s: int
    fold: Callable[[Rows, Item], None]


def numbered(body: bytes, count: int) -> list[Any] | None:
    """Fields 1 … count of a body that is a map, None for those left out; None: it is no map."""
    try:
        fields: Any = decode(body, ENTRY_BYTES_MAX)
    except FrameError:
        return None
    if type(fields) is not dict:
        return None
    return [fields.get(number) for number in range(1, count + 1)]


PAIR = "pair:"
# Rows of this name, one a person and room, list the rooms that no roster knows of.
MEMBER = "member"


def pair_room(one: str, other: str) -> str:
    """The room of two people, by their staff ids: it needs no entry to exist."""
    return PAIR + "+".join(sorted((one, other)))


def pair_people(room: str) -> tuple[str, ...]:
    """The two of a pair's room; nobody for any other room. No staff id has a plus sign."""
    people = room.removeprefix(PAIR).split("+")
    fits = room.startswith(PAIR) and len(people) == 2 and people[0] < people[1]
    return tuple(people) if fits and all(people) else ()


def note_member(rows: Rows, room: str, person: str) -> None:
    """List a room among a person's own."""
    rows.put(MEMBER, f"{room}\n{person}", person, room, {})


def note_said(row: Row, item: Item, value: Any) -> None:
    """Keep in row["said"] what an effective entry says; what an end took away stays away."""
    said, entry = row["said"], item.entry.id.hex()
    if item.ended:
        said[entry] = None
    elif item.state != EFFECTIVE:
        if said.get(entry):
            del said[entry]
    elif entry not in said:
        said[entry] = value


def newest_said(row: Row, upto: str = "~") -> Row | None:
    """The newest of row["said"], which all have a `sort`, not above `upto`; else the oldest."""
    said = sorted((each for each in row["said"].values() if each), key=lambda each: each["sort"])
    early = [each for each in said if each["sort"] <= upto]
    return early[-1] if early else said[0] if said else None


def target(value: Any) -> str | None:
    """The row of the message that a body names by [author, message id]; None: not so named."""
    fits = type(value) is list and len(value) == 2 and is_text(value[0], AUTHOR_CHARS_MAX)
    if not fits or not value[0] or not is_bytes(value[1], MESSAGE_ID_BYTES):
        return None
    return f"{value[0]}/{value[1].hex()}"


def place(log: LogId, seq: int) -> str:
    """Where an entry stands, as a key of the read model."""
    return f"{log.origin.hex()}:{log.incarnation.hex()}:{log.lane}:{seq}"
