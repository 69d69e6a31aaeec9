"""Standing rooms follow the roster: 全庁, each ward, each unit, 本部長.

A page shows a room to its members and to hq only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from meshrelay.core.book import RecordBook
from meshrelay.core.records import ROLE_HQ, StaffCredential
from meshrelay.errors import RefusedError
from meshrelay.node.office import Person, Ward

ALL = "all"
CHIEFS = f"role:{ROLE_HQ}"


class Rooms:
    """Rooms and their members, computed from the records at hand."""

    def __init__(self, book: RecordBook) -> None:
        self._book = book
        self._ids: dict[tuple[str, int], frozenset[str]] = {}
        self._sizes: Counter[str] = Counter()
        self._staff = 0

    def wards(self) -> dict[str, Ward]:
        """The ward list, from the node credentials; ward 00 is 本部."""
        nodes = sorted(self._book.nodes.values(), key=lambda node: (node.ward, node.serial))
        return {node.ward: Ward(node.ward, node.ward_name, node.ward_name_en) for node in nodes}

    def name(self, room: str) -> tuple[str, str]:
        """(Japanese, English) name of a room."""
        kind, _, key = room.partition(":")
        if room == ALL:
            return "全庁", "All staff"
        if room == CHIEFS:
            return "本部長", "Chiefs"
        if kind == "ward" and (ward := self.wards().get(key)):
            return ward.name, ward.name_en
        return key, key

    def members(self, room: str, serial: int) -> Iterator[StaffCredential]:
        """Who is in a room by the roster up to `serial`."""
        return (person for person in self._book.members(serial) if belongs(person, room))

    def member_ids(self, room: str, serial: int) -> frozenset[str]:
        """Their staff ids: what every message of a room is counted against."""
        self._look()
        known = self._ids.get((room, serial))
        if known is None:
            known = frozenset(person.staff_id for person in self.members(room, serial))
            self._ids[(room, serial)] = known
        return known

    def sizes(self) -> Mapping[str, int]:
        """How many members each room has by the present roster; rooms without any are absent."""
        self._look()
        return self._sizes

    def _look(self) -> None:
        if self._staff != len(self._book.staff):
            self._staff = len(self._book.staff)
            self._ids.clear()
            everybody = self._book.members(self._book.roster_serial())
            self._sizes = Counter(room for person in everybody for room in rooms_of(person))

    def visible_to(self, person: Person) -> list[str]:
        """Rooms of somebody's list, in the order shown."""
        rooms = [ALL]
        if ROLE_HQ in person.roles:
            rooms.append(CHIEFS)
            rooms += sorted(room for room in self.sizes() if room.startswith("ward:"))
            rooms += sorted(room for room in self.sizes() if room.startswith("unit:"))
            return rooms
        rooms.append(f"ward:{person.ward}")
        return rooms + ([f"unit:{person.unit}"] if person.unit else [])

    def check(self, person: Person, room: str) -> None:
        """Raises RefusedError `no_room` or `not_member`."""
        if belongs(person, room):
            return
        if room not in self.sizes() and room not in (ALL, CHIEFS):
            raise RefusedError(
                "no_room",
                "このルームはありません。",
                "There is no such room.",
                "ルームの一覧から選んでください。",
                "Choose one from the list of rooms.",
                404,
            )
        if ROLE_HQ not in person.roles:
            raise RefusedError(
                "not_member",
                "このルームのメンバーではありません。",
                "You are not a member of this room.",
                "ルームの一覧から選んでください。",
                "Choose one from the list of rooms.",
                403,
            )


def rooms_of(person: StaffCredential | Person) -> list[str]:
    """The standing rooms that somebody is a member of."""
    rooms = [ALL, f"ward:{person.ward}"]
    rooms += [f"unit:{person.unit}"] if person.unit else []
    return rooms + [f"role:{role}" for role in person.roles]


def belongs(person: StaffCredential | Person, room: str) -> bool:
    """Whether somebody is a member of a standing room."""
    return room in rooms_of(person)
