"""Press send → shown elsewhere: POST at one ward, seen at another as its page sees it.

The other ward's page listens to /api/events and asks /api/sync when told; the clock stops
when the message is in that answer. Both wards are real processes on a lan link.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec

from meshrelay.node.office import Changes
from meshrelay.web.client import StaffClient, fetch_status
from tests.benchmarks import phrases
from tests.benchmarks.figures import Figure, percentile, spread
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import town_directory
from tests.town import SATO, TANAKA, Clerk, build_town, uuid7

P50_MS_MAX = 100.0
P99_MS_MAX = 400.0
LINK_S_MAX = 30.0
SHOWN_S_MAX = 30.0
# People do not keep time with the node's ticks.
PAUSE_S = (0.05, 0.3)


@dataclass
class Screen:
    """A page of the other ward: notes when each message id was there to be shown."""

    url: str
    shown_s: dict[str, float] = field(default_factory=dict)
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self, clerk: Clerk) -> None:
        """Follow until cancelled."""
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), raise_for_status=True, trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=60.0),
        ) as session:  # fmt: skip
            card = {"staff": clerk.staff_id, "card": clerk.code, "pin": clerk.pin}
            async with session.post(f"{self.url}/api/login", json=card):
                pass
            cursor = await self._sync(session, None)
            async with session.get(f"{self.url}/api/events") as events:
                self.listening.set()
                async for line in events.content:
                    if line == b"event: new\n":
                        cursor = await self._sync(session, cursor)

    async def _sync(self, session: aiohttp.ClientSession, cursor: str | None) -> str:
        while True:
            params = {} if cursor is None else {"after": cursor}
            async with session.get(f"{self.url}/api/sync", params=params) as answer:
                changes = msgspec.json.decode(await answer.read(), type=Changes)
            at_s = time.perf_counter()
            for message in changes.messages:
                self.shown_s.setdefault(message.message_id, at_s)
            cursor = changes.cursor
            if not changes.more:
                return cursor


async def measure(work: Path, messages: int = 250) -> list[Figure]:
    """p50 and p99 of `messages` messages sent one after the other."""
    town = build_town(town_directory(work, "send") / "town", {"01": (), "02": ("01",)})
    dice = random.Random(1)
    sent_s: dict[str, float] = {}
    answered_ms: list[float] = []
    async with Wards(town) as wards, StaffClient(wards.urls["01"]) as sato:
        for ward in town.ports:
            await wards.start(ward)
        await _linked(wards.urls["01"])
        await sato.log_in(SATO.staff_id, SATO.code, SATO.pin)
        screen = Screen(wards.urls["02"])
        watching = asyncio.create_task(screen.watch(TANAKA))
        try:
            await asyncio.wait({watching, asyncio.ensure_future(screen.listening.wait())},
                               return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            for number in range(messages):
                message_id = uuid7()
                sent_s[message_id] = time.perf_counter()
                await sato.post(message_id, "all", phrases.text(number, dice))
                answered_ms.append((time.perf_counter() - sent_s[message_id]) * 1000)
                await asyncio.sleep(dice.uniform(*PAUSE_S))
            await _all_shown(screen, sent_s, watching)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    taken_ms = [(screen.shown_s[message] - at_s) * 1000 for message, at_s in sent_s.items()]
    detail = {
        "shown_ms": {**spread(taken_ms), "p90": round(percentile(taken_ms, 90), 1)},
        "answered_ms": {**spread(answered_ms), "p99": round(percentile(answered_ms, 99), 1)},
    }
    return [
        Figure("send → shown in another ward, p50", percentile(taken_ms, 50), "ms",
               limit=P50_MS_MAX, detail=detail),
        Figure("send → shown in another ward, p99", percentile(taken_ms, 99), "ms",
               limit=P99_MS_MAX),
        Figure("send → answered 201, p50", percentile(answered_ms, 50), "ms"),
    ]  # fmt: skip


async def _linked(url: str) -> None:
    async with asyncio.timeout(LINK_S_MAX):
        while True:
            if (await fetch_status(url)).links:
                return
            await asyncio.sleep(0.1)


async def _all_shown(
    screen: Screen, sent_s: dict[str, float], watching: asyncio.Task[None]
) -> None:
    async with asyncio.timeout(SHOWN_S_MAX):
        while not sent_s.keys() <= screen.shown_s.keys():
            if watching.done():
                watching.result()
                raise AssertionError("the page's event stream ended")
            await asyncio.sleep(0.05)
