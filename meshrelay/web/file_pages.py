"""資料・写真: the files of a room, where each one is, and a form that needs no script."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from meshrelay.errors import RefusedError
from meshrelay.node.file_desk import FileState
from meshrelay.web import problems, views
from meshrelay.web.file_api import is_short_text
from meshrelay.web.ids import uuid7
from meshrelay.web.screens import Screens, seen
from meshrelay.web.sessions import Refused
from meshrelay.web.text import clean, clean_name
from meshrelay.web.uploads import read_upload, without_position
from meshrelay.web.words import word

FIRST_FILES = 30
# Others than those of how far a message is.
SHAPES = {"here": "■", "coming": "↓", "held": "□", "unknown": "？"}


class FileLine(Struct, frozen=True):
    """One file as it is drawn. `href` is empty until it is here, `thumbnail` if it has none.

    `sound`: it is here and can be heard; `words`: where to read a short text that is here.
    """

    anchor: str
    blob: str
    name: str
    size: str
    text: str
    who: str
    time: str
    key: str
    shape: str
    state: str
    href: str
    thumbnail: str
    sound: bool
    words: str
    expired: bool
    document: str
    version: str


class FilePages(Screens):
    """Handlers of a room's files."""

    def mount(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/rooms/{room}/files", self.files)
        router.add_post("/rooms/{room}/files", self.send)
        router.add_post("/rooms/{room}/files/fetch", self.fetch)

    async def files(self, request: web.Request) -> web.StreamResponse:
        session = self.session(request)
        kept = self.refused(request, session)
        person, room = session.seat.person, request.match_info["room"]
        lang, before = self.drawing.lang(request), request.query.get("before") or None
        found = self.office.files.files(person, room, before, FIRST_FILES)
        view = self.office.room_view(person, room)
        path = f"/rooms/{views.segment(room)}"
        older = f"{path}/files?{urlencode({'before': found[-1].sort})}" if found else ""
        return self.draw(
            request,
            "files.html",
            session,
            status=kept.error.status if kept else 200,
            error=problems.problem_of(kept.error) if kept else None,
            title=views.room_name(view, lang),
            path=path,
            files=[self._line(each, lang) for each in found],
            older=older if len(found) == FIRST_FILES else "",
            text=kept.text if kept else "",
            room=room,
            sent=request.query.get("done") == "sent",
            message_id=uuid7(self.office.now_ms()),
        )

    def _line(self, file: FileState, lang: str) -> FileLine:
        ward = views.ward_name(file.author_ward, self.office.wards, lang)
        here = file.state == "here"
        return FileLine(
            anchor=views.file_anchor(file.blob),
            blob=file.blob,
            name=clean_name(file.name),
            size=size_words(file.size),
            text=clean(file.text, lines=True),
            who=f"{clean_name(file.author_name)} {ward}",
            time=views.short_time(file.created_ms, self.office.now_ms()),
            key=file.state,
            shape=SHAPES[file.state],
            state=self._state(file, lang),
            href=f"/api/blobs/{file.blob}" if here else "",
            thumbnail=f"/api/blobs/{file.blob}/thumbnail" if file.thumbnail else "",
            sound=here and file.type.startswith("audio/"),
            words=f"/api/blobs/{file.blob}/text" if here and is_short_text(file) else "",
            expired=file.expiry == "expired",
            document=f"/files/{views.segment(file.author)}/{views.segment(file.message_id)}",
            version=_version(file, lang),
        )

    def _state(self, file: FileState, lang: str) -> str:
        if file.state == "coming":
            told = word("file_coming", lang, n=100 * file.here_n // file.size)
            return told if self.office.status().links else f"{told} {word('file_waits', lang)}"
        places = [word("is_archive", lang)] if file.archive else []
        places += [views.ward_name(code, self.office.wards, lang) for code in file.wards]
        if file.state == "unknown" or not places:
            return word(f"file_{file.state}", lang)
        key = "file_here_too" if file.state == "here" else "file_held"
        return word(key, lang, where="・".join(places))

    async def send(self, request: web.Request) -> web.StreamResponse:
        """A file with its message, from a page without script."""
        uploaded = await read_upload(request)
        session = self.sent_by(request, uploaded.fields)
        room = request.match_info["room"]
        text = uploaded.fields.get("text", "").replace("\r\n", "\n")
        content = uploaded.content
        if uploaded.fields.get("keep_position") != "1":
            content = without_position(uploaded.media_type, content)
        try:
            self._doors.count_post(request, session)
            self.office.files.files(session.seat.person, room, None, 1)  # who may not enter
            kept = await self.office.files.keep(session.seat, uploaded.media_type, content)
            body = {
                "blob": kept.blob, "name": clean_name(uploaded.name), "type": kept.type,
                "text": text,
            }  # fmt: skip
            message_id = uploaded.fields.get("id", "")
            await self.office.post(session.seat, "file", room, body, message_id, None)
        except RefusedError as error:
            if error.status in (401, 404):
                raise
            session.refused = Refused(request.path, text, error)
            return seen(f"/rooms/{views.segment(room)}/files#problem")
        return seen(f"/rooms/{views.segment(room)}/files?done=sent#sent")

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        session, form = await self.form(request)
        path = f"/rooms/{views.segment(request.match_info['room'])}/files"
        try:
            file = self.office.files.fetch(session.seat.person, form.get("blob", ""))
        except RefusedError as error:
            if error.status in (401, 404):
                raise
            session.refused = Refused(path, "", error)
            return seen(path)
        return seen(f"{path}#{views.file_anchor(file.blob)}")


def _version(file: FileState, lang: str) -> str:
    """第n版, and whether it is the newest; nothing of a file that has one version only."""
    if file.newest and file.version == 1:
        return ""
    number = word("paper_version", lang, n=file.version)
    return f"{number} {word('paper_newest' if file.newest else 'paper_replaced', lang)}"


def size_words(size: int) -> str:
    """A size as files have it: 640 kB, 3.1 MB."""
    if size < 1_000_000:
        return f"{max(1, size // 1_000)} kB"
    return f"{size / 1_000_000:.1f} MB"
