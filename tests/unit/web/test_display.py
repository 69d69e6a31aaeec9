"""Wall screens over HTTP: a code pairs one, nothing on it is anybody's name."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from meshrelay.web import rights
from meshrelay.web.display_pages import BEGUN_BURST
from meshrelay.web.server import create_app
from tests.office_fake import MAYOR, STAFF, YAMADA, FakeOffice
from tests.pages.browser import say
from tests.unit.web.conftest import HTML, Browser

COOKIE = "mr-wall-5a5a5a5a"


class Wall:
    """The browser on the wall: cookies of its own, nobody logged in."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self.client = client

    async def look(self, status: int = 200) -> str:
        answer = await self.client.get("/display", headers=HTML)
        text = await answer.text()
        assert answer.status == status, text
        return text

    async def code(self) -> str:
        found = re.search(r'class="code">(\d{3}) (\d{3})<', await self.look())
        assert found is not None
        return found[1] + found[2]


@pytest.fixture
async def wall(browser: Browser) -> Any:
    server = browser.client.server
    client = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    yield Wall(client)
    await client.session.close()


async def press(browser: Browser, path: str, **fields: str) -> tuple[int, str, str]:
    answer = await browser.client.post(
        path, data={"csrf": browser.csrf, **fields}, headers=HTML, allow_redirects=False
    )
    return answer.status, answer.headers.get("Location", ""), await answer.text()


async def pair(registrar: Browser, wall: Wall, name: str = "1階ロビー") -> None:
    done = await press(registrar, "/displays", code=await wall.code(), name=name)
    assert done[:2] == (303, "/displays?done=paired")


async def test_a_screen_shows_a_code_until_a_registrar_types_it(
    registrar: Browser, wall: Wall
) -> None:
    before = await wall.look()
    same = await wall.code() == await wall.code()
    await pair(registrar, wall)
    after = await wall.look()
    listed = await (await registrar.get("/displays?done=paired", headers=HTML)).text()

    assert "この番号を登録してください" in before and same
    assert "平常" in after and "緊急の知らせはありません" in after and 'class="code"' not in after
    assert "1階ロビー" in listed and "画面を登録しました" in listed and "最後の表示" in listed


async def test_its_cookie_is_its_own_and_no_script_reads_it(wall: Wall) -> None:
    header = (await wall.client.get("/display")).headers["Set-Cookie"]

    assert header.startswith(f"{COOKIE}=")
    assert "HttpOnly" in header and "SameSite=Strict" in header and "Max-Age=34560000" in header


async def test_a_token_that_this_node_did_not_give_is_replaced(wall: Wall) -> None:
    answer = await wall.client.get("/display", headers={"Cookie": f"{COOKIE}=planted"})

    assert f"{COOKIE}=" in answer.headers["Set-Cookie"]
    assert "planted" not in answer.headers["Set-Cookie"]


async def test_five_wrong_codes_and_the_screen_shows_another(
    registrar: Browser, wall: Wall
) -> None:
    code = await wall.code()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(5):
        status, _, text = await press(registrar, "/displays", code=wrong, name="<ロビー>")
        assert status == 404 and "その番号を表示している画面はありません" in text
        assert 'value="&lt;ロビー&gt;"' in text
    too_late = await press(registrar, "/displays", code=code, name="ロビー")

    assert too_late[0] == 404
    assert await wall.code() != code
    await pair(registrar, wall)


async def test_it_shows_mode_and_newest_order_and_the_name_of_nobody(
    registrar: Browser, wall: Wall, office: FakeOffice
) -> None:
    await pair(registrar, wall)
    say(office, MAYOR, "災害対策本部体制", 1, kind="mode")
    say(office, MAYOR, "<b>参集</b>" + "長" * 200, 2, kind="instruction", expiry="unsure")
    public = await wall.look()
    say(office, MAYOR, "佐藤さんは北区へ", 3, kind="instruction", room="ward:01")
    smaller = await wall.look()

    assert "災害対策本部体制" in public and "&lt;b&gt;参集&lt;/b&gt;長" in public
    assert "長" * 40 + "…" in public and "期限を確認できません" in public
    assert "災害対策本部体制" in smaller and "新しい指示があります" in smaller
    assert "佐藤" not in smaller and "北区へ" not in smaller
    for person in (*STAFF, YAMADA):
        assert person.name not in public + smaller


