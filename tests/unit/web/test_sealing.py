"""Sealed log-ins: opened once, by this node, within two minutes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from nacl.public import Box, PrivateKey, PublicKey

from meshrelay.errors import RefusedError
from meshrelay.web.sealing import CHALLENGE_S_MAX, Sealed, Seals
from tests.office_fake import CARD, PIN, FakeOffice
from tests.unit.web.conftest import Browser


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def sealed_to(ticket: dict[str, str], fields: dict[str, Any]) -> dict[str, str]:
    """What a page makes of a ticket and the fields of a form."""
    page, node = PrivateKey.generate(), PublicKey(base64.b64decode(ticket["key"]))
    text = json.dumps({"challenge": ticket["challenge"], "fields": fields}).encode()
    made = Box(page, node).encrypt(text)
    return {
        "page_key": b64(bytes(page.public_key)),
        "nonce": b64(made.nonce),
        "box": b64(made.ciphertext),
    }


async def ticket_of(browser: Browser) -> dict[str, str]:
    found: dict[str, str] = await (await browser.get("/api/seal")).json()
    return found


LOG_IN = {"staff": "1001", "card": CARD, "pin": PIN}


async def test_a_sealed_log_in_opens_a_session_and_its_repeat_is_refused(
    browser: Browser, office: FakeOffice
) -> None:
    body = {"sealed": sealed_to(await ticket_of(browser), LOG_IN)}

    first = await browser.client.post("/api/login", json=body)
    second = await browser.client.post("/api/login", json=body)

    assert (first.status, second.status) == (200, 409)
    assert (await second.json())["code"] == "stale_seal"
    assert len(office.seats) == 1


async def test_a_challenge_is_used_up_by_a_wrong_pin_too(browser: Browser) -> None:
    ticket = await ticket_of(browser)
    wrong = {"sealed": sealed_to(ticket, {**LOG_IN, "pin": "000000"})}
    right = {"sealed": sealed_to(ticket, LOG_IN)}

    first = await browser.client.post("/api/login", json=wrong)
    second = await browser.client.post("/api/login", json=right)

    assert (await first.json())["code"] == "wrong_pin"
    assert (await second.json())["code"] == "stale_seal"


async def test_what_is_missing_in_a_sealed_body_is_named_as_in_a_plain_one(
    browser: Browser,
) -> None:
    body = {"sealed": sealed_to(await ticket_of(browser), {"staff": "1001", "card": CARD})}

    answer = await browser.client.post("/api/login", json=body)

    assert (answer.status, (await answer.json())["field"]) == (400, "pin")


@pytest.mark.parametrize(
    "change",
    [
        {"page_key": "!"},
        {"page_key": b64(b"short")},
        {"nonce": b64(b"short")},
        {"box": ""},
        {"box": b64(b"x" * 80)},
        {"box": "あ"},
        {"box": None},
        {"more": "x"},
    ],
)
async def test_a_damaged_seal_is_refused_and_breaks_nothing(
    browser: Browser, change: dict[str, Any]
) -> None:
    sealed = {**sealed_to(await ticket_of(browser), LOG_IN), **change}

    answer = await browser.client.post("/api/login", json={"sealed": sealed})

    assert (answer.status, (await answer.json())["code"]) == (400, "bad_seal")


def open_one(seals: Seals, office: FakeOffice, challenge: str) -> bytes:
    ticket = {"key": b64(office.seal_key), "challenge": challenge}
    return seals.open(Sealed(**sealed_to(ticket, {"pin": PIN})))


def test_a_challenge_ends_after_two_minutes() -> None:
    now_s = 1000.0
    office = FakeOffice()
    seals = Seals(office, lambda: now_s)
    early, late = seals.ticket().challenge, seals.ticket().challenge

    now_s += CHALLENGE_S_MAX - 1
    assert json.loads(open_one(seals, office, early)) == {"pin": PIN}
    now_s += 2
    with pytest.raises(RefusedError) as refused:
        open_one(seals, office, late)

    assert refused.value.code == "stale_seal"


@pytest.mark.parametrize("challenge", ["", b64(b"x" * 40), b64(b"x" * 16), b64(bytes(8))])
def test_a_challenge_that_this_node_did_not_draw_is_refused(challenge: str) -> None:
    office = FakeOffice()

    with pytest.raises(RefusedError) as refused:
        open_one(Seals(office), office, challenge)

    assert refused.value.code == "stale_seal"


def test_a_challenge_of_another_node_or_of_before_a_restart_is_refused() -> None:
    office = FakeOffice()
    challenge = Seals(office, lambda: 0.0).ticket().challenge

    with pytest.raises(RefusedError, match=r".*"):
        open_one(Seals(office, lambda: 0.0), office, challenge)
