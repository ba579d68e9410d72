"""Components against the JSON schemas of their kinds. Plain and picklable: it runs in a worker process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

import jsonschema_rs
import orjson

from meshery_contracts.designs import ComponentReport
from meshery_contracts.errors import FieldProblem
from meshery_contracts.registry import ResolvedKind
from meshery_designs.domain.manifests import is_deployable

#: Problems told of one component; the first ones show the mistake.
MAX_PROBLEMS = 20


def kind_of(component: Mapping[str, Any]) -> tuple[str, str]:
    """apiVersion and kind of a component."""
    inner = component["component"]
    return str(inner.get("version") or "v1"), str(inner["kind"])


def kinds_in(file: str) -> list[tuple[str, str]]:
    """The kinds of what a design file (JSON) puts into a cluster."""
    return sorted({kind_of(one) for one in _deployable(file)})


def reports_of(
    file: str, kinds: Mapping[tuple[str, str], ResolvedKind], schemas: Mapping[str, str]
) -> tuple[int, list[ComponentReport]]:
    """How many components of a design file (JSON) were checked, and what is wrong with which."""
    components = _deployable(file)
    return len(components), reports_on(components, kinds, schemas)


def _deployable(file: str) -> list[Mapping[str, Any]]:
    return [one for one in orjson.loads(file)["components"] if is_deployable(one)]


def reports_on(
    components: Sequence[Mapping[str, Any]],
    kinds: Mapping[tuple[str, str], ResolvedKind],
    schemas: Mapping[str, str],
) -> list[ComponentReport]:
    """What is wrong with which component; one that is all right is left out."""
    reports = []
    for component in components:
        kind = kinds.get(kind_of(component))
        validator = _validator(schemas.get(kind.schema_hash, "true")) if kind is not None else None
        known = kind is not None and kind.component_id is not None and validator is not None
        problems = list(_problems(component, validator)) if validator is not None else []
        if problems or not known:
            reports.append(
                ComponentReport(
                    component_id=UUID(str(component["id"])),
                    name=str(component.get("displayName") or ""),
                    kind=kind_of(component)[1],
                    known=known,
                    problems=problems,
                )
            )
    return reports


def _problems(component: Mapping[str, Any], validator: jsonschema_rs.Validator) -> Iterator[FieldProblem]:
    configuration = component.get("configuration") or {}
    own = {key: value for key, value in configuration.items() if key not in ("metadata", "status")}
    for error in islice(validator.iter_errors(own), MAX_PROBLEMS):
        path = ".".join(str(part) for part in ("configuration", *error.instance_path))
        yield FieldProblem(path=path, message=error.message[:500])


@lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Validator | None:
    """What checks against a schema; None when it cannot be used. It comes from a cluster: nothing is fetched."""
    try:
        return jsonschema_rs.validator_for(orjson.loads(schema), offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None
