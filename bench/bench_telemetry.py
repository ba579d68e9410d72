"""What telemetry costs a request: switched off, and with spans recorded (exported to nobody).

A request makes a handful of guards and, when recorded, a handful of spans; beside each stands what they cost.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from meshery_common.telemetry import SpanKind, carried, carry, in_trace, span, trace_id, traces, tracing
from meshery_common.telemetry.services import Resources

CALLS = 100_000
#: Gateway server, client; service server; three statements; what the read of one design makes.
SPANS_PER_REQUEST = 6


class Nowhere(SpanExporter):
    """Drops what it gets."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Drop them."""
        return SpanExportResult.SUCCESS


def one_span() -> None:
    """As the bus makes them: from headers, with attributes, into headers."""
    headers: dict[str, str] = {}
    about = {"rpc.system.name": "nats", "rpc.service": "designs", "rpc.method": "get_design"}
    with span("designs", "designs get_design", SpanKind.SERVER, about, parent=carried({})):
        carry(headers)


def nanoseconds(work: Callable[[], object], calls: int = CALLS) -> float:
    """The best of five rounds, for one call."""
    return min(timeit.repeat(work, number=calls, repeat=5)) / calls * 1e9


def main() -> None:
    """Measure and print."""
    nothing = nanoseconds(lambda: None)
    for name, work in (("tracing()", tracing), ("trace_id()", trace_id), ("in_trace()", in_trace)):
        print(f"off: {name:<11} {nanoseconds(work) - nothing:8.0f} ns")
    guards = (nanoseconds(tracing) - nothing) * SPANS_PER_REQUEST
    print(f"off: a request of {SPANS_PER_REQUEST} would-be spans pays {guards / 1000:.2f} µs")
    traces.record_with(traces.Recorder(Resources("bench"), BatchSpanProcessor(Nowhere()), 1.0))
    each = nanoseconds(one_span, CALLS // 10)
    print(
        f"on:  one span    {each / 1000:8.1f} µs, {each * SPANS_PER_REQUEST / 1000:.0f} µs for such a request"
    )
    traces.record_with(traces.Recorder(Resources("bench"), BatchSpanProcessor(Nowhere()), 0.0))
    each = nanoseconds(one_span, CALLS // 10)
    print(f"on:  one span that the ratio leaves out {each / 1000:.1f} µs")
    traces.record_with(None)


if __name__ == "__main__":
    main()
