"""The control page in a real browser, with script and without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from meshrelay.cli.demo.build import plan_for_demo
from meshrelay.cli.demo.layout import BROKER, CABLES, HOST, PLACES, Ports
from meshrelay.cli.demo.panel import TownPanel, panel_files
from meshrelay.cli.demo.processes import Child
from meshrelay.cli.demo.town import Town
from meshrelay.web.control import ControlServer
from tests.field.demo_ports import port_base

ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Bench(Town):
    """A town of sleeping processes and real cables: enough for every button."""

    def __init__(self, ports: Ports, home: Path) -> None:
        super().__init__(ports, plan_for_demo("bench"))
        for name in (BROKER, *(place.key for place in PLACES)):
            self.children[name] = Child(name, ["sleep", "600"], home / f"{name}.log", home / name)
            self._locks[name] = asyncio.Lock()

    async def _answers(self, name: str) -> bool:
        return self.children[name].running


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(Ports(port_base()), tmp_path)
    for cable in bench.cables.values():
        await cable.heal()
    for child in bench.children.values():
        await child.start()
    panel = TownPanel(bench)
    async with ControlServer(panel, HOST, bench.ports.control, panel_files()):
        yield bench
    for child in bench.children.values():
        await child.kill(lose_witness=False)
    for cable in bench.cables.values():
        await cable.cut()


@pytest.mark.parametrize("script", [True, False])
async def test_every_button_works_with_and_without_script(bench: Bench, script: bool) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        context = await browser.new_context(
            java_script_enabled=script, viewport={"width": 360, "height": 740}
        )
        page = await context.new_page()
        await page.goto(f"http://{HOST}:{bench.ports.control}/")

        for spec in CABLES:
            await _press(page, f"li[data-cable='{spec.name}'] .stop button", "off")
        assert not any(cable.whole for cable in bench.cables.values())
        await _press(page, "li[data-process='chuo'] .stop button", "off")
        assert not bench.children["chuo"].running
        await _press(page, "li[data-process='chuo'] .go button", "on")
        assert bench.children["chuo"].running
        await page.click("text=WANをすべてつなぐ")
        await page.wait_for_selector("li[data-cable='wan:hq'].on")
        assert [name for name, cable in bench.cables.items() if cable.whole] == [
            spec.name for spec in CABLES if spec.wan
        ]
        if script:
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= 360
        await browser.close()


async def _press(page: Page, selector: str, becomes: str) -> None:
    row = selector.split(" ")[0]
    await page.click(selector)
    await page.wait_for_selector(f"{row}.{becomes}")
