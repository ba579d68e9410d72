"""The Prometheus metrics of this process, sent to an OTLP collector as they are: same names, labels and buckets.

So there is one set of metrics, however they are fetched. Labels say which service of a shared process they are of.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as ExportedMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import REGISTRY, Metric
from prometheus_client.samples import Sample

_STARTED_NS = time.time_ns()
_EXPORT_MS = 5_000.0


class MetricsSender:
    """Sends all metrics every few seconds, from a thread of its own, and once more at the end."""

    def __init__(self, exporter: MetricExporter, resource: Resource, interval_seconds: float) -> None:
        self._exporter = exporter
        self._resource = resource
        self._interval = interval_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics to the collector", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Send a last time and end."""
        self._stop.set()
        self._thread.join(timeout_seconds)

    def send(self) -> None:
        """Send now."""
        # The exporter logs what it could not send.
        self._exporter.export(exported(REGISTRY.collect(), self._resource), timeout_millis=_EXPORT_MS)

    def _run(self) -> None:
        while True:
            ended = self._stop.wait(self._interval)
            self.send()
            if ended:
                self._exporter.shutdown()
                return


def exported(metrics: Iterable[Metric], resource: Resource) -> MetricsData:
    """What Prometheus would read, in OpenTelemetry's shape."""
    now = time.time_ns()
    converted = [one for metric in metrics if (one := _converted(metric, now)) is not None]
    scope = ScopeMetrics(InstrumentationScope("meshery"), converted, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _converted(metric: Metric, now: int) -> ExportedMetric | None:
    data: Sum | Gauge | Histogram
    cumulative = AggregationTemporality.CUMULATIVE
    match metric.type:
        case "counter":
            points = _points(metric, f"{metric.name}_total", now)
            data = Sum(points, cumulative, is_monotonic=True)
        case "gauge" | "unknown" | "info":
            points = _points(metric, None, now)
            data = Gauge(points)
        case "histogram":
            data = Histogram(_histograms(metric, now), cumulative)
        case _:
            return None
    if not data.data_points:
        return None
    return ExportedMetric(metric.name, metric.documentation, "", data)


def _points(metric: Metric, name: str | None, now: int) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(sample.labels, _STARTED_NS, now, sample.value)
        for sample in metric.samples
        if name is None or sample.name == name
    ]


def _histograms(metric: Metric, now: int) -> list[HistogramDataPoint]:
    by_labels: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in metric.samples:
        labels = tuple(sorted((key, value) for key, value in sample.labels.items() if key != "le"))
        by_labels.setdefault(labels, []).append(sample)
    return [_histogram(metric.name, dict(labels), samples, now) for labels, samples in by_labels.items()]


def _histogram(name: str, labels: dict[str, str], samples: Sequence[Sample], now: int) -> HistogramDataPoint:
    bounds: list[float] = []
    counts: list[int] = []
    total = 0.0
    before = 0
    for sample in samples:
        if sample.name == f"{name}_sum":
            total = sample.value
        if sample.name == f"{name}_bucket":
            bound = float(sample.labels["le"])
            counts.append(int(sample.value) - before)  # Prometheus counts a bucket into all larger ones
            before = int(sample.value)
            if not math.isinf(bound):
                bounds.append(bound)
    return HistogramDataPoint(
        attributes=labels,
        start_time_unix_nano=_STARTED_NS,
        time_unix_nano=now,
        count=before,
        sum=total,
        bucket_counts=counts,
        explicit_bounds=bounds,
        min=math.nan,
        max=math.nan,
    )
