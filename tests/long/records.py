"""What is stored after the storm, read from the tables themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from tests.system.installation import Installation

from meshery_standalone.members import STATEFUL

Fact = tuple[str, str, int]


class Records:
    """The tables of all services, for one who may read everything."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def of(cls, meshery: Installation) -> AsyncIterator[Records]:
        """Open for the time of the block."""
        servers = meshery.running.servers
        name = urlsplit(servers.databases["designs"]["owner_url"]).path.removeprefix("/")
        connection = await asyncpg.connect(servers.postgres.admin_dsn(name), timeout=5)
        try:
            yield cls(connection)
        finally:
            await connection.close()

    async def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a statement."""
        return [dict(one) for one in await self._connection.fetch(statement, *values)]

    async def has(self, table: str) -> bool:
        """Whether there is such a table."""
        [row] = await self.rows("select to_regclass($1) is not null as there", table)
        return bool(row["there"])

    async def waiting_facts(self) -> dict[str, int]:
        """Facts that are not published yet, by service; none when all are."""
        counts = {}
        for service in STATEFUL:
            [row] = await self.rows(
                f'select count(*) as n from "{service}".outbox where published_at is null'
            )
            if row["n"]:
                counts[service] = row["n"]
        return counts

    async def designs(self) -> dict[str, dict[str, Any]]:
        """Every design, the deleted ones too, with the versions that it has."""
        rows = await self.rows(
            """
            select d.id::text as id, d.name, d.version, d.deleted_at is not null as deleted,
                array(select v.version from designs.design_versions v where v.design_id = d.id order by 1) as versions
            from designs.designs d
            """
        )
        return {one["id"]: one for one in rows}

    async def design_events(self) -> Counter[Fact]:
        """How often each save and deletion of a design is told: by its id, action and version."""
        rows = await self.rows(
            """
            select acted_upon::text as id, action, coalesce((metadata ->> 'version')::int, 0) as version
            from events.events where category = 'design'
            """
        )
        return Counter((one["id"], one["action"], one["version"]) for one in rows)

    async def other_events(self) -> list[dict[str, Any]]:
        """Events of severity error or worse."""
        return await self.rows(
            """
            select category, action, description, metadata from events.events
            where severity in ('error', 'critical', 'alert', 'emergency')
            """
        )
