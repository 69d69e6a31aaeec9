"""掲示, 予定 and 資料 as pages read them: what is current, who may edit."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from meshrelay.desk import board, event, file, talk, versions
from meshrelay.desk.kind import Row
from meshrelay.node import board_refusals as refusals
from meshrelay.node.board_desk import (
    Attachment,
    Document,
    DocumentVersion,
    Event,
    EventVersion,
    Notice,
    NoticeVersion,
)
from meshrelay.node.files import Files
from meshrelay.node.office import Message, Person
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.store.views import Found, ViewReader

T = TypeVar("T")

PAPERS_MAX = 200
# Of one paper in a list; whoever opens it sees them all.
CURRENT_LISTED = 8
# How many documents of a room a search by name looks through.
SEARCHED_MAX = 300


class _Version(NamedTuple):
    """One version as the read model has it."""

    message: Message
    copy: Row
    common: dict[str, Any]


class Papers:
    """The reading half of `board_desk.BoardDesk`."""

    def __init__(self, views: ViewReader, rooms: Rooms, reading: Reading, files: Files) -> None:
        self._views = views
        self._rooms = rooms
        self._reading = reading
        self._files = files

    # What there is

    def notices(
        self, person: Person, room: str | None, before: str | None, limit: int
    ) -> list[Notice]:
        """See BoardDesk.notices."""
        found = self._newest(board.NAME, person, room, before, _few(limit))[: _few(limit)]
        return [each for paper in found if (each := self._notice(paper, person, False))]

    def notice(self, person: Person, author: str, message_id: str) -> Notice:
        """See BoardDesk.notice."""
        paper = self.paper(board.NAME, person, author, message_id)
        return _there(self._notice(paper, person, True))

    def events(
        self, person: Person, room: str | None, after: str | None, before: str | None, limit: int
    ) -> list[Event]:
        """See BoardDesk.events."""
        if after is None:
            found = self._newest(event.NAME, person, room, before, _few(limit))[: _few(limit)][::-1]
        else:
            found = [
                each
                for one in self._asked(person, room)
                for each in self._views.above(event.NAME, one, after, _few(limit))
            ]
            found = sorted(found, key=lambda each: each.sort)[: _few(limit)]
        return [each for paper in found if (each := self._event(paper, person, False))]

    def event(self, person: Person, author: str, message_id: str) -> Event:
        """See BoardDesk.event."""
        paper = self.paper(event.NAME, person, author, message_id)
        return _there(self._event(paper, person, True))

    def documents(
        self, person: Person, room: str | None, name: str, before: str | None, limit: int
    ) -> list[Document]:
        """See BoardDesk.documents."""
        most = SEARCHED_MAX if name else _few(limit)
        looked = self._newest(file.DOCUMENT, person, room, before, most)
        found = [each for each in looked if _is_called(each.row["versions"], name)]
        papers = (self._document(paper, person, False) for paper in found[: _few(limit)])
        return [each for each in papers if each]

    def document(self, person: Person, author: str, message_id: str) -> Document:
        """See BoardDesk.document."""
        paper = self.paper(file.DOCUMENT, person, author, message_id)
        return _there(self._document(paper, person, True))

    def _asked(self, person: Person, room: str | None) -> list[str]:
        if room is None:
            return self._rooms.visible_to(person)
        self._rooms.check(person, room)
        return [room]

    def _newest(
        self, name: str, person: Person, room: str | None, before: str | None, most: int
    ) -> list[Found]:
        """The highest by their sort keys, the highest first, over all rooms asked for."""
        found = [
            each
            for one in self._asked(person, room)
            for each in self._views.newest(name, one, before, most)
        ]
        return sorted(found, key=lambda each: each.sort, reverse=True)

    def paper(self, name: str, person: Person, author: str, message_id: str) -> Found:
        """The row of the paper that has this message. Raises `no_paper`, `not_member`."""
        key = f"{author}/{message_id.replace('-', '').lower()}"
        message = self._views.get(talk.NAME, key)
        copies = message.row["copies"].values() if message else ()
        names = [copy["paper"] for copy in copies if "paper" in copy]
        # The first version may have been dropped for space.
        names += [f"{room}\n{key}" for room in self._rooms.visible_to(person)]
        for each in names:
            paper = self._views.get(name, each)
            if paper is not None and paper.row["versions"]:
                self._rooms.check(person, paper.group)
                return paper
        raise refusals.no_paper()

    def _versions(self, paper: Found, person: Person, whole: bool) -> list[_Version]:
        """The current ones, newest first; with `whole` the older ones too."""
        known, current = versions.standing(paper.row["versions"], self._is_hidden)
        older = sorted(known.keys() - set(current), key=lambda key: str(known[key]["sort"]))
        numbers = versions.numbers(known)
        found = []
        for key in [*current, *older[::-1]] if whole else current[:CURRENT_LISTED]:
            row = self._views.get(talk.NAME, key)
            copy = _copy(row.row, paper.key) if row else None
            if row is None or copy is None or self._reading.is_hidden(row.row):
                continue
            message = self._reading.message(row, person)
            found.append(_Version(message, copy, {
                "message": message,
                "number": numbers[key],
                "current": key in current,
                "entries": tuple(known[key]["entries"]),
            }))  # fmt: skip
        return found

    def _is_hidden(self, key: str) -> bool:
        found = self._views.get(talk.NAME, key)
        return found is not None and self._reading.is_hidden(found.row)

    def _common(self, paper: Found, person: Person, found: list[_Version]) -> dict[str, Any]:
        author, _, hex_id = paper.key.partition("\n")[2].rpartition("/")
        current = [each for each in found if each.common["current"]]
        carrying = [each.common["entries"] for each in current]
        # One entry of each version, then the others, as far as there is room.
        replaces = [each[0] for each in carrying] + [one for each in carrying for one in each[1:]]
        return {
            "author": author,
            "message_id": str(UUID(hex_id)),
            "room": paper.group,
            "may_edit": may_edit(person, author),
            "unread": any(not (each.message.mine or each.message.read_by_me) for each in current),
            "replaces": tuple(replaces[: versions.REPLACES_MAX]),
            "sort": paper.sort,
        }

    def _notice(self, paper: Found, person: Person, whole: bool) -> Notice | None:
        found = self._versions(paper, person, whole)
        said = tuple(
            NoticeVersion(
                **each.common,
                title=each.copy["title"],
                text=each.copy["body"],
                files=tuple(
                    Attachment(one["blob"], one["name"], one["type"], one["size"])
                    for one in each.copy["files"]
                ),
                withdrawn=each.copy["version"]["withdrawn"],
            )
            for each in found
        )
        pinned = board.is_pinned(paper.row["versions"])
        common = self._common(paper, person, found)
        return Notice(**common, pinned=pinned, versions=said) if said else None

    def _event(self, paper: Found, person: Person, whole: bool) -> Event | None:
        found = self._versions(paper, person, whole)
        said = tuple(
            EventVersion(
                **each.common, **each.copy["event"], withdrawn=each.copy["version"]["withdrawn"]
            )
            for each in found
        )
        return Event(**self._common(paper, person, found), versions=said) if said else None

    def _document(self, paper: Found, person: Person, whole: bool) -> Document | None:
        found = self._versions(paper, person, whole)
        said = tuple(
            DocumentVersion(
                **each.common,
                file=self._files.state_of(each.message, each.copy, each.copy["file"]["blob"]),
            )
            for each in found
        )
        return Document(**self._common(paper, person, found), versions=said) if said else None


def _few(limit: int) -> int:
    return max(1, min(limit, PAPERS_MAX))


def _there(paper: T | None) -> T:
    if paper is None:
        raise refusals.no_paper()
    return paper


def may_edit(person: Person, author: str) -> bool:
    """Whether somebody may edit a paper whose first version `author` wrote."""
    return person.staff_id == author or not versions.EDITORS.isdisjoint(person.roles)


def _is_called(found: versions.Versions, name: str) -> bool:
    wanted = name.casefold()
    return any(wanted in str(found[key]["name"]).casefold() for key in versions.current(found))


def _copy(row: Row, paper: str) -> Row | None:
    """The best effective copy of a message that is a version of this paper."""
    good = [
        copy
        for copy in row["copies"].values()
        if copy.get("paper") == paper and not copy["refused"]
    ]
    return talk.shown({"copies": dict(enumerate(good))}) if good else None
