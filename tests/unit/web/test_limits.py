"""Too much is refused with a sentence and the seconds to wait, and costs no memory."""

from __future__ import annotations

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from meshrelay.web import limits
from meshrelay.web.limits import Buckets, Limits, address_key
from meshrelay.web.server import create_app
from tests.office_fake import CARD, PIN, FakeOffice
from tests.unit.web.conftest import HTML, Browser, message_id

TIGHT = Limits(3, 0.5, 4, 0.5, spare_console=False)


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    now_s = 0.0
    bucket = Buckets(3, 2.0, lambda: now_s)

    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take("b") == 0
    now_s = 0.5
    assert [bucket.take("a") for _ in range(2)] == [0, 0.5]


def test_buckets_of_made_up_addresses_stay_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEYS_MAX", 10)
    bucket = Buckets(1, 1.0, lambda: 0.0)

    for n in range(1000):
        bucket.take(n)

    assert len(bucket._left) == 10
    assert bucket.take(999) == 1.0  # the newest is still known


@pytest.mark.parametrize(
    ("remote", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::9", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("unix:", ""),
    ],
)
def test_one_host_is_one_address(remote: str | None, key: str) -> None:
    assert address_key(remote) == key


async def test_a_session_that_posts_without_end_is_told_to_wait(office: FakeOffice) -> None:
    app = create_app(office, hosts=["127.0.0.1"], limits=TIGHT)
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        browser = Browser(client)
        await browser.log_in()
        answers = [await browser.send(f"{n}", n) for n in range(4)]
        note = {"id": message_id(9), "room": "all", "text": "x", "source": "paper"}
        noted = await browser.post("/api/notes", note)
        told = await answers[3].json()

    assert [answer.status for answer in answers] == [201, 201, 201, 429]
    assert noted.status == 429
    assert told["code"] == "too_many" and "秒" in told["ja"] and "seconds" in told["en"]
    assert int(answers[3].headers["Retry-After"]) >= 1
    assert len(office.kept) == 3


async def test_an_address_that_guesses_without_end_is_told_to_wait(office: FakeOffice) -> None:
    app = create_app(office, hosts=["127.0.0.1"], limits=TIGHT)
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        guess = {"staff": "1001", "card": CARD, "pin": "000000"}
        answers = [await client.post("/api/login", json=guess) for _ in range(5)]
        right = await client.post("/login", data={**guess, "pin": PIN}, headers=HTML)
        text = await right.text()

    assert [answer.status for answer in answers] == [403, 403, 403, 403, 429]
    assert right.status == 429 and "お待ちください" in text


async def test_the_nodes_own_console_is_spared_by_default(office: FakeOffice) -> None:
    app = create_app(office, hosts=["127.0.0.1"], limits=Limits(1, 0.1, 1, 0.1))
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        browser = Browser(client)
        await browser.log_in()
        answers = [await browser.send(f"{n}", n) for n in range(5)]

    assert {answer.status for answer in answers} == {201}


@pytest.mark.parametrize(
    "raw",
    [
        b"staff=\xff&card=%ff&pin=%ED%A0%80",
        b"&".join(b"a%d=1" % n for n in range(200)),
        b"",
        b"=&;&=",
    ],
)
async def test_a_form_of_nonsense_is_refused_and_breaks_nothing(
    browser: Browser, raw: bytes
) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=nonsense", **HTML}

    answer = await browser.client.post("/login", data=raw, headers=kind)

    assert answer.status in (400, 401)


async def test_a_form_larger_than_the_limit_is_refused_in_words(sato: Browser) -> None:
    fields = {"csrf": sato.csrf, "id": message_id(1), "text": "x" * 70_000}

    answer = await sato.client.post("/rooms/all", data=fields, headers=HTML)

    assert answer.status == 413 and "大きすぎます" in await answer.text()
