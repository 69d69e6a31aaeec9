"""Photos and files as pages see them: who may, what there is, where it is held."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

from meshrelay.core.entry import TEXT_CHARS_MAX
from meshrelay.core.manifest import BLOB_BYTES_MAX, CHUNK_BYTES
from meshrelay.core.records import ROLE_ARCHIVE
from meshrelay.core.signing import ID_BYTES
from meshrelay.core.sync import Machine
from meshrelay.desk import file, talk, versions
from meshrelay.desk.kind import Row
from meshrelay.errors import RefusedError
from meshrelay.node.blobs import Blobs
from meshrelay.node.file_desk import Content, FileState, KeptFile
from meshrelay.node.office import Message, Person, Seat
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.node.seats import card_revoked, open_seat
from meshrelay.store.views import Found, ViewReader

# What an office sends: pictures, papers, tables, sound. A short list: whoever opens it trusts it.
MEDIA_TYPES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/heic": "heic",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/webm": "weba",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/3gpp": "3gp",
}
FILES_MAX = 100


class Files:
    """Implements `file_desk.FileDesk`."""

    def __init__(
        self, machine: Machine, blobs: Blobs, views: ViewReader, rooms: Rooms, reading: Reading
    ) -> None:
        self._machine = machine
        self._blobs = blobs
        self._views = views
        self._rooms = rooms
        self._reading = reading

    async def keep(self, seat: Seat, media_type: str, content: AsyncIterator[bytes]) -> KeptFile:
        """See FileDesk.keep."""
        if open_seat(seat).revoked:
            raise card_revoked()
        if media_type not in MEDIA_TYPES:
            raise bad_type(media_type)
        upload = await self._blobs.upload()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._blobs.abort, upload)
            async for data in content:
                if upload.size + len(data) > BLOB_BYTES_MAX:
                    raise too_large()
                await self._blobs.write(upload, data)
            if not upload.size:
                raise _empty()
            blob = await self._blobs.finish(upload)
            stack.pop_all()
        return KeptFile(blob.hex(), upload.size, media_type)

    def files(self, person: Person, room: str, before: str | None, limit: int) -> list[FileState]:
        """See FileDesk.files."""
        self._rooms.check(person, room)
        listed = self._views.newest(file.NAME, room, before, max(1, min(limit, FILES_MAX)))
        rows = [self._views.get(talk.NAME, each.key) for each in reversed(listed)]
        states = [self._state(row, person) for row in rows if row and not self._hidden(row)]
        return [state for state in states if state is not None]

    def content(self, person: Person, blob: str) -> Content | None:
        """See FileDesk.content."""
        _, copy = self._allowed(person, blob)
        named, key = file.named(copy, blob), bytes.fromhex(blob)
        size = self._blobs.store.size_of(key) if self._blobs.is_here(key) else None
        if size is None:
            return None
        parts = (size + CHUNK_BYTES - 1) // CHUNK_BYTES
        return Content(blob, named["name"], named["type"], size, parts)

    async def part(self, blob: str, part: int) -> bytes | None:
        """See FileDesk.part."""
        return await self._blobs.read(bytes.fromhex(blob), part)

    def fetch(self, person: Person, blob: str) -> FileState:
        """See FileDesk.fetch."""
        found, copy = self._allowed(person, blob)
        self._blobs.fetch(bytes.fromhex(blob))
        return self.state_of(self._reading.message(found, person), copy, blob)

    def thumbnail(self, person: Person, blob: str) -> tuple[str, bytes]:
        """See FileDesk.thumbnail."""
        data = file.named(self._allowed(person, blob)[1], blob)["thumbnail"]
        kind = file.thumbnail_type(data)
        if kind is None:
            raise _no_thumbnail()
        return kind, data

    def _allowed(self, person: Person, blob: str) -> tuple[Found, Row]:
        """The message that shows a file to this person, and its copy that names it.

        Else `no_file` or `not_member`.
        """
        refused = _no_file()
        well_formed = len(blob) == 2 * ID_BYTES and not set(blob) - set("0123456789abcdef")
        for each in self._views.group(file.BY_BLOB, blob) if well_formed else ():
            found = self._views.get(talk.NAME, each.row["message"])
            copy = file.copy_of(found.row, blob) if found else None
            if found is None or copy is None or self._hidden(found):
                continue
            try:
                self._rooms.check(person, copy["room"])
            except RefusedError as error:
                refused = error
                continue
            return found, copy
        raise refused

    def is_expired(self, blob: bytes) -> bool:
        """Whether every message that names it is over (期限切れ), or none does."""
        named = self._views.group(file.BY_BLOB, blob.hex())
        rows = [self._views.get(talk.NAME, each.row["message"]) for each in named]
        copies = [file.copy_of(found.row, blob.hex()) for found in rows if found]
        return all(self._reading.expiry(copy) == "expired" for copy in copies if copy)

    def _hidden(self, found: Found) -> bool:
        return self._reading.is_hidden(found.row)

    def _state(self, found: Found, person: Person) -> FileState | None:
        """The file of a message; None if no effective copy names any (more)."""
        copy = file.copy_of(found.row)
        if copy is None:
            return None
        return self.state_of(self._reading.message(found, person), copy, copy["file"]["blob"])

    def state_of(self, message: Message, copy: Row, named: str) -> FileState:
        """The file that a copy of a message names."""
        row = file.named(copy, named)
        blob = bytes.fromhex(named)
        nodes = self._machine.book.nodes
        holders = [nodes[signer] for signer, _ in self._blobs.holders(blob) if signer in nodes]
        archive = any(ROLE_ARCHIVE in node.roles for node in holders)
        own = nodes[self._machine.me].ward
        wards = {node.ward for node in holders if ROLE_ARCHIVE not in node.roles} - {own}
        here_n, state = 0, "held" if holders else "unknown"
        share = self._blobs.progress(blob)
        if self._blobs.is_here(blob):
            here_n, state = row["size"], "here"
        elif share is not None:
            here_n, state = int(share * row["size"]), "coming"
        elif not archive:
            self._blobs.ask_who_holds(blob)
        return FileState(
            blob=row["blob"],
            name=row["name"],
            type=row["type"],
            size=row["size"],
            text=copy["text"],
            thumbnail=bool(row["thumbnail"]),
            author=message.author,
            author_name=message.author_name,
            author_ward=message.author_ward,
            message_id=message.message_id,
            created_ms=message.created_ms,
            expiry=self._reading.expiry(copy),
            state=state,
            here_n=here_n,
            archive=archive,
            wards=tuple(sorted(wards)),
            sort=message.sort,
            **self._version(message, copy),
        )

    def _version(self, message: Message, copy: Row) -> dict[str, Any]:
        """Which version of its document it is, if it is one."""
        paper = self._views.get(file.DOCUMENT, copy.get("paper", ""))
        known = paper.row["versions"] if paper else {}
        key = f"{message.author}/{message.message_id.replace('-', '')}"
        if key not in known:
            return {}
        return {
            "version": versions.numbers(known)[key],
            "newest": key in versions.current(known),
        }

    # Posting

    def posted(self, blob: str) -> None:
        """A message names it."""
        self._blobs.posted(bytes.fromhex(blob))

    def check_named(self, blob: object, name: object, media_type: object) -> int:
        """The size of a file that a message may name.

        `blob` must be here; size is what is here, whatever the page says. Raises RefusedError
        `no_file` (404), `file_name`, `file_type`.
        """
        size = self._size_of(blob) if isinstance(blob, str) else None
        if size is None:
            raise _no_file()
        if not isinstance(media_type, str) or media_type not in MEDIA_TYPES:
            raise bad_type(str(media_type))
        if not isinstance(name, str) or not 0 < len(name.strip()) <= file.FILE_NAME_CHARS_MAX:
            raise _bad_name()
        return size

    def encode(
        self,
        body: dict[str, Any],
        replaces: list[bytes] | None = None,
        first: tuple[str, bytes] | None = None,
        reply_to: tuple[str, bytes] | None = None,
    ) -> bytes:
        """The body of a `file` message from what a page posts.

        Raises RefusedError as `check_named`, and `thumbnail`, `too_long`.
        """
        blob, name, media_type = body.get("blob"), body.get("name"), body.get("type")
        text = body.get("text", "")
        size = self.check_named(blob, name, media_type)
        if not isinstance(text, str):
            raise _bad_name()
        if len(text) > TEXT_CHARS_MAX:
            raise too_long(text)
        thumbnail = _thumbnail(body.get("thumbnail", ""))
        said = file.File(
            text, str(name).strip(), str(media_type), size, bytes.fromhex(str(blob)), thumbnail,
            replaces, first, reply_to,
        )  # fmt: skip
        try:
            encoded = file.encode_body(said)
        except UnicodeEncodeError:
            raise _bad_name() from None
        if len(encoded) > file.BODY_BYTES_MAX:
            raise _too_long_with_picture()
        return encoded

    def _size_of(self, blob: str) -> int | None:
        try:
            key = bytes.fromhex(blob)
        except ValueError:
            return None
        return self._blobs.store.size_of(key) if self._blobs.is_here(key) else None


def _thumbnail(text: object) -> bytes:
    try:
        data = b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        data = None
    good = data is not None and len(data) <= file.THUMBNAIL_BYTES_MAX
    if data is None or not good or (data and file.thumbnail_type(data) is None):
        raise RefusedError(
            "thumbnail",
            "縮小画像が正しくありません。",
            "The small picture is no JPEG or PNG of at most 8 KiB.",
            "ページを読み込み直してから、もう一度送ってください。",
            "Reload the page and send again.",
            400,
        )
    return data


def bad_type(media_type: str) -> RefusedError:
    return RefusedError(
        "file_type",
        "この種類のファイルは送れません。",
        f"Files of the type {media_type[:80]!r} cannot be sent.",
        "写真、PDF、文書、表、音声にして送ってください。",
        "Send a picture, a PDF, a document, a table or a sound.",
        415,
    )


def too_long(text: str) -> RefusedError:
    """More than TEXT_CHARS_MAX."""
    return RefusedError(
        "too_long",
        f"文が長すぎます({len(text)}文字、{TEXT_CHARS_MAX}文字まで)。",
        f"The text is too long ({len(text)} characters, at most {TEXT_CHARS_MAX}).",
        "2つに分けて送ってください。",
        "Send it in two parts.",
        400,
    )


def _bad_name() -> RefusedError:
    return RefusedError(
        "file_name",
        "ファイルの名前が使えません。",
        "The name of the file cannot be used.",
        f"名前を{file.FILE_NAME_CHARS_MAX}文字までの普通の文字にして、もう一度送ってください。",
        f"Give it a plain name of at most {file.FILE_NAME_CHARS_MAX} characters and send again.",
        400,
    )


def _empty() -> RefusedError:
    return RefusedError(
        "file_empty",
        "ファイルの中身がありません。",
        "The file is empty.",
        "ファイルを選び直してください。",
        "Choose another file.",
        400,
    )


def too_large() -> RefusedError:
    """More than BLOB_BYTES_MAX."""
    return RefusedError(
        "file_too_large",
        f"ファイルが大きすぎます({BLOB_BYTES_MAX // 2**20} MBまで)。",
        f"The file is too large (at most {BLOB_BYTES_MAX // 2**20} MB).",
        "写真は小さくして、文書は分けて送ってください。",
        "Make the picture smaller, or send the document in parts.",
        413,
    )


def _no_file() -> RefusedError:
    return RefusedError(
        "no_file",
        "この資料はこの機器では知られていません。",
        "This node knows of no such file.",
        "ルームの「資料・写真」から選び直してください。",
        "Choose it again from the files of the room.",
        404,
    )


def _no_thumbnail() -> RefusedError:
    return RefusedError(
        "no_thumbnail",
        "この資料に縮小画像はありません。",
        "This file has no small picture.",
        "資料そのものを開いてください。",
        "Open the file itself.",
        404,
    )


def _too_long_with_picture() -> RefusedError:
    return RefusedError(
        "too_long",
        "文と縮小画像を合わせると長すぎます。",
        "Text and small picture together are too long.",
        "文を短くするか、別のメッセージで送ってください。",
        "Shorten the text or send it as a message of its own.",
        400,
    )
