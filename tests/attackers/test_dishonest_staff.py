"""Dishonest staff: a card and a PIN of their own, and the staff page of a ward."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar

from meshrelay.core.entry import AuthorPart, Draft, sign_author_part
from meshrelay.desk import talk
from meshrelay.errors import RefusedError
from meshrelay.node.seats import OpenSeat
from meshrelay.web.limits import Limits
from meshrelay.web.server import create_app, serve
from tests.town import SATO, TANAKA, Clerk, Town, build_town, running, until, uuid7

LIFETIME_S = talk.KIND.lifetime_s


class Page:
    """田中's browser, with tools of his own beside it."""

    def __init__(self, client: ClientSession, town: Town) -> None:
        self.client = client
        self.town = town
        self.csrf = ""

    async def log_in(self, clerk: Clerk, staff_id: str = "") -> int:
        """The status; the token of the page is kept."""
        body = {"staff": staff_id or clerk.staff_id, "card": clerk.code, "pin": clerk.pin}
        async with self.client.post("/api/login", json=body) as answer:
            self.csrf = (await answer.json()).get("csrf", "")
            return answer.status

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, JSON) of any request with the cookie and the token."""
        headers = {"X-CSRF-Token": self.csrf}
        async with self.client.request(method, path, json=body, headers=headers) as answer:
            return answer.status, await answer.json() if answer.content_length else None

    async def send(self, text: str, **more: Any) -> tuple[int, Any]:
        body = {"id": uuid7(), "room": "all", "body": {"text": text}} | more
        return await self.ask("POST", "/api/messages", body)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """北区's page; 佐藤 has said something there already."""
    town = build_town(tmp_path, {"01": ()}, clerks=(SATO, TANAKA))
    async with running(town):
        seat = await town.log_in("01", SATO)
        await town.say("01", seat, "佐藤の報告")
        await until(lambda: town.room("01", seat))
        async with serve(create_app(town.nodes["01"], hosts=["127.0.0.1"]), "127.0.0.1", 0) as web:
            base, jar = f"http://127.0.0.1:{web.port}", CookieJar(unsafe=True)
            async with ClientSession(base, cookie_jar=jar) as client:
                made = Page(client, town)
                assert await made.log_in(TANAKA) == 200
                yield made


async def shown(page: Page) -> dict[str, str]:
    """Text -> who says so, in 全庁."""
    _, answer = await page.ask("GET", "/api/rooms/all/messages")
    return {message["body"]["text"]: message["author_name"] for message in answer["messages"]}


# can


async def test_dishonest_staff_can_lie_under_their_own_name(page: Page) -> None:
    status, _ = await page.send("死者はいません")

    assert status == 201
    assert (await shown(page))["死者はいません"] == TANAKA.name


# cannot


async def test_dishonest_staff_cannot_log_in_as_somebody_else_with_their_own_card(
    page: Page,
) -> None:
    assert await page.log_in(TANAKA, SATO.staff_id) == 401


async def test_dishonest_staff_cannot_impersonate_by_what_they_send(page: Page) -> None:
    for field in ("author", "author_name", "staff", "person"):
        status, _ = await page.send("佐藤です", **{field: SATO.staff_id})
        assert status == 400
    await page.send("佐藤です")

    assert await shown(page) == {"佐藤の報告": SATO.name, "佐藤です": TANAKA.name}


async def test_dishonest_staff_cannot_impersonate_with_a_session_key_of_their_own(
    page: Page,
) -> None:
    """Even with the node's help: 田中's key under 佐藤's session is nobody's word."""
    town = page.town
    node, network = town.nodes["01"], town.nodes["01"].machine.book.network
    sato, tanaka = await town.log_in("01", SATO), await town.log_in("01", TANAKA)
    assert isinstance(sato, OpenSeat) and isinstance(tanaka, OpenSeat)
    body = talk.encode_body("佐藤です")
    part = AuthorPart(bytes(16), sato.session.id, node.now_ms(), 4, 2, "all", "", body)
    author = sign_author_part(tanaka.signer, network, node.machine.me, 1, LIFETIME_S, "talk", part)
    await node._driver.submit([Draft(1, "talk", LIFETIME_S, author, b"")], [])
    await page.send("以上")

    assert await shown(page) == {"佐藤の報告": SATO.name, "以上": TANAKA.name}


async def test_dishonest_staff_cannot_delete_what_was_said(page: Page) -> None:
    _, answer = await page.ask("GET", "/api/rooms/all/messages")
    (message,) = answer["messages"]
    for method in ("DELETE", "PUT", "PATCH"):
        for path in (
            "/api/messages",
            f"/api/messages/{message['author']}/{message['message_id']}/who",
            "/api/rooms/all/messages",
        ):
            status, _ = await page.ask(method, path, {})
            assert status == 405

    assert await shown(page) == {"佐藤の報告": SATO.name}


async def test_dishonest_staff_cannot_delete_by_saying_something_else_under_one_id(
    page: Page,
) -> None:
    _, answer = await page.ask("GET", "/api/rooms/all/messages")
    hers = answer["messages"][0]["message_id"]
    assert (await page.send("何もなかった", id=hers))[0] == 201, "an id is only one's own"
    mine = uuid7()
    await page.send("約束します", id=mine)
    status, problem = await page.send("約束していません", id=mine)

    assert (status, problem["code"]) == (409, "id_taken")
    assert await shown(page) == {
        "佐藤の報告": SATO.name,
        "何もなかった": TANAKA.name,
        "約束します": TANAKA.name,
    }


async def test_dishonest_staff_cannot_give_an_order(page: Page) -> None:
    status, problem = await page.send("全員退庁", kind="evacuation")

    assert (status, problem["code"]) == (403, "role")
    assert await shown(page) == {"佐藤の報告": SATO.name}


async def test_dishonest_staff_cannot_use_a_registrars_desk(page: Page) -> None:
    seat = await page.town.log_in("01", TANAKA)
    desk = page.town.nodes["01"].cards
    for call in (
        desk.reset_pin(seat, SATO.staff_id),
        desk.suspend(seat, page.town.nodes["01"].me.id),
        desk.issue_temporary(seat, "誰か", "だれか", ""),
    ):
        with pytest.raises(RefusedError) as refused:
            await call
        assert refused.value.code == "no_right"


async def test_dishonest_staff_cannot_exceed_their_rate(page: Page) -> None:
    few = Limits(posts_burst=3, posts_per_s=0.01, spare_console=False)
    app = create_app(page.town.nodes["01"], hosts=["127.0.0.1"], limits=few)
    async with serve(app, "127.0.0.1", 0) as web:
        base, jar = f"http://127.0.0.1:{web.port}", CookieJar(unsafe=True)
        async with ClientSession(base, cookie_jar=jar) as client:
            fast = Page(client, page.town)
            await fast.log_in(TANAKA)
            answers = [await fast.send(f"第{number}報") for number in range(6)]

    assert [status for status, _ in answers] == [201] * 3 + [429] * 3
    assert answers[-1][1]["code"] == "too_many"
    assert len(await shown(page)) == 1 + 3
