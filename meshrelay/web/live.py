"""Server-Sent Events: they only say "something is new"; the truth is GET /api/sync.

The data of `new` is `Office.urgent_stamp`: where it changed, a page asks GET /api/urgent too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from meshrelay.node.office import Office

# pages.md: heartbeat every 20 s, a page re-opens after 45 s of silence.
HEARTBEAT_S = 20.0
# A burst (a whole ward coming back) becomes at most ten events a second and page.
PAUSE_S = 0.1
# A phone that does not drain its socket for this long is gone.
WRITE_S_MAX = 30.0

# The comment is for proxies and tests; a script cannot see comments, so a named
# event carries the same beat.
_BEAT = b":hb\n\nevent: hb\ndata: \n\n"


class Live:
    """Fans one subscription of the node out to every open page."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._bells: set[asyncio.Event] = set()
        self._closed = False
        self._unsubscribe: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._bells)

    def start(self) -> None:
        self._unsubscribe = self._office.subscribe(self.ring)

    def ring(self) -> None:
        """Wake every stream: something changed, or somebody logged out."""
        for bell in self._bells:
            bell.set()

    def close(self) -> None:
        """End every stream, so that the server can stop at once."""
        self._closed = True
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self.ring()

    async def stream(self, request: web.Request, alive: Callable[[], bool]) -> web.StreamResponse:
        """Serve one page until it leaves, `alive` says no, or the server stops."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            await response.prepare(request)
            await response.write(b":hb\n\n")
            while not self._closed and alive():
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await bell.wait()
                except TimeoutError:
                    piece = _BEAT
                else:
                    bell.clear()
                    piece = f"event: new\ndata: {self._office.urgent_stamp}\n\n".encode()
                if self._closed or not alive():
                    break
                async with asyncio.timeout(WRITE_S_MAX):
                    await response.write(piece)
                await asyncio.sleep(PAUSE_S)
        except (ConnectionResetError, TimeoutError):
            pass  # the page left; it asks /api/sync when it comes back
        finally:
            self._bells.discard(bell)
        return response
