"""The room page in a real Chromium, cold: its bytes with css and js, and who was asked for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ViewportSize, async_playwright

from meshrelay.web.client import StaffClient
from tests.benchmarks.figures import Figure
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import town_directory
from tests.pages.browser import ARGS, CHROMIUM
from tests.town import SATO, build_town, uuid7

PHONE = ViewportSize(width=360, height=740)
ROOM_KB_MAX = 30.0
# The kinds of a page with its css and js; what its scripts ask for later is told apart.
PAGE_KINDS = frozenset({"Document", "Stylesheet", "Script", "Image", "Font", "Manifest"})
SETTLE_MS = 1_500
# A phone of ten years ago, as a fraction of this machine (pages.md: CPU ×6).
SLOWER = 6
FIRST_MESSAGE_S_MAX = 1.0
BUBBLE_MS_MAX = 100.0
MONITOR_KB_MAX = 25.0
# When the first message has a box in a frame.
_FIRST_MESSAGE = """(() => {
  const look = () => {
    const first = document.querySelector(".msg");
    if (first && first.getBoundingClientRect().height) window.firstMessageMs = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
_OWN_BUBBLE = """async () => {
  const box = document.getElementById("text");
  box.value = "こちらは無事です";
  const start = performance.now();
  document.querySelector("#write button.main").click();
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const drawn = Array.from(document.querySelectorAll(".msg.mine .bubble")).pop();
  return drawn.textContent === box.value || drawn.textContent === "こちらは無事です"
    ? performance.now() - start : -1;
}"""


@dataclass
class Traffic:
    """What one page load moved: gzip content, and the same on the wire with its headers."""

    kinds: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    content: dict[str, int] = field(default_factory=dict)
    wire: dict[str, int] = field(default_factory=dict)

    def request(self, event: dict[str, Any]) -> None:
        self.urls[event["requestId"]] = event["request"]["url"]
        self.kinds[event["requestId"]] = event.get("type", "Other")

    def response(self, event: dict[str, Any]) -> None:
        headers = {name.lower(): text for name, text in event["response"]["headers"].items()}
        if "content-length" in headers:  # an event stream has none
            self.content[event["requestId"]] = int(headers["content-length"])

    def finished(self, event: dict[str, Any]) -> None:
        self.wire[event["requestId"]] = int(event["encodedDataLength"])

    def of(self, page: bool, sizes: dict[str, int]) -> dict[str, int]:
        """Path → bytes, of the page itself or of what its scripts asked for."""
        return {
            urlsplit(self.urls[each]).path: size
            for each, size in sizes.items()
            if each in self.urls and (self.kinds[each] in PAGE_KINDS) == page
        }


async def measure(work: Path, messages: int = 30) -> list[Figure]:
    """Cold transfer of the room with `messages` messages; requests that leave the origin."""
    town = build_town(town_directory(work, "page") / "town", {"01": ()})
    async with Wards(town) as wards, async_playwright() as playwright:
        await wards.start("01")
        url = wards.urls["01"]
        async with StaffClient(url) as sato:
            await sato.log_in(SATO.staff_id, SATO.code, SATO.pin)
            for number in range(messages):
                text = f"避難所その{number}：毛布{number * 7}枚、水{number * 13}本が必要です。"
                await sato.post(uuid7(), "all", text)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            context = await browser.new_context(viewport=PHONE)
            asked: list[str] = []
            context.on("request", lambda request: asked.append(request.url))
            await _walk(context, url)
            cold = await browser.new_context(
                viewport=PHONE, storage_state=await context.storage_state()
            )
            cold.on("request", lambda request: asked.append(request.url))
            traffic = await _load(cold, f"{url}/rooms/all", messages)
            first_s, bubble_ms = await _slow_phone(cold, f"{url}/rooms/all")
            monitor = await _load(cold, f"{url}/monitor", 0)
        finally:
            await browser.close()
    page, later = traffic.of(True, traffic.content), traffic.of(False, traffic.content)
    wire = traffic.of(True, traffic.wire)
    if not page.keys() == wire.keys():
        raise AssertionError(f"not all of the page was measured: {page.keys() ^ wire.keys()}")
    away = sorted({each for each in asked if not each.startswith((f"{url}/", "data:", "blob:"))})
    return [
        Figure(f"room page cold, {messages} messages, gzip",
               sum(page.values()) / 1000, "kB", limit=ROOM_KB_MAX, detail={"bytes": page}),
        Figure("  the same on the wire, with response headers", sum(wire.values()) / 1000, "kB",
               detail={"bytes": wire}),
        Figure("  what its scripts ask for next", sum(later.values()) / 1000, "kB",
               detail={"bytes": later}),
        Figure(f"  first message at CPU ×{SLOWER}", first_s, "s", limit=FIRST_MESSAGE_S_MAX),
        Figure(f"  own bubble after the tap, CPU ×{SLOWER}", bubble_ms, "ms", limit=BUBBLE_MS_MAX),
        Figure("monitor page cold, gzip", sum(monitor.of(True, monitor.content).values()) / 1000,
               "kB", limit=MONITOR_KB_MAX),
        Figure("requests that leave the origin", len(away), "", limit=0,
               detail={"asked": len(asked), "away": away}),
    ]  # fmt: skip


async def _slow_phone(context: BrowserContext, url: str) -> tuple[float, float]:
    """(Seconds to the first message, ms to one's own bubble), each the median of five."""
    firsts, bubbles = [], []
    for _ in range(5):
        page = await context.new_page()
        await page.add_init_script(_FIRST_MESSAGE)
        session = await context.new_cdp_session(page)
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        await page.goto(url)
        firsts.append(float(await page.evaluate("window.firstMessageMs")) / 1000)
        await page.wait_for_timeout(SETTLE_MS)
        bubbles.append(float(await page.evaluate(_OWN_BUBBLE)))
        await page.close()
    if min(bubbles) < 0:
        raise AssertionError("a tap drew no bubble")
    return median(firsts), median(bubbles)


async def _walk(context: BrowserContext, url: str) -> None:
    """Every page there is, as a person opens them: log-in, home, room, send, who, monitor."""
    page = await context.new_page()
    await page.goto(f"{url}/login?next=/rooms/all#s={SATO.staff_id}&c={SATO.code}")
    await page.fill("#pin", SATO.pin)
    await page.click("#login button")
    await page.wait_for_url(f"{url}/rooms/all")
    await page.fill("#text", "庁舎は無事です")
    await page.click("#write button")
    await page.locator(".msg.mine .marks").last.click()
    for path in ("/", "/monitor"):
        await page.goto(url + path)
        await page.wait_for_timeout(SETTLE_MS)
    await page.close()


async def _load(context: BrowserContext, address: str, messages: int) -> Traffic:
    traffic = Traffic()
    page = await context.new_page()
    devtools = await context.new_cdp_session(page)
    await devtools.send("Network.enable")
    devtools.on("Network.requestWillBeSent", traffic.request)
    devtools.on("Network.responseReceived", traffic.response)
    devtools.on("Network.loadingFinished", traffic.finished)
    await page.goto(address)
    await page.wait_for_timeout(SETTLE_MS)
    shown = await page.locator(".msg").count()
    if shown < messages:
        raise AssertionError(f"{shown} of {messages} messages are shown")
    await page.close()
    return traffic
