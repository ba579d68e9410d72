"""Logs, traces and metrics of a process, and their way to an OTLP collector. The only user of OpenTelemetry.

Without `otlp_endpoint` nothing leaves and no span is ever made: whoever would make one asks `tracing()` first.
Several services may share a process; each has its own name at the collector. No span and no exported error holds
a value, a statement's arguments or the text of an exception.
"""

from meshery_common.telemetry.export import exporting, flush_export, start_export, stop_export
from meshery_common.telemetry.logs import start_logging
from meshery_common.telemetry.readings import Readings
from meshery_common.telemetry.services import working_for
from meshery_common.telemetry.settings import TelemetrySettings
from meshery_common.telemetry.traces import (
    SpanKind,
    annotate,
    carried,
    carry,
    common_trace,
    in_trace,
    link_to,
    mark_failed,
    span,
    trace_id,
    tracing,
)

__all__ = [
    "Readings",
    "SpanKind",
    "TelemetrySettings",
    "annotate",
    "carried",
    "carry",
    "common_trace",
    "exporting",
    "flush_export",
    "in_trace",
    "link_to",
    "mark_failed",
    "span",
    "start_export",
    "start_logging",
    "stop_export",
    "trace_id",
    "tracing",
    "working_for",
]
