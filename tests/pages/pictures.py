"""A contact sheet of every screen: `python -m tests.pages.pictures [directory] [screen …]`."""

from __future__ import annotations

import asyncio
import html
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Browser, ViewportSize, async_playwright

from tests.pages.browser import ARGS, CHROMIUM
from tests.pages.screens import SCREENS, Screen, shown

WIDTHS = {360: 740, 1280: 800}
SCHEMES = ("light", "dark")
# Of a list of 500 the first screens tell enough.
HEIGHT_PX_MAX = 2400
# While one is drawn, others load.
AT_ONCE = 3


class Picture(NamedTuple):
    screen: Screen
    state: str
    width: int
    scheme: str

    @property
    def file(self) -> str:
        return f"{self.screen.name}-{self.state}-{self.width}-{self.scheme}.png"


def wanted(names: list[str]) -> list[Screen]:
    return [screen for screen in SCREENS if not names or screen.name in names]


def pictures(screens: list[Screen]) -> Iterator[Picture]:
    for screen in screens:
        for state in screen.states.split():
            for width in WIDTHS:
                for scheme in SCHEMES:
                    yield Picture(screen, state, width, scheme)


async def draw(browser: Browser, directory: Path, screen: Screen, state: str, width: int) -> None:
    """Both schemes of one screen: it is opened once."""
    size = ViewportSize(width=width, height=WIDTHS[width])
    async with shown(browser, screen, state, viewport=size) as page:
        height = await page.evaluate("document.documentElement.scrollHeight")
        # As tall as the page: what is fixed stands at the edges and not across the picture.
        tall = ViewportSize(width=width, height=min(height, HEIGHT_PX_MAX))
        await page.set_viewport_size(tall)
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            path = directory / Picture(screen, state, width, scheme).file
            await page.screenshot(path=path)


def sheet(screens: list[Screen]) -> str:
    """All pictures on one page, the states of a screen side by side."""
    rows = []
    for (name, width, scheme), found in groupby(
        sorted(pictures(screens), key=lambda p: (screens.index(p.screen), p.width, p.scheme)),
        lambda p: (p.screen.name, p.width, p.scheme),
    ):
        figures = "".join(
            f'<figure><a href="{p.file}"><img src="{p.file}" alt="" loading="lazy" width="240">'
            f"</a><figcaption>{html.escape(p.state)}</figcaption></figure>"
            for p in found
        )
        rows.append(f"<h2>{html.escape(name)} {width} px {scheme}</h2><div>{figures}</div>")
    style = (
        "body{font:16px system-ui;background:#777;color:#fff}div{display:flex;gap:1rem;"
        "overflow-x:auto}figure{margin:0}img{max-height:640px;object-fit:cover;object-position:top}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Every screen</title>'
        f"<style>{style}</style><h1>Every screen</h1>{''.join(rows)}</html>"
    )


async def take(directory: Path, screens: list[Screen]) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    turn = asyncio.Semaphore(AT_ONCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)

        async def one(screen: Screen, state: str, width: int) -> None:
            async with turn:
                await draw(browser, directory, screen, state, width)

        each = {(p.screen, p.state, p.width) for p in pictures(screens)}
        async with asyncio.TaskGroup() as group:
            for screen, state, width in each:
                group.create_task(one(screen, state, width))
        await browser.close()
    (directory / "index.html").write_text(sheet(screens), "utf-8")
    return len(list(pictures(screens)))


if __name__ == "__main__":
    into = Path(sys.argv[1] if len(sys.argv) > 1 else "build/pictures")
    taken = asyncio.run(take(into, wanted(sys.argv[2:])))
    print(f"{taken} pictures: {into / 'index.html'}")
