"""A service as a process of its own, to be killed in the middle of what it does.

`hosted` runs a service in the test's own process, which nothing can kill. Here it has the same settings, and what it
held when it died is free for the next one as soon as the test says so.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel, SecretStr

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.settings import ServiceSettings

_START_SECONDS = 30.0


@asynccontextmanager
async def own_process(settings: ServiceSettings) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service that these settings are for, ready for requests; killed at the end of the block at the latest."""
    token = settings.model_config.get("env_prefix", "").rstrip("_").lower()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"meshery_{token}"),
        env=environment_of(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await _ready(child)
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def lose_leases(database: Database) -> None:
    """Make what a killed process holds free at once, as it would be after a while."""
    await database.execute(EVERY_ORGANIZATION, "update leases set expires_at = now()")
    await database.execute(
        EVERY_ORGANIZATION,
        "update operations set available_at = now() where finished_at is null and available_at is not null",
    )


def environment_of(settings: ServiceSettings) -> dict[str, str]:
    """What was set, as variables that make the same settings; logs are JSON lines."""
    telemetry = settings.telemetry.model_copy(update={"log_format": "json"})
    given = {name: getattr(settings, name) for name in settings.model_fields_set} | {"telemetry": telemetry}
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name.upper()}": _text(value) for name, value in given.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True, exclude_none=True)
    elif not isinstance(value, (dict, list, tuple)):
        return str(_plain(value))
    return json.dumps(value, default=_plain)


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


async def _ready(child: asyncio.subprocess.Process) -> None:
    said = b""
    async with asyncio.timeout(_START_SECONDS):
        while b'"ready"' not in (line := await child.stdout.readline() if child.stdout else b""):
            if not line:
                raise AssertionError(f"the service ended before it was ready: {said.decode()[-2000:]}")
            said += line
