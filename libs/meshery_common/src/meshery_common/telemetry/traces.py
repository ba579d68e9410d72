"""Spans, and the trace context that travels in headers.

A request is one trace over every service it touches. What was begun by a request and done later without anybody
waiting (a fact taken in, an operation run) links to it instead of belonging to it, unless there is just one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshery_common.idempotency import Repeated
from meshery_common.telemetry.services import Resources
from meshery_contracts.errors import ProblemError

__all__ = ["SpanKind"]

Attributes = Mapping[str, str | int | float | bool]

#: More than this many links tell nobody more.
MAX_LINKS: Final = 32

_propagator = TraceContextTextMapPropagator()


class Recorder:
    """Makes the spans of all services of this process; each service's carry its own name."""

    def __init__(self, resources: Resources, processor: SpanProcessor, sample_ratio: float) -> None:
        self._resources = resources
        self._processor = processor
        self._sampler: Sampler = ParentBased(TraceIdRatioBased(sample_ratio))
        self._tracers: dict[str, Tracer] = {}

    def tracer(self, service: str) -> Tracer:
        """The tracer of one service."""
        tracer = self._tracers.get(service)
        if tracer is None:
            provider = TracerProvider(
                sampler=self._sampler, resource=self._resources.of(service), shutdown_on_exit=False
            )
            provider.add_span_processor(self._processor)
            tracer = self._tracers[service] = provider.get_tracer("meshery")
        return tracer


_recorder: Recorder | None = None


def record_with(recorder: Recorder | None) -> None:
    """Make spans with this recorder from now on, or none at all."""
    global _recorder
    _recorder = recorder


def tracing() -> bool:
    """Whether spans are made in this process; hot paths skip the work otherwise."""
    return _recorder is not None


@contextmanager
def span(
    service: str,
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    *,
    parent: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """Record the block as work of a service, below `parent` or the span around it. Costs little when nobody records.

    An error that leaves the block is noted by its kind, never by its text.
    """
    if _recorder is None:
        yield INVALID_SPAN
        return
    with _recorder.tracer(service).start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        links=links,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            _note(current, error)
            raise


def carry(headers: dict[str, str]) -> None:
    """Write the current trace into headers, if there is one."""
    if _recorder is not None:
        _propagator.inject(headers)


def carried(headers: Mapping[str, str]) -> Context:
    """The trace that came in headers, as a parent; an empty one when there is none."""
    return _propagator.extract(headers, Context())


def link_to(headers: Iterable[Mapping[str, str]]) -> list[Link]:
    """Links to the spans that wrote these headers."""
    found: dict[int, Link] = {}
    for one in headers:
        context = trace.get_current_span(carried(one)).get_span_context()
        if context.is_valid:
            found[context.span_id] = Link(context)
        if len(found) == MAX_LINKS:
            break
    return list(found.values())


def common_trace(links: Sequence[Link]) -> Context:
    """The trace to go on with when all links lead to the same one; else an empty parent, which begins a new one."""
    if len({link.context.trace_id for link in links}) != 1:
        return Context()
    return trace.set_span_in_context(trace.NonRecordingSpan(links[-1].context), Context())


def trace_id() -> str:
    """The trace of now in hexadecimal; empty outside of one."""
    if _recorder is None:
        return ""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def annotate(name: str, value: str | int | float | bool) -> None:
    """Note something at the span of now, if there is one."""
    if _recorder is not None:
        trace.get_current_span().set_attribute(name, value)


def mark_failed(current: Span) -> None:
    """Show this span as failed: nobody but us could have prevented it."""
    current.set_status(Status(StatusCode.ERROR))


def in_trace() -> bool:
    """Whether a span of now is recorded."""
    return _recorder is not None and trace.get_current_span().is_recording()


def _note(current: Span, error: BaseException) -> None:
    if isinstance(error, Repeated):
        return  # the way in which a command's first answer comes back
    if isinstance(error, ProblemError):
        current.set_attribute("error.type", error.problem.code)
        if error.problem.status >= 500:
            mark_failed(current)
        return
    current.set_attribute("error.type", type(error).__qualname__)
    if not isinstance(error, asyncio.CancelledError):
        mark_failed(current)
