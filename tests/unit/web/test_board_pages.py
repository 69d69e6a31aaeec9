"""掲示, 予定 and 資料 as HTML and JSON: what a browser without any script gets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import FormData

from meshrelay.errors import RefusedError
from meshrelay.node.board_desk import Edit, EventDraft, NoticeDraft
from meshrelay.web import rights
from meshrelay.web.event_pages import times_of
from tests.office_fake import FakeOffice, FakeSeat, Person
from tests.unit.web.conftest import HTML, Browser, message_id
from tests.unit.web.test_pages import form, page

MANY = "<script>alert('掲')</script>"


async def send(browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    """A multipart form as a browser sends it, its empty file last."""
    data = FormData(quote_fields=False, default_to_multipart=True)
    for name, value in {"csrf": browser.csrf, **fields}.items():
        data.add_field(name, value)
    data.add_field("file", b"", filename="", content_type="application/octet-stream")
    answer = await browser.client.post(path, data=data, headers=HTML, allow_redirects=False)
    return answer.status, answer.headers.get("Location", "")


async def notice(office: FakeOffice, who: Person, title: str, n: int, **more: Any) -> str:
    """A notice of somebody as if it had come from the network; the path of its page."""
    draft = NoticeDraft(**{"room": "all", "title": title, "text": "本文", **more})
    await office.boards.post_notice(seat(office, who), draft, message_id(n))
    return f"/boards/{who.staff_id}/{message_id(n)}"


async def event(office: FakeOffice, who: Person, n: int, **more: Any) -> str:
    values = {
        "room": "all", "title": "訓練", "start": "2026-11-20T09:00+09:00",
        "end": "2026-11-20T11:30+09:00", "place": "講堂",
    }  # fmt: skip
    await office.boards.post_event(
        seat(office, who), EventDraft(**{**values, **more}), message_id(n)
    )
    return f"/events/{who.staff_id}/{message_id(n)}"


def seat(office: FakeOffice, who: Person) -> FakeSeat:
    office.seats.append(FakeSeat(who))
    return office.seats[-1]


def hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found is not None
    return found[1]


@pytest.fixture
def suzuki(office: FakeOffice) -> Person:
    return next(each for each in office.staff if each.staff_id == "2001")


@pytest.fixture
def from_lan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The browser is not on the node itself."""
    monkeypatch.setattr(rights, "is_wired", lambda _: False)
    yield


@pytest.mark.parametrize(
    "path", ["/boards", "/boards/new", "/events", "/events/new", "/files", "/boards/1001/x/edit"]
)
async def test_without_a_login_every_page_leads_to_it_and_back(browser: Browser, path: str) -> None:
    answer = await browser.get(path, headers=HTML)

    assert answer.status == 303
    assert answer.headers["Location"] == "/login?next=" + path.replace("/", "%2F")


async def test_a_notice_posted_by_a_form_is_listed_and_shown(sato: Browser) -> None:
    at = {"room": "all", "title": "断水", "text": "午後まで", "id": message_id(1), "replaces": ""}
    status, location = await send(sato, "/boards/new", **at)

    assert (status, location) == (303, f"/boards/1001/{message_id(1)}?done=posted")
    shown, listed = await page(sato, location), await page(sato, "/boards")
    assert "断水" in shown and "午後まで" in shown and "第1版 最新" in shown
    assert f'href="/boards/1001/{message_id(1)}"' in listed


async def test_home_names_notices_until_they_are_read(
    sato: Browser, office: FakeOffice, suzuki: Person
) -> None:
    path = await notice(office, suzuki, "断水", 1)
    before = await page(sato, "/")
    await form(sato, f"{path}/read", csrf=sato.csrf, items=f"2001/{message_id(1)}")

    assert "まだ読んでいない掲示" in before and path in before
    assert "まだ読んでいない掲示" not in await page(sato, "/")


