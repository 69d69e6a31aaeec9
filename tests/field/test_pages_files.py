"""Photos on the pages of a real node: sent without script, seen by members, harmless to readers."""

from __future__ import annotations

import asyncio
import base64
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
from playwright.async_api import FilePayload, Page, ViewportSize, async_playwright, expect

from meshrelay.web.server import create_app, serve
from meshrelay.web.uploads import FIELD_BYTES_MAX
from tests.field.test_blobs import JPEG
from tests.pages.browser import ARGS, CHROMIUM
from tests.photos import with_exif
from tests.town import SATO, TANAKA, Clerk, Town, build_town, running, until, uuid7
from tests.unit.desk.test_file import jpeg

KITA, CHUO = "01", "02"
HTML = {"Accept": "text/html"}
THUMBNAIL = base64.b64encode(jpeg(96, 128)).decode()
EIGHT_MB = 8 * 2**20
STRIPPED = b"\xff\xd8\xff\xe0\0\x02\xff\xda\0\x02pixels\xff\xd9"


@dataclass
class Browser:
    """Somebody's browser at one ward."""

    client: TestClient[Any, Any]
    csrf: str

    async def text(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path, headers=HTML)
        found = await answer.text()
        assert answer.status == status, found
        return found

    async def until(self, path: str, words: str) -> None:
        """Open a page again and again until it says so."""
        deadline = time.monotonic() + 20
        while words not in await self.text(path):
            assert time.monotonic() < deadline, f"{path} never said {words}"
            await asyncio.sleep(0.05)

    async def upload(
        self, content: bytes, media_type: str = "image/jpeg", query: str = ""
    ) -> tuple[int, Any]:
        headers = {"X-CSRF-Token": self.csrf, "Content-Type": media_type}
        answer = await self.client.post(f"/api/blobs{query}", data=content, headers=headers)
        return answer.status, await answer.json()

    async def post(self, kind: str, body: dict[str, object], room: str = "all") -> tuple[int, Any]:
        message = {"id": uuid7(), "room": room, "kind": kind, "body": body}
        headers = {"X-CSRF-Token": self.csrf}
        answer = await self.client.post("/api/messages", json=message, headers=headers)
        return answer.status, await answer.json()

    async def share(self, content: bytes = JPEG, room: str = "all", **more: object) -> str:
        status, kept = await self.upload(content)
        assert status == 201, kept
        body = {"blob": kept["blob"], "name": "橋.jpg", "type": "image/jpeg", "text": "橋の様子"}
        status, told = await self.post("file", body | more, room)
        assert status == 201, told
        return str(kept["blob"])

    async def send_form(self, path: str, csrf: str | None = None, **file: object) -> Any:
        """As a page without script: multipart, the file last."""
        form = FormData(quote_fields=False, default_to_multipart=True)
        form.add_field("csrf", self.csrf if csrf is None else csrf)
        form.add_field("id", uuid7())
        form.add_field("text", str(file.get("text", "川の様子")))
        if "keep_position" in file:
            form.add_field("keep_position", str(file["keep_position"]))
        if "content" in file:
            form.add_field(
                "file", file["content"], filename=str(file.get("name", "川.jpg")),
                content_type=str(file.get("media_type", "image/jpeg")),
            )  # fmt: skip
        return await self.client.post(path, data=form, headers=HTML, allow_redirects=False)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with running(build_town(tmp_path, {KITA: (), CHUO: (KITA,)})) as made:
        yield made


@pytest.fixture
async def browsers(town: Town) -> AsyncIterator[Any]:
    made: list[TestClient[Any, Any]] = []

    async def opened(ward: str, clerk: Clerk) -> Browser:
        app = create_app(town.nodes[ward], hosts=["127.0.0.1"])
        client = TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True))
        await client.start_server()
        made.append(client)
        login = {"staff": clerk.staff_id, "card": clerk.code, "pin": clerk.pin}
        answer = await client.post("/api/login", json=login)
        return Browser(client, (await answer.json())["csrf"])

    yield opened
    for client in made:
        await client.close()


