"""From OpenAPI to JSON Schema: each peculiarity, and documents made to hurt."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import orjson
import pytest

from meshery_contracts.errors import Invalid
from meshery_registry.domain import schemas
from meshery_registry.domain.openapi import learned_from, schema_text
from meshery_registry.domain.schemas import Inliner, SchemaRefused

REF = "#/components/schemas/"


def inlined(schema: dict[str, Any], **named: Any) -> dict[str, Any]:
    written = Inliner(named).inlined(schema)
    # Whatever comes out is a schema that a validator takes.
    jsonschema_rs.validator_for(written)
    return written


def allows(schema: dict[str, Any], *values: Any) -> list[bool]:
    validator = jsonschema_rs.validator_for(inlined({"type": "object", "properties": {"x": schema}}))
    return [validator.is_valid({"x": value}) for value in values]


def a_document(schema: dict[str, Any], **named: Any) -> bytes:
    marked = {**schema, "x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "Thing"}]}
    return orjson.dumps({"openapi": "3.0.0", "components": {"schemas": {"g.Thing": marked, **named}}})


def test_references_are_written_out_with_what_stands_beside_them() -> None:
    written = inlined(
        {"properties": {"a": {"default": {}, "description": "mine", "allOf": [{"$ref": f"{REF}A"}]}}},
        A={"type": "object", "description": "theirs", "properties": {"b": {"$ref": f"{REF}B"}}},
        B={"type": "string"},
    )
    assert written["properties"]["a"] == {
        "type": "object",
        "description": "mine",
        "default": {},
        "properties": {"b": {"type": "string"}},
    }


def test_a_cycle_is_cut_where_it_closes_whichever_way_in() -> None:
    named = {
        "A": {"type": "object", "properties": {"b": {"$ref": f"{REF}B"}}},
        "B": {"type": "object", "properties": {"a": {"$ref": f"{REF}A"}, "self": {"$ref": f"{REF}B"}}},
    }
    inliner = Inliner(named)
    from_a = inliner.inlined({"properties": {"x": {"$ref": f"{REF}A"}}})
    from_b = inliner.inlined({"properties": {"x": {"$ref": f"{REF}B"}}})
    assert from_a["properties"]["x"]["properties"]["b"]["properties"] == {"a": {}, "self": {}}
    assert from_b["properties"]["x"]["properties"]["a"]["properties"] == {"b": {}}
    assert Inliner(named).inlined({"properties": {"x": {"$ref": f"{REF}B"}}}) == from_b


def test_a_reference_that_leads_nowhere_allows_all() -> None:
    assert inlined({"properties": {"a": {"$ref": f"{REF}Missing"}, "b": {"$ref": "other.json#/x"}}}) == {
        "properties": {"a": {}, "b": {}}
    }


def test_int_or_string() -> None:
    for schema in (
        {"x-kubernetes-int-or-string": True},
        {"type": "string", "format": "int-or-string"},
        {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
    ):
        assert allows(schema, 1, "1", 1.5, [], None) == [True, True, False, False, False]


def test_nullable() -> None:
    assert allows({"type": "string", "nullable": True}, None, "a", 1) == [True, True, False]
    assert allows({"type": "string", "enum": ["a"], "nullable": True}, None, "a", "b") == [True, True, False]
    combined = {"allOf": [{"type": "string"}, {"minLength": 2}], "nullable": True, "description": "d"}
    assert allows(combined, None, "ab", "a") == [True, True, False]
    assert allows({"x-kubernetes-int-or-string": True, "nullable": True}, None, 1, []) == [True, True, False]


def test_what_is_preserved_may_be_anything() -> None:
    open_object = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "additionalProperties": False,
    }
    assert allows(open_object, {"any": [1, {"b": None}]}, {}, "text") == [True, True, False]
    assert allows({"x-kubernetes-preserve-unknown-fields": True}, {"a": 1}, "text", None, [1]) == [True] * 4


def test_bounds_that_are_switches() -> None:
    exclusive = {
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 1,
        "exclusiveMaximum": False,
    }
    assert allows(exclusive, 0, 0.1, 1, 1.1) == [False, True, True, False]


def test_properties_named_like_keywords_are_properties() -> None:
    named = {"$ref": {"type": "string"}, "nullable": {"type": "boolean"}, "properties": {"type": "object"}}
    assert inlined({"type": "object", "properties": named})["properties"] == named


def test_what_explodes_when_written_out_is_refused() -> None:
    named = {
        f"L{level}": {"properties": {name: {"$ref": f"{REF}L{level + 1}"} for name in "abcdefghij"}}
        for level in range(9)
    }
    with pytest.raises(SchemaRefused):
        Inliner(named).inlined({"properties": {"x": {"$ref": f"{REF}L0"}}})


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        deep = {"items": deep}
    with pytest.raises(SchemaRefused):
        Inliner({}).inlined(deep)


def test_cycles_that_multiply_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MAX_STEPS", 50_000)
    count = 14
    named = {
        f"N{one}": {"properties": {f"p{other}": {"$ref": f"{REF}N{other}"} for other in range(count)}}
        for one in range(count)
    }
    with pytest.raises(SchemaRefused):
        Inliner(named).inlined({"properties": {"x": {"$ref": f"{REF}N0"}}})


def test_the_root_says_nothing_of_what_every_manifest_has() -> None:
    schema = {
        "type": "object",
        "required": ["apiVersion", "spec"],
        "properties": {
            name: {"type": "string"} for name in ("apiVersion", "kind", "metadata", "status", "spec")
        },
    }
    (kind,) = learned_from(a_document(schema), "g/v1", {"Thing": True}).kinds
    learned = orjson.loads(schema_text(kind.schema_body))
    assert learned == {"type": "object", "required": ["spec"], "properties": {"spec": {"type": "string"}}}


def test_only_named_kinds_are_learned_and_missing_ones_told() -> None:
    learned = learned_from(a_document({"type": "object"}), "g/v1", {"Ghost": True})
    assert learned.kinds == []
    assert learned.refused == ["Ghost: the document has no schema for it."]
    assert learned_from(a_document({"type": "object"}), "g/v1", {}).kinds == []
    assert learned_from(a_document({"type": "object"}), "g/v2", {"Thing": True}).kinds == []


def test_a_pattern_of_another_dialect_is_left_out_and_the_rest_kept() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "pattern": "^\\Qx.y\\E$"},
            "b": {"type": "string", "pattern": "^b+$"},
            "pattern": {"type": "string"},
        },
    }
    (kind,) = learned_from(a_document(schema), "g/v1", {"Thing": True}).kinds
    properties = orjson.loads(schema_text(kind.schema_body))["properties"]
    assert kind.usable
    assert properties == {
        "a": {"type": "string"},
        "b": {"type": "string", "pattern": "^b+$"},
        "pattern": {"type": "string"},
    }


def test_a_schema_that_no_validator_takes_is_replaced_by_one_that_allows_all() -> None:
    (kind,) = learned_from(a_document({"type": "nonsense"}), "g/v1", {"Thing": True}).kinds
    assert not kind.usable
    assert schema_text(kind.schema_body) == '{"type":"object"}'


def test_one_bad_kind_does_not_hold_up_the_others() -> None:
    named = {
        f"L{level}": {"properties": {name: {"$ref": f"{REF}L{level + 1}"} for name in "abcdefghij"}}
        for level in range(9)
    }
    good = {
        "type": "object",
        "x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "Good"}],
    }
    document = a_document({"properties": {"x": {"$ref": f"{REF}L0"}}}, Good=good, **named)
    learned = learned_from(document, "g/v1", {"Thing": True, "Good": False})
    assert [one.kind for one in learned.kinds] == ["Good"]
    assert len(learned.refused) == 1


def test_the_order_of_keys_makes_no_other_schema() -> None:
    one = learned_from(a_document({"type": "object", "description": "d"}), "g/v1", {"Thing": True})
    other = learned_from(a_document({"description": "d", "type": "object"}), "g/v1", {"Thing": True})
    assert one == other


@pytest.mark.parametrize(
    "document", [b"", b"null", b"[1]", b'{"components": 1}', b'{"swagger": "2.0"}', b"\xff"]
)
def test_what_is_no_document_is_refused(document: bytes) -> None:
    with pytest.raises(Invalid):
        learned_from(document, "g/v1", {"Thing": True})


def test_a_document_without_schemas_teaches_nothing() -> None:
    assert learned_from(b'{"openapi": "3.0.0"}', "g/v1", {}).kinds == []
