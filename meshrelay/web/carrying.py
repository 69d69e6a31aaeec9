"""Courier files over HTTP: streamed to the browser and from it, never whole in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from meshrelay.errors import RefusedError
from meshrelay.node.courier_desk import CourierFile

PIECE_BYTES = 64 * 1024
CONTENT_TYPE = "application/octet-stream"
# By this the page that started a download learns what came of it; it says nothing of the content.
MADE_COOKIE, MADE_S = "mr-made", 60


async def send_file(request: web.Request, made: CourierFile) -> web.StreamResponse:
    """Hand a file out; the browser shows how far it is."""
    response = web.StreamResponse(
        headers={
            "Content-Type": CONTENT_TYPE,
            "Content-Disposition": f'attachment; filename="{made.name}"',
            "Cache-Control": "no-store",
        }
    )
    response.content_length = made.size
    response.set_cookie(
        MADE_COOKIE, f"{made.entries}.{made.name}", path="/courier", samesite="Strict",
        max_age=MADE_S,
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    with made.file as file:
        await response.prepare(request)
        while piece := await loop.run_in_executor(None, file.read, PIECE_BYTES):
            await response.write(piece)
        await response.write_eof()
    return response


async def pieces_of(request: web.Request) -> AsyncIterator[bytes]:
    """A body that is the file itself."""
    async for piece in request.content.iter_chunked(PIECE_BYTES):
        yield piece


async def pieces_of_part(part: BodyPartReader) -> AsyncIterator[bytes]:
    """The file in a form. Raises HTTPBadRequest when the form is none."""
    try:
        while piece := await part.read_chunk(PIECE_BYTES):
            yield piece
    except (ValueError, BadHttpMessage) as error:
        raise web.HTTPBadRequest from error


async def form_with_file(request: web.Request) -> tuple[str, AsyncIterator[bytes]]:
    """The CSRF token of a form, which comes first, and the pieces of the file after it.

    Raises:
        HTTPUnsupportedMediaType, HTTPBadRequest: it is no such form.
    """
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType
    try:
        parts = await request.multipart()
        token, file = await parts.next(), None
        if isinstance(token, BodyPartReader) and token.name == "csrf":
            said = (await token.read()).decode("ascii", "replace")
            file = await parts.next()
    except (ValueError, BadHttpMessage) as error:
        raise web.HTTPBadRequest from error
    if not isinstance(file, BodyPartReader) or file.name != "file":
        raise web.HTTPBadRequest
    return said, pieces_of_part(file)


def no_reading() -> RefusedError:
    """Nobody reads such a file here (any more)."""
    return RefusedError(
        "no_reading",
        "その読み込みの記録はありません。",
        "Nothing is known of that reading.",
        "もう一度読み込んでください。同じファイルでもかまいません。",
        "Read the file again; the same one does no harm.",
        404,
    )
