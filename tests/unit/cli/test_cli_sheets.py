"""Card sheets: ten a page, nothing fetched, hostile names harmless, QR codes as the standard's."""

from __future__ import annotations

import re

import pytest
import segno

from meshrelay.cli import x509
from meshrelay.cli.enrolment import TEXT_PREFIX, make_request, request_bytes, request_text
from meshrelay.cli.qr import columns_for, in_terminal, svg_path
from meshrelay.cli.sheets import CARDS_PER_SHEET, Card, page
from meshrelay.core.records import StaffCredential
from meshrelay.core.signing import Signer
from meshrelay.errors import ConfigError

CODE = "0123-4567-89AB-CDEF-G"


def card(number: str, name: str = "天満 さくら", unit: str = "避難所班") -> Card:
    person = StaffCredential(
        bytes(32), bytes(32), number, name, "てんま", "01", unit, ["staff"], 1, 1
    )
    return Card(person, CODE, "北区", "http://192.0.2.10:8101")


@pytest.mark.parametrize(("people", "sheets"), [(1, 1), (10, 1), (11, 2), (30, 3)])
def test_a_sheet_holds_ten_cards(people: int, sheets: int) -> None:
    text = page("大阪市", False, "t", [card(str(n)) for n in range(people)])

    assert text.count('<article class="card">') == people
    assert text.count('<section class="sheet">') == sheets
    assert CARDS_PER_SHEET == 10


def test_a_page_of_cards_fetches_nothing() -> None:
    text = page("大阪市", False, "t", [card("1")])

    assert not re.search(r"(?i)<script|<link|<img|src=|href=|url\(|@import|<iframe", text)


def test_a_hostile_name_is_text() -> None:
    text = page("<b>", False, "</title>", [card("1", '<script>alert("x")</script>', "&amp;'")])

    assert "<script" not in text and "<b>" not in text.replace("<b>0123", "")
    assert "&lt;script&gt;" in text and "&lt;/title&gt;" in text


def test_only_cards_of_a_drill_say_so() -> None:
    assert "訓練" in page("大阪市", True, "t", [card("1")])
    assert "訓練" not in page("大阪市", False, "t", [card("1")])


def test_the_drawn_code_is_the_log_in_link() -> None:
    link = card("10102").link
    assert link == f"http://192.0.2.10:8101/login#s=10102&c={CODE}"
    side, path = svg_path(link)

    drawn = [[0] * side for _ in range(side)]
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        for column in range(int(x), int(x) + int(width)):
            drawn[int(y)][column] = 1
    wanted = segno.make(link, error="m", micro=False, mask=3, boost_error=False)
    assert drawn == [[cell & 1 for cell in row] for row in wanted.matrix]


def test_a_request_survives_being_photographed() -> None:
    data = make_request(Signer(bytes(32)), "北区役所", bytes(32), x509.make_key())
    text = request_text(data)

    assert re.fullmatch(r"MR1:[A-Z2-7]+", text)  # what QR codes pack densely
    assert request_bytes(f"  {text.lower()}\n".encode()) == data
    assert request_bytes(data) == data
    with pytest.raises(ConfigError, match="scan it again"):
        request_bytes(text[: len(TEXT_PREFIX) + 9].encode())


def test_a_code_too_wide_for_the_terminal_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    text = request_text(bytes(460))
    wide = columns_for(text)
    monkeypatch.setenv("COLUMNS", str(wide))
    drawn = in_terminal(text)
    assert drawn is not None and len(drawn.splitlines()) < wide
    monkeypatch.setenv("COLUMNS", str(wide - 1))
    assert in_terminal(text) is None
