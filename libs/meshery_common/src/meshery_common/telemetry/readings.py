"""Gauges that are read when somebody looks, instead of being written whenever something changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Readings(Collector):
    """A gauge whose value is the sum of what its live sources say, by labels.

    A source that ends takes its value along: nobody sees the connections of a pool that was closed.
    """

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry = REGISTRY
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.labels = tuple(labels)
        self._sources: dict[object, tuple[tuple[str, ...], Callable[[], float]]] = {}
        registry.register(self)

    @contextmanager
    def source(self, *labels: str, read: Callable[[], float]) -> Iterator[None]:
        """Count this in for the time of the block. `read` is called by whoever collects, in any thread."""
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {', '.join(self.labels)}")
        key = object()
        self._sources[key] = (labels, read)
        try:
            yield
        finally:
            del self._sources[key]

    def collect(self) -> Iterable[Metric]:
        """Ask all sources."""
        values: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for labels, read in list(self._sources.values()):
            values[labels] += read()
        family = GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        yield family

    def describe(self) -> Iterable[Metric]:
        """What it is, without asking anybody."""
        yield GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
