"""One node's page over an in-memory Office, asked through aiohttp's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse, CookieJar
from aiohttp.test_utils import TestClient, TestServer

from meshrelay.web.server import Page, create_app
from tests.office_fake import CARD, PIN, YAMADA, FakeOffice

HTML = {"Accept": "text/html"}


@dataclass
class Browser:
    """A client with a cookie jar and the CSRF token of its log-in."""

    client: TestClient[Any, Any]
    csrf: str = ""

    async def log_in(self, staff: str = "1001") -> dict[str, Any]:
        answer = await self.client.post(
            "/api/login", json={"staff": staff, "card": CARD, "pin": PIN}
        )
        told: dict[str, Any] = await answer.json()
        assert answer.status == 200, told
        self.csrf = told["csrf"]
        return told

    async def get(self, path: str, **more: Any) -> ClientResponse:
        return await self.client.get(path, allow_redirects=False, **more)

    async def post(self, path: str, json: Any, **headers: str) -> ClientResponse:
        return await self.client.post(
            path, json=json, headers={"X-CSRF-Token": self.csrf, **headers}
        )

    async def send(self, text: str, n: int = 1, room: str = "all") -> ClientResponse:
        return await self.post(
            "/api/messages", {"id": message_id(n), "room": room, "body": {"text": text}}
        )


def message_id(n: int) -> str:
    return f"01900000-0000-7000-8000-{n:012x}"


async def ready() -> Page:
    return Page(503, "text/plain; charset=utf-8", b"not ready: the disk is full\n")


@pytest.fixture
def office() -> FakeOffice:
    return FakeOffice()


@pytest.fixture
async def browser(office: FakeOffice) -> AsyncIterator[Browser]:
    app = create_app(office, hosts=["127.0.0.1"], extra={"/readyz": ready})
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        yield Browser(client)


@pytest.fixture
async def registrar(browser: Browser, office: FakeOffice) -> Browser:
    """山田, registrar of 北区, is logged in."""
    office.hire(YAMADA)
    await browser.log_in("1009")
    return browser


@pytest.fixture
async def sato(browser: Browser) -> Browser:
    """佐藤 (北区) is logged in."""
    await browser.log_in()
    return browser
