"""Who may open a link: the records decide, and each refusal has its name."""

from __future__ import annotations

from typing import Any

import pytest

from meshrelay.bearers.base import SHORT_GREETING_BYTES_MAX
from meshrelay.core.codec import encode
from meshrelay.core.records import IssuerCredential, NodeCredential, make_issuer, make_node
from meshrelay.core.signing import Signer, network_id
from meshrelay.errors import ConfigError, RemoteProtocolError
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
    node_record,
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


def test_a_node_without_a_credential_of_its_own_does_not_start() -> None:
    with pytest.raises(ConfigError, match="no credential for this node's key"):
        NodeDoorman(book_of(ISSUER_RECORD), NISHINARI.public)


def test_a_greeting_fits_its_limit() -> None:
    chuo = NodeDoorman(book_of(*RECORDS), CHUO.public)
    assert len(chuo.greeting) < 1_024
    assert len(chuo.short_greeting) <= SHORT_GREETING_BYTES_MAX
    assert ISSUER.public != AUTHORITY.public
