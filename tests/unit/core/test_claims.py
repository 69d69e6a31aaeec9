"""Cards that change hands, nodes that are suspended: what is in force, in any order of arrival."""

from __future__ import annotations

from itertools import permutations

import pytest

from meshrelay.core.book import RecordBook
from meshrelay.core.claims import (
    has_conflict,
    is_doubtful,
    is_suspended,
    live_bindings,
    next_ruling,
    reset_of,
)
from meshrelay.core.entry import LogId
from meshrelay.core.records import (
    NO_BINDING,
    Binding,
    Record,
    Ruling,
    Session,
    StaffRevocation,
    Suspension,
    make_binding,
    make_ruling,
    make_session,
    make_staff_revocation,
    make_suspension,
)
from meshrelay.core.signing import Signer
from meshrelay.core.vector import Line
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
    person,
)

SATO = person("1001", KITA, 1)
REGISTRAR = person("2001", KITA, 2, ("staff", "registrar"))
OTHER = person("2002", CHUO, 3, ("staff", "registrar"))
THIRD = person("2003", CHUO, 4, ("staff", "registrar"))
MAYOR = person("0001", HQ, 5, ("hq",))
EVERYBODY = [r for each in (SATO, REGISTRAR, OTHER, THIRD, MAYOR) for r in each.records]
ALL = [*RECORDS, *EVERYBODY]
PIN_2, PIN_3, THIEFS = (Signer(name * 32) for name in (b"2", b"3", b"T"))


def binding(author: Signer, outer: Signer, number: int = 0, by: bytes = b"") -> Record:
    """Another binding of 佐藤's card."""
    content = Binding(SATO.staff.id, author.public, b"x" * 32, 1, 32_768, 3, number, by)
    return make_binding(outer, author, NETWORK, content)


def ruling(which: bytes, number: int = 1, by: Person = REGISTRAR) -> Record:
    content = Ruling(by.session.id, SATO.staff.id, which, number)
    return make_ruling(by.signer, NETWORK, content)


def said(by: Person, lifted: bool = False, number: int = 1, node: Signer = KITA) -> Record:
    content = Suspension(by.session.id, node.public, number, lifted)
    return make_suspension(by.signer, NETWORK, content)


CHANGED = binding(PIN_2, SATO.author, 1, SATO.binding.id)
CHANGED_AGAIN = binding(PIN_3, PIN_2, 2, CHANGED.id)
STOLEN = binding(THIEFS, SATO.card)


def live(*records: Record) -> list[bytes]:
    return live_bindings(book_of(*ALL, *records), SATO.staff.id)


def test_a_changed_pin_takes_the_place_of_the_one_before() -> None:
    assert live() == [SATO.binding.id]
    assert live(CHANGED) == [CHANGED.id]
    assert live(CHANGED, CHANGED_AGAIN) == [CHANGED_AGAIN.id]


def test_the_older_binding_still_verifies_what_it_signed() -> None:
    book = book_of(*ALL, CHANGED)

    assert book.session(SATO.session.id) is not None and not is_doubtful(book, SATO.session.id)


def test_two_first_bindings_are_both_kept_and_doubted() -> None:
    book = book_of(*ALL, STOLEN)

    assert set(live_bindings(book, SATO.staff.id)) == {SATO.binding.id, STOLEN.id}
    assert has_conflict(book, SATO.staff.id) and is_doubtful(book, SATO.session.id)


def test_a_changed_pin_of_one_claim_does_not_end_the_other() -> None:
    later = binding(PIN_2, THIEFS, 1, STOLEN.id)

    assert set(live(STOLEN, later)) == {SATO.binding.id, later.id}


def test_the_same_pin_chosen_in_two_wards_is_no_conflict() -> None:
    book = book_of(*ALL, person("1001", CHUO, 1).binding)

    assert not has_conflict(book, SATO.staff.id)


@pytest.mark.parametrize("order", list(permutations([STOLEN, CHANGED, ruling(SATO.binding.id)])))
def test_a_registrars_ruling_settles_a_conflict_in_any_order(order: list[Record]) -> None:
    thief = Session(STOLEN.id, SATO.staff.id, KITA.public, THIEFS.public, 1)
    words = make_session(THIEFS, NETWORK, thief)
    book = book_of(*ALL, *order, words)

    assert live_bindings(book, SATO.staff.id) == [CHANGED.id]
    assert is_doubtful(book, words.id) and not is_doubtful(book, SATO.session.id)


def test_a_forgotten_pin_is_chosen_anew_by_the_ruling_alone() -> None:
    reset = ruling(NO_BINDING)
    fresh = binding(PIN_2, SATO.card, 0, reset.id)

    assert live(reset) == [] and live(reset, CHANGED) == []
    assert live(reset, fresh, STOLEN) == [fresh.id]
    assert reset_of(book_of(*ALL, reset), SATO.staff.id) == reset.id


def test_what_was_said_before_a_forgotten_pin_stays_undoubted() -> None:
    assert not is_doubtful(book_of(*ALL, ruling(NO_BINDING)), SATO.session.id)


