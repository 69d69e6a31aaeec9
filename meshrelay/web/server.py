"""The HTTP server of a node: wires the API, the pages and what other packages render."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

from meshrelay.errors import ConfigError
from meshrelay.node.office import Office
from meshrelay.web import guard, openapi
from meshrelay.web.api import Api
from meshrelay.web.assets import Assets
from meshrelay.web.board_pages import BoardPages
from meshrelay.web.courier_pages import CourierPages
from meshrelay.web.desk_pages import DeskPages
from meshrelay.web.display_pages import DisplayPages
from meshrelay.web.document_pages import DocumentPages
from meshrelay.web.doors import Doors
from meshrelay.web.drawing import Drawing
from meshrelay.web.entering import Entering
from meshrelay.web.event_pages import EventPages
from meshrelay.web.file_pages import FilePages
from meshrelay.web.limits import Limits
from meshrelay.web.live import Live
from meshrelay.web.pages import Pages
from meshrelay.web.rights import Policy
from meshrelay.web.room_pages import RoomPages
from meshrelay.web.sessions import Sessions
from meshrelay.web.told_pages import ToldPages

# Open event streams are told to end; whoever does not listen is cut.
STOP_S_MAX = 2.0
POLICY = Policy()
LIMITS = Limits()


class Page(NamedTuple):
    """What another package rendered for a GET; a plain tuple of the same shape will do."""

    status: int
    content_type: str
    body: bytes


Render = Callable[[], Awaitable[tuple[int, str, bytes]]]


def create_app(
    office: Office,
    *,
    hosts: Iterable[str],
    extra: Mapping[str, Render] | None = None,
    policy: Policy = POLICY,
    limits: Limits = LIMITS,
) -> web.Application:
    """The whole application of one node.

    `hosts` is the Host allow-list (`name:port`, or `name` for every port); whatever
    else is asked for gets 421. `extra` mounts GET paths that other packages render.
    One application may listen on http and https: a request knows which it came by.
    Two applications in one process share nothing.
    """
    live = Live(office)
    sessions = Sessions(office)
    sessions.on_end(live.ring)
    assets = Assets()
    doors = Doors(office, sessions, limits)
    drawing = Drawing(office, assets)
    api = Api(office, sessions, live, doors, policy)
    pages = Pages(office, sessions, drawing, policy, doors)
    app = web.Application(
        middlewares=[guard.middleware(guard.Hosts(hosts), pages.problem)],
        client_max_size=guard.BODY_BYTES_MAX,
    )
    api.mount(app)
    RoomPages(office, sessions, drawing, policy, doors).mount(app)
    pages.mount(app)
    Entering(office, sessions, drawing, policy, doors).mount(app)
    DeskPages(office, sessions, drawing, policy, doors).mount(app)
    CourierPages(office, sessions, drawing, policy, doors).mount(app)
    FilePages(office, sessions, drawing, policy, doors).mount(app)
    ToldPages(office, sessions, drawing, policy, doors).mount(app)
    DisplayPages(office, sessions, drawing, policy, doors, live.ring).mount(app)
    for papers in (BoardPages, EventPages, DocumentPages):
        papers(office, sessions, drawing, policy, doors).mount(app)
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


class Https(NamedTuple):
    """The encrypted tier beside http: where it listens, PEM files of certificate chain and key."""

    host: str
    port: int
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Browsers of managed devices: TLS 1.2 and 1.3, no client certificate.

        Raises:
            ConfigError: a file is missing, damaged, or key and certificate do not fit.
        """
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.set_alpn_protocols(["http/1.1"])
        try:
            made.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"[web] certificate = {self.certificate}, key = {self.key}: expected a PEM "
                f"certificate and its key ({error})"
            ) from error
        return made


class Server:
    """A listening application: `async with serve(app, host, port) as server`."""

    def __init__(self, app: web.Application, host: str, port: int, https: Https | None) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S_MAX)
        self._host = host
        self._port = port
        self._https = https

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: an address is taken or not ours, or the certificate cannot be used.
        """
        context = self._https.context() if self._https else None
        await self._runner.setup()
        await self._listen("listen", self._host, self._port, None)
        if self._https:
            await self._listen("https_listen", self._https.host, self._https.port, context)

    async def _listen(self, key: str, host: str, port: int, context: ssl.SSLContext | None) -> None:
        site = web.TCPSite(self._runner, host, port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"[web] {key} = {host}:{port}: cannot listen there "
                f"({error.strerror}); expected a free address of this machine"
            ) from error

    async def stop(self) -> None:
        """Stop listening and end every open stream; twice is once."""
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The http port in use, also when 0 was asked for."""
        return int(self._runner.addresses[0][1])

    @property
    def https_port(self) -> int | None:
        """The https port in use, None without https."""
        return int(self._runner.addresses[-1][1]) if self._https else None

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


def serve(app: web.Application, host: str, port: int, https: Https | None = None) -> Server:
    """A server for `app`; nothing listens before `start` or `async with`."""
    return Server(app, host, port, https)
