"""Every service as a process of its own, on servers that keep what they acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
from tests.system.installation import Installation
from tests.system.waiting import until

from meshery_standalone.settings import StandaloneSettings

#: One read of each service.
_LOOKS = (
    "/healthz/ready",
    "/api/user",
    "/api/registry/components",
    "/api/pattern",
    "/api/integrations/connections",
    "/api/system/meshsync/resources",
    "/api/system/events",
)


@asynccontextmanager
async def separate_processes(home: Path) -> AsyncIterator[Installation]:
    """Every service a process of its own, on servers that keep what they acknowledged."""
    settings = StandaloneSettings(
        home=home,
        port=0,
        nats_port=0,
        nats_monitor_port=0,
        sandbox="off",
        kubeconfig="",
        separate=True,
        durable=True,
    )
    async with aiohttp.ClientSession() as http:
        one = Installation(settings, http)
        await one.start()
        try:
            yield one
        except AssertionError as error:
            error.add_note(one.logs())
            raise
        finally:
            await one.stop()


async def all_answer(meshery: Installation, *, seconds: float = 60.0) -> None:
    """Every service is back by itself."""
    for path in _LOOKS:
        await until(f"GET {path} answers", partial(meshery.rest().get, path), seconds=seconds)
