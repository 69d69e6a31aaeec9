"""Log-in, log-out, 交代 and the locked screen, complete without any script."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.web import problems, views
from meshrelay.web.rights import https_address
from meshrelay.web.screens import Screens, read_form, safe_next, seen
from meshrelay.web.sessions import SHARED, Session, token_is
from meshrelay.web.text import clean_name

CHOOSING = ("choose_pin", "pin_mismatch", "pin_too_short", "pin_too_simple")


class Entering(Screens):
    """The pages that a browser sees without an open session."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/login", self.login_form)
        router.add_post("/login", self.login)
        router.add_post("/logout", self.logout)
        router.add_get("/lock", self.lock_form)
        router.add_post("/lock", self.lock)
        router.add_post("/lock/open", self.reopen)

    async def login_form(self, request: web.Request) -> web.StreamResponse:
        return self._login_page(request, next_path=safe_next(request.query.get("next")))

    def _login_page(
        self,
        request: web.Request,
        *,
        next_path: str,
        error: RefusedError | None = None,
        staff: str = "",
        card: str = "",
        device: str = SHARED,
    ) -> web.Response:
        return self.draw(
            request,
            "login.html",
            None,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            choosing=error is not None and error.code in CHOOSING,
            next_path=next_path,
            staff=staff,
            card=card,
            device=device,
            switching="switch" in request.query,
            secure=request.secure,
            https=https_address(request, self.policy),
            data=self.drawing.data(request, None, network=self.office.network.id[:8]),
        )

    async def login(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        next_path = safe_next(form.get("next"))
        staff, card = form.get("staff", "").strip(), form.get("card", "").strip()
        device = form.get("device", SHARED)
        try:
            token, _session = await self._doors.log_in(
                request,
                staff=staff,
                card=card,
                pin=form.get("pin", ""),
                pin_again=form.get("pin_again") or None,
                device=device,
            )
        except RefusedError as error:
            return self._login_page(
                request, next_path=next_path, error=error, staff=staff, card=card, device=device
            )
        response = seen(next_path)
        self.sessions.set_cookie(response, token, secure=request.secure)
        return response

    async def _form_when_locked(self, request: web.Request) -> tuple[Session, dict[str, str]]:
        form = await read_form(request)
        session = self.sessions.find(request)
        if session is None:
            raise problems.not_logged_in()
        if not token_is(session, form.get("csrf", "")):
            raise problems.bad_token()
        return session, form

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Log-out, and 交代: the next person's card at once."""
        session, form = await self._form_when_locked(request)
        self.sessions.end(session)
        response = seen("/login?switch" if form.get("switch") else "/login")
        self.sessions.clear_cookie(response, secure=request.secure)
        return response

    async def lock_form(self, request: web.Request) -> web.StreamResponse:
        session = self.sessions.find(request)
        if session is None:
            raise problems.not_logged_in()
        if not session.locked:
            return seen(safe_next(request.query.get("next")))
        return self._lock_page(request, session, None)

    def _lock_page(
        self, request: web.Request, session: Session, error: RefusedError | None
    ) -> web.Response:
        person = session.seat.person
        return self.draw(
            request,
            "lock.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            next_path=safe_next(request.query.get("next")),
            person_name=clean_name(person.name),
            person_ward=views.ward_name(person.ward, self.office.wards, self.drawing.lang(request)),
            secure=request.secure,
        )

    async def lock(self, request: web.Request) -> web.StreamResponse:
        session, form = await self._form_when_locked(request)
        self.sessions.lock(session)
        return seen("/lock?" + urlencode({"next": safe_next(form.get("next"))}))

    async def reopen(self, request: web.Request) -> web.StreamResponse:
        session, form = await self._form_when_locked(request)
        try:
            await self._doors.reopen(request, session, form.get("pin", ""))
        except RefusedError as error:
            if error.code == "seat_closed":
                self.sessions.end(session)
                raise problems.not_logged_in() from error
            return self._lock_page(request, session, error)
        return seen(safe_next(form.get("next")))
