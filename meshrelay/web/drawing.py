"""Templates, language and the data that a page hands to its script."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import jinja2
import msgspec
from aiohttp import web
from markupsafe import Markup

from meshrelay.node.office import Office
from meshrelay.web.assets import Assets
from meshrelay.web.plain import plain
from meshrelay.web.sessions import IDLE_MS_MAX, Session
from meshrelay.web.text import clean_name
from meshrelay.web.words import LANGS, island_words, word

LANG_COOKIE = "mr-lang"
LANG_COOKIE_S = 365 * 24 * 3600


class Drawing:
    """Draws one template in the reader's language; Japanese unless somebody chose otherwise."""

    def __init__(self, office: Office, assets: Assets) -> None:
        self._office = office
        self._assets = assets
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("meshrelay.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def lang(self, request: web.Request) -> str:
        """The language asked for by `?lang=`, else by the cookie, else Japanese."""
        asked = request.query.get("lang") or request.cookies.get(LANG_COOKIE) or "ja"
        return asked if asked in LANGS else "ja"

    def draw(
        self, request: web.Request, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        """A page, never cached; an asked-for language is kept in a cookie."""
        lang = self.lang(request)
        office = self._office
        query = {**request.query, "lang": "en" if lang == "ja" else "ja"}

        def words(key: str, **named: object) -> str:
            return word(key, lang, **named)

        html = self._templates.get_template(template).render(
            t=words,
            lang=lang,
            other_lang_href=f"{request.rel_url.raw_path}?{urlencode(query)}",
            static=f"/static/{self._assets.version}",
            drill=office.network.drill,
            network_name=clean_name(office.network.name),
            node_name=clean_name(office.me.name),
            **values,
        )
        response = web.Response(
            status=status,
            text=html,
            content_type="text/html",
            headers={"Cache-Control": "no-store"},
        )
        if request.query.get("lang") in LANGS:
            response.set_cookie(LANG_COOKIE, lang, path="/", samesite="Lax", max_age=LANG_COOKIE_S)
        return response

    def data(self, request: web.Request, session: Session | None, **more: Any) -> Markup:
        """What the script of a page needs; without a session the words only.

        JSON in which no character can end the script element that holds it.
        """
        lang = self.lang(request)
        told: dict[str, Any] = {"lang": lang, "words": island_words(lang), **more}
        if session is not None:
            told["csrf"] = session.csrf
            told["me"] = session.seat.person.staff_id
            told["network"] = self._office.network.id[:8]
            told["now_ms"] = self._office.now_ms()
            told["device"] = session.device
            told["idle_ms"] = IDLE_MS_MAX
        text = msgspec.json.encode(plain(told)).decode()
        for char in "<>&\u2028\u2029":
            text = text.replace(char, f"\\u{ord(char):04x}")
        return Markup(text)
