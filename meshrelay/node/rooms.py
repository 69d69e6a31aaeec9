"""Which rooms there are, who is in them, and who may look.

Standing rooms follow the roster: 全庁, each ward, each unit, 本部長. Two people have a room of
their own by their staff ids; others have the members that their latest entry lists (desk/room.py).
A page shows a room to its members and to hq only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from meshrelay.core.book import RecordBook
from meshrelay.core.records import ROLE_HQ, ROLE_REGISTRAR, StaffCredential
from meshrelay.desk import room as listed
from meshrelay.desk import talk
from meshrelay.desk.kind import MEMBER, PAIR, Row, newest_said, pair_people
from meshrelay.errors import RefusedError
from meshrelay.node.office import Person, Ward
from meshrelay.store.views import ViewReader

ALL = "all"
CHIEFS = f"role:{ROLE_HQ}"
# Of a person's own rooms as many as anybody looks through.
OWN_MAX = 200


class Rooms:
    """Rooms and their members, computed from the records and the read model at hand."""

    def __init__(self, book: RecordBook, views: ViewReader) -> None:
        self._book = book
        self._views = views
        self._ids: dict[tuple[str, int], frozenset[str]] = {}
        self._sizes: Counter[str] = Counter()
        self._of_wards: dict[str, set[str]] = {}
        self._staff = 0

    def wards(self) -> dict[str, Ward]:
        """The ward list, from the node credentials; ward 00 is 本部."""
        nodes = sorted(self._book.nodes.values(), key=lambda node: (node.ward, node.serial))
        return {node.ward: Ward(node.ward, node.ward_name, node.ward_name_en) for node in nodes}

    def name(self, room: str, person: Person) -> tuple[str, str]:
        """(Japanese, English) name of a room as `person` calls it."""
        kind, _, key = room.partition(":")
        if room == ALL:
            return "全庁", "All staff"
        if room == CHIEFS:
            return "本部長", "Chiefs"
        if kind == "ward" and (ward := self.wards().get(key)):
            return ward.name, ward.name_en
        if people := pair_people(room):
            others = [each for each in people if each != person.staff_id]
            name = "・".join(self.person_name(each) for each in others)
            return name, name
        if said := self.said(room):
            name = str(said["name"])
            return (f"{name}（終了）", f"{name} (closed)") if said["closed"] else (name, name)
        return key, key

    def person_name(self, staff_id: str) -> str:
        """The name of a member of staff, or the id as it stands."""
        record = self._book.staff_by_number.get(staff_id)
        return self._book.staff[record].name if record else staff_id

    def everybody(self) -> list[bytes]:
        """The records of all members of staff, temporary ones too, without the struck ones."""
        struck = self._book.struck
        return [each for each in self._book.staff_by_number.values() if each not in struck]

    def person(self, record: bytes) -> StaffCredential:
        """One of them."""
        return self._book.staff[record]

    def is_known(self, staff_id: str) -> bool:
        """Whether the roster here has such a person."""
        return staff_id in self._book.staff_by_number

    def row(self, room: str) -> Row | None:
        """All that was said of a room with listed members; None: no such room is known here."""
        found = self._views.get(listed.NAME, room)
        return found.row if found and newest_said(found.row) else None

    def said(self, room: str, upto: str = "~") -> Row | None:
        """What the latest entry of such a room says, as of a sort key."""
        row = self.row(room) if room.startswith(listed.LIST) else None
        return newest_said(row, upto) if row else None

    def members(self, room: str, serial: int, at: str = "~") -> Iterator[StaffCredential]:
        """Who is in a room by the roster up to `serial` and by its entries up to sort key `at`."""
        own = self._own_members(room, at)
        if own is not None:
            for each in sorted(own):
                record = self._book.staff_by_number.get(each)
                person = self._book.staff[record] if record else None
                if person is not None and person.serial <= serial:
                    yield person
            return
        for person in self._book.members(serial):
            if room in standing_rooms(person):
                yield person

    def member_ids(self, room: str, serial: int, at: str = "~") -> frozenset[str]:
        """Their staff ids: what every message of a room is counted against."""
        if room.startswith((PAIR, listed.LIST)):
            return frozenset(person.staff_id for person in self.members(room, serial, at))
        self._look()
        known = self._ids.get((room, serial))
        if known is None:
            known = frozenset(person.staff_id for person in self.members(room, serial))
            self._ids[(room, serial)] = known
        return known

    def size(self, room: str) -> int:
        """How many members a room has now."""
        self._look()
        own = self._own_members(room)
        return self._sizes.get(room, 0) if own is None else len(own)

    def _own_members(self, room: str, at: str = "~") -> set[str] | None:
        """Who is in a room that no roster knows of; None: it is a standing room."""
        if room.startswith(PAIR):
            people = set(pair_people(room))
            return people if people <= self._book.staff_by_number.keys() else set()
        if room.startswith(listed.LIST):
            said = self.said(room, at)
            return set(said["members"]) if said else set()
        return None

    def sizes(self) -> Mapping[str, int]:
        """How many members each standing room has; rooms without any are absent."""
        self._look()
        return self._sizes

    def of_ward(self, ward: str) -> list[str]:
        """The standing rooms that somebody of a ward is a member of."""
        self._look()
        return sorted(self._of_wards.get(ward, {ALL}))

    def _look(self) -> None:
        if self._staff != len(self._book.staff):
            self._staff = len(self._book.staff)
            self._ids.clear()
            self._sizes.clear()
            self._of_wards.clear()
            for person in self._book.members(self._book.roster_serial()):
                rooms = standing_rooms(person)
                self._sizes.update(rooms)
                self._of_wards.setdefault(person.ward, {ALL}).update(rooms)

    def visible_to(self, person: Person) -> list[str]:
        """Rooms of somebody's list, in the order shown: standing ones, then own, newest first."""
        rooms = [ALL]
        if ROLE_HQ in person.roles:
            rooms.append(CHIEFS)
            rooms += sorted(room for room in self.sizes() if room.startswith("ward:"))
            rooms += sorted(room for room in self.sizes() if room.startswith("unit:"))
        else:
            rooms.append(f"ward:{person.ward}")
            rooms += [f"unit:{person.unit}"] if person.unit else []
        return rooms + self._own(person)

    def _own(self, person: Person) -> list[str]:
        own = self._views.keys(MEMBER, person.staff_id)
        return sorted(own, key=lambda room: self._views.last_sort(talk.NAME, room), reverse=True)[
            :OWN_MAX
        ]

    def belongs(self, person: StaffCredential | Person, room: str) -> bool:
        """Whether somebody is a member of a room."""
        own = self._own_members(room)
        return room in standing_rooms(person) if own is None else person.staff_id in own

    def may_see(self, person: Person, room: str) -> bool:
        """Whether a page shows the room to somebody: to its members and to hq."""
        return self.belongs(person, room) or (ROLE_HQ in person.roles and self._exists(room))

    def _exists(self, room: str) -> bool:
        if room.startswith(PAIR):
            return bool(self._own_members(room))
        if room.startswith(listed.LIST):
            return self.row(room) is not None
        return room in self.sizes() or room in (ALL, CHIEFS)

    def check(self, person: Person, room: str) -> None:
        """Raises RefusedError `no_room` or `not_member`."""
        if self.may_see(person, room):
            return
        if not self._exists(room):
            raise RefusedError(
                "no_room",
                "このルームはありません。",
                "There is no such room.",
                "ルームの一覧から選んでください。",
                "Choose one from the list of rooms.",
                404,
            )
        raise RefusedError(
            "not_member",
            "このルームのメンバーではありません。",
            "You are not a member of this room.",
            "ルームの一覧から選んでください。",
            "Choose one from the list of rooms.",
            403,
        )

    def check_open(self, person: Person, room: str) -> None:
        """`check`, and `room_closed` (403) for a room in which nobody may write any more."""
        self.check(person, room)
        said = self.said(room)
        if said is not None and said["closed"]:
            raise RefusedError(
                "room_closed",
                "このルームは終了しています。送っていません。",
                "This room is closed. It was not sent.",
                "別のルームに書くか、作った人に再開を頼んでください。",
                "Write in another room, or ask its maker to open it again.",
                403,
            )

    def may_change(self, person: Person, room: str) -> bool:
        """Whether somebody may change the members of a room: its maker and registrars."""
        row = self.row(room)
        by = row is not None and row["maker"] == person.staff_id
        return by or (row is not None and ROLE_REGISTRAR in person.roles)


def standing_rooms(person: StaffCredential | Person) -> list[str]:
    """The standing rooms that somebody is a member of."""
    rooms = [ALL, f"ward:{person.ward}"]
    rooms += [f"unit:{person.unit}"] if person.unit else []
    return rooms + [f"role:{role}" for role in person.roles]
