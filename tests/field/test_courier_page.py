"""The courier page of a real node: a file goes out of one ward's page and into another's."""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import CookieJar, FormData
from aiohttp.test_utils import TestClient, TestServer

from meshrelay.node import courier_desk, couriers
from meshrelay.web.server import create_app
from tests.town import SATO, TANAKA, Clerk, Town, build_town, running, until

HTML = {"Accept": "text/html"}


@dataclass
class Browser:
    """Somebody logged in at a ward's page, with scripts off unless the API is asked."""

    client: TestClient[Any, Any]
    csrf: str = ""

    async def log_in(self, clerk: Clerk) -> None:
        card = {"staff": clerk.staff_id, "card": clerk.code, "pin": clerk.pin}
        self.csrf = (await (await self.client.post("/api/login", json=card)).json())["csrf"]

    async def shown(self, path: str, lang: str = "ja") -> str:
        answer = await self.client.get(path, headers=HTML, params={"lang": lang})
        assert answer.status == 200
        return await answer.text()

    async def fetched(self, to: str) -> bytes:
        answer = await self.client.post("/courier/file", data={"csrf": self.csrf, "to": to})
        assert answer.status == 200, await answer.text()
        name = answer.headers["Content-Disposition"]
        assert re.search(r'"meshrelay-[0-9a-f]{8}-[0-9a-f]{8}-\d{8}T\d{9}\.courier"', name)
        return await answer.read()

    async def brought(self, data: bytes, token: str | None = None) -> tuple[int, str, str]:
        """Send the form; (status, where it leads, what it says)."""
        form = FormData()
        form.add_field("csrf", self.csrf if token is None else token)
        form.add_field("file", data, filename="x.courier")
        answer = await self.client.post(
            "/courier/read", data=form, headers=HTML, allow_redirects=False
        )
        return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def read(self, path: str) -> dict[str, Any]:
        """The end of a reading, by the API."""
        found: dict[str, Any] = {}

        async def ask() -> None:
            found.update(await (await self.client.get(f"/api{path}")).json())

        while found.get("state") not in ("done", "refused"):
            await ask()
        return found


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with running(build_town(tmp_path, {"01": (), "02": ()})) as made:
        yield made


@pytest.fixture
async def pages(town: Town) -> AsyncIterator[tuple[Browser, Browser]]:
    """佐藤 at 北区, 田中 at 中央区."""
    async with AsyncExitStack() as stack:
        found = []
        for ward, clerk in (("01", SATO), ("02", TANAKA)):
            app = create_app(town.nodes[ward], hosts=["127.0.0.1"])
            client = TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True))
            found.append(Browser(await stack.enter_async_context(client)))
            await found[-1].log_in(clerk)
        yield found[0], found[1]


async def test_a_file_goes_from_one_page_to_the_other_without_any_script(
    town: Town, pages: tuple[Browser, Browser]
) -> None:
    kita, chuo = pages
    await town.say("01", await town.log_in("01", SATO), "避難所を開けました")
    page = await kita.shown("/courier")

    data = await kita.fetched("02")
    status, where, _ = await chuo.brought(data)
    found = await chuo.read(where)
    shown = await chuo.shown(where)
    again = await chuo.read((await chuo.brought(data))[1])

    assert '<option value="02">中央区</option>' in page and 'value="01"' not in page
    assert (status, found["state"], found["entries_new"], found["whole"]) == (303, "done", 1, True)
    assert "読み込みました" in shown and "北区 01の機器" in shown and "0秒前" in shown
    assert 'href="/rooms">ルームへ' in shown
    assert (again["entries_new"], again["entries_known"]) == (0, 1)
    tanaka = await town.log_in("02", TANAKA)
    await until(lambda: [m.body["text"] for m in town.room("02", tanaka)] == ["避難所を開けました"])


async def test_a_file_of_something_else_is_refused_in_both_languages_with_a_next_step(
    pages: tuple[Browser, Browser],
) -> None:
    kita, _ = pages

    status, _, text = await kita.brought(b"%PDF-1.7 " * 5000)
    empty = await kita.brought(b"")
    answer = await kita.client.post(
        "/api/courier/readings",
        data=b"x",
        headers={"X-CSRF-Token": kita.csrf, "Content-Type": "application/octet-stream"},
    )
    told = await answer.json()

    assert status == 400 and "伝令データではありません。" in text and "選んでください" in text
    assert empty[0] == 400
    assert (answer.status, told["code"]) == (400, "not_a_courier_file")
    assert told["ja"] and told["en"] and told["next_ja"] and told["next_en"]


