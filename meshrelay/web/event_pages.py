"""予定: the days from today on, one event with its versions, and a form that needs no script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from meshrelay.desk.event import read_time
from meshrelay.errors import RefusedError
from meshrelay.node.board_desk import Event, EventDraft
from meshrelay.node.office import Office, Person
from meshrelay.web import board_views, event_views, views
from meshrelay.web.event_api import today
from meshrelay.web.ids import uuid7
from meshrelay.web.paper_pages import PaperPages, check_room, edit_of, named
from meshrelay.web.screens import read_form, seen
from meshrelay.web.sessions import Session

FIRST_EVENTS = 60
# Shown on Home, and how many that end first they are chosen from.
NEXT_EVENTS, NEXT_LOOKED_AT = 3, 20


class EventPages(PaperPages):
    """Handlers of events."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/events", self.events)
        router.add_get("/events/new", self.new_form)
        router.add_post("/events/new", self.post_new)
        router.add_get("/events/{author}/{message_id}", self.event)
        router.add_get("/events/{author}/{message_id}/edit", self.edit_form)
        router.add_post("/events/{author}/{message_id}/edit", self.post_edit)
        router.add_post("/events/{author}/{message_id}/withdraw", self.withdraw)

    async def events(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        person, room = session.seat.person, request.query.get("room") or None
        before = request.query.get("before") or None
        after = None if before else today(self.office)
        found = self.office.boards.events(person, room, after, before, FIRST_EVENTS)
        earlier = found[0].sort if before and found else today(self.office)
        there = self.office.boards.events(person, room, None, earlier, 1)
        query = urlencode({"before": earlier, "room": room or ""})
        scene = self.scene(request, session)
        return self.draw(
            request,
            "events.html",
            session,
            days=event_views.days(found, scene, from_today=before is None),
            earlier=f"/events?{query}" if there else "",
            rooms=self.room_choices(request, session),
            room=room or "",
            before=before or "",
            path="/events",
        )

    async def event(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        event = self.office.boards.event(session.seat.person, *named(request))
        scene = self.scene(request, session)
        drawn = [event_views.event_version(each, scene) for each in event.versions]
        current = [each for each in drawn if each.line.current]
        path = board_views.paper_href("events", event)
        return self.draw(
            request,
            "event.html",
            session,
            title=drawn[0].line.title,
            room=scene.room(event.room),
            current=current,
            older=[each for each in drawn if not each.line.current],
            path=path,
            ics=f"/api/calendar{path.removeprefix('/events')}/ics?lang={scene.lang}",
            may_edit=self.may_now(request, session, event),
            withdrawn=all(each.line.withdrawn for each in current),
            replaces=" ".join(event.replaces),
            message_id=uuid7(self.office.now_ms()),
            done=request.query.get("done") == "posted",
        )

    # -- forms ------------------------------------------------------------------

    async def new_form(self, request: web.Request) -> web.StreamResponse:
        return self._form(request, self.session(request), None)

    async def edit_form(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        event = self.office.boards.event(session.seat.person, *named(request))
        self.check_edit(request, session, event)
        return self._form(request, session, event)

    def _form(
        self, request: web.Request, session: Session, event: Event | None
    ) -> web.StreamResponse:
        kept = self.refused(request, session)
        next_hour = views.city_time(self.office.now_ms()) + timedelta(hours=1)
        new = {"room": request.query.get("room", ""), "start": f"{next_hour:%Y-%m-%dT%H}:00"}
        values = fields_of(event) if event else new
        scene = self.scene(request, session)
        others = [each for each in event.versions[1:] if each.current] if event else []
        return self.draw(
            request,
            "event_form.html",
            session,
            **self.form_values(request, session, kept, kept.fields if kept else values),
            room_name=scene.room(event.room) if event else "",
            back=board_views.paper_href("events", event) if event else "/events",
            others=[event_views.event_version(each, scene) for each in others],
            two=len(others) + 1,
            whose=event_views.event_version(event.versions[0], scene).line.who if event else "",
        )

    async def post_new(self, request: web.Request) -> web.StreamResponse:
        return await self._post(request, is_edit=False)

    async def post_edit(self, request: web.Request) -> web.StreamResponse:
        return await self._post(request, is_edit=True)

    async def _post(self, request: web.Request, *, is_edit: bool) -> web.StreamResponse:
        form = await read_form(request)
        session = self.sent_by(request, form)
        person, boards = session.seat.person, self.office.boards
        event = boards.event(person, *named(request)) if is_edit else None
        try:
            self._doors.count_post(request, session)
            self.check_edit(request, session, event)
            all_day = form.get("all_day") == "1"
            start, end = times_of(form.get("start", ""), form.get("end", ""), all_day=all_day)
            room = event.room if event else form.get("room", "")
            check_room(room)
            draft = EventDraft(
                room=room,
                title=form.get("title", ""),
                text=form.get("text", "").replace("\r\n", "\n"),
                start=start,
                end=end,
                place=form.get("place", ""),
                all_day=all_day,
                edit=edit_of(event, form),
            )
            posted = await boards.post_event(session.seat, draft, form.get("id", ""))
        except RefusedError as error:
            self.keep(request, session, form, error)
            return seen(request.path)
        return seen(f"{board_views.paper_href('events', event or posted)}?done=posted")

    async def withdraw(self, request: web.Request) -> web.StreamResponse:
        """A version that says it is called off, with the words of the newest."""
        session, form = await self.form(request)
        boards = self.office.boards
        event = boards.event(session.seat.person, *named(request))
        self.check_edit(request, session, event)
        self._doors.count_post(request, session)
        newest = event.versions[0]
        draft = EventDraft(
            room=event.room,
            title=newest.title,
            text=newest.text,
            start=newest.start,
            end=newest.end,
            place=newest.place,
            all_day=newest.all_day,
            withdrawn=True,
            edit=edit_of(event, form),
        )
        await boards.post_event(session.seat, draft, form.get("id", ""))
        return seen(board_views.paper_href("events", event))


def fields_of(event: Event) -> Mapping[str, str]:
    """The form of an event as its newest version has it."""
    newest = event.versions[0]
    start, end = newest.start[:16], newest.end[:16]
    over = read_time(newest.end)
    if newest.all_day and over is not None:
        end = (over - timedelta(days=1)).isoformat(timespec="minutes")[:16]
    return {
        "room": event.room,
        "title": newest.title,
        "text": newest.text,
        "start": start,
        "end": end,
        "place": newest.place,
        "replaces": " ".join(event.replaces),
        **({"all_day": "1"} if newest.all_day else {}),
    }


def times_of(start: str, end: str, *, all_day: bool) -> tuple[str, str]:
    """Start and end as an event has them; what is no time stays as it is and is refused.

    An empty end is an hour later, or the same day; the last day of what lasts all day counts.
    """
    first = _local(start)
    last = _local(end) if end.strip() else first
    if first is None or last is None:
        return start, end
    if all_day:
        first, last = (at.replace(hour=0, minute=0) for at in (first, last))
        last += timedelta(days=1)
    elif not end.strip():
        last += timedelta(hours=1)
    return tuple(f"{at:%Y-%m-%dT%H:%M}+09:00" for at in (first, last))  # type: ignore[return-value]


def _local(text: str) -> datetime | None:
    """What a browser's field for date and time sends, or somebody typed into it."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    fits = at.tzinfo is None and 1000 <= at.year < 9999
    return at.replace(second=0, microsecond=0) if fits else None


def next_events(
    office: Office, person: Person, scene: board_views.Scene
) -> list[event_views.NextEvent]:
    """What Home shows: the next ones of all rooms that were not called off."""
    after = views.city_time(scene.now_ms).isoformat(timespec="minutes")
    found = office.boards.events(person, None, after, None, NEXT_LOOKED_AT)
    coming = [each for each in found if not each.versions[0].withdrawn]
    coming.sort(key=lambda each: each.versions[0].start)
    return [event_views.next_event(each, scene) for each in coming[:NEXT_EVENTS]]
