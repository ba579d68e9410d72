"""Probes and metrics of a process over HTTP: /healthz/live, /healthz/ready, /metrics.

Live means that the event loop turns. Ready means that the process has started, does not stop yet, and has
everything it needs right now; one that lost NATS or PostgreSQL is alive, not ready, and keeps trying.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import orjson
from aiohttp import web
from prometheus_client import generate_latest
from pydantic import BaseModel, ConfigDict, Field

#: Answers whether one need is met right now, from what the process knows already.
Probe = Callable[[], bool]


class HealthSettings(BaseModel):
    """Where probes and metrics are served."""

    model_config = ConfigDict(frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        default=None, ge=0, le=65535, description="TCP port; 0 takes a free one, unset serves none."
    )


class Health:
    """The needs of one process by name. Not ready before the block of `serving`, nor after it."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self._serving = False

    def need(self, name: str, probe: Probe) -> None:
        """Make readiness depend on this probe."""
        self._probes[name] = probe

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Everything is wired: for the time of the block requests are welcome, as long as the needs are met."""
        self._serving = True
        try:
            yield
        finally:
            self._serving = False

    def report(self) -> dict[str, bool]:
        """Which needs are met; `serving` is false while the process starts or stops."""
        return {"serving": self._serving, **{name: probe() for name, probe in self._probes.items()}}

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return all(self.report().values())


@asynccontextmanager
async def served(settings: HealthSettings, health: Health) -> AsyncIterator[int | None]:
    """Serve probes and metrics for the time of the block; gives the port."""
    if settings.port is None:
        yield None
        return

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_request: web.Request) -> web.Response:
        status = "ready" if health.ready else "not ready"
        body = orjson.dumps({"status": status, "needs": health.report()})
        return web.Response(status=200 if health.ready else 503, body=body, content_type="application/json")

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz/live", live),
            web.get("/healthz/ready", ready),
            web.get("/metrics", metrics),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()
