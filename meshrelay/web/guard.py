"""What every request passes: host, origin, errors as problems, security headers, gzip."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

import msgspec
from aiohttp import hdrs, web

from meshrelay.errors import RefusedError, StoreError
from meshrelay.web import problems

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ErrorPage = Callable[[web.Request, problems.Problem], web.Response]

# Marks answers that a handler of ours made; what lacks it is aiohttp's bare 500.
OURS = web.ResponseKey("ours", bool)

# One screenful of talk is 4,000 characters; a batch of read marks some 500 ids.
BODY_BYTES_MAX = 64 * 1024
# Below this the gzip header costs more than it saves.
GZIP_BYTES_MIN = 1024

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
HEADERS = {
    "Server": "meshrelay",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What only a document can break; on every script and style they would cost a cold room
# page 5 kB of its 30.
PAGE_HEADERS = {
    "Content-Security-Policy": CSP,
    # Not no-referrer: with it browsers send `Origin: null` on form posts, and the
    # Origin check would refuse pages without JavaScript. Nothing leaves the origin.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=(self)",
}
_COMPRESSIBLE = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/openapi+json",
)


class Hosts:
    """The Host allow-list: the defence against DNS rebinding.

    An entry with a port allows that port only, one without allows every port.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(_split(entry) for entry in allowed)

    def allow(self, host: str, *, secure: bool = False) -> bool:
        name, port = _split(host)
        return bool(name) and (
            (name, port or (443 if secure else 80)) in self._allowed
            or (name, port) in self._allowed
            or (name, None) in self._allowed
        )


def _split(host: str) -> tuple[str, int | None]:
    """(name, port) of a Host header; ("", None) if it is none."""
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"  # a bare IPv6 address in the configuration
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return "", None
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return "", None
    return (parts.hostname or "").rstrip("."), port


def check_origin(request: web.Request) -> None:
    """Refuse a state change that a page of another origin started."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return
    try:
        scheme, netloc, *_ = urlsplit(origin)
    except ValueError:
        scheme = netloc = ""
    if not netloc or scheme != request.scheme or _split(netloc) != _split(request.host):
        raise problems.bad_origin()


def wants_json(request: web.Request) -> bool:
    """Whether the answer is for a program; a browser's navigation gets a page."""
    if request.path.startswith("/api/") or request.path.endswith(".json"):
        return True
    return "text/html" not in request.headers.get(hdrs.ACCEPT, "")


def middleware(hosts: Hosts, error_page: ErrorPage) -> Callable[..., Awaitable[web.StreamResponse]]:
    """The one middleware; `error_page` draws a problem for people."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers: dict[str, str] = {}
        try:
            if not hosts.allow(request.host, secure=request.secure):
                raise problems.bad_host()
            if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
                check_origin(request)
            response = await handler(request)
            response[OURS] = True
            return _gzipped(request, response)
        except RefusedError as error:
            problem = problems.problem_of(error)
            if isinstance(error, problems.WaitError):
                headers[hdrs.RETRY_AFTER] = str(error.seconds)
        except StoreError:
            log.error("request failed path=%s reason=store", request.path)
            problem = problems.problem_for_status(503)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            problem = problems.problem_for_status(error.status)
            if hdrs.ALLOW in error.headers:
                headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        draw = problems.problem_page if wants_json(request) else error_page
        drawn = draw(request, problem)
        drawn[OURS] = True
        drawn.headers.update(headers)
        return _gzipped(request, drawn)

    return guard


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on every answer, and a problem into aiohttp's bare 500.

    No handler catches everything: an unforeseen exception is logged with its
    traceback by aiohttp, and only the text that the client reads is replaced here.
    """
    response.headers.update(HEADERS)
    if response.content_type == "text/html":
        response.headers.update(PAGE_HEADERS)
    if isinstance(response, web.Response) and response.status >= 500 and OURS not in response:
        response.body = msgspec.json.encode(problems.problem_for_status(response.status))
        response.headers[hdrs.CONTENT_TYPE] = problems.CONTENT_TYPE
        response.headers[hdrs.CONTENT_LENGTH] = str(len(response.body))


def accepts_gzip(request: web.Request) -> bool:
    """Whether the client takes gzip; browsers offer no brotli on http."""
    return "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()


def _gzipped(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if (
        isinstance(response, web.Response)
        and isinstance(response.body, bytes)
        and len(response.body) >= GZIP_BYTES_MIN
        and hdrs.CONTENT_ENCODING not in response.headers
        and response.content_type.startswith(_COMPRESSIBLE)
    ):
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        if accepts_gzip(request):
            response.body = gzip.compress(response.body, 9, mtime=0)
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return response
