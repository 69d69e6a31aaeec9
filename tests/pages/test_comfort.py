"""Comfort in a real browser: languages, sizes of text, colours, the keyboard alone, no script."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.office_fake import CARD, PIN, SATO, SUZUKI, FakeOffice, refused
from tests.pages.browser import (
    UNSENT,
    WIDE,
    Open,
    Ward,
    log_in,
    message_id,
    say,
    send,
    type_log_in,
)
from tests.pages.screens import SCREENS, Screen, shown
from tests.pages.test_layout import FAULTS, NARROW

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN = f"1001/{message_id(2)}"
TABS_MAX = 60


def talk(office: FakeOffice) -> None:
    """Two people wrote something."""
    say(office, SUZUKI, "毛布が足りません。200枚お願いします。", 1)
    say(office, SATO, "倉庫から毛布を送ります。", 2, mine=True)


async def choose(page: Page, ward: Ward, **cookies: str) -> None:
    """As the settings keep it."""
    await page.context.add_cookies(
        [{"name": f"mr-{name}", "value": value, "url": ward.url} for name, value in cookies.items()]
    )


# -- sizes and colours -----------------------------------------------------------


# Every screen is tried at twice the size of text by test_layout; these in easy words, which wrap
# in other places.
EASY = {"login", "home", "rooms", "room", "who", "settings", "search", "notice-form"}


@pytest.mark.parametrize(
    "screen", [each for each in SCREENS if each.name in EASY], ids=lambda screen: screen.name
)
async def test_the_largest_text_fits_a_narrow_screen(chromium: Browser, screen: Screen) -> None:
    size = {"name": "mr-size", "value": "largest", "domain": "127.0.0.1", "path": "/"}
    kept = {"cookies": [size], "origins": []}
    state = "normal" if "normal" in screen.states else screen.states.split()[-1]
    async with shown(chromium, screen, state, "easy", viewport=NARROW, storage_state=kept) as page:
        faults = await page.evaluate(FAULTS)

    assert faults == []


async def test_a_chosen_size_follows_the_browsers_own(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await type_log_in(page, ward.url)
    sizes = []
    for choice in ("normal", "large", "largest"):
        await page.goto(f"{ward.url}/settings")
        await page.check(f"[name=size][value={choice}]")
        await page.click("form[action='/settings/comfort'] button")
        await page.wait_for_url("**/settings?done=comfort")
        await page.goto(f"{ward.url}/rooms/all")
        sizes.append(await page.evaluate("getComputedStyle(document.body).fontSize"))

    assert sizes == ["18px", "22px", "27px"]


@pytest.mark.parametrize("device", ["light", "dark"])
async def test_chosen_colours_hold_whatever_the_device_says(
    ward: Ward, open_page: Open, device: str
) -> None:
    page = await open_page(color_scheme=device)
    grounds = {}
    for choice in ("auto", "light", "dark"):
        await choose(page, ward, colours=choice)
        await page.goto(f"{ward.url}/login")
        grounds[choice] = await page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert grounds["light"] != grounds["dark"]
    assert grounds["auto"] == grounds[device]


# -- やさしい日本語 -----------------------------------------------------------------


async def test_scripts_speak_easy_japanese_too(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await page.goto(f"{ward.url}/login?lang=easy#s=1001&c={CARD}")
    await page.fill("#pin", "000000")
    await page.click("#login button")
    await expect(page.locator("#problem")).to_contain_text("PINがちがいます。")

    await log_in(page, ward)
    ward.office.refuse = refused("storage_full", "空きが足りません。", "Full.")
    await send(page, "聞こえますか")
    await expect(page.locator(".refused .problem")).to_contain_text("書いたものは消えていません。")
    await page.goto(f"{ward.url}/")
    await expect(page.locator("#banner")).to_contain_text("見てほしいものが1こあります。")


# -- the keyboard alone -----------------------------------------------------------


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until it is reached; every stop on the way must be seen to have the focus."""
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        seen, there = await page.evaluate(
            """(selector) => {
              const at = document.activeElement;
              const style = getComputedStyle(at);
              const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
              return [at === document.body || ring, at.matches(selector)]; }""",
            selector,
        )
        assert seen, f"the focus cannot be seen on the way to {selector}"
        if there:
            return
    raise AssertionError(f"Tab does not reach {selector}")


async def enter(page: Page, selector: str, to: str = "**") -> None:
    """Press Enter on it, and wait for the page to which it leads."""
    await tab_to(page, selector)
    await page.keyboard.press("Enter")
    await page.wait_for_url(to)


async def typed_log_in(page: Page, ward: Ward) -> None:
    await page.goto(f"{ward.url}/login")
    for text in ("1001", CARD, PIN):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await enter(page, "#login button.main", f"{ward.url}/")


