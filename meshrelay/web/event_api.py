"""予定 in the JSON API: list, read and post, and as iCalendar.

Under /api/calendar: /api/events tells pages that there is news.
"""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web
from msgspec import Struct

from meshrelay.node.board_desk import Event, EventDraft
from meshrelay.node.office import Office, Posted
from meshrelay.web import ical, views
from meshrelay.web.board_api import (
    PAPERS_DEFAULT,
    PAPERS_MAX,
    asked,
    check_author,
    named,
)
from meshrelay.web.doors import Doors
from meshrelay.web.operations import Operation, answer_json, number_of, read_body
from meshrelay.web.rights import Policy
from meshrelay.web.sessions import SESSION

# What a calendar gets of the past: last week's meeting may still be looked up.
ICS_PAST = timedelta(days=30)


class EventBody(EventDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event to post; `id` as in a message. `edit` names what it replaces."""

    id: str


class EventList(Struct, frozen=True):
    """Events by their end, the earliest first. Each has its current versions only."""

    events: list[Event]


class EventApi:
    """The handlers; every one asks `office.boards`."""

    def __init__(self, office: Office, doors: Doors, policy: Policy) -> None:
        self._office = office
        self._doors = doors
        self._policy = policy

    def operations(self) -> tuple[Operation, ...]:
        """This part of the API, in the order of the documentation."""
        return (
            Operation(
                "GET", "/api/calendar",
                "Events of all the person's rooms, or of `room`: those that end after `after` (as "
                "2026-11-18T09:00+09:00; left out: today), or the last below sort key `before`.",
                self.events, answer=EventList, query=("room", "after", "before", "limit"),
            ),
            Operation(
                "GET", "/api/calendar.ics", "Events of the last 30 days and to come, as iCalendar.",
                self.ics, media=ical.CONTENT_TYPE,
            ),
            Operation(
                "GET", "/api/calendar/{author}/{message_id}",
                "One event with all its versions; any version's message finds it.",
                self.event, answer=Event,
            ),
            Operation(
                "GET", "/api/calendar/{author}/{message_id}/ics", "One event as iCalendar.",
                self.event_ics, media=ical.CONTENT_TYPE,
            ),
            Operation(
                "POST", "/api/calendar",
                "Post an event. To edit or call it off (`withdrawn`), name it and its `replaces`.",
                self.post_event, EventBody, Posted, status=201, token=True, is_input=True,
            ),
        )  # fmt: skip

    async def events(self, request: web.Request) -> web.StreamResponse:
        person, room, before = request[SESSION].seat.person, *asked(request)
        limit = number_of(request, "limit", PAPERS_DEFAULT, PAPERS_MAX)
        after = request.query.get("after") or (None if before else today(self._office))
        found = self._office.boards.events(person, room, after, before, limit)
        return answer_json(EventList(found))

    async def event(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        return answer_json(self._office.boards.event(person, *named(request)))

    async def post_event(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        body = await read_body(request, EventBody)
        if body.edit is not None:
            person, edit = request[SESSION].seat.person, body.edit
            earlier = self._office.boards.event(person, edit.author, edit.message_id)
            check_author(request, person, self._policy, earlier.author)
        posted = await self._office.boards.post_event(request[SESSION].seat, body, body.id)
        return answer_json(posted, 201)

    async def ics(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        since = views.city_time(self._office.now_ms()) - ICS_PAST
        after = since.isoformat(timespec="minutes")
        found = self._office.boards.events(person, None, after, None, PAPERS_MAX)
        return self._calendar(request, found)

    async def event_ics(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        return self._calendar(request, [self._office.boards.event(person, *named(request))])

    def _calendar(self, request: web.Request, found: list[Event]) -> web.Response:
        lang = "en" if request.query.get("lang") == "en" else "ja"
        return web.Response(
            body=ical.calendar(found, self._office.network, lang),
            content_type=ical.CONTENT_TYPE,
            charset="utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="events.ics"',
                "Cache-Control": "private, no-store",
            },
        )


def today(office: Office) -> str:
    """Above every event that ended by the city's last midnight."""
    return f"{views.city_time(office.now_ms()):%Y-%m-%d}T00:00+09:00~"
