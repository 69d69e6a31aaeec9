"""Settings, people and cards, nodes, notes and the locked screen, without any script."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from meshrelay.web.sessions import IDLE_MS_MAX
from tests.office_fake import CARD, PIN, SATO, YAMADA, FakeOffice, refused
from tests.unit.web.conftest import HTML, Browser, message_id

KITA, HQ = "01" * 32, "00" * 32


async def shown(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text
    return text


async def press(browser: Browser, path: str, **fields: str) -> tuple[int, str, str]:
    """Send a form with the session's token; status, where it leads, and what it says."""
    answer = await browser.client.post(
        path, data={"csrf": browser.csrf, **fields}, headers=HTML, allow_redirects=False
    )
    return answer.status, answer.headers.get("Location", ""), await answer.text()


# -- settings -----------------------------------------------------------------


async def test_a_pin_is_changed_by_whoever_knows_card_and_old_pin(
    sato: Browser, office: FakeOffice
) -> None:
    new = {"new_pin": "864209", "new_pin_again": "864209"}

    wrong = await press(sato, "/settings/pin", card=CARD, pin="000000", **new)
    right = await press(sato, "/settings/pin", card=CARD, pin=PIN, **new)

    assert wrong[0] == 401 and "PINが違います" in wrong[2] and CARD not in wrong[2]
    assert right[:2] == (303, "/settings?done=pin")
    assert office.pins["1001"] == "864209"
    assert "PINを変えました" in await shown(sato, right[1])


async def test_a_device_is_shared_until_its_person_says_otherwise(
    sato: Browser, office: FakeOffice
) -> None:
    await press(sato, "/settings/device", device="own")
    office.now += IDLE_MS_MAX + 1

    text = await shown(sato, "/settings")

    assert '"device":"own"' in text


@pytest.mark.parametrize("done", ["", "x", "<script>", "login"])
async def test_a_link_cannot_make_the_page_say_that_something_was_done(
    sato: Browser, done: str
) -> None:
    answer = await sato.get("/settings", params={"done": done}, headers=HTML)

    assert 'class="done"' not in await answer.text()


# -- the locked screen ----------------------------------------------------------


async def test_an_idle_shared_screen_shows_and_takes_nothing_until_the_pin(
    sato: Browser, office: FakeOffice
) -> None:
    await sato.send("見られてはならない")
    office.now += IDLE_MS_MAX + 1

    answer = await sato.get("/rooms/all", headers=HTML)
    lock = await shown(sato, "/lock?next=/rooms/all")
    posted, read = await sato.send("横から書く", 2), await sato.get("/api/sync")
    wrong = await press(sato, "/lock/open", pin="000000", next="/rooms/all")
    still = await sato.get("/api/me")
    right = await press(sato, "/lock/open", pin=PIN, next="/rooms/all")

    assert (answer.status, answer.headers["Location"]) == (303, "/lock?next=%2Frooms%2Fall")
    assert "佐藤 花子" in lock and "見られてはならない" not in lock
    assert (posted.status, read.status, still.status) == (423, 423, 423)
    assert (await posted.json())["code"] == "locked"
    assert wrong[0] == 401 and right[:2] == (303, "/rooms/all")
    assert "見られてはならない" in await shown(sato, "/rooms/all")
    assert len(office.kept) == 1


async def test_posting_and_opening_pages_keep_a_screen_open_but_polling_does_not(
    sato: Browser, office: FakeOffice
) -> None:
    step = IDLE_MS_MAX - 60_000
    office.now += step
    await sato.send("まだいます")
    office.now += step
    await shown(sato, "/")
    office.now += step
    polled = await sato.get("/api/sync")
    await sato.get("/", headers={**HTML, "X-Background": "1"})
    await sato.post("/api/read", {"items": []})
    office.now += 61_000

    assert polled.status == 200
    assert (await sato.get("/api/sync")).status == 423


