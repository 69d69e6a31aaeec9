"""Urgent news over HTTP, without any script: who is told, what a locked screen says."""

from __future__ import annotations

from msgspec import structs

from tests.office_fake import MAYOR, SATO, SUZUKI, FakeOffice, Person
from tests.pages.browser import say
from tests.unit.web.conftest import HTML, Browser, message_id


def order(office: FakeOffice, text: str = "庁舎に参集", n: int = 1, by: Person = MAYOR) -> None:
    say(office, by, text, n, kind="instruction")


async def page(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text
    return text


async def test_a_program_learns_how_many_orders_wait_and_the_newest(
    sato: Browser, office: FakeOffice
) -> None:
    nothing = await (await sato.get("/api/urgent")).json()
    order(office)
    order(office, "3階へ", 2)
    say(office, MAYOR, "ふつうの連絡", 3)
    say(office, MAYOR, "古い指示", 4, kind="instruction", expiry="expired")
    told = await (await sato.get("/api/urgent")).json()

    assert nothing == {"count": 0, "newest": None}
    assert (told["count"], told["newest"]["kind"]) == (2, "instruction")
    assert told["newest"]["body"]["text"] == "3階へ"


async def test_nobodys_own_words_alert_them(browser: Browser, office: FakeOffice) -> None:
    await browser.log_in(MAYOR.staff_id)
    order(office)

    assert (await (await browser.get("/api/urgent")).json())["count"] == 0


async def test_a_locked_screen_says_that_something_waits_and_not_what(
    sato: Browser, office: FakeOffice
) -> None:
    order(office)
    await sato.post("/api/lock", None)
    told = await (await sato.get("/api/urgent")).json()
    bar = await page(sato, "/told")

    assert told == {"count": 1, "newest": None}
    assert "緊急の知らせが1件あります" in bar and "PIN" in bar
    assert "参集" not in bar and "/urgent" not in bar


async def test_without_a_log_in_nothing_is_told(browser: Browser, office: FakeOffice) -> None:
    order(office)

    for path in ("/api/urgent", "/told"):
        assert (await browser.get(path)).status == 401
    assert "tell.js" not in await page(browser, "/login")


async def test_the_stream_says_by_its_data_when_to_ask_again(
    sato: Browser, office: FakeOffice
) -> None:
    stream = await sato.get("/api/events")
    await stream.content.readuntil(b"\n\n")
    order(office)
    first = await stream.content.readuntil(b"\n\n")
    say(office, SUZUKI, "ふつうの連絡", 2)
    second = await stream.content.readuntil(b"\n\n")
    order(office, "3階へ", 3)
    third = await stream.content.readuntil(b"\n\n")

    assert first == second == b"event: new\ndata: 1\n\n"
    assert third == b"event: new\ndata: 3\n\n"


async def test_the_page_shows_every_order_that_waits_and_a_form_says_that_it_was_read(
    sato: Browser, office: FakeOffice
) -> None:
    order(office, "一行目\n<b>二行目</b>")
    order(office, "北区へ", 2)
    office.kept["0001", message_id(2)] = structs.replace(
        office.kept["0001", message_id(2)], room="ward:01"
    )
    text = await page(sato, "/urgent")
    items = f"0001/{message_id(2)} 0001/{message_id(1)}"
    form = {"csrf": sato.csrf, "items": items}
    answer = await sato.client.post("/urgent", data=form, headers=HTML, allow_redirects=False)

    assert f'value="{items}"' in text
    assert "一行目\n&lt;b&gt;二行目&lt;/b&gt;" in text and "市長 松田" in text
    assert 'href="/rooms/ward%3A01"' in text and "北区" in text
    assert (answer.status, answer.headers["Location"]) == (303, "/urgent")
    assert all(SATO.staff_id in readers for readers in office.reads.values())
    assert "まだ読んでいない緊急の知らせはありません" in await page(sato, "/urgent")


async def test_the_bar_names_the_newest_in_the_readers_language(
    sato: Browser, office: FakeOffice
) -> None:
    order(office, "先の指示")
    order(office, "<i>" + "長" * 200, 2)
    bar, english = await page(sato, "/told"), await page(sato, "/told?lang=en")

    assert "指示 &lt;i&gt;長" in bar and "長" * 58 not in bar and "ほかに1件" in bar
    assert "Instruction" in english and "and 1 more" in english


async def test_settings_have_the_sound_test_and_say_that_a_locked_phone_is_not_alerted(
    sato: Browser,
) -> None:
    text = await page(sato, "/settings")

    assert "音を試す" in text
    assert "ロックしたスマートフォンには知らせが届きません。画面を開いたままにしてください" in text
