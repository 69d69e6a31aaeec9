"""read 既読: which entries a node displayed to which of its people.

Signed by the node, one entry per room per few seconds, only what is new. Body:
[room, [[staff id, origin, incarnation, lane, [[from, to], ...], session], ...]]. A node can
only say so of who logged in at it: the session proves that, and the entry waits for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from meshrelay.core.clock import ms_of
from meshrelay.core.codec import decode, encode, is_bytes, is_text, is_uint
from meshrelay.core.entry import (
    AUDIENCE_CHARS_MAX,
    BACKGROUND,
    ENTRY_BYTES_MAX,
    INCARNATION_BYTES,
    LIFETIME_S_MAX,
    LogId,
)
from meshrelay.core.records import NAME_CHARS_MAX
from meshrelay.core.signing import ID_BYTES, KEY_BYTES
from meshrelay.core.verdict import EFFECTIVE, Rule
from meshrelay.desk.kind import Item, Kind, Rows, place
from meshrelay.errors import FrameError

NAME = "read"
# One entry speaks of a screenful per person, not of a year: bounds the fold's work.
SEQS_MAX = 1_000
# Even if no two seqs are neighbours, this many fit 16 KiB.
PER_ENTRY_MAX = 100


class Who(NamedTuple):
    """Somebody before a screen, and the session record of their log-in."""

    staff_id: str
    session: bytes


Displayed = list[tuple[Who, LogId, int]]


def encode_body(room: str, displayed: Displayed) -> bytes:
    """Pack (person, log, seq) triples into ranges."""
    seqs: dict[tuple[Who, LogId], set[int]] = {}
    for who, log, seq in displayed:
        seqs.setdefault((who, log), set()).add(seq)
    rows = [
        [who.staff_id, *log, _ranges(sorted(have)), who.session]
        for (who, log), have in sorted(seqs.items())
    ]
    return encode([room, rows])


def _ranges(seqs: list[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for seq in seqs:
        if ranges and ranges[-1][1] == seq - 1:
            ranges[-1][1] = seq
        else:
            ranges.append([seq, seq])
    return ranges


def decode_body(body: bytes) -> Displayed | None:
    """The triples, or None when the body is not of this schema."""
    try:
        fields: Any = decode(body, ENTRY_BYTES_MAX)
    except FrameError:
        return None
    if not (
        type(fields) is list
        and len(fields) >= 2
        and is_text(fields[0], AUDIENCE_CHARS_MAX)
        and type(fields[1]) is list
    ):
        return None
    displayed: Displayed = []
    for row in fields[1]:
        if not (
            type(row) is list
            and len(row) >= 6
            and is_text(row[0], NAME_CHARS_MAX)
            and is_bytes(row[1], KEY_BYTES)
            and is_bytes(row[2], INCARNATION_BYTES)
            and is_uint(row[3], 4)
            and type(row[4]) is list
            and is_bytes(row[5], ID_BYTES)
        ):
            return None
        who = Who(row[0], row[5])
        log = LogId(row[1], row[2], row[3])
        for span in row[4]:
            if not (type(span) is list and len(span) == 2 and all(is_uint(end) for end in span)):
                return None
            first, last = span
            if not 0 < first <= last or len(displayed) + last - first >= SEQS_MAX:
                return None
            displayed += [(who, log, seq) for seq in range(first, last + 1)]
    return displayed


def of_whom(body: bytes) -> list[tuple[str, bytes]]:
    """(staff id, session) of everybody that a body of this schema speaks of, each once."""
    return list(dict.fromkeys((who.staff_id, who.session) for who, _, _ in decode_body(body) or ()))


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None."""
    return "schema" if decode_body(body) is None else None


def fold(rows: Rows, item: Item) -> None:
    """One row for each (entry, person); the earliest time wins, whatever came first.

    Each row keeps who says so: what an end takes out of its log says nothing any more.
    """
    if item.state != EFFECTIVE and not item.ended:
        return
    here = place(item.entry.log, item.entry.seq)
    for (person, _), log, seq in decode_body(item.entry.body) or ():
        at = place(log, seq)
        key = f"{at}:{person}"
        row = rows.get(NAME, key)
        by = row["by"] if row is not None else {}
        if item.ended:
            by.pop(here, None)
        else:
            by[here] = ms_of(item.entry.hlc)
        if by:
            rows.put(NAME, key, at, person, {"person": person, "at": min(by.values()), "by": by})
        else:
            rows.drop(NAME, key)
        if (row is None) is not item.ended:
            rows.touch(at)


KIND = Kind(
    NAME,
    Rule(frozenset({BACKGROUND}), True, frozenset(), check, of_whom),
    BACKGROUND,
    LIFETIME_S_MAX[BACKGROUND],
    fold,
)
