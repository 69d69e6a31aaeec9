"""What one line of the JSON API is, and how its body and query are read."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from aiohttp import web

from meshrelay.web import problems
from meshrelay.web.plain import plain
from meshrelay.web.sealing import Seals, opened_body

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

T = TypeVar("T")

_ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the API; `body` and `answer` are msgspec structs, None = empty.

    `sealable`: the body may come sealed. `right`: needs a role, hence https or the console.
    `when_locked`: works on a locked screen. `is_input`: proves that somebody sits there.
    `takes`: media types of a body that is no JSON. `meanwhile`: what a 202 answers.
    """

    method: str
    path: str
    summary: str
    call: Answer
    body: type | None = None
    answer: type | None = None
    status: int = 200
    query: tuple[str, ...] = ()
    login: bool = True
    token: bool = False
    media: str = "application/json"
    sealable: bool = False
    right: bool = False
    when_locked: bool = False
    is_input: bool = False
    takes: tuple[str, ...] = ()
    meanwhile: type | None = None


def field_of(error: msgspec.ValidationError) -> str:
    """The field that a msgspec error talks about, `body` if it is the whole."""
    text = str(error)
    if named := re.search(r"(?:required|unknown) field `([^`]+)`", text):
        return named.group(1)
    if path := re.search(r"at `\$\.?([^`]*)`", text):
        return path.group(1) or "body"
    return "body"


async def read_body(request: web.Request, kind: type[T], seals: Seals | None = None) -> T:
    """Decode a JSON body or refuse it, naming the field; with `seals` it may be sealed."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    raw = await request.read()
    if seals is not None:
        raw = opened_body(raw, seals)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        expected = str(error).split(" - at ", 1)[0].rstrip(".")
        raise problems.FieldError(field_of(error), expected) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise problems.FieldError("body", "not valid JSON in UTF-8") from error


def number_of(request: web.Request, name: str, default: int, most: int) -> int:
    """A query number between 1 and `most`, or refuse it, naming it."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= most:
        raise problems.FieldError(name, f"expected a number from 1 to {most}")
    return int(text)


def answer_json(value: object, status: int = 200) -> web.Response:
    """An answer that no cache keeps, its names harmless."""
    return web.Response(
        status=status,
        body=_ENCODE(plain(value)),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
