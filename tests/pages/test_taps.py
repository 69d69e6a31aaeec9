"""How many taps from Home: by touch, by keyboard; typing is not counted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.office_fake import CARD, PIN, SATO, SUZUKI
from tests.pages.browser import PHONE, WIDE, Open, Ward, say
from tests.town import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABS_MAX = 60


@dataclass
class Person:
    """Acts on a page by touch or by keyboard alone, and counts what is pressed."""

    page: Page
    touch: bool
    taps: int = 0

    async def press(self, target: Locator) -> None:
        """One tap; by keyboard: Tab until it has the focus, then Enter."""
        self.taps += 1
        if self.touch:
            await target.tap()
            return
        await self._tab_to(target)
        await self.page.keyboard.press("Enter")

    async def _tab_to(self, target: Locator) -> None:
        for _ in range(TABS_MAX):
            if await target.evaluate("e => e === document.activeElement"):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} cannot be reached with Tab")

    async def type(self, field: Locator, text: str) -> None:
        """What is typed counts nothing, and the tap into its field neither."""
        if self.touch:
            await field.tap()
        else:
            await self._tab_to(field)
        await self.page.keyboard.type(text)


@pytest_asyncio.fixture(loop_scope="module", params=[True, False], ids=["touch", "keyboard"])
async def person(request: pytest.FixtureRequest, ward: Ward, open_page: Open) -> Person:
    touch: bool = request.param
    options = {"has_touch": True, "is_mobile": True} if touch else {}
    page = await open_page(viewport=PHONE if touch else WIDE, **options)
    return Person(page, touch)


async def log_in(person: Person, ward: Ward) -> None:
    """By the link of one's card, as its QR code gives it."""
    page = person.page
    await page.goto(f"{ward.url}/login#s={SATO.staff_id}&c={CARD}")
    await person.type(page.locator("#pin"), PIN)
    await person.press(page.locator("#login button.main"))
    await page.wait_for_url(f"{ward.url}/")


async def test_logging_in_is_at_most_two_taps(person: Person, ward: Ward) -> None:
    await log_in(person, ward)

    assert person.taps <= 2
    assert [seat.person for seat in ward.office.seats] == [SATO]


async def test_sending_a_message_is_two_taps(person: Person, ward: Ward) -> None:
    await log_in(person, ward)
    person.taps = 0
    page = person.page
    await person.press(page.locator(".rooms a").first)
    await page.wait_for_url("**/rooms/all")
    await person.type(page.locator("#text"), "北区は全員無事です")
    await person.press(page.locator("#write button.main"))
    await page.wait_for_selector(".mark-node")

    assert person.taps == 2
    assert [m.body["text"] for m in ward.office.kept.values()] == ["北区は全員無事です"]


async def test_who_has_not_read_ones_own_message_is_one_tap(person: Person, ward: Ward) -> None:
    say(ward.office, SATO, "16時に集まってください", 1, mine=True)
    say(ward.office, SUZUKI, "分かりました", 2)
    await log_in(person, ward)
    person.taps = 0
    await person.press(person.page.locator("#own a"))
    await person.page.wait_for_url("**/who/1001/*")
    silent, behind = (person.page.locator("#who .people").nth(n) for n in (0, 1))

    assert person.taps == 1
    await expect(silent).to_contain_text("鈴木 一郎")
    await expect(silent).to_contain_text("区の機器の知らせなし")
    await expect(behind).to_contain_text("市長 松田")
    await expect(behind).to_contain_text("区の機器が未同期 47分")


async def test_switching_the_person_is_two_taps(person: Person, ward: Ward) -> None:
    await log_in(person, ward)
    person.taps = 0
    page = person.page
    await person.press(page.locator("button[name=switch]"))
    await page.wait_for_url(f"{ward.url}/login?switch")
    await page.locator("#staff").fill("")  # the card that a phone remembers is another's
    await page.locator("#card").fill("")
    for field, text in (("#staff", SUZUKI.staff_id), ("#card", CARD), ("#pin", PIN)):
        await person.type(page.locator(field), text)
    await person.press(page.locator("#login button.main"))
    await page.wait_for_url(f"{ward.url}/")
    await until(lambda: [seat.person for seat in ward.office.seats] == [SUZUKI])

    assert person.taps == 2
