"""The staff page in a real Chromium on plain http; its server dies and comes back."""

from __future__ import annotations

import gzip
import re

import msgspec
import pytest
from playwright.async_api import Route, expect

from meshrelay.core.entry import NORMAL
from meshrelay.node.office import Ward as OfficeWard
from meshrelay.node.room import storage_full
from tests.office_fake import CARD, MAYOR, NOW_MS, PIN, SATO, SUZUKI, YAMADA, Person, refused
from tests.pages.browser import (
    UNSENT,
    WIDE,
    Open,
    Ward,
    attached,
    hidden,
    log_in,
    marks,
    message_id,
    say,
    send,
    type_log_in,
)
from tests.town import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOM_BYTES_MAX = 30_000
BUBBLE_MS_MAX = 100


async def test_a_sent_message_is_a_bubble_at_once_and_then_says_where_it_is(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)

    drawn_ms = await page.evaluate(
        """() => ["一", "二", "三"].map((text) => {
          document.getElementById("text").value = text;
          const start = performance.now();
          document.querySelector("#write button").click();
          const own = Array.from(document.querySelectorAll(".msg.mine .bubble"));
          const drawn = own.some((bubble) => bubble.textContent === text);
          return drawn ? performance.now() - start : Infinity;
        })"""
    )
    await page.wait_for_selector(".mark-node")

    await expect(page.locator(".mark-read")).to_have_count(3)

    assert min(drawn_ms) <= BUBBLE_MS_MAX
    assert await marks(page, "三") == "○ 区の機器 既読 0/2"
    assert [m.body["text"] for m in ward.office.kept.values()] == ["一", "二", "三"]


async def test_the_words_advance_without_a_reload(ward: Ward, open_page: Open) -> None:
    mine = say(ward.office, SATO, "30枚送ります", 1)
    page = await open_page()
    await log_in(page, ward)
    seen = [await marks(page, "30枚")]

    for change, words in (
        ({"place": "wards", "wards_n": 1}, "他の区 1"),
        ({"place": "archive", "wards_n": 2}, "他の区 2"),
        ({"place": "archive", "wards_n": 0, "members_n": None}, r"既読 0/\?"),
    ):
        mine = msgspec.structs.replace(mine, **change)
        ward.office.put(mine)
        await expect(page.locator(".marks")).to_have_text(re.compile(words))
        seen.append(await marks(page, "30枚"))

    assert seen == [
        "○ 区の機器 既読 0/2",
        "◐ 他の区 1 既読 0/2",
        "● 本部 ◐ 他の区 2 既読 0/2",
        "● 本部 既読 0/?",
    ]


async def test_another_persons_message_appears_and_is_read_only_when_displayed(
    ward: Ward, open_page: Open
) -> None:
    for n in range(40):
        say(ward.office, SUZUKI, f"連絡 {n}\n二行目", n)
    page = await open_page()
    await log_in(page, ward)
    await until(lambda: ("2001", message_id(0)) in ward.office.reads)  # the first unread one
    below = [("2001", message_id(n)) in ward.office.reads for n in (20, 39)]
    await page.click("#pill button")
    await until(lambda: ("2001", message_id(39)) in ward.office.reads)
    say(ward.office, SUZUKI, "いま届いたもの", 99)
    await until(lambda: ("2001", message_id(99)) in ward.office.reads)

    assert await page.locator("text=いま届いたもの").is_visible()
    assert below == [False, False]
    assert ("2001", message_id(20)) not in ward.office.reads  # never on the screen


