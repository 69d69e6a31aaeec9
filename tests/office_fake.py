"""A small honest Office in memory: the page's exam partner, one node and no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from meshrelay.desk.order import MODE, ROLES
from meshrelay.errors import RefusedError
from meshrelay.node.card_desk import CardHolder, NodeState, TemporaryCard
from meshrelay.node.displays import FILE, Displays
from meshrelay.node.office import (
    Changes,
    Holder,
    LaneWord,
    LinkWord,
    Message,
    NetworkInfo,
    NodeInfo,
    NodeWord,
    Person,
    Posted,
    Reader,
    RoomView,
    Search,
    Status,
    Wall,
    WallItem,
    Ward,
    WhoRead,
)
from tests.boards_fake import FakeBoards

NOW_MS = 1_795_000_000_000  # 2026-11-18T20:06:40+09:00
TEXT_CHARS_MAX = 4000

SATO = Person("1001", "佐藤 花子", "さとう はなこ", "01", "総務班", ("staff",))
SUZUKI = Person("2001", "鈴木 一郎", "すずき いちろう", "02", "避難所班", ("staff",))
MAYOR = Person("0001", "市長 松田", "まつだ", "00", "本部", ("hq", "staff"))
STAFF = (SATO, SUZUKI, MAYOR)
YAMADA = Person("1009", "山田 登", "やまだ のぼる", "01", "総務班", ("registrar", "staff"))
CARD = "AAAA-BBBB-CCCC-DDDD-1"
PIN = "246810"


@dataclass
class FakeSeat:
    person: Person
    revoked: bool = False


@dataclass
class FakeOffice:
    """Everything in dictionaries; place and readers are set by the test, never by magic."""

    network: NetworkInfo = field(default=NetworkInfo("5a" * 16, "大阪市", False))
    me: NodeInfo = field(default=NodeInfo("01" * 32, "北区役所", "01", False))
    wards: dict[str, Ward] = field(
        default_factory=lambda: {
            "00": Ward("00", "本部", "HQ"),
            "01": Ward("01", "北区", "Kita"),
            "02": Ward("02", "中央区", "Chuo"),
        }
    )
    now: int = NOW_MS
    archive_age_ms: int | None = 20_000
    left_n: int | None = 0
    pins: dict[str, str] = field(default_factory=lambda: {person.staff_id: PIN for person in STAFF})
    kept: dict[tuple[str, str], Message] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[object, Posted]] = field(default_factory=dict)
    reads: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    seats: list[FakeSeat] = field(default_factory=list)
    refuse: RefusedError | None = None
    staff: tuple[Person, ...] = STAFF
    box: PrivateKey = field(default_factory=PrivateKey.generate)
    conflicts: set[str] = field(default_factory=set)
    temporary: dict[str, Person] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=dict)
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)
    directory: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)
    boards: FakeBoards = field(init=False)
    _changed: int = 0
    _wakes: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.displays = Displays(Path(self.directory.name) / FILE, self.now_ms)
        self.boards = FakeBoards(self)

    def hire(self, person: Person) -> None:
        """One more in the roster, with a PIN."""
        self.staff = (*self.staff, person)
        self.pins[person.staff_id] = PIN

    def now_ms(self) -> int:
        return self.now

    def status(self) -> Status:
        hq = NodeInfo("00" * 32, "本部", "00", True)
        lanes = tuple(
            LaneWord(lane, 10, None if self.left_n is None else 10 - self.left_n, self.now)
            for lane in range(4)
        )
        stated = None if self.archive_age_ms is None else self.now - self.archive_age_ms

        def word(node: NodeInfo, stated_ms: int | None) -> NodeWord:
            return NodeWord(
                node, stated_ms, stated_ms, "lan", None, lanes, "0.1", 1, (0,) * 4, None, None, {}
            )

        link = LinkWord(hq.id, "本部", "00", "lan", "192.0.2.1:7401", self.now, 0, 0)
        links = () if stated is None else (link,)
        return Status(
            self.network, self.me, "0.1", True, (), self.now, 1, self.now, "00" * 8,
            len(self.kept), 9, len(self.kept), len(self.seats), "00" * 16, links,
            {"lan": "connected"}, {}, (word(self.me, self.now), word(hq, stated)),
        )  # fmt: skip

    async def log_in(
        self, staff_id: str, card_code: str, pin: str, pin_again: str | None = None
    ) -> FakeSeat:
        person = next((p for p in self.staff if p.staff_id == staff_id), None)
        if person is None or card_code != CARD:
            raise refused("unknown_card", "カードが見つかりません。", "Unknown card.")
        if staff_id not in self.pins:
            if pin_again is None:
                raise refused(
                    "choose_pin", "はじめて使うカードです。PINを決めてください。", "Choose a PIN."
                )
            if pin_again != pin:
                raise refused("pin_mismatch", "2つのPINが違います。", "The PINs differ.")
            if len(pin) < 6:
                raise refused("pin_too_short", "PINは6桁以上です。", "At least 6 digits.")
            self.pins[staff_id] = pin
        if self.pins[staff_id] != pin:
            raise refused("wrong_pin", "PINが違います。", "Wrong PIN.", 403)
        seat = FakeSeat(person)
        self.seats.append(seat)
        return seat

    @property
    def seal_key(self) -> bytes:
        return bytes(self.box.public_key)

    def unseal(self, page_key: bytes, nonce: bytes, sealed: bytes) -> bytes:
        try:
            return Box(self.box, PublicKey(page_key)).decrypt(sealed, nonce)
        except (CryptoError, ValueError, TypeError) as error:
            raise refused("bad_seal", "封を開けません。", "Bad seal.") from error

    async def reopen(self, seat: FakeSeat, pin: str) -> None:
        if not any(s is seat for s in self.seats):
            raise refused("seat_closed", "席が閉じられました。", "The seat is closed.", 401)
        if self.pins[seat.person.staff_id] != pin:
            raise refused("wrong_pin", "PINが違います。", "Wrong PIN.", 401)

    @property
    def cards(self) -> FakeDesk:
        return FakeDesk(self)

    def log_out(self, seat: FakeSeat) -> None:
        self.seats = [s for s in self.seats if s is not seat]

    def members(self, room: str) -> list[Person]:
        kind, _, name = room.partition(":")
        if room == "all":
            return list(self.staff)
        if kind == "ward" and name in self.wards:
            return [p for p in self.staff if p.ward == name]
        if kind == "unit" and any(p.unit == name for p in self.staff):
            return [p for p in self.staff if p.unit == name]
        if room == "role:hq":
            return [p for p in self.staff if "hq" in p.roles]
        if kind == "pair" and (two := [p for p in self.staff if p.staff_id in name.split("+")])[1:]:
            return two
        if room in self.listed:
            return [p for p in self.staff if p.staff_id in self.listed[room]["members"]]
        raise refused("no_room", "そのルームはありません。", "There is no such room.", 404)

    def enter(self, person: Person, room: str) -> list[Person]:
        members = self.members(room)
        if person not in members and "hq" not in person.roles:
            raise refused("not_member", "このルームの人ではありません。", "Not a member.", 403)
        return members

    async def post(
        self,
        seat: FakeSeat,
        kind: str,
        room: str,
        body: dict[str, Any],
        message_id: str,
        created_ms: int | None,
    ) -> Posted:
        if self.refuse is not None:
            raise self.refuse
        if not any(s is seat for s in self.seats):
            raise refused("seat_closed", "席が閉じられました。", "The seat is closed.", 401)
        if len(message_id) != 36 or message_id[14] != "7":
            raise refused("bad_id", "番号が正しくありません。", "Not a UUIDv7.")
        asked, key = (kind, room, body), (seat.person.staff_id, message_id)
        if key not in self.answers:
            posted = self._post(seat, kind, room, body, message_id, created_ms)
            self.answers[key] = asked, posted
        if self.answers[key][0] != asked:
            raise refused("id_taken", "同じ番号の別の内容があります。", "Id taken.", 409)
        return self.answers[key][1]

    def _post(
        self,
        seat: FakeSeat,
        kind: str,
        room: str,
        body: dict[str, Any],
        message_id: str,
        created_ms: int | None,
    ) -> Posted:
        if kind not in ("talk", "correction", "pin", "room"):
            raise refused("unknown_kind", "知らない種類です。", "Unknown kind.")
        if kind == "room":
            return self._room(seat.person, room, body, message_id)
        members = self.enter(seat.person, room)
        if room in self.listed and self.listed[room]["closed"]:
            raise refused("room_closed", "このルームは終了しています。", "Closed.", 403)
        body = self._about(seat.person, kind, room, body, message_id)
        text = body.get("text")
        if (
            kind != "pin"
            and body.get("act") not in ("withdraw", "false")
            and (not isinstance(text, str) or not text.strip())
        ):
            raise refused("empty", "本文がありません。", "There is no text.")
        if len(text or "") > TEXT_CHARS_MAX:
            raise refused("too_long", "長すぎます。", "Too long.")
        key = (seat.person.staff_id, message_id)
        self.now += 1000
        self.put(
            Message(
                seat.person.staff_id, seat.person.name, seat.person.ward, message_id, kind, room,
                dict(body), created_ms or self.now, self.now, False, False, "01", "node", 0, 0,
                len(members) - 1, True, True, None, f"{self.now:016x}", 0,
            )
        )  # fmt: skip
        return self._posted(self.kept[key])

    def _about(
        self, person: Person, kind: str, room: str, body: dict[str, Any], message_id: str
    ) -> dict[str, Any]:
        """The body as pages see it, and what it changes of the message that it names."""
        of = body.get("reply_to") or body.get("of")
        if of is None and kind == "talk":
            return {"text": body.get("text")}
        key = (of["author"], of["message_id"]) if isinstance(of, dict) else ("", "")
        earlier = self.kept.get(key)
        if earlier is None or earlier.room != room:
            raise refused("no_message", "そのメッセージはありません。", "No such message.", 404)
        quote = {
            "author": earlier.author, "message_id": earlier.message_id, "kind": earlier.kind,
            "name": earlier.author_name, "text": earlier.body.get("text", "")[:80],
        }  # fmt: skip
        said: dict[str, Any] = {"text": body.get("text", ""), "quote": quote}
        if kind == "talk":
            return said
        changed: dict[str, Any] = dict(earlier.body)
        if kind == "pin":
            said["act"] = "pinned" if body.get("on") is not False else "unpinned"
            changed["pinned"] = said["act"] == "pinned"
        else:
            if earlier.author != person.staff_id:
                raise refused("not_yours", "書いた本人だけができます。", "Not yours.", 403)
            if not str(body.get("reason", "")).strip():
                raise refused("no_reason", "理由がありません。", "No reason.")
            said |= {"act": body["act"], "reason": body["reason"]}
            by = {"act": body["act"], "author": person.staff_id, "message_id": message_id}
            changed |= {"replaced": by, "replaced_n": 1}
            if body["act"] == "withdraw":
                changed["text"] = quote["text"] = ""
        self.put(msgspec.structs.replace(earlier, body=changed))
        return said

    def _room(self, person: Person, room: str, body: dict[str, Any], message_id: str) -> Posted:
        old = self.listed.get(room)
        if room and old is None:
            raise refused("no_room", "そのルームはありません。", "There is no such room.", 404)
        if old and old["maker"] != person.staff_id:
            raise refused("not_maker", "作った人だけができます。", "Only its maker.", 403)
        made: dict[str, Any] = {"maker": person.staff_id, "closed": False, **(old or {}), **body}
        if not made.get("name"):
            raise refused("room_name", "名前がありません。", "No name.")
        known = {each.staff_id for each in self.staff}
        if lost := [each for each in made["members"] if each not in known]:
            raise refused("no_person", f"{lost[0]}の人はいません。", f"No {lost[0]}.", 404)
        if old is None:
            made["members"] = sorted({*made["members"], person.staff_id})
        room = room or "list:" + message_id.replace("-", "")
        self.listed[room] = made
        said = {"text": made["name"], "members": len(made["members"]), "closed": made["closed"]}
        self.now += 1000
        self.put(
            Message(
                person.staff_id, person.name, person.ward, message_id, "room", room, said,
                self.now, self.now, False, False, "01", "node", 0, 0, len(made["members"]) - 1,
                True, True, None, f"{self.now:016x}", 0,
            )
        )  # fmt: skip
        return self._posted(self.kept[person.staff_id, message_id])

    async def post_note(
        self, seat: FakeSeat, room: str, text: str, source: str, source_name: str, message_id: str
    ) -> Posted:
        if self.refuse is not None:
            raise self.refuse
        members = self.enter(seat.person, room)
        if not text.strip():
            raise refused("empty", "本文がありません。", "There is no text.")
        self.now += 1000
        note = Message(
            self.me.id, source_name or self.me.name, self.me.ward, message_id, "talk", room,
            {"text": text}, self.now, self.now, False, False,
            self.me.ward, "node", 0, 0, len(members), False, False, None, f"{self.now:016x}", 0,
            unsigned=source, taken_by=seat.person.name,
        )  # fmt: skip
        self.put(note)
        return self._posted(note)

    def _posted(self, m: Message) -> Posted:
        return Posted(m.author, m.message_id, "ab" * 32, m.room, m.arrived_ms, m.trouble)

    def put(self, message: Message) -> None:
        """Keep or replace a message and tell the pages."""
        self._changed += 1
        key = (message.author, message.message_id)
        self.kept[key] = msgspec.structs.replace(message, changed=self._changed)
        self.wake()

    def wake(self) -> None:
        for call in list(self._wakes):
            call()

    def mark_read(self, seat: FakeSeat, items: list[tuple[str, str]]) -> None:
        for author, message_id in items:
            message = self.kept.get((author, message_id))
            if message is None or author == seat.person.staff_id:
                continue
            self.reads.setdefault((author, message_id), {})[seat.person.staff_id] = self.now
            self.put(message)

    def seen_by(self, message: Message, person: Person) -> Message:
        readers = self.reads.get((message.author, message.message_id), {})
        mine = message.author == person.staff_id
        return msgspec.structs.replace(
            message,
            mine=mine,
            read_n=len(readers),
            read_by_me=mine or person.staff_id in readers,
        )

    def visible(self, person: Person) -> list[Message]:
        rooms = {room.id for room in self._rooms(person)}
        found = [m for m in self.kept.values() if m.room in rooms]
        return [self.seen_by(m, person) for m in sorted(found, key=lambda m: m.sort)]

    def _rooms(self, person: Person) -> list[RoomView]:
        names = {
            "all": ("全庁", "Everybody"),
            f"ward:{person.ward}": (self.wards[person.ward].name, self.wards[person.ward].name_en),
            f"unit:{person.unit}": (person.unit, person.unit),
        }
        if "hq" in person.roles:
            names["role:hq"] = ("本部長", "HQ chiefs")
        for message in self.kept.values():
            if message.room.startswith("pair:") and person in (two := self.members(message.room)):
                other = next(each.name for each in two if each != person)
                names[message.room] = (other, other)
        views = [
            RoomView(room, ja, en, len(self.members(room)), 0, None)
            for room, (ja, en) in names.items()
        ]
        return views + [
            RoomView(
                room, made["name"], made["name"], len(made["members"]), 0, None,
                made["maker"] == person.staff_id, made["closed"], tuple(made["members"]),
            )
            for room, made in self.listed.items()
            if person.staff_id in made["members"]
        ]  # fmt: skip

    def room_view(self, person: Person, room: str) -> RoomView:
        self.enter(person, room)
        found = next((view for view in self.rooms(person) if view.id == room), None)
        if found is not None:
            return found
        name = "・".join(each.name for each in self.members(room) if each != person)
        return RoomView(room, name, name, len(self.members(room)), 0, None)

    def around(
        self, person: Person, room: str, author: str, message_id: str, limit: int
    ) -> list[Message]:
        found = self.messages(person, room, None, 9999)
        at = [n for n, m in enumerate(found) if (m.author, m.message_id) == (author, message_id)]
        if not at:
            raise refused("no_message", "そのメッセージはありません。", "No such message.", 404)
        return found[max(0, at[0] + 1 - limit // 2) : at[0] + 1 + limit // 2]

    def own_last(self, person: Person) -> Message | None:
        return next((m for m in self.visible(person)[::-1] if m.mine and not m.unsigned), None)

    def pinned(self, person: Person, room: str) -> list[Message]:
        found = [m for m in self.messages(person, room, None, 999) if m.body.get("pinned")]
        return found[::-1]

    async def people(self, text: str, limit: int) -> list[Person]:
        if not text.strip():
            raise refused("no_query", "言葉がありません。", "Nothing to search for.")
        called = [(p, f"{p.staff_id} {p.name} {p.kana} {p.unit}") for p in self.staff]
        return [person for person, words in called if text.strip() in words][:limit]

    async def search(self, person: Person, query: str, room: str | None = None) -> Search:
        if not query.strip():
            raise refused("no_query", "言葉がありません。", "Nothing to search for.")
        if room is not None:
            self.enter(person, room)
        found = [
            m
            for m in self.visible(person)
            if (room is None or m.room == room)
            and all(word in str(m.body.get("text")) for word in query.split())
        ]
        return Search(tuple(found[::-1][:50]), len(found) <= 50)

    def rooms(self, person: Person) -> list[RoomView]:
        views = []
        for room in self._rooms(person):
            inside = [m for m in self.visible(person) if m.room == room.id]
            unread = sum(not m.read_by_me for m in inside)
            last = inside[-1] if inside else None
            views.append(msgspec.structs.replace(room, unread_n=unread, last=last))
        return views

    def messages(
        self, person: Person, room: str, before: str | None = None, limit: int = 50
    ) -> list[Message]:
        self.enter(person, room)
        found = [self.seen_by(m, person) for m in self.kept.values() if m.room == room]
        found.sort(key=lambda m: m.sort)
        return [m for m in found if before is None or m.sort < before][-limit:]

    def changes(self, person: Person, after: str | None) -> Changes:
        life, _, number = (after or f"a.{self._changed}").partition(".")
        reset = life != "a" or not number.isdigit()
        since = self._changed if reset else int(number)
        found = [m for m in self.visible(person) if m.changed > since]
        return Changes(f"a.{self._changed}", tuple(found), False, reset, self.now)

    def who(self, person: Person, author: str, message_id: str) -> WhoRead:
        message = self.kept.get((author, message_id))
        if message is None:
            raise refused("no_message", "そのメッセージはありません。", "No such message.", 404)
        members = self.enter(person, message.room)
        read = self.reads.get((author, message_id), {})
        readers = [
            Reader(
                member,
                self.wards[member.ward].name,
                "read" if member.staff_id in read
                else "reached" if member.ward == message.origin_ward or message.place == "wards"
                else "unreached",
                read.get(member.staff_id),
                47 * 60_000 if member.ward == "00" else None,
            )
            for member in members
            if member.staff_id != author
        ]  # fmt: skip
        readers.sort(key=lambda r: (r.state == "read", r.person.ward, r.person.kana))
        holders = (Holder("01" * 32, "01", "北区", False, self.now - 5000),)
        return WhoRead(self.seen_by(message, person), tuple(readers), holders, True)

    def urgent(self, person: Person) -> list[Message]:
        found = [m for m in self._orders() if m.room in {r.id for r in self._rooms(person)}]
        seen = [self.seen_by(m, person) for m in reversed(found)]
        return [m for m in seen if not m.mine and not m.read_by_me]

    @property
    def urgent_stamp(self) -> str:
        return str(max((m.changed for m in self.kept.values() if m.kind in ROLES), default=""))

    def wall(self) -> Wall:
        items = [
            WallItem(
                m.sort, m.kind, m.body["text"] if m.room == "all" else None, m.created_ms, m.expiry,
                m.trouble is not None,
            )
            for m in self._orders()
            if m.room in ("all", f"ward:{self.me.ward}")
        ]  # fmt: skip
        modes = [item for item in items if item.kind == MODE and item.text is not None]
        return Wall(modes[-1] if modes else None, items[-1] if items else None)

    def _orders(self) -> list[Message]:
        orders = [m for m in self.kept.values() if m.kind in ROLES and m.expiry != "expired"]
        return sorted(orders, key=lambda m: m.sort)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        self._wakes.append(wake)
        return lambda: self._wakes.remove(wake)


@dataclass
class FakeDesk:
    """Cards over the same dictionaries."""

    office: FakeOffice

    def _registrar(self, seat: FakeSeat, staff_id: str = "") -> Person | None:
        if not any(s is seat for s in self.office.seats):
            raise refused("seat_closed", "席が閉じられました。", "The seat is closed.", 401)
        if "registrar" not in seat.person.roles:
            raise refused("no_right", "登録担当者だけができます。", "Registrars only.", 403)
        if not staff_id:
            return None
        person = next((p for p in self.office.staff if p.staff_id == staff_id), None)
        if person is None:
            raise refused("no_person", "その人はいません。", "No such person.", 404)
        if person.ward != seat.person.ward:
            raise refused("no_right", "ほかの区の人です。", "Another ward's person.", 403)
        return person

    async def change_pin(
        self, seat: FakeSeat, card_code: str, pin: str, new_pin: str, new_pin_again: str
    ) -> None:
        staff_id = seat.person.staff_id
        if card_code != CARD:
            raise refused("unknown_card", "カードが違います。", "Unknown card.", 401)
        if self.office.pins[staff_id] != pin:
            raise refused("wrong_pin", "PINが違います。", "Wrong PIN.", 401)
        if new_pin != new_pin_again:
            raise refused("pin_mismatch", "2つのPINが違います。", "The PINs differ.")
        self.office.pins[staff_id] = new_pin

    def find(self, seat: FakeSeat, text: str, limit: int = 50) -> list[CardHolder]:
        everywhere = "hq" in seat.person.roles
        if not everywhere:
            self._registrar(seat)
        found = [
            person
            for person in (*self.office.staff, *self.office.temporary.values())
            if (everywhere or person.ward == seat.person.ward)
            and any(text in each for each in (person.staff_id, person.name, person.kana))
        ]
        return [
            CardHolder(
                person,
                "conflict" if person.staff_id in self.office.conflicts
                else "in_use" if person.staff_id in self.office.pins
                else "unused",
                person.staff_id in self.office.temporary,
            )
            for person in found[:limit]
        ]  # fmt: skip

    async def reset_pin(self, seat: FakeSeat, staff_id: str) -> None:
        person = self._registrar(seat, staff_id)
        if person is not None and "hq" in person.roles:
            raise refused("hq_card", "本部のカードです。", "An hq card.", 403)
        self.office.pins.pop(staff_id, None)

    async def settle(self, seat: FakeSeat, staff_id: str, card_code: str, pin: str) -> None:
        self._registrar(seat, staff_id)
        if card_code != CARD or self.office.pins.get(staff_id) != pin:
            raise refused("wrong_pin", "PINが違います。", "Wrong PIN.", 401)
        self.office.conflicts.discard(staff_id)

    async def issue_temporary(
        self, seat: FakeSeat, name: str, kana: str, unit: str
    ) -> TemporaryCard:
        self._registrar(seat)
        staff_id = f"T{len(self.office.temporary) + 1:03}"
        ward = seat.person.ward
        self.office.temporary[staff_id] = Person(staff_id, name, kana, ward, unit, ("staff",))
        return TemporaryCard(staff_id, name, ward, CARD)

    def nodes(self, seat: FakeSeat) -> list[NodeState]:
        if not {"registrar", "hq"} & set(seat.person.roles):
            raise refused("no_right", "登録担当者だけができます。", "Registrars only.", 403)
        found = []
        for word in self.office.status().words:
            said = tuple(self.office.asked.get(word.node.id, ()))
            found.append(NodeState(word.node, len(said) >= 2, False, said))
        return found

    async def suspend(self, seat: FakeSeat, node: str) -> None:
        self._registrar(seat)
        state = next((s for s in self.nodes(seat) if s.node.id == node), None)
        if state is None:
            raise refused("no_node", "その機器はありません。", "No such node.", 404)
        if state.node.archive:
            raise refused("not_suspendable", "本部は止められません。", "Not HQ.", 403)
        self.office.asked.setdefault(node, []).append(seat.person.name)

    async def lift(self, seat: FakeSeat, node: str) -> None:
        self._registrar(seat)
        if node not in self.office.asked:
            raise refused("no_node", "停止は求められていません。", "Nobody asked.", 404)
        del self.office.asked[node]


def refused(code: str, ja: str, en: str, status: int = 400) -> RefusedError:
    return RefusedError(code, ja, en, "もう一度試してください。", "Try again.", status)
