"""Replies, corrections, pins, rooms of one's own, people and search, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.office_fake import CARD, PIN, SATO, SUZUKI, FakeSeat
from tests.pages.browser import UNSENT, Open, Ward, log_in, message_id, say, send, type_log_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def suzuki(ward: Ward) -> FakeSeat:
    return await ward.office.log_in("2001", CARD, PIN)


def about(author: str, n: int) -> dict[str, str]:
    return {"author": author, "message_id": message_id(n)}


async def test_a_reply_begins_at_the_message_and_shows_what_it_answers(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SUZUKI, "水は足りますか", 1)
    page = await open_page()
    await log_in(page, ward)
    await page.click(".msg.theirs .meta a")
    await page.click(".actions a.main")
    await expect(page.locator("#reply")).to_contain_text("鈴木 一郎に返信")
    await send(page, "足りません")

    own = page.locator(".msg.mine")
    await expect(own.locator(".quoted")).to_contain_text("鈴木 一郎 水は足りますか")
    await expect(page.locator("#reply")).to_have_count(0)
    await send(page, "30本です")
    await expect(page.locator(".msg.mine .mark-node")).to_have_count(2)
    assert "quote" not in own_messages(ward)[-1].body


def own_messages(ward: Ward) -> list:  # type: ignore[type-arg]
    return [m for m in ward.office.kept.values() if m.author == "1001"]


async def test_an_unsent_reply_is_still_a_reply_after_the_node_was_gone(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SUZUKI, "水は足りますか", 1)
    page = await open_page()
    await log_in(page, ward)
    await page.goto(f"{ward.url}/rooms/all?reply=2001/{message_id(1)}")
    await ward.stop()
    await send(page, "足りません")
    await page.wait_for_selector(UNSENT)
    await ward.start()
    await type_log_in(await page.context.new_page(), ward.url)

    await expect(page.locator(UNSENT)).to_have_count(0)
    assert own_messages(ward)[-1].body["quote"]["text"] == "水は足りますか"


async def test_a_correction_arrives_as_news_and_strikes_the_earlier_words(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SUZUKI, "集合は南口", 1)
    page = await open_page()
    await log_in(page, ward)
    body = {
        "of": about("2001", 1),
        "act": "correct",
        "reason": "書きまちがい",
        "text": "集合は北口",
    }
    await ward.office.post(await suzuki(ward), "correction", "all", body, message_id(2), None)

    later = page.locator(".msg.theirs", has_text="集合は北口")
    await expect(later).to_contain_text("訂正")
    await expect(page.locator(".struck", has_text="集合は南口")).to_have_count(1)


async def test_what_was_withdrawn_leaves_every_open_screen(ward: Ward, open_page: Open) -> None:
    say(ward.office, SUZUKI, "送り先をまちがえた話", 1)
    page = await open_page()
    await log_in(page, ward)
    await expect(page.locator(".msg.theirs")).to_contain_text("送り先をまちがえた話")
    body = {"of": about("2001", 1), "act": "withdraw", "reason": "送り先ちがい"}
    await ward.office.post(await suzuki(ward), "correction", "all", body, message_id(2), None)

    await expect(page.locator(".msg.theirs").first).to_contain_text("取り消されました")
    assert "送り先をまちがえた話" not in await page.locator("#log").inner_text()


async def test_a_correction_is_made_at_the_message_and_asks_for_a_reason(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SATO, "集合は南口", 1)
    page = await open_page()
    await log_in(page, ward)
    await page.click(".msg.mine .marks")
    await page.click(".actions a:has-text('訂正・取り消し')")
    await page.fill("#text", "集合は北口")
    await page.fill("#reason", " ")
    await page.click("main .main")
    await expect(page.locator(".problem")).to_contain_text("理由")
    assert await page.input_value("#text") == "集合は北口"
    await page.fill("#reason", "書きまちがい")
    await page.click("main .main")

    await expect(page.locator(".msg.mine").last).to_contain_text("集合は北口")
    await expect(page.locator(".msg.mine").first).to_contain_text("訂正あり")


async def test_a_pinned_message_stays_above_the_room_until_it_is_let_go(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SUZUKI, "本部の電話は 1234", 1)
    page = await open_page()
    await log_in(page, ward)
    line = page.locator("#pinned")
    await expect(line).to_be_hidden()
    seat = await suzuki(ward)
    of = {"of": about("2001", 1)}
    await ward.office.post(seat, "pin", "all", of | {"on": True}, message_id(2), None)
    await expect(line).to_contain_text("本部の電話は 1234")
    await page.reload()
    await expect(line).to_contain_text("本部の電話は 1234")

    await line.locator("a").click()
    await page.click(".actions form button")
    await page.wait_for_selector(".actions form button:has-text('固定する')")
    await page.goto(f"{ward.url}/rooms/all")
    await expect(line).to_be_hidden()


async def test_one_finds_a_person_and_writes_to_them_alone(ward: Ward, open_page: Open) -> None:
    page = await open_page()
    await log_in(page, ward, to="/rooms")
    await page.click("a[href='/people']")
    await page.fill("#q", "すずき")
    await page.keyboard.press("Enter")
    await page.click(".hits a")

    await expect(page.locator("h1")).to_contain_text("鈴木 一郎")
    await expect(page.locator(".pair")).to_contain_text("暗号化なし・庁内の機器に保存")
    await send(page, "個別の相談です")
    await expect(page.locator(".msg.mine .mark-node")).to_have_count(1)
    assert own_messages(ward)[-1].room == "pair:1001+2001"


async def test_a_room_is_made_changed_and_closed_without_any_script(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page(java_script_enabled=False)
    await type_log_in(page, ward.url)
    await page.goto(f"{ward.url}/rooms/new")
    await page.fill("#name", "橋の点検")
    await page.fill("#find", "鈴木")
    await page.click("button[value=find]")
    await page.check("input[name='m-2001']")
    await page.click("button[value=save]")
    await expect(page.locator("h1")).to_contain_text("橋の点検 2人")

    await page.click("h1 a")
    await page.fill("#name", "橋と道の点検")
    await page.uncheck("input[name='m-2001']")
    await page.click("button[value=save]")
    await expect(page.locator("h1")).to_contain_text("橋と道の点検")
    await page.click("button[value=close]")
    await page.click(".back")
    await page.fill("#text", "まだ書けますか")
    await page.click("#write button")
    await expect(page.locator(".problem")).to_contain_text("このルームは終了しています")
    assert await page.input_value("#text") == "まだ書けますか"


async def test_search_shows_where_the_words_stand_and_leads_there(
    ward: Ward, open_page: Open
) -> None:
    for n in range(60):
        say(ward.office, SUZUKI, f"毛布 {n}枚" if n == 7 else f"水 {n}本", n)
    page = await open_page()
    await log_in(page, ward)
    await page.click("a.papers[href^='/search']")
    await page.fill("#q", "毛布")
    await page.keyboard.press("Enter")
    await expect(page.locator("mark")).to_have_text("毛布")
    await page.click(".hits a")

    await expect(page.locator("#here")).to_contain_text("毛布 7枚")
    await expect(page.locator("#here")).to_be_in_viewport()
    await expect(page.locator("#here ~ .msg").first).to_contain_text("水 8本")
    await page.goto(f"{ward.url}/search?q=存在しない言葉")
    await expect(page.locator("main")).to_contain_text("見つかりません")


async def test_a_quick_phrase_goes_into_the_box_and_is_not_sent_yet(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    await page.click("summary.plus")
    await page.click("#sheet button:has-text('向かっています')")

    assert await page.input_value("#text") == "向かっています。"
    assert not ward.office.kept
    await page.click("#write button.main")
    await expect(page.locator(".msg.mine .bubble")).to_have_text("向かっています。")


async def test_from_home_one_tap_shows_who_has_not_read_what_one_sent_last(
    ward: Ward, open_page: Open
) -> None:
    say(ward.office, SATO, "全員無事です", 1)
    page = await open_page()
    await log_in(page, ward, to="/")
    await page.click("#own a")

    await expect(page.locator("#who")).to_contain_text("未読 2人")


async def test_a_half_written_note_outlives_its_node_and_ends_when_it_is_stored(
    ward: Ward, open_page: Open
) -> None:
    page = await open_page()
    await log_in(page, ward)
    await page.goto(f"{ward.url}/rooms/all/note")
    await page.wait_for_selector("form[data-ready]")
    await page.check("input[value=phone]")
    await page.fill("#source-name", "近所の人")
    await page.fill("#text", "橋が落ちています")
    await ward.stop()
    await page.click("main button.main")
    await expect(page.locator("#problem")).to_contain_text("区の機器につながりません")
    await ward.start()
    again = await page.context.new_page()
    await type_log_in(again, ward.url)

    await again.goto(f"{ward.url}/rooms/all/note")
    await expect(again.locator("#text")).to_have_value("橋が落ちています")
    await expect(again.locator("input[value=phone]")).to_be_checked()
    await expect(again.locator("#source-name")).to_have_value("近所の人")
    await page.click("main button.main")
    await expect(page.locator(".bubble")).to_contain_text(["橋が落ちています"])
    await page.goto(f"{ward.url}/rooms/all/note")
    await page.wait_for_selector("form[data-ready]")
    await expect(page.locator("#text")).to_have_value("")


async def test_a_half_written_correction_outlives_its_node(ward: Ward, open_page: Open) -> None:
    say(ward.office, SATO, "30枚です", 1)
    page = await open_page()
    await log_in(page, ward)
    await page.goto(f"{ward.url}/rooms/all/correct/1001/{message_id(1)}")
    await page.wait_for_selector("form[data-ready]")
    await page.fill("#text", "20枚です")
    await page.fill("#reason", "数えまちがい")
    await ward.stop()
    await page.click("main button.main")
    await expect(page.locator("#problem")).to_contain_text("区の機器につながりません")
    await ward.start()
    await type_log_in(await page.context.new_page(), ward.url)
    await page.click("main button.main")

    await expect(page.locator(".msg.mine .bubble").last).to_contain_text("20枚です")
