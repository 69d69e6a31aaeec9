"""掲示 and 資料 in the JSON API: list, read and post, in versions."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from meshrelay.node.board_desk import Document, DocumentDraft, Edit, Notice, NoticeDraft
from meshrelay.node.office import Office, Person, Posted
from meshrelay.web.doors import Doors
from meshrelay.web.operations import Operation, answer_json, number_of, read_body
from meshrelay.web.rights import Policy, check_rights
from meshrelay.web.sessions import SESSION

PAPERS_MAX = 200
PAPERS_DEFAULT = 50


class NoticeBody(NoticeDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A notice to post; `id` as in a message. `edit` names what it replaces."""

    id: str


class DocumentBody(DocumentDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document to post, or with `edit` its next version; `id` as in a message."""

    id: str


class NoticeList(Struct, frozen=True):
    """Notices: pinned ones first, then the newest. Each has its current versions only."""

    notices: list[Notice]


class DocumentList(Struct, frozen=True):
    """Documents, the newest first. Each has its current versions only."""

    documents: list[Document]


class BoardApi:
    """The handlers; every one asks `office.boards`."""

    def __init__(self, office: Office, doors: Doors, policy: Policy) -> None:
        self._office = office
        self._doors = doors
        self._policy = policy

    def operations(self) -> tuple[Operation, ...]:
        """This part of the API, in the order of the documentation."""
        return (
            Operation(
                "GET", "/api/boards",
                "Notices of all the person's rooms, or of `room`; below the sort key `before`.",
                self.notices, answer=NoticeList, query=("room", "before", "limit"),
            ),
            Operation(
                "GET", "/api/boards/{author}/{message_id}",
                "One notice with all its versions; any version's message finds it.",
                self.notice, answer=Notice,
            ),
            Operation(
                "POST", "/api/boards",
                "Post a notice. To edit, name the paper and its `replaces` as read: what somebody "
                "else posted meanwhile is kept beside it. `pin` is for registrars and hq.",
                self.post_notice, NoticeBody, Posted, status=201, token=True, is_input=True,
            ),
            Operation(
                "GET", "/api/documents",
                "Documents of all the person's rooms, or of `room`; `name`: part of a file's name.",
                self.documents, answer=DocumentList, query=("room", "name", "before", "limit"),
            ),
            Operation(
                "GET", "/api/documents/{author}/{message_id}",
                "One document with all its versions; any version's message finds it.",
                self.document, answer=Document,
            ),
            Operation(
                "POST", "/api/documents",
                "Post a document or its next version; upload its content to /api/blobs first.",
                self.post_document, DocumentBody, Posted, status=201, token=True, is_input=True,
            ),
        )  # fmt: skip

    async def notices(self, request: web.Request) -> web.StreamResponse:
        person, room, before = request[SESSION].seat.person, *asked(request)
        limit = number_of(request, "limit", PAPERS_DEFAULT, PAPERS_MAX)
        return answer_json(NoticeList(self._office.boards.notices(person, room, before, limit)))

    async def notice(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        return answer_json(self._office.boards.notice(person, *named(request)))

    async def post_notice(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        body = await read_body(request, NoticeBody)
        author = self._author(self._office.boards.notice, request, body.edit)
        person = request[SESSION].seat.person
        check_author(request, person, self._policy, author, by_right=body.pin is not None)
        posted = await self._office.boards.post_notice(request[SESSION].seat, body, body.id)
        return answer_json(posted, 201)

    async def documents(self, request: web.Request) -> web.StreamResponse:
        person, room, before = request[SESSION].seat.person, *asked(request)
        limit = number_of(request, "limit", PAPERS_DEFAULT, PAPERS_MAX)
        name = request.query.get("name", "")
        found = self._office.boards.documents(person, room, name, before, limit)
        return answer_json(DocumentList(found))

    async def document(self, request: web.Request) -> web.StreamResponse:
        person = request[SESSION].seat.person
        return answer_json(self._office.boards.document(person, *named(request)))

    async def post_document(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        body = await read_body(request, DocumentBody)
        author = self._author(self._office.boards.document, request, body.edit)
        check_author(request, request[SESSION].seat.person, self._policy, author)
        posted = await self._office.boards.post_document(request[SESSION].seat, body, body.id)
        return answer_json(posted, 201)

    def _author(
        self,
        read: Callable[[Person, str, str], Notice | Document],
        request: web.Request,
        edit: Edit | None,
    ) -> str:
        """Whose paper is edited; nobody's if it is a new one."""
        person = request[SESSION].seat.person
        return read(person, edit.author, edit.message_id).author if edit else ""


def asked(request: web.Request) -> tuple[str | None, str | None]:
    """(room, sort key to stay below) of a list."""
    return request.query.get("room") or None, request.query.get("before") or None


def named(request: web.Request) -> tuple[str, str]:
    """(author, message id) of a path."""
    return request.match_info["author"], request.match_info["message_id"]


def check_author(
    request: web.Request, person: Person, policy: Policy, author: str, *, by_right: bool = False
) -> None:
    """Refuse over plain http what only a role allows; `author`: of what is edited, or nothing."""
    if by_right or author not in ("", person.staff_id):
        check_rights(request, person, policy)
