"""Packages on their way to rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    Package,
    PolicyEntity,
    Refusal,
    RelationshipEntity,
)
from meshery_registry.domain.prepared import PreparedPackage, prepared

OURS, SHIPPED = UUID(int=7), UUID(int=0)
MODEL = ModelEntity(name="mesh", version="v1.9.0")
ROUTE = ComponentEntity(kind="Route", api_version="mesh.io/v1", schema='{"type": "object", "title": "Route"}')
EDGE = RelationshipEntity(
    "edge",
    "binding",
    "network",
    {"selectors": [{"allow": {"from": [{"kind": "Route"}], "to": [{"kind": "Pod"}]}}]},
)


def made(*components: ComponentEntity, organization_id: UUID = OURS, **parts: Any) -> PreparedPackage:
    found = prepared(Package(model=MODEL, components=components, **parts), organization_id)
    assert isinstance(found, PreparedPackage)
    return found


def test_the_same_gives_the_same_and_an_own_model_is_another_than_the_shipped_one() -> None:
    assert made(ROUTE) == made(ROUTE)
    shipped = made(ROUTE, organization_id=SHIPPED)
    assert shipped.model.model_id != made(ROUTE).model.model_id
    assert shipped.components[0].component_id != made(ROUTE).components[0].component_id


def test_an_id_is_made_of_names_and_a_hash_of_the_content() -> None:
    before, after = made(ROUTE), made(replace(ROUTE, schema='{"type": "string"}', description="New."))
    assert before.components[0].component_id == after.components[0].component_id
    assert before.components[0].content_hash != after.components[0].content_hash
    assert before.fingerprint != after.fingerprint
    other = made(replace(ROUTE, api_version="mesh.io/v2"))
    assert other.components[0].component_id != before.components[0].component_id


def test_how_a_schema_is_written_makes_no_difference() -> None:
    sorted_differently = replace(ROUTE, schema='{"title":"Route",\n "type":"object"}')
    assert made(ROUTE).components[0].content_hash == made(sorted_differently).components[0].content_hash


def test_relationships_of_one_class_are_told_apart_by_the_kinds_that_they_name() -> None:
    to_service = replace(
        EDGE,
        definition={"selectors": [{"allow": {"from": [{"kind": "Route"}], "to": [{"kind": "Service"}]}}]},
    )
    first = made(relationships=(EDGE, to_service, EDGE)).relationships
    assert len({one.relationship_id for one in first}) == 3
    changed = replace(EDGE, definition={**EDGE.definition, "metadata": {"description": "New"}})
    second = made(relationships=(changed, to_service)).relationships
    assert [one.relationship_id for one in second] == [one.relationship_id for one in first[:2]]
    assert (first[0].from_kinds, first[1].to_kinds) == (("Route",), ("Service",))


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (replace(ROUTE, kind=""), "kind is empty"),
        (replace(ROUTE, kind="x" * 300), "300 characters"),
        (replace(ROUTE, api_version="a\0b"), "API version"),
        (replace(ROUTE, schema="{"), "no JSON"),
        (replace(ROUTE, schema="[]"), "no JSON object"),
        (replace(ROUTE, schema='{"title": "\\u0000"}'), "NUL"),
        (replace(ROUTE, schema='{"description": "' + "x" * 1_600_000 + '"}'), "bytes"),
        (replace(ROUTE, metadata={"a": "\0"}), "NUL"),
        (replace(ROUTE, metadata={"a": {1, 2}}), "JSON"),
        (replace(ROUTE, configuration={"a": "x" * 2_500_000}), "bytes"),
        (replace(ROUTE, status="sleeping"), "status"),
    ],
)
def test_one_bad_component_is_refused_and_the_others_are_taken(component: ComponentEntity, why: str) -> None:
    package = made(component, replace(ROUTE, kind="Good"))
    assert [one.kind for one in package.components] == ["Good"]
    assert why in package.refused[0].reason


def test_a_schema_that_no_validator_takes_is_replaced_by_one_that_allows_all() -> None:
    package = made(replace(ROUTE, schema='{"type": "nonsense"}'))
    assert not package.components[0].schema_usable
    fetched = made(replace(ROUTE, schema='{"$ref": "http://127.0.0.1:9/schema.json"}'))
    assert not fetched.components[0].schema_usable


def test_what_stands_twice_is_stored_once() -> None:
    package = made(
        ROUTE,
        replace(ROUTE, description="Later."),
        policies=(PolicyEntity("p", "rego", "a"), PolicyEntity("p", "rego", "b")),
        connections=(ConnectionEntity("c", {}), ConnectionEntity("c", {"name": "b"})),
    )
    assert [one.description for one in package.components] == ["Later."]
    assert (len(package.policies), len(package.connections)) == (1, 1)
    assert {one.entity_type for one in package.refused} == {"policy", "connection"}


def test_an_unknown_category_is_uncategorized_and_a_nameless_model_refused() -> None:
    found = prepared(Package(model=replace(MODEL, category="Toys")), OURS)
    assert isinstance(found, PreparedPackage)
    assert found.model.category == "Uncategorized"
    assert isinstance(prepared(Package(model=replace(MODEL, name="")), OURS), Refusal)


def test_an_icon_that_cannot_be_taken_leaves_its_component() -> None:
    package = made(replace(ROUTE, styles={"svgColor": "<html/>", "svgWhite": "<svg/>"}))
    assert len(package.components) == 1
    assert len(package.icons) == 1
    assert [one.name for one in package.refused] == ["icon of Route"]
