"""The boards of the in-memory Office: papers in a dictionary, current by the desk's own rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from meshrelay.desk import versions
from meshrelay.node import board_refusals as refusals
from meshrelay.node.board_desk import (
    Attachment,
    Document,
    DocumentDraft,
    Edit,
    Event,
    EventDraft,
    EventVersion,
    Notice,
    NoticeDraft,
    NoticeVersion,
)
from meshrelay.node.office import Message, Person, Posted

if TYPE_CHECKING:
    from tests.office_fake import FakeOffice, FakeSeat

Draft = NoticeDraft | EventDraft


@dataclass
class FakePaper:
    """One notice or event: its room and, by message, the drafts of its versions."""

    room: str
    drafts: dict[tuple[str, str], Draft] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class FakeBoards:
    """Notices and events; documents need blobs and are examined with real nodes."""

    office: FakeOffice
    papers: dict[tuple[str, str, str], FakePaper] = field(default_factory=dict)

    # -- reading ----------------------------------------------------------------

    def notices(
        self, person: Person, room: str | None, before: str | None, limit: int
    ) -> list[Notice]:
        found = [self._notice(key, person, False) for key in self._asked("board", person, room)]
        found.sort(key=lambda each: each.sort, reverse=True)
        return [each for each in found if before is None or each.sort < before][:limit]

    def notice(self, person: Person, author: str, message_id: str) -> Notice:
        return self._notice(self._key("board", person, author, message_id), person, True)

    def events(
        self, person: Person, room: str | None, after: str | None, before: str | None, limit: int
    ) -> list[Event]:
        found = [self._event(key, person, False) for key in self._asked("event", person, room)]
        found.sort(key=lambda each: each.sort)
        if after is not None:
            return [each for each in found if each.sort > after][:limit]
        return [each for each in found if before is None or each.sort < before][-limit:]

    def event(self, person: Person, author: str, message_id: str) -> Event:
        return self._event(self._key("event", person, author, message_id), person, True)

    def documents(
        self, person: Person, room: str | None, name: str, before: str | None, limit: int
    ) -> list[Document]:
        return []

    def document(self, person: Person, author: str, message_id: str) -> Document:
        raise refusals.no_paper()

    def _asked(self, kind: str, person: Person, room: str | None) -> list[tuple[str, str, str]]:
        if room is not None:
            self.office.enter(person, room)
        rooms = [each.id for each in self.office.rooms(person)] if room is None else [room]
        return [key for key, paper in self.papers.items() if key[0] == kind and paper.room in rooms]

    def _key(self, kind: str, person: Person, author: str, mid: str) -> tuple[str, str, str]:
        for key, paper in self.papers.items():
            if key[0] == kind and (author, mid) in paper.drafts:
                self.office.enter(person, paper.room)
                return key
        raise refusals.no_paper()

    def _common(
        self, key: tuple[str, str, str], person: Person, whole: bool
    ) -> tuple[dict[str, Any], list[tuple[Draft, dict[str, Any]]]]:
        paper = self.papers[key]
        numbers, current = versions.numbers(paper.facts), versions.current(paper.facts)
        older = [each for each in reversed(paper.facts) if each not in current]
        drawn = []
        for each in [*current, *older] if whole else current:
            at = (each.partition("/")[0], each.partition("/")[2])
            common = {
                "message": self.office.seen_by(self.office.kept[at], person),
                "number": numbers[each],
                "current": each in current,
                "entries": tuple(paper.facts[each]["entries"]),
            }
            drawn.append((paper.drafts[at], common))
        heads: list[Message] = [each["message"] for _, each in drawn if each["current"]]
        common = {
            "author": key[1],
            "message_id": key[2],
            "room": paper.room,
            "may_edit": self._may_edit(person, key[1]),
            "unread": any(not each.read_by_me for each in heads),
            "replaces": tuple(e for _, each in drawn if each["current"] for e in each["entries"]),
            "sort": paper.facts[current[0]]["sort"],
        }
        return common, drawn

    def _notice(self, key: tuple[str, str, str], person: Person, whole: bool) -> Notice:
        common, drawn = self._common(key, person, whole)
        pinned = False
        for at, draft in self.papers[key].drafts.items():
            assert isinstance(draft, NoticeDraft)
            if draft.pin is not None and self._may_edit(self._person(at[0]), ""):
                pinned = draft.pin
        said = tuple(
            NoticeVersion(
                **each, title=draft.title, text=draft.text, withdrawn=draft.withdrawn,
                files=tuple(Attachment(f.blob, f.name, f.type, 9) for f in draft.files),
            )
            for draft, each in drawn
            if isinstance(draft, NoticeDraft)
        )  # fmt: skip
        common["sort"] = f"{int(pinned)}{common['sort']}"
        return Notice(**common, pinned=pinned, versions=said)

    def _event(self, key: tuple[str, str, str], person: Person, whole: bool) -> Event:
        common, drawn = self._common(key, person, whole)
        said = tuple(
            EventVersion(
                **each, title=draft.title, text=draft.text, start=draft.start, end=draft.end,
                place=draft.place, all_day=draft.all_day, withdrawn=draft.withdrawn,
            )
            for draft, each in drawn
            if isinstance(draft, EventDraft)
        )  # fmt: skip
        common["sort"] = max(each.end for each in said if each.current) + common["sort"]
        return Event(**common, versions=said)

    def _person(self, staff_id: str) -> Person:
        return next(each for each in self.office.staff if each.staff_id == staff_id)

    def _may_edit(self, person: Person, author: str) -> bool:
        return person.staff_id == author or not versions.EDITORS.isdisjoint(person.roles)

    # -- posting ----------------------------------------------------------------

    async def post_notice(
        self, seat: FakeSeat, draft: NoticeDraft, message_id: str, created_ms: int | None = None
    ) -> Posted:
        if draft.pin is not None and not self._may_edit(seat.person, ""):
            raise refusals.no_pin()
        return await self._post("board", seat, draft, message_id)

    async def post_event(
        self, seat: FakeSeat, draft: EventDraft, message_id: str, created_ms: int | None = None
    ) -> Posted:
        if draft.end <= draft.start:
            raise refusals.bad_time()
        return await self._post("event", seat, draft, message_id)

    async def post_document(
        self, seat: FakeSeat, draft: DocumentDraft, message_id: str, created_ms: int | None = None
    ) -> Posted:
        raise refusals.no_paper()

    async def _post(self, kind: str, seat: FakeSeat, draft: Draft, mid: str) -> Posted:
        self.office.enter(seat.person, draft.room)
        if not draft.title.strip():
            raise refusals.no_title()
        if draft.edit is not None:
            self._edited(kind, seat.person, draft)
        posted = await self.office.post(seat, "talk", draft.room, {"text": draft.title}, mid, None)
        said = msgspec.structs.replace(self.office.kept[seat.person.staff_id, mid], kind=kind)
        self.put(said, draft)
        return posted

    def put(self, message: Message, draft: Draft) -> None:
        """Keep a version, as if it had come from the network."""
        self.office.put(message)
        at = (message.author, message.message_id)
        key = (message.kind, *at)
        if draft.edit is not None:
            first = (draft.edit.author, draft.edit.message_id)
            key = next(each for each, paper in self.papers.items() if first in paper.drafts)
        paper = self.papers.setdefault(key, FakePaper(draft.room))
        paper.drafts[at] = draft
        paper.facts["/".join(at)] = {
            "entries": [entry_of(message.message_id)],
            "replaces": draft.edit.replaces if draft.edit else [],
            "sort": message.sort,
        }

    def _edited(self, kind: str, person: Person, draft: Draft) -> None:
        edit = draft.edit
        assert isinstance(edit, Edit)
        key = self._key(kind, person, edit.author, edit.message_id)
        if not self._may_edit(person, key[1]):
            raise refusals.not_editor()
        if self.papers[key].room != draft.room:
            raise refusals.other_room()
        known = {e for each in self.papers[key].facts.values() for e in each["entries"]}
        if not edit.replaces or not known.issuperset(edit.replaces):
            raise refusals.stale_version()


def entry_of(mid: str) -> str:
    """The entry of a message here: an id of 64 hexadecimal digits."""
    return (mid.replace("-", "") * 2)[:64]
