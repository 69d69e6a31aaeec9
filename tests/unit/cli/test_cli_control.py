"""The control page: plain forms, its own origin only."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from meshrelay.cli.demo.panel import TownPanel, panel_files, store_words
from meshrelay.errors import ConfigError, RefusedError
from meshrelay.web.control import ControlServer

HOST = "127.0.0.1"


class Panel:
    def __init__(self) -> None:
        self.pressed: list[tuple[str, str]] = []

    async def page(self) -> bytes:
        return "<!doctype html><title>操作</title>".encode()

    async def state(self) -> Mapping[str, Any]:
        return {"cables": {}}

    async def act(self, verb: str, name: str) -> None:
        if verb != "cut":
            raise RefusedError("no_button", "ありません", "none", "", "", 404)
        self.pressed.append((verb, name))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def test_a_button_of_our_own_page_acts_and_returns_to_the_page() -> None:
    panel, port = Panel(), free_port()
    url = f"http://{HOST}:{port}"
    async with (
        ControlServer(panel, HOST, port, panel_files()),
        aiohttp.ClientSession() as client,
    ):
        form = {"verb": "cut", "name": "wan"}
        answer = await client.post(
            f"{url}/act", data=form, headers={"Origin": url}, allow_redirects=False
        )
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert panel.pressed == [("cut", "wan")]

        answer = await client.post(
            f"{url}/act", data={"verb": "sing", "name": "wan"}, headers={"Origin": url}
        )
        assert answer.status == 404
        for path in ("/", "/state", "/control.css", "/control.js"):
            answer = await client.get(f"{url}{path}")
            assert answer.status == 200
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example"])
async def test_another_sites_button_does_nothing(origin: str | None) -> None:
    panel, port = Panel(), free_port()
    headers = {} if origin is None else {"Origin": origin}
    async with (
        ControlServer(panel, HOST, port, {}),
        aiohttp.ClientSession() as client,
    ):
        answer = await client.post(
            f"http://{HOST}:{port}/act", data={"verb": "cut", "name": "wan"}, headers=headers
        )
        assert answer.status == 403
    assert panel.pressed == []


async def test_a_name_that_was_rebound_to_us_is_refused() -> None:
    port = free_port()
    async with (
        ControlServer(Panel(), HOST, port, {}),
        aiohttp.ClientSession() as client,
    ):
        answer = await client.get(f"http://{HOST}:{port}/", headers={"Host": "evil.example"})
        assert answer.status == 421


async def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(ConfigError, match=f"control page: port {port} is taken"):
            async with ControlServer(Panel(), HOST, port, {}):
                pass


def test_an_unknown_count_is_never_shown_as_zero() -> None:
    assert store_words(None) == "件数は不明（応答なし）"
    shown = store_words({"messages": 3, "entries": 5, "links": 0, "digest": "abcd0123"})
    assert shown == "メッセージ 3 件・記録 5 件・つながり 0・指紋 abcd0123"


def test_the_scripts_words_are_the_pages_words() -> None:
    script = panel_files()["/control.js"][1].decode()

    words = ("件数は不明（応答なし）", "メッセージ ", " 件・記録 ", " 件・つながり ", "・指紋 ")
    assert [word for word in words if word not in script] == []


def test_the_page_needs_no_inline_script() -> None:
    from meshrelay.cli.demo import panel

    assert TownPanel is not None
    assert "<script>" not in panel._PAGE
    assert "style=" not in panel._PAGE
