"""The JSON API: answers, refusals by name, and nothing without a log-in."""

from __future__ import annotations

import json

import pytest

from meshrelay.errors import StoreError
from tests.office_fake import CARD, PIN, FakeOffice, refused
from tests.unit.web.conftest import Browser, message_id


async def test_login_answers_person_and_token_and_sets_a_strict_cookie(browser: Browser) -> None:
    answer = await browser.client.post(
        "/api/login", json={"staff": "1001", "card": CARD, "pin": PIN}
    )

    told = await answer.json()
    cookie = answer.headers["Set-Cookie"]
    assert told["person"]["name"] == "佐藤 花子"
    assert told["network"]["id"] == "5a" * 16
    assert cookie.startswith("mr-5a5a5a5a=")
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert told["csrf"] not in cookie
    assert len(cookie.split("=")[1].split(";")[0]) >= 43  # 256 bits in base64url


async def test_wrong_pin_is_told_in_both_languages_with_the_next_step(browser: Browser) -> None:
    answer = await browser.client.post(
        "/api/login", json={"staff": "1001", "card": CARD, "pin": "000000"}
    )

    told = await answer.json()
    assert (answer.status, answer.content_type) == (403, "application/problem+json")
    assert told["code"] == "wrong_pin"
    assert told["status"] == 403
    assert all(told[key] for key in ("type", "title", "ja", "en", "next_ja", "next_en"))


async def test_first_use_of_a_card_asks_for_a_pin_twice(
    browser: Browser, office: FakeOffice
) -> None:
    del office.pins["1001"]
    card = {"staff": "1001", "card": CARD, "pin": "135790"}

    first = await browser.client.post("/api/login", json=card)
    second = await browser.client.post("/api/login", json={**card, "pin_again": "135790"})

    assert (await first.json())["code"] == "choose_pin"
    assert second.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/me",
        "/api/rooms",
        "/api/rooms/all/messages",
        "/api/sync",
        "/api/events",
        "/api/messages/1001/x/who",
    ],
)
async def test_nothing_is_read_without_a_login(browser: Browser, path: str) -> None:
    answer = await browser.get(path)

    assert answer.status == 401
    assert (await answer.json())["code"] == "not_logged_in"


async def test_status_needs_no_login_and_names_no_person(sato: Browser) -> None:
    sato.client.session.cookie_jar.clear()

    answer = await sato.get("/api/status")

    assert answer.status == 200
    assert "佐藤" not in await answer.text()


async def test_a_posted_message_is_in_the_room_and_a_repeat_gets_the_same_answer(
    sato: Browser,
) -> None:
    first, second = await sato.send("揺れました"), await sato.send("揺れました")

    listed = await (await sato.get("/api/rooms/all/messages")).json()
    assert first.status == second.status == 201
    assert await first.json() == await second.json()
    assert [m["body"] for m in listed["messages"]] == [{"text": "揺れました"}]


async def test_the_same_id_with_other_content_is_refused(sato: Browser) -> None:
    await sato.send("揺れました")

    answer = await sato.send("揺れていません")

    assert (answer.status, (await answer.json())["code"]) == (409, "id_taken")


async def test_sync_after_the_cursor_gives_only_what_changed_since(sato: Browser) -> None:
    await sato.send("一つ目", 1)
    cursor = (await (await sato.get("/api/rooms/all/messages")).json())["cursor"]
    await sato.send("二つ目", 2)

    changes = await (await sato.get("/api/sync", params={"after": cursor})).json()

    assert [m["body"]["text"] for m in changes["messages"]] == ["二つ目"]
    assert changes["cursor"] != cursor


async def test_rooms_carry_unread_counts_and_the_sync_line(
    browser: Browser, office: FakeOffice
) -> None:
    await browser.log_in("2001")
    await browser.send("毛布をお願いします")
    await browser.log_in("1001")

    told = await (await browser.get("/api/rooms")).json()

    assert {room["id"]: room["unread_n"] for room in told["rooms"]}["all"] == 1
    assert told["sync"] == {"state": "synced", "left_n": 0, "age_ms": 20_000}
    assert told["wards"]["02"] == {"code": "02", "name": "中央区", "name_en": "Chuo"}


async def test_reading_marks_the_message_for_its_author(browser: Browser) -> None:
    await browser.log_in("2001")
    await browser.send("毛布をお願いします")
    await browser.log_in("1001")

    answer = await browser.post("/api/read", {"items": [["2001", message_id(1)]]})

    who = await (await browser.get(f"/api/messages/2001/{message_id(1)}/who")).json()
    assert answer.status == 204
    assert [r["person"]["staff_id"] for r in who["readers"] if r["state"] == "read"] == ["1001"]


async def test_a_room_name_with_any_character_is_one_path_segment(sato: Browser) -> None:
    answer = await sato.get("/api/rooms/unit:%E7%B7%8F%E5%8B%99%E7%8F%AD/messages")

    assert answer.status == 200