async def test_input_that_sends_nothing_keeps_it_open_too(
    sato: Browser, office: FakeOffice
) -> None:
    for _ in range(3):
        office.now += IDLE_MS_MAX - 1
        assert (await sato.post("/api/input", None)).status == 204


async def test_the_api_reopens_a_screen_and_a_closed_seat_needs_the_card(
    sato: Browser, office: FakeOffice
) -> None:
    await sato.post("/api/lock", None)
    reopened = await sato.post("/api/reopen", {"pin": PIN})
    alive = await sato.get("/api/me")
    await sato.post("/api/lock", None)
    office.seats.clear()  # the node restarted, or the card was revoked
    closed = await sato.post("/api/reopen", {"pin": PIN})

    assert (reopened.status, alive.status) == (204, 200)
    assert (closed.status, (await closed.json())["code"]) == (401, "seat_closed")
    assert (await (await sato.get("/api/me")).json())["code"] == "not_logged_in"


async def test_the_next_person_can_take_over_a_locked_screen(
    sato: Browser, office: FakeOffice
) -> None:
    await press(sato, "/lock", next="/")

    status, location, _ = await press(sato, "/logout", switch="1")

    assert (status, location) == (303, "/login?switch")
    assert office.seats == []
    assert "次の人" in await shown(sato, location)


# -- people and cards -------------------------------------------------------------


async def test_a_registrar_finds_people_by_kana_and_sees_the_state_of_their_cards(
    registrar: Browser, office: FakeOffice
) -> None:
    office.conflicts.add("1001")
    found = await shown(registrar, "/cards?q=%E3%81%95%E3%81%A8%E3%81%86")
    everybody = await shown(registrar, "/cards")

    assert "佐藤 花子" in found and "要確認（PINが2つ）" in found and "山田" not in found
    assert "山田 登" in everybody and "鈴木" not in everybody  # another ward's


@pytest.mark.parametrize("path", ["/cards", "/api/cards"])
async def test_who_is_no_registrar_is_told_so(sato: Browser, path: str) -> None:
    answer = await sato.get(path, headers=HTML if path == "/cards" else {})

    assert answer.status == 403 and "登録担当者" in await answer.text()


async def test_a_forgotten_pin_is_reset_and_chosen_anew(
    registrar: Browser, office: FakeOffice
) -> None:
    status, location, _ = await press(registrar, "/cards/reset", staff="1001", q="さとう")

    assert (status, "1001" in office.pins) == (303, False)
    text = await shown(registrar, location)
    assert "PINをやり直せるようにしました" in text and "未使用" in text and "佐藤" in text


@pytest.mark.parametrize("staff", ["2001", "9999", ""])
async def test_what_a_registrar_may_not_reset_stays_and_is_explained(
    registrar: Browser, office: FakeOffice, staff: str
) -> None:
    pins = dict(office.pins)

    status, _, text = await press(registrar, "/cards/reset", staff=staff or "nobody")

    assert status in (403, 404) and 'class="problem"' in text
    assert office.pins == pins


async def test_a_conflict_is_settled_by_the_person_who_types_card_and_pin(
    registrar: Browser, office: FakeOffice
) -> None:
    office.conflicts.add("1001")

    wrong = await press(registrar, "/cards/settle", staff="1001", card=CARD, pin="000000")
    right = await press(registrar, "/cards/settle", staff="1001", card=CARD, pin=PIN)

    assert wrong[0] == 401 and CARD not in wrong[2]
    assert right[0] == 303 and office.conflicts == set()


async def test_a_temporary_card_is_shown_once_with_a_link_to_scan(
    registrar: Browser, office: FakeOffice
) -> None:
    status, location, _ = await press(
        registrar, "/cards/temporary", name="応援 太郎", kana="おうえん たろう", unit="避難所班"
    )
    first = await shown(registrar, location)
    second = await shown(registrar, location, 404)

    assert (status, location) == (303, "/cards/temporary")
    assert CARD in first and f"/login#s=T001&amp;c={CARD}" in first
    assert "data:image/svg+xml" in first and "臨時" in first
    assert CARD not in second and "一度しか表示しません" in second
    assert office.temporary["T001"].name == "応援 太郎"


