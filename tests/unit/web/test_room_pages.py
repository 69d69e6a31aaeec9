"""Who may look into which room, by HTTP; and what the pages about rooms refuse."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.office_fake import FakeOffice
from tests.unit.web.conftest import HTML, Browser, message_id

MAYORS = "pair:0001+2001"


async def make_room(browser: Browser, members: list[str]) -> str:
    body = {"id": message_id(1), "room": "", "kind": "room"}
    answer = await browser.post(
        "/api/messages", body | {"body": {"name": "橋の点検", "members": members}}
    )
    assert answer.status == 201
    return str((await answer.json())["room"])


@pytest.mark.parametrize(
    "path",
    [
        "/rooms/{room}", "/rooms/{room}/about", "/rooms/{room}/note", "/search?q=x&room={room}",
        "/api/rooms/{room}/messages", "/api/rooms/{room}/pinned", "/api/search?q=x&room={room}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("room", [MAYORS, "ward:02", "unit:避難所班", "role:hq", "made"])
async def test_a_room_is_closed_to_who_is_not_in_it(browser: Browser, room: str, path: str) -> None:
    await browser.log_in("2001")
    made = await make_room(browser, [])
    await browser.log_in("1001")
    named = quote(made if room == "made" else room)
    answer = await browser.get(path.format(room=named), headers=HTML)

    assert answer.status == 403


@pytest.mark.parametrize("room", [MAYORS, "ward:02", "role:hq"])
@pytest.mark.parametrize("kind", ["talk", "correction", "pin"])
async def test_nobody_writes_in_a_room_that_is_not_theirs(
    browser: Browser, room: str, kind: str
) -> None:
    await browser.log_in()
    answer = await browser.post(
        "/api/messages", {"id": message_id(1), "room": room, "kind": kind, "body": {"text": "x"}}
    )

    assert answer.status == 403
    assert (await answer.json())["code"] == "not_member"


async def test_a_message_of_another_room_is_not_shown(browser: Browser, office: FakeOffice) -> None:
    await browser.log_in("2001")
    await browser.send("二人の話", 1, MAYORS)
    await browser.log_in("1001")
    path = f"{MAYORS}/who/2001/{message_id(1)}"

    assert (await browser.get(f"/rooms/{path}", headers=HTML)).status == 403
    assert (await browser.get(f"/api/messages/2001/{message_id(1)}/who")).status == 403
    assert (await browser.get(f"/rooms/{MAYORS}/correct/2001/{message_id(1)}")).status == 403


async def test_the_members_of_a_room_are_shown_to_them(browser: Browser) -> None:
    await browser.log_in()
    room = await make_room(browser, ["2001"])
    await browser.log_in("2001")
    page = await (await browser.get(f"/rooms/{room}/about", headers=HTML)).text()

    assert "佐藤 花子" in page and "メンバーを選んだルームです" in page
    assert 'name="name"' not in page  # only its maker may change it


async def test_the_room_of_a_unit_leads_to_its_people_in_the_whole_city(browser: Browser) -> None:
    await browser.log_in()
    about = await (await browser.get("/rooms/unit:総務班/about", headers=HTML)).text()

    assert "市全体の、この班の職員" in about
    assert f"/people?q={quote('総務班')}" in about


@pytest.mark.parametrize("path", ["/search", "/people", "/rooms/new", "/rooms/all/about"])
async def test_a_page_about_rooms_leads_to_the_log_in_first(browser: Browser, path: str) -> None:
    answer = await browser.get(path, headers=HTML)

    assert answer.status == 303
    assert answer.headers["Location"].startswith("/login")


async def test_people_and_search_answer_in_json_too(browser: Browser) -> None:
    await browser.log_in()
    await browser.send("毛布 30枚")
    people = await (await browser.get("/api/people?q=鈴木")).json()
    found = await (await browser.get("/api/search?q=毛布")).json()

    assert [each["staff_id"] for each in people["people"]] == ["2001"]
    assert [each["body"]["text"] for each in found["messages"]] == ["毛布 30枚"]
    assert (await browser.get("/api/search?q=")).status == 400
