"""An outsider who hears plain http, and one who also alters it; https is what helps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest_asyncio
from aiohttp import ClientSession, CookieJar
from playwright.async_api import Browser, Page, async_playwright

from meshrelay.node.office import Seat
from meshrelay.web.server import create_app, serve
from tests.attackers.tap import HOST, Tap, tapped
from tests.pages.browser import ARGS, CHROMIUM, PLAIN_HOST
from tests.pages.test_sealed import in_a_form, spellings
from tests.town import MAYOR, SATO, Town, build_town, running, until, uuid7

TEXT = "避難所の鍵は3番の箱です"
PLAIN = {"Accept-Encoding": "identity"}


class Office(NamedTuple):
    """北区's page, 佐藤 who has said something there, and the outsider's tap before it."""

    town: Town
    tap: Tap
    sato: Seat

    @property
    def url(self) -> str:
        """The page as a PC of the office opens it: no secure context."""
        return f"http://{PLAIN_HOST}:{self.tap.port}"

    def browser(self) -> ClientSession:
        """Somebody's browser, without any script."""
        base = f"http://{HOST}:{self.tap.port}"
        return ClientSession(base, cookie_jar=CookieJar(unsafe=True), headers=PLAIN)


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    town = build_town(tmp_path, {"01": ()}, clerks=(MAYOR, SATO))
    async with running(town):
        sato = await town.log_in("01", SATO)
        await town.say("01", sato, TEXT)
        await until(lambda: town.room("01", sato))
        app = create_app(town.nodes["01"], hosts=[HOST, PLAIN_HOST])
        async with serve(app, HOST, 0) as page, tapped(page.port) as tap:
            yield Office(town, tap, sato)


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        await browser.close()


async def log_in(office: Office, client: ClientSession) -> str:
    """佐藤 logs in from a device of hers; the token of her page."""
    body = {"staff": SATO.staff_id, "card": SATO.code, "pin": SATO.pin}
    async with client.post("/api/login", json=body) as answer:
        assert answer.status == 200
        return str((await answer.json())["csrf"])


async def type_log_in(browser: Browser, url: str) -> Page:
    """市長 types card and PIN into the page."""
    page = await browser.new_page()
    await page.goto(f"{url}/login")
    for field, value in (("#staff", MAYOR.staff_id), ("#card", MAYOR.code), ("#pin", MAYOR.pin)):
        await page.fill(field, value)
    await page.click("#login button")
    await page.wait_for_url(f"{url}/")
    return page


# can


async def test_an_outsider_on_plain_http_can_read_pages(office: Office) -> None:
    async with office.browser() as client:
        await log_in(office, client)
        await (await client.get("/rooms/all")).read()

    assert TEXT.encode() in office.tap.heard


async def test_an_outsider_on_plain_http_can_steal_a_session(office: Office) -> None:
    async with office.browser() as client:
        await log_in(office, client)
        await (await client.get("/api/me")).read()
        heard = bytes(office.tap.heard).decode("utf-8", "replace")
        cookie = re.search(r"^Set-Cookie: ([^;]+);", heard, re.M)
        token = re.search(r'"csrf":"([^"]+)"', heard)
        assert cookie and token

        async with ClientSession(str(client._base_url), headers=PLAIN) as thief:
            stolen = {"Cookie": cookie[1], "X-CSRF-Token": token[1]}
            body = {"id": uuid7(), "room": "all", "body": {"text": "佐藤ではありません"}}
            async with thief.post("/api/messages", json=body, headers=stolen) as answer:
                assert answer.status == 201

    await until(lambda: len(office.town.room("01", office.sato)) == 2)
    said = office.town.room("01", office.sato)[-1]
    assert (said.body["text"], said.author_name) == ("佐藤ではありません", SATO.name)


async def test_an_outsider_on_plain_http_can_if_active_alter_the_page_and_take_card_and_pin(
    office: Office, chromium: Browser
) -> None:
    """Without the script that seals, the page sends what was typed as it is."""
    office.tap.alter = lambda data, up: (
        data.replace(b"gzip", b"none") if up else data.replace(b"/login.js", b"/nigol.js")
    )
    await type_log_in(chromium, office.url)
    taken = bytes(office.tap.heard)

    for secret in (MAYOR.code, MAYOR.pin):
        assert in_a_form(secret).encode() in taken


# cannot


async def test_an_outsider_on_plain_http_cannot_learn_card_or_pin_by_listening_only(
    office: Office, chromium: Browser
) -> None:
    await type_log_in(chromium, office.url)
    heard = bytes(office.tap.heard)
    again = await repeated(office, heard)

    assert b'{"sealed":' in heard
    for secret in (MAYOR.code, MAYOR.pin):
        assert [each for each in spellings(secret) if each in heard] == []
    assert again.startswith(b"HTTP/1.1 409 ") and b"Set-Cookie" not in again, "nor log in by it"


async def repeated(office: Office, heard: bytes) -> bytes:
    """What the node answers to a log-in that was recorded and is sent once more."""
    recorded = heard[heard.index(b"POST /api/login") :]
    length = re.search(rb"Content-Length: (\d+)", recorded, re.I)
    assert length
    end = recorded.index(b"\r\n\r\n") + 4 + int(length[1])
    reader, writer = await asyncio.open_connection(HOST, office.tap.port)
    writer.write(recorded[:end])
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer
