"""The ways into and out of a session, the same for pages and API: limits first, then the node."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from meshrelay.node.office import Office
from meshrelay.web import problems
from meshrelay.web.limits import Buckets, Limits, address_key
from meshrelay.web.rights import is_wired
from meshrelay.web.sessions import DEVICES, SHARED, Session, Sessions


class Doors:
    """Counts tries and posts, asks the node, opens and reopens sessions."""

    def __init__(
        self,
        office: Office,
        sessions: Sessions,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._office = office
        self._sessions = sessions
        self._spare_console = limits.spare_console
        self._tries = Buckets(limits.logins_burst, limits.logins_per_s, clock)
        self._posts = Buckets(limits.posts_burst, limits.posts_per_s, clock)

    async def log_in(
        self,
        request: web.Request,
        *,
        staff: str,
        card: str,
        pin: str,
        pin_again: str | None,
        device: str,
    ) -> tuple[str, Session]:
        """A new session in place of this browser's old one.

        Raises:
            RefusedError: `too_many` (429), and those of `Office.log_in`.
        """
        self.count_try(request)
        seat = await self._office.log_in(staff, card, pin, pin_again)
        if (old := self._sessions.find(request)) is not None:
            self._sessions.end(old)
        return self._sessions.open(
            seat, secure=request.secure, device=device if device in DEVICES else SHARED
        )

    async def reopen(self, request: web.Request, session: Session, pin: str) -> None:
        """Unlock a screen. Raises RefusedError `too_many`, and those of `Office.reopen`."""
        self.count_try(request)
        await self._office.reopen(session.seat, pin)
        self._sessions.unlock(session)

    def count_try(self, request: web.Request) -> None:
        """Each try of a PIN costs the node 0.1 s. Raises RefusedError `too_many`."""
        self._take(self._tries, address_key(request.remote), request)

    def count_post(self, request: web.Request, session: Session) -> None:
        """Raises RefusedError `too_many`: more than a person writes."""
        self._take(self._posts, session.seat.person.staff_id, request)

    def _take(self, buckets: Buckets, key: bytes | str, request: web.Request) -> None:
        if self._spare_console and is_wired(request):
            return
        if (wait_s := buckets.take(key)) > 0:
            raise problems.WaitError(int(wait_s) + 1)
