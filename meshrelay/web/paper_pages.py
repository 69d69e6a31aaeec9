"""What the pages of 掲示, 予定 and 資料 share: forms that keep what was written, and edits."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from meshrelay.desk.versions import EDITORS
from meshrelay.errors import RefusedError
from meshrelay.node.board_desk import Edit, Paper
from meshrelay.web import board_views, problems, views
from meshrelay.web.board_api import check_author
from meshrelay.web.board_views import Scene
from meshrelay.web.ids import uuid7
from meshrelay.web.rights import may_use_rights
from meshrelay.web.screens import Screens
from meshrelay.web.sessions import Refused, Session


class PaperPages(Screens):
    """The base of the three groups of pages."""

    def scene(self, request: web.Request, session: Session) -> Scene:
        """The rooms' names and the rest of what lines are drawn with."""
        rooms, lang = self.rooms_of(request, session), self.drawing.lang(request)
        return board_views.scene(rooms, self.office.wards, self.office.now_ms(), lang)

    def room_choices(self, request: web.Request, session: Session) -> list[tuple[str, str]]:
        """(id, name) of the rooms that somebody may write in."""
        lang = self.drawing.lang(request)
        rooms = self.rooms_of(request, session)
        return [(room.id, views.room_name(room, lang)) for room in rooms if not room.closed]

    def keep(
        self, request: web.Request, session: Session, form: Mapping[str, str], error: RefusedError
    ) -> None:
        """Keep a refused form for its page; who is logged out or lost gets the error's page."""
        if error.status in (401, 404):
            raise error
        fields = {name: text for name, text in form.items() if name != "csrf"}
        session.refused = Refused(request.path, form.get("text", ""), error, fields)

    def form_values(
        self,
        request: web.Request,
        session: Session,
        kept: Refused | None,
        fields: Mapping[str, str],
    ) -> dict[str, object]:
        """What every form is drawn with; `kept`: what was refused, and why."""
        return {
            "status": kept.error.status if kept else 200,
            "error": problems.problem_of(kept.error) if kept else None,
            "fields": {"id": uuid7(self.office.now_ms()), **fields},
            "kept": kept is not None,
            "path": request.path,
            "draft": request.path.strip("/").replace("/", "-"),
            "rooms": self.room_choices(request, session),
        }

    def by_right(self, request: web.Request, session: Session) -> bool:
        """Whether somebody has the right to edit and pin, and may use it over this connection."""
        has = not EDITORS.isdisjoint(session.seat.person.roles)
        return has and may_use_rights(request, self.policy)

    def may_now(self, request: web.Request, session: Session, paper: Paper) -> bool:
        """Whether to offer an edit: over plain http only of one's own."""
        own = paper.author == session.seat.person.staff_id
        return own or self.by_right(request, session)

    def check_edit(self, request: web.Request, session: Session, paper: Paper | None) -> None:
        """Refuse over plain http the edit of somebody else's paper by right."""
        author = paper.author if paper else ""
        check_author(request, session.seat.person, self.policy, author)


def check_room(room: str) -> None:
    """Refuse a form without a room as one that stays on the screen."""
    if not room:
        raise RefusedError(
            "room_choose",
            "ルームを選んでいません。",
            "No room was chosen.",
            "ルームを選んでから出してください。",
            "Choose a room, then post.",
            400,
        )


def named(request: web.Request) -> tuple[str, str]:
    """(author, message id) of the path."""
    return request.match_info["author"], request.match_info["message_id"]


def edit_of(paper: Paper | None, form: Mapping[str, str]) -> Edit | None:
    """What a form replaces: what stood on the screen of who wrote it, whatever came meanwhile."""
    if paper is None:
        return None
    return Edit(paper.author, paper.message_id, form.get("replaces", "").split())
