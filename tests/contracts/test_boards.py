"""The exam of every BoardDesk: the in-memory one that page tests lean on, and a real node's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from meshrelay.node.board_desk import Edit, Event, EventDraft, Notice, NoticeDraft
from meshrelay.node.office import Office, Seat
from tests.contracts.test_office import refused
from tests.office_fake import CARD, MAYOR, PIN, SATO, SUZUKI, YAMADA, FakeOffice, Person
from tests.town import Clerk, Town, build_town, running, uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAFF = (SATO, SUZUKI, MAYOR, YAMADA)
DRILL = EventDraft(
    room="all", title="訓練", start="2026-11-20T09:00+09:00", end="2026-11-20T11:30+09:00",
    place="講堂",
)  # fmt: skip


@dataclass
class Examined:
    """An office at ward 01 and the cards of the exam's people."""

    office: Office
    cards: dict[str, tuple[str, str]]
    made: set[str] = field(default_factory=set)

    async def seat(self, person: Person) -> Seat:
        return await self.office.log_in(person.staff_id, *self.cards[person.staff_id])

    async def notice(self, seat: Seat, title: str, **more: Any) -> Notice:
        draft = NoticeDraft(**{"room": "all", "title": title, **more})
        mid = uuid7()
        await self.office.boards.post_notice(seat, draft, mid)
        self.made.add(mid)
        return self.office.boards.notice(seat.person, seat.person.staff_id, mid)

    def titles(self, seat: Seat, room: str | None = None) -> list[list[str]]:
        """Of what this exam made: a node is shared by all of them."""
        found = self.office.boards.notices(seat.person, room, None, 50)
        own = [notice for notice in found if notice.message_id in self.made]
        return [[each.title for each in notice.versions] for notice in own]

    async def event(self, seat: Seat, **more: Any) -> Event:
        mid, draft = uuid7(), {name: getattr(DRILL, name) for name in DRILL.__struct_fields__}
        await self.office.boards.post_event(seat, EventDraft(**{**draft, **more}), mid)
        self.made.add(mid)
        return self.office.boards.event(seat.person, seat.person.staff_id, mid)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    clerks = tuple(Clerk(p.staff_id, p.name, p.kana, p.ward, p.unit, p.roles) for p in STAFF)
    directory = tmp_path_factory.mktemp("town")
    async with running(build_town(directory, {"01": ()}, clerks=clerks)) as made:
        yield made


@pytest_asyncio.fixture(params=["fake", "node"], loop_scope="module")
async def exam(request: pytest.FixtureRequest, town: Town) -> Examined:
    if request.param == "fake":
        office = FakeOffice()
        office.hire(YAMADA)
        return Examined(office, {person.staff_id: (CARD, PIN) for person in STAFF})
    return Examined(town.nodes["01"], {c.staff_id: (c.code, c.pin) for c in town.clerks})


def edit_of(paper: Notice | Event) -> Edit:
    return Edit(paper.author, paper.message_id, list(paper.replaces))


