"""What the control page shows and does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from meshrelay.cli.demo.layout import (
    BROKER,
    CABLES,
    PLACES,
    Place,
    cable_label,
    cables_named,
    process_named,
)
from meshrelay.cli.demo.town import Town
from meshrelay.errors import RefusedError
from meshrelay.web.client import NodeUnreachable, fetch_status

STATUS_SECONDS_MAX = 1.5
_STATIC = files("meshrelay.cli.demo") / "static"


def panel_files() -> dict[str, tuple[str, bytes]]:
    """The page's own script and style."""
    return {
        "/control.css": ("text/css", (_STATIC / "control.css").read_bytes()),
        "/control.js": ("text/javascript", (_STATIC / "control.js").read_bytes()),
    }


class TownPanel:
    """The buttons of one town (`meshrelay.web.control.Panel`)."""

    def __init__(self, town: Town) -> None:
        self._town = town

    async def state(self) -> Mapping[str, Any]:
        """Cables, processes and stores; a count is None when the node does not answer."""
        stores = await asyncio.gather(*(self._store(place) for place in PLACES))
        return {
            "cables": {
                name: {"whole": cable.whole, "connections": cable.connections}
                for name, cable in self._town.cables.items()
            },
            "processes": {
                name: {"running": child.running, "starts": child.starts}
                for name, child in self._town.children.items()
            },
            "stores": {place.key: store for place, store in zip(PLACES, stores, strict=True)},
        }

    async def _store(self, place: Place) -> dict[str, Any] | None:
        try:
            status = await fetch_status(self._town.url(place), STATUS_SECONDS_MAX)
        except (NodeUnreachable, RefusedError):
            return None
        return {
            "messages": status.messages,
            "entries": status.entries,
            "links": len(status.links),
            "digest": status.digest[:8],
        }

    async def act(self, verb: str, name: str) -> None:
        """Cut, heal, power off or start what `name` means.

        Raises:
            RefusedError: there is no such button, or the process does not start.
        """
        cables = [cable.name for cable in cables_named(name)]
        process = process_named(name)
        match verb:
            case "cut" if cables:
                await self._town.cut(cables)
            case "heal" if cables:
                await self._town.heal(cables)
            case "power" if process:
                await self._town.kill(process, lose_witness=True)
            case "start" if process:
                await self._town.start(process)
            case _:
                raise RefusedError(
                    "no_button",
                    "そのボタンはありません。",
                    "There is no such button.",
                    "ページを読み直してください。",
                    "Load the page again.",
                    404,
                )

    async def page(self) -> bytes:
        """The page; complete without script, refreshed by it."""
        state = await self.state()
        places = "".join(self._place(place, state) for place in PLACES)
        cables = "".join(
            _row(
                "cable",
                spec.name,
                cable_label(spec),
                state["cables"][spec.name]["whole"],
                ("cut", "切る"),
                ("heal", "つなぐ"),
            )
            for spec in CABLES
        )
        broker = _row(
            "process",
            BROKER,
            "ブローカー（MQTT）",
            state["processes"][BROKER]["running"],
            ("power", "電源を抜く"),
            ("start", "入れる"),
        )
        groups = (
            _button("cut", "wan", "WANをすべて切る")
            + _button("heal", "wan", "WANをすべてつなぐ")
            + _button("cut", "nishinari", "西成区を孤立させる")
            + _button("heal", "nishinari", "西成区をつなぐ")
        )
        return _PAGE.format(places=places, cables=cables, broker=broker, groups=groups).encode()

    def _place(self, place: Place, state: Mapping[str, Any]) -> str:
        url = escape(self._town.url(place))
        monitor = f' <a href="{url}/monitor">監視</a>' if place.archive else ""
        title = f'{escape(place.ward_name)} <a href="{url}/">職員画面</a>{monitor}'
        store = state["stores"][place.key]
        figure = f'<p class="store" data-store="{place.key}">{escape(store_words(store))}</p>'
        return _row(
            "process",
            place.key,
            title,
            state["processes"][place.key]["running"],
            ("power", "電源を抜く"),
            ("start", "入れる"),
            figure,
        )


def store_words(store: Mapping[str, Any] | None) -> str:
    """One store in words; the script says the same."""
    if store is None:
        return "件数は不明（応答なし）"
    return (
        f"メッセージ {store['messages']} 件・記録 {store['entries']} 件・"
        f"つながり {store['links']}・指紋 {store['digest']}"
    )


def _row(
    kind: str,
    name: str,
    title: str,
    good: bool,
    stop: tuple[str, str],
    go: tuple[str, str],
    more: str = "",
) -> str:
    return (
        f'<li data-{kind}="{name}" class="{"on" if good else "off"}">'
        f'<div class="what"><b>{title}</b> <span class="state"></span>{more}</div>'
        f"{_button(*_named(stop, name), 'stop')}{_button(*_named(go, name), 'go')}</li>"
    )


def _named(verb: tuple[str, str], name: str) -> tuple[str, str, str]:
    return verb[0], name, verb[1]


def _button(verb: str, name: str, label: str, kind: str = "") -> str:
    return (
        f'<form method="post" action="/act" class="{kind}">'
        f'<input type="hidden" name="verb" value="{verb}">'
        f'<input type="hidden" name="name" value="{name}"><button>{label}</button></form>'
    )


_PAGE = """<!doctype html>
<html lang="ja">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>デモの操作 – meshrelay</title>
<link rel="stylesheet" href="/control.css">
<link rel="icon" href="data:,">
<h1>デモの操作 <small lang="en">demo control</small></h1>
<p id="gone" hidden>デモは終わりました。 <span lang="en">The demo has ended.</span></p>
<h2>まとめて <small lang="en">at once</small></h2>
<div class="groups">{groups}</div>
<h2>機器 <small lang="en">machines</small></h2>
<p class="note">「電源を抜く」は予告なしの停止です（SIGKILL、起動証明も消えます）。</p>
<ul>{places}{broker}</ul>
<h2>回線 <small lang="en">cables</small></h2>
<ul>{cables}</ul>
<script src="/control.js"></script>
</html>
"""
