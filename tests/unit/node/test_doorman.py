"""Who may open a link: the records decide, and each refusal has its name."""

from __future__ import annotations

from typing import Any

import pytest

from meshrelay.bearers.base import FRAME_BYTES_MAX, SHORT_GREETING_BYTES_MAX, BarredError
from meshrelay.core.codec import encode
from meshrelay.core.entry import LogId
from meshrelay.core.events import Submit
from meshrelay.core.frames import Records, decode_frame
from meshrelay.core.records import (
    IssuerCredential,
    NodeCredential,
    Record,
    Revocation,
    Suspension,
    Transit,
    make_issuer,
    make_node,
    make_revocation,
    make_suspension,
    make_transit,
    read_record,
)
from meshrelay.core.signing import Signer, hash32, network_id
from meshrelay.core.vector import Line
from meshrelay.errors import ConfigError, CredentialError, RemoteProtocolError
from meshrelay.node.doorman import NodeDoorman
from tests.unit.core.city import (
    AUTHORITY,
    CHUO,
    ISSUER,
    ISSUER_RECORD,
    KITA,
    NETWORK,
    NISHINARI,
    RECORDS,
    book_of,
    log_of,
    node_record,
    note,
    person,
    two_wards,
)

TLS_KEY = b"t" * 32
THIEF = Signer(b"thief" * 6 + b"..")


def doorman(signer: Signer = CHUO) -> NodeDoorman:
    return NodeDoorman(book_of(ISSUER_RECORD, node_record(signer)), signer.public)


def greeting(*records: bytes, network: bytes = NETWORK) -> bytes:
    return encode([network, list(records)])


KITA_GREETING = doorman(KITA).greeting


def test_a_node_of_the_network_is_admitted_by_its_key() -> None:
    assert doorman().admit(KITA_GREETING, TLS_KEY) == KITA.public
    assert doorman().admit(KITA_GREETING, None) == KITA.public


def test_a_greeting_adds_nothing_to_the_book() -> None:
    book = book_of(ISSUER_RECORD, node_record(CHUO))
    NodeDoorman(book, CHUO.public).admit(KITA_GREETING, TLS_KEY)

    assert KITA.public not in book.nodes


def foreign_greeting() -> bytes:
    issuer = make_issuer(
        THIEF,
        network_id(THIEF.public),
        IssuerCredential(THIEF.public, THIEF.public, 1, 1, "偽市", False),
    )
    content = node_record(KITA).content
    assert isinstance(content, NodeCredential)
    node = make_node(THIEF, network_id(THIEF.public), content._replace(issuer=issuer.id))
    return greeting(issuer.raw, node.raw, network=network_id(THIEF.public))


