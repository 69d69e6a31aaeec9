"""What every HTML page shares: who is logged in, forms and their tokens, drawing."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.node.office import Office, RoomView
from meshrelay.web import problems
from meshrelay.web.doors import Doors
from meshrelay.web.drawing import Drawing
from meshrelay.web.rights import Policy, check_rights, has_rights, https_address, may_use_rights
from meshrelay.web.sessions import Refused, Session, Sessions, token_is

# What a person wrote in a form that was refused: never lost.
KEPT_TEXT = web.RequestKey("kept_text", str)
ROOMS = web.RequestKey("rooms", list[RoomView])
# Where a log-in may lead: our own pages only, never another host.
_NEXT = re.compile(
    r"/(rooms(/[^/?#\\\s]+(/files|/about|/note|/correct(/[^/?#\\\s]+){2})?)?|(boards|events|files)(/[^/?#\\\s]+){0,3}"
    r"|settings|cards|nodes|courier|search|people|urgent|displays)?"
)
# The pages' own scripts fetch pages too; only people keep a shared PC from locking.
BACKGROUND = "X-Background"
FORM_FIELDS_MAX = 100


class Screens:
    """The base of each group of pages."""

    def __init__(
        self, office: Office, sessions: Sessions, drawing: Drawing, policy: Policy, doors: Doors
    ) -> None:
        self.office = office
        self.sessions = sessions
        self.drawing = drawing
        self.policy = policy
        self._doors = doors

    def session(self, request: web.Request) -> Session:
        """The open session of this browser; 401 without, 423 when its screen is locked."""
        session = self.sessions.find(request)
        if session is None:
            raise problems.not_logged_in()
        if session.locked:
            raise problems.locked()
        if BACKGROUND not in request.headers:
            self.sessions.note_input(session)
        return session

    async def form(self, request: web.Request) -> tuple[Session, dict[str, str]]:
        """The form of a logged-in page, its CSRF token checked; a refusal keeps the text."""
        form = await read_form(request)
        return self.sent_by(request, form), form

    def sent_by(self, request: web.Request, form: dict[str, str]) -> Session:
        """Who sent this form, its CSRF token checked; a refusal keeps the text."""
        request[KEPT_TEXT] = "\n".join(filter(None, (form.get("title"), form.get("text"))))
        session = self.sessions.find(request)
        if session is None:
            raise _log_in_again()
        if not token_is(session, form.get("csrf", "")):
            raise problems.bad_token()
        if session.locked:
            raise problems.locked()
        self.sessions.note_input(session)
        return session

    async def form_of_right(self, request: web.Request) -> tuple[Session, dict[str, str]]:
        """The same for what needs a role: over https or at the console only."""
        session, form = await self.form(request)
        check_rights(request, session.seat.person, self.policy)
        return session, form

    def refused(self, request: web.Request, session: Session) -> Refused | None:
        """What was refused when this form was sent, once, to whom the page is shown."""
        if BACKGROUND in request.headers:
            return None
        refused, session.refused = session.refused, None
        return refused if refused and refused.path == request.path else None

    def rights_note(self, request: web.Request, session: Session) -> problems.Problem | None:
        """What to tell somebody whose rights do not work over this connection."""
        person = session.seat.person
        if not has_rights(person) or may_use_rights(request, self.policy):
            return None
        return problems.problem_of(problems.need_https(https_address(request, self.policy)))

    def rooms_of(self, request: web.Request, session: Session) -> list[RoomView]:
        """The rooms of a list, asked for once in a request: HQ has one for each ward and unit."""
        if ROOMS not in request:
            request[ROOMS] = self.office.rooms(session.seat.person)
        return request[ROOMS]

    def draw(
        self, request: web.Request, template: str, session: Session | None, **values: Any
    ) -> web.Response:
        """A page of somebody, with the data its script needs unless given."""
        values.setdefault("data", self.drawing.data(request, session))
        if session is not None:
            values.setdefault("csrf", session.csrf)
            values["unread_rooms"] = lambda: sum(
                room.unread_n for room in self.rooms_of(request, session)
            )
        return self.drawing.draw(request, template, **values)

    def problem(self, request: web.Request, problem: problems.Problem) -> web.Response:
        """The page for an error; who must log in or reopen is led there and back."""
        if problem.code == "seat_closed" and (session := self.sessions.find(request)):
            self.sessions.end(session)
        doors = {"not_logged_in": "/login", "locked": "/lock"}
        if problem.code in doors and (request.method == "GET" or problem.code == "locked"):
            target = request.rel_url.raw_path if request.method == "GET" else "/"
            query = "?" + urlencode({"next": target}) if _NEXT.fullmatch(target) else ""
            return seen(doors[problem.code] + query)
        kept = request.get(KEPT_TEXT, "")
        return self.drawing.draw(
            request, "problem.html", status=problem.status, problem=problem, kept=kept
        )


def seen(path: str) -> web.Response:
    """303: look there. The answer to every form, so that no POST stays in a browser's history."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def safe_next(path: str | None) -> str:
    return path if path and _NEXT.fullmatch(path) else "/"


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of an urlencoded form; bytes that are no UTF-8 become U+FFFD."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    raw = (await request.read()).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(
            raw, keep_blank_values=True, errors="replace", max_num_fields=FORM_FIELDS_MAX
        )
    except ValueError as error:
        raise web.HTTPBadRequest from error
    return dict(pairs)


def _log_in_again() -> RefusedError:
    return RefusedError(
        "not_logged_in",
        "ログインしていません。まだ送信していません。",
        "You are not logged in; nothing was sent.",
        "ログインして、もう一度送ってください。",
        "Log in and send it again.",
        401,
    )
