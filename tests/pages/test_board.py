"""掲示 and 予定 in a browser: two clerks at once, without script, and what a reader has seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, expect

from meshrelay.node.board_desk import EventDraft, NoticeDraft
from meshrelay.web.server import create_app, serve
from tests.office_fake import SATO, SUZUKI, YAMADA, FakeOffice, FakeSeat, Person
from tests.pages.browser import Open, Ward, log_in, message_id
from tests.town import SATO as SATO_OF_TOWN
from tests.town import build_town, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def notice(office: FakeOffice, who: Person, title: str, n: int, **more: Any) -> str:
    """A notice of somebody, as if it had come from the network; the path of its page."""
    office.seats.append(FakeSeat(who))
    draft = NoticeDraft(**{"room": "all", "title": title, "text": "午後3時まで", **more})
    await office.boards.post_notice(office.seats[-1], draft, message_id(n))
    return f"/boards/{who.staff_id}/{message_id(n)}"


async def test_two_clerks_who_edit_at_once_keep_both_and_one_of_them_settles_it(
    ward: Ward, open_page: Open
) -> None:
    ward.office.hire(YAMADA)
    path = await notice(ward.office, SATO, "断水", 1)
    one, other = await open_page(), await open_page()
    for page, staff in ((one, "1001"), (other, "1009")):
        await log_in(page, ward, staff, "/boards")
        await page.click("text=断水")
        await page.get_by_role("link", name="直す").click()
        await page.wait_for_url(f"{ward.url}{path}/edit")

    for page, title in ((other, "断水 夜まで"), (one, "断水 夕方まで")):
        await page.fill("#title", title)
        await page.click("button.main")
        await page.wait_for_url(f"{ward.url}{path}?done=posted")

    for page in (one, other):  # the first of them learns it without a reload
        await expect(page.locator("#paper > .note")).to_contain_text("2つの版があります")
        await expect(page.locator("article.paper h2")).to_have_text(
            ["断水 夕方まで", "断水 夜まで"]
        )
    await other.get_by_role("link", name="直す").click()
    await expect(other.locator("article.paper h2")).to_have_text(["断水 夜まで"])
    await other.fill("#title", "断水 19時まで")
    await other.click("button.main")
    await expect(one.locator("article.paper h2")).to_have_text(["断水 19時まで"])
    await expect(one.locator("#paper > .note")).to_have_count(0)
    await expect(one.locator("details.paper")).to_have_count(3)


async def test_what_was_on_the_screen_is_read_and_the_list_says_so(
    ward: Ward, open_page: Open
) -> None:
    path = await notice(ward.office, SUZUKI, "断水", 1)
    page = await open_page()
    await log_in(page, ward, to="/boards")
    await expect(page.locator(".unread-dot")).to_have_count(1)
    assert ward.office.reads == {}  # a list shows its title alone

    await page.click(f'a[href="{path}"]')
    await expect(page.locator("[data-read]")).to_have_count(0)

    assert ward.office.reads["2001", message_id(1)].keys() == {"1001"}
    await page.get_by_role("link", name="戻る").click()
    await expect(page.locator(".papers-list")).to_contain_text("断水")
    await expect(page.locator(".unread-dot")).to_have_count(0)


async def test_a_notice_that_comes_later_appears_in_the_list(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, ward, to="/boards")
    await page.goto(f"{ward.url}/boards?room=all")
    await notice(ward.office, SUZUKI, "断水", 1)
    await expect(page.locator(".paper-name")).to_contain_text(["断水"])

    await notice(ward.office, SATO, "北区だけ", 2, room="ward:01")
    await notice(ward.office, SUZUKI, "もう一つ", 3)

    await expect(page.locator(".paper-name")).to_contain_text(["もう一つ", "断水"])
    await expect(page.locator(".papers-list")).not_to_contain_text("北区だけ")


async def test_in_its_room_a_notice_is_a_bubble_that_leads_to_it(
    ward: Ward, open_page: Open
) -> None:
    path = await notice(ward.office, SUZUKI, "断水", 1)
    plain = await open_page(java_script_enabled=False)
    page = await open_page()
    for each in (page, plain):
        await each.goto(f"{ward.url}/login?next=/rooms/all")
        await each.fill("#staff", "1001")
        await each.fill("#card", "AAAA-BBBB-CCCC-DDDD-1")
        await each.fill("#pin", "246810")
        await each.click("#login button")
        await each.wait_for_url(f"{ward.url}/rooms/all")

    for each in (plain, page):
        link = each.locator(".bubble a.file")
        await expect(link).to_have_text("掲示 断水")
        assert await link.get_attribute("href") == path
    await notice(ward.office, SUZUKI, "後から", 2)
    await page.get_by_role("link", name="掲示 後から").click()
    await expect(page.locator("article.paper h2")).to_have_text("後から")


async def test_a_half_written_notice_outlives_a_reload_and_ends_when_it_is_stored(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward, to="/boards/new")
    await page.wait_for_selector("form[data-ready]")
    await page.select_option("#room", "ward:01")
    await page.fill("#title", "炊き出し")
    await page.fill("#text", "12時から")
    kept = "Object.keys(localStorage).some((key) => key.includes('boards-new'))"
    async with asyncio.timeout(10):
        while not await page.evaluate(kept):
            pass
    await page.reload()

    await expect(page.locator("#title")).to_have_value("炊き出し")
    await expect(page.locator("#text")).to_have_value("12時から")
    await expect(page.locator("#room")).to_have_value("ward:01")
    await page.click("button.main")
    await expect(page.locator("article.paper h2")).to_have_text("炊き出し")
    await page.goto(f"{ward.url}/boards/new")
    await page.wait_for_selector("form[data-ready]")
    await expect(page.locator("#title")).to_have_value("")


async def test_all_of_it_works_without_script(ward: Ward, open_page: Open) -> None:
    theirs = await notice(ward.office, SUZUKI, "断水", 1)
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{ward.url}/login?next=/boards")
    await page.fill("#staff", "1001")
    await page.fill("#card", "AAAA-BBBB-CCCC-DDDD-1")
    await page.fill("#pin", "246810")
    await page.click("#login button")

    await page.click("text=断水")
    await page.click(".read-form button")
    await expect(page.locator(".read-form")).to_have_count(0)
    assert ward.office.reads["2001", message_id(1)] and page.url == f"{ward.url}{theirs}"
    await page.goto(f"{ward.url}/boards")
    await page.click("text=新しい掲示")
    await page.select_option("#room", "all")
    await page.fill("#title", "炊き出し")
    await page.fill("#text", "12時から")
    await page.click("button.main")
    await expect(page.locator("article.paper")).to_contain_text("12時から")
    await page.click("text=直す")
    await page.fill("#title", " ")
    await page.fill("#text", "13時から")
    await page.click("button.main")
    await expect(page.locator(".problem")).to_contain_text("題名がありません")
    await expect(page.locator("#text")).to_have_value("13時から")
    await page.fill("#title", "炊き出し(変更)")
    await page.click("button.main")
    await expect(page.locator("article.paper")).to_contain_text("第2版 最新")
    await page.locator("summary", has_text="取り消す").click()
    await page.locator("form button", has_text="取り消す").click()
    await expect(page.locator("article.paper h2.struck")).to_have_text("炊き出し(変更)")

    await page.goto(f"{ward.url}/events")
    await page.click("text=新しい予定")
    await page.select_option("#room", "all")
    await page.fill("#title", "訓練")
    await page.fill("#start", "2026-11-20T09:00")
    await page.fill("#place", "講堂")
    await page.click("button.main")
    await expect(page.locator(".event-when")).to_contain_text("09:00–10:00")
    await page.goto(ward.url)
    await expect(page.locator("#events")).to_contain_text("訓練")


async def test_the_next_events_stand_on_home_and_lead_to_their_page(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward, to="/")
    ward.office.seats.append(FakeSeat(SUZUKI))
    draft = EventDraft(
        room="all", title="訓練", start="2026-11-20T09:00+09:00", end="2026-11-20T11:30+09:00"
    )
    await ward.office.boards.post_event(ward.office.seats[-1], draft, message_id(1))

    await page.locator("#events a").click()
    await expect(page.locator(".event-when")).to_contain_text("11月20日（金） 09:00–11:30")
    async with page.expect_download() as download:
        await page.click("text=カレンダーに入れる")
    saved = await (await download.value).path()
    assert saved.read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")


@pytest_asyncio.fixture(loop_scope="module")
async def town_url(tmp_path: Path) -> AsyncIterator[str]:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        app = create_app(town.nodes["01"], hosts=["127.0.0.1"])
        async with serve(app, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.port}"


async def test_a_notice_carries_files_and_a_document_gets_a_new_version(
    town_url: str, chromium: Browser
) -> None:
    page = await (await chromium.new_context()).new_page()
    await page.goto(f"{town_url}/login?next=/boards/new#s=K001&c={SATO_OF_TOWN.code}")
    await page.fill("#pin", SATO_OF_TOWN.pin)
    await page.click("#login button")
    await page.wait_for_selector("form[data-ready]")
    table, plan = (
        FilePayload(name=name, mimeType="text/csv", buffer=name.encode() * 9)
        for name in ("給水車.csv", "地図.csv")
    )
    await page.select_option("#room", "all")
    await page.fill("#title", "給水")
    await page.set_input_files("#file", [table, plan])
    await page.click("button.main")

    files = page.locator(".paper-files a")
    await expect(files).to_have_text(["給水車.csv", "地図.csv"])
    href = await files.first.get_attribute("href")
    answer = await page.request.get(f"{town_url}{href}")
    assert await answer.body() == "給水車.csv".encode() * 9
    await page.get_by_role("link", name="直す").click()
    await page.wait_for_selector("form[data-ready]")
    await page.locator("#kept label", has_text="地図.csv").locator("input").uncheck()
    await page.click("button.main")
    await expect(page.locator("article .paper-files a")).to_have_text(["給水車.csv"])

    await page.goto(f"{town_url}/rooms/all/files")
    await page.set_input_files("#file", table)
    await page.click("#send button.main")
    await page.click("text=版を見る・差し替える")
    await page.set_input_files("#file", plan)
    await page.fill("#text", "2台ふやした")
    await page.click("button.main")
    await expect(page.locator("#paper .file-name")).to_contain_text(["地図.csv", "給水車.csv"])
    await expect(page.locator("#paper")).to_contain_text("第2版 最新")
    await page.goto(f"{town_url}/files?name=地図")
    await expect(page.locator(".paper-name")).to_have_text(["第2版 地図.csv"])
    await page.goto(f"{town_url}/rooms/all/files")
    await expect(page.locator(".files .flag")).to_have_text(["第2版 最新", "第1版 古い版"])
    await page.context.close()
