"""Both languages are complete, and no word on a page comes from anywhere else."""

from __future__ import annotations

import re
import string
from importlib.resources import files

import pytest

from meshrelay.desk.order import ROLES
from meshrelay.web.desk_pages import CARD_SHAPES, DONE
from meshrelay.web.display_pages import DONE as DISPLAY_DONE
from meshrelay.web.file_pages import SHAPES as FILE_SHAPES
from meshrelay.web.views import ACTS, REASONS, REPLACED, SOURCES
from meshrelay.web.words import ISLAND_KEYS, TABLE, age_words, island_words, word
from meshrelay.web.words_rooms import PHRASES

WEB = files("meshrelay.web")
TEMPLATES = sorted(p.name for p in (WEB / "templates").iterdir() if p.name.endswith(".html"))
SCRIPTS = sorted(p.name for p in (WEB / "static").iterdir() if p.name.endswith(".js"))
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
# Drawn from numbers, not sentences: weekday names and date signs in draw.js.
DATE_SIGNS = set("日月火水木金土")


@pytest.mark.parametrize("key", sorted(TABLE))
def test_a_word_exists_in_both_languages_with_the_same_values(key: str) -> None:
    ja, en = TABLE[key]

    assert ja.strip() and en.strip()
    assert names(ja) == names(en)


@pytest.mark.parametrize("key", sorted(set(TABLE) - {"other_lang", "pin"}))
def test_japanese_is_japanese_and_english_is_english(key: str) -> None:
    ja, en = TABLE[key]

    assert JAPANESE.search(ja)
    assert not JAPANESE.search(en)


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_delivery_words_are_the_designs() -> None:
    assert [TABLE[k][0] for k in ("unsent", "trouble", "node", "wards", "archive", "read")] == [
        "未送信（この端末）",
        "要確認",
        "区の機器",
        "他の区 {n}",
        "本部",
        "既読 {n}/{m}",
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_words_of_its_own(name: str) -> None:
    text = (WEB / "templates" / name).read_text(encoding="utf-8")

    assert not JAPANESE.search(text)
    for key in re.findall(r"""\bt\(["'](\w+)["']""", text):
        assert key in TABLE


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_no_words_of_its_own_and_gets_those_it_says(name: str) -> None:
    text = (WEB / "static" / name).read_text(encoding="utf-8")

    assert set(JAPANESE.findall(text)) <= DATE_SIGNS
    for key in re.findall(r"""\bsay\("(\w+)"|mark\("(\w+)\"""", text):
        assert (key[0] or key[1]) in ISLAND_KEYS


def test_every_word_is_used() -> None:
    sources = [p for d in ("templates", "static") for p in (WEB / d).iterdir() if p.is_file()]
    tables = {path.name for path in WEB.glob("words*.py")}
    sources += [p for p in WEB.iterdir() if p.name.endswith(".py") and p.name not in tables]
    text = "".join(p.read_text(encoding="utf-8") for p in sources)
    own = (WEB / "words.py").read_text(encoding="utf-8").split("ISLAND_KEYS = (")[1]
    computed = {
        "sync_here",
        "sync_synced",
        "sync_sending",
        "sync_cut",
        "sync_unknown",
        "sync_revoked",
    }
    computed |= {"state_read", "state_reached", "state_unreached"}
    computed |= {f"advice_{reason}" for reason in REASONS} | {f"source_{each}" for each in SOURCES}
    computed |= {f"card_{state}" for state in CARD_SHAPES} | {f"done_{each}" for each in DONE}
    computed |= {f"file_{state}" for state in FILE_SHAPES}
    computed |= {f"act_{each}" for each in ACTS} | set(PHRASES)
    computed |= {f"{what}_{each}" for what in ("replaced", "correct") for each in REPLACED}
    computed |= {f"room_rule_{each}" for each in ("all", "ward", "unit", "role", "pair", "list")}
    computed |= {f"kind_{kind}" for kind in ROLES} | {f"done_{each}" for each in DISPLAY_DONE}
    computed |= {each.replace("sync_", "wall_") for each in computed if each.startswith("sync_")}
    computed |= {"node_in_service", "node_suspended", "node_revoked"}
    unused = {k for k in TABLE if not re.search(rf"""["']{k}["']""", text)} - computed
    unused = {k for k in unused if not (k.startswith("age_") and k in own)}

    assert not unused


def test_island_words_are_filled_in_the_page() -> None:
    assert island_words("en")["wards"] == "Other wards {n}"


@pytest.mark.parametrize(
    ("age_ms", "ja", "en"),
    [
        (-5, "0秒", "0 s"),
        (59_999, "59秒", "59 s"),
        (47 * 60_000, "47分", "47 min"),
        (3 * 3_600_000, "3時間", "3 h"),
        (50 * 3_600_000, "2日", "2 d"),
    ],
)
def test_an_age_is_rounded_down_to_its_unit(age_ms: int, ja: str, en: str) -> None:
    assert (age_words(age_ms, "ja"), age_words(age_ms, "en")) == (ja, en)


def test_values_are_filled_in() -> None:
    assert word("read", "ja", n=3, m="?") == "既読 3/?"
