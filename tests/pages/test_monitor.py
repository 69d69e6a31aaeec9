"""The monitor in a real browser: widths, colours, ageing, no request that leaves the origin."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from meshrelay.monitor.pages import routes
from tests.monitor_scene import ALL_WARDS, City, four_wards, whole_city, word
from tests.pages.browser import ARGS, CHROMIUM

# The policy under which the web package serves every page.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SHOTS = os.environ.get("MESHRELAY_SHOTS")


@contextmanager
def serving(city: City) -> Iterator[str]:
    """The monitor's routes behind a plain HTTP server; the node is gone afterwards."""
    pages = routes(city)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in pages:
                self.send_error(404)
                return
            status, kind, body = asyncio.run(pages[self.path]())
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", CSP)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@contextmanager
def opened(browser: Browser, width: int = 1280, **options: object) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 800}, **options)  # type: ignore[arg-type]
    try:
        yield context.new_page()
    finally:
        context.close()


@pytest.mark.parametrize("path", ["/monitor", "/monitor/en"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 800, 1280])
def test_nothing_scrolls_sideways_and_nothing_breaks_the_policy(
    browser: Browser, width: int, scheme: str, path: str
) -> None:
    city = City(*whole_city(), wards=ALL_WARDS)
    with serving(city) as origin, opened(browser, width, color_scheme=scheme) as page:
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(origin + path)
        if SHOTS:
            name = f"monitor-{path[-2:]}-{width}-{scheme}.png"
            page.screenshot(path=Path(SHOTS) / name, full_page=True)

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not said
        assert all(url.startswith((origin + "/monitor", "data:")) for url in asked)


def test_a_page_whose_node_is_gone_keeps_its_values_and_greys(browser: Browser) -> None:
    with opened(browser) as page:
        page.clock.install()
        with serving(City(*four_wards())) as origin:
            page.goto(origin + "/monitor")
            headline = page.locator("h1").inner_text()
            icon = page.locator("#icon").get_attribute("href")
        page.clock.run_for(50_000)
        assert "stale" not in (page.locator("html").get_attribute("class") or "")

        page.clock.run_for(20_000)

        assert "stale" in (page.locator("html").get_attribute("class") or "")
        assert int(page.locator("#age").inner_text()) >= 61
        assert page.locator("h1").inner_text() == headline
        assert "古く" in page.locator("#stale-note").inner_text()
        assert page.title().startswith("⚠ 古いデータ")
        assert page.locator("#icon").get_attribute("href") != icon
        assert "grayscale" in page.locator("main").evaluate("e => getComputedStyle(e).filter")
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / "monitor-stale.png", full_page=True)


def test_news_of_a_ward_appears_without_a_reload(browser: Browser) -> None:
    city = City(*four_wards())
    with serving(city) as origin, opened(browser) as page:
        page.clock.install()
        page.goto(origin + "/monitor")
        page.locator("summary").click()
        city.words = (word("00", path="self"), word("01"), word("02"), word("03"))
        city.at_ms += 6_000
        with page.expect_response("**/monitor"):
            page.clock.run_for(5_500)
        page.locator("h1", has_text="3区すべてが15分以内に同期").wait_for()

        assert page.locator("details").get_attribute("open") is not None
        assert "stale" not in (page.locator("html").get_attribute("class") or "")


def test_the_page_is_complete_without_script_and_will_grey_by_itself(browser: Browser) -> None:
    with (
        serving(City(*four_wards())) as origin,
        opened(browser, 360, java_script_enabled=False) as page,
    ):
        page.goto(origin + "/monitor")

        assert "西成区が遅れ" in page.locator("h1").inner_text()
        main = page.locator("main")
        assert main.evaluate("e => getComputedStyle(e).animationDelay") == "60s"
        assert main.evaluate("e => getComputedStyle(e).animationName") == "grey"
