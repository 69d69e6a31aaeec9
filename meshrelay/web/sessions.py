"""Who is logged in at this browser: random cookies, everything else on the server."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from meshrelay.node.office import Office, Seat

# A ward has some hundred staff; each may use a few devices.
SESSIONS_MAX = 2000
# trust.md "Links and pages": the card again after 12 h.
SESSION_MS_MAX = 12 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in of one browser. `csrf` goes to the page, the cookie never does."""

    key: bytes
    seat: Seat
    csrf: str
    opened_ms: int


class Sessions:
    """All log-ins of this node, in memory only: a restart asks for the PIN again.

    Cookies ignore ports, so the name carries the network id; kept here is only a
    hash of the cookie, so that a memory dump opens no session.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._by_key: dict[bytes, Session] = {}
        self._gone: list[Callable[[], None]] = []
        self.cookie = f"mr-{office.network.id[:8]}"

    def __len__(self) -> int:
        return len(self._by_key)

    def on_end(self, call: Callable[[], None]) -> None:
        """Call `call` whenever a session ends (open event streams must look again)."""
        self._gone.append(call)

    def open(self, seat: Seat) -> tuple[str, Session]:
        """A new session: the cookie's value (shown once) and the session."""
        self._drop_old()
        token = secrets.token_urlsafe(32)
        session = Session(_key(token), seat, secrets.token_urlsafe(32), self._office.now_ms())
        self._by_key[session.key] = session
        return token, session

    def find(self, request: web.Request) -> Session | None:
        """The session of this request's cookie, None if there is none (any more)."""
        token = request.cookies.get(self.cookie)
        if not token:
            return None
        session = self._by_key.get(_key(token))
        if session and self._office.now_ms() - session.opened_ms > SESSION_MS_MAX:
            self.end(session)
            return None
        return session

    def alive(self, session: Session) -> bool:
        return session.key in self._by_key

    def end(self, session: Session) -> None:
        """Forget the session and close its seat; twice is once."""
        if self._by_key.pop(session.key, None) is not None:
            self._office.log_out(session.seat)
            for call in self._gone:
                call()

    def set_cookie(self, response: web.StreamResponse, token: str, *, secure: bool) -> None:
        response.set_cookie(
            self.cookie, token, path="/", httponly=True, samesite="Strict", secure=secure
        )

    def clear_cookie(self, response: web.StreamResponse) -> None:
        response.del_cookie(self.cookie, path="/", httponly=True, samesite="Strict")

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
