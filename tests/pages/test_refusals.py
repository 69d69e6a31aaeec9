"""A refusal is seen where the person looks, and says nothing that is not so."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.office_fake import CARD, PIN, YAMADA
from tests.pages.browser import PHONE, Open, Ward, type_log_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG_PIN = "975318"
IN_VIEW = """(e) => { const box = e.getBoundingClientRect();
  const header = document.querySelector(".top").getBoundingClientRect();
  return box.top >= header.bottom && box.bottom <= innerHeight; }"""


async def registrar(open_page: Open, ward: Ward, path: str) -> Page:
    ward.office.hire(YAMADA)
    page = await open_page(viewport=PHONE)
    await type_log_in(page, ward.url, YAMADA.staff_id)
    await page.goto(ward.url + path)
    return page


async def test_a_wrong_pin_in_the_settings_is_told_beside_its_field(
    ward: Ward, open_page: Open
) -> None:
    page = await registrar(open_page, ward, "/settings")
    for field, text in (
        ("#card", CARD), ("#pin", WRONG_PIN), ("#new-pin", PIN), ("#new-pin-again", PIN),
    ):  # fmt: skip
        await page.fill(field, text)
    await page.click("form[data-api] button")
    told = page.locator(".problem")

    await expect(told).to_contain_text("PINが違います")
    assert await told.evaluate(IN_VIEW)
    assert await page.evaluate("document.activeElement.id") == "pin"


async def test_a_file_that_is_no_courier_file_is_told_below_the_header(
    ward: Ward, open_page: Open
) -> None:
    page = await registrar(open_page, ward, "/courier")
    await page.route("**/api/courier/readings", lambda route: route.abort())
    file = {"name": "a.pdf", "mimeType": "application/pdf", "buffer": bytes(100)}
    await page.set_input_files("#file", file)  # type: ignore[arg-type]
    await page.click("#bring button")
    told = page.locator(".problem")

    await expect(told).to_contain_text("区の機器につながりません")
    assert await told.evaluate(IN_VIEW)


async def test_the_page_of_a_refused_form_does_not_say_that_the_node_is_gone(
    ward: Ward, open_page: Open
) -> None:
    ward.office.asked["01" * 32] = [YAMADA.name]
    page = await registrar(open_page, ward, "/nodes")
    await page.click("summary")
    await page.fill("[name=confirm]", "はい")
    async with page.expect_response(f"{ward.url}/nodes") as asked_again:
        await page.click("details[open] button")
    await (await asked_again.value).finished()

    await expect(page.locator(".problem")).to_contain_text("確認の言葉が違う")
    await expect(page.locator("#banner")).to_be_hidden()
    assert page.url == f"{ward.url}/nodes/lift"
