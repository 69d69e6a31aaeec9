"""Photos from the room of a real node, at plain http: small, once, and without where they were."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import (
    Browser,
    BrowserContext,
    FilePayload,
    Locator,
    Page,
    Playwright,
    Route,
    expect,
)

from meshrelay.node import blobs as node_blobs
from meshrelay.node.office import Message, Seat
from meshrelay.web.guard import Handler
from meshrelay.web.server import Server, create_app, serve
from meshrelay.web.strip import orientation
from tests.pages.browser import ARGS, CHROMIUM, PHONE, PLAIN_HOST, UNSENT, Open
from tests.pages.test_taps import Person
from tests.photos import PLACE, XMP, with_exif
from tests.town import SATO, Town, build_town

pytestmark = pytest.mark.asyncio(loop_scope="module")

KITA = "01"
PHOTO_BYTES_MAX = 250_000
CAMERA_BUTTON = ".write a[href$='/files']"
# Left half red, right half blue, noise over both: a camera's file, held upright or turned.
CAMERA = """([width, height]) => {
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#c00"; pen.fillRect(0, 0, width / 2, height);
  pen.fillStyle = "#00c"; pen.fillRect(width / 2, 0, width / 2, height);
  for (let n = 0; n < 20000; n += 1) {
    pen.fillStyle = `hsla(${n * 7}, 80%, 50%, .3)`;
    pen.fillRect((n * 37) % width, (n * 91) % height, 9, 7);
  }
  return canvas.toDataURL("image/jpeg", .95).split(",")[1];
}"""
# Width, height and the mean colours of the upper and the lower half as they are shown.
SEEN = """async (url) => {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 1; canvas.height = 2;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, 1, 2);
  const data = pen.getImageData(0, 0, 1, 2).data;
  const name = (at) => (data[at] > data[at + 2] ? "red" : "blue");
  return [picture.naturalWidth, picture.naturalHeight, name(0), name(4)];
}"""


@dataclass
class Kita:
    """A ward's node with its page, which can be stopped and started again on the same port."""

    town: Town
    seat: Seat | None = None
    server: Server | None = None
    port: int = 0
    losing: str = ""  # the path whose answers never arrive
    lost: int = 0

    async def start(self) -> None:
        node = await self.town.start(KITA)
        app = create_app(node, hosts=[PLAIN_HOST, "127.0.0.1"])
        app.middlewares.append(self._lose)
        self.server = serve(app, "127.0.0.1", self.port)
        await self.server.start()
        self.port = self.server.port
        self.seat = await self.town.log_in(KITA, SATO)

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()
            self.server = None
            await self.town.stop(KITA)

    @web.middleware
    async def _lose(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)  # the node stores it …
        if request.path == self.losing and request.transport is not None:
            self.lost += 1
            request.transport.close()  # … and its 201 never arrives
        return answer

    @property
    def url(self) -> str:
        return f"http://{PLAIN_HOST}:{self.port}"

    def said(self, text: str) -> list[Message]:
        """The messages with this text, as the node holds them."""
        assert self.seat is not None
        return [m for m in self.town.room(KITA, self.seat) if m.body["text"] == text]

    def photo(self, text: str) -> tuple[dict[str, Any], bytes]:
        """The one file of the one message with this text, and its content."""
        (message,) = self.said(text)
        named: dict[str, Any] = message.body["file"]
        blob = named["blob"]
        path = self.town.directory / KITA / "blobs" / blob[:2] / blob
        return named, path.read_bytes()[: named["size"]]

    def kept(self) -> int:
        """Files that the node keeps."""
        return sum(path.is_file() for path in (self.town.directory / KITA / "blobs").rglob("*"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kita(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kita]:
    started = Kita(build_town(tmp_path_factory.mktemp("town"), {KITA: ()}))
    await started.start()
    yield started
    await started.stop()
    started.town.witnesses.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def camera(chromium: Browser) -> bytes:
    """What a phone's camera gives: 6 megapixels, held upright, with where it was."""
    page = await chromium.new_page()
    drawn = base64.b64decode(await page.evaluate(CAMERA, [3000, 2000]))
    await page.close()
    return with_exif(drawn, turn=6)


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(chromium: Browser, kita: Kita) -> AsyncIterator[Open]:
    """Opens pages in fresh contexts and fails the test on any script error."""
    if kita.server is None:
        await kita.start()
    stack, errors = AsyncExitStack(), list[str]()

    async def opened(**options: Any) -> Page:
        context = await chromium.new_context(**{"viewport": PHONE, "has_touch": True, **options})
        stack.push_async_callback(context.close)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    async with stack:
        yield opened
    assert errors == []


async def log_in(page: Page, kita: Kita, to: str = "/rooms/all", device: str = "own") -> None:
    await page.goto(f"{kita.url}/login?next={to}#s={SATO.staff_id}&c={SATO.code}")
    await page.check(f"input[value={device}]")
    await page.fill("#pin", SATO.pin)
    await page.click("#login button")
    await page.wait_for_url(f"{kita.url}{to}")


def jpeg(content: bytes, name: str = "IMG_0001.JPG", media_type: str = "image/jpeg") -> FilePayload:
    return FilePayload(name=name, mimeType=media_type, buffer=content)


async def another(page: Page, width: int) -> FilePayload:
    """A photo that no other test sends: the node keeps the same content once."""
    return jpeg(base64.b64decode(await page.evaluate(CAMERA, [width, 400])))


async def choose(page: Page, file: FilePayload) -> None:
    """As the phone's picker does it; choosing there is not the page's."""
    async with page.expect_file_chooser() as chooser:
        await page.click(CAMERA_BUTTON)
    await (await chooser.value).set_files([file])


async def send(page: Page, text: str = "") -> None:
    if text:
        await page.fill("#text", text)
    await page.click("#write button.main")


def own(page: Page, text: str) -> Locator:
    return page.locator(".msg.mine", has_text=text)


async def until(page: Page, script: str) -> None:
    """The content security policy forbids Playwright's own way to wait for a script."""
    deadline = time.monotonic() + 20
    while not await page.evaluate(script):
        assert time.monotonic() < deadline, script


async def arrived(page: Page, text: str) -> None:
    await expect(own(page, text).locator(".mark-node")).to_be_visible(timeout=20_000)


async def test_a_photo_is_three_presses_of_enter_from_home(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita, "/")
    person = Person(page, touch=False)
    await person.press(page.locator(".rooms a", has_text="全庁"))
    await page.wait_for_url("**/rooms/all")
    async with page.expect_file_chooser() as chooser:
        await person.press(page.locator(CAMERA_BUTTON))
    await (await chooser.value).set_files([jpeg(camera)])
    await person.type(page.locator("#text"), "鍵盤で送る")
    await person.press(page.locator("#write button.main"))
    await arrived(page, "鍵盤で送る")

    assert person.taps == 3
    assert kita.photo("鍵盤で送る")[0]["type"] == "image/jpeg"


async def test_a_photo_is_three_taps_from_home_small_upright_and_says_nothing_of_the_place(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita, "/")
    taps = 0

    async def tap(selector: str) -> None:
        nonlocal taps
        taps += 1
        await page.locator(selector).tap()

    await tap(".rooms a:has-text('全庁')")
    async with page.expect_file_chooser() as chooser:
        await tap(CAMERA_BUTTON)
    await (await chooser.value).set_files([jpeg(camera)])
    await page.fill("#text", "橋が落ちた")
    await tap("#write button.main")
    shown = await page.locator(".msg.mine .file img").first.is_visible()
    await arrived(page, "橋が落ちた")
    named, content = kita.photo("橋が落ちた")
    url = "data:image/jpeg;base64," + base64.b64encode(content).decode()

    assert await page.evaluate("isSecureContext") is False
    assert taps == 3 and shown
    assert PLACE in camera and XMP in camera and len(camera) > 4 * PHOTO_BYTES_MAX
    assert (named["name"], named["type"]) == ("IMG_0001.jpg", "image/jpeg")
    assert len(content) <= PHOTO_BYTES_MAX
    assert await page.evaluate(SEEN, url) == [1067, 1600, "red", "blue"]
    assert b"Exif" not in content and PLACE not in content and XMP not in content
    assert named["thumbnail"] is True
    await expect(own(page, "橋が落ちた").locator("img")).to_have_js_property("naturalHeight", 144)


async def test_where_it_was_taken_goes_along_only_if_somebody_says_so(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await choose(page, jpeg(camera))
    await page.check(".tray input")
    await send(page, "ここで撮った")
    await arrived(page, "ここで撮った")
    _, content = kita.photo("ここで撮った")
    url = "data:image/jpeg;base64," + base64.b64encode(content).decode()
    await choose(page, jpeg(camera[:2] + camera[camera.index(b"\xff\xe0") :]))
    await page.wait_for_selector(".tray img")
    asked = await page.locator(".tray input").count()

    at = content.index(b"Exif\0\0")
    assert PLACE in content and XMP not in content
    assert orientation(content[at + 6 :]) == 1  # it was drawn upright: nobody may turn it again
    assert len(content) <= PHOTO_BYTES_MAX
    assert await page.evaluate(SEEN, url) == [1067, 1600, "red", "blue"]
    assert asked == 0


async def test_a_chosen_photo_can_be_taken_away_again_and_the_text_stays(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await page.fill("#text", "写真なしで")
    await choose(page, jpeg(camera))
    await page.click(".tray button")
    await expect(page.locator(".tray")).to_have_count(0)
    await send(page)
    await arrived(page, "写真なしで")

    assert [m.kind for m in kita.said("写真なしで")] == ["talk"]


async def test_sent_while_it_is_still_prepared_text_and_photo_go_as_one(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await page.fill("#text", "急いでいる")
    await page.evaluate("""() => {
      const decode = Image.prototype.decode;
      Image.prototype.decode = function () {
        return new Promise((go) => { window.goOn = go; }).then(() => decode.call(this));
      };
    }""")
    await choose(page, jpeg(camera))
    await send(page)
    early = await own(page, "急いでいる").count()
    await until(page, "Boolean(window.goOn)")
    await page.evaluate("window.goOn()")
    await arrived(page, "急いでいる")

    assert early == 0
    assert [m.kind for m in kita.said("急いでいる")] == ["file"]


async def test_an_unsent_photo_is_drawn_at_once_and_outlives_page_browser_and_node(
    kita: Kita, playwright: Playwright, open_page: Open, camera: bytes, tmp_path: Path
) -> None:
    async def browser() -> BrowserContext:
        return await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=ARGS, viewport=PHONE
        )  # type: ignore[arg-type]

    context = await browser()
    page = context.pages[0]
    await log_in(page, kita)
    await until(page, "performance.getEntriesByType('resource').some((e) => /attach/.test(e.name))")
    await kita.stop()
    await choose(page, jpeg(camera))
    await page.wait_for_selector(".tray img")
    at_once = await page.evaluate("""() => {
      document.getElementById("text").value = "つながらない";
      document.querySelector("#write button.main").click();
      return Boolean(document.querySelector("[data-unsent] .file img"));
    }""")
    await page.wait_for_selector("text=区の機器につながりません")
    unsent = await page.locator(UNSENT).inner_text()
    mirrored = await page.evaluate("JSON.stringify(localStorage)")
    await context.close()
    await kita.start()
    context = await browser()
    page = context.pages[0]
    await log_in(page, kita)
    await arrived(page, "つながらない")
    await expect(page.locator(UNSENT)).to_have_count(0)
    left = await page.evaluate("Object.keys(localStorage).filter((k) => /mr-out/.test(k))")
    await context.close()

    assert at_once
    assert "未送信（この端末）" in unsent and "IMG_0001.jpg" in unsent
    assert "つながらない" not in mirrored and "IMG_0001" not in mirrored
    assert left == []
    assert len(kita.photo("つながらない")[1]) <= PHOTO_BYTES_MAX


async def test_chosen_before_anything_could_make_it_small_it_is_made_small_when_it_goes(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await page.route("**/attach.js*", lambda route: route.abort())
    await log_in(page, kita)
    await choose(page, jpeg(camera))
    await expect(page.locator("#text")).to_have_attribute("placeholder", "IMG_0001.JPG")
    await send(page, "最初から不通")
    await expect(page.locator(UNSENT)).to_contain_text("IMG_0001.JPG")
    await page.unroute("**/attach.js*")
    await arrived(page, "最初から不通")
    named, content = kita.photo("最初から不通")

    assert named["thumbnail"] is True
    assert len(content) <= PHOTO_BYTES_MAX and PLACE not in content


async def test_a_node_that_dies_between_the_photo_and_its_message_gets_both_once(
    kita: Kita, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, kita)
    before = kita.kept()
    died = asyncio.Event()
    dying = False

    async def die(route: Route) -> None:
        nonlocal dying
        if not dying:
            dying = True
            await kita.stop()
            died.set()
        await route.abort()

    await page.route("**/api/messages", die)
    await choose(page, await another(page, 601))
    await send(page, "途中で止まった")
    await died.wait()
    kept = kita.kept()
    await page.wait_for_selector("text=区の機器につながりません")
    await page.unroute_all(behavior="wait")
    await kita.start()  # its sessions died with it
    await page.wait_for_selector("text=PINを入れると送信します")
    await log_in(page, kita)
    await arrived(page, "途中で止まった")

    assert (kept, kita.kept()) == (before + 1, before + 1)
    assert len(kita.said("途中で止まった")) == 1


async def test_a_photo_that_the_node_tidied_away_meanwhile_goes_up_again(
    kita: Kita, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page()
    await log_in(page, kita)
    before = kita.kept()
    await page.route("**/api/messages", lambda route: route.abort())
    await choose(page, await another(page, 620))
    await send(page, "後始末の後")
    await page.wait_for_selector("text=区の機器につながりません")
    kept, blobs = kita.kept(), kita.town.nodes[KITA]._blobs
    monkeypatch.setattr(node_blobs, "UNPOSTED_S", 0.0)
    blobs._tidied_s -= node_blobs.TIDY_S
    blobs.tidy()
    tidied = kita.kept()
    await page.unroute("**/api/messages")
    await arrived(page, "後始末の後")

    assert (kept, tidied, kita.kept()) == (before + 1, before, before + 1)


@pytest.mark.parametrize("step", ["blobs", "messages"])
async def test_an_answer_that_was_lost_doubles_neither_photo_nor_message(
    kita: Kita, open_page: Open, step: str
) -> None:
    page = await open_page()
    await log_in(page, kita)
    before, kita.lost, kita.losing = kita.kept(), 0, f"/api/{step}"
    await choose(page, await another(page, 602 + len(step)))
    await send(page, f"返事なし {step}")
    await page.wait_for_selector("text=区の機器につながりません")
    kita.losing = ""
    await arrived(page, f"返事なし {step}")

    assert kita.lost >= 1
    assert len(kita.said(f"返事なし {step}")) == 1
    assert kita.kept() == before + 1


async def test_a_text_does_not_wait_for_a_photo_that_cannot_go(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await page.route("**/api/blobs", lambda route: route.abort())
    await choose(page, jpeg(camera))
    await send(page, "写真は後で")
    await page.wait_for_selector(UNSENT)
    await send(page, "文は先に")
    await arrived(page, "文は先に")

    assert await page.locator(UNSENT).count() == 1


async def test_how_far_it_went_up_is_seen_in_its_bubble(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await choose(page, jpeg(camera))
    await page.wait_for_selector(".tray img")
    line = await page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 80_000}
    await line.send("Network.emulateNetworkConditions", slow)
    await send(page, "ゆっくり")
    await until(
        page,
        """() => {
      const bar = document.querySelector("[data-unsent] progress");
      return bar && bar.value > 0 && bar.value < 1;
    }""",
    )
    await line.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    await arrived(page, "ゆっくり")

    assert await page.locator("progress").count() == 0


async def test_what_is_too_large_is_told_with_the_next_step_and_the_text_stays(
    kita: Kita, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await page.fill("#text", "書いた文")
    await choose(page, jpeg(bytes(8 * 2**20 + 1), "a.heic", "image/heic"))
    await expect(page.locator(".tray")).to_contain_text("8 MBを超えるファイルは送れません")
    told = await page.locator(".tray").inner_text()
    await send(page)
    await arrived(page, "書いた文")

    assert "小さくして選び直してください" in told
    assert [m.kind for m in kita.said("書いた文")] == ["talk"]


async def test_a_picture_that_the_browser_cannot_draw_goes_as_it_is(
    kita: Kita, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await choose(page, jpeg(b"ftypheic" * 99, "川.heic", "image/heic"))
    await send(page, "描けない形式")
    await arrived(page, "描けない形式")
    named, content = kita.photo("描けない形式")

    assert (named["name"], named["type"], named["thumbnail"]) == ("川.heic", "image/heic", False)
    assert content == b"ftypheic" * 99


async def test_a_refused_photo_keeps_text_and_photo_and_can_be_written_anew(
    kita: Kita, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, kita)
    await choose(page, jpeg(b"film", "a.mp4", "video/mp4"))
    await send(page, "動画です")
    await page.wait_for_selector(".refused")
    told = await page.locator(".refused").inner_text()
    await page.click("text=書き直す")
    await expect(page.locator(".tray")).to_contain_text("a.mp4")

    assert "この種類のファイルは送れません" in told and "要確認" in told
    assert await page.input_value("#text") == "動画です"


async def test_a_device_that_cannot_keep_it_says_so_and_sends_all_the_same(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await page.add_init_script("indexedDB.open = () => { throw new Error('none here'); };")
    await log_in(page, kita)
    await page.route("**/api/blobs", lambda route: route.abort())
    await choose(page, jpeg(camera))
    await send(page, "保存できない")
    await expect(page.locator("#banner")).to_contain_text("この端末に保存できません")
    await page.unroute("**/api/blobs")
    await arrived(page, "保存できない")

    assert len(kita.said("保存できない")) == 1


async def test_on_a_shared_pc_a_photo_outlives_a_reload_and_not_the_log_out(
    kita: Kita, playwright: Playwright, tmp_path: Path
) -> None:
    mark = b"MARKED-PHOTO-ZQXJ-7919"
    context = await playwright.chromium.launch_persistent_context(
        tmp_path / "profile", executable_path=CHROMIUM, args=ARGS
    )
    page = context.pages[0]
    await log_in(page, kita, device="shared")
    await page.route("**/api/blobs", lambda route: route.abort())
    await choose(page, jpeg(mark * 3000, "川.heic", "image/heic"))
    await send(page, "共用の端末")
    await page.wait_for_selector(UNSENT)
    await page.reload()
    await page.wait_for_selector(UNSENT)
    while_open = holding(tmp_path, mark)
    await page.goto(kita.url)
    await page.click("#logout button")
    await page.click("text=消してログアウト")
    await page.wait_for_selector("text=この端末に残っていません")
    await context.close()

    assert while_open
    assert holding(tmp_path, mark) == []


def holding(profile: Path, mark: bytes) -> list[str]:
    """Files of the profile in which the mark stands."""
    return [
        str(path.relative_to(profile))
        for path in profile.rglob("*")
        if path.is_file() and mark in path.read_bytes()
    ]


async def test_on_a_shared_pc_a_photo_goes_after_a_reload(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita, device="shared")
    await page.route("**/api/blobs", lambda route: route.abort())
    await choose(page, jpeg(camera))
    await send(page, "共用から")
    await page.wait_for_selector("text=区の機器につながりません")
    await page.unroute("**/api/blobs")
    await page.reload()
    await arrived(page, "共用から")

    assert len(kita.photo("共用から")[1]) <= PHOTO_BYTES_MAX


async def test_without_script_the_camera_leads_to_the_form_of_the_room(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{kita.url}/login?next=/rooms/all")
    await page.fill("#staff", SATO.staff_id)
    await page.fill("#card", SATO.code)
    await page.fill("#pin", SATO.pin)
    await page.click("#login button")
    await page.wait_for_url(f"{kita.url}/rooms/all")
    await page.click(CAMERA_BUTTON)
    await page.fill("#text", "スクリプトなし")
    await page.set_input_files("#file", [jpeg(camera)])
    await page.click("#send button.main")
    await page.wait_for_selector("text=スクリプトなし")
    _, content = kita.photo("スクリプトなし")

    assert PLACE not in content and XMP not in content
    assert orientation(content[content.index(b"Exif\0\0") + 6 :]) == 6
    assert content.endswith(camera[-1000:])