async def test_a_notice_is_listed_for_its_room_and_a_message_of_it(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    posted = await exam.notice(sato, "断水", text="午後まで")

    theirs = exam.office.boards.notices(suzuki.person, None, None, 1)[0]
    message = exam.office.messages(suzuki.person, "all")[-1]

    assert (theirs.room, theirs.unread, theirs.may_edit, theirs.pinned) == (
        "all", True, False, False,
    )  # fmt: skip
    assert (posted.unread, posted.may_edit) == (False, True)
    (version,) = theirs.versions
    assert (version.title, version.text, version.number, version.current) == (
        "断水", "午後まで", 1, True,
    )  # fmt: skip
    assert version.message.message_id == message.message_id == theirs.message_id


async def test_two_edits_at_once_are_both_kept_and_the_next_settles_them(exam: Examined) -> None:
    sato, yamada = await exam.seat(SATO), await exam.seat(YAMADA)
    first = await exam.notice(sato, "断水")
    await exam.notice(sato, "断水 夕方まで", edit=edit_of(first))
    both = await exam.notice(yamada, "断水 夜まで", edit=edit_of(first))

    assert [(v.title, v.number, v.current) for v in both.versions] == [
        ("断水 夜まで", 2, True), ("断水 夕方まで", 2, True), ("断水", 1, False),
    ]  # fmt: skip
    settled = await exam.notice(sato, "断水 夜7時まで", edit=edit_of(both))
    assert exam.titles(sato) == [["断水 夜7時まで"]]
    assert [v.number for v in settled.versions] == [3, 2, 2, 1]


async def test_who_may_not_edit_is_told_so(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    first = await exam.notice(sato, "断水")

    call = exam.notice(suzuki, "うそ", edit=edit_of(first))

    assert await refused(call) == ("not_editor", 403)
    assert exam.titles(sato) == [["断水"]]


async def test_an_edit_names_a_version_that_is_here_and_stays_in_its_room(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    edit = edit_of(await exam.notice(sato, "断水"))

    for replaces in ([], ["ee" * 32], ["x"]):
        stale = Edit(edit.author, edit.message_id, replaces)
        assert await refused(exam.notice(sato, "直し", edit=stale)) == ("stale_version", 409)
    elsewhere = exam.notice(sato, "直し", room="ward:01", edit=edit)
    assert await refused(elsewhere) == ("other_room", 400)
    unknown = exam.notice(sato, "直し", edit=Edit("1001", uuid7(), edit.replaces))
    assert await refused(unknown) == ("no_paper", 404)


async def test_a_notice_of_another_ward_is_neither_listed_nor_read(exam: Examined) -> None:
    sato, suzuki, mayor = [await exam.seat(each) for each in (SATO, SUZUKI, MAYOR)]
    posted = await exam.notice(sato, "北区だけ", room="ward:01")
    boards = exam.office.boards

    assert exam.titles(suzuki) == [] and exam.titles(sato) == [["北区だけ"]]

    async def reads(seat: Seat) -> Notice:
        return boards.notice(seat.person, posted.author, posted.message_id)

    async def lists(seat: Seat) -> list[Notice]:
        return boards.notices(seat.person, "ward:01", None, 50)

    assert await refused(reads(suzuki)) == ("not_member", 403)
    assert await refused(lists(suzuki)) == ("not_member", 403)
    assert await refused(exam.notice(suzuki, "割り込み", room="ward:01")) == ("not_member", 403)
    assert (await reads(mayor)).versions[0].title == "北区だけ"


async def test_a_registrar_pins_and_the_authors_edit_leaves_it_pinned(exam: Examined) -> None:
    sato, yamada = await exam.seat(SATO), await exam.seat(YAMADA)
    ward = {"room": "ward:01"}
    first = await exam.notice(sato, "断水", **ward)
    await exam.notice(sato, "新しい", **ward)
    pinned = await exam.notice(yamada, "断水", pin=True, edit=edit_of(first), **ward)
    await exam.notice(sato, "断水 午後まで", edit=edit_of(pinned), **ward)

    assert exam.titles(sato) == [["断水 午後まで"], ["新しい"]]
    assert await refused(exam.notice(sato, "上に", pin=True)) == ("no_pin", 403)


async def test_older_notices_are_reached_by_the_sort_key(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    room = "unit:総務班"
    for title in ("一", "二", "三"):
        await exam.notice(sato, title, room=room)
    boards = exam.office.boards

    first = boards.notices(sato.person, room, None, 2)
    rest = boards.notices(sato.person, room, first[-1].sort, 2)

    assert [each.versions[0].title for each in (*first, *rest)] == ["三", "二", "一"]


async def test_a_notice_without_a_title_is_refused(exam: Examined) -> None:
    sato = await exam.seat(SATO)

    assert await refused(exam.notice(sato, " ")) == ("empty", 400)


async def test_events_come_by_their_end_from_a_time_on_or_before_it(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    await exam.event(sato)
    later = {"start": "2026-11-21T09:00+09:00", "end": "2026-11-21T10:00+09:00"}
    await exam.event(sato, title="会議", **later)
    boards = exam.office.boards

    def asked(after: str | None, before: str | None) -> list[str]:
        found = boards.events(sato.person, None, after, before, 50)
        return [each.versions[0].title for each in found if each.message_id in exam.made]

    assert asked("2026-11-20T11:29", None) == ["訓練", "会議"]
    assert asked("2026-11-20T23:59", None) == ["会議"]
    assert asked(None, "2026-11-21") == ["訓練"]


async def test_an_event_that_is_called_off_stays_and_says_so(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    first = await exam.event(sato)

    off = await exam.event(sato, withdrawn=True, edit=edit_of(first))

    assert [(v.withdrawn, v.number) for v in off.versions] == [(True, 2), (False, 1)]
    assert (off.author, off.message_id) == (first.author, first.message_id)


async def test_an_event_that_ends_before_it_starts_is_refused(exam: Examined) -> None:
    sato = await exam.seat(SATO)

    call = exam.event(sato, end="2026-11-20T08:00+09:00")

    assert await refused(call) == ("bad_time", 400)


async def test_the_same_notice_posted_again_gives_the_same_answer(exam: Examined) -> None:
    sato, mid = await exam.seat(SATO), uuid7()
    exam.made.add(mid)
    draft = NoticeDraft(room="all", title="断水")

    first = await exam.office.boards.post_notice(sato, draft, mid)
    again = await exam.office.boards.post_notice(sato, draft, mid)

    assert first == again
    assert exam.titles(sato) == [["断水"]]
