"""axe-core finds nothing on any screen, in both languages, both schemes and both sizes of text."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page

from tests.pages.screens import SCREENS, Screen, shown, text_size

pytestmark = pytest.mark.asyncio(loop_scope="module")

# `target-size` (WCAG 2.5.8) is off by default.
OPTIONS = {
    "runOnly": [
        "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice",
    ],
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}  # fmt: skip
# Evaluated by the browser's debugger: the page's policy forbids every script but its own.
RUN = "options => axe.run(document, options)"


async def violations(page: Page) -> list[str]:
    result: dict[str, Any] = await page.evaluate(RUN, OPTIONS)
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in result["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
async def test_a_screen_has_no_violation(chromium: Browser, screen: Screen, lang: str) -> None:
    found = {}
    sizes = {"normal": (100, 200)}
    if lang == "ja":  # what they add is drawn by the same few macros in both languages
        sizes |= {"error": (100,), "gone": (100,)}
    for state in sizes.keys() & set(screen.states.split()):
        async with shown(chromium, screen, state, lang) as page:
            await page.evaluate(AXE_SCRIPT)
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                for percent in sizes[state]:
                    await text_size(page, percent)
                    if faults := await violations(page):
                        found[f"{state} {scheme} {percent} %"] = faults

    assert found == {}


PLANTED = {
    "label": "document.querySelector('label[for=pin]').remove()",
    "color-contrast": "document.querySelector('.quiet').style.color = '#aaa'",
    "html-has-lang": "document.documentElement.removeAttribute('lang')",
    "target-size": """for (const name of ["ア", "イ"]) {
      const small = document.createElement("button");
      small.textContent = name;
      const size = { width: "9px", height: "9px", minWidth: 0, minHeight: 0 };
      Object.assign(small.style, size, { margin: 0, padding: 0 });
      document.querySelector("main").prepend(small);
    }""",
}


@pytest.mark.parametrize("rule", PLANTED)
async def test_a_planted_violation_is_found(chromium: Browser, rule: str) -> None:
    (login,) = (screen for screen in SCREENS if screen.name == "login")
    async with shown(chromium, login, "normal") as page:
        await page.evaluate(AXE_SCRIPT)
        sound = await violations(page)
        await page.evaluate(PLANTED[rule])
        found = await violations(page)

    assert sound == []
    assert rule in {line.split(":")[0] for line in found}
