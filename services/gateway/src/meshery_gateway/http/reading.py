"""What clients send, as values: bodies in JSON, keys in either spelling, ids and numbers.

Pure and light, so that a process beside may read what is large.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake

from meshery_contracts.errors import FieldProblem, Invalid

BodyT = TypeVar("BodyT", bound=BaseModel)

#: As a parameter.
_GREATEST_NUMBER = 9_999_999


def json_object(content: bytes) -> dict[str, Any]:
    """A body as a JSON object; an empty body is an empty object. Raises Invalid."""
    if not content.strip():
        return {}
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Invalid(
            "The request body is no valid JSON.",
            code="body_unreadable",
            detail=str(error)[:200],
            remedy="Send a JSON object.",
        ) from None
    if not isinstance(value, dict):
        raise Invalid("The request body must be a JSON object.", code="body_shape")
    return value


def id_of(name: str, text: str) -> UUID:
    """A UUID as the client named and wrote it. Raises Invalid."""
    try:
        return UUID(text)
    except ValueError:
        raise Invalid(
            f"{text[:100]!r} is no id.",
            code="id_invalid",
            fields=(FieldProblem(path=name, message="must be a UUID"),),
            remedy="Take the id from a list.",
        ) from None


def number_from(name: str, text: str, default: int) -> int:
    """A parameter that is a number; the default for an empty one. Raises Invalid."""
    if not text:
        return default
    # `isdigit` alone takes digits that `int` does not know, such as ².
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(_GREATEST_NUMBER)):
        raise Invalid(
            f"{name} must be a whole number from 0 to {_GREATEST_NUMBER:,}.",
            code="parameter_invalid",
            fields=(FieldProblem(path=name, message=f"{text[:50]!r} is none"),),
        )
    return int(text)


def message_from(kind: type[BodyT], values: dict[str, Any]) -> BodyT:
    """A message from what a client sent; keys in either spelling, camelCase wins. Raises Invalid."""
    try:
        return kind.model_validate(both_read(values))
    except ValidationError as error:
        fields = tuple(
            FieldProblem(path=".".join(str(part) for part in one["loc"]), message=one["msg"])
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise Invalid(
            f"The request is not valid at {fields[0].path}: {fields[0].message}.",
            code="request_invalid",
            fields=fields,
        ) from None


def both_read(values: Any, name: str = "the body") -> dict[str, Any]:
    """First-level keys in snake_case; where a client sent both spellings the camelCase one counts.

    Raises Invalid, naming what it is by `name`, for anything but an object.
    """
    if not isinstance(values, dict):
        raise Invalid(f"`{name}` must be a JSON object.", code="body_shape")
    plain = {key: value for key, value in values.items() if _snake(key) == key}
    camel = {_snake(key): value for key, value in values.items() if _snake(key) != key}
    return {**plain, **camel}


#: Keys repeat; finding their spelling takes four regular expressions.
_snake = lru_cache(maxsize=1000)(to_snake)
