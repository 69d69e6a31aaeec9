"""Cards and what the issuer signs about people."""

from __future__ import annotations

import secrets
from typing import Protocol

from meshrelay.cli.authority import Authority
from meshrelay.core.records import Record, StaffCredential, make_staff
from meshrelay.node.identity import CARD_BYTES, card_signer, card_text, make_person_binding


class Member(Protocol):
    """What the roster says of one person."""

    @property
    def staff_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def kana(self) -> str: ...
    @property
    def ward(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def roles(self) -> tuple[str, ...]: ...


def new_card_code() -> str:
    """A fresh card code, as it is printed: 80 random bits in 16 characters and a check."""
    return card_text(secrets.token_bytes(CARD_BYTES))


def staff_record(network: Authority, serial: int, card_code: str, member: Member) -> Record:
    """The issuer's word on who holds this card.

    Serials are given out without a gap, from `network.next_staff_serial()` on.
    """
    content = StaffCredential(
        network.issuer_record.id,
        card_signer(card_code, network.network, member.staff_id).public,
        member.staff_id,
        member.name,
        member.kana,
        member.ward,
        member.unit,
        list(member.roles),
        serial,
        network.generation,
    )
    return make_staff(network.issuer, network.network, content)


def bind_card(network: Authority, staff: Record, card_code: str, pin: str) -> Record:
    """The binding that a first log-in makes; for cards that are bound when issued."""
    return make_person_binding(network.network, staff, card_code, pin)
