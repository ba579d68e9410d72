"""Components against the JSON schemas of their kinds. Plain and picklable: it runs in a worker process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import jsonschema_rs
import orjson

from meshery_contracts.designs import ComponentReport
from meshery_contracts.errors import FieldProblem
from meshery_contracts.registry import ResolvedKind

#: Problems told of one component; the first ones show the mistake.
MAX_PROBLEMS = 20


def kind_of(component: Mapping[str, Any]) -> tuple[str, str]:
    """apiVersion and kind of a component."""
    inner = component["component"]
    return str(inner.get("version") or "v1"), str(inner["kind"])


def reports_on(
    components: Sequence[Mapping[str, Any]],
    kinds: Mapping[tuple[str, str], ResolvedKind],
    schemas: Mapping[str, str],
) -> list[ComponentReport]:
    """What is wrong with which component; one that is all right is left out."""
    reports = []
    for component in components:
        known = kinds.get(kind_of(component))
        recognised = known is not None and known.component_id is not None
        schema = schemas.get(known.schema_hash) if known is not None else None
        problems = list(_problems(component, schema)) if schema else []
        if problems or not recognised:
            reports.append(
                ComponentReport(
                    component_id=UUID(str(component["id"])),
                    name=str(component.get("displayName") or ""),
                    kind=kind_of(component)[1],
                    known=recognised,
                    problems=problems,
                )
            )
    return reports


def _problems(component: Mapping[str, Any], schema: str) -> Iterator[FieldProblem]:
    validator = _validator(schema)
    configuration = component.get("configuration") or {}
    own = {key: value for key, value in configuration.items() if key not in ("metadata", "status")}
    for count, error in enumerate(validator.iter_errors(own)):
        if count == MAX_PROBLEMS:
            return
        path = ".".join(str(part) for part in ("configuration", *error.instance_path))
        yield FieldProblem(path=path, message=error.message[:500])


@lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(orjson.loads(schema))