async def test_another_units_room_stays_shut(sato: Browser) -> None:
    answer = await sato.get("/api/rooms/unit:避難所班/messages")

    assert (answer.status, (await answer.json())["code"]) == (403, "not_member")


@pytest.mark.parametrize("path", ["/api/messages", "/api/read", "/api/logout"])
@pytest.mark.parametrize("token", ["", "x", "ü"])
async def test_a_state_change_without_the_token_is_refused(
    sato: Browser, path: str, token: str
) -> None:
    sato.csrf = token

    answer = await sato.post(path, {})

    assert (answer.status, (await answer.json())["code"]) == (403, "bad_token")


async def test_the_token_of_another_login_is_refused(browser: Browser) -> None:
    old = (await browser.log_in("1001"))["csrf"]
    await browser.log_in("2001")
    browser.csrf = old

    answer = await browser.send("佐藤です")

    assert (await answer.json())["code"] == "bad_token"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"room": "all", "body": {}}, "id"),
        ({"id": 7, "room": "all", "body": {}}, "id"),
        ({"id": "x", "room": "all", "body": "text"}, "body"),
        ({"id": "x", "room": "all", "body": {}, "created_ms": "now"}, "created_ms"),
        ({"id": "x", "room": "all", "body": {}, "colour": "red"}, "colour"),
        ([], "body"),
    ],
)
async def test_a_wrong_field_is_named(sato: Browser, body: object, field: str) -> None:
    answer = await sato.post("/api/messages", body)

    told = await answer.json()
    assert (answer.status, told["code"], told["field"]) == (400, "bad_field", field)
    assert field in told["ja"] and field in told["en"]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "ten", "9999999999", "１"])
async def test_a_limit_out_of_range_is_named(sato: Browser, limit: str) -> None:
    answer = await sato.get("/api/rooms/all/messages", params={"limit": limit})

    assert (answer.status, (await answer.json())["field"]) == (400, "limit")


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"", b"[" * 5000])
async def test_what_is_not_json_is_refused(sato: Browser, raw: bytes) -> None:
    headers = {"X-CSRF-Token": sato.csrf, "Content-Type": "application/json"}

    answer = await sato.client.post("/api/messages", data=raw, headers=headers)

    assert (answer.status, (await answer.json())["field"]) == (400, "body")


async def test_a_form_cannot_post_to_the_api(sato: Browser) -> None:
    answer = await sato.client.post(
        "/api/messages", data={"id": "x"}, headers={"X-CSRF-Token": sato.csrf}
    )

    assert (answer.status, (await answer.json())["code"]) == (415, "not_json")


async def test_more_than_64_kib_is_refused(sato: Browser) -> None:
    answer = await sato.send("あ" * 30_000)

    assert (answer.status, (await answer.json())["code"]) == (413, "too_large")


async def test_a_seat_that_the_node_closed_ends_the_session(
    sato: Browser, office: FakeOffice
) -> None:
    office.seats.clear()

    first, second = await sato.send("届きますか"), await sato.get("/api/me")

    assert (await first.json())["code"] == "seat_closed"
    assert (await second.json())["code"] == "not_logged_in"


async def test_a_full_disk_is_503_and_says_that_it_is_sent_again(
    sato: Browser, office: FakeOffice
) -> None:
    office.refuse = refused("disk", "ディスクがいっぱいです。", "The disk is full.", 503)

    answer = await sato.send("届きますか")

    assert (answer.status, (await answer.json())["code"]) == (503, "disk")


async def test_a_failing_disk_is_503(
    sato: Browser, office: FakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise StoreError("disk I/O error")

    monkeypatch.setattr(office, "rooms", broken)

    answer = await sato.get("/api/rooms")

    assert (answer.status, (await answer.json())["code"]) == (503, "unavailable")


async def test_a_bug_is_500_with_a_problem_and_without_its_traceback(
    sato: Browser, office: FakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(office, "rooms", broken)

    answer = await sato.get("/api/rooms")

    text = await answer.text()
    assert (answer.status, answer.content_type) == (500, "application/problem+json")
    assert json.loads(text)["code"] == "internal"
    assert "secret" not in text


async def test_logout_forgets_the_session_on_the_server(sato: Browser, office: FakeOffice) -> None:
    jar = {cookie.key: cookie.value for cookie in sato.client.session.cookie_jar}

    answer = await sato.post("/api/logout", None)

    again = await sato.get("/api/me", cookies=jar)
    assert (answer.status, again.status) == (204, 401)
    assert office.seats == []


async def test_a_new_login_in_the_same_browser_ends_the_old_one(
    browser: Browser, office: FakeOffice
) -> None:
    await browser.log_in("1001")
    await browser.log_in("2001")

    assert [seat.person.staff_id for seat in office.seats] == ["2001"]
