"""Single connections of each kind, and waiting for PostgreSQL."""

from __future__ import annotations

import time
from typing import Any

import asyncpg
import structlog
from pydantic import SecretStr

from meshery_common.background import pause
from meshery_common.database.codecs import register_codecs
from meshery_common.database.settings import DatabaseSettings
from meshery_common.database.traced import traced

_log = structlog.get_logger(__name__)

#: What a failed attempt to connect may raise. Wrong passwords and missing databases are among them: whoever
#: provisions may come later, so they are waited for as well.
CONNECT_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

#: The schema of the server's extensions (pg_trgm): an extension exists once per database, services are many.
EXTENSIONS = "extensions"

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
_SAY_SO_SECONDS = 60.0


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


async def _connect(
    url: SecretStr, settings: DatabaseSettings, server_settings: dict[str, str], **more: Any
) -> Any:
    raw = await asyncpg.connect(
        url.get_secret_value(),
        timeout=settings.connect_timeout_seconds,
        server_settings=server_settings,
        **more,
    )
    await register_codecs(raw)
    return raw


async def connect_app(settings: DatabaseSettings, schema: str) -> Any:
    """A connection for the pool, as the app role, with nobody's rows in sight."""
    raw = await _connect(
        settings.app_url,
        settings,
        {
            "application_name": f"meshery-{schema}",
            "search_path": f"{schema}, {EXTENSIONS}",
            "timezone": "UTC",
            "statement_timeout": _milliseconds(settings.statement_timeout_seconds),
            "lock_timeout": _milliseconds(settings.lock_timeout_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(
                settings.idle_in_transaction_timeout_seconds
            ),
            # Compiling pays for reports, not for the short statements of a service.
            "jit": "off",
        },
        # The server ends statements; this is for a server that has stopped answering at all.
        command_timeout=settings.statement_timeout_seconds * 2,
        # Statements are few and written by us: keep them all prepared.
        statement_cache_size=1024,
        max_cached_statement_lifetime=0,
    )
    return traced(raw, schema)


async def connect_listener(settings: DatabaseSettings, schema: str) -> Any:
    """A connection that only waits for notifications."""
    return await _connect(
        settings.app_url,
        settings,
        {
            "application_name": f"meshery-{schema}-listen",
            "search_path": f"{schema}, {EXTENSIONS}",
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        },
        command_timeout=settings.statement_timeout_seconds,
    )


async def connect_migrator(settings: DatabaseSettings, schema: str) -> Any:
    """A connection as the owner role where there is one, else as the app role."""
    return await _connect(
        settings.owner_url or settings.app_url,
        settings,
        {
            "application_name": f"meshery-{schema}-migrate",
            "search_path": f"{schema}, {EXTENSIONS}",
            "timezone": "UTC",
            "statement_timeout": _milliseconds(settings.migration_statement_timeout_seconds),
            "lock_timeout": _milliseconds(settings.migration_lock_timeout_seconds),
            # Row-level security is forced on owners too; a migration works on everybody's rows.
            "meshery.organization": "*",
        },
    )


async def wait_for(settings: DatabaseSettings, schema: str) -> None:
    """Return when PostgreSQL lets the service in; tries for ever, with growing pauses."""
    began = said = time.monotonic()
    seconds = _FIRST_PAUSE_SECONDS
    while True:
        try:
            raw = await connect_migrator(settings, schema)
        except CONNECT_ERRORS as error:
            reason = type(error).__name__
        else:
            await raw.close()
            return
        if said == began or time.monotonic() - said >= _SAY_SO_SECONDS:
            said = time.monotonic()
            _log.warning("Waiting for PostgreSQL", schema=schema, reason=reason, seconds=round(said - began))
        await pause(seconds)
        seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)
