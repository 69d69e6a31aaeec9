"""Each language is complete, and no word on a page comes from anywhere else."""

from __future__ import annotations

import ast
import re
import string
from importlib.resources import files

import pytest

from meshrelay.desk.correction import ACTS as CORRECTIONS
from meshrelay.desk.order import ROLES
from meshrelay.web import words_easy, words_easy_problems
from meshrelay.web.comfort import COLOURS, SIZES
from meshrelay.web.desk_pages import CARD_SHAPES, DONE
from meshrelay.web.display_pages import DONE as DISPLAY_DONE
from meshrelay.web.file_pages import SHAPES as FILE_SHAPES
from meshrelay.web.views import ACTS, REASONS, REPLACED, SOURCES
from meshrelay.web.words import ISLAND_KEYS, ROOM_KEYS, TABLE, age_words, island_words, word
from meshrelay.web.words_rooms import PHRASES
from meshrelay.web.words_rooms import REASONS as REASON_WORDS

WEB = files("meshrelay.web")
TEMPLATES = sorted(p.name for p in (WEB / "templates").iterdir() if p.name.endswith(".html"))
SCRIPTS = sorted(p.name for p in (WEB / "static").iterdir() if p.name.endswith(".js"))
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
# Drawn from numbers, not sentences: weekday names and date signs in draw.js.
DATE_SIGNS = set("日月火水木金土")
# Loaded by a room, too, and saying the same there as elsewhere.
OF_A_ROOM = {"attach.js", "draw.js", "lock.js", "room.js"}

# The kanji of the first two school years, and those that no page of a ward office can do without.
EVERYDAY = set(
    "一右雨円王音下火花貝学気九休玉金空月犬見五口校左三山子四糸字耳七車手十出女小上森人水正生青夕石赤千川先早"
    "草足村大男竹中虫町天田土二日入年白八百文木本名目立力林六"
    "引羽雲園遠何科夏家歌画回会海絵外角楽活間丸岩顔汽記帰弓牛魚京強教近兄形計元言原戸古午後語工公広交光考行高"
    "黄合谷国黒今才細作算止市矢姉思紙寺自時室社弱首秋週春書少場色食心新親図数西声星晴切雪船線前組走多太体台地"
    "池知茶昼長鳥朝直通弟店点電刀冬当東答頭同道読内南肉馬売買麦半番父風分聞米歩母方北毎妹万明鳴毛門夜野友用曜"
    "来里理話"
    "区部送号使開消員職役所面持訓練"
)
EASY_CHARS_MAX = 60
EASY_SCREENS = (
    "base.html", "board_parts.html", "boards.html", "correct.html", "document.html",
    "documents.html", "event.html", "event_form.html", "events.html", "files.html", "home.html",
    "lock.html", "login.html", "note.html", "notice.html", "notice_form.html", "parts.html",
    "people.html", "problem.html", "room.html", "room_about.html", "rooms.html", "search.html",
    "settings.html", "told.html", "told_parts.html", "urgent.html", "who.html",
)  # fmt: skip
# Said to who runs a machine or posts by a program, never on a page of the staff.
OF_OPERATORS = {
    "backup_busy", "copy_damaged", "foreign_copy", "newer_here", "no_copy", "no_stick", "node_runs",
    "not_json", "revoked_copy", "stick_failed", "stick_full", "unreadable",
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(TABLE))
def test_a_word_exists_in_both_languages_with_the_same_values(key: str) -> None:
    ja, en = TABLE[key]

    assert ja.strip() and en.strip()
    assert names(ja) == names(en)
    assert names(words_easy.TABLE.get(key, ja)) == names(ja)


@pytest.mark.parametrize("key", sorted(set(TABLE) - {"pin"}))
def test_japanese_is_japanese_and_english_is_english(key: str) -> None:
    ja, en = TABLE[key]

    assert JAPANESE.search(ja)
    assert not JAPANESE.search(en)


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_easy_words_are_words_of_the_table() -> None:
    assert set(words_easy.TABLE) <= set(TABLE)


