"""/display for a screen on the wall, and 設定 → 壁の画面, where somebody in charge pairs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.node.displays import Display
from meshrelay.node.office import Office, WallItem
from meshrelay.web import problems, views
from meshrelay.web.display_api import keep_token, wall_token
from meshrelay.web.doors import Doors
from meshrelay.web.drawing import Drawing
from meshrelay.web.limits import Buckets, address_key
from meshrelay.web.rights import Policy, check_rights, link_base
from meshrelay.web.screens import Screens, seen
from meshrelay.web.sessions import Session, Sessions
from meshrelay.web.syncline import sync_line
from meshrelay.web.text import clean, clean_name
from meshrelay.web.told_pages import kind_word
from meshrelay.web.words import word

# Four lines of letters that are read at five metres, three below the ribbon of a drill; who
# wants to read on has the staff page.
TEXT_CHARS_MAX, TEXT_CHARS_MAX_DRILL = 56, 40
# New screens of one address; each costs a place in memory.
BEGUN_BURST, BEGUN_PER_S = 20, 0.1
DONE = ("paired", "removed")


class DisplayPages(Screens):
    """The wall needs no log-in, only to be paired; nothing on it is anybody's name."""

    def __init__(
        self, office: Office, sessions: Sessions, drawing: Drawing, policy: Policy, doors: Doors,
        ring: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(office, sessions, drawing, policy, doors)
        self._ring = ring
        self._begun = Buckets(BEGUN_BURST, BEGUN_PER_S)

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/display", self.wall)
        router.add_get("/displays", self.displays)
        router.add_post("/displays", self.pair)
        router.add_post("/displays/remove", self.remove)

    # -- the wall ---------------------------------------------------------------

    async def wall(self, request: web.Request) -> web.StreamResponse:
        token = wall_token(self.office, request)
        if self.office.displays.is_paired(token):
            response = self._wall_page(request)
        else:
            code = self.office.displays.code(token)
            if code is None:
                wait_s = self._begun.take(address_key(request.remote))
                if wait_s:
                    raise problems.WaitError(int(wait_s) + 1)
                token = self.office.displays.begin()
                code = self.office.displays.code(token)
            response = self._draw_wall(request, code=code)
        keep_token(self.office, request, response, token)
        return response

    def _wall_page(self, request: web.Request) -> web.Response:
        lang, wall = self.drawing.lang(request), self.office.wall()
        state = sync_line(self.office.status()).state
        return self._draw_wall(
            request,
            code=None,
            mode=self._item(wall.mode, lang),
            newest=self._item(wall.newest, lang),
            sync_state=state,
            sync_text=word(f"wall_{state}", lang),
        )

    def _draw_wall(self, request: web.Request, **values: Any) -> web.Response:
        now_ms = self.office.now_ms()
        return self.drawing.draw(
            request, "display.html", now_ms=now_ms, clock=views.hour_minute(now_ms), **values
        )

    def _item(self, item: WallItem | None, lang: str) -> dict[str, object] | None:
        if item is None:
            return None
        most = TEXT_CHARS_MAX_DRILL if self.office.network.drill else TEXT_CHARS_MAX
        return {
            "id": item.id,
            "kind": kind_word(item.kind, lang),
            "text": word("wall_new", lang)
            if item.text is None
            else clean(item.text, chars_max=most),
            "time": views.short_time(item.created_ms, self.office.now_ms()),
            "unsure": item.expiry == "unsure",
            "doubtful": item.doubtful,
        }

    # -- who may show it --------------------------------------------------------

    async def displays(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        check_rights(request, session.seat.person, self.policy)
        return self._list_page(request, session, None, {})

    def _list_page(
        self, request: web.Request, session: Session, error: RefusedError | None,
        form: dict[str, str],
    ) -> web.Response:  # fmt: skip
        person, done = session.seat.person, request.query.get("done", "")
        return self.draw(
            request,
            "displays.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            done=f"done_{done}" if done in DONE else "",
            displays=[self._line(each) for each in self.office.displays.paired(person)],
            address=f"{link_base(request, self.policy)}/display",
            name=form.get("name", ""),
        )

    def _line(self, display: Display) -> dict[str, str]:
        now_ms, seen_ms = self.office.now_ms(), display.seen_ms
        return {
            "id": display.id,
            "name": clean_name(display.name),
            "since": views.short_time(display.since_ms, now_ms),
            "seen": "" if seen_ms is None else views.moment(seen_ms, now_ms),
        }

    async def pair(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form_of_right(request)
        try:
            self._doors.count_try(request)
            self.office.displays.pair(
                session.seat.person, form.get("code", ""), form.get("name", "")
            )
        except RefusedError as error:
            if error.code == "no_right":
                raise
            return self._list_page(request, session, error, form)
        return seen("/displays?done=paired")

    async def remove(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form_of_right(request)
        self.office.displays.remove(session.seat.person, form.get("display", ""))
        self._ring()  # its event stream ends
        return seen("/displays?done=removed")
