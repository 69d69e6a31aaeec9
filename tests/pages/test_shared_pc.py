"""A shared PC: its screen locks, and after log-out its disk holds nothing of what was read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Playwright, expect

from meshrelay.web.sessions import IDLE_MS_MAX
from tests.office_fake import CARD, PIN, SUZUKI
from tests.pages.browser import ARGS, CHROMIUM, UNSENT, WIDE, Open, Ward, say, send
from tests.town import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Long enough never to stand in a profile by chance, as six digits may in a time.
WRONG_PIN = "975318642013"
LONG_PIN = "246813579024"


async def log_in_shared(page: Page, ward: Ward, to: str = "/", pin: str = PIN) -> None:
    """As a person types it: no link, the default of a wide screen."""
    await page.goto(f"{ward.url}/login?next={to}")
    await page.fill("#staff", "1001")
    await page.fill("#card", CARD)
    await page.fill("#pin", pin)
    await page.click("#login button")
    await page.wait_for_url(f"{ward.url}{to}")


def words(kind: str, count: int) -> list[str]:
    """Marked words that occur nowhere else."""
    return [f"しるし{kind}{n}-{'ZQXJ'[n % 4]}{7919 * (n + 1)}" for n in range(count)]


def places(profile: Path, word: str) -> list[str]:
    """Files of the profile in which a word stands, in UTF-8 or UTF-16."""
    needles = (word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be"))
    return [
        str(path.relative_to(profile))
        for path in profile.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


@pytest_asyncio.fixture(loop_scope="module")
async def profile(playwright: Playwright, tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path / "profile"


async def opened(playwright: Playwright, profile: Path, script: bool) -> BrowserContext:
    return await playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=ARGS, viewport=WIDE, java_script_enabled=script
    )  # type: ignore[arg-type]


@pytest.fixture
def marked() -> Iterator[dict[str, list[str]]]:
    yield {
        "theirs": words("他", 8),
        "sent": words("送", 4),
        "unsent": words("残", 4),
        "draft": words("書", 4),
    }


async def test_after_log_out_twenty_marked_words_are_nowhere_in_the_profile(
    ward: Ward, playwright: Playwright, profile: Path, marked: dict[str, list[str]]
) -> None:
    for n, word in enumerate(marked["theirs"]):
        say(ward.office, SUZUKI, f"被災者の名前は{word}です", n)
    context = await opened(playwright, profile, script=True)
    page = context.pages[0]
    ward.office.pins["1001"] = LONG_PIN
    await log_in_shared(page, ward, to="/rooms/all", pin=LONG_PIN)
    await page.wait_for_selector(f"text={marked['theirs'][0]}")
    for word in marked["sent"]:
        await send(page, word)
        await expect(page.locator(".msg.mine", has_text=word).locator(".mark-node")).to_be_visible()
    await page.route("**/api/messages", lambda route: route.abort())
    for word in marked["unsent"]:
        await send(page, word)
    await expect(page.locator(UNSENT)).to_have_count(4)
    await page.fill("#text", " ".join(marked["draft"]))
    await page.wait_for_timeout(1500)  # longer than a draft waits to be kept
    while_open = {word: places(profile, word) for word in marked["unsent"] + marked["draft"]}
    await page.reload()
    await expect(page.locator(UNSENT)).to_have_count(4)
    await expect(page.locator("#text")).to_have_value(" ".join(marked["draft"]))

    await page.goto(ward.url)
    await page.click("#logout button")
    await page.click("text=消してログアウト")
    await page.wait_for_url(f"{ward.url}/login")
    await page.wait_for_selector("text=この端末に残っていません")
    await context.close()

    every = [word for kind in marked.values() for word in kind]
    assert len(every) == 20
    assert all(while_open.values())  # the search finds what is there
    assert {
        word: found for word in [*every, CARD, LONG_PIN] if (found := places(profile, word))
    } == {}


async def test_without_script_nothing_is_left_in_the_profile_either(
    ward: Ward, playwright: Playwright, profile: Path, marked: dict[str, list[str]]
) -> None:
    for n, word in enumerate(marked["theirs"]):
        say(ward.office, SUZUKI, f"被災者の名前は{word}です", n)
    context = await opened(playwright, profile, script=False)
    page = context.pages[0]
    await page.goto(f"{ward.url}/login")
    await page.fill("#staff", "1001")
    await page.fill("#card", CARD)
    await page.fill("#pin", WRONG_PIN)
    await page.click("#login button")
    await page.wait_for_selector(".problem")
    ward.office.pins["1001"] = LONG_PIN
    await page.fill("#pin", LONG_PIN)
    await page.click("#login button")
    await page.wait_for_url(f"{ward.url}/")
    await page.click(".rooms a:has-text('全庁')")
    for word in marked["sent"]:
        await send(page, word)
        await page.wait_for_selector(f"text={word}")
    await send(page, marked["unsent"][0] * 400)  # refused: too long
    await page.wait_for_selector(".problem")
    await page.fill("#text", marked["draft"][0])
    await page.goto(ward.url)
    await page.click("#logout button")
    await page.wait_for_url(f"{ward.url}/login")
    await context.close()

    every = [*(word for kind in marked.values() for word in kind), CARD, LONG_PIN, WRONG_PIN]
    assert {word: found for word in every if (found := places(profile, word))} == {}


async def test_an_idle_screen_is_emptied_and_the_pin_alone_reopens_it(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SUZUKI, "見られてはならない", 1)
    page = await open_page(viewport=WIDE)
    await page.clock.install()
    await log_in_shared(page, ward, to="/rooms/all")
    await page.fill("#text", "書きかけ")
    await page.clock.run_for(5_000)
    await page.wait_for_timeout(500)

    await page.clock.run_for(IDLE_MS_MAX + 10_000)
    await page.wait_for_url("**/lock?next=*")
    hidden = await page.content()
    behind = await page.context.request.get(f"{ward.url}/api/rooms/all/messages")
    back = await page.context.request.get(
        f"{ward.url}/rooms/all", max_redirects=0, headers={"Accept": "text/html"}
    )
    await page.fill("#pin", "000000")
    await page.click("main button")
    await page.wait_for_selector("text=PINが違います")
    await page.fill("#pin", PIN)
    await page.click("main button")
    await page.wait_for_url(f"{ward.url}/rooms/all")

    assert "見られてはならない" not in hidden and "書きかけ" not in hidden
    assert (behind.status, back.status) == (423, 303)
    await expect(page.locator("#text")).to_have_value("書きかけ")
    assert len(ward.office.seats) == 1  # the same log-in


async def test_without_contact_an_idle_screen_is_emptied_all_the_same(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SUZUKI, "見られてはならない", 1)
    page = await open_page(viewport=WIDE)
    await page.clock.install()
    await log_in_shared(page, ward, to="/rooms/all")
    await ward.stop()

    await page.clock.run_for(IDLE_MS_MAX + 10_000)
    await page.wait_for_selector(".lock-note")
    hidden = await page.content()
    await ward.start()  # its sessions died with it
    await page.clock.run_for(10_000)
    await page.wait_for_url("**/login*")

    assert "見られてはならない" not in hidden
    assert "画面を隠しました" in hidden


async def test_who_types_is_not_locked_out_and_who_only_watches_is(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page(viewport=WIDE)
    await page.clock.install()
    await log_in_shared(page, ward, to="/rooms/all")
    for _ in range(3):
        await page.clock.run_for(IDLE_MS_MAX - 60_000)
        await page.keyboard.press("Shift")
        await page.wait_for_timeout(100)
    typing = page.url
    ward.office.now += IDLE_MS_MAX + 1  # the node counts by its own clock
    say(ward.office, SUZUKI, "新しい知らせ", 1)
    await page.wait_for_url("**/lock?next=*")

    assert typing == f"{ward.url}/rooms/all"


async def test_ones_own_phone_does_not_lock_and_keeps_the_card_but_never_the_pin(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await page.goto(f"{ward.url}/login#s=1001&c={CARD}")
    chosen = await page.locator("input[value=own]").is_checked()
    await page.fill("#pin", PIN)
    await page.click("#login button")
    await page.wait_for_url(f"{ward.url}/")
    ward.office.now += IDLE_MS_MAX + 1
    await page.reload()
    stayed = page.url
    await page.click("#logout button")
    await page.wait_for_url(f"{ward.url}/login")
    kept = await page.evaluate("JSON.stringify(localStorage)")
    prefilled = await page.input_value("#card"), await page.input_value("#pin")
    await page.click("#forget button")
    after = await page.evaluate("localStorage.length")

    assert chosen and stayed == f"{ward.url}/"
    assert prefilled == (CARD, "")
    assert CARD in kept and PIN not in kept
    assert after == 0


async def test_what_a_shared_pc_kept_is_found_when_the_device_becomes_ones_own(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page(viewport=WIDE)
    await log_in_shared(page, ward, to="/rooms/all")
    await page.route("**/api/messages", lambda route: route.abort())
    await send(page, "まだ送れない")
    await page.wait_for_selector(UNSENT)
    await page.goto(f"{ward.url}/settings")
    await page.check("input[value=own]")
    await page.click("text=保存")
    await page.goto(f"{ward.url}/rooms/all")

    await expect(page.locator(UNSENT)).to_contain_text("まだ送れない")
    await page.unroute("**/api/messages")
    await expect(page.locator(".mark-node")).to_have_count(1, timeout=15_000)


async def test_a_switch_of_person_is_two_taps_and_sends_nothing_of_the_first(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page(viewport=WIDE)
    await log_in_shared(page, ward)
    await page.click("text=交代")  # 1
    await page.wait_for_url(f"{ward.url}/login?switch")
    asked = await page.locator("main").inner_text()
    empty = await page.input_value("#staff")
    await page.fill("#staff", "2001")
    await page.fill("#card", CARD)
    await page.fill("#pin", PIN)
    await page.click("#login button")  # 2
    await page.wait_for_url(f"{ward.url}/")

    assert "次の人" in asked and empty == ""
    await until(lambda: [s.person for s in ward.office.seats] == [SUZUKI])
