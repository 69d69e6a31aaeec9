"""The JSON API: one table of operations, from which routes and OpenAPI are both made."""

from __future__ import annotations

from typing import Any, Literal

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
    Search,
    Status,
    Ward,
    WhoRead,
)
from meshrelay.node.seats import card_revoked
from meshrelay.web import problems
from meshrelay.web.board_api import BoardApi
from meshrelay.web.courier_api import CourierApi
from meshrelay.web.desk_api import DeskApi
from meshrelay.web.display_api import DisplayApi
from meshrelay.web.doors import Doors
from meshrelay.web.event_api import EventApi
from meshrelay.web.file_api import FileApi
from meshrelay.web.live import Live
from meshrelay.web.operations import Answer, Operation, answer_json, number_of, read_body
from meshrelay.web.rights import Policy, check_rights
from meshrelay.web.sealing import Seals, SealTicket
from meshrelay.web.sessions import SESSION, SHARED, Session, Sessions, token_is
from meshrelay.web.syncline import SyncLine, sync_line
from meshrelay.web.told_api import ToldApi

MESSAGES_MAX = 200
MESSAGES_DEFAULT = 50
READ_ITEMS_MAX = 500
PEOPLE_MAX = 50


class LoginBody(Struct, forbid_unknown_fields=True):
    """Who wants in. `pin_again` only at the first use of a card; `device`: a shared one locks."""

    staff: str
    card: str
    pin: str
    pin_again: str | None = None
    device: Literal["own", "shared"] = SHARED


class ReopenBody(Struct, forbid_unknown_fields=True):
    """The PIN that reopens a locked screen."""

    pin: str


class NoteBody(Struct, forbid_unknown_fields=True):
    """A note without an author's signature: from the counter, on paper or by telephone."""

    id: str
    room: str
    text: str
    source: Literal["walk_in", "paper", "phone"]
    source_name: str = ""


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
    """The rooms of the person, how far this node's entries have come, and the wards by code."""

    rooms: list[RoomView]
    sync: SyncLine
    wards: dict[str, Ward]


class MessageList(Struct, frozen=True):
    """Messages in ascending `sort` order; `cursor` is where GET /api/sync goes on."""

    messages: list[Message]
    cursor: str


class PersonList(Struct, frozen=True):
    """Members of staff by the roster this node holds."""

    people: list[Person]


