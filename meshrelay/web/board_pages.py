"""掲示: the list, one notice with its versions, and a form that needs no script."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from meshrelay.errors import RefusedError
from meshrelay.node.board_desk import AttachmentDraft, Notice, NoticeDraft
from meshrelay.node.office import Office, Person
from meshrelay.web import board_views, views
from meshrelay.web.ids import uuid7
from meshrelay.web.paper_pages import PaperPages, check_room, edit_of, named
from meshrelay.web.screens import seen
from meshrelay.web.sessions import Session
from meshrelay.web.text import clean, clean_name
from meshrelay.web.uploads import read_upload, without_position

FIRST_NOTICES = 30
UNREAD_NOTICES = 3
# A file that a form names besides the one it uploads: `keep-BLOB`, its value TYPE|NAME.
KEEP = "keep-"


class BoardPages(PaperPages):
    """Handlers of notices."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/boards", self.notices)
        router.add_get("/boards/new", self.new_form)
        router.add_post("/boards/new", self.post_new)
        router.add_get("/boards/{author}/{message_id}", self.notice)
        router.add_get("/boards/{author}/{message_id}/edit", self.edit_form)
        router.add_post("/boards/{author}/{message_id}/edit", self.post_edit)
        router.add_post("/boards/{author}/{message_id}/withdraw", self.withdraw)
        router.add_post("/boards/{author}/{message_id}/read", self.read)

    async def notices(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        room, before = request.query.get("room") or None, request.query.get("before") or None
        found = self.office.boards.notices(session.seat.person, room, before, FIRST_NOTICES)
        scene = self.scene(request, session)
        older = {"before": found[-1].sort, "room": room or ""} if found else {}
        return self.draw(
            request,
            "boards.html",
            session,
            lines=[board_views.notice_line(each, scene) for each in found],
            older=f"/boards?{urlencode(older)}" if len(found) == FIRST_NOTICES else "",
            rooms=self.room_choices(request, session),
            room=room or "",
            path="/boards",
        )

    async def notice(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        notice = self.office.boards.notice(session.seat.person, *named(request))
        scene = self.scene(request, session)
        drawn = [board_views.notice_version(each, scene) for each in notice.versions]
        return self.draw(
            request,
            "notice.html",
            session,
            title=drawn[0].title,
            room=scene.room(notice.room),
            pinned=notice.pinned,
            current=[each for each in drawn if each.current],
            older=[each for each in drawn if not each.current],
            unread=board_views.unread_keys(drawn),
            path=board_views.paper_href("boards", notice),
            may_edit=self.may_now(request, session, notice),
            message_id=uuid7(self.office.now_ms()),
            withdrawn=all(each.withdrawn for each in drawn if each.current),
            replaces=" ".join(notice.replaces),
            done=request.query.get("done") == "posted",
        )

    # -- forms ------------------------------------------------------------------

    async def new_form(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        return self._form(request, session, None)

    async def edit_form(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        notice = self.office.boards.notice(session.seat.person, *named(request))
        self.check_edit(request, session, notice)
        return self._form(request, session, notice)

    def _form(
        self, request: web.Request, session: Session, notice: Notice | None
    ) -> web.StreamResponse:
        newest = notice.versions[0] if notice else None
        others = [each for each in notice.versions[1:] if each.current] if notice else []
        values = {"room": request.query.get("room", "")}
        if notice and newest:
            values = {
                "room": notice.room,
                "title": newest.title,
                "text": newest.text,
                "replaces": " ".join(notice.replaces),
                **{f"{KEEP}{each.blob}": f"{each.type}|{each.name}" for each in newest.files},
                **({"pin": "1", "pinned": "1"} if notice.pinned else {}),
            }
        of_others = {
            f"{KEEP}{each.blob}": f"{each.type}|{each.name}"
            for version in others
            for each in version.files
        }
        kept = self.refused(request, session)
        fields = dict(kept.fields) if kept else values
        scene = self.scene(request, session)
        return self.draw(
            request,
            "notice_form.html",
            session,
            **self.form_values(request, session, kept, fields),
            room_name=scene.room(notice.room) if notice else "",
            back=board_views.paper_href("boards", notice) if notice else "/boards",
            may_pin=self.by_right(request, session),
            files=[
                (name, value, clean_name(value.partition("|")[2]), name in fields)
                for name, value in (of_others | dict(fields)).items()
                if name.startswith(KEEP)
            ],
            others=[board_views.notice_version(each, scene) for each in others],
            two=len(others) + 1,
            whose=board_views.notice_version(notice.versions[0], scene).who if notice else "",
        )

    async def post_new(self, request: web.Request) -> web.StreamResponse:
        return await self._post(request, is_edit=False)

    async def post_edit(self, request: web.Request) -> web.StreamResponse:
        return await self._post(request, is_edit=True)

    async def _post(self, request: web.Request, *, is_edit: bool) -> web.StreamResponse:
        """A file comes last and becomes one of the form's fields, so that a refusal keeps it."""
        uploaded = await read_upload(request)
        form = uploaded.fields
        session = self.sent_by(request, form)
        person, boards = session.seat.person, self.office.boards
        notice = boards.notice(person, *named(request)) if is_edit else None
        try:
            self._doors.count_post(request, session)
            self.check_edit(request, session, notice)
            room = notice.room if notice else form.get("room", "")
            check_room(room)
            if uploaded.name:
                boards.notices(person, room, None, 1)  # refuses who may not enter
                content = without_position(uploaded.media_type, uploaded.content)
                kept = await self.office.files.keep(session.seat, uploaded.media_type, content)
                form[f"{KEEP}{kept.blob}"] = f"{kept.type}|{clean_name(uploaded.name)}"
            # What the form showed, not what is so now: a form sent twice says the same twice.
            pin, was = form.get("pin") == "1", form.get("pinned")
            says = was is not None and pin != (was == "1")
            draft = NoticeDraft(
                room=room,
                title=form.get("title", ""),
                text=form.get("text", "").replace("\r\n", "\n"),
                files=_attachments(form),
                pin=pin if says else None,
                edit=edit_of(notice, form),
            )
            posted = await boards.post_notice(session.seat, draft, form.get("id", ""))
        except RefusedError as error:
            self.keep(request, session, form, error)
            return seen(request.path)
        return seen(f"{board_views.paper_href('boards', notice or posted)}?done=posted")

    async def withdraw(self, request: web.Request) -> web.StreamResponse:
        """A version that says it is called off, with the words of the newest."""
        session, form = await self.form(request)
        boards = self.office.boards
        notice = boards.notice(session.seat.person, *named(request))
        self.check_edit(request, session, notice)
        self._doors.count_post(request, session)
        newest = notice.versions[0]
        draft = NoticeDraft(
            room=notice.room,
            title=newest.title,
            text=newest.text,
            files=[AttachmentDraft(each.blob, each.name, each.type) for each in newest.files],
            withdrawn=True,
            edit=edit_of(notice, form),
        )
        await boards.post_notice(session.seat, draft, form.get("id", ""))
        return seen(board_views.paper_href("boards", notice))

    async def read(self, request: web.Request) -> web.StreamResponse:
        """A page without script cannot see what was displayed: the person says so."""
        session, form = await self.form(request)
        pairs = (line.partition("/") for line in form.get("items", "").split())
        self.office.mark_read(session.seat, [(author, mid) for author, _, mid in pairs])
        author, message_id = named(request)
        return seen(f"/boards/{views.segment(author)}/{views.segment(message_id)}")


def unread_notices(
    office: Office, person: Person, scene: board_views.Scene
) -> list[board_views.Line]:
    """What Home shows: the newest notices of all rooms that somebody has not read."""
    found = office.boards.notices(person, None, None, FIRST_NOTICES)
    lines = [board_views.notice_line(each, scene) for each in found if each.unread]
    return [each for each in lines if not each.withdrawn][:UNREAD_NOTICES]


def _attachments(form: dict[str, str]) -> list[AttachmentDraft]:
    found = []
    for name, value in form.items():
        if name.startswith(KEEP):
            media_type, _, file_name = value.partition("|")
            found.append(AttachmentDraft(name.removeprefix(KEEP), clean(file_name), media_type))
    return found
