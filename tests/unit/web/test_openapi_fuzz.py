"""Whatever our OpenAPI document allows, and what it does not, is answered: never a 5xx."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshrelay.web.server import create_app
from tests.office_fake import YAMADA, FakeOffice
from tests.unit.web.conftest import Browser

TRIES = 40
# Ends when the server ends; what it sends is tested in test_live.
ENDLESS = "/api/events"
OWN_END = "/api/logout"

Schema = dict[str, Any]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


def fitting(schema: Schema, schemas: dict[str, Schema]) -> st.SearchStrategy[Any]:
    """Values that a schema of ours allows."""
    if "$ref" in schema:
        return fitting(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return st.one_of([fitting(each, schemas) for each in schema[word]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        needed = set(schema.get("required", ()))
        parts = {name: fitting(each, schemas) for name, each in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: part for name, part in parts.items() if name in needed},
            optional={name: part for name, part in parts.items() if name not in needed},
        )
    if kind == "array":
        few = [fitting(each, schemas) for each in schema.get("prefixItems", ())]
        return st.tuples(*few) if few else st.lists(fitting(schema["items"], schemas), max_size=3)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "object": st.dictionaries(st.text(max_size=8), anything, max_size=3),
        "string": st.text(max_size=40) | st.sampled_from(["1001", "all", "talk", "01" * 32]),
        "integer": st.integers(-(2**70), 2**70),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return simple.get(str(kind), anything)


@dataclass
class Fuzzed:
    """A registrar's browser at a server that stays up over all tries."""

    runner: asyncio.Runner
    browser: Browser
    document: dict[str, Any]

    def send(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        return self.runner.run(self._send(method, path, **more))

    async def _send(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        await self.browser.log_in(YAMADA.staff_id)
        headers = {"X-CSRF-Token": self.browser.csrf}
        async with self.browser.client.request(
            method, path, headers=headers, allow_redirects=False, **more
        ) as answer:
            return answer.status, answer.content_type


async def opened(runner: asyncio.Runner) -> Fuzzed:
    office = FakeOffice()
    office.hire(YAMADA)
    server = TestServer(create_app(office, hosts=["127.0.0.1"]))
    client = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    await client.start_server()
    document = await (await client.get("/openapi.json")).json()
    return Fuzzed(runner, Browser(client), document)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with asyncio.Runner() as runner:
        found = runner.run(opened(runner))
        yield found
        runner.run(found.browser.client.close())


def operations() -> list[tuple[str, str]]:
    with asyncio.Runner() as runner:
        found = runner.run(opened(runner))
        runner.run(found.browser.client.close())
    return [
        (method, path)
        for path, methods in found.document["paths"].items()
        for method in methods
        if path not in (ENDLESS, OWN_END)
    ]


@pytest.mark.parametrize(("method", "path"), operations())
def test_no_request_is_answered_by_a_5xx(fuzzed: Fuzzed, method: str, path: str) -> None:
    described = fuzzed.document["paths"][path][method]
    schemas = fuzzed.document["components"]["schemas"]
    wanted = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    bodies = anything
    if wanted:
        bodies = fitting(wanted["schema"], schemas) | anything
    queries = [p["name"] for p in described.get("parameters", ()) if p["in"] == "query"]
    codes = set()

    @settings(max_examples=TRIES, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def try_it(data: st.DataObject) -> None:
        text = st.text(max_size=20) | st.sampled_from(["all", "1001", "ward:01"])
        target = re.sub(r"\{\w+\}", lambda _: quote(data.draw(text), safe="") or "x", path)
        params = {name: data.draw(text) for name in queries if data.draw(st.booleans())}
        more = {"json": data.draw(bodies)} if method == "post" else {}
        status, kind = fuzzed.send(method.upper(), target, params=params, **more)
        codes.add(status)
        assert status < 500
        assert kind == "application/problem+json" if status >= 400 else True

    try_it()

    assert codes


@given(st.data())
@settings(max_examples=60, deadline=None, database=None, derandomize=True,
          suppress_health_check=list(HealthCheck))  # fmt: skip
def test_no_form_of_nonsense_is_answered_by_a_5xx(fuzzed: Fuzzed, data: st.DataObject) -> None:
    forms = (
        "/login", "/lock", "/lock/open", "/rooms/all", "/rooms/all/note", "/rooms/all/read",
        "/settings/pin", "/settings/device", "/cards/reset", "/cards/settle", "/cards/temporary",
        "/nodes/suspend", "/nodes/lift",
    )  # fmt: skip
    names = (
        "text", "id", "source", "source_name", "items", "next", "staff", "card", "pin", "new_pin",
        "new_pin_again", "device", "name", "kana", "unit", "node", "confirm", "q",
    )  # fmt: skip
    fuzzed.runner.run(fuzzed.browser.log_in(YAMADA.staff_id))
    fields = data.draw(st.dictionaries(st.sampled_from(names), st.text(max_size=30)))
    path = data.draw(st.sampled_from(forms))

    async def post() -> int:
        answer = await fuzzed.browser.client.post(
            path,
            data={"csrf": fuzzed.browser.csrf, **fields},
            headers={"Accept": "text/html"},
            allow_redirects=False,
        )
        return answer.status

    assert fuzzed.runner.run(post()) < 500
