"""Every screen, one line each: where it is, who looks, how it fails. A new screen is a new line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page

from meshrelay.monitor.pages import routes
from tests.office_fake import CARD, PIN, SATO, YAMADA, Person
from tests.pages.browser import PHONE, UNSENT, Ward, log_in, message_id, send
from tests.pages.scenery import LONG_NAME, STATES

Step = Callable[[Page, Ward], Awaitable[None]]

WRONG_PIN = "975318"
LOCALES = {"ja": "ja-JP", "easy": "ja-JP", "en": "en-GB"}
ALL = "empty normal many long late error gone"
# A screen that shows no messages has nothing that could be late, and no lists that could grow.
FORM = "normal long error gone"


def at(path: str) -> Step:
    """Go there."""

    async def step(page: Page, ward: Ward) -> None:
        await page.goto(ward.url + path)

    return step


def press(button: str, then: str, **fields: str) -> Step:
    """Fill fields by their names, press, and wait for what is told."""

    async def step(page: Page, ward: Ward) -> None:
        for name, text in fields.items():
            await page.locator(f"[name={name}]:visible").first.fill(text)
        await page.locator(button).first.click()
        await page.wait_for_selector(then)

    return step


def choose(button: str, name: str, media_type: str) -> Step:
    """Choose a file and press; the node refuses it."""

    async def step(page: Page, ward: Ward) -> None:
        file = {"name": name, "mimeType": media_type, "buffer": bytes(1000)}
        await page.set_input_files("#file", file)  # type: ignore[arg-type]
        await page.click(button)
        await page.wait_for_selector(".problem")

    return step


async def banner(page: Page, ward: Ward) -> None:
    """The page notices by itself that its node is gone."""
    await page.wait_for_selector("#banner:visible")


async def unsent(page: Page, ward: Ward) -> None:
    await send(page, "電話がつながりません。こちらは無事です。")
    await page.wait_for_selector(UNSENT)
    await banner(page, ward)


async def locked(page: Page, ward: Ward) -> None:
    await page.goto(f"{ward.url}/settings")
    await press("form[action='/lock'] button", "#pin")(page, ward)


async def new_card(page: Page, ward: Ward) -> None:
    await page.goto(f"{ward.url}/cards")
    name = "応援 太郎" if len(ward.office.network.name) < 40 else LONG_NAME
    await press("form[action='/cards/temporary'] button", "#code", name=name)(page, ward)


async def alarmed(page: Page, ward: Ward) -> None:
    await page.goto(ward.url)
    await page.wait_for_selector("#told")


async def offered(page: Page, ward: Ward) -> None:
    """The first page after a log-in offers to try the sound."""
    await log_in(page, ward, to="/")
    await page.wait_for_selector("#offer")


async def wall(page: Page, ward: Ward) -> None:
    """A wall screen that 山田 has paired."""
    await page.goto(f"{ward.url}/display")
    code = await page.locator(".code").inner_text()
    ward.office.displays.pair(YAMADA, "".join(code.split()), "1階ロビー")
    await page.goto(f"{ward.url}/display")


async def sheet(page: Page, ward: Ward) -> None:
    """What else may be sent, and the message that one answers to."""
    await page.goto(f"{ward.url}/rooms/all?reply=2001/{message_id(3)}")
    await press("#sheet summary", "#sheet[open]")(page, ward)


async def confirm_wrongly(page: Page, ward: Ward) -> None:
    await page.locator("summary").first.click()
    await press("details[open] button", ".problem", confirm="はい")(page, ward)


async def watched(page: Page, ward: Ward) -> None:
    await page.clock.install()
    english = any(each["value"] == "en" for each in await page.context.cookies())
    await page.goto(f"{ward.url}/monitor{'/en' if english else ''}")


async def a_minute_later(page: Page, ward: Ward) -> None:
    await page.clock.run_for(70_000)
    await page.wait_for_selector("html.stale")


@dataclass(frozen=True)
class Screen:
    """`open` gets there if an address alone does not; `error` makes it refuse something, `gone`
    shows what it says without its node. `states`: what of scenery.py makes sense there."""

    name: str
    path: str = ""
    states: str = ALL
    who: Person | None = SATO
    open: Step | None = None
    error: Step | None = None
    gone: Step = banner


WHO = f"/rooms/all/who/1001/{message_id(2)}"
_ENTER = "#login button"
_SEALED = "form[data-api] button"
_FIELDS = {"staff": "1001", "card": CARD, "pin": WRONG_PIN}
_PINS = {"card": CARD, "pin": WRONG_PIN, "new_pin": PIN, "new_pin_again": PIN}

SCREENS = (
    Screen("login", "/login", FORM, None, error=press(_ENTER, ".problem", **_FIELDS),
           gone=press(_ENTER, ".problem", **_FIELDS)),
    Screen("lock", "", FORM, open=locked, error=press(_SEALED, ".problem", pin=WRONG_PIN),
           gone=press(_SEALED, ".problem", pin=PIN)),
    Screen("home", "/", "empty normal many long late gone"),
    Screen("rooms", "/rooms", "empty normal many long late gone"),
    Screen("room", "/rooms/all", gone=unsent,
           error=press("#write button", ".refused", text="長い文")),
    Screen("sheet", "", "normal long", open=sheet),
    Screen("older", "/rooms/all?before=g", "normal many long"),
    Screen("who", WHO, "normal many long late gone"),
    Screen("search", "/search?q=0", "empty normal many long"),
    Screen("people", "/people?q=班", "normal many long"),
    Screen("new-room", "/rooms/new", "normal long error", error=press("button.main", ".problem")),
    Screen("about", "/rooms/all/about", "normal many long"),
    Screen("correct", f"/rooms/all/correct/1001/{message_id(2)}", "normal long error",
           error=press("button.main", ".problem", reason="まちがい", text="")),
    Screen("note", "/rooms/all/note", FORM, error=press("main button", ".problem", text="橋")),
    Screen("reply", f"/rooms/all?reply=2001/{message_id(3)}", "normal long"),
    Screen("pair", "/rooms/pair:1001+2001", "empty long"),
    Screen("files", "/rooms/all/files", "empty normal many long error gone",
           error=choose("#send button.main", "動画.mp4", "video/mp4")),
    Screen("boards", "/boards", "empty normal many long gone"),
    Screen("notice", f"/boards/2001/{message_id(51)}", "normal long gone"),
    Screen("notice-form", "/boards/new?room=all", FORM,
           error=press("main button.main", ".problem", title="断水")),
    Screen("notice-edit", f"/boards/2001/{message_id(51)}/edit", "normal long", YAMADA),
    Screen("events", "/events", "empty normal many long gone"),
    Screen("event", f"/events/1001/{message_id(55)}", "normal long gone"),
    Screen("event-form", "/events/new?room=all", FORM,
           error=press("main button.main", ".problem", title="訓練", start="2026-11-20T09:00")),
    Screen("documents", "/files", "empty normal many long"),
    Screen("document", f"/files/2001/{message_id(9001)}", "normal long"),
    Screen("alarm", "", "ordered", open=alarmed),
    Screen("urgent", "/urgent", "empty ordered"),
    Screen("offer", "", "normal long", None, open=offered),
    Screen("display-code", "/display", "normal", None),
    Screen("display", "", "normal ordered long", None, open=wall),
    Screen("displays", "/displays", "normal long error", YAMADA,
           error=press("main button", ".problem", code="000000", name="ロビー")),
    Screen("courier", "/courier", "normal long error gone",
           error=choose("#bring button", "a.pdf", "application/pdf")),
    Screen("reading", "/courier/readings/done", "normal long error gone",
           error=at("/courier/readings/refused")),
    Screen("reading-now", "/courier/readings/reading", "normal"),
    Screen("settings", "/settings", FORM, YAMADA, error=press(_SEALED, ".problem", **_PINS)),
    Screen("cards", "/cards", "normal many long error gone", YAMADA,
           error=press("details[open] button", ".problem", card=CARD, pin=WRONG_PIN)),
    Screen("nodes", "/nodes", "normal many long error gone", YAMADA, error=confirm_wrongly),
    Screen("temporary", "", "normal long", YAMADA, open=new_card),
    Screen("problem", "/nowhere", "normal long"),
    Screen("monitor", "", "empty normal many long late gone", None, watched, gone=a_minute_later),
)  # fmt: skip


@asynccontextmanager
async def shown(
    browser: Browser, screen: Screen, state: str, lang: str = "ja", **options: Any
) -> AsyncIterator[Page]:
    """The screen in that state, on a phone unless `options` of the browser's context say else."""
    office = STATES[state]()
    ward = Ward(office, extra=routes(office.city))
    await ward.start()
    context = await browser.new_context(
        **{"viewport": PHONE, "reduced_motion": "reduce", "locale": LOCALES[lang], **options}
    )
    try:
        await context.add_cookies([{"name": "mr-lang", "value": lang, "url": ward.url}])
        if screen.who is not None:
            card = {"staff": screen.who.staff_id, "card": CARD, "pin": PIN, "device": "own"}
            answer = await context.request.post(f"{ward.url}/api/login", data=card)
            assert answer.ok, await answer.text()
        page = await context.new_page()
        await (screen.open or at(screen.path))(page, ward)
        if state == "error" and screen.error is not None:
            await screen.error(page, ward)
        if state == "gone":
            await ward.stop()
            await screen.gone(page, ward)
        yield page
    finally:
        await context.close()
        await ward.stop()


async def text_size(page: Page, percent: int) -> None:
    """As somebody's browser is set: the size of text alone, 100 % or 200 %."""
    devtools = await page.context.new_cdp_session(page)
    sizes = {"standard": 16 * percent // 100, "fixed": 13 * percent // 100}
    await devtools.send("Page.setFontSizes", {"fontSizes": sizes})
    await devtools.detach()
