"""The courier page in a browser: a file out of one ward and into the other, with a bar."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from meshrelay.web.server import create_app, serve
from tests.pages.browser import ARGS, CHROMIUM
from tests.town import SATO, TANAKA, Clerk, build_town, running

# The machine may be busy with other tests.
WAIT_MS = 10_000


async def log_in(page: Page, url: str, clerk: Clerk) -> None:
    """As a person types it; leads to the courier page."""
    await page.goto(f"{url}/login?next=/courier")
    for field, value in (("staff", clerk.staff_id), ("card", clerk.code), ("pin", clerk.pin)):
        await page.fill(f"#{field}", value)
    await page.click("#login button")
    await page.wait_for_url(f"{url}/courier")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
async def test_a_person_carries_a_file_from_page_to_page(
    tmp_path: Path, width: int, scheme: str
) -> None:
    expect.set_options(timeout=WAIT_MS)
    async with running(build_town(tmp_path / "town", {"01": (), "02": ()})) as town:
        await town.say("01", await town.log_in("01", SATO), "避難所を開けました")
        kita = serve(create_app(town.nodes["01"], hosts=["127.0.0.1"]), "127.0.0.1", 0)
        chuo = serve(create_app(town.nodes["02"], hosts=["127.0.0.1"]), "127.0.0.1", 0)
        async with kita, chuo, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            context = await browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            page = await context.new_page()
            await log_in(page, f"http://127.0.0.1:{kita.port}", SATO)
            await page.select_option("#to", "02")
            async with page.expect_download() as started:
                await page.click("text=ファイルを作る")
            download = await started.value
            carried = tmp_path / download.suggested_filename
            await download.save_as(carried)
            await expect(page.locator("#made")).to_have_text(
                f"✓ 作りました：{download.suggested_filename}、1件。"
                "「ダウンロード」の中にあります。"
            )
            made_sideways = await page.evaluate("document.documentElement.scrollWidth")
            await expect(page.locator("main")).to_contain_text("中身は伝令では運ばれません")
            other = tmp_path / "notes.pdf"
            other.write_bytes(b"%PDF-1.7" + bytes(5_000))

            await log_in(page, f"http://127.0.0.1:{chuo.port}", TANAKA)
            sideways = await page.evaluate("document.documentElement.scrollWidth")
            await page.set_input_files("#file", other)
            await page.click("text=読み込む")
            await expect(page.locator(".problem")).to_contain_text("伝令データではありません")
            await page.set_input_files("#file", carried)
            await page.click("text=読み込む")
            await page.wait_for_url("**/courier/readings/*")
            await expect(page.locator(".done")).to_contain_text("読み込みました")
            await expect(page.locator("dd").first).to_have_text("1件")
            await page.click("text=ルームへ")
            await page.wait_for_url("**/rooms")
            await browser.close()

    assert max(sideways, made_sideways) <= width