@pytest.mark.parametrize(
    "text",
    [
        *words_easy.TABLE.values(),
        *(each for p in words_easy_problems.PROBLEMS.values() for each in p),
    ],
)
def test_easy_japanese_needs_no_kanji_beyond_the_everyday_ones(text: str) -> None:
    assert set(re.findall(r"[\u3400-\u9fff]", text)) <= EVERYDAY
    assert all(len(sentence) <= EASY_CHARS_MAX for sentence in text.split("。"))


@pytest.mark.parametrize("name", EASY_SCREENS)
def test_a_screen_that_everybody_meets_has_easy_words_throughout(name: str) -> None:
    text = (WEB / "templates" / name).read_text(encoding="utf-8")

    assert set(re.findall(r"""\bt\(["'](\w+)["']""", text)) <= set(words_easy.TABLE)


def test_what_scripts_and_the_sync_line_say_has_easy_words() -> None:
    sync = {key for key in TABLE if key.startswith(("sync_", "age_", "state_", "advice_"))}

    assert set(ISLAND_KEYS) | sync <= set(words_easy.TABLE)


def test_every_refusal_that_a_person_meets_has_an_easy_sentence() -> None:
    codes = refused_codes()

    assert set(words_easy_problems.PROBLEMS) | OF_OPERATORS >= codes
    assert set(words_easy_problems.PROBLEMS) <= codes
    assert not set(words_easy_problems.PROBLEMS) & OF_OPERATORS


def refused_codes() -> set[str]:
    """The code of each refusal in the source that a page may show: a call or a row of a table."""
    codes = set()
    for path in (*files("meshrelay.node").iterdir(), *WEB.iterdir()):
        if not path.name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            row = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
            if len(row) < 5 or not isinstance(row[0], ast.Constant):
                continue
            if call == "RefusedError" or JAPANESE.search(ast.unparse(row[1])):
                codes.add(str(row[0].value))
    return codes


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

    given = ROOM_KEYS if name in OF_A_ROOM else ISLAND_KEYS
    assert set(JAPANESE.findall(text)) <= DATE_SIGNS
    for key in re.findall(r"""\bsay\("(\w+)"[,)]|mark\("(\w+)\"""", text):
        assert (key[0] or key[1]) in given
    ends = {"act_": ACTS, "kind_": ROLES, "replaced_": REPLACED, "source_": SOURCES}
    for start in re.findall(r"""\bsay\("(\w+)" \+""", text):
        assert {start + end for end in ends[start]} <= set(given)


def test_every_word_is_used() -> None:
    sources = [p for d in ("templates", "static") for p in (WEB / d).iterdir() if p.is_file()]
    tables = {path.name for path in WEB.glob("words*.py")}
    sources += [p for p in WEB.iterdir() if p.name.endswith(".py") and p.name not in tables]
    text = "".join(p.read_text(encoding="utf-8") for p in sources)
    own = (WEB / "words.py").read_text(encoding="utf-8").split("ROOM_KEYS = (")[1]
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
    computed |= {f"act_{each}" for each in ACTS} | set(PHRASES) | set(REASON_WORDS)
    computed |= {f"correct_{each}" for each in CORRECTIONS}
    computed |= {f"replaced_{each}" for each in REPLACED}
    computed |= {f"room_rule_{each}" for each in ("all", "ward", "unit", "role", "pair", "list")}
    computed |= {f"kind_{kind}" for kind in ROLES} | {f"done_{each}" for each in DISPLAY_DONE}
    computed |= {each.replace("sync_", "wall_") for each in computed if each.startswith("sync_")}
    computed |= {f"size_{each}" for each in SIZES} | {f"colours_{each}" for each in COLOURS}
    computed |= {"text_size", "colours"}
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
