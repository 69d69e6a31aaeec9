"""The network's keys and records, and people who log in and write. All from fixed seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meshrelay.core.entry import AuthorPart, Draft, sign_author_part
from meshrelay.core.records import (
    ROLES_BOUND,
    Binding,
    IssuerCredential,
    NodeCredential,
    Record,
    Session,
    StaffCredential,
    make_binding,
    make_issuer,
    make_node,
    make_session,
    make_staff,
)
from meshrelay.core.signing import Signer, network_id
from meshrelay.core.verdict import Rule

if TYPE_CHECKING:
    from tests.sim.ward import Ward

LIFETIME_S = 3_600
RULES = {
    "note": Rule(frozenset({0, 1, 2, 3}), True, frozenset(), lambda body, audience: None),
    "talk": Rule(
        frozenset({1}), False, frozenset(), lambda body, audience: None if body else "empty"
    ),
    "order": Rule(frozenset({0}), False, frozenset({"hq"}), lambda body, audience: None),
}
AUTHORITY, ISSUER = Signer(b"A" * 32), Signer(b"I" * 32)
NETWORK = network_id(AUTHORITY.public)
ISSUER_RECORD = make_issuer(
    AUTHORITY, NETWORK, IssuerCredential(AUTHORITY.public, ISSUER.public, 1, 1, "訓練市", True)
)


def node_record(ward: Ward, is_archive: bool) -> Record:
    """The credential of a ward's node."""
    content = NodeCredential(
        ISSUER_RECORD.id, ward.signer.public, b"t" * 32, b"b" * 32,
        ["archive"] if is_archive else [], f"{ward.number:02}", ward.name, ward.name, ward.name,
        ward.number + 1, 1,
    )  # fmt: skip
    return make_node(ISSUER, NETWORK, content)


class Person(NamedTuple):
    """Somebody with a card and a PIN."""

    name: str
    staff: Record
    card: Signer
    author: Signer


class OpenSession(NamedTuple):
    """Somebody logged in at one node; gone when the node stops."""

    person: Person
    record: Record
    signer: Signer


def person(serial: int) -> Person:
    """The person with that staff serial; every third may give orders."""
    name = f"職員{serial}"
    card, author = (Signer(f"{name} {key}".encode().ljust(32, b".")) for key in ("card", "author"))
    roles = ["staff", "hq"] if serial % 3 == 0 else ["staff"]
    content = StaffCredential(
        ISSUER_RECORD.id, card.public, f"{serial:05}", name, "しょくいん", "01", "総務課", roles,
        serial, 1,
    )  # fmt: skip
    return Person(name, make_staff(signer_for(roles), NETWORK, content), card, author)


def signer_for(roles: list[str]) -> Signer:
    """Who speaks about people of these roles: the issuer, of hq the authority."""
    return AUTHORITY if "hq" in roles else ISSUER


def log_in(who: Person, ward: Ward) -> None:
    """Open a session at a ward that knows the person; usable once its record is on disk."""
    if ward.machine is None or who.staff.id not in ward.machine.book:
        return
    key = Signer(ward.world.random.randbytes(32))
    content = Binding(who.staff.id, who.author.public, b"x" * 32, 1, 32_768, 3, 0)
    assert isinstance(who.staff.content, StaffCredential)
    roles = who.staff.content.roles
    if ROLES_BOUND.isdisjoint(roles):
        binding = make_binding(who.card, who.author, NETWORK, content)
    else:
        bound = content._replace(by=ISSUER_RECORD.id)
        binding = make_binding(signer_for(roles), who.author, NETWORK, bound)
    session = make_session(
        who.author, NETWORK,
        Session(binding.id, who.staff.id, ward.signer.public, key.public, ward.world.next_tag()),
    )  # fmt: skip
    opened = OpenSession(who, session, key)
    ward.submit([], [binding, session], lambda _: ward.sessions.append(opened))


def words(session: OpenSession, ward: Ward, kind: str, lane: int, text: str) -> Draft:
    """What the person wrote, as the page would hand it over (it applies no rule here)."""
    now = ward.clock.now()
    part = AuthorPart(
        ward.world.random.randbytes(16), session.record.id, now.pt_ms, now.quality, 1, "all",
        text[:20], text.encode(),
    )  # fmt: skip
    author = sign_author_part(
        session.signer, NETWORK, ward.signer.public, lane, LIFETIME_S, kind, part
    )
    return Draft(lane, kind, LIFETIME_S, author, b"")


def note(text: str, lane: int, kind: str = "note") -> Draft:
    """What a node says for itself."""
    return Draft(lane, kind, LIFETIME_S, b"", text.encode())
