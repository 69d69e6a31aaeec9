"""Host, origin, headers, gzip: what every request passes."""

from __future__ import annotations

import gzip

import pytest

from meshrelay.web.guard import Hosts
from tests.unit.web.conftest import HTML, Browser


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8101", "KITA.local:1", "kita.local.", "10.1.2.3", "[::1]:9", "10.9.9.9:80"]
)
def test_an_allowed_host_passes(host: str) -> None:
    hosts = Hosts(["127.0.0.1:8101", "kita.local", "10.1.2.3:80", "::1", "10.9.9.9"])

    assert hosts.allow(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1:8102",
        "127.0.0.1",
        "evil.example",
        "kita.local.evil.example",
        "kita.local@evil.example",
        "kita.local/x",
        "kita.local:abc",
        "[::2]",
        "[::1",
    ],
)
def test_every_other_host_is_refused(host: str) -> None:
    assert not Hosts(["127.0.0.1:8101", "kita.local", "::1"]).allow(host)


async def test_a_rebound_name_gets_421_even_for_status(browser: Browser) -> None:
    answer = await browser.get("/api/status", headers={"Host": "evil.example"})

    assert (answer.status, (await answer.json())["code"]) == (421, "bad_host")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "x", ""])
async def test_a_foreign_origin_changes_nothing(sato: Browser, origin: str) -> None:
    answer = await sato.post("/api/logout", None, Origin=origin)

    assert (answer.status, (await answer.json())["code"]) == (403, "bad_origin")
    assert (await sato.get("/api/me")).status == 200


async def test_our_own_origin_passes(sato: Browser) -> None:
    origin = str(sato.client.make_url("/")).rstrip("/")

    assert (await sato.post("/api/logout", None, Origin=origin)).status == 204


@pytest.mark.parametrize("path", ["/login", "/api/status", "/nowhere", "/static/page.css"])
async def test_every_answer_says_what_it_is_and_for_whom(browser: Browser, path: str) -> None:
    headers = (await browser.get(path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "aiohttp" not in headers["Server"]


@pytest.mark.parametrize("path", ["/login", "/nowhere"])
async def test_every_page_may_run_only_our_own_scripts(browser: Browser, path: str) -> None:
    headers = (await browser.get(path, headers=HTML)).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "same-origin"


async def test_an_unknown_path_is_a_problem_for_programs_and_a_page_for_people(
    browser: Browser,
) -> None:
    program, person = await browser.get("/nowhere"), await browser.get("/nowhere", headers=HTML)

    assert (program.status, program.content_type) == (404, "application/problem+json")
    assert (person.status, person.content_type) == (404, "text/html")
    assert "このページはありません" in await person.text()


async def test_a_wrong_method_names_the_right_ones(browser: Browser) -> None:
    answer = await browser.client.delete("/api/status")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert (await answer.json())["code"] == "method_not_allowed"


async def test_pages_are_gzipped_when_asked_for(browser: Browser) -> None:
    raw = {"Accept-Encoding": "gzip", **HTML}

    async with browser.client.session.get(
        browser.client.make_url("/login"), headers=raw, auto_decompress=False
    ) as answer:
        body = await answer.read()

    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(body)


async def test_what_other_packages_render_is_mounted_as_it_is(browser: Browser) -> None:
    answer = await browser.get("/readyz")

    assert (answer.status, await answer.text()) == (503, "not ready: the disk is full\n")
