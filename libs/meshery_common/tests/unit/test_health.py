"""Probes and metrics over HTTP, as Kubernetes and Prometheus ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from prometheus_client import Counter

from meshery_common import health
from meshery_common.health import Health, HealthSettings


@dataclass
class Probed:
    """A process's health and the port it is served on."""

    port: int
    health: Health = field(default_factory=Health)

    async def get(self, path: str) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as reply,
        ):
            if reply.content_type == "application/json":
                return reply.status, await reply.json()
            return reply.status, await reply.text()


@pytest.fixture
async def probed() -> AsyncIterator[Probed]:
    needs = Health()
    async with health.served(HealthSettings(port=0), needs) as port:
        assert port is not None
        yield Probed(port, needs)


async def test_a_process_without_needs_is_not_ready_before_it_serves(probed: Probed) -> None:
    assert await probed.get("/healthz/ready") == (503, {"status": "not ready", "needs": {"serving": False}})
    with probed.health.serving():
        assert await probed.get("/healthz/ready") == (200, {"status": "ready", "needs": {"serving": True}})
    assert (await probed.get("/healthz/ready"))[0] == 503


async def test_a_lost_need_makes_it_unready_but_not_dead(probed: Probed) -> None:
    connected = True
    probed.health.need("nats", lambda: connected)
    with probed.health.serving():
        assert (await probed.get("/healthz/ready"))[0] == 200
        connected = False
        status, body = await probed.get("/healthz/ready")
        assert (status, body["needs"]) == (503, {"serving": True, "nats": False})
        assert await probed.get("/healthz/live") == (200, {"status": "live"})


async def test_a_block_that_fails_is_not_ready_afterwards(probed: Probed) -> None:
    with pytest.raises(RuntimeError), probed.health.serving():
        raise RuntimeError
    assert not probed.health.ready


async def test_metrics_are_those_of_the_process(probed: Probed) -> None:
    counted = Counter("meshery_test_health", "Counted by this test.")
    counted.inc(3)
    status, text = await probed.get("/metrics")
    assert status == 200
    assert "meshery_test_health_total 3.0" in text


async def test_without_a_port_nothing_is_served() -> None:
    async with health.served(HealthSettings(), Health()) as port:
        assert port is None
