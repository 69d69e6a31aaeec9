"""Wall screens in the JSON API, and how a browser on the wall is known."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from meshrelay.errors import RefusedError
from meshrelay.node.displays import Display
from meshrelay.node.office import Office
from meshrelay.web.doors import Doors
from meshrelay.web.live import Live
from meshrelay.web.operations import Operation, answer_json, read_body
from meshrelay.web.sessions import SESSION

# The longest that browsers keep a cookie; each look at the page renews it.
COOKIE_S = 400 * 24 * 3600


class PairBody(Struct, forbid_unknown_fields=True):
    """The code that the screen shows, and where it hangs."""

    code: str
    name: str


class DisplayBody(Struct, forbid_unknown_fields=True):
    """A screen by its id."""

    display: str


class DisplayList(Struct, frozen=True):
    """Every paired screen of this node."""

    displays: list[Display]


class DisplayApi:
    """The handlers; every one asks `office.displays`."""

    def __init__(self, office: Office, live: Live, doors: Doors) -> None:
        self._office = office
        self._live = live
        self._doors = doors

    def operations(self) -> tuple[Operation, ...]:
        """This part of the API, in the order of the documentation."""
        return (
            Operation(
                "GET", "/api/displays", "The wall screens of this node.",
                self.paired, answer=DisplayList, right=True,
            ),
            Operation(
                "POST", "/api/displays", "Pair the screen that shows a code (registrar or hq).",
                self.pair, PairBody, Display, status=201, token=True, right=True, is_input=True,
            ),
            Operation(
                "POST", "/api/displays/remove", "A screen shows the wall no more.",
                self.remove, DisplayBody, status=204, token=True, right=True, is_input=True,
            ),
            Operation(
                "GET", "/api/display/events",
                "Server-Sent Events for a paired screen, by its own cookie; see /api/events.",
                self.events, media="text/event-stream", login=False,
            ),
        )  # fmt: skip

    async def paired(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        return answer_json(DisplayList(self._office.displays.paired(person)))

    async def pair(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_try(request)
        body = await read_body(request, PairBody)
        person = request[SESSION].seat.person
        return answer_json(self._office.displays.pair(person, body.code, body.name), 201)

    async def remove(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, DisplayBody)
        self._office.displays.remove(request[SESSION].seat.person, body.display)
        self._live.ring()  # its event stream ends
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.StreamResponse:
        token, displays = wall_token(self._office, request), self._office.displays
        if not displays.is_paired(token):
            raise _not_paired()
        return await self._live.stream(request, lambda: displays.is_paired(token))


def _cookie(office: Office, secure: bool) -> str:
    """As of a session: cookies ignore ports, and one of https is no good on http."""
    name = f"mr-wall-{office.network.id[:8]}"
    return f"__Host-{name}" if secure else name


def wall_token(office: Office, request: web.Request) -> str:
    """What this browser was given as a wall screen, "" if nothing."""
    return request.cookies.get(_cookie(office, request.secure), "")


def keep_token(
    office: Office, request: web.Request, response: web.StreamResponse, token: str
) -> None:
    """Let the browser keep its token for as long as it may."""
    response.set_cookie(
        _cookie(office, request.secure), token, path="/", httponly=True, samesite="Strict",
        secure=request.secure, max_age=COOKIE_S,
    )  # fmt: skip


def _not_paired() -> RefusedError:
    return RefusedError(
        "not_paired",
        "この画面は登録されていません。",
        "This screen is not paired.",
        "/display を開き、出てきた番号を登録してもらってください。",
        "Open /display and let a registrar type in its code.",
        401,
    )
