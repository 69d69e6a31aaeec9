"""The pages as HTML: what a browser without any script gets."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from meshrelay.errors import ConfigError
from meshrelay.web.ids import uuid7
from meshrelay.web.server import create_app, serve
from tests.office_fake import CARD, NOW_MS, PIN, FakeOffice, refused
from tests.unit.web.conftest import HTML, Browser, message_id


async def page(browser: Browser, path: str) -> str:
    answer = await browser.get(path, headers=HTML)
    assert answer.status == 200
    return await answer.text()


async def form(browser: Browser, path: str, **fields: str) -> tuple[int, str, str]:
    answer = await browser.client.post(path, data=fields, headers=HTML, allow_redirects=False)
    return answer.status, answer.headers.get("Location", ""), await answer.text()


@pytest.mark.parametrize("path", ["/", "/rooms", "/rooms/all"])
async def test_without_a_login_every_page_leads_to_it_and_back(browser: Browser, path: str) -> None:
    answer = await browser.get(path, headers=HTML)

    assert answer.status == 303
    assert answer.headers["Location"].startswith("/login?next=%2F")


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/rooms/all", "/rooms/all"),
        ("/rooms/unit%3A%E7%B7%8F", "/rooms/unit%3A%E7%B7%8F"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/rooms/a\r\nSet-Cookie: x", "/"),
        ("/api/logout", "/"),
    ],
)
async def test_a_login_leads_only_to_our_own_pages(browser: Browser, asked: str, led: str) -> None:
    status, location, _ = await form(
        browser, "/login", staff="1001", card=CARD, pin=PIN, next=asked
    )

    assert (status, location) == (303, led)


async def test_a_wrong_pin_keeps_number_and_card_but_not_the_pin(browser: Browser) -> None:
    status, _, text = await form(browser, "/login", staff="1001", card=CARD, pin="999999")

    assert status == 403
    assert "PINが違います" in text
    assert CARD in text and "999999" not in text


async def test_the_first_use_of_a_card_shows_the_second_field(
    browser: Browser, office: FakeOffice
) -> None:
    del office.pins["1001"]
    first = await (await browser.get("/login")).text()

    _, _, text = await form(browser, "/login", staff="1001", card=CARD, pin="135790")
    status, _, _ = await form(
        browser, "/login", staff="1001", card=CARD, pin="135790", pin_again="135790"
    )

    assert (
        "（6文字以上、本部の人は10文字以上）。次に、もう一度入れます。" in first
        and '<div id="again" hidden>' in first
    )
    assert '<div id="again">' in text
    assert status == 303


async def test_a_form_without_its_token_changes_nothing(sato: Browser, office: FakeOffice) -> None:
    status, _, text = await form(
        sato, "/rooms/all", id=message_id(1), text="大事な知らせ", csrf="x"
    )

    assert status == 403
    assert "大事な知らせ" in text  # what was written is never lost
    assert office.kept == {}


async def test_a_form_after_the_login_ended_gives_the_text_back(browser: Browser) -> None:
    status, _, text = await form(browser, "/rooms/all", id=message_id(1), text="大事な知らせ")

    assert status == 401
    assert "大事な知らせ" in text and "まだ送信していません" in text


async def test_a_form_posted_twice_is_one_message(sato: Browser, office: FakeOffice) -> None:
    fields = {"id": message_id(1), "text": "一度だけ\r\n二行", "csrf": sato.csrf}

    first, second = (
        await form(sato, "/rooms/all", **fields),
        await form(sato, "/rooms/all", **fields),
    )

    assert first[:2] == second[:2] == (303, "/rooms/all")
    assert [m.body["text"] for m in office.kept.values()] == ["一度だけ\n二行"]


async def test_a_refused_form_keeps_the_text_in_the_box(sato: Browser, office: FakeOffice) -> None:
    office.refuse = refused("too_long", "長すぎます。", "Too long.")

    status, location, _ = await form(
        sato, "/rooms/all", id=message_id(1), text="長い文章", csrf=sato.csrf
    )
    answer = await sato.get(location, headers=HTML)
    text, again = await answer.text(), await page(sato, location)

    assert (status, answer.status) == (303, 400)
    assert "長すぎます。" in text and "長すぎます。" not in again
    assert re.search(r"<textarea[^>]*>長い文章</textarea>", text)


async def test_hostile_text_cannot_leave_its_element_nor_the_data_block(
    browser: Browser, office: FakeOffice
) -> None:
    await browser.log_in("2001")
    await browser.send("</script><script>alert(1)</script>\u2028<img src=x onerror=alert(2)>")
    kept = next(iter(office.kept.values()))
    office.put(structs.replace(kept, author_name='"><svg onload=alert(3)>\u202e'))
    await browser.log_in("1001")

    text = await page(browser, "/rooms/all")

    assert text.count("<script") == 3  # the two modules and the data block
    assert "<img" not in text and "\u2028" not in text
    assert text.count("<svg") == text.count('<svg class="icon"') == 2  # the two of the header
    drawn, _, data = text.partition('<script type="application/json"')
    assert "\u202e" not in drawn and data.count("<") == 3  # its own end, body's, html's


@pytest.mark.parametrize("path", ["/", "/rooms", "/rooms/all", "/login"])
async def test_no_page_has_inline_script_or_style(sato: Browser, path: str) -> None:
    text = await page(sato, path)

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    for tag in re.findall(r"<script[^>]*>", text):
        assert "src=" in tag or 'type="application/json"' in tag


async def test_english_is_chosen_by_a_link_and_kept_by_a_cookie(sato: Browser) -> None:
    japanese = await page(sato, "/rooms/all")
    english = await page(sato, "/rooms/all?lang=en")
    kept = await page(sato, "/")

    assert '<html lang="ja">' in japanese and 'href="/rooms/all?lang=en"' in japanese
    assert '<html lang="en">' in english
    assert "Rooms" in kept and "Kita" in kept


@pytest.mark.parametrize("lang", ["fr", "<script>", ""])
async def test_an_unknown_language_is_japanese(browser: Browser, lang: str) -> None:
    answer = await browser.get("/login", params={"lang": lang}, headers=HTML)

    text = await answer.text()
    assert '<html lang="ja">' in text and "<script>" not in text


async def test_earlier_messages_are_a_link_away_without_script(
    browser: Browser, office: FakeOffice
) -> None:
    await browser.log_in("2001")
    for n in range(45):
        await browser.send(f"連絡 {n}", n)

    first = await page(browser, "/rooms/all")
    link = re.search(r'<p class="older"><a href="([^"]+)"', first)
    assert link is not None
    older = await page(browser, link.group(1))

    assert "連絡 44" in first and "連絡 4<" not in first
    assert "連絡 4<" in older and "連絡 44" not in older
    assert "/rooms/all" in older and "最新のメッセージ" in older


async def test_who_has_read_puts_the_unread_first_and_tells_unreached_apart(
    browser: Browser, office: FakeOffice
) -> None:
    await browser.log_in("2001")
    await browser.post("/api/read", {"items": []})
    await browser.log_in("1001")
    await browser.send("揺れました")
    office.reads["1001", message_id(1)] = {"2001": NOW_MS}

    text = await page(browser, f"/rooms/all/who/1001/{message_id(1)}")

    assert text.index("未読 1人") < text.index("市長 松田") < text.index("既読 1人")
    assert text.index("既読 1人") < text.index("鈴木 一郎")
    assert "未達" in text and "区の機器が未同期 47分" in text
    assert "持っている機器" in text


async def test_home_shows_a_few_rooms_and_first_those_with_something_unread(
    sato: Browser, office: FakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    (view, *_) = office.rooms(office.staff[0])
    many = [
        structs.replace(view, id=f"ward:{n:02}", name=f"第{n}室", unread_n=n // 8)
        for n in range(1, 10)
    ]
    monkeypatch.setattr(office, "rooms", lambda person: many)

    home, rooms = await page(sato, "/"), await page(sato, "/rooms")
    assert home.index("第8室") < home.index("第9室") < home.index("第1室")
    assert "第5室" not in home and "すべてのルーム（9）" in home and "第5室" in rooms
    assert ">2</span></b>" in home  # on the tab: of all rooms


async def test_an_incomplete_roster_is_said(
    sato: Browser, office: FakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sato.send("揺れました")
    whole = office.who
    monkeypatch.setattr(
        office, "who", lambda *asked: structs.replace(whole(*asked), complete=False)
    )

    assert "名簿がまだそろっていない" in await page(sato, f"/rooms/all/who/1001/{message_id(1)}")


async def test_a_page_is_never_cached(sato: Browser) -> None:
    answer = await sato.get("/", headers=HTML)

    assert answer.headers["Cache-Control"] == "no-store"


async def test_logging_out_by_form_ends_the_session(sato: Browser, office: FakeOffice) -> None:
    status, location, _ = await form(sato, "/logout", csrf=sato.csrf)

    assert (status, location) == (303, "/login")
    assert office.seats == []


async def test_a_taken_port_is_one_clear_sentence(office: FakeOffice) -> None:
    async with serve(create_app(office, hosts=[]), "127.0.0.1", 0) as first:
        second = serve(create_app(FakeOffice(), hosts=[]), "127.0.0.1", first.port)
        with pytest.raises(ConfigError, match=rf"\[web\] listen = 127.0.0.1:{first.port}"):
            await second.start()


def test_an_id_for_a_form_is_a_uuid_version_7_of_its_time() -> None:
    found = uuid7(NOW_MS)

    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", found
    )
    assert int(found.replace("-", "")[:12], 16) == NOW_MS
    assert found != uuid7(NOW_MS)
