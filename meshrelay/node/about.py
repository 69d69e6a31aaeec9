"""What messages say about each other: replies, corrections, what a room keeps in view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from meshrelay.desk import board, correction, event, file, note, pin, talk, versions
from meshrelay.desk.kind import Row
from meshrelay.errors import RefusedError
from meshrelay.node.rooms import Rooms
from meshrelay.store.views import Found, ViewReader

# Of what is quoted a line or two; the whole is a tap away.
QUOTE_CHARS_MAX = 80
# A message corrected more often is 要確認 by the first two.
CORRECTIONS_MAX = 20
PINS_MAX = 3
# Kinds of messages that are versions of something, and the rows that list these versions.
PAPERS = {board.NAME: board.NAME, event.NAME: event.NAME, file.NAME: file.DOCUMENT}
VERSION = "version"


class About:
    """Reads the rows that name another message."""

    def __init__(self, views: ViewReader, rooms: Rooms, is_hidden: Callable[[Row], bool]) -> None:
        self._views = views
        self._rooms = rooms
        self._is_hidden = is_hidden

    def words(self, found: Found, shown: Row, whole: bool) -> dict[str, Any]:
        """What a page needs besides the text of a message.

        `others`: other content under one id. `quote`: the message that this one answers,
        corrects or pins, `text` None if it is not here. `act`, `reason`: of a correction or pin.
        `replaced`: what became of this one, `replaced_n` by how many corrections that nobody
        corrected since, or among how many current versions of its paper it is; the text of what
        was withdrawn is left out unless `whole`. `pinned`.
        """
        said: dict[str, Any] = {}
        if others := talk.other_texts(found.row):
            said["others"] = others
        said |= {key: shown[key] for key in ("act", "reason") if shown.get(key)}
        if shown.get("of"):
            said["quote"] = self._quote(shown["of"], shown["room"])
        corrections = self.corrections(found)
        if corrections:
            by, copy = corrections[-1]
            said["replaced"] = _names(by) | {"act": copy["act"]}
            said["replaced_n"] = len({(each["act"], each["text"]) for _, each in corrections})
            if copy["act"] == correction.WITHDRAW and not whole:
                said |= {"text": "", "others": []}
        elif shown.get("kind") in PAPERS and "paper" in shown:
            said |= self._version(found.key, PAPERS[shown["kind"]], shown["paper"])
        pinned = self._views.get(pin.NAME, f"{shown['room']}\n{found.key}")
        if pinned is not None and pinned.group:
            said["pinned"] = True
        return said

    def _version(self, key: str, name: str, paper: str) -> dict[str, Any]:
        """`replaced` by a newer version, or `replaced_n` of several current ones."""
        row = self._views.get(name, paper)
        _, current = versions.standing(row.row["versions"] if row else {}, self._is_not_shown)
        if key in current:
            return {"replaced_n": len(current)}
        newest = self._views.get(talk.NAME, current[0]) if current else None
        return {"replaced": _names(newest) | {"act": VERSION}} if newest else {}

    def _is_not_shown(self, key: str) -> bool:
        found = self._views.get(talk.NAME, key)
        return found is not None and self._is_hidden(found.row)

    def corrections(self, found: Found) -> list[tuple[Found, Row]]:
        """What those who may have said of a message, oldest first, each with its copy that does."""
        may = {found.row["author"], talk.shown(found.row).get("taken_by")}
        listed = self._views.newest(correction.NAME, found.key, None, CORRECTIONS_MAX)
        said = []
        for each in listed:
            by = self._views.get(talk.NAME, each.row["by"])
            if by is None or by.row["author"] not in may:
                continue
            copies = [
                copy
                for copy in by.row["copies"].values()
                if copy.get("of") == found.key and copy.get("act") and not copy["refused"]
            ]
            said += [(by, min(copies, key=talk.sort_key))] if copies else []
        return said

    def _quote(self, key: str, room: str) -> dict[str, Any]:
        """Only what stands in the same room is quoted: nothing leaks from another."""
        author, _, message_id = key.partition("/")
        found = self._views.get(talk.NAME, key)
        told = {"author": author, "message_id": str(UUID(message_id)), "name": "", "text": None}
        if found is None:
            return told
        shown = talk.shown(found.row)
        if shown["room"] != room or shown["refused"]:
            return told
        acts = [copy["act"] for _, copy in self.corrections(found)]
        withdrawn = correction.WITHDRAW in acts[-1:]
        name = shown["source_name"] if "unsigned" in shown else self._rooms.person_name(author)
        file = shown["file"]["name"] if "file" in shown else ""
        text = "" if withdrawn else (shown["text"] or file)[:QUOTE_CHARS_MAX]
        kind = shown.get("kind", note.NAME if "unsigned" in shown else talk.NAME)
        return told | {"name": name, "text": text, "kind": kind}

    def pins(self, room: str) -> list[Found]:
        """The messages that a room keeps in view, newest first."""
        listed = self._views.newest(pin.NAME, room, None, PINS_MAX)
        rows = [self._views.get(talk.NAME, each.row["of"]) for each in reversed(listed)]
        return [row for row in rows if row is not None and row.group == room]


def _names(found: Found) -> dict[str, str]:
    return {"author": found.row["author"], "message_id": str(UUID(found.row["id"]))}


def no_message() -> RefusedError:
    """The message that something is about is not here, or stands in another room."""
    return RefusedError(
        "no_message",
        "このメッセージはこの機器にありません。",
        "This node does not hold that message.",
        "ルームに戻って選び直してください。",
        "Go back to the room and choose again.",
        404,
    )
