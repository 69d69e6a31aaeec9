"""The monitor's documents: true, small, hostile-proof, the same for all viewers."""

from __future__ import annotations

import asyncio
import gzip
import re
from html.parser import HTMLParser

import pytest

from meshrelay.monitor.pages import SNAPSHOT_MS, Drawing, Snapshots, monitor_page, plain, routes
from meshrelay.monitor.tally import tally
from meshrelay.monitor.words import LANGS, TEXT, age, clock, iso, size
from tests.monitor_scene import (
    ALL_WARDS,
    NOW_MS,
    WARDS,
    City,
    four_wards,
    status,
    unheard,
    whole_city,
    word,
)

VOID = {"meta", "link", "br"}
# pages.md, budgets: the whole page, script and style included.
PAGE_GZIP_BYTES_MAX = 25_000


class Outline(HTMLParser):
    """Elements, attributes and balance of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def get(city: City, path: str) -> tuple[int, str, bytes]:
    return asyncio.run(routes(city)[path]())


def row_of(document: str, ward: str) -> str:
    """The text of one ward's row in the first table."""
    rows = re.findall(r'<tr role="row" class.*?</tr>', document, re.S)
    (found,) = [row for row in rows if f">{ward}" in row]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found))


def test_each_language_has_every_word_of_the_other() -> None:
    assert set(TEXT["ja"]) == set(TEXT["en"])
    assert all(TEXT[lang][key].strip() for lang in LANGS for key in TEXT[lang])


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_is_well_formed_and_has_nothing_inline(lang: str) -> None:
    outline = Outline(monitor_page(status(*whole_city()), ALL_WARDS, lang).decode())

    assert outline.open == []
    for tag, attributes in outline.seen:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src") == "/monitor.js"
        assert tag != "th" or attributes.get("scope") in {"row", "col"}
        assert tag != "svg" or attributes.get("aria-hidden") == "true"


def test_the_sentence_is_the_heading() -> None:
    document = monitor_page(status(*four_wards()), WARDS, "ja").decode()

    assert "<h1>3区中2区が15分以内に同期。西成区が遅れ（最長47分）</h1>" in document


def test_a_row_tells_word_path_backlog_and_refusals() -> None:
    document = monitor_page(status(*four_wards()), WARDS, "ja").decode()

    assert "LAN 北区経由" in row_of(document, "中央区")
    late = row_of(document, "西成区")
    assert "遅れ" in late
    assert "47分前" in late
    assert "署名が不正 4 途中が欠け 2 別の網 1 ほか1" in late
    assert "残り 9" in document
    assert "31/40" in document


def test_a_way_station_is_named_in_the_language_of_the_page() -> None:
    document = monitor_page(status(*four_wards()), WARDS, "en").decode()

    assert "via Kita" in row_of(document, "Chuo")


@pytest.mark.parametrize(("lang", "unknown"), [("ja", "不明"), ("en", "unknown")])
def test_nothing_of_an_unheard_ward_is_shown_as_a_number(lang: str, unknown: str) -> None:
    document = monitor_page(status(word("01"), unheard("03")), WARDS, lang).decode()
    row = row_of(document, WARDS["03"].name if lang == "ja" else WARDS["03"].name_en)

    assert row.count(unknown) == 9
    assert not re.search(r"\d", row)


def test_a_silent_ward_keeps_its_last_values_with_their_age() -> None:
    quiet = word("03", said_ms=NOW_MS - 52 * 60_000)
    row = row_of(monitor_page(status(quiet), WARDS, "ja").decode(), "西成区")

    assert "沈黙" in row
    assert "値は52分前のもの" in row
    assert "23.4 GB" in row


def test_a_drill_says_so_and_a_ward_says_that_it_is_not_hq() -> None:
    plain_page = monitor_page(status(word("01")), WARDS, "ja").decode()
    node = status(word("01")).words[0].node
    drill_page = monitor_page(status(word("01"), drill=True, node=node), WARDS, "ja").decode()

    assert "訓練" not in plain_page
    assert "本部ではありません" not in plain_page
    assert "訓練" in drill_page
    assert "本部ではありません" in drill_page


def test_names_from_elsewhere_cannot_turn_into_markup_or_turn_the_line() -> None:
    evil = "<img src=x onerror=a()>\u202eabc\x07" + "x" * 500
    document = monitor_page(
        status(word("03", version=evil, refused={evil: 2}, via=evil), trouble=(evil,)), WARDS, "en"
    ).decode()

    assert "<img" not in document
    assert "\u202e" not in document
    assert "\x07" not in document
    assert "x" * 450 not in document
    assert plain("北区\u200f\u2066役所") == "北区役所"