async def test_a_notice_says_how_far_it_is_and_who_has_read_it(sato: Browser) -> None:
    at = {"room": "all", "title": "断水", "text": "", "id": message_id(1), "replaces": ""}
    _, location = await send(sato, "/boards/new", **at)
    shown = await page(sato, location)

    assert 'class="mark mark-node"' in shown and "既読 0/" in shown


async def test_a_repeated_form_posts_once(sato: Browser) -> None:
    at = {"room": "all", "title": "断水", "text": "", "id": message_id(1), "replaces": ""}
    for _ in range(2):
        assert (await send(sato, "/boards/new", **at))[0] == 303

    assert (await page(sato, "/boards")).count("/boards/1001/") == 1


async def test_a_refused_notice_keeps_every_word(sato: Browser) -> None:
    at = {"room": "all", "title": " ", "text": "長い\r\n本文", "id": message_id(1), "replaces": ""}
    status, location = await send(sato, "/boards/new", **at)
    answer = await sato.get(location, headers=HTML)
    text = await answer.text()

    assert (status, location, answer.status) == (303, "/boards/new", 400)
    assert "題名がありません" in text and "長い\r\n本文" in text
    assert message_id(1) in text and "data-kept" in text
    assert "長い" not in await page(sato, "/boards/new")  # shown once


@pytest.mark.parametrize("path", ["/boards/new", "/events/new"])
async def test_a_form_without_a_room_keeps_every_word(sato: Browser, path: str) -> None:
    at = {"room": "", "title": "断水", "start": "2026-11-20T09:00", "id": message_id(1)}
    post = send(sato, path, **at) if path == "/boards/new" else form(
        sato, path, csrf=sato.csrf, **at
    )  # fmt: skip
    assert (await post)[:2] == (303, path)

    answer = await sato.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == 400 and "ルームを選んでいません" in text and 'value="断水"' in text


async def test_news_fetched_in_the_background_do_not_take_a_refusal_away(sato: Browser) -> None:
    _, location = await send(sato, "/boards/new", room="all", title=" ", id=message_id(1))

    behind = await sato.get(location, headers={**HTML, "X-Background": "1"})
    shown = await sato.get(location, headers=HTML)

    assert (behind.status, shown.status) == (200, 400)


async def test_a_forged_form_posts_nothing(sato: Browser) -> None:
    sato.csrf = "forged"
    status, _ = await send(sato, "/boards/new", room="all", title="偽", id=message_id(1))

    assert status == 403
    assert "偽" not in await page(sato, "/boards")


async def test_two_clerks_who_edit_at_once_lose_nothing_and_are_told(
    sato: Browser, office: FakeOffice
) -> None:
    author, registrar = office.staff[0], office.staff[2]
    path = await notice(office, author, "断水", 1)
    replaces = hidden(await page(sato, f"{path}/edit"), "replaces")
    theirs = Edit(author.staff_id, message_id(1), replaces.split())
    await notice(office, registrar, "断水 夜まで", 2, edit=theirs)

    status, location = await send(
        sato, f"{path}/edit", title="断水 夕方まで", text="", id=message_id(3), replaces=replaces
    )
    both = await page(sato, location)

    assert status == 303
    assert "断水 夜まで" in both and "断水 夕方まで" in both and "2つの版があります" in both
    assert "要確認（2つの版）" in await page(sato, "/boards")
    settling = await page(sato, f"{path}/edit")
    assert len(hidden(settling, "replaces").split()) == 2 and "断水 夜まで" in settling


async def test_somebody_elses_notice_has_no_edit_and_refuses_one(
    sato: Browser, office: FakeOffice, suzuki: Person
) -> None:
    path = await notice(office, suzuki, "断水", 1)
    replaces = message_id(1).replace("-", "") * 2

    assert f"{path}/edit" not in await page(sato, path)
    status, location = await send(
        sato, f"{path}/edit", title="うそ", text="", id=message_id(2), replaces=replaces
    )
    answer = await sato.get(location, headers=HTML)
    assert (status, answer.status) == (303, 403)
    assert "直せるのは" in await answer.text()


