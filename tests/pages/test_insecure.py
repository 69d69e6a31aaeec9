"""The staff page at a plain http origin, which browsers give no secure context: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, Playwright, Route, expect

from tests.office_fake import CARD, PIN, SATO, SUZUKI, FakeOffice
from tests.pages.browser import (
    ARGS,
    CHROMIUM,
    PHONE,
    UNSENT,
    Open,
    Ward,
    hidden,
    message_id,
    say,
    send,
    type_log_in,
)
from tests.town import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOM = "/rooms/all"
TABS = 8
_STATE = """Object.defineProperty(document, "visibilityState", {value: "%s", configurable: true});
document.dispatchEvent(new Event("visibilitychange"));"""
HIDE, SHOW = _STATE % "hidden", _STATE % "visible"


async def enter(page: Page, ward: Ward, staff: str = "1001") -> None:
    """Log in under the plain name and open 全庁."""
    await type_log_in(page, ward.plain_url, staff)
    assert await page.evaluate("[isSecureContext, 'subtle' in crypto]") == [False, False]
    await page.goto(ward.plain_url + ROOM)


def texts(office: FakeOffice) -> list[str]:
    return [m.body["text"] for m in office.kept.values()]


async def test_what_was_written_while_the_node_was_down_goes_once_when_it_is_back(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await enter(page, ward)
    await ward.stop()
    for n in range(3):
        await send(page, f"連絡 {n}")
    await page.wait_for_selector("text=区の機器につながりません")
    await expect(page.locator(UNSENT)).to_have_count(3)
    await ward.start()  # its sessions died with it
    await page.wait_for_selector("#banner a")
    await enter(page, ward)
    await expect(page.locator(".mark-node")).to_have_count(3)

    assert texts(ward.office) == ["連絡 0", "連絡 1", "連絡 2"]


async def test_answers_lost_on_the_way_double_nothing(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await enter(page, ward)
    lost: list[str] = []

    async def lose(route: Route) -> None:
        # Playwright asks in the browser's place, and knows the node by its number only.
        headers = {**await route.request.all_headers(), "origin": ward.url}
        answer = await route.fetch(url=f"{ward.url}/api/messages", headers=headers)
        assert answer.status == 201  # the node has stored it …
        lost.append(str(route.request.post_data_json["id"]))
        await route.abort()  # … and its 201 never arrives

    await page.route("**/api/messages", lose)
    await send(page, "一度だけ")
    await until(lambda: len(lost) >= 2)  # it was tried again
    await page.unroute("**/api/messages")
    await expect(page.locator(UNSENT)).to_have_count(0)

    assert len(set(lost)) == 1
    assert texts(ward.office) == ["一度だけ"]
    await expect(page.locator(".msg.mine")).to_have_count(1)


@pytest.mark.parametrize("device", ["own", "shared"])
async def test_a_browser_that_was_closed_and_opened_again_sends_what_it_kept(
    ward: Ward, playwright: Playwright, tmp_path: Path, device: str
) -> None:
    async def opened() -> Page:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=ARGS, viewport=PHONE
        )
        return context.pages[0]

    async def log_in(page: Page) -> None:
        await page.goto(f"{ward.plain_url}/login")
        await page.check(f"input[value={device}]")
        for field, text in (("staff", SATO.staff_id), ("card", CARD), ("pin", PIN)):
            await page.fill(f"#{field}", text)
        await page.click("#login button.main")
        await page.wait_for_url(f"{ward.plain_url}/")
        assert not await page.evaluate("isSecureContext")

    page = await opened()
    await log_in(page)
    await page.goto(ward.plain_url + ROOM)
    await ward.stop()
    await send(page, "電源が切れる前に書いた")
    await page.wait_for_selector("text=区の機器につながりません")
    await page.context.close()

    await ward.start()
    page = await opened()
    await log_in(page)
    await page.goto(ward.plain_url + ROOM)
    await expect(page.locator(".msg.mine .mark-node")).to_have_count(1)
    await page.context.close()

    assert texts(ward.office) == ["電源が切れる前に書いた"]


async def test_a_phone_that_walks_to_the_next_ward_delivers_its_outbox_there(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await enter(page, ward)
    await page.route("**/api/messages", lambda route: route.abort())
    await send(page, "歩いて運んだ")
    await page.wait_for_selector(UNSENT)
    await ward.stop()
    await page.unroute("**/api/messages")
    next_ward = Ward(FakeOffice(), ward.port)  # another node at the same origin
    await next_ward.start()
    await page.wait_for_selector("#banner a")
    await enter(page, next_ward)
    await expect(page.locator(".msg.mine .mark-node")).to_have_count(1)
    await next_ward.stop()

    assert texts(next_ward.office) == ["歩いて運んだ"]
    assert texts(ward.office) == []


async def test_eight_tabs_are_live_at_once_and_send_each_message_once(
    ward: Ward, open_page: Open
) -> None:
    first = await open_page()
    await enter(first, ward)
    tabs = [first, *[await first.context.new_page() for _ in range(TABS - 1)]]
    for tab in tabs[1:]:
        # Playwright shows every tab; in a browser those behind are hidden and close their stream.
        await tab.goto(ward.plain_url + ROOM)
        await tab.evaluate(HIDE)
    say(ward.office, SUZUKI, "全部のタブへ", 1)
    await first.wait_for_selector("text=全部のタブへ")
    for n, tab in enumerate(tabs):
        await tab.evaluate(SHOW)
        await expect(tab.locator("text=全部のタブへ")).to_be_visible()
        await send(tab, f"タブ {n}")
        await expect(tab.locator(".msg.mine", has_text=f"タブ {n}")).to_contain_text("区の機器")
        await tab.evaluate(HIDE)
    await first.evaluate(SHOW)
    await expect(first.locator(".msg.mine .mark-node")).to_have_count(TABS)

    assert texts(ward.office) == ["全部のタブへ", *(f"タブ {n}" for n in range(TABS))]


async def test_tabs_of_one_person_share_one_outbox(ward: Ward, open_page: Open) -> None:
    first = await open_page()
    await enter(first, ward)
    await first.context.route("**/api/messages", lambda route: route.abort())
    tabs = [first, *[await first.context.new_page() for _ in range(3)]]
    for tab in tabs[1:]:
        await tab.goto(ward.plain_url + ROOM)
    for n, tab in enumerate(tabs):
        await send(tab, f"タブ {n}")
        await expect(tab.locator(UNSENT, has_text=f"タブ {n}")).to_have_count(1)
    await first.context.unroute("**/api/messages")
    for tab in tabs:
        await expect(tab.locator(UNSENT)).to_have_count(0, timeout=20_000)

    assert sorted(texts(ward.office)) == [f"タブ {n}" for n in range(len(tabs))]


async def test_a_late_message_says_so_is_unread_and_raises_nobodys_count(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SATO, "集まってください", 1, read_n=0)
    page = await open_page()
    await enter(page, ward)
    before = await page.locator(".msg.mine .mark-read").inner_text()
    async with hidden(page):
        say(ward.office, SUZUKI, "きのうの連絡", 2, late=True, created_ms=1)
    late = page.locator(".msg.theirs", has_text="きのうの連絡")
    await expect(late.locator(".flag")).to_have_text("遅れて届いた")

    assert await page.locator(".msg.mine .mark-read").inner_text() == before == "既読 0/2"


async def test_a_page_that_comes_back_from_history_or_to_the_front_shows_what_is_new(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await enter(page, ward)
    async with hidden(page):
        say(ward.office, SUZUKI, "見えない間に", 1)
    await expect(page.locator("text=見えない間に")).to_be_visible()
    await page.goto(f"{ward.plain_url}/rooms")
    say(ward.office, SUZUKI, "戻る前に", 2)
    await page.go_back()
    await expect(page.locator("text=戻る前に")).to_be_visible()
    await until(lambda: ("2001", message_id(2)) in ward.office.reads)
