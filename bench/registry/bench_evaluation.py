"""Evaluation of designs with what ships: whole designs beside a bare hash join over the same pairs, and one change.

Rounds alternate, so that both see the same machine; ratios count. Neither looks for cycles of garbage meanwhile, as
in the process that the service evaluates in (`domain/evaluation/beside.py`). Times are of the processor.
Goals: at most 1.5 times the bare join, 3,000 components at most 12 times as long as 300, one change of a design of
3,000 components within 10 ms.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from bare_join import joined, prepared

from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.session import Change, Session

SIZES = (300, 1000, 3000)
ROUNDS = 7
CHANGES = 60
CONTENT = Path(__file__).parents[2] / "services/registry/src/meshery_registry/content"


def definitions() -> list[dict[str, Any]]:
    """The relationships that ship."""
    return [yaml.safe_load(file.read_text()) for file in sorted(CONTENT.glob("*/relationships/*.yaml"))]


def component(number: int, kind: str, name: str, configuration: dict[str, Any]) -> dict[str, Any]:
    """A component as a design has it."""
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "displayName": name,
        "component": {"kind": kind, "version": "v1"},
        "modelReference": {"name": "kubernetes"},
        "configuration": configuration,
    }


def shop(number: int, namespace: str) -> list[tuple[str, str, dict[str, Any]]]:
    """One application: ten components that belong together."""
    name = f"shop-{number}"
    labels = {"app": name, "tier": "front", "app.kubernetes.io/part-of": f"suite-{number % 50}"}
    metadata = {"namespace": namespace, "labels": labels}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": name,
            "priorityClassName": "high",
            "containers": [
                {
                    "name": "web",
                    "image": f"registry.local/{name}:1.2.3",
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "envFrom": [{"configMapRef": {"name": name}}],
                    "env": [
                        {"name": "MODE", "value": "production"},
                        {
                            "name": "PASSWORD",
                            "valueFrom": {"secretKeyRef": {"name": name, "key": "password"}},
                        },
                    ],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"},
                        "limits": {"memory": "256Mi"},
                    },
                },
                {"name": "proxy", "image": "registry.local/proxy:3.1", "ports": [{"containerPort": 9090}]},
            ],
            "volumes": [
                {"name": "files", "configMap": {"name": name}},
                {"name": "data", "persistentVolumeClaim": {"claimName": name}},
                {"name": "scratch", "emptyDir": {}},
            ],
        },
    }
    backend = {"service": {"name": name, "port": {"number": 80}}}
    return [
        ("Deployment", name, {"metadata": metadata, "spec": {"replicas": 2, "template": template}}),
        (
            "Service",
            name,
            {
                "metadata": metadata,
                "spec": {
                    "selector": {"app": name},
                    "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
                },
            },
        ),
        ("ConfigMap", name, {"metadata": metadata, "data": {"settings.yaml": "debug: false"}}),
        ("Secret", name, {"metadata": metadata, "type": "Opaque"}),
        ("PersistentVolumeClaim", name, {"metadata": metadata, "spec": {"storageClassName": "fast"}}),
        ("ServiceAccount", name, {"metadata": metadata}),
        (
            "Ingress",
            name,
            {
                "metadata": metadata,
                "spec": {
                    "ingressClassName": "nginx",
                    "rules": [
                        {"host": f"{name}.example", "http": {"paths": [{"path": "/", "backend": backend}]}}
                    ],
                },
            },
        ),
        (
            "HorizontalPodAutoscaler",
            name,
            {
                "metadata": metadata,
                "spec": {"scaleTargetRef": {"apiVersion": "v1", "kind": "Deployment", "name": name}},
            },
        ),
        (
            "RoleBinding",
            name,
            {
                "metadata": metadata,
                "roleRef": {"kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            },
        ),
        ("Role", name, {"metadata": metadata, "rules": []}),
    ]


def design(size: int) -> dict[str, Any]:
    """A design of so many components: applications in namespaces of thirty, classes that all of them use."""
    parts: list[tuple[str, str, dict[str, Any]]] = [
        ("StorageClass", "fast", {}),
        ("IngressClass", "nginx", {}),
        ("PriorityClass", "high", {"value": 1000}),
    ]
    number = 0
    while len(parts) < size:
        if number % 30 == 0:
            parts.append(("Namespace", f"team-{number // 30}", {}))
        parts += shop(number, f"team-{number // 30}")
        number += 1
    components = [component(number, *part) for number, part in enumerate(parts[:size])]
    return {"id": "d", "name": "bench", "version": "0.0.1", "components": components, "relationships": []}


def timed(work: Callable[[], Any]) -> float:
    """Seconds that some work takes; garbage of before is not on its account."""
    gc.collect()
    gc.disable()
    started = time.process_time()
    result = work()  # kept until the clock has stopped, as a caller does
    took = time.process_time() - started
    del result
    gc.enable()
    return took


def whole_designs(catalogue: Catalogue, rules: list[Any]) -> tuple[float, float]:
    """Print each size beside its baseline; the greatest ratio, and how much longer the largest takes."""
    greatest, medians = 0.0, []
    for size in SIZES:
        document = design(size)
        components = document["components"]
        matches = len(joined(components, rules))
        session = Session(catalogue, document)
        found = len(session.design()["relationships"])
        assert found == matches, f"{found} relationships, the bare join has {matches}"
        assert not Session(catalogue, session.design()).first.actions
        pairs = [
            (timed(lambda: joined(components, rules)), timed(lambda: Session(catalogue, document)))  # noqa: B023
            for _ in range(ROUNDS)
        ]
        ratio = statistics.median(ours / bare for bare, ours in pairs)
        bare, ours = (statistics.median(values) for values in zip(*pairs, strict=True))
        greatest = max(greatest, ratio)
        medians.append(ours)
        print(
            f"{size:5,} components, {found:6,} relationships: bare join {bare * 1e3:6.1f} ms, "
            f"evaluation {ours * 1e3:6.1f} ms, ratio {ratio:.2f}"
        )
    print(f"time(3,000) / time(300): {medians[-1] / medians[0]:.1f}")
    return greatest, medians[-1] / medians[0]


def changes(catalogue: Catalogue) -> float:
    """Print what one change of the largest design takes; the slowest of the first and the median, in seconds."""
    document = design(SIZES[-1])
    session = Session(catalogue, document)
    state = {one["id"]: one for one in session.design()["components"]}
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for one in state.values():
        by_kind.setdefault(one["component"]["kind"], []).append(one)
    slowest = 0.0
    for kind in ("Deployment", "Service", "ConfigMap", "Ingress"):
        took = []
        for number in range(CHANGES):
            renamed = {**by_kind[kind][number], "displayName": f"{kind}-{number}-renamed".lower()}
            took.append(timed(lambda: session.change(Change(components=(renamed,)))))  # noqa: B023
        median = statistics.median(took)
        slowest = max(slowest, median)
        print(
            f"one {kind} of {SIZES[-1]:,} renamed: first {took[0] * 1e3:.1f} ms, median {median * 1e3:.2f} ms, "
            f"slowest {max(took) * 1e3:.1f} ms"
        )
    return slowest


def main() -> int:
    """Measure and say; 1 when a goal is missed."""
    documents = definitions()
    catalogue = Catalogue(documents)
    print(f"{len(documents)} definitions, {len(catalogue.definitions)} pairs of selectors")
    for text in catalogue.refused:
        print(f"refused: {text}")
    ratio, growth = whole_designs(catalogue, prepared(documents))
    change = changes(catalogue)
    return 0 if ratio <= 1.5 and growth <= 12 and change <= 0.010 else 1


if __name__ == "__main__":
    sys.exit(main())
