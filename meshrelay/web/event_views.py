"""From the board desk's structs to what a template draws of events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from meshrelay.desk.event import read_time
from meshrelay.node.board_desk import Event, EventVersion
from meshrelay.web import views
from meshrelay.web.board_views import Scene, VersionLine, paper_href, two_words, version_line
from meshrelay.web.text import clean
from meshrelay.web.words import word


class EventLine(Struct, frozen=True):
    """One event of a list."""

    href: str
    title: str
    time: str
    place: str
    room: str
    unread: bool
    withdrawn: bool
    two: str


class Day(Struct, frozen=True):
    """The events of one day."""

    name: str
    lines: list[EventLine]


class NextEvent(Struct, frozen=True):
    """One of the next events, with its day unless its time says from when to when."""

    day: str
    line: EventLine


class EventDrawn(Struct, frozen=True):
    """One version on the event's page: its words, and when and where."""

    line: VersionLine
    when: str
    place: str


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _span(version: EventVersion) -> tuple[datetime, datetime]:
    """Beginning and end; what lasts all day ends on its last day."""
    start, end = read_time(version.start), read_time(version.end)
    assert start is not None and end is not None  # the fold takes no other
    return start, end - timedelta(days=1) if version.all_day else end


def time_words(version: EventVersion, lang: str) -> str:
    """The hours of a day, or from when to when."""
    start, end = _span(version)
    if start.date() == end.date():
        if version.all_day:
            return word("event_all_day", lang)
        return f"{start:%H:%M}–{end:%H:%M}"
    hours = "" if version.all_day else " %H:%M"
    first, last = (f"{at.month}/{at.day}{at.strftime(hours)}" for at in (start, end))
    return f"{first}–{last}"


def when_words(version: EventVersion, lang: str) -> str:
    """Day and hours, for the event's own page."""
    start, end = _span(version)
    day = views.day_words(_ms(start), lang)
    if start.date() == end.date():
        return f"{day} {time_words(version, lang)}"
    hours = "" if version.all_day else " %H:%M"
    until = views.day_words(_ms(end), lang)
    return f"{day}{start.strftime(hours)} – {until}{end.strftime(hours)}"


def event_line(event: Event, scene: Scene) -> EventLine:
    """An event of a list."""
    version = event.versions[0]
    return EventLine(
        href=paper_href("events", event),
        title=clean(version.title),
        time=time_words(version, scene.lang),
        place=clean(version.place),
        room=scene.room(event.room),
        unread=event.unread,
        withdrawn=version.withdrawn,
        two=two_words(event.versions, scene.lang),
    )


def days(events: Iterable[Event], scene: Scene, *, from_today: bool) -> list[Day]:
    """Events by the day on which they begin; what began before stands under today."""
    today = views.city_time(scene.now_ms).date()
    by_day: dict[str, tuple[datetime, list[tuple[datetime, EventLine]]]] = {}
    for event in events:
        start, _ = _span(event.versions[0])
        shown = start
        if from_today and start.date() < today:
            shown = views.city_time(scene.now_ms).replace(hour=0, minute=0)
        key = f"{shown:%Y-%m-%d}"
        by_day.setdefault(key, (shown, []))[1].append((start, event_line(event, scene)))
    found = []
    for key in sorted(by_day):
        at, lines = by_day[key]
        name = views.day_words(_ms(at), scene.lang)
        if at.date() == today:
            name = f"{word('event_today', scene.lang)} {name}"
        found.append(Day(name, [line for _, line in sorted(lines, key=lambda each: each[0])]))
    return found


def next_event(event: Event, scene: Scene) -> NextEvent:
    """An event as Home shows it."""
    start, end = _span(event.versions[0])
    day = f"{start.month}/{start.day}" if start.date() == end.date() else ""
    return NextEvent(day, event_line(event, scene))


def event_version(version: EventVersion, scene: Scene) -> EventDrawn:
    """One version of an event."""
    line = version_line(
        version,
        scene,
        clean(version.title),
        clean(version.text, lines=True),
        withdrawn=version.withdrawn,
    )
    return EventDrawn(line, when_words(version, scene.lang), clean(version.place))