async def test_a_notice_that_is_called_off_stays_struck_through(
    sato: Browser, office: FakeOffice
) -> None:
    path = await notice(office, office.staff[0], "断水", 1)
    replaces = hidden(await page(sato, path), "replaces")
    status, location, _ = await form(
        sato, f"{path}/withdraw", csrf=sato.csrf, id=message_id(2), replaces=replaces
    )
    shown = await page(sato, location)

    assert status == 303
    assert 'class="struck"' in shown and "取り消し" in shown and "第1版" in shown
    assert f"{path}/withdraw" not in shown


async def test_without_script_a_reader_says_that_it_was_read(
    sato: Browser, office: FakeOffice, suzuki: Person
) -> None:
    path = await notice(office, suzuki, "断水", 1)
    shown = await page(sato, path)
    assert '<span class="unread-dot">' in await page(sato, "/boards")

    items = hidden(shown, "items")
    status, location, _ = await form(sato, f"{path}/read", csrf=sato.csrf, items=items)

    assert (status, location, items) == (303, path, f"2001/{message_id(1)}")
    assert '<span class="unread-dot">' not in await page(sato, "/boards")
    assert office.reads["2001", message_id(1)].keys() == {"1001"}


async def test_another_rooms_papers_are_refused_by_page_and_by_api(
    sato: Browser, office: FakeOffice, suzuki: Person
) -> None:
    board = await notice(office, suzuki, "中央区だけ", 1, room="ward:02")
    day = await event(office, suzuki, 2, room="ward:02")
    of = day.removeprefix("/events/")
    asked = [
        board, f"{board}/edit", "/boards?room=ward:02", "/events?room=ward:02", day,
        f"{day}/edit", f"/api{board}", f"/api/calendar/{of}", f"/api/calendar/{of}/ics",
        "/api/boards?room=ward:02", "/api/calendar?room=ward:02",
    ]  # fmt: skip

    for path in asked:
        answer = await sato.get(path, headers=HTML)
        assert answer.status == 403, path
        assert "中央区だけ" not in await answer.text()
    for path in ("/boards", "/events", "/", "/api/boards", "/api/calendar", "/api/calendar.ics"):
        answer = await sato.get(path, headers=HTML)
        text = await answer.text()
        assert answer.status == 200 and "中央区だけ" not in text and "訓練" not in text


@pytest.mark.parametrize("path", ["/boards/1001/x", "/events/1001/x", "/files/1001/x"])
async def test_what_is_not_there_is_a_404_in_both_languages(sato: Browser, path: str) -> None:
    shown = await sato.get(path, headers=HTML)
    names = {"/boards": "boards", "/events": "calendar", "/files": "documents"}
    kind, _, of = path[1:].partition("/")
    told = await (await sato.get(f"/api/{names['/' + kind]}/{of}")).json()

    assert shown.status == 404 and "この機器にありません" in await shown.text()
    assert (told["status"], told["code"]) == (404, "no_paper")
    assert told["ja"] and told["en"] and told["next_ja"] and told["next_en"]


async def test_hostile_words_are_only_words(sato: Browser, office: FakeOffice) -> None:
    path = await notice(office, office.staff[0], MANY, 1, text=MANY)
    for each in ("/boards", path, f"{path}/edit", "/rooms/all"):
        assert "<script>alert" not in await page(sato, each)


