"""The files page of a real node: voice memos, pictures and words to look at, nothing that runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Locator, Page, Playwright, Response, expect

from tests.pages.browser import ARGS, CHROMIUM, PHONE, Open
from tests.pages.test_photo import (
    Kita,
    another,
    camera,
    kita,
    log_in,
    open_page,
    until,
)
from tests.photos import PLACE
from tests.town import SATO

__all__ = ["camera", "kita", "open_page"]  # fixtures

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/rooms/all/files"
MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
MEMO_BYTES_MAX = 200_000
SCRIPT = "<script>document.title = 'ran'</script>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def speaker(playwright: Playwright) -> AsyncIterator[Browser]:
    """A browser with a microphone that hums."""
    args = [*ARGS, *MICROPHONE]
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=args)
    yield browser
    await browser.close()


async def log_in_near(page: Page, kita: Kita) -> None:
    """At the node's own screen: a secure context, as over https."""
    url = f"http://127.0.0.1:{kita.port}"
    await page.goto(f"{url}/login?next={FILES}#s={SATO.staff_id}&c={SATO.code}")
    await page.fill("#pin", SATO.pin)
    await page.click("#login button")
    await page.wait_for_url(f"{url}{FILES}")


async def share(page: Page, file: FilePayload, text: str) -> None:
    await page.fill("#text", text)
    await page.set_input_files("#file", [file])
    await page.click("#send button.main")
    await expect(line(page, text)).to_be_visible()


def line(page: Page, text: str) -> Locator:
    return page.locator(".files li", has_text=text)


async def opened(page: Page, selector: str) -> Response:
    async with page.expect_response(re.compile("/api/blobs/")) as coming:
        await page.click(selector)
    return await coming.value


async def test_a_voice_memo_is_recorded_heard_and_sent_in_a_secure_context(
    kita: Kita, speaker: Browser
) -> None:
    page = await speaker.new_page(viewport=PHONE)
    await log_in_near(page, kita)
    await page.fill("#text", "声の連絡")
    await page.click("#record")
    await expect(page.locator("#record")).to_contain_text("録音を終える 0:01")
    await page.click("#record")
    await page.wait_for_selector("#memo audio")
    await until(page, "document.querySelector('#memo audio').play().then(() => true)")
    await page.click("#send button.main")
    await expect(line(page, "声の連絡").locator("audio")).to_be_visible()
    named, content = kita.photo("声の連絡")
    heard = "document.querySelector('.files audio').play().then(() => true)"

    assert await page.evaluate("isSecureContext") is True
    assert named["type"] == "audio/webm" and re.fullmatch(r"voice-\d{4}\.weba", named["name"])
    assert content.startswith(b"\x1aE\xdf\xa3") and len(content) <= MEMO_BYTES_MAX
    assert await page.evaluate(heard)
    await expect(page.locator("#record")).to_contain_text("声を録音する")
    await page.close()


async def test_a_memo_ends_by_itself_after_a_minute(kita: Kita, speaker: Browser) -> None:
    page = await speaker.new_page(viewport=PHONE)
    await page.clock.install()
    await log_in_near(page, kita)
    await page.click("#record")
    await expect(page.locator("#record")).to_contain_text("録音を終える 0:00")
    await page.clock.run_for(61_000)

    await page.wait_for_selector("#memo audio")
    await page.close()


async def test_without_a_microphone_the_page_says_what_to_do(kita: Kita, chromium: Browser) -> None:
    page = await chromium.new_page(viewport=PHONE)
    await log_in_near(page, kita)
    await page.click("#record")

    await expect(page.locator("#problem")).to_contain_text("マイクを使えません")
    await expect(page.locator("#problem")).to_contain_text("録音したファイルを選んで")
    await page.close()


async def test_on_plain_http_the_phones_own_recorder_opens(kita: Kita, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, kita, FILES)
    async with page.expect_file_chooser() as chooser:
        await page.click("#record")
    asked = (await chooser.value).element
    memo = FilePayload(name="録音.m4a", mimeType="audio/x-m4a", buffer=b"ftypM4A sound")
    await (await chooser.value).set_files([memo])
    await page.wait_for_selector("#memo audio")
    await page.fill("#text", "電話の録音")
    await page.click("#send button.main")
    await expect(line(page, "電話の録音").locator("audio")).to_be_visible()
    named, content = kita.photo("電話の録音")

    assert await page.evaluate("isSecureContext") is False
    assert await asked.get_attribute("accept") == "audio/*"
    assert await asked.get_attribute("capture") is not None
    assert (named["name"], named["type"], content) == ("録音.m4a", "audio/mp4", b"ftypM4A sound")


