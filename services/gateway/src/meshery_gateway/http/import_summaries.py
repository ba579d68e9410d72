"""What Meshery's clients read of an import: counts, one sentence, and lists of what was taken and what was not.

Keys are in both spellings; those that begin with a capital are as Go wrote them and have no twin. Beside Meshery's
own there are `operationId` and `status`: an import may go on after its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic.alias_generators import to_camel

from meshery_contracts.imports import Import, ImportEntry, ImportStatus, Outcome, OutcomeCounts
from meshery_gateway.http.shapes import ANY_OBJECT, TEXT, UUID_TEXT, by_name, fields, many

#: What the two make, for the OpenAPI description; keys in one spelling.
SUMMARY = fields(
    operationId=UUID_TEXT,
    status=ImportStatus,
    errMsg=TEXT,
    modelName=many(TEXT),
    entityCount={"type": "object", "additionalProperties": {"type": "integer"}},
    entityTypeSummary=by_name(many(ANY_OBJECT)),
)
GENERATED = fields(name=TEXT, components=many(ANY_OBJECT), errors=many(TEXT), operationId=UUID_TEXT)
#: Meshery's abbreviations in counts.
_COUNTED = (("model", "models"), ("comp", "components"), ("rel", "relationships"))


def summary(imported: Import, entries: list[ImportEntry]) -> dict[str, Any]:
    """The answer to `register`."""
    taken = [one for one in entries if one.outcome is not Outcome.REFUSED]
    refused = [one for one in entries if one.outcome is Outcome.REFUSED]
    counts = {short: getattr(imported, plural) for short, plural in _COUNTED}
    kinds = {kind: [one for one in taken if one.entity_type == kind] for kind in _ROW}
    return _twins(
        {
            "operation_id": str(imported.id),
            "status": imported.status.value,
            "err_msg": sentence(imported, refused),
            "model_name": sorted({one.name for one in kinds["model"]}),
            "entity_count": _twins(
                {
                    **{
                        f"{short}_count": one.added + one.updated + one.unchanged
                        for short, one in counts.items()
                    },
                    **{f"err_{short}_count": one.refused for short, one in counts.items()},
                    "total_err_count": len(refused) or _refused(imported),
                }
            ),
            "entity_type_summary": _twins(
                {
                    **{
                        f"successful_{kind}s": [row(one) for one in kinds[kind]] for kind, row in _ROW.items()
                    },
                    "unsuccessful_component_names": [_refusal(one) for one in refused],
                }
            ),
        }
    )


def generated(name: str, imported: Import, entries: Iterable[ImportEntry]) -> dict[str, Any]:
    """One row of the answer to `generate`."""
    errors = [
        f"{one.entity_type} {one.name}: {one.reason}" for one in entries if one.outcome is Outcome.REFUSED
    ]
    if imported.problem is not None:
        errors.append(imported.problem.title)
    elif imported.status is not ImportStatus.SUCCEEDED:
        errors.append(sentence(imported))
    components = [
        {
            "displayName": one.display_name or one.name,
            "component": {"kind": one.name, "version": one.api_version},
            "model": {"name": one.model, "model": {"version": one.model_version}},
        }
        for one in entries
        if one.entity_type == "component" and one.outcome is not Outcome.REFUSED
    ]
    return _twins(
        {"name": name, "components": components, "errors": errors, "operation_id": str(imported.id)}
    )


def sentence(imported: Import, refused: Sequence[ImportEntry] = ()) -> str:
    """What happened, for a person at a shell: why, too, when nothing was taken."""
    if imported.status in (ImportStatus.PENDING, ImportStatus.RUNNING):
        return (
            f"Not finished yet: {imported.models_done} of {imported.models_total} models. "
            f"Follow it at /api/registry/imports/{imported.id}."
        )
    changes = {
        name: sum(getattr(one, name) for one in _groups(imported))
        for name in ("added", "updated", "unchanged")
    }
    parts = [f"{count} {name}" for name, count in {**changes, "refused": _refused(imported)}.items() if count]
    verb = "Would import" if imported.dry_run else "Imported"
    if imported.status is not ImportStatus.SUCCEEDED:
        verb = f"The import was {imported.status.value}; so far"
    whole = f"{verb} {imported.source}: {', '.join(parts) or 'there was nothing in it'}."
    if imported.status is ImportStatus.SUCCEEDED and not any(changes.values()) and parts:
        whole = (
            f"Nothing of {imported.source} {'would be' if imported.dry_run else 'was'} imported: {parts[0]}."
        )
        whole = " ".join([whole, *(_told(one) for one in refused[:1])])
    return " ".join([whole, *imported.notes])


def _told(refused: ImportEntry) -> str:
    return f"{refused.name}: {refused.reason} {refused.remedy}".removeprefix(": ").strip()


def _groups(imported: Import) -> tuple[OutcomeCounts, ...]:
    return (
        imported.models,
        imported.components,
        imported.relationships,
        imported.policies,
        imported.connections,
    )


def _refused(imported: Import) -> int:
    return sum(one.refused for one in _groups(imported)) + imported.files_refused


def _component(entry: ImportEntry) -> dict[str, Any]:
    return {
        "DisplayName": entry.display_name or entry.name,
        "Model": entry.model,
        "Category": entry.category,
        "Version": entry.model_version,
        "Metadata": entry.outcome.value,
    }


def _model(entry: ImportEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "displayName": entry.display_name or entry.name,
        "category": entry.category,
        "version": entry.model_version,
        "outcome": entry.outcome.value,
    }


def _relationship(entry: ImportEntry) -> dict[str, Any]:
    """Its name is kind, type and sub-type."""
    kind, of_type, sub_type = (*entry.name.split(" ", 2), "", "")[:3]
    return {
        "Kind": kind,
        "RelationshipType": of_type,
        "Subtype": sub_type,
        "Model": entry.model,
        "Selectors": [{"allow": {"from": _kinds(entry.from_kinds), "to": _kinds(entry.to_kinds)}}],
    }


def _kinds(names: list[str]) -> list[dict[str, str]]:
    return [{"kind": name} for name in names]


_ROW = {"model": _model, "component": _component, "relationship": _relationship}


def _refusal(entry: ImportEntry) -> dict[str, Any]:
    places = [entry.where] if entry.where else []
    return {
        "name": [entry.name],
        "entityType": [entry.entity_type],
        "error": {
            "ShortDescription": [entry.reason],
            "LongDescription": [entry.reason, *places],
            "SuggestedRemediation": [entry.remedy] if entry.remedy else [],
        },
    }


def _twins(values: dict[str, Any]) -> dict[str, Any]:
    return values | {to_camel(name): value for name, value in values.items()}
