"""Plans: in which order objects go, what will become of each, and which fields differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from meshery_contracts.clusters import ObjectOutcome, ObjectReference, ObjectResult
from meshery_contracts.deployments import Action, FieldChange, ObjectPlan
from meshery_contracts.errors import FieldProblem, Invalid, Problem, Word
from meshery_designs.domain.manifests import DESIGN_LABEL

#: Kinds by the wave they go in at the earliest. What others need comes first; custom resources come last,
#: because their controllers are workloads.
_WAVES: tuple[tuple[str, ...], ...] = (
    ("Namespace",),
    ("CustomResourceDefinition",),
    (
        *("PriorityClass", "StorageClass", "IngressClass", "RuntimeClass", "CSIDriver", "GatewayClass"),
        *("NetworkPolicy", "ResourceQuota", "LimitRange", "ServiceAccount", "Secret", "ConfigMap"),
        *("PersistentVolume", "PersistentVolumeClaim", "ClusterRole", "Role"),
    ),
    ("ClusterRoleBinding", "RoleBinding"),
    ("Service",),
    (
        "DaemonSet",
        "Deployment",
        "StatefulSet",
        "ReplicaSet",
        "ReplicationController",
        "Pod",
        "Job",
        "CronJob",
    ),
    ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress", "HTTPRoute", "Gateway"),
    ("APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
)
_WAVE_OF_KIND = {kind: wave for wave, kinds in enumerate(_WAVES) for kind in kinds}
_LAST_WAVE = len(_WAVES)
_CRD = "CustomResourceDefinition"

#: What the API server writes by itself and is no difference.
_SERVER_METADATA = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
_HIDDEN = "(hidden)"
_HIDDEN_CHANGED = "(hidden, changed)"


@dataclass(frozen=True)
class Item:
    """A component's object on its way into a cluster."""

    component_id: UUID
    component_name: str
    model: str
    content: dict[str, Any]
    reference: ObjectReference
    wave: int


