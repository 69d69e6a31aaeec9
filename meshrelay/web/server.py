"""The HTTP server of a node: wires the API, the pages and what other packages render."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

from meshrelay.errors import ConfigError
from meshrelay.node.office import Office
from meshrelay.web import guard, openapi
from meshrelay.web.api import Api
from meshrelay.web.assets import Assets
from meshrelay.web.live import Live
from meshrelay.web.pages import Pages
from meshrelay.web.sessions import Sessions

# Open event streams are told to end; whoever does not listen is cut.
STOP_S_MAX = 2.0


class Page(NamedTuple):
    """What another package rendered for a GET; a plain tuple of the same shape will do."""

    status: int
    content_type: str
    body: bytes


Render = Callable[[], Awaitable[tuple[int, str, bytes]]]


def create_app(
    office: Office, *, hosts: Iterable[str], extra: Mapping[str, Render] | None = None
) -> web.Application:
    """The whole application of one node.

    `hosts` is the Host allow-list (`name:port`, or `name` for every port); whatever
    else is asked for gets 421. `extra` mounts GET paths that other packages render.
    Two applications in one process share nothing.
    """
    live = Live(office)
    sessions = Sessions(office)
    sessions.on_end(live.ring)
    assets = Assets()
    api = Api(office, sessions, live)
    pages = Pages(office, sessions, assets)
    app = web.Application(
        middlewares=[guard.middleware(guard.Hosts(hosts), pages.problem)],
        client_max_size=guard.BODY_BYTES_MAX,
    )
    api.mount(app)
    pages.mount(app)
    assets.mount(app)

    async def describe(_request: web.Request) -> web.Response:
        version = office.status().version
        return web.json_response(openapi.document(api.operations(), version, sessions.cookie))

    app.router.add_get("/openapi.json", describe)
    for path, render in (extra or {}).items():
        app.router.add_get(path, _rendered(render))

    async def start(_app: web.Application) -> None:
        live.start()

    async def stop(_app: web.Application) -> None:
        live.close()

    app.on_startup.append(start)
    app.on_shutdown.append(stop)
    app.on_response_prepare.append(guard.on_prepare)
    return app


def _rendered(render: Render) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_request: web.Request) -> web.Response:
        status, content_type, body = await render()
        headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
        return web.Response(status=status, body=body, headers=headers)

    return handle


class Server:
    """A listening application: `async with serve(app, host, port) as server`."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S_MAX)
        self._host = host
        self._port = port

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address is taken or not ours; names it.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"[web] listen = {self._host}:{self._port}: cannot listen there "
                f"({error.strerror}); expected a free address of this machine"
            ) from error

    async def stop(self) -> None:
        """Stop listening and end every open stream; twice is once."""
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for."""
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


def serve(app: web.Application, host: str, port: int) -> Server:
    """A server for `app`; nothing listens before `start` or `async with`."""
    return Server(app, host, port)