async def test_a_removed_screen_shows_a_code_again(registrar: Browser, wall: Wall) -> None:
    await pair(registrar, wall)
    stream = await wall.client.get("/api/display/events")
    (display,) = (await (await registrar.get("/api/displays")).json())["displays"]
    done = await press(registrar, "/displays/remove", display=display["id"])

    assert (stream.status, done[:2]) == (200, (303, "/displays?done=removed"))
    assert (await stream.content.read()).startswith(b":hb")  # and then it ends
    assert 'class="code"' in await wall.look()
    assert (await wall.client.get("/api/display/events")).status == 401


async def test_the_api_pairs_lists_and_removes(registrar: Browser, wall: Wall) -> None:
    wrong = await registrar.post("/api/displays", {"code": "x", "name": "ロビー"})
    made = await registrar.post("/api/displays", {"code": await wall.code(), "name": "ロビー"})
    told = await made.json()
    removed = await registrar.post("/api/displays/remove", {"display": told["id"]})
    again = await registrar.post("/api/displays/remove", {"display": told["id"]})

    assert (wrong.status, (await wrong.json())["code"]) == (404, "wrong_code")
    assert (made.status, told["name"], removed.status) == (201, "ロビー", 204)
    assert (again.status, (await again.json())["code"]) == (404, "no_display")
    assert (await (await registrar.get("/api/displays")).json()) == {"displays": []}


async def test_who_is_neither_registrar_nor_hq_is_refused(sato: Browser, wall: Wall) -> None:
    code = await wall.code()
    answers = [
        await sato.get("/api/displays"),
        await sato.post("/api/displays", {"code": code, "name": "ロビー"}),
        await sato.post("/api/displays/remove", {"display": "x"}),
    ]

    assert [answer.status for answer in answers] == [403] * 3
    assert (await sato.get("/displays", headers=HTML)).status == 403
    assert (await press(sato, "/displays", code=code, name="ロビー"))[0] == 403
    assert (await press(sato, "/displays/remove", display="x"))[0] == 403
    assert "/displays" not in await (await sato.get("/settings", headers=HTML)).text()
    assert await wall.code() == code


async def test_over_plain_http_nobody_pairs_a_screen(
    registrar: Browser, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await wall.code()
    monkeypatch.setattr(rights, "is_wired", lambda _request: False)
    answer = await registrar.post("/api/displays", {"code": code, "name": "ロビー"})

    assert (answer.status, (await answer.json())["code"]) == (403, "need_https")
    assert (await press(registrar, "/displays", code=code, name="ロビー"))[0] == 403
    assert (await registrar.get("/displays", headers=HTML)).status == 403
    assert await wall.code() == code


async def test_a_form_without_its_token_pairs_nothing(registrar: Browser, wall: Wall) -> None:
    code = await wall.code()
    answer = await registrar.client.post(
        "/displays", data={"csrf": "x", "code": code, "name": "ロビー"}, headers=HTML
    )

    assert answer.status == 403 and await wall.code() == code


async def test_who_begins_screens_without_end_must_wait() -> None:
    app = create_app(FakeOffice(), hosts=["127.0.0.1"])
    async with TestClient(TestServer(app)) as client:
        statuses = []
        for _ in range(BEGUN_BURST + 1):
            client.session.cookie_jar.clear()
            statuses.append((await client.get("/display")).status)

    assert statuses == [200] * BEGUN_BURST + [429]