async def test_sound_is_given_in_parts_as_iphones_ask_for_it(kita: Kita, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, kita, FILES)
    sound = bytes(n % 251 for n in range(40_000))
    await share(page, FilePayload(name="a.mp3", mimeType="audio/mpeg", buffer=sound), "長い録音")
    url = await line(page, "長い録音").locator("audio").get_attribute("src")

    async def asked(what: str) -> tuple[int, str, bytes]:
        script = """async ([url, range]) => {
          const answer = await fetch(url, { headers: { Range: range } });
          const bytes = Array.from(new Uint8Array(await answer.arrayBuffer()));
          return [answer.status, answer.headers.get("Content-Range") || "", bytes];
        }"""
        status, said, found = await page.evaluate(script, [url, what])
        return status, said, bytes(found)

    assert await asked("bytes=0-1") == (206, "bytes 0-1/40000", sound[:2])
    assert await asked("bytes=16380-33000") == (206, "bytes 16380-33000/40000", sound[16380:33001])
    assert await asked("bytes=-10") == (206, "bytes 39990-39999/40000", sound[-10:])
    assert await asked("bytes=39999-") == (206, "bytes 39999-39999/40000", sound[-1:])
    for nonsense in ("bytes=0-", "bytes=50000-", "bytes=9-3", "lines=1-2", "bytes=0-1,5-6"):
        assert await asked(nonsense) == (200, "", sound)


async def test_a_tap_on_the_small_picture_opens_the_picture_where_nothing_can_run(
    kita: Kita, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, kita, FILES)
    await share(page, await another(page, 640), "見る写真")
    answer = await opened(page, ".files li:has-text('見る写真') a:has(img)")

    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("inline;")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    await page.wait_for_function("() => document.images.length && document.images[0].complete")
    assert await page.evaluate("document.images[0].naturalWidth") == 640


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
async def test_the_words_of_a_text_are_read_as_words_whatever_they_say(
    kita: Kita, open_page: Open, encoding: str
) -> None:
    page = await open_page()
    await log_in(page, kita, FILES)
    words = f"避難所,人数\r\n北小学校,30\r\n{SCRIPT}\r\n"
    file = FilePayload(name="表.csv", mimeType="text/csv", buffer=words.encode(encoding))
    await share(page, file, f"表 {encoding}")
    answer = await opened(page, f".files li:has-text('表 {encoding}') .file-words")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "inline"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (await answer.body()).decode() == words.replace("\r\n", "\n")
    assert SCRIPT in await page.locator("body").inner_text()
    assert await page.title() != "ran"


async def test_only_short_texts_are_offered_to_be_read(kita: Kita, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, kita, FILES)
    long = FilePayload(name="長い.txt", mimeType="text/plain", buffer=b"a" * (64 * 1024 + 1))
    await share(page, long, "長い文書")
    letter = FilePayload(name="手紙.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7")
    await share(page, letter, "手紙")
    found = {}
    for text in ("長い文書", "手紙"):
        url = await line(page, text).locator(".file-name a").get_attribute("href")
        script = "async (url) => { const a = await fetch(url); return [a.status, await a.json()]; }"
        found[text] = await page.evaluate(script, f"{url}/text")

    assert await line(page, "長い文書").locator(".file-words").count() == 0
    assert await line(page, "手紙").locator(".file-words").count() == 0
    for status, problem in found.values():
        assert (status, problem["code"]) == (404, "no_words")
        assert problem["next_ja"] and problem["next_en"]


async def test_the_files_page_asks_about_the_place_only_if_the_photo_has_one(
    kita: Kita, open_page: Open, camera: bytes
) -> None:
    page = await open_page()
    await log_in(page, kita, FILES)
    hidden = await page.locator("#position input").count()
    photo = FilePayload(name="川.jpg", mimeType="image/jpeg", buffer=camera)
    await page.set_input_files("#file", [photo])
    await page.check("#position input")
    await page.fill("#text", "川の場所")
    await page.click("#send button.main")
    await expect(line(page, "川の場所")).to_be_visible()
    await share(page, await another(page, 650), "場所なし")

    assert hidden == 0
    assert PLACE in kita.photo("川の場所")[1]
    assert await page.locator("#position input").count() == 0


async def test_without_contact_a_file_waits_on_the_device_and_goes_later(
    kita: Kita, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, kita, FILES)
    await page.route("**/api/blobs", lambda route: route.abort())
    await page.fill("#text", "後で届く表")
    await page.set_input_files(
        "#file", [FilePayload(name="a.csv", mimeType="text/csv", buffer=b"1,2")]
    )
    await page.click("#send button.main")
    await expect(page.locator("#banner")).to_contain_text("この端末に未送信が1件")
    await page.unroute("**/api/blobs")
    await expect(line(page, "後で届く表")).to_be_visible(timeout=20_000)

    assert len(kita.said("後で届く表")) == 1