async def test_a_photo_sent_over_the_api_is_listed_shown_and_given_back(browsers: Any) -> None:
    sato = await browsers(KITA, SATO)
    blob = await sato.share(thumbnail=THUMBNAIL)
    listed = await (await sato.client.get("/api/rooms/all/files")).json()
    page, room = await sato.text("/rooms/all/files"), await sato.text("/rooms/all")
    content = await sato.client.get(f"/api/blobs/{blob}")
    small = await sato.client.get(f"/api/blobs/{blob}/thumbnail")

    (file,) = listed["files"]
    assert (file["blob"], file["state"], file["size"], file["thumbnail"]) == (
        blob, "here", len(JPEG), True
    )  # fmt: skip
    for words in ("橋.jpg", "橋の様子", "300 kB", "佐藤", "この区の機器にあります"):
        assert words in page
    assert f'href="/api/blobs/{blob}"' in page and f"/api/blobs/{blob}/thumbnail" in room
    assert f'href="/rooms/all/files#f{blob[:16]}"' in room and "橋の様子" in room
    assert await content.read() == JPEG
    assert content.headers["Content-Type"] == "image/jpeg"
    assert content.headers["Content-Disposition"].startswith("inline; filename*=UTF-8''%E6")
    assert content.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in content.headers["Cache-Control"]
    assert await small.read() == base64.b64decode(THUMBNAIL)
    assert (await small.read()).startswith(b"\xff\xd8")


async def test_a_photo_is_sent_by_a_form_without_script(browsers: Any) -> None:
    sato = await browsers(KITA, SATO)
    answer = await sato.send_form("/rooms/all/files", content=JPEG)
    page = await sato.text("/rooms/all/files?done=sent")

    assert (answer.status, answer.headers["Location"]) == (303, "/rooms/all/files?done=sent#sent")
    assert '<p id="sent" class="done" role="status"><i' in page
    assert "川.jpg" in page and "川の様子" in page and "この区の機器にあります" in page
    assert "<img" not in page


async def contents(browser: Browser) -> list[bytes]:
    """Every file of the room, the oldest first."""
    listed = (await (await browser.client.get("/api/rooms/all/files")).json())["files"]
    found = [await browser.client.get(f"/api/blobs/{each['blob']}") for each in reversed(listed)]
    return [await answer.read() for answer in found]


async def test_where_a_photo_was_taken_is_removed_unless_somebody_asks_to_keep_it(
    browsers: Any,
) -> None:
    sato = await browsers(KITA, SATO)
    photo = with_exif(STRIPPED)
    for query in ("", "?keep_position=0", "?keep_position=1"):
        status, kept = await sato.upload(photo, query=query)
        body = {"blob": kept["blob"], "name": "橋.jpg", "type": "image/jpeg", "text": query}
        assert (status, (await sato.post("file", body))[0]) == (201, 201)
    await sato.send_form("/rooms/all/files", content=photo)
    await sato.send_form("/rooms/all/files", content=photo, keep_position="1")
    page = await sato.text("/rooms/all/files?lang=en")

    assert await contents(sato) == [STRIPPED, STRIPPED, photo, STRIPPED, photo]
    assert 'name="keep_position"' in page and "Send where it was taken" in page


async def test_a_damaged_picture_and_another_file_are_kept_as_they_came(browsers: Any) -> None:
    sato = await browsers(KITA, SATO)
    damaged, letter = b"\xff\xd8 damaged" + with_exif(STRIPPED), b"%PDF" + with_exif(STRIPPED)
    for content, media_type in ((damaged, "image/png"), (letter, "application/pdf")):
        status, kept = await sato.upload(content, media_type)
        body = {"blob": kept["blob"], "name": "a", "type": media_type, "text": ""}
        assert (status, (await sato.post("file", body))[0]) == (201, 201)

    assert await contents(sato) == [damaged, letter]


