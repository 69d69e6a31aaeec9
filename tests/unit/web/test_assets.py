"""Static files: what is vendored is what it says, scripts are old enough, caches are right."""

from __future__ import annotations

import gzip
import hashlib
import re
from importlib.resources import files

import pytest

from meshrelay.web.assets import Assets
from tests.unit.web.conftest import Browser

SCRIPTS = [n for n in Assets().names() if n.endswith(".js") and not n.startswith("vendor/")]


def test_a_vendored_file_has_the_recorded_hash_and_licences() -> None:
    assets = Assets()
    note = assets["vendor/VENDORED.txt"].body.decode()

    recorded = dict(re.findall(r"^(\S+\.js)\n(?:  .*\n)*?  sha256 +([0-9a-f]{64})$", note, re.M))

    vendored = [n for n in assets.names() if n.startswith("vendor/") and n.endswith(".js")]
    assert vendored == ["vendor/nacl-fast.js", "vendor/preact-htm.js"]
    for name in vendored:
        digest = hashlib.sha256(assets[name].body).hexdigest()
        assert recorded[name.removeprefix("vendor/")] == digest
    assert "Apache-2.0" in note and "The MIT License" in note and "public domain" in note


@pytest.mark.parametrize("name", [*SCRIPTS, "vendor/nacl-fast.js", "vendor/preact-htm.js"])
def test_a_script_is_es2019_and_needs_no_secure_context(name: str) -> None:
    text = re.sub(r"//.*", "", Assets()[name].body.decode())

    for newer in (r"\?\.[A-Za-z_(\[]", r"\?\?", r"\|\|=|&&=", r"\.replaceAll\(", r"\.at\("):
        assert not re.search(newer, text), newer
    for secure_only in ("randomUUID", "crypto.subtle", "serviceWorker", "navigator.clipboard"):
        assert secure_only not in text


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_imports_only_relative_files_that_exist(name: str) -> None:
    assets = Assets()
    for path in re.findall(r'from "([^"]+)"', assets[name].body.decode()):
        assert path.startswith("./")
        assert path.removeprefix("./") in assets.names()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_sent_without_its_remarks_and_with_every_other_line(name: str) -> None:
    source = (files("meshrelay.web") / "static" / name).read_text()
    lines = [line.lstrip() for line in source.splitlines()]

    assert Assets()[name].body.decode().splitlines() == [
        line for line in lines if line and not line.startswith("//")
    ]


@pytest.mark.parametrize("name", Assets().names())
def test_no_file_names_another_origin(name: str) -> None:
    if name.endswith(".txt"):
        return
    urls = set(re.findall(r"https?://[\w.-]+", Assets()[name].body.decode()))

    assert urls <= {"http://www.w3.org"}  # the SVG namespace is a name, not an address


async def test_a_versioned_path_is_cached_for_ever_and_a_bare_one_asks_again(
    browser: Browser,
) -> None:
    version = Assets().version

    fixed = await browser.get(f"/static/{version}/page.css")
    bare = await browser.get("/static/page.css")
    known = await browser.get("/static/page.css", headers={"If-None-Match": bare.headers["ETag"]})

    assert "immutable" in fixed.headers["Cache-Control"]
    assert bare.headers["Cache-Control"] == "no-cache"
    assert (known.status, await known.read()) == (304, b"")
    assert await fixed.read() == await bare.read()


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/", "/static/old/page.css"]
)
async def test_nothing_outside_static_is_served(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).status == 404


async def test_a_client_without_gzip_gets_plain_bytes(browser: Browser) -> None:
    async with browser.client.session.get(
        browser.client.make_url("/static/page.css"),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as answer:
        body = await answer.read()

    asset = Assets()["page.css"]
    assert "Content-Encoding" not in answer.headers
    assert body == asset.body == gzip.decompress(asset.zipped)
