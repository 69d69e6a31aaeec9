"""Cards and what the issuer signs about people."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Protocol

from meshrelay.cli.authority import Authority
from meshrelay.core.records import ROLE_HQ, Record, StaffCredential, make_staff
from meshrelay.core.signing import Signer
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
    return make_staff(_signer_for(network, member.roles), network.network, content)


def bind_card(network: Authority, staff: Record, card_code: str, pin: str) -> Record:
    """The binding of a card that is bound when it is issued."""
    assert isinstance(staff.content, StaffCredential)
    signer = _signer_for(network, staff.content.roles)
    issuer = (network.issuer_record.id, signer)
    return make_person_binding(network.network, staff, card_code, pin, issuer)


def _signer_for(network: Authority, roles: Collection[str]) -> Signer:
    """Whose word it takes: the issuer's, for hq the authority's."""
    return network.authority if ROLE_HQ in roles else network.issuer
