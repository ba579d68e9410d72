"""Spans, lines and metrics as a collector gets them, and their absence without one."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from meshery_common.background import alongside
from meshery_common.idempotency import Repeated
from meshery_common.telemetry import (
    Readings,
    SpanKind,
    TelemetrySettings,
    carried,
    carry,
    common_trace,
    link_to,
    span,
    start_logging,
    trace_id,
    tracing,
    working_for,
)
from meshery_contracts.errors import NotFound, Unavailable
from meshery_testkit.telemetry import Collector


@pytest.fixture(params=["json"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged while the test runs, as JSON unless the test wants another format."""
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    start_logging(TelemetrySettings(log_format=request.param), written)
    yield written
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("lines", ["json", "console"], indirect=True)
def test_a_trace_shows_where_and_no_values(lines: io.StringIO) -> None:
    password = "".join(["hunter", "2"])
    try:
        raise LookupError("not there")
    except LookupError:
        structlog.get_logger().exception("it failed", length=len(password))
    assert "test_telemetry.py" in lines.getvalue()
    assert password not in lines.getvalue()


def test_without_a_collector_nothing_is_recorded_or_carried() -> None:
    headers: dict[str, str] = {}
    with span("designs", "work") as current:
        carry(headers)
        assert not current.is_recording()
    assert (tracing(), headers, trace_id()) == (False, {}, "")


def test_services_of_one_process_have_names_of_their_own(collector: Collector) -> None:
    headers: dict[str, str] = {}
    with span("gateway", "ask", SpanKind.CLIENT):
        carry(headers)
    with span("designs", "answer", SpanKind.SERVER, {"rpc.method": "get"}, parent=carried(headers)):
        pass
    ask, answer = collector.spans()
    assert (ask.service, ask.kind) == ("meshery-gateway", "client")
    assert (answer.service, answer.kind, answer.attributes) == (
        "meshery-designs",
        "server",
        {"rpc.method": "get"},
    )
    assert (answer.trace_id, answer.parent_id) == (ask.trace_id, ask.span_id)


@pytest.mark.parametrize(
    ("error", "kind", "failed"),
    [
        (ValueError("secret"), "ValueError", True),
        (NotFound("secret", code="design_not_found"), "design_not_found", False),
        (Unavailable("secret", code="database_away"), "database_away", True),
        (asyncio.CancelledError(), "CancelledError", False),
        (Repeated(b"answer"), None, False),
    ],
)
def test_errors_are_named_by_kind_and_never_by_text(
    collector: Collector, error: BaseException, kind: str | None, failed: bool
) -> None:
    with pytest.raises(type(error)), span("designs", "work"):
        raise error
    [received] = collector.spans()
    assert (received.attributes.get("error.type"), received.failed) == (kind, failed)
    assert "secret" not in repr(received)


def test_what_comes_from_one_trace_goes_on_with_it_and_what_comes_from_many_links_to_all(
    collector: Collector,
) -> None:
    facts: list[dict[str, str]] = []
    for _ in range(2):
        facts.append({})
        with span("designs", "publish"):
            carry(facts[-1])
    batches: list[list[dict[str, str]]] = [facts[:1], facts, [{}]]
    for batch in batches:
        links = link_to(batch)
        with span("events", f"take {len(links)}", parent=common_trace(links), links=links):
            pass
    first, second, one, both, none = collector.spans()
    assert (one.trace_id, one.parent_id) == (first.trace_id, first.span_id)
    assert {trace for trace, _ in both.links} == {first.trace_id, second.trace_id}
    assert both.trace_id not in {first.trace_id, second.trace_id}
    assert (both.parent_id, none.parent_id, none.links) == ("", "", ())


async def test_lines_say_whose_they_are_and_in_which_trace(collector: Collector, lines: io.StringIO) -> None:
    log = structlog.get_logger()
    done = asyncio.Event()

    async def work() -> None:
        with span("designs", "work"):
            log.info("something happened", count=3)
            try:
                raise ValueError("wrong")
            except ValueError:
                log.exception("it failed")
        logging.getLogger("library").warning("of a library")
        logging.getLogger("opentelemetry.sdk").warning("of whoever sends")
        done.set()
        await asyncio.Event().wait()

    async with alongside(work(), service="designs"):
        await done.wait()
    log.info("of the process")

    [happened, failed, library, process] = await asyncio.to_thread(collector.lines)
    [spanned] = collector.spans()
    assert (happened.service, happened.text, happened.severity) == (
        "meshery-designs",
        "something happened",
        "info",
    )
    assert (happened.attributes["count"], happened.trace_id) == (3, spanned.trace_id)
    assert failed.attributes["exception.type"] == "ValueError"
    assert (library.service, library.severity) == ("meshery-designs", "warning")
    assert process.service == "meshery-tests"

    written: list[dict[str, Any]] = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert written[0]["service"] == "designs"
    assert written[0]["trace_id"] == spanned.trace_id
    assert "ValueError: wrong" in written[1]["exception"]
    assert [one["event"] for one in written[2:4]] == ["of a library", "of whoever sends"]


def test_the_service_of_a_block_is_not_left_behind(lines: io.StringIO) -> None:
    with working_for("designs"):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")
    inside, outside = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (inside["service"], "service" in outside) == ("designs", False)


def test_metrics_arrive_as_prometheus_would_read_them(collector: Collector) -> None:
    Counter("meshery_test_sent", "Sent.", ["service"]).labels("designs").inc(3)
    Gauge("meshery_test_held", "Held.").set(1.5)
    seconds = Histogram("meshery_test_seconds", "Taken.", ["service"], buckets=(1, 2))
    for value in (0.5, 1.5, 9):
        seconds.labels("designs").observe(value)
    metrics = collector.metrics()
    assert metrics["meshery_test_sent"].kind == "sum"
    assert metrics["meshery_test_sent"].points == {(("service", "designs"),): 3.0}
    assert metrics["meshery_test_held"].points == {(): 1.5}
    assert metrics["meshery_test_seconds"].points == {(("service", "designs"),): (3, 11.0)}


def test_readings_sum_their_living_sources() -> None:
    registry = CollectorRegistry()
    readings = Readings("meshery_test_open", "Open.", ["service"], registry)

    def value() -> float | None:
        return registry.get_sample_value("meshery_test_open", {"service": "designs"})

    with readings.source("designs", read=lambda: 2), readings.source("designs", read=lambda: 3):
        assert value() == 5
    assert value() is None
    with pytest.raises(ValueError, match="service"), readings.source(read=lambda: 1):
        pass
