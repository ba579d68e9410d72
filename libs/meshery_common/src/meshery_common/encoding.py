"""Messages to bytes, as fast as a hand-written dictionary.

The same JSON that pydantic writes: camelCase keys, and for a `PublicMessage` every multi-word key in both
spellings. A model that writes itself in its own way (a serializer of its own) is left to pydantic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from meshery_contracts.errors import Invalid
from meshery_contracts.messages import Message, PublicMessage

MessageT_co = TypeVar("MessageT_co", bound=Message, covariant=True)

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True, slots=True)
class Encoded(Generic[MessageT_co]):
    """A message that was written before, e.g. the kept answer to the same question."""

    payload: bytes


def encode(message: Message | Encoded[Message]) -> bytes:
    """The JSON of a message."""
    if isinstance(message, Encoded):
        return message.payload
    if _written_by_itself(type(message)):
        return message.model_dump_json(by_alias=True).encode()
    return orjson.dumps(message, default=_plain, option=_OPTIONS)


def encode_request(request: Message) -> bytes:
    """The JSON of what somebody asks, without what he leaves open. Raises Invalid for values that JSON cannot hold."""
    try:
        return request.model_dump_json(exclude_unset=True).encode()
    except PydanticSerializationError:
        raise Invalid(
            "The request cannot be written as JSON.",
            code="request_unwritable",
            cause="It is nested more than 200 levels deep, or holds half of a surrogate pair.",
            remedy="Nest less; take a text that is no text out.",
        ) from None


def _plain(value: Any) -> Any:
    """What orjson does not know, as something it knows."""
    if isinstance(value, BaseModel):
        if _written_by_itself(type(value)):
            return orjson.Fragment(value.model_dump_json(by_alias=True))
        fields = value.__dict__
        written = {key: fields[name] for key, name in _keys(type(value))}
        for key, name, leave_out in _conditional(type(value)):
            if leave_out(fields[name]):
                del written[key]
        return written
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


@cache
def _keys(kind: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """The keys that a model is written with, and the field that each shows."""
    keys: list[tuple[str, str]] = []
    for name, field in kind.model_fields.items():
        alias = field.serialization_alias or field.alias or name
        keys.append((alias if kind.model_config.get("serialize_by_alias") else name, name))
        if issubclass(kind, PublicMessage) and alias != name:
            keys.append((name, name))
    return tuple(keys)


@cache
def _conditional(kind: type[BaseModel]) -> tuple[tuple[str, str, Callable[[Any], bool]], ...]:
    """The keys that some values are written without (`exclude_if`), their fields, and when."""
    fields = kind.model_fields
    return tuple(
        (key, name, left) for key, name in _keys(kind) if (left := fields[name].exclude_if) is not None
    )


@cache
def _written_by_itself(kind: type[BaseModel]) -> bool:
    """Whether a model has serializers beside the one of `PublicMessage`, or holds more than its fields."""
    decorators = kind.__pydantic_decorators__
    own = set(decorators.model_serializers) - set(PublicMessage.__pydantic_decorators__.model_serializers)
    return bool(
        kind.model_config.get("extra") == "allow"
        or own
        or decorators.field_serializers
        or kind.model_computed_fields
        or kind.__pydantic_root_model__
    )
