"""Records merge by union: any order gives the same book, and nothing forged is in it."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.book import PENDING_MAX, RecordBook
from meshrelay.core.codec import decode, encode
from meshrelay.core.records import (
    RECORD_BYTES_MAX,
    RECORD_LANE,
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
    read_record,
)
from meshrelay.core.signing import Signer, hash32
from meshrelay.errors import CredentialError, FrameError, SignatureError
from tests.unit.core.city import (
    AUTHORITY,
    CHUO,
    HQ,
    ISSUER,
    ISSUER_RECORD,
    KITA,
    NETWORK,
    RECORDS,
    book_of,
    node_record,
    person,
)

SATO, SUZUKI = person("1001", KITA, 1), person("1002", CHUO, 2)
PROMOTED = person("1001", KITA, 3, ("hq",)).staff
ALL = [*RECORDS, node_record(KITA, 9, 2), *SATO.records, *SUZUKI.records, PROMOTED]
THIEF = Signer(b"thief" * 6 + b"..")


def contents(book: RecordBook) -> tuple[Any, ...]:
    """What a book says, without the order in which it learnt it."""
    return (
        set(book.by_id), book.issuers, book.nodes, book.node_records, book.staff,
        book.staff_by_number, {staff: set(ids) for staff, ids in book.bindings.items()},
        book.roster_serial(), book.roster_complete(3),
    )  # fmt: skip


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.id.hex()[:6])
def test_a_record_is_read_as_it_was_made(record: Record) -> None:
    assert read_record(record.raw) == record
    assert record.id == hash32(record.raw)


@settings(max_examples=60, deadline=None)
@given(st.permutations(ALL))
def test_any_order_of_arrival_gives_the_same_book(order: list[Record]) -> None:
    assert contents(book_of(*order)) == contents(book_of(*ALL))


def test_a_record_taken_twice_is_news_once() -> None:
    book = RecordBook(NETWORK)

    assert book.add(ISSUER_RECORD) == [ISSUER_RECORD]
    assert book.add(ISSUER_RECORD) == []


def test_the_parent_brings_in_all_that_waited() -> None:
    book = RecordBook(NETWORK)
    waiting = [*SATO.records, node_record(KITA)]
    for record in reversed(waiting):
        assert book.add(record) == []

    assert {record.id for record in book.add(ISSUER_RECORD)} == {
        ISSUER_RECORD.id, *(record.id for record in waiting)
    }  # fmt: skip


def test_a_forged_child_that_waited_does_not_harm_its_parent() -> None:
    book = RecordBook(NETWORK)
    forged = make_node(THIEF, NETWORK, node_record(KITA).content)  # type: ignore[arg-type]
    book.add(forged)

    assert book.add(ISSUER_RECORD) == [ISSUER_RECORD]
    assert forged.id not in book
    assert book.add(node_record(KITA)) == [node_record(KITA)]


def test_what_waits_for_parents_is_bounded() -> None:
    book = RecordBook(NETWORK)
    content = node_record(KITA).content
    assert isinstance(content, NodeCredential)
    for serial in range(PENDING_MAX + 1):
        orphan = make_node(ISSUER, NETWORK, content._replace(serial=serial))
        book.add(orphan)

    assert len(book.add(ISSUER_RECORD)) == 1 + PENDING_MAX


def forged_records() -> dict[str, tuple[Record, type[Exception], str]]:
    node, staff = node_record(KITA).content, SATO.staff.content
    assert isinstance(node, NodeCredential) and isinstance(staff, StaffCredential)
    issuer = IssuerCredential(THIEF.public, THIEF.public, 1, 1, "偽市", False)
    binding = Binding(SATO.staff.id, SATO.author.public, b"x" * 32, 1, 1, 1, 0)
    session = Session(SATO.binding.id, SATO.staff.id, KITA.public, b"k" * 32, 1)
    bad, cred = SignatureError, CredentialError
    other = b"other network id"
    return {
        "another authority": (make_issuer(THIEF, NETWORK, issuer), cred, "foreign_network"),
        "an issuer signed by nobody's authority": (
            make_issuer_as(AUTHORITY.public, THIEF), bad, "bad_signature"),
        "a node signed by a thief": (make_node(THIEF, NETWORK, node), bad, "bad_signature"),
        "a node of another network": (make_node(ISSUER, other, node), bad, "bad_signature"),
        "a node signed by a node": (
            make_node(KITA, NETWORK, node._replace(issuer=node_record(KITA).id)), cred,
            "not_entitled"),
        "staff signed by a thief": (make_staff(THIEF, NETWORK, staff), bad, "bad_signature"),
        "a binding without the card": (
            make_binding(THIEF, SATO.author, NETWORK, binding), bad, "bad_signature"),
        "a binding without the author key": (
            make_binding(SATO.card, THIEF, NETWORK, binding), bad, "bad_signature"),
        "a binding to a node": (
            make_binding(SATO.card, SATO.author, NETWORK,
                         binding._replace(staff=node_record(KITA).id)), cred, "not_entitled"),
        "a session by another person": (
            make_session(SUZUKI.author, NETWORK, session), bad, "bad_signature"),
        "a session under another's binding": (
            make_session(SUZUKI.author, NETWORK, session._replace(binding=SUZUKI.binding.id)),
            cred, "not_entitled"),
        "a session under a credential": (
            make_session(SATO.author, NETWORK, session._replace(binding=SATO.staff.id)), cred,
            "not_entitled"),
    }  # fmt: skip


def make_issuer_as(claimed: bytes, signer: Signer) -> Record:
    """An issuer credential that claims an authority whose key did not sign it."""
    content = IssuerCredential(claimed, THIEF.public, 1, 1, "偽市", False)
    made = make_issuer(signer, NETWORK, content)
    cose = signer.sign1(encode(list(content)[:-1]), b"meshrelay/record/issuer/1" + NETWORK)
    return read_record(encode([made.type, cose]))


@pytest.mark.parametrize("what", forged_records())
def test_nothing_forged_foreign_or_unentitled_is_taken(what: str) -> None:
    record, error, reason = forged_records()[what]
    book = book_of(*ALL)
    before = contents(book)

    with pytest.raises(error, match=reason):
        book.add(record)
    assert contents(book) == before


@pytest.mark.parametrize("record", ALL[:1] + ALL[4:8], ids=lambda record: record.id.hex()[:6])
def test_no_altered_record_is_taken(record: Record) -> None:
    for at in range(0, len(record.raw), 3):
        raw = bytearray(record.raw)
        raw[at] ^= 1 << at % 8
        book = book_of(*(each for each in ALL if each.id != record.id))
        before = set(book.by_id)
        try:
            book.add(read_record(bytes(raw)))
        except (FrameError, SignatureError, CredentialError):
            pass
        assert set(book.by_id) == before


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "malformed"),
        (encode([1]), "malformed"),
        (encode([1, b"x", 3]), "malformed"),
        (encode([1, "text"]), "malformed"),
        (encode([15, b"x"]), "unknown_record"),
        (encode([0, b"x"]), "unknown_record"),
        (encode(["1", b"x"]), "unknown_record"),
        (encode([1, ISSUER.sign1(encode([]), b"")]), "malformed"),
        (encode([2, ISSUER.sign1(encode([b"x"] * 11), b"")]), "malformed"),
        (encode([1, bytes(RECORD_BYTES_MAX)]), "oversize"),
    ],
)
def test_what_is_no_record_is_refused_by_name(raw: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        read_record(raw)
    assert refused.value.reason == reason


def with_content(record: Record, **change: Any) -> bytes:
    """The record with other fields, signed by nobody in particular."""
    content = record.content._replace(**change)
    cose = THIEF.sign1(encode(list(content)), b"")
    return encode([record.type, cose])


@pytest.mark.parametrize(
    ("record", "change"),
    [
        (ISSUER_RECORD, {"network_name": "市" * 61}), (ISSUER_RECORD, {"drill": 1}),
        (ISSUER_RECORD, {"serial": 1 << 32}), (ISSUER_RECORD, {"authority": b"a" * 31}),
        (node_record(HQ), {"roles": ["r"] * 9}), (node_record(HQ), {"roles": ["r" * 17]}),
        (node_record(HQ), {"roles": "hq"}), (node_record(HQ), {"ward": 1}),
        (node_record(HQ), {"box": None}), (SATO.staff, {"name": b"x"}),
        (SATO.staff, {"serial": -1}), (SATO.session, {"number": True}),
    ],
)  # fmt: skip
def test_a_field_outside_its_limit_is_malformed(record: Record, change: dict[str, Any]) -> None:
    with pytest.raises(FrameError) as refused:
        read_record(with_content(record, **change))
    assert refused.value.reason == "malformed"


def test_a_binding_is_signed_by_the_author_and_then_by_the_card() -> None:
    outer = decode(SATO.binding.raw, RECORD_BYTES_MAX)[1]
    inner = decode(outer, RECORD_BYTES_MAX)[2]

    assert decode(decode(inner, RECORD_BYTES_MAX)[2], 600) == list(SATO.binding.content)[:-1]


def test_the_same_pin_gives_the_same_binding_everywhere() -> None:
    assert person("1001", KITA).binding == person("1001", CHUO).binding


def test_sessions_are_in_no_digest() -> None:
    assert SATO.session.lane is None
    assert [RECORD_LANE[record.type] for record in (ISSUER_RECORD, node_record(HQ))] == [0, 0]
    assert (SATO.staff.lane, SATO.binding.lane) == (3, 3)


@pytest.mark.parametrize("order", list(permutations([node_record(KITA), node_record(KITA, 9),
                                                     node_record(KITA, 1, 2)])))  # fmt: skip
def test_the_newest_generation_then_serial_is_a_nodes_credential(order: list[Record]) -> None:
    book = book_of(ISSUER_RECORD, *order)

    assert book.node_records[KITA.public] == node_record(KITA, 1, 2).id


def test_a_roster_is_complete_when_no_serial_is_missing() -> None:
    book = book_of(ISSUER_RECORD, SATO.staff, PROMOTED)  # serials 1 and 3

    assert book.roster_serial() == 3
    assert book.roster_complete(1) and not book.roster_complete(3)
    book.add(SUZUKI.staff)
    assert book.roster_complete(3)


def test_a_frozen_roster_leaves_out_who_came_later() -> None:
    book = book_of(ISSUER_RECORD, SATO.staff, SUZUKI.staff)

    assert [member.staff_id for member in book.members(1)] == ["1001"]


def test_what_a_receiver_needs_comes_parents_first() -> None:
    book = book_of(*ALL)

    ids = book.needed_for(KITA.public, SATO.session.id)

    assert set(ids) == {
        ISSUER_RECORD.id, book.node_records[KITA.public], *(r.id for r in SATO.records)
    }  # fmt: skip
    receiver = RecordBook(NETWORK)
    assert [receiver.add(book.by_id[each]) for each in ids] == [[book.by_id[each]] for each in ids]
