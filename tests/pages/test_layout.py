"""At 320 px nothing scrolls sideways, is cut off, overlaps or is too small to press."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, ViewportSize

from tests.pages.screens import SCREENS, Screen, shown, text_size

pytestmark = pytest.mark.asyncio(loop_scope="module")

# WCAG 2.2, 1.4.10: a window of 1280 px at 400 %.
NARROW = ViewportSize(width=320, height=640)
FAULTS = (Path(__file__).parent / "layout.js").read_text("utf-8")
BY_NAME = {screen.name: screen for screen in SCREENS}


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
async def test_a_narrow_screen_shows_everything_at_both_sizes_of_text(
    chromium: Browser, screen: Screen, lang: str
) -> None:
    found = {}
    states = screen.states.split()
    if lang == "en":  # the longer words; what a state adds is tried with the Japanese ones
        states = [each for each in states if each == "normal"] or states[:1]
    for state in states:
        async with shown(chromium, screen, state, lang, viewport=NARROW) as page:
            for percent in (100, 200):
                await text_size(page, percent)
                if faults := await page.evaluate(FAULTS):
                    found[f"{state} {percent} %"] = faults

    assert found == {}


# What is done to an element of Home -> the fault that must be told.
PLANTED = {
    "sideways": ("main", {"minWidth": "400px"}),
    "clipped": (".me p", {"height": "1em", "overflow": "hidden"}),
    "spilled": (".badge", {"width": "4px", "minWidth": 0, "padding": 0}),
    "overlapping": (".me p", {"marginTop": "-2em"}),
    "small target": (".me button", {"minHeight": "20px", "padding": 0}),
    "covered": ("main", {"paddingBottom": 0}),
    "off the screen": (".me p", {"marginLeft": "-40px"}),
}
PLANT = "(e, style) => Object.assign(e.style, style)"


@pytest.mark.parametrize("fault", PLANTED)
async def test_a_planted_fault_is_found(chromium: Browser, fault: str) -> None:
    async with shown(chromium, BY_NAME["home"], "normal", viewport=NARROW) as page:
        sound = await page.evaluate(FAULTS)
        selector, style = PLANTED[fault]
        await page.locator(selector).first.evaluate(PLANT, style)
        found = await page.evaluate(FAULTS)

    assert sound == []
    assert fault in {line.split(":")[0] for line in found}


async def test_twice_the_size_of_text_is_twice_the_size(chromium: Browser) -> None:
    async with shown(chromium, BY_NAME["home"], "normal") as page:
        sizes = []
        for percent in (100, 200):
            await text_size(page, percent)
            sizes.append(await page.evaluate("getComputedStyle(document.body).fontSize"))

    assert sizes == ["18px", "36px"]
