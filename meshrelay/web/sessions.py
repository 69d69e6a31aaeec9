"""Who is logged in at this browser: random cookies, everything else on the server."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.node.card_desk import TemporaryCard
from meshrelay.node.office import Office, Seat

# A ward has some hundred staff; each may use a few devices.
SESSIONS_MAX = 2000
# trust.md "Links and pages": the card again after 12 h, a shared PC locks after 10 minutes.
SESSION_MS_MAX = 12 * 3600 * 1000
IDLE_MS_MAX = 10 * 60 * 1000

OWN: Final = "own"
SHARED: Final = "shared"
DEVICES = (OWN, SHARED)


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was refused: what was written, where, and why; `fields`: the whole form."""

    path: str
    text: str
    error: RefusedError
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Session:
    """One log-in of one browser. `csrf` goes to the page, the cookie never does.

    `secure`: opened over https; its cookie opens nothing over http and the other way round.
    """

    key: bytes
    seat: Seat
    csrf: str
    opened_ms: int
    secure: bool
    device: str
    input_ms: int
    locked: bool = False
    # Shown by the next page, so that no page is the answer to a POST: browsers write what was
    # posted into the history of the tab, on disk.
    refused: Refused | None = None
    card_to_show: TemporaryCard | None = None


class Sessions:
    """All log-ins of this node, in memory only: a restart asks for card and PIN again.

    Cookies ignore ports, so the name carries the network id; kept here is only a
    hash of the cookie, so that a memory dump opens no session.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._by_key: dict[bytes, Session] = {}
        self._gone: list[Callable[[], None]] = []
        self.cookie = f"mr-{office.network.id[:8]}"
        # RFC 6265bis: a browser takes the prefix only with Secure and Path=/.
        self.cookie_secure = f"__Host-{self.cookie}"

    def __len__(self) -> int:
        return len(self._by_key)

    def on_end(self, call: Callable[[], None]) -> None:
        """Call `call` whenever a session ends or locks (open event streams must look again)."""
        self._gone.append(call)

    def open(
        self, seat: Seat, *, secure: bool = False, device: str = SHARED
    ) -> tuple[str, Session]:
        """A new session: the cookie's value (shown once) and the session."""
        self._drop_old()
        token, now_ms = secrets.token_urlsafe(32), self._office.now_ms()
        csrf = secrets.token_urlsafe(32)
        session = Session(_key(token), seat, csrf, now_ms, secure, device, now_ms)
        self._by_key[session.key] = session
        return token, session

    def find(self, request: web.Request) -> Session | None:
        """The session of this request's cookie, None if there is none (any more).

        It may be locked: look before showing anything.
        """
        session = self._known(request)
        if session is None:
            return None
        if session.seat.revoked:
            self._office.log_out(session.seat)
            return None
        now_ms = self._office.now_ms()
        if now_ms - session.opened_ms > SESSION_MS_MAX:
            self.end(session)
            return None
        if session.device == SHARED and now_ms - session.input_ms > IDLE_MS_MAX:
            self.lock(session)
        return session

    def is_revoked(self, request: web.Request) -> bool:
        """Whether this browser's log-in ended because the person's credential was revoked."""
        session = self._known(request)
        return session is not None and session.seat.revoked

    def _known(self, request: web.Request) -> Session | None:
        token = request.cookies.get(self.cookie_secure if request.secure else self.cookie)
        session = self._by_key.get(_key(token)) if token else None
        return session if session is not None and session.secure == request.secure else None

    def alive(self, session: Session) -> bool:
        """Whether it may see and do things: neither ended nor locked nor revoked."""
        return session.key in self._by_key and not session.locked and not session.seat.revoked

    def note_input(self, session: Session) -> None:
        """Somebody sits there: a shared PC's lock waits again."""
        session.input_ms = self._office.now_ms()

    def lock(self, session: Session) -> None:
        """Show and take nothing until the PIN was typed; twice is once."""
        if not session.locked:
            session.locked = True
            self._tell()

    def unlock(self, session: Session) -> None:
        """Call it after the node checked the PIN."""
        session.locked = False
        self.note_input(session)

    def end(self, session: Session) -> None:
        """Forget the session and close its seat; twice is once."""
        if self._by_key.pop(session.key, None) is not None:
            self._office.log_out(session.seat)
            self._tell()

    def set_cookie(self, response: web.StreamResponse, token: str, *, secure: bool) -> None:
        name = self.cookie_secure if secure else self.cookie
        response.set_cookie(name, token, path="/", httponly=True, samesite="Strict", secure=secure)

    def clear_cookie(self, response: web.StreamResponse, *, secure: bool) -> None:
        name = self.cookie_secure if secure else self.cookie
        response.del_cookie(name, path="/", httponly=True, samesite="Strict", secure=secure)

    def _tell(self) -> None:
        for call in self._gone:
            call()

    def _drop_old(self) -> None:
        now_ms = self._office.now_ms()
        for session in list(self._by_key.values()):
            too_old = now_ms - session.opened_ms > SESSION_MS_MAX
            if too_old or len(self._by_key) >= SESSIONS_MAX:
                self.end(session)  # a dict keeps order: the oldest goes first


# Where a checked request keeps its session.
SESSION = web.RequestKey("session", Session)


def token_is(session: Session, token: str) -> bool:
    """Whether `token` is the session's CSRF token, in constant time."""
    return hmac.compare_digest(session.csrf.encode(), token.encode("utf-8", "replace"))


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