async def test_the_api_posts_lists_edits_and_refuses(sato: Browser) -> None:
    body: dict[str, Any] = {"id": message_id(1), "room": "all", "title": "断水"}
    assert (await sato.post("/api/boards", body)).status == 201
    (found,) = (await (await sato.get("/api/boards")).json())["notices"]
    edit = {k: found[k] for k in ("author", "message_id", "replaces")}

    edited = await sato.post("/api/boards", {**body, "id": message_id(2), "edit": edit})
    stale = await sato.post(
        "/api/boards", {**body, "id": message_id(3), "edit": {**edit, "replaces": ["ff" * 32]}}
    )
    pinned = await sato.post("/api/boards", {**body, "id": message_id(4), "pin": True})
    unknown = await sato.post("/api/boards", {**body, "id": message_id(5), "colour": "red"})

    assert [edited.status, stale.status, pinned.status, unknown.status] == [201, 409, 403, 400]
    assert [(await each.json())["code"] for each in (stale, pinned, unknown)] == [
        "stale_version", "no_pin", "bad_field",
    ]  # fmt: skip
    (found,) = (await (await sato.get("/api/boards")).json())["notices"]
    assert [each["number"] for each in found["versions"]] == [2]


async def test_a_registrar_pins_and_a_clerk_is_not_offered_it(
    registrar: Browser, office: FakeOffice
) -> None:
    path = await notice(office, office.staff[0], "断水", 1)
    await notice(office, office.staff[0], "後から", 2)
    text = await page(registrar, f"{path}/edit")
    for _ in range(2):  # the first answer was lost
        status, location = await send(
            registrar, f"{path}/edit", title="断水", text="", id=message_id(3), pin="1",
            pinned=hidden(text, "pinned"), replaces=hidden(text, "replaces"),
        )  # fmt: skip
        assert (status, location) == (303, f"{path}?done=posted")

    assert 'name="pin"' in text
    listed = await page(registrar, "/boards")
    assert listed.index("断水") < listed.index("後から") and ">固定<" in listed
    await registrar.log_in("1001")
    assert 'name="pin"' not in await page(registrar, f"{path}/edit")


@pytest.mark.usefixtures("from_lan")
async def test_over_plain_http_a_registrar_edits_like_everybody(
    registrar: Browser, office: FakeOffice
) -> None:
    path = await notice(office, office.staff[0], "断水", 1)
    edit = {"author": "1001", "message_id": message_id(1), "replaces": [_entry(1)]}
    body = {"id": message_id(2), "room": "all", "title": "直し"}
    own = await send(registrar, "/boards/new", room="all", title="自分の", id=message_id(3))

    assert own[0] == 303 and "done=posted" in own[1]
    assert f"{path}/edit" not in await page(registrar, path)
    assert (await registrar.get(f"{path}/edit", headers=HTML)).status == 403
    for more in ({"edit": edit}, {"pin": True}):
        answer = await registrar.post("/api/boards", {**body, **more})
        assert (answer.status, (await answer.json())["code"]) == (403, "need_https")


def _entry(n: int) -> str:
    return message_id(n).replace("-", "") * 2


async def test_events_stand_under_their_day_and_the_past_behind_a_link(
    sato: Browser, office: FakeOffice
) -> None:
    who = office.staff[0]
    past = {"start": "2026-11-10T09:00+09:00", "end": "2026-11-10T10:00+09:00"}
    long = {"start": "2026-11-17T00:00+09:00", "end": "2026-11-21T00:00+09:00"}
    await event(office, who, 1)
    await event(office, who, 2, title="先週", **past)
    await event(office, who, 3, title="点検", all_day=True, **long)
    listed, home = await page(sato, "/events"), await page(sato, "/")

    assert "先週" not in listed
    assert listed.index("きょう 11月18日") < listed.index("点検") < listed.index("11月20日")
    assert "09:00–11:30" in listed and "11/17–11/20" in listed
    assert home.index("点検") < home.index("訓練")
    link = re.search(r'href="(/events\?before=[^"]*)"', listed)
    assert link is not None
    earlier = await page(sato, link[1].replace("&amp;", "&"))
    assert "先週" in earlier and "点検" not in earlier


