"""What somebody chose for this browser: language, size of text, colours. Kept in cookies only.

They belong to the browser, not to a person: who borrows a phone finds it as it was set.
"""

from __future__ import annotations

from aiohttp import web

from meshrelay.web.words import LANGS

SIZES = ("normal", "large", "largest")
COLOURS = ("auto", "light", "dark")
SIZE_COOKIE = "mr-size"
COLOURS_COOKIE = "mr-colours"
LANG_COOKIE = "mr-lang"
COOKIE_S = 365 * 24 * 3600


def lang_of(request: web.Request) -> str:
    """The language asked for by `?lang=`, else by the cookie, else Japanese."""
    asked = request.query.get("lang") or request.cookies.get(LANG_COOKIE)
    return asked if asked in LANGS else "ja"


def size_of(request: web.Request) -> str:
    """The chosen size of text."""
    asked = request.cookies.get(SIZE_COOKIE)
    return asked if asked in SIZES else "normal"


def colours_of(request: web.Request) -> str:
    """The chosen colours; `auto` follows the device."""
    asked = request.cookies.get(COLOURS_COOKIE)
    return asked if asked in COLOURS else "auto"


def look_of(request: web.Request) -> str:
    """The classes of the document: what page.css does differently from its default."""
    size, colours = size_of(request), colours_of(request)
    chosen = (f"text-{size}" if size != "normal" else "", colours if colours != "auto" else "")
    return " ".join(filter(None, chosen))


def scheme_of(request: web.Request) -> str:
    """What the browser's own bars and boxes may look like, as HTML says it."""
    colours = colours_of(request)
    return "light dark" if colours == "auto" else colours


def keep(response: web.Response, cookie: str, choice: str) -> None:
    """Remember a choice in this browser for a year."""
    response.set_cookie(cookie, choice, path="/", samesite="Lax", max_age=COOKIE_S)
