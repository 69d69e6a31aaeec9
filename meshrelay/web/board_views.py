"""From the board desk's structs to what a template draws of notices and documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from meshrelay.node.board_desk import Document, Notice, NoticeVersion, Paper, Version
from meshrelay.node.office import Posted, RoomView, Ward
from meshrelay.web import views
from meshrelay.web.file_pages import size_words
from meshrelay.web.text import clean, clean_name
from meshrelay.web.words import word

PREVIEW_CHARS = 90


class Scene(Struct, frozen=True):
    """What every line needs to be drawn: the rooms' names, the wards, the time, the language."""

    rooms: Mapping[str, str]
    wards: Mapping[str, Ward]
    now_ms: int
    lang: str

    def room(self, room: str) -> str:
        return self.rooms.get(room) or clean_name(room)


class Line(Struct, frozen=True):
    """One paper of a list. `marks`: words in a frame; `two`: how many versions are current."""

    href: str
    title: str
    preview: str
    room: str
    who: str
    time: str
    marks: tuple[str, ...]
    unread: bool
    withdrawn: bool
    two: str
    size: str = ""


class VersionLine(Struct, frozen=True):
    """One version on the page of its paper. `key`: author/message id, while it is unread."""

    title: str
    text: str
    number: str
    current: bool
    withdrawn: bool
    who: str
    time: str
    iso: str
    flags: tuple[str, ...]
    who_href: str
    key: str
    marks: tuple[views.Mark, ...]
    files: tuple[tuple[str, str, str], ...]


def scene(rooms: Sequence[RoomView], wards: Mapping[str, Ward], now_ms: int, lang: str) -> Scene:
    """For one answer."""
    names = {room.id: views.room_name(room, lang) for room in rooms}
    return Scene(names, wards, now_ms, lang)


def paper_href(kind: str, paper: Paper | Posted) -> str:
    """The page of a paper, or of what was just posted; `kind` is the first part of its path."""
    return f"/{kind}/{views.segment(paper.author)}/{views.segment(paper.message_id)}"


def two_words(versions: Sequence[Version], lang: str) -> str:
    """要確認, when several versions are current."""
    count = sum(each.current for each in versions)
    return word("paper_two_short", lang, n=count) if count > 1 else ""


def _who(version: Version, scene: Scene) -> str:
    message = version.message
    ward = views.ward_name(message.author_ward, scene.wards, scene.lang)
    return f"{clean_name(message.author_name)} {ward}"


def notice_line(notice: Notice, scene: Scene) -> Line:
    """A notice of the list."""
    version = notice.versions[0]
    marks = (word("board_pinned", scene.lang),) if notice.pinned else ()
    return Line(
        href=paper_href("boards", notice),
        title=clean(version.title),
        preview=clean(version.text, chars_max=PREVIEW_CHARS),
        room=scene.room(notice.room),
        who=_who(version, scene),
        time=views.short_time(version.message.created_ms, scene.now_ms),
        marks=marks,
        unread=notice.unread,
        withdrawn=version.withdrawn,
        two=two_words(notice.versions, scene.lang),
    )


def document_line(document: Document, scene: Scene) -> Line:
    """A document of the list."""
    version = document.versions[0]
    return Line(
        href=paper_href("files", document),
        title=clean_name(version.file.name),
        preview=clean(version.file.text, chars_max=PREVIEW_CHARS),
        room=scene.room(document.room),
        who=_who(version, scene),
        time=views.short_time(version.message.created_ms, scene.now_ms),
        marks=(word("paper_version", scene.lang, n=version.number),),
        unread=document.unread,
        withdrawn=False,
        two=two_words(document.versions, scene.lang),
        size=size_words(version.file.size),
    )


def version_line(
    version: Version,
    scene: Scene,
    title: str,
    text: str,
    *,
    withdrawn: bool = False,
    files: tuple[tuple[str, str, str], ...] = (),
) -> VersionLine:
    """One version with its words."""
    message = version.message
    bubble = views.bubbles([message], scene.wards, scene.lang)[0]
    is_new = not (message.mine or message.read_by_me)
    return VersionLine(
        title=title,
        text=text,
        number=word("paper_version", scene.lang, n=version.number),
        current=version.current,
        withdrawn=withdrawn,
        who=_who(version, scene),
        time=views.moment(message.created_ms, scene.now_ms),
        iso=bubble.iso,
        flags=bubble.flags,
        who_href=bubble.href,
        key=bubble.key if is_new else "",
        marks=views.delivery_marks(message, scene.lang),
        files=files,
    )


def notice_version(version: NoticeVersion, scene: Scene) -> VersionLine:
    """One version of a notice."""
    files = tuple(
        (f"/api/blobs/{each.blob}", clean_name(each.name), size_words(each.size))
        for each in version.files
    )
    return version_line(
        version,
        scene,
        clean(version.title),
        clean(version.text, lines=True),
        withdrawn=version.withdrawn,
        files=files,
    )


def unread_keys(versions: Sequence[VersionLine]) -> str:
    """What a press on 読みました says: the current versions that somebody has not read."""
    return " ".join(each.key for each in versions if each.current and each.key)
