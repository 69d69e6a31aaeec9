"""Card sheets in a real browser: what comes out of the printer."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from meshrelay.cli.sheets import Card, page
from meshrelay.core.records import NAME_CHARS_MAX, StaffCredential

CHROMIUM = Path("/usr/bin/chromium")
PEOPLE = 21
MM = 96 / 25.4  # CSS pixels
# Where each part of a card may lie; what is longer than that is cut off by nothing.
_BOXES = """() => [...document.querySelectorAll('.card')].map(card => {
    const box = e => { const r = e.getBoundingClientRect(); return [r.x, r.y, r.right, r.bottom] };
    return [box(card), ...['.who', '.qr', '.code b'].map(s => box(card.querySelector(s)))];
})"""


def card(number: int, name: str) -> Card:
    person = StaffCredential(
        bytes(32), bytes(32), str(number), name, "あ" * 20, "01", "避難所班", ["staff"], 1, 1
    )
    return Card(person, "0123-4567-89AB-CDEF-G", "北区", "http://192.0.2.10:8101")


async def test_cards_print_on_as_many_sheets_as_they_need_and_nothing_overlaps(
    tmp_path: Path,
) -> None:
    if not CHROMIUM.exists() and os.environ.get("CI") != "true":
        pytest.skip("needs Debian's chromium")
    names = ["天満 さくら", "長" * NAME_CHARS_MAX, '<script>document.title="x"</script>']
    cards = [card(number, names[number % 3]) for number in range(PEOPLE)]
    path = tmp_path / "cards.html"
    path.write_text(page("大阪市", True, "職員カード", cards), "utf-8")
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox"]
        )
        tab = await browser.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        await tab.goto(path.as_uri())
        boxes = await tab.evaluate(_BOXES)
        title = await tab.title()
        pdf = await tab.pdf(prefer_css_page_size=True)
        await browser.close()

    assert asked == [path.as_uri()] and title == "職員カード"
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 3
    assert len(boxes) == PEOPLE
    for whole, who, qr, code in boxes:
        assert (whole[2] - whole[0], whole[3] - whole[1]) == pytest.approx(
            (91 * MM, 55 * MM), abs=0.1
        )
        assert who[2] <= qr[0] + 0.1 and qr[2] - qr[0] >= 30 * MM
        assert qr[3] <= code[1] + 0.1 and code[3] <= whole[3] and code[2] <= whole[2]