async def test_an_event_posted_by_a_form_is_shown_and_edited(sato: Browser) -> None:
    at = {
        "room": "all", "title": "訓練", "start": "2026-11-20T09:00", "end": "", "place": "講堂",
        "text": "", "id": message_id(1),
    }  # fmt: skip
    status, location, _ = await form(sato, "/events/new", csrf=sato.csrf, **at)
    shown = await page(sato, location)

    assert (status, location) == (303, f"/events/1001/{message_id(1)}?done=posted")
    assert "09:00–10:00" in shown and "場所: 講堂" in shown
    edit = await page(sato, f"/events/1001/{message_id(1)}/edit")
    assert 'value="2026-11-20T09:00"' in edit and 'value="2026-11-20T10:00"' in edit


async def test_a_new_event_begins_with_the_next_hour_until_somebody_says_else(
    sato: Browser,
) -> None:
    assert 'name="start" value="2026-11-18T21:00"' in await page(sato, "/events/new")


async def test_an_event_that_ends_before_it_starts_keeps_its_form(sato: Browser) -> None:
    at = {"room": "all", "title": "訓練", "start": "2026-11-20T09:00", "end": "2026-11-20T08:00"}
    _, location, _ = await form(sato, "/events/new", csrf=sato.csrf, id=message_id(1), **at)
    answer = await sato.get(location, headers=HTML)
    text = await answer.text()

    assert answer.status == 400 and "日時が正しくありません" in text
    assert 'value="訓練"' in text and 'value="2026-11-20T08:00"' in text


async def test_an_event_called_off_is_struck_and_leaves_home(
    sato: Browser, office: FakeOffice
) -> None:
    path = await event(office, office.staff[0], 1)
    replaces = hidden(await page(sato, path), "replaces")
    await form(sato, f"{path}/withdraw", csrf=sato.csrf, id=message_id(2), replaces=replaces)

    assert 'class="struck"' in await page(sato, path)
    assert "訓練" in await page(sato, "/events")
    assert path not in await page(sato, "/")
    calendar = await (await sato.get("/api/calendar.ics")).text()
    assert "STATUS:CANCELLED" in calendar and "SEQUENCE:1" in calendar


async def test_a_calendar_is_a_download_of_its_own_type(sato: Browser, office: FakeOffice) -> None:
    path = await event(office, office.staff[0], 1)
    answer = await sato.get(f"/api/calendar{path.removeprefix('/events')}/ics")

    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="events.ics"'
    assert (await answer.text()).count("BEGIN:VEVENT") == 1


@pytest.mark.parametrize(
    ("start", "end", "all_day", "times"),
    [
        ("2026-11-20T09:00", "2026-11-20T10:00", False, ("20T09:00", "20T10:00")),
        ("2026-11-20 09:00", "", False, ("20T09:00", "20T10:00")),
        ("2026-11-20T09:00:30", "2026-11-20T10:00", False, ("20T09:00", "20T10:00")),
        ("2026-11-20T09:00", "2026-11-21T10:00", True, ("20T00:00", "22T00:00")),
        ("2026-11-20", "", True, ("20T00:00", "21T00:00")),
    ],
)
def test_a_form_says_a_time_as_browsers_do(
    start: str, end: str, all_day: bool, times: tuple[str, str]
) -> None:
    expected = tuple(f"2026-11-{each}+09:00" for each in times)

    assert times_of(start, end, all_day=all_day) == expected


@pytest.mark.parametrize("text", ["", "あした", "2026-11-20T09:00Z", "9999-12-31T23:59"])
def test_what_is_no_time_stays_as_it_is(text: str) -> None:
    assert times_of(text, "2026-11-20T09:00", all_day=False) == (text, "2026-11-20T09:00")


async def test_a_closed_seat_leads_to_the_login(sato: Browser, office: FakeOffice) -> None:
    office.refuse = RefusedError("seat_closed", "閉", "closed", "次", "next", 401)
    status, _ = await send(sato, "/boards/new", room="all", title="断水", id=message_id(1))

    assert status == 401
