"""The OpenAPI document describes every route there is, and no other."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from meshrelay.web.server import create_app
from tests.office_fake import FakeOffice
from tests.unit.web.conftest import Browser


async def document(browser: Browser) -> dict[str, Any]:
    found: dict[str, Any] = await (await browser.get("/openapi.json")).json()
    return found


def routes(app: web.Application) -> set[tuple[str, str]]:
    return {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/")
    }


async def test_every_api_route_is_described_and_nothing_else(browser: Browser) -> None:
    paths = (await document(browser))["paths"]

    described = {(method, path) for path, methods in paths.items() for method in methods}

    assert described == routes(create_app(FakeOffice(), hosts=[]))


async def test_every_reference_leads_somewhere(browser: Browser) -> None:
    found = await document(browser)

    names = {part.split('"')[0] for part in json.dumps(found).split("#/components/schemas/")[1:]}

    assert found["openapi"] == "3.1.0"
    assert names <= set(found["components"]["schemas"])
    assert {"Message", "Posted", "Problem", "Status", "WhoRead"} <= names


async def test_every_operation_can_fail_with_a_problem_and_has_its_own_name(
    browser: Browser,
) -> None:
    operations = [o for p in (await document(browser))["paths"].values() for o in p.values()]

    assert all(
        "application/problem+json" in o["responses"]["default"]["content"] for o in operations
    )
    assert len({o["operationId"] for o in operations}) == len(operations)


async def test_state_changes_name_the_token_they_need(browser: Browser) -> None:
    paths = (await document(browser))["paths"]

    assert paths["/api/messages"]["post"]["security"] == [{"session": [], "token": []}]
    assert paths["/api/rooms"]["get"]["security"] == [{"session": []}]
    assert paths["/api/login"]["post"]["security"] == []
