"""Photos and files in the JSON API: up, down, and where they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from aiohttp import web
from msgspec import Struct

from meshrelay.core.manifest import CHUNK_BYTES
from meshrelay.errors import RefusedError
from meshrelay.node.file_desk import Content, FileState, KeptFile
from meshrelay.node.files import MEDIA_TYPES
from meshrelay.node.office import Office
from meshrelay.web.doors import Doors
from meshrelay.web.operations import Operation, answer_json, number_of
from meshrelay.web.sessions import SESSION
from meshrelay.web.text import clean, clean_name
from meshrelay.web.uploads import STEP_BYTES, refuse_large, without_position

FILES_MAX = 100
FILES_DEFAULT = 50
# Pictures of dots: nothing in them can run. Everything else is saved, never opened here.
INLINE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
# What a page shows as words: signs only, never HTML.
WORDS = frozenset({"text/plain", "text/csv"})
WORDS_BYTES_MAX = 64 * 1024
ALONE = "default-src 'none'; sandbox"


class FileList(Struct, frozen=True):
    """Files of a room, the newest first."""

    files: list[FileState]


class FileApi:
    """The handlers; every one asks `office.files`."""

    def __init__(self, office: Office, doors: Doors) -> None:
        self._office = office
        self._doors = doors

    def operations(self) -> tuple[Operation, ...]:
        """This part of the API, in the order of the documentation."""
        return (
            Operation(
                "POST", "/api/blobs",
                "Upload a photo or file (at most 8 MiB); then name it in a message of kind `file`: "
                "body {blob, name, type, text, thumbnail: base64 of a JPEG or PNG ≤ 8 KiB}. Where "
                "a JPEG, PNG, WebP or HEIC was taken is removed, unless `keep_position` is 1.",
                self.keep, answer=KeptFile, status=201, token=True, is_input=True,
                takes=tuple(MEDIA_TYPES), query=("keep_position",),
            ),
            Operation(
                "GET", "/api/blobs/{blob}",
                "The content; 202 while it is fetched from another node, which this starts.",
                self.content, media="*/*", meanwhile=FileState,
            ),
            Operation(
                "POST", "/api/blobs/{blob}/fetch", "Get a file to this node; where it is now.",
                self.fetch, answer=FileState, token=True, is_input=True,
            ),
            Operation(
                "GET", "/api/blobs/{blob}/thumbnail", "Its small picture, if it has one.",
                self.thumbnail, media="image/*",
            ),
            Operation(
                "GET", "/api/blobs/{blob}/text",
                "A text or table of at most 64 KiB as plain UTF-8, to be read in a browser.",
                self.words, media="text/plain",
            ),
            Operation(
                "GET", "/api/rooms/{room}/files",
                "Newest files of a room, older than the sort key `before`.",
                self.files, answer=FileList, query=("before", "limit"),
            ),
        )  # fmt: skip

    async def keep(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        refuse_large(request)
        media_type = request.content_type
        content: AsyncIterator[bytes] = request.content.iter_chunked(STEP_BYTES)
        if request.query.get("keep_position") != "1":
            content = without_position(media_type, content)
        kept = await self._office.files.keep(request[SESSION].seat, media_type, content)
        return answer_json(kept, 201)

    async def content(self, request: web.Request) -> web.StreamResponse:
        person, blob = request[SESSION].seat.person, request.match_info["blob"]
        found = self._office.files.content(person, blob)
        if found is None:
            return answer_json(self._office.files.fetch(person, blob), 202)
        return await self._send(request, found)

    async def _send(self, request: web.Request, found: Content) -> web.StreamResponse:
        """Part by part, each verified; a corrupt one ends the answer short of its length."""
        asked = range_of(request, found.size)
        response = web.StreamResponse(headers=headers_of(found.type, found.name))
        response.headers["Accept-Ranges"] = "bytes"
        response.content_length = len(asked)
        if len(asked) < found.size:
            response.set_status(206)
            of = f"bytes {asked.start}-{asked.stop - 1}/{found.size}"
            response.headers["Content-Range"] = of
        await response.prepare(request)
        for at in range(asked.start // CHUNK_BYTES * CHUNK_BYTES, asked.stop, CHUNK_BYTES):
            data = await self._office.files.part(found.blob, at // CHUNK_BYTES + 1)
            if data is None:
                if request.transport is not None:
                    request.transport.close()
                return response
            await response.write(data[max(asked.start - at, 0) : asked.stop - at])
        await response.write_eof()
        return response

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        return answer_json(self._office.files.fetch(person, request.match_info["blob"]))

    async def thumbnail(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        media_type, data = self._office.files.thumbnail(person, request.match_info["blob"])
        return web.Response(body=data, headers=headers_of(media_type, ""))

    async def words(self, request: web.Request) -> web.StreamResponse:
        person, blob = request[SESSION].seat.person, request.match_info["blob"]
        found = self._office.files.content(person, blob)
        if found is None or not is_short_text(found):
            raise no_words()
        parts = [await self._office.files.part(blob, part + 1) for part in range(found.parts)]
        raw = b"".join(part for part in parts if part is not None)
        if None in parts:
            raise no_words()
        headers = headers_of("text/plain", found.name) | {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Disposition": "inline",
        }
        return web.Response(body=read_text(raw).encode(), headers=headers)

    async def files(self, request: web.Request) -> web.StreamResponse:
        person, room = request[SESSION].seat.person, request.match_info["room"]
        limit = number_of(request, "limit", FILES_DEFAULT, FILES_MAX)
        before = request.query.get("before") or None
        return answer_json(FileList(self._office.files.files(person, room, before, limit)))


def range_of(request: web.Request, size: int) -> range:
    """The bytes that were asked for (RFC 9110, 14.2): iPhones play no sound without; else all."""
    try:
        asked = range(*request.http_range.indices(size))
    except ValueError:
        return range(size)
    return asked or range(size)


def is_short_text(file: Content | FileState) -> bool:
    """Whether a page offers to show its words."""
    return file.type in WORDS and file.size <= WORDS_BYTES_MAX


def read_text(raw: bytes) -> str:
    """The words of a text file, harmless: in UTF-8, else as Japanese offices save tables."""
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return clean(raw.decode(encoding), lines=True)
        except UnicodeDecodeError:
            continue
    return clean(raw.decode("utf-8", "replace"), lines=True)


def no_words() -> RefusedError:
    """It is not here, not whole, not a text, or too long to be shown."""
    return RefusedError(
        "no_words",
        "この資料の中身は、ここでは表示できません。",
        "The content of this file cannot be shown here.",
        "資料を取り寄せるか、保存して開いてください。",
        "Fetch the file, or save and open it.",
        404,
    )


def headers_of(media_type: str, name: str) -> dict[str, str]:
    """What keeps somebody's file from being more than a file in the reader's browser."""
    known = media_type if media_type in MEDIA_TYPES else "application/octet-stream"
    shown = "inline" if known in INLINE else "attachment"
    return {
        "Content-Type": known,
        "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(clean_name(name), safe='')}",
        "Content-Security-Policy": ALONE,
        "Cache-Control": "private, no-store",
    }