async def test_the_api_does_the_same(registrar: Browser, office: FakeOffice) -> None:
    office.conflicts.add("1001")
    made = await registrar.post("/api/cards/temporary", {"name": "応援 太郎"})
    found = await (await registrar.get("/api/cards", params={"text": "応援"})).json()
    settled = await registrar.post("/api/cards/settle", {"staff": "1001", "card": CARD, "pin": PIN})
    reset = await registrar.post("/api/cards/reset", {"staff": "1001"})
    new = {"card": CARD, "pin": PIN, "new_pin": "864209", "new_pin_again": "864209"}
    changed = await registrar.post("/api/pin", new)

    assert (made.status, (await made.json())["code"]) == (201, CARD)
    assert [(c["person"]["name"], c["temporary"]) for c in found["cards"]] == [("応援 太郎", True)]
    assert (settled.status, reset.status, changed.status) == (204, 204, 204)
    assert office.conflicts == set() and "1001" not in office.pins
    assert office.pins["1009"] == "864209"


# -- nodes --------------------------------------------------------------------------


async def test_a_node_is_suspended_by_two_registrars_who_type_the_word(
    registrar: Browser, office: FakeOffice
) -> None:
    unconfirmed = await press(registrar, "/nodes/suspend", node=KITA, confirm="")
    first = await press(registrar, "/nodes/suspend", node=KITA, confirm="停止")
    after_one = await shown(registrar, "/nodes")
    office.asked[KITA].append("別の 担当")
    after_two = await shown(registrar, "/nodes")
    lifted = await press(registrar, "/nodes/lift", node=KITA, confirm="lift")

    assert unconfirmed[0] == 400 and "何も変えていません" in unconfirmed[2]
    assert first[:2] == (303, "/nodes?done=suspended")
    assert "停止を求めた人：山田 登" in after_one and "停止中" not in after_one
    assert "停止中" in after_two
    assert lifted[0] == 303 and office.asked == {}


async def test_hqs_machine_has_no_button_hq_sees_none_and_staff_are_told_why(
    registrar: Browser, office: FakeOffice
) -> None:
    theirs = await shown(registrar, "/nodes")
    refused_by_node = await press(registrar, "/nodes/suspend", node=HQ, confirm="停止")
    await registrar.log_in("0001")
    chiefs, cards = await shown(registrar, "/nodes"), await shown(registrar, "/cards")
    await registrar.log_in("1001")
    ours, settings = await shown(registrar, "/nodes", 403), await shown(registrar, "/settings")

    assert theirs.count('action="/nodes/suspend"') == 1
    assert refused_by_node[0] == 403
    assert "北区役所" in chiefs and "<form" not in chiefs
    assert "鈴木 一郎" in cards and 'method="post"' not in cards  # everybody's, nothing to press
    assert "登録担当者だけ" in ours and 'href="/nodes"' not in settings


async def test_the_api_lists_suspends_and_lifts(registrar: Browser, office: FakeOffice) -> None:
    asked = await registrar.post("/api/nodes/suspend", {"node": KITA})
    listed = await (await registrar.get("/api/nodes")).json()
    lifted = await registrar.post("/api/nodes/lift", {"node": KITA})

    assert (asked.status, lifted.status) == (204, 204)
    assert [node["said_by"] for node in listed["nodes"]] == [["山田 登"], []]


# -- notes without a signature ------------------------------------------------------


