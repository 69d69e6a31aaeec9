"""What a page may ask about photos and files: the part of `Office` that is not messages.

Plain data, as in `office.py`. Only members of a room in which an effective message names a file
may see or fetch it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

from meshrelay.node.office import Person, Seat


class KeptFile(Struct, frozen=True):
    """An upload that is on disk here: name `blob` (64 hex digits) in a message of kind `file`."""

    blob: str
    size: int
    type: str


class FileState(Struct, frozen=True):
    """One file of a room, and where its content is.

    `state`: `here` (ここにあります), `coming` (取り寄せ中: `here_n` of `size` bytes), `held`
    (others said, signed, that they hold it: `archive`, `wards`), `unknown` (nobody said so to
    this node yet). `wards`: codes of wards that hold it, this one not counted. `version`: 第n版
    of its document; `newest`: nobody has replaced it.
    """

    blob: str
    name: str
    type: str
    size: int
    text: str
    thumbnail: bool
    author: str
    author_name: str
    author_ward: str
    message_id: str
    created_ms: int
    expiry: str
    state: str
    here_n: int
    archive: bool
    wards: tuple[str, ...]
    sort: str
    version: int = 1
    newest: bool = True


class Content(Struct, frozen=True):
    """A file whose content is here; read it part by part, 1 … `parts`."""

    blob: str
    name: str
    type: str
    size: int
    parts: int


class FileDesk(Protocol):
    """Photos and files at one node. All refusals are RefusedError."""

    async def keep(self, seat: Seat, media_type: str, content: AsyncIterator[bytes]) -> KeptFile:
        """Take in a file; returns when it is on disk. A message names it afterwards.

        Codes: `file_type` (415), `file_empty` (400), `file_too_large` (413), `blobs_full` (507),
        `disk_full` (507), `seat_closed`, `card_revoked` (401).
        """

    def files(self, person: Person, room: str, before: str | None, limit: int) -> list[FileState]:
        """The newest files of a room, newest first, older than sort key `before`."""

    def content(self, person: Person, blob: str) -> Content | None:
        """A file that is here; None: it is not, ask `fetch`. Codes: `no_file` (404),
        `not_member` (403)."""

    async def part(self, blob: str, part: int) -> bytes | None:
        """Verified bytes of a content; None: they are corrupt, and fetched again."""

    def fetch(self, person: Person, blob: str) -> FileState:
        """Get it here; the answer tells where it is now. Codes besides: `blobs_full` (507)."""

    def thumbnail(self, person: Person, blob: str) -> tuple[str, bytes]:
        """(media type, bytes) of its small picture. Codes besides: `no_thumbnail` (404)."""
