"""What every kind of message brings: a schema (`Rule`) and a fold over rows.

A fold gives the same rows for any order of arrival. It sees one stored entry at a
time and keeps what it needs in rows: small dicts under a key, in a group, sorted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from meshrelay.core.codec import decode
from meshrelay.core.entry import ENTRY_BYTES_MAX, AuthorPart, Entry, LogId
from meshrelay.core.records import StaffCredential
from meshrelay.core.verdict import Rule
from meshrelay.errors import FrameError

Row = dict[str, Any]


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


def place(log: LogId, seq: int) -> str:
    """Where an entry stands, as a key of the read model."""
    return f"{log.origin.hex()}:{log.incarnation.hex()}:{log.lane}:{seq}"
