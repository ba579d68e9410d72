"""What policies judge: the Kubernetes objects that a design declares, as a cluster would get them.

Values of Secrets are hidden before any expression sees them, so that no message can tell one. What is null is left out:
to an API server it means the same, and `has()` is then true of values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

from meshery_contracts.errors import Invalid
from meshery_registry.domain.policies.documents import Match

#: Kinds by apiVersion and name.
Kinds = frozenset[tuple[str, str]]

HIDDEN = "(hidden)"
_SECRET_FIELDS = ("data", "stringData")
#: kubectl's copy of the whole object.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NOT_CONFIGURATION = ("apiVersion", "kind", "status")


@dataclass(frozen=True, slots=True)
class Judged:
    """A component with the object that it declares."""

    component_id: UUID | None
    name: str
    model: str
    namespace: str
    object: dict[str, Any]

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.object["kind"])


def judged_of(design: Mapping[str, Any], cluster_scoped: Kinds = frozenset()) -> list[Judged]:
    """The components of a design that stand for objects, in their order. Raises Invalid when it is none.

    What the design says of itself about namespaces is not believed: a cluster knows it from the kind.
    """
    components = design.get("components", [])
    if not isinstance(components, list) or not all(isinstance(one, dict) for one in components):
        raise Invalid(
            "A design is a mapping with a list of `components`.",
            code="design_shape",
            remedy="Send a design file, as the designs service gives it.",
        )
    return [_judged(one, cluster_scoped) for one in components if _is_deployable(one)]


def facts_of(design: Mapping[str, Any], judged: list[Judged]) -> dict[str, Any]:
    """What a rule over components may know of the design around: enough to decide by, little to hand over."""
    kinds: dict[str, int] = {}
    for one in judged:
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    metadata = design.get("metadata")
    return {
        "id": str(design.get("id") or ""),
        "name": str(design.get("name") or ""),
        "metadata": without_nulls(metadata) if isinstance(metadata, dict) else {},
        "kinds": kinds,
        "size": len(judged),
    }


def matches(match: Match, one: Judged) -> bool:
    """Whether a policy is about this component."""
    labels = _mapping(_mapping(one.object.get("metadata")).get("labels"))
    return (
        _any(match.kinds, one.kind)
        and _any(match.api_versions, str(one.object["apiVersion"]))
        and _any(match.namespaces, one.namespace)
        and not (match.exclude_namespaces and _any(match.exclude_namespaces, one.namespace))
        and all(labels.get(key) == value for key, value in match.labels.items())
    )


def by_kind(match: Match, judged: list[Judged]) -> dict[str, list[dict[str, Any]]]:
    """Objects by their kinds; every kind that a policy names is there, if with none. Finds without filtering."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in match.kinds if "*" not in kind}
    for one in judged:
        found.setdefault(one.kind, []).append(one.object)
    return found


def pod_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Pod spec that an object is or brings, also of kinds that we do not know; empty when it brings none."""
    spec = _mapping(obj.get("spec"))
    if obj.get("kind") == "Pod":
        return spec
    if "jobTemplate" in spec:
        spec = _mapping(_mapping(spec["jobTemplate"]).get("spec"))
    return _mapping(_mapping(spec.get("template")).get("spec"))


def containers_of(pod: Mapping[str, Any]) -> list[Any]:
    """All containers of a Pod spec, those for its start and for debugging included."""
    lists = (pod.get(key) for key in ("containers", "initContainers", "ephemeralContainers"))
    return [one for some in lists if isinstance(some, list) for one in some if isinstance(one, dict)]


def without_nulls(value: Any) -> Any:
    """A JSON value without the keys that say nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def _judged(component: Mapping[str, Any], cluster_scoped: Kinds) -> Judged:
    inner = _mapping(component.get("component"))
    configuration = without_nulls(_mapping(component.get("configuration")))
    metadata = dict(_mapping(configuration.get("metadata")))
    name = str(component.get("displayName") or "")
    if not metadata.get("name"):
        metadata["name"] = str(metadata.get("generateName") or name)
    kind = str(inner.get("kind") or "")
    own = {key: value for key, value in configuration.items() if key not in _NOT_CONFIGURATION}
    if kind == "Secret":
        own |= {field: _hidden(own[field]) for field in _SECRET_FIELDS if field in own}
        annotations = _mapping(metadata.get("annotations"))
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
    api_version = str(inner.get("version") or "v1")
    namespaced = (api_version, kind) not in cluster_scoped
    return Judged(
        component_id=_id(component.get("id")),
        name=name or str(metadata["name"]),
        model=str(_mapping(component.get("modelReference")).get("name") or ""),
        namespace=_namespace(metadata) if namespaced else "",
        object={
            "apiVersion": api_version,
            "kind": kind,
            **own,
            "metadata": metadata,
        },
    )


def _namespace(metadata: Mapping[str, Any]) -> str:
    """Where the cluster puts what says this: what is no name counts as none."""
    namespace = metadata.get("namespace")
    return namespace if isinstance(namespace, str) and namespace else "default"


def _hidden(values: object) -> Any:
    """The keys, without what they stand for."""
    return dict.fromkeys(values, HIDDEN) if isinstance(values, dict) else HIDDEN


def _is_deployable(component: Mapping[str, Any]) -> bool:
    """Annotations and ignored components stand for nothing in a cluster."""
    return (
        not _mapping(component.get("metadata")).get("isAnnotation") and component.get("status") != "ignored"
    )


def _any(patterns: tuple[str, ...], value: str) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
