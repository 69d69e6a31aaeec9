"""What a page may ask about cards, PINs and suspended nodes: the registrar's side of `Office`.

Plain data, as in `office.py`. Whoever may not do something is told so before anything is
signed; the records that come of it are judged again by every node that takes them in.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from meshrelay.node.office import NodeInfo, Person, Seat


class CardHolder(Struct, frozen=True):
    """A person and the state of their card.

    `state`: `unused` (no PIN yet), `in_use`, `conflict` (two people chose a PIN for it: their
    words are marked until a registrar settles it) or `revoked`.
    """

    person: Person
    state: str
    temporary: bool


class TemporaryCard(Struct, frozen=True):
    """A temporary card (臨時) as it is handed over; `code` is shown this once."""

    staff_id: str
    name: str
    ward: str
    code: str


class NodeState(Struct, frozen=True):
    """A node as registrars see it. `said_by`: names of those who asked to suspend it and have
    not lifted it; it takes two of them (or the issuer)."""

    node: NodeInfo
    suspended: bool
    revoked: bool
    said_by: tuple[str, ...]


class CardDesk(Protocol):
    """Cards and PINs at one node. All refusals are RefusedError; common codes: `seat_closed`
    (401), `no_right` (403: the role is missing, or it is another ward's person), `no_person`
    (404)."""

    async def change_pin(
        self, seat: Seat, card_code: str, pin: str, new_pin: str, new_pin_again: str
    ) -> None:
        """Choose another PIN; the old one must be known.

        Codes of `Office.log_in` besides, and `same_pin`.
        """

    def find(self, seat: Seat, text: str, limit: int = 50) -> list[CardHolder]:
        """People whose number, name or kana contains `text`; a registrar's own ward only."""

    async def reset_pin(self, seat: Seat, staff_id: str) -> None:
        """A forgotten PIN: who holds the card chooses a new one at the next log-in.

        Not for hq cards (403 `hq_card`): the authority issues a new one.
        """

    async def settle(self, seat: Seat, staff_id: str, card_code: str, pin: str) -> None:
        """The person stands here and typed card and PIN: of two claims, theirs counts."""

    async def issue_temporary(self, seat: Seat, name: str, kana: str, unit: str) -> TemporaryCard:
        """A temporary card of the registrar's ward, for somebody who is not in the roster."""

    def nodes(self, seat: Seat) -> list[NodeState]:
        """Every node of the network and whether it is suspended."""

    async def suspend(self, seat: Seat, node: str) -> None:
        """Ask to suspend a ward's node (64 hex digits); in force when two registrars did.

        Codes: `no_node` (404), `not_suspendable` (403: archive or HQ).
        """

    async def lift(self, seat: Seat, node: str) -> None:
        """Take one's own word back; then the node is not suspended any more."""
