"""The health of objects, kind by kind."""

from __future__ import annotations

from typing import Any

import pytest

from meshery_designs.domain.healths import State, health_of

HEALTHY, PROGRESSING, FAILED = State.HEALTHY, State.PROGRESSING, State.FAILED


def conditions(**values: str) -> dict[str, Any]:
    return {
        "conditions": [{"type": name, "status": status, "message": name} for name, status in values.items()]
    }


def deployment(updated: int, replicas: int, available: int) -> dict[str, Any]:
    return {
        "observedGeneration": 1,
        **{"updatedReplicas": updated, "replicas": replicas, "availableReplicas": available},
    }


def stateful(ready: int, current: str, update: str) -> dict[str, Any]:
    return {
        "observedGeneration": 1,
        "readyReplicas": ready,
        "currentRevision": current,
        "updateRevision": update,
    }


def daemons(wanted: int, updated: int, available: int) -> dict[str, Any]:
    return {
        "observedGeneration": 1,
        "desiredNumberScheduled": wanted,
        **{"updatedNumberScheduled": updated, "numberAvailable": available},
    }


STUCK = {
    "observedGeneration": 1,
    "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}],
}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "state"),
    [
        ("apps/v1 Deployment", {}, {}, PROGRESSING),
        ("apps/v1 Deployment", {}, deployment(1, 1, 1), HEALTHY),
        ("apps/v1 Deployment", {"replicas": 3}, deployment(2, 3, 2), PROGRESSING),
        ("apps/v1 Deployment", {"replicas": 3}, deployment(3, 4, 3), PROGRESSING),
        ("apps/v1 Deployment", {"replicas": 3}, deployment(3, 3, 2), PROGRESSING),
        ("apps/v1 Deployment", {"replicas": 3}, deployment(3, 3, 3), HEALTHY),
        ("apps/v1 Deployment", {"replicas": 0}, {"observedGeneration": 1}, HEALTHY),
        ("apps/v1 Deployment", {"replicas": None}, deployment(1, 1, 1), HEALTHY),
        ("apps/v1 Deployment", {}, STUCK, FAILED),
        ("apps/v1 Deployment", {"paused": True}, deployment(0, 1, 1), HEALTHY),
        ("apps/v1 StatefulSet", {}, {}, PROGRESSING),
        ("apps/v1 StatefulSet", {"replicas": 2}, stateful(1, "a", "a"), PROGRESSING),
        ("apps/v1 StatefulSet", {"replicas": 2}, stateful(2, "a", "b"), PROGRESSING),
        ("apps/v1 StatefulSet", {"replicas": 2}, stateful(2, "b", "b"), HEALTHY),
        ("apps/v1 StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, stateful(1, "a", "b"), HEALTHY),
        (
            "apps/v1 StatefulSet",
            {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
            stateful(1, "a", "b"),
            HEALTHY,
        ),
        ("apps/v1 DaemonSet", {}, {}, PROGRESSING),
        ("apps/v1 DaemonSet", {}, daemons(0, 0, 0), HEALTHY),
        ("apps/v1 DaemonSet", {}, daemons(3, 2, 3), PROGRESSING),
        ("apps/v1 DaemonSet", {}, daemons(3, 3, 2), PROGRESSING),
        ("apps/v1 DaemonSet", {}, daemons(3, 3, 3), HEALTHY),
        ("apps/v1 DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, daemons(3, 0, 3), HEALTHY),
        (
            "apps/v1 ReplicaSet",
            {"replicas": 2},
            {"observedGeneration": 1, "availableReplicas": 1},
            PROGRESSING,
        ),
        ("apps/v1 ReplicaSet", {"replicas": 2}, {"observedGeneration": 1, "availableReplicas": 2}, HEALTHY),
        ("batch/v1 Job", {}, {}, PROGRESSING),
        ("batch/v1 Job", {}, conditions(Complete="True"), HEALTHY),
        ("batch/v1 Job", {}, conditions(Failed="True"), FAILED),
        ("batch/v1 Job", {"suspend": True}, {}, HEALTHY),
        ("batch/v1 CronJob", {}, {}, HEALTHY),
        ("v1 Pod", {}, {}, PROGRESSING),
        ("v1 Pod", {}, {"phase": "Running"}, PROGRESSING),
        ("v1 Pod", {}, {"phase": "Running", **conditions(Ready="True")}, HEALTHY),
        ("v1 Pod", {}, {"phase": "Succeeded"}, HEALTHY),
        ("v1 Pod", {}, {"phase": "Failed", "reason": "Evicted"}, FAILED),
        ("v1 PersistentVolumeClaim", {}, {"phase": "Pending"}, HEALTHY),
        ("v1 PersistentVolumeClaim", {}, {"phase": "Lost"}, FAILED),
        ("v1 Service", {}, {}, HEALTHY),
        ("v1 Service", {"type": "LoadBalancer"}, {}, PROGRESSING),
        ("v1 Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "1"}]}}, HEALTHY),
        ("apiextensions.k8s.io/v1 CustomResourceDefinition", {}, {}, PROGRESSING),
        ("apiextensions.k8s.io/v1 CustomResourceDefinition", {}, conditions(Established="True"), HEALTHY),
        ("apiextensions.k8s.io/v1 CustomResourceDefinition", {}, conditions(NamesAccepted="False"), FAILED),
        ("v1 Namespace", {}, {}, HEALTHY),
        ("v1 Namespace", {}, {"phase": "Terminating"}, PROGRESSING),
        ("autoscaling/v2 HorizontalPodAutoscaler", {}, conditions(Ready="False"), HEALTHY),
        ("policy/v1 PodDisruptionBudget", {}, conditions(Available="False"), HEALTHY),
        ("v1 ConfigMap", {}, {}, HEALTHY),
        ("example.com/v1 Gadget", {}, {}, HEALTHY),
        ("example.com/v1 Gadget", {}, conditions(Ready="True"), HEALTHY),
        ("example.com/v1 Gadget", {}, conditions(Ready="False"), PROGRESSING),
        ("example.com/v1 Gadget", {}, conditions(Ready="Unknown"), PROGRESSING),
        ("example.com/v1 Gadget", {}, conditions(Reconciling="True"), PROGRESSING),
        ("example.com/v1 Gadget", {}, conditions(Stalled="True", Ready="False"), FAILED),
        ("example.com/v1 Gadget", {}, {"conditions": "x"}, HEALTHY),
        ("apiregistration.k8s.io/v1 APIService", {}, conditions(Available="False"), PROGRESSING),
        # Kinds of the same names in other groups have rules of their own.
        ("serving.knative.dev/v1 Service", {}, conditions(Ready="False"), PROGRESSING),
        ("example.com/v1 Deployment", {}, {}, HEALTHY),
    ],
)
def test_health(kind: str, spec: dict[str, Any], status: dict[str, Any], state: State) -> None:
    version, name = kind.split()
    content = {
        "apiVersion": version,
        "kind": name,
        "metadata": {"generation": 1},
        "spec": spec,
        "status": status,
    }
    found = health_of(content)
    assert found.state is state
    assert bool(found.message) is (state is not HEALTHY or "paused" in spec)


@pytest.mark.parametrize("observed", [None, 1])
def test_a_status_of_an_older_generation_says_nothing(observed: int | None) -> None:
    content = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"generation": 2},
        "status": {**deployment(1, 1, 1), "observedGeneration": observed},
    }
    assert health_of(content).state is PROGRESSING


def test_what_is_being_deleted_is_not_healthy() -> None:
    metadata = {"deletionTimestamp": "2026-11-23T00:00:00Z"}
    assert health_of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}).state is PROGRESSING


def test_an_object_of_which_nothing_is_known_is_healthy() -> None:
    assert health_of({}).state is HEALTHY
