"""Who may say what: every record that somebody without the right signed is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from meshrelay.core.book import RecordBook
from meshrelay.core.records import (
    NO_BINDING,
    SEALED_BYTES,
    Binding,
    IssuerCredential,
    Record,
    Revocation,
    Ruling,
    Session,
    StaffCredential,
    StaffRevocation,
    Successor,
    Suspension,
    TemporaryCredential,
    Transit,
    make_binding,
    make_issuer,
    make_node,
    make_revocation,
    make_ruling,
    make_session,
    make_staff,
    make_staff_revocation,
    make_successor,
    make_suspension,
    make_temporary,
    make_transit,
    network_of,
    read_record,
)
from meshrelay.core.signing import Signer
from meshrelay.errors import CredentialError, SignatureError
from tests.unit.core.city import (
    AUTHORITY,
    CHUO,
    HQ,
    ISSUER,
    ISSUER_RECORD,
    KITA,
    NETWORK,
    RECORDS,
    Person,
    book_of,
    node_record,
    person,
)

SATO = person("1001", KITA, 1)
REGISTRAR = person("2001", KITA, 2, ("registrar",))
MAYOR = person("0001", HQ, 3, ("hq",))
EVERYBODY = [r for each in (SATO, REGISTRAR, MAYOR) for r in each.records]
HEIR, THIEF = Signer(b"H" * 32), Signer(b"thief" * 6 + b"..")
SUCCESSOR = make_successor(AUTHORITY, NETWORK, Successor(AUTHORITY.public, HEIR.public))
HEIRS_ISSUER = make_issuer(
    HEIR, NETWORK,
    IssuerCredential(HEIR.public, b"i" * 32, 2, 3, "訓練市", True, SUCCESSOR.id),
)  # fmt: skip


def book() -> RecordBook:
    return book_of(*RECORDS, *EVERYBODY)


def staff(signer: Signer, roles: tuple[str, ...]) -> Record:
    content = StaffCredential(
        ISSUER_RECORD.id, b"c" * 32, "9", "誰か", "だれか", "01", "", list(roles), 9, 1
    )
    return make_staff(signer, NETWORK, content)


def ruling(by: Person, on: Person, signer: Signer | None = None) -> Record:
    content = Ruling(by.session.id, on.staff.id, NO_BINDING, 1)
    return make_ruling(signer or by.signer, NETWORK, content)


def temporary(by: Person, ward: str) -> Record:
    content = TemporaryCredential(by.session.id, b"c" * 32, "T01-1", "応援", "", ward, "", 1)
    return make_temporary(by.signer, NETWORK, content)


def revoked(person: Person, signer: Signer) -> Record:
    content = StaffRevocation(ISSUER_RECORD.id, person.staff.id, [])
    return make_staff_revocation(signer, NETWORK, content)


def bound(of: Person, outer: Signer, number: int, by: bytes) -> Record:
    content = Binding(of.staff.id, THIEF.public, b"x" * 32, 1, 32_768, 3, number, by)
    return make_binding(outer, THIEF, NETWORK, content)


def suspension(by: bytes, signer: Signer) -> Record:
    return make_suspension(signer, NETWORK, Suspension(by, KITA.public, 1, False))


def transit(signer: Signer) -> Record:
    content = Transit(ISSUER_RECORD.id, KITA.public, 1, b"s" * SEALED_BYTES)
    return make_transit(signer, NETWORK, content)


GOOD = {
    "a successor, and an issuer of it": [SUCCESSOR, HEIRS_ISSUER],
    "a new chief": [staff(AUTHORITY, ("hq",))],
    "a registrar rules in their ward": [ruling(REGISTRAR, SATO)],
    "a registrar's temporary card": [temporary(REGISTRAR, "01")],
    "a registrar's word on a node": [suspension(REGISTRAR.session.id, REGISTRAR.signer)],
    "an issuer's word on a node": [suspension(ISSUER_RECORD.id, ISSUER)],
    "a chief is revoked": [revoked(MAYOR, AUTHORITY)],
    "a clerk is revoked": [revoked(SATO, ISSUER)],
    "a transit key": [transit(ISSUER)],
    "a chief changes the PIN": [bound(MAYOR, MAYOR.author, 1, MAYOR.binding.id)],
}


@pytest.mark.parametrize("what", GOOD)
def test_who_has_the_right_is_believed_also_when_the_parents_come_last(what: str) -> None:
    records = GOOD[what]
    first, last = book(), RecordBook(NETWORK)
    for record in records:
        first.add(read_record(record.raw))
    for record in [*records[::-1], *EVERYBODY[::-1], *RECORDS]:
        last.add(read_record(record.raw))

    assert all(record.id in first and record.id in last for record in records)


BAD: dict[str, tuple[Record, Any]] = {
    "an issuer makes a chief": (staff(ISSUER, ("hq",)), SignatureError),
    "an issuer revokes a chief": (revoked(MAYOR, ISSUER), SignatureError),
    "the authority alone makes a clerk": (staff(AUTHORITY, ("staff",)), SignatureError),
    "a thief names a successor": (
        make_successor(THIEF, NETWORK, Successor(THIEF.public, HEIR.public)), CredentialError),
    "a thief signs a successor": (
        make_successor(THIEF, NETWORK, Successor(AUTHORITY.public, HEIR.public)), SignatureError),
    "an issuer of nobody's successor": (
        make_issuer(THIEF, NETWORK, IssuerCredential(
            THIEF.public, THIEF.public, 2, 2, "偽市", True, ISSUER_RECORD.id)), CredentialError),
    "a clerk rules": (ruling(SATO, REGISTRAR), CredentialError),
    "an issuer rules": (
        make_ruling(ISSUER, NETWORK, Ruling(ISSUER_RECORD.id, SATO.staff.id, NO_BINDING, 1)),
        CredentialError),
    "an issuer binds a clerk's card": (bound(SATO, ISSUER, 0, ISSUER_RECORD.id), CredentialError),
    "a ruling on a chief": (ruling(REGISTRAR, MAYOR), CredentialError),
    "a ruling with another key": (ruling(REGISTRAR, SATO, THIEF), SignatureError),
    "a temporary card of another ward": (temporary(REGISTRAR, "02"), CredentialError),
    "a clerk's temporary card": (temporary(SATO, "01"), CredentialError),
    "an issuer's temporary card": (
        make_temporary(ISSUER, NETWORK, TemporaryCredential(
            ISSUER_RECORD.id, b"c" * 32, "T1", "応援", "", "01", "", 1)), CredentialError),
    "a clerk suspends": (suspension(SATO.session.id, SATO.signer), CredentialError),
    "a thief suspends": (suspension(REGISTRAR.session.id, THIEF), SignatureError),
    "a thief's transit key": (transit(THIEF), SignatureError),
    "who holds a chief's card uses it first": (bound(MAYOR, MAYOR.card, 0, b""), CredentialError),
    "an issuer binds a chief's card": (
        bound(MAYOR, ISSUER, 0, ISSUER_RECORD.id), SignatureError),
    "a change by who does not know the PIN": (
        bound(SATO, SATO.card, 1, SATO.binding.id), SignatureError),
    "a change that skips a number": (
        bound(SATO, SATO.author, 2, SATO.binding.id), CredentialError),
    "a change from somebody else's binding": (
        bound(SATO, REGISTRAR.author, 1, REGISTRAR.binding.id), CredentialError),
    "a session of another's binding": (
        make_session(SATO.author, NETWORK, Session(
            SATO.binding.id, REGISTRAR.staff.id, KITA.public, THIEF.public, 1)), CredentialError),
    "a thief revokes a node": (
        make_revocation(THIEF, NETWORK, Revocation(ISSUER_RECORD.id, KITA.public, [])),
        SignatureError),
    "an issuer gives a generation that it does not have": (
        node_record(KITA, 9, 3), CredentialError),
    "a clerk enrols a node": (
        make_node(SATO.signer, NETWORK, node_record(CHUO).content), SignatureError),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_who_has_no_right_is_refused(what: str) -> None:
    record, error = BAD[what]
    here = book()
    with pytest.raises(error):
        here.add(read_record(record.raw))
    assert record.id not in here


def test_a_successor_keeps_the_network_and_raises_the_generation() -> None:
    here = book()
    assert here.generation() == 2
    for record in (SUCCESSOR, HEIRS_ISSUER):
        here.add(record)

    assert here.generation() == 3
    assert network_of([HEIRS_ISSUER, SUCCESSOR]) == NETWORK
    assert network_of([HEIRS_ISSUER]) is None


def test_a_temporary_card_is_in_no_count_of_members() -> None:
    here = book()
    here.add(temporary(REGISTRAR, "01"))

    card = here.staff[here.staff_by_number["T01-1"]]
    assert (card.roles, card.ward) == (["temporary"], "01")
    assert here.roster_complete(3) and len(list(here.members(3))) == 3


def test_a_real_person_of_the_same_number_comes_before_a_temporary_card() -> None:
    content = TemporaryCredential(REGISTRAR.session.id, b"c" * 32, "1001", "偽物", "", "01", "", 1)
    here = book()
    here.add(make_temporary(REGISTRAR.signer, NETWORK, content))

    assert here.staff_by_number["1001"] == SATO.staff.id
