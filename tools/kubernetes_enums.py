"""The allowed values of fields, which API servers serve and the OpenAPI documents of a release leave out.

The documents in the sources are written with the feature gate `OpenAPIEnums` off, servers have it on. Go code that
was generated into the same release holds the values, and the descriptions that name them; it is read line by line, as
gofmt laid it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_FUNCTION: Final = re.compile(r"^func schema_(\w+)\(")
_DESCRIPTION: Final = re.compile(r"^(\t+)Description: +(\".*\"),$")
_ENUM: Final = re.compile(r"^(\t+)Enum: +\[\]interface\{\}\{(.*)\},$")
_PROPERTY: Final = re.compile(r'^(\t+)("[^"]+"): \{$')
_INNER: Final = re.compile(r"^(\t+)(Items|AdditionalProperties): +&spec")
_INNER_KEYS: Final = {"Items": "items", "AdditionalProperties": "additionalProperties"}


@dataclass(frozen=True)
class Enum:
    """The allowed values of a field: of the schema `owner` (the end of its name), at the path within it."""

    owner: str
    path: tuple[str, ...]
    values: list[Any]
    description: str | None


@dataclass
class _Place:
    """Where in a function the reader is: what is open, by depth of indentation."""

    owner: str = ""
    open: dict[int, tuple[str, ...]] = field(default_factory=dict)
    descriptions: dict[int, str] = field(default_factory=dict)

    def enter(self, depth: int, *keys: str) -> None:
        """Something begins: what was as deep or deeper is over."""
        self.open = {at: one for at, one in self.open.items() if at < depth} | {depth: keys}
        self.descriptions = {at: one for at, one in self.descriptions.items() if at < depth}


def enums_of(code: str) -> Iterator[Enum]:
    """Every field with allowed values in generated Go code."""
    place = _Place()
    for line in code.splitlines():
        if match := _FUNCTION.match(line):
            place = _Place(match[1].replace("k8sio_", "io_k8s_", 1).replace("_", "."))
        elif match := _PROPERTY.match(line):
            # Other maps have keys that look the same, but nothing with allowed values in them.
            place.enter(len(match[1]), "properties", json.loads(match[2]))
        elif match := _INNER.match(line):
            place.enter(len(match[1]), _INNER_KEYS[match[2]])
        elif match := _DESCRIPTION.match(line):
            place.descriptions[len(match[1])] = json.loads(match[2])
        elif match := _ENUM.match(line):
            path = tuple(key for depth in sorted(place.open) for key in place.open[depth])
            values = json.loads(f"[{match[2]}]")
            yield Enum(place.owner, path, values, place.descriptions.get(len(match[1])))


def put_enums(document: dict[str, Any], enums: list[Enum]) -> None:
    """Write the allowed values into the schemas of an OpenAPI document."""
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        for enum in enums:
            if not f".{name}".endswith(f".{enum.owner}"):
                continue
            node = schema
            for key in enum.path:
                node = node.get(key, {})
            if node:
                node["enum"] = enum.values
                if enum.description is not None:
                    node["description"] = enum.description
