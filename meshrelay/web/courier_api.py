"""Courier files in the JSON API: one to carry away, one to take in."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from meshrelay.node.courier_desk import Reading
from meshrelay.node.office import Office
from meshrelay.web.carrying import CONTENT_TYPE, no_reading, pieces_of, send_file
from meshrelay.web.doors import Doors
from meshrelay.web.operations import Operation, answer_json, read_body
from meshrelay.web.sessions import SESSION


class CourierBody(Struct, forbid_unknown_fields=True):
    """For whom: a ward's code or name, a node's name or id, or "" for everybody."""

    to: str = ""


class CourierApi:
    """The handlers; every one asks `office.couriers`."""

    def __init__(self, office: Office, doors: Doors) -> None:
        self._office = office
        self._doors = doors

    def operations(self) -> tuple[Operation, ...]:
        """This part of the API, in the order of the documentation."""
        return (
            Operation(
                "POST", "/api/courier/files",
                "A courier file: all that this node holds and the destination may lack, sealed.",
                self.write, CourierBody, token=True, is_input=True, media=CONTENT_TYPE,
            ),
            Operation(
                "POST", "/api/courier/readings",
                "Bring a courier file; it is read in the background.",
                self.receive, answer=Reading, status=202, token=True, is_input=True,
                takes=(CONTENT_TYPE,),
            ),
            Operation(
                "GET", "/api/courier/readings/{reading}",
                "What came of a courier file, or how far it is.",
                self.reading, answer=Reading,
            ),
        )  # fmt: skip

    async def write(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        body = await read_body(request, CourierBody)
        return await send_file(
            request, await self._office.couriers.write(request[SESSION].seat, body.to)
        )

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        if request.content_type != CONTENT_TYPE:
            raise web.HTTPUnsupportedMediaType
        couriers = self._office.couriers
        name = await couriers.receive(request[SESSION].seat, pieces_of(request))
        return answer_json(couriers.reading(name), 202)

    async def reading(self, request: web.Request) -> web.StreamResponse:
        found = self._office.couriers.reading(request.match_info["reading"])
        if found is None:
            raise no_reading()
        return answer_json(found)
