"""talk トーク: a text in a room.

Body: {1: text, 2: [author, message id] of what it answers}; the room is the audience. A message
is (staff id, message id): the fold shows it once, whatever number of nodes took it in. Copies
are the same if kind, audience and body are equal; other content under one id shows both as
要確認. A copy above an end of its log (an orphan) keeps its text, acts no more and stands in no
log.
"""

from __future__ import annotations

from meshrelay.core.clock import TRUSTED
from meshrelay.core.codec import encode, is_text
from meshrelay.core.entry import LIFETIME_S_MAX, NORMAL, TEXT_CHARS_MAX
from meshrelay.core.verdict import EFFECTIVE, WAITING, Rule
from meshrelay.desk.kind import (
    Item,
    Kind,
    Row,
    Rows,
    note_member,
    numbered,
    pair_people,
    place,
    target,
)

NAME = "talk"


def encode_body(text: str, reply_to: tuple[str, bytes] | None = None) -> bytes:
    """The body of a talk message; `reply_to`: (author, message id)."""
    return encode({1: text} | ({2: list(reply_to)} if reply_to else {}))


def _text(body: bytes) -> str | None:
    text = (numbered(body, 1) or [None])[0]
    return text if is_text(text, TEXT_CHARS_MAX) else None


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None. Elements of later versions are left alone."""
    text = _text(body)
    if text is None:
        return "schema"
    if not text.strip():
        return "empty"
    return None if audience else "no_room"


def fold(rows: Rows, item: Item, more: Row | None = None) -> None:
    """One row a message; `copies` by place, so that any order gives the same row.

    What waits for a record has no row yet: nobody vouches for it. An orphan's key is its
    entry: two branches of a log may each have one at the same place. `more`: for the row of a
    kind that is a text with something besides.
    """
    part, person = item.part, item.person
    if part is None or person is None or item.state == WAITING:
        return
    words = {
        "created": part.created_ms,
        "created_quality": part.quality,
        "room": part.audience,
        "roster": part.roster,
        "session": part.session.hex(),
        "text": _text(part.body) or part.summary,
    }
    answered = target((numbered(part.body, 2) or [None, None])[1])
    if more is None and answered:
        words["of"] = answered
    keep(rows, item, person.staff_id, part.message_id, words | (more or {}))


def keep(rows: Rows, item: Item, author: str, message_id: bytes, words: Row) -> None:
    """Note one copy of a message in its row; `words` is what its author or its node said."""
    entry = item.entry
    entry_id = entry.id.hex()
    key = f"{author}/{message_id.hex()}"
    row = rows.get(NAME, key) or {"author": author, "id": message_id.hex()}
    copies = row.setdefault("copies", {})
    here = place(entry.log, entry.seq)
    if item.ended:
        if here in copies and copies[here]["entry"] == entry_id:
            del copies[here]
    elif entry_id in copies:
        return  # an end came first
    copies[entry_id if item.ended else here] = words | {
        "place": here,
        "ended": item.ended,
        "hlc": entry.hlc,
        "entry": entry_id,
        "quality": entry.quality,
        "origin": entry.log.origin.hex(),
        "lifetime_s": entry.lifetime_s,
        "arrived": item.arrived_ms,
        "age": item.age,
        "seen_ms": item.seen_ms,
        "refused": "" if item.state == EFFECTIVE else item.reason,
    }
    copy = shown(row)
    rows.put(NAME, key, copy["room"], sort_key(copy), row)
    rows.carry(here, NAME, key)
    people = pair_people(words["room"])
    for each in people if author in people else ():
        note_member(rows, words["room"], each)


def touch(rows: Rows, key: str) -> None:
    """Tell pages that something was said about the message under `key`, if it is here."""
    row = rows.get(NAME, key)
    for copy in row["copies"].values() if row else ():
        rows.touch(copy["place"])


def shown(row: Row) -> Row:
    """The copy that is shown: an effective one, best clock class, then least (HLC, entry id)."""
    return min(
        row["copies"].values(),
        key=lambda copy: (copy["refused"] != "", copy["quality"] < TRUSTED, sort_key(copy)),
    )


def same_copies(row: Row) -> list[Row]:
    """Copies with the shown content."""
    content = _content(shown(row))
    return [copy for copy in row["copies"].values() if _content(copy) == content]


def same_places(row: Row) -> list[str]:
    """Where they stand in logs: only these speak for the message's place and readers."""
    return [copy["place"] for copy in same_copies(row) if not copy["ended"]]


def other_texts(row: Row) -> list[str]:
    """Other content that the author signed under the same id: shown beside it, 要確認."""
    texts = {copy["text"] for copy in row["copies"].values() if not copy["refused"]}
    return sorted(texts - {shown(row)["text"]})


def _content(copy: Row) -> tuple[str, ...]:
    attached = copy.get("file", {"name": "", "blob": ""})
    return (
        copy.get("kind", NAME), copy["room"], copy["text"], copy["refused"], attached["name"],
        attached["blob"], copy.get("of", ""), copy.get("act", ""), copy.get("digest", ""),
    )  # fmt: skip


def sort_key(copy: Row) -> str:
    """Order on screens: (HLC, entry id)."""
    return f"{copy['hlc']:016x}{copy['entry']}"


def trouble(row: Row) -> str | None:
    """Why the message is 要確認: its refusal, or `conflict` for other content under one id."""
    good = [copy for copy in row["copies"].values() if not copy["refused"]]
    if not good:
        return str(shown(row)["refused"])
    return "conflict" if len({_content(copy) for copy in good}) > 1 else None


KIND = Kind(
    NAME,
    Rule(frozenset({NORMAL}), False, frozenset(), check),
    NORMAL,
    LIFETIME_S_MAX[NORMAL],
    fold,
)
