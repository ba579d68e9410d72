"""In which order the components of a design go into a cluster."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meshery_contracts.errors import FieldProblem, Invalid
from meshery_designs.domain.manifests import CRD, group_kind, is_deployable, object_of

#: Kinds by the wave they go in at the earliest. What others need comes first; custom resources come last,
#: because their controllers are workloads.
_WAVES: tuple[tuple[str, ...], ...] = (
    ("Namespace",),
    (CRD,),
    (
        *("PriorityClass.scheduling.k8s.io", "StorageClass.storage.k8s.io", "CSIDriver.storage.k8s.io"),
        *("IngressClass.networking.k8s.io", "NetworkPolicy.networking.k8s.io", "RuntimeClass.node.k8s.io"),
        *("GatewayClass.gateway.networking.k8s.io", "ResourceQuota", "LimitRange"),
        *("ServiceAccount", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim"),
        *("ClusterRole.rbac.authorization.k8s.io", "Role.rbac.authorization.k8s.io"),
    ),
    ("ClusterRoleBinding.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io"),
    ("Service",),
    (
        *("DaemonSet.apps", "Deployment.apps", "StatefulSet.apps", "ReplicaSet.apps"),
        *("ReplicationController", "Pod", "Job.batch", "CronJob.batch"),
    ),
    (
        *("HorizontalPodAutoscaler.autoscaling", "PodDisruptionBudget.policy"),
        *("Ingress.networking.k8s.io", "Gateway.gateway.networking.k8s.io"),
        "HTTPRoute.gateway.networking.k8s.io",
    ),
    (
        "APIService.apiregistration.k8s.io",
        "MutatingWebhookConfiguration.admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
    ),
)
_WAVE_OF_KIND = {kind: wave for wave, kinds in enumerate(_WAVES) for kind in kinds}
_LAST_WAVE = len(_WAVES)


def waves_of(components: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The wave of each component by its id: the wave of its kind, or later when another one must be there before.

    `metadata.dependsOn` names components by id or by a display name that only one has; a namespace and a
    definition of the design itself go before what lives by them. Raises Invalid for a name that is unknown or
    ambiguous, and for a circle.
    """
    by_id = {str(one["id"]): one for one in components}
    by_name: dict[str, list[str]] = {}
    for component_id, one in by_id.items():
        by_name.setdefault(str(one.get("displayName", "")), []).append(component_id)
    contents = {
        component_id: object_of(one, design_id=None, version=0)
        for component_id, one in by_id.items()
        if is_deployable(one)
    }
    brought = {what: component_id for component_id, content in contents.items() for what in brings(content)}
    needs: dict[str, set[str]] = {}
    for component_id, one in by_id.items():
        implied = {brought.get(what, component_id) for what in lives_by(contents.get(component_id))}
        needs[component_id] = {*_named(one, by_id, by_name), *implied - {component_id}}
    waves: dict[str, int] = {}
    for component_id in _in_order(needs, by_id):
        content = contents.get(component_id)
        if content is None:
            waves[component_id] = -1  # nothing to wait for
            continue
        own = _WAVE_OF_KIND.get(group_kind(content["apiVersion"], content["kind"]), _LAST_WAVE)
        waves[component_id] = max(own, *(waves[other] + 1 for other in needs[component_id]), 0)
    return waves


def brings(content: Mapping[str, Any]) -> Iterator[str]:
    """What other objects can live by only once this one is there: a namespace, or a kind."""
    kind = group_kind(content["apiVersion"], content["kind"])
    if kind == "Namespace":
        yield f"namespace {content['metadata']['name']}"
    elif kind == CRD:
        spec = content.get("spec")
        spec = spec if isinstance(spec, dict) else {}
        names = spec.get("names")
        if isinstance(names, dict):
            yield f"kind {names.get('kind')}.{spec.get('group')}"


def lives_by(content: Mapping[str, Any] | None) -> Iterator[str]:
    """What must be there before this object, in the words of `brings`."""
    if content is not None:
        yield f"namespace {content['metadata'].get('namespace')}"
        yield f"kind {group_kind(content['apiVersion'], content['kind'])}"


def _in_order(needs: Mapping[str, set[str]], by_id: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every component after those it needs. Raises Invalid for a circle."""
    sorter = graphlib.TopologicalSorter(needs)
    try:
        return list(sorter.static_order())
    except graphlib.CycleError as error:
        names = [str(by_id[one].get("displayName")) for one in reversed(error.args[1])]
        raise Invalid(
            f"Components depend on each other in a circle: {' → '.join(names)}.",
            code="depends_on_circle",
            remedy="Take one `dependsOn` out of the circle.",
        ) from None


def _named(
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
