"""event 予定: something at a time and a place, in versions.

Body: {1: title, 2: text, 3: start, 4: end, 5: place, 6: all day, 7: [entry ids it replaces], 8:
[author, message id] of the first version, 9: withdrawn}; 7 to 9 may be left out. Times are the
city's, in minutes, as 2026-11-18T09:00+09:00. What lasts all day is from midnight to the midnight
after its last day.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from meshrelay.core.codec import is_text
from meshrelay.core.entry import LIFETIME_S_MAX, NORMAL, TEXT_CHARS_MAX
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk, versions
from meshrelay.desk.kind import Item, Kind, Row, Rows, numbered

NAME = "event"
PLACE_CHARS_MAX = 140
# A calendar's four digits; what is far outside is a slip of the finger.
YEARS = range(2000, 2100)
OFFSET = timedelta(hours=9)


class Event(NamedTuple):
    """What a message of this kind says."""

    title: str
    text: str
    start: str
    end: str
    place: str
    all_day: bool
    replaces: list[bytes] | None = None
    first: versions.First | None = None
    withdrawn: bool | None = None


def encode_body(event: Event) -> bytes:
    """The body of an event."""
    return versions.encode_fields(event)


def read_time(text: Any) -> datetime | None:
    """The city's time of day that a text says in the one way it may; else None."""
    if not is_text(text, 22):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    good = at.utcoffset() == OFFSET and at.year in YEARS and at.isoformat(timespec="minutes")
    return at if good == text else None


def lasts(start: Any, end: Any, all_day: bool) -> bool:
    """Whether two texts are the beginning and the end of something."""
    begin, over = read_time(start), read_time(end)
    if begin is None or over is None or over <= begin:
        return False
    return not all_day or begin.time() == over.time() == time()


def decode_body(body: bytes) -> Event | None:
    """The event, or None when the body is not of this schema."""
    values = numbered(body, len(Event._fields))
    if values is None:
        return None
    event = Event(*values)
    good = (
        is_text(event.title, versions.TITLE_CHARS_MAX)
        and is_text(event.text, TEXT_CHARS_MAX)
        and type(event.all_day) is bool
        and lasts(event.start, event.end, event.all_day)
        and is_text(event.place, PLACE_CHARS_MAX)
        and type(event.withdrawn) in (bool, type(None))
        and versions.is_first_or_edit(event.replaces, event.first)
    )
    return event if good else None


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None. Elements of later versions are left alone."""
    event = decode_body(body)
    if event is None:
        return "schema"
    if not event.title.strip():
        return "empty"
    return None if audience else "no_room"


def fold(rows: Rows, item: Item) -> None:
    """A row among the room's messages, one for the event."""
    event = decode_body(item.part.body) if item.part else None
    more: Row = {"kind": NAME}
    if event is not None:
        facts = {"withdrawn": bool(event.withdrawn), "end": event.end}
        more |= versions.words(item, event.replaces, event.first, facts)
        more["event"] = {
            "title": event.title, "text": event.text, "start": event.start, "end": event.end,
            "place": event.place, "all_day": event.all_day,
        }  # fmt: skip
    talk.fold(rows, item, more)
    versions.fold(rows, item, NAME, _sort)


def _sort(found: versions.Versions) -> str:
    """By the end: a list from today on has what still lasts."""
    ends = max(str(found[key]["end"]) for key in versions.current(found))
    return f"{ends}{versions.newest(found)['sort']}"


KIND = Kind(
    NAME,
    Rule(frozenset({NORMAL}), False, frozenset(), check),
    NORMAL,
    LIFETIME_S_MAX[NORMAL],
    fold,
)
