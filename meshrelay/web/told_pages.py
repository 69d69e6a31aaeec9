"""The page of urgent news, and the pieces that a script puts on every other page."""

from __future__ import annotations

from aiohttp import web

from meshrelay.node.office import Message
from meshrelay.web import problems, views
from meshrelay.web.screens import Screens, seen
from meshrelay.web.text import clean
from meshrelay.web.words import word

# The bar names what came; the page shows all of it.
BAR_CHARS_MAX = 60


class ToldPages(Screens):
    """Handlers; they draw what `office.urgent` says."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/urgent", self.urgent)
        router.add_post("/urgent", self.read)
        router.add_get("/told", self.told)

    async def urgent(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        lang, found = self.drawing.lang(request), self.office.urgent(session.seat.person)
        rooms = {room.id: room for room in self.office.rooms(session.seat.person)}
        return self.draw(
            request,
            "urgent.html",
            session,
            orders=[
                {
                    "kind": kind_word(message.kind, lang),
                    "room": views.room_name(rooms[message.room], lang)
                    if message.room in rooms
                    else "",
                    "href": f"/rooms/{views.segment(message.room)}",
                    "bubble": bubble,
                    "flags": [
                        each for each in bubble.flags if each != kind_word(message.kind, lang)
                    ],
                    "text": clean(text_of(message), lines=True),
                    "advice": views.advice(message, lang),
                }
                for message in found
                for bubble in views.bubbles([message], self.office.wards, lang)
            ],
            items=" ".join(f"{m.author}/{m.message_id}" for m in found),
        )

    async def read(self, request: web.Request) -> web.StreamResponse:
        """A page without script cannot see what was displayed: the person says so."""
        session, form = await self.form(request)
        pairs = (item.partition("/") for item in form.get("items", "").split())
        self.office.mark_read(session.seat, [(author, mid) for author, _, mid in pairs])
        return seen("/urgent")

    async def told(self, request: web.Request) -> web.StreamResponse:
        """The bar and the sound test, in the person's language; the bar alone when locked."""
        session = self.sessions.find(request)
        if session is None:
            raise problems.not_logged_in()
        lang, found = self.drawing.lang(request), self.office.urgent(session.seat.person)
        newest = found[0] if found and not session.locked else None
        return self.drawing.draw(
            request,
            "told.html",
            count=len(found),
            locked=session.locked,
            kind=kind_word(newest.kind, lang) if newest else "",
            text=clean(text_of(newest), chars_max=BAR_CHARS_MAX) if newest else "",
        )


def kind_word(kind: str, lang: str) -> str:
    """What an order is called; 緊急 for one that this page does not know."""
    known = kind in views.ORDERS
    return word(f"kind_{kind}" if known else "urgent", lang)


def text_of(message: Message) -> str:
    """What it says, with the other content that its author signed under the same id."""
    texts = (message.body.get("text", ""), *message.body.get("others", ()))
    return views.OTHER_CONTENT.join(str(text) for text in texts)