async def test_a_form_without_the_token_of_this_log_in_takes_nothing_in(
    town: Town, pages: tuple[Browser, Browser]
) -> None:
    kita, chuo = pages
    data = await kita.fetched("")

    status, _, text = await chuo.brought(data, token="0" * 43)

    assert status == 403 and "古いか" in text
    assert not list(couriers.incoming_of(town.directory / "02").iterdir())


@pytest.mark.parametrize("body", [b"", b"--x\r\n", b"--x\r\n\r\n", b"--y--", b"\0" * 100])
async def test_a_form_that_is_none_is_refused(pages: tuple[Browser, Browser], body: bytes) -> None:
    kita, _ = pages

    answer = await kita.client.post(
        "/courier/read", data=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )

    assert answer.status in (400, 403)


async def test_nobody_who_is_not_logged_in_gets_or_brings_a_file(
    pages: tuple[Browser, Browser],
) -> None:
    kita, _ = pages
    data = await kita.fetched("")
    kita.client.session.cookie_jar.clear()

    page = await kita.client.get("/courier", headers=HTML, allow_redirects=False)
    taken = await kita.client.post("/api/courier/files", json={})
    status, _, _ = await kita.brought(data)

    assert page.headers["Location"] == "/login?next=%2Fcourier"
    assert (taken.status, status) == (401, 401)


async def test_a_file_that_is_too_large_is_refused_before_it_is_all_here(
    town: Town, pages: tuple[Browser, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    kita, chuo = pages
    data = await kita.fetched("")
    monkeypatch.setattr(couriers, "FILE_BYTES_MAX", len(data) + 1000)

    status, _, text = await chuo.brought(data + bytes(500_000))

    assert status == 413 and f"{courier_desk.FILE_BYTES_MAX // 1024 // 1024} MiBまで" in text
    assert not list(couriers.incoming_of(town.directory / "02").iterdir())


async def test_a_full_disk_takes_no_file_and_makes_none(
    pages: tuple[Browser, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    kita, chuo = pages
    data = await kita.fetched("")
    monkeypatch.setattr(couriers, "SPARE_BYTES", 1 << 60)

    made = await kita.client.post("/courier/file", data={"csrf": kita.csrf, "to": ""})
    status, _, text = await chuo.brought(data + bytes(500_000))

    assert made.status == 503 and "空き容量が足りません" in await made.text()
    assert status == 503 and "空き容量が足りません" in text


async def test_a_page_takes_file_after_file_and_leaves_nothing_behind(
    town: Town, pages: tuple[Browser, Browser]
) -> None:
    kita, chuo = pages
    data = await kita.fetched("")

    for _ in range(couriers.WAITING_MAX + 1):
        status, where, _ = await chuo.brought(data)
        assert status == 303 and (await chuo.read(where))["whole"]

    incoming = couriers.incoming_of(town.directory / "02")
    await until(lambda: not list(incoming.iterdir()))


async def test_files_that_wait_too_many_are_told_so(
    town: Town, pages: tuple[Browser, Browser]
) -> None:
    kita, chuo = pages
    data = await kita.fetched("")
    for number in range(couriers.WAITING_MAX):
        (couriers.incoming_of(town.directory / "02") / f"{number:032}.part").write_bytes(b"")

    status, _, text = await chuo.brought(data)

    assert status == 409 and "ほかの伝令データ" in text


async def test_what_a_killed_command_left_is_swept_after_an_hour(
    town: Town, pages: tuple[Browser, Browser]
) -> None:
    incoming = couriers.incoming_of(town.directory / "02")
    fresh, old, answer = (
        incoming / f"{n:032}.{e}" for n, e in ((1, "part"), (2, "part"), (3, "json"))
    )
    for path in (fresh, old, answer):
        path.write_bytes(b"{}")
    hours_ago = time.time() - couriers.LEFT_S - 60
    for path in (old, answer):
        os.utime(path, (hours_ago, hours_ago))

    await until(lambda: list(incoming.iterdir()) == [fresh])


async def test_a_ward_that_is_none_is_refused(pages: tuple[Browser, Browser]) -> None:
    kita, _ = pages

    answer = await kita.client.post("/courier/file", data={"csrf": kita.csrf, "to": "99"})

    assert answer.status == 404 and "「99」という区も機器もありません" in await answer.text()


async def test_a_reading_that_nobody_knows_is_not_there(pages: tuple[Browser, Browser]) -> None:
    kita, _ = pages

    answer = await kita.client.get("/api/courier/readings/none")

    assert (answer.status, (await answer.json())["code"]) == (404, "no_reading")
