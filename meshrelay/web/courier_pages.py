"""伝令: a file to carry to another ward, and one that somebody brought; without any script too."""

from __future__ import annotations

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.node.courier_desk import Reading
from meshrelay.web import problems, views
from meshrelay.web.carrying import form_with_file, no_reading, send_file
from meshrelay.web.screens import Screens, seen
from meshrelay.web.sessions import Session, token_is
from meshrelay.web.text import clean_name
from meshrelay.web.words import age_words, word


class CourierPages(Screens):
    """Handlers of /courier; every one asks `office.couriers`."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/courier", self.courier)
        router.add_post("/courier/file", self.file)
        router.add_post("/courier/read", self.read)
        router.add_get("/courier/readings/{reading}", self.reading)

    async def courier(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, self.session(request), None)

    def _page(
        self, request: web.Request, session: Session, error: RefusedError | None
    ) -> web.Response:
        lang, wards = self.drawing.lang(request), self.office.wards
        own = self.office.me.ward
        return self.draw(
            request,
            "courier.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            wards=[(code, views.ward_name(code, wards, lang)) for code in wards if code != own],
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        try:
            self._doors.count_post(request, session)
            made = await self.office.couriers.write(session.seat, form.get("to", ""))
        except RefusedError as error:
            if error.status == 401:
                raise
            return self._page(request, session, error)
        return await send_file(request, made)

    async def read(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        token, pieces = await form_with_file(request)
        if not token_is(session, token):
            raise problems.bad_token()
        try:
            self._doors.count_post(request, session)
            name = await self.office.couriers.receive(session.seat, pieces)
        except RefusedError as error:
            if error.status == 401:
                raise
            return self._page(request, session, error)
        return seen(f"/courier/readings/{name}")

    async def reading(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        found = self.office.couriers.reading(request.match_info["reading"])
        if found is None:
            raise no_reading()
        lang = self.drawing.lang(request)
        told = problems.problem_of(_why(found)) if found.state == "refused" else None
        return self.draw(
            request,
            "courier_reading.html",
            session,
            error=told,
            reading=found,
            ended=found.state in ("done", "refused"),
            progress=word(
                "courier_reading" if found.state == "reading" else "courier_waiting", lang
            ),
            writer=self._writer(found, lang),
            written=self._written(found, lang),
            missing=found.state == "done" and not found.whole,
        )

    def _writer(self, found: Reading, lang: str) -> str:
        if not found.node_name:
            return word("courier_unknown", lang)
        ward = views.ward_name(found.ward, self.office.wards, lang)
        return f"{ward} {clean_name(found.node_name)}"

    def _written(self, found: Reading, lang: str) -> str:
        """When, by the writer's clock, and how long ago if two good clocks say so."""
        if found.written_ms is None:
            return word("courier_unknown", lang)
        said = views.short_time(found.written_ms, self.office.now_ms())
        if found.passed_ms is None:
            return f"{said} · {word('courier_unclear', lang)}"
        return f"{said} · {word('courier_ago', lang, age=age_words(found.passed_ms, lang))}"


def _why(found: Reading) -> RefusedError:
    return RefusedError(found.code, found.ja, found.en, found.next_ja, found.next_en)
