"""The OpenAPI 3.1 description of the REST surface, made from the routes and the contracts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from meshery_contracts.endpoints import Public
from meshery_contracts.keys import Key
from meshery_gateway.http.routes import Route
from meshery_gateway.http.shapes import Content, resolved

_PARAMETER = re.compile(r"\{(\w+)(?::[^}]*)?\}")


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The document for these routes."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Meshery",
            "version": version("meshery-gateway"),
            "description": "Every list takes 0-based pages; keys are accepted and written in both spellings.",
        },
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "token"},
            },
        },
    }


def _operation(route: Route, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    # `/policies/{name}` and `/policies{name}` are two.
    named = re.sub(r"\{(\w+)\}", r"by_\1", path)
    name = re.sub(r"\W+", "_", f"{route.method.lower()}{named}").strip("_")
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip(),
        "parameters": [
            {"name": one, "in": "path", "required": True, "schema": {"type": "string"}}
            for one in _PARAMETER.findall(route.path)
        ]
        + [
            {"name": one, "in": "query", "required": False, "schema": {"type": "string"}}
            for one in route.query
        ],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": {}}}},
            "default": {
                "description": "An error: what, why, and how to mend it.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    guard = route.guarded_by
    answer = route.answer or (None if isinstance(guard, Public) else Content(guard.reply))
    if answer is not None:
        responses = operation["responses"]
        done = {**responses["200"], "content": _content(answer, schemas)}
        operation["responses"] = {str(answer.status): done, "default": responses["default"]}
    if route.body is not None:
        shape = route.body.shape
        needed = isinstance(shape, type) or "required" in resolved(shape, {})
        operation["requestBody"] = {"required": needed, "content": _content(route.body, schemas)}
    if isinstance(guard, Public):
        operation["security"] = []
        operation["x-open-because"] = guard.reason
        return operation
    operation["x-endpoint"] = guard.subject
    if isinstance(guard.key, Key):
        operation["x-permission-key"] = {"id": str(guard.key.id), "function": guard.key.function}
    return operation


def _content(content: Content, schemas: dict[str, Any]) -> dict[str, Any]:
    return {content.media_type: {"schema": resolved(content.shape, schemas)}}


_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "One sentence: what is wrong."},
        "code": {"type": "string", "description": "A stable name for this situation."},
        "word": {"type": "string", "description": "The error word, the same on every surface."},
        "severity": {"type": "string"},
        "longDescription": {"type": "array", "items": {"type": "string"}},
        "probableCause": {"type": "array", "items": {"type": "string"}},
        "suggestedRemediation": {"type": "array", "items": {"type": "string"}},
        "traceId": {"type": "string"},
    },
}
