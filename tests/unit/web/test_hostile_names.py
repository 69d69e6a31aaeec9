"""Names with script, bidi overrides and control characters are harmless on every screen."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from msgspec import structs

from meshrelay.monitor.pages import routes
from meshrelay.node.office import NetworkInfo, NodeInfo, Person, Ward
from meshrelay.web.plain import plain
from meshrelay.web.server import create_app
from tests.office_fake import FakeOffice
from tests.unit.web.conftest import HTML, Browser, message_id

# A name that turns the line, hides, ends elements and attributes, and runs script if it can.
EVIL = (
    "佐藤\u202e\u2066<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    "\x00\x1b[2J\u200b\ue000&"
)
LONG = "長" * 5000
YAMADA = Person("1009", EVIL, EVIL, "01", EVIL, ("registrar", "hq", "staff"))
VICTIM = Person("1001", EVIL, LONG, "01", EVIL, ("staff",))
NOTE_ID, MESSAGE_ID = message_id(8), message_id(7)
PAGES = (
    "/", "/rooms", "/rooms/all", "/rooms/all/note", f"/rooms/all/who/1001/{MESSAGE_ID}",
    f"/rooms/all/who/{'01' * 32}/{NOTE_ID}", "/settings", "/cards", "/cards?q=%E4%BD%90", "/nodes",
    "/login", "/login?next=%2Frooms", "/nowhere%E2%80%AE%3Cscript%3E", "/monitor", "/monitor/en",
)  # fmt: skip
ANSWERS = (
    "/api/me", "/api/rooms", "/api/rooms/all/messages", "/api/sync?after=a.0", "/api/status",
    f"/api/messages/1001/{MESSAGE_ID}/who", "/api/cards", "/api/nodes",
)  # fmt: skip


@pytest.fixture
def office() -> FakeOffice:
    made = FakeOffice(
        network=NetworkInfo("5a" * 16, EVIL, True),
        me=NodeInfo("01" * 32, EVIL, "01", False),
        wards={code: Ward(code, EVIL, EVIL) for code in ("00", "01", "02")},
    )
    made.staff = ()
    made.hire(YAMADA)
    made.hire(VICTIM)
    return made


@pytest.fixture
async def evil(office: FakeOffice) -> AsyncIterator[Browser]:
    """A registrar of a city where everything has a hostile name; one message, one note."""
    app = create_app(office, hosts=["127.0.0.1"], extra=routes(office))
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        browser = Browser(client)
        await browser.log_in("1001")
        await browser.send(EVIL, 7)
        await browser.log_in("1009")
        note = {"id": NOTE_ID, "room": "all", "text": EVIL, "source": "phone", "source_name": EVIL}
        assert (await browser.post("/api/notes", note)).status == 201
        office.asked["01" * 32] = [EVIL]
        yield browser


def assert_harmless(text: str, *, lines: str = "") -> None:
    for char in text:
        hostile = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        assert not hostile or char in lines, f"U+{ord(char):04X}"


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_shows_a_hostile_name_as_plain_words(
    evil: Browser, path: str, lang: str
) -> None:
    await evil.get(f"/login?lang={lang}", headers=HTML)

    text = await (await evil.get(path, headers=HTML)).text()

    drawn, _, rest = text.partition('<script type="application/json"')
    _, _, after = rest.partition("</script>")
    assert "<img" not in drawn + after and "<script>" not in drawn + after
    assert "alert(1)</script>" not in text
    assert_harmless(drawn + after, lines="\n\t")
    assert LONG not in text
    if path not in ("/login", "/login?next=%2Frooms") and "nowhere" not in path:
        assert "佐藤" in text  # the name is there, only harmless


@pytest.mark.parametrize("path", ["/lock", "/cards/temporary"])
async def test_the_pages_of_one_moment_are_harmless_too(evil: Browser, path: str) -> None:
    if path == "/lock":
        await evil.post("/api/lock", None)
    else:
        await evil.client.post(
            path, data={"csrf": evil.csrf, "name": EVIL, "kana": EVIL, "unit": EVIL}, headers=HTML,
            allow_redirects=False,
        )  # fmt: skip

    text = await (await evil.get(path, headers=HTML)).text()

    drawn = text.partition('<script type="application/json"')[0]
    assert "佐藤" in drawn and "<img src=x" not in drawn and "<script>" not in drawn
    assert_harmless(drawn, lines="\n\t")


def names(value: Any, field: str = "") -> Iterator[str]:
    """Every text of an answer but what people wrote and the ids that go back to the node."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            if key not in ("body", "id", "room"):
                yield from names(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from names(each, field)


@pytest.mark.parametrize("path", ANSWERS)
async def test_an_answer_of_the_api_holds_no_hostile_name(evil: Browser, path: str) -> None:
    answer = await evil.get(path)

    found = list(names(json.loads(await answer.text())))
    assert answer.status == 200
    assert any("佐藤" in each for each in found)
    for each in found:
        assert_harmless(each)
        assert len(each) <= 300


async def test_what_a_page_hands_to_its_script_is_harmless_too(evil: Browser) -> None:
    text = await (await evil.get("/rooms/all", headers=HTML)).text()

    block = text.partition('<script type="application/json" id="data">')[2].partition("</script>")[
        0
    ]
    for each in names(json.loads(block)):
        assert_harmless(each, lines="\n")


def test_what_is_harmless_is_not_copied() -> None:
    office = FakeOffice()
    status = office.status()
    assert plain(status) is status

    spoilt = structs.replace(status, node=structs.replace(status.node, name="北\u202e区"))
    cleaned = plain(spoilt)
    assert cleaned.node.name == "北区" and cleaned.words is spoilt.words


def test_causes_and_versions_from_other_nodes_are_names_too() -> None:
    words = FakeOffice().status().words
    spoilt = structs.replace(words[0], version="0.1\x1b[2J", refused={"bad\u202e": 3})

    assert (plain(spoilt).version, plain(spoilt).refused) == ("0.1[2J", {"bad": 3})
