"""Static files: read once, compressed once, served from memory under a versioned path."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import hdrs, web

from meshrelay.web.guard import accepts_gzip

_REMARK = re.compile(rb"^[ \t]*(//[^\n]*|/\*[^*]*\*/)\n", re.MULTILINE)
_INDENT = re.compile(rb"^[ \t]*\n|^[ \t]+", re.MULTILINE)
# Nothing in our styles' strings looks so.
_CSS_GAP = re.compile(rb"\s*([{};,])\s*|(:)\s+")
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    content_type: str
    body: bytes
    zipped: bytes
    etag: str


class Assets:
    """Every file of static/.

    `version` is a hash over all of them; /static/{version}/… may be cached for
    ever, and relative imports stay inside the version. /static/… works too, with
    an ETag.
    """

    def __init__(self) -> None:
        self._files = dict(_read(files("meshrelay.web") / "static", ""))
        digest = hashlib.sha256()
        for name in sorted(self._files):
            digest.update(f"{name}\0{self._files[name].etag}\0".encode())
        self.version = digest.hexdigest()[:12]

    def __getitem__(self, name: str) -> Asset:
        return self._files[name]

    def names(self) -> list[str]:
        return sorted(self._files)

    def mount(self, app: web.Application) -> None:
        app.router.add_get("/static/{name:.+}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        versioned = name.startswith(f"{self.version}/")
        asset = self._files.get(name.removeprefix(f"{self.version}/"))
        if asset is None:
            raise web.HTTPNotFound
        cached = "public, max-age=31536000, immutable" if versioned else "no-cache"
        headers = {hdrs.CACHE_CONTROL: cached, hdrs.ETAG: asset.etag, hdrs.VARY: "Accept-Encoding"}
        if request.headers.get(hdrs.IF_NONE_MATCH) == asset.etag:
            return web.Response(status=304, headers=headers)
        headers[hdrs.CONTENT_TYPE] = f"{asset.content_type}; charset=utf-8"
        if accepts_gzip(request):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            return web.Response(body=asset.zipped, headers=headers)
        return web.Response(body=asset.body, headers=headers)


def _spare(body: bytes, content_type: str) -> bytes:
    """Our own scripts and styles without what only their readers need: an eighth of a page's bytes.

    A script's remark has a line of its own; no line within a template literal is empty, begins with
    // or needs the spaces before it.
    """
    spare = _INDENT.sub(b"", _REMARK.sub(b"", body))
    if content_type != "text/css":
        return spare
    return _CSS_GAP.sub(rb"\1\2", spare).replace(b";}", b"}")


def _read(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _read(item, f"{prefix}{item.name}/")
        elif content_type := _TYPES.get("." + item.name.rpartition(".")[2]):
            body = item.read_bytes()
            if not prefix:
                body = _spare(body, content_type)
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            zipped = gzip.compress(body, 9, mtime=0)
            found.append((prefix + item.name, Asset(content_type, body, zipped, etag)))
    return found