async def test_a_note_from_the_counter_is_marked_unsigned_with_who_took_it_down(
    sato: Browser, office: FakeOffice
) -> None:
    await shown(sato, "/rooms/all/note")
    status, location, _ = await press(
        sato, "/rooms/all/note", id=message_id(1), source="walk_in", source_name="近所の人",
        text="橋が\r\n落ちています",
    )  # fmt: skip
    text = await shown(sato, location)
    who = await shown(sato, f"/rooms/all/who/{KITA}/{message_id(1)}")
    rooms = await shown(sato, "/rooms")

    assert (status, location) == (303, "/rooms/all")
    drawn = text.split('<article class="msg')[1].split("</article>")[0]
    assert drawn.startswith(" theirs") and "橋が\n落ちています" in drawn
    assert "署名なし（受付：佐藤 花子）" in drawn and "窓口 近所の人" in drawn
    assert "北区役所" not in drawn and "既読" not in drawn
    assert "署名なし（受付：佐藤 花子）" in who and "本人の署名はありません" in who
    assert "署名なし: 橋が" in rooms


async def test_a_refused_note_keeps_its_text(sato: Browser, office: FakeOffice) -> None:
    office.refuse = refused("disk", "ディスクがいっぱいです。", "The disk is full.", 503)

    status, location, _ = await press(
        sato, "/rooms/all/note", id=message_id(1), source="paper", text="大事な紙"
    )

    assert (status, location) == (303, "/rooms/all/note")
    text = await shown(sato, location, 503)
    assert re.search(r"<textarea[^>]*>大事な紙</textarea>", text) and "ディスク" in text


@pytest.mark.parametrize("source", ["", "radio", "walk_in\n"])
async def test_a_note_from_nowhere_is_refused(sato: Browser, source: str) -> None:
    form = await press(sato, "/rooms/all/note", id=message_id(1), source=source, text="x")
    api = await sato.post(
        "/api/notes", {"id": message_id(1), "room": "all", "text": "x", "source": source}
    )

    assert form[1] == "/rooms/all/note"
    assert (api.status, (await api.json())["field"]) == (400, "source")


async def test_a_room_of_others_takes_no_note(sato: Browser) -> None:
    await shown(sato, "/rooms/unit:避難所班/note", 403)


@pytest.mark.parametrize(
    ("trouble", "flag", "advice"),
    [
        ("staff_revoked", "失効後", "職員カードが失効したあと"),
        ("binding_conflict", "カード要確認", "PINを2人が別々に決めています"),
    ],
)
async def test_words_of_a_doubtful_card_say_so_and_what_to_do(
    browser: Browser, office: FakeOffice, trouble: str, flag: str, advice: str
) -> None:
    await browser.log_in("2001")
    await browser.send("避難してください")
    kept = next(iter(office.kept.values()))
    office.put(structs.replace(kept, trouble=trouble))
    await browser.log_in("1001")

    assert flag in await shown(browser, "/rooms/all")
    assert advice in await shown(browser, f"/rooms/all/who/2001/{message_id(1)}")


@pytest.mark.parametrize(
    "path",
    ["/settings/pin", "/settings/device", "/cards/reset", "/cards/settle", "/cards/temporary",
     "/nodes/suspend", "/nodes/lift", "/rooms/all/note", "/lock", "/lock/open", "/logout"],
)  # fmt: skip
async def test_no_form_works_without_its_token_or_from_another_origin(
    registrar: Browser, path: str
) -> None:
    fields = {"staff": SATO.staff_id, "node": KITA, "confirm": "停止", "text": "x", "name": "x"}

    tokenless = await registrar.client.post(path, data={**fields, "csrf": "x"}, headers=HTML)
    foreign = await registrar.client.post(
        path,
        data={**fields, "csrf": registrar.csrf},
        headers={**HTML, "Origin": "http://evil.example"},
    )

    assert (tokenless.status, foreign.status) == (403, 403)
    assert (await registrar.get("/api/me")).status == 200
    assert YAMADA.name in await shown(registrar, "/settings")
