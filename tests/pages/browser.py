"""What a person does in a browser: open a ward's page, log in, write; and what others say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Page, ViewportSize

from meshrelay.node.office import Message
from meshrelay.web.server import Render, Server, create_app, serve
from tests.office_fake import CARD, NOW_MS, PIN, FakeOffice, Person

CHROMIUM = "/usr/bin/chromium"
# Not the loopback address by name or number: for a browser this is a plain, insecure origin,
# as every ward's address on its LAN.
PLAIN_HOST = "kita.example"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # The last of these switches counts: what Playwright turns off and these tests lean on, and a
    # renderer for the browser's own toolbar beside each page.
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,PaintHolding,MediaRouter,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,OptimizationHints,"
    "ThirdPartyStoragePartitioning,PreloadTopChromeWebUI",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
]
PHONE = ViewportSize(width=360, height=740)
WIDE = ViewportSize(width=1280, height=800)
UNSENT = ".msg[data-unsent]"

# Makes a page in a fresh context; any script error on it fails the test.
Open = Callable[..., Awaitable[Page]]


@dataclass
class Ward:
    """A ward's page server that can be stopped and started again on the same port."""

    office: FakeOffice
    port: int = 0
    server: Server | None = None
    asked: list[str] = field(default_factory=list)
    extra: Mapping[str, Render] = field(default_factory=dict)

    async def start(self) -> None:
        app = create_app(self.office, hosts=["127.0.0.1", PLAIN_HOST], extra=self.extra)
        self.server = serve(app, "127.0.0.1", self.port)
        await self.server.start()
        self.port = self.server.port

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()
            self.server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def plain_url(self) -> str:
        """The same page as a PC of the office opens it: no secure context."""
        return f"http://{PLAIN_HOST}:{self.port}"


def message_id(n: int) -> str:
    return f"01900000-0000-7000-8000-{n:012x}"


def say(office: FakeOffice, who: Person, text: str, n: int, **more: Any) -> Message:
    """Put a message of somebody into the room 全庁, as if it had come from the network."""
    office.now += 1000
    values: dict[str, Any] = {
        "author": who.staff_id,
        "author_name": who.name,
        "author_ward": who.ward,
        "message_id": message_id(n),
        "kind": "talk",
        "room": "all",
        "body": {"text": text},
        "created_ms": NOW_MS + n * 1000,
        "arrived_ms": office.now,
        "late": False,
        "clock_uncertain": False,
        "origin_ward": who.ward,
        "place": "node",
        "wards_n": 0,
        "read_n": 0,
        "members_n": 2,
        "mine": False,
        "read_by_me": False,
        "trouble": None,
        "sort": f"{office.now:016x}",
        "changed": 0,
    }
    office.put(Message(**{**values, **more}))
    return office.kept[who.staff_id, message_id(n)]


def attached(name: str, thumbnail: bool, text: str = "") -> dict[str, object]:
    """The body of a message with a file."""
    file = {"name": name, "type": "?", "size": 9, "blob": "b1" * 32, "thumbnail": thumbnail}
    return {"text": text, "file": file}


async def log_in(page: Page, ward: Ward, staff: str = "1001", to: str = "/rooms/all") -> None:
    """By the link of a card, on a phone of one's own."""
    await page.goto(f"{ward.url}/login?next={to}#s={staff}&c={CARD}")
    await page.fill("#pin", PIN)
    await page.click("#login button")
    await page.wait_for_url(f"{ward.url}{to}")


async def type_log_in(page: Page, url: str, staff: str = "1001") -> None:
    """As a person types it: no link, the default of a wide screen; leads to Home."""
    await page.goto(f"{url}/login")
    await page.fill("#staff", staff)
    await page.fill("#card", CARD)
    await page.fill("#pin", PIN)
    await page.click("#login button")
    await page.wait_for_url(f"{url}/")


async def send(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.click("#write button")


async def marks(page: Page, text: str) -> str:
    """How far one's own message is, in the words of its bubble."""
    shown = await page.locator(".msg.mine", has_text=text).locator(".marks").inner_text()
    return " ".join(shown.split())


@asynccontextmanager
async def hidden(page: Page) -> AsyncIterator[None]:
    """The tab as if another one were in front."""
    script = """(state) => {
      Object.defineProperty(document, "visibilityState", {value: state, configurable: true});
      document.dispatchEvent(new Event("visibilitychange")); }"""
    await page.evaluate(script, "hidden")
    yield
    await page.evaluate(script, "visible")
