"""Cards to print: one HTML page that needs nothing else, ten cards of 91 x 55 mm an A4 sheet.

That is the size of Japanese name-card paper (2 x 5, margins 14 and 11 mm), so that a sheet
fits pre-cut stock as well as scissors. Any browser prints it; nothing is fetched.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from meshrelay.cli.qr import svg_path
from meshrelay.core.records import StaffCredential

CARDS_PER_SHEET = 10
# A hundred sheets: what a browser lays out in seconds and an office printer has paper for.
CARDS_PER_FILE = 1_000
# A longer name is set smaller, so that it stays on the card: 60 characters are four lines.
NAME_CHARS_LARGE = 16

_HEAD = """<!DOCTYPE html>
<html lang="ja">
<head>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
@page {{ size: A4 portrait; margin: 0 }}
* {{ box-sizing: border-box }}
body {{ margin: 0; color: #000; background: #fff;
  font-family: "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", Meiryo, sans-serif }}
.note {{ max-width: 190mm; margin: 6mm auto; font-size: 12pt; line-height: 1.6 }}
.sheet {{ position: relative; width: 210mm; height: 297mm; padding: 11mm 14mm;
  display: grid; grid-template: repeat(5, 55mm) / repeat(2, 91mm);
  overflow: hidden; break-after: page }}
.sheet:last-child {{ break-after: auto }}
.marks {{ position: absolute; inset: 0; width: 210mm; height: 297mm }}
.card {{ position: relative; overflow: hidden; padding: 4mm 4mm 3mm 5mm;
  display: grid; grid-template: auto minmax(0, 1fr) auto / 1fr 31mm; column-gap: 2mm }}
.net {{ grid-column: 1 / 3; font-size: 8pt; display: flex; justify-content: space-between }}
.drill {{ font-weight: bold; border: .4mm solid #000; padding: 0 1.5mm }}
.who {{ align-self: center; line-height: 1.3; min-width: 0; max-height: 100%;
  overflow: hidden; overflow-wrap: anywhere }}
.kana {{ font-size: 7pt }}
.name {{ font-size: 13pt; font-weight: bold }}
.long {{ font-size: 8pt }}
.unit {{ font-size: 8pt }}
.qr {{ width: 31mm; height: 31mm; align-self: center }}
.code {{ grid-column: 1 / 3; font-size: 8pt; white-space: nowrap }}
.lost {{ font-size: 6.5pt }}
.code b {{ font: bold 10.5pt "DejaVu Sans Mono", Consolas, Menlo, monospace }}
@media screen {{ .sheet {{ margin: 0 auto 6mm; outline: .2mm dashed #888 }} }}
@media print {{ .note {{ display: none }} }}
</style>
</head>
<body>
<p class="note">{note}</p>
"""

_NOTE = (
    "印刷：A4、倍率100%（実際のサイズ）、余白なし。名刺サイズ（91×55mm、10面）です。"
    "このファイルは秘密です。印刷したら消してください。<br>"
    '<span lang="en">Print on A4 at 100 %, no margins. This file is secret: delete it when '
    "the cards are printed.</span>"
)


@dataclass(frozen=True)
class Card:
    """What one card says. `base`: where the staff page of the ward is, `http://HOST:PORT`."""

    person: StaffCredential
    code: str
    ward_name: str
    base: str

    @property
    def link(self) -> str:
        """What the QR code holds; browsers never send the part after # to a server."""
        return f"{self.base}/login#s={quote(self.person.staff_id)}&c={quote(self.code)}"


def page(network_name: str, drill: bool, title: str, cards: Iterable[Card]) -> str:
    """A whole file of cards."""
    parts = [_HEAD.format(title=html.escape(title), note=_NOTE)]
    sheet: list[str] = []
    for card in cards:
        sheet.append(_card(network_name, drill, card))
        if len(sheet) == CARDS_PER_SHEET:
            parts.append(_sheet(sheet))
            sheet = []
    if sheet:
        parts.append(_sheet(sheet))
    parts.append("</body>\n</html>\n")
    return "".join(parts)


def _sheet(cards: list[str]) -> str:
    return f'<section class="sheet">{_MARKS}{"".join(cards)}</section>\n'


def _cut_marks() -> str:
    """Short lines outside the cards, where a blade is to be laid."""
    columns, rows = (14, 105, 196), tuple(11 + 55 * row for row in range(6))
    lines = [f"M{x} 3v6M{x} 288v6" for x in columns] + [f"M4 {y}h8M198 {y}h8" for y in rows]
    return (
        '<svg class="marks" viewBox="0 0 210 297" aria-hidden="true">'
        f'<path d="{"".join(lines)}" stroke="#000" stroke-width=".2" fill="none"/></svg>'
    )


_MARKS = _cut_marks()


def _card(network_name: str, drill: bool, card: Card) -> str:
    person = card.person
    side, path = svg_path(card.link)
    say = html.escape
    mark = '<span class="drill">訓練 DRILL</span>' if drill else ""
    size = "name long" if len(person.name) > NAME_CHARS_LARGE else "name"
    kana = f'<div class="kana">{say(person.kana)}</div>' if person.kana else ""
    return (
        '<article class="card">'
        f'<div class="net"><span>{say(network_name)} 職員カード</span>{mark}</div>'
        f'<div class="who">{kana}<div class="{size}">{say(person.name)}</div>'
        f'<div class="unit">{say(card.ward_name)}（{say(person.ward)}） {say(person.unit)}<br>'
        f"職員番号 {say(person.staff_id)}<br>{say(card.base)}</div></div>"
        f'<svg class="qr" viewBox="-2 -2 {side + 4} {side + 4}" shape-rendering="crispEdges" '
        f'role="img" aria-label="QR"><path d="{path}"/></svg>'
        f'<div class="code">カード番号 <b>{say(card.code)}</b>'
        '<div class="lost">なくしたら、すぐ登録担当者へ。</div></div>'
        "</article>"
    )