async def test_another_ward_sees_where_it_is_and_fetches_it_by_a_button(browsers: Any) -> None:
    sato, tanaka = await browsers(KITA, SATO), await browsers(CHUO, TANAKA)
    blob = await sato.share()
    await tanaka.until("/rooms/all/files", "北区にあります")
    page = await tanaka.text("/rooms/all/files?lang=en")
    assert "At: Kita" in page and f'href="/api/blobs/{blob}"' not in page
    form = {"csrf": tanaka.csrf, "blob": blob}
    pressed = await tanaka.client.post(
        "/rooms/all/files/fetch", data=form, headers=HTML, allow_redirects=False
    )
    assert pressed.headers["Location"] == f"/rooms/all/files#f{blob[:16]}"
    not_yet = await tanaka.client.get(f"/api/blobs/{blob}")
    assert not_yet.status == 202 and (await not_yet.json())["state"] == "coming"
    await tanaka.until("/rooms/all/files?lang=ja", "この区の機器と北区にあります")
    await sato.until("/rooms/all/files", "この区の機器と中央区にあります")
    answer = await tanaka.client.get(f"/api/blobs/{blob}")

    assert answer.status == 200 and await answer.read() == JPEG


async def test_who_is_no_member_gets_neither_list_nor_file_nor_picture(
    town: Town, browsers: Any
) -> None:
    sato, tanaka = await browsers(KITA, SATO), await browsers(KITA, TANAKA)
    blob = await sato.share(room="ward:01", thumbnail=THUMBNAIL)

    for path in ("/api/rooms/ward:01/files", f"/api/blobs/{blob}", f"/api/blobs/{blob}/thumbnail"):
        assert (await sato.client.get(path)).status == 200
        refused = await tanaka.client.get(path)
        assert (refused.status, (await refused.json())["code"]) == (403, "not_member")
    await tanaka.text("/rooms/ward%3A01/files", 403)
    answer = await tanaka.send_form("/rooms/ward%3A01/files", content=JPEG)
    assert answer.status == 303 and "メンバーではありません" in await tanaka.text(
        "/rooms/ward%3A01/files", 403
    )
    kept = [path for path in (town.directory / KITA / "blobs").rglob("*") if path.is_file()]
    assert len(kept) == 1


async def test_a_photo_under_way_without_a_line_says_when_it_comes(
    town: Town, browsers: Any
) -> None:
    sato, tanaka = await browsers(KITA, SATO), await browsers(CHUO, TANAKA)
    blob = await sato.share()
    await tanaka.until("/rooms/all/files", "北区にあります")
    await town.stop(KITA)
    await until(lambda: not town.nodes[CHUO].status().links)

    form = {"csrf": tanaka.csrf, "blob": blob}
    await tanaka.client.post("/rooms/all/files/fetch", data=form, headers=HTML)

    await tanaka.until("/rooms/all/files", "取り寄せ中 0% 回線が戻ると届きます")


@pytest.mark.parametrize(
    "path", ["/api/blobs/{blob}", "/api/blobs/{blob}/thumbnail", "/rooms/all/files"]
)
async def test_without_a_log_in_there_is_nothing(browsers: Any, path: str) -> None:
    sato = await browsers(KITA, SATO)
    blob = await sato.share(thumbnail=THUMBNAIL)
    sato.client.session.cookie_jar.clear()
    answer = await sato.client.get(path.format(blob=blob), allow_redirects=False)

    assert answer.status == 401


async def test_what_could_run_in_a_browser_is_saved_and_never_opened(browsers: Any) -> None:
    sato = await browsers(KITA, SATO)
    status, kept = await sato.upload(b"<script>alert(1)</script>", "text/plain")
    assert status == 201
    name = 'a"b\r\nX-Evil: 1/../\u202egpj.txt'
    body = {"blob": kept["blob"], "name": name, "type": "text/plain", "text": "<b>x</b>"}
    assert (await sato.post("file", body))[0] == 201
    answer = await sato.client.get(f"/api/blobs/{kept['blob']}")
    page = await sato.text("/rooms/all/files")

    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "X-Evil" not in answer.headers and "\u202e" not in page
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "<b>x</b>" not in page and "&lt;b&gt;x&lt;/b&gt;" in page


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/javascript", ""])
async def test_a_type_that_is_not_on_the_list_is_refused(browsers: Any, media_type: str) -> None:
    sato = await browsers(KITA, SATO)
    status, problem = await sato.upload(b"<svg/>", media_type or "application/octet-stream")

    assert (status, problem["code"]) == (415, "file_type")
    assert problem["next_ja"] and problem["next_en"]


