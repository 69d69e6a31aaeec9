"""Files on their way in: streamed to the disk, never held whole in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import NamedTuple

from aiohttp import BodyPartReader, web

from meshrelay.core.manifest import BLOB_BYTES_MAX
from meshrelay.node.files import MEDIA_TYPES, too_large
from meshrelay.web.screens import FORM_FIELDS_MAX
from meshrelay.web.strip import Stripper

STEP_BYTES = 64 * 1024
# 4,000 characters of text, and names.
FIELD_BYTES_MAX = 16 * 1024
# What a multipart body has besides its file.
AROUND_BYTES_MAX = 64 * 1024
_BY_ENDING = {ending: media_type for media_type, ending in MEDIA_TYPES.items()} | {
    "jpeg": "image/jpeg"
}


class Uploaded(NamedTuple):
    """A form with a file: the fields before it, and the file as it comes."""

    fields: dict[str, str]
    name: str
    media_type: str
    content: AsyncIterator[bytes]


def refuse_large(request: web.Request, around: int = 0) -> None:
    """Refuse what says itself that it is too large. Raises `file_too_large` (413)."""
    if request.content_length is not None and request.content_length > BLOB_BYTES_MAX + around:
        raise too_large()


def media_type_of(said: str, name: str) -> str:
    """The type that a browser said, else the one that the name's ending says."""
    ending = PurePosixPath(name).suffix.lower().lstrip(".")
    return said if said in MEDIA_TYPES else _BY_ENDING.get(ending, said)


async def without_position(media_type: str, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A picture as it comes, without where it was taken; any other file as it is."""
    if not media_type.startswith("image/"):
        async for data in content:
            yield data
        return
    picture = Stripper()
    async for data in content:
        yield picture.feed(data)
    yield picture.end()


async def read_upload(request: web.Request) -> Uploaded:
    """A multipart form up to its part `file`, which must come last.

    The caller checks the fields before it reads a byte of the content.
    """
    if request.content_type != "multipart/form-data":
        raise web.HTTPUnsupportedMediaType
    refuse_large(request, AROUND_BYTES_MAX)
    fields: dict[str, str] = {}
    try:
        reader = await request.multipart()
        while len(fields) < FORM_FIELDS_MAX:
            part = await reader.next()
            if not isinstance(part, BodyPartReader):
                break
            if part.name == "file":
                name = (part.filename or "").replace("\\", "/").rpartition("/")[2]
                said = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                return Uploaded(fields, name, media_type_of(said, name), _content(part))
            fields[part.name or ""] = await _text(part)
    except ValueError as error:  # no boundary, or a broken one
        raise web.HTTPBadRequest from error
    return Uploaded(fields, "", "", _nothing())


async def _text(part: BodyPartReader) -> str:
    data = b""
    while not part.at_eof():
        data += await part.read_chunk(STEP_BYTES)
        if len(data) > FIELD_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(FIELD_BYTES_MAX, len(data))
    return data.decode("utf-8", "replace")


async def _content(part: BodyPartReader) -> AsyncIterator[bytes]:
    try:
        while data := await part.read_chunk(STEP_BYTES):
            yield data
    except ValueError as error:
        raise web.HTTPBadRequest from error


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
