"""Rooms of one's own, what one does with a message, people to write to, search."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meshrelay.desk import correction
from meshrelay.desk.kind import pair_room
from meshrelay.errors import RefusedError
from meshrelay.node.office import Message, Person, Posted, RoomView
from meshrelay.web import problems, views, words_rooms
from meshrelay.web.ids import uuid7
from meshrelay.web.screens import Screens, seen
from meshrelay.web.sessions import Session
from meshrelay.web.text import clean, clean_name
from meshrelay.web.words import word

PEOPLE_MAX = 30
HIT_CHARS_MAX = 200


class RoomPages(Screens):
    """Every page works without script; each form answers with a 303."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/search", self.search)
        router.add_get("/people", self.people)
        router.add_get("/rooms/new", self.new_room)
        router.add_post("/rooms/new", self.make_room)
        router.add_get("/rooms/{room}/about", self.about)
        router.add_post("/rooms/{room}/about", self.change_room)
        router.add_post("/rooms/{room}/pin", self.pin)
        router.add_get("/rooms/{room}/correct/{author}/{message_id}", self.correction)
        router.add_post("/rooms/{room}/correct/{author}/{message_id}", self.correct)

    # -- search -----------------------------------------------------------------

    async def search(self, request: web.Request) -> web.StreamResponse:
        session, lang = self.session(request), self.drawing.lang(request)
        person, asked = session.seat.person, request.query.get("q", "").strip()
        room = request.query.get("room") or None
        view = self.office.room_view(person, room) if room else None
        hits: list[dict[str, Any]] = []
        whole, error = True, None
        if asked:
            try:
                found = await self.office.search(person, asked, room)
                hits = [self._hit(each, person, asked, lang) for each in found.messages]
                whole = found.whole
            except RefusedError as refused:
                error = refused
        return self.draw(
            request,
            "search.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            asked=asked,
            room=room or "",
            room_name=views.room_name(view, lang) if view else "",
            everywhere="/search?" + urlencode({"q": asked}),
            back=f"/rooms/{views.segment(room)}" if room else "/rooms",
            hits=hits,
            whole=whole,
        )

    def _hit(self, message: Message, person: Person, asked: str, lang: str) -> dict[str, Any]:
        text = views.line_of(message, lang)
        room = f"/rooms/{views.segment(message.room)}"
        drawn = views.bubbles([message], self.office.wards, lang)[0]
        return {
            "href": f"{room}?{urlencode({'around': drawn.key})}#here",
            "flags": drawn.flags,
            "struck": drawn.struck,
            "room": views.room_name(self.office.room_view(person, message.room), lang),
            "name": views.author_words(message, lang),
            "time": views.moment(message.created_ms, self.office.now_ms()),
            "parts": views.marked(clean(text, lines=True, chars_max=HIT_CHARS_MAX), asked.split()),
        }

    # -- people -----------------------------------------------------------------

    async def people(self, request: web.Request) -> web.StreamResponse:
        session, lang = self.session(request), self.drawing.lang(request)
        asked = request.query.get("q", "").strip()
        found, error = await self._find(asked)
        me = session.seat.person.staff_id
        return self.draw(
            request,
            "people.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            asked=asked,
            full=len(found) == PEOPLE_MAX,
            people=[
                self._line(each, lang)
                | {"href": "/rooms/" + views.segment(pair_room(me, each.staff_id))}
                for each in found
                if each.staff_id != me
            ],
            people_max=PEOPLE_MAX,
        )

    async def _find(self, asked: str) -> tuple[list[Person], RefusedError | None]:
        if not asked:
            return [], None
        try:
            return await self.office.people(asked, PEOPLE_MAX), None
        except RefusedError as error:
            return [], error

    def _line(self, person: Person, lang: str) -> dict[str, str]:
        return {
            "id": person.staff_id,
            "name": clean_name(person.name),
            "kana": clean_name(person.kana),
            "unit": clean_name(person.unit),
            "ward": views.ward_name(person.ward, self.office.wards, lang),
        }

    # -- rooms of one's own -----------------------------------------------------

    async def new_room(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        return await self._form_page(request, session, None, {}, None)

    async def make_room(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        if form.get("do") == "find":
            return await self._form_page(request, session, None, form, None)
        body = {"name": form.get("name", ""), "members": _chosen(form)}
        try:
            posted = await self._post(request, session, "room", "", body, form.get("id", ""))
        except RefusedError as error:
            if error.status == 401:
                raise
            return await self._form_page(request, session, None, form, error)
        return seen(f"/rooms/{views.segment(posted.room)}")

    async def about(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        view = self.office.room_view(session.seat.person, request.match_info["room"])
        return await self._form_page(request, session, view, {}, None)

    async def change_room(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        room, do = request.match_info["room"], form.get("do", "")
        view = self.office.room_view(session.seat.person, room)
        if do == "find":
            return await self._form_page(request, session, view, form, None)
        body: dict[str, Any] = {"closed": do == "close"}
        if do == "save":
            body |= {"name": form.get("name", ""), "members": _chosen(form)}
        try:
            await self._post(request, session, "room", room, body, form.get("id", ""))
        except RefusedError as error:
            if error.status == 401:
                raise
            return await self._form_page(request, session, view, form, error)
        return seen(f"/rooms/{views.segment(room)}/about")

    async def _form_page(
        self,
        request: web.Request,
        session: Session,
        view: RoomView | None,
        form: dict[str, str],
        error: RefusedError | None,
    ) -> web.Response:
        """The form of a room: who is chosen, and who was found to be added."""
        lang, me = self.drawing.lang(request), session.seat.person.staff_id
        asked = form.get("find", "").strip()
        found, refused = await self._find(asked)
        error = error or refused
        chosen = _chosen(form) if form else list(view.people if view else ())
        known = {each.staff_id: each for each in found}
        for each in chosen:
            if each not in known:
                near = await self.office.people(each, PEOPLE_MAX)
                known |= {one.staff_id: one for one in near if one.staff_id == each}
        lines = {key: self._line(each, lang) for key, each in known.items()}
        return self.draw(
            request,
            "room_about.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            title=views.room_name(view, lang) if view else word("room_new", lang),
            rule=word(f"room_rule_{_rule(view.id)}", lang) if view else "",
            unit=view.id.removeprefix("unit:") if view and _rule(view.id) == "unit" else "",
            view=view,
            mine=view is None or view.mine,
            action=f"/rooms/{views.segment(view.id)}/about" if view else "/rooms/new",
            back=f"/rooms/{views.segment(view.id)}" if view else "/rooms",
            name=form.get("name", _plain_name(view)),
            asked=asked,
            chosen=[lines[each] for each in chosen if each in lines],
            found=[lines[each.staff_id] for each in found if each.staff_id not in (me, *chosen)],
            members=self._size(view, lang),
            message_id=uuid7(self.office.now_ms()),
        )

    def _size(self, view: RoomView | None, lang: str) -> str:
        return views.room_lines([view], self.office.now_ms(), lang)[0].members if view else ""

    # -- what one does with a message -------------------------------------------

    async def pin(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        room = request.match_info["room"]
        author, _, message_id = form.get("of", "").partition("/")
        body = {"of": {"author": author, "message_id": message_id}, "on": bool(form.get("on"))}
        await self._post(request, session, "pin", room, body, form.get("id", ""))
        return seen(views.message_href(room, author, message_id))

    async def correction(self, request: web.Request) -> web.StreamResponse:
        return self._correction_page(request, self.session(request), {}, None)

    def _correction_page(
        self,
        request: web.Request,
        session: Session,
        form: dict[str, str],
        error: RefusedError | None,
    ) -> web.Response:
        lang, info = self.drawing.lang(request), request.match_info
        found = self.office.who(session.seat.person, info["author"], info["message_id"]).message
        return self.draw(
            request,
            "correct.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            bubble=views.bubbles([found], self.office.wards, lang)[0],
            back=views.message_href(found.room, found.author, found.message_id),
            text=form.get("text", str(found.body.get("text", ""))),
            acts=[(each, word(f"correct_{each}", lang)) for each in correction.ACTS],
            act=form.get("act", "correct"),
            reason=form.get("reason", ""),
            ready=form.get("ready", ""),
            reasons=[word(key, lang) for key in words_rooms.REASONS],
            message_id=form.get("id") or uuid7(self.office.now_ms()),
        )

    async def correct(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        info = request.match_info
        body = {
            "of": {"author": info["author"], "message_id": info["message_id"]},
            "act": form.get("act", ""),
            "reason": form.get("reason", "").strip() or form.get("ready", ""),
            "text": form.get("text", "").replace("\r\n", "\n"),
        }
        try:
            await self._post(request, session, "correction", info["room"], body, form.get("id", ""))
        except RefusedError as error:
            if error.status in (401, 404):
                raise
            return self._correction_page(request, session, form, error)
        return seen(f"/rooms/{views.segment(info['room'])}")

    async def _post(
        self,
        request: web.Request,
        session: Session,
        kind: str,
        room: str,
        body: dict[str, Any],
        message_id: str,
    ) -> Posted:
        self._doors.count_post(request, session)
        return await self.office.post(session.seat, kind, room, body, message_id, None)


def _chosen(form: dict[str, str]) -> list[str]:
    """The staff ids of the ticked boxes, each a field of its own."""
    return [key.removeprefix("m-") for key in form if key.startswith("m-")]


def _rule(room: str) -> str:
    kind = room.partition(":")[0]
    return kind if kind in ("all", "ward", "unit", "role", "pair") else "list"


def _plain_name(view: RoomView | None) -> str:
    return view.name.removesuffix("（終了）") if view else ""
