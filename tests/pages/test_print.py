"""Every list on paper: black on white, whole rows, no navigation; where, when, and 訓練."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs
from playwright.async_api import Page, expect

from meshrelay.web.views import JST
from tests.monitor_scene import ALL_WARDS, City, whole_city
from tests.office_fake import NOW_MS, SATO, SUZUKI, YAMADA, Person
from tests.pages.browser import Open, Ward, log_in, message_id, say
from tests.pages.test_monitor import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

A4 = {"width": 794, "height": 1123}
WHO = f"/rooms/all/who/1001/{message_id(99)}"
LISTS = {
    "/rooms": ".rooms li", WHO: ".people li", "/rooms/all": ".msg", "/search?q=毛布": ".hits li",
    "/people?q=応援": ".hits li", "/cards": ".people li", "/nodes": ".people li",
    "/": ".rooms li", "/rooms/all/about": "main",
}  # fmt: skip
# What is seen: text that is not black, grounds that are not white, words cut off.
FAULTS = """() => {
  const faults = [];
  const seen = (e) => e.checkVisibility({ checkVisibilityCSS: true }) && !e.closest(".sr");
  document.querySelectorAll("body, body *").forEach((e) => {
    if (!seen(e) || /SCRIPT|NOSCRIPT/.test(e.tagName)) return;
    const style = getComputedStyle(e);
    const own = Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim());
    const name = e.tagName + "." + (e.getAttribute("class") || "");
    const say = (fault) => faults.push(name + " " + fault);
    const ground = style.backgroundColor;
    if (own && style.color !== "rgb(0, 0, 0)") say("is " + style.color);
    if (["rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"].indexOf(ground) < 0) say("on " + ground);
    if (own && style.overflow !== "visible" && e.scrollWidth > e.clientWidth) say("is cut");
    if (/fixed|sticky/.test(style.position)) say("is on each sheet");
  });
  return Array.from(new Set(faults)); }"""


async def on_paper(page: Page) -> list[str]:
    await page.emulate_media(media="print")
    faults: list[str] = await page.evaluate(FAULTS)
    return faults


def fill(ward: Ward) -> None:
    """A drill with long names, twelve helpers and twelve messages; the last one is 佐藤's."""
    office = ward.office
    office.network = structs.replace(office.network, drill=True)
    office.hire(YAMADA)
    for n in range(12):
        name = f"応援{n} " + "長い名前の" * 5
        office.hire(Person(f"4{n:03}", name, "おうえん", "01", "物資班", ("staff",)))
        say(office, SUZUKI, f"毛布{n}枚。" + "倉庫の前に車を回してください。" * 4, n)
    say(office, SATO, "毛布を送りました", 99)


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_is_black_on_white_and_says_where_and_when(
    ward: Ward, open_page: Open, path: str
) -> None:
    fill(ward)
    page = await open_page(viewport=A4, color_scheme="dark")
    await page.context.add_cookies([{"name": "mr-colours", "value": "dark", "url": ward.url}])
    await log_in(page, ward, "1009", "/rooms")
    await page.goto(ward.url + path)

    assert await on_paper(page) == []
    for hidden in ("nav", "button", ".lang", ".back", "details", ".skip"):
        await expect(page.locator(f"{hidden} >> visible=true")).to_have_count(0)
    top = await page.locator(".print-only").inner_text()
    assert top.startswith("大阪市 · 北区役所の機器 · 20")
    assert "訓練" in await page.locator(".ribbon").inner_text()
    await expect(page.locator("h1")).to_be_visible()
    rows = page.locator(LISTS[path])
    assert await rows.count() >= 1
    if LISTS[path] != "main":
        broken = await rows.evaluate_all(
            "(rows) => rows.filter((e) => getComputedStyle(e).breakInside !== 'avoid').length"
        )
        assert broken == 0


async def test_paper_bears_the_time_of_its_printing(ward: Ward, open_page: Open) -> None:
    fill(ward)
    page = await open_page()
    await log_in(page, ward, to="/rooms")
    # An hour passes on the screen before somebody prints it.
    await page.evaluate("{ const now = Date.now; Date.now = () => now() + 3600000; }")

    sheets = await page.pdf(format="A4")

    printed = await page.locator(".print-only time").text_content()
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC) + timedelta(hours=1)
    assert printed is not None and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", printed)
    assert timedelta() <= datetime.fromisoformat(f"{printed}:59+09:00") - at <= timedelta(minutes=2)
    assert at.astimezone(JST).strftime("%Y-%m-%d") == printed[:10]
    assert sheets.startswith(b"%PDF")


async def test_the_monitor_is_black_on_white_and_says_where_and_when(open_page: Open) -> None:
    with serving(City(*whole_city(), wards=ALL_WARDS)) as url:
        page = await open_page(viewport=A4, color_scheme="dark")
        await page.goto(f"{url}/monitor")

        assert await on_paper(page) == []
        await expect(page.locator(".printed")).to_contain_text("2026-11-18T")
        await expect(page.locator(".lang")).to_be_hidden()
