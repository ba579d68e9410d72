"""Sending spans, log lines and metrics to an OTLP collector over HTTP; all or nothing, by one address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshery_common.telemetry import logs, traces
from meshery_common.telemetry.services import Resources
from meshery_common.telemetry.settings import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from meshery_common.telemetry.prometheus_export import MetricsSender

#: How long the end of a process waits for a collector that does not answer.
_LAST_MS = 2000


@dataclass(frozen=True)
class _Export:
    """What sends, as long as something is sent."""

    spans: BatchSpanProcessor
    lines: BatchLogRecordProcessor
    metrics: MetricsSender


_export: _Export | None = None


def start_export(settings: TelemetrySettings, process: str) -> None:
    """Send what this process records from now on; does nothing without an endpoint, or when it is sent already."""
    global _export
    if not settings.otlp_endpoint or _export is not None:
        return
    # Imported here: who exports nothing need not load an HTTP client and the protocol for it.
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from meshery_common.telemetry.prometheus_export import MetricsSender

    base = settings.otlp_endpoint.rstrip("/")
    resources = Resources(process)
    _export = _Export(
        BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces")),
        BatchLogRecordProcessor(OTLPLogExporter(f"{base}/v1/logs")),
        MetricsSender(
            OTLPMetricExporter(f"{base}/v1/metrics"), resources.of(""), settings.metrics_interval_seconds
        ),
    )
    traces.record_with(traces.Recorder(resources, _export.spans, settings.sample_ratio))
    logs.send_with(logs.LineSender(resources, _export.lines))


def flush_export() -> None:
    """Send now what is held back, and wait for it."""
    if _export is not None:
        _export.spans.force_flush(_LAST_MS)
        _export.lines.force_flush(_LAST_MS)
        _export.metrics.send()


def stop_export() -> None:
    """Send what is left, and nothing more; called once at the end of the process."""
    global _export
    if _export is None:
        return
    traces.record_with(None)
    logs.send_with(None)
    ending, _export = _export, None
    ending.metrics.stop(_LAST_MS / 1000)
    for processor in (ending.spans, ending.lines):
        processor.force_flush(_LAST_MS)
        processor.shutdown()  # type: ignore[no-untyped-call]  # one of the two has no types


@contextmanager
def exporting(settings: TelemetrySettings, process: str) -> Iterator[None]:
    """Send what is recorded in the block."""
    start_export(settings, process)
    try:
        yield
    finally:
        stop_export()
