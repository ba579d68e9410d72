"""From Kubernetes' dialect of OpenAPI 3.0 to JSON Schema 2020-12 that valid manifests satisfy.

References are written out, because forms and validators read one schema at a time; a cycle is cut to the schema
that allows all. What must not be in here: anything that knows of kinds or models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

Schema = dict[str, Any]

#: The most values that one schema may have when it is written out.
MAX_VALUES = 150_000
#: The most values looked at for one schema: stops cycles made to multiply.
MAX_STEPS = 1_000_000

_REFERENCE = "#/components/schemas/"
_MAPS: Final = ("properties", "patternProperties")
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("additionalProperties", "items", "not")
_CHANGED: Final = frozenset({*_MAPS, *_LISTS, *_SINGLE, "$ref", "nullable"})
#: Of no use without the document they come from, or unknown to JSON Schema with the same name.
_DROPPED: Final = frozenset({"discriminator", "xml", "externalDocs", "example"})
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]


class SchemaRefused(Exception):
    """The schema cannot be written out; the text says why."""


class Inliner:
    """Writes out the schemas of one document; what they share is worked out once."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._done: dict[str, tuple[Any, int]] = {}
        self._open: list[str] = []
        self._cuts = 0
        self._steps = 0

    def inlined(self, schema: Mapping[str, Any]) -> Schema:
        """The schema without references. Raises SchemaRefused."""
        self._open.clear()
        self._steps = 0
        try:
            written, _ = self._schema(schema)
        except RecursionError:
            raise SchemaRefused("it is nested too deeply") from None
        return written if isinstance(written, dict) else {}

    def _schema(self, node: Any) -> tuple[Any, int]:
        if not isinstance(node, dict):
            # `additionalProperties: true`, or nothing that a schema can be.
            return (node if isinstance(node, bool) else {}), 1
        written: Schema = {key: value for key, value in node.items() if key not in _CHANGED | _DROPPED}
        weight = 1 + len(written)
        for key in _MAPS:
            if isinstance(node.get(key), dict):
                written[key], weight = self._map(node[key], weight)
        for key in _LISTS:
            if isinstance(node.get(key), list):
                parts = [self._schema(one) for one in node[key]]
                written[key] = [part for part, _ in parts]
                weight += sum(heavy for _, heavy in parts)
        for key in _SINGLE:
            if key in node:
                written[key], heavy = self._schema(node[key])
                weight += heavy
        if isinstance(node.get("$ref"), str):
            referred, heavy = self._referred(node["$ref"])
            written = {**referred, **written}
            weight += heavy
        self._check(weight)
        return _plain(written, nullable=node.get("nullable") is True), weight

    def _map(self, schemas: Mapping[str, Any], weight: int) -> tuple[Schema, int]:
        written = {}
        for name, one in schemas.items():
            written[name], heavy = self._schema(one)
            weight += heavy
        return written, weight

    def _referred(self, reference: str) -> tuple[Schema, int]:
        name = reference.removeprefix(_REFERENCE)
        if name in self._done:
            return self._done[name]
        if name in self._open:
            self._cuts += 1
            return {}, 1
        if name == reference or not isinstance(self._named.get(name), dict):
            return {}, 1
        cuts = self._cuts
        self._open.append(name)
        written, weight = self._schema(self._named[name])
        self._open.pop()
        if self._cuts == cuts:
            # What holds a cut depends on the way here: kept, it would make a kind's schema depend on other kinds.
            self._done[name] = (written, weight)
        return written, weight

    def _check(self, weight: int) -> None:
        self._steps += 1
        if weight > MAX_VALUES:
            raise SchemaRefused(f"written out it holds more than {MAX_VALUES:,} values")
        if self._steps > MAX_STEPS:
            raise SchemaRefused("its references are too entangled")


def _plain(schema: Schema, *, nullable: bool) -> Schema:
    """One level in JSON Schema's own words. Changes and gives back the same dictionary, or a new one."""
    one = schema.get("allOf")
    if isinstance(one, list) and len(one) == 1 and isinstance(one[0], dict):
        # Kubernetes wraps each reference so, to put a description or default beside it.
        del schema["allOf"]
        schema = {**one[0], **schema}
    if schema.get("x-kubernetes-int-or-string") is True or schema.get("format") == "int-or-string":
        schema.pop("type", None)
        if not any(key in schema for key in ("anyOf", "oneOf")):
            schema["anyOf"] = _INT_OR_STRING
    if schema.get("x-kubernetes-preserve-unknown-fields") is True:
        # Whatever is not described is kept as it is: nothing may forbid it.
        schema.pop("additionalProperties", None)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        # In OpenAPI 3.0 the exclusive one is a switch beside the bound.
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and bound in schema:
            schema[exclusive] = schema.pop(bound)
    return _or_null(schema) if nullable else schema


def _or_null(schema: Schema) -> Schema:
    enum = schema.get("enum")
    if isinstance(enum, list) and None not in enum:
        schema["enum"] = [*enum, None]
    kind = schema.get("type")
    combined = [key for key in (*_LISTS, "not") if key in schema]
    if combined:
        told: Schema = {key: schema.pop(key) for key in ("description", "default", "title") if key in schema}
        return {**told, "anyOf": [schema, {"type": "null"}]}
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
    return schema


def without(schema: Schema, dropped: Iterable[str]) -> Schema:
    """A root schema that says nothing of some of its properties."""
    names = frozenset(dropped)
    properties = schema.get("properties")
    rest = dict(schema)
    if isinstance(properties, dict):
        rest["properties"] = {name: one for name, one in properties.items() if name not in names}
    if isinstance(schema.get("required"), list):
        rest["required"] = [name for name in schema["required"] if name not in names]
        if not rest["required"]:
            del rest["required"]
    return rest


def without_patterns(schema: Any, usable: Callable[[str], bool]) -> Any:
    """The schema without the regular expressions that are of another dialect than ours."""
    if isinstance(schema, list):
        return [without_patterns(one, usable) for one in schema]
    if not isinstance(schema, dict):
        return schema
    rest: Schema = {}
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str) and not usable(value):
            continue
        if key == "patternProperties" and isinstance(value, dict):
            value = {pattern: one for pattern, one in value.items() if usable(pattern)}
        rest[key] = without_patterns(value, usable)
    return rest
