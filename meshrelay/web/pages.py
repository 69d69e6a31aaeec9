"""The pages as HTML: complete for reading, posting and log-out without any script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.node.office import Message, Office
from meshrelay.web import problems, views
from meshrelay.web.assets import Assets
from meshrelay.web.drawing import Drawing
from meshrelay.web.ids import uuid7
from meshrelay.web.sessions import Session, Sessions, token_is
from meshrelay.web.syncline import sync_line
from meshrelay.web.text import clean_name

# What a person wrote in a form that was refused: never lost.
KEPT_TEXT = web.RequestKey("kept_text", str)
# A screenful or two; "earlier messages" fetches more.
FIRST_MESSAGES = 40
# Where a log-in may lead: our own pages only, never another host.
_NEXT = re.compile(r"/(rooms(/[^/?#\\\s]+)?)?")


class Pages:
    """Handlers of the HTML pages; they draw what the Office says and decide nothing."""

    def __init__(self, office: Office, sessions: Sessions, assets: Assets) -> None:
        self._office = office
        self._sessions = sessions
        drawing = Drawing(office, assets)
        self._draw = drawing.draw
        self._lang = drawing.lang
        self._page_data = drawing.data

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/", self.home)
        router.add_get("/login", self.login_form)
        router.add_post("/login", self.login)
        router.add_post("/logout", self.logout)
        router.add_get("/rooms", self.rooms)
        router.add_get("/rooms/{room}", self.room)
        router.add_post("/rooms/{room}", self.post)
        router.add_post("/rooms/{room}/read", self.read)
        router.add_get("/rooms/{room}/who/{author}/{message_id}", self.who)

    def problem(self, request: web.Request, problem: problems.Problem) -> web.Response:
        """The page for an error; somebody who is not logged in gets the log-in page's address."""
        if problem.code == "not_logged_in" and request.method == "GET":
            target = request.rel_url.raw_path
            query = "?" + urlencode({"next": target}) if _NEXT.fullmatch(target) else ""
            return web.Response(status=303, headers={"Location": f"/login{query}"})
        kept = request.get(KEPT_TEXT, "")
        return self._draw(
            request, "problem.html", status=problem.status, problem=problem, kept=kept
        )

    def _session(self, request: web.Request) -> Session:
        session = self._sessions.find(request)
        if session is None:
            raise problems.not_logged_in()
        return session

    # -- log-in -----------------------------------------------------------------

    async def login_form(self, request: web.Request) -> web.StreamResponse:
        return self._login_page(request, next_path=_safe_next(request.query.get("next")))

    def _login_page(
        self,
        request: web.Request,
        *,
        next_path: str,
        error: RefusedError | None = None,
        staff: str = "",
        card: str = "",
    ) -> web.Response:
        choosing = error is not None and error.code in (
            "choose_pin",
            "pin_mismatch",
            "pin_too_short",
            "pin_too_simple",
        )
        return self._draw(
            request,
            "login.html",
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            choosing=choosing,
            next_path=next_path,
            staff=staff,
            card=card,
            secure=request.secure,
            data=self._page_data(request, None),
        )

    async def login(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        next_path = _safe_next(form.get("next"))
        staff, card = form.get("staff", "").strip(), form.get("card", "").strip()
        try:
            seat = await self._office.log_in(
                staff, card, form.get("pin", ""), form.get("pin_again") or None
            )
        except RefusedError as error:
            return self._login_page(
                request, next_path=next_path, error=error, staff=staff, card=card
            )
        if (old := self._sessions.find(request)) is not None:
            self._sessions.end(old)
        token, _session = self._sessions.open(seat)
        response = web.Response(status=303, headers={"Location": next_path})
        self._sessions.set_cookie(response, token, secure=request.secure)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        await self._checked_form(request)
        self._sessions.end(self._session(request))
        response = web.Response(status=303, headers={"Location": "/login"})
        self._sessions.clear_cookie(response)
        return response

    async def _checked_form(self, request: web.Request) -> dict[str, str]:
        """The form of a logged-in page, its CSRF token checked; a refusal keeps the text."""
        form = await _form(request)
        request[KEPT_TEXT] = form.get("text", "")
        session = self._sessions.find(request)
        if session is None:
            raise _log_in_again()
        if not token_is(session, form.get("csrf", "")):
            raise problems.bad_token()
        return form

    # -- home and rooms ---------------------------------------------------------

    async def home(self, request: web.Request) -> web.StreamResponse:
        session = self._session(request)
        line = sync_line(self._office.status())
        sentence, age = views.sync_words(line, self._lang(request))
        return self._list_page(
            request, session, "home.html", sync_state=line.state, sync_text=sentence, sync_age=age
        )

    async def rooms(self, request: web.Request) -> web.StreamResponse:
        return self._list_page(request, self._session(request), "rooms.html")

    def _list_page(
        self, request: web.Request, session: Session, template: str, **values: Any
    ) -> web.Response:
        lang = self._lang(request)
        person = session.seat.person
        lines = views.room_lines(self._office.rooms(person), self._office.now_ms(), lang)
        return self._draw(
            request,
            template,
            rooms=lines,
            person_name=clean_name(person.name),
            person_ward=views.ward_name(person.ward, self._office.wards, lang),
            person_unit=clean_name(person.unit),
            csrf=session.csrf,
            data=self._page_data(request, session),
            **values,
        )

    # -- one room ---------------------------------------------------------------

    async def room(self, request: web.Request) -> web.StreamResponse:
        return self._room_page(request, self._session(request))

    def _room_page(
        self,
        request: web.Request,
        session: Session,
        *,
        error: RefusedError | None = None,
        text: str = "",
        message_id: str | None = None,
    ) -> web.Response:
        lang, office, person = self._lang(request), self._office, session.seat.person
        room = request.match_info["room"]
        before = request.query.get("before") or None
        cursor = office.changes(person, None).cursor
        found = office.messages(person, room, before, FIRST_MESSAGES)
        view = next((r for r in office.rooms(person) if r.id == room), None)
        wards = {code: views.ward_name(code, office.wards, lang) for code in office.wards}
        data = self._page_data(
            request,
            session,
            room=room,
            cursor=cursor,
            messages=found,
            more=len(found) == FIRST_MESSAGES,
            first_n=FIRST_MESSAGES,
            wards=wards,
            shapes=views.SHAPES,
        )
        path = f"/rooms/{views.segment(room)}"
        older = f"{path}?{urlencode({'before': found[0].sort})}" if found else ""
        return self._draw(
            request,
            "room.html",
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            title=views.room_name(view, lang) if view else clean_name(room),
            members=views.room_lines([view], office.now_ms(), lang)[0].members if view else "",
            bubbles=views.bubbles(found, office.wards, lang),
            unread=_unread(found),
            path=path,
            older=older if len(found) == FIRST_MESSAGES else "",
            newest=path if before else "",
            text=text,
            message_id=message_id or uuid7(office.now_ms()),
            created_ms=office.now_ms(),
            csrf=session.csrf,
            data=data,
            live=before is None,
        )

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Post from a page without script; the form's hidden id makes a repeat harmless."""
        form = await self._checked_form(request)
        session = self._session(request)
        room, text = request.match_info["room"], form.get("text", "").replace("\r\n", "\n")
        message_id = form.get("id", "")
        try:
            await self._office.post(session.seat, "talk", room, {"text": text}, message_id, None)
        except RefusedError as error:
            if error.status == 401:
                self._sessions.end(session)
                raise
            return self._room_page(request, session, error=error, text=text)
        return web.Response(status=303, headers={"Location": f"/rooms/{views.segment(room)}"})

    async def read(self, request: web.Request) -> web.StreamResponse:
        """A page without script cannot see what was displayed: the person says so."""
        form = await self._checked_form(request)
        items = [
            (author, message_id)
            for author, _, message_id in (
                line.partition("/") for line in form.get("items", "").split()
            )
        ]
        self._office.mark_read(self._session(request).seat, items)
        room = views.segment(request.match_info["room"])
        return web.Response(status=303, headers={"Location": f"/rooms/{room}"})

    async def who(self, request: web.Request) -> web.StreamResponse:
        session = self._session(request)
        lang, office = self._lang(request), self._office
        author, message_id = request.match_info["author"], request.match_info["message_id"]
        found = office.who(session.seat.person, author, message_id)
        now_ms = office.now_ms()
        unread = [reader for reader in found.readers if reader.state != "read"]
        read = [reader for reader in found.readers if reader.state == "read"]
        holders = [
            {
                "ward": views.ward_name(holder.ward, office.wards, lang),
                "node": holder.node[:8],
                "archive": holder.archive,
                "time": views.short_time(holder.stated_ms, now_ms),
            }
            for holder in found.holders
        ]
        return self._draw(
            request,
            "who.html",
            bubble=views.bubbles([found.message], office.wards, lang)[0],
            marks=views.delivery_marks(found.message, lang),
            advice=views.advice(found.message, lang),
            path=f"/rooms/{views.segment(found.message.room)}",
            unread_n=len(unread),
            unread=views.people_by_ward(unread, office.wards, lang, now_ms),
            read_n=len(read),
            read=views.people_by_ward(read, office.wards, lang, now_ms),
            holders=holders,
            complete=found.complete,
            data=self._page_data(request, session),
        )


def _log_in_again() -> RefusedError:
    return RefusedError(
        "not_logged_in",
        "ログインしていません。まだ送信していません。",
        "You are not logged in; nothing was sent.",
        "ログインして、もう一度送ってください。",
        "Log in and send it again.",
        401,
    )


def _unread(messages: list[Message]) -> str:
    return " ".join(
        f"{m.author}/{m.message_id}" for m in messages if not m.mine and not m.read_by_me
    )


def _safe_next(path: str | None) -> str:
    return path if path and _NEXT.fullmatch(path) else "/"


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    form: Mapping[str, Any] = await request.post()
    return {name: value for name, value in form.items() if isinstance(value, str)}
