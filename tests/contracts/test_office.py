"""The exam of every Office: the in-memory one that page tests lean on, and a real node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshrelay.errors import RefusedError
from meshrelay.node.office import Message, Office, Seat
from tests.office_fake import CARD, MAYOR, PIN, SATO, STAFF, SUZUKI, FakeOffice, Person
from tests.town import Clerk, build_town, running, until, uuid7


@dataclass
class Examined:
    """An office at ward 01 and the cards of the three people of the exam."""

    office: Office
    cards: dict[str, tuple[str, str]]

    async def seat(self, person: Person) -> Seat:
        return await self.office.log_in(person.staff_id, *self.cards[person.staff_id])

    async def say(self, seat: Seat, text: str, room: str = "all", mid: str = "") -> str:
        mid = mid or uuid7()
        await self.office.post(seat, "talk", room, {"text": text}, mid, None)
        await until(lambda: any(m.message_id == mid for m in self.room(seat, room)))
        return mid

    def room(self, seat: Seat, room: str = "all") -> list[Message]:
        return self.office.messages(seat.person, room)


@pytest.fixture(params=["fake", "node"])
async def exam(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Examined]:
    if request.param == "fake":
        yield Examined(FakeOffice(), {person.staff_id: (CARD, PIN) for person in STAFF})
        return
    clerks = tuple(Clerk(p.staff_id, p.name, p.kana, p.ward, p.unit, p.roles) for p in STAFF)
    async with running(build_town(tmp_path, {"01": ()}, clerks=clerks)) as town:
        yield Examined(town.nodes["01"], {c.staff_id: (c.code, c.pin) for c in clerks})


async def refused(call: Awaitable[object]) -> tuple[str, int]:
    with pytest.raises(RefusedError) as caught:
        await call
    error = caught.value
    assert error.ja and error.en and error.next_ja and error.next_en
    return error.code, error.status


async def later(call: Callable[[], object]) -> object:
    return call()


async def test_a_seat_is_the_person_of_the_roster(exam: Examined) -> None:
    seat = await exam.seat(SATO)

    assert (seat.person.staff_id, seat.person.name, seat.person.ward) == ("1001", "佐藤 花子", "01")


async def test_a_wrong_pin_or_card_opens_no_seat(exam: Examined) -> None:
    code, _pin = exam.cards["1001"]

    assert (await refused(exam.office.log_in("1001", code, "000000")))[0] == "wrong_pin"
    assert (await refused(exam.office.log_in("9999", code, PIN)))[0] == "unknown_card"


async def test_what_was_posted_is_in_the_room_of_its_author_and_of_others(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    mid = await exam.say(sato, "全員無事です")

    (own,), (theirs,) = exam.room(sato), exam.room(suzuki)

    assert (own.message_id, own.body, own.mine, own.place) == (
        mid,
        {"text": "全員無事です"},
        True,
        "node",
    )
    assert (theirs.author, theirs.author_name, theirs.mine) == ("1001", "佐藤 花子", False)
    assert (own.read_n, own.members_n, theirs.read_by_me) == (0, 2, False)


async def test_the_same_post_gives_the_same_answer_and_another_content_is_refused(
    exam: Examined,
) -> None:
    sato, mid = await exam.seat(SATO), uuid7()

    first = await exam.office.post(sato, "talk", "all", {"text": "一"}, mid, None)
    again = await exam.office.post(sato, "talk", "all", {"text": "一"}, mid, None)

    assert first == again and first.message_id == mid
    other = exam.office.post(sato, "talk", "all", {"text": "二"}, mid, None)
    assert await refused(other) == ("id_taken", 409)


@pytest.mark.parametrize(
    ("kind", "room", "body", "mid", "code"),
    [
        ("talk", "all", {"text": " \n"}, "", "empty"),
        ("talk", "all", {}, "", "empty"),
        ("talk", "all", {"text": "長" * 4001}, "", "too_long"),
        ("talk", "all", {"text": "x"}, "not-an-id", "bad_id"),
        ("dance", "all", {"text": "x"}, "", "unknown_kind"),
        ("talk", "unit:なし", {"text": "x"}, "", "no_room"),
        ("talk", "unit:避難所班", {"text": "x"}, "", "not_member"),
    ],
)
async def test_what_cannot_be_posted_is_refused_by_name(
    exam: Examined, kind: str, room: str, body: dict[str, str], mid: str, code: str
) -> None:
    sato = await exam.seat(SATO)

    call = exam.office.post(sato, kind, room, body, mid or uuid7(), None)

    assert (await refused(call))[0] == code


async def test_a_closed_seat_posts_nothing(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    exam.office.log_out(sato)

    call = exam.office.post(sato, "talk", "all", {"text": "x"}, uuid7(), None)

    assert await refused(call) == ("seat_closed", 401)


async def test_rooms_follow_the_roster_and_hq_enters_every_room(exam: Examined) -> None:
    sato, mayor = await exam.seat(SATO), await exam.seat(MAYOR)

    assert [room.id for room in exam.office.rooms(sato.person)] == ["all", "ward:01", "unit:総務班"]
    assert "role:hq" in [room.id for room in exam.office.rooms(mayor.person)]
    assert exam.office.messages(mayor.person, "unit:避難所班") == []
    shut = later(lambda: exam.office.messages(sato.person, "unit:避難所班"))
    assert await refused(shut) == ("not_member", 403)


async def test_reading_is_counted_once_by_name_and_clears_the_badge(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    mid = await exam.say(sato, "全員無事です")
    unread = {room.id: room.unread_n for room in exam.office.rooms(suzuki.person)}

    exam.office.mark_read(suzuki, [("1001", mid), ("1001", mid)])
    exam.office.mark_read(sato, [("1001", mid)])
    await until(lambda: exam.room(sato)[0].read_n == 1)

    who = exam.office.who(sato.person, "1001", mid)
    assert unread["all"] == 1
    assert {room.id: room.unread_n for room in exam.office.rooms(suzuki.person)}["all"] == 0
    assert [r.person.staff_id for r in who.readers if r.state == "read"] == ["2001"]
    assert [r.state == "read" for r in who.readers] == [False, True]  # unread first
    assert exam.room(suzuki)[0].read_by_me


async def test_a_cursor_gives_what_changed_after_it_and_without_one_only_a_cursor(
    exam: Examined,
) -> None:
    sato = await exam.seat(SATO)
    await exam.say(sato, "前")
    start = exam.office.changes(sato.person, None)
    mid = await exam.say(sato, "後")

    after = exam.office.changes(sato.person, start.cursor)

    assert (start.messages, start.more, start.reset) == ((), False, False)
    assert [m.message_id for m in after.messages] == [mid]
    assert exam.office.changes(sato.person, after.cursor).messages == ()
    assert exam.office.changes(sato.person, "another life").reset


async def test_a_change_wakes_subscribers_until_they_leave(exam: Examined) -> None:
    sato, woken = await exam.seat(SATO), asyncio.Event()
    leave = exam.office.subscribe(woken.set)

    await exam.say(sato, "一")
    async with asyncio.timeout(5):
        await woken.wait()
    leave()
    leave_twice = asyncio.Event()
    exam.office.subscribe(leave_twice.set)()
    await exam.say(sato, "二")

    assert not leave_twice.is_set()


async def test_older_messages_are_reached_by_the_sort_key(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    mids = [await exam.say(sato, str(n)) for n in range(5)]

    newest = exam.office.messages(sato.person, "all", None, 2)
    older = exam.office.messages(sato.person, "all", newest[0].sort, 2)

    assert [m.message_id for m in newest] == mids[3:]
    assert [m.message_id for m in older] == mids[1:3]
    assert all(m.sort.isascii() for m in newest)  # compared in Python and in the page


async def test_an_unknown_message_has_no_readers(exam: Examined) -> None:
    sato = await exam.seat(SATO)

    call = later(lambda: exam.office.who(sato.person, "1001", uuid7()))

    assert await refused(call) == ("no_message", 404)


def named(mid: str, author: Person = SATO) -> dict[str, str]:
    return {"author": author.staff_id, "message_id": mid}


async def test_a_reply_shows_what_it_answers(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    first = await exam.say(sato, "水は足りますか")

    await exam.office.post(
        suzuki, "talk", "all", {"text": "足りません", "reply_to": named(first)}, uuid7(), None
    )
    await until(lambda: len(exam.room(sato)) == 2)

    quote = exam.room(sato)[-1].body["quote"]
    assert (quote["name"], quote["text"], quote["message_id"]) == (
        SATO.name,
        "水は足りますか",
        first,
    )


async def test_what_a_reply_answers_must_stand_in_its_room(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    here = await exam.say(sato, "区のルームの話", "ward:01")
    body = {"text": "了解", "reply_to": named(here)}

    assert await refused(exam.office.post(sato, "talk", "all", body, uuid7(), None)) == (
        "no_message", 404
    )  # fmt: skip


async def test_a_correction_is_a_message_of_its_own_and_marks_the_earlier_one(
    exam: Examined,
) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    first = await exam.say(sato, "集合は南口")
    body = {"of": named(first), "act": "correct", "reason": "書きまちがい", "text": "集合は北口"}

    await exam.office.post(sato, "correction", "all", body, uuid7(), None)
    await until(lambda: len(exam.room(suzuki)) == 2)

    earlier, later = exam.room(suzuki)
    assert earlier.body["text"] == "集合は南口" and earlier.body["replaced"]["act"] == "correct"
    assert (later.kind, later.body["text"], later.read_by_me) == ("correction", "集合は北口", False)
    assert later.body["quote"]["text"] == "集合は南口" and later.body["reason"] == "書きまちがい"


async def test_what_was_withdrawn_is_shown_without_its_words(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    first = await exam.say(sato, "送り先をまちがえた話")
    body = {"of": named(first), "act": "withdraw", "reason": "送り先ちがい"}

    await exam.office.post(sato, "correction", "all", body, uuid7(), None)
    await until(lambda: len(exam.room(suzuki)) == 2)

    assert exam.room(suzuki)[0].body["text"] == ""
    assert (await exam.office.search(suzuki.person, "送り先をまちがえた")).messages == ()


async def test_only_its_author_corrects_a_message_and_says_why(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    first = await exam.say(sato, "集合は南口")
    body = {"of": named(first), "act": "withdraw", "reason": "別人"}

    assert (await refused(exam.office.post(suzuki, "correction", "all", body, uuid7(), None)))[
        0
    ] == "not_yours"
    body["reason"] = ""
    assert (await refused(exam.office.post(sato, "correction", "all", body, uuid7(), None)))[
        0
    ] == "no_reason"


async def test_a_room_keeps_a_message_in_view_until_somebody_lets_go(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    first = await exam.say(sato, "本部の電話は 1234")

    await exam.office.post(suzuki, "pin", "all", {"of": named(first), "on": True}, uuid7(), None)
    await until(lambda: bool(exam.office.pinned(sato.person, "all")))
    assert exam.office.pinned(sato.person, "all")[0].message_id == first

    await exam.office.post(sato, "pin", "all", {"of": named(first), "on": False}, uuid7(), None)
    await until(lambda: not exam.office.pinned(sato.person, "all"))


async def test_two_people_have_a_room_that_nobody_else_but_hq_may_open(exam: Examined) -> None:
    sato, suzuki, mayor = [await exam.seat(each) for each in (SATO, SUZUKI, MAYOR)]
    room = "pair:1001+2001"
    await exam.say(sato, "二人だけの話", room)

    assert exam.office.room_view(sato.person, room).name == SUZUKI.name
    assert room in [view.id for view in exam.office.rooms(suzuki.person)]
    assert room not in [view.id for view in exam.office.rooms(mayor.person)]
    assert [m.body["text"] for m in exam.room(mayor, room)] == ["二人だけの話"]
    mayors = "pair:0001+2001"
    assert (await refused(later(lambda: exam.room(sato, mayors))))[0] == "not_member"
    assert (await refused(later(lambda: exam.room(sato, "pair:1001+9999"))))[0] == "no_room"


async def test_a_room_has_the_members_that_its_maker_listed(exam: Examined) -> None:
    sato, suzuki, mayor = [await exam.seat(each) for each in (SATO, SUZUKI, MAYOR)]
    mid = uuid7()
    body = {"name": "橋の点検", "members": ["2001"]}
    made = await exam.office.post(sato, "room", "", body, mid, None)
    again = await exam.office.post(sato, "room", "", body, mid, None)

    assert again.room == made.room
    assert made.room in [view.id for view in exam.office.rooms(suzuki.person)]
    await exam.say(suzuki, "点検しました", made.room)

    assert (
        await refused(
            exam.office.post(suzuki, "room", made.room, {"members": []}, uuid7(), None)
        )
    )[0] == "not_maker"  # fmt: skip
    await exam.office.post(sato, "room", made.room, {"members": ["1001"]}, uuid7(), None)
    await until(lambda: made.room not in [v.id for v in exam.office.rooms(suzuki.person)])
    assert (await refused(later(lambda: exam.room(suzuki, made.room))))[0] == "not_member"
    assert exam.room(mayor, made.room)  # hq sees every room


async def test_nobody_writes_in_a_closed_room_and_it_can_be_opened_again(exam: Examined) -> None:
    sato = await exam.seat(SATO)
    body = {"name": "橋の点検", "members": ["2001"]}
    room = (await exam.office.post(sato, "room", "", body, uuid7(), None)).room
    mid = await exam.say(sato, "点検に行きます", room)
    await exam.office.post(sato, "room", room, {"closed": True}, uuid7(), None)
    await until(lambda: exam.office.room_view(sato.person, room).closed)

    code, _ = await refused(exam.office.post(sato, "talk", room, {"text": "x"}, uuid7(), None))
    assert code == "room_closed"
    again = await exam.office.post(sato, "talk", room, {"text": "点検に行きます"}, mid, None)
    assert again.message_id == mid  # stored before: a page whose answer was lost asks again
    await exam.office.post(sato, "room", room, {"closed": False}, uuid7(), None)
    await until(lambda: not exam.office.room_view(sato.person, room).closed)
    await exam.say(sato, "再開します", room)


async def test_a_room_of_nobody_or_without_a_name_is_not_made(exam: Examined) -> None:
    sato = await exam.seat(SATO)

    async def make(**body: object) -> tuple[str, int]:
        return await refused(exam.office.post(sato, "room", "", body, uuid7(), None))

    assert (await make(name="", members=[]))[0] == "room_name"
    assert (await make(name="橋", members=["9999"]))[0] == "no_person"


async def test_search_finds_every_word_in_the_rooms_that_one_may_see(exam: Examined) -> None:
    sato, suzuki = await exam.seat(SATO), await exam.seat(SUZUKI)
    await exam.say(sato, "避難所の毛布 20枚")
    await exam.say(sato, "避難所の水 20本")
    await exam.say(sato, "北区だけの毛布", "ward:01")

    async def found(seat: Seat, query: str, room: str | None = None) -> list[str]:
        result = await exam.office.search(seat.person, query, room)
        return [message.body["text"] for message in result.messages]

    assert await found(suzuki, "毛布") == ["避難所の毛布 20枚"]
    assert await found(sato, "毛布") == ["北区だけの毛布", "避難所の毛布 20枚"]
    assert await found(sato, "避難所 20") == ["避難所の水 20本", "避難所の毛布 20枚"]
    assert await found(sato, "毛布", "all") == ["避難所の毛布 20枚"]
    assert (await refused(exam.office.search(sato.person, " ")))[0] == "no_query"


async def test_people_are_found_by_name_kana_number_and_unit(exam: Examined) -> None:
    for text in ("鈴木", "すずき", "2001", "避難所班"):
        assert [each.staff_id for each in await exam.office.people(text, 5)] == ["2001"]
