"""The page of every metric, from the values that the modules of the members hold."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.metrics import MetricWrapperBase

from meshery_common.telemetry import Readings
from workspace import Member


@dataclass(frozen=True, order=True)
class MetricShown:
    """One metric."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def metrics_of(member: Member) -> list[MetricShown]:
    """The metrics that modules of this member define, by name."""
    found = {one for module in _modules(member) for one in _metrics(module)}
    return sorted(found)


def _modules(member: Member) -> Iterator[str]:
    for file in sorted(member.code.rglob("*.py")):
        if "prometheus_client" in (text := file.read_text()) or "Readings(" in text:
            parts = file.relative_to(member.src).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _metrics(module: str) -> Iterator[MetricShown]:
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, Readings):
            yield MetricShown(value.name, "gauge", value.labels, value.documentation)
        elif isinstance(value, MetricWrapperBase):
            # The library tells names and types by collecting; labels it keeps to itself.
            [family] = value.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels: tuple[str, ...] = tuple(value._labelnames)
            yield MetricShown(name, family.type, labels, family.documentation)
