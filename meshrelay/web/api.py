"""The JSON API: one table of operations, from which routes and OpenAPI are both made."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from meshrelay.errors import RefusedError
from meshrelay.node.office import (
    Changes,
    Message,
    NetworkInfo,
    NodeInfo,
    Office,
    Person,
    Posted,
    RoomView,
    Status,
    Ward,
    WhoRead,
)
from meshrelay.web import problems
from meshrelay.web.live import Live
from meshrelay.web.sessions import SESSION, Session, Sessions, token_is
from meshrelay.web.syncline import SyncLine, sync_line

MESSAGES_MAX = 200
MESSAGES_DEFAULT = 50
READ_ITEMS_MAX = 500

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LoginBody(Struct, forbid_unknown_fields=True):
    """Who wants in. `pin_again` only at the first use of a card."""

    staff: str
    card: str
    pin: str
    pin_again: str | None = None


class PostBody(Struct, forbid_unknown_fields=True):
    """A message to post. `id` is a UUIDv7 text made by the sender and kept for repeats."""

    id: str
    room: str
    body: dict[str, Any]
    kind: str = "talk"
    created_ms: int | None = None


class ReadBody(Struct, forbid_unknown_fields=True):
    """(author, message_id) pairs that were displayed to the person."""

    items: list[tuple[str, str]]


class LoggedIn(Struct, frozen=True):
    """A fresh log-in; `csrf` goes into the X-CSRF-Token header of every state change."""

    person: Person
    csrf: str
    network: NetworkInfo
    node: NodeInfo


class Me(Struct, frozen=True):
    """Who is logged in here, and the ward list."""

    person: Person
    csrf: str
    network: NetworkInfo
    node: NodeInfo
    wards: dict[str, Ward]


class RoomList(Struct, frozen=True):
    """The rooms of the person and how far this node's entries have come."""

    rooms: list[RoomView]
    sync: SyncLine


class MessageList(Struct, frozen=True):
    """Messages in ascending `sort` order; `cursor` is where GET /api/sync goes on."""

    messages: list[Message]
    cursor: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the API; `body` and `answer` are msgspec structs, None = empty."""

    method: str
    path: str
    summary: str
    call: Answer
    body: type | None = None
    answer: type | None = None
    status: int = 200
    query: tuple[str, ...] = ()
    login: bool = True
    token: bool = False
    media: str = "application/json"


T = TypeVar("T")


def field_of(error: msgspec.ValidationError) -> str:
    """The field that a msgspec error talks about, `body` if it is the whole."""
    text = str(error)
    if named := re.search(r"(?:required|unknown) field `([^`]+)`", text):
        return named.group(1)
    if path := re.search(r"at `\$\.?([^`]*)`", text):
        return path.group(1) or "body"
    return "body"


async def read_body(request: web.Request, kind: type[T]) -> T:
    """Decode a JSON body or refuse it, naming the field."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    raw = await request.read()
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        expected = str(error).split(" - at ", 1)[0].rstrip(".")
        raise problems.FieldError(field_of(error), expected) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise problems.FieldError("body", "not valid JSON in UTF-8") from error


