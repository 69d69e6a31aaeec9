"""What somebody who listens on plain http gets of a log-in; the encrypted tier in a browser."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from playwright.async_api import Page, Request, expect

from meshrelay.web.server import Https, create_app, serve
from tests.certs import CertificateAuthority
from tests.office_fake import CARD, PIN, YAMADA
from tests.pages.browser import WIDE, Open, Ward, type_log_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW_PIN = "864209"


def listening(page: Page) -> list[Request]:
    """Everything the page sends from now on."""
    heard: list[Request] = []
    page.on("request", lambda request: heard.append(request))
    return heard


async def said(heard: list[Request]) -> bytes:
    """All that goes over the wire: addresses, headers and bodies."""
    parts = []
    for request in heard:
        headers = await request.all_headers()
        parts += [request.url, *headers.values(), (request.post_data or "")]
    return "\n".join(parts).encode()


def in_a_form(text: str) -> str:
    """As a browser writes it into a form: its * stays and its ~ does not (WHATWG URL, 5.2)."""
    return quote_plus(text, safe="*").replace("~", "%7E")


def spellings(secret: str) -> list[bytes]:
    """A secret as it might stand in a request."""
    plain = secret.replace("-", "")
    found = [secret, plain, quote(secret), quote_plus(secret), in_a_form(secret), in_a_form(plain)]
    coded = [base64.b64encode(each.encode()).decode().rstrip("=") for each in (secret, plain)]
    hashed = [hashlib.sha256(each.encode()).hexdigest() for each in (secret, plain)]
    return [each.encode() for each in [*found, *coded, *hashed]]


async def test_who_records_a_log_in_finds_neither_card_nor_pin_and_cannot_repeat_it(
    open_page: Open, ward: Ward
) -> None:
    page = await open_page(viewport=WIDE)
    heard = listening(page)
    await type_log_in(page, ward.plain_url)
    insecure = not await page.evaluate("window.isSecureContext")
    wire = await said(heard)
    (login,) = [request for request in heard if request.url.endswith("/api/login")]

    repeated = await page.context.request.post(
        f"{ward.url}/api/login",
        data=login.post_data_buffer,
        headers={"Content-Type": "application/json"},
    )

    assert insecure
    for secret in (CARD, PIN):
        assert [each for each in spellings(secret) if each in wire] == []
    assert b"nacl-fast.js" in wire and b'"sealed"' in wire
    assert (repeated.status, (await repeated.json())["code"]) == (409, "stale_seal")
    assert len(ward.office.seats) == 1


async def test_two_log_ins_of_one_person_look_alike_and_share_nothing(
    open_page: Open, ward: Ward
) -> None:
    page = await open_page(viewport=WIDE)
    boxes = []
    for _ in range(2):
        heard = listening(page)
        await page.context.clear_cookies()
        await type_log_in(page, ward.plain_url)
        (login,) = [request for request in heard if request.url.endswith("/api/login")]
        boxes.append(login.post_data_json["sealed"])

    assert len(boxes[0]["box"]) == len(boxes[1]["box"])
    assert all(boxes[0][part] != boxes[1][part] for part in ("page_key", "nonce", "box"))


async def test_a_changed_pin_and_a_reopened_screen_are_sealed_too(
    open_page: Open, ward: Ward
) -> None:
    page = await open_page(viewport=WIDE)
    await type_log_in(page, ward.plain_url)
    await page.goto(f"{ward.plain_url}/settings")
    heard = listening(page)
    await page.fill("#card", CARD)
    await page.fill("#pin", PIN)
    await page.fill("#new-pin", NEW_PIN)
    await page.fill("#new-pin-again", NEW_PIN)
    await page.click("form[data-api] button")
    await page.wait_for_url("**/settings?done=pin")
    await page.click("text=画面を隠す")
    await page.wait_for_url("**/lock?next=*")
    await page.fill("#pin", NEW_PIN)
    await page.click("main button")
    await page.wait_for_url(f"{ward.plain_url}/settings")
    wire = await said(heard)

    assert ward.office.pins["1001"] == NEW_PIN
    for secret in (CARD, PIN, NEW_PIN):
        assert [each for each in spellings(secret) if each in wire] == []


async def test_without_script_the_log_in_page_warns_in_words(ward: Ward, open_page: Open) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{ward.url}/login")
    without = await page.locator("main").inner_text()
    with_script = await open_page()
    await with_script.goto(f"{ward.url}/login")

    assert "スクリプトが動いていません" in without
    assert "スクリプトが動いていません" not in await with_script.locator("main").inner_text()


async def test_only_pages_that_take_a_pin_load_the_cipher(ward: Ward, open_page: Open) -> None:
    page = await open_page(viewport=WIDE)
    await type_log_in(page, ward.url)
    ward.asked.clear()
    for path in ("/", "/rooms", "/rooms/all", "/rooms/all/note", "/nodes"):
        await page.goto(ward.url + path)
    talking = [url for url in ward.asked if "nacl" in url]
    await page.goto(f"{ward.url}/settings")

    assert talking == []
    assert any("nacl" in url for url in ward.asked)


async def test_over_https_a_registrar_logs_in_and_makes_a_card(
    ward: Ward, open_page: Open, tmp_path: Path
) -> None:
    ward.office.hire(YAMADA)
    files = CertificateAuthority(tmp_path).broker("127.0.0.1")
    https = Https("127.0.0.1", 0, files.certificate, files.key)
    app = create_app(ward.office, hosts=["127.0.0.1"])
    async with serve(app, "127.0.0.1", 0, https) as server:
        url = f"https://127.0.0.1:{server.https_port}"
        page = await open_page(viewport=WIDE, ignore_https_errors=True)
        await type_log_in(page, url, YAMADA.staff_id)
        cookies = await page.context.cookies()
        await page.click(".tabs >> text=設定")
        await page.click("text=職員とカード")
        await page.fill("#q", "さとう")
        await page.click("text=さがす")
        await page.wait_for_selector("text=佐藤 花子")
        await page.fill("#name", "応援 太郎")
        await page.click(".panel button")
        await page.wait_for_selector("#code")
        shown = await page.locator("main").inner_text()
        drawn = await page.locator(".paper-card img").evaluate("e => e.naturalWidth")
        await page.reload()
        await page.wait_for_selector("text=一度しか表示しません")

    assert [(c["name"], c["secure"], c["httpOnly"]) for c in cookies] == [
        ("__Host-mr-5a5a5a5a", True, True)
    ]
    assert CARD in shown and drawn > 100


async def test_a_card_in_conflict_is_settled_by_its_person_at_the_desk(
    ward: Ward, open_page: Open
) -> None:
    ward.office.hire(YAMADA)
    ward.office.conflicts.add("1001")
    page = await open_page(viewport=WIDE)
    await type_log_in(page, ward.url, YAMADA.staff_id)
    await page.goto(f"{ward.url}/cards?q=1001")
    heard = listening(page)
    await page.fill("details input[name=card]", CARD)
    await page.fill("details input[name=pin]", "000000")
    await page.click("details[open] button")
    await page.wait_for_selector("text=PINが違います")
    await page.fill("details input[name=pin]", PIN)
    await page.click("details[open] button")
    await expect(page.locator(".done")).to_contain_text("本人のPINに決めました")
    wire = await said(heard)

    assert ward.office.conflicts == set()
    assert all(each not in wire for secret in (CARD, PIN) for each in spellings(secret))
