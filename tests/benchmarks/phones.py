"""500 phones on one node: how soon a message is on all of them, and what the node needs for it.

The phones speak HTTP over plain sockets, as little of it as a browser must, so that on two cores
the node is measured and not its audience. They are ten people's: a PIN costs a node a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import town_directory
from tests.town import Clerk, build_town, uuid7

PHONES = 500
MESSAGES = 40
PAUSE_S = 1.0
FAN_OUT_MS_MAX = 300.0
RESIDENT_MB_MAX = 120.0
LAST_S_MAX = 30.0
PEOPLE = tuple(
    Clerk(f"P{n:02}", f"職員 {n}", "しょくいん", "01", "総務班", ("staff",)) for n in range(10)
)
State = dict[tuple[str, str], dict[str, Any]]


class Door:
    """One kept-alive connection to the node."""

    def __init__(self, url: str) -> None:
        self._host, self._port = str(urlsplit(url).hostname), int(urlsplit(url).port or 0)
        self.cookie = ""

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        self._writer.close()

    def write(self, method: str, path: str, body: object = None, csrf: str = "") -> None:
        raw = b"" if body is None else msgspec.json.encode(body)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"Cookie: {self.cookie}"] if self.cookie else []
        lines += [f"X-CSRF-Token: {csrf}"] if csrf else []
        lines += ["Content-Type: application/json", f"Content-Length: {len(raw)}"]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + raw)

    async def head(self) -> tuple[int, dict[str, str]]:
        """(Status, headers by lower-case name) of an answer."""
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): text for name, text in headers.items()}

    async def ask(self, method: str, path: str, body: object = None, csrf: str = "") -> Any:
        """The decoded answer to one request."""
        self.write(method, path, body, csrf)
        status, headers = await self.head()
        raw = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if status >= 400:
            raise AssertionError(f"{method} {path}: {status} {raw.decode()}")
        if "set-cookie" in headers:
            self.cookie = headers["set-cookie"].split(";")[0]
        return msgspec.json.decode(raw) if raw else None

    async def event(self) -> None:
        """The next `new` of an event stream."""
        await self._reader.readuntil(b"event: new\n")


class Phone:
    """One open page: a stream that says "now", and what it knows of the room."""

    def __init__(self, url: str, cookie: str) -> None:
        self.page, self.stream = Door(url), Door(url)
        self.page.cookie = self.stream.cookie = cookie
        self.state: State = {}
        self.cursor = ""
        self.told_s: dict[str, float] = {}
        self.rung_s: list[float] = []

    async def open(self) -> None:
        await self.page.open()
        await self.stream.open()
        listed = await self.page.ask("GET", "/api/rooms/all/messages?limit=200")
        self.cursor = listed["cursor"]
        self._keep(listed["messages"])
        self.stream.write("GET", "/api/events")
        await self.stream.head()

    def _keep(self, messages: Sequence[dict[str, Any]]) -> None:
        now_s = time.perf_counter()
        for message in messages:
            self.told_s.setdefault(message["message_id"], now_s)
            self.state[message["author"], message["message_id"]] = message

    async def live(self) -> None:
        """Follow the room until cancelled."""
        while True:
            await self.stream.event()
            self.rung_s.append(time.perf_counter())
            await self.sync()

    async def sync(self) -> None:
        more = True
        while more:
            news = await self.page.ask("GET", f"/api/sync?after={quote(self.cursor)}")
            self._keep(news["messages"])
            self.cursor, more = news["cursor"], news["more"]


async def _log_in(url: str, clerk: Clerk) -> tuple[str, str]:
    """(Cookie, CSRF token) of a fresh log-in."""
    door = Door(url)
    await door.open()
    body = {
        "staff": clerk.staff_id, "card": clerk.code, "pin": clerk.pin, "pin_again": clerk.pin,
        "device": "own",
    }  # fmt: skip
    told = await door.ask("POST", "/api/login", body)
    door.close()
    return door.cookie, told["csrf"]


async def _speak(url: str, cookie: str, csrf: str, count: int) -> dict[str, float]:
    """Message id -> when 送信 was pressed."""
    door = Door(url)
    door.cookie = cookie
    await door.open()
    pressed_s = {}
    for n in range(count):
        await asyncio.sleep(PAUSE_S)
        mid = uuid7()
        pressed_s[mid] = time.perf_counter()
        body = {
            "id": mid,
            "room": "all",
            "body": {"text": f"避難所の状況その{n}。毛布を頼みます。"},
        }
        await door.ask("POST", "/api/messages", body, csrf)
    door.close()
    return pressed_s


async def measure(work: Path, phones: int = PHONES, messages: int = MESSAGES) -> list[Figure]:
    """Press 送信 → the message is in every phone's state; what the node holds meanwhile."""
    town = build_town(town_directory(work, "phones") / "town", {"01": ()}, clerks=PEOPLE)
    async with Wards(town) as wards:
        await wards.start("01")
        url = wards.urls["01"]
        seats = [await _log_in(url, clerk) for clerk in PEOPLE]
        audience = [Phone(url, seats[n % len(seats)][0]) for n in range(phones)]
        for phone in audience:
            await phone.open()
        tasks = [asyncio.create_task(phone.live()) for phone in audience]
        pressed_s = await _speak(url, *seats[0], messages)
        until_s = time.perf_counter() + LAST_S_MAX
        while any(pressed_s.keys() - phone.told_s.keys() for phone in audience):
            if time.perf_counter() > until_s:
                raise AssertionError("a phone never heard of a message")
            await asyncio.sleep(0.1)
        held_mb = wards.resident_mb("01")
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        other_n = await _differing(url, audience)
    delays_ms = [
        (phone.told_s[mid] - at_s) * 1000 for phone in audience for mid, at_s in pressed_s.items()
    ]
    worst_ms = [
        max(phone.told_s[mid] - at_s for phone in audience) * 1000
        for mid, at_s in pressed_s.items()
    ]
    return [
        Figure(f"{phones} phones: send → in a phone's state, p50", percentile(delays_ms, 50), "ms"),
        Figure("  p99", percentile(delays_ms, 99), "ms", limit=FAN_OUT_MS_MAX),
        Figure("  the last phone, median of the messages", percentile(worst_ms, 50), "ms"),
        Figure("  phones whose state is not the sync endpoint's", other_n, "phones", limit=0),
        Figure("  VmRSS of the node", held_mb, "MB", limit=RESIDENT_MB_MAX),
    ]


async def _differing(url: str, audience: Sequence[Phone]) -> int:
    """How many phones, once synced, know another room than a phone that asks afresh."""
    count = 0
    for phone in audience:
        fresh = Phone(url, phone.page.cookie)
        late = Phone(url, phone.page.cookie)
        await late.page.open()
        late.cursor, late.state = phone.cursor, phone.state
        await late.sync()
        await fresh.page.open()
        listed = await fresh.page.ask("GET", "/api/rooms/all/messages?limit=200")
        fresh._keep(listed["messages"])
        count += _lasting(fresh.state) != _lasting(late.state)
        fresh.page.close()
        late.page.close()
    return count


def _lasting(state: State) -> State:
    """A room without what only counts changes of rows."""
    return {key: {**message, "changed": 0} for key, message in state.items()}
