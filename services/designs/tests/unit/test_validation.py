"""Components against the schemas of their kinds."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest

from meshery_contracts.registry import KindName, ResolvedKind
from meshery_designs.domain.validation import MAX_PROBLEMS, kind_of, reports_on
from meshery_testkit.builders import a_component

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {"replicas": {"type": "integer"}, "ports": {"items": {"type": "integer"}}},
            "required": ["selector"],
        }
    },
}


def a_kind(schema: Any) -> tuple[dict[tuple[str, str], ResolvedKind], dict[str, str]]:
    name = KindName(api_version="apps/v1", kind="Deployment")
    known = ResolvedKind(kind=name, component_id=uuid4(), schema_hash="h" if schema is not None else "")
    return {("apps/v1", "Deployment"): known}, {"h": orjson.dumps(schema).decode()}


def test_problems_are_told_with_their_places() -> None:
    wrong = a_component("Deployment", "web", spec={"replicas": "3", "ports": [1, "x"]})
    right = a_component("Deployment", "api", spec={"selector": {}, "replicas": 3})
    (report,) = reports_on([right, wrong], *a_kind(SCHEMA))
    assert (str(report.component_id), report.name, report.kind, report.known) == (
        *(wrong["id"], "web", "Deployment", True),
    )
    assert {one.path for one in report.problems} == {
        "configuration.spec",
        "configuration.spec.ports.1",
        "configuration.spec.replicas",
    }


def test_a_kind_that_nobody_knows_is_said_and_not_judged() -> None:
    (report,) = reports_on([a_component("Gadget", "mine", version="example.com/v1")], {}, {})
    assert (report.known, report.problems) == (False, [])


def test_a_kind_without_a_schema_is_fine() -> None:
    assert reports_on([a_component("Deployment", "web", spec=5)], *a_kind(None)) == []


def test_metadata_and_status_are_not_what_is_checked() -> None:
    schema = {"additionalProperties": False, "properties": {"spec": {}}}
    assert reports_on([a_component("Deployment", "web", spec={}, status={})], *a_kind(schema)) == []


def test_only_the_first_problems_are_told() -> None:
    wrong = a_component("Deployment", "web", spec={"selector": {}, "ports": ["x"] * 100})
    assert len(reports_on([wrong], *a_kind(SCHEMA))[0].problems) == MAX_PROBLEMS


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "#/nowhere"},
        {"properties": {"spec": {"pattern": "("}}},
    ],
)
def test_a_schema_that_cannot_be_used_judges_nobody_and_fetches_nothing(schema: Any) -> None:
    (report,) = reports_on([a_component("Deployment", "web", spec={})], *a_kind(schema))
    assert (report.known, report.problems) == (False, [])


def test_kinds() -> None:
    assert kind_of(a_component("Deployment")) == ("apps/v1", "Deployment")
    assert kind_of({"component": {"kind": "Pod"}}) == ("v1", "Pod")
