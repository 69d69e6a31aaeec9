"""Standing rooms follow the roster; a page shows a room to its members and to hq only."""

from __future__ import annotations

import pytest

from meshrelay.errors import RefusedError
from meshrelay.node.office import Person
from meshrelay.node.rooms import Rooms
from meshrelay.node.seats import to_person
from tests.unit.core.city import KITA, RECORDS, book_of, person

SATO, CHIEF = person("1001", KITA), person("1000", KITA, 2, ("hq",))


class NoViews:
    """A read model without a row."""

    def get(self, _kind: str, _key: str) -> None:
        return None

    def keys(self, _kind: str, _group: str) -> list[str]:
        return []


def rooms() -> Rooms:
    return Rooms(book_of(*RECORDS, SATO.staff, CHIEF.staff), NoViews())  # type: ignore[arg-type]


def of(staff: object) -> Person:
    return to_person(staff)  # type: ignore[arg-type]


def test_a_clerk_sees_the_whole_city_their_ward_and_their_unit() -> None:
    assert rooms().visible_to(of(SATO.staff.content)) == ["all", "ward:01", "unit:総務課"]


def test_a_chief_sees_every_room() -> None:
    assert rooms().visible_to(of(CHIEF.staff.content)) == [
        "all", "role:hq", "ward:01", "unit:総務課"
    ]  # fmt: skip


def test_a_room_that_is_not_yours_is_refused_and_one_that_is_not_there_too() -> None:
    clerk = of(SATO.staff.content)
    for room, code in (("role:hq", "not_member"), ("ward:99", "no_room"), ("x", "no_room")):
        with pytest.raises(RefusedError) as refused:
            rooms().check(clerk, room)
        assert refused.value.code == code
    rooms().check(clerk, "all")
    rooms().check(of(CHIEF.staff.content), "ward:01")


def test_a_room_is_called_as_the_office_is() -> None:
    named, clerk = rooms(), of(SATO.staff.content)

    assert named.name("all", clerk) == ("全庁", "All staff")
    assert named.name("ward:01", clerk) == ("北区", "Kita")
    assert named.name("unit:総務課", clerk) == ("総務課", "総務課")


def test_members_follow_the_roster_that_a_message_froze() -> None:
    named = rooms()

    assert [member.staff_id for member in named.members("all", 1)] == ["1001"]
    assert sorted(member.staff_id for member in named.members("all", 2)) == ["1000", "1001"]