def waves_of(components: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The wave of each component by its id: the wave of its kind, or later when `dependsOn` demands it.

    `metadata.dependsOn` names components by id or by a display name that only one has. Raises Invalid for a
    name that is unknown or ambiguous, and for a circle.
    """
    by_id = {str(one["id"]): one for one in components}
    by_name: dict[str, list[str]] = {}
    for component_id, one in by_id.items():
        by_name.setdefault(str(one.get("displayName", "")), []).append(component_id)
    needs = {component_id: _needs(one, by_id, by_name) for component_id, one in by_id.items()}
    waves: dict[str, int] = {}
    on_path: list[str] = []

    def wave(component_id: str) -> int:
        if component_id in waves:
            return waves[component_id]
        if component_id in on_path:
            names = [str(by_id[one].get("displayName")) for one in [*on_path, component_id]]
            raise Invalid(
                f"Components depend on each other in a circle: {' → '.join(names)}.",
                code="depends_on_circle",
                remedy="Take one `dependsOn` out of the circle.",
            )
        on_path.append(component_id)
        kind = by_id[component_id]["component"]["kind"]
        needed = [wave(other) + 1 for other in needs[component_id]]
        waves[component_id] = max([_WAVE_OF_KIND.get(kind, _LAST_WAVE), *needed])
        on_path.pop()
        return waves[component_id]

    for component_id in by_id:
        wave(component_id)
    return waves


def _needs(
    component: Mapping[str, Any], by_id: Mapping[str, Any], by_name: Mapping[str, list[str]]
) -> list[str]:
    named = (component.get("metadata") or {}).get("dependsOn") or []
    name = str(component.get("displayName"))
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise _depends_on_invalid(name, "must be a list of component ids or names")
    needs = []
    for one in named:
        if one in by_id:
            needs.append(one)
        elif len(by_name.get(one, [])) == 1:
            needs.append(by_name[one][0])
        else:
            how_many = "no component" if one not in by_name else "more than one component"
            raise _depends_on_invalid(name, f"{one!r} names {how_many} of the design")
    return needs


def _depends_on_invalid(name: str, message: str) -> Invalid:
    return Invalid(
        f"`dependsOn` of component {name!r}: {message}.",
        code="depends_on_invalid",
        fields=(FieldProblem(path=f"{name}.metadata.dependsOn", message=message),),
    )


def deploy_plan(
    item: Item,
    result: ObjectResult,
    *,
    connection_id: UUID,
    design_id: UUID | None,
    created_here: set[tuple[str, str]],
    force: bool,
) -> ObjectPlan:
    """What a deployment will do to one object, read from the API server's dry run.

    `created_here` holds the namespaces (as `Namespace`, name) and kinds (as group, kind) that the same plan
    creates: what only waits for one of them is a create, though the API server cannot check it yet.
    """
    plan = ObjectPlan(
        connection_id=connection_id,
        component_id=item.component_id,
        reference=result.reference if result.problem is None else item.reference,
        action=Action.CREATE,
        wave=item.wave,
        warnings=result.warnings,
    )
    if result.problem is not None:
        if waits_for_plan(item.reference, result.problem, created_here):
            note = "Not checked yet: its namespace or kind is created by this very plan."
            return plan.model_copy(update={"warnings": [note]})
        conflict = result.problem.word is Word.CONFLICT
        action = Action.CONFLICT if conflict else Action.FAILED
        return plan.model_copy(update={"action": action, "problem": result.problem})
    if result.live is None:
        return plan
    other = _other_design(result.live, design_id)
    if other and not force:
        return plan.model_copy(
            update={"action": Action.CONFLICT, "problem": _owned_by(item.reference, other)}
        )
    changes = differences(result.live, result.object or {}, secret=item.reference.kind == "Secret")
    action = Action.UPDATE if changes else Action.UNCHANGED
    return plan.model_copy(update={"action": action, "changes": changes})


def waits_for_plan(reference: ObjectReference, problem: Problem, created_here: set[tuple[str, str]]) -> bool:
    """Whether the API server refused only because something of the same plan is not there yet."""
    if problem.word is not Word.NOT_FOUND:
        return False
    group = reference.api_version.rpartition("/")[0]
    return ("Namespace", reference.namespace) in created_here or (group, reference.kind) in created_here


def created_by(contents: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """The namespaces and kinds that these objects bring."""
    created: set[tuple[str, str]] = set()
    for content in contents:
        if content["kind"] == "Namespace":
            created.add(("Namespace", str(content["metadata"].get("name"))))
        elif content["kind"] == _CRD:
            spec = content.get("spec") or {}
            created.add((str(spec.get("group")), str((spec.get("names") or {}).get("kind"))))
    return created


def _other_design(live: Mapping[str, Any], design_id: UUID | None) -> str:
    label = ((live.get("metadata") or {}).get("labels") or {}).get(DESIGN_LABEL, "")
    return "" if not label or label == str(design_id) else str(label)


def _owned_by(reference: ObjectReference, other: str) -> Problem:
    return Problem(
        word=Word.CONFLICT,
        code="owned_by_other_design",
        title=f"{reference.kind} {reference.name} belongs to design {other}.",
        probable_cause=("Two designs declare the same object.",),
        remediation=("Remove it from one of them, or deploy with force to take it over.",),
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any], *, secret: bool) -> list[FieldChange]:
    """The fields that differ, by path. Of a Secret only that a value differs is told."""
    changes = list(_walk("", _comparable(before), _comparable(after)))
    return [_without_secret(change) for change in changes] if secret else changes


def _comparable(content: Mapping[str, Any]) -> dict[str, Any]:
    metadata = content.get("metadata") or {}
    own = {key: value for key, value in metadata.items() if key not in _SERVER_METADATA}
    return {**{key: value for key, value in content.items() if key != "status"}, "metadata": own}


def _walk(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _walk(f"{path}.{key}" if path else key, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(f"{path}.{position}", old, new)
    else:
        yield FieldChange(path=path, before=before, after=after)


def _without_secret(change: FieldChange) -> FieldChange:
    if change.path.split(".")[0] not in ("data", "stringData", "binaryData"):
        return change
    hidden = {
        "before": None if change.before is None else _HIDDEN,
        "after": None if change.after is None else _HIDDEN_CHANGED,
    }
    return change.model_copy(update=hidden)


def undeploy_plan(
    component_id: UUID | None,
    reference: ObjectReference,
    result: ObjectResult,
    *,
    connection_id: UUID,
    wave: int,
) -> ObjectPlan:
    """What a removal will do to one object that was found, or not, in the cluster."""
    action = Action.DELETE if result.outcome is ObjectOutcome.FOUND else Action.UNCHANGED
    if result.problem is not None:
        action = Action.FAILED
    return ObjectPlan(
        connection_id=connection_id,
        component_id=component_id,
        reference=reference,
        action=action,
        wave=wave,
        problem=result.problem,
    )


def plan_hash(objects: Sequence[ObjectPlan]) -> str:
    """A name for what a plan would do: equal plans have equal names, in whatever order they were made."""
    lines = sorted(
        orjson.dumps(one.model_dump(mode="json", exclude={"warnings"}), option=orjson.OPT_SORT_KEYS)
        for one in objects
    )
    return hashlib.blake2b(b"\n".join(lines), digest_size=16).hexdigest()
