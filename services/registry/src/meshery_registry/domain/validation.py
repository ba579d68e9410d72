"""Values against schemas that somebody sends along. Bounded; made for the process beside the service."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs
import orjson

from meshery_common.documents import read_documents
from meshery_contracts.errors import ProblemError

#: Errors of one value beyond these are not told.
MAX_ERRORS = 50
_MAX_MESSAGE = 500
_TYPES: Final = ("JSON", "YAML", "JSONSCHEMA")
_NO_SCHEMA: Final = (ValueError, TypeError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError)


def validated(items: Mapping[str, tuple[str, str, str]]) -> dict[str, list[str]]:
    """What is wrong with each value; `items` are schema, value and type of the value, as texts."""
    return {key: _errors(*item) for key, item in items.items()}


def _errors(schema: str, value: str, value_type: str) -> list[str]:
    wanted = value_type.upper()
    if wanted not in _TYPES:
        return [f"The type {value_type[:20]!r} cannot be validated: send one of {', '.join(_TYPES)}."]
    try:
        read = orjson.loads(schema)
        validator = _validator(read)
    except orjson.JSONDecodeError as error:
        return [f"The schema is no JSON: {error}"]
    except _NO_SCHEMA as error:
        return [f"The schema is no JSON Schema: {str(error)[:_MAX_MESSAGE]}"]
    try:
        found = _value(value, wanted)
    except ProblemError as error:
        return [error.problem.title]
    except orjson.JSONDecodeError as error:
        return [f"The value is no JSON: {error}"]
    errors = itertools.islice(validator.iter_errors(found), MAX_ERRORS)
    return [_told(one) for one in errors] + (_of_schema(found) if wanted == "JSONSCHEMA" else [])


def _validator(schema: Any) -> jsonschema_rs.Validator:
    """Of patterns that take no longer the longer the text is, and without fetching anything."""
    return jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())


def _value(value: str, wanted: str) -> Any:
    if wanted != "YAML":
        return orjson.loads(value)
    documents = read_documents(value)
    return documents[0] if len(documents) == 1 else documents


def _of_schema(schema: Any) -> list[str]:
    try:
        _validator(schema)
    except _NO_SCHEMA as error:
        return [f"The value is no JSON Schema: {str(error)[:_MAX_MESSAGE]}"]
    return []


def _told(error: jsonschema_rs.ValidationError) -> str:
    where = ".".join(str(part) for part in error.instance_path)
    message = error.message[:_MAX_MESSAGE]
    return f"{where}: {message}" if where else message
