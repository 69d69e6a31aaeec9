"""What must be told at once, in the JSON API."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from meshrelay.node.office import Message, Office
from meshrelay.web.operations import Operation, answer_json
from meshrelay.web.sessions import SESSION


class UrgentWord(Struct, frozen=True):
    """Orders that were not displayed to the person yet; `newest` is null on a locked screen."""

    count: int
    newest: Message | None


class ToldApi:
    """The handler; it asks `office.urgent`."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def operations(self) -> tuple[Operation, ...]:
        """This part of the API, in the order of the documentation."""
        return (
            Operation(
                "GET", "/api/urgent",
                "How many urgent orders wait for the person to read them, and the newest. The data "
                "of the event `new` of /api/events changes when it is worth asking again.",
                self.urgent, answer=UrgentWord, when_locked=True,
            ),
        )  # fmt: skip

    async def urgent(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        found = self._office.urgent(session.seat.person)
        shown = found[0] if found and not session.locked else None
        return answer_json(UrgentWord(len(found), shown))
