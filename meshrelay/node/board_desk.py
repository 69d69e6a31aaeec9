"""What a page may ask about 掲示, 予定 and 資料: papers that have versions.

Plain data, as in `office.py`. Each version is a message of its room; a paper goes by the (author,
message id) of its first version, and whoever asks by another version's finds it too. Only who may
see the room may see the paper. `versions` has the current ones first, newest first: more than one
is 要確認, both kept, until somebody edits again; asked for whole, a paper has the older ones after
them. `replaces` is what an edit of all current ones names.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from meshrelay.node.file_desk import FileState
from meshrelay.node.office import Message, Person, Posted, Seat


class Version(Struct, frozen=True, kw_only=True):
    """What every version has. `number`: 第n版; `entries`: the entries that carry it here."""

    message: Message
    number: int
    current: bool
    entries: tuple[str, ...]


class Attachment(Struct, frozen=True):
    """A file of a notice; its content is asked of `files`."""

    blob: str
    name: str
    type: str
    size: int


class NoticeVersion(Version, frozen=True, kw_only=True):
    """One version of a notice."""

    title: str
    text: str
    files: tuple[Attachment, ...]
    withdrawn: bool


class EventVersion(Version, frozen=True, kw_only=True):
    """One version of an event; times as 2026-11-18T09:00+09:00, `all_day` from midnight on."""

    title: str
    text: str
    start: str
    end: str
    place: str
    all_day: bool
    withdrawn: bool


class DocumentVersion(Version, frozen=True, kw_only=True):
    """One version of a document."""

    file: FileState


class Paper(Struct, frozen=True, kw_only=True):
    """What every paper has. `sort`: opaque, to ask for what stands below it."""

    author: str
    message_id: str
    room: str
    may_edit: bool
    unread: bool
    replaces: tuple[str, ...]
    sort: str


class Notice(Paper, frozen=True, kw_only=True):
    """掲示."""

    pinned: bool
    versions: tuple[NoticeVersion, ...]


class Event(Paper, frozen=True, kw_only=True):
    """予定."""

    versions: tuple[EventVersion, ...]


class Document(Paper, frozen=True, kw_only=True):
    """資料."""

    versions: tuple[DocumentVersion, ...]


class Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """Which paper is edited, and which entries whoever wrote it had before them."""

    author: str
    message_id: str
    replaces: list[str]


class AttachmentDraft(Struct, frozen=True, forbid_unknown_fields=True):
    """A file for a notice: a blob that was uploaded here, or that the notice had before."""

    blob: str
    name: str
    type: str


class NoticeDraft(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice to post. `pin`: None leaves it as it is; registrars and hq only."""

    room: str
    title: str
    text: str = ""
    files: list[AttachmentDraft] = []
    pin: bool | None = None
    withdrawn: bool = False
    edit: Edit | None = None


class EventDraft(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event to post; what lasts all day ends at the midnight after its last day."""

    room: str
    title: str
    start: str
    end: str
    text: str = ""
    place: str = ""
    all_day: bool = False
    withdrawn: bool = False
    edit: Edit | None = None


class DocumentDraft(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document to post, or its next version; `thumbnail`: a JPEG or PNG in base64, or nothing."""

    room: str
    blob: str
    name: str
    type: str
    text: str = ""
    thumbnail: str = ""
    edit: Edit | None = None


class BoardDesk(Protocol):
    """Papers at one node. All refusals are RefusedError.

    Reading: `no_room` (404) or `not_member` (403) for a room, `no_paper` (404). Posting besides, as
    `Office.post`: `empty`, `too_long`, `bad_text`, `bad_time` (400), `other_room` (400),
    `not_editor` (403), `no_pin` (403), `stale_version` (409), and what `FileDesk` says of files.
    `room` None: every room of the person's list.
    """

    def notices(
        self, person: Person, room: str | None, before: str | None, limit: int
    ) -> list[Notice]:
        """Pinned ones first, then the newest; below sort key `before`."""

    def notice(self, person: Person, author: str, message_id: str) -> Notice:
        """One, whole."""

    async def post_notice(
        self, seat: Seat, draft: NoticeDraft, message_id: str, created_ms: int | None = None
    ) -> Posted: ...

    def events(
        self, person: Person, room: str | None, after: str | None, before: str | None, limit: int
    ) -> list[Event]:
        """By their end, ascending: the first that end after `after`, or the last below `before`."""

    def event(self, person: Person, author: str, message_id: str) -> Event:
        """One, whole."""

    async def post_event(
        self, seat: Seat, draft: EventDraft, message_id: str, created_ms: int | None = None
    ) -> Posted: ...

    def documents(
        self, person: Person, room: str | None, name: str, before: str | None, limit: int
    ) -> list[Document]:
        """Newest version first, below sort key `before`; `name`: part of the file's name."""

    def document(self, person: Person, author: str, message_id: str) -> Document:
        """One, whole."""

    async def post_document(
        self, seat: Seat, draft: DocumentDraft, message_id: str, created_ms: int | None = None
    ) -> Posted: ...
