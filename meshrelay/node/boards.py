"""掲示, 予定 and 資料 as people post them: who may, and what replaces what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from meshrelay.core.entry import TEXT_CHARS_MAX
from meshrelay.desk import board, event, file, versions
from meshrelay.node import board_refusals as refusals
from meshrelay.node.board_desk import Attachment, DocumentDraft, Edit, EventDraft, NoticeDraft
from meshrelay.node.files import Files
from meshrelay.node.office import Person, Posted, Seat
from meshrelay.node.papers import Papers, may_edit
from meshrelay.node.posting import Posting
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.node.saying import bad_text
from meshrelay.store.views import ViewReader

T = TypeVar("T")


class Boards(Papers):
    """Implements `board_desk.BoardDesk`."""

    def __init__(
        self, views: ViewReader, rooms: Rooms, reading: Reading, files: Files, posting: Posting
    ) -> None:
        super().__init__(views, rooms, reading, files)
        self._posting = posting

    async def post_notice(
        self, seat: Seat, draft: NoticeDraft, message_id: str, created_ms: int | None = None
    ) -> Posted:
        """See BoardDesk.post_notice."""

        def said(person: Person, _: bytes) -> tuple[str, bytes]:
            replaces, first = self._edit(board.NAME, person, draft.room, draft.edit)
            if draft.pin is not None and versions.EDITORS.isdisjoint(person.roles):
                raise refusals.no_pin()
            _check_words(draft.title, draft.text)
            files = self._attachments(draft, person)
            notice = board.Notice(
                draft.title.strip(), draft.text, files or None, draft.pin, replaces, first,
                draft.withdrawn or None,
            )  # fmt: skip
            return draft.room, _fitting(board.encode_body, notice)

        posted = await self._posting.post_said(
            seat, board.NAME, draft, said, message_id, created_ms
        )
        for each in draft.files:
            self._files.posted(each.blob)
        return posted

    async def post_event(
        self, seat: Seat, draft: EventDraft, message_id: str, created_ms: int | None = None
    ) -> Posted:
        """See BoardDesk.post_event."""

        def said(person: Person, _: bytes) -> tuple[str, bytes]:
            replaces, first = self._edit(event.NAME, person, draft.room, draft.edit)
            _check_words(draft.title, draft.text)
            if len(draft.place) > event.PLACE_CHARS_MAX:
                raise refusals.too_long("場所", "place", event.PLACE_CHARS_MAX)
            if not event.lasts(draft.start, draft.end, draft.all_day):
                raise refusals.bad_time()
            made = event.Event(
                draft.title.strip(), draft.text, draft.start, draft.end, draft.place.strip(),
                draft.all_day, replaces, first, draft.withdrawn or None,
            )  # fmt: skip
            return draft.room, _fitting(event.encode_body, made)

        return await self._posting.post_said(seat, event.NAME, draft, said, message_id, created_ms)

    async def post_document(
        self, seat: Seat, draft: DocumentDraft, message_id: str, created_ms: int | None = None
    ) -> Posted:
        """See BoardDesk.post_document."""
        body = {
            "blob": draft.blob, "name": draft.name, "type": draft.type, "text": draft.text,
            "thumbnail": draft.thumbnail,
        }  # fmt: skip

        def said(person: Person, _: bytes) -> tuple[str, bytes]:
            replaces, first = self._edit(file.DOCUMENT, person, draft.room, draft.edit)
            return draft.room, self._files.encode(body, replaces, first)

        posted = await self._posting.post_said(seat, file.NAME, draft, said, message_id, created_ms)
        self._files.posted(draft.blob)
        return posted

    def _edit(
        self, name: str, person: Person, room: str, edit: Edit | None
    ) -> tuple[list[bytes] | None, versions.First | None]:
        """What a body says of the versions that it replaces and of the first."""
        self._rooms.check_open(person, room)
        if edit is None:
            return None, None
        paper = self.paper(name, person, edit.author, edit.message_id)
        author, _, hex_id = paper.key.partition("\n")[2].rpartition("/")
        if not may_edit(person, author):
            raise refusals.not_editor()
        if paper.group != room:
            raise refusals.other_room()
        known = {entry for each in paper.row["versions"].values() for entry in each["entries"]}
        named = list(dict.fromkeys(edit.replaces))
        if not 0 < len(named) <= versions.REPLACES_MAX or not known.issuperset(named):
            raise refusals.stale_version()
        return [bytes.fromhex(each) for each in named], (author, bytes.fromhex(hex_id))

    def _attachments(self, draft: NoticeDraft, person: Person) -> list[board.Attachment]:
        """The files of a notice: of what is here, or what the notice had before."""
        if len(draft.files) > board.FILES_MAX:
            raise refusals.too_many_files()
        before: dict[str, Attachment] = {}
        if draft.edit is not None and draft.files:
            earlier = self.notice(person, draft.edit.author, draft.edit.message_id)
            before = {each.blob: each for one in earlier.versions for each in one.files}
        found = []
        for each in draft.files:
            old = before.get(each.blob)
            size = old.size if old else self._files.check_named(each.blob, each.name, each.type)
            name, media_type = (old.name, old.type) if old else (each.name.strip(), each.type)
            found.append(board.Attachment(name, media_type, size, bytes.fromhex(each.blob)))
        return found


def _check_words(title: str, text: str) -> None:
    if not title.strip():
        raise refusals.no_title()
    if len(title) > versions.TITLE_CHARS_MAX:
        raise refusals.too_long("題名", "title", versions.TITLE_CHARS_MAX)
    if len(text) > TEXT_CHARS_MAX:
        raise refusals.too_long("本文", "text", TEXT_CHARS_MAX)


def _fitting(encode: Callable[[T], bytes], said: T) -> bytes:
    """The body, if it is text that fits an entry."""
    try:
        body = encode(said)
    except UnicodeEncodeError:
        raise bad_text() from None
    if len(body) > file.BODY_BYTES_MAX:
        raise refusals.too_large()
    return body
