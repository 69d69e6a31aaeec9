"""pin 固定: a room keeps a message in view, or lets go of it; the newest word counts.

Body: {1: [author, message id], 2: on}. Anybody of the room may; the room shows who did.
"""

from __future__ import annotations

from meshrelay.core.codec import encode
from meshrelay.core.entry import LIFETIME_S_MAX, NORMAL
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk
from meshrelay.desk.kind import (
    Item,
    Kind,
    Rows,
    newest_said,
    note_said,
    numbered,
    place,
    target,
)

NAME = "pin"
PINNED, UNPINNED = "pinned", "unpinned"


def encode_body(of: tuple[str, bytes], on: bool) -> bytes:
    """The body of a pin; `of`: (author, message id)."""
    return encode({1: list(of), 2: on})


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None."""
    of, on = numbered(body, 2) or [None, None]
    if target(of) is None or type(on) is not bool:
        return "schema"
    return None if audience else "no_room"


def fold(rows: Rows, item: Item) -> None:
    """A row among the room's messages, and one for the pinned message with all that was said."""
    part = item.part
    if part is None or item.person is None:
        return
    of, on = numbered(part.body, 2) or [None, None]
    pinned = target(of)
    if pinned is None or type(on) is not bool:
        talk.fold(rows, item, {"kind": NAME})
        return
    act = PINNED if on else UNPINNED
    talk.fold(rows, item, {"kind": NAME, "text": "", "of": pinned, "act": act})
    key = f"{part.audience}\n{pinned}"
    row = rows.get(NAME, key) or {"of": pinned, "said": {}}
    sort = f"{item.entry.hlc:016x}{item.entry.id.hex()}"
    note_said(row, item, {"sort": sort, "on": on})
    newest = newest_said(row) or {"sort": "", "on": False}
    # Only what is pinned stands in the room's group: lists read nothing else.
    rows.put(NAME, key, part.audience if newest["on"] else "", newest["sort"], row)
    rows.carry(place(item.entry.log, item.entry.seq), NAME, key)
    talk.touch(rows, pinned)


KIND = Kind(
    NAME,
    Rule(frozenset({NORMAL}), False, frozenset(), check),
    NORMAL,
    LIFETIME_S_MAX[NORMAL],
    fold,
)
