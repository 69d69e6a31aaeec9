"""Home, rooms, one room, notes and who has read, complete without any script."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meshrelay.desk.kind import PAIR
from meshrelay.errors import RefusedError
from meshrelay.node.office import Message
from meshrelay.node.saying import CORRECTABLE
from meshrelay.web import board_views, problems, views, words_rooms
from meshrelay.web.board_pages import unread_notices
from meshrelay.web.event_pages import next_events
from meshrelay.web.ids import uuid7
from meshrelay.web.screens import Screens, seen
from meshrelay.web.sessions import Refused, Session
from meshrelay.web.syncline import sync_line
from meshrelay.web.text import clean, clean_name
from meshrelay.web.words import word

# Of the list of rooms on Home, those with something unread first: the rest of Home stays near.
HOME_ROOMS = 6
# A list of more people begins folded, a line for each ward.
FOLD_N = 30
# A screenful or two; "earlier messages" fetches more.
FIRST_MESSAGES = 40


class Pages(Screens):
    """Handlers of the pages; they draw what the Office says and decide nothing."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/", self.home)
        router.add_get("/rooms", self.rooms)
        router.add_get("/rooms/{room}", self.room)
        router.add_post("/rooms/{room}", self.post)
        router.add_post("/rooms/{room}/read", self.read)
        router.add_get("/rooms/{room}/note", self.note_form)
        router.add_post("/rooms/{room}/note", self.note)
        router.add_get("/rooms/{room}/who/{author}/{message_id}", self.who)

    # -- home and rooms ---------------------------------------------------------

    async def home(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        line, own = sync_line(self.office.status()), self.office.own_last(session.seat.person)
        lang = self.drawing.lang(request)
        sentence, age = views.sync_words(line, lang)
        rooms = self.rooms_of(request, session)
        scene = board_views.scene(rooms, self.office.wards, self.office.now_ms(), lang)
        return self._list_page(
            request, session, "home.html", HOME_ROOMS,
            sync_state=line.state, sync_text=sentence, sync_age=age,
            own=self._own_line(own, session, lang) if own else None,
            next_events=next_events(self.office, session.seat.person, scene),
            notices=unread_notices(self.office, session.seat.person, scene),
        )  # fmt: skip

    def _own_line(self, message: Message, session: Session, lang: str) -> dict[str, Any]:
        view = self.office.room_view(session.seat.person, message.room)
        return {
            "href": views.message_href(message.room, message.author, message.message_id),
            "room": views.room_name(view, lang),
            "text": clean(views.line_of(message, lang), chars_max=views.QUOTE_CHARS_MAX),
            "marks": views.delivery_marks(message, lang),
        }

    async def rooms(self, request: web.Request) -> web.StreamResponse:
        return self._list_page(request, self.session(request), "rooms.html")

    def _list_page(
        self, request: web.Request, session: Session, template: str, most: int = 0, **values: Any
    ) -> web.Response:
        lang = self.drawing.lang(request)
        person = session.seat.person
        rooms = self.rooms_of(request, session)
        lines = views.room_lines(rooms, self.office.now_ms(), lang)
        rooms_n = len(lines)
        if 0 < most < rooms_n:
            lines = sorted(lines, key=lambda line: not line.unread_n)[:most]
        return self.draw(
            request,
            template,
            session,
            rooms=lines,
            rooms_n=rooms_n,
            person_name=clean_name(person.name),
            person_ward=views.ward_name(person.ward, self.office.wards, lang),
            person_unit=clean_name(person.unit),
            rights_note=self.rights_note(request, session),
            **values,
        )

    # -- one room ---------------------------------------------------------------

    async def room(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        kept = self.refused(request, session)
        if kept is None:
            return self._room_page(request, session, None, "")
        return self._room_page(request, session, kept.error, kept.text)

    def _room_page(
        self, request: web.Request, session: Session, error: RefusedError | None, text: str
    ) -> web.Response:
        lang, office, person = self.drawing.lang(request), self.office, session.seat.person
        room = request.match_info["room"]
        before = request.query.get("before") or None
        cursor = office.changes(person, None).cursor
        hit = request.query.get("around", "")
        around = self._around(session, room, hit)
        found = around or office.messages(person, room, before, FIRST_MESSAGES)
        view = office.room_view(person, room)
        pinned = office.pinned(person, room)
        reply = self._reply(request, session, room)
        wards = {code: views.ward_name(code, office.wards, lang) for code in office.wards}
        data = self.drawing.data(
            request,
            session,
            room=room,
            cursor=cursor,
            messages=found,
            more=bool(around) or len(found) == FIRST_MESSAGES,
            first_n=FIRST_MESSAGES,
            wards=wards,
            shapes=views.SHAPES,
            pinned=pinned[::-1],
            reply=reply and {"author": reply.author, "message_id": reply.message_id},
        )
        path = f"/rooms/{views.segment(room)}"
        older = f"{path}?{urlencode({'before': found[0].sort})}" if found else ""
        return self.draw(
            request,
            "room.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            title=views.room_name(view, lang),
            room_id=room,
            members=views.room_lines([view], office.now_ms(), lang)[0].members,
            pinned=views.bubbles(pinned[:1], office.wards, lang)[0] if pinned else None,
            pair=room.startswith(PAIR),
            closed=view.closed,
            reply=_reply_strip(reply, lang) if reply else None,
            phrases=[word(key, lang) for key in words_rooms.PHRASES],
            bubbles=views.bubbles(found, office.wards, lang),
            unread=_unread(found),
            path=path,
            older=older if around or len(found) == FIRST_MESSAGES else "",
            newest=path if before or around else "",
            hit=hit if around else "",
            text=text,
            message_id=uuid7(office.now_ms()),
            data=data,
            live=before is None and not around,
        )

    def _around(self, session: Session, room: str, hit: str) -> list[Message]:
        """The message of this room that `?around=author/id` names, and what stands around it."""
        author, _, message_id = hit.partition("/")
        if not message_id:
            return []
        try:
            return self.office.around(session.seat.person, room, author, message_id, FIRST_MESSAGES)
        except RefusedError:
            return []

    def _reply(self, request: web.Request, session: Session, room: str) -> Message | None:
        """The message of this room that `?reply=author/id` names, if it is here."""
        author, _, message_id = request.query.get("reply", "").partition("/")
        if not message_id:
            return None
        try:
            found = self.office.who(session.seat.person, author, message_id).message
        except RefusedError:
            return None
        return found if found.room == room else None

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Post from a page without script; the form's hidden id makes a repeat harmless."""
        session, form = await self.form(request)
        room, text = request.match_info["room"], form.get("text", "").replace("\r\n", "\n")
        path = f"/rooms/{views.segment(room)}"
        body: dict[str, Any] = {"text": text or form.get("phrase", "")}
        if form.get("reply"):
            author, _, message_id = form["reply"].partition("/")
            body["reply_to"] = {"author": author, "message_id": message_id}
        try:
            self._doors.count_post(request, session)
            await self.office.post(session.seat, "talk", room, body, form.get("id", ""), None)
        except RefusedError as error:
            if error.status in (401, 404):
                raise
            session.refused = Refused(request.path, text, error)
        return seen(path)

    # -- a note without an author's signature -----------------------------------

    async def note_form(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        kept = self.refused(request, session)
        room = request.match_info["room"]
        self.office.messages(session.seat.person, room, None, 1)  # refuses who may not enter
        view = self.office.room_view(session.seat.person, room)
        lang = self.drawing.lang(request)
        return self.draw(
            request,
            "note.html",
            session,
            status=kept.error.status if kept else 200,
            error=problems.problem_of(kept.error) if kept else None,
            title=views.room_name(view, lang),
            room_id=room,
            author=self.office.me.id,
            path=f"/rooms/{views.segment(room)}",
            text=kept.text if kept else "",
            asked=kept.fields.get("source", "") if kept else "",
            source_name=kept.fields.get("source_name", "") if kept else "",
            sources=[(each, word(f"source_{each}", lang)) for each in views.SOURCES],
            message_id=uuid7(self.office.now_ms()),
            taken_by=clean_name(session.seat.person.name),
        )

    async def note(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        room, text = request.match_info["room"], form.get("text", "").replace("\r\n", "\n")
        path = f"/rooms/{views.segment(room)}"
        source = form.get("source", "")
        try:
            if source not in views.SOURCES:
                raise problems.FieldError("source", "expected walk_in, paper or phone")
            self._doors.count_post(request, session)
            await self.office.post_note(
                session.seat,
                room,
                text,
                source,
                form.get("source_name", "").strip(),
                form.get("id", ""),
            )
        except RefusedError as error:
            if error.status in (401, 404):
                raise
            session.refused = Refused(request.path, text, error, form)
            return seen(f"{path}/note")
        return seen(path)

    async def read(self, request: web.Request) -> web.StreamResponse:
        """A page without script cannot see what was displayed: the person says so."""
        session, form = await self.form(request)
        items = [
            (author, message_id)
            for author, _, message_id in (
                line.partition("/") for line in form.get("items", "").split()
            )
        ]
        self.office.mark_read(session.seat, items)
        return seen(f"/rooms/{views.segment(request.match_info['room'])}")

    async def who(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        lang, office = self.drawing.lang(request), self.office
        author, message_id = request.match_info["author"], request.match_info["message_id"]
        found = office.who(session.seat.person, author, message_id)
        now_ms = office.now_ms()
        unread = [reader for reader in found.readers if reader.state != "read"]
        read = [reader for reader in found.readers if reader.state == "read"]
        holders = [
            {
                "ward": views.ward_name(holder.ward, office.wards, lang),
                "archive": holder.archive,
                "time": views.short_time(holder.stated_ms, now_ms),
            }
            for holder in found.holders
        ]
        return self.draw(
            request,
            "who.html",
            session,
            bubble=views.bubbles([found.message], office.wards, lang)[0],
            marks=views.delivery_marks(found.message, lang),
            advice=views.advice(found.message, lang),
            path=f"/rooms/{views.segment(found.message.room)}",
            actions=self._actions(found.message, session, lang),
            message_id=uuid7(now_ms),
            unread_n=len(unread),
            unreached_n=sum(reader.state == "unreached" for reader in unread),
            unread=views.people_by_ward(unread, office.wards, lang, now_ms),
            read_n=len(read),
            read=views.people_by_ward(read, office.wards, lang, now_ms),
            holders=holders,
            complete=found.complete,
            fold_n=FOLD_N,
        )

    def _actions(self, message: Message, session: Session, lang: str) -> dict[str, Any]:
        """What this person may do with a message, for its page."""
        view = self.office.room_view(session.seat.person, message.room)
        names = {"author": message.author, "id": message.message_id}
        of_mine = message.mine or bool(message.unsigned)
        act = views.act_on(message)
        return {
            "room": views.room_name(view, lang),
            "around": f"?{urlencode({'around': f'{message.author}/{message.message_id}'})}#here",
            "reply": "?" + urlencode({"reply": f"{message.author}/{message.message_id}"}),
            "open": not view.closed,
            "pinned": bool(message.body.get("pinned")),
            "by": _replaced_by(message),
            "act": act,
            "correct": message.kind in CORRECTABLE and of_mine and act in ("", "version"),
            **names,
        }


def _replaced_by(message: Message) -> str:
    """The page of the correction of a message, "" if there is none."""
    by = message.body.get("replaced")
    if not isinstance(by, dict):
        return ""
    return views.message_href(message.room, str(by["author"]), str(by["message_id"]))


def _reply_strip(message: Message, lang: str) -> dict[str, str]:
    text = views.line_of(message, lang)
    return {
        "key": f"{message.author}/{message.message_id}",
        "name": views.author_words(message, lang),
        "text": clean(text, chars_max=views.QUOTE_CHARS_MAX),
    }


def _unread(messages: list[Message]) -> str:
    return " ".join(
        f"{m.author}/{m.message_id}" for m in messages if not m.mine and not m.read_by_me
    )
