"""資料: all documents of one's rooms, one with its versions, and a form for the next one."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.node.board_desk import DocumentDraft
from meshrelay.web import board_views, views
from meshrelay.web.file_pages import FilePages
from meshrelay.web.ids import uuid7
from meshrelay.web.paper_pages import PaperPages, edit_of, named
from meshrelay.web.problems import problem_of
from meshrelay.web.screens import seen
from meshrelay.web.text import clean, clean_name
from meshrelay.web.uploads import read_upload, without_position

FIRST_DOCUMENTS = 40


class DocumentPages(PaperPages, FilePages):
    """Handlers of documents, whose files are drawn as a room's."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/files", self.documents)
        router.add_get("/files/{author}/{message_id}", self.document)
        router.add_post("/files/{author}/{message_id}", self.post)

    async def documents(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        query = request.query
        room, before = query.get("room") or None, query.get("before") or None
        name = query.get("name", "").strip()
        found = self.office.boards.documents(
            session.seat.person, room, name, before, FIRST_DOCUMENTS
        )
        scene = self.scene(request, session)
        older = {"before": found[-1].sort, "room": room or "", "name": name} if found else {}
        return self.draw(
            request,
            "documents.html",
            session,
            lines=[board_views.document_line(each, scene) for each in found],
            older=f"/files?{urlencode(older)}" if len(found) == FIRST_DOCUMENTS else "",
            rooms=self.room_choices(request, session),
            room=room or "",
            name=name,
            path="/files",
        )

    async def document(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        kept = self.refused(request, session)
        document = self.office.boards.document(session.seat.person, *named(request))
        scene = self.scene(request, session)
        drawn = [
            (
                board_views.version_line(each, scene, clean_name(each.file.name), ""),
                self._line(each.file, scene.lang),
            )
            for each in document.versions
        ]
        return self.draw(
            request,
            "document.html",
            session,
            status=kept.error.status if kept else 200,
            error=problem_of(kept.error) if kept else None,
            text=kept.text if kept else "",
            title=drawn[0][0].title,
            room=scene.room(document.room),
            room_href=f"/rooms/{views.segment(document.room)}",
            current=[each for each in drawn if each[0].current],
            older=[each for each in drawn if not each[0].current],
            path=board_views.paper_href("files", document),
            may_edit=self.may_now(request, session, document),
            replaces=" ".join(document.replaces),
            message_id=uuid7(self.office.now_ms()),
        )

    async def post(self, request: web.Request) -> web.StreamResponse:
        """The next version: a file with a word about it."""
        uploaded = await read_upload(request)
        form = uploaded.fields
        session = self.sent_by(request, form)
        boards = self.office.boards
        document = boards.document(session.seat.person, *named(request))
        try:
            self._doors.count_post(request, session)
            self.check_edit(request, session, document)
            content = without_position(uploaded.media_type, uploaded.content)
            kept = await self.office.files.keep(session.seat, uploaded.media_type, content)
            draft = DocumentDraft(
                room=document.room,
                blob=kept.blob,
                name=clean(uploaded.name),
                type=kept.type,
                text=form.get("text", "").replace("\r\n", "\n"),
                edit=edit_of(document, form),
            )
            await boards.post_document(session.seat, draft, form.get("id", ""))
        except RefusedError as error:
            self.keep(request, session, form, error)
        return seen(board_views.paper_href("files", document))
