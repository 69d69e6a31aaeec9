"""correction 訂正・取消・誤報: a message of its own that says what became of an earlier one.

Body: {1: new text, 2: [author, message id] of the earlier one, 3: act, 4: reason}. Nothing is
altered in place: whoever has read the old words finds the new ones below, unread, with receipts
of their own. Only its author may correct a message, or who took a note down; readers judge that
when both are there, whichever came first.
"""

from __future__ import annotations

from meshrelay.core.codec import encode, is_text
from meshrelay.core.entry import LIFETIME_S_MAX, NORMAL, TEXT_CHARS_MAX
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk
from meshrelay.desk.kind import Item, Kind, Row, Rows, numbered, target

NAME = "correction"
CORRECT, WITHDRAW, FALSE = "correct", "withdraw", "false"
ACTS = (CORRECT, WITHDRAW, FALSE)
REASON_CHARS_MAX = 140


def encode_body(text: str, of: tuple[str, bytes], act: str, reason: str) -> bytes:
    """The body of a correction; `of`: (author, message id)."""
    return encode({1: text, 2: list(of), 3: act, 4: reason})


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None."""
    text, of, act, reason = numbered(body, 4) or [None] * 4
    good = (
        is_text(text, TEXT_CHARS_MAX)
        and target(of) is not None
        and act in ACTS
        and is_text(reason, REASON_CHARS_MAX)
        and reason.strip()
    )
    if not good:
        return "schema"
    if act == CORRECT and not text.strip():
        return "empty"
    return None if audience else "no_room"


def fold(rows: Rows, item: Item) -> None:
    """A row among the room's messages, and one under the message that it is about."""
    part, person = item.part, item.person
    if part is None or person is None:
        return
    _, of, act, reason = numbered(part.body, 4) or [None] * 4
    earlier = target(of)
    if earlier is None or act not in ACTS:
        earlier, act, reason = "", "", ""  # refused as schema: shown as such
    talk.fold(rows, item, {"kind": NAME, "of": earlier, "act": act, "reason": reason})
    key = f"{person.staff_id}/{part.message_id.hex()}"
    row = rows.get(talk.NAME, key)
    if row is not None:
        _list(rows, key, row)


def _list(rows: Rows, key: str, row: Row) -> None:
    """List a correction under each message that an effective copy of it is about."""
    copies = [copy for copy in row["copies"].values() if copy.get("of") and copy.get("act")]
    for earlier in sorted({copy["of"] for copy in copies}):
        good = [copy for copy in copies if copy["of"] == earlier and not copy["refused"]]
        if good:
            first = min(talk.sort_key(copy) for copy in good)
            rows.put(NAME, f"{key}:{earlier}", earlier, first, {"by": key})
        else:
            rows.drop(NAME, f"{key}:{earlier}")
        talk.touch(rows, earlier)


KIND = Kind(
    NAME,
    Rule(frozenset({NORMAL}), False, frozenset(), check),
    NORMAL,
    LIFETIME_S_MAX[NORMAL],
    fold,
)
