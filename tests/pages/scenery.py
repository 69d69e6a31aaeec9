"""What a ward may look like when somebody opens a page: nothing yet, a usual day, 500 items, …"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import compress, crc32

import msgspec

from meshrelay.core.entry import NORMAL
from meshrelay.errors import RefusedError
from meshrelay.node.board_desk import (
    AttachmentDraft,
    Document,
    DocumentVersion,
    Edit,
    EventDraft,
    NoticeDraft,
)  # fmt: skip
from meshrelay.node.courier_desk import CourierFile, Reading, busy, refusal
from meshrelay.node.file_desk import Content, FileState, KeptFile
from meshrelay.node.files import bad_type
from meshrelay.node.office import (
    NetworkInfo,
    NodeInfo,
    NodeWord,
    Person,
    RoomView,
    Status,
    Ward,
)
from meshrelay.node.room import storage_full
from tests.boards_fake import FakeBoards, entry_of
from tests.monitor_scene import ALL_WARDS, City, four_wards, unheard, whole_city
from tests.office_fake import MAYOR, NOW_MS, SATO, SUZUKI, YAMADA, FakeOffice, refused
from tests.pages.browser import attached, message_id, say

MANY = 500
# Forty letters and no place to break; forty full-width characters.
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorffwelch"
LONG_WORDS = "東淀川区災害対策本部避難所支援班物資担当第二係応援職員臨時連絡調整窓口日曜夜間帯"
MINUTE = 60_000


def _picture(width: int, height: int) -> bytes:
    """A small picture of a slope, as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    rows = (b"\0" + bytes(90 + (x + y) % 120 for x in range(width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = (b"IHDR", head), (b"IDAT", compress(b"".join(rows))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in body)


PICTURE = _picture(144, 108)


@dataclass
class ShownFiles:
    """Files that are only looked at; every upload is refused."""

    kept: list[FileState] = field(default_factory=list)

    async def keep(self, seat: Any, media_type: str, content: AsyncIterator[bytes]) -> KeptFile:
        async for _ in content:
            pass
        raise bad_type(media_type)

    def files(self, person: Person, room: str, before: str | None, limit: int) -> list[FileState]:
        return [each for each in self.kept if before is None or each.sort < before][:limit]

    def _file(self, blob: str) -> FileState:
        found = next((each for each in self.kept if each.blob == blob), None)
        if found is None:
            raise refused("no_file", "そのファイルはありません。", "No such file.", 404)
        return found

    def content(self, person: Person, blob: str) -> Content | None:
        found = self._file(blob)
        if found.state != "here":
            return None
        return Content(blob, found.name, found.type, len(PICTURE), 1)

    async def part(self, blob: str, part: int) -> bytes | None:
        return PICTURE

    def fetch(self, person: Person, blob: str) -> FileState:
        return self._file(blob)

    def thumbnail(self, person: Person, blob: str) -> tuple[str, bytes]:
        return "image/png", PICTURE


@dataclass
class ShownCouriers:
    """Courier files that were read; what is brought now is refused."""

    readings: dict[str, Reading] = field(default_factory=dict)

    async def write(self, seat: Any, to: str) -> CourierFile:
        raise busy()

    async def receive(self, seat: Any, pieces: AsyncIterator[bytes]) -> str:
        async for _ in pieces:
            pass
        raise refusal("not_a_courier_file")

    def reading(self, reading: str) -> Reading | None:
        return self.readings.get(reading)


@dataclass
class ShownBoards(FakeBoards):
    """Each file of the room is a document of two versions, too."""

    def documents(
        self, person: Person, room: str | None, name: str, before: str | None, limit: int
    ) -> list[Document]:
        return [self._document(file) for file in self._files() if name in file.name][:limit]

    def document(self, person: Person, author: str, message_id: str) -> Document:
        (file,) = (each for each in self._files() if each.message_id == message_id)
        return self._document(file)

    def _files(self) -> list[FileState]:
        assert isinstance(self.office, Scenery)
        return self.office.files.kept

    def _document(self, file: FileState) -> Document:
        message = next(iter(self.office.kept.values()))
        said = msgspec.structs.replace(message, author=file.author, message_id=file.message_id)
        versions = tuple(
            DocumentVersion(message=said, number=n, current=n == 2, entries=(), file=file)
            for n in (2, 1)
        )
        return Document(
            author=file.author, message_id=file.message_id, room="all", may_edit=True,
            unread=file.state == "unknown", replaces=(), sort=file.sort, versions=versions,
        )  # fmt: skip


@dataclass
class Scenery(FakeOffice):
    """An office with files, courier files and as many rooms and nodes as the scene needs."""

    files: ShownFiles = field(default_factory=ShownFiles)
    couriers: ShownCouriers = field(default_factory=ShownCouriers)
    more_rooms: list[RoomView] = field(default_factory=list)
    words: tuple[NodeWord, ...] = ()
    city: City = field(default_factory=lambda: City(unheard("00")))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.boards = ShownBoards(self)

    def rooms(self, person: Person) -> list[RoomView]:
        return [*super().rooms(person), *self.more_rooms]

    def status(self) -> Status:
        said = super().status()
        return msgspec.structs.replace(said, words=(*said.words, *self.words))


def _file(n: int, name: str, who: Person, **more: Any) -> FileState:
    values: dict[str, Any] = {
        "blob": f"{n:064x}", "name": name, "type": "image/jpeg", "size": 120_000 + 7919 * n,
        "text": "", "thumbnail": False, "author": who.staff_id, "author_name": who.name,
        "author_ward": who.ward, "message_id": message_id(9000 + n), "created_ms": NOW_MS,
        "expiry": "valid", "state": "here", "here_n": 0, "archive": False, "wards": (),
        "sort": f"{99999 - n:05}",
    }  # fmt: skip
    return FileState(**{**values, **more})


def _notice(office: FakeOffice, who: Person, title: str, n: int, **more: Any) -> None:
    draft = NoticeDraft(**{"room": "all", "title": title, "text": "午後3時までです。", **more})
    message = say(office, who, title, n, kind="board", room=draft.room)
    office.boards.put(message, draft)


def _event(office: FakeOffice, title: str, n: int, day: int, **more: Any) -> None:
    at = f"2026-11-{day}T"
    values = {"room": "all", "start": f"{at}09:00+09:00", "end": f"{at}11:30+09:00", **more}
    message = say(office, SATO, title, n, kind="event")
    office.boards.put(message, EventDraft(title=title, **values))


def _papers(office: FakeOffice) -> None:
    """A notice that two people edited at once, one called off, an event that lasts."""
    edit = Edit(SUZUKI.staff_id, message_id(51), [entry_of(message_id(51))])
    _notice(office, SUZUKI, "断水のお知らせ", 51)
    _notice(office, SUZUKI, "断水のお知らせ（夕方まで）", 52, edit=edit)
    pdf = AttachmentDraft("b1" * 32, "給水場所.pdf", "application/pdf")
    _notice(office, YAMADA, "断水のお知らせ（夜まで）", 53, edit=edit, pin=True, files=[pdf])
    _notice(office, SATO, "炊き出し", 54, withdrawn=True)
    _event(office, "対策本部会議", 55, 20, place="本庁5階", text="資料を持って来てください。")
    days = {"start": "2026-11-17T00:00+09:00", "end": "2026-11-21T00:00+09:00", "all_day": True}
    _event(office, "巡回", 56, 17, **days)


def empty() -> Scenery:
    """The first minute: a registrar and three people, nothing said. 佐藤 is logged in or nobody."""
    office = Scenery()
    office.hire(YAMADA)
    return office


def normal() -> Scenery:
    """An afternoon's talk in 全庁, four files, a card claimed twice, a node on hold."""
    office = empty()
    day = -86_400_000
    say(
        office,
        MAYOR,
        "災害対策本部を設置しました。各区は状況を知らせてください。",
        1,
        created_ms=NOW_MS + day,
    )
    say(office, SATO, "北区役所、全員無事です。", 2, place="archive", wards_n=2)
    say(office, SUZUKI, "避難所を3か所開けました。\n毛布が60枚足りません。", 3)
    say(
        office,
        SUZUKI,
        "写真を送ります",
        4,
        kind="file",
        body=attached("体育館.jpg", True, "体育館です"),
    )
    say(office, SATO, "30枚を16時に届けます。", 5, place="wards", wards_n=1)
    say(office, SATO, "運転できる人が2人います。", 6)
    note = {"text": "橋が落ちています", "source_name": "近所の人"}
    say(office, SUZUKI, "橋が落ちています", 7, unsigned="phone", taken_by="佐藤 花子", body=note)
    say(office, MAYOR, "x", 8, kind="shelter")
    say(office, SUZUKI, "給水車は17時に来ます。", 9, room="ward:01")
    quote = {"author": "1001", "message_id": message_id(5), "name": "佐藤 花子", "text": "30枚を"}
    said = {"text": "20枚でした。", "quote": quote, "act": "correct", "reason": "数えまちがい"}
    say(office, SATO, "", 10, kind="correction", body=said)
    say(office, SUZUKI, "", 11, body={"text": "助かります。", "quote": quote})
    by = {"author": "2001", "message_id": message_id(13), "act": "withdraw"}
    say(office, SUZUKI, "", 12, body={"text": "", "replaced": by})
    say(
        office, SUZUKI, "本部の電話は 1234 です。", 14, body={"text": "電話は 1234", "pinned": True}
    )
    office.reads["1001", message_id(2)] = {"2001": NOW_MS}
    _papers(office)
    office.files.kept = [
        _file(1, "体育館.jpg", SUZUKI, thumbnail=True, text="体育館です"),
        _file(2, "備蓄一覧.pdf", SATO, state="held", wards=("02",), archive=True),
        _file(3, "避難所の地図.png", MAYOR, state="coming", here_n=60_000, thumbnail=True),
        _file(4, "名簿.xlsx", SUZUKI, state="unknown", expiry="expired"),
    ]
    office.conflicts.add("1001")
    office.asked["01" * 32] = ["山田 登"]
    read = Reading(
        "done", "done", 9000, 9000, "中央区役所", "02", "中央区", "01", NOW_MS - 47 * MINUTE,
        47 * MINUTE, False, 1, 12, 3, 1, 2,
    )  # fmt: skip
    office.couriers.readings = {
        "done": read,
        "reading": Reading("reading", "reading", 3000, 9000),
        "refused": _refused_reading("refused", refusal("not_a_courier_file")),
    }
    office.city = City(*four_wards())
    return office


def _refused_reading(name: str, why: RefusedError) -> Reading:
    return Reading(
        name, "refused", 9000, 9000,
        code=why.code, ja=why.ja, en=why.en, next_ja=why.next_ja, next_en=why.next_en,
    )  # fmt: skip


def many() -> Scenery:
    """Five hundred of everything, and the whole city."""
    office = normal()
    office.wards = dict(ALL_WARDS)
    wards = list(ALL_WARDS)
    people = [
        msgspec.structs.replace(SUZUKI, staff_id=f"{3000 + n}", name=f"職員 {n}号", ward=ward)
        for n, ward in zip(range(MANY), wards * MANY, strict=False)
    ]
    office.staff = (*office.staff, *people)
    for n in range(20, 20 + MANY):
        say(office, people[n % MANY], f"避難所の状況その{n}：毛布{n * 7}枚が必要です。", n)
    for n in range(1000, 1000 + MANY):
        _notice(office, SUZUKI, f"お知らせ その{n}", n)
        _event(office, f"予定 その{n}", n + MANY, 19 + n % 10)
    office.files.kept = [
        _file(n, f"写真{n}.jpg", SUZUKI, thumbnail=n % 2 == 0) for n in range(MANY)
    ]
    office.more_rooms = [
        RoomView(f"unit:班{n}", f"第{n}班", f"Team {n}", n, n % 7, None) for n in range(MANY)
    ]
    office.words = tuple(each for each in whole_city() if each.node.ward != "00") * 2
    office.city = City(*whole_city(), wards=ALL_WARDS)
    return office


def long() -> Scenery:
    """Names of forty characters, for people, units, wards, files, nodes and the network."""
    office = normal()
    office.network = NetworkInfo(office.network.id, LONG_WORDS, drill=True)
    office.me = NodeInfo(office.me.id, LONG_WORDS, office.me.ward, False)
    office.wards = {code: Ward(code, LONG_WORDS, LONG_NAME) for code in office.wards}
    office.staff = tuple(
        msgspec.structs.replace(each, name=LONG_NAME, kana=LONG_NAME, unit=LONG_WORDS)
        for each in office.staff
    )
    for key, message in list(office.kept.items()):
        name = LONG_NAME if message.author == "2001" else LONG_WORDS
        office.kept[key] = msgspec.structs.replace(message, author_name=name)
    say(office, SUZUKI, LONG_NAME * 5, 30, author_name=LONG_WORDS, late=True, clock_uncertain=True)
    say(office, SATO, LONG_NAME * 5, 31, place="archive", wards_n=23, members_n=None)
    say(office, SUZUKI, "", 32, kind="file", body=attached(LONG_NAME * 2, True))
    office.files.kept = [
        msgspec.structs.replace(each, name=LONG_NAME, author_name=LONG_WORDS, text=LONG_NAME)
        for each in office.files.kept
    ]
    pdf = AttachmentDraft("b2" * 32, LONG_NAME * 2, "application/pdf")
    edit = Edit(SUZUKI.staff_id, message_id(51), [entry_of(message_id(51))])
    _notice(office, SUZUKI, LONG_NAME * 3, 57, text=LONG_NAME * 3, files=[pdf], edit=edit)
    _event(office, LONG_NAME * 3, 58, 20, place=LONG_NAME * 3)
    office.more_rooms = [RoomView("unit:x", LONG_WORDS, LONG_NAME, None, MANY, None)]
    done = office.couriers.readings["done"]
    office.couriers.readings["done"] = msgspec.structs.replace(done, node_name=LONG_NAME)
    wards = {code: Ward(code, LONG_WORDS, LONG_NAME) for code in ALL_WARDS}
    office.city = City(*whole_city(), wards=wards)
    return office


def late() -> Scenery:
    """What came late, what nobody can date, what must not simply be believed; HQ is not reached."""
    office = normal()
    office.archive_age_ms, office.left_n = 47 * MINUTE, 3
    say(office, SUZUKI, "きのうの連絡です", 40, late=True, created_ms=NOW_MS - 86_400_000)
    say(office, MAYOR, "時計の合わない機器から", 41, late=True, clock_uncertain=True)
    say(office, MAYOR, "避難してください", 42, expiry="expired")
    say(office, SUZUKI, "二つあります", 43, trouble="fork", expiry="unsure")
    say(office, SUZUKI, "失効の後です", 44, trouble="staff_revoked")
    say(office, SATO, "同じカードが二枚", 2, trouble="binding_conflict", members_n=None)
    office.city = City(*whole_city(), wards=ALL_WARDS)
    return office


def ordered() -> Scenery:
    """A usual day on which everybody is called."""
    office = normal()
    say(office, MAYOR, "全員、庁舎に参集してください。", 60, kind="instruction")
    return office


def refusing() -> Scenery:
    """A usual day on which the node is full."""
    office = normal()
    office.refuse = storage_full(NORMAL)
    return office


# What to see of each screen; `error` and `gone` are a usual day on which then something fails.
STATES: dict[str, Callable[[], Scenery]] = {
    "empty": empty,
    "normal": normal,
    "many": many,
    "long": long,
    "late": late,
    "ordered": ordered,
    "error": refusing,
    "gone": normal,
}
