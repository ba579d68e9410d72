"""The description of REST says what is sent and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COMMITTED = Path(__file__).parents[4] / "schemas" / "openapi.json"
#: They take no body, though they are POST or PUT: the path says it all. Name such a path here.
BARE = {"/api/provider", "/api/pattern/runs/{id}/cancel", "/api/registry/imports/{id}/cancel"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    document = json.loads(COMMITTED.read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_reference_leads_somewhere() -> None:
    document = json.loads(COMMITTED.read_text())
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(schemas)
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


def test_bodies_are_described() -> None:
    for method, path, operation in operations():
        if method in ("post", "put") and path not in BARE:
            why = f"{method} {path}: give its Route a `body`, or name the path in BARE where it takes none"
            assert "requestBody" in operation, why
        if method == "get":
            assert "requestBody" not in operation, path


def test_a_design_goes_in_and_comes_out() -> None:
    found = {(method, path): operation for method, path, operation in operations()}
    saving = found["post", "/api/pattern/import"]
    body = saving["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["file"]
    answer = saving["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"type": "array", "items": {"$ref": "#/components/schemas/Design"}}
    upload = found["post", "/api/system/kubernetes"]["requestBody"]["content"]
    assert upload["multipart/form-data"]["schema"]["properties"]["k8sfile"]["format"] == "binary"
    assert list(found["post", "/api/identity/tokens"]["responses"]) == ["201", "default"]
    assert list(found["get", "/api/system/events/subscribe"]["responses"]["200"]["content"]) == [
        "text/event-stream"
    ]


def test_what_a_path_says_is_not_asked_for_again() -> None:
    found = {(method, path): operation for method, path, operation in operations()}
    state = found["put", "/api/registry/policies/{id}/state"]["requestBody"]
    assert state["required"]
    schema = state["content"]["application/json"]["schema"]
    assert schema["required"] == ["state"]
    assert "policyId" not in schema["properties"]
    assert schema["properties"]["state"] == {"$ref": "#/components/schemas/PolicyState"}
    register = found["post", "/api/meshmodels/register"]
    sent = register["requestBody"]["content"]["application/json"]["schema"]
    assert sent["required"] == ["importBody", "uploadType"]
    answer = register["responses"]["200"]["content"]["application/json"]["schema"]
    assert {"errMsg", "entityCount", "operationId"} <= set(answer["properties"])
