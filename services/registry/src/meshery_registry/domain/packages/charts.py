"""A Helm chart archive to a model: what Chart.yaml says, and the kinds that its CRDs define."""

from __future__ import annotations

from meshery_registry.domain.entities import Readings
from meshery_registry.domain.packages.limits import LIMITS, UNKNOWN, Limits, Origin


def chart_package(
    chart: bytes, rendered: str | None = None, limits: Limits = LIMITS, origin: Origin = UNKNOWN
) -> Readings:
    """The model of a chart (.tgz). `rendered` is what `helm template` made of it, None when nobody rendered it."""
    raise NotImplementedError(len(chart), rendered, limits, origin)
