"""iCalendar (RFC 5545) of events, for people's own calendars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from meshrelay.desk.event import read_time
from meshrelay.node.board_desk import Event, EventVersion
from meshrelay.node.office import NetworkInfo
from meshrelay.web.text import clean, clean_name
from meshrelay.web.words import word

CONTENT_TYPE = "text/calendar"
# RFC 5545, 3.1: a line's octets without its break.
LINE_BYTES_MAX = 75
_STAMP = "%Y%m%dT%H%M%SZ"


def calendar(events: Iterable[Event], network: NetworkInfo, lang: str) -> bytes:
    """One VCALENDAR with the newest current version of each event.

    UID is the same for all versions of an event and SEQUENCE grows with them, so that a calendar
    that reads the file again replaces what it had.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//meshrelay//meshrelay//JA"]
    lines += ["CALSCALE:GREGORIAN", f"X-WR-CALNAME:{_text(clean_name(network.name))}"]
    for event in events:
        lines += _event(event, network, lang)
    lines.append("END:VCALENDAR")
    return b"".join(_folded(line) for line in lines)


def _event(event: Event, network: NetworkInfo, lang: str) -> list[str]:
    version = event.versions[0]
    doubtful = sum(each.current for each in event.versions) > 1
    title = clean(version.title)
    summary = word("event_doubtful", lang, title=title) if doubtful else title
    stamp = datetime.fromtimestamp(version.message.created_ms // 1000, UTC).strftime(_STAMP)
    lines = [
        "BEGIN:VEVENT",
        f"UID:{event.message_id}.{_uid(event.author)}@{network.id}",
        f"SEQUENCE:{version.number - 1}",
        f"DTSTAMP:{stamp}",
        *_times(version),
        f"SUMMARY:{_text(summary)}",
    ]
    if version.place:
        lines.append(f"LOCATION:{_text(clean(version.place))}")
    if version.text:
        lines.append(f"DESCRIPTION:{_text(clean(version.text, lines=True))}")
    lines.append(f"STATUS:{'CANCELLED' if version.withdrawn else 'CONFIRMED'}")
    return [*lines, "END:VEVENT"]


def _times(version: EventVersion) -> list[str]:
    """Days by the city's calendar, times by UTC: no time zone has to be described."""
    found = []
    for name, text in (("DTSTART", version.start), ("DTEND", version.end)):
        at = read_time(text)
        if at is None:
            continue
        if version.all_day:
            found.append(f"{name};VALUE=DATE:{at:%Y%m%d}")
        else:
            found.append(f"{name}:{at.astimezone(UTC).strftime(_STAMP)}")
    return found


def _uid(text: str) -> str:
    """A staff id as it may stand in a UID: nothing that would need an escape."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in text)


def _text(text: str) -> str:
    """TEXT, RFC 5545, 3.3.11."""
    for char in "\\;,":
        text = text.replace(char, f"\\{char}")
    return text.replace("\n", "\\n")


def _folded(line: str) -> bytes:
    """A content line in pieces of at most 75 octets, never within a character."""
    pieces, piece = [], b""
    for char in line:
        octets = char.encode()
        if len(piece) + len(octets) > LINE_BYTES_MAX:
            pieces.append(piece)
            piece = b" "
        piece += octets
    return b"\r\n".join([*pieces, piece]) + b"\r\n"
