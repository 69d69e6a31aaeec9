"""OpenAPI 3.1 of the JSON API, made from the operations table and the msgspec structs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from meshrelay.web.operations import Operation
from meshrelay.web.problems import CONTENT_TYPE, Problem
from meshrelay.web.sealing import SealedBody

_REF = "#/components/schemas/{name}"


def document(operations: Sequence[Operation], version: str, cookie: str) -> dict[str, Any]:
    """The OpenAPI document; it names every operation because routes are made from the same table.

    `cookie` is the session cookie's name, which carries the network id.
    """
    types: list[Any] = [Problem, SealedBody]
    for operation in operations:
        kinds = (operation.body, operation.answer, operation.meanwhile)
        types += [kind for kind in kinds if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(
            operation, by_type
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "meshrelay node",
            "version": version,
            "description": "Post and read as the staff page does. Times are milliseconds since "
            "1970 UTC; null means unknown, never 0. Errors are RFC 9457 problem documents.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
                "token": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def _describe(operation: Operation, by_type: dict[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        answer["content"] = {operation.media: {"schema": by_type[operation.answer]}}
    elif operation.status == 200:
        answer["content"] = {operation.media: {"schema": {"type": "string"}}}
    words = re.findall(r"[a-z]+", operation.path.replace("api", "", 1))
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": "_".join([operation.method.lower(), *words]),
        "responses": {
            str(operation.status): answer,
            "default": {
                "description": "A problem: what happened and what to do next.",
                "content": {CONTENT_TYPE: {"schema": by_type[Problem]}},
            },
        },
        "security": _security(operation),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{([a-z_]+)\}", operation.path)
    ] + [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
        for name in operation.query
    ]
    if operation.meanwhile is not None:
        described["responses"]["202"] = {
            "description": "Not here yet: where it is, and how far it came.",
            "content": {"application/json": {"schema": by_type[operation.meanwhile]}},
        }
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        schema = by_type[operation.body]
        if operation.sealable:
            schema = {"oneOf": [schema, by_type[SealedBody]]}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if operation.takes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        described["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(operation.takes, binary),
        }
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if not operation.login:
        return []
    return [{"session": [], "token": []}] if operation.token else [{"session": []}]
