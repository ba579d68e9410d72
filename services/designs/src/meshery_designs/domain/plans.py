"""Plans: what will become of each object, and which of its fields differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from meshery_contracts.clusters import ObjectOutcome, ObjectReference, ObjectResult
from meshery_contracts.deployments import Action, FieldChange, ObjectPlan
from meshery_contracts.errors import Problem, Word
from meshery_designs.domain.items import Item
from meshery_designs.domain.manifests import (
    CLUSTER_METADATA,
    DESIGN_LABEL,
    LAST_APPLIED,
    VERSION_ANNOTATION,
)
from meshery_designs.domain.waves import lives_by

#: Annotations that are no difference: every version has another number, and kubectl's copy repeats the object.
_NO_DIFFERENCE = frozenset({VERSION_ANNOTATION, LAST_APPLIED})
#: Larger values are told by their size.
_MOST_SHOWN_BYTES = 2000
_HIDDEN = "(hidden)"
_HIDDEN_CHANGED = "(hidden, changed)"


@dataclass(frozen=True)
class Deployed:
    """An object that a design has put into a cluster, or was about to when it was last heard of (no uid)."""

    connection_id: UUID
    reference: ObjectReference
    uid: str
    component_id: UUID | None
    component_name: str
    wave: int


@dataclass(frozen=True)
class Planned:
    """What will become of one object, and what a run needs for it."""

    plan: ObjectPlan
    component_name: str
    model: str = ""
    #: The object to apply; None for one that is removed.
    content: dict[str, Any] | None = None
    #: Of the very object that is removed.
    uid: str = ""


def apply_plan(
    item: Item,
    result: ObjectResult,
    *,
    connection_id: UUID,
    design_id: UUID | None,
    brought: set[str],
    force: bool,
) -> Planned:
    """What a deployment will do to one object, read from the API server's dry run.

    `brought` holds the namespaces and kinds that the same plan brings: what only waits for one of them is a
    create, though the API server cannot check it yet.
    """
    plan = ObjectPlan(
        connection_id=connection_id,
        component_id=item.component_id,
        reference=item.reference if result.problem else result.reference,
        action=Action.CREATE,
        wave=item.wave,
        warnings=result.warnings,
    )
    return Planned(
        plan.model_copy(update=_outcome(item, result, design_id, brought, force=force)),
        component_name=item.component_name,
        model=item.model,
        content=item.content,
    )


def _outcome(
    item: Item, result: ObjectResult, design_id: UUID | None, brought: set[str], *, force: bool
) -> dict[str, Any]:
    if result.problem is not None:
        if _lacked(item.content, result.problem) in brought:
            return {"warnings": ["Not checked yet: its namespace or kind is brought by this very plan."]}
        action = Action.CONFLICT if result.problem.word is Word.CONFLICT else Action.FAILED
        return {"action": action, "problem": result.problem}
    if result.live is None:
        return {}
    other = _other_design(result.live, design_id)
    if other and not force:
        return {"action": Action.CONFLICT, "problem": _owned_by(item.reference, other)}
    secret = item.reference.kind == "Secret"
    changes = differences(result.live, result.object or {}, secret=secret)
    taken = [f"It is taken over from design {other}."] if other else []
    return {
        "action": Action.UPDATE if changes else Action.UNCHANGED,
        "changes": changes,
        "warnings": [*taken, *result.warnings],
    }


def _lacked(content: Mapping[str, Any] | None, problem: Problem) -> str:
    """What an object was refused for the lack of, in the words of `brings`; empty when it is something else."""
    what = {"kind_unknown": "kind ", "object_unknown": "namespace "}.get(problem.code)
    return next((one for one in lives_by(content) if what and one.startswith(what)), "")


def removal_plan(deployed: Deployed, result: ObjectResult, *, design_id: UUID | None, wave: int) -> Planned:
    """What a removal will do to an object, read from how it is now. Only the very object that was put there goes."""
    action, warnings = Action.DELETE, []
    if result.problem is not None:
        action = Action.FAILED
    elif result.outcome is ObjectOutcome.ABSENT:
        action = Action.UNCHANGED
    elif deployed.uid not in ("", result.uid):
        action, warnings = Action.UNCHANGED, ["Another object bears its name by now: left alone."]
    elif other := _other_design(result.object or {}, design_id):
        action, warnings = Action.UNCHANGED, [f"It belongs to design {other} by now: left alone."]
    elif not deployed.uid and not _design_of(result.object or {}):
        action, warnings = Action.UNCHANGED, ["It was not made by this design: left alone."]
    plan = ObjectPlan(
        connection_id=deployed.connection_id,
        component_id=deployed.component_id,
        reference=deployed.reference,
        action=action,
        wave=wave,
        warnings=warnings,
        problem=result.problem,
    )
    return Planned(plan, component_name=deployed.component_name, uid=deployed.uid or result.uid)


def plan_hash(about: Sequence[object], objects: Sequence[ObjectPlan]) -> str:
    """A name for what a plan would do: equal plans have equal names, in whatever order they were made.

    `about` names what it was made from. It holds the design's version, because of secrets a plan tells no values.
    """
    told = ({**vars(one), "warnings": None, "problem": None} for one in objects)
    lines = sorted(orjson.dumps(one, default=vars, option=orjson.OPT_SORT_KEYS) for one in told)
    return hashlib.blake2b(b"\n".join([orjson.dumps(about), *lines]), digest_size=16).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any], *, secret: bool) -> list[FieldChange]:
    """The fields that differ, by path. Of a Secret only that a value differs is told."""
    former, latter = _comparable(before), _comparable(after)
    if _written(former) == _written(latter):
        return []  # most are equal, and writing them is faster than a walk
    return [
        FieldChange(
            path=path, before=_shown(path, old, secret), after=_shown(path, new, secret, changed=True)
        )
        for path, old, new in _walk("", former, latter)
    ]


def _written(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _comparable(content: Mapping[str, Any]) -> dict[str, Any]:
    metadata = content.get("metadata") or {}
    own = {key: value for key, value in metadata.items() if key not in CLUSTER_METADATA}
    annotations = own.pop("annotations", None) or {}
    own["annotations"] = {key: value for key, value in annotations.items() if key not in _NO_DIFFERENCE}
    return {**{key: value for key, value in content.items() if key != "status"}, "metadata": own}


def _walk(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict | None) and isinstance(after, dict | None) and (before or after):
        former, latter = before or {}, after or {}
        for key in sorted({*former, *latter}):
            yield from _walk(f"{path}.{key}" if path else key, former.get(key), latter.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(f"{path}.{position}", old, new)
    # Python takes true for 1.
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield path, before, after


def _shown(path: str, value: Any, secret: bool, *, changed: bool = False) -> Any:
    if value is None:
        return None
    if secret and not path.startswith("metadata."):
        return _HIDDEN_CHANGED if changed else _HIDDEN
    size = len(orjson.dumps(value))
    return value if size <= _MOST_SHOWN_BYTES else f"({size:,} bytes)"


def _design_of(live: Mapping[str, Any]) -> str:
    return str(((live.get("metadata") or {}).get("labels") or {}).get(DESIGN_LABEL) or "")


def _other_design(live: Mapping[str, Any], design_id: UUID | None) -> str:
    label = _design_of(live)
    return "" if label == str(design_id) else label


def _owned_by(reference: ObjectReference, other: str) -> Problem:
    return Problem(
        word=Word.CONFLICT,
        code="owned_by_other_design",
        title=f"{reference.kind} {reference.name} belongs to design {other}.",
        probable_cause=("Two designs declare the same object.",),
        remediation=("Remove it from one of them, or deploy with force to take it over.",),
    )
