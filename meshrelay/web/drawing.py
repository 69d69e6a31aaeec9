"""Templates, language and the data that a page hands to its script."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import jinja2
import msgspec
from aiohttp import web
from markupsafe import Markup

from meshrelay.node.office import Office
from meshrelay.web import comfort, problems
from meshrelay.web.assets import Assets
from meshrelay.web.plain import plain
from meshrelay.web.sessions import IDLE_MS_MAX, Session
from meshrelay.web.text import clean_name
from meshrelay.web.views import city_time
from meshrelay.web.words import (
    ISLAND_KEYS,
    LANG_NAMES,
    LANGS,
    ROOM_KEYS,
    island_words,
    tag_of,
    word,
)

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2}")


class Reader:
    """Who reads a page, for its template: `t("key")` is a word in their language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        # (code, tag, name, short name) of each language
        self.langs = [(code, tag_of(code), *names) for code, names in LANG_NAMES.items()]

    def __call__(self, key: str, **named: object) -> str:
        return word(key, self.lang, **named)

    def problem(self, problem: problems.Problem) -> tuple[str, str]:
        """What happened, and what to do now."""
        said = problems.told(problem, self.lang)
        return (said.en, said.next_en) if self.lang == "en" else (said.ja, said.next_ja)

    def tongue(self, name: str) -> Markup:
        """The `lang` attribute of a name that is not in the language of the page."""
        tag = "ja" if _JAPANESE.search(name) else "en" if _LATIN.search(name) else ""
        return Markup(f' lang="{tag}"') if tag and tag != tag_of(self.lang) else Markup()


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
        """The language of this browser's owner, or the one asked for."""
        return comfort.lang_of(request)

    def draw(
        self, request: web.Request, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        """A page, never cached; an asked-for language is kept in a cookie.

        `lang` in a template is that of its document: `ja` for やさしい日本語 too.
        """
        lang, office = self.lang(request), self._office
        query = {key: text for key, text in request.query.items() if key != "lang"}
        html = self._templates.get_template(template).render(
            t=Reader(lang),
            lang=tag_of(lang),
            look=comfort.look_of(request),
            scheme=comfort.scheme_of(request),
            # The code of the language goes to its end.
            other_lang_href=f"{request.rel_url.raw_path}?{urlencode({**query, 'lang': ''})}",
            drawn_at=city_time(office.now_ms()).strftime("%Y-%m-%d %H:%M"),
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
            comfort.keep(response, comfort.LANG_COOKIE, lang)
        return response

    def data(self, request: web.Request, session: Session | None, **more: Any) -> Markup:
        """What the script of a page needs; without a session the words only.

        JSON in which no character can end the script element that holds it.
        """
        lang = self.lang(request)
        words = island_words(lang, ROOM_KEYS if "room" in more else ISLAND_KEYS)
        told: dict[str, Any] = {"lang": tag_of(lang), "words": words, **more}
        if session is not None:
            told["csrf"] = session.csrf
            told["me"] = session.seat.person.staff_id
            told["network"] = self._office.network.id[:8]
            told["now_ms"] = self._office.now_ms()
            told["device"] = session.device
            told["idle_ms"] = IDLE_MS_MAX
            if request.method == "POST":  # a form that was refused: its page is one step up
                told["page"] = "/" + request.path.split("/")[1]
        text = msgspec.json.encode(plain(told)).decode()
        for char in "<>&\u2028\u2029":
            text = text.replace(char, f"\\u{ord(char):04x}")
        return Markup(text)
