"""Cards, PINs and suspended nodes in the JSON API: the registrar's side."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from meshrelay.node.card_desk import CardHolder, NodeState, TemporaryCard
from meshrelay.node.office import Office
from meshrelay.web.doors import Doors
from meshrelay.web.operations import Operation, answer_json, number_of, read_body
from meshrelay.web.sealing import Seals
from meshrelay.web.sessions import SESSION

FOUND_MAX = 200
FOUND_DEFAULT = 50


class PinBody(Struct, forbid_unknown_fields=True):
    """Another PIN; card and old PIN prove who asks."""

    card: str
    pin: str
    new_pin: str
    new_pin_again: str


class StaffBody(Struct, forbid_unknown_fields=True):
    """Whose card."""

    staff: str


class SettleBody(Struct, forbid_unknown_fields=True):
    """The person stands at the registrar's desk and typed card and PIN."""

    staff: str
    card: str
    pin: str


class TemporaryBody(Struct, forbid_unknown_fields=True):
    """Somebody who is not in the roster; they get a card of the registrar's ward."""

    name: str
    kana: str = ""
    unit: str = ""


class NodeBody(Struct, forbid_unknown_fields=True):
    """A node by its id, 64 hex digits."""

    node: str


class CardList(Struct, frozen=True):
    """Who was found, by number, name or kana."""

    cards: list[CardHolder]


class NodeList(Struct, frozen=True):
    """Every node of the network."""

    nodes: list[NodeState]


class DeskApi:
    """The handlers; every one asks `office.cards`."""

    def __init__(self, office: Office, seals: Seals, doors: Doors) -> None:
        self._office = office
        self._seals = seals
        self._doors = doors

    def operations(self) -> tuple[Operation, ...]:
        """This part of the API, in the order of the documentation."""
        return (
            Operation(
                "POST", "/api/pin", "Choose another PIN; the old one must be known.",
                self.change_pin, PinBody, status=204, token=True, sealable=True, is_input=True,
            ),
            Operation(
                "GET", "/api/cards",
                "People of the registrar's ward whose number, name or kana contains `text`.",
                self.find, answer=CardList, query=("text", "limit"), right=True,
            ),
            Operation(
                "POST", "/api/cards/reset",
                "A forgotten PIN: who holds the card chooses a new one at the next log-in.",
                self.reset, StaffBody, status=204, token=True, right=True, is_input=True,
            ),
            Operation(
                "POST", "/api/cards/settle",
                "Two people chose a PIN for one card: the one who stands here counts.",
                self.settle, SettleBody, status=204, token=True, right=True, sealable=True,
                is_input=True,
            ),
            Operation(
                "POST", "/api/cards/temporary",
                "A temporary card of the registrar's ward; its code is in this answer only.",
                self.temporary, TemporaryBody, TemporaryCard, status=201, token=True, right=True,
                is_input=True,
            ),
            Operation(
                "GET", "/api/nodes", "Every node of the network and whether it is suspended.",
                self.nodes, answer=NodeList, right=True,
            ),
            Operation(
                "POST", "/api/nodes/suspend",
                "Ask to suspend a ward's node; in force when two registrars did.",
                self.suspend, NodeBody, status=204, token=True, right=True, is_input=True,
            ),
            Operation(
                "POST", "/api/nodes/lift", "Take one's own word back.",
                self.lift, NodeBody, status=204, token=True, right=True, is_input=True,
            ),
        )  # fmt: skip

    async def change_pin(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_try(request)
        body = await read_body(request, PinBody, self._seals)
        await self._office.cards.change_pin(
            request[SESSION].seat, body.card, body.pin, body.new_pin, body.new_pin_again
        )
        return web.Response(status=204)

    async def find(self, request: web.Request) -> web.StreamResponse:
        limit = number_of(request, "limit", FOUND_DEFAULT, FOUND_MAX)
        text = request.query.get("text", "")
        return answer_json(CardList(self._office.cards.find(request[SESSION].seat, text, limit)))

    async def reset(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, StaffBody)
        await self._office.cards.reset_pin(request[SESSION].seat, body.staff)
        return web.Response(status=204)

    async def settle(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_try(request)
        body = await read_body(request, SettleBody, self._seals)
        await self._office.cards.settle(request[SESSION].seat, body.staff, body.card, body.pin)
        return web.Response(status=204)

    async def temporary(self, request: web.Request) -> web.StreamResponse:
        self._doors.count_post(request, request[SESSION])
        body = await read_body(request, TemporaryBody)
        card = await self._office.cards.issue_temporary(
            request[SESSION].seat, body.name, body.kana, body.unit
        )
        return answer_json(card, 201)

    async def nodes(self, request: web.Request) -> web.StreamResponse:
        return answer_json(NodeList(self._office.cards.nodes(request[SESSION].seat)))

    async def suspend(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, NodeBody)
        await self._office.cards.suspend(request[SESSION].seat, body.node)
        return web.Response(status=204)

    async def lift(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, NodeBody)
        await self._office.cards.lift(request[SESSION].seat, body.node)
        return web.Response(status=204)
