"""The demo's control page: buttons that cut cables and pull plugs. Never part of a node.

Plain forms, so that it works without script; the script only refreshes the figures.
It has no log-in because it listens on the loopback address and the demo holds no real
data; other sites are kept out by the Host allow-list and by the Origin check.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

import msgspec
from aiohttp import web

from meshrelay.errors import ConfigError, RefusedError

_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers then say `Origin: null` on our own forms (Fetch, 3.2).
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Panel(Protocol):
    """What the buttons do."""

    async def page(self) -> bytes:
        """The whole page as HTML."""

    async def state(self) -> Mapping[str, Any]:
        """What the script shows, as JSON."""

    async def act(self, verb: str, name: str) -> None:
        """Press one button.

        Raises:
            RefusedError: there is no such button, or it cannot be pressed now.
        """


class ControlServer:
    """Serves one panel on one loopback address. Use as `async with`.

    `files` are the page's own script and style: path -> (content type, bytes).

    Raises:
        ConfigError: on entry, when the port is taken.
    """

    def __init__(
        self, panel: Panel, host: str, port: int, files: Mapping[str, tuple[str, bytes]]
    ) -> None:
        self._panel = panel
        self._host = host
        self._port = port
        self._files = dict(files)
        self._hosts = {f"{host}:{port}", f"localhost:{port}"}
        app = web.Application(middlewares=[self._guard], client_max_size=4096)
        app.router.add_get("/", self._page)
        app.router.add_get("/state", self._state)
        app.router.add_post("/act", self._act)
        for path in self._files:
            app.router.add_get(path, self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def __aenter__(self) -> ControlServer:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port, reuse_address=True).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(f"control page: port {self._port} is taken") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.host not in self._hosts:
            raise web.HTTPMisdirectedRequest(text="unknown host", headers=_SECURITY)
        if request.method == "POST" and request.headers.get("Origin") not in {
            f"http://{host}" for host in self._hosts
        }:
            raise web.HTTPForbidden(text="another site's button", headers=_SECURITY)
        response: web.StreamResponse = await handler(request)
        response.headers.update(_SECURITY)
        return response

    async def _page(self, request: web.Request) -> web.StreamResponse:
        body = await self._panel.page()
        return web.Response(body=body, content_type="text/html", charset="utf-8")

    async def _state(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.encode(await self._panel.state())
        return web.Response(body=body, content_type="application/json")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        content_type, body = self._files[request.path]
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    async def _act(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        try:
            await self._panel.act(str(form.get("verb", "")), str(form.get("name", "")))
        except RefusedError as error:
            return web.Response(status=error.status, text=f"{error.ja}\n{error.en}\n")
        return web.Response(status=303, headers={"Location": "/"})
