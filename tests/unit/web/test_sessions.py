"""Log-ins live in memory, end in time, and never outnumber their limit."""

from __future__ import annotations

import pytest

from meshrelay.web import sessions
from meshrelay.web.sessions import SESSION_MS_MAX, Sessions, token_is
from tests.office_fake import CARD, PIN, FakeOffice
from tests.unit.web.conftest import Browser


async def test_a_session_ends_after_twelve_hours(sato: Browser, office: FakeOffice) -> None:
    office.now += SESSION_MS_MAX + 1

    assert (await sato.get("/api/me")).status == 401
    assert office.seats == []


async def test_the_oldest_session_makes_room(
    office: FakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 3)
    kept = Sessions(office)
    opened = [kept.open(await office.log_in("1001", CARD, PIN))[1] for _ in range(5)]

    assert len(kept) == 3
    assert [kept.alive(session) for session in opened] == [False, False, True, True, True]
    assert len(office.seats) == 3


async def test_ending_twice_is_ending_once(office: FakeOffice) -> None:
    kept, rung = Sessions(office), []
    kept.on_end(lambda: rung.append(1))
    _token, session = kept.open(await office.log_in("1001", CARD, PIN))

    kept.end(session)
    kept.end(session)

    assert rung == [1]


async def test_cookie_and_csrf_token_are_fresh_each_time(office: FakeOffice) -> None:
    kept = Sessions(office)
    seat = await office.log_in("1001", CARD, PIN)

    (first, one), (second, two) = kept.open(seat), kept.open(seat)

    assert len({first, second, one.csrf, two.csrf}) == 4
    assert token_is(one, one.csrf) and not token_is(one, two.csrf) and not token_is(one, "\ud800")


async def test_two_networks_on_one_host_keep_two_cookies(office: FakeOffice) -> None:
    from msgspec.structs import replace

    drill = FakeOffice(network=replace(office.network, id="d0" * 16, drill=True))

    assert Sessions(office).cookie != Sessions(drill).cookie