def test_a_forgotten_pin_settles_no_older_conflict() -> None:
    words = make_session(
        THIEFS, NETWORK, Session(STOLEN.id, SATO.staff.id, KITA.public, THIEFS.public, 1)
    )
    reset = ruling(NO_BINDING)
    fresh = binding(PIN_2, SATO.card, 0, reset.id)
    later = make_session(
        PIN_2, NETWORK, Session(fresh.id, SATO.staff.id, KITA.public, PIN_2.public, 2)
    )
    book = book_of(*ALL, STOLEN, words, reset, fresh, later)

    assert is_doubtful(book, words.id) and is_doubtful(book, SATO.session.id)
    assert not is_doubtful(book, later.id) and not has_conflict(book, SATO.staff.id)


def test_the_highest_number_of_a_ruling_is_in_force() -> None:
    reset, chosen = ruling(NO_BINDING), ruling(SATO.binding.id, 2)

    assert live(reset, chosen, STOLEN) == [SATO.binding.id]
    assert next_ruling(book_of(*ALL, reset, chosen), SATO.staff.id) == 3


# Suspensions

SUSPENDED = [said(REGISTRAR), said(OTHER)]


@pytest.mark.parametrize(
    ("records", "suspended"),
    [
        ([], False),
        ([said(REGISTRAR)], False),
        ([said(REGISTRAR), said(REGISTRAR)], False),
        (SUSPENDED, True),
        ([*SUSPENDED, said(OTHER, lifted=True)], False),
        ([*SUSPENDED, said(THIRD, lifted=True)], True),
        ([*SUSPENDED, said(OTHER, lifted=True), said(THIRD)], False),
        ([*SUSPENDED, said(OTHER, lifted=True), said(REGISTRAR, number=2)], False),
        ([*SUSPENDED, said(OTHER, lifted=True), said(REGISTRAR, number=2), said(THIRD, number=2)],
         True),
    ],
)  # fmt: skip
def test_two_registrars_suspend_a_wards_node_and_one_of_them_lifts_it(
    records: list[Record], suspended: bool
) -> None:
    for order in (records, records[::-1]):
        assert is_suspended(book_of(*ALL, *order), KITA.public) is suspended


def by_issuer(lifted: bool) -> Record:
    content = Suspension(ISSUER_RECORD.id, KITA.public, 1, lifted)
    return make_suspension(ISSUER, NETWORK, content)


def test_an_issuer_suspends_and_lifts_alone() -> None:
    assert is_suspended(book_of(*ALL, by_issuer(False)), KITA.public)
    assert not is_suspended(book_of(*ALL, *SUSPENDED, by_issuer(True)), KITA.public)


def test_an_archive_and_hqs_node_cannot_be_suspended() -> None:
    words = [said(each, node=HQ) for each in (REGISTRAR, OTHER)]

    assert not is_suspended(book_of(*ALL, *words), HQ.public)


def test_a_revoked_registrars_word_is_not_counted() -> None:
    content = StaffRevocation(ISSUER_RECORD.id, OTHER.staff.id, [])
    revoked = make_staff_revocation(ISSUER, NETWORK, content)

    assert not is_suspended(book_of(*ALL, *SUSPENDED, revoked), KITA.public)


# Revoked staff

LOG = LogId(KITA.public, b"day one.", 1)


def revoked_at(height: int) -> Record:
    line = Line(LOG, height, bytes(32))
    content = StaffRevocation(ISSUER_RECORD.id, SATO.staff.id, [line])
    return make_staff_revocation(ISSUER, NETWORK, content)


def test_a_revoked_persons_words_count_up_to_the_line() -> None:
    book = book_of(*ALL, revoked_at(7))

    assert book.staff_end(SATO.staff.id, LOG) == 7
    assert book.staff_end(SATO.staff.id, LOG._replace(lane=0)) == 0
    assert book.staff_end(REGISTRAR.staff.id, LOG) is None


def test_of_several_revocations_the_least_line_counts() -> None:
    assert book_of(*ALL, revoked_at(7), revoked_at(5)).staff_end(SATO.staff.id, LOG) == 5


def test_the_book_is_the_same_in_any_order() -> None:
    records = [*ALL, CHANGED, STOLEN, *SUSPENDED, revoked_at(7), ruling(STOLEN.id)]
    forward, backward = RecordBook(NETWORK), RecordBook(NETWORK)
    for record in records:
        forward.add(record)
    for record in reversed(records):
        backward.add(record)

    assert set(forward.by_id) == set(backward.by_id) == {record.id for record in records}
    assert live_bindings(forward, SATO.staff.id) == live_bindings(backward, SATO.staff.id)


def test_the_authority_speaks_about_hq() -> None:
    content = StaffRevocation(ISSUER_RECORD.id, MAYOR.staff.id, [])
    book = book_of(*ALL, make_staff_revocation(AUTHORITY, NETWORK, content))

    assert MAYOR.staff.id in book.struck
