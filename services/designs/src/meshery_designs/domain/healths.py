"""Whether an object in a cluster is healthy: rules by kind, and a general one for everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from meshery_designs.domain.manifests import group_kind


class State(StrEnum):
    """Healthy, on the way, or beyond hope without help."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    FAILED = "failed"


class Health(NamedTuple):
    """The state and one sentence about it."""

    state: State
    message: str = ""


HEALTHY = Health(State.HEALTHY)


def health_of(content: Mapping[str, Any]) -> Health:
    """The health of an object as the API server returned it."""
    metadata = content.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return _progressing("It is being deleted.")
    status = content.get("status") or {}
    observed = status.get("observedGeneration")
    if isinstance(observed, int) and observed < _count(metadata, "generation"):
        return _progressing("Its controller has not seen the change yet.")
    kind = group_kind(str(content.get("apiVersion")), str(content.get("kind")))
    if kind in _CONTROLLED and observed is None:
        return _progressing("Its controller has not seen it yet.")
    return _RULES.get(kind, _by_conditions)(content.get("spec") or {}, status)


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    progressing = _condition(status, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return _failed(progressing, "The rollout made no progress in time.")
    if spec.get("paused"):
        return Health(State.HEALTHY, "Its rollout is paused.")
    wanted = _count(spec, "replicas", 1)
    updated = _count(status, "updatedReplicas")
    if updated < wanted:
        return _progressing(f"{updated} of {wanted} replicas are updated.")
    if _count(status, "replicas") > updated:
        return _progressing("Old replicas are still ending.")
    return _enough(_count(status, "availableReplicas"), wanted, "replicas are available")


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    strategy = spec.get("updateStrategy") or {}
    partitioned = _count(strategy.get("rollingUpdate") or {}, "partition") > 0
    by_hand = strategy.get("type") == "OnDelete" or partitioned
    if not by_hand and status.get("updateRevision") != status.get("currentRevision"):
        return _progressing("Replicas are being updated.")
    return _enough(_count(status, "readyReplicas"), _count(spec, "replicas", 1), "replicas are ready")


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    ready = _count(status, "numberAvailable")
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete":
        ready = min(ready, _count(status, "updatedNumberScheduled"))
    return _enough(ready, _count(status, "desiredNumberScheduled"), "nodes are served")


def _replica_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    return _enough(_count(status, "availableReplicas"), _count(spec, "replicas", 1), "replicas are available")


def _job(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    failed = _condition(status, "Failed")
    if failed.get("status") == "True":
        return _failed(failed, "The job has failed.")
    done = _condition(status, "Complete").get("status") == "True" or spec.get("suspend")
    return HEALTHY if done else _progressing("The job has not completed.")


def _pod(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    phase = str(status.get("phase") or "Pending")
    if phase == "Failed":
        return _failed(status, str(status.get("reason") or "The pod has failed."))
    if phase == "Succeeded" or _condition(status, "Ready").get("status") == "True":
        return HEALTHY
    return _progressing(f"The pod is {phase.lower()}.")


def _volume_claim(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    if status.get("phase") == "Lost":
        return Health(State.FAILED, "Its volume is lost.")
    # Pending is fine: many classes bind when the first pod wants the volume.
    return HEALTHY


def _service(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    balanced = spec.get("type") == "LoadBalancer"
    if balanced and not (status.get("loadBalancer") or {}).get("ingress"):
        return _progressing("The load balancer has no address yet.")
    return HEALTHY


def _definition(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    names = _condition(status, "NamesAccepted")
    if names.get("status") == "False":
        return _failed(names, "Another definition has its names.")
    established = _condition(status, "Established").get("status") == "True"
    return HEALTHY if established else _progressing("The kind is not served yet.")


def _namespace(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    active = status.get("phase", "Active") == "Active"
    return HEALTHY if active else _progressing("The namespace is ending.")


def _always(_spec: Mapping[str, Any], _status: Mapping[str, Any]) -> Health:
    return HEALTHY


def _by_conditions(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    """Kinds of which no more is known than what most controllers agree on. One without a status is healthy."""
    stalled = _condition(status, "Stalled")
    if stalled.get("status") == "True":
        return _failed(stalled, "Its controller has given up.")
    reconciling = _condition(status, "Reconciling")
    if reconciling.get("status") == "True":
        return _progressing(str(reconciling.get("message") or "Its controller is at work."))
    for name in ("Ready", "Available"):
        condition = _condition(status, name)
        if condition and condition.get("status") != "True":
            return _progressing(str(condition.get("message") or f"It is not {name.lower()}."))
    return HEALTHY


def _progressing(message: str) -> Health:
    return Health(State.PROGRESSING, message)


def _failed(told: Mapping[str, Any], otherwise: str) -> Health:
    return Health(State.FAILED, str(told.get("message") or otherwise))


def _enough(there: int, wanted: int, what: str) -> Health:
    return HEALTHY if there >= wanted else _progressing(f"{there} of {wanted} {what}.")


def _count(values: Mapping[str, Any], field: str, otherwise: int = 0) -> int:
    value = values.get(field)
    return value if isinstance(value, int) else otherwise


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = status.get("conditions")
    for one in conditions if isinstance(conditions, list) else []:
        if isinstance(one, dict) and one.get("type") == kind:
            return one
    return {}


#: Their controllers say which generation they have seen: until they do, their status means nothing.
_CONTROLLED = ("Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps")
_RULES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Health]] = {
    "Deployment.apps": _deployment,
    "StatefulSet.apps": _stateful_set,
    "DaemonSet.apps": _daemon_set,
    "ReplicaSet.apps": _replica_set,
    "ReplicationController": _replica_set,
    "Job.batch": _job,
    "CronJob.batch": _always,
    "Pod": _pod,
    "PersistentVolumeClaim": _volume_claim,
    "Service": _service,
    "CustomResourceDefinition.apiextensions.k8s.io": _definition,
    "Namespace": _namespace,
    # These carry conditions that are not about their own health.
    "HorizontalPodAutoscaler.autoscaling": _always,
    "PodDisruptionBudget.policy": _always,
}
