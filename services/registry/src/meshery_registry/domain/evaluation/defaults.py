"""What a component's schema says a field is when nobody sets it."""

from __future__ import annotations

from typing import Any

import orjson

from meshery_registry.domain.evaluation.definitions import Document, value_of
from meshery_registry.domain.evaluation.paths import Path


def default_at(component: Document, path: Path) -> Any:
    """The default of a path below `configuration`; none without a schema, or when it names none."""
    text = value_of(value_of(component, "component"), "schema")
    if not isinstance(text, str) or not text or path[0] != "configuration":
        return None
    try:
        schema: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    for segment in path[1:]:
        inner = value_of(value_of(schema, "properties"), segment)
        schema = value_of(schema, "items") if inner is None and segment.isdigit() else inner
    return value_of(schema, "default")
