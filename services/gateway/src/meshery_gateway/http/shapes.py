"""What bodies and answers look like where they are not a message as it is: for the OpenAPI description.

A shape is a JSON schema in which messages and enums may stand for their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel

#: A message, an enum, or a JSON schema with such in it.
Shape = type[BaseModel] | type[Enum] | Mapping[str, Any]

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


def many(one: Shape) -> Shape:
    """A list of these."""
    return {"type": "array", "items": one}


def by_name(one: Shape) -> Shape:
    """An object with keys of any name, each with one of these."""
    return {"type": "object", "additionalProperties": one}


def resolved(shape: Any, schemas: dict[str, Any]) -> Any:
    """The JSON schema of a shape, its messages put into `schemas` and referred to."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        schema = shape.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")
        schemas.update(schema.pop("$defs", {}))
        schemas[shape.__name__] = schema
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    if isinstance(shape, type) and issubclass(shape, Enum):
        return {"type": "string", "enum": [one.value for one in shape]}
    if isinstance(shape, Mapping):
        return {key: resolved(value, schemas) for key, value in shape.items()}
    if isinstance(shape, list):
        return [resolved(one, schemas) for one in shape]
    return shape
