"""Logs, traces and metrics of a process. Traces, and logs beside stderr, leave only when an endpoint is set.

Logs are lines for people on a terminal and JSON elsewhere, never with secrets. Traces and logs go to an OTLP
collector over HTTP when `otlp_endpoint` is set; without it nothing is recorded and a span costs next to nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from pydantic import BaseModel, ConfigDict, Field


class TelemetrySettings(BaseModel):
    """Where logs and traces go."""

    model_config = ConfigDict(frozen=True)

    log_level: str = Field(
        default="INFO", description="Least level that is logged: DEBUG, INFO, WARNING, ERROR."
    )
    log_format: str = Field(default="auto", description="console, json, or auto (console on a terminal).")
    otlp_endpoint: str = Field(
        default="", description="Base URL of an OTLP/HTTP collector; empty switches export off."
    )
    sample_ratio: float = Field(default=1.0, ge=0, le=1, description="Share of new traces that are recorded.")


def start_logging(settings: TelemetrySettings, stream: TextIO = sys.stderr) -> None:
    """Set up structlog and the standard library's logging for this process."""
    console = settings.log_format == "console" or (settings.log_format == "auto" and stream.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _add_trace(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
    return event


_provider: TracerProvider | None = None


def tracing() -> bool:
    """Whether spans are recorded in this process; hot paths skip the work otherwise."""
    return _provider is not None


def start_tracing(settings: TelemetrySettings, service: str, exporter: SpanExporter | None = None) -> None:
    """Record spans of this process and export them; does nothing without an endpoint or exporter.

    OpenTelemetry keeps one provider for a process and refuses a second: later calls add their exporter to it.
    """
    global _provider
    if exporter is None and not settings.otlp_endpoint:
        return
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint.rstrip("/") + "/v1/traces")
        if _provider is not None:
            return
    if _provider is None:
        resource = Resource.create({"service.name": f"meshery-{service}"})
        _provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio))
        )
        trace.set_tracer_provider(_provider)
    _provider.add_span_processor(BatchSpanProcessor(exporter))


def flush_tracing() -> None:
    """Send what is still buffered; called once at the end of the process."""
    if _provider is not None:
        _provider.force_flush(2_000)


@contextmanager
def log_context(**values: object) -> Iterator[None]:
    """Add these fields to every log line of the block."""
    with structlog.contextvars.bound_contextvars(**values):
        yield