async def test_every_flow_goes_by_keyboard_alone(ward: Ward, open_page: Open) -> None:
    talk(ward.office)
    page = await open_page(viewport=WIDE)
    await typed_log_in(page, ward)

    await enter(page, "a[href='/rooms/all']", "**/rooms/all")
    await tab_to(page, "#text")
    await page.keyboard.type("二便も出します")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".msg.mine:has-text('二便') .mark-node")
    await page.goto(f"{ward.url}/rooms/all")
    await enter(page, f".msg.mine a.marks[href$='{message_id(2)}']", f"**/who/{OWN}")
    await enter(page, ".actions a.main", "**/rooms/all?reply=*")
    await tab_to(page, "#text")
    await page.keyboard.type("お待ちください")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".msg.mine .quoted")

    await page.goto(f"{ward.url}/rooms/all")
    await enter(page, "a[href^='/search']", "**/search?*")
    await tab_to(page, "#q")
    await page.keyboard.type("毛布")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".hits mark")
    await enter(page, "a.back", "**/rooms/all")
    await enter(page, "a.back", "**/rooms")
    await enter(page, "a[href='/rooms/new']", "**/rooms/new")
    await tab_to(page, "#name")
    await page.keyboard.type("給水班")
    await enter(page, "button[value=save]")
    await page.wait_for_selector("h1:has-text('給水班')")

    await page.goto(f"{ward.url}/")
    await enter(page, "a[href='/settings']", "**/settings")
    await tab_to(page, "[name=size]")
    await page.keyboard.press("ArrowDown")
    await enter(page, "form[action='/settings/comfort'] button")
    await page.wait_for_selector("html.text-large")


async def test_the_first_stop_skips_to_the_content(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await type_log_in(page, ward.url)
    await page.goto(f"{ward.url}/settings")
    await tab_to(page, ".skip")

    box = await page.locator(".skip").bounding_box()
    assert box is not None and box["x"] >= 0
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('main') !== null")


async def test_esc_closes_the_sheet_and_gives_the_focus_back(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, ward)
    await enter(page, ".sheet summary")
    await tab_to(page, ".sheet button")
    await page.keyboard.press("Escape")

    assert not await page.evaluate("document.getElementById('sheet').open")
    assert await page.evaluate("document.activeElement.matches('.sheet summary')")


async def test_esc_keeps_what_is_unsent_and_gives_the_focus_back(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    ward.office.refuse = refused("empty", "文がありません。", "Nothing.")
    await send(page, "まだ")
    await page.wait_for_selector(f"{UNSENT}.refused")
    await page.goto(f"{ward.url}/")
    await enter(page, "#logout button")
    await page.wait_for_selector("#ask")
    await page.keyboard.press("Escape")

    await expect(page.locator("#ask")).to_have_count(0)
    assert await page.evaluate("document.activeElement.matches('#logout button')")


# -- no script ----------------------------------------------------------------------


async def test_every_flow_goes_without_script(ward: Ward, open_page: Open) -> None:
    talk(ward.office)
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{ward.url}/login?next=/rooms/all")
    for field, text in {"#staff": "1001", "#card": CARD, "#pin": PIN}.items():
        await page.fill(field, text)
    await page.click("#login button")
    await page.wait_for_url("**/rooms/all")

    await page.click(".read-form button")
    assert ("2001", message_id(1)) in ward.office.reads
    await page.fill("#text", "二便も出します")
    await page.click("#write button.main")
    await expect(page.locator(".msg.mine")).to_have_count(2)

    await page.locator(".msg.theirs .meta a").click()
    await page.click(".actions a.main")
    await page.fill("#text", "承知しました")
    await page.click("#write button.main")
    await expect(page.locator(".msg.mine .quoted")).to_have_count(1)

    await page.locator(".msg.mine a.marks").first.click()
    await page.click(".actions a[href*='/correct/']")
    await page.fill("[name=text]", "倉庫から毛布を300枚送ります。")
    await page.fill("[name=reason]", "数えまちがい")
    await page.click("form.panel button.main")
    await expect(page.locator(".msg .struck")).to_have_count(1)

    await page.goto(f"{ward.url}/search")
    await page.fill("#q", "300枚")
    await page.click(".find button")
    await expect(page.locator(".hits li")).to_have_count(1)

    await page.goto(f"{ward.url}/rooms/new")
    await page.fill("#name", "給水班")
    await page.fill("#find", "鈴木")
    await page.click("button[value=find]")
    await page.check("[name='m-2001']")
    await page.click("button[value=save]")
    await expect(page.locator("h1")).to_contain_text("給水班")

    await page.goto(f"{ward.url}/settings")
    await page.check("[name=size][value=largest]")
    await page.click("form[action='/settings/comfort'] button")
    await page.click("a[href$='lang=easy']")
    await expect(page.locator("h1")).to_have_text("せってい")
    assert await page.locator("html").get_attribute("class") == "text-largest"
