"""The relationships that ship: each in the shape of Meshery's schema, each naming fields that kinds have today."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

import jsonschema_rs
import orjson
import pytest
import yaml

from meshery_registry.domain.entities import Package, RelationshipEntity
from meshery_registry.domain.evaluation import strategies
from meshery_registry.domain.evaluation.compiling import compiled
from meshery_registry.domain.prepared import selected_kinds

_TEXT = {"type": "string", "minLength": 1}
_COLOR = {"type": "string", "pattern": "^#[0-9A-F]{6}$"}
_PATHS = {"type": "array", "minItems": 1, "items": {"type": "array", "minItems": 1, "items": _TEXT}}
_REFERENCES = {"mutatorRef": _PATHS, "mutatedRef": _PATHS}
_STRATEGY = {"enum": sorted(strategies.ALL)}
_STRATEGIES = {"type": "array", "items": {"type": "array", "minItems": 1, "items": _STRATEGY}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


_MATCH_ITEM = _object({"kind": _TEXT, **_REFERENCES}, "kind")
_ITEM = _object(
    {
        "kind": _TEXT,
        "model": _object({"name": _TEXT}, "name"),
        "matchStrategyMatrix": _STRATEGIES,
        "patch": _object({"patchStrategy": {"enum": ["merge"]}, **_REFERENCES}),
        "match": _object({"refs": _PATHS, "from": _list_of(_MATCH_ITEM), "to": _list_of(_MATCH_ITEM)}),
    },
    "kind",
)
_SELECTOR = _object({"from": _list_of(_ITEM), "to": _list_of(_ITEM)}, "from", "to")
_STYLES = _object(
    {
        "primaryColor": _COLOR,
        "svgColor": {"type": "string"},
        "svgWhite": {"type": "string"},
        "label": {"type": "string", "maxLength": 20},
        "edgeAnimation": _TEXT,
        "curveStyle": {"enum": ["straight", "bezier", "taxi"]},
        "lineColor": _COLOR,
        "lineStyle": {"enum": ["solid", "dotted", "dashed"]},
        "targetArrowColor": _COLOR,
        "targetArrowShape": {"enum": ["triangle", "vee", "tee", "circle", "diamond", "none"]},
    },
    *("primaryColor", "svgColor", "svgWhite"),
)
#: A definition as Meshery's schema describes it, as far as we use it: nothing beyond is written.
_DEFINITION = _object(
    {
        "metadata": _object(
            {
                "description": {**_TEXT, "maxLength": 5000},
                "styles": _STYLES,
                "isAnnotation": {"type": "boolean"},
            },
            *("description", "styles", "isAnnotation"),
        ),
        "capabilities": {"type": "array", "maxItems": 0},
        "evaluationQuery": {"const": ""},
        "selectors": _list_of(_object({"allow": _SELECTOR, "deny": _SELECTOR}, "allow")),
    },
    *("metadata", "capabilities", "evaluationQuery", "selectors"),
)


def test_each_is_valid_in_the_shape_of_the_newest_schema(newest: Package) -> None:
    validator = jsonschema_rs.validator_for(_DEFINITION)
    assert len(newest.relationships) > 55
    for one in newest.relationships:
        told = f"{one.kind} {one.type} {one.sub_type}: {one.definition['metadata'].get('description')}"
        assert not [
            (list(error.instance_path), error.message) for error in validator.iter_errors(one.definition)
        ], told
        assert one.kind in ("hierarchical", "edge", "sibling")
        assert one.definition["metadata"]["description"].endswith(".")


def test_the_engine_reads_all_of_them(newest: Package) -> None:
    documents = [
        {**one.definition, "kind": one.kind, "type": one.type, "subType": one.sub_type}
        for one in newest.relationships
    ]
    assert compiled(documents).refused == ()


def test_each_is_told_apart_by_its_class_and_kinds(newest: Package) -> None:
    # That is what the id is made of: two with the same would change places when a file is renamed.
    named = [
        (one.kind, one.type, one.sub_type, selected_kinds(one.definition)) for one in newest.relationships
    ]
    assert len(set(named)) == len(named)


def test_classes_have_looks_and_no_looks_are_left_over(newest: Package, folder: Traversable) -> None:
    edges = yaml.safe_load((folder / "edges.yaml").read_text(encoding="utf-8"))
    assert set(edges) == {f"{one.kind}-{one.type}-{one.sub_type}" for one in newest.relationships}


def test_references_pair_up(newest: Package) -> None:
    """The same number on both sides, and as many strategies as there are references at most."""
    for one in newest.relationships:
        for allowed in _allowed(one):
            for first in allowed["from"]:
                for second in allowed["to"]:
                    counts = [len(paths) for paths in _paired(first, second)]
                    assert len(set(counts)) <= 1, (one.definition["metadata"]["description"], counts)
                    strategies = first.get("matchStrategyMatrix", [])
                    assert not strategies or len(strategies) == counts[0]


def test_every_field_that_is_named_exists(kubernetes: list[Package]) -> None:
    """Of Kubernetes' own kinds, in the newest version that has the kind; metadata has no schema in there."""
    schemas: defaultdict[str, list[Any]] = defaultdict(list)
    for component in kubernetes[-1].components:
        schemas[component.kind].append(orjson.loads(component.schema))
    checked = 0
    for one in kubernetes[-1].relationships:
        for kind, path in _named_fields(one):
            assert kind in schemas, f"{kind} is no kind of Kubernetes {kubernetes[-1].model.version}"
            if path[0] == "configuration" and path[1] != "metadata":
                assert any(_has(schema, path[1:]) for schema in schemas[kind]), (kind, path)
                checked += 1
    assert checked > 300


