"""A shelf of records gives back what was put there, a roster's people included."""

from __future__ import annotations

import pytest

from meshrelay.core.roster import Roster, Shelf
from tests.unit.core.city import ISSUER_RECORD, NISHINARI, RECORDS, book_of, person

SATO = person("1001", NISHINARI)
SUZUKI = person("1002", NISHINARI, serial=2)


def test_a_shelf_gives_back_every_record_in_the_order_it_came() -> None:
    shelf = Shelf()
    put = [ISSUER_RECORD, SATO.staff, *RECORDS[1:], SUZUKI.staff]
    for record in (*put, SATO.staff):  # one twice
        shelf[record.id] = record

    assert list(shelf.values()) == put
    assert (len(shelf), shelf.staff_n) == (len(put), 2)
    assert list(shelf.staff()) == [SATO.staff.id, SUZUKI.staff.id]


def test_what_is_taken_from_a_shelf_is_gone() -> None:
    shelf = Shelf()
    for record in (ISSUER_RECORD, SATO.staff):
        shelf[record.id] = record
        del shelf[record.id]

    assert (len(shelf), shelf.staff_n, list(shelf.staff())) == (0, 0, [])
    assert SATO.staff.id not in shelf


def test_a_roster_holds_people_and_nothing_else() -> None:
    shelf = Shelf()
    for record in (ISSUER_RECORD, SATO.staff):
        shelf[record.id] = record
    roster = Roster(shelf)

    assert roster == {SATO.staff.id: SATO.staff.content}
    for nobody in (ISSUER_RECORD.id, bytes(32)):
        with pytest.raises(KeyError):
            roster[nobody]


def test_a_person_kept_as_bytes_is_the_person_that_was_verified() -> None:
    book = book_of(*RECORDS, *SATO.records, *SUZUKI.records)

    assert book.staff[SATO.staff.id] == SATO.staff.content
    assert book.by_id[SATO.staff.id] == SATO.staff
    assert [member.staff_id for member in book.members(2)] == ["1001", "1002"]