def test_a_full_city_stays_within_the_budget() -> None:
    city = City(*whole_city(), wards=ALL_WARDS)
    total = sum(
        len(gzip.compress(get(city, path)[2]))
        for path in ("/monitor", "/monitor.js", "/monitor.css")
    )

    assert total <= PAGE_GZIP_BYTES_MAX


def test_all_viewers_of_five_seconds_share_one_snapshot_and_see_its_age() -> None:
    city = City(*four_wards())
    snapshots = Snapshots(city)

    first = snapshots.page("ja")
    city.at_ms += SNAPSHOT_MS - 1
    second, english = snapshots.page("ja"), snapshots.page("en")
    snapshots.metrics.text()

    assert city.asked == 1
    assert b'data-age-s="0"' in first
    assert b'data-age-s="4"' in second
    assert b"2 of 3 wards" in english
    city.at_ms += 1
    assert b'data-age-s="0"' in snapshots.page("ja")
    assert city.asked == 2


def test_a_clock_that_was_set_back_does_not_freeze_the_page() -> None:
    city = City(*four_wards())
    snapshots = Snapshots(city)
    snapshots.page("ja")

    city.at_ms -= 3_600_000

    assert b'data-age-s="0"' in snapshots.page("ja")
    assert city.asked == 2


def test_readiness_is_asked_anew_each_time_and_gives_its_reasons() -> None:
    city = City(*four_wards())
    ready = routes(city)["/readyz"]
    assert asyncio.run(ready()) == (200, "text/plain; charset=utf-8", b"ready\n")

    city.more = {"ready": False, "trouble": ("The disk is full.",)}

    assert asyncio.run(ready())[::2] == (503, b"not ready\nThe disk is full.\n")
    assert get(city, "/livez")[::2] == (200, b"live\n")


def test_wards_stand_in_their_true_directions_and_unknown_ones_below() -> None:
    tiles, rest = Drawing().tiles(tally(status(*four_wards(), word("77")), WARDS))
    places = {tile.row.name: (tile.column, tile.line) for tile in tiles}

    assert places == {"本部": (1, 1), "北区": (3, 2), "中央区": (3, 3), "西成区": (2, 4)}
    assert [row.code for row in rest] == ["77"]


def test_the_map_knows_every_ward_of_the_city_once() -> None:
    tiles, rest = Drawing().tiles(tally(status(*whole_city()), ALL_WARDS))

    assert not rest
    assert len({(tile.column, tile.line) for tile in tiles}) == len(ALL_WARDS)
    style = Drawing().style.decode()
    assert all(f".c{tile.column} " in style and f".r{tile.line} " in style for tile in tiles)


def test_ages_times_and_sizes_read_as_people_say_them() -> None:
    assert [age(ms, "ja") for ms in (0, 59_999, 47 * 60_000, 125 * 60_000, 76 * 3_600_000)] == [
        "0秒",
        "59秒",
        "47分",
        "2時間5分",
        "3日4時間",
    ]
    assert age(125 * 60_000, "en") == "2 h 5 min"
    assert iso(NOW_MS) == "2026-11-18T20:06:40+09:00"
    assert clock(NOW_MS - 60_000, NOW_MS) == "20:05:40"
    assert clock(NOW_MS - 86_400_000, NOW_MS) == "2026-11-17 20:06"
    assert [size(n) for n in (12, 3_400, 5_600_000, 23_400_000_000)] == [
        "12 B",
        "3.4 kB",
        "5.6 MB",
        "23.4 GB",
    ]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_reaches_seven_to_one_and_state_colours_four_and_a_half() -> None:
    style = Drawing().style.decode()
    palettes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", part)) for part in style.split("@media")[:2]
    ]

    for palette in palettes:
        for front, back, least in (
            ("ink", "paper", 7.0),
            ("soft", "paper", 7.0),
            ("soft", "band", 7.0),
            ("link", "paper", 4.5),
            *((state, f"{state}-bg", 4.5) for state in ("in_sync", "late", "silent", "unknown")),
            *(("soft", f"{state}-bg", 4.5) for state in ("in_sync", "late", "silent", "unknown")),
        ):
            light, dark = sorted((luminance(palette[front]), luminance(palette[back])))[::-1]
            assert (light + 0.05) / (dark + 0.05) >= least, (front, back)


def test_a_machine_without_links_says_so_before_the_map() -> None:
    page = monitor_page(status(*four_wards(), links=()), WARDS, "ja").decode()

    assert page.index("どの機器ともつながっていません") < page.index("区の地図")
    assert "<h1>最後に聞いたかぎり、3区中2区が" in page
    linked = monitor_page(status(*four_wards()), WARDS, "ja").decode()
    assert "どの機器とも" not in linked and "最後に聞いたかぎり" not in linked
