"""Scalars: instants, UUIDs, and JSON values that are passed through as they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ariadne import ScalarType
from graphql import GraphQLError


def time_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def _time(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise GraphQLError(f"{value!r} is no instant: write one as 2024-05-01T12:00:00Z.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _uuid(value: Any) -> UUID:
    try:
        return UUID(value)
    except (AttributeError, TypeError, ValueError):
        raise GraphQLError(f"{value!r} is no UUID.") from None


def _as_it_is(value: Any) -> Any:
    return value


SCALARS = (
    ScalarType("Time", serializer=time_text, value_parser=_time),
    ScalarType("UUID", serializer=str, value_parser=_uuid),
    ScalarType("JSON", serializer=_as_it_is, value_parser=_as_it_is),
    ScalarType("Any", serializer=_as_it_is, value_parser=_as_it_is),
    ScalarType("Map", serializer=_as_it_is, value_parser=_as_it_is),
)
