"""Every list on paper: black on white, whole rows, no navigation; where, when, and 訓練."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from msgspec import structs
from playwright.async_api import Page, expect

from meshrelay.node.board_desk import EventDraft, NoticeDraft
from meshrelay.web.views import JST
from tests.monitor_scene import ALL_WARDS, City, whole_city
from tests.office_fake import CARD, NOW_MS, PIN, SATO, SUZUKI, YAMADA, Person
from tests.pages.browser import Open, Ward, log_in, message_id, say
from tests.pages.scenery import normal
from tests.pages.test_monitor import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

A4 = {"width": 794, "height": 1123}
WHO = f"/rooms/all/who/1001/{message_id(99)}"
LISTS = {
    "/": ".rooms li", "/rooms": ".rooms li", "/rooms/all": ".msg", WHO: ".people li",
    "/rooms/all/files": ".files li", "/search?q=毛布": ".hits li", "/people?q=応援": ".hits li",
    "/cards": ".people li", "/nodes": ".people li", "/courier/readings/done": "dl",
    "/boards": ".papers-list li", "/events": ".papers-list li",
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


@pytest_asyncio.fixture(loop_scope="module")
async def ward() -> AsyncIterator[Ward]:
    """A drill: a usual day, twelve helpers with long names, twelve messages, a notice, an event."""
    office = normal()
    office.network = structs.replace(office.network, drill=True)
    for n in range(12):
        name = f"応援{n} " + "長い名前の" * 5
        office.hire(Person(f"4{n:03}", name, "おうえん", "01", "物資班", ("staff",)))
        say(office, SUZUKI, f"毛布{n}枚。" + "倉庫の前に車を回してください。" * 4, 20 + n)
    say(office, SATO, "毛布を送りました", 99)
    seat = await office.log_in(YAMADA.staff_id, CARD, PIN)
    notice = NoticeDraft(room="all", title="給水所", text="毛布の受け取りは体育館です。" * 9)
    event = EventDraft(
        room="all", title="会議", start="2026-11-18T21:00+09:00", end="2026-11-18T22:00+09:00"
    )
    await office.boards.post_notice(seat, notice, message_id(101))
    await office.boards.post_event(seat, event, message_id(102))
    started = Ward(office)
    await started.start()
    yield started
    await started.stop()


async def on_paper(page: Page) -> list[str]:
    await page.emulate_media(media="print")
    faults: list[str] = await page.evaluate(FAULTS)
    return faults


async def not_whole(page: Page, rows: str) -> list[str]:
    """What is missing on the paper of a list, or does not belong there."""
    faults = await on_paper(page)
    for hidden in ("nav:not(.pinned)", "button", ".lang", ".back", "details:not(.ward)", ".skip"):
        if await page.locator(f"{hidden} >> visible=true").count():
            faults.append(f"{hidden} is printed")
    for selector, words in {
        ".print-only": "大阪市 · 北区役所の機器 · 20",
        ".ribbon": "訓練",
    }.items():
        if not await page.locator(selector, has_text=words).is_visible():
            faults.append(f"{selector} does not say {words}")
    if not await page.locator("h1").is_visible():
        faults.append("no title")
    may_break = await page.locator(rows).evaluate_all(
        "(rows) => rows.map((e) => getComputedStyle(e).breakInside !== 'avoid')"
    )
    if not may_break or any(may_break):
        faults.append("no rows" if not may_break else "a row may be cut in two")
    return faults


async def test_each_list_is_black_on_white_and_says_where_and_when(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page(viewport=A4, color_scheme="dark")
    await page.context.add_cookies([{"name": "mr-colours", "value": "dark", "url": ward.url}])
    await log_in(page, ward, "1009", "/rooms")
    found = {}
    for path, rows in LISTS.items():
        await page.emulate_media(media="screen")
        await page.goto(ward.url + path)
        if faults := await not_whole(page, rows):
            found[path] = faults

    assert found == {}


# What is done to the list of rooms -> what must be told.
PLANTED = {
    ".rooms li { break-inside: auto !important; }": "a row may be cut in two",
    ".tabs { display: flex !important; }": "nav:not(.pinned) is printed",
    ".room-last { color: #777 !important; }": "SPAN.room-last is rgb(119, 119, 119)",
    ".print-only, .ribbon { display: none !important; }": ".ribbon does not say 訓練",
}


@pytest.mark.parametrize("style", PLANTED)
async def test_a_planted_fault_of_paper_is_found(ward: Ward, open_page: Open, style: str) -> None:
    page = await open_page(viewport=A4, bypass_csp=True)
    await log_in(page, ward, to="/rooms")
    await page.add_style_tag(content=style)

    assert PLANTED[style] in await not_whole(page, ".rooms li")


async def test_paper_bears_the_time_of_its_printing(ward: Ward, open_page: Open) -> None:
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


async def test_wards_that_are_folded_on_the_screen_are_open_on_paper(
    ward: Ward, open_page: Open
) -> None:
    office = ward.office
    more = [structs.replace(SUZUKI, staff_id=f"{3000 + n}", name=f"職員 {n}号") for n in range(40)]
    office.staff = (*office.staff, *more)
    page = await open_page(viewport=A4)
    await log_in(page, ward, "1001", "/rooms")
    await page.goto(ward.url + WHO)
    people = page.locator(".people >> text=/職員 [0-9]+号/")
    folded = await people.locator("visible=true").count()
    await page.pdf()

    assert (folded, await people.locator("visible=true").count()) == (0, 40)