async def test_somebody_of_a_ward_enrolled_later_is_shown_with_its_name(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    assert "3人" in await page.locator("h1").inner_text()

    funaba = Person("3001", "船場 次郎", "せんば じろう", "03", "", ("staff",))
    ward.office.wards["03"] = OfficeWard("03", "西成区", "Nishinari")
    ward.office.hire(funaba)
    say(ward.office, funaba, "着任しました", 1)

    await expect(page.locator(".from")).to_have_text("船場 次郎 西成区")
    await expect(page.locator("h1")).to_contain_text("4人")


async def test_who_has_nothing_unsent_is_asked_for_the_pin_only(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    await ward.stop()
    await ward.start()  # its sessions died with it

    await expect(page.locator("#banner")).to_contain_text("PINを入れてください", timeout=20_000)
    assert "送信" not in await page.locator("#banner").inner_text()


async def test_the_outbox_survives_a_dead_node_a_reload_and_a_new_login(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    await ward.stop()
    await send(page, "つながらない間に書いた")
    await page.wait_for_selector("text=区の機器につながりません")
    before = await page.locator(UNSENT).inner_text()

    await ward.start()  # its sessions died with it
    await page.wait_for_selector("text=PINを入れると送信します")
    await page.click("#banner a")
    await page.fill("#staff", "1001")
    await page.fill("#card", CARD)
    await page.fill("#pin", PIN)
    await page.click("#login button")
    await page.wait_for_selector(".mark-node")

    assert "未送信（この端末）" in before
    assert [m.body["text"] for m in ward.office.kept.values()] == ["つながらない間に書いた"]
    assert await page.locator(UNSENT).count() == 0


async def test_a_page_whose_card_was_revoked_says_so_and_a_new_card_sends_what_was_kept(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    ward.office.seats[-1].revoked = True
    await send(page, "失効の後に書いた")
    banner = page.locator("#banner")
    await expect(banner).to_contain_text("このカードは失効しました")
    await expect(banner).to_contain_text("新しいカードでログインすると送信します")
    await page.reload()
    assert page.url.startswith(f"{ward.url}/login")
    await log_in(page, ward)

    await page.wait_for_selector(".mark-node")
    assert [m.body["text"] for m in ward.office.kept.values()] == ["失効の後に書いた"]


@pytest.mark.parametrize("lost", ["localStorage", "indexedDB"])
async def test_unsent_items_survive_a_reload_by_either_store(
    ward: Ward, open_page: Open, lost: str
) -> None:
    page = await open_page()
    await log_in(page, ward)
    await page.route("**/api/messages", lambda route: route.abort())
    await send(page, "残るはず")
    await page.wait_for_selector("text=区の機器につながりません")
    if lost == "localStorage":
        await page.evaluate("localStorage.clear()")
    else:
        await page.evaluate(
            """new Promise((resolve) => { const r = indexedDB.open("mr-5a5a5a5a");
            r.onsuccess = () => { const t = r.result.transaction("outbox", "readwrite");
            t.objectStore("outbox").clear(); t.oncomplete = resolve; }; })"""
        )

    await page.reload()
    await page.wait_for_selector(UNSENT)
    shown = await page.locator(UNSENT).inner_text()
    await page.unroute("**/api/messages")
    await page.wait_for_selector(".mark-node", timeout=15_000)

    assert "残るはず" in shown
    assert len(ward.office.kept) == 1


async def test_an_answer_that_was_lost_does_not_double_the_message(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    lost = 0

    async def lose(route: Route) -> None:
        nonlocal lost
        await route.fetch()  # the node stores it …
        lost += 1
        await route.abort()  # … and its 201 never arrives

    await page.route("**/api/messages", lose)
    await send(page, "一度だけ")
    await page.wait_for_selector("text=区の機器につながりません")
    await page.unroute_all(behavior="wait")
    await expect(page.locator(UNSENT)).to_have_count(0)

    assert lost >= 1
    assert len(ward.office.kept) == 1
    assert await page.locator(".msg.mine", has_text="一度だけ").count() == 1


async def test_another_persons_outbox_is_never_sent(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, ward)
    await page.route("**/api/messages", lambda route: route.abort())
    await send(page, "佐藤の未送信")
    await page.wait_for_selector(UNSENT)
    await page.context.clear_cookies()  # before the next try of hers can come through
    await page.unroute("**/api/messages", None)

    await log_in(page, ward, "2001")
    await page.wait_for_selector("text=別の人の未送信が1件")
    await send(page, "鈴木の連絡")
    await page.wait_for_selector(".mark-node")
    authors = [m.author for m in ward.office.kept.values()]
    visible = await page.locator("body").inner_text()
    await page.context.clear_cookies()
    await log_in(page, ward, "1001")
    await expect(page.locator(".msg.mine .mark-node")).to_have_count(1)

    assert authors == ["2001"]
    assert "佐藤の未送信" not in visible
    sent = {m.body["text"]: m.author for m in ward.office.kept.values()}
    assert sent == {"鈴木の連絡": "2001", "佐藤の未送信": "1001"}


async def test_an_open_tab_does_not_send_under_somebody_elses_login(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    other = await page.context.new_page()
    await log_in(other, ward, "2001", "/")

    await send(page, "佐藤として書いた")
    await page.wait_for_selector("text=別の人がログインしました")

    assert ward.office.kept == {}
    assert await page.locator(UNSENT).count() == 1


async def test_a_refused_message_keeps_its_text_and_offers_the_next_step(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    ward.office.refuse = refused("too_long", "長すぎて送れません。", "Too long.")
    await send(page, "長い文章")
    await page.wait_for_selector(".refused")
    shown = await page.locator(".refused").inner_text()

    await page.click("text=書き直す")
    rewritten = await page.input_value("#text")
    await send(page, "別の長い文章")
    await page.wait_for_selector(".refused")
    ward.office.refuse = None
    await page.click("text=もう一度送る")
    await page.wait_for_selector(".mark-node")

    assert "要確認" in shown and "長すぎて送れません" in shown and "もう一度試して" in shown
    assert rewritten == "長い文章"
    assert [m.body["text"] for m in ward.office.kept.values()] == ["別の長い文章"]


async def test_a_trembling_finger_deletes_nothing_a_second_thought_does(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    ward.office.refuse = storage_full(NORMAL)
    await send(page, "毛布が足りません")
    await page.wait_for_selector(".refused")
    await page.get_by_role("button", name="消す", exact=True).dblclick()
    sure = page.get_by_role("button", name="本当に消す")
    await expect(sure).to_be_visible()
    await page.wait_for_timeout(800)  # longer than a finger trembles
    await sure.click()

    await expect(page.locator(".refused")).to_have_count(0)


async def test_a_full_node_is_told_with_the_next_step_and_the_text_is_kept(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    ward.office.refuse = storage_full(NORMAL)
    await send(page, "毛布が足りません")
    refusal = page.locator(".refused")
    await expect(refusal).to_contain_text("空きが足りない")
    await expect(refusal).to_contain_text("情報システム担当に")
    ward.office.refuse = None
    await page.click("text=もう一度送る")
    await page.wait_for_selector(".mark-node")

    assert [m.body["text"] for m in ward.office.kept.values()] == ["毛布が足りません"]


async def test_the_settings_list_what_waits_on_this_device_until_it_went(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    ward.office.refuse = refused("too_long", "長すぎて送れません。", "Too long.")
    await send(page, "長い文章")
    await page.wait_for_selector(".refused")
    await page.goto(f"{ward.url}/settings")
    waiting = page.locator("#unsent a")
    await expect(waiting).to_have_text("▲ 要確認: 長い文章")
    ward.office.refuse = None
    await waiting.click()
    await page.click("text=もう一度送る")
    await page.wait_for_selector(".mark-node")
    await page.goto(f"{ward.url}/settings")

    await expect(page.locator("#unsent")).to_have_text("ありません。")


async def test_enter_sends_but_not_while_a_word_is_composed(ward: Ward, open_page: Open) -> None:
    page = await open_page(viewport=WIDE)
    await log_in(page, ward)
    await page.focus("#text")
    await page.keyboard.type("給水車")
    await page.evaluate(
        """document.getElementById("text").dispatchEvent(
          new KeyboardEvent("keydown", {key: "Enter", isComposing: true, bubbles: true}))"""
    )
    while_composing = len(ward.office.kept)
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("1台")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".mark-node")

    assert while_composing == 0
    assert [m.body["text"] for m in ward.office.kept.values()] == ["給水車\n1台"]


async def test_scrolled_up_the_page_stays_and_a_pill_leads_to_the_news(
    ward: Ward, open_page: Open
) -> None:
    for n in range(60):
        say(ward.office, SUZUKI, f"連絡 {n}", n)
    page = await open_page()
    await log_in(page, ward)
    await page.click("text=前のメッセージ")
    await expect(page.locator(".msg")).to_have_count(60)
    await page.evaluate("document.getElementById('main').scrollTop = -900")
    top = f"document.querySelector('[data-key$=\"{message_id(45)}\"]').getBoundingClientRect().top"
    before = await page.evaluate(top)

    say(ward.office, SUZUKI, "新しい連絡", 99)
    await page.wait_for_selector("#pill button")
    after = await page.evaluate(top)
    await page.click("#pill button")
    in_view = await page.locator("text=新しい連絡").evaluate(
        "el => el.getBoundingClientRect().bottom < innerHeight"
    )

    assert abs(before - after) <= 1
    assert in_view
    assert await page.locator("#pill").is_hidden()


async def test_the_island_draws_what_the_server_drew(ward: Ward, open_page: Open) -> None:
    hostile = "<b>太字</b> \u202e逆\u0007 &amp;"
    say(ward.office, SUZUKI, "最初", 1, created_ms=NOW_MS - 86_400_000)
    say(ward.office, SUZUKI, hostile, 2, author_name="鈴木\u202e<i>一郎", late=True)
    say(ward.office, SATO, "行1\n行2", 3, place="archive", wards_n=2)
    say(ward.office, SATO, "続き", 4, trouble="fork", expiry="expired")
    say(ward.office, MAYOR, "x", 5, kind="shelter", clock_uncertain=True, author_ward="99")
    say(ward.office, MAYOR, "避難", 6, kind="evacuation", trouble="revoked", expiry="unsure")
    say(ward.office, MAYOR, "期限のない連絡", 13, expiry="unsure")
    say(
        ward.office,
        SUZUKI,
        "橋が落ちた",
        7,
        unsigned="phone",
        taken_by="佐藤\u202e花子",
        body={"text": "橋が落ちた", "source_name": "近所の<b>人"},
    )
    say(ward.office, SUZUKI, "続きではない", 8, trouble="staff_revoked")
    say(ward.office, SUZUKI, "二枚目", 9, trouble="binding_conflict")
    say(ward.office, SATO, "窓口です", 10, unsigned="later kind", mine=True)
    say(
        ward.office,
        SATO,
        "",
        11,
        kind="file",
        body=attached("橋の\u202e<i>写真.jpg", True, "橋です"),
    )
    say(ward.office, SUZUKI, "", 12, kind="file", body=attached("一覧.pdf", False))
    say(ward.office, SUZUKI, "", 14, kind="pin", body=quoting("pinned", "毛布\u202e<i>60枚"))
    say(ward.office, SATO, "北口", 15, kind="correction", body=quoting("correct", "南口", "誤り"))
    say(ward.office, SUZUKI, "", 16, kind="correction", body=quoting("withdraw", "", "送り先"))
    say(ward.office, SUZUKI, "了解", 17, body=quoting("", None))
    say(ward.office, SATO, "南口", 18, body={"text": "南口", "replaced": {"act": "correct"}})
    say(ward.office, SUZUKI, "誤", 19, body={"text": "誤", "replaced": {"act": "false"}})
    say(ward.office, SUZUKI, "", 20, body={"text": "", "replaced": {"act": "withdraw"}})
    say(ward.office, SUZUKI, "橋", 21, kind="room", body={"text": "橋", "members": 3})
    say(ward.office, SUZUKI, "橋", 22, kind="room", body={"text": "橋", "closed": True})
    say(ward.office, SUZUKI, "電話", 23, body={"text": "電話", "pinned": True})
    ward.office.reads["0001", message_id(5)] = {"1001": NOW_MS}
    pages = {}
    for script in (False, True):
        for lang in ("ja", "en"):
            page = await open_page(java_script_enabled=script)
            await page.route("**/api/read", lambda route: route.abort())
            await (log_in(page, ward, to="/") if script else type_log_in(page, ward.url))
            await page.goto(f"{ward.url}/rooms/all?lang={lang}")
            if script:
                await page.wait_for_timeout(300)
            raw = await page.locator("#log").evaluate("el => el.innerHTML") if script else ""
            if not script:
                body = await (await page.context.request.get(page.url)).text()
                raw = await normal(open_page, ward, body)
            pages[script, lang] = re.sub(r">\s+<", "><", raw).strip()

    assert "逆 &amp;amp;" in pages[True, "ja"]
    assert pages[True, "ja"] == pages[False, "ja"]
    assert pages[True, "en"] == pages[False, "en"]


def quoting(act: str, text: str | None, reason: str = "") -> dict[str, object]:
    """The body of a message about another one."""
    quote = {"author": "2001", "message_id": message_id(1), "name": "鈴木\u202e", "text": text}
    words = "北口" if act == "correct" else "了解" if not act else ""
    return {"text": words, "quote": quote, "act": act, "reason": reason}


async def normal(open_page: Open, ward: Ward, body: str) -> str:
    """The server's #log as a browser serialises it."""
    page = await open_page()
    await page.goto(f"{ward.url}/login")
    script = (
        "body => new DOMParser().parseFromString(body, 'text/html').getElementById('log').innerHTML"
    )
    return str(await page.evaluate(script, body))


async def test_everything_works_without_javascript(ward: Ward, open_page: Open) -> None:
    say(ward.office, SUZUKI, "毛布をお願いします", 1)
    page = await open_page(java_script_enabled=False)
    await type_log_in(page, ward.url)
    badge = await page.locator(".badge").inner_text()
    await page.click(".rooms a:has-text('全庁')")
    await page.click(".read-form button")
    read = dict(ward.office.reads)
    await page.fill("#text", "30枚\n送ります")
    await page.click("#write button")
    own = await marks(page, "30枚")
    await page.click(".msg.mine .marks")
    who = await page.locator("main").inner_text()
    await page.goto(ward.url)
    await page.click("#logout button")

    assert "1" in badge
    assert read == {
        ("2001", message_id(1)): {"1001": ward.office.reads["2001", message_id(1)]["1001"]}
    }
    assert own == "○ 区の機器 既読 0/2"
    assert "30枚\n送ります" in who and "鈴木 一郎" in who and "区の機器が未同期 47分" in who
    assert page.url == f"{ward.url}/login"
    assert ward.office.seats == []


async def test_home_is_live(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, ward, to="/")
    first = await page.locator("#sync").inner_text()
    ward.office.archive_age_ms = 47 * 60_000
    say(ward.office, SUZUKI, "届きました", 1)
    await page.wait_for_selector(".badge")

    assert "本部まで届いています" in first
    assert "本部につながっていません" in await page.locator("#sync").inner_text()
    assert "47分前" in await page.locator("#sync").inner_text()
    assert "鈴木 一郎: 届きました" in await page.locator("#rooms").inner_text()


async def test_without_contact_home_does_not_repeat_an_old_word_about_hq(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward, to="/")
    with_contact = await page.locator("#sync").is_visible()
    await ward.stop()
    await page.wait_for_selector("text=区の機器につながりません")

    assert with_contact
    assert not await page.locator("#sync").is_visible()


async def test_logging_out_with_unsent_items_asks_first(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, ward)
    await page.route("**/api/messages", lambda route: route.abort())
    await send(page, "消えるもの")
    await page.wait_for_selector(UNSENT)
    await page.goto(ward.url)
    await page.wait_for_selector("text=この端末に未送信が1件")
    await page.click("#logout button")
    asked = await page.locator("#ask").inner_text()
    await page.click("text=待つ")
    stayed = page.url
    await page.click("#logout button")
    await page.click("text=消してログアウト")
    await page.wait_for_url(f"{ward.url}/login")
    await page.wait_for_selector("text=この端末に残っていません")
    left = await page.evaluate(
        """async () => [(await indexedDB.databases()).length, ...Object.keys(localStorage)]"""
    )

    assert "1件" in asked
    assert stayed == f"{ward.url}/"
    assert left == [0, "mr-card-5a5a5a5a"]  # on one's own phone the card stays, never the PIN


async def test_the_log_in_link_leaves_no_card_in_the_address(ward: Ward, open_page: Open) -> None:
    page = await open_page()

    await page.goto(f"{ward.url}/login#s=1001&c={CARD}")

    assert await page.input_value("#card") == CARD
    assert page.url == f"{ward.url}/login"
    assert not any(CARD in url.split("#")[0] for url in ward.asked)
    assert "暗号化されていません" in await page.locator("main").inner_text()


async def test_first_use_of_a_card_asks_for_the_pin_again_in_place(
    ward: Ward, open_page: Open
) -> None:
    del ward.office.pins["1001"]
    page = await open_page()
    await page.goto(f"{ward.url}/login#s=1001&c={CARD}")
    await page.fill("#pin", "135790")
    await page.click("#login button")
    await page.wait_for_selector("#again:not([hidden])")
    await page.fill("#pin-again", "135791")
    await page.click("#login button")
    await page.wait_for_selector("text=2つのPINが違います")
    await page.fill("#pin", "135790")
    await page.fill("#pin-again", "135790")
    await page.click("#login button")
    await page.wait_for_url(f"{ward.url}/")

    assert ward.office.pins["1001"] == "135790"


async def test_no_request_leaves_the_origin_and_the_room_is_small(
    ward: Ward, open_page: Open
) -> None:
    for n in range(40):
        say(ward.office, SUZUKI, f"避難所の状況その{n}：毛布{n * 7}枚、水{n * 13}本が必要です。", n)
    page = await open_page()
    await log_in(page, ward)
    cold = await page.context.new_page()
    sizes: dict[str, int] = {}

    async def count(route: Route) -> None:
        response = await route.fetch()
        if response.ok:
            sizes[route.request.url] = len(gzip.compress(await response.body(), 6))
        await route.fulfill(response=response)

    # Counted on its way: Chromium forgets bodies of what it has no more use for.
    await cold.route(lambda url: "/api/events" not in url, count)
    cold.on("request", lambda request: ward.asked.append(request.url))
    await cold.goto(f"{ward.url}/rooms/all")
    await cold.wait_for_timeout(500)
    await cold.unroute_all(behavior="wait")
    first = {url: size for url, size in sizes.items() if "/api/" not in url}

    assert all(url.startswith(ward.url) for url in ward.asked)
    assert len(first) >= 8
    assert sum(first.values()) <= ROOM_BYTES_MAX, first


@pytest.mark.parametrize("width", [320, 360, 1280])
async def test_nothing_scrolls_sideways_and_targets_are_large(
    ward: Ward, open_page: Open, width: int
) -> None:
    say(ward.office, SUZUKI, "https://example.com/" + "a" * 200, 1, late=True, clock_uncertain=True)
    say(ward.office, SATO, "W" * 300, 2, place="archive", wards_n=23)
    say(ward.office, SUZUKI, "紙", 3, unsigned="paper", taken_by="W" * 80, trouble="staff_revoked")
    say(ward.office, SUZUKI, "", 4, kind="file", body=attached("W" * 120, True))
    ward.office.hire(YAMADA)
    ward.office.conflicts.add("1001")
    page = await open_page(viewport={"width": width, "height": 640})
    await log_in(page, ward, YAMADA.staff_id)
    await page.route("**/api/messages", lambda route: route.abort())
    await send(page, "未送信" * 40)

    for path in (
        "/rooms/all", "/", "/rooms", f"/rooms/all/who/1001/{message_id(2)}", "/login",
        "/rooms/all/note", "/settings", "/cards", "/nodes", "/cards/temporary", "/lock",
    ):  # fmt: skip
        if path == "/cards/temporary":
            await page.goto(f"{ward.url}/cards")
            await page.fill("#name", "W" * 60)
            await page.click(".panel button")
        elif path == "/lock":
            await page.goto(f"{ward.url}/settings")
            await page.click("form[action='/lock'] button")
        else:
            await page.goto(ward.url + path)
        await page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
        await page.wait_for_timeout(50)
        over = await page.evaluate(
            """() => Math.max(document.documentElement.scrollWidth - innerWidth,
              ...Array.from(document.querySelectorAll("main, .log"),
                (e) => e.scrollWidth - e.clientWidth))"""
        )
        small = await page.evaluate(
            """() => Array.from(document.querySelectorAll(
                "button, input:not([type=hidden]), textarea, summary, a"))
              .filter((e) => e.offsetParent && !e.matches(".skip, .marks, .meta a"))
              .map((e) => [e.outerHTML.slice(0, 80),
                (e.type === "radio" ? e.closest("label") : e).getBoundingClientRect()])
              .filter(([, r]) => r.height < 48 || r.width < 48).map(([h]) => h)"""
        )
        assert (path, over) == (path, 0)
        assert (path, small) == (path, [])


async def test_a_drill_says_so_on_every_page(ward: Ward, open_page: Open) -> None:
    ward.office.network = msgspec.structs.replace(ward.office.network, drill=True)
    page = await open_page()
    await log_in(page, ward)

    for path in ("/", "/rooms", "/rooms/all", "/nowhere"):
        await page.goto(ward.url + path)
        assert "訓練" in await page.locator(".ribbon").inner_text()
        assert (await page.title()).startswith("【訓練】")


async def test_a_hidden_tab_reads_nothing_and_catches_up_when_shown(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    await page.wait_for_timeout(300)
    async with hidden(page):
        say(ward.office, SUZUKI, "見えていない間", 1)
        await page.wait_for_timeout(1500)
        while_hidden = dict(ward.office.reads)
    await page.wait_for_selector("text=見えていない間")
    await until(lambda: ("2001", message_id(1)) in ward.office.reads)

    assert while_hidden == {}