def test_kinds_of_the_whole_cluster_are_in_no_namespace(kubernetes: list[Package]) -> None:
    (inventory,) = (one for one in kubernetes[-1].relationships if one.sub_type == "inventory")
    (selectors,) = inventory.definition["selectors"]
    denied = {kind for item in selectors["deny"]["from"] for kind in item["kind"].split("|")}
    assert denied == {one.kind for package in kubernetes for one in package.components if not one.namespaced}


@pytest.mark.parametrize(
    ("path", "there"),
    [
        (["spec", "template", "spec", "containers", "_", "image"], True),
        (["spec", "template", "metadata", "labels", "app"], True),
        (["spec", "template", "spec", "containers", "image"], False),
        (["spec", "serviceName"], False),
    ],
)
def test_the_look_up_of_fields_is_strict(newest: Package, path: list[str], there: bool) -> None:
    (deployment,) = (one for one in newest.components if one.kind == "Deployment")
    assert _has(orjson.loads(deployment.schema), path) is there


def _allowed(relationship: RelationshipEntity) -> Iterator[dict[str, Any]]:
    for selectors in relationship.definition["selectors"]:
        yield selectors["allow"]


def _paired(first: dict[str, Any], second: dict[str, Any]) -> Iterator[list[list[str]]]:
    """The lists of references that are compared with each other."""
    if "to" in first.get("match", {}):
        for item in (first, second):
            sides = [item["match"]["from"][0], item["match"]["to"][0]]
            yield from (one.get("mutatorRef") or one["mutatedRef"] for one in sides)
            return
    for item in (first, second):
        yield from (
            item.get("patch", {}).get(key, [])
            for key in ("mutatorRef", "mutatedRef")
            if item.get("patch", {}).get(key)
        )


def _named_fields(relationship: RelationshipEntity) -> Iterator[tuple[str, list[str]]]:
    """Each kind of Kubernetes with a path that is named of it."""
    for allowed in _allowed(relationship):
        # The path of an alias is that of the whole, on both sides.
        parts = () if relationship.sub_type == "alias" else allowed["from"]
        for item in (*parts, *allowed["to"]):
            if item.get("model", {}).get("name") != "kubernetes" or item["kind"] == "*":
                continue
            for kind in item["kind"].split("|"):
                for path in _paths(item.get("patch", {})):
                    yield kind, path
                for match in (*item.get("match", {}).get("from", ()), *item.get("match", {}).get("to", ())):
                    for path in _paths(match):
                        yield (kind if match["kind"] == "self" else match["kind"]), path


def _paths(references: dict[str, Any]) -> list[list[str]]:
    return [*references.get("mutatorRef", ()), *references.get("mutatedRef", ())]


def _has(schema: Any, path: list[str]) -> bool:
    """Whether a schema describes what stands at a path."""
    for segment in path:
        if not isinstance(schema, dict):
            return False
        if segment == "_":
            schema = schema.get("items")
        else:
            schema = schema.get("properties", {}).get(segment, schema.get("additionalProperties"))
    return bool(schema)