async def test_eight_megabytes_are_taken_and_not_a_byte_more(town: Town, browsers: Any) -> None:
    sato = await browsers(KITA, SATO)
    full = await sato.upload(bytes(EIGHT_MB))
    over = await sato.upload(bytes(EIGHT_MB + 1))

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(64 * 1024)

    headers = {"X-CSRF-Token": sato.csrf, "Content-Type": "image/jpeg"}
    streamed = await sato.client.post("/api/blobs", data=endless(), headers=headers)
    form = await sato.send_form("/rooms/all/files", content=bytes(EIGHT_MB + 1))

    assert full[0] == 201
    assert over[0] == streamed.status == 413 and over[1]["code"] == "file_too_large"
    assert form.status == 303
    assert "大きすぎます" in await sato.text("/rooms/all/files", 413)
    assert not list((town.directory / KITA / "blobs").glob("*.upload"))


async def test_a_form_is_refused_before_its_file_is_read(town: Town, browsers: Any) -> None:
    sato = await browsers(KITA, SATO)
    path = "/rooms/all/files"
    bad_token = await sato.send_form(path, csrf="wrong", content=JPEG)
    no_file = await sato.send_form(path)
    long_field = await sato.send_form(path, text="x" * (FIELD_BYTES_MAX + 1), content=JPEG)
    other_origin = await sato.client.post(
        "/api/blobs", data=JPEG,
        headers={"X-CSRF-Token": sato.csrf, "Content-Type": "image/jpeg", "Origin": "http://x"},
    )  # fmt: skip
    no_token = await sato.client.post("/api/blobs", data=JPEG)
    broken = await sato.client.post(
        path, data=b"nonsense", headers={"Content-Type": "multipart/form-data; boundary=x", **HTML}
    )
    urlencoded = await sato.client.post(path, data={"csrf": sato.csrf}, headers=HTML)

    assert bad_token.status == no_token.status == other_origin.status == 403
    assert no_file.status == 303 and "種類" in await sato.text(path, 415)
    assert long_field.status == 413
    assert broken.status == 400 and urlencoded.status == 415
    assert not [each for each in (town.directory / KITA / "blobs").rglob("*") if each.is_file()]


async def test_the_list_pages_backwards_and_every_word_is_in_both_languages(browsers: Any) -> None:
    sato = await browsers(KITA, SATO)
    for number in range(3):
        await sato.share(JPEG + bytes([number]), name=f"{number}.jpg")
    newest = (await (await sato.client.get("/api/rooms/all/files?limit=2")).json())["files"]
    older = (
        await (await sato.client.get(f"/api/rooms/all/files?before={newest[-1]['sort']}")).json()
    )["files"]
    english = await sato.text("/rooms/all/files?lang=en")

    assert [each["name"] for each in newest + older] == ["2.jpg", "1.jpg", "0.jpg"]
    assert "Files and photos" in english and not re.search("資料|送る", english)


async def test_a_corrupt_file_ends_short_and_says_so_by_its_length(
    town: Town, browsers: Any
) -> None:
    sato = await browsers(KITA, SATO)
    blob = await sato.share()
    with (town.directory / KITA / "blobs" / blob[:2] / blob).open("r+b") as file:
        file.seek(100_000)
        file.write(b"rot")
    answer = await sato.client.get(f"/api/blobs/{blob}")

    with pytest.raises(Exception, match=r"payload|closed|Response"):
        await answer.read()
    page = await sato.text("/rooms/all/files")
    assert "この区の機器にあります" not in page


