"""What pages read: rows of the read model, with what receipts prove about each message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from meshrelay.core import claims
from meshrelay.core.clock import EXPIRED, UNSURE, age_now, is_uncertain, validity
from meshrelay.core.entry import LogId
from meshrelay.core.events import Now
from meshrelay.core.gaps import lacks
from meshrelay.core.records import ROLE_ARCHIVE, NodeCredential
from meshrelay.core.signing import hash32
from meshrelay.core.sync import Machine
from meshrelay.desk import note, pin, receipts, room, talk
from meshrelay.desk.kind import Row, pair_people
from meshrelay.node.about import About, no_message
from meshrelay.node.office import (
    Changes,
    Holder,
    Message,
    Person,
    Reader,
    RoomView,
    WhoRead,
)
from meshrelay.node.rooms import Rooms
from meshrelay.node.seats import to_person
from meshrelay.store.log import ENDED
from meshrelay.store.views import Found, ViewReader

CHANGES_MAX = 200
UNREAD_MAX = 100
MESSAGES_MAX = 200
# The newest of a room that is not hidden is looked for among so many.
LAST_LOOKED_AT = 5
# For so long the news of a moment are the same for all who ask.
BURST_MS = 500
# Arrived this much later than written, from another ward: 遅れて届いた.
LATE_MS = 60_000
EXPIRY = {EXPIRED: "expired", UNSURE: "unsure"}


class Reading:
    """Builds the plain values of office.py; quick, on the event loop."""

    def __init__(
        self, machine: Machine, views: ViewReader, rooms: Rooms, now: Callable[[], Now]
    ) -> None:
        self._machine = machine
        self._views = views
        self._rooms = rooms
        self._now = now
        self._about = About(views, rooms, self.is_hidden)
        self._burst: dict[tuple[str, int], tuple[Message, frozenset[str]]] = {}
        self._burst_ms = 0

    def _now_ms(self) -> int:
        return self._now().pt_ms

    # Place: what receipts prove

    def holders(self, log: LogId, seq: int) -> list[Holder]:
        """Nodes other than the origin whose HAVE covers an entry, this node included."""
        found = []
        for key, node in self._machine.book.nodes.items():
            if key == log.origin and ROLE_ARCHIVE not in node.roles:
                continue
            stated_ms = self._covers(key, log, seq)
            if stated_ms is not None:
                found.append(self._holder(key, node, stated_ms))
        return found

    def _covers(self, node: bytes, log: LogId, seq: int) -> int | None:
        """When `node` stated that it holds an entry (newest HAVE), None if it did not."""
        if node == self._machine.me:
            vector = self._machine.vector
            held = vector.height(log) >= seq and not lacks(vector.gaps.get(log, ()), seq)
            return self._now_ms() if held else None
        if not self._machine.receipts.has(node, log, seq):
            return None
        newest = self._machine.receipts.newest(node)
        return newest.stated_ms if newest else None

    def _holder(self, key: bytes, node: NodeCredential, stated_ms: int) -> Holder:
        return Holder(key.hex(), node.ward, node.ward_name, ROLE_ARCHIVE in node.roles, stated_ms)

    def row_holders(self, row: Row) -> list[Holder]:
        """Holders over all copies of a message, each node once."""
        holders = {}
        for at in talk.same_places(row):
            for holder in self.holders(*_place(at)):
                holders[holder.node] = holder
        return list(holders.values())

    # Messages

    def message(self, found: Found, person: Person, whole: bool = False) -> Message:
        """`whole`: with the words of what was withdrawn too."""
        told, readers = self._tell(found, whole) if whole else self._told(found)
        mine = told.author == person.staff_id
        read = person.staff_id in readers or self._is_ended_read(found.row, person)
        return structs.replace(told, mine=mine, read_by_me=read) if mine or read else told

    def _told(self, found: Found) -> tuple[Message, frozenset[str]]:
        """What a message is to everybody; five hundred phones ask for it in one breath."""
        now_ms = self._now_ms()
        if abs(now_ms - self._burst_ms) > BURST_MS:
            self._burst.clear()
            self._burst_ms = now_ms
        key = (found.key, found.changed)
        known = self._burst.get(key)
        if known is None:
            known = self._burst[key] = self._tell(found, False)
        return known

    def _tell(self, found: Found, whole: bool) -> tuple[Message, frozenset[str]]:
        """A message as somebody sees it who has not read it, and who has."""
        row = found.row
        shown = talk.shown(row)
        now = self._now()
        nodes = self._machine.book.nodes
        origin = nodes.get(bytes.fromhex(shown["origin"]))
        wards_in = {
            node.ward for at in talk.same_places(row) if (node := nodes.get(_place(at)[0].origin))
        }
        holders = self.row_holders(row)
        others = {h.ward for h in holders if not h.archive} - wards_in
        if len(wards_in) > 1:  # taken in at several wards: all but the shown one are others
            others |= wards_in - {origin.ward if origin else ""}
        readers = self._readers(row)
        members = self._rooms.member_ids(shown["room"], shown["roster"], found.sort)
        reading = {who for who in readers if who in members} - {row["author"]}
        complete = self._machine.book.roster_complete(shown["roster"])
        author = self._machine.book.staff_by_number.get(row["author"])
        staff = self._machine.book.staff[author] if author else None
        archived = any(holder.archive for holder in holders)
        about = self._about.words(found, shown, whole)
        trouble = self._trouble(row, shown)
        message = Message(
            author=row["author"],
            author_name=staff.name if staff else self._taker(shown, row["author"]),
            author_ward=staff.ward if staff else origin.ward if origin else "",
            message_id=_dashed(row["id"]),
            kind=shown.get("kind", note.NAME if "unsigned" in shown else talk.NAME),
            room=shown["room"],
            body=_body(shown) | about,
            created_ms=shown["created"],
            arrived_ms=shown["arrived"],
            late=self._is_late(row, shown),
            clock_uncertain=is_uncertain(shown["hlc"], shown["quality"], now.pt_ms),
            origin_ward=origin.ward_name if origin else "?",
            place="archive" if archived else "wards" if others else "node",
            wards_n=len(others),
            read_n=len(reading),
            members_n=len(members) - (row["author"] in members) if complete else None,
            mine=False,
            read_by_me=False,
            trouble=trouble or ("conflict" if about.get("replaced_n", 0) > 1 else None),
            sort=found.sort,
            changed=found.changed,
            expiry=self.expiry(shown),
            unsigned=shown.get("unsigned", ""),
            taken_by=self._name(shown.get("taken_by", "")),
        )
        return message, frozenset(readers)

    def expiry(self, copy: Row) -> str:
        """The word for one copy: `valid`, `expired` or `unsure`."""
        now = self._now()
        age = age_now(copy["age"], copy["seen_ms"], now.seen_ms, now.gap_ms)
        word = validity(
            copy["created"], copy["created_quality"], copy["lifetime_s"], now.pt_ms, now.quality,
            age,
        )  # fmt: skip
        return EXPIRY.get(word, "valid")

    def _taker(self, shown: Row, author: str) -> str:
        """Who stands above a message without an author: whose words a note says they are."""
        if "unsigned" not in shown:
            return author
        origin = self._machine.book.nodes.get(bytes.fromhex(shown["origin"]))
        return shown["source_name"] or (origin.name if origin else "")

    def _name(self, staff_id: str) -> str:
        staff = self._machine.book.staff_by_number.get(staff_id)
        return self._machine.book.staff[staff].name if staff else staff_id

    def _trouble(self, row: Row, shown: Row) -> str | None:
        """A note has no verdict of an author: above an end it says by itself why."""
        trouble = talk.trouble(row)
        if trouble == ENDED:
            return self._machine.book.why_ended(_place(shown["place"])[0])
        return trouble or self._standing(shown)

    def _standing(self, shown: Row) -> str | None:
        """Why the author's words are marked: their card is claimed twice."""
        session = bytes.fromhex(shown["session"])
        return "binding_conflict" if claims.is_doubtful(self._machine.book, session) else None

    def is_hidden(self, row: Row) -> bool:
        """Whether only suspended nodes took the message in: hidden until that is lifted."""
        book = self._machine.book
        origins = {bytes.fromhex(copy["origin"]) for copy in row["copies"].values()}
        return all(claims.is_suspended(book, origin) for origin in origins)

    def _is_late(self, row: Row, shown: Row) -> bool:
        if shown["origin"] == self._machine.me.hex():
            return False
        arrived = min(copy["arrived"] for copy in row["copies"].values())
        return bool(arrived - shown["created"] > LATE_MS)

    def _readers(self, row: Row) -> dict[str, int]:
        """Person -> when, over all copies."""
        readers: dict[str, int] = {}
        for at in talk.same_places(row):
            for found in self._views.group(receipts.NAME, at):
                who, when = found.row["person"], found.row["at"]
                readers[who] = min(when, readers.get(who, when))
        return readers

    def _is_ended_read(self, row: Row, person: Person) -> bool:
        """Whether the person has seen what now stands above an end; no receipt for others."""
        places = {copy["place"] for copy in talk.same_copies(row) if copy["ended"]}
        return any(self._views.get(receipts.NAME, f"{at}:{person.staff_id}") for at in places)

    def messages(self, person: Person, room: str, before: str | None, limit: int) -> list[Message]:
        self._rooms.check(person, room)
        limit = max(1, min(limit, MESSAGES_MAX))
        rows = self._views.newest(talk.NAME, room, before, limit)
        return [self.message(found, person) for found in rows if not self.is_hidden(found.row)]

    def around(
        self, person: Person, room: str, author: str, message_id: str, limit: int
    ) -> list[Message]:
        self._rooms.check(person, room)
        found = self.find(author, message_id)
        if found is None or found.group != room:
            raise no_message()
        rows = self._views.newest(talk.NAME, room, found.sort + "~", limit // 2)
        rows += self._views.above(talk.NAME, room, found.sort, limit // 2)
        return [self.message(each, person) for each in rows if not self.is_hidden(each.row)]

    def rooms(self, person: Person) -> list[RoomView]:
        return [self.room_view(person, room) for room in self._rooms.visible_to(person)]

    def room_view(self, person: Person, room: str) -> RoomView:
        self._rooms.check(person, room)
        name, name_en = self._rooms.name(room, person)
        said = self._rooms.said(room)
        standing = said is None and not pair_people(room)
        complete = self._machine.book.roster_complete(self._machine.book.roster_serial())
        newest = self._views.newest(talk.NAME, room, None, LAST_LOOKED_AT)
        last = [found for found in newest if not self.is_hidden(found.row)]
        return RoomView(
            room,
            name,
            name_en,
            self._rooms.size(room) if complete or not standing else None,
            self._views.unseen(talk.NAME, room, receipts.NAME, person.staff_id, UNREAD_MAX),
            self.message(last[-1], person) if last else None,
            said is not None and self._rooms.may_change(person, room),
            bool(said and said["closed"]),
            tuple(said["members"]) if said else (),
        )

    def pinned(self, person: Person, room: str) -> list[Message]:
        self._rooms.check(person, room)
        found = self._about.pins(room)
        return [self.message(each, person) for each in found if not self.is_hidden(each.row)]

    def own_last(self, person: Person) -> Message | None:
        # A message id is a UUIDv7: the greatest key is the newest.
        for found in self._views.latest(talk.NAME, f"{person.staff_id}/", LAST_LOOKED_AT):
            told = talk.shown(found.row).get("kind") not in (pin.NAME, room.NAME)
            seen = self._rooms.may_see(person, found.group) and not self.is_hidden(found.row)
            if told and seen:
                return self.message(found, person)
        return None

    def cursor(self) -> str:
        """Where the read model stands now."""
        return f"{self._life()}-{self._views.changed()}"

    def _life(self) -> str:
        """Of the read model; a suspension hides or shows messages that did not change."""
        book = self._machine.book
        hidden = [node for node in sorted(book.suspensions) if claims.is_suspended(book, node)]
        return self._views.life() + (hash32(*hidden).hex()[:8] if hidden else "")

    def changes(self, person: Person, after: str | None) -> Changes:
        life, _, number = (after or "").rpartition("-")
        now_ms = self._now_ms()
        if life != self._life() or not number.isdigit():
            return Changes(self.cursor(), (), False, after is not None, now_ms)
        if int(number) == self._views.changed():
            return Changes(f"{life}-{number}", (), False, False, now_ms)
        found = self._views.changed_after(talk.NAME, int(number), CHANGES_MAX)
        groups = {each.group for each in found}
        visible = {room for room in groups if self._rooms.may_see(person, room)}
        messages = [
            self.message(each, person)
            for each in found
            if each.group in visible and not self.is_hidden(each.row)
        ]
        more = len(found) == CHANGES_MAX
        newest = max((each.changed for each in found), default=int(number))
        return Changes(f"{life}-{newest}", tuple(messages), more, False, now_ms)

    # Who has read

    def find(self, author: str, message_id: str) -> Found | None:
        """The row of a message."""
        return self._views.get(talk.NAME, f"{author}/{message_id.replace('-', '').lower()}")

    def shown_at(self, found: Found) -> tuple[LogId, int]:
        """Which entry a page displays for a message."""
        return _place(talk.shown(found.row)["place"])

    def who(self, person: Person, author: str, message_id: str) -> WhoRead:
        found = self.find(author, message_id)
        if found is None or self.is_hidden(found.row):
            raise no_message()
        row = found.row
        shown = talk.shown(row)
        self._rooms.check(person, shown["room"])
        read_at = self._readers(row)
        holders = self.row_holders(row)
        at_wards = {holder.ward for holder in holders} | {self._origin_ward(row)}
        wards = self._rooms.wards()
        members = self._rooms.members(shown["room"], shown["roster"], found.sort)
        people = [to_person(each) for each in members if each.staff_id != row["author"]]
        complete = self._machine.book.roster_complete(shown["roster"])
        readers = []
        for each in people:
            at_ms = read_at.get(each.staff_id)
            reached = each.ward in at_wards
            readers.append(
                Reader(
                    each,
                    wards[each.ward].name if each.ward in wards else each.ward,
                    "read" if at_ms is not None else "reached" if reached else "unreached",
                    at_ms,
                    None if reached else self.ward_age_ms(each.ward),
                )
            )
        readers.sort(key=lambda r: (r.state == "read", r.person.ward, r.person.kana))
        return WhoRead(self.message(found, person, True), tuple(readers), tuple(holders), complete)

    def _origin_ward(self, row: Row) -> str:
        shown = talk.shown(row)
        node = self._machine.book.nodes.get(bytes.fromhex(shown["origin"]))
        if shown["ended"]:  # whoever stole its key need not be there
            return ""
        return node.ward if node else ""

    def ward_age_ms(self, ward: str) -> int | None:
        """Age of the newest HAVE heard of any node of a ward."""
        stated = [
            have.stated_ms
            for key, node in self._machine.book.nodes.items()
            if node.ward == ward and (have := self._machine.receipts.newest(key)) is not None
        ]
        return max(self._now_ms() - max(stated), 0) if stated else None


def _place(text: str) -> tuple[LogId, int]:
    origin, incarnation, lane, seq = text.split(":")
    return LogId(bytes.fromhex(origin), bytes.fromhex(incarnation), int(lane)), int(seq)


def _body(shown: Row) -> dict[str, Any]:
    """What the kind's fold kept; of a file all but its small picture."""
    if "file" not in shown:
        more: dict[str, Any] = {key: shown[key] for key in ("members", "closed") if key in shown}
        return {"text": shown["text"], **more}
    attached = shown["file"] | {"thumbnail": bool(shown["file"]["thumbnail"])}
    return {"text": shown["text"], "file": attached}


def _dashed(hex_id: str) -> str:
    return "-".join((hex_id[:8], hex_id[8:12], hex_id[12:16], hex_id[16:20], hex_id[20:]))
