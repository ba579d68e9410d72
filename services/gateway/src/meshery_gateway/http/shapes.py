"""What bodies and answers look like where they are not a message as it is: for the OpenAPI description.

A shape is a JSON schema in which messages and enums may stand for their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Without:
    """A message without some of its fields, in camelCase, which the path says."""

    message: type[BaseModel]
    left_out: tuple[str, ...]


#: A message, an enum, or a JSON schema with such in it.
Shape = type[BaseModel] | type[Enum] | Without | Mapping[str, Any]

TEXT: Shape = {"type": "string"}
UUID_TEXT: Shape = {"type": "string", "format": "uuid"}
TEXT_IN_BASE64: Shape = {"type": "string", "contentEncoding": "base64"}
FLAG: Shape = {"type": "boolean"}
ANY_OBJECT: Shape = {"type": "object"}
FILE: Shape = {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class Content:
    """A body or an answer."""

    shape: Shape
    media_type: str = "application/json"
    #: Of an answer.
    status: int = 200


def fields(*required: str, **properties: Shape) -> Shape:
    """An object with these keys, of which some have to be there."""
    found: dict[str, Any] = {"type": "object", "properties": properties}
    return {**found, "required": list(required)} if required else found


def without(message: type[BaseModel], *left_out: str) -> Shape:
    """A message of which the path says these fields."""
    return Without(message, left_out)


def many(one: Shape) -> Shape:
    """A list of these."""
    return {"type": "array", "items": one}


def by_name(one: Shape) -> Shape:
    """An object with keys of any name, each with one of these."""
    return {"type": "object", "additionalProperties": one}


def resolved(shape: Any, schemas: dict[str, Any]) -> Any:
    """The JSON schema of a shape, its messages put into `schemas` and referred to."""
    if isinstance(shape, Without):
        schema = _schema_of(shape.message, schemas)
        kept = dict(schema["properties"])
        for name in shape.left_out:
            del kept[name]
        needed = [one for one in schema.get("required", ()) if one not in shape.left_out]
        return {"type": "object", "properties": kept, **({"required": needed} if needed else {})}
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        schemas[shape.__name__] = _schema_of(shape, schemas)
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    if isinstance(shape, type) and issubclass(shape, Enum):
        return {"type": "string", "enum": [one.value for one in shape]}
    if isinstance(shape, Mapping):
        return {key: resolved(value, schemas) for key, value in shape.items()}
    if isinstance(shape, list):
        return [resolved(one, schemas) for one in shape]
    return shape


def _schema_of(message: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = message.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")
    schemas.update(schema.pop("$defs", {}))
    return schema
