"""A small HTTP client for a node's API: what a browser tab does, without the browser.

Used by `meshrelay status`, the demo's story and the scenario replay. It knows the
API of the page and nothing else, so what it sees is what people see.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from meshrelay.errors import BearerError, RefusedError
from meshrelay.node.office import Changes, Message, Posted, RoomView, Status, WhoRead

# A node on the same machine or LAN answers in milliseconds; log-in takes about 0.1 s.
TIMEOUT_SECONDS = 10.0
PAGE_MESSAGES = 200
# Pages of one room: a client that follows a wrong cursor for ever must end somewhere.
PAGES_MAX = 1000

T = TypeVar("T")


class NodeUnreachable(BearerError):
    """The node did not answer; it may be down or the address may be wrong."""


class _Problem(msgspec.Struct):
    code: str = "unknown"
    title: str = ""
    ja: str = ""
    en: str = ""
    next_ja: str = ""
    next_en: str = ""


class _LogIn(msgspec.Struct):
    csrf: str


class _Rooms(msgspec.Struct):
    rooms: list[RoomView]


class _Messages(msgspec.Struct):
    messages: list[Message]


class _Page:
    """Requests to one node, with errors as this project's exceptions."""

    def __init__(self, base_url: str, timeout_s: float = TIMEOUT_SECONDS) -> None:
        self.base_url = base_url.rstrip("/")
        # unsafe=True: keep cookies of hosts that are bare addresses, as browsers do.
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            trust_env=False,
        )
        self._csrf = ""

    async def close(self) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> bytes:
        headers = {"X-CSRF-Token": self._csrf} if self._csrf else {}
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        url = URL(self.base_url + path, encoded=True)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, params=params
            ) as answer:
                content = await answer.read()
                if answer.status >= 400:
                    raise _refusal(answer.status, content)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NodeUnreachable(f"{self.base_url} does not answer: {error}") from error


def _decoded(content: bytes, wanted: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=wanted)
    except msgspec.DecodeError as error:
        raise NodeUnreachable(f"the answer is not what a node says: {error}") from error


def _refusal(status: int, content: bytes) -> Exception:
    try:
        problem = msgspec.json.decode(content, type=_Problem)
    except msgspec.DecodeError:
        return NodeUnreachable(f"HTTP {status} without a problem document")
    return RefusedError(
        problem.code,
        problem.ja,
        problem.en or problem.title,
        problem.next_ja,
        problem.next_en,
        status,
    )


class StaffClient:
    """One person at one node. Use as `async with`, call `log_in` first.

    Every method raises `RefusedError` when the node says no (with the node's code
    and sentences) and `NodeUnreachable` when it says nothing.
    """

    def __init__(self, base_url: str, timeout_s: float = TIMEOUT_SECONDS) -> None:
        self._page = _Page(base_url, timeout_s)

    async def __aenter__(self) -> StaffClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._page.close()

    async def log_in(self, staff: str, card: str, pin: str, pin_again: str | None = None) -> None:
        """`pin_again`: at the first use of a card, which chooses its PIN."""
        body = {"staff": staff, "card": card, "pin": pin}
        if pin_again is not None:
            body["pin_again"] = pin_again
        content = await self._page.request("POST", "/api/login", body)
        self._page._csrf = _decoded(content, _LogIn).csrf

    async def log_out(self) -> None:
        await self._page.request("POST", "/api/logout", {})
        self._page._csrf = ""

    async def rooms(self) -> list[RoomView]:
        return _decoded(await self._page.request("GET", "/api/rooms"), _Rooms).rooms

    async def messages(self, room: str) -> list[Message]:
        """Every message of a room, oldest first."""
        found: list[Message] = []
        before: str | None = None
        for _ in range(PAGES_MAX):
            params = {"limit": str(PAGE_MESSAGES)}
            if before is not None:
                params["before"] = before
            content = await self._page.request(
                "GET", f"/api/rooms/{quote(room, safe=':')}/messages", params=params
            )
            older = _decoded(content, _Messages).messages
            if not older:
                break
            found = older + found
            before = older[0].sort
        return found

    async def post(
        self, message_id: str, room: str, text: str, created_ms: int | None = None
    ) -> Posted:
        body: dict[str, Any] = {"id": message_id, "room": room, "body": {"text": text}}
        if created_ms is not None:
            body["created_ms"] = created_ms
        return _decoded(await self._page.request("POST", "/api/messages", body), Posted)

    async def read(self, items: list[tuple[str, str]]) -> None:
        """Say that (author, message id) were displayed."""
        await self._page.request("POST", "/api/read", {"items": items})

    async def sync(self, after: str | None) -> Changes:
        params = {} if after is None else {"after": after}
        return _decoded(await self._page.request("GET", "/api/sync", params=params), Changes)

    async def who(self, author: str, message_id: str) -> WhoRead:
        path = f"/api/messages/{quote(author, safe='')}/{quote(message_id, safe='')}/who"
        content = await self._page.request("GET", path)
        return _decoded(content, WhoRead)


async def fetch_status(base_url: str, timeout_s: float = TIMEOUT_SECONDS) -> Status:
    """What the node says of itself; needs no log-in."""
    page = _Page(base_url, timeout_s)
    try:
        return _decoded(await page.request("GET", "/api/status"), Status)
    finally:
        await page.close()


async def is_ready(base_url: str, timeout_s: float = 2.0) -> bool:
    """Whether /readyz answers 200."""
    page = _Page(base_url, timeout_s)
    try:
        await page.request("GET", "/readyz")
    except (NodeUnreachable, RefusedError):
        return False
    finally:
        await page.close()
    return True
