"""One request is one trace over every service it touches, in the mode where all of them share one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from tests.system.installation import Installation
from tests.system.waiting import until

from meshery_testkit.telemetry import Collector, ReceivedSpan

_DESIGN = '{"name": "shop", "components": []}'
#: A trace that a browser or a proxy began.
_CALLERS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
async def meshery(collector: Collector, tmp_path: Path) -> AsyncIterator[Installation]:
    assert collector.url
    async with Installation.started(tmp_path / "home", separate=False) as one:
        yield one


async def saved(meshery: Installation) -> str:
    """Save a design as the machine's own person, in the caller's trace; the request's id."""
    rest = meshery.rest()
    async with rest.http.post(
        f"{rest.url}/api/pattern",
        json={"pattern_data": {"pattern_file": _DESIGN}},
        headers={"traceparent": f"00-{_CALLERS_TRACE}-00f067aa0ba902b7-01"},
    ) as reply:
        assert reply.status == 200, await reply.text()
        return reply.headers["X-Request-Id"]


def of_trace(collector: Collector, trace_id: str) -> list[ReceivedSpan]:
    return [one for one in collector.spans() if one.trace_id == trace_id]


def the(spans: Sequence[ReceivedSpan], good: Callable[[ReceivedSpan], bool]) -> ReceivedSpan:
    """The one span that is so."""
    [found] = [one for one in spans if good(one)]
    return found


async def test_one_request_is_one_trace_up_to_the_fact_and_its_consumer(
    meshery: Installation, collector: Collector
) -> None:
    request_id = await saved(meshery)
    assert request_id == _CALLERS_TRACE

    async def spans() -> list[ReceivedSpan]:
        return await asyncio.to_thread(of_trace, collector, _CALLERS_TRACE)

    found = await until(
        "the events service has taken the fact in",
        spans,
        lambda spans: any(one.kind == "consumer" and one.service == "meshery-events" for one in spans),
    )
    by_id = {one.span_id: one for one in found}

    def path(span: ReceivedSpan) -> list[str]:
        """Service and kind from the first span to this one."""
        above = path(by_id[span.parent_id]) if span.parent_id in by_id else []
        return [*above, f"{span.service.removeprefix('meshery-')} {span.kind}"]

    insert = the(
        found,
        lambda one: (
            one.service == "meshery-designs" and one.attributes.get("db.query.summary") == "INSERT outbox"
        ),
    )
    assert path(insert) == ["gateway server", "gateway client", "designs server", "designs client"]
    publish = the(found, lambda one: one.kind == "producer")
    assert path(publish) == ["gateway server", "gateway client", "designs server", "designs producer"]
    consumer = the(found, lambda one: one.kind == "consumer" and one.service == "meshery-events")
    assert path(consumer) == [*path(publish), "events consumer"]
    assert consumer.links == ((publish.trace_id, publish.span_id),)
    stored = the(
        found,
        lambda one: (
            one.service == "meshery-events" and one.attributes.get("db.query.summary") == "INSERT events"
        ),
    )
    assert path(stored) == [*path(consumer), "events client"]

    server = the(found, lambda one: path(one) == ["gateway server"])
    assert server.attributes["http.route"] == "/api/pattern"
    assert server.attributes["http.response.status_code"] == 200
    assert insert.attributes["db.system.name"] == "postgresql"
    assert insert.attributes["db.operation.name"] == "INSERT"
    assert not any(one.failed for one in found)


async def test_no_span_holds_a_value(meshery: Installation, collector: Collector) -> None:
    await saved(meshery)
    statements = [
        str(one.attributes["db.query.text"])
        for one in await asyncio.to_thread(collector.spans)
        if "db.query.text" in one.attributes
    ]
    assert statements
    assert not [one for one in statements if "shop" in one or meshery.running.owner.user_id.hex in one]


async def test_waiting_makes_no_traces(meshery: Installation, collector: Collector) -> None:
    """Heartbeats, polling and leases go on all the time: as traces they would bury those of requests."""

    async def in_three_seconds() -> list[ReceivedSpan]:
        before = len(await asyncio.to_thread(collector.spans))
        await asyncio.sleep(3)
        after = await asyncio.to_thread(collector.spans)
        return [one for one in after[before:] if one.kind != "consumer"]

    # A new installation is at work for a moment: it stores what ships with it, and tells so.
    await until("nothing is traced while nobody asks", in_three_seconds, lambda found: found == [])


async def test_lines_and_metrics_name_their_service(meshery: Installation, collector: Collector) -> None:
    rest = meshery.rest()
    await rest.call("GET", "/api/pattern/no-uuid", status=400)
    metrics = await asyncio.to_thread(collector.metrics)
    services = defaultdict(set)
    for name in ("meshery_database_connections", "meshery_outbox_lag_seconds", "meshery_bus_connected"):
        services[name] = {dict(labels)["service"] for labels in metrics[name].points}
    assert {"designs", "events", "identity"} <= services["meshery_database_connections"]
    assert {"designs", "identity"} <= services["meshery_outbox_lag_seconds"]
    assert {"designs", "gateway"} <= services["meshery_bus_connected"]
    assert metrics["meshery_rpc_seconds"].kind == "histogram"