PNG_OF_A_BRIDGE = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = 1600; canvas.height = 1200;
  const pen = canvas.getContext("2d");
  for (let n = 0; n < 4000; n += 1) {
    pen.fillStyle = `hsl(${n * 7}, 80%, 50%)`;
    pen.fillRect((n * 37) % 1600, (n * 91) % 1200, 60, 40);
  }
  return canvas.toDataURL("image/png").split(",")[1];
}"""
LARGEST_SIDEWAYS = "() => document.documentElement.scrollWidth - innerWidth"
SMALL_TARGETS = """() => Array.from(
    document.querySelectorAll("button, input:not([type=hidden]), textarea, a"))
  .filter((e) => e.offsetParent && !e.matches(".skip"))
  .filter((e) => e.getBoundingClientRect().height < 48 || e.getBoundingClientRect().width < 48)
  .map((e) => e.outerHTML.slice(0, 80))"""


async def test_a_phone_sends_a_photo_with_its_small_picture_and_another_ward_watches_it_come(
    town: Town, tmp_path: Path
) -> None:
    servers = {
        ward: serve(create_app(town.nodes[ward], hosts=["127.0.0.1"]), "127.0.0.1", 0)
        for ward in (KITA, CHUO)
    }
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        for server in servers.values():
            await stack.enter_async_context(server)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        stack.push_async_callback(browser.close)

        async def opened(ward: str, clerk: Clerk) -> Page:
            page = await browser.new_page(viewport=ViewportSize(width=360, height=740))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            url = f"http://127.0.0.1:{servers[ward].port}"
            card = f"s={clerk.staff_id}&c={clerk.code}"
            await page.goto(f"{url}/login?next=/rooms/all/files#{card}")
            await page.fill("#pin", clerk.pin)
            await page.click("#login button")
            await page.wait_for_url(f"{url}/rooms/all/files")
            return page

        wrong: list[str] = []
        sato, tanaka = await opened(KITA, SATO), await opened(CHUO, TANAKA)
        photo = tmp_path / "橋の写真.png"
        photo.write_bytes(base64.b64decode(await sato.evaluate(PNG_OF_A_BRIDGE)))
        await sato.fill("#text", "淀川の橋です")
        await sato.set_input_files("#file", photo)
        await sato.click("#send button.main")
        await expect(sato.locator(".files .file-here")).to_have_text(
            re.compile("この区の機器にあります")
        )
        assert await sato.input_value("#text") == ""
        await expect(sato.locator("#sent")).to_contain_text("送りました")
        picture = tanaka.locator(".files img")
        await expect(picture).to_have_js_property("naturalWidth", 144)
        await expect(tanaka.locator(".files .file-held")).to_have_text(re.compile("北区にあります"))
        for page in (sato, tanaka):
            assert await page.evaluate(LARGEST_SIDEWAYS) == 0
            assert await page.evaluate(SMALL_TARGETS) == []
        await tanaka.click(".files button")
        await expect(tanaka.locator(".files .file-here")).to_be_visible(timeout=20_000)
        async with tanaka.expect_download() as coming:
            await tanaka.locator(".file-name a").evaluate("a => { a.download = 'x'; a.click(); }")
        saved = await (await coming.value).path()

        small = saved.read_bytes()
        assert small.startswith(b"\x89PNG")  # few colours: smaller than as a JPEG
        assert len(small) <= min(250_000, len(photo.read_bytes()))
        assert wrong == []


async def test_a_refusal_is_told_beside_the_form_and_what_was_written_stays(town: Town) -> None:
    server = serve(create_app(town.nodes[KITA], hosts=["127.0.0.1"]), "127.0.0.1", 0)
    async with server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = await browser.new_page(viewport=ViewportSize(width=360, height=740))
        card = f"s={SATO.staff_id}&c={SATO.code}"
        await page.goto(f"http://127.0.0.1:{server.port}/login?next=/rooms/all/files#{card}")
        await page.fill("#pin", SATO.pin)
        await page.click("#login button")
        await page.fill("#text", "動画です")
        video = FilePayload(name="a.mp4", mimeType="video/mp4", buffer=bytes(1_000))
        await page.set_input_files("#file", video)
        await page.click("#send button.main")

        await expect(page.locator("#problem")).to_contain_text("この種類のファイルは送れません")
        await expect(page.locator("#sent")).to_be_hidden()
        assert await page.input_value("#text") == "動画です"
        assert await page.locator(".files li").count() == 0
        await browser.close()
