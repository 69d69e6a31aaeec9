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

from meshrelay.node.office import Office
from meshrelay.web.server import create_app
from tests.office_fake import FakeOffice
from tests.town import SATO, Clerk, build_town

TRIES = 12
# Each of these costs a log-in, which costs Argon2id.
TRIES_OF_DOORS = 4
# Ends when the server ends; what it sends is tested in test_live.
ENDLESS = "/api/events"
ENDS = ("/api/logout", "/api/lock", "/lock", "/login", "/api/login")
UMEDA = Clerk("R101", "梅田 一郎", "うめだ いちろう", "01", "", ("registrar",))

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
    client: TestClient[Any, Any]
    card: dict[str, str]
    document: dict[str, Any]
    csrf: str = ""

    def send(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        """Status and kind of the answer to a logged-in, unlocked browser."""
        return self.runner.run(self._send(method, path, **more))

    async def _send(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        if not self.csrf:
            answer = await self.client.post("/api/login", json=self.card)
            self.csrf = (await answer.json())["csrf"]
        headers = {"X-CSRF-Token": self.csrf, **more.pop("headers", {})}
        if "fields" in more:
            more["data"] = {"csrf": self.csrf, **more.pop("fields")}
        async with self.client.request(
            method, path, headers=headers, allow_redirects=False, **more
        ) as answer:
            if path in ENDS or answer.status in (401, 423):
                self.csrf = ""  # another session, none, or a locked one
            return answer.status, answer.content_type


async def opened(runner: asyncio.Runner, office: Office, card: dict[str, str]) -> Fuzzed:
    server = TestServer(create_app(office, hosts=["127.0.0.1"]))
    client = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    await client.start_server()
    document = await (await client.get("/openapi.json")).json()
    return Fuzzed(runner, client, card, document)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """A real node's pages: what passes the page's checks is judged by the node's own."""
    card = {"staff": UMEDA.staff_id, "pin": UMEDA.pin}
    with asyncio.Runner() as runner:
        town = build_town(tmp_path_factory.mktemp("town"), {"01": ()}, clerks=(SATO, UMEDA))
        runner.run(town.start("01"))
        found = runner.run(opened(runner, town.nodes["01"], {**card, "card": UMEDA.code}))
        yield found
        runner.run(found.client.close())
        runner.run(town.stop("01"))
        town.witnesses.cleanup()


def operations() -> list[tuple[str, str]]:
    with asyncio.Runner() as runner:
        found = runner.run(opened(runner, FakeOffice(), {}))
        runner.run(found.client.close())
    return [
        (method, path)
        for path, methods in found.document["paths"].items()
        for method in methods
        if path not in (ENDLESS,)
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

    @settings(max_examples=TRIES_OF_DOORS if path in ENDS else TRIES, deadline=None,
              database=None, derandomize=True, suppress_health_check=list(HealthCheck))  # fmt: skip
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
@settings(max_examples=25, deadline=None, database=None, derandomize=True,
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
    fields = data.draw(st.dictionaries(st.sampled_from(names), st.text(max_size=30)))
    path = data.draw(st.sampled_from(forms))

    status, _ = fuzzed.send("POST", path, fields=fields, headers={"Accept": "text/html"})

    assert status < 500
