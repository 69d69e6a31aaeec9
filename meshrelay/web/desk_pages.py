"""Settings, 職員とカード, 区の機器: what a person or a registrar changes about them."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from aiohttp import web

from meshrelay.core.records import ROLE_HQ, ROLE_REGISTRAR
from meshrelay.errors import RefusedError
from meshrelay.node.card_desk import CardHolder, NodeState
from meshrelay.node.office import Person
from meshrelay.web import comfort, problems, views
from meshrelay.web.rights import check_rights, link_base
from meshrelay.web.screens import Screens, seen
from meshrelay.web.sessions import DEVICES, Session
from meshrelay.web.text import clean_name
from meshrelay.web.words import word

FOUND_MAX = 50
# What is typed to confirm; either word in either language.
SUSPEND_WORDS = frozenset({"停止", "SUSPEND"})
LIFT_WORDS = frozenset({"解除", "LIFT"})
DONE = ("pin", "device", "comfort", "reset", "settled", "suspended", "lifted", "unasked")
CARD_SHAPES = {"unused": "○", "in_use": "●", "conflict": "▲", "revoked": "✕"}


class DeskPages(Screens):
    """The pages behind 設定; each action is a form of its own and answers with a 303."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/settings", self.settings)
        router.add_post("/settings/pin", self.change_pin)
        router.add_post("/settings/device", self.set_device)
        router.add_post("/settings/comfort", self.set_comfort)
        router.add_get("/cards", self.cards)
        router.add_post("/cards/reset", self.reset)
        router.add_post("/cards/settle", self.settle)
        router.add_post("/cards/temporary", self.temporary)
        router.add_get("/cards/temporary", self.show_temporary)
        router.add_get("/nodes", self.nodes)
        router.add_post("/nodes/suspend", self.suspend)
        router.add_post("/nodes/lift", self.lift)

    # -- settings ---------------------------------------------------------------

    async def settings(self, request: web.Request) -> web.StreamResponse:
        return self._settings_page(request, self.session(request), None)

    def _settings_page(
        self, request: web.Request, session: Session, error: RefusedError | None
    ) -> web.Response:
        person, lang = session.seat.person, self.drawing.lang(request)
        return self.draw(
            request,
            "settings.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            done=_done(request),
            person_name=clean_name(person.name),
            person_ward=views.ward_name(person.ward, self.office.wards, lang),
            person_unit=clean_name(person.unit),
            staff=clean_name(person.staff_id),
            in_charge=not {ROLE_REGISTRAR, ROLE_HQ}.isdisjoint(person.roles),
            device=session.device,
            sizes=comfort.SIZES,
            size=comfort.size_of(request),
            colour_choices=comfort.COLOURS,
            colours=comfort.colours_of(request),
            rights_note=self.rights_note(request, session),
            secure=request.secure,
        )

    async def change_pin(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        try:
            self._doors.count_try(request)
            await self.office.cards.change_pin(
                session.seat,
                form.get("card", "").strip(),
                form.get("pin", ""),
                form.get("new_pin", ""),
                form.get("new_pin_again", ""),
            )
        except RefusedError as error:
            if error.status == 401 and error.code == "seat_closed":
                raise
            return self._settings_page(request, session, error)
        return seen("/settings?done=pin")

    async def set_device(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        if form.get("device") in DEVICES:
            session.device = form["device"]
        return seen("/settings?done=device")

    async def set_comfort(self, request: web.Request) -> web.StreamResponse:
        _, form = await self.form(request)
        response = seen("/settings?done=comfort")
        if form.get("size") in comfort.SIZES:
            comfort.keep(response, comfort.SIZE_COOKIE, form["size"])
        if form.get("colours") in comfort.COLOURS:
            comfort.keep(response, comfort.COLOURS_COOKIE, form["colours"])
        return response

    # -- cards ------------------------------------------------------------------

    async def cards(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        check_rights(request, session.seat.person, self.policy)
        return self._cards_page(request, session, None)

    def _cards_page(
        self, request: web.Request, session: Session, error: RefusedError | None
    ) -> web.Response:
        lang, asked = self.drawing.lang(request), request.query.get("q", "").strip()
        found, person = self.office.cards.find(session.seat, asked, FOUND_MAX), session.seat.person
        own_ward = views.ward_name(person.ward, self.office.wards, lang)
        return self.draw(
            request,
            "cards.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            done=_done(request),
            asked=asked,
            cards=[_card_line(holder, person, lang) for holder in found],
            full=len(found) == FOUND_MAX,
            registrar=ROLE_REGISTRAR in person.roles,
            ward="" if ROLE_HQ in person.roles else own_ward,
            back="/cards?" + urlencode({"q": asked}),
            secure=request.secure,
        )

    async def reset(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form_of_right(request)
        try:
            await self.office.cards.reset_pin(session.seat, form.get("staff", ""))
        except RefusedError as error:
            return self._cards_page(request, session, _unless_closed(error))
        return seen(_found_again(form, "reset"))

    async def settle(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form_of_right(request)
        try:
            self._doors.count_try(request)
            await self.office.cards.settle(
                session.seat, form.get("staff", ""), form.get("card", ""), form.get("pin", "")
            )
        except RefusedError as error:
            return self._cards_page(request, session, _unless_closed(error))
        return seen(_found_again(form, "settled"))

    async def temporary(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form_of_right(request)
        try:
            self._doors.count_post(request, session)
            session.card_to_show = await self.office.cards.issue_temporary(
                session.seat,
                form.get("name", "").strip(),
                form.get("kana", "").strip(),
                form.get("unit", "").strip(),
            )
        except RefusedError as error:
            return self._cards_page(request, session, _unless_closed(error))
        return seen("/cards/temporary")

    async def show_temporary(self, request: web.Request) -> web.StreamResponse:
        """The card's code, this once; a reload shows that it was shown."""
        session = self.session(request)
        card, session.card_to_show = session.card_to_show, None
        if card is None:
            raise problems.shown_once()
        fragment = f"#s={quote(card.staff_id, safe='')}&c={quote(card.code, safe='')}"
        link = f"{link_base(request, self.policy)}/login{fragment}"
        lang = self.drawing.lang(request)
        return self.draw(
            request,
            "temporary.html",
            session,
            name=clean_name(card.name),
            staff=clean_name(card.staff_id),
            ward=views.ward_name(card.ward, self.office.wards, lang),
            code=card.code,
            link=link,
            picture=_qr_code(link),
        )

    # -- nodes ------------------------------------------------------------------

    async def nodes(self, request: web.Request) -> web.StreamResponse:
        return self._nodes_page(request, self.session(request), None)

    def _nodes_page(
        self, request: web.Request, session: Session, error: RefusedError | None
    ) -> web.Response:
        lang, person = self.drawing.lang(request), session.seat.person
        note = self.rights_note(request, session)
        states = self.office.cards.nodes(session.seat)
        return self.draw(
            request,
            "nodes.html",
            session,
            status=error.status if error else 200,
            error=problems.problem_of(error) if error else None,
            done=_done(request),
            rights_note=note,
            registrar=ROLE_REGISTRAR in person.roles and note is None,
            nodes=[self._node_line(state, person, lang) for state in states],
        )

    def _node_line(self, state: NodeState, person: Person, lang: str) -> dict[str, object]:
        node = state.node
        key = "revoked" if state.revoked else "suspended" if state.suspended else "in_service"
        asked, name = [clean_name(each) for each in state.said_by], clean_name(person.name)
        return {
            "id": node.id,
            "name": clean_name(node.name),
            "ward": views.ward_name(node.ward, self.office.wards, lang),
            "key": "asked" if asked and key == "in_service" else key,
            "state": word("node_asked" if asked and key == "in_service" else f"node_{key}", lang),
            "suspended": state.suspended,
            "asked": ", ".join(asked),
            "can_suspend": not (state.revoked or node.archive or node.ward == "00")
            and name not in asked,
            "can_lift": name in asked and not state.revoked,
        }

    async def suspend(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form_of_right(request)
        try:
            if form.get("confirm", "").strip().upper() not in SUSPEND_WORDS:
                raise problems.not_confirmed("停止", "SUSPEND")
            await self.office.cards.suspend(session.seat, form.get("node", ""))
        except RefusedError as error:
            return self._nodes_page(request, session, _unless_closed(error))
        return seen("/nodes?done=suspended")

    async def lift(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form_of_right(request)
        try:
            if form.get("confirm", "").strip().upper() not in LIFT_WORDS:
                raise problems.not_confirmed("解除", "LIFT")
            states = self.office.cards.nodes(session.seat)
            was = any(each.suspended for each in states if each.node.id == form.get("node"))
            await self.office.cards.lift(session.seat, form.get("node", ""))
        except RefusedError as error:
            return self._nodes_page(request, session, _unless_closed(error))
        return seen(f"/nodes?done={'lifted' if was else 'unasked'}")


def _done(request: web.Request) -> str:
    """What was just done, as a word's key; nothing that somebody else's link says."""
    asked = request.query.get("done", "")
    return f"done_{asked}" if asked in DONE else ""


def _found_again(form: dict[str, str], done: str) -> str:
    return "/cards?" + urlencode({"q": form.get("q", ""), "done": done})


def _unless_closed(error: RefusedError) -> RefusedError:
    """The error to draw on the page; a closed seat or a missing right has its own page."""
    if error.code in ("seat_closed", "no_right"):
        raise error
    return error


def _card_line(holder: CardHolder, by: Person, lang: str) -> dict[str, object]:
    """One person, with the buttons that `by` may press: a registrar, their own ward, not hq."""
    person = holder.person
    own = ROLE_REGISTRAR in by.roles and person.ward == by.ward and ROLE_HQ not in person.roles
    state = holder.state if holder.state in CARD_SHAPES else "unused"
    return {
        "staff": person.staff_id,
        "number": clean_name(person.staff_id),
        "name": clean_name(person.name),
        "kana": clean_name(person.kana),
        "unit": clean_name(person.unit),
        "key": state,
        "shape": CARD_SHAPES[state],
        "state": word(f"card_{state}", lang),
        "temporary": holder.temporary,
        "can_reset": own and state in ("in_use", "conflict"),
        "can_settle": own and state == "conflict",
    }


def _qr_code(link: str) -> str:
    """A picture as a data URI. Its library is loaded when the first card is printed."""
    import segno

    return segno.make(link, error="m").svg_data_uri(scale=5, border=4, light="white")
