"""Server-Sent Events: news at once, bursts once, an end when the log-in ends."""

from __future__ import annotations

import asyncio

import pytest

from meshrelay.web import live
from meshrelay.web.server import create_app, serve
from tests.office_fake import CARD, PIN, FakeOffice
from tests.unit.web.conftest import Browser

NEW = b"event: new\ndata: \n\n"


async def test_a_change_is_told_and_a_burst_is_told_once(sato: Browser, office: FakeOffice) -> None:
    stream = await sato.get("/api/events")
    first = await stream.content.readuntil(b"\n\n")
    for _ in range(50):
        office.wake()
    told = await stream.content.read(1000)

    assert stream.content_type == "text/event-stream"
    assert first == b":hb\n\n"
    assert told == NEW


async def test_silence_is_filled_with_a_beat_that_proxies_and_scripts_can_hear(
    sato: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.01)
    stream = await sato.get("/api/events")
    await stream.content.readuntil(b":hb\n\n")

    assert await stream.content.readuntil(b"data: \n\n") == b":hb\n\nevent: hb\ndata: \n\n"


async def test_the_stream_ends_with_the_login(sato: Browser) -> None:
    stream = await sato.get("/api/events")
    await stream.content.readuntil(b"\n\n")

    await sato.post("/api/logout", None)

    async with asyncio.timeout(5):
        assert await stream.content.read() == b""


async def test_a_server_with_open_streams_stops_at_once_and_lets_the_node_go(
    office: FakeOffice,
) -> None:
    from aiohttp import ClientSession, CookieJar

    server = serve(create_app(office, hosts=["127.0.0.1"]), "127.0.0.1", 0)
    await server.start()
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        url = f"http://127.0.0.1:{server.port}"
        await client.post(f"{url}/api/login", json={"staff": "1001", "card": CARD, "pin": PIN})
        stream = await client.get(f"{url}/api/events")
        await stream.content.readuntil(b"\n\n")
        async with asyncio.timeout(1.5):
            await server.stop()

    assert office._wakes == []
