"""An OTLP/HTTP collector in this process: what is exported while a test runs, decoded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from meshery_common.telemetry import TelemetrySettings, exporting, flush_export
from meshery_testkit.threads import InThread


@dataclass(frozen=True)
class ReceivedSpan:
    """One span as the collector got it."""

    service: str
    name: str
    #: server, client, producer, consumer or internal.
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    #: Trace and span id of each.
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    failed: bool


@dataclass(frozen=True)
class ReceivedLine:
    """One log line."""

    service: str
    text: str
    severity: str
    trace_id: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class ReceivedMetric:
    """The latest state of one metric; `points` by labels: a number, or count and sum of a histogram."""

    name: str
    kind: str
    points: dict[tuple[tuple[str, str], ...], Any]


class Collector:
    """What was received so far. Ask `spans` and the others: they fetch what this process still holds back."""

    def __init__(self) -> None:
        self.url = ""
        self._spans: list[ReceivedSpan] = []
        self._lines: list[ReceivedLine] = []
        self._metrics: dict[str, ReceivedMetric] = {}

    def spans(self) -> list[ReceivedSpan]:
        """All spans that have ended."""
        flush_export()
        return list(self._spans)

    def lines(self) -> list[ReceivedLine]:
        """All log lines."""
        flush_export()
        return list(self._lines)

    def metrics(self) -> dict[str, ReceivedMetric]:
        """All metrics by name, as they are now."""
        flush_export()
        return dict(self._metrics)

    async def take_spans(self, request: web.Request) -> web.Response:
        """POST /v1/traces."""
        for of_service in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            service = _values(of_service.resource.attributes)["service.name"]
            self._spans += [_span(service, one) for scope in of_service.scope_spans for one in scope.spans]
        return web.Response()

    async def take_lines(self, request: web.Request) -> web.Response:
        """POST /v1/logs."""
        for of_service in ExportLogsServiceRequest.FromString(await request.read()).resource_logs:
            service = _values(of_service.resource.attributes)["service.name"]
            for line in (line for scope in of_service.scope_logs for line in scope.log_records):
                self._lines.append(
                    ReceivedLine(
                        service,
                        line.body.string_value,
                        line.severity_text,
                        line.trace_id.hex(),
                        _values(line.attributes),
                    )
                )
        return web.Response()

    async def take_metrics(self, request: web.Request) -> web.Response:
        """POST /v1/metrics."""
        for of_process in ExportMetricsServiceRequest.FromString(await request.read()).resource_metrics:
            for metric in (metric for scope in of_process.scope_metrics for metric in scope.metrics):
                kind = str(metric.WhichOneof("data"))
                points = {
                    tuple(sorted(_values(point.attributes).items())): (point.count, point.sum)
                    if kind == "histogram"
                    else point.as_double
                    for point in getattr(metric, kind).data_points
                }
                self._metrics[metric.name] = ReceivedMetric(metric.name, kind, points)
        return web.Response()


@asynccontextmanager
async def _collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes(
        [
            web.post("/v1/traces", collector.take_spans),
            web.post("/v1/logs", collector.take_lines),
            web.post("/v1/metrics", collector.take_metrics),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that gets all telemetry of this process for the time of the test."""
    # In a thread of its own: the last of it is sent while the test's loop waits.
    thread = InThread("collector", _collecting)
    try:
        with exporting(TelemetrySettings(otlp_endpoint=thread.value.url), "tests"):
            yield thread.value
    finally:
        thread.close()


def _span(service: str, one: Span) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=one.name,
        kind=Span.SpanKind.Name(one.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=one.trace_id.hex(),
        span_id=one.span_id.hex(),
        parent_id=one.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in one.links),
        attributes=_values(one.attributes),
        failed=one.status.code == one.status.STATUS_CODE_ERROR,
    )


def _values(attributes: Sequence[Any]) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
