"""Who may say what: the signature that each type of record needs.

Union must give the same book in any order of arrival, so that only parents count here and
nothing that may come later: a revoked registrar's word stays in the book. What is in force
now is asked of `claims`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from meshrelay.core.codec import decode
from meshrelay.core.entry import check_entry
from meshrelay.core.records import (
    NO_BINDING,
    REVOCATION_BYTES_MAX,
    ROLE_HQ,
    ROLE_REGISTRAR,
    ROLES_BOUND,
    Binding,
    IssuerCredential,
    NodeCredential,
    Orphan,
    Proof,
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
    record_aad,
)
from meshrelay.core.signing import network_id, verify1
from meshrelay.errors import CredentialError

if TYPE_CHECKING:
    from meshrelay.core.book import RecordBook


def verify(record: Record, book: RecordBook) -> None:
    """Check a record all of whose parents are in `book`.

    Raises:
        SignatureError, CredentialError: forged, foreign or not entitled.
    """
    content, cose = record.content, decode(record.raw, REVOCATION_BYTES_MAX)[1]
    aad = record_aad(record.type, book.network)
    match content:
        case Proof(first, second):
            check_entry(first, book.network)
            check_entry(second, book.network)
        case Orphan(entry):
            if not entry.author:
                raise CredentialError("not_entitled", "an orphan that nobody wrote")
            check_entry(entry, book.network)
        case IssuerCredential(authority=authority, by=by) | Successor(authority, by=by):
            _check_authority(book, authority, by)
            verify1(cose, authority, aad)
        case NodeCredential(issuer=issuer) | Transit(issuer):
            verify1(cose, _issuer_key(book, issuer, frozenset(), content.generation), aad)
        case Revocation(issuer):
            verify1(cose, _issuer_key(book, issuer, frozenset()), aad)
        case StaffCredential(issuer=issuer, roles=roles):
            verify1(cose, _issuer_key(book, issuer, roles, content.generation), aad)
        case StaffRevocation(issuer, staff):
            verify1(cose, _issuer_key(book, issuer, _person(book, staff).roles), aad)
        case Binding():
            author = verify1(cose, _binds(book, content), aad)
            verify1(author, content.author, aad)
        case Session(binding, staff):
            parent = book.by_id[binding].content
            if not isinstance(parent, Binding) or parent.staff != staff:
                raise CredentialError("not_entitled", "parent is no binding of this person")
            verify1(cose, parent.author, aad)
        case Suspension(by):
            verify1(cose, _key_in_charge(book, by, None), aad)
        case Ruling(by, staff):
            person = _person(book, staff)
            if ROLE_HQ in person.roles:
                raise CredentialError("not_entitled", "a ruling on an hq card")
            if by in book.issuers:
                raise CredentialError("not_entitled", "rulings on cards are a registrar's")
            verify1(cose, _key_in_charge(book, by, person.ward), aad)
        case TemporaryCredential(by=by, ward=ward):
            if by in book.issuers:
                raise CredentialError("not_entitled", "temporary cards are a registrar's")
            verify1(cose, _key_in_charge(book, by, ward), aad)


def _check_authority(book: RecordBook, authority: bytes, by: bytes) -> None:
    if by:
        successor = book.by_id[by].content
        good = isinstance(successor, Successor) and successor.key == authority
    else:
        good = network_id(authority) == book.network
    if not good:
        raise CredentialError("foreign_network", "another authority")


def _issuer_key(
    book: RecordBook, issuer: bytes, roles: Collection[str], generation: int = 0
) -> bytes:
    """Who must sign about somebody with these roles: the issuer, of hq its authority.

    An issuer whose key was stolen must not outlive a raised generation: it cannot give one
    that no authority gave it.
    """
    known = book.issuers.get(issuer)
    if known is None:
        raise CredentialError("not_entitled", "parent is no issuer")
    if generation > known.generation:
        raise CredentialError("not_entitled", "a generation that the issuer does not have")
    return known.authority if ROLE_HQ in roles else known.key


def _person(book: RecordBook, staff: bytes) -> StaffCredential:
    person = book.staff.get(staff)
    if person is None:
        raise CredentialError("not_entitled", "parent is no staff credential")
    return person


def _binds(book: RecordBook, binding: Binding) -> bytes:
    """The key that must sign a binding beside its own author key."""
    person = _person(book, binding.staff)
    by = book.by_id[binding.by].content if binding.by else None
    match by:
        case IssuerCredential() if not binding.number and ROLES_BOUND.intersection(person.roles):
            return _issuer_key(book, binding.by, person.roles)
        case Binding() if (by.staff, by.number + 1) == (binding.staff, binding.number):
            return by.author
        case Ruling() if (by.staff, by.binding) == (binding.staff, NO_BINDING):
            return person.card
        case None if not binding.number and ROLES_BOUND.isdisjoint(person.roles):
            return person.card
    raise CredentialError("not_entitled", "nothing allows this binding")


def _key_in_charge(book: RecordBook, by: bytes, ward: str | None) -> bytes:
    """The key of an issuer, or of a session of a registrar (of this ward)."""
    if by in book.issuers:
        return book.issuers[by].key
    session = book.session(by)
    person = book.staff.get(session.staff) if session else None
    if session is None or person is None or ROLE_REGISTRAR not in person.roles:
        raise CredentialError("not_entitled", "neither issuer nor registrar")
    if ward not in (None, person.ward):
        raise CredentialError("not_entitled", "a registrar of another ward")
    return session.key
