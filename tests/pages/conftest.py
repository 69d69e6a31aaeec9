"""One Chromium for the tests of a module, one ward's page for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright, expect

from tests.office_fake import FakeOffice
from tests.pages.browser import ARGS, CHROMIUM, PHONE, Open, Ward

# The machine may be busy with other tests.
WAIT_MS = 10_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def playwright() -> AsyncIterator[Playwright]:
    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(playwright: Playwright) -> AsyncIterator[Browser]:
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
    yield browser
    await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def ward() -> AsyncIterator[Ward]:
    started = Ward(FakeOffice())
    await started.start()
    yield started
    await started.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(chromium: Browser, ward: Ward) -> AsyncIterator[Open]:
    """Opens pages in fresh contexts and fails the test on any script error."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def opened(**options: Any) -> Page:
        context = await chromium.new_context(**{"viewport": PHONE, **options})
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: ward.asked.append(request.url))
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert errors == []
