"""Three real nodes, three browsers: written in 北区, read in 中央区 and at HQ, said truthfully."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from meshrelay.web.server import create_app, serve
from tests.pages.browser import ARGS, CHROMIUM, PHONE
from tests.town import MAYOR, PIN, SATO, TANAKA, Clerk, Town, build_town, running

CHAIN = {"01": (), "02": ("01",), "00": ("02",)}
HAVE_MS_MAX = 40_000  # one HAVE each 30 s, and the way


@contextlib.asynccontextmanager
async def pages(town: Town) -> AsyncIterator[dict[str, str]]:
    """The staff page of every node of the town: ward -> address."""
    async with contextlib.AsyncExitStack() as stack:
        urls = {}
        for ward, node in town.nodes.items():
            app = create_app(node, hosts=["127.0.0.1"])
            server = await stack.enter_async_context(serve(app, "127.0.0.1", 0))
            urls[ward] = f"http://127.0.0.1:{server.port}"
        yield urls


async def log_in(browser: Browser, url: str, clerk: Clerk) -> Page:
    page = await (await browser.new_context(viewport=PHONE)).new_page()
    await page.goto(f"{url}/login?next=/rooms/all#s={clerk.staff_id}&c={clerk.code}")
    await page.fill("#pin", clerk.pin)
    await page.click("#login button")
    await page.wait_for_url(f"{url}/rooms/all")
    return page


async def test_a_message_goes_from_ward_to_ward_and_its_words_follow(tmp_path: Path) -> None:
    async with (
        running(build_town(tmp_path, CHAIN)) as town,
        pages(town) as urls,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        sato = await log_in(browser, urls["01"], SATO)
        tanaka = await log_in(browser, urls["02"], TANAKA)
        mayor = await log_in(browser, urls["00"], MAYOR)

        await sato.fill("#text", "北区役所、全員無事です。")
        await sato.click("#write button")
        marks = sato.locator(".msg.mine .marks")
        # On a busy machine the other wards' receipts are there before a glance is.
        await expect(marks).to_contain_text(re.compile("区の機器|他の区|本部"), timeout=5_000)
        for page in (tanaka, mayor):
            await expect(page.locator(".msg.theirs")).to_contain_text("全員無事", timeout=10_000)
        await expect(marks).to_contain_text("本部", timeout=HAVE_MS_MAX)
        await expect(marks).to_contain_text("他の区 1", timeout=HAVE_MS_MAX)
        await expect(marks).to_contain_text("既読 2/3", timeout=HAVE_MS_MAX)

        await marks.click()
        who = sato.locator("#who")
        await expect(who).to_contain_text("未読 1人")
        await expect(who).to_contain_text("鈴木")
        await expect(who).to_contain_text("区の機器の知らせなし")
        await expect(who).to_contain_text("既読 2人")
        await sato.goto(urls["01"])
        await expect(sato.locator("#sync")).to_contain_text("本部まで届いています", timeout=40_000)
        await browser.close()


UMEDA = Clerk("R101", "梅田 一郎", "うめだ いちろう", "01", "", ("registrar",))


async def test_a_temporary_card_from_the_page_logs_in_and_its_note_is_marked_in_another_ward(
    tmp_path: Path,
) -> None:
    town = build_town(tmp_path, {"01": (), "02": ("01",)}, clerks=(MAYOR, SATO, TANAKA, UMEDA))
    async with running(town), pages(town) as urls, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        tanaka = await log_in(browser, urls["02"], TANAKA)
        umeda = await log_in(browser, urls["01"], UMEDA)
        await umeda.goto(f"{urls['01']}/cards?q=さとう")
        found = await umeda.locator(".cards").inner_text()
        await umeda.fill("#name", "応援 太郎")
        await umeda.click(".panel button")
        staff, code = await umeda.locator(".paper-card code").all_inner_texts()

        helper = await (await browser.new_context(viewport=PHONE)).new_page()
        await helper.goto(f"{urls['01']}/login?next=/rooms/all#s={staff}&c={code}")
        await helper.fill("#pin", PIN)
        await helper.click("#login button")
        await helper.fill("#pin-again", PIN)
        await helper.click("#login button")
        await helper.wait_for_url("**/rooms/all")
        await helper.click("summary.plus")
        await helper.click("#sheet a[href$='/note']")
        await helper.fill("#source-name", "近所の人")
        await helper.fill("#text", "橋が落ちています")
        await helper.click("form button.main")
        await helper.wait_for_url("**/rooms/all")
        await helper.goto(f"{urls['01']}/settings")
        await helper.click("form[action='/lock'] button")
        await helper.fill("#pin", PIN)
        await helper.click("main button")
        await helper.wait_for_url("**/settings")

        note = tanaka.locator(".msg.theirs", has_text="橋が落ちています")
        await expect(note).to_contain_text("署名なし（受付：", timeout=10_000)
        await expect(note).to_contain_text("窓口 近所の人")
        await browser.close()

    assert "佐藤" in found and "使用中" in found
