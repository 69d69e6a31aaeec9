"""Cards and what the issuer signs about people."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol

from meshrelay.cli.authority import Authority
from meshrelay.core.records import (
    ROLES_BOUND,
    Record,
    StaffCredential,
    StaffRevocation,
    make_staff,
    make_staff_revocation,
)
from meshrelay.core.vector import Line
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
    def roles(self) -> Sequence[str]: ...


def new_card_code() -> str:
    """A fresh card code, as it is printed: 80 random bits in 16 characters and a check."""
    return card_text(secrets.token_bytes(CARD_BYTES))


def staff_record(network: Authority, serial: int, card_code: str, member: Member) -> Record:
    """The issuer's word on who holds this card; with role hq, the authority's.

    Serials are given out without a gap, from `network.next_staff_serial()` on.

    Raises:
        ConfigError: role hq, and the authority is not mounted.
    """
    card = card_signer(card_code, network.network, member.staff_id).public
    return credential(network, serial, card, member)


def credential(network: Authority, serial: int, card: bytes, member: Member) -> Record:
    """The same for a card that is known by its public key: it stays in its holder's hand."""
    issuer, signer = network.speaker_for(member.roles)
    content = StaffCredential(
        issuer.id,
        card,
        member.staff_id,
        member.name,
        member.kana,
        member.ward,
        member.unit,
        list(member.roles),
        serial,
        network.generation,
    )
    return make_staff(signer, network.network, content)


def bind_card(network: Authority, staff: Record, card_code: str, pin: str) -> Record:
    """The binding of a card with special rights, in person; of another, its first use.

    Raises:
        ConfigError: role hq, and the authority is not mounted.
    """
    assert isinstance(staff.content, StaffCredential)
    if ROLES_BOUND.isdisjoint(staff.content.roles):
        return make_person_binding(network.network, staff, card_code, pin)
    issuer, signer = network.speaker_for(staff.content.roles)
    return make_person_binding(network.network, staff, card_code, pin, (issuer.id, signer))


def strike(network: Authority, staff: bytes, lines: list[Line]) -> Record:
    """The revocation of a credential: what its holder signed counts up to these lines.

    Raises:
        ConfigError: role hq, and the authority is not mounted.
    """
    issuer, signer = network.speaker_for(network.book.staff[staff].roles)
    content = StaffRevocation(issuer.id, staff, lines)
    return make_staff_revocation(signer, network.network, content)