class Api:
    """The handlers; every one asks the Office and encodes what it says."""

    def __init__(
        self, office: Office, sessions: Sessions, live: Live, doors: Doors, policy: Policy
    ) -> None:
        self._office = office
        self._sessions = sessions
        self._live = live
        self._doors = doors
        self._policy = policy
        self._seals = Seals(office)
        self._desk = DeskApi(office, self._seals, doors)
        self._couriers = CourierApi(office, doors)
        self._files = FileApi(office, doors)
        self._told = ToldApi(office)
        self._displays = DisplayApi(office, live, doors)
        self._boards = BoardApi(office, doors, policy)
        self._events = EventApi(office, doors, policy)

    def operations(self) -> tuple[Operation, ...]:
        """The whole API, in the order of the documentation."""
        return (
            Operation(
                "GET", "/api/seal", "The key to seal card and PIN to, and a challenge good once.",
                self.seal, answer=SealTicket, login=False,
            ),
            Operation(
                "POST", "/api/login", "Log in with card and PIN; sets the session cookie.",
                self.login, LoginBody, LoggedIn, login=False, sealable=True,
            ),
            Operation(
                "POST", "/api/logout", "Log out and forget the session.",
                self.logout, status=204, token=True, when_locked=True,
            ),
            Operation(
                "POST", "/api/lock", "Lock the screen; the session goes on after the PIN.",
                self.lock, status=204, token=True, when_locked=True,
            ),
            Operation(
                "POST", "/api/reopen", "Reopen a locked screen with the PIN alone.",
                self.reopen, ReopenBody, status=204, token=True, sealable=True, when_locked=True,
            ),
            Operation(
                "POST", "/api/input", "Somebody sits at this shared PC: do not lock it yet.",
                self.input, status=204, token=True, is_input=True,
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
                "GET", "/api/rooms/{room}/pinned", "What a room keeps in view, newest first.",
                self.pinned, answer=MessageList,
            ),
            Operation(
                "GET", "/api/search",
                "Messages with every word of `q`, newest first, of one `room` or of all.",
                self.search, answer=Search, query=("q", "room"),
            ),
            Operation(
                "GET", "/api/people", "Members of staff by name, kana, number or unit.",
                self.people, answer=PersonList, query=("q",),
            ),
            Operation(
                "POST", "/api/messages",
                "Post a message; the 201 is the node's receipt after its full commit. "
                "The same id with the same content gives the same answer.",
                self.post, PostBody, Posted, status=201, token=True, is_input=True,
            ),
            Operation(
                "POST", "/api/notes",
                "A note without an author's signature (署名なし), taken down by who is logged in.",
                self.note, NoteBody, Posted, status=201, token=True, is_input=True,
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
            *self._told.operations(),
            *self._files.operations(),
            *self._boards.operations(),
            *self._events.operations(),
            *self._desk.operations(),
            *self._couriers.operations(),
            *self._displays.operations(),
        )  # fmt: skip

    def mount(self, app: web.Application) -> None:
        for operation in self.operations():
            app.router.add_route(operation.method, operation.path, self._checked(operation))

    def _checked(self, operation: Operation) -> Answer:
        async def handle(request: web.Request) -> web.StreamResponse:
            if operation.login:
                request[SESSION] = self._admitted(request, operation)
            try:
                return await operation.call(request)
            except RefusedError as error:
                if error.code == "seat_closed" and operation.login:
                    self._sessions.end(request[SESSION])
                raise

        return handle

    def _admitted(self, request: web.Request, operation: Operation) -> Session:
        """The session of this browser, if it may do this now; else 401, 423 or 403."""
        session = self._sessions.find(request)
        if session is None:
            revoked = self._sessions.is_revoked(request)
            raise card_revoked() if revoked else problems.not_logged_in()
        if operation.token and not token_is(session, request.headers.get("X-CSRF-Token", "")):
            raise problems.bad_token()
        if session.locked and not operation.when_locked:
            raise problems.locked()
        if operation.right:
            check_rights(request, session.seat.person, self._policy)
        if operation.is_input:
            self._sessions.note_input(session)
        return session

    async def seal(self, _request: web.Request) -> web.StreamResponse:
        return answer_json(self._seals.ticket())

    async def login(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, LoginBody, self._seals)
        token, session = await self._doors.log_in(
            request,
            staff=body.staff,
            card=body.card,
            pin=body.pin,
            pin_again=body.pin_again,
            device=body.device,
        )
        office = self._office
        told = LoggedIn(session.seat.person, session.csrf, office.network, office.me)
        response = answer_json(told)
        self._sessions.set_cookie(response, token, secure=request.secure)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        self._sessions.end(request[SESSION])
        response = web.Response(status=204)
        self._sessions.clear_cookie(response, secure=request.secure)
        return response

    async def lock(self, request: web.Request) -> web.StreamResponse:
        self._sessions.lock(request[SESSION])
        return web.Response(status=204)

    async def reopen(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, ReopenBody, self._seals)
        await self._doors.reopen(request, request[SESSION], body.pin)
        return web.Response(status=204)

    async def input(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def me(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        office = self._office
        return answer_json(
            Me(session.seat.person, session.csrf, office.network, office.me, office.wards)
        )

    async def rooms(self, request: web.Request) -> web.StreamResponse:
        rooms = self._office.rooms(request[SESSION].seat.person)
        return answer_json(RoomList(rooms, sync_line(self._office.status()), self._office.wards))

    async def messages(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        limit = number_of(request, "limit", MESSAGES_DEFAULT, MESSAGES_MAX)
        before = request.query.get("before") or None
        # The cursor first: what changes in between is seen twice, never not at all.
        cursor = self._office.changes(person, None).cursor
        room = request.match_info["room"]
        return answer_json(MessageList(self._office.messages(person, room, before, limit), cursor))

    async def pinned(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        cursor = self._office.changes(person, None).cursor
        found = self._office.pinned(person, request.match_info["room"])
        return answer_json(MessageList(found, cursor))

    async def search(self, request: web.Request) -> web.StreamResponse:
        person, room = request[SESSION].seat.person, request.query.get("room") or None
        return answer_json(await self._office.search(person, request.query.get("q", ""), room))

    async def people(self, request: web.Request) -> web.StreamResponse:
        found = await self._office.people(request.query.get("q", ""), PEOPLE_MAX)
        return answer_json(PersonList(found))

    async def post(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        body = await read_body(request, PostBody)
        seat = request[SESSION].seat
        posted = await self._office.post(
            seat, body.kind, body.room, body.body, body.id, body.created_ms
        )
        return answer_json(posted, 201)

    async def note(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        body = await read_body(request, NoteBody)
        posted = await self._office.post_note(
            request[SESSION].seat, body.room, body.text, body.source, body.source_name, body.id
        )
        return answer_json(posted, 201)

    async def read(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, ReadBody)
        if len(body.items) > READ_ITEMS_MAX:
            raise problems.FieldError("items", f"expected at most {READ_ITEMS_MAX} items")
        self._office.mark_read(request[SESSION].seat, body.items)
        return web.Response(status=204)

    async def sync(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after") or None
        return answer_json(self._office.changes(request[SESSION].seat.person, after))

    async def events(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        return await self._live.stream(request, lambda: self._sessions.alive(session))

    async def who(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        author, message_id = request.match_info["author"], request.match_info["message_id"]
        return answer_json(self._office.who(person, author, message_id))

    async def status(self, _request: web.Request) -> web.StreamResponse:
        return answer_json(self._office.status())