def forged() -> bytes:
    content: Any = node_record(KITA).content
    return make_node(THIEF, NETWORK, content).raw


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("malformed", b"noise"),
        ("malformed", encode([NETWORK])),
        ("malformed", encode([NETWORK, "records"])),
        ("malformed", encode([NETWORK, [1]])),
        ("malformed", greeting(b"noise")),
        ("oversize", greeting(bytes(5_000))),
        ("foreign_network", foreign_greeting()),
        ("no_credential", greeting()),
        ("no_credential", greeting(ISSUER_RECORD.raw)),
        ("no_credential", greeting(node_record(KITA).raw)),
        ("bad_signature", greeting(ISSUER_RECORD.raw, forged())),
        ("wrong_tls_key", greeting(ISSUER_RECORD.raw, node_record(KITA).raw)),
    ],
)
def test_whoever_may_not_come_in_is_refused_by_name(reason: str, shown: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        doorman().admit(shown, b"x" * 32)
    assert refused.value.reason == reason


def test_a_node_whose_record_we_hold_needs_only_its_name() -> None:
    own = book_of(ISSUER_RECORD, node_record(CHUO))
    live = book_of(*RECORDS)
    name = doorman(KITA).short_greeting

    assert NodeDoorman(own, CHUO.public, live).recognise(name, TLS_KEY) == KITA.public
    assert NodeDoorman(own, CHUO.public).recognise(name, TLS_KEY) is None


def test_a_node_is_recognised_as_soon_as_its_record_came() -> None:
    live = book_of(ISSUER_RECORD, node_record(CHUO))
    hq = NodeDoorman(live, CHUO.public)
    assert hq.recognise(doorman(KITA).short_greeting, TLS_KEY) is None

    live.add(node_record(KITA))

    assert hq.recognise(doorman(KITA).short_greeting, TLS_KEY) == KITA.public


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("malformed", b"noise"),
        ("malformed", encode([NETWORK])),
        ("malformed", encode([NETWORK, "a name"])),
        ("malformed", encode([NETWORK, b"short"])),
        ("oversize", encode([NETWORK, node_record(KITA).id, bytes(64)])),
        ("foreign_network", encode([b"another network!", node_record(KITA).id])),
        ("no_credential", encode([NETWORK, ISSUER_RECORD.id])),
        ("wrong_tls_key", encode([NETWORK, node_record(KITA).id])),
    ],
)
def test_a_name_that_proves_nothing_is_refused_by_name(reason: str, name: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        NodeDoorman(book_of(*RECORDS), CHUO.public).recognise(name, b"x" * 32)
    assert refused.value.reason == reason


REVOCATION = make_revocation(ISSUER, NETWORK, Revocation(ISSUER_RECORD.id, KITA.public, []))


def suspension(number: int = 1, *, lifted: bool = False) -> Record:
    content = Suspension(ISSUER_RECORD.id, KITA.public, number, lifted)
    return make_suspension(ISSUER, NETWORK, content)


def told(guard: NodeDoorman, peer: bytes = KITA.public) -> set[bytes]:
    """Ids of the records in a notice."""
    frame = decode_frame(guard.notice(peer))
    assert isinstance(frame, Records)
    return {read_record(raw).id for raw in frame.raws}


@pytest.mark.parametrize(
    ("reason", "record"), [("revoked", REVOCATION), ("suspended", suspension())]
)
def test_a_barred_node_is_refused_by_name_and_by_greeting_and_told_why(
    reason: str, record: Record
) -> None:
    guard = NodeDoorman(book_of(*RECORDS, record), CHUO.public)
    for ask in (
        lambda: guard.recognise(doorman(KITA).short_greeting, TLS_KEY),
        lambda: guard.admit(KITA_GREETING, TLS_KEY),
        lambda: guard.admit(KITA_GREETING, None),
    ):
        with pytest.raises(BarredError) as barred:
            ask()
        assert (barred.value.reason, barred.value.peer) == (reason, KITA.public)

    assert guard.bars(KITA.public) == reason and guard.bars(CHUO.public) == ""
    assert told(guard) == {ISSUER_RECORD.id, record.id}


def test_the_tls_key_is_judged_before_the_bar() -> None:
    """Who only knows the name of a revoked node is told nothing."""
    guard = NodeDoorman(book_of(*RECORDS, REVOCATION), CHUO.public)
    with pytest.raises(CredentialError) as refused:
        guard.recognise(doorman(KITA).short_greeting, b"x" * 32)
    assert refused.value.reason == "wrong_tls_key"


def test_a_bar_holds_from_the_moment_its_record_is_here_and_ends_when_it_is_lifted() -> None:
    live = book_of(*RECORDS)
    guard, name = NodeDoorman(live, CHUO.public), doorman(KITA).short_greeting
    assert guard.recognise(name, TLS_KEY) == KITA.public and guard.notice(KITA.public) == b""

    live.add(suspension())
    assert guard.bars(KITA.public) == "suspended"
    live.add(suspension(lifted=True))
    assert guard.recognise(name, TLS_KEY) == KITA.public and guard.notice(KITA.public) == b""

    live.add(suspension(2))
    assert told(guard) == {ISSUER_RECORD.id, suspension(2).id}, "of the present round alone"
    live.add(REVOCATION)
    assert told(guard) == {ISSUER_RECORD.id, REVOCATION.id}


def test_a_notice_brings_a_registrars_words_with_all_they_hang_from() -> None:
    registrars = [
        person(f"200{number}", CHUO, serial=number, roles=("registrar",)) for number in (1, 2)
    ]
    words = [
        make_suspension(each.signer, NETWORK, Suspension(each.session.id, KITA.public, 1, False))
        for each in registrars
    ]
    chains = [record for each in registrars for record in each.records]
    guard = NodeDoorman(book_of(*RECORDS, *chains, *words), CHUO.public)
    frame = decode_frame(guard.notice(KITA.public))
    assert isinstance(frame, Records)
    knows_little = book_of(*RECORDS)
    for raw in frame.raws:
        knows_little.add(read_record(raw))

    assert NodeDoorman(knows_little, CHUO.public).bars(KITA.public) == "suspended"
    assert len(guard.notice(KITA.public)) <= FRAME_BYTES_MAX


def test_the_longest_revocation_fits_a_notice() -> None:
    lines = [
        Line(LogId(KITA.public, number.to_bytes(8, "big"), 1), 9, hash32(bytes([number % 256])))
        for number in range(900)
    ]
    content = Revocation(ISSUER_RECORD.id, KITA.public, lines)
    record = make_revocation(ISSUER, NETWORK, content)
    guard = NodeDoorman(book_of(*RECORDS, record), CHUO.public)

    assert record.id in told(guard) and len(guard.notice(KITA.public)) <= FRAME_BYTES_MAX


def raised() -> Record:
    """The authority's issuer credential of the next generation."""
    content = ISSUER_RECORD.content
    assert isinstance(content, IssuerCredential)
    return make_issuer(AUTHORITY, NETWORK, content._replace(serial=2, generation=2))


def renewed(signer: Signer, issuer: Record) -> Record:
    content = node_record(signer).content
    assert isinstance(content, NodeCredential)
    return make_node(ISSUER, NETWORK, content._replace(issuer=issuer.id, serial=9, generation=2))


def test_a_ward_that_missed_a_rotation_is_let_in() -> None:
    """Also where its newer credential is known: it has to come and fetch it."""
    issuer = raised()
    new = [issuer, renewed(CHUO, issuer), renewed(KITA, issuer)]
    guard = NodeDoorman(book_of(*RECORDS, *new), CHUO.public)
    assert guard.recognise(doorman(KITA).short_greeting, TLS_KEY) == KITA.public
    assert guard.admit(KITA_GREETING, TLS_KEY) == KITA.public

    behind = NodeDoorman(book_of(ISSUER_RECORD, node_record(KITA)), KITA.public)
    assert behind.admit(guard.greeting, TLS_KEY) == CHUO.public


def test_a_generation_stops_no_log() -> None:
    """中央区 has the new generation's credentials, 北区 knows nothing of it and writes on."""
    city, kita, chuo = two_wards()
    issuer = raised()
    chuo.feed(Submit([], [issuer, renewed(CHUO, issuer)], 1))
    kita.say(note("第1報"), note("第2報"))
    city.join(kita, chuo)
    city.deliver()
    city.pass_ms(1_000)

    assert chuo.machine.book.generation() == 2 and chuo.height(log_of(KITA)) == 2
    assert kita.machine.book.generation() == 2, "and it catches up"


def test_a_newer_credential_of_ours_is_shown_as_soon_as_it_is_here() -> None:
    live = book_of(*RECORDS)
    guard = NodeDoorman(book_of(*RECORDS), CHUO.public, live)
    issuer = raised()
    record = renewed(CHUO, issuer)
    live.add(issuer)
    live.add(record)

    assert guard.short_greeting == encode([NETWORK, record.id])
    assert guard.greeting == greeting(issuer.raw, record.raw)


def test_a_peer_is_brought_the_newest_transit_key_that_it_lacks() -> None:
    live = book_of(*RECORDS)
    guard = NodeDoorman(live, CHUO.public)
    keys = {
        (signer, number): make_transit(
            ISSUER, NETWORK, Transit(ISSUER_RECORD.id, signer.public, number, bytes(80))
        )
        for signer in (KITA, CHUO)
        for number in (1, 2)
    }
    assert guard.key_for(KITA.public, 0) == b""
    for record in keys.values():
        live.add(record)
    frame = decode_frame(guard.key_for(KITA.public, 1))

    assert isinstance(frame, Records)
    assert frame.raws == [ISSUER_RECORD.raw, keys[KITA, 2].raw]
    assert guard.key_for(KITA.public, 2) == b""
    live.add(REVOCATION)
    assert guard.key_for(KITA.public, 1) == b"", "a struck-off node gets no key"


def test_a_node_without_a_credential_of_its_own_does_not_start() -> None:
    with pytest.raises(ConfigError, match="no credential for this node's key"):
        NodeDoorman(book_of(ISSUER_RECORD), NISHINARI.public)


def test_a_greeting_fits_its_limit() -> None:
    chuo = NodeDoorman(book_of(*RECORDS), CHUO.public)
    assert len(chuo.greeting) < 1_024
    assert len(chuo.short_greeting) <= SHORT_GREETING_BYTES_MAX
    assert ISSUER.public != AUTHORITY.public
