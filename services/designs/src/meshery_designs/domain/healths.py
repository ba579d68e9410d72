"""Whether an object in a cluster is healthy: rules by kind, and a general one for everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class State(StrEnum):
    """Healthy, on the way, or beyond hope without help."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    FAILED = "failed"


class Health(NamedTuple):
    """The state and one sentence about it."""

    state: State
    message: str = ""


Healthy = Health(State.HEALTHY)


def health_of(content: Mapping[str, Any]) -> Health:
    """The health of an object as the API server returned it."""
    metadata = content.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return Health(State.PROGRESSING, "It is being deleted.")
    status = content.get("status") or {}
    observed = status.get("observedGeneration")
    if isinstance(observed, int) and observed < int(metadata.get("generation") or 0):
        return Health(State.PROGRESSING, "Its controller has not seen the change yet.")
    rule = _RULES.get(str(content.get("kind")), _by_ready_condition)
    return rule(content.get("spec") or {}, status)


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    progressing = _condition(status, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health(
            State.FAILED, str(progressing.get("message") or "The rollout made no progress in time.")
        )
    if "observedGeneration" not in status:
        return Health(State.PROGRESSING, "Its controller has not seen it yet.")
    wanted = int(spec.get("replicas", 1))
    updated = int(status.get("updatedReplicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    if updated < wanted:
        return Health(State.PROGRESSING, f"{updated} of {wanted} replicas are updated.")
    if int(status.get("replicas") or 0) > updated:
        return Health(State.PROGRESSING, "Old replicas are still ending.")
    if available < wanted:
        return Health(State.PROGRESSING, f"{available} of {wanted} replicas are available.")
    return Healthy


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    if "observedGeneration" not in status:
        return Health(State.PROGRESSING, "Its controller has not seen it yet.")
    wanted = int(spec.get("replicas", 1))
    ready = int(status.get("readyReplicas") or 0)
    if ready < wanted:
        return Health(State.PROGRESSING, f"{ready} of {wanted} replicas are ready.")
    on_delete = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    if not on_delete and status.get("updateRevision") != status.get("currentRevision"):
        return Health(State.PROGRESSING, "Replicas are being updated.")
    return Healthy


def _daemon_set(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    if "observedGeneration" not in status:
        return Health(State.PROGRESSING, "Its controller has not seen it yet.")
    wanted = int(status.get("desiredNumberScheduled") or 0)
    ready = min(int(status.get("numberAvailable") or 0), int(status.get("updatedNumberScheduled") or 0))
    if ready < wanted:
        return Health(State.PROGRESSING, f"{ready} of {wanted} nodes are served.")
    return Healthy


def _replica_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    wanted = int(spec.get("replicas", 1))
    available = int(status.get("availableReplicas") or 0)
    if available < wanted:
        return Health(State.PROGRESSING, f"{available} of {wanted} replicas are available.")
    return Healthy


def _job(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    failed = _condition(status, "Failed")
    if failed.get("status") == "True":
        return Health(State.FAILED, str(failed.get("message") or "The job has failed."))
    done = _condition(status, "Complete").get("status") == "True" or spec.get("suspend")
    return Healthy if done else Health(State.PROGRESSING, "The job has not completed.")


def _pod(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    phase = str(status.get("phase") or "Pending")
    if phase == "Failed":
        return Health(
            State.FAILED, str(status.get("message") or status.get("reason") or "The pod has failed.")
        )
    if phase == "Succeeded" or _condition(status, "Ready").get("status") == "True":
        return Healthy
    return Health(State.PROGRESSING, f"The pod is {phase.lower()}.")


def _volume_claim(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    if status.get("phase") == "Lost":
        return Health(State.FAILED, "Its volume is lost.")
    # Pending is fine: many classes bind when the first pod wants the volume.
    return Healthy


def _service(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    balanced = spec.get("type") == "LoadBalancer"
    if balanced and not (status.get("loadBalancer") or {}).get("ingress"):
        return Health(State.PROGRESSING, "The load balancer has no address yet.")
    return Healthy


def _definition(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    if _condition(status, "NamesAccepted").get("status") == "False":
        return Health(State.FAILED, str(_condition(status, "NamesAccepted").get("message")))
    established = _condition(status, "Established").get("status") == "True"
    return Healthy if established else Health(State.PROGRESSING, "The kind is not served yet.")


def _namespace(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    active = status.get("phase", "Active") == "Active"
    return Healthy if active else Health(State.PROGRESSING, "The namespace is ending.")


def _always(_spec: Mapping[str, Any], _status: Mapping[str, Any]) -> Health:
    return Healthy


def _by_ready_condition(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Health:
    for name in ("Ready", "Available"):
        condition = _condition(status, name)
        if condition.get("status") == "False":
            return Health(State.PROGRESSING, str(condition.get("message") or f"{name} is false."))
    return Healthy


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = status.get("conditions")
    for one in conditions if isinstance(conditions, list) else []:
        if isinstance(one, dict) and one.get("type") == kind:
            return one
    return {}


_RULES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Health]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "CronJob": _always,
    "Pod": _pod,
    "PersistentVolumeClaim": _volume_claim,
    "Service": _service,
    "CustomResourceDefinition": _definition,
    "Namespace": _namespace,
    # These carry conditions that are not about their own health.
    "HorizontalPodAutoscaler": _always,
    "PodDisruptionBudget": _always,
}