def number_of(request: web.Request, name: str, default: int, most: int) -> int:
    """A query number between 1 and `most`, or refuse it, naming it."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= most:
        raise problems.FieldError(name, f"expected a number from 1 to {most}")
    return int(text)


class Api:
    """The handlers; every one asks the Office and encodes what it says."""

    def __init__(self, office: Office, sessions: Sessions, live: Live) -> None:
        self._office = office
        self._sessions = sessions
        self._live = live
        self._encode = msgspec.json.Encoder().encode

    def operations(self) -> tuple[Operation, ...]:
        """The whole API, in the order of the documentation."""
        return (
            Operation(
                "POST", "/api/login", "Log in with card and PIN; sets the session cookie.",
                self.login, LoginBody, LoggedIn, login=False,
            ),
            Operation(
                "POST", "/api/logout", "Log out and forget the session.",
                self.logout, status=204, token=True,
            ),
            Operation("GET", "/api/me", "Who is logged in here.", self.me, answer=Me),
            Operation(
                "GET", "/api/rooms", "The person's rooms with unread counts.",
                self.rooms, answer=RoomList,
            ),
            Operation(
                "GET", "/api/rooms/{room}/messages",
                "Newest messages of a room, older than the sort key `before`.",
                self.messages, answer=MessageList, query=("before", "limit"),
            ),
            Operation(
                "POST", "/api/messages",
                "Post a message; the 201 is the node's receipt after its full commit. "
                "The same id with the same content gives the same answer.",
                self.post, PostBody, Posted, status=201, token=True,
            ),
            Operation(
                "POST", "/api/read", "Note that messages were displayed to this person.",
                self.read, ReadBody, status=204, token=True,
            ),
            Operation(
                "GET", "/api/sync", "Everything visible that changed after a cursor.",
                self.sync, answer=Changes, query=("after",),
            ),
            Operation(
                "GET", "/api/events",
                "Server-Sent Events: `new` when something changed, a beat every 20 s.",
                self.events, media="text/event-stream",
            ),
            Operation(
                "GET", "/api/messages/{author}/{message_id}/who",
                "Who has received and who has read, by name.",
                self.who, answer=WhoRead,
            ),
            Operation(
                "GET", "/api/status", "State of this node; holds no person.",
                self.status, answer=Status, login=False,
            ),
        )  # fmt: skip

    def mount(self, app: web.Application) -> None:
        for operation in self.operations():
            app.router.add_route(operation.method, operation.path, self._checked(operation))

    def _checked(self, operation: Operation) -> Answer:
        async def handle(request: web.Request) -> web.StreamResponse:
            if operation.login:
                session = self.session(request)
                if operation.token:
                    token = request.headers.get("X-CSRF-Token", "")
                    if not token_is(session, token):
                        raise problems.bad_token()
                request[SESSION] = session
            try:
                return await operation.call(request)
            except RefusedError as error:
                if error.code == "seat_closed" and operation.login:
                    self._sessions.end(request[SESSION])
                raise

        return handle

    def session(self, request: web.Request) -> Session:
        """The session of this browser; 401 if there is none."""
        session = self._sessions.find(request)
        if session is None:
            raise problems.not_logged_in()
        return session

    def _json(self, value: object, status: int = 200) -> web.Response:
        return web.Response(
            status=status,
            body=self._encode(value),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def login(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, LoginBody)
        seat = await self._office.log_in(body.staff, body.card, body.pin, body.pin_again)
        if (old := self._sessions.find(request)) is not None:
            self._sessions.end(old)
        token, session = self._sessions.open(seat)
        office = self._office
        response = self._json(LoggedIn(seat.person, session.csrf, office.network, office.me))
        self._sessions.set_cookie(response, token, secure=request.secure)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        self._sessions.end(request[SESSION])
        response = web.Response(status=204)
        self._sessions.clear_cookie(response)
        return response

    async def me(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        office = self._office
        return self._json(
            Me(session.seat.person, session.csrf, office.network, office.me, office.wards)
        )

    async def rooms(self, request: web.Request) -> web.StreamResponse:
        rooms = self._office.rooms(request[SESSION].seat.person)
        return self._json(RoomList(rooms, sync_line(self._office.status())))

    async def messages(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        limit = number_of(request, "limit", MESSAGES_DEFAULT, MESSAGES_MAX)
        before = request.query.get("before") or None
        # The cursor first: what changes in between is seen twice, never not at all.
        cursor = self._office.changes(person, None).cursor
        room = request.match_info["room"]
        return self._json(MessageList(self._office.messages(person, room, before, limit), cursor))

    async def post(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, PostBody)
        seat = request[SESSION].seat
        posted = await self._office.post(
            seat, body.kind, body.room, body.body, body.id, body.created_ms
        )
        return self._json(posted, 201)

    async def read(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, ReadBody)
        if len(body.items) > READ_ITEMS_MAX:
            raise problems.FieldError("items", f"expected at most {READ_ITEMS_MAX} items")
        self._office.mark_read(request[SESSION].seat, body.items)
        return web.Response(status=204)

    async def sync(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after") or None
        return self._json(self._office.changes(request[SESSION].seat.person, after))

    async def events(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        return await self._live.stream(request, lambda: self._sessions.alive(session))

    async def who(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        author, message_id = request.match_info["author"], request.match_info["message_id"]
        return self._json(self._office.who(person, author, message_id))

    async def status(self, _request: web.Request) -> web.StreamResponse:
        return self._json(self._office.status())
